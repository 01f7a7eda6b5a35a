//! Splitting a segment in two, and merging two into one.

use super::{BUCKET_SLOTS, BUCKETS, Place, Segment, next_home};
use crate::hash::{HOME_BUCKETS, PREFIX_BITS};

impl Segment {
    /// Moves the items whose next hash bit is 1 to `buddy`, an empty segment; both become one
    /// deeper. No record is looked at.
    pub(crate) fn split_into(&self, buddy: &Self) {
        let depth = self.depth() + 1;
        self.set_depth(depth);
        buddy.init(depth);
        let mut moved = 0;
        for bucket in 0..BUCKETS {
            let slots = self.buckets[bucket].choose(PREFIX_BITS - depth);
            if slots != 0 {
                self.hand_over(buddy, bucket, slots);
                moved += u64::from(slots.count_ones());
            }
        }
        self.head.set(self.head.get() - moved);
        buddy.head.set(buddy.head.get() + moved);
        self.bring_home();
        buddy.bring_home();
    }

    /// Moves the items in `slots`, a set of bits, to the same bucket of `buddy`.
    fn hand_over(&self, buddy: &Self, bucket: usize, slots: u8) {
        let first = bucket * BUCKET_SLOTS;
        self.buckets[bucket].hand_over(&buddy.buckets[bucket], slots);
        for slot in 0..BUCKET_SLOTS {
            if slots >> slot & 1 == 0 {
                continue;
            }
            let home = buddy.buckets[bucket].slot(slot).home();
            if home != bucket {
                self.count_away(home, bucket, -1);
                buddy.count_away(home, bucket, 1);
            }
            buddy.heat[first + slot].set(self.heat[first + slot].get());
            let place = Place { bucket, slot };
            buddy.copy_mark(place, self, place);
        }
    }

    /// Moves items that live away from home back to it, or from the stash to the neighbour.
    fn bring_home(&self) {
        for home in 0..HOME_BUCKETS {
            let next = next_home(home);
            if self.buckets[home].near() != 0 {
                self.fetch(home, next, &[home]);
            }
            if self.buckets[home].far() != 0 {
                (HOME_BUCKETS..BUCKETS).for_each(|stash| self.fetch(home, stash, &[home, next]));
            }
        }
    }

    /// Moves the items of `home` that are in `bucket` to the first of `targets` that has room.
    fn fetch(&self, home: usize, bucket: usize, targets: &[usize]) {
        for slot in 0..BUCKET_SLOTS {
            let from = Place { bucket, slot };
            let item = self.slot(from);
            if item.is_empty() || item.home() != home {
                continue;
            }
            let room = targets.iter().find_map(|&target| {
                let slot = self.buckets[target].free_slot()?;
                Some(Place {
                    bucket: target,
                    slot,
                })
            });
            match room {
                Some(to) => self.shift(from, to),
                None => return,
            }
        }
    }

    /// Takes in all items of `buddy`, whose prefix differs in the last bit, and becomes one less
    /// deep; `buddy` is left as it was.
    ///
    /// Returns whether it succeeded; if some item found no place, nothing has changed.
    pub(crate) fn absorb(&self, buddy: &Self) -> bool {
        let mut fits = true;
        buddy.each(|from| {
            if fits {
                fits = self.adopt(buddy, from);
            }
        });
        let bit = PREFIX_BITS - self.depth();
        if fits {
            self.set_depth(self.depth() - 1);
        } else {
            self.each(|place| {
                if self.prefix(place) >> bit & 1 == 1 {
                    self.remove(place);
                }
            });
        }
        fits
    }

    fn adopt(&self, buddy: &Self, from: Place) -> bool {
        let home = buddy.slot(from).home();
        let free = self.buckets[home]
            .free_slot()
            .map(|slot| Place { bucket: home, slot });
        let Some(to) = free.or_else(|| self.make_room(home)) else {
            return false;
        };
        buddy.copy_to(from, self, to);
        self.count_away(home, to.bucket, 1);
        true
    }
}
