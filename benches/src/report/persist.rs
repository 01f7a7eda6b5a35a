//! The tables of `persist`.

use super::{Table, least, number, optional, remarks};
use crate::measure::spread::ratio;
use crate::scenario::persist::codec::Case;
use crate::scenario::persist::load::{LoadRecord, LoadRound};
use crate::scenario::persist::restart::RestartRecord;
use crate::scenario::persist::snapshot::{SnapshotRecord, SnapshotRound};
use crate::scenario::persist::{Entry, Setting, goal};
use crate::scenario::wire::Round;
use crate::server::systems::Kind;

const MEGABYTE: f64 = 1e6;

/// The table of one load. `base` is the same load while nothing is kept.
pub(crate) fn load_table(
    record: &LoadRecord,
    base: Option<&LoadRecord>,
    cores_shared: bool,
) -> String {
    let mut table = Table::new(&[
        "", "krps", "p50 us", "p99", "p99.9", "max ms", "CPU us", "+-%", "kept us", "child us",
        "stored B", "handed B", "sync/s", "per sync", "made", "x peer", "goal", "x krps", "",
    ]);
    let row = format!("load {} P={}", record.setting.name(), record.pipeline);
    let entries = || record.standings.iter().map(|standing| &standing.entry);
    let cpu_best = best_peer(entries(), &|round| Some(round.wire.cpu_us));
    let rate_best = best_peer(entries(), &|round| Some(-round.wire.rate));
    for standing in &record.standings {
        let entry = &standing.entry;
        if entry.rounds.is_empty() {
            continue;
        }
        let of = |figure: &dyn Fn(&LoadRound) -> f64| entry.figure(figure);
        let wire = |figure: &dyn Fn(&Round) -> f64| entry.figure(|round| figure(&round.wire));
        let cpu = wire(&|round| round.cpu_us);
        let rate = wire(&|round| round.rate).median;
        let without = base.and_then(|base| cpu_of(base, &entry.system));
        let calls = standing.calls;
        table.row(vec![
            entry.system.clone(),
            number(rate / 1e3),
            number(wire(&|round| round.latency_us.p50).median),
            number(wire(&|round| round.latency_us.p99).median),
            number(wire(&|round| round.latency_us.p999).median),
            number(wire(&|round| round.latency_us.max).median / 1e3),
            number(cpu.median),
            format!("{:.0}", cpu.spread() * 100.0),
            without.map_or("-".to_owned(), |without| number(cpu.median - without)),
            number(of(&|round| round.child_us).median),
            number(of(&|round| round.stored).median),
            number(of(&|round| round.handed).median),
            calls.map_or("-".to_owned(), |calls| number(calls.syncs_per_second)),
            calls
                .and_then(|calls| calls.requests_per_sync)
                .map_or("-".to_owned(), number),
            entry
                .some(|round| Some(round.made? as f64))
                .map_or("-".to_owned(), |made| format!("{made:.1}")),
            optional(cpu_best.and_then(|best| ratio(best, cpu.median))),
            optional(goal(&row)),
            optional(rate_best.and_then(|best| ratio(rate, -best))),
            told(record.setting, entry, cores_shared),
        ]);
    }
    format!(
        "\nSET under {}, c={} P={}{}{}",
        record.setting.name(),
        record.connections,
        record.pipeline,
        table.print(),
        missing(entries())
    )
}

/// The two tables of snapshots.
pub(crate) fn snapshot_tables(record: &SnapshotRecord) -> String {
    format!("{}\n{}", quiet_table(record), busy_table(record))
}

fn quiet_table(record: &SnapshotRecord) -> String {
    let mut table = Table::new(&[
        "",
        "child CPU s",
        "+-%",
        "wall s",
        "file MB",
        "RSS MB",
        "fork us",
        "stall ms",
        "before",
        "x CPU",
        "goal",
        "x fork",
        "goal",
        "x stall",
        "",
    ]);
    let entries = || record.entries.iter();
    let cpu_best = best_peer(entries(), &|round| Some(round.quiet.child_cpu_s));
    let fork = |round: &SnapshotRound| round.quiet.fork_us.map(|us| us as f64);
    let fork_best = best_peer(entries(), &fork);
    let stall_best = best_peer(entries(), &|round| Some(round.quiet.stall_ms));
    for entry in entries().filter(|entry| !entry.rounds.is_empty()) {
        let of = |figure: &dyn Fn(&SnapshotRound) -> f64| entry.figure(figure);
        let cpu = of(&|round| round.quiet.child_cpu_s);
        let stall = of(&|round| round.quiet.stall_ms).median;
        let fork = entry.some(fork);
        table.row(vec![
            entry.system.clone(),
            number(cpu.median),
            format!("{:.0}", cpu.spread() * 100.0),
            number(of(&|round| round.quiet.wall_s).median),
            number(of(&|round| round.quiet.file_bytes as f64).median / MEGABYTE),
            number(of(&|round| round.quiet.resident_bytes as f64).median / MEGABYTE),
            fork.map_or("-".to_owned(), number),
            number(stall),
            number(of(&|round| round.quiet.before_ms).median),
            optional(cpu_best.and_then(|best| ratio(best, cpu.median))),
            optional(goal("snapshot CPU")),
            optional(fork_best.zip(fork).and_then(|(best, own)| ratio(best, own))),
            optional(goal("snapshot fork")),
            optional(stall_best.and_then(|best| ratio(best, stall))),
            partly(entry),
        ]);
    }
    format!(
        "\nsnapshot of {} keys, nobody writes{}{}",
        record.keys,
        table.print(),
        missing(entries())
    )
}

fn busy_table(record: &SnapshotRecord) -> String {
    let mut table = Table::new(&[
        "",
        "child CPU s",
        "+-%",
        "wall s",
        "k SET/s",
        "base MB",
        "peak MB",
        "/ base",
        "extra MB",
        "INFO MB",
        "x / base",
        "goal",
        "x extra",
        "",
    ]);
    let entries = || record.entries.iter();
    let over = |round: &SnapshotRound| round.busy.peak_bytes as f64 / round.busy.base_bytes as f64;
    let extra =
        |round: &SnapshotRound| (round.busy.peak_bytes - round.busy.base_bytes) as f64 / MEGABYTE;
    let over_best = best_peer(entries(), &|round| Some(over(round)));
    let extra_best = best_peer(entries(), &|round| Some(extra(round)));
    for entry in entries().filter(|entry| !entry.rounds.is_empty()) {
        let of = |figure: &dyn Fn(&SnapshotRound) -> f64| entry.figure(figure);
        let cpu = of(&|round| round.busy.child_cpu_s);
        let copied = entry.some(|round| Some(round.busy.copied_bytes? as f64 / MEGABYTE));
        table.row(vec![
            entry.system.clone(),
            number(cpu.median),
            format!("{:.0}", cpu.spread() * 100.0),
            number(of(&|round| round.busy.wall_s).median),
            number(of(&|round| round.busy.rate).median / 1e3),
            number(of(&|round| round.busy.base_bytes as f64).median / MEGABYTE),
            number(of(&|round| round.busy.peak_bytes as f64).median / MEGABYTE),
            number(of(&over).median),
            number(of(&extra).median),
            copied.map_or("-".to_owned(), number),
            optional(over_best.and_then(|best| ratio(best, of(&over).median))),
            optional(goal("snapshot peak")),
            optional(extra_best.and_then(|best| ratio(best, of(&extra).median))),
            partly(entry),
        ]);
    }
    format!(
        "\nsnapshot of {} keys under {} SET/s{}",
        record.keys,
        record.rate,
        table.print()
    )
}

/// The table of one kind of start.
pub(crate) fn restart_table(record: &RestartRecord) -> String {
    let mut table = Table::new(&[
        "", "CPU s", "+-%", "wall s", "MB", "us/key", "x peer", "goal", "x wall", "",
    ]);
    let entries = || record.entries.iter();
    let cpu_best = best_peer(entries(), &|round| Some(round.cpu_s));
    let wall_best = best_peer(entries(), &|round| Some(round.wall_s));
    for entry in entries().filter(|entry| !entry.rounds.is_empty()) {
        let cpu = entry.figure(|round| round.cpu_s);
        let wall = entry.figure(|round| round.wall_s).median;
        table.row(vec![
            entry.system.clone(),
            number(cpu.median),
            format!("{:.0}", cpu.spread() * 100.0),
            number(wall),
            number(entry.figure(|round| round.bytes as f64).median / MEGABYTE),
            number(cpu.median * 1e6 / f64::from(record.keys.max(1))),
            optional(cpu_best.and_then(|best| ratio(best, cpu.median))),
            optional(goal(&format!("restart {}", record.source.name()))),
            optional(wall_best.and_then(|best| ratio(best, wall))),
            partly(entry),
        ]);
    }
    format!(
        "\nstart from {} of {} keys{}{}",
        record.source.name(),
        record.keys,
        table.print(),
        missing(entries())
    )
}

/// The table of the codec alone.
pub(crate) fn codec_table(cases: &[Case], keys: u32) -> String {
    let mut table = Table::new(&[
        "",
        "B/key",
        "write ns",
        "+-%",
        "GB/s",
        "decode ns",
        "load ns",
        "+-%",
        "GB/s",
    ]);
    for case in cases {
        let spread = |spread: f64| format!("{:.0}", 100.0 * spread);
        table.row(vec![
            case.name.to_owned(),
            number(case.bytes_per_key),
            number(case.write_ns.low),
            spread(case.write_ns.spread()),
            number(case.bytes_per_key / case.write_ns.low),
            number(case.decode_ns.low),
            number(case.load_ns.low),
            spread(case.load_ns.spread()),
            number(case.bytes_per_key / case.load_ns.low),
        ]);
    }
    format!("\nthe codec alone, {keys} keys, per key{}", table.print())
}

/// The least median among peers that have such a figure.
pub(super) fn best_peer<'a, R: 'a>(
    entries: impl Iterator<Item = &'a Entry<R>>,
    figure: &dyn Fn(&R) -> Option<f64>,
) -> Option<f64> {
    least(
        entries
            .filter(|entry| entry.kind == Kind::Peer)
            .filter_map(|entry| entry.some(figure)),
    )
}

/// The CPU of a request to that server.
fn cpu_of(record: &LoadRecord, system: &str) -> Option<f64> {
    let mut standings = record.standings.iter();
    let standing = standings.find(|standing| standing.entry.system == system)?;
    standing.entry.some(|round| Some(round.wire.cpu_us))
}

/// What a reader must know of a load's row.
fn told(setting: Setting, entry: &Entry<LoadRound>, cores_shared: bool) -> String {
    let rounds: Vec<&Round> = entry.rounds.iter().map(|round| &round.wire).collect();
    let mut texts = vec![remarks(&rounds, cores_shared)];
    let idle = entry
        .rounds
        .iter()
        .filter(|round| round.made == Some(0))
        .count();
    if setting.has_snapshots() && idle > 0 {
        texts.push(format!("{idle} rounds without a snapshot"));
    }
    texts.push(partly(entry));
    texts.retain(|text| !text.is_empty());
    texts.join("; ")
}

/// Why a row has fewer rounds than others.
pub(super) fn partly<R>(entry: &Entry<R>) -> String {
    let fault = entry.fault.as_ref();
    fault.map_or(String::new(), |fault| format!("then: {fault}"))
}

/// The servers that have no row, and why.
pub(super) fn missing<'a, R: 'a>(entries: impl Iterator<Item = &'a Entry<R>>) -> String {
    entries
        .filter(|entry| entry.rounds.is_empty())
        .map(|entry| {
            let why = entry.fault.as_deref().unwrap_or("not measured");
            format!("\n{}: {why}", entry.system)
        })
        .collect()
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::scenario::persist::restart::{RestartRound, Source};

    fn entry(system: &str, kind: Kind, cpu_s: &[f64]) -> Entry<RestartRound> {
        let round = |&cpu_s| RestartRound {
            cpu_s,
            wall_s: 2.0 * cpu_s,
            bytes: 3_000_000,
        };
        Entry {
            system: system.to_owned(),
            kind,
            rounds: cpu_s.iter().map(round).collect(),
            fault: None,
        }
    }

    #[test]
    fn rows_have_their_goal_beside_their_ratio_to_the_best_peer() {
        let mut sick = entry("sick", Kind::Peer, &[]);
        sick.fault = Some("ERR unknown command".to_owned());
        let record = RestartRecord {
            source: Source::Rdb,
            keys: 1_000_000,
            entries: vec![
                entry("own", Kind::Dovetail("epoll".to_owned()), &[1.0, 9.0, 1.0]),
                entry("old", Kind::Peer, &[4.0]),
                entry("older", Kind::Peer, &[3.0]),
                sick,
            ],
        };
        let text = restart_table(&record);
        let row = text.lines().find(|line| line.starts_with("own")).unwrap();
        let cells: Vec<_> = row.split_whitespace().collect();
        let expected = [
            "1.00", "800", "2.00", "3.00", "1.00", "3.00", "2.50", "3.00",
        ];
        assert_eq!(cells[1..], expected, "{text}");
        assert!(text.ends_with("\nsick: ERR unknown command"), "{text}");
    }

    #[test]
    fn row_that_ended_early_says_why() {
        let mut entry = entry("own", Kind::Peer, &[1.0]);
        assert_eq!(partly(&entry), "");
        entry.fault = Some("MISCONF".to_owned());
        assert_eq!(partly(&entry), "then: MISCONF");
    }
}
