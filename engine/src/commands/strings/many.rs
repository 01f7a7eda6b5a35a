//! Strings: several keys at once.

use super::options::{Accepts, SetOptions, When};
use super::{GROW, INSERT, OVERWRITE, READ, note_missing, record_set, reply_text, store};
use crate::base::number::parse_i64;
use crate::command::batch::each_key;
use crate::command::{CmdError, Ctx, Flags, Group, Keys, Outcome, Spec};
use crate::keyspace::Deadline;
use crate::resp::Args;
use crate::value::string::Text;
use std::ops::Range;

const MANY: &str = "O(N) where N is the number of keys";

/// The rows.
pub const SPECS: &[Spec] = &[
    Spec::new("mget", -2, mget)
        .of(Group::String, "1.0.0", MANY)
        .flags(Flags::READONLY.and(Flags::FAST))
        .keys(&[Keys::all(READ)])
        .tips(&["request_policy:multi_shard"])
        .doc(
            "key [key ...]",
            "Returns the strings at several keys at once.",
        ),
    Spec::new("mset", -3, mset)
        .of(Group::String, "1.0.1", MANY)
        .flags(GROW)
        .keys(&[Keys::range(1, -1, 2, OVERWRITE)])
        .tips(&[
            "request_policy:multi_shard",
            "response_policy:all_succeeded",
        ])
        .doc(
            "key value [key value ...]",
            "Stores several strings at once.",
        ),
    Spec::new("msetnx", -3, msetnx)
        .of(Group::String, "1.0.1", MANY)
        .flags(GROW)
        .keys(&[Keys::range(1, -1, 2, INSERT)])
        .doc(
            "key value [key value ...]",
            "Stores several strings if none of the keys exists.",
        ),
    Spec::new("msetex", -4, msetex)
        .of(Group::String, "9.1.0", MANY)
        .flags(GROW)
        .keys(&[Keys::counted_step(1, 2, OVERWRITE)])
        .tips(&[
            "request_policy:multi_shard",
            "response_policy:all_succeeded",
        ])
        .doc(
            "numkeys key value [key value ...] [NX | XX] [EX seconds | PX milliseconds | \
             EXAT unix-time-seconds | PXAT unix-time-milliseconds | KEEPTTL]",
            "Stores several strings with a common deadline, if all or none of the keys exist.",
        ),
];

/// MGET key [key ...]
///
/// Replies: an array of strings, with null for keys that are absent or hold something else.
fn mget(ctx: &mut Ctx<'_>, args: &Args<'_>) -> Outcome {
    ctx.reply.array(args.len() - 1);
    each_key(ctx, args, 1..args.len(), 1, |ctx, key, _| {
        match ctx.keyspace.peek_db(ctx.db).read(key) {
            None => {
                ctx.reply.null();
                note_missing(ctx, key);
            }
            Some(entry) => match Text::of(entry) {
                None => ctx.reply.null(),
                Some(text) => reply_text(&mut ctx.reply, &text),
            },
        }
    });
    Ok(())
}

/// MSET key value [key value ...]
fn mset(ctx: &mut Ctx<'_>, args: &Args<'_>) -> Outcome {
    let words = pairs(ctx, args)?;
    store_all(ctx, args, words, Deadline::Clear);
    ctx.reply.ok();
    Ok(())
}

/// MSETNX key value [key value ...]
///
/// Replies: 1 when all were stored, 0 when none was.
fn msetnx(ctx: &mut Ctx<'_>, args: &Args<'_>) -> Outcome {
    let words = pairs(ctx, args)?;
    let is_free = present(ctx, args, words.clone()) == 0;
    if is_free {
        store_all(ctx, args, words, Deadline::Clear);
    }
    ctx.reply.integer(i64::from(is_free));
    Ok(())
}

/// MSETEX numkeys key value [key value ...] [NX | XX] [EX s | PX ms | EXAT s | PXAT ms | KEEPTTL]
///
/// Replies: 1 when all were stored, 0 when the condition did not hold for all.
fn msetex(ctx: &mut Ctx<'_>, args: &Args<'_>) -> Outcome {
    let count = parse_i64(args.get(1)).filter(|count| (1..=i32::MAX.into()).contains(count));
    let count = count.and_then(|count| usize::try_from(count).ok());
    let count = count.ok_or(CmdError::fixed("ERR invalid numkeys value or out of range"))?;
    let end = 2 + count * 2;
    if end > args.len() {
        return Err(CmdError::Syntax);
    }
    let options = SetOptions::read(args, end, Accepts::Presence)?;
    let deadline = options.deadline(ctx)?;
    let may_write = match options.when {
        When::Absent => present(ctx, args, 2..end) == 0,
        When::Present => present(ctx, args, 2..end) == count,
        When::Always | When::Equal(_) => true,
    };
    if may_write {
        store_all(ctx, args, 2..end, deadline);
        // Real servers of before know no such command.
        for key in (2..end).step_by(2) {
            record_set(ctx, args.get(key), args.get(key + 1), deadline);
        }
    }
    ctx.reply.integer(i64::from(may_write));
    Ok(())
}

/// The words of a command that is nothing but keys and values.
fn pairs(ctx: &Ctx<'_>, args: &Args<'_>) -> Result<Range<usize>, CmdError> {
    if args.len().is_multiple_of(2) {
        return Err(CmdError::Arity(ctx.command_name().into()));
    }
    Ok(1..args.len())
}

/// How many of these words, every second a key, name keys that are there.
fn present(ctx: &mut Ctx<'_>, args: &Args<'_>, words: Range<usize>) -> usize {
    let mut found = 0;
    each_key(ctx, args, words, 2, |ctx, key, _| {
        found += usize::from(ctx.keyspace.peek_db(ctx.db).find(key).is_some());
    });
    found
}

/// Stores these words, keys and values by turns.
fn store_all(ctx: &mut Ctx<'_>, args: &Args<'_>, words: Range<usize>, deadline: Deadline) {
    each_key(ctx, args, words, 2, |ctx, key, index| {
        store(ctx, key, args, index + 1, deadline);
    });
}
