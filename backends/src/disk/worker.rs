//! A thread that does slow jobs on files, one after the other, and says when syncs have ended.
//!
//! Shape: a queue behind a lock and a condition; the thread is started by the first job. Of each
//! file one sync is queued or running; a request that comes meanwhile waits beside it, later ones
//! are folded into that, and it is queued when the running one has ended.

use super::{OpenFile, retried, sync_now};
use crate::sys::alloc::Account;
use dovetail_engine::seam::disk::{FileId, Sync, Synced};
use dovetail_engine::seam::poller::Wake;
use std::collections::{BTreeMap, VecDeque};
use std::fmt;
use std::os::fd::AsFd;
use std::sync::{Arc, Condvar, Mutex, MutexGuard, PoisonError};
use std::thread::JoinHandle;

/// A sync that was asked for.
#[derive(Debug)]
pub(super) struct Request {
    pub(super) file: FileId,
    pub(super) open: Arc<OpenFile>,
    pub(super) what: Sync,
    pub(super) len: u64,
}

impl Request {
    /// Does it.
    fn run(&self) -> Synced {
        Synced {
            file: self.file,
            len: self.len,
            result: retried(|| sync_now(self.open.fd.as_fd(), self.what)),
        }
    }

    /// Makes one of two.
    fn fold(&mut self, later: Self) {
        if later.what == Sync::All {
            self.what = Sync::All;
        }
        self.len = later.len;
    }
}

/// What a worker can do.
#[derive(Debug)]
pub(super) enum Job {
    Sync(Request),
    Close(Arc<OpenFile>),
}

/// Syncs that have ended, and who wants to know.
#[derive(Default)]
pub(super) struct Ends {
    inside: Mutex<EndsInside>,
}

#[derive(Default)]
struct EndsInside {
    queue: VecDeque<Synced>,
    wake: Option<Arc<dyn Wake>>,
}

impl Ends {
    /// Adds one and wakes the loop.
    pub(super) fn push(&self, end: Synced) {
        let mut inside = lock(&self.inside);
        inside.queue.push_back(end);
        if let Some(wake) = &inside.wake {
            wake.wake();
        }
    }

    /// Takes the oldest.
    pub(super) fn pop(&self) -> Option<Synced> {
        lock(&self.inside).queue.pop_front()
    }

    pub(super) fn set_wake(&self, wake: Arc<dyn Wake>) {
        let mut inside = lock(&self.inside);
        if !inside.queue.is_empty() {
            wake.wake();
        }
        inside.wake = Some(wake);
    }
}

impl fmt::Debug for Ends {
    fn fmt(&self, out: &mut fmt::Formatter<'_>) -> fmt::Result {
        let inside = lock(&self.inside);
        out.debug_struct("Ends")
            .field("queue", &inside.queue)
            .finish_non_exhaustive()
    }
}

/// What the two sides share.
#[derive(Debug, Default)]
struct Desk {
    inside: Mutex<DeskInside>,
    news: Condvar,
}

#[derive(Debug, Default)]
struct DeskInside {
    jobs: VecDeque<Job>,
    /// Files of which a sync is queued or running, and what was asked for since.
    syncing: BTreeMap<FileId, Option<Request>>,
    is_closing: bool,
}

impl DeskInside {
    fn take(&mut self, job: Job) {
        if let Job::Sync(request) = job {
            match self.syncing.get_mut(&request.file) {
                Some(Some(again)) => again.fold(request),
                Some(none) => *none = Some(request),
                None => {
                    self.syncing.insert(request.file, None);
                    self.jobs.push_back(Job::Sync(request));
                }
            }
        } else {
            self.jobs.push_back(job);
        }
    }

    /// Queues what was asked for while a sync of `file` ran.
    fn ended(&mut self, file: FileId) {
        if let Some(Some(again)) = self.syncing.remove(&file) {
            self.take(Job::Sync(again));
        }
    }
}

/// The thread's owner.
#[derive(Debug)]
pub(super) struct Worker {
    name: &'static str,
    desk: Arc<Desk>,
    ends: Arc<Ends>,
    thread: Option<JoinHandle<()>>,
    /// The process that the thread is in.
    process: u32,
}

impl Worker {
    /// No thread yet.
    pub(super) fn new(name: &'static str, ends: Arc<Ends>) -> Self {
        Self {
            name,
            desk: Arc::default(),
            ends,
            thread: None,
            process: 0,
        }
    }

    /// Whether its thread has been started.
    pub(super) fn is_running(&self) -> bool {
        self.thread.is_some() && self.process == std::process::id()
    }

    /// Queues a job, or does it here if no thread can be started.
    pub(super) fn take(&mut self, job: Job) {
        lock(&self.desk.inside).take(job);
        if self.is_running() || self.start() {
            self.desk.news.notify_one();
        } else {
            lock(&self.desk.inside).is_closing = true;
            work(&self.desk, &self.ends);
            lock(&self.desk.inside).is_closing = false;
        }
    }

    fn start(&mut self) -> bool {
        let (desk, ends) = (Arc::clone(&self.desk), Arc::clone(&self.ends));
        let account = Account::current();
        let started = std::thread::Builder::new()
            .name(self.name.to_owned())
            .spawn(move || {
                let _entered = account.enter();
                work(&desk, &ends);
            });
        self.thread = started.ok();
        self.process = std::process::id();
        self.thread.is_some()
    }
}

impl Drop for Worker {
    /// Waits for the jobs that were taken. In a forked child there is nobody to wait for.
    fn drop(&mut self) {
        if !self.is_running() {
            std::mem::forget(self.thread.take());
            return;
        }
        lock(&self.desk.inside).is_closing = true;
        self.desk.news.notify_one();
        if let Some(thread) = self.thread.take() {
            // A thread that has panicked has said so by itself.
            drop(thread.join());
        }
    }
}

/// Does jobs until the desk is closed and empty.
fn work(desk: &Desk, ends: &Ends) {
    let mut inside = lock(&desk.inside);
    loop {
        let Some(job) = inside.jobs.pop_front() else {
            if inside.is_closing {
                return;
            }
            inside = desk
                .news
                .wait(inside)
                .unwrap_or_else(PoisonError::into_inner);
            continue;
        };
        drop(inside);
        match job {
            Job::Sync(request) => {
                let end = request.run();
                // Queued before it is told, so that the next sync starts at once.
                lock(&desk.inside).ended(end.file);
                ends.push(end);
            }
            Job::Close(open) => drop(open),
        }
        inside = lock(&desk.inside);
    }
}

fn lock<T>(mutex: &Mutex<T>) -> MutexGuard<'_, T> {
    mutex.lock().unwrap_or_else(PoisonError::into_inner)
}
