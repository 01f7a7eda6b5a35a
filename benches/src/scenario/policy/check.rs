//! Counts that are known: what the lab's policies must find on traces of the table.
//!
//! The counts are those of two implementations that agree and that share no code with this one. Exact
//! ones must be met to the unit. S3-FIFO has as many descriptions as implementations; it must come
//! near.

use anyhow::{Result, bail};
use serde::Serialize;

use super::lab::{Future, Lab};
use super::replay::{Settings, replay};
use super::{Plan, row};
use crate::report::policy::check_table;
use crate::report::say;
use crate::scenario::progress;
use crate::trace::Trace;

/// Points by which S3-FIFO may differ, without sizes and with them.
const NEAR: (f64, f64) = (0.5, 1.5);

/// What is known of one trace at one size.
#[derive(Clone, Copy, Debug)]
pub(crate) struct Known {
    trace: &'static str,
    requests: u64,
    capacity: u64,
    fifo: u64,
    lru: u64,
    sieve: u64,
    lfu: u64,
    belady: u64,
    /// Hits of a hundred requests.
    s3fifo: f64,
}

/// Counts in the order of [`Known`]'s fields.
const fn known(
    trace: &'static str,
    requests: u64,
    capacity: u64,
    [fifo, lru, sieve, lfu, belady]: [u64; 5],
    s3fifo: f64,
) -> Known {
    Known {
        trace,
        requests,
        capacity,
        fifo,
        lru,
        sieve,
        lfu,
        belady,
        s3fifo,
    }
}

/// Everything that is known. FIFO, LRU, SIEVE, LFU, Belady; then S3-FIFO.
#[rustfmt::skip]
pub(crate) static KNOWN: &[Known] = &[
    known("web12", 95_607, 137, [35_974, 37_954, 38_485, 20_739, 55_931], 40.86),
    known("web12", 95_607, 1_375, [61_700, 65_474, 68_565, 57_514, 76_520], 72.25),
    known("orm-busy", 5_000_000, 76, [2_488_618, 2_509_575, 2_009_511, 386_762, 3_001_461], 40.16),
    known("orm-busy", 5_000_000, 763, [3_796_950, 3_851_698, 3_526_586, 855_108, 4_141_258], 75.28),
    known("orm-busy", 5_000_000, 7_634, [4_339_400, 4_400_364, 4_406_176, 3_247_121, 4_665_377], 88.99),
    known("scarab-recs", 1_245_184, 258, [210_076, 227_325, 255_987, 160_425, 421_406], 22.78),
    known("scarab-recs", 1_245_184, 2_583, [396_404, 432_172, 508_125, 380_616, 664_290], 42.75),
    known("scarab-recs", 1_245_184, 25_836, [710_877, 754_546, 758_478, 637_983, 934_317], 62.74),
    known("corda-vault", 135_702, 90, [45_234, 45_234, 88, 88, 45_234], 33.33),
    known("corda-vault", 135_702, 904, [45_234, 45_234, 902, 902, 45_234], 33.33),
    known("corda-vault", 135_702, 9_046, [45_234, 45_234, 9_044, 9_044, 45_234], 33.33),
    known("cloudphysics-io", 113_872, 2_029_769, [15_704, 16_940, 18_238, 18_285, 20_029], 16.23),
    known("cloudphysics-io", 113_872, 20_297_697, [18_579, 18_916, 20_148, 20_148, 22_734], 17.71),
    known("cloudphysics-io", 113_872, 202_976_972, [21_918, 21_672, 23_879, 23_879, 39_764], 25.77),
    known("adaptsize-web", 66_987, 2_788_542, [15_673, 16_487, 17_632, 17_130, 24_468], 27.50),
    known("adaptsize-web", 66_987, 27_885_423, [22_017, 23_016, 25_328, 25_219, 30_172], 37.73),
];

/// What must be, and what was found.
#[derive(Clone, Debug, PartialEq, Serialize)]
pub(crate) struct Finding {
    /// The trace.
    pub(crate) trace: &'static str,
    /// The size.
    pub(crate) capacity: u64,
    /// The policy.
    pub(crate) policy: &'static str,
    /// Hits as they must be.
    pub(crate) expected: f64,
    /// Hits found.
    pub(crate) found: u64,
    /// By how many hits these may differ; `None` where they are told and not judged.
    pub(crate) within: Option<f64>,
}

impl Finding {
    /// Whether it is as it must be.
    pub(crate) fn is_right(&self) -> bool {
        let distance = (self.found as f64 - self.expected).abs();
        self.within.is_none_or(|within| distance <= within)
    }
}

/// Compares, prints, and says whether everything is as it must be.
///
/// # Errors
/// If a trace cannot be read, is not the one of the table, or a count is another one.
pub(crate) fn run(plan: &Plan) -> Result<()> {
    let mut wanted = plan.traces.clone();
    if wanted.names.is_empty() {
        let there: Vec<Trace> = wanted.load()?;
        wanted.names = there.into_iter().map(|trace| trace.name).collect();
        wanted
            .names
            .retain(|name| KNOWN.iter().any(|known| known.trace == name));
    }
    let traces = wanted.load()?;
    let bar = progress(traces.len() as u64);
    let mut findings = Vec::new();
    for trace in &traces {
        bar.inc(1);
        bar.set_message(trace.name.clone());
        findings.extend(compare(trace, &plan.settings, plan.seed)?);
    }
    bar.finish_and_clear();
    say(&check_table(&findings));
    let mut missing: Vec<&str> = KNOWN.iter().map(|known| known.trace).collect();
    missing.dedup();
    missing.retain(|name| traces.iter().all(|trace| trace.name != *name));
    if !missing.is_empty() {
        say(&format!(
            "not checked, for want of the traces: {}",
            missing.join(", ")
        ));
    }
    let wrong = findings
        .iter()
        .filter(|finding| !finding.is_right())
        .count();
    if wrong > 0 {
        bail!(
            "{wrong} of {} counts are not as they must be",
            findings.len()
        );
    }
    say(&format!("{} counts are as they must be", findings.len()));
    Ok(())
}

/// Compares what is known of a trace.
///
/// # Errors
/// If nothing is known of it, or it is another one by that name.
pub(crate) fn compare(trace: &Trace, settings: &Settings, seed: u64) -> Result<Vec<Finding>> {
    let name = &trace.name;
    let rows = || KNOWN.iter().filter(|known| known.trace == name);
    let Some(first) = rows().next() else {
        bail!("nothing is known of the trace {name}");
    };
    let requests = trace.keys.len() as u64;
    if requests != first.requests {
        let expected = first.requests;
        bail!(
            "{name} has {requests} requests and is not the one of the table, which has {expected}"
        );
    }
    let future = Future::of(trace);
    let mut findings = Vec::new();
    for known in rows() {
        let mut note = |policy, expected, within, found| {
            findings.push(Finding {
                trace: known.trace,
                capacity: known.capacity,
                policy,
                expected,
                found,
                within,
            });
        };
        let labs = [
            (Lab::Fifo, known.fifo),
            (Lab::ExactLfu, known.lfu),
            (Lab::Belady, known.belady),
        ];
        for (lab, expected) in labs {
            let found = lab.replay(trace, known.capacity, &future).hits;
            // Where objects have sizes, those of no further use are equal for Belady and matter.
            let is_judged = lab != Lab::Belady || !trace.has_sizes();
            note(lab.name(), expected as f64, is_judged.then_some(0.0), found);
        }
        let (plain, sized) = NEAR;
        let points = if trace.has_sizes() { sized } else { plain };
        let per_point = requests as f64 / 100.0;
        for (policy, expected, within) in [
            ("exact-lru", known.lru as f64, 0.0),
            ("sieve", known.sieve as f64, 0.0),
            ("s3fifo", known.s3fifo * per_point, points * per_point),
        ] {
            let found = replay(row(policy)?, trace, known.capacity, settings, seed)?.hits;
            note(policy, expected, Some(within), found);
        }
    }
    Ok(findings)
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::trace::Wanted;

    const SETTINGS: Settings = Settings {
        rate: 10_000,
        samples: 5,
        log_factor: 10,
        decay_minutes: 1,
    };

    fn wrong(name: &str) -> Vec<Finding> {
        let wanted = Wanted {
            names: vec![name.to_owned()],
            ..Wanted::default()
        };
        let trace = wanted.load().unwrap().remove(0);
        let mut findings = compare(&trace, &SETTINGS, 1).unwrap();
        assert!(findings.len() >= 12);
        findings.retain(|finding| !finding.is_right());
        findings
    }

    #[test]
    fn counts_of_web12_are_as_they_must_be() {
        assert_eq!(wrong("web12"), []);
    }

    #[test]
    fn counts_of_orm_busy_are_as_they_must_be() {
        assert_eq!(wrong("orm-busy"), []);
    }

    #[test]
    fn another_trace_of_a_known_name_is_refused() {
        let trace = Trace {
            name: "web12".to_owned(),
            keys: vec![0],
            sizes: vec![1],
        };
        let error = compare(&trace, &SETTINGS, 1).unwrap_err();
        assert!(error.to_string().contains("which has 95607"), "{error}");
    }

    #[test]
    fn near_is_near_and_exact_is_exact() {
        let finding = |found, within| Finding {
            trace: "t",
            capacity: 1,
            policy: "p",
            expected: 100.0,
            found,
            within,
        };
        assert!(finding(100, Some(0.0)).is_right() && !finding(101, Some(0.0)).is_right());
        assert!(finding(95, Some(5.0)).is_right() && !finding(94, Some(5.0)).is_right());
        assert!(finding(7, None).is_right());
    }
}
