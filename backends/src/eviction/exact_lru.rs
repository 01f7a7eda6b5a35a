//! The least recently used key, exactly: a queue in the order of last uses, by lower bounds.
//!
//! A hit moves nothing but the key's clock. A word of the queue has the clock that its key showed when
//! it was put there; when its turn comes and the key was used since, it goes where it belongs now.

use super::part;
use super::queue;
use dovetail_engine::seam::eviction::{
    EvictionPolicy, Locator, Pick, PolicyMemory, Resident, Residents, Runs, Victim,
};
use std::collections::HashSet;
use std::mem;

/// Keys that one table of those that weeding has come across is meant to hold,
const TABLE_KEYS: usize = 1024;
/// and how many tables there are at most.
const TABLES_MAX: usize = 1 << 14;

/// The policy of that name.
#[derive(Debug, Default)]
pub(super) struct ExactLru {
    queue: Runs,
    /// What weeding has still to go through.
    old: Runs,
    /// Below all clocks in `old`.
    floor: u64,
    /// Whose words weeding has come across: a key that went and came again has several. Many small
    /// tables, each for a range of names, so that none takes long to grow or to go.
    seen: Vec<HashSet<Locator>>,
    /// Names that there is room for in them.
    room: usize,
}

impl ExactLru {
    /// Begins to go through all words.
    fn begin_weeding(&mut self, keys: usize) {
        let tables = (keys / TABLE_KEYS).clamp(1, TABLES_MAX);
        self.seen.resize_with(tables, HashSet::new);
        self.floor = self.queue.earliest().unwrap_or(0);
        self.old = mem::take(&mut self.queue);
    }

    /// Whether weeding has not come across the key before.
    fn is_first(&mut self, key: Locator) -> bool {
        let wide = u128::from(key.bits()) * self.seen.len() as u128;
        let nth = usize::try_from(wide >> Locator::BITS).unwrap_or(0);
        let Some(table) = self.seen.get_mut(nth) else {
            return true;
        };
        let before = table.capacity();
        let is_first = table.insert(key);
        self.room += table.capacity() - before;
        is_first
    }

    /// Puts words where their keys' clocks say, and drops those of keys that are gone or have others.
    fn weed(&mut self, keys: &mut dyn Residents, steps: &mut u32) {
        while *steps > 0
            && let Some(key) = self.old.take_any()
        {
            *steps -= 1;
            if let Some(resident) = keys.find(key)
                && self.is_first(key)
            {
                // What is lower than all that is there makes a queue open blocks: the first goes below.
                let clock = match self.queue.is_empty() {
                    true => self.floor,
                    false => resident.clock,
                };
                self.queue.insert(clock, key);
            }
        }
        while *steps > 0
            && self.old.is_empty()
            && let Some(table) = self.seen.pop()
        {
            *steps -= 1;
            self.room -= table.capacity();
            if self.seen.is_empty() {
                self.seen = Vec::new();
            }
        }
    }
}

impl EvictionPolicy for ExactLru {
    fn enter(&mut self, resident: Resident) -> u16 {
        self.queue.insert(resident.clock, resident.key);
        resident.mark
    }

    fn pick(&mut self, keys: &mut dyn Residents, steps: &mut u32) -> Pick {
        self.weed(keys, steps);
        while let Some((clock, key)) = self.queue.next(u64::MAX, steps) {
            match keys.find(key) {
                Some(resident) if resident.clock > clock => {
                    self.queue.insert(resident.clock, key);
                }
                Some(_) => {
                    return Pick::Victim(Victim { key, rank: !clock });
                }
                None => {}
            }
        }
        if *steps == 0 {
            Pick::OutOfSteps
        } else {
            part::anybody(keys, steps)
        }
    }

    fn tidy(&mut self, keys: &mut dyn Residents, steps: &mut u32) {
        let is_idle = self.old.is_empty() && self.seen.is_empty();
        if is_idle && queue::is_overgrown(self.queue.len(), keys.count()) {
            self.begin_weeding(keys.count());
        }
        self.weed(keys, steps);
    }

    fn memory(&self) -> PolicyMemory {
        let seen = self.seen.capacity() * size_of::<HashSet<Locator>>()
            + self.room * (size_of::<Locator>() + 1);
        PolicyMemory {
            residents: self.queue.memory() + self.old.memory() + seen,
            ..PolicyMemory::default()
        }
    }
}
