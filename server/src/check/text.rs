//! What has been found out, for people.

use super::counts::{Count, Tally};
use super::log::Log;
use super::report::{Checked, FileReport, Role, Verdict};
use super::snapshot::{Shown, Snapshot, type_name};
use dovetail_backends::sys::clock::{LocalTime, local_time};
use dovetail_engine::codec::rdb::{Checksum, kinds};
use dovetail_engine::config::text::word_text;
use std::cmp::Reverse;
use std::fmt::Write as _;

/// The last second of the year 9999; later ones are not shown as a date.
const LAST_SECOND: i64 = 253_402_300_799;
/// Bytes of a key or word that are shown.
const WORD_BYTES: usize = 48;
/// Commands that are shown by name.
const COMMANDS_SHOWN: usize = 40;
/// Names of a list that are shown.
const NAMES_SHOWN: usize = 20;

/// Everything about what one word of the command line has led to.
pub(crate) fn whole_text(checked: &Checked) -> String {
    let mut out = String::new();
    for file in &checked.files {
        describe(&mut out, file);
    }
    if !checked.history.is_empty() {
        let names = listed(checked.history.iter().cloned());
        line(&mut out, &format!("replaced, and not looked at: {names}"));
    }
    out
}

/// What files came to, and nothing else.
pub(crate) fn verdict_text(checked: &Checked) -> String {
    let mut out = String::new();
    for file in &checked.files {
        line(
            &mut out,
            &format!("{}: {}", file.path.display(), file.verdict),
        );
    }
    out
}

fn line(out: &mut String, text: &str) {
    out.push_str(text);
    out.push('\n');
}

fn describe(out: &mut String, file: &FileReport) {
    let role = match file.role {
        Role::Base => " (base)",
        Role::Increment => " (increment)",
        Role::Alone | Role::Manifest => "",
    };
    line(
        out,
        &format!("{}{role}: {}", file.path.display(), file.verdict),
    );
    notes(out, file);
    if file.role == Role::Manifest {
        line(out, &format!("  manifest, {} bytes", grouped(file.bytes)));
    }
    if let Some(snapshot) = &file.snapshot {
        describe_snapshot(out, snapshot, file.bytes);
    }
    if let Some(log) = &file.log {
        describe_log(out, log, file.bytes);
    }
    out.push('\n');
}

/// What is to be known beside the verdict.
fn notes(out: &mut String, file: &FileReport) {
    if file.unused > 0 {
        let unused = grouped(file.unused);
        line(
            out,
            &format!("  behind the end: {unused} bytes that nobody reads"),
        );
    }
    match file.is_sum_right {
        Some(true) => line(
            out,
            "  but the checksum of the whole file is right: it is as it was written",
        ),
        Some(false) => line(
            out,
            "  and the checksum of the whole file is wrong: something in it has changed",
        ),
        None => {}
    }
    let Verdict::Torn { tail, swallowed } = &file.verdict else {
        return;
    };
    if let Some(cut) = tail.cut() {
        let (left, gone) = (grouped(cut), grouped(file.bytes - cut));
        line(
            out,
            &format!("  --fix cuts it to {left} bytes and removes {gone}"),
        );
    }
    if let Some(swallowed) = swallowed {
        line(out, &format!("  {}", swallowed_text(swallowed)));
    }
}

/// Why it is doubtful that a tail is only torn.
pub(crate) fn swallowed_text(swallowed: &super::log::Swallowed) -> String {
    format!(
        "probably not just torn: inside of the record at byte {}, which does not end, {} whole \
         command{} stand{} from byte {} on; a length in that record may be damaged",
        swallowed.record,
        grouped(swallowed.commands),
        if swallowed.commands == 1 { "" } else { "s" },
        if swallowed.commands == 1 { "s" } else { "" },
        swallowed.at
    )
}

fn describe_snapshot(out: &mut String, snapshot: &Snapshot, bytes: u64) {
    let end = match snapshot.checksum {
        Some(Checksum::Right) => "its checksum is right".to_owned(),
        Some(Checksum::Absent) => "it has no checksum".to_owned(),
        Some(Checksum::Unverified) => "its checksum was not looked at".to_owned(),
        None => format!("read up to byte {}", snapshot.end),
    };
    let len = match snapshot.checksum {
        Some(_) => snapshot.end,
        None => bytes,
    };
    let magic = &snapshot.magic;
    let len = grouped(len);
    line(out, &format!("  snapshot, {magic}, {len} bytes, {end}"));
    let aux = snapshot.aux.iter().map(|(name, value)| {
        let date = (*name.text == *b"ctime").then(|| seconds_of(&value.text));
        let date = date.flatten().map(|at| format!(" ({})", date_text(at)));
        format!(
            "{} {}{}",
            shown(name),
            shown(value),
            date.unwrap_or_default()
        )
    });
    let aux: Vec<String> = aux.collect();
    if !aux.is_empty() {
        line(out, &format!("  fields: {}", aux.join(", ")));
    }
    if snapshot.functions.number > 0 {
        let names = listed(snapshot.libraries.iter().map(shown));
        let Count { number, bytes } = snapshot.functions;
        let text = format!(
            "{} with {} bytes",
            plural(number, "library"),
            grouped(bytes)
        );
        line(out, &format!("  functions: {text}: {names}"));
    }
    let total = &snapshot.total;
    if snapshot.skipped > 0 {
        let skipped = plural(snapshot.skipped, "key");
        line(
            out,
            &format!("  left out: {skipped} with an empty collection"),
        );
    }
    if total.keys.number == 0 {
        return line(out, "  no keys");
    }
    for table in [
        kinds_table(snapshot),
        databases_table(snapshot),
        keys_table(snapshot),
    ] {
        out.push_str(&table.print());
    }
}

fn kinds_table(snapshot: &Snapshot) -> Table {
    let mut rows: Vec<_> = snapshot.kinds.iter().collect();
    rows.sort_by_key(|(kind, count)| (type_name(**kind), Reverse(count.bytes)));
    let mut table = Table::new(&["type", "encoding in the file", "", ">keys", ">bytes"]);
    for (kind, count) in rows {
        table.row(vec![
            type_name(*kind).to_owned(),
            kinds::name(*kind).to_owned(),
            format!("({kind})"),
            grouped(count.number),
            grouped(count.bytes),
        ]);
    }
    let total = snapshot.total.keys;
    table.row(vec![
        "all".to_owned(),
        String::new(),
        String::new(),
        grouped(total.number),
        grouped(total.bytes),
    ]);
    table
}

fn databases_table(snapshot: &Snapshot) -> Table {
    let mut table = Table::new(&["database", ">keys", ">with deadline", ">past", ">bytes"]);
    for (db, database) in &snapshot.databases {
        table.row(vec![
            db.to_string(),
            grouped(database.keys.number),
            grouped(database.with_deadline),
            grouped(database.past),
            grouped(database.keys.bytes),
        ]);
    }
    table
}

fn keys_table(snapshot: &Snapshot) -> Table {
    let mut table = Table::new(&[
        "biggest keys",
        "db",
        "type",
        ">bytes",
        ">elements",
        ">at byte",
    ]);
    for (bytes, at, key) in snapshot.biggest.iter() {
        table.row(vec![
            shown(&key.name),
            key.db.to_string(),
            type_name(key.kind).to_owned(),
            grouped(bytes),
            key.elements
                .map_or("-".to_owned(), |elements| grouped(elements as u64)),
            at.to_string(),
        ]);
    }
    table
}

fn describe_log(out: &mut String, log: &Log, bytes: u64) {
    let (number, len) = (log.commands.number, grouped(bytes - log.from));
    let mut head = format!("  log, {len} bytes, {}", plural(number, "command"));
    if log.transactions > 0 {
        head.push_str(", ");
        head.push_str(&plural(log.transactions, "transaction"));
    }
    if log.whole_to < bytes {
        let _infallible = write!(head, ", whole up to byte {}", log.whole_to);
    }
    line(out, &head);
    if let Some((first, last)) = log.times {
        let stamps = plural(log.stamps, "annotation");
        let range = format!(
            "{first} to {last} ({} to {})",
            date_text(first),
            date_text(last)
        );
        line(out, &format!("  times: {range}, {stamps}"));
    }
    if log.seals.number > 0 {
        let seals = plural(log.seals.number, "seal");
        let covered = grouped(log.seals.bytes);
        line(
            out,
            &format!("  {seals} (aof-checksum), all good, of {covered} bytes"),
        );
    }
    if log.notes > 0 {
        line(out, &format!("  other annotations: {}", grouped(log.notes)));
    }
    if number == 0 {
        return;
    }
    let largest = &log.largest;
    let name = String::from_utf8_lossy(&word_text(&largest.name)).into_owned();
    let bytes = grouped(largest.bytes);
    line(
        out,
        &format!("  largest: {name} of {bytes} bytes at byte {}", largest.at),
    );
    out.push_str(&commands_table(&log.names).print());
    let mut table = Table::new(&["database", ">commands", ">bytes"]);
    for (db, count) in log.databases.rows() {
        let (number, bytes) = (grouped(count.number), grouped(count.bytes));
        table.row(vec![db.to_string(), number, bytes]);
    }
    out.push_str(&table.print());
}

fn commands_table(names: &Tally<Vec<u8>>) -> Table {
    let mut rows: Vec<_> = names.rows().collect();
    rows.sort_by_key(|(_, count)| Reverse(count.bytes));
    let mut rest = names.rest();
    for (_, count) in rows.iter().skip(COMMANDS_SHOWN) {
        rest.merge(**count);
    }
    let mut table = Table::new(&["command", ">count", ">bytes"]);
    let shown = rows.into_iter().take(COMMANDS_SHOWN);
    let named = shown.map(|(name, count)| (word(name, name.len()), *count));
    let others = (rest.number > 0).then(|| ("others".to_owned(), rest));
    for (name, count) in named.chain(others) {
        table.row(vec![name, grouped(count.number), grouped(count.bytes)]);
    }
    table
}

/// A text as it can stand among words: quoted if need be, and not all of a long one.
pub(crate) fn word(text: &[u8], len: usize) -> String {
    let start = &text[..text.len().min(WORD_BYTES)];
    if len > 0 && start.is_empty() {
        return format!("... ({})", plural(len as u64, "byte"));
    }
    let mut out = String::from_utf8_lossy(&word_text(start)).into_owned();
    if len > start.len() {
        let _infallible = write!(out, "... ({})", plural(len as u64, "byte"));
    }
    out
}

fn shown(text: &Shown) -> String {
    word(&text.text, text.len)
}

/// Names one after another, and how many there are beyond those.
fn listed(names: impl ExactSizeIterator<Item = String>) -> String {
    let more = names.len().saturating_sub(NAMES_SHOWN);
    let mut out = names.take(NAMES_SHOWN).collect::<Vec<_>>().join(" ");
    if more > 0 {
        let _infallible = write!(out, " and {more} more");
    }
    out
}

/// A number of things, in words.
pub(crate) fn plural(number: u64, what: &str) -> String {
    let stem = what.strip_suffix('y');
    match (number, stem) {
        (1, _) => format!("1 {what}"),
        (_, Some(stem)) => format!("{} {stem}ies", grouped(number)),
        (_, None) => format!("{} {what}s", grouped(number)),
    }
}

/// A number with its digits in groups of three.
pub(crate) fn grouped(number: u64) -> String {
    let digits = number.to_string();
    let mut out = String::new();
    for (index, digit) in digits.chars().enumerate() {
        if index > 0 && (digits.len() - index).is_multiple_of(3) {
            out.push(',');
        }
        out.push(digit);
    }
    out
}

fn seconds_of(text: &[u8]) -> Option<i64> {
    str::from_utf8(text).ok()?.parse().ok()
}

/// Unix seconds as a date and time here.
pub(crate) fn date_text(unix_secs: i64) -> String {
    let secs = u64::try_from(unix_secs).ok();
    let Some(secs) = secs.filter(|_| unix_secs <= LAST_SECOND) else {
        return "no date".to_owned();
    };
    let LocalTime {
        year,
        month,
        day,
        hour,
        minute,
        second,
        offset_secs,
    } = local_time(secs);
    let sign = if offset_secs < 0 { '-' } else { '+' };
    let minutes = offset_secs.unsigned_abs() / 60;
    format!(
        "{year:04}-{month:02}-{day:02} {hour:02}:{minute:02}:{second:02} {sign}{:02}:{:02}",
        minutes / 60,
        minutes % 60
    )
}

/// Rows in columns.
struct Table {
    /// Whether a column is flush right.
    is_right: Vec<bool>,
    rows: Vec<Vec<String>>,
}

impl Table {
    /// Of columns with these heads; those that begin with `>` are flush right.
    fn new(heads: &[&str]) -> Self {
        let plain = |head: &&str| head.trim_start_matches('>').to_owned();
        Self {
            is_right: heads.iter().map(|head| head.starts_with('>')).collect(),
            rows: vec![heads.iter().map(plain).collect()],
        }
    }

    fn row(&mut self, cells: Vec<String>) {
        self.rows.push(cells);
    }

    /// Its text behind an empty line; nothing if it has no row.
    fn print(&self) -> String {
        if self.rows.len() == 1 {
            return String::new();
        }
        let columns = 0..self.is_right.len();
        let width = |column: usize| {
            let cells = self.rows.iter().map(|row| row[column].chars().count());
            cells.max().unwrap_or(0)
        };
        let widths: Vec<usize> = columns.map(width).collect();
        let mut out = String::from("\n");
        for row in &self.rows {
            let mut text = String::from("  ");
            for ((cell, width), is_right) in row.iter().zip(&widths).zip(&self.is_right) {
                let width = *width;
                let _infallible = if *is_right {
                    write!(text, "{cell:>width$}  ")
                } else {
                    write!(text, "{cell:<width$}  ")
                };
            }
            line(&mut out, text.trim_end());
        }
        out
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn numbers_are_grouped_and_things_counted() {
        assert_eq!(grouped(0), "0");
        assert_eq!(grouped(999), "999");
        assert_eq!(grouped(1_234_567), "1,234,567");
        assert_eq!(plural(1, "key"), "1 key");
        assert_eq!(plural(2, "library"), "2 libraries");
    }

    #[test]
    fn what_is_no_date_is_not_shown_as_one() {
        assert_eq!(date_text(i64::MAX), "no date");
        assert_eq!(date_text(-1), "no date");
        assert!(date_text(1_795_406_497).starts_with("2026-11-2"));
        assert!(date_text(LAST_SECOND + 1) == "no date");
    }

    #[test]
    fn words_are_quoted_and_cut() {
        assert_eq!(word(b"plain", 5), "plain");
        assert_eq!(word(b"", 0), "\"\"");
        assert_eq!(word(b"", 1), "... (1 byte)");
        assert_eq!(word(b"a b\n", 4), "\"a b\\n\"");
        let long = word(&[b'x'; 100], 1000);
        assert_eq!(long, format!("{}... (1,000 bytes)", "x".repeat(48)));
    }

    #[test]
    fn columns_are_as_wide_as_their_widest_cell() {
        let mut table = Table::new(&["name", ">n"]);
        table.row(vec!["a".to_owned(), "100".to_owned()]);
        table.row(vec!["longer".to_owned(), "7".to_owned()]);
        let expected = "\n  name      n\n  a       100\n  longer    7\n";
        assert_eq!(table.print(), expected);
    }
}
