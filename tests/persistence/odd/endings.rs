//! Logs that end too early, or in zeros.

use std::fs;

use anyhow::{Context, Result, ensure};
use dovetail_tests::durable::{Findings, contents, log_folder, records, revive, stop};
use dovetail_tests::{Stage, one_poller};

use super::{BASE, Folder, HYBRID, INCR, LONE, PAIR, SNAPSHOT};
use super::{loads, logging, refuses, refuses_at, snapshot, two};

/// How the last file of a log may end where it should not, behind `two`.
fn ends() -> Vec<(&'static str, Vec<u8>)> {
    let whole = records(&["MULTI", "SET a 9", "SET c 9"]);
    let multi = |tail: &[u8]| [&whole[..], tail].concat();
    vec![
        ("one byte", b"*".to_vec()),
        ("within the count", b"*3".to_vec()),
        ("behind the count", b"*3\r\n".to_vec()),
        ("within a length", b"*3\r\n$3\r\nSET\r\n$1".to_vec()),
        (
            "within a word",
            b"*3\r\n$3\r\nSET\r\n$1\r\na\r\n$1\r\n".to_vec(),
        ),
        (
            "before the last end",
            b"*2\r\n$3\r\nDEL\r\n$1\r\na\r".to_vec(),
        ),
        ("within an annotation", b"#TS:17000".to_vec()),
        ("behind MULTI", records(&["MULTI"])),
        ("within a transaction", whole.clone()),
        (
            "within a record of a transaction",
            multi(b"*3\r\n$3\r\nSET"),
        ),
        ("within EXEC", multi(b"*1\r\n$4\r\nEXEC\r")),
        ("a zero", b"\0".to_vec()),
        ("zeros", vec![0; 5000]),
        ("many zeros", vec![0; 100_000]),
        ("zeros within a count", [&b"*3"[..], &[0; 100]].concat()),
        (
            "zeros within a word",
            [&b"*3\r\n$3\r\nSET\r\n$1\r\na\r\n$9\r\nxx"[..], &[0; 4096]].concat(),
        ),
        ("zeros within a transaction", multi(&[0; 4096])),
        (
            "zeros within a record of a transaction",
            multi(&[&b"*3\r\n$3\r\nS"[..], &[0; 4096]].concat()),
        ),
    ]
}

/// The last file is cut behind the last whole record, before a transaction that has no end, and
/// the log says where; what is written later is not lost in there.
fn torn_ends_of_the_last_file_are_cut(stage: &Stage) -> Result<()> {
    let mut findings = Findings::default();
    let whole = two();
    for (name, end) in ends() {
        let bytes = [&whole[..], &end].concat();
        let dir = Folder::new(LONE).file(INCR, bytes).make()?;
        let verdict = loads(&logging(stage), dir, &[("a", "1"), ("b", "2")]);
        let verdict = verdict.and_then(|(dir, log)| {
            let file = fs::read(log_folder(dir.path()).join(INCR))?;
            let tail = &file[whole.len()..];
            ensure!(file.starts_with(&whole), "more was cut");
            let next = records(&["SELECT 0", "SET added 1"]);
            let start = next.len().min(tail.len());
            let is_plain = tail[..start] == next[..start] || !stage.is_dovetail();
            ensure!(is_plain, "{}", tail.escape_ascii());
            ensure!(log.contains(INCR), "the file isn't named:\n{log}");
            let offsets = dovetail_tests::durable::offsets(&log);
            let at = whole.len() as u64;
            ensure!(offsets.contains(&at), "{at} isn't named:\n{log}");
            Ok(())
        });
        findings.row(name, verdict);
    }
    findings.verdict()
}

fn torn_ends_stop_a_strict_start(stage: &Stage) -> Result<()> {
    let mut findings = Findings::default();
    let whole = two();
    let strict = logging(stage).option("aof-load-truncated", "no");
    for (name, end) in ends() {
        let bytes = [&whole[..], &end].concat();
        let at = whole.len()..bytes.len() + 1;
        let dir = Folder::new(LONE).file(INCR, bytes).make()?;
        let says = ["Unexpected end of file reading the append only file"];
        findings.row(name, refuses_at(&strict, dir, &says, INCR, at));
    }
    findings.verdict()
}

/// What is torn and not the last file is not torn: somebody has damaged it.
fn torn_ends_of_other_files_are_refused(stage: &Stage) -> Result<()> {
    let mut findings = Findings::default();
    let whole = two();
    for (name, end) in ends() {
        let bytes = [&whole[..], &end].concat();
        let at = whole.len()..bytes.len() + 1;
        for (kind, last) in [("", Vec::new()), (", before more", records(&["SET c 3"]))] {
            let dir = Folder::new(PAIR).file(BASE, bytes.clone()).file(INCR, last);
            let verdict = refuses_at(&logging(stage), dir.make()?, &[], BASE, at.clone());
            findings.row(&format!("{name}{kind}"), verdict);
        }
    }
    findings.verdict()
}

/// Ends that are none of damage.
fn whole_ends_are_left_alone(stage: &Stage) -> Result<()> {
    let mut findings = Findings::default();
    for (name, end) in [
        ("nothing", Vec::new()),
        ("an annotation", b"#TS:1700000000\r\n".to_vec()),
        ("an annotation of another kind", b"#hello\n".to_vec()),
        (
            "a transaction",
            records(&["MULTI", "SET a 1", "SELECT 0", "SET b 2", "EXEC"]),
        ),
        ("an empty transaction", records(&["MULTI", "EXEC"])),
        ("another spelling", records(&["sEt a 1", "select 0"])),
    ] {
        let bytes = [two(), end].concat();
        let strict = logging(stage).option("aof-load-truncated", "no");
        let dir = Folder::new(LONE).file(INCR, bytes.clone()).make()?;
        let verdict = loads(&strict, dir, &[("a", "1"), ("b", "2")]).and_then(|(dir, _)| {
            let file = fs::read(log_folder(dir.path()).join(INCR))?;
            ensure!(file.starts_with(&bytes), "something was cut");
            Ok(())
        });
        findings.row(name, verdict);
    }
    findings.verdict()
}

/// A snapshot is whole or of no use, whatever is allowed for the log's end.
fn short_and_damaged_snapshots_stop_the_start(stage: &Stage) -> Result<()> {
    let mut findings = Findings::default();
    let whole = snapshot()?;
    let short = whole[..whole.len() - 3].to_vec();
    let mut damaged = whole.clone();
    damaged[whole.len() - 12] ^= 1;
    let mut other = whole.clone();
    other[5..9].copy_from_slice(b"0099");
    for (name, bytes) in [
        ("empty", Vec::new()),
        ("short", short),
        ("damaged", damaged),
        ("of tomorrow", other),
    ] {
        let folder = Folder::new(HYBRID).file(SNAPSHOT, bytes.clone());
        let dir = folder.file(INCR, two()).make()?;
        let verdict = refuses(&logging(stage), dir, &[SNAPSHOT]);
        findings.row(name, verdict.map(drop));
        let alone = Folder::new("file appendonly.aof.1.base.rdb seq 1 type b\n");
        let dir = alone.file(SNAPSHOT, bytes.clone()).make()?;
        let verdict = refuses(&logging(stage), dir, &[SNAPSHOT]);
        findings.row(&format!("{name}, alone"), verdict.map(drop));
        let dir = dovetail_tests::process::TempDir::new()?;
        fs::write(dir.path().join("dump.rdb"), bytes)?;
        let verdict = refuses(&stage.launch(), dir, &["dump.rdb"]);
        findings.row(&format!("{name}, no log"), verdict.map(drop));
    }
    findings.verdict()
}

/// A transaction takes effect as a whole or not at all, also when several files are read.
fn a_transaction_that_goes_on_in_the_next_file_is_refused(stage: &Stage) -> Result<()> {
    let open = [two(), records(&["MULTI", "SET a 5"])].concat();
    let at = two().len()..open.len() + 1;
    let folder = Folder::new(PAIR)
        .file(BASE, open)
        .file(INCR, records(&["SET b 5", "EXEC"]));
    refuses_at(&logging(stage), folder.make()?, &[], BASE, at)
}

/// A second tear in the same place is mended as the first was.
fn tears_are_mended_again_and_again(stage: &Stage) -> Result<()> {
    let mut dir = Folder::new(LONE).file(INCR, two()).make()?;
    for round in 1..5 {
        let path = log_folder(dir.path()).join(INCR);
        let mut bytes = fs::read(&path)?;
        bytes.extend_from_slice(&records(&["MULTI", "SET a 9"]));
        bytes.truncate(bytes.len() - round);
        fs::write(&path, bytes)?;
        let server = revive(&logging(stage), dir).with_context(|| format!("round {round}"))?;
        let mut client = server.client()?;
        client.expect("GET a", "$1\r\n1\r\n")?;
        client.expect("INCR rounds", &format!(":{round}\r\n"))?;
        let held = contents(&mut client)?;
        ensure!(held.len() == 3, "round {round}: {} keys", held.len());
        dir = stop(server)?;
    }
    Ok(())
}

one_poller!(
    torn_ends_of_the_last_file_are_cut,
    torn_ends_stop_a_strict_start,
    torn_ends_of_other_files_are_refused,
    whole_ends_are_left_alone,
    short_and_damaged_snapshots_stop_the_start,
    a_transaction_that_goes_on_in_the_next_file_is_refused,
    tears_are_mended_again_and_again,
);
