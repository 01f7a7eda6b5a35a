//! INFO: the server's figures, in sections of `field:value` lines.
//!
//! Shape: a section is a row of [`SECTIONS`] and a function that puts its fields; a field is one
//! `put`. Figures of the process are asked for once a call.
//! Source: redis.io/commands/info; field names as Redis 7.2 and Valkey 9 have them.

mod clients;
mod memory;
mod persistence;
mod server;
mod stats;

use crate::command::ctx::ProcessFacts;
use crate::command::{Ctx, Group, Outcome, Spec};
use crate::resp::Args;
use std::fmt::{Display, Write};

/// The rows.
pub const SPECS: &[Spec] = &[Spec::new("info", -1, info)
    .of(Group::Server, "1.0.0", "O(1)")
    .flags(super::ALWAYS)
    .categories(crate::command::Categories::DANGEROUS)
    .tips(&[
        "nondeterministic_output",
        "request_policy:all_shards",
        "response_policy:special",
    ])
    .history(&[("7.0.0", "Several sections in one call.")])
    .doc(
        "[section [section ...]]",
        "Tells figures about the server, in sections.",
    )];

/// What the sections' functions look at.
pub(super) struct View<'a, 'c> {
    /// What the command may see.
    ctx: &'a Ctx<'c>,
    /// The process now.
    facts: ProcessFacts,
}

/// Lines of one section.
#[derive(Debug, Default)]
struct Fields(String);

impl Fields {
    /// Adds a field.
    fn put(&mut self, name: impl Display, value: impl Display) {
        // Writing to a string cannot fail.
        let _ = write!(self.0, "{name}:{value}\r\n");
    }
}

/// When a section is shown.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
enum Shown {
    /// Unless others are asked for.
    ByDefault,
    /// With `all` and `everything`.
    WithAll,
}

/// One section.
struct Section {
    /// The word that asks for it.
    name: &'static str,
    /// Its headline.
    title: &'static str,
    shown: Shown,
    put: fn(&View<'_, '_>, &mut Fields),
}

const fn section(
    name: &'static str,
    title: &'static str,
    shown: Shown,
    put: fn(&View<'_, '_>, &mut Fields),
) -> Section {
    Section {
        name,
        title,
        shown,
        put,
    }
}

/// All sections, in the order in which they are shown.
const SECTIONS: &[Section] = &[
    section("server", "Server", Shown::ByDefault, server::server),
    section("clients", "Clients", Shown::ByDefault, clients::clients),
    section("memory", "Memory", Shown::ByDefault, memory::memory),
    section(
        "persistence",
        "Persistence",
        Shown::ByDefault,
        persistence::persistence,
    ),
    section("stats", "Stats", Shown::ByDefault, stats::stats),
    section(
        "replication",
        "Replication",
        Shown::ByDefault,
        server::replication,
    ),
    section("cpu", "CPU", Shown::ByDefault, server::cpu),
    section("modules", "Modules", Shown::ByDefault, |_, _| {}),
    section(
        "commandstats",
        "Commandstats",
        Shown::WithAll,
        stats::commandstats,
    ),
    section(
        "errorstats",
        "Errorstats",
        Shown::ByDefault,
        stats::errorstats,
    ),
    section(
        "latencystats",
        "Latencystats",
        Shown::WithAll,
        stats::latencystats,
    ),
    section("cluster", "Cluster", Shown::ByDefault, |_, out| {
        out.put("cluster_enabled", 0)
    }),
    section("keyspace", "Keyspace", Shown::ByDefault, stats::keyspace),
];

/// INFO [section [section ...]]
///
/// Replies: verbatim text; empty when no section of these names exists.
fn info(ctx: &mut Ctx<'_>, args: &Args<'_>) -> Outcome {
    let wanted: Vec<&Section> = SECTIONS
        .iter()
        .filter(|section| is_wanted(section, args))
        .collect();
    gather_lookups(ctx);
    let facts = ctx.facts();
    let stats = &mut ctx.observed.stats;
    stats.peak_memory = stats.peak_memory.max(facts.used_memory);
    let view = View { ctx, facts };
    let mut text = String::new();
    for section in wanted {
        let mut fields = Fields::default();
        (section.put)(&view, &mut fields);
        if !text.is_empty() {
            text.push_str("\r\n");
        }
        let _ = write!(text, "# {}\r\n{}", section.title, fields.0);
    }
    ctx.reply.verbatim("txt", text.as_bytes());
    Ok(())
}

fn is_wanted(section: &Section, args: &Args<'_>) -> bool {
    let by_default = section.shown == Shown::ByDefault;
    if args.len() == 1 {
        return by_default;
    }
    args.iter_from(1)
        .any(|word| match word.to_ascii_lowercase().as_slice() {
            b"default" => by_default,
            b"all" | b"everything" => true,
            name => name == section.name.as_bytes(),
        })
}

/// Moves every database's counts of lookups to the keyspace's.
pub(super) fn gather_lookups(ctx: &mut Ctx<'_>) {
    for db in 0..ctx.keyspace.count() {
        let index = crate::base::DbIndex(u32::try_from(db).unwrap_or(0));
        let (hits, misses) = ctx.keyspace.db(index).take_lookups();
        ctx.keyspace.stats.hits += hits;
        ctx.keyspace.stats.misses += misses;
    }
}

/// Bytes as people read them: `1.50M`.
pub(super) fn human(bytes: u64) -> String {
    const UNITS: [(u64, &str); 5] = [
        (1 << 50, "P"),
        (1 << 40, "T"),
        (1 << 30, "G"),
        (1 << 20, "M"),
        (1 << 10, "K"),
    ];
    match UNITS.iter().find(|(size, _)| bytes >= *size) {
        None => format!("{bytes}B"),
        Some((size, unit)) => format!("{:.2}{unit}", ratio(bytes, *size)),
    }
}

/// `part` in units of `whole`; 0 when there is no whole.
#[expect(clippy::cast_precision_loss, reason = "figures for people")]
pub(super) fn ratio(part: u64, whole: u64) -> f64 {
    if whole == 0 {
        0.0
    } else {
        part as f64 / whole as f64
    }
}

/// The difference of two sizes, which may be negative.
pub(super) fn difference(one: u64, other: u64) -> i64 {
    let signed = |n: u64| i64::try_from(n).unwrap_or(i64::MAX);
    signed(one) - signed(other)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn sizes_are_readable() {
        assert_eq!(human(0), "0B");
        assert_eq!(human(1023), "1023B");
        assert_eq!(human(1536), "1.50K");
        assert_eq!(human(3 << 30), "3.00G");
    }
}
