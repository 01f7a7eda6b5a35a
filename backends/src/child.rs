//! A child process that does a job on a copy of everything, tells how far it is, and ends.
//!
//! Shape: what it tells are messages of [`MESSAGE_BYTES`] through a pipe whose ends never wait:
//! progress that finds no room is told the next time. Its last message is its failure's text.
//! Invariants: a child never returns into the code that has forked it, holds no descriptor of its
//! parent but the pipe and the standard ones, and dies with it.

use crate::disk::SystemDisk;
use crate::sys::process::{self, Exit, Forked};
use crate::sys::{Fd, clock, file, signal};
use dovetail_engine::base::Micros;
use dovetail_engine::seam::host::{ChildEnd, ChildFacts, Job, Refusal, Teller};
use std::os::fd::AsFd;
use std::panic::{AssertUnwindSafe, catch_unwind};

/// Keys, bytes that are not shared any more, when.
const MESSAGE_BYTES: usize = 24;
/// What comes before the text of a failure; no count is as high.
const FAILURE: u64 = u64::MAX;
/// How often progress is told at most.
const PROGRESS: Micros = Micros::from_millis(100);
/// How often memory is looked at, at most; for so many times what that takes, if that is longer.
const MEMORY_EVERY: Micros = Micros::from_secs(1);
const MEMORY_SHARE: u64 = 100;
/// Steps by which a child is more polite than its parent.
const POLITENESS: i32 = 5;
/// Longest text of a failure that is told.
const FAILURE_BYTES: usize = 2048;
const SIGKILL: i32 = 9;

/// The child of this process, if there is one.
#[derive(Debug, Default)]
pub struct Child {
    running: Option<Running>,
}

#[derive(Debug)]
struct Running {
    pid: u32,
    pipe: Fd,
    heard: Vec<u8>,
    facts: ChildFacts,
    failure: Option<String>,
}

impl Child {
    /// Has a child do `job`. Returns how long that has stopped this process, in microseconds, and the
    /// child's number.
    ///
    /// # Errors
    /// When there is one already, or processes, memory or descriptors have run out.
    pub fn start(&mut self, job: &mut Job<'_>) -> Result<(u64, u32), Refusal> {
        if self.running.is_some() {
            return Err(Refusal("there is a child process already".to_owned()));
        }
        let refused = |fault: dovetail_engine::seam::poller::Fault| Refusal(fault.to_string());
        let (pipe, told) = process::pipe().map_err(refused)?;
        let begun = clock::monotonic();
        let parent = process::id();
        match process::fork().map_err(refused)? {
            Forked::Parent(pid) => {
                let stopped = clock::monotonic().minus(begun);
                drop(told);
                self.running = Some(Running {
                    pid,
                    pipe,
                    heard: Vec::new(),
                    facts: ChildFacts::default(),
                    failure: None,
                });
                Ok((stopped.0, pid))
            }
            Forked::Child => live(parent, &told, job),
        }
    }

    /// What it has told, and how it has ended if it has; it is forgotten then.
    pub fn look(&mut self) -> (ChildFacts, Option<ChildEnd>) {
        let Some(running) = &mut self.running else {
            return (ChildFacts::default(), None);
        };
        let exit = process::reap(running.pid);
        running.hear();
        let facts = running.facts;
        let end = match exit {
            Ok(None) => return (facts, None),
            Ok(Some(Exit::Code(0))) => ChildEnd::Done,
            Ok(Some(Exit::Signal(signal))) => ChildEnd::Killed(signal),
            Ok(Some(Exit::Code(code))) => {
                let why = running.failure.take();
                ChildEnd::Failed(why.unwrap_or_else(|| format!("the child ended with code {code}")))
            }
            Err(fault) => ChildEnd::Failed(format!("the child is lost: {fault}")),
        };
        self.running = None;
        (facts, Some(end))
    }

    /// Ends it, and waits until it is gone.
    pub fn kill(&mut self) {
        if let Some(running) = self.running.take() {
            // Both fail only when it is gone.
            let _gone = process::kill(running.pid, SIGKILL);
            let _gone = process::wait_for(running.pid);
        }
    }
}

impl Drop for Child {
    fn drop(&mut self) {
        self.kill();
    }
}

impl Running {
    /// Takes what is in the pipe.
    fn hear(&mut self) {
        let mut chunk = [0; 4096];
        while let Ok(len @ 1..) = file::read(self.pipe.as_fd(), &mut chunk) {
            self.heard.extend_from_slice(&chunk[..len]);
        }
        while let Some((message, rest)) = self.heard.split_first_chunk::<MESSAGE_BYTES>() {
            let word = |index: usize| {
                let bytes = message[index * 8..][..8].try_into();
                u64::from_le_bytes(bytes.expect("a message has three words"))
            };
            if word(0) == FAILURE {
                let text = String::from_utf8_lossy(rest).into_owned();
                self.failure = Some(text);
                return;
            }
            let peak = self.facts.cow_bytes[1].max(word(1));
            self.facts = ChildFacts {
                keys: word(0),
                cow_bytes: [word(1), peak],
                told: Micros(word(2)),
            };
            self.heard.drain(..MESSAGE_BYTES);
        }
    }
}

/// The child's whole life.
fn live(parent: u32, told: &Fd, job: &mut Job<'_>) -> ! {
    // A kernel that refuses one of these leaves a child that works all the same.
    process::end_with_parent();
    if std::os::unix::process::parent_id() != parent {
        // It has ended before.
        process::exit_now(1);
    }
    let _kept = signal::restore();
    process::close_others(told.as_fd());
    process::be_polite(POLITENESS);
    let mut line = Line {
        told,
        keys: 0,
        cow_bytes: 0,
        next: Micros::default(),
        next_memory: Micros::default(),
    };
    let mut disk = SystemDisk::new();
    let done = catch_unwind(AssertUnwindSafe(|| job(&mut disk, &mut line)));
    let done = done.unwrap_or_else(|_| Err("the child has panicked".to_owned()));
    line.look_at_memory();
    line.tell();
    let code = match done {
        Ok(()) => 0,
        Err(why) => {
            line.fail(&why);
            1
        }
    };
    process::exit_now(code)
}

/// The child's end of the pipe.
struct Line<'p> {
    told: &'p Fd,
    keys: u64,
    cow_bytes: u64,
    next: Micros,
    next_memory: Micros,
}

impl Line<'_> {
    fn look_at_memory(&mut self) {
        let begun = clock::monotonic();
        self.cow_bytes = process::private_dirty_bytes();
        let ended = clock::monotonic();
        let cost = ended.minus(begun).0.saturating_mul(MEMORY_SHARE);
        self.next_memory = ended.plus(MEMORY_EVERY.max(Micros(cost)));
    }

    fn tell(&mut self) {
        self.message(self.keys, clock::monotonic().0, &[]);
    }

    fn fail(&mut self, why: &str) {
        let text = &why.as_bytes()[..why.len().min(FAILURE_BYTES)];
        self.message(FAILURE, 0, text);
    }

    fn message(&self, first: u64, last: u64, text: &[u8]) {
        let mut bytes = Vec::with_capacity(MESSAGE_BYTES + text.len());
        for word in [first, self.cow_bytes, last] {
            bytes.extend_from_slice(&word.to_le_bytes());
        }
        bytes.extend_from_slice(text);
        // A pipe takes so few bytes whole or not at all; without room they are told the next time.
        let _unheard = file::write(self.told.as_fd(), &bytes);
    }
}

impl Teller for Line<'_> {
    fn written(&mut self, keys: u64) {
        self.keys = keys;
        let now = clock::monotonic();
        if now >= self.next_memory {
            self.look_at_memory();
        }
        if now >= self.next {
            self.next = now.plus(PROGRESS);
            self.tell();
        }
    }

    fn pause(&mut self, micros: u64) {
        clock::nap(Micros(micros));
    }

    fn owns_memory(&self) -> bool {
        true
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn end_of(child: &mut Child) -> (ChildFacts, ChildEnd) {
        loop {
            if let (facts, Some(end)) = child.look() {
                return (facts, end);
            }
            std::thread::yield_now();
        }
    }

    #[test]
    fn a_childs_job_is_done_and_its_progress_told() {
        let mut child = Child::default();
        let job = &mut |_: &mut dyn dovetail_engine::seam::disk::Disk, teller: &mut dyn Teller| {
            teller.written(17);
            Ok(())
        };
        child.start(job).unwrap();
        let (facts, end) = end_of(&mut child);
        assert_eq!((facts.keys, end), (17, ChildEnd::Done));
        assert!(facts.cow_bytes[1] > 0);
    }

    #[test]
    fn a_childs_failure_is_told_in_its_words() {
        let mut child = Child::default();
        child.start(&mut |_, _| Err("no room".to_owned())).unwrap();
        assert!(child.start(&mut |_, _| Ok(())).is_err());
        let (_, end) = end_of(&mut child);
        assert_eq!(end, ChildEnd::Failed("no room".to_owned()));
    }

    #[test]
    fn a_killed_child_is_noticed() {
        let mut child = Child::default();
        let (_, pid) = child
            .start(&mut |_, teller| {
                teller.pause(60_000_000);
                Ok(())
            })
            .unwrap();
        process::kill(pid, SIGKILL).unwrap();
        let (_, end) = end_of(&mut child);
        assert_eq!(end, ChildEnd::Killed(SIGKILL));
        child.start(&mut |_, _| Ok(())).unwrap();
        child.kill();
        assert_eq!(child.look(), (ChildFacts::default(), None));
    }
}
