//! Snapshots and the append-only file.

use super::{COUNT, MEMORY};
use crate::config::choice::{AppendFsync, RdbVersionCheck, SanitizePayload, choice};
use crate::config::directive::{Directive, Effect, Mutability, Visibility, group, visibility};
use crate::config::error::ConfigError;
use crate::config::lists::SavePoints;
use crate::config::setting::{Kind, Setting, Text};

const fn bare_name(check: fn(&[u8]) -> Result<(), ConfigError>) -> Kind {
    Kind::Checked {
        shape: "name without a directory",
        check,
    }
}

fn check_dbfilename(name: &[u8]) -> Result<(), ConfigError> {
    no_slash(name, "dbfilename can't be a path, just a filename")
}

fn check_appendfilename(name: &[u8]) -> Result<(), ConfigError> {
    not_empty(name, "appendfilename can't be empty")?;
    no_slash(name, "appendfilename can't be a path, just a filename")
}

fn check_appenddirname(name: &[u8]) -> Result<(), ConfigError> {
    not_empty(name, "appenddirname can't be empty")?;
    no_slash(name, "appenddirname can't be a path, just a dirname")
}

fn not_empty(name: &[u8], refusal: &'static str) -> Result<(), ConfigError> {
    if name.is_empty() {
        Err(ConfigError::Words(refusal))
    } else {
        Ok(())
    }
}

fn no_slash(name: &[u8], refusal: &'static str) -> Result<(), ConfigError> {
    if name.contains(&b'/') {
        Err(ConfigError::Words(refusal))
    } else {
        Ok(())
    }
}

group! {
    /// Snapshots and the append-only file.
    Persistence at persistence {
        /// When a snapshot is taken by itself: after so many seconds if there were so many
        /// changes, for any of the pairs. Lines add up; `save ""` takes none.
        save: SavePoints = SavePoints::standard(),
        "save", Kind::List { shape: "pairs of seconds and changes" }, Mutable, Live;

        /// File name of the snapshot, within `dir`.
        dbfilename: Text = Text::from("dump.rdb"),
        "dbfilename", bare_name(check_dbfilename), Protected, Live;

        /// Whether strings are compressed in a snapshot and in what DUMP answers.
        rdbcompression: bool = true,
        "rdbcompression", Kind::Bool, Mutable, Live;

        /// Whether a snapshot ends with a checksum, and whether it is verified.
        rdbchecksum: bool = true,
        "rdbchecksum", Kind::Bool, StartOnly, Live;

        /// Whether snapshots made for replication only are deleted when they have been used.
        rdb_del_sync_files: bool = false,
        "rdb-del-sync-files", Kind::Bool, Mutable, Later;

        /// Whether a snapshot is forced to the disk bit by bit instead of all at once.
        rdb_save_incremental_fsync: bool = true,
        "rdb-save-incremental-fsync", Kind::Bool, Mutable, Live;

        /// Whether snapshots of a newer version are refused or read as far as possible.
        rdb_version_check: RdbVersionCheck = RdbVersionCheck::Strict,
        "rdb-version-check", choice::<RdbVersionCheck>(), Mutable, Later;

        /// Whether writes are refused after a snapshot that was due has failed.
        stop_writes_on_bgsave_error: bool = true,
        "stop-writes-on-bgsave-error", Kind::Bool, Mutable, Live;

        /// Whether payloads of RESTORE and of snapshots are checked deeply.
        sanitize_dump_payload: SanitizePayload = SanitizePayload::No,
        "sanitize-dump-payload", choice::<SanitizePayload>(), Mutable, Live;

        /// Whether every write is recorded in the append-only file.
        appendonly: bool = false,
        "appendonly", Kind::Bool, Mutable, Live;

        /// First part of the file names of the append-only file.
        appendfilename: Text = Text::from("appendonly.aof"),
        "appendfilename", bare_name(check_appendfilename), StartOnly, Live;

        /// Directory of the append-only file, within `dir`.
        appenddirname: Text = Text::from("appendonlydir"),
        "appenddirname", bare_name(check_appenddirname), StartOnly, Live;

        /// When the append-only file is forced to the disk: once a second, before each reply, or
        /// when the system likes.
        appendfsync: AppendFsync = AppendFsync::EverySec,
        "appendfsync", choice::<AppendFsync>(), Mutable, Live;

        /// Whether it is not forced while a child process writes a snapshot or a rewrite.
        no_appendfsync_on_rewrite: bool = false,
        "no-appendfsync-on-rewrite", Kind::Bool, Mutable, Live;

        /// The append-only file is rewritten when it has grown by so many percent; 0 never.
        auto_aof_rewrite_percentage: u32 = 100,
        "auto-aof-rewrite-percentage", COUNT, Mutable, Live;

        /// It is not rewritten while it is smaller than this.
        auto_aof_rewrite_min_size: u64 = 64 << 20,
        "auto-aof-rewrite-min-size", MEMORY, Mutable, Live;

        /// Whether a record cut short at the end of the append-only file is dropped at start;
        /// otherwise the start fails.
        aof_load_truncated: bool = true,
        "aof-load-truncated", Kind::Bool, Mutable, Live;

        /// Whether a rewrite begins with a snapshot.
        aof_use_rdb_preamble: bool = true,
        "aof-use-rdb-preamble", Kind::Bool, Mutable, Live;

        /// Whether the append-only file contains times, so that it can be cut at one.
        aof_timestamp_enabled: bool = false,
        "aof-timestamp-enabled", Kind::Bool, Mutable, Live;

        /// Whether each batch of records in the append-only file ends with a checksum, which is
        /// looked at when it is loaded; real servers skip these lines.
        aof_checksum: bool = false,
        "aof-checksum", Kind::Bool, Mutable, Live;

        /// Whether a rewrite is forced to the disk bit by bit instead of all at once.
        aof_rewrite_incremental_fsync: bool = true,
        "aof-rewrite-incremental-fsync", Kind::Bool, Mutable, Live;

        /// Whether files that a rewrite has replaced are kept.
        aof_disable_auto_gc: bool = false,
        "aof-disable-auto-gc", Kind::Bool, Mutable, Live;
    }
}
