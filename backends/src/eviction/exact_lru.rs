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

/// The policy of that name.
#[derive(Debug, Default)]
pub(super) struct ExactLru {
    queue: Runs,
    /// What weeding has still to go through.
    old: Runs,
    /// Below all clocks in `old`.
    floor: u64,
    /// Whose words weeding has come across: a key that went and came again has several.
    seen: HashSet<Locator>,
}

impl ExactLru {
    /// Puts words where their keys' clocks say, and drops those of keys that are gone or have others.
    fn weed(&mut self, keys: &mut dyn Residents, steps: &mut u32) {
        while *steps > 0
            && let Some(key) = self.old.take_any()
        {
            *steps -= 1;
            if let Some(resident) = keys.find(key)
                && self.seen.insert(key)
            {
                // What is lower than all that is there makes a queue open blocks: the first goes below.
                let is_first = self.seen.len() == 1;
                let clock = if is_first { self.floor } else { resident.clock };
                self.queue.insert(clock, key);
            }
        }
        if self.old.is_empty() && self.seen.capacity() > 0 {
            self.seen = HashSet::new();
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
        if self.old.is_empty() && queue::is_overgrown(self.queue.len(), keys.count()) {
            self.seen.reserve(keys.count());
            self.floor = self.queue.earliest().unwrap_or(0);
            self.old = mem::take(&mut self.queue);
        }
        self.weed(keys, steps);
    }

    fn memory(&self) -> PolicyMemory {
        let seen = self.seen.capacity() * (size_of::<Locator>() + 1);
        PolicyMemory {
            residents: self.queue.memory() + self.old.memory() + seen,
            ..PolicyMemory::default()
        }
    }
}
