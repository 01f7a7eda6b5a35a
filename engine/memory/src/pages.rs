//! Where the store gets its memory: a supplier of large, page-aligned chunks.

use std::alloc::Layout;
use std::ptr::NonNull;

/// Alignment of every chunk, in bytes.
pub(crate) const PAGE_BYTES: usize = 4096;

/// What a chunk is for, so that a source may treat them differently (huge pages, accounts).
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum ChunkKind {
    /// Slab pages holding records: written by nearly every write, so no huge pages under fork.
    Records,
    /// Segments of the table.
    Table,
}

/// A supplier of chunks of memory.
///
/// # Safety
///
/// Memory returned by `acquire` is valid for reads and writes of `bytes` bytes, aligned to 4096,
/// and overlaps nothing else until it is given to `release`. Its contents may be anything.
pub unsafe trait PageSource {
    /// Hands out `bytes` bytes (a multiple of 4096), or `None` when there is no memory.
    fn acquire(&self, bytes: usize, kind: ChunkKind) -> Option<NonNull<u8>>;

    /// Takes a chunk back. To give one back to the system at once may take longer than a client
    /// should wait; a source may put that off until [`Self::settle`].
    ///
    /// # Safety
    ///
    /// `ptr`, `bytes` and `kind` are those of one earlier `acquire` of this source, not released
    /// since, and nobody uses the memory any more.
    unsafe fn release(&self, ptr: NonNull<u8>, bytes: usize, kind: ChunkKind);

    /// Gives up what a range holds: it can be used as before, but holds anything from here on. A
    /// source that can do so gives the memory itself back meanwhile; this one does nothing.
    ///
    /// # Safety
    ///
    /// The range is whole pages of 4096 bytes of anonymous memory, of this source or of the global
    /// allocator; it is the caller's alone, who reads nothing there that was not written afterwards.
    unsafe fn discard(&self, _ptr: NonNull<u8>, _bytes: usize) {}

    /// Goes on with what `release` put off: gives up to `bytes` bytes back to the system. Returns
    /// whether more is left. This one puts nothing off.
    fn settle(&self, _bytes: usize) -> bool {
        false
    }
}

/// Chunks from the global allocator.
#[derive(Clone, Copy, Debug, Default)]
pub struct HeapPages;

impl HeapPages {
    pub(crate) fn layout(bytes: usize) -> Layout {
        Layout::from_size_align(bytes, PAGE_BYTES).expect("chunks are a few MiB at most")
    }
}

// SAFETY: the global allocator returns exclusive memory of the layout asked for.
unsafe impl PageSource for HeapPages {
    fn acquire(&self, bytes: usize, _kind: ChunkKind) -> Option<NonNull<u8>> {
        assert!(bytes > 0, "a chunk has a size");
        // SAFETY: the layout's size is not zero.
        NonNull::new(unsafe { std::alloc::alloc(Self::layout(bytes)) })
    }

    unsafe fn release(&self, ptr: NonNull<u8>, bytes: usize, _kind: ChunkKind) {
        // SAFETY: the caller gives back what `acquire` returned for the same number of bytes.
        unsafe { std::alloc::dealloc(ptr.as_ptr(), Self::layout(bytes)) }
    }
}
