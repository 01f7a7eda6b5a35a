//! Accesses in the ways in which caches are used, from seeds.

use rand::rngs::SmallRng;
use rand::{Rng, SeedableRng};

/// Some keys far more often than others.
pub(super) fn skewed(len: usize, seed: u64) -> Vec<u64> {
    let mut random = SmallRng::seed_from_u64(seed);
    (0..len)
        .map(|_| {
            let most = random.random_range(0..300);
            random.random_range(0..=most)
        })
        .collect()
}

/// The nth of so many keys is asked for in proportion to `1/n`.
pub(super) fn zipf(keys: u64, len: usize, seed: u64) -> Vec<u64> {
    let mut random = SmallRng::seed_from_u64(seed);
    let mut sum = 0.0;
    let sums: Vec<f64> = (1..=u32::try_from(keys).unwrap())
        .map(|nth| {
            sum += 1.0 / f64::from(nth);
            sum
        })
        .collect();
    (0..len)
        .map(|_| {
            let drawn = random.random_range(0.0..sum);
            let nth = sums.partition_point(|&sum| sum <= drawn) as u64;
            // Neighbours in frequency are not neighbours in name.
            nth * 7919 % keys
        })
        .collect()
}

/// Every second key is new; the others were new so many accesses ago, and never come again.
pub(super) fn pairs(len: usize, apart: usize) -> Vec<u64> {
    let mut trace = Vec::with_capacity(len);
    let mut next = 0;
    while trace.len() < len {
        // One that comes once, one that comes for the first time, one for the second.
        trace.extend([next, next + 1]);
        let earlier = 3 * (apart / 3);
        if trace.len() > earlier {
            trace.push(trace[trace.len() - earlier]);
        }
        next += 2;
    }
    trace
}

/// Mostly the keys of late, which drift on.
pub(super) fn drifting(len: usize, width: u64, seed: u64) -> Vec<u64> {
    let mut random = SmallRng::seed_from_u64(seed);
    (0..len as u64)
        .map(|nth| nth / 8 + random.random_range(0..=random.clone().random_range(0..width)))
        .collect()
}

/// A trace with walks through keys that nobody else asks for: so many of them after each so many.
pub(super) fn scanned(trace: &[u64], every: usize, walk: u64) -> Vec<u64> {
    let mut all = Vec::new();
    let mut next = 1 << 40;
    for part in trace.chunks(every) {
        all.extend_from_slice(part);
        all.extend(next..next + walk);
        next += walk;
    }
    all
}
