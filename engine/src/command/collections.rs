//! What the commands on collections share, whatever the type.

use super::options::is;
use super::{CmdError, Ctx, Options, Outcome};
use crate::base::Micros;
use crate::base::extended::Extended;
use crate::base::number::{Digits, parse_i64};
use crate::keyspace::{Edited, Entry, EventClasses, Key, Stored};
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

/// Has `found` answer from the value at word 1; when the key is not there, `missing` answers, and
/// that is announced.
///
/// # Errors
/// Those of `found`.
#[inline]
pub fn read<'r>(
    ctx: &mut Ctx<'r>,
    args: &Args<'_>,
    missing: impl FnOnce(&mut Reply<'r>),
    found: impl FnOnce(Entry<'_>, &mut Reply<'r>) -> Outcome,
) -> Outcome {
    let key = ctx.key(args.get(1));
    let Some(entry) = ctx.keyspace.peek_db(ctx.db).read(&key) else {
        missing(&mut ctx.reply);
        note_missing(ctx, &key);
        return Ok(());
    };
    found(entry, &mut ctx.reply)
}

/// Answers a number of the value at word 1, or 0 when the key is not there.
///
/// # Errors
/// Those of `number`.
#[inline]
pub fn read_number(
    ctx: &mut Ctx<'_>,
    args: &Args<'_>,
    number: impl FnOnce(Entry<'_>) -> Result<usize, CmdError>,
) -> Outcome {
    let found = |entry: Entry<'_>, reply: &mut Reply<'_>| {
        reply.count(number(entry)?);
        Ok(())
    };
    read(ctx, args, |reply| reply.integer(0), found)
}

/// Removes what the words from the second on name out of the collection at word 1, which goes when
/// nothing is left of it.
///
/// Replies: how many were there.
///
/// # Errors
/// Those of `len_of`.
#[inline]
pub fn remove_words(
    ctx: &mut Ctx<'_>,
    args: &Args<'_>,
    (class, event): (EventClasses, &'static str),
    len_of: impl FnOnce(Entry<'_>) -> Result<usize, CmdError>,
    mut remove: impl FnMut(&mut Edited<'_>, &[u8]) -> bool,
) -> Outcome {
    let key = ctx.key(args.get(1));
    let db = ctx.keyspace.db(ctx.db);
    let Some(mut entry) = db.edit(&key) else {
        ctx.reply.integer(0);
        return Ok(());
    };
    let len = len_of(entry.as_ref())?;
    let mut removed = 0;
    for word in args.iter_from(2) {
        removed += usize::from(remove(&mut entry, word));
        if removed == len {
            break;
        }
    }
    if removed > 0 {
        db.changed(key.bytes);
        ctx.notify(class, event, key.bytes);
    }
    if removed == len {
        remove_emptied(ctx, &key);
    }
    ctx.reply.count(removed);
    Ok(())
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

/// Removes a key whether it is there or not, and announces it if it was.
pub fn remove_any(ctx: &mut Ctx<'_>, key: &Key<'_>) {
    if ctx.keyspace.peek_db(ctx.db).peek(key).is_some() {
        remove_key(ctx, key);
    }
}

/// `word` as a count.
///
/// # Errors
/// [`CmdError::NotPositive`] for everything but an integer from 0 on.
pub fn positive(word: &[u8]) -> Result<u64, CmdError> {
    from_0(word, CmdError::NotPositive)
}

/// `word` as an integer from 0 on.
///
/// # Errors
/// `error` for everything else.
pub fn from_0(word: &[u8], error: CmdError) -> Result<u64, CmdError> {
    let number = parse_i64(word).and_then(|number| u64::try_from(number).ok());
    number.ok_or(error)
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

/// The number of keys that word `at` is.
///
/// # Errors
/// When it is no number above 0.
pub fn key_count(args: &Args<'_>, at: usize) -> Result<usize, CmdError> {
    let count = parse_i64(args.get(at)).and_then(|count| usize::try_from(count).ok());
    count
        .filter(|count| *count > 0)
        .ok_or(CmdError::fixed("ERR numkeys should be greater than 0"))
}

/// The value of the option LIMIT of SINTERCARD and ZINTERCARD; 0 is none.
///
/// # Errors
/// When it is no number from 0 on.
pub fn count_limit(options: &mut Options<'_>) -> Result<u64, CmdError> {
    from_0(
        options.value()?,
        CmdError::fixed("ERR LIMIT can't be negative"),
    )
}

/// What LMPOP, ZMPOP and their like are asked for; `E` is an end of the collections.
#[derive(Clone, Debug)]
pub struct Mpop<E> {
    /// Which words are the keys.
    pub keys: Range<usize>,
    /// What is taken from.
    pub end: E,
    /// How many elements at most.
    pub count: usize,
}

impl<E> Mpop<E> {
    /// Reads the words from `at` on: the number of keys, the keys, an end, perhaps a count.
    ///
    /// # Errors
    /// When the number of keys or the count is no number above 0, `end_of` knows no such end, or
    /// there are too few words or too many.
    pub fn read(
        args: &Args<'_>,
        at: usize,
        end_of: impl FnOnce(&[u8]) -> Result<E, CmdError>,
    ) -> Result<Self, CmdError> {
        let first = at + 1;
        let behind = first.checked_add(key_count(args, at)?);
        let keys = first..behind.ok_or(CmdError::Syntax)?;
        let mut options = Options::from(args, keys.end);
        let end = end_of(options.value()?)?;
        let mut count = None;
        while let Some(word) = options.next() {
            if count.is_some() || !is(word, "count") || options.left() == 0 {
                return Err(CmdError::Syntax);
            }
            let wanted = parse_i64(options.value()?).filter(|wanted| *wanted > 0);
            let wanted = wanted.ok_or(CmdError::fixed("ERR count should be greater than 0"))?;
            count = Some(usize::try_from(wanted).unwrap_or(usize::MAX));
        }
        let count = count.unwrap_or(1);
        Ok(Self { keys, end, count })
    }
}

/// The first of the keys at `words` that is there, and what it holds.
#[inline]
pub fn first_present<'c, 'k>(
    ctx: &'c Ctx<'_>,
    args: &Args<'k>,
    mut words: Range<usize>,
) -> Option<(Key<'k>, Entry<'c>)> {
    words.find_map(|word| {
        let key = ctx.key(args.get(word));
        let entry = ctx.keyspace.peek_db(ctx.db).find(&key)?;
        Some((key, entry))
    })
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
