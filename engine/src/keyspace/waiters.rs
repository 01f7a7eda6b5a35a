//! Which connections wait for which keys of a database, in the order of their tickets.

use crate::base::ConnId;
use crate::base::map::Map;
use ahash::RandomState;
use std::collections::BTreeMap;

/// Those who wait for the keys of one database.
#[derive(Debug)]
pub(super) struct Waiters {
    queues: Map<Box<[u8]>, BTreeMap<u64, ConnId>>,
}

impl Waiters {
    pub(super) fn new(hasher: RandomState) -> Self {
        Self {
            queues: Map::with_hasher(hasher),
        }
    }

    /// Whether anybody waits for `key`.
    #[inline]
    pub(super) fn has(&self, key: &[u8]) -> bool {
        !self.queues.is_empty() && self.queues.contains_key(key)
    }

    /// How many keys are waited for.
    pub(super) fn len(&self) -> usize {
        self.queues.len()
    }

    /// The keys that are waited for, in a fixed order.
    pub(super) fn keys(&self) -> Vec<&[u8]> {
        let mut keys: Vec<_> = self.queues.keys().map(AsRef::as_ref).collect();
        keys.sort_unstable();
        keys
    }

    pub(super) fn add(&mut self, key: &[u8], ticket: u64, conn: ConnId) {
        self.queues
            .entry(key.into())
            .or_default()
            .insert(ticket, conn);
    }

    pub(super) fn remove(&mut self, key: &[u8], ticket: u64) {
        if let Some(queue) = self.queues.get_mut(key) {
            queue.remove(&ticket);
            if queue.is_empty() {
                self.queues.remove(key);
            }
        }
    }

    /// The first who waits for `key` with a ticket from `from` on.
    pub(super) fn next(&self, key: &[u8], from: u64) -> Option<(u64, ConnId)> {
        let (ticket, conn) = self.queues.get(key)?.range(from..).next()?;
        Some((*ticket, *conn))
    }
}
