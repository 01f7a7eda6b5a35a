//! What a key can hold.
//!
//! Small strings and integers live inline in the key's record and have no [`Value`]; everything
//! else is a boxed object behind it.

pub mod string;

use bytes::Bytes;
use dovetail_memory::{Body, EntryRef};

/// The types of values, as TYPE names them.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Kind {
    /// Bytes or a number.
    String,
}

impl Kind {
    /// Every type that exists here.
    pub const ALL: &[Self] = &[Self::String];

    /// The word that TYPE answers.
    #[must_use]
    pub const fn name(self) -> &'static str {
        match self {
            Self::String => "string",
        }
    }
}

/// A value too large or too complex to lie in its key's record.
#[derive(Debug)]
pub enum Value {
    /// A long string; shared with replies that are being sent from it.
    String(Bytes),
}

impl Value {
    /// Its type.
    #[must_use]
    pub const fn kind(&self) -> Kind {
        match self {
            Self::String(_) => Kind::String,
        }
    }

    /// Bytes of memory behind the record, allocator overhead excluded.
    #[must_use]
    pub fn memory(&self) -> usize {
        match self {
            Self::String(bytes) => bytes.len() + size_of::<Self>(),
        }
    }

    /// A value of its own with the same contents; a long string's bytes are shared.
    #[must_use]
    pub fn duplicate(&self) -> Self {
        match self {
            Self::String(bytes) => Self::String(bytes.clone()),
        }
    }
}

/// The type of what `entry` holds.
#[must_use]
#[inline]
pub fn kind_of(entry: EntryRef<'_, Value>) -> Kind {
    match entry.body() {
        Body::Int(_) | Body::Bytes(_) => Kind::String,
        Body::Object(value) => value.kind(),
    }
}

/// What OBJECT ENCODING says of what `entry` holds.
#[must_use]
pub fn encoding_of(entry: EntryRef<'_, Value>) -> &'static str {
    match kind_of(entry) {
        Kind::String => string::encoding(entry),
    }
}
