//! Marks: sixteen bits for each entry that an eviction policy remembers something with, and the names
//! of entries that are new to it.
//!
//! Without a policy that wants them there are none, and they cost nothing. They are given to one
//! segment after the other, and taken away in the same manner.

use std::collections::VecDeque;
use std::ptr::NonNull;
use std::rc::Rc;

use crate::chunks::CellPool;
use crate::entry::EntryRef;
use crate::hash::{PREFIX_END, Probe};
use crate::pages::{ChunkKind, PageSource};
use crate::runs::Locator;
use crate::segment::{Marks, MarksRef, Place, Segment};
use crate::store::Store;

/// Room for so many newcomers stays when the last of them has been taken.
const NEWCOMERS_KEPT: usize = 1024;

/// What an entry begins with.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub struct Heat {
    /// The access clock.
    pub clock: u16,
    /// The mark, if there are marks.
    pub mark: u16,
}

/// The marks of one store.
pub(crate) struct Marking {
    cells: CellPool,
    is_on: bool,
    /// Before this prefix all segments have marks, or none has, as `is_on` says.
    done: u32,
    tells: Newcomers,
    newcomers: VecDeque<Locator>,
}

impl Marking {
    pub(crate) fn new(pages: Rc<dyn PageSource>) -> Self {
        Self {
            cells: CellPool::new(pages, ChunkKind::Table, size_of::<Marks>()),
            is_on: false,
            done: PREFIX_END,
            tells: Newcomers::Unnamed,
            newcomers: VecDeque::new(),
        }
    }

    /// Whether there are marks, or will be.
    #[inline]
    pub(crate) fn is_on(&self) -> bool {
        self.is_on
    }

    /// Bytes of marks.
    pub(crate) fn memory(&self) -> usize {
        self.cells.used_bytes()
    }

    /// Bytes held for marks.
    pub(crate) fn chunk_bytes(&self) -> usize {
        self.cells.chunk_bytes()
    }

    /// Marks of one segment, all 0.
    pub(crate) fn take(&mut self) -> MarksRef {
        let cell: NonNull<Marks> = self.cells.take().cast();
        // SAFETY: the cell is ours and has the size of the marks.
        unsafe { cell.write_bytes(0, 1) }
        // SAFETY: it was just initialised, and goes when no segment names it any more.
        unsafe { MarksRef::new(cell) }
    }

    /// # Safety
    ///
    /// The marks came from `take`, and nothing names them any more.
    pub(crate) unsafe fn give(&mut self, marks: MarksRef) {
        // SAFETY: by the caller's promise.
        unsafe { self.cells.give(marks.pointer().cast()) }
    }

    /// # Safety
    ///
    /// Nothing names any marks any more.
    pub(crate) unsafe fn clear(&mut self) {
        // SAFETY: by the caller's promise.
        unsafe { self.cells.clear() }
        self.newcomers = VecDeque::new();
    }

    /// An entry is new, to the store or to those with a deadline.
    #[inline]
    pub(crate) fn note_newcomer(&mut self, to: Newcomers, locator: Locator) {
        if self.tells == to {
            self.newcomers.push_back(locator);
        }
    }
}

/// Which entries are told of as new.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Newcomers {
    /// None.
    Unnamed,
    /// All that are inserted.
    Inserted,
    /// Those that get a deadline and had none.
    WithDeadline,
}

/// Which entries a name may mean.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Among {
    /// Any.
    All,
    /// One that has a deadline.
    WithDeadline,
}

impl<T> Store<T> {
    /// Has marks from now on, or none; they come and go in [`Self::remark`].
    pub fn set_marks(&mut self, wanted: bool, newcomers: Newcomers) {
        self.marking.tells = newcomers;
        self.marking.newcomers = VecDeque::new();
        self.marking.is_on = wanted;
        self.marking.done = 0;
    }

    /// Goes on giving marks to segments, or taking them away, and shows `visit` every entry that has
    /// been there throughout, within about `steps` entries. Returns whether all is done.
    pub fn remark(
        &mut self,
        steps: &mut u32,
        visit: &mut dyn FnMut(Locator, EntryRef<'_, T>),
    ) -> bool {
        while self.marking.done < PREFIX_END
            && let Some((segment, end)) = self.directory.at(self.marking.done)
        {
            if *steps == 0 {
                return false;
            }
            let pointer = NonNull::from(segment);
            // SAFETY: the directory named this segment; marks change neither it nor the directory.
            let segment = unsafe { pointer.as_ref() };
            match (self.marking.is_on, segment.marks()) {
                (true, None) => {
                    segment.set_marks(Some(self.marking.take()));
                }
                (false, Some(marks)) => {
                    segment.set_marks(None);
                    // SAFETY: the segment named them, and does so no more.
                    unsafe { self.marking.give(marks) }
                }
                _ => {}
            }
            segment.each(|place| {
                *steps = steps.saturating_sub(1);
                visit(segment.locator(place), self.entry_ref(segment, place));
            });
            *steps = steps.saturating_sub(1);
            self.marking.done = end;
        }
        self.marking.done = PREFIX_END;
        true
    }

    /// What finds the key of this hash again.
    pub fn locator(hash: u64) -> Locator {
        Probe::new(hash).locator()
    }

    /// An entry at `locator`; where there are two it is always the same one.
    pub fn find_at(&self, locator: Locator, among: Among) -> Option<EntryRef<'_, T>> {
        let (segment, place) = self.place_at(locator, among)?;
        Some(self.entry_ref(segment, place))
    }

    fn place_at(&self, locator: Locator, among: Among) -> Option<(&Segment, Place)> {
        let (segment, _) = self.directory.at(locator.prefix())?;
        let place = segment.find(Probe::of_locator(locator), |id| match among {
            Among::All => true,
            Among::WithDeadline => self.record(id).deadline().is_some(),
        })?;
        Some((segment, place))
    }

    /// Removes that entry; `seen` is shown it before. Returns whether there was one, with the object
    /// that it held.
    pub fn evict_at(
        &mut self,
        locator: Locator,
        among: Among,
        seen: &mut dyn FnMut(EntryRef<'_, T>),
    ) -> Option<Option<Box<T>>> {
        let (segment, place) = self.place_at(locator, among)?;
        let segment = NonNull::from(segment);
        Some(self.remove_at(segment, place, seen))
    }

    /// Goes over some of the clocks, from `prefix` on, and returns where to go on; 0 is both the start
    /// and the end. `steps` pays one for each segment.
    pub fn age(&self, prefix: u32, steps: &mut u32, aged: &dyn Fn(u16) -> u16) -> u32 {
        let mut prefix = prefix % PREFIX_END;
        while *steps > 0
            && let Some((segment, end)) = self.directory.at(prefix)
        {
            *steps -= 1;
            segment.each(|place| {
                let clock = segment.heat(place);
                let now = aged(clock.get());
                if now != clock.get() {
                    clock.set(now);
                }
            });
            prefix = end % PREFIX_END;
            if prefix == 0 {
                return 0;
            }
        }
        if self.directory.segments() == 0 {
            0
        } else {
            prefix
        }
    }

    /// Segments of the table.
    pub fn segments(&self) -> usize {
        self.directory.segments()
    }

    /// The first of the entries that are new and have not been taken, if they are told; it may be
    /// gone.
    pub fn take_newcomer(&mut self) -> Option<Locator> {
        let newcomers = &mut self.marking.newcomers;
        let first = newcomers.pop_front();
        if newcomers.is_empty() && newcomers.capacity() > NEWCOMERS_KEPT {
            *newcomers = VecDeque::new();
        }
        first
    }

    /// How many newcomers there are to take.
    #[inline]
    pub fn newcomers(&self) -> usize {
        self.marking.newcomers.len()
    }
}
