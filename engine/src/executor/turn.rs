//! What happens between two waits, in order: run what was kept, serve who was let go, cron, free a
//! little, close, and hand out the replies; while a script keeps the server busy, its slice instead.

use super::{Engine, cron};
use crate::base::{ConnId, Micros, Now};
use crate::config::ShutdownOptions;
use crate::conn::{OUTPUT_UNCHECKED_BYTES, SessionFlags};
use crate::resp::ReplyBuf;
use crate::seam::host::{LogLevel, Notice};
use crate::seam::machine::{Action, Outbox};
use crate::seam::poller::Patience;

/// Empty output buffers larger than this are given back.
const SPARE_BYTES_MAX: usize = 64 * 1024;
/// Empty output buffers that are kept.
const SPARES_MAX: usize = 1024;
/// Discarded records destroyed in a turn.
const FREE_PER_TURN: u32 = 512;

/// How far the end of the process has come.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) enum Shutdown {
    /// Nobody has asked for it.
    Running,
    /// At the end of this turn.
    Asked(ShutdownOptions),
    /// The loop may end.
    Done,
}

impl Shutdown {
    /// Takes the request back.
    pub(super) fn abort(&mut self) {
        *self = Self::Running;
    }
}

impl Engine {
    /// The loop begins, or goes on with another poller.
    pub(super) fn on_start(&mut self, now: Now, poller: &'static str, out: &mut Outbox) {
        let is_first = self.observed.stats.poller.is_empty();
        self.observed.stats.poller = poller;
        out.actions
            .push(Action::Options(self.host.socket_options(&self.config)));
        self.connections_max = self.host.connections_max(poller);
        let wanted = self.config.limits.maxclients as usize;
        if self.connections_max < wanted {
            let most = self.connections_max;
            let line = format!("With {poller} there can be {most} clients; maxclients is {wanted}");
            self.host.log(LogLevel::Warning, &line);
        }
        if is_first {
            self.observed.stats.started = now.monotonic;
            self.observed.stats.started_unix_secs = now.unix_secs();
            self.observed.stats.startup_memory = self.host.facts().used_memory;
            self.keyspace.set_now(now);
        } else {
            self.host
                .log(LogLevel::Notice, &format!("Now waiting with {poller}"));
        }
    }

    /// The process wants attention.
    pub(super) fn on_woken(&mut self) {
        for notice in self.host.notices() {
            self.on_notice(notice);
        }
    }

    fn on_notice(&mut self, notice: Notice) {
        let (name, request) = match notice {
            Notice::Terminate => ("SIGTERM", self.config.process.shutdown_on_sigterm),
            Notice::Interrupt => ("SIGINT", self.config.process.shutdown_on_sigint),
        };
        let line = format!("Received {name} scheduling shutdown...");
        self.host.log(LogLevel::Warning, &line);
        self.shutdown = Shutdown::Asked(request);
    }

    /// The end of a turn, events all seen.
    pub(super) fn finish_turn(&mut self, now: Now, out: &mut Outbox) {
        if self.suspended.is_none() {
            self.keyspace.set_now(now);
        }
        self.run_ahead(now, out);
        if self.is_ending() {
            self.shut_down();
            return;
        }
        if self.suspended.is_some() {
            self.serve_script(now, out);
            self.close_doomed(out);
            return;
        }
        self.observed.stats.turns += 1;
        self.observed.stats.counters = out.counters;
        if self.blocked.has_work(now) {
            self.serve_blocked(now, out);
        }
        if self.clients.pause.is_some() || self.blocked.pause_ended {
            self.serve_paused(now, out);
        }
        self.run_cron(now);
        if self.keyspace.pending_free() > 0 {
            self.keyspace.free_some(FREE_PER_TURN);
        }
        if !self.clients.doomed.is_empty() {
            self.close_doomed(out);
        }
        if self.feed.is_wanted() {
            for (db, key) in self.keyspace.take_removed() {
                self.feed.removed(db, &key);
            }
        }
    }

    /// The process is to end after this turn: no request is run any more.
    pub(super) fn is_ending(&self) -> bool {
        matches!(self.shutdown, Shutdown::Asked(_))
    }

    fn shut_down(&mut self) {
        self.host
            .log(LogLevel::Notice, "User requested shutdown...");
        self.host
            .log(LogLevel::Warning, "Redis is now ready to exit, bye bye...");
        self.shutdown = Shutdown::Done;
    }

    /// Gives every connection's replies to the poller.
    pub(super) fn hand_out_replies(
        &mut self,
        send: &mut dyn FnMut(ConnId, &mut ReplyBuf) -> usize,
    ) {
        let now = self.cron.now();
        let mut ids = std::mem::take(&mut self.clients.with_replies);
        for id in ids.drain(..) {
            let Some(conn) = self.clients.get_mut(id) else {
                continue;
            };
            conn.has_replies = false;
            if conn.output.len() > OUTPUT_UNCHECKED_BYTES {
                self.check_output_limit(now, id);
            }
            let Some(conn) = self.clients.get_mut(id) else {
                continue;
            };
            if conn.session.flags.has(SessionFlags::CLOSE_ASAP) {
                continue;
            }
            let bytes = conn.output.len();
            conn.session.bytes_out += bytes as u64;
            self.observed.stats.bytes_out += bytes as u64;
            self.observed.stats.writes += 1;
            self.observed.stats.recent_max_output =
                self.observed.stats.recent_max_output.max(bytes);
            let mut output = std::mem::take(&mut conn.output);
            conn.unsent = send(id, &mut output);
            if conn.unsent == 0 {
                conn.over_soft_limit_since = None;
            } else {
                self.check_output_limit(now, id);
            }
            self.keep_spare(output);
        }
        self.clients.with_replies = ids;
    }

    /// Keeps a buffer whose contents have left, unless it has grown large or there are enough.
    pub(super) fn keep_spare(&mut self, mut output: ReplyBuf) {
        if self.spare.len() < SPARES_MAX {
            output.clear(SPARE_BYTES_MAX);
            self.spare.push(output);
        }
    }

    /// How long the loop may sleep, and how much company it waits for.
    pub(super) fn next_patience(&mut self, now: Now) -> Patience {
        if self.observed.stats.turns > 0 && self.suspended.is_none() {
            self.observed.stats.turn_us += now.monotonic.minus(self.cron.now()).0;
        }
        let busy = self.keyspace.pending_free() > 0
            || !self.clients.doomed.is_empty()
            || self.blocked.pause_ended
            || self.blocked.has_work(now)
            || self.suspended.is_some();
        let pause = self.clients.pause.map_or(super::NEVER, |pause| pause.until);
        let due = self.cron.deadline().min(self.blocked.deadline()).min(pause);
        let sleep = if busy {
            Micros(0)
        } else {
            due.minus(now.monotonic)
        };
        let (gather, grace) = self.active.company(&self.config);
        Patience {
            sleep: Some(sleep),
            gather,
            grace,
        }
    }

    fn run_cron(&mut self, now: Now) {
        self.active.turn(now.monotonic);
        if self.cron.is_due(now.monotonic) {
            self.on_cron(now);
            self.cron.done(now.monotonic, cron::period(&self.config));
        }
    }
}
