//! What all databases share: the time, the keys that waiting clients may be served from, and what
//! is to be destroyed.

use super::heat::Warmth;
use crate::base::{DbIndex, Now};
use crate::value::Value;
use std::cell::{Cell, RefCell};
use std::collections::BTreeSet;

/// A value with more pieces than this is not destroyed at once.
const PIECES_AT_ONCE: usize = 64;

/// Shared by all databases.
#[derive(Debug)]
pub(super) struct Common {
    /// Unix milliseconds.
    pub(super) now_ms: Cell<u64>,
    /// The access clock, and what a hit does.
    pub(super) warmth: Warmth,
    /// Changes of keys and of whole databases ever.
    pub(super) changes: Cell<u64>,
    /// Whether finds move the access clock; off for CLIENT NO-TOUCH.
    pub(super) touching: Cell<bool>,
    /// Whether `ready` has anything.
    pub(super) has_ready: Cell<bool>,
    /// Keys that somebody waits for and that have changed.
    ready: RefCell<Vec<(DbIndex, Box<[u8]>)>>,
    /// The same, to tell which are known.
    noted: RefCell<BTreeSet<(u32, Box<[u8]>)>>,
    /// Large values that no key refers to any more.
    discarded: RefCell<Vec<Value>>,
}

impl Common {
    pub(super) fn new(seed: u64) -> Self {
        Self {
            now_ms: Cell::default(),
            warmth: Warmth::new(seed),
            touching: Cell::default(),
            has_ready: Cell::default(),
            ready: RefCell::default(),
            noted: RefCell::default(),
            discarded: RefCell::default(),
            changes: Cell::default(),
        }
    }

    #[inline]
    pub(super) fn count_changes(&self, count: u64) {
        self.changes.set(self.changes.get() + count);
    }

    pub(super) fn set_now(&self, now: Now) {
        self.now_ms.set(now.unix_ms());
        self.warmth.set_now(now.monotonic.0);
    }

    /// Remembers that `key` has changed, for those who wait for it.
    pub(super) fn note_ready(&self, db: DbIndex, key: &[u8]) {
        if self.noted.borrow_mut().insert((db.0, key.into())) {
            self.ready.borrow_mut().push((db, key.into()));
        }
        self.has_ready.set(true);
    }

    pub(super) fn take_ready(&self) -> Vec<(DbIndex, Box<[u8]>)> {
        self.has_ready.set(false);
        self.noted.borrow_mut().clear();
        self.ready.take()
    }

    /// Destroys a value that no key refers to any more, a large one later.
    #[inline]
    pub(super) fn discard(&self, object: Option<Box<Value>>) {
        if let Some(object) = object
            && object.pieces() > PIECES_AT_ONCE
        {
            self.discarded.borrow_mut().push(*object);
        }
    }

    /// Destroys up to `budget` pieces of large values. Returns how many values are gone.
    pub(super) fn free_objects(&self, budget: &mut u32) -> u64 {
        let mut discarded = self.discarded.borrow_mut();
        let mut gone = 0;
        while *budget > 0
            && let Some(object) = discarded.last_mut()
        {
            object.drain(budget);
            if object.pieces() == 0 {
                drop(discarded.pop());
                gone += 1;
            }
        }
        gone
    }

    /// Gives away the values of more than `pieces` pieces that wait to be destroyed. Returns how many
    /// there were.
    pub(super) fn give_objects(&self, pieces: usize, take: &mut dyn FnMut(Box<Value>)) -> u64 {
        let mut discarded = self.discarded.borrow_mut();
        let given = discarded.extract_if(.., |object| object.pieces() > pieces);
        given.map(|object| take(Box::new(object))).count() as u64
    }

    /// Large values that wait to be destroyed.
    pub(super) fn discarded_len(&self) -> usize {
        self.discarded.borrow().len()
    }
}
