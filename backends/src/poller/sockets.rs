//! Every socket with all that is in flight on it: what pollers share and hand to each other.
//!
//! Shape: a table of slots, one connection each; listeners; events that are owed; options; the
//! bell. A poller keeps one of these and adds only what its own kernel interface needs.
//! Invariants: a slot is free only after its `Closed` was delivered; its next tenant has another
//! generation. `unsent` is the sum of what `output` holds and has not sent.

use crate::sys::Fd;
use crate::sys::epoll::Interest;
use crate::sys::eventfd::Bell;
use crate::sys::socket;
use dovetail_engine::base::{ConnId, ListenerId};
use dovetail_engine::resp::ReplyBuf;
use dovetail_engine::seam::poller::{
    Arrival, Endpoint, Event, Fault, Reading, SocketOptions, Wake,
};
use std::collections::VecDeque;
use std::io::IoSlice;
use std::os::fd::{AsFd, AsRawFd};
use std::sync::Arc;

/// A reply buffer that has grown over this is not kept for the next reply.
pub(super) const REPLY_KEPT_BYTES: usize = 64 * 1024;
/// A reply that waits behind others is appended to the last of them up to this many bytes.
const MERGED_BYTES: usize = 16 * 1024;
/// Pieces of one vectored send.
const PIECES: usize = 64;

/// Everything that moves from one poller to the next.
#[derive(Debug)]
pub struct Sockets {
    pub(super) table: Table,
    pub(super) doors: Vec<Listening>,
    pub(super) owed: VecDeque<Owed>,
    pub(super) options: SocketOptions,
    pub(super) bell: Arc<Bell>,
}

impl Sockets {
    /// No socket yet, and a waker that is valid for as long as any poller has these.
    ///
    /// # Errors
    /// When descriptors have run out.
    pub fn new() -> Result<Self, Fault> {
        Ok(Self::with_bell(Arc::new(Bell::new()?)))
    }

    pub(super) fn with_bell(bell: Arc<Bell>) -> Self {
        Self {
            table: Table::default(),
            doors: Vec::new(),
            owed: VecDeque::new(),
            options: SocketOptions::default(),
            bell,
        }
    }

    /// The handle with which threads and signal handlers end a wait.
    #[must_use]
    pub fn bell(&self) -> Arc<Bell> {
        Arc::clone(&self.bell)
    }

    /// The handle as the seam knows it.
    #[must_use]
    pub fn waker(&self) -> Arc<dyn Wake> {
        self.bell()
    }

    /// How many connections there are.
    #[must_use]
    pub fn len(&self) -> usize {
        self.table.used
    }

    /// Whether there is no connection.
    #[must_use]
    pub fn is_empty(&self) -> bool {
        self.table.used == 0
    }

    /// Takes a client in: its name from now on, and who it is.
    pub(super) fn enter(&mut self, fd: Fd, peer: Endpoint) -> (ConnId, Box<Arrival>) {
        // Without a local name only the display suffers.
        let local = socket::local(fd.as_fd()).unwrap_or_else(|_| Endpoint::Unix(String::new()));
        // A unix client has no name of its own: it is known by the path it came through.
        let peer = match (&peer, &local) {
            (Endpoint::Unix(path), Endpoint::Unix(_)) if path.is_empty() => local.clone(),
            _ => peer,
        };
        let arrival = Box::new(Arrival {
            peer,
            local,
            descriptor: fd.as_raw_fd(),
        });
        (self.table.insert(fd, Phase::Open), arrival)
    }

    /// Sets a listener's options, which its connections inherit.
    pub(super) fn dress_door(&self, door: &Fd) {
        // Unix listeners refuse both, and need neither.
        let _ = socket::set_nodelay(door.as_fd());
        let _ = socket::set_keepalive(door.as_fd(), self.options.keepalive_secs);
    }

    /// Sets the options of an outgoing connection.
    pub(super) fn dress_conn(&self, conn: &Fd) {
        self.dress_door(conn);
    }

    /// Takes new options and sets them on every listener.
    pub(super) fn set_options(&mut self, options: SocketOptions) {
        self.options = options;
        for door in &self.doors {
            self.dress_door(&door.fd);
        }
    }

    /// Takes the listener with that id out.
    pub(super) fn remove_door(&mut self, listener: ListenerId) -> Option<Listening> {
        let at = self.doors.iter().position(|door| door.id == listener)?;
        Some(self.doors.remove(at))
    }

    /// Turns what is owed into an event; frees the slot of what has closed.
    pub(super) fn deliver(&mut self, owed: Owed) -> Event<'static> {
        match owed {
            Owed::Accepted {
                conn,
                listener,
                arrival,
            } => Event::Accepted {
                conn,
                listener,
                arrival,
            },
            Owed::AcceptFailed { listener, fault } => Event::AcceptFailed { listener, fault },
            Owed::Connected { conn, result } => {
                if result.is_err() {
                    self.table.remove(conn);
                }
                Event::Connected { conn, result }
            }
            Owed::Filled { conn, buffer } => Event::Filled { conn, buffer },
            Owed::Finished { conn } => Event::Finished { conn },
            Owed::Stalled { conn, unsent } => Event::Stalled { conn, unsent },
            Owed::Drained { conn } => Event::Drained { conn },
            Owed::Closed { conn, result } => {
                self.table.remove(conn);
                Event::Closed { conn, result }
            }
            Owed::Early(_) => unreachable!("the poller lends early bytes itself"),
        }
    }
}

/// A listening socket.
#[derive(Debug)]
pub(super) struct Listening {
    pub(super) id: ListenerId,
    pub(super) fd: Fd,
    /// Accepting has failed: nobody asks the kernel for clients until that has passed.
    pub(super) is_resting: bool,
}

/// An event that is certain and not yet delivered.
#[derive(Debug)]
pub(super) enum Owed {
    Accepted {
        conn: ConnId,
        listener: ListenerId,
        arrival: Box<Arrival>,
    },
    AcceptFailed {
        listener: ListenerId,
        fault: Fault,
    },
    Connected {
        conn: ConnId,
        result: Result<(), Fault>,
    },
    Filled {
        conn: ConnId,
        buffer: Vec<u8>,
    },
    Finished {
        conn: ConnId,
    },
    Stalled {
        conn: ConnId,
        unsent: usize,
    },
    Drained {
        conn: ConnId,
    },
    Closed {
        conn: ConnId,
        result: Result<(), Fault>,
    },
    /// Bytes that another poller has received; they are with the connection.
    Early(ConnId),
}

/// Where a connection is in its life.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) enum Phase {
    /// An outgoing attempt under way.
    Connecting,
    /// Read and written.
    Open,
    /// The peer's stream has ended: written until the engine closes it.
    Finished,
    /// Not read any more; ends when all is sent.
    Ending,
    /// The kernel may still hold something of it; nothing but `Closed` will come.
    Gone,
}

/// How many receives are made with care after a large value.
pub(super) const CAUTION: u8 = 16;

/// A large value on its way into the engine's own buffer.
#[derive(Debug)]
pub(super) struct Fill {
    pub(super) buffer: Vec<u8>,
    pub(super) wanted: usize,
}

impl Fill {
    /// Takes what is wanted from the bytes that have come already, and makes room for the rest.
    pub(super) fn new(buffer: Vec<u8>, wanted: usize, early: &mut Vec<u8>) -> Self {
        let mut fill = Self { buffer, wanted };
        fill.buffer.reserve_exact(fill.missing());
        fill.take_from(early);
        fill
    }

    /// Takes what is wanted from the front of `early`.
    pub(super) fn take_from(&mut self, early: &mut Vec<u8>) {
        let took = self.missing().min(early.len());
        self.buffer.extend_from_slice(&early[..took]);
        early.drain(..took);
    }

    /// Bytes still to come.
    pub(super) fn missing(&self) -> usize {
        self.wanted.saturating_sub(self.buffer.len())
    }
}

/// One connection.
#[derive(Debug)]
pub(super) struct Conn {
    pub(super) id: ConnId,
    pub(super) fd: Fd,
    pub(super) phase: Phase,
    pub(super) reading: Reading,
    /// What a readiness source has been told to hear of it.
    pub(super) armed: Interest,
    pub(super) output: Output,
    /// Received by another poller, and not yet delivered.
    pub(super) early: Vec<u8>,
    pub(super) fill: Option<Box<Fill>>,
    /// So many receives are made with care: the connection has lately sent large values, and what
    /// is received of one before its own buffer is known must be copied there.
    pub(super) caution: u8,
    /// The peer's stream has ended behind the early bytes.
    pub(super) is_at_end: bool,
    /// Why it ends, when it is not an orderly end.
    pub(super) fault: Option<Fault>,
    /// What a ring holds of it.
    pub(super) held: RingHold,
}

/// Which requests of a connection a ring has not completed.
#[derive(Debug, Default)]
pub(super) struct RingHold {
    pub(super) is_receiving: bool,
    /// The receiving was asked to end.
    pub(super) is_cancelling: bool,
    pub(super) is_filling: bool,
    pub(super) is_connecting: bool,
    /// Bytes of the reply that is being sent; none when 0.
    pub(super) sending: usize,
    /// The batch that last had a brief send of it.
    pub(super) batch: u64,
    /// It is gone and had not been connected yet.
    pub(super) was_connecting: bool,
    /// Its last event is owed.
    pub(super) is_over: bool,
}

impl Conn {
    /// The result that `Closed` carries.
    pub(super) fn result(&self) -> Result<(), Fault> {
        self.fault.map_or(Ok(()), Err)
    }
}

/// Replies that would not leave at once, in order.
#[derive(Debug, Default)]
pub(super) struct Output {
    queue: VecDeque<ReplyBuf>,
    /// How much of the first has left.
    sent: usize,
    /// Bytes in all that have not left.
    pub(super) unsent: usize,
}

impl Output {
    /// Takes `reply`, of which `sent` bytes have left already, behind what waits.
    pub(super) fn push(&mut self, reply: &mut ReplyBuf, sent: usize) {
        let len = reply.len();
        assert!(sent <= len, "no more can leave than was there");
        if len == sent {
            reply.clear(REPLY_KEPT_BYTES);
            return;
        }
        self.unsent += len - sent;
        match self.queue.back_mut() {
            Some(last) if last.len() + len <= MERGED_BYTES => {
                assert_eq!(sent, 0, "only the first reply can have left in part");
                last.append(reply);
            }
            Some(_) => self.queue.push_back(std::mem::take(reply)),
            None => {
                self.sent = sent;
                self.queue.push_back(std::mem::take(reply));
            }
        }
    }

    /// The pieces that come next, as many as one call takes; returns how many.
    pub(super) fn pieces<'a>(&'a self, out: &mut [IoSlice<'a>; PIECES]) -> usize {
        let mut used = 0;
        let mut skip = self.sent;
        for reply in &self.queue {
            used += reply.slices(skip, &mut out[used..]);
            skip = 0;
            if used == PIECES {
                break;
            }
        }
        used
    }

    /// Drops the next `len` bytes: they have left.
    pub(super) fn advance(&mut self, len: usize) {
        assert!(len <= self.unsent, "no more can leave than was there");
        self.unsent -= len;
        self.sent += len;
        while let Some(first) = self.queue.front() {
            if self.sent < first.len() {
                return;
            }
            self.sent -= first.len();
            self.queue.pop_front();
        }
        assert_eq!(self.sent, 0, "nothing is left to have been sent of");
    }

    /// Takes the first reply out, and how much of it has left.
    pub(super) fn pop(&mut self) -> Option<(ReplyBuf, usize)> {
        let first = self.queue.pop_front()?;
        let sent = std::mem::take(&mut self.sent);
        self.unsent -= first.len() - sent;
        Some((first, sent))
    }

    /// Puts a reply back in front, of which `sent` bytes have left.
    pub(super) fn push_front(&mut self, reply: ReplyBuf, sent: usize) {
        assert_eq!(self.sent, 0, "only the first reply can have left in part");
        if sent < reply.len() {
            self.unsent += reply.len() - sent;
            self.sent = sent;
            self.queue.push_front(reply);
        }
    }

    /// Drops everything.
    pub(super) fn clear(&mut self) {
        *self = Self::default();
    }

    /// Empty slices to be filled by [`Self::pieces`].
    pub(super) fn no_pieces<'a>() -> [IoSlice<'a>; PIECES] {
        [IoSlice::new(&[]); PIECES]
    }
}

/// Connections by slot.
#[derive(Debug, Default)]
pub(super) struct Table {
    slots: Vec<Slot>,
    free: Vec<u32>,
    used: usize,
}

#[derive(Debug)]
struct Slot {
    generation: u32,
    conn: Option<Conn>,
}

impl Table {
    /// Gives a new connection a slot and a name.
    pub(super) fn insert(&mut self, fd: Fd, phase: Phase) -> ConnId {
        let slot = self.free.pop().unwrap_or_else(|| {
            self.slots.push(Slot {
                generation: 0,
                conn: None,
            });
            u32::try_from(self.slots.len() - 1).expect("descriptors are counted with 31 bits")
        });
        let place = &mut self.slots[slot as usize];
        assert!(place.conn.is_none(), "a free slot has no tenant");
        let id = ConnId {
            slot,
            generation: place.generation,
        };
        place.conn = Some(Conn {
            id,
            fd,
            phase,
            reading: Reading::On,
            armed: Interest::NONE,
            output: Output::default(),
            early: Vec::new(),
            fill: None,
            caution: 0,
            is_at_end: false,
            fault: None,
            held: RingHold::default(),
        });
        self.used += 1;
        id
    }

    /// The connection of that name, if it has not ended.
    #[inline]
    pub(super) fn get_mut(&mut self, id: ConnId) -> Option<&mut Conn> {
        let slot = self.slots.get_mut(id.index())?;
        if slot.generation == id.generation {
            slot.conn.as_mut()
        } else {
            None
        }
    }

    /// The connection of that name, if it has not ended.
    #[inline]
    pub(super) fn get(&self, id: ConnId) -> Option<&Conn> {
        let slot = self.slots.get(id.index())?;
        if slot.generation == id.generation {
            slot.conn.as_ref()
        } else {
            None
        }
    }

    /// Ends a connection's life: its descriptor closes, its slot gets the next generation.
    pub(super) fn remove(&mut self, id: ConnId) -> Option<Conn> {
        let slot = self.slots.get_mut(id.index())?;
        if slot.generation != id.generation {
            return None;
        }
        let conn = slot.conn.take()?;
        slot.generation = slot.generation.wrapping_add(1) & GENERATION_MASK;
        self.free.push(id.slot);
        self.used -= 1;
        Some(conn)
    }

    /// Every connection.
    pub(super) fn iter_mut(&mut self) -> impl Iterator<Item = &mut Conn> {
        self.slots.iter_mut().filter_map(|slot| slot.conn.as_mut())
    }

    /// The name of every connection.
    pub(super) fn ids(&self) -> Vec<ConnId> {
        self.slots
            .iter()
            .filter_map(|slot| slot.conn.as_ref().map(|conn| conn.id))
            .collect()
    }
}

/// Generations are this wide, so that a name and a kind of request fit a kernel's user data.
pub(super) const GENERATION_MASK: u32 = (1 << 28) - 1;
