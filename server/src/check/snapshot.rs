//! What a snapshot has, counted as it goes by.

use super::counts::{Biggest, Count};
use super::source::Pieces;
use dovetail_engine::base::map;
use dovetail_engine::codec::aof::names::BaseFormat;
use dovetail_engine::codec::crc64::Crc64;
use dovetail_engine::codec::rdb::{
    Batch, Checksum, Event, RdbError, ReadError, Reader, Rules, Source as _, Verify, kinds,
};
use dovetail_engine::config::Encodings;
use dovetail_engine::value::Kind;
use dovetail_engine::value::restore::Limits;
use std::collections::BTreeMap;
use std::hash::{BuildHasher as _, RandomState};
use std::io;
use std::time::{SystemTime, UNIX_EPOCH};

/// Fields about the file, libraries and databases that are kept; more are counted at most.
const KEPT_MAX: usize = 1024;
/// Bytes of a name or value that are kept to be shown.
const SHOWN_BYTES: usize = 256;
/// Magic and version.
const MAGIC_BYTES: usize = 9;
/// The checksum at the end.
const SUM_BYTES: u64 = 8;

/// What is known of one key.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(crate) struct Key {
    /// The beginning of its name.
    pub(crate) name: Shown,
    /// Its database.
    pub(crate) db: u64,
    /// The kind of its value.
    pub(crate) kind: u8,
    /// Its elements, if it has such.
    pub(crate) elements: Option<usize>,
}

/// A text of which the beginning is kept.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub(crate) struct Shown {
    /// The beginning.
    pub(crate) text: Box<[u8]>,
    /// Bytes of the whole text.
    pub(crate) len: usize,
}

impl Shown {
    /// Keeps the beginning of `text`.
    pub(crate) fn of(text: &[u8]) -> Self {
        Self {
            text: text[..text.len().min(SHOWN_BYTES)].into(),
            len: text.len(),
        }
    }
}

/// A database.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub(crate) struct Database {
    /// Its keys.
    pub(crate) keys: Count,
    /// Those with a deadline.
    pub(crate) with_deadline: u64,
    /// Those whose deadline has passed.
    pub(crate) past: u64,
}

impl Database {
    fn merge(&mut self, other: Self) {
        self.keys.merge(other.keys);
        self.with_deadline += other.with_deadline;
        self.past += other.past;
    }
}

/// What a snapshot has.
#[derive(Clone, Debug)]
pub(crate) struct Snapshot {
    /// Magic and version, as they stand in the file.
    pub(crate) magic: String,
    /// Fields about the file, in their order.
    pub(crate) aux: Vec<(Shown, Shown)>,
    /// Names of the libraries of functions, in their order.
    pub(crate) libraries: Vec<Shown>,
    /// Those libraries.
    pub(crate) functions: Count,
    /// By number.
    pub(crate) databases: BTreeMap<u64, Database>,
    /// All of them.
    pub(crate) total: Database,
    /// Keys by kind of value, as far as there are any.
    pub(crate) kinds: BTreeMap<u8, Count>,
    /// Keys that are left out because their collections are empty.
    pub(crate) skipped: u64,
    /// The biggest keys.
    pub(crate) biggest: Biggest<Key>,
    /// Where it ends, or where reading has stopped.
    pub(crate) end: u64,
    /// What was found at its end; none if that was not reached.
    pub(crate) checksum: Option<Checksum>,
}

impl Snapshot {
    /// The field about the file of this name.
    pub(crate) fn aux(&self, name: &str) -> Option<&[u8]> {
        let mut aux = self.aux.iter();
        let found = aux.find(|(known, _)| *known.text == *name.as_bytes());
        found.map(|(_, value)| &*value.text)
    }

    /// Whether it says that it stands in front of a log.
    pub(crate) fn is_base(&self) -> bool {
        ["aof-base", "aof-preamble"]
            .iter()
            .any(|name| self.aux(name) == Some(b"1"))
    }
}

/// The type of a kind of value, as TYPE names it.
pub(crate) const fn type_name(kind: u8) -> &'static str {
    match kind {
        kinds::STRING => Kind::String.name(),
        kinds::LIST | kinds::LIST_ZIPLIST | kinds::LIST_ZIPLISTS | kinds::LIST_PACKS => {
            Kind::List.name()
        }
        kinds::SET | kinds::SET_INTS | kinds::SET_PACK => Kind::Set.name(),
        kinds::ZSET | kinds::ZSET_TEXT | kinds::ZSET_ZIPLIST | kinds::ZSET_PACK => {
            Kind::SortedSet.name()
        }
        kinds::HASH
        | kinds::HASH_ZIPMAP
        | kinds::HASH_ZIPLIST
        | kinds::HASH_PACK
        | kinds::HASH_DEADLINES_VALKEY
        | kinds::HASH_DEADLINES
        | kinds::HASH_DEADLINES_PACK => Kind::Hash.name(),
        kinds::STREAM | kinds::STREAM_2 | kinds::STREAM_3 => "stream",
        kinds::MODULE_OLD | kinds::MODULE => "module",
        _ => "unknown",
    }
}

/// A snapshot that was read.
pub(crate) struct Outcome {
    /// What it has.
    pub(crate) snapshot: Snapshot,
    /// What follows it, to be read on; or why it could not be read to its end.
    pub(crate) rest: Result<Pieces, RdbError>,
}

/// Reads the snapshot with which a file begins.
pub(crate) fn read(pieces: Pieces, top: usize) -> io::Result<Outcome> {
    let head = pieces.head();
    let magic = head[..head.len().min(MAGIC_BYTES)].escape_ascii();
    let mut counting = Counting::new(magic.to_string(), top);
    // A key is handed out as soon as it is read: what is lost at damage is the damaged one.
    let seed = RandomState::new().hash_one(0);
    let rules = Rules {
        limits: Limits::of(&Encodings::default(), &map::hasher(seed)),
        verify: Verify::Yes,
        batch: 1,
    };
    let mut reader = Reader::new(pieces, rules);
    let result = loop {
        match reader.next() {
            Ok(event) => {
                if counting.take(event) {
                    break Ok(());
                }
                counting.place(reader.offset());
            }
            Err(ReadError::Source(error)) => return Err(error),
            Err(ReadError::Rdb(error)) => break Err(error),
        }
    };
    counting.leave_database();
    let mut snapshot = counting.snapshot;
    snapshot.skipped = reader.skipped();
    snapshot.end = reader.offset();
    let (mut pieces, rest) = reader.into_rest();
    pieces.give_back(rest);
    Ok(Outcome {
        snapshot,
        rest: result.map(|()| pieces),
    })
}

/// Counts what the events say.
struct Counting {
    snapshot: Snapshot,
    now_ms: u64,
    db: u64,
    /// What has been read of that database.
    database: Database,
    /// By kind.
    kinds: Box<[Count; 256]>,
    /// A big key whose place is known when it has been handed back.
    unplaced: Option<(u64, Key)>,
}

impl Counting {
    fn new(magic: String, top: usize) -> Self {
        let since = SystemTime::now().duration_since(UNIX_EPOCH);
        let now_ms = since.map_or(0, |since| since.as_millis());
        Self {
            snapshot: Snapshot {
                magic,
                aux: Vec::new(),
                libraries: Vec::new(),
                functions: Count::default(),
                databases: BTreeMap::new(),
                total: Database::default(),
                kinds: BTreeMap::new(),
                skipped: 0,
                biggest: Biggest::new(top),
                end: 0,
                checksum: None,
            },
            now_ms: u64::try_from(now_ms).unwrap_or(u64::MAX),
            db: 0,
            database: Database::default(),
            kinds: Box::new([Count::default(); 256]),
            unplaced: None,
        }
    }

    /// Takes an event, and says whether it was the last.
    fn take(&mut self, event: Event<'_>) -> bool {
        match event {
            Event::Keys(batch) => self.keys(batch),
            Event::Aux { name, value } => {
                if self.snapshot.aux.len() < KEPT_MAX {
                    let field = (Shown::of(name), Shown::of(value));
                    self.snapshot.aux.push(field);
                }
            }
            Event::Function(source) => {
                self.snapshot.functions.add(source.len() as u64);
                if self.snapshot.libraries.len() < KEPT_MAX {
                    self.snapshot.libraries.push(library_name(source));
                }
            }
            Event::Select(db) => {
                self.leave_database();
                self.db = db;
            }
            Event::Resize { .. } | Event::Progress => {}
            Event::End(checksum) => {
                self.snapshot.checksum = Some(checksum);
                return true;
            }
        }
        false
    }

    #[inline]
    fn keys(&mut self, batch: &mut Batch) {
        for index in 0..batch.len() {
            let key = batch.take(index);
            let bytes = key.file_bytes;
            self.kinds[usize::from(key.kind)].add(bytes);
            self.database.keys.add(bytes);
            if let Some(deadline) = key.deadline {
                self.database.with_deadline += 1;
                self.database.past += u64::from(deadline <= self.now_ms);
            }
            if self.snapshot.biggest.wants(bytes) {
                let known = Key {
                    name: Shown::of(key.key),
                    db: self.db,
                    kind: key.kind,
                    elements: key.elements(),
                };
                self.unplaced = Some((bytes, known));
            }
        }
    }

    /// The key that was taken last ends at `end`.
    #[inline]
    fn place(&mut self, end: u64) {
        if let Some((bytes, key)) = self.unplaced.take() {
            self.snapshot.biggest.add(bytes, end - bytes, key);
        }
    }

    /// Writes down what was counted of a database.
    fn leave_database(&mut self) {
        let left = std::mem::take(&mut self.database);
        self.snapshot.total.merge(left);
        let databases = &mut self.snapshot.databases;
        if left.keys.number > 0 && (databases.len() < KEPT_MAX || databases.contains_key(&self.db))
        {
            databases.entry(self.db).or_default().merge(left);
        }
        let counted = (0..=u8::MAX).zip(&*self.kinds);
        let some = counted.filter(|(_, count)| count.number > 0);
        self.snapshot.kinds = some.map(|(kind, count)| (kind, *count)).collect();
    }
}

/// The name of a library, from the first line of its source: `#!lua name=NAME`.
fn library_name(source: &[u8]) -> Shown {
    let first = source.split(|byte| *byte == b'\n').next();
    let words = first.unwrap_or_default().split(u8::is_ascii_whitespace);
    let name = words.filter_map(|word| word.strip_prefix(b"name=")).next();
    Shown::of(name.unwrap_or(b"(without a name)"))
}

/// Whether the last bytes of a file that begins as a snapshot are the checksum of all before; `None`
/// if it has none. So it can be told whether something has changed in a file even where not
/// everything in it is understood.
pub(crate) fn is_sum_right(mut pieces: Pieces) -> io::Result<Option<bool>> {
    let is_snapshot = BaseFormat::of(pieces.head()) == BaseFormat::Rdb;
    let Some(mut left) = pieces.len().checked_sub(SUM_BYTES).filter(|_| is_snapshot) else {
        return Ok(None);
    };
    let mut crc = Crc64::new();
    let mut buffer = vec![0; 1 << 20];
    while left > 0 {
        let most = usize::try_from(left).unwrap_or(usize::MAX);
        let most = most.min(buffer.len());
        let got = pieces.fill(&mut buffer[..most])?;
        if got == 0 {
            return Ok(None);
        }
        crc.update(&buffer[..got]);
        left -= got as u64;
    }
    let mut stored = 0;
    for place in 0..SUM_BYTES {
        let mut byte = [0];
        if pieces.fill(&mut byte)? == 0 {
            return Ok(None);
        }
        stored |= u64::from(byte[0]) << (8 * place);
    }
    Ok((stored != 0).then(|| stored == crc.value()))
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_librarys_name_stands_in_its_first_line() {
        let name = |source: &[u8]| library_name(source).text;
        assert_eq!(*name(b"#!lua name=mine\nname=other"), *b"mine");
        assert_eq!(*name(b"#!lua  engine=x name=a"), *b"a");
        assert_eq!(*name(b"return 1\nname=x"), *b"(without a name)");
    }

    #[test]
    fn every_known_kind_has_a_type() {
        for kind in (0..=u8::MAX).filter(|kind| kinds::is_known(*kind)) {
            assert_ne!(type_name(kind), "unknown", "{kind}");
        }
    }

    #[test]
    fn of_a_long_text_the_beginning_is_kept() {
        let shown = Shown::of(&[b'x'; 1000]);
        assert_eq!((shown.text.len(), shown.len), (SHOWN_BYTES, 1000));
    }
}
