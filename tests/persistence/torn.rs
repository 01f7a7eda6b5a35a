//! A log that is cut at any byte is, when it is loaded, what its whole records say.

use std::collections::{BTreeMap, BTreeSet};
use std::fs;

use anyhow::{Context, Result, ensure};
use dovetail_tests::durable::{
    Contents, await_no_child, boundaries, contents, copy_with, ensure_same, last_increment,
    log_folder, revive, stop,
};
use dovetail_tests::oracle::launch_redis7;
use dovetail_tests::process::TempDir;
use dovetail_tests::stage::is_long;
use dovetail_tests::{Launch, Stage, one_poller};

use crate::dataset::LATER;

/// How many bytes of the end are gone through.
const REACH: usize = 1000;
/// Of the bytes that are not beside a boundary, how many are left out in a short run.
const STEP: usize = 37;

/// What stands behind the base, in small records of all kinds.
const TAIL: &[&str] = &[
    "SET string value",
    "INCR counter",
    "MULTI",
    "SET first 1",
    "SELECT 3",
    "RPUSH list a b c",
    "SELECT 0",
    "SET second 2",
    "EXEC",
    "RPUSH list 1 2 3",
    "LPOP list",
    "SADD set a b c 1 2 3",
    "SPOP set 2",
    "SREM set 1",
    "HSET hash f 1 g 2",
    "HINCRBY hash f 41",
    "SELECT 7",
    "ZADD zset 1 a 2.5 b",
    "ZINCRBY zset 0.5 a",
    "SET binary *3|$3|SET|$1|a|$1|b|",
    "MULTI",
    "INCR counter",
    "INCR counter",
    "DEL string",
    "EXEC",
    "SELECT 0",
    "APPEND string more",
    "MULTI",
    "DEL first",
    "SET second 3",
    "EXEC",
    "INCR counter",
    "SET late v",
    "DEL hash",
    "RPUSH list z",
];

/// A folder with a log behind a base.
pub(crate) struct Written {
    pub(crate) dir: TempDir,
    /// The last increment's name.
    pub(crate) name: String,
    /// And its bytes.
    pub(crate) log: Vec<u8>,
}

/// Writes one, in small records of all kinds.
pub(crate) fn write(launch: &Launch) -> Result<Written> {
    let server = launch.start()?;
    let mut client = server.client()?;
    client.expect("SET base 1", "+OK\r\n")?;
    client.expect("RPUSH list base", ":1\r\n")?;
    client.expect(
        "BGREWRITEAOF",
        "+Background append only file rewriting started\r\n",
    )?;
    await_no_child(&mut client)?;
    for words in TAIL {
        // Line ends in a value look like records from within.
        let words = words.replace('|', "\r\n");
        let reply = client.say(&words)?;
        ensure!(!reply.is_error(), "{words}: {reply}");
    }
    client.expect(&format!("PEXPIREAT late {LATER}"), ":1\r\n")?;
    let dir = stop(server)?;
    let path = last_increment(dir.path())?;
    let log = fs::read(&path)?;
    ensure!(log.len() > REACH, "only {} bytes", log.len());
    let name = path.file_name().context("its name")?;
    Ok(Written {
        name: name.to_string_lossy().into_owned(),
        log,
        dir,
    })
}

impl Written {
    /// A folder in which the log is `bytes`.
    fn with(&self, bytes: &[u8]) -> Result<TempDir> {
        copy_with(
            self.dir.path(),
            &format!("appendonlydir/{}", self.name),
            bytes,
        )
    }

    /// What a real server makes of each of these beginnings.
    fn read_by_others(&self, ends: &[usize]) -> Result<BTreeMap<usize, Contents>> {
        let launch = launch_redis7()?.option("appendonly", "yes");
        let mut all = BTreeMap::new();
        for end in ends {
            let server = revive(&launch, self.with(&self.log[..*end])?)?;
            all.insert(*end, contents(&mut server.client()?)?);
        }
        Ok(all)
    }
}

/// The bytes at which to cut: all at a boundary and before it, and of the others some or all.
fn cuts(length: usize, ends: &[usize]) -> BTreeSet<usize> {
    let from = length - REACH;
    let step = if is_long() { 1 } else { STEP };
    let mut cuts: BTreeSet<usize> = (from..=length).step_by(step).collect();
    for end in ends.iter().filter(|end| **end > from) {
        cuts.extend([end - 1, *end]);
    }
    cuts
}

/// Cuts the log everywhere, puts `behind` there, and starts.
fn cut_everywhere(launch: &Launch, behind: &[u8]) -> Result<()> {
    let launch = launch
        .clone()
        .option("appendonly", "yes")
        .option("aof-load-truncated", "yes");
    let written = write(&launch)?;
    let log = &written.log;
    let ends = boundaries(log)?;
    let near: Vec<usize> = {
        let from = ends.partition_point(|end| *end <= log.len() - REACH) - 1;
        ends[from..].to_vec()
    };
    ensure!(near.len() > 15, "{} records", near.len());
    let expected = written.read_by_others(&near)?;
    for cut in cuts(log.len(), &near) {
        let end = near[near.partition_point(|end| *end <= cut) - 1];
        let check = || -> Result<()> {
            let bytes = [&log[..cut], behind].concat();
            let server = revive(&launch, written.with(&bytes)?)?;
            ensure_same(&expected[&end], &contents(&mut server.client()?)?)?;
            let kept = fs::read(log_folder(server.dir()).join(&written.name))?;
            ensure!(
                kept == log[..end],
                "of {} bytes {} are kept, not {end}",
                bytes.len(),
                kept.len()
            );
            Ok(())
        };
        check().with_context(|| format!("cut at {cut} of {}", log.len()))?;
    }
    Ok(())
}

fn a_log_cut_anywhere_is_its_whole_records(stage: &Stage) -> Result<()> {
    cut_everywhere(&stage.launch().option("aof-use-rdb-preamble", "no"), &[])
}

fn a_log_with_times_cut_anywhere_is_its_whole_records(stage: &Stage) -> Result<()> {
    cut_everywhere(&stage.launch().option("aof-timestamp-enabled", "yes"), &[])
}

fn a_sealed_log_cut_anywhere_is_its_whole_records(stage: &Stage) -> Result<()> {
    cut_everywhere(&stage.launch().option("aof-checksum", "yes"), &[])
}

/// A loss of power leaves a file's length and none of its last bytes.
fn a_log_that_ends_in_zeros_anywhere_is_its_whole_records(stage: &Stage) -> Result<()> {
    let launch = stage.launch().option("aof-use-rdb-preamble", "no");
    cut_everywhere(&launch, &[0; 4097])
}

fn a_sealed_log_that_ends_in_zeros_anywhere_is_its_whole_records(stage: &Stage) -> Result<()> {
    cut_everywhere(&stage.launch().option("aof-checksum", "yes"), &[0; 100])
}

one_poller!(
    a_log_cut_anywhere_is_its_whole_records,
    a_log_with_times_cut_anywhere_is_its_whole_records,
    a_sealed_log_cut_anywhere_is_its_whole_records,
    a_log_that_ends_in_zeros_anywhere_is_its_whole_records,
    a_sealed_log_that_ends_in_zeros_anywhere_is_its_whole_records,
);
