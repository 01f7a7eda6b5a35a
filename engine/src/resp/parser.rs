//! Requests: multibulk arrays and inline lines, framed many at a time, resumable at any byte.
//!
//! Shape: [`Parser`] walks a buffer once and records spans; a request that is not complete keeps
//! its place, so that a million words arriving in small pieces cost one pass in all.
//! Source: the Redis protocol specification; texts and limits as real servers answer them.

use super::args::Span;
use bytes::Bytes;
use memchr::memchr;
use std::fmt;
use std::ops::Range;

/// Longest inline request, and longest count or length line, in bytes.
const LINE_BYTES_MAX: usize = 64 * 1024;
/// From this length on a word is received into a buffer of its own.
pub const LARGE_WORD_BYTES: usize = 32 * 1024;
/// Words a client may send in one request before it has authenticated.
const UNAUTHENTICATED_WORDS_MAX: i64 = 10;
/// Bytes a word may have before its sender has authenticated.
const UNAUTHENTICATED_WORD_BYTES_MAX: i64 = 16384;

/// Spans that an idle parser keeps room for.
const SPANS_KEPT: usize = 1024;

/// What a request may be, now.
#[derive(Clone, Copy, Debug)]
pub struct Limits {
    /// `proto-max-bulk-len`.
    pub word_bytes_max: u64,
    /// Whether the sender has proved who it is.
    pub authenticated: bool,
}

/// Why the bytes are no request. The connection is closed after the answer.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
#[non_exhaustive]
pub enum ProtocolError {
    /// No end of line within 64 KiB.
    InlineTooBig,
    /// An inline request with a quote that does not close.
    UnbalancedQuotes,
    /// No end of the count line within 64 KiB.
    CountLineTooBig,
    /// The count is no number or too large.
    InvalidCount,
    /// A word did not start with `$` but with this byte.
    ExpectedDollar(u8),
    /// No end of the length line within 64 KiB.
    LengthLineTooBig,
    /// The length is no number, negative or over the limit.
    InvalidLength,
    /// Too many words for somebody unknown.
    UnauthenticatedCount,
    /// Too long a word for somebody unknown.
    UnauthenticatedLength,
}

impl ProtocolError {
    /// The line as it is sent, prefix included; the offending byte stands in it as it came.
    #[must_use]
    pub fn line(self) -> Vec<u8> {
        match self {
            Self::ExpectedDollar(byte) => {
                let mut line = b"ERR Protocol error: expected '$', got '".to_vec();
                line.extend([byte, b'\'']);
                line
            }
            other => format!("ERR {other}").into_bytes(),
        }
    }
}

impl fmt::Display for ProtocolError {
    fn fmt(&self, out: &mut fmt::Formatter<'_>) -> fmt::Result {
        out.write_str("Protocol error: ")?;
        match self {
            Self::InlineTooBig => out.write_str("too big inline request"),
            Self::UnbalancedQuotes => out.write_str("unbalanced quotes in request"),
            Self::CountLineTooBig => out.write_str("too big mbulk count string"),
            Self::InvalidCount => out.write_str("invalid multibulk length"),
            Self::ExpectedDollar(byte) => write!(out, "expected '$', got '{}'", char::from(*byte)),
            Self::LengthLineTooBig => out.write_str("too big bulk count string"),
            Self::InvalidLength => out.write_str("invalid bulk length"),
            Self::UnauthenticatedCount => out.write_str("unauthenticated multibulk length"),
            Self::UnauthenticatedLength => out.write_str("unauthenticated bulk length"),
        }
    }
}

/// Why framing stopped.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Stop {
    /// One request is complete: take it, then go on.
    Request,
    /// An inline request follows complete ones: they come first, because its words are unquoted
    /// where they lie and could not be read a second time if one of them made it wait.
    Inline,
    /// The bytes end inside a request, or exactly after one.
    NeedMore,
    /// A word of this many bytes follows, of which the buffer holds only the part from `start`.
    Large {
        /// Where the word begins in the buffer.
        start: usize,
        /// Its whole length without the line end.
        len: usize,
    },
    /// The bytes are no request.
    Bad(ProtocolError),
}

/// The place inside a request that has not arrived whole.
#[derive(Debug, Default)]
pub struct Parser {
    /// Words still to come; 0 between requests.
    missing: u64,
    /// Length of the word whose bytes are awaited, when its length line has been read.
    awaiting: Option<usize>,
    /// Words of the complete requests of the batch, then those of the request under way.
    spans: Vec<Span>,
    /// Where the words of the request under way begin.
    first: usize,
    /// Words with buffers of their own; only the last complete request or the one under way has any.
    large: Vec<Bytes>,
    /// Bytes of these.
    large_bytes: usize,
    /// How far the buffer has been understood.
    pos: usize,
}

impl Parser {
    /// No request has been begun.
    #[must_use]
    #[inline]
    pub fn is_idle(&self) -> bool {
        self.missing == 0 && self.spans.len() == self.first
    }

    /// Everything before this offset has been understood.
    #[must_use]
    #[inline]
    pub fn position(&self) -> usize {
        self.pos
    }

    /// Tells that the first `by` bytes of the buffer are gone; complete requests are forgotten.
    pub fn cut(&mut self, by: usize) {
        self.forget();
        if by == 0 {
            // The usual case of a long request that arrives in many pieces.
            return;
        }
        self.pos -= by;
        for span in &mut self.spans {
            *span = span.shifted_back(by);
        }
    }

    /// The word under way is complete: closes the request, whose words are `words()[range]`.
    #[inline]
    pub fn finish(&mut self) -> Range<usize> {
        debug_assert_eq!(self.missing, 0, "only a complete request is closed");
        let range = self.first..self.spans.len();
        self.first = self.spans.len();
        range
    }

    /// Words of all complete requests since the last [`Self::forget`], and the large ones.
    #[must_use]
    #[inline]
    pub fn words(&self) -> (&[Span], &[Bytes]) {
        (&self.spans, &self.large)
    }

    /// Bytes of memory that it keeps.
    #[must_use]
    pub const fn memory(&self) -> usize {
        let places = self.large.capacity() * size_of::<Bytes>();
        self.spans.capacity() * size_of::<Span>() + places + self.large_bytes
    }

    /// Whether a word of its own buffer is among the words.
    #[must_use]
    #[inline]
    pub fn has_large(&self) -> bool {
        !self.large.is_empty()
    }

    /// Forgets all complete requests; the one under way stays.
    #[inline]
    pub fn forget(&mut self) {
        if self.first == self.spans.len() {
            self.spans.clear();
            self.large.clear();
            self.large_bytes = 0;
            if self.spans.capacity() > SPANS_KEPT {
                self.spans = Vec::new();
            }
        } else {
            debug_assert!(
                self.first == 0 || self.large.is_empty(),
                "large words end a batch"
            );
            self.spans.drain(..self.first);
        }
        self.first = 0;
    }

    /// Forgets everything: the buffer is empty.
    pub fn reset(&mut self) {
        (self.missing, self.awaiting, self.pos) = (0, None, 0);
        self.first = self.spans.len();
        self.forget();
    }

    /// Forgets everything but one complete request, which must wait: its words are
    /// `words()[words]`, it lies from `start` to `end`, and what is before it will be cut off.
    pub fn hold(&mut self, words: Range<usize>, start: usize, end: usize) {
        self.spans.truncate(words.end);
        self.spans.drain(..words.start);
        for span in &mut self.spans {
            *span = span.shifted_back(start);
        }
        (self.missing, self.awaiting, self.first, self.pos) = (0, None, 0, end - start);
    }

    /// Takes the large word that was received into its own buffer.
    pub fn supply(&mut self, word: Bytes) {
        self.awaiting = None;
        self.spans.push(Span::large(self.large.len()));
        self.large_bytes += word.len();
        self.large.push(word);
        self.missing -= 1;
    }

    /// Whether all words of a request are there.
    #[must_use]
    pub fn is_complete(&self) -> bool {
        self.missing == 0 && self.spans.len() > self.first
    }

    /// Understands as much of `bytes` as belongs to one request.
    #[inline]
    pub fn advance(&mut self, bytes: &mut [u8], limits: &Limits) -> Stop {
        while self.missing == 0 {
            match bytes.get(self.pos) {
                None => return Stop::NeedMore,
                Some(b'*') => match self.count_line(bytes, limits) {
                    Ok(Some(count)) => self.missing = count,
                    Ok(None) => return Stop::NeedMore,
                    Err(error) => return Stop::Bad(error),
                },
                Some(_) if self.first > 0 => return Stop::Inline,
                Some(_) => match self.inline_line(bytes) {
                    Ok(Some(())) if self.spans.len() == self.first => {}
                    Ok(Some(())) => return Stop::Request,
                    Ok(None) => return Stop::NeedMore,
                    Err(error) => return Stop::Bad(error),
                },
            }
        }
        self.rest_of_words(bytes, limits)
    }

    #[inline]
    fn rest_of_words(&mut self, bytes: &[u8], limits: &Limits) -> Stop {
        while self.missing > 0 {
            let len = match self.awaiting {
                Some(len) => len,
                None => match self.length_line(bytes, limits) {
                    Ok(Some(len)) => len,
                    Ok(None) => return Stop::NeedMore,
                    Err(error) => return Stop::Bad(error),
                },
            };
            if bytes.len() - self.pos < len + 2 {
                self.awaiting = Some(len);
                if len >= LARGE_WORD_BYTES {
                    return Stop::Large {
                        start: self.pos,
                        len,
                    };
                }
                return Stop::NeedMore;
            }
            self.awaiting = None;
            self.spans.push(Span::inline(self.pos, len));
            self.pos += len + 2;
            self.missing -= 1;
        }
        Stop::Request
    }

    /// Reads `*N\r\n`; `Some(0)` for the counts that mean nothing.
    #[inline]
    fn count_line(&mut self, bytes: &[u8], limits: &Limits) -> Result<Option<u64>, ProtocolError> {
        if let Some((count, after)) = short_line(bytes, self.pos)
            && (limits.authenticated || count <= 10)
        {
            self.pos = after;
            return Ok(Some(count as u64));
        }
        let Some((number, after)) = number_line(&bytes[self.pos + 1..]) else {
            if bytes.len() - self.pos > LINE_BYTES_MAX {
                return Err(ProtocolError::CountLineTooBig);
            }
            return Ok(None);
        };
        let count = number.filter(|n| *n <= i64::from(i32::MAX));
        let count = count.ok_or(ProtocolError::InvalidCount)?;
        if count > UNAUTHENTICATED_WORDS_MAX && !limits.authenticated {
            return Err(ProtocolError::UnauthenticatedCount);
        }
        self.pos += 1 + after;
        Ok(Some(u64::try_from(count).unwrap_or(0)))
    }

    /// Reads `$N\r\n`.
    #[inline]
    fn length_line(
        &mut self,
        bytes: &[u8],
        limits: &Limits,
    ) -> Result<Option<usize>, ProtocolError> {
        if bytes.get(self.pos) == Some(&b'$')
            && let Some((len, after)) = short_line(bytes, self.pos)
        {
            self.pos = after;
            return Ok(Some(len));
        }
        self.length_line_slow(bytes, limits)
    }

    fn length_line_slow(
        &mut self,
        bytes: &[u8],
        limits: &Limits,
    ) -> Result<Option<usize>, ProtocolError> {
        let Some(first) = bytes.get(self.pos) else {
            return Ok(None);
        };
        if *first != b'$' {
            // Like real servers: the byte is judged when its line has ended.
            let line_end = memchr(b'\r', &bytes[self.pos..]);
            if line_end.is_none_or(|end| self.pos + end + 1 >= bytes.len()) {
                let too_big = bytes.len() - self.pos > LINE_BYTES_MAX;
                return if too_big {
                    Err(ProtocolError::LengthLineTooBig)
                } else {
                    Ok(None)
                };
            }
            return Err(ProtocolError::ExpectedDollar(*first));
        }
        let Some((number, after)) = number_line(&bytes[self.pos + 1..]) else {
            if bytes.len() - self.pos > LINE_BYTES_MAX {
                return Err(ProtocolError::LengthLineTooBig);
            }
            return Ok(None);
        };
        let len = number.and_then(|n| u64::try_from(n).ok());
        let len = len.filter(|len| *len <= limits.word_bytes_max);
        let len = len.ok_or(ProtocolError::InvalidLength)?;
        if !limits.authenticated && len > UNAUTHENTICATED_WORD_BYTES_MAX as u64 {
            return Err(ProtocolError::UnauthenticatedLength);
        }
        self.pos += 1 + after;
        usize::try_from(len)
            .map(Some)
            .map_err(|_| ProtocolError::InvalidLength)
    }

    /// Reads a line of words, unquoting them in place; no words for an empty line.
    fn inline_line(&mut self, bytes: &mut [u8]) -> Result<Option<()>, ProtocolError> {
        let rest = &mut bytes[self.pos..];
        let Some(end) = memchr(b'\n', rest) else {
            if rest.len() > LINE_BYTES_MAX {
                return Err(ProtocolError::InlineTooBig);
            }
            return Ok(None);
        };
        if end > LINE_BYTES_MAX {
            return Err(ProtocolError::InlineTooBig);
        }
        let line = if end > 0 && rest[end - 1] == b'\r' {
            end - 1
        } else {
            end
        };
        let pos = self.pos;
        super::words::split_in_place(&mut rest[..line], &mut |start, len| {
            self.spans.push(Span::inline(pos + start, len));
        })
        .map_err(|_| ProtocolError::UnbalancedQuotes)?;
        self.pos = pos + end + 1;
        Ok(Some(()))
    }
}

/// The number of one or two digits behind the byte at `pos`, and the offset behind its line: nearly
/// every line there is. `None` for any other line, and while the line is not complete.
#[inline]
fn short_line(bytes: &[u8], pos: usize) -> Option<(usize, usize)> {
    let line: &[u8; 5] = bytes.get(pos..pos + 5)?.try_into().ok()?;
    let (ones, tens) = (line[1].wrapping_sub(b'0'), line[2].wrapping_sub(b'0'));
    if line[2] == b'\r' && ones <= 9 {
        return Some((usize::from(ones), pos + 4));
    }
    if line[3] == b'\r' && ones <= 9 && ones > 0 && tens <= 9 {
        return Some((usize::from(ones) * 10 + usize::from(tens), pos + 5));
    }
    None
}

/// The number before the next `\r`, `None` when malformed, and the offset behind the line end.
/// `None` while the line end has not arrived.
fn number_line(bytes: &[u8]) -> Option<(Option<i64>, usize)> {
    let end = memchr(b'\r', bytes)?;
    (bytes.len() > end + 1).then(|| (crate::base::number::parse_i64(&bytes[..end]), end + 2))
}

#[cfg(test)]
mod tests;
