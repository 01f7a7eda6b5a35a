//! What can be seen from outside: statistics, command logs, latency.

pub mod histogram;
pub mod latency;
pub mod slowlog;
pub mod stats;

use crate::base::rng::Rng;
use crate::config::Config;
use latency::LatencyMonitor;
use slowlog::{Extent, Notable, SlowLog};
use stats::{CommandStats, ServerStats};

/// Everything observed.
#[derive(Debug)]
pub struct Observed {
    /// Counters of the whole server.
    pub stats: ServerStats,
    /// Counters of each command, by its row.
    pub commands: Vec<CommandStats>,
    /// Commands that took long.
    pub slowlog: SlowLog,
    /// Requests that were large.
    pub large_requests: SlowLog,
    /// Replies that were large.
    pub large_replies: SlowLog,
    /// Events that took long.
    pub latency: LatencyMonitor,
    /// Forty random hex digits that name the history of this dataset; `master_replid` in INFO.
    pub history_id: String,
    /// What makes a command worth a closer look.
    notable: Extent,
    /// From how many microseconds on a command enters the slow log; `u64::MAX` for never.
    slowlog_micros: u64,
    /// Whether the distribution of times is kept.
    tracks_times: bool,
}

impl Observed {
    /// Nothing seen yet, for a table of `commands` rows.
    #[must_use]
    pub fn new(commands: usize) -> Self {
        Self {
            stats: ServerStats::default(),
            commands: (0..commands).map(|_| CommandStats::default()).collect(),
            slowlog: SlowLog::default(),
            large_requests: SlowLog::default(),
            large_replies: SlowLog::default(),
            latency: LatencyMonitor::default(),
            history_id: "0".repeat(40),
            notable: Extent {
                nanos: u64::MAX,
                request_bytes: usize::MAX,
                reply_bytes: usize::MAX,
            },
            slowlog_micros: u64::MAX,
            tracks_times: true,
        }
    }

    /// Takes over the thresholds of `config`.
    pub fn apply(&mut self, config: &Config) {
        let observe = &config.observe;
        self.slowlog_micros = u64::try_from(observe.slowlog_log_slower_than_us).unwrap_or(u64::MAX);
        self.slowlog
            .set_len_max(usize::try_from(observe.slowlog_max_len).unwrap_or(usize::MAX));
        let requests_max = observe.commandlog_large_request_max_len;
        self.large_requests
            .set_len_max(usize::try_from(requests_max).unwrap_or(usize::MAX));
        let replies_max = observe.commandlog_large_reply_max_len;
        self.large_replies
            .set_len_max(usize::try_from(replies_max).unwrap_or(usize::MAX));
        self.latency
            .set_threshold(observe.latency_monitor_threshold_ms);
        self.tracks_times = observe.latency_tracking;
        let latency_micros = match observe.latency_monitor_threshold_ms {
            0 => u64::MAX,
            millis => millis.saturating_mul(1000),
        };
        let bytes = |limit: i64| usize::try_from(limit).unwrap_or(usize::MAX);
        self.notable = Extent {
            nanos: self.slowlog_micros.min(latency_micros).saturating_mul(1000),
            request_bytes: bytes(observe.commandlog_request_larger_than),
            reply_bytes: bytes(observe.commandlog_reply_larger_than),
        };
    }

    /// Counts a run of `command` that took `nanos`.
    #[inline]
    pub fn record(&mut self, command: u16, nanos: u64) {
        self.stats.command_nanos += nanos;
        let stats = &mut self.commands[usize::from(command)];
        stats.calls += 1;
        stats.nanos += nanos;
        if self.tracks_times {
            stats.times.get_or_insert_default().record(nanos);
        }
    }

    /// Whether a run is worth [`Self::note`].
    #[inline]
    #[must_use]
    pub fn is_notable(&self, extent: Extent) -> bool {
        extent.nanos >= self.notable.nanos
            || extent.request_bytes >= self.notable.request_bytes
            || extent.reply_bytes >= self.notable.reply_bytes
    }

    /// Takes note of a run wherever it belongs.
    pub fn note(&mut self, request: &Notable<'_>) {
        let extent = request.extent;
        let micros = extent.nanos / 1000;
        if micros >= self.slowlog_micros {
            self.slowlog.add(request, micros);
        }
        if extent.request_bytes >= self.notable.request_bytes {
            self.large_requests
                .add(request, extent.request_bytes as u64);
        }
        if extent.reply_bytes >= self.notable.reply_bytes {
            self.large_replies.add(request, extent.reply_bytes as u64);
        }
        let event = if request.is_fast {
            "fast-command"
        } else {
            "command"
        };
        self.latency.note(event, micros, request.unix_secs);
    }

    /// Gives the dataset's history a new random name.
    pub fn rename_history(&mut self, rng: &mut Rng) {
        self.history_id = (0..5)
            .map(|_| format!("{:08x}", rng.bits() >> 32))
            .collect();
    }

    /// Forgets what CONFIG RESETSTAT forgets.
    pub fn reset(&mut self) {
        self.stats.reset();
        for command in &mut self.commands {
            *command = CommandStats::default();
        }
    }
}
