//! Counts replies in a byte stream without keeping them.
//!
//! Shape: one number of elements still open in the current reply, one number of bytes to skip in a
//! bulk string, and the piece of a header line that a chunk boundary cut off. An array of n takes
//! the place of one open element with n, so nesting needs no stack.
//! Cost: a few nanoseconds per reply; the bytes of bulk strings are never looked at.

use std::fmt;

/// The longest header or simple line that is believed.
const LINE_MAX: usize = 64 * 1024;

/// What has been seen so far.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub(crate) struct Tally {
    /// Complete replies.
    pub(crate) replies: u64,
    /// Error replies, alone or inside an array.
    pub(crate) errors: u64,
    /// Nil bulk strings and arrays.
    pub(crate) nils: u64,
    /// The text of the first error.
    pub(crate) first_error: Option<String>,
}

/// The stream is not RESP.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(crate) struct Malformed {
    line: String,
}

impl fmt::Display for Malformed {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(
            f,
            "the server sent something that is no reply: {:?}",
            self.line
        )
    }
}

impl std::error::Error for Malformed {}

/// The scanner of one connection.
#[derive(Clone, Debug, Default)]
pub(crate) struct Scanner {
    open: u64,
    skip: usize,
    partial: Vec<u8>,
}

impl Scanner {
    /// Takes the next bytes and returns how many replies they completed.
    ///
    /// # Errors
    /// If the bytes are not RESP; the scanner is useless afterwards.
    pub(crate) fn feed(&mut self, bytes: &[u8], tally: &mut Tally) -> Result<u64, Malformed> {
        let before = tally.replies;
        let mut rest = self.skip_bulk(bytes, tally);
        if !self.partial.is_empty() && !rest.is_empty() {
            rest = self.finish_partial(rest, tally)?;
        }
        while !rest.is_empty() {
            if self.open == 0 && rest.starts_with(b"+OK\r\n") {
                tally.replies += 1;
                rest = &rest[5..];
                continue;
            }
            let Some(end) = rest.iter().position(|&byte| byte == b'\n') else {
                self.keep(rest)?;
                break;
            };
            self.line(&rest[..end], tally)?;
            rest = self.skip_bulk(&rest[end + 1..], tally);
        }
        Ok(tally.replies - before)
    }

    fn keep(&mut self, piece: &[u8]) -> Result<(), Malformed> {
        if self.partial.len() + piece.len() > LINE_MAX {
            return Err(malformed(piece));
        }
        self.partial.extend_from_slice(piece);
        Ok(())
    }

    fn finish_partial<'a>(
        &mut self,
        bytes: &'a [u8],
        tally: &mut Tally,
    ) -> Result<&'a [u8], Malformed> {
        let Some(end) = bytes.iter().position(|&byte| byte == b'\n') else {
            self.keep(bytes)?;
            return Ok(&[]);
        };
        self.keep(&bytes[..end])?;
        let line = std::mem::take(&mut self.partial);
        self.line(&line, tally)?;
        Ok(self.skip_bulk(&bytes[end + 1..], tally))
    }

    /// Passes over the bytes of an open bulk string; the element ends with its last byte.
    #[inline]
    fn skip_bulk<'a>(&mut self, bytes: &'a [u8], tally: &mut Tally) -> &'a [u8] {
        if self.skip == 0 {
            return bytes;
        }
        let passed = self.skip.min(bytes.len());
        self.skip -= passed;
        if self.skip == 0 {
            self.element_done(tally);
        }
        &bytes[passed..]
    }

    #[inline]
    fn element_done(&mut self, tally: &mut Tally) {
        self.open -= 1;
        if self.open == 0 {
            tally.replies += 1;
        }
    }

    /// Takes one line without its line feed.
    #[inline]
    fn line(&mut self, line: &[u8], tally: &mut Tally) -> Result<(), Malformed> {
        let [kind, body @ .., b'\r'] = line else {
            return Err(malformed(line));
        };
        if self.open == 0 {
            self.open = 1;
        }
        match kind {
            b'+' | b':' | b'_' | b'#' | b',' | b'(' => self.element_done(tally),
            b'-' => {
                note_error(body, tally);
                self.element_done(tally);
            }
            b'$' | b'=' | b'!' => match length(body).ok_or_else(|| malformed(line))? {
                None => {
                    tally.nils += 1;
                    self.element_done(tally);
                }
                Some(bytes) => {
                    if *kind == b'!' {
                        note_error(b"(bulk error)", tally);
                    }
                    self.skip = bytes + 2;
                }
            },
            b'*' | b'~' | b'>' | b'%' => match length(body).ok_or_else(|| malformed(line))? {
                None => {
                    tally.nils += 1;
                    self.element_done(tally);
                }
                Some(elements) => {
                    let each = if *kind == b'%' { 2 } else { 1 };
                    self.open += elements as u64 * each;
                    self.element_done(tally);
                }
            },
            _ => return Err(malformed(line)),
        }
        Ok(())
    }
}

#[cold]
fn note_error(body: &[u8], tally: &mut Tally) {
    tally.errors += 1;
    if tally.first_error.is_none() {
        tally.first_error = Some(String::from_utf8_lossy(body).into_owned());
    }
}

#[cold]
fn malformed(line: &[u8]) -> Malformed {
    let shown = &line[..line.len().min(80)];
    Malformed {
        line: String::from_utf8_lossy(shown).into_owned(),
    }
}

/// The number of a header: `None` outside if it is no number, `None` inside if it is minus one.
#[inline]
fn length(digits: &[u8]) -> Option<Option<usize>> {
    if digits == b"-1" {
        return Some(None);
    }
    if digits.is_empty() || digits.len() > 10 {
        return None;
    }
    let mut number = 0;
    for &digit in digits {
        if !digit.is_ascii_digit() {
            return None;
        }
        number = number * 10 + usize::from(digit - b'0');
    }
    Some(Some(number))
}

#[cfg(test)]
mod tests {
    use super::*;

    const ALL_KINDS: &[u8] = b"+OK\r\n+PONG\r\n:1\r\n$3\r\na\nb\r\n$-1\r\n$0\r\n\r\n*0\r\n*-1\r\n\
        *2\r\n$1\r\nx\r\n*2\r\n:1\r\n-ERR inner\r\n-ERR outer\r\n%1\r\n+a\r\n:1\r\n_\r\n#t\r\n+OK\r\n";

    fn scan(chunks: &[&[u8]]) -> Tally {
        let mut scanner = Scanner::default();
        let mut tally = Tally::default();
        for chunk in chunks {
            scanner.feed(chunk, &mut tally).unwrap();
        }
        tally
    }

    #[test]
    fn every_kind_of_reply_is_counted_once() {
        let tally = scan(&[ALL_KINDS]);
        assert_eq!(tally.replies, 14);
        assert_eq!(tally.nils, 2);
        assert_eq!(tally.errors, 2);
        assert_eq!(tally.first_error.as_deref(), Some("ERR inner"));
    }

    #[test]
    fn chunk_boundaries_do_not_matter() {
        let whole = scan(&[ALL_KINDS]);
        for cut in 0..ALL_KINDS.len() {
            let (left, right) = ALL_KINDS.split_at(cut);
            assert_eq!(scan(&[left, right]), whole, "cut at {cut}");
        }
        let bytes: Vec<&[u8]> = ALL_KINDS.chunks(1).collect();
        assert_eq!(scan(&bytes), whole);
    }

    #[test]
    fn feed_returns_the_replies_it_completed() {
        let mut scanner = Scanner::default();
        let mut tally = Tally::default();
        assert_eq!(scanner.feed(b"$5\r\nhel", &mut tally), Ok(0));
        assert_eq!(scanner.feed(b"lo\r", &mut tally), Ok(0));
        assert_eq!(scanner.feed(b"\n+OK\r\n+O", &mut tally), Ok(2));
        assert_eq!(scanner.feed(b"K\r\n", &mut tally), Ok(1));
    }

    #[test]
    fn nonsense_is_refused() {
        for bytes in [
            &b"hello\r\n"[..],
            b"$x\r\n",
            b"*99999999999\r\n",
            b"+OK\n",
            b"\n",
        ] {
            let mut scanner = Scanner::default();
            assert!(
                scanner.feed(bytes, &mut Tally::default()).is_err(),
                "{bytes:?}"
            );
        }
    }

    #[test]
    fn endless_line_is_refused() {
        let mut scanner = Scanner::default();
        let mut tally = Tally::default();
        let piece = [b'+'; 4096];
        assert!((0..17).any(|_| scanner.feed(&piece, &mut tally).is_err()));
    }
}
