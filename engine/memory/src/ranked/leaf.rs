//! The leaf of [`Ranked`](super::Ranked): members with their scores, packed into one block.
//!
//! Shape: n bytes of the members' hashes, n sizes, n scores and the members one behind another, in
//! the smallest size class that holds them, where n is the number of members rounded up to a multiple
//! of [`STEP`]: most changes need no other block, and leave the sections where they are. A member
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
/// Members for which the sections make room at a time.
const STEP: usize = 8;

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

    /// For how many members the sections have room.
    #[inline]
    const fn room(&self) -> usize {
        self.len().next_multiple_of(STEP)
    }

    #[inline]
    fn tags(&self) -> &[u8] {
        &self.block[..self.len()]
    }

    #[inline]
    fn sizes(&self) -> &[u8] {
        &self.block[self.room()..][..self.len()]
    }

    #[inline]
    fn scores(&self) -> &[[u8; SCORE]] {
        self.block[2 * self.room()..][..SCORE * self.len()]
            .as_chunks()
            .0
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
        HEAD * self.room() + bodies as usize
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

    /// Shows the members of a range with their scores, in their order.
    #[inline]
    pub(super) fn visit<'a>(
        &'a self,
        range: Range<usize>,
        longs: &'a Longs,
        visit: &mut impl FnMut(&'a [u8], f64),
    ) {
        let mut offset = self.offset(range.start);
        let sizes = self.sizes()[range.clone()].iter();
        for (&size, &score) in sizes.zip(&self.scores()[range]) {
            let end = offset + usize::from(held(size));
            let member = match size {
                LONG => longs.get(self.name_at(offset)),
                _ => &self.block[offset..end],
            };
            offset = end;
            visit(member, f64::from_le_bytes(score));
        }
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
        let (len, mut room) = (self.len(), self.room());
        let (mut old, mut offset) = (self.used().len(), self.offset(at));
        let step = if len == room { STEP } else { 0 };
        self.fit(old + HEAD * step + held.len());
        let block = &mut self.block;
        if step > 0 {
            // From the end to the front, so that nothing is overwritten before it has moved.
            block.copy_within(HEAD * room..old, HEAD * (room + step));
            block.copy_within(2 * room..HEAD * room, 2 * (room + step));
            block.copy_within(room..2 * room, room + step);
            room += step;
            old += HEAD * step;
            offset += HEAD * step;
        }
        block.copy_within(offset..old, offset + held.len());
        let scores = 2 * room + SCORE * at;
        block.copy_within(scores..2 * room + SCORE * len, scores + SCORE);
        block.copy_within(room + at..room + len, room + at + 1);
        block.copy_within(at..len, at + 1);
        block[at] = tag;
        block[room + at] = size;
        block[scores..scores + SCORE].copy_from_slice(&score.to_le_bytes());
        block[offset..][..held.len()].copy_from_slice(held);
        self.len += 1;
    }

    /// Takes the member `at` out; a long string stays.
    pub(super) fn remove(&mut self, at: usize) {
        let (len, room) = (self.len(), self.room());
        let (mut used, offset) = (self.used().len(), self.offset(at));
        let held = self.held(at);
        let block = &mut self.block;
        let scores = 2 * room + SCORE * at;
        block.copy_within(at + 1..len, at);
        block.copy_within(room + at + 1..room + len, room + at);
        block.copy_within(scores + SCORE..2 * room + SCORE * len, scores);
        block.copy_within(offset + held..used, offset);
        used -= held;
        if len + STEP == room + 1 {
            let less = room - STEP;
            block.copy_within(room..room + less, less);
            block.copy_within(2 * room..2 * room + SCORE * less, 2 * less);
            block.copy_within(HEAD * room..used, HEAD * less);
            used -= HEAD * STEP;
        }
        self.fit(used);
        self.len -= 1;
    }

    /// Gives the member `from` the score and the place `to`, counted without it.
    pub(super) fn shift(&mut self, from: usize, to: usize, score: f64) {
        let room = self.room();
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
        turn(&mut self.block[room + low..=room + high], 1);
        turn(
            &mut self.block[2 * room + SCORE * low..2 * room + SCORE * (high + 1)],
            SCORE,
        );
        turn(&mut self.block[start..end], held);
        self.block[2 * room + SCORE * to..][..SCORE].copy_from_slice(&score.to_le_bytes());
    }

    /// A block of the members of some leaves, with their number and the bytes in use.
    fn gather(parts: &[(&Self, Range<usize>)]) -> (Box<[u8]>, u8, u16) {
        let len: usize = parts.iter().map(|(_, range)| range.len()).sum();
        let body = |leaf: &Self, range: &Range<usize>| {
            let start = leaf.offset(range.start);
            start..leaf.offset(range.end)
        };
        let bodies = parts.iter().map(|(leaf, range)| body(leaf, range).len());
        let room = len.next_multiple_of(STEP);
        let used = HEAD * room + bodies.sum::<usize>();
        let mut block = vec![0; heap_bytes(used)].into_boxed_slice();
        let (mut at, mut offset) = (0, HEAD * room);
        for (leaf, range) in parts {
            let mut put = |to: usize, bytes: &[u8]| {
                block[to..to + bytes.len()].copy_from_slice(bytes);
            };
            let body = body(leaf, range);
            put(at, &leaf.tags()[range.clone()]);
            put(room + at, &leaf.sizes()[range.clone()]);
            put(
                2 * room + SCORE * at,
                leaf.scores()[range.clone()].as_flattened(),
            );
            put(offset, &leaf.block[body.clone()]);
            at += range.len();
            offset += body.len();
        }
        let len = u8::try_from(len).expect("leaves are small");
        let used = u16::try_from(used).expect("leaves are small");
        (block, len, used)
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

    /// Asserts that the members are in order, and that the block has the size that it should.
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
