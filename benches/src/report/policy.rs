//! The tables and the page of `policy`.

use super::chart::{Axis, COLOURS, Chart, Legend, Scale, Series, plain, short};
use super::page::Page;
use super::{Table, number, optional};
use crate::measure::spread::Figure;
use crate::scenario::policy::check::Finding;
use crate::scenario::policy::{Cell, Entry, Record, TraceRecord};

/// The ends of the gap.
const LOW: &str = "fifo";
const HIGH: &str = "belady";
/// What policies without any metadata cost: a draw.
const BARE: &str = "random";

/// The tables of one trace, one for each size.
pub(crate) fn table(trace: &TraceRecord) -> String {
    let tables = trace.cells.iter().map(|cell| {
        let (headline, rows) = (size_of(cell, trace), rows(cell, trace));
        format!("\n{}, {headline}{}", trace.trace, rows.print())
    });
    format!(
        "\n{}{}",
        about(trace),
        tables.collect::<Vec<_>>().join("\n")
    )
}

fn about(trace: &TraceRecord) -> String {
    let mut text = format!(
        "{}: {} requests for {} keys",
        trace.trace, trace.requests, trace.keys
    );
    if trace.has_sizes {
        text.push_str(&format!(
            " of {} bytes together; {HIGH} is a bound that greed reaches",
            trace.footprint
        ));
    }
    text
}

fn size_of(cell: &Cell, trace: &TraceRecord) -> String {
    let unit = if trace.has_sizes { "bytes" } else { "objects" };
    format!("{}% = {} {unit}", percent_of(cell), cell.capacity)
}

fn percent_of(cell: &Cell) -> String {
    plain(f64::from(cell.millionths) / 1e4)
}

fn rows(cell: &Cell, trace: &TraceRecord) -> Table {
    let mut table = Table::new(&[
        "", "hit %", "+-", "bytes %", "gap %", "B/key", "peak", "CPU ns", "+ns", "p99.9", "steps",
        "",
    ]);
    let cpu = |entry: &Entry| {
        let per_request = entry.cost(|_, cost| cost.run_ns as f64 / trace.requests.max(1) as f64);
        per_request.map(|figure| figure.median)
    };
    let bare = cell.entry(BARE).and_then(cpu);
    for entry in &cell.entries {
        let hits = entry.hit_ratio(trace.requests);
        let steps = |of: fn(&crate::scenario::policy::replay::Cost) -> u64| {
            entry
                .cost(|_, cost| of(cost) as f64)
                .map(|figure| figure.high)
        };
        let own = cpu(entry);
        table.row(vec![
            entry.policy.to_owned(),
            percent(hits.median),
            percent(hits.high - hits.low),
            percent(entry.byte_hit_ratio(trace.bytes_asked).median),
            or_dash(gap(cell, trace, hits.median), |share| {
                format!("{:.1}", share * 100.0)
            }),
            or_dash(entry.bytes_per_key(|cost| cost.bytes), number),
            or_dash(entry.bytes_per_key(|cost| cost.bytes_peak), number),
            or_dash(own, |nanos| format!("{nanos:.0}")),
            or_dash(own.zip(bare), |(own, bare)| format!("{:.0}", own - bare)),
            or_dash(steps(|cost| cost.steps_p999), plain),
            or_dash(steps(|cost| cost.steps_max), plain),
            String::new(),
        ]);
    }
    table
}

/// A ratio as hits of a hundred.
fn percent(ratio: f64) -> String {
    format!("{:.2}", ratio * 100.0)
}

fn or_dash<T>(value: Option<T>, text: impl Fn(T) -> String) -> String {
    value.map_or("-".to_owned(), text)
}

/// The part of the way from FIFO to Belady; `None` where there is no way to go.
fn gap(cell: &Cell, trace: &TraceRecord, hits: f64) -> Option<f64> {
    let end = |name| Some(cell.entry(name)?.hit_ratio(trace.requests).median);
    let (low, high) = (end(LOW)?, end(HIGH)?);
    (high > low).then(|| (hits - low) / (high - low))
}

/// A figure of each cell, and where it was the least.
struct OverCells {
    mean: f64,
    worst: f64,
    worst_at: String,
}

/// The other way round, without a negative zero.
fn minus(figure: f64) -> f64 {
    0.0 - figure
}

/// The part of the way from FIFO to Belady over all cells, the way of each as long as it is.
fn pooled_gap(record: &Record, policy: &str) -> Option<f64> {
    let (mut gone, mut way) = (0.0, 0.0);
    for trace in &record.traces {
        for cell in &trace.cells {
            let hits = |name| Some(cell.entry(name)?.hit_ratio(trace.requests).median);
            let low = hits(LOW)?;
            gone += hits(policy)? - low;
            way += hits(HIGH)? - low;
        }
    }
    (way > 0.0).then(|| gone / way)
}

impl OverCells {
    fn of(record: &Record, figure: impl Fn(&Cell, &TraceRecord) -> Option<f64>) -> Option<Self> {
        let cells = record.traces.iter().flat_map(|trace| {
            let cells = trace.cells.iter();
            cells.map(move |cell| (cell, trace))
        });
        let figures: Vec<(f64, String)> = cells
            .filter_map(|(cell, trace)| {
                let at = format!("{} {}%", trace.trace, percent_of(cell));
                Some((figure(cell, trace)?, at))
            })
            .collect();
        let (worst, worst_at) = figures.iter().min_by(|a, b| a.0.total_cmp(&b.0))?.clone();
        let sum: f64 = figures.iter().map(|(figure, _)| figure).sum();
        Some(Self {
            mean: sum / figures.len() as f64,
            worst,
            worst_at,
        })
    }
}

/// Everybody over all traces and sizes.
pub(crate) fn summary_table(record: &Record) -> String {
    let note = "all traces and sizes: mean and worst of points of hits under Belady's; of the way \
                from FIFO's to Belady's the part of all ways together, and the worst";
    format!("\n{note}{}", summary(record).print())
}

fn summary(record: &Record) -> Table {
    let mut table = Table::new(&[
        "", "under", "worst", "gap %", "worst", "+-", "B/key", "CPU ns", "steps", "worst at",
    ]);
    let first = record.traces.iter().flat_map(|trace| &trace.cells).next();
    for policy in first
        .iter()
        .flat_map(|cell| &cell.entries)
        .map(|entry| entry.policy)
    {
        let hits = |cell: &Cell, trace: &TraceRecord| -> Option<Figure> {
            Some(cell.entry(policy)?.hit_ratio(trace.requests))
        };
        let under = OverCells::of(record, |cell, trace| {
            let best = cell.entry(HIGH)?.hit_ratio(trace.requests).median;
            Some((hits(cell, trace)?.median - best) * 100.0)
        });
        let share = OverCells::of(record, |cell, trace| {
            gap(cell, trace, hits(cell, trace)?.median)
        });
        // The least of what is negative is the most.
        let most = |figure: &dyn Fn(&Entry, &TraceRecord) -> Option<f64>| {
            let of = |cell: &Cell, trace: &TraceRecord| Some(-figure(cell.entry(policy)?, trace)?);
            OverCells::of(record, of)
        };
        let spread = OverCells::of(record, |cell, trace| {
            let hits = hits(cell, trace)?;
            Some((hits.low - hits.high) * 100.0)
        });
        let bytes = most(&|entry, _| entry.bytes_per_key(|cost| cost.bytes));
        let steps = most(&|entry, _| Some(entry.cost(|_, cost| cost.steps_max as f64)?.high));
        let nanos = most(&|entry, trace| {
            let nanos = entry.cost(|_, cost| cost.run_ns as f64 / trace.requests.max(1) as f64);
            Some(nanos?.median)
        });
        table.row(vec![
            policy.to_owned(),
            optional(under.as_ref().map(|under| minus(under.mean))),
            optional(under.as_ref().map(|under| minus(under.worst))),
            or_dash(pooled_gap(record, policy), |share| {
                format!("{:.1}", share * 100.0)
            }),
            or_dash(share.as_ref(), |share| {
                format!("{:.1}", share.worst * 100.0)
            }),
            optional(spread.map(|spread| minus(spread.worst))),
            or_dash(bytes, |bytes| number(minus(bytes.mean))),
            or_dash(nanos, |nanos| format!("{:.0}", minus(nanos.mean))),
            or_dash(steps, |steps| plain(minus(steps.worst))),
            format!(
                " {}",
                or_dash(under.filter(|under| under.worst < 0.0), |under| under
                    .worst_at)
            ),
        ]);
    }
    table
}

/// What was found beside what must be.
pub(crate) fn check_table(findings: &[Finding]) -> String {
    let mut table = Table::new(&["", "size", "policy", "expected", "found", "difference", ""]);
    for finding in findings {
        let verdict = match (finding.is_right(), finding.within) {
            (false, _) => "WRONG".to_owned(),
            (true, None) => "not judged".to_owned(),
            (true, Some(within)) if within > 0.0 => format!("within {within:.0}"),
            (true, Some(_)) => "exact".to_owned(),
        };
        table.row(vec![
            finding.trace.to_owned(),
            finding.capacity.to_string(),
            finding.policy.to_owned(),
            format!("{:.0}", finding.expected),
            finding.found.to_string(),
            format!("{:+.0}", finding.found as f64 - finding.expected),
            verdict,
        ]);
    }
    format!("\nhits{}", table.print())
}

/// The page of everything that was measured so far.
pub(crate) fn page(record: &Record) -> String {
    let mut page = Page::new("Which policy keeps what will be asked for");
    let (machine, settings) = (&record.preamble.machine, &record.settings);
    page.text(&format!(
        "{}, {} cores, Linux {}, commit {}. Traces are replayed at {} requests per second, from an \
         empty cache; sampling policies look at {} keys. Figures are medians over seeds, +- is the \
         distance from the least to the greatest, and gap the part of the way from FIFO to Belady.",
        machine.cpu,
        machine.cores,
        machine.kernel,
        machine.commit.as_deref().unwrap_or("unknown"),
        settings.rate,
        settings.samples,
    ));
    page.text(record.attribution);
    page.heading("All traces and sizes");
    page.text(
        "Points of hits under Belady's, mean and worst; of the way from FIFO's to Belady's the part \
         of all ways together, and the worst. B/key and CPU are means, +- and steps the greatest.",
    );
    page.table(&summary(record));
    for trace in &record.traces {
        page.heading(&trace.trace);
        page.text(&about(trace));
        page.caption("Hits by size of the cache");
        page.chart(&curves(trace, "hits, % of requests", |entry| {
            entry.hit_ratio(trace.requests).median
        }));
        if trace.has_sizes {
            page.caption("Bytes of hits by size of the cache");
            page.chart(&curves(trace, "hits, % of bytes", |entry| {
                entry.byte_hit_ratio(trace.bytes_asked).median
            }));
        }
        for cell in &trace.cells {
            page.caption(&size_of(cell, trace));
            page.table(&rows(cell, trace));
        }
    }
    page.render()
}

fn curves(trace: &TraceRecord, title: &str, of: impl Fn(&Entry) -> f64) -> Chart {
    let sizes = trace
        .cells
        .iter()
        .map(|cell| f64::from(cell.millionths) / 1e4);
    let (from, to) = sizes.fold((f64::INFINITY, 0.0_f64), |(from, to), size| {
        (size.min(from), size.max(to))
    });
    let names = trace.cells.first().map_or(&[][..], |cell| &cell.entries);
    let line = |(at, entry): (usize, &Entry)| {
        // Those that no server can have have dashes.
        let labs_before = names[..at].iter().filter(|entry| entry.is_lab).count();
        let colour = if entry.is_lab {
            COLOURS + labs_before
        } else {
            at - labs_before
        };
        let point = |cell: &Cell| {
            let hits = of(cell.entry(entry.policy)?) * 100.0;
            Some((f64::from(cell.millionths) / 1e4, hits))
        };
        Series {
            name: entry.policy.to_owned(),
            colour,
            points: trace.cells.iter().filter_map(point).collect(),
        }
    };
    let series: Vec<Series> = names.iter().enumerate().map(line).collect();
    let values = || series.iter().flat_map(|series| &series.points);
    let low = values().map(|(_, hits)| *hits).fold(100.0, f64::min);
    let high = values().map(|(_, hits)| *hits).fold(0.0, f64::max);
    Chart {
        title: format!("{title} of {} by size of the cache", trace.trace),
        height: 340.0,
        x: Axis {
            title: "size of the cache, % of what all keys take".to_owned(),
            scale: Scale::Log,
            // One size alone has no way to go.
            range: (from, to.max(from * 1.01)),
            label: short,
        },
        y: Axis {
            title: title.to_owned(),
            scale: Scale::Linear,
            range: ((low - 1.0).max(0.0).floor(), (high + 1.0).min(100.0).ceil()),
            label: plain,
        },
        series,
        marks: Vec::new(),
        legend: Legend::Shown,
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::measure::machine::Machine;
    use crate::scenario::Preamble;
    use crate::scenario::policy::replay::{Cost, Outcome, Settings};
    use crate::server::pinning::Pinning;

    fn entry(policy: &'static str, hits: &[u64]) -> Entry {
        let is_lab = policy == LOW || policy == HIGH;
        let cost = Cost {
            run_ns: 20_000,
            bytes: 800,
            bytes_peak: 1_600,
            steps_p999: 3,
            steps_max: 40,
        };
        let outcome = |&hits: &u64| Outcome {
            hits,
            hit_bytes: hits * 2,
            evictions: 5,
            residents: 100,
            cost: (!is_lab).then_some(cost),
        };
        Entry {
            policy,
            is_lab,
            mark_bytes: 2 * u32::from(!is_lab),
            rounds: hits.iter().map(outcome).collect(),
        }
    }

    fn record() -> Record {
        let cell = |millionths, own: &[u64]| Cell {
            millionths,
            capacity: 10,
            entries: vec![entry("lru", own), entry(LOW, &[200]), entry(HIGH, &[600])],
        };
        Record {
            scenario: "policy",
            preamble: Preamble {
                machine: Machine::default(),
                pinning: Pinning::default(),
                seed: 1,
            },
            attribution: "theirs",
            settings: Settings {
                rate: 10_000,
                samples: 5,
                log_factor: 10,
                decay_minutes: 1,
            },
            traces: vec![TraceRecord {
                trace: "t".to_owned(),
                requests: 1_000,
                keys: 500,
                footprint: 1_000,
                bytes_asked: 4_000,
                has_sizes: true,
                cells: vec![cell(1_000, &[300, 310, 290]), cell(100_000, &[500])],
            }],
        }
    }

    fn cells(text: &str, policy: &str) -> Vec<String> {
        let row = text.lines().find(|line| line.starts_with(policy)).unwrap();
        row.split_whitespace().map(str::to_owned).collect()
    }

    #[test]
    fn rows_have_both_ratios_and_the_part_of_the_way() {
        let text = table(&record().traces[0]);
        let own = cells(&text, "lru");
        let expected = [
            "30.00", "2.00", "15.00", "25.0", "10.0", "18.0", "20", "-", "3", "40",
        ];
        assert_eq!(own[1..], expected, "{text}");
        assert_eq!(
            cells(&text, HIGH)[4..],
            ["100.0", "-", "-", "-", "-", "-", "-"]
        );
    }

    #[test]
    fn summary_has_the_worst_beside_the_mean() {
        let text = summary_table(&record());
        let own = cells(&text, "lru");
        let expected = [
            "20.00", "30.00", "50.0", "25.0", "2.00", "10.0", "20", "40", "t", "0.1%",
        ];
        assert_eq!(own[1..], expected, "{text}");
    }

    #[test]
    fn no_way_to_go_is_no_number() {
        let mut record = record();
        for cell in &mut record.traces[0].cells {
            cell.entries[1].rounds[0].hits = 600;
        }
        assert_eq!(cells(&table(&record.traces[0]), "lru")[4], "-");
        assert!(!page(&record).contains("NaN"));
    }

    #[test]
    fn page_has_two_curves_for_everyone_where_there_are_sizes() {
        let mut record = record();
        let text = page(&record);
        assert_eq!(text.matches("<svg").count(), 2);
        assert_eq!(text.matches("<title>lru</title>").count(), 2);
        record.traces[0].has_sizes = false;
        record.traces[0].cells.truncate(1);
        assert_eq!(page(&record).matches("<svg").count(), 1);
        record.traces.clear();
        assert!(!page(&record).contains("NaN"));
    }

    #[test]
    fn differences_are_told() {
        let finding = |found, within| Finding {
            trace: "t",
            capacity: 7,
            policy: "p",
            expected: 100.0,
            found,
            within,
        };
        let text = check_table(&[
            finding(99, Some(0.0)),
            finding(99, Some(3.0)),
            finding(9, None),
        ]);
        assert_eq!(cells(&text, "t ")[5..], ["-1", "WRONG"], "{text}");
        assert!(text.contains("within 3") && text.contains("not judged"));
    }
}
