//! Sorted sets: the bounds of ranges by score and by name.

use crate::base::double::parse_bound;
use crate::command::CmdError;
use crate::value::zset::ZsetRef;
use std::ops::Range;

/// The ranks between two partition points.
fn between(start: usize, end: usize) -> Range<usize> {
    start..end.max(start)
}

/// The lower or upper end of a range of scores.
#[derive(Clone, Copy, Debug)]
struct ScoreBound {
    score: f64,
    is_exclusive: bool,
}

impl ScoreBound {
    fn read(word: &[u8]) -> Result<Self, CmdError> {
        let (text, is_exclusive) = match word {
            [b'(', text @ ..] => (text, true),
            _ => (word, false),
        };
        let score = parse_bound(text).ok_or(CmdError::fixed("ERR min or max is not a float"))?;
        Ok(Self {
            score,
            is_exclusive,
        })
    }
}

/// A range of scores.
#[derive(Clone, Copy, Debug)]
pub(super) struct ScoreRange {
    min: ScoreBound,
    max: ScoreBound,
}

impl ScoreRange {
    /// Reads both ends.
    pub(super) fn read(min: &[u8], max: &[u8]) -> Result<Self, CmdError> {
        let (min, max) = (ScoreBound::read(min)?, ScoreBound::read(max)?);
        Ok(Self { min, max })
    }

    /// The ranks of the members in it.
    pub(super) fn ranks(&self, zset: ZsetRef<'_>) -> Range<usize> {
        let Self { min, max } = *self;
        let start = zset.partition_point(&|score, _| {
            score < min.score || min.is_exclusive && score == min.score
        });
        let end = zset.partition_point(&|score, _| {
            score < max.score || !max.is_exclusive && score == max.score
        });
        between(start, end)
    }
}

/// The lower or upper end of a range of names.
#[derive(Clone, Copy, Debug)]
enum LexBound<'a> {
    /// `-`: before all names.
    Lowest,
    /// `+`: behind all names.
    Highest,
    /// `[name`.
    With(&'a [u8]),
    /// `(name`.
    Without(&'a [u8]),
}

impl<'a> LexBound<'a> {
    fn read(word: &'a [u8]) -> Result<Self, CmdError> {
        match word {
            b"-" => Ok(Self::Lowest),
            b"+" => Ok(Self::Highest),
            [b'[', name @ ..] => Ok(Self::With(name)),
            [b'(', name @ ..] => Ok(Self::Without(name)),
            _ => Err(CmdError::fixed(
                "ERR min or max not valid string range item",
            )),
        }
    }

    /// Whether `name` is outside the range of which this is the lower end.
    fn is_above(self, name: &[u8]) -> bool {
        match self {
            Self::Lowest => false,
            Self::Highest => true,
            Self::With(bound) => name < bound,
            Self::Without(bound) => name <= bound,
        }
    }

    /// Whether `name` is inside the range of which this is the upper end.
    fn admits(self, name: &[u8]) -> bool {
        match self {
            Self::Lowest => false,
            Self::Highest => true,
            Self::With(bound) => name <= bound,
            Self::Without(bound) => name < bound,
        }
    }
}

/// A range of names, among members that all have the same score.
#[derive(Clone, Copy, Debug)]
pub(super) struct LexRange<'a> {
    min: LexBound<'a>,
    max: LexBound<'a>,
}

impl<'a> LexRange<'a> {
    /// Reads both ends.
    pub(super) fn read(min: &'a [u8], max: &'a [u8]) -> Result<Self, CmdError> {
        let (min, max) = (LexBound::read(min)?, LexBound::read(max)?);
        Ok(Self { min, max })
    }

    /// The ranks of the members in it.
    pub(super) fn ranks(&self, zset: ZsetRef<'_>) -> Range<usize> {
        let Self { min, max } = *self;
        let start = zset.partition_point(&|_, name| min.is_above(name));
        let end = zset.partition_point(&|_, name| max.admits(name));
        between(start, end)
    }
}
