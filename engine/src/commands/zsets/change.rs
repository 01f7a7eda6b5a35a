//! Sorted sets: adding members and changing scores, removing members.

use super::bounds::{LexRange, ScoreRange};
use super::{rules, score_at, zset_of};
use crate::command::collections::{announce, range_of, remove_emptied, remove_words};
use crate::command::options::{integer, is};
use crate::command::{CmdError, Ctx, Flags, Group, KeyFlags, Keys, Outcome, Spec};
use crate::keyspace::{Entry, EventClasses, Stored};
use crate::resp::Args;
use crate::value::Value;
use crate::value::zset::{self, Rules, ZsetRef};
use dovetail_memory::{EntryMut, Lookup};
use std::ops::Range;

const RANGE_COST: &str =
    "O(log(N)+M) where N is the size of the sorted set and M the number of members removed";

/// The rows.
pub const SPECS: &[Spec] = &[
    Spec::new("zadd", -4, zadd)
        .of(
            Group::SortedSet,
            "1.2.0",
            "O(log(N)) for each member, where N is the size of the sorted set",
        )
        .flags(Flags::WRITE.and(Flags::DENYOOM).and(Flags::FAST))
        .keys(&[Keys::first(KeyFlags::RW.and(KeyFlags::UPDATE))])
        .doc(
            "key [NX|XX] [GT|LT] [CH] [INCR] score member [score member ...]",
            "Adds members to a sorted set, or gives them other scores.",
        )
        .history(&[
            ("2.4.0", "Several members."),
            ("3.0.2", "`XX`, `NX`, `CH` and `INCR`."),
            ("6.2.0", "`GT` and `LT`."),
        ]),
    Spec::new("zincrby", 4, zincrby)
        .of(
            Group::SortedSet,
            "1.2.0",
            "O(log(N)) where N is the size of the sorted set",
        )
        .flags(Flags::WRITE.and(Flags::DENYOOM).and(Flags::FAST))
        .keys(&[Keys::first(
            KeyFlags::RW.and(KeyFlags::ACCESS).and(KeyFlags::UPDATE),
        )])
        .doc(
            "key increment member",
            "Adds to the score of a member of a sorted set.",
        ),
    Spec::new("zrem", -3, zrem)
        .of(
            Group::SortedSet,
            "1.2.0",
            "O(M*log(N)) where N is the size of the sorted set and M the number of members",
        )
        .flags(Flags::WRITE.and(Flags::FAST))
        .keys(&[Keys::first(KeyFlags::RW.and(KeyFlags::DELETE))])
        .doc(
            "key member [member ...]",
            "Removes members of a sorted set.",
        )
        .history(&[("2.4.0", "Several members.")]),
    Spec::new("zremrangebyrank", 4, zremrangebyrank)
        .of(Group::SortedSet, "2.0.0", RANGE_COST)
        .flags(Flags::WRITE)
        .keys(&[Keys::first(KeyFlags::RW.and(KeyFlags::DELETE))])
        .doc(
            "key start stop",
            "Removes the members within a range of ranks.",
        ),
    Spec::new("zremrangebyscore", 4, zremrangebyscore)
        .of(Group::SortedSet, "1.2.0", RANGE_COST)
        .flags(Flags::WRITE)
        .keys(&[Keys::first(KeyFlags::RW.and(KeyFlags::DELETE))])
        .doc(
            "key min max",
            "Removes the members whose scores are within a range.",
        ),
    Spec::new("zremrangebylex", 4, zremrangebylex)
        .of(Group::SortedSet, "2.8.9", RANGE_COST)
        .flags(Flags::WRITE)
        .keys(&[Keys::first(KeyFlags::RW.and(KeyFlags::DELETE))])
        .doc(
            "key min max",
            "Removes the members within a range of names.",
        ),
];

/// ZADD key [NX|XX] [GT|LT] [CH] [INCR] score member [score member ...]
///
/// Replies: how many members are new, with CH or have changed; with INCR the score, null when there
/// was nothing to do.
fn zadd(ctx: &mut Ctx<'_>, args: &Args<'_>) -> Outcome {
    let (how, first) = How::read(args)?;
    add(ctx, args, how, first)
}

/// ZINCRBY key increment member
///
/// Replies: the new score.
fn zincrby(ctx: &mut Ctx<'_>, args: &Args<'_>) -> Outcome {
    let how = How {
        adds_up: true,
        ..How::default()
    };
    add(ctx, args, how, 2)
}

/// What ZADD does about members that are there, and that are not.
#[derive(Clone, Copy, Debug, Default)]
struct How {
    only_new: bool,
    only_known: bool,
    only_greater: bool,
    only_less: bool,
    counts_changed: bool,
    adds_up: bool,
}

impl How {
    /// Reads the options, and tells where the pairs begin.
    #[inline]
    fn read(args: &Args<'_>) -> Result<(Self, usize), CmdError> {
        let mut how = Self::default();
        let mut first = 2;
        while let Some(word) = args.try_get(first) {
            // Every score has another first letter, and no option is longer.
            let is_option = word.first().is_some_and(u8::is_ascii_alphabetic);
            let option = match word {
                _ if !is_option => break,
                _ if is(word, "nx") => &mut how.only_new,
                _ if is(word, "xx") => &mut how.only_known,
                _ if is(word, "gt") => &mut how.only_greater,
                _ if is(word, "lt") => &mut how.only_less,
                _ if is(word, "ch") => &mut how.counts_changed,
                _ if is(word, "incr") => &mut how.adds_up,
                _ => break,
            };
            *option = true;
            first += 1;
        }
        let words = args.len() - first;
        if words == 0 || !words.is_multiple_of(2) {
            return Err(CmdError::Syntax);
        }
        how.check(words / 2)?;
        Ok((how, first))
    }

    fn check(self, pairs: usize) -> Outcome {
        if self.only_new && self.only_known {
            return Err(CmdError::fixed(
                "ERR XX and NX options at the same time are not compatible",
            ));
        }
        let limits = [self.only_new, self.only_greater, self.only_less];
        if limits.iter().filter(|is_set| **is_set).count() > 1 {
            return Err(CmdError::fixed(
                "ERR GT, LT, and/or NX options at the same time are not compatible",
            ));
        }
        if self.adds_up && pairs > 1 {
            return Err(CmdError::fixed(
                "ERR INCR option supports a single increment-element pair",
            ));
        }
        Ok(())
    }

    /// Whether the score that a member has matters before it gets another.
    #[inline]
    fn looks_first(self) -> bool {
        self.only_new || self.only_known || self.only_greater || self.only_less || self.adds_up
    }

    /// The score that a member gets that has `old`; `None` when it keeps what it has.
    fn score(self, old: Option<f64>, given: f64) -> Result<Option<f64>, CmdError> {
        let Some(old) = old else {
            return Ok((!self.only_known).then_some(given));
        };
        if self.only_new {
            return Ok(None);
        }
        let score = if self.adds_up { old + given } else { given };
        if score.is_nan() {
            return Err(CmdError::fixed("ERR resulting score is not a number (NaN)"));
        }
        let is_kept = self.only_greater && score <= old || self.only_less && score >= old;
        Ok((!is_kept).then_some(score))
    }
}

/// What has become of the members so far.
#[derive(Clone, Copy, Debug, Default)]
struct Tally {
    added: usize,
    changed: usize,
    /// The score of the last one, if it was not left alone.
    score: Option<f64>,
}

/// Adds the pairs from word `first` on.
#[inline]
fn add(ctx: &mut Ctx<'_>, args: &Args<'_>, how: How, first: usize) -> Outcome {
    let pairs = (args.len() - first) / 2;
    let leading = score_at(args.get(first))?;
    for pair in 1..pairs {
        score_at(args.get(first + 2 * pair))?;
    }
    let pair = |pair: usize| {
        let at = first + 2 * pair;
        let score = if pair == 0 {
            leading
        } else {
            // Read before, and accepted.
            score_at(args.get(at)).unwrap_or(0.0)
        };
        (args.get(at + 1), score)
    };
    let longest = (0..pairs).map(|index| args.get(first + 2 * index + 1).len());
    let expected = (pairs, longest.max().unwrap_or(0));
    let (key, rules) = (ctx.key(args.get(1)), rules(ctx));
    let (mut tally, mut stored) = (Tally::default(), Stored::Replaced);
    let db = ctx.keyspace.db(ctx.db);
    match db.entry(&key) {
        Lookup::Occupied(mut entry) => {
            zset_of(entry.as_ref())?;
            zset::expect_members(&mut entry, expected, &rules);
            for index in 0..pairs {
                add_one(&mut entry, pair(index), how, &rules, &mut tally)?;
            }
        }
        Lookup::Vacant(_) if how.only_known => {}
        Lookup::Vacant(place) => {
            let mut entry = zset::create(place, pair(0), expected, &rules);
            (tally.added, tally.score, stored) = (1, Some(leading), Stored::Created);
            for index in 1..pairs {
                add_one(&mut entry, pair(index), how, &rules, &mut tally)?;
            }
        }
    }
    if tally.added + tally.changed > 0 {
        db.changed(key.bytes);
        if !ctx.keyspace.notify.is_empty() {
            let event = if how.adds_up { "zincr" } else { "zadd" };
            announce(ctx, &key, stored, EventClasses::ZSET, event);
        }
    }
    match (how.adds_up, tally.score) {
        (true, Some(score)) => ctx.reply.double(score),
        (true, None) => ctx.reply.null(),
        (false, _) if how.counts_changed => ctx.reply.count(tally.added + tally.changed),
        (false, _) => ctx.reply.count(tally.added),
    }
    Ok(())
}

#[inline]
fn add_one(
    entry: &mut EntryMut<'_, Value>,
    (member, given): (&[u8], f64),
    how: How,
    rules: &Rules,
    tally: &mut Tally,
) -> Outcome {
    let mut score = given;
    tally.score = None;
    if how.looks_first() {
        let old = zset_of(entry.as_ref())?.score(member);
        let Some(wanted) = how.score(old, given)? else {
            return Ok(());
        };
        score = wanted;
    }
    match zset::insert(entry, member, score, rules) {
        None => tally.added += 1,
        Some(old) => tally.changed += usize::from(old != score),
    }
    tally.score = Some(score);
    Ok(())
}

/// ZREM key member [member ...]
///
/// Replies: how many were there.
fn zrem(ctx: &mut Ctx<'_>, args: &Args<'_>) -> Outcome {
    let event = (EventClasses::ZSET, "zrem");
    let len_of = |entry: Entry<'_>| Ok(zset_of(entry)?.len());
    remove_words(ctx, args, event, len_of, |entry, member| {
        zset::remove(entry, member).is_some()
    })
}

/// ZREMRANGEBYRANK key start stop
fn zremrangebyrank(ctx: &mut Ctx<'_>, args: &Args<'_>) -> Outcome {
    let (start, stop) = (integer(args.get(2))?, integer(args.get(3))?);
    remove_range(ctx, args, "zremrangebyrank", |zset| {
        range_of(start, stop, zset.len())
    })
}

/// ZREMRANGEBYSCORE key min max
fn zremrangebyscore(ctx: &mut Ctx<'_>, args: &Args<'_>) -> Outcome {
    let range = ScoreRange::read(args.get(2), args.get(3))?;
    remove_range(ctx, args, "zremrangebyscore", |zset| range.ranks(zset))
}

/// ZREMRANGEBYLEX key min max
fn zremrangebylex(ctx: &mut Ctx<'_>, args: &Args<'_>) -> Outcome {
    let range = LexRange::read(args.get(2), args.get(3))?;
    remove_range(ctx, args, "zremrangebylex", |zset| range.ranks(zset))
}

/// Replies: how many members were removed.
fn remove_range(
    ctx: &mut Ctx<'_>,
    args: &Args<'_>,
    event: &'static str,
    ranks: impl FnOnce(ZsetRef<'_>) -> Range<usize>,
) -> Outcome {
    let key = ctx.key(args.get(1));
    let db = ctx.keyspace.db(ctx.db);
    let mut removed = 0;
    if let Some(mut entry) = db.edit(&key) {
        let zset = zset_of(entry.as_ref())?;
        let (ranks, len) = (ranks(zset), zset.len());
        removed = ranks.len();
        // What all members leave goes with its key.
        if removed < len {
            zset::remove_range(&mut entry, ranks);
        }
        if removed > 0 {
            db.changed(key.bytes);
            ctx.notify(EventClasses::ZSET, event, key.bytes);
        }
        if removed == len {
            remove_emptied(ctx, &key);
        }
    }
    ctx.reply.count(removed);
    Ok(())
}
