//! Who imports whom: packages from their manifests, modules of the engine from their paths.
//!
//! Not here: the tables themselves, which are in `layers.rs`.

use std::collections::{BTreeMap, BTreeSet};

use super::modules::Reached;
use super::tokens::tokens;
use super::uses::{PathUse, contents};
use super::{Finding, SourceFile, Tree};
use crate::layers::{
    ENGINE, ENGINE_BAN_HOMES, ENGINE_BANS, EXCEPTIONS, Exception, FAMILIES, LAYERS, Layer, NEVER,
    NOBODY_IMPORTS, ONLY, PACKAGES, PackageRule,
};
use crate::workspace::Package;

/// The engine's crate, as a path names it.
const ENGINE_CRATE: &str = "dovetail_engine";

/// Applies the rules of this file.
pub(super) fn check(tree: &Tree, reached: &BTreeMap<String, Reached>, findings: &mut Vec<Finding>) {
    for package in &tree.packages {
        packages(tree, package, findings);
    }
    let engine = Engine::of(tree, reached);
    for (path, place) in reached {
        let Some(file) = tree.file(path) else {
            continue;
        };
        let package = &tree.packages[place.package];
        if package.name == ENGINE {
            engine.layers(file, &place.module, &outside(package), findings);
        } else if let Some(rule) = rule(&package.name) {
            engine.guests(file, rule, findings);
        }
    }
}

fn rule(package: &str) -> Option<&'static PackageRule> {
    PACKAGES.iter().find(|rule| rule.name == package)
}

/// The crates a package depends on, as its sources name them.
fn outside(package: &Package) -> Vec<String> {
    let own = package
        .dependencies
        .iter()
        .filter(|dependency| !dependency.is_dev);
    own.map(|dependency| dependency.name.replace('-', "_"))
        .collect()
}

fn packages(tree: &Tree, package: &Package, findings: &mut Vec<Finding>) {
    let mut refuse = |what: String| {
        let path = format!("{}/Cargo.toml", package.dir);
        findings.push(Finding {
            path,
            line: 0,
            rule: "package",
            what,
        });
    };
    let Some(rule) = rule(&package.name) else {
        return refuse(format!(
            "{} has no row in xtask/src/layers.rs",
            package.name
        ));
    };
    for dependency in &package.dependencies {
        let name = dependency.name.as_str();
        let is_member = tree.packages.iter().any(|member| member.name == name);
        if NOBODY_IMPORTS.contains(&name) {
            refuse(format!("nobody depends on {name}"));
        } else if dependency.is_dev {
            // Tests, examples and benches may look at more than the code they are about.
        } else if is_member && !rule.inside.contains(&name) {
            refuse(format!("{} does not depend on {name}", package.name));
        } else if !is_member && rule.outside.is_some_and(|allowed| !allowed.contains(&name)) {
            refuse(format!(
                "{name} is not among the crates of {}",
                package.name
            ));
        }
    }
}

/// What there is to import in the engine.
struct Engine {
    /// Every module below the crate, as a path.
    modules: BTreeSet<String>,
    /// Names that `lib.rs` passes on, and where they come from.
    passed_on: BTreeMap<String, String>,
}

impl Engine {
    fn of(tree: &Tree, reached: &BTreeMap<String, Reached>) -> Self {
        let own = |place: &&Reached| tree.packages[place.package].name == ENGINE;
        let modules: BTreeSet<String> = reached
            .values()
            .filter(own)
            .map(|place| place.module.join("::"))
            .collect();
        let first: Vec<String> = modules
            .iter()
            .filter(|m| !m.contains("::"))
            .cloned()
            .collect();
        let mut passed_on = BTreeMap::new();
        let package = tree.packages.iter().find(|package| package.name == ENGINE);
        let root = package.and_then(|package| tree.file(&format!("{}/src/lib.rs", package.dir)));
        for path in root
            .map(|root| contents(&tokens(&root.text), &[], &first).paths)
            .iter()
            .flatten()
        {
            let below = path
                .segments
                .iter()
                .skip_while(|segment| *segment == "crate");
            let below: Vec<&str> = below.map(String::as_str).collect();
            if let [.., name] = below[..]
                && below.len() > 1
            {
                passed_on.insert(name.to_string(), below.join("::"));
            }
        }
        Self { modules, passed_on }
    }

    /// The module path that `segments`, written after the crate's name, leads to.
    fn target(&self, segments: &[String]) -> Option<String> {
        let first = segments.first()?;
        if self.modules.contains(first) {
            return Some(segments.join("::"));
        }
        self.passed_on.get(first).cloned()
    }

    /// Checks a file of the engine against the layers.
    fn layers(
        &self,
        file: &SourceFile,
        module: &[String],
        outside: &[String],
        findings: &mut Vec<Finding>,
    ) {
        // The root sees everything: it is the map.
        if module.is_empty() {
            return;
        }
        let name = module.join("::");
        let Some(from) = layer_of(&name) else {
            if module.len() == 1 {
                let what = format!("module `{name}` has no row in xtask/src/layers.rs");
                findings.push(file.finding(0, "layer", what));
            }
            return;
        };
        for path in contents(&tokens(&file.text), module, outside).paths {
            let refused = if path.segments[0] == "crate" {
                self.inside_arrow(from, module, &path)
            } else if path.in_test || is_test_file(module) {
                None
            } else {
                outside_arrow(from, &name, &path)
            };
            if let Some((rule, what)) = refused {
                findings.push(file.finding(path.line, rule, what));
            }
        }
    }

    fn inside_arrow(
        &self,
        from: &Layer,
        module: &[String],
        path: &PathUse,
    ) -> Option<(&'static str, String)> {
        let target = self.target(&path.segments[1..])?;
        if let Some(other) = self.other_family(module, &target) {
            let what = format!("family `{}` imports family `{other}`", module[1]);
            return Some(("family", what));
        }
        let to = layer_of(&target)?;
        let own_folder = top(from.module) == top(to.module);
        let pair = |arrow: &(&str, &str)| leads(from.module, arrow.0) && leads(&target, arrow.1);
        if let Some((_, never)) = NEVER.iter().find(|arrow| pair(arrow)) {
            return Some((
                "layer",
                format!("`{}` never imports `{never}`", from.module),
            ));
        }
        let partly = ONLY.iter().find(|(a, b, part)| {
            leads(from.module, a) && leads(&target, b) && !leads(&target, part)
        });
        if let Some((_, _, part)) = partly {
            return Some((
                "layer",
                format!("`{}` imports only `{part}` of it", from.module),
            ));
        }
        let is_excepted = |row: &Exception| {
            leads(from.module, row.from)
                && leads(&target, row.to)
                && (!row.tests_only || path.in_test || is_test_file(module))
        };
        let is_fine = to.level < from.level || (own_folder && to.level == from.level);
        if is_fine || EXCEPTIONS.iter().any(is_excepted) {
            return None;
        }
        let way = if to.level > from.level {
            "upward"
        } else {
            "sideways"
        };
        Some((
            "layer",
            format!("`{}` imports {way}: `{target}`", from.module),
        ))
    }

    /// The family that `target` is in, if the importing file is in another one.
    fn other_family<'a>(&self, module: &[String], target: &'a str) -> Option<&'a str> {
        let own = module.get(1).filter(|_| module[0] == FAMILIES)?;
        let mut parts = target.split("::");
        let family = parts
            .next()
            .filter(|first| *first == FAMILIES)
            .and(parts.next())?;
        let is_family = self.modules.contains(&format!("{FAMILIES}::{family}"));
        (is_family && family != own).then_some(family)
    }

    /// Checks a file of another package: which parts of the engine it names.
    fn guests(&self, file: &SourceFile, rule: &PackageRule, findings: &mut Vec<Finding>) {
        let Some(allowed) = rule.engine else { return };
        let outside = [ENGINE_CRATE.to_string()];
        let paths = contents(&tokens(&file.text), &[], &outside).paths;
        for path in paths.iter().filter(|path| path.segments[0] == ENGINE_CRATE) {
            let what = match self.target(&path.segments[1..]) {
                Some(target) if !allowed.iter().any(|part| leads(&target, part)) => {
                    format!("{} does not import `{target}` of the engine", rule.name)
                }
                None if path.segments.len() == 1 => {
                    "name the modules of the engine, not the engine".to_string()
                }
                _ => continue,
            };
            findings.push(file.finding(path.line, "package", what));
        }
    }
}

/// Refuses crates that the layer does not list and parts of std that the engine does not use.
fn outside_arrow(from: &Layer, module: &str, path: &PathUse) -> Option<(&'static str, String)> {
    let first = path.segments[0].as_str();
    if matches!(first, "std" | "core" | "alloc") {
        let full = path.segments.join("::");
        let is_home = |(home, part): &(&str, &str)| leads(module, home) && leads(&full, part);
        if ENGINE_BAN_HOMES.iter().any(is_home) {
            return None;
        }
        let banned = ENGINE_BANS.iter().find(|banned| leads(&full, banned))?;
        return Some(("engine-ban", format!("the engine does not use {banned}")));
    }
    let listed = from.crates.contains(&first);
    (!listed).then(|| {
        (
            "crate",
            format!("`{}` does not use the crate {first}", from.module),
        )
    })
}

/// The longest row that `path` is in.
fn layer_of(path: &str) -> Option<&'static Layer> {
    let rows = LAYERS.iter().filter(|row| leads(path, row.module));
    rows.max_by_key(|row| row.module.len())
}

/// True when `path` is `place` or inside it.
fn leads(path: &str, place: &str) -> bool {
    path.strip_prefix(place)
        .is_some_and(|rest| rest.is_empty() || rest.starts_with("::"))
}

/// True for a module that is only compiled for tests, by its name.
fn is_test_file(module: &[String]) -> bool {
    module.iter().any(|part| part == "tests")
}

fn top(module: &str) -> &str {
    module.split("::").next().unwrap_or(module)
}

#[cfg(test)]
mod tests {
    use super::super::tests::{broken, package, tree};
    use super::super::{SourceFile, Tree};

    /// An engine with the modules base, resp, codec (lzf, rdb), value, keyspace, seam, conn, acl
    /// and commands (strings, keys), of which `path` says `text`.
    fn engine(path: &str, text: &str) -> Tree {
        let mut tree = tree(&[
            ("engine/src/acl.rs", "//! A.\n"),
            ("engine/src/base.rs", "//! B.\n"),
            ("engine/src/codec/lzf.rs", "//! L.\n"),
            ("engine/src/codec/mod.rs", "//! C.\nmod lzf;\nmod rdb;\n"),
            ("engine/src/codec/rdb.rs", "//! R.\n"),
            ("engine/src/commands/keys.rs", "//! K.\n"),
            (
                "engine/src/commands/mod.rs",
                "//! C.\nmod keys;\nmod strings;\n",
            ),
            ("engine/src/commands/strings.rs", "//! S.\n"),
            ("engine/src/conn.rs", "//! C.\n"),
            ("engine/src/keyspace.rs", "//! K.\n"),
            (
                "engine/src/lib.rs",
                "//! Map.\nmod acl; mod base; mod codec; mod commands; mod conn; mod keyspace;\n\
                 mod resp; mod seam; mod value;\npub use keyspace::Keyspace;\n",
            ),
            ("engine/src/resp.rs", "//! R.\n"),
            ("engine/src/seam.rs", "//! S.\n"),
            ("engine/src/value.rs", "//! V.\n"),
        ]);
        tree.files.retain(|file| file.path != path);
        tree.files.push(SourceFile {
            path: path.to_string(),
            text: format!("//! X.\n{text}"),
        });
        tree
    }

    fn refused(path: &str, text: &str) -> Vec<String> {
        let told = broken(&engine(path, text));
        told.iter()
            .map(|line| line.split_once("] ").unwrap().1.to_string())
            .collect()
    }

    #[test]
    fn an_upward_import_is_found() {
        let upward = "`value` imports upward: `keyspace::Db`";
        assert_eq!(
            refused("engine/src/value.rs", "use crate::keyspace::Db;\n"),
            [upward]
        );
        assert_eq!(
            refused("engine/src/value.rs", "fn f(db: super::keyspace::Db) {}\n"),
            [upward]
        );
        assert!(refused("engine/src/keyspace.rs", "use crate::value::Value;\n").is_empty());
    }

    #[test]
    fn an_upward_import_through_the_root_is_found() {
        let upward = "`value` imports upward: `keyspace::Keyspace`";
        assert_eq!(
            refused("engine/src/value.rs", "use crate::Keyspace;\n"),
            [upward]
        );
    }

    #[test]
    fn codecs_that_values_are_made_of_are_below_them_and_the_others_above() {
        assert!(refused("engine/src/value.rs", "use crate::codec::lzf::f;\n").is_empty());
        let upward = "`value` imports upward: `codec::rdb::f`";
        assert_eq!(
            refused("engine/src/value.rs", "use crate::codec::rdb::f;\n"),
            [upward]
        );
        let upward = "`codec::lzf` imports upward: `codec::rdb::f`";
        assert_eq!(
            refused("engine/src/codec/lzf.rs", "use super::rdb::f;\n"),
            [upward]
        );
    }

    #[test]
    fn facets_that_import_each_other_are_found() {
        let sideways = "`conn` imports sideways: `acl::User`";
        assert_eq!(
            refused("engine/src/conn.rs", "use crate::acl::User;\n"),
            [sideways]
        );
    }

    #[test]
    fn a_downward_import_that_is_ruled_out_is_found() {
        let never = "`value` never imports `resp`";
        assert_eq!(
            refused("engine/src/value.rs", "use crate::resp::A;\n"),
            [never]
        );
        let only = "`keyspace` imports only `seam::eviction` of it";
        assert_eq!(
            refused("engine/src/keyspace.rs", "use crate::seam::poller::A;\n"),
            [only]
        );
        assert!(refused("engine/src/keyspace.rs", "use crate::seam::eviction::A;\n").is_empty());
    }

    #[test]
    fn families_that_import_each_other_are_found() {
        let family = "family `strings` imports family `keys`";
        let path = "engine/src/commands/strings.rs";
        assert_eq!(refused(path, "use super::keys::del;\n"), [family]);
        assert_eq!(refused(path, "use crate::commands::keys::del;\n"), [family]);
        assert!(refused(path, "use super::Shared;\n").is_empty());
        assert!(
            refused(
                "engine/src/commands/keys.rs",
                "use crate::commands::keys::a;\n"
            )
            .is_empty()
        );
    }

    #[test]
    fn every_exception_says_why() {
        for row in super::EXCEPTIONS {
            assert!(row.why.len() > 20, "{} to {}", row.from, row.to);
            assert!(super::layer_of(row.from).is_some() && super::layer_of(row.to).is_some());
        }
    }

    #[test]
    fn an_exception_for_tests_does_not_hold_for_code() {
        let mut tree = engine("engine/src/base.rs", "");
        let root = "//! Map.\nmod command; mod commands;\n";
        for (path, text) in [
            ("engine/src/lib.rs", root),
            (
                "engine/src/command.rs",
                "//! C.\nuse crate::commands::FAMILIES;\nmod tests;\n",
            ),
            (
                "engine/src/command/tests.rs",
                "//! T.\nuse crate::commands::FAMILIES;\n",
            ),
        ] {
            tree.files.retain(|file| file.path != path);
            tree.files.push(SourceFile {
                path: path.to_string(),
                text: text.to_string(),
            });
        }
        let told = broken(&tree);
        let layers: Vec<&String> = told
            .iter()
            .filter(|line| line.contains("[layer]"))
            .collect();
        let expected =
            "engine/src/command.rs:2: [layer] `command` imports upward: `commands::FAMILIES`";
        assert_eq!(layers, [expected]);
    }

    #[test]
    fn a_module_without_a_row_is_found() {
        let tree = tree(&[
            ("engine/src/attic.rs", "//! A.\n"),
            ("engine/src/lib.rs", "//! Map.\nmod attic;\n"),
        ]);
        let expected = "engine/src/attic.rs:0: [layer] module `attic` has no row in \
                        xtask/src/layers.rs";
        assert_eq!(broken(&tree), [expected]);
    }

    #[test]
    fn a_crate_that_the_layer_does_not_list_is_found_outside_tests() {
        let crates = "`codec::lzf` does not use the crate bytes";
        let path = "engine/src/codec/lzf.rs";
        assert_eq!(refused(path, "use bytes::Bytes;\n"), [crates]);
        assert!(refused(path, "#[cfg(test)]\nmod tests { use bytes::Bytes; }\n").is_empty());
        assert!(refused("engine/src/base.rs", "use bytes::Bytes;\n").is_empty());
    }

    #[test]
    fn a_part_of_std_that_the_engine_does_without_is_found() {
        let ban = "the engine does not use std::sync::Mutex";
        assert_eq!(
            refused("engine/src/base.rs", "use std::sync::{Arc, Mutex};\n"),
            [ban]
        );
        assert!(refused("engine/src/base.rs", "use std::sync::Arc;\n").is_empty());
        let tests = "#[cfg(test)]\nmod tests { use std::sync::Mutex; }\n";
        assert!(refused("engine/src/base.rs", tests).is_empty());
    }

    #[test]
    fn a_package_that_depends_on_more_than_its_row_says_is_found() {
        let mut tree = engine("engine/src/base.rs", "");
        tree.packages[0]
            .dependencies
            .extend(package("", "", &["libc"]).dependencies);
        tree.packages.push(package(
            "dovetail-memory",
            "engine/memory",
            &["dovetail-engine"],
        ));
        tree.packages
            .push(package("dovetail-server", "server", &["dovetail-tests"]));
        tree.packages.push(package("dovetail-attic", "attic", &[]));
        assert_eq!(
            broken(&tree),
            [
                "attic/Cargo.toml:0: [package] dovetail-attic has no row in xtask/src/layers.rs",
                "engine/Cargo.toml:0: [package] libc is not among the crates of dovetail-engine",
                "engine/memory/Cargo.toml:0: [package] dovetail-memory does not depend on \
                 dovetail-engine",
                "server/Cargo.toml:0: [package] nobody depends on dovetail-tests",
            ]
        );
    }

    #[test]
    fn a_backend_that_reaches_past_the_seams_is_found() {
        let mut tree = engine("engine/src/base.rs", "");
        tree.packages.push(package(
            "dovetail-backends",
            "backends",
            &["dovetail-engine"],
        ));
        tree.files.push(SourceFile {
            path: "backends/src/lib.rs".to_string(),
            text: "//! Map.\nuse dovetail_engine::seam::Poller;\n\
                   use dovetail_engine::keyspace::Db;\nuse dovetail_engine::Keyspace;\n"
                .to_string(),
        });
        let refuse = |line: usize, what: &str| {
            format!(
                "backends/src/lib.rs:{line}: [package] dovetail-backends does not import `{what}` \
                 of the engine"
            )
        };
        let expected = [refuse(3, "keyspace::Db"), refuse(4, "keyspace::Keyspace")];
        assert_eq!(broken(&tree), expected);
    }
}
