//! Sets in all forms against a plain set.

use super::{Limits, SetRef, add, create, remove};
use crate::base::map::hasher;
use crate::value::{Value, encoding_of, with_text};
use dovetail_memory::{HeapPages, Lookup, Store};
use proptest::prelude::*;
use std::collections::BTreeSet;
use std::rc::Rc;

fn member() -> impl Strategy<Value = Vec<u8>> {
    prop_oneof![
        8 => (-30i32..60).prop_map(|n| n.to_string().into_bytes()),
        1 => any::<i64>().prop_map(|n| n.to_string().into_bytes()),
        2 => proptest::collection::vec(b'a'..b'd', 0..4),
        1 => (0usize..40).prop_map(|len| vec![b'x'; len]),
    ]
}

fn limits() -> Limits {
    Limits {
        ints: 24,
        entries: 12,
        value_bytes: 30,
        hasher: hasher(7),
    }
}

proptest! {
    #![proptest_config(ProptestConfig::with_cases(128))]
    #[test]
    fn a_set_does_what_a_plain_set_does(
        steps in proptest::collection::vec(
            (any::<bool>(), proptest::collection::vec(member(), 1..5)), 1..60),
        only_ints in any::<bool>(),
    ) {
        let limits = limits();
        let mut store: Store<Value> = Store::new(Rc::new(HeapPages));
        let mut model = BTreeSet::new();
        for (adds, mut members) in steps {
            if only_ints {
                members.retain(|member| std::str::from_utf8(member).unwrap().parse::<i64>().is_ok());
                if members.is_empty() {
                    continue;
                }
            }
            let words = members.iter().map(Vec::as_slice);
            match (adds, store.entry(1, b"key")) {
                (true, found) => {
                    let before = model.len();
                    model.extend(members.iter().cloned());
                    let added = match found {
                        Lookup::Occupied(mut entry) => add(&mut entry, words, &limits),
                        Lookup::Vacant(place) => create(place, words, &limits),
                    };
                    prop_assert_eq!(added, model.len() - before);
                }
                (false, Lookup::Occupied(mut entry)) => {
                    for member in &members {
                        prop_assert_eq!(remove(&mut entry, member), model.remove(member));
                    }
                    if model.is_empty() {
                        drop(entry.remove());
                    }
                }
                (false, Lookup::Vacant(_)) => {}
            }
            let Some(entry) = store.find(1, b"key") else {
                prop_assert!(model.is_empty());
                continue;
            };
            let set = SetRef::of(entry).unwrap();
            let mut seen = BTreeSet::new();
            set.visit(|member| seen.insert(with_text(member, <[u8]>::to_vec)));
            prop_assert_eq!(&seen, &model);
            prop_assert_eq!(set.len(), model.len());
            prop_assert!(model.iter().all(|member| set.contains(member)));
            prop_assert!(!set.contains(b"never added"));
            if only_ints && set.len() <= 4 && encoding_of(entry) == "listpack" {
                prop_assert!(false, "integers alone are never in a listpack");
            }
        }
    }
}
