//! Sorted sets: what several of them have in common, together, or apart. Sets may be among them.

use super::{Scores, reply_head, reply_member, score_at, store_result};
use crate::base::DbIndex;
use crate::command::collections::{count_limit, note_missing};
use crate::command::options::{integer, is};
use crate::command::{CmdError, Ctx, Flags, Group, KeyFlags, Keys, Options, Outcome, Spec};
use crate::keyspace::Keyspace;
use crate::resp::Args;
use crate::value::scored::Scored;
use crate::value::zset::{Direction, Zset, ZsetRef};
use crate::value::{Item, with_text};
use std::cmp::Reverse;
use std::ops::Range;

const COST: &str =
    "O(N)+O(M*log(M)) where N is the number of members of all inputs and M that of the result";
const INTER_COST: &str = "O(N*K)+O(M*log(M)) where N is the size of the smallest input, K the \
                          number of inputs and M the size of the result";
const STORED: &[Keys] = &[
    Keys::first(KeyFlags::OW.and(KeyFlags::UPDATE)),
    Keys::counted(2, KeyFlags::RO.and(KeyFlags::ACCESS)),
];

/// The rows.
pub const SPECS: &[Spec] = &[
    Spec::new("zunion", -3, zunion)
        .of(Group::SortedSet, "6.2.0", COST)
        .flags(Flags::READONLY)
        .keys(&[Keys::counted(1, KeyFlags::RO.and(KeyFlags::ACCESS))])
        .doc(
            "numkeys key [key ...] [WEIGHTS weight [weight ...]] [AGGREGATE SUM|MIN|MAX] \
             [WITHSCORES]",
            "Returns the members that any of several sorted sets has.",
        ),
    Spec::new("zinter", -3, zinter)
        .of(Group::SortedSet, "6.2.0", INTER_COST)
        .flags(Flags::READONLY)
        .keys(&[Keys::counted(1, KeyFlags::RO.and(KeyFlags::ACCESS))])
        .doc(
            "numkeys key [key ...] [WEIGHTS weight [weight ...]] [AGGREGATE SUM|MIN|MAX] \
             [WITHSCORES]",
            "Returns the members that all of several sorted sets have.",
        ),
    Spec::new("zdiff", -3, zdiff)
        .of(Group::SortedSet, "6.2.0", COST)
        .flags(Flags::READONLY)
        .keys(&[Keys::counted(1, KeyFlags::RO.and(KeyFlags::ACCESS))])
        .doc(
            "numkeys key [key ...] [WITHSCORES]",
            "Returns the members of a sorted set that no other has.",
        ),
    Spec::new("zunionstore", -4, zunionstore)
        .of(Group::SortedSet, "2.0.0", COST)
        .flags(Flags::WRITE.and(Flags::DENYOOM))
        .keys(STORED)
        .doc(
            "destination numkeys key [key ...] [WEIGHTS weight [weight ...]] [AGGREGATE \
             SUM|MIN|MAX]",
            "Stores the members that any of several sorted sets has.",
        ),
    Spec::new("zinterstore", -4, zinterstore)
        .of(Group::SortedSet, "2.0.0", INTER_COST)
        .flags(Flags::WRITE.and(Flags::DENYOOM))
        .keys(STORED)
        .doc(
            "destination numkeys key [key ...] [WEIGHTS weight [weight ...]] [AGGREGATE \
             SUM|MIN|MAX]",
            "Stores the members that all of several sorted sets have.",
        ),
    Spec::new("zdiffstore", -4, zdiffstore)
        .of(Group::SortedSet, "6.2.0", COST)
        .flags(Flags::WRITE.and(Flags::DENYOOM))
        .keys(STORED)
        .doc(
            "destination numkeys key [key ...]",
            "Stores the members of a sorted set that no other has.",
        ),
    Spec::new("zintercard", -3, zintercard)
        .of(
            Group::SortedSet,
            "7.0.0",
            "O(N*K) where N is the size of the smallest input and K the number of inputs",
        )
        .flags(Flags::READONLY)
        .keys(&[Keys::counted(1, KeyFlags::RO.and(KeyFlags::ACCESS))])
        .doc(
            "numkeys key [key ...] [LIMIT limit]",
            "Returns how many members all of several sorted sets have.",
        ),
];

/// ZUNION numkeys key [key ...] [WEIGHTS weight [weight ...]] [AGGREGATE SUM|MIN|MAX] [WITHSCORES]
fn zunion(ctx: &mut Ctx<'_>, args: &Args<'_>) -> Outcome {
    reply_combined(ctx, args, Op::Union)
}

/// ZINTER numkeys key [key ...] [WEIGHTS weight [weight ...]] [AGGREGATE SUM|MIN|MAX] [WITHSCORES]
fn zinter(ctx: &mut Ctx<'_>, args: &Args<'_>) -> Outcome {
    reply_combined(ctx, args, Op::Inter)
}

/// ZDIFF numkeys key [key ...] [WITHSCORES]
fn zdiff(ctx: &mut Ctx<'_>, args: &Args<'_>) -> Outcome {
    reply_combined(ctx, args, Op::Diff)
}

/// Replies: an array of members, lowest score first, with their scores if wanted.
fn reply_combined(ctx: &mut Ctx<'_>, args: &Args<'_>, op: Op) -> Outcome {
    let request = Request::read(ctx, args, op, Form::Reply)?;
    let result = request.combine(ctx, args);
    let (reply, len) = (&mut ctx.reply, result.len());
    reply_head(reply, len, request.scores);
    ZsetRef::Large(&result).range(0..len, Direction::Up, |member, score| {
        reply_member(reply, member, score, request.scores);
    });
    Ok(())
}

/// ZUNIONSTORE destination numkeys key [key ...] [WEIGHTS weight [weight ...]]
/// [AGGREGATE SUM|MIN|MAX]
fn zunionstore(ctx: &mut Ctx<'_>, args: &Args<'_>) -> Outcome {
    store_combined(ctx, args, Op::Union, "zunionstore")
}

/// ZINTERSTORE destination numkeys key [key ...] [WEIGHTS weight [weight ...]]
/// [AGGREGATE SUM|MIN|MAX]
fn zinterstore(ctx: &mut Ctx<'_>, args: &Args<'_>) -> Outcome {
    store_combined(ctx, args, Op::Inter, "zinterstore")
}

/// ZDIFFSTORE destination numkeys key [key ...]
fn zdiffstore(ctx: &mut Ctx<'_>, args: &Args<'_>) -> Outcome {
    store_combined(ctx, args, Op::Diff, "zdiffstore")
}

/// Replies: how many members the destination has; without any it is removed.
fn store_combined(ctx: &mut Ctx<'_>, args: &Args<'_>, op: Op, event: &'static str) -> Outcome {
    let request = Request::read(ctx, args, op, Form::Store)?;
    let result = request.combine(ctx, args);
    let target = ctx.key(args.get(1));
    store_result(ctx, &target, result, event);
    Ok(())
}

/// ZINTERCARD numkeys key [key ...] [LIMIT limit]
///
/// Replies: how many members all have, at most the limit.
fn zintercard(ctx: &mut Ctx<'_>, args: &Args<'_>) -> Outcome {
    let request = Request::read(ctx, args, Op::Inter, Form::Count)?;
    let inputs = request.inputs(ctx.keyspace, ctx.db, args);
    let mut count = 0;
    intersect(&inputs, Aggregate::Sum, &mut |_, _| {
        count += 1;
        count != request.limit
    });
    ctx.reply.integer(i64::try_from(count).unwrap_or(i64::MAX));
    Ok(())
}

/// What is done with the inputs.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
enum Op {
    Union,
    Inter,
    Diff,
}

/// What is done with the result.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
enum Form {
    Reply,
    Store,
    Count,
}

/// What becomes of several scores of one member.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
enum Aggregate {
    Sum,
    Min,
    Max,
}

impl Aggregate {
    fn read(word: &[u8]) -> Result<Self, CmdError> {
        match word {
            _ if is(word, "sum") => Ok(Self::Sum),
            _ if is(word, "min") => Ok(Self::Min),
            _ if is(word, "max") => Ok(Self::Max),
            _ => Err(CmdError::Syntax),
        }
    }

    /// Infinities that cancel each other out leave 0.
    fn of(self, held: f64, other: f64) -> f64 {
        match self {
            Self::Sum => number_or_0(held + other),
            Self::Min if other < held => other,
            Self::Max if other > held => other,
            Self::Min | Self::Max => held,
        }
    }
}

const fn number_or_0(score: f64) -> f64 {
    if score.is_nan() { 0.0 } else { score }
}

/// What was asked for.
struct Request {
    op: Op,
    /// Which words are keys.
    keys: Range<usize>,
    /// Where the weights are.
    weights: Option<usize>,
    aggregate: Aggregate,
    scores: Scores,
    /// Most members to be counted; 0 for all.
    limit: u64,
}

/// Members with scores, and what the scores are multiplied by.
#[derive(Clone, Copy, Debug)]
struct Input<'a> {
    members: Scored<'a>,
    weight: f64,
}

impl Request {
    /// Reads all words. The keys are looked at before what follows them.
    fn read(ctx: &mut Ctx<'_>, args: &Args<'_>, op: Op, form: Form) -> Result<Self, CmdError> {
        let at = if form == Form::Store { 2 } else { 1 };
        let count = integer(args.get(at))?;
        let Some(count) = usize::try_from(count).ok().filter(|count| *count > 0) else {
            let name = ctx.command_name();
            return Err(CmdError::text(format!(
                "ERR at least 1 input key is needed for '{name}' command"
            )));
        };
        if count > args.len() - at - 1 {
            return Err(CmdError::Syntax);
        }
        let mut request = Self {
            op,
            keys: at + 1..at + 1 + count,
            weights: None,
            aggregate: Aggregate::Sum,
            scores: Scores::Hidden,
            limit: 0,
        };
        for word in request.keys.clone() {
            let key = ctx.key(args.get(word));
            match ctx.keyspace.peek_db(ctx.db).read(&key) {
                Some(entry) => drop(Scored::of(entry).ok_or(CmdError::WrongType)?),
                None => note_missing(ctx, &key),
            }
        }
        request.read_options(args, form)?;
        Ok(request)
    }

    fn read_options(&mut self, args: &Args<'_>, form: Form) -> Outcome {
        let mut options = Options::from(args, self.keys.end);
        let has_weights = self.op != Op::Diff && form != Form::Count;
        while let Some(word) = options.next() {
            let left = options.left();
            if has_weights && is(word, "weights") && left >= self.keys.len() {
                self.weights = Some(options.position());
                for _ in self.keys.clone() {
                    let weight = score_at(options.value()?);
                    weight.map_err(|_| CmdError::fixed("ERR weight value is not a float"))?;
                }
            } else if has_weights && is(word, "aggregate") && left >= 1 {
                self.aggregate = Aggregate::read(options.value()?)?;
            } else if form == Form::Reply && is(word, "withscores") {
                self.scores = Scores::Shown;
            } else if form == Form::Count && is(word, "limit") && left >= 1 {
                self.limit = count_limit(&mut options)?;
            } else {
                return Err(CmdError::Syntax);
            }
        }
        Ok(())
    }

    /// The inputs, smallest first unless their order matters; an absent key is one without members.
    fn inputs<'k>(
        &self,
        keyspace: &'k Keyspace,
        db: DbIndex,
        args: &Args<'_>,
    ) -> Vec<Option<Input<'k>>> {
        let input = |(index, word)| {
            let entry = keyspace.peek_db(db).peek(&keyspace.key(args.get(word)))?;
            let weight = self.weights.map(|first| args.get(first + index));
            Some(Input {
                members: Scored::of(entry)?,
                weight: weight.and_then(|word| score_at(word).ok()).unwrap_or(1.0),
            })
        };
        let mut inputs: Vec<_> = self.keys.clone().enumerate().map(input).collect();
        if self.op != Op::Diff {
            inputs.sort_by_key(|input| input.map_or(0, |input| input.members.len()));
        }
        inputs
    }

    /// The result.
    fn combine(&self, ctx: &Ctx<'_>, args: &Args<'_>) -> Zset {
        let inputs = self.inputs(ctx.keyspace, ctx.db, args);
        let mut result = Zset::new(ctx.keyspace.hasher().clone());
        match self.op {
            Op::Union => unite(&inputs, self.aggregate, &mut result),
            Op::Inter => intersect(&inputs, self.aggregate, &mut |member, score| {
                with_text(member, |member| result.insert(member, score));
                true
            }),
            Op::Diff => subtract(&inputs, &mut result),
        }
        result
    }
}

/// Adds the members that any input has.
fn unite(inputs: &[Option<Input<'_>>], aggregate: Aggregate, result: &mut Zset) {
    for input in inputs.iter().flatten() {
        input.members.visit(&mut |member, score| {
            let score = number_or_0(score * input.weight);
            with_text(member, |member| {
                let held = result.score(member);
                let score = held.map_or(score, |held| aggregate.of(held, score));
                if held == Some(score) && score == 0.0 {
                    // The two zeros are equal, so that one does not take the other's place.
                    result.remove(member);
                }
                result.insert(member, score);
            });
            true
        });
    }
}

/// Visits the members that all inputs have, until `visit` says stop.
fn intersect(
    inputs: &[Option<Input<'_>>],
    aggregate: Aggregate,
    visit: &mut dyn FnMut(Item<'_>, f64) -> bool,
) {
    let present: Option<Vec<Input<'_>>> = inputs.iter().copied().collect();
    let Some(inputs) = present else { return };
    let Some((smallest, others)) = inputs.split_first() else {
        return;
    };
    smallest.members.visit(&mut |member, score| {
        let first = number_or_0(score * smallest.weight);
        let score = others.iter().try_fold(first, |held, other| {
            let score = other.members.score(member)?;
            Some(aggregate.of(held, score * other.weight))
        });
        score.is_none_or(|score| visit(member, score))
    });
}

/// Adds the members of the first input that no other has.
///
/// Either the first input's members are looked for in the others, or the others' are taken out of a
/// copy of it: whichever is less work.
fn subtract(inputs: &[Option<Input<'_>>], result: &mut Zset) {
    let Some((Some(first), others)) = inputs.split_first() else {
        return;
    };
    let others = others.iter().flatten().map(|input| input.members);
    let mut others: Vec<Scored<'_>> = others.collect();
    let all: usize = others.iter().map(|other| other.len()).sum();
    let first = first.members;
    if first.len().saturating_mul(others.len()) <= first.len() + all {
        // What is likely to be found soon is looked for first.
        others.sort_by_key(|other| Reverse(other.len()));
        first.visit(&mut |member, score| {
            if !others.iter().any(|other| other.score(member).is_some()) {
                with_text(member, |member| result.insert(member, score));
            }
            true
        });
        return;
    }
    first.visit(&mut |member, score| {
        with_text(member, |member| result.insert(member, score));
        true
    });
    for other in others {
        other.visit(&mut |member, _| {
            with_text(member, |member| result.remove(member));
            !result.is_empty()
        });
    }
}
