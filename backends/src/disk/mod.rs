//! The system's disk: files by descriptor, with a thread for syncs and one for removals.
//!
//! Shape: calls are made where they are asked for; [`Disk::start_sync`] and the closing of what has
//! no name any more are jobs of [`worker::Worker`]s, which start with their first job and are joined
//! when the disk is dropped. Files are shared with them, so that closing one under a sync is safe.
//! Not here: what to do when a call fails; a member has no opinion.

mod worker;

use crate::sys::{self, Fd, file};
use dovetail_engine::seam::disk::{Disk, DiskError, DiskResult, FileId, Open, Sync, Synced};
use dovetail_engine::seam::poller::{Fault, Wake};
use std::collections::BTreeMap;
use std::os::fd::{AsFd, BorrowedFd};
use std::path::{Path, PathBuf};
use std::sync::Arc;
use worker::{Job, Worker};

/// An open file, shared with the jobs on it.
#[derive(Debug)]
struct OpenFile {
    fd: Fd,
    path: PathBuf,
}

/// Tells a disk whom to wake when a sync has ended; given away before the disk is.
#[derive(Clone, Debug)]
pub struct DiskBell(Arc<worker::Ends>);

impl DiskBell {
    /// From now on `wake` is used. It is used at once if something has ended before.
    pub fn set(&self, wake: Arc<dyn Wake>) {
        self.0.set_wake(wake);
    }
}

/// The file system of this machine. A forked child makes one of its own: the threads of its
/// parent's are not there.
#[derive(Debug)]
pub struct SystemDisk {
    files: BTreeMap<FileId, Arc<OpenFile>>,
    last_id: u64,
    ends: Arc<worker::Ends>,
    syncs: Worker,
    removals: Worker,
}

impl Default for SystemDisk {
    fn default() -> Self {
        Self::new()
    }
}

impl SystemDisk {
    /// A disk without an open file.
    #[must_use]
    pub fn new() -> Self {
        let ends = Arc::<worker::Ends>::default();
        Self {
            files: BTreeMap::new(),
            last_id: 0,
            syncs: Worker::new("disk-sync", Arc::clone(&ends)),
            removals: Worker::new("disk-remove", Arc::clone(&ends)),
            ends,
        }
    }

    /// Where to say whom to wake.
    #[must_use]
    pub fn bell(&self) -> DiskBell {
        DiskBell(Arc::clone(&self.ends))
    }

    /// Does `call` with the descriptor of `file`.
    fn with<T>(
        &self,
        id: FileId,
        op: &'static str,
        mut call: impl FnMut(BorrowedFd<'_>) -> Result<T, Fault>,
    ) -> DiskResult<T> {
        let Some(open) = self.files.get(&id) else {
            return Err(stranger(id, op));
        };
        retried(|| call(open.fd.as_fd())).map_err(|fault| at(&open.path, fault))
    }
}

impl Disk for SystemDisk {
    fn open(&mut self, path: &Path, how: Open) -> DiskResult<FileId> {
        let purpose = match how {
            Open::Read => file::Purpose::Read,
            Open::Append => file::Purpose::Append,
            Open::Create => file::Purpose::Create,
            Open::CreateNew => file::Purpose::CreateNew,
        };
        let fd = retried(|| file::open(path, purpose)).map_err(|fault| at(path, fault))?;
        if how == Open::Read {
            file::expect_regular(fd.as_fd()).map_err(|fault| at(path, fault))?;
            file::expect_sequential(fd.as_fd());
        }
        self.last_id += 1;
        let id = FileId(self.last_id);
        let path = path.to_path_buf();
        self.files.insert(id, Arc::new(OpenFile { fd, path }));
        Ok(id)
    }

    fn close(&mut self, file: FileId) {
        // Closing a large file whose name is gone takes as long as removing it.
        if let Some(open) = self.files.remove(&file)
            && self.removals.is_running()
        {
            self.removals.take(Job::Close(open));
        }
    }

    fn len(&mut self, file: FileId) -> DiskResult<u64> {
        self.with(file, "fstat", file::length)
    }

    fn write(&mut self, file: FileId, bytes: &[u8]) -> DiskResult<usize> {
        if bytes.is_empty() {
            return Ok(0);
        }
        let taken = self.with(file, "write", |fd| file::write(fd, bytes))?;
        if taken == 0 {
            // Not known to happen; taking it for success would make its caller try for ever.
            let path = &self.files[&file].path;
            return Err(at(path, fault("write", libc::EIO)));
        }
        Ok(taken)
    }

    fn read(&mut self, file: FileId, from: u64, into: &mut [u8]) -> DiskResult<usize> {
        let mut got = 0;
        while got < into.len() {
            let next = from.saturating_add(got as u64);
            let rest = &mut into[got..];
            match self.with(file, "pread", |fd| file::read_at(fd, next, rest))? {
                0 => break,
                more => got += more,
            }
        }
        Ok(got)
    }

    fn truncate(&mut self, file: FileId, len: u64) -> DiskResult<()> {
        self.with(file, "ftruncate", |fd| file::truncate(fd, len))
    }

    fn sync(&mut self, file: FileId, what: Sync) -> DiskResult<()> {
        self.with(file, "fsync", |fd| sync_now(fd, what))
    }

    fn start_sync(&mut self, file: FileId, what: Sync) {
        match self.len(file) {
            Ok(len) => {
                let open = Arc::clone(&self.files[&file]);
                self.syncs.take(Job::Sync(worker::Request {
                    file,
                    open,
                    what,
                    len,
                }));
            }
            Err(error) => self.ends.push(Synced {
                file,
                len: 0,
                result: Err(error.fault),
            }),
        }
    }

    fn synced(&mut self) -> Option<Synced> {
        self.ends.pop()
    }

    fn rename(&mut self, from: &Path, to: &Path) -> DiskResult<()> {
        retried(|| file::rename(from, to)).map_err(|fault| at(from, fault))
    }

    fn remove(&mut self, path: &Path) -> DiskResult<()> {
        retried(|| file::unlink(path)).map_err(|fault| at(path, fault))
    }

    fn start_removal(&mut self, path: &Path) {
        // Kept open, it loses no more than its name here.
        let kept = retried(|| file::open(path, file::Purpose::Keep));
        if self.remove(path).is_ok()
            && let Ok(fd) = kept
        {
            let path = path.to_path_buf();
            self.removals
                .take(Job::Close(Arc::new(OpenFile { fd, path })));
        }
    }

    fn sync_folder(&mut self, path: &Path) -> DiskResult<()> {
        let done = retried(|| file::open(path, file::Purpose::Folder))
            .and_then(|folder| retried(|| file::sync_all(folder.as_fd())));
        match done {
            // Some file systems keep no folders that could be synced, and say it like this.
            Err(fault) if fault.op == "fsync" && fault.errno == libc::EINVAL => Ok(()),
            other => other.map_err(|fault| at(path, fault)),
        }
    }

    fn make_folder(&mut self, path: &Path) -> DiskResult<()> {
        match retried(|| file::make_folder(path)) {
            Err(fault) if fault.errno == libc::EEXIST && path.is_dir() => Ok(()),
            other => other.map_err(|fault| at(path, fault)),
        }
    }

    fn names(&mut self, path: &Path) -> DiskResult<Vec<String>> {
        match names_in(path) {
            Ok(names) => Ok(names),
            Err(error) if error.kind() == std::io::ErrorKind::NotFound => Ok(Vec::new()),
            Err(error) => {
                let errno = error.raw_os_error().unwrap_or(libc::EIO);
                Err(at(path, fault("readdir", errno)))
            }
        }
    }
}

/// Names that are no text are left out: nothing of ours has one.
fn names_in(path: &Path) -> std::io::Result<Vec<String>> {
    let mut names = Vec::new();
    for entry in std::fs::read_dir(path)? {
        let entry = entry?;
        if !entry.file_type()?.is_dir()
            && let Ok(name) = entry.file_name().into_string()
        {
            names.push(name);
        }
    }
    Ok(names)
}

fn sync_now(fd: BorrowedFd<'_>, what: Sync) -> Result<(), Fault> {
    match what {
        Sync::Data => file::sync_data(fd),
        Sync::All => file::sync_all(fd),
    }
}

/// Makes the call again for as long as signals cut it short.
fn retried<T>(mut call: impl FnMut() -> Result<T, Fault>) -> Result<T, Fault> {
    loop {
        match call() {
            Err(fault) if sys::interrupted(fault) => {}
            other => return other,
        }
    }
}

fn fault(op: &'static str, errno: i32) -> Fault {
    Fault { op, errno }
}

fn at(path: &Path, fault: Fault) -> DiskError {
    DiskError {
        path: path.to_path_buf(),
        fault,
    }
}

/// The answer about a file that is not open.
fn stranger(id: FileId, op: &'static str) -> DiskError {
    let path = PathBuf::from(format!("(file {} is not open)", id.0));
    at(&path, fault(op, libc::EBADF))
}
