//! Long lists: nodes in order, each a listpack or one large element.
//!
//! Invariants: 1. no node is empty; 2. `len` is the sum of the nodes' lengths; 3. with a compression
//! depth, nodes farther than that from both ends are compressed, if that pays, the others are not.
//! Cost: both ends are O(1); an index is found by walking over nodes from the nearer end.

mod restore;

pub use restore::ListParts;

use super::node::Node;
use super::{End, Limits};
use crate::value::item_of;
use dovetail_memory::listpack::{self, EMPTY, Encoded, Item, Listpack};
use dovetail_memory::{Splice, heap_bytes};
use std::collections::VecDeque;
use std::ops::Range;

/// A list too long for its key's record.
#[derive(Clone, Debug, Default)]
pub struct List {
    nodes: VecDeque<Node>,
    len: usize,
}

impl List {
    /// The elements of a listpack.
    pub(super) fn from_pack(pack: &[u8]) -> Self {
        let node = Node::packed(pack);
        let len = node.len();
        let nodes = if len > 0 {
            VecDeque::from([node])
        } else {
            VecDeque::new()
        };
        Self { nodes, len }
    }

    /// How many elements it has.
    #[must_use]
    pub fn len(&self) -> usize {
        self.len
    }

    /// No element at all.
    #[must_use]
    pub fn is_empty(&self) -> bool {
        self.len == 0
    }

    /// How many nodes it has.
    #[must_use]
    pub fn nodes(&self) -> usize {
        self.nodes.len()
    }

    /// Bytes of memory. Cost: a walk over the nodes.
    #[must_use]
    pub fn memory(&self) -> usize {
        let nodes: usize = self.nodes.iter().map(Node::memory).sum();
        let places = heap_bytes(self.nodes.capacity() * size_of::<Node>());
        heap_bytes(size_of::<Self>()) + places + nodes
    }

    /// The listpack that holds all its elements, if it is one small enough to be worth leaving
    /// this form for.
    pub(super) fn as_pack(&self, limits: Limits) -> Option<Vec<u8>> {
        let node = self.nodes.front().filter(|_| self.nodes.len() == 1)?;
        if !limits.admit_shrunk(node.file_bytes(), node.len()) {
            return None;
        }
        node.pack().map(std::borrow::Cow::into_owned)
    }

    /// Puts `word` at one end.
    pub(super) fn push(&mut self, end: End, word: &[u8], limits: Limits) {
        self.len += 1;
        if limits.is_large(word) {
            self.push_node(end, Node::plain(word), limits);
            return;
        }
        let element = Encoded::new(item_of(word));
        let node = match end {
            End::Head => self.nodes.front_mut(),
            End::Tail => self.nodes.back_mut(),
        };
        if let Some(node) = node
            && !node.is_plain()
            && limits.admit(node.file_bytes() + element.len(), node.len() + 1)
        {
            node.edit(|gapped| match end {
                End::Head => listpack::insert(gapped, listpack::HEAD_BYTES, &element),
                End::Tail => listpack::push(gapped, &element),
            });
            return;
        }
        let mut pack = EMPTY.to_vec();
        listpack::push(&mut pack, &element);
        self.push_node(end, Node::packed(&pack), limits);
    }

    fn push_node(&mut self, end: End, node: Node, limits: Limits) {
        match end {
            End::Head => {
                if let Some(old) = self.nodes.front_mut() {
                    old.tighten();
                }
                self.nodes.push_front(node);
            }
            End::Tail => {
                if let Some(old) = self.nodes.back_mut() {
                    old.tighten();
                }
                self.nodes.push_back(node);
            }
        }
        self.settle(None, limits);
    }

    /// Compresses and uncompresses as the depth asks for, after nodes have come, gone or changed at
    /// the ends, and at `touched`.
    fn settle(&mut self, touched: Option<usize>, limits: Limits) {
        let (depth, count) = (limits.depth, self.nodes.len());
        if depth == 0 {
            return;
        }
        for index in 0..depth.min(count) {
            self.nodes[index].unsqueeze();
            self.nodes[count - 1 - index].unsqueeze();
        }
        let inner = depth..count.saturating_sub(depth);
        let edges = [inner.start, inner.end.wrapping_sub(1)];
        for index in edges.into_iter().chain(touched) {
            if inner.contains(&index) {
                self.nodes[index].squeeze();
            }
        }
    }

    /// Node and place within it of element `index`, which exists.
    fn locate(&self, index: usize) -> (usize, usize) {
        if index < self.len / 2 {
            let mut before = 0;
            for (at, node) in self.nodes.iter().enumerate() {
                if index < before + node.len() {
                    return (at, index - before);
                }
                before += node.len();
            }
        }
        let mut before = self.len;
        for (at, node) in self.nodes.iter().enumerate().rev() {
            before -= node.len();
            if index >= before {
                return (at, index - before);
            }
        }
        unreachable!("the index is below the length")
    }

    /// Visits elements from `index` on towards the tail, until `visit` says stop.
    pub(super) fn visit(&self, index: usize, visit: &mut dyn FnMut(Item<'_>) -> bool) {
        if index >= self.len {
            return;
        }
        let (first, mut skip) = self.locate(index);
        for node in self.nodes.range(first..) {
            if !node.visit(skip, false, visit) {
                return;
            }
            skip = 0;
        }
    }

    /// Visits elements from `index` on towards the head, until `visit` says stop.
    pub(super) fn visit_back(&self, index: usize, visit: &mut dyn FnMut(Item<'_>) -> bool) {
        if index >= self.len {
            return;
        }
        let (first, place) = self.locate(index);
        let mut skip = self.nodes[first].len() - 1 - place;
        for node in self.nodes.range(..=first).rev() {
            if !node.visit(skip, true, visit) {
                return;
            }
            skip = 0;
        }
    }

    /// Puts `word` in the place of element `index`, which exists.
    pub(super) fn set(&mut self, index: usize, word: &[u8], limits: Limits) {
        let (at, place) = self.locate(index);
        let node = &mut self.nodes[at];
        let element = (!limits.is_large(word)).then(|| Encoded::new(item_of(word)));
        if let Some(element) = element
            && !node.is_plain()
            && limits.admit(node.file_bytes() + element.len(), node.len())
        {
            node.edit(|gapped| {
                let at = Listpack::new(gapped.bytes()).seek(place);
                listpack::replace(gapped, at, &element);
            });
            self.settle(Some(at), limits);
            return;
        }
        if self.nodes[at].len() == 1 {
            self.nodes[at] = node_of(word, limits);
            self.settle(Some(at), limits);
            return;
        }
        self.remove(index..index + 1, limits);
        self.insert(index, word, limits);
    }

    /// Puts `word` before element `index`; the end is an index as well.
    pub(super) fn insert(&mut self, index: usize, word: &[u8], limits: Limits) {
        if index == 0 || index == self.len {
            let end = if index == 0 { End::Head } else { End::Tail };
            self.push(end, word, limits);
            return;
        }
        let (at, place) = self.locate(index);
        self.len += 1;
        let node = &mut self.nodes[at];
        let element = (!limits.is_large(word)).then(|| Encoded::new(item_of(word)));
        if let Some(element) = element
            && !node.is_plain()
            && limits.admit(node.file_bytes() + element.len(), node.len() + 1)
        {
            node.edit(|gapped| {
                let at = Listpack::new(gapped.bytes()).seek(place);
                listpack::insert(gapped, at, &element);
            });
            self.settle(Some(at), limits);
            return;
        }
        let mut next = at;
        if place > 0 {
            let mut rest = self.nodes[at].split_off(place);
            rest.tighten();
            self.nodes[at].tighten();
            next += 1;
            self.nodes.insert(next, rest);
            self.settle(Some(next), limits);
        }
        self.nodes.insert(next, node_of(word, limits));
        self.settle(Some(next), limits);
        self.merge_at(next, limits);
        self.merge_at(next - 1, limits);
        self.settle(Some(next - 1), limits);
    }

    /// Joins node `at` and the one behind it, if both fit one.
    fn merge_at(&mut self, at: usize, limits: Limits) {
        if at + 1 >= self.nodes.len() || !self.nodes[at].takes(&self.nodes[at + 1], limits) {
            return;
        }
        if let Some(next) = self.nodes.remove(at + 1) {
            self.nodes[at].join(&next);
            self.settle(Some(at), limits);
        }
    }

    /// Removes the elements with these indexes, all of which exist.
    pub(super) fn remove(&mut self, range: Range<usize>, limits: Limits) {
        if range.is_empty() {
            return;
        }
        let (first, place) = self.locate(range.start);
        let mut left = range.len();
        let is_inner = range.start > 0 && range.end < self.len;
        self.len -= left;
        let mut at = first;
        let mut skip = place;
        // Whole nodes are taken out together behind this.
        let mut whole = 0..0;
        while left > 0 {
            let len = self.nodes[at].len();
            let here = left.min(len - skip);
            if here == len {
                let begin = if whole.is_empty() { at } else { whole.start };
                whole = begin..at + 1;
            } else {
                self.nodes[at].edit(|gapped| remove_elements(gapped, skip..skip + here));
                self.settle(Some(at), limits);
            }
            left -= here;
            skip = 0;
            at += 1;
        }
        drop(self.nodes.drain(whole));
        // A queue that is taken from at one end shall not copy what it will take next.
        if is_inner {
            self.merge_at(first, limits);
            self.merge_at(first.saturating_sub(1), limits);
        }
        self.settle(None, limits);
    }

    /// Removes up to `most` elements that equal `word`, looking from one end. Returns how many.
    pub(super) fn remove_equal(
        &mut self,
        word: &[u8],
        end: End,
        most: usize,
        limits: Limits,
    ) -> usize {
        let wanted = item_of(word);
        let mut removed = 0;
        let count = self.nodes.len();
        for step in 0..count {
            if removed == most {
                break;
            }
            let at = if end == End::Head {
                step
            } else {
                count - 1 - step
            };
            let node = &mut self.nodes[at];
            let doomed = positions_equal(node, wanted, end, most - removed);
            if doomed.is_empty() {
                continue;
            }
            removed += doomed.len();
            if doomed.len() == node.len() {
                // Emptied; taken out below.
                *node = Node::packed(&EMPTY);
                continue;
            }
            node.edit(|gapped| remove_at(gapped, &doomed));
            self.settle(Some(at), limits);
        }
        self.len -= removed;
        self.nodes.retain(|node| node.len() > 0);
        self.settle(None, limits);
        removed
    }

    /// Removes up to `budget` nodes, and subtracts them from it: for destroying a long list piece
    /// by piece.
    pub fn drain(&mut self, budget: &mut u32) {
        while *budget > 0
            && let Some(node) = self.nodes.pop_back()
        {
            self.len -= node.len();
            *budget -= 1;
        }
    }

    /// Asserts the invariants.
    ///
    /// # Panics
    /// When one is broken.
    pub fn check(&self) {
        let len: usize = self.nodes.iter().map(Node::len).sum();
        assert_eq!(len, self.len, "the length is the sum of the nodes'");
        assert!(
            self.nodes.iter().all(|node| node.len() > 0),
            "no empty node"
        );
    }
}

/// A node with one element.
fn node_of(word: &[u8], limits: Limits) -> Node {
    if limits.is_large(word) {
        return Node::plain(word);
    }
    let mut pack = EMPTY.to_vec();
    listpack::push(&mut pack, &Encoded::new(item_of(word)));
    Node::packed(&pack)
}

/// Places of up to `most` elements of `node` that equal `wanted`, ascending.
fn positions_equal(node: &Node, wanted: Item<'_>, end: End, most: usize) -> Vec<usize> {
    let mut found = Vec::new();
    let mut step = 0;
    node.visit(0, end == End::Tail, &mut |item| {
        if item == wanted {
            found.push(step);
        }
        step += 1;
        found.len() < most
    });
    if end == End::Tail {
        let last = node.len() - 1;
        found = found.into_iter().rev().map(|step| last - step).collect();
    }
    found
}

/// Removes the elements with these indexes.
pub(super) fn remove_elements(buffer: &mut impl Splice, range: Range<usize>) {
    let pack = Listpack::new(buffer.bytes());
    let from = pack.seek(range.start);
    let to = if range.len() < 8 {
        range.clone().fold(from, |at, _| pack.next(at))
    } else {
        pack.seek(range.end)
    };
    listpack::remove(buffer, from, to, range.len());
}

/// Removes the elements with these indexes, which ascend.
pub(super) fn remove_at(buffer: &mut impl Splice, doomed: &[usize]) {
    if let [index] = doomed {
        remove_elements(buffer, *index..index + 1);
        return;
    }
    let pack = Listpack::new(buffer.bytes());
    let mut kept = EMPTY.to_vec();
    let (mut at, mut index, mut next) = (pack.begin(), 0, 0);
    while at < pack.end() {
        let end = pack.next(at);
        if doomed.get(next) == Some(&index) {
            next += 1;
        } else {
            kept.extend_from_slice(&pack.as_bytes()[at..end]);
        }
        (at, index) = (end, index + 1);
    }
    let len = pack.end();
    listpack::set_count(&mut kept, index - doomed.len());
    buffer.splice(0, len, kept.len()).copy_from_slice(&kept);
}
