//! Where a case runs: over the kernel's sockets or over simulated ones.

use dovetail_backends::poller::{Door, Sockets};
use dovetail_backends::sys::socket;
use dovetail_engine::seam::poller::{Endpoint, Poller};
use dovetail_tests::sim::{Net, SimPeer, SimPoller};
use std::io::{ErrorKind, Read, Write};
use std::marker::PhantomData;
use std::net::{Shutdown, TcpStream};
use std::os::fd::AsFd;
use std::os::unix::net::UnixStream;

/// What a peer has heard.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum Heard {
    /// So many bytes.
    Bytes(usize),
    /// Nothing yet.
    Nothing,
    /// The end of the stream, orderly or not.
    End,
}

/// The other side of a connection, never blocking.
pub(crate) trait Peer {
    /// Offers bytes; returns how many were taken.
    fn say(&mut self, bytes: &[u8]) -> usize;
    /// Appends what there is.
    fn hear(&mut self, into: &mut Vec<u8>) -> Heard;
    /// Says that nothing more will be said.
    fn finish(&mut self);
    /// Breaks the connection.
    fn reset(self);
}

/// A world with one kind of poller in it.
pub(crate) trait Stage {
    /// The poller.
    type P: Poller;
    /// The other sides.
    type Peer: Peer;
    /// Whether the poller works on this machine.
    fn is_here() -> bool {
        true
    }
    /// A fresh world.
    fn new() -> Self;
    /// An open poller.
    fn open(&mut self) -> Self::P;
    /// A new listener and where it is.
    fn door(&mut self) -> (<Self::P as Poller>::Door, Endpoint);
    /// Connects to a listener; `None` when it refuses.
    fn dial(&mut self, to: &Endpoint) -> Option<Self::Peer>;
}

/// A poller over the kernel's sockets.
pub(crate) trait Member: Poller<Door = Door, Sockets = Sockets> {}
impl<P: Poller<Door = Door, Sockets = Sockets>> Member for P {}

/// The kernel's sockets, over one of its pollers.
#[derive(Debug)]
pub(crate) struct Kernel<P>(PhantomData<P>);

impl<P: Member> Stage for Kernel<P> {
    type P = P;
    type Peer = Line;

    fn is_here() -> bool {
        P::open(1).is_ok()
    }

    fn new() -> Self {
        Self(PhantomData)
    }

    fn open(&mut self) -> P {
        P::open(16).unwrap()
    }

    fn door(&mut self) -> (Door, Endpoint) {
        tcp_door("127.0.0.1:0")
    }

    fn dial(&mut self, to: &Endpoint) -> Option<Line> {
        Line::dial(to)
    }
}

/// A listener on `address` and where it is.
pub(crate) fn tcp_door(address: &str) -> (Door, Endpoint) {
    let door = socket::listen_tcp(address.parse().unwrap(), 511).unwrap();
    let at = socket::local(door.as_fd()).unwrap();
    (door, at)
}

/// A peer with a socket of its own.
#[derive(Debug)]
pub(crate) enum Line {
    /// Over TCP.
    Tcp(TcpStream),
    /// Over a unix socket.
    Unix(UnixStream),
}

impl Line {
    /// Connects; `None` when refused.
    pub(crate) fn dial(to: &Endpoint) -> Option<Self> {
        match to {
            Endpoint::Ip(addr) => {
                let line = TcpStream::connect(addr).ok()?;
                line.set_nonblocking(true).unwrap();
                line.set_nodelay(true).unwrap();
                Some(Self::Tcp(line))
            }
            Endpoint::Unix(path) => {
                let line = UnixStream::connect(path).ok()?;
                line.set_nonblocking(true).unwrap();
                Some(Self::Unix(line))
            }
        }
    }

    /// The same line under a descriptor of at least `least`.
    pub(crate) fn moved_up(self, least: i32) -> Self {
        match self {
            Self::Tcp(line) => Self::Tcp(socket::duplicate(line.as_fd(), least).unwrap().into()),
            Self::Unix(line) => Self::Unix(socket::duplicate(line.as_fd(), least).unwrap().into()),
        }
    }
}

impl Peer for Line {
    fn say(&mut self, bytes: &[u8]) -> usize {
        let said = match self {
            Self::Tcp(line) => line.write(bytes),
            Self::Unix(line) => line.write(bytes),
        };
        // A peer that is cut off while it speaks finds out when it listens.
        said.unwrap_or(0)
    }

    fn hear(&mut self, into: &mut Vec<u8>) -> Heard {
        let mut chunk = vec![0; 64 * 1024];
        let heard = match self {
            Self::Tcp(line) => line.read(&mut chunk),
            Self::Unix(line) => line.read(&mut chunk),
        };
        match heard {
            Ok(0) => Heard::End,
            Ok(len) => {
                into.extend_from_slice(&chunk[..len]);
                Heard::Bytes(len)
            }
            Err(error) if error.kind() == ErrorKind::WouldBlock => Heard::Nothing,
            Err(_) => Heard::End,
        }
    }

    fn finish(&mut self) {
        let done = match self {
            Self::Tcp(line) => line.shutdown(Shutdown::Write),
            Self::Unix(line) => line.shutdown(Shutdown::Write),
        };
        done.unwrap();
    }

    fn reset(self) {
        // Closing with bytes unread, or without lingering, sends a reset; unix sockets know only
        // closing.
        if let Self::Tcp(line) = &self {
            socket::set_abort_on_close(line.as_fd()).unwrap();
        }
    }
}

/// Simulated sockets, over the simulated poller.
#[derive(Debug)]
pub(crate) struct Simulated {
    net: Net,
}

impl Stage for Simulated {
    type P = SimPoller;
    type Peer = SimPeer;

    fn new() -> Self {
        Self {
            net: Net::new(0x5eed),
        }
    }

    fn open(&mut self) -> SimPoller {
        SimPoller::over(&self.net)
    }

    fn door(&mut self) -> (<SimPoller as Poller>::Door, Endpoint) {
        self.net.door()
    }

    fn dial(&mut self, to: &Endpoint) -> Option<SimPeer> {
        self.net.dial(to)
    }
}

impl Peer for SimPeer {
    fn say(&mut self, bytes: &[u8]) -> usize {
        self.write(bytes)
    }

    fn hear(&mut self, into: &mut Vec<u8>) -> Heard {
        match self.read(into) {
            Some(0) => Heard::Nothing,
            Some(len) => Heard::Bytes(len),
            None => Heard::End,
        }
    }

    fn finish(&mut self) {
        Self::finish(self);
    }

    fn reset(self) {
        Self::reset(self);
    }
}
