//! Hashes: walking over them, and drawing fields at random.

use super::hash_of;
use crate::base::rng::Rng;
use crate::command::collections::{read, reply_item};
use crate::command::draws::Wanted;
use crate::command::scan::{ScanOf, ScanOptions, cursor_of, reply_no_scan, reply_scan};
use crate::command::{Ctx, Flags, Group, KeyFlags, Keys, Outcome, Spec};
use crate::resp::{Args, Reply};
use crate::value::hash::HashRef;
use crate::value::{Item, with_text};

/// The rows.
pub const SPECS: &[Spec] = &[
    Spec::new("hscan", -3, hscan)
        .of(
            Group::Hash,
            "2.8.0",
            "O(1) for a call, O(N) for a walk over all N fields",
        )
        .flags(Flags::READONLY)
        .keys(&[Keys::first(KeyFlags::RO.and(KeyFlags::ACCESS))])
        .doc(
            "key cursor [MATCH pattern] [COUNT count] [NOVALUES]",
            "Walks over the fields of a hash, a few at a time.",
        )
        .tips(&["nondeterministic_output"]),
    Spec::new("hrandfield", -2, hrandfield)
        .of(
            Group::Hash,
            "6.2.0",
            "O(N) where N is the number of fields returned",
        )
        .flags(Flags::READONLY)
        .keys(&[Keys::first(KeyFlags::RO.and(KeyFlags::ACCESS))])
        .doc(
            "key [count [WITHVALUES]]",
            "Returns fields of a hash, drawn at random.",
        )
        .tips(&["nondeterministic_output"]),
];

/// HSCAN key cursor [MATCH pattern] [COUNT count] [NOVALUES]
///
/// Replies: the next cursor, "0" at the end, and an array of fields with their values. A hash in its
/// compact form is done in one call.
fn hscan(ctx: &mut Ctx<'_>, args: &Args<'_>) -> Outcome {
    let cursor = cursor_of(args.get(2))?;
    read(ctx, args, reply_no_scan, |entry, reply| {
        let hash = hash_of(entry)?;
        let options = ScanOptions::read(args, 3, ScanOf::Fields)?;
        let (start, mut shown) = (reply.position(), 0);
        let mut show = |field: Item<'_>, value: Item<'_>| {
            if with_text(field, |field| options.shows(field)) {
                reply_item(reply, field);
                shown += 1;
                if !options.names_only {
                    reply_item(reply, value);
                    shown += 1;
                }
            }
        };
        let next = match hash {
            HashRef::Small(_) => {
                hash.each(show);
                0
            }
            HashRef::Large(table) => options.walk(cursor, 1, |cursor, seen| {
                table.scan(cursor, &mut |field, value| {
                    *seen += 1;
                    show(Item::Bytes(field), Item::Bytes(value));
                })
            }),
        };
        reply_scan(reply, start, next, shown);
        Ok(())
    })
}

/// HRANDFIELD key [count [WITHVALUES]]
///
/// Replies: a field or null; with a count an array, a negative count draws with repetition.
fn hrandfield(ctx: &mut Ctx<'_>, args: &Args<'_>) -> Outcome {
    let wanted = Wanted::paired(args, "withvalues")?;
    let show = |reply: &mut Reply<'_>, field: Item<'_>, value: Item<'_>| {
        reply_pair(reply, field, wanted.is_paired.then_some(value));
    };
    wanted.draw(ctx, args, |entry, drawing| {
        let hash = hash_of(entry)?;
        let one = |reply: &mut Reply<'_>, rng: &mut Rng| {
            if let Some((field, value)) = hash.sample(&mut || rng.bits()) {
                show(reply, field, value);
            }
        };
        drawing.answer(
            || hash.len(),
            one,
            |count, reply, rng| {
                hash.choose(count, &mut || rng.bits(), |field, value| {
                    show(reply, field, value)
                });
            },
        );
        Ok(())
    })
}

/// A field, with its value if there is one: in RESP3 as a pair of their own.
fn reply_pair(reply: &mut Reply<'_>, field: Item<'_>, value: Option<Item<'_>>) {
    if value.is_some() && reply.is_resp3() {
        reply.array(2);
    }
    reply_item(reply, field);
    if let Some(value) = value {
        reply_item(reply, value);
    }
}
