//! Transactions: queueing, and running the queue.

use super::requests::RequestEnd;
use super::{Flow, Runner};
use crate::command::spec::Flags;
use crate::command::{CmdError, CommandId};
use crate::conn::{Multi, Queued, SessionFlags};
use crate::resp::{Args, OwnedArgs};
use crate::seam::machine::Outbox;

impl Runner<'_> {
    /// Puts a command behind the others of the transaction.
    pub(super) fn queue(&mut self, command: CommandId, args: &Args<'_>) -> RequestEnd {
        let row = self.ctx.commands.row(command);
        if row.flags.has(Flags::NO_MULTI) {
            let error = CmdError::fixed("ERR Command not allowed inside a transaction");
            return self.refuse(command, &error);
        }
        let flags = self.flags_of(command, args);
        let writes = flags.has(Flags::WRITE.and(Flags::MAY_REPLICATE));
        let takes_memory = flags.has(Flags::DENYOOM);
        let session = self.ctx.session();
        if let Some(multi) = &mut session.multi
            && !multi.broken
        {
            multi.push(Queued {
                command,
                args: OwnedArgs::copy_of(args),
            });
            multi.writes |= writes;
            multi.takes_memory |= takes_memory;
            self.ctx.clients.weigh(self.ctx.conn);
        }
        let session = self.ctx.session();
        let silent = SessionFlags(SessionFlags::REPLY_OFF.0 | SessionFlags::REPLY_SKIP_NEXT.0);
        if session.flags.has(silent) {
            session.flags.clear(SessionFlags::REPLY_SKIP_NEXT);
        } else {
            self.ctx.reply.raw(b"+QUEUED\r\n");
        }
        RequestEnd::Done(Flow::Continue)
    }

    /// Runs the queue; EXEC has checked that it may. The replies follow as one array.
    pub(super) fn run_transaction(&mut self, out: &mut Outbox) {
        let session = self.ctx.session();
        let Some(multi) = session.multi.take() else {
            return;
        };
        session.flags.clear(SessionFlags::MULTI);
        session.flags.set(SessionFlags::EXECUTING);
        self.ctx.reply.array(multi.queue.len());
        self.ctx.feed.begin_unit();
        self.run_queue(multi, 0, out);
    }

    /// Runs the commands of a transaction from the one at `next` on.
    pub(super) fn run_queue(&mut self, multi: Box<Multi>, next: usize, out: &mut Outbox) {
        for (index, queued) in multi.queue.iter().enumerate().skip(next) {
            let args = queued.args.args();
            self.ctx.hashed = None;
            self.ctx.session().last_command = queued.command;
            let flow = self.execute(queued.command, &args, out);
            if self.ctx.effects.any {
                // Nothing but a slow script makes a transaction wait.
                self.carry_out(queued.command, &args, out);
            }
            if !flow.goes_on() {
                if let Some(suspended) = self.suspended {
                    suspended.rest = Some((multi, index + 1));
                }
                return;
            }
            self.tell_monitors(queued.command, &args);
        }
        self.ctx.session().flags.clear(SessionFlags::EXECUTING);
        self.ctx.clients.weigh(self.ctx.conn);
        self.ctx.feed.end_unit();
    }
}
