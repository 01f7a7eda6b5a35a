//! Figures of the big collections for members of 13 bytes: bytes each, and time per operation.
//!
//! Bytes are told twice: as the collection counts them, and as a counting allocator sees them, by
//! size classes of the usual allocator. Arguments are sizes, and names of collections:
//! members, pairs, scattered, growing, equal.
#![expect(clippy::print_stdout, reason = "an example that prints its figures")]
#![expect(clippy::disallowed_methods, reason = "measuring needs the clock")]

use std::alloc::{GlobalAlloc, Layout, System};
use std::hint::black_box;
use std::sync::OnceLock;
use std::sync::atomic::{AtomicUsize, Ordering};
use std::time::Instant;

use dovetail_memory::{Fields, Ranked, Shape};

const ROUNDS: usize = 4;
const PROBES: usize = 500_000;

struct Counting;

static USED: AtomicUsize = AtomicUsize::new(0);

#[global_allocator]
static ALLOCATOR: Counting = Counting;

/// Bytes of the size class for `len` bytes.
fn class(len: usize) -> usize {
    match len {
        0..=128 => len.next_multiple_of(16),
        129..=14_336 => len.next_multiple_of(1 << ((len - 1).ilog2() - 2)),
        _ => len.next_multiple_of(4096),
    }
}

// SAFETY: all is passed on to the system's allocator.
unsafe impl GlobalAlloc for Counting {
    unsafe fn alloc(&self, layout: Layout) -> *mut u8 {
        USED.fetch_add(class(layout.size()), Ordering::Relaxed);
        // SAFETY: the caller's promise.
        unsafe { System.alloc(layout) }
    }

    unsafe fn dealloc(&self, at: *mut u8, layout: Layout) {
        USED.fetch_sub(class(layout.size()), Ordering::Relaxed);
        // SAFETY: the caller's promise.
        unsafe { System.dealloc(at, layout) }
    }

    unsafe fn realloc(&self, at: *mut u8, layout: Layout, new: usize) -> *mut u8 {
        USED.fetch_add(class(new), Ordering::Relaxed);
        USED.fetch_sub(class(layout.size()), Ordering::Relaxed);
        // SAFETY: the caller's promise.
        unsafe { System.realloc(at, layout, new) }
    }
}

/// A well-mixed hash of short bytes.
fn hash(key: &[u8]) -> u64 {
    let mut state = 0x9e37_79b9_7f4a_7c15_u64;
    for part in key.chunks(8) {
        let mut word = [0; 8];
        word[..part.len()].copy_from_slice(part);
        let product = u128::from(state ^ u64::from_le_bytes(word)) * 0xa076_1d64_78bd_642f;
        state = u64::try_from(product >> 64).unwrap_or(0) ^ mixed(product);
    }
    mixed(u128::from(state))
}

/// A finaliser of the low half.
fn mixed(x: u128) -> u64 {
    let x = u64::try_from(x & u128::from(u64::MAX)).unwrap_or(0);
    let x = (x ^ (x >> 30)).wrapping_mul(0xbf58_476d_1ce4_e5b9);
    let x = (x ^ (x >> 27)).wrapping_mul(0x94d0_49bb_1331_11eb);
    x ^ (x >> 31)
}

fn member(number: usize) -> [u8; 13] {
    let mut member = *b"m:00000000000";
    let mut rest = number;
    for digit in member.iter_mut().rev().take(11) {
        *digit = b"0123456789"[rest % 10];
        rest /= 10;
    }
    member
}

fn score(number: usize) -> f64 {
    (mixed(number as u128) >> 11) as f64
}

struct Random(u64);

impl Random {
    fn next(&mut self) -> u64 {
        self.0 = self.0.wrapping_add(0x9e37_79b9_7f4a_7c15);
        mixed(u128::from(self.0))
    }

    fn below(&mut self, end: usize) -> usize {
        usize::try_from(self.next() >> 1).unwrap_or(0) % end
    }
}

/// Nanoseconds that this thread has run, where the kernel tells, to a few milliseconds; else of the
/// clock.
fn cpu_ns() -> u64 {
    static START: OnceLock<Instant> = OnceLock::new();
    let start = START.get_or_init(Instant::now);
    let told = std::fs::read_to_string("/proc/thread-self/schedstat").ok();
    let field = told.and_then(|text| text.split(' ').next().and_then(|n| n.parse().ok()));
    field.unwrap_or_else(|| u64::try_from(start.elapsed().as_nanos()).unwrap_or(u64::MAX))
}

/// Nanoseconds per operation, where `run` does `count`: the best of some rounds.
fn best(count: usize, mut run: impl FnMut()) -> f64 {
    let repeats = PROBES.div_ceil(count);
    let times = (0..ROUNDS).map(|_| {
        let start = cpu_ns();
        (0..repeats).for_each(|_| run());
        cpu_ns() - start
    });
    times.min().unwrap_or(0) as f64 / (count * repeats) as f64
}

/// A collection filled by `insert`, and a text of its bytes and nanoseconds each and the worst
/// insertions. The time is with that for destroying it.
///
/// Each insertion counts with its best of three rounds: what is left is not the machine's.
fn filled<C>(
    size: usize,
    new: impl Fn() -> C,
    mut insert: impl FnMut(&mut C, usize),
) -> (C, String) {
    let fill_ns = best(size, || {
        let mut collection = new();
        (0..size).for_each(|n| insert(&mut collection, n));
    });
    let mut least = vec![u32::MAX; size];
    for _ in 0..3 {
        let mut collection = new();
        for (n, least) in least.iter_mut().enumerate() {
            let start = Instant::now();
            insert(&mut collection, n);
            let ns = u32::try_from(start.elapsed().as_nanos()).unwrap_or(u32::MAX);
            *least = ns.min(*least);
        }
    }
    least.sort_unstable();
    let worst = |part: usize| f64::from(least[size - 1 - size / part]) / 1e3;
    let worst = [usize::MAX, 1_000_000, 10_000, 100].map(worst);
    let before = USED.load(Ordering::Relaxed);
    let mut collection = new();
    (0..size).for_each(|n| insert(&mut collection, n));
    let seen = (USED.load(Ordering::Relaxed) - before) as f64 / size as f64;
    let told = format!(
        "seen {seen:.1} B each; insert {fill_ns:.0} ns, worst {:.1} us, one in 1M {:.1}, \
         in 10k {:.1}, in 100 {:.1}",
        worst[0], worst[1], worst[2], worst[3],
    );
    (collection, told)
}

fn count_of(fields: &Fields, members: &[[u8; 13]]) -> usize {
    let held = members.iter().filter(|m| fields.contains(hash(*m), *m));
    held.count()
}

fn measure_fields(size: usize, shape: Shape) {
    let value: &[u8] = match shape {
        Shape::Members => b"",
        Shape::Pairs => b"value:0123456",
    };
    let insert = |fields: &mut Fields, n: usize| {
        let member = member(n);
        fields.insert(hash(&member), &member, value, &hash);
    };
    let (mut fields, told) = filled(size, || Fields::new(shape), insert);
    let counted = fields.memory() as f64 / size as f64;
    println!("{shape:?} {size}: counted {counted:.1}, {told}");
    let mut random = Random(1);
    let probes: Vec<_> = (0..PROBES).map(|_| member(random.below(size))).collect();
    let absent: Vec<_> = (0..PROBES).map(|n| member(size + n)).collect();
    let get = best(PROBES, || {
        black_box(count_of(&fields, &probes));
    });
    let ahead = best(PROBES, || {
        for probes in probes.chunks(16) {
            for step in 0..Fields::PREFETCH_STEPS {
                probes.iter().for_each(|m| fields.prefetch(hash(m), step));
            }
            black_box(count_of(&fields, probes));
        }
    });
    let miss = best(PROBES, || {
        black_box(count_of(&fields, &absent));
    });
    let sample = best(PROBES, || {
        for _ in 0..PROBES {
            black_box(fields.sample(&mut || random.next()));
        }
    });
    let walk = best(size, || {
        let last = fields.iter().map(|(field, _)| usize::from(field[12]));
        black_box(last.sum::<usize>());
    });
    println!(
        "    get {get:.0} ns, of 16 {ahead:.0}, absent {miss:.0}, sample {sample:.0}, walk {walk:.1}"
    );
    change_fields(&mut fields, &probes, value);
}

fn change_fields(fields: &mut Fields, probes: &[[u8; 13]], value: &[u8]) {
    let set = best(PROBES, || {
        for member in probes {
            fields.insert(hash(member), member, value, &hash);
        }
    });
    let churn = best(PROBES, || {
        for member in probes {
            fields.remove(hash(member), member);
            fields.insert(hash(member), member, value, &hash);
        }
    });
    let (size, start) = (fields.len(), cpu_ns());
    while !fields.is_empty() {
        fields.drain(&mut 1000);
    }
    let drain = (cpu_ns() - start) as f64 / size as f64;
    println!("    set again {set:.0} ns, remove and insert {churn:.0}, drain {drain:.1}");
}

fn measure_ranked(size: usize, order: &str, score: impl Fn(usize) -> f64) {
    let (mut ranked, told) = filled(size, Ranked::new, |ranked, n| {
        let member = member(n);
        ranked.insert(hash(&member), &member, score(n), &hash);
    });
    let counted = ranked.memory() as f64 / size as f64;
    println!("Ranked, {order} {size}: counted {counted:.1}, {told}");
    let mut random = Random(1);
    let probes: Vec<_> = (0..PROBES).map(|_| member(random.below(size))).collect();
    let scores: Vec<f64> = (0..PROBES).map(|_| score(random.below(size))).collect();
    let get = best(PROBES, || {
        let scores = probes.iter().filter_map(|m| ranked.score(hash(m), m));
        black_box(scores.sum::<f64>());
    });
    let rank = best(PROBES, || {
        let ranks = probes.iter().filter_map(|m| ranked.rank(hash(m), m));
        black_box(ranks.map(|found| found.0).sum::<usize>());
    });
    let range = best(PROBES, || {
        for bound in &scores {
            let from = ranked.partition_point(&|score, _| score < *bound);
            let ten = ranked.iter_from(from).take(10);
            black_box(ten.map(|pair| pair.1).sum::<f64>());
        }
    });
    let walk = best(size, || {
        let last = ranked.iter_from(0).map(|pair| usize::from(pair.0[12]));
        black_box(last.sum::<usize>());
    });
    let back = best(size, || {
        let last = ranked
            .rev_iter_from(size)
            .map(|pair| usize::from(pair.0[12]));
        black_box(last.sum::<usize>());
    });
    println!(
        "    score {get:.0} ns, rank {rank:.0}, 10 by score {range:.0}, walk {walk:.1}, back \
         {back:.1}"
    );
    change_ranked(&mut ranked, &probes, &scores);
}

fn change_ranked(ranked: &mut Ranked, probes: &[[u8; 13]], scores: &[f64]) {
    let size = ranked.len();
    let nudge = best(PROBES, || {
        for member in probes {
            let hash_of = hash(member);
            let old = ranked.score(hash_of, member).unwrap_or(0.0);
            ranked.insert(hash_of, member, old + 1.0, &hash);
        }
    });
    let mut turn = 0;
    let rescore = best(PROBES, || {
        turn += 1;
        for (member, score) in probes.iter().zip(scores.iter().cycle().skip(turn)) {
            ranked.insert(hash(member), member, *score, &hash);
        }
    });
    let churn = best(PROBES, || {
        for (member, score) in probes.iter().zip(scores) {
            ranked.remove(hash(member), member, &hash);
            ranked.insert(hash(member), member, *score, &hash);
        }
    });
    let after = ranked.memory() as f64 / size as f64;
    let (ranks, start) = (size / 4..size / 2, cpu_ns());
    ranked.remove_range(ranks.clone(), &hash, &mut |_, _| {});
    let cut = (cpu_ns() - start) as f64 / ranks.len() as f64;
    let (left, start) = (ranked.len(), cpu_ns());
    while !ranked.is_empty() {
        ranked.drain(&mut 1000);
    }
    let drain = (cpu_ns() - start) as f64 / left as f64;
    println!(
        "    nudge {nudge:.0} ns, new score {rescore:.0}, remove and insert {churn:.0} (then \
         {after:.1} B), remove range {cut:.0}, drain {drain:.1}"
    );
}

fn main() {
    let (mut sizes, mut names) = (Vec::new(), Vec::new());
    for argument in std::env::args().skip(1) {
        match argument.parse::<usize>() {
            Ok(size) => sizes.push(size),
            Err(_) => names.push(argument),
        }
    }
    if sizes.is_empty() {
        sizes = vec![1_000, 1_000_000, 5_000_000];
    }
    let is_wanted = |name: &str| names.is_empty() || names.iter().any(|wanted| wanted == name);
    for size in sizes {
        if is_wanted("members") {
            measure_fields(size, Shape::Members);
        }
        if is_wanted("pairs") {
            measure_fields(size, Shape::Pairs);
        }
        if is_wanted("scattered") {
            measure_ranked(size, "scattered", score);
        }
        if is_wanted("growing") {
            measure_ranked(size, "growing", |n| n as f64);
        }
        if is_wanted("equal") {
            measure_ranked(size, "equal", |_| 1.0);
        }
    }
}
