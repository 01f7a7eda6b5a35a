//! SETs under each way of keeping data: what the log and the snapshots cost those who write.
//!
//! Shape: for each setting all servers run and hold all keys; in each round every server is measured
//! once. A save point is switched on, or a rewrite asked for, when a measurement begins, and all of
//! it has ended before the next server's.

use anyhow::{Context as _, Result, anyhow, bail};
use dovetail_backends::poller::epoll::Epoll;
use indicatif::ProgressBar;
use serde::Serialize;

use super::super::progress;
use super::super::wire::{Round, WARM_UP};
use super::control::{begin_rewrite, drain, key_count, set, wait_for, wait_until_idle};
use super::{Entry, Lab, Setting};
use crate::load::client::{Client, Filling};
use crate::load::generator::{Generator, Limit, Load};
use crate::load::keys::Distribution;
use crate::load::workload::Workload;
use crate::matrix::order;
use crate::measure::cpu::{CpuAccount, children_ns};
use crate::measure::io::IoAccount;
use crate::measure::spread::ratio;
use crate::measure::syscalls::Counter;
use crate::report::persist::load_table;
use crate::report::say;
use crate::server::process::Server;
use crate::server::systems::System;

/// Bytes of a log that is made short before the next measurement.
const LOG_MOST: u64 = 256 << 20;

/// The calls that are counted: those that wait for the disk, and then those that write.
const CALLS: &[&str] = &["fsync", "fdatasync", "write", "writev", "pwrite64"];
const SYNCS: usize = 2;

/// One measurement.
#[derive(Clone, Debug, Serialize)]
pub(crate) struct LoadRound {
    /// What the generator saw, and the server's CPU without its children's.
    #[serde(flatten)]
    pub(crate) wire: Round,
    /// Microseconds of CPU of children that made snapshots and rewrites, per request.
    pub(crate) child_us: f64,
    /// Bytes handed to `write` per request, those of children and of some servers' replies included.
    pub(crate) handed: f64,
    /// Bytes of pages made dirty per request, children's included.
    pub(crate) stored: f64,
    /// Snapshots and rewrites that it began.
    pub(crate) made: Option<u64>,
}

/// What a server calls, counted in a run of its own.
#[derive(Clone, Copy, Debug, Serialize)]
pub(crate) struct Calls {
    /// `fsync` and `fdatasync` per second.
    pub(crate) syncs_per_second: f64,
    /// Requests per `fsync` or `fdatasync`, if there was one.
    pub(crate) requests_per_sync: Option<f64>,
    /// `write` and its kin per request, to sockets too.
    pub(crate) writes: f64,
}

/// One server under one load.
#[derive(Clone, Debug, Serialize)]
pub(crate) struct LoadStanding {
    /// Its measurements.
    #[serde(flatten)]
    pub(crate) entry: Entry<LoadRound>,
    /// What it calls.
    pub(crate) calls: Option<Calls>,
}

/// One load and who stood how.
#[derive(Clone, Debug, Serialize)]
pub(crate) struct LoadRecord {
    /// How data are kept.
    pub(crate) setting: Setting,
    /// Requests sent before their replies are awaited.
    pub(crate) pipeline: usize,
    /// Connections of the load.
    pub(crate) connections: usize,
    /// Every server.
    pub(crate) standings: Vec<LoadStanding>,
}

/// Measures and reports; every record goes to `keep`.
pub(super) fn run(lab: &Lab<'_>, keep: &mut dyn FnMut(LoadRecord) -> Result<()>) -> Result<()> {
    let plan = lab.plan;
    let cells = plan.settings.len() * plan.pipeline.len();
    let bar = progress((cells * plan.rounds * lab.systems.len()) as u64);
    let mut without = Vec::new();
    for &setting in &plan.settings {
        let mut contenders: Vec<_> = lab
            .systems
            .iter()
            .map(|system| {
                bar.set_message(format!("{}: filling {}", setting.name(), system.name));
                Contender::start(lab, system, setting)
            })
            .collect();
        for &pipeline in &plan.pipeline {
            let cell = Cell { setting, pipeline };
            let record = measure_cell(lab, &cell, &mut contenders, &bar)?;
            let base: Option<&LoadRecord> = without
                .iter()
                .find(|base: &&LoadRecord| base.pipeline == pipeline);
            bar.suspend(|| say(&load_table(&record, base, plan.pinning.is_shared())));
            if setting == Setting::None {
                without.push(record.clone());
            }
            keep(record)?;
        }
        drop(contenders);
        for system in &lab.systems {
            lab.forget(&directory(setting, system));
        }
    }
    bar.finish_and_clear();
    Ok(())
}

/// One shape of load.
#[derive(Clone, Copy, Debug)]
struct Cell {
    setting: Setting,
    pipeline: usize,
}

fn directory(setting: Setting, system: &System) -> String {
    format!("load-{}-{}", setting.name(), system.name)
}

/// A server under one setting, or why there is none.
struct Contender<'a> {
    system: &'a System,
    server: Result<Server, String>,
}

impl<'a> Contender<'a> {
    fn start(lab: &Lab<'_>, system: &'a System, setting: Setting) -> Self {
        let server = start(lab, system, setting).map_err(|fault| format!("{fault:#}"));
        Self { system, server }
    }
}

fn start(lab: &Lab<'_>, system: &System, setting: Setting) -> Result<Server> {
    let directory = directory(setting, system);
    lab.forget(&directory);
    let server = lab.start(system, setting, &directory)?;
    let mut client = server.client()?;
    let filling = Filling::strings(lab.plan.value_bytes);
    client.fill(lab.plan.keys, &filling, &mut |_| {})?;
    let count = key_count(&mut client)?;
    if count != u64::from(lab.plan.keys) {
        bail!("{count} keys after {} were written", lab.plan.keys);
    }
    wait_until_idle(&mut client)?;
    Ok(server)
}

fn measure_cell(
    lab: &Lab<'_>,
    cell: &Cell,
    contenders: &mut [Contender<'_>],
    bar: &ProgressBar,
) -> Result<LoadRecord> {
    let plan = lab.plan;
    let said = format!("{} P={}", cell.setting.name(), cell.pipeline);
    let mut entries: Vec<_> = contenders.iter().map(|c| Entry::of(c.system)).collect();
    for round in 0..plan.rounds {
        for index in order(contenders.len(), round, plan.seed) {
            let contender = &mut contenders[index];
            bar.inc(1);
            bar.set_message(format!(
                "{said}: round {}, {}",
                round + 1,
                contender.system.name
            ));
            let seed = plan.seed.wrapping_add(round as u64);
            entries[index].note(contender.outcome(|server| {
                let load = load(lab, cell, server, seed)?;
                measure(lab, cell, server, &load)
            }));
        }
    }
    let mut standings = Vec::new();
    for (contender, mut entry) in contenders.iter_mut().zip(entries) {
        let mut calls = None;
        if let Some(counter) = plan.counter.filter(|_| cell.setting.has_log()) {
            bar.set_message(format!("{said}: system calls of {}", contender.system.name));
            let counted = contender.outcome(|server| {
                let load = load(lab, cell, server, plan.seed)?;
                count(lab, counter, server, &load)
            });
            match counted {
                Ok(counted) => calls = Some(counted),
                Err(fault) => entry.fault = Some(format!("{fault:#}")),
            }
        }
        standings.push(LoadStanding { entry, calls });
    }
    Ok(LoadRecord {
        setting: cell.setting,
        pipeline: cell.pipeline,
        connections: plan.connections,
        standings,
    })
}

impl Contender<'_> {
    /// What comes of `work`. A server that failed is measured no more: it may still be at it.
    fn outcome<T>(&mut self, work: impl FnOnce(&Server) -> Result<T>) -> Result<T> {
        let server = match &mut self.server {
            Ok(server) => server,
            Err(fault) => bail!("{fault}"),
        };
        let outcome = work(server).and_then(|made| server.ensure_alive().map(|()| made));
        if let Err(fault) = &outcome {
            self.server = Err(format!("{fault:#}"));
        }
        outcome
    }
}

fn load(lab: &Lab<'_>, cell: &Cell, server: &Server, seed: u64) -> Result<Load> {
    Ok(Load {
        addr: server.addr(),
        workload: Workload::parse("set").map_err(|text| anyhow!(text))?,
        connections: lab.plan.connections,
        pipeline: cell.pipeline,
        value_bytes: lab.plan.value_bytes,
        keys: lab.plan.keys,
        distribution: Distribution::Uniform,
        seed,
    })
}

/// What a server has consumed, its children included.
struct Accounts {
    child_ns: u64,
    io: IoAccount,
    made: Option<u64>,
}

impl Accounts {
    /// Reads them when nothing is being saved.
    fn read(server: &Server, client: &mut Client) -> Result<Self> {
        let made = wait_until_idle(client)?.made;
        Ok(Self {
            child_ns: children_ns(server.pid())?,
            io: IoAccount::read(server.pid()).context("reading what it has written")?,
            made,
        })
    }
}

fn measure(lab: &Lab<'_>, cell: &Cell, server: &Server, load: &Load) -> Result<LoadRound> {
    let mut client = server.client()?;
    shorten(cell.setting, &mut client)?;
    drain(lab.scratch.path());
    let mut generator = Generator::<Epoll>::connect(load)?;
    generator.run(Limit::Time(WARM_UP))?;
    let before = Accounts::read(server, &mut client)?;
    match cell.setting {
        Setting::Rdb => set(&mut client, "save", "1 1")?,
        Setting::Hybrid => {
            begin_rewrite(&mut client)?;
        }
        _ => {}
    }
    let cpu_before = CpuAccount::read(server.pid())?;
    let outcome = generator.run(Limit::Time(lab.plan.span))?;
    let cpu = CpuAccount::read(server.pid())?.since(&cpu_before);
    if cell.setting == Setting::Rdb {
        set(&mut client, "save", "")?;
    }
    let after = Accounts::read(server, &mut client)?;
    let requests = outcome.requests.max(1) as f64;
    let io = after.io.since(&before.io);
    Ok(LoadRound {
        wire: Round::of(outcome, &cpu),
        child_us: after.child_ns.saturating_sub(before.child_ns) as f64 / 1e3 / requests,
        handed: io.handed as f64 / requests,
        stored: io.stored as f64 / requests,
        made: after
            .made
            .zip(before.made)
            .map(|(after, before)| after.saturating_sub(before)),
    })
}

/// Keeps a log from filling the disk.
fn shorten(setting: Setting, client: &mut Client) -> Result<()> {
    let keeping = wait_until_idle(client)?;
    if setting.has_log() && keeping.log_bytes.is_some_and(|bytes| bytes > LOG_MOST) {
        let rewrite = begin_rewrite(client)?;
        wait_for(client, rewrite, &mut || Ok(()))?;
    }
    Ok(())
}

fn count(lab: &Lab<'_>, counter: Counter, server: &Server, load: &Load) -> Result<Calls> {
    let mut generator = Generator::<Epoll>::connect(load)?;
    generator.run(Limit::Requests(1))?;
    let counting = counter.attach_to(CALLS, server.pid(), lab.scratch.path())?;
    let outcome = generator.run(Limit::Time(lab.plan.span))?;
    let counts = counting.finish_each(CALLS)?;
    let (syncs, writes) = counts.split_at(SYNCS);
    let sum = |counts: &[u64]| counts.iter().sum::<u64>() as f64;
    let requests = outcome.requests as f64;
    Ok(Calls {
        syncs_per_second: sum(syncs) / outcome.elapsed.as_secs_f64(),
        requests_per_sync: ratio(requests, sum(syncs)),
        writes: sum(writes) / requests.max(1.0),
    })
}
