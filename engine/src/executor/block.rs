//! Connections that wait: for keys, for replicas, for time, for the end of a pause.
//!
//! Who waits for keys is in those keys' queues (`Db`), in the order of arrival. When a key has
//! changed, the first in its queue has its command run again, in its own name; if it would wait once
//! more, it keeps its place. So a command that waits is written once, and whatever can make a key
//! ready wakes.
//! Cost: to wait, to be served and to be forgotten are logarithmic in those who wait.

use super::{Engine, Flow, NEVER, Runner};
use crate::base::map::{Map, hasher};
use crate::base::{ConnId, DbIndex, Micros, Now};
use crate::command::ctx::{BlockedOn, NO_LOG, Release};
use crate::command::{CmdError, CommandId, Outcome};
use crate::conn::SessionFlags;
use crate::keyspace::Keyspace;
use crate::resp::{Args, OwnedArgs, ReplyBuf};
use crate::seam::machine::Outbox;
use crate::value::{Kind, kind_of};
use std::collections::BTreeSet;

/// One waiting connection.
#[derive(Debug)]
struct Waiting {
    on: BlockedOn,
    deadline: Micros,
    /// Its place among all who wait.
    ticket: u64,
    db: DbIndex,
    command: CommandId,
    args: OwnedArgs,
}

impl Waiting {
    /// The keys it waits for.
    fn keys(&self) -> impl Iterator<Item = &[u8]> {
        let range = match &self.on {
            BlockedOn::Keys { keys, .. } => keys.clone(),
            _ => 0..0,
        };
        let args = self.args.args();
        range.map(move |index| args.get(index))
    }

    /// Whether it waits for the disk.
    fn is_for_disk(&self) -> bool {
        matches!(self.on, BlockedOn::Durability { .. })
    }

    /// What the keys must hold.
    fn kind(&self) -> Option<Kind> {
        match self.on {
            BlockedOn::Keys { kind, .. } => Some(kind),
            _ => None,
        }
    }
}

/// How a wait ends.
#[derive(Debug)]
enum Ending {
    /// In vain.
    LetGo(Release),
    /// With what the command has come to.
    Done(Outcome),
}

/// All waiting connections.
#[derive(Debug)]
pub(super) struct Blocked {
    waiting: Map<ConnId, Waiting>,
    deadlines: BTreeSet<(Micros, u64, ConnId)>,
    tickets: u64,
    released: Vec<(ConnId, Release)>,
    /// How many of them wait for the disk.
    for_disk: usize,
    /// Connections that have been answered, and whose next requests may run.
    served: Vec<ConnId>,
    /// Connections whose next command waits for the end of a pause.
    pub(super) paused: Vec<ConnId>,
    /// The pause has been ended by a command.
    pub(super) pause_ended: bool,
}

impl Blocked {
    /// Nobody waits; `seed` is for hashing.
    pub(super) fn new(seed: u64) -> Self {
        Self {
            waiting: Map::with_hasher(hasher(seed)),
            deadlines: BTreeSet::new(),
            tickets: 0,
            released: Vec::new(),
            for_disk: 0,
            served: Vec::new(),
            paused: Vec::new(),
            pause_ended: false,
        }
    }

    fn add(&mut self, conn: ConnId, mut waiting: Waiting, keyspace: &mut Keyspace) {
        self.tickets += 1;
        waiting.ticket = self.tickets;
        for key in waiting.keys() {
            keyspace.db(waiting.db).wait_for(key, waiting.ticket, conn);
        }
        self.deadlines
            .insert((waiting.deadline, waiting.ticket, conn));
        self.for_disk += usize::from(waiting.is_for_disk());
        self.waiting.insert(conn, waiting);
    }

    /// Takes `conn` out of those who wait.
    fn take(&mut self, conn: ConnId, keyspace: &mut Keyspace) -> Option<Waiting> {
        let waiting = self.waiting.remove(&conn)?;
        self.for_disk -= usize::from(waiting.is_for_disk());
        self.deadlines
            .remove(&(waiting.deadline, waiting.ticket, conn));
        for key in waiting.keys() {
            keyspace
                .db(waiting.db)
                .stop_waiting_for(key, waiting.ticket);
        }
        Some(waiting)
    }

    /// Lets `conn` go at the end of this turn.
    pub(super) fn release(&mut self, conn: ConnId, how: Release) {
        self.released.push((conn, how));
    }

    /// Who waits for nothing but what is on disk by now, of those who do.
    pub(super) fn durable_waiters(&self, durable: u64) -> Vec<ConnId> {
        if self.for_disk == 0 {
            return Vec::new();
        }
        let is_done = |waiting: &Waiting| match waiting.on {
            BlockedOn::Durability {
                offset,
                local,
                replicas,
            } => local > 0 && replicas == 0 && offset <= durable,
            _ => false,
        };
        let mut done: Vec<(u64, ConnId)> = self
            .waiting
            .iter()
            .filter(|(_, waiting)| is_done(waiting))
            .map(|(conn, waiting)| (waiting.ticket, *conn))
            .collect();
        done.sort_unstable_by_key(|(ticket, _)| *ticket);
        done.into_iter().map(|(_, conn)| conn).collect()
    }

    /// Whether `conn` waits for its MIGRATE.
    pub(super) fn is_for_migration(&self, conn: ConnId) -> bool {
        let waiting = self.waiting.get(&conn);
        waiting.is_some_and(|waiting| waiting.on == BlockedOn::Migration)
    }

    /// Forgets a connection that is gone.
    pub(super) fn forget(&mut self, conn: ConnId, keyspace: &mut Keyspace) {
        drop(self.take(conn, keyspace));
        self.released.retain(|(released, _)| *released != conn);
        self.served.retain(|served| *served != conn);
        self.paused.retain(|paused| *paused != conn);
    }

    /// Somebody is to be let go, or to go on.
    pub(super) fn has_work(&self, now: Now) -> bool {
        !self.released.is_empty() || !self.served.is_empty() || self.deadline() <= now.monotonic
    }

    /// When the first wait is up.
    pub(super) fn deadline(&self) -> Micros {
        self.deadlines.first().map_or(NEVER, |first| first.0)
    }

    /// Who is to be let go now, in order: those who were named, then those whose time is up.
    fn take_over(&mut self, now: Now, keyspace: &mut Keyspace) -> Vec<(ConnId, Waiting, Release)> {
        let mut over = Vec::new();
        for (conn, how) in std::mem::take(&mut self.released) {
            over.extend(
                self.take(conn, keyspace)
                    .map(|waiting| (conn, waiting, how)),
            );
        }
        while let Some((deadline, _, conn)) = self.deadlines.first().copied()
            && deadline <= now.monotonic
        {
            let waiting = self.take(conn, keyspace);
            over.extend(waiting.map(|waiting| (conn, waiting, Release::Timeout)));
        }
        over
    }
}

impl Engine {
    /// Answers those whose wait is over, and lets their next requests run.
    pub(super) fn serve_blocked(&mut self, now: Now, out: &mut Outbox) {
        // Who goes on may wait again at once, for something else: first all are taken out.
        for (conn, waiting, how) in self.blocked.take_over(now, &mut self.keyspace) {
            self.answer_waiting(now, conn, &waiting, Ending::LetGo(how));
            if waiting.on == BlockedOn::Migration {
                self.give_up_migration(now, out);
            }
            self.clients.let_go(conn, now.monotonic);
            self.blocked.served.push(conn);
        }
        // What runs now may serve others, who go on as well.
        while !self.blocked.served.is_empty() {
            for conn in std::mem::take(&mut self.blocked.served) {
                self.resume(now, conn, out);
            }
        }
    }

    /// Ends the wait of `id` with what its command has come to, OK or an error; what it has sent
    /// meanwhile is run at the end of this turn.
    pub(super) fn finish_wait(&mut self, now: Now, id: ConnId, outcome: Outcome) {
        let Some(waiting) = self.blocked.take(id, &mut self.keyspace) else {
            return;
        };
        self.answer_waiting(now, id, &waiting, Ending::Done(outcome));
        self.clients.let_go(id, now.monotonic);
        self.blocked.served.push(id);
    }

    fn answer_waiting(&mut self, now: Now, id: ConnId, waiting: &Waiting, how: Ending) {
        if self.clients.output_of(id).is_none() {
            return;
        }
        let mut output = self.take_output(id);
        let mut runner = self.lend(now, id, &mut output);
        runner.end_wait(waiting, how);
        self.return_output(id, output);
    }

    /// Ends a pause whose time is up, and lets the commands run that waited for it.
    pub(super) fn serve_paused(&mut self, now: Now, out: &mut Outbox) {
        let is_over = self
            .clients
            .pause
            .is_some_and(|pause| pause.until <= now.monotonic);
        if is_over {
            self.clients.pause = None;
        }
        if !is_over && !std::mem::take(&mut self.blocked.pause_ended) {
            return;
        }
        self.keyspace.keeps_expired = self.clients.is_paused();
        for conn in std::mem::take(&mut self.blocked.paused) {
            self.clients.let_go(conn, now.monotonic);
            self.resume(now, conn, out);
        }
    }
}

impl Runner<'_> {
    /// Makes the running connection wait.
    pub(super) fn block(
        &mut self,
        on: BlockedOn,
        deadline: Option<Micros>,
        command: CommandId,
        args: &Args<'_>,
    ) {
        if !self.ctx.may_block() {
            return;
        }
        let session = self.ctx.session();
        session.flags.set(SessionFlags::BLOCKED);
        session
            .flags
            .put(SessionFlags::HAS_TIMEOUT, deadline.is_some());
        self.ctx.clients.blocked += 1;
        let waiting = Waiting {
            on,
            deadline: deadline.unwrap_or(NEVER),
            ticket: 0,
            db: self.ctx.db,
            command,
            args: OwnedArgs::copy_of(args),
        };
        self.ctx.session().waiting_bytes = waiting.args.memory();
        self.ctx.clients.weigh(self.ctx.conn);
        self.blocked.add(self.ctx.conn, waiting, self.ctx.keyspace);
    }

    /// Answers a command that waits no more, and counts it.
    fn end_wait(&mut self, waiting: &Waiting, how: Ending) {
        let (begun, db) = (self.stamp, self.ctx.db);
        let (mark, before) = (self.ctx.reply.buf.mark(), self.ctx.reply.buf.len());
        self.ctx.command = waiting.command;
        let reply = &mut self.ctx.reply;
        let mut outcome = Ok(());
        match (how, &waiting.on) {
            (Ending::Done(Ok(())), _) => reply.ok(),
            (Ending::Done(error), _) => outcome = error,
            (Ending::LetGo(Release::Error), _) => {
                let text = "UNBLOCKED client unblocked via CLIENT UNBLOCK";
                outcome = Err(CmdError::fixed(text));
            }
            (_, BlockedOn::Keys { .. }) => reply.null_array(),
            (_, BlockedOn::Replicas { .. }) => reply.integer(0),
            (_, BlockedOn::Durability { local: 1.., .. }) if !self.ctx.persist.keeps_log() => {
                outcome = Err(CmdError::fixed(NO_LOG));
            }
            (_, BlockedOn::Migration) => {
                let text = "IOERR the wait for the target instance was cut short";
                outcome = Err(CmdError::fixed(text));
            }
            (_, BlockedOn::Durability { offset, .. }) => {
                let progress = self.ctx.persist.progress();
                let is_durable = self.ctx.persist.keeps_log() && progress.durable >= *offset;
                reply.array(2);
                reply.integer(i64::from(is_durable));
                reply.integer(0);
            }
        }
        let args = waiting.args.args();
        self.account(waiting.command, &args, outcome, (begun, before, db));
        if self.ctx.session().flags.has(SessionFlags::SILENT) {
            self.ctx.reply.buf.truncate(mark);
        }
        self.ctx.reply.buf.append(&mut self.pushes);
    }

    /// Serves those who wait for keys that have changed, first come first.
    #[cold]
    pub(super) fn serve_ready(&mut self, out: &mut Outbox) {
        // Serving one may make keys ready for others.
        while self.ctx.keyspace.has_ready() {
            for (db, key) in self.ctx.keyspace.take_ready() {
                self.serve_key(db, &key, out);
            }
        }
    }

    fn serve_key(&mut self, db: DbIndex, key: &[u8], out: &mut Outbox) {
        let mut from = 0;
        loop {
            let (key, keyspace) = (self.ctx.keyspace.key(key), &*self.ctx.keyspace);
            let entry = keyspace.peek_db(db).peek(&key);
            let Some(kind @ (Kind::List | Kind::SortedSet)) = entry.map(kind_of) else {
                // Nobody waits for anything else.
                return;
            };
            let Some((ticket, conn)) = keyspace.peek_db(db).next_waiter(key.bytes, from) else {
                return;
            };
            from = ticket + 1;
            // Who is being let go or closed shall not take what it would not be given.
            let over = SessionFlags(SessionFlags::UNBLOCKED.0 | SessionFlags::CLOSING.0);
            let other = self.ctx.clients.get(conn);
            if other.is_none_or(|other| other.closing || other.session.flags.has(over)) {
                continue;
            }
            if let Some(waiting) = self.blocked.waiting.get(&conn)
                && waiting.kind() == Some(kind)
            {
                let (command, args) = (waiting.command, waiting.args.clone());
                self.run_for(conn, command, &args, out);
            }
        }
    }

    /// Runs the command of a waiting connection again, in its name. If it need not wait any more, it
    /// has been answered and goes on at the end of this turn.
    fn run_for(&mut self, conn: ConnId, command: CommandId, args: &OwnedArgs, out: &mut Outbox) {
        let Some(other) = self.ctx.clients.output_of(conn) else {
            return;
        };
        // Each buffer is lent to the other's place meanwhile.
        std::mem::swap(self.ctx.reply.buf, &mut other.output);
        let (db, protocol) = (other.session.db, other.session.protocol);
        let silent = other.session.flags.has(SessionFlags::SILENT);
        let mine = (self.ctx.conn, self.ctx.db, self.ctx.reply.protocol);
        let pushes = std::mem::replace(&mut self.pushes, ReplyBuf::new());
        let command_before = self.ctx.command;
        (self.ctx.conn, self.ctx.db, self.ctx.reply.protocol) = (conn, db, protocol);
        self.ctx.hashed = None;
        let mark = self.ctx.reply.buf.mark();
        self.execute(command, &args.args(), out);
        if self.ctx.effects.block.take().is_none() {
            drop(self.blocked.take(conn, self.ctx.keyspace));
            self.ctx.clients.let_go(conn, self.ctx.now.monotonic);
            self.blocked.served.push(conn);
        }
        if self.ctx.effects.any {
            let _flow: Flow = self.carry_out(command, &args.args(), out);
        }
        if silent {
            self.ctx.reply.buf.truncate(mark);
        }
        if !self.pushes.is_empty() {
            self.ctx.reply.buf.append(&mut self.pushes);
        }
        self.pushes = pushes;
        (self.ctx.conn, self.ctx.db, self.ctx.reply.protocol) = mine;
        self.ctx.command = command_before;
        if let Some(other) = self.ctx.clients.get_mut(conn) {
            std::mem::swap(self.ctx.reply.buf, &mut other.output);
        }
    }
}
