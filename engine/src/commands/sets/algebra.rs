//! Sets: what several of them have in common, together, or apart.

use super::{limits, set_of};
use crate::base::DbIndex;
use crate::command::collections::{
    announce, count_limit, key_count, note_missing, remove_any, reply_item,
};
use crate::command::options::is;
use crate::command::{CmdError, Ctx, Flags, Group, KeyFlags, Keys, Options, Outcome, Spec};
use crate::keyspace::{Deadline, EventClasses, Keyspace};
use crate::resp::Args;
use crate::value::Item;
use crate::value::set::{Builder, Limits, SetRef};
use std::ops::Range;

const INTER_COST: &str = "O(N*M) where N is the size of the smallest set and M the number of sets";
const COST: &str = "O(N) where N is the number of members of all sets";
const STORED: &[Keys] = &[
    Keys::first(KeyFlags::OW.and(KeyFlags::UPDATE)),
    Keys::range(2, -1, 1, KeyFlags::RO.and(KeyFlags::ACCESS)),
];

/// The rows.
pub const SPECS: &[Spec] = &[
    Spec::new("sinter", -2, sinter)
        .of(Group::Set, "1.0.0", INTER_COST)
        .flags(Flags::READONLY)
        .keys(&[Keys::all(KeyFlags::RO.and(KeyFlags::ACCESS))])
        .doc(
            "key [key ...]",
            "Returns the members that all of several sets have.",
        )
        .tips(&["nondeterministic_output_order"]),
    Spec::new("sunion", -2, sunion)
        .of(Group::Set, "1.0.0", COST)
        .flags(Flags::READONLY)
        .keys(&[Keys::all(KeyFlags::RO.and(KeyFlags::ACCESS))])
        .doc(
            "key [key ...]",
            "Returns the members that any of several sets has.",
        )
        .tips(&["nondeterministic_output_order"]),
    Spec::new("sdiff", -2, sdiff)
        .of(Group::Set, "1.0.0", COST)
        .flags(Flags::READONLY)
        .keys(&[Keys::all(KeyFlags::RO.and(KeyFlags::ACCESS))])
        .doc(
            "key [key ...]",
            "Returns the members of a set that no other has.",
        )
        .tips(&["nondeterministic_output_order"]),
    Spec::new("sinterstore", -3, sinterstore)
        .of(Group::Set, "1.0.0", INTER_COST)
        .flags(Flags::WRITE.and(Flags::DENYOOM))
        .keys(STORED)
        .doc(
            "destination key [key ...]",
            "Stores the members that all of several sets have.",
        ),
    Spec::new("sunionstore", -3, sunionstore)
        .of(Group::Set, "1.0.0", COST)
        .flags(Flags::WRITE.and(Flags::DENYOOM))
        .keys(STORED)
        .doc(
            "destination key [key ...]",
            "Stores the members that any of several sets has.",
        ),
    Spec::new("sdiffstore", -3, sdiffstore)
        .of(Group::Set, "1.0.0", COST)
        .flags(Flags::WRITE.and(Flags::DENYOOM))
        .keys(STORED)
        .doc(
            "destination key [key ...]",
            "Stores the members of a set that no other has.",
        ),
    Spec::new("sintercard", -3, sintercard)
        .of(Group::Set, "7.0.0", INTER_COST)
        .flags(Flags::READONLY)
        .keys(&[Keys::counted(1, KeyFlags::RO.and(KeyFlags::ACCESS))])
        .doc(
            "numkeys key [key ...] [LIMIT limit]",
            "Returns how many members all of several sets have.",
        ),
];

/// SINTER key [key ...]
fn sinter(ctx: &mut Ctx<'_>, args: &Args<'_>) -> Outcome {
    note_missing_of(ctx, args, 1..args.len());
    let sets = sets_at(ctx.keyspace, ctx.db, args, 1..args.len())?;
    let reply = &mut ctx.reply;
    let (start, mut count) = (reply.position(), 0);
    intersect(&sets, |member| {
        reply_item(reply, member);
        count += 1;
        true
    });
    reply.set_since(start, count);
    Ok(())
}

/// SUNION key [key ...]
fn sunion(ctx: &mut Ctx<'_>, args: &Args<'_>) -> Outcome {
    reply_combined(ctx, args, unite)
}

/// SDIFF key [key ...]
fn sdiff(ctx: &mut Ctx<'_>, args: &Args<'_>) -> Outcome {
    reply_combined(ctx, args, subtract)
}

/// Makes one set of several.
type Combine = for<'l> fn(&[Option<SetRef<'_>>], &'l Limits) -> Builder<'l>;

fn reply_combined(ctx: &mut Ctx<'_>, args: &Args<'_>, combine: Combine) -> Outcome {
    let limits = limits(ctx);
    note_missing_of(ctx, args, 1..args.len());
    let sets = sets_at(ctx.keyspace, ctx.db, args, 1..args.len())?;
    let result = combine(&sets, &limits);
    let reply = &mut ctx.reply;
    reply.set(result.len());
    result.as_ref().visit(|member| {
        reply_item(reply, member);
        true
    });
    Ok(())
}

/// SINTERSTORE destination key [key ...]
fn sinterstore(ctx: &mut Ctx<'_>, args: &Args<'_>) -> Outcome {
    store_combined(ctx, args, common, "sinterstore")
}

/// SUNIONSTORE destination key [key ...]
fn sunionstore(ctx: &mut Ctx<'_>, args: &Args<'_>) -> Outcome {
    store_combined(ctx, args, unite, "sunionstore")
}

/// SDIFFSTORE destination key [key ...]
fn sdiffstore(ctx: &mut Ctx<'_>, args: &Args<'_>) -> Outcome {
    store_combined(ctx, args, subtract, "sdiffstore")
}

/// Replies: how many members the destination has; without any it is removed.
fn store_combined(
    ctx: &mut Ctx<'_>,
    args: &Args<'_>,
    combine: Combine,
    event: &'static str,
) -> Outcome {
    let limits = limits(ctx);
    note_missing_of(ctx, args, 2..args.len());
    let sets = sets_at(ctx.keyspace, ctx.db, args, 2..args.len())?;
    let result = combine(&sets, &limits);
    let target = ctx.key(args.get(1));
    let count = result.len();
    if count > 0 {
        let db = ctx.keyspace.db(ctx.db);
        let stored = result.store(|tag, body| db.put(&target, tag, body, Deadline::Clear));
        announce(ctx, &target, stored, EventClasses::SET, event);
    } else {
        remove_any(ctx, &target);
    }
    ctx.reply.count(count);
    Ok(())
}

/// SINTERCARD numkeys key [key ...] [LIMIT limit]
///
/// Replies: how many members all have, at most the limit.
fn sintercard(ctx: &mut Ctx<'_>, args: &Args<'_>) -> Outcome {
    let keys = key_count(args, 1)?;
    if keys > args.len() - 2 {
        return Err(CmdError::fixed(
            "ERR Number of keys can't be greater than number of args",
        ));
    }
    let mut options = Options::from(args, 2 + keys);
    let mut limit = 0;
    while let Some(word) = options.next() {
        if !is(word, "limit") || options.left() == 0 {
            return Err(CmdError::Syntax);
        }
        limit = count_limit(&mut options)?;
    }
    note_missing_of(ctx, args, 2..2 + keys);
    let sets = sets_at(ctx.keyspace, ctx.db, args, 2..2 + keys)?;
    let mut count = 0;
    intersect(&sets, |_| {
        count += 1;
        count != limit
    });
    ctx.reply.integer(i64::try_from(count).unwrap_or(i64::MAX));
    Ok(())
}

/// Announces which keys at these words are not there.
fn note_missing_of(ctx: &mut Ctx<'_>, args: &Args<'_>, words: Range<usize>) {
    if !ctx.keyspace.notify.contains(EventClasses::KEY_MISS) {
        return;
    }
    for word in words {
        let key = ctx.key(args.get(word));
        if ctx.keyspace.peek_db(ctx.db).find(&key).is_none() {
            note_missing(ctx, &key);
        }
    }
}

/// The sets at these words; `None` for a key that is not there.
///
/// # Errors
/// When any of them is another type.
fn sets_at<'k>(
    keyspace: &'k Keyspace,
    db: DbIndex,
    args: &Args<'_>,
    words: Range<usize>,
) -> Result<Vec<Option<SetRef<'k>>>, CmdError> {
    let db = keyspace.peek_db(db);
    words
        .map(|word| {
            db.read(&keyspace.key(args.get(word)))
                .map(set_of)
                .transpose()
        })
        .collect()
}

/// Visits the members that all sets have, until `visit` says stop.
fn intersect(sets: &[Option<SetRef<'_>>], mut visit: impl FnMut(Item<'_>) -> bool) {
    let present: Option<Vec<SetRef<'_>>> = sets.iter().copied().collect();
    let Some(mut sets) = present else { return };
    sets.sort_by_key(|set| set.len());
    if let Some((smallest, others)) = sets.split_first() {
        smallest.visit(|member| {
            let is_common = others.iter().all(|set| set.contains_item(member));
            !is_common || visit(member)
        });
    }
}

/// The members that all sets have.
fn common<'l>(sets: &[Option<SetRef<'_>>], limits: &'l Limits) -> Builder<'l> {
    let mut result = Builder::new(0, limits);
    intersect(sets, |member| {
        result.add_item(member);
        true
    });
    result
}

/// The members that any set has.
fn unite<'l>(sets: &[Option<SetRef<'_>>], limits: &'l Limits) -> Builder<'l> {
    let mut result = Builder::new(0, limits);
    for set in sets.iter().flatten() {
        set.visit(|member| {
            result.add_item(member);
            true
        });
    }
    result
}

/// The members of the first set that no other has.
///
/// Either the first set's members are looked for in the others, or the others' are taken out of a
/// copy of it: whichever is less work.
fn subtract<'l>(sets: &[Option<SetRef<'_>>], limits: &'l Limits) -> Builder<'l> {
    let mut result = Builder::new(0, limits);
    let Some((Some(first), others)) = sets.split_first() else {
        return result;
    };
    let mut others: Vec<SetRef<'_>> = others.iter().flatten().copied().collect();
    let all: usize = others.iter().map(|set| set.len()).sum();
    if first.len().saturating_mul(others.len()) <= first.len() + all {
        // What is likely to be found soon is looked for first.
        others.sort_by_key(|set| std::cmp::Reverse(set.len()));
        first.visit(|member| {
            if !others.iter().any(|set| set.contains_item(member)) {
                result.add_item(member);
            }
            true
        });
        return result;
    }
    first.visit(|member| {
        result.add_item(member);
        true
    });
    for set in others {
        set.visit(|member| {
            result.remove_item(member);
            !result.is_empty()
        });
    }
    result
}
