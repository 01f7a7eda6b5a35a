//! [`Ranked`]: the members of a big sorted set, ordered by score and then by bytes.
//!
//! Shape: a tree whose leaves hold up to 64 members with their scores in one packed block, and
//! whose inner nodes count what is below; beside it an index from a member's hash to its leaf.
//! Invariants: 1. members are in order along the chain of leaves, each in one of them. 2. For each
//! member the index has one slot, which names its leaf. 3. An inner node's counts are those of its
//! children. 4. The bytes counted are those in use.
//! Cost: a look-up by member reads a bucket of the index and the leaf; one by order or rank goes
//! down the tree; a rank is summed up along the parents. An insertion or removal rewrites one leaf,
//! and moves half a leaf to another at most, renaming what moved in the index.

mod index;
mod inner;
mod leaf;
mod mend;
#[cfg(test)]
mod tests;
mod tree;
mod walk;

use std::ops::Range;

use crate::fields::Rehash;
use crate::names::NONE;
use crate::prefetch;
use index::Index;
use tree::{LEAF_MAX, Moved, Spot, Tree};

/// The byte of a hash that a leaf carries for a member: part of what the index's slot has.
#[inline]
const fn tag(hash: u64) -> u8 {
    ((hash >> 24) & 0xff) as u8
}

/// A sorted collection of members; see the module's text. `hash` is always that of the member.
///
/// Scores are never NaN, and the two zeros are equal.
#[derive(Clone, Debug)]
pub struct Ranked {
    tree: Tree,
    index: Index,
}

impl Default for Ranked {
    fn default() -> Self {
        Self::new()
    }
}

impl Ranked {
    /// An empty collection.
    pub fn new() -> Self {
        Self {
            tree: Tree::new(),
            index: Index::new(),
        }
    }

    /// Number of members.
    #[inline]
    pub const fn len(&self) -> usize {
        self.tree.len
    }

    /// Whether there is no member.
    #[inline]
    pub const fn is_empty(&self) -> bool {
        self.len() == 0
    }

    /// Heap bytes of the whole collection, in allocator classes.
    pub const fn memory(&self) -> usize {
        self.tree.bytes() + self.index.bytes()
    }

    /// Steps of [`Self::prefetch`].
    pub const PREFETCH_STEPS: usize = 4;

    /// Asks for what a look-up of `hash` will read; step by step, since each follows what the one
    /// before has asked for.
    #[inline]
    pub fn prefetch(&self, hash: u64, step: usize) {
        match step {
            0 => self.index.prefetch_bucket(hash),
            1 => self.index.prefetch_slots(hash),
            _ => {
                let Some(leaf) = self.index.leaves(hash).next() else {
                    return;
                };
                let leaf = self.tree.leaf(leaf);
                match step {
                    2 => prefetch::line(std::ptr::from_ref(leaf).cast()),
                    _ => leaf.prefetch(),
                }
            }
        }
    }

    /// Where `member` is.
    #[inline]
    fn find(&self, hash: u64, member: &[u8]) -> Option<Spot> {
        self.index.leaves(hash).find_map(|leaf| {
            let at = self
                .tree
                .leaf(leaf)
                .find(tag(hash), member, &self.tree.longs)?;
            Some(Spot { leaf, at })
        })
    }

    /// The score of `member`.
    #[inline]
    pub fn score(&self, hash: u64, member: &[u8]) -> Option<f64> {
        let spot = self.find(hash, member)?;
        Some(self.tree.leaf(spot.leaf).score(spot.at))
    }

    /// The rank of `member`, from 0, and its score.
    pub fn rank(&self, hash: u64, member: &[u8]) -> Option<(usize, f64)> {
        let spot = self.find(hash, member)?;
        let rank = self.tree.before(spot.leaf) + spot.at;
        Some((rank, self.tree.leaf(spot.leaf).score(spot.at)))
    }

    /// Gives `member` this score; returns the one that it had.
    ///
    /// # Panics
    ///
    /// If the score is NaN.
    pub fn insert(
        &mut self,
        hash: u64,
        member: &[u8],
        score: f64,
        rehash: Rehash<'_>,
    ) -> Option<f64> {
        assert!(!score.is_nan(), "a score has a place in the order");
        // What both searches will read is under way before the first needs it.
        self.index.prefetch_slots(hash);
        let leaf = self.tree.leaf_of(score, member);
        self.tree.leaf(leaf).prefetch();
        let Some(old) = self.find(hash, member) else {
            let leaf = self.put(leaf, (hash, member, score), rehash);
            self.index.add(hash, leaf);
            return None;
        };
        let before = self.tree.leaf(old.leaf).score(old.at);
        if before == score {
            return Some(before);
        }
        if old.leaf == leaf {
            self.tree.shift(old, member, score);
        } else {
            self.relocate(old, leaf, (hash, member, score), rehash);
        }
        Some(before)
    }

    /// Moves a member from its leaf to another, where its new score belongs.
    fn relocate(&mut self, old: Spot, to: u32, new: (u64, &[u8], f64), rehash: Rehash<'_>) {
        let (hash, member, score) = new;
        if self.tree.has_one_to_spare(old.leaf) && self.tree.leaf(to).len() < LEAF_MAX {
            self.tree.relocate(old, to, (tag(hash), score, member));
            self.index.rename(hash, old.leaf, to);
            return;
        }
        self.tree.remove(old);
        self.mend(old.leaf, rehash);
        // Mending may have taken the leaf away.
        let leaf = self.tree.leaf_of(score, member);
        let leaf = self.put(leaf, new, rehash);
        self.index.rename(hash, old.leaf, leaf);
    }

    /// Puts a new member, with hash and score, into the tree, where it belongs in `leaf`; returns
    /// the leaf that it is in.
    fn put(&mut self, leaf: u32, new: (u64, &[u8], f64), rehash: Rehash<'_>) -> u32 {
        let (hash, member, score) = new;
        let mut spot = self.tree.spot(leaf, score, member);
        if self.tree.leaf(leaf).len() == LEAF_MAX {
            let moved;
            (spot, moved) = self.tree.split(spot, score, member);
            self.follow(moved, rehash);
        }
        self.tree.insert(spot, tag(hash), score, member);
        spot.leaf
    }

    fn mend(&mut self, leaf: u32, rehash: Rehash<'_>) {
        let moved = self.tree.mend(leaf);
        self.follow(moved, rehash);
    }

    /// Renames in the index what has moved in the tree.
    fn follow(&mut self, moved: Option<Moved>, rehash: Rehash<'_>) {
        let Some(Moved { from, to, range }) = moved else {
            return;
        };
        let leaf = self.tree.leaf(to);
        let mut hashes = [0; LEAF_MAX];
        let hashes = &mut hashes[..range.len()];
        let mut offset = leaf.offset(range.start);
        for (hash, at) in hashes.iter_mut().zip(range) {
            *hash = rehash(leaf.member_at(at, offset, &self.tree.longs));
            offset += leaf.held(at);
            self.index.prefetch_bucket(*hash);
        }
        // Three passes, so that the misses of all are under way at once.
        hashes
            .iter()
            .for_each(|&hash| self.index.prefetch_slots(hash));
        hashes
            .iter()
            .for_each(|&hash| self.index.rename(hash, from, to));
    }

    /// Takes `member` out and returns its score.
    pub fn remove(&mut self, hash: u64, member: &[u8], rehash: Rehash<'_>) -> Option<f64> {
        let spot = self.find(hash, member)?;
        let score = self.tree.leaf(spot.leaf).score(spot.at);
        self.index.remove(hash, spot.leaf);
        self.tree.remove(spot);
        self.mend(spot.leaf, rehash);
        Some(score)
    }

    /// Takes the members of these ranks out, in order, showing each to `removed` before it goes.
    pub fn remove_range(
        &mut self,
        range: Range<usize>,
        rehash: Rehash<'_>,
        removed: &mut dyn FnMut(&[u8], f64),
    ) {
        let mut left = range.end.min(self.len()).saturating_sub(range.start);
        if left == 0 {
            return;
        }
        while left > 0 {
            let spot = self.tree.ranked(range.start);
            let leaf = self.tree.leaf(spot.leaf);
            let count = left.min(leaf.len() - spot.at);
            let end = spot.at + count;
            let mut hashes = [0; LEAF_MAX];
            for (hash, at) in hashes.iter_mut().zip(spot.at..end) {
                let (score, member) = leaf.pair(at, &self.tree.longs);
                removed(member, score);
                *hash = rehash(member);
                self.index.prefetch_bucket(*hash);
            }
            let hashes = &hashes[..count];
            hashes
                .iter()
                .for_each(|&hash| self.index.prefetch_slots(hash));
            hashes
                .iter()
                .for_each(|&hash| self.index.remove(hash, spot.leaf));
            self.tree.cut(spot.leaf, spot.at..end);
            if self.tree.leaf(spot.leaf).len() == 0 {
                self.mend(spot.leaf, rehash);
            }
            left -= count;
        }
        // The leaves at both ends of the gap may have few members left.
        for rank in [range.start, range.start.saturating_sub(1)] {
            let leaf = self.tree.ranked(rank).leaf;
            self.mend(leaf, rehash);
        }
    }

    /// The member of number `rank`, from 0, with its score.
    pub fn at(&self, rank: usize) -> Option<(&[u8], f64)> {
        if rank >= self.len() {
            return None;
        }
        let spot = self.tree.ranked(rank);
        let (score, member) = self.tree.leaf(spot.leaf).pair(spot.at, &self.tree.longs);
        Some((member, score))
    }

    /// Shows the members of these ranks with their scores, in their order.
    #[inline]
    pub fn visit<'a>(&'a self, ranks: Range<usize>, mut visit: impl FnMut(&'a [u8], f64)) {
        let (mut left, mut spot) = (ranks.len(), self.tree.ranked(ranks.start));
        while left > 0 {
            let leaf = self.tree.leaf(spot.leaf);
            let end = leaf.len().min(spot.at + left);
            if end - spot.at < left && leaf.next != NONE {
                prefetch::line(std::ptr::from_ref(self.tree.leaf(leaf.next)).cast());
            }
            leaf.visit(spot.at..end, &self.tree.longs, &mut visit);
            left -= end - spot.at;
            if leaf.next == NONE {
                break;
            }
            spot = Spot {
                leaf: leaf.next,
                at: 0,
            };
        }
    }

    /// The members from number `rank` on, with their scores.
    pub fn iter_from(&self, rank: usize) -> impl Iterator<Item = (&[u8], f64)> {
        walk::Forward::new(&self.tree, self.tree.ranked(rank))
    }

    /// The members from number `rank` back to the first, with their scores; beyond the end it
    /// begins with the last.
    pub fn rev_iter_from(&self, rank: usize) -> impl Iterator<Item = (&[u8], f64)> {
        let end = rank.saturating_add(1).min(self.len());
        walk::Backward::new(&self.tree, self.tree.ranked(end))
    }

    /// How many members at the front fulfil `holds`, which none does behind one that does not.
    ///
    /// It is also asked about what lies between two members: a score with the beginning of a
    /// member, or with no bytes.
    pub fn partition_point(&self, holds: &dyn Fn(f64, &[u8]) -> bool) -> usize {
        self.tree.partition(holds)
    }

    /// Visits the members of one bucket of the index with their scores; returns the next cursor.
    ///
    /// 0 begins and ends. Every member that is there from the first call to the last is visited at
    /// least once, whatever comes, goes and changes its score; any cursor is harmless.
    pub fn scan(&self, cursor: u64, rehash: Rehash<'_>, visit: &mut dyn FnMut(&[u8], f64)) -> u64 {
        self.index.scan(cursor, |bits, leaf| {
            let leaf = self.tree.leaf(leaf);
            for at in leaf.tagged(tag(bits)) {
                let (score, member) = leaf.pair(at, &self.tree.longs);
                if rehash(member) << 32 == bits << 32 {
                    visit(member, score);
                }
            }
        })
    }

    /// Destroys the collection piece by piece until the budget, which counts members, is spent.
    ///
    /// Between the first call and being empty, only `len`, `is_empty`, `memory` and `drain` have a
    /// meaning.
    pub fn drain(&mut self, budget: &mut u32) {
        if self.is_empty() {
            return;
        }
        while *budget > 0 && !self.is_empty() {
            let spent = if self.index.len() > 0 {
                self.index.drop_last();
                1
            } else if self.tree.longs.drop_last() {
                1
            } else {
                self.tree.drop_last()
            };
            *budget = budget.saturating_sub(spent);
        }
        if self.is_empty() {
            *self = Self::new();
        }
    }

    /// Asserts the invariants.
    ///
    /// # Panics
    ///
    /// If one does not hold.
    pub fn check(&self, rehash: Rehash<'_>) {
        self.tree.check();
        assert_eq!(self.index.len(), self.len(), "a slot for each member");
        let mut slots = 0;
        for (name, leaf) in self.tree.leaves.iter() {
            for at in 0..leaf.len() {
                let hash = rehash(leaf.member(at, &self.tree.longs));
                assert_eq!(leaf.tag(at), tag(hash), "the byte of the hash");
                assert!(
                    self.index.leaves(hash).any(|held| held == name),
                    "a slot names the leaf"
                );
                slots += 1;
            }
        }
        assert_eq!(slots, self.len(), "number of members");
        self.index.check(|bits, name| {
            let leaf = self.tree.leaf(name);
            let mut members = leaf
                .tagged(tag(bits))
                .map(|at| leaf.member(at, &self.tree.longs));
            members.any(|member| rehash(member) << 32 == bits << 32)
        });
    }
}
