//! Latencies in an HDR histogram.

use std::time::Duration;

use anyhow::Result;
use hdrhistogram::Histogram;
use serde::Serialize;

/// The longest latency that is told apart from longer ones.
const LONGEST: Duration = Duration::from_secs(120);

/// Significant decimal digits of a recorded latency.
const DIGITS: u8 = 3;

/// Latencies of one run.
#[derive(Clone, Debug)]
pub(crate) struct Latencies {
    histogram: Histogram<u64>,
}

impl Latencies {
    /// No latencies yet.
    ///
    /// # Errors
    /// If the bounds above are not a valid histogram.
    pub(crate) fn new() -> Result<Self> {
        let histogram = Histogram::new_with_bounds(1, nanos(LONGEST), DIGITS)?;
        Ok(Self { histogram })
    }

    /// Records that `count` requests took `latency` each.
    #[inline]
    pub(crate) fn record(&mut self, latency: Duration, count: u64) {
        self.histogram.saturating_record_n(nanos(latency), count);
    }

    /// The usual points.
    pub(crate) fn percentiles(&self) -> Percentiles {
        let micros = |nanos: u64| nanos as f64 / 1_000.0;
        let at = |quantile| micros(self.histogram.value_at_quantile(quantile));
        Percentiles {
            mean: self.histogram.mean() / 1_000.0,
            p50: at(0.5),
            p99: at(0.99),
            p999: at(0.999),
            max: micros(self.histogram.max()),
        }
    }
}

/// Points of a distribution, in microseconds.
#[derive(Clone, Copy, Debug, Default, PartialEq, Serialize)]
pub(crate) struct Percentiles {
    /// The mean.
    pub(crate) mean: f64,
    /// Half are shorter.
    pub(crate) p50: f64,
    /// All but one in a hundred are shorter.
    pub(crate) p99: f64,
    /// All but one in a thousand are shorter.
    pub(crate) p999: f64,
    /// The longest.
    pub(crate) max: f64,
}

fn nanos(span: Duration) -> u64 {
    u64::try_from(span.as_nanos()).unwrap_or(u64::MAX)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn percentiles_are_within_the_digits_of_what_was_recorded() {
        let mut latencies = Latencies::new().unwrap();
        for us in 1..=1000 {
            latencies.record(Duration::from_micros(us), 2);
        }
        let points = latencies.percentiles();
        for (got, want) in [
            (points.p50, 500.0),
            (points.p99, 990.0),
            (points.max, 1000.0),
        ] {
            assert!((got - want).abs() / want < 0.003, "{got} for {want}");
        }
    }

    #[test]
    fn absurd_latencies_saturate() {
        let mut latencies = Latencies::new().unwrap();
        latencies.record(Duration::from_secs(1 << 40), 1);
        assert!(latencies.percentiles().max >= 1e8);
    }
}
