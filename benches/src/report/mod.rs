//! What is printed and what is written: tables for people, JSON for records.

pub(crate) mod chart;
pub(crate) mod expiry;
pub(crate) mod page;
pub(crate) mod persist;
pub(crate) mod policy;
pub(crate) mod wire_policy;

use std::fs;
use std::io::Write as _;
use std::path::Path;

use anyhow::{Context as _, Result};
use serde::Serialize;

use crate::measure::spread::{Figure, ratio};
use crate::scenario::engine::Cost;
use crate::scenario::growth::Stalls;
use crate::scenario::memory::ShapeRecord;
use crate::scenario::suite::TestRecord;
use crate::scenario::wire::{CellRecord, Round, Standing};
use crate::server::systems::Kind;

/// From which share of a core on a process counts as saturated, and below which it is not.
const SATURATED: f64 = 0.95;
const RELAXED: f64 = 0.90;

/// Prints a paragraph.
pub(crate) fn say(text: &str) {
    // A reader that went away (`| head`) is no reason to stop: the record is still written.
    writeln!(std::io::stdout().lock(), "{text}").ok();
}

/// Writes a record, whole or not at all.
///
/// # Errors
/// As the system says.
pub(crate) fn write_json(path: &Path, record: &impl Serialize) -> Result<()> {
    write_text(path, &serde_json::to_string_pretty(record)?)
}

/// Writes a text, whole or not at all.
///
/// # Errors
/// As the system says.
pub(crate) fn write_text(path: &Path, text: &str) -> Result<()> {
    let unfinished = path.with_extension("unfinished");
    fs::write(&unfinished, text).with_context(|| format!("writing {}", unfinished.display()))?;
    fs::rename(&unfinished, path).with_context(|| format!("writing {}", path.display()))
}

/// The table of one cell of the wire matrix.
pub(crate) fn wire_table(record: &CellRecord, cores_shared: bool) -> String {
    let mut table = Table::new(&[
        "",
        "krps",
        "p50 us",
        "p99",
        "p99.9",
        "CPU us",
        "user",
        "system",
        "+-%",
        "syscalls",
        "per sleep",
        "x peer",
        "x krps",
        "/ null",
        "",
    ]);
    let best = BestPeer::of(&record.standings);
    for standing in &record.standings {
        let of = |figure: &dyn Fn(&Round) -> f64| standing.figure(figure);
        let cpu = of(&|round| round.cpu_us);
        let rate = of(&|round| round.rate);
        table.row(vec![
            standing.system.clone(),
            number(rate.median / 1e3),
            number(of(&|round| round.latency_us.p50).median),
            number(of(&|round| round.latency_us.p99).median),
            number(of(&|round| round.latency_us.p999).median),
            number(cpu.median),
            number(of(&|round| round.cpu_user_us).median),
            number(of(&|round| round.cpu_system_us).median),
            format!("{:.0}", cpu.spread() * 100.0),
            standing.syscalls.map_or("-".to_owned(), number),
            number(of(&|round| round.requests_per_sleep).median),
            optional(best.cpu.and_then(|best| ratio(best, cpu.median))),
            optional(best.rate.and_then(|best| ratio(rate.median, best))),
            optional(null_cpu(record, standing).and_then(|null| ratio(cpu.median, null))),
            remarks(&standing.rounds.iter().collect::<Vec<_>>(), cores_shared),
        ]);
    }
    format!("\n{}{}", record.cell, table.print())
}

/// The table of one shape of key.
pub(crate) fn memory_table(record: &ShapeRecord) -> String {
    let mut table = Table::new(&[
        "",
        "RSS",
        "peak RSS",
        "used_memory",
        "RSS/element",
        "CPU us",
        "x peer",
        "x used",
        "encoding",
    ]);
    let peers = || {
        record
            .growths
            .iter()
            .filter(|growth| growth.kind == Kind::Peer)
    };
    let resident = least(peers().map(|growth| growth.resident));
    let used = least(peers().filter_map(|growth| growth.used));
    for growth in &record.growths {
        table.row(vec![
            growth.system.clone(),
            number(growth.resident),
            number(growth.peak),
            growth.used.map_or("-".to_owned(), number),
            number(growth.resident / f64::from(record.elements.max(1))),
            number(growth.cpu_us),
            optional(resident.and_then(|best| ratio(best, growth.resident))),
            optional(
                used.zip(growth.used)
                    .and_then(|(best, own)| ratio(best, own)),
            ),
            growth.encoding.clone().unwrap_or_else(|| "-".to_owned()),
        ]);
    }
    format!(
        "\n{}, {} keys: bytes per key{}",
        record.shape,
        record.keys,
        table.print()
    )
}

/// The table of one test of redis-benchmark.
pub(crate) fn suite_table(record: &TestRecord) -> String {
    let mut table = Table::new(&[
        "", "krps", "p50 ms", "p99 ms", "CPU us", "+-%", "x peer", "x krps", "",
    ]);
    let peers = || {
        let is_peer = |kind: &Kind| *kind == Kind::Peer;
        let scores = record
            .scores
            .iter()
            .filter(move |score| is_peer(&score.kind));
        scores.filter(|score| !score.runs.is_empty())
    };
    let cpu_best = least(peers().map(|peer| peer.figure(|run| run.cpu_us).median));
    let rate_best = least(peers().map(|peer| -peer.figure(|run| run.rate).median));
    for score in record.scores.iter().filter(|score| !score.runs.is_empty()) {
        let cpu = score.figure(|run| run.cpu_us);
        let rate = score.figure(|run| run.rate).median;
        table.row(vec![
            score.system.clone(),
            number(rate / 1e3),
            number(score.figure(|run| run.p50_ms).median),
            number(score.figure(|run| run.p99_ms).median),
            number(cpu.median),
            format!("{:.0}", cpu.spread() * 100.0),
            optional(cpu_best.and_then(|best| ratio(best, cpu.median))),
            optional(rate_best.and_then(|best| ratio(rate, -best))),
            score.fault.clone().unwrap_or_default(),
        ]);
    }
    let missing = record.scores.iter().filter(|score| score.runs.is_empty());
    let missing = missing.map(|score| {
        let why = score.fault.as_deref().unwrap_or("not measured");
        format!("\n{}: {why}", score.system)
    });
    format!(
        "\n{}{}{}",
        record.test,
        table.print(),
        missing.collect::<String>()
    )
}

/// The table of what the engine alone costs.
pub(crate) fn engine_table(costs: &[Cost], keys: u32) -> String {
    let mut table = Table::new(&["", "P", "ns/request", "median", "+-%"]);
    for cost in costs {
        table.row(vec![
            cost.workload.clone(),
            cost.depth.to_string(),
            number(cost.nanos.low),
            number(cost.nanos.median),
            format!("{:.0}", 100.0 * cost.nanos.spread()),
        ]);
    }
    format!("the engine alone, {keys} keys{}", table.print())
}

/// The table of the longest moments.
pub(crate) fn growth_table(stalls: &[Stalls], keys: u32) -> String {
    let mut table = Table::new(&[
        "",
        "longest",
        "at keys",
        "p99.9",
        "p99",
        "p50",
        "CPU us/key",
        "wall longest",
        "x peer",
    ]);
    let best = least(
        stalls
            .iter()
            .filter(|s| s.kind == Kind::Peer)
            .map(|s| s.cpu_us.max),
    );
    for stall in stalls {
        table.row(vec![
            stall.system.clone(),
            number(stall.cpu_us.max),
            stall
                .longest
                .first()
                .map_or("-".to_owned(), |probe| probe.keys.to_string()),
            number(stall.cpu_us.p999),
            number(stall.cpu_us.p99),
            number(stall.cpu_us.p50),
            number(stall.cpu_us_per_key),
            number(stall.wall_us.max),
            optional(best.and_then(|best| ratio(best, stall.cpu_us.max))),
        ]);
    }
    format!(
        "\ngrowth to {keys} keys: server CPU per probe, us{}",
        table.print()
    )
}

/// The best figures among peers, each of whichever peer has it.
#[derive(Clone, Copy, Debug)]
struct BestPeer {
    cpu: Option<f64>,
    rate: Option<f64>,
}

impl BestPeer {
    fn of(standings: &[Standing]) -> Self {
        let peers = || {
            standings
                .iter()
                .filter(|standing| standing.kind == Kind::Peer)
        };
        let cpu = least(peers().map(|peer| peer.figure(|round| round.cpu_us).median));
        let rate = least(peers().map(|peer| -peer.figure(|round| round.rate).median));
        Self {
            cpu,
            rate: rate.map(|rate| -rate),
        }
    }
}

/// The CPU per request of the null responder to compare with: that of the same poller; for a peer,
/// the cheapest.
fn null_cpu(record: &CellRecord, standing: &Standing) -> Option<f64> {
    let nulls =
        record
            .standings
            .iter()
            .filter_map(|candidate| match (&candidate.kind, &standing.kind) {
                (Kind::Null(poller), Kind::Dovetail(own)) if poller != own => None,
                (Kind::Null(_), Kind::Null(_)) => None,
                (Kind::Null(_), _) => Some(candidate.figure(|round| round.cpu_us).median),
                _ => None,
            });
    least(nulls)
}

/// What a reader must know before believing the row of these rounds.
fn remarks(rounds: &[&Round], cores_shared: bool) -> String {
    let mut remarks = Vec::new();
    let errors: u64 = rounds.iter().map(|round| round.errors).sum();
    if errors > 0 {
        let first = rounds.iter().find_map(|round| round.first_error.as_deref());
        remarks.push(format!(
            "INVALID: {errors} errors ({})",
            first.unwrap_or_default()
        ));
    }
    let nils: u64 = rounds.iter().map(|round| round.nils).sum();
    if nils > 0 {
        remarks.push(format!("{nils} nils"));
    }
    let client = Figure::of(rounds.iter().map(|round| round.client_busy)).median;
    let server = Figure::of(rounds.iter().map(|round| round.server_busy)).median;
    if !cores_shared && client > SATURATED && server < RELAXED {
        remarks.push(format!(
            "generator-bound, server {:.0}% busy",
            server * 100.0
        ));
    }
    remarks.join("; ")
}

fn least(figures: impl Iterator<Item = f64>) -> Option<f64> {
    figures.min_by(f64::total_cmp)
}

/// Three significant digits.
fn number(value: f64) -> String {
    let decimals = match value.abs() {
        size if size >= 99.95 => 0,
        size if size >= 9.995 => 1,
        size if size >= 0.9995 => 2,
        _ => 3,
    };
    format!("{value:.decimals$}")
}

fn optional(value: Option<f64>) -> String {
    value.map_or("-".to_owned(), |value| format!("{value:.2}"))
}

/// Columns of text: the first and the last to the left, the others to the right.
#[derive(Debug)]
struct Table {
    rows: Vec<Vec<String>>,
}

impl Table {
    fn new(header: &[&str]) -> Self {
        Self {
            rows: vec![header.iter().map(|&cell| cell.to_owned()).collect()],
        }
    }

    fn row(&mut self, cells: Vec<String>) {
        self.rows.push(cells);
    }

    fn print(&self) -> String {
        let columns = self.rows.iter().map(Vec::len).max().unwrap_or(0);
        let width = |column: usize| {
            let cells = self.rows.iter().filter_map(|row| row.get(column));
            cells.map(String::len).max().unwrap_or(0)
        };
        let widths: Vec<usize> = (0..columns).map(width).collect();
        let mut text = String::new();
        for row in &self.rows {
            let cells = row
                .iter()
                .zip(&widths)
                .enumerate()
                .map(|(column, (cell, &width))| {
                    let is_text = column == 0 || cell.contains(' ') && column + 1 == row.len();
                    if is_text {
                        format!("{cell:<width$}")
                    } else {
                        format!("{cell:>width$}")
                    }
                });
            text.push('\n');
            text.push_str(cells.collect::<Vec<_>>().join("  ").trim_end());
        }
        text
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::matrix::Cell;
    use crate::measure::latency::Percentiles;

    fn round(rate: f64, cpu_us: f64) -> Round {
        Round {
            requests: 1000,
            seconds: 1.0,
            rate,
            latency_us: Percentiles::default(),
            cpu_us,
            cpu_user_us: cpu_us / 4.0,
            cpu_system_us: cpu_us * 0.75,
            requests_per_sleep: 1.0,
            server_busy: 1.0,
            client_busy: 0.5,
            client_us: 1.0,
            errors: 0,
            first_error: None,
            nils: 0,
        }
    }

    fn standing(system: &str, kind: Kind, rate: f64, cpu_us: f64) -> Standing {
        let rounds = vec![
            round(rate, cpu_us),
            round(rate * 9.0, cpu_us * 9.0),
            round(rate, cpu_us),
        ];
        Standing {
            system: system.to_owned(),
            kind,
            rounds,
            syscalls: Some(2.0),
        }
    }

    fn record() -> CellRecord {
        let own = |poller: &str| Kind::Dovetail(poller.to_owned());
        let null = |poller: &str| Kind::Null(poller.to_owned());
        CellRecord {
            cell: Cell {
                workload: "get".into(),
                connections: 50,
                pipeline: 1,
                value_bytes: 16,
            },
            standings: vec![
                standing("dovetail-epoll", own("epoll"), 150e3, 5.0),
                standing("old", Kind::Peer, 100e3, 10.0),
                standing("older", Kind::Peer, 120e3, 12.0),
                standing("null-epoll", null("epoll"), 200e3, 4.0),
                standing("null-poll", null("poll"), 200e3, 3.0),
            ],
        }
    }

    #[test]
    fn ratios_are_to_the_best_peer_and_to_the_null_of_the_same_poller() {
        let record = record();
        let best = BestPeer::of(&record.standings);
        assert_eq!((best.cpu, best.rate), (Some(10.0), Some(120e3)));
        assert_eq!(null_cpu(&record, &record.standings[0]), Some(4.0));
        assert_eq!(null_cpu(&record, &record.standings[1]), Some(3.0));
        assert_eq!(null_cpu(&record, &record.standings[3]), None);
        let text = wire_table(&record, false);
        let row = text
            .lines()
            .find(|line| line.starts_with("dovetail-epoll"))
            .unwrap();
        let cells: Vec<_> = row.split_whitespace().collect();
        assert_eq!(cells[11..], ["2.00", "1.25", "1.25"], "{text}");
    }

    #[test]
    fn rows_that_must_not_be_believed_say_so() {
        let mut rounds = standing("old", Kind::Peer, 1.0, 1.0).rounds;
        let said = |rounds: &[Round], cores_shared| {
            let rounds: Vec<&Round> = rounds.iter().collect();
            remarks(&rounds, cores_shared)
        };
        assert_eq!(said(&rounds, false), "");
        rounds[0].errors = 2;
        rounds[0].first_error = Some("OOM".to_owned());
        assert_eq!(said(&rounds, false), "INVALID: 2 errors (OOM)");
        rounds[0].errors = 0;
        for round in &mut rounds {
            (round.client_busy, round.server_busy) = (0.99, 0.5);
        }
        assert_eq!(said(&rounds, false), "generator-bound, server 50% busy");
        assert_eq!(said(&rounds, true), "");
    }

    #[test]
    fn numbers_have_three_significant_digits() {
        let shown = [0.1234, 1.234, 12.34, 123.4, 1234.0].map(number);
        assert_eq!(shown, ["0.123", "1.23", "12.3", "123", "1234"]);
    }

    #[test]
    fn columns_line_up() {
        let mut table = Table::new(&["", "a", "long"]);
        table.row(vec!["name".into(), "1".into(), "2".into()]);
        assert_eq!(table.print(), "\n      a  long\nname  1     2");
    }
}
