//! Files with flipped bits, missing and strange bytes: loaded as they were or refused by name,
//! never a crash, and never other data where a checksum covers it.

use std::fs;
use std::path::Path;

use anyhow::{Context, Result, ensure};
use dovetail_tests::durable::{
    Contents, Start, contents, copy_with, ensure_same, seed, start_in, stop,
};
use dovetail_tests::process::TempDir;
use dovetail_tests::stage::is_long;
use dovetail_tests::{Client, Launch, Stage, one_poller};
use rand::rngs::SmallRng;
use rand::{Rng, SeedableRng};

use crate::dataset::{LATER, PACKABLE, change, fill};
use crate::torn;

/// Limits at which a few elements are many.
const SMALL: &[(&str, &str)] = &[
    ("hash-max-listpack-entries", "3"),
    ("zset-max-listpack-entries", "3"),
    ("set-max-intset-entries", "3"),
    ("list-max-listpack-size", "3"),
];

/// A file of every type and form, as short as can be.
const FEW: &[&str] = &[
    "SET string value",
    "SET number 12345",
    "SET negative -1",
    "HSET hash f 1 g two",
    "HSET big-hash a 1 b 2 c 3 d 4",
    "SADD ints 1 2 70000",
    "SADD big-ints 1 2 3 4",
    "SADD set a b 1",
    "ZADD zset 1 a 2.5 b",
    "ZADD big-zset 1 a 2 b inf c -1.5 d",
    "RPUSH list a 1",
    "RPUSH long-list a b c d e f g 1 2 3",
    "SELECT 5",
    "SET elsewhere 1",
    "SELECT 0",
];

/// How far a checksum covers the file.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
enum Covered {
    /// Every bit: other data is a failure.
    Wholly,
    /// Every bit, but that something is missing at the end may not be seen.
    ButItsEnd,
    /// Nothing: whatever is loaded is right, if it can be read.
    Not,
}

/// One file that is damaged over and over.
struct Patient<'a> {
    launch: &'a Launch,
    dir: &'a Path,
    /// The file, seen from the folder.
    file: &'a str,
    covered: Covered,
    expected: Contents,
}

impl Patient<'_> {
    /// Damages the file so many times, in long runs twenty times as often and each of its bits.
    fn treat(&self, count: u32) -> Result<()> {
        let whole = fs::read(self.dir.join(self.file)).context(self.file.to_owned())?;
        let seed = seed()?;
        let mut rng = SmallRng::seed_from_u64(seed);
        let count = if is_long() { count * 20 } else { count };
        for round in 0..count {
            let (bytes, what) = damage(&whole, &mut rng);
            if self.is_believed(&whole, &bytes) {
                continue;
            }
            self.start(&bytes)
                .with_context(|| format!("seed {seed}, round {round}, {what}"))?;
        }
        if is_long() {
            for bit in 0..whole.len().min(1000) * 8 {
                let mut bytes = whole.clone();
                bytes[bit / 8] ^= 1 << (bit % 8);
                if self.is_believed(&whole, &bytes) {
                    continue;
                }
                self.start(&bytes)
                    .with_context(|| format!("bit {} of byte {}", bit % 8, bit / 8))?;
            }
        }
        Ok(())
    }

    /// Whether the damage says something else in words that are right: that a file ends here, or
    /// that one of the log's files has been replaced by another.
    fn is_believed(&self, whole: &[u8], bytes: &[u8]) -> bool {
        let is_cut = whole.starts_with(bytes) && bytes.ends_with(b"\n");
        let is_history = bytes.windows(6).any(|word| word == b"type h");
        self.covered == Covered::ButItsEnd && (is_cut || is_history)
    }

    fn start(&self, bytes: &[u8]) -> Result<()> {
        let dir = copy_with(self.dir, self.file, bytes)?;
        let mut server = match start_in(self.launch, dir)? {
            Start::Refused(refusal) => {
                refusal.ensure_orderly()?;
                let name = self.file.rsplit('/').next().unwrap_or_default();
                if name.ends_with("manifest") {
                    // It may be another file that is missing then.
                    ensure!(refusal.log.contains("appendonly"), "{}", refusal.log);
                    return Ok(());
                }
                return refusal.ensure_names(name, 0..bytes.len() as u64 + 1);
            }
            Start::Up(server) => server,
        };
        let mut client = server.client()?;
        if self.covered != Covered::Not {
            return ensure_same(&self.expected, &contents(&mut client)?);
        }
        // It can be read and written, whatever it is.
        contents(&mut client)?;
        let reply = client.say("SAVE")?;
        ensure!(!reply.is_error(), "SAVE: {reply}");
        server.assert_alive()
    }
}

/// The bytes with something done to them, and what that was.
fn damage(whole: &[u8], rng: &mut SmallRng) -> (Vec<u8>, String) {
    let mut bytes = whole.to_vec();
    let at = rng.random_range(0..bytes.len());
    let count = rng.random_range(1..20);
    let end = (at + count).min(bytes.len());
    let what = match rng.random_range(0..10) {
        0 => {
            bytes.truncate(at);
            format!("cut at {at}")
        }
        1 => {
            bytes[at..end].fill(0);
            format!("zeros from {at} to {end}")
        }
        2 => {
            drop(bytes.drain(at..end));
            format!("{at} to {end} left out")
        }
        3 => {
            let again = bytes[at..end].to_vec();
            drop(bytes.splice(at..at, again));
            format!("{at} to {end} twice")
        }
        4 | 5 => {
            let value = [0xff, 0x80, 0x81, 0xc3, 0x00, rng.random()][rng.random_range(0..6)];
            bytes[at] = value;
            format!("byte {at} made {value:#04x}")
        }
        _ => {
            let bit = rng.random_range(0..8);
            bytes[at] ^= 1 << bit;
            format!("bit {bit} of byte {at}")
        }
    };
    (bytes, what)
}

fn say_all(client: &mut Client) -> Result<()> {
    for words in FEW {
        let reply = client.say(words)?;
        ensure!(!reply.is_error(), "{words}: {reply}");
    }
    client.call(&["SET", "packed", &PACKABLE.repeat(2)])?;
    client.call(&["SET", "", "nameless"])?;
    for key in ["number", "zset"] {
        client.expect(&format!("PEXPIREAT {key} {LATER}"), ":1\r\n")?;
    }
    Ok(())
}

/// A folder with a snapshot of few keys, and what is in it.
fn few(launch: &Launch) -> Result<(TempDir, Contents)> {
    let small = SMALL.iter().fold(launch.clone(), |launch, (name, value)| {
        launch.option(name, value)
    });
    let server = small.start()?;
    let mut client = server.client()?;
    say_all(&mut client)?;
    let expected = contents(&mut client)?;
    client.expect("SAVE", "+OK\r\n")?;
    Ok((stop(server)?, expected))
}

fn a_damaged_snapshot_is_refused(stage: &Stage) -> Result<()> {
    let launch = stage.launch();
    let (dir, expected) = few(&launch)?;
    Patient {
        launch: &launch,
        dir: dir.path(),
        file: "dump.rdb",
        covered: Covered::Wholly,
        expected,
    }
    .treat(80)
}

fn a_damaged_snapshot_of_all_types_is_refused(stage: &Stage) -> Result<()> {
    let launch = stage.launch();
    let server = launch.start()?;
    let mut client = server.client()?;
    fill(&mut client)?;
    change(&server)?;
    let expected = contents(&mut client)?;
    client.expect("SAVE", "+OK\r\n")?;
    Patient {
        launch: &launch,
        dir: stop(server)?.path(),
        file: "dump.rdb",
        covered: Covered::Wholly,
        expected,
    }
    .treat(60)
}

/// Without a checksum nobody sees that a value has changed; but that lengths and forms make no
/// sense is seen.
fn a_damaged_snapshot_without_a_checksum_crashes_nothing(stage: &Stage) -> Result<()> {
    let launch = stage.launch().option("rdbchecksum", "no");
    let (dir, expected) = few(&launch)?;
    let bytes = fs::read(dir.path().join("dump.rdb"))?;
    ensure!(bytes.ends_with(&[0; 8]), "it has a checksum");
    Patient {
        launch: &launch,
        dir: dir.path(),
        file: "dump.rdb",
        covered: Covered::Not,
        expected,
    }
    .treat(150)
}

/// A log with one file damaged: the base, the increment or the manifest.
fn damaged_log(launch: &Launch, file: &str, covered: Covered, count: u32) -> Result<()> {
    let launch = launch.clone().option("appendonly", "yes");
    let written = torn::write(&launch)?;
    let (folder, name) = (written.dir.path(), written.name.as_str());
    let server = match start_in(&launch, copy_with(folder, "note", b"")?)? {
        Start::Up(server) => server,
        Start::Refused(refusal) => anyhow::bail!("{}", refusal.log),
    };
    let expected = contents(&mut server.client()?)?;
    let file = file.replace("INCR", name);
    Patient {
        launch: &launch,
        dir: folder,
        file: &format!("appendonlydir/{file}"),
        covered,
        expected,
    }
    .treat(count)
}

fn a_damaged_base_is_refused(stage: &Stage) -> Result<()> {
    let name = "appendonly.aof.2.base.rdb";
    damaged_log(&stage.launch(), name, Covered::Wholly, 60)
}

/// No line of it has a checksum; but what it says must be true of the folder.
fn a_damaged_manifest_loses_nothing(stage: &Stage) -> Result<()> {
    let name = "appendonly.aof.manifest";
    damaged_log(&stage.launch(), name, Covered::ButItsEnd, 80)
}

fn a_damaged_log_crashes_nothing(stage: &Stage) -> Result<()> {
    damaged_log(&stage.launch(), "INCR", Covered::Not, 80)
}

fn a_damaged_sealed_log_is_refused(stage: &Stage) -> Result<()> {
    let launch = stage.launch().option("aof-checksum", "yes");
    let strict = launch.option("aof-load-truncated", "no");
    damaged_log(&strict, "INCR", Covered::ButItsEnd, 80)
}

one_poller!(
    a_damaged_snapshot_is_refused,
    a_damaged_snapshot_of_all_types_is_refused,
    a_damaged_snapshot_without_a_checksum_crashes_nothing,
    a_damaged_base_is_refused,
    a_damaged_manifest_loses_nothing,
    a_damaged_log_crashes_nothing,
    a_damaged_sealed_log_is_refused,
);
