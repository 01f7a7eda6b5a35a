//! How a server is told to save, and how it is seen that it has: by Redis's commands and the fields
//! of its INFO, which every server here understands.

use std::path::Path;
use std::process::{Command, Stdio};
use std::thread;
use std::time::{Duration, Instant};

use anyhow::{Context as _, Result, bail};

use crate::load::client::{Client, Reply, info_field};
use crate::server::pinning::is_installed;

/// How long a snapshot or a rewrite may take.
const PATIENCE: Duration = Duration::from_secs(600);

/// The pause between two questions whether it has ended.
const PAUSE: Duration = Duration::from_millis(10);

/// What INFO says about what is kept.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub(crate) struct Keeping {
    /// Whether a snapshot or a rewrite is being made, or waits for the other.
    pub(crate) is_busy: bool,
    /// Whether there is a log.
    pub(crate) has_log: bool,
    /// Whether the last snapshot failed.
    pub(crate) snapshot_failed: bool,
    /// Whether the last rewrite failed.
    pub(crate) rewrite_failed: bool,
    /// Snapshots and rewrites that have ended well, where the server counts them.
    pub(crate) made: Option<u64>,
    /// Bytes of the log, with its base.
    pub(crate) log_bytes: Option<u64>,
    /// Bytes that the last snapshot had to copy, as the server says.
    pub(crate) copied: Option<u64>,
    /// Microseconds of the last fork.
    pub(crate) fork_us: Option<u64>,
}

impl Keeping {
    /// Asks.
    ///
    /// # Errors
    /// If the server does not answer.
    pub(crate) fn ask(client: &mut Client) -> Result<Self> {
        let persistence = client.ask(&["INFO", "persistence"])?.into_text()?;
        let stats = client.ask(&["INFO", "stats"])?.into_text()?;
        Ok(Self::parse(&format!("{persistence}\r\n{stats}")))
    }

    fn parse(info: &str) -> Self {
        let text = |name: &str| info_field(info, name);
        let number = |name| text(name).and_then(|text| text.parse::<u64>().ok());
        let is_set = |name| number(name).is_some_and(|number| number > 0);
        let failed = |name| text(name).is_some_and(|text| text != "ok");
        Self {
            is_busy: is_set("rdb_bgsave_in_progress")
                || is_set("aof_rewrite_in_progress")
                || is_set("aof_rewrite_scheduled"),
            has_log: is_set("aof_enabled"),
            snapshot_failed: failed("rdb_last_bgsave_status"),
            rewrite_failed: failed("aof_last_bgrewrite_status"),
            made: number("rdb_saves")
                .zip(number("aof_rewrites"))
                .map(|(snapshots, rewrites)| snapshots + rewrites),
            log_bytes: number("aof_current_size"),
            copied: number("rdb_last_cow_size"),
            fork_us: number("latest_fork_usec"),
        }
    }
}

/// Something that a server was told to make, and what it counts when it has.
#[derive(Clone, Copy, Debug)]
pub(crate) struct Order {
    made: Option<u64>,
}

/// Waits until nothing is being saved; returns what INFO says then.
///
/// # Errors
/// If the last attempt failed, or it takes too long.
pub(crate) fn wait_until_idle(client: &mut Client) -> Result<Keeping> {
    wait_for(client, Order { made: None }, &mut || Ok(()))
}

/// Waits until what was ordered is made, and calls `meanwhile` now and then; returns what INFO says
/// then.
///
/// # Errors
/// If it failed, if it takes too long, and those of `meanwhile`.
pub(crate) fn wait_for(
    client: &mut Client,
    order: Order,
    meanwhile: &mut dyn FnMut() -> Result<()>,
) -> Result<Keeping> {
    let deadline = Instant::now() + PATIENCE;
    loop {
        let keeping = Keeping::ask(client)?;
        if !keeping.is_busy {
            if keeping.snapshot_failed || keeping.rewrite_failed {
                bail!("the server says that saving has failed");
            }
            // It may have answered before it began.
            if order.made <= keeping.made {
                return Ok(keeping);
            }
        }
        if Instant::now() > deadline {
            bail!("saving does not end");
        }
        thread::sleep(PAUSE);
        meanwhile()?;
    }
}

/// Begins a snapshot; returns when the server has answered.
///
/// # Errors
/// If it refuses.
pub(crate) fn begin_snapshot(client: &mut Client) -> Result<Order> {
    begin(client, &["BGSAVE"])
}

/// Begins a rewrite of the log; returns when the server has answered.
///
/// # Errors
/// If it refuses.
pub(crate) fn begin_rewrite(client: &mut Client) -> Result<Order> {
    begin(client, &["BGREWRITEAOF"])
}

fn begin(client: &mut Client, command: &[&str]) -> Result<Order> {
    let made = Keeping::ask(client)?.made.map(|made| made + 1);
    expect_status(client, command)?;
    Ok(Order { made })
}

/// Changes a directive.
///
/// # Errors
/// If the server refuses.
pub(crate) fn set(client: &mut Client, directive: &str, value: &str) -> Result<()> {
    expect_status(client, &["CONFIG", "SET", directive, value])
}

/// How many keys there are.
///
/// # Errors
/// If the server does not say.
pub(crate) fn key_count(client: &mut Client) -> Result<u64> {
    match client.ask(&["DBSIZE"])? {
        Reply::Number(count) => u64::try_from(count).context("a count below zero"),
        other => bail!("expected a number of keys, the server answered {other:?}"),
    }
}

fn expect_status(client: &mut Client, command: &[&str]) -> Result<()> {
    match client.ask(command)? {
        Reply::Text(Some(_)) => Ok(()),
        Reply::Error(text) => bail!("{}: {text}", command.join(" ")),
        other => bail!("{}: {other:?} is no answer", command.join(" ")),
    }
}

/// Writes to the disk what others have left for later, so that the next one does not pay for it.
pub(crate) fn drain(directory: &Path) {
    if is_installed("sync") {
        // Where it fails, as on systems without such a call, rounds scatter more.
        Command::new("sync")
            .arg("-f")
            .arg(directory)
            .stdin(Stdio::null())
            .stdout(Stdio::null())
            .stderr(Stdio::null())
            .status()
            .ok();
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    const IDLE: &str = "# Persistence\r\nloading:0\r\nrdb_bgsave_in_progress:0\r\n\
        rdb_last_bgsave_status:ok\r\nrdb_saves:2\r\nrdb_last_cow_size:4096\r\n\
        aof_rewrite_in_progress:0\r\naof_rewrite_scheduled:0\r\naof_last_bgrewrite_status:ok\r\n\
        aof_rewrites:3\r\naof_enabled:1\r\naof_current_size:77\r\n# Stats\r\nlatest_fork_usec:812\r\n";

    #[test]
    fn fields_are_read_from_info() {
        let expected = Keeping {
            has_log: true,
            made: Some(5),
            log_bytes: Some(77),
            copied: Some(4096),
            fork_us: Some(812),
            ..Keeping::default()
        };
        assert_eq!(Keeping::parse(IDLE), expected);
    }

    #[test]
    fn whatever_is_being_saved_makes_a_server_busy() {
        for field in [
            "rdb_bgsave_in_progress",
            "aof_rewrite_in_progress",
            "aof_rewrite_scheduled",
        ] {
            let info = IDLE.replace(&format!("{field}:0"), &format!("{field}:1"));
            assert!(Keeping::parse(&info).is_busy, "{field}");
        }
        assert!(!Keeping::parse("").is_busy);
    }

    #[test]
    fn failures_are_told_apart() {
        let info = IDLE.replace("bgsave_status:ok", "bgsave_status:err");
        let keeping = Keeping::parse(&info);
        assert!(keeping.snapshot_failed && !keeping.rewrite_failed);
        let info = IDLE.replace("bgrewrite_status:ok", "bgrewrite_status:err");
        assert!(Keeping::parse(&info).rewrite_failed);
        assert!(!Keeping::parse("").snapshot_failed);
    }
}
