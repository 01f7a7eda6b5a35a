//! The rules of the seam, one case each.

use super::model::Rig;
use super::traces;
use dovetail_engine::seam::eviction::Scope;
use rand::rngs::SmallRng;
use rand::{Rng, SeedableRng};
use std::collections::HashSet;

/// Looks that a victim may cost on average, and those that each hit may add: who was used goes round.
const LOOKS_PER_VICTIM: u64 = 16;
const LOOKS_PER_HIT: u64 = 4;
/// Looks for whatever is done once.
const LOOKS_BESIDE: u64 = 4096;

fn filled(name: &str, keys: u64) -> Rig {
    let mut rig = Rig::new(name);
    (0..keys).for_each(|id| rig.insert(id));
    rig
}

fn assert_few_looks(rig: &Rig, victims: u64, hits: u64) {
    let most = victims * LOOKS_PER_VICTIM + hits * LOOKS_PER_HIT + LOOKS_BESIDE;
    assert!(
        rig.looks <= most,
        "{} looks for {victims} victims after {hits} hits",
        rig.looks
    );
}

pub(super) fn nobody_is_there_exactly_when_all_have_gone(name: &str) {
    let mut rig = Rig::new(name);
    assert_eq!(rig.evict(), None);
    (0..500).for_each(|id| rig.insert(id));
    let gone: HashSet<u64> = rig.drain().into_iter().collect();
    assert_eq!(gone.len(), 500);
    rig.insert(7);
    assert_eq!(rig.drain(), [7]);
}

pub(super) fn who_is_named_and_stays_must_enter_again(name: &str) {
    let mut rig = filled(name, 300);
    if !rig.row.enters {
        // Nothing is remembered of those that are named.
        return;
    }
    let named: HashSet<u64> = (0..300).filter_map(|_| rig.pick()).collect();
    assert_eq!(named.len(), 300, "nobody was named twice");
    (0..20).for_each(|id| rig.enter(id));
    let again: HashSet<u64> = (0..20).filter_map(|_| rig.pick()).collect();
    assert_eq!(again, (0..20).collect());
}

pub(super) fn looks_are_bounded_where_all_keys_are_hot(name: &str) {
    const KEYS: u64 = 2000;
    const USES: u64 = 20;
    let mut rig = filled(name, KEYS);
    for _ in 0..USES {
        (0..KEYS).for_each(|id| assert!(rig.hit(id)));
    }
    rig.evict();
    assert_few_looks(&rig, 1, KEYS);
    assert_eq!(rig.drain().len() as u64, KEYS - 1);
    // Of many uses since a key was looked at the first few count.
    assert_few_looks(&rig, KEYS, KEYS);
}

pub(super) fn looks_are_bounded_where_hot_keys_stay_hot(name: &str) {
    const KEYS: u64 = 1000;
    let mut rig = filled(name, KEYS);
    let mut random = SmallRng::seed_from_u64(3);
    let (mut hits, mut next) = (0, KEYS);
    for _ in 0..3 * KEYS {
        for _ in 0..10 {
            hits += u64::from(rig.hit(random.random_range(0..next)));
        }
        rig.evict();
        rig.insert(next);
        next += 1;
    }
    assert_few_looks(&rig, 3 * KEYS, hits);
}

pub(super) fn small_steps_name_the_same_as_large_ones(name: &str) {
    let trace = traces::skewed(4000, 11);
    let all = [1, 7, 1000].map(|steps| {
        let mut rig = Rig::new(name);
        rig.steps = steps;
        let mut gone = Vec::new();
        for &id in &trace {
            rig.access(id, 60, &mut gone);
        }
        gone.extend(rig.drain());
        gone
    });
    assert!(all[0].len() > 500);
    assert_eq!(all[0], all[2]);
    assert_eq!(all[1], all[2]);
}

/// Random comings and goings of all kinds; what is in scope in the end can all be named, once.
fn disordered(name: &str, scope: Scope, sharers: u64, seed: u64) {
    const NAMES: u64 = 400;
    let mut rig = Rig::with(name, scope);
    rig.share_names(sharers);
    let mut random = SmallRng::seed_from_u64(seed);
    for _ in 0..20_000 {
        let id = random.random_range(0..NAMES);
        let deadline = random
            .random_bool(0.5)
            .then(|| random.random_range(1..1000));
        match random.random_range(0..10) {
            _ if !rig.cache.holds(id) => {
                let bytes = random.random_range(1..5000);
                rig.insert_with(id, bytes, deadline);
            }
            0 => rig.delete(id),
            1 => rig.set_deadline(id, deadline),
            2 => rig.enter(id),
            3 | 4 => {
                // The rig asserts that who is named is there and in scope.
                rig.evict();
            }
            _ => assert!(rig.hit(id)),
        }
        rig.pass_time(random.random_range(0..100));
    }
    let left: HashSet<u64> = (0..NAMES)
        .filter(|&id| rig.cache.holds(id))
        .filter(|&id| scope == Scope::AllKeys || rig.has_deadline(id))
        .collect();
    let gone: HashSet<u64> = rig.drain().into_iter().collect();
    assert_eq!(gone, left);
}

pub(super) fn who_leaves_by_other_ways_does_no_harm(name: &str) {
    for seed in 1..4 {
        disordered(name, Scope::Volatile, 1, seed);
        if !Rig::new(name).row.volatile_only {
            disordered(name, Scope::AllKeys, 1, seed);
        }
    }
}

pub(super) fn keys_that_share_a_name_all_go(name: &str) {
    for seed in 1..4 {
        disordered(name, Scope::Volatile, 3, seed);
        if !Rig::new(name).row.volatile_only {
            disordered(name, Scope::AllKeys, 2, seed);
        }
    }
}

pub(super) fn entering_twice_is_entering_once(name: &str) {
    let mut rig = filled(name, 300);
    (0..300).step_by(2).for_each(|id| rig.enter(id));
    (0..300).step_by(3).for_each(|id| rig.enter(id));
    let gone = rig.drain();
    assert_eq!(gone.len(), 300);
    assert_eq!(gone.into_iter().collect::<HashSet<_>>().len(), 300);
}

/// Bytes that may be held for a thousand keys, and for words that are never worth forgetting.
const FOR_A_THOUSAND: usize = 128 * 1024;

fn assert_small(rig: &Rig) {
    let memory = rig.policy.memory();
    assert!(memory.sum() < FOR_A_THOUSAND, "{memory:?}");
}

pub(super) fn what_is_held_stays_bounded_while_keys_come_and_go(name: &str) {
    const ALIVE: u64 = 1000;
    let mut rig = filled(name, ALIVE);
    for id in ALIVE..1_000_000 {
        rig.delete(id - ALIVE);
        rig.insert(id);
        if id % 5000 == 0 {
            assert_small(&rig);
        }
    }
    assert_small(&rig);
    assert_eq!(rig.drain().len() as u64, ALIVE);
}

pub(super) fn what_is_held_stays_bounded_while_the_same_keys_come_again(name: &str) {
    const ALIVE: u64 = 1000;
    let mut rig = filled(name, ALIVE);
    let mut random = SmallRng::seed_from_u64(5);
    for turn in 0..300_000 {
        let id = random.random_range(0..ALIVE);
        // Some of the hot ones are looked at, and go round.
        rig.hit(random.random_range(0..ALIVE));
        rig.delete(id);
        rig.insert(id);
        if turn % 100 == 0 {
            let gone = rig.evict().unwrap();
            rig.insert(gone);
        }
        if turn % 5000 == 0 {
            assert_small(&rig);
        }
    }
    assert_small(&rig);
    assert_eq!(rig.drain().len() as u64, ALIVE);
}

pub(super) fn what_was_held_is_given_back_though_nobody_comes(name: &str) {
    const ALIVE: u64 = 1000;
    const KEYS: u64 = 100 * ALIVE;
    let mut rig = filled(name, KEYS);
    for id in KEYS..2 * KEYS {
        rig.evict();
        rig.insert(id);
    }
    let left: Vec<u64> = (0..2 * KEYS).filter(|&id| rig.cache.holds(id)).collect();
    let (gone, alive) = left.split_at((KEYS - ALIVE).try_into().unwrap());
    gone.iter().for_each(|&id| rig.delete(id));
    for _ in 0..1000 {
        rig.tidy(1000);
    }
    // Tables keep to their size while that is a few times too large.
    let held = rig.policy.memory().sum();
    assert!(held < 2 * FOR_A_THOUSAND, "{held} bytes");
    assert_eq!(rig.drain().len(), alive.len());
}

/// For each key that is there a policy may hold a word beside its mark, and as much for ghosts and
/// counts. Lists grow by blocks, of which some are not full, and a table is made a quarter or a half
/// larger than is needed: the factor for the one, in percent.
const WORD: usize = 8;
const GROWTH_PERCENT: usize = 125;

pub(super) fn a_key_costs_a_word_and_what_is_remembered_another(name: &str) {
    const KEYS: usize = 20_000;
    let mut rig = Rig::new(name);
    let trace = traces::zipf(200_000, 400_000, 2);
    let mut gone = Vec::new();
    for &id in &trace {
        rig.access(id, KEYS, &mut gone);
    }
    assert!(gone.len() > 2 * KEYS, "{} went", gone.len());
    let memory = rig.policy.memory();
    assert!(
        memory.residents <= KEYS * WORD * GROWTH_PERCENT / 100,
        "{memory:?}"
    );
    assert!(memory.ghosts + memory.sketch <= KEYS * WORD, "{memory:?}");
}
