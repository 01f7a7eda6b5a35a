//! How often keys came of late, also those that are gone: counters of four bits that keys share.
//!
//! Shape: words of sixteen counters. A key has four, one in each of four words, a different one of
//! each word's four columns; the lowest of them is the most that it can have been. All counters are
//! halved once in so many accesses: a hand goes round and halves a word at a time, so that there is no
//! pause. Forgets all when it must change its size by much.

use dovetail_engine::seam::eviction::Locator;

const ROWS: usize = 4;
/// The highest count.
const MOST: u32 = 15;
/// Clears the bit that halving moves from one counter to the next.
const HALVED: u64 = 0x7777_7777_7777_7777;
/// Counters for each key that is there.
const COUNTERS_PER_KEY: usize = 8;
const COUNTERS_PER_WORD: usize = 16;
/// Words at least.
const WORDS_MIN: usize = 64;
/// The hand goes round once in so many accesses for each key that is there.
const ROUND: u64 = 15;

/// Counts of keys.
#[derive(Debug, Default)]
pub(super) struct Sketch {
    words: Vec<u64>,
    /// The next word to be halved.
    hand: usize,
    /// How far the hand lags behind, in words times accesses of a round.
    lag: u64,
    rounds: u32,
}

impl Sketch {
    /// Makes it fit so many keys.
    pub(super) fn fit(&mut self, keys: usize) {
        let needed = (keys * COUNTERS_PER_KEY / COUNTERS_PER_WORD).max(WORDS_MIN);
        if self.words.len() < needed || self.words.len() > 3 * needed {
            self.words = vec![0; needed + needed / 4];
            self.hand = 0;
        }
    }

    /// The same, if anything has been counted at all.
    pub(super) fn refit(&mut self, keys: usize) {
        if !self.words.is_empty() {
            self.fit(keys);
        }
    }

    /// How often all has been halved.
    pub(super) fn rounds(&self) -> u32 {
        self.rounds
    }

    /// The word and the lowest bit of each of a key's counters.
    fn places(&self, key: Locator) -> [(usize, u32); ROWS] {
        let mut mixed = key.bits();
        [0, 1, 2, 3].map(|row| {
            mixed = (mixed + 1).wrapping_mul(0x9e37_79b9_7f4a_7c15);
            mixed ^= mixed >> 29;
            let wide = u128::from(mixed) * self.words.len() as u128;
            let column = u32::try_from(mixed & 3).unwrap_or(0);
            (
                usize::try_from(wide >> 64).unwrap_or(0),
                (column * 4 + row) * 4,
            )
        })
    }

    /// The count of a key.
    pub(super) fn count(&self, key: Locator) -> u32 {
        if self.words.is_empty() {
            return 0;
        }
        let counts = self.places(key).map(|(word, shift)| {
            let counter = self.words[word] >> shift & u64::from(MOST);
            u32::try_from(counter).unwrap_or(MOST)
        });
        counts.into_iter().min().unwrap_or(0)
    }

    /// The count of a key is at least this.
    pub(super) fn raise(&mut self, key: Locator, count: u32) {
        if self.words.is_empty() {
            return;
        }
        let count = u64::from(count.min(MOST));
        for (word, shift) in self.places(key) {
            let word = &mut self.words[word];
            let mask = u64::from(MOST) << shift;
            if *word & mask < count << shift {
                *word = *word & !mask | count << shift;
            }
        }
    }

    /// So many accesses have been, where there are so many keys.
    pub(super) fn age(&mut self, accesses: u32, keys: usize) {
        let round = ROUND * (keys as u64).max(1);
        self.lag += u64::from(accesses) * self.words.len() as u64;
        while self.lag >= round {
            self.lag -= round;
            let Some(word) = self.words.get_mut(self.hand) else {
                self.lag = 0;
                return;
            };
            *word = *word >> 1 & HALVED;
            self.hand += 1;
            if self.hand == self.words.len() {
                self.hand = 0;
                self.rounds = self.rounds.wrapping_add(1);
            }
        }
    }

    pub(super) fn memory(&self) -> usize {
        self.words.len() * size_of::<u64>()
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn key(number: u64) -> Locator {
        Locator::from_bits(number.wrapping_mul(0x9e37_79b9_7f4a_7c15) >> 30)
    }

    #[test]
    fn a_count_is_never_less_than_what_it_was_raised_to() {
        let mut sketch = Sketch::default();
        sketch.fit(1000);
        let count = |number: u64| u32::try_from(number % 17).unwrap();
        (0..1000).for_each(|number| sketch.raise(key(number), count(number)));
        for number in 0..1000 {
            assert!(sketch.count(key(number)) >= count(number).min(MOST));
        }
    }

    #[test]
    fn most_that_never_came_count_little() {
        let mut sketch = Sketch::default();
        sketch.fit(1000);
        (0..2000).for_each(|number| sketch.raise(key(number), 3));
        let wrong = (5000..6000).filter(|&other| sketch.count(key(other)) > 0);
        assert!(wrong.count() < 300);
    }

    #[test]
    fn a_round_halves_every_count() {
        let mut sketch = Sketch::default();
        sketch.fit(1000);
        (0..200).for_each(|number| sketch.raise(key(number), 8));
        (0..15_000).for_each(|_| sketch.age(1, 1000));
        assert_eq!(sketch.rounds(), 1);
        assert!((0..200).all(|number| sketch.count(key(number)) == 4));
    }
}
