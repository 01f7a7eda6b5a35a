//! `cargo x peers`: Redis 8 and Valkey 9 beside this machine's own Redis, to compare with.
//!
//! Shape: a minimal Debian unstable is unpacked below DIR/root, never entered; its servers are
//! copied to DIR/redis8 and DIR/valkey9 and pointed at the loader and libraries of that tree, so
//! that they run as ordinary programs whatever the machine's own libraries are.

use std::env;
use std::fs::{self, File};
use std::path::{Path, PathBuf};
use std::process::Command;

use anyhow::{Context, Result, bail, ensure};

use crate::workspace::{apt_install, is_installed, is_root, output_of};

/// The programs of each kind, as Debian names them after `redis-` and `valkey-`.
const PROGRAMS: &[&str] = &[
    "server",
    "sentinel",
    "cli",
    "benchmark",
    "check-rdb",
    "check-aof",
];

/// Folder below DIR, the prefix of its programs, and the major version it must be.
const KINDS: &[(&str, &str, &str)] = &[("redis8", "redis", "8."), ("valkey9", "valkey", "9.")];

/// Installs into `dir`, or where the tests look: `DOVETAIL_PEERS`, else `~/.cache/dovetail-peers`.
/// A second run refreshes the copies only.
pub(crate) fn install(dir: Option<PathBuf>) -> Result<()> {
    let dir = dir.map_or_else(default_dir, Ok)?;
    fs::create_dir_all(&dir).with_context(|| format!("cannot create {}", dir.display()))?;
    let dir = dir.canonicalize()?;
    for tool in ["debootstrap", "patchelf"] {
        if !is_installed(tool) && !Path::new("/usr/sbin").join(tool).is_file() {
            apt_install(&[tool])?;
        }
    }
    let root = dir.join("root");
    if !root.join("usr/bin/valkey-server").is_file() {
        unpack(&dir, &root)?;
    }
    let (libraries, loader) = libraries(&root)?;
    for (folder, prefix, major) in KINDS {
        let folder = dir.join(folder);
        fs::create_dir_all(&folder)?;
        for program in PROGRAMS {
            let name = format!("{prefix}-{program}");
            place(
                &root.join("usr/bin").join(&name),
                &folder.join(&name),
                &libraries,
                &loader,
            )?;
        }
        let server = folder.join(format!("{prefix}-server"));
        let says = output_of(Command::new(&server).arg("--version"))?;
        ensure!(
            says.contains(&format!("v={major}")),
            "not {prefix} {major}x: {}",
            says.trim()
        );
        println!("{}: {}", server.display(), says.trim());
    }
    Ok(())
}

fn default_dir() -> Result<PathBuf> {
    if let Some(dir) = env::var_os("DOVETAIL_PEERS") {
        return Ok(PathBuf::from(dir));
    }
    let home = env::var_os("HOME").context("HOME is not set: name a folder")?;
    Ok(Path::new(&home).join(".cache/dovetail-peers"))
}

fn unpack(dir: &Path, root: &Path) -> Result<()> {
    ensure!(
        is_root()?,
        "debootstrap needs root: run `cargo x peers` as root"
    );
    if root.exists() {
        // What an interrupted run has left is not worth mending.
        fs::remove_dir_all(root)?;
    }
    let mut include = Vec::new();
    for (_, prefix, _) in KINDS {
        include.extend(["server", "tools", "sentinel"].map(|part| format!("{prefix}-{part}")));
    }
    let log = dir.join("debootstrap.log");
    println!("unpacking Debian unstable into {}", root.display());
    let mut command = Command::new("debootstrap");
    // An older Debian does not have the newest signing keys.
    command.args(["--no-check-gpg", "--variant=minbase"]);
    command
        .arg(format!("--include={}", include.join(",")))
        .arg("sid")
        .arg(root);
    let out = File::create(&log)?;
    let status = command.stderr(out.try_clone()?).stdout(out).status();
    if !status.context("cannot start debootstrap")?.success() {
        let said = fs::read_to_string(&log).unwrap_or_default();
        let last: Vec<&str> = said.lines().rev().take(5).collect();
        let last: Vec<&str> = last.into_iter().rev().collect();
        bail!(
            "debootstrap failed, see {}\n{}",
            log.display(),
            last.join("\n")
        );
    }
    Ok(())
}

/// The tree's folder of libraries and its loader, for this machine's architecture.
fn libraries(root: &Path) -> Result<(PathBuf, PathBuf)> {
    let arch = env::consts::ARCH;
    let folder = root.join(format!("usr/lib/{arch}-linux-gnu"));
    let entries = fs::read_dir(&folder).with_context(|| format!("no {}", folder.display()))?;
    let mut names = entries.filter_map(|entry| entry.ok()?.file_name().into_string().ok());
    let loader = names.find(|name| name.starts_with("ld-linux-") && name.contains(".so."));
    let loader = folder.join(loader.with_context(|| format!("no loader in {}", folder.display()))?);
    Ok((folder, loader))
}

/// Copies a program and points it at the libraries; a running copy is replaced, not overwritten.
fn place(from: &Path, to: &Path, libraries: &Path, loader: &Path) -> Result<()> {
    let fresh = to.with_extension("new");
    fs::copy(from, &fresh).with_context(|| format!("cannot copy {}", from.display()))?;
    let mut patchelf = Command::new("patchelf");
    patchelf
        .arg("--set-interpreter")
        .arg(loader)
        .arg("--set-rpath")
        .arg(libraries);
    output_of(patchelf.arg("--force-rpath").arg(&fresh))?;
    Ok(fs::rename(&fresh, to)?)
}
