//! One segment of the table: 64 buckets of seven slots, and what belongs to them.
//!
//! Shape: 60 home buckets and 4 stash buckets of one cache line each, the heat of each slot, and a
//! head (count and depth).
//! An item lives in its home bucket, in the next one, or in the stash.
//! Invariants: 1. the head's count is the number of full slots. 2. The eighth word of a home bucket
//! counts its items in the next bucket (3 bits) and in the stash (5 bits) exactly.
//! Cost: a find reads one line, a second or the stash only when the counts say so.
//! Marks, 16 bits a slot, lie beside the segment, if anybody wants them.
//! Everything is a `Cell`, so a `&Segment` is enough for every change.

mod bucket;
mod marks;
mod regroup;

use std::cell::Cell;

use self::bucket::{Bucket, FAR_SHIFT, NEAR_SHIFT};
pub(crate) use self::marks::{Marks, MarksRef};
use crate::hash::{HOME_BUCKETS, PREFIX_BITS, Probe, Slot, index, low_u32};
use crate::prefetch::line;
use crate::runs::Locator;
use crate::slab::EntryId;

/// All buckets of a segment.
pub(crate) const BUCKETS: usize = 64;
/// Slots of one bucket.
pub(crate) const BUCKET_SLOTS: usize = 7;
/// All slots of a segment.
pub(crate) const SLOTS: usize = BUCKETS * BUCKET_SLOTS;

const COUNT_MASK: u64 = 0x1ff;
const DEPTH_SHIFT: u32 = 9;
const DEPTH_MASK: u64 = 0x1f;

/// Where in a segment an item is.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) struct Place {
    pub(crate) bucket: usize,
    pub(crate) slot: usize,
}

impl Place {
    #[inline]
    pub(crate) fn position(self) -> usize {
        self.bucket * BUCKET_SLOTS + self.slot
    }

    #[inline]
    pub(crate) fn at(position: usize) -> Self {
        Self {
            bucket: position / BUCKET_SLOTS,
            slot: position % BUCKET_SLOTS,
        }
    }
}

/// One segment; all zero bytes are a valid empty segment of depth 0.
#[repr(C, align(64))]
pub(crate) struct Segment {
    buckets: [Bucket; BUCKETS],
    heat: [Cell<u16>; SLOTS],
    head: Cell<u64>,
    marks: Cell<Option<MarksRef>>,
}

/// Size of a segment.
pub(crate) const SEGMENT_BYTES: usize = size_of::<Segment>();
const _: () = assert!(SEGMENT_BYTES == 5056 && SLOTS == 7 * 64);

impl Segment {
    /// Makes a zeroed segment an empty one of this depth.
    pub(crate) fn init(&self, depth: u32) {
        self.head.set(u64::from(depth) << DEPTH_SHIFT);
    }

    /// Number of items.
    #[inline]
    pub(crate) fn count(&self) -> usize {
        index(self.head.get() & COUNT_MASK)
    }

    /// How many hash bits all items share.
    #[inline]
    pub(crate) fn depth(&self) -> u32 {
        low_u32((self.head.get() >> DEPTH_SHIFT) & DEPTH_MASK)
    }

    pub(crate) fn set_depth(&self, depth: u32) {
        let others = self.head.get() & !(DEPTH_MASK << DEPTH_SHIFT);
        self.head.set(others | (u64::from(depth) << DEPTH_SHIFT));
    }

    #[inline]
    pub(crate) fn slot(&self, place: Place) -> Slot {
        self.buckets[place.bucket].slot(place.slot)
    }

    /// The prefix of the item at `place`.
    #[inline]
    pub(crate) fn prefix(&self, place: Place) -> u32 {
        self.slot(place)
            .prefix(self.buckets[place.bucket].tag(place.slot))
    }

    /// What finds the item at `place` again.
    #[inline]
    pub(crate) fn locator(&self, place: Place) -> Locator {
        self.slot(place)
            .locator(self.buckets[place.bucket].tag(place.slot))
    }

    /// The marks of all slots, if there are any.
    #[inline]
    pub(crate) fn marks(&self) -> Option<MarksRef> {
        self.marks.get()
    }

    /// Asks for what is kept of the items at `place` and next to it, their marks excepted.
    pub(crate) fn prefetch_around(&self, place: Place) {
        let bucket: *const Bucket = &raw const self.buckets[place.bucket];
        line(bucket.cast());
        line(bucket.wrapping_add(1).cast());
        line((&raw const self.heat[place.position()]).cast());
        line(self.end_line());
    }

    /// Address of the line that says where the marks are, for prefetching.
    #[inline]
    pub(crate) fn end_line(&self) -> *const u8 {
        (&raw const self.head).cast()
    }

    /// Gives it marks, or takes them away; returns those it had.
    pub(crate) fn set_marks(&self, marks: Option<MarksRef>) -> Option<MarksRef> {
        self.marks.replace(marks)
    }

    /// Takes over the mark that the item at `from` has in `other`.
    fn copy_mark(&self, to: Place, other: &Self, from: Place) {
        if let Some(own) = self.marks() {
            let mark = other.marks().map_or(0, |marks| marks.get(from).get());
            own.get(to).set(mark);
        }
    }

    #[inline]
    pub(crate) fn heat(&self, place: Place) -> &Cell<u16> {
        &self.heat[place.position()]
    }

    /// Names another record for the item at `place`.
    #[inline]
    pub(crate) fn patch(&self, place: Place, id: EntryId) {
        let word = &self.buckets[place.bucket].words[place.slot];
        word.set(Slot(word.get()).with_id(id).0);
    }

    /// Looks for the item of `probe` that `is_key` accepts.
    #[inline]
    pub(crate) fn find(
        &self,
        probe: Probe,
        mut is_key: impl FnMut(EntryId) -> bool,
    ) -> Option<Place> {
        let home = probe.home();
        let bucket = &self.buckets[home];
        if let Some(slot) = bucket.find(probe, &mut is_key) {
            return Some(Place { bucket: home, slot });
        }
        if bucket.has_away() {
            self.find_away(probe, is_key)
        } else {
            None
        }
    }

    /// The rest of `find`, for homes that had to send items away.
    #[inline(never)]
    fn find_away(&self, probe: Probe, mut is_key: impl FnMut(EntryId) -> bool) -> Option<Place> {
        let home = probe.home();
        if self.buckets[home].near() != 0 {
            let bucket = next_home(home);
            if let Some(slot) = self.buckets[bucket].find(probe, &mut is_key) {
                return Some(Place { bucket, slot });
            }
        }
        if self.buckets[home].far() != 0 {
            for bucket in HOME_BUCKETS..BUCKETS {
                if let Some(slot) = self.buckets[bucket].find(probe, &mut is_key) {
                    return Some(Place { bucket, slot });
                }
            }
        }
        None
    }

    /// Address of the home bucket's line and of its first heat, for prefetching.
    #[inline]
    pub(crate) fn lines(&self, probe: Probe) -> (*const u8, *const u8) {
        let home = probe.home();
        let bucket: *const Bucket = &raw const self.buckets[home];
        let heat: *const Cell<u16> = &raw const self.heat[home * BUCKET_SLOTS];
        (bucket.cast(), heat.cast())
    }

    /// Address of a home bucket's line.
    #[inline]
    pub(crate) fn home_line(&self, home: usize) -> *const u8 {
        let bucket: *const Bucket = &raw const self.buckets[home];
        bucket.cast()
    }

    /// Places a new item, or returns `None` when home, neighbour and stash are full.
    #[inline]
    pub(crate) fn insert(&self, probe: Probe, id: EntryId) -> Option<Place> {
        let home = probe.home();
        let place = match self.buckets[home].free_slot() {
            Some(slot) => Place { bucket: home, slot },
            None => self.make_room(home)?,
        };
        self.fill(place, Slot::new(probe, id), probe.tag());
        self.count_away(home, place.bucket, 1);
        Some(place)
    }

    /// Finds a slot for an item whose home is full.
    fn make_room(&self, home: usize) -> Option<Place> {
        let next = next_home(home);
        if let Some(slot) = self.buckets[next].free_slot() {
            return Some(Place { bucket: next, slot });
        }
        self.send_back(home)
            .or_else(|| self.send_on(next))
            .or_else(|| self.stash_slot())
    }

    /// Frees a slot of `home` by sending a guest back to its own home, if that has room again.
    fn send_back(&self, home: usize) -> Option<Place> {
        let previous = if home == 0 {
            HOME_BUCKETS - 1
        } else {
            home - 1
        };
        if self.buckets[previous].near() == 0 {
            return None;
        }
        let room = self.buckets[previous].free_slot()?;
        let bucket = &self.buckets[home];
        let slot = (0..BUCKET_SLOTS).find(|&slot| bucket.slot(slot).home() == previous)?;
        let from = Place { bucket: home, slot };
        self.shift(
            from,
            Place {
                bucket: previous,
                slot: room,
            },
        );
        Some(from)
    }

    /// Frees a slot of `next` by moving one of its own items on to the bucket after it.
    fn send_on(&self, next: usize) -> Option<Place> {
        let after = next_home(next);
        let room = self.buckets[after].free_slot()?;
        let bucket = &self.buckets[next];
        let slot = (0..BUCKET_SLOTS).find(|&slot| bucket.slot(slot).home() == next)?;
        let from = Place { bucket: next, slot };
        self.shift(
            from,
            Place {
                bucket: after,
                slot: room,
            },
        );
        Some(from)
    }

    fn stash_slot(&self) -> Option<Place> {
        (HOME_BUCKETS..BUCKETS).find_map(|bucket| {
            self.buckets[bucket]
                .free_slot()
                .map(|slot| Place { bucket, slot })
        })
    }

    /// Forgets the item at `place` and returns what its slot held.
    #[inline]
    pub(crate) fn remove(&self, place: Place) -> Slot {
        let item = self.slot(place);
        debug_assert!(!item.is_empty(), "only an item can be removed");
        self.count_away(item.home(), place.bucket, -1);
        self.clear(place);
        item
    }

    #[inline]
    fn fill(&self, place: Place, item: Slot, tag: u8) {
        self.buckets[place.bucket].put(place.slot, item, tag);
        self.heat[place.position()].set(0);
        if let Some(marks) = self.marks() {
            marks.get(place).set(0);
        }
        self.head.set(self.head.get() + 1);
    }

    #[inline]
    fn clear(&self, place: Place) {
        self.buckets[place.bucket].put(place.slot, Slot::EMPTY, 0);
        self.head.set(self.head.get() - 1);
    }

    /// Counts an item of `home` that came to (+1) or left (-1) `bucket`.
    #[inline]
    fn count_away(&self, home: usize, bucket: usize, change: i64) {
        if home != bucket {
            let shift = if bucket >= HOME_BUCKETS {
                FAR_SHIFT
            } else {
                NEAR_SHIFT
            };
            let meta = &self.buckets[home].words[7];
            meta.set(meta.get().wrapping_add_signed(change << shift));
        }
    }

    /// Moves an item within the segment.
    fn shift(&self, from: Place, to: Place) {
        let home = self.slot(from).home();
        self.copy_to(from, self, to);
        self.count_away(home, to.bucket, 1);
        self.count_away(home, from.bucket, -1);
        self.clear(from);
    }

    /// Writes the item at `from` into the free slot `to` of `other`, without the overflow counts.
    fn copy_to(&self, from: Place, other: &Self, to: Place) {
        other.fill(
            to,
            self.slot(from),
            self.buckets[from.bucket].tag(from.slot),
        );
        other.heat(to).set(self.heat(from).get());
        other.copy_mark(to, self, from);
    }

    /// Calls `visit` with the place of every item.
    pub(crate) fn each(&self, mut visit: impl FnMut(Place)) {
        for bucket in 0..BUCKETS {
            for slot in 0..BUCKET_SLOTS {
                let place = Place { bucket, slot };
                if !self.slot(place).is_empty() {
                    visit(place);
                }
            }
        }
    }

    /// Calls `visit` with the place of every item whose home is `home`.
    pub(crate) fn each_of_home(&self, home: usize, mut visit: impl FnMut(Place)) {
        let mut look = |bucket: usize| {
            for slot in 0..BUCKET_SLOTS {
                let place = Place { bucket, slot };
                let item = self.slot(place);
                if !item.is_empty() && item.home() == home {
                    visit(place);
                }
            }
        };
        look(home);
        if self.buckets[home].near() != 0 {
            look(next_home(home));
        }
        if self.buckets[home].far() != 0 {
            (HOME_BUCKETS..BUCKETS).for_each(look);
        }
    }

    /// Adds the number of buckets with each number of full slots to `histogram`.
    pub(crate) fn count_fill(&self, histogram: &mut [usize; BUCKET_SLOTS + 1]) {
        for bucket in &self.buckets {
            let full = bucket.words[..BUCKET_SLOTS]
                .iter()
                .filter(|w| w.get() != 0)
                .count();
            histogram[full] += 1;
        }
    }

    /// Asserts the invariants, and that all items belong to `prefix` (left-aligned in 28 bits).
    pub(crate) fn check(&self, prefix: u32) {
        let depth = self.depth();
        let mut near = [0; HOME_BUCKETS];
        let mut far = [0; HOME_BUCKETS];
        let mut count = 0;
        self.each(|place| {
            count += 1;
            let home = self.slot(place).home();
            assert!(home < HOME_BUCKETS, "homes are buckets");
            let difference = u64::from(self.prefix(place) ^ prefix);
            assert_eq!(
                difference >> (PREFIX_BITS - depth),
                0,
                "an item of another segment"
            );
            if place.bucket >= HOME_BUCKETS {
                far[home] += 1;
            } else if place.bucket != home {
                assert_eq!(place.bucket, next_home(home), "an item in a strange bucket");
                near[home] += 1;
            }
        });
        assert_eq!(count, self.count(), "the head's count");
        for home in 0..HOME_BUCKETS {
            assert_eq!(self.buckets[home].near(), near[home], "the near count");
            assert_eq!(self.buckets[home].far(), far[home], "the far count");
        }
    }
}

#[inline]
fn next_home(home: usize) -> usize {
    if home + 1 == HOME_BUCKETS {
        0
    } else {
        home + 1
    }
}
