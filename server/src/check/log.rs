//! What the commands of a log are, counted as they go by, and how the log ends.

use super::counts::{Count, Tally};
use super::source::Pieces;
use dovetail_engine::codec::aof::{Item, LogError, Reader, Tail};
use dovetail_engine::codec::rdb::Source as _;
use dovetail_engine::resp::Args;
use std::fs::File;
use std::io;
use std::os::unix::fs::FileExt as _;
use std::path::Path;

/// Bytes of a command's name that count.
const NAME_BYTES: usize = 32;
/// Bytes that are looked through at a time for the beginning of a record.
const WINDOW_BYTES: usize = 1 << 20;
/// What begins a record inside of another is at most so long.
const BEGINNING_BYTES: usize = 32;
/// Places that are tried as the beginning of records.
const TRIED_MAX: usize = 16;

/// A command, for the largest of them.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub(crate) struct Largest {
    /// Its name.
    pub(crate) name: Vec<u8>,
    /// Offset of its first byte.
    pub(crate) at: u64,
    /// Its bytes.
    pub(crate) bytes: u64,
}

/// The annotation before which a log can be cut.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) struct Later {
    /// The length that the file can be cut to.
    pub(crate) cut: u64,
    /// What the annotation says.
    pub(crate) time: i64,
}

/// What the commands of a file are.
#[derive(Clone, Debug)]
pub(crate) struct Log {
    /// Offset of their beginning.
    pub(crate) from: u64,
    /// All commands.
    pub(crate) commands: Count,
    /// By name.
    pub(crate) names: Tally<Vec<u8>>,
    /// By database.
    pub(crate) databases: Tally<u64>,
    /// Transactions that have ended.
    pub(crate) transactions: u64,
    /// Annotations of time.
    pub(crate) stamps: u64,
    /// The earliest and the latest.
    pub(crate) times: Option<(i64, i64)>,
    /// The first that is later than what was asked for.
    pub(crate) later: Option<Later>,
    /// Other annotations.
    pub(crate) notes: u64,
    /// Seals, all good, and the bytes that they cover.
    pub(crate) seals: Count,
    /// The largest command.
    pub(crate) largest: Largest,
    /// Up to where everything is whole.
    pub(crate) whole_to: u64,
}

/// Whole commands that lie behind the beginning of a record that does not end: probably the record
/// is not torn off but its length is wrong.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) struct Swallowed {
    /// Offset of the record that does not end.
    pub(crate) record: u64,
    /// Offset of the first whole command behind it.
    pub(crate) at: u64,
    /// How many there are.
    pub(crate) commands: u64,
}

/// How a log is read.
#[derive(Clone, Copy, Debug)]
pub(crate) struct Reading {
    /// Offset of its beginning.
    pub(crate) from: u64,
    /// The longest word.
    pub(crate) word_bytes: u64,
    /// The time after which it may be cut.
    pub(crate) until: Option<i64>,
}

/// A log that was read.
pub(crate) struct Outcome {
    /// What it has.
    pub(crate) log: Log,
    /// How it ends, or why it could not be read to its end.
    pub(crate) end: Result<Tail, LogError>,
    /// Where the record begins that does not end.
    pub(crate) unfinished: u64,
}

/// Reads the commands that `pieces` has from here on, behind those bytes that have been read.
pub(crate) fn read(mut pieces: Pieces, begun: Vec<u8>, reading: Reading) -> io::Result<Outcome> {
    let mut reader = Reader::new(reading.from).with_word_limit(reading.word_bytes);
    let mut counting = Counting::new(reading);
    reader.room()[..begun.len()].copy_from_slice(&begun);
    reader.fill(begun.len());
    let end = loop {
        let cut = reader.cut_at();
        match reader.item() {
            Ok(Some(item)) => counting.take(item, cut),
            Ok(None) => {
                let got = pieces.fill(reader.room())?;
                if got == 0 {
                    break reader.end();
                }
                reader.fill(got);
            }
            Err(error) => break Err(error),
        }
    };
    counting.leave_database();
    let mut log = counting.log;
    log.seals.number = reader.seals();
    log.whole_to = reader.cut_at();
    Ok(Outcome {
        log,
        end,
        unfinished: reader.offset(),
    })
}

struct Counting {
    log: Log,
    until: Option<i64>,
    db: u64,
    /// What has been read of that database.
    database: Count,
    is_in_transaction: bool,
}

impl Counting {
    fn new(reading: Reading) -> Self {
        Self {
            log: Log {
                from: reading.from,
                commands: Count::default(),
                names: Tally::default(),
                databases: Tally::default(),
                transactions: 0,
                stamps: 0,
                times: None,
                later: None,
                notes: 0,
                seals: Count::default(),
                largest: Largest::default(),
                whole_to: reading.from,
            },
            until: reading.until,
            db: 0,
            database: Count::default(),
            is_in_transaction: false,
        }
    }

    /// Takes an item before which the file could be cut to `cut` bytes.
    #[inline]
    fn take(&mut self, item: Item<'_>, cut: u64) {
        match item {
            Item::Command { args, start, end } => self.command(args, start, end - start),
            Item::Time(time) => self.time(time, cut),
            Item::Sealed(bytes) => self.log.seals.bytes += bytes,
            Item::Note(_) => self.log.notes += 1,
        }
    }

    fn time(&mut self, time: i64, cut: u64) {
        self.log.stamps += 1;
        let (first, last) = self.log.times.unwrap_or((time, time));
        self.log.times = Some((first.min(time), last.max(time)));
        if self.until.is_some_and(|until| time > until) {
            self.log.later.get_or_insert(Later { cut, time });
        }
    }

    #[inline]
    fn command(&mut self, args: Args<'_>, at: u64, bytes: u64) {
        let count = Count { number: 1, bytes };
        let word = args.get(0);
        let mut name = [0; NAME_BYTES];
        let len = word.len().min(NAME_BYTES);
        name[..len].copy_from_slice(&word[..len]);
        let name = &mut name[..len];
        name.make_ascii_uppercase();
        self.log.commands.merge(count);
        self.log.names.add(&*name, count);
        if bytes > self.log.largest.bytes {
            self.log.largest = Largest {
                name: name.to_vec(),
                at,
                bytes,
            };
        }
        match (&*name, args.len()) {
            (b"MULTI", 1) => self.is_in_transaction = true,
            (b"EXEC", 1) => {
                self.log.transactions += u64::from(self.is_in_transaction);
                self.is_in_transaction = false;
            }
            (b"SELECT", 2) => self.select(args.get(1)),
            _ => self.database.merge(count),
        }
    }

    fn select(&mut self, word: &[u8]) {
        let index = str::from_utf8(word).ok().and_then(|text| text.parse().ok());
        if let Some(index) = index {
            self.leave_database();
            self.db = index;
        }
    }

    /// Writes down what was counted of a database.
    fn leave_database(&mut self) {
        let left = std::mem::take(&mut self.database);
        if left.number > 0 {
            self.log.databases.add(&self.db, left);
        }
    }
}

/// Looks for whole commands inside of the record that begins at `record` and does not end, up to the
/// end of the file, which is read from there on once more.
pub(crate) fn swallowed(
    path: &Path,
    record: u64,
    len: u64,
    word_bytes: u64,
) -> io::Result<Option<Swallowed>> {
    let file = File::open(path)?;
    let mut buffer = vec![0; WINDOW_BYTES];
    let (mut at, mut tried) = (record, 0);
    while at < len {
        let got = file.read_at(&mut buffer, at)?;
        if got == 0 {
            break;
        }
        for begins in beginnings(&buffer[..got]) {
            let begins = at + begins as u64;
            if let Some(commands) = whole_commands(&file, begins, word_bytes)? {
                return Ok(Some(Swallowed {
                    record,
                    at: begins,
                    commands,
                }));
            }
            tried += 1;
            if tried == TRIED_MAX {
                return Ok(None);
            }
        }
        // What lies across two windows is seen in the next.
        at += match got.checked_sub(BEGINNING_BYTES) {
            Some(step @ 1..) if at + (got as u64) < len => step as u64,
            _ => got as u64,
        };
    }
    Ok(None)
}

/// Where records seem to begin behind the end of something else: `*`, digits, line end, `$`, digit.
fn beginnings(bytes: &[u8]) -> impl Iterator<Item = usize> {
    let ends = bytes.windows(3).enumerate();
    let places = ends.filter_map(|(at, end)| (end == b"\r\n*").then_some(at + 2));
    places.filter(|at| {
        let rest = &bytes[at + 1..];
        let digits = rest.iter().take_while(|byte| byte.is_ascii_digit()).count();
        let behind = rest[digits..].strip_prefix(b"\r\n$");
        (1..=10).contains(&digits)
            && behind.is_some_and(|behind| behind.first().is_some_and(u8::is_ascii_digit))
    })
}

/// How many whole commands there are from `from` on, if nothing else follows up to the end of the
/// file but perhaps a part of one.
fn whole_commands(file: &File, from: u64, word_bytes: u64) -> io::Result<Option<u64>> {
    let mut reader = Reader::new(from).with_word_limit(word_bytes);
    let (mut at, mut commands) = (from, 0);
    loop {
        match reader.item() {
            Ok(Some(Item::Command { .. })) => commands += 1,
            Ok(Some(_)) => {}
            Ok(None) => {
                let got = file.read_at(reader.room(), at)?;
                if got == 0 {
                    break;
                }
                at += got as u64;
                reader.fill(got);
            }
            Err(_) => return Ok(None),
        }
    }
    let is_log = matches!(
        reader.end(),
        Ok(Tail::Whole | Tail::Record { .. } | Tail::Transaction { .. })
    );
    Ok((is_log && commands > 0).then_some(commands))
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn beginnings_of_records_are_found_inside_of_others() {
        let text =
            b"*3\r\n$3\r\nSET\r\n$1\r\nk\r\n$99\r\nv\r\n*1\r\n$4\r\nPING\r\n\r\n*x\r\n*2\r\n";
        let found: Vec<_> = beginnings(text).collect();
        assert_eq!(found, [28]);
        assert!(text[28..].starts_with(b"*1\r\n$4\r\nPING"));
        assert_eq!(beginnings(b"\r\n*12").count(), 0);
    }
}
