//! Sorted sets in both forms against a plain sorted list.

use super::{
    Direction, Rules, Zset, ZsetRef, create, expect_members, insert, remove, remove_range, store,
};
use crate::base::map::hasher;
use crate::value::{Item, Value, encoding_of, with_text};
use dovetail_memory::{HeapPages, Lookup, NewBody, Store};
use proptest::prelude::*;
use std::collections::BTreeSet;
use std::rc::Rc;

type Model = Vec<(Vec<u8>, f64)>;

fn rules(entries: usize, value: usize) -> Rules {
    Rules {
        entries,
        value,
        hasher: hasher(7),
    }
}

fn text(item: Item<'_>) -> Vec<u8> {
    with_text(item, <[u8]>::to_vec)
}

#[derive(Clone, Debug)]
enum Step {
    Insert(Vec<u8>, f64),
    Remove(usize),
    RemoveAbsent(Vec<u8>),
    RemoveRange(usize, usize),
    Expect(usize, usize),
    StoreAgain,
}

fn member() -> impl Strategy<Value = Vec<u8>> {
    prop_oneof![
        6 => (-20_i32..60).prop_map(|n| n.to_string().into_bytes()),
        6 => proptest::collection::vec(b'a'..b'd', 0..4),
        1 => (0_usize..300).prop_map(|len| vec![b'x'; len]),
    ]
}

fn score() -> impl Strategy<Value = f64> {
    prop_oneof![
        6 => (-3_i32..4).prop_map(f64::from),
        3 => (-40_i32..40).prop_map(|n| f64::from(n) / 8.0),
        1 => any::<f64>().prop_filter("scores are numbers", |score| !score.is_nan()),
        1 => Just(f64::INFINITY),
        1 => Just(f64::NEG_INFINITY),
        1 => Just(-0.0),
    ]
}

fn step() -> impl Strategy<Value = Step> {
    prop_oneof![
        20 => (member(), score()).prop_map(|(member, score)| Step::Insert(member, score)),
        4 => any::<usize>().prop_map(Step::Remove),
        1 => member().prop_map(Step::RemoveAbsent),
        2 => (any::<usize>(), 0_usize..9).prop_map(|(at, count)| Step::RemoveRange(at, count)),
        1 => (0_usize..12, 0_usize..80).prop_map(|(members, longest)| Step::Expect(members, longest)),
        1 => Just(Step::StoreAgain),
    ]
}

fn sort(model: &mut Model) {
    model.sort_by(|a, b| a.1.partial_cmp(&b.1).unwrap().then_with(|| a.0.cmp(&b.0)));
}

fn insert_into(model: &mut Model, member: &[u8], score: f64) -> Option<f64> {
    let found = model.iter_mut().find(|pair| pair.0 == member);
    let old = match found {
        Some(pair) => Some(std::mem::replace(&mut pair.1, score)),
        None => {
            model.push((member.to_vec(), score));
            None
        }
    };
    sort(model);
    old
}

/// Runs one step on sorted set and model.
fn run(held: &mut Store<Value>, model: &mut Model, step: Step, rules: &Rules) {
    let mut entry = match held.entry(1, b"key") {
        Lookup::Occupied(entry) => entry,
        Lookup::Vacant(place) => {
            if let Step::Insert(member, score) = step {
                create(place, (&member, score), (1, member.len()), rules);
                insert_into(model, &member, score);
            }
            return;
        }
    };
    match step {
        Step::Insert(member, score) => {
            let old = insert(&mut entry, &member, score, rules);
            assert_eq!(old, insert_into(model, &member, score));
        }
        Step::Remove(at) => {
            let (member, score) = model.remove(at % model.len());
            assert_eq!(remove(&mut entry, &member), Some(score));
        }
        Step::RemoveAbsent(member) => {
            let found = model.iter().position(|pair| pair.0 == member);
            let score = found.map(|at| model.remove(at).1);
            assert_eq!(remove(&mut entry, &member), score);
        }
        Step::RemoveRange(at, count) => {
            let at = at % model.len();
            let range = at..(at + count).min(model.len());
            remove_range(&mut entry, range.clone());
            model.drain(range);
        }
        Step::Expect(members, longest) => expect_members(&mut entry, (members, longest), rules),
        Step::StoreAgain => {
            let mut zset = Zset::new(rules.hasher.clone());
            for (member, score) in model.iter().rev() {
                assert_eq!(zset.insert(member, *score), None);
            }
            store(zset, rules, |tag, body| drop(entry.replace(tag, body)));
        }
    }
    if model.is_empty() {
        drop(entry.remove());
    }
}

fn pairs(zset: ZsetRef<'_>, ranks: std::ops::Range<usize>, direction: Direction) -> Model {
    let mut seen = Vec::new();
    zset.range(ranks, direction, |member, score| {
        seen.push((text(member), score));
    });
    seen
}

fn check(held: &Store<Value>, model: &Model) {
    let Some(entry) = held.find(1, b"key") else {
        assert!(model.is_empty());
        return;
    };
    let zset = ZsetRef::of(entry).unwrap();
    if let ZsetRef::Large(zset) = zset {
        zset.check();
    }
    let len = model.len();
    assert_eq!(zset.len(), len);
    assert_eq!(&pairs(zset, 0..len, Direction::Up), model);
    assert!(
        pairs(zset, 0..len, Direction::Down)
            .iter()
            .eq(model.iter().rev())
    );
    let part = len / 3..len - len / 4;
    assert_eq!(
        pairs(zset, part.clone(), Direction::Up),
        model[part.clone()]
    );
    assert!(
        pairs(zset, part.clone(), Direction::Down)
            .iter()
            .eq(model[part].iter().rev())
    );
    for (rank, (member, score)) in model.iter().enumerate() {
        assert_eq!(zset.score(member), Some(*score));
        assert_eq!(zset.rank(member), Some((rank, *score)));
        let (found, held) = zset.at(rank).unwrap();
        assert_eq!((text(found), held), (member.clone(), *score));
    }
    assert_eq!(zset.at(len).map(|(_, score)| score), None);
    assert_eq!(zset.score(b"absent member"), None);
    for bound in [-2.0, 0.0, 0.125, f64::INFINITY] {
        let expected = model.iter().take_while(|pair| pair.1 < bound).count();
        assert_eq!(zset.partition_point(&|score, _| score < bound), expected);
    }
    let mut scanned = BTreeSet::new();
    let mut cursor = 0;
    loop {
        cursor = zset.scan(cursor, &mut |member, score| {
            scanned.insert((text(member), (score + 0.0).to_bits()));
        });
        if cursor == 0 {
            break;
        }
    }
    let expected = model.iter();
    let expected = expected.map(|(member, score)| (member.clone(), (score + 0.0).to_bits()));
    assert_eq!(scanned, expected.collect());
}

proptest! {
    #![proptest_config(ProptestConfig::with_cases(160))]
    #[test]
    fn a_sorted_set_does_what_a_sorted_list_does(
        steps in proptest::collection::vec(step(), 1..120),
        entries in prop_oneof![Just(0_usize), Just(3), Just(8), Just(128)],
        value in prop_oneof![Just(0_usize), Just(2), Just(64)],
    ) {
        let rules = rules(entries, value);
        let mut held = Store::new(Rc::new(HeapPages));
        let mut model = Vec::new();
        for step in steps {
            run(&mut held, &mut model, step, &rules);
            check(&held, &model);
        }
        held.check();
    }
}

#[test]
fn a_sorted_set_leaves_its_record_and_comes_back_only_when_stored() {
    let rules = rules(3, 10);
    let mut held = Store::new(Rc::new(HeapPages));
    let encoding = |held: &Store<Value>| encoding_of(held.find(1, b"key").unwrap());
    let Lookup::Vacant(place) = held.entry(1, b"key") else {
        panic!("the store is empty")
    };
    let mut entry = create(place, (b"a", 1.0), (1, 1), &rules);
    for member in [b"b", b"c"] {
        insert(&mut entry, member, 2.0, &rules);
    }
    insert(&mut entry, b"c", 3.0, &rules);
    assert_eq!(encoding(&held), "listpack");
    let mut entry = held.find_mut(1, b"key").unwrap();
    insert(&mut entry, b"d", 3.0, &rules);
    remove(&mut entry, b"d");
    assert_eq!(encoding(&held), "skiplist");
    let mut entry = held.find_mut(1, b"key").unwrap();
    for (member, expected) in [
        (&b"0123456789"[..], "listpack"),
        (b"0123456789a", "skiplist"),
    ] {
        let mut zset = Zset::new(hasher(7));
        zset.insert(member, 1.0);
        store(zset, &rules, |tag, body| {
            let is_small = matches!(body, NewBody::Bytes(_));
            assert_eq!(is_small, expected == "listpack");
            drop(entry.replace(tag, body));
        });
    }
}

#[test]
fn a_large_one_is_destroyed_in_slices() {
    let mut zset = Zset::new(hasher(7));
    for n in 0..1000_u32 {
        zset.insert(n.to_string().as_bytes(), f64::from(n));
    }
    let copy = zset.clone();
    let mut value = Value::Zset(Box::new(zset));
    let mut rounds = 0;
    while value.pieces() > 0 {
        let mut budget = 100;
        value.drain(&mut budget);
        rounds += 1;
    }
    assert!(rounds > 5, "{rounds}");
    copy.check();
    assert_eq!(copy.len(), 1000);
}
