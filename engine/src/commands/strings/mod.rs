//! Strings: reading whole values, and what all commands on strings share.
//!
//! Not here: writing (`set`), several keys at once (`many`), counters (`counters`), editing in
//! place and ranges (`edit`), subsequences (`lcs`).

mod counters;
mod edit;
mod lcs;
mod many;
mod options;
mod set;

pub use counters::SPECS as COUNTER_SPECS;
pub use edit::SPECS as EDIT_SPECS;
pub use lcs::SPECS as LCS_SPECS;
pub use many::SPECS as MANY_SPECS;
pub use set::SPECS as SET_SPECS;

use crate::base::number::Digits;
use crate::command::collections::note_missing;
use crate::command::expire::{deadline, spread};
use crate::command::{CmdError, Ctx, Flags, Group, KeyFlags, Keys, Outcome, Spec};
use crate::keyspace::{Deadline, Entry, EventClasses, Key, Stored};
use crate::resp::{Args, Reply};
use crate::value::Value;
use crate::value::string::{TAG_WHOLE, Text, body_of, body_of_shared};
use dovetail_memory::NewBody;
use options::{Accepts, SetOptions, Timing};

const READ: KeyFlags = KeyFlags::RO.and(KeyFlags::ACCESS);
const CHANGE: KeyFlags = KeyFlags::RW.and(KeyFlags::ACCESS).and(KeyFlags::UPDATE);
const OVERWRITE: KeyFlags = KeyFlags::OW.and(KeyFlags::UPDATE);
const INSERT: KeyFlags = KeyFlags::OW.and(KeyFlags::INSERT);
const GROW: Flags = Flags::WRITE.and(Flags::DENYOOM);

/// The rows.
pub const SPECS: &[Spec] = &[
    Spec::new("get", 2, get)
        .of(Group::String, "1.0.0", "O(1)")
        .flags(Flags::READONLY.and(Flags::FAST))
        .keys(&[Keys::first(READ)])
        .doc("key", "Returns the string at a key."),
    Spec::new("getdel", 2, getdel)
        .of(Group::String, "6.2.0", "O(1)")
        .flags(Flags::WRITE.and(Flags::FAST))
        .keys(&[Keys::first(
            KeyFlags::RW.and(KeyFlags::ACCESS).and(KeyFlags::DELETE),
        )])
        .doc("key", "Returns the string at a key and removes the key."),
    Spec::new("getex", -2, getex)
        .of(Group::String, "6.2.0", "O(1)")
        .flags(Flags::WRITE.and(Flags::FAST))
        .keys(&[Keys::first(CHANGE).note("RW and UPDATE because the deadline may change")])
        .doc(
            "key [EX seconds | PX milliseconds | EXAT unix-time-seconds | \
             PXAT unix-time-milliseconds | PERSIST]",
            "Returns the string at a key, and gives the key another deadline or takes it away.",
        ),
];

/// GET key
fn get(ctx: &mut Ctx<'_>, args: &Args<'_>) -> Outcome {
    let key = ctx.key(args.get(1));
    reply_read(ctx, &key)?;
    Ok(())
}

/// GETDEL key
///
/// Effects: the key is removed; notifies `del`.
fn getdel(ctx: &mut Ctx<'_>, args: &Args<'_>) -> Outcome {
    let key = ctx.key(args.get(1));
    if reply_read(ctx, &key)? == Found::Yes {
        delete(ctx, &key);
        ctx.record(&[b"DEL", key.bytes]);
    }
    Ok(())
}

/// GETEX key [EX seconds | PX ms | EXAT unix-s | PXAT unix-ms | PERSIST]
///
/// Effects: the deadline changes; a past one removes the key. Notifies `expire`, `persist` or `del`.
/// Errors: whether the number makes a deadline is only looked at when the key is there.
fn getex(ctx: &mut Ctx<'_>, args: &Args<'_>) -> Outcome {
    let options = SetOptions::read(args, 2, Accepts::Persist)?;
    let key = ctx.key(args.get(1));
    let Some(entry) = ctx.keyspace.peek_db(ctx.db).read(&key) else {
        reply_missing(ctx, &key);
        return Ok(());
    };
    let text = text_of(entry)?;
    let had_deadline = entry.deadline().is_some();
    let wanted = match options.timing {
        Timing::Set(unit, word) => Some(deadline(ctx, word, unit)?),
        _ => None,
    };
    reply_text(&mut ctx.reply, &text);
    match (wanted, options.timing) {
        (Some(at), _) if ctx.keyspace.is_past(at) => {
            delete(ctx, &key);
            ctx.record(&[b"DEL", key.bytes]);
        }
        (Some(at), Timing::Set(unit, _)) => {
            let at = spread(ctx, at, unit);
            ctx.keyspace.db(ctx.db).set_deadline(&key, Some(at));
            ctx.notify(EventClasses::GENERIC, "expire", key.bytes);
            ctx.record(&[b"PEXPIREAT", key.bytes, Digits::of_u64(at).as_bytes()]);
        }
        (None, Timing::Persist) if had_deadline => {
            ctx.keyspace.db(ctx.db).set_deadline(&key, None);
            ctx.notify(EventClasses::GENERIC, "persist", key.bytes);
            ctx.record(&[b"PERSIST", key.bytes]);
        }
        _ => {}
    }
    Ok(())
}

/// Whether a key was there.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
enum Found {
    Yes,
    No,
}

/// Reads the string at `key` and answers it, or null.
#[inline]
fn reply_read(ctx: &mut Ctx<'_>, key: &Key<'_>) -> Result<Found, CmdError> {
    match ctx.keyspace.peek_db(ctx.db).read(key) {
        None => {
            reply_missing(ctx, key);
            Ok(Found::No)
        }
        Some(entry) => {
            reply_text(&mut ctx.reply, &text_of(entry)?);
            Ok(Found::Yes)
        }
    }
}

/// Answers null for a key that a read did not find.
#[inline]
fn reply_missing(ctx: &mut Ctx<'_>, key: &Key<'_>) {
    ctx.reply.null();
    note_missing(ctx, key);
}

/// The string in `entry`.
#[inline]
fn text_of(entry: Entry<'_>) -> Result<Text<'_>, CmdError> {
    Text::of(entry).ok_or(CmdError::WrongType)
}

/// Answers a string; a large one is shared, not copied.
#[inline]
fn reply_text(reply: &mut Reply<'_>, text: &Text<'_>) {
    match text {
        Text::Shared(bytes) => reply.bulk_shared(bytes),
        _ => reply.bulk(text.as_bytes()),
    }
}

/// Removes a key that is there, and announces it.
fn delete(ctx: &mut Ctx<'_>, key: &Key<'_>) {
    ctx.keyspace.db(ctx.db).remove(key);
    ctx.notify(EventClasses::GENERIC, "del", key.bytes);
}

/// The body that stores word `index`.
#[inline]
fn body_of_word<'a>(args: &Args<'a>, index: usize) -> NewBody<'a, Value> {
    if args.is_large(index) {
        body_of_shared(args.keep(index))
    } else {
        body_of(args.get(index))
    }
}

/// Stores word `index` as the string at `key`, and announces it.
#[inline]
fn store(ctx: &mut Ctx<'_>, key: &Key<'_>, args: &Args<'_>, index: usize, deadline: Deadline) {
    let body = body_of_word(args, index);
    let stored = ctx.keyspace.db(ctx.db).put(key, TAG_WHOLE, body, deadline);
    if !ctx.keyspace.notify.is_empty() {
        announce(ctx, key, stored, "set");
        if matches!(deadline, Deadline::At(_)) {
            ctx.notify(EventClasses::GENERIC, "expire", key.bytes);
        }
    }
}

/// Records that `key` now holds `value`, without the conditions under which it does.
fn record_set(ctx: &mut Ctx<'_>, key: &[u8], value: &[u8], deadline: Deadline) {
    if !ctx.feed.is_wanted() {
        return;
    }
    match deadline {
        Deadline::Clear => ctx.record(&[b"SET", key, value]),
        Deadline::Keep => ctx.record(&[b"SET", key, value, b"KEEPTTL"]),
        Deadline::At(at) => {
            let at = Digits::of_u64(at);
            ctx.record(&[b"SET", key, value, b"PXAT", at.as_bytes()]);
        }
    }
}

/// Announces that a string was written.
fn announce(ctx: &mut Ctx<'_>, key: &Key<'_>, stored: Stored, event: &'static str) {
    if stored == Stored::Created {
        ctx.notify(EventClasses::NEW, "new", key.bytes);
    }
    ctx.notify(EventClasses::STRING, event, key.bytes);
}
