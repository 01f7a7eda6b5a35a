//! Walking over all entries in pieces, and drawing one at random.
//!
//! A cursor is a place in the space of hashes: a range of prefixes (where it begins, and the depth
//! that gives its size) and a home bucket within it. It means: everything before the range is done,
//! and of the range the buckets before this one. Splits and merges move entries between segments
//! but never change their prefix or home, so an entry that is there throughout is met.
//! Units: a cursor is below 2^39, and 0 is both start and end.

use crate::entry::EntryRef;
use crate::hash::{HOME_BUCKETS, PREFIX_BITS, PREFIX_END, Probe, index, low_u32};
use crate::prefetch::line;
use crate::runs::Locator;
use crate::segment::{BUCKET_SLOTS, BUCKETS, Place, SLOTS, Segment};
use crate::store::Store;

const DEPTH_SHIFT: u32 = 6;
const PREFIX_SHIFT: u32 = 11;
/// The most items that can have one home: those of its bucket, the next and the stash.
const HOME_ITEMS_MAX: usize = BUCKET_SLOTS * (2 + BUCKETS - HOME_BUCKETS);
/// Draws of a slot before `sample` takes the next full one.
const DRAWS: u64 = 64;

impl<T> Store<T> {
    /// Shows `visit` the entries of one home bucket and returns the cursor for the next call.
    ///
    /// `cursor`: 0 to start, else what the last call returned; any other number is harmless.
    /// Returns 0 when all is done. Every entry that is in the store from the first call to the
    /// last is shown at least once, whatever else happens in between; an entry may be shown again
    /// if segments merged or split meanwhile.
    pub fn scan(&self, cursor: u64, visit: &mut dyn FnMut(EntryRef<'_, T>)) -> u64 {
        let start = low_u32(cursor >> PREFIX_SHIFT) % PREFIX_END;
        let mut bucket = index(cursor % (1 << DEPTH_SHIFT));
        let mut depth = low_u32(cursor >> DEPTH_SHIFT) % (1 << (PREFIX_SHIFT - DEPTH_SHIFT));
        if bucket == 0 || bucket >= HOME_BUCKETS {
            (bucket, depth) = (0, 0);
        }
        let Some((segment, _)) = self.directory.at(start) else {
            return 0;
        };
        // The range lies in one segment and begins at a multiple of its size. If the segment was
        // split since, this makes it the first half; the other half then begins at bucket 0 again.
        let aligned = PREFIX_BITS - start.trailing_zeros().min(PREFIX_BITS);
        let depth = depth.min(PREFIX_BITS).max(segment.depth()).max(aligned);
        let end = start + (1 << (PREFIX_BITS - depth));

        let mut places = [Place { bucket: 0, slot: 0 }; HOME_ITEMS_MAX];
        let mut count = 0;
        segment.each_of_home(bucket, |place| {
            if depth == segment.depth() || (start..end).contains(&segment.prefix(place)) {
                self.prefetch_at(segment, place);
                places[count] = place;
                count += 1;
            }
        });
        for &place in &places[..count] {
            visit(self.entry_ref(segment, place));
        }

        if bucket + 1 < HOME_BUCKETS {
            let depth = u64::from(depth) << DEPTH_SHIFT;
            return u64::from(start) << PREFIX_SHIFT | depth | (bucket as u64 + 1);
        }
        u64::from(end % PREFIX_END) << PREFIX_SHIFT
    }

    /// Draws an entry, nearly uniformly; the same `random` draws the same from the same store.
    ///
    /// A segment is drawn by its share of the keys, then a slot of it until one is full. Only an
    /// empty store gives `None`.
    pub fn sample(&self, random: u64) -> Option<EntryRef<'_, T>> {
        let segment = self.draw_segment(random)?;
        let mut position = 0;
        for draw in 1..=DRAWS {
            position = drawn_position(random, draw);
            if !segment.slot(Place::at(position)).is_empty() {
                return Some(self.entry_ref(segment, Place::at(position)));
            }
        }
        let full = places_from(position).find(|&place| !segment.slot(place).is_empty());
        full.map(|place| self.entry_ref(segment, place))
    }

    /// Shows up to `count` entries that lie side by side from a place on that `random` draws: where a
    /// key lies is chance, so they are as good as drawn one by one, and what is beside the table of
    /// them shares a few lines. No record is read. An empty store shows none.
    pub fn sample_run(
        &self,
        random: u64,
        count: usize,
        visit: &mut dyn FnMut(Locator, EntryRef<'_, T>),
    ) {
        let Some(segment) = self.draw_segment(random) else {
            return;
        };
        let places = places_from(drawn_position(random, 1));
        let full = places.filter(|&place| !segment.slot(place).is_empty());
        for place in full.take(count) {
            visit(segment.locator(place), self.entry_ref(segment, place));
        }
    }

    /// First stage for a [`Self::sample_run`] to come: asks for buckets and heats.
    pub fn prefetch_run(&self, random: u64) {
        if let Some((segment, _)) = self.directory.at(Probe::new(random).prefix()) {
            segment.prefetch_around(Place::at(drawn_position(random, 1)));
        }
    }

    /// Second stage, when the first has had time: asks for the marks.
    pub fn prefetch_run_marks(&self, random: u64) {
        if let Some((segment, _)) = self.directory.at(Probe::new(random).prefix())
            && let Some(marks) = segment.marks()
        {
            line(
                marks
                    .get(Place::at(drawn_position(random, 1)))
                    .as_ptr()
                    .cast(),
            );
        }
    }

    /// Draws a segment that is not empty, by its share of the keys.
    fn draw_segment(&self, random: u64) -> Option<&Segment> {
        if self.is_empty() {
            return None;
        }
        let mut prefix = Probe::new(random).prefix();
        let (mut segment, mut end) = self.directory.at(prefix)?;
        for draw in 1..=DRAWS {
            if segment.count() > 0 {
                break;
            }
            prefix = Probe::new(mix(random, draw)).prefix();
            (segment, end) = self.directory.at(prefix)?;
        }
        while segment.count() == 0 {
            prefix = end % PREFIX_END;
            (segment, end) = self.directory.at(prefix)?;
        }
        Some(segment)
    }
}

/// The position in a segment that is drawn so many draws after `random`.
fn drawn_position(random: u64, draw: u64) -> usize {
    let bits = mix(!random, draw);
    index(((bits >> 32) * SLOTS as u64) >> 32)
}

/// All places of a segment, from `position` on and round.
fn places_from(position: usize) -> impl Iterator<Item = Place> {
    (position..SLOTS).chain(0..position).map(Place::at)
}

/// The `draw`th number of the sequence that `seed` begins.
pub(crate) fn mix(seed: u64, draw: u64) -> u64 {
    let x = seed.wrapping_add(draw.wrapping_mul(0x9e37_79b9_7f4a_7c15));
    let x = (x ^ (x >> 30)).wrapping_mul(0xbf58_476d_1ce4_e5b9);
    let x = (x ^ (x >> 27)).wrapping_mul(0x94d0_49bb_1331_11eb);
    x ^ (x >> 31)
}
