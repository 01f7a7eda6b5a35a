//! Whether policies are worth having: none is worse than chance, and each is good at what it is for.

use super::model::hits;
use super::traces::{drifting, pairs, scanned, skewed, zipf};

const REASONED: [&str; 7] = [
    "lru",
    "lfu",
    "hyperbolic",
    "exact-lru",
    "sieve",
    "s3fifo",
    "wtinylfu",
];

fn percent(name: &str, capacity: usize, trace: &[u64]) -> f64 {
    let found = u32::try_from(hits(name, capacity, trace)).unwrap();
    f64::from(found) * 100.0 / f64::from(u32::try_from(trace.len()).unwrap())
}

#[test]
fn every_policy_finds_most_of_the_few() {
    for name in REASONED {
        let trace = skewed(20_000, 3);
        let found = percent(name, 150, &trace);
        assert!((60.0..95.0).contains(&found), "{name}: {found:.2}%");
    }
}

#[test]
fn where_some_keys_are_popular_all_are_better_than_chance() {
    let trace = zipf(20_000, 200_000, 1);
    let chance = percent("random", 1000, &trace);
    for name in REASONED {
        let found = percent(name, 1000, &trace);
        assert!(found > chance + 2.0, "{name}: {found:.2}% for {chance:.2}%");
    }
}

#[test]
fn scans_do_not_drive_out_what_is_popular() {
    let trace = scanned(&zipf(20_000, 200_000, 1), 2000, 1000);
    let lru = percent("exact-lru", 1000, &trace);
    for name in ["lfu", "hyperbolic", "sieve", "s3fifo", "wtinylfu"] {
        let found = percent(name, 1000, &trace);
        assert!(found > lru + 2.0, "{name}: {found:.2}% for {lru:.2}%");
    }
}

#[test]
fn keys_that_come_twice_and_never_again_are_there_the_second_time() {
    let trace = pairs(60_000, 200);
    for name in ["lru", "exact-lru", "s3fifo", "wtinylfu"] {
        let found = percent(name, 300, &trace);
        assert!(found > 32.0, "{name}: {found:.2}%");
    }
}

#[test]
fn a_window_grows_where_the_keys_of_late_are_what_counts() {
    let trace = drifting(200_000, 3000, 4);
    let lru = percent("exact-lru", 1000, &trace);
    // Its queue of newcomers is a tenth, come what may.
    let fixed = percent("s3fifo", 1000, &trace);
    let found = percent("wtinylfu", 1000, &trace);
    assert!(
        found > lru - 4.0 && found > fixed + 2.0,
        "{found:.2}% for {lru:.2}% and {fixed:.2}%"
    );
}
