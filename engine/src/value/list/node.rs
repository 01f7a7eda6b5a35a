//! One node of a long list: a listpack with room at both ends, the same compressed, or one element
//! too large for either.

use super::Limits;
use crate::base::lzf;
use bytes::Bytes;
use dovetail_memory::listpack::{self, EMPTY, FILE_EXTRA_BYTES, Item, Listpack};
use dovetail_memory::{Splice, heap_bytes};
use std::borrow::Cow;

/// Listpacks shorter than this are not compressed.
const SQUEEZE_BYTES_MIN: usize = 48;
/// Least room that is made at the front when it runs out.
const GAP_BYTES_MIN: usize = 64;

/// A node as it is kept.
#[derive(Clone, Copy, Debug)]
pub enum Stored<'a> {
    /// A listpack.
    Pack(&'a [u8]),
    /// One large element.
    Plain(&'a [u8]),
    /// A listpack of `len` bytes, compressed.
    Squeezed {
        /// What it was compressed to.
        bytes: &'a [u8],
        /// Its length before.
        len: usize,
    },
}

/// Part of a long list.
#[derive(Clone, Debug)]
pub(super) struct Node {
    data: Data,
    count: usize,
}

#[derive(Clone, Debug)]
enum Data {
    Packed(Gapped),
    /// One element.
    Plain(Bytes),
    /// A listpack of `len` bytes, compressed.
    Squeezed {
        bytes: Box<[u8]>,
        len: usize,
    },
}

impl Node {
    /// The elements of a listpack.
    pub(super) fn packed(pack: &[u8]) -> Self {
        Self {
            count: Listpack::new(pack).len(),
            data: Data::Packed(Gapped {
                bytes: pack.to_vec(),
                start: 0,
            }),
        }
    }

    /// One element that is too large for a listpack.
    pub(super) fn plain(element: &[u8]) -> Self {
        Self {
            data: Data::Plain(Bytes::copy_from_slice(element)),
            count: 1,
        }
    }

    /// How many elements it has.
    pub(super) fn len(&self) -> usize {
        self.count
    }

    pub(super) fn is_plain(&self) -> bool {
        matches!(self.data, Data::Plain(_))
    }

    /// Bytes of memory behind the node.
    pub(super) fn memory(&self) -> usize {
        match &self.data {
            Data::Packed(gapped) => heap_bytes(gapped.bytes.capacity()),
            Data::Plain(element) => heap_bytes(element.len()),
            Data::Squeezed { bytes, .. } => heap_bytes(bytes.len()),
        }
    }

    /// Bytes that its listpack takes in a file; those of the element when there is none.
    pub(super) fn file_bytes(&self) -> usize {
        match &self.data {
            Data::Packed(gapped) => gapped.bytes().len() + FILE_EXTRA_BYTES,
            Data::Plain(element) => element.len(),
            Data::Squeezed { len, .. } => len + FILE_EXTRA_BYTES,
        }
    }

    /// Its listpack; `None` for one large element.
    pub(super) fn pack(&self) -> Option<Cow<'_, [u8]>> {
        match &self.data {
            Data::Packed(gapped) => Some(Cow::Borrowed(gapped.bytes())),
            Data::Plain(_) => None,
            Data::Squeezed { bytes, len } => Some(Cow::Owned(unsqueeze(bytes, *len))),
        }
    }

    /// What it holds, as it is kept.
    pub(super) fn stored(&self) -> Stored<'_> {
        match &self.data {
            Data::Packed(gapped) => Stored::Pack(gapped.bytes()),
            Data::Plain(element) => Stored::Plain(element),
            Data::Squeezed { bytes, len } => Stored::Squeezed { bytes, len: *len },
        }
    }

    /// Lets `change` have the listpack and returns what it does; `None` for one large element.
    /// A compressed node is not compressed afterwards.
    pub(super) fn edit<R>(&mut self, change: impl FnOnce(&mut Gapped) -> R) -> Option<R> {
        self.unsqueeze();
        let Data::Packed(gapped) = &mut self.data else {
            return None;
        };
        let result = change(gapped);
        self.count = Listpack::new(gapped.bytes()).len();
        Some(result)
    }

    /// Visits the elements that follow `skip` others, from the end that `backwards` says, until
    /// `visit` says stop. Returns whether it was never said.
    pub(super) fn visit(
        &self,
        skip: usize,
        backwards: bool,
        visit: &mut dyn FnMut(Item<'_>) -> bool,
    ) -> bool {
        let pack = match &self.data {
            Data::Plain(element) => return skip > 0 || visit(Item::Bytes(element)),
            _ => self.pack().unwrap_or_default(),
        };
        let pack = Listpack::new(&pack);
        if backwards {
            let end = pack.seek(pack.len().saturating_sub(skip));
            pack.between(pack.begin(), end).rev().all(visit)
        } else {
            pack.between(pack.seek(skip), pack.end()).all(visit)
        }
    }

    /// Whether `other`'s elements can join.
    pub(super) fn takes(&self, other: &Self, limits: Limits) -> bool {
        let bytes = self.file_bytes() + other.file_bytes();
        !self.is_plain() && !other.is_plain() && limits.admit(bytes, self.count + other.count)
    }

    /// Appends the elements of `other`; neither is one large element.
    pub(super) fn join(&mut self, other: &Self) {
        let Some(pack) = other.pack() else { return };
        let elements = &pack[listpack::HEAD_BYTES..];
        let count = self.count + other.count;
        self.edit(|gapped| {
            let end = gapped.bytes().len();
            gapped
                .splice(end, 0, elements.len())
                .copy_from_slice(elements);
            listpack::set_count(gapped, count);
        });
    }

    /// Keeps the first `index` elements and returns the others; it is not one large element.
    pub(super) fn split_off(&mut self, index: usize) -> Self {
        let count = self.count - index;
        let rest = self.edit(|gapped| {
            let pack = Listpack::new(gapped.bytes());
            let (at, end) = (pack.seek(index), pack.end());
            let mut rest = EMPTY.to_vec();
            rest.extend_from_slice(&gapped.bytes()[at..end]);
            listpack::set_count(&mut rest, count);
            listpack::remove(gapped, at, end, count);
            rest
        });
        Self::packed(&rest.unwrap_or_else(|| EMPTY.to_vec()))
    }

    /// Gives back room that is not used: the node is no end of its list any more.
    pub(super) fn tighten(&mut self) {
        if let Data::Packed(gapped) = &mut self.data {
            gapped.tighten();
        }
    }

    /// Compresses it, if that saves anything.
    pub(super) fn squeeze(&mut self) {
        let Data::Packed(gapped) = &self.data else {
            return;
        };
        let len = gapped.bytes().len();
        if len < SQUEEZE_BYTES_MIN {
            return;
        }
        if let Some(bytes) = lzf::compress(gapped.bytes(), len - len / 16) {
            let bytes = bytes.into_boxed_slice();
            self.data = Data::Squeezed { bytes, len };
        }
    }

    /// Undoes [`Self::squeeze`].
    pub(super) fn unsqueeze(&mut self) {
        if let Data::Squeezed { bytes, len } = &self.data {
            self.data = Data::Packed(Gapped {
                bytes: unsqueeze(bytes, *len),
                start: 0,
            });
        }
    }
}

fn unsqueeze(bytes: &[u8], len: usize) -> Vec<u8> {
    lzf::decompress(bytes, len).expect("the node has compressed it itself")
}

/// Bytes with room before the first and behind the last.
#[derive(Clone, Debug)]
pub(super) struct Gapped {
    bytes: Vec<u8>,
    start: usize,
}

impl Gapped {
    fn tighten(&mut self) {
        self.bytes.drain(..self.start);
        self.start = 0;
        self.bytes.shrink_to_fit();
    }

    /// Makes room for `more` bytes at the front.
    #[cold]
    fn widen(&mut self, more: usize) {
        let len = self.bytes.len() - self.start;
        let gap = more + (len / 2).max(GAP_BYTES_MIN);
        let mut wider = Vec::with_capacity(gap + len);
        wider.resize(gap, 0);
        wider.extend_from_slice(&self.bytes[self.start..]);
        (self.bytes, self.start) = (wider, gap);
    }
}

impl Splice for Gapped {
    #[inline]
    fn bytes(&self) -> &[u8] {
        &self.bytes[self.start..]
    }

    #[inline]
    fn bytes_mut(&mut self) -> &mut [u8] {
        &mut self.bytes[self.start..]
    }

    #[inline]
    fn splice(&mut self, at: usize, remove: usize, insert: usize) -> &mut [u8] {
        let len = self.bytes.len() - self.start;
        // What is nearer to the front moves that way: usually only the head.
        if at <= len / 2 {
            if insert > remove {
                let more = insert - remove;
                if self.start < more {
                    self.widen(more);
                }
                let old = self.start;
                self.start -= more;
                self.bytes.copy_within(old..old + at, self.start);
            } else {
                let less = remove - insert;
                let old = self.start;
                self.start += less;
                self.bytes.copy_within(old..old + at, self.start);
            }
            return &mut self.bytes[self.start + at..][..insert];
        }
        let start = self.start;
        Splice::splice(&mut self.bytes, start + at, remove, insert)
    }
}
