//! Sorted sets: taking members off the ends, and waiting for some.

use super::{Scores, reply_head, reply_member, zset_of};
use crate::base::number::Digits;
use crate::command::collections::{
    Mpop, first_present, positive, remove_emptied, reply_item, wait_deadline,
};
use crate::command::ctx::Nothing;
use crate::command::options::is;
use crate::command::{CmdError, Ctx, Flags, Group, KeyFlags, Keys, Outcome, Spec};
use crate::keyspace::{EventClasses, Key};
use crate::resp::Args;
use crate::value::Kind;
use crate::value::zset::{self, Direction, ZsetRef};

const COST: &str =
    "O(M*log(N)) where N is the size of the sorted set and M the number of members taken";
const MPOP_COST: &str = "O(K)+O(M*log(N)) where K is the number of keys, N the size of the sorted \
                         set and M the number of members taken";
const BPOP_COST: &str = "O(log(N)) where N is the size of the sorted set";
const ONE: &[Keys] = &[Keys::first(
    KeyFlags::RW.and(KeyFlags::ACCESS).and(KeyFlags::DELETE),
)];
const SEVERAL: &[Keys] = &[Keys::range(
    1,
    -2,
    1,
    KeyFlags::RW.and(KeyFlags::ACCESS).and(KeyFlags::DELETE),
)];

/// The rows.
pub const SPECS: &[Spec] = &[
    Spec::new("zpopmin", -2, zpopmin)
        .of(Group::SortedSet, "5.0.0", COST)
        .flags(Flags::WRITE.and(Flags::FAST))
        .keys(ONE)
        .doc(
            "key [count]",
            "Takes the members with the lowest scores out of a sorted set.",
        ),
    Spec::new("zpopmax", -2, zpopmax)
        .of(Group::SortedSet, "5.0.0", COST)
        .flags(Flags::WRITE.and(Flags::FAST))
        .keys(ONE)
        .doc(
            "key [count]",
            "Takes the members with the highest scores out of a sorted set.",
        ),
    Spec::new("bzpopmin", -3, bzpopmin)
        .of(Group::SortedSet, "5.0.0", BPOP_COST)
        .flags(Flags::WRITE.and(Flags::BLOCKING).and(Flags::FAST))
        .keys(SEVERAL)
        .doc(
            "key [key ...] timeout",
            "Takes the member with the lowest score out of the first sorted set that has any; \
             waits for one.",
        )
        .history(&[("6.0.0", "The timeout may be a fraction.")]),
    Spec::new("bzpopmax", -3, bzpopmax)
        .of(Group::SortedSet, "5.0.0", BPOP_COST)
        .flags(Flags::WRITE.and(Flags::BLOCKING).and(Flags::FAST))
        .keys(SEVERAL)
        .doc(
            "key [key ...] timeout",
            "Takes the member with the highest score out of the first sorted set that has any; \
             waits for one.",
        )
        .history(&[("6.0.0", "The timeout may be a fraction.")]),
    Spec::new("zmpop", -4, zmpop)
        .of(Group::SortedSet, "7.0.0", MPOP_COST)
        .flags(Flags::WRITE)
        .keys(&[Keys::counted(
            1,
            KeyFlags::RW.and(KeyFlags::ACCESS).and(KeyFlags::DELETE),
        )])
        .doc(
            "numkeys key [key ...] <MIN|MAX> [COUNT count]",
            "Takes members out of the first sorted set that has any.",
        ),
    Spec::new("bzmpop", -5, bzmpop)
        .of(Group::SortedSet, "7.0.0", MPOP_COST)
        .flags(Flags::WRITE.and(Flags::BLOCKING))
        .keys(&[Keys::counted(
            2,
            KeyFlags::RW.and(KeyFlags::ACCESS).and(KeyFlags::DELETE),
        )])
        .doc(
            "timeout numkeys key [key ...] <MIN|MAX> [COUNT count]",
            "Takes members out of the first sorted set that has any; waits for one.",
        ),
];

/// ZPOPMIN key [count]
fn zpopmin(ctx: &mut Ctx<'_>, args: &Args<'_>) -> Outcome {
    pop(ctx, args, Direction::Up)
}

/// ZPOPMAX key [count]
fn zpopmax(ctx: &mut Ctx<'_>, args: &Args<'_>) -> Outcome {
    pop(ctx, args, Direction::Down)
}

/// Replies: an array of members with scores; in RESP3, with a count, of pairs.
fn pop(ctx: &mut Ctx<'_>, args: &Args<'_>, end: Direction) -> Outcome {
    if args.len() > 3 {
        return Err(CmdError::Syntax);
    }
    let count = args.try_get(2).map(positive).transpose()?;
    let key = ctx.key(args.get(1));
    let Some(entry) = ctx.keyspace.peek_db(ctx.db).find(&key) else {
        ctx.reply.array(0);
        return Ok(());
    };
    let len = zset_of(entry)?.len();
    let taken = count.unwrap_or(1);
    let taken = len.min(usize::try_from(taken).unwrap_or(usize::MAX));
    let shape = match count {
        Some(_) => {
            reply_head(&mut ctx.reply, taken, Scores::Shown);
            Shape::AsReplied
        }
        None => {
            ctx.reply.array(2);
            Shape::Flat
        }
    };
    take(ctx, &key, end, taken, shape);
    Ok(())
}

/// How a member and its score are put into a reply.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
enum Shape {
    /// One behind the other.
    Flat,
    /// As an array of two.
    Nested,
    /// As in other replies: nested in RESP3.
    AsReplied,
}

const fn popped(end: Direction) -> &'static str {
    match end {
        Direction::Up => "zpopmin",
        Direction::Down => "zpopmax",
    }
}

/// Takes `count` members, which are there, off one end and answers them.
fn take(ctx: &mut Ctx<'_>, key: &Key<'_>, end: Direction, count: usize, shape: Shape) {
    if count == 0 {
        return;
    }
    let db = ctx.keyspace.db(ctx.db);
    let Some(mut entry) = db.edit(key) else {
        return;
    };
    let Some(zset) = ZsetRef::of(entry.as_ref()) else {
        return;
    };
    let len = zset.len();
    let ranks = match end {
        Direction::Up => 0..count,
        Direction::Down => len - count..len,
    };
    let reply = &mut ctx.reply;
    zset.range(ranks.clone(), end, |member, score| {
        if shape == Shape::AsReplied {
            reply_member(reply, member, score, Scores::Shown);
            return;
        }
        if shape == Shape::Nested {
            reply.array(2);
        }
        reply_item(reply, member);
        reply.double(score);
    });
    // What all members leave goes with its key.
    if count < len {
        zset::remove_range(&mut entry, ranks);
    }
    db.changed(key.bytes);
    ctx.notify(EventClasses::ZSET, popped(end), key.bytes);
    if count == len {
        remove_emptied(ctx, key);
    }
}

/// BZPOPMIN key [key ...] timeout
fn bzpopmin(ctx: &mut Ctx<'_>, args: &Args<'_>) -> Outcome {
    pop_or_wait(ctx, args, Direction::Up)
}

/// BZPOPMAX key [key ...] timeout
fn bzpopmax(ctx: &mut Ctx<'_>, args: &Args<'_>) -> Outcome {
    pop_or_wait(ctx, args, Direction::Down)
}

/// Replies: the key, the member and its score; null when the time is up.
fn pop_or_wait(ctx: &mut Ctx<'_>, args: &Args<'_>, end: Direction) -> Outcome {
    let last = args.len() - 1;
    let deadline = wait_deadline(ctx, args.get(last))?;
    let Some((key, entry)) = first_present(ctx, args, 1..last) else {
        ctx.wait_for(1..last, Kind::SortedSet, Nothing::NullArray, deadline);
        return Ok(());
    };
    zset_of(entry)?;
    ctx.reply.array(3);
    ctx.reply.bulk(key.bytes);
    take(ctx, &key, end, 1, Shape::Flat);
    ctx.record(&[popped(end).as_bytes(), key.bytes]);
    Ok(())
}

/// ZMPOP numkeys key [key ...] MIN|MAX [COUNT count]
fn zmpop(ctx: &mut Ctx<'_>, args: &Args<'_>) -> Outcome {
    let request = Mpop::read(args, 1, end_of)?;
    if !take_first(ctx, args, &request)? {
        ctx.reply.null_array();
    }
    Ok(())
}

/// BZMPOP timeout numkeys key [key ...] MIN|MAX [COUNT count]
fn bzmpop(ctx: &mut Ctx<'_>, args: &Args<'_>) -> Outcome {
    let request = Mpop::read(args, 2, end_of)?;
    let deadline = wait_deadline(ctx, args.get(1))?;
    if !take_first(ctx, args, &request)? {
        ctx.wait_for(request.keys, Kind::SortedSet, Nothing::NullArray, deadline);
    }
    Ok(())
}

/// The end that `word` names.
fn end_of(word: &[u8]) -> Result<Direction, CmdError> {
    match word {
        _ if is(word, "min") => Ok(Direction::Up),
        _ if is(word, "max") => Ok(Direction::Down),
        _ => Err(CmdError::Syntax),
    }
}

/// Takes from the first sorted set that is there. Returns whether there was one.
///
/// Replies: its key, and an array of pairs.
fn take_first(
    ctx: &mut Ctx<'_>,
    args: &Args<'_>,
    request: &Mpop<Direction>,
) -> Result<bool, CmdError> {
    let Some((key, entry)) = first_present(ctx, args, request.keys.clone()) else {
        return Ok(false);
    };
    let count = zset_of(entry)?.len().min(request.count);
    ctx.reply.array(2);
    ctx.reply.bulk(key.bytes);
    ctx.reply.array(count);
    take(ctx, &key, request.end, count, Shape::Nested);
    let taken = Digits::of_u64(count as u64);
    ctx.record(&[popped(request.end).as_bytes(), key.bytes, taken.as_bytes()]);
    Ok(true)
}
