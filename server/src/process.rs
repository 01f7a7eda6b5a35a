//! The process: its number in a file, its descriptors, and what the kernel is told of it.

use crate::config_file::reason;
use crate::log::Log;
use anyhow::{Result, bail};
use dovetail_backends::sys::process::{self as system, HugePages};
use dovetail_engine::config::Config;
use dovetail_engine::seam::host::LogLevel;
use std::fs;
use std::path::{Path, PathBuf};

/// Descriptors that are not clients': listeners, files, the poller's own.
pub(crate) const RESERVED_DESCRIPTORS: u16 = 32;
/// Where a process in the background leaves its number when it was told no other place.
const DEFAULT_PID_FILE: &str = "/var/run/dovetail.pid";
/// Sleeps of the loop's gathering are shorter than the kernel's usual tolerance of 50 us.
const TIMER_SLACK_NANOS: u32 = 1;

/// A file with this process's number; removed with the value.
#[derive(Debug)]
pub(crate) struct PidFile {
    path: PathBuf,
}

impl PidFile {
    /// Writes the file that `config` asks for, if it does. A failure is logged and no more.
    pub(crate) fn write(config: &Config, log: &Log) -> Option<Self> {
        let name = config.process.pidfile.to_text();
        let name = match (name.is_empty(), config.process.daemonize) {
            (true, false) => return None,
            (true, true) => DEFAULT_PID_FILE.to_owned(),
            (false, _) => name,
        };
        // The working directory may change before it is removed.
        let path = std::path::absolute(&name).unwrap_or_else(|_| PathBuf::from(&name));
        match fs::write(&path, format!("{}\n", std::process::id())) {
            Ok(()) => Some(Self { path }),
            Err(error) => {
                let why = reason(&error);
                log.line(
                    LogLevel::Warning,
                    &format!("Can't write the pid file '{name}': {why}"),
                );
                None
            }
        }
    }
}

impl Drop for PidFile {
    fn drop(&mut self) {
        // Somebody else may have removed it, or taken the directory away.
        let _gone = fs::remove_file(&self.path);
    }
}

/// Asks for the descriptors that `maxclients` needs; lowers `maxclients` to what is granted.
///
/// # Errors
/// When not even the reserved descriptors are granted.
pub(crate) fn reserve_descriptors(config: &mut Config, log: &Log) -> Result<()> {
    let wanted = u64::from(config.limits.maxclients) + u64::from(RESERVED_DESCRIPTORS);
    let (before, _) = system::descriptor_limit()?;
    let granted = system::raise_descriptor_limit(wanted)?;
    if granted >= wanted {
        if before < wanted {
            log.line(
                LogLevel::Notice,
                &format!(
                    "Increased maximum number of open files to {wanted} \
                     (it was originally set to {before})."
                ),
            );
        }
        return Ok(());
    }
    if granted <= u64::from(RESERVED_DESCRIPTORS) {
        bail!(
            "Your current 'ulimit -n' of {granted} is not enough for the server to start. \
             Please increase your open file limit to at least {wanted}. Exiting."
        );
    }
    let requested = config.limits.maxclients;
    config.limits.maxclients = clients_within(granted);
    let possible = config.limits.maxclients;
    for line in [
        format!(
            "You requested maxclients of {requested} requiring at least {wanted} max file \
             descriptors."
        ),
        format!(
            "Server can't set maximum open files to {wanted} because of OS error: \
             Operation not permitted."
        ),
        format!(
            "Current maximum open files is {granted}. maxclients has been reduced to {possible} \
             to compensate for low ulimit. If you need higher maxclients increase 'ulimit -n'."
        ),
    ] {
        log.line(LogLevel::Warning, &line);
    }
    Ok(())
}

/// Asks for descriptors for `maxclients` while running.
///
/// # Errors
/// How many clients there can be instead.
pub(crate) fn raise_descriptors(maxclients: u32) -> Result<(), u32> {
    let wanted = u64::from(maxclients) + u64::from(RESERVED_DESCRIPTORS);
    match system::raise_descriptor_limit(wanted) {
        Ok(granted) if granted >= wanted => Ok(()),
        Ok(granted) => Err(clients_within(granted)),
        Err(_) => Err(0),
    }
}

/// How many descriptors the process has open; 0 when /proc is not there.
pub(crate) fn descriptors_in_use() -> usize {
    fs::read_dir("/proc/self/fd").map_or(0, Iterator::count)
}

fn clients_within(descriptors: u64) -> u32 {
    u32::try_from(descriptors.saturating_sub(u64::from(RESERVED_DESCRIPTORS))).unwrap_or(u32::MAX)
}

/// Tells the kernel how to treat this thread and its memory.
pub(crate) fn tune(config: &Config) {
    system::set_timer_slack(TIMER_SLACK_NANOS);
    let huge_pages = fs::read_to_string("/sys/kernel/mm/transparent_hugepage/enabled");
    let is_unasked = huge_pages.is_ok_and(|text| text.contains("[always]"));
    // Where they come only when advised, they are wanted: the table's chunks are advised.
    if config.process.disable_thp && is_unasked {
        system::set_transparent_huge_pages(HugePages::Never);
    }
}

/// A line for the log when the kernel will cut the backlog of waiting clients short.
pub(crate) fn backlog_warning(config: &Config) -> Option<String> {
    const LIMIT: &str = "/proc/sys/net/core/somaxconn";
    let backlog = config.network.tcp_backlog;
    let limit: u32 = fs::read_to_string(Path::new(LIMIT))
        .ok()?
        .trim()
        .parse()
        .ok()?;
    (limit < backlog).then(|| {
        format!(
            "WARNING: The TCP backlog setting of {backlog} cannot be enforced because {LIMIT} \
             is set to the lower value of {limit}."
        )
    })
}

#[cfg(test)]
mod tests {
    use super::*;
    use dovetail_engine::config::Text;

    fn quiet(config: &mut Config) -> Log {
        config.logging.loglevel = dovetail_engine::config::LogLevel::Nothing;
        Log::open(config).unwrap()
    }

    #[test]
    fn the_pid_file_lives_as_long_as_its_value() {
        let mut config = Config::default();
        let log = quiet(&mut config);
        assert!(PidFile::write(&config, &log).is_none());
        let path = std::env::temp_dir().join(format!("dovetail-{}.pid", std::process::id()));
        config.process.pidfile = Text::from(path.to_str().unwrap());
        let file = PidFile::write(&config, &log).unwrap();
        let text = fs::read_to_string(&path).unwrap();
        assert_eq!(text, format!("{}\n", std::process::id()));
        drop(file);
        assert!(!path.exists());
    }

    #[test]
    fn descriptors_are_reserved_before_clients_get_any() {
        assert_eq!(clients_within(500), 468);
        assert_eq!(clients_within(31), 0);
        assert_eq!(clients_within(u64::MAX), u32::MAX);
    }
}
