//! Chunks of memory for the store, straight from the kernel.
//!
//! Table chunks of 2 MiB are aligned to 2 MiB and advised as huge pages: the table is read at
//! random, and every miss of the translation cache shows. Chunks of records are not: a forked
//! child would make the parent copy 2 MiB for every small write.
//!
//! A huge page is cleared when it is first touched, which takes a tenth of a millisecond, and ten
//! under some hypervisors. So, once the table is large enough for huge pages to matter, a thread keeps
//! one such chunk touched and ready. Chunks before that, and one that is wanted before it is ready,
//! have ordinary pages.
//!
//! To unmap a chunk that is full of pages takes half a millisecond and more. So chunks that are given
//! back are unmapped piece by piece, as [`PageSource::settle`] has it, or serve again before that.

use super::alloc::Account;
use dovetail_memory::{ChunkKind, PageSource};
use std::cell::{Cell, OnceCell, RefCell};
use std::ptr::NonNull;
use std::sync::mpsc::{Receiver, SyncSender, sync_channel};

/// Bytes and alignment of a huge page.
const HUGE: usize = 2 << 20;
/// From this many table chunks of that size on the next one is made ready: a reserve of one is then
/// a small part of what is in use.
const CHUNKS_BEFORE_STOCK: usize = 8;
/// Bytes of an ordinary page.
const PAGE: usize = 4096;

/// Chunks mapped from the kernel, counted.
#[derive(Debug, Default)]
pub struct MappedPages {
    bytes: Cell<usize>,
    /// Table chunks of [`HUGE`] bytes handed out and not given back.
    huge_chunks: Cell<usize>,
    /// What was given back and is still mapped.
    leaving: RefCell<Vec<Mapping>>,
    /// Set up when there are enough of them; `None` inside where no thread can be had.
    stock: OnceCell<Option<Stock>>,
}

impl MappedPages {
    /// A source that has handed out nothing.
    #[must_use]
    pub const fn new() -> Self {
        Self {
            bytes: Cell::new(0),
            huge_chunks: Cell::new(0),
            leaving: RefCell::new(Vec::new()),
            stock: OnceCell::new(),
        }
    }

    /// Bytes handed out and not given back.
    #[must_use]
    pub fn bytes(&self) -> usize {
        self.bytes.get()
    }

    /// A chunk of [`HUGE`] bytes at a multiple of that: a huge page if one is ready.
    fn huge(&self) -> Option<NonNull<u8>> {
        let in_use = self.huge_chunks.get();
        let stock = (in_use >= CHUNKS_BEFORE_STOCK)
            .then(|| self.stock.get_or_init(Stock::begin).as_ref())
            .flatten();
        let chunk = match stock.and_then(Stock::take) {
            Some(ready) => ready.into_inner(),
            None => map_aligned(HUGE)?,
        };
        Some(chunk)
    }

    /// The last that was given back of this size and kind. Not only the very last: where sizes
    /// alternate, as in a store that fills and empties within a turn, that would rarely do, and what is
    /// mapped would grow as long as the turn lasts. The kind matters for the advice on huge pages.
    fn take_leaving(&self, bytes: usize, kind: ChunkKind) -> Option<NonNull<u8>> {
        let mut leaving = self.leaving.borrow_mut();
        let fits = |one: &Mapping| one.bytes == bytes && one.kind == kind;
        let nth = leaving.iter().rposition(fits)?;
        Some(leaving.swap_remove(nth).at)
    }
}

/// Memory that nobody uses: where it begins, its bytes, whole pages, and what it was for.
#[derive(Debug)]
struct Mapping {
    at: NonNull<u8>,
    bytes: usize,
    kind: ChunkKind,
}

impl Drop for MappedPages {
    fn drop(&mut self) {
        self.settle(usize::MAX);
    }
}

/// A chunk of [`HUGE`] bytes that nobody uses; it is unmapped when it is dropped.
#[derive(Debug)]
struct Ready(NonNull<u8>);

// SAFETY: a mapping belongs to the process, and this is the only pointer to it.
unsafe impl Send for Ready {}

impl Ready {
    /// Maps a chunk, asks for a huge page, and touches all of it.
    fn make() -> Option<Self> {
        let at = map_aligned(HUGE)?;
        // SAFETY: the range is mapped; the advice changes no contents. Kernels without huge pages
        // refuse, which leaves ordinary ones.
        unsafe { libc::madvise(at.as_ptr().cast(), HUGE, libc::MADV_HUGEPAGE) };
        for offset in (0..HUGE).step_by(PAGE) {
            // SAFETY: the offset lies within the chunk.
            let page = unsafe { at.add(offset) };
            // SAFETY: the chunk is writable and nobody else has seen it.
            unsafe { page.write_volatile(0) };
        }
        Some(Self(at))
    }

    fn into_inner(self) -> NonNull<u8> {
        let at = self.0;
        std::mem::forget(self);
        at
    }
}

impl Drop for Ready {
    fn drop(&mut self) {
        // SAFETY: a whole chunk of `map_aligned`, of which nobody knows.
        unsafe { unmap(self.0, HUGE) };
    }
}

/// The thread that makes huge chunks ready, one at a time.
#[derive(Debug)]
struct Stock {
    /// `None` inside when there was no memory.
    ready: Receiver<Option<Ready>>,
    wanted: SyncSender<()>,
}

impl Stock {
    /// Starts the thread and orders the first chunk. It ends with this value.
    fn begin() -> Option<Self> {
        let (wanted, orders) = sync_channel(1);
        let (shelf, ready) = sync_channel(1);
        let account = Account::current();
        let work = move || {
            let _entered = account.enter();
            while orders.recv().is_ok() && shelf.send(Ready::make()).is_ok() {}
        };
        let thread = std::thread::Builder::new().name("huge-pages".to_owned());
        thread.spawn(work).ok()?;
        let stock = Self { ready, wanted };
        stock.order();
        Some(stock)
    }

    /// The chunk that is ready, if there is one. Once an order is answered the next one is placed.
    fn take(&self) -> Option<Ready> {
        let answer = self.ready.try_recv().ok()?;
        self.order();
        answer
    }

    fn order(&self) {
        // One order is outstanding at most, so there is room for it.
        let _is_placed = self.wanted.try_send(());
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
fn map_aligned(bytes: usize) -> Option<NonNull<u8>> {
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
    Some(at)
}

fn is_huge(bytes: usize, kind: ChunkKind) -> bool {
    kind == ChunkKind::Table && bytes == HUGE
}

// SAFETY: each chunk is a mapping of its own: page-aligned, readable, writable, exclusive.
unsafe impl PageSource for MappedPages {
    fn acquire(&self, bytes: usize, kind: ChunkKind) -> Option<NonNull<u8>> {
        assert!(bytes > 0, "a chunk has a size");
        let at = match self.take_leaving(bytes, kind) {
            Some(at) => at,
            None if is_huge(bytes, kind) => self.huge()?,
            None => map(bytes)?,
        };
        if is_huge(bytes, kind) {
            self.huge_chunks.set(self.huge_chunks.get() + 1);
        }
        self.bytes.set(self.bytes.get() + bytes);
        Some(at)
    }

    unsafe fn release(&self, ptr: NonNull<u8>, bytes: usize, kind: ChunkKind) {
        self.bytes.set(self.bytes.get() - bytes);
        if is_huge(bytes, kind) {
            self.huge_chunks.set(self.huge_chunks.get() - 1);
        }
        let at = ptr;
        let mapping = Mapping { at, bytes, kind };
        self.leaving.borrow_mut().push(mapping);
    }

    unsafe fn discard(&self, ptr: NonNull<u8>, bytes: usize) {
        // SAFETY: the caller does not miss the contents; a kernel that refuses leaves them there.
        unsafe { libc::madvise(ptr.as_ptr().cast(), bytes, libc::MADV_DONTNEED) };
    }

    fn settle(&self, mut bytes: usize) -> bool {
        let mut leaving = self.leaving.borrow_mut();
        while bytes >= PAGE
            && let Some(last) = leaving.last_mut()
        {
            let part = last.bytes.min(bytes / PAGE * PAGE);
            (last.bytes, bytes) = (last.bytes - part, bytes - part);
            // SAFETY: what is left and this part are the mapping's bytes.
            let at = unsafe { last.at.add(last.bytes) };
            if last.bytes == 0 {
                leaving.pop();
            }
            // SAFETY: the end of a mapping that was given back, and is counted as gone.
            unsafe { unmap(at, part) };
        }
        !leaving.is_empty()
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn what_is_given_back_serves_again_or_goes_piece_by_piece() {
        let pages = MappedPages::new();
        let at = pages.acquire(16 * PAGE, ChunkKind::Records).unwrap();
        // SAFETY: just acquired so, and not used.
        unsafe { pages.release(at, 16 * PAGE, ChunkKind::Records) };
        assert_eq!(pages.bytes(), 0, "it counts as given back");
        assert_eq!(pages.acquire(16 * PAGE, ChunkKind::Records), Some(at));
        // SAFETY: as before.
        unsafe { pages.release(at, 16 * PAGE, ChunkKind::Records) };
        assert!(pages.settle(6 * PAGE + 9), "ten pages are left");
        let other = pages.acquire(16 * PAGE, ChunkKind::Records).unwrap();
        assert!(pages.settle(9 * PAGE));
        assert!(!pages.settle(PAGE), "that was the last");
        // SAFETY: as before.
        unsafe { pages.release(other, 16 * PAGE, ChunkKind::Records) };
        assert!(!pages.settle(usize::MAX));
    }

    #[test]
    fn what_is_given_back_serves_its_size_and_kind_in_any_order() {
        let pages = MappedPages::new();
        let wanted = [
            (16 * PAGE, ChunkKind::Records),
            (HUGE, ChunkKind::Records),
            (HUGE, ChunkKind::Table),
        ];
        let first = wanted.map(|(bytes, kind)| pages.acquire(bytes, kind).unwrap());
        for _ in 0..3 {
            for (at, (bytes, kind)) in first.into_iter().zip(wanted) {
                // SAFETY: just acquired so, and not used.
                unsafe { pages.release(at, bytes, kind) };
            }
            let again = wanted.map(|(bytes, kind)| pages.acquire(bytes, kind).unwrap());
            assert_eq!(again, first);
            assert!(!pages.settle(PAGE), "nothing else is mapped");
        }
        for (at, (bytes, kind)) in first.into_iter().zip(wanted) {
            // SAFETY: as before.
            unsafe { pages.release(at, bytes, kind) };
        }
        assert!(!pages.settle(usize::MAX));
    }

    #[test]
    fn behind_a_number_of_chunks_the_next_one_is_made_ready() {
        let pages = MappedPages::new();
        let take = || pages.acquire(HUGE, ChunkKind::Table).unwrap();
        let mut taken: Vec<_> = (0..CHUNKS_BEFORE_STOCK).map(|_| take()).collect();
        assert!(pages.stock.get().is_none());
        taken.push(take());
        let stock = pages.stock.get().unwrap().as_ref().unwrap();
        let ready = stock.ready.recv().unwrap().unwrap();
        assert!(ready.0.addr().get().is_multiple_of(HUGE));
        assert!(!taken.contains(&ready.0));
        drop(ready);
        for at in taken {
            // SAFETY: it is given back as it was taken.
            unsafe { pages.release(at, HUGE, ChunkKind::Table) };
        }
        assert_eq!(pages.huge_chunks.get(), 0);
    }

    #[test]
    fn what_is_discarded_is_the_range_and_can_be_used_again() {
        let pages = MappedPages::new();
        let at = pages.acquire(4 * PAGE, ChunkKind::Records).unwrap();
        // SAFETY: the chunk is writable to its last byte.
        unsafe { at.as_ptr().write_bytes(7, 4 * PAGE) };
        // SAFETY: the second page lies within the chunk.
        let second = unsafe { at.add(PAGE) };
        // SAFETY: it is a whole page of this source, of which nothing is expected any more.
        unsafe { pages.discard(second, PAGE) };
        // SAFETY: the chunk can be read to its last byte.
        let bytes = unsafe { std::slice::from_raw_parts_mut(at.as_ptr(), 4 * PAGE) };
        let kept: Vec<bool> = bytes.chunks(PAGE).map(|page| page == [7; PAGE]).collect();
        assert_eq!(kept, [true, false, true, true]);
        bytes[PAGE] = 1;
        // SAFETY: it is given back as it was taken.
        unsafe { pages.release(at, 4 * PAGE, ChunkKind::Records) };
    }

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
