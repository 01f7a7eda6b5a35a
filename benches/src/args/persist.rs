//! The options of `persist`.

use std::path::PathBuf;
use std::time::Duration;

use anyhow::Result;
use clap::Args;

use super::SystemArgs;
use crate::measure::syscalls::Counter;
use crate::scenario::persist::{Part, Plan, Setting};
use crate::server::pinning::Cores;
use crate::server::systems::Floor;

/// The options of `persist`.
#[derive(Debug, Args)]
pub(crate) struct PersistArgs {
    #[command(flatten)]
    systems: SystemArgs,
    /// Poller of Dovetail
    #[arg(long = "poller", default_value = "epoll")]
    poller: String,
    /// What to measure
    #[arg(
        long = "part",
        value_enum,
        value_delimiter = ',',
        default_value = "load,snapshot,restart,codec"
    )]
    parts: Vec<Part>,
    /// load: ways of keeping data
    #[arg(
        long = "setting",
        value_enum,
        value_delimiter = ',',
        default_value = "none,rdb,aof-no,aof-everysec,aof-always,hybrid"
    )]
    settings: Vec<Setting>,
    /// load: connections
    #[arg(short, long, default_value_t = 50)]
    connections: usize,
    /// load: requests sent before their replies are awaited
    #[arg(short = 'P', long, value_delimiter = ',', default_value = "1,16")]
    pipeline: Vec<usize>,
    /// load: length of a measurement
    #[arg(long, default_value_t = 3.0)]
    seconds: f64,
    /// Bytes of a value
    #[arg(short = 'd', long, default_value_t = 16)]
    value_size: usize,
    /// Keys that exist: under a load, in a snapshot, of the codec
    #[arg(long, default_value_t = 1_000_000, value_parser = clap::value_parser!(u32).range(1..))]
    keys: u32,
    /// restart: SETs in a log, each of another key
    #[arg(long, default_value_t = 500_000, value_parser = clap::value_parser!(u32).range(1..))]
    commands: u32,
    /// snapshot: SETs per second while the second one is made
    #[arg(long, default_value_t = 60_000)]
    rate: u32,
    /// Measurements of each
    #[arg(long, default_value_t = 4)]
    rounds: usize,
    /// Where servers keep their data, on the disk that is meant [default: temporary files]
    #[arg(long, value_name = "DIRECTORY")]
    dir: Option<PathBuf>,
    /// codec: read this snapshot too, and say what is in it
    #[arg(long, value_name = "FILE")]
    file: Option<PathBuf>,
    /// load: do not count system calls
    #[arg(long)]
    no_syscalls: bool,
}

impl PersistArgs {
    /// The plan that the options describe.
    ///
    /// # Errors
    /// If a core cannot be had, or the length of a measurement is no length.
    pub(crate) fn plan(&self) -> Result<Plan> {
        Ok(Plan {
            selection: self
                .systems
                .selection(std::slice::from_ref(&self.poller), Floor::Omitted),
            pinning: self.systems.pinning(Cores::Apart)?,
            parts: self.parts.clone(),
            settings: self.settings.clone(),
            connections: self.connections.max(1),
            pipeline: self.pipeline.iter().map(|&depth| depth.max(1)).collect(),
            span: Duration::try_from_secs_f64(self.seconds)?,
            value_bytes: self.value_size,
            keys: self.keys,
            commands: self.commands,
            rate: self.rate,
            rounds: self.rounds.max(1),
            seed: self.systems.seed,
            counter: if self.no_syscalls {
                None
            } else {
                Counter::available()
            },
            directory: self.dir.clone(),
            file: self.file.clone(),
            json: self.systems.json.clone(),
        })
    }
}

#[cfg(test)]
mod tests {
    use clap::Parser as _;

    use super::super::{CommandLine, Task};
    use super::*;

    #[test]
    fn parts_and_settings_are_lists() {
        let line = ["bench", "persist", "--part", "load,codec", "--no-syscalls"];
        let Task::Persist(args) = CommandLine::try_parse_from(line).unwrap().task else {
            panic!("persist was asked for");
        };
        let plan = args.plan().unwrap();
        assert_eq!(plan.parts, [Part::Load, Part::Codec]);
        assert_eq!(plan.settings.len(), 6);
        let line = ["bench", "persist", "--setting", "aof-sometimes"];
        assert!(CommandLine::try_parse_from(line).is_err());
    }
}
