//! Sets: walking over them, and drawing or taking members at random.

use super::set_of;
use crate::base::rng::Rng;
use crate::command::collections::{positive, read, remove_emptied, reply_item};
use crate::command::draws::Wanted;
use crate::command::scan::{ScanOf, ScanOptions, cursor_of, reply_no_scan, reply_scan};
use crate::command::{CmdError, Ctx, Flags, Group, KeyFlags, Keys, Outcome, Spec};
use crate::keyspace::{EventClasses, Key};
use crate::resp::{Args, Reply};
use crate::value::set::{self, SetRef};
use crate::value::{Item, with_text};

/// The rows.
pub const SPECS: &[Spec] = &[
    Spec::new("sscan", -3, sscan)
        .of(
            Group::Set,
            "2.8.0",
            "O(1) for a call, O(N) for a walk over all N members",
        )
        .flags(Flags::READONLY)
        .keys(&[Keys::first(KeyFlags::RO.and(KeyFlags::ACCESS))])
        .doc(
            "key cursor [MATCH pattern] [COUNT count]",
            "Walks over the members of a set, a few at a time.",
        )
        .tips(&["nondeterministic_output"]),
    Spec::new("srandmember", -2, srandmember)
        .of(
            Group::Set,
            "1.0.0",
            "O(N) where N is the number of members returned",
        )
        .flags(Flags::READONLY)
        .keys(&[Keys::first(KeyFlags::RO.and(KeyFlags::ACCESS))])
        .doc("key [count]", "Returns members of a set, drawn at random.")
        .tips(&["nondeterministic_output"])
        .history(&[("2.6.0", "`count`.")]),
    Spec::new("spop", -2, spop)
        .of(
            Group::Set,
            "1.0.0",
            "O(N) where N is the number of members taken",
        )
        .flags(Flags::WRITE.and(Flags::FAST))
        .keys(&[Keys::first(
            KeyFlags::RW.and(KeyFlags::ACCESS).and(KeyFlags::DELETE),
        )])
        .doc(
            "key [count]",
            "Takes members, drawn at random, out of a set.",
        )
        .tips(&["nondeterministic_output"])
        .history(&[("3.2.0", "`count`.")]),
];

/// SSCAN key cursor [MATCH pattern] [COUNT count]
///
/// Replies: the next cursor, "0" at the end, and an array of members. A set in a compact form is
/// done in one call.
fn sscan(ctx: &mut Ctx<'_>, args: &Args<'_>) -> Outcome {
    let cursor = cursor_of(args.get(2))?;
    read(ctx, args, reply_no_scan, |entry, reply| {
        let set = set_of(entry)?;
        let options = ScanOptions::read(args, 3, ScanOf::Members)?;
        let (start, mut shown) = (reply.position(), 0);
        let mut show = |member: Item<'_>| {
            if with_text(member, |member| options.shows(member)) {
                reply_item(reply, member);
                shown += 1;
            }
        };
        let next = match set {
            SetRef::Large(table) => options.walk(cursor, 1, |cursor, seen| {
                table.scan(cursor, &mut |member, _| {
                    *seen += 1;
                    show(Item::Bytes(member));
                })
            }),
            _ => {
                set.visit(|member| {
                    show(member);
                    true
                });
                0
            }
        };
        reply_scan(reply, start, next, shown);
        Ok(())
    })
}

/// SRANDMEMBER key [count]
///
/// Replies: a member or null; with a count an array, a negative count draws with repetition.
fn srandmember(ctx: &mut Ctx<'_>, args: &Args<'_>) -> Outcome {
    if args.len() > 3 {
        return Err(CmdError::Syntax);
    }
    Wanted::alone(args)?.draw(ctx, args, |entry, drawing| {
        let set = set_of(entry)?;
        let one = |reply: &mut Reply<'_>, rng: &mut Rng| {
            if let Some(member) = set.sample(&mut || rng.bits()) {
                reply_item(reply, member);
            }
        };
        drawing.answer(
            || set.len(),
            one,
            |count, reply, rng| {
                set.choose(count, &mut || rng.bits(), |member| {
                    reply_item(reply, member)
                });
            },
        );
        Ok(())
    })
}

/// SPOP key [count]
///
/// Replies: a member or null; with a count a set of at most so many.
fn spop(ctx: &mut Ctx<'_>, args: &Args<'_>) -> Outcome {
    if args.len() > 3 {
        return Err(CmdError::Syntax);
    }
    let count = args.try_get(2).map(positive).transpose()?;
    let key = ctx.key(args.get(1));
    let Some(entry) = ctx.keyspace.peek_db(ctx.db).find(&key) else {
        match count {
            Some(_) => ctx.reply.set(0),
            None => ctx.reply.null(),
        }
        return Ok(());
    };
    let len = set_of(entry)?.len();
    let taken = match count {
        None => 1,
        Some(count) => {
            let taken = len.min(usize::try_from(count).unwrap_or(usize::MAX));
            ctx.reply.set(taken);
            taken
        }
    };
    if taken > 0 {
        take(ctx, &key, taken, len);
    }
    Ok(())
}

/// Takes `count` members, which are there, out of the set of `len`, and answers them.
fn take(ctx: &mut Ctx<'_>, key: &Key<'_>, count: usize, len: usize) {
    let db = ctx.keyspace.db(ctx.db);
    let Some(mut entry) = db.edit(key) else {
        return;
    };
    let Some(set) = SetRef::of(entry.as_ref()) else {
        return;
    };
    let (reply, rng) = (&mut ctx.reply, &mut *ctx.rng);
    let mut taken: Vec<Box<[u8]>> = Vec::new();
    set.choose(count, &mut || rng.bits(), |member| {
        reply_item(reply, member);
        // The last member goes with its key.
        if count < len {
            taken.push(with_text(member, |text| text.into()));
        }
    });
    for member in &taken {
        set::remove(&mut entry, member);
    }
    db.changed(key.bytes);
    if count == len {
        ctx.record(&[b"DEL", key.bytes]);
    } else if ctx.feed.is_wanted() {
        let head = [b"SREM".as_slice(), key.bytes];
        let words: Vec<&[u8]> = head.into_iter().chain(taken.iter().map(|m| &**m)).collect();
        ctx.record(&words);
    }
    ctx.notify(EventClasses::SET, "spop", key.bytes);
    if count == len {
        remove_emptied(ctx, key);
    }
}
