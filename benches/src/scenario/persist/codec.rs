//! What our codec of snapshots costs alone: no server, no disk, this thread.
//!
//! Keys are written from a keyspace into memory, decoded, and loaded into another keyspace. The least
//! round counts: whatever disturbs adds to it.

use std::collections::BTreeMap;
use std::fs;
use std::path::Path;
use std::rc::Rc;
use std::thread;
use std::time::{Duration, SystemTime, UNIX_EPOCH};

use anyhow::{Context as _, Result, anyhow, bail, ensure};
use dovetail_engine::base::{DbIndex, Micros, Now};
use dovetail_engine::codec::rdb::{
    Batch, Checksum, Compression, Event, Options, Reader, Rules, Summing, Verify, Writer, kinds,
};
use dovetail_engine::config::Encodings;
use dovetail_engine::keyspace::{Deadline, Expired, Key, Keyspace};
use dovetail_engine::value::restore::Limits;
use dovetail_engine::value::string::{TAG_WHOLE, body_of};
use dovetail_memory::HeapPages;
use serde::Serialize;

use super::Plan;
use crate::measure::cpu::own_run_ns;
use crate::measure::spread::Figure;
use crate::report::persist::codec_table;
use crate::report::say;

const DB: DbIndex = DbIndex(0);

/// Databases of a keyspace that somebody's file is read into.
const DATABASES: u32 = 64;

/// Values of one kind, and what they cost.
#[derive(Clone, Debug, Serialize)]
pub(crate) struct Case {
    /// What they are.
    pub(crate) name: &'static str,
    /// Bytes of the snapshot per key.
    pub(crate) bytes_per_key: f64,
    /// Nanoseconds per key to write it.
    pub(crate) write_ns: Figure,
    /// Nanoseconds per key to decode it, and drop what was decoded.
    pub(crate) decode_ns: Figure,
    /// Nanoseconds per key to decode it into a keyspace.
    pub(crate) load_ns: Figure,
}

type Value = fn(u32) -> Vec<u8>;

const CASES: &[(&str, Compression, Value)] = &[
    ("str16", Compression::On, |n| {
        format!("value:{n:010}").into_bytes()
    }),
    ("ints", Compression::On, |n| n.to_string().into_bytes()),
    ("str100 that compress", Compression::On, |n| {
        let words = "some words that say the same again and again, again and again, and so on";
        format!("{n:010} {words} and on, {n:08}").into_bytes()
    }),
    ("str100 that do not", Compression::On, noise),
    ("str100 uncompressed", Compression::Off, noise),
];

/// A hundred bytes without a pattern, another hundred for each number.
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

/// Measures and prints.
pub(super) fn run(plan: &Plan) -> Result<Vec<Case>> {
    let mut cases = Vec::new();
    for &(name, compression, value) in CASES {
        let keyspace = filled(plan.keys, value);
        let rounds = (0..plan.rounds).map(|_| measure(&keyspace, plan.keys, compression));
        let rounds = rounds.collect::<Result<Vec<_>>>()?;
        let figure = |of: fn(&Round) -> u64| {
            let each = |round: &Round| of(round) as f64 / f64::from(plan.keys);
            Figure::of(rounds.iter().map(each))
        };
        cases.push(Case {
            name,
            bytes_per_key: figure(|round| round.bytes).median,
            write_ns: figure(|round| round.write_ns),
            decode_ns: figure(|round| round.decode_ns),
            load_ns: figure(|round| round.load_ns),
        });
    }
    say(&codec_table(&cases, plan.keys));
    if let Some(path) = &plan.file {
        say(&described(path)?);
    }
    Ok(cases)
}

/// One measurement, over all keys.
struct Round {
    bytes: u64,
    write_ns: u64,
    decode_ns: u64,
    load_ns: u64,
}

fn measure(keyspace: &Keyspace, keys: u32, compression: Compression) -> Result<Round> {
    let (file, write_ns) = timed(|| write(keyspace, compression))?;
    let (decoded, decode_ns) = timed(|| decode(&file))?;
    let (loaded, load_ns) = timed(|| {
        let mut keyspace = new_keyspace(1);
        let loaded = load(&file, &mut keyspace, &mut |_| {})?;
        Ok((loaded, keyspace))
    })?;
    ensure!(decoded == u64::from(keys), "{decoded} keys of {keys}");
    ensure!(loaded.0 == u64::from(keys), "{} keys of {keys}", loaded.0);
    Ok(Round {
        bytes: file.len() as u64,
        write_ns,
        decode_ns,
        load_ns,
    })
}

/// What `work` makes, and the CPU time of this thread that it took.
fn timed<T>(work: impl FnOnce() -> Result<T>) -> Result<(T, u64)> {
    let begin = spent();
    let made = work()?;
    Ok((made, spent().saturating_sub(begin)))
}

/// The CPU time of this thread so far. The account of a running thread is some milliseconds old; it
/// is brought up to date when the thread sleeps.
fn spent() -> u64 {
    thread::sleep(Duration::from_micros(1));
    own_run_ns()
}

fn now() -> Now {
    let age = SystemTime::now().duration_since(UNIX_EPOCH);
    Now {
        monotonic: Micros(1),
        unix_us: u64::try_from(age.unwrap_or_default().as_micros()).unwrap_or(0),
    }
}

fn new_keyspace(databases: u32) -> Keyspace {
    let mut keyspace = Keyspace::new(databases, 8, Rc::new(HeapPages));
    keyspace.set_now(now());
    keyspace
}

fn filled(keys: u32, value: Value) -> Keyspace {
    let mut keyspace = new_keyspace(1);
    let hasher = keyspace.hasher().clone();
    for n in 0..keys {
        let (key, value) = (format!("key:{n:012}"), value(n));
        let key = Key::new(key.as_bytes(), &hasher);
        let db = keyspace.db(DB);
        db.put(&key, TAG_WHOLE, body_of(&value), Deadline::Clear);
    }
    keyspace
}

fn rules(keyspace: &Keyspace) -> Rules {
    Rules {
        limits: Limits::of(&Encodings::default(), keyspace.hasher()),
        verify: Verify::Yes,
        batch: 32,
    }
}

/// All databases as a snapshot.
fn write(keyspace: &Keyspace, compression: Compression) -> Result<Vec<u8>> {
    let options = Options {
        compression,
        summing: Summing::On,
    };
    let mut writer = Writer::new(Vec::new(), options);
    writer.begin()?;
    writer.aux(b"redis-ver", b"7.0.15")?;
    for (index, db) in keyspace.iter().enumerate().filter(|(_, db)| !db.is_empty()) {
        writer.select(index as u64, db.len() as u64, db.with_deadline() as u64)?;
        db.store()
            .each_in_memory_order(&mut |entry| writer.key(entry, None))?;
    }
    Ok(writer.finish()?.0)
}

/// Reads a snapshot and keeps nothing of it; returns how many keys there were.
fn decode(file: &[u8]) -> Result<u64> {
    let mut decoded = 0;
    let mut reader = Reader::new(file, rules(&new_keyspace(1)));
    loop {
        match reader.next().map_err(|fault| anyhow!("{fault:?}"))? {
            Event::Keys(batch) => decoded += batch.len() as u64,
            Event::End(_) => return Ok(decoded),
            _ => {}
        }
    }
}

/// Reads a snapshot into a keyspace; returns how many keys it has taken.
fn load(file: &[u8], keyspace: &mut Keyspace, see: &mut dyn FnMut(&Batch)) -> Result<u64> {
    let mut reader = Reader::new(file, rules(keyspace));
    let (mut db, mut loaded) = (DB, 0);
    loop {
        match reader.next().map_err(|fault| anyhow!("{fault:?}"))? {
            Event::Select(index) => {
                let index = u32::try_from(index).ok().filter(|&index| index < DATABASES);
                db = DbIndex(index.context("more databases than it can hold")?);
            }
            Event::Resize { keys, .. } => keyspace.expect_keys(db, keys, file.len() as u64),
            Event::Keys(batch) => {
                see(batch);
                let taken = keyspace.load(db, batch, Expired::Kept);
                loaded += taken.map_err(|fault| anyhow!("{fault:?}"))?.loaded;
            }
            Event::End(Checksum::Unverified) => bail!("the checksum was not looked at"),
            Event::End(_) => return Ok(loaded),
            _ => {}
        }
    }
}

/// What is in somebody's snapshot, and what it costs to load it.
fn described(path: &Path) -> Result<String> {
    let file = fs::read(path).with_context(|| format!("reading {}", path.display()))?;
    let mut counts: BTreeMap<&str, u64> = BTreeMap::new();
    let mut keyspace = new_keyspace(DATABASES);
    let (loaded, nanos) = timed(|| {
        load(&file, &mut keyspace, &mut |batch| {
            for index in 0..batch.len() {
                *counts.entry(kinds::name(batch.kind(index))).or_default() += 1;
            }
        })
    })?;
    let mut text = format!(
        "\n{}: {loaded} keys, {} bytes, loaded in {:.3} s of CPU",
        path.display(),
        file.len(),
        nanos as f64 / 1e9
    );
    for (kind, count) in counts {
        text.push_str(&format!("\n{count:10} {kind}"));
    }
    Ok(text)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn every_case_is_written_and_read() {
        for &(name, compression, value) in CASES {
            let round = measure(&filled(100, value), 100, compression).unwrap();
            assert!(round.bytes > 100, "{name}");
        }
    }

    #[test]
    fn file_is_told_about_by_its_kinds() {
        let directory = std::env::temp_dir().join(format!("codec-{}", std::process::id()));
        fs::write(
            &directory,
            write(&filled(3, noise), Compression::On).unwrap(),
        )
        .unwrap();
        let text = described(&directory).unwrap();
        fs::remove_file(&directory).unwrap();
        assert!(
            text.contains("3 keys") && text.contains("3 string"),
            "{text}"
        );
    }
}
