//! The null responder: it parses complete requests and answers them, and stores nothing.
//!
//! It is the floor under every server of the same poller: what remains of a request when there is
//! no command table, no dictionary, no expiry and no accounting. The only thing it remembers is the
//! length of the last value of a SET, so that its GETs weigh as much as the server's.

use std::net::{Ipv4Addr, SocketAddr};

use anyhow::{Context as _, Result};
use dovetail_backends::poller::{Door, POLLERS, Sockets, choose, run_machine};
use dovetail_backends::sys;
use dovetail_engine::base::{ConnId, ListenerId, Micros, Now};
use dovetail_engine::resp::ReplyBuf;
use dovetail_engine::seam::host::Surroundings;
use dovetail_engine::seam::machine::{Action, Machine, Outbox};
use dovetail_engine::seam::poller::{Close, Event, Fault, Patience};

/// The longest request that is believed, in arguments and in bytes per argument.
const ARGS_MAX: usize = 1 << 20;
const ARG_BYTES_MAX: usize = 512 << 20;

/// Elements of a range, at most.
const ELEMENTS_MAX: usize = 1 << 16;

/// Reply buffers larger than this are not kept.
const REPLY_KEPT: usize = 1 << 20;

/// Clients that may wait to be accepted.
const BACKLOG: u32 = 511;

/// Clients that the poller makes room for beforehand.
const EXPECTED: usize = 64;

/// The names of all pollers.
pub(crate) fn poller_names() -> Vec<String> {
    POLLERS.iter().map(|entry| entry.name.to_owned()).collect()
}

/// Whether the kernel can do what the poller of that name needs.
pub(crate) fn is_usable(poller: &str) -> bool {
    choose(poller).is_ok()
}

/// Serves on `port` of 127.0.0.1 until the process is ended.
///
/// # Errors
/// If the poller does not exist or the port is taken.
pub(crate) fn serve(poller: &str, port: u16) -> Result<()> {
    let entry = choose(poller)?.entry;
    let addr = SocketAddr::from((Ipv4Addr::LOCALHOST, port));
    let door = sys::socket::listen_tcp(addr, BACKLOG).with_context(|| format!("on {addr}"))?;
    let mut surroundings = Outside {
        doors: vec![(ListenerId(0), door)],
    };
    let mut machine = NullResponder::default();
    run_machine(
        entry,
        Sockets::new()?,
        EXPECTED,
        &mut machine,
        &mut surroundings,
    )?;
    Ok(())
}

/// One listener and the clocks.
#[derive(Debug)]
struct Outside {
    doors: Vec<(ListenerId, Door)>,
}

impl Surroundings<Door> for Outside {
    fn now(&mut self) -> Now {
        sys::clock::now()
    }

    fn doors(&mut self) -> Vec<(ListenerId, Door)> {
        std::mem::take(&mut self.doors)
    }

    fn refused(&mut self, _listener: ListenerId, _fault: Fault) {
        // Without its listener it never answers, and whoever started it says so.
    }
}

/// The machine.
#[derive(Debug)]
pub(crate) struct NullResponder {
    peers: Vec<Peer>,
    ready: Vec<ConnId>,
    bulk: Vec<u8>,
}

#[derive(Debug, Default)]
struct Peer {
    tail: Vec<u8>,
    reply: ReplyBuf,
}

impl Default for NullResponder {
    /// A responder whose values have 16 bytes until a SET says otherwise.
    fn default() -> Self {
        Self {
            peers: Vec::new(),
            ready: Vec::new(),
            bulk: bulk(16),
        }
    }
}

impl NullResponder {
    fn receive(&mut self, conn: ConnId, bytes: &[u8], out: &mut Outbox) {
        let Self { peers, ready, bulk } = self;
        let Some(peer) = peers.get_mut(conn.index()) else {
            return;
        };
        let was_empty = peer.reply.is_empty();
        let outcome = if peer.tail.is_empty() {
            let outcome = answer_all(bytes, bulk, peer.reply.tail());
            if let Ok(used) = outcome {
                peer.tail.extend_from_slice(&bytes[used..]);
            }
            outcome
        } else {
            peer.tail.extend_from_slice(bytes);
            let outcome = answer_all(&peer.tail, bulk, peer.reply.tail());
            if let Ok(used) = outcome {
                peer.tail.drain(..used);
            }
            outcome
        };
        if outcome.is_err() {
            peer.tail.clear();
            out.actions.push(Action::Close(conn, Close::Graceful));
        }
        if was_empty && !peer.reply.is_empty() {
            ready.push(conn);
        }
    }
}

impl Machine for NullResponder {
    fn start(&mut self, _now: Now, _poller: &'static str, _out: &mut Outbox) {}

    fn on_event(&mut self, _now: Now, event: Event<'_>, out: &mut Outbox) {
        match event {
            Event::Received { conn, bytes } => self.receive(conn, bytes, out),
            Event::Accepted { conn, .. } => {
                if self.peers.len() <= conn.index() {
                    self.peers.resize_with(conn.index() + 1, Peer::default);
                }
                self.peers[conn.index()] = Peer::default();
            }
            Event::Finished { conn } => out.actions.push(Action::Close(conn, Close::Graceful)),
            Event::Closed { conn, .. } => {
                self.ready.retain(|&ready| ready != conn);
                self.peers[conn.index()] = Peer::default();
            }
            _ => {}
        }
    }

    fn end_turn(&mut self, _now: Now, _out: &mut Outbox) {}

    fn replies(&mut self, send: &mut dyn FnMut(ConnId, &mut ReplyBuf) -> usize) {
        for conn in self.ready.drain(..) {
            let reply = &mut self.peers[conn.index()].reply;
            send(conn, reply);
            reply.clear(REPLY_KEPT);
        }
    }

    fn patience(&mut self, _now: Now) -> Patience {
        Patience {
            sleep: None,
            gather: 0,
            grace: Micros(0),
        }
    }

    fn is_finished(&self) -> bool {
        false
    }
}

/// Bytes that are no request.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
struct NoRequest;

/// Answers every complete request in `bytes` and returns how many bytes those were.
fn answer_all(bytes: &[u8], bulk: &mut Vec<u8>, out: &mut Vec<u8>) -> Result<usize, NoRequest> {
    let mut used = 0;
    while let Some(length) = answer_one(&bytes[used..], bulk, out)? {
        used += length;
    }
    Ok(used)
}

/// Answers the first request, if it is complete, and returns its length.
#[inline]
fn answer_one(
    bytes: &[u8],
    bulk_reply: &mut Vec<u8>,
    out: &mut Vec<u8>,
) -> Result<Option<usize>, NoRequest> {
    let Some((args, mut at)) = header(bytes, b'*', ARGS_MAX)? else {
        return Ok(None);
    };
    let (mut name, mut last) = (&bytes[..0], 0);
    let mut ends = [&bytes[..0]; 2];
    for index in 0..args {
        let Some((length, head)) = header(&bytes[at..], b'$', ARG_BYTES_MAX)? else {
            return Ok(None);
        };
        let from = at + head;
        at = from + length + 2;
        if at > bytes.len() {
            return Ok(None);
        }
        if index == 0 {
            name = &bytes[from..from + length];
        }
        last = length;
        ends = [ends[1], &bytes[from..from + length]];
    }
    if name.eq_ignore_ascii_case(b"GET") {
        out.extend_from_slice(bulk_reply);
    } else if name.eq_ignore_ascii_case(b"SET") {
        if args == 3 && bulk_len(last) != bulk_reply.len() {
            *bulk_reply = bulk(last);
        }
        out.extend_from_slice(b"+OK\r\n");
    } else if name.eq_ignore_ascii_case(b"PING") {
        out.extend_from_slice(b"+PONG\r\n");
    } else if name.eq_ignore_ascii_case(b"INCR") {
        out.extend_from_slice(b":1\r\n");
    } else if name.eq_ignore_ascii_case(b"MGET") {
        out.extend_from_slice(format!("*{}\r\n", args - 1).as_bytes());
        (1..args).for_each(|_| out.extend_from_slice(bulk_reply));
    } else {
        answer_other(name, ends, bulk_reply, out);
    }
    Ok(Some(at))
}

/// Commands that are answered with one number.
const NUMBERS: [&[u8]; 7] = [
    b"LPUSH", b"RPUSH", b"SADD", b"HSET", b"ZADD", b"ZRANK", b"EVAL",
];

/// Answers what is less frequent; `ends` are the last two arguments.
fn answer_other(name: &[u8], ends: [&[u8]; 2], bulk_reply: &[u8], out: &mut Vec<u8>) {
    let is = |other: &[u8]| name.eq_ignore_ascii_case(other);
    let number = |arg: &[u8]| {
        let text = std::str::from_utf8(arg).ok();
        text.and_then(|text| text.parse::<usize>().ok())
    };
    let [first, last] = ends.map(number);
    if NUMBERS.iter().any(|other| is(other)) {
        out.extend_from_slice(b":1\r\n");
    } else if is(b"HGET") || is(b"LPOP") {
        out.extend_from_slice(bulk_reply);
    } else if is(b"LRANGE") || is(b"ZRANGE") || is(b"ZRANGEBYSCORE") {
        // From index to index; or, after LIMIT 0, so many.
        let past = if is(b"ZRANGEBYSCORE") { 0 } else { 1 };
        let count = last.zip(first).map_or(0, |(last, first)| {
            (last + past).saturating_sub(first).min(ELEMENTS_MAX)
        });
        out.extend_from_slice(format!("*{count}\r\n").as_bytes());
        (0..count).for_each(|_| out.extend_from_slice(bulk_reply));
    } else {
        out.extend_from_slice(b"+OK\r\n");
    }
}

/// Whether replies to the command have the shape and the size of a server's; elements are as long
/// as the last value of a SET.
pub(crate) fn answers(name: &[u8]) -> bool {
    let others: [&[u8]; 12] = [
        b"GET",
        b"SET",
        b"PING",
        b"INCR",
        b"MSET",
        b"MGET",
        b"PUBLISH",
        b"HGET",
        b"LPOP",
        b"LRANGE",
        b"ZRANGE",
        b"ZRANGEBYSCORE",
    ];
    let mut known = others.iter().chain(&NUMBERS);
    known.any(|other| name.eq_ignore_ascii_case(other))
}

/// The number of a header line and the line's length; `None` if the line is not complete.
#[inline]
fn header(bytes: &[u8], kind: u8, most: usize) -> Result<Option<(usize, usize)>, NoRequest> {
    match bytes.first() {
        None => return Ok(None),
        Some(&first) if first != kind => return Err(NoRequest),
        Some(_) => {}
    }
    let mut number = 0;
    for (at, &byte) in bytes.iter().enumerate().skip(1) {
        if byte.is_ascii_digit() {
            number = number * 10 + usize::from(byte - b'0');
            if number > most {
                return Err(NoRequest);
            }
        } else if byte == b'\r' && at > 1 {
            return Ok((bytes.len() > at + 1).then_some((number, at + 2)));
        } else {
            return Err(NoRequest);
        }
    }
    Ok(None)
}

/// The reply to a GET: a value of so many bytes.
fn bulk(length: usize) -> Vec<u8> {
    let mut reply = format!("${length}\r\n").into_bytes();
    reply.resize(reply.len() + length, b'x');
    reply.extend_from_slice(b"\r\n");
    reply
}

/// The length of such a reply.
fn bulk_len(length: usize) -> usize {
    let digits = length.checked_ilog10().unwrap_or(0) as usize + 1;
    1 + digits + 2 + length + 2
}

#[cfg(test)]
mod tests {
    use super::*;

    fn answers(bytes: &[u8]) -> (Result<usize, NoRequest>, String) {
        let (mut bulk, mut out) = (bulk(3), Vec::new());
        let used = answer_all(bytes, &mut bulk, &mut out);
        (used, String::from_utf8(out).unwrap())
    }

    const REQUESTS: &[u8] = b"*1\r\n$4\r\nPING\r\n*2\r\n$3\r\nget\r\n$1\r\nk\r\n\
        *3\r\n$4\r\nMGET\r\n$1\r\na\r\n$1\r\nb\r\n*2\r\n$4\r\nINCR\r\n$1\r\nk\r\n\
        *3\r\n$3\r\nSET\r\n$1\r\nk\r\n$5\r\nhello\r\n*2\r\n$3\r\nGET\r\n$1\r\nk\r\n";

    const REPLIES: &str = "+PONG\r\n$3\r\nxxx\r\n*2\r\n$3\r\nxxx\r\n$3\r\nxxx\r\n:1\r\n+OK\r\n\
        $5\r\nxxxxx\r\n";

    #[test]
    fn every_command_gets_its_kind_of_reply() {
        assert_eq!(answers(REQUESTS), (Ok(REQUESTS.len()), REPLIES.to_owned()));
    }

    #[test]
    fn unfinished_request_waits_for_its_rest() {
        for cut in 0..REQUESTS.len() {
            let (mut bulk, mut out) = (bulk(3), Vec::new());
            let used = answer_all(&REQUESTS[..cut], &mut bulk, &mut out).unwrap();
            answer_all(&REQUESTS[used..], &mut bulk, &mut out).unwrap();
            assert_eq!(String::from_utf8(out).unwrap(), REPLIES, "cut at {cut}");
        }
    }

    #[test]
    fn what_is_no_request_is_refused() {
        for bytes in [
            &b"PING\r\n"[..],
            b"*x\r\n",
            b"*1\r\n+OK\r\n",
            b"*99999999\r\n",
            b"*\r\n",
        ] {
            assert_eq!(answers(bytes).0, Err(NoRequest), "{bytes:?}");
        }
    }

    #[test]
    fn length_of_a_bulk_reply_is_known_without_making_it() {
        for length in [0, 1, 9, 10, 16, 99, 100, 65536] {
            assert_eq!(bulk(length).len(), bulk_len(length));
        }
    }
}
