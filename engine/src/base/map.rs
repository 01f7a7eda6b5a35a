//! Hash tables whose order depends on nothing but the seed that they are given.

use ahash::RandomState;

/// A hash map with a seeded hasher.
#[expect(
    clippy::disallowed_types,
    reason = "this alias is where the seeded hasher is fixed"
)]
pub type Map<K, V> = std::collections::HashMap<K, V, RandomState>;
/// A hash set with a seeded hasher.
#[expect(
    clippy::disallowed_types,
    reason = "this alias is where the seeded hasher is fixed"
)]
pub type Set<K> = std::collections::HashSet<K, RandomState>;

/// The hasher that belongs to `seed`.
#[must_use]
pub fn hasher(seed: u64) -> RandomState {
    let spread = |n: u64| {
        (seed ^ n)
            .wrapping_mul(0x9e37_79b9_7f4a_7c15)
            .rotate_left(29)
            ^ n
    };
    RandomState::with_seeds(spread(1), spread(2), spread(3), spread(4))
}

/// An empty map whose hasher belongs to `seed`.
#[must_use]
pub fn map<K, V>(seed: u64) -> Map<K, V> {
    Map::with_hasher(hasher(seed))
}

/// An empty set whose hasher belongs to `seed`.
#[must_use]
pub fn set<K>(seed: u64) -> Set<K> {
    Set::with_hasher(hasher(seed))
}
