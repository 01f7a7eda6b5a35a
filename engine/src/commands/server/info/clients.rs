//! The section clients.

use super::{Fields, View};
use crate::conn::{PauseScope, SessionFlags};

/// Connections, and what they wait for.
pub(super) fn clients(view: &View<'_, '_>, out: &mut Fields) {
    let ctx = view.ctx;
    let stats = &ctx.observed.stats;
    let all = ctx.clients.in_order();
    let watching = all
        .iter()
        .filter(|conn| !conn.session.watched.is_empty())
        .count();
    let watched: usize = ctx.keyspace.iter().map(|db| db.watched_keys()).sum();
    let waited: usize = ctx.keyspace.iter().map(|db| db.waited_keys()).sum();
    let is_timed = |flags: SessionFlags| {
        flags.has(SessionFlags::BLOCKED) && flags.has(SessionFlags::HAS_TIMEOUT)
    };
    let timed = all
        .iter()
        .filter(|conn| is_timed(conn.session.flags))
        .count();
    out.put("connected_clients", ctx.clients.len());
    out.put("cluster_connections", 0);
    out.put("maxclients", ctx.config.limits.maxclients);
    out.put("client_recent_max_input_buffer", stats.recent_max_input);
    out.put("client_recent_max_output_buffer", stats.recent_max_output);
    // A script that asks in its middle keeps its own connection waiting, which is not blocked.
    let busy = usize::from(ctx.scripts.busy.is_some());
    out.put("blocked_clients", ctx.clients.blocked - busy);
    out.put("tracking_clients", 0);
    out.put("pubsub_clients", ctx.pubsub.subscribers);
    out.put("watching_clients", watching);
    out.put("clients_in_timeout_table", timed);
    out.put("total_watched_keys", watched);
    out.put("total_blocking_keys", waited);
    out.put("total_blocking_keys_on_nokey", 0);
    pause(view, out);
}

/// CLIENT PAUSE under way.
fn pause(view: &View<'_, '_>, out: &mut Fields) {
    let now = view.ctx.now.monotonic;
    let running = view.ctx.clients.pause.filter(|pause| pause.until > now);
    let (reason, actions, left) = match running {
        None => ("none", "none", 0),
        Some(pause) => {
            let actions = if pause.scope == PauseScope::All {
                "all"
            } else {
                "write"
            };
            ("client_pause", actions, pause.until.minus(now).as_millis())
        }
    };
    out.put("paused_reason", reason);
    out.put("paused_actions", actions);
    out.put("paused_timeout_milliseconds", left);
}
