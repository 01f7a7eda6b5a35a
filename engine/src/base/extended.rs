//! The 80-bit floating-point numbers of INCRBYFLOAT, in software: real servers compute it in the
//! x87 format, and its roundings show in their replies.
//!
//! Shape: a sign, a mantissa of 64 bits and a power of two. A number that is not zero has the top
//! bit of its mantissa set, unless its exponent is the least there is.
//! Invariants: every result is the exact one rounded once, half to even.
//! Cost: a few multiplications for numbers of everyday size; texts of thousands of digits go
//! through long division.
//! Source: the public behaviour of C's `strtold` and `printf("%.17Lf")` on x86-64.

mod wide;

use crate::base::number::parse_i64;
use wide::Wide;

/// Texts of this length or more are no numbers.
const TEXT_BYTES_END: usize = 5120;
/// The exponent of the smallest positive number.
const EXPONENT_MIN: i32 = -16_445;
/// The exponent of the largest numbers, whose mantissas have their top bit set.
const EXPONENT_MAX: i32 = 16_383 - 63;
/// Digits behind the point in a text.
const FRACTION_DIGITS: usize = 17;
/// Decimal magnitudes beyond this in either direction overflow or vanish whatever the digits.
const MAGNITUDE_END: i64 = 5_000;
/// An exponent in a text is not followed further than this.
const EXPONENT_CLAMP: i64 = 1_000_000;

/// A number in the extended format; may be infinite, never NaN.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Extended {
    is_negative: bool,
    mantissa: u64,
    exponent: i32,
}

/// A magnitude that a rounding begins from: `bits` times two to the `exponent`, and perhaps a
/// little more.
#[derive(Clone, Copy, Debug)]
struct Exact {
    bits: u128,
    exponent: i32,
    /// The true value is larger by less than one unit of `bits`.
    has_rest: bool,
}

impl Extended {
    const INFINITE: i32 = i32::MAX;

    /// Zero.
    pub const ZERO: Self = Self {
        is_negative: false,
        mantissa: 0,
        exponent: 0,
    };

    /// The number that `text` spells: decimal or hexadecimal, with or without fraction and
    /// exponent, or `inf` or `infinity` in any case.
    ///
    /// Returns `None` for anything else: spaces, NaN, numbers too large for the format, and
    /// numbers so small that they would become zero.
    #[must_use]
    pub fn parse(text: &[u8]) -> Option<Self> {
        if let Some(number) = parse_i64(text) {
            return Some(Self::from(number));
        }
        if text.len() >= TEXT_BYTES_END {
            return None;
        }
        let (is_negative, body) = match text {
            [b'-', rest @ ..] => (true, rest),
            [b'+', rest @ ..] => (false, rest),
            _ => (false, text),
        };
        let magnitude = match body {
            [b'0', b'x' | b'X', digits @ ..] => hexadecimal(digits)?,
            [b'i' | b'I', ..] => {
                let names: [&[u8]; 2] = [b"inf", b"infinity"];
                let is_named = names.iter().any(|name| body.eq_ignore_ascii_case(name));
                let infinite = Self {
                    is_negative,
                    mantissa: 0,
                    exponent: Self::INFINITE,
                };
                return is_named.then_some(infinite);
            }
            _ => decimal(body)?,
        };
        let Some(magnitude) = magnitude else {
            return Some(Self {
                is_negative,
                ..Self::ZERO
            });
        };
        let number = Self::rounded(is_negative, magnitude)?;
        (number.mantissa != 0).then_some(number)
    }

    /// The sum; `None` unless it is finite.
    #[must_use]
    pub fn plus(self, other: Self) -> Option<Self> {
        if self.exponent == Self::INFINITE || other.exponent == Self::INFINITE {
            return None;
        }
        if other.mantissa == 0 {
            return Some(self);
        }
        if self.mantissa == 0 {
            return Some(other);
        }
        let (high, low) = if self.exponent >= other.exponent {
            (self, other)
        } else {
            (other, self)
        };
        // The mantissas stand as far up as leaves room for a carry; what the lower one loses at
        // its end matters only as being there or not.
        let room = 62;
        let (mut a, mut b) = (
            u128::from(high.mantissa) << room,
            u128::from(low.mantissa) << room,
        );
        let distance = high.exponent.abs_diff(low.exponent);
        let kept = b.checked_shr(distance).unwrap_or(0);
        let has_rest = kept.checked_shl(distance).unwrap_or(0) != b;
        b = kept;
        let exponent = high.exponent - room;
        if self.is_negative == other.is_negative {
            return Self::rounded(
                self.is_negative,
                Exact {
                    bits: a + b,
                    exponent,
                    has_rest,
                },
            );
        }
        let mut is_negative = high.is_negative;
        if a < b {
            std::mem::swap(&mut a, &mut b);
            is_negative = !is_negative;
        }
        if a == b && !has_rest {
            return Some(Self::ZERO);
        }
        // Taking away `b` and a bit more is taking away one more and giving back the rest of it.
        let bits = a - b - u128::from(has_rest);
        Self::rounded(
            is_negative,
            Exact {
                bits,
                exponent,
                has_rest,
            },
        )
    }

    /// How many thousandths it has, as the format multiplies, rounded up; cut off where an integer
    /// ends.
    #[must_use]
    pub fn thousandths(self) -> i64 {
        let product = Exact {
            bits: u128::from(self.mantissa) * 1000,
            exponent: self.exponent,
            has_rest: false,
        };
        let is_finite = self.exponent != Self::INFINITE;
        let product = is_finite.then_some(product);
        let product = product.and_then(|product| Self::rounded(self.is_negative, product));
        let size = product.map_or(u128::MAX, Self::whole);
        let size = i64::try_from(size).unwrap_or(i64::MAX);
        if self.is_negative { -size } else { size }
    }

    /// The size of the integer that is not below it and nearest; cut off where it does not fit.
    fn whole(self) -> u128 {
        let bits = u128::from(self.mantissa);
        if let Ok(places) = u32::try_from(self.exponent) {
            let fits = places <= bits.leading_zeros();
            return if fits { bits << places } else { u128::MAX };
        }
        let places = self.exponent.unsigned_abs();
        let kept = bits.checked_shr(places).unwrap_or(0);
        let is_cut = kept.checked_shl(places).unwrap_or(0) != bits;
        kept + u128::from(is_cut && !self.is_negative)
    }

    /// Appends the number with at most 17 digits behind the point, correctly rounded, and no
    /// zeros at the end.
    pub fn write(self, out: &mut Vec<u8>) {
        if self.exponent == Self::INFINITE {
            out.extend_from_slice(if self.is_negative { b"-inf" } else { b"inf" });
            return;
        }
        let (whole, fraction) = self.decimal_parts();
        let has_fraction = fraction != 0;
        if self.is_negative && (has_fraction || whole != "0") {
            out.push(b'-');
        }
        out.extend_from_slice(whole.as_bytes());
        if has_fraction {
            let digits = format!("{fraction:0FRACTION_DIGITS$}");
            out.push(b'.');
            out.extend_from_slice(digits.trim_end_matches('0').as_bytes());
        }
    }

    /// The digits before the point, and the number of 10^-17 behind it.
    fn decimal_parts(self) -> (String, u64) {
        const UNIT: u128 = 10_u128.pow(17);
        let mantissa = u128::from(self.mantissa);
        if let Ok(shift) = u32::try_from(self.exponent) {
            let whole = if shift <= 64 {
                (mantissa << shift).to_string()
            } else {
                Wide::from(self.mantissa).shifted_left(shift).to_decimal()
            };
            return (whole, 0);
        }
        let shift = self.exponent.unsigned_abs();
        let scaled = shift_rounding(mantissa * UNIT, shift, false);
        let fraction = u64::try_from(scaled % UNIT).expect("a remainder is below 10^17");
        ((scaled / UNIT).to_string(), fraction)
    }

    /// The number nearest to a magnitude; `None` when that is too large.
    fn rounded(is_negative: bool, exact: Exact) -> Option<Self> {
        if exact.bits == 0 {
            return Some(Self {
                is_negative,
                ..Self::ZERO
            });
        }
        let used = i32::try_from(128 - exact.bits.leading_zeros()).expect("at most 128");
        let exponent = (exact.exponent + used - 64).max(EXPONENT_MIN);
        let shift = exponent - exact.exponent;
        let kept = match u32::try_from(shift) {
            Ok(shift) => shift_rounding(exact.bits, shift, exact.has_rest),
            Err(_) => exact.bits << shift.unsigned_abs(),
        };
        let (mantissa, exponent) = match u64::try_from(kept) {
            Ok(mantissa) => (mantissa, exponent),
            Err(_) => (1 << 63, exponent + 1),
        };
        (exponent <= EXPONENT_MAX).then_some(Self {
            is_negative,
            mantissa,
            exponent,
        })
    }
}

impl From<i64> for Extended {
    fn from(value: i64) -> Self {
        let exact = Exact {
            bits: value.unsigned_abs().into(),
            exponent: 0,
            has_rest: false,
        };
        Self::rounded(value < 0, exact).expect("64 bits fit the mantissa")
    }
}

/// `bits` shifted to the right, rounded half to even; with `has_rest` the true value is a little
/// more than `bits`.
fn shift_rounding(bits: u128, shift: u32, has_rest: bool) -> u128 {
    if shift == 0 {
        return bits;
    }
    let Some(kept) = bits.checked_shr(shift) else {
        // Half of a unit is 2^127 only when the shift is 128; anything further is less than half.
        return u128::from(shift == 128 && (bits > 1 << 127 || (bits == 1 << 127 && has_rest)));
    };
    let lost = bits - (kept << shift);
    let half = 1_u128 << (shift - 1);
    let is_up = match lost.cmp(&half) {
        std::cmp::Ordering::Less => false,
        std::cmp::Ordering::Greater => true,
        std::cmp::Ordering::Equal => has_rest || kept % 2 == 1,
    };
    kept + u128::from(is_up)
}

/// A text's significant digits as one integer, and the power of its base that it is to be
/// multiplied with.
struct Digits<'a> {
    /// All digits with leading zeros cut, a point among them perhaps.
    significant: &'a [u8],
    count: usize,
    scale: i64,
}

/// Takes `text` apart: digits of which `is_digit` knows, at most one point, and behind `marker` a
/// decimal exponent. `None` when it is anything else.
fn take_apart(text: &[u8], is_digit: fn(&u8) -> bool, marker: u8) -> Option<(Digits<'_>, i64)> {
    let end = text
        .iter()
        .position(|byte| byte.eq_ignore_ascii_case(&marker));
    let (digits, exponent) = match end {
        None => (text, 0),
        Some(end) => (&text[..end], exponent_of(&text[end + 1..])?),
    };
    let point = digits.iter().position(|byte| *byte == b'.');
    let mut seen = 0;
    for (at, byte) in digits.iter().enumerate() {
        if is_digit(byte) {
            seen += 1;
        } else if point != Some(at) {
            return None;
        }
    }
    if seen == 0 {
        return None;
    }
    let start = digits.iter().position(|byte| !matches!(byte, b'0' | b'.'));
    let significant = &digits[start.unwrap_or(digits.len())..];
    let count = significant.iter().filter(|byte| **byte != b'.').count();
    let behind = point.map_or(0, |point| digits.len() - point - 1);
    let scale = -i64::try_from(behind).ok()?;
    Some((
        Digits {
            significant,
            count,
            scale,
        },
        exponent,
    ))
}

/// The exponent that `text` spells, cut off where it makes no difference any more.
fn exponent_of(text: &[u8]) -> Option<i64> {
    let (sign, digits) = match text {
        [b'-', rest @ ..] => (-1, rest),
        [b'+', rest @ ..] => (1, rest),
        _ => (1, text),
    };
    if digits.is_empty() {
        return None;
    }
    let value = digits.iter().try_fold(0_i64, |value, byte| {
        byte.is_ascii_digit()
            .then(|| (value * 10 + i64::from(byte - b'0')).min(EXPONENT_CLAMP))
    })?;
    Some(sign * value)
}

/// What `decimal` and `hexadecimal` find: no number, zero (`Some(None)`), or a magnitude.
type Magnitude = Option<Option<Exact>>;

fn decimal(text: &[u8]) -> Magnitude {
    let (digits, exponent) = take_apart(text, u8::is_ascii_digit, b'e')?;
    if digits.count == 0 {
        return Some(None);
    }
    let scale = digits.scale + exponent;
    let magnitude = i64::try_from(digits.count).ok()? + scale;
    if magnitude.abs() > MAGNITUDE_END {
        return None;
    }
    let scale = i32::try_from(scale).ok()?;
    Some(Some(
        small_decimal(&digits, scale).unwrap_or_else(|| wide_decimal(&digits, scale)),
    ))
}

/// The magnitude of a decimal whose parts fit machine words.
fn small_decimal(digits: &Digits<'_>, scale: i32) -> Option<Exact> {
    const DIGITS_MAX: usize = 19;
    if digits.count > DIGITS_MAX {
        return None;
    }
    let value = fold_digits(digits.significant, 0);
    let power = 10_u64.checked_pow(scale.unsigned_abs())?;
    if scale >= 0 {
        let bits = u128::from(value) * u128::from(power);
        return Some(Exact {
            bits,
            exponent: 0,
            has_rest: false,
        });
    }
    // The dividend has its top bit set and the divisor less than 64 bits, so that the quotient,
    // two bits further, has at least 66.
    let up = value.leading_zeros() + 64;
    let (dividend, divisor) = (u128::from(value) << up, u128::from(power));
    let rest = (dividend % divisor) * 4;
    let bits = (dividend / divisor) * 4 + rest / divisor;
    let exponent = -i32::try_from(up + 2).ok()?;
    Some(Exact {
        bits,
        exponent,
        has_rest: rest % divisor != 0,
    })
}

/// Decimal digits, points among them passed over, behind those of `value`.
fn fold_digits(digits: &[u8], value: u64) -> u64 {
    let digits = digits.iter().filter(|byte| **byte != b'.');
    digits.fold(value, |value, byte| value * 10 + u64::from(byte - b'0'))
}

/// The magnitude of any decimal.
fn wide_decimal(digits: &Digits<'_>, scale: i32) -> Exact {
    let mut value = Wide::from(0);
    for byte in digits.significant.iter().filter(|byte| **byte != b'.') {
        value.multiply_add(10, u64::from(byte - b'0'));
    }
    if scale >= 0 {
        for _ in 0..scale {
            value.multiply_add(10, 0);
        }
        return value.top();
    }
    let mut divisor = Wide::from(1);
    for _ in 0..scale.unsigned_abs() {
        divisor.multiply_add(10, 0);
    }
    wide::quotient(value, divisor)
}

fn hexadecimal(text: &[u8]) -> Magnitude {
    let (digits, exponent) = take_apart(text, u8::is_ascii_hexdigit, b'p')?;
    if digits.count == 0 {
        return Some(None);
    }
    let mut bits = 0_u128;
    let mut dropped = 0_i64;
    let mut has_rest = false;
    for byte in digits.significant.iter().filter(|byte| **byte != b'.') {
        let digit = char::from(*byte).to_digit(16).unwrap_or(0);
        if bits >> 124 == 0 {
            bits = bits << 4 | u128::from(digit);
        } else {
            dropped += 1;
            has_rest |= digit != 0;
        }
    }
    let exponent = exponent + (digits.scale + dropped) * 4;
    let exponent = i32::try_from(exponent).ok()?;
    Some(Some(Exact {
        bits,
        exponent,
        has_rest,
    }))
}

#[cfg(test)]
mod tests;
