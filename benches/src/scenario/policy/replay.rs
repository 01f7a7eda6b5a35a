//! One policy over one trace at one size, through the seam.

use std::thread;

use anyhow::{Result, bail};
use dovetail_backends::sys::alloc::Account;
use dovetail_engine::seam::eviction::{
    EvictionPolicy, Pick, PolicyEntry, PolicySettings, Residents as _,
};
use hdrhistogram::Histogram;
use serde::Serialize;

use super::cache::{Cache, Heating};
use crate::measure::cpu::own_run_ns;
use crate::trace::Trace;

/// Looks that a policy may take in one call.
const SLICE: u32 = 64;
/// Looks that it may take to forget, for each new key, as in the engine.
const TIDY_STEPS: u32 = 8;
/// Rounds over all keys after which a policy is given up.
const PATIENCE: u64 = 100;
/// Parts of a trace after which memory is looked at.
const LOOKS: usize = 64;

/// What policies look at, and how fast time goes.
#[derive(Clone, Copy, Debug, Serialize)]
pub(crate) struct Settings {
    /// Requests per second.
    pub(crate) rate: u32,
    /// `maxmemory-samples`.
    pub(crate) samples: u32,
    /// `lfu-log-factor`.
    pub(crate) log_factor: u32,
    /// `lfu-decay-time`.
    pub(crate) decay_minutes: u32,
}

/// What came of it.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, Serialize)]
pub(crate) struct Outcome {
    /// Requests that found their key.
    pub(crate) hits: u64,
    /// Bytes of these.
    pub(crate) hit_bytes: u64,
    /// Keys that went for want of room.
    pub(crate) evictions: u64,
    /// Keys that were there in the end.
    pub(crate) residents: u64,
    /// What it cost beyond the counts; lab policies have no such account.
    pub(crate) cost: Option<Cost>,
}

/// What a policy costs.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, Serialize)]
pub(crate) struct Cost {
    /// Nanoseconds of CPU of all requests.
    pub(crate) run_ns: u64,
    /// Bytes that the policy had taken from the allocator in the end.
    pub(crate) bytes: u64,
    /// The most of these, of some looks at them.
    pub(crate) bytes_peak: u64,
    /// All but one in a thousand victims took at most so many looks or moves.
    pub(crate) steps_p999: u64,
    /// The most that one victim took.
    pub(crate) steps_max: u64,
}

/// Replays a trace through a policy.
///
/// # Errors
/// If the policy names nobody, or somebody who is not there.
pub(super) fn replay(
    entry: &PolicyEntry,
    trace: &Trace,
    capacity: u64,
    settings: &Settings,
    seed: u64,
) -> Result<Outcome> {
    let heating = Heating {
        touch: entry.touch,
        log_factor: settings.log_factor,
        decay_minutes: settings.decay_minutes,
        seed,
    };
    let cache = Cache::new(trace, &heating);
    let steps = Histogram::new_with_bounds(1, 1 << 32, 3)?;
    // All that is taken from here on is the policy's.
    let account = OWN.with(|own| *own);
    let entered = account.enter();
    let base = account.used();
    let policy = (entry.open)(PolicySettings {
        samples: settings.samples,
        decay_minutes: settings.decay_minutes,
        seed,
    });
    let mut run = Run {
        entry,
        policy,
        cache,
        capacity,
        steps,
        account,
        base,
        evictions: 0,
    };
    let outcome = run.go(trace, settings);
    // What the account has paid for it gets back; the cache is no business of it.
    let Run { policy, .. } = run;
    drop(policy);
    drop(entered);
    outcome
}

struct Run<'a> {
    entry: &'a PolicyEntry,
    policy: Box<dyn EvictionPolicy>,
    cache: Cache<'a>,
    capacity: u64,
    steps: Histogram<u64>,
    /// What the policy takes is counted there, beside what was so before.
    account: Account,
    base: usize,
    evictions: u64,
}

thread_local! {
    /// Accounts cannot be closed; a thread has one at a time.
    static OWN: Account = Account::open();
}

impl Run<'_> {
    fn go(&mut self, trace: &Trace, settings: &Settings) -> Result<Outcome> {
        let rate = u64::from(settings.rate.max(1));
        let (mut hits, mut hit_bytes, mut index, mut peak) = (0, 0, 0, 0);
        let began = exact_run_ns();
        for part in trace.keys.chunks((trace.keys.len() / LOOKS).max(1)) {
            for &key in part {
                self.cache.set_now(index * 1_000_000 / rate);
                index += 1;
                if self.cache.hit(key) {
                    hits += 1;
                    hit_bytes += u64::from(trace.size(key));
                } else {
                    self.miss(key, u64::from(trace.size(key)))?;
                }
            }
            peak = peak.max(self.bytes());
        }
        let run_ns = exact_run_ns().saturating_sub(began);
        let bytes = self.bytes();
        Ok(Outcome {
            hits,
            hit_bytes,
            evictions: self.evictions,
            residents: self.cache.count() as u64,
            cost: Some(Cost {
                run_ns,
                bytes,
                bytes_peak: peak.max(bytes),
                steps_p999: self.steps.value_at_quantile(0.999),
                steps_max: self.steps.max(),
            }),
        })
    }

    /// What the policy holds.
    fn bytes(&self) -> u64 {
        self.account.used().saturating_sub(self.base) as u64
    }

    /// Makes room for a key that is not there, and puts it in unless it is too large for the cache.
    fn miss(&mut self, key: u32, size: u64) -> Result<()> {
        if size > self.capacity {
            return Ok(());
        }
        while self.cache.used() + size > self.capacity {
            self.evict()?;
        }
        let shown = self.cache.insert(key);
        if self.entry.enters {
            let mark = self.policy.enter(shown);
            self.cache.set_mark_of(key, mark);
        }
        self.policy.tidy(&mut self.cache, &mut TIDY_STEPS.clone());
        Ok(())
    }

    fn evict(&mut self) -> Result<()> {
        let name = self.entry.name;
        let mut taken = 0;
        let most = PATIENCE * (self.cache.count() as u64 + u64::from(SLICE));
        let victim = loop {
            let mut left = SLICE;
            let pick = self.policy.pick(&mut self.cache, &mut left);
            taken += u64::from(SLICE - left.min(SLICE));
            match pick {
                Pick::Victim(victim) => break victim,
                Pick::OutOfSteps if taken < most && left < SLICE => {}
                Pick::OutOfSteps => bail!("{name} has found nobody after {taken} steps"),
                Pick::Nothing => bail!("{name} says that there is nobody in a full cache"),
            }
        };
        self.steps.saturating_record(taken);
        if !self.cache.remove(victim.key) {
            bail!("{name} has named somebody who is not there");
        }
        self.evictions += 1;
        Ok(())
    }
}

/// Nanoseconds that this thread has run. The kernel enters them when a thread lets others run.
fn exact_run_ns() -> u64 {
    thread::yield_now();
    own_run_ns()
}

#[cfg(test)]
mod tests {
    use dovetail_backends::eviction::POLICIES;

    use super::*;
    use crate::trace::synthetic::{Shape, Synthetic};

    const SETTINGS: Settings = Settings {
        rate: 10_000,
        samples: 5,
        log_factor: 10,
        decay_minutes: 1,
    };

    fn row(name: &str) -> &'static PolicyEntry {
        POLICIES.iter().find(|row| row.name == name).unwrap()
    }

    fn trace() -> Trace {
        let synthetic = Synthetic {
            keys: 500,
            requests: 20_000,
            seed: 5,
        };
        synthetic.make(Shape::Scan)
    }

    #[test]
    fn every_policy_keeps_within_its_size_and_counts_what_it_does() {
        let mut trace = trace();
        for (key, size) in trace.sizes.iter_mut().enumerate() {
            *size = u32::try_from(key % 50).unwrap() + 1;
        }
        let rows = || POLICIES.iter().filter(|row| !row.volatile_only);
        // More runs than there are accounts.
        for row in (0..50).flat_map(|_| rows()) {
            let outcome = replay(row, &trace, 2_000, &SETTINGS, 1).unwrap();
            let misses = trace.keys.len() as u64 - outcome.hits;
            assert_eq!(
                misses,
                outcome.evictions + outcome.residents,
                "{}",
                row.name
            );
            assert!(outcome.hit_bytes > outcome.hits, "{}", row.name);
            let cost = outcome.cost.unwrap();
            assert_eq!(cost.bytes > 0, row.name != "random", "{}", row.name);
            assert!(
                cost.steps_max >= 1 && cost.bytes_peak >= cost.bytes,
                "{cost:?}"
            );
        }
    }

    #[test]
    fn objects_larger_than_the_cache_stay_outside() {
        let trace = Trace {
            name: "t".to_owned(),
            keys: vec![0, 1, 0, 1, 0],
            sizes: vec![11, 10],
        };
        let outcome = replay(row("exact-lru"), &trace, 10, &SETTINGS, 1).unwrap();
        assert_eq!(
            (outcome.hits, outcome.hit_bytes, outcome.evictions),
            (1, 10, 0)
        );
    }

    #[test]
    fn seeds_decide_what_chance_does_and_nothing_else() {
        let trace = trace();
        let hits = |name, seed| {
            let outcome = replay(row(name), &trace, 100, &SETTINGS, seed).unwrap();
            (outcome.hits, outcome.evictions)
        };
        assert_eq!(hits("random", 1), hits("random", 1));
        assert_ne!(hits("random", 1), hits("random", 2));
        assert_eq!(hits("sieve", 1), hits("sieve", 2));
    }

    #[test]
    fn policy_that_needs_deadlines_is_an_error_and_no_loop() {
        let error = replay(row("ttl"), &trace(), 100, &SETTINGS, 1).unwrap_err();
        assert!(error.to_string().contains("ttl"), "{error}");
    }
}
