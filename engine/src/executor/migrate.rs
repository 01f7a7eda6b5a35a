//! MIGRATE under way: keys leave for another server, and are removed once it has them.
//!
//! Shape: there is one at a time. First the other side answers AUTH and SELECT, where they may be
//! refused; then a RESTORE a key is sent, dumped when what came before has left, so that no more
//! than one large value is held twice; the replies come in the same order. Keys are removed at the
//! end, all in one unit.
//! Invariant: from the first to the last moment nobody else changes anything: commands that may
//! write wait, and what expires is kept.

use super::outward::{News, Purpose};
use super::persist::NOBODY;
use super::{Engine, NEVER, Runner};
use crate::base::number::{Digits, write_i64};
use crate::base::{ConnId, Micros, Now};
use crate::codec::aof::write::command as write_command;
use crate::codec::dump::dump;
use crate::codec::rdb::Compression;
use crate::command::migration::{Arriving, Leaving, Migration};
use crate::command::{CmdError, Outcome};
use crate::keyspace::EventClasses;
use crate::resp::{ReplyBuf, Value, ValueReader};
use crate::seam::host::LogLevel;
use crate::seam::machine::{Outbox, Ticket};
use crate::seam::poller::Close;
use bytes::Bytes;
use std::collections::VecDeque;

/// Bytes that are handed to the poller at a time: each time is a sign of life.
const PIECE_BYTES: usize = 256 * 1024;
/// Longest reply that is read; those that are expected are one line.
const REPLY_BYTES_MAX: usize = 64 * 1024;

/// How the other side has gone.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
enum Lost {
    /// Before there was a connection.
    Connecting,
    /// While something was to be sent.
    Writing,
    /// While a reply was awaited.
    Reading,
}

impl Lost {
    const fn text(self) -> &'static str {
        match self {
            Self::Connecting => "IOERR error or timeout connecting to the client",
            Self::Writing => "IOERR error or timeout writing to target instance",
            Self::Reading => "IOERR error or timeout reading to target instance",
        }
    }
}

/// A MIGRATE under way.
#[derive(Debug)]
pub(super) struct Migrating {
    asked: Migration,
    /// Who waits for it.
    conn: ConnId,
    link: Ticket,
    is_open: bool,
    /// Replies to AUTH and SELECT that have not come.
    greetings: usize,
    /// One of them was refused: nothing of what the other side has is where it was to be.
    is_turned_away: bool,
    /// The first key that has not been dumped.
    next: usize,
    /// What has been dumped and not handed over.
    outgoing: VecDeque<Bytes>,
    /// Keys whose replies have not come.
    awaited: VecDeque<usize>,
    /// Keys that the other side has.
    arrived: Vec<usize>,
    reader: ValueReader,
    /// The first error that the other side has answered.
    refusal: Option<Vec<u8>>,
    lost: Option<Lost>,
    /// When the other side has been silent for too long; `None` if that begins to count in the
    /// next turn.
    deadline: Option<Micros>,
}

impl Migrating {
    /// Everything has been sent and answered, or nothing more will come.
    fn is_over(&self) -> bool {
        let has_all = self.greetings == 0
            && self.next == self.asked.keys.len()
            && self.outgoing.is_empty()
            && self.awaited.is_empty();
        self.lost.is_some() || (self.is_open && has_all)
    }

    /// A key that leaves before the greetings are answered comes to the right place all the same: a
    /// new connection is in database 0.
    fn may_leave_early(&self) -> bool {
        self.asked.login.is_empty() && self.asked.target_db == 0
    }

    /// Takes note of a sign of life.
    fn hear_life(&mut self, now: Now) {
        self.deadline = Some(now.monotonic.plus(self.asked.timeout));
    }

    /// AUTH and SELECT.
    fn greet(&mut self) -> Vec<u8> {
        let mut words = Vec::new();
        if !self.asked.login.is_empty() {
            let login = self.asked.login.iter().map(|word| &word[..]);
            let auth: Vec<&[u8]> = [b"AUTH".as_slice()].into_iter().chain(login).collect();
            write_command(&mut words, auth);
            self.greetings += 1;
        }
        let mut db = Vec::new();
        write_i64(&mut db, self.asked.target_db);
        write_command(&mut words, [b"SELECT".as_slice(), &db]);
        self.greetings += 1;
        words
    }

    /// Takes what the other side has sent, as far as it was asked for.
    fn take(&mut self, bytes: &[u8]) {
        self.reader.push(bytes);
        while !self.is_over() {
            match self.reader.pull() {
                // Nobody has asked for messages, and they shall not keep everybody waiting.
                Ok(Some(Value::Push(_))) | Err(_) => self.lost = Some(Lost::Reading),
                Ok(Some(value)) => self.take_reply(value),
                Ok(None) => break,
            }
        }
    }

    fn take_reply(&mut self, value: Value) {
        let error = match value {
            Value::Error(line) => Some(line),
            _ => None,
        };
        if self.greetings > 0 {
            self.greetings -= 1;
            if error.is_some() {
                self.is_turned_away = true;
                self.next = self.asked.keys.len();
            }
        } else if let Some(key) = self.awaited.pop_front() {
            if error.is_none() && !self.is_turned_away {
                self.arrived.push(key);
            }
        } else {
            self.lost = Some(Lost::Reading);
            return;
        }
        if self.refusal.is_none() {
            self.refusal = error;
        }
    }

    fn outcome(&self) -> Outcome {
        if let Some(line) = &self.refusal {
            let text = "ERR Target instance replied with error: ";
            return Err(CmdError::quoting(text, line, ""));
        }
        match self.lost {
            Some(lost) => Err(CmdError::fixed(lost.text())),
            None => Ok(()),
        }
    }
}

impl Runner<'_> {
    /// Begins what MIGRATE has asked for.
    pub(super) fn begin_migration(&mut self, asked: Migration, out: &mut Outbox) {
        let link = (self.outward).open(Purpose::Migration, asked.peer.clone(), out);
        self.ctx.clients.frozen = true;
        self.ctx.keyspace.keeps_expired = true;
        *self.migrating = Some(Box::new(Migrating {
            asked,
            conn: self.ctx.conn,
            link,
            is_open: false,
            greetings: 0,
            is_turned_away: false,
            next: 0,
            outgoing: VecDeque::new(),
            awaited: VecDeque::new(),
            arrived: Vec::new(),
            reader: ValueReader::new(REPLY_BYTES_MAX),
            refusal: None,
            lost: None,
            deadline: None,
        }));
    }

    /// Removes keys that are somewhere else now, as DEL would, and records that as one.
    fn remove_migrated(&mut self, migrating: &Migrating) {
        let asked = &migrating.asked;
        let db = asked.db;
        let is_recorded = self.ctx.feed.is_wanted();
        if is_recorded {
            self.ctx.feed.begin_unit();
            for (db, key) in self.ctx.keyspace.take_removed() {
                self.ctx.feed.removed(db, &key);
            }
        }
        for index in &migrating.arrived {
            let key = self.ctx.keyspace.key(&asked.keys[*index]);
            if !self.ctx.keyspace.db(db).remove(&key) {
                continue;
            }
            let (class, event) = (EventClasses::GENERIC, "del");
            self.ctx.keyspace.notify(class, event, db, key.bytes);
            if is_recorded {
                self.ctx.feed.removed(db, key.bytes);
            }
        }
        if is_recorded {
            self.ctx.feed.end_unit();
            let end = self.ctx.feed.end();
            if let Some(conn) = self.ctx.clients.get_mut(migrating.conn) {
                conn.session.last_write = end;
            }
        }
        self.settle(db);
    }
}

impl Engine {
    /// What has come of the connection to the other side.
    pub(super) fn hear_migration(&mut self, now: Now, link: Ticket, news: News<'_>) {
        let Some(migrating) = self.migrating.as_deref_mut() else {
            return;
        };
        if migrating.link != link {
            return;
        }
        migrating.hear_life(now);
        match news {
            News::Open => {
                migrating.is_open = true;
                let greeting = migrating.greet();
                if let Some(output) = self.outward.output(link) {
                    output.tail().extend_from_slice(&greeting);
                }
            }
            News::Received(bytes) => migrating.take(bytes),
            News::Drained => {}
            News::Ended(fault) => {
                if let Some(fault) = fault {
                    let line = format!("MIGRATE to {}: {fault}", migrating.asked.peer);
                    self.host.log(LogLevel::Notice, &line);
                }
                let lost = if migrating.is_open {
                    Lost::Reading
                } else {
                    // A refused connection, which real servers notice when they write.
                    Lost::Writing
                };
                if !migrating.is_over() {
                    migrating.lost = Some(lost);
                }
            }
        }
    }

    /// When the migration under way needs attention, if nothing happens before.
    pub(super) fn migration_due(&self) -> Micros {
        let Some(migrating) = &self.migrating else {
            return NEVER;
        };
        match migrating.deadline {
            Some(deadline) if !migrating.is_over() && !self.may_send(migrating) => deadline,
            _ => Micros(0),
        }
    }

    /// Whether more can be given to the poller now.
    fn may_send(&self, migrating: &Migrating) -> bool {
        let has_more =
            migrating.next < migrating.asked.keys.len() || !migrating.outgoing.is_empty();
        has_more
            && migrating.is_open
            && (migrating.greetings == 0 || migrating.may_leave_early())
            && self.outward.unsent(migrating.link) == 0
    }

    /// Sends what can be sent, and ends the migration when there is nothing more to be had.
    pub(super) fn go_on_migrating(&mut self, now: Now, out: &mut Outbox) {
        let Some(mut migrating) = self.migrating.take() else {
            return;
        };
        if migrating.deadline.is_none() {
            migrating.hear_life(now);
        }
        let is_late = migrating
            .deadline
            .is_some_and(|deadline| deadline <= now.monotonic);
        if is_late && !migrating.is_over() {
            migrating.lost = Some(if !migrating.is_open {
                Lost::Connecting
            } else if self.outward.unsent(migrating.link) > 0 {
                Lost::Writing
            } else {
                Lost::Reading
            });
        }
        if self.may_send(&migrating) && migrating.lost.is_none() {
            self.send_keys(&mut migrating);
            // To dump a large value takes its time, which is not the other side's.
            migrating.deadline = None;
        }
        if !migrating.is_over() {
            self.migrating = Some(migrating);
            return;
        }
        let (conn, outcome) = (migrating.conn, migrating.outcome());
        self.end_migration(now, &migrating, out);
        self.finish_wait(now, conn, outcome);
    }

    /// Ends a migration whose client waits no more.
    pub(super) fn give_up_migration(&mut self, now: Now, out: &mut Outbox) {
        if let Some(migrating) = self.migrating.take() {
            self.end_migration(now, &migrating, out);
        }
    }

    fn end_migration(&mut self, now: Now, migrating: &Migrating, out: &mut Outbox) {
        let how = match migrating.lost {
            None => Close::Graceful,
            Some(_) => Close::Now,
        };
        self.outward.close(migrating.link, how, out);
        if migrating.asked.leaving == Leaving::Moved && !migrating.arrived.is_empty() {
            let mut unused = ReplyBuf::new();
            self.lend(now, NOBODY, &mut unused)
                .remove_migrated(migrating);
        }
        self.clients.frozen = false;
        self.keyspace.keeps_expired = self.clients.is_paused();
        self.blocked.pause_ended = true;
    }

    /// Gives the poller its next piece.
    fn send_keys(&mut self, migrating: &mut Migrating) {
        let mut len = 0;
        while len < PIECE_BYTES {
            if migrating.outgoing.is_empty() && !self.dump_next(migrating) {
                break;
            }
            let Some(output) = self.outward.output(migrating.link) else {
                return;
            };
            if let Some(piece) = migrating.outgoing.pop_front() {
                len += piece.len();
                output.splice(piece);
            }
        }
    }

    /// Dumps the next key that is still there; false when there is none.
    fn dump_next(&self, migrating: &mut Migrating) -> bool {
        let asked = &migrating.asked;
        let compression = if self.config.persistence.rdbcompression {
            Compression::On
        } else {
            Compression::Off
        };
        while let Some(name) = asked.keys.get(migrating.next) {
            let index = migrating.next;
            migrating.next += 1;
            let key = self.keyspace.key(name);
            let Some(entry) = self.keyspace.peek_db(asked.db).peek(&key) else {
                // Its time has come since the command was given.
                continue;
            };
            let now_ms = self.keyspace.now().unix_ms();
            let ttl = entry
                .deadline()
                .map_or(0, |at| at.saturating_sub(now_ms).max(1));
            let (ttl, payload) = (Digits::of_u64(ttl), dump(entry, compression));
            let words: [&[u8]; 5] = [b"RESTORE", name, ttl.as_bytes(), &payload, b"REPLACE"];
            let count = 4 + usize::from(asked.arriving == Arriving::Replacing);
            let mut request = Vec::with_capacity(payload.len() + name.len() + 100);
            write_command(&mut request, &words[..count]);
            migrating.awaited.push_back(index);
            let mut request = Bytes::from(request);
            while request.len() > PIECE_BYTES {
                migrating.outgoing.push_back(request.split_to(PIECE_BYTES));
            }
            migrating.outgoing.push_back(request);
            return true;
        }
        false
    }
}
