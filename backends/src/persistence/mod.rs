//! The members of the seam of persistence: snapshots only, or a log of what changes as well.
//!
//! | row | keeps | base of the log |
//! | --- | --- | --- |
//! | `rdb` | snapshots | |
//! | `aof` | snapshots when asked for, and a log | commands |
//! | `hybrid` | the same | a snapshot |
//!
//! Shape: all files go through the engine's [`Disk`](dovetail_engine::seam::disk::Disk); what they
//! contain and are called is `engine`'s `codec::aof`, and `docs/formats/aof.md`.

mod files;
mod log;
mod rdb;

use dovetail_engine::seam::persistence::{Format, PersistenceEntry, Settings, SharedDisk};
use files::Files;

/// The members, by name.
pub static MEMBERS: &[PersistenceEntry] = &[
    PersistenceEntry {
        name: rdb::NAME,
        open: |disk, settings| Box::new(rdb::Rdb::new(disk, settings)),
    },
    PersistenceEntry {
        name: log::name(Format::Commands),
        open: |disk, settings| open_log(disk, settings, Format::Commands),
    },
    PersistenceEntry {
        name: log::name(Format::Rdb),
        open: |disk, settings| open_log(disk, settings, Format::Rdb),
    },
];

/// The row decides on the format of bases, until other settings are applied.
fn open_log(
    disk: SharedDisk,
    settings: &Settings,
    base_format: Format,
) -> Box<dyn dovetail_engine::seam::persistence::Persistence> {
    let settings = Settings {
        base_format,
        ..settings.clone()
    };
    Box::new(log::Log::new(Files::new(disk), settings))
}
