//! Random programs, run on a store and on a map, must agree.

use std::cell::Cell;
use std::collections::BTreeMap;
use std::rc::Rc;

use proptest::prelude::*;

use super::{Counted, CountedPages, hash, key};
use crate::{Body, Lookup, NewBody, Store};

#[derive(Clone, Debug, PartialEq)]
enum Value {
    Int(i64),
    Bytes(Vec<u8>),
    Object(u32),
}

#[derive(Clone, Debug, PartialEq)]
struct Item {
    tag: u8,
    value: Value,
    deadline: Option<u64>,
}

#[derive(Clone, Debug)]
enum Op {
    Put(usize, Item),
    SetTag(usize, u8),
    SetDeadline(usize, Option<u64>),
    Resize(usize, usize),
    Edit(usize),
    Remove(usize),
    Grow(usize),
    Shrink(usize),
}

const KEYS: usize = 60;

fn value() -> impl Strategy<Value = Value> {
    prop_oneof![
        any::<i64>().prop_map(Value::Int),
        (-200_i64..200).prop_map(Value::Int),
        prop::collection::vec(any::<u8>(), 0..40).prop_map(Value::Bytes),
        prop::collection::vec(any::<u8>(), 240..300).prop_map(Value::Bytes),
        (4000_usize..40_000, any::<u8>()).prop_map(|(len, fill)| Value::Bytes(vec![fill; len])),
        Just(Value::Bytes(vec![7; 70_000])),
        any::<u32>().prop_map(Value::Object),
    ]
}

fn item() -> impl Strategy<Value = Item> {
    let deadline = prop::option::of(prop_oneof![0_u64..1000, 0_u64..1 << 63]);
    (0_u8..16, value(), deadline).prop_map(|(tag, value, deadline)| Item {
        tag,
        value,
        deadline,
    })
}

fn op() -> impl Strategy<Value = Op> {
    prop_oneof![
        8 => (0..KEYS, item()).prop_map(|(key, item)| Op::Put(key, item)),
        1 => (0..KEYS, 0_u8..16).prop_map(|(key, tag)| Op::SetTag(key, tag)),
        2 => (0..KEYS, prop::option::of(0_u64..1000)).prop_map(|(k, d)| Op::SetDeadline(k, d)),
        3 => (0..KEYS, prop_oneof![0_usize..300, 0_usize..70_000])
            .prop_map(|(key, len)| Op::Resize(key, len)),
        2 => (0..KEYS).prop_map(Op::Edit),
        4 => (0..KEYS).prop_map(Op::Remove),
        1 => (0_usize..1500).prop_map(Op::Grow),
        1 => (0_usize..1500).prop_map(Op::Shrink),
    ]
}

struct Pair {
    store: Store<Counted>,
    model: BTreeMap<Vec<u8>, Item>,
    alive: Rc<Cell<usize>>,
    hash: fn(&[u8]) -> u64,
    /// Keys of `Grow` that are in: numbers from KEYS on.
    grown: std::ops::Range<usize>,
}

impl Pair {
    fn name(number: usize) -> Vec<u8> {
        let mut name = key(number);
        if number % 7 == 3 {
            name.resize(300, b'x');
        }
        name
    }

    fn with_new<R>(&self, value: &Value, then: impl FnOnce(NewBody<'_, Counted>) -> R) -> R {
        match value {
            Value::Int(int) => then(NewBody::Int(*int)),
            Value::Bytes(bytes) if bytes.len() % 2 == 0 => then(NewBody::Bytes(bytes)),
            Value::Bytes(bytes) => {
                let (low, high) = bytes.split_at(bytes.len() / 3);
                then(NewBody::Parts(&[low, b"", high]))
            }
            Value::Object(number) => then(NewBody::Object(Counted::new(*number, &self.alive))),
        }
    }

    fn put(&mut self, name: &[u8], item: Item) {
        let mut store = std::mem::replace(&mut self.store, super::new_store());
        let old = self.model.insert(name.to_vec(), item.clone());
        match store.entry((self.hash)(name), name) {
            Lookup::Occupied(mut entry) => {
                let old = old.expect("the model has it too");
                let object = self.with_new(&item.value, |body| entry.replace(item.tag, body));
                assert_eq!(object.is_some(), matches!(old.value, Value::Object(_)));
                assert_eq!(entry.deadline(), old.deadline);
                entry.set_deadline(item.deadline);
                assert_eq!(entry.key(), name);
            }
            Lookup::Vacant(entry) => {
                assert!(old.is_none(), "the model lacks it too");
                let entry = self.with_new(&item.value, |body| {
                    entry.insert(item.tag, body, item.deadline)
                });
                assert_eq!(entry.key(), name);
                assert_eq!(entry.heat(), 0);
            }
        }
        self.store = store;
    }

    fn remove(&mut self, name: &[u8]) {
        let old = self.model.remove(name);
        match self.store.find_mut((self.hash)(name), name) {
            Some(entry) => {
                let object = entry.remove().map(|object| object.number);
                let expected = match old.expect("the model has it too").value {
                    Value::Object(number) => Some(number),
                    _ => None,
                };
                assert_eq!(object, expected);
            }
            None => assert!(old.is_none(), "the model lacks it too"),
        }
    }

    fn run(&mut self, op: Op) {
        match op {
            Op::Put(number, item) => self.put(&Self::name(number), item),
            Op::Remove(number) => self.remove(&Self::name(number)),
            Op::Grow(count) => {
                for number in self.grown.end..self.grown.end + count {
                    let deadline = (number % 3 == 0).then_some(number as u64);
                    let value = Value::Int(i64::try_from(number).unwrap());
                    self.put(
                        &Self::name(number),
                        Item {
                            tag: 3,
                            value,
                            deadline,
                        },
                    );
                }
                self.grown.end += count;
            }
            Op::Shrink(count) => {
                for _ in 0..count.min(self.grown.len()) {
                    self.remove(&Self::name(self.grown.start));
                    self.grown.start += 1;
                }
            }
            Op::SetTag(number, _)
            | Op::SetDeadline(number, _)
            | Op::Resize(number, _)
            | Op::Edit(number) => self.change(&Self::name(number), op),
        }
    }

    fn change(&mut self, name: &[u8], op: Op) {
        let entry = self.store.find_mut((self.hash)(name), name);
        assert_eq!(entry.is_some(), self.model.contains_key(name));
        let Some((mut entry, item)) = entry.zip(self.model.get_mut(name)) else {
            return;
        };
        match op {
            Op::SetTag(_, tag) => {
                entry.set_tag(tag);
                item.tag = tag;
            }
            Op::SetDeadline(_, deadline) => {
                entry.set_deadline(deadline);
                item.deadline = deadline;
            }
            Op::Resize(_, len) => {
                let resized = entry.resize_bytes(len).map(|bytes| bytes.to_vec());
                if let Value::Bytes(bytes) = &mut item.value {
                    bytes.resize(len, 0);
                    assert_eq!(resized.as_ref(), Some(&*bytes));
                } else {
                    assert!(resized.is_none(), "only bytes are resized");
                }
            }
            _ => {
                if let Some(object) = entry.object_mut() {
                    object.number ^= 1;
                }
                if let Some(last) = entry.bytes_mut().and_then(|bytes| bytes.last_mut()) {
                    *last ^= 1;
                }
                match &mut item.value {
                    Value::Object(number) => *number ^= 1,
                    Value::Bytes(bytes) => bytes.iter_mut().rev().take(1).for_each(|b| *b ^= 1),
                    Value::Int(_) => {}
                }
            }
        }
    }

    fn compare(&self) {
        self.store.check();
        assert_eq!(self.store.len(), self.model.len());
        let deadlines = self
            .model
            .values()
            .filter(|item| item.deadline.is_some())
            .count();
        assert_eq!(self.store.with_deadline(), deadlines);
        let mut objects = 0;
        for (name, item) in &self.model {
            let hash = (self.hash)(name);
            self.store.prefetch_bucket(hash);
            self.store.prefetch_record(hash);
            let entry = self.store.find(hash, name).expect("the model has it");
            let value = match entry.body() {
                Body::Int(int) => Value::Int(int),
                Body::Bytes(bytes) => Value::Bytes(bytes.to_vec()),
                Body::Object(object) => Value::Object(object.number),
            };
            objects += usize::from(matches!(value, Value::Object(_)));
            let found = Item {
                tag: entry.tag(),
                value,
                deadline: entry.deadline(),
            };
            assert_eq!((entry.key(), &found), (&name[..], item));
            assert!(entry.record_bytes() > name.len());
        }
        assert_eq!(
            objects,
            self.alive.get(),
            "objects are neither lost nor kept"
        );
        super::order::agrees(&self.store);
    }
}

/// A hash that knows only sixteen homes and few fingerprints.
fn poor_hash(name: &[u8]) -> u64 {
    hash(name) & 0xffff_f00f_ffff_000f_u64.rotate_left(12)
}

fn agree(ops: Vec<Op>, hash: fn(&[u8]) -> u64) {
    let pages = Rc::new(CountedPages::default());
    let alive = Rc::new(Cell::new(0));
    let mut pair = Pair {
        store: Store::new(pages.clone()),
        model: BTreeMap::new(),
        alive: alive.clone(),
        hash,
        grown: KEYS..KEYS,
    };
    let every = ops.len() / 4 + 1;
    for (at, op) in ops.into_iter().enumerate() {
        pair.run(op);
        if at % every == 0 {
            pair.compare();
        }
    }
    pair.compare();
    drop(pair);
    assert_eq!(alive.get(), 0, "all objects go with the store");
    assert_eq!(pages.out(), 0, "all memory is given back");
}

proptest! {
    #![proptest_config(ProptestConfig::with_cases(64))]

    #[test]
    fn a_store_agrees_with_a_map(ops in prop::collection::vec(op(), 1..120)) {
        agree(ops, hash);
    }

    #[test]
    fn a_store_with_a_poor_hash_agrees_with_a_map(ops in prop::collection::vec(op(), 1..60)) {
        agree(ops, poor_hash);
    }
}
