//! The options of `expiry`.

use std::path::PathBuf;
use std::time::Duration;

use anyhow::Result;
use clap::Args;

use super::SystemArgs;
use crate::scenario::expiry::{Cycle, Part, Plan};
use crate::server::pinning::Cores;
use crate::server::systems::Floor;

/// The options of `expiry`.
#[derive(Debug, Args)]
pub(crate) struct ExpiryArgs {
    #[command(flatten)]
    systems: SystemArgs,
    /// Poller of Dovetail
    #[arg(long = "poller", default_value = "epoll")]
    poller: String,
    /// Dovetail's ways of finding expired keys; each is a row of its own
    #[arg(
        long = "cycle",
        value_enum,
        value_delimiter = ',',
        default_value = "ordered,sampled"
    )]
    cycles: Vec<Cycle>,
    /// What to measure
    #[arg(
        long = "part",
        value_enum,
        value_delimiter = ',',
        default_value = "storm,spread"
    )]
    parts: Vec<Part>,
    /// Keys that fall due
    #[arg(long, default_value_t = 1_000_000, value_parser = clap::value_parser!(u32).range(1..))]
    keys: u32,
    /// spread: seconds over which they fall due
    #[arg(long, default_value_t = 5.0)]
    spread: f64,
    /// Bytes of a value
    #[arg(short = 'd', long, default_value_t = 16)]
    value_size: usize,
    /// Measurements of each server in each part
    #[arg(long, default_value_t = 3)]
    rounds: usize,
    /// Write a page with charts there
    #[arg(long, value_name = "FILE")]
    html: Option<PathBuf>,
}

impl ExpiryArgs {
    /// The plan that the options describe.
    ///
    /// # Errors
    /// If a core cannot be had, or the seconds are no length of time.
    pub(crate) fn plan(&self) -> Result<Plan> {
        Ok(Plan {
            selection: self
                .systems
                .selection(std::slice::from_ref(&self.poller), Floor::Omitted),
            pinning: self.systems.pinning(Cores::Apart)?,
            cycles: self.cycles.clone(),
            parts: self.parts.clone(),
            keys: self.keys,
            spread: Duration::try_from_secs_f64(self.spread)?,
            value_bytes: self.value_size,
            rounds: self.rounds.max(1),
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
        let line = ["bench", "expiry"].iter().chain(words);
        let Task::Expiry(args) = CommandLine::try_parse_from(line)?.task else {
            panic!("expiry was asked for");
        };
        args.plan()
    }

    #[test]
    fn both_parts_and_both_cycles_are_measured_unless_told_otherwise() {
        let all = plan(&[]).unwrap();
        assert_eq!(all.parts, [Part::Storm, Part::Spread]);
        assert_eq!(all.cycles, [Cycle::Ordered, Cycle::Sampled]);
        let one = plan(&["--part", "spread", "--spread", "0.5", "--cycle", "ordered"]).unwrap();
        assert_eq!(one.spread, Duration::from_millis(500));
        assert_eq!((one.parts.len(), one.cycles.len()), (1, 1));
    }

    #[test]
    fn times_that_are_none_are_refused() {
        assert!(plan(&["--spread", "-1"]).is_err());
        assert!(plan(&["--keys", "0"]).is_err());
    }
}
