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
        self.attach_with(pid, scratch, &self.options(&[]))
    }

    /// Starts counting only the calls that are named, in `pid` and in children that it makes.
    ///
    /// # Errors
    /// If it cannot be attached.
    pub(crate) fn attach_to(self, calls: &[&str], pid: u32, scratch: &Path) -> Result<Counting> {
        self.attach_with(pid, scratch, &self.options(calls))
    }

    /// What is counted, in the counter's words: the calls named, or all without a name.
    fn options(self, calls: &[&str]) -> Vec<String> {
        let options = match self {
            Self::Perf if calls.is_empty() => "stat -x, -e raw_syscalls:sys_enter".to_owned(),
            Self::Perf => {
                let events = calls
                    .iter()
                    .map(|call| format!("syscalls:sys_enter_{call}"));
                format!("stat -x, -e {}", events.collect::<Vec<_>>().join(","))
            }
            Self::Strace if calls.is_empty() => "-f -c".to_owned(),
            Self::Strace => format!("-f -c -e trace={}", calls.join(",")),
        };
        options.split(' ').map(str::to_owned).collect()
    }

    fn attach_with(self, pid: u32, scratch: &Path, options: &[String]) -> Result<Counting> {
        let report = scratch.join("syscalls");
        let program = match self {
            Self::Perf => "perf",
            Self::Strace => "strace",
        };
        let child = Command::new(program)
            .args(options)
            .args(["-p", &pid.to_string(), "-o"])
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
        let report = self.report()?;
        let calls = match self.counter {
            Counter::Perf => perf_total(&report),
            Counter::Strace => strace_total(&report),
        };
        calls.with_context(|| format!("the counter reported {report:?}"))
    }

    /// Stops and returns how often each of `calls` was made, which are those it was attached to.
    ///
    /// # Errors
    /// If the counter's report cannot be read.
    pub(crate) fn finish_each(mut self, calls: &[&str]) -> Result<Vec<u64>> {
        let report = self.report()?;
        let count = |call: &&str| match self.counter {
            Counter::Perf => {
                let count = perf_count(&report, &format!("sys_enter_{call},"));
                count.with_context(|| format!("the counter reported {report:?}"))
            }
            // A call that was never made has no line.
            Counter::Strace => Ok(strace_count(&report, call).unwrap_or(0)),
        };
        calls.iter().map(count).collect()
    }

    fn report(&mut self) -> Result<String> {
        quietly("kill", &["-INT", &self.child.id().to_string()]);
        let deadline = Instant::now() + PATIENCE;
        while self.child.try_wait()?.is_none() {
            if Instant::now() > deadline {
                bail!("the counter of system calls does not stop");
            }
            thread::sleep(Duration::from_millis(2));
        }
        fs::read_to_string(&self.report).context("the counter left no report")
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
    perf_count(report, "sys_enter")
}

/// The count of the line of an event.
fn perf_count(report: &str, event: &str) -> Option<u64> {
    let line = report.lines().find(|line| line.contains(event))?;
    line.split(',').next()?.trim().parse().ok()
}

/// The calls of the line `100.00    0.012345    7    1234   5 total`.
fn strace_total(report: &str) -> Option<u64> {
    strace_count(report, "total")
}

/// The calls of the line that ends in a name.
fn strace_count(report: &str, name: &str) -> Option<u64> {
    let mut lines = report.lines().map(str::split_whitespace);
    let mut words = lines.find(|words| words.clone().next_back() == Some(name))?;
    words.nth(3)?.parse().ok()
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

    #[test]
    fn calls_are_counted_by_their_whole_names() {
        let perf = "5,,syscalls:sys_enter_fdatasync,9,100.00,,\n\
            7,,syscalls:sys_enter_write,9,100.00,,\n2,,syscalls:sys_enter_writev,9,100.00,,\n";
        assert_eq!(perf_count(perf, "sys_enter_write,"), Some(7));
        assert_eq!(perf_count(perf, "sys_enter_fsync,"), None);
        let strace = "% time     seconds  usecs/call     calls    errors syscall\n\
            60.00    0.000600           6       100           fdatasync\n\
            40.00    0.000400           6         3         1 write\n\
            100.00    0.001000           6       103         1 total\n";
        assert_eq!(strace_count(strace, "fdatasync"), Some(100));
        assert_eq!(strace_count(strace, "write"), Some(3));
        assert_eq!(strace_count(strace, "sync"), None);
    }

    #[test]
    fn counters_are_told_what_to_count() {
        let perf = Counter::Perf.options(&["fsync", "write"]).join(" ");
        let expected = "stat -x, -e syscalls:sys_enter_fsync,syscalls:sys_enter_write";
        assert_eq!(perf, expected);
        assert_eq!(
            Counter::Strace.options(&["fsync"]).join(" "),
            "-f -c -e trace=fsync"
        );
        assert_eq!(Counter::Strace.options(&[]).join(" "), "-f -c");
    }
}
