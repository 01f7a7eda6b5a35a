//! A cache beside a store, as clients use it: GET, and SET of what was not there.
//!
//! Requests of a batch are sent together. A batch ends early where a key comes again, and what was
//! missing is written before the next batch reads: so that every GET finds what a client that waits
//! for each answer would find.

use std::thread;
use std::time::{Duration, Instant};

use anyhow::Result;
use indicatif::ProgressBar;

use crate::load::client::{Client, Reply, encode};

/// What a sleep is too coarse for.
const SHORT: Duration = Duration::from_micros(100);

/// What to send, and how.
#[derive(Clone, Copy, Debug)]
pub(super) struct Load<'a> {
    /// The key of each request.
    pub(super) keys: &'a [u32],
    /// What is stored under each key.
    pub(super) value: &'a str,
    /// Requests sent together at most.
    pub(super) depth: usize,
    /// Requests per second; `None` for as fast as it goes.
    pub(super) rate: Option<f64>,
}

/// What came back.
#[derive(Clone, Debug, Default, PartialEq)]
pub(super) struct Tally {
    /// GETs that found their key.
    pub(super) hits: u64,
    /// GETs that did not.
    pub(super) misses: u64,
    /// Commands that were refused.
    pub(super) errors: u64,
    /// The first refusal.
    pub(super) first_error: Option<String>,
    /// How long it took.
    pub(super) seconds: f64,
}

impl Tally {
    fn refused(&mut self, error: String) {
        self.errors += 1;
        self.first_error.get_or_insert(error);
    }
}

/// The name of a key.
pub(super) fn name(key: u32) -> String {
    format!("key:{key:012}")
}

impl Load<'_> {
    /// Sends everything; `bar` learns of each request.
    ///
    /// # Errors
    /// If the connection fails.
    pub(super) fn run(&self, client: &mut Client, bar: &ProgressBar) -> Result<Tally> {
        let keys = self.keys.iter().max().map_or(0, |&most| most as usize + 1);
        let mut tally = Tally::default();
        // The batch in which a key was read last, from 1.
        let mut batches = vec![0_u32; keys];
        let (mut at, mut batch, mut missed) = (0, 0_u32, Vec::new());
        let mut requests = Vec::new();
        let begin = Instant::now();
        while at < self.keys.len() || !missed.is_empty() {
            requests.clear();
            for &key in &missed {
                encode(&["SET", &name(key), self.value], &mut requests);
            }
            let (sets, from) = (missed.len(), at);
            missed.clear();
            batch = batch.wrapping_add(1);
            while at < self.keys.len() && at - from < self.depth {
                let key = self.keys[at];
                if std::mem::replace(&mut batches[key as usize], batch) == batch {
                    break;
                }
                encode(&["GET", &name(key)], &mut requests);
                at += 1;
            }
            self.wait(begin, from);
            client.write(&requests)?;
            for _ in 0..sets {
                if let Reply::Error(error) = client.answer()? {
                    tally.refused(error);
                }
            }
            for &key in &self.keys[from..at] {
                match client.answer()? {
                    Reply::Text(None) => {
                        tally.misses += 1;
                        missed.push(key);
                    }
                    Reply::Error(error) => tally.refused(error),
                    _ => tally.hits += 1,
                }
            }
            bar.inc((at - from) as u64);
        }
        tally.seconds = begin.elapsed().as_secs_f64();
        Ok(tally)
    }

    /// How long after the first request the one behind so many is due.
    fn due(&self, sent: usize) -> Duration {
        let seconds = self.rate.map_or(0.0, |rate| sent as f64 / rate);
        Duration::from_secs_f64(seconds)
    }

    /// Waits until the request behind so many is due.
    fn wait(&self, begin: Instant, sent: usize) {
        let due = begin + self.due(sent);
        loop {
            let early = due.saturating_duration_since(Instant::now());
            if early.is_zero() {
                return;
            }
            if early > SHORT {
                thread::sleep(early.saturating_sub(SHORT / 2));
            } else {
                thread::yield_now();
            }
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use std::collections::HashSet;
    use std::io::{BufRead as _, BufReader, Write as _};
    use std::net::{SocketAddr, TcpListener};

    /// A server of one connection that knows GET and SET, and refuses every SET of one key.
    fn serve(refused: Option<u32>) -> SocketAddr {
        let listener = TcpListener::bind("127.0.0.1:0").unwrap();
        let addr = listener.local_addr().unwrap();
        thread::spawn(move || {
            let (stream, _) = listener.accept().unwrap();
            let mut writer = stream.try_clone().unwrap();
            let mut lines = BufReader::new(stream).lines().map_while(Result::ok);
            let mut known = HashSet::new();
            while let Some(count) = lines.next() {
                let words: usize = count[1..].parse().unwrap();
                let mut word = || lines.by_ref().nth(1).unwrap();
                let (command, key) = (word(), word());
                if words == 3 {
                    word();
                }
                let reply = match (command.as_str(), known.contains(&key)) {
                    ("SET", _) if refused.is_some_and(|own| name(own) == key) => "-OOM no\r\n",
                    ("SET", _) => {
                        known.insert(key);
                        "+OK\r\n"
                    }
                    (_, true) => "$1\r\nv\r\n",
                    (_, false) => "$-1\r\n",
                };
                writer.write_all(reply.as_bytes()).unwrap();
            }
        });
        addr
    }

    fn load(keys: &[u32], depth: usize) -> Load<'_> {
        Load {
            keys,
            value: "v",
            depth,
            rate: None,
        }
    }

    fn run(keys: &[u32], depth: usize, refused: Option<u32>) -> Tally {
        let load = load(keys, depth);
        let mut client = Client::connect(serve(refused)).unwrap();
        load.run(&mut client, &ProgressBar::hidden()).unwrap()
    }

    #[test]
    fn gets_find_what_they_would_find_one_by_one() {
        let keys = [0, 1, 0, 2, 2, 1, 3, 0];
        for depth in [1, 2, 3, 16] {
            let tally = run(&keys, depth, None);
            assert_eq!(
                (tally.hits, tally.misses, tally.errors),
                (4, 4, 0),
                "{depth}"
            );
        }
    }

    #[test]
    fn refusals_are_counted_and_the_first_is_kept() {
        let tally = run(&[0, 1, 0, 1], 2, Some(1));
        assert_eq!((tally.hits, tally.misses, tally.errors), (1, 3, 2));
        assert_eq!(tally.first_error.as_deref(), Some("OOM no"));
    }

    #[test]
    fn requests_are_due_at_the_rate_or_at_once() {
        let mut load = load(&[], 1);
        assert_eq!(load.due(1_000), Duration::ZERO);
        load.rate = Some(2_000.0);
        assert_eq!(load.due(1_000), Duration::from_millis(500));
    }
}
