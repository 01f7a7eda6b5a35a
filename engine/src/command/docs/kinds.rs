//! What kind of value an argument takes, told by its name.

use super::syntax::Kind;
use crate::command::spec::{Group, Spec};

const KEYS: &[&str] = &[
    "key",
    "newkey",
    "source",
    "destination",
    "destkey",
    "key1",
    "key2",
    "dst",
    "src",
];
const DOUBLES: &[&str] = &[
    "score",
    "weight",
    "longitude",
    "latitude",
    "radius",
    "width",
    "height",
    "min",
    "max",
];
const UNIX_TIMES: &[&str] = &["unix-time-seconds", "unix-time-milliseconds"];
const INTEGERS: &[&str] = &[
    "bit",
    "client-id",
    "count",
    "db",
    "decrement",
    "destination-db",
    "end",
    "entries-added",
    "entries-read",
    "frequency",
    "increment",
    "index",
    "index1",
    "index2",
    "iterations",
    "len",
    "limit",
    "milliseconds",
    "min-match-len",
    "ms",
    "num-matches",
    "numfields",
    "numkeys",
    "numlocal",
    "numreplicas",
    "offset",
    "port",
    "protover",
    "rank",
    "seconds",
    "slot",
    "start",
    "stop",
    "timeout",
    "ttl",
    "version",
];

/// The kind of the argument called `name` of a command.
pub(super) fn of(name: &str, spec: &Spec) -> Kind {
    let is_ordered = matches!(spec.group, Group::SortedSet | Group::Stream);
    match name {
        "pattern" => Kind::Pattern,
        "cursor" if spec.name.ends_with("scan") => Kind::Integer,
        // Ranges by score, by member and by stream position are texts.
        "start" | "stop" | "end" if is_ordered && !spec.name.ends_with("rank") => Kind::String,
        "min" | "max" if spec.name.ends_with("lex") || spec.name == "zrangestore" => Kind::String,
        "timeout" if matches!(spec.group, Group::List | Group::SortedSet) => Kind::Double,
        "increment" if spec.name.ends_with("float") => Kind::Double,
        name if KEYS.contains(&name) => Kind::Key,
        name if UNIX_TIMES.contains(&name) => Kind::UnixTime,
        name if DOUBLES.contains(&name) => Kind::Double,
        name if INTEGERS.contains(&name) => Kind::Integer,
        _ => Kind::String,
    }
}
