//! Many keys that fall due together: what clients feel meanwhile, and how soon the keys and their
//! memory are gone.
//!
//! Every server is started afresh in each round. Dovetail takes part once for each of its ways of
//! finding expired keys.

pub(crate) mod probes;
mod schedule;
pub(crate) mod storm;

use std::path::PathBuf;
use std::time::{Duration, Instant};

use anyhow::{Context as _, Result};
use clap::ValueEnum;
use serde::Serialize;

use self::storm::{Room, StormRound};
use super::persist::Entry;
use super::{Named, Preamble, progress};
use crate::load::client::Filling;
use crate::matrix::order;
use crate::report::expiry::{page, table};
use crate::report::{say, write_json, write_text};
use crate::server::pinning::Pinning;
use crate::server::process::{Scratch, Server};
use crate::server::systems::{Kind, Selection, System};

/// What can be measured.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Serialize, ValueEnum)]
#[serde(rename_all = "lowercase")]
pub(crate) enum Part {
    /// All keys fall due in the same millisecond
    Storm,
    /// They fall due evenly over some seconds
    Spread,
}

impl Part {
    /// Its name, as on the command line.
    pub(crate) fn name(self) -> &'static str {
        match self {
            Self::Storm => "storm",
            Self::Spread => "spread",
        }
    }
}

/// How Dovetail finds expired keys: `expiry-cycle`.
#[derive(Clone, Copy, Debug, PartialEq, Eq, ValueEnum)]
pub(crate) enum Cycle {
    /// In the order of their deadlines
    Ordered,
    /// By looking at random ones
    Sampled,
}

impl Cycle {
    fn name(self) -> &'static str {
        match self {
            Self::Ordered => "ordered",
            Self::Sampled => "sampled",
        }
    }
}

/// What it was meant to be, whatever the number of keys, with keys that fall due together.
#[derive(Clone, Copy, Debug)]
pub(crate) struct Goals {
    /// The most server CPU that a GET may have to wait for, in milliseconds.
    pub(crate) stall_ms: f64,
    /// 99.9 % of GETs are answered within so many microseconds.
    pub(crate) p999_us: f64,
    /// A million keys are gone within so many seconds.
    pub(crate) gone_s: f64,
}

/// The goals of `storm`.
pub(crate) const GOALS: Goals = Goals {
    stall_ms: 1.0,
    p999_us: 300.0,
    gone_s: 2.0,
};

/// What to measure.
#[derive(Clone, Debug)]
pub(crate) struct Plan {
    /// Which servers.
    pub(crate) selection: Selection,
    /// On which cores.
    pub(crate) pinning: Pinning,
    /// Dovetail's ways of finding expired keys.
    pub(crate) cycles: Vec<Cycle>,
    /// Which parts.
    pub(crate) parts: Vec<Part>,
    /// Keys that fall due.
    pub(crate) keys: u32,
    /// `spread`: over which time they do.
    pub(crate) spread: Duration,
    /// Bytes of a value.
    pub(crate) value_bytes: usize,
    /// Measurements of each.
    pub(crate) rounds: usize,
    /// Decides the order of the servers.
    pub(crate) seed: u64,
    /// Where the record goes.
    pub(crate) json: Option<PathBuf>,
    /// Where the page goes.
    pub(crate) html: Option<PathBuf>,
}

/// A server that was filled with as many keys that have no deadline.
#[derive(Clone, Debug, Serialize)]
pub(crate) struct Lasting {
    /// The server's name.
    pub(crate) system: String,
    /// How long the filling took, in seconds.
    pub(crate) fill_s: f64,
    /// Bytes of `used_memory` per key, where the server has such a figure.
    pub(crate) used: Option<f64>,
    /// Bytes of resident set per key.
    pub(crate) resident: f64,
}

/// One part and how all servers came through it.
#[derive(Clone, Debug, Serialize)]
pub(crate) struct PartRecord {
    /// Which.
    pub(crate) part: Part,
    /// The time over which keys fell due, in seconds; 0 where it was one instant.
    pub(crate) spread_s: f64,
    /// Every server.
    pub(crate) entries: Vec<Entry<StormRound>>,
}

/// The whole record.
#[derive(Clone, Debug, Serialize)]
pub(crate) struct Record {
    /// What it is the record of.
    pub(crate) scenario: &'static str,
    /// Where, when, and on which cores.
    pub(crate) preamble: Preamble,
    /// Who took part.
    pub(crate) systems: Vec<Named>,
    /// Keys that fell due.
    pub(crate) keys: u32,
    /// Bytes of a value.
    pub(crate) value_bytes: usize,
    /// What the same keys take without a deadline.
    pub(crate) lasting: Vec<Lasting>,
    /// What was measured.
    pub(crate) parts: Vec<PartRecord>,
}

/// Measures and reports.
///
/// # Errors
/// If no server is found, one cannot be started or filled, or a file cannot be written.
pub(crate) fn run(plan: &Plan) -> Result<()> {
    let systems = contenders(plan.selection.systems()?, &plan.cycles);
    let mut record = Record {
        scenario: "expiry",
        preamble: Preamble::begin(plan.pinning, plan.seed)?,
        systems: Vec::new(),
        keys: plan.keys,
        value_bytes: plan.value_bytes,
        lasting: Vec::new(),
        parts: Vec::new(),
    };
    let scratch = Scratch::create()?;
    let rounds = plan.parts.len() * plan.rounds;
    let bar = progress(((1 + rounds) * systems.len()) as u64);
    for system in &systems {
        bar.inc(1);
        bar.set_message(format!("filling {}", system.name));
        let server = Server::start(system, &plan.pinning, &scratch)?;
        bar.suspend(|| say(&format!("  {:<26} {}", server.name(), server.version())));
        record.systems.push(Named::of(&server));
        let lasting = last(plan, &server).with_context(|| system.name.clone())?;
        record.lasting.push(lasting);
    }
    for &part in &plan.parts {
        let spread = match part {
            Part::Storm => Duration::ZERO,
            Part::Spread => plan.spread,
        };
        let mut entries: Vec<Entry<StormRound>> = systems.iter().map(Entry::of).collect();
        for round in 0..plan.rounds {
            for index in order(systems.len(), round, plan.seed) {
                let system = &systems[index];
                bar.inc(1);
                let (part, name) = (part.name(), &system.name);
                bar.set_message(format!("{part}: round {}, {name}", round + 1));
                if entries[index].fault.is_none() {
                    let fill_s = record.lasting[index].fill_s;
                    let storm = storm::Storm::new(plan, system, &scratch, spread, fill_s);
                    entries[index].note(storm.measure());
                }
            }
        }
        record.parts.push(PartRecord {
            part,
            spread_s: spread.as_secs_f64(),
            entries,
        });
        if let Some(part) = record.parts.last() {
            bar.suspend(|| say(&table(part, &record)));
        }
        if let Some(path) = &plan.json {
            write_json(path, &record)?;
        }
        if let Some(path) = &plan.html {
            write_text(path, &page(&record))?;
        }
    }
    bar.finish_and_clear();
    Ok(())
}

/// The systems, with Dovetail once for each of its cycles.
fn contenders(systems: Vec<System>, cycles: &[Cycle]) -> Vec<System> {
    let mut contenders = Vec::new();
    for system in systems {
        if !matches!(system.kind, Kind::Dovetail(_)) {
            contenders.push(system);
            continue;
        }
        for cycle in cycles {
            let mut contender = system.clone();
            contender.name = format!("{}-{}", system.name, cycle.name());
            contender
                .words
                .extend(["--expiry-cycle", cycle.name()].map(str::to_owned));
            contenders.push(contender);
        }
    }
    contenders
}

/// Fills a server with keys that have no deadline.
fn last(plan: &Plan, server: &Server) -> Result<Lasting> {
    let mut client = server.client()?;
    let before = Room::read(server, &mut client)?;
    let begin = Instant::now();
    client.fill(plan.keys, &Filling::strings(plan.value_bytes), &mut |_| {})?;
    let fill_s = begin.elapsed().as_secs_f64();
    let after = Room::read(server, &mut client)?;
    Ok(Lasting {
        system: server.name().to_owned(),
        fill_s,
        used: after.used_since(&before, plan.keys),
        resident: after.resident_since(&before, plan.keys),
    })
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn dovetail_takes_part_once_for_each_cycle() {
        let system = |name: &str, kind| System {
            name: name.to_owned(),
            kind,
            words: vec!["server".to_owned()],
        };
        let systems = vec![
            system("dovetail-epoll", Kind::Dovetail("epoll".to_owned())),
            system("old", Kind::Peer),
        ];
        let contenders = contenders(systems, &[Cycle::Ordered, Cycle::Sampled]);
        let names: Vec<_> = contenders.iter().map(|c| c.name.as_str()).collect();
        let expected = ["dovetail-epoll-ordered", "dovetail-epoll-sampled", "old"];
        assert_eq!(names, expected);
        assert_eq!(contenders[1].words, ["server", "--expiry-cycle", "sampled"]);
        assert_eq!(contenders[2].words.len(), 1);
    }
}
