//! Who may import whom: the tables that `cargo x tidy` holds the sources against.
//!
//! A change of the architecture is a change of this file and of ARCHITECTURE.md, in one commit.

/// What a package may depend on.
#[derive(Clone, Copy, Debug)]
pub(crate) struct PackageRule {
    /// The package's name.
    pub(crate) name: &'static str,
    /// Packages of this workspace that it may depend on.
    pub(crate) inside: &'static [&'static str],
    /// Crates from outside it may depend on; `None` is any, `dev-dependencies` are always free.
    pub(crate) outside: Option<&'static [&'static str]>,
    /// What of the engine it may name: modules or paths; `None` is anything public.
    pub(crate) engine: Option<&'static [&'static str]>,
}

/// One row per package; a package without a row is refused.
pub(crate) const PACKAGES: &[PackageRule] = &[
    PackageRule {
        name: "dovetail-memory",
        inside: &[],
        outside: Some(&[]),
        engine: None,
    },
    PackageRule {
        name: "dovetail-engine",
        inside: &["dovetail-memory"],
        outside: Some(&[
            "bytes",
            "ahash",
            "corosensei",
            "crc-fast",
            "crc64fast",
            "rand",
            "memchr",
            "mlua",
            "sha1_smol",
            "sha2",
        ]),
        engine: None,
    },
    PackageRule {
        name: "dovetail-backends",
        inside: &["dovetail-memory", "dovetail-engine"],
        outside: Some(&[
            "bytes",
            "libc",
            "io-uring",
            "crc64fast",
            "tikv-jemallocator",
            "tikv-jemalloc-ctl",
        ]),
        engine: Some(&["base", "seam", "codec", "resp"]),
    },
    PackageRule {
        name: "dovetail-sentinel",
        inside: &["dovetail-engine"],
        outside: Some(&["bytes"]),
        engine: Some(&["base", "seam", "resp", "conn", "config::text"]),
    },
    PackageRule {
        name: "dovetail-server",
        inside: &[
            "dovetail-memory",
            "dovetail-engine",
            "dovetail-backends",
            "dovetail-sentinel",
        ],
        outside: Some(&["anyhow", "bytes", "clap"]),
        engine: None,
    },
    PackageRule {
        name: "dovetail-tests",
        inside: EVERYTHING,
        outside: None,
        engine: None,
    },
    PackageRule {
        name: "dovetail-bench",
        inside: EVERYTHING,
        outside: None,
        engine: None,
    },
    PackageRule {
        name: "xtask",
        inside: &[],
        outside: None,
        engine: None,
    },
];

const EVERYTHING: &[&str] = &[
    "dovetail-memory",
    "dovetail-engine",
    "dovetail-backends",
    "dovetail-sentinel",
    "dovetail-server",
];

/// Packages that nobody depends on, not even for tests; `xtask`'s example sees the engine.
pub(crate) const NOBODY_IMPORTS: &[&str] = &["dovetail-tests", "dovetail-bench", "xtask"];

/// The package whose modules have layers, and the folder its modules are in.
pub(crate) const ENGINE: &str = "dovetail-engine";

/// Where a module of the engine stands.
#[derive(Clone, Copy, Debug)]
pub(crate) struct Layer {
    /// The module's path below the crate; the longest row that fits counts.
    pub(crate) module: &'static str,
    /// It may import what has a lower number, and itself.
    pub(crate) level: u8,
    /// The crates from outside it may use.
    pub(crate) crates: &'static [&'static str],
}

const fn layer(module: &'static str, level: u8, crates: &'static [&'static str]) -> Layer {
    Layer {
        module,
        level,
        crates,
    }
}

/// The engine's layers, lowest first; a module without a row is refused. The tens are the rows of
/// the drawing in `engine/src/lib.rs`, what lies between them are parts that others are built on.
pub(crate) const LAYERS: &[Layer] = &[
    // What knows nothing of Redis.
    layer(
        "base",
        0,
        &["ahash", "bytes", "dovetail_memory", "memchr", "rand"],
    ),
    // Codecs and rules of text that the wire, the directives and the values share.
    layer("codec::crc16", 5, &[]),
    layer("codec::crc64", 5, &["crc_fast"]),
    layer("codec::lzf", 5, &[]),
    layer("codec::number", 5, &[]),
    layer("resp::words", 5, &[]),
    // The wire, and the directives.
    layer("resp", 10, &["bytes", "memchr"]),
    layer("config", 10, &["bytes"]),
    // The joint, and what a key can hold.
    layer("seam", 20, &["bytes", "dovetail_memory"]),
    layer(
        "value",
        20,
        &["ahash", "bytes", "dovetail_memory", "memchr"],
    ),
    // Values to and from foreign bytes.
    layer("codec", 25, &["bytes", "dovetail_memory", "memchr"]),
    layer("codec::aof", 25, &["bytes", "crc64fast", "memchr"]),
    // Where keys live.
    layer(
        "keyspace",
        30,
        &["ahash", "bytes", "dovetail_memory", "memchr"],
    ),
    // Facets: each knows one side of the server, none knows another.
    layer("conn", 40, &["bytes", "memchr"]),
    layer("acl", 40, &["bytes", "sha2"]),
    layer("pubsub", 40, &["bytes"]),
    layer("tracking", 40, &["bytes"]),
    layer("replication", 40, &["bytes"]),
    layer(
        "script",
        40,
        &["bytes", "corosensei", "memchr", "mlua", "sha1_smol"],
    ),
    layer("observe", 40, &["bytes"]),
    layer("cluster", 40, &["bytes"]),
    // The dataset on disk, as commands and the executor see it.
    layer("persist", 45, &["bytes"]),
    // What a command is, what each command does, and what sees everything.
    layer("command", 50, &["bytes", "memchr"]),
    layer(
        "commands",
        60,
        &["bytes", "dovetail_memory", "memchr", "sha1_smol", "sha2"],
    ),
    layer("executor", 70, &["bytes", "dovetail_memory", "memchr"]),
];

/// Arrows that point down and are refused all the same: from, to.
pub(crate) const NEVER: &[(&str, &str)] = &[
    ("value", "resp"),
    ("keyspace", "resp"),
    ("commands", "seam"),
    ("commands", "conn::table"),
];

/// Arrows of which only a part is allowed: from, to, the only part of it.
pub(crate) const ONLY: &[(&str, &str, &str)] = &[("keyspace", "seam", "seam::eviction")];

/// A sideways or upward arrow that is allowed all the same.
#[derive(Clone, Copy, Debug)]
pub(crate) struct Exception {
    /// The importing module.
    pub(crate) from: &'static str,
    /// What it may import.
    pub(crate) to: &'static str,
    /// Whether only its tests may.
    pub(crate) tests_only: bool,
    /// Why there is no better way.
    pub(crate) why: &'static str,
}

/// To be kept short: each row is a place where the layers do not fit.
pub(crate) const EXCEPTIONS: &[Exception] = &[Exception {
    from: "command",
    to: "commands::FAMILIES",
    tests_only: true,
    why: "the self-checks of the table look at every row there is",
}];

/// The module whose files, the families of commands, do not import each other.
pub(crate) const FAMILIES: &str = "commands";

/// Modules that may use one of `ENGINE_BANS` because they are what the others use instead.
pub(crate) const ENGINE_BAN_HOMES: &[(&str, &str)] = &[("base::map", "std::collections")];

/// Parts of the standard library that the engine's code does not use outside its tests.
pub(crate) const ENGINE_BANS: &[&str] = &[
    "std::collections::HashMap",
    "std::collections::HashSet",
    "std::env",
    "std::fs",
    "std::net::TcpListener",
    "std::net::TcpStream",
    "std::net::ToSocketAddrs",
    "std::net::UdpSocket",
    "std::os",
    "std::process",
    "std::sync::Condvar",
    "std::sync::Mutex",
    "std::sync::RwLock",
    "std::sync::atomic",
    "std::sync::mpsc",
    "std::thread",
    "std::time::Instant",
    "std::time::SystemTime",
];

/// Folders and files that may contain `unsafe`.
pub(crate) const UNSAFE_HOMES: &[&str] = &["engine/memory/", "backends/src/sys/"];

/// Files over the ceiling of lines because they are tables and nothing else.
pub(crate) const LONG_TABLES: &[&str] = &[];
