//! One database: finding, changing and removing keys, whatever they hold.
//!
//! Invariants: 1. a key whose deadline has passed is shown to nobody; 2. every change is counted and
//! reaches the key's watchers; 3. reading changes nothing but the access clock.
//! Cost: a find is one lookup in the store; where keys have deadlines, a change is two.

use super::common::Common;
use super::evict::Evictor;
use super::heat;
use super::waiters::Waiters;
use super::watch::Watch;
use crate::base::{ConnId, DbIndex};
use crate::codec::rdb::Usage;
use crate::value::Value;
use ahash::RandomState;
use dovetail_memory::{Body, EntryMut, EntryRef, Heat, Lookup, NewBody, PageSource, Store};
use std::cell::{Cell, RefCell};
use std::rc::Rc;

/// A key's record, as a reader sees it.
pub type Entry<'a> = EntryRef<'a, Value>;
/// A record that is being changed.
pub type Edited<'a> = EntryMut<'a, Value>;

/// A key's bytes with their hash.
#[derive(Clone, Copy, Debug)]
pub struct Key<'a> {
    /// The bytes.
    pub bytes: &'a [u8],
    /// Their hash, by the keyspace's hasher.
    pub hash: u64,
}

impl<'a> Key<'a> {
    /// Hashes `bytes`.
    #[must_use]
    #[inline]
    pub fn new(bytes: &'a [u8], hasher: &RandomState) -> Self {
        Self {
            bytes,
            hash: hasher.hash_one(bytes),
        }
    }
}

/// What a write does about the key's deadline.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Deadline {
    /// There is none afterwards.
    Clear,
    /// It stays as it was.
    Keep,
    /// It is this instant, in unix milliseconds.
    At(u64),
}

/// Whether a write made a key or changed one.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Stored {
    /// The key is new.
    Created,
    /// It was there before.
    Replaced,
}

/// One database.
#[derive(Debug)]
pub struct Db {
    index: DbIndex,
    store: Store<Value>,
    hasher: RandomState,
    common: Rc<Common>,
    /// Expired keys that lookups came upon; removed when the command is over.
    doomed: RefCell<Vec<Box<[u8]>>>,
    /// Something below or above is there for `Keyspace::settle` to collect.
    unsettled: Cell<bool>,
    watch: Watch,
    touched: Vec<ConnId>,
    /// Who waits for keys, in their order.
    pub(super) waiters: Waiters,
    hits: Cell<u64>,
    misses: Cell<u64>,
    /// Running mean of the time to live of keys with a deadline, in milliseconds.
    pub(super) ttl_mean_ms: f64,
    /// Chooses what goes for want of memory.
    evictor: Option<Evictor>,
}

impl Db {
    /// An empty database.
    #[must_use]
    pub(super) fn new(
        index: DbIndex,
        pages: Rc<dyn PageSource>,
        hasher: RandomState,
        common: Rc<Common>,
    ) -> Self {
        Self {
            index,
            store: Store::new(pages),
            watch: Watch::new(hasher.clone()),
            waiters: Waiters::new(hasher.clone()),
            hasher,
            common,
            doomed: RefCell::default(),
            unsettled: Cell::new(false),
            touched: Vec::new(),
            hits: Cell::default(),
            misses: Cell::default(),
            ttl_mean_ms: 0.0,
            evictor: None,
        }
    }

    /// What evicting needs together.
    pub(super) fn eviction_parts(&mut self) -> (&mut Store<Value>, Option<&mut Evictor>, &Common) {
        (&mut self.store, self.evictor.as_mut(), &self.common)
    }

    pub(super) fn evictor(&self) -> Option<&Evictor> {
        self.evictor.as_ref()
    }

    pub(super) fn replace_evictor(&mut self, evictor: Option<Evictor>) -> Option<Evictor> {
        std::mem::replace(&mut self.evictor, evictor)
    }

    pub(super) fn hasher(&self) -> &RandomState {
        &self.hasher
    }

    /// The present, in unix milliseconds.
    #[must_use]
    #[inline]
    pub fn now_ms(&self) -> u64 {
        self.common.now_ms.get()
    }

    /// Keys in it, expired ones that nobody came upon yet included.
    #[must_use]
    pub fn len(&self) -> usize {
        self.store.len()
    }

    /// No key at all.
    #[must_use]
    pub fn is_empty(&self) -> bool {
        self.store.is_empty()
    }

    /// Keys with a deadline.
    #[must_use]
    pub fn with_deadline(&self) -> usize {
        self.store.with_deadline()
    }

    /// Mean time to live of keys with a deadline, in milliseconds, as the expiry cycle saw it.
    #[must_use]
    #[expect(
        clippy::cast_possible_truncation,
        clippy::cast_sign_loss,
        reason = "a mean of u64"
    )]
    pub fn mean_ttl_ms(&self) -> u64 {
        self.ttl_mean_ms as u64
    }

    /// The records' memory layer, for statistics and walks.
    #[must_use]
    pub fn store(&self) -> &Store<Value> {
        &self.store
    }

    pub(super) fn store_mut(&mut self) -> &mut Store<Value> {
        &mut self.store
    }

    /// Starts fetching what a find of `hash` will touch first.
    #[inline]
    pub fn prefetch_bucket(&self, hash: u64) {
        self.store.prefetch_bucket(hash);
    }

    /// Starts fetching the record that `hash` probably names.
    #[inline]
    pub fn prefetch_record(&self, hash: u64) {
        self.store.prefetch_record(hash);
    }

    /// What `key` holds, if that is large; for fetching ahead: nothing is counted, touched or removed.
    #[must_use]
    #[inline]
    pub fn large(&self, key: &Key<'_>) -> Option<&Value> {
        match self.store.find(key.hash, key.bytes)?.body() {
            Body::Object(value) => Some(value),
            _ => None,
        }
    }

    /// Fetches ahead for several keys that are about to be found.
    pub fn prefetch(&self, keys: &[Key<'_>]) {
        for key in keys {
            self.store.prefetch_bucket(key.hash);
        }
        for key in keys {
            self.store.prefetch_record(key.hash);
        }
    }

    /// The key's record, for a command that reads it: moves the access clock, counts hit or miss.
    #[inline]
    pub fn read(&self, key: &Key<'_>) -> Option<Entry<'_>> {
        let found = self.find(key);
        self.count_lookup(found.is_some());
        found
    }

    /// The same for a command that asks about the key and not for its value: does not move the
    /// access clock.
    #[inline]
    pub fn inspect(&self, key: &Key<'_>) -> Option<Entry<'_>> {
        let found = self.peek(key);
        self.count_lookup(found.is_some());
        found
    }

    /// Counts a lookup by a reading command, for hits and misses.
    #[inline]
    pub fn count_lookup(&self, found: bool) {
        let counter = if found { &self.hits } else { &self.misses };
        counter.set(counter.get() + 1);
    }

    /// The key's record; moves the access clock.
    #[inline]
    pub fn find(&self, key: &Key<'_>) -> Option<Entry<'_>> {
        let entry = self.peek(key)?;
        if self.common.touching.get() {
            self.common.warmth.touch(&entry);
        }
        Some(entry)
    }

    /// The key's record, left untouched.
    #[inline]
    pub fn peek(&self, key: &Key<'_>) -> Option<Entry<'_>> {
        let entry = self.store.find(key.hash, key.bytes)?;
        match entry.deadline() {
            Some(deadline) if deadline <= self.now_ms() => {
                self.doom(key.bytes);
                None
            }
            _ => Some(entry),
        }
    }

    #[cold]
    fn doom(&self, key: &[u8]) {
        self.unsettled.set(true);
        note_doomed(&self.doomed, key);
    }

    /// Moves the key's access clock even for those who do not touch; counts hit or miss.
    pub fn touch(&self, key: &Key<'_>) -> bool {
        let entry = self.inspect(key);
        entry
            .inspect(|entry| self.common.warmth.touch(entry))
            .is_some()
    }

    /// Whether the access clock shows when a key was touched, as under all policies but those that
    /// need to know when it was made.
    #[must_use]
    pub fn tracks_idle_time(&self) -> bool {
        self.common.warmth.shows_touches()
    }

    /// Seconds since the record was last touched, where that is tracked.
    #[must_use]
    pub fn idle_secs(&self, entry: Entry<'_>) -> u64 {
        heat::idle_secs(entry.heat(), self.common.warmth.now_secs())
    }

    /// The counter of how often a key was used, as it stands now; means something under a policy
    /// that counts so.
    #[must_use]
    pub fn frequency(&self, entry: Entry<'_>) -> u16 {
        self.common.warmth.frequency(&entry)
    }

    /// What a key begins with that was used so.
    pub(super) fn heat_of(&self, usage: Option<Usage>) -> Heat {
        self.common.warmth.heat_of(usage)
    }

    pub(super) fn warm(&self, entry: Entry<'_>, usage: Usage) {
        self.common.warmth.warm(&entry, usage);
    }

    /// An expired key is as good as absent, so it is removed before its place is used.
    #[inline]
    fn clear_expired(&mut self, key: &Key<'_>) {
        if self.store.with_deadline() == 0 {
            return;
        }
        let expired = self.store.find(key.hash, key.bytes).is_some_and(|entry| {
            entry
                .deadline()
                .is_some_and(|deadline| deadline <= self.now_ms())
        });
        if expired {
            self.doom(key.bytes);
            // Gone before the write; `settle` announces it.
            self.expire_now(key);
        }
    }

    fn expire_now(&mut self, key: &Key<'_>) {
        if let Some(entry) = self.store.find_mut(key.hash, key.bytes) {
            let object = entry.remove();
            self.common.discard(object);
            self.tell_watchers(key.bytes);
        }
    }

    /// The key's record to be changed in place; the caller reports the change with
    /// [`Self::changed`].
    #[inline]
    pub fn edit(&mut self, key: &Key<'_>) -> Option<Edited<'_>> {
        let now_ms = self.now_ms();
        let entry = self.store.find_mut(key.hash, key.bytes)?;
        if entry.deadline().is_some_and(|deadline| deadline <= now_ms) {
            let object = entry.remove();
            self.common.discard(object);
            // `settle` announces it. Fields are named one by one: the store is lent out.
            self.unsettled.set(true);
            note_doomed(&self.doomed, key.bytes);
            if !self.watch.is_empty() {
                self.watch.touched(key.bytes, &mut self.touched);
            }
            return None;
        }
        if self.common.touching.get() {
            self.common.warmth.touch(&entry.as_ref());
        }
        Some(entry)
    }

    /// The key's record or the place for one; the caller reports a change with [`Self::changed`].
    #[inline]
    pub fn entry<'a>(&'a mut self, key: &Key<'a>) -> Lookup<'a, Value> {
        self.clear_expired(key);
        let warmth = &self.common.warmth;
        match self.store.entry(key.hash, key.bytes) {
            Lookup::Occupied(entry) => {
                if self.common.touching.get() {
                    warmth.touch(&entry.as_ref());
                }
                Lookup::Occupied(entry)
            }
            // Whoever makes a key uses it.
            Lookup::Vacant(place) => Lookup::Vacant(place.heated(warmth.newborn())),
        }
    }

    /// Counts a change of `key` and tells its watchers.
    #[inline]
    pub fn changed(&mut self, key: &[u8]) {
        self.common.count_changes(1);
        self.tell_watchers(key);
    }

    #[inline]
    pub(super) fn tell_watchers(&mut self, key: &[u8]) {
        if !self.watch.is_empty() {
            self.unsettled.set(true);
            self.watch.touched(key, &mut self.touched);
        }
        if self.waiters.has(key) {
            self.common.note_ready(self.index, key);
        }
    }

    /// Writes a value whatever was there before.
    #[inline]
    pub fn put(
        &mut self,
        key: &Key<'_>,
        tag: u8,
        body: NewBody<'_, Value>,
        deadline: Deadline,
    ) -> Stored {
        let now_ms = self.now_ms();
        let mut stored = Stored::Replaced;
        match self.store.entry(key.hash, key.bytes) {
            Lookup::Occupied(mut entry) => {
                let old = entry.deadline();
                // An expired key is as good as absent; `settle` announces that it is gone.
                if old.is_some_and(|old| old <= now_ms) {
                    stored = Stored::Created;
                }
                self.common.discard(entry.replace(tag, body));
                match deadline {
                    Deadline::At(at) => entry.set_deadline(Some(at)),
                    Deadline::Keep if stored == Stored::Replaced => {}
                    _ if old.is_none() => {}
                    _ => entry.set_deadline(None),
                }
                if self.common.touching.get() || stored == Stored::Created {
                    self.common.warmth.touch(&entry.as_ref());
                }
                if stored == Stored::Created {
                    self.doom(key.bytes);
                }
            }
            Lookup::Vacant(place) => {
                let at = if let Deadline::At(at) = deadline {
                    Some(at)
                } else {
                    None
                };
                let heat = self.common.warmth.newborn();
                place.heated(heat).insert(tag, body, at);
                stored = Stored::Created;
            }
        }
        self.changed(key.bytes);
        stored
    }

    /// Sets or clears the deadline of a key; false when there is no such key.
    pub fn set_deadline(&mut self, key: &Key<'_>, deadline: Option<u64>) -> bool {
        let Some(mut entry) = self.edit(key) else {
            return false;
        };
        entry.set_deadline(deadline);
        self.changed(key.bytes);
        true
    }

    /// Removes a key; false when there is no such key.
    pub fn remove(&mut self, key: &Key<'_>) -> bool {
        let now_ms = self.now_ms();
        let Some(entry) = self.store.find_mut(key.hash, key.bytes) else {
            return false;
        };
        let was_expired = entry.deadline().is_some_and(|deadline| deadline <= now_ms);
        let object = entry.remove();
        self.common.discard(object);
        if was_expired {
            // `settle` announces it.
            self.doom(key.bytes);
            self.tell_watchers(key.bytes);
            return false;
        }
        self.changed(key.bytes);
        true
    }

    /// Removes a collection that nothing is left of; taking the last of it was the change.
    pub fn remove_emptied(&mut self, key: &Key<'_>) {
        self.expire_now(key);
    }

    /// Whether a key lies here whose deadline has passed.
    pub(super) fn holds_expired(&self, bytes: &[u8]) -> bool {
        let key = Key::new(bytes, &self.hasher);
        let found = self.store.find(key.hash, bytes);
        let deadline = found.and_then(|entry| entry.deadline());
        deadline.is_some_and(|deadline| deadline <= self.now_ms())
    }

    /// Removes a key because its deadline has passed, unless a write has done so already.
    pub(super) fn remove_expired(&mut self, bytes: &[u8]) {
        if self.holds_expired(bytes) {
            self.expire_now(&Key::new(bytes, &self.hasher.clone()));
        }
    }

    /// A key picked fairly; `None` only when there is none.
    #[must_use]
    pub fn sample(&self, random: u64) -> Option<Entry<'_>> {
        self.store.sample(random)
    }

    /// Walks one step of a scan; see `Store::scan`. Expired keys are not visited.
    pub fn scan(&self, cursor: u64, visit: &mut dyn FnMut(Entry<'_>)) -> u64 {
        self.store.scan(cursor, &mut |entry| {
            if entry
                .deadline()
                .is_none_or(|deadline| deadline > self.now_ms())
            {
                visit(entry);
            }
        })
    }

    /// Watches `key` for `conn`. Returns whether the key is there now; `None` when `conn` watches it
    /// already.
    pub fn watch(&mut self, key: &Key<'_>, conn: ConnId) -> Option<bool> {
        // What has expired already is gone for this connection: that it goes is no change.
        self.clear_expired(key);
        let is_new = self.watch.add(key.bytes, conn);
        is_new.then(|| self.peek(key).is_some())
    }

    /// Stops watching `key` for `conn`.
    pub fn unwatch(&mut self, key: &[u8], conn: ConnId) {
        self.watch.remove(key, conn);
    }

    /// Keys that anybody watches.
    #[must_use]
    pub fn watched_keys(&self) -> usize {
        self.watch.len()
    }

    /// Has `conn` wait for `key`, behind those with a lower ticket.
    pub fn wait_for(&mut self, key: &[u8], ticket: u64, conn: ConnId) {
        self.waiters.add(key, ticket, conn);
    }

    /// The holder of `ticket` waits for `key` no more.
    pub fn stop_waiting_for(&mut self, key: &[u8], ticket: u64) {
        self.waiters.remove(key, ticket);
    }

    /// The first who waits for `key` with a ticket from `from` on.
    #[must_use]
    pub fn next_waiter(&self, key: &[u8], from: u64) -> Option<(u64, ConnId)> {
        self.waiters.next(key, from)
    }

    /// Keys that anybody waits for.
    #[must_use]
    pub fn waited_keys(&self) -> usize {
        self.waiters.len()
    }

    /// Whether there is anything to settle; asked once a command.
    #[inline]
    pub(super) fn take_unsettled(&self) -> bool {
        self.unsettled.replace(false)
    }

    pub(super) fn has_doomed(&self) -> bool {
        !self.doomed.borrow().is_empty()
    }

    pub(super) fn take_doomed(&mut self) -> Vec<Box<[u8]>> {
        std::mem::take(self.doomed.get_mut())
    }

    pub(super) fn has_touched(&self) -> bool {
        !self.touched.is_empty()
    }

    pub(super) fn touched_mut(&mut self) -> &mut Vec<ConnId> {
        &mut self.touched
    }

    /// Lookups that found and did not find their key since the last call.
    pub fn take_lookups(&mut self) -> (u64, u64) {
        (self.hits.take(), self.misses.take())
    }

    /// Changes places with the keys of `other`; the watchers of both are told.
    pub(super) fn swap_contents(&mut self, other: &mut Self) {
        self.unsettled.set(true);
        other.unsettled.set(true);
        let (now_ms, hasher) = (self.now_ms(), &self.hasher);
        let is_in = |store: &Store<Value>, bytes: &[u8]| {
            let found = store.find(Key::new(bytes, hasher).hash, bytes);
            found.is_some_and(|entry| entry.deadline().is_none_or(|deadline| deadline > now_ms))
        };
        let changes = |bytes: &[u8]| is_in(&self.store, bytes) || is_in(&other.store, bytes);
        self.watch.touched_where(&changes, &mut self.touched);
        other.watch.touched_where(&changes, &mut other.touched);
        std::mem::swap(&mut self.store, &mut other.store);
        for db in [&*self, &*other] {
            for key in db.waiters.keys() {
                if is_in(&db.store, key) {
                    db.common.note_ready(db.index, key);
                }
            }
        }
        std::mem::swap(&mut self.ttl_mean_ms, &mut other.ttl_mean_ms);
        std::mem::swap(&mut self.evictor, &mut other.evictor);
    }

    /// Leaves it empty; watchers of keys that were there are told. Returns how many keys there
    /// were and the store that held them, when there were any.
    pub(super) fn take_contents(
        &mut self,
        pages: Rc<dyn PageSource>,
    ) -> (usize, Option<Store<Value>>) {
        if self.store.is_empty() {
            return (0, None);
        }
        self.unsettled.set(true);
        let (now_ms, hasher, store) = (self.now_ms(), &self.hasher, &self.store);
        let was_there = |bytes: &[u8]| {
            let found = store.find(Key::new(bytes, hasher).hash, bytes);
            found.is_some_and(|entry| entry.deadline().is_none_or(|deadline| deadline > now_ms))
        };
        self.watch.touched_where(&was_there, &mut self.touched);
        let store = std::mem::replace(&mut self.store, Store::new(pages));
        self.ttl_mean_ms = 0.0;
        (store.len(), Some(store))
    }
}

/// Remembers a key that has expired; `settle` tells the same key from another.
#[cold]
fn note_doomed(doomed: &RefCell<Vec<Box<[u8]>>>, key: &[u8]) {
    doomed.borrow_mut().push(key.into());
}
