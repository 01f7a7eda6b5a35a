//! An inner node of the tree: its children with their counts and the bars between them.
//!
//! Shape: parallel arrays, so that each kind of search reads one of them. The bar of a child is a
//! score and a member that come behind all in the child before and not behind the first in the
//! child; it is as short as that allows, and need not be a member. The first child's is not used.

use super::leaf::first_false;
use crate::steps::heap_bytes;

/// How many children an inner node makes room for at a time.
const STEP: usize = 8;

/// What separates a child from the one before.
pub(super) type Bar = (f64, Box<[u8]>);

/// The bar between two members that follow each other, each with its score.
pub(super) fn bar(left: (f64, &[u8]), right: (f64, &[u8])) -> Bar {
    if left.0 < right.0 {
        return (right.0, Box::default());
    }
    let pairs = left.1.iter().zip(right.1);
    let common = pairs.take_while(|(left, right)| left == right).count();
    (right.0, right.1[..=common].into())
}

/// An inner node; see the module's text.
#[derive(Debug)]
pub(super) struct Inner {
    pub(super) parent: u32,
    /// 0 where the children are leaves.
    pub(super) level: u16,
    /// Which child of its parent it was when somebody looked.
    pub(super) place: u8,
    names: Vec<u32>,
    counts: Vec<u64>,
    scores: Vec<f64>,
    members: Vec<Box<[u8]>>,
}

/// A copy with the same room, so that the bytes are the same.
fn copy<T: Clone>(items: &Vec<T>) -> Vec<T> {
    let mut copy = Vec::with_capacity(items.capacity());
    copy.extend_from_slice(items);
    copy
}

impl Clone for Inner {
    fn clone(&self) -> Self {
        Self {
            parent: self.parent,
            level: self.level,
            place: self.place,
            names: copy(&self.names),
            counts: copy(&self.counts),
            scores: copy(&self.scores),
            members: copy(&self.members),
        }
    }
}

impl Inner {
    pub(super) const fn new(parent: u32, level: u16) -> Self {
        Self {
            parent,
            level,
            place: 0,
            names: Vec::new(),
            counts: Vec::new(),
            scores: Vec::new(),
            members: Vec::new(),
        }
    }

    #[inline]
    pub(super) const fn len(&self) -> usize {
        self.names.len()
    }

    /// Heap bytes.
    pub(super) fn bytes(&self) -> usize {
        heap_bytes(self.names.capacity() * size_of::<u32>())
            + heap_bytes(self.counts.capacity() * size_of::<u64>())
            + heap_bytes(self.scores.capacity() * size_of::<f64>())
            + heap_bytes(self.members.capacity() * size_of::<Box<[u8]>>())
            + self
                .members
                .iter()
                .map(|member| heap_bytes(member.len()))
                .sum::<usize>()
    }

    #[inline]
    pub(super) fn names(&self) -> &[u32] {
        &self.names
    }

    pub(super) fn counts(&self) -> &[u64] {
        &self.counts
    }

    pub(super) fn total(&self) -> u64 {
        self.counts.iter().sum()
    }

    pub(super) fn bar(&self, at: usize) -> (f64, &[u8]) {
        (self.scores[at], &self.members[at])
    }

    /// Which child `name` is; `hint` says where to look first.
    #[inline]
    pub(super) fn position(&self, name: u32, hint: u8) -> usize {
        let hint = usize::from(hint);
        if self.names.get(hint) == Some(&name) {
            return hint;
        }
        let found = self.names.iter().position(|&held| held == name);
        found.expect("a node is a child of its parent")
    }

    /// The child where `(score, member)` is or would be.
    pub(super) fn child(&self, score: f64, member: &[u8]) -> usize {
        let scores = &self.scores[1..];
        let low = scores.partition_point(|&held| held < score);
        if scores.get(low).is_none_or(|&held| held != score) {
            return low;
        }
        let ties = scores[low..].partition_point(|&held| held == score);
        low + first_false(ties, |at| *self.members[1 + low + at] <= *member)
    }

    /// The child in which is the first member for which `holds` does not, if any is.
    pub(super) fn partition(&self, holds: &dyn Fn(f64, &[u8]) -> bool) -> usize {
        first_false(self.len() - 1, |at| {
            holds(self.scores[at + 1], &self.members[at + 1])
        })
    }

    /// The child with the element of number `rank`, and that number in the child.
    pub(super) fn ranked(&self, rank: u64) -> (usize, u64) {
        let mut rest = rank;
        let last = self.len() - 1;
        for (at, &count) in self.counts[..last].iter().enumerate() {
            if rest < count {
                return (at, rest);
            }
            rest -= count;
        }
        (last, rest)
    }

    /// How many elements are in the children before `at`.
    #[inline]
    pub(super) fn before(&self, at: usize) -> u64 {
        self.counts[..at].iter().sum()
    }

    #[inline]
    pub(super) fn count_mut(&mut self, at: usize) -> &mut u64 {
        &mut self.counts[at]
    }

    /// Changes the count of the child `name`, which is looked for at `hint` first, and returns where
    /// it is.
    #[inline]
    pub(super) fn count(&mut self, name: u32, hint: u8, change: isize) -> u8 {
        let at = self.position(name, hint);
        self.counts[at] = self.counts[at].wrapping_add_signed(change as i64);
        u8::try_from(at).expect("inner nodes are small")
    }

    pub(super) fn rename(&mut self, at: usize, name: u32) {
        self.names[at] = name;
    }

    /// Puts a bar before the child `at` and returns the old one.
    pub(super) fn set_bar(&mut self, at: usize, bar: Bar) -> Bar {
        let score = std::mem::replace(&mut self.scores[at], bar.0);
        (score, std::mem::replace(&mut self.members[at], bar.1))
    }

    pub(super) fn insert(&mut self, at: usize, name: u32, count: u64, bar: Bar) {
        if self.len() == self.names.capacity() {
            self.names.reserve_exact(STEP);
            self.counts.reserve_exact(STEP);
            self.scores.reserve_exact(STEP);
            self.members.reserve_exact(STEP);
        }
        self.names.insert(at, name);
        self.counts.insert(at, count);
        self.scores.insert(at, bar.0);
        self.members.insert(at, bar.1);
    }

    pub(super) fn remove(&mut self, at: usize) -> Bar {
        self.names.remove(at);
        self.counts.remove(at);
        (self.scores.remove(at), self.members.remove(at))
    }

    /// Moves the children from `at` on to a new node of the same level and parent.
    pub(super) fn split_off(&mut self, at: usize) -> Self {
        let right = Self {
            parent: self.parent,
            level: self.level,
            place: self.place,
            names: self.names.split_off(at),
            counts: self.counts.split_off(at),
            scores: self.scores.split_off(at),
            members: self.members.split_off(at),
        };
        self.names.shrink_to_fit();
        self.counts.shrink_to_fit();
        self.scores.shrink_to_fit();
        self.members.shrink_to_fit();
        right
    }

    /// Takes over the children of `right`.
    pub(super) fn append(&mut self, mut right: Self) {
        self.names.append(&mut right.names);
        self.counts.append(&mut right.counts);
        self.scores.append(&mut right.scores);
        self.members.append(&mut right.members);
    }
}
