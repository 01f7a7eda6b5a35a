//! When the next save is due by itself: save points, growth of the log, and what has been put off.

use super::Persist;
use crate::base::{Micros, Now};
use crate::config::{Config, SavePoint};
use crate::seam::persistence::Purpose;

/// How long after a failed snapshot the save points are looked at again.
const RETRY: Micros = Micros::from_secs(5);
/// Failed rewrites after which the next ones by themselves wait.
const FAILURES_AT_ONCE: u32 = 3;
/// The longest such wait.
const WAIT_MAX: Micros = Micros::from_secs(3600);
/// How long after an attempt a base is tried again that must be written; twice that after each failure.
const BASE_RETRY: Micros = Micros::from_secs(1);
/// How often that is doubled at most: until it has succeeded, nobody may write.
const BASE_DOUBLINGS_MAX: u32 = 3;

/// A save that is due, and the line that says why.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Due {
    /// What for.
    pub purpose: Purpose,
    /// Why, unless it was said when it was put off.
    pub why: Option<String>,
}

impl Persist {
    /// The save that is due now, while there is no child; `changes` is how many there were ever.
    #[must_use]
    pub fn due(&self, now: Now, changes: u64, config: &Config) -> Option<Due> {
        if self.underway.is_some() || self.load.is_some() {
            return None;
        }
        let due = |purpose, why| Some(Due { purpose, why });
        if self.needs_base(now) || self.rewrite_scheduled {
            return due(Purpose::Base, None);
        }
        if self.snapshot_scheduled {
            return due(Purpose::Snapshot, None);
        }
        if self.must_retry_snapshot(now, config) {
            let why = "Writes are refused since the last snapshot has failed. Saving...";
            return due(Purpose::Snapshot, Some(why.to_owned()));
        }
        if let Some(point) = self.save_point(now, changes, config) {
            let SavePoint { seconds, changes } = point;
            let why = format!("{changes} changes in {seconds} seconds. Saving...");
            return due(Purpose::Snapshot, Some(why));
        }
        let growth = self.growth(now, config)?;
        let why = format!("Starting automatic rewriting of AOF on {growth}% growth");
        due(Purpose::Base, Some(why))
    }

    /// When a snapshot is taken by itself: never where there is nothing to keep it on.
    #[must_use]
    pub fn points<'c>(&self, config: &'c Config) -> &'c [SavePoint] {
        if self.members.is_empty() {
            return &[];
        }
        &config.persistence.save.0
    }

    /// A base must be written, and the last attempt was long enough ago.
    fn needs_base(&self, now: Now) -> bool {
        let doublings = self.rewrites.failures_in_a_row.min(BASE_DOUBLINGS_MAX);
        let wait = Micros(BASE_RETRY.0 << doublings);
        let rested = |last| now.monotonic.minus(last) >= wait;
        self.progress.needs_base && self.rewrites.last_try.is_none_or(rested)
    }

    fn save_point(&self, now: Now, changes: u64, config: &Config) -> Option<SavePoint> {
        let points = self.points(config);
        let unsaved = self.unsaved(changes);
        if unsaved == 0 || points.is_empty() {
            return None;
        }
        if self.snapshots.failure.is_some() && !self.has_rested(now) {
            return None;
        }
        let age = now
            .unix_secs()
            .saturating_sub(self.snapshots.last_good_unix_secs);
        points
            .iter()
            .find(|point| unsaved >= u64::from(point.changes) && age > point.seconds)
            .cloned()
    }

    /// Whether the last attempt at a snapshot was long enough ago for another.
    fn has_rested(&self, now: Now) -> bool {
        let rested = |last| now.monotonic.minus(last) > RETRY;
        self.snapshots.last_try.is_none_or(rested)
    }

    /// Writers are refused until there is a good snapshot: no save point will be reached by then.
    fn must_retry_snapshot(&self, now: Now, config: &Config) -> bool {
        self.refuses_for_snapshot(config) && self.has_rested(now)
    }

    /// By how many percent the log has grown, if it is to be rewritten for that.
    fn growth(&self, now: Now, config: &Config) -> Option<u64> {
        let this = &config.persistence;
        let percentage = u64::from(this.auto_aof_rewrite_percentage);
        let progress = &self.progress;
        let is_small = progress.size <= this.auto_aof_rewrite_min_size;
        if !self.keeps_log() || percentage == 0 || is_small || self.waits_after_failures(now) {
            return None;
        }
        let base = progress.base_size.max(1);
        let growth = (progress.size.saturating_mul(100) / base).saturating_sub(100);
        (growth >= percentage).then_some(growth)
    }

    /// Rewrites have failed so often that the next one by itself waits: a minute, then twice that.
    fn waits_after_failures(&self, now: Now) -> bool {
        let failures = self.rewrites.failures_in_a_row;
        if failures < FAILURES_AT_ONCE {
            return false;
        }
        let doublings = (failures - FAILURES_AT_ONCE).min(6);
        let wait = Micros(Micros::from_secs(60).0 << doublings).min(WAIT_MAX);
        let last = self.rewrites.last_try;
        last.is_some_and(|last| now.monotonic.minus(last) < wait)
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::seam::disk::NullDisk;
    use std::cell::RefCell;
    use std::rc::Rc;

    /// When the last attempt was.
    const LAST: Micros = Micros::from_secs(10_000);

    fn persist(failures: u32) -> Persist {
        let disk = Rc::new(RefCell::new(NullDisk));
        let mut persist = Persist::new(&[], disk, &Config::default(), 1);
        persist.rewrites.last_try = Some(LAST);
        persist.rewrites.failures_in_a_row = failures;
        persist
    }

    /// So many milliseconds behind the last attempt.
    fn behind(millis: u64) -> Now {
        Now {
            monotonic: LAST.plus(Micros::from_millis(millis)),
            unix_us: 0,
        }
    }

    #[test]
    fn rewrites_by_themselves_wait_for_a_minute_after_three_failures_and_then_longer() {
        for failures in 0..3 {
            assert!(!persist(failures).waits_after_failures(behind(0)));
        }
        let minutes = [1, 2, 4, 8, 16, 32, 60, 60];
        for (failures, minutes) in (3..).zip(minutes) {
            let persist = persist(failures);
            let end = minutes * 60_000;
            assert!(persist.waits_after_failures(behind(end - 1)), "{failures}");
            assert!(!persist.waits_after_failures(behind(end)), "{failures}");
        }
        assert!(persist(u32::MAX).waits_after_failures(behind(3_599_999)));
        assert!(!persist(u32::MAX).waits_after_failures(behind(3_600_000)));
    }

    #[test]
    fn a_base_that_must_be_written_is_tried_again_within_seconds() {
        let config = Config::default();
        for (failures, secs) in [(0, 1), (1, 2), (2, 4), (3, 8), (4, 8), (u32::MAX, 8)] {
            let mut persist = persist(failures);
            persist.progress.needs_base = true;
            let due = |millis| persist.due(behind(millis), 0, &config);
            assert_eq!(due(secs * 1000 - 1), None, "{failures}");
            let purpose = due(secs * 1000).map(|due| due.purpose);
            assert_eq!(purpose, Some(Purpose::Base), "{failures}");
        }
        let mut persist = persist(0);
        persist.progress.needs_base = true;
        persist.rewrites.last_try = None;
        assert!(persist.due(behind(0), 0, &config).is_some(), "at once");
        // Whoever asks for a rewrite does not wait.
        persist.rewrites.last_try = Some(LAST);
        persist.rewrite_scheduled = true;
        assert!(persist.due(behind(0), 0, &config).is_some());
    }
}
