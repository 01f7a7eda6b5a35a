//! The keyspace's memory layer: a [`Store`] holds the records of one database.
//!
//! It knows nothing of Redis: a record is a key, four bits of tag that belong to the caller, a body
//! (an integer, bytes, or a boxed object) and perhaps a deadline in unix milliseconds.
//!
//! Shape: a two-level directory, indexed by the top bits of a key's hash, names segments of 64
//! buckets; a bucket is one cache line of seven slots; a slot holds the handle of a record and the
//! hash bits that a split, a merge or a scan needs; records live in size-class slabs.
//!
//! The face, in short (`hash` is always the caller's 64-bit hash of the key, well mixed):
//!
//! ```text
//! Store<T>
//!   new(pages: Rc<dyn PageSource>) -> Self
//!   len() -> usize, is_empty() -> bool, with_deadline() -> usize
//!   prefetch_bucket(&self, hash), prefetch_record(&self, hash)
//!   find(&self, hash, key) -> Option<EntryRef<T>>
//!   find_mut(&mut self, hash, key) -> Option<EntryMut<T>>
//!   entry(&'a mut self, hash, key: &'a [u8]) -> Lookup<'a, T>
//!   insert_new(&mut self, hash, key, tag, body: NewBody<T>, deadline: Option<u64>)
//!   scan(&self, cursor, visit: &mut dyn FnMut(EntryRef<T>)) -> u64
//!   each_in_memory_order(&self, visit: &mut dyn FnMut(EntryRef<T>) -> Result<(), E>)
//!   drain_in_memory_order(&mut self, visit: the same): memory is given up on the way
//!   sample(&self, random) -> Option<EntryRef<T>>
//!   remove_due(&mut self, now_ms, steps: &mut u32, seen: &mut dyn FnMut(EntryRef<T>)) -> Due<T>
//!   nearest_deadline(&mut self, steps: &mut u32) -> Option<EntryRef<T>>
//!   sample_with_deadline(&self, random) -> Option<EntryRef<T>>
//!   reserve(&mut self, keys), drain(&mut self, budget: &mut u32, discard)
//!   stats(&self) -> StoreStats, memory(&self) -> usize, idle_memory(&self) -> usize, check(&self)
//! Lookup<T>       Occupied(EntryMut<T>) | Vacant(VacantEntry<T>)
//! VacantEntry<T>  heated(self, Heat) -> Self, insert(self, tag, NewBody<T>, deadline) -> EntryMut<T>
//! EntryRef<T>     (Copy) key, tag, body, deadline, heat, touch(tick), mark, set_mark, id,
//!                 record_bytes, footprint
//! EntryMut<T>     key, tag, body, deadline, heat, touch, id, record_bytes, as_ref,
//!                 set(tag, NewBody), replace(tag, NewBody) -> Option<Box<T>>, set_tag,
//!                 set_deadline(Option<u64>), object_mut() -> Option<&mut T>,
//!                 bytes_mut() -> Option<&mut [u8]>, resize_bytes(len) -> Option<&mut [u8]>,
//!                 into_ref(self) -> EntryRef<'a, T>, into_object(self) -> Option<&'a mut T>,
//!                 remove(self) -> Option<Box<T>>
//! Body<'a, T>     Int(i64) | Bytes(&'a [u8]) | Object(&'a T)
//! NewBody<'a, T>  Int(i64) | Bytes(&'a [u8]) | Parts(&'a [&'a [u8]]) | Object(Box<T>)
//! ```
//!
//! Cost: a find reads two small directory tables, one bucket line and the record. An insert touches
//! one segment, and its buddy when it splits; no step ever moves more than that.
//!
//! Beside the store are the collections that are too big for a compact sequence. They too grow and
//! shrink by small steps only, and are destroyed in slices.
//!
//! ```text
//! Rehash<'a>      &'a dyn Fn(&[u8]) -> u64: the caller's hash of a field or member
//! Fields          a set's members, or a hash's fields with values
//!   new(shape: Shape::{Members, Pairs}) -> Self, len, is_empty, shape, memory
//!   get(&self, hash, field) -> Option<&[u8]>, contains(&self, hash, field) -> bool
//!   insert(&mut self, hash, field, value, rehash) -> Inserted::{New, Replaced}
//!   remove(&mut self, hash, field) -> bool
//!   scan(&self, cursor, visit: &mut dyn FnMut(field, value)) -> u64
//!   sample(&self, random: &mut dyn FnMut() -> u64) -> Option<(field, value)>
//!   iter(&self) -> impl Iterator<Item = (field, value)>
//!   prefetch(&self, hash), drain(&mut self, budget: &mut u32), check(&self, rehash), Clone
//! Ranked          a sorted set: members in the order of (score: f64, bytes)
//!   new() -> Self, len, is_empty, memory
//!   score(&self, hash, member) -> Option<f64>
//!   rank(&self, hash, member) -> Option<(usize, f64)>
//!   insert(&mut self, hash, member, score, rehash) -> Option<f64>: the old score
//!   remove(&mut self, hash, member, rehash) -> Option<f64>
//!   remove_range(&mut self, ranks: Range<usize>, rehash, removed: &mut dyn FnMut(member, score))
//!   at(&self, rank) -> Option<(member, score)>
//!   iter_from(&self, rank), rev_iter_from(&self, rank) -> impl Iterator<Item = (member, score)>
//!   partition_point(&self, holds: &dyn Fn(score, member) -> bool) -> usize
//!   scan(&self, cursor, rehash, visit: &mut dyn FnMut(member, score)) -> u64
//!   prefetch(&self, hash), drain(&mut self, budget: &mut u32), check(&self, rehash), Clone
//! ```

mod chunks;
mod deadlines;
mod directory;
mod entry;
mod fields;
mod hash;
pub mod intset;
mod linear;
pub mod listpack;
mod longs;
mod marking;
mod names;
mod order;
mod pages;
mod prefetch;
mod ranked;
mod record;
mod runs;
mod scan;
mod segment;
mod slab;
mod splice;
mod steps;
mod store;

#[cfg(test)]
mod tests;

pub use deadlines::{Draw, Due};
pub use entry::{EntryMut, EntryRef, Lookup, VacantEntry};
pub use fields::{Fields, Inserted, Rehash, Shape};
pub use marking::{Among, Heat, Newcomers};
pub use pages::{ChunkKind, HeapPages, PageSource};
pub use ranked::Ranked;
pub use record::{Body, NewBody};
pub use runs::{Locator, Runs};
pub use slab::EntryId;
pub use splice::Splice;
pub use steps::heap_bytes;
pub use store::{Store, StoreStats};
