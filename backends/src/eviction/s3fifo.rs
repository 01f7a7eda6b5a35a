//! S3-FIFO: newcomers wait in a small queue, a tenth of the bytes; who is used there twice moves to
//! the main queue, who is not goes, and is remembered. Who comes again while it is remembered goes to
//! the main queue at once. The main queue gives each use another round, up to three.

use super::ghosts::Ghosts;
use super::part::{self, Serial};
use super::queue::{self, Word};
use dovetail_engine::seam::eviction::{
    EvictionPolicy, Pick, PolicyMemory, Resident, Residents, Victim,
};

const HIT_BITS: u32 = 2;
/// The bits of the mark that count hits.
pub(super) const HITS: u16 = (1 << HIT_BITS) - 1;
/// Hits in the small queue that lead to the main one.
const PROMOTING: u16 = 2;
/// The small queue is one part in so many.
const SMALL_SHARE: u64 = 10;

type Part = part::Part<HIT_BITS>;

/// The policy of that name.
#[derive(Debug, Default)]
pub(super) struct S3Fifo {
    small: Part,
    main: Part,
    ghosts: Ghosts,
    serial: Serial<HIT_BITS>,
    /// Which queue is being weeded.
    turn: usize,
}

impl S3Fifo {
    fn len(&self) -> usize {
        self.small.len() + self.main.len()
    }

    /// How many of those that went are remembered.
    fn span(&self) -> usize {
        self.len() - self.len() / 10
    }

    /// Looks at the next of the small queue.
    fn look_small(&mut self, keys: &mut dyn Residents) -> Option<Victim> {
        let (word, resident) = self.small.pop(keys)?;
        if part::hits::<HIT_BITS>(resident.mark) >= PROMOTING {
            keys.set_mark(resident.key, part::unhit::<HIT_BITS>(resident.mark));
            self.main.push(word, resident.bytes);
            return None;
        }
        let span = self.span();
        self.ghosts.insert(resident.key, span);
        Some(part::victim(resident.key, &resident))
    }

    /// Looks at the next of the main queue.
    fn look_main(&mut self, keys: &mut dyn Residents) -> Option<Victim> {
        let (word, resident) = self.main.pop(keys)?;
        if part::hits::<HIT_BITS>(resident.mark) > 0 {
            keys.set_mark(resident.key, resident.mark - 1);
            self.main.push(word, resident.bytes);
            return None;
        }
        Some(part::victim(resident.key, &resident))
    }
}

impl EvictionPolicy for S3Fifo {
    fn enter(&mut self, resident: Resident) -> u16 {
        let (serial, mark) = self.serial.next();
        let word = Word::new(resident.key, serial);
        if self.ghosts.take(resident.key) {
            self.main.push(word, resident.bytes);
        } else {
            self.small.push(word, resident.bytes);
        }
        mark
    }

    fn pick(&mut self, keys: &mut dyn Residents, steps: &mut u32) -> Pick {
        while *steps > 0 {
            *steps -= 1;
            if self.len() == 0 {
                return part::anybody(keys, steps);
            }
            let all = self.small.bytes + self.main.bytes;
            let is_small_full = self.small.bytes * SMALL_SHARE > all;
            let is_small_next = self.main.len() == 0 || is_small_full && self.small.len() > 0;
            let victim = if is_small_next {
                self.look_small(keys)
            } else {
                self.look_main(keys)
            };
            if let Some(victim) = victim {
                return Pick::Victim(victim);
            }
        }
        Pick::OutOfSteps
    }

    fn tidy(&mut self, keys: &mut dyn Residents, steps: &mut u32) {
        if queue::is_overgrown(self.len(), keys.count()) {
            let parts = [&mut self.small, &mut self.main];
            part::weed_in_turn(parts, &mut self.turn, keys, steps);
        }
        let span = self.span();
        self.ghosts.refit(span);
    }

    fn memory(&self) -> PolicyMemory {
        PolicyMemory {
            residents: self.small.queue.memory() + self.main.queue.memory(),
            ghosts: self.ghosts.memory(),
            ..PolicyMemory::default()
        }
    }
}
