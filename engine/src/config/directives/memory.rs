//! How much memory data may take, and when it is given back.

use super::{COUNT, int, memory};
use crate::config::choice::{ExpiryCycle, MaxmemoryPolicy, choice};
use crate::config::directive::{Directive, Effect, Mutability, Visibility, group, visibility};
use crate::config::error::ConfigError;
use crate::config::setting::{Kind, Setting, Source, Text};

/// Whether defragmentation is wanted; clients learn that there is none.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct ActiveDefrag(pub bool);

impl Setting for ActiveDefrag {
    fn parse(&self, kind: &Kind, words: &[&[u8]], source: Source) -> Result<Self, ConfigError> {
        let wanted = self.0.parse(kind, words, source)?;
        // A file that asks for it shall not keep the server from starting.
        if wanted && source == Source::Client {
            return Err(ConfigError::Words(
                "Active defragmentation cannot be enabled: this server does not have it",
            ));
        }
        Ok(Self(wanted))
    }

    fn render(&self, kind: &Kind) -> Vec<u8> {
        self.0.render(kind)
    }
}

group! {
    /// How much memory data may take, and when it is given back.
    Memory at memory {
        /// Memory that data may take; when it is full, `maxmemory-policy` decides what happens.
        /// 0 is no limit.
        maxmemory: u64 = 0,
        "maxmemory", Kind::Memory { low: 0, high: u64::MAX }, Mutable, Live;

        /// Which keys are removed to make room: by recency (lru, exact-lru), frequency (lfu,
        /// hyperbolic, wtinylfu), queues that spare what is used (sieve, s3fifo), deadline (ttl) or
        /// chance (random), among all keys or only those with a deadline (volatile); or none, so
        /// that writes are refused.
        maxmemory_policy: MaxmemoryPolicy = MaxmemoryPolicy::NoEviction,
        "maxmemory-policy", choice::<MaxmemoryPolicy>(), Mutable, Live;

        /// How many keys are compared to find one to remove.
        maxmemory_samples: u32 = 5,
        "maxmemory-samples", int(1, i32::MAX as i64), Mutable, Live;

        /// How much time removing may take from clients: 0 the least, 100 all it needs.
        maxmemory_eviction_tenacity: u32 = 10,
        "maxmemory-eviction-tenacity", int(0, 100), Mutable, Live;

        /// How slowly the frequency counter of a key grows.
        lfu_log_factor: u32 = 10,
        "lfu-log-factor", COUNT, Mutable, Live;

        /// After how many minutes the frequency counter of an unused key falls by one; 0 never.
        lfu_decay_time_minutes: u32 = 1,
        "lfu-decay-time", COUNT, Mutable, Live;

        /// How expired keys that nobody asks for are found: in the order of their deadlines
        /// (ordered), or by looking at random ones, of which some linger (sampled).
        expiry_cycle: ExpiryCycle = ExpiryCycle::Ordered,
        "expiry-cycle", choice::<ExpiryCycle>(), Mutable, Live;

        /// By up to how many percent of itself a time to live is lengthened by chance, so that keys
        /// set together do not fall due together.
        expire_jitter_percent: u32 = 0,
        "expire-jitter", int(0, 100), Mutable, Live;

        /// How much of each moment goes into removing expired keys that nobody asks for, from 1 to
        /// 10.
        active_expire_effort: u32 = 1,
        "active-expire-effort", int(1, 10), Mutable, Live;

        /// Whether evicted values are freed in the background.
        lazyfree_lazy_eviction: bool = false,
        "lazyfree-lazy-eviction", Kind::Bool, Mutable, Live;

        /// Whether expired values are freed in the background.
        lazyfree_lazy_expire: bool = false,
        "lazyfree-lazy-expire", Kind::Bool, Mutable, Live;

        /// Whether values that a command replaces, as RENAME does, are freed in the background.
        lazyfree_lazy_server_del: bool = false,
        "lazyfree-lazy-server-del", Kind::Bool, Mutable, Live;

        /// Whether DEL frees in the background, as UNLINK does.
        lazyfree_lazy_user_del: bool = false,
        "lazyfree-lazy-user-del", Kind::Bool, Mutable, Live;

        /// Whether FLUSHALL and FLUSHDB free in the background when they do not say.
        lazyfree_lazy_user_flush: bool = false,
        "lazyfree-lazy-user-flush", Kind::Bool, Mutable, Live;

        /// Whether idle moments are used to finish the growth of tables.
        activerehashing: bool = true,
        "activerehashing", Kind::Bool, Mutable, Later;

        /// Whether values are moved to make memory contiguous again.
        activedefrag: ActiveDefrag = ActiveDefrag(false),
        "activedefrag", Kind::Bool, Mutable, Later;

        /// Wasted bytes below which nothing is moved.
        active_defrag_ignore_bytes: u64 = 100 << 20,
        "active-defrag-ignore-bytes", memory(1), Mutable, Later;

        /// Wasted percentage from which on values are moved.
        active_defrag_threshold_lower: u32 = 10,
        "active-defrag-threshold-lower", int(0, 1000), Mutable, Later;

        /// Wasted percentage from which on values are moved with all effort.
        active_defrag_threshold_upper: u32 = 100,
        "active-defrag-threshold-upper", int(0, 1000), Mutable, Later;

        /// Least percentage of time for moving values.
        active_defrag_cycle_min: u32 = 1,
        "active-defrag-cycle-min", int(1, 99), Mutable, Later;

        /// Greatest percentage of time for moving values.
        active_defrag_cycle_max: u32 = 25,
        "active-defrag-cycle-max", int(1, 99), Mutable, Later;

        /// Microseconds for moving values at a time.
        active_defrag_cycle_us: u32 = 500,
        "active-defrag-cycle-us", int(0, 100_000), Mutable, Later;

        /// Collections with more elements are moved bit by bit.
        active_defrag_max_scan_fields: u64 = 1000,
        "active-defrag-max-scan-fields", int(1, i64::MAX), Mutable, Later;

        /// Whether the allocator returns memory from a thread of its own.
        jemalloc_bg_thread: bool = true,
        "jemalloc-bg-thread", Kind::Bool, Mutable, Later;

        /// Seed of the hash functions, for servers that shall agree on the order of SCAN.
        hash_seed: Text = Text::default(),
        "hash-seed", Kind::Text, StartOnly, Later;
    }
}
