//! What single GETs cost and how long they take, as figures and over time.
//!
//! The kernel enters what a running thread has used at its ticks, so the account may stand still
//! over many GETs to a server that does not sleep, and then jump. A GET cannot have waited for more
//! CPU than has been entered from before it until the next change of the account, nor for more than
//! it took while the server had a core: the lesser of the two is its figure. To a server that
//! sleeps after each GET both say the same, and the figure is exact.

use std::time::Duration;

use anyhow::Result;
use serde::Serialize;

use crate::measure::latency::{Latencies, Percentiles};

/// Waits of the generator for its own core from which on a probe says nothing about the server.
const DISTURBED_NS: u64 = 50_000;

/// Parts of a timeline at most.
const PARTS: usize = 800;

/// One GET.
#[derive(Clone, Copy, Debug)]
pub(super) struct Probe {
    /// From its send to its answer.
    pub(super) wall: Duration,
    /// What the server had used when the answer was there, in nanoseconds.
    pub(super) account: u64,
    /// How long the server could have run meanwhile and had no core, in nanoseconds.
    pub(super) delayed: u64,
    /// How long the generator waited for its own core meanwhile, in nanoseconds.
    pub(super) waited: u64,
}

/// What all probes add up to.
#[derive(Debug)]
pub(super) struct Probes {
    wall: Latencies,
    cpu: Latencies,
    count: u64,
    disturbed: u64,
    /// The account when it changed last.
    known: u64,
    /// Wall times of probes since then, without times in which the server had no core.
    pending: Vec<Duration>,
}

/// The figures of a phase.
#[derive(Clone, Copy, Debug, Default, Serialize)]
pub(crate) struct Figures {
    /// How many GETs there were.
    pub(crate) count: u64,
    /// So many of them ended while the generator waited for its own core; they have no CPU figure.
    pub(crate) disturbed: u64,
    /// From the send of a GET to its answer, in microseconds.
    pub(crate) wall_us: Percentiles,
    /// Server CPU that a GET waited for at most, in microseconds.
    pub(crate) cpu_us: Percentiles,
}

impl Probes {
    /// None yet, and what the server has used so far.
    pub(super) fn new(account: u64) -> Result<Self> {
        Ok(Self {
            wall: Latencies::new()?,
            cpu: Latencies::new()?,
            count: 0,
            disturbed: 0,
            known: account,
            pending: Vec::with_capacity(1024),
        })
    }

    pub(super) fn count(&self) -> u64 {
        self.count
    }

    pub(super) fn add(&mut self, probe: Probe) {
        self.count += 1;
        self.wall.record(probe.wall, 1);
        if probe.waited < DISTURBED_NS {
            let delayed = Duration::from_nanos(probe.delayed);
            self.pending.push(probe.wall.saturating_sub(delayed));
        } else {
            self.disturbed += 1;
        }
        if probe.account != self.known {
            self.pass(probe.account);
        }
    }

    /// What the server has used until now was for probes until now.
    pub(super) fn pass(&mut self, account: u64) {
        let entered = Duration::from_nanos(account.saturating_sub(self.known));
        self.known = account;
        for wall in self.pending.drain(..) {
            self.cpu.record(wall.min(entered), 1);
        }
    }

    pub(super) fn figures(&self) -> Figures {
        Figures {
            count: self.count,
            disturbed: self.disturbed,
            wall_us: self.wall.percentiles(),
            cpu_us: self.cpu.percentiles(),
        }
    }
}

/// The greatest of what was seen in each of some hundred stretches of time; their length doubles
/// when there are too many.
#[derive(Clone, Debug, Serialize)]
pub(crate) struct Timeline {
    /// When it begins, in seconds.
    from: f64,
    /// Length of a part, in seconds.
    part: f64,
    greatest: Vec<f64>,
}

impl Timeline {
    /// Nothing yet, in parts of so many seconds.
    pub(crate) fn new(from: f64, part: f64) -> Self {
        Self {
            from,
            part,
            greatest: Vec::with_capacity(PARTS),
        }
    }

    /// Takes note of a value of 0 or more.
    pub(crate) fn add(&mut self, at: f64, value: f64) {
        let part = |length: f64| {
            #[expect(
                clippy::cast_possible_truncation,
                clippy::cast_sign_loss,
                reason = "a quotient of at least 0 that is cut"
            )]
            let part = ((at - self.from).max(0.0) / length) as usize;
            part
        };
        while part(self.part) >= PARTS {
            self.greatest = self
                .greatest
                .chunks(2)
                .map(|pair| pair.iter().copied().fold(0.0, f64::max))
                .collect();
            self.part *= 2.0;
        }
        let part = part(self.part);
        if self.greatest.len() <= part {
            self.greatest.resize(part + 1, 0.0);
        }
        self.greatest[part] = self.greatest[part].max(value);
    }

    /// The middle of each part in which something was seen, and the greatest there.
    pub(crate) fn points(&self) -> Vec<(f64, f64)> {
        let points = self.greatest.iter().enumerate();
        points
            .filter(|(_, value)| **value > 0.0)
            .map(|(part, &value)| (self.from + (part as f64 + 0.5) * self.part, value))
            .collect()
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn probe(wall_us: u64, account_us: u64) -> Probe {
        Probe {
            wall: Duration::from_micros(wall_us),
            account: account_us * 1000,
            delayed: 0,
            waited: 0,
        }
    }

    #[test]
    fn probe_of_a_server_that_sleeps_costs_what_is_entered() {
        let mut probes = Probes::new(0).unwrap();
        probes.add(probe(30, 10));
        probes.add(probe(30_000, 25_010));
        let figures = probes.figures();
        assert!((figures.cpu_us.max - 25_000.0).abs() < 30.0);
        assert!((figures.cpu_us.p50 - 10.0).abs() < 0.1);
    }

    #[test]
    fn what_is_entered_late_is_charged_to_no_probe_that_was_shorter() {
        let mut probes = Probes::new(0).unwrap();
        probes.add(probe(3_000, 0));
        probes.add(probe(20, 0));
        probes.add(probe(20, 4_000));
        let figures = probes.figures();
        assert!((figures.cpu_us.max - 3_000.0).abs() < 3.0);
        assert!((figures.cpu_us.p50 - 20.0).abs() < 0.1);
    }

    #[test]
    fn time_without_a_core_is_no_time_of_the_server() {
        let mut probes = Probes::new(0).unwrap();
        let mut long = probe(9_000, 4_000);
        long.delayed = 8_900_000;
        probes.add(long);
        assert!((probes.figures().cpu_us.max - 100.0).abs() < 0.2);
    }

    #[test]
    fn disturbed_probe_has_a_wall_time_only() {
        let mut probes = Probes::new(0).unwrap();
        let mut long = probe(4_000, 4_000);
        long.waited = DISTURBED_NS;
        probes.add(long);
        probes.add(probe(20, 4_010));
        let figures = probes.figures();
        assert_eq!((figures.count, figures.disturbed), (2, 1));
        assert!(figures.cpu_us.max < 11.0);
        assert!(figures.wall_us.max > 3_900.0);
    }

    #[test]
    fn timeline_grows_coarser_and_keeps_the_greatest() {
        let mut timeline = Timeline::new(-1.0, 0.5);
        timeline.add(-1.0, 1.0);
        timeline.add(9.2, 7.0);
        assert_eq!(timeline.points(), [(-0.75, 1.0), (9.25, 7.0)]);
        timeline.add(-1.0 + 0.5 * PARTS as f64, 2.0);
        let points = timeline.points();
        assert_eq!(points[..2], [(-0.5, 1.0), (9.5, 7.0)]);
        assert_eq!(points.len(), 3);
    }
}
