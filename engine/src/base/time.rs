//! Time as the engine sees it: handed in, never read.
//!
//! Units: microseconds for anything monotonic, unix milliseconds for anything that has meaning to
//! a user (deadlines of keys).

/// A span or a point of monotonic time, in microseconds.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub struct Micros(pub u64);

impl Micros {
    /// A span of whole milliseconds.
    #[must_use]
    pub const fn from_millis(millis: u64) -> Self {
        Self(millis.saturating_mul(1_000))
    }

    /// A span of whole seconds.
    #[must_use]
    pub const fn from_secs(secs: u64) -> Self {
        Self(secs.saturating_mul(1_000_000))
    }

    /// Whole milliseconds, rounded down.
    #[must_use]
    pub const fn as_millis(self) -> u64 {
        self.0 / 1_000
    }

    /// Whole seconds, rounded down.
    #[must_use]
    pub const fn as_secs(self) -> u64 {
        self.0 / 1_000_000
    }

    /// The sum, or the largest representable value.
    #[must_use]
    pub const fn plus(self, other: Self) -> Self {
        Self(self.0.saturating_add(other.0))
    }

    /// The difference, or zero.
    #[must_use]
    pub const fn minus(self, other: Self) -> Self {
        Self(self.0.saturating_sub(other.0))
    }
}

/// A wall-clock instant in milliseconds since the unix epoch.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub struct UnixMs(pub u64);

/// The one reading of the clocks that a wake of the loop works with.
///
/// Every command of one wake sees the same instant; deadlines are compared with it and with
/// nothing else.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub struct Now {
    /// Time since some fixed point, never going back.
    pub monotonic: Micros,
    /// Wall-clock time in microseconds since the unix epoch.
    pub unix_us: u64,
}

impl Now {
    /// The later of two readings.
    #[must_use]
    pub fn max_of(self, other: Self) -> Self {
        if self.monotonic > other.monotonic {
            self
        } else {
            other
        }
    }

    /// The wall clock in milliseconds, as key deadlines count.
    #[must_use]
    pub const fn unix_ms(self) -> u64 {
        self.unix_us / 1_000
    }

    /// The wall clock in whole seconds.
    #[must_use]
    pub const fn unix_secs(self) -> u64 {
        self.unix_us / 1_000_000
    }
}
