//! Members or fields of a big collection, with the hasher that finds them.

use super::draw::{Passing, Random};
use crate::base::map::Set;
use ahash::RandomState;
use dovetail_memory::{Fields, Inserted, Shape, heap_bytes};

/// When at least one in so many is wanted, all pass by; else they are drawn one by one.
const DRAWS_PER_PASS: usize = 4;

/// A hash table of members, or of fields with their values.
#[derive(Clone, Debug)]
pub struct Table {
    fields: Fields,
    hasher: RandomState,
}

impl Table {
    /// An empty table.
    pub(super) fn new(shape: Shape, hasher: &RandomState) -> Self {
        Self {
            fields: Fields::new(shape),
            hasher: hasher.clone(),
        }
    }

    /// How many there are.
    #[must_use]
    #[inline]
    pub fn len(&self) -> usize {
        self.fields.len()
    }

    /// None at all.
    #[must_use]
    pub fn is_empty(&self) -> bool {
        self.fields.is_empty()
    }

    /// The value of `field`.
    #[must_use]
    #[inline]
    pub fn get(&self, field: &[u8]) -> Option<&[u8]> {
        self.fields.get(self.hasher.hash_one(field), field)
    }

    /// Whether `member` is there.
    #[must_use]
    #[inline]
    pub fn contains(&self, member: &[u8]) -> bool {
        self.fields.contains(self.hasher.hash_one(member), member)
    }

    /// The hash of `field`, to fetch ahead with.
    #[must_use]
    #[inline]
    pub(super) fn hash(&self, field: &[u8]) -> u64 {
        self.hasher.hash_one(field)
    }

    /// Takes one step of fetching ahead what a look-up of `hash` will read.
    #[inline]
    pub(super) fn prefetch(&self, hash: u64, step: usize) {
        if step < Fields::PREFETCH_STEPS {
            self.fields.prefetch(hash, step);
        }
    }

    /// Sets `field` to `value`, which members have no use for. Returns whether the field is new.
    #[inline]
    pub(super) fn insert(&mut self, field: &[u8], value: &[u8]) -> bool {
        let hasher = &self.hasher;
        let rehash = |field: &[u8]| hasher.hash_one(field);
        self.fields.insert(rehash(field), field, value, &rehash) == Inserted::New
    }

    /// Takes `field` out. Returns whether it was there.
    #[inline]
    pub(super) fn remove(&mut self, field: &[u8]) -> bool {
        self.fields.remove(self.hasher.hash_one(field), field)
    }

    /// Visits the fields of one step of a walk, with their values. Returns the next cursor, 0 at
    /// the end. A field that is there from the first step to the last is visited at least once.
    pub fn scan(&self, cursor: u64, visit: &mut dyn FnMut(&[u8], &[u8])) -> u64 {
        self.fields.scan(cursor, visit)
    }

    /// A field drawn fairly, with its value; `None` only when there is none.
    pub fn sample(&self, random: Random<'_>) -> Option<(&[u8], &[u8])> {
        self.fields.sample(random)
    }

    /// Visits `wanted` different fields, drawn fairly, with their values.
    ///
    /// # Cost
    /// O(`wanted`), whatever there is.
    pub(super) fn choose(
        &self,
        wanted: usize,
        random: Random<'_>,
        visit: &mut dyn FnMut(&[u8], &[u8]),
    ) {
        if wanted.saturating_mul(DRAWS_PER_PASS) >= self.len() {
            let mut passing = Passing::new(wanted, self.len());
            for (field, value) in self.iter() {
                if passing.takes(random) {
                    visit(field, value);
                }
            }
            return;
        }
        let mut seen: Set<&[u8]> = Set::with_hasher(self.hasher.clone());
        while seen.len() < wanted
            && let Some((field, value)) = self.sample(random)
        {
            if seen.insert(field) {
                visit(field, value);
            }
        }
    }

    /// All fields with their values.
    pub fn iter(&self) -> impl Iterator<Item = (&[u8], &[u8])> {
        self.fields.iter()
    }

    /// Bytes of memory.
    #[must_use]
    pub fn memory(&self) -> usize {
        heap_bytes(size_of::<Self>()) + self.fields.memory()
    }

    /// Destroys up to `budget` fields and subtracts them from it.
    pub fn drain(&mut self, budget: &mut u32) {
        self.fields.drain(budget);
    }
}
