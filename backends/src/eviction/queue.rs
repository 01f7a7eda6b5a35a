//! A queue of words, first in first out, that grows by blocks and can be weeded in pieces.
//!
//! Shape: two lists of blocks. Words leave from `weeded`, then from `rest`, and come to the end of
//! `rest`; weeding moves words from the front of `rest` to the end of `weeded`, but for those that are
//! worth nothing. So the order is that of arrival at any time.

use dovetail_engine::seam::eviction::Locator;
use std::collections::VecDeque;

const BLOCK_WORDS: usize = 126;
/// Words that are never worth weeding.
const FEW: usize = 4096;
/// Bits of a word that belong to the caller.
pub(super) const CHECK_BITS: u32 = u64::BITS - Locator::BITS;

/// A key's name, and bits of the caller's.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) struct Word(u64);

impl Word {
    /// `check` has at most [`CHECK_BITS`] bits.
    pub(super) fn new(key: Locator, check: u32) -> Self {
        Self(key.bits() << CHECK_BITS | u64::from(check) & ((1 << CHECK_BITS) - 1))
    }

    pub(super) fn key(self) -> Locator {
        Locator::from_bits(self.0 >> CHECK_BITS)
    }

    pub(super) fn check(self) -> u32 {
        (self.0 & ((1 << CHECK_BITS) - 1)) as u32
    }
}

/// Whether so many words for so many keys call for weeding.
pub(super) fn is_overgrown(words: usize, keys: usize) -> bool {
    words > 2 * keys + FEW
}

#[derive(Debug, Default)]
struct List {
    blocks: VecDeque<Box<[Word; BLOCK_WORDS]>>,
    /// The first word of the first block that has not left.
    front: usize,
    len: usize,
}

impl List {
    fn push(&mut self, word: Word) {
        let at = (self.front + self.len) % BLOCK_WORDS;
        if (self.front + self.len) / BLOCK_WORDS == self.blocks.len() {
            self.blocks.push_back(Box::new([word; BLOCK_WORDS]));
        } else if let Some(block) = self.blocks.back_mut() {
            block[at] = word;
        }
        self.len += 1;
    }

    fn front(&self) -> Option<Word> {
        let block = self.blocks.front()?;
        (self.len > 0).then(|| block[self.front])
    }

    fn pop(&mut self) -> Option<Word> {
        self.len = self.len.checked_sub(1)?;
        let word = self.blocks.front()?[self.front];
        self.front += 1;
        if self.front == BLOCK_WORDS || self.len == 0 {
            self.blocks.pop_front();
            self.front = 0;
        }
        Some(word)
    }
}

/// The queue.
#[derive(Debug, Default)]
pub(super) struct Queue {
    weeded: List,
    rest: List,
}

impl Queue {
    pub(super) fn len(&self) -> usize {
        self.weeded.len + self.rest.len
    }

    pub(super) fn push(&mut self, word: Word) {
        self.rest.push(word);
    }

    pub(super) fn pop(&mut self) -> Option<Word> {
        self.weeded.pop().or_else(|| self.rest.pop())
    }

    /// The word that [`Self::pop`] would take.
    pub(super) fn front(&self) -> Option<Word> {
        self.weeded.front().or_else(|| self.rest.front())
    }

    /// Goes on with a pass over all words, within `steps`, and drops those that `is_worth` denies.
    /// Returns whether the pass came to its end.
    pub(super) fn weed(&mut self, steps: &mut u32, mut is_worth: impl FnMut(Word) -> bool) -> bool {
        while *steps > 0
            && let Some(word) = self.rest.pop()
        {
            *steps -= 1;
            if is_worth(word) {
                self.weeded.push(word);
            }
        }
        let is_through = self.rest.len == 0;
        if is_through {
            std::mem::swap(&mut self.weeded, &mut self.rest);
        }
        is_through
    }

    pub(super) fn memory(&self) -> usize {
        let blocks = self.weeded.blocks.len() + self.rest.blocks.len();
        blocks * BLOCK_WORDS * size_of::<Word>()
    }
}
