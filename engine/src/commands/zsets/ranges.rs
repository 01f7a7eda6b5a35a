//! Sorted sets: ranges of ranks, scores and names.

use super::bounds::{LexRange, ScoreRange};
use super::{Scores, reply_head, reply_member, rules, store_result, zset_of};
use crate::command::collections::{note_missing, range_of};
use crate::command::options::{integer, is};
use crate::command::{CmdError, Ctx, Flags, Group, KeyFlags, Keys, Options, Outcome, Spec};
use crate::resp::Args;
use crate::value::with_text;
use crate::value::zset::{Direction, Zset, ZsetRef};
use std::ops::Range;

const COST: &str =
    "O(log(N)+M) where N is the size of the sorted set and M the number of members returned";

/// The rows.
pub const SPECS: &[Spec] = &[
    Spec::new("zrange", -4, zrange)
        .of(Group::SortedSet, "1.2.0", COST)
        .flags(Flags::READONLY)
        .keys(&[Keys::first(KeyFlags::RO.and(KeyFlags::ACCESS))])
        .doc(
            "key start stop [BYSCORE|BYLEX] [REV] [LIMIT offset count] [WITHSCORES]",
            "Returns the members within a range of ranks, scores or names.",
        )
        .history(&[("6.2.0", "`REV`, `BYSCORE`, `BYLEX` and `LIMIT`.")]),
    Spec::new("zrangestore", -5, zrangestore)
        .of(
            Group::SortedSet,
            "6.2.0",
            "O(log(N)+M) where N is the size of the sorted set and M the number of members stored",
        )
        .flags(Flags::WRITE.and(Flags::DENYOOM))
        .keys(&[
            Keys::first(KeyFlags::OW.and(KeyFlags::UPDATE)),
            Keys::at(2, KeyFlags::RO.and(KeyFlags::ACCESS)),
        ])
        .doc(
            "dst src min max [BYSCORE|BYLEX] [REV] [LIMIT offset count]",
            "Stores the members within a range of ranks, scores or names.",
        ),
    Spec::new("zrevrange", -4, zrevrange)
        .of(Group::SortedSet, "1.2.0", COST)
        .flags(Flags::READONLY)
        .keys(&[Keys::first(KeyFlags::RO.and(KeyFlags::ACCESS))])
        .doc(
            "key start stop [WITHSCORES]",
            "Returns the members within a range of ranks, highest score first.",
        )
        .deprecated("6.2.0", "`ZRANGE` with `REV`"),
    Spec::new("zrangebyscore", -4, zrangebyscore)
        .of(Group::SortedSet, "1.0.5", COST)
        .flags(Flags::READONLY)
        .keys(&[Keys::first(KeyFlags::RO.and(KeyFlags::ACCESS))])
        .doc(
            "key min max [WITHSCORES] [LIMIT offset count]",
            "Returns the members whose scores are within a range.",
        )
        .history(&[("2.0.0", "`WITHSCORES`.")])
        .deprecated("6.2.0", "`ZRANGE` with `BYSCORE`"),
    Spec::new("zrevrangebyscore", -4, zrevrangebyscore)
        .of(Group::SortedSet, "2.2.0", COST)
        .flags(Flags::READONLY)
        .keys(&[Keys::first(KeyFlags::RO.and(KeyFlags::ACCESS))])
        .doc(
            "key max min [WITHSCORES] [LIMIT offset count]",
            "Returns the members whose scores are within a range, highest first.",
        )
        .history(&[("2.1.6", "`min` and `max` may be exclusive.")])
        .deprecated("6.2.0", "`ZRANGE` with `REV` and `BYSCORE`"),
    Spec::new("zrangebylex", -4, zrangebylex)
        .of(Group::SortedSet, "2.8.9", COST)
        .flags(Flags::READONLY)
        .keys(&[Keys::first(KeyFlags::RO.and(KeyFlags::ACCESS))])
        .doc(
            "key min max [LIMIT offset count]",
            "Returns the members within a range of names.",
        )
        .deprecated("6.2.0", "`ZRANGE` with `BYLEX`"),
    Spec::new("zrevrangebylex", -4, zrevrangebylex)
        .of(Group::SortedSet, "2.8.9", COST)
        .flags(Flags::READONLY)
        .keys(&[Keys::first(KeyFlags::RO.and(KeyFlags::ACCESS))])
        .doc(
            "key max min [LIMIT offset count]",
            "Returns the members within a range of names, last first.",
        )
        .deprecated("6.2.0", "`ZRANGE` with `REV` and `BYLEX`"),
];

/// ZRANGE key start stop [BYSCORE|BYLEX] [REV] [LIMIT offset count] [WITHSCORES]
fn zrange(ctx: &mut Ctx<'_>, args: &Args<'_>) -> Outcome {
    let form = Form {
        key: 1,
        by: None,
        direction: None,
        store: Store::Replied,
    };
    reply_range(ctx, args, form)
}

/// ZREVRANGE key start stop [WITHSCORES]
fn zrevrange(ctx: &mut Ctx<'_>, args: &Args<'_>) -> Outcome {
    reply_range(ctx, args, Form::fixed(By::Rank, Direction::Down))
}

/// ZRANGEBYSCORE key min max [WITHSCORES] [LIMIT offset count]
fn zrangebyscore(ctx: &mut Ctx<'_>, args: &Args<'_>) -> Outcome {
    reply_range(ctx, args, Form::fixed(By::Score, Direction::Up))
}

/// ZREVRANGEBYSCORE key max min [WITHSCORES] [LIMIT offset count]
fn zrevrangebyscore(ctx: &mut Ctx<'_>, args: &Args<'_>) -> Outcome {
    reply_range(ctx, args, Form::fixed(By::Score, Direction::Down))
}

/// ZRANGEBYLEX key min max [LIMIT offset count]
fn zrangebylex(ctx: &mut Ctx<'_>, args: &Args<'_>) -> Outcome {
    reply_range(ctx, args, Form::fixed(By::Lex, Direction::Up))
}

/// ZREVRANGEBYLEX key max min [LIMIT offset count]
fn zrevrangebylex(ctx: &mut Ctx<'_>, args: &Args<'_>) -> Outcome {
    reply_range(ctx, args, Form::fixed(By::Lex, Direction::Down))
}

/// ZRANGESTORE dst src min max [BYSCORE|BYLEX] [REV] [LIMIT offset count]
fn zrangestore(ctx: &mut Ctx<'_>, args: &Args<'_>) -> Outcome {
    let form = Form {
        key: 2,
        by: None,
        direction: None,
        store: Store::Stored,
    };
    let wanted = Wanted::read(args, form)?;
    let (target, source) = (ctx.key(args.get(1)), ctx.key(args.get(2)));
    let rules = rules(ctx);
    let mut result = Zset::new(rules.hasher);
    if let Some(entry) = ctx.keyspace.peek_db(ctx.db).read(&source) {
        let zset = zset_of(entry)?;
        zset.range(wanted.ranks(zset), Direction::Up, |member, score| {
            with_text(member, |member| result.insert(member, score));
        });
    } else {
        note_missing(ctx, &source);
    }
    store_result(ctx, &target, result, "zrangestore");
    Ok(())
}

/// What the bounds are.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
enum By {
    Rank,
    Score,
    Lex,
}

/// What is done with the range.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
enum Store {
    Replied,
    Stored,
}

/// Which of the commands it is.
#[derive(Clone, Copy, Debug)]
struct Form {
    /// The word that is the key; the bounds follow.
    key: usize,
    /// What the bounds are, unless an option says so.
    by: Option<By>,
    /// In which order, unless an option says so.
    direction: Option<Direction>,
    store: Store,
}

impl Form {
    const fn fixed(by: By, direction: Direction) -> Self {
        Self {
            key: 1,
            by: Some(by),
            direction: Some(direction),
            store: Store::Replied,
        }
    }
}

/// The bounds.
#[derive(Clone, Copy, Debug)]
enum Bounds<'a> {
    Ranks(i64, i64),
    Scores(ScoreRange),
    Names(LexRange<'a>),
}

/// A range, as it was asked for.
#[derive(Clone, Copy, Debug)]
struct Wanted<'a> {
    bounds: Bounds<'a>,
    direction: Direction,
    offset: i64,
    /// Negative for all.
    count: i64,
    scores: Scores,
}

impl<'a> Wanted<'a> {
    fn read(args: &Args<'a>, form: Form) -> Result<Self, CmdError> {
        let (mut by, mut direction) = (form.by, form.direction);
        let (mut offset, mut count) = (0, -1);
        let mut scores = Scores::Hidden;
        let mut options = Options::from(args, form.key + 3);
        while let Some(word) = options.next() {
            if form.store == Store::Replied && is(word, "withscores") {
                scores = Scores::Shown;
            } else if is(word, "limit") && options.left() >= 2 {
                offset = options.integer()?;
                count = options.integer()?;
            } else if direction.is_none() && is(word, "rev") {
                direction = Some(Direction::Down);
            } else if by.is_none() && is(word, "bylex") {
                by = Some(By::Lex);
            } else if by.is_none() && is(word, "byscore") {
                by = Some(By::Score);
            } else {
                return Err(CmdError::Syntax);
            }
        }
        let (by, direction) = (by.unwrap_or(By::Rank), direction.unwrap_or(Direction::Up));
        if by == By::Rank && count != -1 {
            return Err(CmdError::fixed(
                "ERR syntax error, LIMIT is only supported in combination with either BYSCORE \
                 or BYLEX",
            ));
        }
        if by == By::Lex && scores == Scores::Shown {
            return Err(CmdError::fixed(
                "ERR syntax error, WITHSCORES not supported in combination with BYLEX",
            ));
        }
        let (first, second) = (args.get(form.key + 1), args.get(form.key + 2));
        let (min, max) = match direction {
            Direction::Up => (first, second),
            Direction::Down => (second, first),
        };
        let bounds = match by {
            By::Rank => Bounds::Ranks(integer(first)?, integer(second)?),
            By::Score => Bounds::Scores(ScoreRange::read(min, max)?),
            By::Lex => Bounds::Names(LexRange::read(min, max)?),
        };
        Ok(Self {
            bounds,
            direction,
            offset,
            count,
            scores,
        })
    }

    /// The ranks in it, lowest score first.
    fn ranks(&self, zset: ZsetRef<'_>) -> Range<usize> {
        let ranks = match self.bounds {
            Bounds::Ranks(start, stop) => {
                let len = zset.len();
                let ranks = range_of(start, stop, len);
                return match self.direction {
                    Direction::Up => ranks,
                    Direction::Down => len - ranks.end..len - ranks.start,
                };
            }
            Bounds::Scores(range) => range.ranks(zset),
            Bounds::Names(range) => range.ranks(zset),
        };
        // Beyond what can be held, nothing is left and everything is enough.
        let skipped = usize::try_from(self.offset).unwrap_or(usize::MAX);
        let skipped = skipped.min(ranks.len());
        let taken = usize::try_from(self.count).unwrap_or(usize::MAX);
        let taken = taken.min(ranks.len() - skipped);
        match self.direction {
            Direction::Up => ranks.start + skipped..ranks.start + skipped + taken,
            Direction::Down => ranks.end - skipped - taken..ranks.end - skipped,
        }
    }
}

/// Replies: an array of members, with their scores if wanted.
fn reply_range(ctx: &mut Ctx<'_>, args: &Args<'_>, form: Form) -> Outcome {
    let wanted = Wanted::read(args, form)?;
    let key = ctx.key(args.get(form.key));
    let Some(entry) = ctx.keyspace.peek_db(ctx.db).read(&key) else {
        ctx.reply.array(0);
        note_missing(ctx, &key);
        return Ok(());
    };
    let zset = zset_of(entry)?;
    let ranks = wanted.ranks(zset);
    let reply = &mut ctx.reply;
    reply_head(reply, ranks.len(), wanted.scores);
    zset.range(ranks, wanted.direction, |member, score| {
        reply_member(reply, member, score, wanted.scores);
    });
    Ok(())
}
