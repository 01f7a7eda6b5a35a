//! Readiness by poll(2): the list is ours, the kernel walks all of it at every wait.

use super::readiness::{Readiness, ReadySource};
use crate::sys;
use crate::sys::epoll::{Interest, Ready};
use dovetail_engine::base::Micros;
use dovetail_engine::seam::poller::Fault;
use std::os::fd::{AsRawFd, BorrowedFd};

/// The poller over poll.
pub type Poll = Readiness<Source>;

/// Marks a descriptor that is not in the list.
const ABSENT: u32 = u32::MAX;

/// poll as a source of readiness.
///
/// Invariants: `entries` and `tokens` have one row a known descriptor; `places[fd]` is its row.
#[derive(Debug)]
pub struct Source {
    entries: Vec<sys::poll::Entry>,
    tokens: Vec<(u64, usize)>,
    places: Vec<u32>,
}

impl Source {
    fn remove(&mut self, fd: usize) {
        let row = std::mem::replace(&mut self.places[fd], ABSENT) as usize;
        self.entries.swap_remove(row);
        self.tokens.swap_remove(row);
        if let Some((_, moved)) = self.tokens.get(row) {
            self.places[*moved] = u32::try_from(row).expect("rows are counted as descriptors");
        }
    }

    fn add(&mut self, fd: BorrowedFd<'_>, at: usize, token: u64, wanted: Interest) {
        if self.places.len() <= at {
            self.places.resize(at + 1, ABSENT);
        }
        self.places[at] = u32::try_from(self.tokens.len()).expect("descriptors have 31 bits");
        self.entries
            .push(sys::poll::Entry::new(fd.as_raw_fd(), wanted));
        self.tokens.push((token, at));
    }
}

impl ReadySource for Source {
    const NAME: &'static str = "poll";

    fn open(expected: usize) -> Result<Self, Fault> {
        Ok(Self {
            entries: Vec::with_capacity(expected),
            tokens: Vec::with_capacity(expected),
            places: Vec::new(),
        })
    }

    fn change(
        &mut self,
        fd: BorrowedFd<'_>,
        token: u64,
        was: Interest,
        wanted: Interest,
    ) -> Result<(), Fault> {
        let at = usize::try_from(fd.as_raw_fd()).expect("descriptors are not negative");
        if was == Interest::NONE {
            self.add(fd, at, token, wanted);
        } else if wanted == Interest::NONE {
            self.remove(at);
        } else {
            self.entries[self.places[at] as usize].set(wanted);
        }
        Ok(())
    }

    fn wait(&mut self, timeout: Option<Micros>, ready: &mut Vec<Ready>) -> Result<(), Fault> {
        let mut left = sys::poll::wait(&mut self.entries, timeout)?;
        for (entry, (token, _)) in self.entries.iter().zip(&self.tokens) {
            if left == 0 {
                break;
            }
            if entry.has_news() {
                left -= 1;
                ready.push(Ready {
                    token: *token,
                    can: entry.news(),
                });
            }
        }
        Ok(())
    }
}
