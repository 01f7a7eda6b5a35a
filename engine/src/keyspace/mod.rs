//! Where keys live: the databases, and what happens to a key whatever its type.
//!
//! Invariants: a key whose deadline has passed is never shown; every change reaches the watchers.
//! Not here: commands (`commands`), the memory of records (`dovetail-memory`).

mod common;
mod contents;
mod db;
pub mod events;
pub mod evict;
pub mod expire;
pub mod heat;
mod load;
mod waiters;
mod watch;

use common::Common;
pub use contents::Contents;
pub use db::{Db, Deadline, Edited, Entry, Key, Stored};
pub use events::{EventClasses, KeyEvent};
pub use evict::Evicted;
use evict::Policy;
pub use load::{Duplicate, Expired, LoadCounts};
pub use watch::Watched;

use crate::base::map::{Set, hasher};
use crate::base::{ConnId, DbIndex, Now};
use crate::seam::eviction::{EvictionPolicy, PolicyEntry};
use crate::value::Value;
use ahash::RandomState;
use dovetail_memory::{PageSource, Store};
use std::rc::Rc;

/// What the keyspace counts, for INFO.
#[derive(Clone, Copy, Debug, Default)]
pub struct KeyspaceStats {
    /// Lookups by reading commands that found their key.
    pub hits: u64,
    /// Lookups by reading commands that did not.
    pub misses: u64,
    /// Keys removed because their deadline had passed.
    pub expired: u64,
    /// Keys removed to make room.
    pub evicted: u64,
    /// Objects destroyed later than removed.
    pub lazily_freed: u64,
}

/// What becomes of records that a walk has shown.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Shown {
    /// They stay.
    Kept,
    /// Their memory goes at once, so that another process that shares it has it alone. What they
    /// refer to is leaked: for a process that ends when it has seen them.
    GivenUp,
}

/// All databases.
pub struct Keyspace {
    dbs: Vec<Db>,
    common: Rc<Common>,
    now: Now,
    hasher: RandomState,
    pages: Rc<dyn PageSource>,
    /// See [`Self::has_pages_left`].
    has_pages_left: bool,
    /// Counts for INFO; see also each [`Db`].
    pub stats: KeyspaceStats,
    /// Notifications and expiries since the executor last looked.
    pub events: Vec<KeyEvent>,
    /// Classes of events that anybody wants to hear of.
    pub notify: EventClasses,
    /// Expired keys are not shown, and not removed either: during CLIENT PAUSE.
    pub keeps_expired: bool,
    /// See [`Self::hold_deadlines`].
    holds_deadlines: bool,
    /// Whether keys expire though nobody asks for them; off for DEBUG SET-ACTIVE-EXPIRE 0.
    pub active_expire: bool,
    /// Stores that no database refers to any more, destroyed in slices.
    discarded: Vec<Store<Value>>,
    /// Whether `removed` is to be kept.
    pub keeps_removed: bool,
    /// Keys that were removed by nobody's command since the executor last looked.
    removed: Vec<(DbIndex, Box<[u8]>)>,
    /// Who chooses what goes for want of memory.
    policy: Option<Policy>,
    /// Whom there is to choose from.
    policies: &'static [PolicyEntry],
    /// Decides what policies leave to chance.
    policy_seed: u64,
    /// The name of the last victim; kept for its allocation.
    victim: Vec<u8>,
    /// Not all keys have been shown to the policy.
    is_settling: bool,
    /// The database and the place in it where the next look at clocks begins.
    ageing: (usize, u32),
    /// The databases that are asked first for a victim, and to forget keys that are gone.
    evicting: usize,
    tidying: usize,
    /// Policies that are no database's any more, and hold much.
    retired: Vec<Box<dyn EvictionPolicy>>,
}

impl std::fmt::Debug for Keyspace {
    fn fmt(&self, out: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        out.debug_struct("Keyspace")
            .field("dbs", &self.dbs.len())
            .finish_non_exhaustive()
    }
}

impl Keyspace {
    /// `count` empty databases whose hashing depends on `seed`.
    #[must_use]
    pub fn new(count: u32, seed: u64, pages: Rc<dyn PageSource>) -> Self {
        let hasher = hasher(seed);
        let common = Rc::new(Common::new(seed));
        let db = |index| {
            let index = DbIndex(index);
            Db::new(index, Rc::clone(&pages), hasher.clone(), Rc::clone(&common))
        };
        let dbs = (0..count).map(db).collect();
        Self {
            dbs,
            common,
            now: Now::default(),
            hasher,
            pages,
            has_pages_left: false,
            stats: KeyspaceStats::default(),
            events: Vec::new(),
            notify: EventClasses::default(),
            keeps_expired: false,
            holds_deadlines: false,
            active_expire: true,
            discarded: Vec::new(),
            keeps_removed: false,
            removed: Vec::new(),
            policy: None,
            policies: &[],
            policy_seed: seed.rotate_left(32),
            victim: Vec::new(),
            is_settling: false,
            ageing: (0, 0),
            evicting: 0,
            tidying: 0,
            retired: Vec::new(),
        }
    }

    /// How many databases there are.
    #[must_use]
    pub fn count(&self) -> usize {
        self.dbs.len()
    }

    /// One database.
    ///
    /// # Panics
    /// When `index` is not below [`Self::count`].
    #[inline]
    pub fn db(&mut self, index: DbIndex) -> &mut Db {
        &mut self.dbs[index.index()]
    }

    /// One database, to be looked at only.
    ///
    /// # Panics
    /// When `index` is not below [`Self::count`].
    #[inline]
    #[must_use]
    pub fn peek_db(&self, index: DbIndex) -> &Db {
        &self.dbs[index.index()]
    }

    /// All databases in order.
    pub fn iter(&self) -> impl Iterator<Item = &Db> {
        self.dbs.iter()
    }

    /// Shows `visit` every record of one database, expired ones included, until it fails; in no
    /// order that means anything.
    ///
    /// # Errors
    /// Those of `visit`.
    ///
    /// # Panics
    /// When `index` is not below [`Self::count`].
    pub fn walk<E>(
        &mut self,
        index: DbIndex,
        shown: Shown,
        visit: &mut dyn FnMut(Entry<'_>) -> Result<(), E>,
    ) -> Result<(), E> {
        let db = &mut self.dbs[index.index()];
        match shown {
            Shown::Kept => db.store().each_in_memory_order(visit),
            Shown::GivenUp => db.store_mut().drain_in_memory_order(visit),
        }
    }

    /// `key` with its hash.
    #[inline]
    #[must_use]
    pub fn key<'a>(&self, bytes: &'a [u8]) -> Key<'a> {
        Key::new(bytes, &self.hasher)
    }

    /// What keys are hashed with; collections hash their members with the same.
    #[must_use]
    pub fn hasher(&self) -> &RandomState {
        &self.hasher
    }

    /// Whether finds move the access clock from now on.
    pub fn set_touching(&self, touching: bool) {
        self.common.touching.set(touching);
    }

    /// Changes ever.
    #[must_use]
    pub fn changes(&self) -> u64 {
        self.common.changes.get()
    }

    /// Tells what time it is; called at the first event of a wake.
    ///
    /// Within a wake time may have been moved on (DEBUG SLEEP); it is not turned back.
    pub fn set_now(&mut self, now: Now) {
        if now.monotonic >= self.now.monotonic {
            self.now = now;
            self.common.set_now(now);
            if self.holds_deadlines {
                self.common.now_ms.set(0);
            }
        }
    }

    /// Has no deadline pass from now on, or has them pass again: while a log is loaded its commands
    /// shall find what they found when they were recorded, and a key that has expired since is
    /// removed by the log, or afterwards.
    pub fn hold_deadlines(&mut self, held: bool) {
        self.holds_deadlines = held;
        self.set_now(self.now);
    }

    /// Whether a deadline in unix milliseconds has passed.
    #[inline]
    #[must_use]
    pub fn is_past(&self, deadline: u64) -> bool {
        deadline <= self.common.now_ms.get()
    }

    /// The instant that was last told.
    #[must_use]
    pub fn now(&self) -> Now {
        self.now
    }

    /// Notes that `event` of class `class` happened to `key`, if anybody wants to hear of it.
    #[inline]
    pub fn notify(&mut self, class: EventClasses, event: &'static str, db: DbIndex, key: &[u8]) {
        if self.notify.contains(class) {
            // What expired on the way expired before what is announced now.
            if self.dbs[db.index()].has_doomed() {
                self.remove_doomed(db);
            }
            self.events.push(KeyEvent {
                class,
                event,
                db,
                key: key.into(),
            });
        }
    }

    /// Collects what commands have left behind in database `index`: removes the expired keys that a
    /// lookup came upon, and adds the connections whose watched keys have changed to `touched`.
    #[inline]
    pub fn settle(&mut self, index: DbIndex, touched: &mut Vec<ConnId>) {
        let db = &mut self.dbs[index.index()];
        if !db.take_unsettled() {
            return;
        }
        if db.has_doomed() {
            self.remove_doomed(index);
        }
        let db = &mut self.dbs[index.index()];
        if db.has_touched() {
            touched.append(db.touched_mut());
        }
    }

    #[cold]
    fn remove_doomed(&mut self, index: DbIndex) {
        let keys = self.dbs[index.index()].take_doomed();
        // A command may come upon the same key several times.
        let mut seen: Set<&[u8]> = Set::with_hasher(self.hasher.clone());
        for key in &keys {
            let db = &mut self.dbs[index.index()];
            let is_kept = self.keeps_expired && db.holds_expired(key);
            if !is_kept && (keys.len() == 1 || seen.insert(key)) {
                db.remove_expired(key);
                self.note_expired(index, key);
            }
        }
    }

    /// Counts and announces that `key` was removed because its deadline had passed.
    fn note_expired(&mut self, index: DbIndex, key: &[u8]) {
        self.stats.expired += 1;
        if self.keeps_removed {
            self.removed.push((index, key.into()));
        }
        self.notify(EventClasses::EXPIRED, "expired", index, key);
    }

    /// Whether keys were removed by nobody's command since they were last taken.
    #[must_use]
    pub fn has_removed(&self) -> bool {
        !self.removed.is_empty()
    }

    /// Removes the expired keys that lookups in any database came upon, and returns all keys that
    /// were removed by nobody's command since the last call, in their order.
    pub fn take_removed(&mut self) -> Vec<(DbIndex, Box<[u8]>)> {
        for index in (0..).map(DbIndex).take(self.dbs.len()) {
            if self.dbs[index.index()].has_doomed() {
                self.remove_doomed(index);
            }
        }
        std::mem::take(&mut self.removed)
    }

    /// Counts no look-up so far as anybody's.
    pub fn forget_lookups(&mut self) {
        for db in &mut self.dbs {
            let _counts = db.take_lookups();
        }
        (self.stats.hits, self.stats.misses) = (0, 0);
    }

    /// Exchanges the contents of two databases.
    pub fn swap(&mut self, a: DbIndex, b: DbIndex) {
        if a == b {
            return;
        }
        let (low, high) = (a.index().min(b.index()), a.index().max(b.index()));
        let (left, right) = self.dbs.split_at_mut(high);
        left[low].swap_contents(&mut right[0]);
        self.common.count_changes(1);
    }

    /// Empties one database; its contents are destroyed in slices by [`Self::free_some`].
    pub fn flush(&mut self, index: DbIndex) -> usize {
        let (removed, store) = self.dbs[index.index()].take_contents(Rc::clone(&self.pages));
        self.common.count_changes(removed as u64);
        if let Some(store) = store {
            self.discarded.push(store);
            self.open_policy(index.index());
        }
        removed
    }

    /// Destroys up to `budget` discarded records and pieces of large values. Returns whether any are
    /// left.
    pub fn free_some(&mut self, mut budget: u32) -> bool {
        if self.retired.pop().is_some() {
            return true;
        }
        self.stats.lazily_freed += self.common.free_objects(&mut budget);
        while let Some(store) = self.discarded.last_mut() {
            let before = store.len();
            let common = &self.common;
            store.drain(&mut budget, &mut |object| common.discard(Some(object)));
            self.stats.lazily_freed += (before - store.len()) as u64;
            if !store.is_empty() {
                return true;
            }
            self.discarded.pop();
        }
        self.common.discarded_len() > 0
    }

    /// Gives away the values of more than `pieces` pieces that wait to be destroyed, and policies.
    pub fn give_discarded(&mut self, pieces: usize, take: &mut dyn FnMut(Box<dyn Send>)) {
        for policy in self.retired.drain(..) {
            take(Box::new(policy));
        }
        let given = self.common.give_objects(pieces, &mut |value| take(value));
        self.stats.lazily_freed += given;
    }

    /// Goes on giving memory back to the system, up to `bytes` bytes; see [`PageSource::settle`].
    pub fn settle_pages(&mut self, bytes: usize) {
        self.has_pages_left = self.pages.settle(bytes);
    }

    /// Whether memory was still to be given back when that was last gone on with.
    #[must_use]
    pub fn has_pages_left(&self) -> bool {
        self.has_pages_left
    }

    /// Objects waiting to be destroyed.
    #[must_use]
    pub fn pending_free(&self) -> usize {
        let stored: usize = self.discarded.iter().map(Store::len).sum();
        stored + self.common.discarded_len() + self.retired.len()
    }

    /// A key that somebody waits for has changed since the last look.
    #[inline]
    #[must_use]
    pub fn has_ready(&self) -> bool {
        self.common.has_ready.get()
    }

    /// The keys that somebody waits for and that have changed, in the order in which they did.
    pub fn take_ready(&mut self) -> Vec<(DbIndex, Box<[u8]>)> {
        self.common.take_ready()
    }
}
