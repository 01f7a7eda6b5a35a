//! select(2): three bit sets of descriptors below [`LIMIT`].

use super::checked_count;
use super::epoll::timespec;
use dovetail_engine::base::Micros;
use dovetail_engine::seam::poller::Fault;
use std::os::fd::RawFd;

/// Descriptors of this number and above do not fit a set.
pub const LIMIT: usize = libc::FD_SETSIZE;
/// The same, as the call wants it.
const FD_COUNT: libc::c_int = 1024;
/// Bits of one word of a set.
const WORD: usize = u64::BITS as usize;

/// A set of descriptors, laid out as the kernel reads it: one bit each, in machine words.
#[derive(Clone, Copy, Debug)]
#[repr(C, align(8))]
pub struct Set([u64; LIMIT / WORD]);

const _: () = assert!(size_of::<Set>() == size_of::<libc::fd_set>());
const _: () = assert!(FD_COUNT as usize == LIMIT);

impl Set {
    /// The empty set.
    pub const EMPTY: Self = Self([0; LIMIT / WORD]);

    /// Puts `fd` in or takes it out.
    ///
    /// # Panics
    /// When `fd` does not fit: writing beyond the set would be memory corruption in C.
    pub fn set(&mut self, fd: RawFd, member: Member) {
        let at = usize::try_from(fd).expect("descriptors are not negative");
        assert!(
            at < LIMIT,
            "descriptors beyond the set are refused before they get here"
        );
        let bit = 1 << (at % WORD);
        match member {
            Member::In => self.0[at / WORD] |= bit,
            Member::Out => self.0[at / WORD] &= !bit,
        }
    }

    /// The words, lowest descriptors first, for walking.
    #[must_use]
    pub fn words(&self) -> &[u64] {
        &self.0
    }
}

/// Whether a descriptor is a member of a set.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Member {
    /// It is.
    In,
    /// It is not.
    Out,
}

/// Waits until a member of a set has news, at most `timeout`; only those that have stay in.
/// Looked at are descriptors below `below`.
///
/// # Errors
/// `EINTR` when a signal came first; the sets are then unspecified.
pub fn wait(
    below: usize,
    readable: &mut Set,
    writable: &mut Set,
    timeout: Option<Micros>,
) -> Result<usize, Fault> {
    let limit = timeout.map(timespec);
    let until = limit.as_ref().map_or(std::ptr::null(), std::ptr::from_ref);
    let below = libc::c_int::try_from(below)
        .unwrap_or(libc::c_int::MAX)
        .min(FD_COUNT);
    let (read, write) = (
        std::ptr::from_mut(readable).cast(),
        std::ptr::from_mut(writable).cast(),
    );
    let (none, mask) = (std::ptr::null_mut(), std::ptr::null());
    // SAFETY: the sets have the size and layout of `fd_set`; `until` is null or outlives the call.
    let ready = unsafe { libc::pselect(below, read, write, none, until, mask) };
    checked_count("select", ready)
}
