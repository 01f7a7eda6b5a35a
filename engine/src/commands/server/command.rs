//! COMMAND: the table of commands, as clients and their libraries read it.

use crate::base::glob::{self, CaseFold};
use crate::command::keys::{KeyWord, keys_of, legacy_range};
use crate::command::options::is;
use crate::command::spec::{Begin, Categories, Find, Handler};
use crate::command::table::Row;
use crate::command::{
    CmdError, CommandId, CommandTable, Ctx, Flags, Group, KeyFlags, Keys, Outcome, Spec, docs,
};
use crate::resp::{Args, OwnedArgs, Reply};

const ORDER: &[&str] = &["nondeterministic_output_order"];

const fn sub(name: &'static str, arity: i16, run: Handler, cost: &'static str) -> Spec {
    Spec::new(name, arity, run)
        .of(Group::Server, "7.0.0", cost)
        .flags(super::ALWAYS)
        .categories(Categories::CONNECTION)
}

/// The rows.
pub const SPECS: &[Spec] = &[Spec::new("command", -1, command)
    .of(
        Group::Server,
        "2.8.13",
        "O(N) where N is the number of commands",
    )
    .flags(super::ALWAYS)
    .categories(Categories::CONNECTION)
    .tips(ORDER)
    .doc("", "Describes all commands.")
    .subcommands(&[
        sub("count", 2, count, "O(1)")
            .of(Group::Server, "2.8.13", "O(1)")
            .doc("", "Counts the commands."),
        sub(
            "docs",
            -2,
            command_docs,
            "O(N) where N is the number of commands",
        )
        .tips(ORDER)
        .doc(
            "[command-name [command-name ...]]",
            "Returns the documentation of commands.",
        ),
        sub(
            "getkeys",
            -3,
            getkeys,
            "O(N) where N is the number of arguments",
        )
        .of(
            Group::Server,
            "2.8.13",
            "O(N) where N is the number of arguments",
        )
        .doc(
            "command [arg [arg ...]]",
            "Tells which arguments of a request are keys.",
        ),
        sub(
            "getkeysandflags",
            -3,
            getkeysandflags,
            "O(N) where N is the number of arguments",
        )
        .doc(
            "command [arg [arg ...]]",
            "Tells which arguments are keys, and their use.",
        ),
        sub("help", 2, help, "O(1)")
            .of(Group::Server, "5.0.0", "O(1)")
            .doc("", "Explains the subcommands."),
        sub("info", -2, info, "O(N) where N is the number of commands")
            .of(
                Group::Server,
                "2.8.13",
                "O(N) where N is the number of commands",
            )
            .tips(ORDER)
            .history(&[("7.0.0", "All commands without a name.")])
            .doc("[command-name [command-name ...]]", "Describes commands."),
        sub("list", -2, list, "O(N) where N is the number of commands")
            .tips(ORDER)
            .doc(
                "[FILTERBY <MODULE module-name | ACLCAT category | PATTERN pattern>]",
                "Lists the names of commands.",
            ),
    ])];

/// COMMAND
fn command(ctx: &mut Ctx<'_>, _args: &Args<'_>) -> Outcome {
    describe_all(ctx);
    Ok(())
}

/// COMMAND COUNT
fn count(ctx: &mut Ctx<'_>, _args: &Args<'_>) -> Outcome {
    ctx.reply.count(ctx.commands.top_level().count());
    Ok(())
}

/// COMMAND DOCS [command-name [command-name ...]]
///
/// Replies: a map of names to maps; names that are no command are left out.
fn command_docs(ctx: &mut Ctx<'_>, args: &Args<'_>) -> Outcome {
    let commands = ctx.commands;
    let rows: Vec<CommandId> = if args.len() == 2 {
        commands.top_level().map(|(id, _)| id).collect()
    } else {
        args.iter_from(2)
            .filter_map(|name| commands.find_full(name))
            .collect()
    };
    docs::write_all(&mut ctx.reply, commands, &rows);
    Ok(())
}

/// COMMAND GETKEYS command [arg [arg ...]]
fn getkeys(ctx: &mut Ctx<'_>, args: &Args<'_>) -> Outcome {
    let request = request(args);
    let (_, keys) = keys(ctx.commands, &request.args())?;
    ctx.reply.array(keys.len());
    for key in keys {
        ctx.reply.bulk(request.args().get(key.index));
    }
    Ok(())
}

/// COMMAND GETKEYSANDFLAGS command [arg [arg ...]]
fn getkeysandflags(ctx: &mut Ctx<'_>, args: &Args<'_>) -> Outcome {
    let request = request(args);
    let request = request.args();
    let (spec, keys) = keys(ctx.commands, &request)?;
    ctx.reply.array(keys.len());
    for key in keys {
        ctx.reply.array(2);
        ctx.reply.bulk(request.get(key.index));
        write_key_flags(&mut ctx.reply, resolved(spec, key.flags, &request));
    }
    Ok(())
}

/// COMMAND HELP
fn help(ctx: &mut Ctx<'_>, _args: &Args<'_>) -> Outcome {
    docs::help(ctx, "command");
    Ok(())
}

/// COMMAND INFO [command-name [command-name ...]]
///
/// Replies: an array of descriptions, null for a name that is no command.
fn info(ctx: &mut Ctx<'_>, args: &Args<'_>) -> Outcome {
    if args.len() == 2 {
        describe_all(ctx);
        return Ok(());
    }
    ctx.reply.array(args.len() - 2);
    for name in args.iter_from(2) {
        match ctx.commands.find_full(name) {
            Some(id) => describe(&mut ctx.reply, ctx.commands, id),
            None => ctx.reply.null(),
        }
    }
    Ok(())
}

/// COMMAND LIST [FILTERBY MODULE module-name | ACLCAT category | PATTERN pattern]
fn list(ctx: &mut Ctx<'_>, args: &Args<'_>) -> Outcome {
    let commands = ctx.commands;
    let wanted: Filter<'_> = match args.len() {
        2 => Box::new(|_| true),
        5 if is(args.get(2), "filterby") => filter(args.get(3), args.get(4))?,
        _ => return Err(CmdError::Syntax),
    };
    let names: Vec<&str> = commands
        .rows()
        .filter(|(_, row)| !row.called.is_empty() && wanted(row))
        .map(|(_, row)| &*row.full_name)
        .collect();
    ctx.reply.array(names.len());
    for name in names {
        ctx.reply.bulk(name.as_bytes());
    }
    Ok(())
}

/// Which rows are listed.
type Filter<'w> = Box<dyn Fn(&Row) -> bool + 'w>;

fn filter<'w>(by: &[u8], what: &'w [u8]) -> Result<Filter<'w>, CmdError> {
    Ok(match by {
        // There are no modules.
        by if is(by, "module") => Box::new(|_| false),
        by if is(by, "pattern") => {
            Box::new(|row| glob::matches(what, row.full_name.as_bytes(), CaseFold::Insensitive))
        }
        by if is(by, "aclcat") => {
            let mut names = Categories::NAMES.iter();
            let category = names
                .find(|(_, name)| is(what, name))
                .map(|(category, _)| *category);
            Box::new(move |row| {
                category.is_some_and(|category| row.spec.all_categories().has(category))
            })
        }
        _ => return Err(CmdError::Syntax),
    })
}

/// The request that is asked about.
fn request(args: &Args<'_>) -> OwnedArgs {
    let words: Vec<&[u8]> = args.iter_from(2).collect();
    OwnedArgs::from_words(&words)
}

/// The command of a request, and its keys.
fn keys(
    commands: &CommandTable,
    request: &Args<'_>,
) -> Result<(&'static Spec, Vec<KeyWord>), CmdError> {
    let unknown = |_| CmdError::fixed("ERR Invalid command specified");
    let row = commands.row(commands.resolve(request).map_err(unknown)?);
    let spec = row.spec;
    if spec
        .keys
        .iter()
        .all(|keys| keys.flags.has(KeyFlags::NOT_KEY))
    {
        return Err(CmdError::fixed("ERR The command has no key arguments"));
    }
    if !spec.accepts(request.len()) {
        return Err(CmdError::fixed(
            "ERR Invalid number of arguments specified for command",
        ));
    }
    let keys = keys_of(spec, request).unwrap_or_default();
    if keys.is_empty() && !spec.flags.has(Flags::NO_MANDATORY_KEYS) {
        return Err(CmdError::fixed(
            "ERR Invalid arguments specified for command",
        ));
    }
    Ok((spec, keys))
}

/// The flags of a key, those that depend on the arguments decided.
fn resolved(spec: &Spec, flags: KeyFlags, request: &Args<'_>) -> KeyFlags {
    if !flags.has(KeyFlags::VARIABLE_FLAGS) {
        return flags;
    }
    let has = |word: &str| request.iter_from(2).any(|argument| is(argument, word));
    let reads_and_writes = KeyFlags::RW.and(KeyFlags::ACCESS).and(KeyFlags::UPDATE);
    match spec.name {
        "set" if has("get") => reads_and_writes,
        "set" => KeyFlags::OW.and(KeyFlags::UPDATE),
        "bitfield" if !has("set") && !has("incrby") => KeyFlags::RO.and(KeyFlags::ACCESS),
        "bitfield" => reads_and_writes,
        _ => flags,
    }
}

fn describe_all(ctx: &mut Ctx<'_>) {
    let commands = ctx.commands;
    ctx.reply.array(commands.top_level().count());
    for (id, _) in commands.top_level() {
        describe(&mut ctx.reply, commands, id);
    }
}

/// The ten fields of a command.
fn describe(reply: &mut Reply<'_>, commands: &CommandTable, id: CommandId) {
    let row = commands.row(id);
    let spec = row.spec;
    reply.array(10);
    reply.bulk(row.full_name.as_bytes());
    reply.integer(i64::from(spec.arity));
    write_words(reply, row.flags.without(Flags::MAY_REPLICATE).names(), "");
    let (first, last, step) = legacy_range(spec).unwrap_or_default();
    reply.integer(first);
    reply.integer(last);
    reply.integer(step);
    write_words(reply, spec.all_categories().names(), "@");
    reply.set(spec.tips.len());
    for tip in spec.tips {
        reply.bulk(tip.as_bytes());
    }
    reply.set(spec.keys.len());
    for keys in spec.keys {
        describe_keys(reply, keys);
    }
    match row.subcommands.len() {
        0 => reply.set(0),
        several => reply.array(several),
    }
    for sub in &row.subcommands {
        describe(reply, commands, *sub);
    }
}

fn write_words<'n>(reply: &mut Reply<'_>, names: impl Iterator<Item = &'n str>, sign: &str) {
    let names: Vec<&str> = names.collect();
    reply.set(names.len());
    for name in names {
        reply.simple(&format!("{sign}{name}"));
    }
}

fn write_key_flags(reply: &mut Reply<'_>, flags: KeyFlags) {
    write_words(reply, flags.names(), "");
}

/// One key specification.
fn describe_keys(reply: &mut Reply<'_>, keys: &Keys) {
    reply.map(if keys.notes.is_empty() { 3 } else { 4 });
    if !keys.notes.is_empty() {
        reply.bulk(b"notes");
        reply.bulk(keys.notes.as_bytes());
    }
    reply.bulk(b"flags");
    write_key_flags(reply, keys.flags);
    reply.bulk(b"begin_search");
    match keys.begin {
        Begin::Index(index) => write_method(reply, "index", &[("index", i64::from(index))]),
        Begin::Keyword(word, from) => {
            head_of_method(reply, "keyword", 2);
            reply.bulk(b"keyword");
            reply.bulk(word.as_bytes());
            reply.bulk(b"startfrom");
            reply.integer(i64::from(from));
        }
        Begin::Untold(..) | Begin::Unknown => write_method(reply, "unknown", &[]),
    }
    reply.bulk(b"find_keys");
    let is_untold = matches!(keys.begin, Begin::Untold(..));
    match keys.find {
        _ if is_untold => write_method(reply, "unknown", &[]),
        Find::Range { last, step, limit } => {
            let range = [
                ("lastkey", last.into()),
                ("keystep", step.into()),
                ("limit", limit.into()),
            ];
            write_method(reply, "range", &range);
        }
        Find::KeyNum { count, first, step } => {
            let numbers = [
                ("keynumidx", count.into()),
                ("firstkey", first.into()),
                ("keystep", step.into()),
            ];
            write_method(reply, "keynum", &numbers);
        }
        Find::Unknown => write_method(reply, "unknown", &[]),
    }
}

fn head_of_method(reply: &mut Reply<'_>, kind: &str, fields: usize) {
    reply.map(2);
    reply.bulk(b"type");
    reply.bulk(kind.as_bytes());
    reply.bulk(b"spec");
    reply.map(fields);
}

fn write_method(reply: &mut Reply<'_>, kind: &str, fields: &[(&str, i64)]) {
    head_of_method(reply, kind, fields.len());
    for (name, value) in fields {
        reply.bulk(name.as_bytes());
        reply.integer(*value);
    }
}
