//! Sorted sets: draws, and walks.

use super::{Scores, reply_head, reply_member, zset_of};
use crate::base::double::DoubleText;
use crate::base::map::set;
use crate::base::rng::Rng;
use crate::command::collections::{Draws, note_missing, reply_bytes_max, reply_item};
use crate::command::options::{integer_within, is};
use crate::command::scan::{ScanOf, ScanOptions, cursor_of, reply_scan};
use crate::command::{CmdError, Ctx, Flags, Group, KeyFlags, Keys, Outcome, Spec};
use crate::resp::Args;
use crate::value::draw::{Passing, index};
use crate::value::zset::{Direction, ZsetRef};
use crate::value::{Item, with_text};

/// The rows.
pub const SPECS: &[Spec] = &[
    Spec::new("zrandmember", -2, zrandmember)
        .of(
            Group::SortedSet,
            "6.2.0",
            "O(N*log(S)) where N is the number of members returned and S the size of the sorted \
             set",
        )
        .flags(Flags::READONLY)
        .keys(&[Keys::first(KeyFlags::RO.and(KeyFlags::ACCESS))])
        .doc(
            "key [count [WITHSCORES]]",
            "Returns members of a sorted set, drawn at random.",
        )
        .tips(&["nondeterministic_output"]),
    Spec::new("zscan", -3, zscan)
        .of(
            Group::SortedSet,
            "2.8.0",
            "O(1) for a call, O(N) for a walk over all N members",
        )
        .flags(Flags::READONLY)
        .keys(&[Keys::first(KeyFlags::RO.and(KeyFlags::ACCESS))])
        .doc(
            "key cursor [MATCH pattern] [COUNT count] [NOSCORES]",
            "Walks over the members of a sorted set, a few at a time.",
        )
        .tips(&["nondeterministic_output"]),
];

/// ZRANDMEMBER key [count [WITHSCORES]]
///
/// Replies: a member or null; with a count an array, a negative count draws with repetition.
fn zrandmember(ctx: &mut Ctx<'_>, args: &Args<'_>) -> Outcome {
    let count = args.try_get(2);
    let count = count
        .map(|word| integer_within(word, -i64::MAX, i64::MAX))
        .transpose()?;
    let scores = match args.try_get(3) {
        Some(word) if is(word, "withscores") && args.len() == 4 => Scores::Shown,
        Some(_) => return Err(CmdError::Syntax),
        None => Scores::Hidden,
    };
    let most = i64::MAX / 2;
    if scores == Scores::Shown && count.is_some_and(|count| !(-most..=most).contains(&count)) {
        return Err(CmdError::fixed("ERR value is out of range"));
    }
    let bytes_max = reply_bytes_max(ctx);
    let key = ctx.key(args.get(1));
    let Some(entry) = ctx.keyspace.peek_db(ctx.db).read(&key) else {
        match count {
            Some(_) => ctx.reply.array(0),
            None => ctx.reply.null(),
        }
        note_missing(ctx, &key);
        return Ok(());
    };
    let zset = zset_of(entry)?;
    let reply = &mut ctx.reply;
    let Some(count) = count else {
        if let Some((member, _)) = draw(zset, ctx.rng) {
            reply_item(reply, member);
        }
        return Ok(());
    };
    let draws = Draws::of(count, zset.len());
    reply_head(reply, draws.count(), scores);
    match draws {
        Draws::Repeated(draws) => {
            for _ in 0..draws {
                if let Some((member, score)) = draw(zset, ctx.rng) {
                    reply_member(reply, member, score, scores);
                }
                if reply.buf.len() > bytes_max {
                    break;
                }
            }
        }
        Draws::Distinct(draws) => choose(zset, draws, ctx.rng, |member, score| {
            reply_member(reply, member, score, scores);
        }),
    }
    Ok(())
}

/// A member drawn fairly, with its score.
fn draw<'z>(zset: ZsetRef<'z>, rng: &mut Rng) -> Option<(Item<'z>, f64)> {
    zset.at(index(zset.len(), &mut || rng.bits())?)
}

/// Shows `wanted` different members, drawn fairly: all pass by, or a few are drawn until there are
/// enough different ones.
fn choose(zset: ZsetRef<'_>, wanted: usize, rng: &mut Rng, mut show: impl FnMut(Item<'_>, f64)) {
    let len = zset.len();
    if wanted.saturating_mul(3) > len || matches!(zset, ZsetRef::Small(_)) {
        let mut passing = Passing::new(wanted, len);
        zset.range(0..len, Direction::Up, |member, score| {
            if passing.takes(&mut || rng.bits()) {
                show(member, score);
            }
        });
        return;
    }
    let mut drawn = set(rng.bits());
    while drawn.len() < wanted {
        let Some(rank) = index(len, &mut || rng.bits()) else {
            return;
        };
        if drawn.insert(rank)
            && let Some((member, score)) = zset.at(rank)
        {
            show(member, score);
        }
    }
}

/// ZSCAN key cursor [MATCH pattern] [COUNT count] [NOSCORES]
///
/// Replies: the next cursor, "0" at the end, and an array of members, each with its score behind it
/// unless it is not wanted. A member that is there from the first call to the last is shown at
/// least once.
fn zscan(ctx: &mut Ctx<'_>, args: &Args<'_>) -> Outcome {
    let cursor = cursor_of(args.get(2))?;
    let key = ctx.key(args.get(1));
    let Some(entry) = ctx.keyspace.peek_db(ctx.db).read(&key) else {
        let start = ctx.reply.position();
        reply_scan(&mut ctx.reply, start, 0, 0);
        note_missing(ctx, &key);
        return Ok(());
    };
    let zset = zset_of(entry)?;
    let options = ScanOptions::read(args, 3, ScanOf::Scores)?;
    let reply = &mut ctx.reply;
    let (start, mut shown) = (reply.position(), 0);
    let next = options.walk(cursor, 1, |cursor, seen| {
        zset.scan(cursor, &mut |member, score| {
            *seen += 1;
            if !with_text(member, |member| options.shows(member)) {
                return;
            }
            reply_item(reply, member);
            shown += 1;
            if !options.names_only {
                let text = match zset {
                    ZsetRef::Small(_) => DoubleText::of(score),
                    ZsetRef::Large(_) => DoubleText::long(score),
                };
                reply.bulk(text.as_bytes());
                shown += 1;
            }
        })
    });
    reply_scan(&mut ctx.reply, start, next, shown);
    Ok(())
}
