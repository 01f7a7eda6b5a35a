//! Large sorted sets: ranked members, with the hasher that their places depend on.

use ahash::RandomState;
use dovetail_memory::{Ranked, heap_bytes};
use std::ops::Range;

/// A sorted set too large for its key's record.
#[derive(Clone, Debug)]
pub struct Zset {
    ranked: Ranked,
    hasher: RandomState,
}

impl Zset {
    /// An empty one.
    #[must_use]
    pub fn new(hasher: RandomState) -> Self {
        Self {
            ranked: Ranked::new(),
            hasher,
        }
    }

    /// How many members there are.
    #[must_use]
    #[inline]
    pub fn len(&self) -> usize {
        self.ranked.len()
    }

    /// No member at all.
    #[must_use]
    pub fn is_empty(&self) -> bool {
        self.ranked.is_empty()
    }

    /// The score of `member`.
    #[must_use]
    #[inline]
    pub fn score(&self, member: &[u8]) -> Option<f64> {
        self.ranked.score(self.hash(member), member)
    }

    /// The hash of `member`, to fetch ahead with.
    #[inline]
    pub(in crate::value) fn hash(&self, member: &[u8]) -> u64 {
        self.hasher.hash_one(member)
    }

    /// Takes one step of fetching ahead what a look-up of `hash` will read.
    #[inline]
    pub(in crate::value) fn prefetch(&self, hash: u64, step: usize) {
        self.ranked.prefetch(hash, step);
    }

    /// The rank of `member`, from 0, and its score.
    #[inline]
    pub(super) fn rank(&self, member: &[u8]) -> Option<(usize, f64)> {
        self.ranked.rank(self.hash(member), member)
    }

    /// How many members at the front fulfil `holds`, which none does behind one that does not.
    pub(super) fn partition_point(&self, holds: &dyn Fn(f64, &[u8]) -> bool) -> usize {
        self.ranked.partition_point(holds)
    }

    /// The member of number `rank` with its score.
    pub(super) fn at(&self, rank: usize) -> Option<(&[u8], f64)> {
        self.ranked.at(rank)
    }

    /// Shows the members of these ranks with their scores.
    #[inline]
    pub(super) fn visit<'a>(&'a self, ranks: Range<usize>, visit: impl FnMut(&'a [u8], f64)) {
        self.ranked.visit(ranks, visit);
    }

    /// The members from number `rank` on.
    pub(super) fn iter_from(&self, rank: usize) -> impl Iterator<Item = (&[u8], f64)> {
        self.ranked.iter_from(rank)
    }

    /// The members from number `rank` back to the first.
    pub(super) fn rev_iter_from(&self, rank: usize) -> impl Iterator<Item = (&[u8], f64)> {
        self.ranked.rev_iter_from(rank)
    }

    /// One step of a scan.
    pub(super) fn scan(&self, cursor: u64, visit: &mut dyn FnMut(&[u8], f64)) -> u64 {
        self.ranked.scan(cursor, &|member| self.hash(member), visit)
    }

    /// Gives `member` this score, which is a number; returns the one that it had.
    #[inline]
    pub fn insert(&mut self, member: &[u8], score: f64) -> Option<f64> {
        let (hasher, hash) = (&self.hasher, self.hash(member));
        let rehash = |member: &[u8]| hasher.hash_one(member);
        self.ranked.insert(hash, member, score, &rehash)
    }

    /// Takes `member` out and returns its score.
    #[inline]
    pub fn remove(&mut self, member: &[u8]) -> Option<f64> {
        let (hasher, hash) = (&self.hasher, self.hash(member));
        let rehash = |member: &[u8]| hasher.hash_one(member);
        self.ranked.remove(hash, member, &rehash)
    }

    /// Takes the members of these ranks out.
    pub(super) fn remove_range(&mut self, ranks: Range<usize>) {
        let hasher = &self.hasher;
        let rehash = |member: &[u8]| hasher.hash_one(member);
        self.ranked.remove_range(ranks, &rehash, &mut |_, _| {});
    }

    /// Bytes of memory that it takes.
    #[must_use]
    pub fn memory(&self) -> usize {
        self.ranked.memory() + heap_bytes(size_of::<Self>())
    }

    /// Removes up to `budget` members, and subtracts them from it: for destroying a large sorted
    /// set piece by piece. Nothing else makes sense afterwards.
    pub fn drain(&mut self, budget: &mut u32) {
        self.ranked.drain(budget);
    }

    /// Asserts the invariants.
    ///
    /// # Panics
    /// When one is broken.
    pub fn check(&self) {
        self.ranked.check(&|member| self.hash(member));
    }
}
