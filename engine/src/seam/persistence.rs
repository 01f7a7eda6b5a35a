//! The seam between the engine and how its dataset is kept: snapshots, a log, or both.
//!
//! Shape: at the start the engine reads the files that [`Persistence::stored`] names and then calls
//! [`Persistence::begin`]. While it runs it hands over the records of each turn
//! ([`Persistence::append`]) and asks how far they have come ([`Persistence::advance`]). A file that
//! is written whole (a snapshot, or a log's base) begins with [`Persistence::begin_save`], which says
//! what it is called; the engine has it written by a child or by itself, through a [`Disk`], and
//! says how that ended.
//!
//! What must hold (tested by the conformance suite over every member):
//! 1. *Order.* Records are stored in the order in which they came, whole batches or nothing.
//! 2. *Honesty.* [`Progress::released`] never passes what is as durable as configured; what was
//!    released is there after the process is killed, and after a loss of power if `fsync` is
//!    [`Fsync::Always`].
//! 3. *No gap.* Between any two calls on the disk the stored files make a dataset that had at least
//!    everything released.
//! 4. *No wait.* [`Persistence::append`] and [`Persistence::advance`] never wait for a sync.
//! 5. *Trouble heals.* After a failed write the batch is kept and tried again, later ones behind it;
//!    when a try succeeds, everything goes on. A sync that has failed is not tried again: the file is
//!    left as it is, [`Progress::needs_base`] asks for a new base, and until that is finished
//!    nothing more is released that a loss of power could take under [`Fsync::Always`].
//! 6. *No opinion.* A member does not log, count commands or refuse clients.
//!
//! Units: offsets are those of the engine's feed, bytes since it began.

use super::disk::{Disk, DiskError};
use crate::base::{Micros, Now};
use std::cell::RefCell;
use std::fmt;
use std::path::PathBuf;
use std::rc::Rc;

/// A disk that the engine and its persistence use by turns.
pub type SharedDisk = Rc<RefCell<dyn Disk>>;

/// When the log is made safe against a loss of power.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Fsync {
    /// Before a reply leaves.
    Always,
    /// Once a second.
    EverySec,
    /// When the system likes.
    No,
}

/// How a file that is written whole looks.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Format {
    /// A snapshot in RDB.
    Rdb,
    /// Commands that make the dataset.
    Commands,
}

/// What is configured.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Settings {
    /// The folder of everything, an absolute path.
    pub dir: PathBuf,
    /// The process, whose number is part of unfinished files' names.
    pub pid: u32,
    /// The snapshot's name in `dir`.
    pub snapshot: String,
    /// First part of the names of the log's files.
    pub log: String,
    /// The log's folder in `dir`.
    pub log_folder: String,
    /// When the log is synced.
    pub fsync: Fsync,
    /// Whether it is not, while a file is written whole.
    pub no_fsync_on_rewrite: bool,
    /// How a log's base is written.
    pub base_format: Format,
    /// Whether the log has the time in it.
    pub timestamps: bool,
    /// Whether each batch of the log ends with a checksum.
    pub checksums: bool,
    /// Whether files that a rewrite has replaced stay.
    pub keeps_history: bool,
    /// A snapshot is synced each time when so many bytes have been written.
    pub snapshot_sync_bytes: Option<u64>,
    /// The same of a log's base.
    pub base_sync_bytes: Option<u64>,
}

/// What a stored file may contain.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Role {
    /// A snapshot and nothing else.
    Snapshot,
    /// A snapshot, commands, or commands behind a snapshot: its first bytes tell.
    Base,
    /// Commands.
    Increment,
}

/// A stored file, to be loaded.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Part {
    /// Where it is.
    pub path: PathBuf,
    /// Its name, for errors and the log.
    pub name: String,
    /// What it may contain.
    pub role: Role,
    /// Its length in bytes.
    pub len: u64,
}

/// What is stored.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct Stored {
    /// The files, in the order in which they are loaded; none if there is nothing.
    pub parts: Vec<Part>,
    /// What the operator should hear of it, a sentence each.
    pub notes: Vec<String>,
}

/// How the last file that was loaded ends, for who writes on.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub struct LogEnd {
    /// Its length.
    pub len: u64,
    /// The checksum of its last seal, zero without one.
    pub seal: u64,
    /// Whether nothing stands behind that seal.
    pub is_sealed: bool,
}

/// Where a member begins to keep what changes.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Begin {
    /// Behind what was stored and has been loaded.
    Loaded(LogEnd),
    /// With a dataset that is in memory only: what is stored so far stays as it is until a base of
    /// it has been finished.
    Live,
}

/// What a file is written whole for.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Purpose {
    /// A snapshot by its own name.
    Snapshot,
    /// The log's base, with everything that was appended before.
    Base,
}

/// A file that is being written whole.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Save {
    /// What for.
    pub purpose: Purpose,
    /// How it looks.
    pub format: Format,
    /// What it is called while it is written.
    pub temporary: PathBuf,
    /// What its writer calls it when it is whole and safe.
    pub target: PathBuf,
    /// It is synced each time when so many bytes have been written, so that the end is quick.
    pub sync_bytes: Option<u64>,
}

/// How far the log has come.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct Progress {
    /// Replies to what lies before this offset may leave.
    pub released: u64,
    /// Everything before this offset survives a loss of power.
    pub durable: u64,
    /// Whether replies that changed nothing wait for `released` as well: they may show what a loss
    /// of power would take back.
    pub holds_reads: bool,
    /// Why nothing is written now; writers are refused with it.
    pub trouble: Option<Trouble>,
    /// A new base is needed: a sync has failed, or what is stored is of no use.
    pub needs_base: bool,
    /// When [`Persistence::advance`] has something to do, whatever happens before.
    pub due: Option<Micros>,
    /// Bytes of all files of the log.
    pub size: u64,
    /// Bytes of them right behind the last rewrite, or at the start.
    pub base_size: u64,
    /// Bytes that wait to be written.
    pub buffered: usize,
    /// Bytes of memory that are kept for them, full or not.
    pub buffer_memory: usize,
    /// Syncs that somebody else is at.
    pub syncs_under_way: u32,
    /// Times when a write has waited for a sync for as long as it may.
    pub delayed: u64,
    /// The longest that a batch has waited to be written.
    pub longest_delay: Micros,
}

/// What stops the log.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum Trouble {
    /// A write has failed, and is tried again.
    Write(DiskError),
    /// A sync has failed, and a new base must be written.
    Sync(DiskError),
}

impl Trouble {
    /// What failed.
    #[must_use]
    pub const fn error(&self) -> &DiskError {
        match self {
            Self::Write(error) | Self::Sync(error) => error,
        }
    }
}

impl fmt::Display for Trouble {
    fn fmt(&self, out: &mut fmt::Formatter<'_>) -> fmt::Result {
        self.error().fmt(out)
    }
}

/// Why something stored cannot be used or kept.
#[derive(Clone, Debug, PartialEq, Eq)]
#[non_exhaustive]
pub enum PersistError {
    /// The disk says so.
    Disk(DiskError),
    /// A manifest that is not believed: its path, and what is wrong with it.
    Manifest(PathBuf, String),
    /// A manifest names a file that is not there: its path.
    Missing(PathBuf),
    /// There are files of a log and no manifest: the folder, and the name of one of them.
    NoManifest(PathBuf, String),
    /// A file has fewer bytes than when the log went on in the next one: its path, and how many it
    /// had.
    Short(PathBuf, u64),
    /// A file has another length than when it was loaded: its path.
    Changed(PathBuf),
    /// There is no disk, or nothing on it is kept.
    NothingKept,
}

impl From<DiskError> for PersistError {
    fn from(error: DiskError) -> Self {
        Self::Disk(error)
    }
}

impl fmt::Display for PersistError {
    fn fmt(&self, out: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Self::Disk(error) => error.fmt(out),
            Self::Manifest(path, flaw) => {
                write!(out, "the manifest {} is unusable: {flaw}", path.display())
            }
            Self::Missing(path) => write!(
                out,
                "the manifest names {}, which is not there: No such file or directory",
                path.display()
            ),
            Self::NoManifest(folder, name) => write!(
                out,
                "{} has files of an append-only log ({name}) and no manifest; put the manifest \
                 back, or move these files away to begin anew",
                folder.display()
            ),
            Self::Short(path, bytes) => write!(
                out,
                "{} has lost its end: it had {bytes} bytes when the log went on behind it",
                path.display()
            ),
            Self::Changed(path) => {
                write!(out, "{} has changed since it was loaded", path.display())
            }
            Self::NothingKept => out.write_str("nothing is kept on a disk here"),
        }
    }
}

impl std::error::Error for PersistError {}

/// What persistence answers.
pub type PersistResult<T> = Result<T, PersistError>;

/// Keeps a dataset.
pub trait Persistence: fmt::Debug {
    /// The name of its row.
    fn name(&self) -> &'static str;
    /// Whether it wants the records of every turn.
    fn keeps_log(&self) -> bool;
    /// Takes over what is configured now. Names and folder of a log that has begun stay.
    fn apply(&mut self, settings: &Settings);
    /// Finds what is stored. Files of an older layout may be moved to where they belong now; nothing
    /// is lost by that.
    ///
    /// # Errors
    /// When it is damaged, incomplete, or cannot be looked at.
    fn stored(&mut self) -> PersistResult<Stored>;
    /// Cuts a stored file to `len` bytes, for good: behind that it is torn.
    ///
    /// # Errors
    /// Those of the disk.
    fn cut(&mut self, part: &Part, len: u64) -> PersistResult<()>;
    /// Begins to keep what changes from feed offset `offset` on; called once.
    ///
    /// # Errors
    /// When no log can be begun; nothing has changed then that matters.
    fn begin(&mut self, now: Now, offset: u64, begin: Begin) -> PersistResult<()>;
    /// Takes the records of a turn, which end at feed offset `end`, and writes them now if it may.
    fn append(&mut self, now: Now, records: &[u8], end: u64);
    /// Moves on what is under way, and says how far it is. Cheap when nothing has happened.
    fn advance(&mut self, now: Now) -> Progress;
    /// Prepares a file that is written whole; what is appended from now on is not in it. For a base
    /// the log goes on in a new increment.
    ///
    /// # Errors
    /// When that cannot be prepared; everything goes on as before.
    fn begin_save(&mut self, now: Now, purpose: Purpose) -> PersistResult<Save>;
    /// The file has been written, is safe, and has its target's name: takes it over.
    ///
    /// # Errors
    /// When it cannot be taken over; what was stored before is whole, and the file is removed.
    fn finish_save(&mut self, now: Now, save: Save) -> PersistResult<()>;
    /// The file has not been written: removes what there is of it.
    fn abort_save(&mut self, now: Now, save: Save);
    /// Writes and syncs everything, and waits for that: before the process ends, or another member
    /// takes over.
    ///
    /// # Errors
    /// When something may be lost.
    fn close(&mut self, now: Now) -> PersistResult<()>;
}

/// A member by its name.
#[derive(Clone, Copy, Debug)]
pub struct PersistenceEntry {
    /// What it is called.
    pub name: &'static str,
    /// Makes one that has not begun.
    pub open: fn(SharedDisk, &Settings) -> Box<dyn Persistence>,
}

/// Keeps nothing: the null member, for an engine without a disk.
#[derive(Clone, Copy, Debug, Default)]
pub struct NullPersistence;

/// The null member's row.
pub const NULL: PersistenceEntry = PersistenceEntry {
    name: "none",
    open: |_, _| Box::new(NullPersistence),
};

impl Persistence for NullPersistence {
    fn name(&self) -> &'static str {
        NULL.name
    }

    fn keeps_log(&self) -> bool {
        false
    }

    fn apply(&mut self, _settings: &Settings) {}

    fn stored(&mut self) -> PersistResult<Stored> {
        Ok(Stored::default())
    }

    fn cut(&mut self, _part: &Part, _len: u64) -> PersistResult<()> {
        Err(PersistError::NothingKept)
    }

    fn begin(&mut self, _now: Now, _offset: u64, _begin: Begin) -> PersistResult<()> {
        Ok(())
    }

    fn append(&mut self, _now: Now, _records: &[u8], _end: u64) {}

    fn advance(&mut self, _now: Now) -> Progress {
        Progress {
            released: u64::MAX,
            durable: u64::MAX,
            ..Progress::default()
        }
    }

    fn begin_save(&mut self, _now: Now, _purpose: Purpose) -> PersistResult<Save> {
        Err(PersistError::NothingKept)
    }

    fn finish_save(&mut self, _now: Now, _save: Save) -> PersistResult<()> {
        Err(PersistError::NothingKept)
    }

    fn abort_save(&mut self, _now: Now, _save: Save) {}

    fn close(&mut self, _now: Now) -> PersistResult<()> {
        Ok(())
    }
}
