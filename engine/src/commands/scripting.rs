//! Scripts: EVAL and its kin, SCRIPT.
//!
//! Not here: running a script, which is the executor's, and what scripts see, which is `script`.

use crate::base::number::parse_i64;
use crate::command::options::is;
use crate::command::spec::Handler;
use crate::command::{CmdError, Ctx, Flags, Group, KeyFlags, Keys, Outcome, Spec};
use crate::resp::Args;
use crate::script::{Run, ScriptId};

const RUNS: Flags = Flags::NOSCRIPT
    .and(Flags::STALE)
    .and(Flags::SKIP_MONITOR)
    .and(Flags::NO_MANDATORY_KEYS)
    .and(Flags::MOVABLE_KEYS);

const READS_AND_WRITES: KeyFlags = KeyFlags::RW.and(KeyFlags::ACCESS).and(KeyFlags::UPDATE);
const READS: KeyFlags = KeyFlags::RO.and(KeyFlags::ACCESS);

const SYNTAX: &str = "script numkeys [key [key ...]] [arg [arg ...]]";
const SHA_SYNTAX: &str = "sha1 numkeys [key [key ...]] [arg [arg ...]]";

const fn runs(name: &'static str, run: Handler, since: &'static str) -> Spec {
    Spec::new(name, -3, run)
        .of(
            Group::Scripting,
            since,
            "Depends on the script that is executed.",
        )
        .flags(RUNS)
}

/// The rows that run scripts.
pub const SPECS: &[Spec] = &[
    runs("eval", eval, "2.6.0")
        .flags(RUNS.and(Flags::MAY_REPLICATE))
        .keys(&[Keys::counted(2, READS_AND_WRITES).note(
            "We cannot tell how the keys will be used so we assume the worst, RW and UPDATE",
        )])
        .doc(SYNTAX, "Runs a Lua script."),
    runs("eval_ro", eval_ro, "7.0.0")
        .flags(RUNS.and(Flags::READONLY))
        .keys(&[Keys::counted(2, READS).note(
            "We cannot tell how the keys will be used so we assume the worst, RO and ACCESS",
        )])
        .doc(SYNTAX, "Runs a Lua script that may not write."),
    runs("evalsha", evalsha, "2.6.0")
        .flags(RUNS.and(Flags::MAY_REPLICATE))
        .keys(&[Keys::counted(2, READS_AND_WRITES)])
        .doc(SHA_SYNTAX, "Runs a Lua script of the cache."),
    runs("evalsha_ro", evalsha_ro, "7.0.0")
        .flags(RUNS.and(Flags::READONLY))
        .keys(&[Keys::counted(2, READS)])
        .doc(
            SHA_SYNTAX,
            "Runs a Lua script of the cache that may not write.",
        ),
];

const fn sub(name: &'static str, arity: i16, run: Handler, since: &'static str) -> Spec {
    Spec::new(name, arity, run)
        .of(Group::Scripting, since, "O(1)")
        .flags(Flags::NOSCRIPT)
}

/// The rows that look after the cache.
pub const CONTAINER_SPECS: &[Spec] = &[Spec::new("script", -2, bare)
    .of(Group::Scripting, "2.6.0", "Depends on the subcommand.")
    .doc("", "Looks after the cache of Lua scripts.")
    .subcommands(&[
        sub("debug", 3, debug, "3.2.0").doc(
            "<YES | SYNC | NO>",
            "Sets the debug mode of later scripts; there is no debugger here.",
        ),
        sub("exists", -3, exists, "2.6.0")
            .of(
                Group::Scripting,
                "2.6.0",
                "O(N) where N is the number of names",
            )
            .tips(&[
                "request_policy:all_shards",
                "response_policy:agg_logical_and",
            ])
            .doc("sha1 [sha1 ...]", "Tells which scripts are in the cache."),
        sub("flush", -2, flush, "2.6.0")
            .of(
                Group::Scripting,
                "2.6.0",
                "O(N) where N is the number of scripts",
            )
            .tips(&["request_policy:all_nodes", "response_policy:all_succeeded"])
            .history(&[("6.2.0", "`ASYNC` and `SYNC`.")])
            .doc("[ASYNC | SYNC]", "Forgets all scripts of the cache."),
        sub("help", 2, help, "5.0.0")
            .flags(Flags::LOADING.and(Flags::STALE))
            .doc("", "Explains the subcommands."),
        sub("kill", 2, kill, "2.6.0")
            .flags(Flags::NOSCRIPT.and(Flags::ALLOW_BUSY))
            .tips(&["request_policy:all_shards", "response_policy:one_succeeded"])
            .doc("", "Ends the script that keeps the server busy."),
        sub("load", 3, load, "2.6.0")
            .of(
                Group::Scripting,
                "2.6.0",
                "O(N) where N is the length of the script",
            )
            .flags(Flags::NOSCRIPT.and(Flags::STALE))
            .tips(&["request_policy:all_nodes", "response_policy:all_succeeded"])
            .doc("script", "Puts a script into the cache."),
    ])];

/// What a call may do to the dataset.
#[derive(Clone, Copy, PartialEq, Eq)]
enum Access {
    ReadWrite,
    ReadOnly,
}

/// EVAL script numkeys [key [key ...]] [arg [arg ...]]
fn eval(ctx: &mut Ctx<'_>, args: &Args<'_>) -> Outcome {
    evaluate(ctx, args, Access::ReadWrite)
}

/// EVAL_RO script numkeys [key [key ...]] [arg [arg ...]]
fn eval_ro(ctx: &mut Ctx<'_>, args: &Args<'_>) -> Outcome {
    evaluate(ctx, args, Access::ReadOnly)
}

/// EVALSHA sha1 numkeys [key [key ...]] [arg [arg ...]]
fn evalsha(ctx: &mut Ctx<'_>, args: &Args<'_>) -> Outcome {
    evaluate_cached(ctx, args, Access::ReadWrite)
}

/// EVALSHA_RO sha1 numkeys [key [key ...]] [arg [arg ...]]
fn evalsha_ro(ctx: &mut Ctx<'_>, args: &Args<'_>) -> Outcome {
    evaluate_cached(ctx, args, Access::ReadOnly)
}

fn evaluate(ctx: &mut Ctx<'_>, args: &Args<'_>, access: Access) -> Outcome {
    let keys = key_count(args)?;
    let script = ctx.scripts.evaluate(args.get(1)).map_err(error_line)?;
    stage(ctx, args, script, keys, access)
}

fn evaluate_cached(ctx: &mut Ctx<'_>, args: &Args<'_>, access: Access) -> Outcome {
    let missing = || CmdError::fixed("NOSCRIPT No matching script. Please use EVAL.");
    let name = args.get(1);
    if name.len() != size_of::<crate::script::Sha>() {
        return Err(missing());
    }
    let keys = key_count(args)?;
    let script = ctx.scripts.find(name).ok_or_else(missing)?;
    stage(ctx, args, script, keys, access)
}

/// The `numkeys` argument.
fn key_count(args: &Args<'_>) -> Result<usize, CmdError> {
    let count = parse_i64(args.get(2)).ok_or(CmdError::NotInteger)?;
    let Ok(count) = usize::try_from(count) else {
        return Err(CmdError::fixed("ERR Number of keys can't be negative"));
    };
    if count > args.len() - 3 {
        let text = "ERR Number of keys can't be greater than number of args";
        return Err(CmdError::fixed(text));
    }
    Ok(count)
}

/// Lays everything ready for the executor to run the script.
fn stage(
    ctx: &mut Ctx<'_>,
    args: &Args<'_>,
    script: ScriptId,
    keys: usize,
    access: Access,
) -> Outcome {
    let declared = ctx.scripts.declared(script);
    if access == Access::ReadOnly && declared.any && !declared.no_writes {
        let text = "ERR Can not execute a script with write flag using *_ro command.";
        return Err(CmdError::fixed(text));
    }
    let read_only = access == Access::ReadOnly || declared.no_writes;
    if let Some(machine) = &ctx.scripts.machine {
        let mut words = machine.desk().words.borrow_mut();
        words.clear();
        for word in args.iter_from(3) {
            if !words.push(word) {
                return Err(CmdError::fixed("ERR too many bytes for a script"));
            }
        }
    }
    ctx.scripts.stage(Run {
        script,
        keys,
        read_only,
    });
    ctx.effects.script = true;
    Ok(())
}

fn error_line(line: Vec<u8>) -> CmdError {
    CmdError::Bytes(line.into())
}

/// SCRIPT without a subcommand
fn bare(_ctx: &mut Ctx<'_>, _args: &Args<'_>) -> Outcome {
    Err(CmdError::Arity("script".into()))
}

/// SCRIPT DEBUG <YES | SYNC | NO>
fn debug(ctx: &mut Ctx<'_>, args: &Args<'_>) -> Outcome {
    match args.get(2) {
        word if is(word, "no") => {
            ctx.reply.ok();
            Ok(())
        }
        word if is(word, "yes") || is(word, "sync") => {
            Err(CmdError::fixed("ERR The Lua debugger is not available"))
        }
        _ => Err(CmdError::fixed("ERR Use SCRIPT DEBUG YES/SYNC/NO")),
    }
}

/// SCRIPT EXISTS sha1 [sha1 ...]
fn exists(ctx: &mut Ctx<'_>, args: &Args<'_>) -> Outcome {
    ctx.reply.array(args.len() - 2);
    for name in args.iter_from(2) {
        let is_there = ctx.scripts.find(name).is_some();
        ctx.reply.integer(i64::from(is_there));
    }
    Ok(())
}

/// SCRIPT FLUSH [ASYNC | SYNC]
fn flush(ctx: &mut Ctx<'_>, args: &Args<'_>) -> Outcome {
    match (args.len(), args.try_get(2)) {
        (2, _) => {}
        (3, Some(word)) if is(word, "async") || is(word, "sync") => {}
        _ => {
            let text = "ERR SCRIPT FLUSH only support SYNC|ASYNC option";
            return Err(CmdError::fixed(text));
        }
    }
    ctx.scripts.flush();
    ctx.reply.ok();
    Ok(())
}

/// SCRIPT HELP
fn help(ctx: &mut Ctx<'_>, _args: &Args<'_>) -> Outcome {
    crate::command::docs::help(ctx, "script");
    Ok(())
}

/// SCRIPT KILL
fn kill(ctx: &mut Ctx<'_>, _args: &Args<'_>) -> Outcome {
    let Some(busy) = &mut ctx.scripts.busy else {
        let text = "NOTBUSY No scripts in execution right now.";
        return Err(CmdError::fixed(text));
    };
    if busy.has_written {
        return Err(CmdError::fixed(
            "UNKILLABLE Sorry the script already executed write commands against the dataset. You \
             can either wait the script termination or kill the server in a hard way using the \
             SHUTDOWN NOSAVE command.",
        ));
    }
    busy.is_killed = true;
    ctx.reply.ok();
    Ok(())
}

/// SCRIPT LOAD script
fn load(ctx: &mut Ctx<'_>, args: &Args<'_>) -> Outcome {
    let script = ctx.scripts.load(args.get(2)).map_err(error_line)?;
    let name = ctx.scripts.sha(script);
    ctx.reply.bulk(&name);
    Ok(())
}
