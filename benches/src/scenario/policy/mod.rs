//! Which policy keeps what will be asked for: traces are replayed through all of them.
//!
//! Every request is an access, a read or not: a key that is not there is put in, after others have
//! gone to make room. What is larger than the cache is not. The cache is empty in the beginning, and
//! the figures are those of the whole trace.

mod cache;
pub(crate) mod check;
pub(crate) mod lab;
pub(crate) mod replay;
pub(crate) mod wire;

use std::path::PathBuf;

use anyhow::{Context as _, Result, bail};
use dovetail_backends::eviction::POLICIES;
use dovetail_engine::seam::eviction::PolicyEntry;
use serde::Serialize;

use self::lab::{Future, Lab};
use self::replay::{Outcome, Settings};
use super::{Preamble, progress};
use crate::matrix::order;
use crate::measure::spread::Figure;
use crate::report::policy::{page, summary_table, table};
use crate::report::{say, write_json, write_text};
use crate::server::pinning::Pinning;
use crate::trace::{ATTRIBUTION, Trace, Wanted};

/// What to measure.
#[derive(Clone, Debug)]
pub(crate) struct Plan {
    /// Which traces.
    pub(crate) traces: Wanted,
    /// Names of policies; empty for all.
    pub(crate) policies: Vec<String>,
    /// Sizes of the cache, in millionths of the trace's footprint.
    pub(crate) sizes: Vec<u32>,
    /// How often each policy replays each trace at each size, each time from another seed.
    pub(crate) rounds: usize,
    /// What policies look at.
    pub(crate) settings: Settings,
    /// On which core.
    pub(crate) pinning: Pinning,
    /// Decides every random choice.
    pub(crate) seed: u64,
    /// Where the record goes.
    pub(crate) json: Option<PathBuf>,
    /// Where the page goes.
    pub(crate) html: Option<PathBuf>,
}

/// One of those that replay.
#[derive(Clone, Copy, Debug)]
enum Contender {
    /// A server can have it.
    Served(&'static PolicyEntry),
    Lab(Lab),
}

impl Contender {
    fn name(self) -> &'static str {
        match self {
            Self::Served(entry) => entry.name,
            Self::Lab(lab) => lab.name(),
        }
    }
}

/// A policy at one size.
#[derive(Clone, Debug, Serialize)]
pub(crate) struct Entry {
    /// Its name.
    pub(crate) policy: &'static str,
    /// Whether it exists in the lab alone.
    pub(crate) is_lab: bool,
    /// Bytes of mark that each key has under it.
    pub(crate) mark_bytes: u32,
    /// What came of each round.
    pub(crate) rounds: Vec<Outcome>,
}

impl Entry {
    /// The part of the requests that were hits, over the rounds.
    pub(crate) fn hit_ratio(&self, requests: u64) -> Figure {
        let ratio = |round: &Outcome| round.hits as f64 / requests.max(1) as f64;
        Figure::of(self.rounds.iter().map(ratio))
    }

    /// The part of the bytes that were hits, over the rounds.
    pub(crate) fn byte_hit_ratio(&self, bytes: u64) -> Figure {
        let ratio = |round: &Outcome| round.hit_bytes as f64 / bytes.max(1) as f64;
        Figure::of(self.rounds.iter().map(ratio))
    }

    /// A figure of the rounds that have an account.
    pub(crate) fn cost(&self, of: impl Fn(&Outcome, &replay::Cost) -> f64) -> Option<Figure> {
        let costs = self
            .rounds
            .iter()
            .filter_map(|round| Some((round, round.cost.as_ref()?)));
        let figures: Vec<f64> = costs.map(|(round, cost)| of(round, cost)).collect();
        (!figures.is_empty()).then(|| Figure::of(figures))
    }

    /// Bytes of metadata per key: the mark, and what `of` the policy's own.
    pub(crate) fn bytes_per_key(&self, of: impl Fn(&replay::Cost) -> u64) -> Option<f64> {
        let own = self.cost(|round, cost| of(cost) as f64 / round.residents.max(1) as f64);
        own.map(|own| own.median + f64::from(self.mark_bytes))
    }
}

/// One size and how everybody did there.
#[derive(Clone, Debug, Serialize)]
pub(crate) struct Cell {
    /// In millionths of the footprint.
    pub(crate) millionths: u32,
    /// In bytes, or in objects where there are no sizes.
    pub(crate) capacity: u64,
    /// Everybody.
    pub(crate) entries: Vec<Entry>,
}

impl Cell {
    /// The entry of that name.
    pub(crate) fn entry(&self, policy: &str) -> Option<&Entry> {
        self.entries.iter().find(|entry| entry.policy == policy)
    }
}

/// One trace and its sizes.
#[derive(Clone, Debug, Serialize)]
pub(crate) struct TraceRecord {
    /// Its name.
    pub(crate) trace: String,
    /// How many requests it has.
    pub(crate) requests: u64,
    /// How many keys.
    pub(crate) keys: u64,
    /// What all objects take.
    pub(crate) footprint: u64,
    /// What all requests ask for, in bytes.
    pub(crate) bytes_asked: u64,
    /// Whether objects have sizes.
    pub(crate) has_sizes: bool,
    /// Every size that is large enough.
    pub(crate) cells: Vec<Cell>,
}

/// The whole record.
#[derive(Clone, Debug, Serialize)]
pub(crate) struct Record {
    /// What it is the record of.
    pub(crate) scenario: &'static str,
    /// Where and when.
    pub(crate) preamble: Preamble,
    /// Whose traces these are.
    pub(crate) attribution: &'static str,
    /// What policies looked at.
    pub(crate) settings: Settings,
    /// Every trace.
    pub(crate) traces: Vec<TraceRecord>,
}

/// Measures and reports.
///
/// # Errors
/// If a trace cannot be read, a policy is unknown or does what it must not, or a file cannot be
/// written.
pub(crate) fn run(plan: &Plan) -> Result<()> {
    let contenders = contenders(&plan.policies)?;
    let traces = plan.traces.load()?;
    let mut record = Record {
        scenario: "policy",
        preamble: Preamble::begin(plan.pinning, plan.seed)?,
        attribution: ATTRIBUTION,
        settings: plan.settings,
        traces: Vec::new(),
    };
    say(&format!(
        "{} requests per second, {} samples\n{ATTRIBUTION}",
        plan.settings.rate, plan.settings.samples
    ));
    let bar = progress(
        traces
            .iter()
            .map(|trace| steps(plan, trace, &contenders))
            .sum(),
    );
    for trace in &traces {
        let future = Future::of(trace);
        let mut measured = TraceRecord {
            trace: trace.name.clone(),
            requests: trace.keys.len() as u64,
            keys: trace.distinct() as u64,
            footprint: trace.footprint(),
            bytes_asked: trace.bytes_asked(),
            has_sizes: trace.has_sizes(),
            cells: Vec::new(),
        };
        for (millionths, capacity) in capacities(plan, trace) {
            let mut entries: Vec<Entry> = contenders.iter().map(entry_of).collect();
            for round in 0..plan.rounds {
                for index in order(contenders.len(), round, plan.seed) {
                    let contender = contenders[index];
                    let seed = plan.seed.wrapping_add(round as u64);
                    let outcome = match contender {
                        Contender::Served(entry) => {
                            replay::replay(entry, trace, capacity, &plan.settings, seed)?
                        }
                        Contender::Lab(_) if round > 0 => continue,
                        Contender::Lab(lab) => lab.replay(trace, capacity, &future),
                    };
                    entries[index].rounds.push(outcome);
                    bar.inc(trace.keys.len() as u64);
                    bar.set_message(format!("{}: {}", trace.name, contender.name()));
                }
            }
            measured.cells.push(Cell {
                millionths,
                capacity,
                entries,
            });
        }
        bar.suspend(|| say(&table(&measured)));
        record.traces.push(measured);
        report(plan, &record)?;
    }
    bar.finish_and_clear();
    say(&summary_table(&record));
    Ok(())
}

/// Writes what was measured so far to where it is wanted.
fn report(plan: &Plan, record: &Record) -> Result<()> {
    if let Some(path) = &plan.json {
        write_json(path, record)?;
    }
    match &plan.html {
        Some(path) => write_text(path, &page(record)),
        None => Ok(()),
    }
}

/// How many requests will be replayed.
fn steps(plan: &Plan, trace: &Trace, contenders: &[Contender]) -> u64 {
    let rounds = |contender: &Contender| match contender {
        Contender::Served(_) => plan.rounds,
        Contender::Lab(_) => 1,
    };
    let rounds: usize = contenders.iter().map(rounds).sum();
    (capacities(plan, trace).count() * rounds * trace.keys.len()) as u64
}

/// The sizes that are large enough, in millionths and as they are.
fn capacities<'a>(plan: &'a Plan, trace: &'a Trace) -> impl Iterator<Item = (u32, u64)> + 'a {
    let sizes = plan.sizes.iter();
    sizes.filter_map(|&millionths| Some((millionths, trace.capacity(millionths)?)))
}

fn entry_of(contender: &Contender) -> Entry {
    let mark_bytes = match contender {
        Contender::Served(entry) if entry.marks() => 2,
        _ => 0,
    };
    Entry {
        policy: contender.name(),
        is_lab: matches!(contender, Contender::Lab(_)),
        mark_bytes,
        rounds: Vec::new(),
    }
}

/// Those asked for; the ends of the gap, `fifo` and `belady`, always take part.
fn contenders(names: &[String]) -> Result<Vec<Contender>> {
    let served = POLICIES.iter().filter(|row| !row.volatile_only);
    let mut all: Vec<Contender> = served.map(Contender::Served).collect();
    all.extend(Lab::ALL.map(Contender::Lab));
    for name in names {
        if POLICIES
            .iter()
            .any(|row| row.volatile_only && row.name == name)
        {
            bail!("'{name}' is about deadlines, and no trace has any");
        }
        let known = || all.iter().map(|contender| contender.name());
        if !known().any(|known| known == name) {
            let known: Vec<&str> = known().collect();
            bail!(
                "no policy is called '{name}'; there are {}",
                known.join(", ")
            );
        }
    }
    let is_end = |name: &str| name == Lab::Fifo.name() || name == Lab::Belady.name();
    let wants =
        |name: &str| names.is_empty() || is_end(name) || names.iter().any(|own| own == name);
    all.retain(|contender| wants(contender.name()));
    Ok(all)
}

/// The row of that name among those that a server can have.
fn row(name: &str) -> Result<&'static PolicyEntry> {
    let found = POLICIES.iter().find(|row| row.name == name);
    found.with_context(|| format!("there is no policy '{name}' any more"))
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn ends_of_the_gap_take_part_whoever_was_asked_for() {
        let names = |names: &[&str]| -> Result<Vec<&str>> {
            let names: Vec<String> = names.iter().map(|&name| name.to_owned()).collect();
            Ok(contenders(&names)?
                .iter()
                .map(|found| found.name())
                .collect())
        };
        assert_eq!(names(&["sieve"]).unwrap(), ["sieve", "fifo", "belady"]);
        assert!(names(&[]).unwrap().contains(&"exact-lfu"));
        assert!(!names(&[]).unwrap().contains(&"ttl"));
        let error = names(&["ttl"]).unwrap_err();
        assert!(error.to_string().contains("deadlines"));
        let error = names(&["arc"]).unwrap_err();
        assert!(error.to_string().contains("s3fifo"), "{error}");
    }
}
