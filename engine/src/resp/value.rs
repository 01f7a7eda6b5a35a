//! Replies of other servers: values out of bytes that arrive in any pieces, RESP2 and RESP3.
//!
//! Shape: [`ValueReader`] keeps what it was given and the arrays that are open; a value that is not
//! complete keeps its place, so that bytes in small pieces are looked at once.
//! Invariants: no memory is taken on the strength of a length, and what a peer can make it keep is
//! limited in bytes and in depth.
//! Source: the RESP3 specification; streamed values and lengths are not read.

use crate::base::number::{parse_double, parse_i64};
use memchr::memchr;
use std::fmt;

/// Arrays in arrays that are read.
const DEPTH_MAX: usize = 32;
/// Longest line, in bytes.
const LINE_BYTES_MAX: usize = 64 * 1024;

/// A reply.
#[derive(Clone, Debug, PartialEq)]
pub enum Value {
    /// `+OK`.
    Status(Vec<u8>),
    /// An error's line without the `-`.
    Error(Vec<u8>),
    /// `:1`.
    Integer(i64),
    /// Bytes; also those of a verbatim string, whose format is left out.
    Bulk(Vec<u8>),
    /// Nothing: null of either protocol.
    Null,
    /// `#t` or `#f`.
    Bool(bool),
    /// `,1.5`.
    Double(f64),
    /// The digits of a number that may be larger than an integer.
    BigNumber(Vec<u8>),
    /// Values in order.
    Array(Vec<Self>),
    /// Values without an order.
    Set(Vec<Self>),
    /// Keys and their values, one behind the other.
    Map(Vec<Self>),
    /// A message that answers no request.
    Push(Vec<Self>),
}

/// Why bytes are no reply; the connection is of no use any more.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum BadReply {
    /// A value begins with this byte.
    Kind(u8),
    /// A line or a string does not end as it must.
    Ending,
    /// A number or a length is none.
    Number,
    /// Too many arrays in arrays.
    Depth,
    /// It is longer than whoever reads it wants to keep.
    Size,
}

impl fmt::Display for BadReply {
    fn fmt(&self, out: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Self::Kind(byte) => write!(
                out,
                "a reply begins with '{}'",
                char::from(*byte).escape_default()
            ),
            Self::Ending => out.write_str("a reply does not end as it must"),
            Self::Number => out.write_str("a reply has a number that is none"),
            Self::Depth => out.write_str("a reply is nested too deeply"),
            Self::Size => out.write_str("a reply is too long"),
        }
    }
}

impl std::error::Error for BadReply {}

/// What values are collected for.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
enum Shape {
    Array,
    Set,
    Map,
    Push,
    /// Remarks on the value that follows, which nobody reads.
    Attribute,
}

impl Shape {
    fn close(self, items: Vec<Value>) -> Option<Value> {
        match self {
            Self::Array => Some(Value::Array(items)),
            Self::Set => Some(Value::Set(items)),
            Self::Map => Some(Value::Map(items)),
            Self::Push => Some(Value::Push(items)),
            Self::Attribute => None,
        }
    }
}

/// Values that are being collected.
#[derive(Debug)]
struct Open {
    shape: Shape,
    left: u64,
    items: Vec<Value>,
}

/// A string whose length line has been read.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
enum Text {
    Bulk,
    Error,
    Verbatim,
}

/// What a line, or the string behind it, has come to.
enum Element {
    Leaf(Value),
    Open(Shape, u64),
    Text(Text, usize),
}

/// Takes bytes in any pieces and gives whole values.
#[derive(Debug)]
pub struct ValueReader {
    bytes: Vec<u8>,
    /// Where the unread ones begin.
    at: usize,
    /// Unread bytes in which no line ends.
    searched: usize,
    awaited: Option<(Text, usize)>,
    open: Vec<Open>,
    /// Bytes of the value under way that have been read.
    taken: usize,
    bytes_max: usize,
}

impl ValueReader {
    /// A reader that keeps at most `bytes_max` bytes of a value that is not complete.
    #[must_use]
    pub const fn new(bytes_max: usize) -> Self {
        Self {
            bytes: Vec::new(),
            at: 0,
            searched: 0,
            awaited: None,
            open: Vec::new(),
            taken: 0,
            bytes_max,
        }
    }

    /// Takes bytes that have arrived.
    pub fn push(&mut self, bytes: &[u8]) {
        self.bytes.drain(..self.at);
        self.at = 0;
        self.bytes.extend_from_slice(bytes);
    }

    /// The next value that is complete.
    ///
    /// # Errors
    /// When the bytes are no reply. What follows cannot be read either.
    pub fn pull(&mut self) -> Result<Option<Value>, BadReply> {
        loop {
            let element = match self.awaited {
                Some((text, len)) => self.text(text, len)?,
                None => self.line()?,
            };
            let Some(element) = element else {
                if self.taken + (self.bytes.len() - self.at) > self.bytes_max {
                    return Err(BadReply::Size);
                }
                return Ok(None);
            };
            let value = match element {
                Element::Leaf(value) => self.place(Some(value)),
                Element::Open(shape, 0) => self.place(shape.close(Vec::new())),
                Element::Open(shape, left) => {
                    self.begin(shape, left)?;
                    None
                }
                Element::Text(text, len) => {
                    self.awaited = Some((text, len));
                    None
                }
            };
            if value.is_some() {
                self.taken = 0;
                return Ok(value);
            }
            if self.taken > self.bytes_max {
                return Err(BadReply::Size);
            }
        }
    }

    fn begin(&mut self, shape: Shape, left: u64) -> Result<(), BadReply> {
        if self.open.len() == DEPTH_MAX {
            return Err(BadReply::Depth);
        }
        let items = Vec::new();
        self.open.push(Open { shape, left, items });
        Ok(())
    }

    /// Puts a value where it belongs; returns the outermost one if that is complete.
    fn place(&mut self, mut value: Option<Value>) -> Option<Value> {
        while let Some(complete) = value.take() {
            let Some(open) = self.open.last_mut() else {
                return Some(complete);
            };
            open.items.push(complete);
            open.left -= 1;
            if open.left == 0
                && let Some(Open { shape, items, .. }) = self.open.pop()
            {
                value = shape.close(items);
            }
        }
        None
    }

    /// The element that the next line makes, once the line is there.
    fn line(&mut self) -> Result<Option<Element>, BadReply> {
        let unread = &self.bytes[self.at..];
        let Some(end) = memchr(b'\n', &unread[self.searched..]) else {
            self.searched = unread.len();
            if self.searched > LINE_BYTES_MAX {
                return Err(BadReply::Size);
            }
            // What cannot become a reply is refused at once.
            return match unread.first() {
                Some(&kind) if !b"+-:$*_#,(!=%~>|".contains(&kind) => Err(BadReply::Kind(kind)),
                _ => Ok(None),
            };
        };
        let end = self.searched + end;
        let line = unread[..end].strip_suffix(b"\r").ok_or(BadReply::Ending)?;
        let (&kind, rest) = line.split_first().ok_or(BadReply::Ending)?;
        let element = element(kind, rest)?;
        self.at += end + 1;
        self.taken += end + 1;
        self.searched = 0;
        Ok(Some(element))
    }

    /// The string of `len` bytes that comes next, once it is there.
    fn text(&mut self, text: Text, len: usize) -> Result<Option<Element>, BadReply> {
        let unread = &self.bytes[self.at..];
        let whole = len.checked_add(2).ok_or(BadReply::Number)?;
        if whole > self.bytes_max {
            return Err(BadReply::Size);
        }
        let Some(body) = unread.get(..whole) else {
            return Ok(None);
        };
        let body = body.strip_suffix(b"\r\n").ok_or(BadReply::Ending)?;
        let value = match text {
            Text::Bulk => Value::Bulk(body.to_vec()),
            Text::Error => Value::Error(body.to_vec()),
            // Three letters of format and a colon.
            Text::Verbatim => Value::Bulk(body.get(4..).ok_or(BadReply::Ending)?.to_vec()),
        };
        self.at += whole;
        self.taken += whole;
        self.awaited = None;
        Ok(Some(Element::Leaf(value)))
    }
}

/// What a line of this kind makes.
fn element(kind: u8, rest: &[u8]) -> Result<Element, BadReply> {
    let leaf = |value| Ok(Element::Leaf(value));
    let text = |text| {
        Ok(match length(rest)? {
            Some(len) => Element::Text(text, usize::try_from(len).map_err(|_| BadReply::Number)?),
            None => Element::Leaf(Value::Null),
        })
    };
    let open = |shape, of_each: u64| {
        Ok(match length(rest)? {
            Some(count) => {
                let values = count.checked_mul(of_each).ok_or(BadReply::Number)?;
                Element::Open(shape, values)
            }
            None => Element::Leaf(Value::Null),
        })
    };
    match kind {
        b'+' => leaf(Value::Status(rest.to_vec())),
        b'-' => leaf(Value::Error(rest.to_vec())),
        b':' => leaf(Value::Integer(parse_i64(rest).ok_or(BadReply::Number)?)),
        b'$' => text(Text::Bulk),
        b'!' => text(Text::Error),
        b'=' => text(Text::Verbatim),
        b'*' => open(Shape::Array, 1),
        b'~' => open(Shape::Set, 1),
        b'%' => open(Shape::Map, 2),
        b'>' => open(Shape::Push, 1),
        b'|' => open(Shape::Attribute, 2),
        b'_' if rest.is_empty() => leaf(Value::Null),
        b'#' if matches!(rest, b"t" | b"f") => leaf(Value::Bool(rest == b"t")),
        b',' => leaf(Value::Double(double(rest).ok_or(BadReply::Number)?)),
        b'(' => leaf(Value::BigNumber(rest.to_vec())),
        b'_' | b'#' => Err(BadReply::Ending),
        _ => Err(BadReply::Kind(kind)),
    }
}

/// A length; `None` for -1, which stands for nothing.
fn length(word: &[u8]) -> Result<Option<u64>, BadReply> {
    match parse_i64(word) {
        Some(-1) => Ok(None),
        Some(len) => u64::try_from(len).map(Some).map_err(|_| BadReply::Number),
        None => Err(BadReply::Number),
    }
}

fn double(word: &[u8]) -> Option<f64> {
    if matches!(word, b"nan" | b"-nan") {
        return Some(f64::NAN);
    }
    parse_double(word)
}

#[cfg(test)]
mod tests;
