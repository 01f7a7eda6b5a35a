//! Thin, safe, typed wrappers over system calls: the only place of `unsafe` in this package.
//!
//! A wrapper makes one call, has a safe signature and contains no policy. Failures are
//! [`Fault`]s: the call's name and the error number. Descriptors are owned by [`Fd`] and are
//! close-on-exec from birth.

pub mod alloc;
pub mod clock;
pub mod entropy;
pub mod epoll;
pub mod eventfd;
pub mod file;
pub mod memory;
pub mod poll;
pub mod process;
pub mod ring;
pub mod select;
pub mod signal;
pub mod socket;

use dovetail_engine::seam::poller::Fault;

/// A descriptor that is closed when dropped.
pub type Fd = std::os::fd::OwnedFd;

/// The fault of the call that has just failed on this thread.
#[cold]
fn last_fault(op: &'static str) -> Fault {
    Fault {
        op,
        errno: std::io::Error::last_os_error()
            .raw_os_error()
            .unwrap_or(libc::EIO),
    }
}

/// Turns the C convention (negative means failure) into a result.
fn checked(op: &'static str, returned: libc::c_int) -> Result<libc::c_int, Fault> {
    if returned < 0 {
        Err(last_fault(op))
    } else {
        Ok(returned)
    }
}

/// Like [`checked`], for calls that return a count.
fn checked_count(op: &'static str, returned: libc::c_int) -> Result<usize, Fault> {
    usize::try_from(returned).map_err(|_| last_fault(op))
}

/// Like [`checked`], for calls that return a length.
fn checked_len(op: &'static str, returned: isize) -> Result<usize, Fault> {
    usize::try_from(returned).map_err(|_| last_fault(op))
}

/// The size of `T` as the kernel's socket calls want it.
fn socklen<T>() -> libc::socklen_t {
    libc::socklen_t::try_from(size_of::<T>()).expect("socket structures are small")
}

/// Whether the fault only says "not now".
#[must_use]
pub fn would_block(fault: Fault) -> bool {
    fault.errno == libc::EAGAIN || fault.errno == libc::EWOULDBLOCK
}

/// Whether a signal cut the call short.
#[must_use]
pub fn interrupted(fault: Fault) -> bool {
    fault.errno == libc::EINTR
}

/// Whether the fault says that no interface of this machine has the address.
#[must_use]
pub fn no_such_address(fault: Fault) -> bool {
    fault.errno == libc::EADDRNOTAVAIL
}

/// Whether the fault says that this kernel does not know addresses of that kind.
#[must_use]
pub fn no_such_family(fault: Fault) -> bool {
    matches!(
        fault.errno,
        libc::EAFNOSUPPORT
            | libc::EPFNOSUPPORT
            | libc::ENOPROTOOPT
            | libc::EPROTONOSUPPORT
            | libc::ESOCKTNOSUPPORT
    )
}

/// Whether the fault says that descriptors or kernel memory have run out.
#[must_use]
pub fn exhausted(fault: Fault) -> bool {
    matches!(
        fault.errno,
        libc::EMFILE | libc::ENFILE | libc::ENOBUFS | libc::ENOMEM
    )
}
