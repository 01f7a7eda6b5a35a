//! Hashes in both forms against a plain map.

use super::{HashRef, Limits, create, remove, set};
use crate::base::map::hasher;
use crate::value::{Value, encoding_of, with_text};
use dovetail_memory::{HeapPages, Lookup, Store};
use proptest::prelude::*;
use std::collections::BTreeMap;
use std::rc::Rc;

fn word() -> impl Strategy<Value = Vec<u8>> {
    prop_oneof![
        6 => (0u32..60).prop_map(|n| n.to_string().into_bytes()),
        2 => proptest::collection::vec(b'a'..b'd', 0..4),
        1 => (0usize..40).prop_map(|len| vec![b'x'; len]),
    ]
}

#[derive(Clone, Debug)]
enum Step {
    Set(Vec<(Vec<u8>, Vec<u8>)>),
    Remove(Vec<u8>),
}

fn step() -> impl Strategy<Value = Step> {
    let pairs = proptest::collection::vec((word(), word()), 1..6);
    prop_oneof![pairs.prop_map(Step::Set), word().prop_map(Step::Remove)]
}

proptest! {
    #![proptest_config(ProptestConfig::with_cases(96))]
    #[test]
    fn a_hash_does_what_a_map_does(
        steps in proptest::collection::vec(step(), 1..80),
        entries in 1usize..40,
    ) {
        let limits = Limits { entries, value_bytes: 30, hasher: hasher(7) };
        let mut store: Store<Value> = Store::new(Rc::new(HeapPages));
        let mut model = BTreeMap::new();
        for step in steps {
            match (step, store.entry(1, b"key")) {
                (Step::Set(pairs), found) => {
                    let words: Vec<&[u8]> =
                        pairs.iter().flat_map(|(field, value)| [&field[..], &value[..]]).collect();
                    let before = model.len();
                    model.extend(pairs.iter().cloned());
                    let added = match found {
                        Lookup::Occupied(mut entry) => {
                            set(&mut entry, words.iter().copied(), &limits)
                        }
                        Lookup::Vacant(place) => create(place, words.iter().copied(), &limits),
                    };
                    prop_assert_eq!(added, model.len() - before);
                }
                (Step::Remove(field), Lookup::Occupied(mut entry)) => {
                    prop_assert_eq!(remove(&mut entry, &field), model.remove(&field).is_some());
                    if model.is_empty() {
                        drop(entry.remove());
                    }
                }
                (Step::Remove(_), Lookup::Vacant(_)) => {}
            }
            let Some(entry) = store.find(1, b"key") else {
                prop_assert!(model.is_empty());
                continue;
            };
            let hash = HashRef::of(entry).unwrap();
            let mut seen = BTreeMap::new();
            hash.each(|field, value| {
                let field = with_text(field, <[u8]>::to_vec);
                seen.insert(field, with_text(value, <[u8]>::to_vec));
            });
            prop_assert_eq!(&seen, &model);
            prop_assert_eq!(hash.len(), model.len());
            prop_assert!(hash.len() <= entries || encoding_of(entry) == "hashtable");
            for (field, value) in &model {
                let found = hash.get(field).unwrap();
                prop_assert!(with_text(found, |found| found == value));
            }
            prop_assert!(hash.get(b"never set").is_none());
        }
    }
}
