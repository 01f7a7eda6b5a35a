//! Chunks of memory for the store, straight from the kernel.
//!
//! Table chunks of 2 MiB or more are aligned to 2 MiB and advised as huge pages: the table is read
//! at random, and every miss of the translation cache shows. Chunks of records are not: a forked
//! child would make the parent copy 2 MiB for every small write.

use dovetail_memory::{ChunkKind, PageSource};
use std::cell::Cell;
use std::ptr::NonNull;

/// Bytes and alignment of a huge page.
const HUGE: usize = 2 << 20;

/// Chunks mapped from the kernel, counted.
#[derive(Debug, Default)]
pub struct MappedPages {
    bytes: Cell<usize>,
}

impl MappedPages {
    /// A source that has handed out nothing.
    #[must_use]
    pub const fn new() -> Self {
        Self {
            bytes: Cell::new(0),
        }
    }

    /// Bytes handed out and not given back.
    #[must_use]
    pub fn bytes(&self) -> usize {
        self.bytes.get()
    }
}

fn map(bytes: usize) -> Option<NonNull<u8>> {
    let protection = libc::PROT_READ | libc::PROT_WRITE;
    let flags = libc::MAP_PRIVATE | libc::MAP_ANONYMOUS;
    // SAFETY: a new mapping at an address of the kernel's choice touches no memory in use.
    let at = unsafe { libc::mmap(std::ptr::null_mut(), bytes, protection, flags, -1, 0) };
    if at == libc::MAP_FAILED {
        None
    } else {
        NonNull::new(at.cast())
    }
}

/// Gives a part of a mapping back.
///
/// # Safety
///
/// The range is page-aligned, was mapped by [`map`], and nobody uses it any more.
unsafe fn unmap(at: NonNull<u8>, bytes: usize) {
    if bytes > 0 {
        // SAFETY: the caller's promise.
        let done = unsafe { libc::munmap(at.as_ptr().cast(), bytes) };
        assert_eq!(done, 0, "a mapped range can be unmapped");
    }
}

/// Maps `bytes` at a multiple of [`HUGE`] by mapping more and trimming both ends.
fn map_huge(bytes: usize) -> Option<NonNull<u8>> {
    let all = bytes.checked_add(HUGE)?;
    let base = map(all)?;
    let before = base.addr().get().next_multiple_of(HUGE) - base.addr().get();
    // SAFETY: `before` is less than `HUGE`, so the sum lies within the mapping.
    let at = unsafe { base.add(before) };
    // SAFETY: `before + bytes` is at most `all`, so the sum lies within the mapping or at its end.
    let end = unsafe { at.add(bytes) };
    // SAFETY: the head of the mapping, which nobody has seen.
    unsafe { unmap(base, before) };
    // SAFETY: the tail of the mapping, which nobody has seen.
    unsafe { unmap(end, HUGE - before) };
    // SAFETY: the range is mapped; the advice changes no contents. Kernels without huge pages
    // refuse, which leaves ordinary ones.
    unsafe { libc::madvise(at.as_ptr().cast(), bytes, libc::MADV_HUGEPAGE) };
    Some(at)
}

// SAFETY: each chunk is a mapping of its own: page-aligned, readable, writable, exclusive.
unsafe impl PageSource for MappedPages {
    fn acquire(&self, bytes: usize, kind: ChunkKind) -> Option<NonNull<u8>> {
        assert!(bytes > 0, "a chunk has a size");
        let is_huge = kind == ChunkKind::Table && bytes.is_multiple_of(HUGE);
        let at = if is_huge {
            map_huge(bytes)?
        } else {
            map(bytes)?
        };
        self.bytes.set(self.bytes.get() + bytes);
        Some(at)
    }

    unsafe fn release(&self, ptr: NonNull<u8>, bytes: usize, _kind: ChunkKind) {
        self.bytes.set(self.bytes.get() - bytes);
        // SAFETY: the caller gives back a whole chunk of this source that nobody uses.
        unsafe { unmap(ptr, bytes) };
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn chunks_are_aligned_writable_and_counted() {
        let pages = MappedPages::new();
        for (bytes, kind, align) in [
            (64 << 10, ChunkKind::Records, 4096),
            (HUGE, ChunkKind::Table, HUGE),
        ] {
            let at = pages.acquire(bytes, kind).unwrap();
            assert!(at.addr().get().is_multiple_of(align));
            assert_eq!(pages.bytes(), bytes);
            // SAFETY: the chunk is writable to its last byte.
            unsafe { at.as_ptr().write_bytes(7, bytes) };
            // SAFETY: it is given back as it was taken.
            unsafe { pages.release(at, bytes, kind) };
            assert_eq!(pages.bytes(), 0);
        }
    }
}
