//! MEMORY: what keys and the server use, and whether that looks healthy.

use super::info::{difference, ratio};
use crate::command::ctx::ProcessFacts;
use crate::command::options::{integer, is};
use crate::command::{CmdError, Ctx, Flags, Group, KeyFlags, Keys, Outcome, Spec};
use crate::conn::SessionFlags;
use crate::keyspace::{Db, Entry};
use crate::resp::Args;
use crate::value::{Value, string};
use dovetail_memory::{Body, heap_bytes};

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

/// How memory is shared out, in bytes.
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
    /// What only passes through: connections, buffers kept for them, records for the log.
    pub(super) passing: u64,
    /// The log's buffers, which are part of that.
    pub(super) log: u64,
    /// The tables of all databases, records excluded.
    tables: u64,
    /// The indexes by deadline of all databases.
    deadlines: u64,
    /// Scripts and the machine that runs them.
    scripts: u64,
    keys: u64,
    /// Room in pages that are held and in which nothing lies.
    idle: u64,
    /// The allocator's: allocated, active, resident, muzzy.
    pub(super) allocator: [u64; 4],
}

impl Usage {
    /// The shares now.
    pub(super) fn of(ctx: &Ctx<'_>, facts: &ProcessFacts) -> Self {
        let stats = &ctx.observed.stats;
        let sum = |of: fn(&Db) -> usize| ctx.keyspace.iter().map(of).sum::<usize>() as u64;
        let [allocated, active, resident, muzzy] = facts.allocator;
        // Pages are held whole; what lies in them counts as allocated.
        let idle = sum(|db| db.store().idle_memory());
        let allocated = allocated.saturating_sub(idle);
        let log = ctx.persist.progress().buffer_memory + ctx.feed.memory();
        let scripts = ctx.scripts.machine_memory() + ctx.scripts.cache_memory();
        Self {
            used: facts.used_memory,
            startup: stats.startup_memory,
            peak: stats.peak_memory.max(facts.used_memory),
            clients: ctx.clients.memory() as u64,
            passing: ctx.passing_memory(),
            log: log as u64,
            tables: sum(|db| db.store().table_memory()),
            deadlines: sum(|db| db.store().deadlines_memory()),
            scripts: scripts as u64,
            keys: sum(Db::len),
            idle,
            allocator: [allocated, active, resident, muzzy],
        }
    }

    /// Everything that is not data.
    pub(super) fn overhead(&self) -> u64 {
        self.startup + self.passing + self.tables + self.deadlines + self.scripts
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
    let facts = ctx.facts();
    let usage = Usage::of(ctx, &facts);
    let counts = (ctx.clients.len() as u64, ctx.scripts.len());
    let text = diagnosis(&usage, facts.rss, counts);
    ctx.reply.verbatim("txt", text.as_bytes());
    Ok(())
}

/// Below this size nothing can be said.
const SMALL_BYTES: u64 = 5 << 20;
/// A peak so much above the present use is worth a remark.
const PEAK_RATIO: f64 = 1.5;
/// So much more resident than used memory is worth a remark.
const RSS_RATIO: f64 = 1.4;
/// So much more of one of the allocator's figures than of the next smaller one is.
const ALLOCATOR_RATIO: f64 = 1.1;
/// Differences below this are not, whatever their ratio.
const WASTE_BYTES: u64 = 10 << 20;
/// So much memory per connection is worth a remark.
const CLIENT_BYTES: u64 = 200 << 10;
/// More scripts than this are.
const SCRIPTS: usize = 1000;

/// What is to be said about the figures; the last are the numbers of connections and of scripts.
fn diagnosis(usage: &Usage, rss: u64, (clients, scripts): (u64, usize)) -> String {
    if usage.used < SMALL_BYTES {
        return "So little memory is in use that nothing can be said about it.\n".to_owned();
    }
    let [allocated, active, resident, _] = usage.allocator;
    let exceeds = |large: u64, small: u64, most: f64| {
        ratio(large, small) > most && large.saturating_sub(small) > WASTE_BYTES
    };
    let remarks = [
        (
            ratio(usage.peak, usage.used) > PEAK_RATIO,
            "Peak: much more memory was in use once than is now. What the allocator has not given \
             back is counted by the system; MEMORY PURGE may help.",
        ),
        (
            exceeds(rss, usage.used, RSS_RATIO),
            "Resident memory: the system counts much more than is in use, which points to \
             fragmentation, or to memory freed and kept for later.",
        ),
        (
            exceeds(active, allocated, ALLOCATOR_RATIO),
            "Allocator: much of the pages in use is free, in pieces between what is in use. They \
             are filled first when data of the same sizes comes.",
        ),
        (
            exceeds(resident, active, ALLOCATOR_RATIO),
            "Allocator: it keeps many pages in which nothing is in use. MEMORY PURGE gives them \
             back.",
        ),
        (
            exceeds(rss, resident, ALLOCATOR_RATIO),
            "Process: much of the resident memory is not the allocator's.",
        ),
        (
            usage.clients > CLIENT_BYTES.saturating_mul(clients),
            "Clients: the connections' buffers are large. Look for clients that send or ask for \
             much at once, or do not read their replies; maxmemory-clients limits them.",
        ),
        (
            scripts > SCRIPTS,
            "Scripts: there are very many, which looks as if their texts were generated. Give \
             them their data as KEYS and ARGV.",
        ),
    ];
    let lines: String = remarks
        .iter()
        .filter(|(applies, _)| *applies)
        .map(|(_, remark)| format!("* {remark}\n"))
        .collect();
    if lines.is_empty() {
        "The use of memory looks healthy.\n".to_owned()
    } else {
        lines
    }
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
    ctx.keyspace.settle_pages(usize::MAX);
    ctx.host.purge_memory();
    ctx.reply.ok();
    Ok(())
}

/// A figure of MEMORY STATS.
enum Figure {
    Bytes(u64),
    Difference(i64),
    Ratio(f64),
    /// Table and index by deadline of a database.
    Tables(u64, u64),
}

/// MEMORY STATS
///
/// Replies: a map of names to figures.
fn stats(ctx: &mut Ctx<'_>, _args: &Args<'_>) -> Outcome {
    let facts = ctx.facts();
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
            Figure::Tables(table, deadlines) => {
                reply.map(2);
                reply.bulk(b"overhead.hashtable.main");
                reply.integer(signed(*table));
                reply.bulk(b"overhead.hashtable.expires");
                reply.integer(signed(*deadlines));
            }
        }
    }
    Ok(())
}

fn figures(ctx: &Ctx<'_>, usage: &Usage, facts: &ProcessFacts) -> Vec<(String, Figure)> {
    let mut all: Vec<(String, Figure)> = Vec::new();
    let mut put = |name: &str, figure| all.push((name.to_owned(), figure));
    put("peak.allocated", Figure::Bytes(usage.peak));
    put("total.allocated", Figure::Bytes(usage.used));
    put("startup.allocated", Figure::Bytes(usage.startup));
    put("replication.backlog", Figure::Bytes(0));
    put("clients.slaves", Figure::Bytes(0));
    put("clients.normal", Figure::Bytes(usage.clients));
    put("cluster.links", Figure::Bytes(0));
    put("aof.buffer", Figure::Bytes(usage.log));
    let scripts = ctx.scripts.cache_memory() as u64;
    put("lua.caches", Figure::Bytes(scripts));
    put("functions.caches", Figure::Bytes(0));
    let machine = ctx.scripts.machine_memory() as u64;
    put("script.VMs", Figure::Bytes(machine));
    for (index, db) in ctx
        .keyspace
        .iter()
        .enumerate()
        .filter(|(_, db)| !db.is_empty())
    {
        put(
            &format!("db.{index}"),
            Figure::Tables(
                db.store().table_memory() as u64,
                db.store().deadlines_memory() as u64,
            ),
        );
    }
    put("pages.idle", Figure::Bytes(usage.idle));
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
    allocator_figures(usage, facts.rss, &mut put);
    all
}

fn allocator_figures(usage: &Usage, rss: u64, put: &mut dyn FnMut(&str, Figure)) {
    let [allocated, active, resident, muzzy] = usage.allocator;
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
    put("rss-overhead.ratio", Figure::Ratio(ratio(rss, resident)));
    put(
        "rss-overhead.bytes",
        Figure::Difference(difference(rss, resident)),
    );
    put("fragmentation", Figure::Ratio(ratio(rss, usage.used)));
    put(
        "fragmentation.bytes",
        Figure::Difference(difference(rss, usage.used)),
    );
}

/// MEMORY USAGE key [SAMPLES count]
///
/// Replies: integer, or null when absent. Nothing is estimated, so the number of samples does not
/// matter.
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
    let found = ctx.keyspace.peek_db(ctx.db).peek(&key);
    let Some(entry) = found else {
        ctx.reply.null();
        return Ok(());
    };
    let bytes = bytes_of(ctx.keyspace.peek_db(ctx.db), entry);
    let spare = match entry.body() {
        Body::Object(Value::String(text)) => {
            let len = text.len();
            room_beyond(ctx, args.get(2), len)
        }
        _ => 0,
    };
    ctx.reply.count(bytes + spare);
    Ok(())
}

/// What a key takes at most of a table, or of an index by deadline, that has just grown; the first
/// keys of a database do not take all of what is made for many.
const SHARE_BYTES_MAX: usize = 24;

/// Bytes that a key takes: its record, its value behind the record, its shares of the table and the
/// index by deadline.
fn bytes_of(db: &Db, entry: Entry<'_>) -> usize {
    let behind = match entry.body() {
        Body::Object(value) => value.memory(),
        Body::Int(_) | Body::Bytes(_) => 0,
    };
    let store = db.store();
    let share = |bytes: usize, keys: usize| (bytes / keys.max(1)).min(SHARE_BYTES_MAX);
    let deadline = match entry.deadline() {
        Some(_) => share(store.deadlines_memory(), store.with_deadline()),
        None => 0,
    };
    entry.footprint() + behind + share(store.table_memory(), db.len()) + deadline
}

/// Bytes that a long string of `len` bytes takes beyond those: edited ones have room to grow.
fn room_beyond(ctx: &mut Ctx<'_>, word: &[u8], len: usize) -> usize {
    let conn = ctx.clients.get(ctx.conn);
    let touching = conn.is_none_or(|conn| !conn.session.flags.has(SessionFlags::NO_TOUCH));
    // To look is no use of the key.
    ctx.keyspace.set_touching(false);
    let key = ctx.key(word);
    let mut entry = ctx.keyspace.db(ctx.db).edit(&key);
    let room = entry.as_mut().and_then(string::room);
    ctx.keyspace.set_touching(touching);
    match room {
        Some(room) if room != len => heap_bytes(room) - heap_bytes(len) + heap_bytes(HEAD_BYTES),
        _ => 0,
    }
}

/// Bytes beside a string that does not fill its block.
const HEAD_BYTES: usize = 24;
