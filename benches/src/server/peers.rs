//! Other servers: those installed here, and those given on the command line.

use std::collections::BTreeMap;
use std::path::{Path, PathBuf};
use std::process::Command;

use anyhow::{Result, bail};

use super::systems::{Kind, System};

/// The environment variable that names a directory with one directory per peer.
pub(crate) const DIRECTORY: &str = "DOVETAIL_PEERS";

/// Programs that are looked for, in `PATH` and in the directories of peers.
const PROGRAMS: &[&str] = &["redis-server", "valkey-server"];

/// Every peer that is installed, named after itself and its version.
pub(crate) fn installed() -> Vec<System> {
    let path = std::env::var_os("PATH").unwrap_or_default();
    let mut directories: Vec<PathBuf> = std::env::split_paths(&path).collect();
    directories.extend(
        std::env::var_os(DIRECTORY)
            .into_iter()
            .flat_map(subdirectories),
    );
    let mut found = BTreeMap::new();
    for directory in directories {
        for program in PROGRAMS {
            let program = directory.join(program);
            if let Some(name) = versioned_name(&program) {
                found.entry(name).or_insert(program);
            }
        }
    }
    found
        .into_iter()
        .map(|(name, program)| peer(name, program.display().to_string()))
        .collect()
}

/// A peer given as `name=COMMAND`.
///
/// # Errors
/// If that is not its form.
pub(crate) fn parse(text: &str) -> Result<System> {
    let Some((name, command)) = text.split_once('=') else {
        bail!("'{text}' is not of the form name=COMMAND");
    };
    let words: Vec<String> = command.split_whitespace().map(str::to_owned).collect();
    let is_plain = |c: char| c.is_ascii_alphanumeric() || "-_.".contains(c);
    if words.is_empty() || name.is_empty() || !name.chars().all(is_plain) {
        bail!("'{text}' is not of the form name=COMMAND");
    }
    Ok(System {
        name: name.to_owned(),
        kind: Kind::Peer,
        words,
    })
}

fn peer(name: String, program: String) -> System {
    System {
        name,
        kind: Kind::Peer,
        words: vec![program],
    }
}

fn subdirectories(directory: std::ffi::OsString) -> Vec<PathBuf> {
    let Ok(entries) = Path::new(&directory).read_dir() else {
        return Vec::new();
    };
    let mut found: Vec<_> = entries
        .filter_map(|entry| Some(entry.ok()?.path()))
        .collect();
    found.sort();
    found
}

fn versioned_name(program: &Path) -> Option<String> {
    if !program.is_file() {
        return None;
    }
    let output = Command::new(program).arg("--version").output().ok()?;
    let said = String::from_utf8_lossy(&output.stdout);
    let version = version_in(&said)?;
    let product = program.file_name()?.to_str()?.strip_suffix("-server")?;
    Some(format!("{product}-{version}"))
}

/// The version in a line such as `Redis server v=7.0.15 sha=00000000:0 malloc=...`.
fn version_in(said: &str) -> Option<&str> {
    said.split_whitespace()
        .find_map(|word| word.strip_prefix("v="))
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn peer_needs_a_name_and_a_command() {
        assert_eq!(parse("x=prog --flag").unwrap().words, ["prog", "--flag"]);
        for bad in ["prog", "=prog", "x=", "a/b=prog"] {
            assert!(parse(bad).is_err(), "{bad}");
        }
    }

    #[test]
    fn version_is_found_in_what_the_program_says() {
        assert_eq!(
            version_in("Valkey server v=9.1.2 sha=1:0 bits=64"),
            Some("9.1.2")
        );
        assert_eq!(version_in("usage"), None);
    }
}
