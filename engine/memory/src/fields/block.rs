//! The packed bucket of [`Fields`](super::Fields): elements one behind another, in an exact fit.
//!
//! Shape: an element is a byte of its hash, the field and, in pairs, the value. Field and value
//! are a length of one or two bytes and as many bytes, or, beyond [`INLINE_MAX`], a mark and the
//! name of a long string.

use super::Shape;
use crate::longs::Longs;

/// Bytes of a field or value that lies in the block at most.
pub(super) const INLINE_MAX: usize = 511;

/// First length bytes from here on hold the upper bits of a length in two bytes.
const TWO: u8 = 0xf0;
/// The first byte of what is kept as a long string.
const LONG: u8 = 0xff;
/// Lengths below are one byte.
const TWO_FROM: usize = TWO as usize;

/// Where a field or value is in a block.
#[derive(Clone, Copy, Debug)]
pub(super) struct Part {
    start: usize,
    pub(super) end: usize,
    is_long: bool,
}

impl Part {
    #[inline]
    fn at(block: &[u8], at: usize) -> Self {
        let first = block[at];
        let (start, len) = match first {
            ..TWO => (at + 1, usize::from(first)),
            TWO..LONG => {
                let high = usize::from(first - TWO) << 8;
                (at + 2, high | usize::from(block[at + 1]))
            }
            LONG => (at + 1, Longs::NAME_BYTES),
        };
        Self {
            start,
            end: start + len,
            is_long: first == LONG,
        }
    }

    const fn empty(at: usize) -> Self {
        Self {
            start: at,
            end: at,
            is_long: false,
        }
    }

    /// The name, if it is that of a long string.
    pub(super) fn name(self, block: &[u8]) -> Option<u32> {
        if !self.is_long {
            return None;
        }
        let bytes = block[self.start..self.end].try_into();
        Some(u32::from_le_bytes(bytes.expect("a name has four bytes")))
    }

    #[inline]
    pub(super) fn bytes<'a>(self, block: &'a [u8], longs: &'a Longs) -> &'a [u8] {
        match self.name(block) {
            Some(name) => longs.get(name),
            None => &block[self.start..self.end],
        }
    }
}

/// Where an element is in a block.
#[derive(Clone, Copy, Debug)]
pub(super) struct Element {
    pub(super) start: usize,
    pub(super) field: Part,
    pub(super) value: Part,
}

impl Element {
    #[inline]
    fn at(block: &[u8], start: usize, shape: Shape) -> Self {
        let field = Part::at(block, start + 1);
        let value = match shape {
            Shape::Members => Part::empty(field.end),
            Shape::Pairs => Part::at(block, field.end),
        };
        Self {
            start,
            field,
            value,
        }
    }

    pub(super) const fn end(&self) -> usize {
        self.value.end
    }
}

/// A field or value in the form in which a block holds it.
#[derive(Clone, Copy, Debug)]
pub(super) enum Stored<'a> {
    Inline(&'a [u8]),
    Long(u32),
}

impl<'a> Stored<'a> {
    /// The form for `bytes`; a long one is handed to `longs`.
    pub(super) fn new(bytes: &'a [u8], longs: &mut Longs) -> Self {
        if bytes.len() <= INLINE_MAX {
            Self::Inline(bytes)
        } else {
            Self::Long(longs.add(bytes))
        }
    }

    pub(super) const fn size(self) -> usize {
        match self {
            Self::Inline(bytes) if bytes.len() < TWO_FROM => 1 + bytes.len(),
            Self::Inline(bytes) => 2 + bytes.len(),
            Self::Long(_) => 1 + Longs::NAME_BYTES,
        }
    }

    /// Writes itself to the front of `to` and returns what is behind.
    #[expect(
        clippy::cast_possible_truncation,
        reason = "lengths are split into bytes"
    )]
    pub(super) fn write(self, to: &mut [u8]) -> &mut [u8] {
        let (to, rest) = to.split_at_mut(self.size());
        match self {
            Self::Inline(bytes) => {
                let len = bytes.len();
                let (head, body) = to.split_at_mut(to.len() - len);
                match head {
                    [high, low] => (*high, *low) = (TWO + (len >> 8) as u8, len as u8),
                    _ => head[0] = len as u8,
                }
                body.copy_from_slice(bytes);
            }
            Self::Long(name) => {
                to[0] = LONG;
                to[1..].copy_from_slice(&name.to_le_bytes());
            }
        }
        rest
    }
}

/// A packed bucket.
#[derive(Clone, Debug, Default)]
pub(super) struct Block(Box<[u8]>);

impl Block {
    pub(super) fn new(bytes: Vec<u8>) -> Self {
        Self(bytes.into_boxed_slice())
    }

    #[inline]
    pub(super) fn bytes(&self) -> &[u8] {
        &self.0
    }

    pub(super) fn bytes_mut(&mut self) -> &mut [u8] {
        &mut self.0
    }

    #[inline]
    pub(super) fn elements(&self, shape: Shape) -> Elements<'_> {
        Elements {
            block: &self.0,
            at: 0,
            shape,
        }
    }

    /// Puts a hole of `to` bytes in the place of the bytes `start..end` and lends it.
    pub(super) fn splice(&mut self, start: usize, end: usize, to: usize) -> &mut [u8] {
        let mut bytes = std::mem::take(&mut self.0).into_vec();
        let (old, from) = (bytes.len(), end - start);
        if to > from {
            bytes.reserve_exact(to - from);
            bytes.resize(old + to - from, 0);
            bytes.copy_within(end..old, start + to);
        } else if to < from {
            bytes.copy_within(end.., start + to);
            bytes.truncate(old - (from - to));
        }
        self.0 = bytes.into_boxed_slice();
        &mut self.0[start..start + to]
    }

    /// Moves the elements for which `goes` holds, by their fields, to a new block.
    pub(super) fn split(&mut self, shape: Shape, goes: impl Fn(&[u8], Element) -> bool) -> Self {
        let mut bytes = std::mem::take(&mut self.0).into_vec();
        let mut moved = Vec::with_capacity(bytes.len());
        let (mut at, mut kept) = (0, 0);
        while at < bytes.len() {
            let element = Element::at(&bytes, at, shape);
            let end = element.end();
            if goes(&bytes, element) {
                moved.extend_from_slice(&bytes[at..end]);
            } else {
                bytes.copy_within(at..end, kept);
                kept += end - at;
            }
            at = end;
        }
        bytes.truncate(kept);
        self.0 = bytes.into_boxed_slice();
        Self::new(moved)
    }
}

/// The elements of a block, in order.
#[derive(Clone, Debug)]
pub(super) struct Elements<'a> {
    block: &'a [u8],
    at: usize,
    shape: Shape,
}

impl Iterator for Elements<'_> {
    type Item = Element;

    #[inline]
    fn next(&mut self) -> Option<Element> {
        if self.at >= self.block.len() {
            return None;
        }
        let element = Element::at(self.block, self.at, self.shape);
        self.at = element.end();
        Some(element)
    }
}
