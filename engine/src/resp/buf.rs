//! Bytes on their way out: one growing buffer, with large shared pieces spliced in uncopied.
//!
//! Shape: `bytes` holds everything small, back to back; a splice at offset `at` says that the
//! shared piece stands before `bytes[at]`.
//! Cost: appending is amortised O(1); a piece is shared by counting, never copied.

use bytes::Bytes;
use std::io::IoSlice;

/// The reply bytes of one connection, in order.
#[derive(Debug, Default)]
pub struct ReplyBuf {
    bytes: Vec<u8>,
    splices: Vec<Splice>,
    spliced: usize,
}

#[derive(Debug)]
struct Splice {
    at: usize,
    piece: Bytes,
}

impl ReplyBuf {
    /// An empty buffer without an allocation.
    #[must_use]
    pub const fn new() -> Self {
        Self {
            bytes: Vec::new(),
            splices: Vec::new(),
            spliced: 0,
        }
    }

    /// Bytes in all.
    #[must_use]
    #[inline]
    pub fn len(&self) -> usize {
        self.bytes.len() + self.spliced
    }

    /// Nothing to send.
    #[must_use]
    #[inline]
    pub fn is_empty(&self) -> bool {
        self.bytes.is_empty() && self.splices.is_empty()
    }

    /// Bytes of pieces that are spliced in.
    #[must_use]
    #[inline]
    pub fn spliced(&self) -> usize {
        self.spliced
    }

    /// Bytes of memory that it keeps, spliced pieces included.
    #[must_use]
    pub fn memory(&self) -> usize {
        self.bytes.capacity() + self.splices.capacity() * size_of::<Splice>() + self.spliced
    }

    /// Bytes of memory that it keeps, full or not; spliced pieces excluded (they are shared).
    #[must_use]
    pub fn capacity(&self) -> usize {
        self.bytes.capacity()
    }

    /// Where small pieces are appended.
    #[inline]
    pub fn tail(&mut self) -> &mut Vec<u8> {
        &mut self.bytes
    }

    /// Appends a large piece without copying it.
    pub fn splice(&mut self, piece: Bytes) {
        if !piece.is_empty() {
            self.spliced += piece.len();
            self.splices.push(Splice {
                at: self.bytes.len(),
                piece,
            });
        }
    }

    /// Appends all of `other` and leaves it empty.
    pub fn append(&mut self, other: &mut Self) {
        if self.is_empty() {
            std::mem::swap(self, other);
            return;
        }
        let base = self.bytes.len();
        self.bytes.append(&mut other.bytes);
        self.spliced += std::mem::take(&mut other.spliced);
        self.splices.extend(other.splices.drain(..).map(|s| Splice {
            at: s.at + base,
            piece: s.piece,
        }));
    }

    /// Appends all of `other`, which stays as it is.
    pub fn append_copy(&mut self, other: &Self) {
        let base = self.bytes.len();
        self.bytes.extend_from_slice(&other.bytes);
        self.spliced += other.spliced;
        self.splices.extend(other.splices.iter().map(|s| Splice {
            at: s.at + base,
            piece: s.piece.clone(),
        }));
    }

    /// Empties it and keeps its allocation, unless that has grown over `keep` bytes.
    pub fn clear(&mut self, keep: usize) {
        self.bytes.clear();
        if self.bytes.capacity() > keep {
            self.bytes = Vec::new();
        }
        self.splices.clear();
        self.spliced = 0;
    }

    /// Drops everything after the first `len` bytes of the tail; for taking a reply back. Pieces
    /// spliced after that point go too.
    pub fn truncate(&mut self, mark: Mark) {
        self.bytes.truncate(mark.bytes);
        for splice in self.splices.drain(mark.splices..) {
            self.spliced -= splice.piece.len();
        }
    }

    /// A point to which [`Self::truncate`] can return.
    #[must_use]
    #[inline]
    pub fn mark(&self) -> Mark {
        Mark {
            bytes: self.bytes.len(),
            splices: self.splices.len(),
        }
    }

    /// The whole as one slice, when nothing is spliced in.
    #[must_use]
    #[inline]
    pub fn as_contiguous(&self) -> Option<&[u8]> {
        self.splices.is_empty().then_some(&self.bytes)
    }

    /// Everything after the first `skip` bytes, as slices for a vectored write.
    ///
    /// Fills at most `out.len()` slices and returns how many.
    pub fn slices<'a>(&'a self, skip: usize, out: &mut [IoSlice<'a>]) -> usize {
        let mut skip = skip;
        let mut used = 0;
        self.for_each_slice(&mut |slice| {
            if skip >= slice.len() {
                skip -= slice.len();
                return true;
            }
            let Some(place) = out.get_mut(used) else {
                return false;
            };
            *place = IoSlice::new(&slice[skip..]);
            skip = 0;
            used += 1;
            true
        });
        used
    }

    /// The whole, copied into one vector.
    #[must_use]
    pub fn to_vec(&self) -> Vec<u8> {
        let mut all = Vec::with_capacity(self.len());
        self.for_each_slice(&mut |slice| {
            all.extend_from_slice(slice);
            true
        });
        all
    }

    /// Calls `each` with every non-empty piece in order while it says to go on.
    fn for_each_slice<'a>(&'a self, each: &mut dyn FnMut(&'a [u8]) -> bool) {
        let mut from = 0;
        for splice in &self.splices {
            if splice.at > from && !each(&self.bytes[from..splice.at]) {
                return;
            }
            from = splice.at;
            if !each(&splice.piece) {
                return;
            }
        }
        if from < self.bytes.len() {
            each(&self.bytes[from..]);
        }
    }
}

/// A length to return to; see [`ReplyBuf::mark`].
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Mark {
    bytes: usize,
    splices: usize,
}

#[cfg(test)]
mod tests {
    use super::*;

    fn sample() -> ReplyBuf {
        let mut buf = ReplyBuf::new();
        buf.tail().extend_from_slice(b"ab");
        buf.splice(Bytes::from_static(b"CDE"));
        buf.tail().extend_from_slice(b"fg");
        buf.splice(Bytes::from_static(b"H"));
        buf
    }

    #[test]
    fn pieces_keep_their_order() {
        assert_eq!(sample().to_vec(), b"abCDEfgH");
        assert_eq!(sample().len(), 8);
    }

    #[test]
    fn skipping_any_number_of_bytes_leaves_the_rest() {
        let buf = sample();
        for skip in 0..=8 {
            let mut slices = [IoSlice::new(&[]); 8];
            let used = buf.slices(skip, &mut slices);
            let rest: Vec<u8> = slices[..used].iter().flat_map(|s| s.to_vec()).collect();
            assert_eq!(rest, &b"abCDEfgH"[skip..]);
        }
    }

    #[test]
    fn appending_moves_everything_behind() {
        let (mut a, mut b) = (sample(), sample());
        a.append(&mut b);
        assert!(b.is_empty());
        assert_eq!(a.to_vec(), b"abCDEfgHabCDEfgH");
    }

    #[test]
    fn truncation_returns_to_the_mark() {
        let mut buf = sample();
        let mark = buf.mark();
        buf.tail().extend_from_slice(b"more");
        buf.splice(Bytes::from_static(b"piece"));
        buf.truncate(mark);
        assert_eq!(buf.to_vec(), b"abCDEfgH");
        assert_eq!(buf.len(), 8);
    }
}
