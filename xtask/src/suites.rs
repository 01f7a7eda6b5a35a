//! The suites of `cargo x test`, and the seconds each may take on two cores.

/// Who runs a command line.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum Program {
    /// The pinned cargo.
    Cargo,
    /// This program.
    Xtask,
    /// A nightly cargo that builds with AddressSanitizer; not run where there is no nightly.
    Sanitizer,
    /// The same without a word about leaks.
    LeakySanitizer,
    /// The Miri of a nightly cargo; not run where there is none.
    Miri,
}

/// Tests of the memory that leak on purpose: what a drain gives up is never freed, as in the process
/// that drains and ends.
const DRAINING: [&str; 4] = [
    "a_drain_gives_up_pages_once_they_were_shown_and_leaks_objects",
    "a_panic_amid_a_drain_leaves_an_empty_store",
    "a_walk_ends_where_its_visitor_fails_and_a_drained_store_is_empty_even_then",
    "a_walk_shows_every_record_once_whatever_was_removed",
];

/// When a suite runs.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum When {
    /// In every run.
    Always,
    /// With `--long`, or when it is named.
    Long,
}

/// One row: what `cargo x test` runs under one name.
#[derive(Clone, Copy, Debug)]
pub(crate) struct Suite {
    /// What it is called on the command line.
    pub(crate) name: &'static str,
    /// The question it answers.
    pub(crate) question: &'static str,
    /// Seconds on two cores, with the building it causes.
    pub(crate) budget_s: u64,
    /// When it runs.
    pub(crate) when: When,
    /// Suites that must have passed before.
    pub(crate) needs: &'static [&'static str],
    /// Its command lines, run in order; `HOST` stands for this machine's target triple.
    pub(crate) lines: &'static [Line],
}

/// A program and its arguments.
pub(crate) type Line = (Program, &'static [&'static str]);

/// All suites together stay below this many seconds.
pub(crate) const TOTAL_S: u64 = 25 * 60;

const fn suite(
    name: &'static str,
    budget_s: u64,
    question: &'static str,
    lines: &'static [Line],
) -> Suite {
    Suite {
        name,
        question,
        budget_s,
        when: When::Always,
        needs: &[],
        lines,
    }
}

impl Suite {
    const fn needs(mut self, needs: &'static [&'static str]) -> Self {
        self.needs = needs;
        self
    }

    const fn long(mut self) -> Self {
        self.when = When::Long;
        self
    }
}

/// What a suite needs that talks to the built server and compares it with its elders.
const BOTH: &[&str] = &["server", "setup"];

/// A suite that is one `[[test]]` target of `dovetail-tests`. The whole workspace is named, so that
/// cargo chooses the same features as for the unit tests and builds nothing twice.
macro_rules! target {
    ($name:literal, $budget_s:literal, $question:literal) => {
        suite(
            $name,
            $budget_s,
            $question,
            &[(
                Program::Cargo,
                &["test", "--workspace", "--no-fail-fast", "--test", $name],
            )],
        )
    };
}

/// The table, in the order in which the suites run.
pub(crate) const SUITES: &[Suite] = &[
    suite(
        "fmt",
        10,
        "is it formatted?",
        &[(Program::Cargo, &["fmt", "--all", "--check"])],
    ),
    suite(
        "tidy",
        10,
        "do layers, lengths and homes hold?",
        &[(Program::Xtask, &["tidy"])],
    ),
    suite(
        "clippy",
        130,
        "does the compiler have something to say?",
        &[(
            Program::Cargo,
            &[
                "clippy",
                "--workspace",
                "--all-targets",
                "--",
                "-D",
                "warnings",
            ],
        )],
    ),
    suite(
        "unit",
        215,
        "does each part do what its comment says?",
        &[
            (
                Program::Cargo,
                &["test", "--workspace", "--no-fail-fast", "--lib", "--bins"],
            ),
            (
                Program::Cargo,
                &["test", "--workspace", "--no-fail-fast", "--doc"],
            ),
        ],
    ),
    suite(
        "generated",
        20,
        "are the generated files up to date?",
        &[(Program::Xtask, &["docs", "--check"])],
    ),
    suite(
        "memory-asan",
        100,
        "is the unsafe code sound under AddressSanitizer?",
        &[
            (
                Program::Sanitizer,
                &[
                    "test",
                    "--package",
                    "dovetail-memory",
                    "--tests",
                    "--target",
                    "HOST",
                    "--",
                    "--skip",
                    DRAINING[0],
                    "--skip",
                    DRAINING[1],
                    "--skip",
                    DRAINING[2],
                    "--skip",
                    DRAINING[3],
                ],
            ),
            (
                Program::LeakySanitizer,
                &[
                    "test",
                    "--package",
                    "dovetail-memory",
                    "--lib",
                    "--target",
                    "HOST",
                    "--",
                    DRAINING[0],
                    DRAINING[1],
                    DRAINING[2],
                    DRAINING[3],
                ],
            ),
        ],
    ),
    // The simulated poller and disk have no unsafe code, and are slow under a sanitizer.
    suite(
        "backends-asan",
        270,
        "is the unsafe code around system calls sound under AddressSanitizer?",
        &[
            (
                Program::Sanitizer,
                &[
                    "test",
                    "--package",
                    "dovetail-backends",
                    "--lib",
                    "--target",
                    "HOST",
                ],
            ),
            (
                Program::Sanitizer,
                &[
                    "test",
                    "--package",
                    "dovetail-tests",
                    "--test",
                    "conformance",
                    "--target",
                    "HOST",
                    "--",
                    "--skip",
                    "simulated::",
                    "--skip",
                    "persistence::crashes::",
                    "--skip",
                    "persistence::faults::",
                ],
            ),
        ],
    ),
    suite(
        "memory-miri",
        3_600,
        "is the unsafe code sound under Miri?",
        &[(
            Program::Miri,
            &["miri", "test", "--package", "dovetail-memory", "--lib"],
        )],
    )
    .long(),
    target!(
        "conformance",
        60,
        "does each member keep its seam's contract?"
    ),
    target!(
        "simulation",
        30,
        "do the promises hold with faults and crashes?"
    ),
    suite(
        "server",
        220,
        "does the server build with optimizations?",
        &[(
            Program::Cargo,
            &[
                "build",
                "--profile",
                "quick",
                "--package",
                "dovetail-server",
            ],
        )],
    ),
    suite(
        "setup",
        40,
        "is there what the tests compare with?",
        &[(Program::Xtask, &["setup"])],
    ),
    suite(
        "setup-peers",
        300,
        "are there the newer servers that long runs compare with?",
        &[(Program::Xtask, &["peers"])],
    )
    .long(),
    target!(
        "families",
        60,
        "is each reply, byte for byte, what a client expects?"
    )
    .needs(BOTH),
    target!("differential", 110, "does it answer as Redis does?").needs(BOTH),
    target!("clients", 60, "do the client libraries work with it?").needs(BOTH),
    target!(
        "process",
        70,
        "does the binary behave: options, signals, files?"
    )
    .needs(BOTH),
    target!(
        "persistence",
        70,
        "is what is kept there again after restarts, kills, damage and full disks?"
    )
    .needs(BOTH),
    target!("fuzz", 25, "can bytes from outside break it?").needs(BOTH),
];

/// The suite called `name`.
pub(crate) fn find(name: &str) -> Option<&'static Suite> {
    SUITES.iter().find(|suite| suite.name == name)
}

#[cfg(test)]
mod tests {
    use super::{SUITES, TOTAL_S, When, find};

    #[test]
    fn the_budgets_fit_into_the_total() {
        let always = SUITES.iter().filter(|suite| suite.when == When::Always);
        let sum: u64 = always.map(|suite| suite.budget_s).sum();
        assert!(sum <= TOTAL_S, "{sum} seconds, and {TOTAL_S} are there");
    }

    #[test]
    fn names_are_unique() {
        for suite in SUITES {
            let same = SUITES
                .iter()
                .filter(|other| other.name == suite.name)
                .count();
            assert_eq!(same, 1, "{}", suite.name);
        }
    }

    #[test]
    fn what_a_suite_needs_comes_before_it() {
        for (index, suite) in SUITES.iter().enumerate() {
            for need in suite.needs {
                let place = SUITES.iter().position(|other| other.name == *need);
                assert!(
                    place.is_some_and(|place| place < index),
                    "{} of {}",
                    need,
                    suite.name
                );
                assert!(find(need).is_some_and(|need| need.needs.is_empty()));
            }
        }
    }
}
