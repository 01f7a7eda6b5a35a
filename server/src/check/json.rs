//! JSON as text: the few shapes that are needed.

use std::fmt::{self, Write as _};

/// A value.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(crate) enum Json {
    /// Nothing.
    Null,
    /// A truth.
    Flag(bool),
    /// A number without fraction.
    Number(i128),
    /// A text.
    Text(String),
    /// A list.
    List(Vec<Self>),
    /// Names and values, in this order.
    Object(Vec<(&'static str, Self)>),
}

impl From<u64> for Json {
    fn from(number: u64) -> Self {
        Self::Number(number.into())
    }
}

impl From<i64> for Json {
    fn from(number: i64) -> Self {
        Self::Number(number.into())
    }
}

impl From<usize> for Json {
    fn from(number: usize) -> Self {
        Self::from(number as u64)
    }
}

impl From<bool> for Json {
    fn from(flag: bool) -> Self {
        Self::Flag(flag)
    }
}

impl From<&str> for Json {
    fn from(text: &str) -> Self {
        Self::Text(text.to_owned())
    }
}

impl From<String> for Json {
    fn from(text: String) -> Self {
        Self::Text(text)
    }
}

/// Bytes: ASCII as it is, everything else and the backslash escaped as in Rust.
impl From<&[u8]> for Json {
    fn from(bytes: &[u8]) -> Self {
        Self::Text(bytes.escape_ascii().to_string())
    }
}

impl<T: Into<Self>> From<Option<T>> for Json {
    fn from(value: Option<T>) -> Self {
        value.map_or(Self::Null, Into::into)
    }
}

impl FromIterator<Self> for Json {
    fn from_iter<I: IntoIterator<Item = Self>>(items: I) -> Self {
        Self::List(items.into_iter().collect())
    }
}

impl fmt::Display for Json {
    fn fmt(&self, out: &mut fmt::Formatter<'_>) -> fmt::Result {
        write(self, 0, out)
    }
}

fn write(value: &Json, depth: usize, out: &mut fmt::Formatter<'_>) -> fmt::Result {
    let line = |out: &mut fmt::Formatter<'_>, index: usize, depth: usize| {
        let comma = if index == 0 { "" } else { "," };
        write!(out, "{comma}\n{:width$}", "", width = 2 * depth)
    };
    match value {
        Json::Null => out.write_str("null"),
        Json::Flag(flag) => write!(out, "{flag}"),
        Json::Number(number) => write!(out, "{number}"),
        Json::Text(text) => write_text(text, out),
        Json::List(items) if items.is_empty() => out.write_str("[]"),
        Json::List(items) => {
            out.write_char('[')?;
            for (index, item) in items.iter().enumerate() {
                line(out, index, depth + 1)?;
                write(item, depth + 1, out)?;
            }
            line(out, 0, depth)?;
            out.write_char(']')
        }
        Json::Object(pairs) => {
            out.write_char('{')?;
            for (index, (name, value)) in pairs.iter().enumerate() {
                line(out, index, depth + 1)?;
                write!(out, "\"{name}\": ")?;
                write(value, depth + 1, out)?;
            }
            line(out, 0, depth)?;
            out.write_char('}')
        }
    }
}

fn write_text(text: &str, out: &mut fmt::Formatter<'_>) -> fmt::Result {
    out.write_char('"')?;
    for letter in text.chars() {
        match letter {
            '"' => out.write_str("\\\"")?,
            '\\' => out.write_str("\\\\")?,
            control if u32::from(control) < 0x20 => write!(out, "\\u{:04x}", u32::from(control))?,
            letter => out.write_char(letter)?,
        }
    }
    out.write_char('"')
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn values_are_written_literally() {
        let value = Json::Object(vec![
            ("none", Json::Null),
            ("empty", Json::List(Vec::new())),
            (
                "list",
                [Json::from(-1_i64), Json::from(true)].into_iter().collect(),
            ),
            ("text", Json::from("a\"b\\c\n")),
            ("bytes", Json::from(b"\0\xff\\".as_slice())),
        ]);
        let expected = r#"{
  "none": null,
  "empty": [],
  "list": [
    -1,
    true
  ],
  "text": "a\"b\\c\u000a",
  "bytes": "\\x00\\xff\\\\"
}"#;
        assert_eq!(value.to_string(), expected);
    }
}
