//! A thread that destroys what would keep the loop busy.

use crate::sys::alloc::Account;
use std::sync::Arc;
use std::sync::atomic::{AtomicUsize, Ordering};
use std::sync::mpsc::{Receiver, Sender, channel};

type Garbage = Box<dyn Send>;

/// The thread, which is started when there is something for it, and ends with the process.
#[derive(Debug, Default)]
pub struct Lazyfree {
    queue: Option<Sender<Garbage>>,
    /// What has been taken over and is not yet gone.
    pending: Arc<AtomicUsize>,
}

impl Lazyfree {
    /// Takes something over to be destroyed; where no thread can be started it is destroyed here.
    /// What becomes free is credited to the account of the thread that calls this first.
    pub fn take(&mut self, garbage: Garbage) {
        if self.queue.is_none() {
            self.queue = self.start();
        }
        if let Some(queue) = &self.queue {
            self.pending.fetch_add(1, Ordering::Relaxed);
            if queue.send(garbage).is_err() {
                // The thread is gone, and the garbage with the message.
                self.pending.fetch_sub(1, Ordering::Relaxed);
                self.queue = None;
            }
        }
    }

    /// How much has been taken over and is not yet gone.
    #[must_use]
    pub fn pending(&self) -> usize {
        self.pending.load(Ordering::Relaxed)
    }

    fn start(&self) -> Option<Sender<Garbage>> {
        let (sender, receiver) = channel();
        let pending = Arc::clone(&self.pending);
        let account = Account::current();
        std::thread::Builder::new()
            .name("lazyfree".to_owned())
            .spawn(move || {
                let _entered = account.enter();
                work(&receiver, &pending);
            })
            .ok()
            .map(|_| sender)
    }
}

fn work(queue: &Receiver<Garbage>, pending: &AtomicUsize) {
    for garbage in queue {
        drop(garbage);
        pending.fetch_sub(1, Ordering::Relaxed);
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use std::time::{Duration, Instant};

    #[test]
    fn what_is_taken_over_is_destroyed_and_counted_until_then() {
        let witness = Arc::new(());
        let mut lazyfree = Lazyfree::default();
        for _ in 0..100 {
            lazyfree.take(Box::new(Arc::clone(&witness)));
        }
        let deadline = Instant::now() + Duration::from_secs(20);
        while lazyfree.pending() > 0 {
            assert!(Instant::now() < deadline, "it is being destroyed");
            std::thread::yield_now();
        }
        assert_eq!(Arc::strong_count(&witness), 1);
    }
}
