//! A simulated child: its job's calls on the disk, and how it ends.

use crate::sim::disk::SimDisk;
use dovetail_engine::base::rng::Rng;
use dovetail_engine::seam::disk::{Disk, DiskError, DiskResult, FileId, Open, Sync, Synced};
use dovetail_engine::seam::host::{ChildEnd, ChildFacts, Job, Teller};
use dovetail_engine::seam::poller::Fault;
use std::collections::{BTreeMap, VecDeque};
use std::path::{Path, PathBuf};

/// The signal that ends children here.
const KILL: i32 = libc::SIGKILL;

/// Counts keys.
#[derive(Default)]
struct Keys(u64);

impl Teller for Keys {
    fn written(&mut self, keys: u64) {
        self.0 = keys;
    }

    fn pause(&mut self, _micros: u64) {}
}

/// A call that was noted down.
#[derive(Debug)]
enum Call {
    Open(FileId, PathBuf, Open),
    Write(FileId, Vec<u8>),
    Sync(FileId, Sync),
    Close(FileId),
    Rename(PathBuf, PathBuf),
    Remove(PathBuf),
    SyncFolder(PathBuf),
}

/// A child.
pub(super) struct Child {
    /// What is still to be done, and how much of it in a tick.
    calls: VecDeque<Call>,
    pace: u64,
    /// Calls that it lives to make.
    left: Option<u64>,
    /// The files that it has open, by the numbers that the job knows.
    open: BTreeMap<FileId, FileId>,
    /// Files that it has made and not renamed.
    unfinished: Vec<PathBuf>,
    /// How it has ended, and in how many ticks that is told.
    end: Option<ChildEnd>,
    told_after: u64,
    keys: u64,
}

impl Child {
    /// Runs a job on the disk itself.
    pub(super) fn at_once(
        disk: &mut SimDisk,
        left: Option<u64>,
        told_after: u64,
        job: &mut Job<'_>,
    ) -> Self {
        let mut keys = Keys::default();
        let mut mortal = Mortal {
            disk: disk.clone(),
            left,
        };
        let done = job(&mut mortal, &mut keys);
        let end = match done {
            _ if mortal.left == Some(0) => ChildEnd::Killed(KILL),
            Ok(()) => ChildEnd::Done,
            Err(why) => ChildEnd::Failed(why),
        };
        Self {
            calls: VecDeque::new(),
            pace: 0,
            left: None,
            open: BTreeMap::new(),
            unfinished: Vec::new(),
            end: Some(end),
            told_after,
            keys: keys.0,
        }
    }

    /// Notes a job's calls down, to make at most `pace` of them in a tick.
    pub(super) fn by_and_by(left: Option<u64>, pace: u64, job: &mut Job<'_>) -> Self {
        let mut keys = Keys::default();
        let mut notes = Notes::default();
        job(&mut notes, &mut keys).expect("writing down fails for nobody");
        Self {
            calls: notes.calls.into(),
            pace,
            left,
            open: BTreeMap::new(),
            unfinished: Vec::new(),
            end: None,
            told_after: 0,
            keys: keys.0,
        }
    }

    pub(super) fn facts(&self) -> ChildFacts {
        ChildFacts {
            keys: self.keys,
            ..ChildFacts::default()
        }
    }

    /// How it has ended, when that is to be known.
    pub(super) fn take_end(&mut self) -> Option<ChildEnd> {
        if self.told_after == 0 {
            self.end.take()
        } else {
            None
        }
    }

    pub(super) fn tick(&mut self, disk: &mut SimDisk, rng: &mut Rng) {
        self.told_after = self.told_after.saturating_sub(1);
        if self.end.is_some() || disk.is_dead() {
            return;
        }
        for _ in 0..rng.below(self.pace + 1) {
            match self.step(disk) {
                Ok(true) => {}
                Ok(false) => break,
                Err(error) => {
                    self.clean_up(disk);
                    self.end = Some(ChildEnd::Failed(error.to_string()));
                    break;
                }
            }
        }
    }

    /// Makes a call; false when there is none any more.
    fn step(&mut self, disk: &mut SimDisk) -> DiskResult<bool> {
        if let Some(left) = &mut self.left {
            if *left == 0 {
                self.close_all(disk);
                self.end = Some(ChildEnd::Killed(KILL));
                return Ok(false);
            }
            *left -= 1;
        }
        let Some(call) = self.calls.pop_front() else {
            self.end = Some(ChildEnd::Done);
            return Ok(false);
        };
        match call {
            Call::Open(id, path, how) => {
                let file = disk.open(&path, how)?;
                self.open.insert(id, file);
                self.unfinished.push(path);
            }
            Call::Write(id, mut bytes) => {
                let taken = disk.write(self.open[&id], &bytes)?;
                if taken < bytes.len() {
                    bytes.drain(..taken);
                    self.calls.push_front(Call::Write(id, bytes));
                }
            }
            Call::Sync(id, what) => disk.sync(self.open[&id], what)?,
            Call::Close(id) => {
                if let Some(file) = self.open.remove(&id) {
                    disk.close(file);
                }
            }
            Call::Rename(from, to) => {
                disk.rename(&from, &to)?;
                self.unfinished.retain(|path| *path != from);
            }
            Call::Remove(path) => disk.remove(&path)?,
            Call::SyncFolder(path) => disk.sync_folder(&path)?,
        }
        Ok(true)
    }

    /// What the system does when a process has ended.
    pub(super) fn close_all(&mut self, disk: &mut SimDisk) {
        for file in std::mem::take(&mut self.open).into_values() {
            disk.close(file);
        }
    }

    /// What a job does when one of its calls has failed.
    fn clean_up(&mut self, disk: &mut SimDisk) {
        self.close_all(disk);
        for path in self.unfinished.drain(..) {
            drop(disk.remove(&path));
        }
    }
}

fn refusal<T>(path: &Path, errno: i32) -> DiskResult<T> {
    Err(DiskError {
        path: path.to_path_buf(),
        fault: Fault { op: "child", errno },
    })
}

/// A child's disk that notes down what is asked of it; everything succeeds.
#[derive(Debug, Default)]
struct Notes {
    calls: Vec<Call>,
    files: u64,
}

impl Disk for Notes {
    fn open(&mut self, path: &Path, how: Open) -> DiskResult<FileId> {
        self.files += 1;
        let id = FileId(self.files);
        self.calls.push(Call::Open(id, path.to_path_buf(), how));
        Ok(id)
    }

    fn close(&mut self, file: FileId) {
        self.calls.push(Call::Close(file));
    }

    fn len(&mut self, _file: FileId) -> DiskResult<u64> {
        refusal(Path::new(""), libc::ENOSYS)
    }

    fn write(&mut self, file: FileId, bytes: &[u8]) -> DiskResult<usize> {
        // In two halves, so that something can happen in between.
        let (first, second) = bytes.split_at(bytes.len() / 2);
        for half in [first, second] {
            if !half.is_empty() {
                self.calls.push(Call::Write(file, half.to_vec()));
            }
        }
        Ok(bytes.len())
    }

    fn read(&mut self, _file: FileId, _at: u64, _into: &mut [u8]) -> DiskResult<usize> {
        refusal(Path::new(""), libc::ENOSYS)
    }

    fn truncate(&mut self, _file: FileId, _len: u64) -> DiskResult<()> {
        refusal(Path::new(""), libc::ENOSYS)
    }

    fn sync(&mut self, file: FileId, what: Sync) -> DiskResult<()> {
        self.calls.push(Call::Sync(file, what));
        Ok(())
    }

    fn start_sync(&mut self, _file: FileId, _what: Sync) {}

    fn synced(&mut self) -> Option<Synced> {
        None
    }

    fn rename(&mut self, from: &Path, to: &Path) -> DiskResult<()> {
        let call = Call::Rename(from.to_path_buf(), to.to_path_buf());
        self.calls.push(call);
        Ok(())
    }

    fn remove(&mut self, path: &Path) -> DiskResult<()> {
        self.calls.push(Call::Remove(path.to_path_buf()));
        Ok(())
    }

    fn start_removal(&mut self, _path: &Path) {}

    fn sync_folder(&mut self, path: &Path) -> DiskResult<()> {
        self.calls.push(Call::SyncFolder(path.to_path_buf()));
        Ok(())
    }

    fn make_folder(&mut self, path: &Path) -> DiskResult<()> {
        refusal(path, libc::ENOSYS)
    }

    fn names(&mut self, path: &Path) -> DiskResult<Vec<String>> {
        refusal(path, libc::ENOSYS)
    }
}

/// A child's way to the disk, which ends with its life.
#[derive(Debug)]
struct Mortal {
    disk: SimDisk,
    /// Calls that it lives to make; `None` is any number.
    left: Option<u64>,
}

impl Mortal {
    /// Whether it has made its last call before this one.
    fn is_killed(&mut self) -> bool {
        match &mut self.left {
            Some(0) => true,
            Some(left) => {
                *left -= 1;
                false
            }
            None => false,
        }
    }

    fn call<T>(
        &mut self,
        path: &Path,
        work: impl FnOnce(&mut SimDisk) -> DiskResult<T>,
    ) -> DiskResult<T> {
        if self.is_killed() {
            return refusal(path, libc::EIO);
        }
        work(&mut self.disk)
    }
}

impl Disk for Mortal {
    fn open(&mut self, path: &Path, how: Open) -> DiskResult<FileId> {
        self.call(path, |disk| disk.open(path, how))
    }

    fn close(&mut self, file: FileId) {
        self.disk.close(file);
    }

    fn len(&mut self, file: FileId) -> DiskResult<u64> {
        self.call(Path::new(""), |disk| disk.len(file))
    }

    fn write(&mut self, file: FileId, bytes: &[u8]) -> DiskResult<usize> {
        self.call(Path::new(""), |disk| disk.write(file, bytes))
    }

    fn read(&mut self, file: FileId, at: u64, into: &mut [u8]) -> DiskResult<usize> {
        self.call(Path::new(""), |disk| disk.read(file, at, into))
    }

    fn truncate(&mut self, file: FileId, len: u64) -> DiskResult<()> {
        self.call(Path::new(""), |disk| disk.truncate(file, len))
    }

    fn sync(&mut self, file: FileId, what: Sync) -> DiskResult<()> {
        self.call(Path::new(""), |disk| disk.sync(file, what))
    }

    fn start_sync(&mut self, file: FileId, what: Sync) {
        if !self.is_killed() {
            self.disk.start_sync(file, what);
        }
    }

    fn synced(&mut self) -> Option<Synced> {
        None
    }

    fn rename(&mut self, from: &Path, to: &Path) -> DiskResult<()> {
        self.call(from, |disk| disk.rename(from, to))
    }

    fn remove(&mut self, path: &Path) -> DiskResult<()> {
        self.call(path, |disk| disk.remove(path))
    }

    fn start_removal(&mut self, path: &Path) {
        if !self.is_killed() {
            self.disk.start_removal(path);
        }
    }

    fn sync_folder(&mut self, path: &Path) -> DiskResult<()> {
        self.call(path, |disk| disk.sync_folder(path))
    }

    fn make_folder(&mut self, path: &Path) -> DiskResult<()> {
        self.call(path, |disk| disk.make_folder(path))
    }

    fn names(&mut self, path: &Path) -> DiskResult<Vec<String>> {
        self.call(path, |disk| disk.names(path))
    }
}
