//! Carrying out what a command has asked for.

use super::accept::drop_subscriptions;
use super::turn::Shutdown;
use super::{Flow, Runner};
use crate::base::DbIndex;
use crate::command::{CmdError, CommandId, Effects};
use crate::conn::SessionFlags;
use crate::resp::Args;
use crate::seam::machine::{Action, Outbox};

impl Runner<'_> {
    /// Carries out the effects of the command that has just run.
    #[cold]
    pub(super) fn carry_out(
        &mut self,
        command: CommandId,
        args: &Args<'_>,
        out: &mut Outbox,
    ) -> Flow {
        let mut effects = std::mem::take(self.ctx.effects);
        for publication in &effects.publish {
            self.deliver(publication);
        }
        if effects.exec {
            self.run_transaction(out);
        }
        if effects.settle_all {
            for db in 0..self.ctx.keyspace.count() {
                self.settle(DbIndex(u32::try_from(db).unwrap_or(0)));
            }
        }
        if let Some(what) = effects.background {
            self.begin_background(what);
        }
        if let Some(changes) = effects.switch_log.take() {
            self.switch_log(changes);
        }
        if let Some(reload) = effects.reload {
            self.ask_reload(reload);
        }
        self.concern_clients(&effects);
        self.concern_loop(&effects, out);
        if let Some(asked) = effects.migrate {
            self.begin_migration(*asked, out);
        }
        if let Some((on, deadline)) = effects.block {
            self.block(on, deadline, command, args);
        }
        let halting = SessionFlags(SessionFlags::CLOSING.0 | SessionFlags::BLOCKED.0);
        let conn = self.ctx.clients.get(self.ctx.conn);
        let is_ending = matches!(self.shutdown, Shutdown::Asked(_));
        if is_ending || conn.is_none_or(|conn| conn.session.flags.has(halting)) {
            return Flow::Halt;
        }
        Flow::Continue
    }

    fn concern_clients(&mut self, effects: &Effects) {
        for (conn, how) in &effects.release {
            self.blocked.release(*conn, *how);
        }
        for conn in &effects.kill {
            // The running connection's own reply still leaves.
            if *conn == self.ctx.conn {
                self.ctx.clients.close_after_reply(*conn);
            } else {
                self.ctx.clients.close_now(*conn);
                drop_subscriptions(self.ctx.clients, self.ctx.pubsub, *conn);
            }
        }
        if let Some(pause) = effects.pause {
            self.ctx.clients.pause = pause;
            self.ctx.keyspace.keeps_expired = self.ctx.clients.is_paused();
            if pause.is_none() {
                self.blocked.pause_ended = true;
            }
        }
    }

    fn concern_loop(&mut self, effects: &Effects, out: &mut Outbox) {
        if let Some(name) = effects.switch_poller {
            // Back to the present one takes back what was asked for earlier in this turn.
            out.switch_to = Some(name).filter(|name| *name != self.ctx.observed.stats.poller);
        }
        if let Some(closed) = &effects.relistened {
            out.actions
                .extend(closed.iter().map(|listener| Action::Unlisten(*listener)));
            out.doors_changed = true;
        }
        if effects.socket_options {
            out.actions.push(Action::Options(
                self.ctx.host.socket_options(self.ctx.config),
            ));
        }
        if let Some(paused) = effects.pause_cron {
            *self.cron_paused = paused;
        }
        if effects.abort_shutdown {
            self.shutdown.abort();
        }
        if let Some(request) = effects.shutdown {
            match self.prepare_end(request) {
                Ok(()) => *self.shutdown = Shutdown::Asked(request),
                Err(()) => self.answer_error(&CmdError::fixed(
                    "ERR Errors trying to SHUTDOWN. Check logs.",
                )),
            }
        }
    }
}
