//! The configuration: one typed struct per group of directives, and the table that describes them.
//!
//! The rest of the program reads plain fields, such as `config.limits.maxclients`. Names, syntax,
//! CONFIG GET, SET and REWRITE, the default `dovetail.conf` and `docs/config.md` follow from the
//! rows in `directives/`. Nothing here touches a file: text comes in and goes out.
//!
//! Units: a field whose name ends in `_secs`, `_ms`, `_us`, `_minutes` or `_bytes` says its unit;
//! sizes without one are bytes.
//! Source: the public documentation of redis.conf; ranges and texts as the servers answer them.

mod access;
mod choice;
mod directive;
mod directives;
mod document;
mod error;
mod events;
mod lists;
mod load;
mod number;
mod rewrite;
mod setting;
pub mod text;

pub use access::Changes;
pub use choice::{
    AppendFsync, Choice, ClusterConfigSave, DisklessLoad, EndpointType, ExpiryCycle, Locality,
    LogFormat, LogLevel, LogTimestamp, MaxmemoryPolicy, OomScoreAdj, Permission, PollerChoice,
    PropagationError, PubsubDefault, RdbVersionCheck, SanitizePayload, Supervision, SyslogFacility,
    TlsAuthClients, TlsClientUser,
};
pub use directive::{Directive, Effect, Group, Mutability, Visibility};
pub use directives::cluster::Cluster;
pub use directives::encodings::Encodings;
pub use directives::lab::Lab;
pub use directives::limits::Limits;
pub use directives::logging::Logging;
pub use directives::memory::{ActiveDefrag, Memory};
pub use directives::network::Network;
pub use directives::observe::Observe;
pub use directives::persistence::Persistence;
pub use directives::process::Process;
pub use directives::replication::Replication;
pub use directives::security::Security;
pub use directives::startup::{Declarations, Rename, Renames, Startup};
pub use directives::tls::Tls;
pub use directives::{GROUPS, all, find};
pub use document::{render_default_conf, render_markdown};
pub use error::{ConfigError, SetError};
pub use events::EventClasses;
pub use lists::{
    Addresses, ClientClass, MAX_BIND_ADDRESSES, OomScores, OutputLimit, OutputLimits, Percentiles,
    ReplicaOf, SavePoint, SavePoints, ShutdownOptions,
};
pub use load::{ConfigSource, LoadError};
pub use number::{memory_text, parse_memory};
pub use setting::{Kind, MemoryOrPercent, Secret, Setting, Source, Text};

/// The version of Redis whose behaviour and texts this server follows.
pub const REDIS_VERSION: &str = "7.2.4";

/// All settings; the default is what a server without a file and options has.
#[derive(Clone, Debug, Default, PartialEq)]
pub struct Config {
    /// Listening, connections, and the loop that serves them.
    pub network: Network,
    /// How much of everything clients may have.
    pub limits: Limits,
    /// Who may do what.
    pub security: Security,
    /// Where the process lives, how it starts and ends.
    pub process: Process,
    /// What is logged, where, and in which shape.
    pub logging: Logging,
    /// What the server remembers and tells about itself.
    pub observe: Observe,
    /// How much memory data may take, and when it is given back.
    pub memory: Memory,
    /// Up to which size values keep their compact form.
    pub encodings: Encodings,
    /// Snapshots and the append-only file.
    pub persistence: Persistence,
    /// Primaries and replicas.
    pub replication: Replication,
    /// Encrypted connections.
    pub tls: Tls,
    /// Several servers that share the keys among them.
    pub cluster: Cluster,
    /// What lines of files did, besides setting values.
    pub startup: Startup,
    /// Aids for tests.
    pub lab: Lab,
}

impl Config {
    /// The directives that were set to something else than their default and that this version
    /// accepts without acting on them.
    #[must_use]
    pub fn without_effect(&self) -> Vec<&'static Directive> {
        let default = Self::default();
        let idle = |row: &&Directive| row.effect == Effect::Later && !row.same(self, &default);
        all().filter(idle).collect()
    }
}

#[cfg(test)]
mod tests;
