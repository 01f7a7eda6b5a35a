//! The gates before a command and the duties after.
//!
//! The gates, in their order: known and well-formed, authenticated, subscribed mode, paused, queued
//! in a transaction. A connection without any mode set passes all but the first by one test.

use super::redact::redacted;
use super::requests::RequestEnd;
use super::script::ScriptEnd;
use super::{Flow, Runner};
use crate::base::DbIndex;
use crate::command::modes::unwatch_all;
use crate::command::spec::Flags;
use crate::command::table::Unknown;
use crate::command::{CmdError, CommandId, Outcome};
use crate::conn::{PauseScope, SessionFlags};
use crate::observe::slowlog::{Extent, Notable};
use crate::persist::Gate;
use crate::resp::{Args, OwnedArgs, Protocol};
use crate::seam::host::LogLevel;
use crate::seam::machine::Outbox;

/// Commands that a MONITOR connection may not run.
const ON_KEYS: Flags = Flags::READONLY.and(Flags::WRITE).and(Flags::MAY_REPLICATE);
/// Longest part of an unknown command's words that its error repeats.
const UNKNOWN_WORDS_BYTES: usize = 128;

impl Runner<'_> {
    /// Runs one request, or refuses it, or says that it must wait.
    #[inline]
    pub(super) fn request(
        &mut self,
        command: Result<CommandId, Unknown>,
        args: &Args<'_>,
        out: &mut Outbox,
    ) -> RequestEnd {
        let Some(conn) = self.ctx.clients.get_mut(self.ctx.conn) else {
            return RequestEnd::Done(Flow::Halt);
        };
        let flags = conn.session.flags;
        conn.session.commands += 1;
        let command = match command {
            Ok(command) if self.ctx.commands.row(command).spec.accepts(args.len()) => command,
            faulty => return self.refuse_faulty(faulty, args),
        };
        conn.session.last_command = command;
        let slow = flags.has(SessionFlags::SLOW_PATH)
            || self.ctx.clients.is_paused()
            || !self.ctx.clients.monitors.is_empty()
            || self.suspended.is_some()
            || self.ctx.persist.gate() != Gate::Open;
        if slow {
            return self.slow_gates(flags, command, args, out);
        }
        if self.ctx.config.memory.maxmemory != 0
            && let Some(error) = self.lacks_memory(command, args)
        {
            return self.refuse(command, &error);
        }
        RequestEnd::Done(self.run(command, args, out))
    }

    /// Gates and duties for a connection in some mode, or a server in one.
    #[cold]
    fn slow_gates(
        &mut self,
        flags: SessionFlags,
        command: CommandId,
        args: &Args<'_>,
        out: &mut Outbox,
    ) -> RequestEnd {
        if flags.has(SessionFlags::CLOSING) {
            return RequestEnd::Done(Flow::Halt);
        }
        let row = self.ctx.commands.row(command);
        if flags.has(SessionFlags::UNAUTHENTICATED) {
            if self.ctx.config.security.requirepass.is_empty() {
                // The password has been taken away since this connection arrived.
                self.ctx
                    .session()
                    .flags
                    .clear(SessionFlags::UNAUTHENTICATED);
            } else if !row.flags.has(Flags::NO_AUTH) {
                return self.refuse(command, &CmdError::NoAuth);
            }
        }
        if flags.has(SessionFlags::MONITOR) && row.flags.has(ON_KEYS) {
            let error = CmdError::fixed("ERR Replica can't interact with the keyspace");
            return self.refuse(command, &error);
        }
        if flags.has(SessionFlags::PUBSUB)
            && self.ctx.reply.protocol == Protocol::Resp2
            && !is_allowed_while_subscribed(&row.full_name)
        {
            let text = format!(
                "ERR Can't execute '{}': only (P|S)SUBSCRIBE / (P|S)UNSUBSCRIBE / PING / QUIT / \
                 RESET are allowed in this context",
                row.full_name
            );
            return self.refuse(command, &CmdError::text(text));
        }
        if self.suspended.is_some() && !is_allowed_while_busy(row.flags, &row.full_name, args) {
            let text = "BUSY Redis is busy running a script. You can only call SCRIPT KILL or \
                        SHUTDOWN NOSAVE.";
            return self.refuse(command, &CmdError::fixed(text));
        }
        if let Some(error) = self.kept_out(command, args) {
            return self.refuse(command, &error);
        }
        if self.must_wait_for_pause(command, args) {
            return self.postpone();
        }
        if let Some(error) = self.memory_gate(flags, command, args) {
            return self.refuse(command, &error);
        }
        if flags.has(SessionFlags::MULTI) && !runs_inside_multi(&row.full_name) {
            return self.queue(command, args);
        }
        let mark = self.ctx.reply.buf.mark();
        if flags.has(SessionFlags::REPLY_SKIP_NEXT) {
            let session = self.ctx.session();
            session.flags.clear(SessionFlags::REPLY_SKIP_NEXT);
            session.flags.set(SessionFlags::REPLY_SKIP);
        }
        let flow = self.run(command, args, out);
        self.tell_monitors(command, args);
        let flags = self.ctx.session().flags;
        if flags.has(SessionFlags::SILENT) {
            // Confirmations of subscriptions are messages, which are never silenced.
            if !is_confirmed(&self.ctx.commands.row(command).full_name) {
                self.ctx.reply.buf.truncate(mark);
            }
            if !flags.has(SessionFlags::BLOCKED) {
                self.ctx.session().flags.clear(SessionFlags::REPLY_SKIP);
            }
        }
        if !self.pushes.is_empty() {
            self.ctx.reply.buf.append(&mut self.pushes);
        }
        RequestEnd::Done(flow)
    }

    /// Why persistence does not let this command pass, if it doesn't.
    fn kept_out(&self, command: CommandId, args: &Args<'_>) -> Option<CmdError> {
        let row = self.ctx.commands.row(command);
        let writes = |command, args: &Args<'_>| self.flags_of(command, args).has(Flags::WRITE);
        match self.ctx.persist.gate() {
            Gate::Open => None,
            Gate::Loading if row.flags.has(Flags::LOADING) => None,
            Gate::Loading => Some(CmdError::fixed(
                "LOADING Redis is loading the dataset in memory",
            )),
            Gate::ReadOnly => {
                let conn = self.ctx.clients.get(self.ctx.conn);
                let multi = conn.and_then(|conn| conn.session.multi.as_ref());
                let queued = || {
                    let mut queue = multi.iter().flat_map(|multi| &multi.queue);
                    queue.any(|one| writes(one.command, &one.args.args()))
                };
                let is_refused = writes(command, args)
                    || row.spec.name == "ping"
                    || (row.spec.name == "exec" && queued());
                is_refused.then(|| CmdError::text(self.ctx.persist.refusal()))
            }
        }
    }

    /// Why the limit on memory does not let this command pass, if it doesn't.
    fn memory_gate(
        &mut self,
        flags: SessionFlags,
        command: CommandId,
        args: &Args<'_>,
    ) -> Option<CmdError> {
        if self.ctx.config.memory.maxmemory == 0 || self.suspended.is_some() {
            None
        } else if flags.has(SessionFlags::MULTI) {
            self.lacks_memory_in_multi(command)
        } else {
            self.lacks_memory(command, args)
        }
    }

    /// Makes the connection wait for the end of the pause, the present command first.
    fn postpone(&mut self) -> RequestEnd {
        let session = self.ctx.session();
        session.flags.set(SessionFlags::PAUSED);
        session.commands -= 1;
        self.ctx.clients.blocked += 1;
        self.blocked.paused.push(self.ctx.conn);
        RequestEnd::NotYet
    }

    /// Whether a pause holds this command back, be it only to be queued.
    fn must_wait_for_pause(&self, command: CommandId, args: &Args<'_>) -> bool {
        let now = self.ctx.now.monotonic;
        let pause = self.ctx.clients.pause.filter(|pause| pause.until > now);
        if pause.is_some_and(|pause| pause.scope == PauseScope::All) {
            return true;
        }
        if pause.is_none() && !self.ctx.clients.frozen {
            return false;
        }
        let row = self.ctx.commands.row(command);
        let queue_writes = || {
            let conn = self.ctx.clients.get(self.ctx.conn);
            let multi = conn.and_then(|conn| conn.session.multi.as_ref());
            multi.is_some_and(|multi| multi.writes)
        };
        let flags = self.flags_of(command, args);
        flags.has(Flags::WRITE.and(Flags::MAY_REPLICATE))
            || (row.spec.name == "exec" && queue_writes())
    }

    /// Runs a command that has passed the gates: handler, statistics, effects.
    #[inline]
    fn run(&mut self, command: CommandId, args: &Args<'_>, out: &mut Outbox) -> Flow {
        let mut flow = self.execute(command, args, out);
        if self.ctx.effects.any {
            flow = self.carry_out(command, args, out);
        }
        // While a script is in its middle, nobody else changes anything.
        if self.ctx.keyspace.has_ready() && self.suspended.is_none() {
            self.serve_ready(out);
        }
        flow
    }

    /// The handler, the script that it may have asked for, and the bookkeeping; other effects are
    /// left to the caller. Halts when a script keeps the connection waiting.
    #[inline]
    pub(super) fn execute(
        &mut self,
        command: CommandId,
        args: &Args<'_>,
        out: &mut Outbox,
    ) -> Flow {
        let spec = self.ctx.commands.row(command).spec;
        self.ctx.command = command;
        let db = self.ctx.db;
        let before = self.ctx.reply.buf.len();
        let begun = self.stamp;
        let changes = self.begin_record();
        let mut result = (spec.run)(&mut self.ctx, args);
        if self.ctx.effects.script {
            match self.run_script(command, args, begun, out) {
                ScriptEnd::Over(outcome) => result = outcome,
                ScriptEnd::Suspended => return Flow::Halt,
            }
        }
        if self.ctx.effects.any && self.ctx.effects.block.is_some() {
            // It is counted when its wait is over.
            self.stamp = (self.stopwatch)();
            self.settle(db);
        } else {
            self.account(command, args, result, (begun, before, db));
        }
        if let Some(changes) = changes {
            self.end_record(command, args, (changes, db));
        }
        Flow::Continue
    }

    /// A command that may have to be recorded begins: changes so far, if somebody wants to know.
    #[inline]
    fn begin_record(&mut self) -> Option<u64> {
        self.ctx.feed.is_wanted().then(|| {
            self.ctx.feed.begin_unit();
            self.ctx.feed.begin_command();
            self.ctx.keyspace.changes()
        })
    }

    /// Records what a command has done, and before it what was removed on its way; `changes` and `db`
    /// are those before it.
    #[cold]
    pub(super) fn end_record(
        &mut self,
        command: CommandId,
        args: &Args<'_>,
        (changes, db): (u64, DbIndex),
    ) {
        for (db, key) in self.ctx.keyspace.take_removed() {
            self.ctx.feed.removed(db, &key);
        }
        let writes = self.ctx.commands.row(command).flags.has(Flags::WRITE);
        let has_changed = writes && self.ctx.keyspace.changes() != changes;
        self.ctx.feed.end_command(db, args, has_changed);
        if has_changed {
            let end = self.ctx.feed.end();
            self.ctx.session().last_write = end;
        }
        self.ctx.feed.end_unit();
    }

    /// The bookkeeping after a handler: `begun` is the stopwatch before it, `before` the length of
    /// the replies, `db` the database that was selected.
    #[inline]
    pub(super) fn account(
        &mut self,
        command: CommandId,
        args: &Args<'_>,
        result: Outcome,
        (begun, before, db): (u64, usize, DbIndex),
    ) {
        let spec = self.ctx.commands.row(command).spec;
        let stamp = (self.stopwatch)();
        let nanos = stamp.saturating_sub(begun);
        self.stamp = stamp;
        let observed = &mut *self.ctx.observed;
        observed.stats.commands += 1;
        observed.record(command, nanos);
        if let Err(error) = result {
            self.ctx.observed.commands[usize::from(command)].failed += 1;
            self.answer_error(&error);
        }
        let extent = Extent {
            nanos,
            request_bytes: args.extent(),
            reply_bytes: self.ctx.reply.buf.len().saturating_sub(before),
        };
        if self.ctx.observed.is_notable(extent) && !spec.flags.has(Flags::SKIP_SLOWLOG) {
            self.note(command, args, extent);
        }
        self.settle(db);
        if self.ctx.db != db {
            self.settle(self.ctx.db);
        }
    }

    /// Writes an error reply and counts it.
    #[cold]
    pub(super) fn answer_error(&mut self, error: &CmdError) {
        let line = error.line();
        self.ctx
            .observed
            .stats
            .count_error(&String::from_utf8_lossy(&line));
        self.ctx.reply.error(&line);
    }

    /// Carries on what the keyspace has left behind: expiries, watchers, notifications.
    #[inline]
    pub(super) fn settle(&mut self, db: DbIndex) {
        self.ctx.keyspace.settle(db, &mut self.touched);
        if !self.touched.is_empty() {
            for conn in self.touched.drain(..) {
                if let Some(conn) = self.ctx.clients.get_mut(conn) {
                    conn.session.flags.set(SessionFlags::DIRTY_WATCH);
                }
            }
        }
        if !self.ctx.keyspace.events.is_empty() {
            self.publish_events();
        }
    }

    #[cold]
    fn note(&mut self, command: CommandId, args: &Args<'_>, extent: Extent) {
        let Some(conn) = self.ctx.clients.get(self.ctx.conn) else {
            return;
        };
        let redacted = redacted(self.ctx.commands.row(command), args);
        let request = Notable {
            args: &redacted.as_ref().map_or(*args, OwnedArgs::args),
            extent: Extent {
                request_bytes: args.wire_bytes(),
                ..extent
            },
            unix_secs: self.ctx.now.unix_secs(),
            client: conn.session.peer_text(),
            name: &conn.session.name,
            is_fast: self.ctx.commands.row(command).flags.has(Flags::FAST),
        };
        self.ctx.observed.note(&request);
    }

    /// Refuses a command before it runs; inside MULTI the transaction is broken by it.
    #[cold]
    pub(super) fn refuse(&mut self, command: CommandId, error: &CmdError) -> RequestEnd {
        self.ctx.observed.commands[usize::from(command)].rejected += 1;
        if self.ctx.commands.row(command).spec.name == "exec" {
            return self.refuse_exec(error);
        }
        self.break_transaction();
        self.refusal(error)
    }

    /// An EXEC that is refused ends the transaction, if there is one.
    fn refuse_exec(&mut self, error: &CmdError) -> RequestEnd {
        let session = self.ctx.session();
        session.multi = None;
        session.flags.clear(SessionFlags::MULTI);
        unwatch_all(&mut self.ctx);
        self.ctx.clients.weigh(self.ctx.conn);
        let text = error.to_string();
        let reason = text.strip_prefix("ERR ").unwrap_or(&text);
        let text = format!("EXECABORT Transaction discarded because of: {reason}");
        self.refusal(&CmdError::text(text))
    }

    fn refusal(&mut self, error: &CmdError) -> RequestEnd {
        let mark = self.ctx.reply.buf.mark();
        self.answer_error(error);
        let session = self.ctx.session();
        if session.flags.has(SessionFlags(
            SessionFlags::REPLY_OFF.0 | SessionFlags::REPLY_SKIP_NEXT.0,
        )) {
            session.flags.clear(SessionFlags::REPLY_SKIP_NEXT);
            self.ctx.reply.buf.truncate(mark);
        }
        RequestEnd::Done(Flow::Continue)
    }

    fn break_transaction(&mut self) {
        let session = self.ctx.session();
        if let Some(multi) = &mut session.multi {
            multi.broken = true;
        }
    }

    /// Refuses what names no command, or has the wrong number of words.
    #[cold]
    fn refuse_faulty(
        &mut self,
        command: Result<CommandId, Unknown>,
        args: &Args<'_>,
    ) -> RequestEnd {
        if self.ctx.session().flags.has(SessionFlags::CLOSING) {
            return RequestEnd::Done(Flow::Halt);
        }
        match command {
            Ok(command) => {
                let name = self.ctx.commands.row(command).full_name.clone();
                self.refuse(command, &CmdError::Arity(name))
            }
            Err(Unknown::Subcommand(container)) => {
                let container = self.ctx.commands.row(container).full_name.to_uppercase();
                let hint = format!("'. Try {container} HELP.");
                let sub = args.get(1);
                let sub = &sub[..sub.len().min(UNKNOWN_WORDS_BYTES)];
                self.break_transaction();
                self.refusal(&CmdError::quoting("ERR unknown subcommand '", sub, &hint))
            }
            Err(Unknown::Command) => {
                let name = args.get(0);
                if name.eq_ignore_ascii_case(b"post") || name.eq_ignore_ascii_case(b"host:") {
                    return self.close_http();
                }
                self.break_transaction();
                self.refusal(&CmdError::Bytes(unknown_command(args)))
            }
        }
    }

    /// Somebody speaks HTTP, perhaps through an unwitting browser: nothing is answered.
    fn close_http(&mut self) -> RequestEnd {
        self.ctx.host.log(
            LogLevel::Warning,
            "Possible SECURITY ATTACK detected. It looks like somebody is sending POST or Host: \
             commands to Redis. This is likely due to an attacker attempting to use Cross Protocol \
             Scripting to compromise your Redis instance. Connection aborted.",
        );
        self.ctx.clients.close_now(self.ctx.conn);
        RequestEnd::Done(Flow::Halt)
    }
}

/// The error for a name that is no command; its words are repeated up to a length.
fn unknown_command(args: &Args<'_>) -> Box<[u8]> {
    let name = args.get(0);
    let mut words = Vec::new();
    for word in args.iter_from(1) {
        if words.len() >= UNKNOWN_WORDS_BYTES {
            break;
        }
        let room = UNKNOWN_WORDS_BYTES - words.len();
        words.push(b'\'');
        words.extend_from_slice(&word[..word.len().min(room)]);
        words.extend_from_slice(b"' ");
    }
    let name = &name[..name.len().min(128)];
    let parts: [&[u8]; 4] = [
        b"ERR unknown command '",
        name,
        b"', with args beginning with: ",
        &words,
    ];
    parts.concat().into()
}

/// Commands that are answered while a script keeps the server busy.
fn is_allowed_while_busy(flags: Flags, name: &str, args: &Args<'_>) -> bool {
    let saves = || {
        !args
            .iter_from(1)
            .any(|word| word.eq_ignore_ascii_case(b"nosave"))
    };
    flags.has(Flags::ALLOW_BUSY) && (name != "shutdown" || !saves())
}

/// Commands that a RESP2 connection may send while it is subscribed to something.
fn is_allowed_while_subscribed(name: &str) -> bool {
    is_confirmed(name) || matches!(name, "ping" | "quit" | "reset")
}

/// Commands whose replies are confirmations, one a name.
fn is_confirmed(name: &str) -> bool {
    matches!(
        name,
        "subscribe" | "unsubscribe" | "psubscribe" | "punsubscribe" | "ssubscribe" | "sunsubscribe"
    )
}

/// Commands that run at once though a transaction is being put together.
fn runs_inside_multi(name: &str) -> bool {
    matches!(
        name,
        "exec" | "discard" | "multi" | "watch" | "quit" | "reset"
    )
}
