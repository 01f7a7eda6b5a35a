//! Replies as decoded trees that encode back to exactly the bytes they came from.

use std::fmt::{self, Write as _};

/// One reply of RESP2 or RESP3. Doubles and big numbers keep the text of the wire.
#[derive(Clone, Debug, PartialEq, Eq, PartialOrd, Ord)]
pub enum Value {
    /// `+text`
    Simple(Vec<u8>),
    /// `-text`
    Error(Vec<u8>),
    /// `:n`
    Integer(i64),
    /// `$n` and bytes
    Bulk(Vec<u8>),
    /// `$-1`
    NullBulk,
    /// `*-1`
    NullArray,
    /// `_`
    Null,
    /// `#t` or `#f`
    Boolean(bool),
    /// `,text`
    Double(Vec<u8>),
    /// `(digits`
    BigNumber(Vec<u8>),
    /// `!n` and bytes
    BulkError(Vec<u8>),
    /// `=n` and bytes, the four of the format included
    Verbatim(Vec<u8>),
    /// `*n`
    Array(Vec<Self>),
    /// `%n`
    Map(Vec<(Self, Self)>),
    /// `~n`
    Set(Vec<Self>),
    /// `>n`
    Push(Vec<Self>),
    /// `|n`, followed by the reply that it decorates
    Attribute(Vec<(Self, Self)>, Box<Self>),
}

/// Bytes that are no reply, and where they stop being one.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Malformed {
    /// Offset in the decoded bytes.
    pub at: usize,
    /// What was wrong there.
    pub what: &'static str,
}

/// The deepest nesting that is read.
const DEPTH_MAX: usize = 64;

impl Value {
    /// Decodes the first reply in `bytes`: the value and its length, or `None` when it is cut off.
    ///
    /// # Errors
    /// `Malformed` for anything that a server never writes, non-canonical numbers included.
    pub fn decode(bytes: &[u8]) -> Result<Option<(Self, usize)>, Malformed> {
        let mut decoder = Decoder { bytes, at: 0 };
        match decoder.value(0) {
            Ok(value) => Ok(Some((value, decoder.at))),
            Err(Stop::Cut) => Ok(None),
            Err(Stop::Bad(malformed)) => Err(malformed),
        }
    }

    /// Decodes all of `bytes`; a cut or malformed tail becomes an error.
    ///
    /// # Errors
    /// `Malformed` when anything is left over.
    pub fn decode_all(bytes: &[u8]) -> Result<Vec<Self>, Malformed> {
        let mut values = Vec::new();
        let mut at = 0;
        while at < bytes.len() {
            match Self::decode(&bytes[at..]) {
                Ok(Some((value, length))) => {
                    values.push(value);
                    at += length;
                }
                Ok(None) => {
                    return Err(Malformed {
                        at,
                        what: "cut off",
                    });
                }
                Err(bad) => {
                    return Err(Malformed {
                        at: at + bad.at,
                        what: bad.what,
                    });
                }
            }
        }
        Ok(values)
    }

    /// The bytes of the wire.
    #[must_use]
    pub fn encode(&self) -> Vec<u8> {
        let mut out = Vec::new();
        self.encode_into(&mut out);
        out
    }

    fn encode_into(&self, out: &mut Vec<u8>) {
        match self {
            Self::Simple(text) => line(out, b'+', text),
            Self::Error(text) => line(out, b'-', text),
            Self::Integer(number) => line(out, b':', number.to_string().as_bytes()),
            Self::Bulk(bytes) => blob(out, b'$', bytes),
            Self::NullBulk => out.extend_from_slice(b"$-1\r\n"),
            Self::NullArray => out.extend_from_slice(b"*-1\r\n"),
            Self::Null => out.extend_from_slice(b"_\r\n"),
            Self::Boolean(truth) => line(out, b'#', if *truth { b"t" } else { b"f" }),
            Self::Double(text) => line(out, b',', text),
            Self::BigNumber(text) => line(out, b'(', text),
            Self::BulkError(bytes) => blob(out, b'!', bytes),
            Self::Verbatim(bytes) => blob(out, b'=', bytes),
            Self::Array(items) => sequence(out, b'*', items),
            Self::Set(items) => sequence(out, b'~', items),
            Self::Push(items) => sequence(out, b'>', items),
            Self::Map(pairs) => dictionary(out, b'%', pairs),
            Self::Attribute(pairs, inner) => {
                dictionary(out, b'|', pairs);
                inner.encode_into(out);
            }
        }
    }

    /// An array of bulk strings.
    pub fn bulks<A: AsRef<[u8]>>(items: &[A]) -> Self {
        Self::Array(
            items
                .iter()
                .map(|item| Self::Bulk(item.as_ref().to_vec()))
                .collect(),
        )
    }

    /// A bulk string.
    #[must_use]
    pub fn bulk(text: &str) -> Self {
        Self::Bulk(text.as_bytes().to_vec())
    }

    /// `+OK`
    #[must_use]
    pub fn ok() -> Self {
        Self::Simple(b"OK".to_vec())
    }

    /// The bytes of a string-like reply (simple, error, bulk, verbatim without its format).
    #[must_use]
    pub fn bytes(&self) -> Option<&[u8]> {
        match self {
            Self::Simple(b) | Self::Error(b) | Self::Bulk(b) | Self::BulkError(b) => Some(b),
            Self::Verbatim(b) => b.get(4..),
            _ => None,
        }
    }

    /// The text of a string-like reply; empty for anything else, replaced where it is not UTF-8.
    #[must_use]
    pub fn text(&self) -> String {
        String::from_utf8_lossy(self.bytes().unwrap_or_default()).into_owned()
    }

    /// The number of an integer reply.
    #[must_use]
    pub fn integer(&self) -> Option<i64> {
        match self {
            Self::Integer(number) => Some(*number),
            _ => None,
        }
    }

    /// The elements of an array, set or push; a map as the flat list that RESP2 shows.
    #[must_use]
    pub fn items(&self) -> Option<Vec<Self>> {
        match self {
            Self::Array(items) | Self::Set(items) | Self::Push(items) => Some(items.clone()),
            Self::Map(pairs) => Some(
                pairs
                    .iter()
                    .flat_map(|(k, v)| [k.clone(), v.clone()])
                    .collect(),
            ),
            _ => None,
        }
    }

    /// True for either kind of error reply.
    #[must_use]
    pub fn is_error(&self) -> bool {
        matches!(self, Self::Error(_) | Self::BulkError(_))
    }

    /// True for the three nulls.
    #[must_use]
    pub fn is_null(&self) -> bool {
        matches!(self, Self::NullBulk | Self::NullArray | Self::Null)
    }
}

/// The wire bytes with escapes, cut to a length that a person reads.
impl fmt::Display for Value {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(&escape(&self.encode()))
    }
}

/// `bytes` with C escapes, in quotes; of a long string only both ends.
#[must_use]
pub fn escape(bytes: &[u8]) -> String {
    const SHOWN: usize = 1200;
    if bytes.len() <= SHOWN {
        return format!("\"{}\"", escaped(bytes));
    }
    let (head, tail) = (&bytes[..SHOWN / 2], &bytes[bytes.len() - SHOWN / 4..]);
    format!(
        "\"{}\" ... \"{}\" ({} bytes)",
        escaped(head),
        escaped(tail),
        bytes.len()
    )
}

fn escaped(bytes: &[u8]) -> String {
    let mut out = String::new();
    for byte in bytes {
        match byte {
            b'\r' => out.push_str("\\r"),
            b'\n' => out.push_str("\\n"),
            b'"' | b'\\' => {
                out.push('\\');
                out.push(char::from(*byte));
            }
            b' '..=b'~' => out.push(char::from(*byte)),
            _ => write!(out, "\\x{byte:02x}").expect("a string takes any text"),
        }
    }
    out
}

/// The request as an array of bulk strings.
pub fn request<A: AsRef<[u8]>>(args: &[A]) -> Vec<u8> {
    let mut out = Vec::new();
    line(&mut out, b'*', args.len().to_string().as_bytes());
    for arg in args {
        blob(&mut out, b'$', arg.as_ref());
    }
    out
}

/// A command as a person would type it.
pub fn shown<A: AsRef<[u8]>>(args: &[A]) -> String {
    let words: Vec<String> = args
        .iter()
        .map(|arg| {
            let bytes = arg.as_ref();
            let plain = !bytes.is_empty() && bytes.iter().all(|b| (b'!'..=b'~').contains(b));
            let quoted = bytes.iter().any(|b| matches!(b, b'"' | b'\\' | b'\''));
            if plain && !quoted && bytes.len() < 200 {
                String::from_utf8_lossy(bytes).into_owned()
            } else {
                escape(bytes)
            }
        })
        .collect();
    words.join(" ")
}

fn line(out: &mut Vec<u8>, mark: u8, text: &[u8]) {
    out.push(mark);
    out.extend_from_slice(text);
    out.extend_from_slice(b"\r\n");
}

fn blob(out: &mut Vec<u8>, mark: u8, bytes: &[u8]) {
    line(out, mark, bytes.len().to_string().as_bytes());
    out.extend_from_slice(bytes);
    out.extend_from_slice(b"\r\n");
}

fn sequence(out: &mut Vec<u8>, mark: u8, items: &[Value]) {
    line(out, mark, items.len().to_string().as_bytes());
    for item in items {
        item.encode_into(out);
    }
}

fn dictionary(out: &mut Vec<u8>, mark: u8, pairs: &[(Value, Value)]) {
    line(out, mark, pairs.len().to_string().as_bytes());
    for (key, value) in pairs {
        key.encode_into(out);
        value.encode_into(out);
    }
}

enum Stop {
    Cut,
    Bad(Malformed),
}

struct Decoder<'a> {
    bytes: &'a [u8],
    at: usize,
}

impl Decoder<'_> {
    fn bad<T>(&self, what: &'static str) -> Result<T, Stop> {
        Err(Stop::Bad(Malformed { at: self.at, what }))
    }

    fn value(&mut self, depth: usize) -> Result<Value, Stop> {
        if depth > DEPTH_MAX {
            return self.bad("nested too deeply");
        }
        let Some(&mark) = self.bytes.get(self.at) else {
            return Err(Stop::Cut);
        };
        self.at += 1;
        match mark {
            b'+' => Ok(Value::Simple(self.line()?)),
            b'-' => Ok(Value::Error(self.line()?)),
            b':' => Ok(Value::Integer(self.number()?)),
            b',' => Ok(Value::Double(self.line()?)),
            b'(' => Ok(Value::BigNumber(self.line()?)),
            b'#' => self.boolean(),
            b'_' => self.null(),
            b'$' => Ok(self.blob()?.map_or(Value::NullBulk, Value::Bulk)),
            b'!' => match self.blob()? {
                Some(bytes) => Ok(Value::BulkError(bytes)),
                None => self.bad("negative length"),
            },
            b'=' => match self.blob()? {
                Some(bytes) if bytes.get(3) == Some(&b':') => Ok(Value::Verbatim(bytes)),
                _ => self.bad("verbatim string without a format"),
            },
            b'*' => self.array(depth),
            b'~' => Ok(Value::Set(self.many(depth)?)),
            b'>' => Ok(Value::Push(self.many(depth)?)),
            b'%' => Ok(Value::Map(self.pairs(depth)?)),
            b'|' => {
                let pairs = self.pairs(depth)?;
                Ok(Value::Attribute(pairs, Box::new(self.value(depth + 1)?)))
            }
            _ => {
                self.at -= 1;
                self.bad("no type begins with this byte")
            }
        }
    }

    fn boolean(&mut self) -> Result<Value, Stop> {
        match self.line()?.as_slice() {
            b"t" => Ok(Value::Boolean(true)),
            b"f" => Ok(Value::Boolean(false)),
            _ => self.bad("a boolean is t or f"),
        }
    }

    fn null(&mut self) -> Result<Value, Stop> {
        if self.line()?.is_empty() {
            Ok(Value::Null)
        } else {
            self.bad("a null has no text")
        }
    }

    fn array(&mut self, depth: usize) -> Result<Value, Stop> {
        if self.bytes[self.at..].starts_with(b"-1\r\n") {
            self.at += 4;
            return Ok(Value::NullArray);
        }
        Ok(Value::Array(self.many(depth)?))
    }

    fn line(&mut self) -> Result<Vec<u8>, Stop> {
        let rest = &self.bytes[self.at..];
        let Some(end) = rest.iter().position(|b| *b == b'\n') else {
            return Err(Stop::Cut);
        };
        if end == 0 || rest[end - 1] != b'\r' {
            return self.bad("a line ends with LF alone");
        }
        if rest[..end - 1].contains(&b'\r') {
            return self.bad("CR inside a line");
        }
        let text = rest[..end - 1].to_vec();
        self.at += end + 1;
        Ok(text)
    }

    fn number(&mut self) -> Result<i64, Stop> {
        let text = self.line()?;
        let parsed = std::str::from_utf8(&text)
            .ok()
            .and_then(|t| t.parse::<i64>().ok());
        match parsed {
            Some(number) if number.to_string().as_bytes() == text => Ok(number),
            _ => self.bad("not a canonical integer"),
        }
    }

    fn count(&mut self) -> Result<usize, Stop> {
        match usize::try_from(self.number()?) {
            Ok(count) => Ok(count),
            Err(_) => self.bad("negative count"),
        }
    }

    fn blob(&mut self) -> Result<Option<Vec<u8>>, Stop> {
        let length = self.number()?;
        if length == -1 {
            return Ok(None);
        }
        let Ok(length) = usize::try_from(length) else {
            return self.bad("negative length");
        };
        let rest = &self.bytes[self.at..];
        if rest.len() < length + 2 {
            return Err(Stop::Cut);
        }
        if &rest[length..length + 2] != b"\r\n" {
            return self.bad("no CRLF after the bytes");
        }
        let bytes = rest[..length].to_vec();
        self.at += length + 2;
        Ok(Some(bytes))
    }

    fn many(&mut self, depth: usize) -> Result<Vec<Value>, Stop> {
        let count = self.count()?;
        let mut items = Vec::new();
        for _ in 0..count {
            items.push(self.value(depth + 1)?);
        }
        Ok(items)
    }

    fn pairs(&mut self, depth: usize) -> Result<Vec<(Value, Value)>, Stop> {
        let count = self.count()?;
        let mut pairs = Vec::new();
        for _ in 0..count {
            let key = self.value(depth + 1)?;
            pairs.push((key, self.value(depth + 1)?));
        }
        Ok(pairs)
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn every_type_encodes_back_to_its_bytes() {
        let wire =
            b"+OK\r\n-ERR x\r\n:-5\r\n$3\r\na\r\n\r\n$-1\r\n*-1\r\n_\r\n#t\r\n,0.5\r\n(12\r\n\
            !3\r\nERR\r\n=7\r\ntxt:abc\r\n*2\r\n:1\r\n~1\r\n:2\r\n>1\r\n%1\r\n+a\r\n+b\r\n\
            |1\r\n+k\r\n+v\r\n*0\r\n";
        let values = Value::decode_all(wire).unwrap();
        let again: Vec<u8> = values.iter().flat_map(Value::encode).collect();
        assert_eq!(escape(&again), escape(wire));
    }

    #[test]
    fn every_cut_of_a_reply_is_incomplete_and_never_malformed() {
        let wire = b"*3\r\n$5\r\nhello\r\n%1\r\n+a\r\n:12\r\n=5\r\ntxt:a\r\n";
        for cut in 0..wire.len() {
            assert_eq!(Value::decode(&wire[..cut]), Ok(None), "cut at {cut}");
        }
    }

    #[test]
    fn numbers_that_do_not_encode_back_are_malformed() {
        for wire in [
            &b":01\r\n"[..],
            b":+1\r\n",
            b"$03\r\nabc\r\n",
            b":\r\n",
            b"#x\r\n",
            b"+a\n",
        ] {
            assert!(Value::decode(wire).is_err(), "{}", escape(wire));
        }
    }
}
