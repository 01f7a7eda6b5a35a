//! Slabs of size classes for records, named by handles.
//!
//! Shape: pages of 4, 16 or 64 KiB, each of one class, with a list of freed cells threaded through
//! the cells themselves; a table from page number to address. A handle is the page's number and the
//! offset in units of four bytes. A record too large for a class has a heap block of its own and a
//! page number of its own, so that every handle is resolved alike.
//! Invariants: 1. a page with free cells and live ones is in its class's list, no other. 2. A page
//! without live cells does not exist; its number is free, and its entry says that it has none.
//! Cost: O(1) to allocate, free and resolve, but for a new page (O(log chunks)).
//! Classes: steps of 4 bytes to 128, then sixteen steps per doubling to 16 KiB.

mod walk;

use std::alloc::Layout;
use std::ptr::NonNull;
use std::rc::Rc;

use crate::chunks::CellPool;
use crate::hash::{index, low_byte, low_u16, low_u32};
use crate::pages::{ChunkKind, PageSource};
use crate::steps::heap_bytes;

/// The name of a record: stable until the record is removed or changes its size.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash, PartialOrd, Ord)]
pub struct EntryId(u64);

impl EntryId {
    /// How many bits are significant.
    pub const BITS: u32 = 38;

    /// The number itself, below 2^38 and not 0.
    #[inline]
    pub fn get(self) -> u64 {
        self.0
    }

    #[inline]
    pub(crate) fn from_bits(bits: u64) -> Self {
        Self(bits)
    }

    #[inline]
    fn new(page: u32, unit: u16) -> Self {
        Self((u64::from(page) << PAGE_SHIFT) | u64::from(unit))
    }

    #[inline]
    fn page(self) -> usize {
        index(self.0 >> PAGE_SHIFT)
    }

    #[inline]
    fn unit(self) -> usize {
        index(self.0 & ((1 << PAGE_SHIFT) - 1))
    }
}

const UNIT: usize = 4;
const PAGE_SHIFT: u32 = 14;
const PAGES_MAX: usize = 1 << (EntryId::BITS - PAGE_SHIFT);
const CLASSES: usize = 32 + 7 * 16;
/// The largest record that lives in a slab.
pub(crate) const CELL_BYTES_MAX: usize = 16 << 10;
const LARGE: u8 = u8::MAX;
const LARGE_ALIGN: usize = 8;
const NO_CELL: u16 = u16::MAX;
const NO_PAGE: u32 = 0;
const TIERS: [usize; 3] = [4 << 10, 16 << 10, 64 << 10];
/// A class gets pages of a tier until it holds this many bytes.
const TIER_ENDS: [usize; 2] = [16 << 10, 128 << 10];

/// The class of records of `bytes` bytes.
#[inline]
fn class_of(bytes: usize) -> usize {
    debug_assert!((1..=CELL_BYTES_MAX).contains(&bytes), "the slab's sizes");
    if bytes <= 128 {
        return (bytes - 1) / UNIT;
    }
    let doubling = (bytes - 1).ilog2() - 7;
    32 + index(u64::from(doubling)) * 16 + ((bytes - 1) >> (doubling + 3)) - 16
}

/// The bytes of a cell of `class`.
#[inline]
fn cell_bytes(class: usize) -> usize {
    if class < 32 {
        return (class + 1) * UNIT;
    }
    let (doubling, step) = ((class - 32) / 16, (class - 32) % 16);
    (17 + step) << (doubling + 3)
}

#[derive(Clone, Copy, Debug)]
struct Page {
    class: u8,
    tier: u8,
    /// First freed cell, in units from the page's start.
    free: u16,
    /// First cell never used, and the end of the last cell, in units.
    fresh: u16,
    end: u16,
    live: u16,
    previous: u32,
    next: u32,
    /// For a large record: the bytes of its heap block.
    block_bytes: usize,
}

impl Page {
    #[inline]
    fn is_full(&self) -> bool {
        self.free == NO_CELL && self.fresh == self.end
    }
}

#[derive(Clone, Copy, Debug, Default)]
struct Class {
    /// The first page with a free cell.
    head: u32,
    /// Bytes of all its pages, in units of 4 KiB.
    held: u32,
}

/// Whether a large record is expected to grow again.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum Room {
    Exact,
    ToGrow,
}

/// The slabs of one store.
pub(crate) struct Slab {
    addresses: Vec<NonNull<u8>>,
    pages: Vec<Page>,
    free_pages: Vec<u32>,
    classes: [Class; CLASSES],
    pools: [CellPool; 3],
    live: usize,
    live_bytes: usize,
    large: usize,
    large_bytes: usize,
}

impl Slab {
    pub(crate) fn new(source: &Rc<dyn PageSource>) -> Self {
        Self {
            addresses: Vec::new(),
            pages: Vec::new(),
            free_pages: Vec::new(),
            classes: [Class::default(); CLASSES],
            pools: TIERS.map(|bytes| CellPool::new(source.clone(), ChunkKind::Records, bytes)),
            live: 0,
            live_bytes: 0,
            large: 0,
            large_bytes: 0,
        }
    }

    /// Number of records.
    pub(crate) fn live(&self) -> usize {
        self.live
    }

    /// Bytes of the records' cells and blocks.
    pub(crate) fn live_bytes(&self) -> usize {
        self.live_bytes
    }

    /// Number and bytes of the records with a heap block of their own.
    pub(crate) fn large(&self) -> (usize, usize) {
        (self.large, self.large_bytes)
    }

    /// Bytes of slab pages in use.
    pub(crate) fn page_bytes(&self) -> usize {
        self.pools.iter().map(CellPool::used_bytes).sum()
    }

    /// Bytes held from the source.
    pub(crate) fn chunk_bytes(&self) -> usize {
        self.pools.iter().map(CellPool::chunk_bytes).sum()
    }

    /// Where the record `id` lies.
    ///
    /// # Safety
    ///
    /// `id` is live in this slab.
    #[inline]
    pub(crate) unsafe fn address(&self, id: EntryId) -> NonNull<u8> {
        debug_assert!(
            id.page() < self.addresses.len(),
            "a live handle names a page"
        );
        // SAFETY: the page of a live handle is in the table.
        let page = unsafe { *self.addresses.get_unchecked(id.page()) };
        // SAFETY: a live handle's offset lies inside its page.
        unsafe { page.add(id.unit() * UNIT) }
    }

    /// The bytes that `id` occupies, its class's or its block's.
    #[inline]
    pub(crate) fn capacity(&self, id: EntryId) -> usize {
        let page = &self.pages[id.page()];
        match page.class {
            LARGE => page.block_bytes,
            class => cell_bytes(usize::from(class)),
        }
    }

    /// The bytes that go for `id`: its block's, or its share of its page.
    pub(crate) fn footprint(&self, id: EntryId) -> usize {
        let page = &self.pages[id.page()];
        match page.class {
            LARGE => heap_bytes(page.block_bytes) + size_of::<Page>() + size_of::<NonNull<u8>>(),
            class => {
                let cells_bytes = usize::from(page.end) * UNIT;
                TIERS[usize::from(page.tier)] * cell_bytes(usize::from(class)) / cells_bytes
            }
        }
    }

    /// Whether the record `id` should stay where it is when it goes from `old` to `new` bytes.
    #[inline]
    pub(crate) fn stays(&self, id: EntryId, old: usize, new: usize) -> bool {
        if old.max(new) <= CELL_BYTES_MAX {
            return class_of(old) == class_of(new);
        }
        let capacity = self.capacity(id);
        old.min(new) > CELL_BYTES_MAX && (capacity / 2..=capacity).contains(&new)
    }

    /// Allocates a record of `bytes` bytes (not 0).
    #[inline]
    pub(crate) fn allocate(&mut self, bytes: usize, room: Room) -> (EntryId, NonNull<u8>) {
        self.live += 1;
        if bytes > CELL_BYTES_MAX {
            return self.allocate_large(bytes, room);
        }
        let class = class_of(bytes);
        if self.classes[class].head == NO_PAGE {
            self.open_page(class);
        }
        let number = self.classes[class].head;
        let cell = cell_bytes(class);
        self.live_bytes += cell;
        let page = &mut self.pages[number as usize];
        let unit = if page.free == NO_CELL {
            page.fresh += low_u16(cell / UNIT);
            page.fresh - low_u16(cell / UNIT)
        } else {
            page.free
        };
        page.live += 1;
        // SAFETY: the page exists and the unit lies in it.
        let at = unsafe { self.addresses[number as usize].add(usize::from(unit) * UNIT) };
        if page.free != NO_CELL {
            // SAFETY: a freed cell holds the link to the next one, and cells are aligned to 4.
            page.free = unsafe { at.cast::<u16>().read() };
        }
        if page.is_full() {
            self.unlink(number);
        }
        (EntryId::new(number, unit), at)
    }

    /// Frees the record `id`.
    ///
    /// # Safety
    ///
    /// `id` is live in this slab; it is no longer used after this.
    #[inline]
    pub(crate) unsafe fn free(&mut self, id: EntryId) {
        self.live -= 1;
        let page = &mut self.pages[id.page()];
        if page.class == LARGE {
            // SAFETY: as promised by the caller.
            return unsafe { self.free_large(id) };
        }
        let was_full = page.is_full();
        // SAFETY: the cell is inside its page.
        let cell = unsafe { self.addresses[id.page()].add(id.unit() * UNIT) };
        // SAFETY: the cell is live, so it is ours to write; cells are aligned to 4.
        unsafe { cell.cast::<u16>().write(page.free) }
        page.free = low_u16(id.unit());
        page.live -= 1;
        self.live_bytes -= cell_bytes(usize::from(page.class));
        let (number, is_empty) = (low_u32(id.page() as u64), page.live == 0);
        if is_empty {
            if !was_full {
                self.unlink(number);
            }
            self.close_page(number);
        } else if was_full {
            self.link(number);
        }
    }

    fn link(&mut self, number: u32) {
        let class = &mut self.classes[usize::from(self.pages[number as usize].class)];
        let next = std::mem::replace(&mut class.head, number);
        if next != NO_PAGE {
            self.pages[next as usize].previous = number;
        }
        let page = &mut self.pages[number as usize];
        (page.previous, page.next) = (NO_PAGE, next);
    }

    fn unlink(&mut self, number: u32) {
        let page = self.pages[number as usize];
        if page.previous == NO_PAGE {
            self.classes[usize::from(page.class)].head = page.next;
        } else {
            self.pages[page.previous as usize].next = page.next;
        }
        if page.next != NO_PAGE {
            self.pages[page.next as usize].previous = page.previous;
        }
    }

    fn open_page(&mut self, class: usize) {
        let cell = cell_bytes(class);
        let held = self.classes[class].held as usize * TIERS[0];
        let by_held = TIER_ENDS.iter().filter(|&&end| held >= end).count();
        let by_cell = TIERS.iter().filter(|&&bytes| bytes < 4 * cell).count();
        let tier = by_held.max(by_cell).min(2);
        let units = TIERS[tier] / cell * cell / UNIT;
        let page = Page {
            class: low_byte(class as u64),
            tier: low_byte(tier as u64),
            free: NO_CELL,
            fresh: 0,
            end: low_u16(units),
            live: 0,
            previous: NO_PAGE,
            next: NO_PAGE,
            block_bytes: 0,
        };
        self.classes[class].held += low_u32((TIERS[tier] / TIERS[0]) as u64);
        let address = self.pools[tier].take();
        let number = self.number(address, page);
        self.link(number);
    }

    fn close_page(&mut self, number: u32) {
        let page = self.pages[number as usize];
        let tier = usize::from(page.tier);
        self.classes[usize::from(page.class)].held -= low_u32((TIERS[tier] / TIERS[0]) as u64);
        // SAFETY: the page came from this pool and has no live cell.
        unsafe { self.pools[tier].give(self.addresses[number as usize]) }
        self.addresses[number as usize] = NonNull::dangling();
        self.free_pages.push(number);
    }

    /// Enters a page in the table, under a number that may have been used before.
    fn number(&mut self, address: NonNull<u8>, page: Page) -> u32 {
        if let Some(number) = self.free_pages.pop() {
            self.addresses[number as usize] = address;
            self.pages[number as usize] = page;
            return number;
        }
        if self.pages.is_empty() {
            // Number 0 names no page, so that no handle is 0.
            self.addresses.push(NonNull::dangling());
            self.pages.push(page);
        }
        assert!(
            self.pages.len() < PAGES_MAX,
            "handles name a TiB of records"
        );
        self.addresses.push(address);
        self.pages.push(page);
        low_u32(self.pages.len() as u64 - 1)
    }

    #[cold]
    fn allocate_large(&mut self, bytes: usize, room: Room) -> (EntryId, NonNull<u8>) {
        let block_bytes = match room {
            Room::Exact => bytes.next_multiple_of(LARGE_ALIGN),
            Room::ToGrow => (bytes + bytes.min(1 << 20)).next_multiple_of(LARGE_ALIGN),
        };
        let layout = large_layout(block_bytes);
        // SAFETY: the layout's size is not zero.
        let block = unsafe { std::alloc::alloc(layout) };
        let address = NonNull::new(block).unwrap_or_else(|| std::alloc::handle_alloc_error(layout));
        self.large += 1;
        self.large_bytes += block_bytes;
        self.live_bytes += block_bytes;
        let page = Page {
            class: LARGE,
            tier: 0,
            free: NO_CELL,
            fresh: 0,
            end: 0,
            live: 1,
            previous: NO_PAGE,
            next: NO_PAGE,
            block_bytes,
        };
        (EntryId::new(self.number(address, page), 0), address)
    }

    /// # Safety
    ///
    /// `id` is a live large record.
    #[cold]
    unsafe fn free_large(&mut self, id: EntryId) {
        let page = &mut self.pages[id.page()];
        let block_bytes = page.block_bytes;
        page.live = 0;
        let address = std::mem::replace(&mut self.addresses[id.page()], NonNull::dangling());
        self.large -= 1;
        self.large_bytes -= block_bytes;
        self.live_bytes -= block_bytes;
        self.free_pages.push(low_u32(id.page() as u64));
        // SAFETY: the block was allocated with this layout and its only user is gone.
        unsafe { std::alloc::dealloc(address.as_ptr(), large_layout(block_bytes)) }
    }

    /// Gives all pages back at once.
    ///
    /// # Safety
    ///
    /// No handle is used any more; large records were freed one by one before.
    pub(crate) unsafe fn clear(&mut self) {
        debug_assert_eq!(self.large, 0, "large records are freed one by one");
        // SAFETY: the caller's promise.
        unsafe { self.forget() }
    }

    /// The same, but leaks what large records there are.
    ///
    /// # Safety
    ///
    /// No handle is used any more.
    pub(crate) unsafe fn forget(&mut self) {
        self.addresses = Vec::new();
        self.pages = Vec::new();
        self.free_pages = Vec::new();
        self.classes = [Class::default(); CLASSES];
        for pool in &mut self.pools {
            // SAFETY: the caller promises that no handle is used any more.
            unsafe { pool.clear() }
        }
        (self.live, self.live_bytes, self.large, self.large_bytes) = (0, 0, 0, 0);
    }

    /// Asserts the invariants.
    pub(crate) fn check(&self) {
        self.pools.iter().for_each(CellPool::check);
        for (class, state) in self.classes.iter().enumerate() {
            let (mut number, mut previous) = (state.head, NO_PAGE);
            while number != NO_PAGE {
                let page = &self.pages[number as usize];
                assert_eq!(usize::from(page.class), class, "a list is of one class");
                assert_eq!(page.previous, previous, "lists are linked both ways");
                assert!(!page.is_full() && page.live > 0, "a listed page has both");
                (previous, number) = (number, page.next);
            }
        }
        let free: std::collections::BTreeSet<u32> = self.free_pages.iter().copied().collect();
        let (mut live, mut bytes) = (0, 0);
        for (number, page) in self.pages.iter().enumerate().skip(1) {
            let is_free = free.contains(&low_u32(number as u64));
            assert_eq!(is_free, page.live == 0, "a page without records is none");
            if is_free {
                continue;
            }
            let cells = usize::from(page.live);
            live += cells;
            bytes += match page.class {
                LARGE => page.block_bytes,
                class => cells * cell_bytes(usize::from(class)),
            };
        }
        assert_eq!(
            (live, bytes),
            (self.live, self.live_bytes),
            "records of pages"
        );
    }
}

fn large_layout(bytes: usize) -> Layout {
    Layout::from_size_align(bytes, LARGE_ALIGN).expect("a record is smaller than the address space")
}

#[cfg(test)]
mod tests {
    use super::{CELL_BYTES_MAX, CLASSES, cell_bytes, class_of};

    #[test]
    fn every_size_has_the_smallest_class_that_holds_it() {
        for bytes in 1..=CELL_BYTES_MAX {
            let class = class_of(bytes);
            assert!(class < CLASSES && cell_bytes(class) >= bytes);
            assert!(class == 0 || cell_bytes(class - 1) < bytes);
        }
    }
}
