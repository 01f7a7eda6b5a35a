//! The command line.

mod expiry;
mod persist;
mod policy;

use std::path::PathBuf;
use std::time::Duration;

use anyhow::{Result, anyhow};
use clap::{Args, Parser, Subcommand};

use crate::load::generator::Limit;
use crate::load::keys::Distribution;
use crate::load::workload::Workload;
use crate::matrix::{Axes, Combine};
use crate::measure::syscalls::Counter;
use crate::scenario::{engine, growth, memory, suite, wire};
use crate::server::pinning::{Cores, Pinning};
use crate::server::systems::{Floor, Selection};

pub(crate) use expiry::ExpiryArgs;
pub(crate) use persist::PersistArgs;
pub(crate) use policy::PolicyArgs;

/// Dovetail's lab: starts servers, puts them under the same load, and compares what it cost.
///
/// Dovetail's server is looked for beside this program; peers in PATH and in the directories below
/// the one that DOVETAIL_PEERS names.
#[derive(Debug, Parser)]
#[command(name = "dovetail-bench", version, max_term_width = 100)]
pub(crate) struct CommandLine {
    /// What to do.
    #[command(subcommand)]
    pub(crate) task: Task,
}

/// What the lab can do.
#[derive(Debug, Subcommand)]
pub(crate) enum Task {
    /// Throughput, latency, CPU and system calls per request, over sockets
    Wire(WireArgs),
    /// Bytes per key
    Memory(MemoryArgs),
    /// The default tests of redis-benchmark, by redis-benchmark
    Suite(SuiteArgs),
    /// The longest moments of a server that grows
    Growth(GrowthArgs),
    /// What it costs to keep data: logs, snapshots, and starting from them
    Persist(PersistArgs),
    /// What clients feel while many keys fall due at once, and how soon these are gone
    Expiry(ExpiryArgs),
    /// Which eviction policy keeps what traces of requests ask for
    Policy(PolicyArgs),
    /// What a request costs the engine alone, without a socket
    Engine(EngineArgs),
    /// Be the null responder: parse, answer, store nothing
    Null(NullArgs),
    /// List workloads, commands of a mix, shapes, pollers, and servers found
    List(SystemArgs),
}

/// Which servers, and where they run.
#[derive(Debug, Args)]
pub(crate) struct SystemArgs {
    /// Dovetail's server [default: the dovetail-server beside this program]
    #[arg(long, value_name = "PATH")]
    server: Option<PathBuf>,
    /// A peer; `--port N --save ''` and the like are appended, unless COMMAND says {port}
    #[arg(long = "peer", value_name = "NAME=COMMAND")]
    peers: Vec<String>,
    /// Measure only systems whose names begin with one of these
    #[arg(long, value_name = "NAME", value_delimiter = ',')]
    only: Vec<String>,
    /// The core of the servers [default: 0, where there are two]
    #[arg(long, value_name = "CORE")]
    cpu_server: Option<usize>,
    /// The core of the generator [default: 1, where there are two]
    #[arg(long, value_name = "CORE")]
    cpu_client: Option<usize>,
    /// Decides every random choice
    #[arg(long, default_value_t = 1)]
    seed: u64,
    /// Write all raw figures there
    #[arg(long, value_name = "FILE")]
    json: Option<PathBuf>,
}

/// The options of `wire`.
#[derive(Debug, Args)]
pub(crate) struct WireArgs {
    #[command(flatten)]
    systems: SystemArgs,
    /// Pollers of Dovetail and of the null responder, or all
    #[arg(long = "poller", value_delimiter = ',', default_value = "all")]
    pollers: Vec<String>,
    /// Workloads, or mixes of commands such as get:80+set:20 (see `list`)
    #[arg(
        long = "workload",
        value_delimiter = ',',
        default_value = "ping,get,set,mixed80:20",
        default_value_if("commands", clap::builder::ArgPredicate::IsPresent, None)
    )]
    workloads: Vec<String>,
    /// A command as the workload, such as 'HSET key:__rand__ field __data__', instead of --workload
    /// unless that is given too; __rand__ is a key's number, __rand:N__ a number below N
    #[arg(long = "command", value_name = "COMMAND")]
    commands: Vec<String>,
    /// A command that is sent once for each of --keys, __key__ counting upwards, before --command
    #[arg(long = "preload", value_name = "COMMAND", requires = "commands")]
    preloads: Vec<String>,
    /// Connections; the first value is the base, the others are varied against it
    #[arg(short, long, value_delimiter = ',', default_value = "50")]
    connections: Vec<usize>,
    /// Requests sent before their replies are awaited
    #[arg(short = 'P', long, value_delimiter = ',', default_value = "1,16,64")]
    pipeline: Vec<usize>,
    /// Bytes of a value
    #[arg(short = 'd', long, value_delimiter = ',', default_value = "16")]
    value_size: Vec<usize>,
    /// Combine all values of the three lists instead of varying one at a time
    #[arg(long)]
    cross: bool,
    /// Keys to choose from; all exist before the load
    #[arg(long, default_value_t = 1_000_000)]
    keys: u32,
    /// How keys are chosen: uniform, zipf, or zipf:THETA
    #[arg(long, default_value = "uniform")]
    distribution: Distribution,
    /// Length of a measurement
    #[arg(long, default_value_t = 1.0, conflicts_with = "requests")]
    seconds: f64,
    /// Length of a measurement in requests
    #[arg(long)]
    requests: Option<u64>,
    /// Measurements of each server in each cell
    #[arg(long, default_value_t = 6)]
    rounds: usize,
    /// Put generator and servers on one core: the saturated regime
    #[arg(long)]
    same_core: bool,
    /// Do not measure the null responder
    #[arg(long)]
    no_null: bool,
    /// Do not count system calls
    #[arg(long)]
    no_syscalls: bool,
}

/// The options of `memory`.
#[derive(Debug, Args)]
pub(crate) struct MemoryArgs {
    #[command(flatten)]
    systems: SystemArgs,
    /// Poller of Dovetail
    #[arg(long = "poller", default_value = "epoll")]
    poller: String,
    /// Shapes of keys [default: all, see `list`]
    #[arg(long = "shape", value_delimiter = ',')]
    shapes: Vec<String>,
    /// Keys to write; fewer of a shape whose values are large
    #[arg(long, default_value_t = 1_000_000)]
    keys: u32,
}

/// The options of `suite`.
#[derive(Debug, Args)]
pub(crate) struct SuiteArgs {
    #[command(flatten)]
    systems: SystemArgs,
    /// Pollers of Dovetail, or all
    #[arg(long = "poller", value_delimiter = ',', default_value = "epoll")]
    pollers: Vec<String>,
    /// The program
    #[arg(long, value_name = "PATH", default_value = "redis-benchmark")]
    program: PathBuf,
    /// Tests [default: all of redis-benchmark's own]
    #[arg(short, long = "test", value_delimiter = ',')]
    tests: Vec<String>,
    /// Requests of a test
    #[arg(short = 'n', long, default_value_t = 100_000, value_parser = clap::value_parser!(u32).range(1..))]
    requests: u32,
    /// Connections
    #[arg(short, long, default_value_t = 50, value_parser = clap::value_parser!(u32).range(1..=10_000))]
    connections: u32,
    /// Requests sent before their replies are awaited
    #[arg(short = 'P', long, default_value_t = 1, value_parser = clap::value_parser!(u32).range(1..=10_000))]
    pipeline: u32,
    /// Runs of each test against each server
    #[arg(long, default_value_t = 4)]
    rounds: usize,
}

impl SuiteArgs {
    /// The plan that the options describe.
    ///
    /// # Errors
    /// If a core cannot be had.
    pub(crate) fn plan(&self) -> Result<suite::Plan> {
        Ok(suite::Plan {
            selection: self.systems.selection(&self.pollers, Floor::Omitted),
            pinning: self.systems.pinning(Cores::Apart)?,
            program: self.program.clone(),
            tests: self.tests.clone(),
            requests: self.requests,
            connections: self.connections,
            pipeline: self.pipeline,
            rounds: self.rounds.max(1),
            seed: self.systems.seed,
            json: self.systems.json.clone(),
        })
    }
}

/// The options of `growth`.
#[derive(Debug, Args)]
pub(crate) struct GrowthArgs {
    #[command(flatten)]
    systems: SystemArgs,
    /// Poller of Dovetail
    #[arg(long = "poller", default_value = "epoll")]
    poller: String,
    /// Keys to grow to
    #[arg(long, default_value_t = 8_000_000)]
    keys: u32,
    /// Writes between two probes
    #[arg(long, default_value_t = 16)]
    batch: u32,
    /// Bytes of a value
    #[arg(short = 'd', long, default_value_t = 16)]
    value_size: usize,
}

/// The options of `engine`.
#[derive(Debug, Args)]
pub(crate) struct EngineArgs {
    /// Workloads, or mixes of commands such as get:80+set:20 (see `list`)
    #[arg(
        long = "workload",
        value_delimiter = ',',
        default_value = "ping,get,set,incr,mset10,mget10,mixed80:20"
    )]
    workloads: Vec<String>,
    /// Connections that each send in every turn
    #[arg(short, long, default_value_t = 50, value_parser = clap::value_parser!(u32).range(1..=10_000))]
    connections: u32,
    /// Requests that arrive together
    #[arg(short = 'P', long, value_delimiter = ',', default_value = "1,16,64")]
    pipeline: Vec<usize>,
    /// Bytes of a value
    #[arg(short = 'd', long, default_value_t = 16)]
    value_size: usize,
    /// Keys to choose from; all exist before the load
    #[arg(long, default_value_t = 1_000_000)]
    keys: u32,
    /// Measurements of each
    #[arg(long, default_value_t = 20)]
    rounds: usize,
    /// Decides every random choice
    #[arg(long, default_value_t = 1)]
    seed: u64,
}

impl EngineArgs {
    /// The plan that the options describe.
    ///
    /// # Errors
    /// If a workload is unknown.
    pub(crate) fn plan(&self) -> Result<engine::Plan> {
        Ok(engine::Plan {
            workloads: parse_workloads(&self.workloads)?,
            depths: self.pipeline.iter().map(|&depth| depth.max(1)).collect(),
            connections: self.connections,
            value_bytes: self.value_size,
            keys: self.keys,
            rounds: self.rounds,
            seed: self.seed,
        })
    }
}

/// The options of `null`.
#[derive(Debug, Args)]
pub(crate) struct NullArgs {
    /// The poller
    #[arg(long, default_value = "epoll")]
    pub(crate) poller: String,
    /// The port on 127.0.0.1
    #[arg(long)]
    pub(crate) port: u16,
}

fn parse_workloads(texts: &[String]) -> Result<Vec<Workload>> {
    let workloads = texts.iter().map(|text| Workload::parse(text));
    let workloads: Result<_, String> = workloads.collect();
    workloads.map_err(|text| anyhow!(text))
}

impl SystemArgs {
    /// The servers asked for, over `pollers`.
    pub(crate) fn selection(&self, pollers: &[String], floor: Floor) -> Selection {
        Selection {
            server: self.server.clone(),
            pollers: pollers.to_vec(),
            peers: self.peers.clone(),
            only: self.only.clone(),
            floor,
        }
    }

    fn pinning(&self, cores: Cores) -> Result<Pinning> {
        Pinning::choose(self.cpu_server, self.cpu_client, cores)
    }
}

impl WireArgs {
    fn workloads(&self) -> Result<Vec<Workload>> {
        let mut workloads = parse_workloads(&self.workloads)?;
        for command in &self.commands {
            let workload = Workload::of_command(command, &self.preloads);
            workloads.push(workload.map_err(|text| anyhow!(text))?);
        }
        Ok(workloads)
    }

    /// The plan that the options describe.
    ///
    /// # Errors
    /// If a workload is unknown or a core cannot be had.
    pub(crate) fn plan(&self) -> Result<wire::Plan> {
        let cores = if self.same_core {
            Cores::Shared
        } else {
            Cores::Apart
        };
        let floor = if self.no_null {
            Floor::Omitted
        } else {
            Floor::Measured
        };
        Ok(wire::Plan {
            selection: self.systems.selection(&self.pollers, floor),
            pinning: self.systems.pinning(cores)?,
            workloads: self.workloads()?,
            axes: Axes {
                connections: self.connections.clone(),
                pipeline: self.pipeline.clone(),
                value_bytes: self.value_size.clone(),
            },
            combine: if self.cross {
                Combine::Cross
            } else {
                Combine::OneAtATime
            },
            keys: self.keys.max(1),
            distribution: self.distribution,
            limit: match self.requests {
                Some(requests) => Limit::Requests(requests),
                None => Limit::Time(Duration::try_from_secs_f64(self.seconds)?),
            },
            rounds: self.rounds.max(1),
            seed: self.systems.seed,
            counter: if self.no_syscalls {
                None
            } else {
                Counter::available()
            },
            json: self.systems.json.clone(),
        })
    }
}

impl MemoryArgs {
    /// The plan that the options describe.
    ///
    /// # Errors
    /// If a core cannot be had.
    pub(crate) fn plan(&self) -> Result<memory::Plan> {
        Ok(memory::Plan {
            selection: self
                .systems
                .selection(std::slice::from_ref(&self.poller), Floor::Omitted),
            pinning: self.systems.pinning(Cores::Apart)?,
            shapes: self.shapes.clone(),
            keys: self.keys.max(1),
            seed: self.systems.seed,
            json: self.systems.json.clone(),
        })
    }
}

impl GrowthArgs {
    /// The plan that the options describe.
    ///
    /// # Errors
    /// If a core cannot be had.
    pub(crate) fn plan(&self) -> Result<growth::Plan> {
        Ok(growth::Plan {
            selection: self
                .systems
                .selection(std::slice::from_ref(&self.poller), Floor::Omitted),
            pinning: self.systems.pinning(Cores::Shared)?,
            keys: self.keys.max(1),
            batch: self.batch.max(1),
            value_bytes: self.value_size,
            seed: self.systems.seed,
            json: self.systems.json.clone(),
        })
    }
}

#[cfg(test)]
mod tests {
    use clap::CommandFactory as _;

    use super::*;

    #[test]
    fn command_line_is_well_formed() {
        CommandLine::command().debug_assert();
    }

    #[test]
    fn lists_are_separated_by_commas() {
        let line = [
            "bench",
            "wire",
            "-c",
            "50,1",
            "-P",
            "64",
            "--workload",
            "get,get:1+set:1",
        ];
        let Task::Wire(args) = CommandLine::try_parse_from(line).unwrap().task else {
            panic!("wire was asked for");
        };
        let plan = args.plan().unwrap();
        assert_eq!(plan.axes.connections, [50, 1]);
        assert_eq!(plan.workloads.len(), 2);
    }

    #[test]
    fn unknown_workload_is_refused() {
        let line = ["bench", "wire", "--workload", "frobnicate"];
        let Task::Wire(args) = CommandLine::try_parse_from(line).unwrap().task else {
            panic!("wire was asked for");
        };
        assert!(args.plan().is_err());
    }
}
