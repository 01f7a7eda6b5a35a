//! Bytes of an append-only log to commands and annotations, in pieces as they come from a disk.
//!
//! Shape: one buffer; the caller reads from its disk straight into [`Reader::room`], says so with
//! [`Reader::fill`], takes [`Reader::item`]s until there is none, and at the end of the file asks
//! for the [`Reader::end`]. Words of a record that is not complete are not looked at again.
//! Limits: nothing is allocated because a length says so; memory is what the largest record has.
//! Not here: what to do about a torn end; what commands mean.

use super::integrity::{Checker, MARK, SEAL_BYTES_MIN, SealFlaw, Sealer};
use super::names::BaseFormat;
use crate::base::number::{parse_i64, parse_u64};
use crate::resp::{Args, LARGE_WORD_BYTES, Span};
use bytes::Bytes;
use std::fmt;

/// The longest word if nothing else is said.
pub const WORD_BYTES_MAX: u64 = 512 * 1024 * 1024;
/// The most words of a command.
const WORDS_MAX: u64 = i32::MAX as u64;
/// Digits of a count or a length.
const DIGITS_MAX: usize = 19;
/// The longest annotation, its end included.
const ANNOTATION_BYTES_MAX: usize = 1024;
/// Room that is offered at least.
const ROOM_BYTES: usize = 256 * 1024;
/// A buffer that an idle reader keeps.
const BUFFER_BYTES: usize = 4 * ROOM_BYTES;

/// Something whole in the log.
#[derive(Clone, Copy, Debug)]
pub enum Item<'a> {
    /// A command.
    Command {
        /// Its words.
        args: Args<'a>,
        /// Offset of its first byte.
        start: u64,
        /// Offset behind its last.
        end: u64,
    },
    /// The time in unix seconds at which what follows was written.
    Time(i64),
    /// A seal that holds, and how many bytes it covers; none if it only begins.
    Sealed(u64),
    /// Another annotation, without its mark and its end.
    Note(&'a [u8]),
}

/// What is wrong with a byte.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
#[non_exhaustive]
pub enum Flaw {
    /// No command or annotation begins like this.
    Record,
    /// A snapshot begins here, which it may only in a base.
    Snapshot,
    /// No word begins like this.
    Word,
    /// No digit, and no end of a number.
    Number,
    /// The number is too large, or there are no words.
    Limit,
    /// The word does not end where it should.
    WordEnd,
    /// An annotation that is too long or has no text.
    Annotation,
}

impl fmt::Display for Flaw {
    fn fmt(&self, out: &mut fmt::Formatter<'_>) -> fmt::Result {
        out.write_str(match self {
            Self::Record => "a command was expected",
            Self::Snapshot => "a snapshot begins here, but only a base file may contain one",
            Self::Word => "a word of a command was expected",
            Self::Number => "a digit or the end of a number was expected",
            Self::Limit => "a count or length is out of its range",
            Self::WordEnd => "the end of a word was expected",
            Self::Annotation => "an annotation is damaged",
        })
    }
}

/// Why a log cannot be read on.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
#[non_exhaustive]
pub enum LogError {
    /// The bytes are no log.
    Format {
        /// Offset of the first byte that is wrong.
        at: u64,
        /// Offset of the record it is in.
        record: u64,
        /// What is wrong with it.
        flaw: Flaw,
    },
    /// Bytes are not those that were written.
    Corrupt {
        /// Offset of the first of them.
        from: u64,
        /// Offset behind the last.
        to: u64,
        /// How that is known.
        flaw: SealFlaw,
    },
}

impl fmt::Display for LogError {
    fn fmt(&self, out: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Self::Format { at, record, flaw } => {
                write!(out, "Bad file format at offset {at}: {flaw}")?;
                if record != at {
                    write!(out, " (in the record at offset {record})")?;
                }
                Ok(())
            }
            Self::Corrupt { from, to, flaw } => {
                write!(out, "Corrupt bytes from offset {from} to {to}: {flaw}")
            }
        }
    }
}

impl std::error::Error for LogError {}

/// How a log ends.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Tail {
    /// With a whole record, outside of any transaction.
    Whole,
    /// Within a record: cut it to `cut` bytes. What is before is whole.
    Record {
        /// The length that it can be cut to.
        cut: u64,
    },
    /// Within a transaction, behind a whole record: cut it to `cut` bytes, before its MULTI.
    Transaction {
        /// The length that it can be cut to.
        cut: u64,
    },
    /// With zeros where something else was to be written: cut it to `cut` bytes. Real servers refuse
    /// such a file, which is what some file systems leave of the last writes when power is lost.
    Zeros {
        /// The length that it can be cut to.
        cut: u64,
        /// Offset of the first zero.
        zeros: u64,
    },
}

impl Tail {
    /// The length that the log can be cut to; `None` if it is whole.
    #[must_use]
    pub fn cut(self) -> Option<u64> {
        match self {
            Self::Whole => None,
            Self::Record { cut } | Self::Transaction { cut } | Self::Zeros { cut, .. } => Some(cut),
        }
    }
}

/// What is expected next.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
enum Stage {
    Record,
    /// So many words more.
    Words(u64),
    /// The bytes of a word, and so many words more.
    Word(usize, u64),
    /// Nothing but zeros, or this is wrong.
    Zeros(LogError),
    Failed(LogError),
}

/// What has been read.
enum Found {
    Command,
    Time(i64),
    Sealed(u64),
    Note,
    /// More bytes are needed.
    Nothing,
}

/// Reads one file of a log.
#[derive(Debug)]
pub struct Reader {
    /// Bytes up to `filled` are of the file, those from there on are room.
    buf: Vec<u8>,
    filled: usize,
    /// Offset of the buffer's first byte.
    base: u64,
    /// Where the present record begins, and where reading goes on.
    start: usize,
    at: usize,
    stage: Stage,
    /// The present record's words, from its start.
    spans: Vec<Span>,
    large: Vec<Bytes>,
    /// Bytes of its longest word.
    longest: usize,
    word_bytes_max: u64,
    checker: Checker,
    /// Offset of the MULTI that has not ended.
    multi: Option<u64>,
    /// Where the file can be cut, and the last seal before.
    cut: u64,
    cut_seal: u64,
}

impl Reader {
    /// For a file whose bytes are given from offset `at` on: 0, or the end of a snapshot.
    #[must_use]
    pub fn new(at: u64) -> Self {
        Self {
            buf: Vec::new(),
            filled: 0,
            base: at,
            start: 0,
            at: 0,
            stage: Stage::Record,
            spans: Vec::new(),
            large: Vec::new(),
            longest: 0,
            word_bytes_max: WORD_BYTES_MAX,
            checker: Checker::new(at),
            multi: None,
            cut: at,
            cut_seal: 0,
        }
    }

    /// Lets words be longer than [`WORD_BYTES_MAX`]: what clients may send (`proto-max-bulk-len`)
    /// has to be read again.
    #[must_use]
    pub fn with_word_limit(mut self, bytes: u64) -> Self {
        self.word_bytes_max = bytes.max(WORD_BYTES_MAX);
        self
    }

    /// Where the next bytes of the file go; never empty.
    pub fn room(&mut self) -> &mut [u8] {
        if self.buf.len() - self.filled < ROOM_BYTES {
            self.make_room();
        }
        &mut self.buf[self.filled..]
    }

    fn make_room(&mut self) {
        self.buf.copy_within(self.start..self.filled, 0);
        self.base += self.start as u64;
        self.filled -= self.start;
        self.at -= self.start;
        self.start = 0;
        if self.buf.len() > 8 * BUFFER_BYTES && self.filled < ROOM_BYTES {
            self.buf.truncate(BUFFER_BYTES);
            self.buf.shrink_to_fit();
        }
        if self.buf.len() - self.filled < ROOM_BYTES {
            // At most twice what has really come.
            let len = (2 * self.filled).max(BUFFER_BYTES);
            self.buf.resize(len, 0);
        }
    }

    /// Says that the first `len` bytes of the room are of the file now.
    ///
    /// # Panics
    /// When there was less room.
    pub fn fill(&mut self, len: usize) {
        assert!(len <= self.buf.len() - self.filled, "room is filled");
        self.filled += len;
    }

    /// Offset behind the last whole item.
    #[must_use]
    pub fn offset(&self) -> u64 {
        self.base + self.start as u64
    }

    /// Offset of the MULTI whose EXEC has not come.
    #[must_use]
    pub fn multi_at(&self) -> Option<u64> {
        self.multi
    }

    /// The length that the file could be cut to: behind the last whole item that is not in a
    /// transaction.
    #[must_use]
    pub fn cut_at(&self) -> u64 {
        self.cut
    }

    /// How many seals were found, all good.
    #[must_use]
    pub fn seals(&self) -> u64 {
        self.checker.seals
    }

    /// What seals the file from here on, after it was cut where [`Self::end`] has said.
    #[must_use]
    pub fn sealer(&self) -> Sealer {
        if self.cut == self.checker.since {
            Sealer::following(self.cut_seal)
        } else {
            Sealer::resumed(self.cut_seal)
        }
    }

    /// The next whole item, or `None` when more bytes are needed.
    ///
    /// # Errors
    /// At the first byte that is wrong, and from then on.
    pub fn item(&mut self) -> Result<Option<Item<'_>>, LogError> {
        if self.stage == Stage::Record {
            self.spans.clear();
            self.large.clear();
            self.longest = 0;
        }
        let (from, start) = (self.start, self.offset());
        let found = match self.advance() {
            Ok(found) => found,
            Err(error) => {
                self.stage = Stage::Failed(error);
                return Err(error);
            }
        };
        if matches!(found, Found::Nothing) {
            return Ok(None);
        }
        self.start = self.at;
        self.stage = Stage::Record;
        self.note_boundary(&found, from, start);
        let bytes = &self.buf[from..self.at];
        Ok(Some(match found {
            Found::Command => Item::Command {
                args: Args::new(bytes, &self.spans, &self.large),
                start,
                end: self.offset(),
            },
            Found::Time(at) => Item::Time(at),
            Found::Sealed(len) => Item::Sealed(len),
            Found::Note | Found::Nothing => Item::Note(annotation_text(bytes)),
        }))
    }

    /// Follows transactions: a whole item has ended, which began at `from`.
    fn note_boundary(&mut self, found: &Found, from: usize, start: u64) {
        if matches!(found, Found::Command) && self.spans.len() == 1 {
            let args = Args::new(&self.buf[from..], &self.spans, &self.large);
            let name = args.get(0);
            if name.eq_ignore_ascii_case(b"MULTI") {
                // A server may have left one open and gone on; the first is what began it.
                self.multi = self.multi.or(Some(start));
            } else if name.eq_ignore_ascii_case(b"EXEC") {
                self.multi = None;
            }
        }
        if self.multi.is_none() {
            self.cut = self.offset();
            self.cut_seal = self.checker.previous;
        }
    }

    /// How the file ends, all of it having been read.
    ///
    /// # Errors
    /// When it was not to be read on, or when bytes that look like the beginning of a record contain
    /// the seal of what is before it.
    pub fn end(&self) -> Result<Tail, LogError> {
        let cut = self.cut;
        match self.stage {
            Stage::Failed(error) => return Err(error),
            Stage::Record if self.start == self.filled => {
                return Ok(match self.multi {
                    None => Tail::Whole,
                    Some(_) => Tail::Transaction { cut },
                });
            }
            _ => {}
        }
        let rest = &self.buf[self.start..self.filled];
        if self.checker.is_swallowed(rest, self.offset()) {
            return Err(self.swallowed(self.offset() + rest.len() as u64));
        }
        Ok(match self.stage {
            Stage::Zeros(_) => Tail::Zeros {
                cut,
                zeros: self.base + self.filled as u64,
            },
            _ => Tail::Record { cut },
        })
    }

    fn swallowed(&self, to: u64) -> LogError {
        LogError::Corrupt {
            from: self.checker.since,
            to,
            flaw: SealFlaw::Swallowed,
        }
    }

    fn wrong(&self, at: usize, flaw: Flaw) -> LogError {
        LogError::Format {
            at: self.base + at as u64,
            record: self.offset(),
            flaw,
        }
    }

    /// Something is wrong at `at`. A zero there may be the first of many up to the end of the file.
    fn flawed(&mut self, at: usize, flaw: Flaw) -> Result<Found, LogError> {
        let error = self.wrong(at, flaw);
        if self.buf[at] != 0 {
            return Err(error);
        }
        self.at = at;
        self.stage = Stage::Zeros(error);
        self.skip_zeros(error)
    }

    fn skip_zeros(&mut self, error: LogError) -> Result<Found, LogError> {
        if self.buf[self.at..self.filled].iter().any(|byte| *byte != 0) {
            return Err(error);
        }
        // They are not kept; what was there before them is.
        self.filled = self.at;
        Ok(Found::Nothing)
    }

    fn advance(&mut self) -> Result<Found, LogError> {
        loop {
            match self.stage {
                Stage::Record => {
                    if self.start == self.filled {
                        return Ok(Found::Nothing);
                    }
                    match self.buf[self.start] {
                        b'#' => return self.annotation(),
                        b'*' => match self.number(self.start + 1)? {
                            Scanned::Number(count, end) => {
                                if count == 0 || count > WORDS_MAX {
                                    return Err(self.wrong(self.start + 1, Flaw::Limit));
                                }
                                (self.at, self.stage) = (end, Stage::Words(count));
                            }
                            Scanned::Other(found) => return Ok(found),
                        },
                        _ => return self.no_record(),
                    }
                }
                Stage::Words(0) => return self.command(),
                Stage::Words(left) => {
                    if self.at == self.filled {
                        return Ok(Found::Nothing);
                    }
                    if self.buf[self.at] != b'$' {
                        return self.flawed(self.at, Flaw::Word);
                    }
                    match self.number(self.at + 1)? {
                        Scanned::Number(len, end) => {
                            let fits = usize::try_from(len).ok();
                            let Some(len) = fits.filter(|_| len <= self.word_bytes_max) else {
                                return Err(self.wrong(self.at + 1, Flaw::Limit));
                            };
                            (self.at, self.stage) = (end, Stage::Word(len, left - 1));
                        }
                        Scanned::Other(found) => return Ok(found),
                    }
                }
                Stage::Word(len, left) => {
                    if let Some(found) = self.word(len)? {
                        return Ok(found);
                    }
                    self.stage = Stage::Words(left);
                }
                Stage::Zeros(error) => return self.skip_zeros(error),
                Stage::Failed(error) => return Err(error),
            }
        }
    }

    fn no_record(&mut self) -> Result<Found, LogError> {
        let rest = &self.buf[self.start..self.filled];
        if BaseFormat::of(rest) == BaseFormat::Rdb {
            return Err(self.wrong(self.start, Flaw::Snapshot));
        }
        self.flawed(self.start, Flaw::Record)
    }

    /// Digits at `from` and the end of their line.
    fn number(&mut self, from: usize) -> Result<Scanned, LogError> {
        let mut at = from;
        while at < self.filled && self.buf[at].is_ascii_digit() {
            at += 1;
            if at - from > DIGITS_MAX {
                return Err(self.wrong(from, Flaw::Limit));
            }
        }
        for (index, wanted) in [b'\r', b'\n'].into_iter().enumerate() {
            if at + index == self.filled {
                return Ok(Scanned::Other(Found::Nothing));
            }
            if self.buf[at + index] != wanted || at == from {
                return self.flawed(at + index, Flaw::Number).map(Scanned::Other);
            }
        }
        match digits_value(&self.buf[from..at]) {
            Some(value) => Ok(Scanned::Number(value, at + 2)),
            None => Err(self.wrong(from, Flaw::Limit)),
        }
    }

    /// The bytes of a word and its end; `None` when it is read.
    fn word(&mut self, len: usize) -> Result<Option<Found>, LogError> {
        let here = self.filled - self.at;
        // The end is looked at as soon as it is there: a wrong length is found early.
        for (index, wanted) in [b'\r', b'\n'].into_iter().enumerate() {
            let Some(end) = len.checked_add(index).filter(|end| *end < here) else {
                return Ok(Some(Found::Nothing));
            };
            if self.buf[self.at + end] != wanted {
                return self.flawed(self.at + end, Flaw::WordEnd).map(Some);
            }
        }
        let from = self.at - self.start;
        let is_large = len >= LARGE_WORD_BYTES || u32::try_from(from + len + 2).is_err();
        self.spans.push(if is_large {
            let word = Bytes::copy_from_slice(&self.buf[self.at..self.at + len]);
            self.large.push(word);
            Span::large(self.large.len() - 1)
        } else {
            Span::inline(from, len)
        });
        self.longest = self.longest.max(len);
        self.at += len + 2;
        Ok(None)
    }

    fn command(&mut self) -> Result<Found, LogError> {
        let bytes = &self.buf[self.start..self.at];
        if self.longest >= SEAL_BYTES_MIN && self.checker.is_swallowed(bytes, self.offset()) {
            return Err(self.swallowed(self.offset() + bytes.len() as u64));
        }
        self.checker.cover(bytes);
        Ok(Found::Command)
    }

    /// A line that begins with `#`.
    fn annotation(&mut self) -> Result<Found, LogError> {
        let most = self.filled.min(self.start + ANNOTATION_BYTES_MAX);
        let line = &self.buf[self.start..most];
        let Some(end) = memchr::memchr2(b'\n', 0, line) else {
            if line.len() == ANNOTATION_BYTES_MAX {
                return Err(self.wrong(self.start, Flaw::Annotation));
            }
            return Ok(Found::Nothing);
        };
        if line[end] == 0 {
            return self.flawed(self.start + end, Flaw::Annotation);
        }
        self.at = self.start + end + 1;
        let line = &self.buf[self.start..self.at];
        let at = self.base + self.start as u64;
        if line.starts_with(MARK) {
            let end = at + line.len() as u64;
            let Some(text) = line.strip_suffix(b"\r\n") else {
                return Err(self.corrupt(at, SealFlaw::Line));
            };
            let checked = self.checker.line(text, at, end);
            return match checked {
                Ok(len) => Ok(Found::Sealed(len)),
                Err(flaw) => Err(self.corrupt(at, flaw)),
            };
        }
        self.checker.cover(line);
        let time = annotation_text(line).strip_prefix(b"TS:");
        Ok(match time.and_then(parse_i64) {
            Some(time) => Found::Time(time),
            None => Found::Note,
        })
    }

    fn corrupt(&self, to: u64, flaw: SealFlaw) -> LogError {
        LogError::Corrupt {
            from: self.checker.since,
            to,
            flaw,
        }
    }
}

/// What stands where a number should.
enum Scanned {
    /// It, and where its line has ended.
    Number(u64, usize),
    Other(Found),
}

/// The value of digits, zeros before it allowed; `None` if it is too large.
fn digits_value(digits: &[u8]) -> Option<u64> {
    let first = digits.iter().position(|digit| *digit != b'0');
    match first {
        Some(first) => parse_u64(&digits[first..]),
        None => Some(0),
    }
}

fn annotation_text(line: &[u8]) -> &[u8] {
    let line = line.strip_prefix(b"#").unwrap_or(line);
    let line = line.strip_suffix(b"\n").unwrap_or(line);
    line.strip_suffix(b"\r").unwrap_or(line)
}
