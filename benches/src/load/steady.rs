//! Writes at a given rate, and pings without a pause, each from a thread of its own: what goes on at
//! a server while something else is measured.
//!
//! Units: requests per second. A writer that was held up sends what it owes as fast as it can, so
//! that the rate holds over a second or two if the server is able to hold it at all.

use std::net::SocketAddr;
use std::sync::Arc;
use std::sync::atomic::{AtomicBool, AtomicU64, Ordering};
use std::thread::{self, JoinHandle};
use std::time::{Duration, Instant};

use anyhow::{Result, anyhow, bail};
use rand::SeedableRng as _;
use rand::rngs::SmallRng;

use super::client::Client;
use super::keys::{Distribution, KeyStream};
use super::replies::Tally;
use super::request::{Order, Ring};
use super::workload::Workload;

/// The pause of a writer that owes nothing.
const PAUSE: Duration = Duration::from_millis(1);

/// The most requests that are sent before their replies are awaited. Their replies fit into socket
/// buffers.
const MOST: u64 = 512;

/// What a steady writer does.
#[derive(Clone, Debug)]
pub(crate) struct Pace {
    /// SETs per second.
    pub(crate) rate: u32,
    /// Keys to choose from, all alike.
    pub(crate) keys: u32,
    /// Bytes of a value.
    pub(crate) value_bytes: usize,
    /// Decides the keys.
    pub(crate) seed: u64,
}

/// A writer at work, over one connection.
#[derive(Debug)]
pub(crate) struct Steady {
    thread: Worker<()>,
    answered: Arc<AtomicU64>,
}

impl Steady {
    /// Begins to write.
    ///
    /// # Errors
    /// If the workload of SETs is unknown, or the server does not accept.
    pub(crate) fn start(addr: SocketAddr, pace: &Pace) -> Result<Self> {
        let set = Workload::parse("set").map_err(|text| anyhow!(text))?;
        let mut rng = SmallRng::seed_from_u64(pace.seed);
        let requests = set.requests(pace.value_bytes);
        let mut ring = Ring::new(&requests, 1, Order::AsGiven, &mut rng);
        let mut keys = KeyStream::new(Distribution::Uniform, pace.keys, pace.seed);
        let mut client = Client::connect(addr)?;
        let answered = Arc::new(AtomicU64::new(0));
        let count = Arc::clone(&answered);
        let rate = f64::from(pace.rate);
        let thread = Worker::start(move |stop| {
            let begin = Instant::now();
            let mut sent = 0;
            let mut batch = Vec::new();
            let mut tally = Tally::default();
            while !stop.load(Ordering::Relaxed) {
                let owed = due(begin.elapsed(), rate).saturating_sub(sent);
                batch.clear();
                for _ in 0..owed.min(MOST) {
                    ring.next().write(&mut keys, &mut batch);
                }
                client.write(&batch)?;
                client.collect(owed.min(MOST), &mut tally)?;
                if let Some(error) = &tally.first_error {
                    bail!("the server refused a write: {error}");
                }
                sent += owed.min(MOST);
                count.store(sent, Ordering::Relaxed);
                if owed <= MOST {
                    thread::sleep(PAUSE);
                }
            }
            Ok(())
        });
        Ok(Self { thread, answered })
    }

    /// How many writes have been answered so far.
    pub(crate) fn answered(&self) -> u64 {
        self.answered.load(Ordering::Relaxed)
    }

    /// Ends.
    ///
    /// # Errors
    /// If the server refused a write or closed the connection.
    pub(crate) fn finish(self) -> Result<()> {
        self.thread.finish()
    }
}

/// What should have been sent after `elapsed`.
#[expect(
    clippy::cast_possible_truncation,
    clippy::cast_sign_loss,
    reason = "a float-to-integer cast saturates, and neither a span nor a rate is negative"
)]
fn due(elapsed: Duration, rate: f64) -> u64 {
    (elapsed.as_secs_f64() * rate) as u64
}

/// One PING.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) struct Ping {
    /// When it was sent.
    pub(crate) sent: Instant,
    /// How long its answer took.
    pub(crate) took: Duration,
}

/// A client that sends a PING as soon as the one before is answered.
#[derive(Debug)]
pub(crate) struct Prober {
    thread: Worker<Vec<Ping>>,
}

impl Prober {
    /// Begins to ask.
    ///
    /// # Errors
    /// If the server does not accept.
    pub(crate) fn start(addr: SocketAddr) -> Result<Self> {
        let mut client = Client::connect(addr)?;
        let thread = Worker::start(move |stop| {
            let mut pings = Vec::new();
            let mut tally = Tally::default();
            while !stop.load(Ordering::Relaxed) {
                let sent = Instant::now();
                client.write(b"*1\r\n$4\r\nPING\r\n")?;
                client.collect(1, &mut tally)?;
                let took = sent.elapsed();
                pings.push(Ping { sent, took });
            }
            Ok(pings)
        });
        Ok(Self { thread })
    }

    /// Ends, and returns all that was asked.
    ///
    /// # Errors
    /// If the server closed the connection.
    pub(crate) fn finish(self) -> Result<Vec<Ping>> {
        self.thread.finish()
    }
}

/// A thread that works until it is told to stop.
#[derive(Debug)]
struct Worker<T> {
    stop: Arc<AtomicBool>,
    thread: JoinHandle<Result<T>>,
}

impl<T: Send + 'static> Worker<T> {
    fn start(work: impl FnOnce(&AtomicBool) -> Result<T> + Send + 'static) -> Self {
        let stop = Arc::new(AtomicBool::new(false));
        let told = Arc::clone(&stop);
        let thread = thread::spawn(move || work(&told));
        Self { stop, thread }
    }

    fn finish(self) -> Result<T> {
        self.stop.store(true, Ordering::Relaxed);
        let ended = self.thread.join();
        ended.map_err(|_| anyhow!("a thread of the generator has died"))?
    }
}

#[cfg(test)]
mod tests {
    use std::io::{Read as _, Write as _};
    use std::net::TcpListener;

    use super::*;

    /// Answers every request of `lines` lines; returns what it got.
    fn responder(lines: usize, answer: &'static [u8]) -> (SocketAddr, JoinHandle<Vec<u8>>) {
        let listener = TcpListener::bind("127.0.0.1:0").unwrap();
        let addr = listener.local_addr().unwrap();
        let thread = thread::spawn(move || {
            let (mut peer, _) = listener.accept().unwrap();
            let mut got = Vec::new();
            let mut answered = 0;
            let mut chunk = [0; 4096];
            loop {
                let count = peer.read(&mut chunk).unwrap();
                if count == 0 {
                    return got;
                }
                got.extend_from_slice(&chunk[..count]);
                let ended = got.iter().filter(|&&byte| byte == b'\n').count() / lines;
                // A client that has gone wants no answer.
                peer.write_all(&answer.repeat(ended - answered)).ok();
                answered = ended;
            }
        });
        (addr, thread)
    }

    fn wait_until(is_so: impl Fn() -> bool) {
        let deadline = Instant::now() + Duration::from_secs(30);
        while !is_so() {
            assert!(Instant::now() < deadline, "it does not come");
            thread::yield_now();
        }
    }

    #[test]
    fn writer_sends_what_is_due_and_counts_it() {
        assert_eq!(due(Duration::from_millis(500), 60_000.0), 30_000);
        let (addr, server) = responder(7, b"+OK\r\n");
        let pace = Pace {
            rate: 100_000,
            keys: 10,
            value_bytes: 16,
            seed: 1,
        };
        let steady = Steady::start(addr, &pace).unwrap();
        wait_until(|| steady.answered() >= 100);
        steady.finish().unwrap();
        let got = server.join().unwrap();
        assert!(got.starts_with(b"*3\r\n$3\r\nSET\r\n$16\r\nkey:00000000000"));
    }

    #[test]
    fn refused_write_is_reported() {
        let (addr, server) = responder(7, b"-MISCONF no disk\r\n");
        let pace = Pace {
            rate: 1_000_000,
            keys: 10,
            value_bytes: 16,
            seed: 1,
        };
        let steady = Steady::start(addr, &pace).unwrap();
        wait_until(|| steady.thread.thread.is_finished());
        let error = steady.finish().unwrap_err();
        assert!(error.to_string().contains("MISCONF"), "{error:#}");
        server.join().unwrap();
    }

    #[test]
    fn every_ping_is_kept() {
        let (addr, server) = responder(3, b"+PONG\r\n");
        let prober = Prober::start(addr).unwrap();
        let pings = prober.finish().unwrap();
        let got = server.join().unwrap();
        assert_eq!(pings.len(), got.len() / b"*1\r\n$4\r\nPING\r\n".len());
    }
}
