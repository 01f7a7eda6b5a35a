//! The member that keeps a log of what changes, with a base that is a snapshot or commands.
//!
//! | file | what it does |
//! | --- | --- |
//! | `folder` | the files that count, and the manifest that says so |
//! | `begin` | the log's beginning, at a start and while the server runs |
//! | `stream` | batches to the file's end, and what to do when that fails |
//! | `syncs` | what survives a loss of power |
//! | `saves` | rotation and the base that replaces what is before it |
//!
//! What may wait for the disk are beginnings, ends and rotations; appending never does.

mod begin;
mod folder;
mod saves;
mod stream;
mod syncs;

use super::files::Files;
use super::rdb;
use dovetail_engine::base::Now;
use dovetail_engine::seam::persistence::{
    Begin, Format, Fsync, Part, PersistError, PersistResult, Persistence, Progress, Purpose, Save,
    Settings, Stored, Trouble,
};
pub(super) use folder::{Folder, manifest_of};
use saves::PendingBase;
use stream::Stream;

/// What the row with bases of this format is called.
pub(super) const fn name(base_format: Format) -> &'static str {
    match base_format {
        Format::Commands => "aof",
        Format::Rdb => "hybrid",
    }
}

/// A log that counts from its next base on: it is being switched on, or what is stored may have lost
/// its end.
#[derive(Clone, Copy, Debug)]
struct Live {
    /// Whether its increment can be what follows a base that is begun now.
    is_fresh: bool,
    /// Where the log ends that is before it and that clients were promised, if it is kept apart from
    /// that one.
    apart_from: Option<u64>,
}

/// A log that has begun.
#[derive(Debug)]
struct Running {
    stream: Stream,
    live: Option<Live>,
    /// What lies behind this offset survives nothing before a base is listed for good.
    durable_until: Option<u64>,
    /// Number of the increment that is appended to; none has one while there is no base.
    seq: u64,
    /// Numbers and lengths of the increments before it.
    older: Vec<(u64, u64)>,
    base_len: u64,
    /// The size at the beginning, or behind the last rewrite.
    size_then: u64,
    pending: Option<PendingBase>,
    released: u64,
}

impl Running {
    fn new(stream: Stream, seq: u64) -> Self {
        Self {
            released: stream.end(),
            stream,
            live: None,
            durable_until: None,
            seq,
            older: Vec::new(),
            base_len: 0,
            size_then: 0,
            pending: None,
        }
    }

    fn size(&self) -> u64 {
        let older: u64 = self.older.iter().map(|(_, len)| len).sum();
        self.base_len + older + self.stream.len()
    }

    /// What is as durable as `fsync` asks for now; never less than it was. What is kept apart is lost
    /// with the process.
    fn release(&mut self, configured: Fsync, effective: Fsync) -> u64 {
        let is_lost = self.stream.syncs.failure().is_some();
        let reached = match (configured, effective) {
            (Fsync::Always, Fsync::Always) => self.stream.syncs.synced(),
            (Fsync::Always, _) if is_lost => self.stream.syncs.synced(),
            _ => self.stream.written(),
        };
        let apart_from = self.live.and_then(|live| live.apart_from);
        let reached = reached.min(apart_from.unwrap_or(u64::MAX));
        self.released = self.released.max(reached);
        self.released
    }
}

/// Keeps a log, and snapshots when asked to.
#[derive(Debug)]
pub(super) struct Log {
    files: Files,
    settings: Settings,
    folder: Folder,
    running: Option<Running>,
    /// Files that are being written whole.
    saves: u32,
    /// What was found when that was asked for, and has been loaded.
    found: Option<Vec<Part>>,
}

impl Log {
    pub(super) fn new(files: Files, settings: Settings) -> Self {
        Self {
            folder: Folder::new(files.clone(), &settings),
            files,
            settings,
            running: None,
            saves: 0,
            found: None,
        }
    }

    /// The rule of syncs as it is now.
    fn fsync(&self) -> Fsync {
        if self.saves > 0 && self.settings.no_fsync_on_rewrite {
            Fsync::No
        } else {
            self.settings.fsync
        }
    }

    fn save_ended(&mut self, now: Now) {
        self.saves = self.saves.saturating_sub(1);
        let fsync = self.fsync();
        if let Some(running) = &mut self.running {
            running.stream.sync(now, fsync);
        }
    }
}

impl Persistence for Log {
    fn name(&self) -> &'static str {
        name(self.settings.base_format)
    }

    fn keeps_log(&self) -> bool {
        true
    }

    fn apply(&mut self, settings: &Settings) {
        self.settings = settings.clone();
        if self.running.is_none() {
            self.folder = Folder::new(self.files.clone(), settings);
        }
    }

    fn stored(&mut self) -> PersistResult<Stored> {
        match &mut self.running {
            None => {
                let stored = self.find_stored()?;
                self.found = Some(stored.parts.clone());
                Ok(stored)
            }
            // A log of its own, asked for by a test: everything is to be in its files.
            Some(running) if running.live.is_none() => {
                running.stream.write_out()?;
                let parts = self.folder.parts()?;
                Ok(Stored {
                    parts,
                    notes: Vec::new(),
                })
            }
            Some(_) => Err(PersistError::NothingKept),
        }
    }

    fn cut(&mut self, part: &Part, len: u64) -> PersistResult<()> {
        Ok(self.files.cut(&part.path, len)?)
    }

    fn begin(&mut self, now: Now, offset: u64, begin: Begin) -> PersistResult<()> {
        let running = match begin {
            Begin::Loaded(end) => {
                let running = self.begin_loaded(now, offset, end)?;
                rdb::sweep(&self.files, &self.settings);
                self.folder.sweep_rewrites(self.settings.pid);
                running
            }
            // This process may be at a snapshot.
            Begin::Live => self.begin_live(offset)?,
        };
        self.running = Some(running);
        Ok(())
    }

    fn append(&mut self, now: Now, records: &[u8], end: u64) {
        let fsync = self.fsync();
        let Some(running) = &mut self.running else {
            return;
        };
        if let Some(live) = &mut running.live {
            live.is_fresh = false;
        }
        let stream = &mut running.stream;
        stream.take(now, records, end, &self.settings);
        stream.write(now, fsync);
        stream.sync(now, fsync);
    }

    fn advance(&mut self, now: Now) -> Progress {
        let fsync = self.fsync();
        let Some(running) = &mut self.running else {
            // Nobody waits for a log that has not begun.
            return Progress {
                released: u64::MAX,
                durable: u64::MAX,
                ..Progress::default()
            };
        };
        running.stream.hear(now);
        running.stream.write_again(now, fsync);
        running.stream.sync(now, fsync);
        let released = running.release(self.settings.fsync, fsync);
        let stream = &running.stream;
        let failure = stream.syncs.failure();
        let (delayed, longest_delay) = stream.delays();
        Progress {
            released,
            durable: running.durable_until.unwrap_or(stream.syncs.synced()),
            holds_reads: self.settings.fsync == Fsync::Always,
            trouble: failure
                .cloned()
                .map(Trouble::Sync)
                .or_else(|| stream.failed().cloned().map(Trouble::Write)),
            needs_base: failure.is_some() || running.live.is_some(),
            due: stream.due(fsync),
            size: running.size(),
            base_size: running.size_then,
            buffered: stream.buffered(),
            buffer_memory: stream.buffer_memory(),
            syncs_under_way: u32::from(stream.syncs.running_since().is_some()),
            delayed,
            longest_delay,
        }
    }

    fn begin_save(&mut self, now: Now, purpose: Purpose) -> PersistResult<Save> {
        let save = match purpose {
            Purpose::Snapshot => rdb::save(&self.settings),
            Purpose::Base => self.begin_base(now)?,
        };
        self.saves += 1;
        Ok(save)
    }

    fn finish_save(&mut self, now: Now, save: Save) -> PersistResult<()> {
        let done = match save.purpose {
            Purpose::Snapshot => Ok(()),
            Purpose::Base => self.finish_base(&save),
        };
        self.save_ended(now);
        done
    }

    fn abort_save(&mut self, now: Now, save: Save) {
        self.files.start_removal(&save.temporary);
        if save.purpose == Purpose::Base {
            self.files.start_removal(&save.target);
            if let Some(running) = &mut self.running {
                running.pending = None;
            }
        }
        self.save_ended(now);
    }

    /// A log that has no base yet is given up. Otherwise it could go on.
    fn close(&mut self, now: Now) -> PersistResult<()> {
        let Some(running) = &mut self.running else {
            return Ok(());
        };
        if let Some(live) = &mut running.live
            && live.apart_from.is_none()
        {
            live.is_fresh = false;
            self.files.discard(&self.folder.temporary());
            return Ok(());
        }
        let stream = &mut running.stream;
        stream.hear(now);
        stream.write_now(now)?;
        stream.sync_now();
        stream.hear(now);
        match stream.syncs.failure() {
            Some(error) => Err(PersistError::Disk(error.clone())),
            None => Ok(()),
        }
    }
}
