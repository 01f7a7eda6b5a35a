//! Loading what is stored, a slice a turn, while clients are told that it is being loaded.
//!
//! Shape: [`Loading`] goes through the files that persistence names: a snapshot is read in batches of
//! keys ([`snapshot`]), a log command by command ([`log`]). While this goes on no deadline passes, so
//! that commands of the log find what they found when they were recorded.
//! Invariant: what cannot be loaded whole is not served: the engine ends with the reason.

mod log;
mod snapshot;
mod source;

use super::persist::NOBODY;
use super::turn::Shutdown;
use super::{Engine, Runner};
use crate::base::{ConnId, DbIndex, Now};
use crate::codec::rdb;
use crate::command::CmdError;
use crate::command::ctx::Reload;
use crate::conn::{Conn, SessionFlags};
use crate::keyspace::EventClasses;
use crate::persist::Load;
use crate::resp::ReplyBuf;
use crate::seam::host::LogLevel;
use crate::seam::machine::Outbox;
use crate::seam::persistence::{Begin, LogEnd, Part, Role};
use crate::seam::poller::{Arrival, Endpoint};
use log::LogPart;
use snapshot::SnapshotPart;
use source::PartSource;

/// In whose name commands of the log run.
const LOADER: ConnId = ConnId {
    slot: u32::MAX - 1,
    generation: u32::MAX,
};

/// A file that is being read.
enum Reading {
    Snapshot(Box<SnapshotPart>),
    Log(Box<LogPart>),
}

/// How far a slice has come.
enum Slice {
    /// There is more of the file.
    More,
    /// The next is read like this: what lies behind a snapshot.
    Then(Reading),
    /// The file is at its end.
    Done,
}

/// Loading under way.
pub(super) struct Loading {
    parts: Vec<Part>,
    /// The part that is read, and how.
    index: usize,
    reading: Option<Reading>,
    /// Bytes of the parts before.
    before: u64,
    begun: Now,
    notify: EventClasses,
    keys: u64,
    expired: u64,
    skipped: u64,
    commands: u64,
    failed: u64,
    /// How the last log that was read ends.
    end: LogEnd,
    /// Whether persistence begins behind what is loaded; it has, when a running server reloads.
    is_start: bool,
}

impl std::fmt::Debug for Loading {
    fn fmt(&self, out: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        out.debug_struct("Loading")
            .field("parts", &self.parts)
            .field("index", &self.index)
            .finish_non_exhaustive()
    }
}

/// Why loading has failed, a sentence for the log.
type Loaded<T> = Result<T, String>;

impl Engine {
    /// Why the engine has ended, if that was for something that has gone wrong.
    #[must_use]
    pub fn failure(&self) -> Option<&str> {
        match &self.shutdown {
            Shutdown::Failed(why) => Some(why),
            _ => None,
        }
    }

    /// The first turn: looks at what is stored.
    pub(super) fn begin_loading(&mut self, now: Now) {
        let stored = match self.persist.stored() {
            Ok(stored) => stored,
            Err(error) => return self.fail_loading(error.to_string()),
        };
        for note in &stored.notes {
            self.host.log(LogLevel::Warning, note);
        }
        let mut loading = self.new_loading(now, stored.parts, true);
        if loading.parts.is_empty() {
            self.finish_loading(now, &loading);
            return;
        }
        match self.open_part(&mut loading) {
            Ok(()) => self.loading = Some(loading),
            Err(why) => self.fail_loading(why),
        }
    }

    fn new_loading(&mut self, now: Now, parts: Vec<Part>, is_start: bool) -> Box<Loading> {
        let total = parts.iter().map(|part| part.len).sum();
        let load = Load {
            since_unix_secs: now.unix_secs(),
            since: now.monotonic,
            total,
            loaded: 0,
        };
        self.persist.set_loading(Some(load), &self.config);
        self.keyspace.hold_deadlines(true);
        let notify = std::mem::take(&mut self.keyspace.notify);
        let here = Endpoint::Unix(String::new());
        let arrival = Arrival {
            peer: here.clone(),
            local: here,
            descriptor: -1,
        };
        let conn = Conn::new(LOADER, 0, arrival, now.monotonic);
        self.clients.set_apart(Box::new(conn));
        Box::new(Loading {
            parts,
            index: 0,
            reading: None,
            before: 0,
            begun: now,
            notify,
            keys: 0,
            expired: 0,
            skipped: 0,
            commands: 0,
            failed: 0,
            end: LogEnd::default(),
            is_start,
        })
    }

    /// Opens the present part.
    fn open_part(&mut self, loading: &mut Loading) -> Loaded<()> {
        let part = &loading.parts[loading.index];
        if part.role == Role::Base && part.len == 0 && part.name.ends_with(".rdb") {
            return Err(format!(
                "{} is empty, at byte 0: the base of a log that is a snapshot never is",
                part.name
            ));
        }
        let mut source = PartSource::open(self.persist.disk(), &part.path)?;
        let is_snapshot = match part.role {
            Role::Snapshot => true,
            Role::Increment => false,
            Role::Base => source.begins_with_snapshot()?,
        };
        loading.reading = Some(if is_snapshot {
            let rules = self.rules();
            Reading::Snapshot(Box::new(SnapshotPart::new(source, rules)))
        } else {
            let limit = self.config.limits.proto_max_bulk_len;
            Reading::Log(Box::new(LogPart::new(source, limit)))
        });
        Ok(())
    }

    fn rules(&self) -> rdb::Rules {
        rdb::Rules {
            limits: crate::value::restore::Limits::of(
                &self.config.encodings,
                self.keyspace.hasher(),
            ),
            verify: match self.config.persistence.rdbchecksum {
                true => rdb::Verify::Yes,
                false => rdb::Verify::No,
            },
            batch: match self.config.lab.key_load_delay_us {
                0 => snapshot::KEYS_PER_BATCH,
                // So that others are heard between two pauses.
                _ => 1,
            },
        }
    }

    /// Loads this turn's slice.
    pub(super) fn go_on_loading(&mut self, now: Now) {
        let Some(mut loading) = self.loading.take() else {
            return;
        };
        match self.load_slice(now, &mut loading) {
            Ok(true) => self.finish_loading(now, &loading),
            Ok(false) => self.loading = Some(loading),
            Err(why) => self.fail_loading(why),
        }
    }

    /// Reads some of the present part, and opens the next one at its end. Returns whether everything
    /// has been loaded.
    fn load_slice(&mut self, now: Now, loading: &mut Loading) -> Loaded<bool> {
        let budget = u64::from(self.config.lab.loading_process_events_interval_bytes);
        let Some(mut reading) = loading.reading.take() else {
            return Ok(true);
        };
        let (slice, offset) = match &mut reading {
            Reading::Snapshot(part) => (self.load_keys(loading, part, budget)?, part.offset()),
            Reading::Log(part) => (
                self.load_commands(now, loading, part, budget)?,
                part.offset(),
            ),
        };
        if let Some(load) = &mut self.persist.load {
            load.loaded = loading.before + offset;
        }
        match slice {
            Slice::More => loading.reading = Some(reading),
            Slice::Then(next) => loading.reading = Some(next),
            Slice::Done => {
                self.tell_part(now, loading);
                loading.before += loading.parts[loading.index].len;
                loading.index += 1;
                if loading.index == loading.parts.len() {
                    return Ok(true);
                }
                self.open_part(loading)?;
            }
        }
        Ok(false)
    }

    fn tell_part(&mut self, now: Now, loading: &Loading) {
        let part = &loading.parts[loading.index];
        let what = match part.role {
            Role::Snapshot => return,
            Role::Base => "base",
            Role::Increment => "incr",
        };
        let secs = seconds(now, loading.begun);
        let line = format!("DB loaded from {what} file {}: {secs} seconds", part.name);
        self.host.log(LogLevel::Notice, &line);
    }

    fn finish_loading(&mut self, now: Now, loading: &Loading) {
        self.end_loading(now, loading);
        if !loading.is_start {
            return;
        }
        let begun = self.persist.begin(
            now,
            self.feed.end(),
            Begin::Loaded(loading.end),
            self.keyspace.changes(),
        );
        if let Err(error) = begun {
            return self.fail_loading(error.to_string());
        }
        let keeps_log = self.persist.keeps_log();
        self.record(keeps_log);
        self.host.ready(&self.config);
    }

    /// Tells what was loaded, and lets time pass again.
    fn end_loading(&mut self, now: Now, loading: &Loading) {
        let secs = seconds(now, loading.begun);
        let mut lines = Vec::new();
        if loading.failed > 0 {
            let (failed, commands) = (loading.failed, loading.commands);
            lines.push((
                LogLevel::Warning,
                format!("{failed} of {commands} commands of the append only file have failed"),
            ));
        }
        if loading.skipped > 0 {
            let line = format!("empty keys skipped: {}", loading.skipped);
            lines.push((LogLevel::Warning, line));
        }
        let is_log = |part: &Part| part.role != Role::Snapshot;
        if let Some(first) = loading.parts.first() {
            let from = if is_log(first) {
                "append only file"
            } else {
                "disk"
            };
            let line = format!("DB loaded from {from}: {secs} seconds");
            lines.push((LogLevel::Notice, line));
        }
        for (level, line) in lines {
            self.host.log(level, &line);
        }
        self.persist.last_load = (loading.keys, loading.expired);
        self.leave_loading(loading.notify);
    }

    fn leave_loading(&mut self, notify: EventClasses) {
        self.loading = None;
        drop(self.clients.remove(LOADER));
        self.keyspace.events.clear();
        self.keyspace.forget_lookups();
        self.keyspace.notify = notify;
        self.keyspace.hold_deadlines(false);
        self.persist.set_loading(None, &self.config);
    }

    fn fail_loading(&mut self, why: String) {
        self.loading = None;
        let why = format!("Fatal error loading the DB, exiting: {why}");
        self.shutdown = Shutdown::Failed(why);
    }

    /// Does what DEBUG RELOAD or DEBUG LOADAOF has asked for, and answers.
    pub(super) fn serve_reload(&mut self, now: Now, out: &mut Outbox) {
        let Some((reload, conn)) = self.reload.take() else {
            return;
        };
        self.log_turn(now);
        let done = self.try_reload(now, reload);
        if self.failure().is_some() {
            return;
        }
        if self.clients.output_of(conn).is_some() {
            let mut output = self.take_output(conn);
            let mut runner = self.lend(now, conn, &mut output);
            match done {
                Ok(()) => runner.ctx.reply.ok(),
                Err(why) => runner.answer_error(&CmdError::text(format!("ERR {why}"))),
            }
            self.return_output(conn, output);
        }
        self.clients.let_go(conn, now.monotonic);
        self.resume(now, conn, out);
    }

    /// Loads everything anew, in one go. What is loaded is in the feed already.
    fn try_reload(&mut self, now: Now, reload: Reload) -> Result<(), String> {
        if reload.saves {
            let mut unused = ReplyBuf::new();
            let mut runner = self.lend(now, NOBODY, &mut unused);
            let (persist, mut world) = runner.ctx.saving();
            // Two that write a snapshot would write into the same file.
            persist.kill_snapshot(&mut world);
            persist.save_here(&mut world)?;
        }
        let parts = if reload.is_log {
            let stored = self.persist.stored_log(&self.config);
            let stored = stored.map_err(|error| error.to_string())?;
            stored.parts
        } else {
            self.persist.snapshot_part(&self.config)?
        };
        for db in 0..self.keyspace.count() {
            self.keyspace.flush(DbIndex(u32::try_from(db).unwrap_or(0)));
        }
        let is_recording = self.feed.is_wanted();
        self.record(false);
        let mut loading = self.new_loading(now, parts, false);
        if !loading.parts.is_empty() {
            let mut done = self.open_part(&mut loading).map(|()| false);
            while done == Ok(false) {
                done = self.load_slice(now, &mut loading);
            }
            if let Err(why) = done {
                self.fail_loading(why.clone());
                return Err(why);
            }
        }
        self.end_loading(now, &loading);
        self.record(is_recording);
        Ok(())
    }
}

impl Runner<'_> {
    /// Has the connection wait until everything has been loaded anew, at the end of this turn.
    pub(super) fn ask_reload(&mut self, reload: Reload) {
        if self.reload.is_some() || !self.ctx.may_block() {
            let text = "ERR the dataset cannot be loaded anew now";
            self.answer_error(&CmdError::fixed(text));
            return;
        }
        let conn = self.ctx.conn;
        self.ctx.session().flags.set(SessionFlags::BLOCKED);
        self.ctx.clients.blocked += 1;
        *self.reload = Some((reload, conn));
    }
}

/// The time since `begun`, as log lines have it.
fn seconds(now: Now, begun: Now) -> String {
    let millis = now.monotonic.minus(begun.monotonic).as_millis();
    format!("{}.{:03}", millis / 1000, millis % 1000)
}
