//! The memory that a process and its children take together, watched while they live.
//!
//! Units: bytes of proportional set, in which a page that parent and child share after a fork counts
//! once over both. The kernel walks all pages for it, so it is asked rarely, and the process cannot
//! map memory meanwhile.

use std::fs;
use std::io;
use std::sync::Arc;
use std::sync::atomic::{AtomicBool, Ordering};
use std::thread::{self, JoinHandle};
use std::time::Duration;

use anyhow::{Result, anyhow};

use super::cpu::status_number;

/// The pause between two looks.
const PAUSE: Duration = Duration::from_millis(20);

/// The proportional set of process `pid` and of its children, in bytes.
///
/// # Errors
/// If the process is gone.
pub(crate) fn proportional(pid: u32) -> io::Result<u64> {
    let own = proportional_of_one(pid)?;
    // A child that has ended meanwhile takes nothing.
    let children = children(pid)?
        .into_iter()
        .filter_map(|child| proportional_of_one(child).ok());
    Ok(own + children.sum::<u64>())
}

fn proportional_of_one(pid: u32) -> io::Result<u64> {
    let text = fs::read_to_string(format!("/proc/{pid}/smaps_rollup"))?;
    let kib = status_number(&text, "Pss");
    kib.map(|kib| kib * 1024)
        .ok_or_else(|| io::Error::other("smaps_rollup has no Pss"))
}

/// The processes whose parent is `pid`.
fn children(pid: u32) -> io::Result<Vec<u32>> {
    let mut found = Vec::new();
    for entry in fs::read_dir("/proc")? {
        let name = entry?.file_name();
        let Some(candidate) = name.to_str().and_then(|name| name.parse().ok()) else {
            continue;
        };
        let stat = fs::read_to_string(format!("/proc/{candidate}/stat")).unwrap_or_default();
        if parent(&stat) == Some(pid) {
            found.push(candidate);
        }
    }
    Ok(found)
}

/// The parent: the second field behind the name, which may hold anything.
fn parent(stat: &str) -> Option<u32> {
    let (_, after_name) = stat.rsplit_once(')')?;
    after_name.split_whitespace().nth(1)?.parse().ok()
}

/// Looks again and again, on a thread of its own.
#[derive(Debug)]
pub(crate) struct Watch {
    stop: Arc<AtomicBool>,
    thread: JoinHandle<io::Result<u64>>,
}

impl Watch {
    /// Begins.
    pub(crate) fn start(pid: u32) -> Self {
        let stop = Arc::new(AtomicBool::new(false));
        let stopped = Arc::clone(&stop);
        let thread = thread::spawn(move || {
            let mut peak = 0;
            loop {
                peak = proportional(pid)?.max(peak);
                if stopped.load(Ordering::Relaxed) {
                    return Ok(peak);
                }
                thread::sleep(PAUSE);
            }
        });
        Self { stop, thread }
    }

    /// Ends, and returns the most that was seen.
    ///
    /// # Errors
    /// If the process has gone.
    pub(crate) fn finish(self) -> Result<u64> {
        self.stop.store(true, Ordering::Relaxed);
        let ended = self.thread.join();
        Ok(ended.map_err(|_| anyhow!("the watch on memory has died"))??)
    }
}

#[cfg(test)]
mod tests {
    use std::process::{Command, Stdio};

    use super::*;

    #[test]
    fn parent_is_found_behind_a_wicked_name() {
        assert_eq!(parent("7 (a) 9 (b c) S 41 7 7 0 -1"), Some(41));
        assert_eq!(parent("7 (x"), None);
    }

    #[test]
    fn proportional_set_is_not_one_of_its_parts() {
        let text = "55d0-7fff ---p 00000000 00:00 0    [rollup]\nRss:     1644 kB\n\
            Pss:      408 kB\nPss_Dirty:  116 kB\n";
        assert_eq!(status_number(text, "Pss"), Some(408));
    }

    #[test]
    fn child_belongs_to_the_family() {
        let own = std::process::id();
        let mut cat = Command::new("cat")
            .stdin(Stdio::piped())
            .stdout(Stdio::null())
            .spawn()
            .unwrap();
        assert!(children(own).unwrap().contains(&cat.id()));
        assert!(proportional(own).unwrap() > proportional_of_one(cat.id()).unwrap());
        drop(cat.stdin.take());
        cat.wait().unwrap();
        assert!(!children(own).unwrap().contains(&cat.id()));
    }

    #[test]
    fn watch_sees_what_is_there() {
        let watch = Watch::start(std::process::id());
        assert!(watch.finish().unwrap() > 4096);
    }
}
