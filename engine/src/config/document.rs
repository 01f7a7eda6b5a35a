//! The documents that are generated from the table: `dovetail.conf` and `docs/config.md`.

use super::directive::{Directive, Effect, Group, Mutability, Visibility};
use super::setting::{Kind, Need};
use super::{Config, GROUPS};
use std::fmt::Write as _;

const CONF_HEAD: &str = "\
# The default configuration of Dovetail, with a word on every directive.
#
# Start with it as `dovetail-server dovetail.conf`, or copy only the lines you change: what a file
# does not say has its default, which is what the lines here say.
#
# One directive a line: a name and its values. Names may be in any case. A value with spaces, or
# an empty one, stands in quotes. A line that begins with # is a comment. A later line wins over
# an earlier one. Memory takes units: 1k is 1000 bytes, 1kb is 1024; likewise m, mb, g and gb.
# Every directive can be given on the command line too: --maxclients 500 --timeout 60.
#
# This file is generated; `cargo x docs` writes it anew.
";

const LATER_HEAD: &str = "
# ---- Accepted without effect --------------------------------------------------------------------
#
# This version takes and keeps the following directives, answers CONFIG GET and CONFIG SET for
# them, and does not act on them yet. They stand here with their defaults.
";

const MARKDOWN_HEAD: &str = "\
# Configuration directives

Generated from the table in `engine/src/config/directives`; `cargo x docs` writes it anew.

Every directive can stand in a file (`maxclients 500`), on the command line (`--maxclients 500`)
and, where the table says so, in `CONFIG SET maxclients 500`. Memory takes the units `k` (1000),
`kb` (1024), `m`, `mb`, `g` and `gb`.

**Set**: *any time* by CONFIG SET; *start*: only in a file or on the command line; *protected*:
like *start*, unless `enable-protected-configs` allows CONFIG SET.
**Effect**: *yes*, or *later*: this version accepts and keeps the value without acting on it.
";

/// The text of `dovetail.conf`: every directive that has an effect, with what it does and its
/// default, then those without effect yet.
#[must_use]
pub fn render_default_conf() -> String {
    let default = Config::default();
    let mut out = CONF_HEAD.to_owned();
    for group in GROUPS {
        let rows: Vec<_> = shown(group, Effect::Live).collect();
        if rows.is_empty() {
            continue;
        }
        put(
            &mut out,
            format_args!("\n# ---- {} {}\n", group.title, rule(group.title)),
        );
        for row in rows {
            out.push('\n');
            for line in row.doc {
                put(&mut out, format_args!("#{line}\n"));
            }
            describe(&mut out, row);
            default_lines(&mut out, row, &default, "");
        }
    }
    out.push_str(LATER_HEAD);
    for group in GROUPS {
        let rows = shown(group, Effect::Later);
        let mut rows = rows
            .filter(|row| row.visibility == Visibility::Shown)
            .peekable();
        if rows.peek().is_some() {
            put(&mut out, format_args!("\n# {}\n", group.title));
        }
        for row in rows {
            default_lines(&mut out, row, &default, "# ");
        }
    }
    out
}

/// The text of `docs/config.md`: a table per group.
#[must_use]
pub fn render_markdown() -> String {
    let default = Config::default();
    let mut out = MARKDOWN_HEAD.to_owned();
    for group in GROUPS {
        let mut rows = group
            .rows
            .iter()
            .filter(|row| row.visibility != Visibility::Hidden);
        let Some(first) = rows.next() else { continue };
        put(&mut out, format_args!("\n## {}\n\n", group.title));
        out.push_str("| directive | value | default | set | effect | what it does |\n");
        out.push_str("| --- | --- | --- | --- | --- | --- |\n");
        for row in std::iter::once(first).chain(rows) {
            markdown_row(&mut out, row, &default);
        }
    }
    out
}

fn shown(group: &Group, effect: Effect) -> impl Iterator<Item = &'static Directive> {
    let rows = group.rows.iter();
    rows.filter(move |row| row.visibility != Visibility::Hidden && row.effect == effect)
}

/// Dashes that fill a headline up to the usual width.
fn rule(title: &str) -> String {
    "-".repeat(92_usize.saturating_sub(title.len()))
}

/// The line of a comment that says what may stand behind the name.
fn describe(out: &mut String, row: &Directive) {
    let aliases = match row.aliases {
        [] => String::new(),
        aliases => format!("; also called {}", aliases.join(", ")),
    };
    let when = match row.mutability {
        Mutability::Mutable => "",
        Mutability::StartOnly => "; at start only",
        Mutability::Protected => "; protected",
    };
    put(out, format_args!("# ({}{when}{aliases})\n", row.kind));
}

fn default_lines(out: &mut String, row: &Directive, default: &Config, mark: &str) {
    if row.visibility == Visibility::FileOnly {
        if row.effect == Effect::Live {
            put(out, format_args!("# {} ...\n", row.name));
        }
        return;
    }
    let lines = row.lines(default, default);
    debug_assert!(
        lines.iter().all(|line| line.needed != Need::Always),
        "{}",
        row.name
    );
    if lines.is_empty() {
        // A list has no line that says nothing; a string has an empty one.
        let (mark, value) = match row.kind {
            Kind::List { .. } => ("# ", "..."),
            _ => (mark, "\"\""),
        };
        put(out, format_args!("{mark}{} {value}\n", row.name));
    }
    for line in lines {
        let value = String::from_utf8_lossy(&line.value);
        put(out, format_args!("{mark}{} {value}\n", row.name));
    }
}

fn markdown_row(out: &mut String, row: &Directive, default: &Config) {
    let names: Vec<_> = row.names().map(|name| format!("`{name}`")).collect();
    let set = match row.mutability {
        Mutability::Mutable => "any time",
        Mutability::StartOnly => "start",
        Mutability::Protected => "protected",
    };
    let effect = match row.effect {
        Effect::Live => "yes",
        Effect::Later => "later",
    };
    let lines = row.lines(default, default);
    let values = lines
        .iter()
        .map(|line| format!("`{}`", String::from_utf8_lossy(&line.value)));
    let value = values.collect::<Vec<_>>().join(", ");
    let value = if value.is_empty() {
        "none".to_owned()
    } else {
        value
    };
    let doc: Vec<_> = row.doc.iter().map(|line| line.trim()).collect();
    put(
        out,
        format_args!(
            "| {} | {} | {value} | {set} | {effect} | {} |\n",
            names.join(", "),
            row.kind,
            doc.join(" ").replace('|', "\\|")
        ),
    );
}

fn put(out: &mut String, arguments: std::fmt::Arguments<'_>) {
    let _infallible = out.write_fmt(arguments);
}
