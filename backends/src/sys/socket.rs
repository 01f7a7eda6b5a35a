//! Stream sockets, TCP and unix: listen, accept, connect, receive, send, options.

use super::{Fd, checked, checked_len, last_fault, socklen};
use dovetail_engine::seam::poller::{Endpoint, Fault};
use std::ffi::CString;
use std::io::IoSlice;
use std::net::{Ipv4Addr, Ipv6Addr, SocketAddr, SocketAddrV4, SocketAddrV6};
use std::os::fd::{AsFd, AsRawFd, BorrowedFd, FromRawFd, RawFd};

/// Bytes of the largest socket address.
const ADDRESS_BYTES: usize = 128;
/// Bytes of a socket address before a unix path starts.
const PATH_OFFSET: usize = 2;
/// The most seconds of silence that the kernel takes.
const KEEPALIVE_MAX: libc::c_int = 32_767;
/// Longest unix path including its final zero.
const PATH_BYTES: usize = 108;

/// Which directions of a connection end.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Directions {
    /// Both.
    Both,
    /// No more bytes will be sent.
    Write,
}

/// A socket address in the kernel's form.
#[repr(C, align(8))]
#[derive(Clone, Copy)]
pub(super) struct Address {
    bytes: [u8; ADDRESS_BYTES],
    len: libc::socklen_t,
}

impl Address {
    fn empty() -> Self {
        Self {
            bytes: [0; ADDRESS_BYTES],
            len: 0,
        }
    }

    /// Encodes `endpoint`; a unix path that is too long or holds a zero byte is refused.
    pub(super) fn new(endpoint: &Endpoint) -> Result<Self, Fault> {
        let mut address = Self::empty();
        match endpoint {
            Endpoint::Ip(SocketAddr::V4(v4)) => {
                address.put_family(libc::AF_INET);
                address.bytes[2..4].copy_from_slice(&v4.port().to_be_bytes());
                address.bytes[4..8].copy_from_slice(&v4.ip().octets());
                address.len = socklen::<libc::sockaddr_in>();
            }
            Endpoint::Ip(SocketAddr::V6(v6)) => {
                address.put_family(libc::AF_INET6);
                address.bytes[2..4].copy_from_slice(&v6.port().to_be_bytes());
                address.bytes[4..8].copy_from_slice(&v6.flowinfo().to_ne_bytes());
                address.bytes[8..24].copy_from_slice(&v6.ip().octets());
                address.bytes[24..28].copy_from_slice(&v6.scope_id().to_ne_bytes());
                address.len = socklen::<libc::sockaddr_in6>();
            }
            Endpoint::Unix(path) => {
                let path = path.as_bytes();
                if path.len() >= PATH_BYTES || path.contains(&0) {
                    return Err(Fault {
                        op: "bind",
                        errno: libc::ENAMETOOLONG,
                    });
                }
                address.put_family(libc::AF_UNIX);
                address.bytes[PATH_OFFSET..PATH_OFFSET + path.len()].copy_from_slice(path);
                address.len = libc::socklen_t::try_from(PATH_OFFSET + path.len() + 1)
                    .expect("a unix address is short");
            }
        }
        Ok(address)
    }

    fn put_family(&mut self, family: libc::c_int) {
        let family = libc::sa_family_t::try_from(family).expect("families are small numbers");
        self.bytes[..2].copy_from_slice(&family.to_ne_bytes());
    }

    fn family(&self) -> libc::c_int {
        libc::c_int::from(u16::from_ne_bytes(self.array(0)))
    }

    fn array<const N: usize>(&self, at: usize) -> [u8; N] {
        let mut out = [0; N];
        out.copy_from_slice(&self.bytes[at..at + N]);
        out
    }

    fn endpoint(&self) -> Endpoint {
        let port = u16::from_be_bytes(self.array(2));
        match self.family() {
            libc::AF_INET => {
                let ip = Ipv4Addr::from(self.array::<4>(4));
                Endpoint::Ip(SocketAddr::V4(SocketAddrV4::new(ip, port)))
            }
            libc::AF_INET6 => {
                let flow = u32::from_ne_bytes(self.array(4));
                let ip = Ipv6Addr::from(self.array::<16>(8));
                let scope = u32::from_ne_bytes(self.array(24));
                Endpoint::Ip(SocketAddr::V6(SocketAddrV6::new(ip, port, flow, scope)))
            }
            _ => Endpoint::Unix(self.path()),
        }
    }

    fn path(&self) -> String {
        let end = usize::try_from(self.len).unwrap_or(0).min(ADDRESS_BYTES);
        let path = self.bytes.get(PATH_OFFSET..end).unwrap_or(&[]);
        let end = path
            .iter()
            .position(|byte| *byte == 0)
            .unwrap_or(path.len());
        String::from_utf8_lossy(&path[..end]).into_owned()
    }

    pub(super) fn as_ptr(&self) -> *const libc::sockaddr {
        self.bytes.as_ptr().cast()
    }

    pub(super) fn len(&self) -> libc::socklen_t {
        self.len
    }
}

fn open_stream(family: libc::c_int) -> Result<Fd, Fault> {
    let kind = libc::SOCK_STREAM | libc::SOCK_NONBLOCK | libc::SOCK_CLOEXEC;
    // SAFETY: takes no pointers.
    let fd = checked("socket", unsafe { libc::socket(family, kind, 0) })?;
    // SAFETY: the descriptor has just been made and nobody else owns it.
    Ok(unsafe { Fd::from_raw_fd(fd) })
}

/// Whether a listener's address may be listened on by others of the same user as well.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Sharing {
    /// It may not.
    Exclusive,
    /// By others that share too.
    Shared,
}

/// Lets a listener share its address from now on, or no longer; what shares already stays.
///
/// # Errors
/// When the descriptor is no TCP socket.
pub fn set_sharing(fd: BorrowedFd<'_>, sharing: Sharing) -> Result<(), Fault> {
    let value = libc::c_int::from(sharing == Sharing::Shared);
    set_option(fd, libc::SOL_SOCKET, libc::SO_REUSEPORT, value)
}

/// A non-blocking TCP listener on `addr`; an IPv6 one does not take IPv4 clients.
///
/// # Errors
/// When the address cannot be had.
pub fn listen_tcp(addr: SocketAddr, backlog: u32) -> Result<Fd, Fault> {
    listen_tcp_with(addr, backlog, Sharing::Exclusive)
}

/// Like [`listen_tcp`], beside listeners that share `addr` or a part of it if `sharing` says so.
///
/// # Errors
/// When the address cannot be had.
pub fn listen_tcp_with(addr: SocketAddr, backlog: u32, sharing: Sharing) -> Result<Fd, Fault> {
    let family = if addr.is_ipv6() {
        libc::AF_INET6
    } else {
        libc::AF_INET
    };
    let fd = open_stream(family)?;
    set_option(fd.as_fd(), libc::SOL_SOCKET, libc::SO_REUSEADDR, 1)?;
    set_sharing(fd.as_fd(), sharing)?;
    if addr.is_ipv6() {
        set_option(fd.as_fd(), libc::IPPROTO_IPV6, libc::IPV6_V6ONLY, 1)?;
    }
    bind(fd.as_fd(), &Endpoint::Ip(addr))?;
    listen(fd.as_fd(), backlog)?;
    Ok(fd)
}

/// A non-blocking unix listener at `path`, which is replaced if it exists; `perm` are its mode
/// bits, 0 to leave what the umask gives.
///
/// # Errors
/// When the path cannot be bound or its mode not be set.
pub fn listen_unix(path: &str, perm: u32, backlog: u32) -> Result<Fd, Fault> {
    let fd = open_stream(libc::AF_UNIX)?;
    let endpoint = Endpoint::Unix(path.to_owned());
    Address::new(&endpoint)?;
    unlink(path)?;
    bind(fd.as_fd(), &endpoint)?;
    if perm != 0 {
        chmod(path, perm)?;
    }
    listen(fd.as_fd(), backlog)?;
    Ok(fd)
}

fn c_path(path: &str) -> Result<CString, Fault> {
    CString::new(path).map_err(|_| Fault {
        op: "open",
        errno: libc::EINVAL,
    })
}

fn unlink(path: &str) -> Result<(), Fault> {
    let path = c_path(path)?;
    // SAFETY: the pointer is to a terminated string that outlives the call.
    match checked("unlink", unsafe { libc::unlink(path.as_ptr()) }) {
        Err(fault) if fault.errno != libc::ENOENT => Err(fault),
        _ => Ok(()),
    }
}

fn chmod(path: &str, perm: u32) -> Result<(), Fault> {
    let path = c_path(path)?;
    // SAFETY: the pointer is to a terminated string that outlives the call.
    checked("chmod", unsafe { libc::chmod(path.as_ptr(), perm) }).map(drop)
}

fn bind(fd: BorrowedFd<'_>, endpoint: &Endpoint) -> Result<(), Fault> {
    let address = Address::new(endpoint)?;
    // SAFETY: pointer and length describe `address`, which outlives the call.
    let done = unsafe { libc::bind(fd.as_raw_fd(), address.as_ptr(), address.len()) };
    checked("bind", done).map(drop)
}

fn listen(fd: BorrowedFd<'_>, backlog: u32) -> Result<(), Fault> {
    let backlog = libc::c_int::try_from(backlog).unwrap_or(libc::c_int::MAX);
    // SAFETY: takes no pointers.
    checked("listen", unsafe { libc::listen(fd.as_raw_fd(), backlog) }).map(drop)
}

/// Starts connecting to `peer`; the socket is writable once that has ended.
///
/// # Errors
/// When the attempt fails at once; "in progress" is no error.
pub fn connect(peer: &Endpoint) -> Result<Fd, Fault> {
    let fd = open_for(peer)?;
    let address = Address::new(peer)?;
    // SAFETY: pointer and length describe `address`, which outlives the call.
    let done = unsafe { libc::connect(fd.as_raw_fd(), address.as_ptr(), address.len()) };
    match checked("connect", done) {
        Err(fault) if fault.errno != libc::EINPROGRESS && fault.errno != libc::EINTR => Err(fault),
        _ => Ok(fd),
    }
}

/// An unconnected non-blocking socket of the family of `peer`.
///
/// # Errors
/// When descriptors have run out or the family is not there.
pub fn open_for(peer: &Endpoint) -> Result<Fd, Fault> {
    open_stream(match peer {
        Endpoint::Ip(SocketAddr::V4(_)) => libc::AF_INET,
        Endpoint::Ip(SocketAddr::V6(_)) => libc::AF_INET6,
        Endpoint::Unix(_) => libc::AF_UNIX,
    })
}

/// Takes one waiting client; its socket is non-blocking and close-on-exec.
///
/// # Errors
/// `EAGAIN` when nobody waits; see accept(2) for the others.
pub fn accept(door: BorrowedFd<'_>) -> Result<(Fd, Endpoint), Fault> {
    let mut address = Address::empty();
    let mut len = socklen::<[u8; ADDRESS_BYTES]>();
    let flags = libc::SOCK_NONBLOCK | libc::SOCK_CLOEXEC;
    let bytes = address.bytes.as_mut_ptr().cast();
    // SAFETY: the pointers are to a buffer of `len` bytes and to `len`; both outlive the call.
    let done = unsafe { libc::accept4(door.as_raw_fd(), bytes, &raw mut len, flags) };
    let fd = checked("accept", done)?;
    address.len = len;
    // SAFETY: the descriptor has just been made and nobody else owns it.
    Ok((unsafe { Fd::from_raw_fd(fd) }, address.endpoint()))
}

/// Takes ownership of a descriptor that a ring's accept has made.
pub(super) fn adopt_accepted(fd: RawFd) -> Fd {
    // SAFETY: the kernel has just made the descriptor for this process and named it once.
    unsafe { Fd::from_raw_fd(fd) }
}

/// This side's address.
///
/// # Errors
/// Only when the descriptor is no socket.
pub fn local(fd: BorrowedFd<'_>) -> Result<Endpoint, Fault> {
    let mut address = Address::empty();
    let mut len = socklen::<[u8; ADDRESS_BYTES]>();
    let bytes = address.bytes.as_mut_ptr().cast();
    // SAFETY: the pointers are to a buffer of `len` bytes and to `len`; both outlive the call.
    let done = unsafe { libc::getsockname(fd.as_raw_fd(), bytes, &raw mut len) };
    checked("getsockname", done)?;
    address.len = len;
    Ok(address.endpoint())
}

/// The other side's address.
///
/// # Errors
/// When there is no other side (any more).
pub fn peer(fd: BorrowedFd<'_>) -> Result<Endpoint, Fault> {
    let mut address = Address::empty();
    let mut len = socklen::<[u8; ADDRESS_BYTES]>();
    let bytes = address.bytes.as_mut_ptr().cast();
    // SAFETY: the pointers are to a buffer of `len` bytes and to `len`; both outlive the call.
    let done = unsafe { libc::getpeername(fd.as_raw_fd(), bytes, &raw mut len) };
    checked("getpeername", done)?;
    address.len = len;
    Ok(address.endpoint())
}

/// Receives what is there into `into`; 0 means that the peer has ended its stream.
///
/// # Errors
/// `EAGAIN` when nothing is there; otherwise the connection has failed.
#[inline]
pub fn recv(fd: BorrowedFd<'_>, into: &mut [u8]) -> Result<usize, Fault> {
    let (at, len) = (into.as_mut_ptr().cast(), into.len());
    // SAFETY: pointer and length describe `into`, which outlives the call.
    checked_len("recv", unsafe { libc::recv(fd.as_raw_fd(), at, len, 0) })
}

/// Receives at most `most` bytes behind what `into` holds, without growing its allocation; 0
/// means that the peer has ended its stream.
///
/// # Errors
/// Those of [`recv`].
///
/// # Panics
/// When there is no spare capacity or nothing wanted: 0 would then be ambiguous.
pub fn recv_behind(fd: BorrowedFd<'_>, into: &mut Vec<u8>, most: usize) -> Result<usize, Fault> {
    let spare = into.spare_capacity_mut();
    let len = spare.len().min(most);
    assert!(len > 0, "nothing can be received into a full buffer");
    let at = spare.as_mut_ptr().cast();
    // SAFETY: pointer and length lie within the vector's spare capacity.
    let got = checked_len("recv", unsafe { libc::recv(fd.as_raw_fd(), at, len, 0) })?;
    assert!(got <= len, "the kernel stays within the buffer");
    // SAFETY: the kernel has just written `got` bytes behind the old length.
    unsafe { into.set_len(into.len() + got) };
    Ok(got)
}

/// Sends what the kernel will take now.
///
/// # Errors
/// `EAGAIN` when it takes nothing; otherwise the connection has failed.
#[inline]
pub fn send(fd: BorrowedFd<'_>, bytes: &[u8]) -> Result<usize, Fault> {
    let (at, len) = (bytes.as_ptr().cast(), bytes.len());
    // SAFETY: pointer and length describe `bytes`, which outlives the call.
    checked_len("send", unsafe {
        libc::send(fd.as_raw_fd(), at, len, libc::MSG_NOSIGNAL)
    })
}

/// Sends what the kernel will take of several pieces now.
///
/// # Errors
/// Those of [`send`].
pub fn send_vectored(fd: BorrowedFd<'_>, pieces: &[IoSlice<'_>]) -> Result<usize, Fault> {
    // SAFETY: an all-zero message header is a valid one without address, data or control.
    let mut message: libc::msghdr = unsafe { std::mem::zeroed() };
    // `IoSlice` has the layout of `iovec` by its documentation; the call does not write there.
    message.msg_iov = pieces.as_ptr().cast_mut().cast();
    message.msg_iovlen = pieces.len();
    let at = &raw const message;
    // SAFETY: the header and the pieces it points to outlive the call.
    checked_len("sendmsg", unsafe {
        libc::sendmsg(fd.as_raw_fd(), at, libc::MSG_NOSIGNAL)
    })
}

/// Ends directions of a connection, whoever else holds its descriptor.
///
/// # Errors
/// When the peer has gone first.
pub fn shutdown(fd: BorrowedFd<'_>, directions: Directions) -> Result<(), Fault> {
    let how = match directions {
        Directions::Both => libc::SHUT_RDWR,
        Directions::Write => libc::SHUT_WR,
    };
    // SAFETY: takes no pointers.
    checked("shutdown", unsafe { libc::shutdown(fd.as_raw_fd(), how) }).map(drop)
}

/// The failure that a socket has had since the last look.
#[must_use]
pub fn pending_error(fd: BorrowedFd<'_>, op: &'static str) -> Option<Fault> {
    match get_option(fd, libc::SOL_SOCKET, libc::SO_ERROR) {
        Ok(0) => None,
        Ok(errno) => Some(Fault { op, errno }),
        Err(fault) => Some(fault),
    }
}

/// Makes small replies leave at once; without effect on unix sockets.
///
/// # Errors
/// When the socket is no TCP socket.
pub fn set_nodelay(fd: BorrowedFd<'_>) -> Result<(), Fault> {
    set_option(fd, libc::IPPROTO_TCP, libc::TCP_NODELAY, 1)
}

/// Probes a peer that was silent for `idle_secs`, three times, a third of that apart; 0: never.
///
/// # Errors
/// When the socket is no TCP socket.
pub fn set_keepalive(fd: BorrowedFd<'_>, idle_secs: u32) -> Result<(), Fault> {
    if idle_secs == 0 {
        return set_option(fd, libc::SOL_SOCKET, libc::SO_KEEPALIVE, 0);
    }

    let idle =
        libc::c_int::try_from(idle_secs).map_or(KEEPALIVE_MAX, |idle| idle.min(KEEPALIVE_MAX));
    set_option(fd, libc::SOL_SOCKET, libc::SO_KEEPALIVE, 1)?;
    set_option(fd, libc::IPPROTO_TCP, libc::TCP_KEEPIDLE, idle)?;
    set_option(
        fd,
        libc::IPPROTO_TCP,
        libc::TCP_KEEPINTVL,
        (idle / 3).max(1),
    )?;
    set_option(fd, libc::IPPROTO_TCP, libc::TCP_KEEPCNT, 3)
}

/// Lets closing break the connection instead of ending it; for tests.
///
/// # Errors
/// When the descriptor is no socket.
pub fn set_abort_on_close(fd: BorrowedFd<'_>) -> Result<(), Fault> {
    let linger = libc::linger {
        l_onoff: 1,
        l_linger: 0,
    };
    let (at, len) = ((&raw const linger).cast(), socklen::<libc::linger>());
    let (level, name) = (libc::SOL_SOCKET, libc::SO_LINGER);
    // SAFETY: pointer and length describe `linger`, which outlives the call.
    checked("setsockopt", unsafe {
        libc::setsockopt(fd.as_raw_fd(), level, name, at, len)
    })
    .map(drop)
}

/// Reads one integer option.
///
/// # Errors
/// When the socket has no such option.
pub fn get_option(
    fd: BorrowedFd<'_>,
    level: libc::c_int,
    name: libc::c_int,
) -> Result<libc::c_int, Fault> {
    let mut value: libc::c_int = 0;
    let mut len = socklen::<libc::c_int>();
    let (at, fd) = ((&raw mut value).cast(), fd.as_raw_fd());
    // SAFETY: the pointers are to an integer of `len` bytes and to `len`; both outlive the call.
    let done = unsafe { libc::getsockopt(fd, level, name, at, &raw mut len) };
    checked("getsockopt", done)?;
    Ok(value)
}

fn set_option(
    fd: BorrowedFd<'_>,
    level: libc::c_int,
    name: libc::c_int,
    value: libc::c_int,
) -> Result<(), Fault> {
    let (at, len) = ((&raw const value).cast(), socklen::<libc::c_int>());
    // SAFETY: pointer and length describe `value`, which outlives the call.
    checked("setsockopt", unsafe {
        libc::setsockopt(fd.as_raw_fd(), level, name, at, len)
    })
    .map(drop)
}

/// Another descriptor of the same socket, the lowest free number from `least` on.
///
/// # Errors
/// When descriptors have run out.
pub fn duplicate(fd: BorrowedFd<'_>, least: RawFd) -> Result<Fd, Fault> {
    // SAFETY: takes no pointers.
    let fd = unsafe { libc::fcntl(fd.as_raw_fd(), libc::F_DUPFD_CLOEXEC, least) };
    if fd < 0 {
        return Err(last_fault("fcntl"));
    }
    // SAFETY: the descriptor has just been made and nobody else owns it.
    Ok(unsafe { Fd::from_raw_fd(fd) })
}

#[cfg(test)]
mod tests {
    use super::*;
    use std::io::{Read, Write};

    fn any_port(ip: &str) -> SocketAddr {
        format!("{ip}:0").parse().unwrap()
    }

    fn accepted(door: &Fd) -> (Fd, Endpoint) {
        loop {
            match accept(door.as_fd()) {
                Ok(found) => return found,
                Err(fault) => assert!(crate::sys::would_block(fault), "{fault}"),
            }
        }
    }

    #[test]
    fn addresses_survive_the_kernels_form() {
        for text in ["127.0.0.1:6379", "[::1]:6379", "[fe80::1%7]:1"] {
            let Ok(addr) = text.parse::<SocketAddr>() else {
                continue;
            };
            let endpoint = Endpoint::Ip(addr);
            assert_eq!(Address::new(&endpoint).unwrap().endpoint(), endpoint);
        }
        let endpoint = Endpoint::Unix("/run/x.sock".to_owned());
        assert_eq!(Address::new(&endpoint).unwrap().endpoint(), endpoint);
        assert!(Address::new(&Endpoint::Unix("x".repeat(108))).is_err());
    }

    #[test]
    fn accepted_sockets_inherit_the_listeners_options() {
        let door = listen_tcp(any_port("127.0.0.1"), 8).unwrap();
        set_nodelay(door.as_fd()).unwrap();
        set_keepalive(door.as_fd(), 300).unwrap();
        let Endpoint::Ip(addr) = local(door.as_fd()).unwrap() else {
            panic!("an ip listener")
        };
        let client = std::net::TcpStream::connect(addr).unwrap();
        let (fd, from) = accepted(&door);
        assert_eq!(from, Endpoint::Ip(client.local_addr().unwrap()));
        let tcp = |name| get_option(fd.as_fd(), libc::IPPROTO_TCP, name).unwrap();
        assert_eq!(tcp(libc::TCP_NODELAY), 1);
        assert_eq!(tcp(libc::TCP_KEEPIDLE), 300);
        assert_eq!(tcp(libc::TCP_KEEPINTVL), 100);
        assert_eq!(
            get_option(fd.as_fd(), libc::SOL_SOCKET, libc::SO_KEEPALIVE).unwrap(),
            1
        );
    }

    #[test]
    fn bytes_travel_both_ways() {
        let door = listen_tcp(any_port("127.0.0.1"), 8).unwrap();
        let Endpoint::Ip(addr) = local(door.as_fd()).unwrap() else {
            panic!("an ip listener")
        };
        let mut client = std::net::TcpStream::connect(addr).unwrap();
        let (fd, _) = accepted(&door);
        client.write_all(b"hello").unwrap();
        let mut got = Vec::with_capacity(16);
        while got.len() < 5 {
            let most = 5 - got.len();
            match recv_behind(fd.as_fd(), &mut got, most) {
                Ok(_) => {}
                Err(fault) => assert!(crate::sys::would_block(fault)),
            }
        }
        assert_eq!(got, b"hello");
        let pieces = [IoSlice::new(b"wo"), IoSlice::new(b"rld")];
        assert_eq!(send_vectored(fd.as_fd(), &pieces).unwrap(), 5);
        let mut back = [0; 5];
        client.read_exact(&mut back).unwrap();
        assert_eq!(&back, b"world");
    }
}
