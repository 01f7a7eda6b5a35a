//! The first words of the records that lie somewhere in a log, be they whole or not.

use super::text::{grouped, word};
use std::fs::File;
use std::io;
use std::os::unix::fs::FileExt as _;
use std::path::Path;

/// Bytes that are looked at.
const LOOKED_AT: usize = 4096;
/// Records, and words of each, that are shown.
const RECORDS_MAX: usize = 4;
const WORDS_MAX: usize = 6;
/// Bytes of something else that are shown.
const OTHER_BYTES: usize = 32;

/// A line each for the first records from offset `at` on.
pub(crate) fn first_words(path: &Path, at: u64) -> io::Result<Vec<String>> {
    let file = File::open(path)?;
    let mut bytes = vec![0; LOOKED_AT];
    let mut filled = 0;
    while filled < bytes.len() {
        let got = file.read_at(&mut bytes[filled..], at + filled as u64)?;
        if got == 0 {
            break;
        }
        filled += got;
    }
    Ok(lines_of(&bytes[..filled]))
}

fn lines_of(mut bytes: &[u8]) -> Vec<String> {
    let mut lines = Vec::new();
    while !bytes.is_empty() {
        if lines.len() == RECORDS_MAX {
            lines.push("...".to_owned());
            break;
        }
        let (line, rest) = first_line(bytes);
        lines.push(line);
        bytes = rest;
    }
    lines
}

/// The first record as text, and what is behind it.
fn first_line(bytes: &[u8]) -> (String, &[u8]) {
    if bytes.starts_with(b"#") {
        let end = bytes.iter().position(|byte| *byte == b'\n');
        let (note, rest) = bytes.split_at(end.map_or(bytes.len(), |end| end + 1));
        return (other(note.trim_ascii_end()), rest);
    }
    if let [0, ..] = bytes {
        let zeros = bytes.iter().take_while(|byte| **byte == 0).count();
        let more = if zeros == LOOKED_AT { " or more" } else { "" };
        let text = format!("{}{more} zeros", grouped(zeros as u64));
        return (text, &bytes[zeros..]);
    }
    match record(bytes) {
        Some(found) => found,
        None => (other(bytes), &[]),
    }
}

/// The beginning of something that is not understood.
fn other(bytes: &[u8]) -> String {
    let start = &bytes[..bytes.len().min(OTHER_BYTES)];
    let more = if start.len() < bytes.len() { "..." } else { "" };
    format!("{}{more}", start.escape_ascii())
}

/// The words of a command, as far as they are there.
fn record(bytes: &[u8]) -> Option<(String, &[u8])> {
    let (count, mut rest) = header(bytes, b'*')?;
    let mut words = Vec::new();
    let mut index = 0;
    while index < count {
        let Some((len, text)) = header(rest, b'$') else {
            rest = &[];
            break;
        };
        let here = usize::try_from(len).unwrap_or(usize::MAX).min(text.len());
        if words.len() < WORDS_MAX {
            words.push(word(
                &text[..here],
                usize::try_from(len).unwrap_or(usize::MAX),
            ));
        }
        rest = text[here..].strip_prefix(b"\r\n").unwrap_or(&[]);
        index += 1;
    }
    let more = count.saturating_sub(words.len() as u64);
    if more > 0 {
        words.push(format!("... ({} of {} words)", words.len(), grouped(count)));
    }
    Some((words.join(" "), rest))
}

/// A mark, a number and the end of a line.
fn header(bytes: &[u8], mark: u8) -> Option<(u64, &[u8])> {
    let (first, rest) = bytes.split_first()?;
    let end = rest.iter().position(|byte| *byte == b'\r')?;
    let (digits, rest) = rest.split_at(end);
    let number = str::from_utf8(digits).ok()?.parse().ok()?;
    (*first == mark).then_some((number, rest.strip_prefix(b"\r\n")?))
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn torn_records_are_shown_as_far_as_they_go() {
        let cases: [(&[u8], &[&str]); 7] = [
            (
                b"*3\r\n$3\r\nSET\r\n$1\r\nk\r\n$5\r\nva",
                &["SET k va... (5 bytes)"],
            ),
            (b"*3\r\n$3\r\nSET\r\n$1", &["SET ... (1 of 3 words)"]),
            (b"*3\r", &["*3\\r"]),
            (
                b"*1\r\n$5\r\nMULTI\r\n*2\r\n$3\r\nDEL\r\n$1\r\nk\r\n",
                &["MULTI", "DEL k"],
            ),
            (b"#TS:17\r\n*1\r\n$4\r\nPING\r\n", &["#TS:17", "PING"]),
            (b"\0\0\0\0", &["4 zeros"]),
            (b"*99\r\n$-1\r\nx", &["... (0 of 99 words)"]),
        ];
        for (bytes, expected) in cases {
            assert_eq!(lines_of(bytes), expected, "{}", bytes.escape_ascii());
        }
    }

    #[test]
    fn of_many_records_the_first_are_shown() {
        let lines = lines_of(&b"*1\r\n$4\r\nPING\r\n".repeat(20));
        assert_eq!(lines, ["PING", "PING", "PING", "PING", "..."]);
    }
}
