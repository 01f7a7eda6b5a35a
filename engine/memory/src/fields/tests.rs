//! Fields against a map, and the promises of scan, sample and drain.

use std::collections::{BTreeMap, BTreeSet};

use proptest::prelude::*;

use super::{Fields, Inserted, Shape};
use crate::tests::{hash, key, mixed};

type Model = BTreeMap<Vec<u8>, Vec<u8>>;

#[derive(Clone, Debug)]
enum Op {
    Put(usize, usize),
    Remove(usize),
    Grow(usize),
    Shrink(usize),
    Drain(u32),
}

fn op() -> impl Strategy<Value = Op> {
    let len = prop_oneof![
        6 => 0_usize..20,
        2 => 235_usize..260,
        2 => 500_usize..530,
        1 => Just(70_000_usize),
    ];
    prop_oneof![
        8 => (0_usize..60, len).prop_map(|(key, len)| Op::Put(key, len)),
        4 => (0_usize..60).prop_map(Op::Remove),
        1 => (0_usize..2500).prop_map(Op::Grow),
        2 => (0_usize..2500).prop_map(Op::Shrink),
        1 => (0_u32..300).prop_map(Op::Drain),
    ]
}

/// Some fields are long, one of them too long for a length of one byte.
fn name(number: usize) -> Vec<u8> {
    let mut name = key(number);
    match number % 11 {
        3 => name.resize(240, b'x'),
        5 => name.resize(600, b'x'),
        7 => name.clear(),
        _ => return name,
    }
    name.extend_from_slice(&key(number));
    name
}

struct Pair {
    fields: Fields,
    model: Model,
    hash: fn(&[u8]) -> u64,
    grown: std::ops::Range<usize>,
}

impl Pair {
    fn put(&mut self, name: &[u8], value: Vec<u8>) {
        let done = self
            .fields
            .insert((self.hash)(name), name, &value, &self.hash);
        let value = match self.fields.shape() {
            Shape::Members => Vec::new(),
            Shape::Pairs => value,
        };
        let old = self.model.insert(name.to_vec(), value);
        assert_eq!(done == Inserted::Replaced, old.is_some());
    }

    fn remove(&mut self, name: &[u8]) {
        let was = self.model.remove(name).is_some();
        assert_eq!(self.fields.remove((self.hash)(name), name), was);
    }

    fn run(&mut self, op: Op) {
        match op {
            Op::Put(number, len) => {
                let fill = u8::try_from(number + len % 50).unwrap();
                self.put(&name(number), vec![fill; len]);
            }
            Op::Remove(number) => self.remove(&name(number)),
            Op::Grow(count) => {
                (self.grown.end..self.grown.end + count).for_each(|n| self.put(&key(n), key(n)));
                self.grown.end += count;
            }
            Op::Shrink(count) => {
                let count = count.min(self.grown.len());
                (self.grown.start..self.grown.start + count).for_each(|n| self.remove(&key(n)));
                self.grown.start += count;
            }
            Op::Drain(mut budget) => {
                self.fields.drain(&mut budget);
                let left: BTreeSet<&[u8]> = self.fields.iter().map(|(field, _)| field).collect();
                self.model.retain(|field, _| left.contains(&field[..]));
            }
        }
    }

    fn compare(&self) {
        self.fields.check(&self.hash);
        assert_eq!(self.fields.len(), self.model.len());
        let found: Model = self
            .fields
            .iter()
            .map(|(f, v)| (f.to_vec(), v.to_vec()))
            .collect();
        assert_eq!(found, self.model);
        for (field, value) in &self.model {
            let hash = (self.hash)(field);
            (0..Fields::PREFETCH_STEPS).for_each(|step| self.fields.prefetch(hash, step));
            assert_eq!(self.fields.get(hash, field), Some(&value[..]));
            assert!(self.fields.contains(hash, field));
        }
        assert_eq!(self.fields.get((self.hash)(b"absent"), b"absent"), None);
    }
}

fn agree(shape: Shape, ops: Vec<Op>, hash: fn(&[u8]) -> u64) {
    let mut pair = Pair {
        fields: Fields::new(shape),
        model: Model::new(),
        hash,
        grown: 100..100,
    };
    let every = ops.len() / 4 + 1;
    for (at, op) in ops.into_iter().enumerate() {
        pair.run(op);
        if at % every == 0 {
            pair.compare();
        }
    }
    pair.compare();
    let copy = pair.fields.clone();
    copy.check(&hash);
    let names: Vec<_> = pair.model.keys().cloned().collect();
    names.iter().for_each(|name| pair.remove(name));
    pair.compare();
    assert!(pair.fields.memory() < 4096, "what is empty needs little");
    pair.fields = copy;
    let mut seen = BTreeSet::new();
    let mut cursor = 0;
    loop {
        cursor = pair
            .fields
            .scan(cursor, &mut |field, _| assert!(seen.insert(field.to_vec())));
        if cursor == 0 {
            break;
        }
    }
    assert_eq!(seen.len(), pair.fields.len());
}

/// A hash that knows only some buckets and few bytes to tell elements by.
fn poor_hash(name: &[u8]) -> u64 {
    hash(name) & 0x0300_0000_0000_0ff0
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

fn number(field: &[u8]) -> usize {
    std::str::from_utf8(&field[4..]).unwrap().parse().unwrap()
}

proptest! {
    #![proptest_config(ProptestConfig::with_cases(32))]

    #[test]
    fn pairs_agree_with_a_map(ops in prop::collection::vec(op(), 1..100)) {
        agree(Shape::Pairs, ops, hash);
    }

    #[test]
    fn members_agree_with_a_map(ops in prop::collection::vec(op(), 1..100)) {
        agree(Shape::Members, ops, hash);
    }

    #[test]
    fn fields_with_a_poor_hash_agree_with_a_map(ops in prop::collection::vec(op(), 1..40)) {
        agree(Shape::Pairs, ops, poor_hash);
    }

    #[test]
    fn a_scan_meets_every_field_that_stays(
        stable in 1_usize..400,
        before in 0_usize..4000,
        acts in prop::collection::vec(act(), 0..20),
    ) {
        let mut fields = Fields::new(Shape::Members);
        let put = |fields: &mut Fields, n| {
            fields.insert(hash(&key(n)), &key(n), b"", &hash);
        };
        let mut passing = stable..stable + before;
        (0..passing.end).for_each(|n| put(&mut fields, n));
        let mut seen = BTreeSet::new();
        let (mut cursor, mut is_done) = (0, false);
        for act in acts.into_iter().chain([Act::Steps(usize::MAX)]) {
            match act {
                Act::Grow(count) => {
                    (passing.end..passing.end + count).for_each(|n| put(&mut fields, n));
                    passing.end += count;
                }
                Act::Shrink(count) => {
                    let count = count.min(passing.len());
                    for n in passing.start..passing.start + count {
                        assert!(fields.remove(hash(&key(n)), &key(n)));
                    }
                    passing.start += count;
                }
                Act::Steps(count) => {
                    for _ in 0..count {
                        if is_done {
                            break;
                        }
                        cursor = fields.scan(cursor, &mut |field, _| {
                            seen.insert(number(field));
                        });
                        is_done = cursor == 0;
                    }
                }
            }
        }
        prop_assert!((0..stable).all(|n| seen.contains(&n)));
        fields.check(&hash);
    }

    #[test]
    fn a_strange_cursor_is_harmless(count in 0_usize..3000, strange in any::<u64>()) {
        let mut fields = Fields::new(Shape::Members);
        for n in 0..count {
            fields.insert(hash(&key(n)), &key(n), b"", &hash);
        }
        let mut cursor = fields.scan(strange, &mut |_, _| {});
        let mut calls = 0;
        while cursor != 0 {
            prop_assert!(cursor < 1024 && calls < 1000);
            cursor = fields.scan(cursor, &mut |_, _| {});
            calls += 1;
        }
    }
}

/// How far the counts are from even, in standard deviations of chi-square.
fn unevenness(hits: &[u32]) -> f64 {
    let mean = f64::from(hits.iter().sum::<u32>()) / hits.len() as f64;
    let chi: f64 = hits
        .iter()
        .map(|&hits| (f64::from(hits) - mean).powi(2) / mean)
        .sum();
    let freedom = (hits.len() - 1) as f64;
    (chi - freedom) / (2.0 * freedom).sqrt()
}

#[test]
fn samples_are_uniform_and_take_few_draws_after_growing_and_shrinking() {
    let mut fields = Fields::new(Shape::Members);
    assert_eq!(fields.sample(&mut || 1), None);
    for n in 0..20_000 {
        fields.insert(hash(&key(n)), &key(n), b"", &hash);
    }
    for left in [20_000, 1000, 100, 3, 1] {
        for n in left..20_000 {
            fields.remove(hash(&key(n)), &key(n));
        }
        let mut hits = vec![0_u32; left];
        let (mut state, mut draws) = (left as u64, 0);
        let samples = 40 * left.max(250);
        for _ in 0..samples {
            let mut random = || {
                draws += 1;
                state += 1;
                mixed(state)
            };
            hits[number(fields.sample(&mut random).unwrap().0)] += 1;
        }
        if left > 1 {
            let off = unevenness(&hits);
            assert!(off.abs() < 4.0, "{left}: {off} standard deviations");
        }
        let per_sample = draws as f64 / samples as f64;
        assert!(per_sample < 14.0, "{left}: {per_sample} draws");
    }
}

#[test]
fn draining_is_done_piece_by_piece_and_frees_everything() {
    let mut fields = Fields::new(Shape::Pairs);
    for n in 0..5000 {
        let value = vec![7; if n % 100 == 1 { 20_000 } else { 5 }];
        fields.insert(hash(&key(n)), &key(n), &value, &hash);
    }
    let mut calls = 0;
    while !fields.is_empty() {
        let before = fields.len();
        fields.drain(&mut 100);
        fields.check(&hash);
        assert!(
            before - fields.len() < 200,
            "no more than a bucket above the budget"
        );
        calls += 1;
    }
    assert!(calls > 25, "piece by piece");
    assert!(fields.memory() < 4096);
    assert_eq!(fields.insert(hash(b"a"), b"a", b"b", &hash), Inserted::New);
    fields.check(&hash);
}
