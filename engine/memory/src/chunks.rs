//! A pool of equal cells, carved from chunks of a page source.
//!
//! Shape: chunks by address, each with the cells freed in it; the oldest chunk with a free cell
//! serves first, so that young ones can empty and be given back.
//! Invariants: 1. a chunk is open exactly when it has a free cell. 2. At most one chunk is empty.
//! Cost: O(log chunks) for each operation; cells are slab pages and segments, so few.
//! The order in which cells are handed out does not depend on addresses.

use std::collections::{BTreeMap, BTreeSet};
use std::ptr::NonNull;
use std::rc::Rc;

use crate::pages::{ChunkKind, HeapPages, PageSource};

const CHUNK_BYTES_MIN: usize = 64 << 10;
const CHUNK_BYTES_MAX: usize = 2 << 20;

#[derive(Debug)]
struct Chunk {
    base: NonNull<u8>,
    bytes: usize,
    /// Counts acquisitions of the pool; the lowest serves first.
    age: u64,
    used: usize,
    /// Cells from here on have never been handed out.
    fresh: usize,
    free: Vec<usize>,
}

/// A pool of cells of one size.
pub(crate) struct CellPool {
    source: Rc<dyn PageSource>,
    kind: ChunkKind,
    cell_bytes: usize,
    chunks: BTreeMap<usize, Chunk>,
    /// Age and address of the chunks with a free cell.
    open: BTreeSet<(u64, usize)>,
    /// Address of the empty chunk that is kept against flutter.
    spare: Option<usize>,
    acquired: u64,
    chunk_bytes: usize,
    used: usize,
}

impl CellPool {
    pub(crate) fn new(source: Rc<dyn PageSource>, kind: ChunkKind, cell_bytes: usize) -> Self {
        Self {
            source,
            kind,
            cell_bytes,
            chunks: BTreeMap::new(),
            open: BTreeSet::new(),
            spare: None,
            acquired: 0,
            chunk_bytes: 0,
            used: 0,
        }
    }

    /// Where the chunks come from.
    pub(crate) fn source(&self) -> &Rc<dyn PageSource> {
        &self.source
    }

    /// Bytes held from the source.
    pub(crate) fn chunk_bytes(&self) -> usize {
        self.chunk_bytes
    }

    /// Bytes of the cells that are handed out.
    pub(crate) fn used_bytes(&self) -> usize {
        self.used * self.cell_bytes
    }

    /// Hands out a cell: `cell_bytes` bytes of any contents, exclusively the caller's.
    pub(crate) fn take(&mut self) -> NonNull<u8> {
        let (age, address) = match self.open.first() {
            Some(&open) => open,
            None => self.acquire(),
        };
        let chunk = self
            .chunks
            .get_mut(&address)
            .expect("an open chunk is a chunk");
        let cell = chunk.free.pop().unwrap_or_else(|| {
            chunk.fresh += 1;
            chunk.fresh - 1
        });
        chunk.used += 1;
        self.used += 1;
        if chunk.used * self.cell_bytes + self.cell_bytes > chunk.bytes {
            self.open.remove(&(age, address));
        }
        if self.spare == Some(address) {
            self.spare = None;
        }
        // SAFETY: an open chunk has a cell of this number, wholly inside its bytes.
        unsafe { chunk.base.add(cell * self.cell_bytes) }
    }

    fn acquire(&mut self) -> (u64, usize) {
        let wanted = (self.chunk_bytes / 4).next_power_of_two();
        let bytes = wanted.clamp(CHUNK_BYTES_MIN, CHUNK_BYTES_MAX);
        let base = self
            .source
            .acquire(bytes, self.kind)
            .unwrap_or_else(|| std::alloc::handle_alloc_error(HeapPages::layout(bytes)));
        let (age, address) = (self.acquired, base.addr().get());
        self.acquired += 1;
        self.chunk_bytes += bytes;
        let chunk = Chunk {
            base,
            bytes,
            age,
            used: 0,
            fresh: 0,
            free: Vec::new(),
        };
        self.chunks.insert(address, chunk);
        self.open.insert((age, address));
        (age, address)
    }

    /// Takes a cell back.
    ///
    /// # Safety
    ///
    /// `cell` came from `take` of this pool, was not given back since, and nobody uses it any more.
    pub(crate) unsafe fn give(&mut self, cell: NonNull<u8>) {
        let at = cell.addr().get();
        let found = self.chunks.range_mut(..=at).next_back();
        let (&address, chunk) = found.expect("a cell lies in a chunk of its pool");
        debug_assert!(
            at < address + chunk.bytes,
            "a cell lies in a chunk of its pool"
        );
        chunk.free.push((at - address) / self.cell_bytes);
        chunk.used -= 1;
        self.used -= 1;
        self.open.insert((chunk.age, address));
        if chunk.used > 0 {
            return;
        }
        match self.spare {
            // SAFETY: no cell of the chunk is handed out.
            Some(_) => unsafe { self.release(address) },
            None => self.spare = Some(address),
        }
    }

    /// Gives a chunk back to the source.
    ///
    /// # Safety
    ///
    /// Nobody uses its cells any more.
    unsafe fn release(&mut self, address: usize) {
        let chunk = self
            .chunks
            .remove(&address)
            .expect("only chunks are released");
        self.open.remove(&(chunk.age, address));
        self.chunk_bytes -= chunk.bytes;
        // SAFETY: the chunk was acquired with these bytes and this kind; its cells are unused.
        unsafe { self.source.release(chunk.base, chunk.bytes, self.kind) }
    }

    /// Gives all chunks back.
    ///
    /// # Safety
    ///
    /// Nobody uses any cell any more.
    pub(crate) unsafe fn clear(&mut self) {
        let addresses: Vec<usize> = self.chunks.keys().copied().collect();
        for address in addresses {
            // SAFETY: the caller promises that all cells are unused.
            unsafe { self.release(address) }
        }
        self.spare = None;
        self.used = 0;
    }

    /// Asserts the invariants.
    pub(crate) fn check(&self) {
        let cells = |chunk: &Chunk| chunk.bytes / self.cell_bytes;
        for (&address, chunk) in &self.chunks {
            let open = self.open.contains(&(chunk.age, address));
            assert_eq!(open, chunk.used < cells(chunk), "open means a free cell");
            assert_eq!(
                chunk.used + chunk.free.len(),
                chunk.fresh,
                "cells are used or free"
            );
            assert_eq!(
                chunk.used == 0,
                self.spare == Some(address),
                "one empty chunk at most"
            );
        }
        assert!(
            self.open.len() <= self.chunks.len(),
            "open chunks are chunks"
        );
        assert_eq!(
            self.used,
            self.chunks.values().map(|c| c.used).sum::<usize>()
        );
        assert_eq!(
            self.chunk_bytes,
            self.chunks.values().map(|c| c.bytes).sum::<usize>()
        );
    }
}

impl Drop for CellPool {
    fn drop(&mut self) {
        // SAFETY: the pool's owner uses no cell after dropping the pool.
        unsafe { self.clear() }
    }
}
