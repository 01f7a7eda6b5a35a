//! The turns of a life: what is asked in each, and what the answers must be.

use super::{Asked, TURN_US_MAX, What, World, below};
use crate::recovery::Kind;
use crate::recovery::life::{Heard, Life, at};
use crate::recovery::model::{Change, Data, Model, Op, asked, reply_len};
use dovetail_engine::config::AppendFsync;
use dovetail_engine::seam::host::LogLevel;

/// The clients that write, and those that do something else.
const WRITERS: usize = 4;
const READER: usize = 4;
const ADMIN: usize = 5;
/// Requests that a client leaves unanswered.
const ASKED_MAX: usize = 3;
/// Microseconds within which what was written is durable under `everysec`.
const EVERYSEC_US: u64 = 2_000_000;

/// A line of the log.
type Line = (LogLevel, String);

/// How the log was configured before a turn.
struct Before {
    appendonly: bool,
    fsync: AppendFsync,
    is_loose: bool,
    failed_syncs: u64,
}

impl World {
    /// Something happens.
    pub(super) fn event(&mut self, life: &mut Life) -> Result<(), String> {
        match self.rng.below(100) {
            0..=54 => self.writes(life),
            55..=66 => self.read(life),
            67..=76 => self.admin(life),
            77..=80 => self.wait(life),
            81..=92 => self.idle(life),
            93..=95 => self.disturb_child(life),
            _ if self.kind == Kind::Faults => self.disturb_disk(life),
            _ => self.idle(life),
        }
    }

    fn disturb_child(&mut self, life: &mut Life) -> Result<(), String> {
        if self.chance(60) {
            self.tell("the next child cannot be had");
            life.process.refuse_next();
        } else {
            let calls = self.rng.below(12);
            self.tell(format!("the next child is killed after {calls} calls"));
            life.process.kill_next_after(calls);
        }
        self.idle(life)
    }

    fn disturb_disk(&mut self, life: &mut Life) -> Result<(), String> {
        match self.rng.below(4) {
            0 => {
                let room = self.rng.below(4000);
                self.tell(format!("room for {room} bytes"));
                self.disk.set_capacity(Some(self.disk.used() + room));
            }
            1 => {
                self.tell("nothing fails any more");
                self.disk.forgive();
            }
            _ => self.fail_a_call(),
        }
        self.idle(life)
    }

    fn idle(&mut self, life: &mut Life) -> Result<(), String> {
        let turns = if self.chance(60) { 40 } else { 3 };
        for _ in 0..1 + self.rng.below(turns) {
            self.turn(life, |_, _| {})?;
            if self.disk.is_dead() {
                break;
            }
        }
        Ok(())
    }

    fn word(&mut self) -> Vec<u8> {
        self.words += 1;
        let mut word = format!("w{}", self.words).into_bytes();
        let more = match self.rng.below(20) {
            0 => 2000,
            1..=3 => 300,
            _ => 20,
        };
        let len = below(&mut self.rng, more);
        word.resize(word.len() + len, b'.');
        word
    }

    fn draw_op(&mut self, client: usize) -> Op {
        let any = self.rng.below(6);
        let key = |kind: &str| format!("{kind}{any}");
        let one = match self.rng.below(16) {
            0..=4 => Change::Incr(format!("count{client}")),
            5 => Change::Append(key("text"), self.word()),
            6 => Change::Set(key("text"), self.word()),
            7 | 8 => {
                let millis = match self.rng.below(3) {
                    0 => 1 + self.rng.below(100),
                    1 => 1 + self.rng.below(3000),
                    _ => 100_000,
                };
                Change::SetFor(key("text"), self.word(), millis)
            }
            9 => Change::Expire(key("list"), 1 + self.rng.below(4000)),
            10 => Change::Persist(key("text")),
            11 | 12 => Change::Push(key("list"), self.word()),
            13 => Change::Pop(key("list")),
            14 => Change::Del(vec![key("text"), key("list"), key("text")]),
            _ => Change::Rename(key("text"), format!("text{}", self.rng.below(6))),
        };
        let changes = match self.rng.below(5) {
            0 => {
                let word = self.word();
                let pair = [key("left"), key("right")];
                let pair = pair.map(|key| Change::Set(key, word.clone()));
                pair.into_iter()
                    .chain([one, Change::Incr(key("both"))])
                    .collect()
            }
            _ => vec![one],
        };
        let db = self.clients[client].db;
        Op { db, changes }
    }

    /// Some clients write at once.
    fn writes(&mut self, life: &mut Life) -> Result<(), String> {
        if self.rng.below(100) == 0 && self.room(0) > 0 {
            let changes = vec![Change::FlushAll];
            self.stores.may_be_saved(Model::default());
            return self.write(life, vec![(0, Op { db: 0, changes })]);
        }
        let mut ops = Vec::new();
        for client in 0..WRITERS {
            let room = self.room(client);
            if room > 0 && self.rng.below(2) == 0 {
                for _ in 0..1 + below(&mut self.rng, room) {
                    ops.push((client, self.draw_op(client)));
                }
            }
        }
        self.write(life, ops)
    }

    /// How many requests a client may send now.
    fn room(&self, client: usize) -> usize {
        let waiting = &self.clients[client].asked;
        // What follows WAITAOF is not run before it has ended.
        let is_blocked = |asked: &Asked| matches!(asked.what, What::Wait { .. });
        match waiting.iter().any(is_blocked) {
            true => 0,
            false => ASKED_MAX - waiting.len().min(ASKED_MAX),
        }
    }

    fn write(&mut self, life: &mut Life, ops: Vec<(usize, Op)>) -> Result<(), String> {
        let is_logged = life.engine.config().persistence.appendonly;
        let is_clear = self.clients.iter().all(|client| client.asked.is_empty());
        if ops.is_empty() || !(is_logged || is_clear) {
            // Without a log only the answers tell what was done.
            return self.idle(life);
        }
        let mut wires = vec![Vec::new(); WRITERS];
        for (client, op) in &ops {
            self.tell(format!("{client}: {op:?}"));
            wires[*client].extend(op.wire());
        }
        self.turn(life, |world, life| {
            let now = at(world.us);
            let before = life.feed_end();
            // In the order of the operations: those of a client stand together.
            for (client, wire) in wires
                .iter()
                .enumerate()
                .filter(|(_, wire)| !wire.is_empty())
            {
                life.deliver(now, world.clients[client].conn, wire);
            }
            life.run(now);
            world.sent = Some((ops, is_logged.then(|| life.feed_end() > before)));
        })
    }

    /// What a batch has done, which its answers tell where there is no log.
    fn account(&mut self, heard: &[Heard]) {
        let Some((ops, truth)) = self.sent.take() else {
            return;
        };
        let is_refused = |(_, bytes): &Heard| contains(bytes, b"-MISCONF");
        let is_done = truth.unwrap_or_else(|| !heard.iter().any(is_refused));
        let (now_ms, since_us) = (self.unix_ms(), self.us);
        let mut imagined = self.stores.timeline.head.clone();
        for (client, op) in ops {
            let (moment, answer, would_change) = if is_done {
                let (answer, moment) = self.stores.timeline.apply(&op, now_ms);
                (moment, answer, moment.is_some())
            } else {
                let (answer, changes) = imagined.apply(&op, now_ms);
                (None, answer, changes)
            };
            let who = &mut self.clients[client];
            who.last = moment.or(who.last);
            who.asked.push_back(Asked {
                what: What::Write {
                    moment,
                    answer,
                    is_done,
                    would_change,
                },
                replies: op.replies(),
                since_us,
            });
        }
        if !is_done {
            self.tell("  (nothing of that was done)");
        }
    }

    fn read(&mut self, life: &mut Life) -> Result<(), String> {
        if self.clients[READER].asked.len() >= ASKED_MAX {
            return self.idle(life);
        }
        let key = format!("text{}", self.rng.below(6));
        self.turn(life, |world, life| {
            let now = at(world.us);
            life.deliver(now, world.clients[READER].conn, &asked(&["GET", &key]));
            let state = world.stores.timeline.head.at(world.unix_ms());
            let answer = match state.keys.get(&(0, key)).map(|value| &value.data) {
                Some(Data::Text(text)) => crate::recovery::model::bulk(text),
                _ => b"$-1\r\n".to_vec(),
            };
            let moment = world.stores.timeline.now();
            world.ask(READER, What::Read { moment, answer });
        })
    }

    fn ask(&mut self, client: usize, what: What) {
        let since_us = self.us;
        self.clients[client].asked.push_back(Asked {
            what,
            replies: 1,
            since_us,
        });
    }

    /// A client wants to know that its last change is safe.
    fn wait(&mut self, life: &mut Life) -> Result<(), String> {
        let client = below(&mut self.rng, WRITERS);
        let who = &self.clients[client];
        if !life.engine.config().persistence.appendonly || !who.asked.is_empty() {
            return self.idle(life);
        }
        let moment = who.last.filter(|_| self.stores.is_logging());
        self.tell(format!("{client}: WAITAOF for {moment:?}"));
        self.turn(life, |world, life| {
            let wire = asked(&["WAITAOF", "1", "0", "800"]);
            life.deliver(at(world.us), world.clients[client].conn, &wire);
            world.ask(client, What::Wait { moment });
        })
    }

    fn admin(&mut self, life: &mut Life) -> Result<(), String> {
        const LINES: &[&str] = &[
            "BGREWRITEAOF",
            "BGREWRITEAOF",
            "BGREWRITEAOF",
            "BGSAVE",
            "BGSAVE SCHEDULE",
            "SAVE",
            "CONFIG SET appendonly no",
            "CONFIG SET appendonly yes",
            "CONFIG SET appendonly yes",
            "CONFIG SET appendfsync always",
            "CONFIG SET appendfsync everysec",
            "CONFIG SET appendfsync no",
            "CONFIG SET aof-use-rdb-preamble yes",
            "CONFIG SET aof-use-rdb-preamble no",
            "CONFIG SET aof-timestamp-enabled yes",
            "CONFIG SET no-appendfsync-on-rewrite yes",
            "CONFIG SET no-appendfsync-on-rewrite no",
            "CONFIG SET aof-disable-auto-gc yes",
            "CONFIG SET aof-disable-auto-gc no",
            "CONFIG SET aof-checksum yes",
            "CONFIG SET aof-checksum no",
        ];
        // The last line would make garbage look like data.
        let count = LINES.len() - usize::from(self.kind == Kind::Garbage);
        let line = LINES[below(&mut self.rng, count)];
        // Without a log it would make one that is of that moment and no other.
        let makes_log = line == "BGREWRITEAOF" && !self.config.persistence.appendonly;
        if makes_log || !self.clients[ADMIN].asked.is_empty() {
            return self.idle(life);
        }
        self.command(life, line)?;
        if !self.disk.is_dead() {
            self.config = life.engine.config().clone();
        }
        Ok(())
    }

    fn command(&mut self, life: &mut Life, line: &str) -> Result<(), String> {
        self.tell(format!("admin: {line}"));
        if line == "SAVE" {
            self.stores.may_be_saved(self.stores.timeline.head.clone());
        }
        self.turn(life, |world, life| {
            let words: Vec<_> = line.split(' ').collect();
            life.deliver(at(world.us), world.clients[ADMIN].conn, &asked(&words));
            world.ask(ADMIN, What::Admin(line.to_owned()));
        })
    }

    /// The server ends as it was asked to.
    pub(super) fn shut_down(&mut self, life: &mut Life) -> Result<(), String> {
        if !self.clients[ADMIN].asked.is_empty() {
            return Ok(());
        }
        self.stores.may_be_saved(self.stores.timeline.head.clone());
        self.command(life, "SHUTDOWN")?;
        if life.is_over() && !self.disk.is_dead() && self.stores.is_logging() {
            self.stores.closed();
        }
        Ok(())
    }

    /// A write after the last fault; whether everything is well again.
    pub(super) fn trial(&mut self, life: &mut Life) -> Result<bool, String> {
        for _ in 0..8 {
            self.turn(life, |_, _| {})?;
            if self.disk.is_dead() {
                return Ok(false);
            }
        }
        let is_quiet = self.clients.iter().all(|client| client.asked.is_empty());
        let wants_log = life.engine.config().persistence.appendonly;
        if !is_quiet || wants_log && !self.stores.is_logging() {
            return Ok(false);
        }
        let before = self.stores.timeline.now();
        let changes = vec![Change::Incr("trial".to_owned())];
        self.write(life, vec![(0, Op { db: 0, changes })])?;
        Ok(self.stores.timeline.now() > before)
    }

    /// One turn, in which `work` is what arrives.
    fn turn(
        &mut self,
        life: &mut Life,
        work: impl FnOnce(&mut Self, &mut Life),
    ) -> Result<(), String> {
        self.us += 1 + self.rng.below(TURN_US_MAX);
        let persistence = &life.engine.config().persistence;
        let before = Before {
            appendonly: persistence.appendonly,
            fsync: persistence.appendfsync,
            is_loose: persistence.no_appendfsync_on_rewrite && life.process.has_child(),
            failed_syncs: self.disk.tally().failed_syncs,
        };
        work(self, life);
        let heard = life.turn(at(self.us));
        self.account(&heard);
        let is_dead = self.disk.is_dead();
        let is_on = life.engine.config().persistence.appendonly;
        let lines = life.process.take_lines();
        // What dies on the way may have become a log all the same.
        if is_on != before.appendonly && (is_on || !is_dead) {
            if is_on {
                self.stores.log_begins();
            } else {
                let is_lost = |(_, line): &Line| line.starts_with("The AOF is off; its end");
                self.stores.log_ends(!lines.iter().any(is_lost));
            }
        }
        self.hear_log(lines, &before);
        self.note_syncs();
        if is_dead {
            self.tell("dead");
            return Ok(());
        }
        self.settle(life, &before, heard)?;
        self.disk.tick();
        life.process.tick();
        Ok(())
    }

    /// What the log says of saves.
    fn hear_log(&mut self, lines: Vec<Line>, before: &Before) {
        for (_, line) in lines {
            self.tell(format!("log: {line}"));
            if line.starts_with("Background saving started") {
                self.stores.save_begins();
            } else if line.starts_with("Background append only file rewriting started") {
                self.stores.rewrite_begins();
                self.failed_at_fork = before.failed_syncs;
            } else if line == "Background saving terminated with success" {
                self.stores.save_done();
            } else if line == "Background AOF rewrite terminated with success" {
                self.stores.rewrite_done();
                self.doubt = self.disk.tally().failed_syncs > self.failed_at_fork;
                self.is_spoiled &= self.doubt;
                self.is_damaged &= self.doubt;
            } else if line == "DB saved on disk" {
                self.stores.is_saved();
            }
        }
    }

    /// Answers are compared, and what they promise is noted.
    fn settle(&mut self, life: &Life, before: &Before, heard: Vec<Heard>) -> Result<(), String> {
        let persistence = &life.engine.config().persistence;
        let policies = [before.fsync, persistence.appendfsync];
        let is_loose =
            before.is_loose || persistence.no_appendfsync_on_rewrite && life.process.has_child();
        let is_always = policies == [AppendFsync::Always; 2] && !is_loose;
        let is_weak = policies.contains(&AppendFsync::No)
            || is_loose
            || self.doubt
            || !self.stores.is_logging();
        if !is_always {
            self.loose_us = self.us;
        }
        for (conn, bytes) in heard {
            let client = self.clients.iter().position(|client| client.conn == conn);
            let client = client.ok_or("somebody who is gone is answered")?;
            self.clients[client].heard.extend(bytes);
            self.answers(client, is_always)?;
        }
        if is_weak {
            self.weak_us = self.us;
        }
        let delay = EVERYSEC_US.max(1_300_000 + 2 * self.sync_us);
        if self.us > self.weak_us + delay {
            self.stores.timeline.settle(self.us - delay);
        }
        self.nobody_waits_too_long()
    }

    fn nobody_waits_too_long(&self) -> Result<(), String> {
        let patience = 4_000_000 + 3 * self.sync_us;
        for client in &self.clients {
            for asked in &client.asked {
                let is_held = match asked.what {
                    What::Write { .. } | What::Admin(_) => self.kind == Kind::Faults,
                    What::Wait { .. } => true,
                    What::Read { .. } => false,
                };
                if !is_held && self.us > asked.since_us + patience {
                    return Err(format!("no answer since {}: {asked:?}", asked.since_us));
                }
            }
        }
        Ok(())
    }

    /// Takes whole answers of a client.
    fn answers(&mut self, client: usize, is_always: bool) -> Result<(), String> {
        loop {
            let who = &mut self.clients[client];
            let Some(asked) = who.asked.front() else {
                return match who.heard.is_empty() {
                    true => Ok(()),
                    false => Err(format!("{client} hears what it has not asked for")),
                };
            };
            let mut len = 0;
            for _ in 0..asked.replies {
                match reply_len(&who.heard[len..]) {
                    Some(one) => len += one,
                    None => return Ok(()),
                }
            }
            let answer: Vec<u8> = who.heard.drain(..len).collect();
            let asked = who.asked.pop_front().expect("looked at above");
            self.answer(client, &asked.what, &answer, is_always)?;
        }
    }

    fn answer(
        &mut self,
        client: usize,
        what: &What,
        found: &[u8],
        is_always: bool,
    ) -> Result<(), String> {
        let shown = found.escape_ascii();
        match what {
            What::Write {
                moment,
                answer,
                is_done,
                would_change,
            } => {
                let is_refused = contains(found, b"-MISCONF");
                let is_right = match (is_refused, is_done) {
                    (true, is_done) => !is_done,
                    (false, true) => found == answer,
                    (false, false) => found == answer && !would_change,
                };
                if !is_right {
                    let wanted = answer.escape_ascii();
                    return Err(format!("{client} hears {shown} instead of {wanted}"));
                }
                let Some(moment) = *moment else {
                    return Ok(());
                };
                self.stores.timeline.ack(moment, self.us);
                if is_always {
                    self.stores.always(moment);
                }
            }
            What::Read { moment, answer } => {
                if found != answer {
                    let wanted = answer.escape_ascii();
                    return Err(format!("a read gives {shown} instead of {wanted}"));
                }
                // While something is wrong, reads may show what is not safe yet.
                // So they may what was answered under another policy.
                let is_new = self.stores.timeline.since(*moment) > at(self.loose_us).unix_ms();
                if is_always && is_new && self.kind != Kind::Faults {
                    self.stores.always(*moment);
                }
            }
            What::Wait { moment } => {
                if found == b"*2\r\n:1\r\n:0\r\n"
                    && let Some(moment) = *moment
                    && self.stores.is_logging()
                {
                    self.stores.timeline.is_durable(moment);
                }
            }
            What::Admin(line) => self.tell(format!("  {line} -> {shown}")),
        }
        Ok(())
    }
}

fn contains(bytes: &[u8], what: &[u8]) -> bool {
    bytes.windows(what.len()).any(|window| window == what)
}
