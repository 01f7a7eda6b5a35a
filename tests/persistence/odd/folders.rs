//! Manifests, missing and superfluous files, older layouts.

use std::fs;
use std::path::Path;

use anyhow::{Context, Result, ensure};
use dovetail_tests::durable::{
    Contents, Findings, Start, contents, ensure_same, log_folder, manifest, records, revive,
    start_in, strings,
};
use dovetail_tests::process::{TempDir, tail};
use dovetail_tests::{Stage, one_poller, until};

use super::{
    BASE, Folder, INCR, LONE, PAIR, SNAPSHOT, loads, logging, refuses, refuses_at, snapshot, two,
};

/// Lines that are none.
const LINES: &[(&str, &str)] = &[
    (
        "blank line",
        "\nfile appendonly.aof.1.incr.aof seq 1 type i\n",
    ),
    ("few words", "file appendonly.aof.1.incr.aof seq 1\n"),
    (
        "odd words",
        "file appendonly.aof.1.incr.aof seq 1 type i more\n",
    ),
    ("no file", "seq 1 type i other x\n"),
    (
        "no number",
        "file appendonly.aof.1.incr.aof type i other x\n",
    ),
    ("no type", "file appendonly.aof.1.incr.aof seq 1 other x\n"),
    ("number 0", "file appendonly.aof.1.incr.aof seq 0 type i\n"),
    (
        "open quote",
        "file \"appendonly.aof.1.incr.aof seq 1 type i\n",
    ),
];

fn manifests_with_faults_are_refused(stage: &Stage) -> Result<()> {
    let long = format!("file {} seq 1 type i\n", "x".repeat(2000));
    let second = format!("{PAIR}file appendonly.aof.2.base.aof seq 2 type b\n");
    let falling = format!("file appendonly.aof.2.incr.aof seq 2 type i\n{LONE}");
    let too_long = "The AOF manifest file contains too long line";
    let unknown = "file appendonly.aof.1.incr.aof seq 1 type x\n";
    let mut rows = vec![
        ("empty", "", "Found an empty AOF manifest"),
        ("no end of line", LONE.trim_end(), too_long),
        ("long line", &long, too_long),
        ("type x", unknown, "Unknown AOF file type"),
        (
            "two bases",
            &second,
            "Found duplicate base file information",
        ),
        (
            "numbers that fall",
            &falling,
            "Found a non-monotonic sequence number",
        ),
        ("a path", "file ../x/incr.aof seq 1 type i\n", "path"),
    ];
    for (name, text) in LINES {
        rows.push((name, text, "Invalid AOF manifest file format"));
    }
    let mut findings = Findings::default();
    for (name, manifest, says) in rows {
        let folder = Folder::new(manifest)
            .file(INCR, two())
            .file(BASE, "")
            .file("appendonly.aof.2.incr.aof", "")
            .file("appendonly.aof.2.base.aof", "");
        let verdict = refuses(&logging(stage), folder.make()?, &[says]).map(drop);
        findings.row(name, verdict);
    }
    findings.verdict()
}

fn manifests_of_all_spellings_are_read(stage: &Stage) -> Result<()> {
    let rows: &[(&str, String)] = &[
        ("comment", format!("# a comment\n{LONE}")),
        (
            "other order",
            "type i seq 1 file appendonly.aof.1.incr.aof\n".to_owned(),
        ),
        (
            "more pairs",
            "file appendonly.aof.1.incr.aof seq 1 type i colour red\n".to_owned(),
        ),
        (
            "offsets",
            "file appendonly.aof.1.incr.aof seq 1 type i startoffset 1024 endoffset 2048\n"
                .to_owned(),
        ),
        (
            "quotes",
            "file \"appendonly.aof.1.incr.aof\" seq \"1\" type i\n".to_owned(),
        ),
        (
            "gap in the numbers",
            format!("{LONE}file appendonly.aof.7.incr.aof seq 7 type i\n"),
        ),
    ];
    let mut findings = Findings::default();
    for (name, manifest) in rows {
        let folder = Folder::new(manifest)
            .file(INCR, two())
            .file("appendonly.aof.7.incr.aof", "");
        let verdict = loads(&logging(stage), folder.make()?, &[("a", "1"), ("b", "2")]);
        findings.row(name, verdict.map(drop));
    }
    findings.verdict()
}

fn named_files_that_are_missing_stop_the_start(stage: &Stage) -> Result<()> {
    let mut findings = Findings::default();
    let launch = logging(stage);
    let no_base = Folder::new(PAIR).file(INCR, two());
    let says = [BASE, "No such file or directory"];
    findings.row("base", refuses(&launch, no_base.make()?, &says).map(drop));
    let no_incr = Folder::new(PAIR).file(BASE, two());
    let says = [INCR, "No such file or directory"];
    findings.row("incr", refuses(&launch, no_incr.make()?, &says).map(drop));
    findings.verdict()
}

fn files_that_go_without_the_other_kind_are_enough(stage: &Stage) -> Result<()> {
    let pairs = [("a", "1"), ("b", "2")];
    let launch = logging(stage);
    let only_base = "file appendonly.aof.1.base.aof seq 1 type b\n";
    let (dir, _) = loads(
        &launch,
        Folder::new(only_base).file(BASE, two()).make()?,
        &pairs,
    )
    .context("only a base")?;
    let lines = manifest(dir.path())?;
    ensure!(lines.len() == 2 && lines[1].2 == "i", "{lines:?}");
    loads(&launch, Folder::new(LONE).file(INCR, two()).make()?, &pairs).context("only incr")?;
    let both = Folder::new(PAIR).file(BASE, "").file(INCR, "");
    loads(&launch, both.make()?, &[]).context("both empty")?;
    Ok(())
}

/// History is removed at the start, from the folder and from the manifest; what is not named is
/// not touched.
fn history_goes_and_strangers_stay(stage: &Stage) -> Result<()> {
    let text = "file appendonly.aof.2.base.aof seq 2 type b\n\
                file appendonly.aof.1.base.aof seq 1 type h\n\
                file appendonly.aof.1.incr.aof seq 1 type h\n\
                file appendonly.aof.2.incr.aof seq 2 type i\n";
    let folder = Folder::new(text)
        .file(BASE, records(&["SET old 1"]))
        .file(INCR, records(&["SET older 1"]))
        .file("appendonly.aof.2.base.aof", two())
        .file("appendonly.aof.2.incr.aof", "")
        .file("appendonly.aof.9.incr.aof", records(&["SET stranger 1"]));
    let server = revive(&logging(stage), folder.make()?)?;
    let mut client = server.client()?;
    ensure_same(&strings(&[("a", "1"), ("b", "2")]), &contents(&mut client)?)?;
    let folder = log_folder(server.dir());
    until("history is removed", || {
        let lines = manifest(server.dir())?;
        let gone = !folder.join(BASE).exists() && !folder.join(INCR).exists();
        Ok((gone && lines.iter().all(|line| line.2 != "h")).then_some(()))
    })?;
    ensure!(
        folder.join("appendonly.aof.9.incr.aof").exists(),
        "what nobody named is there still"
    );
    Ok(())
}

/// Files without their manifest are data: nobody starts over them as if they weren't.
fn a_lost_manifest_stops_the_start(stage: &Stage) -> Result<()> {
    let mut findings = Findings::default();
    for (name, files) in [
        ("an increment", vec![INCR]),
        ("a base", vec![SNAPSHOT]),
        (
            "a later pair",
            vec!["appendonly.aof.5.base.rdb", "appendonly.aof.7.incr.aof"],
        ),
    ] {
        let mut folder = Folder::default();
        for file in &files {
            folder = folder.file(file, two());
        }
        let says = ["manifest", "appendonlydir"];
        let verdict = refuses(&logging(stage), folder.make()?, &says).and_then(|log| {
            let is_named = files.iter().any(|file| log.contains(file));
            ensure!(is_named, "no file is named:\n{}", tail(&log));
            Ok(())
        });
        findings.row(name, verdict);
    }
    findings.verdict()
}

/// The layout of older servers: one file, which moves into the folder.
fn an_old_single_file_is_taken_over(stage: &Stage) -> Result<()> {
    let mut findings = Findings::default();
    let whole = two();
    let snapshot = snapshot()?;
    let tail = records(&["SELECT 0", "SET b 2"]);
    let torn = [&whole[..], b"*3\r\n$3\r\nSET\r\n$1\r\n"].concat();
    for (name, bytes) in [
        ("commands", whole.clone()),
        ("torn", torn.clone()),
        ("snapshot and commands", [&snapshot[..], &tail].concat()),
        (
            "snapshot and torn commands",
            [&snapshot[..], &tail, b"*3\r\n$3\r\nSE"].concat(),
        ),
    ] {
        let dir = TempDir::new()?;
        fs::write(dir.path().join("appendonly.aof"), &bytes)?;
        let verdict = loads(&logging(stage), dir, &[("a", "1"), ("b", "2")]);
        findings.row(name, verdict.and_then(|(dir, _)| moved(dir.path())));
    }
    let strict = logging(stage).option("aof-load-truncated", "no");
    let dir = TempDir::new()?;
    fs::write(dir.path().join("appendonly.aof"), &torn)?;
    let says = ["Unexpected end of file reading the append only file"];
    let at = whole.len()..torn.len() + 1;
    let verdict = refuses_at(&strict, dir, &says, "appendonly.aof", at);
    findings.row("torn, strictly", verdict);
    findings.verdict()
}

fn moved(dir: &Path) -> Result<()> {
    ensure!(!dir.join("appendonly.aof").exists(), "it is still there");
    ensure!(log_folder(dir).join("appendonly.aof").is_file(), "moved");
    let lines = manifest(dir)?;
    let base = ("appendonly.aof".to_owned(), 1, "b".to_owned());
    ensure!(lines[0] == base && lines.len() == 2, "{lines:?}");
    Ok(())
}

/// A log is asked for, there is none, and there is a snapshot: whatever is served, the snapshot is
/// not passed over in silence.
fn a_snapshot_beside_no_log_is_mentioned(stage: &Stage) -> Result<()> {
    let dir = TempDir::new()?;
    let bytes = snapshot()?;
    fs::write(dir.path().join("dump.rdb"), &bytes)?;
    let server = match start_in(&logging(stage), dir)? {
        Start::Refused(refusal) => {
            refusal.ensure_orderly()?;
            ensure!(refusal.log.contains("dump.rdb"), "{}", refusal.log);
            return Ok(());
        }
        Start::Up(server) => server,
    };
    let held: Contents = contents(&mut server.client()?)?;
    ensure!(
        held == strings(&[("a", "1")]) || held.is_empty() && server.log().contains("dump.rdb"),
        "{} keys, and the log says:\n{}",
        held.len(),
        tail(&server.log())
    );
    let now = fs::read(server.dir().join("dump.rdb"))?;
    ensure!(now == bytes, "the snapshot has changed");
    Ok(())
}

/// A log is not asked for, and there is one: the snapshot counts, and the log is mentioned.
fn a_log_beside_a_snapshot_is_mentioned(stage: &Stage) -> Result<()> {
    let mut findings = Findings::default();
    for (name, with_snapshot) in [("and a snapshot", true), ("and no snapshot", false)] {
        let dir = Folder::new(LONE)
            .file(INCR, records(&["SET log 1"]))
            .make()?;
        let mut expected = strings(&[]);
        if with_snapshot {
            fs::write(dir.path().join("dump.rdb"), snapshot()?)?;
            expected = strings(&[("a", "1")]);
        }
        let server = revive(&stage.launch().option("appendonly", "no"), dir)?;
        let held = contents(&mut server.client()?)?;
        findings.row(name, ensure_same(&expected, &held));
        if !with_snapshot && !server.log().contains("appendonlydir") {
            let text = tail(&server.log());
            findings.row(name, Err(anyhow::anyhow!("it isn't mentioned:\n{text}")));
        }
    }
    findings.verdict()
}

fn nothing_at_all_is_a_fresh_start(stage: &Stage) -> Result<()> {
    let (dir, _) = loads(&logging(stage), TempDir::new()?, &[])?;
    let lines = manifest(dir.path())?;
    let named: Vec<(&str, u64)> = lines.iter().map(|l| (l.2.as_str(), l.1)).collect();
    ensure!(named == [("b", 1), ("i", 1)], "{lines:?}");
    let empty = TempDir::new()?;
    fs::create_dir(log_folder(empty.path()))?;
    loads(&logging(stage), empty, &[]).context("an empty folder")?;
    Ok(())
}

fn other_names_are_used(stage: &Stage) -> Result<()> {
    let launch = logging(stage)
        .option("appendfilename", "own.log")
        .option("appenddirname", "own");
    let (dir, _) = loads(&launch, TempDir::new()?, &[])?;
    let folder = dir.path().join("own");
    ensure!(folder.join("own.log.manifest").is_file(), "the manifest");
    ensure!(folder.join("own.log.1.incr.aof").is_file(), "an increment");
    ensure!(!log_folder(dir.path()).exists(), "and no other folder");
    Ok(())
}

fn a_file_in_the_folders_place_stops_the_start(stage: &Stage) -> Result<()> {
    let dir = TempDir::new()?;
    fs::write(log_folder(dir.path()), "not a folder")?;
    refuses(&logging(stage), dir, &["appendonlydir"]).map(drop)
}

/// Keys whose time has come while nobody ran are gone; those of a log come and go.
fn keys_whose_time_has_come_are_gone(stage: &Stage) -> Result<()> {
    let log = records(&["SELECT 0", "SET gone 1 PXAT 1000", "SET a 1", "SET late 2"]);
    let log = [log, records(&["PEXPIREAT late 2000", "INCR gone"])].concat();
    let dir = Folder::new(LONE).file(INCR, log).make()?;
    let server = revive(&logging(stage), dir)?;
    let mut client = server.client()?;
    for key in ["gone", "late"] {
        client.expect(&format!("GET {key}"), "$-1\r\n")?;
    }
    client.expect("GET a", "$1\r\n1\r\n")
}

one_poller!(
    manifests_with_faults_are_refused,
    manifests_of_all_spellings_are_read,
    named_files_that_are_missing_stop_the_start,
    files_that_go_without_the_other_kind_are_enough,
    history_goes_and_strangers_stay,
    a_lost_manifest_stops_the_start,
    an_old_single_file_is_taken_over,
    a_snapshot_beside_no_log_is_mentioned,
    a_log_beside_a_snapshot_is_mentioned,
    nothing_at_all_is_a_fresh_start,
    other_names_are_used,
    a_file_in_the_folders_place_stops_the_start,
    keys_whose_time_has_come_are_gone,
);
