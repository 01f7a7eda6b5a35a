//! All records of a slab in the order in which they lie in memory.
//!
//! Shape: pages by number, of each the cells by address; which of them are free is found by following
//! the page's list into a bitmap. Large records come last. The order does not depend on addresses.
//! Cost: memory is read forwards and asked for ahead, so that a record costs no wait for memory; a
//! page with freed cells costs one more pass over these.

use std::ptr::NonNull;

use super::{EntryId, LARGE, NO_CELL, Page, Slab, TIERS, UNIT, cell_bytes};
use crate::hash::{low_u16, low_u32};
use crate::pages::{PAGE_BYTES, PageSource};
use crate::prefetch::line;

/// How far ahead of the record in hand memory is asked for, in bytes.
const AHEAD: usize = 512;
const WORDS: usize = TIERS[2] / UNIT / 64;

/// One bit for each unit of a page: whether a freed cell begins there.
#[derive(Debug)]
struct Freed {
    bits: [u64; WORDS],
    is_clear: bool,
}

impl Freed {
    fn new() -> Self {
        Self {
            bits: [0; WORDS],
            is_clear: true,
        }
    }

    #[inline]
    fn contains(&self, unit: u16) -> bool {
        let unit = usize::from(unit);
        self.bits[unit / 64] >> (unit % 64) & 1 == 1
    }

    /// Takes the list of `page`, which lies at `base`.
    ///
    /// # Safety
    ///
    /// The page is one of a slab, and nobody writes it meanwhile.
    unsafe fn fill(&mut self, page: &Page, base: NonNull<u8>) {
        if !self.is_clear {
            self.bits.fill(0);
        }
        self.is_clear = page.free == NO_CELL;
        let mut unit = page.free;
        while unit != NO_CELL {
            let at = usize::from(unit);
            self.bits[at / 64] |= 1 << (at % 64);
            // SAFETY: units of a page's list lie inside the page.
            let cell = unsafe { base.add(at * UNIT) };
            // SAFETY: a freed cell holds the link to the next one, and cells are aligned to 4.
            unit = unsafe { cell.cast::<u16>().read() };
        }
    }
}

impl Slab {
    /// Shows `visit` the name and address of every record, until it fails.
    pub(crate) fn each<E>(
        &self,
        visit: &mut impl FnMut(EntryId, NonNull<u8>) -> Result<(), E>,
    ) -> Result<(), E> {
        let mut freed = Freed::new();
        for number in self.small_pages() {
            // SAFETY: the number is that of a page with cells.
            unsafe { self.each_of(number, &mut freed, visit)? }
        }
        for number in self.large_pages() {
            visit(EntryId::new(number, 0), self.addresses[number as usize])?;
        }
        Ok(())
    }

    /// The same, but the memory of records is given up to `source` once they have been shown.
    ///
    /// # Safety
    ///
    /// No record is read after `visit` has returned from it; no handle is used any more.
    pub(crate) unsafe fn each_giving_up<E>(
        &self,
        source: &dyn PageSource,
        visit: &mut impl FnMut(EntryId, NonNull<u8>) -> Result<(), E>,
    ) -> Result<(), E> {
        let mut freed = Freed::new();
        for number in self.small_pages() {
            // SAFETY: the number is that of a page with cells.
            unsafe { self.each_of(number, &mut freed, visit)? }
            let page = &self.pages[number as usize];
            let bytes = TIERS[usize::from(page.tier)];
            // SAFETY: the slab's page is whole pages of its source, and all its records were shown.
            unsafe { source.discard(self.addresses[number as usize], bytes) }
        }
        for number in self.large_pages() {
            let at = self.addresses[number as usize];
            visit(EntryId::new(number, 0), at)?;
            let bytes = self.pages[number as usize].block_bytes;
            let before = at.addr().get().next_multiple_of(PAGE_BYTES) - at.addr().get();
            let whole = bytes.saturating_sub(before) / PAGE_BYTES * PAGE_BYTES;
            if whole > 0 {
                // SAFETY: `before` is less than the bytes of the block.
                let inner = unsafe { at.add(before) };
                // SAFETY: whole pages inside a block that was shown and is used no more.
                unsafe { source.discard(inner, whole) }
            }
        }
        Ok(())
    }

    /// The numbers of the pages that have live cells.
    fn small_pages(&self) -> impl Iterator<Item = u32> {
        let is_small = |page: &Page| page.live > 0 && page.class != LARGE;
        self.numbers(is_small)
    }

    /// The numbers of the large records.
    fn large_pages(&self) -> impl Iterator<Item = u32> {
        self.numbers(|page: &Page| page.live > 0 && page.class == LARGE)
    }

    fn numbers(&self, is_one: impl Fn(&Page) -> bool) -> impl Iterator<Item = u32> {
        // Number 0 names no page, and its entry is a copy of another's.
        let pages = self.pages.iter().enumerate().skip(1);
        pages
            .filter(move |(_, page)| is_one(page))
            .map(|(number, _)| low_u32(number as u64))
    }

    /// Shows the records of one page.
    ///
    /// # Safety
    ///
    /// `number` is that of a page with cells.
    unsafe fn each_of<E>(
        &self,
        number: u32,
        freed: &mut Freed,
        visit: &mut impl FnMut(EntryId, NonNull<u8>) -> Result<(), E>,
    ) -> Result<(), E> {
        let page = &self.pages[number as usize];
        let base = self.addresses[number as usize];
        // Where the walk goes on, as a rule; asking for an address that is none does no harm.
        let following = self.addresses.get(number as usize + 1);
        let following = following.map_or(base, |next| *next).as_ptr();
        // SAFETY: the page is one of this slab, which is borrowed.
        unsafe { freed.fill(page, base) }
        let cell = cell_bytes(usize::from(page.class));
        let (step, used) = (low_u16(cell / UNIT), usize::from(page.fresh) * UNIT);
        let mut unit = 0;
        while unit < page.fresh {
            let offset = usize::from(unit) * UNIT;
            line(match (offset + AHEAD).checked_sub(used) {
                None => base.as_ptr().wrapping_add(offset + AHEAD),
                Some(beyond) => following.wrapping_add(beyond),
            });
            if !freed.contains(unit) {
                // SAFETY: cells that were handed out lie inside the page.
                let at = unsafe { base.add(offset) };
                visit(EntryId::new(number, unit), at)?;
            }
            unit += step;
        }
        Ok(())
    }
}
