//! Records that are none, are of nobody, or fail.

use anyhow::{Result, ensure};
use dovetail_tests::durable::{Findings, Start, records, start_in};
use dovetail_tests::process::tail;
use dovetail_tests::{Stage, one_poller};

use super::{Folder, INCR, LONE, logging, refuses_at, snapshot, two};

/// Bytes that are no record are refused where they stand, in the middle and at the end.
fn what_is_no_record_is_refused(stage: &Stage) -> Result<()> {
    let mut findings = Findings::default();
    let whole = two();
    let snapshot = snapshot()?;
    let rows: &[(&str, &[u8])] = &[
        ("a word", b"hello\r\n"),
        ("another sign", b"$3\r\nSET\r\n"),
        ("a count of 0", b"*0\r\n"),
        ("a count below 0", b"*-1\r\n"),
        ("no count", b"*\r\n"),
        ("a count of letters", b"*x\r\n"),
        ("another sign within", b"*1\r\n+PING\r\n"),
        ("a length below 0", b"*1\r\n$-1\r\n"),
        ("a length of letters", b"*1\r\n$x\r\nPING\r\n"),
        ("too much", b"*1\r\n$4\r\nPINGPONG\r\n"),
        ("an empty line", b"\r\n"),
        ("a reply", b"+OK\r\n"),
        ("zeros before more", b"\0\0\0\0\0\0\0\0"),
        ("a snapshot", &snapshot),
    ];
    for (name, bytes) in rows {
        let log = [&whole[..], bytes, &records(&["SET c 3"])].concat();
        let at = whole.len()..whole.len() + bytes.len() + 2;
        let dir = Folder::new(LONE).file(INCR, log).make()?;
        let says = ["Bad file format reading the append only file"];
        findings.row(name, refuses_at(&logging(stage), dir, &says, INCR, at));
    }
    findings.verdict()
}

fn unknown_commands_are_refused_by_name(stage: &Stage) -> Result<()> {
    let mut findings = Findings::default();
    let whole = two();
    let says = ["Unknown command 'NOSUCH' reading the append only file"];
    for (name, before, after) in [
        ("at the end", &[][..], &[][..]),
        ("in the middle", &[], &["SET c 3"]),
        ("in a transaction", &["MULTI", "SET c 3"], &["EXEC"]),
    ] {
        let start = [&whole[..], &records(before)].concat();
        let record = records(&["NOSUCH thing"]);
        let log = [&start[..], &record, &records(after)].concat();
        let at = start.len()..start.len() + record.len() + 1;
        let dir = Folder::new(LONE).file(INCR, log).make()?;
        findings.row(name, refuses_at(&logging(stage), dir, &says, INCR, at));
    }
    findings.verdict()
}

/// A record that does nothing but fail is the sign of a file that belongs to another dataset. A
/// start that ends, and one that says what has failed, are both right.
fn records_that_fail_are_told(stage: &Stage) -> Result<()> {
    let mut findings = Findings::default();
    for (name, record, word) in [
        ("another type", "RPUSH a 1", "RPUSH"),
        ("no number", "INCRBY a x", "INCRBY"),
        ("too few words", "SET a", "SET"),
        ("no such database", "SELECT 99", "SELECT"),
        ("nothing to end", "EXEC", "EXEC"),
    ] {
        let log = [two(), records(&[record, "SELECT 0", "SET c 3"])].concat();
        let dir = Folder::new(LONE).file(INCR, log).make()?;
        let text = match start_in(&logging(stage), dir)? {
            Start::Up(server) => server.log(),
            Start::Refused(refusal) => {
                refusal.ensure_orderly()?;
                refusal.log
            }
        };
        let said = text.to_uppercase();
        let is_told = said.contains(&format!("'{word}'")) || said.contains(&format!("{word} "));
        let check = || -> Result<()> {
            ensure!(is_told && text.contains(INCR), "{}", tail(&text));
            Ok(())
        };
        findings.row(name, check());
    }
    findings.verdict()
}

one_poller!(
    what_is_no_record_is_refused,
    unknown_commands_are_refused_by_name,
    records_that_fail_are_told,
);
