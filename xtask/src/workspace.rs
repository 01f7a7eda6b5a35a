//! The workspace as cargo describes it, and how programs are run from its root.

use std::env;
use std::ffi::OsStr;
use std::path::PathBuf;
use std::process::{Command, Stdio};

use anyhow::{Context, Result, bail, ensure};
use serde_json::Value;

/// One package of the workspace.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(crate) struct Package {
    /// Its name in `Cargo.toml`.
    pub(crate) name: String,
    /// Its folder from the root, empty for the root itself.
    pub(crate) dir: String,
    /// The first file of each of its targets, from the root.
    pub(crate) roots: Vec<String>,
    /// What it depends on.
    pub(crate) dependencies: Vec<Dependency>,
}

/// One line of a package's `Cargo.toml`.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(crate) struct Dependency {
    /// The package's name.
    pub(crate) name: String,
    /// Whether only tests, benches and examples see it.
    pub(crate) is_dev: bool,
}

/// Where things are.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(crate) struct Workspace {
    /// The folder with the workspace's `Cargo.toml`.
    pub(crate) root: PathBuf,
    /// Cargo's target folder.
    pub(crate) target: PathBuf,
    /// The members, in cargo's order.
    pub(crate) packages: Vec<Package>,
}

impl Workspace {
    /// Asks cargo for the workspace of the current folder.
    pub(crate) fn find() -> Result<Self> {
        let mut command = Command::new(cargo());
        command.args(["metadata", "--no-deps", "--format-version", "1"]);
        Self::parse(&output_of(&mut command)?)
    }

    /// Reads what `cargo metadata` printed.
    pub(crate) fn parse(metadata: &str) -> Result<Self> {
        let json: Value = serde_json::from_str(metadata).context("cargo metadata is no JSON")?;
        let root = text(&json, "workspace_root")?;
        let packages = list(&json, "packages")
            .iter()
            .map(|json| package(json, &root));
        Ok(Self {
            target: PathBuf::from(text(&json, "target_directory")?),
            packages: packages.collect::<Result<_>>()?,
            root: PathBuf::from(root),
        })
    }
}

fn package(json: &Value, root: &str) -> Result<Package> {
    let manifest = below(&text(json, "manifest_path")?, root);
    let roots = list(json, "targets")
        .iter()
        .map(|target| text(target, "src_path").map(|path| below(&path, root)));
    let dependencies = list(json, "dependencies").iter().map(|dependency| {
        let name = text(dependency, "name")?;
        Ok(Dependency {
            name,
            is_dev: dependency["kind"] == "dev",
        })
    });
    Ok(Package {
        name: text(json, "name")?,
        dir: manifest
            .rsplit_once('/')
            .map_or(String::new(), |(dir, _)| dir.to_string()),
        roots: roots.collect::<Result<_>>()?,
        dependencies: dependencies.collect::<Result<_>>()?,
    })
}

fn text(json: &Value, field: &str) -> Result<String> {
    json[field]
        .as_str()
        .map(str::to_string)
        .with_context(|| format!("no `{field}` in metadata"))
}

fn list<'a>(json: &'a Value, field: &str) -> &'a [Value] {
    json[field].as_array().map_or(&[], Vec::as_slice)
}

fn below(path: &str, root: &str) -> String {
    path.strip_prefix(root)
        .unwrap_or(path)
        .trim_start_matches('/')
        .to_string()
}

/// The cargo that runs this program, or the one in the path.
pub(crate) fn cargo() -> String {
    env::var("CARGO").unwrap_or_else(|_| "cargo".to_string())
}

/// Whether the program `name` is in the path.
pub(crate) fn is_installed(name: &str) -> bool {
    let path = env::var_os("PATH").unwrap_or_default();
    env::split_paths(&path).any(|dir| dir.join(name).is_file())
}

/// Runs a command to its end and returns what it printed; its errors are in the error.
pub(crate) fn output_of(command: &mut Command) -> Result<String> {
    let shown = shown(command);
    let output = command.stdin(Stdio::null()).output();
    let output = output.with_context(|| format!("cannot start `{shown}`"))?;
    if !output.status.success() {
        let errors = String::from_utf8_lossy(&output.stderr);
        let printed = String::from_utf8_lossy(&output.stdout);
        bail!("`{shown}` failed ({})\n{printed}{errors}", output.status);
    }
    Ok(String::from_utf8_lossy(&output.stdout).into_owned())
}

/// A command as a person would type it.
pub(crate) fn shown(command: &Command) -> String {
    let words = std::iter::once(command.get_program()).chain(command.get_args());
    words
        .map(OsStr::to_string_lossy)
        .collect::<Vec<_>>()
        .join(" ")
}

/// Installs Debian packages, as root or by sudo.
///
/// # Errors
/// When the machine has no apt-get, when neither way to be root works, or when apt-get fails.
pub(crate) fn apt_install(packages: &[&str]) -> Result<()> {
    let names = packages.join(" ");
    ensure!(
        is_installed("apt-get"),
        "missing: {names}; there is no apt-get here, install them by hand"
    );
    let prefix: &[&str] = if is_root()? {
        &[]
    } else {
        let by_sudo = output_of(Command::new("sudo").args(["-n", "true"]));
        by_sudo
            .with_context(|| format!("missing: {names}; run as root: apt-get install {names}"))?;
        &["sudo", "-n"]
    };
    println!("installing {names}");
    let apt = |words: &[&str]| {
        let line = [
            prefix,
            &["env", "DEBIAN_FRONTEND=noninteractive", "apt-get", "-qq"],
            words,
        ];
        let line = line.concat();
        let mut command = Command::new(line[0]);
        output_of(command.args(&line[1..])).map(drop)
    };
    apt(&["update"])?;
    apt(&[&["install", "-y", "--no-install-recommends"], packages].concat())
}

/// Whether this process runs as root.
pub(crate) fn is_root() -> Result<bool> {
    Ok(output_of(Command::new("id").arg("-u"))?.trim() == "0")
}

#[cfg(test)]
mod tests {
    use super::{Dependency, Workspace};

    #[test]
    fn metadata_is_read_relative_to_the_root() {
        let workspace = Workspace::parse(
            r#"{"workspace_root": "/r", "target_directory": "/t", "packages": [{
                "name": "a", "manifest_path": "/r/x/a/Cargo.toml",
                "targets": [{"src_path": "/r/x/a/src/lib.rs"}],
                "dependencies": [{"name": "b", "kind": "dev"}, {"name": "c", "kind": null}]}]}"#,
        )
        .unwrap();
        let package = &workspace.packages[0];
        assert_eq!((package.name.as_str(), package.dir.as_str()), ("a", "x/a"));
        assert_eq!(package.roots, ["x/a/src/lib.rs"]);
        let dependency = |name: &str, is_dev| Dependency {
            name: name.to_string(),
            is_dev,
        };
        assert_eq!(
            package.dependencies,
            [dependency("b", true), dependency("c", false)]
        );
    }
}
