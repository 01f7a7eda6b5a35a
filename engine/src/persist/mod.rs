//! The dataset on disk, as commands and the executor see it: what is kept, what is being saved, when
//! the next save is due, and what clients are refused meanwhile.
//!
//! Shape: [`Persist`] holds the member of the seam ([`crate::seam::persistence`]) that is configured,
//! and at most one save by a child process. The executor hands it the records of each turn and asks
//! what may leave; commands begin and judge saves.
//! Not here: reading what is stored back (`executor::load`), the bytes (`codec`), the files' names and
//! the order in which they are made (the member).

mod content;
mod save;
mod schedule;

pub use save::World;
pub use schedule::Due;

use crate::base::{Micros, Now};
use crate::config::{AppendFsync, Config};
use crate::seam::disk::{DiskError, Open};
use crate::seam::host::ChildFacts;
use crate::seam::persistence::{
    Begin, Format, Fsync, NULL, Part, PersistError, PersistResult, Persistence, PersistenceEntry,
    Progress, Purpose, Role, Save, Settings, SharedDisk, Stored, Trouble,
};
use std::path::PathBuf;

/// Bytes after which a file that is written whole is synced, if that is to be done bit by bit.
const SYNC_BYTES: u64 = 4 << 20;
/// Rows of the table of members that a configuration chooses from.
const SNAPSHOTS_ONLY: &str = "rdb";
const LOG: &str = "aof";
const LOG_ON_SNAPSHOT: &str = "hybrid";

/// What commands pass when persistence is in their way.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub enum Gate {
    /// Whatever is asked.
    #[default]
    Open,
    /// Nothing that changes the dataset: it would not be kept.
    ReadOnly,
    /// Nothing that needs the dataset: it is being loaded.
    Loading,
}

/// How saves of one kind have gone so far.
#[derive(Clone, Debug, Default)]
pub struct Record {
    /// When the last good one ended, in unix seconds.
    pub last_good_unix_secs: u64,
    /// When the last one was begun.
    pub last_try: Option<Micros>,
    /// Why the last one has failed; `None` if it has not.
    pub failure: Option<String>,
    /// Seconds that the last one took.
    pub last_secs: Option<u64>,
    /// Good ones.
    pub count: u64,
    /// Failed ones since the last good one.
    pub failures_in_a_row: u32,
    /// Memory that was copied for the last one, in bytes.
    pub cow_bytes: u64,
}

/// A save that a child is at.
#[derive(Debug)]
pub struct Underway {
    save: Save,
    /// When it began.
    pub since: Micros,
    /// Changes of the dataset that are in it.
    changes: u64,
    /// Keys that it is about.
    pub keys: u64,
    /// What the child has told.
    pub facts: ChildFacts,
}

impl Underway {
    /// What it is for.
    #[must_use]
    pub const fn purpose(&self) -> Purpose {
        self.save.purpose
    }
}

/// How far loading is, for INFO.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub struct Load {
    /// When it began, in unix seconds.
    pub since_unix_secs: u64,
    /// The same on the monotonic clock.
    pub since: Micros,
    /// Bytes in all.
    pub total: u64,
    /// Bytes so far.
    pub loaded: u64,
}

/// The dataset on disk.
#[derive(Debug)]
pub struct Persist {
    members: &'static [PersistenceEntry],
    disk: SharedDisk,
    pid: u32,
    store: Box<dyn Persistence>,
    progress: Progress,
    gate: Gate,
    underway: Option<Underway>,
    /// Changes of the dataset that the last good snapshot has.
    saved_changes: u64,
    /// A snapshot is to be begun as soon as there is no child.
    pub snapshot_scheduled: bool,
    /// So is a rewrite of the log.
    pub rewrite_scheduled: bool,
    /// The log is to be switched on or off at the end of this turn.
    pub switch_scheduled: bool,
    /// Snapshots.
    pub snapshots: Record,
    /// Rewrites of the log.
    pub rewrites: Record,
    /// Loading, while it goes on.
    pub load: Option<Load>,
    /// Keys that the last snapshot loaded had, and those of it that had expired.
    pub last_load: (u64, u64),
    /// How long the last fork stopped the process, in microseconds, and how often there was one.
    pub last_fork_us: u64,
    /// Children ever.
    pub forks: u64,
}

impl Persist {
    /// What `config` describes, of `members`, on `disk`.
    #[must_use]
    pub fn new(
        members: &'static [PersistenceEntry],
        disk: SharedDisk,
        config: &Config,
        pid: u32,
    ) -> Self {
        let row = choose(members, config.persistence.appendonly, config);
        let store = (row.open)(disk.clone(), &settings(config, pid));
        Self {
            members,
            disk,
            pid,
            store,
            progress: Progress {
                released: u64::MAX,
                durable: u64::MAX,
                ..Progress::default()
            },
            gate: Gate::Open,
            underway: None,
            saved_changes: 0,
            snapshot_scheduled: false,
            rewrite_scheduled: false,
            switch_scheduled: false,
            snapshots: Record::default(),
            rewrites: Record::default(),
            load: None,
            last_load: (0, 0),
            last_fork_us: 0,
            forks: 0,
        }
    }

    /// The row of the member.
    #[must_use]
    pub fn name(&self) -> &'static str {
        self.store.name()
    }

    /// Whether the records of every turn are wanted.
    #[must_use]
    pub fn keeps_log(&self) -> bool {
        self.store.keeps_log()
    }

    /// The disk, for reading what is stored.
    #[must_use]
    pub fn disk(&self) -> SharedDisk {
        self.disk.clone()
    }

    /// How far the log is.
    #[must_use]
    pub const fn progress(&self) -> &Progress {
        &self.progress
    }

    /// The save that a child is at.
    #[must_use]
    pub const fn underway(&self) -> Option<&Underway> {
        self.underway.as_ref()
    }

    /// Whether a child is writing a snapshot.
    #[must_use]
    pub fn is_saving_snapshot(&self) -> bool {
        self.underway
            .as_ref()
            .is_some_and(|underway| underway.purpose() == Purpose::Snapshot)
    }

    /// Whether a child is writing a base of the log.
    #[must_use]
    pub fn is_rewriting(&self) -> bool {
        self.underway.is_some() && !self.is_saving_snapshot()
    }

    /// What commands have to pass.
    #[must_use]
    #[inline]
    pub const fn gate(&self) -> Gate {
        self.gate
    }

    /// Changes of the dataset since the last good snapshot, of `changes` ever.
    #[must_use]
    pub const fn unsaved(&self, changes: u64) -> u64 {
        changes.saturating_sub(self.saved_changes)
    }

    /// What is stored; see [`Persistence::stored`].
    ///
    /// # Errors
    /// When it is damaged, incomplete, or cannot be looked at.
    pub fn stored(&mut self) -> PersistResult<Stored> {
        self.store.stored()
    }

    /// The log that is stored, whether one is kept now or not.
    ///
    /// # Errors
    /// As [`Self::stored`].
    pub fn stored_log(&mut self, config: &Config) -> PersistResult<Stored> {
        if self.keeps_log() {
            return self.store.stored();
        }
        let row = choose(self.members, true, config);
        (row.open)(self.disk.clone(), &settings(config, self.pid)).stored()
    }

    /// The snapshot by its own name, if there is one, to be loaded.
    ///
    /// # Errors
    /// What the disk says.
    pub fn snapshot_part(&mut self, config: &Config) -> Result<Vec<Part>, String> {
        let name = config.persistence.dbfilename.to_text();
        let path = folder(config).join(&name);
        let mut disk = self.disk.borrow_mut();
        let file = disk.open(&path, Open::Read);
        let file = file.map_err(|error| error.to_string())?;
        let len = disk.len(file);
        disk.close(file);
        let part = Part {
            path,
            name,
            role: Role::Snapshot,
            len: len.map_err(|error| error.to_string())?,
        };
        Ok(vec![part])
    }

    /// Cuts a stored file that is torn behind `len` bytes.
    ///
    /// # Errors
    /// Those of the disk.
    pub fn cut(&mut self, part: &Part, len: u64) -> PersistResult<()> {
        self.store.cut(part, len)
    }

    /// Begins to keep what changes behind offset `offset` of the feed; `changes` of the dataset have
    /// come from what is stored.
    ///
    /// # Errors
    /// When that is not possible.
    pub fn begin(
        &mut self,
        now: Now,
        offset: u64,
        begin: Begin,
        changes: u64,
    ) -> PersistResult<()> {
        self.store.begin(now, offset, begin)?;
        self.saved_changes = changes;
        self.snapshots.last_good_unix_secs = now.unix_secs();
        self.progress = self.store.advance(now);
        Ok(())
    }

    /// Hands over the records of a turn, which end at offset `end` of the feed.
    pub fn append(&mut self, now: Now, records: &[u8], end: u64) {
        self.store.append(now, records, end);
    }

    /// Moves on what is under way. Returns a line for the log when the log's trouble has begun,
    /// changed or ended.
    pub fn advance(&mut self, now: Now, config: &Config) -> Option<String> {
        let next = self.store.advance(now);
        let before = std::mem::replace(&mut self.progress, next).trouble;
        self.set_gate(config);
        if before.is_none() && self.progress.trouble.is_none() {
            return None;
        }
        self.news(before.as_ref())
    }

    #[cold]
    fn news(&self, before: Option<&Trouble>) -> Option<String> {
        match &self.progress.trouble {
            now if now.as_ref() == before => None,
            Some(Trouble::Write(error)) => Some(format!("Error writing to the AOF file: {error}")),
            Some(Trouble::Sync(error)) => Some(format!(
                "Error syncing the AOF file: {error}. What it has may be lost with the power, so it is \
                 left behind and the log is written anew"
            )),
            None => Some("AOF write error looks solved. The server can write again.".to_owned()),
        }
    }

    /// Takes over what is configured now, except whether there is a log.
    pub fn apply(&mut self, config: &Config) {
        self.store.apply(&settings(config, self.pid));
        self.set_gate(config);
    }

    /// Loading begins or ends.
    pub fn set_loading(&mut self, load: Option<Load>, config: &Config) {
        self.load = load;
        self.set_gate(config);
    }

    fn set_gate(&mut self, config: &Config) {
        self.gate = if self.load.is_some() {
            Gate::Loading
        } else if self.progress.trouble.is_some() || self.refuses_for_snapshot(config) {
            Gate::ReadOnly
        } else {
            Gate::Open
        };
    }

    fn refuses_for_snapshot(&self, config: &Config) -> bool {
        config.persistence.stop_writes_on_bgsave_error
            && !self.points(config).is_empty()
            && self.snapshots.failure.is_some()
    }

    /// What writers are told who are refused.
    #[must_use]
    pub fn refusal(&self) -> String {
        let text = |error: &DiskError, more: &str| {
            let (reason, op, path) = (error.fault.reason(), error.fault.op, error.path.display());
            format!("MISCONF Errors writing to the AOF file: {reason} ({op} of {path}{more})")
        };
        match &self.progress.trouble {
            Some(Trouble::Write(error)) => text(error, ""),
            Some(Trouble::Sync(error)) => text(error, "; the log is being written anew"),
            None => "MISCONF Redis is configured to save RDB snapshots, but it's currently unable to \
                     persist to disk. Commands that may modify the data set are disabled, because this \
                     instance is configured to report errors during writes if RDB snapshotting fails \
                     (stop-writes-on-bgsave-error option). Please check the Redis logs for details about \
                     the RDB error."
                .to_owned(),
        }
    }

    /// Whether a reply may not leave yet that lies behind offset `end` of the feed, of a connection
    /// whose last change ended at `last_write`; if not, until which offset it waits.
    #[must_use]
    #[inline]
    pub fn holds(&self, end: u64, last_write: u64) -> Option<u64> {
        let progress = &self.progress;
        let until = if progress.holds_reads && progress.trouble.is_none() {
            end
        } else {
            last_write
        };
        (until > progress.released).then_some(until)
    }

    /// Begins to keep a log, or ends it, while the dataset is in memory; `offset` is that of the feed.
    /// What was kept so far is closed before; returns why something of a log that ends is lost.
    ///
    /// # Errors
    /// When no log can be begun; everything goes on as before.
    pub fn switch(
        &mut self,
        now: Now,
        offset: u64,
        config: &Config,
    ) -> PersistResult<Option<PersistError>> {
        let lost = self.store.close(now).err();
        let row = choose(self.members, config.persistence.appendonly, config);
        let mut next = (row.open)(self.disk.clone(), &settings(config, self.pid));
        next.begin(now, offset, Begin::Live)?;
        self.store = next;
        self.progress = self.store.advance(now);
        self.set_gate(config);
        Ok(lost)
    }

    /// Writes and syncs everything, for the end of the process.
    ///
    /// # Errors
    /// When something may be lost.
    pub fn close(&mut self, now: Now) -> PersistResult<()> {
        self.store.close(now)?;
        self.progress = self.store.advance(now);
        Ok(())
    }
}

/// The row that `config` means.
fn choose(
    members: &'static [PersistenceEntry],
    keeps_log: bool,
    config: &Config,
) -> &'static PersistenceEntry {
    let name = match (keeps_log, config.persistence.aof_use_rdb_preamble) {
        (false, _) => SNAPSHOTS_ONLY,
        (true, true) => LOG_ON_SNAPSHOT,
        (true, false) => LOG,
    };
    members.iter().find(|row| row.name == name).unwrap_or(&NULL)
}

/// What the seam has to know of `config`.
fn settings(config: &Config, pid: u32) -> Settings {
    let this = &config.persistence;
    let bit_by_bit = |on: bool| on.then_some(SYNC_BYTES);
    Settings {
        dir: folder(config),
        pid,
        snapshot: this.dbfilename.to_text(),
        log: this.appendfilename.to_text(),
        log_folder: this.appenddirname.to_text(),
        fsync: match this.appendfsync {
            AppendFsync::Always => Fsync::Always,
            AppendFsync::EverySec => Fsync::EverySec,
            AppendFsync::No => Fsync::No,
        },
        no_fsync_on_rewrite: this.no_appendfsync_on_rewrite,
        base_format: if this.aof_use_rdb_preamble {
            Format::Rdb
        } else {
            Format::Commands
        },
        timestamps: this.aof_timestamp_enabled,
        checksums: this.aof_checksum,
        keeps_history: this.aof_disable_auto_gc,
        snapshot_sync_bytes: bit_by_bit(this.rdb_save_incremental_fsync),
        base_sync_bytes: bit_by_bit(this.aof_rewrite_incremental_fsync),
    }
}

/// The folder of everything: the process is in it, should its name be no text.
fn folder(config: &Config) -> PathBuf {
    let name = str::from_utf8(config.process.dir.as_bytes());
    PathBuf::from(name.unwrap_or("."))
}
