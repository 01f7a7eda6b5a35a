//! epoll(7): a kernel-side list of descriptors with interest and a word of the caller's each.

use super::{Fd, checked, checked_count};
use dovetail_engine::base::Micros;
use dovetail_engine::seam::poller::Fault;
use std::os::fd::{AsRawFd, BorrowedFd, FromRawFd};

/// What to hear of a descriptor, or what was heard.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub struct Interest {
    /// Bytes or a client to take, or the end of the stream.
    pub read: bool,
    /// Room to send.
    pub write: bool,
}

impl Interest {
    /// Interested in nothing.
    pub const NONE: Self = Self {
        read: false,
        write: false,
    };
    /// Interested in what can be taken.
    pub const READ: Self = Self {
        read: true,
        write: false,
    };

    fn to_events(self) -> u32 {
        let mut events = 0;
        if self.read {
            events |= libc::EPOLLIN;
        }
        if self.write {
            events |= libc::EPOLLOUT;
        }
        events.cast_unsigned()
    }
}

/// One descriptor that has news.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Ready {
    /// The word that was registered with it.
    pub token: u64,
    /// What can be done; failure counts as both.
    pub can: Interest,
}

/// An epoll instance and the buffer for its answers.
pub struct Epoll {
    fd: Fd,
    events: Vec<libc::epoll_event>,
}

impl std::fmt::Debug for Epoll {
    fn fmt(&self, out: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        out.debug_struct("Epoll")
            .field("fd", &self.fd)
            .finish_non_exhaustive()
    }
}

/// Microseconds as the kernel's seconds and nanoseconds.
pub(super) fn timespec(micros: Micros) -> libc::timespec {
    let secs = micros.0 / 1_000_000;
    let nanos = micros.0 % 1_000_000 * 1_000;
    libc::timespec {
        tv_sec: libc::time_t::try_from(secs).unwrap_or(libc::time_t::MAX),
        tv_nsec: libc::c_long::try_from(nanos).expect("less than a second of nanoseconds"),
    }
}

impl Epoll {
    /// An empty instance that answers with at most `batch` descriptors a call.
    ///
    /// # Errors
    /// When descriptors have run out.
    pub fn new(batch: usize) -> Result<Self, Fault> {
        // SAFETY: takes no pointers.
        let fd = checked("epoll_create1", unsafe {
            libc::epoll_create1(libc::EPOLL_CLOEXEC)
        })?;
        // SAFETY: the descriptor has just been made and nobody else owns it.
        let fd = unsafe { Fd::from_raw_fd(fd) };
        Ok(Self {
            fd,
            events: Vec::with_capacity(batch.max(1)),
        })
    }

    fn control(
        &self,
        op: libc::c_int,
        fd: BorrowedFd<'_>,
        token: u64,
        interest: Interest,
    ) -> Result<(), Fault> {
        let mut event = libc::epoll_event {
            events: interest.to_events(),
            u64: token,
        };
        let at = &raw mut event;
        // SAFETY: the pointer is to an event that outlives the call.
        let done = unsafe { libc::epoll_ctl(self.fd.as_raw_fd(), op, fd.as_raw_fd(), at) };
        checked("epoll_ctl", done).map(drop)
    }

    /// Starts hearing of `fd`, level-triggered.
    ///
    /// # Errors
    /// When it is registered already or the limit of watches is reached.
    pub fn add(&self, fd: BorrowedFd<'_>, token: u64, interest: Interest) -> Result<(), Fault> {
        self.control(libc::EPOLL_CTL_ADD, fd, token, interest)
    }

    /// Changes what is heard of `fd`.
    ///
    /// # Errors
    /// When it is not registered.
    pub fn modify(&self, fd: BorrowedFd<'_>, token: u64, interest: Interest) -> Result<(), Fault> {
        self.control(libc::EPOLL_CTL_MOD, fd, token, interest)
    }

    /// Stops hearing of `fd`. Needed before closing it: while another process holds the same
    /// open file, closing alone leaves the registration in place.
    ///
    /// # Errors
    /// When it is not registered.
    pub fn remove(&self, fd: BorrowedFd<'_>) -> Result<(), Fault> {
        self.control(libc::EPOLL_CTL_DEL, fd, 0, Interest::NONE)
    }

    /// Waits for news, at most `timeout` (for ever when `None`), and appends it to `ready`.
    ///
    /// # Errors
    /// `EINTR` when a signal came first.
    pub fn wait(&mut self, timeout: Option<Micros>, ready: &mut Vec<Ready>) -> Result<(), Fault> {
        self.events.clear();
        let batch = libc::c_int::try_from(self.events.capacity()).unwrap_or(libc::c_int::MAX);
        let at = self.events.as_mut_ptr();
        let limit = timeout.map(timespec);
        let until = limit.as_ref().map_or(std::ptr::null(), std::ptr::from_ref);
        let (epoll, mask) = (self.fd.as_raw_fd(), std::ptr::null());
        // SAFETY: `at` has room for `batch` events; `until` is null or outlives the call.
        let count = unsafe { libc::epoll_pwait2(epoll, at, batch, until, mask) };
        let count = match checked_count("epoll_wait", count) {
            Err(fault) if fault.errno == libc::ENOSYS => self.wait_millis(timeout)?,
            other => other?,
        };
        let count = count.min(self.events.capacity());
        // SAFETY: the kernel has just written that many events.
        unsafe { self.events.set_len(count) };
        let failed = libc::EPOLLERR | libc::EPOLLHUP;
        ready.extend(self.events.iter().map(|event| {
            let events = event.events.cast_signed();
            let can = Interest {
                read: events & (libc::EPOLLIN | failed) != 0,
                write: events & (libc::EPOLLOUT | failed) != 0,
            };
            Ready {
                token: event.u64,
                can,
            }
        }));
        Ok(())
    }

    /// The wait of kernels before 5.11, which count milliseconds.
    fn wait_millis(&mut self, timeout: Option<Micros>) -> Result<usize, Fault> {
        let millis = timeout.map_or(-1, |timeout| {
            libc::c_int::try_from(timeout.0.div_ceil(1_000)).unwrap_or(libc::c_int::MAX)
        });
        let batch = libc::c_int::try_from(self.events.capacity()).unwrap_or(libc::c_int::MAX);
        let at = self.events.as_mut_ptr();
        // SAFETY: `at` has room for `batch` events.
        let count = unsafe { libc::epoll_wait(self.fd.as_raw_fd(), at, batch, millis) };
        checked_count("epoll_wait", count)
    }
}
