//! Prints one of the texts that are generated from the engine's tables, by name.
#![forbid(unsafe_code)]
#![expect(
    clippy::print_stdout,
    clippy::print_stderr,
    reason = "a tool talks to a person"
)]

use std::process::ExitCode;

use dovetail_engine::command::{CommandTable, docs};
use dovetail_engine::commands::FAMILIES;
use dovetail_engine::config;

/// A name and what makes the text of that name.
type Text = (&'static str, fn() -> String);

const TEXTS: &[Text] = &[
    ("default-conf", config::render_default_conf),
    ("config", config::render_markdown),
    ("commands", commands),
    ("command-names", command_names),
];

fn main() -> ExitCode {
    let name = std::env::args().nth(1).unwrap_or_default();
    let Some((_, text)) = TEXTS.iter().find(|(known, _)| *known == name) else {
        eprintln!("nothing is rendered under the name `{name}`");
        return ExitCode::FAILURE;
    };
    print!("{}", text());
    ExitCode::SUCCESS
}

/// The full names of all commands and subcommands, one a line.
fn command_names() -> String {
    let table = CommandTable::new(FAMILIES);
    let names = table.rows().filter(|(_, row)| !row.spec.internal);
    names
        .map(|(_, row)| format!("{}\n", row.full_name.to_uppercase()))
        .collect()
}

/// The command reference.
fn commands() -> String {
    docs::render_markdown(&CommandTable::new(FAMILIES))
}
