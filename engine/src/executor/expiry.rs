//! The active expiry cycle: which keys that nobody asks for are removed when, and how much of that
//! is done at a time.
//!
//! `ordered`: the index by deadline knows what is due. A slice of it at each turn of the loop, cut
//! by the stopwatch: short where clients get turns quickly, longer after a long turn, and the more so
//! the more is due; while anything is, the loop does not sleep. `sampled`: ten times a second twenty
//! random keys of each database, again while more than a quarter were due, for at most a quarter of
//! the time.

use super::persist::NOBODY;
use super::{Engine, cron};
use crate::base::{DbIndex, Now};
use crate::config::ExpiryCycle;
use crate::keyspace::expire::Drawn;
use crate::resp::ReplyBuf;

/// What removing a key costs in steps of the index.
const STEPS_PER_KEY: u32 = 16;
/// Keys between two looks at the stopwatch.
const BATCH_KEYS: u32 = 16;
/// Batches of a slice at most, for each point of effort; all of them where the stopwatch stands
/// still.
const BATCHES_MAX: u32 = 16;
/// Nanoseconds that a slice may take however short the turn was, for each point of effort,
const SLICE_NS_MIN: u64 = 50_000;
/// and those that it may take however long that was.
const SLICE_NS_MAX: u64 = 200_000;
/// Percent of the time since the last slice that one may take,
const SHARE_PERCENT: u64 = 10;
/// one more for so many keys that are due,
const SHARE_KEYS: usize = 16_384;
/// up to this.
const SHARE_PERCENT_MAX: u64 = 35;
/// Keys that are drawn together.
const DRAWN_KEYS: u32 = 20;
/// Of which more than one in so many must have been due for another round.
const STALE_SHARE: u32 = 4;
/// Percent of the time that sampling may take at effort 1,
const SAMPLING_PERCENT: u64 = 25;
/// and what each further point of effort adds.
const EFFORT_PERCENT: u64 = 2;
/// Keys drawn in a cycle to estimate the mean time to live.
const TTL_SAMPLES: u32 = 4;

/// How far the cycle has come.
#[derive(Debug, Default)]
pub(super) struct Expiry {
    /// The millisecond for which was last looked.
    looked_ms: u64,
    /// More is due than the last slice could remove.
    has_backlog: bool,
    /// The database whose turn is next.
    from: usize,
    /// The stopwatch at the last look of the last slice that used a batch up: the first one of a
    /// crowd has long to go.
    ended: u64,
}

impl Expiry {
    /// Whether the loop has something to do at once.
    pub(super) fn has_work(&self) -> bool {
        self.has_backlog
    }
}

impl Engine {
    /// A slice of what is due, at the end of a turn.
    #[inline]
    pub(super) fn expire_slice(&mut self, now: Now) {
        let now_ms = now.unix_ms();
        if now_ms == self.expiry.looked_ms && !self.expiry.has_backlog {
            return;
        }
        self.expiry.looked_ms = now_ms;
        self.expiry.has_backlog = false;
        if self.expires() && self.config.memory.expiry_cycle == ExpiryCycle::Ordered {
            self.expire_timed(now);
        }
    }

    /// The part of the cycle that comes `hz` times a second.
    pub(super) fn expire_cycle(&mut self, now: Now) {
        for index in self.databases() {
            for _ in 0..TTL_SAMPLES {
                let random = self.rng.bits();
                self.keyspace.sample_ttl(index, random);
            }
        }
        if !self.expires() {
            return;
        }
        // What removed keys have left in the index goes even though nothing is due.
        self.expire_timed(now);
    }

    /// A part of the cycle that is chosen, and what it takes.
    fn expire_timed(&mut self, now: Now) {
        let begun = (self.stopwatch)();
        match self.config.memory.expiry_cycle {
            ExpiryCycle::Ordered => self.expire_ordered(now, begun),
            ExpiryCycle::Sampled => self.expire_sampled(now, begun),
        }
        let taken = (self.stopwatch)().saturating_sub(begun);
        self.observed.stats.expire_nanos += taken;
    }

    /// Whether keys expire though nobody asks for them.
    fn expires(&self) -> bool {
        self.keyspace.active_expire && self.loading.is_none() && !self.clients.is_paused()
    }

    fn databases(&self) -> impl Iterator<Item = DbIndex> + Clone + use<> {
        let count = u32::try_from(self.keyspace.count()).unwrap_or(u32::MAX);
        (0..count).map(DbIndex)
    }

    fn expire_ordered(&mut self, now: Now, begun: u64) {
        let ends = begun + self.slice_ns(begun);
        let mut batches = BATCHES_MAX * self.effort();
        let (mut expired, count) = (0, self.keyspace.count());
        let first = self.expiry.from % count.max(1);
        'slice: for index in self.databases().cycle().skip(first).take(count) {
            loop {
                let mut steps = STEPS_PER_KEY * BATCH_KEYS;
                expired += self.keyspace.expire_due(index, &mut steps);
                if steps > 0 {
                    break;
                }
                batches -= 1;
                self.expiry.ended = (self.stopwatch)();
                if batches == 0 || self.expiry.ended >= ends {
                    // A database that uses the slice up does not starve the others.
                    self.expiry.from = index.index() + 1;
                    self.expiry.has_backlog = self.is_any_due();
                    break 'slice;
                }
            }
        }
        self.observed.stats.expire_cut_short += u64::from(self.expiry.has_backlog);
        if expired > 0 {
            self.announce_expiries(now);
        }
    }

    fn effort(&self) -> u32 {
        self.config.memory.active_expire_effort.clamp(1, 10)
    }

    fn is_any_due(&self) -> bool {
        let mut databases = self.databases();
        databases.any(|index| self.keyspace.may_be_due(index))
    }

    /// How long the slice that begins at `begun` may take, in nanoseconds.
    fn slice_ns(&self, begun: u64) -> u64 {
        if !self.is_any_due() {
            return 0;
        }
        let effort = u64::from(self.effort());
        let more = u64::try_from(self.keyspace.backlog().keys / SHARE_KEYS).unwrap_or(u64::MAX);
        let percent = SHARE_PERCENT.saturating_add(more).min(SHARE_PERCENT_MAX);
        let since_ns = begun.saturating_sub(self.expiry.ended);
        let share_ns = since_ns.saturating_mul(percent) / 100;
        share_ns.clamp(SLICE_NS_MIN, SLICE_NS_MAX) * effort
    }

    fn expire_sampled(&mut self, now: Now, begun: u64) {
        let effort = u64::from(self.effort()) - 1;
        let percent = SAMPLING_PERCENT + EFFORT_PERCENT * effort;
        let period_ns = cron::period(&self.config).0 * 1000;
        let ends = begun + period_ns * percent / 100;
        let count = self.keyspace.count();
        let first = self.expiry.from % count.max(1);
        let (mut looked, mut stale) = (0, 0);
        for index in self.databases().cycle().skip(first).take(count) {
            loop {
                let drawn = self.draw_keys(index);
                (looked, stale) = (looked + drawn.0, stale + drawn.1);
                if (self.stopwatch)() >= ends && drawn.1 > 0 {
                    self.observed.stats.expire_cut_short += 1;
                    self.expiry.from = index.index() + 1;
                    self.end_sampling(now, looked, stale);
                    return;
                }
                if drawn.1 * STALE_SHARE <= drawn.0 {
                    break;
                }
            }
        }
        self.end_sampling(now, looked, stale);
    }

    /// Draws some keys of a database; returns how many, and how many of them were due.
    fn draw_keys(&mut self, index: DbIndex) -> (u32, u32) {
        let (mut looked, mut stale) = (0, 0);
        while looked < DRAWN_KEYS {
            let random = self.rng.bits();
            match self.keyspace.expire_drawn(index, random) {
                Drawn::Nothing => break,
                Drawn::Alive => {}
                Drawn::Expired => stale += 1,
            }
            looked += 1;
        }
        (looked, stale)
    }

    fn end_sampling(&mut self, now: Now, looked: u32, stale: u32) {
        let share = if looked == 0 {
            0.0
        } else {
            f64::from(stale) / f64::from(looked)
        };
        let known = &mut self.observed.stats.expire_stale_share;
        *known = *known * 0.95 + share * 0.05;
        if stale > 0 {
            self.announce_expiries(now);
        }
    }

    /// Tells watchers and subscribers of what the cycle removed.
    fn announce_expiries(&mut self, now: Now) {
        let mut unused = ReplyBuf::new();
        let databases = self.databases();
        let mut runner = self.lend(now, NOBODY, &mut unused);
        databases.for_each(|index| runner.settle(index));
    }
}
