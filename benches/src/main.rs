//! Dovetail's comparison lab.

#![forbid(unsafe_code)]

mod args;
mod load;
mod matrix;
mod measure;
mod null;
mod report;
mod scenario;
mod server;
mod trace;

use anyhow::Result;
use clap::Parser as _;
use dovetail_backends::sys::alloc::Counting;

use args::{CommandLine, SystemArgs, Task};
use load::workload::{COMMANDS, WORKLOADS};
use report::say;
use scenario::{engine, expiry, growth, memory, persist, policy, suite, wire};
use server::systems::Floor;

/// The server's, so that neither the null responder nor the engine alone is compared over another.
#[global_allocator]
static ALLOCATOR: Counting = Counting;

fn main() -> Result<()> {
    match CommandLine::parse().task {
        Task::Wire(args) => wire::run(&args.plan()?),
        Task::Memory(args) => memory::run(&args.plan()?),
        Task::Suite(args) => suite::run(&args.plan()?),
        Task::Growth(args) => growth::run(&args.plan()?),
        Task::Persist(args) => persist::run(&args.plan()?),
        Task::Expiry(args) => expiry::run(&args.plan()?),
        Task::Policy(args) if args.is_check() => policy::check::run(&args.plan()?),
        Task::Policy(args) if args.is_wire() => policy::wire::run(&args.wire_plan()?),
        Task::Policy(args) => policy::run(&args.plan()?),
        Task::Engine(args) => engine::run(&args.plan()?),
        Task::Null(args) => null::serve(&args.poller, args.port),
        Task::List(args) => list(&args),
    }
}

fn list(args: &SystemArgs) -> Result<()> {
    let workloads: Vec<_> = WORKLOADS.iter().map(|row| row.name).collect();
    let commands: Vec<_> = COMMANDS.iter().map(|row| row.name).collect();
    let shapes: Vec<_> = memory::SHAPES.iter().map(|row| row.name).collect();
    say(&format!("workloads  {}", workloads.join(" ")));
    say(&format!("commands   {}", commands.join(" ")));
    say(&format!("shapes     {}", shapes.join(" ")));
    say(&format!("pollers    {}", null::poller_names().join(" ")));
    for system in args.selection(&[], Floor::Measured).systems()? {
        say(&format!(
            "system     {:<22} {}",
            system.name,
            system.words.join(" ")
        ));
    }
    Ok(())
}
