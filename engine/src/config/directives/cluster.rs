//! Several servers that share the keys among them.

use super::{COUNT, LONG, MEMORY, PORT, int};
use crate::config::choice::{ClusterConfigSave, EndpointType, choice};
use crate::config::directive::{Directive, Effect, Mutability, Visibility, group, visibility};
use crate::config::error::ConfigError;
use crate::config::setting::{Kind, Setting, Text};
use std::net::{Ipv4Addr, Ipv6Addr};

fn check_hostname(name: &[u8]) -> Result<(), ConfigError> {
    let allowed = |byte: &u8| byte.is_ascii_alphanumeric() || matches!(byte, b'-' | b'.');
    if name.len() >= 256 {
        Err(ConfigError::Words(
            "Hostnames must be less than 256 characters",
        ))
    } else if !name.iter().all(allowed) {
        Err(ConfigError::Words(
            "Hostnames may only contain alphanumeric characters, hyphens or dots",
        ))
    } else {
        Ok(())
    }
}

fn check_ipv4(address: &[u8]) -> Result<(), ConfigError> {
    let valid = address.is_empty()
        || std::str::from_utf8(address).is_ok_and(|text| text.parse::<Ipv4Addr>().is_ok());
    if valid {
        Ok(())
    } else {
        Err(ConfigError::Words("Invalid IPv4 address"))
    }
}

fn check_ipv6(address: &[u8]) -> Result<(), ConfigError> {
    let valid = address.is_empty()
        || std::str::from_utf8(address).is_ok_and(|text| text.parse::<Ipv6Addr>().is_ok());
    if valid {
        Ok(())
    } else {
        Err(ConfigError::Words("Invalid IPv6 address"))
    }
}

group! {
    /// Several servers that share the keys among them.
    Cluster at cluster {
        /// Whether this server is a node of a cluster.
        cluster_enabled: bool = false,
        "cluster-enabled", Kind::Bool, StartOnly, Later;

        /// File in which the node keeps what it knows of the cluster.
        cluster_config_file: Text = Text::from("nodes.conf"),
        "cluster-config-file", Kind::PlainText, StartOnly, Later;

        /// Whether that file is forced to the disk each time.
        cluster_config_save_behavior: ClusterConfigSave = ClusterConfigSave::Sync,
        "cluster-config-save-behavior", choice::<ClusterConfigSave>(), Mutable, Later;

        /// How many databases a cluster has.
        cluster_databases: u32 = 1,
        "cluster-databases", int(1, i32::MAX as i64), StartOnly, Later;

        /// Milliseconds of silence after which a node counts as failing.
        cluster_node_timeout_ms: u64 = 15_000,
        "cluster-node-timeout", LONG, Mutable, Later;

        /// Port of the cluster bus; 0 is the client port plus 10000.
        cluster_port: u16 = 0,
        "cluster-port", PORT, StartOnly, Later;

        /// Whether keys are refused while some slots have no node.
        cluster_require_full_coverage: bool = true,
        "cluster-require-full-coverage", Kind::Bool, Mutable, Later;

        /// Whether reads are answered while the cluster is down.
        cluster_allow_reads_when_down: bool = false,
        "cluster-allow-reads-when-down", Kind::Bool, Mutable, Later;

        /// Whether shard channels work while the cluster is down.
        cluster_allow_pubsubshard_when_down: bool = true,
        "cluster-allow-pubsubshard-when-down", Kind::Bool, Mutable, Later;

        /// Whether replicas move to primaries that have none.
        cluster_allow_replica_migration: bool = true,
        "cluster-allow-replica-migration", Kind::Bool, Mutable, Later;

        /// How many replicas a primary keeps when one of them moves.
        cluster_migration_barrier: u32 = 1,
        "cluster-migration-barrier", COUNT, Mutable, Later;

        /// Whether this replica never takes its primary's place by itself.
        cluster_replica_no_failover: bool = false,
        "cluster-replica-no-failover" | "cluster-slave-no-failover", Kind::Bool, Mutable, Later;

        /// How old a replica's data may be when it takes its primary's place, in node timeouts; 0
        /// is no limit.
        cluster_replica_validity_factor: u32 = 10,
        "cluster-replica-validity-factor" | "cluster-slave-validity-factor", COUNT,
        Mutable, Later;

        /// Milliseconds that a manual failover may take.
        cluster_manual_failover_timeout_ms: u32 = 5000,
        "cluster-manual-failover-timeout", int(1, i32::MAX as i64), Mutable, Later;

        /// Most bytes that wait to be sent on one bus connection; 0 is no limit.
        cluster_link_sendbuf_limit: u64 = 0,
        "cluster-link-sendbuf-limit", MEMORY, Mutable, Later;

        /// Address that this node gives as its own.
        cluster_announce_ip: Text = Text::default(),
        "cluster-announce-ip", Kind::Text, Mutable, Later;

        /// IPv4 address that clients are told.
        cluster_announce_client_ipv4: Text = Text::default(),
        "cluster-announce-client-ipv4",
        Kind::Checked { shape: "IPv4 address", check: check_ipv4 }, Mutable, Later;

        /// IPv6 address that clients are told.
        cluster_announce_client_ipv6: Text = Text::default(),
        "cluster-announce-client-ipv6",
        Kind::Checked { shape: "IPv6 address", check: check_ipv6 }, Mutable, Later;

        /// Port that this node gives as its own; 0 gives the real one.
        cluster_announce_port: u16 = 0,
        "cluster-announce-port", PORT, Mutable, Later;

        /// TLS port that this node gives as its own; 0 gives the real one.
        cluster_announce_tls_port: u16 = 0,
        "cluster-announce-tls-port", PORT, Mutable, Later;

        /// Bus port that this node gives as its own; 0 gives the real one.
        cluster_announce_bus_port: u16 = 0,
        "cluster-announce-bus-port", PORT, Mutable, Later;

        /// Port that clients are told; 0 tells the announced one.
        cluster_announce_client_port: u16 = 0,
        "cluster-announce-client-port", PORT, Mutable, Later;

        /// TLS port that clients are told; 0 tells the announced one.
        cluster_announce_client_tls_port: u16 = 0,
        "cluster-announce-client-tls-port", PORT, Mutable, Later;

        /// Host name that this node gives as its own.
        cluster_announce_hostname: Text = Text::default(),
        "cluster-announce-hostname",
        Kind::Checked { shape: "host name", check: check_hostname }, Mutable, Later;

        /// Name of this node for people.
        cluster_announce_human_nodename: Text = Text::default(),
        "cluster-announce-human-nodename", Kind::Text, Mutable, Later;

        /// What clients are told as a node's address.
        cluster_preferred_endpoint_type: EndpointType = EndpointType::Ip,
        "cluster-preferred-endpoint-type", choice::<EndpointType>(), Mutable, Later;

        /// Seconds for which a forgotten node is not taken back.
        cluster_blacklist_ttl_secs: u64 = 60,
        "cluster-blacklist-ttl", LONG, Mutable, Later;

        /// Percentage of commands checked for fitness in a cluster; 0 checks none.
        cluster_compatibility_sample_ratio: u32 = 0,
        "cluster-compatibility-sample-ratio", int(0, 100), Mutable, Later;

        /// How many moves of slots the log keeps.
        cluster_slot_migration_log_max_len: u64 = 1000,
        "cluster-slot-migration-log-max-len", LONG, Mutable, Later;

        /// Whether the use of each slot is counted.
        cluster_slot_stats_enabled: bool = false,
        "cluster-slot-stats-enabled", Kind::Bool, Mutable, Later;

        /// Bytes that may still be missing when a slot changes hands; -1 is no limit.
        slot_migration_max_failover_repl_bytes: i64 = 0,
        "slot-migration-max-failover-repl-bytes", Kind::SignedMemory, Mutable, Later;
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn announced_names_and_addresses_are_checked() {
        assert_eq!(check_hostname(b"node-1.example"), Ok(()));
        assert!(check_hostname(b"a_b").is_err());
        assert!(check_hostname(&[b'a'; 256]).is_err());
        assert!(check_ipv4(b"10.0.0.1").is_ok() && check_ipv4(b"").is_ok());
        assert!(check_ipv4(b"10.0.0").is_err());
        assert!(check_ipv6(b"::1").is_ok() && check_ipv6(b"abc").is_err());
    }
}
