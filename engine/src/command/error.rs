//! What a command answers when the client is wrong, word for word.
//!
//! The texts are an interface: clients and their libraries compare them.

use std::borrow::Cow;
use std::fmt;

/// An error reply. `Display` gives the whole line, prefix included.
#[derive(Clone, Debug, PartialEq, Eq)]
#[non_exhaustive]
pub enum CmdError {
    /// The key holds another type.
    WrongType,
    /// Words that make no sense here.
    Syntax,
    /// Not a 64-bit integer.
    NotInteger,
    /// Not a double.
    NotFloat,
    /// An integer that had to be positive.
    NotPositive,
    /// INCR and the like.
    Overflow,
    /// INCRBYFLOAT and the like.
    NanOrInfinity,
    /// The key must exist.
    NoSuchKey,
    /// An index beyond the end.
    IndexOutOfRange,
    /// An offset beyond what a string may be.
    OffsetOutOfRange,
    /// A string would pass `proto-max-bulk-len`.
    StringTooLong,
    /// A deadline that cannot be; holds the command's name.
    InvalidExpire(Box<str>),
    /// A database number that does not exist.
    DbOutOfRange,
    /// Source and destination are one.
    SameObject,
    /// A scan's cursor.
    InvalidCursor,
    /// Wrong number of words for this command (full name).
    Arity(Box<str>),
    /// Not before AUTH.
    NoAuth,
    /// Any other text, prefix included.
    Text(Cow<'static, str>),
    /// Any other text that repeats bytes of the client's, prefix included.
    Bytes(Box<[u8]>),
}

impl CmdError {
    /// An error with a fixed text, prefix included.
    #[must_use]
    pub const fn fixed(text: &'static str) -> Self {
        Self::Text(Cow::Borrowed(text))
    }

    /// An error whose text had to be put together, prefix included.
    #[must_use]
    pub fn text(text: impl Into<String>) -> Self {
        Self::Text(Cow::Owned(text.into()))
    }

    /// An error that repeats a word of the client's, prefix included in `before`.
    #[must_use]
    pub fn quoting(before: &str, word: &[u8], after: &str) -> Self {
        Self::Bytes([before.as_bytes(), word, after.as_bytes()].concat().into())
    }

    /// The whole line, prefix included.
    #[must_use]
    pub fn line(&self) -> Cow<'_, [u8]> {
        match self {
            Self::Bytes(line) => Cow::Borrowed(line),
            _ => Cow::Owned(self.to_string().into_bytes()),
        }
    }
}

impl fmt::Display for CmdError {
    fn fmt(&self, out: &mut fmt::Formatter<'_>) -> fmt::Result {
        let text = match self {
            Self::WrongType => "WRONGTYPE Operation against a key holding the wrong kind of value",
            Self::Syntax => "ERR syntax error",
            Self::NotInteger => "ERR value is not an integer or out of range",
            Self::NotFloat => "ERR value is not a valid float",
            Self::NotPositive => "ERR value is out of range, must be positive",
            Self::Overflow => "ERR increment or decrement would overflow",
            Self::NanOrInfinity => "ERR increment would produce NaN or Infinity",
            Self::NoSuchKey => "ERR no such key",
            Self::IndexOutOfRange => "ERR index out of range",
            Self::OffsetOutOfRange => "ERR offset is out of range",
            Self::StringTooLong => "ERR string exceeds maximum allowed size (proto-max-bulk-len)",
            Self::DbOutOfRange => "ERR DB index is out of range",
            Self::SameObject => "ERR source and destination objects are the same",
            Self::InvalidCursor => "ERR invalid cursor",
            Self::NoAuth => "NOAUTH Authentication required.",
            Self::InvalidExpire(command) => {
                return write!(out, "ERR invalid expire time in '{command}' command");
            }
            Self::Arity(command) => {
                return write!(out, "ERR wrong number of arguments for '{command}' command");
            }
            Self::Text(text) => text,
            Self::Bytes(line) => return out.write_str(&String::from_utf8_lossy(line)),
        };
        out.write_str(text)
    }
}

impl std::error::Error for CmdError {}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn composed_texts_read_as_clients_expect() {
        let arity = CmdError::Arity("config|get".into());
        assert_eq!(
            arity.to_string(),
            "ERR wrong number of arguments for 'config|get' command"
        );
        let quoting = CmdError::quoting("ERR No such user '", b"\xff", "'");
        assert_eq!(&*quoting.line(), b"ERR No such user '\xff'");
        let expire = CmdError::InvalidExpire("set".into());
        assert_eq!(
            expire.to_string(),
            "ERR invalid expire time in 'set' command"
        );
    }
}
