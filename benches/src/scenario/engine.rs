//! What a request costs the engine alone: no socket, no kernel, this thread.
//!
//! Batches are made beforehand, each is one chunk as a poller would hand it over. The least round
//! counts: whatever disturbs adds to it. Under `valgrind --tool=callgrind` the same run counts
//! instructions, which repeat exactly.

use std::time::Instant;

use anyhow::{Result, anyhow};
use dovetail_engine::base::{ConnId, ListenerId, Micros, Now};
use dovetail_engine::executor::{Engine, Parts};
use dovetail_engine::seam::machine::{Machine as _, Outbox};
use dovetail_engine::seam::poller::{Arrival, Endpoint, Event};
use rand::SeedableRng as _;
use rand::rngs::SmallRng;

use crate::load::client::Filling;
use crate::load::keys::{Distribution, KeyStream};
use crate::load::request::Ring;
use crate::load::workload::{Preload, Workload};
use crate::measure::spread::Figure;
use crate::report::{engine_table, say};

/// Requests of a round.
const REQUESTS: usize = 1 << 17;

/// What to measure.
#[derive(Debug)]
pub(crate) struct Plan {
    /// Kinds of load.
    pub(crate) workloads: Vec<Workload>,
    /// Requests in a chunk.
    pub(crate) depths: Vec<usize>,
    /// Connections, each of which has a chunk in every turn.
    pub(crate) connections: u32,
    /// Bytes of a value.
    pub(crate) value_bytes: usize,
    /// Keys that exist.
    pub(crate) keys: u32,
    /// Measurements of each.
    pub(crate) rounds: usize,
    /// Decides every random choice.
    pub(crate) seed: u64,
}

/// One row of the result.
#[derive(Debug)]
pub(crate) struct Cost {
    /// The workload.
    pub(crate) workload: String,
    /// Requests in a chunk.
    pub(crate) depth: usize,
    /// Nanoseconds per request.
    pub(crate) nanos: Figure,
}

/// Measures and prints.
///
/// # Errors
/// If the engine cannot be made.
pub(crate) fn run(plan: &Plan) -> Result<()> {
    let mut costs = Vec::new();
    for workload in &plan.workloads {
        let mut bench = Bench::new(plan)?;
        for preload in workload.preloads().iter().chain(&workload.renewed()) {
            bench.fill(preload, plan);
        }
        for &depth in &plan.depths {
            let chunks = chunks(workload, depth, plan);
            let rounds =
                (0..plan.rounds).map(|_| bench.round(&chunks) / (chunks.len() * depth) as f64);
            costs.push(Cost {
                workload: workload.name.clone(),
                depth,
                nanos: Figure::of(rounds),
            });
        }
    }
    say(&engine_table(&costs, plan.keys));
    Ok(())
}

fn chunks(workload: &Workload, depth: usize, plan: &Plan) -> Vec<Vec<u8>> {
    let mut rng = SmallRng::seed_from_u64(plan.seed);
    let requests = workload.requests(plan.value_bytes);
    let mut ring = Ring::new(&requests, depth, workload.order, &mut rng);
    let distribution = workload.distribution.unwrap_or(Distribution::Uniform);
    let mut keys = KeyStream::new(distribution, plan.keys, plan.seed);
    let chunk = |_| {
        let mut chunk = Vec::new();
        ring.next().write(&mut keys, &mut chunk);
        chunk
    };
    (0..(REQUESTS / depth).max(1)).map(chunk).collect()
}

/// An engine and its connections, for which time stands still.
struct Bench {
    engine: Engine,
    out: Outbox,
    connections: u32,
}

const NOW: Now = Now {
    monotonic: Micros(1),
    unix_us: 1_700_000_000_000_000,
};

const fn conn(slot: u32) -> ConnId {
    ConnId {
        slot,
        generation: 0,
    }
}

impl Bench {
    fn new(plan: &Plan) -> Result<Self> {
        let mut engine = Engine::new(Parts::bare(plan.seed)).map_err(|why| anyhow!(why))?;
        let mut out = Outbox::default();
        engine.start(NOW, "none", &mut out);
        for slot in 0..plan.connections {
            let here = Endpoint::Unix(String::new());
            let arrival = Box::new(Arrival {
                peer: here.clone(),
                local: here,
                descriptor: -1,
            });
            let event = Event::Accepted {
                conn: conn(slot),
                listener: ListenerId(0),
                arrival,
            };
            engine.on_event(NOW, event, &mut out);
        }
        Ok(Self {
            engine,
            out,
            connections: plan.connections,
        })
    }

    fn fill(&mut self, preload: &Preload, plan: &Plan) {
        let (filling, times) = Filling::for_preload(preload, plan.value_bytes, plan.keys);
        let mut chunk = Vec::new();
        for number in 0..times {
            chunk.clear();
            filling.write(number, &mut chunk);
            self.receive(0, &mut chunk);
            self.end_turn();
        }
    }

    fn receive(&mut self, slot: u32, chunk: &mut [u8]) {
        let event = Event::Received {
            conn: conn(slot),
            bytes: chunk,
        };
        self.engine.on_event(NOW, event, &mut self.out);
    }

    fn end_turn(&mut self) {
        self.engine.end_turn(NOW, &mut self.out);
        self.engine.replies(&mut |_, reply| {
            reply.clear(usize::MAX);
            0
        });
        self.out.actions.clear();
    }

    /// Runs all chunks. Returns the nanoseconds.
    fn round(&mut self, chunks: &[Vec<u8>]) -> f64 {
        // A chunk may be written to while it is parsed.
        let mut chunks = chunks.to_vec();
        let began = Instant::now();
        for turn in chunks.chunks_mut(self.connections as usize) {
            for (slot, chunk) in (0..).zip(turn) {
                self.receive(slot, chunk);
            }
            self.end_turn();
        }
        began.elapsed().as_nanos() as f64
    }
}
