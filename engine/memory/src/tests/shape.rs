//! The store's shape: sizes, growth, shrinking, and what stays put.

use std::rc::Rc;

use super::{CountedPages, hash, key, new_store, put, remove};
use crate::{Body, Due, Lookup, NewBody, Newcomers, Store};

#[test]
fn an_empty_store_holds_no_memory() {
    let pages = Rc::new(CountedPages::default());
    let mut store: Store<()> = Store::new(pages.clone());
    assert!(store.find(1, b"x").is_none());
    assert!(store.find_mut(1, b"x").is_none());
    assert_eq!(store.scan(0, &mut |_| {}), 0);
    assert!(matches!(
        store.remove_due(9, &mut 9, &mut |_| {}),
        Due::Nothing
    ));
    assert!(store.nearest_deadline(&mut 9).is_none());
    store.prefetch_bucket(1);
    store.prefetch_record(1);
    store.drain(&mut 1, &mut drop);
    store.check();
    assert_eq!((pages.out(), store.memory()), (0, 0));
}

#[test]
fn records_have_the_promised_sizes() {
    let bytes = |body: NewBody<'_, ()>, deadline| {
        let mut store = new_store();
        store.insert_new(7, b"0123456789abcdef", 1, body, deadline);
        store.stats().record_bytes
    };
    assert_eq!(bytes(NewBody::Bytes(b"0123456789abcdef"), None), 36);
    assert_eq!(bytes(NewBody::Bytes(b"0123456789abcdef"), Some(1)), 44);
    assert_eq!(bytes(NewBody::Int(12_345_678), None), 24);
    assert_eq!(bytes(NewBody::Int(-1), None), 20);
}

#[test]
fn strings_of_16_bytes_take_at_most_57_bytes_a_key() {
    // Tables of all sizes fill alike, so this many speak for millions.
    let keys = 50_000;
    let mut store = new_store::<()>();
    for n in 0..keys {
        let name = format!("key:{n:012}");
        store.insert_new(
            hash(name.as_bytes()),
            name.as_bytes(),
            0,
            NewBody::Bytes(&[7; 16]),
            None,
        );
    }
    let stats = store.stats();
    let bytes = store.memory() + stats.directory_bytes;
    assert!(
        bytes <= 57 * keys,
        "{} bytes a key, {stats:?}",
        bytes / keys
    );
    store.check();
}

#[test]
fn no_step_touches_more_than_a_segment_and_its_buddy() {
    let mut store = new_store::<()>();
    for n in 0..100_000 {
        put(&mut store, n, None);
    }
    let full = store.stats();
    for n in 0..100_000 {
        remove(&mut store, n);
    }
    let empty = store.stats();
    store.check();
    assert!(full.splits > 200 && empty.merges > 200);
    assert_eq!(empty.largest_step_segments, 2);
    assert!(empty.segments <= 4, "an emptied table is small: {empty:?}");
    assert!(empty.record_chunk_bytes + empty.table_chunk_bytes <= 5 << 20);
    assert_eq!(empty.page_bytes, 0);
}

#[test]
fn a_nearly_empty_store_is_small() {
    let mut store = new_store::<()>();
    put(&mut store, 1, None);
    let stats = store.stats();
    assert!(store.memory() < 10 << 10, "{stats:?}");
    assert!(stats.record_chunk_bytes + stats.table_chunk_bytes <= 128 << 10);
}

#[test]
fn a_record_stays_while_its_class_does() {
    let mut store = new_store::<()>();
    store.insert_new(5, b"a", 0, NewBody::Bytes(&[1; 40]), Some(3));
    let Lookup::Occupied(mut entry) = store.entry(5, b"a") else {
        panic!("it was inserted");
    };
    let id = entry.id();
    entry.set(2, NewBody::Bytes(&[2; 43]));
    assert_eq!(
        (entry.id(), entry.tag(), entry.deadline()),
        (id, 2, Some(3))
    );
    entry.set_deadline(None);
    assert_ne!(entry.id(), id);
    assert_eq!((entry.deadline(), entry.tag()), (None, 2));
    assert!(matches!(entry.as_ref().body(), Body::Bytes(bytes) if bytes == [2; 43]));
    entry.touch(77);
    assert_eq!((entry.heat(), entry.as_ref().heat()), (77, 77));
}

#[test]
fn heat_survives_growth_and_shrinking() {
    let mut store = new_store::<()>();
    let heat = |n: usize| u16::try_from(n % 60_000 + 1).unwrap();
    for n in 0..20_000 {
        put(&mut store, n, None);
        let name = key(n);
        store.find(hash(&name), &name).unwrap().touch(heat(n));
    }
    for n in 0..19_000 {
        remove(&mut store, n);
    }
    for n in 19_000..20_000 {
        let name = key(n);
        assert_eq!(store.find(hash(&name), &name).unwrap().heat(), heat(n));
    }
}

#[test]
fn a_reserved_table_does_not_split_again() {
    let mut store = new_store::<()>();
    store.reserve(60_000);
    let before = store.stats();
    store.check();
    for n in 0..60_000 {
        put(&mut store, n, None);
    }
    let after = store.stats();
    assert_eq!(after.segments, before.segments, "{before:?}");
    assert!(after.segments * 448 < 60_000 * 2, "{after:?}");
    store.check();
}

#[test]
fn an_appended_large_body_rarely_moves() {
    let mut store = new_store::<()>();
    store.insert_new(1, b"log", 0, NewBody::Bytes(b""), None);
    let mut moves = 0;
    for len in (0..400_000).step_by(100) {
        let mut entry = store.find_mut(1, b"log").unwrap();
        let before = entry.record_bytes();
        let bytes = entry.resize_bytes(len).unwrap();
        if let Some(last) = bytes.last_mut() {
            *last = 1;
        }
        moves += usize::from(len > 20_000 && entry.record_bytes() != before);
    }
    assert!(moves < 10, "{moves} moves");
    store.check();
}

#[test]
fn all_that_is_held_and_not_in_use_is_idle_with_marks_too() {
    let pages = Rc::new(CountedPages::default());
    let mut store: Store<()> = Store::new(pages.clone());
    store.set_marks(true, Newcomers::Unnamed);
    let used = |store: &Store<()>| {
        let stats = store.stats();
        stats.record_bytes - stats.large_bytes + store.table_memory()
    };
    (0..50_000).for_each(|n| put(&mut store, n, None));
    assert_eq!(store.idle_memory(), pages.out() - used(&store));
    (100..50_000).for_each(|n| remove(&mut store, n));
    assert_eq!(store.idle_memory(), pages.out() - used(&store));
    store.set_marks(false, Newcomers::Unnamed);
    assert!(store.remark(&mut 1_000_000, &mut |_, _| {}));
    assert_eq!(store.idle_memory(), pages.out() - used(&store));
}

#[test]
fn newcomers_are_taken_one_by_one_in_their_order() {
    let mut store = new_store::<()>();
    store.set_marks(true, Newcomers::Inserted);
    (0..5000).for_each(|n| put(&mut store, n, None));
    for n in 0..5000 {
        assert_eq!(store.newcomers(), 5000 - n);
        let locator = Store::<()>::locator(hash(&key(n)));
        assert_eq!(store.take_newcomer(), Some(locator));
    }
    assert_eq!(store.take_newcomer(), None);
}
