//! Keys: walking over them, and drawing one at random.

use crate::base::glob::{CaseFold, matches};
use crate::command::options::is;
use crate::command::scan::{ScanOf, ScanOptions, cursor_of, reply_scan};
use crate::command::{Categories, Ctx, Flags, Group, Outcome, Spec};
use crate::keyspace::{Db, Entry};
use crate::resp::Args;
use crate::value::kind_of;

/// The rows.
pub const SPECS: &[Spec] = &[
    Spec::new("keys", 2, keys)
        .of(
            Group::Generic,
            "1.0.0",
            "O(N) where N is the number of keys in the database",
        )
        .flags(Flags::READONLY)
        .categories(Categories::DANGEROUS)
        .tips(&["request_policy:all_shards", "nondeterministic_output_order"])
        .doc("pattern", "Returns all keys that match a pattern."),
    Spec::new("randomkey", 1, randomkey)
        .of(Group::Generic, "1.0.0", "O(1)")
        .flags(Flags::READONLY)
        .tips(&[
            "request_policy:all_shards",
            "response_policy:special",
            "nondeterministic_output",
        ])
        .doc("", "Returns any key."),
    Spec::new("scan", -2, scan)
        .of(
            Group::Generic,
            "2.8.0",
            "O(1) for a call, O(N) for a walk over all N keys of the database",
        )
        .flags(Flags::READONLY)
        .tips(&[
            "nondeterministic_output",
            "request_policy:special",
            "response_policy:special",
        ])
        .doc(
            "cursor [MATCH pattern] [COUNT count] [TYPE type]",
            "Walks over the keys, a few at a time.",
        )
        .history(&[("6.0.0", "`TYPE`.")]),
];

/// Places that a call of SCAN looks into at least: a small database is done in one call.
const STEPS_MIN: u64 = 128;
/// Draws that may hit expired keys before RANDOMKEY walks instead.
const DRAWS: usize = 100;

/// KEYS pattern
fn keys(ctx: &mut Ctx<'_>, args: &Args<'_>) -> Outcome {
    let pattern = args.get(1);
    let db = ctx.keyspace.peek_db(ctx.db);
    if !pattern
        .iter()
        .any(|byte| matches!(byte, b'*' | b'?' | b'[' | b'\\'))
    {
        let found = db.peek(&ctx.key(pattern)).is_some();
        ctx.reply.array(usize::from(found));
        if found {
            ctx.reply.bulk(pattern);
        }
        return Ok(());
    }
    let takes_all = pattern == b"*";
    let start = ctx.reply.position();
    let (mut count, mut cursor) = (0, 0);
    loop {
        cursor = db.scan(cursor, &mut |entry| {
            if takes_all || matches(pattern, entry.key(), CaseFold::Sensitive) {
                ctx.reply.bulk(entry.key());
                count += 1;
            }
        });
        if cursor == 0 {
            break;
        }
    }
    ctx.reply.array_since(start, count);
    Ok(())
}

/// RANDOMKEY
///
/// Replies: a key; null in an empty database.
fn randomkey(ctx: &mut Ctx<'_>, _args: &Args<'_>) -> Outcome {
    let db = ctx.keyspace.peek_db(ctx.db);
    for _ in 0..DRAWS {
        let Some(drawn) = db.sample(ctx.rng.bits()) else {
            break;
        };
        // Looking it up tells whether it has expired, and sees to it that it goes.
        if db.peek(&ctx.keyspace.key(drawn.key())).is_some() {
            ctx.reply.bulk(drawn.key());
            return Ok(());
        }
    }
    let (mut found, mut cursor) = (false, 0);
    loop {
        cursor = db.scan(cursor, &mut |entry| {
            if !found {
                ctx.reply.bulk(entry.key());
                found = true;
            }
        });
        if found || cursor == 0 {
            break;
        }
    }
    if !found {
        ctx.reply.null();
    }
    Ok(())
}

/// SCAN cursor [MATCH pattern] [COUNT count] [TYPE type]
///
/// Replies: the next cursor, "0" at the end, and an array of keys. A key that is there from the
/// first call to the last is shown at least once.
fn scan(ctx: &mut Ctx<'_>, args: &Args<'_>) -> Outcome {
    let cursor = cursor_of(args.get(1))?;
    let options = ScanOptions::read(args, 2, ScanOf::Keys)?;
    let db = ctx.keyspace.peek_db(ctx.db);
    let start = ctx.reply.position();
    let mut shown = 0;
    let cursor = options.walk(cursor, STEPS_MIN, |cursor, seen| {
        db.scan(cursor, &mut |entry| {
            *seen += 1;
            if options.shows(entry.key()) && is_of_kind(db, entry, options.kind) {
                ctx.reply.bulk(entry.key());
                shown += 1;
            }
        })
    });
    reply_scan(&mut ctx.reply, start, cursor, shown);
    Ok(())
}

/// Asking for a type is a lookup, as real servers count.
fn is_of_kind(db: &Db, entry: Entry<'_>, kind: Option<&[u8]>) -> bool {
    let Some(kind) = kind else { return true };
    db.count_lookup(true);
    is(kind, kind_of(entry).name())
}
