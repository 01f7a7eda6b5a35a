//! Files that a real server wrote are read here, and what is written here they read.

use std::fs;
use std::path::Path;

use anyhow::{Context, Result, ensure};
use dovetail_tests::durable::{
    Contents, await_no_child, contents, ensure_same, log_folder, manifest, refused, revive, stop,
    write_log,
};
use dovetail_tests::process::TempDir;
use dovetail_tests::{Launch, Server, Stage, one_poller};

use crate::dataset::{change, elders, fill};

/// What a dataset is kept in.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
enum Shape {
    /// A snapshot.
    Rdb,
    /// A log that was never rewritten.
    Feed,
    /// A rewritten log of commands, with a tail.
    Commands,
    /// A rewritten log that begins with a snapshot, with a tail.
    Hybrid,
}

impl Shape {
    fn apply(self, launch: Launch) -> Launch {
        let log = if self == Self::Rdb { "no" } else { "yes" };
        let preamble = if self == Self::Hybrid { "yes" } else { "no" };
        launch
            .option("appendonly", log)
            .option("aof-use-rdb-preamble", preamble)
    }

    /// Puts a dataset into a new folder: the folder, and what is in it.
    fn write(self, launch: &Launch) -> Result<(TempDir, Contents)> {
        let server = self.apply(launch.clone()).start()?;
        let mut client = server.client()?;
        fill(&mut client)?;
        if self == Self::Commands || self == Self::Hybrid {
            let reply = client.say("BGREWRITEAOF")?;
            ensure!(!reply.is_error(), "{reply}");
            await_no_child(&mut client)?;
        }
        change(&server)?;
        let expected = contents(&mut client)?;
        ensure!(expected.len() > 60, "{} keys", expected.len());
        if self == Self::Rdb {
            client.expect("SAVE", "+OK\r\n")?;
        }
        let dir = stop(server)?;
        self.ensure_written(dir.path())?;
        Ok((dir, expected))
    }

    fn ensure_written(self, dir: &Path) -> Result<()> {
        if self == Self::Rdb {
            let file = fs::read(dir.join("dump.rdb"))?;
            ensure!(file.len() > 1000, "a snapshot of {} bytes", file.len());
            return Ok(());
        }
        let lines = manifest(dir)?;
        let base = lines.iter().find(|line| line.2 == "b").context("a base")?;
        let begin = fs::read(log_folder(dir).join(&base.0))?;
        let is_snapshot = begin.starts_with(b"REDIS") || begin.starts_with(b"VALKEY");
        ensure!(is_snapshot == (self == Self::Hybrid), "{}", base.0);
        let seq = if self == Self::Feed { 1 } else { 2 };
        ensure!(base.1 == seq && lines.len() == 2, "{lines:?}");
        Ok(())
    }
}

fn read_all(server: &Server) -> Result<Contents> {
    contents(&mut server.client()?)
}

/// One server's files are loaded by another, which goes on, and its files are loaded by the first.
fn crosses(shape: Shape, from: &Launch, to: &Launch) -> Result<()> {
    let (dir, expected) = shape.write(from)?;
    let second = revive(&shape.apply(to.clone()), dir).context("the second server")?;
    ensure_same(&expected, &read_all(&second)?).context("the second server")?;
    let mut client = second.client()?;
    client.expect("SET added here", "+OK\r\n")?;
    client.expect("RPUSH list one two", ":22\r\n")?;
    client.expect("SELECT 11", "+OK\r\n")?;
    client.expect("INCR counter", ":1\r\n")?;
    if shape == Shape::Rdb {
        client.expect("SAVE", "+OK\r\n")?;
    }
    let expected = read_all(&second)?;
    let first = revive(&shape.apply(from.clone()), stop(second)?).context("back again")?;
    ensure_same(&expected, &read_all(&first)?).context("back again")
}

fn crosses_with_all(shape: Shape, stage: &Stage) -> Result<()> {
    let ours = stage.launch();
    for (name, theirs) in elders()? {
        crosses(shape, &ours, &theirs).with_context(|| format!("{shape:?} to {name}"))?;
        crosses(shape, &theirs, &ours).with_context(|| format!("{shape:?} from {name}"))?;
    }
    crosses(shape, &ours, &ours).with_context(|| format!("{shape:?} to itself"))
}

fn snapshots_cross(stage: &Stage) -> Result<()> {
    crosses_with_all(Shape::Rdb, stage)
}

fn logs_that_were_never_rewritten_cross(stage: &Stage) -> Result<()> {
    crosses_with_all(Shape::Feed, stage)
}

fn logs_of_commands_cross(stage: &Stage) -> Result<()> {
    crosses_with_all(Shape::Commands, stage)
}

fn logs_behind_a_snapshot_cross(stage: &Stage) -> Result<()> {
    crosses_with_all(Shape::Hybrid, stage)
}

/// A real server's files with a key of a type that is not known here.
fn with_stream(option: &str) -> Result<(TempDir, Launch)> {
    let (_, launch) = elders()?.swap_remove(0);
    let launch = launch.option("appendonly", option);
    let server = launch.start()?;
    let mut client = server.client()?;
    for words in ["SET before 1", "XADD events 1-1 field value", "SET after 1"] {
        let reply = client.say(words)?;
        ensure!(!reply.is_error(), "{reply}");
    }
    if option == "no" {
        client.expect("SAVE", "+OK\r\n")?;
    } else {
        client.expect(
            "BGREWRITEAOF",
            "+Background append only file rewriting started\r\n",
        )?;
        await_no_child(&mut client)?;
    }
    Ok((stop(server)?, launch))
}

/// A file with a stream is not served without it: the start fails, names the key and what it is,
/// and leaves the files to those who can read them.
fn a_stream_is_refused_by_name(stage: &Stage) -> Result<()> {
    for option in ["no", "yes"] {
        let (dir, theirs) = with_stream(option)?;
        let ours = stage.launch().option("appendonly", option);
        let refusal = refused(&ours, dir)?;
        let says = |word: &str| refusal.log.to_lowercase().contains(word);
        ensure!(says("events") && says("stream"), "{}", refusal.log);
        ensure!(!says("ready to accept"), "{}", refusal.log);
        let server = revive(&theirs, refusal.dir).context("the files are as they were")?;
        server.client()?.expect("XLEN events", ":1\r\n")?;
        server.client()?.expect("DBSIZE", ":3\r\n")?;
    }
    Ok(())
}

/// A stream's command in a log of commands is an unknown one.
fn a_streams_command_is_refused_by_name(stage: &Stage) -> Result<()> {
    let dir = TempDir::new()?;
    let log = dovetail_tests::durable::records(&["SELECT 0", "SET a 1", "XADD events 1-1 f v"]);
    let manifest = "file appendonly.aof.1.incr.aof seq 1 type i\n";
    write_log(dir.path(), manifest, &[("appendonly.aof.1.incr.aof", &log)])?;
    let refusal = refused(&stage.launch().option("appendonly", "yes"), dir)?;
    let log = &refusal.log;
    ensure!(log.to_lowercase().contains("xadd"), "{log}");
    let begin = records_len(&["SELECT 0", "SET a 1"]);
    refusal.ensure_names("appendonly.aof.1.incr.aof", begin..begin + 1)
}

fn records_len(commands: &[&str]) -> u64 {
    dovetail_tests::durable::records(commands).len() as u64
}

one_poller!(
    snapshots_cross,
    logs_that_were_never_rewritten_cross,
    logs_of_commands_cross,
    logs_behind_a_snapshot_cross,
    a_stream_is_refused_by_name,
    a_streams_command_is_refused_by_name,
);
