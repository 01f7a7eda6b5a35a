//! Periodic duties, `hz` times a second, each within a budget of work; and how many connections are
//! active, which decides whether the loop lets company gather before it goes on.

use super::Engine;
use crate::base::{ConnId, Micros, Now};
use crate::config::Config;
use crate::conn::SessionFlags;
use crate::seam::host::LogLevel;

/// Connections looked at in a cycle at least.
const CLIENTS_PER_CYCLE_MIN: usize = 16;
/// How often rates are sampled at most.
const SAMPLE_PERIOD: Micros = Micros::from_millis(100);
/// How long a connection counts as active after it was heard of.
const ACTIVITY_TICK: Micros = Micros(2_000);

/// When the duties are due.
#[derive(Debug, Default)]
pub(super) struct Cron {
    next: Micros,
    now: Micros,
    cycles: u64,
    /// When the rates are sampled again.
    next_sample: Micros,
    /// Where the walk over connections goes on.
    client_slot: usize,
    /// DEBUG PAUSE-CRON 1.
    pub(super) paused: bool,
}

impl Cron {
    pub(super) fn is_due(&mut self, now: Micros) -> bool {
        self.now = now;
        now >= self.next
    }

    pub(super) fn done(&mut self, now: Micros, period: Micros) {
        self.next = now.plus(period);
        self.cycles += 1;
    }

    pub(super) fn deadline(&self) -> Micros {
        self.next
    }

    /// The last turn's instant.
    pub(super) fn now(&self) -> Micros {
        self.now
    }
}

/// The time between two cycles.
pub(super) fn period(config: &Config) -> Micros {
    Micros(1_000_000 / u64::from(config.network.hz.clamp(1, 500)))
}

/// How many distinct connections were heard of lately.
#[derive(Debug, Default)]
pub(super) struct Activity {
    /// Turns so far.
    turns: u64,
    /// The turn before the running tick's first.
    tick_began: u64,
    ends: Micros,
    /// Connections heard of in the running tick.
    count: u32,
    /// And in the one before.
    last: u32,
}

impl Activity {
    /// A connection was heard of; in `last_turn` it remembers the turn of the last time.
    #[inline]
    pub(super) fn heard(&mut self, last_turn: &mut u64) {
        self.count += u32::from(*last_turn <= self.tick_began);
        *last_turn = self.turns + 1;
    }

    /// A turn is over.
    pub(super) fn turn(&mut self, now: Micros) {
        self.turns += 1;
        if now >= self.ends {
            self.last = self.count;
            self.count = 0;
            self.tick_began = self.turns;
            self.ends = now.plus(ACTIVITY_TICK);
        }
    }

    /// How many connections to wait for, and how long.
    pub(super) fn company(&self, config: &Config) -> (u32, Micros) {
        let active = self.last.max(self.count);
        let least = config.network.gather_connections;
        if least == 0 || active < least {
            return (0, Micros(0));
        }
        // Half of them: while these are served the others' requests are on their way.
        (
            active.div_ceil(2).max(2),
            Micros(u64::from(config.network.gather_grace_us)),
        )
    }
}

impl Engine {
    /// One cycle of periodic duties.
    pub(super) fn on_cron(&mut self, now: Now) {
        if self.cron.paused {
            return;
        }
        let used = self.used_memory();
        self.observed.stats.peak_memory = self.observed.stats.peak_memory.max(used);
        self.sample_rates(now.monotonic);
        self.walk_clients(now.monotonic);
        if self.loading.is_none() {
            self.expire_cycle(now);
            self.watch_memory(now);
            self.look_after_saves(now);
        }
    }

    fn sample_rates(&mut self, now: Micros) {
        if now < self.cron.next_sample {
            return;
        }
        self.cron.next_sample = now.plus(SAMPLE_PERIOD);
        let stats = &mut self.observed.stats;
        stats.ops_rate.sample(stats.commands, now);
        stats.in_rate.sample(stats.bytes_in, now);
        stats.out_rate.sample(stats.bytes_out, now);
        stats.turn_rate.sample(stats.turns, now);
        stats
            .turn_time_rate
            .sample_against(stats.turn_us, stats.turns, 1);
        if self.cron.cycles.is_multiple_of(64) {
            (stats.recent_max_input, stats.recent_max_output) = (0, 0);
        }
    }

    /// Looks at a share of the connections: idle ones, and those over their output limits.
    fn walk_clients(&mut self, now: Micros) {
        let slots = self.clients.slots();
        let hz = usize::try_from(self.config.network.hz).unwrap_or(10).max(1);
        let share = (slots / hz).max(CLIENTS_PER_CYCLE_MIN).min(slots);
        for _ in 0..share {
            self.cron.client_slot = (self.cron.client_slot + 1) % slots.max(1);
            let Some(conn) = self.clients.at(self.cron.client_slot) else {
                continue;
            };
            let (id, idles) = (conn.id, self.is_idle(conn.id, now));
            if idles {
                self.doom(id, LogLevel::Verbose, "idle for longer than the timeout");
            } else if self.clients.get(id).is_some_and(|conn| conn.unsent > 0) {
                self.check_output_limit(now, id);
            }
        }
    }

    fn is_idle(&self, id: ConnId, now: Micros) -> bool {
        let timeout = u64::from(self.config.network.timeout_secs);
        let Some(conn) = self.clients.get(id) else {
            return false;
        };
        let exempt = SessionFlags(
            SessionFlags::WAITING.0
                | SessionFlags::PUBSUB.0
                | SessionFlags::MONITOR.0
                | SessionFlags::CLOSE_ASAP.0,
        );
        timeout > 0
            && !conn.session.flags.has(exempt)
            && now.minus(conn.session.last_active) > Micros::from_secs(timeout)
    }
}
