//! What persistence does with files more than once, on a disk that it shares with the engine.

use dovetail_engine::seam::disk::{DiskError, DiskResult, FileId, Open, Sync, Synced};
use dovetail_engine::seam::persistence::SharedDisk;
use std::path::{Path, PathBuf};

/// Bytes that are copied at a time.
const PIECE_BYTES: usize = 256 << 10;

/// A handle to the disk; clones are the same.
#[derive(Clone, Debug)]
pub(super) struct Files(SharedDisk);

impl Files {
    pub(super) fn new(disk: SharedDisk) -> Self {
        Self(disk)
    }

    pub(super) fn open(&self, path: &Path, how: Open) -> DiskResult<FileId> {
        self.0.borrow_mut().open(path, how)
    }

    pub(super) fn close(&self, file: FileId) {
        // Also called while something is dropped, whoever uses the disk at that moment.
        if let Ok(mut disk) = self.0.try_borrow_mut() {
            disk.close(file);
        }
    }

    pub(super) fn len(&self, file: FileId) -> DiskResult<u64> {
        self.0.borrow_mut().len(file)
    }

    pub(super) fn write(&self, file: FileId, bytes: &[u8]) -> DiskResult<usize> {
        self.0.borrow_mut().write(file, bytes)
    }

    pub(super) fn truncate(&self, file: FileId, len: u64) -> DiskResult<()> {
        self.0.borrow_mut().truncate(file, len)
    }

    pub(super) fn sync(&self, file: FileId, what: Sync) -> DiskResult<()> {
        self.0.borrow_mut().sync(file, what)
    }

    pub(super) fn start_sync(&self, file: FileId, what: Sync) {
        self.0.borrow_mut().start_sync(file, what);
    }

    pub(super) fn synced(&self) -> Option<Synced> {
        self.0.borrow_mut().synced()
    }

    pub(super) fn rename(&self, from: &Path, to: &Path) -> DiskResult<()> {
        self.0.borrow_mut().rename(from, to)
    }

    pub(super) fn start_removal(&self, path: &Path) {
        self.0.borrow_mut().start_removal(path);
    }

    pub(super) fn sync_folder(&self, path: &Path) -> DiskResult<()> {
        self.0.borrow_mut().sync_folder(path)
    }

    pub(super) fn make_folder(&self, path: &Path) -> DiskResult<()> {
        self.0.borrow_mut().make_folder(path)
    }

    pub(super) fn names(&self, path: &Path) -> DiskResult<Vec<String>> {
        self.0.borrow_mut().names(path)
    }

    /// Removes what is of no use any more; if it stays, the next process finds it.
    pub(super) fn discard(&self, path: &Path) {
        drop(self.0.borrow_mut().remove(path));
    }

    /// Opens a file for one purpose and closes it again.
    fn with<T>(
        &self,
        path: &Path,
        how: Open,
        work: impl FnOnce(FileId) -> DiskResult<T>,
    ) -> DiskResult<T> {
        let file = self.open(path, how)?;
        let done = work(file);
        self.close(file);
        done
    }

    /// A file's length; `None` if there is no such file.
    pub(super) fn len_of(&self, path: &Path) -> DiskResult<Option<u64>> {
        match self.with(path, Open::Read, |file| self.len(file)) {
            Err(error) if is_missing(&error) => Ok(None),
            other => other.map(Some),
        }
    }

    /// The first `limit` bytes of a file.
    pub(super) fn beginning(&self, path: &Path, limit: usize) -> DiskResult<Vec<u8>> {
        self.with(path, Open::Read, |file| {
            let len = usize::try_from(self.len(file)?).unwrap_or(usize::MAX);
            let mut bytes = vec![0; len.min(limit)];
            let got = self.0.borrow_mut().read(file, 0, &mut bytes)?;
            bytes.truncate(got);
            Ok(bytes)
        })
    }

    fn write_whole(&self, file: FileId, mut bytes: &[u8]) -> DiskResult<()> {
        while !bytes.is_empty() {
            let taken = self.write(file, bytes)?;
            bytes = &bytes[taken..];
        }
        Ok(())
    }

    /// Makes a file of these bytes, safe but for its name. What cannot be made is removed.
    pub(super) fn make(&self, path: &Path, bytes: &[u8]) -> DiskResult<()> {
        let made = self.with(path, Open::Create, |file| {
            self.write_whole(file, bytes)?;
            self.sync(file, Sync::All)
        });
        if made.is_err() {
            self.discard(path);
        }
        made
    }

    /// Makes a file of another's bytes, safe but for its name; says how many there were.
    pub(super) fn copy(&self, from: &Path, to: &Path) -> DiskResult<u64> {
        let copied = self.with(from, Open::Read, |source| {
            self.with(to, Open::Create, |copy| {
                let mut piece = vec![0; PIECE_BYTES];
                let mut at = 0;
                loop {
                    let got = self.0.borrow_mut().read(source, at, &mut piece)?;
                    if got == 0 {
                        break;
                    }
                    self.write_whole(copy, &piece[..got])?;
                    at += got as u64;
                }
                self.sync(copy, Sync::All)?;
                Ok(at)
            })
        });
        if copied.is_err() {
            self.discard(to);
        }
        copied
    }

    /// Makes what a file has durable.
    pub(super) fn sync_file(&self, path: &Path) -> DiskResult<()> {
        self.with(path, Open::Append, |file| self.sync(file, Sync::All))
    }

    /// Cuts a file to `len` bytes for good.
    pub(super) fn cut(&self, path: &Path, len: u64) -> DiskResult<()> {
        self.with(path, Open::Append, |file| {
            self.truncate(file, len)?;
            self.sync(file, Sync::All)
        })
    }

    /// Removes what dead processes have left in `dir` unfinished: files of whose names `writer`
    /// makes a process's number. Two servers may share a folder, therefore not all of them.
    pub(super) fn sweep(&self, dir: &Path, own: u32, writer: impl Fn(&str) -> Option<u32>) {
        let Ok(names) = self.names(dir) else {
            return;
        };
        for name in names {
            let path = dir.join(&name);
            match writer(&name) {
                // At once: the name is about to be used.
                Some(pid) if pid == own => self.discard(&path),
                Some(pid) if !self.is_alive(pid) => self.start_removal(&path),
                _ => {}
            }
        }
    }

    /// Whether there is such a process here. If the system does not tell, there is none.
    fn is_alive(&self, pid: u32) -> bool {
        let folder = PathBuf::from(format!("/proc/{pid}"));
        !self.names(&folder).unwrap_or_default().is_empty()
    }
}

/// Whether an error says that there is no such file.
pub(super) fn is_missing(error: &DiskError) -> bool {
    error.fault.errno == libc::ENOENT
}

/// A process's number as a name has it.
pub(super) fn pid(digits: &str) -> Option<u32> {
    let is_number = digits.bytes().all(|byte| byte.is_ascii_digit());
    digits.parse().ok().filter(|_| is_number)
}
