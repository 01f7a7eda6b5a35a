//! Write, crash, recover: an engine with persistence on a disk that forgets, tears, fills up and fails.
//!
//! A run is a world made of a seed: an engine lives, is written to, configured, disturbed and killed
//! again and again, and each next process must find what was promised by itself. A failing run prints
//! its seed and the events that led there; `DOVETAIL_SEED` runs that one seed alone.

mod history;
mod life;
mod model;
mod switching;
mod world;

use dovetail_tests::sim::Tear;
use dovetail_tests::stage::is_long;
use std::panic::{AssertUnwindSafe, catch_unwind};
use world::World;

/// Runs of one kind, and how many times as many when there is time.
const RUNS: u64 = 120;
const LONG: u64 = 60;

/// What kind of world it is.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum Kind {
    /// Crashes only.
    Crashes,
    /// The disk fills up and fails as well.
    Faults,
    /// What was not synced is found as anything.
    Garbage,
}

/// Runs one seed.
///
/// # Errors
/// The broken promise, and the events before.
fn run(kind: Kind, seed: u64) -> Result<(), String> {
    let mut world = World::new(kind, seed);
    if kind == Kind::Garbage {
        world.set_tears(&[Tear::Prefix, Tear::Zeros, Tear::Garbage]);
    }
    let ended = catch_unwind(AssertUnwindSafe(|| world.run()));
    let broken = match ended {
        Ok(Ok(())) => return Ok(()),
        Ok(Err(why)) => why,
        Err(panic) => {
            let text = panic.downcast_ref::<String>().cloned();
            let text = text.or_else(|| panic.downcast_ref().map(|text: &&str| (*text).to_owned()));
            format!("panic: {}", text.unwrap_or_default())
        }
    };
    Err(format!(
        "{kind:?}, seed {seed}\n{}\n{broken}",
        world.story()
    ))
}

/// Runs many seeds, or the one that is named.
fn hold(kind: Kind) {
    if let Ok(seed) = std::env::var("DOVETAIL_SEED") {
        let seed = seed.parse().expect("DOVETAIL_SEED is a number");
        run(kind, seed).unwrap_or_else(|why| panic!("{why}"));
        return;
    }
    let runs = if is_long() { RUNS * LONG } else { RUNS };
    let mut broken = (0..runs).filter_map(|seed| run(kind, seed).err().map(|why| (seed, why)));
    if let Some((_, first)) = broken.next() {
        let others: Vec<u64> = broken.map(|(seed, _)| seed).take(20).collect();
        panic!("{first}\nother seeds: {others:?}");
    }
}

#[test]
fn every_crash_leaves_what_was_promised() {
    hold(Kind::Crashes);
}

#[test]
fn full_and_failing_disks_lose_nothing_promised_and_service_resumes() {
    hold(Kind::Faults);
}

#[test]
fn garbage_behind_what_was_synced_is_never_taken_for_data() {
    hold(Kind::Garbage);
}
