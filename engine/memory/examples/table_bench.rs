//! Figures of the store for keys and values of 16 bytes: bytes per key and time per operation.
#![expect(clippy::print_stdout, reason = "an example that prints its figures")]
#![expect(clippy::disallowed_methods, reason = "measuring needs the clock")]

use std::hint::black_box;
use std::rc::Rc;
use std::sync::OnceLock;
use std::time::Instant;

use dovetail_memory::{Body, HeapPages, NewBody, Store};

const ROUNDS: usize = 9;
const BATCH: usize = 16;

type Bytes16 = Store<()>;

/// A well-mixed hash of sixteen bytes.
fn hash(key: &[u8]) -> u64 {
    let mut state = 0x9e37_79b9_7f4a_7c15_u64;
    for part in key.chunks(8) {
        let mut word = [0; 8];
        word[..part.len()].copy_from_slice(part);
        let product = u128::from(state ^ u64::from_le_bytes(word)) * 0xa076_1d64_78bd_642f;
        let bytes = product.to_le_bytes();
        let (low, high) = bytes.split_at(8);
        let half = |b: &[u8]| b.iter().rev().fold(0_u64, |x, &y| x << 8 | u64::from(y));
        state = half(low) ^ half(high);
    }
    state ^ (state >> 29)
}

fn key(number: u64) -> [u8; 16] {
    let mut key = *b"key:000000000000";
    let mut rest = number;
    for digit in key.iter_mut().rev().take(12) {
        *digit = b"0123456789"[usize::try_from(rest % 10).unwrap_or(0)];
        rest /= 10;
    }
    key
}

struct Random(u64);

impl Random {
    fn below(&mut self, end: u64) -> u64 {
        self.0 ^= self.0 << 13;
        self.0 ^= self.0 >> 7;
        self.0 ^= self.0 << 17;
        (self.0 >> 11) % end
    }
}

/// Fills stores the same way some times over.
///
/// Returns the last one, the least nanoseconds that the whole took, and those of the worst insert,
/// where each insert counts with its best round: what is left then is not the machine's.
fn fill(keys: u64) -> (Bytes16, u64, u64) {
    let mut least = vec![u64::MAX; usize::try_from(keys).unwrap_or(0)];
    let mut total = u64::MAX;
    let mut store = Store::new(Rc::new(HeapPages));
    for _ in 0..3 {
        store = Store::new(Rc::new(HeapPages));
        let begin = cpu_ns();
        for number in 0..keys {
            let key = key(number);
            store.insert_new(
                hash(&key),
                &key,
                1,
                NewBody::Bytes(b"value:0123456789"),
                None,
            );
        }
        total = total.min(cpu_ns() - begin);
    }
    for _ in 0..3 {
        store = Store::new(Rc::new(HeapPages));
        for (number, least) in (0..keys).zip(&mut least) {
            let key = key(number);
            let start = Instant::now();
            store.insert_new(
                hash(&key),
                &key,
                1,
                NewBody::Bytes(b"value:0123456789"),
                None,
            );
            *least = (*least).min(u64::try_from(start.elapsed().as_nanos()).unwrap_or(u64::MAX));
        }
    }
    (store, total, least.into_iter().max().unwrap_or(0))
}

/// Nanoseconds that this thread has run, where the kernel tells; else of the clock.
fn cpu_ns() -> u64 {
    static START: OnceLock<Instant> = OnceLock::new();
    let start = START.get_or_init(Instant::now);
    let told = std::fs::read_to_string("/proc/thread-self/schedstat").ok();
    let field = told.and_then(|text| text.split(' ').next().and_then(|n| n.parse().ok()));
    field.unwrap_or_else(|| u64::try_from(start.elapsed().as_nanos()).unwrap_or(u64::MAX))
}

/// Nanoseconds per operation, the best of some rounds.
fn best(count: usize, mut run: impl FnMut()) -> f64 {
    let times = (0..ROUNDS).map(|_| {
        let start = cpu_ns();
        run();
        cpu_ns() - start
    });
    times.min().unwrap_or(0) as f64 / count as f64
}

fn find_batches(store: &Bytes16, probes: &[([u8; 16], u64)]) -> u64 {
    let mut sum = 0;
    for batch in probes.chunks(BATCH) {
        for (_, hash) in batch {
            store.prefetch_bucket(*hash);
        }
        for (_, hash) in batch {
            store.prefetch_record(*hash);
        }
        for (key, hash) in batch {
            sum += length(store, key, *hash);
        }
    }
    sum
}

fn overwrite_batches(store: &mut Bytes16, probes: &[([u8; 16], u64)]) {
    for batch in probes.chunks(BATCH) {
        for (_, hash) in batch {
            store.prefetch_bucket(*hash);
        }
        for (_, hash) in batch {
            store.prefetch_record(*hash);
        }
        for (key, hash) in batch {
            if let Some(mut entry) = store.find_mut(*hash, key) {
                entry.set(1, NewBody::Bytes(b"value:9876543210"));
            }
        }
    }
}

fn length(store: &Bytes16, key: &[u8], hash: u64) -> u64 {
    match store.find(hash, key).map(|entry| entry.body()) {
        Some(Body::Bytes(bytes)) => u64::from(bytes[15]),
        _ => 0,
    }
}

fn measure(keys: u64) {
    let (mut store, filled, worst) = fill(keys);
    let stats = store.stats();
    let per_key = |bytes: usize| bytes as f64 / keys as f64;
    let mut random = Random(0x1234_5678_9abc_def1);
    let count = 400_000_usize;
    let probes: Vec<([u8; 16], u64)> = (0..count)
        .map(|_| {
            let key = key(random.below(keys));
            (key, hash(&key))
        })
        .collect();
    let one_by_one = best(count, || {
        let sum: u64 = probes
            .iter()
            .map(|(key, hash)| length(&store, key, *hash))
            .sum();
        black_box(sum);
    });
    let batched = best(count, || {
        black_box(find_batches(&store, &probes));
    });
    let overwrite = best(count, || {
        for (key, hash) in &probes {
            if let Some(mut entry) = store.find_mut(*hash, key) {
                entry.set(1, NewBody::Bytes(b"value:9876543210"));
            }
        }
    });
    let overwrite_batched = best(count, || overwrite_batches(&mut store, &probes));
    println!(
        "{keys:>8} keys: {:.1} bytes/key ({:.1} records, {:.1} table; held {:.1}), fill {:.2}",
        per_key(store.memory() + stats.directory_bytes),
        per_key(stats.record_bytes),
        per_key(store.memory() - stats.page_bytes),
        per_key(stats.record_chunk_bytes + stats.table_chunk_bytes + stats.directory_bytes),
        keys as f64 / stats.slots as f64,
    );
    println!(
        "          insert {:.0} ns (worst {:.0} us), find {one_by_one:.0} ns, \
         batch of {BATCH} {batched:.0} ns, overwrite {overwrite:.0} ns, \
         batched {overwrite_batched:.0} ns",
        filled as f64 / keys as f64,
        worst as f64 / 1e3,
    );
    println!("          {stats:?}");
}

fn main() {
    let wanted: Vec<u64> = std::env::args()
        .skip(1)
        .filter_map(|a| a.parse().ok())
        .collect();
    let sizes = if wanted.is_empty() {
        vec![1_000, 1_000_000, 5_000_000]
    } else {
        wanted
    };
    for keys in sizes {
        measure(keys);
    }
}
