//! The part that sees everything: one single-threaded executor over all connections.
//!
//! Shape: [`Engine`] is a [`Machine`]. Bytes come in as events, requests are framed a batch at a
//! time, commands run against the keyspace and the facets, replies collect until the end of the
//! turn and leave together.
//! Invariants: executed, recorded, as durable as configured, then answered.

mod accept;
mod ahead;
mod block;
mod call;
mod cron;
mod deliver;
mod effects;
pub mod embed;
mod evict;
mod expiry;
mod load;
mod memory;
mod migrate;
mod multi;
mod outward;
mod persist;
mod redact;
mod requests;
mod script;
#[cfg(test)]
mod tests;
mod turn;

use crate::base::rng::Rng;
use crate::base::{ConnId, Micros, Now};
use crate::command::ctx::Reload;
use crate::command::{CommandTable, Ctx, Effects, Feed};
use crate::commands::FAMILIES;
use crate::config::{Config, ShutdownOptions};
use crate::conn::Clients;
use crate::keyspace::Keyspace;
use crate::observe::Observed;
use crate::persist::Persist;
use crate::pubsub::Pubsub;
use crate::resp::{Parser, ReplyBuf};
use crate::script::Scripts;
use crate::seam::eviction::PolicyEntry;
use crate::seam::host::{Host, ProcessIdentity};
use crate::seam::machine::{Machine, Outbox, Ticket};
use crate::seam::persistence::{PersistenceEntry, SharedDisk};
use crate::seam::poller::{Event, Fault, Patience};
use block::Blocked;
use cron::Cron;
use dovetail_memory::PageSource;
use requests::Frame;
use std::rc::Rc;

/// Reads a monotonic counter of nanoseconds. Its readings reach the slow log, latency and statistics,
/// and decide when a script is slow; nothing else. A simulation hands in one that stands still.
pub type Stopwatch = fn() -> u64;

/// What an engine is made of.
pub struct Parts {
    /// The configuration to start with.
    pub config: Config,
    /// All chance follows from it.
    pub seed: u64,
    /// Where the keyspace's memory comes from.
    pub pages: Rc<dyn PageSource>,
    /// The process around it.
    pub host: Box<dyn Host>,
    /// What never changes about that process.
    pub identity: ProcessIdentity,
    /// Where the dataset is kept.
    pub disk: SharedDisk,
    /// How it can be; without a row that fits, it is not.
    pub persistence: &'static [PersistenceEntry],
    /// Who can choose what goes when memory is full; without a row that fits, nothing does.
    pub policies: &'static [PolicyEntry],
    /// Measures commands.
    pub stopwatch: Stopwatch,
}

impl std::fmt::Debug for Parts {
    fn fmt(&self, out: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        out.debug_struct("Parts")
            .field("seed", &self.seed)
            .finish_non_exhaustive()
    }
}

/// A server without its sockets.
pub struct Engine {
    keyspace: Keyspace,
    clients: Clients,
    pubsub: Pubsub,
    scripts: Scripts,
    /// The script that keeps the server busy.
    suspended: Option<Box<script::Suspended>>,
    config: Config,
    commands: CommandTable,
    observed: Observed,
    rng: Rng,
    host: Box<dyn Host>,
    identity: ProcessIdentity,
    stopwatch: Stopwatch,
    effects: Effects,
    feed: Feed,
    persist: Persist,
    expiry: expiry::Expiry,
    pressure: evict::Pressure,
    /// What is being loaded.
    loading: Option<Box<load::Loading>>,
    /// Who has asked for everything to be loaded anew.
    reload: Option<(Reload, ConnId)>,
    /// Connections with replies that may not leave yet.
    holding: Vec<ConnId>,
    /// Framed requests of the batch being run; kept for its allocations.
    frames: Vec<Frame>,
    /// Small chunks of this turn that have not been run.
    ahead: ahead::Ahead,
    /// A parser that is between requests; kept for its allocations.
    parser: Parser,
    /// Empty output buffers for connections that have something to say.
    spare: Vec<ReplyBuf>,
    blocked: Blocked,
    /// Connections to others.
    outward: outward::Outward,
    /// Keys on their way to another server.
    migrating: Option<Box<migrate::Migrating>>,
    cron: Cron,
    /// Connections heard of in the turns of the last tick, and in those of this one.
    active: cron::Activity,
    shutdown: turn::Shutdown,
    /// A signal's wish that waits for the end of a script.
    end_later: Option<ShutdownOptions>,
    /// The log says already that clients take more than they may and none can be closed.
    is_told_of_limit: bool,
    /// Connections that the present poller can hold.
    connections_max: usize,
}

impl std::fmt::Debug for Engine {
    fn fmt(&self, out: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        out.debug_struct("Engine")
            .field("clients", &self.clients.len())
            .finish_non_exhaustive()
    }
}

impl Engine {
    /// An engine with an empty dataset.
    ///
    /// # Errors
    /// A `rename-command` that cannot be carried out; the reason in the directive's words.
    pub fn new(parts: Parts) -> Result<Self, &'static str> {
        let Parts {
            config,
            seed,
            pages,
            host,
            identity,
            disk,
            persistence,
            policies,
            stopwatch,
        } = parts;
        let mut commands = CommandTable::new(FAMILIES);
        for rename in &config.security.rename_command.0 {
            commands.rename(&rename.from, &rename.to)?;
        }
        let mut rng = Rng::new(seed);
        let mut keyspace = Keyspace::new(config.limits.databases, rng.bits(), pages);
        keyspace.notify = config.observe.notify_keyspace_events;
        keyspace.offer_policies(policies);
        keyspace.configure_policy(&config.memory);
        let mut observed = Observed::new(commands.len());
        observed.apply(&config);
        observed.rename_history(&mut rng);
        let blocked = Blocked::new(rng.bits());
        let persist = Persist::new(persistence, disk, &config, identity.pid);
        Ok(Self {
            keyspace,
            clients: Clients::new(rng.bits()),
            pubsub: Pubsub::new(rng.bits()),
            scripts: Scripts::new(rng.bits()),
            suspended: None,
            observed,
            commands,
            config,
            rng,
            host,
            identity,
            stopwatch,
            effects: Effects::default(),
            feed: Feed::default(),
            persist,
            expiry: expiry::Expiry::default(),
            pressure: evict::Pressure::default(),
            loading: None,
            reload: None,
            holding: Vec::new(),
            frames: Vec::new(),
            ahead: ahead::Ahead::default(),
            parser: Parser::default(),
            spare: Vec::new(),
            blocked,
            outward: outward::Outward::default(),
            migrating: None,
            cron: Cron::default(),
            active: cron::Activity::default(),
            shutdown: turn::Shutdown::Running,
            end_later: None,
            is_told_of_limit: false,
            connections_max: usize::MAX,
        })
    }

    /// The configuration as it is now.
    #[must_use]
    pub fn config(&self) -> &Config {
        &self.config
    }

    /// Says whether every change is to be recorded from now on; see [`Self::feed`].
    pub fn record(&mut self, is_wanted: bool) {
        self.feed.want(is_wanted);
        self.keyspace.keeps_removed = is_wanted;
    }

    /// The changes so far, which whoever has them recorded takes and clears between two turns.
    pub fn feed(&mut self) -> &mut Feed {
        &mut self.feed
    }

    /// The process around it.
    pub fn host(&mut self) -> &mut dyn Host {
        &mut *self.host
    }

    /// Lends a handler everything, for connection `conn`, with its reply going to `buf`.
    fn lend<'a>(&'a mut self, now: Now, conn: ConnId, buf: &'a mut ReplyBuf) -> Runner<'a> {
        let stamp = (self.stopwatch)();
        self.lend_at(now, conn, buf, stamp)
    }

    /// The same when the stopwatch has just been read.
    fn lend_at<'a>(
        &'a mut self,
        now: Now,
        conn: ConnId,
        buf: &'a mut ReplyBuf,
        stamp: u64,
    ) -> Runner<'a> {
        let now = self.keyspace.now().max_of(now);
        let (db, protocol, touching) = match self.clients.get(conn) {
            Some(row) => {
                let no_touch = row.session.flags.has(crate::conn::SessionFlags::NO_TOUCH);
                (row.session.db, row.session.protocol, !no_touch)
            }
            None => Default::default(),
        };
        self.keyspace.set_touching(touching);
        Runner {
            ctx: Ctx {
                reply: crate::resp::Reply { buf, protocol },
                keyspace: &mut self.keyspace,
                db,
                now,
                conn,
                clients: &mut self.clients,
                pubsub: &mut self.pubsub,
                scripts: &mut self.scripts,
                config: &mut self.config,
                commands: &self.commands,
                observed: &mut self.observed,
                rng: &mut self.rng,
                host: &mut *self.host,
                identity: &self.identity,
                effects: &mut self.effects,
                feed: &mut self.feed,
                persist: &mut self.persist,
                command: u16::MAX,
                hashed: None,
            },
            suspended: &mut self.suspended,
            blocked: &mut self.blocked,
            outward: &mut self.outward,
            migrating: &mut self.migrating,
            pressure: &mut self.pressure,
            is_out_of_memory: false,
            shutdown: &mut self.shutdown,
            reload: &mut self.reload,
            cron_paused: &mut self.cron.paused,
            stopwatch: self.stopwatch,
            stamp,
            touched: Vec::new(),
            pushes: ReplyBuf::new(),
        }
    }
}

/// One connection's turn at running commands.
struct Runner<'a> {
    ctx: Ctx<'a>,
    suspended: &'a mut Option<Box<script::Suspended>>,
    blocked: &'a mut Blocked,
    outward: &'a mut outward::Outward,
    migrating: &'a mut Option<Box<migrate::Migrating>>,
    pressure: &'a mut evict::Pressure,
    /// There was no room, and nothing that could go, when the present request began.
    is_out_of_memory: bool,
    shutdown: &'a mut turn::Shutdown,
    reload: &'a mut Option<(Reload, ConnId)>,
    cron_paused: &'a mut bool,
    stopwatch: Stopwatch,
    /// The stopwatch at the end of the last command.
    stamp: u64,
    /// Connections whose watched keys have changed; kept for its allocation.
    touched: Vec<ConnId>,
    /// Messages to the running connection itself; they follow the reply, a transaction's whole one.
    pushes: ReplyBuf,
}

impl Machine for Engine {
    fn start(&mut self, now: Now, poller: &'static str, out: &mut Outbox) {
        self.on_start(now, poller, out);
    }

    fn on_event(&mut self, now: Now, event: Event<'_>, out: &mut Outbox) {
        if self.suspended.is_none() {
            self.keyspace.set_now(now);
        }
        if !matches!(event, Event::Received { .. }) {
            self.run_ahead(now, out);
        }
        match event {
            Event::Received { conn, bytes } => self.on_received(now, conn, bytes, out),
            Event::Filled { conn, buffer } => self.on_filled(now, conn, buffer, out),
            Event::Accepted {
                conn,
                listener: _,
                arrival,
            } => {
                self.on_accepted(now, conn, *arrival);
            }
            Event::AcceptFailed { listener: _, fault } => self.on_accept_failed(fault),
            Event::Finished { conn } => {
                self.clients.finish(conn);
                self.on_link_finished(conn, out);
            }
            Event::Stalled { conn, unsent } => {
                self.on_stalled(now, conn, unsent);
                self.on_link_unsent(now, conn, unsent);
            }
            Event::Drained { conn } => {
                self.on_drained(now, conn);
                self.on_link_unsent(now, conn, 0);
            }
            Event::Closed { conn, result } => {
                self.on_closed(conn);
                self.on_link_closed(now, conn, result);
            }
            Event::Connected { conn, result } => self.on_link_connected(now, conn, result),
            Event::Woken => self.on_woken(now),
        }
    }

    fn on_dialled(&mut self, ticket: Ticket, result: Result<ConnId, Fault>) {
        self.on_link_named(ticket, result);
    }

    fn end_turn(&mut self, now: Now, out: &mut Outbox) {
        self.finish_turn(now, out);
    }

    fn replies(&mut self, send: &mut dyn FnMut(ConnId, &mut ReplyBuf) -> usize) {
        self.hand_out_replies(send);
    }

    fn patience(&mut self, now: Now) -> Patience {
        self.next_patience(now)
    }

    fn is_finished(&self) -> bool {
        matches!(
            self.shutdown,
            turn::Shutdown::Done | turn::Shutdown::Failed(_)
        )
    }
}

/// Whether the next request of the same connection may run now.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
enum Flow {
    /// Yes.
    Continue,
    /// Not this connection's: it waits, or is being closed.
    Halt,
}

/// A time that never comes.
const NEVER: Micros = Micros(u64::MAX);
