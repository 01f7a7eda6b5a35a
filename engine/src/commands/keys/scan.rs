//! Keys: walking over them, and drawing one at random.

use crate::base::glob::{CaseFold, matches};
use crate::base::number::{Digits, parse_u64, write_i64};
use crate::command::options::{integer, is};
use crate::command::{Categories, CmdError, Ctx, Flags, Group, Options, Outcome, Spec};
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

/// Keys that a call of SCAN looks at when it is not told how many.
const COUNT_DEFAULT: u64 = 10;
/// Places that a call of SCAN looks into for each key it shall look at, full or empty.
const STEPS_PER_KEY: u64 = 10;
/// The least number of places: a small database is done in one call.
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

/// Which keys SCAN shows.
struct Filter<'a> {
    pattern: Option<&'a [u8]>,
    kind: Option<&'a [u8]>,
    count: u64,
}

impl<'a> Filter<'a> {
    fn read(args: &Args<'a>) -> Result<Self, CmdError> {
        let mut found = Self {
            pattern: None,
            kind: None,
            count: COUNT_DEFAULT,
        };
        let mut options = Options::from(args, 2);
        while let Some(word) = options.next() {
            if is(word, "count") && options.left() > 0 {
                let count = u64::try_from(integer(options.value()?)?).unwrap_or(0);
                if count == 0 {
                    return Err(CmdError::Syntax);
                }
                found.count = count;
            } else if is(word, "match") && options.left() > 0 {
                found.pattern = Some(options.value()?).filter(|pattern| *pattern != b"*");
            } else if is(word, "type") && options.left() > 0 {
                found.kind = Some(options.value()?);
            } else if is(word, "novalues") {
                return Err(CmdError::fixed(
                    "ERR NOVALUES option can only be used in HSCAN",
                ));
            } else {
                return Err(CmdError::Syntax);
            }
        }
        Ok(found)
    }

    fn takes_name(&self, key: &[u8]) -> bool {
        self.pattern
            .is_none_or(|pattern| matches(pattern, key, CaseFold::Sensitive))
    }

    /// Asking for a type is a lookup, as real servers count.
    fn takes_kind(&self, db: &Db, entry: Entry<'_>) -> bool {
        let Some(kind) = self.kind else { return true };
        db.count_lookup(true);
        is(kind, kind_of(entry).name())
    }
}

/// SCAN cursor [MATCH pattern] [COUNT count] [TYPE type]
///
/// Replies: the next cursor, "0" at the end, and an array of keys. A key that is there from the
/// first call to the last is shown at least once.
fn scan(ctx: &mut Ctx<'_>, args: &Args<'_>) -> Outcome {
    let mut cursor = cursor_of(args.get(1))?;
    let filter = Filter::read(args)?;
    let db = ctx.keyspace.peek_db(ctx.db);
    let start = ctx.reply.position();
    let (mut seen, mut shown) = (0, 0);
    let mut steps = filter.count.saturating_mul(STEPS_PER_KEY).max(STEPS_MIN);
    loop {
        cursor = db.scan(cursor, &mut |entry| {
            seen += 1;
            let is_shown = filter.takes_name(entry.key()) && filter.takes_kind(db, entry);
            if is_shown {
                ctx.reply.bulk(entry.key());
                shown += 1;
            }
        });
        steps -= 1;
        if cursor == 0 || seen >= filter.count || steps == 0 {
            break;
        }
    }
    // What comes first is known last.
    let digits = Digits::of_u64(cursor);
    let mut head = b"*2\r\n$".to_vec();
    write_i64(
        &mut head,
        i64::try_from(digits.as_bytes().len()).unwrap_or(0),
    );
    head.extend_from_slice(b"\r\n");
    head.extend_from_slice(digits.as_bytes());
    head.extend_from_slice(b"\r\n");
    ctx.reply.array_since(start, shown);
    ctx.reply.insert(start, &head);
    Ok(())
}

/// The cursor that `word` spells: a number, spaces and a plus before it passed over.
fn cursor_of(word: &[u8]) -> Result<u64, CmdError> {
    let digits = word.trim_ascii_start();
    let digits = digits.strip_prefix(b"+").unwrap_or(digits);
    let significant = digits
        .iter()
        .position(|byte| *byte != b'0')
        .unwrap_or(digits.len());
    match (&digits[significant..], digits) {
        (_, []) => Err(CmdError::InvalidCursor),
        ([], _) => Ok(0),
        (number, _) => parse_u64(number).ok_or(CmdError::InvalidCursor),
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn cursors_are_numbers_with_some_tolerance() {
        for (word, cursor) in [
            ("0", 0),
            ("00", 0),
            (" 12", 12),
            ("+7", 7),
            ("007", 7),
            ("18446744073709551615", u64::MAX),
        ] {
            assert_eq!(cursor_of(word.as_bytes()), Ok(cursor), "{word}");
        }
        for word in [
            "",
            " ",
            "+",
            "-1",
            "1x",
            "0x0",
            "18446744073709551616",
            "1 ",
            "++1",
        ] {
            assert_eq!(
                cursor_of(word.as_bytes()),
                Err(CmdError::InvalidCursor),
                "{word}"
            );
        }
    }
}
