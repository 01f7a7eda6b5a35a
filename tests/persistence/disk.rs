//! Troubles of the disk: no room for the log or for a snapshot, names that cannot be written, and
//! children that die.

use std::fs;
use std::os::unix::fs::PermissionsExt;
use std::path::Path;
use std::process::{Command, Stdio};
use std::time::Duration;

use anyhow::{Context, Result, bail, ensure};
use dovetail_tests::durable::{
    await_child, await_field, await_no_child, contents, ensure_same, field, log_folder, manifest,
    revive, stop,
};
use dovetail_tests::process::TempDir;
use dovetail_tests::value::Value;
use dovetail_tests::{Client, Server, Stage, one_poller, until};

/// What a client hears when a snapshot has failed; `NAME` is the server's.
const CANNOT_SAVE: &str = "MISCONF NAME is configured to save RDB snapshots, but it's currently \
    unable to persist to disk. Commands that may modify the data set are disabled, because this \
    instance is configured to report errors during writes if RDB snapshotting fails \
    (stop-writes-on-bgsave-error option). Please check the NAME logs for details about the RDB \
    error.";

/// A value that nothing makes shorter.
pub(crate) fn noise(seed: u64, length: usize) -> String {
    let mut state = seed.wrapping_mul(0x9e37_79b9_7f4a_7c15) | 1;
    let mut text = String::new();
    while text.len() < length {
        state ^= state << 13;
        state ^= state >> 7;
        state ^= state << 17;
        text.push_str(&format!("{state:016x}"));
    }
    text.truncate(length);
    text
}

/// The stage whose server lives on when a file may not grow: the signal that says so is ignored,
/// which a process inherits.
fn tolerant(stage: &Stage, dir: &Path) -> Result<Stage> {
    let script = dir.join("server.sh");
    let program = stage.program.display();
    fs::write(
        &script,
        format!("#!/bin/sh\ntrap '' XFSZ\nexec '{program}' \"$@\"\n"),
    )?;
    fs::set_permissions(&script, fs::Permissions::from_mode(0o755))?;
    Ok(Stage {
        program: script,
        poller: stage.poller,
    })
}

/// Lets the server's files grow to so many bytes and not beyond; `None` for as long as they like.
fn limit_files(server: &Server, bytes: Option<u64>) -> Result<()> {
    let soft = bytes.map_or("unlimited".to_owned(), |bytes| bytes.to_string());
    let status = Command::new("prlimit")
        .arg(format!("--pid={}", server.pid()))
        .arg(format!("--fsize={soft}:"))
        .status()
        .context("running prlimit, of util-linux")?;
    ensure!(status.success(), "prlimit: {status}");
    Ok(())
}

/// A small file system, unmounted with the value.
struct Mount(TempDir);

impl Mount {
    /// Mounts one of `bytes` there; `None` for who may not mount.
    fn new(bytes: u64) -> Result<Option<Self>> {
        let dir = TempDir::new()?;
        let size = format!("size={bytes}");
        let done = mount(&["-t", "tmpfs", "-o", &size, "none"], dir.path())?;
        Ok(done.then(|| Self(dir)))
    }

    fn grow(&self, bytes: u64) -> Result<()> {
        let done = mount(&["-o", &format!("remount,size={bytes}")], self.0.path())?;
        ensure!(done, "the file system doesn't grow");
        Ok(())
    }
}

impl Drop for Mount {
    fn drop(&mut self) {
        let unmounted = Command::new("umount").arg("-l").arg(self.0.path()).status();
        unmounted.map(drop).unwrap_or_default();
    }
}

fn mount(args: &[&str], path: &Path) -> Result<bool> {
    let status = Command::new("mount")
        .args(args)
        .arg(path)
        .stderr(Stdio::null())
        .status()
        .context("running mount")?;
    Ok(status.success())
}

/// Where there is too little of something.
enum Shortage {
    /// On a small disk.
    Disk(Mount),
    /// In a folder of a server whose files must not grow.
    Limit(TempDir),
}

impl Shortage {
    /// A small disk, where the tests may mount one; else a limit of files.
    fn of_disk() -> Result<Self> {
        Mount::new(256 * 1024)?.map_or_else(Self::of_files, |mount| Ok(Self::Disk(mount)))
    }

    fn of_files() -> Result<Self> {
        Ok(Self::Limit(TempDir::new()?))
    }

    fn dir(&self) -> &Path {
        match self {
            Self::Disk(mount) => mount.0.path(),
            Self::Limit(dir) => dir.path(),
        }
    }

    fn begin(&self, server: &Server) -> Result<()> {
        match self {
            Self::Disk(_) => Ok(()),
            Self::Limit(_) => limit_files(server, Some(256 * 1024)),
        }
    }

    fn end(&self, server: &Server) -> Result<()> {
        match self {
            Self::Disk(mount) => mount.grow(64 * 1024 * 1024),
            Self::Limit(_) => limit_files(server, None),
        }
    }

    /// What the system says; a write that was cut short is told as a lack of room, too.
    fn causes(&self) -> &'static [&'static str] {
        match self {
            Self::Disk(_) => &["No space left on device"],
            Self::Limit(_) => &["File too large", "No space left on device"],
        }
    }

    fn ensure_told(&self, reply: &Value) -> Result<()> {
        let told = reply.text();
        let cause = told.strip_prefix("MISCONF Errors writing to the AOF file: ");
        ensure!(
            reply.is_error()
                && cause.is_some_and(|cause| {
                    let names_it = cause.contains("appendonlydir/");
                    names_it && self.causes().iter().any(|known| cause.starts_with(known))
                }),
            "refused with {reply}"
        );
        Ok(())
    }
}

/// A reply, or none as long as the log is in trouble.
fn reply_or_trouble(client: &mut Client, watcher: &mut Client) -> Result<Option<Value>> {
    client.set_patience(Duration::from_millis(100))?;
    let reply = until("a reply, or trouble", || match client.read() {
        Ok(reply) => Ok(Some(Some(reply))),
        Err(error) if error.to_string().contains("no reply in time") => {
            let status = field(watcher, "aof_last_write_status")?;
            Ok((status == "err").then_some(None))
        }
        Err(error) => Err(error),
    });
    client.set_patience(dovetail_tests::deadline::PATIENCE)?;
    reply
}

/// What came of writing until no more went in.
struct Filled {
    /// Keys `key:<n>` below this number were acknowledged.
    answered: u64,
    /// Whether the next one was sent and has no answer yet.
    held: bool,
}

fn fill(writer: &mut Client, watcher: &mut Client) -> Result<Filled> {
    for n in 0..500 {
        writer.send(&["SET", &format!("key:{n}"), &noise(n, 4000)])?;
        match reply_or_trouble(writer, watcher)? {
            Some(reply) if reply == Value::ok() => {}
            None => {
                return Ok(Filled {
                    answered: n,
                    held: true,
                });
            }
            Some(reply) if reply.text().starts_with("MISCONF") => {
                return Ok(Filled {
                    answered: n,
                    held: false,
                });
            }
            Some(reply) => bail!("{reply}"),
        }
    }
    bail!("it takes 2 MB where there is room for much less")
}

/// The log's disk fills up: writers hear why they are refused, readers notice nothing, and when
/// there is room again everything goes on by itself. What was acknowledged at any time is there
/// after a kill, what was refused is not.
fn no_room_for_the_log(stage: &Stage, fsync: &str, shortage: &Shortage) -> Result<()> {
    let dir = TempDir::new()?;
    let launch = tolerant(stage, dir.path())?
        .launch()
        .option("appendonly", "yes")
        .option("appendfsync", fsync)
        .option("dir", &shortage.dir().to_string_lossy());
    let mut server = revive(&launch, dir)?;
    shortage.begin(&server)?;
    let (mut writer, mut watcher) = (server.client()?, server.client()?);
    let filled = fill(&mut writer, &mut watcher)?;
    ensure!(filled.answered > 10, "only {} fit", filled.answered);
    server.assert_alive()?;
    await_field(&mut watcher, "aof_last_write_status", "err")?;
    for words in ["SET refused 1", "DEL key:0"] {
        shortage.ensure_told(&watcher.say(words)?)?;
    }
    // With `always` a read may have to wait for what it would show.
    let readable = if fsync == "always" {
        0
    } else {
        filled.answered
    };
    for n in 0..readable {
        let reply = watcher.call(&["GET", &format!("key:{n}")])?;
        ensure!(reply.text() == noise(n, 4000), "key:{n} is {reply}");
    }
    let log = server.log();
    let is_told = shortage.causes().iter().any(|cause| log.contains(cause));
    ensure!(
        is_told || log.contains("short write") || log.contains("Short write"),
        "{log}"
    );
    shortage.end(&server)?;
    until("writes are taken again", || {
        Ok((watcher.say("SET accepted 1")? == Value::ok()).then_some(()))
    })?;
    await_field(&mut watcher, "aof_last_write_status", "ok")?;
    let mut answered = filled.answered;
    if filled.held {
        let reply = writer.read()?;
        ensure!(reply == Value::ok(), "{reply}");
        answered += 1;
    }
    let server = revive(&launch, server.into_dir())?;
    let mut client = server.client()?;
    for n in 0..answered {
        let reply = client.call(&["GET", &format!("key:{n}")])?;
        ensure!(reply.text() == noise(n, 4000), "key:{n} is {reply}");
    }
    client.expect("MGET accepted refused", "*2\r\n$1\r\n1\r\n$-1\r\n")?;
    stop(server).map(drop)
}

fn a_full_disk_stops_writers_only(stage: &Stage) -> Result<()> {
    for fsync in ["everysec", "no"] {
        no_room_for_the_log(stage, fsync, &Shortage::of_disk()?).context(fsync)?;
    }
    Ok(())
}

fn a_full_disk_stops_writers_only_with_always(stage: &Stage) -> Result<()> {
    no_room_for_the_log(stage, "always", &Shortage::of_disk()?)
}

fn a_file_that_cannot_grow_stops_writers_only(stage: &Stage) -> Result<()> {
    for fsync in ["everysec", "no"] {
        no_room_for_the_log(stage, fsync, &Shortage::of_files()?).context(fsync)?;
    }
    Ok(())
}

fn a_file_that_cannot_grow_stops_writers_only_with_always(stage: &Stage) -> Result<()> {
    no_room_for_the_log(stage, "always", &Shortage::of_files()?)
}

fn fill_noise(client: &mut Client, count: u64) -> Result<()> {
    for n in 0..count {
        let reply = client.call(&["SET", &format!("key:{n}"), &noise(n, 4000)])?;
        ensure!(reply == Value::ok(), "{reply}");
    }
    Ok(())
}

/// Files that are not finished.
fn leftovers(dir: &Path) -> Result<Vec<String>> {
    let mut found = Vec::new();
    for folder in [dir.to_owned(), log_folder(dir)] {
        if folder.is_dir() {
            for entry in fs::read_dir(&folder)? {
                found.push(entry?.file_name().to_string_lossy().into_owned());
            }
        }
    }
    found.retain(|name| name.starts_with("temp-"));
    Ok(found)
}

fn await_no_leftovers(server: &Server) -> Result<()> {
    until("unfinished files are removed", || {
        Ok(leftovers(server.dir())?.is_empty().then_some(()))
    })
}

/// A rewrite for which there is no room changes nothing, and the next one may succeed.
fn no_room_for_a_rewrite(stage: &Stage) -> Result<()> {
    let dir = TempDir::new()?;
    let launch = tolerant(stage, dir.path())?
        .launch()
        .option("appendonly", "yes");
    let server = revive(&launch, dir)?;
    let mut client = server.client()?;
    fill_noise(&mut client, 100)?;
    limit_files(&server, Some(100_000))?;
    client.expect(
        "BGREWRITEAOF",
        "+Background append only file rewriting started\r\n",
    )?;
    await_no_child(&mut client)?;
    await_field(&mut client, "aof_last_bgrewrite_status", "err")?;
    await_no_leftovers(&server)?;
    client.expect("SET after 1", "+OK\r\n")?;
    let expected = contents(&mut client)?;
    let lines = manifest(server.dir())?;
    let base = lines.iter().find(|line| line.2 == "b");
    ensure!(base.is_some_and(|base| base.1 == 1), "{lines:?}");
    limit_files(&server, None)?;
    let dir = stop(server)?;
    let server = revive(&launch, dir)?;
    let mut client = server.client()?;
    ensure_same(&expected, &contents(&mut client)?)?;
    client.expect(
        "BGREWRITEAOF",
        "+Background append only file rewriting started\r\n",
    )?;
    await_no_child(&mut client)?;
    await_field(&mut client, "aof_last_bgrewrite_status", "ok")?;
    let server = revive(&launch, stop(server)?)?;
    ensure_same(&expected, &contents(&mut server.client()?)?)
}

/// The server's name as it speaks of itself.
fn name(client: &mut Client) -> Result<&'static str> {
    let valkey = field(client, "server_name")? == "valkey";
    Ok(if valkey { "Valkey" } else { "Redis" })
}

fn bgsave(client: &mut Client, outcome: &str) -> Result<()> {
    client.expect("BGSAVE", "+Background saving started\r\n")?;
    await_no_child(client)?;
    let status = field(client, "rdb_last_bgsave_status")?;
    ensure!(status == outcome, "rdb_last_bgsave_status is {status}");
    Ok(())
}

/// While the last snapshot has failed, whoever would change something hears of it, whatever the
/// way, and everybody else is served.
fn refuses_writers(client: &mut Client) -> Result<()> {
    let error = CANNOT_SAVE.replace("NAME", name(client)?);
    let line = format!("-{error}\r\n");
    for words in ["SET a 2", "DEL a", "PING", "FLUSHALL", "LPUSH a 1"] {
        client.expect(words, &line)?;
    }
    for (words, reply) in [
        ("GET a", "$1\r\n1\r\n"),
        ("PUBLISH channel message", ":0\r\n"),
        ("ECHO hello", "$5\r\nhello\r\n"),
        ("MULTI", "+OK\r\n"),
        ("SET a 3", &line),
        ("GET a", "+QUEUED\r\n"),
        (
            "EXEC",
            "-EXECABORT Transaction discarded because of previous errors.\r\n",
        ),
        ("GET a", "$1\r\n1\r\n"),
    ] {
        client.expect(words, reply)?;
    }
    let script = client.call(&["EVAL", "return redis.call('SET', 'a', 4)", "0"])?;
    ensure!(script.text().contains("MISCONF"), "{script}");
    let script = client.call(&["EVAL", "return redis.call('GET', 'a')", "0"])?;
    ensure!(script.text() == "1", "{script}");
    Ok(())
}

/// A folder by the snapshot's name is in the way of it.
fn a_failed_snapshot_stops_writers_until_one_succeeds(stage: &Stage) -> Result<()> {
    let server = stage.launch().option("save", "10000 100000").start()?;
    let mut client = server.client()?;
    client.expect("SET a 1", "+OK\r\n")?;
    let before = client.say("LASTSAVE")?;
    let target = server.dir().join("dump.rdb");
    fs::create_dir_all(target.join("in the way"))?;
    bgsave(&mut client, "err")?;
    refuses_writers(&mut client)?;
    ensure!(client.say("LASTSAVE")? == before, "LASTSAVE has moved");
    client.expect("CONFIG SET stop-writes-on-bgsave-error no", "+OK\r\n")?;
    client.expect("SET b 1", "+OK\r\n")?;
    client.expect("CONFIG SET stop-writes-on-bgsave-error yes", "+OK\r\n")?;
    let error = client.say("SET c 1")?;
    ensure!(error.text().starts_with("MISCONF"), "{error}");
    // Who wants no snapshots does not miss one.
    client.call(&["CONFIG", "SET", "save", ""])?;
    client.expect("SET c 1", "+OK\r\n")?;
    client.call(&["CONFIG", "SET", "save", "10000 100000"])?;
    let error = client.say("SET d 1")?;
    ensure!(error.text().starts_with("MISCONF"), "{error}");
    let failed = client.say("SAVE")?;
    ensure!(failed.is_error(), "SAVE: {failed}");
    fs::remove_dir_all(&target)?;
    bgsave(&mut client, "ok")?;
    client.expect("SET d 1", "+OK\r\n")?;
    await_no_leftovers(&server)?;
    // A snapshot that succeeds in the foreground is as good.
    fs::remove_file(&target)?;
    fs::create_dir_all(target.join("in the way"))?;
    bgsave(&mut client, "err")?;
    fs::remove_dir_all(&target)?;
    client.expect("SAVE", "+OK\r\n")?;
    client.expect("SET e 1", "+OK\r\n")?;
    let status = field(&mut client, "rdb_last_bgsave_status")?;
    ensure!(status == "ok", "{status}");
    let server = revive(&stage.launch(), server.into_dir())?;
    server.client()?.expect("DBSIZE", ":4\r\n")
}

fn no_room_for_a_snapshot(stage: &Stage) -> Result<()> {
    let dir = TempDir::new()?;
    let launch = tolerant(stage, dir.path())?
        .launch()
        .option("save", "10000 100000");
    let server = revive(&launch, dir)?;
    let mut client = server.client()?;
    client.expect("SET a 1", "+OK\r\n")?;
    client.expect("SAVE", "+OK\r\n")?;
    let old = fs::read(server.dir().join("dump.rdb"))?;
    fill_noise(&mut client, 100)?;
    limit_files(&server, Some(100_000))?;
    bgsave(&mut client, "err")?;
    refuses_writers(&mut client)?;
    let failed = client.say("SAVE")?;
    ensure!(failed.is_error(), "SAVE: {failed}");
    let now = fs::read(server.dir().join("dump.rdb"))?;
    ensure!(now == old, "the old snapshot has changed");
    await_no_leftovers(&server)?;
    limit_files(&server, None)?;
    bgsave(&mut client, "ok")?;
    client.expect("SET a 2", "+OK\r\n")?;
    let server = revive(&launch, server.into_dir())?;
    server.client()?.expect("DBSIZE", ":101\r\n")
}

/// A server that is told to end and cannot save stays, unless it is told to end all the same.
fn who_cannot_save_does_not_end(stage: &Stage) -> Result<()> {
    let launch = stage.launch().option("save", "10000 100000");
    let mut server = launch.start()?;
    let mut client = server.client()?;
    client.expect("SET a 1", "+OK\r\n")?;
    fs::create_dir_all(server.dir().join("dump.rdb/in the way"))?;
    for words in ["SHUTDOWN", "SHUTDOWN SAVE", "SHUTDOWN NOW"] {
        client.expect(words, "-ERR Errors trying to SHUTDOWN. Check logs.\r\n")?;
    }
    server.signal("TERM")?;
    server.wait_log("Error trying to save the DB, can't exit")?;
    client.expect("GET a", "$1\r\n1\r\n")?;
    client.send(&["SHUTDOWN", "FORCE"])?;
    ensure!(client.read_to_close()?.is_empty(), "no reply");
    ensure!(server.wait_exit()? == 0, "SHUTDOWN FORCE");
    // The same for a signal when that was configured.
    let mut server = launch.option("shutdown-on-sigterm", "force").start()?;
    server.client()?.expect("SET a 1", "+OK\r\n")?;
    fs::create_dir_all(server.dir().join("dump.rdb/in the way"))?;
    server.signal("TERM")?;
    ensure!(server.wait_exit()? == 0, "a signal that forces");
    Ok(())
}

/// A child that is killed has done nothing, and that is told.
fn a_killed_snapshot_leaves_the_old_one(stage: &Stage) -> Result<()> {
    let launch = stage.launch().option("save", "10000 100000");
    let mut server = launch.start()?;
    let mut client = server.client()?;
    client.expect("SET a 1", "+OK\r\n")?;
    client.expect("SAVE", "+OK\r\n")?;
    let old = fs::read(server.dir().join("dump.rdb"))?;
    fill_noise(&mut client, 200)?;
    client.expect("CONFIG SET rdb-key-save-delay 1000000", "+OK\r\n")?;
    client.expect("BGSAVE", "+Background saving started\r\n")?;
    await_child(&server)?.kill()?;
    await_no_child(&mut client)?;
    let status = field(&mut client, "rdb_last_bgsave_status")?;
    ensure!(status == "err", "rdb_last_bgsave_status is {status}");
    server.wait_log("terminated by signal 9")?;
    await_no_leftovers(&server)?;
    let now = fs::read(server.dir().join("dump.rdb"))?;
    ensure!(now == old, "the old snapshot has changed");
    refuses_writers(&mut client)?;
    client.expect("CONFIG SET rdb-key-save-delay 0", "+OK\r\n")?;
    bgsave(&mut client, "ok")?;
    client.expect("SET a 2", "+OK\r\n")?;
    let server = revive(&launch, server.into_dir())?;
    server.client()?.expect("DBSIZE", ":201\r\n")
}

fn a_killed_rewrite_leaves_the_old_files(stage: &Stage) -> Result<()> {
    let launch = stage.launch().option("appendonly", "yes");
    let mut server = launch.start()?;
    let mut client = server.client()?;
    fill_noise(&mut client, 200)?;
    client.expect("CONFIG SET rdb-key-save-delay 1000000", "+OK\r\n")?;
    for round in 0..3 {
        client.expect(
            "BGREWRITEAOF",
            "+Background append only file rewriting started\r\n",
        )?;
        let child = await_child(&server)?;
        client.expect(&format!("SET during:{round} 1"), "+OK\r\n")?;
        child.kill()?;
        await_no_child(&mut client)?;
        let status = field(&mut client, "aof_last_bgrewrite_status")?;
        ensure!(status == "err", "aof_last_bgrewrite_status is {status}");
    }
    server.wait_log("terminated by signal 9")?;
    await_no_leftovers(&server)?;
    client.expect("SET after 1", "+OK\r\n")?;
    let expected = contents(&mut client)?;
    ensure!(expected.len() == 204, "{} keys", expected.len());
    let server = revive(&launch, stop(server)?)?;
    let mut client = server.client()?;
    ensure_same(&expected, &contents(&mut client)?)?;
    client.expect(
        "BGREWRITEAOF",
        "+Background append only file rewriting started\r\n",
    )?;
    await_no_child(&mut client)?;
    let lines = manifest(server.dir())?;
    ensure!(lines.len() == 2, "one rewrite folds all: {lines:?}");
    let server = revive(&launch, stop(server)?)?;
    ensure_same(&expected, &contents(&mut server.client()?)?)
}

one_poller!(
    a_full_disk_stops_writers_only,
    a_full_disk_stops_writers_only_with_always,
    a_file_that_cannot_grow_stops_writers_only,
    a_file_that_cannot_grow_stops_writers_only_with_always,
    no_room_for_a_rewrite,
    a_failed_snapshot_stops_writers_until_one_succeeds,
    no_room_for_a_snapshot,
    who_cannot_save_does_not_end,
    a_killed_snapshot_leaves_the_old_one,
    a_killed_rewrite_leaves_the_old_files,
);
