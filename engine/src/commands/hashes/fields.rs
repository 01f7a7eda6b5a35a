//! Hashes: single fields, and all of them.

use super::{hash_of, set_fields};
use crate::command::collections::{note_missing, remove_emptied, reply_item};
use crate::command::{CmdError, Ctx, Flags, Group, KeyFlags, Keys, Outcome, Spec};
use crate::keyspace::EventClasses;
use crate::resp::Args;
use crate::value::hash::{self, HashRef};
use crate::value::with_text;

/// The rows.
pub const SPECS: &[Spec] = &[
    Spec::new("hset", -4, hset)
        .of(Group::Hash, "2.0.0", "O(N) where N is the number of pairs")
        .flags(Flags::WRITE.and(Flags::DENYOOM).and(Flags::FAST))
        .keys(&[Keys::first(KeyFlags::RW.and(KeyFlags::UPDATE))])
        .doc(
            "key field value [field value ...]",
            "Sets fields of a hash.",
        )
        .history(&[("4.0.0", "Several pairs.")]),
    Spec::new("hmset", -4, hmset)
        .of(Group::Hash, "2.0.0", "O(N) where N is the number of pairs")
        .flags(Flags::WRITE.and(Flags::DENYOOM).and(Flags::FAST))
        .keys(&[Keys::first(KeyFlags::RW.and(KeyFlags::UPDATE))])
        .doc(
            "key field value [field value ...]",
            "Sets fields of a hash.",
        )
        .deprecated("4.0.0", "`HSET` with several pairs"),
    Spec::new("hsetnx", 4, hsetnx)
        .of(Group::Hash, "2.0.0", "O(1)")
        .flags(Flags::WRITE.and(Flags::DENYOOM).and(Flags::FAST))
        .keys(&[Keys::first(KeyFlags::RW.and(KeyFlags::INSERT))])
        .doc(
            "key field value",
            "Sets a field of a hash that is not there.",
        ),
    Spec::new("hget", 3, hget)
        .of(Group::Hash, "2.0.0", "O(1)")
        .flags(Flags::READONLY.and(Flags::FAST))
        .keys(&[Keys::first(KeyFlags::RO.and(KeyFlags::ACCESS))])
        .doc("key field", "Returns the value of a field of a hash."),
    Spec::new("hmget", -3, hmget)
        .of(Group::Hash, "2.0.0", "O(N) where N is the number of fields")
        .flags(Flags::READONLY.and(Flags::FAST))
        .keys(&[Keys::first(KeyFlags::RO.and(KeyFlags::ACCESS))])
        .doc(
            "key field [field ...]",
            "Returns the values of fields of a hash.",
        ),
    Spec::new("hdel", -3, hdel)
        .of(Group::Hash, "2.0.0", "O(N) where N is the number of fields")
        .flags(Flags::WRITE.and(Flags::FAST))
        .keys(&[Keys::first(KeyFlags::RW.and(KeyFlags::DELETE))])
        .doc("key field [field ...]", "Removes fields of a hash.")
        .history(&[("2.4.0", "Several fields.")]),
    Spec::new("hlen", 2, hlen)
        .of(Group::Hash, "2.0.0", "O(1)")
        .flags(Flags::READONLY.and(Flags::FAST))
        .keys(&[Keys::first(KeyFlags::RO)])
        .doc("key", "Returns how many fields a hash has."),
    Spec::new("hexists", 3, hexists)
        .of(Group::Hash, "2.0.0", "O(1)")
        .flags(Flags::READONLY.and(Flags::FAST))
        .keys(&[Keys::first(KeyFlags::RO)])
        .doc("key field", "Tells whether a hash has a field."),
    Spec::new("hstrlen", 3, hstrlen)
        .of(Group::Hash, "3.2.0", "O(1)")
        .flags(Flags::READONLY.and(Flags::FAST))
        .keys(&[Keys::first(KeyFlags::RO)])
        .doc(
            "key field",
            "Returns the length of the value of a field of a hash.",
        ),
    Spec::new("hkeys", 2, hkeys)
        .of(Group::Hash, "2.0.0", "O(N) where N is the size of the hash")
        .flags(Flags::READONLY)
        .keys(&[Keys::first(KeyFlags::RO.and(KeyFlags::ACCESS))])
        .doc("key", "Returns all fields of a hash.")
        .tips(&["nondeterministic_output_order"]),
    Spec::new("hvals", 2, hvals)
        .of(Group::Hash, "2.0.0", "O(N) where N is the size of the hash")
        .flags(Flags::READONLY)
        .keys(&[Keys::first(KeyFlags::RO.and(KeyFlags::ACCESS))])
        .doc("key", "Returns the values of all fields of a hash.")
        .tips(&["nondeterministic_output_order"]),
    Spec::new("hgetall", 2, hgetall)
        .of(Group::Hash, "2.0.0", "O(N) where N is the size of the hash")
        .flags(Flags::READONLY)
        .keys(&[Keys::first(KeyFlags::RO.and(KeyFlags::ACCESS))])
        .doc("key", "Returns all fields of a hash with their values.")
        .tips(&["nondeterministic_output_order"]),
];

/// HSET key field value [field value ...]
///
/// Replies: how many fields are new.
fn hset(ctx: &mut Ctx<'_>, args: &Args<'_>) -> Outcome {
    let added = set_pairs(ctx, args)?;
    ctx.reply.count(added);
    Ok(())
}

/// HMSET key field value [field value ...]
fn hmset(ctx: &mut Ctx<'_>, args: &Args<'_>) -> Outcome {
    set_pairs(ctx, args)?;
    ctx.reply.ok();
    Ok(())
}

#[inline]
fn set_pairs(ctx: &mut Ctx<'_>, args: &Args<'_>) -> Result<usize, CmdError> {
    if args.len() % 2 == 1 {
        return Err(CmdError::Arity(ctx.command_name().into()));
    }
    let key = ctx.key(args.get(1));
    set_fields(ctx, &key, args.iter_from(2), "hset")
}

/// HSETNX key field value
///
/// Replies: 1 when it was set.
fn hsetnx(ctx: &mut Ctx<'_>, args: &Args<'_>) -> Outcome {
    let key = ctx.key(args.get(1));
    let found = ctx.keyspace.peek_db(ctx.db).find(&key);
    let hash = found.map(hash_of).transpose()?;
    if hash.is_some_and(|hash| hash.get(args.get(2)).is_some()) {
        ctx.reply.integer(0);
        return Ok(());
    }
    set_fields(ctx, &key, args.iter_from(2), "hset")?;
    ctx.reply.integer(1);
    Ok(())
}

/// The hash at the first key, for reading; its absence is announced.
#[inline]
fn read<'c>(ctx: &'c mut Ctx<'_>, args: &Args<'_>) -> Result<Option<HashRef<'c>>, CmdError> {
    let key = ctx.key(args.get(1));
    if !ctx.keyspace.notify.is_empty() && ctx.keyspace.peek_db(ctx.db).peek(&key).is_none() {
        note_missing(ctx, &key);
    }
    let found = ctx.keyspace.peek_db(ctx.db).read(&key);
    found.map(hash_of).transpose()
}

/// HGET key field
fn hget(ctx: &mut Ctx<'_>, args: &Args<'_>) -> Outcome {
    let key = ctx.key(args.get(1));
    let Some(entry) = ctx.keyspace.peek_db(ctx.db).read(&key) else {
        ctx.reply.null();
        note_missing(ctx, &key);
        return Ok(());
    };
    match hash_of(entry)?.get(args.get(2)) {
        Some(value) => reply_item(&mut ctx.reply, value),
        None => ctx.reply.null(),
    }
    Ok(())
}

/// HMGET key field [field ...]
fn hmget(ctx: &mut Ctx<'_>, args: &Args<'_>) -> Outcome {
    let key = ctx.key(args.get(1));
    let fields = args.iter_from(2);
    let Some(entry) = ctx.keyspace.peek_db(ctx.db).read(&key) else {
        ctx.reply.array(fields.len());
        fields.for_each(|_| ctx.reply.null());
        note_missing(ctx, &key);
        return Ok(());
    };
    let hash = hash_of(entry)?;
    ctx.reply.array(fields.len());
    for field in fields {
        match hash.get(field) {
            Some(value) => reply_item(&mut ctx.reply, value),
            None => ctx.reply.null(),
        }
    }
    Ok(())
}

/// HDEL key field [field ...]
///
/// Replies: how many fields were removed.
fn hdel(ctx: &mut Ctx<'_>, args: &Args<'_>) -> Outcome {
    let key = ctx.key(args.get(1));
    let db = ctx.keyspace.db(ctx.db);
    let Some(mut entry) = db.edit(&key) else {
        ctx.reply.integer(0);
        return Ok(());
    };
    let mut left = hash_of(entry.as_ref())?.len();
    let mut removed = 0;
    for field in args.iter_from(2) {
        if hash::remove(&mut entry, field) {
            removed += 1;
            left -= 1;
            if left == 0 {
                break;
            }
        }
    }
    if removed > 0 {
        db.changed(key.bytes);
        ctx.notify(EventClasses::HASH, "hdel", key.bytes);
        if left == 0 {
            remove_emptied(ctx, &key);
        }
    }
    ctx.reply.count(removed);
    Ok(())
}

/// HLEN key
fn hlen(ctx: &mut Ctx<'_>, args: &Args<'_>) -> Outcome {
    let len = read(ctx, args)?.map_or(0, HashRef::len);
    ctx.reply.count(len);
    Ok(())
}

/// HEXISTS key field
fn hexists(ctx: &mut Ctx<'_>, args: &Args<'_>) -> Outcome {
    let found = read(ctx, args)?.is_some_and(|hash| hash.get(args.get(2)).is_some());
    ctx.reply.integer(i64::from(found));
    Ok(())
}

/// HSTRLEN key field
fn hstrlen(ctx: &mut Ctx<'_>, args: &Args<'_>) -> Outcome {
    let value = read(ctx, args)?.and_then(|hash| hash.get(args.get(2)));
    let len = value.map_or(0, |value| with_text(value, <[u8]>::len));
    ctx.reply.count(len);
    Ok(())
}

/// Which halves of the pairs are answered.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
enum Wanted {
    Fields,
    Values,
    Both,
}

/// HKEYS key
fn hkeys(ctx: &mut Ctx<'_>, args: &Args<'_>) -> Outcome {
    reply_all(ctx, args, Wanted::Fields)
}

/// HVALS key
fn hvals(ctx: &mut Ctx<'_>, args: &Args<'_>) -> Outcome {
    reply_all(ctx, args, Wanted::Values)
}

/// HGETALL key
fn hgetall(ctx: &mut Ctx<'_>, args: &Args<'_>) -> Outcome {
    reply_all(ctx, args, Wanted::Both)
}

fn reply_all(ctx: &mut Ctx<'_>, args: &Args<'_>, wanted: Wanted) -> Outcome {
    let key = ctx.key(args.get(1));
    let entry = ctx.keyspace.peek_db(ctx.db).read(&key);
    let hash = entry.map(hash_of).transpose()?;
    let len = hash.map_or(0, HashRef::len);
    let reply = &mut ctx.reply;
    match wanted {
        Wanted::Both => reply.map(len),
        _ => reply.array(len),
    }
    let Some(hash) = hash else {
        note_missing(ctx, &key);
        return Ok(());
    };
    hash.each(|field, value| {
        if wanted != Wanted::Values {
            reply_item(reply, field);
        }
        if wanted != Wanted::Fields {
            reply_item(reply, value);
        }
    });
    Ok(())
}
