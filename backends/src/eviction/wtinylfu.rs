//! W-TinyLFU: newcomers pass through a window; at its end the one that came less often of late goes,
//! it or the next to go of the main part. That has two queues, who is used on probation is protected.
//!
//! Counting: the mark has the hits since the key was last looked at, the word of the queue what was
//! counted before, halved from time to time; a sketch knows those that are gone. No hit moves a word:
//! who was used goes round when its turn comes.
//!
//! The window's share of the bytes adapts itself. Those that went of late are remembered, apart by
//! where from: who comes again would still be there, had that part been larger. So the share climbs
//! towards where one more byte saves as many misses in the window as in the main part, by single steps,
//! which needs no count of hits nor periods to compare.

use super::ghosts::Ghosts;
use super::part::{self, Serial};
use super::queue::{self, Word};
use super::sketch::Sketch;
use dovetail_engine::seam::eviction::{
    EvictionPolicy, Locator, Pick, PolicyMemory, Resident, Residents, Victim,
};

const HIT_BITS: u32 = 4;
/// The bits of the mark that count hits.
pub(super) const HITS: u16 = (1 << HIT_BITS) - 1;
/// In a word's check: the key's number, the count, and the sketch's rounds when that was counted.
const SERIAL_BITS: u32 = u16::BITS - HIT_BITS;
const COUNT_BITS: u32 = 6;
const ROUND_BITS: u32 = queue::CHECK_BITS - SERIAL_BITS - COUNT_BITS;

/// The whole, in parts of which the window has a share.
const WHOLE: u64 = 1 << 32;
const SHARE_FIRST: u64 = WHOLE / 10;
const SHARE_LEAST: u64 = WHOLE / 100;
const SHARE_MOST: u64 = WHOLE / 10 * 9;
/// One that the main part is missing weighs as much as so many that the window is: more go through
/// the window, and are sooner asked for again.
const MAIN_WEIGHT: u64 = 2;
/// Of those that went from a part so many are remembered, in parts of all that are there.
const REMEMBERED: usize = 5;
/// The window may be larger than its share by one part in so many before keys move on unasked.
const SLACK: u64 = 100;

type Part = part::Part<HIT_BITS>;

/// The policy of that name.
#[derive(Debug)]
pub(super) struct WTinyLfu {
    window: Part,
    probation: Part,
    protected: Part,
    sketch: Sketch,
    /// Who went from the window, and who from the main part.
    of_window: Ghosts,
    of_main: Ghosts,
    serial: Serial<HIT_BITS>,
    /// The window's share, in parts of [`WHOLE`].
    share: u64,
    /// Which queue is being weeded.
    turn: usize,
}

impl Default for WTinyLfu {
    fn default() -> Self {
        Self {
            window: Part::default(),
            probation: Part::default(),
            protected: Part::default(),
            sketch: Sketch::default(),
            of_window: Ghosts::default(),
            of_main: Ghosts::default(),
            serial: Serial::default(),
            share: SHARE_FIRST,
            turn: 0,
        }
    }
}

/// The low bits of a number.
fn low(number: u32, bits: u32) -> u32 {
    number & ((1 << bits) - 1)
}

impl WTinyLfu {
    fn len(&self) -> usize {
        self.window.len() + self.probation.len() + self.protected.len()
    }

    fn bytes(&self) -> u64 {
        self.window.bytes + self.probation.bytes + self.protected.bytes
    }

    /// How many of those that went from a part are remembered.
    fn span(&self) -> usize {
        self.len() / REMEMBERED
    }

    fn word(&self, key: Locator, serial: u32, count: u32) -> Word {
        let count = count.min((1 << COUNT_BITS) - 1);
        let round = low(self.sketch.rounds(), ROUND_BITS);
        let check = round << COUNT_BITS | count;
        Word::new(key, check << SERIAL_BITS | low(serial, SERIAL_BITS))
    }

    /// What a word says of its key's uses, as it counts now.
    fn counted(&self, word: Word) -> u32 {
        let check = word.check() >> SERIAL_BITS;
        let rounds = self.sketch.rounds().wrapping_sub(check >> COUNT_BITS);
        low(check, COUNT_BITS) >> low(rounds, ROUND_BITS).min(COUNT_BITS)
    }

    /// Moves the hits from a key's mark into its word; how many there were.
    fn gather(&mut self, keys: &mut dyn Residents, word: Word, resident: &Resident) -> (Word, u32) {
        let hits = u32::from(part::hits::<HIT_BITS>(resident.mark));
        if hits > 0 {
            keys.set_mark(resident.key, part::unhit::<HIT_BITS>(resident.mark));
            self.sketch.age(hits, self.len());
        }
        let count = self.counted(word) + hits;
        (self.word(resident.key, word.check(), count), hits)
    }

    /// Who comes would still be there if a part had been larger.
    fn adapt(&mut self, key: Locator) {
        let was_window = self.of_window.take(key);
        let was_main = self.of_main.take(key);
        let step = WHOLE / (self.len() as u64).max(1);
        if was_window {
            self.share = (self.share + step).min(SHARE_MOST);
        } else if was_main {
            let less = self.share.saturating_sub(step * MAIN_WEIGHT);
            self.share = less.max(SHARE_LEAST);
        }
    }

    /// How many bytes the window may have.
    fn window_limit(&self) -> u64 {
        let wide = u128::from(self.bytes()) * u128::from(self.share) / u128::from(WHOLE);
        u64::try_from(wide).unwrap_or(u64::MAX)
    }

    /// One look or move; whom it found.
    fn look(&mut self, keys: &mut dyn Residents) -> Option<Victim> {
        let main = self.probation.bytes + self.protected.bytes;
        let is_full = self.protected.bytes > main / 5 * 4 || self.probation.len() == 0;
        if is_full && self.protected.len() > 0 {
            self.look_protected(keys);
            return None;
        }
        let rival = if self.probation.len() > 0 {
            Some(self.rival(keys)?)
        } else {
            None
        };
        let is_window_full = self.window.len() > 0 && self.window.bytes > self.window_limit();
        match rival {
            Some((word, resident)) if !is_window_full => {
                Some(self.main_loses(keys, word, &resident))
            }
            _ => self.look_window(keys, rival),
        }
    }

    /// The next of the protected stays if it was used, and is on probation if not.
    fn look_protected(&mut self, keys: &mut dyn Residents) {
        let Some((word, resident)) = self.protected.pop(keys) else {
            return;
        };
        let (word, hits) = self.gather(keys, word, &resident);
        if hits > 0 {
            self.protected.push(word, resident.bytes);
        } else {
            self.probation.push(word, resident.bytes);
        }
    }

    /// The next to go of the main part, if it has not been used; otherwise it is protected.
    fn rival(&mut self, keys: &mut dyn Residents) -> Option<(Word, Resident)> {
        let next = self.probation.front(keys);
        if next.is_some_and(|(_, resident)| part::hits::<HIT_BITS>(resident.mark) == 0) {
            return next;
        }
        if let Some((word, resident)) = self.probation.pop(keys) {
            let (word, _) = self.gather(keys, word, &resident);
            self.protected.push(word, resident.bytes);
        }
        None
    }

    /// The next of the window stays if it was used, and otherwise stands against the rival.
    fn look_window(
        &mut self,
        keys: &mut dyn Residents,
        rival: Option<(Word, Resident)>,
    ) -> Option<Victim> {
        let (word, resident) = self.window.pop(keys)?;
        let (word, hits) = self.gather(keys, word, &resident);
        if hits > 0 {
            self.window.push(word, resident.bytes);
            return None;
        }
        let count = self.counted(word);
        let limit = self.window_limit() + self.bytes() / SLACK + u64::from(resident.bytes);
        let is_room = rival.is_none() || self.window.bytes > limit;
        if is_room && count > 1 {
            self.probation.push(word, resident.bytes);
            return None;
        }
        match rival {
            Some((other, loser)) if count > self.counted(other) => {
                let victim = self.main_loses(keys, other, &loser);
                self.probation.push(word, resident.bytes);
                Some(victim)
            }
            _ => {
                self.sketch.raise(resident.key, count);
                let span = self.span();
                self.of_window.insert(resident.key, span);
                Some(part::victim(resident.key, &resident))
            }
        }
    }

    /// The first on probation goes.
    fn main_loses(&mut self, keys: &dyn Residents, word: Word, resident: &Resident) -> Victim {
        self.probation.pop(keys);
        let count = self.counted(word);
        self.sketch.raise(resident.key, count);
        let span = self.span();
        self.of_main.insert(resident.key, span);
        part::victim(resident.key, resident)
    }
}

impl EvictionPolicy for WTinyLfu {
    fn enter(&mut self, resident: Resident) -> u16 {
        self.sketch.age(1, self.len());
        let count = self.sketch.count(resident.key) + 1;
        self.sketch.raise(resident.key, count);
        self.adapt(resident.key);
        let (serial, mark) = self.serial.next();
        let word = self.word(resident.key, serial, count);
        self.window.push(word, resident.bytes);
        mark
    }

    fn pick(&mut self, keys: &mut dyn Residents, steps: &mut u32) -> Pick {
        self.sketch.fit(self.len());
        while *steps > 0 {
            *steps -= 1;
            if self.len() == 0 {
                return part::anybody(keys, steps);
            }
            if let Some(victim) = self.look(keys) {
                return Pick::Victim(victim);
            }
        }
        Pick::OutOfSteps
    }

    fn tidy(&mut self, keys: &mut dyn Residents, steps: &mut u32) {
        if queue::is_overgrown(self.len(), keys.count()) {
            let parts = [&mut self.window, &mut self.probation, &mut self.protected];
            part::weed_in_turn(parts, &mut self.turn, keys, steps);
        }
        self.sketch.refit(self.len());
        let span = self.span();
        self.of_window.refit(span);
        self.of_main.refit(span);
    }

    fn memory(&self) -> PolicyMemory {
        let parts = [&self.window, &self.probation, &self.protected];
        PolicyMemory {
            residents: parts.map(|part| part.queue.memory()).iter().sum(),
            ghosts: self.of_window.memory() + self.of_main.memory(),
            sketch: self.sketch.memory(),
        }
    }
}
