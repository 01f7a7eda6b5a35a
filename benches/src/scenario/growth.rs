//! The longest moments of a growing server: how much CPU it spends between two answers.
//!
//! One connection fills the server in batches; with every batch another connection asks for a key.
//! Generator and server share a core, so the server sleeps whenever its account is read, and the
//! account is exact; other processes of the machine do not show in it. The figure of a probe is all
//! CPU time that the server's busiest thread has spent since the probe before: the batch, the probe,
//! and whatever it did of its own accord, which is what another client would have waited for.

use std::path::PathBuf;
use std::time::{Duration, Instant};

use anyhow::{Context as _, Result, bail};
use indicatif::ProgressBar;
use serde::Serialize;

use super::{Named, Preamble, progress};
use crate::load::client::{Client, Filling};
use crate::load::replies::Tally;
use crate::measure::cpu::RunTime;
use crate::measure::latency::{Latencies, Percentiles};
use crate::report::{growth_table, say, write_json};
use crate::server::pinning::Pinning;
use crate::server::process::{Scratch, Server};
use crate::server::systems::{Kind, Selection, System};

/// The longest probes that are kept one by one.
const LONGEST: usize = 5;

/// Keys written before the first probe, so that the busiest thread is known.
const BEFORE: u32 = 10_000;

/// What to measure.
#[derive(Clone, Debug)]
pub(crate) struct Plan {
    /// Which servers.
    pub(crate) selection: Selection,
    /// On which core.
    pub(crate) pinning: Pinning,
    /// How many keys.
    pub(crate) keys: u32,
    /// Writes between two probes.
    pub(crate) batch: u32,
    /// Bytes of a value.
    pub(crate) value_bytes: usize,
    /// For the record.
    pub(crate) seed: u64,
    /// Where the record goes.
    pub(crate) json: Option<PathBuf>,
}

/// A probe that took long, and when.
#[derive(Clone, Copy, Debug, PartialEq, Serialize)]
pub(crate) struct LongProbe {
    /// Server CPU in microseconds.
    pub(crate) cpu_us: f64,
    /// Keys in the server then.
    pub(crate) keys: u32,
}

/// One server's growth.
#[derive(Clone, Debug, Serialize)]
pub(crate) struct Stalls {
    /// The server's name.
    pub(crate) system: String,
    /// What it is.
    pub(crate) kind: Kind,
    /// How many probes there were.
    pub(crate) probes: u64,
    /// Server CPU per probe, in microseconds.
    pub(crate) cpu_us: Percentiles,
    /// From the probe's send to its answer, in microseconds; other processes show in it.
    pub(crate) wall_us: Percentiles,
    /// The longest by CPU, longest first.
    pub(crate) longest: Vec<LongProbe>,
    /// Server CPU per key written, probes included, in microseconds.
    pub(crate) cpu_us_per_key: f64,
}

#[derive(Clone, Debug, Serialize)]
struct Record {
    scenario: &'static str,
    preamble: Preamble,
    systems: Vec<Named>,
    keys: u32,
    batch: u32,
    stalls: Vec<Stalls>,
}

/// Measures and reports.
///
/// # Errors
/// If generator and server cannot share a core, or a server cannot be started or filled.
pub(crate) fn run(plan: &Plan) -> Result<()> {
    if !plan.pinning.is_shared() {
        bail!("growth needs generator and server on one core");
    }
    let systems = plan.selection.systems()?;
    let preamble = Preamble::begin(plan.pinning, plan.seed)?;
    let scratch = Scratch::create()?;
    let mut record = Record {
        scenario: "growth",
        preamble,
        systems: vec![],
        keys: plan.keys,
        batch: plan.batch,
        stalls: vec![],
    };
    let bar = progress(systems.len() as u64 * u64::from(plan.keys));
    for system in &systems {
        bar.set_message(system.name.clone());
        let mut server = Server::start(system, &plan.pinning, &scratch)?;
        let named = Named::of(&server);
        bar.suspend(|| say(&format!("  {:<22} {}", named.name, named.version)));
        record.systems.push(named);
        let stalls = measure(plan, system, &server, &bar);
        server.ensure_alive()?;
        record
            .stalls
            .push(stalls.with_context(|| system.name.clone())?);
        if let Some(path) = &plan.json {
            write_json(path, &record)?;
        }
    }
    bar.finish_and_clear();
    say(&growth_table(&record.stalls, plan.keys));
    Ok(())
}

fn measure(plan: &Plan, system: &System, server: &Server, bar: &ProgressBar) -> Result<Stalls> {
    let filling = Filling::strings(plan.value_bytes);
    let mut loader = server.client()?;
    let mut prober = server.client()?;
    let position = bar.position();
    loader.fill(BEFORE.min(plan.keys), &filling, &mut |_| {})?;
    let account = RunTime::of_busiest_thread(server.pid())?;
    let mut probes = Probes::new()?;
    let mut tally = Tally::default();
    let mut requests = Vec::new();
    let mut keys = BEFORE.min(plan.keys);
    let first_keys = keys;
    let begin = account.read()?;
    let mut last = begin;
    while keys < plan.keys {
        requests.clear();
        let batch = plan.batch.min(plan.keys - keys);
        (keys..keys + batch).for_each(|key| filling.write(key, &mut requests));
        keys += batch;
        let sent = Instant::now();
        loader.write(&requests)?;
        probe(&mut prober, &mut tally)?;
        let wall = sent.elapsed();
        loader.collect(u64::from(batch), &mut tally)?;
        let now = account.read()?;
        probes.add(Duration::from_nanos(now.saturating_sub(last)), wall, keys);
        last = now;
        if probes.count.is_multiple_of(1024) {
            bar.set_position(position + u64::from(keys));
        }
    }
    if let Some(error) = tally.first_error {
        bail!("the server refused: {error}");
    }
    if tally.nils > 0 {
        bail!(
            "{} probes of keys that had been written found nothing",
            tally.nils
        );
    }
    bar.set_position(position + u64::from(keys));
    let written = f64::from((keys - first_keys).max(1));
    Ok(Stalls {
        system: system.name.clone(),
        kind: system.kind.clone(),
        probes: probes.count,
        cpu_us: probes.cpu.percentiles(),
        wall_us: probes.wall.percentiles(),
        longest: probes.longest,
        cpu_us_per_key: last.saturating_sub(begin) as f64 / 1e3 / written,
    })
}

/// Asks for a key that is there.
fn probe(prober: &mut Client, tally: &mut Tally) -> Result<()> {
    prober.write(b"*2\r\n$3\r\nGET\r\n$16\r\nkey:000000000007\r\n")?;
    prober.collect(1, tally)
}

/// What all probes add up to.
#[derive(Debug)]
struct Probes {
    count: u64,
    cpu: Latencies,
    wall: Latencies,
    longest: Vec<LongProbe>,
}

impl Probes {
    fn new() -> Result<Self> {
        let (cpu, wall) = (Latencies::new()?, Latencies::new()?);
        Ok(Self {
            count: 0,
            cpu,
            wall,
            longest: Vec::with_capacity(LONGEST + 1),
        })
    }

    fn add(&mut self, cpu: Duration, wall: Duration, keys: u32) {
        self.count += 1;
        self.cpu.record(cpu, 1);
        self.wall.record(wall, 1);
        let cpu_us = cpu.as_secs_f64() * 1e6;
        if self.longest.len() < LONGEST || self.longest.last().is_some_and(|l| l.cpu_us < cpu_us) {
            let at = self
                .longest
                .partition_point(|longer| longer.cpu_us >= cpu_us);
            self.longest.insert(at, LongProbe { cpu_us, keys });
            self.longest.truncate(LONGEST);
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn longest_probes_are_kept_in_order() {
        let mut probes = Probes::new().unwrap();
        for us in [5, 1, 9, 3, 7, 8, 2] {
            probes.add(Duration::from_micros(us), Duration::ZERO, 0);
        }
        let kept: Vec<_> = probes
            .longest
            .iter()
            .map(|probe| probe.cpu_us.round())
            .collect();
        assert_eq!(kept, [9.0, 8.0, 7.0, 5.0, 3.0]);
        assert_eq!(probes.count, 7);
    }
}
