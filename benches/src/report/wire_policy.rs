//! The tables and the page of `policy` over sockets.

use super::page::Page;
use super::persist::partly;
use super::{Table, number};
use crate::measure::spread::Figure;
use crate::scenario::persist::Entry;
use crate::scenario::policy::wire::{PolicyRecord, Record, Round, TraceRecord};
use crate::server::systems::Kind;

/// The tables of one trace, one for each policy.
pub(crate) fn table(trace: &TraceRecord) -> String {
    let mut text = format!("\n{}", about(trace));
    for policy in &trace.policies {
        text.push_str(&format!("\n\n{}, {}", trace.trace, policy.policy));
        if has_rows(policy) {
            text.push_str(&rows(policy).print());
        }
        text.push_str(&without(policy));
    }
    text
}

fn about(trace: &TraceRecord) -> String {
    let own: Vec<String> = trace
        .bytes_per_key
        .iter()
        .map(|(name, bytes)| format!("{name} {}", number(*bytes)))
        .collect();
    format!(
        "{}: {} GETs of {} keys at {:.0} per second, maxmemory {}; bytes per key without a limit: {}",
        trace.trace,
        trace.requests,
        trace.keys,
        trace.rate,
        trace.maxmemory,
        own.join(", ")
    )
}

fn rows(policy: &PolicyRecord) -> Table {
    let mut table = Table::new(&[
        "",
        "hit %",
        "+-",
        "over peer",
        "keys",
        "LRU %",
        "best %",
        "evicted",
        "used MB",
        "CPU us",
        "krps",
        "",
    ]);
    let hits = |entry: &Entry<Round>| entry.figure(Round::hit_ratio);
    let peers = policy
        .entries
        .iter()
        .filter(|entry| entry.kind == Kind::Peer);
    let peers = peers.filter(|entry| !entry.rounds.is_empty());
    let best = peers.map(|entry| hits(entry).median).max_by(f64::total_cmp);
    for entry in policy
        .entries
        .iter()
        .filter(|entry| !entry.rounds.is_empty())
    {
        let own = hits(entry);
        let of = |figure: fn(&Round) -> f64| entry.figure(figure).median;
        table.row(vec![
            entry.system.clone(),
            percent(own.median),
            percent(own.high - own.low),
            best.map_or("-".to_owned(), |best| {
                format!("{:+.2}", (own.median - best) * 100.0)
            }),
            format!("{:.0}", of(|round| round.keys as f64)),
            percent(of(|round| round.lru_of_as_many)),
            percent(of(|round| round.best_of_as_many)),
            format!("{:.0}", of(|round| round.evicted as f64)),
            number(of(|round| round.used as f64) / 1e6),
            entry
                .some(|round| round.cpu_us)
                .map_or("-".to_owned(), number),
            number(of(|round| round.rate) / 1e3),
            told(entry),
        ]);
    }
    table
}

fn has_rows(policy: &PolicyRecord) -> bool {
    policy.entries.iter().any(|entry| !entry.rounds.is_empty())
}

/// Who has no row, and why; those of one reason together, a line each.
fn without(policy: &PolicyRecord) -> String {
    let mut reasons: Vec<(&str, Vec<&str>)> = Vec::new();
    let silent = policy
        .entries
        .iter()
        .filter(|entry| entry.rounds.is_empty());
    for entry in silent {
        let why = entry.fault.as_deref().unwrap_or("not measured");
        match reasons.iter_mut().find(|(known, _)| *known == why) {
            Some((_, names)) => names.push(&entry.system),
            None => reasons.push((why, vec![&entry.system])),
        }
    }
    let lines = reasons
        .iter()
        .map(|(why, names)| format!("\n{}: {why}", names.join(", ")));
    lines.collect()
}

fn percent(ratio: f64) -> String {
    format!("{:.2}", ratio * 100.0)
}

/// What a reader must know of a row.
fn told(entry: &Entry<Round>) -> String {
    let errors = Figure::of(entry.rounds.iter().map(|round| round.errors as f64)).high;
    let mut texts = vec![partly(entry)];
    if errors > 0.0 {
        let first = entry
            .rounds
            .iter()
            .find_map(|round| round.first_error.as_deref());
        texts.push(format!("{errors} refused: {}", first.unwrap_or_default()));
    }
    texts.retain(|text| !text.is_empty());
    texts.join("; ")
}

/// The page of everything that was measured so far.
pub(crate) fn page(record: &Record) -> String {
    let mut page = Page::new("Servers as caches");
    let machine = &record.preamble.machine;
    page.text(&format!(
        "{}, {} cores, Linux {}, commit {}. GET, and SET of what was not there, with values of {} \
         bytes and at most {} requests together. All servers have the same maxmemory and the same \
         rate. LRU and best are what exact LRU and Belady would have found with as many keys.",
        machine.cpu,
        machine.cores,
        machine.kernel,
        machine.commit.as_deref().unwrap_or("unknown"),
        record.value_bytes,
        record.depth,
    ));
    page.text(record.attribution);
    let named = |named: &crate::scenario::Named| format!("{}: {}", named.name, named.version);
    let systems: Vec<String> = record.systems.iter().map(named).collect();
    page.text(&systems.join("; "));
    for trace in &record.traces {
        page.heading(&trace.trace);
        page.text(&about(trace));
        for policy in &trace.policies {
            page.caption(&policy.policy);
            if has_rows(policy) {
                page.table(&rows(policy));
            }
            let without = without(policy);
            without.lines().skip(1).for_each(|line| page.text(line));
        }
    }
    page.render()
}

#[cfg(test)]
mod tests {
    use super::*;

    fn round(hits: u64, errors: u64) -> Round {
        Round {
            hits,
            misses: 1_000 - hits - errors,
            errors,
            first_error: (errors > 0).then(|| "OOM".to_owned()),
            rate: 50_000.0,
            evicted: 7,
            keys: 123,
            used: 2_500_000,
            cpu_us: Some(4.0),
            lru_of_as_many: 0.5,
            best_of_as_many: 0.75,
        }
    }

    fn record() -> TraceRecord {
        let entry = |system: &str, kind, rounds| Entry {
            system: system.to_owned(),
            kind,
            rounds,
            fault: None,
        };
        let mut refusing = entry("older", Kind::Peer, vec![]);
        refusing.fault = Some("ERR no such".to_owned());
        let mut oldest = refusing.clone();
        oldest.system = "oldest".to_owned();
        let own = Kind::Dovetail("epoll".to_owned());
        TraceRecord {
            trace: "t".to_owned(),
            requests: 1_000,
            keys: 500,
            maxmemory: 3_000_000,
            rate: 50_000.0,
            bytes_per_key: vec![("own".to_owned(), 200.0)],
            policies: vec![PolicyRecord {
                policy: "allkeys-lru".to_owned(),
                entries: vec![
                    entry("own", own, vec![round(600, 0), round(620, 0)]),
                    entry("old", Kind::Peer, vec![round(590, 3)]),
                    refusing,
                    oldest,
                ],
            }],
        }
    }

    #[test]
    fn rows_are_beside_the_best_peer_and_refusals_are_told() {
        let text = table(&record());
        let own = text.lines().find(|line| line.starts_with("own")).unwrap();
        let cells: Vec<_> = own.split_whitespace().collect();
        let expected = [
            "61.00", "2.00", "+2.00", "123", "50.00", "75.00", "7", "2.50", "4.00", "50.0",
        ];
        assert_eq!(cells[1..], expected, "{text}");
        assert!(text.contains("3 refused: OOM"), "{text}");
        assert!(text.ends_with("older, oldest: ERR no such"), "{text}");
    }
}
