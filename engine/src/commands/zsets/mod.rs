//! Sorted sets: what their commands share.
//!
//! Not here: adding and removing (`change`), single members and counts (`look`), bounds of ranges
//! (`bounds`), ranges (`ranges`), several at once (`algebra`), taking off the ends and waiting
//! (`pops`), draws and walks (`walks`).

mod algebra;
mod bounds;
mod change;
mod look;
mod pops;
mod ranges;
mod walks;

pub use algebra::SPECS as ALGEBRA_SPECS;
pub use change::SPECS as CHANGE_SPECS;
pub use look::SPECS as LOOK_SPECS;
pub use pops::SPECS as POP_SPECS;
pub use ranges::SPECS as RANGE_SPECS;
pub use walks::SPECS as WALK_SPECS;

use crate::base::double::parse_score;
use crate::command::collections::{announce, remove_any, reply_item};
use crate::command::{CmdError, Ctx};
use crate::keyspace::{Deadline, Entry, EventClasses, Key};
use crate::resp::Reply;
use crate::value::Item;
use crate::value::zset::{Rules, Zset, ZsetRef, store};

/// The sorted set in `entry`.
#[inline]
fn zset_of(entry: Entry<'_>) -> Result<ZsetRef<'_>, CmdError> {
    ZsetRef::of(entry).ok_or(CmdError::WrongType)
}

/// How large a small one may get, as it is configured, and how larger ones are hashed.
#[inline]
fn rules(ctx: &Ctx<'_>) -> Rules {
    let encodings = &ctx.config.encodings;
    let size = |limit: u64| usize::try_from(limit).unwrap_or(usize::MAX);
    Rules {
        entries: size(encodings.zset_max_listpack_entries),
        value: size(encodings.zset_max_listpack_value),
        hasher: ctx.keyspace.hasher().clone(),
    }
}

/// `word` as a score.
#[inline]
fn score_at(word: &[u8]) -> Result<f64, CmdError> {
    parse_score(word).ok_or(CmdError::NotFloat)
}

/// Whether a reply has the members' scores.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
enum Scores {
    Shown,
    Hidden,
}

/// Begins a reply of so many members.
#[inline]
fn reply_head(reply: &mut Reply<'_>, count: usize, scores: Scores) {
    let is_flat = scores == Scores::Shown && !reply.is_resp3();
    reply.array(if is_flat { 2 * count } else { count });
}

/// Answers a member; in RESP3, one with its score is an array of its own.
#[inline]
fn reply_member(reply: &mut Reply<'_>, member: Item<'_>, score: f64, scores: Scores) {
    if scores == Scores::Shown && reply.is_resp3() {
        reply.array(2);
    }
    reply_item(reply, member);
    if scores == Scores::Shown {
        reply.double(score);
    }
}

/// Has `key` hold `result` whatever was there; an empty one removes it.
///
/// Replies: how many members there are.
fn store_result(ctx: &mut Ctx<'_>, key: &Key<'_>, result: Zset, event: &'static str) {
    let count = result.len();
    if count > 0 {
        let rules = rules(ctx);
        let db = ctx.keyspace.db(ctx.db);
        let stored = store(result, &rules, |tag, body| {
            db.put(key, tag, body, Deadline::Clear)
        });
        announce(ctx, key, stored, EventClasses::ZSET, event);
    } else {
        remove_any(ctx, key);
    }
    ctx.reply.count(count);
}
