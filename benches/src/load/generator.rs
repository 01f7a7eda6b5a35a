//! The load generator: one thread, many connections, closed loop with pipelining, on a poller.
//!
//! Shape: each connection has a batch on its way and the number of replies still missing. Replies
//! are counted as they come; batches are sent at the end of a turn, all together.
//! Cost: what a batch costs is one copy of its bytes, one patch per key, one send and one receive;
//! nothing is allocated per request.
//! Not here: open loop. A closed loop measures cost and capacity; its latencies are those of a load
//! that waits for the server.

use std::net::SocketAddr;
use std::time::{Duration, Instant};

use anyhow::{Result, bail};
use dovetail_engine::base::{ConnId, Micros};
use dovetail_engine::resp::ReplyBuf;
use dovetail_engine::seam::poller::{Endpoint, Event, Patience, Poller};
use rand::SeedableRng as _;
use rand::rngs::SmallRng;

use super::client::encode;
use super::keys::{Distribution, KeyStream};
use super::replies::{Scanner, Tally};
use super::request::Ring;
use super::workload::{CHANNEL, Pattern, Workload};
use crate::measure::cpu::own_run_ns;
use crate::measure::latency::Latencies;

/// How long the server may be silent before it is given up.
const SILENCE: Duration = Duration::from_secs(30);

/// Connections that are being made at the same time; fewer than any server's backlog.
const CONNECTING: usize = 100;

/// What a generator does.
#[derive(Clone, Debug)]
pub(crate) struct Load {
    /// The server.
    pub(crate) addr: SocketAddr,
    /// What is asked.
    pub(crate) workload: Workload,
    /// By how many.
    pub(crate) connections: usize,
    /// Requests per batch.
    pub(crate) pipeline: usize,
    /// Bytes of a value.
    pub(crate) value_bytes: usize,
    /// Keys to choose from.
    pub(crate) keys: u32,
    /// How.
    pub(crate) distribution: Distribution,
    /// Decides keys and the order of a mix.
    pub(crate) seed: u64,
}

/// When a run ends; what is on its way then is waited for.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum Limit {
    /// After so long.
    Time(Duration),
    /// After so many requests (deliveries, with a fan-out).
    Requests(u64),
}

/// What a run was.
#[derive(Clone, Debug)]
pub(crate) struct Outcome {
    /// Requests answered, or messages delivered.
    pub(crate) requests: u64,
    /// From the first send to the last reply.
    pub(crate) elapsed: Duration,
    /// All replies, errors among them.
    pub(crate) tally: Tally,
    /// From the send of the batch to the arrival of the reply.
    pub(crate) latencies: Latencies,
    /// The generator's own time on a core, in nanoseconds.
    pub(crate) own_ns: u64,
}

/// The connections of a load.
#[derive(Debug)]
pub(crate) struct Generator<P> {
    poller: P,
    callers: Vec<Caller>,
    by_slot: Vec<usize>,
    ring: Ring,
    keys: KeyStream,
    pattern: Pattern,
    ready: Vec<usize>,
}

#[derive(Debug)]
struct Caller {
    conn: ConnId,
    scanner: Scanner,
    missing: u64,
    sent: Instant,
    batch: ReplyBuf,
}

impl<P: Poller> Generator<P> {
    /// Makes all connections, and subscribes those that listen.
    ///
    /// # Errors
    /// If the server does not take them.
    pub(crate) fn connect(load: &Load) -> Result<Self> {
        let mut rng = SmallRng::seed_from_u64(load.seed);
        let distribution = load.workload.distribution.unwrap_or(load.distribution);
        let mut generator = Self {
            poller: P::open(load.connections)?,
            callers: Vec::with_capacity(load.connections),
            by_slot: Vec::new(),
            ring: Ring::new(
                &load.workload.requests(load.value_bytes),
                load.pipeline,
                load.workload.order,
                &mut rng,
            ),
            keys: KeyStream::new(distribution, load.keys, load.seed),
            pattern: load.workload.pattern,
            ready: Vec::with_capacity(load.connections),
        };
        let mut missing = load.connections.max(1);
        while missing > 0 {
            let wave = missing.min(CONNECTING);
            generator.connect_some(load.addr, wave)?;
            missing -= wave;
        }
        if generator.pattern == Pattern::FanOut {
            generator.subscribe()?;
        }
        Ok(generator)
    }

    /// Runs the load until `limit`.
    ///
    /// # Errors
    /// If a connection ends, the server falls silent, or it answers what is no reply.
    pub(crate) fn run(&mut self, limit: Limit) -> Result<Outcome> {
        let mut run = Run {
            tally: Tally::default(),
            latencies: Latencies::new()?,
            requests: 0,
            last_reply: Instant::now(),
        };
        let own_before = own_run_ns();
        let begin = Instant::now();
        let mut issued = 0;
        let mut waiting = 0;
        self.ready.clear();
        match self.pattern {
            Pattern::CallAndAnswer => self.ready.extend(0..self.callers.len()),
            Pattern::FanOut => self.ready.push(0),
        }
        loop {
            let is_over = match limit {
                Limit::Time(span) => begin.elapsed() >= span,
                Limit::Requests(most) => issued >= most,
            };
            if is_over {
                self.ready.clear();
            } else {
                let (requests, callers) = self.send_ready();
                issued += requests;
                waiting += callers;
            }
            if waiting == 0 {
                break;
            }
            self.turn(&mut run)?;
            waiting -= self.ready.len();
            if self.pattern == Pattern::FanOut {
                self.ready.clear();
                if waiting == 0 {
                    self.ready.push(0);
                }
            }
        }
        Ok(Outcome {
            requests: run.requests,
            elapsed: run.last_reply.duration_since(begin),
            tally: run.tally,
            latencies: run.latencies,
            own_ns: own_run_ns().saturating_sub(own_before),
        })
    }

    /// Sends a batch to whoever is ready; returns the requests issued and the connections that
    /// have something to wait for.
    fn send_ready(&mut self) -> (u64, usize) {
        let (mut requests, mut waiting) = (0, 0);
        for index in self.ready.drain(..) {
            let caller = &mut self.callers[index];
            let batch = self.ring.next();
            batch.write(&mut self.keys, caller.batch.tail());
            caller.missing = batch.requests();
            requests += batch.requests();
            waiting += 1;
            caller.sent = Instant::now();
            let sent = caller.sent;
            if self.pattern == Pattern::FanOut {
                for listener in &mut self.callers[1..] {
                    listener.missing = batch.requests();
                    listener.sent = sent;
                }
                waiting = self.callers.len();
                requests *= u64::try_from(waiting - 1).unwrap_or(1);
            }
            let caller = &mut self.callers[index];
            self.poller.send(caller.conn, &mut caller.batch);
        }
        (requests, waiting)
    }

    /// Waits once and counts what came; connections that miss nothing any more are then ready.
    fn turn(&mut self, run: &mut Run) -> Result<()> {
        self.poller.wait(patience())?;
        let mut was_silent = true;
        while let Some(event) = self.poller.next() {
            let (conn, bytes) = match event {
                Event::Received { conn, bytes } => (conn, bytes),
                Event::Closed { conn, result } => {
                    bail!("connection {} ended: {result:?}", conn.slot)
                }
                Event::Finished { conn } => bail!("the server ended connection {}", conn.slot),
                _ => continue,
            };
            let index = self.by_slot[conn.index()];
            let caller = &mut self.callers[index];
            let came = caller.scanner.feed(bytes, &mut run.tally)?;
            was_silent = false;
            if came == 0 {
                continue;
            }
            if came > caller.missing {
                bail!("the server sent more replies than it got requests");
            }
            caller.missing -= came;
            if caller.missing == 0 {
                self.ready.push(index);
            }
            run.last_reply = Instant::now();
            if self.pattern == Pattern::CallAndAnswer || index > 0 {
                run.requests += came;
                run.latencies
                    .record(run.last_reply.duration_since(caller.sent), came);
            }
        }
        if was_silent && run.last_reply.elapsed() > SILENCE {
            bail!("the server has not answered for {} s", SILENCE.as_secs());
        }
        Ok(())
    }

    fn connect_some(&mut self, addr: SocketAddr, count: usize) -> Result<()> {
        for _ in 0..count {
            let conn = self.poller.connect(&Endpoint::Ip(addr))?;
            if self.by_slot.len() <= conn.index() {
                self.by_slot.resize(conn.index() + 1, usize::MAX);
            }
            self.by_slot[conn.index()] = self.callers.len();
            self.callers.push(Caller {
                conn,
                scanner: Scanner::default(),
                missing: 0,
                sent: Instant::now(),
                batch: ReplyBuf::new(),
            });
        }
        let deadline = Instant::now() + SILENCE;
        let mut missing = count;
        while missing > 0 {
            if Instant::now() > deadline {
                bail!("{missing} connections of {count} could not be made in time");
            }
            self.poller.wait(patience())?;
            while let Some(event) = self.poller.next() {
                match event {
                    Event::Connected { result: Ok(()), .. } => missing -= 1,
                    Event::Connected {
                        result: Err(fault), ..
                    } => return Err(fault.into()),
                    Event::Closed { result, .. } => bail!("a connection ended: {result:?}"),
                    Event::Finished { .. } => bail!("the server ended a connection"),
                    _ => {}
                }
            }
        }
        Ok(())
    }

    fn subscribe(&mut self) -> Result<()> {
        let channel = String::from_utf8_lossy(CHANNEL);
        let mut waiting = 0;
        for caller in &mut self.callers[1..] {
            encode(&["SUBSCRIBE", &channel], caller.batch.tail());
            caller.missing = 1;
            waiting += 1;
            self.poller.send(caller.conn, &mut caller.batch);
        }
        let mut run = Run {
            tally: Tally::default(),
            latencies: Latencies::new()?,
            requests: 0,
            last_reply: Instant::now(),
        };
        self.ready.clear();
        while self.ready.len() < waiting {
            self.turn(&mut run)?;
        }
        match run.tally.first_error {
            Some(error) => bail!("the server refused to subscribe: {error}"),
            None => Ok(()),
        }
    }
}

/// What a run adds up.
#[derive(Debug)]
struct Run {
    tally: Tally,
    latencies: Latencies,
    requests: u64,
    last_reply: Instant,
}

/// Wakes at least once a second, so that a silent server is noticed.
fn patience() -> Patience {
    Patience {
        sleep: Some(Micros::from_secs(1)),
        gather: 0,
        grace: Micros(0),
    }
}
