//! Ranked against an ordered map, and the promises of scan, ranges and drain.

use std::cmp::Ordering;
use std::collections::{BTreeMap, BTreeSet};

use proptest::prelude::*;

use super::Ranked;
use crate::tests::{hash, key, mixed};

/// A score with its order.
#[derive(Clone, Copy, Debug)]
struct Score(f64);

impl Ord for Score {
    fn cmp(&self, other: &Self) -> Ordering {
        self.0.partial_cmp(&other.0).unwrap()
    }
}

impl PartialOrd for Score {
    fn partial_cmp(&self, other: &Self) -> Option<Ordering> {
        Some(self.cmp(other))
    }
}

impl PartialEq for Score {
    fn eq(&self, other: &Self) -> bool {
        self.cmp(other).is_eq()
    }
}

impl Eq for Score {}

/// The obvious thing: scores by member, and the order.
#[derive(Default)]
struct Model {
    scores: BTreeMap<Vec<u8>, f64>,
    order: BTreeSet<(Score, Vec<u8>)>,
}

impl Model {
    fn remove(&mut self, member: &[u8]) -> Option<f64> {
        let old = self.scores.remove(member)?;
        assert!(self.order.remove(&(Score(old), member.to_vec())));
        Some(old)
    }

    fn insert(&mut self, member: &[u8], score: f64) -> Option<f64> {
        let old = self.remove(member);
        self.scores.insert(member.to_vec(), score);
        self.order.insert((Score(score), member.to_vec()));
        old
    }
}

#[derive(Clone, Debug)]
enum Op {
    Put(usize, f64),
    Remove(usize),
    /// Some members with scores that grow, fall, are equal, or are anything.
    Grow(usize, u8),
    Shrink(usize),
    RemoveRange(usize, usize),
    Rescore(usize),
}

fn score() -> impl Strategy<Value = f64> {
    prop_oneof![
        4 => (-3_i32..3).prop_map(f64::from),
        2 => any::<f64>().prop_filter("a number", |score| !score.is_nan()),
        1 => prop::sample::select(vec![0.0, -0.0, f64::INFINITY, f64::NEG_INFINITY]),
    ]
}

fn op() -> impl Strategy<Value = Op> {
    prop_oneof![
        8 => (0_usize..150, score()).prop_map(|(n, score)| Op::Put(n, score)),
        4 => (0_usize..150).prop_map(Op::Remove),
        3 => (0_usize..1500, 0_u8..5).prop_map(|(count, kind)| Op::Grow(count, kind)),
        2 => (0_usize..2500).prop_map(Op::Shrink),
        2 => (0_usize..3000, 0_usize..1500).prop_map(|(at, count)| Op::RemoveRange(at, count)),
        2 => (0_usize..600).prop_map(Op::Rescore),
    ]
}

fn name(number: usize) -> Vec<u8> {
    let mut name = key(number);
    match number % 11 {
        3 => name.resize(128, b'x'),
        5 => name.resize(129, b'x'),
        7 => name.splice(0..0, [b'y'; 300]).for_each(drop),
        9 => name = vec![b'z'; number],
        _ => {}
    }
    name
}

struct Pair {
    ranked: Ranked,
    model: Model,
    hash: fn(&[u8]) -> u64,
    grown: std::ops::Range<usize>,
}

impl Pair {
    fn new(hash: fn(&[u8]) -> u64) -> Self {
        Self {
            ranked: Ranked::new(),
            model: Model::default(),
            hash,
            grown: 1000..1000,
        }
    }

    fn put(&mut self, member: &[u8], score: f64) {
        let old = self
            .ranked
            .insert((self.hash)(member), member, score, &self.hash);
        assert_eq!(old, self.model.insert(member, score));
    }

    fn remove(&mut self, member: &[u8]) {
        let old = self.ranked.remove((self.hash)(member), member, &self.hash);
        assert_eq!(old, self.model.remove(member));
    }

    fn remove_range(&mut self, range: std::ops::Range<usize>) {
        let expected = self.model.order.iter().take(range.end).skip(range.start);
        let expected: Vec<_> = expected.cloned().collect();
        let mut gone = Vec::new();
        let mut note = |member: &[u8], score| gone.push((Score(score), member.to_vec()));
        self.ranked.remove_range(range, &self.hash, &mut note);
        assert_eq!(gone, expected);
        for (_, member) in gone {
            self.model.remove(&member);
        }
    }

    fn run(&mut self, op: Op) {
        match op {
            Op::Put(number, score) => self.put(&name(number), score),
            Op::Remove(number) => self.remove(&name(number)),
            Op::Grow(count, kind) => {
                for n in self.grown.end..self.grown.end + count {
                    let score = match kind {
                        0 => n as f64,
                        1 => -(n as f64),
                        2 => 7.0,
                        3 => (n % 3) as f64,
                        _ => (mixed(n as u64) >> 40) as f64,
                    };
                    self.put(&key(n), score);
                }
                self.grown.end += count;
            }
            Op::Shrink(count) => {
                let count = count.min(self.grown.len());
                (self.grown.start..self.grown.start + count).for_each(|n| self.remove(&key(n)));
                self.grown.start += count;
            }
            Op::RemoveRange(at, count) => self.remove_range(at..at + count),
            Op::Rescore(count) => {
                let members: Vec<_> = self.model.scores.keys().take(count).cloned().collect();
                for (n, member) in members.iter().enumerate() {
                    let old = self.model.scores[member];
                    let new = if n % 2 == 0 {
                        old / 2.0
                    } else {
                        (n % 50) as f64
                    };
                    self.put(member, new);
                }
            }
        }
    }

    fn compare(&self) {
        self.ranked.check(&self.hash);
        assert_eq!(self.ranked.len(), self.model.scores.len());
        let pairs = |pairs: &mut dyn Iterator<Item = (&[u8], f64)>| -> Vec<_> {
            pairs
                .map(|(member, score)| (Score(score), member.to_vec()))
                .collect()
        };
        let all: Vec<_> = self.model.order.iter().cloned().collect();
        assert_eq!(pairs(&mut self.ranked.iter_from(0)), all);
        let mut back = pairs(&mut self.ranked.rev_iter_from(usize::MAX));
        back.reverse();
        assert_eq!(back, all);
        for (rank, (Score(score), member)) in all.iter().enumerate() {
            let hash = (self.hash)(member);
            (0..Ranked::PREFETCH_STEPS).for_each(|step| self.ranked.prefetch(hash, step));
            assert_eq!(self.ranked.rank(hash, member), Some((rank, *score)));
            assert_eq!(self.ranked.score(hash, member), Some(*score));
            if rank % 17 != 0 {
                continue;
            }
            assert_eq!(self.ranked.at(rank), Some((&member[..], *score)));
            let key = (Score(*score), member.clone());
            let before = |score, member: &[u8]| (Score(score), member) < (key.0, &key.1[..]);
            assert_eq!(self.ranked.partition_point(&before), rank);
            let below = all.partition_point(|(held, _)| held.0 < *score);
            assert_eq!(self.ranked.partition_point(&|held, _| held < *score), below);
            let not_above = all.partition_point(|(held, _)| held.0 <= *score);
            assert_eq!(
                self.ranked.partition_point(&|held, _| held <= *score),
                not_above
            );
            let ahead = self.ranked.iter_from(rank).nth(3).map(|(member, _)| member);
            assert_eq!(ahead, all.get(rank + 3).map(|(_, member)| &member[..]));
            let (ranks, mut shown) = (rank..(rank + 150).min(all.len()), Vec::new());
            self.ranked.visit(ranks.clone(), |member, score| {
                shown.push((Score(score), member.to_vec()));
            });
            assert_eq!(shown, all[ranks]);
            let behind = self
                .ranked
                .rev_iter_from(rank)
                .nth(3)
                .map(|(member, _)| member);
            let expected = rank.checked_sub(3).map(|rank| &all[rank].1[..]);
            assert_eq!(behind, expected);
        }
        assert_eq!(self.ranked.at(all.len()), None);
        assert_eq!(self.ranked.iter_from(all.len()).count(), 0);
        assert_eq!(self.ranked.score((self.hash)(b"absent"), b"absent"), None);
    }
}

fn agree(ops: Vec<Op>, hash: fn(&[u8]) -> u64) {
    let mut pair = Pair::new(hash);
    let every = ops.len() / 4 + 1;
    for (at, op) in ops.into_iter().enumerate() {
        pair.run(op);
        if at % every == 0 {
            pair.compare();
        }
    }
    pair.compare();
    let copy = pair.ranked.clone();
    copy.check(&hash);
    let members: Vec<_> = pair.model.scores.keys().cloned().collect();
    members.iter().for_each(|member| pair.remove(member));
    pair.compare();
    // The last leaf may have a late name, which keeps the cells of all before it.
    let most = 8192 + pair.grown.end;
    assert!(pair.ranked.memory() < most, "what is empty needs little");
    pair.ranked = copy;
    let mut seen = BTreeMap::new();
    let mut cursor = 0;
    loop {
        cursor = pair.ranked.scan(cursor, &hash, &mut |member, score| {
            seen.insert(member.to_vec(), score.to_bits());
        });
        if cursor == 0 {
            break;
        }
    }
    assert_eq!(seen.len(), pair.ranked.len());
    drain(pair.ranked, 100);
}

fn drain(mut ranked: Ranked, budget: u32) -> usize {
    let mut calls = 0;
    while !ranked.is_empty() {
        let before = ranked.len();
        ranked.drain(&mut budget.clone());
        assert!(before - ranked.len() < budget as usize + 64);
        calls += 1;
    }
    if calls > 0 {
        assert_eq!(ranked.memory(), Ranked::new().memory(), "nothing is left");
    }
    assert_eq!(ranked.insert(1, b"a", 1.0, &|_| 1), None);
    ranked.check(&|_| 1);
    calls
}

/// A hash that knows only some buckets and few bytes to tell members by.
fn poor_hash(member: &[u8]) -> u64 {
    hash(member) & 0x0000_0000_0300_0ff0
}

proptest! {
    #![proptest_config(ProptestConfig::with_cases(48))]

    #[test]
    fn ranked_agrees_with_an_ordered_map(ops in prop::collection::vec(op(), 1..60)) {
        agree(ops, hash);
    }

    #[test]
    fn ranked_with_a_poor_hash_agrees_with_an_ordered_map(
        ops in prop::collection::vec(op(), 1..20),
    ) {
        agree(ops, poor_hash);
    }

    #[test]
    fn a_scan_meets_every_member_that_stays(
        stable in 1_usize..400,
        before in 0_usize..3000,
        acts in prop::collection::vec((0_u8..4, 1_usize..2500), 0..20),
    ) {
        let mut pair = Pair::new(hash);
        pair.grown = stable..stable + before;
        (0..pair.grown.end).for_each(|n| pair.put(&key(n), (n % 10) as f64));
        let mut seen = BTreeSet::new();
        let (mut cursor, mut is_done) = (0, false);
        for (kind, count) in acts.into_iter().chain([(2, usize::MAX)]) {
            match kind {
                0 => pair.run(Op::Grow(count, 4)),
                1 => pair.run(Op::Shrink(count)),
                2 => {
                    for _ in 0..count / 10 {
                        if is_done {
                            break;
                        }
                        cursor = pair.ranked.scan(cursor, &hash, &mut |member, _| {
                            seen.insert(member.to_vec());
                        });
                        is_done = cursor == 0;
                    }
                }
                _ => pair.run(Op::Rescore(count)),
            }
        }
        prop_assert!((0..stable).all(|n| seen.contains(&key(n))));
        pair.ranked.check(&hash);
    }
}

#[test]
fn growing_and_falling_scores_fill_leaves() {
    for sign in [1.0, -1.0] {
        let mut pair = Pair::new(hash);
        (0..20_000).for_each(|n| pair.put(&key(n), sign * n as f64));
        pair.compare();
        assert!(pair.ranked.tree.leaves.len() <= 20_000 / 64 + 1);
        assert!(pair.ranked.tree.inners.len() <= 8);
        // At a ragged size a range is removed from the middle, the front and the end.
        for range in [
            7000..13_000,
            0..1,
            0..500,
            13_000..99_999,
            5..13_400,
            3..9,
            0..99_999,
        ] {
            pair.remove_range(range);
            pair.compare();
        }
    }
}

#[test]
fn both_zeros_are_one_score() {
    let mut pair = Pair::new(hash);
    for (n, zero) in (0..300).zip([0.0, -0.0].into_iter().cycle()) {
        pair.put(&key(n * 7 % 300), zero);
    }
    pair.compare();
    assert_eq!(
        pair.ranked.insert(hash(&key(0)), &key(0), -0.0, &hash),
        Some(0.0)
    );
    pair.compare();
}

#[test]
fn long_members_with_common_beginnings_and_one_score_are_in_order() {
    let mut pair = Pair::new(hash);
    for n in 0..3000_usize {
        let mut member = vec![b'a'; 200 + n * 13 % 50];
        member.extend_from_slice(&key(n * 2741 % 3000));
        pair.put(&member, 1.0);
    }
    pair.compare();
    assert!(drain(pair.ranked, 50) > 60, "piece by piece");
}

#[test]
#[should_panic(expected = "a score has a place in the order")]
fn a_score_that_is_no_number_is_refused() {
    Ranked::new().insert(1, b"a", f64::NAN, &hash);
}
