//! How much of everything clients may have.

use super::{LONG, int, memory};
use crate::config::directive::{Directive, Effect, Mutability, Visibility, group, visibility};
use crate::config::lists::{ClientClass, OutputLimit, OutputLimits, STANDARD_OUTPUT_LIMITS};
use crate::config::setting::{Kind, MemoryOrPercent, Setting};

group! {
    /// How much of everything clients may have.
    Limits at limits {
        /// How many clients may be connected at once; the next one gets an error and is closed.
        /// The start lowers it if the system does not grant enough descriptors.
        maxclients: u32 = 10_000,
        "maxclients", int(1, u32::MAX as i64), Mutable, Live;

        /// How many databases there are, numbered from 0.
        databases: u32 = 16,
        "databases", int(1, i32::MAX as i64), StartOnly, Live;

        /// Bytes that a client may have sent without completing a request; one with more is
        /// closed.
        client_query_buffer_limit: u64 = 1 << 30,
        "client-query-buffer-limit", memory(1 << 20), Mutable, Live;

        /// Bytes that may wait to be sent to a client of a class (normal, replica, pubsub). One
        /// with more than the hard limit is closed at once, one with more than the soft limit
        /// for so many seconds too; 0 is no limit. Setting one class leaves the others alone.
        output_buffer: OutputLimits = STANDARD_OUTPUT_LIMITS,
        "client-output-buffer-limit",
        Kind::List { shape: "class, hard limit, soft limit, seconds; for several classes" },
        Mutable, Live;

        /// The longest single argument of a request, in bytes.
        proto_max_bulk_len: u64 = 512 << 20,
        "proto-max-bulk-len", memory(1 << 20), Mutable, Live;

        /// Memory that all clients together may use for their buffers, in bytes or in percent of
        /// maxmemory; the greediest are closed first. 0 is no limit.
        maxmemory_clients: MemoryOrPercent = MemoryOrPercent::Bytes(0),
        "maxmemory-clients", Kind::MemoryOrPercent, Mutable, Live;

        /// How many keys may be remembered for client-side caching; 0 is no limit.
        tracking_table_max_keys: u64 = 1_000_000,
        "tracking-table-max-keys", LONG, Mutable, Later;

        /// After so many milliseconds of one script other clients are answered with BUSY; 0
        /// never.
        busy_reply_threshold_ms: u64 = 5000,
        "busy-reply-threshold" | "lua-time-limit", LONG, Mutable, Live;
    }
}

impl Limits {
    /// What may wait to be sent to a client of `class`.
    #[must_use]
    pub const fn output_limit(&self, class: ClientClass) -> OutputLimit {
        self.output_buffer[class as usize]
    }
}
