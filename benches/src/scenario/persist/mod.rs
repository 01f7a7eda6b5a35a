//! What it costs to keep data: writing under every way of keeping it, snapshots, and starting from
//! what was kept.
//!
//! Servers are driven by Redis's directives, commands and INFO alone. One that refuses is listed with
//! its reason instead of being measured.

pub(crate) mod codec;
mod control;
pub(crate) mod load;
pub(crate) mod restart;
pub(crate) mod snapshot;

use std::path::PathBuf;
use std::time::Duration;

use anyhow::{Result, bail};
use clap::ValueEnum;
use serde::Serialize;

use self::control::Keeping;
use super::{Named, Preamble};
use crate::measure::spread::Figure;
use crate::measure::syscalls::Counter;
use crate::report::{say, write_json};
use crate::server::pinning::Pinning;
use crate::server::process::{Scratch, Server, Start};
use crate::server::systems::{Kind, Selection, System};

/// How long a server may take to read what it has kept.
const STARTING: Duration = Duration::from_secs(600);

/// What can be measured.
#[derive(Clone, Copy, Debug, PartialEq, Eq, ValueEnum)]
pub(crate) enum Part {
    /// SETs under each way of keeping data
    Load,
    /// Snapshots, quiet and under writes
    Snapshot,
    /// Starting from a snapshot, from a log, and from both
    Restart,
    /// Our codec of snapshots alone, without a server or a disk
    Codec,
}

/// A way of keeping data.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Serialize, ValueEnum)]
#[serde(rename_all = "kebab-case")]
pub(crate) enum Setting {
    /// Nothing is kept
    None,
    /// Snapshots, as often as save points allow: one second after the one before
    Rdb,
    /// A log that the kernel writes when it likes
    AofNo,
    /// A log on the disk every second
    AofEverysec,
    /// A log on the disk before the reply
    AofAlways,
    /// A log on the disk every second that is being rewritten as a snapshot
    Hybrid,
}

impl Setting {
    /// Its name, as on the command line.
    pub(crate) fn name(self) -> String {
        let value = self.to_possible_value();
        value.map_or_else(String::new, |value| value.get_name().to_owned())
    }

    /// What a server's command ends with. Nothing is rewritten or saved but when it is told to.
    fn options(self) -> Vec<String> {
        let (sync, preamble) = match self {
            Self::None | Self::Rdb => return Vec::new(),
            Self::AofNo => ("no", "no"),
            Self::AofEverysec => ("everysec", "no"),
            Self::AofAlways => ("always", "no"),
            Self::Hybrid => ("everysec", "yes"),
        };
        let options = [
            ["--appendonly", "yes"],
            ["--appendfsync", sync],
            ["--aof-use-rdb-preamble", preamble],
            ["--auto-aof-rewrite-percentage", "0"],
        ];
        options.concat().into_iter().map(str::to_owned).collect()
    }

    /// Whether snapshots are made while data are written.
    pub(crate) fn has_snapshots(self) -> bool {
        matches!(self, Self::Rdb | Self::Hybrid)
    }

    /// Whether there is a log.
    fn has_log(self) -> bool {
        !matches!(self, Self::None | Self::Rdb)
    }
}

/// How many times cheaper than the best peer it was meant to be, where anything was meant.
pub(crate) fn goal(row: &str) -> Option<f64> {
    let goal = GOALS.iter().find(|(name, _)| *name == row);
    goal.map(|(_, goal)| *goal)
}

const GOALS: &[(&str, f64)] = &[
    ("load aof-everysec P=1", 1.2),
    ("load aof-everysec P=16", 2.0),
    ("load aof-always P=1", 1.5),
    ("load aof-always P=16", 1.5),
    ("snapshot CPU", 2.0),
    ("snapshot fork", 1.5),
    ("snapshot peak", 1.3),
    ("restart rdb", 2.5),
    ("restart aof", 2.0),
];

/// What to measure.
#[derive(Clone, Debug)]
pub(crate) struct Plan {
    /// Which servers.
    pub(crate) selection: Selection,
    /// On which cores.
    pub(crate) pinning: Pinning,
    /// Which parts.
    pub(crate) parts: Vec<Part>,
    /// `load`: under which settings.
    pub(crate) settings: Vec<Setting>,
    /// `load`: connections.
    pub(crate) connections: usize,
    /// `load`: requests sent before their replies are awaited.
    pub(crate) pipeline: Vec<usize>,
    /// `load`: how long each measurement is.
    pub(crate) span: Duration,
    /// Bytes of a value.
    pub(crate) value_bytes: usize,
    /// Keys to choose from, in a snapshot, and of the codec.
    pub(crate) keys: u32,
    /// `restart`: commands in a log.
    pub(crate) commands: u32,
    /// `snapshot`: SETs per second while it is made.
    pub(crate) rate: u32,
    /// Measurements of each.
    pub(crate) rounds: usize,
    /// Decides every random choice.
    pub(crate) seed: u64,
    /// What counts system calls, if anything.
    pub(crate) counter: Option<Counter>,
    /// Where servers keep their data; the system's temporary files without it.
    pub(crate) directory: Option<PathBuf>,
    /// `codec`: a snapshot of somebody's to be read.
    pub(crate) file: Option<PathBuf>,
    /// Where the record goes.
    pub(crate) json: Option<PathBuf>,
}

/// One server and all its measurements.
#[derive(Clone, Debug, Serialize)]
pub(crate) struct Entry<R> {
    /// The server's name.
    pub(crate) system: String,
    /// What it is.
    pub(crate) kind: Kind,
    /// Every measurement.
    pub(crate) rounds: Vec<R>,
    /// Why there is none, or no more.
    pub(crate) fault: Option<String>,
}

impl<R> Entry<R> {
    /// Nothing of a server yet.
    pub(crate) fn of(system: &System) -> Self {
        Self {
            system: system.name.clone(),
            kind: system.kind.clone(),
            rounds: Vec::new(),
            fault: None,
        }
    }

    /// Median and spread of one figure over the rounds.
    pub(crate) fn figure(&self, of: impl Fn(&R) -> f64) -> Figure {
        Figure::of(self.rounds.iter().map(of))
    }

    /// The same of a figure that not every server has.
    pub(crate) fn some(&self, of: impl Fn(&R) -> Option<f64>) -> Option<f64> {
        let figures: Vec<f64> = self.rounds.iter().filter_map(of).collect();
        (!figures.is_empty()).then(|| Figure::of(figures).median)
    }

    /// Keeps a measurement, or the reason why there is none.
    pub(crate) fn note(&mut self, outcome: Result<R>) {
        match outcome {
            Ok(round) => self.rounds.push(round),
            Err(fault) => self.fault = Some(format!("{fault:#}")),
        }
    }
}

/// The whole record.
#[derive(Clone, Debug, Serialize)]
struct Record {
    scenario: &'static str,
    preamble: Preamble,
    systems: Vec<Named>,
    counter: Option<Counter>,
    connections: usize,
    value_bytes: usize,
    keys: u32,
    commands: u32,
    rate: u32,
    load: Vec<load::LoadRecord>,
    snapshot: Option<snapshot::SnapshotRecord>,
    restart: Vec<restart::RestartRecord>,
    codec: Vec<codec::Case>,
}

/// Measures and reports.
///
/// # Errors
/// If no server is found, a directory cannot be made, or our own codec fails.
pub(crate) fn run(plan: &Plan) -> Result<()> {
    let systems = if plan.parts.iter().all(|part| *part == Part::Codec) {
        Vec::new()
    } else {
        plan.selection.systems()?
    };
    let preamble = Preamble::begin(plan.pinning, plan.seed)?;
    let scratch = match &plan.directory {
        Some(directory) => Scratch::create_in(&directory.canonicalize()?)?,
        None => Scratch::create()?,
    };
    let lab = Lab {
        plan,
        systems,
        scratch,
    };
    let mut record = Record {
        scenario: "persist",
        preamble,
        systems: lab.introduce()?,
        counter: plan.counter,
        connections: plan.connections,
        value_bytes: plan.value_bytes,
        keys: plan.keys,
        commands: plan.commands,
        rate: plan.rate,
        load: Vec::new(),
        snapshot: None,
        restart: Vec::new(),
        codec: Vec::new(),
    };
    for part in &plan.parts {
        match part {
            Part::Load => load::run(&lab, &mut |cell| {
                record.load.push(cell);
                lab.keep(&record)
            })?,
            Part::Snapshot => record.snapshot = Some(snapshot::run(&lab)?),
            Part::Restart => restart::run(&lab, &mut |source| {
                record.restart.push(source);
                lab.keep(&record)
            })?,
            Part::Codec => record.codec = codec::run(plan)?,
        }
        lab.keep(&record)?;
    }
    Ok(())
}

/// What every part needs.
#[derive(Debug)]
struct Lab<'a> {
    plan: &'a Plan,
    systems: Vec<System>,
    scratch: Scratch,
}

impl Lab<'_> {
    /// Starts every server once and says what it is.
    fn introduce(&self) -> Result<Vec<Named>> {
        let mut named = Vec::new();
        for system in &self.systems {
            let server = Server::start(system, &self.plan.pinning, &self.scratch)?;
            say(&format!("  {:<22} {}", server.name(), server.version()));
            named.push(Named::of(&server));
        }
        Ok(named)
    }

    /// Starts a server that keeps what `setting` says in a directory of that name.
    fn start(&self, system: &System, setting: Setting, directory: &str) -> Result<Server> {
        let start = Start {
            directory: self.scratch.path().join(directory),
            options: &setting.options(),
            patience: STARTING,
        };
        let server = Server::start_in(system, &self.plan.pinning, &start)?;
        if setting.has_log() && !Keeping::ask(&mut server.client()?)?.has_log {
            bail!("it was told to keep a log, and says that it has none");
        }
        Ok(server)
    }

    /// Forgets what was kept in a directory.
    fn forget(&self, directory: &str) {
        // What cannot be removed goes with the whole in the end.
        std::fs::remove_dir_all(self.scratch.path().join(directory)).ok();
    }

    fn keep(&self, record: &Record) -> Result<()> {
        match &self.plan.json {
            Some(path) => write_json(path, record),
            None => Ok(()),
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn settings_are_said_in_redis_words() {
        assert!(Setting::None.options().is_empty());
        let words = Setting::Hybrid.options().join(" ");
        let expected = "--appendonly yes --appendfsync everysec --aof-use-rdb-preamble yes \
            --auto-aof-rewrite-percentage 0";
        assert_eq!(words, expected);
        assert!(Setting::AofAlways.has_log() && !Setting::Rdb.has_log());
    }

    #[test]
    fn goals_are_found_by_their_rows() {
        let row = format!("load {} P=16", Setting::AofEverysec.name());
        assert_eq!(goal(&row), Some(2.0));
        assert_eq!(goal("load none P=1"), None);
    }

    #[test]
    fn server_that_fails_keeps_its_reason() {
        let system = System {
            name: "sick".to_owned(),
            kind: Kind::Peer,
            words: Vec::new(),
        };
        let mut entry = Entry::of(&system);
        entry.note(Ok(2.0));
        entry.note(Err(anyhow::anyhow!("no disk")));
        assert_eq!(entry.figure(|round| *round).median, 2.0);
        assert_eq!(entry.some(|_| None), None);
        assert_eq!(entry.fault.as_deref(), Some("no disk"));
    }
}
