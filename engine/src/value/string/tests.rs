//! Edits of strings in all their forms, against plain vectors.

use super::*;
use dovetail_memory::{HeapPages, Store};
use proptest::prelude::*;
use std::rc::Rc;

#[derive(Clone, Debug)]
enum Step {
    Append(usize),
    Write {
        at: usize,
        len: usize,
    },
    /// A reply begins to be sent from the string.
    Share,
    Store(i64),
}

fn steps() -> impl Strategy<Value = Vec<Step>> {
    let len = prop_oneof![0_usize..40, 1900_usize..2200, 0_usize..20_000];
    let step = prop_oneof![
        len.clone().prop_map(Step::Append),
        (0_usize..5000, len).prop_map(|(at, len)| Step::Write { at, len }),
        Just(Step::Share),
        any::<i64>().prop_map(Step::Store),
    ];
    prop::collection::vec(step, 1..20)
}

proptest! {
    #[test]
    fn edits_change_the_string_and_nothing_that_is_shared(steps in steps()) {
        let mut store: Store<Value> = Store::new(Rc::new(HeapPages));
        store.insert_new(1, b"key", TAG_WHOLE, NewBody::Int(7), None);
        let mut model = b"7".to_vec();
        let mut shared: Vec<(Bytes, Vec<u8>)> = Vec::new();
        for step in steps {
            let mut entry = store.find_mut(1, b"key").expect("it stays");
            match step {
                Step::Append(len) => {
                    let more = vec![b'a'; len];
                    append(&mut entry, &more);
                    model.extend_from_slice(&more);
                    prop_assert_eq!(entry.tag(), TAG_EDITED);
                }
                Step::Write { at, len } => {
                    edit(&mut entry, at + len, |bytes| bytes[at..at + len].fill(b'w'));
                    model.resize(model.len().max(at + len), 0);
                    model[at..at + len].fill(b'w');
                    prop_assert_eq!(encoding(entry.as_ref()), "raw");
                }
                Step::Share => {
                    let text = Text::of(entry.as_ref()).expect("a string");
                    shared.push((text.to_bytes(), model.clone()));
                }
                Step::Store(number) => {
                    model = number.to_string().into_bytes();
                    entry.set(TAG_WHOLE, body_of(&model));
                    prop_assert_eq!(encoding(entry.as_ref()), "int");
                }
            }
            let text = Text::of(entry.as_ref()).expect("a string");
            prop_assert_eq!(text.as_bytes(), &model[..]);
        }
        for (bytes, then) in shared {
            prop_assert_eq!(bytes, then);
        }
    }
}
