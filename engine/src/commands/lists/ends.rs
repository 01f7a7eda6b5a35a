//! Lists: putting elements in at the ends, taking them off, and waiting for some.

use super::{is_emptied, limits, list_of};
use crate::base::Micros;
use crate::base::number::Digits;
use crate::command::collections::{
    Mpop, announce, first_present, positive, remove_emptied, reply_item, wait_deadline,
};
use crate::command::ctx::Nothing;
use crate::command::options::is;
use crate::command::{CmdError, Ctx, Flags, Group, KeyFlags, Keys, Outcome, Spec};
use crate::keyspace::{EventClasses, Key, Stored};
use crate::resp::Args;
use crate::value::list::{self, End};
use crate::value::{Kind, with_text};
use dovetail_memory::Lookup;

/// The rows.
pub const SPECS: &[Spec] = &[
    Spec::new("lpush", -3, lpush)
        .of(Group::List, "1.0.0", "O(1) for each element")
        .flags(Flags::WRITE.and(Flags::DENYOOM).and(Flags::FAST))
        .keys(&[Keys::first(KeyFlags::RW.and(KeyFlags::INSERT))])
        .doc(
            "key element [element ...]",
            "Puts elements before the first of a list.",
        )
        .history(&[("2.4.0", "Several elements.")]),
    Spec::new("rpush", -3, rpush)
        .of(Group::List, "1.0.0", "O(1) for each element")
        .flags(Flags::WRITE.and(Flags::DENYOOM).and(Flags::FAST))
        .keys(&[Keys::first(KeyFlags::RW.and(KeyFlags::INSERT))])
        .doc(
            "key element [element ...]",
            "Puts elements behind the last of a list.",
        )
        .history(&[("2.4.0", "Several elements.")]),
    Spec::new("lpushx", -3, lpushx)
        .of(Group::List, "2.2.0", "O(1) for each element")
        .flags(Flags::WRITE.and(Flags::DENYOOM).and(Flags::FAST))
        .keys(&[Keys::first(KeyFlags::RW.and(KeyFlags::INSERT))])
        .doc(
            "key element [element ...]",
            "Puts elements before the first of a list that is there.",
        )
        .history(&[("4.0.0", "Several elements.")]),
    Spec::new("rpushx", -3, rpushx)
        .of(Group::List, "2.2.0", "O(1) for each element")
        .flags(Flags::WRITE.and(Flags::DENYOOM).and(Flags::FAST))
        .keys(&[Keys::first(KeyFlags::RW.and(KeyFlags::INSERT))])
        .doc(
            "key element [element ...]",
            "Puts elements behind the last of a list that is there.",
        )
        .history(&[("4.0.0", "Several elements.")]),
    Spec::new("lpop", -2, lpop)
        .of(
            Group::List,
            "1.0.0",
            "O(N) where N is the number of elements taken",
        )
        .flags(Flags::WRITE.and(Flags::FAST))
        .keys(&[Keys::first(
            KeyFlags::RW.and(KeyFlags::ACCESS).and(KeyFlags::DELETE),
        )])
        .doc("key [count]", "Takes elements off the beginning of a list.")
        .history(&[("6.2.0", "`count`.")]),
    Spec::new("rpop", -2, rpop)
        .of(
            Group::List,
            "1.0.0",
            "O(N) where N is the number of elements taken",
        )
        .flags(Flags::WRITE.and(Flags::FAST))
        .keys(&[Keys::first(
            KeyFlags::RW.and(KeyFlags::ACCESS).and(KeyFlags::DELETE),
        )])
        .doc("key [count]", "Takes elements off the end of a list.")
        .history(&[("6.2.0", "`count`.")]),
    Spec::new("lmove", 5, lmove)
        .of(Group::List, "6.2.0", "O(1)")
        .flags(Flags::WRITE.and(Flags::DENYOOM))
        .keys(&[
            Keys::first(KeyFlags::RW.and(KeyFlags::ACCESS).and(KeyFlags::DELETE)),
            Keys::at(2, KeyFlags::RW.and(KeyFlags::INSERT)),
        ])
        .doc(
            "source destination <LEFT|RIGHT> <LEFT|RIGHT>",
            "Takes an element off one list and puts it into another.",
        ),
    Spec::new("rpoplpush", 3, rpoplpush)
        .of(Group::List, "1.2.0", "O(1)")
        .flags(Flags::WRITE.and(Flags::DENYOOM))
        .keys(&[
            Keys::first(KeyFlags::RW.and(KeyFlags::ACCESS).and(KeyFlags::DELETE)),
            Keys::at(2, KeyFlags::RW.and(KeyFlags::INSERT)),
        ])
        .doc(
            "source destination",
            "Takes the last element of a list and puts it before the first of another.",
        )
        .deprecated("6.2.0", "`LMOVE` with `RIGHT` and `LEFT`"),
    Spec::new("blmove", 6, blmove)
        .of(Group::List, "6.2.0", "O(1)")
        .flags(Flags::WRITE.and(Flags::DENYOOM).and(Flags::BLOCKING))
        .keys(&[
            Keys::first(KeyFlags::RW.and(KeyFlags::ACCESS).and(KeyFlags::DELETE)),
            Keys::at(2, KeyFlags::RW.and(KeyFlags::INSERT)),
        ])
        .doc(
            "source destination <LEFT|RIGHT> <LEFT|RIGHT> timeout",
            "Takes an element off one list and puts it into another; waits for one.",
        ),
    Spec::new("brpoplpush", 4, brpoplpush)
        .of(Group::List, "2.2.0", "O(1)")
        .flags(Flags::WRITE.and(Flags::DENYOOM).and(Flags::BLOCKING))
        .keys(&[
            Keys::first(KeyFlags::RW.and(KeyFlags::ACCESS).and(KeyFlags::DELETE)),
            Keys::at(2, KeyFlags::RW.and(KeyFlags::INSERT)),
        ])
        .doc(
            "source destination timeout",
            "Takes the last element of a list and puts it before the first of another; waits \
             for one.",
        )
        .history(&[("6.0.0", "The timeout may be a fraction.")])
        .deprecated("6.2.0", "`BLMOVE` with `RIGHT` and `LEFT`"),
    Spec::new("lmpop", -4, lmpop)
        .of(
            Group::List,
            "7.0.0",
            "O(N+M) where N is the number of keys and M the number of elements taken",
        )
        .flags(Flags::WRITE)
        .keys(&[Keys::counted(
            1,
            KeyFlags::RW.and(KeyFlags::ACCESS).and(KeyFlags::DELETE),
        )])
        .doc(
            "numkeys key [key ...] <LEFT|RIGHT> [COUNT count]",
            "Takes elements off the first list that has any.",
        ),
    Spec::new("blmpop", -5, blmpop)
        .of(
            Group::List,
            "7.0.0",
            "O(N+M) where N is the number of keys and M the number of elements taken",
        )
        .flags(Flags::WRITE.and(Flags::BLOCKING))
        .keys(&[Keys::counted(
            2,
            KeyFlags::RW.and(KeyFlags::ACCESS).and(KeyFlags::DELETE),
        )])
        .doc(
            "timeout numkeys key [key ...] <LEFT|RIGHT> [COUNT count]",
            "Takes elements off the first list that has any; waits for one.",
        ),
    Spec::new("blpop", -3, blpop)
        .of(Group::List, "2.0.0", "O(N) where N is the number of keys")
        .flags(Flags::WRITE.and(Flags::BLOCKING))
        .keys(&[Keys::range(
            1,
            -2,
            1,
            KeyFlags::RW.and(KeyFlags::ACCESS).and(KeyFlags::DELETE),
        )])
        .doc(
            "key [key ...] timeout",
            "Takes the first element of the first list that has any; waits for one.",
        )
        .history(&[("6.0.0", "The timeout may be a fraction.")]),
    Spec::new("brpop", -3, brpop)
        .of(Group::List, "2.0.0", "O(N) where N is the number of keys")
        .flags(Flags::WRITE.and(Flags::BLOCKING))
        .keys(&[Keys::range(
            1,
            -2,
            1,
            KeyFlags::RW.and(KeyFlags::ACCESS).and(KeyFlags::DELETE),
        )])
        .doc(
            "key [key ...] timeout",
            "Takes the last element of the first list that has any; waits for one.",
        )
        .history(&[("6.0.0", "The timeout may be a fraction.")]),
];

/// LPUSH key element [element ...]
fn lpush(ctx: &mut Ctx<'_>, args: &Args<'_>) -> Outcome {
    push_words(ctx, args, End::Head, Missing::Made)
}

/// RPUSH key element [element ...]
fn rpush(ctx: &mut Ctx<'_>, args: &Args<'_>) -> Outcome {
    push_words(ctx, args, End::Tail, Missing::Made)
}

/// LPUSHX key element [element ...]
fn lpushx(ctx: &mut Ctx<'_>, args: &Args<'_>) -> Outcome {
    push_words(ctx, args, End::Head, Missing::Left)
}

/// RPUSHX key element [element ...]
fn rpushx(ctx: &mut Ctx<'_>, args: &Args<'_>) -> Outcome {
    push_words(ctx, args, End::Tail, Missing::Left)
}

/// What a push does about a key that is not there.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
enum Missing {
    Made,
    Left,
}

/// Replies: the length of the list, 0 when a missing key is left. Effects: notifies `lpush` or
/// `rpush`.
#[inline]
fn push_words(ctx: &mut Ctx<'_>, args: &Args<'_>, end: End, missing: Missing) -> Outcome {
    let key = ctx.key(args.get(1));
    if missing == Missing::Left {
        let found = ctx.keyspace.peek_db(ctx.db).find(&key);
        if found.map(list_of).transpose()?.is_none() {
            ctx.reply.integer(0);
            return Ok(());
        }
    }
    let len = push_to(ctx, &key, end, args.iter_from(2))?;
    ctx.reply.count(len);
    Ok(())
}

/// Pushes words one after the other; makes the list if it is not there. Returns its new length.
#[inline]
fn push_to<'w>(
    ctx: &mut Ctx<'_>,
    key: &Key<'_>,
    end: End,
    words: impl ExactSizeIterator<Item = &'w [u8]> + Clone,
) -> Result<usize, CmdError> {
    let limits = limits(ctx);
    let db = ctx.keyspace.db(ctx.db);
    let (len, stored) = match db.entry(key) {
        Lookup::Occupied(mut entry) => {
            let len = list_of(entry.as_ref())?.len() + words.len();
            list::push(&mut entry, end, words, limits);
            (len, Stored::Replaced)
        }
        Lookup::Vacant(place) => {
            let len = words.len();
            list::create(place, end, words, limits);
            (len, Stored::Created)
        }
    };
    db.changed(key.bytes);
    if !ctx.keyspace.notify.is_empty() {
        announce(ctx, key, stored, EventClasses::LIST, pushed(end));
    }
    Ok(len)
}

/// LPOP key [count]
fn lpop(ctx: &mut Ctx<'_>, args: &Args<'_>) -> Outcome {
    pop(ctx, args, End::Head)
}

/// RPOP key [count]
fn rpop(ctx: &mut Ctx<'_>, args: &Args<'_>) -> Outcome {
    pop(ctx, args, End::Tail)
}

/// Replies: an element, or with a count an array of at most so many; null when the key is not there.
fn pop(ctx: &mut Ctx<'_>, args: &Args<'_>, end: End) -> Outcome {
    if args.len() > 3 {
        return Err(CmdError::Arity(ctx.command_name().into()));
    }
    let count = args.try_get(2).map(positive).transpose()?;
    let key = ctx.key(args.get(1));
    let Some(entry) = ctx.keyspace.peek_db(ctx.db).find(&key) else {
        match count {
            Some(_) => ctx.reply.null_array(),
            None => ctx.reply.null(),
        }
        return Ok(());
    };
    let len = list_of(entry)?.len();
    let taken = match count {
        Some(count) => {
            let taken = len.min(usize::try_from(count).unwrap_or(usize::MAX));
            ctx.reply.array(taken);
            taken
        }
        None => 1,
    };
    if taken > 0 {
        take(ctx, &key, end, taken);
    }
    Ok(())
}

/// Takes `count` elements, which are there, off a list and answers them.
fn take(ctx: &mut Ctx<'_>, key: &Key<'_>, end: End, count: usize) {
    let limits = limits(ctx);
    let db = ctx.keyspace.db(ctx.db);
    let Some(mut entry) = db.edit(key) else {
        return;
    };
    let reply = &mut ctx.reply;
    list::pop(&mut entry, end, count, limits, |item| {
        reply_item(reply, item)
    });
    let is_empty = is_emptied(&entry);
    db.changed(key.bytes);
    ctx.notify(EventClasses::LIST, popped(end), key.bytes);
    if is_empty {
        remove_emptied(ctx, key);
    }
}

/// LMOVE source destination LEFT|RIGHT LEFT|RIGHT
fn lmove(ctx: &mut Ctx<'_>, args: &Args<'_>) -> Outcome {
    let (from, to) = (end_of(args.get(3))?, end_of(args.get(4))?);
    move_or(ctx, args, (from, to), |ctx| {
        ctx.reply.null();
        Ok(())
    })
}

/// RPOPLPUSH source destination
fn rpoplpush(ctx: &mut Ctx<'_>, args: &Args<'_>) -> Outcome {
    move_or(ctx, args, (End::Tail, End::Head), |ctx| {
        ctx.reply.null();
        Ok(())
    })
}

/// BLMOVE source destination LEFT|RIGHT LEFT|RIGHT timeout
fn blmove(ctx: &mut Ctx<'_>, args: &Args<'_>) -> Outcome {
    let (from, to) = (end_of(args.get(3))?, end_of(args.get(4))?);
    let deadline = wait_deadline(ctx, args.get(5))?;
    let [a, b, c, d] = [1, 2, 3, 4].map(|word| args.get(word));
    ctx.record(&[b"LMOVE", a, b, c, d]);
    move_or(ctx, args, (from, to), |ctx| {
        wait_to_move(ctx, deadline);
        Ok(())
    })
}

/// BRPOPLPUSH source destination timeout
fn brpoplpush(ctx: &mut Ctx<'_>, args: &Args<'_>) -> Outcome {
    let deadline = wait_deadline(ctx, args.get(3))?;
    ctx.record(&[b"RPOPLPUSH", args.get(1), args.get(2)]);
    move_or(ctx, args, (End::Tail, End::Head), |ctx| {
        wait_to_move(ctx, deadline);
        Ok(())
    })
}

fn wait_to_move(ctx: &mut Ctx<'_>, deadline: Option<Micros>) {
    ctx.wait_for(1..2, Kind::List, Nothing::Null, deadline);
}

/// Moves an element from the list at word 1 to the one at word 2, or does something else when there
/// is none.
///
/// Replies: the element. Errors: both keys are looked at before anything changes.
fn move_or(
    ctx: &mut Ctx<'_>,
    args: &Args<'_>,
    (from_end, to_end): (End, End),
    otherwise: impl FnOnce(&mut Ctx<'_>) -> Outcome,
) -> Outcome {
    let (from, to) = (ctx.key(args.get(1)), ctx.key(args.get(2)));
    let db = ctx.keyspace.peek_db(ctx.db);
    let Some(source) = db.find(&from) else {
        return otherwise(ctx);
    };
    let source = list_of(source)?;
    if from.bytes != to.bytes {
        db.find(&to).map(list_of).transpose()?;
    }
    let mut element = Vec::new();
    source.visit_from(from_end, &mut |item| {
        with_text(item, |text| element.extend_from_slice(text));
        false
    });
    if from.bytes == to.bytes && source.len() == 1 {
        // The list would be gone between the two halves.
        ctx.keyspace.db(ctx.db).changed(from.bytes);
        ctx.notify(EventClasses::LIST, pushed(to_end), to.bytes);
        ctx.notify(EventClasses::LIST, popped(from_end), from.bytes);
    } else {
        move_element(ctx, &from, &to, (from_end, to_end), &element)?;
    }
    ctx.reply.bulk(&element);
    Ok(())
}

fn move_element(
    ctx: &mut Ctx<'_>,
    from: &Key<'_>,
    to: &Key<'_>,
    (from_end, to_end): (End, End),
    element: &[u8],
) -> Outcome {
    let limits = limits(ctx);
    let db = ctx.keyspace.db(ctx.db);
    let Some(mut entry) = db.edit(from) else {
        return Ok(());
    };
    list::pop(&mut entry, from_end, 1, limits, |_| {});
    let is_empty = is_emptied(&entry);
    db.changed(from.bytes);
    push_to(ctx, to, to_end, std::iter::once(element))?;
    ctx.notify(EventClasses::LIST, popped(from_end), from.bytes);
    if is_empty {
        remove_emptied(ctx, from);
    }
    Ok(())
}

/// LMPOP numkeys key [key ...] LEFT|RIGHT [COUNT count]
fn lmpop(ctx: &mut Ctx<'_>, args: &Args<'_>) -> Outcome {
    let request = Mpop::read(args, 1, end_of)?;
    if !take_first(ctx, args, &request)? {
        ctx.reply.null_array();
    }
    Ok(())
}

/// BLMPOP timeout numkeys key [key ...] LEFT|RIGHT [COUNT count]
fn blmpop(ctx: &mut Ctx<'_>, args: &Args<'_>) -> Outcome {
    let request = Mpop::read(args, 2, end_of)?;
    let deadline = wait_deadline(ctx, args.get(1))?;
    if !take_first(ctx, args, &request)? {
        ctx.wait_for(request.keys, Kind::List, Nothing::NullArray, deadline);
    }
    Ok(())
}

/// Takes from the first list that is there. Returns whether there was one.
///
/// Replies: its key, and an array of the elements.
fn take_first(ctx: &mut Ctx<'_>, args: &Args<'_>, request: &Mpop<End>) -> Result<bool, CmdError> {
    let Some((key, entry)) = first_present(ctx, args, request.keys.clone()) else {
        return Ok(false);
    };
    let count = list_of(entry)?.len().min(request.count);
    ctx.reply.array(2);
    ctx.reply.bulk(key.bytes);
    ctx.reply.array(count);
    take(ctx, &key, request.end, count);
    let taken = Digits::of_u64(count as u64);
    ctx.record(&[popped(request.end).as_bytes(), key.bytes, taken.as_bytes()]);
    Ok(true)
}

/// BLPOP key [key ...] timeout
fn blpop(ctx: &mut Ctx<'_>, args: &Args<'_>) -> Outcome {
    pop_or_wait(ctx, args, End::Head)
}

/// BRPOP key [key ...] timeout
fn brpop(ctx: &mut Ctx<'_>, args: &Args<'_>) -> Outcome {
    pop_or_wait(ctx, args, End::Tail)
}

/// Replies: key and element; null when the time is up.
fn pop_or_wait(ctx: &mut Ctx<'_>, args: &Args<'_>, end: End) -> Outcome {
    let last = args.len() - 1;
    let deadline = wait_deadline(ctx, args.get(last))?;
    let Some((key, entry)) = first_present(ctx, args, 1..last) else {
        ctx.wait_for(1..last, Kind::List, Nothing::NullArray, deadline);
        return Ok(());
    };
    list_of(entry)?;
    ctx.reply.array(2);
    ctx.reply.bulk(key.bytes);
    take(ctx, &key, end, 1);
    ctx.record(&[popped(end).as_bytes(), key.bytes]);
    Ok(())
}

/// The end that `word` names.
fn end_of(word: &[u8]) -> Result<End, CmdError> {
    if is(word, "left") {
        Ok(End::Head)
    } else if is(word, "right") {
        Ok(End::Tail)
    } else {
        Err(CmdError::Syntax)
    }
}

fn pushed(end: End) -> &'static str {
    match end {
        End::Head => "lpush",
        End::Tail => "rpush",
    }
}

fn popped(end: End) -> &'static str {
    match end {
        End::Head => "lpop",
        End::Tail => "rpop",
    }
}
