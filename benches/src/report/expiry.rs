//! The tables and the page of `expiry`.

use super::chart::{Axis, Chart, Legend, Mark, Scale, Series, decades, micros, plain, short};
use super::page::Page;
use super::persist::{best_peer, missing, partly};
use super::{Table, number, optional};
use crate::measure::spread::{Figure, ratio};
use crate::scenario::expiry::storm::StormRound;
use crate::scenario::expiry::{GOALS, Part, PartRecord, Record};
use crate::scenario::persist::Entry;

/// The part of the probes that may be disturbed before a row says so.
const DISTURBED: f64 = 0.02;

/// No key, on a logarithmic scale.
const NO_KEY: f64 = 1e-9;

/// How much longer a chart is than until 99 % of the keys are gone on the slowest server, and how
/// many seconds are added.
const SHOWN: f64 = 1.2;
const SHOWN_S: f64 = 0.5;

/// Keys for which it was said within which time they are to be gone.
const KEYS_OF_GOAL: f64 = 1e6;

/// The table of one part, for people.
pub(crate) fn table(part: &PartRecord, record: &Record) -> String {
    let entries = || part.entries.iter();
    format!(
        "\n{}\n{}{}{}",
        headline(part, record.keys),
        goals(part, record.keys),
        rows(part, record).print(),
        missing(entries())
    )
}

fn headline(part: &PartRecord, keys: u32) -> String {
    match part.part {
        Part::Storm => format!("{keys} keys fall due at one instant"),
        Part::Spread => format!("{keys} keys fall due over {} s", plain(part.spread_s)),
    }
}

fn goals(part: &PartRecord, keys: u32) -> String {
    let mut text = format!(
        "goals: stall {} ms, p99.9 {} us",
        number(GOALS.stall_ms),
        number(GOALS.p999_us)
    );
    if part.part == Part::Storm && f64::from(keys) <= KEYS_OF_GOAL {
        text.push_str(&format!(", gone {} s", number(GOALS.gone_s)));
    }
    text
}

fn rows(part: &PartRecord, record: &Record) -> Table {
    let mut table = Table::new(&[
        "",
        "stall ms",
        "+-%",
        "CPU p99.9",
        "p50 us",
        "p99",
        "p99.9",
        "max ms",
        "before",
        "99% s",
        "gone s",
        "back s",
        "overdue k",
        "CPU us/key",
        "B/key",
        "with TTL",
        "x stall",
        "x p99.9",
        "x gone",
        "",
    ]);
    let entries = || part.entries.iter();
    let p999 = |round: &StormRound| round.storm.wall_us.p999;
    let stall_best = best_peer(entries(), &|round| Some(round.stall_ms()));
    let p999_best = best_peer(entries(), &|round| Some(p999(round)));
    let gone_best = best_peer(entries(), &|round| round.gone_s);
    for entry in entries().filter(|entry| !entry.rounds.is_empty()) {
        let of = |figure: &dyn Fn(&StormRound) -> f64| entry.figure(figure).median;
        let stall = entry.figure(StormRound::stall_ms);
        let gone = all(entry, |round| round.gone_s);
        let mut lasting = record.lasting.iter();
        let lasting = lasting.find(|lasting| lasting.system == entry.system);
        table.row(vec![
            entry.system.clone(),
            number(stall.median),
            format!("{:.0}", stall.spread() * 100.0),
            number(of(&|round| round.storm.cpu_us.p999)),
            number(of(&|round| round.storm.wall_us.p50)),
            number(of(&|round| round.storm.wall_us.p99)),
            number(of(&p999)),
            number(of(&StormRound::longest_ms)),
            number(of(&|round| round.before.wall_us.p999)),
            or_dash(all(entry, |round| round.most_gone_s)),
            or_dash(gone),
            or_dash(all(entry, |round| round.memory_back_s)),
            number(of(&|round| round.overdue) / 1e3),
            number(of(&|round| round.cpu_us_per_key)),
            or_dash(lasting.and_then(|lasting| lasting.used)),
            or_dash(entry.some(|round| round.used)),
            optional(ratio_of(stall_best, Some(stall.median))),
            optional(ratio_of(p999_best, Some(of(&p999)))),
            optional(ratio_of(gone_best, gone)),
            told(entry),
        ]);
    }
    table
}

fn or_dash(value: Option<f64>) -> String {
    value.map_or("-".to_owned(), number)
}

fn ratio_of(best: Option<f64>, own: Option<f64>) -> Option<f64> {
    best.zip(own).and_then(|(best, own)| ratio(best, own))
}

/// The median of a time that was reached in every round.
fn all(entry: &Entry<StormRound>, of: impl Fn(&StormRound) -> Option<f64>) -> Option<f64> {
    let times: Option<Vec<f64>> = entry.rounds.iter().map(of).collect();
    Some(Figure::of(times?).median)
}

/// What a reader must know of a row.
fn told(entry: &Entry<StormRound>) -> String {
    let mut texts = Vec::new();
    let left = entry.rounds.iter().map(|round| round.left).max();
    if let Some(left) = left.filter(|left| *left > 0) {
        texts.push(format!("{left} keys stayed"));
    }
    let disturbed: u64 = entry.rounds.iter().map(|round| round.storm.disturbed).sum();
    let count: u64 = entry.rounds.iter().map(|round| round.storm.count).sum();
    if disturbed as f64 > DISTURBED * count as f64 {
        let percent = 100.0 * disturbed as f64 / count as f64;
        texts.push(format!("generator disturbed in {percent:.0}% of GETs"));
    }
    texts.push(partly(entry));
    texts.retain(|text| !text.is_empty());
    texts.join("; ")
}

/// The page of everything that was measured so far.
pub(crate) fn page(record: &Record) -> String {
    let mut page = Page::new("Keys that fall due");
    let machine = &record.preamble.machine;
    page.text(&format!(
        "{}, {} cores, Linux {}, commit {}. {} keys with values of {} bytes. While they fall due, \
         one client asks for a key that stays, one GET after the other.",
        machine.cpu,
        machine.cores,
        machine.kernel,
        machine.commit.as_deref().unwrap_or("unknown"),
        record.keys,
        record.value_bytes,
    ));
    let versions: Vec<String> = record
        .systems
        .iter()
        .map(|named| format!("{}: {}", named.name, named.version))
        .collect();
    page.text(&versions.join("; "));
    for part in &record.parts {
        page.heading(&headline(part, record.keys));
        page.text(&format!(
            "{}. Times are seconds after the last deadline; each figure is the median of the rounds, \
             the curves are those of the round in the middle.",
            goals(part, record.keys)
        ));
        page.table(&rows(part, record));
        curves(part, record, &mut page);
    }
    page.render()
}

fn curves(part: &PartRecord, record: &Record, page: &mut Page) {
    let shown: Vec<(usize, &str, &StormRound)> = part
        .entries
        .iter()
        .enumerate()
        .filter_map(|(at, entry)| Some((at, entry.system.as_str(), middle(&entry.rounds)?)))
        .collect();
    let ends = shown.iter().filter_map(|(_, _, round)| round.keys.last());
    let end = ends.map(|(at, _)| *at).fold(part.spread_s, f64::max);
    let most = shown.iter().filter_map(|(_, _, round)| round.most_gone_s);
    let most = most.fold(0.0, f64::max) + part.spread_s;
    let until = |end: f64| Axis {
        title: "seconds since the first deadline".to_owned(),
        scale: Scale::Linear,
        range: (-0.5, end),
        label: plain,
    };
    let time = until(SHOWN * most + SHOWN_S);
    let keys = f64::from(record.keys);
    let lines = || -> Vec<Series> {
        let line = |&(colour, name, round): &(usize, &str, &StormRound)| Series {
            name: name.to_owned(),
            colour,
            points: round
                .keys
                .iter()
                .map(|&(at, keys)| (at, (keys as f64).max(NO_KEY)))
                .collect(),
        };
        shown.iter().map(line).collect()
    };
    let chart = |x, scale, range| Chart {
        title: "keys left over time".to_owned(),
        height: 260.0,
        x,
        y: Axis {
            title: "keys left".to_owned(),
            scale,
            range,
            label: short,
        },
        series: lines(),
        marks: Vec::new(),
        legend: Legend::Shown,
    };
    page.caption("Keys left");
    page.chart(&chart(time.clone(), Scale::Linear, (0.0, keys)));
    page.caption("The last of them: the same to the end, on a logarithmic scale");
    let decades_of_keys = decades([1.0, keys]).unwrap_or((1.0, 10.0));
    page.chart(&chart(until(end + SHOWN_S), Scale::Log, decades_of_keys));
    latencies(&shown, &time, page);
}

/// One chart for each server, all with the same axes.
fn latencies(shown: &[(usize, &str, &StormRound)], time: &Axis, page: &mut Page) {
    page.caption("The longest GETs, by the clock on the wall");
    page.text("Each point is the longest of all GETs of that moment.");
    let longest = shown.iter().map(|(_, _, round)| round.longest.points());
    let all: Vec<Vec<(f64, f64)>> = longest.collect();
    let values = all.iter().flatten().map(|(_, micros)| *micros);
    let Some(range) = decades(values) else {
        return;
    };
    for (&(colour, name, _), points) in shown.iter().zip(all) {
        page.chart(&Chart {
            title: format!("longest GETs of {name} over time"),
            height: 110.0,
            x: time.clone(),
            y: Axis {
                title: "longest GET".to_owned(),
                scale: Scale::Log,
                range,
                label: micros,
            },
            series: vec![Series {
                name: name.to_owned(),
                colour,
                points,
            }],
            marks: vec![Mark {
                at: GOALS.stall_ms * 1e3,
                text: format!("stall goal: {} ms", plain(GOALS.stall_ms)),
            }],
            legend: Legend::Shown,
        });
    }
}

/// The round in the middle by the time until all was gone; rounds without an end come last.
fn middle(rounds: &[StormRound]) -> Option<&StormRound> {
    let mut sorted: Vec<&StormRound> = rounds.iter().collect();
    let end = |round: &StormRound| round.gone_s.unwrap_or(f64::INFINITY);
    sorted.sort_by(|a, b| end(a).total_cmp(&end(b)));
    sorted.get((sorted.len().max(1) - 1) / 2).copied()
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::measure::machine::Machine;
    use crate::scenario::expiry::probes::{Figures, Timeline};
    use crate::scenario::expiry::{Lasting, Part};
    use crate::scenario::{Named, Preamble};
    use crate::server::pinning::Pinning;
    use crate::server::systems::Kind;

    fn round(stall_us: f64, gone_s: Option<f64>) -> StormRound {
        let mut storm = Figures {
            count: 1_000,
            ..Figures::default()
        };
        storm.cpu_us.max = stall_us;
        storm.wall_us.p999 = 2.0 * stall_us;
        let mut longest = Timeline::new(-1.0, 0.1);
        longest.add(-0.5, 20.0);
        longest.add(0.5, 2.0 * stall_us);
        StormRound {
            before: Figures::default(),
            storm,
            after: Figures::default(),
            most_gone_s: Some(0.5),
            gone_s,
            memory_back_s: gone_s,
            left: if gone_s.is_some() { 0 } else { 7 },
            overdue: 1e6,
            cpu_us_per_key: 0.5,
            used: Some(80.0),
            resident: 90.0,
            resident_kept: 1.0,
            keys: vec![(0.0, 1_000_000), (0.9, 10), (1.0, 0)],
            longest,
        }
    }

    fn record() -> Record {
        let entry = |system: &str, kind, rounds| Entry {
            system: system.to_owned(),
            kind,
            rounds,
            fault: None,
        };
        let own = Kind::Dovetail("epoll".to_owned());
        let own_rounds = [(200.0, 1.0), (900.0, 3.0), (100.0, 0.9)];
        let own_rounds = own_rounds.map(|(stall, gone)| round(stall, Some(gone)));
        let mut sick = entry("sick", Kind::Peer, Vec::new());
        sick.fault = Some("no memory".to_owned());
        let lingering = vec![round(20_000.0, Some(4.0)), round(28_000.0, None)];
        Record {
            scenario: "expiry",
            preamble: Preamble {
                machine: Machine::default(),
                pinning: Pinning::default(),
                seed: 1,
            },
            systems: vec![Named {
                name: "own".to_owned(),
                version: "1".to_owned(),
            }],
            keys: 1_000_000,
            value_bytes: 16,
            lasting: vec![Lasting {
                system: "own".to_owned(),
                fill_s: 1.0,
                used: Some(72.0),
                resident: 80.0,
            }],
            parts: vec![PartRecord {
                part: Part::Storm,
                spread_s: 0.0,
                entries: vec![
                    entry("own", own, own_rounds.to_vec()),
                    entry("old", Kind::Peer, vec![round(30_000.0, Some(4.0))]),
                    entry("slow", Kind::Peer, lingering),
                    sick,
                ],
            }],
        }
    }

    fn cells(text: &str, system: &str) -> Vec<String> {
        let row = text.lines().find(|line| line.starts_with(system)).unwrap();
        row.split_whitespace().map(str::to_owned).collect()
    }

    #[test]
    fn rows_are_medians_beside_the_best_peer() {
        let record = record();
        let text = table(&record.parts[0], &record);
        let own = cells(&text, "own");
        assert_eq!(own[1..3], ["0.200", "400"], "{text}");
        assert_eq!(own[9..12], ["0.500", "1.00", "1.00"], "{text}");
        let expected = ["72.0", "80.0", "120.00", "120.00", "4.00"];
        assert_eq!(own[14..], expected, "{text}");
        assert!(text.contains("goals: stall 1.00 ms, p99.9 300 us, gone 2.00 s"));
        assert!(text.ends_with("\nsick: no memory"), "{text}");
    }

    #[test]
    fn keys_that_stay_have_no_end_and_are_told() {
        let record = record();
        let text = table(&record.parts[0], &record);
        let slow = cells(&text, "slow");
        assert_eq!(slow[10..12], ["-", "-"], "{text}");
        assert!(text.contains("7 keys stayed"), "{text}");
    }

    #[test]
    fn page_has_a_curve_for_everyone_who_was_measured() {
        let mut record = record();
        let text = page(&record);
        assert_eq!(text.matches("<svg").count(), 2 + 3);
        assert_eq!(text.matches("<title>own</title>").count(), 3);
        assert!(!text.contains("NaN"));
        record.parts[0].entries.clear();
        assert!(page(&record).contains("Keys left"));
    }
}
