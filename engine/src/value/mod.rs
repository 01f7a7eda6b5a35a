//! What a key can hold.
//!
//! Small values live in the key's record and have no [`Value`]: integers, short strings, and the
//! compact forms of the other types, which the record's tag tells apart. Everything else is a boxed
//! object behind it.

pub mod draw;
pub mod hash;
pub mod list;
pub mod restore;
pub mod scored;
mod scores;
pub mod set;
pub mod string;
pub mod table;
pub mod zset;

use crate::base::number::{Digits, parse_i64};
use bytes::Bytes;
pub use dovetail_memory::listpack::Item;
use dovetail_memory::{Body, EntryRef, Ranked, heap_bytes};
use list::List;
use table::Table;
use zset::Zset;

/// The record's tag of a list.
pub const TAG_LIST: u8 = 2;
/// The record's tag of a hash.
pub const TAG_HASH: u8 = 3;
/// The record's tag of a set of integers.
pub const TAG_SET_INTS: u8 = 4;
/// The record's tag of any other set.
pub const TAG_SET_PACK: u8 = 5;
/// The record's tag of a sorted set.
pub const TAG_ZSET: u8 = 6;

/// `word` as an element of a listpack.
#[must_use]
#[inline]
pub fn item_of(word: &[u8]) -> Item<'_> {
    match parse_i64(word) {
        Some(value) => Item::Int(value),
        None => Item::Bytes(word),
    }
}

/// Lets `with` have the text of `item`.
#[inline]
pub fn with_text<R>(item: Item<'_>, with: impl FnOnce(&[u8]) -> R) -> R {
    match item {
        Item::Int(value) => with(Digits::of(value).as_bytes()),
        Item::Bytes(bytes) => with(bytes),
    }
}

/// The types of values, as TYPE names them.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Kind {
    /// Bytes or a number.
    String,
    /// Elements in an order of their own.
    List,
    /// Fields with values.
    Hash,
    /// Members.
    Set,
    /// Members in the order of their scores.
    SortedSet,
}

impl Kind {
    /// Every type that exists here.
    pub const ALL: &[Self] = &[
        Self::String,
        Self::List,
        Self::Hash,
        Self::Set,
        Self::SortedSet,
    ];

    /// The word that TYPE answers.
    #[must_use]
    pub const fn name(self) -> &'static str {
        match self {
            Self::String => "string",
            Self::List => "list",
            Self::Hash => "hash",
            Self::Set => "set",
            Self::SortedSet => "zset",
        }
    }
}

/// A value too large or too complex to lie in its key's record.
#[derive(Debug)]
pub enum Value {
    /// A long string; shared with replies that are being sent from it.
    String(Bytes),
    /// A long list.
    List(Box<List>),
    /// A big hash.
    Hash(Box<Table>),
    /// A big set.
    Set(Box<Table>),
    /// A large sorted set.
    Zset(Box<Zset>),
}

impl Value {
    /// Steps of [`Self::prefetch_element`].
    pub const PREFETCH_STEPS: usize = Ranked::PREFETCH_STEPS;

    /// Its type.
    #[must_use]
    pub const fn kind(&self) -> Kind {
        match self {
            Self::String(_) => Kind::String,
            Self::List(_) => Kind::List,
            Self::Hash(_) => Kind::Hash,
            Self::Set(_) => Kind::Set,
            Self::Zset(_) => Kind::SortedSet,
        }
    }

    /// Bytes of memory behind the record, in allocator classes. An edited string may have more room
    /// than this says; see [`string::room`].
    ///
    /// # Cost
    /// O(1), for a list a walk over its nodes.
    #[must_use]
    pub fn memory(&self) -> usize {
        let behind = match self {
            Self::String(bytes) => heap_bytes(bytes.len()),
            Self::List(list) => list.memory(),
            Self::Hash(table) | Self::Set(table) => table.memory(),
            Self::Zset(zset) => zset.memory(),
        };
        heap_bytes(size_of::<Self>()) + behind
    }

    /// In how many pieces its memory lies, roughly; none once it has been drained.
    #[must_use]
    pub fn pieces(&self) -> usize {
        match self {
            Self::String(bytes) => usize::from(!bytes.is_empty()),
            Self::List(list) => list.nodes(),
            Self::Hash(table) | Self::Set(table) => table.len(),
            Self::Zset(zset) => zset.len(),
        }
    }

    /// Destroys up to `budget` pieces and subtracts them from it; nothing but destroying it further
    /// makes sense then.
    pub fn drain(&mut self, budget: &mut u32) {
        match self {
            Self::String(bytes) => {
                *bytes = Bytes::new();
                *budget -= 1;
            }
            Self::List(list) => list.drain(budget),
            Self::Hash(table) | Self::Set(table) => table.drain(budget),
            Self::Zset(zset) => zset.drain(budget),
        }
    }

    /// The hash that an element is found by; `None` where elements are not hashed.
    #[must_use]
    #[inline]
    pub fn element_hash(&self, element: &[u8]) -> Option<u64> {
        match self {
            Self::String(_) | Self::List(_) => None,
            Self::Hash(table) | Self::Set(table) => Some(table.hash(element)),
            Self::Zset(zset) => Some(zset.hash(element)),
        }
    }

    /// Takes step number `step` of fetching ahead what a look-up by that hash will read.
    #[inline]
    pub fn prefetch_element(&self, hash: u64, step: usize) {
        match self {
            Self::String(_) | Self::List(_) => {}
            Self::Hash(table) | Self::Set(table) => table.prefetch(hash, step),
            Self::Zset(zset) => zset.prefetch(hash, step),
        }
    }

    /// A value of its own with the same contents; a long string's bytes are shared.
    #[must_use]
    pub fn duplicate(&self) -> Self {
        match self {
            Self::String(bytes) => Self::String(bytes.clone()),
            Self::List(list) => Self::List(list.clone()),
            Self::Hash(table) => Self::Hash(table.clone()),
            Self::Set(table) => Self::Set(table.clone()),
            Self::Zset(zset) => Self::Zset(zset.clone()),
        }
    }
}

/// The type of what `entry` holds.
#[must_use]
#[inline]
pub fn kind_of(entry: EntryRef<'_, Value>) -> Kind {
    match entry.body() {
        Body::Int(_) => Kind::String,
        Body::Bytes(_) => match entry.tag() {
            TAG_LIST => Kind::List,
            TAG_HASH => Kind::Hash,
            TAG_SET_INTS | TAG_SET_PACK => Kind::Set,
            TAG_ZSET => Kind::SortedSet,
            _ => Kind::String,
        },
        Body::Object(value) => value.kind(),
    }
}

/// What OBJECT ENCODING says of what `entry` holds.
#[must_use]
pub fn encoding_of(entry: EntryRef<'_, Value>) -> &'static str {
    match kind_of(entry) {
        Kind::String => string::encoding(entry),
        Kind::List => list::encoding(entry),
        Kind::Hash => hash::encoding(entry),
        Kind::Set => set::encoding(entry),
        Kind::SortedSet => zset::encoding(entry),
    }
}
