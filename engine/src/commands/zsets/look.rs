//! Sorted sets: single members, and how many there are.

use super::bounds::{LexRange, ScoreRange};
use super::zset_of;
use crate::command::collections::note_missing;
use crate::command::options::is;
use crate::command::{CmdError, Ctx, Flags, Group, KeyFlags, Keys, Outcome, Spec};
use crate::resp::Args;
use crate::value::zset::ZsetRef;

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
        .of(
            Group::SortedSet,
            "2.0.0",
            "O(log(N)) where N is the size of the sorted set",
        )
        .flags(Flags::READONLY.and(Flags::FAST))
        .keys(&[Keys::first(KeyFlags::RO.and(KeyFlags::ACCESS))])
        .doc(
            "key min max",
            "Returns how many members have scores within a range.",
        ),
    Spec::new("zlexcount", 4, zlexcount)
        .of(
            Group::SortedSet,
            "2.8.9",
            "O(log(N)) where N is the size of the sorted set",
        )
        .flags(Flags::READONLY.and(Flags::FAST))
        .keys(&[Keys::first(KeyFlags::RO.and(KeyFlags::ACCESS))])
        .doc(
            "key min max",
            "Returns how many members are within a range of names.",
        ),
    Spec::new("zrank", -3, zrank)
        .of(
            Group::SortedSet,
            "2.0.0",
            "O(log(N)) where N is the size of the sorted set",
        )
        .flags(Flags::READONLY.and(Flags::FAST))
        .keys(&[Keys::first(KeyFlags::RO.and(KeyFlags::ACCESS))])
        .doc(
            "key member [WITHSCORE]",
            "Returns the rank of a member, lowest score first.",
        )
        .history(&[("7.2.0", "`WITHSCORE`.")]),
    Spec::new("zrevrank", -3, zrevrank)
        .of(
            Group::SortedSet,
            "2.0.0",
            "O(log(N)) where N is the size of the sorted set",
        )
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
    let key = ctx.key(args.get(1));
    let Some(entry) = ctx.keyspace.peek_db(ctx.db).read(&key) else {
        ctx.reply.null();
        note_missing(ctx, &key);
        return Ok(());
    };
    match zset_of(entry)?.score(args.get(2)) {
        Some(score) => ctx.reply.double(score),
        None => ctx.reply.null(),
    }
    Ok(())
}

/// ZMSCORE key member [member ...]
///
/// Replies: an array of scores, null for a member that is not there.
fn zmscore(ctx: &mut Ctx<'_>, args: &Args<'_>) -> Outcome {
    let key = ctx.key(args.get(1));
    let found = ctx.keyspace.peek_db(ctx.db).read(&key);
    let zset = found.map(zset_of).transpose()?;
    ctx.reply.array(args.len() - 2);
    for member in args.iter_from(2) {
        match zset.and_then(|zset| zset.score(member)) {
            Some(score) => ctx.reply.double(score),
            None => ctx.reply.null(),
        }
    }
    if zset.is_none() {
        note_missing(ctx, &key);
    }
    Ok(())
}

/// ZCARD key
fn zcard(ctx: &mut Ctx<'_>, args: &Args<'_>) -> Outcome {
    count(ctx, args, |zset| zset.len())
}

/// ZCOUNT key min max
fn zcount(ctx: &mut Ctx<'_>, args: &Args<'_>) -> Outcome {
    let range = ScoreRange::read(args.get(2), args.get(3))?;
    count(ctx, args, |zset| range.ranks(zset).len())
}

/// ZLEXCOUNT key min max
fn zlexcount(ctx: &mut Ctx<'_>, args: &Args<'_>) -> Outcome {
    let range = LexRange::read(args.get(2), args.get(3))?;
    count(ctx, args, |zset| range.ranks(zset).len())
}

/// Replies: a number, 0 when the key is not there.
fn count(ctx: &mut Ctx<'_>, args: &Args<'_>, number: impl FnOnce(ZsetRef<'_>) -> usize) -> Outcome {
    let key = ctx.key(args.get(1));
    let Some(entry) = ctx.keyspace.peek_db(ctx.db).read(&key) else {
        ctx.reply.integer(0);
        note_missing(ctx, &key);
        return Ok(());
    };
    ctx.reply.count(number(zset_of(entry)?));
    Ok(())
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
    let key = ctx.key(args.get(1));
    let found = ctx.keyspace.peek_db(ctx.db).read(&key);
    let zset = found.map(zset_of).transpose()?;
    match zset.and_then(|zset| Some((zset.rank(args.get(2))?, zset.len()))) {
        Some(((rank, score), len)) => {
            if has_score {
                ctx.reply.array(2);
            }
            ctx.reply.count(counted(rank, len));
            if has_score {
                ctx.reply.double(score);
            }
        }
        None if has_score => ctx.reply.null_array(),
        None => ctx.reply.null(),
    }
    if zset.is_none() {
        note_missing(ctx, &key);
    }
    Ok(())
}
