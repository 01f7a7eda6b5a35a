//! Strings edited in place, and parts of them.

use super::{GROW, READ, announce, body_of_word, note_missing, text_of};
use crate::command::options::integer;
use crate::command::{CmdError, Ctx, Flags, Group, KeyFlags, Keys, Outcome, Spec};
use crate::keyspace::{Deadline, Key, Stored};
use crate::resp::Args;
use crate::value::string::{
    INLINE_BYTES_MAX, TAG_EDITED, TAG_WHOLE, Text, append as append_to, body_of_shared, edit,
};
use bytes::Bytes;
use dovetail_memory::NewBody;
use std::ops::Range;

/// The rows.
pub const SPECS: &[Spec] = &[
    Spec::new("append", 3, append)
        .of(
            Group::String,
            "2.0.0",
            "O(1), amortised: a string that grows makes room to grow further",
        )
        .flags(GROW.and(Flags::FAST))
        .keys(&[Keys::first(KeyFlags::RW.and(KeyFlags::INSERT))])
        .doc(
            "key value",
            "Puts a string behind the one at a key; a missing key counts as empty.",
        ),
    Spec::new("setrange", 4, setrange)
        .of(
            Group::String,
            "2.2.0",
            "O(1), or O(M) for a value of M bytes",
        )
        .flags(GROW)
        .keys(&[Keys::first(KeyFlags::RW.and(KeyFlags::UPDATE))])
        .doc(
            "key offset value",
            "Overwrites part of the string at a key, padding it with zeroes.",
        ),
    Spec::new("getrange", 4, getrange)
        .of(
            Group::String,
            "2.4.0",
            "O(N) where N is the length of the part",
        )
        .flags(Flags::READONLY)
        .keys(&[Keys::first(READ)])
        .doc(
            "key start end",
            "Returns the part of a string between two positions.",
        ),
    Spec::new("substr", 4, getrange)
        .of(
            Group::String,
            "1.0.0",
            "O(N) where N is the length of the part",
        )
        .flags(Flags::READONLY)
        .keys(&[Keys::first(READ)])
        .doc(
            "key start end",
            "Returns the part of a string between two positions.",
        )
        .deprecated("2.0.0", "`GETRANGE`"),
    Spec::new("strlen", 2, strlen)
        .of(Group::String, "2.2.0", "O(1)")
        .flags(Flags::READONLY.and(Flags::FAST))
        .keys(&[Keys::first(KeyFlags::RO)])
        .doc(
            "key",
            "Returns the length of the string at a key, in bytes.",
        ),
];

/// APPEND key value
///
/// Replies: the new length.
fn append(ctx: &mut Ctx<'_>, args: &Args<'_>) -> Outcome {
    let key = ctx.key(args.get(1));
    let more = args.get(2);
    let limit = ctx.config.limits.proto_max_bulk_len;
    let db = ctx.keyspace.db(ctx.db);
    let (len, stored) = match db.edit(&key) {
        Some(mut entry) => {
            let len = text_of(entry.as_ref())?.as_bytes().len();
            let len = checked_len(len, more.len(), limit)?;
            append_to(&mut entry, more);
            db.changed(key.bytes);
            (len, Stored::Replaced)
        }
        None => {
            let stored = db.put(&key, TAG_WHOLE, body_of_word(args, 2), Deadline::Clear);
            (more.len(), stored)
        }
    };
    if !ctx.keyspace.notify.is_empty() {
        announce(ctx, &key, stored, "append");
    }
    ctx.reply.count(len);
    Ok(())
}

/// SETRANGE key offset value
///
/// Replies: the new length; an empty value changes nothing.
fn setrange(ctx: &mut Ctx<'_>, args: &Args<'_>) -> Outcome {
    let offset = usize::try_from(integer(args.get(2))?);
    let offset = offset.map_err(|_| CmdError::OffsetOutOfRange)?;
    let value = args.get(3);
    let key = ctx.key(args.get(1));
    let limit = ctx.config.limits.proto_max_bulk_len;
    let db = ctx.keyspace.db(ctx.db);
    let (len, stored) = match db.edit(&key) {
        Some(mut entry) => {
            let old_len = text_of(entry.as_ref())?.as_bytes().len();
            if value.is_empty() {
                ctx.reply.count(old_len);
                return Ok(());
            }
            let end = checked_len(offset, value.len(), limit)?;
            edit(&mut entry, end, |bytes| {
                bytes[offset..end].copy_from_slice(value)
            });
            db.changed(key.bytes);
            (end.max(old_len), Stored::Replaced)
        }
        None if value.is_empty() => {
            ctx.reply.integer(0);
            return Ok(());
        }
        None => {
            let end = checked_len(offset, value.len(), limit)?;
            (end, create_padded(ctx, &key, offset, value))
        }
    };
    if !ctx.keyspace.notify.is_empty() {
        announce(ctx, &key, stored, "setrange");
    }
    ctx.reply.count(len);
    Ok(())
}

/// GETRANGE key start end
fn getrange(ctx: &mut Ctx<'_>, args: &Args<'_>) -> Outcome {
    let (start, end) = (integer(args.get(2))?, integer(args.get(3))?);
    let key = ctx.key(args.get(1));
    let Some(entry) = ctx.keyspace.peek_db(ctx.db).read(&key) else {
        ctx.reply.bulk(b"");
        note_missing(ctx, &key);
        return Ok(());
    };
    let text = text_of(entry)?;
    let part = clip(start, end, text.as_bytes().len());
    match text {
        Text::Shared(bytes) => ctx.reply.bulk_shared(&bytes.slice(part)),
        _ => ctx.reply.bulk(&text.as_bytes()[part]),
    }
    Ok(())
}

/// STRLEN key
fn strlen(ctx: &mut Ctx<'_>, args: &Args<'_>) -> Outcome {
    let key = ctx.key(args.get(1));
    let len = match ctx.keyspace.peek_db(ctx.db).read(&key) {
        None => {
            note_missing(ctx, &key);
            0
        }
        Some(entry) => text_of(entry)?.as_bytes().len(),
    };
    ctx.reply.count(len);
    Ok(())
}

/// The length of two parts together, when a string may be as long as that.
fn checked_len(one: usize, other: usize, limit: u64) -> Result<usize, CmdError> {
    let len = one.checked_add(other);
    let len = len.filter(|len| u64::try_from(*len).is_ok_and(|len| len <= limit));
    len.ok_or(CmdError::StringTooLong)
}

/// Stores `value` behind `offset` zeroes at a key that is not there.
fn create_padded(ctx: &mut Ctx<'_>, key: &Key<'_>, offset: usize, value: &[u8]) -> Stored {
    static ZEROES: [u8; INLINE_BYTES_MAX] = [0; INLINE_BYTES_MAX];
    let db = ctx.keyspace.db(ctx.db);
    let len = offset + value.len();
    if len <= INLINE_BYTES_MAX {
        let parts = [&ZEROES[..offset], value];
        return db.put(key, TAG_EDITED, NewBody::Parts(&parts), Deadline::Clear);
    }
    let mut bytes = vec![0; len];
    bytes[offset..].copy_from_slice(value);
    db.put(
        key,
        TAG_EDITED,
        body_of_shared(Bytes::from(bytes)),
        Deadline::Clear,
    )
}

/// The bytes from position `start` to position `end`, both included; negative positions count from
/// the end, and positions outside are moved to the nearest byte inside.
fn clip(start: i64, end: i64, len: usize) -> Range<usize> {
    if start < 0 && end < 0 && start > end {
        return 0..0;
    }
    let signed_len = i64::try_from(len).unwrap_or(i64::MAX);
    let from_start = |at: i64| {
        if at < 0 {
            at.saturating_add(signed_len).max(0)
        } else {
            at
        }
    };
    let (start, end) = (from_start(start), from_start(end).min(signed_len - 1));
    if start > end {
        return 0..0;
    }
    let index = |at: i64| usize::try_from(at).unwrap_or(0);
    index(start)..index(end) + 1
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn parts_are_clipped_as_real_servers_do() {
        let text = "Hello World";
        for (start, end, part) in [
            (0, -1, "Hello World"),
            (-5, -1, "World"),
            (5, 3, ""),
            (-1, -5, ""),
            (-100, -50, "H"),
            (-100, 2, "Hel"),
            (3, 100, "lo World"),
            (20, 30, ""),
            (-3, -100, ""),
            (0, 0, "H"),
            (0, -100, "H"),
            (i64::MIN, i64::MAX, "Hello World"),
            (i64::MAX, i64::MIN, ""),
        ] {
            assert_eq!(&text[clip(start, end, text.len())], part, "{start} {end}");
        }
        for (start, end) in [(0, -1), (0, 0), (-1, -1), (i64::MIN, i64::MAX)] {
            assert_eq!(clip(start, end, 0), 0..0);
        }
    }

    #[test]
    fn lengths_beyond_the_limit_or_the_machine_are_refused() {
        assert_eq!(checked_len(3, 4, 7), Ok(7));
        assert_eq!(checked_len(3, 4, 6), Err(CmdError::StringTooLong));
        assert_eq!(
            checked_len(usize::MAX, 1, u64::MAX),
            Err(CmdError::StringTooLong)
        );
    }
}
