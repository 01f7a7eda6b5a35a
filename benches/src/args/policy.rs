//! The options of `policy`.

use std::path::PathBuf;

use anyhow::{Result, ensure};
use clap::Args;
use dovetail_backends::eviction::POLICIES;

use super::SystemArgs;
use crate::scenario::policy::Plan;
use crate::scenario::policy::replay::Settings;
use crate::scenario::policy::wire;
use crate::scenario::policy::wire::session::{Flush, Target};
use crate::server::pinning::Cores;
use crate::server::systems::Floor;
use crate::trace::Wanted;
use crate::trace::synthetic::Synthetic;

/// The options of `policy`.
#[derive(Debug, Args)]
pub(crate) struct PolicyArgs {
    #[command(flatten)]
    systems: SystemArgs,
    /// A folder of traces, NAME.dvt.zst or NAME.dvt, beside those built in (web12, orm-busy) and those
    /// made up (zipf, scan, shift)
    #[arg(long, value_name = "DIR")]
    traces: Option<PathBuf>,
    /// Replay only these
    #[arg(long = "trace", value_name = "NAME", value_delimiter = ',')]
    names: Vec<String>,
    /// Policies, beside fifo and belady [default: all but those about deadlines]
    #[arg(long = "policy", value_name = "NAME", value_delimiter = ',')]
    policies: Vec<String>,
    /// Sizes of the cache, in percent of what all keys take; where that is fewer than 40 objects the
    /// size is left out
    #[arg(
        long = "size",
        value_name = "PERCENT",
        value_delimiter = ',',
        default_value = "0.1,0.3,1,3,10,30",
        value_parser = millionths
    )]
    sizes: Vec<u32>,
    /// Compare with counts that are known, and fail where they differ
    #[arg(long)]
    check: bool,
    /// Replays of each policy, each from another seed [default: 5, over sockets 1]
    #[arg(long)]
    rounds: Option<usize>,
    /// Requests per second, which decides how time goes for clocks and counters; above 65,536 clocks
    /// do not tell neighbouring requests apart
    #[arg(long, default_value_t = 10_000, value_parser = clap::value_parser!(u32).range(1..))]
    rate: u32,
    /// Keys that sampling policies look at (maxmemory-samples)
    #[arg(long, default_value_t = 5, value_parser = clap::value_parser!(u32).range(1..=64))]
    samples: u32,
    /// How slowly counters of lfu grow
    #[arg(long, default_value_t = 10)]
    lfu_log_factor: u32,
    /// Minutes after which counters of lfu fall by one; 0 for never
    #[arg(long, default_value_t = 1)]
    lfu_decay_time: u32,
    /// Keys of the traces that are made up
    #[arg(long, default_value_t = 100_000, value_parser = clap::value_parser!(u32).range(1..=100_000_000))]
    keys: u32,
    /// Requests of the traces that are made up
    #[arg(long, default_value_t = 1_000_000, value_parser = clap::value_parser!(u32).range(1..=1_000_000_000))]
    requests: u32,
    /// Over sockets instead: GET, and SET of what was not there, to Dovetail's server and its peers
    #[arg(long, conflicts_with = "check")]
    wire: bool,
    /// Over sockets, to a server that runs; it is emptied, and gets its settings back in the end
    #[arg(long, value_name = "[NAME=]HOST:PORT", conflicts_with = "check", value_parser = target)]
    live: Vec<Target>,
    /// Empty such a server even if it holds keys
    #[arg(long)]
    flush: bool,
    /// Poller of Dovetail
    #[arg(long = "poller", default_value = "epoll")]
    poller: String,
    /// over sockets: policies of servers [default: allkeys- with each of the policies]
    #[arg(long, value_name = "NAME", value_delimiter = ',')]
    maxmemory_policies: Vec<String>,
    /// over sockets: the limit in bytes
    #[arg(long, value_name = "BYTES", conflicts_with = "share")]
    maxmemory: Option<u64>,
    /// over sockets: the limit, as percent of what all keys take in the peer in which they take least,
    /// above what it takes empty
    #[arg(long, value_name = "PERCENT", default_value_t = 10.0)]
    share: f64,
    /// over sockets: bytes of a value
    #[arg(short = 'd', long, default_value_t = 200)]
    value_size: usize,
    /// over sockets: GETs sent together at most
    #[arg(short = 'P', long, default_value_t = 16, value_parser = clap::value_parser!(u16).range(1..=1_000))]
    pipeline: u16,
    /// over sockets: GETs per second [default: nine tenths of what the slowest server can]
    #[arg(long, value_name = "N", value_parser = clap::value_parser!(u32).range(1..))]
    wire_rate: Option<u32>,
    /// over sockets: GETs of each trace at most
    #[arg(long, value_name = "N", default_value_t = 1_000_000)]
    wire_requests: usize,
    /// Write a page with charts there
    #[arg(long, value_name = "FILE")]
    html: Option<PathBuf>,
}

fn target(text: &str) -> Result<Target, String> {
    Target::live(text).map_err(|error| format!("{error:#}"))
}

/// A percentage as millionths.
fn millionths(text: &str) -> Result<u32, String> {
    let percent: f64 = text.parse().map_err(|_| "is no number".to_owned())?;
    if !(0.0001..=100.0).contains(&percent) {
        return Err("is not between 0.0001 and 100".to_owned());
    }
    #[expect(
        clippy::cast_possible_truncation,
        clippy::cast_sign_loss,
        reason = "between 1 and a million"
    )]
    let millionths = (percent * 1e4).round() as u32;
    Ok(millionths)
}

impl PolicyArgs {
    /// Whether counts are to be compared, and nothing else.
    pub(crate) fn is_check(&self) -> bool {
        self.check
    }

    /// Whether servers are wanted.
    pub(crate) fn is_wire(&self) -> bool {
        self.wire || !self.live.is_empty()
    }

    fn wanted(&self) -> Result<Wanted> {
        Ok(Wanted {
            folder: self.traces.clone(),
            names: self.names.clone(),
            synthetic: Synthetic {
                keys: self.keys,
                requests: usize::try_from(self.requests)?,
                seed: self.systems.seed,
            },
        })
    }

    fn settings(&self) -> Settings {
        Settings {
            rate: self.rate,
            samples: self.samples,
            log_factor: self.lfu_log_factor,
            decay_minutes: self.lfu_decay_time,
        }
    }

    /// The plan that the options for servers describe.
    ///
    /// # Errors
    /// If a core cannot be had, or the share is none.
    pub(crate) fn wire_plan(&self) -> Result<wire::Plan> {
        let share = self.share / 100.0;
        ensure!(share.is_finite() && share > 0.0, "--share is above 0");
        let mut policies = self.maxmemory_policies.clone();
        if policies.is_empty() {
            let rows = POLICIES.iter().filter(|row| !row.volatile_only);
            policies.extend(rows.map(|row| format!("allkeys-{}", row.name)));
        }
        let pollers = std::slice::from_ref(&self.poller);
        let selection = || self.systems.selection(pollers, Floor::Omitted);
        Ok(wire::Plan {
            traces: self.wanted()?,
            selection: self.wire.then(selection),
            live: self.live.clone(),
            flush: if self.flush {
                Flush::Allow
            } else {
                Flush::Refuse
            },
            pinning: self.systems.pinning(Cores::Apart)?,
            policies,
            maxmemory: self.maxmemory,
            share,
            value_bytes: self.value_size,
            depth: usize::from(self.pipeline),
            rate: self.wire_rate,
            requests: self.wire_requests.max(1),
            rounds: self.rounds.unwrap_or(1).max(1),
            settings: self.settings(),
            seed: self.systems.seed,
            json: self.systems.json.clone(),
            html: self.html.clone(),
        })
    }

    /// The plan that the options describe.
    ///
    /// # Errors
    /// If a core cannot be had.
    pub(crate) fn plan(&self) -> Result<Plan> {
        let mut sizes = self.sizes.clone();
        sizes.sort_unstable();
        sizes.dedup();
        Ok(Plan {
            traces: self.wanted()?,
            policies: self.policies.clone(),
            sizes,
            rounds: self.rounds.unwrap_or(5).max(1),
            settings: self.settings(),
            pinning: self.systems.pinning(Cores::Apart)?,
            seed: self.systems.seed,
            json: self.systems.json.clone(),
            html: self.html.clone(),
        })
    }
}

#[cfg(test)]
mod tests {
    use clap::Parser as _;

    use super::super::{CommandLine, Task};
    use super::*;

    fn plan(words: &[&str]) -> Result<Plan> {
        let line = ["bench", "policy"].iter().chain(words);
        let Task::Policy(args) = CommandLine::try_parse_from(line)?.task else {
            panic!("policy was asked for");
        };
        args.plan()
    }

    #[test]
    fn sizes_are_percentages_in_order() {
        let sizes = plan(&["--size", "10,0.1,1,1"]).unwrap().sizes;
        assert_eq!(sizes, [1_000, 10_000, 100_000]);
        assert_eq!(plan(&[]).unwrap().sizes.len(), 6);
        for none in ["0", "101", "nan", "x", "-1"] {
            assert!(plan(&["--size", none]).is_err(), "{none}");
        }
    }

    #[test]
    fn servers_are_wanted_when_they_are_named() {
        let args = |words: &[&str]| {
            let line = ["bench", "policy"].iter().chain(words);
            match CommandLine::try_parse_from(line).map(|line| line.task) {
                Ok(Task::Policy(args)) => Ok(args),
                Ok(_) => panic!("policy was asked for"),
                Err(error) => Err(error),
            }
        };
        assert!(!args(&[]).unwrap().is_wire());
        let live = args(&["--live", "a=127.0.0.1:7", "--live", "127.0.0.1:8"]).unwrap();
        let wire = live.wire_plan().unwrap();
        assert!(live.is_wire() && wire.selection.is_none() && wire.flush == Flush::Refuse);
        assert_eq!(wire.live.len(), 2);
        assert!(wire.policies.contains(&"allkeys-s3fifo".to_owned()));
        let all = args(&["--wire", "--maxmemory-policies", "allkeys-lru"]).unwrap();
        let all = all.wire_plan().unwrap();
        assert!(all.selection.is_some() && all.policies == ["allkeys-lru"]);
        assert!(args(&["--live", "nowhere"]).is_err());
        assert!(args(&["--check", "--wire"]).is_err());
        assert!(
            args(&["--wire", "--share", "0"])
                .unwrap()
                .wire_plan()
                .is_err()
        );
    }

    #[test]
    fn numbers_that_make_no_sense_are_refused() {
        for words in [
            ["--rate", "0"],
            ["--samples", "0"],
            ["--keys", "0"],
            ["--requests", "0"],
        ] {
            assert!(plan(&words).is_err(), "{words:?}");
        }
        assert_eq!(plan(&["--rounds", "0"]).unwrap().rounds, 1);
    }
}
