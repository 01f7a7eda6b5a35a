//! Keys that went not long ago: fingerprints of four bytes in sets of eight.
//!
//! A set is found by some bits of the key's name, and remembers sixteen others with the time at which
//! the key went, in steps of a sixteenth of the span that counts. A full set forgets its oldest. So
//! there is no queue beside the table, at the price of hits by chance: one in some thousands.

use dovetail_engine::seam::eviction::Locator;

const WAYS: usize = 8;
/// Steps of time in the span that counts.
const TICKS: u64 = 16;
/// Sets at least.
const SETS_MIN: usize = 64;

/// Fingerprints of those that went.
#[derive(Debug, Default)]
pub(super) struct Ghosts {
    /// A fingerprint above, the time below; 0 is none.
    ways: Vec<[u32; WAYS]>,
    /// The time: steps in the high half, their fraction in the low one.
    time: u64,
}

impl Ghosts {
    /// The set of a key, and its fingerprint.
    fn place(&self, key: Locator) -> (usize, u32) {
        let mixed = key.bits().wrapping_mul(0x9e37_79b9_7f4a_7c15);
        let wide = u128::from(mixed) * self.ways.len() as u128;
        let set = usize::try_from(wide >> 64).unwrap_or(0);
        (set, u32::try_from(mixed >> 16 & 0xffff).unwrap_or(0) << 16)
    }

    /// The time in whole steps, as 16 bits that are never 0.
    fn tick(&self) -> u32 {
        u32::try_from((self.time >> 32) % 0xffff).unwrap_or(0) + 1
    }

    /// A key has gone; of `span` that did so last it is to be remembered.
    pub(super) fn insert(&mut self, key: Locator, span: usize) {
        self.fit(span);
        // What has passed stays, however the span changes.
        let step = (TICKS << 32) / (span as u64).max(TICKS);
        self.time = self.time.wrapping_add(step);
        let now = self.tick();
        let (set, print) = self.place(key);
        let ways = &mut self.ways[set];
        let age = |way: u32| match way & 0xffff {
            0 => u32::MAX,
            then => (now + 0xffff - then) % 0xffff,
        };
        if let Some(oldest) = ways.iter_mut().max_by_key(|way| age(**way)) {
            *oldest = print | now;
        }
    }

    /// Whether the key was one of those that are to be remembered; it is so no more.
    pub(super) fn take(&mut self, key: Locator) -> bool {
        if self.ways.is_empty() {
            return false;
        }
        let now = self.tick();
        let (set, print) = self.place(key);
        let found = self.ways[set]
            .iter_mut()
            .find(|way| **way & 0xffff != 0 && **way & 0xffff_0000 == print);
        let Some(way) = found else {
            return false;
        };
        let age = (now + 0xffff - (*way & 0xffff)) % 0xffff;
        *way = 0;
        u64::from(age) <= TICKS
    }

    /// The same without anybody going, if anybody is remembered at all.
    pub(super) fn refit(&mut self, span: usize) {
        if !self.ways.is_empty() {
            self.fit(span);
        }
    }

    /// Makes the table fit a span; all is forgotten when it must change by much.
    fn fit(&mut self, span: usize) {
        let sets = (span * 5 / 4 / WAYS).max(SETS_MIN);
        if self.ways.len() < sets || self.ways.len() > 4 * sets {
            self.ways = vec![[0; WAYS]; sets + sets / 2];
        }
    }

    pub(super) fn memory(&self) -> usize {
        self.ways.len() * size_of::<[u32; WAYS]>()
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn key(number: u64) -> Locator {
        Locator::from_bits(number.wrapping_mul(0x9e37_79b9_7f4a_7c15) >> 30)
    }

    #[test]
    fn who_went_within_the_span_is_remembered_and_nobody_else() {
        let mut ghosts = Ghosts::default();
        (0..10_000).for_each(|number| ghosts.insert(key(number), 1000));
        let late = (9100..10_000).filter(|&n| ghosts.take(key(n))).count();
        let early = (0..8800).filter(|&n| ghosts.take(key(n))).count();
        assert!(late > 850 && early < 20, "{late} and {early}");
        assert!(!ghosts.take(key(9500)), "it is so no more");
    }

    #[test]
    fn a_span_that_changes_makes_nobody_forgotten() {
        let mut ghosts = Ghosts::default();
        (0..200_000).for_each(|number| ghosts.insert(key(number), 1000));
        ghosts.insert(key(200_000), 1016);
        let known = (199_200..200_000).filter(|&n| ghosts.take(key(n))).count();
        assert!(known > 750, "{known}");
    }
}
