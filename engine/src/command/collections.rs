//! What the commands on collections share, whatever the type.

use super::options::is;
use super::{CmdError, Ctx, Options};
use crate::base::Micros;
use crate::base::extended::Extended;
use crate::base::number::{Digits, parse_i64};
use crate::conn::{OUTPUT_UNCHECKED_BYTES, SessionFlags};
use crate::keyspace::{EventClasses, Key, Stored};
use crate::resp::{Args, Reply};
use crate::value::Item;
use std::ops::Range;

/// Answers an element.
#[inline]
pub fn reply_item(reply: &mut Reply<'_>, item: Item<'_>) {
    match item {
        Item::Int(value) => reply.bulk(Digits::of(value).as_bytes()),
        Item::Bytes(bytes) => reply.bulk(bytes),
    }
}

/// Announces that a read did not find `key`.
#[inline]
pub fn note_missing(ctx: &mut Ctx<'_>, key: &Key<'_>) {
    ctx.notify(EventClasses::KEY_MISS, "keymiss", key.bytes);
}

/// Announces that a collection was made or changed.
pub fn announce(
    ctx: &mut Ctx<'_>,
    key: &Key<'_>,
    stored: Stored,
    class: EventClasses,
    event: &'static str,
) {
    if stored == Stored::Created {
        ctx.notify(EventClasses::NEW, "new", key.bytes);
    }
    ctx.notify(class, event, key.bytes);
}

/// Removes a collection that nothing is left of, and announces it; that something was taken has
/// been counted.
pub fn remove_emptied(ctx: &mut Ctx<'_>, key: &Key<'_>) {
    ctx.keyspace.db(ctx.db).remove_emptied(key);
    ctx.notify(EventClasses::GENERIC, "del", key.bytes);
}

/// Removes a key that is there, and announces it.
pub fn remove_key(ctx: &mut Ctx<'_>, key: &Key<'_>) {
    ctx.keyspace.db(ctx.db).remove(key);
    ctx.notify(EventClasses::GENERIC, "del", key.bytes);
}

/// A length of the asking connection's replies beyond which it is closed for them at the end of the
/// turn, so that what follows need not be written. What a script asks for goes to no connection.
pub fn reply_bytes_max(ctx: &mut Ctx<'_>) -> usize {
    let session = ctx.session();
    let (is_inside, class) = (session.flags.has(SessionFlags::EXECUTING), session.class());
    let limit = ctx.config.limits.output_limit(class).hard_bytes;
    if limit == 0 || is_inside {
        return usize::MAX;
    }
    let limit = usize::try_from(limit).unwrap_or(usize::MAX);
    limit.max(OUTPUT_UNCHECKED_BYTES)
}

/// `word` as a count.
///
/// # Errors
/// [`CmdError::NotPositive`] for everything but an integer from 0 on.
pub fn positive(word: &[u8]) -> Result<u64, CmdError> {
    let number = parse_i64(word).and_then(|number| u64::try_from(number).ok());
    number.ok_or(CmdError::NotPositive)
}

/// The places that `start` and `stop` name among `len`; negative ones count from the end, and what
/// lies outside is cut off.
#[must_use]
pub fn range_of(start: i64, stop: i64, len: usize) -> Range<usize> {
    let len = i64::try_from(len).unwrap_or(i64::MAX);
    let from_end = |index: i64| if index < 0 { index + len } else { index };
    let start = from_end(start).max(0);
    let end = from_end(stop).min(len - 1) + 1;
    match (usize::try_from(start), usize::try_from(end)) {
        (Ok(start), Ok(end)) if start < end => start..end,
        _ => 0..0,
    }
}

/// The words that are keys, when their number is at `at` and they follow.
///
/// # Errors
/// When it is no number above 0, or there are not so many words.
pub fn counted_keys(args: &Args<'_>, at: usize) -> Result<Range<usize>, CmdError> {
    let count = parse_i64(args.get(at)).and_then(|count| usize::try_from(count).ok());
    let count = count
        .filter(|count| *count > 0)
        .ok_or(CmdError::fixed("ERR numkeys should be greater than 0"))?;
    let first = at + 1;
    match first.checked_add(count) {
        Some(end) if end <= args.len() => Ok(first..end),
        _ => Err(CmdError::Syntax),
    }
}

/// The `[COUNT count]` that ends LMPOP, ZMPOP and their like; 1 without it.
///
/// # Errors
/// When it is no number above 0, or something else follows.
pub fn mpop_count(options: &mut Options<'_>) -> Result<usize, CmdError> {
    let mut wanted = None;
    while let Some(word) = options.next() {
        if wanted.is_some() || !is(word, "count") || options.left() == 0 {
            return Err(CmdError::Syntax);
        }
        let count = parse_i64(options.value()?).filter(|count| *count > 0);
        let count = count.ok_or(CmdError::fixed("ERR count should be greater than 0"))?;
        wanted = Some(usize::try_from(count).unwrap_or(usize::MAX));
    }
    Ok(wanted.unwrap_or(1))
}

/// When the time is up that `word` spells in seconds, fractions allowed; `None` for 0, which is
/// never.
///
/// # Errors
/// When it is no number, negative, or too far away.
pub fn wait_deadline(ctx: &Ctx<'_>, word: &[u8]) -> Result<Option<Micros>, CmdError> {
    let secs = Extended::parse(word).ok_or(CmdError::fixed(
        "ERR timeout is not a float or out of range",
    ))?;
    let millis = u64::try_from(secs.thousandths())
        .map_err(|_| CmdError::fixed("ERR timeout is negative"))?;
    if ctx.now.unix_ms().saturating_add(millis) > i64::MAX.unsigned_abs() {
        return Err(CmdError::fixed("ERR timeout is out of range"));
    }
    Ok((millis > 0).then(|| ctx.now.monotonic.plus(Micros::from_millis(millis))))
}

/// How a count asks for random elements.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Draws {
    /// So many, each drawn from all.
    Repeated(usize),
    /// So many different ones.
    Distinct(usize),
}

impl Draws {
    /// What `count` asks for of `len` elements: a negative one draws with repetition.
    #[must_use]
    pub fn of(count: i64, len: usize) -> Self {
        let wanted = usize::try_from(count.unsigned_abs()).unwrap_or(usize::MAX);
        if count >= 0 {
            Self::Distinct(wanted.min(len))
        } else {
            Self::Repeated(if len > 0 { wanted } else { 0 })
        }
    }

    /// How many elements there will be.
    #[must_use]
    pub fn count(self) -> usize {
        match self {
            Self::Repeated(count) | Self::Distinct(count) => count,
        }
    }
}
