//! Writes replies straight into a connection's output, in the protocol it speaks.
//!
//! No reply tree is built: a header, then the elements, in order. Where RESP2 lacks a type, the
//! stand-in that real servers send is written.

use super::buf::ReplyBuf;
use crate::base::double::DoubleText;
use crate::base::number::write_i64;
use bytes::Bytes;

/// The protocol version of a connection.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub enum Protocol {
    /// The original.
    #[default]
    Resp2,
    /// With maps, sets, doubles, pushes; after `HELLO 3`.
    Resp3,
}

/// From this length on a stored value is sent from where it lies instead of being copied.
pub(super) const SPLICE_BYTES: usize = 16 * 1024;

/// `$0\r\n` to `$99\r\n`: the headers of nearly every bulk string, ready made.
const HEADERS: [[u8; 5]; 100] = headers();

#[expect(clippy::cast_possible_truncation, reason = "a digit fits a byte")]
const fn headers() -> [[u8; 5]; 100] {
    let mut table = [[0; 5]; 100];
    let mut n = 0;
    while n < 100 {
        let (tens, ones) = (b'0' + (n / 10) as u8, b'0' + (n % 10) as u8);
        table[n] = if n < 10 {
            [b'$', ones, b'\r', b'\n', 0]
        } else {
            [b'$', tens, ones, b'\r', b'\n']
        };
        n += 1;
    }
    table
}

/// Bulk strings up to this length are copied in two or four pieces of fixed sizes.
const SHORT_MAX: usize = 32;
/// Bytes of a bulk string of that length, rounded up.
const SHORT_ROOM: usize = 40;

/// Copies at most [`SHORT_MAX`] bytes to as many others, in pieces that may overlap.
#[inline]
fn copy_short(from: &[u8], to: &mut [u8]) {
    if copy_ends::<16>(from, to) || copy_ends::<8>(from, to) || copy_ends::<4>(from, to) {
        return;
    }
    for (from, to) in from.iter().zip(to) {
        *to = *from;
    }
}

/// Copies the first `N` bytes and the last, unless there are fewer.
#[inline]
fn copy_ends<const N: usize>(from: &[u8], to: &mut [u8]) -> bool {
    let (Some(first), Some(last)) = (from.first_chunk::<N>(), from.last_chunk::<N>()) else {
        return false;
    };
    let (first, last) = (*first, *last);
    if let Some(to) = to.first_chunk_mut::<N>() {
        *to = first;
    }
    if let Some(to) = to.last_chunk_mut::<N>() {
        *to = last;
    }
    true
}

/// A place to write one connection's replies.
#[derive(Debug)]
pub struct Reply<'a> {
    /// Where the bytes go.
    pub buf: &'a mut ReplyBuf,
    /// What they may be.
    pub protocol: Protocol,
}

impl Reply<'_> {
    /// Whether RESP3 types may be used.
    #[must_use]
    pub fn is_resp3(&self) -> bool {
        self.protocol == Protocol::Resp3
    }

    /// Bytes that are a reply already.
    #[inline]
    pub fn raw(&mut self, bytes: &[u8]) {
        self.buf.tail().extend_from_slice(bytes);
    }

    /// `+OK`.
    #[inline]
    pub fn ok(&mut self) {
        self.raw(b"+OK\r\n");
    }

    /// A simple string; `text` holds no line end.
    pub fn simple(&mut self, text: &str) {
        let out = self.buf.tail();
        out.push(b'+');
        out.extend_from_slice(text.as_bytes());
        out.extend_from_slice(b"\r\n");
    }

    /// An error; line ends inside become spaces, as real servers do.
    pub fn error(&mut self, text: &[u8]) {
        let end = text.iter().rposition(|b| !matches!(b, b'\r' | b'\n'));
        let text = &text[..end.map_or(0, |last| last + 1)];
        let out = self.buf.tail();
        out.push(b'-');
        out.extend(
            text.iter()
                .map(|b| if matches!(b, b'\r' | b'\n') { b' ' } else { *b }),
        );
        out.extend_from_slice(b"\r\n");
    }

    /// An integer.
    #[inline]
    pub fn integer(&mut self, value: i64) {
        self.header(b':', value);
    }

    /// An integer that counts something.
    #[inline]
    pub fn count(&mut self, value: usize) {
        self.integer(i64::try_from(value).unwrap_or(i64::MAX));
    }

    #[inline]
    fn header(&mut self, kind: u8, value: i64) {
        let out = self.buf.tail();
        out.push(kind);
        write_i64(out, value);
        out.extend_from_slice(b"\r\n");
    }

    /// A bulk string, copied.
    #[inline]
    pub fn bulk(&mut self, value: &[u8]) {
        if value.len() <= SHORT_MAX {
            self.short_bulk(value);
        } else {
            self.long_bulk(value);
        }
    }

    /// Most elements of collections are short: room of a fixed size is filled and cut to length,
    /// which takes no call and no loop.
    #[inline]
    fn short_bulk(&mut self, value: &[u8]) {
        let out = self.buf.tail();
        let begun = out.len();
        out.extend_from_slice(&[0; SHORT_ROOM]);
        let room = out.last_chunk_mut::<SHORT_ROOM>();
        let room = room.expect("as much has just been made");
        room[..5].copy_from_slice(&HEADERS[value.len()]);
        let start = if value.len() < 10 { 4 } else { 5 };
        let end = start + value.len();
        copy_short(value, &mut room[start..end]);
        room[end..end + 2].copy_from_slice(b"\r\n");
        out.truncate(begun + end + 2);
    }

    #[inline(never)]
    fn long_bulk(&mut self, value: &[u8]) {
        self.buf.tail().reserve(value.len() + 24);
        self.bulk_header(value.len());
        let out = self.buf.tail();
        out.extend_from_slice(value);
        out.extend_from_slice(b"\r\n");
    }

    #[inline]
    fn bulk_header(&mut self, len: usize) {
        match HEADERS.get(len) {
            Some(header) => {
                let used = if len < 10 { 4 } else { 5 };
                self.buf.tail().extend_from_slice(&header[..used]);
            }
            None => self.header(b'$', i64::try_from(len).unwrap_or(i64::MAX)),
        }
    }

    /// A bulk string that is shared when large enough to be worth it.
    pub fn bulk_shared(&mut self, value: &Bytes) {
        if value.len() < SPLICE_BYTES {
            self.bulk(value);
            return;
        }
        self.bulk_header(value.len());
        self.buf.splice(value.clone());
        self.raw(b"\r\n");
    }

    /// Nothing, where a bulk string could be.
    #[inline]
    pub fn null(&mut self) {
        match self.protocol {
            Protocol::Resp2 => self.raw(b"$-1\r\n"),
            Protocol::Resp3 => self.raw(b"_\r\n"),
        }
    }

    /// Nothing, where an array could be.
    pub fn null_array(&mut self) {
        match self.protocol {
            Protocol::Resp2 => self.raw(b"*-1\r\n"),
            Protocol::Resp3 => self.raw(b"_\r\n"),
        }
    }

    /// The head of an array of `len` elements.
    #[inline]
    pub fn array(&mut self, len: usize) {
        self.header(b'*', i64::try_from(len).unwrap_or(i64::MAX));
    }

    /// The head of a map of `len` pairs; RESP2: a flat array.
    pub fn map(&mut self, len: usize) {
        match self.protocol {
            Protocol::Resp2 => self.array(len * 2),
            Protocol::Resp3 => self.header(b'%', i64::try_from(len).unwrap_or(i64::MAX)),
        }
    }

    /// The head of a set; RESP2: an array.
    pub fn set(&mut self, len: usize) {
        match self.protocol {
            Protocol::Resp2 => self.array(len),
            Protocol::Resp3 => self.header(b'~', i64::try_from(len).unwrap_or(i64::MAX)),
        }
    }

    /// The head of an out-of-band message; RESP2: an array.
    pub fn push(&mut self, len: usize) {
        match self.protocol {
            Protocol::Resp2 => self.array(len),
            Protocol::Resp3 => self.header(b'>', i64::try_from(len).unwrap_or(i64::MAX)),
        }
    }

    /// The head of an attribute of `len` pairs; only for RESP3.
    pub fn attribute(&mut self, len: usize) {
        self.header(b'|', i64::try_from(len).unwrap_or(i64::MAX));
    }

    /// A double; RESP2: a bulk string.
    pub fn double(&mut self, value: f64) {
        let text = DoubleText::of(value);
        match self.protocol {
            Protocol::Resp2 => self.bulk(text.as_bytes()),
            Protocol::Resp3 => self.line(b',', text.as_bytes()),
        }
    }

    /// A boolean; RESP2: 1 or 0.
    pub fn boolean(&mut self, value: bool) {
        match (self.protocol, value) {
            (Protocol::Resp2, value) => self.integer(i64::from(value)),
            (Protocol::Resp3, true) => self.raw(b"#t\r\n"),
            (Protocol::Resp3, false) => self.raw(b"#f\r\n"),
        }
    }

    /// A number of any size, as digits; RESP2: a bulk string.
    pub fn big_number(&mut self, digits: &str) {
        match self.protocol {
            Protocol::Resp2 => self.bulk(digits.as_bytes()),
            Protocol::Resp3 => self.line(b'(', digits.as_bytes()),
        }
    }

    /// Text with its three-letter format; RESP2: a bulk string.
    pub fn verbatim(&mut self, format: &str, text: &[u8]) {
        match self.protocol {
            Protocol::Resp2 => self.bulk(text),
            Protocol::Resp3 => {
                self.header(b'=', i64::try_from(text.len() + 4).unwrap_or(i64::MAX));
                self.raw(format.as_bytes());
                self.raw(b":");
                self.raw(text);
                self.raw(b"\r\n");
            }
        }
    }

    /// Puts an array head in front of what was written since `mark`, when the count is known last.
    pub fn array_since(&mut self, at: usize, len: usize) {
        let mut head = vec![b'*'];
        write_i64(&mut head, i64::try_from(len).unwrap_or(i64::MAX));
        head.extend_from_slice(b"\r\n");
        self.buf.tail().splice(at..at, head);
    }

    /// The same with the head of a set; RESP2: an array.
    pub fn set_since(&mut self, at: usize, len: usize) {
        self.array_since(at, len);
        if self.is_resp3() {
            self.buf.tail()[at] = b'~';
        }
    }

    /// Puts bytes that are part of a reply in front of what was written since `at`.
    pub fn insert(&mut self, at: usize, bytes: &[u8]) {
        self.buf.tail().splice(at..at, bytes.iter().copied());
    }

    /// Where the next small piece will be written; for [`Self::array_since`].
    #[must_use]
    pub fn position(&mut self) -> usize {
        self.buf.tail().len()
    }

    fn line(&mut self, kind: u8, text: &[u8]) {
        let out = self.buf.tail();
        out.push(kind);
        out.extend_from_slice(text);
        out.extend_from_slice(b"\r\n");
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn written(protocol: Protocol, write: impl FnOnce(&mut Reply<'_>)) -> String {
        let mut buf = ReplyBuf::new();
        write(&mut Reply {
            buf: &mut buf,
            protocol,
        });
        String::from_utf8(buf.to_vec()).unwrap()
    }

    #[test]
    fn resp2_gets_stand_ins() {
        let text = written(Protocol::Resp2, |reply| {
            reply.map(1);
            reply.bulk(b"a");
            reply.double(0.5);
            reply.boolean(true);
            reply.null();
            reply.verbatim("txt", b"hi");
            reply.big_number("12");
        });
        assert_eq!(
            text,
            "*2\r\n$1\r\na\r\n$3\r\n0.5\r\n:1\r\n$-1\r\n$2\r\nhi\r\n$2\r\n12\r\n"
        );
    }

    #[test]
    fn resp3_gets_its_types() {
        let text = written(Protocol::Resp3, |reply| {
            reply.map(1);
            reply.bulk(b"a");
            reply.double(0.5);
            reply.boolean(false);
            reply.null_array();
            reply.verbatim("txt", b"hi");
            reply.big_number("12");
            reply.push(2);
        });
        assert_eq!(
            text,
            "%1\r\n$1\r\na\r\n,0.5\r\n#f\r\n_\r\n=6\r\ntxt:hi\r\n(12\r\n>2\r\n"
        );
    }

    #[test]
    fn bulk_headers_of_all_lengths_are_right() {
        for len in (0..50).chain([99, 100, 12345]) {
            let value: String = ('a'..='z').cycle().take(len).collect();
            let text = written(Protocol::Resp2, |reply| reply.bulk(value.as_bytes()));
            assert_eq!(text, format!("${len}\r\n{value}\r\n"));
        }
    }

    #[test]
    fn a_large_value_is_shared_not_copied() {
        let value = Bytes::from(vec![b'v'; SPLICE_BYTES]);
        let mut buf = ReplyBuf::new();
        Reply {
            buf: &mut buf,
            protocol: Protocol::Resp2,
        }
        .bulk_shared(&value);
        assert!(buf.capacity() < SPLICE_BYTES);
        assert_eq!(buf.len(), SPLICE_BYTES + "$16384\r\n\r\n".len());
    }
}
