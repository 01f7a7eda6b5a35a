//! What a connection has agreed to: database, protocol, name, modes; and what is known of it.

use super::multi::Multi;
use crate::base::map::Set;
use crate::base::{DbIndex, Micros};
use crate::config::ClientClass;
use crate::keyspace::Watched;
use crate::resp::Protocol;
use crate::seam::poller::{Arrival, Endpoint};
use bytes::Bytes;

/// Modes of a connection, one bit each. While [`Self::SLOW_PATH`] has none of them set, a command
/// passes the gates by one test.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub struct SessionFlags(pub u32);

impl SessionFlags {
    /// Must authenticate first.
    pub const UNAUTHENTICATED: Self = Self(1);
    /// Between MULTI and EXEC.
    pub const MULTI: Self = Self(1 << 1);
    /// A watched key has changed.
    pub const DIRTY_WATCH: Self = Self(1 << 2);
    /// Subscribed to something.
    pub const PUBSUB: Self = Self(1 << 3);
    /// Sees every command.
    pub const MONITOR: Self = Self(1 << 4);
    /// Waits for something.
    pub const BLOCKED: Self = Self(1 << 5);
    /// CLIENT REPLY OFF.
    pub const REPLY_OFF: Self = Self(1 << 6);
    /// The next command gets no reply.
    pub const REPLY_SKIP_NEXT: Self = Self(1 << 7);
    /// This command gets no reply.
    pub const REPLY_SKIP: Self = Self(1 << 8);
    /// Not evicted for its buffers.
    pub const NO_EVICT: Self = Self(1 << 9);
    /// Does not move access clocks.
    pub const NO_TOUCH: Self = Self(1 << 10);
    /// Closed when its replies have left.
    pub const CLOSE_AFTER_REPLY: Self = Self(1 << 11);
    /// To be closed at the end of the turn, unsent replies and all.
    pub const CLOSE_ASAP: Self = Self(1 << 12);
    /// Its commands wait until a pause is over.
    pub const PAUSED: Self = Self(1 << 13);
    /// Runs a transaction right now.
    pub const EXECUTING: Self = Self(1 << 14);
    /// CLIENT IMPORT-SOURCE ON.
    pub const IMPORT_SOURCE: Self = Self(1 << 15);
    /// Unblocked, with requests waiting to be run.
    pub const UNBLOCKED: Self = Self(1 << 16);
    /// Announced that it understands redirections (CLIENT CAPA).
    pub const CAPA_REDIRECT: Self = Self(1 << 17);
    /// While blocked: waits until some time at most.
    pub const HAS_TIMEOUT: Self = Self(1 << 18);
    /// Its peer has finished speaking: closed when what it has asked for is answered.
    pub const FINISHED: Self = Self(1 << 19);

    /// The requests of such a connection stay where they are.
    pub const WAITING: Self = Self(Self::BLOCKED.0 | Self::PAUSED.0);
    /// No request of such a connection is run any more.
    pub const CLOSING: Self = Self(Self::CLOSE_AFTER_REPLY.0 | Self::CLOSE_ASAP.0);
    /// No reply is sent, or not this one.
    pub const SILENT: Self = Self(Self::REPLY_OFF.0 | Self::REPLY_SKIP.0);

    /// Any of these sends a command through the slower gates.
    pub const SLOW_PATH: Self = Self(
        Self::UNAUTHENTICATED.0
            | Self::MULTI.0
            | Self::PUBSUB.0
            | Self::MONITOR.0
            | Self::BLOCKED.0
            | Self::REPLY_OFF.0
            | Self::REPLY_SKIP_NEXT.0
            | Self::REPLY_SKIP.0
            | Self::CLOSE_AFTER_REPLY.0
            | Self::CLOSE_ASAP.0,
    );

    /// Whether any of `flags` is set.
    #[must_use]
    #[inline]
    pub const fn has(self, flags: Self) -> bool {
        self.0 & flags.0 != 0
    }

    /// Sets `flags`.
    #[inline]
    pub const fn set(&mut self, flags: Self) {
        self.0 |= flags.0;
    }

    /// Clears `flags`.
    #[inline]
    pub const fn clear(&mut self, flags: Self) {
        self.0 &= !flags.0;
    }

    /// Sets or clears `flags`.
    pub const fn put(&mut self, flags: Self, on: bool) {
        if on {
            self.set(flags)
        } else {
            self.clear(flags)
        }
    }
}

/// What CLIENT REPLY set.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum ReplyMode {
    /// Replies are sent.
    On,
    /// None is.
    Off,
    /// The next one is not.
    Skip,
}

/// What a connection is subscribed to.
#[derive(Debug)]
pub struct Subscriptions {
    /// Channels.
    pub channels: Set<Bytes>,
    /// Patterns.
    pub patterns: Set<Bytes>,
    /// Shard channels.
    pub shard_channels: Set<Bytes>,
    /// Bytes of all these names.
    pub names_bytes: usize,
}

impl Subscriptions {
    /// Bytes that are kept for them.
    #[must_use]
    pub fn memory(&self) -> usize {
        let sets = [&self.channels, &self.patterns, &self.shard_channels];
        let places: usize = sets.into_iter().map(Set::capacity).sum();
        // A place of a set has a byte of its own.
        size_of::<Self>() + places * (size_of::<Bytes>() + 1) + self.names_bytes
    }
}

/// State of a connection that commands read and change.
#[derive(Debug)]
pub struct Session {
    /// Modes.
    pub flags: SessionFlags,
    /// The selected database.
    pub db: DbIndex,
    /// Protocol of its replies.
    pub protocol: Protocol,
    /// Row of the last command, `u16::MAX` before the first.
    pub last_command: u16,
    /// CLIENT ID: counts connections from 1.
    pub client_id: u64,
    /// When it last sent something.
    pub last_active: Micros,
    /// Bytes received.
    pub bytes_in: u64,
    /// Bytes given to the poller.
    pub bytes_out: u64,
    /// Commands run.
    pub commands: u64,
    /// Loop turn in which it was last heard of; for counting active connections.
    pub last_turn: u64,
    /// Where the record of its last change ends in the feed.
    pub last_write: u64,
    /// The transaction being put together.
    pub multi: Option<Box<Multi>>,
    /// Keys it watches.
    pub watched: Vec<Watched>,
    /// Bytes of their names.
    pub watched_bytes: usize,
    /// Bytes of the words of the command with which it waits.
    pub waiting_bytes: usize,
    /// What it is subscribed to.
    pub subscriptions: Option<Box<Subscriptions>>,
    /// When it arrived.
    pub created: Micros,
    /// Both addresses and the descriptor.
    pub arrival: Arrival,
    /// CLIENT SETNAME; empty without one.
    pub name: Bytes,
    /// CLIENT SETINFO LIB-NAME.
    pub lib_name: Bytes,
    /// CLIENT SETINFO LIB-VER.
    pub lib_ver: Bytes,
    /// Its user.
    pub user: Bytes,
}

impl Session {
    /// The state of a connection that has just arrived.
    #[must_use]
    pub fn new(client_id: u64, arrival: Arrival, now: Micros) -> Self {
        Self {
            flags: SessionFlags::default(),
            db: DbIndex(0),
            protocol: Protocol::Resp2,
            last_command: u16::MAX,
            client_id,
            last_active: now,
            bytes_in: 0,
            bytes_out: 0,
            commands: 0,
            last_turn: 0,
            last_write: 0,
            multi: None,
            watched: Vec::new(),
            watched_bytes: 0,
            waiting_bytes: 0,
            subscriptions: None,
            created: now,
            arrival,
            name: Bytes::new(),
            lib_name: Bytes::new(),
            lib_ver: Bytes::new(),
            user: Bytes::from_static(b"default"),
        }
    }

    /// Bytes behind it: the queue of a transaction, subscriptions, watched keys, names, and the words
    /// that it waits with.
    #[must_use]
    pub fn memory(&self) -> usize {
        let multi = self.multi.as_ref().map_or(0, |multi| multi.memory());
        let subscriptions = self.subscriptions.as_ref().map_or(0, |subs| subs.memory());
        let watched = self.watched.capacity() * size_of::<Watched>() + self.watched_bytes;
        let names = self.name.len() + self.lib_name.len() + self.lib_ver.len();
        multi + subscriptions + watched + names + self.waiting_bytes
    }

    /// Whether it came through a unix socket.
    #[must_use]
    pub fn is_unix(&self) -> bool {
        matches!(self.arrival.local, Endpoint::Unix(_))
    }

    /// The other side's address; both sides of a unix socket carry the listener's path.
    #[must_use]
    pub fn peer_text(&self) -> String {
        let end = if self.is_unix() {
            &self.arrival.local
        } else {
            &self.arrival.peer
        };
        end.to_string()
    }

    /// Whether it comes from this machine.
    #[must_use]
    pub fn is_local(&self) -> bool {
        match &self.arrival.peer {
            Endpoint::Unix(_) => true,
            Endpoint::Ip(addr) => addr.ip().to_canonical().is_loopback(),
        }
    }

    /// Its class of output limits.
    #[must_use]
    pub fn class(&self) -> ClientClass {
        if self.flags.has(SessionFlags::PUBSUB) {
            ClientClass::PubSub
        } else {
            ClientClass::Normal
        }
    }

    /// Channels and patterns it is subscribed to, shard channels apart.
    #[must_use]
    pub fn subscription_counts(&self) -> (usize, usize, usize) {
        self.subscriptions.as_ref().map_or((0, 0, 0), |subs| {
            (
                subs.channels.len(),
                subs.patterns.len(),
                subs.shard_channels.len(),
            )
        })
    }

    /// Sets what CLIENT REPLY says.
    pub fn set_reply_mode(&mut self, mode: ReplyMode) {
        self.flags.clear(SessionFlags(
            SessionFlags::REPLY_OFF.0
                | SessionFlags::REPLY_SKIP_NEXT.0
                | SessionFlags::REPLY_SKIP.0,
        ));
        match mode {
            ReplyMode::On => {}
            ReplyMode::Off => self.flags.set(SessionFlags::REPLY_OFF),
            ReplyMode::Skip => self.flags.set(SessionFlags::REPLY_SKIP_NEXT),
        }
    }

    /// The letters of CLIENT LIST's `flags`.
    #[must_use]
    pub fn flag_letters(&self) -> String {
        let table = [
            (SessionFlags::MONITOR, 'O'),
            (SessionFlags::PUBSUB, 'P'),
            (SessionFlags::MULTI, 'x'),
            (SessionFlags::WAITING, 'b'),
            (SessionFlags::DIRTY_WATCH, 'd'),
            (SessionFlags::CLOSE_AFTER_REPLY, 'c'),
            (SessionFlags::UNBLOCKED, 'u'),
            (SessionFlags::CLOSE_ASAP, 'A'),
        ];
        let rest = [
            (SessionFlags::NO_EVICT, 'e'),
            (SessionFlags::NO_TOUCH, 'T'),
            (SessionFlags::IMPORT_SOURCE, 'I'),
        ];
        let unix = self.is_unix().then_some('U');
        let has = |(flag, letter): (SessionFlags, char)| self.flags.has(flag).then_some(letter);
        let letters = table.into_iter().filter_map(has).chain(unix);
        let mut letters: String = letters.chain(rest.into_iter().filter_map(has)).collect();
        if letters.is_empty() {
            letters.push('N');
        }
        letters
    }
}
