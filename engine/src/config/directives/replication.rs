//! Primaries and replicas.

use super::{COUNT, LONG, MEMORY, PORT, int, memory};
use crate::config::choice::{DisklessLoad, PropagationError, choice};
use crate::config::directive::{Directive, Effect, Mutability, Visibility, group, visibility};
use crate::config::lists::ReplicaOf;
use crate::config::setting::{Kind, Secret, Setting, Text};

group! {
    /// Primaries and replicas.
    Replication at replication {
        /// The primary whose data this server copies; none for a primary.
        replicaof: ReplicaOf = ReplicaOf(None),
        "replicaof" | "slaveof", Kind::List { shape: "host and port" }, StartOnly, Later;

        /// User as which a replica logs in to its primary.
        masteruser: Text = Text::default(),
        "masteruser" | "primaryuser", Kind::Text, Mutable, Later;

        /// Password with which a replica logs in to its primary.
        masterauth: Secret = Secret::default(),
        "masterauth" | "primaryauth", Kind::Secret, Mutable, Later;

        /// Whether a replica without its primary goes on answering from what it has.
        replica_serve_stale_data: bool = true,
        "replica-serve-stale-data" | "slave-serve-stale-data", Kind::Bool, Mutable, Later;

        /// Whether a replica refuses writes of clients.
        replica_read_only: bool = true,
        "replica-read-only" | "slave-read-only", Kind::Bool, Mutable, Later;

        /// Whether a snapshot for replicas is sent without a file.
        repl_diskless_sync: bool = true,
        "repl-diskless-sync", Kind::Bool, Mutable, Later;

        /// Seconds to wait for more replicas before such a snapshot begins.
        repl_diskless_sync_delay_secs: u32 = 5,
        "repl-diskless-sync-delay", COUNT, Mutable, Later;

        /// Replicas that make waiting for more pointless; 0 waits the full time.
        repl_diskless_sync_max_replicas: u32 = 0,
        "repl-diskless-sync-max-replicas", COUNT, Mutable, Later;

        /// Whether a replica loads a snapshot as it arrives: never, when it is empty, or beside
        /// its old data.
        repl_diskless_load: DisklessLoad = DisklessLoad::Disabled,
        "repl-diskless-load", choice::<DisklessLoad>(), Mutable, Later;

        /// Seconds between two pings to the replicas.
        repl_ping_replica_period_secs: u32 = 10,
        "repl-ping-replica-period" | "repl-ping-slave-period", int(1, i32::MAX as i64),
        Mutable, Later;

        /// Seconds of silence after which the other side counts as gone.
        repl_timeout_secs: u32 = 60,
        "repl-timeout", int(1, i32::MAX as i64), Mutable, Later;

        /// Whether small packets to replicas are collected, which saves bandwidth and costs time.
        repl_disable_tcp_nodelay: bool = false,
        "repl-disable-tcp-nodelay", Kind::Bool, Mutable, Later;

        /// Bytes of recent writes kept for replicas that come back.
        repl_backlog_size: u64 = 1 << 20,
        "repl-backlog-size", memory(1), Mutable, Later;

        /// Seconds after the last replica has gone until those bytes are freed; 0 keeps them.
        repl_backlog_ttl_secs: u64 = 3600,
        "repl-backlog-ttl", LONG, Mutable, Later;

        /// Replicas with a lower number are promoted first; 0 is never promoted.
        replica_priority: u32 = 100,
        "replica-priority" | "slave-priority", COUNT, Mutable, Later;

        /// Whether sentinels report this replica to clients.
        replica_announced: bool = true,
        "replica-announced", Kind::Bool, Mutable, Later;

        /// Address that a replica gives as its own.
        replica_announce_ip: Text = Text::default(),
        "replica-announce-ip" | "slave-announce-ip", Kind::Text, Mutable, Later;

        /// Port that a replica gives as its own; 0 gives the real one.
        replica_announce_port: u16 = 0,
        "replica-announce-port" | "slave-announce-port", PORT, Mutable, Later;

        /// With fewer good replicas a primary refuses writes; 0 never refuses.
        min_replicas_to_write: u32 = 0,
        "min-replicas-to-write" | "min-slaves-to-write", COUNT, Mutable, Later;

        /// Seconds since its last word within which a replica is a good one.
        min_replicas_max_lag_secs: u32 = 10,
        "min-replicas-max-lag" | "min-slaves-max-lag", COUNT, Mutable, Later;

        /// Whether a replica leaves eviction to its primary.
        replica_ignore_maxmemory: bool = true,
        "replica-ignore-maxmemory" | "slave-ignore-maxmemory", Kind::Bool, Mutable, Later;

        /// Whether a replica frees its old data in the background before a full copy.
        replica_lazy_flush: bool = false,
        "replica-lazy-flush" | "slave-lazy-flush", Kind::Bool, Mutable, Later;

        /// Whether a replica that cannot write its files goes on instead of ending.
        replica_ignore_disk_write_errors: bool = false,
        "replica-ignore-disk-write-errors", Kind::Bool, Mutable, Later;

        /// What follows when a replicated command fails.
        propagation_error_behavior: PropagationError = PropagationError::Ignore,
        "propagation-error-behavior", choice::<PropagationError>(), Mutable, Later;

        /// Whether snapshot and writes reach a replica over two connections at once.
        dual_channel_replication_enabled: bool = false,
        "dual-channel-replication-enabled", Kind::Bool, Mutable, Later;

        /// Writes that may pile up while a replica loads a snapshot; 0 is the replica's output
        /// limit.
        replica_full_sync_buffer_limit: u64 = 0,
        "replica-full-sync-buffer-limit", MEMORY, Mutable, Later;

        /// Whether data are being imported, so that nothing is expired or evicted.
        import_mode: bool = false,
        "import-mode", Kind::Bool, Mutable, Later;
    }
}
