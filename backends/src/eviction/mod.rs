//! The policies: which key goes when memory is full.
//!
//! Sampled ones remember nothing but a few candidates and look at some keys drawn at random. Ordered
//! ones keep their keys in queues of words: a key's name and a few bits that its mark must show, so
//! that a word of a key that has gone, or has come again, is worth nothing.

mod exact_lru;
mod ghosts;
mod nearest;
mod part;
mod queue;
mod s3fifo;
mod sampled;
mod sieve;
mod sketch;
mod wtinylfu;

use dovetail_engine::seam::eviction::{PolicyEntry, PolicySettings, Touch};

/// All policies. `allkeys-NAME` and `volatile-NAME` follow from a row.
pub static POLICIES: &[PolicyEntry] = &[
    row("random", Touch::Clock, |_| Box::new(sampled::Random)),
    PolicyEntry {
        volatile_only: true,
        ..row("ttl", Touch::Clock, |_| Box::new(nearest::NearestDeadline))
    },
    row("lru", Touch::FineClock, |settings| {
        Box::new(sampled::Sampled::new(settings, sampled::idlest))
    }),
    row("lfu", Touch::Frequency, |settings| {
        Box::new(sampled::Sampled::new(settings, sampled::least_frequent))
    }),
    weighing(row("hyperbolic", Touch::Age, |settings| {
        Box::new(sampled::Sampled::new(settings, sampled::least_per_age))
    })),
    entering("exact-lru", Touch::FineClock, |_| {
        Box::new(exact_lru::ExactLru::default())
    }),
    entering("sieve", Touch::Count { most: sieve::HITS }, |_| {
        Box::new(sieve::Sieve::default())
    }),
    weighing(entering(
        "s3fifo",
        Touch::Count { most: s3fifo::HITS },
        |_| Box::new(s3fifo::S3Fifo::default()),
    )),
    weighing(entering(
        "wtinylfu",
        Touch::Count {
            most: wtinylfu::HITS,
        },
        |_| Box::new(wtinylfu::WTinyLfu::default()),
    )),
];

type Open = fn(PolicySettings) -> Box<dyn dovetail_engine::seam::eviction::EvictionPolicy>;

const fn row(name: &'static str, touch: Touch, open: Open) -> PolicyEntry {
    PolicyEntry {
        name,
        volatile_only: false,
        touch,
        enters: false,
        weighs: false,
        open,
    }
}

const fn entering(name: &'static str, touch: Touch, open: Open) -> PolicyEntry {
    PolicyEntry {
        enters: true,
        ..row(name, touch, open)
    }
}

const fn weighing(row: PolicyEntry) -> PolicyEntry {
    PolicyEntry {
        weighs: true,
        ..row
    }
}
