//! Counters for INFO.

use super::histogram::Histogram;
use crate::base::Micros;
use crate::seam::machine::LoopCounters;

/// Counters of one command.
#[derive(Debug, Default)]
pub struct CommandStats {
    /// Times it ran.
    pub calls: u64,
    /// Time it took in all, in nanoseconds.
    pub nanos: u64,
    /// Times it was refused before it ran.
    pub rejected: u64,
    /// Times it ran and failed.
    pub failed: u64,
    /// Distribution of its times, when they are tracked.
    pub times: Option<Box<Histogram>>,
}

/// How fast one counter grows against another, over the last sixteen samples.
#[derive(Clone, Copy, Debug, Default)]
pub struct Rate {
    samples: [u64; 16],
    next: usize,
    /// Both counters at the last sample.
    last: Option<(u64, u64)>,
}

impl Rate {
    /// Takes note of a counter's value at an instant.
    pub fn sample(&mut self, count: u64, now: Micros) {
        self.sample_against(count, now.0, 1_000_000);
    }

    /// Takes note of two counters: how much `count` has grown for every `unit` of `base`.
    pub fn sample_against(&mut self, count: u64, base: u64, unit: u64) {
        if let Some((last_count, last_base)) = self.last {
            let grown = count.saturating_sub(last_count);
            let span = base.saturating_sub(last_base);
            self.samples[self.next] = grown.saturating_mul(unit).checked_div(span).unwrap_or(0);
            self.next = (self.next + 1) % self.samples.len();
        }
        self.last = Some((count, base));
    }

    /// Mean of the last samples: per second, or per unit of the base.
    #[must_use]
    pub fn mean(&self) -> u64 {
        self.samples.iter().sum::<u64>() / self.samples.len() as u64
    }
}

/// Counters of the whole server.
#[derive(Debug, Default)]
pub struct ServerStats {
    /// When the engine started.
    pub started: Micros,
    /// The same in unix seconds.
    pub started_unix_secs: u64,
    /// Commands run.
    pub commands: u64,
    /// Connections accepted.
    pub connections: u64,
    /// Connections turned away.
    pub rejected_connections: u64,
    /// Bytes received.
    pub bytes_in: u64,
    /// Bytes handed to the poller.
    pub bytes_out: u64,
    /// Chunks of bytes received.
    pub reads: u64,
    /// Replies handed to the poller.
    pub writes: u64,
    /// Error replies.
    pub errors: u64,
    /// Error replies by their first word, in order of appearance.
    pub errors_by_prefix: Vec<(Box<str>, u64)>,
    /// Errors whose prefix was counted no more because there were too many.
    pub errors_disabled: bool,
    /// How long the dataset has been over its limit, in microseconds, the present time excluded.
    pub over_limit_us: u64,
    /// Since when it has been over it now.
    pub over_limit_since: Option<Micros>,
    /// Times the expiry cycle ran out of budget.
    pub expire_cut_short: u64,
    /// Nanoseconds that removing expired keys in the background has taken.
    pub expire_nanos: u64,
    /// Share of keys with a deadline that were due when they were drawn, smoothed.
    pub expire_stale_share: f64,
    /// Connections closed for their output.
    pub output_limit_closes: u64,
    /// Connections closed for their input.
    pub query_limit_closes: u64,
    /// Connections closed because all together took too much memory.
    pub evicted_clients: u64,
    /// Failed authentications.
    pub auth_failures: u64,
    /// Turns of the loop.
    pub turns: u64,
    /// Time spent in turns, waits excluded, in microseconds.
    pub turn_us: u64,
    /// Of which in commands, in nanoseconds.
    pub command_nanos: u64,
    /// Largest unfinished request lately.
    pub recent_max_input: usize,
    /// Largest output lately.
    pub recent_max_output: usize,
    /// Highest memory in use seen.
    pub peak_memory: u64,
    /// Memory in use right after the start.
    pub startup_memory: u64,
    /// The loop's own counters.
    pub counters: LoopCounters,
    /// Name of the poller.
    pub poller: &'static str,
    /// Commands per second.
    pub ops_rate: Rate,
    /// Bytes in per second.
    pub in_rate: Rate,
    /// Bytes out per second.
    pub out_rate: Rate,
    /// Turns per second.
    pub turn_rate: Rate,
    /// Microseconds per turn.
    pub turn_time_rate: Rate,
}

/// Most error prefixes that are told apart.
const ERROR_PREFIXES_MAX: usize = 128;

impl ServerStats {
    /// Counts an error reply; `line` is its text without the `-`.
    #[cold]
    pub fn count_error(&mut self, line: &str) {
        self.errors += 1;
        // A word alone is no code.
        let prefix = line.split_once([' ', '\r', '\n']);
        let prefix = prefix.map_or("ERR", |(prefix, _)| prefix);
        if let Some(known) = self
            .errors_by_prefix
            .iter_mut()
            .find(|(known, _)| &**known == prefix)
        {
            known.1 += 1;
        } else if self.errors_by_prefix.len() < ERROR_PREFIXES_MAX {
            self.errors_by_prefix.push((prefix.into(), 1));
        } else {
            self.errors_disabled = true;
        }
    }

    /// Forgets what CONFIG RESETSTAT forgets.
    pub fn reset(&mut self) {
        let kept = std::mem::take(self);
        *self = Self {
            started: kept.started,
            started_unix_secs: kept.started_unix_secs,
            poller: kept.poller,
            // Who is active is told by the number of the turn.
            turns: kept.turns,
            counters: kept.counters,
            peak_memory: kept.peak_memory,
            startup_memory: kept.startup_memory,
            ..Self::default()
        };
    }
}
