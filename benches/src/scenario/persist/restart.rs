//! What it costs to start from what was kept: a snapshot, a log of commands, and a log that begins
//! with a snapshot.
//!
//! Shape: every server makes its own files once; in each round every server is started from them and
//! killed. The files are in the kernel's cache, so what is measured is the reading, not the disk.

use anyhow::{Context as _, Result, bail};
use serde::Serialize;

use super::super::progress;
use super::control::{begin_rewrite, begin_snapshot, drain, key_count, wait_for};
use super::{Entry, Lab, Setting};
use crate::load::client::{Client, Filling, Reply};
use crate::load::workload::value;
use crate::matrix::order;
use crate::measure::cpu::CpuAccount;
use crate::report::persist::restart_table;
use crate::report::say;
use crate::server::systems::System;

/// Keys whose values are looked at.
const SAMPLES: u32 = 100;

/// The part of a log's commands that is written again behind its snapshot.
const TAIL: u32 = 10;

/// What a server starts from.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Serialize)]
#[serde(rename_all = "lowercase")]
pub(crate) enum Source {
    /// A snapshot.
    Rdb,
    /// A log of SET commands.
    Aof,
    /// A snapshot and a log of SET commands for a tenth of its keys.
    Hybrid,
}

const SOURCES: &[Source] = &[Source::Rdb, Source::Aof, Source::Hybrid];

impl Source {
    /// Its name in tables.
    pub(crate) fn name(self) -> &'static str {
        match self {
            Self::Rdb => "rdb",
            Self::Aof => "aof",
            Self::Hybrid => "hybrid",
        }
    }

    fn setting(self) -> Setting {
        match self {
            Self::Rdb => Setting::None,
            Self::Aof => Setting::AofEverysec,
            Self::Hybrid => Setting::Hybrid,
        }
    }
}

/// One start.
#[derive(Clone, Copy, Debug, Serialize)]
pub(crate) struct RestartRound {
    /// The server's CPU until it answered, in seconds.
    pub(crate) cpu_s: f64,
    /// From the start of its process to its first PONG, in seconds.
    pub(crate) wall_s: f64,
    /// Bytes of the files that it started from.
    pub(crate) bytes: u64,
}

/// One source and how all servers started from it.
#[derive(Clone, Debug, Serialize)]
pub(crate) struct RestartRecord {
    /// What it was.
    pub(crate) source: Source,
    /// Keys in it.
    pub(crate) keys: u32,
    /// Every server.
    pub(crate) entries: Vec<Entry<RestartRound>>,
}

/// Measures and reports; every record goes to `keep`.
pub(super) fn run(lab: &Lab<'_>, keep: &mut dyn FnMut(RestartRecord) -> Result<()>) -> Result<()> {
    let plan = lab.plan;
    let bar = progress((SOURCES.len() * (plan.rounds + 1) * lab.systems.len()) as u64);
    for &source in SOURCES {
        let keys = match source {
            Source::Rdb => plan.keys,
            Source::Aof | Source::Hybrid => plan.commands,
        };
        let mut entries: Vec<Entry<RestartRound>> = lab.systems.iter().map(Entry::of).collect();
        for (system, entry) in lab.systems.iter().zip(&mut entries) {
            bar.inc(1);
            bar.set_message(format!("{}: filling {}", source.name(), system.name));
            if let Err(fault) = prepare(lab, system, source, keys) {
                entry.fault = Some(format!("{fault:#}"));
            }
        }
        drain(lab.scratch.path());
        for round in 0..plan.rounds {
            for index in order(entries.len(), round, plan.seed) {
                bar.inc(1);
                let system = &lab.systems[index];
                bar.set_message(format!(
                    "{}: round {}, {}",
                    source.name(),
                    round + 1,
                    system.name
                ));
                if entries[index].fault.is_none() {
                    entries[index].note(measure(lab, system, source, keys));
                }
            }
        }
        for system in &lab.systems {
            lab.forget(&directory(source, system));
        }
        let record = RestartRecord {
            source,
            keys,
            entries,
        };
        bar.suspend(|| say(&restart_table(&record)));
        keep(record)?;
    }
    bar.finish_and_clear();
    Ok(())
}

fn directory(source: Source, system: &System) -> String {
    format!("restart-{}-{}", source.name(), system.name)
}

/// Has a server make its files.
fn prepare(lab: &Lab<'_>, system: &System, source: Source, keys: u32) -> Result<()> {
    let directory = directory(source, system);
    lab.forget(&directory);
    let server = lab.start(system, source.setting(), &directory)?;
    let mut client = server.client()?;
    let filling = Filling::strings(lab.plan.value_bytes);
    client.fill(keys, &filling, &mut |_| {})?;
    let order = match source {
        Source::Rdb => Some(begin_snapshot(&mut client)?),
        Source::Aof => None,
        Source::Hybrid => Some(begin_rewrite(&mut client)?),
    };
    if let Some(order) = order {
        wait_for(&mut client, order, &mut || Ok(()))?;
    }
    if source == Source::Hybrid {
        client.fill(keys / TAIL, &filling, &mut |_| {})?;
    }
    drop(client);
    server.shut_down()
}

fn measure(lab: &Lab<'_>, system: &System, source: Source, keys: u32) -> Result<RestartRound> {
    let server = lab.start(system, source.setting(), &directory(source, system))?;
    let cpu = CpuAccount::read(server.pid())?;
    let round = RestartRound {
        cpu_s: cpu.run_ns as f64 / 1e9,
        wall_s: server.ready_after().as_secs_f64(),
        bytes: server.kept_bytes(),
    };
    let data = value(lab.plan.value_bytes);
    check(&mut server.client()?, keys, &data).context("what it started with is wrong")?;
    Ok(round)
}

/// Whether all keys are there, and some of them right.
fn check(client: &mut Client, keys: u32, data: &[u8]) -> Result<()> {
    let count = key_count(client)?;
    if count != u64::from(keys) {
        bail!("it has {count} keys of {keys}");
    }
    for sample in 0..SAMPLES.min(keys) {
        let number = u64::from(sample) * u64::from(keys) / u64::from(SAMPLES.min(keys));
        let key = format!("key:{number:012}");
        let reply = client.ask(&["GET", &key])?;
        if reply != Reply::Text(Some(data.to_vec())) {
            bail!("{key} holds {reply:?}");
        }
    }
    Ok(())
}
