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
    /// How many have gone ever.
    gone: u64,
}

impl Ghosts {
    /// How many of those that went last count, for a table of this size.
    fn place(&self, key: Locator) -> (usize, u32) {
        let mixed = key.bits().wrapping_mul(0x9e37_79b9_7f4a_7c15);
        let wide = u128::from(mixed) * self.ways.len() as u128;
        let set = usize::try_from(wide >> 64).unwrap_or(0);
        // Never 0, which is none.
        (set, u32::try_from(mixed >> 16 & 0xffff).unwrap_or(0) << 16)
    }

    /// The time, in 16 bits that are never 0.
    fn tick(gone: u64, span: usize) -> u32 {
        let per_tick = (span as u64 / TICKS).max(1);
        u32::try_from(gone / per_tick % 0xffff).unwrap_or(0) + 1
    }

    /// A key has gone; of `span` that did so last it is to be remembered.
    pub(super) fn insert(&mut self, key: Locator, span: usize) {
        self.fit(span);
        self.gone += 1;
        let now = Self::tick(self.gone, span);
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

    /// Whether the key was one of the `span` that went last; it is so no more.
    pub(super) fn take(&mut self, key: Locator, span: usize) -> bool {
        if self.ways.is_empty() {
            return false;
        }
        let now = Self::tick(self.gone, span);
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
