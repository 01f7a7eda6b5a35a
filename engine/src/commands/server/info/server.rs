//! The sections server, replication and cpu.

use super::{Fields, View};
use crate::config::REDIS_VERSION;

/// Of ROLE, HELLO and the section replication: this version serves alone.
const ROLE: &str = "master";

/// Who runs here, since when, and where it listens.
pub(super) fn server(view: &View<'_, '_>, out: &mut Fields) {
    let ctx = view.ctx;
    let (stats, network, identity) = (&ctx.observed.stats, &ctx.config.network, ctx.identity);
    let uptime = ctx.now.monotonic.minus(stats.started).as_secs();
    out.put("redis_version", REDIS_VERSION);
    out.put("server_name", "dovetail");
    out.put("dovetail_version", env!("CARGO_PKG_VERSION"));
    out.put("redis_git_sha1", "00000000");
    out.put("redis_git_dirty", 0);
    out.put("redis_build_id", "0");
    out.put("redis_mode", "standalone");
    out.put("server_mode", "standalone");
    out.put("os", &identity.os);
    out.put("arch_bits", usize::BITS);
    out.put("monotonic_clock", "POSIX clock_gettime");
    out.put("multiplexing_api", stats.poller);
    out.put("process_id", identity.pid);
    out.put("process_supervised", &identity.supervised);
    out.put("run_id", &identity.run_id);
    out.put("tcp_port", network.port);
    out.put("server_time_usec", ctx.now.unix_us);
    out.put("uptime_in_seconds", uptime);
    out.put("uptime_in_days", uptime / 86_400);
    out.put("hz", network.hz);
    out.put("configured_hz", network.hz);
    out.put("clients_hz", network.hz);
    out.put("lru_clock", ctx.now.unix_secs() & 0x00ff_ffff);
    out.put("executable", &identity.executable);
    out.put("config_file", &identity.config_file);
    out.put("io_threads_active", 0);
    out.put("availability_zone", network.availability_zone.to_text());
    listeners(view, out);
}

fn listeners(view: &View<'_, '_>, out: &mut Fields) {
    let network = &view.ctx.config.network;
    let mut lines = Vec::new();
    if network.port != 0 {
        let addresses: Vec<String> = network.bind.0.iter().map(|bind| bind.to_text()).collect();
        let binds: String = addresses
            .iter()
            .map(|address| format!(",bind={address}"))
            .collect();
        lines.push(format!("name=tcp{binds},port={}", network.port));
    }
    if !network.unixsocket.is_empty() {
        lines.push(format!("name=unix,bind={}", network.unixsocket.to_text()));
    }
    for (index, line) in lines.iter().enumerate() {
        out.put(format_args!("listener{index}"), line);
    }
}

/// A primary without replicas.
pub(super) fn replication(view: &View<'_, '_>, out: &mut Fields) {
    let ctx = view.ctx;
    out.put("role", ROLE);
    out.put("connected_slaves", 0);
    out.put("replicas_waiting_psync", 0);
    out.put("master_failover_state", "no-failover");
    out.put("master_replid", &ctx.observed.history_id);
    out.put("master_replid2", "0".repeat(40));
    out.put("master_repl_offset", 0);
    out.put("second_repl_offset", -1);
    out.put("repl_backlog_active", 0);
    out.put(
        "repl_backlog_size",
        ctx.config.replication.repl_backlog_size,
    );
    out.put("repl_backlog_first_byte_offset", 0);
    out.put("repl_backlog_histlen", 0);
}

/// Processor time, in seconds.
pub(super) fn cpu(view: &View<'_, '_>, out: &mut Fields) {
    let facts = &view.facts;
    let seconds = |time: f64| format!("{time:.6}");
    out.put("used_cpu_sys", seconds(facts.cpu[0]));
    out.put("used_cpu_user", seconds(facts.cpu[1]));
    out.put("used_cpu_sys_children", seconds(facts.cpu_children[0]));
    out.put("used_cpu_user_children", seconds(facts.cpu_children[1]));
    out.put(
        "used_cpu_sys_main_thread",
        seconds(facts.cpu_main_thread[0]),
    );
    out.put(
        "used_cpu_user_main_thread",
        seconds(facts.cpu_main_thread[1]),
    );
}
