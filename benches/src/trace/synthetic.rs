//! Traces that are made up: known shapes, from a seed.

use std::collections::HashMap;

use rand::rngs::SmallRng;
use rand::{Rng as _, SeedableRng as _};

use super::Trace;
use crate::load::keys::{Distribution, KeyStream};

/// The skew of zipf.
const THETA: f64 = 0.99;
/// Draws of a stream before it comes again.
const FRESH: usize = 1 << 21;
/// `scan`: one part of so many of all requests are scans.
const SCAN_SHARE: usize = 4;
/// `scan`: a scan reads one part of so many of the keys that are never read otherwise.
const SCAN_PARTS: u32 = 20;
/// `shift`: so many places one after the other.
const PLACES: usize = 20;
/// `shift`: the hot place has one part of so many of all keys.
const HOT_PART: u32 = 50;
/// `shift`: the part of the requests that go there.
const HOT_SHARE: f64 = 0.9;

/// What can be made.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum Shape {
    /// The key of rank r in proportion to 1 / r^0.99.
    Zipf,
    /// The same; every fourth request belongs to a scan of a twentieth of as many other keys.
    Scan,
    /// Nine of ten requests go to a fiftieth of the keys, which is another one each twentieth of the
    /// time.
    Shift,
}

impl Shape {
    /// All of them.
    pub(crate) const ALL: [Self; 3] = [Self::Zipf, Self::Scan, Self::Shift];

    /// Its name as a trace.
    pub(crate) fn name(self) -> &'static str {
        match self {
            Self::Zipf => "zipf",
            Self::Scan => "scan",
            Self::Shift => "shift",
        }
    }
}

/// How large they are.
#[derive(Clone, Copy, Debug)]
pub(crate) struct Synthetic {
    /// Keys to choose from.
    pub(crate) keys: u32,
    /// Requests.
    pub(crate) requests: usize,
    /// Decides every choice.
    pub(crate) seed: u64,
}

impl Default for Synthetic {
    fn default() -> Self {
        Self {
            keys: 100_000,
            requests: 1_000_000,
            seed: 1,
        }
    }
}

impl Synthetic {
    /// Makes one; objects have no sizes.
    pub(crate) fn make(&self, shape: Shape) -> Trace {
        let keys = match shape {
            Shape::Zipf => self.zipf(self.requests),
            Shape::Scan => self.scan(),
            Shape::Shift => self.shift(),
        };
        dense(shape.name(), keys)
    }

    fn zipf(&self, requests: usize) -> Vec<u32> {
        let distribution = Distribution::Zipf { theta: THETA };
        let mut keys = Vec::with_capacity(requests);
        let mut seed = self.seed;
        while keys.len() < requests {
            let mut stream = KeyStream::new(distribution, self.keys, seed);
            let more = (requests - keys.len()).min(FRESH);
            keys.extend((0..more).map(|_| stream.next()));
            seed = seed.wrapping_add(1 << 32);
        }
        keys
    }

    fn scan(&self) -> Vec<u32> {
        let length = (self.keys / SCAN_PARTS).max(1);
        // Between two scans come as many requests as keep their share.
        let between = length as usize * (SCAN_SHARE - 1);
        let popular = self.zipf(self.requests - self.requests / SCAN_SHARE);
        let (mut keys, mut next) = (Vec::with_capacity(self.requests), 0);
        for piece in popular.chunks(between) {
            keys.extend_from_slice(piece);
            for _ in 0..length {
                keys.push(self.keys + next);
                next = (next + 1) % self.keys;
            }
        }
        keys.truncate(self.requests);
        keys
    }

    fn shift(&self) -> Vec<u32> {
        let mut rng = SmallRng::seed_from_u64(self.seed);
        let hot = (self.keys / HOT_PART).max(1);
        let stay = self.requests.div_ceil(PLACES).max(1);
        let mut place = 0;
        let draw = |at: usize| {
            if at.is_multiple_of(stay) {
                place = rng.random_range(0..self.keys);
            }
            if rng.random_bool(HOT_SHARE) {
                (place + rng.random_range(0..hot)) % self.keys
            } else {
                rng.random_range(0..self.keys)
            }
        };
        (0..self.requests).map(draw).collect()
    }
}

/// The trace of these keys, numbered in the order of first appearance.
fn dense(name: &str, keys: Vec<u32>) -> Trace {
    let mut numbers = HashMap::new();
    let number = |key| {
        let next = u32::try_from(numbers.len()).unwrap_or(u32::MAX);
        *numbers.entry(key).or_insert(next)
    };
    let keys = keys.into_iter().map(number).collect();
    Trace {
        name: name.to_owned(),
        keys,
        sizes: vec![1; numbers.len()],
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn small(shape: Shape) -> Trace {
        let synthetic = Synthetic {
            keys: 1_000,
            requests: 20_000,
            seed: 7,
        };
        synthetic.make(shape)
    }

    #[test]
    fn shapes_are_traces_like_those_in_files() {
        for shape in Shape::ALL {
            let trace = small(shape);
            assert_eq!(trace.keys.len(), 20_000);
            let bytes = super::super::format::written(&trace);
            let read = super::super::format::parse(&trace.name, &mut bytes.as_slice());
            assert_eq!(read.as_ref(), Ok(&trace));
            assert_eq!(small(shape), trace, "the same seed, the same trace");
        }
    }

    #[test]
    fn scans_are_a_quarter_of_keys_of_their_own() {
        let (plain, scanned) = (small(Shape::Zipf), small(Shape::Scan));
        assert!(scanned.distinct() > plain.distinct() + 900);
    }

    #[test]
    fn hotspot_moves() {
        let trace = small(Shape::Shift);
        let counts = |part: &[u32]| {
            let mut counts = vec![0; trace.distinct()];
            part.iter().for_each(|&key| counts[key as usize] += 1);
            counts
        };
        let first = counts(&trace.keys[..1_000]);
        let later = counts(&trace.keys[1_000..2_000]);
        let hot = |counts: &[i32]| counts.iter().filter(|&&count| count > 15).count();
        assert!((15..=20).contains(&hot(&first)) && hot(&later) >= 15);
        let both = first
            .iter()
            .zip(&later)
            .filter(|(a, b)| **a > 15 && **b > 15);
        assert!(both.count() < 15);
    }
}
