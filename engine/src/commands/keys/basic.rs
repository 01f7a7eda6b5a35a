//! Keys: being there, being removed, their types.

use super::{delete, note_missing};
use crate::command::batch::each_key;
use crate::command::{Ctx, Flags, Group, KeyFlags, Keys, Outcome, Spec};
use crate::resp::Args;
use crate::value::kind_of;

const SUMMED: &[&str] = &["request_policy:multi_shard", "response_policy:agg_sum"];
const REMOVED: &[Keys] = &[Keys::all(KeyFlags::RM.and(KeyFlags::DELETE))];

/// The rows.
pub const SPECS: &[Spec] = &[
    Spec::new("del", -2, del)
        .of(
            Group::Generic,
            "1.0.0",
            "O(N) for N keys, and O(M) for the M elements of each collection",
        )
        .flags(Flags::WRITE)
        .keys(REMOVED)
        .tips(SUMMED)
        .doc("key [key ...]", "Removes keys."),
    Spec::new("unlink", -2, del)
        .of(
            Group::Generic,
            "4.0.0",
            "O(1) for each key; destroying the values is not counted",
        )
        .flags(Flags::WRITE.and(Flags::FAST))
        .keys(REMOVED)
        .tips(SUMMED)
        .doc(
            "key [key ...]",
            "Removes keys, without waiting until large values are destroyed.",
        ),
    Spec::new("exists", -2, exists)
        .of(
            Group::Generic,
            "1.0.0",
            "O(N) where N is the number of keys",
        )
        .flags(Flags::READONLY.and(Flags::FAST))
        .keys(&[Keys::all(KeyFlags::RO)])
        .tips(SUMMED)
        .doc("key [key ...]", "Counts those of the keys that exist.")
        .history(&[("3.0.3", "More than one `key`.")]),
    Spec::new("touch", -2, touch)
        .of(
            Group::Generic,
            "3.2.1",
            "O(N) where N is the number of keys",
        )
        .flags(Flags::READONLY.and(Flags::FAST))
        .keys(&[Keys::all(KeyFlags::RO)])
        .tips(SUMMED)
        .doc(
            "key [key ...]",
            "Makes keys count as just used, and counts those that exist.",
        ),
    Spec::new("type", 2, type_of)
        .of(Group::Generic, "1.0.0", "O(1)")
        .flags(Flags::READONLY.and(Flags::FAST))
        .keys(&[Keys::first(KeyFlags::RO)])
        .doc("key", "Returns the type of what a key holds."),
];

/// DEL key [key ...], UNLINK key [key ...]
///
/// Replies: how many were there. Effects: notifies `del` for each.
fn del(ctx: &mut Ctx<'_>, args: &Args<'_>) -> Outcome {
    let mut removed = 0;
    each_key(ctx, args, 1..args.len(), 1, |ctx, key, _| {
        removed += usize::from(delete(ctx, key));
    });
    ctx.reply.count(removed);
    Ok(())
}

/// EXISTS key [key ...]
///
/// Replies: how many of the words name keys that are there; a key named twice counts twice.
fn exists(ctx: &mut Ctx<'_>, args: &Args<'_>) -> Outcome {
    let mut found = 0;
    each_key(ctx, args, 1..args.len(), 1, |ctx, key, _| {
        match ctx.keyspace.peek_db(ctx.db).inspect(key) {
            Some(_) => found += 1,
            None => note_missing(ctx, key),
        }
    });
    ctx.reply.count(found);
    Ok(())
}

/// TOUCH key [key ...]
fn touch(ctx: &mut Ctx<'_>, args: &Args<'_>) -> Outcome {
    let mut found = 0;
    each_key(ctx, args, 1..args.len(), 1, |ctx, key, _| {
        if ctx.keyspace.peek_db(ctx.db).touch(key) {
            found += 1;
        } else {
            note_missing(ctx, key);
        }
    });
    ctx.reply.count(found);
    Ok(())
}

/// TYPE key
///
/// Replies: a simple string, `none` for a key that is not there.
fn type_of(ctx: &mut Ctx<'_>, args: &Args<'_>) -> Outcome {
    let key = ctx.key(args.get(1));
    match ctx.keyspace.peek_db(ctx.db).inspect(&key) {
        Some(entry) => ctx.reply.simple(kind_of(entry).name()),
        None => {
            ctx.reply.simple("none");
            note_missing(ctx, &key);
        }
    }
    Ok(())
}
