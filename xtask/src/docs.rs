//! `cargo x docs`: the files that are generated from the engine's tables, written or compared.
//!
//! Shape: the example `render` of this package links the engine and prints one text by name; it is
//! a program of its own so that `cargo x` does not wait for the engine to compile.

use std::fs;
use std::process::Command;

use anyhow::{Context, Result, bail};

use crate::workspace::{Workspace, cargo, output_of};

/// A generated file and the name by which `render` knows it.
const GENERATED: &[(&str, &str)] = &[
    ("dovetail.conf", "default-conf"),
    ("docs/config.md", "config"),
    ("docs/commands.md", "commands"),
];

/// Writes every generated file that is not up to date.
pub(crate) fn write(workspace: &Workspace) -> Result<()> {
    for (path, name) in GENERATED {
        let text = render(workspace, name)?;
        let file = workspace.root.join(path);
        if fs::read_to_string(&file).is_ok_and(|old| old == text) {
            println!("{path} is up to date");
            continue;
        }
        if let Some(folder) = file.parent() {
            fs::create_dir_all(folder)?;
        }
        fs::write(&file, text).with_context(|| format!("cannot write {path}"))?;
        println!("{path} written");
    }
    Ok(())
}

/// Compares every generated file with what would be written.
pub(crate) fn compare(workspace: &Workspace) -> Result<()> {
    let mut stale = Vec::new();
    for (path, name) in GENERATED {
        let text = render(workspace, name)?;
        match fs::read_to_string(workspace.root.join(path)) {
            Ok(old) if old == text => {}
            Ok(old) => stale.push(format!("{path}: {}", first_difference(&old, &text))),
            Err(error) => stale.push(format!("{path}: {error}")),
        }
    }
    if !stale.is_empty() {
        bail!("not up to date, run `cargo x docs`:\n{}", stale.join("\n"));
    }
    println!("{} generated files are up to date", GENERATED.len());
    Ok(())
}

/// The text that the engine's tables give under `name`.
pub(crate) fn render(workspace: &Workspace, name: &str) -> Result<String> {
    let mut build = Command::new(cargo());
    // The whole workspace is named so that the engine is built as the tests build it, once.
    build.args(["build", "--quiet", "--workspace", "--example", "render"]);
    output_of(build.current_dir(&workspace.root))?;
    output_of(Command::new(workspace.target.join("debug/examples/render")).arg(name))
}

/// Says where two texts part.
fn first_difference(old: &str, new: &str) -> String {
    let mut lines = old.lines().zip(new.lines()).enumerate();
    match lines.find(|(_, (old, new))| old != new) {
        Some((index, (old, new))) => format!("line {}: `{old}` should be `{new}`", index + 1),
        None => format!(
            "{} lines instead of {}",
            old.lines().count(),
            new.lines().count()
        ),
    }
}

#[cfg(test)]
mod tests {
    use super::first_difference;

    #[test]
    fn a_difference_is_told_by_its_line_or_by_the_length() {
        assert_eq!(
            first_difference("a\nb\n", "a\nc\n"),
            "line 2: `b` should be `c`"
        );
        assert_eq!(first_difference("a\n", "a\nb\n"), "1 lines instead of 2");
    }
}
