//! The executor over several connections, with a poller that does what it is told.

mod clients;
mod evict;
mod expiry;
mod feed;
mod framing;
mod migrate;
mod together;
mod transactions;

use super::{Engine, Parts};
use crate::base::{ConnId, ListenerId, Micros, Now};
use crate::config::Locality;
use crate::resp::ReplyBuf;
use crate::seam::machine::{Action, Machine, Outbox};
use crate::seam::poller::{Arrival, Close, Endpoint, Event, Fault};

/// One peer, as the poller keeps it.
struct Peer {
    id: ConnId,
    /// The large word that is being received, and its whole length.
    filling: Option<(Vec<u8>, usize)>,
    /// What has been sent to it and not looked at.
    heard: Vec<u8>,
    /// It takes nothing; this much waits for it.
    stuck: Option<usize>,
    closed: Option<Close>,
}

/// An engine with peers. Time stands still unless it is told to pass.
struct Rig {
    engine: Engine,
    out: Outbox,
    peers: Vec<Peer>,
    millis: u64,
    /// What the wall clock shows less since it was put back.
    behind_millis: u64,
    /// Who is closed does not go yet.
    lingers: bool,
    /// Why no attempt to connect can be made.
    dial_fault: Option<Fault>,
}

impl Rig {
    fn new() -> Self {
        Self::with(Parts::bare(1))
    }

    fn with(parts: Parts) -> Self {
        let mut rig = Self {
            engine: Engine::new(parts).unwrap(),
            out: Outbox::default(),
            peers: Vec::new(),
            millis: 1_000_000,
            behind_millis: 0,
            lingers: false,
            dial_fault: None,
        };
        rig.engine.start(rig.now(), "none", &mut rig.out);
        rig
    }

    const fn now(&self) -> Now {
        Now {
            monotonic: Micros::from_millis(self.millis),
            unix_us: (self.millis - self.behind_millis) * 1000,
        }
    }

    /// One more peer, of whom the engine has not been told.
    fn meet(&mut self) -> ConnId {
        let id = ConnId {
            slot: u32::try_from(self.peers.len()).unwrap(),
            generation: 0,
        };
        self.peers.push(Peer {
            id,
            filling: None,
            heard: Vec::new(),
            stuck: None,
            closed: None,
        });
        id
    }

    fn connect(&mut self) -> usize {
        let id = self.meet();
        let address = |port| Endpoint::Ip(([127, 0, 0, 1], port).into());
        let arrival = Box::new(Arrival {
            peer: address(u16::try_from(id.slot).unwrap() + 1000),
            local: address(6379),
            descriptor: -1,
        });
        let listener = ListenerId(0);
        self.event(Event::Accepted {
            conn: id,
            listener,
            arrival,
        });
        self.peers.len() - 1
    }

    fn event(&mut self, event: Event<'_>) {
        self.engine.on_event(self.now(), event, &mut self.out);
        self.act();
    }

    /// Bytes arrive; the turn goes on.
    fn send(&mut self, who: usize, bytes: &[u8]) {
        let mut rest = bytes;
        while !rest.is_empty() && self.peers[who].closed.is_none() {
            let conn = self.peers[who].id;
            let Some((mut buffer, wanted)) = self.peers[who].filling.take() else {
                let mut bytes = rest.to_vec();
                return self.event(Event::Received {
                    conn,
                    bytes: &mut bytes,
                });
            };
            let (news, after) = rest.split_at((wanted - buffer.len()).min(rest.len()));
            buffer.extend_from_slice(news);
            rest = after;
            if buffer.len() < wanted {
                self.peers[who].filling = Some((buffer, wanted));
            } else {
                self.event(Event::Filled { conn, buffer });
            }
        }
    }

    fn act(&mut self) {
        for action in std::mem::take(&mut self.out.actions) {
            match action {
                Action::Fill {
                    conn,
                    buffer,
                    wanted,
                } => {
                    let peer = &mut self.peers[conn.index()];
                    assert!(peer.filling.is_none(), "one word at a time is filled");
                    peer.filling = Some((buffer, wanted));
                }
                Action::Connect { ticket, .. } => {
                    let result = match self.dial_fault {
                        Some(fault) => Err(fault),
                        None => Ok(self.meet()),
                    };
                    self.engine.on_dialled(ticket, result);
                }
                Action::Close(conn, how) => self.peers[conn.index()].closed = Some(how),
                _ => {}
            }
        }
    }

    /// The turn ends; who was to be closed is gone when it is over.
    fn turn(&mut self) {
        let before: Vec<bool> = self.peers.iter().map(|p| p.closed.is_some()).collect();
        self.engine.end_turn(self.now(), &mut self.out);
        let peers = &mut self.peers;
        self.engine.replies(&mut |conn, reply: &mut ReplyBuf| {
            let peer = &mut peers[conn.index()];
            assert!(peer.closed.is_none(), "nothing is sent to who was closed");
            match &mut peer.stuck {
                Some(waiting) => *waiting += reply.len(),
                None => peer.heard.extend(reply.to_vec()),
            }
            reply.clear(usize::MAX);
            peer.stuck.unwrap_or(0)
        });
        self.act();
        for (at, was_closed) in before.into_iter().enumerate() {
            if self.peers[at].closed.is_some() && !was_closed && !self.lingers {
                let conn = self.peers[at].id;
                self.event(Event::Closed {
                    conn,
                    result: Ok(()),
                });
            }
        }
    }

    /// What a peer has got since it was asked last.
    fn heard(&mut self, who: usize) -> String {
        let heard = std::mem::take(&mut self.peers[who].heard);
        String::from_utf8_lossy(&heard).into_owned()
    }

    /// Lines of one chunk and the answer of that turn.
    fn say(&mut self, who: usize, lines: &[&str]) -> String {
        let wire: String = lines.iter().map(|line| format!("{line}\r\n")).collect();
        self.send(who, wire.as_bytes());
        self.turn();
        self.heard(who)
    }

    /// A peer says that this was all, and the turn ends.
    fn finish(&mut self, who: usize) {
        let conn = self.peers[who].id;
        self.event(Event::Finished { conn });
        self.turn();
    }

    fn pass(&mut self, millis: u64) {
        self.millis += millis;
        self.turn();
    }

    fn is_closed(&self, who: usize) -> bool {
        self.peers[who].closed.is_some()
    }
}

/// A request as clients send it.
fn wire(words: &[&[u8]]) -> Vec<u8> {
    let mut wire = format!("*{}\r\n", words.len()).into_bytes();
    for word in words {
        wire.extend_from_slice(format!("${}\r\n", word.len()).as_bytes());
        wire.extend_from_slice(word);
        wire.extend_from_slice(b"\r\n");
    }
    wire
}

/// Parts with some directives set.
fn parts_with(pairs: &[(&[u8], &[u8])]) -> Parts {
    let mut parts = Parts::bare(1);
    parts.config.set(pairs, Locality::Local).unwrap();
    parts
}
