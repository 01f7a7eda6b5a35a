//! The two-level directory: from the top bits of a hash to a segment.
//!
//! Shape: a root indexed by the first bits, whose entries name nodes; a node of up to 512 segment
//! pointers indexed by the next bits. Both levels grow by extendible hashing: a node doubles until
//! 512, then splits in two, and only then may the root, which is small, double.
//! Invariants: 1. a segment of depth d fills exactly the slots whose bits begin with its d bits.
//! 2. A node is no larger than its deepest segment needs. 3. A segment lies in one node.
//! Cost: a look-up is two dependent loads; a split or merge touches at most two nodes and the root.

use std::ptr::NonNull;

use crate::hash::{PREFIX_BITS, Probe, index, low_u32};
use crate::segment::Segment;

const NODE_SLOTS_MAX: usize = 512;
/// Nodes join when each has at most this many slots: half of what a split leaves.
const JOIN_SLOTS_MAX: usize = 128;

type SegmentPtr = NonNull<Segment>;

/// A root entry: where its node is and which bits index it.
#[derive(Clone, Copy, Debug)]
struct Node {
    slots: NonNull<SegmentPtr>,
    shift: u32,
    mask: u32,
}

impl Node {
    fn new(slots: Vec<SegmentPtr>, shift: u32) -> Self {
        let mask = low_u32(slots.len() as u64 - 1);
        debug_assert!(slots.len().is_power_of_two(), "bits index a node");
        Self {
            slots: NonNull::from(Box::leak(slots.into_boxed_slice())).cast(),
            shift,
            mask,
        }
    }

    #[inline]
    fn index(self, bits: u64) -> usize {
        index(bits.wrapping_shr(self.shift)) & self.mask as usize
    }

    fn len(self) -> usize {
        self.mask as usize + 1
    }

    /// How many hash bits root and node tell apart.
    fn depth(self) -> u32 {
        64 - self.shift
    }

    /// How many hash bits lead to the node.
    fn root_depth(self) -> u32 {
        self.depth() - self.mask.count_ones()
    }
}

/// The directory of one table; without segments it is empty.
#[derive(Debug)]
pub(crate) struct Directory {
    root: Vec<Node>,
    shift: u32,
    mask: usize,
    segments: usize,
}

impl Directory {
    pub(crate) fn new() -> Self {
        Self {
            root: Vec::new(),
            shift: 64,
            mask: 0,
            segments: 0,
        }
    }

    /// Number of segments.
    pub(crate) fn segments(&self) -> usize {
        self.segments
    }

    /// How many bits root and nodes tell apart at most.
    pub(crate) fn depth(&self) -> u32 {
        self.root.iter().map(|node| node.depth()).max().unwrap_or(0)
    }

    /// Bytes of root and nodes.
    pub(crate) fn bytes(&self) -> usize {
        let slots: usize = self.nodes().map(|(_, node)| node.len()).sum();
        self.root.capacity() * size_of::<Node>() + slots * size_of::<SegmentPtr>()
    }

    #[inline]
    fn root_index(&self, bits: u64) -> usize {
        index(bits.wrapping_shr(self.shift)) & self.mask
    }

    /// The pointer to the segment of `probe`; `None` in an empty directory.
    #[inline]
    pub(crate) fn pointer(&self, probe: Probe) -> Option<SegmentPtr> {
        let node = self.root.get(self.root_index(probe.bits()))?;
        // SAFETY: the mask keeps the index inside the node.
        let slot = unsafe { node.slots.add(node.index(probe.bits())) };
        // SAFETY: a node's slots are initialised, and written only under `&mut self`.
        Some(unsafe { slot.read() })
    }

    /// The segment of `probe`; `None` in an empty directory.
    #[inline]
    pub(crate) fn segment(&self, probe: Probe) -> Option<&Segment> {
        // SAFETY: segments named by the directory are live; all their fields are cells.
        self.pointer(probe)
            .map(|segment| unsafe { segment.as_ref() })
    }

    fn slots(&self, at: usize) -> &[SegmentPtr] {
        let node = self.root[at];
        // SAFETY: the node has that many initialised slots, written only under `&mut self`.
        unsafe { std::slice::from_raw_parts(node.slots.as_ptr(), node.len()) }
    }

    fn slots_mut(&mut self, at: usize) -> &mut [SegmentPtr] {
        let node = self.root[at];
        // SAFETY: the node has that many initialised slots, ours alone under `&mut self`.
        unsafe { std::slice::from_raw_parts_mut(node.slots.as_ptr(), node.len()) }
    }

    /// Number of root entries that name the node of entry `at`, and the first of them.
    fn root_range(&self, at: usize) -> (usize, usize) {
        let root_depth = self.mask.count_ones();
        let span = 1 << (root_depth - self.root[at].root_depth());
        (at & !(span - 1), span)
    }

    /// Each node once, with its first entry in the root.
    fn nodes(&self) -> impl Iterator<Item = (usize, Node)> {
        let firsts = (0..self.root.len()).filter(|&at| self.root_range(at).0 == at);
        firsts.map(|at| (at, self.root[at]))
    }

    /// Puts `node` in the place of the one of entry `at`, which it frees.
    fn replace(&mut self, at: usize, node: Node) {
        let (first, span) = self.root_range(at);
        let old = self.root[at];
        self.root[first..first + span].fill(node);
        // SAFETY: no root entry names the old node any more.
        unsafe { free_node(old) }
    }

    /// Sets up the first segment.
    pub(crate) fn begin(&mut self, segment: SegmentPtr) {
        debug_assert!(self.root.is_empty(), "the first segment comes first");
        self.root = vec![Node::new(vec![segment], 64)];
        (self.shift, self.mask, self.segments) = (64, 0, 1);
    }

    /// Enters `buddy`, the upper half of the segment of `probe`, which now has depth `depth`.
    pub(crate) fn split(&mut self, probe: Probe, buddy: SegmentPtr, depth: u32) {
        let bits = probe.bits();
        let at = loop {
            let at = self.root_index(bits);
            let node = self.root[at];
            if node.depth() >= depth {
                break at;
            }
            if node.len() < NODE_SLOTS_MAX {
                let slots = self.slots(at).iter().flat_map(|&s| [s, s]).collect();
                self.replace(at, Node::new(slots, node.shift - 1));
            } else {
                self.halve_node(at);
            }
        };
        let node = self.root[at];
        let span = 1 << (node.depth() - depth);
        let middle = (node.index(bits) & !(2 * span - 1)) + span;
        self.slots_mut(at)[middle..middle + span].fill(buddy);
        self.segments += 1;
    }

    /// Splits a node in two, each leading from one more root bit.
    fn halve_node(&mut self, at: usize) {
        let mut at = at;
        if self.root_range(at).1 == 1 {
            self.root = self.root.iter().flat_map(|&node| [node, node]).collect();
            self.shift -= 1;
            self.mask = 2 * self.mask + 1;
            at *= 2;
        }
        let (first, span) = self.root_range(at);
        let old = self.root[at];
        let (low, high) = self.slots(at).split_at(old.len() / 2);
        let low = Node::new(low.to_vec(), old.shift);
        let high = Node::new(high.to_vec(), old.shift);
        self.root[first..first + span / 2].fill(low);
        self.root[first + span / 2..first + span].fill(high);
        // SAFETY: no root entry names the old node any more.
        unsafe { free_node(old) }
        self.trim_node(first);
        self.trim_node(first + span / 2);
    }

    /// The segment that differs from that of `probe`, of depth `depth`, in its last bit only; both
    /// must be in one node and have the same depth.
    pub(crate) fn buddy(&self, probe: Probe, depth: u32) -> Option<SegmentPtr> {
        let node = *self.root.get(self.root_index(probe.bits()))?;
        if depth <= node.root_depth() {
            return None;
        }
        let buddy = Probe::of_prefix(probe.prefix() ^ (1 << (PREFIX_BITS - depth)));
        let pointer = self.pointer(buddy)?;
        let is_alike = self.segment(buddy)?.depth() == depth;
        is_alike.then_some(pointer)
    }

    /// Gives the slots of two buddies of depth `depth` to `survivor`, one of them, and shrinks.
    pub(crate) fn merge(&mut self, probe: Probe, survivor: SegmentPtr, depth: u32) {
        let bits = probe.bits();
        let at = self.root_index(bits);
        let node = self.root[at];
        let span = 1 << (node.depth() - depth);
        let first = node.index(bits) & !(2 * span - 1);
        self.slots_mut(at)[first..first + 2 * span].fill(survivor);
        self.segments -= 1;
        self.trim_node(at);
        while self.join_nodes(bits) {}
        self.trim_root();
    }

    /// Halves the node of entry `at` as long as no segment needs all its bits.
    fn trim_node(&mut self, at: usize) {
        loop {
            let node = self.root[at];
            let slots = self.slots(at);
            if slots.len() == 1 || slots.chunks_exact(2).any(|pair| pair[0] != pair[1]) {
                return;
            }
            let half = slots.iter().step_by(2).copied().collect();
            self.replace(at, Node::new(half, node.shift + 1));
        }
    }

    /// Joins the node of `bits` with its buddy when both are small; returns whether it did.
    fn join_nodes(&mut self, bits: u64) -> bool {
        let (first, span) = self.root_range(self.root_index(bits));
        let other = first ^ span;
        let Some(&buddy) = self.root.get(other) else {
            return false;
        };
        let node = self.root[first];
        let is_small = node.len().max(buddy.len()) <= JOIN_SLOTS_MAX;
        if buddy.root_depth() != node.root_depth() || !is_small {
            return false;
        }
        let (low, high) = (first.min(other), first.max(other));
        let shift = node.shift.min(buddy.shift);
        let spread = |at: usize| {
            let times = 1_usize << (self.root[at].shift - shift);
            self.slots(at)
                .iter()
                .flat_map(move |&s| std::iter::repeat_n(s, times))
        };
        let slots: Vec<SegmentPtr> = spread(low).chain(spread(high)).collect();
        self.root[low..low + 2 * span].fill(Node::new(slots, shift));
        // SAFETY: no root entry names either any more.
        unsafe { free_node(node) }
        // SAFETY: as above; the two were different nodes.
        unsafe { free_node(buddy) }
        true
    }

    fn trim_root(&mut self) {
        while self.mask > 0 && (0..self.root.len()).all(|at| self.root_range(at).1 > 1) {
            self.root = self.root.iter().step_by(2).copied().collect();
            self.shift += 1;
            self.mask /= 2;
        }
    }

    /// The segment that holds `prefix` with the prefix after its last, or `None` when empty.
    #[inline]
    pub(crate) fn at(&self, prefix: u32) -> Option<(&Segment, u32)> {
        let segment = self.segment(Probe::of_prefix(prefix))?;
        let span = 1 << (PREFIX_BITS - segment.depth());
        Some((segment, (prefix & !(span - 1)) + span))
    }

    /// Forgets all segments and frees the nodes.
    pub(crate) fn clear(&mut self) {
        let nodes: Vec<(usize, Node)> = self.nodes().collect();
        self.root = Vec::new();
        (self.shift, self.mask, self.segments) = (64, 0, 0);
        for (_, node) in nodes {
            // SAFETY: each node comes once, and the root that named it is gone.
            unsafe { free_node(node) }
        }
    }

    /// Asserts the invariants of root and nodes.
    pub(crate) fn check(&self) {
        assert!(
            self.root.is_empty() || self.root.len() == self.mask + 1,
            "the root's size"
        );
        let mut segments = 0;
        for (at, node) in self.nodes() {
            let (first, span) = self.root_range(at);
            let same = self.root[first..first + span]
                .iter()
                .all(|n| n.slots == node.slots);
            assert!(same, "a node's root entries agree");
            let mut deepest = node.root_depth();
            let mut slot = 0;
            while slot < node.len() {
                let pointer = self.slots(at)[slot];
                // SAFETY: segments named by the directory are live.
                let depth = unsafe { pointer.as_ref() }.depth();
                assert!(
                    depth >= node.root_depth() && depth <= node.depth(),
                    "depths nest"
                );
                let span = 1 << (node.depth() - depth);
                assert_eq!(slot % span, 0, "segments are aligned");
                assert!(
                    self.slots(at)[slot..slot + span]
                        .iter()
                        .all(|&s| s == pointer)
                );
                deepest = deepest.max(depth);
                segments += 1;
                slot += span;
            }
            assert_eq!(deepest, node.depth(), "a node is as large as needed");
        }
        assert_eq!(segments, self.segments, "the number of segments");
    }
}

impl Drop for Directory {
    fn drop(&mut self) {
        self.clear();
    }
}

/// # Safety
///
/// `node` is not used any more.
unsafe fn free_node(node: Node) {
    let slots = NonNull::slice_from_raw_parts(node.slots, node.len());
    // SAFETY: the slots were leaked from a boxed slice of this length.
    drop(unsafe { Box::from_raw(slots.as_ptr()) });
}
