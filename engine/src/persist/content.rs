//! The dataset as a file: a snapshot in RDB, or the commands that make it.
//!
//! Shape: [`write_file`] writes under a temporary name, makes it safe and gives it its own name, so
//! that what stands there is whole whenever the power goes. It is run by a child process or in place;
//! the disk and whoever wants to hear of progress are its arguments.

use crate::base::DbIndex;
use crate::base::double::DoubleText;
use crate::codec::aof::write as log;
use crate::codec::rdb::{Options, Sink, Writer};
use crate::config::{MaxmemoryPolicy, REDIS_VERSION};
use crate::keyspace::{Entry, Keyspace, Shown};
use crate::seam::disk::{Disk, DiskError, DiskResult, FileId, Open, Sync};
use crate::seam::host::Teller;
use crate::seam::persistence::{Format, Purpose, Save};
use crate::value::hash::HashRef;
use crate::value::list::ListRef;
use crate::value::set::SetRef;
use crate::value::string::Text;
use crate::value::zset::ZsetRef;
use crate::value::{Item, Kind, kind_of, with_text};

/// Elements of a value that one command of a base makes.
const ITEMS_PER_COMMAND: usize = 64;
/// Bytes of commands that are written together.
const CHUNK_BYTES: usize = 256 << 10;

/// How a dataset is written, and what is said of it.
#[derive(Clone, Copy, Debug)]
pub(super) struct Manner {
    /// How a snapshot is written.
    pub(super) options: Options,
    /// When, in unix seconds.
    pub(super) unix_secs: u64,
    /// Bytes in use.
    pub(super) used_memory: u64,
    /// Decides what is said of how keys were used.
    pub(super) policy: MaxmemoryPolicy,
    /// Whether a base of commands begins with the time.
    pub(super) timestamps: bool,
    /// See the directive `rdb-key-save-delay`.
    pub(super) key_delay_us: i32,
}

/// Writes `keyspace` into the file that `save` describes. Returns its length. Where the job owns its
/// memory the keyspace is empty then.
///
/// # Errors
/// Those of the disk; there is no file of either name then that was not there before.
pub(super) fn write_file(
    disk: &mut dyn Disk,
    save: &Save,
    keyspace: &mut Keyspace,
    manner: &Manner,
    teller: &mut dyn Teller,
) -> DiskResult<u64> {
    let file = disk.open(&save.temporary, Open::Create)?;
    let sink = FileSink {
        disk,
        file,
        sync_bytes: save.sync_bytes.unwrap_or(u64::MAX),
        unsynced: 0,
        written: 0,
    };
    let shown = match teller.owns_memory() {
        true => Shown::GivenUp,
        false => Shown::Kept,
    };
    let mut dataset = Dataset { keyspace, shown };
    let mut counted = Counted::new(teller, manner.key_delay_us);
    let written = match save.format {
        Format::Rdb => write_snapshot(sink, save.purpose, &mut dataset, manner, &mut counted),
        Format::Commands => write_commands(sink, &mut dataset, manner, &mut counted),
    };
    counted.finish();
    let done = written.and_then(|written| disk.sync(file, Sync::All).map(|()| written));
    disk.close(file);
    let done =
        done.and_then(|written| disk.rename(&save.temporary, &save.target).map(|()| written));
    if done.is_err() {
        // Whatever is left of it is of no use; that it cannot be removed is no news beside the error.
        drop(disk.remove(&save.temporary));
    }
    let written = done?;
    if let Some(folder) = save.target.parent() {
        disk.sync_folder(folder)?;
    }
    Ok(written)
}

/// A file that is written from its start.
struct FileSink<'d> {
    disk: &'d mut dyn Disk,
    file: FileId,
    sync_bytes: u64,
    unsynced: u64,
    written: u64,
}

impl Sink for FileSink<'_> {
    type Error = DiskError;

    fn chunk(&mut self, mut bytes: &[u8]) -> DiskResult<()> {
        while !bytes.is_empty() {
            let taken = self.disk.write(self.file, bytes)?;
            bytes = &bytes[taken..];
            self.unsynced += taken as u64;
            self.written += taken as u64;
        }
        if self.unsynced >= self.sync_bytes {
            self.unsynced = 0;
            self.disk.sync(self.file, Sync::Data)?;
        }
        Ok(())
    }
}

/// Counts keys, and pauses as tests ask for.
struct Counted<'t> {
    teller: &'t mut dyn Teller,
    keys: u64,
    /// Microseconds of a pause, and after how many keys there is one; 0 is never.
    pause_us: u64,
    every: u64,
}

/// Keys after which progress is told.
const TOLD_KEYS: u64 = 1024;

impl<'t> Counted<'t> {
    fn new(teller: &'t mut dyn Teller, delay_us: i32) -> Self {
        let amount = u64::from(delay_us.unsigned_abs());
        let (pause_us, every) = match delay_us {
            0 => (0, 0),
            1.. => (amount, 1),
            _ => (1, amount),
        };
        Self {
            teller,
            keys: 0,
            pause_us,
            every,
        }
    }

    #[inline]
    fn key(&mut self) {
        self.keys += 1;
        if self.keys.is_multiple_of(TOLD_KEYS) || self.every > 0 {
            self.slow();
        }
    }

    #[cold]
    fn slow(&mut self) {
        self.teller.written(self.keys);
        if self.every > 0 && self.keys.is_multiple_of(self.every) {
            self.teller.pause(self.pause_us);
        }
    }

    fn finish(self) {
        self.teller.written(self.keys);
    }
}

/// What is written, and what becomes of it meanwhile.
struct Dataset<'k> {
    keyspace: &'k mut Keyspace,
    shown: Shown,
}

impl Dataset<'_> {
    /// Databases that have keys.
    fn databases(&self) -> Vec<DbIndex> {
        let all = (0..).map(DbIndex).zip(self.keyspace.iter());
        all.filter(|(_, db)| !db.is_empty())
            .map(|(index, _)| index)
            .collect()
    }

    /// Shows every record of one database, expired ones included, until `visit` fails.
    fn each(
        &mut self,
        index: DbIndex,
        visit: &mut dyn FnMut(Entry<'_>) -> DiskResult<()>,
    ) -> DiskResult<()> {
        self.keyspace.walk(index, self.shown, visit)
    }
}

fn write_snapshot(
    sink: FileSink<'_>,
    purpose: Purpose,
    dataset: &mut Dataset<'_>,
    manner: &Manner,
    counted: &mut Counted<'_>,
) -> DiskResult<u64> {
    let mut writer = Writer::new(sink, manner.options);
    writer.begin()?;
    let is_base = u8::from(purpose == Purpose::Base);
    let fields = [
        ("redis-ver", REDIS_VERSION.to_owned()),
        ("redis-bits", usize::BITS.to_string()),
        ("ctime", manner.unix_secs.to_string()),
        ("used-mem", manner.used_memory.to_string()),
        ("aof-base", is_base.to_string()),
    ];
    for (name, value) in fields {
        writer.aux(name.as_bytes(), value.as_bytes())?;
    }
    for index in dataset.databases() {
        let usage_of = dataset.keyspace.usage_under(manner.policy);
        let db = dataset.keyspace.peek_db(index);
        writer.select(
            u64::from(index.0),
            db.len() as u64,
            db.with_deadline() as u64,
        )?;
        dataset.each(index, &mut |entry| {
            counted.key();
            writer.key(entry, usage_of(entry))
        })?;
    }
    writer.finish().map(|(_, written)| written)
}

fn write_commands(
    sink: FileSink<'_>,
    dataset: &mut Dataset<'_>,
    manner: &Manner,
    counted: &mut Counted<'_>,
) -> DiskResult<u64> {
    let mut out = CommandStream {
        sink,
        bytes: Vec::new(),
        failure: None,
    };
    if manner.timestamps {
        let time = i64::try_from(manner.unix_secs).unwrap_or(i64::MAX);
        log::timestamp(&mut out.bytes, time);
    }
    for index in dataset.databases() {
        log::select(&mut out.bytes, index.0);
        dataset.each(index, &mut |entry| {
            counted.key();
            push_key(&mut out, entry);
            out.failure.take().map_or(Ok(()), Err)
        })?;
    }
    out.sink.chunk(&out.bytes)?;
    Ok(out.sink.written)
}

/// Commands on their way to the file. What cannot be written is thrown away, so that a large value
/// takes no more memory than a small one.
struct CommandStream<'d> {
    sink: FileSink<'d>,
    bytes: Vec<u8>,
    failure: Option<DiskError>,
}

impl CommandStream<'_> {
    /// Hands out what has come together, if it is a chunk.
    #[inline]
    fn settle(&mut self) {
        if self.bytes.len() >= CHUNK_BYTES {
            self.flush();
        }
    }

    #[cold]
    fn flush(&mut self) {
        if self.failure.is_none() {
            self.failure = self.sink.chunk(&self.bytes).err();
        }
        self.bytes.clear();
        self.bytes.shrink_to(2 * CHUNK_BYTES);
    }
}

/// The commands that make one key.
fn push_key(out: &mut CommandStream<'_>, entry: Entry<'_>) {
    let key = entry.key();
    match kind_of(entry) {
        Kind::String => {
            if let Some(text) = Text::of(entry) {
                let out = &mut out.bytes;
                log::command(out, [b"SET".as_slice(), key, text.as_bytes()]);
            }
        }
        Kind::List => {
            if let Some(list) = ListRef::of(entry) {
                let mut batch = Commands::new(out, "RPUSH", key, list.len(), 1);
                list.range(0..list.len(), |item| batch.item(&[item]));
            }
        }
        Kind::Set => {
            if let Some(set) = SetRef::of(entry) {
                let mut batch = Commands::new(out, "SADD", key, set.len(), 1);
                set.visit(|member| {
                    batch.item(&[member]);
                    true
                });
            }
        }
        Kind::Hash => {
            if let Some(hash) = HashRef::of(entry) {
                let mut batch = Commands::new(out, "HMSET", key, hash.len(), 2);
                hash.each(|field, value| batch.item(&[field, value]));
            }
        }
        Kind::SortedSet => {
            if let Some(zset) = ZsetRef::of(entry) {
                let mut batch = Commands::new(out, "ZADD", key, zset.len(), 2);
                zset.visit(&mut |member, score| {
                    let score = DoubleText::of(score);
                    batch.item(&[Item::Bytes(score.as_bytes()), member]);
                    true
                });
            }
        }
    }
    if let Some(deadline) = entry.deadline() {
        let deadline = deadline.to_string();
        let words = [b"PEXPIREAT".as_slice(), key, deadline.as_bytes()];
        log::command(&mut out.bytes, words);
    }
    out.settle();
}

/// Commands of one name and key, with so many items each.
struct Commands<'o, 'd> {
    out: &'o mut CommandStream<'d>,
    name: &'static str,
    key: &'o [u8],
    /// Items still to come, and how many words one has.
    left: usize,
    words: usize,
    /// Items that the present command still takes.
    room: usize,
}

impl<'o, 'd> Commands<'o, 'd> {
    fn new(
        out: &'o mut CommandStream<'d>,
        name: &'static str,
        key: &'o [u8],
        items: usize,
        words: usize,
    ) -> Self {
        Self {
            out,
            name,
            key,
            left: items,
            words,
            room: 0,
        }
    }

    fn item(&mut self, words: &[Item<'_>]) {
        let out = &mut self.out.bytes;
        if self.room == 0 {
            self.room = self.left.min(ITEMS_PER_COMMAND);
            log::header(out, 2 + self.room * self.words);
            log::bulk(out, self.name.as_bytes());
            log::bulk(out, self.key);
        }
        self.room -= 1;
        self.left -= 1;
        for word in words {
            with_text(*word, |text| log::bulk(out, text));
        }
        self.out.settle();
    }
}
