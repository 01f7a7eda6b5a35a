//! Signals: asked-for ends and hang-ups become flags and a ring of the bell; broken pipes are
//! ignored. A second SIGINT that comes before the first was heard ends the process at once: the
//! program is stuck and somebody insists.
//!
//! A handler touches atomics and calls write(2) and _exit(2), nothing else: all are allowed there.

use super::eventfd::Bell;
use super::{checked, last_fault};
use dovetail_engine::seam::poller::Fault;
use std::os::fd::AsRawFd;
use std::sync::Arc;
use std::sync::OnceLock;
use std::sync::atomic::{AtomicI32, AtomicU32, Ordering};

/// How often each signal has come since it was last asked.
static TERMINATES: AtomicU32 = AtomicU32::new(0);
static INTERRUPTS: AtomicU32 = AtomicU32::new(0);
static HANGUPS: AtomicU32 = AtomicU32::new(0);
/// The descriptor that a handler rings; -1 before there is one.
static BELL: AtomicI32 = AtomicI32::new(-1);
/// Keeps the descriptor of [`BELL`] open for ever.
static KEPT: OnceLock<Arc<Bell>> = OnceLock::new();

/// Signals that have come, and how often.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub struct Arrived {
    /// SIGTERM.
    pub terminates: u32,
    /// SIGINT.
    pub interrupts: u32,
    /// SIGHUP.
    pub hangups: u32,
}

extern "C" fn on_signal(signal: libc::c_int) {
    let counter = match signal {
        libc::SIGINT => &INTERRUPTS,
        libc::SIGHUP => &HANGUPS,
        _ => &TERMINATES,
    };
    let unheard = counter.fetch_add(1, Ordering::SeqCst);
    if signal == libc::SIGINT && unheard > 0 {
        // SAFETY: takes no pointers and does not return; it may be called by a handler.
        unsafe { libc::_exit(1) };
    }
    let bell = BELL.load(Ordering::SeqCst);
    if bell >= 0 {
        // The interrupted code may be about to look at its error number.
        // SAFETY: takes no pointers.
        let location = unsafe { libc::__errno_location() };
        // SAFETY: the location of this thread's error number is always valid.
        let errno = unsafe { *location };
        Bell::ring_raw(bell);
        // SAFETY: as above.
        unsafe { *location = errno };
    }
}

fn set_handler(signal: libc::c_int, handler: libc::sighandler_t) -> Result<(), Fault> {
    // SAFETY: all-zero bytes are a valid value of this plain structure.
    let mut action: libc::sigaction = unsafe { std::mem::zeroed() };
    action.sa_sigaction = handler;
    action.sa_flags = libc::SA_RESTART;
    // SAFETY: the pointer is to the mask of the structure above.
    checked("sigemptyset", unsafe {
        libc::sigemptyset(&raw mut action.sa_mask)
    })?;
    let none = std::ptr::null_mut();
    // SAFETY: the handler is one that may interrupt anything; the pointers are valid or null.
    checked("sigaction", unsafe {
        libc::sigaction(signal, &raw const action, none)
    })
    .map(drop)
}

/// Lets SIGTERM, SIGINT and SIGHUP be counted and ring `bell`; SIGPIPE is ignored.
/// The first bell that was handed in stays the one that is rung.
///
/// # Errors
/// Never on Linux, short of a broken kernel.
pub fn install(bell: &Arc<Bell>) -> Result<(), Fault> {
    let kept = KEPT.get_or_init(|| Arc::clone(bell));
    BELL.store(kept.as_fd().as_raw_fd(), Ordering::SeqCst);
    let handler: extern "C" fn(libc::c_int) = on_signal;
    let handler = handler as *const () as libc::sighandler_t;
    set_handler(libc::SIGTERM, handler)?;
    set_handler(libc::SIGINT, handler)?;
    set_handler(libc::SIGHUP, handler)?;
    ignore_broken_pipes()
}

/// Lets writing to a pipe without a reader fail instead of ending the process.
///
/// # Errors
/// Never on Linux, short of a broken kernel.
pub fn ignore_broken_pipes() -> Result<(), Fault> {
    set_handler(libc::SIGPIPE, libc::SIG_IGN)
}

/// Gives SIGTERM and SIGINT their ordinary effect back: for a forked child.
///
/// # Errors
/// Never on Linux, short of a broken kernel.
pub fn restore() -> Result<(), Fault> {
    set_handler(libc::SIGTERM, libc::SIG_DFL)?;
    set_handler(libc::SIGINT, libc::SIG_DFL)
}

/// What has come since the last call.
#[must_use]
pub fn arrived() -> Arrived {
    Arrived {
        terminates: TERMINATES.swap(0, Ordering::SeqCst),
        interrupts: INTERRUPTS.swap(0, Ordering::SeqCst),
        hangups: HANGUPS.swap(0, Ordering::SeqCst),
    }
}

/// Sends `signal` to the calling process, as DEBUG SEGFAULT does.
///
/// # Errors
/// When there is no such signal.
pub fn raise(signal: libc::c_int) -> Result<(), Fault> {
    // SAFETY: takes no pointers.
    if unsafe { libc::raise(signal) } == 0 {
        Ok(())
    } else {
        Err(last_fault("raise"))
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn signals_are_counted_and_ring() {
        let bell = Arc::new(Bell::new().unwrap());
        install(&bell).unwrap();
        raise(libc::SIGTERM).unwrap();
        raise(libc::SIGTERM).unwrap();
        raise(libc::SIGINT).unwrap();
        raise(libc::SIGHUP).unwrap();
        assert_eq!(
            arrived(),
            Arrived {
                terminates: 2,
                interrupts: 1,
                hangups: 1
            }
        );
        assert_eq!(arrived(), Arrived::default());
    }
}
