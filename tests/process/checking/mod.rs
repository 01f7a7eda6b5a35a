//! `dovetail-check` on files that real servers wrote, whole and damaged, beside the checkers of
//! Redis 7.0.

mod cutting;
mod logs;
mod snapshots;

use std::fs;
use std::io::Write as _;
use std::path::{Path, PathBuf};
use std::process::{Command, Stdio};

use anyhow::{Context, Result, ensure};
use dovetail_tests::oracle::{launch_redis7, on_path};
use dovetail_tests::process::{TempDir, exit_code};
use dovetail_tests::stage::{Report, checker};
use dovetail_tests::{Client, Server, until};

/// What a program has answered.
#[derive(Debug)]
struct Answer {
    code: i32,
    out: String,
    err: String,
}

impl Answer {
    /// Whether standard output has these words one after another, however they are spaced.
    fn says(&self, words: &str) -> bool {
        let spaced = |text: &str| text.split_whitespace().collect::<Vec<_>>().join(" ");
        spaced(&self.out).contains(&spaced(words))
    }

    /// That it ended with this code and says all of these.
    fn expect(&self, code: i32, all: &[&str]) -> Result<()> {
        ensure!(self.code == code, "not {code}: {}", self.shown());
        for words in all {
            ensure!(self.says(words), "no {words:?}: {}", self.shown());
        }
        Ok(())
    }

    fn shown(&self) -> String {
        format!("exit code {}\n{}\n{}", self.code, self.out, self.err)
    }
}

fn run(program: &Path, args: &[&str], path: &Path, input: &str) -> Result<Answer> {
    let mut child = Command::new(program)
        .args(args)
        .arg(path)
        .stdin(Stdio::piped())
        .stdout(Stdio::piped())
        .stderr(Stdio::piped())
        .spawn()
        .with_context(|| format!("running {}", program.display()))?;
    let mut stdin = child.stdin.take().context("its input is a pipe")?;
    // A program that asks nothing may have ended already.
    stdin.write_all(input.as_bytes()).ok();
    drop(stdin);
    let output = child.wait_with_output()?;
    Ok(Answer {
        code: exit_code(output.status),
        out: String::from_utf8_lossy(&output.stdout).into_owned(),
        err: String::from_utf8_lossy(&output.stderr).into_owned(),
    })
}

/// Runs `dovetail-check`, which has no answer to its questions.
fn check(args: &[&str], path: &Path) -> Result<Answer> {
    check_answering(args, path, "")
}

fn check_answering(args: &[&str], path: &Path, input: &str) -> Result<Answer> {
    run(&checker()?, args, path, input)
}

/// Runs one of the checkers of Redis 7.0.
fn elder(name: &str, args: &[&str], path: &Path, input: &str) -> Result<Answer> {
    let program = on_path(name)
        .with_context(|| format!("{name} is not on the PATH: `cargo x test` installs it"))?;
    run(&program, args, path, input)
}

/// That `dovetail-check` calls a log whole or not, as redis-check-aof does; whether it is.
fn agrees_on_log(path: &Path) -> Result<bool> {
    let (ours, theirs) = (check(&[], path)?, elder("redis-check-aof", &[], path, "")?);
    ensure!(
        (ours.code == 0) == (theirs.code == 0),
        "{}: {}\nredis-check-aof: {}",
        path.display(),
        ours.shown(),
        theirs.shown()
    );
    Ok(ours.code == 0)
}

/// The same of a snapshot.
fn agrees_on_snapshot(path: &Path) -> Result<bool> {
    let (ours, theirs) = (check(&[], path)?, elder("redis-check-rdb", &[], path, "")?);
    ensure!(
        (ours.code == 0) == (theirs.code == 0),
        "{}: {}\nredis-check-rdb: {}",
        path.display(),
        ours.shown(),
        theirs.shown()
    );
    Ok(ours.code == 0)
}

/// A file of these bytes in a directory of its own.
fn file_of(name: &str, bytes: &[u8]) -> Result<(TempDir, PathBuf)> {
    let dir = TempDir::new()?;
    let path = dir.path().join(name);
    fs::write(&path, bytes)?;
    Ok((dir, path))
}

/// Sends commands, each a line, and wants no error.
fn send(client: &mut Client, lines: &[&str]) -> Result<()> {
    for line in lines {
        let reply = client.say(line)?;
        ensure!(!reply.is_error(), "{line}: {reply}");
    }
    Ok(())
}

/// A redis-server that writes a log, has written a base with a snapshot, and then some commands; its
/// log.
fn with_log() -> Result<(Server, PathBuf)> {
    let launch = launch_redis7()?
        .option("appendonly", "yes")
        .option("appendfsync", "always")
        .option("aof-timestamp-enabled", "yes");
    let server = launch.start()?;
    let mut client = server.client()?;
    send(
        &mut client,
        &["SET base 1", "RPUSH list a b c", "BGREWRITEAOF"],
    )?;
    until("the end of the rewrite", || {
        let info = client.say("INFO persistence")?.text();
        let is_over = info.contains("aof_rewrite_in_progress:0")
            && info.contains("aof_rewrite_scheduled:0")
            && info.contains("aof_base_size:")
            && !info.contains("aof_rewrites:0");
        Ok(is_over.then_some(()))
    })?;
    send(
        &mut client,
        &[
            "SET first value",
            "MULTI",
            "INCR counter",
            "INCR counter",
            "EXEC",
            "SELECT 3",
            "SET elsewhere value",
        ],
    )?;
    let folder = server.dir().join("appendonlydir");
    // It notes the time with the first command of what it takes for another second.
    let log = file_in(&folder, ".incr.aof")?;
    let mut before = String::new();
    until("an annotation of the time", || {
        let now = client.say("TIME")?.items().context("two words")?[0].text();
        if now != before {
            send(&mut client, &["SET last valuevaluevalue"])?;
            before = now;
        }
        let text = fs::read(&log)?;
        let has_time = text.windows(4).any(|part| part == b"#TS:");
        Ok(has_time.then_some(()))
    })?;
    Ok((server, folder))
}

/// The only file in a folder whose name ends so.
fn file_in(folder: &Path, suffix: &str) -> Result<PathBuf> {
    let mut found = Vec::new();
    for entry in fs::read_dir(folder)? {
        let path = entry?.path();
        if path.to_string_lossy().ends_with(suffix) {
            found.push(path);
        }
    }
    ensure!(found.len() == 1, "{suffix}: {found:?}");
    found.pop().context("there is one")
}

/// A folder with copies of the files of another.
fn copy_of(folder: &Path) -> Result<TempDir> {
    let dir = TempDir::new()?;
    for entry in fs::read_dir(folder)? {
        let path = entry?.path();
        let name = path.file_name().context("a file has a name")?;
        fs::copy(&path, dir.path().join(name))?;
    }
    Ok(dir)
}

#[test]
fn a_wrong_command_line_is_told_from_damage() -> Result<(), Report> {
    let nowhere = Path::new("/nowhere/dump.rdb");
    let wrong: [(&[&str], &Path); 4] = [
        (&["--nosuch"], nowhere),
        (&["--fix", "--truncate-to-timestamp", "1"], nowhere),
        (&[], nowhere),
        (&[], Path::new("/dev/null")),
    ];
    for (args, path) in wrong {
        check(args, path)?.expect(2, &[])?;
    }
    let (_dir, path) = file_of("what", b"\x7fELF")?;
    check(&[], &path)?.expect(2, &["neither its content nor its name"])?;
    let help = check(&["--help"], &path)?;
    help.expect(0, &["0 whole", "1 damaged", "2 cannot be read", "--fix"])?;
    Ok(())
}

#[test]
fn of_several_files_the_worst_decides() -> Result<(), Report> {
    let (_dir, whole) = file_of("whole.aof", b"*1\r\n$4\r\nPING\r\n")?;
    let (_dir, torn) = file_of("torn.aof", b"*1\r\n$4\r\nPI")?;
    let whole = whole.to_string_lossy().into_owned();
    check(&[&whole], &torn)?.expect(1, &["whole.aof: whole", "torn.aof: torn"])?;
    check(&[&whole], Path::new(&whole))?.expect(0, &[])?;
    check(&[&whole, &torn.to_string_lossy()], Path::new("/nowhere"))?.expect(2, &[])?;
    Ok(())
}
