//! One bucket: seven slots, their fingerprints and two counts, in one cache line.

use std::cell::Cell;

use super::BUCKET_SLOTS;
use crate::hash::{Probe, Slot, index, low_byte};
use crate::slab::EntryId;

const LOW_BITS: u64 = 0x0001_0101_0101_0101;
const HIGH_BITS: u64 = 0x0080_8080_8080_8080;
/// Where in the eighth word the number of items in the next bucket is.
pub(super) const NEAR_SHIFT: u32 = 56;
/// Where in the eighth word the number of items in the stash is.
pub(super) const FAR_SHIFT: u32 = 59;

/// Seven slots, and a word of seven fingerprints and the two overflow counts.
#[repr(C, align(64))]
pub(super) struct Bucket {
    pub(super) words: [Cell<u64>; 8],
}

impl Bucket {
    #[inline]
    pub(super) fn meta(&self) -> u64 {
        self.words[7].get()
    }

    #[inline]
    pub(super) fn slot(&self, slot: usize) -> Slot {
        Slot(self.words[slot & 7].get())
    }

    #[inline]
    pub(super) fn tag(&self, slot: usize) -> u8 {
        low_byte(self.meta() >> (8 * (slot & 7)))
    }

    #[inline]
    pub(super) fn put(&self, slot: usize, item: Slot, tag: u8) {
        self.words[slot & 7].set(item.0);
        let shift = 8 * (slot & 7);
        let others = self.meta() & !(0xff << shift);
        self.words[7].set(others | (u64::from(tag) << shift));
    }

    /// The slots whose fingerprint may be `tag`, as the high bits of their bytes; a false one is
    /// possible above a true one.
    #[inline]
    pub(super) fn matches(&self, tag: u8) -> u64 {
        let x = self.meta() ^ (u64::from(tag) * LOW_BITS);
        x.wrapping_sub(LOW_BITS) & !x & HIGH_BITS
    }

    #[inline]
    pub(super) fn free_slot(&self) -> Option<usize> {
        (0..BUCKET_SLOTS).find(|&slot| self.words[slot].get() == 0)
    }

    /// The slot of `probe` that `is_key` accepts.
    #[inline]
    pub(super) fn find(
        &self,
        probe: Probe,
        is_key: &mut impl FnMut(EntryId) -> bool,
    ) -> Option<usize> {
        let check = probe.check();
        let mut hits = self.matches(probe.tag());
        while hits != 0 {
            let slot = index(u64::from(hits.trailing_zeros() / 8));
            let item = self.slot(slot);
            if item.agrees(check) && is_key(item.id()) {
                return Some(slot);
            }
            hits &= hits - 1;
        }
        None
    }

    /// Whether any item of this home is elsewhere.
    #[inline]
    pub(super) fn has_away(&self) -> bool {
        self.meta() >> NEAR_SHIFT != 0
    }

    /// How many items of this home are in the next bucket.
    #[inline]
    pub(super) fn near(&self) -> u64 {
        (self.meta() >> NEAR_SHIFT) & 7
    }

    /// How many items of this home are in the stash.
    #[inline]
    pub(super) fn far(&self) -> u64 {
        self.meta() >> FAR_SHIFT
    }

    /// The full slots whose prefix has a 1 at `bit`, as a set of bits.
    #[inline]
    pub(super) fn choose(&self, bit: u32) -> u8 {
        let tags = self.meta();
        (0..BUCKET_SLOTS).fold(0, |chosen, slot| {
            let item = self.slot(slot);
            let is_one = item.prefix(low_byte(tags >> (8 * slot))) >> bit & 1 == 1;
            chosen | u8::from(is_one && !item.is_empty()) << slot
        })
    }

    /// Moves the items in `slots`, a set of bits, to the same slots of `other`, without the counts.
    #[inline]
    pub(super) fn hand_over(&self, other: &Self, slots: u8) {
        let mut mask = 0;
        for slot in 0..BUCKET_SLOTS {
            if slots >> slot & 1 == 1 {
                other.words[slot].set(self.words[slot].replace(0));
                mask |= 0xff << (8 * slot);
            }
        }
        other.words[7].set(other.meta() | self.meta() & mask);
        self.words[7].set(self.meta() & !mask);
    }
}
