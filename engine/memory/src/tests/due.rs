//! The index by deadline: everything that is due is removed, nothing else, and no item piles up.

use std::collections::BTreeMap;

use proptest::prelude::*;

use super::{hash, key, mixed, new_store, put, remove};
use crate::{Due, Store};

/// Removes what is due at `now` in slices of `budget` steps and returns the keys in order.
fn reap(store: &mut Store<()>, now: u64, budget: u32) -> Vec<(Vec<u8>, u64)> {
    let mut removed = Vec::new();
    loop {
        let mut steps = budget;
        loop {
            let due = store.remove_due(now, &mut steps, &mut |entry| {
                removed.push((entry.key().to_vec(), entry.deadline().unwrap()));
            });
            match due {
                Due::Removed(_) => {}
                Due::Nothing => return removed,
                Due::OutOfSteps => break,
            }
        }
    }
}

fn set(store: &mut Store<()>, n: usize, deadline: Option<u64>) -> bool {
    let key = key(n);
    let entry = store.find_mut(hash(&key), &key);
    let found = entry.map(|mut entry| entry.set_deadline(deadline));
    found.is_some()
}

#[derive(Clone, Debug)]
enum Act {
    Put(usize, Option<u64>),
    Set(usize, Option<u64>),
    Remove(usize),
    Reap(u64),
    Nearest,
}

fn act() -> impl Strategy<Value = Act> {
    let moment = || prop_oneof![0_u64..100, 0_u64..1 << 20, 0_u64..1 << 45];
    let number = || 0_usize..60;
    prop_oneof![
        4 => (number(), prop::option::of(moment())).prop_map(|(n, at)| Act::Put(n, at)),
        6 => (number(), prop::option::of(moment())).prop_map(|(n, at)| Act::Set(n, at)),
        2 => number().prop_map(Act::Remove),
        2 => moment().prop_map(Act::Reap),
        1 => Just(Act::Nearest),
    ]
}

proptest! {
    #![proptest_config(ProptestConfig::with_cases(256))]

    #[test]
    fn what_is_due_goes_and_nothing_else(
        acts in prop::collection::vec(act(), 0..300),
        budget in 1_u32..200,
    ) {
        let mut store = new_store::<()>();
        let mut model: BTreeMap<usize, Option<u64>> = BTreeMap::new();
        for act in acts {
            match act {
                Act::Put(n, at) => {
                    if model.contains_key(&n) {
                        remove(&mut store, n);
                    }
                    put(&mut store, n, at);
                    model.insert(n, at);
                }
                Act::Set(n, at) => {
                    prop_assert_eq!(set(&mut store, n, at), model.contains_key(&n));
                    model.entry(n).and_modify(|deadline| *deadline = at);
                }
                Act::Remove(n) => {
                    if model.remove(&n).is_some() {
                        remove(&mut store, n);
                    }
                }
                Act::Reap(now) => {
                    let removed = reap(&mut store, now, budget);
                    let is_due = |at: &Option<u64>| at.is_some_and(|at| at <= now);
                    let due = model.values().filter(|at| is_due(at)).count();
                    prop_assert_eq!(removed.len(), due);
                    prop_assert!(removed.iter().all(|(_, at)| *at <= now));
                    model.retain(|_, at| !is_due(at));
                }
                Act::Nearest => {
                    let nearest = store.nearest_deadline(&mut 100_000);
                    let nearest = nearest.and_then(|entry| entry.deadline());
                    prop_assert_eq!(nearest, model.values().flatten().min().copied());
                }
            }
            prop_assert!(store.deadlines_from() <= model.values().flatten().min().copied()
                || model.values().flatten().next().is_none());
            let with_deadline = model.values().flatten().count();
            prop_assert_eq!(store.with_deadline(), with_deadline);
            store.check();
        }
    }
}

#[test]
fn entries_go_in_the_order_of_their_deadlines() {
    let mut store = new_store::<()>();
    for n in 0..5000 {
        put(&mut store, n, Some(mixed(n as u64) >> 40));
    }
    let moments: Vec<u64> = (0..1 << 24).step_by(1 << 18).collect();
    for now in moments {
        let removed = reap(&mut store, now, 64);
        assert!(removed.iter().all(|(_, at)| *at + (1 << 18) > now));
    }
}

#[test]
fn a_key_whose_deadline_is_moved_on_and_on_has_one_item() {
    let mut store = new_store::<()>();
    (0..1000).for_each(|n| put(&mut store, n, Some(1_000_000)));
    let before = store.deadlines_memory();
    for round in 0..1000 {
        (0..1000).for_each(|n| assert!(set(&mut store, n, Some(1_000_000 + round))));
    }
    assert_eq!(store.deadlines_memory(), before);
}

#[test]
fn items_that_are_worth_nothing_do_not_pile_up() {
    let mut store = new_store::<()>();
    (0..10_000).for_each(|n| put(&mut store, n, Some(1_000_000_000)));
    let before = store.deadlines_memory();
    for round in 0..60 {
        // There and back: each way back adds an item.
        for n in 0..10_000 {
            assert!(set(&mut store, n, Some(2_000_000_000)));
            assert!(set(&mut store, n, Some(1_000_000_000 - round)));
        }
    }
    assert!(store.deadlines_memory() < 5 * before);
    (0..10_000).for_each(|n| remove(&mut store, n));
    assert!(reap(&mut store, 0, 1000).is_empty());
    assert!(store.deadlines_memory() < before);
    store.check();
}

#[test]
fn draws_find_those_with_a_deadline() {
    let mut store = new_store::<()>();
    for n in 0..10_000 {
        put(&mut store, n, (n % 100 == 0).then_some(77 + n as u64));
    }
    let mut seen = BTreeMap::new();
    for random in 0..20_000 {
        let entry = store.sample_with_deadline(mixed(random)).unwrap();
        assert!(entry.deadline().is_some());
        *seen.entry(entry.key().to_vec()).or_insert(0) += 1;
    }
    assert_eq!(seen.len(), 100);
    assert!(seen.values().all(|&times| times > 20));
}

#[test]
fn a_slice_of_few_steps_removes_few() {
    let mut store = new_store::<()>();
    (0..10_000).for_each(|n| put(&mut store, n, Some(5)));
    let (mut steps, mut removed) = (100, 0);
    while let Due::Removed(_) = store.remove_due(9, &mut steps, &mut |_| {}) {
        removed += 1;
    }
    assert!((1..=100).contains(&removed), "{removed} removed");
}
