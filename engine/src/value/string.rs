//! Strings: a number, bytes inside the record, or bytes of their own.
//!
//! Which form a string takes is decided here, from its bytes alone; how it came about (written
//! whole or edited) is kept in the record's tag, because OBJECT ENCODING tells the two apart.

use super::Value;
use crate::base::number::{Digits, parse_i64};
use bytes::{Bytes, BytesMut};
use dovetail_memory::{Body, EntryMut, EntryRef, NewBody};

/// Strings up to this length lie in the record.
pub const INLINE_BYTES_MAX: usize = 2048;
/// Up to this length OBJECT ENCODING says `embstr`.
pub const EMBSTR_BYTES_MAX: usize = 44;
/// Longest text that may be a number.
const NUMBER_BYTES_MAX: usize = 20;

/// Strings up to this length double their room when they outgrow it; longer ones get an eighth more.
const DOUBLING_BYTES_MAX: usize = 1 << 20;

/// The record's tag of a string written whole.
pub const TAG_WHOLE: u8 = 0;
/// The record's tag of a string that APPEND, SETRANGE or the like has edited.
pub const TAG_EDITED: u8 = 1;

/// A string's bytes, wherever they lie.
#[derive(Debug)]
pub enum Text<'a> {
    /// A number, spelled out.
    Number(Digits),
    /// Bytes in the record.
    Inline(&'a [u8]),
    /// Bytes of their own, which can be shared.
    Shared(&'a Bytes),
}

impl<'a> Text<'a> {
    /// The string in `entry`; `None` when it holds another type.
    #[must_use]
    #[inline]
    pub fn of(entry: EntryRef<'a, Value>) -> Option<Self> {
        match entry.body() {
            Body::Int(number) => Some(Self::Number(Digits::of(number))),
            Body::Bytes(bytes) if entry.tag() <= TAG_EDITED => Some(Self::Inline(bytes)),
            Body::Object(Value::String(bytes)) => Some(Self::Shared(bytes)),
            Body::Bytes(_) | Body::Object(_) => None,
        }
    }

    /// The bytes.
    #[must_use]
    #[inline]
    pub fn as_bytes(&self) -> &[u8] {
        match self {
            Self::Number(digits) => digits.as_bytes(),
            Self::Inline(bytes) => bytes,
            Self::Shared(bytes) => bytes,
        }
    }

    /// The bytes as something to keep; copied unless they can be shared.
    #[must_use]
    pub fn to_bytes(&self) -> Bytes {
        match self {
            Self::Shared(bytes) => (*bytes).clone(),
            _ => Bytes::copy_from_slice(self.as_bytes()),
        }
    }
}

/// The body that stores `bytes` when they are written whole.
#[must_use]
#[inline]
pub fn body_of(bytes: &[u8]) -> NewBody<'_, Value> {
    if bytes.len() <= NUMBER_BYTES_MAX
        && let Some(number) = parse_i64(bytes)
    {
        return NewBody::Int(number);
    }
    text_body_of(bytes)
}

/// The body that stores `bytes` as text even if they spell a number.
#[must_use]
#[inline]
pub fn text_body_of(bytes: &[u8]) -> NewBody<'_, Value> {
    if bytes.len() <= INLINE_BYTES_MAX {
        NewBody::Bytes(bytes)
    } else {
        NewBody::Object(Box::new(Value::String(Bytes::copy_from_slice(bytes))))
    }
}

/// The body that stores bytes which can be kept without a copy.
#[must_use]
pub fn body_of_shared(bytes: Bytes) -> NewBody<'static, Value> {
    NewBody::Object(Box::new(Value::String(bytes)))
}

/// Puts `more` behind the string in `entry`, which counts as edited from then on.
///
/// # Panics
/// When `entry` holds no string.
///
/// # Cost
/// O(length of `more`), amortised, unless a reply is being sent from the string.
pub fn append(entry: &mut EntryMut<'_, Value>, more: &[u8]) {
    let old = match entry.body() {
        Body::Object(_) => {
            return with_large(entry, more.len(), |bytes| bytes.extend_from_slice(more));
        }
        Body::Int(number) => Text::Number(Digits::of(number)),
        Body::Bytes(bytes) => Text::Inline(bytes),
    };
    let old_len = old.as_bytes().len();
    let len = old_len + more.len();
    if len > INLINE_BYTES_MAX {
        let mut bytes = BytesMut::with_capacity(room_for(len));
        bytes.extend_from_slice(old.as_bytes());
        bytes.extend_from_slice(more);
        entry.set(TAG_EDITED, body_of_shared(bytes.freeze()));
    } else if let Text::Number(digits) = old {
        entry.set(TAG_EDITED, NewBody::Parts(&[digits.as_bytes(), more]));
    } else {
        let bytes = entry.resize_bytes(len).expect("the body is bytes");
        bytes[old_len..].copy_from_slice(more);
        entry.set_tag(TAG_EDITED);
    }
}

/// Lets `change` write into the string in `entry`, with zeroes put behind it until it has at least
/// `len` bytes. It counts as edited from then on.
///
/// # Panics
/// When `entry` holds no string.
///
/// # Cost
/// What `change` costs and O(1), amortised, unless a reply is being sent from the string.
pub fn edit<R>(
    entry: &mut EntryMut<'_, Value>,
    len: usize,
    change: impl FnOnce(&mut [u8]) -> R,
) -> R {
    let old = match entry.body() {
        Body::Object(Value::String(bytes)) => {
            let more = len.saturating_sub(bytes.len());
            return with_large(entry, more, |bytes| {
                bytes.resize(bytes.len() + more, 0);
                change(bytes)
            });
        }
        Body::Object(_) => unreachable!("the caller has seen that it is a string"),
        Body::Int(number) => Text::Number(Digits::of(number)),
        Body::Bytes(bytes) => Text::Inline(bytes),
    };
    let len = len.max(old.as_bytes().len());
    if len > INLINE_BYTES_MAX {
        let mut bytes = BytesMut::with_capacity(room_for(len));
        bytes.extend_from_slice(old.as_bytes());
        bytes.resize(len, 0);
        let result = change(&mut bytes);
        entry.set(TAG_EDITED, body_of_shared(bytes.freeze()));
        return result;
    }
    match old {
        Text::Number(digits) => entry.set(TAG_EDITED, NewBody::Bytes(digits.as_bytes())),
        _ => entry.set_tag(TAG_EDITED),
    }
    change(entry.resize_bytes(len).expect("the body is bytes"))
}

/// Lets `change` have the long string in `entry`, with room for `more` bytes behind it.
fn with_large<R>(
    entry: &mut EntryMut<'_, Value>,
    more: usize,
    change: impl FnOnce(&mut BytesMut) -> R,
) -> R {
    let Some(Value::String(bytes)) = entry.object_mut() else {
        unreachable!("the caller has seen that it is a string")
    };
    let len = bytes.len() + more;
    let mut owned = match std::mem::take(bytes).try_into_mut() {
        Ok(owned) if owned.capacity() >= len => owned,
        // Too small, or a reply is being sent from it.
        Ok(owned) => copy_with_room(&owned, len),
        Err(shared) => copy_with_room(&shared, len),
    };
    let result = change(&mut owned);
    *bytes = owned.freeze();
    entry.set_tag(TAG_EDITED);
    result
}

fn copy_with_room(bytes: &[u8], len: usize) -> BytesMut {
    let mut copy = BytesMut::with_capacity(room_for(len));
    copy.extend_from_slice(bytes);
    copy
}

/// Bytes for which a long string in `entry` has room, its own among them; `None` when that is not
/// known, because the string is not long, or because a reply is being sent from it.
#[must_use]
pub fn room(entry: &mut EntryMut<'_, Value>) -> Option<usize> {
    let Some(Value::String(bytes)) = entry.object_mut() else {
        return None;
    };
    // The room is known to the owner only, who gets the bytes for a moment.
    match std::mem::take(bytes).try_into_mut() {
        Ok(owned) => {
            let room = owned.capacity();
            *bytes = owned.freeze();
            Some(room)
        }
        Err(shared) => {
            *bytes = shared;
            None
        }
    }
}

/// Bytes to allocate for an edited string of `len` bytes, so that the next edits find room.
fn room_for(len: usize) -> usize {
    if len <= DOUBLING_BYTES_MAX {
        len * 2
    } else {
        len + len / 8
    }
}

/// What OBJECT ENCODING says of the string in `entry`.
#[must_use]
pub fn encoding(entry: EntryRef<'_, Value>) -> &'static str {
    match entry.body() {
        Body::Int(_) => "int",
        Body::Bytes(bytes) if entry.tag() == TAG_WHOLE && bytes.len() <= EMBSTR_BYTES_MAX => {
            "embstr"
        }
        _ => "raw",
    }
}

#[cfg(test)]
mod tests;
