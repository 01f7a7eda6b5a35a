//! Bytes from a source, taken by number, length and string, with the checksum of all that is taken.
//!
//! Invariant: memory is taken for what has arrived: a long string grows as its bytes come, and a
//! compressed one has no room for more than its bytes can make.

use super::error::{Fault, Stop};
use crate::base::lzf;
use crate::base::number::Digits;
use crate::codec::crc64::Crc64;
use std::ops::Range;

/// Where bytes come from.
pub trait Source {
    /// What can fail.
    type Error;

    /// Fills the beginning of `into`, which is not empty, and says how much of it; 0 is the end.
    ///
    /// # Errors
    /// Whatever the source says; nothing is read from it after that.
    fn fill(&mut self, into: &mut [u8]) -> Result<usize, Self::Error>;
}

impl Source for &[u8] {
    type Error = std::convert::Infallible;

    fn fill(&mut self, into: &mut [u8]) -> Result<usize, Self::Error> {
        let len = self.len().min(into.len());
        let (now, later) = self.split_at(len);
        into[..len].copy_from_slice(now);
        *self = later;
        Ok(len)
    }
}

/// Bytes that the buffer for the source has; strings up to this length are not copied out of it.
const BUFFER_BYTES: usize = 64 << 10;
/// Room that a long string begins with, and the room of a scratch buffer that is kept.
const ROOM_BYTES: usize = 1 << 20;

/// A length, or the form of a string that has none.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
enum Head {
    Length(u64),
    Form(u8),
}

/// Where the bytes of a string are, until the next is read.
#[derive(Clone, Debug)]
pub(in crate::codec) enum Text {
    Int(Digits),
    Buffer(Range<usize>),
    Scratch,
}

/// A source with a buffer.
#[derive(Debug)]
pub(in crate::codec) struct Input<S> {
    source: S,
    buffer: Box<[u8]>,
    /// What is next, and where the bytes end that have arrived.
    at: usize,
    end: usize,
    /// What of the buffer has been added to the checksum.
    summed: usize,
    /// Offset of the buffer's first byte in the source.
    base: u64,
    crc: Option<Crc64>,
    scratch: Vec<u8>,
    /// Offset of what is being read, for errors.
    pub(super) mark: u64,
}

type Taken<T, E> = Result<T, Stop<E>>;

impl<S: Source> Input<S> {
    /// Reads `source`; `len`, if known, is how much it has.
    pub(in crate::codec) fn new(source: S, crc: Option<Crc64>, len: Option<usize>) -> Self {
        let room = len.map_or(BUFFER_BYTES, |len| len.clamp(16, BUFFER_BYTES));
        Self {
            source,
            buffer: vec![0; room].into_boxed_slice(),
            at: 0,
            end: 0,
            summed: 0,
            base: 0,
            crc,
            scratch: Vec::new(),
            mark: 0,
        }
    }

    /// Offset of the next byte.
    #[inline]
    pub(in crate::codec) fn offset(&self) -> u64 {
        self.base + self.at as u64
    }

    /// The source, and what has been taken from it and not been read.
    pub(super) fn into_rest(self) -> (S, Vec<u8>) {
        let rest = self.buffer[self.at..self.end].to_vec();
        (self.source, rest)
    }

    /// Adds what has been read of the buffer to the checksum.
    fn sum(&mut self) {
        if let Some(crc) = &mut self.crc {
            crc.update(&self.buffer[self.summed..self.at]);
        }
        self.summed = self.at;
    }

    /// The checksum of all that has been read.
    pub(super) fn checksum(&mut self) -> Option<u64> {
        self.sum();
        self.crc.as_ref().map(Crc64::value)
    }

    /// Sees to it that the next `len` bytes are in the buffer, which is at least so long.
    #[inline]
    fn need(&mut self, len: usize) -> Taken<(), S::Error> {
        if self.end - self.at >= len {
            return Ok(());
        }
        self.refill(len)
    }

    #[cold]
    fn refill(&mut self, len: usize) -> Taken<(), S::Error> {
        self.sum();
        self.buffer.copy_within(self.at..self.end, 0);
        self.base += self.at as u64;
        self.end -= self.at;
        (self.at, self.summed) = (0, 0);
        while self.end < len {
            let got = self.source.fill(&mut self.buffer[self.end..]);
            let got = got.map_err(Stop::Source)?;
            if got == 0 {
                return Err(Fault::Truncated.into());
            }
            self.end += got;
        }
        Ok(())
    }

    /// The next byte, left where it is.
    #[inline]
    pub(super) fn peek(&mut self) -> Taken<u8, S::Error> {
        self.mark = self.offset();
        self.need(1)?;
        Ok(self.buffer[self.at])
    }

    /// Passes by the byte that was peeked.
    #[inline]
    pub(super) fn skip(&mut self) {
        self.at += 1;
    }

    /// The next byte.
    #[inline]
    pub(in crate::codec) fn byte(&mut self) -> Taken<u8, S::Error> {
        let byte = self.peek()?;
        self.at += 1;
        Ok(byte)
    }

    /// The next bytes of a fixed number.
    #[inline]
    pub(super) fn array<const N: usize>(&mut self) -> Taken<[u8; N], S::Error> {
        self.mark = self.offset();
        self.need(N)?;
        let mut array = [0; N];
        array.copy_from_slice(&self.buffer[self.at..self.at + N]);
        self.at += N;
        Ok(array)
    }

    /// A length or form.
    #[inline]
    fn head(&mut self) -> Taken<Head, S::Error> {
        let first = self.byte()?;
        match first >> 6 {
            0 => Ok(Head::Length(u64::from(first))),
            1 => {
                let low = self.byte()?;
                Ok(Head::Length(u64::from(first & 0x3f) << 8 | u64::from(low)))
            }
            2 => self.long_length(first),
            _ => Ok(Head::Form(first & 0x3f)),
        }
    }

    fn long_length(&mut self, first: u8) -> Taken<Head, S::Error> {
        match first {
            0x80 => Ok(Head::Length(u32::from_be_bytes(self.array()?).into())),
            0x81 => Ok(Head::Length(u64::from_be_bytes(self.array()?))),
            _ => Err(Fault::Length.into()),
        }
    }

    /// A length, count or number.
    #[inline]
    pub(super) fn length(&mut self) -> Taken<u64, S::Error> {
        match self.head()? {
            Head::Length(length) => Ok(length),
            Head::Form(_) => Err(Fault::Length.into()),
        }
    }

    /// A string; its bytes are where [`Self::bytes`] finds them.
    #[inline]
    pub(super) fn text(&mut self) -> Taken<Text, S::Error> {
        let start = self.offset();
        let text = match self.head()? {
            Head::Length(len) => match usize::try_from(len) {
                Ok(len) if len <= self.buffer.len() => {
                    self.need(len)?;
                    self.at += len;
                    Text::Buffer(self.at - len..self.at)
                }
                _ => self.long_text(len)?,
            },
            Head::Form(form) => self.special_text(form)?,
        };
        self.mark = start;
        Ok(text)
    }

    fn special_text(&mut self, form: u8) -> Taken<Text, S::Error> {
        let number = match form {
            0 => i64::from(i8::from_le_bytes(self.array()?)),
            1 => i64::from(i16::from_le_bytes(self.array()?)),
            2 => i64::from(i32::from_le_bytes(self.array()?)),
            3 => return self.compressed_text(),
            _ => return Err(Fault::StringForm(form).into()),
        };
        Ok(Text::Int(Digits::of(number)))
    }

    fn clear_scratch(&mut self) {
        self.scratch.clear();
        self.scratch.shrink_to(ROOM_BYTES);
    }

    #[cold]
    fn long_text(&mut self, len: u64) -> Taken<Text, S::Error> {
        self.clear_scratch();
        let mut scratch = std::mem::take(&mut self.scratch);
        let read = self.read_long(len, &mut scratch);
        self.scratch = scratch;
        read?;
        Ok(Text::Scratch)
    }

    fn compressed_text(&mut self) -> Taken<Text, S::Error> {
        let (packed_len, len) = (self.length()?, self.length()?);
        let len = usize::try_from(len).map_err(|_| Fault::Compression)?;
        self.clear_scratch();
        let fits = match usize::try_from(packed_len) {
            Ok(packed_len) if packed_len <= self.buffer.len() => {
                self.need(packed_len)?;
                let packed = &self.buffer[self.at..self.at + packed_len];
                let fits = lzf::expand(packed, len, &mut self.scratch);
                self.at += packed_len;
                fits
            }
            _ => {
                let mut packed = Vec::new();
                self.read_long(packed_len, &mut packed)?;
                lzf::expand(&packed, len, &mut self.scratch)
            }
        };
        if fits {
            Ok(Text::Scratch)
        } else {
            Err(Fault::Compression.into())
        }
    }

    /// Reads `len` bytes into `out`, which grows as they come.
    fn read_long(&mut self, len: u64, out: &mut Vec<u8>) -> Taken<(), S::Error> {
        let mut left = len;
        let here = usize::try_from(left).unwrap_or(usize::MAX);
        let here = here.min(self.end - self.at);
        out.extend_from_slice(&self.buffer[self.at..self.at + here]);
        self.at += here;
        left -= here as u64;
        // The buffer is empty from here on, unless nothing is left.
        self.sum();
        let mut filled = out.len();
        while left > 0 {
            if filled == out.len() {
                let room = usize::try_from(left).unwrap_or(usize::MAX);
                let room = room.min(filled.max(ROOM_BYTES));
                out.reserve_exact(room);
                out.resize(filled + room, 0);
            }
            let got = self.source.fill(&mut out[filled..]).map_err(Stop::Source)?;
            if got == 0 {
                self.mark = self.offset();
                return Err(Fault::Truncated.into());
            }
            if let Some(crc) = &mut self.crc {
                crc.update(&out[filled..filled + got]);
            }
            filled += got;
            self.base += got as u64;
            left -= got as u64;
        }
        Ok(())
    }

    /// The bytes of a string, before anything else is read.
    #[inline]
    pub(super) fn bytes<'a>(&'a self, text: &'a Text) -> &'a [u8] {
        match text {
            Text::Int(digits) => digits.as_bytes(),
            Text::Buffer(range) => &self.buffer[range.clone()],
            Text::Scratch => &self.scratch,
        }
    }

    /// The bytes of a string that lies in the scratch buffer, to be kept.
    pub(super) fn take_scratch(&mut self) -> Vec<u8> {
        std::mem::take(&mut self.scratch)
    }
}
