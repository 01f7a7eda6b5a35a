//! Policies that look at a few keys drawn at random, and remember the best candidates so far.
//!
//! The pool holds sixteen; a candidate keeps the score that it had when it was drawn, as in Redis, and
//! goes when its turn comes unless it is gone.

use super::part;
use dovetail_engine::seam::eviction::{
    EvictionPolicy, Locator, Pick, PolicyMemory, PolicySettings, Resident, Residents, Victim,
};

const POOL: usize = 16;

/// Any key.
#[derive(Debug)]
pub(super) struct Random;

impl EvictionPolicy for Random {
    fn pick(&mut self, keys: &mut dyn Residents, steps: &mut u32) -> Pick {
        match part::anybody(keys, steps) {
            Pick::Victim(victim) => Pick::Victim(Victim { rank: 0, ..victim }),
            none => none,
        }
    }

    fn memory(&self) -> PolicyMemory {
        PolicyMemory::default()
    }
}

/// How much a key deserves to go, whose clock was set so long ago: the highest goes.
pub(super) type Score = fn(&Resident, u64, &PolicySettings) -> u64;

/// The longest unused.
pub(super) fn idlest(_resident: &Resident, since: u64, _settings: &PolicySettings) -> u64 {
    since
}

/// The least frequently used of late; of equals the longest unused.
pub(super) fn least_frequent(resident: &Resident, since: u64, settings: &PolicySettings) -> u64 {
    let minutes = (since >> 16) / 60;
    let falls = minutes.checked_div(u64::from(settings.decay_minutes));
    let counter = u64::from(resident.mark & 0xff).saturating_sub(falls.unwrap_or(0));
    (255 - counter) << 48 | since.min((1 << 48) - 1)
}

/// The least hits for its age and bytes.
pub(super) fn least_per_age(resident: &Resident, since: u64, _settings: &PolicySettings) -> u64 {
    // The counter is four times the binary logarithm of the hits.
    let hits = (f64::from(resident.mark & 0x3f) / 4.0).exp2();
    #[expect(clippy::cast_precision_loss, reason = "a score")]
    let cost = (since + 1) as f64 * f64::from(resident.bytes.max(1));
    #[expect(
        clippy::cast_possible_truncation,
        clippy::cast_sign_loss,
        reason = "a positive score, cut off at the top"
    )]
    let score = (cost / hits) as u64;
    score
}

/// A policy of a score.
#[derive(Debug)]
pub(super) struct Sampled {
    settings: PolicySettings,
    score: Score,
    /// The lowest first.
    pool: Vec<(u64, Locator)>,
}

impl Sampled {
    pub(super) fn new(settings: PolicySettings, score: Score) -> Self {
        Self {
            settings,
            score,
            pool: Vec::with_capacity(POOL + 1),
        }
    }

    fn fill(&mut self, keys: &mut dyn Residents, steps: &mut u32) {
        let now = keys.now();
        let Self {
            settings,
            score,
            pool,
        } = self;
        *steps = steps.saturating_sub(settings.samples);
        keys.sample_run(settings.samples, &mut |resident| {
            let since = now.saturating_sub(resident.clock);
            let score = score(&resident, since, settings);
            if pool.iter().any(|(_, key)| *key == resident.key) {
                return;
            }
            let at = pool.partition_point(|(known, _)| *known < score);
            pool.insert(at, (score, resident.key));
            if pool.len() > POOL {
                pool.remove(0);
            }
        });
    }
}

impl EvictionPolicy for Sampled {
    fn pick(&mut self, keys: &mut dyn Residents, steps: &mut u32) -> Pick {
        while *steps > 0 {
            if keys.count() == 0 {
                return Pick::Nothing;
            }
            self.fill(keys, steps);
            while let Some((rank, key)) = self.pool.pop() {
                if keys.find(key).is_some() {
                    return Pick::Victim(Victim { key, rank });
                }
            }
        }
        Pick::OutOfSteps
    }

    fn memory(&self) -> PolicyMemory {
        PolicyMemory::default()
    }
}
