//! Snapshots: what an RDB file has, written and read; `docs/formats/rdb.md` has the bytes.
//!
//! [`Writer`] writes what Redis from 7.0 on and Valkey read alike. [`Reader`] reads whatever those
//! and their predecessors have written, as long as there are such values here. Neither touches a
//! file: bytes go into a [`Sink`] and come from a [`Source`].
//! Invariant: nothing that is read is trusted. Every length, count, order and number is looked at,
//! and memory is taken for bytes that have arrived, not for those that a length announces.

mod error;
mod input;
mod old;
mod read;
#[cfg(test)]
mod tests;
mod values;
mod write;

pub use error::{Fault, RdbError, ReadError};
pub use input::Source;
pub use read::{Batch, Checksum, Event, Loaded, Reader, Rules, Usage, Verify};
pub use write::{Compression, Options, Sink, Summing, Writer};

pub(super) use error::Stop;
pub(super) use input::Input;
pub(super) use values::{Dialect, Tools, read_whole};

/// The version that is written.
pub const VERSION: u16 = 10;
/// The latest version of Redis's files that is read.
pub const VERSION_MAX: u16 = 12;
/// The version of Valkey's files that is read.
pub const VALKEY_VERSION: u16 = 80;

/// What a value's first byte says.
pub mod kinds {
    /// A string.
    pub const STRING: u8 = 0;
    /// A list of strings.
    pub const LIST: u8 = 1;
    /// A set of strings.
    pub const SET: u8 = 2;
    /// A sorted set with scores in text.
    pub const ZSET_TEXT: u8 = 3;
    /// A hash of strings.
    pub const HASH: u8 = 4;
    /// A sorted set with binary scores.
    pub const ZSET: u8 = 5;
    /// A module's value, before modules were released.
    pub const MODULE_OLD: u8 = 6;
    /// A module's value.
    pub const MODULE: u8 = 7;
    /// A hash in a zipmap.
    pub const HASH_ZIPMAP: u8 = 9;
    /// A list in a ziplist.
    pub const LIST_ZIPLIST: u8 = 10;
    /// A set in an intset.
    pub const SET_INTS: u8 = 11;
    /// A sorted set in a ziplist.
    pub const ZSET_ZIPLIST: u8 = 12;
    /// A hash in a ziplist.
    pub const HASH_ZIPLIST: u8 = 13;
    /// A list of ziplists.
    pub const LIST_ZIPLISTS: u8 = 14;
    /// A stream.
    pub const STREAM: u8 = 15;
    /// A hash in a listpack.
    pub const HASH_PACK: u8 = 16;
    /// A sorted set in a listpack.
    pub const ZSET_PACK: u8 = 17;
    /// A list of listpacks and large elements.
    pub const LIST_PACKS: u8 = 18;
    /// A stream with what its groups have read.
    pub const STREAM_2: u8 = 19;
    /// A set in a listpack.
    pub const SET_PACK: u8 = 20;
    /// A stream with when its consumers were active.
    pub const STREAM_3: u8 = 21;
    /// A hash whose fields have deadlines, as Valkey writes it.
    pub const HASH_DEADLINES_VALKEY: u8 = 22;
    /// A hash whose fields have deadlines, as Redis writes it.
    pub const HASH_DEADLINES: u8 = 24;
    /// The same, in a listpack.
    pub const HASH_DEADLINES_PACK: u8 = 25;

    /// What `kind` is, in words.
    #[must_use]
    pub const fn name(kind: u8) -> &'static str {
        match kind {
            STRING => "string",
            LIST => "list",
            SET => "set",
            ZSET_TEXT => "sorted set with scores in text",
            HASH => "hash",
            ZSET => "sorted set",
            MODULE_OLD | MODULE => "module value",
            HASH_ZIPMAP => "hash in a zipmap",
            LIST_ZIPLIST => "list in a ziplist",
            SET_INTS => "set in an intset",
            ZSET_ZIPLIST => "sorted set in a ziplist",
            HASH_ZIPLIST => "hash in a ziplist",
            LIST_ZIPLISTS => "list of ziplists",
            STREAM | STREAM_2 | STREAM_3 => "stream",
            HASH_PACK => "hash in a listpack",
            ZSET_PACK => "sorted set in a listpack",
            LIST_PACKS => "list of listpacks",
            SET_PACK => "set in a listpack",
            HASH_DEADLINES_VALKEY | HASH_DEADLINES | HASH_DEADLINES_PACK => {
                "hash with deadlines of fields"
            }
            _ => "value of an unknown type",
        }
    }

    /// Whether there are values of this kind, be they readable here or not.
    #[must_use]
    pub const fn is_known(kind: u8) -> bool {
        matches!(kind, 0..=7 | 9..=22 | 24 | 25)
    }
}

/// What a byte between keys says, other than a kind of value.
pub mod marks {
    /// Legacy of a release candidate.
    pub const FUNCTION_OLD: u8 = 246;
    /// State of a slot's migration.
    pub const SLOT_IMPORT: u8 = 243;
    /// What is to be known about a slot.
    pub const SLOT_INFO: u8 = 244;
    /// A library of functions.
    pub const FUNCTION: u8 = 245;
    /// What a module keeps beside keys.
    pub const MODULE_AUX: u8 = 247;
    /// Seconds since the next key was used.
    pub const IDLE: u8 = 248;
    /// How often the next key is used.
    pub const FREQUENCY: u8 = 249;
    /// A field about the file.
    pub const AUX: u8 = 250;
    /// How many keys a database has.
    pub const RESIZE: u8 = 251;
    /// The next key's deadline in milliseconds.
    pub const DEADLINE_MS: u8 = 252;
    /// The next key's deadline in seconds.
    pub const DEADLINE: u8 = 253;
    /// A database begins.
    pub const SELECT: u8 = 254;
    /// The end.
    pub const END: u8 = 255;
}
