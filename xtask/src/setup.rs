//! What the tests compare with, installed where it is missing: redis-server from Debian's packages,
//! redis-py and ioredis into the target folder.
//!
//! What is missing and cannot be installed is an error, never a reason to test less.

use std::fs;
use std::path::{Path, PathBuf};
use std::process::Command;

use anyhow::{Context, Result, ensure};

use crate::workspace::{Workspace, apt_install, is_installed, output_of};

/// The line of Redis that every run compares with; the list of known differences belongs to it.
const REDIS_LINE: &str = "7.0.";

/// The version of redis-py.
const REDIS_PY: &str = "6.4.0";

/// The version of ioredis.
const IOREDIS: &str = "5.8.2";

/// The folder of the client libraries: `python/` goes into PYTHONPATH, `node/` has node_modules.
pub(crate) fn folder(workspace: &Workspace) -> PathBuf {
    workspace.target.join("clients")
}

/// Installs what is missing; quick when nothing is.
pub(crate) fn install(workspace: &Workspace) -> Result<()> {
    let folder = folder(workspace);
    redis_server().context("redis-server, which the tests compare with")?;
    redis_py(&folder.join("python")).context("redis-py, which the client tests run")?;
    ioredis(&folder.join("node")).context("ioredis, which the client tests run")
}

fn redis_server() -> Result<()> {
    if !is_installed("redis-server") || !is_installed("redis-cli") {
        apt_install(&["redis-server", "redis-tools"])?;
    }
    let says = output_of(Command::new("redis-server").arg("--version"))?;
    let version = says
        .split_whitespace()
        .find_map(|word| word.strip_prefix("v="));
    let version = version.with_context(|| format!("no version in `{}`", says.trim()))?;
    ensure!(
        version.starts_with(REDIS_LINE),
        "the tests compare with Redis {REDIS_LINE}x, and the redis-server in the path is {version}"
    );
    println!("redis-server {version}");
    Ok(())
}

fn redis_py(folder: &Path) -> Result<()> {
    if !folder.join(format!("redis-{REDIS_PY}.dist-info")).is_dir() {
        if output_of(Command::new("python3").args(["-m", "pip", "--version"])).is_err() {
            apt_install(&["python3", "python3-pip"])?;
        }
        start_afresh(folder)?;
        println!("installing redis-py {REDIS_PY}");
        let mut pip = Command::new("python3");
        pip.args([
            "-m",
            "pip",
            "install",
            "--quiet",
            "--disable-pip-version-check",
        ]);
        pip.args(["--no-cache-dir", "--root-user-action=ignore", "--target"])
            .arg(folder);
        output_of(pip.arg(format!("redis=={REDIS_PY}")))?;
    }
    let mut python = Command::new("python3");
    python
        .env("PYTHONPATH", folder)
        .args(["-c", "import redis; print(redis.__version__)"]);
    let version = output_of(&mut python)?;
    ensure!(
        version.trim() == REDIS_PY,
        "python3 finds redis-py {}",
        version.trim()
    );
    println!("redis-py {REDIS_PY}");
    Ok(())
}

fn ioredis(folder: &Path) -> Result<()> {
    let package = folder.join("node_modules/ioredis/package.json");
    if version_in(&package).is_none_or(|version| version != IOREDIS) {
        if !is_installed("node") || !is_installed("npm") {
            apt_install(&["nodejs", "npm"])?;
        }
        start_afresh(folder)?;
        println!("installing ioredis {IOREDIS}");
        let mut npm = Command::new("npm");
        npm.args([
            "install",
            "--silent",
            "--no-audit",
            "--no-fund",
            "--no-package-lock",
        ]);
        npm.arg("--ignore-scripts").arg("--prefix").arg(folder);
        output_of(npm.arg(format!("ioredis@{IOREDIS}")))?;
    }
    let version = version_in(&package).context("npm has installed no ioredis")?;
    ensure!(version == IOREDIS, "npm has installed ioredis {version}");
    output_of(
        Command::new("node")
            .current_dir(folder)
            .args(["-e", "require('ioredis')"]),
    )?;
    println!("ioredis {IOREDIS}");
    Ok(())
}

fn version_in(package: &Path) -> Option<String> {
    let text = fs::read_to_string(package).ok()?;
    let json: serde_json::Value = serde_json::from_str(&text).ok()?;
    json["version"].as_str().map(str::to_string)
}

/// Empties the folder, so that an older version leaves nothing behind.
fn start_afresh(folder: &Path) -> Result<()> {
    if folder.exists() {
        fs::remove_dir_all(folder)?;
    }
    fs::create_dir_all(folder).with_context(|| format!("cannot create {}", folder.display()))
}

#[cfg(test)]
mod tests {
    use super::version_in;

    #[test]
    fn a_package_that_is_not_there_has_no_version() {
        assert_eq!(version_in("no/such/package.json".as_ref()), None);
    }
}
