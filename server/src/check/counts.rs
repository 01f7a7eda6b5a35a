//! Counting what goes by, in memory that does not grow with the file.

use std::borrow::Borrow;
use std::cmp::Reverse;
use std::collections::BTreeMap;

/// Different things that are counted one by one; more of them are counted together.
const ROWS_MAX: usize = 4096;

/// How many, and their bytes.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub(crate) struct Count {
    /// How many.
    pub(crate) number: u64,
    /// Bytes of all of them in the file.
    pub(crate) bytes: u64,
}

impl Count {
    /// Counts one more.
    #[inline]
    pub(crate) fn add(&mut self, bytes: u64) {
        self.number += 1;
        self.bytes += bytes;
    }

    /// Counts all that the other has.
    pub(crate) fn merge(&mut self, other: Self) {
        self.number += other.number;
        self.bytes += other.bytes;
    }
}

/// Counts by name or number.
#[derive(Clone, Debug)]
pub(crate) struct Tally<K> {
    rows: BTreeMap<K, Count>,
    rest: Count,
}

impl<K: Ord> Default for Tally<K> {
    fn default() -> Self {
        Self {
            rows: BTreeMap::new(),
            rest: Count::default(),
        }
    }
}

impl<K: Ord> Tally<K> {
    /// Counts something of `key`.
    #[inline]
    pub(crate) fn add<Q>(&mut self, key: &Q, count: Count)
    where
        K: Borrow<Q>,
        Q: Ord + ToOwned<Owned = K> + ?Sized,
    {
        if let Some(row) = self.rows.get_mut(key) {
            row.merge(count);
        } else if self.rows.len() < ROWS_MAX {
            self.rows.insert(key.to_owned(), count);
        } else {
            self.rest.merge(count);
        }
    }

    /// The counts by key, in the order of keys.
    pub(crate) fn rows(&self) -> impl Iterator<Item = (&K, &Count)> {
        self.rows.iter()
    }

    /// What was too much to be counted by key.
    pub(crate) fn rest(&self) -> Count {
        self.rest
    }
}

/// The biggest of what goes by, each with something to say of it.
#[derive(Clone, Debug)]
pub(crate) struct Biggest<T> {
    wanted: usize,
    /// By bytes and offset; of equal ones the first is bigger.
    held: BTreeMap<(u64, Reverse<u64>), T>,
}

impl<T> Biggest<T> {
    /// Keeps `wanted` of them.
    pub(crate) fn new(wanted: usize) -> Self {
        Self {
            wanted,
            held: BTreeMap::new(),
        }
    }

    /// Whether something of so many bytes, behind all before, would be kept.
    #[inline]
    pub(crate) fn wants(&self, bytes: u64) -> bool {
        self.held.len() < self.wanted
            || self
                .held
                .first_key_value()
                .is_some_and(|((least, _), _)| bytes > *least)
    }

    /// Takes what lies at the offset `at`.
    pub(crate) fn add(&mut self, bytes: u64, at: u64, what: T) {
        self.held.insert((bytes, Reverse(at)), what);
        if self.held.len() > self.wanted {
            self.held.pop_first();
        }
    }

    /// Bytes and offset of each, the biggest first.
    pub(crate) fn iter(&self) -> impl Iterator<Item = (u64, u64, &T)> {
        let rows = self.held.iter().rev();
        rows.map(|((bytes, Reverse(at)), what)| (*bytes, *at, what))
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_biggest_are_kept_and_of_equal_ones_the_first() {
        let mut biggest = Biggest::new(2);
        for (at, bytes) in [5, 9, 5, 1, 7, 9].into_iter().enumerate() {
            let at = at as u64;
            if biggest.wants(bytes) {
                biggest.add(bytes, at, at);
            }
        }
        let kept: Vec<_> = biggest.iter().collect();
        assert_eq!(kept, [(9, 1, &1), (9, 5, &5)]);
        assert!(!Biggest::<()>::new(0).wants(1));
    }

    #[test]
    fn rows_beyond_the_limit_are_counted_together() {
        let mut tally = Tally::<u64>::default();
        let one = Count {
            number: 1,
            bytes: 3,
        };
        for key in 0..ROWS_MAX as u64 + 2 {
            tally.add(&key, one);
        }
        tally.add(&0, one);
        assert_eq!(tally.rows().count(), ROWS_MAX);
        assert_eq!(tally.rows().next().map(|(_, row)| row.number), Some(2));
        assert_eq!((tally.rest().number, tally.rest().bytes), (2, 6));
    }
}
