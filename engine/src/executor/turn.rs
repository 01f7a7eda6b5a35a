//! What happens between two waits, in order: run what was kept, serve who was let go, cron, free a
//! little, close, and hand out the replies; while a script keeps the server busy, its slice instead.

use super::persist::NOBODY;
use super::{Engine, cron};
use crate::base::{ConnId, Micros, Now};
use crate::config::ShutdownOptions;
use crate::conn::{OUTPUT_UNCHECKED_BYTES, SessionFlags};
use crate::keyspace::Keyspace;
use crate::resp::ReplyBuf;
use crate::seam::host::{Host, LogLevel, Notice};
use crate::seam::machine::{Action, Outbox};
use crate::seam::poller::Patience;

/// Empty output buffers larger than this are given back.
const SPARE_BYTES_MAX: usize = 64 * 1024;
/// Empty output buffers that are kept.
const SPARES_MAX: usize = 1024;
/// Values of more pieces are not destroyed on the loop.
const HERE_PIECES_MAX: usize = 4096;
/// Discarded records destroyed in a turn.
const FREE_PER_TURN: u32 = 512;
/// Bytes given back to the system in a turn.
const SETTLED_PER_TURN: usize = 128 << 10;

/// How far the end of the process has come.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(super) enum Shutdown {
    /// Nobody has asked for it.
    Running,
    /// At the end of this turn.
    Asked(ShutdownOptions),
    /// The loop may end.
    Done,
    /// The loop ends because this has gone wrong.
    Failed(String),
}

impl Shutdown {
    /// Takes the request back.
    pub(super) fn abort(&mut self) {
        *self = Self::Running;
    }
}

/// Destroys so many pieces of what nobody refers to any more, and has what is very large destroyed
/// elsewhere, if that can be.
pub(super) fn free(keyspace: &mut Keyspace, host: &mut dyn Host, pieces: u32) {
    if host.destroys() {
        keyspace.give_discarded(HERE_PIECES_MAX, &mut |value| host.destroy(value));
    }
    keyspace.free_some(pieces);
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
            self.begin_loading(now);
        } else {
            self.host
                .log(LogLevel::Notice, &format!("Now waiting with {poller}"));
        }
    }

    /// The process wants attention.
    pub(super) fn on_woken(&mut self, now: Now) {
        for notice in self.host.notices() {
            self.on_notice(now, notice);
        }
    }

    fn on_notice(&mut self, now: Now, notice: Notice) {
        let (name, request) = match notice {
            Notice::Terminate => ("SIGTERM", self.config.process.shutdown_on_sigterm),
            Notice::Interrupt => ("SIGINT", self.config.process.shutdown_on_sigint),
        };
        let line = format!("Received {name} scheduling shutdown...");
        self.host.log(LogLevel::Warning, &line);
        if self.suspended.is_some() && !request.nosave {
            // Half of what the script does is nothing to be saved.
            self.end_later = Some(request);
        } else if self.shutdown == Shutdown::Running {
            self.end_by_signal(now, request);
        }
    }

    /// The end of a turn, events all seen.
    pub(super) fn finish_turn(&mut self, now: Now, out: &mut Outbox) {
        if self.suspended.is_none() {
            self.keyspace.set_now(now);
        }
        self.run_ahead(now, out);
        if self.is_ending() {
            self.shutdown = Shutdown::Done;
            return;
        }
        if self.suspended.is_some() {
            self.serve_script(now, out);
            self.log_turn(now);
            self.limit_clients();
            self.close_doomed(out);
            return;
        }
        if let Some(request) = self.end_later.take() {
            self.end_by_signal(now, request);
        }
        self.observed.stats.turns += 1;
        self.observed.stats.counters = out.counters;
        self.serve_outward(now, out);
        self.go_on_migrating(now, out);
        if self.blocked.has_work(now) {
            self.serve_blocked(now, out);
        }
        if self.clients.pause.is_some() || self.blocked.pause_ended {
            self.serve_paused(now, out);
        }
        self.run_cron(now);
        self.expire_slice(now);
        self.look_after_memory(now);
        if self.keyspace.pending_free() > 0 {
            free(&mut self.keyspace, &mut *self.host, FREE_PER_TURN);
        }
        self.keyspace.settle_pages(SETTLED_PER_TURN);
        if self.loading.is_some() {
            self.go_on_loading(now);
        }
        if !self.clients.frozen {
            self.serve_reload(now, out);
        }
        if self.persist.switch_scheduled {
            let mut unused = ReplyBuf::new();
            self.lend(now, NOBODY, &mut unused).switch_late();
        }
        self.log_turn(now);
        self.limit_clients();
        if !self.clients.doomed.is_empty() {
            self.close_doomed(out);
        }
    }

    /// The process is to end after this turn: no request is run any more.
    pub(super) fn is_ending(&self) -> bool {
        matches!(self.shutdown, Shutdown::Asked(_))
    }

    /// Gives every connection's replies to the poller.
    pub(super) fn hand_out_replies(
        &mut self,
        send: &mut dyn FnMut(ConnId, &mut ReplyBuf) -> usize,
    ) {
        let now = self.cron.now();
        let is_behind = self.is_behind();
        self.outward.hand_out(send);
        if !self.holding.is_empty() {
            self.release_held(send);
        }
        let mut ids = std::mem::take(&mut self.clients.with_replies);
        for id in ids.drain(..) {
            let Some(conn) = self.clients.get_mut(id) else {
                continue;
            };
            conn.has_replies = false;
            if is_behind && let Some(until) = self.held_until(id) {
                self.hold(id, until);
                self.check_output_limit(now, id);
                continue;
            }
            let Some(conn) = self.clients.get_mut(id) else {
                continue;
            };
            if conn.output.len() > OUTPUT_UNCHECKED_BYTES {
                self.check_output_limit(now, id);
            }
            let Some(conn) = self.clients.get_mut(id) else {
                continue;
            };
            if conn.session.flags.has(SessionFlags::CLOSE_ASAP) {
                continue;
            }
            let output = std::mem::take(&mut conn.output);
            self.send_replies(id, output, send);
        }
        self.clients.with_replies = ids;
        self.clients.forget_replies();
    }

    /// Gives replies of one connection to the poller.
    #[inline]
    pub(super) fn send_replies(
        &mut self,
        id: ConnId,
        mut output: ReplyBuf,
        send: &mut dyn FnMut(ConnId, &mut ReplyBuf) -> usize,
    ) {
        let Some(conn) = self.clients.get_mut(id) else {
            return;
        };
        let bytes = output.len();
        conn.session.bytes_out += bytes as u64;
        self.observed.stats.bytes_out += bytes as u64;
        self.observed.stats.writes += 1;
        self.observed.stats.recent_max_output = self.observed.stats.recent_max_output.max(bytes);
        let (was_unsent, shared) = (conn.unsent, output.spliced());
        conn.unsent = send(id, &mut output);
        if conn.unsent == 0 {
            conn.over_soft_limit_since = None;
            if was_unsent > 0 {
                self.clients.weigh(id);
            }
        } else {
            let before = if was_unsent > 0 {
                conn.unsent_shared
            } else {
                0
            };
            conn.unsent_shared = before + shared;
            self.clients.weigh(id);
            let now = self.cron.now();
            self.check_output_limit(now, id);
        }
        self.keep_spare(output);
    }

    /// Keeps a buffer whose contents have left, unless it has grown large or there are enough.
    pub(super) fn keep_spare(&mut self, mut output: ReplyBuf) {
        if self.spare.len() < SPARES_MAX {
            output.clear(SPARE_BYTES_MAX);
            self.clients.note_spare(output.capacity());
            self.spare.push(output);
        }
    }

    /// How long the loop may sleep, and how much company it waits for.
    pub(super) fn next_patience(&mut self, now: Now) -> Patience {
        if self.observed.stats.turns > 0 && self.suspended.is_none() {
            self.observed.stats.turn_us += now.monotonic.minus(self.cron.now()).0;
        }
        let busy = self.keyspace.pending_free() > 0
            || self.keyspace.has_pages_left()
            || !self.clients.doomed.is_empty()
            || self.blocked.pause_ended
            || self.blocked.has_work(now)
            || self.suspended.is_some()
            || self.outward.has_work()
            || self.expiry.has_work()
            || self.has_memory_work()
            || self.is_over_client_limit()
            || self.loading.is_some();
        let pause = self.clients.pause.map_or(super::NEVER, |pause| pause.until);
        let log = self.persist.progress().due.unwrap_or(super::NEVER);
        let due = self.cron.deadline().min(self.blocked.deadline());
        let due = due.min(pause).min(log).min(self.migration_due());
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
