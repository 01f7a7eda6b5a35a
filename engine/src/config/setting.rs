//! What a field of the configuration can be: its syntax, and how its type is read and written.

use super::error::ConfigError;
use super::number;
use super::text::quote;
use std::fmt;

/// The syntax of a directive's value.
#[derive(Clone, Copy, Debug)]
pub enum Kind {
    /// `yes` or `no`.
    Bool,
    /// A decimal integer; both bounds belong to the range.
    Int {
        /// The lowest allowed value.
        low: i64,
        /// The highest allowed value.
        high: i64,
    },
    /// A decimal integer that is moved into the narrower range instead of being refused.
    Clamped {
        /// The lowest value kept.
        low: i64,
        /// The highest value kept.
        high: i64,
    },
    /// File permissions in octal, at most this.
    Octal {
        /// The highest allowed value.
        high: u32,
    },
    /// Bytes, with an optional unit; both bounds belong to the range.
    Memory {
        /// The lowest allowed value.
        low: u64,
        /// The highest allowed value.
        high: u64,
    },
    /// Bytes, or -1 for no limit.
    SignedMemory,
    /// Bytes, or a share of maxmemory.
    MemoryOrPercent,
    /// One of these words.
    Choice(&'static [&'static str]),
    /// Some of these words.
    Choices(&'static [&'static str]),
    /// Any bytes; when empty, CONFIG REWRITE leaves the line out.
    Text,
    /// Any bytes; when empty, CONFIG REWRITE writes `""`.
    PlainText,
    /// Bytes that satisfy a rule.
    Checked {
        /// What a reader should know of the rule.
        shape: &'static str,
        /// The rule.
        check: fn(&[u8]) -> Result<(), ConfigError>,
    },
    /// Any bytes, not to be logged.
    Secret,
    /// Class letters of keyspace notifications.
    Letters,
    /// Several words.
    List {
        /// What the words are.
        shape: &'static str,
    },
}

impl Kind {
    /// Whether a value may be several words.
    #[must_use]
    pub const fn takes_many(&self) -> bool {
        matches!(self, Self::Choices(_) | Self::List { .. })
    }
}

impl fmt::Display for Kind {
    /// The syntax in words, for the generated documents.
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let bound = |value: i64| match value {
            i64::MAX => "2^63-1".to_owned(),
            2_147_483_647 => "2^31-1".to_owned(),
            4_294_967_295 => "2^32-1".to_owned(),
            -2_147_483_648 => "-2^31".to_owned(),
            other => other.to_string(),
        };
        match self {
            Self::Bool => f.write_str("yes or no"),
            Self::Int { low, high } => write!(f, "integer {} to {}", bound(*low), bound(*high)),
            Self::Clamped { low, high } => write!(f, "integer, moved into {low} to {high}"),
            Self::Octal { high } => write!(f, "octal 0 to {high:o}"),
            Self::Memory { low: 0, .. } => f.write_str("memory"),
            Self::Memory { low, .. } => {
                write!(f, "memory, at least {}", number::memory_text(*low))
            }
            Self::SignedMemory => f.write_str("memory, or -1 for no limit"),
            Self::MemoryOrPercent => f.write_str("memory, or a percentage of maxmemory"),
            Self::Choice(words) => write!(f, "one of {}", words.join(", ")),
            Self::Choices(words) => write!(f, "some of {}", words.join(", ")),
            Self::Text | Self::PlainText => f.write_str("string"),
            Self::Checked { shape, .. } | Self::List { shape } => f.write_str(shape),
            Self::Secret => f.write_str("secret string"),
            Self::Letters => f.write_str("class letters"),
        }
    }
}

/// Who sets a value.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Source {
    /// CONFIG SET.
    Client,
    /// The first line about the directive in the files and options of a start.
    FirstLine,
    /// A later line about it.
    LaterLine,
}

/// One line that CONFIG REWRITE may write for a directive.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Line {
    /// What follows the name.
    pub value: Vec<u8>,
    /// Whether the line is needed even if the file has none yet.
    pub needed: Need,
}

/// Whether CONFIG REWRITE must write a line.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Need {
    /// The value differs from the default.
    Always,
    /// It is the default: only to replace a line that is there.
    IfPresent,
    /// It is part of a default in several lines: if the file says any of them.
    Together,
}

/// A type that a directive's value can have.
pub trait Setting: Clone + PartialEq {
    /// Reads a value; `self` is the present one, for directives that add to it.
    ///
    /// # Errors
    /// In Redis's words when `words` do not fit `kind`.
    fn parse(&self, kind: &Kind, words: &[&[u8]], source: Source) -> Result<Self, ConfigError>;

    /// The value as CONFIG GET shows it.
    fn render(&self, kind: &Kind) -> Vec<u8>;

    /// The value as it stands in a file: readable, quoted where needed.
    fn file_text(&self, kind: &Kind) -> Vec<u8> {
        self.render(kind)
    }

    /// The lines that a file needs to say this, where `default` is said without a line.
    fn lines(&self, kind: &Kind, default: &Self) -> Vec<Line> {
        let needed = if self == default {
            Need::IfPresent
        } else {
            Need::Always
        };
        vec![Line {
            value: self.file_text(kind),
            needed,
        }]
    }
}

/// The only word of a value that is a single word.
///
/// # Errors
/// When there are none or several.
pub(super) fn single<'a>(words: &[&'a [u8]]) -> Result<&'a [u8], ConfigError> {
    match words {
        [word] => Ok(word),
        _ => Err(ConfigError::WrongArity),
    }
}

impl Setting for bool {
    fn parse(&self, _: &Kind, words: &[&[u8]], _: Source) -> Result<Self, ConfigError> {
        let word = single(words)?;
        if word.eq_ignore_ascii_case(b"yes") {
            Ok(true)
        } else if word.eq_ignore_ascii_case(b"no") {
            Ok(false)
        } else {
            Err(ConfigError::NotYesNo)
        }
    }

    fn render(&self, _: &Kind) -> Vec<u8> {
        if *self {
            b"yes".to_vec()
        } else {
            b"no".to_vec()
        }
    }
}

macro_rules! number_settings {
    ($($type:ty),*) => {$(
        impl Setting for $type {
            fn parse(&self, kind: &Kind, words: &[&[u8]], _: Source) -> Result<Self, ConfigError> {
                let value = number::parse(kind, single(words)?)?;
                // The ranges of the table fit the types of the fields, which a test asserts.
                Ok(Self::try_from(value).unwrap_or(Self::MAX))
            }

            fn render(&self, kind: &Kind) -> Vec<u8> {
                match kind {
                    Kind::Octal { .. } => format!("{self:o}").into_bytes(),
                    _ => self.to_string().into_bytes(),
                }
            }

            fn file_text(&self, kind: &Kind) -> Vec<u8> {
                match (kind, u64::try_from(*self)) {
                    (Kind::Memory { .. } | Kind::SignedMemory, Ok(bytes)) => {
                        number::memory_text(bytes).into_bytes()
                    }
                    _ => self.render(kind),
                }
            }
        }
    )*};
}

number_settings!(u16, u32, u64, i32, i64);

/// A string of any bytes.
#[derive(Clone, Default, PartialEq, Eq, PartialOrd, Ord)]
pub struct Text(Box<[u8]>);

impl Text {
    /// Its bytes.
    #[must_use]
    pub fn as_bytes(&self) -> &[u8] {
        &self.0
    }

    /// Its text; bytes that are not UTF-8 are replaced.
    #[must_use]
    pub fn to_text(&self) -> String {
        String::from_utf8_lossy(&self.0).into_owned()
    }

    /// Whether there is nothing.
    #[must_use]
    pub fn is_empty(&self) -> bool {
        self.0.is_empty()
    }
}

impl From<&str> for Text {
    fn from(text: &str) -> Self {
        Self(text.as_bytes().into())
    }
}

impl From<&[u8]> for Text {
    fn from(bytes: &[u8]) -> Self {
        Self(bytes.into())
    }
}

impl fmt::Debug for Text {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "\"{}\"", self.0.escape_ascii())
    }
}

impl fmt::Display for Text {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(&String::from_utf8_lossy(&self.0))
    }
}

impl Setting for Text {
    fn parse(&self, kind: &Kind, words: &[&[u8]], _: Source) -> Result<Self, ConfigError> {
        let word = single(words)?;
        if let Kind::Checked { check, .. } = kind {
            check(word)?;
        }
        Ok(Self::from(word))
    }

    fn render(&self, _: &Kind) -> Vec<u8> {
        self.0.to_vec()
    }

    fn file_text(&self, _: &Kind) -> Vec<u8> {
        quote(&self.0)
    }

    fn lines(&self, kind: &Kind, default: &Self) -> Vec<Line> {
        if self.is_empty() && default.is_empty() && matches!(kind, Kind::Text | Kind::Secret) {
            return Vec::new();
        }
        let needed = if self == default {
            Need::IfPresent
        } else {
            Need::Always
        };
        vec![Line {
            value: self.file_text(kind),
            needed,
        }]
    }
}

/// A string that does not show in debug output.
#[derive(Clone, Default, PartialEq, Eq)]
pub struct Secret(Text);

impl Secret {
    /// Its bytes.
    #[must_use]
    pub fn expose(&self) -> &[u8] {
        self.0.as_bytes()
    }

    /// Whether there is none.
    #[must_use]
    pub fn is_empty(&self) -> bool {
        self.0.is_empty()
    }
}

impl fmt::Debug for Secret {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(if self.is_empty() {
            "Secret(none)"
        } else {
            "Secret(set)"
        })
    }
}

impl Setting for Secret {
    fn parse(&self, kind: &Kind, words: &[&[u8]], source: Source) -> Result<Self, ConfigError> {
        self.0.parse(kind, words, source).map(Self)
    }

    fn render(&self, kind: &Kind) -> Vec<u8> {
        self.0.render(kind)
    }

    fn file_text(&self, kind: &Kind) -> Vec<u8> {
        self.0.file_text(kind)
    }

    fn lines(&self, kind: &Kind, default: &Self) -> Vec<Line> {
        self.0.lines(kind, &default.0)
    }
}

/// Bytes, or a share of maxmemory.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum MemoryOrPercent {
    /// So many bytes; 0 is no limit.
    Bytes(u64),
    /// 1 to 100 percent.
    Percent(u8),
}

impl MemoryOrPercent {
    /// The bytes meant when maxmemory is `maxmemory`; 0 is no limit.
    #[must_use]
    pub fn bytes(self, maxmemory: u64) -> u64 {
        match self {
            Self::Bytes(bytes) => bytes,
            Self::Percent(percent) => {
                let share = u128::from(maxmemory) * u128::from(percent) / 100;
                u64::try_from(share).unwrap_or(u64::MAX)
            }
        }
    }
}

impl Setting for MemoryOrPercent {
    fn parse(&self, _: &Kind, words: &[&[u8]], _: Source) -> Result<Self, ConfigError> {
        let word = single(words)?;
        let Some((b'%', digits)) = word.split_last() else {
            return number::parse_memory(word)
                .map(Self::Bytes)
                .ok_or(ConfigError::NotMemoryOrPercent);
        };
        let percent = crate::base::number::parse_i64(digits)
            .filter(|percent| *percent >= 0)
            .ok_or(ConfigError::NotMemoryOrPercent)?;
        match u8::try_from(percent) {
            Ok(0) => Ok(Self::Bytes(0)),
            Ok(percent) if percent <= 100 => Ok(Self::Percent(percent)),
            _ => Err(ConfigError::PercentTooHigh),
        }
    }

    fn render(&self, _: &Kind) -> Vec<u8> {
        match self {
            Self::Bytes(bytes) => bytes.to_string().into_bytes(),
            Self::Percent(percent) => format!("{percent}%").into_bytes(),
        }
    }

    fn file_text(&self, kind: &Kind) -> Vec<u8> {
        match self {
            Self::Bytes(bytes) => number::memory_text(*bytes).into_bytes(),
            Self::Percent(_) => self.render(kind),
        }
    }
}
