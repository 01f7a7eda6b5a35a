//! Walks along the leaves of [`Ranked`](super::Ranked), both ways.

use super::leaf::Leaf;
use super::tree::{Spot, Tree};
use crate::names::NONE;
use crate::prefetch;

/// From a member to those behind it.
#[derive(Clone, Debug)]
pub(super) struct Forward<'a> {
    tree: &'a Tree,
    leaf: &'a Leaf,
    at: usize,
    /// Where the member `at` begins.
    offset: usize,
}

impl<'a> Forward<'a> {
    pub(super) fn new(tree: &'a Tree, spot: Spot) -> Self {
        let leaf = tree.leaf(spot.leaf);
        ask_for(tree, leaf.next);
        Self {
            tree,
            leaf,
            at: spot.at,
            offset: leaf.offset(spot.at),
        }
    }

    /// Goes on to the next leaf with a member; returns whether there is one.
    #[inline(never)]
    fn go_on(&mut self) -> bool {
        while self.at == self.leaf.len() {
            if self.leaf.next == NONE {
                return false;
            }
            let leaf = self.leaf.next;
            *self = Self::new(self.tree, Spot { leaf, at: 0 });
        }
        true
    }
}

impl<'a> Iterator for Forward<'a> {
    type Item = (&'a [u8], f64);

    #[inline]
    fn next(&mut self) -> Option<Self::Item> {
        if self.at == self.leaf.len() && !self.go_on() {
            return None;
        }
        let member = self.leaf.member_at(self.at, self.offset, &self.tree.longs);
        let score = self.leaf.score(self.at);
        self.offset += self.leaf.held(self.at);
        self.at += 1;
        Some((member, score))
    }
}

/// From a member to those before it.
#[derive(Clone, Debug)]
pub(super) struct Backward<'a> {
    tree: &'a Tree,
    leaf: &'a Leaf,
    /// Members of the leaf that are still to come.
    left: usize,
    /// Where the last of them ends.
    offset: usize,
}

impl<'a> Backward<'a> {
    /// The walk over the `spot.at` first members of the leaf, and all before it.
    pub(super) fn new(tree: &'a Tree, spot: Spot) -> Self {
        let leaf = tree.leaf(spot.leaf);
        ask_for(tree, leaf.prev);
        Self {
            tree,
            leaf,
            left: spot.at,
            offset: leaf.offset(spot.at),
        }
    }
}

impl<'a> Iterator for Backward<'a> {
    type Item = (&'a [u8], f64);

    #[inline]
    fn next(&mut self) -> Option<Self::Item> {
        while self.left == 0 {
            let leaf = self.leaf.prev;
            if leaf == NONE {
                return None;
            }
            let at = self.tree.leaf(leaf).len();
            *self = Self::new(self.tree, Spot { leaf, at });
        }
        self.left -= 1;
        self.offset -= self.leaf.held(self.left);
        let member = self
            .leaf
            .member_at(self.left, self.offset, &self.tree.longs);
        Some((member, self.leaf.score(self.left)))
    }
}

/// Asks for a leaf that will be walked after this one.
#[inline]
fn ask_for(tree: &Tree, leaf: u32) {
    if leaf != NONE {
        prefetch::line(std::ptr::from_ref(tree.leaf(leaf)).cast());
    }
}
