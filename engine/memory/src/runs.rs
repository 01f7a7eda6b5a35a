//! Names in the order of a number each, such as a deadline: a queue that is sorted as late as it can.
//!
//! Shape: `base` is at most the smallest number. A number lies in the bucket of the first digit, of
//! six bits, in which it differs from `base`: the farther away, the wider the bucket. When the
//! nearest bucket is a wide one, `base` moves to its start and its names are dealt out to narrower
//! ones, each for a step of the caller's budget. Buckets are lists of small blocks.
//! An item is a word: a locator of 34 bits and the low 30 bits of its number. In buckets wider than
//! that the number comes back as a lower bound.
//! Invariants: 1. a bucket of level n > 0 begins above `base` and agrees with it in all digits above
//! n; but for the one that is being dealt out. 2. `len` is the sum over the levels, and those over
//! their buckets; a bucket's bit says that it has items.
//! Cost: an insertion is a push; an item is dealt out at most once per digit of its distance.

use std::fmt;
use std::mem;

use crate::hash::{index, low_u32};

const DIGIT_BITS: u32 = 6;
const BUCKETS: usize = 1 << DIGIT_BITS;
const DIGIT_MASK: u64 = BUCKETS as u64 - 1;
const NUMBER_BITS: u32 = 30;
const NUMBER_MASK: u64 = (1 << NUMBER_BITS) - 1;
const BLOCK_ITEMS: usize = 31;

/// The bits of a key's hash that its slot keeps: enough to find the key again, or very few others.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash, PartialOrd, Ord)]
pub struct Locator(pub(crate) u64);

impl Locator {
    /// How many bits it has.
    pub const BITS: u32 = 64 - NUMBER_BITS;

    /// As a number of [`Self::BITS`] bits.
    #[must_use]
    pub fn bits(self) -> u64 {
        self.0
    }

    /// The locator of these bits; more than [`Self::BITS`] are cut off.
    #[must_use]
    pub fn from_bits(bits: u64) -> Self {
        Self(bits & ((1 << Self::BITS) - 1))
    }
}

struct Block {
    len: usize,
    items: [u64; BLOCK_ITEMS],
}

#[derive(Default)]
struct Bucket {
    len: usize,
    #[expect(
        clippy::vec_box,
        reason = "a list that grows copies addresses, no blocks"
    )]
    blocks: Vec<Box<Block>>,
}

impl Bucket {
    /// Adds an item; returns whether that took another block.
    #[inline]
    fn push(&mut self, item: u64) -> bool {
        self.len += 1;
        if let Some(block) = self.blocks.last_mut()
            && block.len < BLOCK_ITEMS
        {
            block.items[block.len] = item;
            block.len += 1;
            return false;
        }
        let mut items = [0; BLOCK_ITEMS];
        items[0] = item;
        self.blocks.push(Box::new(Block { len: 1, items }));
        true
    }

    /// Takes an item; returns it, and whether a block went with it.
    #[inline]
    fn pop(&mut self) -> Option<(u64, bool)> {
        let block = self.blocks.last_mut()?;
        self.len -= 1;
        block.len -= 1;
        let item = block.items[block.len];
        let is_empty = block.len == 0;
        if is_empty {
            self.blocks.pop();
            if self.blocks.is_empty() {
                self.blocks = Vec::new();
            }
        }
        Some((item, is_empty))
    }

    /// Takes over all items of another; the shorter list is the one that is copied.
    fn absorb(&mut self, mut other: Self) {
        if other.blocks.len() > self.blocks.len() {
            mem::swap(self, &mut other);
        }
        self.len += other.len;
        self.blocks.append(&mut other.blocks);
    }
}

struct Level {
    len: usize,
    /// A bit for each bucket that has items.
    occupied: u64,
    buckets: [Bucket; BUCKETS],
}

impl Level {
    fn new() -> Self {
        Self {
            len: 0,
            occupied: 0,
            buckets: std::array::from_fn(|_| Bucket::default()),
        }
    }
}

/// Which bucket of which level.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
struct At {
    level: usize,
    bucket: usize,
}

/// Locators in the order of a number each.
#[derive(Default)]
pub struct Runs {
    base: u64,
    /// The bucket that is being dealt out.
    dealing: Option<At>,
    /// As many as were ever needed.
    levels: Vec<Level>,
    len: usize,
    blocks: usize,
}

impl Runs {
    /// An empty queue; it holds no memory yet.
    #[must_use]
    pub fn new() -> Self {
        Self::default()
    }

    /// Number of items.
    #[inline]
    #[must_use]
    pub fn len(&self) -> usize {
        self.len
    }

    /// Whether there are none.
    #[must_use]
    pub fn is_empty(&self) -> bool {
        self.len == 0
    }

    /// Bytes of blocks and levels.
    #[must_use]
    pub fn memory(&self) -> usize {
        self.blocks * (size_of::<Block>() + size_of::<Box<Block>>())
            + self.levels.len() * size_of::<Level>()
    }

    /// Adds an item.
    #[inline]
    pub fn insert(&mut self, number: u64, locator: Locator) {
        if self.len == 0 {
            (self.base, self.dealing) = (number, None);
        } else if number < self.base {
            self.lower(number);
        }
        self.push(self.place_of(number), word(number, locator));
    }

    #[inline]
    fn place_of(&self, number: u64) -> At {
        let differing = number ^ self.base;
        // A set bit below the first digit makes an equal number one of the lowest level.
        let level = (u64::BITS - 1 - (differing | 1).leading_zeros()) / DIGIT_BITS;
        At {
            level: index(u64::from(level)),
            bucket: index(number >> (level * DIGIT_BITS) & DIGIT_MASK),
        }
    }

    #[inline]
    fn push(&mut self, at: At, item: u64) {
        while self.levels.len() <= at.level {
            self.levels.push(Level::new());
        }
        let level = &mut self.levels[at.level];
        self.blocks += usize::from(level.buckets[at.bucket].push(item));
        level.occupied |= 1 << at.bucket;
        level.len += 1;
        self.len += 1;
    }

    #[inline]
    fn pop(&mut self, at: At) -> Option<u64> {
        let level = self.levels.get_mut(at.level)?;
        let bucket = &mut level.buckets[at.bucket];
        let (item, is_emptied) = bucket.pop()?;
        self.blocks -= usize::from(is_emptied);
        if bucket.len == 0 {
            level.occupied &= !(1 << at.bucket);
        }
        level.len -= 1;
        self.len -= 1;
        Some(item)
    }

    /// Moves `base` back to `number`: what lies below the first digit in which they differ is then in
    /// one bucket of that digit.
    #[cold]
    fn lower(&mut self, number: u64) {
        let target = {
            let old = mem::replace(&mut self.base, number);
            self.place_of(old)
        };
        // What was being dealt out began at the old base, so it is below that digit or lies in it.
        self.dealing = None;
        let mut gathered = Bucket::default();
        for level in self.levels.iter_mut().take(target.level) {
            while level.occupied != 0 {
                let bucket = index(u64::from(level.occupied.trailing_zeros()));
                level.occupied &= level.occupied - 1;
                gathered.absorb(mem::take(&mut level.buckets[bucket]));
            }
            level.len = 0;
        }
        if gathered.len > 0 {
            while self.levels.len() <= target.level {
                self.levels.push(Level::new());
            }
            let level = &mut self.levels[target.level];
            level.len += gathered.len;
            level.occupied |= 1 << target.bucket;
            level.buckets[target.bucket].absorb(gathered);
        }
    }

    /// The nearest bucket and where it begins.
    #[inline]
    fn nearest(&self) -> Option<(At, u64)> {
        let level = self.levels.iter().position(|level| level.len > 0)?;
        let bucket = self.levels[level].occupied.trailing_zeros();
        let shift = low_u32(level as u64) * DIGIT_BITS;
        let above = self.base >> shift >> DIGIT_BITS << DIGIT_BITS;
        let at = At {
            level,
            bucket: index(u64::from(bucket)),
        };
        Some((at, (above | u64::from(bucket)) << shift))
    }

    /// No item has a number below this; `None` without items.
    #[must_use]
    pub fn earliest(&self) -> Option<u64> {
        let (_, start) = self.nearest()?;
        Some(if self.dealing.is_some() {
            self.base
        } else {
            start
        })
    }

    /// How many items lie in buckets that begin at `limit` or before.
    #[must_use]
    pub fn due_len(&self, limit: u64) -> usize {
        let mut len = 0;
        for (depth, level) in self.levels.iter().enumerate() {
            let shift = low_u32(depth as u64) * DIGIT_BITS;
            let above = self.base >> shift >> DIGIT_BITS << DIGIT_BITS;
            let mut bits = level.occupied;
            while bits != 0 {
                let bucket = u64::from(bits.trailing_zeros());
                if (above | bucket) << shift > limit {
                    return len;
                }
                len += level.buckets[index(bucket)].len;
                bits &= bits - 1;
            }
        }
        len
    }

    /// Takes the item with the smallest number, if that is `limit` or less, with its number or, if
    /// it was inserted far from it, a lower bound.
    ///
    /// `steps` pays one for each item taken or dealt out; when it is used up, the answer is `None`.
    #[inline]
    pub fn next(&mut self, limit: u64, steps: &mut u32) -> Option<(u64, Locator)> {
        loop {
            if let Some(at) = self.dealing {
                self.deal(at, steps)?;
            }
            let (at, start) = self.nearest()?;
            if start > limit {
                return None;
            }
            self.base = start;
            if at.level == 0 {
                *steps = steps.checked_sub(1)?;
                return self.pop(at).map(|item| (start, locator(item)));
            }
            self.dealing = Some(at);
        }
    }

    /// Deals out the bucket at `at`, where `base` is; `None` when the steps ran out.
    fn deal(&mut self, at: At, steps: &mut u32) -> Option<()> {
        let width = low_u32(at.level as u64) * DIGIT_BITS;
        let known = NUMBER_MASK & ((1 << width.min(NUMBER_BITS)) - 1);
        while self.levels[at.level].occupied >> at.bucket & 1 == 1 {
            *steps = steps.checked_sub(1)?;
            let item = self.pop(at)?;
            let number = self.base | item & known;
            self.push(self.place_of(number), word(number, locator(item)));
        }
        self.dealing = None;
        Some(())
    }

    /// Takes some item; no order, and nothing is dealt out.
    pub fn take_any(&mut self) -> Option<Locator> {
        let level = self.levels.iter().rposition(|level| level.len > 0)?;
        let bits = self.levels[level].occupied;
        let bucket = index(u64::from(u64::BITS - 1 - bits.leading_zeros()));
        self.pop(At { level, bucket }).map(locator)
    }

    /// An item drawn by a random number, nearly fairly.
    #[must_use]
    pub fn sample(&self, random: u64) -> Option<Locator> {
        let (at, block, item) = self.draw(random)?;
        let block = &self.levels[at.level].buckets[at.bucket].blocks[block];
        Some(locator(block.items[item]))
    }

    /// The same item, which is taken.
    pub fn take_sample(&mut self, random: u64) -> Option<Locator> {
        let (at, block, item) = self.draw(random)?;
        let bucket = &mut self.levels[at.level].buckets[at.bucket];
        let taken = bucket.blocks[block].items[item];
        // The bucket's last item takes its place.
        let last = self.pop(at)?;
        let bucket = &mut self.levels[at.level].buckets[at.bucket];
        if let Some(block) = bucket.blocks.get_mut(block)
            && item < block.len
        {
            block.items[item] = last;
        }
        Some(locator(taken))
    }

    /// Where the item is that a random number draws: its bucket, and there its block and place.
    fn draw(&self, random: u64) -> Option<(At, usize, usize)> {
        let mut nth = scaled(random, self.len);
        let mut levels = self.levels.iter();
        let level = levels.position(|level| pass(&mut nth, level.len))?;
        let mut buckets = self.levels[level].buckets.iter();
        let bucket = buckets.position(|bucket| pass(&mut nth, bucket.len))?;
        let held = &self.levels[level].buckets[bucket];
        let block = nth * held.blocks.len() / held.len;
        let item = scaled(random << 32, held.blocks[block].len);
        Some((At { level, bucket }, block, item))
    }

    /// Gives memory back, at most `budget` blocks, from which it subtracts them; all items are to go.
    pub fn drain(&mut self, budget: &mut u32) {
        while let Some(level) = self.levels.last_mut() {
            while level.occupied != 0 {
                if *budget == 0 {
                    return;
                }
                let bucket = index(u64::from(level.occupied.trailing_zeros()));
                let (bits, bucket) = (1_u64 << bucket, &mut level.buckets[bucket]);
                while *budget > 0
                    && let Some(block) = bucket.blocks.pop()
                {
                    *budget -= 1;
                    self.blocks -= 1;
                    self.len -= block.len;
                    level.len -= block.len;
                    bucket.len -= block.len;
                }
                if bucket.len == 0 {
                    bucket.blocks = Vec::new();
                    level.occupied &= !bits;
                }
            }
            self.levels.pop();
        }
        *self = Self::new();
    }

    /// Shows `visit` a lower bound and the locator of each item.
    pub(crate) fn each(&self, visit: &mut dyn FnMut(u64, Locator)) {
        for (depth, level) in self.levels.iter().enumerate() {
            let shift = low_u32(depth as u64) * DIGIT_BITS;
            let above = self.base >> shift >> DIGIT_BITS << DIGIT_BITS;
            for (bucket, held) in level.buckets.iter().enumerate() {
                let start = (above | bucket as u64) << shift;
                for block in &held.blocks {
                    let items = &block.items[..block.len];
                    items.iter().for_each(|&item| visit(start, locator(item)));
                }
            }
        }
    }

    /// Asserts the invariants.
    ///
    /// # Panics
    ///
    /// When one is broken.
    pub fn check(&self) {
        let (mut len, mut blocks) = (0, 0);
        for (depth, level) in self.levels.iter().enumerate() {
            let shift = low_u32(depth as u64) * DIGIT_BITS;
            let own = self.base >> shift & DIGIT_MASK;
            for (bucket, held) in level.buckets.iter().enumerate() {
                let is_dealt = self.dealing
                    == Some(At {
                        level: depth,
                        bucket,
                    });
                let is_above = bucket as u64 > own || depth == 0 && bucket as u64 == own;
                assert!(held.len == 0 || is_above || is_dealt, "above the base");
                assert_eq!(held.len > 0, level.occupied >> bucket & 1 == 1, "the bits");
                let items: usize = held.blocks.iter().map(|block| block.len).sum();
                assert_eq!(items, held.len, "the items of a bucket");
                assert!(
                    held.blocks.iter().all(|block| block.len > 0),
                    "no empty block"
                );
                blocks += held.blocks.len();
            }
            let held: usize = level.buckets.iter().map(|bucket| bucket.len).sum();
            assert_eq!(held, level.len, "the items of a level");
            len += held;
        }
        assert_eq!((len, blocks), (self.len, self.blocks), "all items");
    }
}

impl fmt::Debug for Runs {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("Runs")
            .field("base", &self.base)
            .field("len", &self.len)
            .finish_non_exhaustive()
    }
}

#[inline]
fn word(number: u64, locator: Locator) -> u64 {
    locator.0 << NUMBER_BITS | number & NUMBER_MASK
}

#[inline]
fn locator(item: u64) -> Locator {
    Locator(item >> NUMBER_BITS)
}

/// The top half of a random number, scaled to `0..len`.
fn scaled(random: u64, len: usize) -> usize {
    let wide = (u128::from(random) * len as u128) >> 64;
    usize::try_from(wide).unwrap_or(0)
}

/// Whether the `nth` of all is one of these `len`; if not, they are passed over.
fn pass(nth: &mut usize, len: usize) -> bool {
    let is_here = *nth < len;
    if !is_here {
        *nth -= len;
    }
    is_here
}

#[cfg(test)]
mod tests {
    use super::*;
    use proptest::prelude::*;
    use std::collections::BTreeSet;

    #[derive(Clone, Debug)]
    enum Act {
        Insert(u64),
        Take(u64, u32),
        Any,
        Drawn(u64),
    }

    fn act() -> impl Strategy<Value = Act> {
        let number = prop_oneof![0_u64..200, 0_u64..1 << 29, (1_u64 << 33)..(1 << 33) + 5000];
        prop_oneof![
            4 => number.clone().prop_map(Act::Insert),
            3 => (number, 0_u32..200).prop_map(|(limit, steps)| Act::Take(limit, steps)),
            1 => Just(Act::Any),
            1 => any::<u64>().prop_map(Act::Drawn),
        ]
    }

    proptest! {
        #![proptest_config(ProptestConfig::with_cases(256))]

        #[test]
        fn items_come_in_order_and_none_is_lost(
            acts in prop::collection::vec(act(), 0..400),
        ) {
            let mut runs = Runs::new();
            let mut model = BTreeSet::new();
            for (nth, act) in acts.into_iter().enumerate() {
                match act {
                    Act::Insert(number) => {
                        runs.insert(number, Locator(nth as u64));
                        model.insert((number, nth as u64));
                    }
                    Act::Take(limit, mut steps) => {
                        while let Some((number, locator)) = runs.next(limit, &mut steps) {
                            prop_assert!(number <= limit);
                            let least = model.first().unwrap().0;
                            prop_assert!(number <= least, "nothing comes before its turn");
                            let own = model.iter().find(|item| item.1 == locator.0).copied();
                            let own = own.unwrap();
                            model.remove(&own);
                            if own.0 == number {
                                prop_assert_eq!(number, least);
                            } else {
                                // A lower bound: it is put where it belongs.
                                prop_assert!(number < own.0);
                                runs.insert(own.0, locator);
                                model.insert(own);
                            }
                        }
                        if steps > 0 {
                            prop_assert!(model.first().is_none_or(|least| least.0 > limit));
                        }
                    }
                    Act::Any => {
                        if let Some(locator) = runs.take_any() {
                            model.retain(|item| item.1 != locator.0);
                        }
                    }
                    Act::Drawn(random) => {
                        let drawn = runs.sample(random);
                        prop_assert_eq!(runs.take_sample(random), drawn);
                        model.retain(|item| Some(item.1) != drawn.map(|drawn| drawn.0));
                    }
                }
                runs.check();
                prop_assert_eq!(runs.len(), model.len());
                let least = model.first().map(|item| item.0);
                prop_assert!(runs.earliest() <= least && runs.is_empty() == least.is_none());
                if let Some(drawn) = runs.sample((nth as u64).wrapping_mul(0x9e37_79b9_7f4a_7c15)) {
                    prop_assert!(model.iter().any(|item| item.1 == drawn.0));
                }
            }
            let (blocks, mut slices) = (runs.blocks, 0);
            while runs.memory() > 0 {
                runs.drain(&mut 3);
                slices += 1;
            }
            prop_assert!(slices <= blocks / 3 + 1);
            prop_assert!(runs.is_empty());
        }
    }

    #[test]
    fn a_crowd_at_one_moment_is_dealt_out_within_the_steps() {
        let mut runs = Runs::new();
        runs.insert(0, Locator(0));
        for n in 1..100_000 {
            runs.insert(5_000_000, Locator(n));
        }
        let (mut taken, mut calls) = (0, 0);
        while taken < 100_000 {
            let mut steps = 64;
            while runs.next(5_000_000, &mut steps).is_some() {
                taken += 1;
            }
            calls += 1;
            assert!(calls < 20_000, "each call gets on");
        }
        assert!(runs.is_empty());
    }

    #[test]
    fn draws_are_nearly_fair() {
        let mut runs = Runs::new();
        for n in 0..1000_u64 {
            runs.insert(n * n * n, Locator(n));
        }
        let mut counts = vec![0_u32; 1000];
        let mut state = 1_u64;
        for _ in 0..100_000 {
            state = state
                .wrapping_mul(6_364_136_223_846_793_005)
                .wrapping_add(99);
            let drawn = runs.sample(state ^ state >> 29).unwrap();
            counts[index(drawn.0)] += 1;
        }
        assert!(counts.iter().all(|&count| (10..1000).contains(&count)));
    }
}
