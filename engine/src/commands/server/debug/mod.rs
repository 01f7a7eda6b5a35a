//! DEBUG: aids for tests, closed unless `enable-debug-command` opens them.
//!
//! Shape: a row of [`SUBS`] per word; dispatch and DEBUG HELP follow from the rows.

mod protocol;

use super::digest;
use crate::base::number::{parse_double, parse_i64};
use crate::base::{DbIndex, Micros};
use crate::command::ctx::{LogLevel, Reload};
use crate::command::options::{integer, is};
use crate::command::{CmdError, Ctx, Group, Outcome, Spec};
use crate::keyspace::{Deadline, Entry};
use crate::resp::Args;
use crate::value::string::{self, TAG_WHOLE, Text, body_of};
use std::ops::RangeInclusive;

/// The rows.
pub const SPECS: &[Spec] = &[Spec::new("debug", -2, debug)
    .of(Group::Server, "1.0.0", "Depends on the subcommand")
    .flags(super::ADMIN)
    .doc("subcommand [argument [argument ...]]", "Aids for tests.")];

/// What DEBUG can do with one word behind it.
struct Sub {
    name: &'static str,
    syntax: &'static str,
    summary: &'static str,
    /// How many words the whole request may have.
    words: RangeInclusive<usize>,
    run: fn(&mut Ctx<'_>, &Args<'_>) -> Outcome,
}

const fn sub(
    name: &'static str,
    words: RangeInclusive<usize>,
    run: fn(&mut Ctx<'_>, &Args<'_>) -> Outcome,
    syntax: &'static str,
    summary: &'static str,
) -> Sub {
    Sub {
        name,
        syntax,
        summary,
        words,
        run,
    }
}

const ANY: usize = usize::MAX;

const SUBS: &[Sub] = &[
    sub(
        "CHANGE-REPL-ID",
        2..=2,
        change_repl_id,
        "",
        "Give the dataset's history a new name.",
    ),
    sub(
        "DIGEST",
        2..=2,
        digest_all,
        "",
        "Return a digest of all data.",
    ),
    sub(
        "DIGEST-VALUE",
        2..=ANY,
        digest_value,
        "[key ...]",
        "Return digests of values.",
    ),
    sub("ERROR", 3..=3, error, "<text>", "Answer with this error."),
    sub("HELP", 2..=2, help, "", "Explain the subcommands."),
    sub(
        "HTSTATS",
        3..=4,
        htstats,
        "<db> [full]",
        "Describe the table of a database.",
    ),
    sub(
        "HTSTATS-KEY",
        3..=4,
        htstats_key,
        "<key> [full]",
        "Describe the table of a value.",
    ),
    sub(
        "LOADAOF",
        2..=2,
        loadaof,
        "",
        "Load the append-only file in place of the dataset.",
    ),
    sub("LOG", 3..=3, log, "<text>", "Write a line to the log."),
    sub(
        "OBJECT",
        3..=4,
        object,
        "<key> [fast]",
        "Describe a key and its value.",
    ),
    sub(
        "PANIC",
        2..=2,
        panic,
        "",
        "End the process as a broken invariant does.",
    ),
    sub(
        "PAUSE-CRON",
        3..=3,
        pause_cron,
        "<0|1>",
        "Stop the periodic duties, or go on.",
    ),
    sub(
        "POPULATE",
        3..=5,
        populate,
        "<count> [prefix] [size]",
        "Make many small strings.",
    ),
    sub(
        "PROTOCOL",
        3..=3,
        protocol::protocol,
        "<type>",
        "Answer with a value of this type.",
    ),
    sub(
        "RELOAD",
        2..=3,
        reload,
        "[NOSAVE]",
        "Save the dataset and load it again.",
    ),
    sub(
        "SEGFAULT",
        2..=2,
        segfault,
        "",
        "End the process as a bad memory access does.",
    ),
    sub(
        "SET-ACTIVE-EXPIRE",
        3..=3,
        set_active_expire,
        "<0|1>",
        "Expire unasked, or do not.",
    ),
    sub(
        "SLEEP",
        3..=3,
        sleep,
        "<seconds>",
        "Block the whole server.",
    ),
];

/// DEBUG LOADAOF
fn loadaof(ctx: &mut Ctx<'_>, _args: &Args<'_>) -> Outcome {
    ctx.effects().reload = Some(Reload {
        saves: false,
        is_log: true,
    });
    Ok(())
}

/// DEBUG RELOAD [NOSAVE]
fn reload(ctx: &mut Ctx<'_>, args: &Args<'_>) -> Outcome {
    let saves = match args.try_get(2) {
        None => true,
        Some(word) if is(word, "nosave") => false,
        Some(_) => return Err(CmdError::Syntax),
    };
    ctx.effects().reload = Some(Reload {
        saves,
        is_log: false,
    });
    Ok(())
}

/// DEBUG subcommand [argument [argument ...]]
fn debug(ctx: &mut Ctx<'_>, args: &Args<'_>) -> Outcome {
    let permission = ctx.config.security.enable_debug_command;
    super::guard(ctx, permission, "DEBUG", "enable-debug-command")?;
    let found = SUBS.iter().find(|sub| is(args.get(1), sub.name));
    match found.filter(|sub| sub.words.contains(&args.len())) {
        Some(sub) => (sub.run)(ctx, args),
        None => Err(super::bad_usage(ctx, args)),
    }
}

/// DEBUG CHANGE-REPL-ID
fn change_repl_id(ctx: &mut Ctx<'_>, _args: &Args<'_>) -> Outcome {
    ctx.observed.rename_history(ctx.rng);
    ctx.reply.ok();
    Ok(())
}

/// DEBUG DIGEST
fn digest_all(ctx: &mut Ctx<'_>, _args: &Args<'_>) -> Outcome {
    let digest = digest::of_all(ctx.keyspace);
    ctx.reply.simple(&digest::hex(digest));
    Ok(())
}

/// DEBUG DIGEST-VALUE [key ...]
fn digest_value(ctx: &mut Ctx<'_>, args: &Args<'_>) -> Outcome {
    ctx.reply.array(args.len() - 2);
    for word in args.iter_from(2) {
        let key = ctx.key(word);
        let entry = ctx.keyspace.peek_db(ctx.db).peek(&key);
        let digest = entry.map(digest::of_value).unwrap_or_default();
        ctx.reply.simple(&digest::hex(digest));
    }
    Ok(())
}

/// DEBUG ERROR text
///
/// Nothing has failed, so the error is not counted.
fn error(ctx: &mut Ctx<'_>, args: &Args<'_>) -> Outcome {
    ctx.reply.error(args.get(2));
    Ok(())
}

/// DEBUG HELP
fn help(ctx: &mut Ctx<'_>, _args: &Args<'_>) -> Outcome {
    ctx.reply.array(1 + 2 * SUBS.len());
    ctx.reply
        .simple("DEBUG <subcommand> [<arg> [value] [opt] ...]. Subcommands are:");
    for sub in SUBS {
        ctx.reply
            .simple(format!("{} {}", sub.name, sub.syntax).trim_end());
        ctx.reply.simple(&format!("    {}", sub.summary));
    }
    Ok(())
}

/// DEBUG HTSTATS db [full]
fn htstats(ctx: &mut Ctx<'_>, args: &Args<'_>) -> Outcome {
    let index = integer(args.get(2))?;
    let index = u32::try_from(index).ok().map(DbIndex);
    let index = index.filter(|index| index.index() < ctx.keyspace.count());
    let index = index.ok_or(CmdError::fixed("ERR Out of range database"))?;
    let db = ctx.keyspace.peek_db(index);
    let stats = db.store().stats();
    let text = format!(
        "[Dictionary HT]\n segments: {}\n slots: {}\n number of elements: {}\n record bytes: {}\n \
         table bytes: {}\n splits: {}\n merges: {}\n buckets by full slots: {:?}\n[Expires HT]\n \
         number of elements: {}\n",
        stats.segments,
        stats.slots,
        stats.records,
        stats.record_bytes,
        stats.table_chunk_bytes,
        stats.splits,
        stats.merges,
        stats.bucket_fill,
        db.with_deadline(),
    );
    ctx.reply.verbatim("txt", text.as_bytes());
    Ok(())
}

/// DEBUG HTSTATS-KEY key [full]
fn htstats_key(ctx: &mut Ctx<'_>, args: &Args<'_>) -> Outcome {
    let key = ctx.key(args.get(2));
    ctx.keyspace
        .peek_db(ctx.db)
        .peek(&key)
        .ok_or(CmdError::NoSuchKey)?;
    // No type that exists here keeps a table of its own.
    Err(CmdError::fixed(
        "ERR The value stored at the specified key is not represented using an hash table",
    ))
}

/// DEBUG LOG text
fn log(ctx: &mut Ctx<'_>, args: &Args<'_>) -> Outcome {
    let line = format!("DEBUG LOG: {}", String::from_utf8_lossy(args.get(2)));
    ctx.host.log(LogLevel::Warning, &line);
    ctx.reply.ok();
    Ok(())
}

/// DEBUG OBJECT key [fast]
///
/// Replies: a line; its length of the serialized value is left out by `fast`.
fn object(ctx: &mut Ctx<'_>, args: &Args<'_>) -> Outcome {
    let is_fast = match args.try_get(3) {
        None => false,
        Some(word) if is(word, "fast") => true,
        Some(_) => return Err(super::bad_usage(ctx, args)),
    };
    let key = ctx.key(args.get(2));
    let db = ctx.keyspace.peek_db(ctx.db);
    let entry = db.peek(&key).ok_or(CmdError::NoSuchKey)?;
    let length = match is_fast {
        true => String::new(),
        false => format!(" serializedlength:{}", serialized_length(entry)),
    };
    let line = format!(
        "Value at:{:p} refcount:1 encoding:{}{length} lru:{} lru_seconds_idle:{}",
        entry.key().as_ptr(),
        string::encoding(entry),
        entry.heat(),
        db.idle_secs(entry),
    );
    ctx.reply.simple(&line);
    Ok(())
}

/// Bytes of the value in a snapshot, compression aside: a length and the text, or a tagged number.
fn serialized_length(entry: Entry<'_>) -> usize {
    let Some(text) = Text::of(entry) else {
        return 0;
    };
    if let Text::Number(digits) = &text {
        match parse_i64(digits.as_bytes()).unwrap_or(i64::MAX) {
            -0x80..0x80 => return 2,
            -0x8000..0x8000 => return 3,
            -0x8000_0000..0x8000_0000 => return 5,
            _ => {}
        }
    }
    let len = text.as_bytes().len();
    let head = match len {
        0..0x40 => 1,
        0x40..0x4000 => 2,
        _ => 5,
    };
    head + len
}

/// DEBUG PANIC
fn panic(ctx: &mut Ctx<'_>, _args: &Args<'_>) -> Outcome {
    ctx.host.crash("panic");
    ctx.reply.ok();
    Ok(())
}

/// DEBUG PAUSE-CRON 0|1
fn pause_cron(ctx: &mut Ctx<'_>, args: &Args<'_>) -> Outcome {
    ctx.effects().pause_cron = Some(is_on(args.get(2)));
    ctx.reply.ok();
    Ok(())
}

/// DEBUG POPULATE count [prefix] [size]
///
/// Keys that are there already stay as they are. Values of a given size are cut, or filled up
/// with zero bytes.
fn populate(ctx: &mut Ctx<'_>, args: &Args<'_>) -> Outcome {
    let positive = |word| {
        let number = parse_i64(word).and_then(|number| usize::try_from(number).ok());
        number.ok_or(CmdError::NotPositive)
    };
    let count = positive(args.get(2))?;
    let prefix = args.try_get(3).unwrap_or(b"key");
    let size = args.try_get(4).map(positive).transpose()?;
    if size.is_some_and(|size| size as u64 > ctx.config.limits.proto_max_bulk_len) {
        return Err(CmdError::StringTooLong);
    }
    let mut name = Vec::new();
    for number in 0..count {
        name.clear();
        name.extend_from_slice(prefix);
        name.extend_from_slice(format!(":{number}").as_bytes());
        let key = ctx.keyspace.key(&name);
        let db = ctx.keyspace.db(ctx.db);
        if db.peek(&key).is_none() {
            let mut value = format!("value:{number}").into_bytes();
            if let Some(size) = size.filter(|size| *size > 0) {
                value.resize(size, 0);
            }
            db.put(&key, TAG_WHOLE, body_of(&value), Deadline::Clear);
        }
    }
    ctx.reply.ok();
    Ok(())
}

/// DEBUG SEGFAULT
fn segfault(ctx: &mut Ctx<'_>, _args: &Args<'_>) -> Outcome {
    ctx.host.crash("segfault");
    ctx.reply.ok();
    Ok(())
}

/// DEBUG SET-ACTIVE-EXPIRE 0|1
fn set_active_expire(ctx: &mut Ctx<'_>, args: &Args<'_>) -> Outcome {
    ctx.keyspace.active_expire = is_on(args.get(2));
    ctx.reply.ok();
    Ok(())
}

/// DEBUG SLEEP seconds
fn sleep(ctx: &mut Ctx<'_>, args: &Args<'_>) -> Outcome {
    let seconds = parse_double(args.get(2)).filter(|seconds| seconds.is_finite());
    let micros = (seconds.unwrap_or(0.0) * 1e6).clamp(0.0, MICROS_MAX);
    #[expect(
        clippy::cast_possible_truncation,
        clippy::cast_sign_loss,
        reason = "clamped above"
    )]
    let micros = micros as u64;
    ctx.host.sleep(micros);
    // Whoever comes next in this turn finds that time has passed.
    ctx.now.unix_us = ctx.now.unix_us.saturating_add(micros);
    ctx.now.monotonic = ctx.now.monotonic.plus(Micros(micros));
    ctx.keyspace.set_now(ctx.now);
    ctx.reply.ok();
    Ok(())
}

/// Nobody sleeps longer than an hour.
const MICROS_MAX: f64 = 3.6e9;

/// A switch: every number but 0 is on, what is no number is off.
fn is_on(word: &[u8]) -> bool {
    parse_i64(word).is_some_and(|number| number != 0)
}
