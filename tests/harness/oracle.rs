//! Servers of others whose replies are the expected ones.

use std::env;
use std::path::PathBuf;
use std::process::Command;

use anyhow::{Context, Result, bail};

use crate::process::{Launch, Server};

/// The version that the checked-in differences were written against.
const ORACLE: &str = "v=7.0.";

/// Starts redis-server 7.0 from the PATH, with the options that every test wants.
///
/// # Errors
/// When it is missing or of another version.
pub fn redis7() -> Result<Server> {
    launch_redis7()?.start()
}

/// What to start for redis-server 7.0.
///
/// # Errors
/// When it is missing or of another version.
pub fn launch_redis7() -> Result<Launch> {
    let program = on_path("redis-server")
        .context("redis-server is not on the PATH: `cargo x test` installs it")?;
    let version = Command::new(&program).arg("--version").output()?;
    let version = String::from_utf8_lossy(&version.stdout).into_owned();
    if !version.contains(ORACLE) {
        bail!(
            "the oracle is Redis 7.0, {} is {version}",
            program.display()
        );
    }
    Ok(Launch::new(&program))
}

/// A newer server that is compared with by hand and in long runs.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Peer {
    /// Redis 8.0
    Redis8,
    /// Valkey 9.1
    Valkey9,
}

impl Peer {
    /// What to start for it: `redis8/redis-server` or `valkey9/valkey-server` under
    /// `DOVETAIL_PEERS`, or under the user's cache directory.
    ///
    /// # Errors
    /// When it is not there.
    pub fn launch(self) -> Result<Launch> {
        let folder = match env::var_os("DOVETAIL_PEERS") {
            Some(folder) => PathBuf::from(folder),
            None => {
                let home = env::var_os("HOME").context("HOME is not set")?;
                PathBuf::from(home).join(".cache/dovetail-peers")
            }
        };
        let program = folder.join(match self {
            Self::Redis8 => "redis8/redis-server",
            Self::Valkey9 => "valkey9/valkey-server",
        });
        if !program.is_file() {
            bail!(
                "{} is missing: `cargo x peers` installs it",
                program.display()
            );
        }
        Ok(Launch::new(&program))
    }
}

/// The first executable of this name on the PATH.
#[must_use]
pub fn on_path(name: &str) -> Option<PathBuf> {
    let path = env::var_os("PATH")?;
    env::split_paths(&path)
        .map(|folder| folder.join(name))
        .find(|program| program.is_file())
}
