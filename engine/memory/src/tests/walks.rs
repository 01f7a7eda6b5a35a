//! Scanning, sampling, draining.

use std::cell::Cell;
use std::collections::BTreeSet;
use std::rc::Rc;

use proptest::prelude::*;

use super::{Counted, CountedPages, hash, key, mixed, new_store, put, remove};
use crate::{EntryRef, NewBody, Store};

const CURSOR_END: u64 = 1 << 53;

fn number(entry: &EntryRef<'_, ()>) -> usize {
    match entry.body() {
        crate::Body::Int(int) => usize::try_from(int).unwrap(),
        other => panic!("not a number: {other:?}"),
    }
}

#[derive(Clone, Copy, Debug)]
enum Act {
    Grow(usize),
    Shrink(usize),
    Steps(usize),
}

fn act() -> impl Strategy<Value = Act> {
    prop_oneof![
        (0_usize..3000).prop_map(Act::Grow),
        (0_usize..4000).prop_map(Act::Shrink),
        (1_usize..200).prop_map(Act::Steps),
    ]
}

proptest! {
    #![proptest_config(ProptestConfig::with_cases(96))]

    #[test]
    fn a_scan_meets_every_entry_that_stays(
        stable in 1_usize..400,
        before in 0_usize..4000,
        acts in prop::collection::vec(act(), 0..20),
    ) {
        let mut store = new_store::<()>();
        let mut passing = stable..stable + before;
        (0..passing.end).for_each(|n| put(&mut store, n, None));
        let mut seen = BTreeSet::new();
        let mut cursor = 0;
        let mut is_done = false;
        for act in acts.into_iter().chain([Act::Steps(usize::MAX)]) {
            match act {
                Act::Grow(count) => {
                    (passing.end..passing.end + count).for_each(|n| put(&mut store, n, None));
                    passing.end += count;
                }
                Act::Shrink(count) => {
                    let count = count.min(passing.len());
                    (passing.start..passing.start + count).for_each(|n| remove(&mut store, n));
                    passing.start += count;
                }
                Act::Steps(count) => {
                    for _ in 0..count {
                        if is_done {
                            break;
                        }
                        cursor = store.scan(cursor, &mut |entry| {
                            seen.insert(number(&entry));
                        });
                        prop_assert!(cursor < CURSOR_END);
                        is_done = cursor == 0;
                    }
                }
            }
        }
        prop_assert!((0..stable).all(|n| seen.contains(&n)));
        store.check();
    }

    #[test]
    fn a_strange_cursor_is_harmless(
        keys in 0_usize..3000,
        cursors in prop::collection::vec(any::<u64>(), 20),
    ) {
        let mut store = new_store::<()>();
        (0..keys).for_each(|n| put(&mut store, n, Some(n as u64)));
        for strange in cursors {
            let mut cursor = store.scan(strange, &mut |_| {});
            let mut calls = 0;
            while cursor != 0 {
                cursor = store.scan(cursor, &mut |_| {});
                calls += 1;
                prop_assert!(calls < 1_000_000);
            }
        }
    }
}

#[test]
fn a_quiet_scan_meets_every_entry_once() {
    let mut store = new_store::<()>();
    for n in 0..50_000 {
        put(&mut store, n, None);
    }
    let mut seen = vec![0; 50_000];
    let mut cursor = 0;
    loop {
        let mut batch = 0;
        cursor = store.scan(cursor, &mut |entry| {
            seen[number(&entry)] += 1;
            batch += 1;
        });
        assert!(batch <= 42, "one home bucket at a time");
        if cursor == 0 {
            break;
        }
    }
    assert!(seen.iter().all(|&times| times == 1));
}

#[test]
fn samples_are_spread_over_all_entries() {
    let mut store = new_store::<()>();
    assert!(store.sample(1).is_none());
    for n in 0..3000 {
        put(&mut store, n, None);
    }
    let mut hits = vec![0_u32; 3000];
    for draw in 0..600_000 {
        hits[number(&store.sample(mixed(draw)).unwrap())] += 1;
    }
    // 200 hits are expected; the fill of segments and chance move that a little.
    assert!(
        hits.iter().all(|hits| (100..320).contains(hits)),
        "{hits:?}"
    );
    let same = store.sample(42).unwrap().id();
    assert_eq!(store.sample(42).unwrap().id(), same);
}

#[test]
fn a_sample_finds_the_last_entry_of_a_big_table() {
    let mut store = new_store::<()>();
    store.reserve(100_000);
    put(&mut store, 1, None);
    assert_eq!(number(&store.sample(12345).unwrap()), 1);
}

#[test]
fn draining_spends_its_budget_and_frees_everything() {
    let pages = Rc::new(CountedPages::default());
    let alive = Rc::new(Cell::new(0));
    let mut store: Store<Counted> = Store::new(pages.clone());
    for n in 0..5000_u32 {
        let name = key(n as usize);
        let body = match n % 5 {
            0 => NewBody::Object(Counted::new(n, &alive)),
            1 if n % 100 == 1 => NewBody::Bytes(&[1; 20_000]),
            _ => NewBody::Int(1),
        };
        store.insert_new(hash(&name), &name, 0, body, None);
    }
    let mut calls = 0;
    while !store.is_empty() {
        let before = store.len();
        let mut budget = 100;
        store.drain(&mut budget, &mut drop);
        store.check();
        let done = u32::try_from(before - store.len()).unwrap();
        assert!(done == 100 - budget || store.is_empty());
        calls += 1;
    }
    assert!(calls > 30, "piece by piece");
    assert_eq!((alive.get(), pages.out(), store.memory()), (0, 0, 0));
    put(&mut store, 1, None);
    store.check();
    assert_eq!(store.len(), 1);
}
