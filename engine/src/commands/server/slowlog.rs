//! SLOWLOG and COMMANDLOG: commands that took long, and those that were large.

use crate::base::number::parse_i64;
use crate::command::options::is;
use crate::command::spec::Handler;
use crate::command::{CmdError, Ctx, Flags, Group, Outcome, Spec};
use crate::observe::slowlog::{SlowEntry, SlowLog};
use crate::resp::Args;

/// Entries shown when nobody says how many.
const SHOWN: usize = 10;

const COST: &str = "O(N) where N is the number of entries";
const TYPE: &str = "<SLOW | LARGE-REQUEST | LARGE-REPLY>";

const fn sub(name: &'static str, arity: i16, run: Handler, since: &'static str) -> Spec {
    Spec::new(name, arity, run)
        .of(Group::Server, since, COST)
        .flags(Flags::ADMIN.and(super::ALWAYS))
}

/// The rows.
pub const SPECS: &[Spec] = &[
    Spec::new("commandlog", -2, super::bare)
        .of(Group::Server, "8.1.0", "Depends on the subcommand")
        .doc("", "Shows commands that took long or were large.")
        .subcommands(&[
            sub("get", 4, log_get, "8.1.0")
                .tips(&["request_policy:all_nodes", "nondeterministic_output"])
                .doc(
                    "count <SLOW | LARGE-REQUEST | LARGE-REPLY>",
                    "Returns the newest entries.",
                ),
            sub("help", 2, log_help, "8.1.0")
                .of(Group::Server, "8.1.0", "O(1)")
                .flags(super::ALWAYS)
                .doc("", "Explains the subcommands."),
            sub("len", 3, log_len, "8.1.0")
                .of(Group::Server, "8.1.0", "O(1)")
                .tips(&[
                    "request_policy:all_nodes",
                    "response_policy:agg_sum",
                    "nondeterministic_output",
                ])
                .doc(TYPE, "Counts the entries."),
            sub("reset", 3, log_reset, "8.1.0")
                .tips(&["request_policy:all_nodes", "response_policy:all_succeeded"])
                .doc(TYPE, "Forgets the entries."),
        ]),
    Spec::new("slowlog", -2, super::bare)
        .of(Group::Server, "2.2.12", "Depends on the subcommand")
        .doc("", "Shows commands that took long.")
        .subcommands(&[
            sub("get", -2, get, "2.2.12")
                .tips(&["request_policy:all_nodes", "nondeterministic_output"])
                .history(&[("4.0.0", "The client's address and name in each entry.")])
                .doc(
                    "[count]",
                    "Returns the newest entries, or all of them for -1.",
                ),
            sub("help", 2, help, "6.2.0")
                .of(Group::Server, "6.2.0", "O(1)")
                .flags(super::ALWAYS)
                .doc("", "Explains the subcommands."),
            sub("len", 2, len, "2.2.12")
                .of(Group::Server, "2.2.12", "O(1)")
                .tips(&[
                    "request_policy:all_nodes",
                    "response_policy:agg_sum",
                    "nondeterministic_output",
                ])
                .doc("", "Counts the entries."),
            sub("reset", 2, reset, "2.2.12")
                .tips(&["request_policy:all_nodes", "response_policy:all_succeeded"])
                .doc("", "Forgets the entries."),
        ]),
];

/// COMMANDLOG GET count type
fn log_get(ctx: &mut Ctx<'_>, args: &Args<'_>) -> Outcome {
    let count = count(args.get(2))?;
    let entries = newest(log(ctx, args.get(3))?, count);
    show(ctx, &entries);
    Ok(())
}

/// COMMANDLOG HELP
fn log_help(ctx: &mut Ctx<'_>, _args: &Args<'_>) -> Outcome {
    crate::command::docs::help(ctx, "commandlog");
    Ok(())
}

/// COMMANDLOG LEN type
fn log_len(ctx: &mut Ctx<'_>, args: &Args<'_>) -> Outcome {
    let len = log(ctx, args.get(2))?.len();
    ctx.reply.count(len);
    Ok(())
}

/// COMMANDLOG RESET type
fn log_reset(ctx: &mut Ctx<'_>, args: &Args<'_>) -> Outcome {
    log(ctx, args.get(2))?.clear();
    ctx.reply.ok();
    Ok(())
}

/// SLOWLOG GET [count]
fn get(ctx: &mut Ctx<'_>, args: &Args<'_>) -> Outcome {
    let count = match args.len() {
        2 => SHOWN,
        3 => count(args.get(2))?,
        _ => return Err(super::bad_usage(ctx, args)),
    };
    let entries = newest(&ctx.observed.slowlog, count);
    show(ctx, &entries);
    Ok(())
}

/// SLOWLOG HELP
fn help(ctx: &mut Ctx<'_>, _args: &Args<'_>) -> Outcome {
    crate::command::docs::help(ctx, "slowlog");
    Ok(())
}

/// SLOWLOG LEN
fn len(ctx: &mut Ctx<'_>, _args: &Args<'_>) -> Outcome {
    ctx.reply.count(ctx.observed.slowlog.len());
    Ok(())
}

/// SLOWLOG RESET
fn reset(ctx: &mut Ctx<'_>, _args: &Args<'_>) -> Outcome {
    ctx.observed.slowlog.clear();
    ctx.reply.ok();
    Ok(())
}

/// How many entries; -1 is all.
fn count(word: &[u8]) -> Result<usize, CmdError> {
    let text = "ERR count should be greater than or equal to -1";
    match parse_i64(word) {
        Some(-1) => Ok(usize::MAX),
        count => count
            .and_then(|n| usize::try_from(n).ok())
            .ok_or(CmdError::fixed(text)),
    }
}

/// The log that a word names.
fn log<'o>(ctx: &'o mut Ctx<'_>, word: &[u8]) -> Result<&'o mut SlowLog, CmdError> {
    match word {
        word if is(word, "slow") => Ok(&mut ctx.observed.slowlog),
        word if is(word, "large-request") => Ok(&mut ctx.observed.large_requests),
        word if is(word, "large-reply") => Ok(&mut ctx.observed.large_replies),
        _ => Err(CmdError::fixed(
            "ERR type should be one of the following: slow, large-request, large-reply",
        )),
    }
}

fn newest(log: &SlowLog, count: usize) -> Vec<SlowEntry> {
    log.iter().take(count).cloned().collect()
}

fn show(ctx: &mut Ctx<'_>, entries: &[SlowEntry]) {
    let reply = &mut ctx.reply;
    let signed = |n: u64| i64::try_from(n).unwrap_or(i64::MAX);
    reply.array(entries.len());
    for entry in entries {
        reply.array(6);
        reply.integer(signed(entry.id));
        reply.integer(signed(entry.unix_secs));
        reply.integer(signed(entry.amount));
        reply.array(entry.words.len());
        for word in &entry.words {
            reply.bulk(word);
        }
        reply.bulk(entry.client.as_bytes());
        reply.bulk(&entry.name);
    }
}
