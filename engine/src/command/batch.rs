//! Commands over many keys: the keys are hashed and fetched ahead a group at a time.

use super::Ctx;
use crate::keyspace::Key;
use crate::resp::Args;
use std::ops::Range;

/// Keys that are fetched ahead together.
const AHEAD: usize = 16;

/// Calls `each` for every `step`th of these words, as a key with its word's index.
#[inline]
pub fn each_key<'a>(
    ctx: &mut Ctx<'_>,
    args: &Args<'a>,
    words: Range<usize>,
    step: usize,
    mut each: impl FnMut(&mut Ctx<'_>, &Key<'a>, usize),
) {
    let mut from = words.start;
    if words.len() <= step {
        let key = ctx.key(args.get(from));
        return each(ctx, &key, from);
    }
    while from < words.end {
        let mut group = [Key {
            bytes: &[],
            hash: 0,
        }; AHEAD];
        let count = (words.end - from).div_ceil(step).min(AHEAD);
        for (at, place) in group[..count].iter_mut().enumerate() {
            *place = ctx.key(args.get(from + at * step));
        }
        ctx.keyspace.peek_db(ctx.db).prefetch(&group[..count]);
        for (at, key) in group[..count].iter().enumerate() {
            each(ctx, key, from + at * step);
        }
        from += count * step;
    }
}
