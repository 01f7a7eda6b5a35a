//! A queue of keys that knows about how many bytes they take, and weeding of several in turn.
//!
//! `HIT_BITS` low bits of a mark count hits; those above hold the number that the key got when it
//! entered, which is also in the low bits of its word: a word is worth something while both agree.

use super::queue::{Queue, Word};
use dovetail_engine::seam::eviction::{Locator, Pick, Resident, Residents, Victim};

/// A queue and about how many bytes its keys take.
#[derive(Debug, Default)]
pub(super) struct Part<const HIT_BITS: u32> {
    pub(super) queue: Queue,
    pub(super) bytes: u64,
}

/// Numbers for those that enter.
#[derive(Debug, Default)]
pub(super) struct Serial<const HIT_BITS: u32>(u16);

impl<const HIT_BITS: u32> Serial<HIT_BITS> {
    /// The next one, and a mark that shows it, without hits.
    pub(super) fn next(&mut self) -> (u32, u16) {
        self.0 = (self.0 + 1) & (u16::MAX >> HIT_BITS);
        (u32::from(self.0), self.0 << HIT_BITS)
    }
}

/// The hits that a mark shows.
pub(super) fn hits<const HIT_BITS: u32>(mark: u16) -> u16 {
    mark & ((1 << HIT_BITS) - 1)
}

/// The same mark without hits.
pub(super) fn unhit<const HIT_BITS: u32>(mark: u16) -> u16 {
    mark & (u16::MAX << HIT_BITS)
}

/// The key of a word, if it is the one that the word was made for.
pub(super) fn find<const HIT_BITS: u32>(keys: &dyn Residents, word: Word) -> Option<Resident> {
    let resident = keys.find(word.key())?;
    let serial = word.check() & u32::from(u16::MAX >> HIT_BITS);
    (u32::from(resident.mark >> HIT_BITS) == serial).then_some(resident)
}

/// Anybody: of two keys of one name only one has a word in a queue, and the other is left over.
pub(super) fn anybody(keys: &mut dyn Residents, steps: &mut u32) -> Pick {
    loop {
        if keys.count() == 0 {
            return Pick::Nothing;
        }
        *steps = steps.saturating_sub(1);
        // A draw may fail although there is somebody.
        if let Some(resident) = keys.sample() {
            return Pick::Victim(victim(resident.key, &resident));
        }
        if *steps == 0 {
            return Pick::OutOfSteps;
        }
    }
}

/// The key as the one that goes.
pub(super) fn victim(key: Locator, resident: &Resident) -> Victim {
    Victim {
        key,
        rank: !resident.clock,
    }
}

impl<const HIT_BITS: u32> Part<HIT_BITS> {
    pub(super) fn len(&self) -> usize {
        self.queue.len()
    }

    pub(super) fn push(&mut self, word: Word, bytes: u32) {
        self.queue.push(word);
        self.bytes += u64::from(bytes);
    }

    /// Takes the next word off, which is given if it is worth something.
    pub(super) fn pop(&mut self, keys: &dyn Residents) -> Option<(Word, Resident)> {
        let mean = self.bytes / (self.len() as u64).max(1);
        let word = self.queue.pop()?;
        let found = find::<HIT_BITS>(keys, word);
        // What is gone is thought to have had the bytes of the average.
        let bytes = found.map_or(mean, |resident| u64::from(resident.bytes));
        self.bytes = self.bytes.saturating_sub(bytes);
        found.map(|resident| (word, resident))
    }

    /// The next word, if it is worth something.
    pub(super) fn front(&self, keys: &dyn Residents) -> Option<(Word, Resident)> {
        let word = self.queue.front()?;
        Some((word, find::<HIT_BITS>(keys, word)?))
    }

    /// Goes on with a pass over the words; whether it came to its end.
    fn weed(&mut self, keys: &dyn Residents, steps: &mut u32) -> bool {
        let before = self.len() as u64;
        let is_worth = |word| find::<HIT_BITS>(keys, word).is_some();
        let is_through = self.queue.weed(steps, is_worth);
        let after = self.len() as u64;
        self.bytes = u128::from(self.bytes)
            .saturating_mul(u128::from(after))
            .checked_div(u128::from(before))
            .and_then(|bytes| u64::try_from(bytes).ok())
            .unwrap_or(0);
        is_through
    }
}

/// Goes on weeding parts, one after the other; `turn` says which one is in the middle of its pass.
pub(super) fn weed_in_turn<const HIT_BITS: u32, const PARTS: usize>(
    parts: [&mut Part<HIT_BITS>; PARTS],
    turn: &mut usize,
    keys: &dyn Residents,
    steps: &mut u32,
) {
    for _ in 0..PARTS {
        if !parts[*turn % PARTS].weed(keys, steps) {
            return;
        }
        *turn = (*turn + 1) % PARTS;
    }
}
