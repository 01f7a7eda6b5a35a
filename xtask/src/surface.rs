//! `cargo x surface`: the command table against the public command list.
//!
//! Prints by group what is missing, what is there and not in the list, and which commands no family
//! test names. A report, not a check: it fails only when it cannot be made.

use std::collections::{BTreeMap, BTreeSet};
use std::fs;
use std::path::Path;

use anyhow::{Context, Result, ensure};

use crate::docs::render;
use crate::workspace::Workspace;

/// Name, group and since of every public command; `CONTAINER|SUB` is a subcommand.
const PUBLIC: &str = include_str!("../data/commands.txt");

/// Groups whose subcommands are not part of the server's own table.
const ELSEWHERE: &[&str] = &["sentinel"];

/// A line of the public list.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
struct Command<'a> {
    name: &'a str,
    group: &'a str,
    since: &'a str,
}

/// Prints the report.
pub(crate) fn run(workspace: &Workspace) -> Result<()> {
    let rendered = render(workspace, "command-names")?;
    let ours: BTreeSet<String> = rendered.lines().map(str::to_ascii_uppercase).collect();
    ensure!(!ours.is_empty(), "the engine's command table is empty");
    let public = parse(PUBLIC)?;
    missing(&public, &ours);
    let known: BTreeSet<&str> = public.iter().map(|command| command.name).collect();
    let own: Vec<&str> = ours
        .iter()
        .map(String::as_str)
        .filter(|n| !known.contains(n))
        .collect();
    if !own.is_empty() {
        println!("not in the public list: {}", own.join(" "));
    }
    let mut texts = String::new();
    read_tests(&workspace.root.join("tests/families"), &mut texts)?;
    let words = words(&texts);
    let untested: Vec<&str> = ours
        .iter()
        .map(String::as_str)
        .filter(|name| !is_named(name, &words))
        .collect();
    println!(
        "without a case in tests/families ({}): {}",
        untested.len(),
        untested.join(" ")
    );
    Ok(())
}

fn parse(text: &str) -> Result<Vec<Command<'_>>> {
    let lines = text.lines().filter(|line| !line.starts_with('#'));
    let command = |line| {
        let mut words = str::split_whitespace(line);
        let mut next = || {
            words
                .next()
                .with_context(|| format!("three words in `{line}`"))
        };
        Ok(Command {
            name: next()?,
            group: next()?,
            since: next()?,
        })
    };
    lines.map(command).collect()
}

fn missing(public: &[Command<'_>], ours: &BTreeSet<String>) {
    let mut groups: BTreeMap<&str, Vec<&Command<'_>>> = BTreeMap::new();
    for command in public {
        groups.entry(command.group).or_default().push(command);
    }
    println!("{:<14}{:>6}{:>6}  missing (since)", "group", "have", "of");
    for (group, commands) in groups {
        let is_missing = |command: &&&Command<'_>| !ours.contains(command.name);
        let lack = commands.iter().filter(is_missing);
        let lack: Vec<String> = lack.map(|c| format!("{} ({})", c.name, c.since)).collect();
        let note = if ELSEWHERE.contains(&group) {
            "in a program of its own: "
        } else {
            ""
        };
        let count = commands.len();
        let have = count - lack.len();
        println!("{group:<14}{have:>6}{count:>6}  {note}{}", lack.join(" "));
    }
}

fn read_tests(folder: &Path, texts: &mut String) -> Result<()> {
    let Ok(entries) = fs::read_dir(folder) else {
        return Ok(());
    };
    for entry in entries {
        let path = entry?.path();
        if path.is_dir() {
            read_tests(&path, texts)?;
        } else if path.extension().is_some_and(|extension| extension == "rs") {
            texts.push_str(&fs::read_to_string(&path)?);
        }
    }
    Ok(())
}

/// The words of the tests, in upper case; a command's name may contain `-` and `_`.
fn words(texts: &str) -> BTreeSet<String> {
    let is_part = |c: char| c.is_ascii_alphanumeric() || c == '-' || c == '_';
    texts
        .split(|c| !is_part(c))
        .map(str::to_ascii_uppercase)
        .collect()
}

/// True when every word of the command's name is among the words.
fn is_named(name: &str, words: &BTreeSet<String>) -> bool {
    name.split('|').all(|part| words.contains(part))
}

#[cfg(test)]
mod tests {
    use super::{PUBLIC, is_named, parse, words};

    #[test]
    fn the_public_list_is_complete_lines() {
        let commands = parse(PUBLIC).unwrap();
        assert_eq!(commands.len(), 425);
        assert!(
            commands
                .iter()
                .any(|command| command.name == "GET" && command.group == "string")
        );
    }

    #[test]
    fn a_command_counts_as_tested_when_a_test_names_all_its_words() {
        let words = words("case(\"client no-evict on\")");
        assert!(is_named("CLIENT|NO-EVICT", &words));
        assert!(!is_named("CLIENT|KILL", &words));
    }
}
