//! The sections stats, commandstats, errorstats, latencystats and keyspace.

use super::{Fields, View};
use crate::config::ExpiryCycle;
use crate::keyspace::Db;
use crate::keyspace::expire::Backlog;
use crate::pubsub::Topic;

/// What has happened so far.
pub(super) fn stats(view: &View<'_, '_>, out: &mut Fields) {
    traffic(view, out);
    keys(view, out);
    replies(view, out);
    event_loop(view, out);
    limits(view, out);
}

#[expect(clippy::cast_precision_loss, reason = "figures for people")]
fn traffic(view: &View<'_, '_>, out: &mut Fields) {
    let stats = &view.ctx.observed.stats;
    let kilobytes = |bytes: u64| format!("{:.2}", bytes as f64 / 1024.0);
    out.put("total_connections_received", stats.connections);
    out.put("total_commands_processed", stats.commands);
    out.put("instantaneous_ops_per_sec", stats.ops_rate.mean());
    out.put("total_net_input_bytes", stats.bytes_in);
    out.put("total_net_output_bytes", stats.bytes_out);
    out.put("total_net_repl_input_bytes", 0);
    out.put("total_net_repl_output_bytes", 0);
    out.put("instantaneous_input_kbps", kilobytes(stats.in_rate.mean()));
    out.put(
        "instantaneous_output_kbps",
        kilobytes(stats.out_rate.mean()),
    );
    out.put("instantaneous_input_repl_kbps", "0.00");
    out.put("instantaneous_output_repl_kbps", "0.00");
    out.put("rejected_connections", stats.rejected_connections);
    out.put("sync_full", 0);
    out.put("sync_partial_ok", 0);
    out.put("sync_partial_err", 0);
}

fn keys(view: &View<'_, '_>, out: &mut Fields) {
    let (ctx, keyspace) = (view.ctx, &view.ctx.keyspace.stats);
    out.put("expired_subkeys", 0);
    out.put("expired_keys", keyspace.expired);
    let backlog = ctx.keyspace.backlog();
    out.put(
        "expired_stale_perc",
        format_args!("{:.2}", stale_percent(view, backlog)),
    );
    out.put(
        "expired_time_cap_reached_count",
        ctx.observed.stats.expire_cut_short,
    );
    out.put(
        "expire_cycle_cpu_milliseconds",
        ctx.observed.stats.expire_nanos / 1_000_000,
    );
    out.put("expire_backlog", backlog.keys);
    out.put("expire_oldest_overdue_ms", backlog.overdue_ms);
    out.put("evicted_keys", keyspace.evicted);
    out.put("evicted_clients", ctx.observed.stats.evicted_clients);
    out.put("evicted_scripts", view.ctx.scripts.evicted);
    let stats = &ctx.observed.stats;
    let current = stats
        .over_limit_since
        .map_or(0, |since| ctx.now.monotonic.minus(since).0);
    let total = stats.over_limit_us + current;
    out.put("total_eviction_exceeded_time", total / 1000);
    out.put("current_eviction_exceeded_time", current / 1000);
    out.put("keyspace_hits", keyspace.hits);
    out.put("keyspace_misses", keyspace.misses);
    out.put("pubsub_channels", ctx.pubsub.count(Topic::Channel));
    out.put("pubsub_patterns", ctx.pubsub.count(Topic::Pattern));
    out.put("pubsubshard_channels", ctx.pubsub.count(Topic::Shard));
    out.put("latest_fork_usec", view.ctx.persist.last_fork_us);
    out.put("total_forks", view.ctx.persist.forks);
    out.put("migrate_cached_sockets", 0);
    out.put("slave_expires_tracked_keys", 0);
    out.put("active_defrag_hits", 0);
    out.put("active_defrag_misses", 0);
    out.put("active_defrag_key_hits", 0);
    out.put("active_defrag_key_misses", 0);
    out.put("total_active_defrag_time", 0);
    out.put("current_active_defrag_time", 0);
    out.put("tracking_total_keys", 0);
    out.put("tracking_total_items", 0);
    out.put("tracking_total_prefixes", 0);
}

fn replies(view: &View<'_, '_>, out: &mut Fields) {
    let stats = &view.ctx.observed.stats;
    out.put("unexpected_error_replies", 0);
    out.put("total_error_replies", stats.errors);
    out.put("dump_payload_sanitizations", 0);
    out.put("total_reads_processed", stats.reads);
    out.put("total_writes_processed", stats.writes);
    out.put("io_threaded_reads_processed", 0);
    out.put("io_threaded_writes_processed", 0);
}

/// The loop and its poller, counted the same for every poller.
#[expect(clippy::cast_precision_loss, reason = "figures for people")]
fn event_loop(view: &View<'_, '_>, out: &mut Fields) {
    let stats = &view.ctx.observed.stats;
    let counters = &stats.counters;
    let per_wait = counters.events as f64 / counters.waits.max(1) as f64;
    out.put("eventloop_cycles", stats.turns);
    out.put("eventloop_duration_sum", stats.turn_us);
    out.put("eventloop_duration_cmd_sum", stats.command_nanos / 1000);
    out.put(
        "instantaneous_eventloop_cycles_per_sec",
        stats.turn_rate.mean(),
    );
    out.put(
        "instantaneous_eventloop_duration_usec",
        stats.turn_time_rate.mean(),
    );
    out.put("poller_waits", counters.waits);
    out.put("poller_events", counters.events);
    out.put("poller_events_per_wait", format_args!("{per_wait:.2}"));
    out.put("poller_syscalls", counters.calls.syscalls);
    out.put("poller_sqes", counters.calls.sqes);
    out.put("poller_cqes", counters.calls.cqes);
}

fn limits(view: &View<'_, '_>, out: &mut Fields) {
    let stats = &view.ctx.observed.stats;
    out.put(
        "client_query_buffer_limit_disconnections",
        stats.query_limit_closes,
    );
    out.put(
        "client_output_buffer_limit_disconnections",
        stats.output_limit_closes,
    );
    out.put("reply_buffer_shrinks", 0);
    out.put("reply_buffer_expands", 0);
    out.put("acl_access_denied_auth", stats.auth_failures);
    out.put("acl_access_denied_cmd", 0);
    out.put("acl_access_denied_key", 0);
    out.put("acl_access_denied_channel", 0);
}

/// Calls and time of every command that was called or refused.
#[expect(clippy::cast_precision_loss, reason = "figures for people")]
pub(super) fn commandstats(view: &View<'_, '_>, out: &mut Fields) {
    for (id, row) in view.ctx.commands.rows() {
        let stats = &view.ctx.observed.commands[usize::from(id)];
        if stats.calls == 0 && stats.rejected == 0 && stats.failed == 0 {
            continue;
        }
        let micros = stats.nanos / 1000;
        let each = stats.nanos as f64 / 1000.0 / stats.calls.max(1) as f64;
        out.put(
            format_args!("cmdstat_{}", row.full_name),
            format_args!(
                "calls={},usec={micros},usec_per_call={each:.2},rejected_calls={},failed_calls={}",
                stats.calls, stats.rejected, stats.failed
            ),
        );
    }
}

/// Error replies by their first word.
pub(super) fn errorstats(view: &View<'_, '_>, out: &mut Fields) {
    let mut errors: Vec<_> = view.ctx.observed.stats.errors_by_prefix.iter().collect();
    errors.sort_unstable();
    for (prefix, count) in errors {
        out.put(
            format_args!("errorstat_{prefix}"),
            format_args!("count={count}"),
        );
    }
}

/// Percentiles of every command's times, in microseconds.
#[expect(clippy::cast_precision_loss, reason = "figures for people")]
pub(super) fn latencystats(view: &View<'_, '_>, out: &mut Fields) {
    let percentiles = &view.ctx.config.observe.latency_tracking_info_percentiles.0;
    for (id, row) in view.ctx.commands.rows() {
        let Some(times) = &view.ctx.observed.commands[usize::from(id)].times else {
            continue;
        };
        let figures: Vec<String> = percentiles
            .iter()
            .map(|percent| format!("p{percent}={:.3}", times.quantile(*percent) as f64 / 1000.0))
            .collect();
        let name = format_args!("latency_percentiles_usec_{}", row.full_name);
        out.put(name, figures.join(","));
    }
}

/// Every database that is not empty.
pub(super) fn keyspace(view: &View<'_, '_>, out: &mut Fields) {
    for (index, db) in view
        .ctx
        .keyspace
        .iter()
        .enumerate()
        .filter(|(_, db)| !db.is_empty())
    {
        out.put(
            format_args!("db{index}"),
            format_args!(
                "keys={},expires={},avg_ttl={},subexpiry=0",
                db.len(),
                db.with_deadline(),
                db.mean_ttl_ms()
            ),
        );
    }
}

/// Percent of the keys with a deadline that are due: drawn by the sampled cycle, known to the other.
#[expect(clippy::cast_precision_loss, reason = "a share of two counts")]
fn stale_percent(view: &View<'_, '_>, backlog: Backlog) -> f64 {
    let ctx = view.ctx;
    if ctx.config.memory.expiry_cycle == ExpiryCycle::Sampled {
        return ctx.observed.stats.expire_stale_share * 100.0;
    }
    let all: usize = ctx.keyspace.iter().map(Db::with_deadline).sum();
    backlog.keys as f64 * 100.0 / all.max(1) as f64
}
