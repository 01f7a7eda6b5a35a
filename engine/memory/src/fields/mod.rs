//! [`Fields`]: the members of a big set, or the fields of a big hash with their values.
//!
//! Shape: a table of linear hashing whose buckets are packed blocks of about nine elements. What
//! is too long for a block lives beside it and is named there.
//! Invariants: 1. an element lies in the bucket of its field's hash and carries a byte of it.
//! 2. A block is an exact fit; an empty one has no heap. 3. The bytes counted are those in use.
//! Cost: a look-up reads the directory, a bucket's pointer and a block of one to three lines. An
//! insertion or removal reallocates one block, and splits or joins two at most.

mod block;
#[cfg(test)]
mod tests;

use crate::linear::{Linear, Siblings};
use crate::longs::Longs;
use crate::prefetch;
use crate::steps::heap_bytes;
use block::{Block, Element, Stored};

/// How many buckets ahead a walk asks for.
const AHEAD: usize = 4;
const LINE: usize = 64;

/// Whether fields have values.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Shape {
    /// Fields only: a set.
    Members,
    /// Every field has a value: a hash.
    Pairs,
}

/// What an insertion did.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Inserted {
    /// The field was not there before.
    New,
    /// The field was there, and has the new value.
    Replaced,
}

/// The 64-bit hash, well mixed, that a collection's user computes of fields or members.
pub type Rehash<'a> = &'a dyn Fn(&[u8]) -> u64;

/// A collection of fields; see the module's text. `hash` is always that of the field.
#[derive(Clone, Debug)]
pub struct Fields {
    table: Linear<Block>,
    longs: Longs,
    shape: Shape,
    block_bytes: usize,
}

/// The byte of a hash that an element carries.
#[inline]
const fn tag(hash: u64) -> u8 {
    (hash >> 56) as u8
}

impl Fields {
    /// An empty collection.
    pub fn new(shape: Shape) -> Self {
        Self {
            table: Linear::new(),
            longs: Longs::new(),
            shape,
            block_bytes: 0,
        }
    }

    /// Whether fields have values.
    pub const fn shape(&self) -> Shape {
        self.shape
    }

    /// Number of fields.
    #[inline]
    pub const fn len(&self) -> usize {
        self.table.len()
    }

    /// Whether there is no field.
    #[inline]
    pub const fn is_empty(&self) -> bool {
        self.len() == 0
    }

    /// Heap bytes of the whole collection, in allocator classes.
    pub const fn memory(&self) -> usize {
        self.table.bytes() + self.block_bytes + self.longs.bytes()
    }

    /// Steps of [`Self::prefetch`].
    pub const PREFETCH_STEPS: usize = 2;

    /// Asks for what a look-up of `hash` will read; step by step, since each follows what the one
    /// before has asked for.
    #[inline]
    pub fn prefetch(&self, hash: u64, step: usize) {
        let block = self.table.at(self.table.address(hash));
        match step {
            0 => prefetch::line(std::ptr::from_ref(block).cast()),
            _ => ask_for(block),
        }
    }

    /// The value of `field`, which is empty for members; `None` if the field is not there.
    #[inline]
    pub fn get(&self, hash: u64, field: &[u8]) -> Option<&[u8]> {
        let block = self.table.at(self.table.address(hash));
        let element = self.find(block, hash, field).ok()?;
        Some(element.value.bytes(block.bytes(), &self.longs))
    }

    /// Whether `field` is there.
    #[inline]
    pub fn contains(&self, hash: u64, field: &[u8]) -> bool {
        let block = self.table.at(self.table.address(hash));
        self.find(block, hash, field).is_ok()
    }

    /// The element of `field` in its block, or the number of elements there.
    #[inline]
    fn find(&self, block: &Block, hash: u64, field: &[u8]) -> Result<Element, usize> {
        let (bytes, tag) = (block.bytes(), tag(hash));
        let mut fill = 0;
        for element in block.elements(self.shape) {
            if bytes[element.start] == tag && element.field.bytes(bytes, &self.longs) == field {
                return Ok(element);
            }
            fill += 1;
        }
        Err(fill)
    }

    /// Sets `field` to `value`, which members have no use for.
    pub fn insert(
        &mut self,
        hash: u64,
        field: &[u8],
        value: &[u8],
        rehash: Rehash<'_>,
    ) -> Inserted {
        let address = self.table.address(hash);
        let fill = match self.find(self.table.at(address), hash, field) {
            Ok(element) => {
                if self.shape == Shape::Pairs {
                    self.replace(address, element, value);
                }
                return Inserted::Replaced;
            }
            Err(fill) => fill,
        };
        let field = Stored::new(field, &mut self.longs);
        let value = match self.shape {
            Shape::Members => None,
            Shape::Pairs => Some(Stored::new(value, &mut self.longs)),
        };
        let size = 1 + field.size() + value.map_or(0, Stored::size);
        let block = self.table.at_mut(address);
        let old = block.bytes().len();
        let hole = block.splice(old, old, size);
        hole[0] = tag(hash);
        let rest = field.write(&mut hole[1..]);
        if let Some(value) = value {
            value.write(rest);
        }
        self.block_bytes += heap_bytes(old + size) - heap_bytes(old);
        self.table.added(fill + 1);
        if self.table.is_full() {
            self.grow(rehash);
        }
        Inserted::New
    }

    /// Puts `value` in the place of the value of `element`.
    fn replace(&mut self, address: usize, element: Element, value: &[u8]) {
        let block = self.table.at_mut(address);
        let name = element.value.name(block.bytes());
        let value = match name {
            Some(name) if value.len() > block::INLINE_MAX => {
                self.longs.set(name, value);
                return;
            }
            Some(name) => {
                self.longs.remove(name);
                Stored::Inline(value)
            }
            None => Stored::new(value, &mut self.longs),
        };
        let (start, end) = (element.field.end, element.value.end);
        if value.size() == end - start {
            value.write(&mut block.bytes_mut()[start..end]);
            return;
        }
        self.block_bytes -= heap_bytes(block.bytes().len());
        value.write(block.splice(start, end, value.size()));
        self.block_bytes += heap_bytes(block.bytes().len());
    }

    /// Takes `field` out; returns whether it was there.
    pub fn remove(&mut self, hash: u64, field: &[u8]) -> bool {
        let address = self.table.address(hash);
        let Ok(element) = self.find(self.table.at(address), hash, field) else {
            return false;
        };
        let block = self.table.at_mut(address);
        free_longs(block, element, &mut self.longs);
        self.block_bytes -= heap_bytes(block.bytes().len());
        block.splice(element.start, element.end(), 0);
        self.block_bytes += heap_bytes(block.bytes().len());
        self.table.removed(fill(self.shape));
        if self.table.is_sparse() {
            self.shrink();
        }
        true
    }

    fn grow(&mut self, rehash: Rehash<'_>) {
        let (shape, longs, bytes) = (self.shape, &self.longs, &mut self.block_bytes);
        let split = |siblings: Siblings<'_, Block>| {
            *bytes -= heap_bytes(siblings.low.bytes().len());
            *siblings.high = siblings.low.split(shape, |block, element| {
                rehash(element.field.bytes(block, longs)) & siblings.bit != 0
            });
            *bytes += heap_bytes(siblings.low.bytes().len());
            *bytes += heap_bytes(siblings.high.bytes().len());
        };
        self.table.grow(split, fill(shape));
    }

    fn shrink(&mut self) {
        let bytes = &mut self.block_bytes;
        let join = |siblings: Siblings<'_, Block>| {
            let (low, high) = (siblings.low.bytes().len(), siblings.high.bytes());
            *bytes -= heap_bytes(low) + heap_bytes(high.len());
            siblings
                .low
                .splice(low, low, high.len())
                .copy_from_slice(high);
            *bytes += heap_bytes(siblings.low.bytes().len());
        };
        self.table.shrink(join, fill(self.shape));
    }

    fn lend<'a>(&'a self, block: &'a Block, element: Element) -> (&'a [u8], &'a [u8]) {
        let field = element.field.bytes(block.bytes(), &self.longs);
        (field, element.value.bytes(block.bytes(), &self.longs))
    }

    /// Visits the fields of one bucket with their values and returns the cursor for the next.
    ///
    /// 0 begins and ends. Every field that is there from the first call to the last is visited at
    /// least once, whatever comes and goes; any cursor is harmless.
    pub fn scan(&self, cursor: u64, visit: &mut dyn FnMut(&[u8], &[u8])) -> u64 {
        let (block, next) = self.table.scan(cursor);
        for element in block.elements(self.shape) {
            let (field, value) = self.lend(block, element);
            visit(field, value);
        }
        next
    }

    /// A field with its value, each with the same chance; `None` if there is none.
    ///
    /// `random` gives uniform numbers; a few are drawn.
    pub fn sample(&self, random: &mut dyn FnMut() -> u64) -> Option<(&[u8], &[u8])> {
        self.table.sample(random, ask_for, |block, number| {
            let element = block.elements(self.shape).nth(number)?;
            Some(self.lend(block, element))
        })
    }

    /// All fields with their values, in no order that means anything.
    pub fn iter(&self) -> impl Iterator<Item = (&[u8], &[u8])> {
        let ahead = self.table.iter().skip(AHEAD).map(Some);
        let ahead = ahead.chain(std::iter::repeat(None));
        self.table
            .iter()
            .zip(ahead)
            .flat_map(move |(block, ahead)| {
                if let Some(ahead) = ahead {
                    ask_for(ahead);
                }
                let elements = block.elements(self.shape);
                elements.map(move |element| self.lend(block, element))
            })
    }

    /// Destroys fields, bucket by bucket, until the budget, which counts them, is spent.
    ///
    /// What is left may be used as before.
    pub fn drain(&mut self, budget: &mut u32) {
        while *budget > 0 && !self.is_empty() {
            let before = self.len();
            let block = self.table.take_last(fill(self.shape));
            self.block_bytes -= heap_bytes(block.bytes().len());
            for element in block.elements(self.shape) {
                free_longs(&block, element, &mut self.longs);
            }
            let gone = u32::try_from(before - self.len()).unwrap_or(u32::MAX);
            *budget = budget.saturating_sub(gone.max(1));
        }
    }

    /// Asserts the invariants.
    ///
    /// # Panics
    ///
    /// If one does not hold.
    pub fn check(&self, rehash: Rehash<'_>) {
        self.table.check(fill(self.shape));
        self.longs.check();
        let (mut bytes, mut longs) = (0, 0);
        for (address, block) in self.table.iter().enumerate() {
            bytes += heap_bytes(block.bytes().len());
            for element in block.elements(self.shape) {
                let hash = rehash(self.lend(block, element).0);
                assert_eq!(self.table.address(hash), address, "the bucket of the hash");
                assert_eq!(
                    block.bytes()[element.start],
                    tag(hash),
                    "the byte of the hash"
                );
                let names = [element.field, element.value].map(|part| part.name(block.bytes()));
                longs += names.iter().flatten().count();
            }
        }
        assert_eq!(bytes, self.block_bytes, "bytes of the blocks");
        assert_eq!(longs, self.longs.len(), "long strings are named once");
    }
}

/// How many elements a block has.
fn fill(shape: Shape) -> impl Fn(&Block) -> usize {
    move |block| block.elements(shape).count()
}

/// Lets go of the long strings of an element that is about to go.
fn free_longs(block: &Block, element: Element, longs: &mut Longs) {
    for part in [element.field, element.value] {
        if let Some(name) = part.name(block.bytes()) {
            longs.remove(name);
        }
    }
}

/// Asks for the lines of a block, two at most.
#[inline]
fn ask_for(block: &Block) {
    let at = block.bytes().as_ptr();
    prefetch::line(at);
    prefetch::line(at.wrapping_add(LINE));
}
