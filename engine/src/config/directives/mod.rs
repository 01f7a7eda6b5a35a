//! The table of directives, one file per group.
//!
//! A directive is a row and a field at once: see `group!` in `directive.rs`. Reading, setting,
//! rewriting and the documents all follow from the row.

pub(super) mod cluster;
pub(super) mod encodings;
pub(super) mod lab;
pub(super) mod limits;
pub(super) mod logging;
pub(super) mod memory;
pub(super) mod network;
pub(super) mod observe;
pub(super) mod persistence;
pub(super) mod process;
pub(super) mod replication;
pub(super) mod security;
pub(super) mod startup;
pub(super) mod tls;

use super::directive::{Directive, Group};
use super::setting::Kind;

/// All groups, in the order of the documents.
pub static GROUPS: &[Group] = &[
    Group {
        title: "Network and event loop",
        rows: network::ROWS,
    },
    Group {
        title: "Limits",
        rows: limits::ROWS,
    },
    Group {
        title: "Security",
        rows: security::ROWS,
    },
    Group {
        title: "Process",
        rows: process::ROWS,
    },
    Group {
        title: "Logging",
        rows: logging::ROWS,
    },
    Group {
        title: "Slow log, latency, notifications",
        rows: observe::ROWS,
    },
    Group {
        title: "Memory, expiry, lazy freeing",
        rows: memory::ROWS,
    },
    Group {
        title: "Value encodings",
        rows: encodings::ROWS,
    },
    Group {
        title: "Persistence",
        rows: persistence::ROWS,
    },
    Group {
        title: "Replication",
        rows: replication::ROWS,
    },
    Group {
        title: "TLS",
        rows: tls::ROWS,
    },
    Group {
        title: "Cluster",
        rows: cluster::ROWS,
    },
    Group {
        title: "Files only",
        rows: startup::ROWS,
    },
    Group {
        title: "Test aids",
        rows: lab::ROWS,
    },
];

/// All directives, in the order of the documents.
pub fn all() -> impl Iterator<Item = &'static Directive> {
    GROUPS.iter().flat_map(|group| group.rows)
}

/// The directive called `name`, in any case, with the spelling of the table.
#[must_use]
pub fn find(name: &[u8]) -> Option<(&'static str, &'static Directive)> {
    all().find_map(|row| {
        let known = row
            .names()
            .find(|known| known.as_bytes().eq_ignore_ascii_case(name))?;
        Some((known, row))
    })
}

/// An integer within these bounds.
const fn int(low: i64, high: i64) -> Kind {
    Kind::Int { low, high }
}

/// A count from 0 to 2^31-1.
const COUNT: Kind = int(0, i32::MAX as i64);
/// A count from 0 to 2^63-1.
const LONG: Kind = int(0, i64::MAX);
/// A TCP port, or 0 for none.
const PORT: Kind = int(0, 65_535);
/// Bytes from 0 to 2^63-1.
const MEMORY: Kind = memory(0);

/// Bytes from `low` to 2^63-1.
const fn memory(low: u64) -> Kind {
    Kind::Memory {
        low,
        high: i64::MAX.unsigned_abs(),
    }
}
