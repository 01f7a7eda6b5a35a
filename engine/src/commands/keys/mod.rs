//! Keys whatever they hold: being there, deadlines, walks, moving, inspection, waiting.

mod basic;
mod dump;
mod expiry;
mod migrate;
mod object;
mod scan;
mod sort;
mod transfer;
mod wait;

pub use basic::SPECS as BASIC_SPECS;
pub use dump::SPECS as DUMP_SPECS;
pub use expiry::SPECS as EXPIRY_SPECS;
pub use migrate::SPECS as MIGRATE_SPECS;
pub use object::SPECS as OBJECT_SPECS;
pub use scan::SPECS as SCAN_SPECS;
pub use sort::SPECS as SORT_SPECS;
pub use transfer::SPECS as TRANSFER_SPECS;
pub use wait::SPECS as WAIT_SPECS;

use crate::command::Ctx;
use crate::command::collections::note_missing;
use crate::keyspace::{EventClasses, Key};

/// Removes a key if it is there, and announces it.
fn delete(ctx: &mut Ctx<'_>, key: &Key<'_>) -> bool {
    let removed = ctx.keyspace.db(ctx.db).remove(key);
    if removed {
        ctx.notify(EventClasses::GENERIC, "del", key.bytes);
    }
    removed
}
