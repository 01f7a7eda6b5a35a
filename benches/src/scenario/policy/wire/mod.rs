//! The same over sockets: servers keep a cache beside a store, all with the same limit and at the
//! same rate.
//!
//! Every server is started afresh for each policy; one that runs already is emptied.

mod load;
pub(crate) mod session;

use std::path::PathBuf;

use anyhow::{Context as _, Result, bail};
use indicatif::ProgressBar;
use serde::Serialize;

use self::load::{Load, Tally};
use self::session::{Flush, Session, Target};
use super::lab::{Future, Lab};
use super::replay::{Settings, replay};
use super::row;
use crate::load::workload::value;
use crate::matrix::order;
use crate::measure::cpu::CpuAccount;
use crate::report::wire_policy::{page, table};
use crate::report::{say, write_json, write_text};
use crate::scenario::persist::Entry;
use crate::scenario::{Named, Preamble, progress};
use crate::server::pinning::Pinning;
use crate::server::process::Scratch;
use crate::server::systems::{Kind, Selection};
use crate::trace::{ATTRIBUTION, Trace, Wanted};

/// Requests that tell how fast a server can be driven, at most.
const TRIAL: usize = 100_000;
/// The part of the slowest server's speed at which all are driven.
const RELAXED: f64 = 0.9;

/// What to measure.
#[derive(Clone, Debug)]
pub(crate) struct Plan {
    /// Which traces.
    pub(crate) traces: Wanted,
    /// Servers to start, if any.
    pub(crate) selection: Option<Selection>,
    /// Servers that run.
    pub(crate) live: Vec<Target>,
    /// Whether what these hold may go.
    pub(crate) flush: Flush,
    /// On which cores.
    pub(crate) pinning: Pinning,
    /// `maxmemory-policy`, one after the other.
    pub(crate) policies: Vec<String>,
    /// `maxmemory` in bytes, if it is given.
    pub(crate) maxmemory: Option<u64>,
    /// Otherwise the part of what all keys take in the best peer.
    pub(crate) share: f64,
    /// Bytes of a value.
    pub(crate) value_bytes: usize,
    /// Requests sent together at most.
    pub(crate) depth: usize,
    /// Requests per second, if they are given.
    pub(crate) rate: Option<u32>,
    /// Requests of each trace at most.
    pub(crate) requests: usize,
    /// Measurements of each policy of each server.
    pub(crate) rounds: usize,
    /// What policies in this process look at, for comparison.
    pub(crate) settings: Settings,
    /// Decides the order of the servers.
    pub(crate) seed: u64,
    /// Where the record goes.
    pub(crate) json: Option<PathBuf>,
    /// Where the page goes.
    pub(crate) html: Option<PathBuf>,
}

/// One measurement.
#[derive(Clone, Debug, Default, Serialize)]
pub(crate) struct Round {
    /// GETs that found their key.
    pub(crate) hits: u64,
    /// GETs that did not.
    pub(crate) misses: u64,
    /// Commands that were refused.
    pub(crate) errors: u64,
    /// The first refusal.
    pub(crate) first_error: Option<String>,
    /// GETs per second.
    pub(crate) rate: f64,
    /// Keys that went for want of memory.
    pub(crate) evicted: u64,
    /// Keys in the end.
    pub(crate) keys: u64,
    /// `used_memory` in the end.
    pub(crate) used: u64,
    /// Microseconds of server CPU per GET, with the SETs that followed; of a server on this machine.
    pub(crate) cpu_us: Option<f64>,
    /// The part of the requests that exact LRU would have found with as many keys.
    pub(crate) lru_of_as_many: f64,
    /// The same of Belady.
    pub(crate) best_of_as_many: f64,
}

impl Round {
    /// The part of the GETs that found their key.
    pub(crate) fn hit_ratio(&self) -> f64 {
        self.hits as f64 / (self.hits + self.misses + self.errors).max(1) as f64
    }
}

/// A policy and everybody who was asked for it.
#[derive(Clone, Debug, Serialize)]
pub(crate) struct PolicyRecord {
    /// `maxmemory-policy`.
    pub(crate) policy: String,
    /// Every server.
    pub(crate) entries: Vec<Entry<Round>>,
}

/// A trace over sockets.
#[derive(Clone, Debug, Serialize)]
pub(crate) struct TraceRecord {
    /// Its name.
    pub(crate) trace: String,
    /// Requests that were sent.
    pub(crate) requests: u64,
    /// Their keys.
    pub(crate) keys: u64,
    /// `maxmemory` of every server.
    pub(crate) maxmemory: u64,
    /// GETs per second that were aimed at.
    pub(crate) rate: f64,
    /// Bytes of `used_memory` per key without a limit, of every server.
    pub(crate) bytes_per_key: Vec<(String, f64)>,
    /// Every policy.
    pub(crate) policies: Vec<PolicyRecord>,
}

/// The whole record.
#[derive(Clone, Debug, Serialize)]
pub(crate) struct Record {
    /// What it is the record of.
    pub(crate) scenario: &'static str,
    /// Where, when, and on which cores.
    pub(crate) preamble: Preamble,
    /// Whose traces these are.
    pub(crate) attribution: &'static str,
    /// Who took part.
    pub(crate) systems: Vec<Named>,
    /// Bytes of a value.
    pub(crate) value_bytes: usize,
    /// Requests sent together at most.
    pub(crate) depth: usize,
    /// Every trace.
    pub(crate) traces: Vec<TraceRecord>,
}

/// Measures and reports.
///
/// # Errors
/// If a trace cannot be read, a server cannot be had or filled, or a file cannot be written. A
/// server that refuses a policy is told in the tables.
pub(crate) fn run(plan: &Plan) -> Result<()> {
    let mut traces = plan.traces.load()?;
    let lab = Bench {
        plan,
        targets: targets(plan)?,
        scratch: Scratch::create()?,
        value: String::from_utf8(value(plan.value_bytes))?,
    };
    let mut record = Record {
        scenario: "policy-wire",
        preamble: Preamble::begin(plan.pinning, plan.seed)?,
        attribution: ATTRIBUTION,
        systems: Vec::new(),
        value_bytes: plan.value_bytes,
        depth: plan.depth,
        traces: Vec::new(),
    };
    for target in &lab.targets {
        let mut session = lab.open(target)?;
        let named = Named {
            name: target.system.name.clone(),
            version: session.version(),
        };
        session.close().with_context(|| named.name.clone())?;
        say(&format!("  {:<26} {}", named.name, named.version));
        record.systems.push(named);
    }
    for trace in &mut traces {
        shorten(trace, plan.requests);
        let measured = lab.measure(trace)?;
        say(&table(&measured));
        record.traces.push(measured);
        if let Some(path) = &plan.json {
            write_json(path, &record)?;
        }
        if let Some(path) = &plan.html {
            write_text(path, &page(&record))?;
        }
    }
    Ok(())
}

fn targets(plan: &Plan) -> Result<Vec<Target>> {
    let mut targets = plan.live.clone();
    if let Some(selection) = &plan.selection {
        let systems = selection.systems()?.into_iter();
        targets.extend(systems.map(|system| Target { system, live: None }));
    }
    if targets.is_empty() {
        bail!("no server to replay against");
    }
    Ok(targets)
}

/// Keeps the first requests; objects have no sizes over sockets, where all values are equally long.
fn shorten(trace: &mut Trace, requests: usize) {
    trace.keys.truncate(requests.max(1));
    let keys = trace.keys.iter().max().map_or(0, |&most| most as usize + 1);
    trace.sizes = vec![1; keys];
}

/// Who is measured, and with what.
#[derive(Debug)]
struct Bench<'a> {
    plan: &'a Plan,
    targets: Vec<Target>,
    scratch: Scratch,
    value: String,
}

impl Bench<'_> {
    fn open(&self, target: &Target) -> Result<Session> {
        let plan = self.plan;
        let session = Session::open(target, &plan.pinning, &self.scratch, plan.flush);
        session.with_context(|| target.system.name.clone())
    }

    fn load<'a>(&'a self, keys: &'a [u32], rate: Option<f64>) -> Load<'a> {
        Load {
            keys,
            value: &self.value,
            depth: self.plan.depth,
            rate,
        }
    }

    fn measure(&self, trace: &Trace) -> Result<TraceRecord> {
        let plan = self.plan;
        let keys = u32::try_from(trace.distinct())?;
        let (maxmemory, bytes_per_key) = self.room(keys)?;
        let runs = plan.policies.len() * self.targets.len() * plan.rounds;
        let bar = progress((runs * trace.keys.len()) as u64);
        let rate = match plan.rate {
            Some(rate) => f64::from(rate),
            None => RELAXED * self.slowest(trace, maxmemory)?,
        };
        let mut record = TraceRecord {
            trace: trace.name.clone(),
            requests: trace.keys.len() as u64,
            keys: u64::from(keys),
            maxmemory,
            rate,
            bytes_per_key,
            policies: Vec::new(),
        };
        let future = Future::of(trace);
        for policy in &plan.policies {
            let entries = self.targets.iter().map(|target| Entry::of(&target.system));
            let mut entries: Vec<Entry<Round>> = entries.collect();
            for round in 0..plan.rounds {
                for index in order(self.targets.len(), round, plan.seed) {
                    let target = &self.targets[index];
                    bar.set_message(format!("{}: {policy}, {}", trace.name, target.system.name));
                    if entries[index].fault.is_none() {
                        let mut outcome = self.once(target, policy, trace, &record, &bar);
                        if let Ok(round) = &mut outcome {
                            self.compare(trace, &future, round)?;
                        }
                        entries[index].note(outcome);
                    }
                }
            }
            record.policies.push(PolicyRecord {
                policy: policy.clone(),
                entries,
            });
        }
        bar.finish_and_clear();
        Ok(record)
    }

    /// The limit, and bytes per key of every server.
    fn room(&self, keys: u32) -> Result<(u64, Vec<(String, f64)>)> {
        let (mut all, mut best): (_, Option<(bool, u64, u64)>) = (Vec::new(), None);
        for target in &self.targets {
            let mut session = self.open(target)?;
            let name = target.system.name.clone();
            let filled = session.fill(keys, &self.value);
            let closed = session.close();
            let (base, growth) = filled.with_context(|| name.clone())?;
            closed.with_context(|| name.clone())?;
            all.push((name, growth as f64 / f64::from(keys.max(1))));
            // Peers before others, then the least.
            let is_other = target.system.kind != Kind::Peer;
            let own = (is_other, growth, base);
            best = Some(best.map_or(own, |best| best.min(own)));
        }
        let (_, growth, base) = best.unwrap_or_default();
        #[expect(
            clippy::cast_possible_truncation,
            clippy::cast_sign_loss,
            reason = "a part of a number of bytes"
        )]
        let share = (growth as f64 * self.plan.share) as u64;
        Ok((self.plan.maxmemory.unwrap_or(base + share), all))
    }

    /// GETs per second of the slowest server, under the first policy that it has.
    fn slowest(&self, trace: &Trace, maxmemory: u64) -> Result<f64> {
        let keys = &trace.keys[..trace.keys.len().min(TRIAL)];
        let mut slowest = f64::INFINITY;
        for target in &self.targets {
            let mut session = self.open(target)?;
            let has = |policy: &&String| session.limit(maxmemory, policy).is_ok();
            let outcome = match self.plan.policies.iter().find(has) {
                Some(_) => {
                    let load = self.load(keys, None);
                    Some(load.run(&mut session.client, &ProgressBar::hidden()))
                }
                None => None,
            };
            let closed = session.close();
            let name = || target.system.name.clone();
            let outcome = outcome.transpose().with_context(name)?;
            closed.with_context(name)?;
            if let Some(tally) = outcome {
                slowest = slowest.min(keys.len() as f64 / tally.seconds.max(1e-6));
            }
        }
        if slowest.is_infinite() {
            bail!(
                "no server has any of the policies {}",
                self.plan.policies.join(", ")
            );
        }
        Ok(slowest)
    }

    /// One measurement; a running server is given back whatever comes of it.
    fn once(
        &self,
        target: &Target,
        policy: &str,
        trace: &Trace,
        record: &TraceRecord,
        bar: &ProgressBar,
    ) -> Result<Round> {
        let mut session = self.open(target)?;
        let load = self.load(&trace.keys, Some(record.rate));
        let round = session
            .limit(record.maxmemory, policy)
            .and_then(|()| drive(&mut session, &load, bar));
        let closed = session.close();
        let round = round?;
        closed?;
        Ok(round)
    }

    /// What others would have found with as many keys.
    fn compare(&self, trace: &Trace, future: &Future, round: &mut Round) -> Result<()> {
        let requests = trace.keys.len().max(1) as f64;
        let keys = round.keys.max(1);
        let lru = replay(
            row("exact-lru")?,
            trace,
            keys,
            &self.plan.settings,
            self.plan.seed,
        )?;
        round.lru_of_as_many = lru.hits as f64 / requests;
        round.best_of_as_many = Lab::Belady.replay(trace, keys, future).hits as f64 / requests;
        Ok(())
    }
}

fn drive(session: &mut Session, load: &Load<'_>, bar: &ProgressBar) -> Result<Round> {
    let evicted = session.info("stats", "evicted_keys")?;
    let account = |pid: Option<u32>| pid.map(CpuAccount::read).transpose();
    let before = account(session.pid)?;
    let Tally {
        hits,
        misses,
        errors,
        first_error,
        seconds,
    } = load.run(&mut session.client, bar)?;
    let after = account(session.pid)?;
    let requests = load.keys.len().max(1) as f64;
    let spent = before
        .zip(after)
        .map(|(before, after)| after.since(&before).run_ns);
    Ok(Round {
        hits,
        misses,
        errors,
        first_error,
        rate: requests / seconds.max(1e-6),
        evicted: session
            .info("stats", "evicted_keys")?
            .saturating_sub(evicted),
        keys: session.keys()?,
        used: session.info("memory", "used_memory")?,
        cpu_us: spent.map(|nanos| nanos as f64 / 1e3 / requests),
        lru_of_as_many: 0.0,
        best_of_as_many: 0.0,
    })
}
