//! Scores of sorted sets as elements of listpacks, for those who read and write them elsewhere.

use super::{Item, zset};
use crate::base::double::{DoubleText, integral, parse_score};

/// The score that `item` is; `None` when it is no number.
#[must_use]
pub(super) fn read(item: Item<'_>) -> Option<f64> {
    match item {
        #[expect(
            clippy::cast_precision_loss,
            reason = "what a double does not hold is rounded, as a text would be"
        )]
        Item::Int(whole) => Some(whole as f64),
        Item::Bytes(text) => parse_score(text),
    }
}

/// Whether `item`, which is `score`, has the form that it has in a sorted set in a record.
#[must_use]
pub(super) fn is_ours(item: Item<'_>, score: f64) -> bool {
    match (item, integral(score)) {
        (Item::Int(whole), Some(same)) => whole == same,
        (Item::Bytes(text), None) => DoubleText::of(score).as_bytes() == text,
        _ => false,
    }
}

/// Puts a member with its score behind all others of `pack`, where it belongs.
pub(super) fn push_pair(pack: &mut Vec<u8>, member: &[u8], score: f64) {
    zset::push_pair(pack, member, score);
}
