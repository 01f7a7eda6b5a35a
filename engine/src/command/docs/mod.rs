//! What COMMAND, HELP and the command reference tell of a command, all from its row.
//!
//! Source: redis.io/commands/command-docs for the shape of the replies; the words are our own.

mod kinds;
pub mod syntax;

use super::spec::{KeyFlags, Spec};
use super::table::Row;
use super::{CommandId, CommandTable, Ctx};
use crate::resp::Reply;
use std::collections::BTreeMap;
use syntax::Argument;

/// Answers `container HELP`: its subcommands with their syntax and summary, two lines each.
pub fn help(ctx: &mut Ctx<'_>, container: &str) {
    let Some(id) = ctx.commands.find(container.as_bytes()) else {
        return ctx.reply.array(0);
    };
    let row = ctx.commands.row(id);
    let upper = container.to_uppercase();
    let mut lines = vec![format!(
        "{upper} <subcommand> [<arg> [value] [opt] ...]. Subcommands are:"
    )];
    for sub in &row.subcommands {
        let spec = ctx.commands.row(*sub).spec;
        lines.push(
            format!("{} {}", spec.name.to_uppercase(), spec.syntax)
                .trim_end()
                .to_owned(),
        );
        lines.push(format!("    {}", spec.summary));
    }
    ctx.reply.array(lines.len());
    for line in &lines {
        ctx.reply.simple(line);
    }
}

/// The arguments of a command, keys numbered by their specifications.
///
/// # Errors
/// When the row's syntax does not parse, with what is wrong.
pub fn arguments_of(spec: &Spec) -> Result<Vec<Argument>, &'static str> {
    let mut arguments = syntax::parse(spec.syntax)?;
    let real = spec
        .keys
        .iter()
        .filter(|keys| !keys.flags.has(KeyFlags::NOT_KEY))
        .count();
    let mut next = 0;
    for argument in &mut arguments {
        annotate(argument, spec, real, &mut next);
    }
    Ok(arguments)
}

/// Gives an argument and those inside it their kinds, and keys the number of their specification.
fn annotate(argument: &mut Argument, spec: &Spec, keys: usize, next: &mut usize) {
    if argument.kind == syntax::Kind::Unknown {
        argument.kind = kinds::of(&argument.name, spec);
        if argument.kind == syntax::Kind::Key && keys == 0 {
            argument.kind = syntax::Kind::String;
        }
        if argument.kind == syntax::Kind::Key {
            argument.key_spec = Some((*next).min(keys - 1));
            *next += 1;
        }
    }
    for inner in &mut argument.arguments {
        annotate(inner, spec, keys, next);
    }
}

/// Writes the map of names to documents that COMMAND DOCS answers.
pub fn write_all(reply: &mut Reply<'_>, commands: &CommandTable, ids: &[CommandId]) {
    reply.map(ids.len());
    for id in ids {
        write_one(reply, commands, *id);
    }
}

fn write_one(reply: &mut Reply<'_>, commands: &CommandTable, id: CommandId) {
    let row = commands.row(id);
    let spec = row.spec;
    let arguments = arguments_of(spec).unwrap_or_default();
    let mut doc_flags = Vec::new();
    doc_flags.extend(spec.deprecated.map(|_| "deprecated"));
    doc_flags.extend(spec.internal.then_some("syscmd"));
    let optional = [
        !doc_flags.is_empty(),
        spec.deprecated.is_some(),
        spec.deprecated.is_some(),
        !spec.history.is_empty(),
        !arguments.is_empty(),
        !row.subcommands.is_empty(),
    ];
    reply.bulk(row.full_name.as_bytes());
    reply.map(4 + optional.iter().filter(|there| **there).count());
    field(reply, "summary", spec.summary);
    field(reply, "since", spec.since);
    field(reply, "group", spec.group.name());
    field(reply, "complexity", spec.cost);
    if !doc_flags.is_empty() {
        reply.bulk(b"doc_flags");
        write_set(reply, &doc_flags);
    }
    if let Some((since, instead)) = spec.deprecated {
        field(reply, "deprecated_since", since);
        field(reply, "replaced_by", instead);
    }
    if !spec.history.is_empty() {
        reply.bulk(b"history");
        reply.set(spec.history.len());
        for (version, change) in spec.history {
            reply.array(2);
            reply.bulk(version.as_bytes());
            reply.bulk(change.as_bytes());
        }
    }
    if !arguments.is_empty() {
        reply.bulk(b"arguments");
        write_arguments(reply, &arguments);
    }
    if !row.subcommands.is_empty() {
        reply.bulk(b"subcommands");
        write_all(reply, commands, &row.subcommands);
    }
}

fn field(reply: &mut Reply<'_>, name: &str, value: &str) {
    reply.bulk(name.as_bytes());
    reply.bulk(value.as_bytes());
}

fn write_set(reply: &mut Reply<'_>, words: &[&str]) {
    reply.set(words.len());
    for word in words {
        reply.simple(word);
    }
}

fn write_arguments(reply: &mut Reply<'_>, arguments: &[Argument]) {
    reply.array(arguments.len());
    for argument in arguments {
        write_argument(reply, argument);
    }
}

fn write_argument(reply: &mut Reply<'_>, argument: &Argument) {
    let flags = argument.flags();
    let is_shown = argument.arguments.is_empty();
    let optional = [
        is_shown,
        argument.key_spec.is_some(),
        argument.token.is_some(),
        !flags.is_empty(),
        !argument.arguments.is_empty(),
    ];
    reply.map(2 + optional.iter().filter(|there| **there).count());
    field(reply, "name", &argument.name);
    field(reply, "type", argument.kind.name());
    if is_shown {
        field(reply, "display_text", &argument.name);
    }
    if let Some(index) = argument.key_spec {
        reply.bulk(b"key_spec_index");
        reply.count(index);
    }
    if let Some(token) = &argument.token {
        field(reply, "token", token);
    }
    if !flags.is_empty() {
        reply.bulk(b"flags");
        write_set(reply, &flags);
    }
    if !argument.arguments.is_empty() {
        reply.bulk(b"arguments");
        write_arguments(reply, &argument.arguments);
    }
}

const MARKDOWN_HEAD: &str = "\
# Commands

Generated from the table in `engine/src/commands`; `cargo x docs` writes it anew.

*Since* is the version of Redis that brought the command, *cost* how its time grows.
";

/// The command reference: a section per group, a line per command.
#[must_use]
pub fn render_markdown(table: &CommandTable) -> String {
    let mut groups: BTreeMap<&str, Vec<&Row>> = BTreeMap::new();
    for (_, row) in table.rows().filter(|(_, row)| !row.spec.internal) {
        groups.entry(row.spec.group.name()).or_default().push(row);
    }
    let mut text = MARKDOWN_HEAD.to_owned();
    for (group, mut rows) in groups {
        rows.sort_by(|a, b| a.full_name.cmp(&b.full_name));
        let count = rows.len();
        text.push_str(&format!(
            "\n## {group} ({count})\n\n| command | what it does | since | cost |\n"
        ));
        text.push_str("| --- | --- | --- | --- |\n");
        text.extend(rows.into_iter().map(markdown_line));
    }
    text
}

fn markdown_line(row: &Row) -> String {
    let spec = row.spec;
    let call = format!(
        "{} {}",
        row.full_name.to_uppercase().replace('|', " "),
        spec.syntax
    );
    let instead = spec.deprecated.map_or(String::new(), |(since, instead)| {
        format!(" Deprecated since {since}; instead: {instead}.")
    });
    let cells = [
        format!("`{}`", call.trim_end()),
        format!("{}{instead}", spec.summary),
        spec.since.to_owned(),
        spec.cost.to_owned(),
    ];
    format!(
        "| {} |\n",
        cells.map(|cell| cell.replace('|', "\\|")).join(" | ")
    )
}

#[cfg(test)]
mod tests;
