//! Integers and doubles to and from bytes, by Redis's rules.

/// Longest text of a 64-bit integer.
pub const I64_TEXT_MAX: usize = 20;

/// The integer that `text` spells exactly: an optional minus, no leading zeros, no spaces, no plus.
///
/// What this accepts is what reads back as the same text, so a string may be stored as a number.
#[must_use]
#[inline]
pub fn parse_i64(text: &[u8]) -> Option<i64> {
    let (negative, digits) = match text {
        [b'-', rest @ ..] => (true, rest),
        _ => (false, text),
    };
    match digits {
        [b'0'] if !negative => return Some(0),
        [b'1'..=b'9', ..] if digits.len() <= 19 => {}
        _ => return None,
    }
    let mut value = 0_u64;
    for byte in digits {
        let digit = byte.wrapping_sub(b'0');
        if digit > 9 {
            return None;
        }
        // Nineteen digits stay below 2^64.
        value = value * 10 + u64::from(digit);
    }
    if negative {
        0_i64.checked_sub_unsigned(value)
    } else {
        i64::try_from(value).ok()
    }
}

/// The unsigned integer that `text` spells: digits only.
#[must_use]
pub fn parse_u64(text: &[u8]) -> Option<u64> {
    if text.is_empty() || text.len() > 20 {
        return None;
    }
    text.iter().try_fold(0_u64, |value, byte| {
        let digit = u64::from(byte.wrapping_sub(b'0'));
        (digit <= 9)
            .then(|| value.checked_mul(10)?.checked_add(digit))
            .flatten()
    })
}

const PAIRS: &[u8; 200] = b"0001020304050607080910111213141516171819\
2021222324252627282930313233343536373839\
4041424344454647484950515253545556575859\
6061626364656667686970717273747576777879\
8081828384858687888990919293949596979899";

/// A number's text in a fixed buffer.
#[derive(Clone, Copy, Debug)]
pub struct Digits {
    buffer: [u8; I64_TEXT_MAX],
    start: u8,
}

impl Digits {
    /// The text of `value`.
    #[must_use]
    #[inline]
    pub fn of(value: i64) -> Self {
        let mut digits = Self::of_u64(value.unsigned_abs());
        if value < 0 {
            digits.start -= 1;
            digits.buffer[usize::from(digits.start)] = b'-';
        }
        digits
    }

    /// The text of `value`.
    #[must_use]
    #[inline]
    pub fn of_u64(mut value: u64) -> Self {
        let mut buffer = [0; I64_TEXT_MAX];
        let mut at = I64_TEXT_MAX;
        while value >= 100 {
            let pair = usize::try_from(value % 100).unwrap_or(0) * 2;
            value /= 100;
            at -= 2;
            buffer[at] = PAIRS[pair];
            buffer[at + 1] = PAIRS[pair + 1];
        }
        let pair = usize::try_from(value).unwrap_or(0) * 2;
        at -= 1;
        buffer[at] = PAIRS[pair + 1];
        if value >= 10 {
            at -= 1;
            buffer[at] = PAIRS[pair];
        }
        Self {
            buffer,
            start: u8::try_from(at).unwrap_or(0),
        }
    }

    /// The text.
    #[must_use]
    #[inline]
    pub fn as_bytes(&self) -> &[u8] {
        &self.buffer[usize::from(self.start)..]
    }
}

/// Appends the decimal text of `value`.
#[inline]
pub fn write_i64(out: &mut Vec<u8>, value: i64) {
    out.extend_from_slice(Digits::of(value).as_bytes());
}

/// The shortest text that reads back as `value`, as Redis prints doubles: integral values within half
/// of 64 bits without a fraction, few zeros around the digits, exponents otherwise; `inf`, `-inf` and
/// `nan` by name.
#[must_use]
pub fn double_text(value: f64) -> String {
    if value.is_nan() {
        return "nan".to_owned();
    }
    if value.is_infinite() {
        return if value > 0.0 { "inf" } else { "-inf" }.to_owned();
    }
    if value == 0.0 {
        return if value.is_sign_negative() { "-0" } else { "0" }.to_owned();
    }
    let is_integral = value.fract() == 0.0 && value.abs() <= 4_611_686_018_427_387_904.0;
    let scientific = format!("{value:e}");
    let (mantissa, exponent) = scientific.split_once('e').unwrap_or((&scientific, "0"));
    let exponent: i32 = exponent.parse().unwrap_or(0);
    let digits = mantissa.bytes().filter(u8::is_ascii_digit).count();
    let digits = i32::try_from(digits).unwrap_or(i32::MAX);
    // The power of ten of the last digit.
    let last = exponent - digits + 1;
    let is_plain = if last >= 0 {
        is_integral || exponent < digits + 7
    } else {
        last > -7 || exponent.abs() < 4
    };
    if is_plain && (is_integral || last < 0) {
        return format!("{value}");
    }
    if is_plain {
        let zeros = usize::try_from(last).unwrap_or(0);
        let digits = mantissa.replace('.', "");
        return format!("{digits}{}", "0".repeat(zeros));
    }
    let sign = if exponent < 0 { '-' } else { '+' };
    format!("{mantissa}e{sign}{}", exponent.abs())
}

/// The double that `text` spells, as Redis reads scores and increments: decimal, exponent, hex
/// floats are not accepted, `inf` and `infinity` in any case are; NaN and surrounding spaces are not.
#[must_use]
pub fn parse_double(text: &[u8]) -> Option<f64> {
    let text = std::str::from_utf8(text).ok()?;
    let value: f64 = text.parse().ok()?;
    (!value.is_nan()).then_some(value)
}

#[cfg(test)]
mod tests {
    use super::*;
    use proptest::prelude::*;

    #[test]
    fn only_the_canonical_spelling_is_a_number() {
        for text in [
            "",
            "-",
            "-0",
            "01",
            "+1",
            " 1",
            "1 ",
            "1.0",
            "9223372036854775808",
            "0x1",
        ] {
            assert_eq!(parse_i64(text.as_bytes()), None, "{text}");
        }
        for value in [0, 1, -1, 10, i64::MAX, i64::MIN, -1_000_000_007] {
            assert_eq!(parse_i64(value.to_string().as_bytes()), Some(value));
        }
        assert_eq!(parse_u64(b"18446744073709551615"), Some(u64::MAX));
        assert_eq!(parse_u64(b"18446744073709551616"), None);
    }

    #[test]
    fn doubles_print_short() {
        for (value, text) in [
            (3.0, "3"),
            (0.1, "0.1"),
            (-1.5, "-1.5"),
            (1e21, "1e+21"),
            (1e-7, "1e-7"),
            (f64::INFINITY, "inf"),
            (2.5, "2.5"),
        ] {
            assert_eq!(double_text(value), text);
        }
    }

    proptest! {
        #[test]
        fn integers_read_back(value: i64) {
            let digits = Digits::of(value);
            prop_assert_eq!(digits.as_bytes().to_vec(), value.to_string().into_bytes());
            prop_assert_eq!(parse_i64(digits.as_bytes()), Some(value));
        }
    }
}
