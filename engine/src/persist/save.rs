//! Files that are written whole: in place, or by a child while everything goes on.

use super::content::{Manner, write_file};
use super::{Persist, Record, Underway};
use crate::base::Now;
use crate::codec::rdb::{Compression, Options, Summing};
use crate::config::Config;
use crate::keyspace::Keyspace;
use crate::seam::host::{ChildEnd, ChildFacts, Host, LogLevel, Teller};
use crate::seam::persistence::{Purpose, Save};

/// What a save is about, and what it needs.
pub struct World<'w> {
    /// The dataset.
    pub keyspace: &'w mut Keyspace,
    /// What is configured.
    pub config: &'w Config,
    /// The process.
    pub host: &'w mut dyn Host,
    /// The present.
    pub now: Now,
}

impl std::fmt::Debug for World<'_> {
    fn fmt(&self, out: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        out.debug_struct("World")
            .field("now", &self.now)
            .finish_non_exhaustive()
    }
}

impl World<'_> {
    fn manner(&mut self) -> Manner {
        let this = &self.config.persistence;
        Manner {
            options: Options {
                compression: match this.rdbcompression {
                    true => Compression::On,
                    false => Compression::Off,
                },
                summing: match this.rdbchecksum {
                    true => Summing::On,
                    false => Summing::Off,
                },
            },
            unix_secs: self.now.unix_secs(),
            used_memory: self
                .host
                .used_memory()
                .saturating_sub(self.keyspace.idle_memory()),
            policy: self.config.memory.maxmemory_policy,
            timestamps: this.aof_timestamp_enabled,
            key_delay_us: self.config.lab.rdb_key_save_delay_us,
        }
    }

    fn log(&mut self, level: LogLevel, line: &str) {
        self.host.log(level, line);
    }

    fn keys(&self) -> u64 {
        self.keyspace.iter().map(|db| db.len() as u64).sum()
    }
}

/// Hears of a save in place: the pauses are the whole server's.
struct InPlace<'h>(&'h mut dyn Host);

impl Teller for InPlace<'_> {
    fn written(&mut self, _keys: u64) {}

    fn pause(&mut self, micros: u64) {
        self.0.sleep(micros);
    }
}

impl Persist {
    fn record(&mut self, purpose: Purpose) -> &mut Record {
        match purpose {
            Purpose::Snapshot => &mut self.snapshots,
            Purpose::Base => &mut self.rewrites,
        }
    }

    /// Writes a snapshot here and now.
    ///
    /// # Errors
    /// Why that has failed, which the log has been told as well; an older one is whole.
    pub fn save_here(&mut self, world: &mut World<'_>) -> Result<(), String> {
        let began = world.now.monotonic;
        self.snapshots.last_try = Some(began);
        let done = self.try_here(world);
        match &done {
            Ok(()) => {
                world.log(LogLevel::Notice, "DB saved on disk");
                self.saved_changes = world.keyspace.changes();
                self.note(Purpose::Snapshot, world.now, 0);
            }
            Err(why) => {
                world.log(LogLevel::Warning, &format!("Error saving the DB: {why}"));
                self.fail(Purpose::Snapshot, why.clone());
            }
        }
        self.set_gate(world.config);
        done
    }

    fn try_here(&mut self, world: &mut World<'_>) -> Result<(), String> {
        let save = self.store.begin_save(world.now, Purpose::Snapshot);
        let save = save.map_err(|error| error.to_string())?;
        let manner = world.manner();
        let mut teller = InPlace(world.host);
        let disk = self.disk();
        let written = {
            // The member uses it as well, afterwards.
            let disk = &mut *disk.borrow_mut();
            write_file(disk, &save, world.keyspace, &manner, &mut teller)
        };
        if let Err(error) = written {
            self.store.abort_save(world.now, save);
            return Err(error.to_string());
        }
        let taken = self.store.finish_save(world.now, save);
        taken.map_err(|error| error.to_string())
    }

    /// Has a child write a file whole. For [`Purpose::Base`] whatever was recorded so far has been
    /// handed over, and what comes next begins with selecting its database.
    ///
    /// # Errors
    /// Why there is no child, which the log has been told as well.
    pub fn start(&mut self, purpose: Purpose, world: &mut World<'_>) -> Result<(), String> {
        let began = world.now.monotonic;
        self.record(purpose).last_try = Some(began);
        let started = self.try_start(purpose, world);
        match &started {
            Ok(pid) => {
                let what = match purpose {
                    Purpose::Snapshot => "Background saving",
                    Purpose::Base => "Background append only file rewriting",
                };
                world.log(LogLevel::Notice, &format!("{what} started by pid {pid}"));
            }
            Err(why) => {
                let what = match purpose {
                    Purpose::Snapshot => "Can't save in background",
                    Purpose::Base => "Can't rewrite append only file in background",
                };
                world.log(LogLevel::Warning, &format!("{what}: {why}"));
                self.fail(purpose, why.clone());
            }
        }
        // Whether the log goes on well is known by now: what comes next in this turn is refused if not.
        if let Some(line) = self.advance(world.now, world.config) {
            world.log(LogLevel::Warning, &line);
        }
        started.map(drop)
    }

    fn try_start(&mut self, purpose: Purpose, world: &mut World<'_>) -> Result<u32, String> {
        match purpose {
            Purpose::Snapshot => self.snapshot_scheduled = false,
            Purpose::Base => self.rewrite_scheduled = false,
        }
        let save = self.store.begin_save(world.now, purpose);
        let save: Save = save.map_err(|error| error.to_string())?;
        let manner = world.manner();
        let keyspace = &mut *world.keyspace;
        let forked = world.host.fork(&mut |disk, teller| {
            let written = write_file(disk, &save, keyspace, &manner, teller);
            written.map(drop).map_err(|error| error.to_string())
        });
        let (stopped_us, pid) = match forked {
            Ok(forked) => forked,
            Err(refusal) => {
                self.store.abort_save(world.now, save);
                return Err(refusal.to_string());
            }
        };
        self.forks += 1;
        self.last_fork_us = stopped_us;
        self.underway = Some(Underway {
            save,
            since: world.now.monotonic,
            changes: world.keyspace.changes(),
            keys: world.keys(),
            facts: ChildFacts::default(),
        });
        Ok(pid)
    }

    /// Looks after the child, if there is one.
    pub fn look_after_child(&mut self, world: &mut World<'_>) {
        if self.underway.is_none() {
            return;
        }
        let (facts, end) = world.host.child();
        if let Some(underway) = &mut self.underway {
            underway.facts = facts;
        }
        if let Some(end) = end
            && let Some(underway) = self.underway.take()
        {
            self.end(underway, &end, world);
        }
    }

    /// The child has ended: its file is taken over or thrown away.
    fn end(&mut self, underway: Underway, end: &ChildEnd, world: &mut World<'_>) {
        let Underway {
            save,
            since,
            changes,
            facts,
            ..
        } = underway;
        let purpose = save.purpose;
        self.record(purpose).last_secs = Some(world.now.monotonic.minus(since).as_secs());
        self.record(purpose).cow_bytes = facts.cow_bytes[1];
        let what = match purpose {
            Purpose::Snapshot => "Background saving",
            Purpose::Base => "Background AOF rewrite",
        };
        let failure = match end {
            ChildEnd::Done => match self.store.finish_save(world.now, save) {
                Ok(()) => None,
                Err(error) => Some(error.to_string()),
            },
            ChildEnd::Failed(why) => {
                self.store.abort_save(world.now, save);
                Some(why.clone())
            }
            ChildEnd::Killed(signal) => {
                self.store.abort_save(world.now, save);
                let line = format!("{what} terminated by signal {signal}");
                world.log(LogLevel::Warning, &line);
                Some(format!("the child was killed by signal {signal}"))
            }
        };
        if let Some(why) = failure {
            if !matches!(end, ChildEnd::Killed(_)) {
                let line = match purpose {
                    Purpose::Snapshot => format!("Background saving error: {why}"),
                    Purpose::Base => format!("Background AOF rewrite terminated with error: {why}"),
                };
                world.log(LogLevel::Warning, &line);
            }
            self.fail(purpose, why);
        } else {
            if purpose == Purpose::Snapshot {
                self.saved_changes = changes;
                world.log(LogLevel::Notice, "DB saved on disk");
            }
            let megabytes = facts.cow_bytes[1] >> 20;
            let line = format!("{what}: {megabytes} MB of memory used by copy-on-write");
            world.log(LogLevel::Notice, &line);
            let line = format!("{what} terminated with success");
            world.log(LogLevel::Notice, &line);
            if purpose == Purpose::Base {
                let line = "Background AOF rewrite finished successfully";
                world.log(LogLevel::Notice, line);
            }
            self.note(purpose, world.now, facts.cow_bytes[1]);
        }
        if let Some(line) = self.advance(world.now, world.config) {
            world.log(LogLevel::Warning, &line);
        }
    }

    fn note(&mut self, purpose: Purpose, now: Now, cow_bytes: u64) {
        let record = self.record(purpose);
        record.last_good_unix_secs = now.unix_secs();
        record.failure = None;
        record.failures_in_a_row = 0;
        record.count += 1;
        record.cow_bytes = cow_bytes;
    }

    fn fail(&mut self, purpose: Purpose, why: String) {
        let record = self.record(purpose);
        record.failure = Some(why);
        record.failures_in_a_row = record.failures_in_a_row.saturating_add(1);
    }

    /// Ends the child, if there is one; its file is thrown away.
    pub fn kill_child(&mut self, world: &mut World<'_>) {
        if let Some(underway) = self.underway.take() {
            world.host.kill_child();
            self.store.abort_save(world.now, underway.save);
        }
    }

    /// Ends a snapshot under way: what it is about is gone.
    pub fn kill_snapshot(&mut self, world: &mut World<'_>) {
        self.kill(Purpose::Snapshot, world);
    }

    /// Ends a rewrite under way: there is no log any more.
    pub fn kill_rewrite(&mut self, world: &mut World<'_>) {
        self.rewrite_scheduled = false;
        self.kill(Purpose::Base, world);
    }

    fn kill(&mut self, purpose: Purpose, world: &mut World<'_>) {
        let is_it = |underway: &Underway| underway.purpose() == purpose;
        if self.underway.as_ref().is_some_and(is_it) {
            self.kill_child(world);
        }
    }
}
