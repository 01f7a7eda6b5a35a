//! Sorted sets: single members, and how many there are.

use super::bounds::{LexRange, ScoreRange};
use super::zset_of;
use crate::command::collections::{read, read_number};
use crate::command::ctx::Nothing;
use crate::command::options::is;
use crate::command::{CmdError, Ctx, Flags, Group, KeyFlags, Keys, Outcome, Spec};
use crate::resp::{Args, Reply};

const COST: &str = "O(log(N)) where N is the size of the sorted set";

/// The rows.
pub const SPECS: &[Spec] = &[
    Spec::new("zscore", 3, zscore)
        .of(Group::SortedSet, "1.2.0", "O(1)")
        .flags(Flags::READONLY.and(Flags::FAST))
        .keys(&[Keys::first(KeyFlags::RO.and(KeyFlags::ACCESS))])
        .doc(
            "key member",
            "Returns the score of a member of a sorted set.",
        ),
    Spec::new("zmscore", -3, zmscore)
        .of(
            Group::SortedSet,
            "6.2.0",
            "O(N) where N is the number of members",
        )
        .flags(Flags::READONLY.and(Flags::FAST))
        .keys(&[Keys::first(KeyFlags::RO.and(KeyFlags::ACCESS))])
        .doc(
            "key member [member ...]",
            "Returns the scores of members of a sorted set.",
        ),
    Spec::new("zcard", 2, zcard)
        .of(Group::SortedSet, "1.2.0", "O(1)")
        .flags(Flags::READONLY.and(Flags::FAST))
        .keys(&[Keys::first(KeyFlags::RO)])
        .doc("key", "Returns how many members a sorted set has."),
    Spec::new("zcount", 4, zcount)
        .of(Group::SortedSet, "2.0.0", COST)
        .flags(Flags::READONLY.and(Flags::FAST))
        .keys(&[Keys::first(KeyFlags::RO.and(KeyFlags::ACCESS))])
        .doc(
            "key min max",
            "Returns how many members have scores within a range.",
        ),
    Spec::new("zlexcount", 4, zlexcount)
        .of(Group::SortedSet, "2.8.9", COST)
        .flags(Flags::READONLY.and(Flags::FAST))
        .keys(&[Keys::first(KeyFlags::RO.and(KeyFlags::ACCESS))])
        .doc(
            "key min max",
            "Returns how many members are within a range of names.",
        ),
    Spec::new("zrank", -3, zrank)
        .of(Group::SortedSet, "2.0.0", COST)
        .flags(Flags::READONLY.and(Flags::FAST))
        .keys(&[Keys::first(KeyFlags::RO.and(KeyFlags::ACCESS))])
        .doc(
            "key member [WITHSCORE]",
            "Returns the rank of a member, lowest score first.",
        )
        .history(&[("7.2.0", "`WITHSCORE`.")]),
    Spec::new("zrevrank", -3, zrevrank)
        .of(Group::SortedSet, "2.0.0", COST)
        .flags(Flags::READONLY.and(Flags::FAST))
        .keys(&[Keys::first(KeyFlags::RO.and(KeyFlags::ACCESS))])
        .doc(
            "key member [WITHSCORE]",
            "Returns the rank of a member, highest score first.",
        )
        .history(&[("7.2.0", "`WITHSCORE`.")]),
];

/// ZSCORE key member
///
/// Replies: the score; null without it.
fn zscore(ctx: &mut Ctx<'_>, args: &Args<'_>) -> Outcome {
    read(ctx, args, Reply::null, |entry, reply| {
        reply_score(reply, zset_of(entry)?.score(args.get(2)));
        Ok(())
    })
}

/// ZMSCORE key member [member ...]
///
/// Replies: an array of scores, null for a member that is not there.
fn zmscore(ctx: &mut Ctx<'_>, args: &Args<'_>) -> Outcome {
    let members = args.iter_from(2);
    let missing = |reply: &mut Reply<'_>| {
        reply.array(members.len());
        members.clone().for_each(|_| reply.null());
    };
    read(ctx, args, missing, |entry, reply| {
        let zset = zset_of(entry)?;
        reply.array(members.len());
        for member in members.clone() {
            reply_score(reply, zset.score(member));
        }
        Ok(())
    })
}

/// Answers a score, or null.
#[inline]
fn reply_score(reply: &mut Reply<'_>, score: Option<f64>) {
    match score {
        Some(score) => reply.double(score),
        None => reply.null(),
    }
}

/// ZCARD key
fn zcard(ctx: &mut Ctx<'_>, args: &Args<'_>) -> Outcome {
    read_number(ctx, args, |entry| Ok(zset_of(entry)?.len()))
}

/// ZCOUNT key min max
fn zcount(ctx: &mut Ctx<'_>, args: &Args<'_>) -> Outcome {
    let range = ScoreRange::read(args.get(2), args.get(3))?;
    read_number(ctx, args, |entry| Ok(range.ranks(zset_of(entry)?).len()))
}

/// ZLEXCOUNT key min max
fn zlexcount(ctx: &mut Ctx<'_>, args: &Args<'_>) -> Outcome {
    let range = LexRange::read(args.get(2), args.get(3))?;
    read_number(ctx, args, |entry| Ok(range.ranks(zset_of(entry)?).len()))
}

/// ZRANK key member [WITHSCORE]
fn zrank(ctx: &mut Ctx<'_>, args: &Args<'_>) -> Outcome {
    rank(ctx, args, |rank, _| rank)
}

/// ZREVRANK key member [WITHSCORE]
fn zrevrank(ctx: &mut Ctx<'_>, args: &Args<'_>) -> Outcome {
    rank(ctx, args, |rank, len| len - 1 - rank)
}

/// Replies: the rank, with WITHSCORE and the score; null when the member is not there.
fn rank(
    ctx: &mut Ctx<'_>,
    args: &Args<'_>,
    counted: impl FnOnce(usize, usize) -> usize,
) -> Outcome {
    if args.len() > 4 {
        return Err(CmdError::Arity(ctx.command_name().into()));
    }
    let has_score = match args.try_get(3) {
        Some(word) if is(word, "withscore") => true,
        Some(_) => return Err(CmdError::Syntax),
        None => false,
    };
    let nothing = if has_score {
        Nothing::NullArray
    } else {
        Nothing::Null
    };
    read(
        ctx,
        args,
        |reply| nothing.write(reply),
        |entry, reply| {
            let zset = zset_of(entry)?;
            let Some((rank, score)) = zset.rank(args.get(2)) else {
                nothing.write(reply);
                return Ok(());
            };
            if has_score {
                reply.array(2);
            }
            reply.count(counted(rank, zset.len()));
            if has_score {
                reply.double(score);
            }
            Ok(())
        },
    )
}
