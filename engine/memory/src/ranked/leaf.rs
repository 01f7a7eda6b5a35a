//! The leaf of [`Ranked`](super::Ranked): members with their scores, packed into one block.
//!
//! Shape: for n members, n bytes of their hashes, n sizes, n scores and the members one behind
//! another, in the smallest size class that holds them: most changes need no other block. A member
//! beyond [`INLINE_MAX`] is the name of a long string there.
//! Invariant: members are in the order of (score, bytes).

use std::cmp::Ordering;
use std::ops::Range;

use crate::longs::Longs;
use crate::names::NONE;
use crate::prefetch;
use crate::steps::heap_bytes;

/// Bytes of a member that lies in the block at most.
const INLINE_MAX: usize = 128;
/// The size of a member that is kept as a long string.
const LONG: u8 = 0xff;
/// Bytes of the name of one.
const NAME: u8 = 4;
const SCORE: usize = size_of::<f64>();
const LINE: usize = 64;
/// Tags that are compared at a time.
const CHUNK: usize = 16;
/// Lines that are asked for ahead at most: a leaf of short members.
const LINES: usize = 20;
/// Bytes of a member in the block beside its own.
const HEAD: usize = 2 + SCORE;

/// A leaf, and its place among leaves.
#[derive(Clone, Debug)]
pub(super) struct Leaf {
    block: Box<[u8]>,
    len: u8,
    /// Which child of its parent it was when somebody looked.
    pub(super) place: u8,
    /// Bytes of the block that are in use.
    used: u16,
    pub(super) parent: u32,
    pub(super) prev: u32,
    pub(super) next: u32,
}

/// A part of the block of a leaf.
type Section = fn(&Leaf, Range<usize>) -> &[u8];

/// The member bytes that lie in a block for a member of this size.
#[inline]
fn held(size: u8) -> u8 {
    if size == LONG { NAME } else { size }
}

/// Compares by score, then bytes; zeros are equal.
#[inline]
pub(super) fn compare(a: (f64, &[u8]), b: (f64, &[u8])) -> Ordering {
    match a.0.partial_cmp(&b.0) {
        Some(Ordering::Equal) | None => a.1.cmp(b.1),
        Some(order) => order,
    }
}

impl Leaf {
    pub(super) fn new(parent: u32) -> Self {
        Self {
            block: Box::default(),
            len: 0,
            place: 0,
            used: 0,
            parent,
            prev: NONE,
            next: NONE,
        }
    }

    #[inline]
    pub(super) const fn len(&self) -> usize {
        self.len as usize
    }

    /// Heap bytes of the block.
    pub(super) const fn bytes(&self) -> usize {
        self.block.len()
    }

    /// Asks for the block's lines.
    #[inline]
    pub(super) fn prefetch(&self) {
        let block = self.block.as_ptr();
        let end = usize::from(self.used).min(LINES * LINE);
        for offset in (0..end).step_by(LINE) {
            prefetch::line(block.wrapping_add(offset));
        }
    }

    #[inline]
    fn used(&self) -> &[u8] {
        &self.block[..usize::from(self.used)]
    }

    /// Gives the block the class that so many bytes in use want, if it has another.
    #[inline]
    fn fit(&mut self, used: usize) {
        let room = heap_bytes(used);
        if room != self.block.len() {
            self.move_to(room);
        }
        self.used = u16::try_from(used).expect("leaves are small");
    }

    #[cold]
    fn move_to(&mut self, room: usize) {
        let mut block = std::mem::take(&mut self.block).into_vec();
        block.reserve_exact(room.saturating_sub(block.len()));
        block.resize(room, 0);
        self.block = block.into_boxed_slice();
    }

    #[inline]
    fn tags(&self) -> &[u8] {
        &self.block[..self.len()]
    }

    #[inline]
    fn sizes(&self) -> &[u8] {
        &self.block[self.len()..2 * self.len()]
    }

    #[inline]
    fn scores(&self) -> &[[u8; SCORE]] {
        let len = self.len();
        self.block[2 * len..HEAD * len].as_chunks().0
    }

    #[inline]
    pub(super) fn score(&self, at: usize) -> f64 {
        f64::from_le_bytes(self.scores()[at])
    }

    /// Where the member `at` begins in the block; `at` may be the number of members.
    #[inline]
    pub(super) fn offset(&self, at: usize) -> usize {
        // Bytes are summed up many at a time if the sum is not wider than need be.
        let bodies: u32 = self.sizes()[..at]
            .iter()
            .map(|&size| u32::from(held(size)))
            .sum();
        HEAD * self.len() + bodies as usize
    }

    /// Bytes that the member `at` takes in the block, behind the scores.
    #[inline]
    pub(super) fn held(&self, at: usize) -> usize {
        usize::from(held(self.sizes()[at]))
    }

    /// The name of the long string, if the member `at` is one.
    pub(super) fn name(&self, at: usize) -> Option<u32> {
        (self.sizes()[at] == LONG).then(|| self.name_at(self.offset(at)))
    }

    fn name_at(&self, offset: usize) -> u32 {
        let bytes = self.block[offset..offset + Longs::NAME_BYTES].try_into();
        u32::from_le_bytes(bytes.expect("a name has four bytes"))
    }

    /// The member `at`, which begins at `offset`.
    #[inline]
    pub(super) fn member_at<'a>(&'a self, at: usize, offset: usize, longs: &'a Longs) -> &'a [u8] {
        match self.sizes()[at] {
            LONG => longs.get(self.name_at(offset)),
            size => &self.block[offset..offset + usize::from(size)],
        }
    }

    #[inline]
    pub(super) fn member<'a>(&'a self, at: usize, longs: &'a Longs) -> &'a [u8] {
        self.member_at(at, self.offset(at), longs)
    }

    /// The member `at` with its score.
    pub(super) fn pair<'a>(&'a self, at: usize, longs: &'a Longs) -> (f64, &'a [u8]) {
        (self.score(at), self.member(at, longs))
    }

    /// The first member from `from` on whose hash has the byte `tag`.
    #[inline]
    fn next_tagged(&self, tag: u8, from: usize) -> Option<usize> {
        let tags = self.tags();
        let mut at = from;
        // Chunks without an exit inside are compared many tags at a time.
        while let Some(chunk) = tags[at..].first_chunk::<CHUNK>() {
            if chunk
                .iter()
                .fold(false, |found, &held| found | (held == tag))
            {
                break;
            }
            at += CHUNK;
        }
        let found = tags[at..].iter().position(|&held| held == tag);
        found.map(|found| at + found)
    }

    /// Where the members are whose hashes have the byte `tag`.
    #[inline]
    pub(super) fn tagged(&self, tag: u8) -> impl Iterator<Item = usize> {
        let first = self.next_tagged(tag, 0);
        std::iter::successors(first, move |&at| self.next_tagged(tag, at + 1))
    }

    /// Where `member` is.
    #[inline]
    pub(super) fn find(&self, tag: u8, member: &[u8], longs: &Longs) -> Option<usize> {
        let mut from = 0;
        while let Some(at) = self.next_tagged(tag, from) {
            if self.member(at, longs) == member {
                return Some(at);
            }
            from = at + 1;
        }
        None
    }

    /// How many members are before `(score, member)`.
    pub(super) fn before(&self, score: f64, member: &[u8], longs: &Longs) -> usize {
        let scores = self.scores();
        let low = scores.partition_point(|&held| f64::from_le_bytes(held) < score);
        if scores
            .get(low)
            .is_none_or(|&held| f64::from_le_bytes(held) != score)
        {
            return low;
        }
        let ties = scores[low..].partition_point(|&held| f64::from_le_bytes(held) == score);
        low + first_false(ties, |at| self.member(low + at, longs) < member)
    }

    /// How many members at the front fulfil `holds`, which none does behind one that does not.
    pub(super) fn partition(&self, holds: &dyn Fn(f64, &[u8]) -> bool, longs: &Longs) -> usize {
        first_false(self.len(), |at| {
            holds(self.score(at), self.member(at, longs))
        })
    }

    /// Puts a member in before the one `at`.
    #[expect(clippy::cast_possible_truncation, reason = "inline lengths fit a byte")]
    pub(super) fn insert(
        &mut self,
        at: usize,
        tag: u8,
        score: f64,
        member: &[u8],
        longs: &mut Longs,
    ) {
        let name;
        let (size, held): (u8, &[u8]) = if member.len() <= INLINE_MAX {
            (member.len() as u8, member)
        } else {
            name = longs.add(member).to_le_bytes();
            (LONG, &name)
        };
        let (len, old, offset) = (self.len(), self.used().len(), self.offset(at));
        self.fit(old + HEAD + held.len());
        let block = &mut self.block;
        // From the end to the front, so that each byte moves once.
        block.copy_within(offset..old, offset + HEAD + held.len());
        block.copy_within(HEAD * len..offset, HEAD * (len + 1));
        let scores = 2 * len + SCORE * at;
        block.copy_within(scores..HEAD * len, scores + 2 + SCORE);
        block.copy_within(2 * len..scores, 2 * len + 2);
        block.copy_within(len + at..2 * len, len + at + 2);
        block.copy_within(at..len + at, at + 1);
        block[at] = tag;
        block[len + 1 + at] = size;
        block[scores + 2..scores + 2 + SCORE].copy_from_slice(&score.to_le_bytes());
        block[offset + HEAD..][..held.len()].copy_from_slice(held);
        self.len += 1;
    }

    /// Takes the member `at` out; a long string stays.
    pub(super) fn remove(&mut self, at: usize) {
        let (len, old, offset) = (self.len(), self.used().len(), self.offset(at));
        let held = self.held(at);
        let block = &mut self.block;
        let scores = 2 * len + SCORE * at;
        block.copy_within(at + 1..len + at, at);
        block.copy_within(len + at + 1..2 * len, len + at - 1);
        block.copy_within(2 * len..scores, 2 * len - 2);
        block.copy_within(scores + SCORE..HEAD * len, scores - 2);
        block.copy_within(HEAD * len..offset, HEAD * (len - 1));
        block.copy_within(offset + held..old, offset - HEAD);
        self.fit(old - HEAD - held);
        self.len -= 1;
    }

    /// Gives the member `from` the score and the place `to`, counted without it.
    pub(super) fn shift(&mut self, from: usize, to: usize, score: f64) {
        let len = self.len();
        let (low, high) = (from.min(to), from.max(to));
        let (held, start) = (self.held(from), self.offset(low));
        let end = self.offset(high + 1);
        let turn = |part: &mut [u8], step| {
            if from < to {
                part.rotate_left(step);
            } else {
                part.rotate_right(step);
            }
        };
        turn(&mut self.block[low..=high], 1);
        turn(&mut self.block[len + low..=len + high], 1);
        turn(
            &mut self.block[2 * len + SCORE * low..2 * len + SCORE * (high + 1)],
            SCORE,
        );
        turn(&mut self.block[start..end], held);
        self.block[2 * len + SCORE * to..][..SCORE].copy_from_slice(&score.to_le_bytes());
    }

    /// A block of the members of some leaves, with their number and the bytes in use.
    fn gather(parts: &[(&Self, Range<usize>)]) -> (Box<[u8]>, u8, u16) {
        let len: usize = parts.iter().map(|(_, range)| range.len()).sum();
        let bodies = parts.iter().map(|(leaf, range)| {
            let start = leaf.offset(range.start);
            start..leaf.offset(range.end)
        });
        let bytes: usize = bodies.clone().map(|body| body.len()).sum();
        let used = HEAD * len + bytes;
        let mut block = Vec::with_capacity(heap_bytes(used));
        let heads: [Section; 3] = [
            |leaf, range| &leaf.tags()[range],
            |leaf, range| &leaf.sizes()[range],
            |leaf, range| leaf.scores()[range].as_flattened(),
        ];
        for head in heads {
            for (leaf, range) in parts {
                block.extend_from_slice(head(leaf, range.clone()));
            }
        }
        for ((leaf, _), body) in parts.iter().zip(bodies) {
            block.extend_from_slice(&leaf.block[body]);
        }
        block.resize(heap_bytes(used), 0);
        let len = u8::try_from(len).expect("leaves are small");
        let used = u16::try_from(used).expect("leaves are small");
        (block.into_boxed_slice(), len, used)
    }

    /// Takes the members of `range` out; long strings stay.
    pub(super) fn cut(&mut self, range: Range<usize>) {
        let parts = [(&*self, 0..range.start), (&*self, range.end..self.len())];
        (self.block, self.len, self.used) = Self::gather(&parts);
    }

    /// Moves the members from `at` on to the front of `right`.
    pub(super) fn give_right(&mut self, at: usize, right: &mut Self) {
        let parts = [(&*self, at..self.len()), (&*right, 0..right.len())];
        (right.block, right.len, right.used) = Self::gather(&parts);
        self.cut(at..self.len());
    }

    /// Moves the members before `at` to the end of `left`.
    pub(super) fn give_left(&mut self, at: usize, left: &mut Self) {
        let parts = [(&*left, 0..left.len()), (&*self, 0..at)];
        (left.block, left.len, left.used) = Self::gather(&parts);
        self.cut(0..at);
    }

    /// Asserts that the members are in order and fill the block.
    pub(super) fn check(&self, longs: &Longs) {
        assert_eq!(self.offset(self.len()), self.used().len(), "bytes in use");
        let class = heap_bytes(self.used().len());
        assert_eq!(self.block.len(), class, "the smallest class");
        for at in 1..self.len() {
            let order = compare(self.pair(at - 1, longs), self.pair(at, longs));
            assert_eq!(order, Ordering::Less, "members are in order");
        }
    }

    /// The bytes of the members' hashes.
    pub(super) fn tag(&self, at: usize) -> u8 {
        self.tags()[at]
    }
}

/// The first of `0..end` for which `holds` does not, where it does for all before.
#[inline]
pub(super) fn first_false(end: usize, holds: impl Fn(usize) -> bool) -> usize {
    let (mut low, mut high) = (0, end);
    while low < high {
        let middle = usize::midpoint(low, high);
        if holds(middle) {
            low = middle + 1;
        } else {
            high = middle;
        }
    }
    low
}
