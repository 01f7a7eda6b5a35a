//! MEMORY: what keys and the server use, and whether that looks healthy.

use super::info::{difference, ratio};
use crate::command::ctx::ProcessFacts;
use crate::command::options::{integer, is};
use crate::command::{CmdError, Ctx, Flags, Group, KeyFlags, Keys, Outcome, Spec};
use crate::keyspace::{Db, Entry};
use crate::resp::Args;
use dovetail_memory::Body;

/// The rows.
pub const SPECS: &[Spec] = &[Spec::new("memory", -2, super::bare)
    .of(Group::Server, "4.0.0", "Depends on the subcommand")
    .doc("", "Tells what memory is used for.")
    .subcommands(&[
        Spec::new("doctor", 2, doctor)
            .of(Group::Server, "4.0.0", "O(1)")
            .tips(&[
                "nondeterministic_output",
                "request_policy:all_shards",
                "response_policy:special",
            ])
            .doc("", "Says in words whether the use of memory looks healthy."),
        Spec::new("help", 2, help)
            .of(Group::Server, "4.0.0", "O(1)")
            .flags(super::ALWAYS)
            .doc("", "Explains the subcommands."),
        Spec::new("malloc-stats", 2, malloc_stats)
            .of(Group::Server, "4.0.0", "Depends on the allocator")
            .tips(&[
                "nondeterministic_output",
                "request_policy:all_shards",
                "response_policy:special",
            ])
            .doc("", "Returns the allocator's own report."),
        Spec::new("purge", 2, purge)
            .of(Group::Server, "4.0.0", "Depends on the allocator")
            .tips(&["request_policy:all_shards", "response_policy:all_succeeded"])
            .doc("", "Asks the allocator to give unused memory back."),
        Spec::new("stats", 2, stats)
            .of(Group::Server, "4.0.0", "O(1)")
            .tips(&[
                "nondeterministic_output",
                "request_policy:all_shards",
                "response_policy:special",
            ])
            .doc("", "Tells what memory is used for, in figures."),
        Spec::new("usage", -3, usage)
            .of(
                Group::Server,
                "4.0.0",
                "O(N) where N is the number of samples",
            )
            .flags(Flags::READONLY)
            .keys(&[Keys::at(2, KeyFlags::RO)])
            .doc(
                "key [SAMPLES count]",
                "Returns the bytes that a key and its value take.",
            ),
    ])];

/// How memory is shared out.
#[derive(Debug)]
pub(super) struct Usage {
    /// In use now.
    used: u64,
    /// In use right after the start.
    pub(super) startup: u64,
    /// The most that was ever in use.
    pub(super) peak: u64,
    /// Connections and their buffers.
    pub(super) clients: u64,
    /// The tables of all databases, records excluded.
    tables: u64,
    keys: u64,
}

impl Usage {
    /// The shares now.
    pub(super) fn of(ctx: &Ctx<'_>, facts: &ProcessFacts) -> Self {
        let stats = &ctx.observed.stats;
        let clients: usize = ctx
            .clients
            .in_order()
            .iter()
            .map(|conn| conn.memory())
            .sum();
        let tables: usize = ctx
            .keyspace
            .iter()
            .map(|db| db.store().table_memory())
            .sum();
        let keys: usize = ctx.keyspace.iter().map(Db::len).sum();
        Self {
            used: facts.used_memory,
            startup: stats.startup_memory,
            peak: stats.peak_memory.max(facts.used_memory),
            clients: clients as u64,
            tables: tables as u64,
            keys: keys as u64,
        }
    }

    /// Everything that is not data.
    pub(super) fn overhead(&self) -> u64 {
        self.startup + self.clients + self.tables
    }

    /// What is left: keys and values.
    pub(super) fn dataset(&self) -> u64 {
        self.used.saturating_sub(self.overhead())
    }

    fn beyond_start(&self) -> u64 {
        self.used.saturating_sub(self.startup)
    }
}

/// MEMORY DOCTOR
fn doctor(ctx: &mut Ctx<'_>, _args: &Args<'_>) -> Outcome {
    let facts = ctx.host.facts();
    let usage = Usage::of(ctx, &facts);
    let text = diagnosis(&usage, &facts, ctx.clients.len());
    ctx.reply.verbatim("txt", text.as_bytes());
    Ok(())
}

/// Below this size nothing can be said.
const SMALL_BYTES: u64 = 5 << 20;
/// A peak so much above the present use is worth a remark.
const PEAK_RATIO: f64 = 1.5;
/// So much more resident than used memory is worth a remark.
const RSS_RATIO: f64 = 1.4;
/// So much memory per connection is worth a remark.
const CLIENT_BYTES: u64 = 200 << 10;

fn diagnosis(usage: &Usage, facts: &ProcessFacts, clients: usize) -> String {
    if usage.used < SMALL_BYTES {
        return "So little memory is in use that nothing can be said about it.\n".to_owned();
    }
    let mut remarks = Vec::new();
    if ratio(usage.peak, usage.used) > PEAK_RATIO {
        remarks.push(
            "Peak: much more memory was in use once than is now. What the allocator has not given \
             back is counted by the system; MEMORY PURGE may help.",
        );
    }
    if ratio(facts.rss, usage.used) > RSS_RATIO && facts.rss - usage.used > SMALL_BYTES {
        remarks.push(
            "Resident memory: the system counts much more than is in use, which points to \
             fragmentation, or to memory freed and kept for later.",
        );
    }
    if usage.clients > CLIENT_BYTES.saturating_mul(clients as u64) {
        remarks.push(
            "Clients: the connections' buffers are large. Look for clients that send or ask for \
             much at once, or do not read their replies.",
        );
    }
    if remarks.is_empty() {
        return "The use of memory looks healthy.\n".to_owned();
    }
    remarks
        .iter()
        .map(|remark| format!("* {remark}\n"))
        .collect()
}

/// MEMORY HELP
fn help(ctx: &mut Ctx<'_>, _args: &Args<'_>) -> Outcome {
    crate::command::docs::help(ctx, "memory");
    Ok(())
}

/// MEMORY MALLOC-STATS
fn malloc_stats(ctx: &mut Ctx<'_>, _args: &Args<'_>) -> Outcome {
    let report = ctx.host.allocator_report();
    ctx.reply.verbatim("txt", report.as_bytes());
    Ok(())
}

/// MEMORY PURGE
fn purge(ctx: &mut Ctx<'_>, _args: &Args<'_>) -> Outcome {
    ctx.host.purge_memory();
    ctx.reply.ok();
    Ok(())
}

/// A figure of MEMORY STATS.
enum Figure {
    Bytes(u64),
    Difference(i64),
    Ratio(f64),
    /// Table and table of deadlines of a database.
    Tables(u64),
}

/// MEMORY STATS
///
/// Replies: a map of names to figures.
fn stats(ctx: &mut Ctx<'_>, _args: &Args<'_>) -> Outcome {
    let facts = ctx.host.facts();
    let usage = Usage::of(ctx, &facts);
    let figures = figures(ctx, &usage, &facts);
    let reply = &mut ctx.reply;
    reply.map(figures.len());
    let signed = |n: u64| i64::try_from(n).unwrap_or(i64::MAX);
    for (name, figure) in &figures {
        reply.bulk(name.as_bytes());
        match figure {
            Figure::Bytes(bytes) => reply.integer(signed(*bytes)),
            Figure::Difference(bytes) => reply.integer(*bytes),
            Figure::Ratio(ratio) => reply.double(*ratio),
            Figure::Tables(bytes) => {
                reply.map(2);
                reply.bulk(b"overhead.hashtable.main");
                reply.integer(signed(*bytes));
                // Deadlines lie in the records; there is no table of them.
                reply.bulk(b"overhead.hashtable.expires");
                reply.integer(0);
            }
        }
    }
    Ok(())
}

fn figures(ctx: &Ctx<'_>, usage: &Usage, facts: &ProcessFacts) -> Vec<(String, Figure)> {
    let [allocated, active, resident, muzzy] = facts.allocator;
    let mut all: Vec<(String, Figure)> = Vec::new();
    let mut put = |name: &str, figure| all.push((name.to_owned(), figure));
    put("peak.allocated", Figure::Bytes(usage.peak));
    put("total.allocated", Figure::Bytes(usage.used));
    put("startup.allocated", Figure::Bytes(usage.startup));
    put("replication.backlog", Figure::Bytes(0));
    put("clients.slaves", Figure::Bytes(0));
    put("clients.normal", Figure::Bytes(usage.clients));
    put("cluster.links", Figure::Bytes(0));
    put("aof.buffer", Figure::Bytes(0));
    let scripts = ctx.scripts.cache_memory() as u64;
    put("lua.caches", Figure::Bytes(scripts));
    put("functions.caches", Figure::Bytes(0));
    for (index, db) in ctx
        .keyspace
        .iter()
        .enumerate()
        .filter(|(_, db)| !db.is_empty())
    {
        put(
            &format!("db.{index}"),
            Figure::Tables(db.store().table_memory() as u64),
        );
    }
    put("overhead.total", Figure::Bytes(usage.overhead()));
    put("keys.count", Figure::Bytes(usage.keys));
    let per_key = usage.beyond_start().checked_div(usage.keys).unwrap_or(0);
    put("keys.bytes-per-key", Figure::Bytes(per_key));
    put("dataset.bytes", Figure::Bytes(usage.dataset()));
    let percentage = |part, whole| Figure::Ratio(100.0 * ratio(part, whole));
    put(
        "dataset.percentage",
        percentage(usage.dataset(), usage.beyond_start()),
    );
    put("peak.percentage", percentage(usage.used, usage.peak));
    put("allocator.allocated", Figure::Bytes(allocated));
    put("allocator.active", Figure::Bytes(active));
    put("allocator.resident", Figure::Bytes(resident));
    put("allocator.muzzy", Figure::Bytes(muzzy));
    put(
        "allocator-fragmentation.ratio",
        Figure::Ratio(ratio(active, allocated)),
    );
    put(
        "allocator-fragmentation.bytes",
        Figure::Difference(difference(active, allocated)),
    );
    put(
        "allocator-rss.ratio",
        Figure::Ratio(ratio(resident, active)),
    );
    put(
        "allocator-rss.bytes",
        Figure::Difference(difference(resident, active)),
    );
    put(
        "rss-overhead.ratio",
        Figure::Ratio(ratio(facts.rss, resident)),
    );
    put(
        "rss-overhead.bytes",
        Figure::Difference(difference(facts.rss, resident)),
    );
    put("fragmentation", Figure::Ratio(ratio(facts.rss, usage.used)));
    put(
        "fragmentation.bytes",
        Figure::Difference(difference(facts.rss, usage.used)),
    );
    all
}

/// MEMORY USAGE key [SAMPLES count]
///
/// Replies: integer, or null when absent. The number of samples matters only to types that are
/// estimated.
fn usage(ctx: &mut Ctx<'_>, args: &Args<'_>) -> Outcome {
    let mut index = 3;
    while let Some(word) = args.try_get(index) {
        let count = args.try_get(index + 1).filter(|_| is(word, "samples"));
        if integer(count.ok_or(CmdError::Syntax)?)? < 0 {
            return Err(CmdError::Syntax);
        }
        index += 2;
    }
    let key = ctx.key(args.get(2));
    let db = ctx.keyspace.peek_db(ctx.db);
    match db.peek(&key).map(|entry| bytes_of(db, entry)) {
        Some(bytes) => ctx.reply.count(bytes),
        None => ctx.reply.null(),
    }
    Ok(())
}

/// What a key takes of a table that has just grown; the first keys of a database do not take all of
/// its first segment.
const TABLE_SHARE_BYTES_MAX: usize = 24;

/// Bytes that a key takes: its record, its value behind the record, its share of the table.
fn bytes_of(db: &Db, entry: Entry<'_>) -> usize {
    let behind = match entry.body() {
        Body::Object(value) => value.memory(),
        Body::Int(_) | Body::Bytes(_) => 0,
    };
    let share = db.store().table_memory() / db.len().max(1);
    entry.record_bytes() + behind + share.min(TABLE_SHARE_BYTES_MAX)
}
