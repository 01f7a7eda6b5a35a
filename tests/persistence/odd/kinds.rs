//! What has the name of a file of ours and is none: a start neither hangs nor takes it for damage.

use std::fs;
use std::os::unix::fs::symlink;
use std::os::unix::net::UnixListener;
use std::path::Path;
use std::process::Command;

use anyhow::{Context, Result, ensure};
use dovetail_tests::durable::{Findings, log_folder, refused, revive, stop};
use dovetail_tests::process::{TempDir, tail};
use dovetail_tests::{Launch, Stage, one_poller};

use super::{BASE, Folder, INCR, LONE, PAIR, logging, two};

/// The manifest's name.
const MANIFEST: &str = "appendonly.aof.manifest";
/// The kinds, and what the log says of each.
const KINDS: [(&str, &str); 4] = [
    ("pipe", "not a regular file"),
    ("device", "not a regular file"),
    ("folder", "Is a directory"),
    ("socket", "No such device or address"),
];

/// Puts something of that kind there.
fn put(kind: &str, path: &Path) -> Result<()> {
    drop(fs::remove_file(path));
    match kind {
        "pipe" => {
            let status = Command::new("mkfifo").arg(path).status();
            ensure!(status.context("running mkfifo, of coreutils")?.success());
        }
        "device" => symlink("/dev/zero", path)?,
        "folder" => fs::create_dir(path)?,
        _ => drop(UnixListener::bind(path)?),
    }
    Ok(())
}

/// Refuses to start, and says of which file and why.
fn refuses(launch: &Launch, dir: TempDir, name: &str, says: &str) -> Result<()> {
    let refusal = refused(launch, dir)?;
    let is_said = |line: &str| line.contains(name) && line.contains(says);
    ensure!(
        refusal.log.lines().any(is_said),
        "{says:?} is not said of {name}:\n{}",
        tail(&refusal.log)
    );
    Ok(())
}

fn what_is_no_file_stops_the_start(stage: &Stage) -> Result<()> {
    let mut findings = Findings::default();
    let launch = logging(stage);
    for (kind, says) in KINDS {
        let dir = TempDir::new()?;
        put(kind, &dir.path().join("dump.rdb"))?;
        let verdict = refuses(&stage.launch(), dir, "dump.rdb", says);
        findings.row(&format!("{kind} for a snapshot"), verdict);
        for (name, manifest) in [(BASE, PAIR), (INCR, LONE), (MANIFEST, LONE)] {
            let dir = Folder::new(manifest).file(BASE, two()).file(INCR, two());
            let dir = dir.make()?;
            put(kind, &log_folder(dir.path()).join(name))?;
            // Folders are not looked at among the names of files.
            let is_unseen = kind == "folder" && name == MANIFEST;
            let (file, says) = match is_unseen {
                true => (BASE, "no manifest"),
                false => (name, says),
            };
            let verdict = refuses(&launch, dir, file, says);
            findings.row(&format!("{kind} for {name}"), verdict);
        }
    }
    findings.verdict()
}

/// A link to a file is as good as the file.
fn links_to_files_are_followed(stage: &Stage) -> Result<()> {
    let server = stage.start()?;
    let mut client = server.client()?;
    client.expect("SET a 1", "+OK\r\n")?;
    client.expect("SAVE", "+OK\r\n")?;
    let dir = stop(server)?;
    let (name, other) = (dir.path().join("dump.rdb"), dir.path().join("other.rdb"));
    fs::rename(&name, &other)?;
    symlink(&other, &name)?;
    let server = revive(&stage.launch(), dir)?;
    server.client()?.expect("GET a", "$1\r\n1\r\n")
}

/// A snapshot takes the place of whatever cannot be read there.
fn a_snapshot_replaces_a_pipe(stage: &Stage) -> Result<()> {
    let server = stage.start()?;
    let mut client = server.client()?;
    put("pipe", &server.dir().join("dump.rdb"))?;
    let heard = client.say("DEBUG RELOAD NOSAVE")?.to_string();
    ensure!(heard.starts_with("\"-ERR"), "{heard}");
    client.expect("SET a 1", "+OK\r\n")?;
    client.expect("SAVE", "+OK\r\n")?;
    let server = revive(&stage.launch(), stop(server)?)?;
    server.client()?.expect("GET a", "$1\r\n1\r\n")
}

one_poller!(
    what_is_no_file_stops_the_start,
    links_to_files_are_followed,
    a_snapshot_replaces_a_pipe,
);
