//! A request's arguments: slices of the received bytes until somebody keeps one.
//!
//! Shape: a span a word, pointing into the received bytes; words over 32 KiB that arrived through
//! a `fill` lie in buffers of their own and can be kept without a copy.

use bytes::Bytes;

/// Where one word lies.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Span {
    start: u32,
    len: u32,
}

/// `start` of a span whose `len` is an index among the large words.
const LARGE: u32 = u32::MAX;

/// What stands around a word, or before all of them, at most: `$`, ten digits, two line ends.
const FRAMING_BYTES_MAX: usize = 15;

impl Span {
    /// A word inside the received bytes.
    #[must_use]
    #[inline]
    #[expect(
        clippy::cast_possible_truncation,
        reason = "no connection may hold 4 GiB of input"
    )]
    pub fn inline(start: usize, len: usize) -> Self {
        debug_assert!(start < LARGE as usize && u32::try_from(len).is_ok());
        Self {
            start: start as u32,
            len: len as u32,
        }
    }

    /// The `index`th large word.
    #[must_use]
    #[expect(
        clippy::cast_possible_truncation,
        reason = "there are fewer words than bytes"
    )]
    pub fn large(index: usize) -> Self {
        Self {
            start: LARGE,
            len: index as u32,
        }
    }

    /// The same word after everything before `by` was cut off.
    #[must_use]
    #[expect(clippy::cast_possible_truncation, reason = "`by` is at most the start")]
    pub fn shifted_back(self, by: usize) -> Self {
        if self.start == LARGE {
            self
        } else {
            Self {
                start: self.start - by as u32,
                ..self
            }
        }
    }
}

/// The words of one request: word 0 is the command's name.
#[derive(Clone, Copy, Debug)]
pub struct Args<'a> {
    bytes: &'a [u8],
    spans: &'a [Span],
    large: &'a [Bytes],
}

impl<'a> Args<'a> {
    /// Words at `spans` of `bytes` and among `large`.
    #[must_use]
    #[inline]
    pub fn new(bytes: &'a [u8], spans: &'a [Span], large: &'a [Bytes]) -> Self {
        Self {
            bytes,
            spans,
            large,
        }
    }

    /// How many words.
    #[must_use]
    #[inline]
    #[expect(clippy::len_without_is_empty, reason = "a request always has its name")]
    pub fn len(&self) -> usize {
        self.spans.len()
    }

    /// Word `index`; the caller knows that it exists.
    ///
    /// # Panics
    /// When it does not.
    #[must_use]
    #[inline]
    pub fn get(&self, index: usize) -> &'a [u8] {
        let span = self.spans[index];
        if span.start == LARGE {
            return &self.large[span.len as usize];
        }
        &self.bytes[span.start as usize..span.start as usize + span.len as usize]
    }

    /// Word `index` if there is one.
    #[must_use]
    #[inline]
    pub fn try_get(&self, index: usize) -> Option<&'a [u8]> {
        (index < self.spans.len()).then(|| self.get(index))
    }

    /// The words from `from` on.
    pub fn iter_from(self, from: usize) -> impl ExactSizeIterator<Item = &'a [u8]> + Clone {
        (from..self.spans.len().max(from)).map(move |i| self.get(i))
    }

    /// Word `index` as something to keep: shared when it has its own buffer, copied otherwise.
    #[must_use]
    pub fn keep(&self, index: usize) -> Bytes {
        let span = self.spans[index];
        if span.start == LARGE {
            return self.large[span.len as usize].clone();
        }
        Bytes::copy_from_slice(self.get(index))
    }

    /// Whether [`Self::keep`] of word `index` would copy nothing.
    #[must_use]
    #[inline]
    pub fn is_large(&self, index: usize) -> bool {
        self.spans[index].start == LARGE
    }

    /// Never less than [`Self::wire_bytes`], and not much more. O(1) unless there are large words.
    #[must_use]
    #[inline]
    pub fn extent(&self) -> usize {
        if !self.large.is_empty() {
            return self.wire_bytes();
        }
        let last = self.spans[self.spans.len() - 1];
        let words = (last.start + last.len - self.spans[0].start) as usize;
        words + (self.spans.len() + 1) * FRAMING_BYTES_MAX
    }

    /// Bytes of the request as an array of bulk strings, however it came.
    #[must_use]
    pub fn wire_bytes(&self) -> usize {
        let framed = |len: usize| "$\r\n".len() + decimal_digits(len);
        let words = self
            .iter_from(0)
            .map(|word| framed(word.len()) + word.len() + "\r\n".len());
        framed(self.len()) + words.sum::<usize>()
    }
}

fn decimal_digits(number: usize) -> usize {
    number.checked_ilog10().unwrap_or(0) as usize + 1
}

/// A request that has to outlive the bytes it came in.
#[derive(Clone, Debug, Default)]
pub struct OwnedArgs {
    bytes: Vec<u8>,
    spans: Vec<Span>,
    large: Vec<Bytes>,
}

impl OwnedArgs {
    /// Copies the words of `args`; large ones are shared.
    #[must_use]
    pub fn copy_of(args: &Args<'_>) -> Self {
        let mut owned = Self::default();
        for index in 0..args.len() {
            if args.is_large(index) {
                owned.spans.push(Span::large(owned.large.len()));
                owned.large.push(args.keep(index));
            } else {
                owned.push(args.get(index));
            }
        }
        owned
    }

    /// A request made of `words`.
    #[must_use]
    pub fn from_words(words: &[&[u8]]) -> Self {
        let mut owned = Self::default();
        for word in words {
            owned.push(word);
        }
        owned
    }

    fn push(&mut self, word: &[u8]) {
        self.spans.push(Span::inline(self.bytes.len(), word.len()));
        self.bytes.extend_from_slice(word);
    }

    /// The words.
    #[must_use]
    pub fn args(&self) -> Args<'_> {
        Args::new(&self.bytes, &self.spans, &self.large)
    }

    /// Bytes of memory kept for it.
    #[must_use]
    pub fn memory(&self) -> usize {
        let large: usize = self.large.iter().map(Bytes::len).sum();
        self.bytes.capacity() + self.spans.capacity() * size_of::<Span>() + large
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_extent_is_never_less_than_the_bytes_on_the_wire() {
        let words = |count: usize, len: usize| {
            let word = vec![b'x'; len];
            OwnedArgs::from_words(&vec![word.as_slice(); count])
        };
        for (count, len, wire) in [(1, 4, 14), (3, 3, 31), (12, 10, 209), (200, 0, 1206)] {
            let owned = words(count, len);
            let args = owned.args();
            assert_eq!(args.wire_bytes(), wire);
            assert!(args.extent() >= wire, "{count} words of {len}");
        }
    }
}
