//! Folders as accidents, other servers and operators leave them: what is loaded, and what is
//! refused with a word on why.

mod endings;
mod folders;
mod kinds;
mod records;

use std::fs;
use std::ops::Range;
use std::path::Path;

use anyhow::{Context, Result, ensure};
use dovetail_tests::durable::{
    contents, ensure_same, log_folder, records, refused, revive, stop, strings, write_log,
};
use dovetail_tests::oracle::launch_redis7;
use dovetail_tests::process::{TempDir, tail};
use dovetail_tests::{Launch, Stage};

/// The one increment of most rows.
const INCR: &str = "appendonly.aof.1.incr.aof";
/// A base of commands.
const BASE: &str = "appendonly.aof.1.base.aof";
/// A base that is a snapshot.
const SNAPSHOT: &str = "appendonly.aof.1.base.rdb";

/// A manifest with the one increment.
const LONE: &str = "file appendonly.aof.1.incr.aof seq 1 type i\n";
/// A manifest with a base of commands and an increment.
const PAIR: &str = "file appendonly.aof.1.base.aof seq 1 type b\n\
                    file appendonly.aof.1.incr.aof seq 1 type i\n";
/// A manifest with a snapshot and an increment.
const HYBRID: &str = "file appendonly.aof.1.base.rdb seq 1 type b\n\
                      file appendonly.aof.1.incr.aof seq 1 type i\n";

/// A folder before the start.
#[derive(Default)]
struct Folder<'a> {
    manifest: Option<String>,
    files: Vec<(&'a str, Vec<u8>)>,
}

impl<'a> Folder<'a> {
    fn new(manifest: &str) -> Self {
        Self {
            manifest: Some(manifest.to_owned()),
            files: Vec::new(),
        }
    }

    fn file(mut self, name: &'a str, bytes: impl Into<Vec<u8>>) -> Self {
        self.files.push((name, bytes.into()));
        self
    }

    fn make(&self) -> Result<TempDir> {
        let dir = TempDir::new()?;
        let files: Vec<(&str, &[u8])> = self
            .files
            .iter()
            .map(|(name, bytes)| (*name, bytes.as_slice()))
            .collect();
        let text = self.manifest.as_deref().unwrap_or_default();
        write_log(dir.path(), text, &files)?;
        if self.manifest.is_none() {
            fs::remove_file(log_folder(dir.path()).join("appendonly.aof.manifest"))?;
        }
        Ok(dir)
    }
}

fn logging(stage: &Stage) -> Launch {
    stage.launch().option("appendonly", "yes")
}

/// Starts there: the dataset is this, goes on being written, and is all there at the next start.
fn loads(launch: &Launch, dir: TempDir, expected: &[(&str, &str)]) -> Result<(TempDir, String)> {
    let server = revive(launch, dir)?;
    let log = server.log();
    let mut client = server.client()?;
    ensure_same(&strings(expected), &contents(&mut client)?)?;
    client.expect("SET added 1", "+OK\r\n")?;
    let mut expected = strings(expected);
    expected.extend(strings(&[("added", "1")]));
    let server = revive(launch, stop(server)?).context("the second start")?;
    ensure_same(&expected, &contents(&mut server.client()?)?).context("the second start")?;
    Ok((stop(server)?, log))
}

/// Refuses to start there, in these words, and changes nothing.
fn refuses(launch: &Launch, dir: TempDir, says: &[&str]) -> Result<String> {
    let before = listing(dir.path())?;
    let refusal = refused(launch, dir)?;
    for word in says {
        ensure!(
            refusal.log.contains(word),
            "{word:?} is not in the log, which ends with:\n{}",
            tail(&refusal.log)
        );
    }
    ensure!(
        listing(refusal.dir.path())? == before,
        "the folder has changed"
    );
    Ok(refusal.log)
}

/// As `refuses`, and an offset in this range is named with the file.
fn refuses_at(
    launch: &Launch,
    dir: TempDir,
    says: &[&str],
    file: &str,
    at: Range<usize>,
) -> Result<()> {
    let refusal = refused(launch, dir)?;
    for word in says {
        ensure!(
            refusal.log.contains(word),
            "{word:?} is not in the log, which ends with:\n{}",
            tail(&refusal.log)
        );
    }
    refusal.ensure_names(file, at.start as u64..at.end as u64)
}

/// All files below a folder, but for what the server says.
fn listing(dir: &Path) -> Result<Vec<(String, Vec<u8>)>> {
    let mut all = Vec::new();
    for entry in fs::read_dir(dir)? {
        let entry = entry?;
        let name = entry.file_name().to_string_lossy().into_owned();
        if entry.file_type()?.is_dir() {
            let inner = listing(&entry.path())?;
            all.extend(inner.into_iter().map(|(n, b)| (format!("{name}/{n}"), b)));
        } else if name != "stdout.log" {
            all.push((name, fs::read(entry.path())?));
        }
    }
    all.sort();
    Ok(all)
}

/// Two keys.
fn two() -> Vec<u8> {
    records(&["SELECT 0", "SET a 1", "SET b 2"])
}

/// What a real server has in its snapshot for `a` = 1.
fn snapshot() -> Result<Vec<u8>> {
    let server = launch_redis7()?.start()?;
    let mut client = server.client()?;
    client.expect("SET a 1", "+OK\r\n")?;
    client.expect("SAVE", "+OK\r\n")?;
    Ok(fs::read(server.dir().join("dump.rdb"))?)
}
