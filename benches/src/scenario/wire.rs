//! Throughput, latency and cost over sockets: every server under the same load, interleaved.
//!
//! Shape: all servers run from beginning to end; for each cell of the matrix there are rounds, in
//! each of which every server is measured once, in a shuffled order and then back. A measurement is
//! connect, warm up, read the accounts, run, read the accounts.

use std::path::PathBuf;
use std::time::Duration;

use anyhow::{Context as _, Result};
use dovetail_backends::poller::epoll::Epoll;
use indicatif::ProgressBar;
use serde::Serialize;

use super::{Named, Preamble, progress};
use crate::load::client::{Client, Filling};
use crate::load::generator::{Generator, Limit, Load, Outcome};
use crate::load::keys::Distribution;
use crate::load::workload::{Preload, Workload};
use crate::matrix::{Axes, Cell, Combine, cells, order};
use crate::measure::cpu::CpuAccount;
use crate::measure::latency::Percentiles;
use crate::measure::spread::Figure;
use crate::measure::syscalls::Counter;
use crate::report::{self, say, wire_table};
use crate::server::pinning::Pinning;
use crate::server::process::{Scratch, Server};
use crate::server::systems::{Kind, Selection, System};

/// How long a load runs before it is measured.
pub(crate) const WARM_UP: Duration = Duration::from_millis(150);

/// Batches of a run that counts system calls, at least, and per connection.
const COUNTED_BATCHES: usize = 20_000;
const COUNTED_BATCHES_EACH: usize = 20;

/// What to measure.
#[derive(Clone, Debug)]
pub(crate) struct Plan {
    /// Which servers.
    pub(crate) selection: Selection,
    /// On which cores.
    pub(crate) pinning: Pinning,
    /// Under which loads.
    pub(crate) workloads: Vec<Workload>,
    /// In which shapes.
    pub(crate) axes: Axes,
    /// How the shapes are combined.
    pub(crate) combine: Combine,
    /// Keys to choose from.
    pub(crate) keys: u32,
    /// How.
    pub(crate) distribution: Distribution,
    /// How much each measurement is.
    pub(crate) limit: Limit,
    /// How many of them.
    pub(crate) rounds: usize,
    /// Decides every random choice.
    pub(crate) seed: u64,
    /// What counts system calls, if anything.
    pub(crate) counter: Option<Counter>,
    /// Where the record goes.
    pub(crate) json: Option<PathBuf>,
}

/// One measurement.
#[derive(Clone, Debug, Serialize)]
pub(crate) struct Round {
    /// Requests answered.
    pub(crate) requests: u64,
    /// How long that took.
    pub(crate) seconds: f64,
    /// Requests per second.
    pub(crate) rate: f64,
    /// Latencies in microseconds.
    pub(crate) latency_us: Percentiles,
    /// Microseconds of server CPU per request.
    pub(crate) cpu_us: f64,
    /// The part of that in user mode.
    pub(crate) cpu_user_us: f64,
    /// The part of that in the kernel.
    pub(crate) cpu_system_us: f64,
    /// Requests per time that the server went to sleep; 0 if it never did.
    pub(crate) requests_per_sleep: f64,
    /// The part of the time that the server had a core.
    pub(crate) server_busy: f64,
    /// The part of the time that the generator had a core.
    pub(crate) client_busy: f64,
    /// Microseconds of generator CPU per request.
    pub(crate) client_us: f64,
    /// Error replies.
    pub(crate) errors: u64,
    /// The first of them.
    pub(crate) first_error: Option<String>,
    /// Nil replies.
    pub(crate) nils: u64,
}

impl Round {
    /// Of what the generator saw and what the server consumed meanwhile.
    pub(crate) fn of(outcome: Outcome, cpu: &CpuAccount) -> Self {
        let requests = outcome.requests.max(1) as f64;
        let seconds = outcome.elapsed.as_secs_f64();
        let cpu_us = cpu.run_ns as f64 / 1e3 / requests;
        let user_us = cpu_us * cpu.user_share();
        Self {
            requests: outcome.requests,
            seconds,
            rate: requests / seconds,
            latency_us: outcome.latencies.percentiles(),
            cpu_us,
            cpu_user_us: user_us,
            cpu_system_us: cpu_us - user_us,
            requests_per_sleep: if cpu.sleeps == 0 {
                0.0
            } else {
                requests / cpu.sleeps as f64
            },
            server_busy: cpu.run_ns as f64 / 1e9 / seconds,
            client_busy: outcome.own_ns as f64 / 1e9 / seconds,
            client_us: outcome.own_ns as f64 / 1e3 / requests,
            errors: outcome.tally.errors,
            first_error: outcome.tally.first_error,
            nils: outcome.tally.nils,
        }
    }
}

/// One server in one cell.
#[derive(Clone, Debug, Serialize)]
pub(crate) struct Standing {
    /// The server's name.
    pub(crate) system: String,
    /// What it is.
    pub(crate) kind: Kind,
    /// Every measurement.
    pub(crate) rounds: Vec<Round>,
    /// System calls per request.
    pub(crate) syscalls: Option<f64>,
}

impl Standing {
    /// Median and spread of one figure over the rounds.
    pub(crate) fn figure(&self, of: impl Fn(&Round) -> f64) -> Figure {
        Figure::of(self.rounds.iter().map(of))
    }
}

/// One cell and who stood how.
#[derive(Clone, Debug, Serialize)]
pub(crate) struct CellRecord {
    /// The shape of the load.
    pub(crate) cell: Cell,
    /// Every server.
    pub(crate) standings: Vec<Standing>,
}

/// The whole record.
#[derive(Clone, Debug, Serialize)]
struct Record {
    scenario: &'static str,
    preamble: Preamble,
    systems: Vec<Named>,
    keys: u32,
    distribution: String,
    counter: Option<Counter>,
    cells: Vec<CellRecord>,
}

/// A server in the matrix and what it has been filled with.
#[derive(Debug)]
struct Contender {
    system: System,
    server: Server,
    filled: Vec<(Preload, usize)>,
}

/// Measures and reports.
///
/// # Errors
/// If a server cannot be started, ends, or answers what is no reply.
pub(crate) fn run(plan: &Plan) -> Result<()> {
    let systems = plan.selection.systems()?;
    let preamble = Preamble::begin(plan.pinning, plan.seed)?;
    let scratch = Scratch::create()?;
    let mut contenders = Vec::new();
    for system in systems {
        let server = Server::start(&system, &plan.pinning, &scratch)?;
        say(&format!("  {:<22} {}", server.name(), server.version()));
        contenders.push(Contender {
            system,
            server,
            filled: Vec::new(),
        });
    }
    let cells = cells(&plan.workloads, &plan.axes, plan.combine);
    let mut record = Record {
        scenario: "wire",
        preamble,
        systems: contenders
            .iter()
            .map(|contender| Named::of(&contender.server))
            .collect(),
        keys: plan.keys,
        distribution: plan.distribution.to_string(),
        counter: plan.counter,
        cells: Vec::new(),
    };
    let bar = progress((cells.len() * contenders.len() * plan.rounds) as u64);
    for cell in cells {
        let measured = measure_cell(plan, &cell, &mut contenders, &scratch, &bar)?;
        bar.suspend(|| say(&wire_table(&measured, plan.pinning.is_shared())));
        record.cells.push(measured);
        if let Some(path) = &plan.json {
            report::write_json(path, &record)?;
        }
    }
    bar.finish_and_clear();
    Ok(())
}

fn measure_cell(
    plan: &Plan,
    cell: &Cell,
    contenders: &mut [Contender],
    scratch: &Scratch,
    bar: &ProgressBar,
) -> Result<CellRecord> {
    let workload = plan
        .workloads
        .iter()
        .find(|workload| workload.name == cell.workload);
    let workload = workload.context("a cell of an unknown workload")?;
    let suits = |contender: &Contender| workload.suits_null_responder() || !contender.is_null();
    let mut standings: Vec<Standing> = contenders
        .iter()
        .map(|contender| Standing {
            system: contender.system.name.clone(),
            kind: contender.system.kind.clone(),
            rounds: Vec::new(),
            syscalls: None,
        })
        .collect();
    for contender in contenders.iter_mut().filter(|contender| suits(contender)) {
        bar.set_message(format!("{cell}: filling {}", contender.system.name));
        let filled = contender.fill(plan, workload, cell.value_bytes);
        contender.server.ensure_alive()?;
        filled.with_context(|| format!("filling {}", contender.system.name))?;
    }
    for round in 0..plan.rounds {
        for index in order(contenders.len(), round, plan.seed) {
            let contender = &mut contenders[index];
            bar.inc(1);
            if !suits(contender) {
                continue;
            }
            bar.set_message(format!(
                "{cell}: round {}, {}",
                round + 1,
                contender.system.name
            ));
            let seed = plan.seed.wrapping_add(round as u64);
            let renewed = contender.renew(plan, workload, cell.value_bytes);
            renewed.with_context(|| format!("filling {}", contender.system.name))?;
            let load = load(plan, workload, cell, contender, seed);
            let measured = measure(&load, plan.limit, contender);
            contender.server.ensure_alive()?;
            let measured = measured.with_context(|| contender.system.name.clone())?;
            standings[index].rounds.push(measured);
        }
    }
    if let Some(counter) = plan.counter {
        for (contender, standing) in contenders.iter_mut().zip(&mut standings) {
            if suits(contender) {
                bar.set_message(format!("{cell}: system calls of {}", contender.system.name));
                let load = load(plan, workload, cell, contender, plan.seed);
                standing.syscalls = Some(count_syscalls(counter, &load, contender, scratch)?);
                contender.server.ensure_alive()?;
            }
        }
    }
    standings.retain(|standing| !standing.rounds.is_empty());
    Ok(CellRecord {
        cell: cell.clone(),
        standings,
    })
}

impl Contender {
    /// Fills the server with what the workload expects, unless that is there already.
    fn fill(&mut self, plan: &Plan, workload: &Workload, value_bytes: usize) -> Result<()> {
        let mut client = self.server.client()?;
        for preload in workload.preloads() {
            let wanted = (preload.clone(), value_bytes);
            if self.filled.contains(&wanted) {
                continue;
            }
            self.write(&mut client, &preload, plan, value_bytes)?;
            self.filled.retain(|(kind, _)| *kind != preload);
            self.filled.push(wanted);
        }
        if self.is_null() {
            // It learns the size of a value from one.
            client.fill(1, &Filling::strings(value_bytes), &mut |_| {})?;
        }
        Ok(())
    }

    /// Writes afresh what the load uses up.
    fn renew(&self, plan: &Plan, workload: &Workload, value_bytes: usize) -> Result<()> {
        let renewed = workload.renewed();
        if renewed.is_empty() || self.is_null() {
            return Ok(());
        }
        let mut client = self.server.client()?;
        for preload in &renewed {
            self.write(&mut client, preload, plan, value_bytes)?;
        }
        Ok(())
    }

    fn write(
        &self,
        client: &mut Client,
        preload: &Preload,
        plan: &Plan,
        value_bytes: usize,
    ) -> Result<()> {
        if self.is_null() {
            return Ok(());
        }
        let (filling, times) = Filling::for_preload(preload, value_bytes, plan.keys);
        client.fill(times, &filling, &mut |_| {})
    }

    fn is_null(&self) -> bool {
        matches!(self.system.kind, Kind::Null(_))
    }
}

fn load(plan: &Plan, workload: &Workload, cell: &Cell, contender: &Contender, seed: u64) -> Load {
    Load {
        addr: contender.server.addr(),
        workload: workload.clone(),
        connections: cell.connections,
        pipeline: cell.pipeline,
        value_bytes: cell.value_bytes,
        keys: plan.keys,
        distribution: plan.distribution,
        seed,
    }
}

fn measure(load: &Load, limit: Limit, contender: &Contender) -> Result<Round> {
    let mut generator = Generator::<Epoll>::connect(load)?;
    generator.run(Limit::Time(WARM_UP))?;
    let before = CpuAccount::read(contender.server.pid())?;
    let outcome = generator.run(limit)?;
    let cpu = CpuAccount::read(contender.server.pid())?.since(&before);
    Ok(Round::of(outcome, &cpu))
}

fn count_syscalls(
    counter: Counter,
    load: &Load,
    contender: &Contender,
    scratch: &Scratch,
) -> Result<f64> {
    let mut generator = Generator::<Epoll>::connect(load)?;
    generator.run(Limit::Requests(1))?;
    let counting = counter.attach(contender.server.pid(), scratch.path())?;
    let batches = COUNTED_BATCHES.max(COUNTED_BATCHES_EACH * load.connections);
    let outcome = generator.run(Limit::Requests((batches * load.pipeline) as u64))?;
    let calls = counting.finish()?;
    Ok(calls as f64 / outcome.requests.max(1) as f64)
}
