//! Numbers in configuration values: integers, octal, bytes with units.

use super::error::ConfigError;
use super::setting::Kind;
use crate::base::number::parse_i64;

const UNITS: [(&[u8], u64); 8] = [
    (b"", 1),
    (b"b", 1),
    (b"k", 1000),
    (b"kb", 1 << 10),
    (b"m", 1_000_000),
    (b"mb", 1 << 20),
    (b"g", 1_000_000_000),
    (b"gb", 1 << 30),
];

/// The number that `text` spells in the syntax of `kind`, within its range.
///
/// # Errors
/// When it is no number of this kind, or outside of the range.
pub(super) fn parse(kind: &Kind, text: &[u8]) -> Result<i128, ConfigError> {
    match kind {
        Kind::Octal { high } => parse_octal(text, *high),
        Kind::Memory { low, high } => {
            let value = parse_memory(text).ok_or(ConfigError::NotMemory)?;
            in_range(value.into(), (*low).into(), (*high).into())
        }
        Kind::SignedMemory => {
            let value = match parse_i64(text) {
                Some(value) if value < 0 => value.into(),
                _ => parse_memory(text).ok_or(ConfigError::NotMemory)?.into(),
            };
            in_range(value, -1, i64::MAX.into())
        }
        Kind::Clamped { low, high } => {
            let value = parse_i64(text).ok_or(ConfigError::NotInteger)?;
            in_range(value.into(), 0, i32::MAX.into())?;
            Ok(value.clamp(*low, *high).into())
        }
        Kind::Int { low, high } => {
            let value = parse_i64(text).ok_or(ConfigError::NotInteger)?;
            in_range(value.into(), (*low).into(), (*high).into())
        }
        _ => parse_i64(text)
            .map(i128::from)
            .ok_or(ConfigError::NotInteger),
    }
}

fn in_range(value: i128, low: i128, high: i128) -> Result<i128, ConfigError> {
    if (low..=high).contains(&value) {
        Ok(value)
    } else {
        Err(ConfigError::OutOfRange { low, high })
    }
}

fn parse_octal(text: &[u8], high: u32) -> Result<i128, ConfigError> {
    let value = c_integer(text, 8).ok_or(ConfigError::NotOctal)?;
    match u32::try_from(value) {
        Ok(value) if value <= high => Ok(value.into()),
        _ => Err(ConfigError::OctalOutOfRange { high }),
    }
}

/// The integer that C's `strtoll` reads when it may leave nothing over: leading spaces, a sign and
/// leading zeros are fine, and nothing at all is 0. `None` for anything else or out of range.
pub(super) fn c_integer(text: &[u8], radix: u32) -> Option<i64> {
    let text = std::str::from_utf8(text)
        .ok()?
        .trim_start_matches([' ', '\t']);
    if text.is_empty() {
        Some(0)
    } else {
        i64::from_str_radix(text, radix).ok()
    }
}

/// The bytes that `text` stands for: digits, then an optional unit in either case.
///
/// No digits are 0, as in Redis. `None` for fractions, signs, other units and overflow.
#[must_use]
pub fn parse_memory(text: &[u8]) -> Option<u64> {
    let digits = text.iter().take_while(|byte| byte.is_ascii_digit()).count();
    let (number, unit) = text.split_at(digits);
    let (_, factor) = UNITS
        .iter()
        .find(|(name, _)| name.eq_ignore_ascii_case(unit))?;
    let number = number.iter().try_fold(0_u64, |value, digit| {
        value.checked_mul(10)?.checked_add(u64::from(digit - b'0'))
    })?;
    number.checked_mul(*factor)
}

/// `bytes` in the largest binary unit that leaves no remainder, such as `100mb`.
#[must_use]
pub fn memory_text(bytes: u64) -> String {
    for (unit, factor) in [("gb", 1_u64 << 30), ("mb", 1 << 20), ("kb", 1 << 10)] {
        if bytes != 0 && bytes.is_multiple_of(factor) {
            return format!("{}{unit}", bytes / factor);
        }
    }
    bytes.to_string()
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn memory_takes_units_in_either_case() {
        for (text, bytes) in [
            ("0", 0),
            ("", 0),
            ("kb", 0),
            ("1b", 1),
            ("1k", 1000),
            ("1KB", 1024),
            ("2m", 2_000_000),
            ("2Mb", 2 << 20),
            ("1g", 1_000_000_000),
            ("3gb", 3 << 30),
            ("18446744073709551615", u64::MAX),
        ] {
            assert_eq!(parse_memory(text.as_bytes()), Some(bytes), "{text}");
        }
    }

    #[test]
    fn memory_refuses_fractions_signs_spaces_and_overflow() {
        for text in [
            "1.5gb",
            "1tb",
            "-1",
            "+5",
            " 5",
            "1 kb",
            "99999999999999999999",
            "18014398509481984gb",
        ] {
            assert_eq!(parse_memory(text.as_bytes()), None, "{text}");
        }
    }

    #[test]
    fn memory_is_written_in_the_largest_exact_unit() {
        for (bytes, text) in [
            (0, "0"),
            (1500, "1500"),
            (3072, "3kb"),
            (1000 << 20, "1000mb"),
            (2 << 30, "2gb"),
        ] {
            assert_eq!(memory_text(bytes), text);
            assert_eq!(parse_memory(text.as_bytes()), Some(bytes));
        }
    }

    #[test]
    fn c_integers_are_read_leniently_but_wholly() {
        for (text, value) in [("", 0), (" 7", 7), ("+7", 7), ("007", 7), ("-1", -1)] {
            assert_eq!(c_integer(text.as_bytes(), 10), Some(value), "{text}");
        }
        for text in ["7 ", "7x", "x", "0x7", "99999999999999999999"] {
            assert_eq!(c_integer(text.as_bytes(), 10), None, "{text}");
        }
    }
}
