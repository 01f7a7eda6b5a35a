//! Strings as numbers: INCR and its kin.

use super::{CHANGE, GROW, announce, record_set, text_of};
use crate::base::extended::Extended;
use crate::command::options::integer;
use crate::command::{CmdError, Ctx, Flags, Group, Keys, Outcome, Spec};
use crate::keyspace::{Deadline, Stored};
use crate::resp::Args;
use crate::value::string::{TAG_WHOLE, text_body_of};
use dovetail_memory::{Body, NewBody};

const FLAGS: Flags = GROW.and(Flags::FAST);

/// The rows.
pub const SPECS: &[Spec] = &[
    Spec::new("incr", 2, incr)
        .of(Group::String, "1.0.0", "O(1)")
        .flags(FLAGS)
        .keys(&[Keys::first(CHANGE)])
        .doc(
            "key",
            "Adds one to the integer at a key; a missing key counts as 0.",
        ),
    Spec::new("decr", 2, decr)
        .of(Group::String, "1.0.0", "O(1)")
        .flags(FLAGS)
        .keys(&[Keys::first(CHANGE)])
        .doc(
            "key",
            "Subtracts one from the integer at a key; a missing key counts as 0.",
        ),
    Spec::new("incrby", 3, incrby)
        .of(Group::String, "1.0.0", "O(1)")
        .flags(FLAGS)
        .keys(&[Keys::first(CHANGE)])
        .doc(
            "key increment",
            "Adds to the integer at a key; a missing key counts as 0.",
        ),
    Spec::new("decrby", 3, decrby)
        .of(Group::String, "1.0.0", "O(1)")
        .flags(FLAGS)
        .keys(&[Keys::first(CHANGE)])
        .doc(
            "key decrement",
            "Subtracts from the integer at a key; a missing key counts as 0.",
        ),
    Spec::new("incrbyfloat", 3, incrbyfloat)
        .of(Group::String, "2.6.0", "O(1)")
        .flags(FLAGS)
        .keys(&[Keys::first(CHANGE)])
        .doc(
            "key increment",
            "Adds to the number at a key; a missing key counts as 0.",
        ),
];

/// INCR key
fn incr(ctx: &mut Ctx<'_>, args: &Args<'_>) -> Outcome {
    add(ctx, args, 1)
}

/// DECR key
fn decr(ctx: &mut Ctx<'_>, args: &Args<'_>) -> Outcome {
    add(ctx, args, -1)
}

/// INCRBY key increment
fn incrby(ctx: &mut Ctx<'_>, args: &Args<'_>) -> Outcome {
    let by = integer(args.get(2))?;
    add(ctx, args, by)
}

/// DECRBY key decrement
fn decrby(ctx: &mut Ctx<'_>, args: &Args<'_>) -> Outcome {
    let by = integer(args.get(2))?;
    let by = by
        .checked_neg()
        .ok_or(CmdError::fixed("ERR decrement would overflow"))?;
    add(ctx, args, by)
}

/// INCRBYFLOAT key increment
///
/// Replies: the sum, with at most 17 digits behind the point.
fn incrbyfloat(ctx: &mut Ctx<'_>, args: &Args<'_>) -> Outcome {
    let key = ctx.key(args.get(1));
    let by = || Extended::parse(args.get(2)).ok_or(CmdError::NotFloat);
    let db = ctx.keyspace.db(ctx.db);
    let mut text = Vec::new();
    let stored = match db.edit(&key) {
        Some(mut entry) => {
            let old = Extended::parse(text_of(entry.as_ref())?.as_bytes());
            let sum = old.ok_or(CmdError::NotFloat)?.plus(by()?);
            sum.ok_or(CmdError::NanOrInfinity)?.write(&mut text);
            entry.set(TAG_WHOLE, text_body_of(&text));
            db.changed(key.bytes);
            Stored::Replaced
        }
        None => {
            let sum = Extended::ZERO.plus(by()?);
            sum.ok_or(CmdError::NanOrInfinity)?.write(&mut text);
            db.put(&key, TAG_WHOLE, text_body_of(&text), Deadline::Clear)
        }
    };
    if !ctx.keyspace.notify.is_empty() {
        announce(ctx, &key, stored, "incrbyfloat");
    }
    record_set(ctx, key.bytes, &text, Deadline::Keep);
    ctx.reply.bulk(&text);
    Ok(())
}

/// Adds `by` to the integer at the first key, in place when it is one already.
fn add(ctx: &mut Ctx<'_>, args: &Args<'_>, by: i64) -> Outcome {
    let key = ctx.key(args.get(1));
    let db = ctx.keyspace.db(ctx.db);
    let (sum, stored) = match db.edit(&key) {
        Some(mut entry) => {
            let old = match entry.body() {
                Body::Int(old) => old,
                _ => integer(text_of(entry.as_ref())?.as_bytes())?,
            };
            let sum = old.checked_add(by).ok_or(CmdError::Overflow)?;
            entry.set(TAG_WHOLE, NewBody::Int(sum));
            db.changed(key.bytes);
            (sum, Stored::Replaced)
        }
        None => (
            by,
            db.put(&key, TAG_WHOLE, NewBody::Int(by), Deadline::Clear),
        ),
    };
    if !ctx.keyspace.notify.is_empty() {
        announce(ctx, &key, stored, "incrby");
    }
    ctx.reply.integer(sum);
    Ok(())
}
