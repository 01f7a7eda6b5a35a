//! Median and spread of a few repetitions.

use serde::Serialize;

/// A figure measured several times.
#[derive(Clone, Copy, Debug, Default, PartialEq, Serialize)]
pub(crate) struct Figure {
    /// The middle one, or the mean of the two in the middle.
    pub(crate) median: f64,
    /// The least.
    pub(crate) low: f64,
    /// The greatest.
    pub(crate) high: f64,
}

impl Figure {
    /// Of so many repetitions; zeros of none.
    pub(crate) fn of(samples: impl IntoIterator<Item = f64>) -> Self {
        let mut sorted: Vec<f64> = samples.into_iter().collect();
        sorted.sort_by(f64::total_cmp);
        let (Some(&low), Some(&high)) = (sorted.first(), sorted.last()) else {
            return Self::default();
        };
        let middle = sorted.len() / 2;
        let median = if sorted.len() % 2 == 1 {
            sorted[middle]
        } else {
            f64::midpoint(sorted[middle - 1], sorted[middle])
        };
        Self { median, low, high }
    }

    /// The distance from least to greatest as a part of the median.
    pub(crate) fn spread(&self) -> f64 {
        if self.median == 0.0 {
            0.0
        } else {
            (self.high - self.low) / self.median
        }
    }
}

/// `a / b`, where that is a number.
pub(crate) fn ratio(a: f64, b: f64) -> Option<f64> {
    let ratio = a / b;
    (ratio.is_finite() && ratio > 0.0).then_some(ratio)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn median_ignores_the_order_and_the_outlier() {
        let figure = Figure::of([9.0, 1.0, 2.0]);
        assert_eq!(
            figure,
            Figure {
                median: 2.0,
                low: 1.0,
                high: 9.0
            }
        );
        assert_eq!(figure.spread(), 4.0);
        assert_eq!(Figure::of([4.0, 2.0]).median, 3.0);
        assert_eq!(Figure::of([]).spread(), 0.0);
    }

    #[test]
    fn ratio_to_nothing_is_none() {
        assert_eq!(ratio(3.0, 2.0), Some(1.5));
        assert_eq!(ratio(3.0, 0.0), None);
        assert_eq!(ratio(0.0, 3.0), None);
    }
}
