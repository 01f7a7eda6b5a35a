//! Hashes: what their commands share.
//!
//! Not here: single fields and all of them (`fields`), numbers in fields (`counters`), walks and
//! draws (`walks`).

mod counters;
mod fields;
mod walks;

pub use counters::SPECS as COUNTER_SPECS;
pub use fields::SPECS as FIELD_SPECS;
pub use walks::SPECS as WALK_SPECS;

use crate::command::collections::announce;
use crate::command::{CmdError, Ctx};
use crate::keyspace::{Entry, EventClasses, Key, Stored};
use crate::value::hash::{self, HashRef, Limits};
use dovetail_memory::Lookup;

/// The hash in `entry`.
#[inline]
fn hash_of(entry: Entry<'_>) -> Result<HashRef<'_>, CmdError> {
    HashRef::of(entry).ok_or(CmdError::WrongType)
}

/// The limits of the compact form, as they are configured.
#[inline]
fn limits(ctx: &Ctx<'_>) -> Limits {
    let encodings = &ctx.config.encodings;
    let size = |limit: u64| usize::try_from(limit).unwrap_or(usize::MAX);
    Limits {
        entries: size(encodings.hash_max_listpack_entries),
        value_bytes: size(encodings.hash_max_listpack_value),
        hasher: ctx.keyspace.hasher().clone(),
    }
}

/// Sets fields from words: field, value, field, value... Returns how many are new.
#[inline]
fn set_fields<'w>(
    ctx: &mut Ctx<'_>,
    key: &Key<'_>,
    words: impl ExactSizeIterator<Item = &'w [u8]> + Clone,
    event: &'static str,
) -> Result<usize, CmdError> {
    let limits = limits(ctx);
    let db = ctx.keyspace.db(ctx.db);
    let (added, stored) = match db.entry(key) {
        Lookup::Occupied(mut entry) => {
            hash_of(entry.as_ref())?;
            (hash::set(&mut entry, words, &limits), Stored::Replaced)
        }
        Lookup::Vacant(place) => (hash::create(place, words, &limits), Stored::Created),
    };
    db.changed(key.bytes);
    if !ctx.keyspace.notify.is_empty() {
        announce(ctx, key, stored, EventClasses::HASH, event);
    }
    Ok(added)
}
