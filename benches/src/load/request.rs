//! Requests encoded beforehand, in batches whose keys are patched while they are copied.

use rand::Rng;
use rand::rngs::SmallRng;
use rand::seq::SliceRandom;

use super::keys::{DIGITS, KEY_BYTES, KeyStream, PREFIX_BYTES, write_digits};

/// One encoded request and the places of its keys' digits.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub(crate) struct Request {
    bytes: Vec<u8>,
    key_digits: Vec<usize>,
}

impl Request {
    /// A request of `args` arguments, the command's name included; they follow one by one.
    pub(crate) fn of(args: usize) -> Self {
        let bytes = format!("*{args}\r\n").into_bytes();
        Self {
            bytes,
            key_digits: Vec::new(),
        }
    }

    /// Appends a literal argument.
    pub(crate) fn arg(mut self, arg: &[u8]) -> Self {
        self.bytes
            .extend_from_slice(format!("${}\r\n", arg.len()).as_bytes());
        self.bytes.extend_from_slice(arg);
        self.bytes.extend_from_slice(b"\r\n");
        self
    }

    /// Appends a key: `prefix` and digits that are filled in when the request is sent.
    pub(crate) fn key(mut self, prefix: &[u8; PREFIX_BYTES]) -> Self {
        self.bytes
            .extend_from_slice(format!("${KEY_BYTES}\r\n").as_bytes());
        self.bytes.extend_from_slice(prefix);
        self.key_digits.push(self.bytes.len());
        self.bytes.extend_from_slice(&[b'0'; DIGITS]);
        self.bytes.extend_from_slice(b"\r\n");
        self
    }
}

/// Several requests in one piece.
#[derive(Clone, Debug, Default)]
pub(crate) struct Batch {
    bytes: Vec<u8>,
    key_digits: Vec<usize>,
    requests: u64,
}

impl Batch {
    fn push(&mut self, request: &Request) {
        let base = self.bytes.len();
        self.bytes.extend_from_slice(&request.bytes);
        self.key_digits
            .extend(request.key_digits.iter().map(|at| base + at));
        self.requests += 1;
    }

    /// Requests in the batch.
    pub(crate) fn requests(&self) -> u64 {
        self.requests
    }

    /// Appends the batch to `out` with keys drawn from `keys`.
    #[inline]
    pub(crate) fn write(&self, keys: &mut KeyStream, out: &mut Vec<u8>) {
        let base = out.len();
        out.extend_from_slice(&self.bytes);
        let copy = &mut out[base..];
        for &at in &self.key_digits {
            write_digits(&mut copy[at..at + DIGITS], keys.next());
        }
    }
}

/// How many bytes of encoded requests a ring may hold; a larger one would wash the caches.
const RING_BYTES: usize = 256 * 1024;

/// How many requests a ring of a mixed workload holds at least, so that the shares are exact.
const RING_REQUESTS: usize = 1000;

/// A ring of batches with the shares of a mix.
#[derive(Clone, Debug)]
pub(crate) struct Ring {
    batches: Vec<Batch>,
    next: usize,
}

impl Ring {
    /// A ring of batches of `depth` requests, in which each request of `mix` has its weight's share.
    /// The order is drawn from `rng`.
    pub(crate) fn new(mix: &[(Request, u32)], depth: usize, rng: &mut SmallRng) -> Self {
        let depth = depth.max(1);
        let mut deck = deck(mix);
        deck.shuffle(rng);
        let rounds = depth / gcd(deck.len(), depth);
        let batches = deck.len() * rounds / depth;
        let mut cards = deck.iter().cycle();
        let batches = (0..batches)
            .map(|_| {
                let mut batch = Batch::default();
                for &&card in cards.by_ref().take(depth).collect::<Vec<_>>().iter() {
                    batch.push(&mix[card].0);
                }
                batch
            })
            .collect::<Vec<_>>();
        let next = rng.random_range(0..batches.len());
        Self { batches, next }
    }

    /// The next batch.
    #[inline]
    pub(crate) fn next(&mut self) -> &Batch {
        self.next += 1;
        if self.next >= self.batches.len() {
            self.next = 0;
        }
        &self.batches[self.next]
    }
}

/// The indices of a mix, each as often as its weight asks.
fn deck(mix: &[(Request, u32)]) -> Vec<usize> {
    let weights = mix
        .iter()
        .map(|(_, weight)| *weight as usize)
        .sum::<usize>()
        .max(1);
    let bytes = mix
        .iter()
        .map(|(request, weight)| request.bytes.len() * *weight as usize);
    let bytes = bytes.sum::<usize>().max(1);
    let wanted = if mix.len() == 1 {
        1
    } else {
        RING_REQUESTS.div_ceil(weights)
    };
    let repeats = wanted.min(RING_BYTES / bytes).max(1);
    let mut deck = Vec::with_capacity(weights * repeats);
    for (card, (_, weight)) in mix.iter().enumerate() {
        deck.extend(std::iter::repeat_n(card, *weight as usize * repeats));
    }
    deck
}

fn gcd(a: usize, b: usize) -> usize {
    if b == 0 { a } else { gcd(b, a % b) }
}

#[cfg(test)]
mod tests {
    use rand::SeedableRng;

    use super::*;
    use crate::load::keys::Distribution;

    fn get() -> Request {
        Request::of(2).arg(b"GET").key(b"key:")
    }

    fn ping() -> Request {
        Request::of(1).arg(b"PING")
    }

    #[test]
    fn request_is_a_resp_array() {
        assert_eq!(
            get().bytes,
            b"*2\r\n$3\r\nGET\r\n$16\r\nkey:000000000000\r\n"
        );
        assert_eq!(get().key_digits, [4 + 9 + 5 + 4]);
    }

    #[test]
    fn keys_are_patched_in_place() {
        let mut batch = Batch::default();
        batch.push(&get());
        batch.push(&ping());
        batch.push(&get());
        let mut keys = KeyStream::new(Distribution::Uniform, 1, 1);
        let mut out = b"before".to_vec();
        batch.write(&mut keys, &mut out);
        let one = "*2\r\n$3\r\nGET\r\n$16\r\nkey:000000000000\r\n";
        let text = format!("before{one}*1\r\n$4\r\nPING\r\n{one}");
        assert_eq!(String::from_utf8(out).unwrap(), text);
        let mut keys = KeyStream::new(Distribution::Uniform, u32::MAX, 1);
        let mut out = Vec::new();
        batch.write(&mut keys, &mut out);
        assert_eq!(out.len(), batch.bytes.len());
        assert_ne!(out, batch.bytes);
    }

    #[test]
    fn ring_keeps_the_shares_exactly() {
        for depth in [1, 3, 16, 64] {
            let mut rng = SmallRng::seed_from_u64(5);
            let mut ring = Ring::new(&[(get(), 80), (ping(), 20)], depth, &mut rng);
            let (mut gets, mut all) = (0, 0);
            for _ in 0..ring.batches.len() {
                let batch = ring.next();
                assert_eq!(batch.requests(), depth as u64);
                gets += batch.key_digits.len();
                all += depth;
            }
            assert_eq!(gets * 100, all * 80, "depth {depth}");
        }
    }

    #[test]
    fn single_command_needs_one_batch() {
        let mut rng = SmallRng::seed_from_u64(5);
        assert_eq!(Ring::new(&[(ping(), 1)], 64, &mut rng).batches.len(), 1);
    }

    #[test]
    fn large_values_keep_the_ring_small() {
        let large = Request::of(3).arg(b"SET").key(b"key:").arg(&[b'x'; 65536]);
        let mut rng = SmallRng::seed_from_u64(5);
        let ring = Ring::new(&[(large, 1), (get(), 1)], 4, &mut rng);
        let bytes: usize = ring.batches.iter().map(|batch| batch.bytes.len()).sum();
        assert!(bytes < 2 * RING_BYTES, "{bytes}");
    }
}
