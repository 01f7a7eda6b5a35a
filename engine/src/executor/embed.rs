//! The engine as a library: no sockets, no process, one request at a time.

use super::{Engine, Parts};
use crate::base::{ConnId, ListenerId, Now};
use crate::config::Config;
use crate::resp::ReplyBuf;
use crate::seam::disk::NullDisk;
use crate::seam::host::{Host, LogLevel, Notice, ProcessFacts, ProcessIdentity, Refusal};
use crate::seam::machine::{Action, Machine, Outbox};
use crate::seam::poller::{Arrival, Endpoint, Event, Fault};
use dovetail_memory::HeapPages;
use std::cell::RefCell;
use std::rc::Rc;

/// A process that is not there: it logs nothing and refuses what needs one.
#[derive(Clone, Copy, Debug, Default)]
pub struct NullHost;

/// The number of the error for what a system cannot do.
const NOT_IMPLEMENTED: i32 = 38;
/// What [`NullHost`] refuses with.
const NO_PROCESS: &str = "there is no process around this engine";

impl Host for NullHost {
    fn log(&mut self, _level: LogLevel, _line: &str) {}

    fn notices(&mut self) -> Vec<Notice> {
        Vec::new()
    }

    fn facts(&mut self) -> ProcessFacts {
        ProcessFacts::default()
    }

    fn choose_poller(&mut self, _name: &str) -> Result<&'static str, Refusal> {
        Err(Refusal(NO_PROCESS.to_owned()))
    }

    fn locate(&mut self, _name: &str, _port: u16) -> Result<Endpoint, Refusal> {
        Err(Refusal(NO_PROCESS.to_owned()))
    }

    fn relisten(&mut self, _config: &Config) -> Result<Vec<ListenerId>, Refusal> {
        Err(Refusal(NO_PROCESS.to_owned()))
    }

    fn reconfigure(&mut self, _config: &mut Config) -> Result<(), Refusal> {
        Ok(())
    }

    fn rewrite_config(&mut self, _edit: &mut dyn FnMut(&[u8]) -> Vec<u8>) -> Result<(), Refusal> {
        Err(Refusal(
            "The server is running without a config file".to_owned(),
        ))
    }

    fn sleep(&mut self, _micros: u64) {}

    fn purge_memory(&mut self) {}

    fn allocator_report(&mut self) -> String {
        String::new()
    }

    fn crash(&mut self, _how: &str) {}
}

impl Parts {
    /// Parts with every seam filled by its null, and all chance from `seed`.
    #[must_use]
    pub fn bare(seed: u64) -> Self {
        Self {
            config: Config::default(),
            seed,
            pages: Rc::new(HeapPages),
            host: Box::new(NullHost),
            identity: ProcessIdentity::default(),
            disk: Rc::new(RefCell::new(NullDisk)),
            persistence: &[],
            policies: &[],
            stopwatch: || 0,
        }
    }
}

/// An engine and its one caller, who is connected anew when the engine closes the connection.
#[derive(Debug)]
pub struct Embedded {
    engine: Engine,
    out: Outbox,
    caller: ConnId,
    /// The large word that is being received, and its whole length.
    filling: Option<(Vec<u8>, usize)>,
}

impl Embedded {
    /// Starts an engine for one caller.
    ///
    /// # Errors
    /// As [`Engine::new`].
    pub fn new(parts: Parts, now: Now) -> Result<Self, &'static str> {
        let mut engine = Engine::new(parts)?;
        let mut out = Outbox::default();
        engine.start(now, "none", &mut out);
        let caller = ConnId {
            slot: 0,
            generation: 0,
        };
        let mut embedded = Self {
            engine,
            out,
            caller,
            filling: None,
        };
        embedded.connect(now);
        Ok(embedded)
    }

    fn connect(&mut self, now: Now) {
        let here = Endpoint::Unix(String::new());
        let arrival = Box::new(Arrival {
            peer: here.clone(),
            local: here,
            descriptor: -1,
        });
        let event = Event::Accepted {
            conn: self.caller,
            listener: ListenerId(0),
            arrival,
        };
        self.engine.on_event(now, event, &mut self.out);
    }

    /// Runs one request made of `words` and returns the bytes of its reply.
    pub fn call(&mut self, now: Now, words: &[&[u8]]) -> Vec<u8> {
        let mut wire = format!("*{}\r\n", words.len()).into_bytes();
        for word in words {
            wire.extend_from_slice(format!("${}\r\n", word.len()).as_bytes());
            wire.extend_from_slice(word);
            wire.extend_from_slice(b"\r\n");
        }
        self.raw(now, &mut wire)
    }

    /// Feeds bytes as a client would send them, and returns everything that is answered.
    pub fn raw(&mut self, now: Now, wire: &mut [u8]) -> Vec<u8> {
        let mut answer = Vec::new();
        self.receive(now, wire);
        loop {
            self.engine.end_turn(now, &mut self.out);
            self.refuse_to_dial();
            if !self.engine.is_busy() {
                break;
            }
        }
        self.engine.replies(&mut |_, reply: &mut ReplyBuf| {
            answer.extend_from_slice(&reply.to_vec());
            0
        });
        self.act(now);
        answer
    }

    fn receive(&mut self, now: Now, wire: &mut [u8]) {
        let mut rest = wire;
        while !rest.is_empty() {
            let Some((mut buffer, wanted)) = self.filling.take() else {
                let event = Event::Received {
                    conn: self.caller,
                    bytes: rest,
                };
                self.engine.on_event(now, event, &mut self.out);
                return self.act(now);
            };
            let (news, after) = rest.split_at_mut((wanted - buffer.len()).min(rest.len()));
            buffer.extend_from_slice(news);
            rest = after;
            if buffer.len() < wanted {
                self.filling = Some((buffer, wanted));
            } else {
                let event = Event::Filled {
                    conn: self.caller,
                    buffer,
                };
                self.engine.on_event(now, event, &mut self.out);
                self.act(now);
            }
        }
    }

    /// Does for the engine what a poller would.
    fn act(&mut self, now: Now) {
        self.refuse_to_dial();
        for action in std::mem::take(&mut self.out.actions) {
            match action {
                Action::Fill { buffer, wanted, .. } => self.filling = Some((buffer, wanted)),
                Action::Close(conn, _) => {
                    self.filling = None;
                    let result = Ok(());
                    self.engine
                        .on_event(now, Event::Closed { conn, result }, &mut self.out);
                    self.caller.generation = self.caller.generation.wrapping_add(1);
                    self.connect(now);
                }
                _ => {}
            }
        }
    }

    /// There is no poller to connect with.
    fn refuse_to_dial(&mut self) {
        let fault = Fault {
            op: "connect",
            errno: NOT_IMPLEMENTED,
        };
        self.out.actions.retain(|action| {
            if let Action::Connect { ticket, .. } = action {
                self.engine.on_dialled(*ticket, Err(fault));
            }
            !matches!(action, Action::Connect { .. })
        });
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn at(millis: u64) -> Now {
        Now {
            monotonic: crate::base::Micros::from_millis(millis),
            unix_us: millis * 1000,
        }
    }

    fn text(bytes: Vec<u8>) -> String {
        String::from_utf8(bytes).unwrap()
    }

    #[test]
    fn a_request_is_answered() {
        let mut engine = Embedded::new(Parts::bare(1), at(1)).unwrap();
        assert_eq!(text(engine.call(at(1), &[b"SET", b"k", b"v"])), "+OK\r\n");
        assert_eq!(text(engine.call(at(1), &[b"GET", b"k"])), "$1\r\nv\r\n");
        assert_eq!(text(engine.call(at(1), &[b"INCR", b"n"])), ":1\r\n");
        let unknown = "-ERR unknown command 'nosuch', with args beginning with: 'a' \r\n";
        assert_eq!(text(engine.call(at(1), &[b"nosuch", b"a"])), unknown);
    }

    #[test]
    fn the_caller_is_connected_anew_after_the_end() {
        let mut engine = Embedded::new(Parts::bare(1), at(1)).unwrap();
        engine.call(at(1), &[b"SET", b"k", b"v"]);
        engine.call(at(1), &[b"SELECT", b"5"]);
        assert_eq!(text(engine.call(at(1), &[b"QUIT"])), "+OK\r\n");
        assert_eq!(text(engine.call(at(1), &[b"GET", b"k"])), "$1\r\nv\r\n");
        let bad = text(engine.raw(at(1), b"*1\r\n!\r\n".to_vec().as_mut_slice()));
        assert!(bad.starts_with("-ERR Protocol error"), "{bad}");
        assert_eq!(text(engine.call(at(1), &[b"PING"])), "+PONG\r\n");
    }

    #[test]
    fn many_requests_of_one_chunk_are_answered_in_order() {
        let mut engine = Embedded::new(Parts::bare(1), at(1)).unwrap();
        let mut wire = Vec::new();
        let mut expected = String::new();
        for n in 0..100 {
            wire.extend_from_slice(b"*2\r\n$4\r\nINCR\r\n$1\r\nn\r\n");
            expected.push_str(&format!(":{}\r\n", n + 1));
        }
        assert_eq!(text(engine.raw(at(1), &mut wire)), expected);
    }

    #[test]
    fn a_request_in_pieces_is_answered_once() {
        let mut engine = Embedded::new(Parts::bare(1), at(1)).unwrap();
        let wire = b"*3\r\n$3\r\nSET\r\n$1\r\nk\r\n$5\r\nhello\r\n*2\r\n$3\r\nGET\r\n$1\r\nk\r\n";
        for cut in 1..wire.len() {
            let mut first = wire[..cut].to_vec();
            let mut second = wire[cut..].to_vec();
            let mut answer = engine.raw(at(1), &mut first);
            answer.extend(engine.raw(at(1), &mut second));
            assert_eq!(text(answer), "+OK\r\n$5\r\nhello\r\n", "cut at {cut}");
        }
    }

    #[test]
    fn a_transaction_is_all_or_nothing() {
        let mut engine = Embedded::new(Parts::bare(1), at(1)).unwrap();
        let mut wire = b"MULTI\r\nSET a 1\r\nINCR a\r\nEXEC\r\n".to_vec();
        let expected = "+OK\r\n+QUEUED\r\n+QUEUED\r\n*2\r\n+OK\r\n:2\r\n";
        assert_eq!(text(engine.raw(at(1), &mut wire)), expected);
        let mut wire = b"MULTI\r\nSET a 1 x y\r\nnosuch\r\nEXEC\r\nGET a\r\n".to_vec();
        let answer = text(engine.raw(at(1), &mut wire));
        assert!(
            answer.ends_with(
                "-EXECABORT Transaction discarded because of previous errors.\r\n$1\r\n2\r\n"
            ),
            "{answer}"
        );
    }

    #[test]
    fn an_expired_key_is_invisible() {
        let mut engine = Embedded::new(Parts::bare(1), at(1000)).unwrap();
        engine.call(at(1000), &[b"SET", b"k", b"v", b"PX", b"10"]);
        assert_eq!(text(engine.call(at(1005), &[b"GET", b"k"])), "$1\r\nv\r\n");
        assert_eq!(text(engine.call(at(1011), &[b"GET", b"k"])), "$-1\r\n");
    }

    #[test]
    fn subscribers_hear_their_own_messages() {
        let mut engine = Embedded::new(Parts::bare(1), at(1)).unwrap();
        engine.raw(at(1), b"HELLO 3\r\n".to_vec().as_mut_slice());
        engine.raw(at(1), b"SUBSCRIBE c\r\n".to_vec().as_mut_slice());
        let answer = text(engine.raw(at(1), b"PUBLISH c hi\r\n".to_vec().as_mut_slice()));
        assert!(
            answer.contains(">3\r\n$7\r\nmessage\r\n$1\r\nc\r\n$2\r\nhi\r\n"),
            "{answer}"
        );
        assert!(answer.contains(":1\r\n"), "{answer}");
    }
}
