//! What outlives a server: starts where data is already, datasets compared key by key, log files.

use std::collections::BTreeMap;
use std::fmt::Write as _;
use std::fs;
use std::ops::Range;
use std::path::{Path, PathBuf};
use std::process::{Command, Stdio};
use std::time::{Instant, SystemTime, UNIX_EPOCH};

use anyhow::{Context, Result, bail, ensure};

use crate::client::Client;
use crate::deadline::{PATIENCE, until};
use crate::process::{Launch, Server, TempDir, exit_code, free_port, tail};
use crate::stage::{POLLERS, Stage, is_long};
use crate::value::{Value, escape, request};

/// The stage on which a case plays that needs only one: `turn` goes round the pollers that
/// `DOVETAIL_STAGE` leaves.
///
/// # Errors
/// When no subject is given, or no poller is left.
pub fn stage(turn: usize) -> Result<Stage> {
    let mut stages = Vec::new();
    for poller in POLLERS {
        stages.extend(Stage::new(poller)?);
    }
    ensure!(!stages.is_empty(), "DOVETAIL_STAGE leaves no poller");
    Ok(stages.swap_remove(turn % stages.len()))
}

/// A seed that is told when something fails: `DOVETAIL_SEED`, else the clock in long runs, else
/// always the same.
///
/// # Errors
/// When `DOVETAIL_SEED` is no number.
pub fn seed() -> Result<u64> {
    match std::env::var("DOVETAIL_SEED") {
        Ok(text) => text
            .parse()
            .with_context(|| format!("DOVETAIL_SEED is {text:?}")),
        Err(_) if is_long() => {
            let now = SystemTime::now().duration_since(UNIX_EPOCH)?;
            Ok(now.as_secs() * 1_000_000 + u64::from(now.subsec_micros()))
        }
        Err(_) => Ok(4),
    }
}

/// How a start ended.
#[derive(Debug)]
pub enum Start {
    /// It answers.
    Up(Server),
    /// It ended by itself.
    Refused(Refusal),
}

/// A start that failed.
#[derive(Debug)]
pub struct Refusal {
    /// The exit code, or 128 and the signal's number.
    pub code: i32,
    /// All that it said.
    pub log: String,
    /// Where it was started.
    pub dir: TempDir,
}

/// Starts a server in a directory and waits until it answers or ends. Its log begins anew.
///
/// # Errors
/// When it does neither in time.
pub fn start_in(launch: &Launch, mut dir: TempDir) -> Result<Start> {
    for _ in 0..5 {
        fs::remove_file(dir.path().join("stdout.log")).unwrap_or_default();
        let mut server = launch.spawn_in(dir, free_port()?)?;
        let Some(code) = ended_before_ready(&mut server)? else {
            server.wait_ready()?;
            return Ok(Start::Up(server));
        };
        let log = server.log();
        dir = server.into_dir();
        if !log.contains("Failed listening on port") {
            return Ok(Start::Refused(Refusal { code, log, dir }));
        }
    }
    bail!("somebody else took the free port, five times in a row")
}

/// Starts a server in a directory where it must come up.
///
/// # Errors
/// When it doesn't; the error shows its log.
pub fn revive(launch: &Launch, dir: TempDir) -> Result<Server> {
    match start_in(launch, dir)? {
        Start::Up(server) => Ok(server),
        Start::Refused(Refusal { code, log, .. }) => {
            bail!(
                "it doesn't start (exit code {code}); its log ends with:\n{}",
                tail(&log)
            )
        }
    }
}

/// Starts a server in a directory where it must refuse to, and end by itself without a crash.
///
/// # Errors
/// When it comes up, or crashes.
pub fn refused(launch: &Launch, dir: TempDir) -> Result<Refusal> {
    match start_in(launch, dir)? {
        Start::Up(server) => bail!("it starts; its log ends with:\n{}", tail(&server.log())),
        Start::Refused(refusal) => {
            refusal.ensure_orderly()?;
            Ok(refusal)
        }
    }
}

/// Ends a server in order, without a snapshot; what it has logged is whole.
///
/// # Errors
/// When it doesn't end well.
pub fn stop(mut server: Server) -> Result<TempDir> {
    let mut client = server.client()?;
    client.send(&["SHUTDOWN", "NOSAVE"])?;
    let rest = client.read_to_close()?;
    ensure!(rest.is_empty(), "SHUTDOWN: {}", escape(&rest));
    let code = server.wait_exit()?;
    ensure!(code == 0, "exit code {code}:\n{}", tail(&server.log()));
    Ok(server.into_dir())
}

impl Refusal {
    /// Fails if it crashed instead of saying no.
    ///
    /// # Errors
    /// With the end of its log.
    pub fn ensure_orderly(&self) -> Result<()> {
        let words = ["panicked at", "BUG REPORT", "ASSERTION FAILED"];
        let crashed = words.iter().any(|word| self.log.contains(word));
        ensure!(
            (1..127).contains(&self.code) && !crashed,
            "it crashed (exit code {}); its log ends with:\n{}",
            self.code,
            tail(&self.log)
        );
        Ok(())
    }

    /// Fails unless the log names the file, and an offset in it that lies in `at`.
    ///
    /// # Errors
    /// With the end of the log.
    pub fn ensure_names(&self, file: &str, at: Range<u64>) -> Result<()> {
        ensure!(
            self.log.contains(file),
            "the log doesn't name {file}; it ends with:\n{}",
            tail(&self.log)
        );
        ensure!(
            offsets(&self.log)
                .iter()
                .any(|offset| at.contains(offset) || *offset == at.start),
            "the log names no offset in {at:?}; it ends with:\n{}",
            tail(&self.log)
        );
        Ok(())
    }
}

/// The numbers behind the words `offset` and `byte` in a log.
#[must_use]
pub fn offsets(log: &str) -> Vec<u64> {
    let words: Vec<&str> = log
        .split(|c: char| !c.is_ascii_alphanumeric())
        .filter(|word| !word.is_empty())
        .collect();
    words
        .windows(2)
        .filter(|pair| ["offset", "byte"].contains(&pair[0]))
        .filter_map(|pair| pair[1].parse().ok())
        .collect()
}

/// Collects what is wrong with the rows of a table, so that one run shows all of it.
#[derive(Debug, Default)]
pub struct Findings {
    rows: usize,
    wrong: Vec<String>,
}

impl Findings {
    /// Takes the verdict on one row.
    pub fn row(&mut self, name: &str, verdict: Result<()>) {
        self.rows += 1;
        if let Err(error) = verdict {
            self.wrong.push(format!("- {name}: {error:#}"));
        }
    }

    /// Fails when there was something.
    ///
    /// # Errors
    /// With all of it.
    pub fn verdict(self) -> Result<()> {
        ensure!(
            self.wrong.is_empty(),
            "{} of {} rows:\n{}",
            self.wrong.len(),
            self.rows,
            self.wrong.join("\n")
        );
        Ok(())
    }
}

fn ended_before_ready(server: &mut Server) -> Result<Option<i32>> {
    let deadline = Instant::now() + PATIENCE;
    loop {
        let ended = server.poll_exit()?;
        if server.log().contains("Ready to accept") {
            return Ok(None);
        }
        if let Some(status) = ended {
            return Ok(Some(exit_code(status)));
        }
        ensure!(
            Instant::now() < deadline,
            "it neither starts nor ends; its log ends with:\n{}",
            tail(&server.log())
        );
        std::thread::sleep(std::time::Duration::from_millis(1));
    }
}

/// What a key holds.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Held {
    /// As TYPE says.
    pub kind: String,
    /// Fields, members and their scores in an order of their own.
    pub value: Value,
    /// As PEXPIRETIME says.
    pub deadline: Value,
}

/// All keys of all databases.
pub type Contents = BTreeMap<(u32, Vec<u8>), Held>;

/// Strings in database 0, without deadlines.
#[must_use]
pub fn strings(pairs: &[(&str, &str)]) -> Contents {
    let held = |value: &str| Held {
        kind: "string".to_owned(),
        value: Value::bulk(value),
        deadline: Value::Integer(-1),
    };
    let keyed = pairs.iter().map(|(key, value)| {
        let key = key.as_bytes().to_vec();
        ((0, key), held(value))
    });
    keyed.collect()
}

/// Reads everything a server holds. The connection is in database 0 afterwards.
///
/// # Errors
/// When a reply is not what it should be.
pub fn contents(client: &mut Client) -> Result<Contents> {
    let keyspace = client.say("INFO keyspace")?.text();
    let dbs = keyspace
        .lines()
        .filter_map(|line| line.strip_prefix("db")?.split_once(':'));
    let mut all = Contents::new();
    for (db, _) in dbs {
        client.expect(&format!("SELECT {db}"), "+OK\r\n")?;
        let keys = client.say("KEYS *")?.items().context("KEYS")?;
        let keys: Vec<Vec<u8>> = keys
            .iter()
            .filter_map(|key| key.bytes().map(<[u8]>::to_vec))
            .collect();
        for batch in keys.chunks(100) {
            let held = look(client, batch)?;
            let db: u32 = db.parse()?;
            all.extend(batch.iter().map(|key| (db, key.clone())).zip(held));
        }
    }
    client.expect("SELECT 0", "+OK\r\n")?;
    Ok(all)
}

fn look(client: &mut Client, keys: &[Vec<u8>]) -> Result<Vec<Held>> {
    let ask = |word: &[u8]| -> Vec<Vec<Vec<u8>>> {
        keys.iter()
            .map(|key| vec![word.to_vec(), key.clone()])
            .collect()
    };
    let kinds: Vec<String> = client
        .pipeline(&ask(b"TYPE"))?
        .iter()
        .map(Value::text)
        .collect();
    let deadlines = client.pipeline(&ask(b"PEXPIRETIME"))?;
    let mut reads: Vec<Vec<&[u8]>> = Vec::new();
    for (kind, key) in kinds.iter().zip(keys) {
        reads.push(match kind.as_str() {
            "string" => vec![b"GET", key],
            "list" => vec![b"LRANGE", key, b"0", b"-1"],
            "hash" => vec![b"HGETALL", key],
            "set" => vec![b"SMEMBERS", key],
            "zset" => vec![b"ZRANGE", key, b"0", b"-1", b"WITHSCORES"],
            other => bail!("{}: the type {other}", key.escape_ascii()),
        });
    }
    let values = client.pipeline(&reads)?;
    let mut all = Vec::new();
    for ((kind, value), deadline) in kinds.into_iter().zip(values).zip(deadlines) {
        let value = sorted(&kind, value)?;
        all.push(Held {
            kind,
            value,
            deadline,
        });
    }
    Ok(all)
}

/// The value in an order that does not depend on who holds it.
fn sorted(kind: &str, value: Value) -> Result<Value> {
    let Some(mut items) = value.items().filter(|_| kind != "list") else {
        return Ok(value);
    };
    if kind == "set" {
        items.sort();
        return Ok(Value::Array(items));
    }
    let mut pairs: Vec<Vec<Value>> = items.chunks(2).map(<[Value]>::to_vec).collect();
    if kind == "zset" {
        for pair in &mut pairs {
            // Servers differ in how many digits they print, not in the number.
            let score: f64 = pair[1].text().parse().context("a score")?;
            pair[1] = Value::bulk(&format!("{score:?}"));
        }
    } else {
        pairs.sort();
    }
    Ok(Value::Array(pairs.concat()))
}

/// Fails when two datasets differ, with the first keys in which they do.
///
/// # Errors
/// With those keys.
pub fn ensure_same(expected: &Contents, got: &Contents) -> Result<()> {
    let keys = expected
        .keys()
        .chain(got.keys().filter(|key| !expected.contains_key(key)));
    let mut report = String::new();
    let differing: Vec<_> = keys
        .filter(|key| expected.get(key) != got.get(key))
        .collect();
    for key in differing.iter().take(3) {
        let show = |held: Option<&Held>| {
            held.map_or("nothing".to_owned(), |held| {
                let text = format!("{} {} until {}", held.kind, held.value, held.deadline);
                text.chars().take(300).collect()
            })
        };
        let name = key.1.escape_ascii();
        write!(
            report,
            "\ndb {} {name}: {}\n  not {}",
            key.0,
            show(got.get(key)),
            show(expected.get(key))
        )?;
    }
    ensure!(
        differing.is_empty(),
        "{} of {} keys differ:{report}",
        differing.len(),
        expected.len()
    );
    Ok(())
}

/// One field of INFO; empty if there is none.
///
/// # Errors
/// When the connection is gone.
pub fn field(client: &mut Client, name: &str) -> Result<String> {
    let info = client.say("INFO everything")?.text();
    Ok(info
        .lines()
        .find_map(|line| line.strip_prefix(name)?.strip_prefix(':'))
        .unwrap_or_default()
        .to_owned())
}

/// Waits until a field of INFO has this value.
///
/// # Errors
/// When it doesn't get it in time.
pub fn await_field(client: &mut Client, name: &str, value: &str) -> Result<()> {
    until(&format!("{name}:{value}"), || {
        Ok((field(client, name)? == value).then_some(()))
    })
}

/// Waits until no child writes anything.
///
/// # Errors
/// When one goes on for too long.
pub fn await_no_child(client: &mut Client) -> Result<()> {
    await_field(client, "rdb_bgsave_in_progress", "0")?;
    await_field(client, "aof_rewrite_scheduled", "0")?;
    await_field(client, "aof_rewrite_in_progress", "0")
}

/// The children of a process, those that have ended and were not asked for left out.
///
/// # Errors
/// When the system doesn't say.
pub fn children(pid: u32) -> Result<Vec<u32>> {
    let mut found = Vec::new();
    for entry in fs::read_dir("/proc")? {
        let name = entry?.file_name().to_string_lossy().into_owned();
        let Ok(number) = name.parse::<u32>() else {
            continue;
        };
        // It may have ended meanwhile.
        let stat = fs::read_to_string(format!("/proc/{number}/stat")).unwrap_or_default();
        let after = stat.rsplit(')').next().unwrap_or_default();
        let mut fields = after.split_whitespace();
        let state = fields.next().unwrap_or_default();
        let parent = fields.next().and_then(|field| field.parse::<u32>().ok());
        if parent == Some(pid) && state != "Z" {
            found.push(number);
        }
    }
    Ok(found)
}

/// A server's child, killed with the value if it is still there.
#[derive(Debug)]
pub struct Forked {
    /// Its process id.
    pub pid: u32,
}

impl Forked {
    /// Kills it.
    ///
    /// # Errors
    /// When it is gone already.
    pub fn kill(self) -> Result<()> {
        ensure!(kill(self.pid)?, "the child {} is gone", self.pid);
        Ok(())
    }
}

impl Drop for Forked {
    fn drop(&mut self) {
        kill(self.pid).map(drop).unwrap_or_default();
    }
}

fn kill(pid: u32) -> Result<bool> {
    let status = Command::new("sh")
        .arg("-c")
        .arg(format!("kill -KILL {pid}"))
        .stderr(Stdio::null())
        .status()
        .context("running kill")?;
    Ok(status.success())
}

/// Waits for the one child of a server.
///
/// # Errors
/// When there is none in time.
pub fn await_child(server: &Server) -> Result<Forked> {
    until("a child process", || {
        let pid = children(server.pid())?.first().copied();
        Ok(pid.map(|pid| Forked { pid }))
    })
}

/// The folder of the log below a server's directory, by its default name.
#[must_use]
pub fn log_folder(dir: &Path) -> PathBuf {
    dir.join("appendonlydir")
}

/// The manifest's lines as (name, number, type).
///
/// # Errors
/// When there is none, or a line is not as servers write them.
pub fn manifest(dir: &Path) -> Result<Vec<(String, u64, String)>> {
    let path = log_folder(dir).join("appendonly.aof.manifest");
    let text = fs::read_to_string(&path).with_context(|| path.display().to_string())?;
    text.lines()
        .map(|line| {
            let words: Vec<&str> = line.split(' ').collect();
            ensure!(words.len() >= 6 && words[0] == "file", "{line:?}");
            Ok((words[1].to_owned(), words[3].parse()?, words[5].to_owned()))
        })
        .collect()
}

/// The path of the last increment.
///
/// # Errors
/// When there is none.
pub fn last_increment(dir: &Path) -> Result<PathBuf> {
    let lines = manifest(dir)?;
    let last = lines.iter().rev().find(|(_, _, kind)| kind == "i");
    let (name, ..) = last.context("no increment in the manifest")?;
    Ok(log_folder(dir).join(name))
}

/// Writes a log's folder: the manifest's text, and files by their names.
///
/// # Errors
/// Those of the disk.
pub fn write_log(dir: &Path, manifest: &str, files: &[(&str, &[u8])]) -> Result<()> {
    let folder = log_folder(dir);
    fs::create_dir_all(&folder)?;
    fs::write(folder.join("appendonly.aof.manifest"), manifest)?;
    for (name, bytes) in files {
        fs::write(folder.join(name), bytes)?;
    }
    Ok(())
}

/// A new folder with all that is in another one, but one file has these bytes. What a server says is
/// left out.
///
/// # Errors
/// Those of the disk.
pub fn copy_with(from: &Path, file: &str, bytes: &[u8]) -> Result<TempDir> {
    let dir = TempDir::new()?;
    copy(from, dir.path())?;
    fs::write(dir.path().join(file), bytes)?;
    Ok(dir)
}

fn copy(from: &Path, to: &Path) -> Result<()> {
    for entry in fs::read_dir(from)? {
        let entry = entry?;
        let target = to.join(entry.file_name());
        if entry.file_type()?.is_dir() {
            fs::create_dir(&target)?;
            copy(&entry.path(), &target)?;
        } else if entry.file_name() != "stdout.log" {
            fs::copy(entry.path(), target)?;
        }
    }
    Ok(())
}

/// Commands, each given as words parted by single spaces, as records of a log.
#[must_use]
pub fn records(commands: &[&str]) -> Vec<u8> {
    commands
        .iter()
        .flat_map(|words| request(&words.split(' ').collect::<Vec<_>>()))
        .collect()
}

/// Where a log may be cut: the offsets at which everything before is whole and outside of a
/// transaction, the beginning and the end included.
///
/// # Errors
/// When something in it is no record and no annotation.
pub fn boundaries(log: &[u8]) -> Result<Vec<usize>> {
    let (mut at, mut open, mut found) = (0, false, vec![0]);
    while at < log.len() {
        if log[at] == b'#' {
            let line = log[at..].iter().position(|byte| *byte == b'\n');
            at += line.context("an annotation without an end")? + 1;
        } else {
            let (value, length) = Value::decode(&log[at..])
                .map_err(|bad| anyhow::anyhow!("{} at {}", bad.what, at + bad.at))?
                .with_context(|| format!("cut off at {at}"))?;
            let first = value.items().and_then(|words| words.first().cloned());
            match first.map(|word| word.text().to_lowercase()).as_deref() {
                Some("multi") => open = true,
                Some("exec") => open = false,
                _ => {}
            }
            at += length;
        }
        if !open {
            found.push(at);
        }
    }
    Ok(found)
}

/// Makes a test of each function `fn(&Stage) -> anyhow::Result<()>` of the module, on one poller.
#[macro_export]
macro_rules! one_poller {
    ($($case:ident),+ $(,)?) => {
        mod on_one_poller {
            $(
                #[test]
                fn $case() -> Result<(), $crate::stage::Report> {
                    let turn = stringify!($case).bytes().map(usize::from).sum();
                    let stage = $crate::durable::stage(turn)?;
                    $crate::stage::run_on(&stage, super::$case)
                }
            )+
        }
    };
}
