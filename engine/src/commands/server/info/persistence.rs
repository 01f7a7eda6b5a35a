//! The section persistence.

use super::{Fields, View};
use crate::persist::{Load, Record};

/// What is saved, being saved and being loaded.
pub(super) fn persistence(view: &View<'_, '_>, out: &mut Fields) {
    let persist = &*view.ctx.persist;
    out.put("loading", u8::from(persist.load.is_some()));
    out.put("async_loading", 0);
    child(view, out);
    snapshots(view, out);
    rewrites(view, out);
    if persist.keeps_log() {
        log(view, out);
    }
    if let Some(load) = &persist.load {
        loading(view, load, out);
    }
}

fn child(view: &View<'_, '_>, out: &mut Fields) {
    let persist = &*view.ctx.persist;
    let now = view.ctx.now.monotonic;
    let facts = persist.underway().map(|save| save.facts);
    let facts = facts.unwrap_or_default();
    let keys = persist.underway().map_or(0, |save| save.keys);
    let age = match facts.told.0 {
        0 => 0,
        _ => now.minus(facts.told).as_secs(),
    };
    out.put("current_cow_peak", facts.cow_bytes[1]);
    out.put("current_cow_size", facts.cow_bytes[0]);
    out.put("current_cow_size_age", age);
    out.put(
        "current_fork_perc",
        percent(
            facts
                .keys
                .saturating_mul(10_000)
                .checked_div(keys)
                .unwrap_or(0),
        ),
    );
    out.put("current_save_keys_processed", facts.keys);
    out.put("current_save_keys_total", keys);
}

fn snapshots(view: &View<'_, '_>, out: &mut Fields) {
    let persist = &*view.ctx.persist;
    let record = &persist.snapshots;
    let is_saving = persist.is_saving_snapshot();
    out.put(
        "rdb_changes_since_last_save",
        persist.unsaved(view.ctx.keyspace.changes()),
    );
    out.put("rdb_bgsave_in_progress", u8::from(is_saving));
    out.put("rdb_last_save_time", record.last_good_unix_secs);
    out.put("rdb_last_bgsave_status", status(record));
    out.put("rdb_last_bgsave_time_sec", seconds(record.last_secs));
    out.put(
        "rdb_current_bgsave_time_sec",
        seconds(current(view).filter(|_| is_saving)),
    );
    out.put("rdb_saves", record.count);
    out.put("rdb_last_cow_size", record.cow_bytes);
    let (keys, expired) = persist.last_load;
    out.put("rdb_last_load_keys_expired", expired);
    out.put("rdb_last_load_keys_loaded", keys);
}

fn rewrites(view: &View<'_, '_>, out: &mut Fields) {
    let persist = &*view.ctx.persist;
    let record = &persist.rewrites;
    let is_rewriting = persist.is_rewriting();
    out.put("aof_enabled", u8::from(persist.keeps_log()));
    out.put("aof_rewrite_in_progress", u8::from(is_rewriting));
    out.put("aof_rewrite_scheduled", u8::from(persist.rewrite_scheduled));
    out.put("aof_last_rewrite_time_sec", seconds(record.last_secs));
    out.put(
        "aof_current_rewrite_time_sec",
        seconds(current(view).filter(|_| is_rewriting)),
    );
    out.put("aof_last_bgrewrite_status", status(record));
    out.put("aof_rewrites", record.count);
    out.put(
        "aof_rewrites_consecutive_failures",
        record.failures_in_a_row,
    );
    let is_well = persist.progress().trouble.is_none();
    out.put("aof_last_write_status", if is_well { "ok" } else { "err" });
    out.put("aof_last_cow_size", record.cow_bytes);
    out.put("module_fork_in_progress", 0);
    out.put("module_fork_last_cow_size", 0);
}

fn log(view: &View<'_, '_>, out: &mut Fields) {
    let progress = view.ctx.persist.progress();
    out.put("aof_current_size", progress.size);
    out.put("aof_base_size", progress.base_size);
    out.put(
        "aof_pending_rewrite",
        u8::from(view.ctx.persist.rewrite_scheduled),
    );
    out.put("aof_buffer_length", progress.buffered);
    out.put("aof_pending_bio_fsync", progress.syncs_under_way);
    out.put("aof_delayed_fsync", progress.delayed);
    out.put("aof_longest_delay_usec", progress.longest_delay.0);
    out.put("persistence", view.ctx.persist.name());
}

fn loading(view: &View<'_, '_>, load: &Load, out: &mut Fields) {
    let elapsed = view.ctx.now.monotonic.minus(load.since).as_secs();
    let left = load.total.saturating_sub(load.loaded);
    let eta = elapsed
        .saturating_mul(left)
        .checked_div(load.loaded)
        .unwrap_or(1);
    out.put("loading_start_time", load.since_unix_secs);
    out.put("loading_total_bytes", load.total);
    out.put("loading_rdb_used_mem", 0);
    out.put("loading_loaded_bytes", load.loaded);
    let part = load.loaded.saturating_mul(10_000).checked_div(load.total);
    out.put("loading_loaded_perc", percent(part.unwrap_or(0)));
    out.put("loading_eta_seconds", eta);
}

/// Seconds of the save under way.
fn current(view: &View<'_, '_>) -> Option<u64> {
    let now = view.ctx.now.monotonic;
    let underway = view.ctx.persist.underway();
    underway.map(|save| now.minus(save.since).as_secs())
}

const fn status(record: &Record) -> &'static str {
    if record.failure.is_some() {
        "err"
    } else {
        "ok"
    }
}

/// Seconds, or -1 where there are none.
fn seconds(secs: Option<u64>) -> i64 {
    secs.map_or(-1, |secs| i64::try_from(secs).unwrap_or(i64::MAX))
}

/// Hundredths of a percent.
fn percent(hundredths: u64) -> String {
    let hundredths = hundredths.min(10_000);
    format!("{}.{:02}", hundredths / 100, hundredths % 100)
}
