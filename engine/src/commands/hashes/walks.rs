//! Hashes: walking over them, and drawing fields at random.

use super::hash_of;
use crate::command::collections::{Draws, note_missing, reply_bytes_max, reply_item};
use crate::command::options::{integer_within, is};
use crate::command::scan::{ScanOf, ScanOptions, cursor_of, reply_scan};
use crate::command::{CmdError, Ctx, Flags, Group, KeyFlags, Keys, Outcome, Spec};
use crate::resp::{Args, Reply};
use crate::value::hash::HashRef;
use crate::value::{Item, with_text};

/// The rows.
pub const SPECS: &[Spec] = &[
    Spec::new("hscan", -3, hscan)
        .of(
            Group::Hash,
            "2.8.0",
            "O(1) for a call, O(N) for a walk over all N fields",
        )
        .flags(Flags::READONLY)
        .keys(&[Keys::first(KeyFlags::RO.and(KeyFlags::ACCESS))])
        .doc(
            "key cursor [MATCH pattern] [COUNT count] [NOVALUES]",
            "Walks over the fields of a hash, a few at a time.",
        )
        .tips(&["nondeterministic_output"]),
    Spec::new("hrandfield", -2, hrandfield)
        .of(
            Group::Hash,
            "6.2.0",
            "O(N) where N is the number of fields returned",
        )
        .flags(Flags::READONLY)
        .keys(&[Keys::first(KeyFlags::RO.and(KeyFlags::ACCESS))])
        .doc(
            "key [count [WITHVALUES]]",
            "Returns fields of a hash, drawn at random.",
        )
        .tips(&["nondeterministic_output"]),
];

/// HSCAN key cursor [MATCH pattern] [COUNT count] [NOVALUES]
///
/// Replies: the next cursor, "0" at the end, and an array of fields with their values. A hash in its
/// compact form is done in one call.
fn hscan(ctx: &mut Ctx<'_>, args: &Args<'_>) -> Outcome {
    let cursor = cursor_of(args.get(2))?;
    let key = ctx.key(args.get(1));
    let Some(entry) = ctx.keyspace.peek_db(ctx.db).read(&key) else {
        let start = ctx.reply.position();
        reply_scan(&mut ctx.reply, start, 0, 0);
        note_missing(ctx, &key);
        return Ok(());
    };
    let hash = hash_of(entry)?;
    let options = ScanOptions::read(args, 3, ScanOf::Fields)?;
    let reply = &mut ctx.reply;
    let (start, mut shown) = (reply.position(), 0);
    let mut show = |field: Item<'_>, value: Item<'_>| {
        if with_text(field, |field| options.shows(field)) {
            reply_item(reply, field);
            shown += 1;
            if !options.names_only {
                reply_item(reply, value);
                shown += 1;
            }
        }
    };
    let next = match hash {
        HashRef::Small(_) => {
            hash.each(show);
            0
        }
        HashRef::Large(table) => options.walk(cursor, 1, |cursor, seen| {
            table.scan(cursor, &mut |field, value| {
                *seen += 1;
                show(Item::Bytes(field), Item::Bytes(value));
            })
        }),
    };
    reply_scan(&mut ctx.reply, start, next, shown);
    Ok(())
}

/// HRANDFIELD key [count [WITHVALUES]]
///
/// Replies: a field or null; with a count an array, a negative count draws with repetition.
fn hrandfield(ctx: &mut Ctx<'_>, args: &Args<'_>) -> Outcome {
    let with_values = match (args.len(), args.try_get(3)) {
        (_, None) => false,
        (4, Some(word)) if is(word, "withvalues") => true,
        _ => {
            // The count is looked at first, as real servers do.
            integer_within(args.get(2), -i64::MAX, i64::MAX)?;
            return Err(CmdError::Syntax);
        }
    };
    let count = args.try_get(2);
    let count = count
        .map(|word| integer_within(word, -i64::MAX, i64::MAX))
        .transpose()?;
    if with_values && count.is_some_and(|count| count.unsigned_abs() > i64::MAX as u64 / 2) {
        return Err(CmdError::fixed("ERR value is out of range"));
    }
    let bytes_max = reply_bytes_max(ctx);
    let key = ctx.key(args.get(1));
    let Some(entry) = ctx.keyspace.peek_db(ctx.db).read(&key) else {
        match count {
            Some(_) => ctx.reply.array(0),
            None => ctx.reply.null(),
        }
        note_missing(ctx, &key);
        return Ok(());
    };
    let hash = hash_of(entry)?;
    let (reply, rng) = (&mut ctx.reply, &mut *ctx.rng);
    let Some(count) = count else {
        if let Some((field, _)) = hash.sample(&mut || rng.bits()) {
            reply_item(reply, field);
        }
        return Ok(());
    };
    let draws = Draws::of(count, hash.len());
    let is_flat = with_values && !reply.is_resp3();
    reply.array(draws.count() * if is_flat { 2 } else { 1 });
    let show = |reply: &mut Reply<'_>, field: Item<'_>, value: Item<'_>| {
        reply_pair(reply, field, with_values.then_some(value));
    };
    match draws {
        Draws::Repeated(draws) => {
            for _ in 0..draws {
                if let Some((field, value)) = hash.sample(&mut || rng.bits()) {
                    show(reply, field, value);
                }
                if reply.buf.len() > bytes_max {
                    break;
                }
            }
        }
        Draws::Distinct(draws) => hash.choose(draws, &mut || rng.bits(), |field, value| {
            show(reply, field, value);
        }),
    }
    Ok(())
}

/// A field, with its value if there is one: in RESP3 as a pair of their own.
fn reply_pair(reply: &mut Reply<'_>, field: Item<'_>, value: Option<Item<'_>>) {
    if value.is_some() && reply.is_resp3() {
        reply.array(2);
    }
    reply_item(reply, field);
    if let Some(value) = value {
        reply_item(reply, value);
    }
}
