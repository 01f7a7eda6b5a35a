//! The index of [`Ranked`](super::Ranked): from a member's hash to the leaf that holds it.
//!
//! Shape: linear hashing; a bucket is an exact fit of slots, the low 32 bits of a hash above the
//! name of a leaf. Whose slot it is, the leaf knows.

use crate::linear::{Linear, Siblings};
use crate::prefetch;
use crate::steps::heap_bytes;

/// Buckets beyond this number would need more bits of the hash than a slot has.
const BUCKETS_MAX: usize = 1 << 31;

#[derive(Clone, Debug, Default)]
struct Slots(Box<[u64]>);

impl Slots {
    fn bytes(&self) -> usize {
        heap_bytes(size_of_val(&*self.0))
    }
}

/// The index; see the module's text.
#[derive(Clone, Debug)]
pub(super) struct Index {
    table: Linear<Slots>,
    slot_bytes: usize,
}

const fn slot(hash: u64, leaf: u32) -> u64 {
    (hash << 32) | leaf as u64
}

#[expect(
    clippy::cast_possible_truncation,
    reason = "the lower half is the leaf"
)]
const fn leaf(slot: u64) -> u32 {
    slot as u32
}

fn fill(slots: &Slots) -> usize {
    slots.0.len()
}

impl Index {
    pub(super) fn new() -> Self {
        Self {
            table: Linear::new(),
            slot_bytes: 0,
        }
    }

    pub(super) const fn len(&self) -> usize {
        self.table.len()
    }

    pub(super) const fn bytes(&self) -> usize {
        self.table.bytes() + self.slot_bytes
    }

    /// Asks for the bucket's pointer.
    #[inline]
    pub(super) fn prefetch_bucket(&self, hash: u64) {
        prefetch::line(std::ptr::from_ref(self.table.at(self.table.address(hash))).cast());
    }

    /// Asks for the bucket's slots.
    #[inline]
    pub(super) fn prefetch_slots(&self, hash: u64) {
        let slots = self.table.at(self.table.address(hash)).0.as_ptr_range();
        prefetch::line(slots.start.cast());
        prefetch::line(slots.end.wrapping_sub(1).cast());
    }

    /// The leaves that may hold the member of `hash`.
    #[inline]
    pub(super) fn leaves(&self, hash: u64) -> impl Iterator<Item = u32> {
        let slots = self.table.at(self.table.address(hash)).0.iter();
        slots
            .filter(move |&slot| (slot ^ (hash << 32)) >> 32 == 0)
            .map(|&slot| leaf(slot))
    }

    pub(super) fn add(&mut self, hash: u64, leaf: u32) {
        let address = self.table.address(hash);
        let slots = self.table.at_mut(address);
        self.slot_bytes -= slots.bytes();
        let mut list = std::mem::take(&mut slots.0).into_vec();
        list.reserve_exact(1);
        list.push(slot(hash, leaf));
        slots.0 = list.into_boxed_slice();
        self.slot_bytes += slots.bytes();
        let fill = slots.0.len();
        self.table.added(fill);
        if self.table.is_full() && self.table.buckets() < BUCKETS_MAX {
            self.grow();
        }
    }

    pub(super) fn remove(&mut self, hash: u64, leaf: u32) {
        let address = self.table.address(hash);
        let slots = self.table.at_mut(address);
        self.slot_bytes -= slots.bytes();
        let mut list = std::mem::take(&mut slots.0).into_vec();
        let found = list.iter().position(|&held| held == slot(hash, leaf));
        list.swap_remove(found.expect("each member has a slot"));
        slots.0 = list.into_boxed_slice();
        self.slot_bytes += slots.bytes();
        self.table.removed(fill);
        if self.table.is_sparse() {
            self.shrink();
        }
    }

    /// Has the slot of `hash` that names the leaf `from` name the leaf `to`.
    pub(super) fn rename(&mut self, hash: u64, from: u32, to: u32) {
        let address = self.table.address(hash);
        let slots = &mut self.table.at_mut(address).0;
        let found = slots.iter_mut().find(|held| **held == slot(hash, from));
        *found.expect("each member has a slot") = slot(hash, to);
    }

    fn grow(&mut self) {
        let bytes = &mut self.slot_bytes;
        let split = |siblings: Siblings<'_, Slots>| {
            *bytes -= siblings.low.bytes();
            let mut low = std::mem::take(&mut siblings.low.0).into_vec();
            let mut high = Vec::with_capacity(low.len());
            low.retain(|&slot| {
                let goes = (slot >> 32) & siblings.bit != 0;
                if goes {
                    high.push(slot);
                }
                !goes
            });
            siblings.low.0 = low.into_boxed_slice();
            siblings.high.0 = high.into_boxed_slice();
            *bytes += siblings.low.bytes() + siblings.high.bytes();
        };
        self.table.grow(split, fill);
    }

    fn shrink(&mut self) {
        let bytes = &mut self.slot_bytes;
        let join = |siblings: Siblings<'_, Slots>| {
            *bytes -= siblings.low.bytes() + siblings.high.bytes();
            siblings.low.0 = [&*siblings.low.0, &*siblings.high.0]
                .concat()
                .into_boxed_slice();
            *bytes += siblings.low.bytes();
        };
        self.table.shrink(join, fill);
    }

    /// Visits the slots of one bucket, as 32 hash bits and a leaf; returns the cursor after it.
    pub(super) fn scan(&self, cursor: u64, mut visit: impl FnMut(u64, u32)) -> u64 {
        let (slots, next) = self.table.scan(cursor);
        slots
            .0
            .iter()
            .for_each(|&slot| visit(slot >> 32, leaf(slot)));
        next
    }

    /// Drops the last bucket.
    pub(super) fn drop_last(&mut self) {
        self.slot_bytes -= self.table.take_last(fill).bytes();
    }

    /// Asserts the invariants; `is_held` tells whether a leaf has a member with such hash bits.
    pub(super) fn check(&self, is_held: impl Fn(u64, u32) -> bool) {
        self.table.check(fill);
        let bytes = self.table.iter().map(Slots::bytes);
        assert_eq!(
            self.slot_bytes,
            bytes.sum::<usize>(),
            "bytes of the buckets"
        );
        for (address, slots) in self.table.iter().enumerate() {
            for &slot in &slots.0 {
                assert_eq!(
                    self.table.address(slot >> 32),
                    address,
                    "the bucket of the hash"
                );
                assert!(
                    is_held(slot >> 32, leaf(slot)),
                    "a slot names its member's leaf"
                );
            }
        }
    }
}
