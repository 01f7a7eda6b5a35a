//! Walks in the order of memory: every record once, and memory goes on the way.

use std::cell::Cell;
use std::convert::Infallible;
use std::panic::{AssertUnwindSafe, catch_unwind};
use std::rc::Rc;

use proptest::prelude::*;

use super::{Counted, CountedPages, hash, key, put, remove};
use crate::{Body, EntryRef, NewBody, Store};

/// All that can be seen of an entry, but its heat.
type Seen = (Vec<u8>, u64, u8, Option<u64>, Vec<u8>);

fn seen(entry: EntryRef<'_, Counted>) -> Seen {
    let body = match entry.body() {
        Body::Int(int) => int.to_le_bytes().to_vec(),
        Body::Bytes(bytes) => bytes.to_vec(),
        Body::Object(object) => object.number.to_le_bytes().to_vec(),
    };
    let (id, tag) = (entry.id().get(), entry.tag());
    (entry.key().to_vec(), id, tag, entry.deadline(), body)
}

fn by_table(store: &Store<Counted>) -> Vec<Seen> {
    let (mut all, mut cursor) = (Vec::new(), 0);
    loop {
        cursor = store.scan(cursor, &mut |entry| all.push(seen(entry)));
        if cursor == 0 {
            all.sort();
            return all;
        }
    }
}

fn in_order(store: &Store<Counted>) -> Vec<Seen> {
    let mut all = Vec::new();
    let done = store.each_in_memory_order::<Infallible>(&mut |entry| {
        assert_eq!(entry.heat(), 0);
        assert!(entry.record_bytes() > entry.key().len());
        all.push(seen(entry));
        Ok(())
    });
    assert!(done.is_ok());
    all
}

/// Asserts that a walk in the order of memory shows what one by the table shows.
pub(super) fn agrees(store: &Store<Counted>) {
    let mut all = in_order(store);
    all.sort();
    assert_eq!(all, by_table(store));
}

/// A store in which record `n` has `bytes(n)` bytes, or is an object where that is `None`.
fn filled(
    pages: &Rc<CountedPages>,
    alive: &Rc<Cell<usize>>,
    keys: u32,
    bytes: impl Fn(u32) -> Option<usize>,
) -> Store<Counted> {
    let mut store = Store::new(pages.clone());
    for n in 0..keys {
        let name = key(n as usize);
        let fill = vec![n.to_le_bytes()[0]; bytes(n).unwrap_or(0)];
        let body = match bytes(n) {
            None => NewBody::Object(Counted::new(n, alive)),
            Some(_) => NewBody::Bytes(&fill),
        };
        let deadline = n.is_multiple_of(3).then_some(u64::from(n));
        store.insert_new(hash(&name), &name, n.to_le_bytes()[0] & 15, body, deadline);
    }
    store
}

proptest! {
    #![proptest_config(ProptestConfig::with_cases(48))]

    #[test]
    fn a_walk_shows_every_record_once_whatever_was_removed(
        sizes in prop::collection::vec(
            prop_oneof![
                8 => (0_usize..200).prop_map(Some),
                2 => (200_usize..5000).prop_map(Some),
                1 => (5000_usize..40_000).prop_map(Some),
                1 => Just(None),
            ],
            1..12,
        ),
        keys in 0_u32..3000,
        removed in prop::collection::vec(any::<u16>(), 0..2000),
        added in 0_u32..500,
    ) {
        let (pages, alive) = (Rc::new(CountedPages::default()), Rc::new(Cell::new(0)));
        let mut store = filled(&pages, &alive, keys, |n| sizes[n as usize % sizes.len()]);
        for number in removed {
            let name = key(number as usize % 3000);
            if let Some(entry) = store.find_mut(hash(&name), &name) {
                entry.remove();
            }
        }
        agrees(&store);
        (5000..5000 + added as usize).for_each(|n| put(&mut store, n, None));
        store.check();
        let expected = by_table(&store);
        let ordered = in_order(&store);
        let mut drained = Vec::new();
        let done = store.drain_in_memory_order::<Infallible>(&mut |entry| {
            drained.push(seen(entry));
            Ok(())
        });
        prop_assert!(done.is_ok() && drained == ordered);
        drained.sort();
        prop_assert_eq!(drained, expected);
        prop_assert_eq!((store.len(), store.memory(), pages.out()), (0, 0, 0));
        put(&mut store, 1, None);
        store.check();
    }
}

#[test]
fn every_class_is_walked_with_and_without_gaps() {
    let (pages, alive) = (Rc::new(CountedPages::default()), Rc::new(Cell::new(0)));
    let sizes: Vec<usize> = (0..130).chain((130..17_500).step_by(61)).collect();
    let kinds = u32::try_from(sizes.len()).unwrap();
    let size = |n: u32| Some(sizes[(n % kinds) as usize]);
    let mut store = filled(&pages, &alive, 8 * kinds, size);
    agrees(&store);
    for n in (0..8 * kinds).filter(|n| n / kinds % 3 == 1) {
        remove(&mut store, n as usize);
    }
    agrees(&store);
    store.check();
}

#[test]
fn records_lie_in_the_order_in_which_a_walk_shows_them() {
    let (pages, alive) = (Rc::new(CountedPages::default()), Rc::new(Cell::new(0)));
    let store = filled(&pages, &alive, 20_000, |n| Some((n % 2) as usize * 100));
    let ids: Vec<u64> = in_order(&store).iter().map(|seen| seen.1).collect();
    assert!(ids.is_sorted(), "by page and place");
}

#[test]
fn a_drain_gives_up_pages_once_they_were_shown_and_leaks_objects() {
    let (pages, alive) = (Rc::new(CountedPages::default()), Rc::new(Cell::new(0)));
    let size = |n: u32| (!n.is_multiple_of(10)).then_some(if n % 500 == 1 { 50_000 } else { 90 });
    let mut store = filled(&pages, &alive, 20_000, size);
    let (stats, table) = (store.stats(), store.table_memory());
    let (mut shown, mut steps, mut last) = (0, 0, 0);
    let done = store.drain_in_memory_order::<Infallible>(&mut |_| {
        assert!(pages.out() < stats.record_chunk_bytes + table, "no table");
        steps += usize::from(pages.discarded() > last);
        last = pages.discarded();
        shown += 1;
        Ok(())
    });
    assert!(
        done.is_ok() && shown == 20_000 && steps > 50,
        "{steps} steps"
    );
    // Of each large block at least eleven pages of 4 KiB are whole.
    assert!(pages.discarded() >= stats.page_bytes + stats.large_records * (11 << 12));
    assert_eq!((alive.get(), store.len(), pages.out()), (2000, 0, 0));
}

#[test]
fn a_walk_ends_where_its_visitor_fails_and_a_drained_store_is_empty_even_then() {
    let (pages, alive) = (Rc::new(CountedPages::default()), Rc::new(Cell::new(0)));
    let mut store = filled(&pages, &alive, 5000, |_| Some(40));
    let mut shown = 0;
    let mut visit = |_: EntryRef<'_, Counted>| {
        shown += 1;
        if shown % 3000 == 0 {
            Err(shown)
        } else {
            Ok(())
        }
    };
    assert_eq!(store.each_in_memory_order(&mut visit), Err(3000));
    assert_eq!(store.drain_in_memory_order(&mut visit), Err(6000));
    assert!(store.is_empty() && pages.out() == 0);
}

#[test]
fn a_panic_amid_a_drain_leaves_an_empty_store() {
    let (pages, alive) = (Rc::new(CountedPages::default()), Rc::new(Cell::new(0)));
    let mut store = filled(&pages, &alive, 50, |n| n.is_multiple_of(2).then_some(5));
    let drained = catch_unwind(AssertUnwindSafe(|| {
        store.drain_in_memory_order::<Infallible>(&mut |_| panic!("in the middle"))
    }));
    assert!(drained.is_err() && store.is_empty());
    put(&mut store, 1, None);
    store.check();
    assert_eq!(alive.get(), 25);
}
