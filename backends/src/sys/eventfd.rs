//! eventfd(2) as a bell: any thread or signal handler rings it, one loop hears it.

use super::{Fd, checked, checked_len};
use dovetail_engine::seam::poller::{Fault, Wake};
use std::os::fd::{AsFd, AsRawFd, BorrowedFd, FromRawFd};
use std::sync::atomic::{AtomicBool, Ordering};

/// A bell whose rings between two looks are one.
///
/// `rung` spares the system call of every ring but the first.
#[derive(Debug)]
pub struct Bell {
    fd: Fd,
    rung: AtomicBool,
}

impl Bell {
    /// A silent bell.
    ///
    /// # Errors
    /// When descriptors have run out.
    pub fn new() -> Result<Self, Fault> {
        // SAFETY: takes no pointers.
        let fd = unsafe { libc::eventfd(0, libc::EFD_NONBLOCK | libc::EFD_CLOEXEC) };
        let fd = checked("eventfd", fd)?;
        // SAFETY: the descriptor has just been made and nobody else owns it.
        let fd = unsafe { Fd::from_raw_fd(fd) };
        Ok(Self {
            fd,
            rung: AtomicBool::new(false),
        })
    }

    /// What to wait for: readable when it has been rung.
    #[must_use]
    pub fn as_fd(&self) -> BorrowedFd<'_> {
        self.fd.as_fd()
    }

    /// Makes it silent again. What was done before any ring so far is visible afterwards.
    ///
    /// The counter is emptied before the flag: a ring between the two is not lost, because its
    /// caller's work is seen by whoever called `hear`; in the other order it would leave the flag
    /// set over an empty counter, and the bell would be mute for ever.
    pub fn hear(&self) {
        let mut count = 0_u64;
        let at = (&raw mut count).cast();
        // SAFETY: the pointer is to eight writable bytes.
        let got = unsafe { libc::read(self.fd.as_raw_fd(), at, size_of::<u64>()) };
        // An empty counter is no failure: the wake was heard already.
        let _ = checked_len("read", got);
        self.rung.store(false, Ordering::SeqCst);
    }

    /// Rings, whatever the flag says; for signal handlers, which must not race with the flag.
    pub(super) fn ring_raw(fd: libc::c_int) {
        let one = 1_u64;
        let at = (&raw const one).cast();
        // SAFETY: the pointer is to eight readable bytes; write(2) may be called by a handler.
        let _ = unsafe { libc::write(fd, at, size_of::<u64>()) };
    }
}

impl Wake for Bell {
    fn wake(&self) {
        if !self.rung.swap(true, Ordering::SeqCst) {
            Self::ring_raw(self.fd.as_raw_fd());
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn is_ringing(bell: &Bell) -> bool {
        let mut polled = [libc::pollfd {
            fd: bell.fd.as_raw_fd(),
            events: libc::POLLIN,
            revents: 0,
        }];
        // SAFETY: the pointer is to one entry.
        unsafe { libc::poll(polled.as_mut_ptr(), 1, 0) == 1 }
    }

    #[test]
    fn a_bell_rings_again_after_it_was_heard() {
        let bell = Bell::new().unwrap();
        assert!(!is_ringing(&bell));
        for _ in 0..3 {
            bell.wake();
            bell.wake();
            assert!(is_ringing(&bell));
            bell.hear();
            assert!(!is_ringing(&bell));
        }
    }
}
