//! The tree of [`Ranked`](super::Ranked): descents, ranks, and growing.
//!
//! Shape: leaves are chained both ways; every node names its parent. There always is a root, which
//! is an inner node, and a leaf. New leaves are entered bottom up.

use std::cmp::Ordering;
use std::ops::Range;

use super::inner::{Bar, Inner, bar};
use super::leaf::{Leaf, compare};
use crate::longs::Longs;
use crate::names::{NONE, Names};

/// Members in a leaf at most.
pub(super) const LEAF_MAX: usize = 64;
/// Children of an inner node at most.
pub(super) const INNER_MAX: usize = 64;

/// A place in a leaf.
#[derive(Clone, Copy, Debug)]
pub(super) struct Spot {
    pub(super) leaf: u32,
    pub(super) at: usize,
}

/// Members that have another leaf now: those in `range` of `to` were in `from`.
#[derive(Clone, Debug)]
pub(super) struct Moved {
    pub(super) from: u32,
    pub(super) to: u32,
    pub(super) range: Range<usize>,
}

/// Where in the tree something is put in: at an edge, nodes are left full.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
enum Edge {
    First,
    Inside,
    Last,
}

/// The tree; see the module's text.
#[derive(Clone, Debug)]
pub(super) struct Tree {
    pub(super) leaves: Names<Leaf>,
    pub(super) inners: Names<Inner>,
    pub(super) longs: Longs,
    pub(super) root: u32,
    pub(super) first: u32,
    pub(super) last: u32,
    pub(super) len: usize,
    pub(super) block_bytes: usize,
    pub(super) inner_bytes: usize,
}

impl Tree {
    pub(super) fn new() -> Self {
        let mut tree = Self {
            leaves: Names::new(),
            inners: Names::new(),
            longs: Longs::new(),
            root: 0,
            first: 0,
            last: 0,
            len: 0,
            block_bytes: 0,
            inner_bytes: 0,
        };
        tree.root = tree.inners.add(Inner::new(NONE, 0));
        tree.first = tree.leaves.add(Leaf::new(tree.root));
        tree.last = tree.first;
        let first = tree.first;
        tree.edit(tree.root, |root| {
            root.insert(0, first, 0, (0.0, Box::default()))
        });
        tree
    }

    pub(super) const fn bytes(&self) -> usize {
        self.leaves.bytes()
            + self.inners.bytes()
            + self.longs.bytes()
            + self.block_bytes
            + self.inner_bytes
    }

    #[inline]
    pub(super) fn leaf(&self, name: u32) -> &Leaf {
        self.leaves.get(name)
    }

    /// Changes an inner node in a way that may change its bytes.
    pub(super) fn edit<R>(&mut self, name: u32, change: impl FnOnce(&mut Inner) -> R) -> R {
        let inner = self.inners.get_mut(name);
        self.inner_bytes -= inner.bytes();
        let done = change(inner);
        self.inner_bytes += inner.bytes();
        done
    }

    /// Goes down from the root, as `choose` says.
    #[inline]
    fn descend(&self, mut choose: impl FnMut(&Inner) -> usize) -> u32 {
        let mut inner = self.inners.get(self.root);
        loop {
            let child = inner.names()[choose(inner)];
            if inner.level == 0 {
                return child;
            }
            inner = self.inners.get(child);
        }
    }

    /// The leaf where `(score, member)` is or would be.
    pub(super) fn leaf_of(&self, score: f64, member: &[u8]) -> u32 {
        self.descend(|inner| inner.child(score, member))
    }

    /// Where `(score, member)` is or would be in its leaf.
    pub(super) fn spot(&self, leaf: u32, score: f64, member: &[u8]) -> Spot {
        let at = self.leaf(leaf).before(score, member, &self.longs);
        Spot { leaf, at }
    }

    /// Where the member of number `rank` is; the place behind the last one if there is none.
    pub(super) fn ranked(&self, rank: usize) -> Spot {
        let mut rest = rank.min(self.len) as u64;
        let leaf = self.descend(|inner| {
            let at;
            (at, rest) = inner.ranked(rest);
            at
        });
        let at = usize::try_from(rest).expect("a place in a leaf");
        Spot { leaf, at }
    }

    /// How many members at the front fulfil `holds`.
    pub(super) fn partition(&self, holds: &dyn Fn(f64, &[u8]) -> bool) -> usize {
        let mut before = 0;
        let leaf = self.descend(|inner| {
            let at = inner.partition(holds);
            before += inner.before(at);
            at
        });
        let before = usize::try_from(before).expect("no more than there are");
        before + self.leaf(leaf).partition(holds, &self.longs)
    }

    /// How many members are before the leaf.
    pub(super) fn before(&self, leaf: u32) -> usize {
        let (mut name, mut before) = (leaf, 0);
        let Leaf {
            mut parent,
            mut place,
            ..
        } = *self.leaf(leaf);
        while parent != NONE {
            let inner = self.inners.get(parent);
            before += inner.before(inner.position(name, place));
            (name, parent, place) = (parent, inner.parent, inner.place);
        }
        usize::try_from(before).expect("no more than there are")
    }

    /// Changes the counts above the leaf, and the length, by `change`.
    pub(super) fn count(&mut self, leaf: u32, change: isize) {
        self.len = self.len.wrapping_add_signed(change);
        let mut parent = self.count_leaf(leaf, change);
        while parent != NONE {
            parent = self.count_inner(parent, change);
        }
    }

    /// Counts a member that has gone from one leaf to another: no further up than the first node
    /// that is above both.
    fn count_move(&mut self, from: u32, to: u32) {
        let mut above = (self.count_leaf(from, -1), self.count_leaf(to, 1));
        while above.0 != above.1 {
            above = (self.count_inner(above.0, -1), self.count_inner(above.1, 1));
        }
    }

    /// Changes the count that the parent of a leaf has of it, and returns the parent.
    #[inline]
    fn count_leaf(&mut self, name: u32, change: isize) -> u32 {
        let leaf = self.leaves.get_mut(name);
        let inner = self.inners.get_mut(leaf.parent);
        leaf.place = inner.count(name, leaf.place, change);
        leaf.parent
    }

    /// Changes the count that the parent of an inner node has of it, if there is one, and returns
    /// the parent.
    #[inline]
    fn count_inner(&mut self, name: u32, change: isize) -> u32 {
        let node = self.inners.get(name);
        let (parent, place) = (node.parent, node.place);
        if parent != NONE {
            let place = self.inners.get_mut(parent).count(name, place, change);
            self.inners.get_mut(name).place = place;
        }
        parent
    }

    /// Puts a member in, where there is room.
    pub(super) fn insert(&mut self, spot: Spot, tag: u8, score: f64, member: &[u8]) {
        self.enter_leaf(spot, tag, score, member);
        self.count(spot.leaf, 1);
    }

    /// Puts a member into a leaf, uncounted.
    fn enter_leaf(&mut self, spot: Spot, tag: u8, score: f64, member: &[u8]) {
        let leaf = self.leaves.get_mut(spot.leaf);
        self.block_bytes -= leaf.bytes();
        leaf.insert(spot.at, tag, score, member, &mut self.longs);
        self.block_bytes += leaf.bytes();
    }

    /// Gives a member another score that belongs in the same leaf.
    pub(super) fn shift(&mut self, spot: Spot, member: &[u8], score: f64) {
        let before = self.leaf(spot.leaf).before(score, member, &self.longs);
        let to = before - usize::from(before > spot.at);
        let leaf = self.leaves.get_mut(spot.leaf);
        leaf.shift(spot.at, to, score);
    }

    /// Moves a member, given with the byte of its hash and its new score, to another leaf, which has
    /// room for it.
    pub(super) fn relocate(&mut self, old: Spot, to: u32, (tag, score, member): (u8, f64, &[u8])) {
        self.leave_leaf(old);
        let spot = self.spot(to, score, member);
        self.enter_leaf(spot, tag, score, member);
        self.count_move(old.leaf, to);
    }

    /// Makes room for `(score, member)` in a full leaf: where it belongs now, and what has moved.
    pub(super) fn split(&mut self, spot: Spot, score: f64, member: &[u8]) -> (Spot, Option<Moved>) {
        let leaf = self.leaves.get_mut(spot.leaf);
        let len = leaf.len();
        let edge = match () {
            () if spot.at == len && leaf.next == NONE => Edge::Last,
            () if spot.at == 0 && leaf.prev == NONE => Edge::First,
            () => Edge::Inside,
        };
        let mut new = Leaf::new(leaf.parent);
        let bar = match edge {
            Edge::Last => bar(leaf.pair(len - 1, &self.longs), (score, member)),
            Edge::First => bar((score, member), leaf.pair(0, &self.longs)),
            Edge::Inside => {
                self.block_bytes -= leaf.bytes();
                leaf.give_right(len / 2, &mut new);
                self.block_bytes += leaf.bytes() + new.bytes();
                bar(
                    leaf.pair(len / 2 - 1, &self.longs),
                    new.pair(0, &self.longs),
                )
            }
        };
        let range = 0..new.len();
        let name = self.leaves.add(new);
        let is_right = match (spot.at.cmp(&(len / 2)), edge) {
            (_, Edge::First | Edge::Last) | (Ordering::Greater, _) => true,
            (Ordering::Less, _) => false,
            (Ordering::Equal, _) => compare((bar.0, &bar.1), (score, member)).is_le(),
        };
        let sides = match edge {
            Edge::First => [name, spot.leaf],
            Edge::Inside | Edge::Last => [spot.leaf, name],
        };
        self.chain(spot.leaf, sides);
        self.enter(spot.leaf, sides, bar, edge);
        match edge {
            Edge::First | Edge::Last => (Spot { leaf: name, at: 0 }, None),
            Edge::Inside => {
                let at = spot.at.saturating_sub(len / 2);
                let spot = if is_right {
                    Spot { leaf: name, at }
                } else {
                    spot
                };
                let from = sides[0];
                (
                    spot,
                    Some(Moved {
                        from,
                        to: name,
                        range,
                    }),
                )
            }
        }
    }

    /// Puts both sides in the place of `old`, which is one of them, in the chain of leaves.
    fn chain(&mut self, old: u32, sides: [u32; 2]) {
        let (prev, next) = (self.leaf(old).prev, self.leaf(old).next);
        for (left, right) in [(prev, sides[0]), (sides[0], sides[1]), (sides[1], next)] {
            self.link(left, right);
        }
    }

    /// Makes two leaves neighbours; `NONE` is the end of the chain.
    pub(super) fn link(&mut self, left: u32, right: u32) {
        match left {
            NONE => self.first = right,
            _ => self.leaves.get_mut(left).next = right,
        }
        match right {
            NONE => self.last = left,
            _ => self.leaves.get_mut(right).prev = left,
        }
    }

    /// Puts both sides in the place of `old`, which is one of them, in its parent; splits what
    /// becomes too wide.
    fn enter(&mut self, old: u32, sides: [u32; 2], bar: Bar, edge: Edge) {
        let counts = sides.map(|side| self.leaf(side).len() as u64);
        let mut node = self.leaf(old).parent;
        self.place(node, old, (sides, counts), bar);
        while self.inners.get(node).len() > INNER_MAX {
            let at = match edge {
                Edge::First => 1,
                Edge::Inside => INNER_MAX / 2,
                Edge::Last => INNER_MAX,
            };
            if self.inners.get(node).parent == NONE {
                self.add_root();
            }
            let mut right = self.edit(node, |inner| inner.split_off(at));
            let bar = right.set_bar(0, (0.0, Box::default()));
            let (parent, total) = (right.parent, right.total());
            self.inner_bytes += right.bytes();
            let right = self.inners.add(right);
            self.adopt(right);
            let left = self.inners.get(node).total();
            self.place(parent, node, ([node, right], [left, total]), bar);
            node = parent;
        }
    }

    fn place(&mut self, node: u32, old: u32, new: ([u32; 2], [u64; 2]), bar: Bar) {
        let ([left, right], [left_count, right_count]) = new;
        self.edit(node, |inner| {
            let at = inner.position(old, 0);
            inner.rename(at, left);
            *inner.count_mut(at) = left_count;
            inner.insert(at + 1, right, right_count, bar);
        });
    }

    fn add_root(&mut self) {
        let old = self.inners.get(self.root);
        let (level, total) = (old.level + 1, old.total());
        let root = self.inners.add(Inner::new(NONE, level));
        let old = std::mem::replace(&mut self.root, root);
        self.edit(root, |root| {
            root.insert(0, old, total, (0.0, Box::default()))
        });
        self.inners.get_mut(old).parent = root;
    }

    /// Tells the children of an inner node that they are.
    pub(super) fn adopt(&mut self, name: u32) {
        let inner = self.inners.get(name);
        if inner.level == 0 {
            for &child in inner.names() {
                self.leaves.get_mut(child).parent = name;
            }
            return;
        }
        let children: Vec<u32> = inner.names().to_vec();
        for child in children {
            self.inners.get_mut(child).parent = name;
        }
    }
}
