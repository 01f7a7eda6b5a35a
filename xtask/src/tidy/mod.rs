//! `cargo x tidy`: what the compiler and clippy cannot see.
//!
//! Shape: the sources are read once into a `Tree`; every rule is a function from the tree, or from
//! one file of it, to findings, and has a test with a text that breaks it.

mod arrows;
mod code;
mod modules;
mod text;
mod tokens;
mod uses;

use std::fmt;
use std::fs;
use std::path::Path;

use anyhow::{Context, Result, bail};

use crate::layers::EXCEPTIONS;
use crate::workspace::{Package, Workspace};

/// Something that breaks a rule.
#[derive(Clone, Debug, PartialEq, Eq, PartialOrd, Ord)]
pub(crate) struct Finding {
    /// The file, from the root.
    pub(crate) path: String,
    /// The line, from 1; 0 is the file as a whole.
    pub(crate) line: usize,
    /// The rule's name.
    pub(crate) rule: &'static str,
    /// What is wrong, and where that is not plain, what to do.
    pub(crate) what: String,
}

impl fmt::Display for Finding {
    fn fmt(&self, out: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(
            out,
            "{}:{}: [{}] {}",
            self.path, self.line, self.rule, self.what
        )
    }
}

/// A file of the tree.
#[derive(Clone, Debug)]
pub(crate) struct SourceFile {
    /// Its path from the root, with `/`.
    pub(crate) path: String,
    /// What is in it; bytes that are not UTF-8 are replaced.
    pub(crate) text: String,
}

impl SourceFile {
    fn is_rust(&self) -> bool {
        has_extension(&self.path, &["rs"])
    }

    fn finding(&self, line: usize, rule: &'static str, what: impl Into<String>) -> Finding {
        Finding {
            path: self.path.clone(),
            line,
            rule,
            what: what.into(),
        }
    }
}

/// What the rules look at.
#[derive(Clone, Debug)]
pub(crate) struct Tree {
    /// The packages as cargo sees them.
    pub(crate) packages: Vec<Package>,
    /// Every text file, sorted by path.
    pub(crate) files: Vec<SourceFile>,
}

impl Tree {
    fn rust(&self) -> impl Iterator<Item = &SourceFile> {
        self.files.iter().filter(|file| file.is_rust())
    }

    fn file(&self, path: &str) -> Option<&SourceFile> {
        self.files.iter().find(|file| file.path == path)
    }
}

/// Endings of the files that are read; anything else is not ours to judge.
const TEXTS: &[&str] = &[
    "rs", "toml", "md", "sh", "py", "js", "mjs", "txt", "conf", "yml", "yaml", "json", "lua",
];

/// Endings of the files that are code, as opposed to prose and data.
const CODE: &[&str] = &["rs", "toml", "sh", "py", "js", "mjs", "lua"];

fn has_extension(path: &str, among: &[&str]) -> bool {
    Path::new(path)
        .extension()
        .and_then(|extension| extension.to_str())
        .is_some_and(|extension| among.contains(&extension))
}

/// Checks the whole tree and prints every finding.
pub(crate) fn run(workspace: &Workspace) -> Result<()> {
    let mut files = Vec::new();
    read_folder(&workspace.root, "", &mut files)?;
    files.sort_by(|a, b| a.path.cmp(&b.path));
    let tree = Tree {
        packages: workspace.packages.clone(),
        files,
    };
    let findings = check(&tree);
    for finding in &findings {
        println!("{finding}");
    }
    for row in EXCEPTIONS {
        println!(
            "tidy: exception: `{}` may import `{}`: {}",
            row.from, row.to, row.why
        );
    }
    if !findings.is_empty() {
        bail!(
            "tidy: {} findings in {} files",
            findings.len(),
            tree.files.len()
        );
    }
    println!("tidy: {} files, nothing to say", tree.files.len());
    Ok(())
}

/// Applies every rule.
fn check(tree: &Tree) -> Vec<Finding> {
    let reached = modules::reach(tree);
    let mut findings = Vec::new();
    for file in &tree.files {
        text::check(file, &mut findings);
        if file.is_rust() {
            code::check(file, &mut findings);
        }
    }
    modules::check(tree, &reached, &mut findings);
    arrows::check(tree, &reached, &mut findings);
    findings.sort();
    findings.dedup();
    findings
}

fn read_folder(root: &Path, below: &str, files: &mut Vec<SourceFile>) -> Result<()> {
    let folder = root.join(below);
    let entries = fs::read_dir(&folder);
    let entries = entries.with_context(|| format!("cannot read {}", folder.display()))?;
    for entry in entries {
        let entry = entry?;
        let Ok(name) = entry.file_name().into_string() else {
            continue;
        };
        let path = if below.is_empty() {
            name.clone()
        } else {
            format!("{below}/{name}")
        };
        let kind = entry.file_type()?;
        if kind.is_dir() {
            let is_hidden = name.starts_with('.') && name != ".cargo" && name != ".ci";
            if !is_hidden && name != "target" && name != "node_modules" {
                read_folder(root, &path, files)?;
            }
        } else if kind.is_file() && (has_extension(&name, TEXTS) || path == ".ci/run") {
            let bytes = fs::read(entry.path())?;
            files.push(SourceFile {
                path,
                text: String::from_utf8_lossy(&bytes).into_owned(),
            });
        }
    }
    Ok(())
}

#[cfg(test)]
mod tests {
    use super::{SourceFile, Tree, check};
    use crate::workspace::{Dependency, Package};

    /// A workspace of one package in `engine/` with these files.
    pub(super) fn tree(files: &[(&str, &str)]) -> Tree {
        let files = files.iter().map(|(path, text)| SourceFile {
            path: (*path).to_string(),
            text: (*text).to_string(),
        });
        Tree {
            packages: vec![package("dovetail-engine", "engine", &["bytes"])],
            files: files.collect(),
        }
    }

    /// A package with a library and these dependencies.
    pub(super) fn package(name: &str, dir: &str, dependencies: &[&str]) -> Package {
        let dependency = |name: &&str| Dependency {
            name: (*name).to_string(),
            is_dev: false,
        };
        Package {
            name: name.to_string(),
            dir: dir.to_string(),
            roots: vec![format!("{dir}/src/lib.rs")],
            dependencies: dependencies.iter().map(dependency).collect(),
        }
    }

    /// The rules that this tree breaks, in order.
    pub(super) fn broken(tree: &Tree) -> Vec<String> {
        check(tree).iter().map(ToString::to_string).collect()
    }

    #[test]
    fn a_clean_tree_has_no_findings() {
        let tree = tree(&[
            ("engine/src/base/mod.rs", "//! Base.\npub struct A;\n"),
            (
                "engine/src/lib.rs",
                "//! Map.\n#![forbid(unsafe_code)]\npub mod base;\npub mod value;\n",
            ),
            ("engine/src/value.rs", "//! Value.\nuse crate::base::A;\n"),
        ]);
        assert_eq!(broken(&tree), Vec::<String>::new());
    }
}
