//! Completion by io_uring(7): requests that stay armed, and one system call a turn.
//!
//! Shape: a multishot receive a connection into a small shared pool, a multishot accept a
//! listener, and sends that ride with the wait and complete only when they fall short; what falls
//! short is sent again by a request that the kernel keeps until all has left.
//! Invariants: at most one send of a connection is with the kernel, brief or not; receiving and
//! filling never overlap; a connection whose phase is `Gone` is owed its `Closed` once the ring
//! holds nothing of it, because a closed descriptor's number may be another client's at once.
//! Cost: no call for a message; one for a turn; two requests for a large value.

use super::Door;
use super::sockets::{CAUTION, Conn, Fill, Listening, Owed, Phase, REPLY_KEPT_BYTES, Sockets};
use crate::sys::ring::{Done, Features, Filled, Lease, Outcome, Ring, Sent, Times, Wait, features};
use crate::sys::{Fd, clock, exhausted, process, socket};
use dovetail_engine::base::{ConnId, ListenerId, Micros};
use dovetail_engine::resp::ReplyBuf;
use dovetail_engine::seam::poller::{
    Calls, Close, Endpoint, Event, Fault, Patience, Poller, Reading, SocketOptions, Wake,
};
use std::collections::VecDeque;
use std::marker::PhantomData;
use std::os::fd::AsFd;
use std::sync::Arc;

/// Values with at least this much to come are received into their own buffer; below, copying
/// costs less than stopping and restarting the stream.
const DIRECT_BYTES: usize = 8 * 1024;
/// How long a listener rests after accepting has failed, unless a connection closes before.
const REST: Micros = Micros::from_millis(100);
/// The slot part of tokens that name no connection.
const SPECIAL: u32 = u32::MAX;
/// The token of the bell.
const BELL: u64 = SPECIAL as u64;
/// Marks the token of an outgoing attempt.
const WATCH: u64 = 1 << 60;

/// Which of the kernel's features may be used.
pub trait Choice {
    /// The most that may be.
    const FEATURES: Features;
}

/// All of them.
#[derive(Debug)]
pub struct Best;

impl Choice for Best {
    const FEATURES: Features = Features::ALL;
}

/// Only what the oldest kernel with buffer rings has: what tests use to see the fallbacks work.
#[derive(Debug)]
pub struct Least;

impl Choice for Least {
    const FEATURES: Features = Features::LEAST;
}

/// The poller over a ring, with the best features that the kernel has.
pub type IoUring = Uring<Best>;

/// The poller over a ring.
#[derive(Debug)]
pub struct Uring<C> {
    ring: Ring,
    sockets: Sockets,
    done: VecDeque<Done>,
    sent: Vec<Sent>,
    /// What the last event has lent.
    lease: Option<Lease>,
    /// What the last event has lent, when another poller had received it.
    early: Vec<u8>,
    /// Counts submissions that were reaped, from 1.
    batch: u64,
    /// Connections that end gracefully, looked at once their replies have been submitted.
    ending: Vec<ConnId>,
    /// Connections whose receiving has ended before they have.
    idle: Vec<ConnId>,
    /// Connections to look at after the batch: gone, or with more to send.
    postponed: Vec<ConnId>,
    is_bell_armed: bool,
    /// Everything is being given up: nothing new is asked for.
    is_releasing: bool,
    rest_until: Option<Micros>,
    broken: Option<Fault>,
    choice: PhantomData<C>,
}

/// What one completion has brought.
enum Taken {
    Nothing,
    Woken,
    Bytes(ConnId, Lease),
}

fn door_token(listener: ListenerId) -> u64 {
    // One more than the id: the bell has the first.
    ConnId {
        slot: SPECIAL,
        generation: listener.0 + 1,
    }
    .to_bits()
}

impl<C: Choice> Uring<C> {
    /// Notes that the ring has failed; the next wait says so.
    fn note(&mut self, result: Result<(), Fault>) {
        if let Err(fault) = result {
            self.broken.get_or_insert(fault);
        }
    }

    fn give_back(&mut self) {
        if let Some(lease) = self.lease.take() {
            self.ring.give_back(lease);
        }
    }

    /// Asks for what the connection is to receive next, if nothing is under way.
    fn receive(&mut self, id: ConnId) {
        let Some(conn) = self.sockets.table.get_mut(id) else {
            return;
        };
        let is_read = conn.phase == Phase::Open && conn.reading == Reading::On;
        let is_busy = conn.held.is_receiving || conn.held.is_filling;
        if !is_read || is_busy || !conn.early.is_empty() || conn.is_at_end || self.is_releasing {
            return;
        }
        let result = match &mut conn.fill {
            Some(fill) if fill.missing() >= DIRECT_BYTES => {
                conn.held.is_filling = true;
                let (buffer, missing) = (std::mem::take(&mut fill.buffer), fill.missing());
                self.ring
                    .fill(conn.fd.as_fd(), id.to_bits(), buffer, missing)
            }
            _ => {
                conn.held.is_receiving = true;
                let times = if conn.caution > 0 {
                    Times::Once
                } else {
                    Times::Many
                };
                conn.caution = conn.caution.saturating_sub(1);
                self.ring.receive(conn.fd.as_fd(), id.to_bits(), times)
            }
        };
        self.note(result);
    }

    /// Ends receiving into the pool, so that something else can be done.
    fn stop_receiving(&mut self, id: ConnId) {
        if let Some(conn) = self.sockets.table.get_mut(id)
            && conn.held.is_receiving
            && !conn.held.is_cancelling
        {
            conn.held.is_cancelling = true;
            let result = self.ring.cancel(id.to_bits());
            self.note(result);
        }
    }

    /// Sends what waits, if nothing is being sent.
    fn transmit(&mut self, id: ConnId) {
        let Some(conn) = self.sockets.table.get_mut(id) else {
            return;
        };
        let is_free = conn.held.sending == 0 && conn.held.batch != self.batch;
        let is_written = matches!(conn.phase, Phase::Open | Phase::Finished | Phase::Ending);
        if !is_written || !is_free || self.is_releasing {
            return;
        }
        if let Some((reply, sent)) = conn.output.pop() {
            conn.held.sending = reply.len() - sent;
            let result = self.ring.send(conn.fd.as_fd(), id.to_bits(), reply, sent);
            self.note(result);
        }
    }

    /// Ends a connection: the peer learns, the ring is asked to let go.
    fn bury(&mut self, id: ConnId) {
        let Some(conn) = self.sockets.table.get_mut(id) else {
            return;
        };
        if conn.phase == Phase::Gone {
            return;
        }
        if conn.phase == Phase::Connecting {
            conn.fault.get_or_insert(Fault {
                op: "connect",
                errno: libc::ECANCELED,
            });
        }
        conn.held.was_connecting = conn.phase == Phase::Connecting;
        conn.phase = Phase::Gone;
        conn.fill = None;
        conn.early = Vec::new();
        conn.output.clear();
        // Shut down first: closing a descriptor with requests armed does not end the connection.
        self.ring.count_call();
        let _ = socket::shutdown(conn.fd.as_fd(), socket::Directions::Both);
        let is_connecting = conn.held.is_connecting;
        let has_memory = conn.held.is_filling || conn.held.sending > 0;
        self.stop_receiving(id);
        if is_connecting {
            let result = self.ring.cancel(id.to_bits() | WATCH);
            self.note(result);
        }
        if has_memory {
            let result = self.ring.cancel_held(id.to_bits());
            self.note(result);
        }
        self.rest_until = self.rest_until.map(|_| Micros(0));
        self.let_go(id);
    }

    /// Owes the last event of a connection that is gone once the ring holds nothing of it.
    fn let_go(&mut self, id: ConnId) {
        let batch = self.batch;
        let Some(conn) = self.sockets.table.get_mut(id) else {
            return;
        };
        if conn.phase != Phase::Gone || conn.held.is_over {
            return;
        }
        let held = &conn.held;
        if held.batch == batch {
            // A brief send is queued that names the descriptor.
            self.postponed.push(id);
        } else if !held.is_receiving && !held.is_filling && !held.is_connecting && held.sending == 0
        {
            conn.held.is_over = true;
            let result = conn.result();
            self.sockets.owed.push_back(if conn.held.was_connecting {
                Owed::Connected { conn: id, result }
            } else {
                Owed::Closed { conn: id, result }
            });
        }
    }

    fn fail(&mut self, id: ConnId, fault: Fault) {
        if let Some(conn) = self.sockets.table.get_mut(id) {
            // Once either side has ended, how the other goes is no fault any more.
            if !matches!(conn.phase, Phase::Finished | Phase::Ending) {
                conn.fault.get_or_insert(fault);
            }
            self.bury(id);
        }
    }

    /// The peer's stream has ended, and nothing is received any more.
    fn finish(&mut self, id: ConnId) {
        if let Some(conn) = self.sockets.table.get_mut(id)
            && conn.phase == Phase::Open
        {
            conn.phase = Phase::Finished;
            conn.fill = None;
            self.sockets.owed.push_back(Owed::Finished { conn: id });
        }
    }

    /// The connection ends when all is sent; what the engine answers in this turn still leaves.
    fn end(&mut self, id: ConnId) {
        if let Some(conn) = self.sockets.table.get_mut(id)
            && matches!(conn.phase, Phase::Open | Phase::Finished)
        {
            conn.phase = Phase::Ending;
            conn.fill = None;
            conn.early = Vec::new();
            self.stop_receiving(id);
            self.ending.push(id);
        }
    }

    /// Ends what was to end gracefully and has nothing to send.
    fn settle_ending(&mut self) {
        for id in std::mem::take(&mut self.ending) {
            let Some(conn) = self.sockets.table.get(id) else {
                continue;
            };
            if conn.phase == Phase::Ending && unsent(conn) == 0 {
                self.bury(id);
            }
        }
    }

    /// Submits, waits, and takes note of what has completed.
    fn turn(&mut self, wait: Wait) -> Result<(), Fault> {
        self.ring.wait(wait)?;
        self.ring.reap(&mut self.done, &mut self.sent)?;
        self.batch += 1;
        let mut sent = std::mem::take(&mut self.sent);
        for sent in sent.drain(..) {
            self.on_sent(sent);
        }
        self.sent = sent;
        for id in std::mem::take(&mut self.postponed) {
            self.let_go(id);
            self.transmit(id);
        }
        Ok(())
    }

    /// A send is over that was no brief one, or a brief one has fallen short.
    fn on_sent(&mut self, over: Sent) {
        let id = ConnId::from_bits(over.token);
        let Some(conn) = self.sockets.table.get_mut(id) else {
            self.ring.recycle(over.reply);
            return;
        };
        if !over.was_brief {
            conn.held.sending = 0;
        }
        if conn.phase == Phase::Gone {
            self.ring.recycle(over.reply);
            self.let_go(id);
            return;
        }
        match over.errno {
            None | Some(libc::EAGAIN | libc::EINTR | libc::ECANCELED) => {}
            Some(errno) => {
                self.ring.recycle(over.reply);
                self.fail(id, Fault { op: "send", errno });
                return;
            }
        }
        if over.sent == over.reply.len() {
            self.ring.recycle(over.reply);
        } else {
            conn.output.push_front(over.reply, over.sent);
        }
        let unsent = unsent(conn);
        if unsent > 0 {
            if over.was_brief {
                self.sockets
                    .owed
                    .push_back(Owed::Stalled { conn: id, unsent });
            }
            self.transmit(id);
        } else if conn.phase == Phase::Ending {
            self.bury(id);
        } else {
            self.sockets.owed.push_back(Owed::Drained { conn: id });
        }
    }

    /// Deals with one completion that is no send's.
    fn take(&mut self, done: Done) -> Taken {
        let name = ConnId::from_bits(done.token & !WATCH);
        match done.outcome {
            _ if name.slot == SPECIAL && done.token == BELL => return self.on_bell(&done),
            outcome if name.slot == SPECIAL => {
                let listener = ListenerId(name.generation - 1);
                self.on_door(listener, outcome, done.has_more);
            }
            Outcome::Result(result) if done.token & WATCH != 0 => {
                self.on_connect(name, result);
            }
            Outcome::Bytes(lease) => return self.on_bytes(name, lease, done.has_more),
            Outcome::Result(result) => self.on_receive_over(name, result),
            Outcome::Filled(filled) => self.on_filled(name, *filled),
            Outcome::Accepted(_) => unreachable!("only listeners accept"),
        }
        Taken::Nothing
    }

    fn on_bell(&mut self, done: &Done) -> Taken {
        self.is_bell_armed &= done.has_more;
        // A bell that another poller is to hear is left ringing.
        if self.is_releasing || matches!(done.outcome, Outcome::Result(result) if result < 0) {
            return Taken::Nothing;
        }
        self.ring.count_call();
        self.sockets.bell.hear();
        Taken::Woken
    }

    /// A client has come, or a listener has failed.
    fn on_door(&mut self, listener: ListenerId, outcome: Outcome, has_more: bool) {
        let at = self
            .sockets
            .doors
            .iter()
            .position(|door| door.id == listener);
        // Clients of a listener that was given up are let go.
        let Some(at) = at else { return };
        let is_released = self.is_releasing;
        match outcome {
            Outcome::Accepted(fd) => {
                self.enter(listener, fd);
                if !has_more && !is_released {
                    self.accept_others(at, listener);
                    self.arm_door(at);
                }
            }
            Outcome::Result(_) if is_released => {}
            Outcome::Result(result) => {
                let fault = Fault {
                    op: "accept",
                    errno: -result,
                };
                let is_broken = matches!(fault.errno, libc::EBADF | libc::EINVAL | libc::ENOTSOCK);
                if exhausted(fault) || is_broken {
                    self.sockets.doors[at].is_resting = true;
                    self.rest_until = Some(clock::monotonic().plus(REST));
                    self.sockets
                        .owed
                        .push_back(Owed::AcceptFailed { listener, fault });
                } else if !has_more {
                    // A client that left before it was taken, or a network error of its own.
                    self.arm_door(at);
                }
            }
            Outcome::Bytes(_) | Outcome::Filled(_) => unreachable!("listeners bring no bytes"),
        }
    }

    /// Takes those who wait behind the client that an ordinary accept has brought.
    fn accept_others(&mut self, at: usize, listener: ListenerId) {
        for _ in 1..self.sockets.options.accepts_per_turn {
            self.ring.count_call();
            match socket::accept(self.sockets.doors[at].fd.as_fd()) {
                Ok((fd, _)) => self.enter(listener, fd),
                // Whatever it is, the armed accept will tell.
                Err(_) => return,
            }
        }
    }

    fn enter(&mut self, listener: ListenerId, fd: Fd) {
        self.ring.count_call();
        // A client that has gone already has no address; nobody misses it.
        let Ok(peer) = socket::peer(fd.as_fd()) else {
            return;
        };
        self.ring.count_call();
        let (conn, arrival) = self.sockets.enter(fd, peer);
        self.sockets.owed.push_back(Owed::Accepted {
            conn,
            listener,
            arrival,
        });
        self.receive(conn);
    }

    fn on_connect(&mut self, id: ConnId, result: i32) {
        let Some(conn) = self.sockets.table.get_mut(id) else {
            return;
        };
        conn.held.is_connecting = false;
        if conn.phase == Phase::Gone {
            self.let_go(id);
            return;
        }
        if result < 0 {
            // Cancelled: the next poller watches on.
            return;
        }
        self.ring.count_call();
        if let Some(fault) = socket::pending_error(conn.fd.as_fd(), "connect") {
            self.fail(id, fault);
            return;
        }
        conn.phase = Phase::Open;
        self.sockets.owed.push_back(Owed::Connected {
            conn: id,
            result: Ok(()),
        });
        self.receive(id);
        self.transmit(id);
    }

    /// Bytes have come into the pool.
    fn on_bytes(&mut self, id: ConnId, lease: Lease, has_more: bool) -> Taken {
        if !has_more {
            self.after_receiving(id);
        }
        let Some(conn) = self.sockets.table.get_mut(id) else {
            self.ring.give_back(lease);
            return Taken::Nothing;
        };
        if conn.phase != Phase::Open {
            self.ring.give_back(lease);
            return Taken::Nothing;
        }
        if conn.fill.is_none() && conn.early.is_empty() && !self.is_releasing {
            return Taken::Bytes(id, lease);
        }
        // They belong to a fill, or behind bytes that wait already.
        let had_none = conn.early.is_empty();
        conn.early.extend_from_slice(self.ring.bytes(&lease));
        self.ring.give_back(lease);
        if let Some(fill) = &mut conn.fill {
            fill.take_from(&mut conn.early);
            self.finish_fill(id);
        }
        let is_waiting = self
            .sockets
            .table
            .get(id)
            .is_some_and(|conn| !conn.early.is_empty());
        if had_none && is_waiting {
            self.sockets.owed.push_back(Owed::Early(id));
        }
        Taken::Nothing
    }

    /// A receive into the pool has completed for the last time.
    fn after_receiving(&mut self, id: ConnId) {
        let Some(conn) = self.sockets.table.get_mut(id) else {
            return;
        };
        conn.held.is_receiving = false;
        conn.held.is_cancelling = false;
        if conn.phase == Phase::Gone {
            self.let_go(id);
        } else {
            self.idle.push(id);
        }
    }

    /// A receive into the pool has ended without bytes.
    fn on_receive_over(&mut self, id: ConnId, result: i32) {
        self.after_receiving(id);
        match -result {
            0 => self.on_end(id),
            libc::ENOBUFS | libc::ECANCELED | libc::EAGAIN | libc::EINTR => {}
            errno => self.fail(id, Fault { op: "recv", errno }),
        }
    }

    /// The peer's stream has ended; bytes that wait are delivered first.
    fn on_end(&mut self, id: ConnId) {
        let Some(conn) = self.sockets.table.get_mut(id) else {
            return;
        };
        conn.is_at_end = true;
        if conn.early.is_empty() && !self.is_releasing {
            self.finish(id);
        }
    }

    /// A receive into the engine's own buffer is over.
    fn on_filled(&mut self, id: ConnId, filled: Filled) {
        let Some(conn) = self.sockets.table.get_mut(id) else {
            return;
        };
        conn.held.is_filling = false;
        if conn.phase == Phase::Gone {
            self.let_go(id);
            return;
        }
        let Some(fill) = &mut conn.fill else { return };
        fill.buffer = filled.buffer;
        match filled.errno {
            None if filled.got == 0 => self.on_end(id),
            None | Some(libc::ECANCELED | libc::EAGAIN | libc::EINTR) => {
                self.finish_fill(id);
                self.idle.push(id);
            }
            Some(errno) => self.fail(id, Fault { op: "recv", errno }),
        }
    }

    fn finish_fill(&mut self, id: ConnId) {
        if let Some(conn) = self.sockets.table.get_mut(id)
            && conn.fill.as_ref().is_some_and(|fill| fill.missing() == 0)
            && let Some(fill) = conn.fill.take()
        {
            self.sockets.owed.push_back(Owed::Filled {
                conn: id,
                buffer: fill.buffer,
            });
        }
    }

    /// Lends bytes that were received out of turn.
    fn take_early(&mut self, id: ConnId) -> bool {
        let Some(conn) = self.sockets.table.get_mut(id) else {
            return false;
        };
        let is_read = conn.phase == Phase::Open && conn.reading == Reading::On;
        if !is_read || conn.early.is_empty() || conn.fill.is_some() {
            return false;
        }
        self.early = std::mem::take(&mut conn.early);
        self.after_early(id);
        true
    }

    /// Goes on behind bytes that were received out of turn.
    fn after_early(&mut self, id: ConnId) {
        let Some(conn) = self.sockets.table.get(id) else {
            return;
        };
        if !conn.early.is_empty() {
            self.sockets.owed.push_back(Owed::Early(id));
        } else if conn.is_at_end {
            self.finish(id);
        } else {
            self.receive(id);
        }
    }

    fn arm_door(&mut self, at: usize) {
        let door = &mut self.sockets.doors[at];
        door.is_resting = false;
        let result = self.ring.accept(door.fd.as_fd(), door_token(door.id));
        self.note(result);
    }

    /// Asks resting listeners again once their time has come.
    fn rouse(&mut self) {
        if self
            .rest_until
            .is_none_or(|until| until > clock::monotonic())
        {
            return;
        }
        self.rest_until = None;
        for at in 0..self.sockets.doors.len() {
            if self.sockets.doors[at].is_resting {
                self.arm_door(at);
            }
        }
    }

    fn arm_bell(&mut self) {
        if !self.is_bell_armed {
            self.is_bell_armed = true;
            let bell = self.sockets.bell();
            let result = self.ring.watch_readable(bell.as_fd(), BELL);
            self.note(result);
        }
    }

    fn adopt_conn(&mut self, id: ConnId) {
        let Some(conn) = self.sockets.table.get_mut(id) else {
            return;
        };
        match conn.phase {
            Phase::Connecting => {
                conn.held.is_connecting = true;
                let result = self
                    .ring
                    .watch_writable(conn.fd.as_fd(), id.to_bits() | WATCH);
                self.note(result);
            }
            Phase::Open => {
                self.after_early(id);
                self.transmit(id);
            }
            Phase::Finished => self.transmit(id),
            Phase::Ending => {
                self.ending.push(id);
                self.transmit(id);
            }
            Phase::Gone => {}
        }
    }

    /// How to wait: not at all while there is something to tell.
    fn patience(&self, patience: Patience) -> Wait {
        if !self.sockets.owed.is_empty() || !self.done.is_empty() {
            return Wait {
                want: 0,
                grace: Micros(0),
                limit: Some(Micros(0)),
            };
        }
        let rest = self.rest_until.map(|until| until.minus(clock::monotonic()));
        let limit = match (patience.sleep, rest) {
            (Some(sleep), Some(rest)) => Some(sleep.min(rest)),
            (sleep, rest) => sleep.or(rest),
        };
        let want = if limit == Some(Micros(0)) {
            0
        } else {
            patience.gather.max(1)
        };
        Wait {
            want,
            grace: patience.grace,
            limit,
        }
    }
}

/// Bytes that the kernel has refused so far.
fn unsent(conn: &Conn) -> usize {
    conn.output.unsent + conn.held.sending
}

impl<C: Choice> Poller for Uring<C> {
    const NAME: &'static str = "io_uring";
    type Door = Door;
    type Sockets = Sockets;

    fn open(_expected: usize) -> Result<Self, Fault> {
        process::set_timer_slack(1);
        let wanted = features()?.and(C::FEATURES);
        Ok(Self {
            ring: Ring::open(wanted)?,
            sockets: Sockets::new()?,
            done: VecDeque::new(),
            sent: Vec::new(),
            lease: None,
            early: Vec::new(),
            batch: 1,
            ending: Vec::new(),
            idle: Vec::new(),
            postponed: Vec::new(),
            is_bell_armed: false,
            is_releasing: false,
            rest_until: None,
            broken: None,
            choice: PhantomData,
        })
    }

    fn adopt(&mut self, sockets: Sockets) -> Result<(), Fault> {
        assert!(
            self.sockets.is_empty(),
            "sockets are adopted before anything else"
        );
        assert!(
            !self.is_bell_armed,
            "sockets are adopted before the first wait"
        );
        self.sockets = sockets;
        for at in 0..self.sockets.doors.len() {
            self.arm_door(at);
        }
        for id in self.sockets.table.ids() {
            self.adopt_conn(id);
        }
        self.broken.map_or(Ok(()), Err)
    }

    fn release(mut self) -> Sockets {
        self.is_releasing = true;
        self.give_back();
        // Bytes that were lent already are the engine's; the rest is kept with its connection.
        let mut result = self.ring.cancel_all();
        while result.is_ok() {
            while let Some(done) = self.done.pop_front() {
                self.take(done);
            }
            if self.ring.flying() == 0 && self.ring.is_submitted() && self.done.is_empty() {
                break;
            }
            let limit = Some(Micros::from_millis(10));
            result = self.turn(Wait {
                want: 1,
                grace: Micros(0),
                limit,
            });
        }
        for conn in self.sockets.table.iter_mut() {
            conn.held.batch = 0;
        }
        self.sockets
    }

    fn listen(&mut self, listener: ListenerId, door: Door) -> Result<(), Fault> {
        self.sockets.dress_door(&door);
        self.sockets.doors.push(Listening {
            id: listener,
            fd: door,
            is_resting: false,
        });
        self.arm_door(self.sockets.doors.len() - 1);
        Ok(())
    }

    fn unlisten(&mut self, listener: ListenerId) {
        let Some(door) = self.sockets.remove_door(listener) else {
            return;
        };
        // A request that was not submitted yet must not name a closed descriptor.
        let mut result = self.ring.cancel(door_token(listener));
        if result.is_ok() {
            result = self.ring.submit();
        }
        self.note(result);
        // A child process may hold the listener too.
        let _ = socket::shutdown(door.fd.as_fd(), socket::Directions::Both);
    }

    fn set_options(&mut self, options: SocketOptions) {
        self.sockets.set_options(options);
    }

    fn connect(&mut self, peer: &Endpoint) -> Result<ConnId, Fault> {
        let fd = socket::connect(peer)?;
        self.ring.count_call();
        self.sockets.dress_conn(&fd);
        let id = self.sockets.table.insert(fd, Phase::Connecting);
        self.adopt_conn(id);
        Ok(id)
    }

    fn wait(&mut self, patience: Patience) -> Result<(), Fault> {
        self.give_back();
        self.rouse();
        self.arm_bell();
        for id in std::mem::take(&mut self.idle) {
            self.receive(id);
        }
        if !self.ending.is_empty() {
            // Replies of this turn leave before their connections end.
            self.turn(Wait {
                want: 0,
                grace: Micros(0),
                limit: Some(Micros(0)),
            })?;
            self.settle_ending();
        }
        if let Some(fault) = self.broken {
            return Err(fault);
        }
        self.turn(self.patience(patience))
    }

    fn next(&mut self) -> Option<Event<'_>> {
        self.give_back();
        let (conn, lease) = loop {
            if let Some(owed) = self.sockets.owed.pop_front() {
                let Owed::Early(id) = owed else {
                    return Some(self.sockets.deliver(owed));
                };
                if self.take_early(id) {
                    return Some(Event::Received {
                        conn: id,
                        bytes: &mut self.early,
                    });
                }
                continue;
            }
            let done = self.done.pop_front()?;
            match self.take(done) {
                Taken::Nothing => {}
                Taken::Woken => return Some(Event::Woken),
                Taken::Bytes(id, lease) => break (id, lease),
            }
        };
        let lease = self.lease.insert(lease);
        Some(Event::Received {
            conn,
            bytes: self.ring.bytes(lease),
        })
    }

    fn send(&mut self, id: ConnId, reply: &mut ReplyBuf) {
        let Some(conn) = self.sockets.table.get_mut(id) else {
            reply.clear(REPLY_KEPT_BYTES);
            return;
        };
        match conn.phase {
            Phase::Gone => reply.clear(REPLY_KEPT_BYTES),
            Phase::Open | Phase::Finished | Phase::Ending
                if unsent(conn) == 0 && !reply.is_empty() =>
            {
                if conn.held.batch == self.batch {
                    conn.output.push(reply, 0);
                    self.postponed.push(id);
                    return;
                }
                match self.ring.send_briefly(conn.fd.as_fd(), id.to_bits(), reply) {
                    Ok(true) => conn.held.batch = self.batch,
                    Ok(false) => {
                        conn.output.push(reply, 0);
                        self.transmit(id);
                    }
                    Err(fault) => self.note(Err(fault)),
                }
            }
            _ => conn.output.push(reply, 0),
        }
    }

    fn unsent(&self, id: ConnId) -> usize {
        self.sockets.table.get(id).map_or(0, unsent)
    }

    fn fill(&mut self, id: ConnId, buffer: Vec<u8>, wanted: usize) {
        let Some(conn) = self.sockets.table.get_mut(id) else {
            return;
        };
        if conn.phase != Phase::Open {
            return;
        }
        assert!(conn.fill.is_none(), "one value at a time is filled");
        let fill = Fill::new(buffer, wanted, &mut conn.early);
        let is_direct = fill.missing() >= DIRECT_BYTES;
        if is_direct {
            conn.caution = CAUTION;
        }
        conn.fill = Some(Box::new(fill));
        if is_direct {
            self.stop_receiving(id);
        }
        self.finish_fill(id);
        self.after_early(id);
    }

    fn pause(&mut self, id: ConnId, reading: Reading) {
        let Some(conn) = self.sockets.table.get_mut(id) else {
            return;
        };
        conn.reading = reading;
        match reading {
            Reading::Off => self.stop_receiving(id),
            Reading::On => self.after_early(id),
        }
    }

    fn close(&mut self, id: ConnId, how: Close) {
        let Some(conn) = self.sockets.table.get(id) else {
            return;
        };
        match (how, conn.phase) {
            (Close::Graceful, Phase::Open | Phase::Finished) => self.end(id),
            (Close::Graceful, Phase::Ending) => {}
            _ => self.bury(id),
        }
    }

    fn waker(&self) -> Arc<dyn Wake> {
        self.sockets.waker()
    }

    fn calls(&self) -> Calls {
        self.ring.calls()
    }
}
