//! Running scripts: one command of theirs at a time, and in slices once they take long.
//!
//! Shape: a script runs within its EVAL until it ends or `busy-reply-threshold` has passed. Then it
//! is left where it is ([`Suspended`]), its connection waits, and every turn gives it a slice until
//! it ends; meanwhile others are answered with BUSY, and nothing else changes the dataset.
//! Invariant: a script sees one instant, however long it runs: the keyspace's time stands still.
//!
//! The stopwatch decides when a script is slow. Where it stands still, in a simulation, ticks of the
//! Lua machine are counted instead, each taken for [`TICK_NANOS`].

use super::{Engine, Flow, Runner};
use crate::base::{ConnId, DbIndex, Now};
use crate::command::ctx::LogLevel;
use crate::command::spec::Flags;
use crate::command::{CmdError, CommandId, Outcome};
use crate::conn::{Multi, SessionFlags};
use crate::persist::Gate;
use crate::resp::{Args, OwnedArgs, ReplyBuf};
use crate::script::{Busy, End, Machine, Nested, Resume, Run, Step, shebang};
use crate::seam::machine::Outbox;

/// How long a slow script runs in a turn, in nanoseconds.
const SLICE_NANOS: u64 = 2_000_000;
/// What a tick is taken for where the stopwatch stands still, in nanoseconds.
const TICK_NANOS: u64 = 100_000;
/// What a script's declaration decides of its command's behaviour.
const DECLARED: Flags = Flags::WRITE
    .and(Flags::MAY_REPLICATE)
    .and(Flags::DENYOOM)
    .and(Flags::STALE);
/// Reply buffers larger than this are given back between two calls.
const REPLY_KEPT_BYTES: usize = 64 * 1024;

/// A script under way.
#[derive(Debug)]
struct Running {
    machine: Box<Machine>,
    run: Run,
    /// The caller's database, which is selected again in the end.
    db: DbIndex,
    /// Whether the caller was inside a transaction before.
    was_executing: bool,
    has_written: bool,
    /// There was no room when it began, and nothing that could go; the script cares.
    is_out_of_memory: bool,
    /// The stopwatch when it began, or its present slice did, and ticks since.
    since: u64,
    ticks: u64,
    /// The stopwatch when it began.
    begun: u64,
}

/// A script that has been left in its middle.
#[derive(Debug)]
pub(super) struct Suspended {
    running: Running,
    /// Who waits for it.
    pub(super) conn: ConnId,
    /// The EVAL, for the statistics and the slow log.
    command: CommandId,
    args: OwnedArgs,
    /// The transaction that goes on after it, from this command.
    pub(super) rest: Option<(Box<Multi>, usize)>,
    /// The connection has gone meanwhile.
    pub(super) is_closed: bool,
    /// Messages to the connection itself, which follow its reply.
    pushes: ReplyBuf,
}

/// How far a script has come.
enum Driven {
    Over(End),
    /// Its time is up.
    Left,
    /// The machine is no more.
    Broken,
}

/// How a command with a script has ended.
pub(super) enum ScriptEnd {
    /// With this outcome.
    Over(Outcome),
    /// It has not.
    Suspended,
}

impl Runner<'_> {
    /// How a command behaves: one that runs a script does as the script has declared.
    #[inline]
    pub(super) fn flags_of(&self, command: CommandId, args: &Args<'_>) -> Flags {
        let flags = self.ctx.commands.row(command).flags;
        // Those that run scripts are the only ones that show themselves to MONITOR.
        if flags.has(Flags::SKIP_MONITOR) {
            self.flags_of_script(command, args)
        } else {
            flags
        }
    }

    #[cold]
    fn flags_of_script(&self, command: CommandId, args: &Args<'_>) -> Flags {
        let row = self.ctx.commands.row(command);
        let word = args.get(1);
        let declared = if row.spec.name.starts_with("evalsha") {
            let script = self.ctx.scripts.find(word);
            script.map(|script| self.ctx.scripts.declared(script))
        } else {
            // What is wrong with it is said by the command.
            shebang::read(word).ok().map(|(declared, _)| declared)
        };
        let Some(declared) = declared.filter(|declared| declared.any) else {
            return row.flags;
        };
        let mut flags = row.flags.without(DECLARED);
        if !declared.no_writes {
            flags = flags | Flags::WRITE | Flags::MAY_REPLICATE;
            if !declared.allow_oom {
                flags = flags | Flags::DENYOOM;
            }
        }
        if declared.allow_stale {
            flags = flags | Flags::STALE;
        }
        flags
    }

    /// Runs the script that the command has staged.
    #[cold]
    pub(super) fn run_script(
        &mut self,
        command: CommandId,
        args: &Args<'_>,
        begun: u64,
        out: &mut Outbox,
    ) -> ScriptEnd {
        self.ctx.effects.script = false;
        let scripts = &mut *self.ctx.scripts;
        scripts.is_running = true;
        let (Some(run), Some(machine)) = (scripts.next.take(), scripts.machine.take()) else {
            return ScriptEnd::Over(Err(CmdError::fixed("ERR there is no script to run")));
        };
        if !self.ctx.clients.monitors.is_empty() {
            self.show_monitors(args, None);
        }
        let db = self.ctx.db;
        let allows_oom = self.ctx.scripts.declared(run.script).allow_oom;
        let is_limited = self.ctx.config.memory.maxmemory != 0 && !allows_oom;
        let session = self.ctx.session();
        let was_executing = session.flags.has(SessionFlags::EXECUTING);
        session.flags.set(SessionFlags::EXECUTING);
        let mut running = Running {
            machine,
            run,
            db,
            was_executing,
            has_written: false,
            is_out_of_memory: self.is_out_of_memory && is_limited,
            since: begun,
            ticks: 0,
            begun,
        };
        let with = Resume::Run {
            id: run.script,
            keys: run.keys,
            protocol: self.ctx.reply.protocol,
        };
        let limit = match self.ctx.config.limits.busy_reply_threshold_ms {
            0 => u64::MAX,
            millis => millis.saturating_mul(1_000_000),
        };
        match self.drive(&mut running, with, limit, out) {
            Driven::Left => {
                self.suspend(running, command, args);
                ScriptEnd::Suspended
            }
            driven => ScriptEnd::Over(self.conclude(command, running, &driven)),
        }
    }

    /// Lets the script run until it ends or `limit` nanoseconds have passed.
    fn drive(
        &mut self,
        running: &mut Running,
        mut with: Resume,
        limit: u64,
        out: &mut Outbox,
    ) -> Driven {
        loop {
            let Some(step) = running.machine.resume(with) else {
                return Driven::Broken;
            };
            with = match step {
                Step::Call => {
                    self.call_for_script(running, out);
                    Resume::Reply
                }
                Step::Tick => {
                    running.ticks += 1;
                    let measured = (self.stopwatch)().saturating_sub(running.since);
                    let passed = match measured {
                        0 => running.ticks.saturating_mul(TICK_NANOS),
                        measured => measured,
                    };
                    if passed >= limit {
                        return Driven::Left;
                    }
                    Resume::GoOn
                }
                Step::Log { level, line } => {
                    self.log_for_script(level, &line);
                    Resume::GoOn
                }
                Step::AclCheck => {
                    let words = running.machine.desk().words.borrow();
                    let args = words.args();
                    // There is one user, who may do everything.
                    Resume::Verdict(self.ctx.commands.resolve(&args).ok().map(|_| true))
                }
                Step::Clock => Resume::Clock((self.stopwatch)()),
                Step::Finished(end) => return Driven::Over(end),
                Step::Ready | Step::Compiled(_) => Resume::GoOn,
            };
        }
    }

    /// Runs one command of the script; the reply goes to the machine's desk.
    fn call_for_script(&mut self, running: &mut Running, out: &mut Outbox) {
        let desk = running.machine.desk();
        let words = desk.words.take();
        let mut reply = desk.reply.take();
        reply.clear(REPLY_KEPT_BYTES);
        let protocol = desk.protocol.get();
        std::mem::swap(self.ctx.reply.buf, &mut reply);
        let caller = std::mem::replace(&mut self.ctx.reply.protocol, protocol);
        let args = words.args();
        self.ctx.hashed = None;
        let resolved = self.ctx.commands.resolve(&args).ok();
        let admitted = self.admit(running, resolved, &args);
        match admitted {
            Ok(command) => {
                self.execute(command, &args, out);
                if !self.ctx.clients.monitors.is_empty() {
                    self.tell_monitors_of_script(command, &args);
                }
            }
            Err(ref error) => {
                if let Some(command) = resolved {
                    self.ctx.observed.commands[usize::from(command)].rejected += 1;
                }
                self.answer_error(error);
            }
        }
        std::mem::swap(self.ctx.reply.buf, &mut reply);
        self.ctx.reply.protocol = caller;
        if let Ok(command) = admitted
            && self.ctx.effects.any
        {
            // Scripts wait for nothing, so there is no flow to look at.
            self.carry_out(command, &args, out);
        }
        let desk = running.machine.desk();
        desk.reply.replace(reply);
        desk.words.replace(words);
    }

    /// Whether the script may run this.
    fn admit(
        &self,
        running: &mut Running,
        resolved: Option<CommandId>,
        args: &Args<'_>,
    ) -> Result<CommandId, CmdError> {
        let refuse = |text| Err(CmdError::fixed(text));
        let Some(command) = resolved else {
            return refuse("ERR Unknown Redis command called from script");
        };
        let row = self.ctx.commands.row(command);
        if !row.spec.accepts(args.len()) {
            return refuse("ERR Wrong number of args calling Redis command from script");
        }
        if row.flags.has(Flags::NOSCRIPT) {
            return refuse("ERR This Redis command is not allowed from script");
        }
        if row.flags.has(Flags::WRITE.and(Flags::MAY_REPLICATE)) {
            if running.run.read_only {
                return refuse("ERR Write commands are not allowed from read-only scripts.");
            }
            if row.flags.has(Flags::WRITE) && self.ctx.persist.gate() == Gate::ReadOnly {
                return Err(CmdError::text(self.ctx.persist.refusal()));
            }
            if !running.has_written && running.is_out_of_memory && row.flags.has(Flags::DENYOOM) {
                return Err(super::evict::REFUSAL);
            }
            running.has_written |= row.flags.has(Flags::WRITE);
        }
        Ok(command)
    }

    fn log_for_script(&mut self, level: u8, line: &str) {
        let level = match level {
            0 => LogLevel::Debug,
            1 => LogLevel::Verbose,
            2 => LogLevel::Notice,
            _ => LogLevel::Warning,
        };
        if level.is_logged_at(self.ctx.config.logging.loglevel) {
            self.ctx.host.log(level, line);
        }
    }

    /// Leaves the script where it is and makes its connection wait.
    fn suspend(&mut self, running: Running, command: CommandId, args: &Args<'_>) {
        let millis = (self.stopwatch)().saturating_sub(running.begun) / 1_000_000;
        let sha = self.ctx.scripts.sha(running.run.script);
        let name = String::from_utf8_lossy(&sha);
        let line = format!(
            "Slow script detected: still in execution after {millis} milliseconds. You can try \
             killing the script using the SCRIPT KILL command. Script name is: {name}."
        );
        self.ctx.host.log(LogLevel::Warning, &line);
        self.ctx.scripts.busy = Some(Busy {
            has_written: running.has_written,
            is_killed: false,
        });
        let session = self.ctx.session();
        session.flags.set(SessionFlags::BLOCKED);
        self.ctx.clients.blocked += 1;
        *self.suspended = Some(Box::new(Suspended {
            running,
            conn: self.ctx.conn,
            command,
            args: OwnedArgs::copy_of(args),
            rest: None,
            is_closed: false,
            pushes: std::mem::take(&mut self.pushes),
        }));
    }

    /// Puts everything back that the script has borrowed, and takes its reply.
    fn conclude(&mut self, command: CommandId, running: Running, driven: &Driven) -> Outcome {
        self.ctx.command = command;
        self.ctx.scripts.busy = None;
        self.ctx.scripts.is_running = false;
        self.ctx.db = running.db;
        let session = self.ctx.session();
        session.db = running.db;
        session
            .flags
            .put(SessionFlags::EXECUTING, running.was_executing);
        let Driven::Over(end) = driven else {
            // Scripts are compiled again when they are wanted.
            self.ctx.scripts.flush();
            return Err(CmdError::fixed("ERR the Lua machine has failed"));
        };
        let desk = running.machine.desk();
        let outcome = match end {
            End::Replied => {
                self.ctx.reply.buf.append(&mut desk.result.borrow_mut());
                self.count_nested(command, &desk.nested.take());
                Ok(())
            }
            End::RepliedError { counted } => {
                let line = desk.result.borrow().to_vec();
                let line = line.strip_prefix(b"-").unwrap_or(&line);
                let line = line.strip_suffix(b"\r\n").unwrap_or(line);
                self.fail(command, line.to_vec(), *counted)
            }
            End::Failed { counted } => {
                let mut line = desk.text.borrow().clone();
                if let Some((name, at)) = desk.place.borrow_mut().take() {
                    let sha = self.ctx.scripts.sha(running.run.script);
                    let sha = String::from_utf8_lossy(&sha);
                    line.extend_from_slice(format!(" script: {sha}, on {name}:{at}.").as_bytes());
                }
                self.fail(command, line, *counted)
            }
        };
        desk.tidy();
        self.ctx.scripts.machine = Some(running.machine);
        outcome
    }

    /// Errors within a reply count as failures: each that a command has failed with, and all others
    /// together.
    fn count_nested(&mut self, command: CommandId, nested: &Nested) {
        let observed = &mut *self.ctx.observed;
        observed.commands[usize::from(command)].failed +=
            nested.counted + u64::from(!nested.fresh.is_empty());
        for word in &nested.fresh {
            observed.stats.count_error(&String::from_utf8_lossy(word));
        }
    }

    /// Answers with an error, which may have been counted when a command of the script failed.
    fn fail(&mut self, command: CommandId, line: Vec<u8>, counted: bool) -> Outcome {
        if counted {
            self.ctx.observed.commands[usize::from(command)].failed += 1;
            self.ctx.reply.error(&line);
            return Ok(());
        }
        Err(CmdError::Bytes(line.into()))
    }

    /// Gives the script its slice, and goes on with its transaction after it. Nothing is left when
    /// the connection may go on.
    fn continue_script(&mut self, mut suspended: Box<Suspended>, out: &mut Outbox) {
        let with = match self.ctx.scripts.busy {
            Some(busy) if busy.is_killed => Resume::Kill,
            _ => Resume::GoOn,
        };
        self.pushes = std::mem::take(&mut suspended.pushes);
        let running = &mut suspended.running;
        (running.since, running.ticks) = (self.stamp, 0);
        let driven = self.drive(running, with, SLICE_NANOS, out);
        if matches!(driven, Driven::Left) {
            if let Some(busy) = &mut self.ctx.scripts.busy {
                busy.has_written = suspended.running.has_written;
            }
            suspended.pushes = std::mem::take(&mut self.pushes);
            *self.suspended = Some(suspended);
            return;
        }
        // Its wait is over; what follows in its transaction may make it wait anew.
        let over = SessionFlags(SessionFlags::BLOCKED.0 | SessionFlags::UNBLOCKED.0);
        self.ctx.session().flags.clear(over);
        self.ctx.clients.blocked -= 1;
        let Suspended {
            running,
            command,
            args,
            rest,
            ..
        } = *suspended;
        let (db, begun) = (self.ctx.db, running.begun);
        let mark = self.ctx.reply.buf.mark();
        let before = self.ctx.reply.buf.len();
        let outcome = self.conclude(command, running, &driven);
        self.account(command, &args.args(), outcome, (begun, before, db));
        if self.ctx.feed.is_wanted() {
            // What the script has changed was recorded as it did so.
            let changes = self.ctx.keyspace.changes();
            self.end_record(command, &args.args(), (changes, db));
        }
        if let Some((multi, next)) = rest {
            self.run_queue(multi, next, out);
        }
        if self.suspended.is_none() {
            let session = self.ctx.session();
            if session.flags.has(SessionFlags::SILENT) {
                session.flags.clear(SessionFlags::REPLY_SKIP);
                self.ctx.reply.buf.truncate(mark);
            }
            if !self.pushes.is_empty() {
                self.ctx.reply.buf.append(&mut self.pushes);
            }
            if self.ctx.keyspace.has_ready() {
                self.serve_ready(out);
            }
        }
    }
}

impl Engine {
    /// Whether a script keeps the server busy, or something is to be told at the end of a turn: it
    /// shall be turned again though nothing happens.
    #[must_use]
    pub fn is_busy(&self) -> bool {
        self.suspended.is_some() || self.outward.has_work()
    }

    /// Gives the script that keeps the server busy its slice of this turn.
    #[cold]
    pub(super) fn serve_script(&mut self, now: Now, out: &mut Outbox) {
        let Some(suspended) = self.suspended.take() else {
            return;
        };
        let (conn, is_closed) = (suspended.conn, suspended.is_closed);
        let mut output = self.take_output(conn);
        // The dataset's time stands still, the clock that TIME shows does not.
        let mut runner = self.lend(now, conn, &mut output);
        runner.continue_script(suspended, out);
        self.return_output(conn, output);
        if let Some(again) = &mut self.suspended {
            again.is_closed = is_closed;
            return;
        }
        self.keyspace.set_now(now);
        if is_closed {
            self.on_closed(conn);
            return;
        }
        if let Some(row) = self.clients.get_mut(conn) {
            row.session.last_active = now.monotonic;
        }
        self.clients.condemn_finished(conn);
        self.resume(now, conn, out);
    }
}

impl Flow {
    /// Whether the next request may run.
    pub(super) const fn goes_on(self) -> bool {
        matches!(self, Self::Continue)
    }
}
