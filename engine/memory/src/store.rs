//! The records of one database, found by key.
//!
//! Shape: a directory of segments, which hold handles; a slab, which holds records.
//! Invariants: 1. every slot names one live record, whose key is unique. 2. `len`, `objects` and
//! `requested` are the sums over all records.
//! Cost: find, insert and remove are O(1); the worst step splits one segment of 448 slots.
//! Units: bytes; deadlines in unix milliseconds.
//! Not here: what an entry can do is in `entry`, walks are in `scan` and `order`, the index by deadline
//! is in `deadlines`.

use std::fmt;
use std::marker::PhantomData;
use std::ptr::NonNull;
use std::rc::Rc;

use crate::chunks::CellPool;
use crate::deadlines::Deadlines;
use crate::directory::Directory;
use crate::entry::{EntryMut, EntryRef, Lookup, VacantEntry};
use crate::hash::{PREFIX_BITS, PREFIX_END, Probe, scale, share};
use crate::marking::{Marking, Newcomers};
use crate::pages::{ChunkKind, PageSource};
use crate::record::{Kind, NewBody, Plan, Record, RecordMut};
use crate::segment::{BUCKET_SLOTS, Place, SEGMENT_BYTES, SLOTS, Segment};
use crate::slab::{EntryId, Room, Slab};

/// Two buddies merge when they have no more items than this together, a quarter of a segment.
const MERGE_COUNT: usize = SLOTS / 4;
/// How often a shrinking segment looks at its buddy: once in so many removals.
const MERGE_LOOK: usize = 8;
/// Items a segment of a presized table is meant to hold at most.
const RESERVE_FILL: usize = 340;
/// Keys that a presized table is sized for at most.
const RESERVE_KEYS_MAX: usize = 1 << 27;

/// The records of one database.
pub struct Store<T> {
    pub(crate) directory: Directory,
    pub(crate) slab: Slab,
    pub(crate) table: CellPool,
    pub(crate) marking: Marking,
    pub(crate) len: usize,
    pub(crate) deadlines: Deadlines,
    pub(crate) objects: usize,
    pub(crate) requested: usize,
    drained: u32,
    splits: u64,
    merges: u64,
    largest_step: usize,
    owned: PhantomData<Box<T>>,
}

/// Figures about a store, for reports and tests.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct StoreStats {
    /// Segments of the table.
    pub segments: usize,
    /// Slots of all segments.
    pub slots: usize,
    /// Records, one per key.
    pub records: usize,
    /// Bytes of the size classes and blocks that the records occupy.
    pub record_bytes: usize,
    /// Bytes that the records asked for.
    pub requested_bytes: usize,
    /// Records with a heap block of their own, and the bytes of those.
    pub large_records: usize,
    /// Bytes of those blocks.
    pub large_bytes: usize,
    /// Bytes of slab pages in use.
    pub page_bytes: usize,
    /// Bytes held from the source for records.
    pub record_chunk_bytes: usize,
    /// Bytes held from the source for segments.
    pub table_chunk_bytes: usize,
    /// Bytes of the directory.
    pub directory_bytes: usize,
    /// Hash bits that the directory tells apart at most.
    pub depth: u32,
    /// Segments split since the store was made.
    pub splits: u64,
    /// Segments merged since the store was made.
    pub merges: u64,
    /// The most segments that one step touched.
    pub largest_step_segments: usize,
    /// Buckets with 0, 1, .. 7 full slots.
    pub bucket_fill: [usize; BUCKET_SLOTS + 1],
}

impl<T> Store<T> {
    /// An empty store, which takes its memory from `pages`; it holds none yet.
    pub fn new(pages: Rc<dyn PageSource>) -> Self {
        Self {
            directory: Directory::new(),
            slab: Slab::new(&pages),
            marking: Marking::new(Rc::clone(&pages)),
            table: CellPool::new(pages, ChunkKind::Table, SEGMENT_BYTES),
            len: 0,
            deadlines: Deadlines::default(),
            objects: 0,
            requested: 0,
            drained: 0,
            splits: 0,
            merges: 0,
            largest_step: 0,
            owned: PhantomData,
        }
    }

    /// Number of records.
    #[inline]
    pub fn len(&self) -> usize {
        self.len
    }

    /// Whether there are no records.
    #[inline]
    pub fn is_empty(&self) -> bool {
        self.len == 0
    }

    /// Number of records with a deadline.
    #[inline]
    pub fn with_deadline(&self) -> usize {
        self.deadlines.count()
    }

    /// Bytes of pages and segments in use, as against held, and of the index by deadline; the blocks
    /// of large records come from the global allocator and are not in it.
    pub fn memory(&self) -> usize {
        self.slab.page_bytes() + self.table_memory() + self.deadlines.memory()
    }

    /// Bytes held from the source in which nothing lies: those of freed records among them, which
    /// the next ones of their sizes take. Cost: O(1).
    pub fn idle_memory(&self) -> usize {
        if self.directory.segments() == 0 {
            return 0;
        }
        let held = self.slab.chunk_bytes() + self.table.chunk_bytes() + self.marking.chunk_bytes();
        let cells = self.slab.live_bytes() - self.slab.large().1;
        held - cells - self.table_memory()
    }

    /// Bytes of the segments in use and of their marks, which is what the table itself costs.
    pub fn table_memory(&self) -> usize {
        self.table.used_bytes() + self.marking.memory()
    }

    /// Bytes of the index by deadline.
    pub fn deadlines_memory(&self) -> usize {
        self.deadlines.memory()
    }

    /// Looks up `key`, whose hash is `hash`.
    #[inline]
    pub fn find(&self, hash: u64, key: &[u8]) -> Option<EntryRef<'_, T>> {
        let probe = Probe::new(hash);
        let segment = self.directory.segment(probe)?;
        let place = segment.find(probe, |id| self.record(id).has_key(key))?;
        Some(self.entry_ref(segment, place))
    }

    /// Looks up `key`, whose hash is `hash`, to change it.
    #[inline]
    pub fn find_mut(&mut self, hash: u64, key: &[u8]) -> Option<EntryMut<'_, T>> {
        let (segment, place) = self.search(Probe::new(hash), key)?;
        // SAFETY: the search just found the item there.
        Some(unsafe { EntryMut::new(self, segment, place) })
    }

    /// Looks up `key`, whose hash is `hash`, to change or to insert it.
    #[inline]
    pub fn entry<'a>(&'a mut self, hash: u64, key: &'a [u8]) -> Lookup<'a, T> {
        let probe = Probe::new(hash);
        let Some((segment, place)) = self.search(probe, key) else {
            return Lookup::Vacant(VacantEntry::new(self, probe, key));
        };
        // SAFETY: the search just found the item there.
        Lookup::Occupied(unsafe { EntryMut::new(self, segment, place) })
    }

    /// Where `key` is.
    #[inline]
    fn search(&self, probe: Probe, key: &[u8]) -> Option<(NonNull<Segment>, Place)> {
        let pointer = self.directory.pointer(probe)?;
        // SAFETY: segments named by the directory are live.
        let segment = unsafe { pointer.as_ref() };
        let place = segment.find(probe, |id| self.record(id).has_key(key))?;
        Some((pointer, place))
    }

    /// Inserts `key`, which must be absent, with the low four bits of `tag`.
    #[inline]
    pub fn insert_new(
        &mut self,
        hash: u64,
        key: &[u8],
        tag: u8,
        body: NewBody<'_, T>,
        deadline: Option<u64>,
    ) {
        debug_assert!(self.find(hash, key).is_none(), "the key must be absent");
        self.insert(Probe::new(hash), key, tag, body, deadline);
    }

    /// Inserts an absent key and returns where it is.
    #[inline]
    pub(crate) fn insert(
        &mut self,
        probe: Probe,
        key: &[u8],
        tag: u8,
        body: NewBody<'_, T>,
        deadline: Option<u64>,
    ) -> (NonNull<Segment>, Place) {
        let plan = Plan::new(key.len(), deadline.is_some(), &body);
        let (id, at) = self.slab.allocate(plan.bytes(), Room::Exact);
        // SAFETY: the cell is fresh, ours alone, and has room for the plan.
        let mut record = unsafe { RecordMut::new(at) };
        let word = deadline.map(|deadline| self.deadlines.word(deadline));
        record.write_head(&plan, tag, word);
        record.write_key(&plan, key);
        record.write_body(&plan, body);
        self.len += 1;
        self.requested += plan.bytes();
        self.objects += usize::from(plan.kind() == Kind::Object);
        let placed = self.place(probe, id);
        self.marking
            .note_newcomer(Newcomers::Inserted, probe.locator());
        if deadline.is_some() {
            self.note_deadline(probe.locator(), None, deadline);
        }
        placed
    }

    /// Finds a slot for a new record, splitting as needed.
    #[inline]
    fn place(&mut self, probe: Probe, id: EntryId) -> (NonNull<Segment>, Place) {
        loop {
            if let Some(pointer) = self.directory.pointer(probe) {
                // SAFETY: segments named by the directory are live.
                let segment = unsafe { pointer.as_ref() };
                if let Some(place) = segment.insert(probe, id) {
                    return (pointer, place);
                }
                self.split(probe, segment);
            } else {
                let first = self.new_segment(0);
                self.directory.begin(first);
            }
        }
    }

    fn new_segment(&mut self, depth: u32) -> NonNull<Segment> {
        let cell = self.table.take().cast::<Segment>();
        // SAFETY: the cell is ours and has the size of a segment.
        unsafe { cell.write_bytes(0, 1) }
        // SAFETY: cells are multiples of 64 bytes from a page boundary, and all zeroes are a
        // valid segment.
        let segment = unsafe { cell.as_ref() };
        segment.init(depth);
        if self.marking.is_on() {
            segment.set_marks(Some(self.marking.take()));
        }
        cell
    }

    #[cold]
    fn split(&mut self, probe: Probe, segment: &Segment) {
        let depth = segment.depth() + 1;
        assert!(
            depth <= PREFIX_BITS,
            "the hash sends too many keys to one prefix"
        );
        let buddy = self.new_segment(depth);
        // SAFETY: the new segment is live.
        segment.split_into(unsafe { buddy.as_ref() });
        self.directory.split(probe, buddy, depth);
        self.splits += 1;
        self.largest_step = self.largest_step.max(2);
    }

    /// Forgets the entry at `place`, whose record is gone already, and merges if that pays.
    ///
    /// # Safety
    ///
    /// The directory names `segment`, and there is an item at `place`. The segment may be gone
    /// after this.
    pub(crate) unsafe fn forget(&mut self, segment: NonNull<Segment>, place: Place) {
        // SAFETY: segments named by the directory are live; this one is not used after the merge.
        let segment = unsafe { segment.as_ref() };
        let prefix = segment.prefix(place);
        segment.remove(place);
        self.len -= 1;
        let count = segment.count();
        if count <= MERGE_COUNT && count.is_multiple_of(MERGE_LOOK) {
            self.merge(prefix);
        }
        self.keep_deadlines_few();
    }

    /// Merges the segment of `prefix` with its buddy if both have few items.
    fn merge(&mut self, prefix: u32) {
        let probe = Probe::of_prefix(prefix);
        let Some(here) = self.directory.pointer(probe) else {
            return;
        };
        // SAFETY: segments named by the directory are live.
        let depth = unsafe { here.as_ref() }.depth();
        let Some(there) = self.directory.buddy(probe, depth) else {
            return;
        };
        let is_low = prefix >> (PREFIX_BITS - depth) & 1 == 0;
        let (low, high) = if is_low { (here, there) } else { (there, here) };
        // SAFETY: as above; nothing here holds a segment beyond its release.
        let survivor = unsafe { low.as_ref() };
        // SAFETY: as above.
        let buddy = unsafe { high.as_ref() };
        if survivor.count() + buddy.count() > MERGE_COUNT || !survivor.absorb(buddy) {
            return;
        }
        self.directory.merge(probe, low, depth);
        if let Some(marks) = buddy.set_marks(None) {
            // SAFETY: nothing names these marks any more.
            unsafe { self.marking.give(marks) }
        }
        // SAFETY: the directory names the buddy no more; it came from this pool.
        unsafe { self.table.give(high.cast()) }
        self.merges += 1;
        self.largest_step = self.largest_step.max(2);
    }

    /// Sizes the table for `keys` keys to come; does something for an empty store only.
    ///
    /// `keys`: at most 2^27 are provided for, so that a wrong number costs a bounded amount.
    pub fn reserve(&mut self, keys: usize) {
        if !self.is_empty() || keys <= RESERVE_FILL {
            return;
        }
        let keys = keys.min(RESERVE_KEYS_MAX);
        if self.directory.segments() == 0 {
            let first = self.new_segment(0);
            self.directory.begin(first);
        }
        let mut prefix = 0;
        while let Some((segment, end)) = self.directory.at(prefix)
            && prefix < PREFIX_END
        {
            if scale(keys, share(prefix, end)) > RESERVE_FILL {
                let pointer = NonNull::from(segment);
                // SAFETY: the directory named this segment, and a split does not free it.
                self.split(Probe::of_prefix(prefix), unsafe { pointer.as_ref() });
            } else {
                prefix = end;
            }
        }
    }

    /// The record of `id`, which a slot named.
    #[inline]
    pub(crate) fn record(&self, id: EntryId) -> Record<'_> {
        // SAFETY: handles in slots are live.
        let at = unsafe { self.slab.address(id) };
        // SAFETY: live handles name written records; writing or freeing one takes `&mut self`.
        unsafe { Record::new(at) }
    }

    #[inline]
    pub(crate) fn entry_ref<'a>(&'a self, segment: &'a Segment, place: Place) -> EntryRef<'a, T> {
        let id = segment.slot(place).id();
        let mark = if self.marking.is_on() {
            segment.marks().map(|marks| marks.get(place))
        } else {
            None
        };
        EntryRef::new(self.record(id), id, (segment.heat(place), mark), &self.slab)
    }

    /// Frees the record of `id` and what it counts for; returns its object.
    pub(crate) fn destroy(&mut self, id: EntryId) -> Option<Box<T>> {
        let record = self.record(id);
        let plan = record.plan();
        let object = (plan.kind() == Kind::Object).then(|| {
            // SAFETY: the kind says that there is an object, and all objects are `T`s.
            let pointer = unsafe { record.object::<T>(&plan) };
            // SAFETY: it was leaked from a box when the record was written, and the record goes.
            unsafe { Box::from_raw(pointer.as_ptr()) }
        });
        self.requested -= plan.bytes();
        self.objects -= usize::from(object.is_some());
        self.deadlines.forget(plan.has_deadline());
        // SAFETY: a slot named the record, and the caller clears the slot.
        unsafe { self.slab.free(id) }
        object
    }

    /// Destroys up to `budget` records, and subtracts from `budget` how many it did; when only
    /// plain records are left, all go at once. Their objects are handed to `discard`.
    ///
    /// For freeing a store piece by piece: call it until the store is empty.
    pub fn drain(&mut self, budget: &mut u32, discard: &mut dyn FnMut(Box<T>)) {
        if !self.deadlines.drain(budget) {
            return;
        }
        while let Some((segment, end)) = self.directory.at(self.drained)
            && self.objects + self.slab.large().0 > 0
        {
            if *budget == 0 {
                return;
            }
            let pointer = NonNull::from(segment);
            // SAFETY: the directory named this segment, and none is freed before the end.
            let segment = unsafe { pointer.as_ref() };
            segment.each(|place| {
                if *budget > 0 {
                    let object = self.destroy(segment.slot(place).id());
                    segment.remove(place);
                    self.len -= 1;
                    *budget -= 1;
                    object.map(&mut *discard);
                }
            });
            if segment.count() == 0 {
                self.drained = end % PREFIX_END;
            }
        }
        self.reset();
    }

    /// Forgets all plain records at once and gives the memory back.
    fn reset(&mut self) {
        debug_assert!(
            self.objects == 0 && self.slab.large().0 == 0,
            "these go one by one"
        );
        self.directory.clear();
        // SAFETY: the directory named all segments and is empty.
        unsafe { self.table.clear() }
        // SAFETY: the segments named all marks and are gone.
        unsafe { self.marking.clear() }
        // SAFETY: the segments held all handles and are gone.
        unsafe { self.slab.clear() }
        self.deadlines = Deadlines::default();
        (self.len, self.requested, self.drained) = (0, 0, 0);
    }

    /// Figures about the store. Cost: a pass over all segments.
    pub fn stats(&self) -> StoreStats {
        let mut bucket_fill = [0; BUCKET_SLOTS + 1];
        let mut prefix = 0;
        while let Some((segment, end)) = self.directory.at(prefix)
            && prefix < PREFIX_END
        {
            segment.count_fill(&mut bucket_fill);
            prefix = end;
        }
        let (large_records, large_bytes) = self.slab.large();
        StoreStats {
            segments: self.directory.segments(),
            slots: self.directory.segments() * SLOTS,
            records: self.slab.live(),
            record_bytes: self.slab.live_bytes(),
            requested_bytes: self.requested,
            large_records,
            large_bytes,
            page_bytes: self.slab.page_bytes(),
            record_chunk_bytes: self.slab.chunk_bytes(),
            table_chunk_bytes: self.table.chunk_bytes(),
            directory_bytes: self.directory.bytes(),
            depth: self.directory.depth(),
            splits: self.splits,
            merges: self.merges,
            largest_step_segments: self.largest_step,
            bucket_fill,
        }
    }

    /// Asserts all invariants, but the uniqueness of keys. Cost: a pass over everything.
    ///
    /// # Panics
    ///
    /// When an invariant is broken.
    pub fn check(&self) {
        self.directory.check();
        self.table.check();
        self.slab.check();
        let (mut len, mut deadlines, mut objects, mut requested) = (0, 0, 0, 0);
        let mut prefix = 0;
        while let Some((segment, end)) = self.directory.at(prefix)
            && prefix < PREFIX_END
        {
            segment.check(prefix);
            segment.each(|place| {
                let record = self.record(segment.slot(place).id());
                let plan = record.plan();
                assert!(plan.bytes() <= self.slab.capacity(segment.slot(place).id()));
                len += 1;
                deadlines += usize::from(plan.has_deadline());
                objects += usize::from(plan.kind() == Kind::Object);
                requested += plan.bytes();
            });
            prefix = end;
        }
        assert_eq!(
            (len, len),
            (self.len, self.slab.live()),
            "the number of records"
        );
        assert_eq!(deadlines, self.deadlines.count(), "the number of deadlines");
        self.check_deadlines();
        assert_eq!(objects, self.objects, "the number of objects");
        assert_eq!(requested, self.requested, "the bytes asked for");
        assert_eq!(
            self.directory.segments() * SEGMENT_BYTES,
            self.table.used_bytes()
        );
        assert!(
            self.largest_step <= 2,
            "a step touches a segment and its buddy"
        );
    }
}

impl<T> Drop for Store<T> {
    fn drop(&mut self) {
        self.drain(&mut u32::MAX.clone(), &mut drop);
        while !self.is_empty() {
            self.drain(&mut u32::MAX.clone(), &mut drop);
        }
    }
}

impl<T> fmt::Debug for Store<T> {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("Store")
            .field("len", &self.len)
            .field("deadlines", &self.deadlines)
            .field("segments", &self.directory.segments())
            .finish_non_exhaustive()
    }
}
