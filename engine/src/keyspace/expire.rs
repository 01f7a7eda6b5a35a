//! Removing keys whose deadline has passed though nobody asks for them: in the order of their
//! deadlines, or by drawing some at random.

use super::{Db, Keyspace};
use crate::base::DbIndex;
use crate::config::EventClasses;
use crate::value::Value;
use dovetail_memory::{Draw, Due};

/// What a random key with a deadline turned out to be.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Drawn {
    /// There is no such key.
    Nothing,
    /// Its deadline lies ahead.
    Alive,
    /// It had passed, and the key is removed.
    Expired,
}

/// Keys whose deadline has passed and that are there all the same.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub struct Backlog {
    /// About how many.
    pub keys: usize,
    /// For how many milliseconds the oldest has been due.
    pub overdue_ms: u64,
}

impl Keyspace {
    /// Removes keys of database `index` that are due, in about the order of their deadlines, within
    /// `steps` of the index. Returns how many.
    pub fn expire_due(&mut self, index: DbIndex, steps: &mut u32) -> u64 {
        let mut expired = 0;
        loop {
            let is_heard = self.hears_of_expiry(index);
            let db = &mut self.dbs[index.index()];
            let now_ms = db.now_ms();
            let mut key: Option<Box<[u8]>> = None;
            let due = db.store_mut().remove_due(now_ms, steps, &mut |entry| {
                key = is_heard.then(|| entry.key().into());
            });
            let Due::Removed(object) = due else {
                return expired;
            };
            expired += 1;
            self.has_expired(index, key, object);
        }
    }

    /// Whether anybody wants to know which keys of database `index` expire.
    fn hears_of_expiry(&self, index: DbIndex) -> bool {
        self.keeps_removed
            || self.notify.contains(EventClasses::EXPIRED)
            || self.dbs[index.index()].has_listeners()
    }

    /// A key was removed because its deadline had passed; it is named if anybody hears of it.
    fn has_expired(&mut self, index: DbIndex, key: Option<Box<[u8]>>, object: Option<Box<Value>>) {
        self.common.discard(object);
        match key {
            Some(key) => {
                self.dbs[index.index()].tell_watchers(&key);
                self.note_expired(index, &key);
            }
            None => self.stats.expired += 1,
        }
    }

    /// Draws a key with a deadline in database `index`, and removes it if that has passed.
    pub fn expire_drawn(&mut self, index: DbIndex, random: u64) -> Drawn {
        let is_heard = self.hears_of_expiry(index);
        let db = &mut self.dbs[index.index()];
        let now_ms = db.now_ms();
        let mut key: Option<Box<[u8]>> = None;
        let draw = db.store_mut().draw_due(random, now_ms, &mut |entry| {
            key = is_heard.then(|| entry.key().into());
        });
        match draw {
            Draw::Nothing => Drawn::Nothing,
            Draw::Alive => Drawn::Alive,
            Draw::Removed(object) => {
                self.has_expired(index, key, object);
                Drawn::Expired
            }
        }
    }

    /// Whether a key may be due in database `index`; certain only when it says no.
    #[must_use]
    pub fn may_be_due(&self, index: DbIndex) -> bool {
        let db = &self.dbs[index.index()];
        let earliest = db.store().deadlines_from();
        earliest.is_some_and(|earliest| earliest <= db.now_ms())
    }

    /// What is due and has not been removed.
    #[must_use]
    pub fn backlog(&self) -> Backlog {
        let mut backlog = Backlog::default();
        for db in &self.dbs {
            let now_ms = db.now_ms();
            let keys = db.store().due_len(now_ms).min(db.with_deadline());
            if keys > 0 {
                backlog.keys += keys;
                let earliest = db.store().deadlines_from().unwrap_or(now_ms);
                let overdue_ms = now_ms.saturating_sub(earliest);
                backlog.overdue_ms = backlog.overdue_ms.max(overdue_ms);
            }
        }
        backlog
    }

    /// Lets one random key with a deadline count towards the mean time to live that INFO shows.
    pub fn sample_ttl(&mut self, index: DbIndex, random: u64) {
        let db = &mut self.dbs[index.index()];
        let drawn = db.store().sample_with_deadline(random);
        let Some(deadline) = drawn.and_then(|entry| entry.deadline()) else {
            db.ttl_mean_ms = 0.0;
            return;
        };
        #[expect(clippy::cast_precision_loss, reason = "an estimate")]
        let ttl = deadline.saturating_sub(db.now_ms()) as f64;
        let known = db.ttl_mean_ms;
        db.ttl_mean_ms = if known == 0.0 {
            ttl
        } else {
            known * 0.98 + ttl * 0.02
        };
    }
}

impl Db {
    /// Whether anybody watches a key or waits for one.
    fn has_listeners(&self) -> bool {
        self.watched_keys() + self.waited_keys() > 0
    }
}
