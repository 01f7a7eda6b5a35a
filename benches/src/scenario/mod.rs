//! What can be measured: one file per question.

pub(crate) mod engine;
pub(crate) mod expiry;
pub(crate) mod growth;
pub(crate) mod memory;
pub(crate) mod persist;
pub(crate) mod policy;
pub(crate) mod suite;
pub(crate) mod wire;

use anyhow::Result;
use indicatif::{ProgressBar, ProgressStyle};
use serde::Serialize;

use crate::measure::machine::Machine;
use crate::report::say;
use crate::server::pinning::Pinning;
use crate::server::process::Server;

/// What every record begins with.
#[derive(Clone, Debug, Serialize)]
pub(crate) struct Preamble {
    /// Where and when.
    pub(crate) machine: Machine,
    /// Which core ran what.
    pub(crate) pinning: Pinning,
    /// Decides every random choice.
    pub(crate) seed: u64,
}

impl Preamble {
    /// Describes the machine, moves the generator to its core, and prints both.
    ///
    /// # Errors
    /// If the core does not exist.
    pub(crate) fn begin(pinning: Pinning, seed: u64) -> Result<Self> {
        let machine = Machine::describe();
        pinning.pin_client()?;
        let core = |core: Option<usize>| core.map_or("any".to_owned(), |core| core.to_string());
        say(&format!(
            "{}, {} cores, Linux {}, {} on loopback, commit {}",
            machine.cpu,
            machine.cores,
            machine.kernel,
            machine.congestion_control,
            machine.commit.as_deref().unwrap_or("unknown"),
        ));
        say(&format!(
            "servers on core {}, generator on core {}, seed {seed}, load average {:.2}",
            core(pinning.server),
            core(pinning.client),
            machine.load_average,
        ));
        if machine.load_average > 0.5 * machine.cores as f64 {
            say("warning: the machine is busy with something else; trust ratios only");
        }
        Ok(Self {
            machine,
            pinning,
            seed,
        })
    }
}

/// A server as the record names it.
#[derive(Clone, Debug, Serialize)]
pub(crate) struct Named {
    /// Its name in tables.
    pub(crate) name: String,
    /// What it says it is.
    pub(crate) version: String,
}

impl Named {
    /// Of a running server.
    pub(crate) fn of(server: &Server) -> Self {
        Self {
            name: server.name().to_owned(),
            version: server.version().to_owned(),
        }
    }
}

/// A progress bar of so many steps, on the standard error.
pub(crate) fn progress(steps: u64) -> ProgressBar {
    let bar = ProgressBar::new(steps);
    let style = ProgressStyle::with_template("[{elapsed_precise}] {bar:30} {percent:>3}% {msg}");
    bar.with_style(style.unwrap_or_else(|_| ProgressStyle::default_bar()))
}
