//! `cargo x`: the checks and generators of this repository.
#![forbid(unsafe_code)]
#![expect(
    clippy::print_stdout,
    clippy::print_stderr,
    reason = "a tool talks to a person"
)]

mod docs;
mod layers;
mod peers;
mod setup;
mod suites;
mod surface;
mod test;
mod tidy;
mod workspace;

use std::path::PathBuf;
use std::process::ExitCode;

use anyhow::Result;
use clap::{Args, Parser, Subcommand};

use workspace::Workspace;

/// The checks and generators of this repository.
#[derive(Debug, Parser)]
#[command(name = "cargo x", bin_name = "cargo x")]
struct Cli {
    #[command(subcommand)]
    task: Task,
}

#[derive(Debug, Subcommand)]
enum Task {
    /// Run every suite; this is what CI runs.
    Test(TestArgs),
    /// Check what the compiler and clippy cannot see: layers, lengths, leftovers.
    Tidy,
    /// Write the generated files: dovetail.conf and the references in docs/.
    Docs {
        /// Only compare them with what is checked in.
        #[arg(long)]
        check: bool,
    },
    /// Compare the command table with the public command list.
    Surface,
    /// Install what the tests compare with: redis-server, redis-py, ioredis.
    Setup,
    /// Install Redis 8 and Valkey 9 to compare with (needs root, about 300 MB).
    Peers {
        /// Where to; by default $DOVETAIL_PEERS, else ~/.cache/dovetail-peers.
        dir: Option<PathBuf>,
    },
}

/// Options of `cargo x test`.
#[derive(Args, Clone, Debug)]
pub(crate) struct TestArgs {
    /// Also run what takes long: more seeds, and the suites marked so.
    #[arg(long)]
    long: bool,
    /// Run only these suites, and what they need.
    #[arg(long, value_name = "SUITE", num_args = 1..)]
    only: Vec<String>,
    /// Print the table of suites and their minutes.
    #[arg(long)]
    list: bool,
}

fn main() -> ExitCode {
    match run(Cli::parse().task) {
        Ok(()) => ExitCode::SUCCESS,
        Err(error) => {
            eprintln!("{error:#}");
            ExitCode::FAILURE
        }
    }
}

fn run(task: Task) -> Result<()> {
    let workspace = Workspace::find()?;
    match task {
        Task::Test(args) => test::run(&workspace, &args),
        Task::Tidy => tidy::run(&workspace),
        Task::Docs { check: true } => docs::compare(&workspace),
        Task::Docs { check: false } => docs::write(&workspace),
        Task::Surface => surface::run(&workspace),
        Task::Setup => setup::install(&workspace),
        Task::Peers { dir } => peers::install(dir),
    }
}
