//! Strings: writing and removing whole values.

use super::options::{Accepts, SetOptions, When};
use super::{
    CHANGE, GROW, INSERT, OVERWRITE, delete, note_missing, record_set, reply_read, reply_text,
    store, text_of,
};
use crate::command::expire::{Unit, deadline, spread};
use crate::command::{Ctx, Flags, Group, KeyFlags, Keys, Outcome, Spec};
use crate::keyspace::Deadline;
use crate::resp::Args;

/// The rows.
pub const SPECS: &[Spec] = &[
    Spec::new("set", -3, set)
        .of(Group::String, "1.0.0", "O(1)")
        .flags(GROW)
        .keys(&[Keys::first(CHANGE.and(KeyFlags::VARIABLE_FLAGS))
            .note("RW and ACCESS because of the options GET and IFEQ")])
        .doc(
            "key value [NX | XX | IFEQ comparison-value] [GET] [EX seconds | PX milliseconds | \
             EXAT unix-time-seconds | PXAT unix-time-milliseconds | KEEPTTL]",
            "Stores a string at a key, whatever was there; options make it conditional, give it a \
             deadline, or return the old value.",
        )
        .history(&[
            ("2.6.12", "`EX`, `PX`, `NX` and `XX`."),
            ("6.0.0", "`KEEPTTL`."),
            ("6.2.0", "`GET`, `EXAT` and `PXAT`."),
            ("7.0.0", "`NX` and `GET` may be used together."),
            ("8.1.0", "`IFEQ`."),
        ]),
    Spec::new("setnx", 3, setnx)
        .of(Group::String, "1.0.0", "O(1)")
        .flags(GROW.and(Flags::FAST))
        .keys(&[Keys::first(INSERT)])
        .doc(
            "key value",
            "Stores a string at a key that does not exist yet.",
        )
        .deprecated("2.6.12", "`SET` with `NX`"),
    Spec::new("setex", 4, setex)
        .of(Group::String, "2.0.0", "O(1)")
        .flags(GROW)
        .keys(&[Keys::first(OVERWRITE)])
        .doc(
            "key seconds value",
            "Stores a string with a deadline in seconds from now.",
        )
        .deprecated("2.6.12", "`SET` with `EX`"),
    Spec::new("psetex", 4, psetex)
        .of(Group::String, "2.6.0", "O(1)")
        .flags(GROW)
        .keys(&[Keys::first(OVERWRITE)])
        .doc(
            "key milliseconds value",
            "Stores a string with a deadline in milliseconds from now.",
        )
        .deprecated("2.6.12", "`SET` with `PX`"),
    Spec::new("getset", 3, getset)
        .of(Group::String, "1.0.0", "O(1)")
        .flags(GROW.and(Flags::FAST))
        .keys(&[Keys::first(CHANGE)])
        .doc(
            "key value",
            "Stores a string at a key and returns the one that was there.",
        )
        .deprecated("6.2.0", "`SET` with `GET`"),
    Spec::new("delifeq", 3, delifeq)
        .of(Group::String, "9.0.0", "O(1)")
        .flags(Flags::WRITE.and(Flags::FAST))
        .keys(&[Keys::first(KeyFlags::RM.and(KeyFlags::DELETE))])
        .doc("key value", "Removes a key if it holds this string."),
];

/// SET key value [NX | XX | IFEQ value] [GET] [EX s | PX ms | EXAT s | PXAT ms | KEEPTTL]
///
/// Replies: OK; null when the condition did not hold; with GET the old value or null.
/// Effects: notifies `set`, and `expire` if it sets a deadline.
fn set(ctx: &mut Ctx<'_>, args: &Args<'_>) -> Outcome {
    let key = ctx.key(args.get(1));
    if args.len() == 3 {
        store(ctx, &key, args, 2, Deadline::Clear);
        ctx.reply.ok();
        return Ok(());
    }
    let options = SetOptions::read(args, 3, Accepts::Everything)?;
    let deadline = options.deadline(ctx)?;
    let db = ctx.keyspace.peek_db(ctx.db);
    let old = match (options.returns_old, options.when) {
        (true, _) => db.read(&key),
        (false, When::Always) => None,
        (false, _) => db.find(&key),
    };
    let may_write = match (options.when, old) {
        (When::Always, _) => true,
        (When::Absent, old) => old.is_none(),
        (When::Present, old) => old.is_some(),
        (When::Equal(_), None) => false,
        (When::Equal(wanted), Some(entry)) => text_of(entry)?.as_bytes() == wanted,
    };
    if options.returns_old {
        match old {
            None => {
                ctx.reply.null();
                note_missing(ctx, &key);
            }
            Some(entry) => reply_text(&mut ctx.reply, &text_of(entry)?),
        }
    }
    if may_write {
        store(ctx, &key, args, 2, deadline);
        record_set(ctx, args.get(1), args.get(2), deadline);
    }
    match (options.returns_old, may_write) {
        (true, _) => {}
        (false, true) => ctx.reply.ok(),
        (false, false) => ctx.reply.null(),
    }
    Ok(())
}

/// SETNX key value
///
/// Replies: 1 when it was stored, 0 when the key was there.
fn setnx(ctx: &mut Ctx<'_>, args: &Args<'_>) -> Outcome {
    let key = ctx.key(args.get(1));
    let is_free = ctx.keyspace.peek_db(ctx.db).find(&key).is_none();
    if is_free {
        store(ctx, &key, args, 2, Deadline::Clear);
    }
    ctx.reply.integer(i64::from(is_free));
    Ok(())
}

/// SETEX key seconds value
fn setex(ctx: &mut Ctx<'_>, args: &Args<'_>) -> Outcome {
    set_with_deadline(ctx, args, Unit::EX)
}

/// PSETEX key milliseconds value
fn psetex(ctx: &mut Ctx<'_>, args: &Args<'_>) -> Outcome {
    set_with_deadline(ctx, args, Unit::PX)
}

fn set_with_deadline(ctx: &mut Ctx<'_>, args: &Args<'_>, unit: Unit) -> Outcome {
    let deadline = deadline(ctx, args.get(2), unit)?;
    let deadline = spread(ctx, deadline, unit);
    let key = ctx.key(args.get(1));
    store(ctx, &key, args, 3, Deadline::At(deadline));
    record_set(ctx, args.get(1), args.get(3), Deadline::At(deadline));
    ctx.reply.ok();
    Ok(())
}

/// GETSET key value
fn getset(ctx: &mut Ctx<'_>, args: &Args<'_>) -> Outcome {
    let key = ctx.key(args.get(1));
    reply_read(ctx, &key)?;
    store(ctx, &key, args, 2, Deadline::Clear);
    record_set(ctx, args.get(1), args.get(2), Deadline::Clear);
    Ok(())
}

/// DELIFEQ key value
///
/// Replies: 1 when it was removed, 0 when it is absent or holds another string.
fn delifeq(ctx: &mut Ctx<'_>, args: &Args<'_>) -> Outcome {
    let key = ctx.key(args.get(1));
    let holds = match ctx.keyspace.peek_db(ctx.db).find(&key) {
        None => false,
        Some(entry) => text_of(entry)?.as_bytes() == args.get(2),
    };
    if holds {
        delete(ctx, &key);
        ctx.record(&[b"DEL", key.bytes]);
    }
    ctx.reply.integer(i64::from(holds));
    Ok(())
}
