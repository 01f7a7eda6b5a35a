//! Requests encoded beforehand, in batches whose keys are patched while they are copied.

use rand::Rng;
use rand::rngs::SmallRng;
use rand::seq::SliceRandom;

use super::keys::{DIGITS, KEY_BYTES, KeyStream, PREFIX_BYTES, write_digits};
use super::workload::value;

/// Which number is written into a place of a request.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum Draw {
    /// A key's, drawn as the run draws keys; counted upwards in a preload.
    Key,
    /// The number drawn last.
    Last,
    /// One below so many.
    Below(u32),
}

/// Offsets of digits, and which number goes there.
type Places = Vec<(usize, Draw)>;

/// One encoded request and the places of the digits that are filled in when it is sent.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub(crate) struct Request {
    bytes: Vec<u8>,
    digits: Places,
}

impl Request {
    /// A request of `args` arguments, the command's name included; they follow one by one.
    pub(crate) fn of(args: usize) -> Self {
        let bytes = format!("*{args}\r\n").into_bytes();
        Self {
            bytes,
            digits: Vec::new(),
        }
    }

    /// The request that `text` says: words with placeholders, in quotes where they have spaces.
    ///
    /// `__key__` becomes a key's number and `__rand:N__` a number below N, `__last__` the
    /// number before (all with [`DIGITS`] digits), and `__data__` a value of so many bytes;
    /// `__rand__` is `__key__`, as redis-benchmark's users know it.
    ///
    /// # Errors
    /// In words for the user.
    pub(crate) fn parse(text: &str, value_bytes: usize) -> Result<Self, String> {
        let words = words(text)?;
        if words.is_empty() {
            return Err("an empty command".to_owned());
        }
        let data = String::from_utf8_lossy(&value(value_bytes)).into_owned();
        let mut request = Self::of(words.len());
        for word in words {
            let word = word
                .replace("__data__", &data)
                .replace("__rand__", "__key__");
            let (arg, digits) = fill_in(&word)?;
            request = request.arg(&arg);
            let base = request.bytes.len() - 2 - arg.len();
            let places = digits.into_iter().map(|(at, draw)| (base + at, draw));
            request.digits.extend(places);
        }
        Ok(request)
    }

    /// The bytes, with `number` as the key's and others made from it: what a preload writes.
    pub(crate) fn write_numbered(&self, number: u32, out: &mut Vec<u8>) {
        let base = out.len();
        out.extend_from_slice(&self.bytes);
        let copy = &mut out[base..];
        let mut state = u64::from(number);
        for &(at, draw) in &self.digits {
            let drawn = match draw {
                Draw::Key | Draw::Last => number,
                Draw::Below(count) => {
                    state = state
                        .wrapping_add(1)
                        .wrapping_mul(0x9e37_79b9_7f4a_7c15)
                        .rotate_left(29);
                    u32::try_from((state >> 33) % u64::from(count)).unwrap_or(0)
                }
            };
            write_digits(&mut copy[at..at + DIGITS], drawn);
        }
    }

    /// The command's name.
    pub(crate) fn name(&self) -> &[u8] {
        let lines = self.bytes.split(|&byte| byte == b'\n');
        lines.map(<[u8]>::trim_ascii_end).nth(2).unwrap_or_default()
    }

    /// How many bytes it has.
    pub(crate) fn len(&self) -> usize {
        self.bytes.len()
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
        self.digits.push((self.bytes.len(), Draw::Key));
        self.bytes.extend_from_slice(&[b'0'; DIGITS]);
        self.bytes.extend_from_slice(b"\r\n");
        self
    }
}

/// The words of a command: parted by spaces, or in double or single quotes.
fn words(text: &str) -> Result<Vec<String>, String> {
    let mut words = Vec::new();
    let mut rest = text.trim_start();
    while let Some(first) = rest.chars().next() {
        let (word, after) = match first {
            '"' | '\'' => rest[1..]
                .split_once(first)
                .ok_or_else(|| format!("a quote is open in '{text}'"))?,
            _ => rest.split_once(' ').unwrap_or((rest, "")),
        };
        words.push(word.to_owned());
        rest = after.trim_start();
    }
    Ok(words)
}

/// A word with zeros for its numbers, and where they are.
fn fill_in(word: &str) -> Result<(Vec<u8>, Places), String> {
    let mut arg = Vec::new();
    let mut digits = Places::new();
    let mut rest = word;
    while let Some((before, after)) = rest.split_once("__") {
        arg.extend_from_slice(before.as_bytes());
        let (name, tail) = after
            .split_once("__")
            .ok_or_else(|| format!("'{word}' has an open placeholder"))?;
        let draw = match name.split_once(':') {
            None if name == "key" => Draw::Key,
            None if name == "last" => Draw::Last,
            Some(("rand", count)) => match count.parse() {
                Ok(count @ 1..) => Draw::Below(count),
                _ => return Err(format!("'{count}' is no count")),
            },
            _ => return Err(format!("'__{name}__' is no placeholder")),
        };
        digits.push((arg.len(), draw));
        arg.extend_from_slice(&[b'0'; DIGITS]);
        rest = tail;
    }
    arg.extend_from_slice(rest.as_bytes());
    Ok((arg, digits))
}

/// Several requests in one piece.
#[derive(Clone, Debug, Default)]
pub(crate) struct Batch {
    bytes: Vec<u8>,
    digits: Places,
    requests: u64,
}

impl Batch {
    fn push(&mut self, request: &Request) {
        let base = self.bytes.len();
        self.bytes.extend_from_slice(&request.bytes);
        self.digits
            .extend(request.digits.iter().map(|&(at, draw)| (base + at, draw)));
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
        for &(at, draw) in &self.digits {
            let number = match draw {
                Draw::Key => keys.next(),
                Draw::Last => keys.last(),
                Draw::Below(count) => keys.below(count),
            };
            write_digits(&mut copy[at..at + DIGITS], number);
        }
    }
}

/// How many bytes of encoded requests a ring may hold; a larger one would wash the caches.
const RING_BYTES: usize = 256 * 1024;

/// How many requests a ring of a mixed workload holds at least, so that the shares are exact.
const RING_REQUESTS: usize = 1000;

/// In which order the requests of a mix follow each other.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum Order {
    /// Shuffled.
    Drawn,
    /// One after the other, again and again.
    AsGiven,
}

/// A ring of batches with the shares of a mix.
#[derive(Clone, Debug)]
pub(crate) struct Ring {
    batches: Vec<Batch>,
    next: usize,
}

impl Ring {
    /// A ring of batches of `depth` requests, in which each request of `mix` has its weight's share.
    /// The order is drawn from `rng`, unless it is that of the mix.
    pub(crate) fn new(
        mix: &[(Request, u32)],
        depth: usize,
        order: Order,
        rng: &mut SmallRng,
    ) -> Self {
        let depth = depth.max(1);
        let mut deck = match order {
            Order::Drawn => deck(mix),
            Order::AsGiven => (0..mix.len()).collect(),
        };
        if order == Order::Drawn {
            deck.shuffle(rng);
        }
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
        assert_eq!(get().digits, [(4 + 9 + 5 + 4, Draw::Key)]);
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
    fn command_is_parsed_with_its_placeholders() {
        let text = "EVAL \"return 1\" 1 key:__rand__ __data__ a__rand:5__b__last__";
        let request = Request::parse(text, 3).unwrap();
        let shown = String::from_utf8(request.bytes.clone()).unwrap();
        let data = String::from_utf8(value(3)).unwrap();
        let zeros = "0".repeat(DIGITS);
        assert_eq!(
            shown,
            format!(
                "*6\r\n$4\r\nEVAL\r\n$8\r\nreturn 1\r\n$1\r\n1\r\n$16\r\nkey:{zeros}\r\n\
                 $3\r\n{data}\r\n$26\r\na{zeros}b{zeros}\r\n"
            )
        );
        let draws: Vec<Draw> = request.digits.iter().map(|(_, draw)| *draw).collect();
        assert_eq!(draws, [Draw::Key, Draw::Below(5), Draw::Last]);
        let mut out = Vec::new();
        request.write_numbered(7, &mut out);
        assert!(String::from_utf8(out).unwrap().contains("key:000000000007"));
        for bad in [
            "",
            "GET __nosuch__",
            "GET \"open",
            "GET __rand:0__",
            "GET __key",
        ] {
            assert!(Request::parse(bad, 3).is_err(), "{bad}");
        }
    }

    #[test]
    fn given_order_is_kept() {
        let mut rng = SmallRng::seed_from_u64(5);
        let mut ring = Ring::new(&[(get(), 1), (ping(), 1)], 1, Order::AsGiven, &mut rng);
        let kinds: Vec<usize> = (0..4).map(|_| ring.next().digits.len()).collect();
        assert!(kinds == [0, 1, 0, 1] || kinds == [1, 0, 1, 0], "{kinds:?}");
    }

    #[test]
    fn ring_keeps_the_shares_exactly() {
        for depth in [1, 3, 16, 64] {
            let mut rng = SmallRng::seed_from_u64(5);
            let mut ring = Ring::new(&[(get(), 80), (ping(), 20)], depth, Order::Drawn, &mut rng);
            let (mut gets, mut all) = (0, 0);
            for _ in 0..ring.batches.len() {
                let batch = ring.next();
                assert_eq!(batch.requests(), depth as u64);
                gets += batch.digits.len();
                all += depth;
            }
            assert_eq!(gets * 100, all * 80, "depth {depth}");
        }
    }

    #[test]
    fn single_command_needs_one_batch() {
        let mut rng = SmallRng::seed_from_u64(5);
        assert_eq!(
            Ring::new(&[(ping(), 1)], 64, Order::Drawn, &mut rng)
                .batches
                .len(),
            1
        );
    }

    #[test]
    fn large_values_keep_the_ring_small() {
        let large = Request::of(3).arg(b"SET").key(b"key:").arg(&[b'x'; 65536]);
        let mut rng = SmallRng::seed_from_u64(5);
        let ring = Ring::new(&[(large, 1), (get(), 1)], 4, Order::Drawn, &mut rng);
        let bytes: usize = ring.batches.iter().map(|batch| batch.bytes.len()).sum();
        assert!(bytes < 2 * RING_BYTES, "{bytes}");
    }
}
