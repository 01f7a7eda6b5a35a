//! Lists: elements by their places.

use super::{is_emptied, limits, list_of};
use crate::command::collections::{
    from_0, note_missing, range_of, read, read_number, remove_emptied, remove_key, reply_item,
};
use crate::command::options::{integer, integer_within, is};
use crate::command::{CmdError, Ctx, Flags, Group, KeyFlags, Keys, Options, Outcome, Spec};
use crate::keyspace::EventClasses;
use crate::resp::{Args, Reply};
use crate::value::item_of;
use crate::value::list::{self, End, ListRef};

/// The rows.
pub const SPECS: &[Spec] = &[
    Spec::new("llen", 2, llen)
        .of(Group::List, "1.0.0", "O(1)")
        .flags(Flags::READONLY.and(Flags::FAST))
        .keys(&[Keys::first(KeyFlags::RO)])
        .doc("key", "Returns how many elements a list has."),
    Spec::new("lindex", 3, lindex)
        .of(
            Group::List,
            "1.0.0",
            "O(N) where N is the number of elements passed over; O(1) at both ends",
        )
        .flags(Flags::READONLY)
        .keys(&[Keys::first(KeyFlags::RO.and(KeyFlags::ACCESS))])
        .doc("key index", "Returns the element at a place of a list."),
    Spec::new("lrange", 4, lrange)
        .of(
            Group::List,
            "1.0.0",
            "O(S+N) where S is the distance to the nearer end and N the number of elements \
             returned",
        )
        .flags(Flags::READONLY)
        .keys(&[Keys::first(KeyFlags::RO.and(KeyFlags::ACCESS))])
        .doc(
            "key start stop",
            "Returns the elements between two places of a list.",
        ),
    Spec::new("lset", 4, lset)
        .of(
            Group::List,
            "1.0.0",
            "O(N) where N is the length of the list; O(1) at both ends",
        )
        .flags(Flags::WRITE.and(Flags::DENYOOM))
        .keys(&[Keys::first(KeyFlags::RW.and(KeyFlags::UPDATE))])
        .doc(
            "key index element",
            "Overwrites the element at a place of a list.",
        ),
    Spec::new("ltrim", 4, ltrim)
        .of(
            Group::List,
            "1.0.0",
            "O(N) where N is the number of elements removed",
        )
        .flags(Flags::WRITE)
        .keys(&[Keys::first(KeyFlags::RW.and(KeyFlags::DELETE))])
        .doc(
            "key start stop",
            "Removes all elements but those between two places of a list.",
        ),
    Spec::new("lrem", 4, lrem)
        .of(
            Group::List,
            "1.0.0",
            "O(N+M) where N is the length of the list and M the number of elements removed",
        )
        .flags(Flags::WRITE)
        .keys(&[Keys::first(KeyFlags::RW.and(KeyFlags::DELETE))])
        .doc(
            "key count element",
            "Removes the elements of a list that equal a value.",
        ),
    Spec::new("linsert", 5, linsert)
        .of(
            Group::List,
            "2.2.0",
            "O(N) where N is the number of elements passed over to find the pivot",
        )
        .flags(Flags::WRITE.and(Flags::DENYOOM))
        .keys(&[Keys::first(KeyFlags::RW.and(KeyFlags::INSERT))])
        .doc(
            "key <BEFORE|AFTER> pivot element",
            "Puts an element before or behind another one of a list.",
        ),
    Spec::new("lpos", -3, lpos)
        .of(
            Group::List,
            "6.0.6",
            "O(N) where N is the number of elements compared",
        )
        .flags(Flags::READONLY)
        .keys(&[Keys::first(KeyFlags::RO.and(KeyFlags::ACCESS))])
        .doc(
            "key element [RANK rank] [COUNT num-matches] [MAXLEN len]",
            "Returns the places of the elements of a list that equal a value.",
        ),
];

/// LLEN key
fn llen(ctx: &mut Ctx<'_>, args: &Args<'_>) -> Outcome {
    read_number(ctx, args, |entry| Ok(list_of(entry)?.len()))
}

/// LINDEX key index
///
/// Replies: the element, or null. Errors: the index is only looked at when the key is there.
fn lindex(ctx: &mut Ctx<'_>, args: &Args<'_>) -> Outcome {
    read(ctx, args, Reply::null, |entry, reply| {
        let list = list_of(entry)?;
        match place_of(integer(args.get(2))?, list.len()) {
            Some(index) => list.range(index..index + 1, |item| reply_item(reply, item)),
            None => reply.null(),
        }
        Ok(())
    })
}

/// LRANGE key start stop
fn lrange(ctx: &mut Ctx<'_>, args: &Args<'_>) -> Outcome {
    let (start, stop) = (integer(args.get(2))?, integer(args.get(3))?);
    let key = ctx.key(args.get(1));
    let Some(entry) = ctx.keyspace.peek_db(ctx.db).read(&key) else {
        ctx.reply.array(0);
        note_missing(ctx, &key);
        return Ok(());
    };
    let list = list_of(entry)?;
    let range = range_of(start, stop, list.len());
    let reply = &mut ctx.reply;
    reply.array(range.len());
    list.range(range, |item| reply_item(reply, item));
    Ok(())
}

/// LSET key index element
///
/// Errors: no such key, then its type, then the index.
fn lset(ctx: &mut Ctx<'_>, args: &Args<'_>) -> Outcome {
    let limits = limits(ctx);
    let key = ctx.key(args.get(1));
    let db = ctx.keyspace.db(ctx.db);
    let mut entry = db.edit(&key).ok_or(CmdError::NoSuchKey)?;
    let len = list_of(entry.as_ref())?.len();
    let index = place_of(integer(args.get(2))?, len).ok_or(CmdError::IndexOutOfRange)?;
    list::set(&mut entry, index, args.get(3), limits);
    db.changed(key.bytes);
    ctx.notify(EventClasses::LIST, "lset", key.bytes);
    ctx.reply.ok();
    Ok(())
}

/// LTRIM key start stop
fn ltrim(ctx: &mut Ctx<'_>, args: &Args<'_>) -> Outcome {
    let (start, stop) = (integer(args.get(2))?, integer(args.get(3))?);
    let limits = limits(ctx);
    let key = ctx.key(args.get(1));
    let db = ctx.keyspace.db(ctx.db);
    let Some(mut entry) = db.edit(&key) else {
        ctx.reply.ok();
        return Ok(());
    };
    let len = list_of(entry.as_ref())?.len();
    let kept = range_of(start, stop, len);
    if kept.is_empty() {
        ctx.notify(EventClasses::LIST, "ltrim", key.bytes);
        remove_key(ctx, &key);
    } else {
        if kept.end < len {
            list::remove(&mut entry, kept.end..len, limits);
        }
        if kept.start > 0 {
            list::remove(&mut entry, 0..kept.start, limits);
        }
        db.changed(key.bytes);
        ctx.notify(EventClasses::LIST, "ltrim", key.bytes);
    }
    ctx.reply.ok();
    Ok(())
}

/// LREM key count element
///
/// Replies: how many were removed; a negative count looks from the end, 0 takes all.
fn lrem(ctx: &mut Ctx<'_>, args: &Args<'_>) -> Outcome {
    let count = integer(args.get(2))?;
    let (end, most) = match count {
        0 => (End::Head, usize::MAX),
        1.. => (End::Head, usize::try_from(count).unwrap_or(usize::MAX)),
        _ => {
            let most = usize::try_from(count.unsigned_abs());
            (End::Tail, most.unwrap_or(usize::MAX))
        }
    };
    let limits = limits(ctx);
    let key = ctx.key(args.get(1));
    let db = ctx.keyspace.db(ctx.db);
    let Some(mut entry) = db.edit(&key) else {
        ctx.reply.integer(0);
        return Ok(());
    };
    list_of(entry.as_ref())?;
    let removed = list::remove_equal(&mut entry, args.get(3), end, most, limits);
    let is_empty = is_emptied(&entry);
    if removed > 0 {
        db.changed(key.bytes);
        ctx.notify(EventClasses::LIST, "lrem", key.bytes);
    }
    if is_empty {
        remove_emptied(ctx, &key);
    }
    ctx.reply.count(removed);
    Ok(())
}

/// LINSERT key BEFORE|AFTER pivot element
///
/// Replies: the length of the list; 0 without a list, -1 without the pivot.
fn linsert(ctx: &mut Ctx<'_>, args: &Args<'_>) -> Outcome {
    let behind = if is(args.get(2), "after") {
        1
    } else if is(args.get(2), "before") {
        0
    } else {
        return Err(CmdError::Syntax);
    };
    let limits = limits(ctx);
    let key = ctx.key(args.get(1));
    let db = ctx.keyspace.db(ctx.db);
    let Some(mut entry) = db.edit(&key) else {
        ctx.reply.integer(0);
        return Ok(());
    };
    let list = list_of(entry.as_ref())?;
    let len = list.len();
    let pivot = item_of(args.get(3));
    let (mut at, mut found) = (0, false);
    list.visit_from(End::Head, &mut |item| {
        found = item == pivot;
        at += usize::from(!found);
        !found
    });
    if !found {
        ctx.reply.integer(-1);
        return Ok(());
    }
    list::insert(&mut entry, at + behind, args.get(4), limits);
    db.changed(key.bytes);
    ctx.notify(EventClasses::LIST, "linsert", key.bytes);
    ctx.reply.count(len + 1);
    Ok(())
}

/// What LPOS is asked for.
struct Search {
    /// Matches to pass over, and the end to look from.
    skip: u64,
    end: End,
    /// Places wanted, 0 for all; `None` wants one and no array.
    count: Option<u64>,
    /// Elements to compare at most, 0 for all.
    most: u64,
}

impl Search {
    fn read(args: &Args<'_>) -> Result<Self, CmdError> {
        let mut search = Self {
            skip: 0,
            end: End::Head,
            count: None,
            most: 0,
        };
        let mut options = Options::from(args, 3);
        while let Some(word) = options.next() {
            if is(word, "rank") && options.left() > 0 {
                let rank = integer_within(options.value()?, -i64::MAX, i64::MAX)?;
                if rank == 0 {
                    return Err(CmdError::fixed(
                        "ERR RANK can't be zero: use 1 to start from the first match, 2 from the \
                         second ... or use negative to start from the end of the list",
                    ));
                }
                search.end = if rank > 0 { End::Head } else { End::Tail };
                search.skip = rank.unsigned_abs() - 1;
            } else if is(word, "count") && options.left() > 0 {
                let count = options.value()?;
                let count = from_0(count, CmdError::fixed("ERR COUNT can't be negative"))?;
                search.count = Some(count);
            } else if is(word, "maxlen") && options.left() > 0 {
                let most = options.value()?;
                search.most = from_0(most, CmdError::fixed("ERR MAXLEN can't be negative"))?;
            } else {
                return Err(CmdError::Syntax);
            }
        }
        Ok(search)
    }

    /// The places of the matches, in the order in which they are found.
    fn run(&self, list: ListRef<'_>, wanted: &[u8]) -> Vec<usize> {
        let wanted = item_of(wanted);
        let (mut found, mut matches, mut compared) = (Vec::new(), 0, 0);
        let places = match self.count {
            None => 1,
            Some(0) => usize::MAX,
            Some(count) => usize::try_from(count).unwrap_or(usize::MAX),
        };
        list.visit_from(self.end, &mut |item| {
            if item == wanted {
                if matches >= self.skip {
                    let step = usize::try_from(compared).unwrap_or(usize::MAX);
                    found.push(match self.end {
                        End::Head => step,
                        End::Tail => list.len() - 1 - step,
                    });
                }
                matches += 1;
            }
            compared += 1;
            found.len() < places && compared != self.most
        });
        found
    }
}

/// LPOS key element [RANK rank] [COUNT num-matches] [MAXLEN len]
///
/// Replies: a place or null; with COUNT an array of places.
fn lpos(ctx: &mut Ctx<'_>, args: &Args<'_>) -> Outcome {
    let search = Search::read(args)?;
    let key = ctx.key(args.get(1));
    let places = match ctx.keyspace.peek_db(ctx.db).read(&key) {
        Some(entry) => search.run(list_of(entry)?, args.get(2)),
        None => {
            note_missing(ctx, &key);
            Vec::new()
        }
    };
    match (search.count, places.first()) {
        (Some(_), _) => {
            ctx.reply.array(places.len());
            places.into_iter().for_each(|place| ctx.reply.count(place));
        }
        (None, Some(place)) => ctx.reply.count(*place),
        (None, None) => ctx.reply.null(),
    }
    Ok(())
}

/// The place that `index` names in a list of `len` elements; a negative one counts from the end.
fn place_of(index: i64, len: usize) -> Option<usize> {
    let from_end = || len.checked_sub(usize::try_from(index.unsigned_abs()).ok()?);
    let place = usize::try_from(index).ok().or_else(from_end)?;
    (place < len).then_some(place)
}
