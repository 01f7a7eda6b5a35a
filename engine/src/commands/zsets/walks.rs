//! Sorted sets: draws, and walks.

use super::{Scores, reply_member, zset_of};
use crate::base::double::DoubleText;
use crate::base::map::set;
use crate::base::rng::Rng;
use crate::command::collections::{read, reply_item};
use crate::command::draws::Wanted;
use crate::command::scan::{ScanOf, ScanOptions, cursor_of, reply_no_scan, reply_scan};
use crate::command::{Ctx, Flags, Group, KeyFlags, Keys, Outcome, Spec};
use crate::resp::{Args, Reply};
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
    let wanted = Wanted::paired(args, "withscores")?;
    let scores = if wanted.is_paired {
        Scores::Shown
    } else {
        Scores::Hidden
    };
    wanted.draw(ctx, args, |entry, drawing| {
        let zset = zset_of(entry)?;
        let one = |reply: &mut Reply<'_>, rng: &mut Rng| {
            if let Some((member, score)) = draw(zset, rng) {
                reply_member(reply, member, score, scores);
            }
        };
        drawing.answer(
            || zset.len(),
            one,
            |count, reply, rng| {
                choose(zset, count, rng, |member, score| {
                    reply_member(reply, member, score, scores)
                });
            },
        );
        Ok(())
    })
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
    read(ctx, args, reply_no_scan, |entry, reply| {
        let zset = zset_of(entry)?;
        let options = ScanOptions::read(args, 3, ScanOf::Scores)?;
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
        reply_scan(reply, start, next, shown);
        Ok(())
    })
}
