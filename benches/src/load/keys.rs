//! Which key a request names: uniform or zipf draws, written as fixed-width digits.
//!
//! Shape: a uniform stream draws on the fly; a zipf stream walks a pool of draws made beforehand,
//! because a power function per request would make the generator the bottleneck.
//! Source: J. Gray et al., "Quickly generating billion-record synthetic databases" (1994).

use std::fmt;
use std::str::FromStr;
use std::sync::Arc;

use rand::rngs::SmallRng;
use rand::{Rng, SeedableRng};

/// Bytes of a key: a four-byte prefix and [`DIGITS`] digits.
pub(crate) const KEY_BYTES: usize = PREFIX_BYTES + DIGITS;
/// Bytes of a key's prefix, `key:` or `cnt:`.
pub(crate) const PREFIX_BYTES: usize = 4;
/// Decimal digits of a key's number.
pub(crate) const DIGITS: usize = 12;

/// Draws kept for a zipf stream: 8 MiB, read in order, so that it stays out of the caches' way.
const POOL_DRAWS: usize = 1 << 21;

/// How keys are chosen.
#[derive(Clone, Copy, Debug, PartialEq)]
pub(crate) enum Distribution {
    /// Every key alike.
    Uniform,
    /// The key of rank r is chosen in proportion to r to the power of minus theta.
    Zipf {
        /// The skew, above 0 and below 1; YCSB's value is 0.99.
        theta: f64,
    },
}

impl fmt::Display for Distribution {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Self::Uniform => f.write_str("uniform"),
            Self::Zipf { theta } => write!(f, "zipf:{theta}"),
        }
    }
}

impl FromStr for Distribution {
    type Err = String;

    fn from_str(text: &str) -> Result<Self, String> {
        let (name, theta) = text.split_once(':').unwrap_or((text, ""));
        match name {
            "uniform" if theta.is_empty() => Ok(Self::Uniform),
            "zipf" => {
                let theta = if theta.is_empty() { "0.99" } else { theta };
                match theta.parse::<f64>() {
                    Ok(theta) if theta > 0.0 && theta < 1.0 => Ok(Self::Zipf { theta }),
                    _ => Err(format!("'{theta}': the skew of zipf lies between 0 and 1")),
                }
            }
            _ => Err(format!("'{text}' is not uniform, zipf or zipf:THETA")),
        }
    }
}

/// An endless stream of key numbers below `keys`.
#[derive(Clone, Debug)]
pub(crate) struct KeyStream {
    keys: u32,
    last: u32,
    source: Source,
}

#[derive(Clone, Debug)]
enum Source {
    Uniform(SmallRng),
    Pool { draws: Arc<[u32]>, at: usize },
}

impl KeyStream {
    /// A stream over `keys` keys (at least one), the same for the same seed.
    pub(crate) fn new(distribution: Distribution, keys: u32, seed: u64) -> Self {
        let keys = keys.max(1);
        let mut rng = SmallRng::seed_from_u64(seed);
        let source = match distribution {
            Distribution::Uniform => Source::Uniform(rng),
            Distribution::Zipf { theta } => {
                let zipf = Zipf::new(keys, theta);
                let stride = coprime_stride(keys);
                let draws = (0..POOL_DRAWS)
                    .map(|_| scatter(zipf.rank(rng.random::<f64>()), stride, keys))
                    .collect();
                Source::Pool { draws, at: 0 }
            }
        };
        Self {
            keys,
            last: 0,
            source,
        }
    }

    /// The next key's number.
    #[inline]
    pub(crate) fn next(&mut self) -> u32 {
        self.last = match &mut self.source {
            Source::Uniform(rng) => scale(rng.random(), self.keys),
            Source::Pool { draws, at } => {
                let draw = draws[*at];
                *at = if *at + 1 == draws.len() { 0 } else { *at + 1 };
                draw
            }
        };
        self.last
    }

    /// The number that was drawn last.
    #[inline]
    pub(crate) fn last(&self) -> u32 {
        self.last
    }

    /// A number below `count`, whatever the number of keys: a field, a member, a score.
    #[inline]
    pub(crate) fn below(&mut self, count: u32) -> u32 {
        self.last = match &mut self.source {
            Source::Uniform(rng) => scale(rng.random(), count),
            Source::Pool { draws, at } => {
                let draw = draws[*at];
                *at = if *at + 1 == draws.len() { 0 } else { *at + 1 };
                draw % count.max(1)
            }
        };
        self.last
    }
}

/// A uniform draw of 32 bits as a number below `count`.
#[inline]
fn scale(draw: u32, count: u32) -> u32 {
    let scaled = (u64::from(draw) * u64::from(count)) >> 32;
    u32::try_from(scaled).expect("a product of two 32-bit numbers shifted by 32")
}

/// Ranks drawn with a closed formula after one sum over all keys.
#[derive(Debug)]
struct Zipf {
    keys: u32,
    zeta: f64,
    second: f64,
    alpha: f64,
    eta: f64,
}

impl Zipf {
    fn new(keys: u32, theta: f64) -> Self {
        let zeta: f64 = (1..=keys).map(|rank| f64::from(rank).powf(-theta)).sum();
        let second = 0.5_f64.powf(theta);
        let eta = (1.0 - (2.0 / f64::from(keys)).powf(1.0 - theta)) / (1.0 - (1.0 + second) / zeta);
        Self {
            keys,
            zeta,
            second,
            alpha: 1.0 / (1.0 - theta),
            eta,
        }
    }

    /// The rank, counted from zero, for one draw from the unit interval.
    fn rank(&self, draw: f64) -> u32 {
        let scaled = draw * self.zeta;
        if scaled < 1.0 || self.keys == 1 {
            return 0;
        }
        if scaled < 1.0 + self.second || self.keys == 2 {
            return 1;
        }
        let rank = f64::from(self.keys) * (self.eta * draw - self.eta + 1.0).powf(self.alpha);
        float_to_index(rank).min(self.keys - 1)
    }
}

#[expect(
    clippy::cast_possible_truncation,
    clippy::cast_sign_loss,
    reason = "a float-to-integer cast saturates, which is what the caller's bound expects"
)]
fn float_to_index(value: f64) -> u32 {
    value as u32
}

/// Spreads neighbouring ranks over the key space, one to one.
fn scatter(rank: u32, stride: u32, keys: u32) -> u32 {
    let product = u64::from(rank) * u64::from(stride) % u64::from(keys);
    u32::try_from(product).expect("a remainder of a 32-bit number")
}

/// A stride near the golden section of `keys` that shares no factor with it.
fn coprime_stride(keys: u32) -> u32 {
    let mut stride = float_to_index(f64::from(keys) * 0.618).max(1);
    while gcd(stride, keys) != 1 {
        stride += 1;
    }
    stride
}

fn gcd(a: u32, b: u32) -> u32 {
    if b == 0 { a } else { gcd(b, a % b) }
}

/// Writes `number` as [`DIGITS`] decimal digits with leading zeros.
///
/// # Panics
/// If `out` is shorter than [`DIGITS`] bytes.
#[inline]
pub(crate) fn write_digits(out: &mut [u8], number: u32) {
    let out = &mut out[..DIGITS];
    let mut rest = number;
    for pair in out.chunks_exact_mut(2).rev() {
        let low = (rest % 100) as usize * 2;
        rest /= 100;
        pair.copy_from_slice(&PAIRS[low..low + 2]);
    }
}

/// The two-digit decimals from 00 to 99, one after the other.
static PAIRS: [u8; 200] = {
    let mut table = [b'0'; 200];
    let mut number: u8 = 0;
    while number < 100 {
        table[number as usize * 2] += number / 10;
        table[number as usize * 2 + 1] += number % 10;
        number += 1;
    }
    table
};

#[cfg(test)]
mod tests {
    use super::*;

    fn counts(distribution: Distribution, keys: u32, draws: usize) -> Vec<usize> {
        let mut stream = KeyStream::new(distribution, keys, 7);
        let mut counts = vec![0; keys as usize];
        for _ in 0..draws {
            counts[stream.next() as usize] += 1;
        }
        counts
    }

    #[test]
    fn digits_have_fixed_width() {
        for (number, text) in [
            (0, "000000000000"),
            (7, "000000000007"),
            (u32::MAX, "004294967295"),
        ] {
            let mut out = [b'x'; 13];
            write_digits(&mut out, number);
            assert_eq!(&out[..12], text.as_bytes());
            assert_eq!(out[12], b'x');
        }
    }

    #[test]
    fn uniform_reaches_every_key_about_equally() {
        let counts = counts(Distribution::Uniform, 100, 100_000);
        assert!(
            counts.iter().all(|&count| (800..1200).contains(&count)),
            "{counts:?}"
        );
    }

    #[test]
    fn zipf_shares_follow_the_power_law() {
        let mut counts = counts(Distribution::Zipf { theta: 0.99 }, 1000, 400_000);
        counts.sort_unstable_by(|a, b| b.cmp(a));
        let zeta: f64 = (1..=1000).map(|rank| f64::from(rank).powf(-0.99)).sum();
        let hottest = counts[0] as f64 / 400_000.0;
        assert!(
            (hottest - 1.0 / zeta).abs() < 0.01,
            "{hottest} against {}",
            1.0 / zeta
        );
        let tenth = counts[..100].iter().sum::<usize>() as f64 / 400_000.0;
        let expected = (1..=100)
            .map(|rank| f64::from(rank).powf(-0.99))
            .sum::<f64>()
            / zeta;
        assert!(
            (tenth - expected).abs() < 0.03,
            "{tenth} against {expected}"
        );
    }

    #[test]
    fn zipf_over_one_or_two_keys_stays_in_range() {
        for keys in [1, 2, 3] {
            let mut stream = KeyStream::new(Distribution::Zipf { theta: 0.5 }, keys, 1);
            assert!((0..1000).all(|_| stream.next() < keys));
        }
    }

    #[test]
    fn scattering_is_one_to_one() {
        for keys in [1_u32, 2, 10, 97, 1000] {
            let stride = coprime_stride(keys);
            let mut seen = vec![false; keys as usize];
            for rank in 0..keys {
                seen[scatter(rank, stride, keys) as usize] = true;
            }
            assert!(seen.into_iter().all(|hit| hit));
        }
    }

    #[test]
    fn same_seed_gives_the_same_stream() {
        let mut a = KeyStream::new(Distribution::Uniform, 1 << 20, 3);
        let mut b = KeyStream::new(Distribution::Uniform, 1 << 20, 3);
        assert!((0..100).all(|_| a.next() == b.next()));
    }

    #[test]
    fn distribution_names_parse_and_print() {
        assert_eq!("zipf".parse(), Ok(Distribution::Zipf { theta: 0.99 }));
        assert_eq!(
            "uniform".parse::<Distribution>().unwrap().to_string(),
            "uniform"
        );
        assert!("zipf:1".parse::<Distribution>().is_err());
        assert!("normal".parse::<Distribution>().is_err());
    }
}
