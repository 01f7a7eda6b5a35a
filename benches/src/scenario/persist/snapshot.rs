//! What a snapshot costs: the child's CPU, how long the fork holds up a client, and how much memory
//! is copied while others write.
//!
//! Shape: in each round every server is started afresh and filled, makes one snapshot while nobody
//! but a client with PINGs is there, and one under steady SETs over all keys. Server and child share
//! a core where there are two, so wall times are those of a busy machine.

use std::thread;
use std::time::{Duration, Instant};

use anyhow::Result;
use serde::Serialize;

use super::super::progress;
use super::control::{begin_snapshot, wait_for};
use super::{Entry, Lab, Setting};
use crate::load::client::{Client, Filling};
use crate::load::steady::{Pace, Ping, Prober, Steady};
use crate::matrix::order;
use crate::measure::cpu::children_ns;
use crate::measure::family::{Watch, proportional};
use crate::measure::memory::Resident;
use crate::report::persist::snapshot_tables;
use crate::report::say;
use crate::server::process::Server;
use crate::server::systems::System;

/// How long a client asks before a fork, and how long after it.
const BEFORE: Duration = Duration::from_millis(300);
const AFTER: Duration = Duration::from_millis(250);

/// How long SETs go on before a snapshot, so that memory has stopped to grow by them alone.
const WRITING: Duration = Duration::from_secs(1);

/// A snapshot that nobody writes during.
#[derive(Clone, Copy, Debug, Serialize)]
pub(crate) struct Quiet {
    /// CPU of the child, in seconds.
    pub(crate) child_cpu_s: f64,
    /// From the command to the end, in seconds.
    pub(crate) wall_s: f64,
    /// Bytes of the file.
    pub(crate) file_bytes: u64,
    /// Bytes of the server's resident set then.
    pub(crate) resident_bytes: u64,
    /// Microseconds of the fork, as the server says.
    pub(crate) fork_us: Option<u64>,
    /// The longest PING around the fork, in milliseconds.
    pub(crate) stall_ms: f64,
    /// The longest PING of the moment before, in milliseconds: what the machine does anyway.
    pub(crate) before_ms: f64,
}

/// A snapshot under steady writes.
#[derive(Clone, Copy, Debug, Serialize)]
pub(crate) struct Busy {
    /// CPU of the child, in seconds.
    pub(crate) child_cpu_s: f64,
    /// From the command to the end, in seconds.
    pub(crate) wall_s: f64,
    /// Bytes of memory before, under the same writes.
    pub(crate) base_bytes: u64,
    /// The most bytes of memory of server and child together.
    pub(crate) peak_bytes: u64,
    /// Bytes copied, as the server says.
    pub(crate) copied_bytes: Option<u64>,
    /// SETs per second meanwhile.
    pub(crate) rate: f64,
}

/// One server's two snapshots.
#[derive(Clone, Copy, Debug, Serialize)]
pub(crate) struct SnapshotRound {
    /// The first.
    pub(crate) quiet: Quiet,
    /// The second.
    pub(crate) busy: Busy,
}

/// All servers.
#[derive(Clone, Debug, Serialize)]
pub(crate) struct SnapshotRecord {
    /// Keys in a snapshot.
    pub(crate) keys: u32,
    /// SETs per second that were asked for.
    pub(crate) rate: u32,
    /// Every server.
    pub(crate) entries: Vec<Entry<SnapshotRound>>,
}

/// Measures and reports.
pub(super) fn run(lab: &Lab<'_>) -> Result<SnapshotRecord> {
    let plan = lab.plan;
    let mut entries: Vec<_> = lab.systems.iter().map(Entry::of).collect();
    let bar = progress((plan.rounds * entries.len()) as u64);
    for round in 0..plan.rounds {
        for index in order(entries.len(), round, plan.seed) {
            bar.inc(1);
            let entry: &mut Entry<SnapshotRound> = &mut entries[index];
            if entry.fault.is_some() {
                continue;
            }
            let system = &lab.systems[index];
            bar.set_message(format!("snapshot: round {}, {}", round + 1, system.name));
            let directory = format!("snapshot-{}", system.name);
            entry.note(measure(lab, system, &directory));
            lab.forget(&directory);
        }
    }
    bar.finish_and_clear();
    let record = SnapshotRecord {
        keys: plan.keys,
        rate: plan.rate,
        entries,
    };
    say(&snapshot_tables(&record));
    Ok(record)
}

fn measure(lab: &Lab<'_>, system: &System, directory: &str) -> Result<SnapshotRound> {
    lab.forget(directory);
    let mut server = lab.start(system, Setting::None, directory)?;
    let mut client = server.client()?;
    let filling = Filling::strings(lab.plan.value_bytes);
    client.fill(lab.plan.keys, &filling, &mut |_| {})?;
    let quiet = quiet(&server, &mut client)?;
    let busy = busy(lab, &server, &mut client)?;
    server.ensure_alive()?;
    Ok(SnapshotRound { quiet, busy })
}

fn quiet(server: &Server, client: &mut Client) -> Result<Quiet> {
    let resident_bytes = Resident::read(server.pid())?.now;
    let child_before = children_ns(server.pid())?;
    let mut prober = Some(Prober::start(server.addr())?);
    let mut pings = Vec::new();
    thread::sleep(BEFORE);
    let begin = Instant::now();
    let snapshot = begin_snapshot(client)?;
    let keeping = wait_for(client, snapshot, &mut || {
        // Asking on and on would take the core away from the child.
        if begin.elapsed() > AFTER
            && let Some(prober) = prober.take()
        {
            pings = prober.finish()?;
        }
        Ok(())
    })?;
    let wall_s = begin.elapsed().as_secs_f64();
    if let Some(prober) = prober.take() {
        pings = prober.finish()?;
    }
    let (before_ms, stall_ms) = longest(&pings, begin);
    Ok(Quiet {
        child_cpu_s: seconds(children_ns(server.pid())?, child_before),
        wall_s,
        file_bytes: server.kept_bytes(),
        resident_bytes,
        fork_us: keeping.fork_us,
        stall_ms,
        before_ms,
    })
}

/// The longest of those answered before `moment`, and of the others, in milliseconds.
fn longest(pings: &[Ping], moment: Instant) -> (f64, f64) {
    let of = |is_later: bool| {
        let some = pings
            .iter()
            .filter(|ping| (ping.sent + ping.took >= moment) == is_later);
        let longest = some.map(|ping| ping.took).max().unwrap_or_default();
        longest.as_secs_f64() * 1e3
    };
    (of(false), of(true))
}

fn busy(lab: &Lab<'_>, server: &Server, client: &mut Client) -> Result<Busy> {
    let plan = lab.plan;
    let pace = Pace {
        rate: plan.rate,
        keys: plan.keys,
        value_bytes: plan.value_bytes,
        seed: plan.seed,
    };
    let steady = Steady::start(server.addr(), &pace)?;
    thread::sleep(WRITING);
    let base_bytes = proportional(server.pid())?;
    let child_before = children_ns(server.pid())?;
    let watch = Watch::start(server.pid());
    let (begin, answered) = (Instant::now(), steady.answered());
    let snapshot = begin_snapshot(client)?;
    let keeping = wait_for(client, snapshot, &mut || Ok(()))?;
    let wall_s = begin.elapsed().as_secs_f64();
    let written = steady.answered() - answered;
    let peak_bytes = watch.finish()?;
    steady.finish()?;
    Ok(Busy {
        child_cpu_s: seconds(children_ns(server.pid())?, child_before),
        wall_s,
        base_bytes,
        peak_bytes: peak_bytes.max(base_bytes),
        copied_bytes: keeping.copied,
        rate: written as f64 / wall_s,
    })
}

/// The seconds between two readings of an account.
fn seconds(now: u64, before: u64) -> f64 {
    now.saturating_sub(before) as f64 / 1e9
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn stall_is_the_longest_ping_that_was_not_answered_yet() {
        let start = Instant::now();
        let ping = |sent, took| Ping {
            sent: start + Duration::from_millis(sent),
            took: Duration::from_millis(took),
        };
        let pings = [ping(0, 3), ping(10, 80), ping(95, 2)];
        let moment = start + Duration::from_millis(20);
        assert_eq!(longest(&pings, moment), (3.0, 80.0));
        assert_eq!(longest(&[], moment), (0.0, 0.0));
    }
}
