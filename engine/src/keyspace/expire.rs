//! The active expiry cycle: finds keys whose deadline has passed though nobody asks for them.
//!
//! Shape: each segment of a database knows a lower bound of its earliest deadline, so a pass over
//! the segments skips those where nothing can be due, and a slice of a pass costs what its budget
//! says: one step for a segment, one for an entry looked at.

use super::Keyspace;
use crate::base::DbIndex;

/// What one slice did.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub struct Slice {
    /// Keys removed.
    pub expired: u64,
    /// The budget ran out before the pass was over.
    pub cut_short: bool,
}

impl Keyspace {
    /// Removes expired keys of database `index` within `steps` steps.
    pub fn expire_some(&mut self, index: DbIndex, steps: &mut u32) -> Slice {
        let mut slice = Slice::default();
        let db = &mut self.dbs[index.index()];
        if db.with_deadline() == 0 {
            db.due_cursor = 0;
            return slice;
        }
        let now_ms = db.now_ms();
        loop {
            let db = &mut self.dbs[index.index()];
            let mut cursor = db.due_cursor;
            let due = db.store_mut().find_due(&mut cursor, now_ms, steps);
            let due: Option<Box<[u8]>> = due.map(|entry| entry.key().into());
            db.due_cursor = cursor;
            match due {
                Some(key) => {
                    db.remove_expired(&key);
                    self.note_expired(index, &key);
                    slice.expired += 1;
                }
                None => {
                    slice.cut_short = *steps == 0 && cursor != 0;
                    return slice;
                }
            }
            if *steps == 0 {
                slice.cut_short = true;
                return slice;
            }
        }
    }

    /// Lets one random key with a deadline, if the draw hits one, count towards the mean time to
    /// live that INFO shows.
    pub fn sample_ttl(&mut self, index: DbIndex, random: u64) {
        let db = &mut self.dbs[index.index()];
        if db.with_deadline() == 0 {
            db.ttl_mean_ms = 0.0;
            return;
        }
        let deadline = db.sample(random).and_then(|entry| entry.deadline());
        let Some(ttl) = deadline.map(|deadline| deadline.saturating_sub(db.now_ms())) else {
            return;
        };
        #[expect(clippy::cast_precision_loss, reason = "an estimate")]
        let ttl = ttl as f64;
        let known = db.ttl_mean_ms;
        db.ttl_mean_ms = if known == 0.0 {
            ttl
        } else {
            known * 0.98 + ttl * 0.02
        };
    }
}
