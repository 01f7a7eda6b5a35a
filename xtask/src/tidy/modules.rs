//! Which files a crate root reaches by `mod` lines, and as which module.

use std::collections::{BTreeMap, VecDeque};

use super::tokens::tokens;
use super::uses::{ModLine, contents};
use super::{Finding, SourceFile, Tree};

/// A file that a crate root reaches.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(super) struct Reached {
    /// The index of its package in the tree.
    pub(super) package: usize,
    /// Its module below the crate; empty for the root.
    pub(super) module: Vec<String>,
}

/// Walks from every root of every package; a file of two crates keeps the first.
pub(super) fn reach(tree: &Tree) -> BTreeMap<String, Reached> {
    let mut reached = BTreeMap::new();
    let mut open = VecDeque::new();
    for (package, described) in tree.packages.iter().enumerate() {
        for root in &described.roots {
            open.push_back((
                root.clone(),
                Reached {
                    package,
                    module: Vec::new(),
                },
            ));
        }
    }
    while let Some((path, place)) = open.pop_front() {
        let Some(file) = tree.file(&path) else {
            continue;
        };
        if reached.contains_key(&path) {
            continue;
        }
        let folder = children_folder(&path, &place);
        for line in contents(&tokens(&file.text), &place.module, &[]).mods {
            let mut module = place.module.clone();
            module.extend(line.path.iter().cloned());
            for child in candidates(&path, &folder, &line) {
                if tree.file(&child).is_some() {
                    let place = Reached {
                        package: place.package,
                        module: module.clone(),
                    };
                    open.push_back((child, place));
                }
            }
        }
        reached.insert(path, place);
    }
    reached
}

/// The folder in which the modules declared by the file at `path` are looked for.
fn children_folder(path: &str, place: &Reached) -> String {
    let (folder, name) = path.rsplit_once('/').unwrap_or(("", path));
    if place.module.is_empty() || name == "mod.rs" {
        folder.to_string()
    } else {
        path.trim_end_matches(".rs").to_string()
    }
}

fn candidates(path: &str, folder: &str, line: &ModLine) -> Vec<String> {
    if let Some(file) = &line.file {
        let beside = path.rsplit_once('/').map_or("", |(beside, _)| beside);
        return vec![resolved(&format!("{beside}/{file}"))];
    }
    let below = line.path.join("/");
    vec![
        resolved(&format!("{folder}/{below}.rs")),
        resolved(&format!("{folder}/{below}/mod.rs")),
    ]
}

/// Takes `.` and `..` out of a path.
fn resolved(path: &str) -> String {
    let mut parts: Vec<&str> = Vec::new();
    for part in path.split('/') {
        match part {
            "" | "." => {}
            ".." => drop(parts.pop()),
            part => parts.push(part),
        }
    }
    parts.join("/")
}

/// Finds sources that no crate contains.
pub(super) fn check(tree: &Tree, reached: &BTreeMap<String, Reached>, findings: &mut Vec<Finding>) {
    let lost = |file: &&SourceFile| !reached.contains_key(&file.path);
    for file in tree.rust().filter(lost) {
        let what = "no crate contains this file: declare it with `mod`, or remove it";
        findings.push(file.finding(0, "unreached", what));
    }
}

#[cfg(test)]
mod tests {
    use super::super::tests::{broken, tree};
    use super::reach;

    #[test]
    fn a_file_without_a_mod_line_is_found() {
        let tree = tree(&[
            ("engine/src/base/glob.rs", "//! Glob.\n"),
            ("engine/src/base/mod.rs", "//! Base.\nmod glob;\n"),
            ("engine/src/base/old.rs", "//! Old.\n"),
            ("engine/src/lib.rs", "//! Map.\npub mod base;\n"),
        ]);
        let expected = "engine/src/base/old.rs:0: [unreached] no crate contains this file: declare \
                        it with `mod`, or remove it";
        assert_eq!(broken(&tree), [expected]);
    }

    #[test]
    fn modules_are_found_beside_mod_rs_and_below_a_plain_file() {
        let tree = tree(&[
            ("engine/src/base/mod.rs", "//! A.\nmod b;\n"),
            (
                "engine/src/base/b.rs",
                "//! B.\nmod c { mod d; }\n#[path = \"../x.rs\"] mod e;\n",
            ),
            ("engine/src/base/b/c/d.rs", "//! D.\n"),
            ("engine/src/lib.rs", "//! Map.\nmod base;\n"),
            ("engine/src/x.rs", "//! X.\n"),
        ]);
        let reached = reach(&tree);
        assert_eq!(reached.len(), 5);
        assert_eq!(
            reached["engine/src/base/b/c/d.rs"].module,
            ["base", "b", "c", "d"]
        );
        assert_eq!(reached["engine/src/x.rs"].module, ["base", "b", "e"]);
    }
}
