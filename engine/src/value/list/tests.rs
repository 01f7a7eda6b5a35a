//! Lists in both forms against a plain deque.

use super::{End, Limits, ListRef, create, insert, pop, push, remove, remove_equal, set};
use crate::base::number::Digits;
use crate::value::{Value, encoding_of};
use dovetail_memory::listpack::Item;
use dovetail_memory::{HeapPages, Lookup, Store};
use proptest::prelude::*;
use std::rc::Rc;

fn text(item: Item<'_>) -> Vec<u8> {
    match item {
        Item::Int(value) => Digits::of(value).as_bytes().to_vec(),
        Item::Bytes(bytes) => bytes.to_vec(),
    }
}

#[derive(Clone, Debug)]
enum Step {
    Push(bool, Vec<Vec<u8>>),
    Pop(bool, usize),
    Set(usize, Vec<u8>),
    Insert(usize, Vec<u8>),
    Remove(usize, usize),
    RemoveEqual(bool, usize, usize),
}

fn word() -> impl Strategy<Value = Vec<u8>> {
    prop_oneof![
        4 => (0u32..40).prop_map(|n| n.to_string().into_bytes()),
        4 => proptest::collection::vec(b'a'..b'd', 0..12),
        2 => (0usize..900).prop_map(|len| vec![b'x'; len]),
        1 => (4000usize..20_000).prop_map(|len| vec![b'y'; len]),
    ]
}

fn step() -> impl Strategy<Value = Step> {
    let words = proptest::collection::vec(word(), 1..30);
    prop_oneof![
        6 => (any::<bool>(), words).prop_map(|(head, words)| Step::Push(head, words)),
        3 => (any::<bool>(), 0usize..40).prop_map(|(head, count)| Step::Pop(head, count)),
        3 => (any::<usize>(), word()).prop_map(|(at, word)| Step::Set(at, word)),
        3 => (any::<usize>(), word()).prop_map(|(at, word)| Step::Insert(at, word)),
        2 => (any::<usize>(), any::<usize>()).prop_map(|(at, count)| Step::Remove(at, count)),
        2 => (any::<bool>(), any::<usize>(), 1usize..9)
            .prop_map(|(head, at, most)| Step::RemoveEqual(head, at, most)),
    ]
}

fn end_of(head: bool) -> End {
    if head { End::Head } else { End::Tail }
}

/// Runs one step on list and model.
fn run(store: &mut Store<Value>, model: &mut Vec<Vec<u8>>, step: Step, limits: Limits) {
    let words = |words: &[Vec<u8>]| words.to_vec();
    let mut entry = match store.entry(1, b"key") {
        Lookup::Occupied(entry) => entry,
        Lookup::Vacant(place) => {
            if let Step::Push(head, words) = step {
                create(place, end_of(head), words.iter().map(Vec::as_slice), limits);
                push_model(model, head, words);
            }
            return;
        }
    };
    match step {
        Step::Push(head, list) => {
            push(
                &mut entry,
                end_of(head),
                list.iter().map(Vec::as_slice),
                limits,
            );
            push_model(model, head, words(&list));
        }
        Step::Pop(head, count) => {
            let count = count.min(model.len());
            let mut seen = Vec::new();
            if count > 0 {
                pop(&mut entry, end_of(head), count, limits, |item| {
                    seen.push(text(item))
                });
            }
            let expected: Vec<_> = if head {
                model.drain(..count).collect()
            } else {
                model
                    .split_off(model.len() - count)
                    .into_iter()
                    .rev()
                    .collect()
            };
            assert_eq!(seen, expected);
        }
        Step::Set(at, word) => {
            let at = at % model.len();
            set(&mut entry, at, &word, limits);
            model[at] = word;
        }
        Step::Insert(at, word) => {
            let at = at % (model.len() + 1);
            insert(&mut entry, at, &word, limits);
            model.insert(at, word);
        }
        Step::Remove(at, count) => {
            let at = at % model.len();
            let range = at..at + count % (model.len() - at + 1);
            remove(&mut entry, range.clone(), limits);
            model.drain(range);
        }
        Step::RemoveEqual(head, at, most) => {
            let word = model[at % model.len()].clone();
            let removed = remove_equal(&mut entry, &word, end_of(head), most, limits);
            assert_eq!(removed, remove_from_model(model, &word, head, most));
        }
    }
    if model.is_empty() {
        drop(entry.remove());
    }
}

fn push_model(model: &mut Vec<Vec<u8>>, head: bool, words: Vec<Vec<u8>>) {
    for word in words {
        let at = if head { 0 } else { model.len() };
        model.insert(at, word);
    }
}

fn remove_from_model(model: &mut Vec<Vec<u8>>, word: &[u8], head: bool, most: usize) -> usize {
    let mut removed = 0;
    while removed < most {
        let found = if head {
            model.iter().position(|other| other == word)
        } else {
            model.iter().rposition(|other| other == word)
        };
        let Some(at) = found else { break };
        model.remove(at);
        removed += 1;
    }
    removed
}

fn check(store: &Store<Value>, model: &[Vec<u8>]) {
    let Some(entry) = store.find(1, b"key") else {
        assert!(model.is_empty());
        return;
    };
    let list = ListRef::of(entry).unwrap();
    if let ListRef::Large(list) = list {
        list.check();
    }
    assert_eq!(list.len(), model.len());
    let mut seen = Vec::new();
    list.visit_from(End::Head, &mut |item| {
        seen.push(text(item));
        true
    });
    assert_eq!(seen, model);
    seen.clear();
    list.visit_from(End::Tail, &mut |item| {
        seen.push(text(item));
        true
    });
    assert!(seen.iter().eq(model.iter().rev()));
    let range = model.len() / 3..model.len() - model.len() / 4;
    seen.clear();
    list.range(range.clone(), |item| seen.push(text(item)));
    assert_eq!(seen, model[range]);
}

proptest! {
    #![proptest_config(ProptestConfig::with_cases(96))]
    #[test]
    fn a_list_does_what_a_deque_does(
        steps in proptest::collection::vec(step(), 1..40),
        fill in prop_oneof![Just(-2), Just(-1), Just(1), Just(3), Just(64)],
        depth in 0usize..3,
    ) {
        let limits = Limits { fill, depth };
        let mut store = Store::new(Rc::new(HeapPages));
        let mut model = Vec::new();
        for step in steps {
            run(&mut store, &mut model, step, limits);
            check(&store, &model);
        }
        store.check();
    }
}

#[test]
fn a_list_leaves_its_record_above_one_node_and_returns_when_one_is_left() {
    let limits = Limits { fill: -2, depth: 0 };
    let mut store = Store::new(Rc::new(HeapPages));
    let word = vec![b'w'; 100];
    let Lookup::Vacant(place) = store.entry(1, b"key") else {
        panic!("the store is empty")
    };
    create(place, End::Tail, std::iter::once(word.as_slice()), limits);
    let mut count = 1;
    while encoding_of(store.find(1, b"key").unwrap()) == "listpack" {
        let mut entry = store.find_mut(1, b"key").unwrap();
        push(
            &mut entry,
            End::Tail,
            std::iter::once(word.as_slice()),
            limits,
        );
        count += 1;
    }
    // 103 bytes an element, and seven of the listpack.
    assert_eq!(count, 80);
    while encoding_of(store.find(1, b"key").unwrap()) == "quicklist" {
        let mut entry = store.find_mut(1, b"key").unwrap();
        pop(&mut entry, End::Head, 1, limits, |_| {});
        count -= 1;
    }
    // The first node held the others.
    assert_eq!(count, 1);
}
