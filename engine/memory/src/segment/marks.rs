//! Sixteen bits for each slot of a segment, beside it: what an eviction policy remembers of a key.

use std::cell::Cell;
use std::ptr::NonNull;

use super::{Place, SLOTS};

/// The marks of one segment, by position; all zero bytes are valid.
#[repr(transparent)]
pub(crate) struct Marks([Cell<u16>; SLOTS]);

/// Marks that live for as long as the segment that names them does.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) struct MarksRef(NonNull<Marks>);

impl MarksRef {
    /// # Safety
    ///
    /// `marks` is initialised, and is not freed before the last use of this and its copies.
    pub(crate) unsafe fn new(marks: NonNull<Marks>) -> Self {
        Self(marks)
    }

    pub(crate) fn pointer(self) -> NonNull<Marks> {
        self.0
    }

    /// The mark at `place`. The caller bounds the life of what is returned by that of the segment.
    #[inline]
    pub(crate) fn get<'a>(self, place: Place) -> &'a Cell<u16> {
        // SAFETY: the maker of this promised that the marks outlive its uses.
        let marks = unsafe { self.0.as_ref() };
        &marks.0[place.position()]
    }
}
