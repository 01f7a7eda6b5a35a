//! OBJECT: how a value is kept.

use crate::command::docs;
use crate::command::spec::Handler;
use crate::command::{CmdError, Ctx, Flags, Group, KeyFlags, Keys, Outcome, Spec};
use crate::keyspace::{Db, Entry};
use crate::resp::Args;
use crate::value::encoding_of;
use dovetail_memory::Body;

const KEY: &[Keys] = &[Keys::at(2, KeyFlags::RO)];

const fn sub(name: &'static str, run: Handler, since: &'static str) -> Spec {
    Spec::new(name, 3, run)
        .of(Group::Generic, since, "O(1)")
        .flags(Flags::READONLY)
        .keys(KEY)
        .tips(&["nondeterministic_output"])
}

/// The rows.
pub const SPECS: &[Spec] = &[Spec::new("object", -2, bare)
    .of(Group::Generic, "2.2.3", "Depends on the subcommand")
    .doc("", "Tells how values are kept.")
    .subcommands(&[
        sub("encoding", encoding, "2.2.3")
            .doc("key", "Returns the form in which a key's value is kept."),
        sub("freq", freq, "4.0.0").doc("key", "Returns how often a key is used, logarithmically."),
        Spec::new("help", 2, help)
            .of(Group::Generic, "6.2.0", "O(1)")
            .flags(Flags::LOADING.and(Flags::STALE))
            .doc("", "Tells what the subcommands do."),
        sub("idletime", idletime, "2.2.3").doc(
            "key",
            "Returns for how many seconds a key has not been used.",
        ),
        sub("refcount", refcount, "2.2.3")
            .doc("key", "Returns how often a key's value is referred to."),
    ])];

/// Integers below this and from 0 on are told to be shared by everybody, as real servers do.
const SHARED_INTEGERS: i64 = 10_000;
/// How often those are told to be referred to.
const SHARED_REFERENCES: i64 = i32::MAX as i64;

/// OBJECT
fn bare(_ctx: &mut Ctx<'_>, _args: &Args<'_>) -> Outcome {
    Err(CmdError::Arity("object".into()))
}

/// OBJECT ENCODING key
fn encoding(ctx: &mut Ctx<'_>, args: &Args<'_>) -> Outcome {
    if let Some(name) = look_up(ctx, args, |_, entry| encoding_of(entry)) {
        ctx.reply.bulk(name.as_bytes());
    }
    Ok(())
}

/// OBJECT FREQ key
///
/// Errors: frequency is tracked under an LFU policy only.
fn freq(ctx: &mut Ctx<'_>, args: &Args<'_>) -> Outcome {
    let Some(frequency) = look_up(ctx, args, Db::frequency) else {
        return Ok(());
    };
    if !ctx.config.memory.maxmemory_policy.counts_frequency() {
        return Err(CmdError::fixed(
            "ERR An LFU maxmemory policy is not selected, access frequency not tracked. Please \
             note that when switching between policies at runtime LRU and LFU data will take some \
             time to adjust.",
        ));
    }
    ctx.reply.integer(frequency.into());
    Ok(())
}

/// OBJECT HELP
fn help(ctx: &mut Ctx<'_>, _args: &Args<'_>) -> Outcome {
    docs::help(ctx, "object");
    Ok(())
}

/// OBJECT IDLETIME key
///
/// Errors: idle time is not tracked under an LFU policy, nor while a hyperbolic one is at work.
fn idletime(ctx: &mut Ctx<'_>, args: &Args<'_>) -> Outcome {
    let Some(idle) = look_up(ctx, args, Db::idle_secs) else {
        return Ok(());
    };
    if ctx.config.memory.maxmemory_policy.counts_frequency() {
        return Err(CmdError::fixed(
            "ERR An LFU maxmemory policy is selected, idle time not tracked. Please note that \
             when switching between policies at runtime LRU and LFU data will take some time to \
             adjust.",
        ));
    }
    if !ctx.keyspace.peek_db(ctx.db).tracks_idle_time() {
        return Err(CmdError::fixed(
            "ERR A hyperbolic maxmemory policy is selected, idle time not tracked. Please note \
             that when switching between policies at runtime ages and idle times will take some \
             time to adjust.",
        ));
    }
    ctx.reply.integer(idle.cast_signed());
    Ok(())
}

/// OBJECT REFCOUNT key
fn refcount(ctx: &mut Ctx<'_>, args: &Args<'_>) -> Outcome {
    let references = look_up(ctx, args, |_, entry| match entry.body() {
        Body::Int(0..SHARED_INTEGERS) => SHARED_REFERENCES,
        _ => 1,
    });
    if let Some(references) = references {
        ctx.reply.integer(references);
    }
    Ok(())
}

/// Asks about the key of a subcommand; when it is not there, answers null.
fn look_up<R>(
    ctx: &mut Ctx<'_>,
    args: &Args<'_>,
    ask: impl FnOnce(&Db, Entry<'_>) -> R,
) -> Option<R> {
    let key = ctx.key(args.get(2));
    let db = ctx.keyspace.peek_db(ctx.db);
    let answer = db.inspect(&key).map(|entry| ask(db, entry));
    if answer.is_none() {
        ctx.reply.null();
    }
    answer
}
