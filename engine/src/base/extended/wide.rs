//! Integers of thousands of bits, as far as reading and printing extended floats needs them.

use super::Exact;
use std::cmp::Ordering;

/// A non-negative integer; 64-bit limbs, the lowest first, no zero limb at the top.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(super) struct Wide(Vec<u64>);

impl From<u64> for Wide {
    fn from(value: u64) -> Self {
        Self(if value == 0 { Vec::new() } else { vec![value] })
    }
}

impl Wide {
    /// Multiplies by `factor` and adds `addend`.
    pub(super) fn multiply_add(&mut self, factor: u64, addend: u64) {
        let mut carry = addend;
        for limb in &mut self.0 {
            let product = u128::from(*limb) * u128::from(factor) + u128::from(carry);
            (*limb, carry) = halves(product);
        }
        if carry > 0 {
            self.0.push(carry);
        }
    }

    /// The integer times two to the `by`.
    pub(super) fn shifted_left(&self, by: u32) -> Self {
        if self.0.is_empty() {
            return self.clone();
        }
        let (limbs, bits) = ((by / 64) as usize, by % 64);
        let mut shifted = vec![0; limbs];
        let mut carry = 0;
        for limb in &self.0 {
            let (low, high) = halves(u128::from(*limb) << bits);
            shifted.push(low | carry);
            carry = high;
        }
        if carry > 0 {
            shifted.push(carry);
        }
        Self(shifted)
    }

    /// How many bits it has.
    pub(super) fn bit_count(&self) -> u32 {
        let Some(top) = self.0.last() else { return 0 };
        let limbs = u32::try_from(self.0.len()).expect("there are thousands of bits, not billions");
        limbs * 64 - top.leading_zeros()
    }

    /// Its upper 128 bits, and where they stand.
    pub(super) fn top(&self) -> Exact {
        let bits = self.bit_count();
        let Some(below) = bits.checked_sub(128).filter(|below| *below > 0) else {
            let limb = |at: usize| u128::from(self.0.get(at).copied().unwrap_or(0));
            return Exact {
                bits: limb(1) << 64 | limb(0),
                exponent: 0,
                has_rest: false,
            };
        };
        let (limbs, shift) = ((below / 64) as usize, below % 64);
        let limb = |at: usize| u128::from(self.0.get(limbs + at).copied().unwrap_or(0));
        let low = limb(1) << 64 | limb(0);
        let top = if shift == 0 {
            low
        } else {
            low >> shift | limb(2) << (128 - shift)
        };
        let has_rest = self.0[..limbs].iter().any(|limb| *limb != 0)
            || self.0[limbs] & ((1 << shift) - 1) != 0;
        Exact {
            bits: top,
            exponent: exponent_of(below),
            has_rest,
        }
    }

    /// Its decimal digits.
    pub(super) fn to_decimal(&self) -> String {
        const CHUNK: u64 = 10_u64.pow(19);
        let mut rest = self.clone();
        let mut chunks = Vec::new();
        while !rest.0.is_empty() {
            let mut remainder = 0;
            for limb in rest.0.iter_mut().rev() {
                let dividend = u128::from(remainder) << 64 | u128::from(*limb);
                (*limb, _) = halves(dividend / u128::from(CHUNK));
                (remainder, _) = halves(dividend % u128::from(CHUNK));
            }
            rest.trim();
            chunks.push(remainder);
        }
        let mut text = chunks.pop().unwrap_or(0).to_string();
        for chunk in chunks.iter().rev() {
            text.push_str(&format!("{chunk:019}"));
        }
        text
    }

    fn trim(&mut self) {
        while self.0.last() == Some(&0) {
            self.0.pop();
        }
    }

    fn compare(&self, other: &Self) -> Ordering {
        let by_length = self.0.len().cmp(&other.0.len());
        by_length.then_with(|| self.0.iter().rev().cmp(other.0.iter().rev()))
    }

    /// Takes away `other`, which is not larger.
    fn subtract(&mut self, other: &Self) {
        let mut borrow = false;
        for (at, limb) in self.0.iter_mut().enumerate() {
            let (once, under) = limb.overflowing_sub(other.0.get(at).copied().unwrap_or(0));
            let (twice, under_again) = once.overflowing_sub(u64::from(borrow));
            (*limb, borrow) = (twice, under || under_again);
        }
        assert!(!borrow, "what is taken away is not larger");
        self.trim();
    }
}

/// The quotient of two positive integers, to 67 bits or more and what is left over.
pub(super) fn quotient(dividend: Wide, divisor: Wide) -> Exact {
    const STEPS: u32 = 68;
    let (above, below) = (dividend.bit_count(), divisor.bit_count());
    let mut rest = dividend.shifted_left(below.saturating_sub(above));
    let divisor = divisor.shifted_left(above.saturating_sub(below));
    let mut bits = 0_u128;
    for step in 0..STEPS {
        if step > 0 {
            rest.multiply_add(2, 0);
        }
        bits <<= 1;
        if rest.compare(&divisor) != Ordering::Less {
            rest.subtract(&divisor);
            bits |= 1;
        }
    }
    let exponent = exponent_of(above) - exponent_of(below) - exponent_of(STEPS - 1);
    Exact {
        bits,
        exponent,
        has_rest: !rest.0.is_empty(),
    }
}

/// The lower and the upper half.
fn halves(value: u128) -> (u64, u64) {
    let low = u64::try_from(value & u128::from(u64::MAX)).expect("masked to 64 bits");
    let high = u64::try_from(value >> 64).expect("the upper half of 128 bits");
    (low, high)
}

fn exponent_of(bits: u32) -> i32 {
    i32::try_from(bits).expect("there are thousands of bits, not billions")
}
