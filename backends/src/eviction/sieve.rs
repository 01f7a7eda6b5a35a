//! SIEVE: one queue with a hand that goes round, from the oldest to the newest; it spares a key that
//! was used since it last came by, and takes the first that was not.
//!
//! The queue lies in two: what the hand has before it, to which newcomers are added, and what it has
//! passed. Starves newcomers where everything old is used now and then.

use super::part::{self, Serial};
use super::queue::{self, Word};
use dovetail_engine::seam::eviction::{EvictionPolicy, Pick, PolicyMemory, Resident, Residents};
use std::mem;

const HIT_BITS: u32 = 1;
/// The bit of the mark that a hit sets.
pub(super) const HITS: u16 = 1;

type Part = part::Part<HIT_BITS>;

/// The policy of that name.
#[derive(Debug, Default)]
pub(super) struct Sieve {
    before: Part,
    passed: Part,
    serial: Serial<HIT_BITS>,
    /// Which queue is being weeded.
    turn: usize,
}

impl Sieve {
    fn len(&self) -> usize {
        self.before.len() + self.passed.len()
    }
}

impl EvictionPolicy for Sieve {
    fn enter(&mut self, resident: Resident) -> u16 {
        let (serial, mark) = self.serial.next();
        self.before
            .push(Word::new(resident.key, serial), resident.bytes);
        mark
    }

    fn pick(&mut self, keys: &mut dyn Residents, steps: &mut u32) -> Pick {
        while *steps > 0 {
            *steps -= 1;
            if self.before.len() == 0 {
                mem::swap(&mut self.before, &mut self.passed);
                if self.before.len() == 0 {
                    return part::anybody(keys, steps);
                }
                continue;
            }
            let Some((word, resident)) = self.before.pop(keys) else {
                continue;
            };
            if resident.mark & HITS == 0 {
                // A hand that has taken the newest begins anew with the oldest, whoever comes next.
                if self.before.len() == 0 {
                    mem::swap(&mut self.before, &mut self.passed);
                }
                return Pick::Victim(part::victim(resident.key, &resident));
            }
            keys.set_mark(resident.key, resident.mark & !HITS);
            self.passed.push(word, resident.bytes);
        }
        Pick::OutOfSteps
    }

    fn tidy(&mut self, keys: &mut dyn Residents, steps: &mut u32) {
        if queue::is_overgrown(self.len(), keys.count()) {
            let parts = [&mut self.before, &mut self.passed];
            part::weed_in_turn(parts, &mut self.turn, keys, steps);
        }
    }

    fn memory(&self) -> PolicyMemory {
        PolicyMemory {
            residents: self.before.queue.memory() + self.passed.queue.memory(),
            ..PolicyMemory::default()
        }
    }
}
