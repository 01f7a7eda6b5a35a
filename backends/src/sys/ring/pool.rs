//! Memory that a ring receives into: a few buffers, lent out by the kernel and given back.
//!
//! Shape: one mapping, first the ring of free buffers that the kernel reads, then the buffers.
//! Incremental pools (kernel 6.12) let the kernel put one message behind the other into the same
//! buffer, so that few buffers serve many connections and stay in the cache; plain ones use up a
//! buffer a message.
//! Invariants: a buffer is in the kernel's ring or lent out, never both; `lent` counts the leases
//! of a buffer; it goes back when the kernel is done with it and no lease is left.

use crate::sys::last_fault;
use dovetail_engine::seam::poller::Fault;
use io_uring::types::BufRingEntry;
use std::ptr::NonNull;
use std::sync::atomic::{AtomicU16, Ordering};

/// How the kernel uses buffers up.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) enum Packing {
    /// One message behind the other.
    Incremental,
    /// A buffer a message.
    Plain,
}

impl Packing {
    fn count(self) -> u16 {
        match self {
            Self::Incremental => 32,
            Self::Plain => 1024,
        }
    }

    fn buffer_bytes(self) -> usize {
        match self {
            Self::Incremental => 64 * 1024,
            Self::Plain => 4 * 1024,
        }
    }
}

/// Bytes that the kernel has received, lent until given back.
#[derive(Debug)]
pub struct Lease {
    buffer: u16,
    at: u32,
    len: u32,
}

impl Lease {
    /// How many bytes.
    #[must_use]
    pub fn len(&self) -> usize {
        self.len as usize
    }

    /// Whether there are none.
    #[must_use]
    pub fn is_empty(&self) -> bool {
        self.len == 0
    }
}

#[derive(Clone, Copy, Debug, Default)]
struct Buffer {
    /// How much of it the kernel has filled.
    filled: u32,
    lent: u32,
    /// The kernel will not write to it again.
    is_used_up: bool,
}

/// The mapping and what is known of each buffer.
#[derive(Debug)]
pub(super) struct Pool {
    base: NonNull<u8>,
    bytes: usize,
    packing: Packing,
    tail: u16,
    buffers: Vec<Buffer>,
}

/// Bytes before the first buffer: the kernel's ring, in whole pages.
fn header_bytes(packing: Packing) -> usize {
    (usize::from(packing.count()) * size_of::<BufRingEntry>()).next_multiple_of(4096)
}

impl Pool {
    /// Maps a pool with every buffer free.
    pub(super) fn new(packing: Packing) -> Result<Self, Fault> {
        let bytes = header_bytes(packing) + usize::from(packing.count()) * packing.buffer_bytes();
        let protection = libc::PROT_READ | libc::PROT_WRITE;
        let flags = libc::MAP_PRIVATE | libc::MAP_ANONYMOUS;
        // SAFETY: a new mapping at an address of the kernel's choice touches no memory in use.
        let base = unsafe { libc::mmap(std::ptr::null_mut(), bytes, protection, flags, -1, 0) };
        let base = NonNull::new(base.cast::<u8>()).filter(|_| base != libc::MAP_FAILED);
        let base = base.ok_or_else(|| last_fault("mmap"))?;
        // A forked child has no business here, and copying it would cost page faults.
        // SAFETY: the range has just been mapped.
        unsafe { libc::madvise(base.as_ptr().cast(), bytes, libc::MADV_DONTFORK) };
        let buffers = vec![Buffer::default(); usize::from(packing.count())];
        let mut pool = Self {
            base,
            bytes,
            packing,
            tail: 0,
            buffers,
        };
        (0..packing.count()).for_each(|buffer| pool.put_back(buffer));
        Ok(pool)
    }

    /// Where the kernel's ring is.
    pub(super) fn address(&self) -> u64 {
        self.base.addr().get() as u64
    }

    /// How many buffers there are.
    pub(super) fn count(&self) -> u16 {
        self.packing.count()
    }

    /// Notes that the kernel has put `len` bytes into `buffer`; `is_used_up` says that it will
    /// put no more there.
    pub(super) fn lease(&mut self, buffer: u16, len: u32, is_used_up: bool) -> Lease {
        let size = self.packing.buffer_bytes();
        let state = &mut self.buffers[usize::from(buffer)];
        let at = state.filled;
        assert!(
            !state.is_used_up,
            "the kernel writes only to buffers that it has"
        );
        assert!(
            at as usize + len as usize <= size,
            "the kernel stays within the buffer"
        );
        state.filled += len;
        state.lent += 1;
        state.is_used_up = is_used_up;
        Lease { buffer, at, len }
    }

    /// The bytes of a lease.
    pub(super) fn bytes(&mut self, lease: &Lease) -> &mut [u8] {
        let at = self.offset(lease.buffer) + lease.at as usize;
        // SAFETY: `lease` checked that the range lies within its buffer, hence in the mapping.
        let start = unsafe { self.base.add(at) };
        // SAFETY: the kernel has written these bytes and writes no more to them before the buffer
        // is put back, which needs this lease; leases do not overlap.
        unsafe { std::slice::from_raw_parts_mut(start.as_ptr(), lease.len as usize) }
    }

    /// Takes a lease back, and gives the buffer to the kernel if it was the last.
    pub(super) fn give_back(&mut self, lease: Lease) {
        let state = &mut self.buffers[usize::from(lease.buffer)];
        state.lent -= 1;
        if state.lent == 0 && state.is_used_up {
            *state = Buffer::default();
            self.put_back(lease.buffer);
        }
    }

    fn offset(&self, buffer: u16) -> usize {
        header_bytes(self.packing) + usize::from(buffer) * self.packing.buffer_bytes()
    }

    fn put_back(&mut self, buffer: u16) {
        let place = usize::from(self.tail & (self.packing.count() - 1));
        let address = self.address() + self.offset(buffer) as u64;
        let len = u32::try_from(self.packing.buffer_bytes()).expect("buffers are small");
        let ring = self.base.cast::<BufRingEntry>();
        // SAFETY: the mask keeps `place` within the ring, which the mapping starts with.
        let entry = unsafe { ring.add(place) };
        // SAFETY: the kernel does not read entries from the tail on; nobody else has a reference.
        let entry = unsafe { &mut *entry.as_ptr() };
        entry.set_addr(address);
        entry.set_len(len);
        entry.set_bid(buffer);
        self.tail = self.tail.wrapping_add(1);
        // SAFETY: the pointer is to the start of a live ring.
        let tail = unsafe { BufRingEntry::tail(ring.as_ptr()) };
        // SAFETY: the tail is an aligned part of the mapping; the kernel only reads it.
        let tail = unsafe { AtomicU16::from_ptr(tail.cast_mut()) };
        tail.store(self.tail, Ordering::Release);
    }
}

impl Drop for Pool {
    fn drop(&mut self) {
        // SAFETY: the mapping is this pool's own; the ring that used it is gone, see `Ring`.
        unsafe { libc::munmap(self.base.as_ptr().cast(), self.bytes) };
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_buffer_goes_back_with_its_last_lease_once_it_is_used_up() {
        let mut pool = Pool::new(Packing::Incremental).unwrap();
        let tail = pool.tail;
        let first = pool.lease(3, 10, false);
        let second = pool.lease(3, 20, true);
        pool.bytes(&first).fill(1);
        pool.bytes(&second).fill(2);
        assert_eq!(pool.bytes(&first), [1; 10]);
        pool.give_back(first);
        assert_eq!(pool.tail, tail);
        pool.give_back(second);
        assert_eq!(pool.tail, tail.wrapping_add(1));
    }
}
