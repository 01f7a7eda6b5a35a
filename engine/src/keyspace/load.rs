//! Keys that come from a snapshot: many at once, past everything that a change by a client sets off.

use super::{Db, Key, Keyspace};
use crate::base::DbIndex;
use crate::codec::rdb::{Batch, Usage};
use dovetail_memory::Lookup;

/// Bytes that a key takes in a file at least: kind, key and value.
const KEY_BYTES_MIN: u64 = 3;

/// What becomes of a key whose deadline has passed while it lay in a file.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Expired {
    /// It is left out: on a master.
    Dropped,
    /// It is kept until its master says otherwise, or until the log behind the snapshot is read.
    Kept,
}

/// What became of the keys of a batch.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub struct LoadCounts {
    /// Keys that are there now.
    pub loaded: u64,
    /// Keys that had expired and were left out.
    pub expired: u64,
}

/// A key that a snapshot has twice, or that was there before it was loaded.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Duplicate {
    /// The key.
    pub key: Box<[u8]>,
}

impl std::fmt::Display for Duplicate {
    fn fmt(&self, out: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        let key = self.key.escape_ascii();
        write!(out, "the key \"{key}\" is there twice in one database")
    }
}

impl std::error::Error for Duplicate {}

impl Keyspace {
    /// Makes room for so many keys in a database that is empty. The number is that of a file, so it
    /// is believed as far as the `left` bytes that are still to be read may hold so many.
    ///
    /// # Panics
    /// When `db` is not below [`Self::count`].
    pub fn expect_keys(&mut self, db: DbIndex, keys: u64, left: u64) {
        let keys = usize::try_from(keys.min(left / KEY_BYTES_MIN)).unwrap_or(usize::MAX);
        self.dbs[db.index()].store_mut().reserve(keys);
    }

    /// Puts the keys of `batch`, of which nothing is left afterwards, into a database. Nobody who
    /// watches or waits is told, and nothing is counted as changed.
    ///
    /// # Errors
    /// At a key that is there already; those before it are there then.
    ///
    /// # Panics
    /// When `db` is not below [`Self::count`].
    pub fn load(
        &mut self,
        db: DbIndex,
        batch: &mut Batch,
        expired: Expired,
    ) -> Result<LoadCounts, Duplicate> {
        let (hasher, now_ms) = (self.hasher.clone(), self.now.unix_ms());
        let db = &mut self.dbs[db.index()];
        let hashes: Vec<u64> = (0..batch.len())
            .map(|index| {
                let hash = Key::new(batch.key(index), &hasher).hash;
                db.prefetch_bucket(hash);
                hash
            })
            .collect();
        let mut counts = LoadCounts::default();
        for (index, hash) in hashes.into_iter().enumerate() {
            let is_past = batch
                .deadline(index)
                .is_some_and(|deadline| deadline <= now_ms);
            if is_past && expired == Expired::Dropped {
                counts.expired += 1;
                continue;
            }
            let loaded = batch.take(index);
            let heat = db.heat_of(loaded.usage);
            match db.store_mut().entry(hash, loaded.key) {
                Lookup::Vacant(place) => {
                    place
                        .heated(heat)
                        .insert(loaded.tag, loaded.body, loaded.deadline);
                    counts.loaded += 1;
                }
                Lookup::Occupied(_) => {
                    let key = loaded.key.into();
                    return Err(Duplicate { key });
                }
            }
        }
        Ok(counts)
    }
}

impl Db {
    /// Has a key look as if it had been used so; some years ago at most. What the present policy
    /// does not look at is left out.
    pub fn set_usage(&self, key: &Key<'_>, usage: Usage) {
        if let Some(entry) = self.peek(key) {
            self.warm(entry, usage);
        }
    }
}
