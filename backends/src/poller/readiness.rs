//! Turns "you may" into "it is done": one poller over epoll, poll and select.
//!
//! Shape: a [`ReadySource`] says which descriptors have news; this receives, accepts and sends.
//! Three rules make the comparison with a ring fair, and live here alone: interest stays armed
//! from one message to the next, a send is tried at once and armed only when the kernel refuses,
//! and everything is received into one shared buffer, at the last moment, inside `next`.
//! Invariants: `Conn::armed` is what the source has been told; a connection whose phase is `Gone`
//! is unknown to the source and its `Closed` is owed.
//! Cost: one receive and one send a connection and turn; no control call a message.

use super::Door;
use super::sockets::{
    CAUTION, Conn, Fill, Listening, Output, Owed, Phase, REPLY_KEPT_BYTES, Sockets,
};
use crate::sys::epoll::{Interest, Ready};
use crate::sys::{Fd, clock, exhausted, interrupted, process, socket, would_block};
use dovetail_engine::base::{ConnId, ListenerId, Micros};
use dovetail_engine::resp::ReplyBuf;
use dovetail_engine::seam::poller::{
    Calls, Close, Endpoint, Event, Fault, Patience, Poller, Reading, SocketOptions, Wake,
};
use std::os::fd::{AsFd, BorrowedFd};
use std::sync::Arc;

/// Bytes of the shared receive buffer.
const SCRATCH_BYTES: usize = 32 * 1024;
/// Bytes received at first from a connection that has lately sent large values.
const CAREFUL_BYTES: usize = 4 * 1024;
/// How often one connection may fill that in a turn before others have theirs.
const HELPINGS: u32 = 4;
/// How long a listener rests after accepting has failed, unless a connection closes before.
const REST: Micros = Micros::from_millis(100);
/// The slot part of tokens that name no connection.
const SPECIAL: u32 = u32::MAX;
/// The token of the bell.
const BELL: u64 = u64::MAX;

/// Says which descriptors have news.
pub trait ReadySource: Sized {
    /// The member's name.
    const NAME: &'static str;
    /// Opens a source with room for about `expected` descriptors.
    ///
    /// # Errors
    /// When the kernel does not have it.
    fn open(expected: usize) -> Result<Self, Fault>;
    /// Changes what is heard of `fd`; `was` is what has been heard so far, never equal to
    /// `wanted`. No interest means that the descriptor is unknown.
    ///
    /// # Errors
    /// When the source cannot hold the descriptor.
    fn change(
        &mut self,
        fd: BorrowedFd<'_>,
        token: u64,
        was: Interest,
        wanted: Interest,
    ) -> Result<(), Fault>;
    /// Waits at most `timeout` and appends what has news to `ready`.
    ///
    /// # Errors
    /// `EINTR` when a signal came first.
    fn wait(&mut self, timeout: Option<Micros>, ready: &mut Vec<Ready>) -> Result<(), Fault>;
    /// Whether the source could hold `fd`, as descriptor numbers go.
    fn has_room_for(_fd: BorrowedFd<'_>) -> bool {
        true
    }
}

/// A poller over a source of readiness.
#[derive(Debug)]
pub struct Readiness<S> {
    source: S,
    sockets: Sockets,
    is_bell_armed: bool,
    ready: Vec<Ready>,
    /// How much of `ready` has been looked at.
    at: usize,
    /// How often the connection under the hand has filled the receive buffer.
    helpings: u32,
    /// Clients that the listener under the hand may still bring this turn.
    accepts_left: Option<u32>,
    /// Connections that end gracefully, looked at once the turn's replies have been given.
    ending: Vec<ConnId>,
    /// When the resting listeners are asked again.
    rest_until: Option<Micros>,
    scratch: Box<[u8]>,
    calls: Calls,
}

/// What one look at a connection has brought.
enum Taken {
    Nothing,
    Bytes(ConnId, usize),
}

impl<S: ReadySource> Readiness<S> {
    fn fresh(sockets: Sockets, source: S) -> Self {
        Self {
            source,
            sockets,
            is_bell_armed: false,
            ready: Vec::new(),
            at: 0,
            helpings: 0,
            accepts_left: None,
            ending: Vec::new(),
            rest_until: None,
            scratch: vec![0; SCRATCH_BYTES].into_boxed_slice(),
            calls: Calls::default(),
        }
    }

    /// Tells the source what the connection's state asks for, if that has changed.
    fn rearm(&mut self, id: ConnId) {
        let Some(conn) = self.sockets.table.get_mut(id) else {
            return;
        };
        let wanted = wanted(conn);
        if wanted == conn.armed {
            return;
        }
        self.calls.syscalls += 1;
        match self
            .source
            .change(conn.fd.as_fd(), id.to_bits(), conn.armed, wanted)
        {
            Ok(()) => conn.armed = wanted,
            Err(fault) => {
                conn.fault.get_or_insert(fault);
                self.bury(id);
            }
        }
    }

    /// Ends a connection: the peer learns, the source forgets it, `Closed` is owed.
    fn bury(&mut self, id: ConnId) {
        let Some(conn) = self.sockets.table.get_mut(id) else {
            return;
        };
        if conn.phase == Phase::Gone {
            return;
        }
        let was_connecting = conn.phase == Phase::Connecting;
        if was_connecting {
            conn.fault.get_or_insert(Fault {
                op: "connect",
                errno: libc::ECANCELED,
            });
        }
        conn.phase = Phase::Gone;
        conn.fill = None;
        conn.early = Vec::new();
        conn.output.clear();
        // Forgotten first: a child process that holds the same socket would keep it registered.
        if conn.armed != Interest::NONE {
            self.calls.syscalls += 1;
            // A source that does not know it has nothing to forget.
            let _ = self
                .source
                .change(conn.fd.as_fd(), id.to_bits(), conn.armed, Interest::NONE);
            conn.armed = Interest::NONE;
        }
        // Shut down, not only closed: a child process may hold the socket too.
        self.calls.syscalls += 1;
        let _ = socket::shutdown(conn.fd.as_fd(), socket::Directions::Both);
        let result = conn.result();
        self.sockets.owed.push_back(if was_connecting {
            Owed::Connected { conn: id, result }
        } else {
            Owed::Closed { conn: id, result }
        });
        self.rest_until = self.rest_until.map(|_| Micros(0));
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

    /// Sends what waits, now that the kernel takes something.
    fn flush(&mut self, id: ConnId) {
        let Some(conn) = self.sockets.table.get_mut(id) else {
            return;
        };
        let waited = conn.output.unsent > 0;
        if let Err(fault) = push_out(conn, &mut self.calls) {
            self.fail(id, fault);
            return;
        }
        if conn.output.unsent == 0 && waited {
            if conn.phase == Phase::Ending {
                self.bury(id);
                return;
            }
            self.sockets.owed.push_back(Owed::Drained { conn: id });
        }
        self.rearm(id);
    }

    /// Receives once from a connection that has news.
    fn receive(&mut self, id: ConnId) -> Taken {
        let Some(conn) = self.sockets.table.get_mut(id) else {
            return Taken::Nothing;
        };
        if conn.phase != Phase::Open || conn.reading == Reading::Off {
            return Taken::Nothing;
        }
        self.calls.syscalls += 1;
        let fd = conn.fd.as_fd();
        let got = match &mut conn.fill {
            Some(fill) => {
                let missing = fill.missing();
                socket::recv_behind(fd, &mut fill.buffer, missing)
            }
            None if conn.caution > 0 && self.helpings == 0 => {
                conn.caution -= 1;
                socket::recv(fd, &mut self.scratch[..CAREFUL_BYTES])
            }
            None => socket::recv(fd, &mut self.scratch),
        };
        match got {
            Ok(0) => self.finish(id),
            Ok(len) if conn.fill.is_none() => return Taken::Bytes(id, len),
            Ok(_) => self.finish_fill(id),
            Err(fault) if would_block(fault) || interrupted(fault) => {}
            Err(fault) => self.fail(id, fault),
        }
        Taken::Nothing
    }

    /// The peer's stream has ended.
    fn finish(&mut self, id: ConnId) {
        if let Some(conn) = self.sockets.table.get_mut(id)
            && conn.phase == Phase::Open
        {
            conn.phase = Phase::Finished;
            conn.fill = None;
            self.sockets.owed.push_back(Owed::Finished { conn: id });
            // A stream at its end has news for ever.
            self.rearm(id);
        }
    }

    /// The connection ends: what the engine answers in this turn still leaves.
    fn end(&mut self, id: ConnId) {
        if let Some(conn) = self.sockets.table.get_mut(id)
            && matches!(conn.phase, Phase::Open | Phase::Finished)
        {
            conn.phase = Phase::Ending;
            conn.fill = None;
            conn.early = Vec::new();
            self.ending.push(id);
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

    /// Learns how an outgoing attempt has ended.
    fn finish_connect(&mut self, id: ConnId) {
        let Some(conn) = self.sockets.table.get_mut(id) else {
            return;
        };
        self.calls.syscalls += 1;
        if let Some(fault) = socket::pending_error(conn.fd.as_fd(), "connect") {
            self.fail(id, fault);
            return;
        }
        conn.phase = Phase::Open;
        self.sockets.owed.push_back(Owed::Connected {
            conn: id,
            result: Ok(()),
        });
        self.flush(id);
    }

    /// Goes on to the next connection, unless this one seems to have more.
    fn advance(&mut self, taken: &Taken) {
        let is_full =
            matches!(taken, Taken::Bytes(_, len) if *len == SCRATCH_BYTES || *len == CAREFUL_BYTES);
        if is_full && self.helpings + 1 < HELPINGS {
            self.helpings += 1;
        } else {
            self.helpings = 0;
            self.at += 1;
        }
    }

    fn look_at(&mut self, ready: Ready) -> Taken {
        let id = ConnId::from_bits(ready.token);
        let Some(conn) = self.sockets.table.get(id) else {
            return Taken::Nothing;
        };
        if conn.phase == Phase::Connecting {
            if ready.can.write {
                self.finish_connect(id);
            }
            return Taken::Nothing;
        }
        if ready.can.write && conn.armed.write {
            self.flush(id);
        }
        if ready.can.read {
            self.receive(id)
        } else {
            Taken::Nothing
        }
    }

    /// Takes the next client of a listener; `None` when there is none or it has had its share.
    fn accept(&mut self, listener: ListenerId) -> Option<Event<'static>> {
        let at = self
            .sockets
            .doors
            .iter()
            .position(|door| door.id == listener)?;
        let left = self
            .accepts_left
            .unwrap_or(self.sockets.options.accepts_per_turn.max(1));
        self.accepts_left = Some(left.checked_sub(1)?);
        loop {
            self.calls.syscalls += 1;
            match socket::accept(self.sockets.doors[at].fd.as_fd()) {
                Ok((fd, _)) if !S::has_room_for(fd.as_fd()) => {
                    return Some(self.rest(
                        at,
                        Fault {
                            op: "accept",
                            errno: libc::EMFILE,
                        },
                    ));
                }
                Ok((fd, peer)) => {
                    self.calls.syscalls += 1;
                    let (conn, arrival) = self.sockets.enter(fd, peer);
                    self.rearm(conn);
                    return Some(Event::Accepted {
                        conn,
                        listener,
                        arrival,
                    });
                }
                Err(fault) if would_block(fault) => return None,
                Err(fault) if exhausted(fault) => return Some(self.rest(at, fault)),
                Err(fault) if is_broken(fault) => return Some(self.rest(at, fault)),
                // A client that left before it was taken, or a network error of its own.
                Err(_) => {}
            }
        }
    }

    /// Stops asking a listener for clients for a while.
    fn rest(&mut self, at: usize, fault: Fault) -> Event<'static> {
        self.accepts_left = Some(0);
        let door = &mut self.sockets.doors[at];
        door.is_resting = true;
        self.calls.syscalls += 1;
        let token = door_token(door.id);
        // The interest was armed: it can be taken back.
        let _ = self
            .source
            .change(door.fd.as_fd(), token, Interest::READ, Interest::NONE);
        self.rest_until = Some(clock::monotonic().plus(REST));
        Event::AcceptFailed {
            listener: door.id,
            fault,
        }
    }

    /// Asks resting listeners again once their time has come.
    fn rouse(&mut self) {
        let now = || clock::monotonic();
        if self.rest_until.is_none_or(|until| until > now()) {
            return;
        }
        self.rest_until = None;
        for at in 0..self.sockets.doors.len() {
            if self.sockets.doors[at].is_resting && self.adopt_door(at).is_err() {
                // It may fit once others have gone.
                self.sockets.doors[at].is_resting = true;
                self.rest_until = Some(now().plus(REST));
            }
        }
    }

    /// Ends what was to end gracefully and has nothing to send.
    fn settle_ending(&mut self) {
        for id in std::mem::take(&mut self.ending) {
            let Some(conn) = self.sockets.table.get(id) else {
                continue;
            };
            if conn.phase == Phase::Ending && conn.output.unsent == 0 {
                self.bury(id);
            } else {
                self.rearm(id);
            }
        }
    }

    fn arm_bell(&mut self) -> Result<(), Fault> {
        if !self.is_bell_armed {
            let fd = self.sockets.bell.as_fd();
            self.source
                .change(fd, BELL, Interest::NONE, Interest::READ)?;
            self.is_bell_armed = true;
        }
        Ok(())
    }

    /// How long the source may sleep.
    fn timeout(&self, patience: Patience) -> Option<Micros> {
        if !self.sockets.owed.is_empty() {
            return Some(Micros(0));
        }
        let Some(until) = self.rest_until else {
            return patience.sleep;
        };
        let rest = until.minus(clock::monotonic());
        Some(patience.sleep.map_or(rest, |sleep| sleep.min(rest)))
    }

    fn ask(&mut self, timeout: Option<Micros>) -> Result<(), Fault> {
        self.calls.syscalls += 1;
        match self.source.wait(timeout, &mut self.ready) {
            Err(fault) if !interrupted(fault) => Err(fault),
            _ => Ok(()),
        }
    }

    /// Gives bytes that another poller has received to whoever waits for them.
    fn early(&mut self, id: ConnId) -> Taken {
        let Some(conn) = self.sockets.table.get_mut(id) else {
            return Taken::Nothing;
        };
        if conn.phase != Phase::Open || conn.reading == Reading::Off || conn.early.is_empty() {
            return Taken::Nothing;
        }
        assert!(conn.fill.is_none(), "a fill takes the early bytes first");
        let len = conn.early.len().min(self.scratch.len());
        self.scratch[..len].copy_from_slice(&conn.early[..len]);
        conn.early.drain(..len);
        self.after_early(id);
        Taken::Bytes(id, len)
    }

    /// Moves a descriptor that the source cannot hold to the lowest free number.
    fn make_room(fd: &mut Fd) -> Result<(), Fault> {
        if S::has_room_for(fd.as_fd()) {
            return Ok(());
        }
        let lower = socket::duplicate(fd.as_fd(), 0)?;
        if !S::has_room_for(lower.as_fd()) {
            return Err(Fault {
                op: S::NAME,
                errno: libc::EMFILE,
            });
        }
        *fd = lower;
        Ok(())
    }

    fn adopt_door(&mut self, at: usize) -> Result<(), Fault> {
        let door = &mut self.sockets.doors[at];
        Self::make_room(&mut door.fd)?;
        self.calls.syscalls += 1;
        let (fd, token) = (door.fd.as_fd(), door_token(door.id));
        self.source
            .change(fd, token, Interest::NONE, Interest::READ)?;
        door.is_resting = false;
        Ok(())
    }

    fn adopt_conn(&mut self, id: ConnId) {
        let Some(conn) = self.sockets.table.get_mut(id) else {
            return;
        };
        if conn.phase == Phase::Gone {
            return;
        }
        if let Err(fault) = Self::make_room(&mut conn.fd) {
            self.fail(id, fault);
            return;
        }
        if conn.phase == Phase::Ending {
            self.ending.push(id);
        }
        self.after_early(id);
    }

    /// Goes on behind the bytes that another poller has received.
    fn after_early(&mut self, id: ConnId) {
        let Some(conn) = self.sockets.table.get(id) else {
            return;
        };
        if !conn.early.is_empty() {
            self.sockets.owed.push_back(Owed::Early(id));
        } else if conn.is_at_end {
            self.finish(id);
        }
        self.rearm(id);
    }
}

/// What the source should say of a connection in its state.
fn wanted(conn: &Conn) -> Interest {
    let unsent = conn.output.unsent > 0;
    match conn.phase {
        Phase::Connecting => Interest {
            read: false,
            write: true,
        },
        Phase::Open => {
            let is_read = conn.reading == Reading::On && !conn.is_at_end;
            let read = is_read && conn.early.is_empty();
            Interest {
                read,
                write: unsent,
            }
        }
        Phase::Finished | Phase::Ending => Interest {
            read: false,
            write: unsent,
        },
        Phase::Gone => Interest::NONE,
    }
}

/// Sends what waits until the kernel takes no more.
fn push_out(conn: &mut Conn, calls: &mut Calls) -> Result<(), Fault> {
    while conn.output.unsent > 0 {
        let mut pieces = Output::no_pieces();
        let used = conn.output.pieces(&mut pieces);
        let offered: usize = pieces[..used].iter().map(|piece| piece.len()).sum();
        calls.syscalls += 1;
        match socket::send_vectored(conn.fd.as_fd(), &pieces[..used]) {
            Ok(sent) => {
                conn.output.advance(sent);
                if sent < offered {
                    return Ok(());
                }
            }
            Err(fault) if interrupted(fault) => {}
            Err(fault) if would_block(fault) => return Ok(()),
            Err(fault) => return Err(fault),
        }
    }
    Ok(())
}

/// Sends a reply with nothing before it; what does not leave waits in the output.
fn send_first(conn: &mut Conn, reply: &mut ReplyBuf, calls: &mut Calls) -> Result<(), Fault> {
    let Some(bytes) = reply.as_contiguous() else {
        conn.output.push(reply, 0);
        return push_out(conn, calls);
    };
    calls.syscalls += 1;
    match socket::send(conn.fd.as_fd(), bytes) {
        Ok(sent) => conn.output.push(reply, sent),
        Err(fault) if would_block(fault) || interrupted(fault) => conn.output.push(reply, 0),
        Err(fault) => {
            reply.clear(REPLY_KEPT_BYTES);
            return Err(fault);
        }
    }
    Ok(())
}

/// Whether a listener itself has failed, rather than one of its clients.
fn is_broken(fault: Fault) -> bool {
    matches!(
        fault.errno,
        libc::EBADF | libc::EINVAL | libc::ENOTSOCK | libc::EOPNOTSUPP
    )
}

fn door_token(listener: ListenerId) -> u64 {
    ConnId {
        slot: SPECIAL,
        generation: listener.0,
    }
    .to_bits()
}

impl<S: ReadySource> Poller for Readiness<S> {
    const NAME: &'static str = S::NAME;
    type Door = Door;
    type Sockets = Sockets;

    fn open(expected: usize) -> Result<Self, Fault> {
        // Short naps are to be as short as they say.
        process::set_timer_slack(1);
        Ok(Self::fresh(Sockets::new()?, S::open(expected)?))
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
            if let Err(fault) = self.adopt_door(at) {
                let door = &mut self.sockets.doors[at];
                door.is_resting = true;
                let listener = door.id;
                self.rest_until = Some(clock::monotonic().plus(REST));
                self.sockets
                    .owed
                    .push_back(Owed::AcceptFailed { listener, fault });
            }
        }
        for id in self.sockets.table.ids() {
            self.adopt_conn(id);
        }
        Ok(())
    }

    fn release(mut self) -> Sockets {
        for conn in self.sockets.table.iter_mut() {
            conn.armed = Interest::NONE;
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
        let done = self.adopt_door(self.sockets.doors.len() - 1);
        if done.is_err() {
            self.sockets.doors.pop();
        }
        done
    }

    fn unlisten(&mut self, listener: ListenerId) {
        let Some(door) = self.sockets.remove_door(listener) else {
            return;
        };
        if !door.is_resting {
            self.calls.syscalls += 1;
            let token = door_token(listener);
            let _ = self
                .source
                .change(door.fd.as_fd(), token, Interest::READ, Interest::NONE);
        }
        // A child process may hold the listener too.
        let _ = socket::shutdown(door.fd.as_fd(), socket::Directions::Both);
    }

    fn set_options(&mut self, options: SocketOptions) {
        self.sockets.set_options(options);
    }

    fn connect(&mut self, peer: &Endpoint) -> Result<ConnId, Fault> {
        let fd = socket::connect(peer)?;
        if !S::has_room_for(fd.as_fd()) {
            return Err(Fault {
                op: S::NAME,
                errno: libc::EMFILE,
            });
        }
        self.calls.syscalls += 2;
        self.sockets.dress_conn(&fd);
        let id = self.sockets.table.insert(fd, Phase::Connecting);
        self.rearm(id);
        Ok(id)
    }

    fn wait(&mut self, patience: Patience) -> Result<(), Fault> {
        self.settle_ending();
        self.rouse();
        self.arm_bell()?;
        self.ready.clear();
        self.at = 0;
        self.helpings = 0;
        self.accepts_left = None;
        let timeout = self.timeout(patience);
        if patience.gather > 1 && timeout != Some(Micros(0)) {
            self.ask(Some(Micros(0)))?;
            if self.ready.len() >= patience.gather as usize {
                return Ok(());
            }
            clock::nap(timeout.map_or(patience.grace, |timeout| timeout.min(patience.grace)));
            self.ready.clear();
            self.ask(Some(Micros(0)))?;
            if !self.ready.is_empty() {
                return Ok(());
            }
        }
        self.ask(timeout)
    }

    fn next(&mut self) -> Option<Event<'_>> {
        let (conn, len) = loop {
            let taken = if let Some(owed) = self.sockets.owed.pop_front() {
                let Owed::Early(id) = owed else {
                    return Some(self.sockets.deliver(owed));
                };
                self.early(id)
            } else {
                let ready = *self.ready.get(self.at)?;
                if ready.token == BELL {
                    self.at += 1;
                    self.calls.syscalls += 1;
                    self.sockets.bell.hear();
                    return Some(Event::Woken);
                }
                let name = ConnId::from_bits(ready.token);
                if name.slot == SPECIAL {
                    if let Some(event) = self.accept(ListenerId(name.generation)) {
                        return Some(event);
                    }
                    self.accepts_left = None;
                    self.at += 1;
                    continue;
                }
                let taken = self.look_at(ready);
                self.advance(&taken);
                taken
            };
            if let Taken::Bytes(id, len) = taken {
                break (id, len);
            }
        };
        Some(Event::Received {
            conn,
            bytes: &mut self.scratch[..len],
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
                if conn.output.unsent == 0 && !reply.is_empty() =>
            {
                match send_first(conn, reply, &mut self.calls) {
                    Ok(()) if conn.output.unsent > 0 => self.rearm(id),
                    Ok(()) => {}
                    Err(fault) => self.fail(id, fault),
                }
            }
            _ => conn.output.push(reply, 0),
        }
    }

    fn unsent(&self, id: ConnId) -> usize {
        self.sockets
            .table
            .get(id)
            .map_or(0, |conn| conn.output.unsent)
    }

    fn fill(&mut self, id: ConnId, buffer: Vec<u8>, wanted: usize) {
        let Some(conn) = self.sockets.table.get_mut(id) else {
            return;
        };
        if conn.phase != Phase::Open {
            return;
        }
        assert!(conn.fill.is_none(), "one value at a time is filled");
        conn.fill = Some(Box::new(Fill::new(buffer, wanted, &mut conn.early)));
        conn.caution = CAUTION;
        self.finish_fill(id);
        self.after_early(id);
    }

    fn pause(&mut self, id: ConnId, reading: Reading) {
        let Some(conn) = self.sockets.table.get_mut(id) else {
            return;
        };
        conn.reading = reading;
        self.after_early(id);
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
        self.calls
    }
}
