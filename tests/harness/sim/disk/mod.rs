//! A disk in memory that forgets at a crash, tears writes and fails on demand, from a seed.
//!
//! Shape: a [`SimDisk`] is a handle; its clones are the same disk, so that a server can die and the
//! next one find what it has left. A test keeps one handle and arranges mishaps with it: faults by
//! number or chance, a capacity, a call at which everything ends, the pace of background syncs.
//! Steps: [`SimDisk::tick`] is one; background syncs end by ticks only.

mod faults;
mod image;
mod names;
#[cfg(test)]
mod tests;

pub use faults::Call;
pub use image::Tear;

use dovetail_engine::base::rng::Rng;
use dovetail_engine::seam::disk::{Disk, DiskError, DiskResult, FileId, Open, Sync, Synced};
use dovetail_engine::seam::poller::{Fault, Wake};
use faults::{Faults, Verdict};
use image::{Image, Snapshot, below};
use names::{Names, Node};
use std::cell::RefCell;
use std::collections::{BTreeMap, VecDeque};
use std::fmt;
use std::ops::RangeInclusive;
use std::path::{Path, PathBuf};
use std::rc::Rc;
use std::sync::Arc;

/// A background sync that has not ended.
#[derive(Debug)]
struct Underway {
    file: usize,
    len: u64,
    covered: Snapshot,
    ends_at: u64,
    /// Asked for again meanwhile, with this length.
    again: Option<u64>,
}

#[derive(Debug)]
struct OpenFile {
    path: PathBuf,
    file: usize,
    is_written: bool,
}

/// What has been done so far, for tests that count.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub struct Tally {
    /// Calls of any kind; see [`SimDisk::die_at`].
    pub calls: u64,
    /// Writes that took something.
    pub writes: u64,
    /// Syncs of files that succeeded, in the background or not.
    pub syncs: u64,
    /// Bytes that were taken.
    pub bytes: u64,
    /// Syncs that have failed, of files or folders: something may be lost since.
    pub failed_syncs: u64,
    /// Calls that were made to fail.
    pub faults: u64,
}

struct Platter {
    rng: Rng,
    names: Names,
    images: Vec<Image>,
    open: BTreeMap<FileId, OpenFile>,
    last_id: u64,
    underway: BTreeMap<FileId, Underway>,
    ended: VecDeque<Synced>,
    wake: Option<Arc<dyn Wake>>,
    step: u64,
    sync_steps: RangeInclusive<u64>,
    faults: Faults,
    tears: Vec<Tear>,
    tally: Tally,
}

impl fmt::Debug for Platter {
    fn fmt(&self, out: &mut fmt::Formatter<'_>) -> fmt::Result {
        out.debug_struct("Platter")
            .field("names", &self.names)
            .field("open", &self.open)
            .field("underway", &self.underway)
            .field("step", &self.step)
            .field("tally", &self.tally)
            .finish_non_exhaustive()
    }
}

/// A simulated disk; clones are handles to the same.
#[derive(Clone, Debug)]
pub struct SimDisk(Rc<RefCell<Platter>>);

impl SimDisk {
    /// The folder that is there from the beginning.
    pub const HOME: &str = "/data";

    /// An empty disk whose chances come from `seed`. Writes are whole, nothing fails, crashes tear
    /// at any byte, and background syncs take one to four steps.
    #[must_use]
    pub fn new(seed: u64) -> Self {
        Self(Rc::new(RefCell::new(Platter {
            rng: Rng::new(seed),
            names: Names::with(Path::new(Self::HOME)),
            images: Vec::new(),
            open: BTreeMap::new(),
            last_id: 0,
            underway: BTreeMap::new(),
            ended: VecDeque::new(),
            wake: None,
            step: 0,
            sync_steps: 1..=4,
            faults: Faults::default(),
            tears: vec![Tear::Prefix],
            tally: Tally::default(),
        })))
    }

    /// Whom to wake when a background sync has ended.
    pub fn set_wake(&self, wake: Arc<dyn Wake>) {
        self.0.borrow_mut().wake = Some(wake);
    }

    /// What a loss of power may leave behind the synced bytes; one is drawn for every file.
    ///
    /// # Panics
    /// When there is none to draw from.
    pub fn set_tears(&self, tears: &[Tear]) {
        assert!(!tears.is_empty(), "something is left of every file");
        self.0.borrow_mut().tears = tears.to_vec();
    }

    /// Bytes that all files together may have; `None` is no limit.
    pub fn set_capacity(&self, bytes: Option<u64>) {
        self.0.borrow_mut().faults.capacity = bytes;
    }

    /// Of 256 writes so many take only a part.
    pub fn set_short_writes(&self, of_256: u64) {
        self.0.borrow_mut().faults.short_writes = of_256;
    }

    /// Lets the `nth` call of a kind from now on fail; 1 is the next.
    pub fn fail_nth(&self, call: Call, nth: u64, errno: i32) {
        self.0.borrow_mut().faults.fail_nth(call, nth, errno);
    }

    /// Lets calls of a kind fail, so many of 256; 256 is always, 0 never again.
    pub fn fail_often(&self, call: Call, of_256: u64, errno: i32) {
        self.0.borrow_mut().faults.fail_often(call, of_256, errno);
    }

    /// Lets nothing fail any more, and gives room; says whether an `nth` call was still to come.
    pub fn forgive(&self) -> bool {
        self.0.borrow_mut().faults.forgive()
    }

    /// Ends the machine's life at call number `call` (see [`Tally::calls`]): a write is made in
    /// part, other calls by chance, and none after it does anything, until a crash. `None` is never.
    pub fn die_at(&self, call: Option<u64>) {
        let mut platter = self.0.borrow_mut();
        platter.faults.dies_at = call;
        platter.faults.dies_in = None;
    }

    /// The same at the `nth` call of a kind from now on; 1 is the next.
    pub fn die_in(&self, call: Call, nth: u64) {
        self.0.borrow_mut().faults.dies_in = Some((call, nth));
    }

    /// Whether that call has been made.
    #[must_use]
    pub fn is_dead(&self) -> bool {
        self.0.borrow().faults.is_dead
    }

    /// How many steps a background sync takes, drawn from this range.
    pub fn set_sync_steps(&self, steps: RangeInclusive<u64>) {
        self.0.borrow_mut().sync_steps = steps;
    }

    /// One step: background syncs whose time has come end.
    pub fn tick(&self) {
        let mut platter = self.0.borrow_mut();
        platter.step += 1;
        platter.run_jobs(When::Due);
    }

    /// Ends every background job now.
    pub fn finish(&self) {
        let mut platter = self.0.borrow_mut();
        while platter.has_jobs() {
            platter.run_jobs(When::Now);
        }
    }

    /// The process has gone: its open files and jobs with it, everything written stays.
    pub fn crash_process(&self) {
        let mut platter = self.0.borrow_mut();
        platter.open.clear();
        platter.underway.clear();
        platter.ended.clear();
        platter.wake = None;
        platter.faults.is_dead = false;
        platter.faults.dies_at = None;
        platter.faults.dies_in = None;
    }

    /// The power has gone and come back: what was synced is there, the rest by chance.
    pub fn crash_power(&self) {
        self.crash_process();
        let mut platter = self.0.borrow_mut();
        let Platter {
            rng,
            names,
            images,
            tears,
            ..
        } = &mut *platter;
        names.lose_power(rng);
        for image in images {
            let tear = tears[below(rng, tears.len())];
            image.lose_power(tear, rng);
        }
    }

    /// Bytes that all files together have.
    #[must_use]
    pub fn used(&self) -> u64 {
        self.0.borrow().used()
    }

    /// What has been done so far.
    #[must_use]
    pub fn tally(&self) -> Tally {
        self.0.borrow().tally
    }

    /// The bytes of a file as calls see them, counting as no call.
    #[must_use]
    pub fn peek(&self, path: &Path) -> Option<Vec<u8>> {
        let platter = self.0.borrow();
        match platter.names.get(path)? {
            Node::File(file) => Some(platter.images[file].live.clone()),
            Node::Folder => None,
        }
    }

    /// Bytes of that file which no crash can take, if its name stays.
    #[must_use]
    pub fn peek_durable(&self, path: &Path) -> Option<Vec<u8>> {
        let platter = self.0.borrow();
        match platter.names.get(path)? {
            Node::File(file) => Some(platter.images[file].durable.clone()),
            Node::Folder => None,
        }
    }

    /// Replaces a file, synced name and all, counting as no call: what was there before the test.
    ///
    /// # Panics
    /// When its folder is not there.
    pub fn plant(&self, path: &Path, bytes: &[u8]) {
        let mut platter = self.0.borrow_mut();
        assert!(platter.names.has_folder_of(path), "a folder to plant in");
        let mut image = Image::default();
        image.append(bytes);
        image.end_sync(image.begin_sync());
        platter.images.push(image);
        let node = Node::File(platter.images.len() - 1);
        platter.names.make(path, node);
        let folder = path.parent().expect("a file is in a folder");
        platter.names.sync_folder(folder);
    }
}

/// Which jobs end.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
enum When {
    Due,
    Now,
}

impl Platter {
    fn at<T>(&self, path: &Path, op: &'static str, errno: i32) -> DiskResult<T> {
        Err(DiskError {
            path: path.to_path_buf(),
            fault: Fault { op, errno },
        })
    }

    /// Counts a call; an error if it is to fail.
    fn begin(&mut self, call: Call, path: &Path) -> DiskResult<Verdict> {
        self.tally.calls += 1;
        match self.faults.judge(call, self.tally.calls, &mut self.rng) {
            Verdict::Fails(errno) => {
                self.tally.faults += 1;
                if matches!(call, Call::StartSync | Call::SyncFolder) {
                    self.tally.failed_syncs += 1;
                }
                self.at(path, call.op(), errno)
            }
            other => Ok(other),
        }
    }

    /// Ends a call that has been made at the moment of death.
    fn ended<T>(&self, call: Call, path: &Path, verdict: Verdict, value: T) -> DiskResult<T> {
        if verdict == Verdict::Last {
            return self.at(path, call.op(), libc::EIO);
        }
        Ok(value)
    }

    fn place(&self, id: FileId, call: Call) -> DiskResult<(usize, PathBuf)> {
        match self.open.get(&id) {
            Some(open) => Ok((open.file, open.path.clone())),
            None => self.at(Path::new("(not open)"), call.op(), libc::EBADF),
        }
    }

    fn used(&self) -> u64 {
        let mut files: Vec<usize> = self.names.files().collect();
        files.extend(self.open.values().map(|open| open.file));
        files.sort_unstable();
        files.dedup();
        files
            .into_iter()
            .map(|file| self.images[file].live.len() as u64)
            .sum()
    }

    fn open(&mut self, path: &Path, how: Open) -> DiskResult<FileId> {
        let verdict = self.begin(Call::Open, path)?;
        let file = match (self.names.get(path), how) {
            (Some(Node::Folder), _) => return self.at(path, "open", libc::EISDIR),
            (Some(Node::File(_)), Open::CreateNew) => {
                return self.at(path, "open", libc::EEXIST);
            }
            (Some(Node::File(file)), Open::Create) => {
                self.images[file].truncate(0);
                file
            }
            (Some(Node::File(file)), Open::Read | Open::Append) => file,
            (None, Open::Create | Open::CreateNew) if self.names.has_folder_of(path) => {
                self.images.push(Image::default());
                let file = self.images.len() - 1;
                self.names.make(path, Node::File(file));
                file
            }
            (None, _) => return self.at(path, "open", libc::ENOENT),
        };
        self.last_id += 1;
        let id = FileId(self.last_id);
        let path = path.to_path_buf();
        let is_written = how != Open::Read;
        self.ended(Call::Open, &path, verdict, ())?;
        self.open.insert(
            id,
            OpenFile {
                path,
                file,
                is_written,
            },
        );
        Ok(id)
    }

    fn write(&mut self, id: FileId, bytes: &[u8]) -> DiskResult<usize> {
        let (file, path) = self.place(id, Call::Write)?;
        if !self.open[&id].is_written {
            return self.at(&path, "write", libc::EBADF);
        }
        let verdict = self.begin(Call::Write, &path)?;
        let mut len = bytes.len();
        if let Some(capacity) = self.faults.capacity {
            let room = capacity.saturating_sub(self.used());
            len = len.min(usize::try_from(room).unwrap_or(usize::MAX));
        }
        if len == 0 && !bytes.is_empty() {
            return self.at(&path, "write", libc::ENOSPC);
        }
        if verdict == Verdict::Last {
            len = below(&mut self.rng, len + 1);
        } else if len > 1 && self.rng.below(256) < self.faults.short_writes {
            len = 1 + below(&mut self.rng, len);
        }
        self.images[file].append(&bytes[..len]);
        self.tally.writes += 1;
        self.tally.bytes += len as u64;
        self.ended(Call::Write, &path, verdict, len)
    }

    fn start_sync(&mut self, id: FileId) {
        let Ok((file, path)) = self.place(id, Call::Sync) else {
            return self.end(id, 0, Err(libc::EBADF));
        };
        let len = self.images[file].live.len() as u64;
        match self.begin(Call::StartSync, &path) {
            _ if self.faults.is_dead => return,
            Err(error) => return self.end(id, len, Err(error.fault.errno)),
            Ok(_) => {}
        }
        if let Some(underway) = self.underway.get_mut(&id) {
            underway.again = Some(len);
            return;
        }
        self.launch(id, file, len);
    }

    fn launch(&mut self, id: FileId, file: usize, len: u64) {
        let (least, most) = (*self.sync_steps.start(), *self.sync_steps.end());
        let spread = most.saturating_sub(least).saturating_add(1);
        let steps = least.saturating_add(self.rng.below(spread));
        let underway = Underway {
            file,
            len,
            covered: self.images[file].begin_sync(),
            ends_at: self.step.saturating_add(steps),
            again: None,
        };
        self.underway.insert(id, underway);
    }

    fn end(&mut self, file: FileId, len: u64, result: Result<(), i32>) {
        let op = Call::Sync.op();
        self.ended.push_back(Synced {
            file,
            len,
            result: result.map_err(|errno| Fault { op, errno }),
        });
        if let Some(wake) = &self.wake {
            wake.wake();
        }
    }

    /// Whether something goes on in the background; a dead machine does nothing.
    fn has_jobs(&self) -> bool {
        !(self.faults.is_dead || self.underway.is_empty())
    }

    fn run_jobs(&mut self, when: When) {
        if self.faults.is_dead {
            return;
        }
        let step = self.step;
        let is_due = |underway: &Underway| when == When::Now || underway.ends_at <= step;
        let mut due: Vec<_> = self
            .underway
            .iter()
            .filter(|(_, underway)| is_due(underway))
            .map(|(id, underway)| (underway.ends_at, *id))
            .collect();
        due.sort_unstable();
        for (_, id) in due {
            let Some(done) = self.underway.remove(&id) else {
                continue;
            };
            let result = self.finish_sync(done.file, done.covered);
            self.end(id, done.len, result);
            if let Some(len) = done.again {
                self.launch(id, done.file, len);
            }
        }
    }

    fn finish_sync(&mut self, file: usize, covered: Snapshot) -> Result<(), i32> {
        if let Some(errno) = self.faults.sync_fails(&mut self.rng) {
            self.images[file].fail_sync(&covered);
            self.tally.faults += 1;
            self.tally.failed_syncs += 1;
            return Err(errno);
        }
        self.images[file].end_sync(covered);
        self.tally.syncs += 1;
        Ok(())
    }

    fn sync(&mut self, id: FileId) -> DiskResult<()> {
        let (file, path) = self.place(id, Call::Sync)?;
        let verdict = self.begin(Call::StartSync, &path)?;
        let covered = self.images[file].begin_sync();
        if verdict == Verdict::Last {
            if below(&mut self.rng, 2) == 0 {
                self.images[file].end_sync(covered);
            }
            return self.at(&path, Call::Sync.op(), libc::EIO);
        }
        match self.finish_sync(file, covered) {
            Ok(()) => Ok(()),
            Err(errno) => self.at(&path, Call::Sync.op(), errno),
        }
    }

    fn rename(&mut self, from: &Path, to: &Path) -> DiskResult<()> {
        let verdict = self.begin(Call::Rename, from)?;
        let Some(node) = self.names.get(from) else {
            return self.at(from, "rename", libc::ENOENT);
        };
        if !self.names.has_folder_of(to) {
            return self.at(from, "rename", libc::ENOENT);
        }
        if self.names.get(to) == Some(Node::Folder) {
            return self.at(from, "rename", libc::EISDIR);
        }
        if self.happens(verdict) {
            self.names.rename(from, to, node);
        }
        self.ended(Call::Rename, from, verdict, ())
    }

    fn remove(&mut self, path: &Path) -> DiskResult<()> {
        let verdict = self.begin(Call::Remove, path)?;
        match self.names.get(path) {
            Some(Node::File(_)) => {}
            Some(Node::Folder) => return self.at(path, "unlink", libc::EISDIR),
            None => return self.at(path, "unlink", libc::ENOENT),
        }
        if self.happens(verdict) {
            self.names.remove(path);
        }
        self.ended(Call::Remove, path, verdict, ())
    }

    /// Whether a call takes effect; at the moment of death that is a matter of chance.
    fn happens(&mut self, verdict: Verdict) -> bool {
        verdict != Verdict::Last || below(&mut self.rng, 2) == 0
    }

    fn sync_folder(&mut self, path: &Path) -> DiskResult<()> {
        let verdict = self.begin(Call::SyncFolder, path)?;
        match self.names.get(path) {
            Some(Node::Folder) => {}
            Some(Node::File(_)) => return self.at(path, "open", libc::ENOTDIR),
            None => return self.at(path, "open", libc::ENOENT),
        }
        if self.happens(verdict) {
            self.names.sync_folder(path);
        }
        self.ended(Call::SyncFolder, path, verdict, ())
    }

    fn make_folder(&mut self, path: &Path) -> DiskResult<()> {
        let verdict = self.begin(Call::MakeFolder, path)?;
        match self.names.get(path) {
            Some(Node::Folder) => {}
            Some(Node::File(_)) => return self.at(path, "mkdir", libc::EEXIST),
            None if !self.names.has_folder_of(path) => {
                return self.at(path, "mkdir", libc::ENOENT);
            }
            None => {
                if self.happens(verdict) {
                    self.names.make(path, Node::Folder);
                }
            }
        }
        self.ended(Call::MakeFolder, path, verdict, ())
    }
}

impl Disk for SimDisk {
    fn open(&mut self, path: &Path, how: Open) -> DiskResult<FileId> {
        self.0.borrow_mut().open(path, how)
    }

    fn close(&mut self, file: FileId) {
        self.0.borrow_mut().open.remove(&file);
    }

    fn len(&mut self, id: FileId) -> DiskResult<u64> {
        let mut platter = self.0.borrow_mut();
        let (file, path) = platter.place(id, Call::Length)?;
        platter.begin(Call::Length, &path)?;
        Ok(platter.images[file].live.len() as u64)
    }

    fn write(&mut self, file: FileId, bytes: &[u8]) -> DiskResult<usize> {
        self.0.borrow_mut().write(file, bytes)
    }

    fn read(&mut self, id: FileId, at: u64, into: &mut [u8]) -> DiskResult<usize> {
        let mut platter = self.0.borrow_mut();
        let (file, path) = platter.place(id, Call::Read)?;
        platter.begin(Call::Read, &path)?;
        let at = usize::try_from(at).unwrap_or(usize::MAX);
        let bytes = platter.images[file].live.get(at..).unwrap_or_default();
        let got = bytes.len().min(into.len());
        into[..got].copy_from_slice(&bytes[..got]);
        Ok(got)
    }

    fn truncate(&mut self, id: FileId, len: u64) -> DiskResult<()> {
        let mut platter = self.0.borrow_mut();
        let (file, path) = platter.place(id, Call::Truncate)?;
        let verdict = platter.begin(Call::Truncate, &path)?;
        if !platter.open[&id].is_written {
            return platter.at(&path, "ftruncate", libc::EINVAL);
        }
        let Ok(len) = usize::try_from(len) else {
            return platter.at(&path, "ftruncate", libc::EFBIG);
        };
        if platter.happens(verdict) {
            platter.images[file].truncate(len);
        }
        platter.ended(Call::Truncate, &path, verdict, ())
    }

    fn sync(&mut self, file: FileId, _: Sync) -> DiskResult<()> {
        self.0.borrow_mut().sync(file)
    }

    fn start_sync(&mut self, file: FileId, _: Sync) {
        self.0.borrow_mut().start_sync(file);
    }

    fn synced(&mut self) -> Option<Synced> {
        let mut platter = self.0.borrow_mut();
        if platter.faults.is_dead {
            return None;
        }
        platter.ended.pop_front()
    }

    fn rename(&mut self, from: &Path, to: &Path) -> DiskResult<()> {
        self.0.borrow_mut().rename(from, to)
    }

    fn remove(&mut self, path: &Path) -> DiskResult<()> {
        self.0.borrow_mut().remove(path)
    }

    fn start_removal(&mut self, path: &Path) {
        // That it fails is told to nobody.
        drop(self.0.borrow_mut().remove(path));
    }

    fn sync_folder(&mut self, path: &Path) -> DiskResult<()> {
        self.0.borrow_mut().sync_folder(path)
    }

    fn make_folder(&mut self, path: &Path) -> DiskResult<()> {
        self.0.borrow_mut().make_folder(path)
    }

    fn names(&mut self, path: &Path) -> DiskResult<Vec<String>> {
        let mut platter = self.0.borrow_mut();
        platter.begin(Call::Names, path)?;
        if let Some(Node::File(_)) = platter.names.get(path) {
            return platter.at(path, "readdir", libc::ENOTDIR);
        }
        let files = platter.names.inside(path);
        let name = |(path, node): (&Path, Node)| match node {
            Node::File(_) => path.file_name()?.to_str().map(str::to_owned),
            Node::Folder => None,
        };
        Ok(files.filter_map(name).collect())
    }
}
