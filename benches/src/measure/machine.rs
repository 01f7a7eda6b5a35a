//! The machine that a measurement was taken on, for the record.

use std::fs;
use std::path::Path;
use std::process::Command;
use std::time::{SystemTime, UNIX_EPOCH};

use serde::Serialize;

/// Where and when.
#[derive(Clone, Debug, Default, Serialize)]
pub(crate) struct Machine {
    /// The processor's name.
    pub(crate) cpu: String,
    /// How many of them are online.
    pub(crate) cores: usize,
    /// Bytes of memory.
    pub(crate) memory: u64,
    /// The kernel's release.
    pub(crate) kernel: String,
    /// The default congestion control, which loopback uses too.
    pub(crate) congestion_control: String,
    /// The setting of transparent huge pages.
    pub(crate) huge_pages: String,
    /// The load average of the last minute when the measurement began.
    pub(crate) load_average: f64,
    /// The commit of the working directory, with `-dirty` if it has changes.
    pub(crate) commit: Option<String>,
    /// Seconds since 1970.
    pub(crate) unix_secs: u64,
}

impl Machine {
    /// This machine, now. What cannot be read stays empty.
    pub(crate) fn describe() -> Self {
        let cpuinfo = read("/proc/cpuinfo");
        let meminfo = read("/proc/meminfo");
        Self {
            cpu: field(&cpuinfo, "model name").unwrap_or_default(),
            cores: std::thread::available_parallelism().map_or(1, usize::from),
            memory: field(&meminfo, "MemTotal")
                .and_then(|text| kibibytes(&text))
                .unwrap_or(0),
            kernel: read("/proc/sys/kernel/osrelease").trim().to_owned(),
            congestion_control: read("/proc/sys/net/ipv4/tcp_congestion_control")
                .trim()
                .to_owned(),
            huge_pages: bracketed(&read("/sys/kernel/mm/transparent_hugepage/enabled")),
            load_average: load_average(),
            commit: commit(Path::new(".")),
            unix_secs: SystemTime::now()
                .duration_since(UNIX_EPOCH)
                .map_or(0, |age| age.as_secs()),
        }
    }
}

fn load_average() -> f64 {
    let text = read("/proc/loadavg");
    text.split_whitespace()
        .next()
        .and_then(|text| text.parse().ok())
        .unwrap_or(0.0)
}

fn read(path: &str) -> String {
    fs::read_to_string(path).unwrap_or_default()
}

fn field(text: &str, name: &str) -> Option<String> {
    let line = text.lines().find(|line| line.starts_with(name))?;
    line.split_once(':')
        .map(|(_, value)| value.trim().to_owned())
}

fn kibibytes(text: &str) -> Option<u64> {
    text.split_whitespace()
        .next()?
        .parse::<u64>()
        .ok()
        .map(|kib| kib * 1024)
}

/// The word in brackets: `always [madvise] never` chooses madvise.
fn bracketed(text: &str) -> String {
    let inside = text
        .split_once('[')
        .and_then(|(_, rest)| rest.split_once(']'));
    inside.map(|(word, _)| word.to_owned()).unwrap_or_default()
}

fn commit(directory: &Path) -> Option<String> {
    let git = |args: &[&str]| {
        let output = Command::new("git")
            .arg("--no-optional-locks")
            .arg("-C")
            .arg(directory)
            .args(args)
            .output()
            .ok()?;
        output
            .status
            .success()
            .then(|| String::from_utf8_lossy(&output.stdout).trim().to_owned())
    };
    let commit = git(&["rev-parse", "--verify", "-q", "HEAD"])?;
    let changes = git(&["status", "--porcelain", "--untracked-files=no"])?;
    Some(if changes.is_empty() {
        commit
    } else {
        format!("{commit}-dirty")
    })
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn machine_knows_its_kernel_and_its_cores() {
        let machine = Machine::describe();
        assert!(!machine.kernel.is_empty());
        assert!(machine.cores > 0);
        assert!(machine.memory > 0);
    }

    #[test]
    fn chosen_word_stands_in_brackets() {
        assert_eq!(bracketed("always [madvise] never\n"), "madvise");
        assert_eq!(bracketed(""), "");
    }
}
