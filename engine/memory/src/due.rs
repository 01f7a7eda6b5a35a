//! Finding entries whose deadline has come, segment by segment.
//!
//! Each segment keeps a lower bound of its deadlines in its head and a bit per slot; a pass reads
//! one line of a segment in which nothing is due, and of the others only records with a deadline.
//! Units: deadlines in unix milliseconds.

use std::ptr::NonNull;

use crate::entry::EntryRef;
use crate::hash::{PREFIX_END, index, low_u32};
use crate::segment::{NEVER, Place, Segment};
use crate::store::Store;

const POSITION_BITS: u32 = 9;
/// How many segments ahead of the walk the heads are asked for, by the size of the current one.
const HEADS_AHEAD: u32 = 4;

/// What a walk through one segment has learned so far, for setting that segment's earliest deadline
/// at its end. Splits and merges stop it; the segment then keeps its bound, which is only too low.
#[derive(Clone, Copy, Debug, Default)]
pub(crate) struct Walk {
    /// Where the walk stands, if it has seen all entries of the segment before that position.
    at: Option<Cursor>,
    earliest: u64,
    /// The entry handed out last: its slot and deadline, in case it stays.
    handed: Option<(usize, u64)>,
}

/// Where a pass stands: a segment's prefix, and there at the head (position 0) or before the slot
/// `position - 1`.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
struct Cursor {
    prefix: u32,
    position: usize,
}

impl Walk {
    /// Takes into account a deadline set somewhere in the store.
    #[inline]
    pub(crate) fn note(&mut self, deadline: Option<u64>) {
        if let Some(deadline) = deadline {
            self.earliest = self.earliest.min(deadline);
        }
    }

    #[inline]
    pub(crate) fn stop(&mut self) {
        self.at = None;
    }

    /// Starts a walk at a segment's head, or goes on with this one if it stands at `cursor`.
    fn resume(&mut self, cursor: &mut Cursor, segment: &Segment) {
        if cursor.position == 0 {
            segment.settle();
            cursor.position = 1;
            *self = Self {
                at: Some(*cursor),
                earliest: NEVER,
                handed: None,
            };
        } else if self.at != Some(*cursor) {
            self.at = None;
        } else if let Some((slot, deadline)) = self.handed.take()
            && segment.has_deadline(Place::at(slot))
        {
            self.earliest = self.earliest.min(deadline);
        }
    }

    /// Brings `cursor`, and the walk if there is one, to `position`.
    fn advance(&mut self, cursor: &mut Cursor, position: usize) {
        cursor.position = position;
        if self.at.is_some() {
            self.at = Some(*cursor);
        }
    }
}

impl<T> Store<T> {
    /// Finds the next entry, in the order of the table from `cursor` on, whose deadline is `now_ms`
    /// or earlier.
    ///
    /// `cursor` starts at 0 and comes back to 0 at the end of a pass; any other number is harmless.
    /// `steps` pays one for each segment's head and each entry with a deadline that is looked at.
    /// Returns `None` when `steps` is used up or when the pass has ended. An entry that the caller
    /// leaves in place is passed over until the next pass.
    pub fn find_due(
        &mut self,
        cursor: &mut u64,
        now_ms: u64,
        steps: &mut u32,
    ) -> Option<EntryRef<'_, T>> {
        let mut here = Cursor {
            prefix: low_u32(*cursor >> POSITION_BITS) % PREFIX_END,
            position: index(*cursor % (1 << POSITION_BITS)),
        };
        let found = self.next_due(&mut here, now_ms, steps);
        *cursor = u64::from(here.prefix) << POSITION_BITS | here.position as u64;
        let (segment, place) = found?;
        // SAFETY: the directory named this segment, and nothing has changed since.
        let segment = unsafe { segment.as_ref() };
        Some(self.entry_ref(segment, place))
    }

    fn next_due(
        &mut self,
        cursor: &mut Cursor,
        now_ms: u64,
        steps: &mut u32,
    ) -> Option<(NonNull<Segment>, Place)> {
        while let Some((segment, end)) = self.directory.at(cursor.prefix) {
            if cursor.position == 0 {
                *steps = steps.checked_sub(1)?;
            }
            if cursor.position > 0 || segment.earliest() <= now_ms {
                self.walk.resume(cursor, segment);
                while let Some(slot) = segment.next_deadline(cursor.position - 1) {
                    *steps = steps.checked_sub(1)?;
                    if let Some(next) = segment.next_deadline(slot + 1) {
                        self.prefetch_at(segment, Place::at(next));
                    }
                    let place = Place::at(slot);
                    let deadline = self.record(segment.slot(place).id()).deadline();
                    let deadline = deadline.unwrap_or(u64::MAX);
                    self.walk.advance(cursor, slot + 2);
                    if deadline <= now_ms {
                        self.walk.handed = Some((slot, deadline));
                        return Some((NonNull::from(segment), place));
                    }
                    self.walk.earliest = self.walk.earliest.min(deadline);
                }
                if self.walk.at.is_some() && segment.is_settled() {
                    segment.set_earliest(self.walk.earliest);
                }
                self.walk.stop();
            }
            let ahead = end + HEADS_AHEAD * (end - cursor.prefix);
            self.prefetch_segment(ahead % PREFIX_END);
            *cursor = Cursor {
                prefix: end % PREFIX_END,
                position: 0,
            };
            if cursor.prefix == 0 {
                return None;
            }
        }
        *cursor = Cursor {
            prefix: 0,
            position: 0,
        };
        None
    }
}
