//! A member on a disk, the dataset it keeps, and the steps that several cases take.

use super::{Place, Simulated};
use dovetail_engine::base::{Micros, Now};
use dovetail_engine::codec::aof::names::BaseFormat;
use dovetail_engine::codec::aof::{Item, Reader, write};
use dovetail_engine::codec::rdb::{Compression, Options, Summing, Writer};
use dovetail_engine::seam::disk::{Disk, DiskResult, Open, Sync};
use dovetail_engine::seam::persistence::{
    Begin, Format, Fsync, LogEnd, Part, PersistResult, Persistence, PersistenceEntry, Progress,
    Purpose, Role, Save, Settings, SharedDisk, Stored,
};
use dovetail_tests::sim::SimDisk;
use std::path::{Path, PathBuf};
use std::time::{Duration, Instant};

/// How long a background job of a real disk may take before it has hung.
const PATIENCE: Duration = Duration::from_secs(60);
pub(super) const LOG: &str = "appendonly.aof";
pub(super) const FOLDER: &str = "appendonlydir";
pub(super) const SNAPSHOT: &str = "dump.rdb";
/// Offset of the feed at which a process begins.
const FEED_BEGIN: u64 = 1000;
/// Of no process of this machine.
pub(super) const PID: u32 = 4_294_967_000;

/// What was read back.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub(super) struct Found {
    /// The dataset.
    pub(super) number: u64,
    /// How the last file ends, if it is a log.
    pub(super) end: LogEnd,
    /// The length that it should be cut to.
    pub(super) cut: Option<u64>,
    /// Whether something was lost that is not at the end.
    pub(super) is_damaged: bool,
    /// Seals in all files.
    pub(super) seals: u64,
    /// Times in all files.
    pub(super) times: u64,
}

/// How what is stored must look.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) enum Trust {
    /// Only the end of the last file may be torn.
    Whole,
    /// A disk has lost what a sync should have kept: it is read up to there.
    Damaged,
}

pub(super) struct Rig<P: Place> {
    pub(super) place: P,
    pub(super) entry: &'static PersistenceEntry,
    pub(super) disk: SharedDisk,
    pub(super) member: Box<dyn Persistence>,
    pub(super) settings: Settings,
    pub(super) now: Now,
    /// The dataset, and where each number ends in the feed, from zero on.
    pub(super) number: u64,
    ends: Vec<u64>,
    /// The latest of what the member has said.
    pub(super) released: u64,
    pub(super) durable: u64,
}

impl<P: Place> Rig<P> {
    pub(super) fn new(entry: &'static PersistenceEntry, name: &str) -> Self {
        let mut place = P::new(&format!("{name}-{}", entry.name));
        let settings = Settings {
            dir: place.folder().to_path_buf(),
            pid: PID,
            snapshot: SNAPSHOT.to_owned(),
            log: LOG.to_owned(),
            log_folder: FOLDER.to_owned(),
            fsync: Fsync::EverySec,
            no_fsync_on_rewrite: false,
            base_format: match entry.name {
                "aof" => Format::Commands,
                _ => Format::Rdb,
            },
            timestamps: false,
            checksums: false,
            keeps_history: false,
            snapshot_sync_bytes: Some(1 << 20),
            base_sync_bytes: None,
        };
        let disk = place.disk();
        Self {
            member: (entry.open)(disk.clone(), &settings),
            place,
            entry,
            disk,
            settings,
            now: Now {
                monotonic: Micros::from_secs(1000),
                unix_us: 1_700_000_000_000_000,
            },
            number: 0,
            ends: vec![FEED_BEGIN],
            released: FEED_BEGIN,
            durable: FEED_BEGIN,
        }
    }

    pub(super) fn apply(&mut self, change: impl FnOnce(&mut Settings)) {
        change(&mut self.settings);
        self.member.apply(&self.settings);
    }

    /// The folder of everything.
    pub(super) fn home(&self) -> PathBuf {
        self.place.folder().to_path_buf()
    }

    pub(super) fn path(&self, name: &str) -> PathBuf {
        self.place.folder().join(name)
    }

    /// A file of the log.
    pub(super) fn log_path(&self, name: &str) -> PathBuf {
        self.path(FOLDER).join(name)
    }

    /// Goes on as the next process, which has not looked yet.
    pub(super) fn next_life(&mut self) {
        self.disk = self.place.disk();
        self.member = (self.entry.open)(self.disk.clone(), &self.settings);
    }

    /// Loads what is stored, cuts what is torn, and begins.
    pub(super) fn start(&mut self, trust: Trust) -> PersistResult<Stored> {
        let stored = self.member.stored()?;
        let found = self.read(&stored.parts, trust);
        if let (Some(last), Some(cut)) = (stored.parts.last(), found.cut) {
            self.member.cut(last, cut)?;
        }
        self.begin_feed(found.number);
        self.member
            .begin(self.now, FEED_BEGIN, Begin::Loaded(found.end))?;
        Ok(stored)
    }

    /// The dataset is there, and the feed begins behind it.
    pub(super) fn begin_feed(&mut self, number: u64) {
        self.number = number;
        self.ends = vec![FEED_BEGIN; usize::try_from(number).unwrap() + 1];
        (self.released, self.durable) = (FEED_BEGIN, FEED_BEGIN);
    }

    /// Begins with a dataset that is in memory.
    pub(super) fn start_live(&mut self, number: u64) -> PersistResult<()> {
        self.begin_feed(number);
        self.member.begin(self.now, FEED_BEGIN, Begin::Live)
    }

    /// Starts a new process; says what was found.
    pub(super) fn restart(&mut self) -> u64 {
        self.next_life();
        self.start(Trust::Whole).unwrap();
        self.number
    }

    /// Time passes.
    pub(super) fn pass(&mut self, millis: u64) {
        self.now.monotonic = self.now.monotonic.plus(Micros::from_millis(millis));
        self.now.unix_us += millis * 1000;
    }

    /// Appends a batch of `count` records.
    pub(super) fn append(&mut self, count: u64) {
        let mut end = *self.ends.last().unwrap();
        let mut records = Vec::new();
        for _ in 0..count {
            self.number += 1;
            let from = records.len();
            records.extend_from_slice(&record(self.number));
            end += (records.len() - from) as u64;
            self.ends.push(end);
        }
        self.member.append(self.now, &records, end);
    }

    /// Asks how far the log is, and checks what must hold.
    pub(super) fn advance(&mut self) -> Progress {
        let progress = self.member.advance(self.now);
        if self.member.keeps_log() {
            let end = *self.ends.last().unwrap();
            assert!(progress.released >= self.released, "it is not taken back");
            assert!(progress.durable >= self.durable, "nor is this");
            assert!(progress.released <= end && progress.durable <= end);
            self.released = progress.released;
            self.durable = progress.durable;
        }
        progress
    }

    /// The number that lies before this offset of the feed.
    pub(super) fn number_at(&self, offset: u64) -> u64 {
        (self.ends.partition_point(|end| *end <= offset) - 1) as u64
    }

    /// The latest number that was released, and that is durable.
    pub(super) fn reached(&mut self) -> (u64, u64) {
        self.advance();
        (self.number_at(self.released), self.number_at(self.durable))
    }

    /// Lets syncs end until `done` is so.
    pub(super) fn until(&mut self, what: &str, mut done: impl FnMut(&Progress) -> bool) {
        let end = Instant::now() + PATIENCE;
        while !done(&self.advance()) {
            assert!(Instant::now() < end, "it takes too long until {what}");
            self.place.breathe();
        }
    }

    /// Lets a second pass, and everything be synced.
    pub(super) fn settle(&mut self) {
        let end = *self.ends.last().unwrap();
        self.pass(1001);
        self.until("everything is durable", |now| now.durable == end);
    }

    /// Writes what the engine would.
    pub(super) fn write_save(&mut self, save: &Save, number: u64) -> DiskResult<()> {
        let disk = &mut *self.disk.borrow_mut();
        make(disk, &save.temporary, &whole(save.format, number))?;
        disk.rename(&save.temporary, &save.target)?;
        disk.sync_folder(save.target.parent().unwrap())
    }

    /// A whole save.
    pub(super) fn save(&mut self, purpose: Purpose) {
        let save = self.member.begin_save(self.now, purpose).unwrap();
        self.write_save(&save, self.number).unwrap();
        self.member.finish_save(self.now, save).unwrap();
    }

    /// Plants a file that was there before.
    pub(super) fn plant(&mut self, path: &Path, bytes: &[u8]) {
        let disk = &mut *self.disk.borrow_mut();
        let folder = path.parent().unwrap();
        disk.make_folder(folder).unwrap();
        make(disk, path, bytes).unwrap();
        disk.sync_folder(folder).unwrap();
        disk.sync_folder(folder.parent().unwrap()).unwrap();
    }

    pub(super) fn contents(&self, path: &Path) -> Vec<u8> {
        self.place.contents(path)
    }

    pub(super) fn names(&mut self, folder: &Path) -> Vec<String> {
        let mut names = self.disk.borrow_mut().names(folder).unwrap();
        names.sort();
        names
    }

    /// The names in the log's folder.
    pub(super) fn log_names(&mut self) -> Vec<String> {
        let folder = self.path(FOLDER);
        self.names(&folder)
    }

    /// Waits until these are the names in the log's folder.
    pub(super) fn until_names<N: AsRef<str>>(&mut self, expected: &[N]) {
        let mut expected: Vec<&str> = expected.iter().map(AsRef::as_ref).collect();
        expected.sort_unstable();
        let end = Instant::now() + PATIENCE;
        while self.log_names() != expected {
            let names = self.log_names();
            assert!(Instant::now() < end, "{names:?} instead of {expected:?}");
            self.place.breathe();
        }
    }

    pub(super) fn manifest(&self) -> String {
        let path = self.log_path(&format!("{LOG}.manifest"));
        String::from_utf8(self.contents(&path)).unwrap()
    }

    /// The name of base number `seq` as this member writes it.
    pub(super) fn base(&self, seq: u64) -> String {
        let suffix = match self.settings.base_format {
            Format::Rdb => "rdb",
            Format::Commands => "aof",
        };
        format!("{LOG}.{seq}.base.{suffix}")
    }

    /// What is stored, as somebody else finds it.
    pub(super) fn look(&mut self) -> Found {
        let mut other = (self.entry.open)(self.disk.clone(), &self.settings);
        let parts = other.stored().unwrap().parts;
        self.read(&parts, Trust::Whole)
    }

    pub(super) fn read(&self, parts: &[Part], trust: Trust) -> Found {
        let mut found = Found::default();
        for (index, part) in parts.iter().enumerate() {
            let bytes = self.contents(&part.path);
            assert_eq!(bytes.len() as u64, part.len, "{}", part.name);
            assert_eq!(part.path.file_name().unwrap().to_str(), Some(&*part.name));
            let is_whole = BaseFormat::of(&bytes) == BaseFormat::Rdb;
            if is_whole {
                assert_ne!(part.role, Role::Increment);
                found.number = snapshot_number(&bytes);
                found.end = LogEnd::default();
                continue;
            }
            assert_ne!(part.role, Role::Snapshot, "{}", part.name);
            let is_last = index + 1 == parts.len();
            if !read_log(&mut found, &bytes, part, trust) {
                assert!(
                    is_last || trust == Trust::Damaged,
                    "{} is torn and not the last",
                    part.name
                );
                found.is_damaged |= !is_last;
                break;
            }
        }
        found
    }
}

impl Rig<Simulated> {
    pub(super) fn sim(&self) -> &SimDisk {
        &self.place.0
    }
}

/// Reads a log into the dataset; false if it ends early.
fn read_log(found: &mut Found, bytes: &[u8], part: &Part, trust: Trust) -> bool {
    let mut reader = Reader::new(0);
    for piece in bytes.chunks(4096) {
        reader.room()[..piece.len()].copy_from_slice(piece);
        reader.fill(piece.len());
        loop {
            let item = match reader.item() {
                Ok(Some(item)) => item,
                Ok(None) => break,
                Err(error) => {
                    assert_eq!(trust, Trust::Damaged, "{}: {error}", part.name);
                    found.is_damaged = true;
                    return false;
                }
            };
            match item {
                Item::Command { args, .. } => {
                    assert_eq!((args.len(), args.get(0)), (3, b"SET".as_slice()));
                    let text = str::from_utf8(args.get(2)).unwrap();
                    let number: u64 = text.parse().unwrap();
                    if part.role == Role::Increment {
                        assert_eq!(number, found.number + 1, "in {}", part.name);
                    }
                    found.number = number;
                }
                Item::Time(_) => found.times += 1,
                Item::Sealed(_) => {}
                Item::Note(note) => {
                    // Nobody has written it: what was not written at all looks like this by chance.
                    assert_eq!(trust, Trust::Damaged, "{}", note.escape_ascii());
                    found.is_damaged = true;
                }
            }
        }
    }
    found.seals += reader.seals();
    let tail = match reader.end() {
        Ok(tail) => tail,
        Err(error) => {
            assert_eq!(trust, Trust::Damaged, "{}: {error}", part.name);
            found.is_damaged = true;
            return false;
        }
    };
    found.cut = tail.cut();
    let (seal, is_sealed) = reader.sealer().state();
    found.end = LogEnd {
        len: found.cut.unwrap_or(bytes.len() as u64),
        seal,
        is_sealed,
    };
    found.cut.is_none()
}

/// A record, some longer than others.
pub(super) fn record(number: u64) -> Vec<u8> {
    let mut bytes = Vec::new();
    let key = "k".repeat(1 + usize::try_from(number % 37).unwrap());
    write::command(&mut bytes, ["SET", &key, &number.to_string()]);
    bytes
}

/// A file that has the whole dataset.
pub(super) fn whole(format: Format, number: u64) -> Vec<u8> {
    match format {
        Format::Commands => record(number),
        Format::Rdb => {
            let options = Options {
                compression: Compression::Off,
                summing: Summing::On,
            };
            let mut writer = Writer::new(Vec::new(), options);
            let Ok(()) = writer.begin();
            let Ok(()) = writer.aux(b"number", format!("<{number}>").as_bytes());
            let Ok((bytes, _)) = writer.finish();
            bytes
        }
    }
}

/// The number that [`whole`] has put into a snapshot; zero in one that the member has made.
fn snapshot_number(bytes: &[u8]) -> u64 {
    let text = String::from_utf8_lossy(bytes);
    let Some((_, rest)) = text.split_once('<') else {
        return 0;
    };
    rest.split_once('>').unwrap().0.parse().unwrap()
}

fn make(disk: &mut dyn Disk, path: &Path, mut bytes: &[u8]) -> DiskResult<()> {
    let file = disk.open(path, Open::Create)?;
    while !bytes.is_empty() {
        let taken = disk.write(file, bytes)?;
        bytes = &bytes[taken..];
    }
    disk.sync(file, Sync::All)?;
    disk.close(file);
    Ok(())
}
