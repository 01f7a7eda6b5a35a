//! The dataset on disk: a turn's records are handed over, saves are begun and looked after, replies
//! wait for the log, and the process ends with everything kept.

use super::turn::Shutdown;
use super::{Engine, Runner};
use crate::base::{ConnId, Now};
use crate::command::CmdError;
use crate::command::ctx::{Background, Release};
use crate::config::{Changes, ShutdownOptions};
use crate::conn::SessionFlags;
use crate::resp::ReplyBuf;
use crate::seam::host::LogLevel;
use crate::seam::persistence::Purpose;

/// Nobody's connection.
pub(super) const NOBODY: ConnId = ConnId {
    slot: u32::MAX,
    generation: u32::MAX,
};

impl Engine {
    /// Hands this turn's records to the log, and sees how far that is.
    pub(super) fn log_turn(&mut self, now: Now) {
        if self.feed.is_wanted() && self.suspended.is_none() {
            for (db, key) in self.keyspace.take_removed() {
                self.feed.removed(db, &key);
            }
        }
        if self.loading.is_some() {
            return;
        }
        if !self.persist.keeps_log() {
            // Who has waited for the log waits for nothing any more.
            self.blocked.release_durable(u64::MAX);
            return;
        }
        hand_over(&mut self.feed, &mut self.persist, now);
        let news = self.persist.advance(now, &self.config);
        if let Some(line) = news {
            self.host.log(LogLevel::Warning, &line);
        }
        let durable = self.persist.progress().durable;
        self.blocked.release_durable(durable);
    }

    /// Looks after a save under way, and begins what is due.
    pub(super) fn look_after_saves(&mut self, now: Now) {
        if self.loading.is_some() {
            return;
        }
        let mut unused = ReplyBuf::new();
        let mut runner = self.lend(now, NOBODY, &mut unused);
        let (persist, mut world) = runner.ctx.saving();
        persist.look_after_child(&mut world);
        let changes = world.keyspace.changes();
        if let Some(due) = persist.due(now, changes, world.config) {
            if let Some(why) = &due.why {
                world.host.log(LogLevel::Notice, why);
            }
            // That it fails is told there, and tried again when it is due again.
            drop(runner.start_save(due.purpose));
        }
    }

    /// Sends the replies whose records are as durable as configured.
    pub(super) fn release_held(&mut self, send: &mut dyn FnMut(ConnId, &mut ReplyBuf) -> usize) {
        let progress = self.persist.progress();
        let (released, has_trouble) = (progress.released, progress.trouble.is_some());
        let mut holding = std::mem::take(&mut self.holding);
        holding.retain(|id| {
            let Some(conn) = self.clients.get_mut(*id) else {
                return false;
            };
            let ready = conn.held.release(released, has_trouble);
            let is_over = conn.held.is_empty();
            let flags = conn.session.flags;
            self.clients.weigh(*id);
            if flags.has(SessionFlags::CLOSE_ASAP) {
                return false;
            }
            if !ready.is_empty() {
                self.send_replies(*id, ready, send);
            }
            if is_over && flags.has(SessionFlags::CLOSE_AFTER_REPLY) {
                self.clients.doomed.push(*id);
            }
            !is_over
        });
        self.holding = holding;
    }

    /// Whether replies of this turn may have to wait.
    #[inline]
    pub(super) fn is_behind(&self) -> bool {
        !self.holding.is_empty() || self.persist.progress().released < self.feed.end()
    }

    /// Until when the replies of this connection must wait, if they must.
    pub(super) fn held_until(&self, id: ConnId) -> Option<u64> {
        let conn = self.clients.get(id)?;
        let until = self.persist.holds(self.feed.end(), conn.session.last_write);
        // What is behind something held waits for its turn at least.
        until.or_else(|| (!conn.held.is_empty()).then_some(0))
    }

    /// Keeps this turn's replies of a connection until the log is so far.
    pub(super) fn hold(&mut self, id: ConnId, until: u64) {
        if let Some(conn) = self.clients.get_mut(id) {
            let replies = std::mem::take(&mut conn.output);
            if conn.held.is_empty() {
                self.holding.push(id);
            }
            let own = conn.session.last_write;
            conn.held.push(until, own, replies);
            self.clients.weigh(id);
        }
    }

    /// Whether closing this connection has to wait for replies that are held.
    pub(super) fn is_closing_held(&self, id: ConnId) -> bool {
        let conn = self.clients.get(id);
        conn.is_some_and(|conn| {
            !conn.held.is_empty() || (!conn.output.is_empty() && self.held_until(id).is_some())
        })
    }

    /// Saves what is to be saved before the process ends at the wish of a signal.
    pub(super) fn end_by_signal(&mut self, now: Now, options: ShutdownOptions) {
        let mut unused = ReplyBuf::new();
        let mut runner = self.lend(now, NOBODY, &mut unused);
        if runner.prepare_end(options).is_ok() {
            self.shutdown = Shutdown::Asked(options);
        } else {
            let line =
                "Errors trying to shut down the server. Check the logs for more information.";
            self.host.log(LogLevel::Warning, line);
        }
    }
}

/// Hands whole records over; what is between MULTI and EXEC stays until it is whole.
fn hand_over(feed: &mut crate::command::Feed, persist: &mut crate::persist::Persist, now: Now) {
    if !feed.whole().is_empty() {
        let end = feed.begun() + feed.whole().len() as u64;
        persist.append(now, feed.whole(), end);
        feed.clear();
    }
}

impl Runner<'_> {
    /// Has a child write a file; the log goes on in a new increment if it is its base.
    ///
    /// # Errors
    /// Why not, which the log has been told.
    pub(super) fn start_save(&mut self, purpose: Purpose) -> Result<(), String> {
        hand_over(self.ctx.feed, self.ctx.persist, self.ctx.now);
        let (persist, mut world) = self.ctx.saving();
        let started = persist.start(purpose, &mut world);
        if purpose == Purpose::Base {
            self.ctx.feed.select_again();
        }
        started
    }

    /// BGSAVE and BGREWRITEAOF: answers.
    pub(super) fn begin_background(&mut self, what: Background) {
        let is_executing = self.ctx.session().flags.has(SessionFlags::EXECUTING);
        let under_way = self.ctx.persist.underway().map(|save| save.purpose());
        let persist = &mut self.ctx.persist;
        let answer = match (what, under_way) {
            (Background::Save | Background::SaveInTime, Some(Purpose::Snapshot)) => {
                Err(CmdError::fixed("ERR Background save already in progress"))
            }
            (Background::Save, Some(_)) if !is_executing => Err(CmdError::fixed(
                "ERR Another child process is active (AOF?): can't BGSAVE right now. Use BGSAVE \
                 SCHEDULE in order to schedule a BGSAVE whenever possible.",
            )),
            (Background::Rewrite, Some(Purpose::Base)) => Err(CmdError::fixed(
                "ERR Background append only file rewriting already in progress",
            )),
            (Background::Rewrite, _) if is_executing || under_way.is_some() => {
                persist.rewrite_scheduled = true;
                Ok("Background append only file rewriting scheduled")
            }
            (Background::Rewrite, _) => match self.start_save(Purpose::Base) {
                Ok(()) => Ok("Background append only file rewriting started"),
                Err(_) => Err(CmdError::fixed(
                    "ERR Can't execute an AOF background rewriting. Please check the server logs \
                     for more information.",
                )),
            },
            _ if is_executing || under_way.is_some() => {
                persist.snapshot_scheduled = true;
                Ok("Background saving scheduled")
            }
            _ => match self.start_save(Purpose::Snapshot) {
                Ok(()) => Ok("Background saving started"),
                Err(why) => Err(CmdError::text(format!(
                    "ERR Can't save in background: {why}"
                ))),
            },
        };
        match answer {
            Ok(line) => self.ctx.reply.simple(line),
            Err(error) => self.answer_error(&error),
        }
    }

    /// CONFIG SET appendonly: answers, and takes all `changes` back if that fails.
    pub(super) fn switch_log(&mut self, changes: Changes) {
        let session = self.ctx.session();
        if session.flags.has(SessionFlags::EXECUTING) {
            // A log does not begin in the middle of a transaction.
            self.ctx.persist.switch_scheduled = true;
            self.ctx.reply.ok();
            return;
        }
        match self.try_switch() {
            Ok(()) => self.ctx.reply.ok(),
            Err(why) => {
                let on = self.ctx.config.persistence.appendonly;
                changes.take_back(self.ctx.config);
                if let Err(refusal) = self.ctx.host.reconfigure(self.ctx.config) {
                    let line = format!("Cannot go back to the old configuration: {refusal}");
                    self.ctx.host.log(LogLevel::Warning, &line);
                }
                self.ctx.persist.apply(self.ctx.config);
                let word = if on { "on" } else { "off" };
                let text = format!(
                    "ERR CONFIG SET failed (possibly related to argument 'appendonly') - Unable to \
                     turn {word} AOF: {why}"
                );
                self.answer_error(&CmdError::text(text));
            }
        }
    }

    /// Begins or ends the log as the configuration has it.
    ///
    /// # Errors
    /// Why that is not possible.
    fn try_switch(&mut self) -> Result<(), String> {
        let is_on = self.ctx.config.persistence.appendonly;
        if is_on == self.ctx.persist.keeps_log() {
            return Ok(());
        }
        if self.ctx.persist.load.is_some() {
            return Err("the dataset is being loaded".to_owned());
        }
        hand_over(self.ctx.feed, self.ctx.persist, self.ctx.now);
        // A base for another log, or for none.
        let (persist, mut world) = self.ctx.saving();
        persist.kill_rewrite(&mut world);
        let (now, end) = (self.ctx.now, self.ctx.feed.end());
        match self.ctx.persist.switch(now, end, self.ctx.config) {
            Ok(None) => {}
            Ok(Some(lost)) => {
                let line = format!("The AOF is off; its end could not be kept: {lost}");
                self.ctx.host.log(LogLevel::Warning, &line);
            }
            Err(error) => {
                let word = if is_on { "on" } else { "off" };
                let line = format!("Can't turn the AOF {word}: {error}");
                self.ctx.host.log(LogLevel::Warning, &line);
                return Err(error.to_string());
            }
        }
        self.ctx.feed.want(is_on);
        self.ctx.keyspace.keeps_removed = is_on;
        self.ctx.feed.select_again();
        if !is_on {
            return Ok(());
        }
        if self.ctx.persist.underway().is_some() {
            let line = "AOF was enabled but there is already another background operation. An AOF \
                        background was scheduled to start when possible.";
            self.ctx.host.log(LogLevel::Notice, line);
            return Ok(());
        }
        self.start_save(Purpose::Base).inspect_err(|_| {
            // Without a base the log is of no use: everything is as it was before.
            self.ctx.config.persistence.appendonly = false;
            self.ctx.feed.want(false);
            self.ctx.keyspace.keeps_removed = false;
            if let Err(error) = self.ctx.persist.switch(now, end, self.ctx.config) {
                let line = format!("Can't turn the AOF off again: {error}");
                self.ctx.host.log(LogLevel::Warning, &line);
            }
            self.ctx.config.persistence.appendonly = true;
        })
    }

    /// The log is switched at the end of a turn because it could not be when that was asked for.
    pub(super) fn switch_late(&mut self) {
        self.ctx.persist.switch_scheduled = false;
        if self.try_switch().is_err() {
            let on = self.ctx.config.persistence.appendonly;
            self.ctx.config.persistence.appendonly = !on;
        }
    }

    /// Saves what is to be saved before the process ends, and closes the log.
    ///
    /// # Errors
    /// When something would be lost, which the log has been told; everything goes on then.
    pub(super) fn prepare_end(&mut self, options: ShutdownOptions) -> Result<(), ()> {
        let log = |runner: &mut Self, level, line: &str| runner.ctx.host.log(level, line);
        log(self, LogLevel::Notice, "User requested shutdown...");
        if self.ctx.persist.load.is_none() {
            let progress = self.ctx.persist.progress();
            if progress.needs_base {
                if !options.force {
                    log(self, LogLevel::Warning, "Writing initial AOF, can't exit.");
                    return Err(());
                }
                log(self, LogLevel::Warning, "Writing initial AOF. Exit anyway.");
            }
            self.save_at_the_end(options)?;
            self.close_log(options)?;
        }
        let line = "Redis is now ready to exit, bye bye...";
        log(self, LogLevel::Warning, line);
        Ok(())
    }

    fn save_at_the_end(&mut self, options: ShutdownOptions) -> Result<(), ()> {
        let (persist, mut world) = self.ctx.saving();
        if let Some(under_way) = persist.underway() {
            let line = match under_way.purpose() {
                Purpose::Snapshot => "There is a child saving an .rdb. Killing it!",
                Purpose::Base => "There is a child rewriting the AOF. Killing it!",
            };
            world.host.log(LogLevel::Warning, line);
            persist.kill_child(&mut world);
        }
        let has_points = !persist.points(world.config).is_empty();
        if !(options.save || (has_points && !options.nosave)) {
            return Ok(());
        }
        let line = "Saving the final RDB snapshot before exiting.";
        world.host.log(LogLevel::Notice, line);
        if persist.save_here(&mut world).is_ok() {
            return Ok(());
        }
        let (line, done) = match options.force {
            true => ("Error trying to save the DB, exiting all the same.", Ok(())),
            false => ("Error trying to save the DB, can't exit.", Err(())),
        };
        world.host.log(LogLevel::Warning, line);
        done
    }

    fn close_log(&mut self, options: ShutdownOptions) -> Result<(), ()> {
        if !self.ctx.persist.keeps_log() {
            return Ok(());
        }
        hand_over(self.ctx.feed, self.ctx.persist, self.ctx.now);
        let line = "Calling fsync() on the AOF file.";
        self.ctx.host.log(LogLevel::Notice, line);
        let Err(error) = self.ctx.persist.close(self.ctx.now) else {
            return Ok(());
        };
        let line = format!("The AOF can't be closed: {error}");
        self.ctx.host.log(LogLevel::Warning, &line);
        if options.force { Ok(()) } else { Err(()) }
    }
}

impl super::block::Blocked {
    /// Lets those go who have waited for what is durable now.
    fn release_durable(&mut self, durable: u64) {
        for conn in self.durable_waiters(durable) {
            self.release(conn, Release::Durable);
        }
    }
}
