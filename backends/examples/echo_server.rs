//! The null responder: answers `+OK` to every complete command, over the poller that is named.
//!
//! What it costs is what the poller and the kernel cost; a server's distance from it is the
//! engine's. Run with `echo_server POLLER PORT [GATHER-PERCENT GRACE-US]`.

use dovetail_backends::poller::{Door, Sockets, choose, run_machine};
use dovetail_backends::sys::{clock, socket};
use dovetail_engine::base::{ConnId, ListenerId, Micros, Now};
use dovetail_engine::resp::ReplyBuf;
use dovetail_engine::seam::host::Surroundings;
use dovetail_engine::seam::machine::{Action, Machine, Outbox};
use dovetail_engine::seam::poller::{Close, Event, Fault, Patience};

/// One client: what it has begun to say and what it is answered.
#[derive(Default)]
struct Client {
    tail: Vec<u8>,
    reply: ReplyBuf,
    conn: Option<ConnId>,
}

struct Null {
    clients: Vec<Client>,
    answered: Vec<u32>,
    /// Distinct clients in this tick and the last, for the wish to gather.
    active: u32,
    active_before: u32,
    tick_ends: Micros,
    marks: Vec<u64>,
    tick: u64,
    share: u32,
    grace: Micros,
}

/// Length of the whole array of bulk strings at the start of `bytes`, if all of it is there.
fn command_len(bytes: &[u8]) -> Option<usize> {
    let (count, mut at) = number(bytes, 0)?;
    for _ in 0..count {
        let (len, next) = number(bytes, at)?;
        at = next + len + 2;
    }
    (at <= bytes.len()).then_some(at)
}

/// The number of a header line at `at`, and where the next line starts.
fn number(bytes: &[u8], at: usize) -> Option<(usize, usize)> {
    let mut value = 0;
    let mut at = at + 1;
    loop {
        match *bytes.get(at)? {
            b'\r' => return Some((value, at + 2)),
            digit => value = value * 10 + usize::from(digit.wrapping_sub(b'0') & 15),
        }
        at += 1;
    }
}

impl Null {
    fn received(&mut self, conn: ConnId, bytes: &[u8]) {
        let client = &mut self.clients[conn.index()];
        if self.marks[conn.index()] != self.tick {
            self.marks[conn.index()] = self.tick;
            self.active += 1;
        }
        let was_silent = client.reply.is_empty();
        let joined;
        let mut rest = if client.tail.is_empty() {
            bytes
        } else {
            client.tail.extend_from_slice(bytes);
            joined = std::mem::take(&mut client.tail);
            &joined
        };
        while let Some(len) = command_len(rest) {
            rest = &rest[len..];
            client.reply.tail().extend_from_slice(b"+OK\r\n");
        }
        client.tail.extend_from_slice(rest);
        if was_silent && !client.reply.is_empty() {
            self.answered.push(conn.slot);
        }
    }
}

impl Machine for Null {
    fn start(&mut self, _now: Now, _poller: &'static str, _out: &mut Outbox) {}

    fn on_event(&mut self, _now: Now, event: Event<'_>, out: &mut Outbox) {
        match event {
            Event::Accepted { conn, .. } => {
                if self.clients.len() <= conn.index() {
                    self.clients.resize_with(conn.index() + 1, Client::default);
                    self.marks.resize(conn.index() + 1, u64::MAX);
                }
                self.clients[conn.index()] = Client {
                    conn: Some(conn),
                    ..Client::default()
                };
            }
            Event::Received { conn, bytes } => self.received(conn, bytes),
            Event::Finished { conn } => out.actions.push(Action::Close(conn, Close::Graceful)),
            Event::Closed { conn, .. } => self.clients[conn.index()] = Client::default(),
            Event::Filled { conn, .. } => out.actions.push(Action::Close(conn, Close::Now)),
            _ => {}
        }
    }

    fn end_turn(&mut self, now: Now, _out: &mut Outbox) {
        if now.monotonic >= self.tick_ends {
            self.tick_ends = now.monotonic.plus(Micros::from_millis(10));
            self.tick += 1;
            self.active_before = std::mem::take(&mut self.active);
        }
    }

    fn replies(&mut self, send: &mut dyn FnMut(ConnId, &mut ReplyBuf) -> usize) {
        for slot in self.answered.drain(..) {
            let client = &mut self.clients[slot as usize];
            if let Some(conn) = client.conn {
                send(conn, &mut client.reply);
            }
        }
    }

    fn patience(&mut self, _now: Now) -> Patience {
        let active = self.active_before.max(self.active);
        let gather = if active >= 8 {
            active * self.share / 100
        } else {
            0
        };
        Patience {
            sleep: None,
            gather,
            grace: self.grace,
        }
    }

    fn is_finished(&self) -> bool {
        false
    }
}

struct World {
    door: Option<Door>,
}

impl Surroundings<Door> for World {
    fn now(&mut self) -> Now {
        clock::now()
    }

    fn doors(&mut self) -> Vec<(ListenerId, Door)> {
        self.door
            .take()
            .map(|door| (ListenerId(0), door))
            .into_iter()
            .collect()
    }

    fn refused(&mut self, _listener: ListenerId, fault: Fault) {
        panic!("{fault}");
    }
}

fn main() {
    let arguments: Vec<String> = std::env::args().collect();
    let number = |at: usize, otherwise: u32| {
        arguments
            .get(at)
            .map_or(otherwise, |text| text.parse().expect("a number"))
    };
    let name = arguments.get(1).map_or("auto", String::as_str);
    let port = u16::try_from(number(2, 7777)).expect("a port");
    let door = socket::listen_tcp(([127, 0, 0, 1], port).into(), 511).expect("a free port");
    let mut machine = Null {
        clients: Vec::new(),
        answered: Vec::new(),
        active: 0,
        active_before: 0,
        tick_ends: Micros(0),
        marks: Vec::new(),
        tick: 0,
        share: number(3, 0),
        grace: Micros(u64::from(number(4, 20))),
    };
    let entry = choose(name).expect("a poller that works here").entry;
    let sockets = Sockets::new().expect("a descriptor");
    let mut world = World { door: Some(door) };
    run_machine(entry, sockets, 64, &mut machine, &mut world).expect("a loop that never fails");
}
