//! Which connections watch which keys of a database.

use crate::base::map::Map;
use crate::base::{ConnId, DbIndex};
use ahash::RandomState;

/// One key that a connection watches, as the connection remembers it.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Watched {
    /// Where.
    pub db: DbIndex,
    /// Which key.
    pub key: Box<[u8]>,
    /// Whether it was there when it was first watched.
    pub was_there: bool,
}

/// The watchers of one database's keys.
#[derive(Debug)]
pub(super) struct Watch {
    watchers: Map<Box<[u8]>, Vec<ConnId>>,
}

impl Watch {
    pub(super) fn new(hasher: RandomState) -> Self {
        Self {
            watchers: Map::with_hasher(hasher),
        }
    }

    #[inline]
    pub(super) fn is_empty(&self) -> bool {
        self.watchers.is_empty()
    }

    pub(super) fn len(&self) -> usize {
        self.watchers.len()
    }

    /// Adds a watcher; false when it was one already.
    pub(super) fn add(&mut self, key: &[u8], conn: ConnId) -> bool {
        let watchers = self.watchers.entry(key.into()).or_default();
        let is_new = !watchers.contains(&conn);
        if is_new {
            watchers.push(conn);
        }
        is_new
    }

    pub(super) fn remove(&mut self, key: &[u8], conn: ConnId) {
        if let Some(watchers) = self.watchers.get_mut(key) {
            watchers.retain(|watcher| *watcher != conn);
            if watchers.is_empty() {
                self.watchers.remove(key);
            }
        }
    }

    pub(super) fn touched(&self, key: &[u8], touched: &mut Vec<ConnId>) {
        if let Some(watchers) = self.watchers.get(key) {
            touched.extend_from_slice(watchers);
        }
    }

    /// Adds the watchers of every key that `changes`.
    pub(super) fn touched_where(&self, changes: &dyn Fn(&[u8]) -> bool, touched: &mut Vec<ConnId>) {
        let before = touched.len();
        #[expect(
            clippy::iter_over_hash_type,
            reason = "the connections are sorted below"
        )]
        for (bytes, watchers) in &self.watchers {
            if changes(bytes) {
                touched.extend_from_slice(watchers);
            }
        }
        touched[before..].sort_unstable();
    }
}
