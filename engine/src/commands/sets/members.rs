//! Sets: their members.

use super::{limits, set_of};
use crate::command::collections::{
    announce, read, read_number, remove_emptied, remove_words, reply_item,
};
use crate::command::{CmdError, Ctx, Flags, Group, KeyFlags, Keys, Outcome, Spec};
use crate::keyspace::{Entry, EventClasses, Key, Stored};
use crate::resp::{Args, Reply};
use crate::value::set;
use dovetail_memory::Lookup;

/// The rows.
pub const SPECS: &[Spec] = &[
    Spec::new("sadd", -3, sadd)
        .of(Group::Set, "1.0.0", "O(N) where N is the number of members")
        .flags(Flags::WRITE.and(Flags::DENYOOM).and(Flags::FAST))
        .keys(&[Keys::first(KeyFlags::RW.and(KeyFlags::INSERT))])
        .doc("key member [member ...]", "Adds members to a set.")
        .history(&[("2.4.0", "Several members.")]),
    Spec::new("srem", -3, srem)
        .of(Group::Set, "1.0.0", "O(N) where N is the number of members")
        .flags(Flags::WRITE.and(Flags::FAST))
        .keys(&[Keys::first(KeyFlags::RW.and(KeyFlags::DELETE))])
        .doc("key member [member ...]", "Removes members of a set.")
        .history(&[("2.4.0", "Several members.")]),
    Spec::new("smove", 4, smove)
        .of(Group::Set, "1.0.0", "O(1)")
        .flags(Flags::WRITE.and(Flags::FAST))
        .keys(&[
            Keys::first(KeyFlags::RW.and(KeyFlags::ACCESS).and(KeyFlags::DELETE)),
            Keys::at(2, KeyFlags::RW.and(KeyFlags::INSERT)),
        ])
        .doc(
            "source destination member",
            "Moves a member from one set to another.",
        ),
    Spec::new("sismember", 3, sismember)
        .of(Group::Set, "1.0.0", "O(1)")
        .flags(Flags::READONLY.and(Flags::FAST))
        .keys(&[Keys::first(KeyFlags::RO)])
        .doc(
            "key member",
            "Tells whether something is a member of a set.",
        ),
    Spec::new("smismember", -3, smismember)
        .of(
            Group::Set,
            "6.2.0",
            "O(N) where N is the number of members asked for",
        )
        .flags(Flags::READONLY.and(Flags::FAST))
        .keys(&[Keys::first(KeyFlags::RO.and(KeyFlags::ACCESS))])
        .doc(
            "key member [member ...]",
            "Tells which of some things are members of a set.",
        ),
    Spec::new("scard", 2, scard)
        .of(Group::Set, "1.0.0", "O(1)")
        .flags(Flags::READONLY.and(Flags::FAST))
        .keys(&[Keys::first(KeyFlags::RO)])
        .doc("key", "Returns how many members a set has."),
    Spec::new("smembers", 2, smembers)
        .of(Group::Set, "1.0.0", "O(N) where N is the size of the set")
        .flags(Flags::READONLY)
        .keys(&[Keys::first(KeyFlags::RO.and(KeyFlags::ACCESS))])
        .doc("key", "Returns all members of a set.")
        .tips(&["nondeterministic_output_order"]),
];

/// SADD key member [member ...]
///
/// Replies: how many members are new.
fn sadd(ctx: &mut Ctx<'_>, args: &Args<'_>) -> Outcome {
    let key = ctx.key(args.get(1));
    let added = add_to(ctx, &key, args.iter_from(2))?;
    ctx.reply.count(added);
    Ok(())
}

/// Adds members to the set at `key`. Returns how many are new.
#[inline]
fn add_to<'w>(
    ctx: &mut Ctx<'_>,
    key: &Key<'_>,
    members: impl ExactSizeIterator<Item = &'w [u8]>,
) -> Result<usize, CmdError> {
    let limits = limits(ctx);
    let db = ctx.keyspace.db(ctx.db);
    let (added, stored) = match db.entry(key) {
        Lookup::Occupied(mut entry) => {
            set_of(entry.as_ref())?;
            (set::add(&mut entry, members, &limits), Stored::Replaced)
        }
        Lookup::Vacant(place) => (set::create(place, members, &limits), Stored::Created),
    };
    if added > 0 {
        db.changed(key.bytes);
        if !ctx.keyspace.notify.is_empty() {
            announce(ctx, key, stored, EventClasses::SET, "sadd");
        }
    }
    Ok(added)
}

/// SREM key member [member ...]
///
/// Replies: how many members were removed.
fn srem(ctx: &mut Ctx<'_>, args: &Args<'_>) -> Outcome {
    let event = (EventClasses::SET, "srem");
    let len_of = |entry: Entry<'_>| Ok(set_of(entry)?.len());
    remove_words(ctx, args, event, len_of, set::remove)
}

/// SMOVE source destination member
///
/// Replies: 1 when the member was there. Errors: both keys are looked at before anything changes.
fn smove(ctx: &mut Ctx<'_>, args: &Args<'_>) -> Outcome {
    let (from, to, member) = (ctx.key(args.get(1)), ctx.key(args.get(2)), args.get(3));
    let db = ctx.keyspace.peek_db(ctx.db);
    let Some(source) = db.find(&from) else {
        ctx.reply.integer(0);
        return Ok(());
    };
    let source = set_of(source)?;
    let target = db.find(&to).map(set_of).transpose()?;
    let is_there = source.contains(member);
    if !is_there || from.bytes == to.bytes {
        ctx.reply.integer(i64::from(is_there));
        return Ok(());
    }
    let (is_last, is_new) = (
        source.len() == 1,
        target.is_none_or(|set| !set.contains(member)),
    );
    let db = ctx.keyspace.db(ctx.db);
    if let Some(mut entry) = db.edit(&from) {
        set::remove(&mut entry, member);
    }
    db.changed(from.bytes);
    ctx.notify(EventClasses::SET, "srem", from.bytes);
    if is_last {
        remove_emptied(ctx, &from);
    }
    if is_new {
        add_to(ctx, &to, std::iter::once(member))?;
    }
    ctx.reply.integer(1);
    Ok(())
}

/// SISMEMBER key member
fn sismember(ctx: &mut Ctx<'_>, args: &Args<'_>) -> Outcome {
    read_number(ctx, args, |entry| {
        Ok(set_of(entry)?.contains(args.get(2)).into())
    })
}

/// SMISMEMBER key member [member ...]
fn smismember(ctx: &mut Ctx<'_>, args: &Args<'_>) -> Outcome {
    let members = args.iter_from(2);
    let missing = |reply: &mut Reply<'_>| {
        reply.array(members.len());
        members.clone().for_each(|_| reply.integer(0));
    };
    read(ctx, args, missing, |entry, reply| {
        let set = set_of(entry)?;
        reply.array(members.len());
        for member in members.clone() {
            reply.integer(set.contains(member).into());
        }
        Ok(())
    })
}

/// SCARD key
fn scard(ctx: &mut Ctx<'_>, args: &Args<'_>) -> Outcome {
    read_number(ctx, args, |entry| Ok(set_of(entry)?.len()))
}

/// SMEMBERS key
fn smembers(ctx: &mut Ctx<'_>, args: &Args<'_>) -> Outcome {
    read(
        ctx,
        args,
        |reply| reply.set(0),
        |entry, reply| {
            let set = set_of(entry)?;
            reply.set(set.len());
            set.visit(|member| {
                reply_item(reply, member);
                true
            });
            Ok(())
        },
    )
}
