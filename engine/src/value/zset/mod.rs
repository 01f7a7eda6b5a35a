//! Sorted sets: a listpack in the key's record, or ranked members of their own.
//!
//! A sorted set leaves its record when it gets too many members or one that is too long, and does
//! not come back: only what is stored as a whole is small again.

mod large;
mod small;
#[cfg(test)]
mod tests;

pub use large::Zset;
pub use small::Pairs;

use super::{TAG_ZSET, Value};
use ahash::RandomState;
use dovetail_memory::listpack::{EMPTY, Item};
use dovetail_memory::{Body, EntryMut, EntryRef, NewBody, VacantEntry};
use std::ops::Range;

/// How large a sorted set in a record may get, and how the members of a larger one are hashed.
#[derive(Clone, Debug)]
pub struct Rules {
    /// Most members, as `zset-max-listpack-entries` says.
    pub entries: usize,
    /// Most bytes of a member, as `zset-max-listpack-value` says.
    pub value: usize,
    /// The hasher.
    pub hasher: RandomState,
}

impl Rules {
    /// Whether a record may hold so many members, the longest of so many bytes.
    fn admit(&self, members: usize, longest: usize) -> bool {
        members <= self.entries && longest <= self.value
    }
}

/// In which order members are visited.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Direction {
    /// Lowest score first.
    Up,
    /// Highest score first.
    Down,
}

/// A sorted set to read.
#[derive(Clone, Copy, Debug)]
pub enum ZsetRef<'a> {
    /// In the record.
    Small(Pairs<'a>),
    /// In leaves.
    Large(&'a Zset),
}

impl<'a> ZsetRef<'a> {
    /// The sorted set in `entry`; `None` when it holds another type.
    #[must_use]
    #[inline]
    pub fn of(entry: EntryRef<'a, Value>) -> Option<Self> {
        match entry.body() {
            Body::Bytes(bytes) if entry.tag() == TAG_ZSET => Some(Self::Small(Pairs::new(bytes))),
            Body::Object(Value::Zset(zset)) => Some(Self::Large(zset)),
            _ => None,
        }
    }

    /// How many members it has.
    #[must_use]
    #[inline]
    pub fn len(self) -> usize {
        match self {
            Self::Small(pairs) => pairs.len(),
            Self::Large(zset) => zset.len(),
        }
    }

    /// No member at all, which no key holds.
    #[must_use]
    pub fn is_empty(self) -> bool {
        self.len() == 0
    }

    /// The score of `member`.
    #[must_use]
    #[inline]
    pub fn score(self, member: &[u8]) -> Option<f64> {
        match self {
            Self::Small(pairs) => pairs.score(member),
            Self::Large(zset) => zset.score(member),
        }
    }

    /// The rank of `member`, from 0 and lowest score first, and its score.
    #[must_use]
    #[inline]
    pub fn rank(self, member: &[u8]) -> Option<(usize, f64)> {
        match self {
            Self::Small(pairs) => pairs.rank(member),
            Self::Large(zset) => zset.rank(member),
        }
    }

    /// How many members at the front fulfil `holds`, which none does behind one that does not.
    ///
    /// It may also be asked about what lies between two members: a score with the beginning of a
    /// member, or with no bytes.
    #[must_use]
    pub fn partition_point(self, holds: &dyn Fn(f64, &[u8]) -> bool) -> usize {
        match self {
            Self::Small(pairs) => pairs.partition_point(holds),
            Self::Large(zset) => zset.partition_point(holds),
        }
    }

    /// The member of number `rank`, lowest score first, with its score.
    #[must_use]
    pub fn at(self, rank: usize) -> Option<(Item<'a>, f64)> {
        match self {
            Self::Small(pairs) => pairs.iter_from(rank).next(),
            Self::Large(zset) => {
                let (member, score) = zset.at(rank)?;
                Some((Item::Bytes(member), score))
            }
        }
    }

    /// Lets `visit` see the members of these ranks (lowest score first, all of which exist) with
    /// their scores, in either order.
    #[inline]
    pub fn range(
        self,
        ranks: Range<usize>,
        direction: Direction,
        mut visit: impl FnMut(Item<'_>, f64),
    ) {
        let count = ranks.len();
        if count == 0 {
            return;
        }
        let mut visit = |(member, score): (Item<'_>, f64)| visit(member, score);
        let item = |(member, score)| (Item::Bytes(member), score);
        match (self, direction) {
            (Self::Small(pairs), Direction::Up) => {
                pairs.iter_from(ranks.start).take(count).for_each(visit);
            }
            (Self::Small(pairs), Direction::Down) => {
                pairs.rev_iter_before(ranks.end).take(count).for_each(visit);
            }
            (Self::Large(zset), Direction::Up) => {
                zset.visit(ranks, |member, score| visit(item((member, score))));
            }
            (Self::Large(zset), Direction::Down) => {
                let pairs = zset.rev_iter_from(ranks.end - 1).take(count);
                pairs.for_each(|pair| visit(item(pair)));
            }
        }
    }

    /// Lets `visit` see all members with their scores, lowest score first, until it says stop.
    pub fn visit(self, visit: &mut dyn FnMut(Item<'_>, f64) -> bool) {
        let _stopped = match self {
            Self::Small(pairs) => pairs.iter().all(|(member, score)| visit(member, score)),
            Self::Large(zset) => zset
                .iter_from(0)
                .all(|(member, score)| visit(Item::Bytes(member), score)),
        };
    }

    /// One step of a scan; returns the next cursor, 0 at the end. A small one is seen whole.
    pub fn scan(self, cursor: u64, visit: &mut dyn FnMut(Item<'_>, f64)) -> u64 {
        match self {
            Self::Small(pairs) => {
                pairs
                    .iter()
                    .for_each(|(member, score)| visit(member, score));
                0
            }
            Self::Large(zset) => zset.scan(cursor, &mut |member, score| {
                visit(Item::Bytes(member), score);
            }),
        }
    }
}

/// Makes a sorted set of one member, which `members` in all are about to be given, the longest of
/// `longest` bytes.
pub fn create<'a>(
    place: VacantEntry<'a, Value>,
    (member, score): (&[u8], f64),
    (members, longest): (usize, usize),
    rules: &Rules,
) -> EntryMut<'a, Value> {
    if rules.admit(members, longest) {
        let mut pack = Vec::with_capacity(EMPTY.len() + member.len() + 40);
        pack.extend_from_slice(&EMPTY);
        small::push(&mut pack, member, score);
        return place.insert(TAG_ZSET, NewBody::Bytes(&pack), None);
    }
    let mut zset = Zset::new(rules.hasher.clone());
    zset.insert(member, score);
    let value = Value::Zset(Box::new(zset));
    place.insert(TAG_ZSET, NewBody::Object(Box::new(value)), None)
}

/// Makes the sorted set in `entry` ready for being given so many members, the longest of `longest`
/// bytes, be they new or not.
///
/// # Panics
/// When it holds no sorted set, here and below.
#[inline]
pub fn expect_members(
    entry: &mut EntryMut<'_, Value>,
    (members, longest): (usize, usize),
    rules: &Rules,
) {
    if !rules.admit(members, longest) {
        enlarge(entry, rules);
    }
}

/// Gives `member` this score, which is a number; returns the one that it had.
#[inline]
pub fn insert(
    entry: &mut EntryMut<'_, Value>,
    member: &[u8],
    score: f64,
    rules: &Rules,
) -> Option<f64> {
    if let Body::Bytes(bytes) = entry.body() {
        let pairs = Pairs::new(bytes);
        if rules.admit(pairs.len() + 1, member.len()) || pairs.score(member).is_some() {
            return small::insert(entry, member, score);
        }
        enlarge(entry, rules);
    }
    large(entry).insert(member, score)
}

/// Takes `member` out and returns its score. None may be left: the caller removes the key then, here
/// and below.
#[inline]
pub fn remove(entry: &mut EntryMut<'_, Value>, member: &[u8]) -> Option<f64> {
    match entry.body() {
        Body::Bytes(_) => small::remove(entry, member),
        _ => large(entry).remove(member),
    }
}

/// Takes the members of these ranks out, all of which exist.
pub fn remove_range(entry: &mut EntryMut<'_, Value>, ranks: Range<usize>) {
    if ranks.is_empty() {
        return;
    }
    match entry.body() {
        Body::Bytes(_) => small::remove_range(entry, ranks),
        _ => large(entry).remove_range(ranks),
    }
}

/// Puts a member behind all others of the listpack of a small one, where it belongs.
pub(super) fn push_pair(pack: &mut Vec<u8>, member: &[u8], score: f64) {
    small::push(pack, member, score);
}

/// Hands what `zset` is stored as to `put`: tag and body.
pub fn store<R>(zset: Zset, rules: &Rules, put: impl FnOnce(u8, NewBody<'_, Value>) -> R) -> R {
    let fits = |zset: &Zset| {
        let mut members = zset.iter_from(0);
        members.all(|(member, _)| member.len() <= rules.value)
    };
    if zset.len() > rules.entries || !fits(&zset) {
        let value = Value::Zset(Box::new(zset));
        return put(TAG_ZSET, NewBody::Object(Box::new(value)));
    }
    let mut pack = EMPTY.to_vec();
    for (member, score) in zset.iter_from(0) {
        small::push(&mut pack, member, score);
    }
    put(TAG_ZSET, NewBody::Bytes(&pack))
}

fn large<'a>(entry: &'a mut EntryMut<'_, Value>) -> &'a mut Zset {
    match entry.object_mut() {
        Some(Value::Zset(zset)) => zset,
        _ => unreachable!("the caller has seen that it is a sorted set"),
    }
}

/// Moves a sorted set out of its record.
#[cold]
fn enlarge(entry: &mut EntryMut<'_, Value>, rules: &Rules) {
    if let Body::Bytes(bytes) = entry.body() {
        let mut zset = Zset::new(rules.hasher.clone());
        for (member, score) in Pairs::new(bytes).iter() {
            super::with_text(member, |member| zset.insert(member, score));
        }
        let value = Value::Zset(Box::new(zset));
        entry.set(TAG_ZSET, NewBody::Object(Box::new(value)));
    }
}

/// What OBJECT ENCODING says of the sorted set in `entry`.
#[must_use]
pub fn encoding(entry: EntryRef<'_, Value>) -> &'static str {
    match entry.body() {
        Body::Object(_) => "skiplist",
        _ => "listpack",
    }
}
