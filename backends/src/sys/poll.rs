//! poll(2): the caller keeps the list, the kernel walks all of it.

use super::checked_count;
use super::epoll::timespec;
use dovetail_engine::base::Micros;
use dovetail_engine::seam::poller::Fault;
use std::os::fd::RawFd;

/// One descriptor to ask about.
#[derive(Clone, Copy, Debug)]
#[repr(transparent)]
pub struct Entry(libc::pollfd);

impl Entry {
    /// Asks about `fd`; interested in reading, writing or both.
    #[must_use]
    pub fn new(fd: RawFd, interest: super::epoll::Interest) -> Self {
        let mut entry = Self(libc::pollfd {
            fd,
            events: 0,
            revents: 0,
        });
        entry.set(interest);
        entry
    }

    /// Changes what is asked.
    pub fn set(&mut self, interest: super::epoll::Interest) {
        self.0.events = 0;
        if interest.read {
            self.0.events |= libc::POLLIN;
        }
        if interest.write {
            self.0.events |= libc::POLLOUT;
        }
    }

    /// Whether the last wait had news of it.
    #[must_use]
    #[inline]
    pub fn has_news(&self) -> bool {
        self.0.revents != 0
    }

    /// What the last wait said; failure counts as both.
    #[must_use]
    pub fn news(&self) -> super::epoll::Interest {
        let failed = libc::POLLERR | libc::POLLHUP | libc::POLLNVAL;
        super::epoll::Interest {
            read: self.0.revents & (libc::POLLIN | failed) != 0,
            write: self.0.revents & (libc::POLLOUT | failed) != 0,
        }
    }
}

/// Waits for news of any entry, at most `timeout`; returns how many have some.
///
/// # Errors
/// `EINTR` when a signal came first.
pub fn wait(entries: &mut [Entry], timeout: Option<Micros>) -> Result<usize, Fault> {
    let limit = timeout.map(timespec);
    let until = limit.as_ref().map_or(std::ptr::null(), std::ptr::from_ref);
    let count = libc::nfds_t::try_from(entries.len()).unwrap_or(libc::nfds_t::MAX);
    let at = entries.as_mut_ptr().cast();
    // SAFETY: `at` and `count` describe the entries, which have the layout of `pollfd`; `until`
    // is null or outlives the call.
    checked_count("poll", unsafe {
        libc::ppoll(at, count, until, std::ptr::null())
    })
}
