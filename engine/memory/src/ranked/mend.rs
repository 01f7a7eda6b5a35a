//! How the tree shrinks: removal, joining, and sharing between neighbours.

use std::ops::Range;

use super::inner::{Inner, bar};
use super::leaf::{Leaf, compare};
use super::tree::{INNER_MAX, LEAF_MAX, Moved, Spot, Tree};
use crate::names::NONE;

/// A node with less than this asks a neighbour.
const LEAF_MIN: usize = LEAF_MAX / 4;
const INNER_MIN: usize = INNER_MAX / 4;
/// Neighbours with no more than this together become one.
const LEAF_JOINED: usize = LEAF_MAX * 3 / 4;
const INNER_JOINED: usize = INNER_MAX * 3 / 4;
/// What dropping an inner node counts as when members are counted.
const INNER_WORK: u32 = 16;

impl Tree {
    /// Takes a member out; the leaf may want mending.
    pub(super) fn remove(&mut self, spot: Spot) {
        self.leave_leaf(spot);
        self.count(spot.leaf, -1);
    }

    /// Takes a member out of its leaf, uncounted.
    pub(super) fn leave_leaf(&mut self, spot: Spot) {
        let leaf = self.leaves.get_mut(spot.leaf);
        if let Some(name) = leaf.name(spot.at) {
            self.longs.remove(name);
        }
        self.block_bytes -= leaf.bytes();
        leaf.remove(spot.at);
        self.block_bytes += leaf.bytes();
    }

    /// Whether the leaf wants no mending with one member less.
    #[inline]
    pub(super) fn has_one_to_spare(&self, leaf: u32) -> bool {
        self.leaf(leaf).len() > LEAF_MIN
    }

    /// Takes a range of a leaf's members out; the leaf may want mending, above all if it is empty.
    pub(super) fn cut(&mut self, name: u32, range: Range<usize>) {
        let leaf = self.leaves.get_mut(name);
        for long in range.clone().filter_map(|at| leaf.name(at)) {
            self.longs.remove(long);
        }
        let count = range.len().cast_signed();
        self.block_bytes -= leaf.bytes();
        leaf.cut(range);
        self.block_bytes += leaf.bytes();
        self.count(name, -count);
    }

    /// Sees to it that a leaf is neither empty nor, if that can be, nearly so.
    pub(super) fn mend(&mut self, name: u32) -> Option<Moved> {
        let leaf = self.leaf(name);
        match leaf.len() {
            0 => {
                self.unlink(name);
                return None;
            }
            1..LEAF_MIN => {}
            _ => return None,
        }
        let parent = leaf.parent;
        let inner = self.inners.get(parent);
        let at = inner
            .position(name, leaf.place)
            .min(inner.len().checked_sub(2)?);
        let names = [inner.names()[at], inner.names()[at + 1]];
        let lens = names.map(|name| self.leaf(name).len());
        if lens[0] + lens[1] <= LEAF_JOINED {
            return Some(self.join(parent, at, names, lens));
        }
        let moved = self.share(names, lens);
        let [left, right] = names.map(|name| self.leaves.get(name));
        let bar = bar(
            left.pair(left.len() - 1, &self.longs),
            right.pair(0, &self.longs),
        );
        let counts = [left.len() as u64, right.len() as u64];
        self.edit(parent, |inner| {
            [*inner.count_mut(at), *inner.count_mut(at + 1)] = counts;
            drop(inner.set_bar(at + 1, bar));
        });
        Some(moved)
    }

    /// Lends two leaves, and counts what changes of their bytes.
    fn with_both<R>(&mut self, names: [u32; 2], act: impl FnOnce(&mut Leaf, &mut Leaf) -> R) -> R {
        let mut right = std::mem::replace(self.leaves.get_mut(names[1]), Leaf::new(NONE));
        let left = self.leaves.get_mut(names[0]);
        self.block_bytes -= left.bytes() + right.bytes();
        let done = act(left, &mut right);
        self.block_bytes += left.bytes() + right.bytes();
        *self.leaves.get_mut(names[1]) = right;
        done
    }

    /// Moves members from the larger of two neighbours to the smaller, until they are even.
    fn share(&mut self, names: [u32; 2], lens: [usize; 2]) -> Moved {
        let [left, right] = lens;
        if left < right {
            let count = (right - left) / 2;
            self.with_both(names, |to, from| from.give_left(count, to));
            return Moved {
                from: names[1],
                to: names[0],
                range: left..left + count,
            };
        }
        let count = (left - right) / 2;
        self.with_both(names, |from, to| from.give_right(left - count, to));
        Moved {
            from: names[0],
            to: names[1],
            range: 0..count,
        }
    }

    /// Makes one leaf of two neighbours; the smaller one moves.
    fn join(&mut self, parent: u32, at: usize, names: [u32; 2], lens: [usize; 2]) -> Moved {
        let [left, right] = lens;
        let moved = if left < right {
            self.with_both(names, |from, to| from.give_right(0, to));
            Moved {
                from: names[0],
                to: names[1],
                range: 0..left,
            }
        } else {
            self.with_both(names, |to, from| from.give_left(right, to));
            Moved {
                from: names[1],
                to: names[0],
                range: left..left + right,
            }
        };
        self.edit(parent, |inner| {
            *inner.count_mut(at) = (left + right) as u64;
            inner.rename(at, moved.to);
            drop(inner.remove(at + 1));
        });
        self.forget(moved.from);
        self.mend_inner(parent);
        moved
    }

    /// Takes an empty leaf away, unless it is the only one.
    fn unlink(&mut self, name: u32) {
        if self.first == self.last {
            return;
        }
        let parent = self.leaf(name).parent;
        self.edit(parent, |inner| drop(inner.remove(inner.position(name, 0))));
        self.forget(name);
        self.mend_inner(parent);
    }

    /// Takes a leaf that has no parent any more out of the chain.
    fn forget(&mut self, name: u32) {
        let leaf = self.leaves.remove(name);
        debug_assert_eq!(leaf.bytes(), 0, "its members have moved");
        self.link(leaf.prev, leaf.next);
    }

    /// Sees to it that an inner node and those above it are neither empty nor needless.
    fn mend_inner(&mut self, name: u32) {
        let mut node = name;
        loop {
            let inner = self.inners.get(node);
            let parent = inner.parent;
            if parent == NONE {
                self.trim_root();
                return;
            }
            match inner.len() {
                0 => {
                    self.edit(parent, |above| drop(above.remove(above.position(node, 0))));
                    self.inner_bytes -= self.inners.remove(node).bytes();
                }
                1..INNER_MIN => {
                    let above = self.inners.get(parent);
                    if above.len() > 1 {
                        let at = above.position(node, 0).min(above.len() - 2);
                        self.even_out(parent, at);
                    }
                }
                _ => return,
            }
            node = parent;
        }
    }

    /// Joins the inner nodes `at` and behind it, or shares their children evenly.
    fn even_out(&mut self, parent: u32, at: usize) {
        let names = self.inners.get(parent).names();
        let (left, right) = (names[at], names[at + 1]);
        let mut taken = std::mem::replace(self.inners.get_mut(right), Inner::new(parent, 0));
        self.inner_bytes -= taken.bytes();
        let nothing = || (0.0, Box::default());
        let bar = self.edit(parent, |above| above.set_bar(at + 1, nothing()));
        drop(taken.set_bar(0, bar));
        self.edit(left, |inner| inner.append(taken));
        let inner = self.inners.get(left);
        let (len, total) = (inner.len(), inner.total());
        if len <= INNER_JOINED {
            self.inners.remove(right);
            self.adopt(left);
            self.edit(parent, |above| {
                *above.count_mut(at) = total;
                drop(above.remove(at + 1));
            });
            return;
        }
        let mut shared = self.edit(left, |inner| inner.split_off(len / 2));
        let bar = shared.set_bar(0, nothing());
        let count = shared.total();
        self.inner_bytes += shared.bytes();
        *self.inners.get_mut(right) = shared;
        self.adopt(left);
        self.adopt(right);
        self.edit(parent, |above| {
            [*above.count_mut(at), *above.count_mut(at + 1)] = [total - count, count];
            drop(above.set_bar(at + 1, bar));
        });
    }

    /// Has the only child of the root be the root, as often as there is but one.
    fn trim_root(&mut self) {
        loop {
            let root = self.inners.get(self.root);
            if root.level == 0 || root.len() > 1 {
                return;
            }
            let child = root.names()[0];
            self.inner_bytes -= self.inners.remove(self.root).bytes();
            self.inners.get_mut(child).parent = NONE;
            self.root = child;
        }
    }

    /// Drops an inner node while there is one, then a leaf, wherever they are in the order; returns
    /// how many members that was the work of.
    pub(super) fn drop_last(&mut self) -> u32 {
        if let Some(cell) = self.inners.take_last() {
            self.inner_bytes -= cell.as_ref().map_or(0, Inner::bytes);
            return INNER_WORK;
        }
        let leaf = self.leaves.take_last().flatten();
        let len = leaf.as_ref().map_or(0, Leaf::len);
        self.block_bytes -= leaf.as_ref().map_or(0, Leaf::bytes);
        self.len -= len;
        u32::try_from(len + 1).expect("leaves are small")
    }

    /// Asserts the invariants of nodes, counts and chain.
    pub(super) fn check(&self) {
        self.leaves.check();
        self.inners.check();
        self.longs.check();
        let mut leaves = Vec::new();
        let inners = self.check_inner(self.root, NONE, &mut leaves);
        assert_eq!(inners, self.inners.len(), "inner nodes hang together");
        assert_eq!(leaves.len(), self.leaves.len(), "leaves hang together");
        let ends = [leaves[0], leaves[leaves.len() - 1]];
        assert_eq!(ends, [self.first, self.last], "the ends of the chain");
        let nexts = leaves.iter().skip(1).copied().chain([NONE]);
        let prevs = [NONE].into_iter().chain(leaves.iter().copied());
        for ((&name, next), prev) in leaves.iter().zip(nexts).zip(prevs) {
            let leaf = self.leaf(name);
            assert_eq!(
                (leaf.next, leaf.prev),
                (next, prev),
                "the chain is in order"
            );
            leaf.check(&self.longs);
            assert!(leaf.len() <= LEAF_MAX && (leaf.len() > 0 || self.len == 0));
        }
        let long = |leaf: &Leaf| {
            (0..leaf.len())
                .filter(|&at| leaf.name(at).is_some())
                .count()
        };
        let longs = self.leaves.iter().map(|(_, leaf)| long(leaf));
        assert_eq!(
            longs.sum::<usize>(),
            self.longs.len(),
            "long strings are named once"
        );
        let blocks = self.leaves.iter().map(|(_, leaf)| leaf.bytes());
        assert_eq!(
            blocks.sum::<usize>(),
            self.block_bytes,
            "bytes of the leaves"
        );
        let inners = self.inners.iter().map(|(_, inner)| inner.bytes());
        assert_eq!(
            inners.sum::<usize>(),
            self.inner_bytes,
            "bytes of the inner nodes"
        );
    }

    /// Asserts the invariants of an inner node and those below, whose leaves it lists; returns
    /// how many inner nodes there are.
    fn check_inner(&self, name: u32, parent: u32, leaves: &mut Vec<u32>) -> usize {
        let inner = self.inners.get(name);
        assert_eq!(inner.parent, parent, "a child names its parent");
        assert!(
            (1..=INNER_MAX).contains(&inner.len()),
            "the width of an inner node"
        );
        let mut inners = 1;
        for (at, (&child, &count)) in inner.names().iter().zip(inner.counts()).enumerate() {
            let before = leaves.len();
            if inner.level == 0 {
                assert_eq!(self.leaf(child).parent, name, "a leaf names its parent");
                leaves.push(child);
            } else {
                assert_eq!(
                    self.inners.get(child).level + 1,
                    inner.level,
                    "levels count down"
                );
                inners += self.check_inner(child, name, leaves);
            }
            let below = leaves[before..]
                .iter()
                .map(|&leaf| self.leaf(leaf).len() as u64);
            assert_eq!(below.sum::<u64>(), count, "the count of a child");
            if at > 0 {
                let (left, right) = (self.leaf(leaves[before - 1]), self.leaf(leaves[before]));
                let left = left.pair(left.len() - 1, &self.longs);
                assert!(
                    compare(left, inner.bar(at)).is_lt(),
                    "a bar is behind what is before"
                );
                let right = right.pair(0, &self.longs);
                assert!(
                    compare(inner.bar(at), right).is_le(),
                    "a bar is before its child"
                );
            }
        }
        inners
    }
}
