//! Seals: annotations that say which checksum the bytes before them have.
//!
//! Shape: `#DT:crc=<16 hex digits> len=<n>` ends a batch: `n` bytes since the line before. The
//! checksum is CRC-64/XZ over the checksum of the seal before (eight bytes, little-endian; zero at
//! the beginning of a file) and those bytes, so that a batch that is missing is noticed at the next.
//! `#DT:open crc=<16 hex digits>` says that what stands before it since the last seal has none, and
//! repeats that seal's checksum.
//! Cost: some 20 GB/s where the processor multiplies without carries.

use crc64fast::Digest;
use std::fmt;

/// How lines of ours begin; servers that don't know them skip annotations.
pub(super) const MARK: &[u8] = b"#DT:";
const CRC: &[u8] = b"crc=";
const OPEN: &[u8] = b"open crc=";
const LEN: &[u8] = b" len=";
const CRC_DIGITS: usize = 16;
/// No seal is shorter, its line end included.
pub(super) const SEAL_BYTES_MIN: usize = 4 + 4 + CRC_DIGITS + 5 + 1 + 2;

/// Writes the seals of one file.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub struct Sealer {
    previous: u64,
    must_open: bool,
}

impl Sealer {
    /// For a file that is empty.
    #[must_use]
    pub fn new() -> Self {
        Self::default()
    }

    /// For a file whose last seal has the checksum `previous` (zero if there is none), and something
    /// behind it.
    #[must_use]
    pub fn resumed(previous: u64) -> Self {
        Self {
            previous,
            must_open: true,
        }
    }

    /// For a file that ends with a seal of this checksum.
    #[must_use]
    pub fn following(previous: u64) -> Self {
        Self {
            previous,
            must_open: false,
        }
    }

    /// For who goes on later: the last seal's checksum, and whether nothing stands behind it.
    #[must_use]
    pub const fn state(&self) -> (u64, bool) {
        (self.previous, !self.must_open)
    }

    /// Notes that bytes were or will be written which no seal covers.
    pub fn skip(&mut self) {
        self.must_open = true;
    }

    /// Seals what stands in `out` from `from` on: everything since the last seal.
    pub fn seal(&mut self, out: &mut Vec<u8>, from: usize) {
        let mut from = from;
        if self.must_open {
            let line = format!("#DT:open crc={:016x}\r\n", self.previous);
            out.splice(from..from, line.bytes());
            from += line.len();
            self.must_open = false;
        }
        let batch = &out[from..];
        self.previous = crc(self.previous, batch);
        let line = format!("#DT:crc={:016x} len={}\r\n", self.previous, batch.len());
        out.extend_from_slice(line.as_bytes());
    }
}

/// The checksum of a batch behind a seal.
pub(super) fn crc(previous: u64, bytes: &[u8]) -> u64 {
    let mut digest = begin(previous);
    digest.write(bytes);
    digest.sum64()
}

fn begin(previous: u64) -> Digest {
    let mut digest = Digest::new();
    digest.write(&previous.to_le_bytes());
    digest
}

/// A line of ours.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) enum Line {
    Seal { crc: u64, len: u64 },
    Open { crc: u64 },
}

impl Line {
    /// Reads a line that begins with [`MARK`], without its end. `None` if no writer writes it so.
    pub(super) fn parse(line: &[u8]) -> Option<Self> {
        let text = line.strip_prefix(MARK)?;
        if let Some(rest) = text.strip_prefix(OPEN) {
            let crc = hex(rest)?;
            return Some(Self::Open { crc });
        }
        let rest = text.strip_prefix(CRC)?;
        let (digits, rest) = rest.split_at_checked(CRC_DIGITS)?;
        let len = rest.strip_prefix(LEN)?;
        if len.len() > 1 && len[0] == b'0' {
            return None;
        }
        Some(Self::Seal {
            crc: hex(digits)?,
            len: crate::base::number::parse_u64(len)?,
        })
    }
}

fn hex(digits: &[u8]) -> Option<u64> {
    let is_digit = |byte: &u8| matches!(byte, b'0'..=b'9' | b'a'..=b'f');
    if digits.len() != CRC_DIGITS || !digits.iter().all(is_digit) {
        return None;
    }
    u64::from_str_radix(str::from_utf8(digits).ok()?, 16).ok()
}

/// What a seal found.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
#[non_exhaustive]
pub enum SealFlaw {
    /// The bytes have another checksum.
    Checksum,
    /// There are more bytes than were sealed, or fewer.
    Length,
    /// The seal before is another one than when this was written.
    Chain,
    /// The seal itself cannot be read.
    Line,
    /// The seal stands within what looks like a record.
    Swallowed,
}

impl fmt::Display for SealFlaw {
    fn fmt(&self, out: &mut fmt::Formatter<'_>) -> fmt::Result {
        out.write_str(match self {
            Self::Checksum => "they do not have the checksum that was written behind them",
            Self::Length => "they are not as many as were written",
            Self::Chain => "the checksum before them is not the one they were written behind",
            Self::Line => "the line with their checksum is damaged",
            Self::Swallowed => "the line with their checksum lies inside of a record",
        })
    }
}

/// Holds the bytes of a file against its seals.
pub(super) struct Checker {
    digest: Digest,
    /// The checksum of the last seal.
    pub(super) previous: u64,
    /// Offset behind the last line of ours.
    pub(super) since: u64,
    /// Seals that were found good.
    pub(super) seals: u64,
}

impl fmt::Debug for Checker {
    fn fmt(&self, out: &mut fmt::Formatter<'_>) -> fmt::Result {
        out.debug_struct("Checker")
            .field("previous", &self.previous)
            .field("since", &self.since)
            .finish_non_exhaustive()
    }
}

impl Checker {
    /// For bytes that begin at offset `at`.
    pub(super) fn new(at: u64) -> Self {
        Self {
            digest: begin(0),
            previous: 0,
            since: at,
            seals: 0,
        }
    }

    /// Takes the next bytes, which are no line of ours.
    #[inline]
    pub(super) fn cover(&mut self, bytes: &[u8]) {
        self.digest.write(bytes);
    }

    /// Takes a line of ours, without its end, that lies from `at` to `end`; says how many bytes it
    /// covers.
    pub(super) fn line(&mut self, line: &[u8], at: u64, end: u64) -> Result<u64, SealFlaw> {
        let covered = match Line::parse(line).ok_or(SealFlaw::Line)? {
            Line::Open { crc } if crc != self.previous => return Err(SealFlaw::Chain),
            Line::Open { .. } => 0,
            Line::Seal { len, .. } if len != at - self.since => return Err(SealFlaw::Length),
            Line::Seal { crc, .. } if crc != self.digest.sum64() => {
                return Err(SealFlaw::Checksum);
            }
            Line::Seal { crc, len } => {
                self.previous = crc;
                self.seals += 1;
                len
            }
        };
        self.digest = begin(self.previous);
        self.since = end;
        Ok(covered)
    }

    /// Looks for a seal within `bytes` at offset `at` that covers everything since the last, or
    /// one that covers exactly what lies behind another: both are ours, not a value's.
    pub(super) fn is_swallowed(&self, bytes: &[u8], at: u64) -> bool {
        let mut before: Option<(u64, usize)> = None;
        for start in memchr::memmem::find_iter(bytes, MARK) {
            let line = &bytes[start..];
            let Some(end) = memchr::memchr(b'\n', &line[..line.len().min(128)]) else {
                continue;
            };
            let line = line[..end].strip_suffix(b"\r").unwrap_or(&line[..end]);
            let Some(Line::Seal { crc: found, len }) = Line::parse(line) else {
                continue;
            };
            if at + start as u64 == self.since.saturating_add(len) {
                return true;
            }
            let follows = before.is_some_and(|(previous, from)| {
                len == (start - from) as u64 && crc(previous, &bytes[from..start]) == found
            });
            if follows {
                return true;
            }
            before = Some((found, start + end + 1));
        }
        false
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    const PING: &[u8] = b"*1\r\n$4\r\nPING\r\n";

    #[test]
    fn seals_are_written_literally() {
        let mut out = Vec::new();
        let mut sealer = Sealer::new();
        for expected in ["c8ee60829512760b", "5541b097f889a633"] {
            let from = out.len();
            out.extend_from_slice(PING);
            sealer.seal(&mut out, from);
            let line = format!("#DT:crc={expected} len=14\r\n");
            assert_eq!(out[from + PING.len()..], *line.as_bytes());
        }
        sealer.skip();
        let from = out.len();
        out.extend_from_slice(PING);
        sealer.seal(&mut out, from);
        let open = b"#DT:open crc=5541b097f889a633\r\n*1\r\n";
        assert!(out[from..].starts_with(open));
    }

    #[test]
    fn only_what_is_written_is_read() {
        let good = b"#DT:crc=0123456789abcdef len=10".as_slice();
        let (crc, len) = (0x0123_4567_89ab_cdef, 10);
        assert_eq!(Line::parse(good), Some(Line::Seal { crc, len }));
        let open = b"#DT:open crc=0123456789abcdef";
        assert_eq!(Line::parse(open), Some(Line::Open { crc }));
        let bad: [&[u8]; 9] = [
            b"#DT:",
            b"#DT:crc=0123456789ABCDEF len=10",
            b"#DT:crc=0123456789abcdef",
            b"#DT:crc=0123456789abcde len=10",
            b"#DT:crc=0123456789abcdef len=",
            b"#DT:crc=0123456789abcdef len=010",
            b"#DT:crc=0123456789abcdef len=10 ",
            b"#DT:open crc=0123456789abcde",
            b"#DT:crc=+123456789abcdef len=10",
        ];
        for line in bad {
            assert_eq!(Line::parse(line), None, "{}", line.escape_ascii());
        }
    }
}
