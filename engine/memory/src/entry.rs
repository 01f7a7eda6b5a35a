//! What can be done with one entry: reading, changing, inserting, removing.

use std::cell::Cell;
use std::fmt;
use std::marker::PhantomData;
use std::ptr::NonNull;

use crate::hash::Probe;
use crate::marking::Heat;
use crate::prefetch::line;
use crate::record::{Body, Kind, NewBody, Plan, Record, RecordMut};
use crate::segment::{Place, Segment};
use crate::slab::{EntryId, Room, Slab};
use crate::store::Store;

/// An entry to read.
pub struct EntryRef<'a, T> {
    record: Record<'a>,
    id: EntryId,
    heat: &'a Cell<u16>,
    mark: Option<&'a Cell<u16>>,
    slab: &'a Slab,
    object: PhantomData<&'a T>,
}

impl<T> Clone for EntryRef<'_, T> {
    fn clone(&self) -> Self {
        *self
    }
}

impl<T> Copy for EntryRef<'_, T> {}

impl<'a, T> EntryRef<'a, T> {
    #[inline]
    pub(crate) fn new(
        record: Record<'a>,
        id: EntryId,
        (heat, mark): (&'a Cell<u16>, Option<&'a Cell<u16>>),
        slab: &'a Slab,
    ) -> Self {
        Self {
            record,
            id,
            heat,
            mark,
            slab,
            object: PhantomData,
        }
    }

    /// The key.
    #[inline]
    pub fn key(&self) -> &'a [u8] {
        self.record.key()
    }

    /// The four bits that belong to the caller.
    #[inline]
    pub fn tag(&self) -> u8 {
        self.record.tag()
    }

    /// The body.
    #[inline]
    pub fn body(&self) -> Body<'a, T> {
        // SAFETY: a Store<T> has objects of T only, and 'a borrows the store.
        unsafe { self.record.body() }
    }

    /// The deadline in unix milliseconds, if there is one.
    #[inline]
    pub fn deadline(&self) -> Option<u64> {
        self.record.deadline()
    }

    /// The heat: 0 for a new entry, then what `touch` wrote last.
    #[inline]
    pub fn heat(&self) -> u16 {
        self.heat.get()
    }

    /// Sets the heat; writes only if it differs. The record itself is not touched.
    #[inline]
    pub fn touch(&self, tick: u16) {
        if self.heat.get() != tick {
            self.heat.set(tick);
        }
    }

    /// The mark; 0 for a new entry, or while there are no marks.
    #[inline]
    pub fn mark(&self) -> u16 {
        self.mark.map_or(0, Cell::get)
    }

    /// Sets the mark, if there are marks; writes only if it differs.
    #[inline]
    pub fn set_mark(&self, mark: u16) {
        if let Some(own) = self.mark
            && own.get() != mark
        {
            own.set(mark);
        }
    }

    /// The record's name.
    #[inline]
    pub fn id(&self) -> EntryId {
        self.id
    }

    /// Tells the processor that the record will be read soon.
    #[inline]
    pub fn prefetch(&self) {
        line(self.record.as_ptr());
    }

    /// Bytes that the record occupies: those of its size class or of its own block.
    pub fn record_bytes(&self) -> usize {
        self.slab.capacity(self.id)
    }

    /// Bytes of memory that go for the record: those, and its share of what its page cannot use.
    pub fn footprint(&self) -> usize {
        self.slab.footprint(self.id)
    }
}

impl<T> fmt::Debug for EntryRef<'_, T> {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("EntryRef")
            .field("key", &self.key())
            .field("tag", &self.tag())
            .field("deadline", &self.deadline())
            .finish_non_exhaustive()
    }
}

/// What a search for writing found.
#[derive(Debug)]
pub enum Lookup<'a, T> {
    /// The key is there.
    Occupied(EntryMut<'a, T>),
    /// The key is absent.
    Vacant(VacantEntry<'a, T>),
}

/// An absent key that may be inserted.
pub struct VacantEntry<'a, T> {
    store: &'a mut Store<T>,
    probe: Probe,
    key: &'a [u8],
    heat: Heat,
}

impl<'a, T> VacantEntry<'a, T> {
    #[inline]
    pub(crate) fn new(store: &'a mut Store<T>, probe: Probe, key: &'a [u8]) -> Self {
        Self {
            store,
            probe,
            key,
            heat: Heat::default(),
        }
    }

    /// The same place, for an entry that shall begin with this heat.
    #[inline]
    #[must_use]
    pub fn heated(self, heat: Heat) -> Self {
        Self { heat, ..self }
    }

    /// Inserts the key with the low four bits of `tag`.
    #[inline]
    pub fn insert(self, tag: u8, body: NewBody<'_, T>, deadline: Option<u64>) -> EntryMut<'a, T> {
        let (segment, place) = self.store.insert(self.probe, self.key, tag, body, deadline);
        // SAFETY: the store just placed the item there.
        let entry = unsafe { EntryMut::new(self.store, segment, place) };
        entry.touch(self.heat.clock);
        if entry.store.marking.is_on() {
            entry.as_ref().set_mark(self.heat.mark);
        }
        entry
    }
}

impl<T> fmt::Debug for VacantEntry<'_, T> {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("VacantEntry")
            .field("key", &self.key)
            .finish_non_exhaustive()
    }
}

/// An entry to read and change.
pub struct EntryMut<'a, T> {
    store: &'a mut Store<T>,
    segment: NonNull<Segment>,
    place: Place,
    id: EntryId,
    at: NonNull<u8>,
}

impl<'a, T> EntryMut<'a, T> {
    /// # Safety
    ///
    /// The store's directory names `segment`, and there is an item at `place`.
    #[inline]
    pub(crate) unsafe fn new(
        store: &'a mut Store<T>,
        segment: NonNull<Segment>,
        place: Place,
    ) -> Self {
        // SAFETY: segments named by the directory are live.
        let id = unsafe { segment.as_ref() }.slot(place).id();
        // SAFETY: handles in slots are live.
        let at = unsafe { store.slab.address(id) };
        Self {
            store,
            segment,
            place,
            id,
            at,
        }
    }

    #[inline]
    fn segment(&self) -> &Segment {
        // SAFETY: we hold the store exclusively, and free no segment before our last act.
        unsafe { self.segment.as_ref() }
    }

    #[inline]
    fn record(&self) -> Record<'_> {
        // SAFETY: the record was written, and changing it takes `&mut self`.
        unsafe { Record::new(self.at) }
    }

    #[inline]
    fn record_mut(&mut self) -> RecordMut<'_> {
        // SAFETY: the store is exclusively ours and so are its records.
        unsafe { RecordMut::new(self.at) }
    }

    /// The entry for reading.
    #[inline]
    pub fn as_ref(&self) -> EntryRef<'_, T> {
        self.store.entry_ref(self.segment(), self.place)
    }

    /// The key.
    #[inline]
    pub fn key(&self) -> &[u8] {
        self.record().key()
    }

    /// The four bits that belong to the caller.
    #[inline]
    pub fn tag(&self) -> u8 {
        self.record().tag()
    }

    /// The body.
    #[inline]
    pub fn body(&self) -> Body<'_, T> {
        // SAFETY: a Store<T> has objects of T only; changing one takes `&mut self`.
        unsafe { self.record().body() }
    }

    /// The deadline in unix milliseconds, if there is one.
    #[inline]
    pub fn deadline(&self) -> Option<u64> {
        self.record().deadline()
    }

    /// The heat: 0 for a new entry, then what `touch` wrote last.
    #[inline]
    pub fn heat(&self) -> u16 {
        self.segment().heat(self.place).get()
    }

    /// Sets the heat; writes only if it differs.
    #[inline]
    pub fn touch(&self, tick: u16) {
        self.as_ref().touch(tick);
    }

    /// The record's name; another one after a change of size.
    #[inline]
    pub fn id(&self) -> EntryId {
        self.id
    }

    /// Bytes that the record occupies: those of its size class or of its own block.
    pub fn record_bytes(&self) -> usize {
        self.store.slab.capacity(self.id)
    }

    /// Sets the low four bits of `tag`.
    #[inline]
    pub fn set_tag(&mut self, tag: u8) {
        self.record_mut().set_tag(tag);
    }

    /// Replaces tag and body, dropping the old one; the deadline stays.
    #[inline]
    pub fn set(&mut self, tag: u8, body: NewBody<'_, T>) {
        drop(self.replace(tag, body));
    }

    /// Replaces tag and body; the deadline stays. Returns the object it held, if any.
    #[inline]
    pub fn replace(&mut self, tag: u8, body: NewBody<'_, T>) -> Option<Box<T>> {
        let old = self.record().plan();
        let new = Plan::new(old.key_len, old.has_deadline(), &body);
        if old == new && old.kind() != Kind::Object {
            let mut record = self.record_mut();
            record.set_tag(tag);
            record.write_body(&new, body);
            return None;
        }
        let deadline = self.record().deadline_word();
        let object = self.take_object();
        if self.store.slab.stays(self.id, old.bytes(), new.bytes()) {
            let mut record = self.record_mut();
            record.slide_key(&old, &new);
            record.write_head(&new, tag, deadline);
            record.write_body(&new, body);
        } else {
            let (id, at) = self.store.slab.allocate(new.bytes(), Room::Exact);
            // SAFETY: the cell is fresh, ours alone, and has room for the plan.
            let mut record = unsafe { RecordMut::new(at) };
            record.write_head(&new, tag, deadline);
            record.write_key(&new, self.record().key());
            record.write_body(&new, body);
            self.move_to(id, at);
        }
        self.account(&old, &new);
        object
    }

    /// Sets or clears the deadline, in unix milliseconds, below 2^63.
    pub fn set_deadline(&mut self, deadline: Option<u64>) {
        let locator = self.segment().locator(self.place);
        let old = self.record().plan();
        let old_word = self.record().deadline_word();
        let word = self.store.note_deadline(locator, old_word, deadline);
        match word {
            Some(word) if old_word.is_some() => self.record_mut().write_deadline(&old, word),
            None if old_word.is_none() => {}
            _ => {
                let new = old.with_deadline(word.is_some());
                self.reshape(&old, &new, word, Room::Exact);
            }
        }
    }

    /// The object, if the body is one.
    #[inline]
    pub fn object_mut(&mut self) -> Option<&mut T> {
        let mut object = self.object_pointer()?;
        // SAFETY: the record owns the box, and we hold the store exclusively.
        Some(unsafe { object.as_mut() })
    }

    #[inline]
    fn object_pointer(&self) -> Option<NonNull<T>> {
        let plan = self.record().plan();
        // SAFETY: the kind says that there is an object, and all objects are `T`s.
        (plan.kind() == Kind::Object).then(|| unsafe { self.record().object::<T>(&plan) })
    }

    /// The bytes in place, if the body is bytes.
    #[inline]
    pub fn bytes_mut(&mut self) -> Option<&mut [u8]> {
        let plan = self.record().plan();
        (plan.kind() == Kind::Bytes).then(|| self.record_mut().into_bytes(&plan))
    }

    /// The object for as long as the store is borrowed, if the body is one.
    #[inline]
    pub fn into_object(self) -> Option<&'a mut T> {
        let mut object = self.object_pointer()?;
        // SAFETY: the record owns the box, and we held the store exclusively for 'a.
        Some(unsafe { object.as_mut() })
    }

    /// The entry for reading, for as long as the store is borrowed.
    #[inline]
    pub fn into_ref(self) -> EntryRef<'a, T> {
        let store: &'a Store<T> = self.store;
        // SAFETY: the store is borrowed for 'a, so no segment is freed.
        store.entry_ref(unsafe { self.segment.as_ref() }, self.place)
    }

    /// Gives the bytes another length, with zeroes at the end when it grows; `None` if the body is
    /// not bytes. A large body that grows gets room to grow again.
    pub fn resize_bytes(&mut self, len: usize) -> Option<&mut [u8]> {
        let old = self.record().plan();
        if old.kind() != Kind::Bytes {
            return None;
        }
        let new = old.with_body_len(len);
        let room = if len > old.body_len {
            Room::ToGrow
        } else {
            Room::Exact
        };
        let deadline = self.record().deadline_word();
        self.reshape(&old, &new, deadline, room);
        let mut record = self.record_mut();
        record.zero_body(&new, old.body_len.min(len));
        Some(record.into_bytes(&new))
    }

    /// Removes the entry and returns the object it held, if any.
    #[inline]
    pub fn remove(self) -> Option<Box<T>> {
        let object = self.store.destroy(self.id);
        // SAFETY: the item is ours, its record was just destroyed, and nothing of us is used again.
        unsafe { self.store.forget(self.segment, self.place) }
        object
    }

    /// Gives the record another plan, keeping key and body.
    fn reshape(&mut self, old: &Plan, new: &Plan, deadline_word: Option<u64>, room: Room) {
        let tag = self.record().tag();
        if self.store.slab.stays(self.id, old.bytes(), new.bytes()) {
            let mut record = self.record_mut();
            record.slide_all(old, new);
            record.write_head(new, tag, deadline_word);
        } else {
            let (id, at) = self.store.slab.allocate(new.bytes(), room);
            // SAFETY: the cell is fresh, ours alone, and has room for the plan.
            let mut record = unsafe { RecordMut::new(at) };
            record.write_head(new, tag, deadline_word);
            record.copy_all(new, self.record(), old);
            self.move_to(id, at);
        }
        self.account(old, new);
    }

    /// Takes the object out of a record that is about to be overwritten.
    #[inline]
    fn take_object(&mut self) -> Option<Box<T>> {
        let object = self.object_pointer()?;
        // SAFETY: it was leaked from a box; the record that names it is overwritten next.
        Some(unsafe { Box::from_raw(object.as_ptr()) })
    }

    /// Frees the old record and names the new one.
    fn move_to(&mut self, id: EntryId, at: NonNull<u8>) {
        // SAFETY: the old record is live, and nothing refers to it after this.
        unsafe { self.store.slab.free(self.id) }
        self.segment().patch(self.place, id);
        (self.id, self.at) = (id, at);
    }

    #[inline]
    fn account(&mut self, old: &Plan, new: &Plan) {
        self.store.requested += new.bytes();
        self.store.requested -= old.bytes();
        self.store.objects += usize::from(new.kind() == Kind::Object);
        self.store.objects -= usize::from(old.kind() == Kind::Object);
    }
}

impl<T> fmt::Debug for EntryMut<'_, T> {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_tuple("EntryMut").field(&self.as_ref()).finish()
    }
}
