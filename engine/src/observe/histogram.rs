//! A log-linear histogram of durations: every power of two in sixteen steps, so that a quantile is
//! at most a sixteenth off.
//!
//! Units: nanoseconds, up to one second and a bit; what is longer counts as that.

/// Steps to a power of two.
const STEPS: usize = 16;
/// Powers of two that are told apart: 2^4 to 2^30 ns.
const POWERS: usize = 27;
const BUCKETS: usize = STEPS * (POWERS + 1);

/// Counts of durations.
#[derive(Clone, Debug)]
pub struct Histogram {
    counts: [u64; BUCKETS],
    total: u64,
}

impl Default for Histogram {
    fn default() -> Self {
        Self {
            counts: [0; BUCKETS],
            total: 0,
        }
    }
}

#[inline]
fn bucket_of(nanos: u64) -> usize {
    if nanos < STEPS as u64 {
        return usize::try_from(nanos).unwrap_or(0);
    }
    let power = nanos.ilog2() as usize;
    let step = usize::try_from(nanos >> (power - 4)).unwrap_or(0) & (STEPS - 1);
    ((power - 3) * STEPS + step).min(BUCKETS - 1)
}

/// The largest duration that falls into `bucket`.
fn top_of(bucket: usize) -> u64 {
    if bucket < STEPS {
        return bucket as u64;
    }
    let (power, step) = (bucket / STEPS + 3, bucket % STEPS);
    ((STEPS + step + 1) as u64) << (power - 4)
}

impl Histogram {
    /// Counts one duration.
    #[inline]
    pub fn record(&mut self, nanos: u64) {
        self.counts[bucket_of(nanos)] += 1;
        self.total += 1;
    }

    /// Durations counted.
    #[must_use]
    pub fn total(&self) -> u64 {
        self.total
    }

    /// The duration that `percent` of all do not exceed, in nanoseconds; 0 without any.
    #[must_use]
    #[expect(
        clippy::cast_precision_loss,
        clippy::cast_possible_truncation,
        clippy::cast_sign_loss,
        reason = "a share of a count"
    )]
    pub fn quantile(&self, percent: f64) -> u64 {
        let wanted = ((self.total as f64) * percent / 100.0).ceil().max(1.0) as u64;
        let mut seen = 0;
        for (bucket, count) in self.counts.iter().enumerate() {
            seen += count;
            if seen >= wanted {
                return top_of(bucket);
            }
        }
        0
    }

    /// Cumulative counts by powers of two of microseconds: (bound in us, durations up to it), as
    /// LATENCY HISTOGRAM reports them; bounds that add nothing are left out.
    #[must_use]
    pub fn by_micros(&self) -> Vec<(u64, u64)> {
        let mut found = Vec::new();
        let mut bound = 1_u64;
        let mut seen = 0;
        let mut reported = 0;
        for (bucket, count) in self.counts.iter().enumerate() {
            while top_of(bucket) > bound * 1024 {
                if seen > reported {
                    found.push((bound, seen));
                    reported = seen;
                }
                bound *= 2;
            }
            seen += count;
        }
        if seen > reported {
            found.push((bound, seen));
        }
        found
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_duration_lies_below_the_top_of_its_bucket() {
        for nanos in (0..2_000_u64).chain([65_537, 1_000_000, 999_999_999]) {
            let top = top_of(bucket_of(nanos));
            assert!(top >= nanos, "{nanos} {top}");
            assert!(top <= nanos + nanos / 8 + 1, "{nanos} {top}");
        }
    }

    #[test]
    fn quantiles_follow_the_counts() {
        let mut times = Histogram::default();
        (1..=1000).for_each(|n| times.record(n * 1000));
        let median = times.quantile(50.0);
        assert!((500_000..=540_000).contains(&median), "{median}");
        assert_eq!(times.total(), 1000);
        let last = times.by_micros();
        assert_eq!(last.last().map(|(_, seen)| *seen), Some(1000));
    }
}
