//! Sets: what their commands share.
//!
//! Not here: members (`members`), draws and walks (`walks`), several sets at once (`algebra`).

mod algebra;
mod members;
mod walks;

pub use algebra::SPECS as ALGEBRA_SPECS;
pub use members::SPECS as MEMBER_SPECS;
pub use walks::SPECS as WALK_SPECS;

use crate::command::{CmdError, Ctx};
use crate::keyspace::Entry;
use crate::value::set::{Limits, SetRef};

/// The set in `entry`.
#[inline]
fn set_of(entry: Entry<'_>) -> Result<SetRef<'_>, CmdError> {
    SetRef::of(entry).ok_or(CmdError::WrongType)
}

/// The limits of the compact forms, as they are configured.
#[inline]
fn limits(ctx: &Ctx<'_>) -> Limits {
    let encodings = &ctx.config.encodings;
    let size = |limit: u64| usize::try_from(limit).unwrap_or(usize::MAX);
    Limits {
        ints: size(encodings.set_max_intset_entries),
        entries: size(encodings.set_max_listpack_entries),
        value_bytes: size(encodings.set_max_listpack_value),
        hasher: ctx.keyspace.hasher().clone(),
    }
}
