//! When keys fall due, and how far that is away.

use std::time::{Duration, Instant, SystemTime, UNIX_EPOCH};

use anyhow::Result;

/// When keys fall due.
#[derive(Clone, Copy, Debug)]
pub(super) struct Schedule {
    /// The first deadline, in unix milliseconds.
    pub(super) first_ms: u64,
    /// The time over which they do, in milliseconds.
    pub(super) spread_ms: u64,
}

impl Schedule {
    /// The deadline of a key in unix milliseconds: keys that follow one another fall due far apart,
    /// and all of them evenly.
    pub(super) fn deadline(&self, key: u32) -> u64 {
        let place = u64::from(key.wrapping_mul(2_654_435_769));
        self.first_ms + ((place * self.spread_ms) >> 32)
    }

    /// The part of the keys whose deadline lies ahead so many seconds after the first.
    pub(super) fn alive(&self, at: f64) -> f64 {
        if self.spread_ms == 0 {
            return 0.0;
        }
        (1.0 - at * 1e3 / self.spread_ms as f64).clamp(0.0, 1.0)
    }
}

/// Seconds since the first deadline.
#[derive(Clone, Copy, Debug)]
pub(super) struct Clock {
    pub(super) first: Instant,
}

impl Clock {
    pub(super) fn of(schedule: &Schedule) -> Result<Self> {
        let ahead = schedule.first_ms.saturating_sub(unix_ms()?);
        let first = Instant::now() + Duration::from_millis(ahead);
        Ok(Self { first })
    }

    pub(super) fn at(&self, instant: Instant) -> f64 {
        let since = instant.saturating_duration_since(self.first);
        let until = self.first.saturating_duration_since(instant);
        since.as_secs_f64() - until.as_secs_f64()
    }
}

/// The time of day, in unix milliseconds.
pub(super) fn unix_ms() -> Result<u64> {
    let since = SystemTime::now().duration_since(UNIX_EPOCH)?;
    Ok(u64::try_from(since.as_millis())?)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn deadlines_are_spread_evenly_over_keys_and_time() {
        let schedule = Schedule {
            first_ms: 1_000,
            spread_ms: 100,
        };
        let early = (0..10_000).filter(|&key| schedule.deadline(key) < 1_025);
        assert!(early.count().abs_diff(2_500) < 5);
        assert!((0..10_000).all(|key| (1_000..1_100).contains(&schedule.deadline(key))));
        assert_eq!(schedule.alive(0.025), 0.75);
        assert_eq!((schedule.alive(-1.0), schedule.alive(9.0)), (1.0, 0.0));
    }

    #[test]
    fn keys_of_a_storm_fall_due_together() {
        let schedule = Schedule {
            first_ms: 7,
            spread_ms: 0,
        };
        assert!((0..100).all(|key| schedule.deadline(key) == 7));
        assert_eq!(schedule.alive(0.0), 0.0);
    }

    #[test]
    fn clock_counts_from_the_first_deadline() {
        let first = Instant::now() + Duration::from_secs(5);
        let clock = Clock { first };
        assert_eq!(clock.at(first + Duration::from_secs(2)), 2.0);
        assert_eq!(clock.at(first - Duration::from_secs(3)), -3.0);
    }
}
