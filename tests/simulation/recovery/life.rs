//! One process's life: an engine on the simulated disk, and the connections to it.

use super::model::{Data, Model, Value, asked, reply_len};
use dovetail_backends::persistence::MEMBERS;
use dovetail_engine::base::{ConnId, ListenerId, Micros, Now};
use dovetail_engine::config::Config;
use dovetail_engine::executor::{Engine, Parts};
use dovetail_engine::resp::ReplyBuf;
use dovetail_engine::seam::host::ProcessIdentity;
use dovetail_engine::seam::machine::{Action, Machine, Outbox};
use dovetail_engine::seam::poller::{Arrival, Endpoint, Event};
use dovetail_tests::sim::{SimDisk, SimProcess};
use std::cell::RefCell;
use std::rc::Rc;

/// Turns after which loading has hung.
const LOADING_TURNS_MAX: u32 = 10_000;
/// Turns after which an answer does not come any more.
const ANSWER_TURNS_MAX: u32 = 1_000;

/// A moment of both clocks.
pub(crate) fn at(us: u64) -> Now {
    Now {
        monotonic: Micros(us),
        unix_us: 1_700_000_000_000_000 + us,
    }
}

/// An engine with its process and connections.
pub(crate) struct Life {
    pub(crate) engine: Engine,
    pub(crate) process: SimProcess,
    disk: SimDisk,
    out: Outbox,
    conns: u32,
}

/// What a connection has heard in a turn.
pub(crate) type Heard = (usize, Vec<u8>);

impl Life {
    /// Begins on `disk` with the process's number; nothing has been loaded.
    pub(crate) fn begin(disk: &SimDisk, config: Config, pid: u32, now: Now) -> Self {
        let process = SimProcess::new(disk.clone(), u64::from(pid));
        let parts = Parts {
            config,
            host: process.host(),
            identity: ProcessIdentity {
                pid,
                ..ProcessIdentity::default()
            },
            disk: Rc::new(RefCell::new(disk.clone())),
            persistence: MEMBERS,
            ..Parts::bare(u64::from(pid))
        };
        let mut engine = Engine::new(parts).expect("nothing is renamed");
        let mut out = Outbox::default();
        engine.start(now, "none", &mut out);
        Self {
            engine,
            process,
            disk: disk.clone(),
            out,
            conns: 0,
        }
    }

    /// Goes on with loading until it is over or the disk is dead.
    pub(crate) fn load(&mut self, now: Now) {
        let mut turns = 0;
        while !self.process.is_ready() && self.engine.failure().is_none() && !self.disk.is_dead() {
            self.turn(now);
            self.disk.tick();
            turns += 1;
            assert!(turns < LOADING_TURNS_MAX, "loading hangs");
        }
    }

    /// A new connection, by its number.
    pub(crate) fn connect(&mut self, now: Now) -> usize {
        let here = Endpoint::Unix(String::new());
        let event = Event::Accepted {
            conn: name(self.conns),
            listener: ListenerId(0),
            arrival: Box::new(Arrival {
                peer: here.clone(),
                local: here,
                descriptor: -1,
            }),
        };
        self.engine.on_event(now, event, &mut self.out);
        self.conns += 1;
        self.conns as usize - 1
    }

    /// Bytes arrive.
    pub(crate) fn deliver(&mut self, now: Now, conn: usize, bytes: &[u8]) {
        let mut bytes = bytes.to_vec();
        let conn = name(u32::try_from(conn).expect("few connections"));
        let event = Event::Received {
            conn,
            bytes: &mut bytes,
        };
        self.engine.on_event(now, event, &mut self.out);
        self.act();
    }

    /// Everything that has arrived is run.
    pub(crate) fn run(&mut self, now: Now) {
        self.engine.on_event(now, Event::Woken, &mut self.out);
    }

    /// Whether the process ends as it was asked to.
    pub(crate) fn is_over(&self) -> bool {
        self.engine.is_finished()
    }

    /// Where the feed ends.
    pub(crate) fn feed_end(&mut self) -> u64 {
        self.engine.feed().end()
    }

    /// The end of a turn: what leaves.
    pub(crate) fn turn(&mut self, now: Now) -> Vec<Heard> {
        self.engine.end_turn(now, &mut self.out);
        let mut heard = Vec::new();
        self.engine.replies(&mut |conn, reply: &mut ReplyBuf| {
            heard.push((conn.slot as usize, reply.to_vec()));
            0
        });
        self.act();
        heard
    }

    /// Nothing is asked of a poller that needs one.
    fn act(&mut self) {
        for action in self.out.actions.drain(..) {
            let is_idle = matches!(action, Action::Options(_));
            assert!(is_idle, "nobody asks for {action:?}");
        }
    }

    /// Asks and hears the answer; empty when the disk dies.
    fn ask(&mut self, now: Now, conn: usize, words: &[&str]) -> Vec<u8> {
        let mut mine = Vec::new();
        self.deliver(now, conn, &asked(words));
        for _ in 0..ANSWER_TURNS_MAX {
            for (who, bytes) in self.turn(now) {
                if who == conn {
                    mine.extend(bytes);
                }
            }
            if self.disk.is_dead() {
                return Vec::new();
            }
            if !mine.is_empty() {
                return mine;
            }
            self.disk.tick();
        }
        panic!("{words:?} is not answered");
    }

    /// The whole dataset, asked for over a new connection; `None` when the disk dies.
    pub(crate) fn dataset(&mut self, now: Now) -> Option<Model> {
        let conn = self.connect(now);
        let mut seen = Model::default();
        for db in 0..2 {
            self.ask(now, conn, &["SELECT", &db.to_string()]);
            for key in items(&self.ask(now, conn, &["KEYS", "*"])) {
                let key = String::from_utf8(key).expect("keys are text");
                let deadline = self.ask(now, conn, &["PEXPIRETIME", &key]);
                let deadline = String::from_utf8_lossy(deadline.get(1..)?);
                let deadline = deadline.trim().parse().ok();
                let data = match self.ask(now, conn, &["TYPE", &key]).as_slice() {
                    b"+list\r\n" => {
                        let all = self.ask(now, conn, &["LRANGE", &key, "0", "-1"]);
                        Data::List(items(&all).into())
                    }
                    _ => Data::Text(items(&self.ask(now, conn, &["GET", &key])).pop()?),
                };
                seen.keys.insert((db, key), Value { data, deadline });
            }
        }
        (!self.disk.is_dead()).then_some(seen)
    }
}

fn name(slot: u32) -> ConnId {
    ConnId {
        slot,
        generation: 1,
    }
}

/// The strings of a reply: of an array, or the one that it is.
fn items(reply: &[u8]) -> Vec<Vec<u8>> {
    if reply.is_empty() {
        return Vec::new();
    }
    let line = reply.windows(2).position(|pair| pair == b"\r\n");
    let line = line.expect("a reply") + 2;
    if reply[0] == b'$' {
        return vec![reply[line..reply.len() - 2].to_vec()];
    }
    let (mut all, mut rest) = (Vec::new(), &reply[line..]);
    while let Some(len) = reply_len(rest) {
        all.extend(items(&rest[..len]));
        rest = &rest[len..];
        if rest.is_empty() {
            break;
        }
    }
    all
}
