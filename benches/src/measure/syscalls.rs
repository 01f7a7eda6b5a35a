//! Counts the system calls of a process while a load runs, with `perf` or else with `strace`.
//!
//! The counter is attached before the load and asked after it. What the process does in between of
//! its own accord (a timer ten times a second) is counted too and vanishes in enough requests.
//! `strace` slows the process so much that its batches are always full; `perf` does not.

use std::fs;
use std::path::{Path, PathBuf};
use std::process::{Child, Command, Stdio};
use std::thread;
use std::time::{Duration, Instant};

use anyhow::{Context as _, Result, bail};
use serde::Serialize;

/// How long attaching or detaching may take.
const PATIENCE: Duration = Duration::from_secs(10);

/// The program that counts.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Serialize)]
#[serde(rename_all = "lowercase")]
pub(crate) enum Counter {
    /// A tracepoint, counted in the kernel.
    Perf,
    /// Every call stopped and counted.
    Strace,
}

impl Counter {
    /// The best that works here, if any.
    pub(crate) fn available() -> Option<Self> {
        let perf = ["stat", "-x,", "-e", "raw_syscalls:sys_enter", "true"];
        if quietly("perf", &perf) {
            Some(Self::Perf)
        } else if quietly("strace", &["-f", "-c", "true"]) {
            Some(Self::Strace)
        } else {
            None
        }
    }

    /// Starts counting the calls of `pid`; `scratch` is a directory for the counter's report.
    ///
    /// # Errors
    /// If it cannot be attached.
    pub(crate) fn attach(self, pid: u32, scratch: &Path) -> Result<Counting> {
        let report = scratch.join("syscalls");
        let pid_text = pid.to_string();
        let mut command = match self {
            Self::Perf => {
                let mut command = Command::new("perf");
                command.args([
                    "stat",
                    "-x,",
                    "-e",
                    "raw_syscalls:sys_enter",
                    "-p",
                    &pid_text,
                ]);
                command
            }
            Self::Strace => {
                let mut command = Command::new("strace");
                command.args(["-f", "-c", "-p", &pid_text]);
                command
            }
        };
        let child = command
            .arg("-o")
            .arg(&report)
            .stdin(Stdio::null())
            .stdout(Stdio::null())
            .stderr(Stdio::null())
            .spawn()
            .context("starting the counter of system calls")?;
        let mut counting = Counting {
            counter: self,
            child,
            report,
        };
        counting.wait_until_attached(pid)?;
        Ok(counting)
    }
}

/// A counter at work.
#[derive(Debug)]
pub(crate) struct Counting {
    counter: Counter,
    child: Child,
    report: PathBuf,
}

impl Counting {
    /// Stops and returns the number of calls.
    ///
    /// # Errors
    /// If the counter's report cannot be read.
    pub(crate) fn finish(mut self) -> Result<u64> {
        quietly("kill", &["-INT", &self.child.id().to_string()]);
        let deadline = Instant::now() + PATIENCE;
        while self.child.try_wait()?.is_none() {
            if Instant::now() > deadline {
                bail!("the counter of system calls does not stop");
            }
            thread::sleep(Duration::from_millis(2));
        }
        let report = fs::read_to_string(&self.report).context("the counter left no report")?;
        let calls = match self.counter {
            Counter::Perf => perf_total(&report),
            Counter::Strace => strace_total(&report),
        };
        calls.with_context(|| format!("the counter reported {report:?}"))
    }

    fn wait_until_attached(&mut self, pid: u32) -> Result<()> {
        let deadline = Instant::now() + PATIENCE;
        loop {
            if let Some(status) = self.child.try_wait()? {
                bail!("the counter of system calls gave up: {status}");
            }
            let attached = match self.counter {
                Counter::Perf => has_perf_event(self.child.id()),
                Counter::Strace => is_traced(pid),
            };
            if attached {
                // The event is switched on a few calls after it was opened.
                thread::sleep(Duration::from_millis(20));
                return Ok(());
            }
            if Instant::now() > deadline {
                bail!("the counter of system calls does not attach");
            }
            thread::sleep(Duration::from_millis(2));
        }
    }
}

impl Drop for Counting {
    fn drop(&mut self) {
        // Both fail when the counter has ended already, which is the usual case.
        self.child.kill().ok();
        self.child.wait().ok();
    }
}

fn quietly(program: &str, args: &[&str]) -> bool {
    let status = Command::new(program)
        .args(args)
        .stdin(Stdio::null())
        .stdout(Stdio::null())
        .stderr(Stdio::null())
        .status();
    status.is_ok_and(|status| status.success())
}

fn has_perf_event(perf: u32) -> bool {
    let Ok(descriptors) = fs::read_dir(format!("/proc/{perf}/fd")) else {
        return false;
    };
    descriptors
        .filter_map(|entry| fs::read_link(entry.ok()?.path()).ok())
        .any(|target| target.to_string_lossy().contains("perf_event"))
}

fn is_traced(pid: u32) -> bool {
    let status = fs::read_to_string(format!("/proc/{pid}/status")).unwrap_or_default();
    super::cpu::status_number(&status, "TracerPid").is_some_and(|tracer| tracer != 0)
}

/// The count of the line `1234,,raw_syscalls:sys_enter,...`.
fn perf_total(report: &str) -> Option<u64> {
    let line = report.lines().find(|line| line.contains("sys_enter"))?;
    line.split(',').next()?.trim().parse().ok()
}

/// The calls of the line `100.00    0.012345    7    1234   5 total`.
fn strace_total(report: &str) -> Option<u64> {
    let line = report
        .lines()
        .find(|line| line.trim_end().ends_with(" total"))?;
    line.split_whitespace().nth(3)?.parse().ok()
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn totals_are_read_from_both_reports() {
        let perf = "# started on Mon\n\n1234,,raw_syscalls:sys_enter,1000,100.00,,\n";
        assert_eq!(perf_total(perf), Some(1234));
        assert_eq!(
            perf_total("<not counted>,,raw_syscalls:sys_enter,0,0.00,,\n"),
            None
        );
        let strace = "% time     seconds  usecs/call     calls    errors syscall\n\
            ------ ----------- ----------- --------- --------- ----------------\n\
            60.00    0.000600           6       100           read\n\
            ------ ----------- ----------- --------- --------- ----------------\n\
            100.00    0.001000           6       177         2 total\n";
        assert_eq!(strace_total(strace), Some(177));
    }
}
