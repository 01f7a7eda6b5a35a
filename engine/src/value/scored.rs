//! What sorted sets are united with, intersected with and taken from: members with scores, be they
//! those of a sorted set, or of a set, where each has the score 1.

use super::set::SetRef;
use super::zset::ZsetRef;
use super::{Item, Kind, Value, kind_of, with_text};
use dovetail_memory::EntryRef;

/// The score of every member of a plain set.
const PLAIN: f64 = 1.0;

/// Members with scores, to read.
#[derive(Clone, Copy, Debug)]
pub enum Scored<'a> {
    /// A sorted set's.
    Zset(ZsetRef<'a>),
    /// A set's.
    Set(SetRef<'a>),
}

impl<'a> Scored<'a> {
    /// Those in `entry`; `None` when it holds neither.
    #[must_use]
    pub fn of(entry: EntryRef<'a, Value>) -> Option<Self> {
        match kind_of(entry) {
            Kind::SortedSet => ZsetRef::of(entry).map(Self::Zset),
            Kind::Set => SetRef::of(entry).map(Self::Set),
            _ => None,
        }
    }

    /// How many there are.
    #[must_use]
    pub fn len(self) -> usize {
        match self {
            Self::Zset(zset) => zset.len(),
            Self::Set(set) => set.len(),
        }
    }

    /// None at all, which no key holds.
    #[must_use]
    pub fn is_empty(self) -> bool {
        self.len() == 0
    }

    /// The score of `member`.
    #[must_use]
    pub fn score(self, member: Item<'_>) -> Option<f64> {
        match self {
            Self::Zset(zset) => with_text(member, |member| zset.score(member)),
            Self::Set(set) => set.contains_item(member).then_some(PLAIN),
        }
    }

    /// Lets `visit` see all of them until it says stop.
    pub fn visit(self, visit: &mut dyn FnMut(Item<'_>, f64) -> bool) {
        match self {
            Self::Zset(zset) => zset.visit(visit),
            Self::Set(set) => set.visit(|member| visit(member, PLAIN)),
        }
    }
}
