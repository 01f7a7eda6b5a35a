//! Hashes: single fields, and all of them.

use super::{hash_of, set_fields};
use crate::command::collections::{read, read_number, remove_words, reply_item};
use crate::command::{CmdError, Ctx, Flags, Group, KeyFlags, Keys, Outcome, Spec};
use crate::keyspace::{Entry, EventClasses};
use crate::resp::{Args, Reply};
use crate::value::{Item, hash, with_text};

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

/// HGET key field
fn hget(ctx: &mut Ctx<'_>, args: &Args<'_>) -> Outcome {
    read(ctx, args, Reply::null, |entry, reply| {
        reply_value(reply, hash_of(entry)?.get(args.get(2)));
        Ok(())
    })
}

/// HMGET key field [field ...]
fn hmget(ctx: &mut Ctx<'_>, args: &Args<'_>) -> Outcome {
    let fields = args.iter_from(2);
    let missing = |reply: &mut Reply<'_>| {
        reply.array(fields.len());
        fields.clone().for_each(|_| reply.null());
    };
    read(ctx, args, missing, |entry, reply| {
        let hash = hash_of(entry)?;
        reply.array(fields.len());
        for field in fields.clone() {
            reply_value(reply, hash.get(field));
        }
        Ok(())
    })
}

/// Answers a value, or null.
#[inline]
fn reply_value(reply: &mut Reply<'_>, value: Option<Item<'_>>) {
    match value {
        Some(value) => reply_item(reply, value),
        None => reply.null(),
    }
}

/// HDEL key field [field ...]
///
/// Replies: how many fields were removed.
fn hdel(ctx: &mut Ctx<'_>, args: &Args<'_>) -> Outcome {
    let event = (EventClasses::HASH, "hdel");
    let len_of = |entry: Entry<'_>| Ok(hash_of(entry)?.len());
    remove_words(ctx, args, event, len_of, hash::remove)
}

/// HLEN key
fn hlen(ctx: &mut Ctx<'_>, args: &Args<'_>) -> Outcome {
    read_number(ctx, args, |entry| Ok(hash_of(entry)?.len()))
}

/// HEXISTS key field
fn hexists(ctx: &mut Ctx<'_>, args: &Args<'_>) -> Outcome {
    read_number(ctx, args, |entry| {
        Ok(hash_of(entry)?.get(args.get(2)).is_some().into())
    })
}

/// HSTRLEN key field
fn hstrlen(ctx: &mut Ctx<'_>, args: &Args<'_>) -> Outcome {
    read_number(ctx, args, |entry| {
        let value = hash_of(entry)?.get(args.get(2));
        Ok(value.map_or(0, |value| with_text(value, <[u8]>::len)))
    })
}

/// Which halves of the pairs are answered.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
enum Halves {
    Fields,
    Values,
    Both,
}

/// HKEYS key
fn hkeys(ctx: &mut Ctx<'_>, args: &Args<'_>) -> Outcome {
    reply_all(ctx, args, Halves::Fields)
}

/// HVALS key
fn hvals(ctx: &mut Ctx<'_>, args: &Args<'_>) -> Outcome {
    reply_all(ctx, args, Halves::Values)
}

/// HGETALL key
fn hgetall(ctx: &mut Ctx<'_>, args: &Args<'_>) -> Outcome {
    reply_all(ctx, args, Halves::Both)
}

fn reply_all(ctx: &mut Ctx<'_>, args: &Args<'_>, halves: Halves) -> Outcome {
    let head = |reply: &mut Reply<'_>, len| match halves {
        Halves::Both => reply.map(len),
        Halves::Fields | Halves::Values => reply.array(len),
    };
    read(
        ctx,
        args,
        |reply| head(reply, 0),
        |entry, reply| {
            let hash = hash_of(entry)?;
            head(reply, hash.len());
            hash.each(|field, value| {
                if halves != Halves::Values {
                    reply_item(reply, field);
                }
                if halves != Halves::Fields {
                    reply_item(reply, value);
                }
            });
            Ok(())
        },
    )
}
