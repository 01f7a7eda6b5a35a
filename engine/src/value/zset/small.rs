//! Small sorted sets: a listpack of members, each with its score behind it.
//!
//! Invariants: 1. pairs ascend by score, then by the members' bytes; 2. a score is an integer if it
//! is written as one, else its shortest text.
//! Cost: everything is a walk.

use crate::base::double::{DoubleText, integral, parse_written};
use crate::value::{item_of, with_text};
use dovetail_memory::Splice;
use dovetail_memory::listpack::{self, Encoded, Item, Listpack};
use std::cmp::Ordering;
use std::ops::Range;

/// A small sorted set to read. Positions are those of members in the listpack.
#[derive(Clone, Copy, Debug)]
pub struct Pairs<'a>(Listpack<'a>);

/// Lets `with` have `score` as an element.
fn with_score<R>(score: f64, with: impl FnOnce(Item<'_>) -> R) -> R {
    match integral(score) {
        Some(whole) => with(Item::Int(whole)),
        None => with(item_of(DoubleText::of(score).as_bytes())),
    }
}

/// The score that is kept as `item`.
#[inline]
fn score_of(item: Item<'_>) -> f64 {
    match item {
        #[expect(
            clippy::cast_precision_loss,
            reason = "an integer here was a double before"
        )]
        Item::Int(whole) => whole as f64,
        Item::Bytes(text) => parse_written(text),
    }
}

/// Compares by score, then bytes.
#[inline]
fn compare(held: (Item<'_>, f64), score: f64, member: &[u8]) -> Ordering {
    let by_score = held.1.partial_cmp(&score).unwrap_or(Ordering::Equal);
    by_score.then_with(|| with_text(held.0, |text| text.cmp(member)))
}

impl<'a> Pairs<'a> {
    /// Reads the bytes of a record.
    #[inline]
    pub(super) fn new(bytes: &'a [u8]) -> Self {
        Self(Listpack::new(bytes))
    }

    /// How many members there are.
    #[inline]
    pub(super) fn len(self) -> usize {
        self.0.len() / 2
    }

    /// The member at `at` with its score, and the position of the next.
    #[inline]
    fn pair(self, at: usize) -> ((Item<'a>, f64), usize) {
        let (member, at) = self.0.step(at);
        let (score, next) = self.0.step(at);
        ((member, score_of(score)), next)
    }

    /// The score of the member at `at`.
    fn score_at(self, at: usize) -> f64 {
        score_of(self.0.item(self.0.next(at)))
    }

    /// The pair before `at`, and its position.
    fn pair_before(self, at: usize) -> ((Item<'a>, f64), usize) {
        let score = self.0.before(at);
        let member = self.0.before(score);
        ((self.0.item(member), score_of(self.0.item(score))), member)
    }

    /// Where `member` is.
    #[inline]
    fn find(self, member: &[u8]) -> Option<usize> {
        let wanted = Encoded::new(item_of(member));
        self.0.find(self.0.begin(), &wanted, 2)
    }

    /// The score of `member`.
    #[inline]
    pub(super) fn score(self, member: &[u8]) -> Option<f64> {
        self.find(member).map(|at| self.score_at(at))
    }

    /// The rank of `member`, from 0, and its score.
    pub(super) fn rank(self, member: &[u8]) -> Option<(usize, f64)> {
        let at = self.find(member)?;
        let rank = self.0.between(self.0.begin(), at).count() / 2;
        Some((rank, self.score_at(at)))
    }

    /// How many members at the front fulfil `holds`.
    pub(super) fn partition_point(self, holds: &dyn Fn(f64, &[u8]) -> bool) -> usize {
        let before =
            |(member, score): &(Item<'_>, f64)| with_text(*member, |text| holds(*score, text));
        self.iter().take_while(before).count()
    }

    /// All pairs.
    pub(super) fn iter(self) -> impl Iterator<Item = (Item<'a>, f64)> {
        self.iter_from(0)
    }

    /// The pairs from number `rank` on.
    pub(super) fn iter_from(self, rank: usize) -> impl Iterator<Item = (Item<'a>, f64)> {
        let mut at = self.0.seek(2 * rank);
        std::iter::from_fn(move || {
            let pair;
            if at == self.0.end() {
                return None;
            }
            (pair, at) = self.pair(at);
            Some(pair)
        })
    }

    /// The pairs before number `rank`, back to the first.
    pub(super) fn rev_iter_before(self, rank: usize) -> impl Iterator<Item = (Item<'a>, f64)> {
        let mut at = self.0.seek(2 * rank);
        std::iter::from_fn(move || {
            let pair;
            if at == self.0.begin() {
                return None;
            }
            (pair, at) = self.pair_before(at);
            Some(pair)
        })
    }

    /// Where a pair belongs.
    fn place(self, score: f64, member: &[u8]) -> usize {
        let (mut at, end) = (self.0.begin(), self.0.end());
        // What comes in its order goes to the end.
        if at < end && compare(self.pair_before(end).0, score, member) == Ordering::Less {
            return end;
        }
        while at < end {
            let (pair, next) = self.pair(at);
            if compare(pair, score, member) == Ordering::Greater {
                break;
            }
            at = next;
        }
        at
    }

    /// Whether the pair from `at` to `end` may have another score where it is.
    fn may_stay(self, at: usize, end: usize, score: f64, member: &[u8]) -> bool {
        let is_behind_left = at == self.0.begin()
            || compare(self.pair_before(at).0, score, member) == Ordering::Less;
        is_behind_left
            && (end == self.0.end()
                || compare(self.pair(end).0, score, member) == Ordering::Greater)
    }
}

/// Gives `member` this score, and adds it if it is not there. Returns the score that it had.
#[inline]
pub(super) fn insert(buffer: &mut impl Splice, member: &[u8], score: f64) -> Option<f64> {
    let pairs = Pairs::new(buffer.bytes());
    let found = pairs.find(member);
    let Some(at) = found else {
        add(buffer, member, score);
        return None;
    };
    let (before, end) = (pairs.score_at(at), pairs.pair(at).1);
    if before == score {
        return Some(before);
    }
    if pairs.may_stay(at, end, score, member) {
        let at = pairs.0.next(at);
        with_score(score, |item| {
            listpack::replace(buffer, at, &Encoded::new(item));
        });
    } else {
        listpack::remove(buffer, at, end, 2);
        add(buffer, member, score);
    }
    Some(before)
}

/// Adds a member that is not there.
#[inline]
pub(super) fn add(buffer: &mut impl Splice, member: &[u8], score: f64) {
    let at = Pairs::new(buffer.bytes()).place(score, member);
    with_score(score, |score| {
        let pair = [Encoded::new(item_of(member)), Encoded::new(score)];
        listpack::insert_all(buffer, at, &pair);
    });
}

/// Adds a member behind all others, where it belongs.
pub(super) fn push(buffer: &mut impl Splice, member: &[u8], score: f64) {
    let end = buffer.bytes().len();
    with_score(score, |score| {
        let pair = [Encoded::new(item_of(member)), Encoded::new(score)];
        listpack::insert_all(buffer, end, &pair);
    });
}

/// Takes `member` out and returns its score.
pub(super) fn remove(buffer: &mut impl Splice, member: &[u8]) -> Option<f64> {
    let pairs = Pairs::new(buffer.bytes());
    let at = pairs.find(member)?;
    let (score, end) = (pairs.score_at(at), pairs.pair(at).1);
    listpack::remove(buffer, at, end, 2);
    Some(score)
}

/// Takes the members of these ranks out, all of which exist.
pub(super) fn remove_range(buffer: &mut impl Splice, ranks: Range<usize>) {
    let pack = Pairs::new(buffer.bytes()).0;
    let (from, to) = (pack.seek(2 * ranks.start), pack.seek(2 * ranks.end));
    listpack::remove(buffer, from, to, 2 * ranks.len());
}
