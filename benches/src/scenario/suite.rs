//! The default tests of redis-benchmark, run by redis-benchmark itself against every server in turn.
//!
//! Shape: all servers run from beginning to end, as in `wire`; each test is run against one after
//! the other, in an order drawn from the seed and then back, with the server's CPU account read
//! before and after. The data are what the tests before have left, as in redis-benchmark's own run.

use std::path::PathBuf;
use std::process::Command;

use anyhow::{Context as _, Result, bail};
use serde::Serialize;

use super::{Named, Preamble, progress};
use crate::load::client::Filling;
use crate::matrix::order;
use crate::measure::cpu::CpuAccount;
use crate::measure::spread::Figure;
use crate::report::{self, say, suite_table};
use crate::server::pinning::Pinning;
use crate::server::process::{Scratch, Server};
use crate::server::systems::{Kind, Selection};

/// One test: its name, and the words after the options.
type Test = (&'static str, &'static [&'static str]);

/// The tests of redis-benchmark 7.0.15, in its order. Ranges are given as commands, because it
/// fills their list anew for each and would be measured doing so.
const TESTS: [Test; 20] = [
    ("PING_INLINE", &["-t", "ping_inline"]),
    ("PING_MBULK", &["-t", "ping_mbulk"]),
    ("SET", &["-t", "set"]),
    ("GET", &["-t", "get"]),
    ("INCR", &["-t", "incr"]),
    ("LPUSH", &["-t", "lpush"]),
    ("RPUSH", &["-t", "rpush"]),
    ("LPOP", &["-t", "lpop"]),
    ("RPOP", &["-t", "rpop"]),
    ("SADD", &["-t", "sadd"]),
    ("HSET", &["-t", "hset"]),
    ("SPOP", &["-t", "spop"]),
    ("ZADD", &["-t", "zadd"]),
    ("ZPOPMIN", &["-t", "zpopmin"]),
    ("LRANGE_100", &["LRANGE", "ranged", "0", "99"]),
    ("LRANGE_300", &["LRANGE", "ranged", "0", "299"]),
    ("LRANGE_500", &["LRANGE", "ranged", "0", "499"]),
    ("LRANGE_600", &["LRANGE", "ranged", "0", "599"]),
    ("MSET", &["-t", "mset"]),
    ("XADD", &["XADD", "stream", "*", "myfield", "VXK"]),
];

/// Elements of the list whose ranges are read, of three bytes as redis-benchmark's own are.
const RANGED: u32 = 1_000;

/// What to measure.
#[derive(Clone, Debug)]
pub(crate) struct Plan {
    /// Which servers.
    pub(crate) selection: Selection,
    /// On which cores.
    pub(crate) pinning: Pinning,
    /// The program.
    pub(crate) program: PathBuf,
    /// Names of tests; empty for all but XADD, which is none of the default ones.
    pub(crate) tests: Vec<String>,
    /// Requests of a test.
    pub(crate) requests: u32,
    /// Connections.
    pub(crate) connections: u32,
    /// Requests sent before their replies are awaited.
    pub(crate) pipeline: u32,
    /// Runs of each test against each server.
    pub(crate) rounds: usize,
    /// Decides the order of the servers.
    pub(crate) seed: u64,
    /// Where the record goes.
    pub(crate) json: Option<PathBuf>,
}

/// One run of one test.
#[derive(Clone, Debug, Serialize)]
pub(crate) struct Run {
    /// Requests per second, as redis-benchmark says.
    pub(crate) rate: f64,
    /// Half of the requests took at most so many milliseconds.
    pub(crate) p50_ms: f64,
    /// And 99 of 100.
    pub(crate) p99_ms: f64,
    /// Microseconds of server CPU per request.
    pub(crate) cpu_us: f64,
}

/// One server in one test.
#[derive(Clone, Debug, Serialize)]
pub(crate) struct Score {
    /// The server's name.
    pub(crate) system: String,
    /// What it is.
    pub(crate) kind: Kind,
    /// Every run.
    pub(crate) runs: Vec<Run>,
    /// Why there is none.
    pub(crate) fault: Option<String>,
}

impl Score {
    /// Median and spread of one figure over the runs.
    pub(crate) fn figure(&self, of: impl Fn(&Run) -> f64) -> Figure {
        Figure::of(self.runs.iter().map(of))
    }
}

/// One test and who scored what.
#[derive(Clone, Debug, Serialize)]
pub(crate) struct TestRecord {
    /// The test's name.
    pub(crate) test: &'static str,
    /// Every server.
    pub(crate) scores: Vec<Score>,
}

#[derive(Clone, Debug, Serialize)]
struct Record {
    scenario: &'static str,
    preamble: Preamble,
    systems: Vec<Named>,
    requests: u32,
    connections: u32,
    pipeline: u32,
    tests: Vec<TestRecord>,
}

/// Measures and reports.
///
/// # Errors
/// If a test is unknown, redis-benchmark is missing, or a server cannot be started.
pub(crate) fn run(plan: &Plan) -> Result<()> {
    let tests = chosen(&plan.tests)?;
    let systems = plan.selection.systems()?;
    let preamble = Preamble::begin(plan.pinning, plan.seed)?;
    let scratch = Scratch::create()?;
    let mut servers = Vec::new();
    for system in &systems {
        let server = Server::start(system, &plan.pinning, &scratch)?;
        say(&format!("  {:<22} {}", server.name(), server.version()));
        servers.push((system.kind.clone(), server));
    }
    let mut record = Record {
        scenario: "suite",
        preamble,
        systems: servers
            .iter()
            .map(|(_, server)| Named::of(server))
            .collect(),
        requests: plan.requests,
        connections: plan.connections,
        pipeline: plan.pipeline,
        tests: Vec::new(),
    };
    let bar = progress((tests.len() * servers.len() * plan.rounds) as u64);
    for test in tests {
        let measured = measure_test(plan, test, &mut servers, &bar)?;
        bar.suspend(|| say(&suite_table(&measured)));
        record.tests.push(measured);
        if let Some(path) = &plan.json {
            report::write_json(path, &record)?;
        }
    }
    bar.finish_and_clear();
    Ok(())
}

fn chosen(names: &[String]) -> Result<Vec<Test>> {
    if names.is_empty() {
        let all = TESTS.iter().filter(|(name, _)| *name != "XADD");
        return Ok(all.copied().collect());
    }
    let find = |name: &String| {
        let test = TESTS
            .iter()
            .find(|(known, _)| known.eq_ignore_ascii_case(name));
        test.copied().with_context(|| {
            let known: Vec<_> = TESTS.iter().map(|(name, _)| *name).collect();
            format!("no test is called '{name}'; there are {}", known.join(", "))
        })
    };
    names.iter().map(find).collect()
}

fn measure_test(
    plan: &Plan,
    test: Test,
    servers: &mut [(Kind, Server)],
    bar: &indicatif::ProgressBar,
) -> Result<TestRecord> {
    let mut scores: Vec<Score> = servers
        .iter()
        .map(|(kind, server)| Score {
            system: server.name().to_owned(),
            kind: kind.clone(),
            runs: Vec::new(),
            fault: None,
        })
        .collect();
    for round in 0..plan.rounds {
        for index in order(servers.len(), round, plan.seed) {
            let server = &mut servers[index].1;
            bar.set_message(format!("{}: {}", test.0, server.name()));
            bar.inc(1);
            let outcome = measure(plan, test, server);
            server.ensure_alive()?;
            match outcome {
                Ok(run) => scores[index].runs.push(run),
                Err(fault) => scores[index].fault = Some(format!("{fault:#}")),
            }
        }
    }
    Ok(TestRecord {
        test: test.0,
        scores,
    })
}

fn measure(plan: &Plan, test: Test, server: &Server) -> Result<Run> {
    if test.1.first() == Some(&"LRANGE") {
        let mut client = server.client()?;
        client.ask(&["DEL", "ranged"])?;
        client.fill(RANGED, &Filling::of("RPUSH ranged VXK", 0), &mut |_| {})?;
    }
    let mut command = Command::new(&plan.program);
    command.args(["-h", "127.0.0.1", "--csv"]);
    for (option, value) in [
        ("-p", u32::from(server.addr().port())),
        ("-n", plan.requests),
        ("-c", plan.connections),
        ("-P", plan.pipeline),
    ] {
        command.args([option, &value.to_string()]);
    }
    let before = CpuAccount::read(server.pid())?;
    let output = command
        .args(test.1)
        .output()
        .with_context(|| format!("running {}", plan.program.display()))?;
    let cpu = CpuAccount::read(server.pid())?.since(&before);
    let text = String::from_utf8_lossy(&output.stdout);
    let said = String::from_utf8_lossy(&output.stderr);
    if !output.status.success() || said.contains("rror") || text.contains("rror") {
        bail!(
            "{}",
            said.lines()
                .chain(text.lines())
                .next()
                .unwrap_or("it fails")
        );
    }
    let [rate, p50_ms, p99_ms] = figures(&text)?;
    Ok(Run {
        rate,
        p50_ms,
        p99_ms,
        cpu_us: cpu.run_ns as f64 / 1e3 / f64::from(plan.requests),
    })
}

/// Rate, p50 and p99 in the last line: name, rate, average, least, p50, p95, p99, most.
fn figures(csv: &str) -> Result<[f64; 3]> {
    let line = csv.lines().last().context("redis-benchmark says nothing")?;
    // A name may have commas, the figures are the last seven.
    let fields: Vec<&str> = line.rsplit(',').take(7).collect();
    let field = |at: usize| {
        let text = fields.get(at).context("a line of too few figures")?;
        let number = text.trim_matches('"').parse::<f64>();
        number.with_context(|| format!("'{text}' in {line}"))
    };
    Ok([field(6)?, field(3)?, field(1)?])
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn figures_are_those_of_the_last_line() {
        let csv = "\"test\",\"rps\",\"avg_latency_ms\",\"min_latency_ms\",\"p50_latency_ms\",\
            \"p95_latency_ms\",\"p99_latency_ms\",\"max_latency_ms\"\n\
            \"LRANGE a, b\",\"1000.5\",\"0.1\",\"0.2\",\"0.3\",\"0.4\",\"0.5\",\"0.6\"\n";
        assert_eq!(figures(csv).unwrap(), [1000.5, 0.3, 0.5]);
        assert!(figures("").is_err());
        assert!(figures("\"SET\",\"x\"").is_err());
    }

    #[test]
    fn tests_are_chosen_by_name() {
        assert_eq!(chosen(&[]).unwrap().len(), TESTS.len() - 1);
        assert_eq!(chosen(&["lpush".to_owned()]).unwrap()[0].0, "LPUSH");
        assert!(chosen(&["nosuch".to_owned()]).is_err());
    }
}
