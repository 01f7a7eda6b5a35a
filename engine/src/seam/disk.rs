//! The seam between persistence and the file system: names, bytes, and when bytes are safe.
//!
//! Shape: plain files by path; calls block and are brief, except for syncing, which may take long
//! and therefore also exists as a job that somebody else does ([`Disk::start_sync`]).
//!
//! What must hold (tested by the conformance suite over every member):
//! 1. *Order.* Bytes of one file lie in the order in which they were written.
//! 2. *Live.* What a call has written is there for every later call, and after the process is killed.
//! 3. *Durable.* What was written before a sync that has succeeded began is there after a loss of
//!    power; a name that was made, replaced or removed is so after its folder has been synced.
//!    Everything else may be there, in part or not at all.
//! 4. *Honesty.* A failed sync promises nothing about any byte that it covered, now or later: the
//!    system may have dropped them. It is never tried again as if it could succeed.
//! 5. *No opinion.* A disk does not retry, log or decide; a short write is reported as such.

use super::poller::Fault;
use std::fmt;
use std::path::{Path, PathBuf};

/// An open file, by the number that its disk gave it; numbers are not used again.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub struct FileId(pub u64);

/// What a file is opened for.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Open {
    /// To be read; it is there.
    Read,
    /// To be written at its end; it is there. What is written can also be read.
    Append,
    /// To be written from the start; made, or emptied if it is there.
    Create,
    /// To be written from the start; made, and an error if it is there.
    CreateNew,
}

/// How much of a file a sync covers.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Sync {
    /// Its bytes and what is needed to read them.
    Data,
    /// And everything else that the system keeps about it.
    All,
}

/// A sync that has come to its end.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Synced {
    /// The file.
    pub file: FileId,
    /// Its length when the sync was asked for: all before is safe.
    pub len: u64,
    /// Nothing, or why the bytes may be lost.
    pub result: Result<(), Fault>,
}

/// What failed, and on which file: a sentence for the log.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct DiskError {
    /// The file or folder.
    pub path: PathBuf,
    /// The call and its error number.
    pub fault: Fault,
}

impl fmt::Display for DiskError {
    fn fmt(&self, out: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(out, "{}: {}", self.path.display(), self.fault)
    }
}

impl std::error::Error for DiskError {}

/// What a disk answers.
pub type DiskResult<T> = Result<T, DiskError>;

/// A file system, or the part of one that persistence uses.
pub trait Disk: fmt::Debug {
    /// Opens the file called `path`; new ones may be read and written by the owner, read by others
    /// as the process's mask allows.
    ///
    /// # Errors
    /// Whatever the system says; to read what is a folder, a pipe or a device is one, because a start
    /// would wait for what never comes.
    fn open(&mut self, path: &Path, how: Open) -> DiskResult<FileId>;
    /// Forgets an open file; a sync of it that is under way is still reported.
    fn close(&mut self, file: FileId);
    /// Its length in bytes.
    ///
    /// # Errors
    /// Whatever the system says.
    fn len(&mut self, file: FileId) -> DiskResult<u64>;
    /// Appends `bytes`, or the beginning of them; how many were taken is at least one, unless there
    /// were none.
    ///
    /// # Errors
    /// When nothing was taken: a full disk, say.
    fn write(&mut self, file: FileId, bytes: &[u8]) -> DiskResult<usize>;
    /// Reads from offset `at`; fewer bytes than fit into `into` only at the end of the file, where
    /// it is none.
    ///
    /// # Errors
    /// Whatever the system says.
    fn read(&mut self, file: FileId, at: u64, into: &mut [u8]) -> DiskResult<usize>;
    /// Cuts the file to `len` bytes; what is written next follows them.
    ///
    /// # Errors
    /// Whatever the system says.
    fn truncate(&mut self, file: FileId, len: u64) -> DiskResult<()>;
    /// Makes what was written so far durable, and waits for it.
    ///
    /// # Errors
    /// What may be lost is lost; see the rules.
    fn sync(&mut self, file: FileId, what: Sync) -> DiskResult<()>;
    /// Has somebody else do the same. One sync of a file runs at a time: asked for again meanwhile,
    /// it is done once more after the present one.
    fn start_sync(&mut self, file: FileId, what: Sync);
    /// A sync of [`Self::start_sync`] that has ended, in the order of their ends. The loop is woken
    /// for each. Requests that were folded into one have one end; a file that is not open has one
    /// at once, which has failed.
    fn synced(&mut self) -> Option<Synced>;
    /// Gives `from` the name `to`, in place of what has it, in one step.
    ///
    /// # Errors
    /// Whatever the system says.
    fn rename(&mut self, from: &Path, to: &Path) -> DiskResult<()>;
    /// Removes a file's name.
    ///
    /// # Errors
    /// Whatever the system says; there being no such file is one.
    fn remove(&mut self, path: &Path) -> DiskResult<()>;
    /// Removes a file's name, if it can be, and has the rest done by somebody else: the memory of a
    /// large one takes long to give back. The name is free at once.
    fn start_removal(&mut self, path: &Path);
    /// Makes the names in a folder durable.
    ///
    /// # Errors
    /// Whatever the system says.
    fn sync_folder(&mut self, path: &Path) -> DiskResult<()>;
    /// Makes a folder, if it is not there.
    ///
    /// # Errors
    /// Whatever the system says; a file of that name is one.
    fn make_folder(&mut self, path: &Path) -> DiskResult<()>;
    /// The names of the files in a folder, in no order; none if there is no such folder.
    ///
    /// # Errors
    /// Whatever else the system says.
    fn names(&mut self, path: &Path) -> DiskResult<Vec<String>>;
}

/// No disk at all: whatever is asked of it fails.
#[derive(Clone, Copy, Debug, Default)]
pub struct NullDisk;

impl NullDisk {
    /// "Function not implemented", by its number on Linux.
    const MISSING: i32 = 38;

    fn refusal<T>(path: &Path) -> DiskResult<T> {
        Err(DiskError {
            path: path.to_path_buf(),
            fault: Fault {
                op: "disk",
                errno: Self::MISSING,
            },
        })
    }
}

impl Disk for NullDisk {
    fn open(&mut self, path: &Path, _how: Open) -> DiskResult<FileId> {
        Self::refusal(path)
    }

    fn close(&mut self, _file: FileId) {}

    fn len(&mut self, _file: FileId) -> DiskResult<u64> {
        Self::refusal(Path::new(""))
    }

    fn write(&mut self, _file: FileId, _bytes: &[u8]) -> DiskResult<usize> {
        Self::refusal(Path::new(""))
    }

    fn read(&mut self, _file: FileId, _at: u64, _into: &mut [u8]) -> DiskResult<usize> {
        Self::refusal(Path::new(""))
    }

    fn truncate(&mut self, _file: FileId, _len: u64) -> DiskResult<()> {
        Self::refusal(Path::new(""))
    }

    fn sync(&mut self, _file: FileId, _what: Sync) -> DiskResult<()> {
        Self::refusal(Path::new(""))
    }

    fn start_sync(&mut self, _file: FileId, _what: Sync) {}

    fn synced(&mut self) -> Option<Synced> {
        None
    }

    fn rename(&mut self, from: &Path, _to: &Path) -> DiskResult<()> {
        Self::refusal(from)
    }

    fn remove(&mut self, path: &Path) -> DiskResult<()> {
        Self::refusal(path)
    }

    fn start_removal(&mut self, _path: &Path) {}

    fn sync_folder(&mut self, path: &Path) -> DiskResult<()> {
        Self::refusal(path)
    }

    fn make_folder(&mut self, path: &Path) -> DiskResult<()> {
        Self::refusal(path)
    }

    fn names(&mut self, path: &Path) -> DiskResult<Vec<String>> {
        Self::refusal(path)
    }
}
