//! Doubles to and from bytes: the texts that replies and files have, and the spellings of scores.

use super::number::Digits;
use std::fmt::Write;

/// Integral doubles up to this size are written as integers.
const INTEGER_MAX: f64 = 4_611_686_018_427_387_904.0;
/// Longest text of a double.
const TEXT_MAX: usize = 32;
/// Digits of the shortest text that reads back as the same double, at most.
const DIGITS_MAX: usize = 17;

/// `value` as an integer, if it is one that is written as such.
#[must_use]
#[inline]
#[expect(
    clippy::cast_possible_truncation,
    reason = "held against the greatest before, and compared after"
)]
pub fn integral(value: f64) -> Option<i64> {
    if !(-INTEGER_MAX..=INTEGER_MAX).contains(&value) {
        return None;
    }
    let whole = value as i64;
    #[expect(
        clippy::cast_precision_loss,
        reason = "compared with what it came from"
    )]
    (whole as f64 == value).then_some(whole)
}

/// The shortest text that reads back as the same double, in a fixed buffer: integers without a
/// fraction, exponents where the point would be far away, `inf`, `-inf` and `nan` by name.
#[derive(Clone, Copy, Debug)]
pub struct DoubleText {
    buffer: [u8; TEXT_MAX],
    len: u8,
}

impl DoubleText {
    /// The text of `value`.
    #[must_use]
    #[inline]
    pub fn of(value: f64) -> Self {
        let mut text = Self {
            buffer: [0; TEXT_MAX],
            len: 0,
        };
        match integral(value) {
            Some(0) if value.is_sign_negative() => text.push(b"-0"),
            Some(whole) => text.push(Digits::of(whole).as_bytes()),
            None if value.is_nan() => text.push(b"nan"),
            None if value == f64::INFINITY => text.push(b"inf"),
            None if value == f64::NEG_INFINITY => text.push(b"-inf"),
            None => text.push_shortest(value),
        }
        text
    }

    /// The text of `value` with as many digits as tell all doubles apart, be they needed or not, and
    /// exponents of two digits: what walks over large sorted sets have always shown.
    #[must_use]
    pub fn long(value: f64) -> Self {
        let mut text = Self {
            buffer: [0; TEXT_MAX],
            len: 0,
        };
        if !value.is_finite() || value == 0.0 {
            return Self::of(value);
        }
        let _written = write!(text, "{:.16e}", value.abs());
        let (digits, len, exponent) = text.taken_apart();
        let is_needed = digits[..len].iter().rposition(|digit| *digit != b'0');
        let digits = &digits[..is_needed.map_or(1, |last| last + 1)];
        text.len = 0;
        if value < 0.0 {
            text.push(b"-");
        }
        let count = i32::try_from(digits.len()).unwrap_or(0);
        match exponent {
            -4..17 if exponent + 1 >= count => {
                text.push(digits);
                text.push_zeros(exponent + 1 - count);
            }
            -4..17 => text.push_decimal(digits, exponent + 1),
            _ => {
                text.push_mantissa(digits);
                text.push(if exponent < 0 { b"e-" } else { b"e+" });
                text.push_zeros(i32::from(exponent.abs() < 10));
                text.push(Digits::of(exponent.abs().into()).as_bytes());
            }
        }
        text
    }

    /// The text.
    #[must_use]
    #[inline]
    pub fn as_bytes(&self) -> &[u8] {
        &self.buffer[..usize::from(self.len)]
    }

    #[inline]
    fn push(&mut self, bytes: &[u8]) {
        let start = usize::from(self.len);
        self.buffer[start..start + bytes.len()].copy_from_slice(bytes);
        self.len = u8::try_from(start + bytes.len()).unwrap_or(0);
    }

    fn push_shortest(&mut self, value: f64) {
        let mut plain = Self {
            buffer: [0; TEXT_MAX],
            len: 0,
        };
        // The buffer has room for all digits, and for an exponent of three.
        let _written = write!(plain, "{:e}", value.abs());
        let (digits, len, exponent) = plain.taken_apart();
        let digits = &digits[..len];
        let count = i32::try_from(len).unwrap_or(0);
        // The number is its digits, read as an integer, times ten to this power.
        let power = exponent - count + 1;
        if value < 0.0 {
            self.push(b"-");
        }
        if power >= 0 && exponent.abs() < count + 7 {
            self.push(digits);
            self.push_zeros(power);
        } else if power < 0 && (power > -7 || exponent.abs() < 4) {
            self.push_decimal(digits, count + power);
        } else {
            self.push_mantissa(digits);
            self.push(if exponent < 0 { b"e-" } else { b"e+" });
            self.push(Digits::of(exponent.abs().into()).as_bytes());
        }
    }

    /// Digits with the point behind the first `before`, which may be none or fewer.
    fn push_decimal(&mut self, digits: &[u8], before: i32) {
        match usize::try_from(before) {
            Ok(before @ 1..) => {
                self.push(&digits[..before]);
                self.push(b".");
                self.push(&digits[before..]);
            }
            _ => {
                self.push(b"0.");
                self.push_zeros(-before);
                self.push(digits);
            }
        }
    }

    /// Digits with the point behind the first.
    fn push_mantissa(&mut self, digits: &[u8]) {
        self.push(&digits[..1]);
        if digits.len() > 1 {
            self.push(b".");
            self.push(&digits[1..]);
        }
    }

    fn push_zeros(&mut self, count: i32) {
        for _ in 0..count {
            self.push(b"0");
        }
    }

    /// The digits of `d.ddde-xx`, how many they are, and the exponent.
    fn taken_apart(&self) -> ([u8; DIGITS_MAX], usize, i32) {
        let text = self.as_bytes();
        let mark = text.iter().position(|byte| *byte == b'e');
        let (mantissa, exponent) = text.split_at(mark.unwrap_or(text.len()));
        let mut digits = [0; DIGITS_MAX];
        let mut len = 0;
        for (to, digit) in digits
            .iter_mut()
            .zip(mantissa.iter().filter(|byte| **byte != b'.'))
        {
            *to = *digit;
            len += 1;
        }
        let exponent = std::str::from_utf8(exponent.get(1..).unwrap_or_default());
        let exponent = exponent.ok().and_then(|text| text.parse().ok());
        (digits, len, exponent.unwrap_or(0))
    }
}

impl Write for DoubleText {
    fn write_str(&mut self, text: &str) -> std::fmt::Result {
        if usize::from(self.len) + text.len() > TEXT_MAX {
            return Err(std::fmt::Error);
        }
        self.push(text.as_bytes());
        Ok(())
    }
}

/// The score that `text` spells: decimal with or without an exponent, hexadecimal, or infinite by
/// name. NaN, what is too large or too small for a double, and spaces are refused.
#[must_use]
#[inline]
pub fn parse_score(text: &[u8]) -> Option<f64> {
    if let Some(value) = everyday(text) {
        return Some(value);
    }
    let value = spelled_at_length(text)?;
    if value.is_infinite() || value == 0.0 {
        // Out of range, unless it says so itself.
        let digits = unsigned(text);
        let is_meant = if value == 0.0 {
            let mut mantissa = digits
                .iter()
                .take_while(|byte| !is_exponent(digits, **byte));
            mantissa.all(|byte| matches!(byte, b'0' | b'x' | b'X' | b'.'))
        } else {
            digits[0].is_ascii_alphabetic()
        };
        return is_meant.then_some(value);
    }
    Some(value)
}

/// The score that `text` spells, which this module has written; anything else may be any score.
#[must_use]
#[inline]
pub fn parse_written(text: &[u8]) -> f64 {
    spelled(text).unwrap_or(0.0)
}

/// The bound of a range of scores that `text` spells: as a score, but spaces may stand before it,
/// nothing at all is 0, and what is too large or too small is cut off.
#[must_use]
#[inline]
pub fn parse_bound(text: &[u8]) -> Option<f64> {
    if text.is_empty() {
        return Some(0.0);
    }
    spelled(after_space(text))
}

/// The text without the white space, as C has it, at its beginning.
#[must_use]
pub fn after_space(text: &[u8]) -> &[u8] {
    let is_space = |byte: &u8| matches!(byte, b'\t'..=b'\r' | b' ');
    let at = text.iter().position(|byte| !is_space(byte));
    &text[at.unwrap_or(text.len())..]
}

fn is_exponent(digits: &[u8], byte: u8) -> bool {
    if is_hex(digits) {
        matches!(byte, b'p' | b'P')
    } else {
        matches!(byte, b'e' | b'E')
    }
}

fn is_hex(digits: &[u8]) -> bool {
    matches!(digits, [b'0', b'x' | b'X', ..])
}

/// A number without its sign.
#[inline]
fn unsigned(text: &[u8]) -> &[u8] {
    match text {
        [b'+' | b'-', rest @ ..] => rest,
        _ => text,
    }
}

/// Most digits of a number that is certainly a double without a fraction.
const EXACT_DIGITS: usize = 15;
/// Powers of ten, all of which are doubles.
const TENS: [f64; EXACT_DIGITS + 1] = [
    1.0, 1e1, 1e2, 1e3, 1e4, 1e5, 1e6, 1e7, 1e8, 1e9, 1e10, 1e11, 1e12, 1e13, 1e14, 1e15,
];

/// The number that `text` spells, if it is an everyday one: a few digits, perhaps with a point among
/// them, and without a plus. Digits and power of ten are exact, so one division rounds correctly.
#[inline]
fn everyday(text: &[u8]) -> Option<f64> {
    let (is_negative, text) = match text {
        [b'-', rest @ ..] => (true, rest),
        _ => (false, text),
    };
    if text.len() > EXACT_DIGITS + 1 {
        return None;
    }
    let (mut digits, mut point) = (0_i64, None);
    for (at, &byte) in text.iter().enumerate() {
        match byte {
            b'0'..=b'9' => digits = digits * 10 + i64::from(byte - b'0'),
            b'.' if point.is_none() => point = Some(at),
            _ => return None,
        }
    }
    let count = text.len() - usize::from(point.is_some());
    if !(1..=EXACT_DIGITS).contains(&count) {
        return None;
    }
    #[expect(clippy::cast_precision_loss, reason = "fifteen digits are exact")]
    let value = digits as f64;
    let value = match point {
        Some(at) => value / TENS[text.len() - at - 1],
        None => value,
    };
    Some(if is_negative { -value } else { value })
}

#[inline]
fn spelled(text: &[u8]) -> Option<f64> {
    everyday(text).or_else(|| spelled_at_length(text))
}

fn spelled_at_length(text: &[u8]) -> Option<f64> {
    let digits = unsigned(text);
    if is_hex(digits) {
        let value = hexadecimal(&digits[2..])?;
        return Some(if text[0] == b'-' { -value } else { value });
    }
    let value: f64 = std::str::from_utf8(text).ok()?.parse().ok()?;
    (!value.is_nan()).then_some(value)
}

/// Hexadecimal digits, perhaps with a point, perhaps with `p` and a power of two.
fn hexadecimal(text: &[u8]) -> Option<f64> {
    let mark = text.iter().position(|byte| matches!(byte, b'p' | b'P'));
    let (mantissa, power) = match mark {
        Some(mark) => (&text[..mark], power_of(&text[mark + 1..])?),
        None => (text, 0),
    };
    // As many digits as fit; of the others only whether they are all zero.
    let (mut bits, mut exponent, mut count) = (0_u64, 0_i64, 0);
    let mut behind_point = false;
    for &byte in mantissa {
        if byte == b'.' && !behind_point {
            behind_point = true;
            continue;
        }
        let digit = char::from(byte).to_digit(16)?;
        count += 1;
        if bits >> 60 == 0 {
            bits = bits << 4 | u64::from(digit);
            exponent -= if behind_point { 4 } else { 0 };
        } else {
            bits |= u64::from(digit != 0);
            exponent += if behind_point { 0 } else { 4 };
        }
    }
    if count == 0 {
        return None;
    }
    #[expect(clippy::cast_precision_loss, reason = "rounded to what a double holds")]
    let mut value = bits as f64;
    let mut exponent = exponent.saturating_add(power).clamp(-4000, 4000);
    while exponent != 0 && value != 0.0 && value.is_finite() {
        let step = i32::try_from(exponent.clamp(-1000, 1000)).unwrap_or(0);
        value *= 2_f64.powi(step);
        exponent -= i64::from(step);
    }
    Some(value)
}

/// A power: digits behind an optional sign; what is beyond all doubles is cut off.
fn power_of(text: &[u8]) -> Option<i64> {
    let digits = unsigned(text);
    if digits.is_empty() || !digits.iter().all(u8::is_ascii_digit) {
        return None;
    }
    let size = digits.iter().fold(0_i64, |size, digit| {
        (size * 10 + i64::from(digit - b'0')).min(1 << 40)
    });
    Some(if text[0] == b'-' { -size } else { size })
}

#[cfg(test)]
mod tests {
    use super::*;
    use proptest::prelude::*;

    fn text(value: f64) -> String {
        String::from_utf8(DoubleText::of(value).as_bytes().to_vec()).unwrap()
    }

    #[test]
    fn doubles_print_short() {
        for (value, expected) in [
            (3.0, "3"),
            (0.0, "0"),
            (-0.0, "-0"),
            (0.1, "0.1"),
            (-1.5, "-1.5"),
            (2.5, "2.5"),
            (1e17, "100000000000000000"),
            (1e21, "1e+21"),
            (1e-7, "1e-7"),
            (1e-5, "0.00001"),
            (0.000_012_34, "1.234e-5"),
            (5e-324, "5e-324"),
            (f64::MAX, "1.7976931348623157e+308"),
            (-f64::MAX, "-1.7976931348623157e+308"),
            (4_611_686_018_427_387_904.0, "4611686018427387904"),
            (9_223_372_036_854_775_807.0, "9223372036854776000"),
            (123_456_789.123_456_79, "1.2345678912345679e+8"),
            (100_000.5, "100000.5"),
            (f64::INFINITY, "inf"),
            (f64::NEG_INFINITY, "-inf"),
            (f64::NAN, "nan"),
        ] {
            assert_eq!(text(value), expected);
        }
    }

    #[test]
    fn long_texts_have_seventeen_digits_if_need_be() {
        for (value, expected) in [
            (1.0, "1"),
            (-1500.0, "-1500"),
            (0.1, "0.10000000000000001"),
            (-0.25, "-0.25"),
            (1e17, "1e+17"),
            (1e16, "10000000000000000"),
            (1e-5, "1.0000000000000001e-05"),
            (0.0001, "0.0001"),
            (55_570_854_514_487_452_000.0, "5.5570854514487452e+19"),
            (5e-324, "4.9406564584124654e-324"),
            (f64::MAX, "1.7976931348623157e+308"),
            (-0.0, "-0"),
            (f64::NEG_INFINITY, "-inf"),
        ] {
            let text = DoubleText::long(value);
            assert_eq!(text.as_bytes(), expected.as_bytes());
        }
    }

    #[test]
    fn scores_are_read_as_spelled() {
        for (spelling, expected) in [
            ("1", 1.0),
            ("+5", 5.0),
            ("-2.5", -2.5),
            ("1.", 1.0),
            (".5", 0.5),
            ("1e3", 1000.0),
            ("0", 0.0),
            ("-0e9", 0.0),
            ("0x10", 16.0),
            ("-0X1p3", -8.0),
            ("0x1.8", 1.5),
            ("0x.8P-1", 0.25),
            ("0x0", 0.0),
            ("0x12345678901234567", 20_988_295_476_557_332_000.0),
            ("inf", f64::INFINITY),
            ("-Infinity", f64::NEG_INFINITY),
            ("+INF", f64::INFINITY),
            ("5e-324", 5e-324),
        ] {
            assert_eq!(
                parse_score(spelling.as_bytes()),
                Some(expected),
                "{spelling}"
            );
        }
        for spelling in [
            "",
            " 1",
            "1 ",
            "nan",
            "in",
            "1e",
            ".",
            "0x",
            "0x.",
            "0x1p",
            "0x1p+",
            "1e400",
            "1e-400",
            "0x1p9999",
            "0x1p-9999",
            "1_0",
            "0xg",
            "--1",
            "+",
        ] {
            assert_eq!(parse_score(spelling.as_bytes()), None, "{spelling}");
        }
        assert_eq!(parse_bound(b""), Some(0.0));
        assert_eq!(parse_bound(b" 1"), Some(1.0));
        assert_eq!(parse_bound(b"1e400"), Some(f64::INFINITY));
        assert_eq!(parse_bound(b"1 "), None);
        assert_eq!(parse_bound(b"nan"), None);
    }

    proptest! {
        #[test]
        fn what_is_spelled_shortly_is_read_as_at_length(text in "-?[0-9]{0,16}\\.?[0-9]{0,16}") {
            if let Some(value) = everyday(text.as_bytes()) {
                let expected = spelled_at_length(text.as_bytes());
                prop_assert_eq!(Some(value.to_bits()), expected.map(f64::to_bits));
            }
        }

        #[test]
        fn what_is_written_reads_back(bits: u64) {
            let value = f64::from_bits(bits);
            prop_assume!(!value.is_nan());
            prop_assert_eq!(parse_score(DoubleText::of(value).as_bytes()), Some(value));
        }

        #[test]
        fn plain_numbers_read_back(whole in -100_000_i32..100_000, part in 0_u8..100) {
            let value = f64::from(whole) + f64::from(part) / 100.0;
            prop_assert_eq!(parse_score(text(value).as_bytes()), Some(value));
            prop_assert!(!text(value).contains('e'));
        }
    }
}
