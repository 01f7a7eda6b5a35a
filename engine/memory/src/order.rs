//! All entries at once, in the order in which they lie in memory.
//!
//! A walk by the table reads a record here and one there; this one reads memory forwards, which is
//! several times as fast. It does not see the table, so that entries show no heat.

use std::cell::Cell;
use std::mem::ManuallyDrop;
use std::rc::Rc;

use crate::entry::EntryRef;
use crate::record::Record;
use crate::store::Store;

impl<T> Store<T> {
    /// Shows `visit` every entry exactly once, until it fails, in an order that depends on what was
    /// written when. The heat of these entries is 0, and touching them does nothing.
    ///
    /// # Errors
    /// Those of `visit`.
    pub fn each_in_memory_order<E>(
        &self,
        visit: &mut dyn FnMut(EntryRef<'_, T>) -> Result<(), E>,
    ) -> Result<(), E> {
        let heat = Cell::new(0);
        self.slab.each(&mut |id, at| {
            // SAFETY: the slab shows live records, and the store is borrowed.
            let record = unsafe { Record::new(at) };
            visit(EntryRef::new(record, id, (&heat, None), &self.slab))
        })
    }

    /// The same, but the store is empty then, whether or not all entries were shown: the table goes at
    /// once, and the memory of records as soon as they have been shown. Objects and the blocks of
    /// large records are leaked.
    ///
    /// For a forked child, of which the parent has the original: what the child has given up is not
    /// copied when the parent writes there. To destroy a store there is [`Store::drain`].
    ///
    /// # Errors
    /// Those of `visit`.
    pub fn drain_in_memory_order<E>(
        &mut self,
        visit: &mut dyn FnMut(EntryRef<'_, T>) -> Result<(), E>,
    ) -> Result<(), E> {
        let source = Rc::clone(self.table.source());
        let empty = Self::new(Rc::clone(&source));
        // Should `visit` panic, all that is left is leaked.
        let mut old = ManuallyDrop::new(std::mem::replace(self, empty));
        old.directory.clear();
        // SAFETY: the directory named all segments and is empty.
        unsafe { old.table.clear() }
        // SAFETY: the segments named all marks and are gone.
        unsafe { old.marking.clear() }
        let (heat, slab) = (Cell::new(0), &old.slab);
        let mut show = |id, at| {
            // SAFETY: the slab shows live records, which nothing else refers to.
            let record = unsafe { Record::new(at) };
            visit(EntryRef::new(record, id, (&heat, None), slab))
        };
        // SAFETY: what is shown cannot be kept beyond the call, and the segments held all handles.
        let result = unsafe { slab.each_giving_up(&*source, &mut show) };
        // SAFETY: as before.
        unsafe { old.slab.forget() }
        result
    }
}
