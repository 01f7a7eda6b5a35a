//! Listpacks: a few elements one behind another, in one run of bytes.
//!
//! Shape: `[count, 2 B, little end first]` and the elements, each `[head][text][length of both]`,
//! byte for byte as Redis's files have them; a file's listpack has its total length in front and a
//! byte 0xff behind besides. The length behind an element is for walking backwards.
//! Invariants: 1. an element that spells an integer is stored as one, in the shortest form. 2. The
//! count is right, or [`COUNT_UNKNOWN`] once it has passed what two bytes hold.
//! Cost: finding is a walk; a change moves what lies behind.
//! Not here: what the elements mean, and where the bytes lie ([`Splice`]).

pub mod foreign;
mod item;
#[cfg(test)]
mod tests;

use crate::splice::Splice;
pub use item::{Encoded, Item};
use item::{back_width, decode, head_and_text, length_behind, step};

/// Bytes before the first element.
pub const HEAD_BYTES: usize = 2;
/// Bytes that a listpack of a file has besides: four of the total length, and the end mark.
pub const FILE_EXTRA_BYTES: usize = 5;
/// The count of a listpack with so many elements or more.
const COUNT_UNKNOWN: u16 = u16::MAX;

/// An empty listpack.
pub const EMPTY: [u8; HEAD_BYTES] = [0; HEAD_BYTES];

/// A listpack to read. Positions are offsets of elements; the end is one as well.
#[derive(Clone, Copy, Debug)]
pub struct Listpack<'a> {
    bytes: &'a [u8],
}

impl<'a> Listpack<'a> {
    /// Reads `bytes`, which a [`Splice`] of this module has written.
    #[must_use]
    #[inline]
    pub fn new(bytes: &'a [u8]) -> Self {
        debug_assert!(bytes.len() >= HEAD_BYTES, "a listpack has a head");
        Self { bytes }
    }

    /// How many elements there are. Cost: a walk when there are 65,535 or more.
    #[must_use]
    #[inline]
    pub fn len(self) -> usize {
        match u16::from_le_bytes([self.bytes[0], self.bytes[1]]) {
            COUNT_UNKNOWN => self.iter().count(),
            count => usize::from(count),
        }
    }

    /// No element at all.
    #[must_use]
    #[inline]
    pub fn is_empty(self) -> bool {
        self.bytes.len() == HEAD_BYTES
    }

    /// Bytes that it takes in a file.
    #[must_use]
    #[inline]
    pub fn file_bytes(self) -> usize {
        self.bytes.len() + FILE_EXTRA_BYTES
    }

    /// The bytes.
    #[must_use]
    pub fn as_bytes(self) -> &'a [u8] {
        self.bytes
    }

    /// Position of the first element.
    #[must_use]
    #[inline]
    pub fn begin(self) -> usize {
        HEAD_BYTES
    }

    /// Position behind the last element.
    #[must_use]
    #[inline]
    pub fn end(self) -> usize {
        self.bytes.len()
    }

    /// The element at `at`, which is not the end.
    #[must_use]
    #[inline]
    pub fn item(self, at: usize) -> Item<'a> {
        decode(&self.bytes[at..])
    }

    /// The element at `at`, which is not the end, and the position of the one behind it.
    #[must_use]
    #[inline]
    pub fn step(self, at: usize) -> (Item<'a>, usize) {
        let (item, len) = step(&self.bytes[at..]);
        (item, at + len)
    }

    /// Position of the element behind the one at `at`.
    #[must_use]
    #[inline]
    pub fn next(self, at: usize) -> usize {
        match self.bytes[at] {
            0..=0x7f => at + 2,
            head @ 0x80..=0xbf => at + 2 + usize::from(head & 0x3f),
            _ => {
                let len = head_and_text(&self.bytes[at..]);
                at + len + back_width(len)
            }
        }
    }

    /// Position of the element before `at`, which is not the beginning.
    #[must_use]
    #[inline]
    pub fn before(self, at: usize) -> usize {
        let (len, width) = length_behind(&self.bytes[..at]);
        at - len - width
    }

    /// Position of element `index`, from whichever end is nearer; the end for an index beyond.
    #[must_use]
    pub fn seek(self, index: usize) -> usize {
        let len = self.len();
        if index >= len {
            return self.end();
        }
        if index <= len / 2 {
            (0..index).fold(self.begin(), |at, _| self.next(at))
        } else {
            (index..len).fold(self.end(), |at, _| self.before(at))
        }
    }

    /// Position of the first element equal to `wanted`, looking at every `step`th element from the
    /// one at `from` on.
    #[must_use]
    #[inline]
    pub fn find(self, from: usize, wanted: &Encoded<'_>, step: usize) -> Option<usize> {
        let mut at = from;
        while at < self.bytes.len() {
            if wanted.is_at(&self.bytes[at..]) {
                return Some(at);
            }
            for _ in 0..step {
                at = self.next(at);
            }
        }
        None
    }

    /// All elements in order.
    #[must_use]
    #[inline]
    pub fn iter(self) -> Iter<'a> {
        self.between(self.begin(), self.end())
    }

    /// The elements from position `from` to position `to`.
    #[must_use]
    #[inline]
    pub fn between(self, from: usize, to: usize) -> Iter<'a> {
        Iter {
            pack: self,
            front: from,
            back: to,
        }
    }
}

/// Elements of a listpack, from either end.
#[derive(Clone, Copy, Debug)]
pub struct Iter<'a> {
    pack: Listpack<'a>,
    front: usize,
    back: usize,
}

impl<'a> Iterator for Iter<'a> {
    type Item = Item<'a>;

    #[inline]
    fn next(&mut self) -> Option<Item<'a>> {
        if self.front >= self.back {
            return None;
        }
        let (item, len) = step(&self.pack.bytes[self.front..]);
        self.front += len;
        Some(item)
    }
}

impl DoubleEndedIterator for Iter<'_> {
    #[inline]
    fn next_back(&mut self) -> Option<Self::Item> {
        if self.front >= self.back {
            return None;
        }
        self.back = self.pack.before(self.back);
        Some(self.pack.item(self.back))
    }
}

/// Puts `element` at position `at` of the listpack in `buffer`.
#[inline]
pub fn insert(buffer: &mut impl Splice, at: usize, element: &Encoded<'_>) {
    element.write(buffer.splice(at, 0, element.len()));
    count_changed(buffer, 1, 0);
}

/// Puts `elements` at position `at`, in their order.
pub fn insert_all(buffer: &mut impl Splice, at: usize, elements: &[Encoded<'_>]) {
    let len = elements.iter().map(Encoded::len).sum();
    let mut room = buffer.splice(at, 0, len);
    for element in elements {
        let (here, rest) = room.split_at_mut(element.len());
        element.write(here);
        room = rest;
    }
    count_changed(buffer, elements.len(), 0);
}

/// Puts `element` behind all others.
#[inline]
pub fn push(buffer: &mut impl Splice, element: &Encoded<'_>) {
    let end = buffer.bytes().len();
    insert(buffer, end, element);
}

/// Puts `element` in the place of the one at position `at`.
#[inline]
pub fn replace(buffer: &mut impl Splice, at: usize, element: &Encoded<'_>) {
    let old = Listpack::new(buffer.bytes()).next(at) - at;
    element.write(buffer.splice(at, old, element.len()));
}

/// Removes the `count` elements between positions `from` and `to`.
#[inline]
pub fn remove(buffer: &mut impl Splice, from: usize, to: usize, count: usize) {
    buffer.splice(from, to - from, 0);
    count_changed(buffer, 0, count);
}

/// Corrects the count after elements have come or gone.
#[inline]
fn count_changed(buffer: &mut impl Splice, added: usize, removed: usize) {
    let bytes = buffer.bytes();
    let count = match u16::from_le_bytes([bytes[0], bytes[1]]) {
        // Once unknown, it is known again only when somebody counts.
        COUNT_UNKNOWN if removed == 0 => return,
        COUNT_UNKNOWN => Listpack::new(bytes).iter().count(),
        count => usize::from(count) + added - removed,
    };
    set_count(buffer, count);
}

/// Writes how many elements there are, after they have been put together by hand.
#[inline]
pub fn set_count(buffer: &mut impl Splice, count: usize) {
    let count = u16::try_from(count).unwrap_or(COUNT_UNKNOWN);
    buffer.bytes_mut()[..HEAD_BYTES].copy_from_slice(&count.to_le_bytes());
}
