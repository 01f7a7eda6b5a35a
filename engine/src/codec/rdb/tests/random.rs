//! Values of all types, at random: written, read, and the same.

use super::{Content, dataset_of, file_of, limits, load, load_bytes, new_store, put, rules};
use crate::codec::dump::{dump, restore};
use crate::codec::rdb::{Compression, Source, Verify};
use crate::value::restore::Limits;
use proptest::collection::{btree_map, btree_set, vec};
use proptest::prelude::*;
use std::convert::Infallible;

/// Limits that small collections are beyond soon.
fn tight() -> Limits {
    let mut tight = limits();
    tight.list.fill = 5;
    tight.list.depth = 1;
    tight.hash.entries = 6;
    tight.set.ints = 6;
    tight.set.entries = 4;
    tight.zset.entries = 6;
    tight
}

fn word() -> impl Strategy<Value = Vec<u8>> {
    prop_oneof![
        4 => vec(any::<u8>(), 0..12),
        3 => any::<i64>().prop_map(|n| n.to_string().into_bytes()),
        2 => (-200_i64..200).prop_map(|n| n.to_string().into_bytes()),
        1 => (0_u8..4, 20_usize..200).prop_map(|(byte, len)| vec![byte; len]),
        1 => vec(any::<u8>(), 20..200),
    ]
}

fn score() -> impl Strategy<Value = f64> {
    prop_oneof![
        (-50_i32..50).prop_map(f64::from),
        any::<f64>().prop_filter("numbers only", |score| !score.is_nan()),
        Just(f64::INFINITY),
        Just(f64::NEG_INFINITY),
    ]
}

fn zset() -> impl Strategy<Value = Content> {
    btree_map(word(), score(), 1..30).prop_map(|pairs| {
        let pairs = pairs.into_iter();
        let pairs = pairs.map(|(member, score)| ((score + 0.0).to_bits(), member));
        let mut pairs: Vec<(u64, Vec<u8>)> = pairs.collect();
        pairs.sort_by(|left, right| {
            let scores = [left, right].map(|pair| f64::from_bits(pair.0));
            let by_score = scores[0].partial_cmp(&scores[1]).unwrap();
            by_score.then_with(|| left.1.cmp(&right.1))
        });
        Content::Zset(pairs)
    })
}

fn content() -> impl Strategy<Value = Content> {
    let long = (any::<u8>(), 0_usize..200_000).prop_map(|(byte, len)| vec![byte; len]);
    prop_oneof![
        word().prop_map(Content::String),
        long.prop_map(Content::String),
        vec(any::<u8>(), 2000..5000).prop_map(Content::String),
        vec(word(), 1..60).prop_map(Content::List),
        vec(vec(any::<u8>(), 1000..20_000), 1..8).prop_map(Content::List),
        btree_map(word(), word(), 1..30).prop_map(Content::Hash),
        btree_set(word(), 1..30).prop_map(Content::Set),
        btree_set(
            (-40_000_i64..40_000).prop_map(|n| n.to_string().into_bytes()),
            1..30
        )
        .prop_map(Content::Set),
        zset(),
    ]
}

/// Gives a few bytes at a time.
struct Trickle<'a> {
    rest: &'a [u8],
    piece: usize,
}

impl Source for Trickle<'_> {
    type Error = Infallible;

    fn fill(&mut self, into: &mut [u8]) -> Result<usize, Infallible> {
        let piece = self.piece.min(into.len());
        self.rest.fill(&mut into[..piece])
    }
}

proptest! {
    #![proptest_config(ProptestConfig::with_cases(64))]

    #[test]
    fn what_is_written_is_read_back(
        contents in btree_map(vec(any::<u8>(), 0..40), content(), 0..20),
        deadlines in vec(proptest::option::of(1_u64..1 << 45), 20),
        is_tight: bool,
        compresses: bool,
        piece in 1_usize..100_000,
    ) {
        let limits = if is_tight { tight() } else { limits() };
        let mut store = new_store();
        for ((key, content), deadline) in contents.iter().zip(deadlines) {
            put(&mut store, key, content, &limits);
            let hash = limits.hash.hasher.hash_one(key.as_slice());
            store.find_mut(hash, key).unwrap().set_deadline(deadline);
        }
        let expected = dataset_of(&store);
        let compression = if compresses { Compression::On } else { Compression::Off };
        let file = file_of(&store, compression);
        let mut rules = rules();
        rules.limits = limits;
        let source = Trickle { rest: &file, piece };
        prop_assert_eq!(&load(source, rules.clone()).unwrap(), &expected);
        // A list that has shrunk may come back in another form, under other limits; what it holds
        // is the same.
        rules.limits = super::limits();
        rules.verify = Verify::No;
        let again = load(file.as_slice(), rules).unwrap();
        let contents = |all: &super::Dataset| -> Vec<Content> {
            all.values().map(|known| known.0.clone()).collect()
        };
        prop_assert_eq!(contents(&again), contents(&expected));
    }

    #[test]
    fn what_is_dumped_is_restored(content in content(), is_tight: bool, compresses: bool) {
        let limits = if is_tight { tight() } else { limits() };
        let mut store = new_store();
        put(&mut store, b"key", &content, &limits);
        let compression = if compresses { Compression::On } else { Compression::Off };
        let payload = dump(store.sample(0).unwrap(), compression);
        let mut other = new_store();
        let restored = restore(&payload, limits).unwrap();
        restored.put(|tag, body| other.insert_new(3, b"key", tag, body, None));
        prop_assert_eq!(dataset_of(&other), dataset_of(&store));
    }

    #[test]
    fn any_bytes_are_read_without_harm(inner in vec(any::<u8>(), 0..300)) {
        let mut file = b"REDIS0010".to_vec();
        file.extend_from_slice(&inner);
        let _either = load_bytes(&file);
    }
}
