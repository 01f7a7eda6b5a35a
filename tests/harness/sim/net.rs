//! Simulated connections: two bounded pipes each, no kernel, no time.

use dovetail_engine::base::rng::Rng;
use dovetail_engine::seam::poller::Endpoint;
use std::cell::RefCell;
use std::collections::VecDeque;
use std::net::{Ipv4Addr, SocketAddr};
use std::rc::Rc;

/// How unkind the world is.
#[derive(Clone, Copy, Debug)]
pub struct Temper {
    /// Of 256 completions that could come this turn, so many come later.
    pub late: u64,
    /// Bytes of one receive or send at most; fewer at random.
    pub chunk_bytes: usize,
    /// Bytes that a pipe holds.
    pub pipe_bytes: usize,
}

impl Default for Temper {
    fn default() -> Self {
        Self {
            late: 64,
            chunk_bytes: 64 * 1024,
            pipe_bytes: 256 * 1024,
        }
    }
}

/// One direction of a connection.
#[derive(Debug, Default)]
struct Pipe {
    bytes: VecDeque<u8>,
    /// The writer will write no more.
    is_finished: bool,
    /// The reader will read no more.
    is_deaf: bool,
    /// The connection was reset.
    is_broken: bool,
}

/// What a read or write on a simulated line comes to.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) enum Moved {
    Bytes(usize),
    Nothing,
    End,
    Broken,
}

/// Which end of a line one holds.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) enum Side {
    Dialer,
    Acceptor,
}

impl Side {
    fn writes_to(self) -> usize {
        match self {
            Self::Dialer => 0,
            Self::Acceptor => 1,
        }
    }

    fn reads_from(self) -> usize {
        1 - self.writes_to()
    }
}

#[derive(Debug)]
struct Listener {
    at: Endpoint,
    is_open: bool,
    waiting: VecDeque<usize>,
}

#[derive(Debug)]
pub(super) struct World {
    pub(super) rng: Rng,
    pub(super) temper: Temper,
    listeners: Vec<Listener>,
    lines: Vec<[Pipe; 2]>,
}

impl World {
    /// A random length from 1 to `most`, short ones being likelier.
    pub(super) fn length(&mut self, most: usize) -> usize {
        let most = most.min(self.temper.chunk_bytes).max(1);
        let most = if self.rng.below(2) == 0 {
            most
        } else {
            1 + self.below(most)
        };
        1 + self.below(most)
    }

    pub(super) fn below(&mut self, bound: usize) -> usize {
        usize::try_from(self.rng.below(bound as u64)).expect("a number below a usize is one")
    }

    /// Whether something that could happen now happens later.
    pub(super) fn is_late(&mut self) -> bool {
        self.rng.below(256) < self.temper.late
    }

    /// How much could be read at once; `None` when a read would tell nothing.
    pub(super) fn readable(&self, line: usize, side: Side) -> Option<usize> {
        let pipe = &self.lines[line][side.reads_from()];
        let has_news = !pipe.bytes.is_empty() || pipe.is_finished || pipe.is_broken;
        has_news.then_some(pipe.bytes.len())
    }

    /// Whether a write would come to anything.
    pub(super) fn is_writable(&self, line: usize, side: Side) -> bool {
        let pipe = &self.lines[line][side.writes_to()];
        pipe.is_broken || pipe.is_deaf || pipe.bytes.len() < self.temper.pipe_bytes
    }

    pub(super) fn read(
        &mut self,
        line: usize,
        side: Side,
        most: usize,
        into: &mut Vec<u8>,
    ) -> Moved {
        let pipe = &mut self.lines[line][side.reads_from()];
        if pipe.is_broken {
            return Moved::Broken;
        }
        if pipe.bytes.is_empty() {
            return if pipe.is_finished {
                Moved::End
            } else {
                Moved::Nothing
            };
        }
        let len = pipe.bytes.len().min(most);
        into.extend(pipe.bytes.drain(..len));
        Moved::Bytes(len)
    }

    pub(super) fn write(&mut self, line: usize, side: Side, bytes: &[u8]) -> Moved {
        let room = self.temper.pipe_bytes;
        let pipe = &mut self.lines[line][side.writes_to()];
        if pipe.is_broken || pipe.is_deaf {
            return Moved::Broken;
        }
        assert!(!pipe.is_finished, "nobody writes after the end");
        let len = bytes.len().min(room.saturating_sub(pipe.bytes.len()));
        pipe.bytes.extend(&bytes[..len]);
        if len == 0 {
            Moved::Nothing
        } else {
            Moved::Bytes(len)
        }
    }

    pub(super) fn finish(&mut self, line: usize, side: Side) {
        self.lines[line][side.writes_to()].is_finished = true;
    }

    /// Gives one end of a line up.
    pub(super) fn hang_up(&mut self, line: usize, side: Side) {
        self.finish(line, side);
        let inward = &mut self.lines[line][side.reads_from()];
        inward.is_deaf = true;
        inward.bytes.clear();
    }

    fn reset(&mut self, line: usize) {
        for pipe in &mut self.lines[line] {
            pipe.is_broken = true;
            pipe.bytes.clear();
        }
    }

    /// A new line to a listener; `None` when nobody listens there.
    pub(super) fn dial(&mut self, to: &Endpoint) -> Option<usize> {
        let line = self.lines.len();
        let listener = self
            .listeners
            .iter_mut()
            .find(|it| it.is_open && it.at == *to)?;
        listener.waiting.push_back(line);
        self.lines.push([Pipe::default(), Pipe::default()]);
        Some(line)
    }

    pub(super) fn accept(&mut self, listener: usize) -> Option<usize> {
        self.listeners[listener].waiting.pop_front()
    }

    pub(super) fn has_waiting(&self, listener: usize) -> bool {
        !self.listeners[listener].waiting.is_empty()
    }

    pub(super) fn close_listener(&mut self, listener: usize) {
        let listener = &mut self.listeners[listener];
        listener.is_open = false;
        for line in std::mem::take(&mut listener.waiting) {
            self.reset(line);
        }
    }

    pub(super) fn address(&self, listener: usize) -> Endpoint {
        self.listeners[listener].at.clone()
    }
}

/// The simulated network; clones name the same one.
#[derive(Clone, Debug)]
pub struct Net {
    pub(super) world: Rc<RefCell<World>>,
}

/// A simulated listener, to be given to the poller.
#[derive(Debug)]
pub struct SimDoor {
    pub(super) listener: usize,
}

impl Net {
    /// An empty network whose chances follow from `seed`.
    #[must_use]
    pub fn new(seed: u64) -> Self {
        let world = World {
            rng: Rng::new(seed),
            temper: Temper::default(),
            listeners: Vec::new(),
            lines: Vec::new(),
        };
        Self {
            world: Rc::new(RefCell::new(world)),
        }
    }

    /// Changes how unkind the world is.
    pub fn set_temper(&self, temper: Temper) {
        self.world.borrow_mut().temper = temper;
    }

    /// A new listener and its address.
    #[must_use]
    pub fn door(&self) -> (SimDoor, Endpoint) {
        let mut world = self.world.borrow_mut();
        let listener = world.listeners.len();
        let port = u16::try_from(1000 + listener).unwrap_or(u16::MAX);
        let at = Endpoint::Ip(SocketAddr::from((Ipv4Addr::LOCALHOST, port)));
        let waiting = VecDeque::new();
        world.listeners.push(Listener {
            at: at.clone(),
            is_open: true,
            waiting,
        });
        (SimDoor { listener }, at)
    }

    /// Connects to a listener; `None` when nobody listens there.
    #[must_use]
    pub fn dial(&self, to: &Endpoint) -> Option<SimPeer> {
        let line = self.world.borrow_mut().dial(to)?;
        Some(SimPeer {
            net: self.clone(),
            line,
        })
    }
}

/// A simulated peer; dropping it ends the connection.
#[derive(Debug)]
pub struct SimPeer {
    net: Net,
    line: usize,
}

impl SimPeer {
    /// Offers bytes; returns how many were taken.
    pub fn write(&mut self, bytes: &[u8]) -> usize {
        match self
            .net
            .world
            .borrow_mut()
            .write(self.line, Side::Dialer, bytes)
        {
            Moved::Bytes(len) => len,
            _ => 0,
        }
    }

    /// Appends what there is and returns how much; `None` at the end of the stream.
    pub fn read(&mut self, into: &mut Vec<u8>) -> Option<usize> {
        match self
            .net
            .world
            .borrow_mut()
            .read(self.line, Side::Dialer, usize::MAX, into)
        {
            Moved::Bytes(len) => Some(len),
            Moved::Nothing => Some(0),
            Moved::End | Moved::Broken => None,
        }
    }

    /// Says that nothing more will be written.
    pub fn finish(&mut self) {
        self.net.world.borrow_mut().finish(self.line, Side::Dialer);
    }

    /// Breaks the connection.
    pub fn reset(self) {
        self.net.world.borrow_mut().reset(self.line);
    }
}

impl Drop for SimPeer {
    fn drop(&mut self) {
        self.net.world.borrow_mut().hang_up(self.line, Side::Dialer);
    }
}
