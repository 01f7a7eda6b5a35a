//! What it costs to write and to read snapshots, without a disk.
//!
//!     cargo run --profile quick -p dovetail-engine --example rdb_bench -- [KEYS]
//!     cargo run --profile quick -p dovetail-engine --example rdb_bench -- FILE [COPY]
//!
//! With a number, that many keys with values of 16 bytes, of 100 bytes that compress and that do
//! not, and small hashes are written into memory and read back. With a file, it is read, told about,
//! and perhaps written again under another name.
#![expect(
    clippy::disallowed_methods,
    clippy::print_stdout,
    reason = "this is the world outside of the engine, which may look at clocks and print"
)]

use dovetail_engine::base::{DbIndex, Micros, Now};
use dovetail_engine::codec::rdb::{
    Batch, Checksum, Compression, Event, Options, Reader, Rules, Sink, Summing, Verify, Writer,
    kinds,
};
use dovetail_engine::config::Encodings;
use dovetail_engine::keyspace::{Deadline, Expired, Key, Keyspace};
use dovetail_engine::value::restore::Limits;
use dovetail_engine::value::string::{TAG_WHOLE, body_of};
use dovetail_memory::HeapPages;
use std::collections::BTreeMap;
use std::error::Error;
use std::fs;
use std::rc::Rc;
use std::time::{SystemTime, UNIX_EPOCH};

const DB: DbIndex = DbIndex(0);

fn main() -> Result<(), Box<dyn Error>> {
    let words: Vec<String> = std::env::args().skip(1).collect();
    match words.first() {
        Some(word) if word.parse::<u32>().is_err() => look(word, words.get(1)),
        word => {
            let keys = word.map_or(Ok(1_000_000), |word| word.parse())?;
            for (name, compression, value) in CASES {
                measure(name, keys, *compression, *value)?;
            }
            Ok(())
        }
    }
}

type Value = fn(u32) -> Vec<u8>;

const CASES: &[(&str, Compression, Value)] = &[
    ("str16", Compression::On, |n| {
        format!("value:{n:010}").into_bytes()
    }),
    ("ints", Compression::On, |n| n.to_string().into_bytes()),
    ("str100 packed", Compression::On, |n| {
        format!("{n:010} some words that say the same again and again, again and again, and so on and on, {n}")
            .into_bytes()
    }),
    ("str100 noise", Compression::On, noise),
    ("str100 plain", Compression::Off, noise),
];

fn noise(n: u32) -> Vec<u8> {
    let mut state = u64::from(n) + 1;
    let mut bytes = Vec::new();
    while bytes.len() < 100 {
        state = state
            .wrapping_mul(6_364_136_223_846_793_005)
            .wrapping_add(1);
        bytes.extend_from_slice(&(state >> 20).to_le_bytes()[..4]);
    }
    bytes
}

fn now() -> Now {
    let span = SystemTime::now().duration_since(UNIX_EPOCH);
    Now {
        monotonic: Micros(1),
        unix_us: u64::try_from(span.unwrap_or_default().as_micros()).unwrap_or(0),
    }
}

fn new_keyspace(databases: u32) -> Keyspace {
    let mut keyspace = Keyspace::new(databases, 7, Rc::new(HeapPages));
    keyspace.set_now(now());
    keyspace
}

fn rules(keyspace: &Keyspace) -> Rules {
    Rules {
        limits: Limits::of(&Encodings::default(), keyspace.hasher()),
        verify: Verify::Yes,
        batch: 32,
    }
}

fn measure(
    name: &str,
    keys: u32,
    compression: Compression,
    value: Value,
) -> Result<(), Box<dyn Error>> {
    let mut keyspace = new_keyspace(1);
    let hasher = keyspace.hasher().clone();
    for n in 0..keys {
        let (key, value) = (format!("key:{n:012}"), value(n));
        let key = Key::new(key.as_bytes(), &hasher);
        let db = keyspace.db(DB);
        db.put(&key, TAG_WHOLE, body_of(&value), Deadline::Clear);
    }
    let began = spent();
    let file = write(&keyspace, Vec::new(), compression)?;
    let wrote = spent() - began;
    drop(keyspace);
    let began = spent();
    let mut scanned = 0_u64;
    let mut reader = Reader::new(file.as_slice(), rules(&new_keyspace(1)));
    loop {
        match reader.next()? {
            Event::Keys(batch) => scanned += batch.len() as u64,
            Event::End(_) => break,
            _ => {}
        }
    }
    let scan = spent() - began;
    let mut keyspace = new_keyspace(1);
    let began = spent();
    let loaded = read(&file, &mut keyspace, |_, _| {})?;
    let read = spent() - began;
    assert_eq!((loaded, scanned), (keys.into(), keys.into()), "all keys");
    let each = |nanos: u64| nanos / u64::from(keys);
    println!(
        "{name:16} {:4} B/key  write {:4} ns/key  decode {:4} ns/key  load {:4} ns/key",
        file.len() / keys as usize,
        each(wrote),
        each(scan),
        each(read)
    );
    Ok(())
}

/// Nanoseconds that the processor has spent on this program.
fn spent() -> u64 {
    let text = fs::read_to_string("/proc/self/schedstat").unwrap_or_default();
    let first = text.split(' ').next().and_then(|word| word.parse().ok());
    first.unwrap_or(0)
}

/// Writes all databases.
fn write<S: Sink>(keyspace: &Keyspace, sink: S, compression: Compression) -> Result<S, S::Error> {
    let options = Options {
        compression,
        summing: Summing::On,
    };
    let mut writer = Writer::new(sink, options);
    writer.begin()?;
    writer.aux(b"redis-ver", b"7.0.15")?;
    for (index, db) in keyspace.iter().enumerate().filter(|(_, db)| !db.is_empty()) {
        writer.select(index as u64, db.len() as u64, db.with_deadline() as u64)?;
        let mut cursor = 0;
        let mut result = Ok(());
        loop {
            cursor = db.store().scan(cursor, &mut |entry| {
                if result.is_ok() {
                    result = writer.key(entry, None);
                }
            });
            if cursor == 0 {
                break;
            }
        }
        result?;
    }
    writer.finish().map(|(sink, _)| sink)
}

/// Reads all keys; returns how many.
fn read(
    file: &[u8],
    keyspace: &mut Keyspace,
    mut see: impl FnMut(DbIndex, &Batch),
) -> Result<u64, Box<dyn Error>> {
    let mut reader = Reader::new(file, rules(keyspace));
    let (mut db, mut loaded) = (DB, 0);
    loop {
        match reader.next()? {
            Event::Select(index) => db = DbIndex(u32::try_from(index)?),
            Event::Resize { keys, .. } => keyspace.expect_keys(db, keys, file.len() as u64),
            Event::Keys(batch) => {
                see(db, batch);
                loaded += keyspace.load(db, batch, Expired::Kept)?.loaded;
            }
            Event::End(checksum) => {
                assert_ne!(checksum, Checksum::Unverified, "it was asked for");
                return Ok(loaded);
            }
            _ => {}
        }
    }
}

/// Tells what is in a file, and perhaps writes it again.
fn look(path: &str, copy: Option<&String>) -> Result<(), Box<dyn Error>> {
    let mut keyspace = new_keyspace(64);
    let mut counts: BTreeMap<u8, u64> = BTreeMap::new();
    let file = fs::read(path)?;
    let began = spent();
    let loaded = read(&file, &mut keyspace, |_, batch| {
        for index in 0..batch.len() {
            *counts.entry(batch.kind(index)).or_default() += 1;
        }
    })?;
    println!(
        "{loaded} keys in {} ns of CPU from {} bytes",
        spent() - began,
        file.len()
    );
    for (kind, count) in counts {
        println!("{count:8} {}", kinds::name(kind));
    }
    if let Some(copy) = copy {
        fs::write(copy, write(&keyspace, Vec::new(), Compression::On)?)?;
    }
    Ok(())
}
