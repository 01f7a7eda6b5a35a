//! Exactly what a command may touch, each thing by its own name.
//!
//! A handler reads and changes the keyspace and the facets lent here; whatever concerns other
//! connections or the loop it asks for through [`Effects`], which the executor carries out when
//! the handler has returned.

use super::feed::Feed;
use super::migration::Migration;
use super::table::CommandTable;
use crate::base::rng::Rng;
use crate::base::{ConnId, DbIndex, ListenerId, Micros, Now};
use crate::config::{Changes, Config, ShutdownOptions};
use crate::conn::{Clients, Pause, Session, SessionFlags};
use crate::keyspace::{EventClasses, Key, Keyspace};
use crate::observe::Observed;
use crate::persist::{Persist, World};
use crate::pubsub::{Pubsub, Topic};
use crate::resp::Reply;
use crate::script::Scripts;
use crate::seam::host::{Host, ProcessIdentity};
/// What the process says and is told, for handlers that speak to it through [`Ctx::host`].
pub use crate::seam::host::{LogLevel, ProcessFacts, Refusal};
use crate::value::Kind;
use bytes::Bytes;
use std::ops::Range;

/// A message to be delivered to the subscribers of a channel.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Publication {
    /// By which table.
    pub topic: Topic,
    /// The channel.
    pub channel: Bytes,
    /// The message.
    pub message: Bytes,
}

/// What a client waits for.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum BlockedOn {
    /// WAIT: so many replicas.
    Replicas {
        /// How many.
        wanted: u64,
    },
    /// WAITAOF: so many local syncs and replicas' syncs.
    Durability {
        /// Where the last change of the connection ends in the feed.
        offset: u64,
        /// 0 or 1.
        local: u64,
        /// How many.
        replicas: u64,
    },
    /// BLPOP and its like: any of some keys holding what the command can take from. The command is
    /// run again when one does.
    Keys {
        /// Which words of the request they are.
        keys: Range<usize>,
        /// What they must hold.
        kind: Kind,
    },
    /// MIGRATE: another server has the keys, or will not.
    Migration,
}

/// What DEBUG RELOAD and DEBUG LOADAOF are to do.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Reload {
    /// Whether the dataset is saved before.
    pub saves: bool,
    /// Whether it is what the log holds, and not a snapshot.
    pub is_log: bool,
}

/// A save that a child is to do.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Background {
    /// BGSAVE.
    Save,
    /// BGSAVE SCHEDULE: later, if there is a child now.
    SaveInTime,
    /// BGREWRITEAOF.
    Rewrite,
}

/// What WAITAOF answers when the disk that it would wait for gets no log.
pub const NO_LOG: &str =
    "ERR WAITAOF cannot be used when numlocal is set but appendonly is disabled.";

/// A reply that says that there is nothing.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Nothing {
    /// Where a bulk string could be.
    Null,
    /// Where an array could be.
    NullArray,
}

impl Nothing {
    /// Answers it.
    pub fn write(self, reply: &mut Reply<'_>) {
        match self {
            Self::Null => reply.null(),
            Self::NullArray => reply.null_array(),
        }
    }
}

/// How a blocked client is let go.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Release {
    /// As if its time were up.
    Timeout,
    /// With the error `UNBLOCKED`.
    Error,
    /// Because what it waited for is on disk.
    Durable,
}

/// What a command asks of the executor. Carried out after the handler has returned, in the order of
/// the fields.
#[derive(Debug, Default)]
pub struct Effects {
    /// Something below is set; the executor looks only then.
    pub any: bool,
    /// Run the script now that has been staged; this is carried out before all else.
    pub script: bool,
    /// Run the queued transaction now, whose replies follow.
    pub exec: bool,
    /// Messages to deliver.
    pub publish: Vec<Publication>,
    /// Send these keys to another server; the client waits meanwhile.
    pub migrate: Option<Box<Migration>>,
    /// Make the client wait, until this time if there is one.
    pub block: Option<(BlockedOn, Option<Micros>)>,
    /// Let these clients go.
    pub release: Vec<(ConnId, Release)>,
    /// Close these connections, replies unsent.
    pub kill: Vec<ConnId>,
    /// Begin or replace a pause; `Some(None)` ends it.
    pub pause: Option<Option<Pause>>,
    /// Go on with another poller.
    pub switch_poller: Option<&'static str>,
    /// Listeners have been opened or are to be closed.
    pub relistened: Option<Vec<ListenerId>>,
    /// Options of new connections have changed.
    pub socket_options: bool,
    /// End the process.
    pub shutdown: Option<ShutdownOptions>,
    /// Give up a shutdown under way.
    pub abort_shutdown: bool,
    /// Databases other than the selected one have changed: their watchers are told now.
    pub settle_all: bool,
    /// Have a child save; the executor answers.
    pub background: Option<Background>,
    /// The log has been switched on or off by these changes of the configuration; the executor
    /// answers, and takes them back if that fails.
    pub switch_log: Option<Changes>,
    /// Load what is stored in place of the dataset; the executor answers.
    pub reload: Option<Reload>,
    /// Stop the periodic duties, or go on with them.
    pub pause_cron: Option<bool>,
}

/// What the executor lends to a handler.
pub struct Ctx<'a> {
    /// Where the reply is written.
    pub reply: Reply<'a>,
    /// All databases; `ctx.keyspace.db(ctx.db)` is the selected one.
    pub keyspace: &'a mut Keyspace,
    /// The selected database.
    pub db: DbIndex,
    /// The instant that all commands of this wake share.
    pub now: Now,
    /// Who asks.
    pub conn: ConnId,
    /// All connections.
    pub clients: &'a mut Clients,
    /// All subscriptions.
    pub pubsub: &'a mut Pubsub,
    /// Scripts, and the machine that runs them.
    pub scripts: &'a mut Scripts,
    /// The configuration.
    pub config: &'a mut Config,
    /// All commands.
    pub commands: &'a CommandTable,
    /// Statistics, slow log, latency.
    pub observed: &'a mut Observed,
    /// Chance.
    pub rng: &'a mut Rng,
    /// The process.
    pub host: &'a mut dyn Host,
    /// What never changes about the process.
    pub identity: &'a ProcessIdentity,
    /// What is asked of the executor.
    pub effects: &'a mut Effects,
    /// What changes, for the log and replicas.
    pub feed: &'a mut Feed,
    /// The dataset on disk.
    pub persist: &'a mut Persist,
    /// The running command's row.
    pub command: super::CommandId,
    /// Address and hash of the first key, when the executor has hashed it ahead.
    pub hashed: Option<(*const u8, u64)>,
}

impl std::fmt::Debug for Ctx<'_> {
    fn fmt(&self, out: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        out.debug_struct("Ctx")
            .field("conn", &self.conn)
            .field("db", &self.db)
            .field("now", &self.now)
            .finish_non_exhaustive()
    }
}

impl Ctx<'_> {
    /// `word` as a key; its hash is not computed again when the executor has done so.
    #[inline]
    #[must_use]
    pub fn key<'k>(&self, word: &'k [u8]) -> Key<'k> {
        match self.hashed {
            Some((address, hash)) if std::ptr::eq(address, word.as_ptr()) => {
                Key { bytes: word, hash }
            }
            _ => self.keyspace.key(word),
        }
    }

    /// The asking connection's state.
    ///
    /// # Panics
    /// When the connection is gone: commands run only for connections that are there.
    #[must_use]
    pub fn session(&mut self) -> &mut Session {
        let conn = self.clients.get_mut(self.conn);
        &mut conn
            .expect("a command runs for a connection that is there")
            .session
    }

    /// Records `words` instead of the running command, if it changes anything and anybody wants to
    /// know; see [`Feed`].
    #[inline]
    pub fn record(&mut self, words: &[&[u8]]) {
        if self.feed.is_wanted() {
            self.feed.instead(words);
        }
    }

    /// Notes that `event` happened to `key` of the selected database.
    #[inline]
    pub fn notify(&mut self, class: EventClasses, event: &'static str, key: &[u8]) {
        self.keyspace.notify(class, event, self.db, key);
    }

    /// Whether a command may make the client wait: not inside a transaction or a script.
    #[must_use]
    pub fn may_block(&mut self) -> bool {
        !self.session().flags.has(SessionFlags::EXECUTING)
    }

    /// Makes the client wait until one of `keys` (words of the request) holds a value of type
    /// `kind`, or until `deadline`; where nobody may wait, answers `nothing` at once.
    pub fn wait_for(
        &mut self,
        keys: Range<usize>,
        kind: Kind,
        nothing: Nothing,
        deadline: Option<Micros>,
    ) {
        if self.may_block() {
            let on = BlockedOn::Keys { keys, kind };
            self.effects().block = Some((on, deadline));
        } else {
            nothing.write(&mut self.reply);
        }
    }

    /// Selects another database for the asking connection.
    pub fn select(&mut self, db: DbIndex) {
        self.db = db;
        self.session().db = db;
    }

    /// The dataset on disk, and what a save is about.
    pub fn saving(&mut self) -> (&mut Persist, World<'_>) {
        let world = World {
            keyspace: self.keyspace,
            config: self.config,
            host: self.host,
            now: self.now,
        };
        (self.persist, world)
    }

    /// Full name of the running command.
    #[must_use]
    pub fn command_name(&self) -> &str {
        &self.commands.row(self.command).full_name
    }

    /// The effects, marked as present.
    pub fn effects(&mut self) -> &mut Effects {
        self.effects.any = true;
        self.effects
    }
}
