//! Readiness by epoll(7): the kernel keeps the list and names only those that have news.

use super::readiness::{Readiness, ReadySource};
use crate::sys;
use crate::sys::epoll::{Interest, Ready};
use dovetail_engine::base::Micros;
use dovetail_engine::seam::poller::Fault;
use std::os::fd::BorrowedFd;

/// The poller over epoll.
pub type Epoll = Readiness<Source>;

/// How many descriptors one wait names; the rest come with the next.
const BATCH: usize = 1024;

/// epoll as a source of readiness.
#[derive(Debug)]
pub struct Source {
    epoll: sys::epoll::Epoll,
}

impl ReadySource for Source {
    const NAME: &'static str = "epoll";

    fn open(_expected: usize) -> Result<Self, Fault> {
        Ok(Self {
            epoll: sys::epoll::Epoll::new(BATCH)?,
        })
    }

    fn change(
        &mut self,
        fd: BorrowedFd<'_>,
        token: u64,
        was: Interest,
        wanted: Interest,
    ) -> Result<(), Fault> {
        // Without interest epoll still reports failures, over and over: it must not know the
        // descriptor at all.
        if was == Interest::NONE {
            self.epoll.add(fd, token, wanted)
        } else if wanted == Interest::NONE {
            self.epoll.remove(fd)
        } else {
            self.epoll.modify(fd, token, wanted)
        }
    }

    fn wait(&mut self, timeout: Option<Micros>, ready: &mut Vec<Ready>) -> Result<(), Fault> {
        self.epoll.wait(timeout, ready)
    }
}
