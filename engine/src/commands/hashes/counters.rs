//! Hashes: numbers in fields.

use super::{hash_of, set_fields};
use crate::base::extended::Extended;
use crate::base::number::{Digits, parse_i64};
use crate::command::options::integer;
use crate::command::{CmdError, Ctx, Flags, Group, KeyFlags, Keys, Outcome, Spec};
use crate::keyspace::Key;
use crate::resp::Args;
use crate::value::{Item, with_text};

/// The rows.
pub const SPECS: &[Spec] = &[
    Spec::new("hincrby", 4, hincrby)
        .of(Group::Hash, "2.0.0", "O(1)")
        .flags(Flags::WRITE.and(Flags::DENYOOM).and(Flags::FAST))
        .keys(&[Keys::first(
            KeyFlags::RW.and(KeyFlags::ACCESS).and(KeyFlags::UPDATE),
        )])
        .doc(
            "key field increment",
            "Adds to the integer in a field of a hash.",
        ),
    Spec::new("hincrbyfloat", 4, hincrbyfloat)
        .of(Group::Hash, "2.6.0", "O(1)")
        .flags(Flags::WRITE.and(Flags::DENYOOM).and(Flags::FAST))
        .keys(&[Keys::first(
            KeyFlags::RW.and(KeyFlags::ACCESS).and(KeyFlags::UPDATE),
        )])
        .doc(
            "key field increment",
            "Adds to the number in a field of a hash.",
        ),
];

/// What the field at word 2 holds, if it is there.
fn field_of<'c>(
    ctx: &'c Ctx<'_>,
    key: &Key<'_>,
    field: &[u8],
) -> Result<Option<Item<'c>>, CmdError> {
    let entry = ctx.keyspace.peek_db(ctx.db).find(key);
    let hash = entry.map(hash_of).transpose()?;
    Ok(hash.and_then(|hash| hash.get(field)))
}

/// HINCRBY key field increment
///
/// Replies: the sum.
fn hincrby(ctx: &mut Ctx<'_>, args: &Args<'_>) -> Outcome {
    let by = integer(args.get(3))?;
    let (key, field) = (ctx.key(args.get(1)), args.get(2));
    let old = match field_of(ctx, &key, field)? {
        None => 0,
        Some(Item::Int(old)) => old,
        Some(Item::Bytes(text)) => {
            parse_i64(text).ok_or(CmdError::fixed("ERR hash value is not an integer"))?
        }
    };
    let sum = old.checked_add(by).ok_or(CmdError::Overflow)?;
    let digits = Digits::of(sum);
    set_fields(ctx, &key, [field, digits.as_bytes()].into_iter(), "hincrby")?;
    ctx.reply.integer(sum);
    Ok(())
}

/// HINCRBYFLOAT key field increment
///
/// Replies: the sum, as it is stored.
fn hincrbyfloat(ctx: &mut Ctx<'_>, args: &Args<'_>) -> Outcome {
    let by = Extended::parse(args.get(3)).ok_or(CmdError::NotFloat)?;
    if Extended::ZERO.plus(by).is_none() {
        return Err(CmdError::fixed("ERR value is NaN or Infinity"));
    }
    let (key, field) = (ctx.key(args.get(1)), args.get(2));
    let old = match field_of(ctx, &key, field)? {
        None => Extended::ZERO,
        Some(value) => with_text(value, Extended::parse)
            .ok_or(CmdError::fixed("ERR hash value is not a float"))?,
    };
    let sum = old.plus(by).ok_or(CmdError::NanOrInfinity)?;
    let mut text = Vec::new();
    sum.write(&mut text);
    set_fields(ctx, &key, [field, &text[..]].into_iter(), "hincrbyfloat")?;
    ctx.record(&[b"HSET", key.bytes, field, &text]);
    ctx.reply.bulk(&text);
    Ok(())
}
