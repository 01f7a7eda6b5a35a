//! The seam between the engine and the kernel's sockets: bytes in, bytes out, and sleep.
//!
//! Shape: completion, pulled and lending. [`Poller::wait`] hands the kernel everything queued and
//! sleeps; [`Poller::next`] lends one event at a time until `None`; replies are given whole with
//! [`Poller::send`]. Readiness pollers pretend to complete; a ring need not pretend.
//!
//! What must hold (tested by the conformance suite over every member):
//! 1. *Ownership.* `send` takes the bytes; the poller keeps them alive until the kernel is done.
//!    `Received` lends bytes until the next call on the poller.
//! 2. *Streams.* Once accepted or connected, bytes keep arriving without further requests until
//!    `pause` or `Closed`. An idle connection holds no buffer.
//! 3. *Order.* Bytes of one connection arrive in order and leave in the order given. Nothing is
//!    promised between connections.
//! 4. *End.* Every connection that was `Accepted` or `Connected` gets exactly one `Closed`, last.
//!    Only then may its slot be reused, under a new generation. A peer that has finished speaking
//!    may still listen: it makes one `Finished`, behind its last byte, and the connection stays,
//!    written to as before, until `close`.
//! 5. *Switch.* `release` then `adopt` moves every socket to another poller: no byte lost,
//!    doubled or reordered, nobody disconnected, no event promised twice.
//! 6. *No opinion.* A poller does not parse, time, limit or log. It counts only its own calls.
//! 7. *Trouble stays local.* A failing connection ends in `Closed` with the fault; a failing
//!    accept is reported once as `AcceptFailed` and the listener rests until a connection is
//!    closed or a moment has passed: it never spins.

pub use crate::base::Endpoint;
use crate::base::{ConnId, ListenerId, Micros};
use crate::resp::ReplyBuf;
use std::fmt;

/// A system call that failed, and how.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Fault {
    /// The call, as the manual names it.
    pub op: &'static str,
    /// Its error number.
    pub errno: i32,
}

impl Fault {
    /// The system's words for it.
    #[must_use]
    pub fn reason(self) -> String {
        // Without the number that Rust puts behind it.
        let mut text = std::io::Error::from_raw_os_error(self.errno).to_string();
        text.truncate(text.find(" (os error ").unwrap_or(text.len()));
        text
    }
}

impl fmt::Display for Fault {
    fn fmt(&self, out: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(out, "{}: {}", self.op, self.reason())
    }
}

impl std::error::Error for Fault {}

/// Who came through a listener.
#[derive(Clone, Debug)]
pub struct Arrival {
    /// The other side.
    pub peer: Endpoint,
    /// This side.
    pub local: Endpoint,
    /// The descriptor's number, for `CLIENT LIST` only.
    pub descriptor: i32,
}

/// What happened. Every variant is work already done, never "you may now try".
#[derive(Debug)]
pub enum Event<'a> {
    /// A client arrived; it is being read from now on.
    Accepted {
        /// Its name from now on.
        conn: ConnId,
        /// The door it came through.
        listener: ListenerId,
        /// Both addresses; boxed because it is rare and large.
        arrival: Box<Arrival>,
    },
    /// Accepting failed (descriptors exhausted, say); the listener rests for a while.
    AcceptFailed {
        /// The door.
        listener: ListenerId,
        /// Why.
        fault: Fault,
    },
    /// An outgoing connection succeeded or failed; failure is also its last event.
    Connected {
        /// The name that `connect` gave.
        conn: ConnId,
        /// Why it failed.
        result: Result<(), Fault>,
    },
    /// Bytes in order, lent until the next call: parse in place, copy out only an unfinished tail.
    Received {
        /// From whom.
        conn: ConnId,
        /// At least one byte.
        bytes: &'a mut [u8],
    },
    /// The buffer lent with `fill` is full (len equals the wanted length) and is the engine's again.
    Filled {
        /// From whom.
        conn: ConnId,
        /// The buffer.
        buffer: Vec<u8>,
    },
    /// The peer will say no more, and may still listen: nothing more is received, and the engine is
    /// to `close` when it has answered. A fill under way is given up.
    Finished {
        /// Whose stream has ended.
        conn: ConnId,
    },
    /// A reply that `send` took as having left has left in part only, which the kernel said later.
    Stalled {
        /// Whose output it is.
        conn: ConnId,
        /// How much of that output is left, in bytes.
        unsent: usize,
    },
    /// What would not leave at once has left now.
    Drained {
        /// Whose output is empty.
        conn: ConnId,
    },
    /// The last event of a connection; only now is its slot free. `Ok` for an orderly end.
    Closed {
        /// Who is gone.
        conn: ConnId,
        /// Why, when it was not orderly.
        result: Result<(), Fault>,
    },
    /// A [`Wake`] was used, any number of times.
    Woken,
}

/// How long to sleep, and how long to let company gather once someone has come.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Patience {
    /// Longest sleep; `None` until something happens, zero to look only.
    pub sleep: Option<Micros>,
    /// How many connections with news make waiting longer pointless; 0 or 1: do not gather.
    pub gather: u32,
    /// How long to wait for that company after the first has come. A wish: ignoring it is
    /// correct, only slower.
    pub grace: Micros,
}

/// Whether bytes that are still to be sent leave first.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Close {
    /// After what was given to `send` has left.
    Graceful,
    /// At once; unsent bytes are dropped.
    Now,
}

/// Whether a connection is read.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Reading {
    /// Bytes arrive.
    On,
    /// The kernel keeps them. Bytes it had already delivered may still come.
    Off,
}

/// What new connections are set to.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct SocketOptions {
    /// Seconds of silence before keep-alive probes; 0 for none.
    pub keepalive_secs: u32,
    /// How many connections to accept per listener and turn, where the member has a choice.
    pub accepts_per_turn: u32,
}

impl Default for SocketOptions {
    fn default() -> Self {
        Self {
            keepalive_secs: 300,
            accepts_per_turn: 10,
        }
    }
}

/// The calls a member has made, ever; what it does not use stays 0.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub struct Calls {
    /// System calls for waiting, accepting, receiving, sending and arming.
    pub syscalls: u64,
    /// Submission queue entries handed to a ring.
    pub sqes: u64,
    /// Completion queue entries reaped from a ring.
    pub cqes: u64,
}

/// Ends a wait from another thread; clones name the same loop.
pub trait Wake: Send + Sync {
    /// Makes the loop see [`Event::Woken`] soon; any number of calls may make one event.
    fn wake(&self);
}

/// Does one kind of waiting. Owns every socket; the engine knows only [`ConnId`]s.
pub trait Poller: Sized {
    /// The member's name: what the directive and INFO say.
    const NAME: &'static str;
    /// A listening socket that the host has opened.
    type Door;
    /// Every socket with all that is in flight on it, for another poller.
    type Sockets;

    /// Opens an empty poller with room for about `expected` connections.
    ///
    /// # Errors
    /// When the kernel refuses what the member needs.
    fn open(expected: usize) -> Result<Self, Fault>;
    /// Takes over all sockets of another poller, with received and not consumed bytes, unsent
    /// bytes, pauses, fills and closes under way.
    ///
    /// # Errors
    /// When a socket cannot be armed; the sockets are then lost with the process.
    fn adopt(&mut self, sockets: Self::Sockets) -> Result<(), Fault>;
    /// Gives all sockets up, cancelling whatever the kernel holds of them.
    fn release(self) -> Self::Sockets;
    /// Takes a listening socket; its clients arrive as [`Event::Accepted`].
    ///
    /// # Errors
    /// When it cannot be armed (select beyond its descriptor limit).
    fn listen(&mut self, listener: ListenerId, door: Self::Door) -> Result<(), Fault>;
    /// Closes a listening socket; connections accepted through it live on.
    fn unlisten(&mut self, listener: ListenerId);
    /// Sets what connections accepted or made from now on get.
    fn set_options(&mut self, options: SocketOptions);
    /// Starts an outgoing connection; it ends in exactly one [`Event::Connected`].
    ///
    /// # Errors
    /// When not even the attempt can be made.
    fn connect(&mut self, peer: &Endpoint) -> Result<ConnId, Fault>;
    /// Hands the kernel all that was queued, then sleeps until there is something for `next` or
    /// patience runs out.
    ///
    /// # Errors
    /// Only when waiting itself is broken; an interrupted wait is no error.
    fn wait(&mut self, patience: Patience) -> Result<(), Fault>;
    /// The next event, lent; `None` ends the turn.
    fn next(&mut self) -> Option<Event<'_>>;
    /// Takes a reply whole and leaves the buffer empty: no copy. At most once a connection a turn.
    fn send(&mut self, conn: ConnId, reply: &mut ReplyBuf);
    /// Bytes that `send` took and the kernel has refused so far; [`Event::Drained`] says when they
    /// have left. What a ring has queued and not tried yet is not counted.
    fn unsent(&self, conn: ConnId) -> usize;
    /// Receives straight into `buffer` until its length is `wanted`: a large value is copied once,
    /// by the kernel. No `Received` for `conn` until [`Event::Filled`].
    fn fill(&mut self, conn: ConnId, buffer: Vec<u8>, wanted: usize);
    /// Stops or resumes reading.
    fn pause(&mut self, conn: ConnId, reading: Reading);
    /// Ends the connection; a graceful end still sends what is given to `send` in the same turn.
    /// The peer learns at once; the slot is free only when [`Event::Closed`] says that the kernel
    /// holds nothing of it. Asking twice is allowed and `Now` hastens a graceful close.
    fn close(&mut self, conn: ConnId, how: Close);
    /// A handle with which other threads end a wait. It stays valid across `release`/`adopt`.
    fn waker(&self) -> std::sync::Arc<dyn Wake>;
    /// What the member has asked of the kernel so far.
    fn calls(&self) -> Calls;
}
