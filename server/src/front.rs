//! The doors: which addresses are listened on, opened all or none, at the start and while running.
//!
//! Invariant: the addresses kept here are those that the poller has, or will have after this turn.

use crate::log::Log;
use dovetail_backends::poller::Door;
use dovetail_backends::sys::socket::{self, Sharing};
use dovetail_backends::sys::{self, Fd};
use dovetail_engine::base::ListenerId;
use dovetail_engine::config::Config;
use dovetail_engine::seam::host::LogLevel;
use dovetail_engine::seam::poller::Fault;
use std::fmt;
use std::io;
use std::net::{IpAddr, Ipv4Addr, Ipv6Addr, SocketAddr, ToSocketAddrs};
use std::os::fd::AsFd as _;
use std::path::PathBuf;

/// Why the doors are not open.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum Shut {
    /// An address of the directive `bind`, at this port.
    Tcp {
        /// The port.
        port: u16,
    },
    /// The unix socket; why not.
    Unix(Fault),
}

impl fmt::Display for Shut {
    fn fmt(&self, out: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Self::Tcp { port } => write!(out, "Failed listening on port {port} (tcp), aborting."),
            Self::Unix(fault) => {
                write!(out, "Failed opening Unix socket: {fault}")
            }
        }
    }
}

impl std::error::Error for Shut {}

/// One word of the directive `bind`.
#[derive(Clone, Debug, PartialEq, Eq)]
struct Bind {
    /// The address as it was written, without the leading dash.
    host: String,
    need: Need,
}

/// Whether the start fails without an address.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
enum Need {
    Required,
    /// Only if no interface of the machine has it.
    Optional,
}

impl Bind {
    fn parse(word: &str) -> Self {
        match word.strip_prefix('-') {
            Some(host) => Self {
                host: host.to_owned(),
                need: Need::Optional,
            },
            None => Self {
                host: word.to_owned(),
                need: Need::Required,
            },
        }
    }

    fn resolve(&self, port: u16) -> Result<SocketAddr, String> {
        let ip = match self.host.as_str() {
            "*" => Ok(IpAddr::V4(Ipv4Addr::UNSPECIFIED)),
            "::*" => Ok(IpAddr::V6(Ipv6Addr::UNSPECIFIED)),
            host => host.parse(),
        };
        if let Ok(ip) = ip {
            return Ok(SocketAddr::new(ip, port));
        }
        let found = (self.host.as_str(), port).to_socket_addrs();
        let unknown = || "Name or service not known".to_owned();
        found
            .ok()
            .and_then(|mut addrs| addrs.next())
            .ok_or_else(unknown)
    }
}

/// A TCP listener.
#[derive(Debug)]
struct Listener {
    id: ListenerId,
    addr: SocketAddr,
    /// A second descriptor of the socket, which the poller owns: for its options.
    socket: Fd,
}

/// All listeners.
#[derive(Debug, Default)]
pub(crate) struct Front {
    tcp: Vec<Listener>,
    /// Where the unix socket is.
    unix: Option<PathBuf>,
    /// Listeners that the poller has not taken yet.
    waiting: Vec<(ListenerId, Door)>,
    next: u32,
}

/// What a change of the TCP listeners brings.
#[derive(Debug, Default)]
struct Change {
    kept: Vec<SocketAddr>,
    opened: Vec<(SocketAddr, Fd, Fd)>,
}

impl Front {
    /// Opens everything that `config` describes.
    ///
    /// # Errors
    /// What could not be opened; the log has the reason.
    pub(crate) fn open(config: &Config, log: &Log) -> Result<Self, Shut> {
        let mut front = Self::default();
        front.relisten(config, log)?;
        let path = &config.network.unixsocket;
        if !path.is_empty() {
            front
                .open_unix(config, &path.to_text())
                .map_err(Shut::Unix)?;
        }
        Ok(front)
    }

    fn open_unix(&mut self, config: &Config, path: &str) -> Result<(), Fault> {
        let (perm, backlog) = (config.network.unixsocketperm, config.network.tcp_backlog);
        let door = socket::listen_unix(path, perm, backlog)?;
        // The working directory may change before it is removed.
        self.unix = std::path::absolute(path).ok();
        let id = self.name();
        self.waiting.push((id, door));
        Ok(())
    }

    fn name(&mut self) -> ListenerId {
        let id = ListenerId(self.next);
        self.next += 1;
        id
    }

    /// Whether nobody can connect.
    pub(crate) fn is_empty(&self) -> bool {
        self.tcp.is_empty() && self.unix.is_none()
    }

    /// The addresses of the TCP listeners.
    pub(crate) fn addresses(&self) -> Vec<SocketAddr> {
        self.tcp.iter().map(|listener| listener.addr).collect()
    }

    /// Takes the listeners out that the poller has not seen.
    pub(crate) fn take_waiting(&mut self) -> Vec<(ListenerId, Door)> {
        std::mem::take(&mut self.waiting)
    }

    /// Forgets a listener that the poller did not take.
    pub(crate) fn forget(&mut self, id: ListenerId) {
        self.tcp.retain(|listener| listener.id != id);
    }

    /// Makes the TCP listeners those of `config`; the ids returned are to be closed.
    ///
    /// An address that is wanted and open stays open: nobody who is about to be accepted there is
    /// turned away. While the new ones open, the old ones share their addresses, because `*` and
    /// an address of this machine would exclude each other otherwise.
    ///
    /// # Errors
    /// When an address cannot be had; everything is as before then, and the log has the reason.
    pub(crate) fn relisten(&mut self, config: &Config, log: &Log) -> Result<Vec<ListenerId>, Shut> {
        self.set_sharing(Sharing::Shared);
        let change = self.plan(config, log);
        self.set_sharing(Sharing::Exclusive);
        let Change { kept, opened } = change?;
        let closed = self.tcp.extract_if(.., |old| !kept.contains(&old.addr));
        let closed: Vec<ListenerId> = closed.map(|old| old.id).collect();
        self.waiting.retain(|(id, _)| !closed.contains(id));
        for (addr, door, socket) in opened {
            let id = self.name();
            self.tcp.push(Listener { id, addr, socket });
            self.waiting.push((id, door));
        }
        // From now on the new ones are taken for whoever does not insist on sharing.
        self.set_sharing(Sharing::Exclusive);
        Ok(closed)
    }

    fn set_sharing(&self, sharing: Sharing) {
        for listener in &self.tcp {
            // Where the kernel refuses, opening a new listener says so.
            let _refused = socket::set_sharing(listener.socket.as_fd(), sharing);
        }
    }

    fn plan(&self, config: &Config, log: &Log) -> Result<Change, Shut> {
        let mut change = Change::default();
        let port = config.network.port;
        if port == 0 {
            return Ok(change);
        }
        for word in &config.network.bind.0 {
            let bind = Bind::parse(&word.to_text());
            let refuse = |level, why: &str| {
                let host = &bind.host;
                let what = "Could not create server TCP listening socket";
                log.line(level, &format!("Warning: {what} {host}:{port}: {why}"));
            };
            let addr = bind.resolve(port).map_err(|why| {
                refuse(LogLevel::Warning, &why);
                Shut::Tcp { port }
            })?;
            if self.tcp.iter().any(|open| open.addr == addr) {
                change.kept.push(addr);
                continue;
            }
            match self.listen(addr, config.network.tcp_backlog) {
                Ok((door, socket)) => change.opened.push((addr, door, socket)),
                Err(fault) if bind.may_miss(fault) => {
                    refuse(LogLevel::Verbose, &fault.to_string());
                }
                Err(fault) => {
                    refuse(LogLevel::Warning, &fault.to_string());
                    return Err(Shut::Tcp { port });
                }
            }
        }
        Ok(change)
    }

    fn listen(&self, addr: SocketAddr, backlog: u32) -> Result<(Fd, Fd), Fault> {
        let is_beside_own = self.tcp.iter().any(|open| open.addr.port() == addr.port());
        let sharing = if is_beside_own {
            Sharing::Shared
        } else {
            Sharing::Exclusive
        };
        let door = socket::listen_tcp_with(addr, backlog, sharing)?;
        let second = socket::duplicate(door.as_fd(), 0)?;
        Ok((door, second))
    }

    /// Removes the unix socket's file.
    pub(crate) fn remove_files(&self) -> io::Result<()> {
        self.unix.as_ref().map_or(Ok(()), std::fs::remove_file)
    }
}

impl Bind {
    /// Addresses of a kind that the kernel does not know are passed over, wanted or not.
    fn may_miss(&self, fault: Fault) -> bool {
        sys::no_such_family(fault) || self.need == Need::Optional && sys::no_such_address(fault)
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use dovetail_engine::config::{Addresses, Text};
    use std::net::{TcpListener, TcpStream};

    fn config(port: u16, bind: &[&str]) -> Config {
        let mut config = Config::default();
        config.network.port = port;
        config.network.bind = Addresses(bind.iter().map(|word| Text::from(*word)).collect());
        config.logging.loglevel = dovetail_engine::config::LogLevel::Nothing;
        config
    }

    fn free_port() -> u16 {
        TcpListener::bind("127.0.0.1:0")
            .unwrap()
            .local_addr()
            .unwrap()
            .port()
    }

    fn open(config: &Config) -> Result<(Front, Log), Shut> {
        let log = Log::open(config).unwrap();
        Front::open(config, &log).map(|front| (front, log))
    }

    #[test]
    fn words_of_bind_are_taken_apart() {
        let resolved = |word: &str| Bind::parse(word).resolve(7).map(|addr| addr.to_string());
        assert_eq!(resolved("*"), Ok("0.0.0.0:7".to_owned()));
        assert_eq!(resolved("-::*"), Ok("[::]:7".to_owned()));
        assert_eq!(resolved("::1"), Ok("[::1]:7".to_owned()));
        assert_eq!(resolved("10.0.0.1"), Ok("10.0.0.1:7".to_owned()));
        assert_eq!(
            resolved("no such name"),
            Err("Name or service not known".to_owned())
        );
        assert_eq!(Bind::parse("-::1").need, Need::Optional);
        assert_eq!(Bind::parse("::1").need, Need::Required);
    }

    #[test]
    fn port_0_listens_on_no_address() {
        let (front, _) = open(&config(0, &["127.0.0.1"])).unwrap();
        assert!(front.is_empty());
    }

    #[test]
    fn an_address_that_is_missing_stops_the_start_unless_it_is_optional() {
        let port = free_port();
        let shut = open(&config(port, &["127.0.0.1", "192.0.2.1"])).unwrap_err();
        assert_eq!(shut, Shut::Tcp { port });
        let (front, _) = open(&config(port, &["127.0.0.1", "-192.0.2.1"])).unwrap();
        assert_eq!(front.addresses().len(), 1);
    }

    #[test]
    fn a_port_in_use_is_refused_even_to_optional_addresses() {
        let taken = TcpListener::bind("127.0.0.1:0").unwrap();
        let port = taken.local_addr().unwrap().port();
        let shut = open(&config(port, &["-127.0.0.1"])).unwrap_err();
        assert_eq!(
            shut.to_string(),
            format!("Failed listening on port {port} (tcp), aborting.")
        );
    }

    #[test]
    fn a_listener_moves_from_all_addresses_to_one_which_is_then_taken() {
        let port = free_port();
        let (mut front, log) = open(&config(port, &["*"])).unwrap();
        let old = front.take_waiting();
        let closed = front.relisten(&config(port, &["127.0.0.1"]), &log).unwrap();
        assert_eq!(closed, [ListenerId(0)]);
        drop(old);
        let new = front.take_waiting();
        assert_eq!(new.len(), 1);
        TcpStream::connect(("127.0.0.1", port)).unwrap();
        TcpListener::bind(("127.0.0.1", port)).unwrap_err();
    }

    #[test]
    fn a_failed_change_leaves_the_doors_as_they_were() {
        let port = free_port();
        let (mut front, log) = open(&config(port, &["127.0.0.1"])).unwrap();
        let doors = front.take_waiting();
        front
            .relisten(&config(port, &["127.0.0.2", "192.0.2.1"]), &log)
            .unwrap_err();
        assert_eq!(front.addresses(), [([127, 0, 0, 1], port).into()]);
        assert_eq!((front.take_waiting().len(), doors.len()), (0, 1));
        let closed = front
            .relisten(&config(port, &["127.0.0.1", "127.0.0.2"]), &log)
            .unwrap();
        assert_eq!((closed.len(), front.take_waiting().len()), (0, 1));
    }

    #[test]
    fn the_unix_sockets_file_is_replaced_and_removed() {
        let path = std::env::temp_dir().join(format!("dovetail-front-{}", std::process::id()));
        std::fs::write(&path, "stale").unwrap();
        let mut config = config(0, &[]);
        config.network.unixsocket = Text::from(path.to_str().unwrap());
        let (front, _) = open(&config).unwrap();
        std::os::unix::net::UnixStream::connect(&path).unwrap();
        front.remove_files().unwrap();
        assert!(!path.exists());
    }
}
