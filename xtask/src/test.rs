//! `cargo x test`: runs the table of suites and says what passed, what failed, what was not run.
//!
//! Shape: each suite writes to a log of its own below the target folder; of a suite that passes only
//! the `test result` lines are shown, of one that fails everything.

use std::collections::BTreeMap;
use std::fs::{self, File};
use std::path::{Path, PathBuf};
use std::process::{Command, ExitStatus, Stdio};
use std::thread;
use std::time::{Duration, Instant};

use anyhow::{Context, Result, bail};

use crate::TestArgs;
use crate::setup;
use crate::suites::{Line, Program, SUITES, Suite, TOTAL_S, When, find};
use crate::workspace::{Workspace, cargo, is_installed, output_of};

/// A suite that takes this many times its budget, and more than `PATIENCE`, hangs and is ended.
const HANGS: u32 = 4;

/// Below this a suite is never called hanging, however small its budget is.
const PATIENCE: Duration = Duration::from_secs(600);

/// How often a running command is looked at.
const POLL: Duration = Duration::from_millis(50);

/// How a suite ended.
#[derive(Clone, Debug, PartialEq, Eq)]
enum Outcome {
    Passed,
    /// With one sentence: why.
    Failed(String),
    /// With what is missing.
    NotRun(String),
}

/// Runs the suites that `args` choose.
pub(crate) fn run(workspace: &Workspace, args: &TestArgs) -> Result<()> {
    if args.list {
        list();
        return Ok(());
    }
    let chosen = chosen(args)?;
    let runner = Runner::new(workspace, args)?;
    let mut ended: BTreeMap<&str, Outcome> = BTreeMap::new();
    let mut late = Vec::new();
    for suite in &chosen {
        println!("suite {}: {}", suite.name, suite.question);
        let missed = suite
            .needs
            .iter()
            .find(|need| ended.get(*need) != Some(&Outcome::Passed));
        let started = Instant::now();
        let outcome = match missed {
            Some(need) => Outcome::Failed(format!("it needs the suite {need}")),
            None => runner.suite(suite)?,
        };
        let took = started.elapsed();
        println!("{}\n", verdict(suite, &outcome, took));
        if took > Duration::from_secs(suite.budget_s) {
            late.push(format!(
                "{} (took {} of {})",
                suite.name,
                clock(took),
                budget(suite)
            ));
        }
        ended.insert(suite.name, outcome);
    }
    summary(&chosen, &ended, &late)
}

fn list() {
    println!("{:<14}{:>8}  {:<14}question", "suite", "budget", "needs");
    for suite in SUITES {
        let long = if suite.when == When::Long {
            " (with --long)"
        } else {
            ""
        };
        let needs = suite.needs.join(",");
        let budget = budget(suite);
        println!(
            "{:<14}{budget:>8}  {needs:<14}{}{long}",
            suite.name, suite.question
        );
    }
    println!(
        "all of every run: {} at most",
        clock(Duration::from_secs(TOTAL_S))
    );
}

/// The suites to run, in the order of the table.
fn chosen(args: &TestArgs) -> Result<Vec<&'static Suite>> {
    for name in &args.only {
        if find(name).is_none() {
            let names: Vec<&str> = SUITES.iter().map(|suite| suite.name).collect();
            bail!(
                "no suite is called `{name}`; there are: {}",
                names.join(", ")
            );
        }
    }
    let is_named = |suite: &Suite| args.only.iter().any(|name| name == suite.name);
    let is_needed = |suite: &Suite| {
        let named = SUITES.iter().filter(|other| is_named(other));
        named
            .flat_map(|other| other.needs)
            .any(|need| *need == suite.name)
    };
    let belongs = |suite: &&Suite| {
        if args.only.is_empty() {
            suite.when == When::Always || args.long
        } else {
            is_named(suite) || is_needed(suite)
        }
    };
    Ok(SUITES.iter().filter(belongs).collect())
}

struct Runner<'a> {
    workspace: &'a Workspace,
    logs: PathBuf,
    host: String,
    is_long: bool,
}

impl<'a> Runner<'a> {
    fn new(workspace: &'a Workspace, args: &TestArgs) -> Result<Self> {
        let logs = workspace.target.join("x");
        fs::create_dir_all(&logs).with_context(|| format!("cannot create {}", logs.display()))?;
        let version = output_of(Command::new("rustc").arg("-vV"))?;
        let host = version.lines().find_map(|line| line.strip_prefix("host: "));
        let host = host.context("rustc does not name its host")?.to_string();
        Ok(Self {
            workspace,
            logs,
            host,
            is_long: args.long,
        })
    }

    /// Runs the command lines of a suite until one fails.
    fn suite(&self, suite: &Suite) -> Result<Outcome> {
        let log = self.logs.join(format!("{}.log", suite.name));
        let out = File::create(&log).with_context(|| format!("cannot write {}", log.display()))?;
        let started = Instant::now();
        let budget = Duration::from_secs(suite.budget_s);
        let limit = (!self.is_long).then(|| started + PATIENCE.max(budget * HANGS));
        let mut failure = None;
        for line in suite.lines {
            if let Some(missing) = missing(line) {
                return Ok(Outcome::NotRun(missing));
            }
            let mut command = self.command(line)?;
            command
                .stdin(Stdio::null())
                .stdout(out.try_clone()?)
                .stderr(out.try_clone()?);
            let ended = finish(&mut command, limit)?;
            if !ended.is_some_and(|status| status.success()) {
                failure = Some(ended.map_or_else(
                    || "it hangs and was ended".to_string(),
                    |status| format!("{status}"),
                ));
                break;
            }
        }
        report(&log, failure.is_some());
        Ok(failure.map_or(Outcome::Passed, Outcome::Failed))
    }

    fn command(&self, (program, words): &Line) -> Result<Command> {
        let mut command = match program {
            Program::Cargo => Command::new(cargo()),
            Program::Xtask => Command::new(std::env::current_exe()?),
            Program::Sanitizer => self.nightly("-Zsanitizer=address"),
            Program::LeakySanitizer => {
                let mut command = self.nightly("-Zsanitizer=address");
                command.env("ASAN_OPTIONS", "detect_leaks=0");
                command
            }
            Program::Miri => self.nightly(""),
        };
        command.args(
            words
                .iter()
                .map(|word| if *word == "HOST" { &self.host } else { *word }),
        );
        command.current_dir(&self.workspace.root);
        let server = self.workspace.target.join("quick/dovetail-server");
        command.env("DOVETAIL_SERVER", server);
        command.env("DOVETAIL_CLIENTS", setup::folder(self.workspace));
        if self.is_long {
            command.env("DOVETAIL_LONG", "1");
        }
        Ok(command)
    }

    /// A nightly cargo with flags for the compiler and a target folder of its own, so that the
    /// other suites find their builds untouched.
    fn nightly(&self, flags: &str) -> Command {
        let mut command = Command::new("rustup");
        command.args(["run", "nightly", "cargo"]);
        command
            .env_remove("RUSTUP_TOOLCHAIN")
            .env_remove("CARGO")
            .env_remove("RUSTC");
        command.env("CARGO_TARGET_DIR", self.workspace.target.join("nightly"));
        command.env("RUSTFLAGS", flags);
        command
    }
}

/// What a line needs and this machine does not have.
fn missing((program, _): &Line) -> Option<String> {
    let component = match program {
        Program::Cargo | Program::Xtask => return None,
        Program::Sanitizer | Program::LeakySanitizer => "rust-std",
        Program::Miri => "miri",
    };
    if !is_installed("rustup") {
        return Some("no rustup, so no nightly toolchain".to_string());
    }
    let listed = |words: &[&str]| output_of(Command::new("rustup").args(words)).unwrap_or_default();
    if !listed(&["toolchain", "list"])
        .lines()
        .any(|line| line.starts_with("nightly"))
    {
        return Some("no nightly toolchain".to_string());
    }
    let components = listed(&["component", "list", "--installed", "--toolchain", "nightly"]);
    let has_it = components.lines().any(|line| line.starts_with(component));
    (!has_it).then(|| format!("the nightly toolchain has no {component}"))
}

/// Waits for a command; `None` when it was still running at the limit and was ended.
fn finish(command: &mut Command, limit: Option<Instant>) -> Result<Option<ExitStatus>> {
    let mut child = command
        .spawn()
        .with_context(|| format!("cannot start {command:?}"))?;
    loop {
        if let Some(status) = child.try_wait()? {
            return Ok(Some(status));
        }
        if limit.is_some_and(|limit| Instant::now() > limit) {
            end_tree(child.id());
            child.wait()?;
            return Ok(None);
        }
        thread::sleep(POLL);
    }
}

/// Ends a process and its descendants: a server under test must not outlive its suite.
fn end_tree(process: u32) {
    let mut family = vec![process];
    let parents = parents();
    let mut next = 0;
    while let Some(parent) = family.get(next).copied() {
        family.extend(
            parents
                .iter()
                .filter(|(_, of)| *of == parent)
                .map(|(child, _)| *child),
        );
        next += 1;
    }
    let ids = family.iter().map(ToString::to_string);
    if let Err(error) = output_of(Command::new("kill").arg("-KILL").args(ids)) {
        eprintln!("{error:#}");
    }
}

/// Every process with its parent.
fn parents() -> Vec<(u32, u32)> {
    let entries = fs::read_dir("/proc").into_iter().flatten().flatten();
    let described = entries.filter_map(|entry| {
        let process = entry.file_name().to_str()?.parse().ok()?;
        let stat = fs::read_to_string(entry.path().join("stat")).ok()?;
        // After the name in brackets come the state and the parent.
        let parent = stat
            .rsplit_once(')')?
            .1
            .split_whitespace()
            .nth(1)?
            .parse()
            .ok()?;
        Some((process, parent))
    });
    described.collect()
}

/// Shows a suite's log: all of it after a failure, else cargo's lines of results.
fn report(log: &Path, has_failed: bool) {
    let text = fs::read(log).unwrap_or_default();
    let text = String::from_utf8_lossy(&text);
    for line in text.lines() {
        let is_result = line.starts_with("test result: ") && !line.contains(" 0 passed; 0 failed");
        if has_failed || is_result {
            println!("    {line}");
        }
    }
    if has_failed {
        println!("    (log: {})", log.display());
    }
}

fn verdict(suite: &Suite, outcome: &Outcome, took: Duration) -> String {
    let (word, why) = match outcome {
        Outcome::Passed => ("passed", String::new()),
        Outcome::Failed(why) => ("FAILED", format!(": {why}")),
        Outcome::NotRun(why) => ("NOT RUN", format!(": {why}")),
    };
    format!(
        "{word} {} in {} of {}{why}",
        suite.name,
        clock(took),
        budget(suite)
    )
}

/// Prints the closing lines; the last one counts suites.
fn summary(chosen: &[&Suite], ended: &BTreeMap<&str, Outcome>, late: &[String]) -> Result<()> {
    let names = |wanted: fn(&Outcome) -> bool| {
        let names = chosen.iter().map(|suite| suite.name);
        names
            .filter(|name| ended.get(name).is_some_and(wanted))
            .collect::<Vec<_>>()
    };
    let passed = names(|outcome| *outcome == Outcome::Passed);
    let failed = names(|outcome| matches!(outcome, Outcome::Failed(_)));
    for suite in chosen {
        if let Some(Outcome::NotRun(why)) = ended.get(suite.name) {
            println!("not run: {} ({why})", suite.name);
        }
    }
    for suite in late {
        println!("over budget: {suite}");
    }
    if !failed.is_empty() {
        println!("failed: {}", failed.join(", "));
    }
    println!("{} passed, {} failed", passed.len(), failed.len());
    if !failed.is_empty() {
        bail!("cargo x test: not everything passed");
    }
    Ok(())
}

fn budget(suite: &Suite) -> String {
    clock(Duration::from_secs(suite.budget_s))
}

/// Minutes and seconds.
fn clock(time: Duration) -> String {
    format!("{}:{:02}", time.as_secs() / 60, time.as_secs() % 60)
}

#[cfg(test)]
mod tests {
    use std::io::{BufRead, BufReader, Read};
    use std::process::{Command, Stdio};
    use std::time::Instant;

    use super::{Outcome, chosen, end_tree, finish, summary};
    use crate::TestArgs;
    use crate::suites::{SUITES, find};

    fn names(only: &[&str], long: bool) -> Vec<&'static str> {
        let only = only.iter().map(ToString::to_string).collect();
        let args = TestArgs {
            long,
            only,
            list: false,
        };
        chosen(&args)
            .unwrap()
            .iter()
            .map(|suite| suite.name)
            .collect()
    }

    #[test]
    fn a_named_suite_brings_what_it_needs_in_the_order_of_the_table() {
        assert_eq!(
            names(&["clients", "fmt"], false),
            ["fmt", "server", "setup", "clients"]
        );
    }

    #[test]
    fn long_suites_run_only_when_asked_for() {
        assert!(!names(&[], false).contains(&"memory-miri"));
        assert!(names(&["memory-miri"], false).contains(&"memory-miri"));
        assert_eq!(names(&[], true).len(), SUITES.len());
    }

    #[test]
    fn an_unknown_suite_is_refused() {
        let args = TestArgs {
            long: false,
            only: vec!["nosuch".to_string()],
            list: false,
        };
        assert!(chosen(&args).is_err());
    }

    #[test]
    fn a_command_that_hangs_is_ended() {
        let mut command = Command::new("sleep");
        assert_eq!(
            finish(command.arg("1000"), Some(Instant::now())).unwrap(),
            None
        );
    }

    #[test]
    fn ending_a_process_ends_its_children() {
        let mut command = Command::new("sh");
        command
            .args(["-c", "sleep 1000 & echo started; wait"])
            .stdout(Stdio::piped());
        let mut child = command.spawn().unwrap();
        let mut out = BufReader::new(child.stdout.take().unwrap());
        let mut said = String::new();
        out.read_line(&mut said).unwrap();
        end_tree(child.id());
        // The pipe ends when nobody holds it any more, so this hangs if the child lives on.
        out.read_to_string(&mut said).unwrap();
        child.wait().unwrap();
        assert_eq!(said, "started\n");
    }

    #[test]
    fn a_suite_that_was_not_run_is_neither_passed_nor_failed() {
        let suites = [find("fmt").unwrap(), find("memory-asan").unwrap()];
        let not_run = Outcome::NotRun("no nightly toolchain".to_string());
        let ended = [("fmt", Outcome::Passed), ("memory-asan", not_run)].into();
        assert!(summary(&suites, &ended, &[]).is_ok());
        let ended = [("fmt", Outcome::Failed(String::new()))].into();
        assert!(summary(&suites, &ended, &[]).is_err());
    }
}
