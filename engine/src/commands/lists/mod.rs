//! Lists: what their commands share.
//!
//! Not here: the ends and waiting (`ends`), elements by place (`places`).

mod ends;
mod places;

pub use ends::SPECS as END_SPECS;
pub use places::SPECS as PLACE_SPECS;

use crate::command::{CmdError, Ctx};
use crate::keyspace::Entry;
use crate::value::Value;
use crate::value::list::{Limits, ListRef};
use dovetail_memory::EntryMut;

/// The list in `entry`.
#[inline]
fn list_of(entry: Entry<'_>) -> Result<ListRef<'_>, CmdError> {
    ListRef::of(entry).ok_or(CmdError::WrongType)
}

/// The limits of nodes, as they are configured.
#[inline]
fn limits(ctx: &Ctx<'_>) -> Limits {
    let encodings = &ctx.config.encodings;
    Limits {
        fill: encodings.list_max_listpack_size,
        depth: encodings.list_compress_depth as usize,
    }
}

/// Whether the list in `entry` has no element left.
fn is_emptied(entry: &EntryMut<'_, Value>) -> bool {
    ListRef::of(entry.as_ref()).is_some_and(ListRef::is_empty)
}
