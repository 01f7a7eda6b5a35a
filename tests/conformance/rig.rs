//! Drives one poller by hand and checks after every event that the contract holds.

use crate::stage::{Heard, Peer, Stage};
use dovetail_engine::base::{ConnId, ListenerId, Micros};
use dovetail_engine::resp::ReplyBuf;
use dovetail_engine::seam::poller::{
    Arrival, Close, Endpoint, Event, Fault, Patience, Poller, Reading,
};
use std::collections::BTreeMap;
use std::time::{Duration, Instant};

/// How long anything may take.
const DEADLINE: Duration = Duration::from_secs(10);

/// What is known of one connection.
#[derive(Debug, Default)]
pub(crate) struct Known {
    /// What it has said, filled values excepted.
    pub(crate) said: Vec<u8>,
    /// Values that were filled.
    pub(crate) filled: Vec<Vec<u8>>,
    /// How often its output has drained.
    pub(crate) drained: u32,
    /// Whether its peer has finished speaking.
    pub(crate) finished: bool,
    /// How it has ended.
    pub(crate) closed: Option<Result<(), Fault>>,
    /// How the attempt has ended, of an outgoing one.
    pub(crate) connected: Option<Result<(), Fault>>,
    /// Who it is, of an accepted one.
    pub(crate) arrival: Option<Arrival>,
    /// Through which door it came.
    pub(crate) listener: Option<ListenerId>,
    is_outgoing: bool,
}

impl Known {
    /// An attempt that has just begun.
    pub(crate) fn outgoing() -> Self {
        Self {
            is_outgoing: true,
            ..Self::default()
        }
    }

    /// Whether its last event has come.
    fn is_over(&self) -> bool {
        self.closed.is_some() || matches!(self.connected, Some(Err(_)))
    }
}

/// A poller, its world, and everything that has happened.
pub(crate) struct Rig<S: Stage> {
    /// The poller under test.
    pub(crate) poller: S::P,
    /// Its world.
    pub(crate) stage: S,
    /// Every connection ever.
    pub(crate) known: BTreeMap<ConnId, Known>,
    /// Connections in the order in which they were accepted.
    pub(crate) order: Vec<ConnId>,
    /// Times woken.
    pub(crate) woken: u32,
    /// Accepts that failed.
    pub(crate) refusals: Vec<Fault>,
    /// Whether a connection is left open whose peer has finished speaking.
    pub(crate) lingers: bool,
    /// The wish to gather.
    pub(crate) gather: u32,
    /// How many listeners there have been.
    pub(crate) listeners: u32,
}

impl<S: Stage> Rig<S> {
    /// A rig with one listener.
    pub(crate) fn new() -> (Self, Endpoint) {
        let mut rig = Self::bare();
        let (_, at) = rig.listen();
        (rig, at)
    }

    /// A rig without a listener.
    pub(crate) fn bare() -> Self {
        let mut stage = S::new();
        let poller = stage.open();
        Self {
            poller,
            stage,
            known: BTreeMap::new(),
            order: Vec::new(),
            woken: 0,
            refusals: Vec::new(),
            lingers: false,
            gather: 0,
            listeners: 0,
        }
    }

    /// Opens one more listener.
    pub(crate) fn listen(&mut self) -> (ListenerId, Endpoint) {
        let (door, at) = self.stage.door();
        let listener = ListenerId(self.listeners);
        self.listeners += 1;
        self.poller.listen(listener, door).unwrap();
        (listener, at)
    }

    /// A client that has been accepted.
    pub(crate) fn client(&mut self, at: &Endpoint) -> (S::Peer, ConnId) {
        let before = self.order.len();
        let peer = self.stage.dial(at).expect("a listener that listens");
        self.until("a client is accepted", |rig| rig.order.len() > before);
        (peer, self.order[before])
    }

    /// One turn: wait a moment, take every event; `each` is told of bytes and filled values, and
    /// may act on that at once.
    pub(crate) fn turn(&mut self, each: &mut dyn FnMut(&mut S::P, ConnId, Seen<'_>)) {
        let sleep = Some(Micros::from_millis(1));
        let patience = Patience {
            sleep,
            gather: self.gather,
            grace: Micros(200),
        };
        self.poller.wait(patience).unwrap();
        let mut received = Vec::new();
        while let Some(event) = self.poller.next() {
            let conn = note(&mut self.known, &mut self.order, event, &mut received);
            match conn {
                Noted::Received(conn) => each(&mut self.poller, conn, Seen::Bytes(&received)),
                Noted::Filled(conn) => each(&mut self.poller, conn, Seen::Filled),
                Noted::Finished(conn) if !self.lingers => self.poller.close(conn, Close::Graceful),
                Noted::Woken => self.woken += 1,
                Noted::Refused(fault) => self.refusals.push(fault),
                Noted::Finished(_) | Noted::Other => {}
            }
        }
    }

    /// Turns until `is_so`, with a deadline.
    pub(crate) fn until(&mut self, what: &str, mut is_so: impl FnMut(&mut Self) -> bool) {
        self.keep_on(what, |rig| {
            let is_done = is_so(rig);
            if !is_done {
                rig.turn(&mut |_, _, _| {});
            }
            is_done
        });
    }

    /// Repeats `step`, which turns by itself, until it says that all is done, with a deadline.
    pub(crate) fn keep_on(&mut self, what: &str, mut step: impl FnMut(&mut Self) -> bool) {
        let began = Instant::now();
        while !step(self) {
            assert!(
                began.elapsed() < DEADLINE,
                "waited in vain until {what}: {}",
                self.story()
            );
        }
    }

    /// A turn in which everything received is sent back, one reply a connection; returns whose.
    pub(crate) fn echo(&mut self) -> Vec<ConnId> {
        let mut replies: BTreeMap<ConnId, Vec<u8>> = BTreeMap::new();
        self.turn(&mut |_, conn, seen| {
            if let Seen::Bytes(bytes) = seen {
                replies.entry(conn).or_default().extend_from_slice(bytes);
            }
        });
        for (conn, bytes) in &replies {
            self.send(*conn, bytes);
        }
        replies.into_keys().collect()
    }

    /// What has happened, briefly.
    fn story(&self) -> String {
        let of = |(conn, known): (&ConnId, &Known)| {
            let Known {
                drained,
                closed,
                connected,
                ..
            } = known;
            let (said, filled) = (known.said.len(), known.filled.len());
            let unsent = self.poller.unsent(*conn);
            format!(
                "{}/{}: said {said}, filled {filled}, drained {drained}, unsent {unsent}, \
                 connected {connected:?}, closed {closed:?}\n",
                conn.slot, conn.generation
            )
        };
        self.known.iter().map(of).collect()
    }

    /// Some turns in which nothing in particular is expected.
    pub(crate) fn settle(&mut self) {
        for _ in 0..20 {
            self.turn(&mut |_, _, _| {});
        }
    }

    /// Gives the poller a reply.
    pub(crate) fn send(&mut self, conn: ConnId, bytes: &[u8]) {
        let mut reply = ReplyBuf::new();
        reply.tail().extend_from_slice(bytes);
        self.poller.send(conn, &mut reply);
        assert!(reply.is_empty(), "send leaves the buffer empty");
    }

    /// What a connection has said so far.
    pub(crate) fn said(&self, conn: ConnId) -> &[u8] {
        &self.known[&conn].said
    }

    /// How a connection has ended.
    pub(crate) fn closed(&self, conn: ConnId) -> Option<Result<(), Fault>> {
        self.known[&conn].closed
    }

    /// Has `peer` say all of `bytes`, turning while it waits.
    pub(crate) fn say(&mut self, peer: &mut S::Peer, bytes: &[u8]) {
        let mut said = 0;
        self.until("a peer has said everything", |_| {
            said += peer.say(&bytes[said..]);
            said == bytes.len()
        });
    }

    /// Has `peer` hear at least `len` bytes, turning while it waits.
    pub(crate) fn hear(&mut self, peer: &mut S::Peer, len: usize) -> Vec<u8> {
        let mut heard = Vec::new();
        self.until("a peer has heard everything", |_| {
            while heard.len() < len && matches!(peer.hear(&mut heard), Heard::Bytes(_)) {}
            heard.len() >= len
        });
        heard
    }

    /// Has `peer` hear until the end.
    pub(crate) fn hear_out(&mut self, peer: &mut S::Peer) -> Vec<u8> {
        let mut heard = Vec::new();
        self.until("a peer hears the end", |_| {
            loop {
                match peer.hear(&mut heard) {
                    Heard::Bytes(_) => {}
                    Heard::Nothing => break false,
                    Heard::End => break true,
                }
            }
        });
        heard
    }

    /// Waits for the connection's last event.
    pub(crate) fn until_closed(&mut self, conn: ConnId) -> Result<(), Fault> {
        self.until("a connection is closed", |rig| rig.closed(conn).is_some());
        self.closed(conn).unwrap()
    }

    /// Waits until a connection has said `bytes` in all.
    pub(crate) fn until_said(&mut self, conn: ConnId, bytes: &[u8]) {
        self.until("everything has arrived", |rig| {
            rig.said(conn).len() >= bytes.len()
        });
        assert!(self.said(conn) == bytes, "what arrived is what was sent");
    }

    /// Starts an outgoing connection.
    pub(crate) fn connect(&mut self, to: &Endpoint) -> ConnId {
        let conn = self.poller.connect(to).unwrap();
        assert!(
            self.known.insert(conn, Known::outgoing()).is_none(),
            "a name is given once"
        );
        conn
    }

    /// Sends until the kernel takes no more; returns what was sent.
    pub(crate) fn clog(&mut self, conn: ConnId) -> Vec<u8> {
        let sent = pattern(7, 32 << 20);
        self.send(conn, &sent);
        self.until("a reply is stuck", |rig| rig.poller.unsent(conn) > 0);
        sent
    }

    /// Stops or resumes reading.
    pub(crate) fn pause(&mut self, conn: ConnId, reading: Reading) {
        self.poller.pause(conn, reading);
    }

    /// Ends a connection.
    pub(crate) fn close(&mut self, conn: ConnId, how: Close) {
        self.poller.close(conn, how);
    }
}

/// Bytes that repeat only after a while, and differ by `seed`.
pub(crate) fn pattern(seed: u8, len: usize) -> Vec<u8> {
    (0_u32..)
        .zip(0..len)
        .map(|(at, _)| seed ^ at.wrapping_mul(0x9e37_79b9).to_be_bytes()[0])
        .collect()
}

/// What a turn has brought of a connection.
#[derive(Clone, Copy, Debug)]
pub(crate) enum Seen<'a> {
    /// These bytes.
    Bytes(&'a [u8]),
    /// The whole of a value.
    Filled,
}

enum Noted {
    Received(ConnId),
    Filled(ConnId),
    Finished(ConnId),
    Woken,
    Refused(Fault),
    Other,
}

/// Writes an event down and checks that it may happen.
fn note(
    known: &mut BTreeMap<ConnId, Known>,
    order: &mut Vec<ConnId>,
    event: Event<'_>,
    received: &mut Vec<u8>,
) -> Noted {
    let conn = match event {
        Event::Woken => return Noted::Woken,
        Event::AcceptFailed { fault, .. } => return Noted::Refused(fault),
        Event::Accepted {
            conn,
            listener,
            arrival,
        } => {
            let (arrival, listener) = (Some(*arrival), Some(listener));
            let is_new = known
                .insert(
                    conn,
                    Known {
                        arrival,
                        listener,
                        ..Known::default()
                    },
                )
                .is_none();
            assert!(is_new, "a name is given once");
            let is_free = known
                .iter()
                .all(|(id, known)| *id == conn || id.slot != conn.slot || known.is_over());
            assert!(is_free, "a slot is reused only after Closed");
            order.push(conn);
            return Noted::Other;
        }
        Event::Connected { conn, result } => {
            let known = known.get_mut(&conn).expect("connect has named it");
            assert!(
                known.is_outgoing && known.connected.is_none(),
                "Connected comes once"
            );
            known.connected = Some(result);
            return Noted::Other;
        }
        Event::Received { conn, .. }
        | Event::Filled { conn, .. }
        | Event::Finished { conn }
        | Event::Stalled { conn, .. }
        | Event::Drained { conn }
        | Event::Closed { conn, .. } => conn,
    };
    let known = known.get_mut(&conn).expect("a known connection");
    note_known(known, conn, event, received)
}

/// The same of a connection that has been named before.
fn note_known(known: &mut Known, conn: ConnId, event: Event<'_>, received: &mut Vec<u8>) -> Noted {
    assert!(
        !known.is_over(),
        "nothing comes after the last event: {event:?}"
    );
    assert!(
        !known.is_outgoing || known.connected.is_some(),
        "Connected is the first event"
    );
    let is_speech = matches!(
        event,
        Event::Received { .. } | Event::Filled { .. } | Event::Finished { .. }
    );
    assert!(
        !known.finished || !is_speech,
        "nothing is said after the peer has finished: {event:?}"
    );
    match event {
        Event::Finished { .. } => {
            known.finished = true;
            return Noted::Finished(conn);
        }
        Event::Received { bytes, .. } => {
            assert!(!bytes.is_empty(), "Received brings at least one byte");
            known.said.extend_from_slice(bytes);
            received.clear();
            received.extend_from_slice(bytes);
            // What is lent may be written to.
            bytes.fill(0xee);
            return Noted::Received(conn);
        }
        Event::Filled { buffer, .. } => {
            known.filled.push(buffer);
            return Noted::Filled(conn);
        }
        Event::Stalled { unsent, .. } => assert!(unsent > 0, "something is left"),
        Event::Drained { .. } => known.drained += 1,
        Event::Closed { result, .. } => known.closed = Some(result),
        _ => unreachable!("the others were dealt with above"),
    }
    Noted::Other
}
