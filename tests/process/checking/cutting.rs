//! Torn tails, and cuts at a time: what is asked, what is cut, and what never is.

use std::fs;
use std::path::Path;

use anyhow::{Context, Result, ensure};
use dovetail_engine::codec::aof::write;
use dovetail_tests::process::TempDir;
use dovetail_tests::stage::Report;

use super::{agrees_on_log, check, check_answering, copy_of, elder, file_in, file_of, with_log};

fn read(path: &Path) -> Result<Vec<u8>> {
    fs::read(path).with_context(|| format!("reading {}", path.display()))
}

/// A log that ends anywhere is cut to where redis-check-aof would cut it.
#[test]
fn a_torn_tail_is_cut_where_redis_cuts_it() -> Result<(), Report> {
    let (_server, folder) = with_log()?;
    let whole = read(&file_in(&folder, ".incr.aof")?)?;
    let dir = TempDir::new()?;
    let (ours, theirs) = (dir.path().join("ours.aof"), dir.path().join("theirs.aof"));
    let ends = (0..whole.len()).step_by(5).map(|end| whole[..end].to_vec());
    let zeros = [1, 100, 5000].map(|zeros| [whole.clone(), vec![0; zeros]].concat());
    for torn in ends.chain(zeros) {
        for path in [&ours, &theirs] {
            fs::write(path, &torn).context("writing")?;
        }
        let last = torn.rsplit(|byte| *byte == b'\n').next().unwrap_or(&[]);
        if last.starts_with(b"#") {
            // Redis takes a torn annotation for whole, and appends the next command to it.
            check(&["--fix", "--yes"], &ours)?.expect(0, &["To be removed: "])?;
            assert_eq!(read(&ours)?, &torn[..torn.len() - last.len()]);
            continue;
        }
        let is_whole = agrees_on_log(&ours)?;
        let answer = check(&["--fix", "--yes"], &ours)?;
        let elder = elder("redis-check-aof", &["--fix"], &theirs, "y\n")?;
        assert_eq!((answer.code, elder.code), (0, 0), "{}", answer.shown());
        let said = if is_whole {
            "Nothing to cut."
        } else {
            "Checked again:"
        };
        assert!(answer.says(said), "{}", answer.shown());
        assert_eq!(read(&ours)?, read(&theirs)?, "of {} bytes", torn.len());
        assert!(agrees_on_log(&ours)?);
    }
    Ok(())
}

const TORN: &[u8] = b"*2\r\n$3\r\nDEL\r\n$1\r\na\r\n*3\r\n$3\r\nSET\r\n$1\r\nk\r\n$5\r\nval";
const CUT: usize = 20;

#[test]
fn only_a_yes_cuts() -> Result<(), Report> {
    for answer in ["", "n\n", "\n", "no\n", "q\n"] {
        let (_dir, path) = file_of("torn.aof", TORN)?;
        let answer = check_answering(&["--fix"], &path, answer)?;
        answer.expect(
            1,
            &[
                "torn.aof: torn: it ends within a record (what is whole ends at byte 20)",
                "--fix cuts it to 20 bytes and removes 27",
                "To be removed: 27 bytes, from byte 20 on: SET k val... (5 bytes)",
                "is going to have 20 bytes instead of 47. Continue? [y/N]:",
                "Nothing was cut.",
            ],
        )?;
        assert_eq!(read(&path)?, TORN);
    }
    for (args, answer) in [
        (&["--fix"][..], "y\n"),
        (&["--fix"], "Y"),
        (&["--fix", "--yes"], ""),
        (&["--fix", "-y"], "n\n"),
    ] {
        let (_dir, path) = file_of("torn.aof", TORN)?;
        let answer = check_answering(args, &path, answer)?;
        let asks = args.len() == 1;
        assert_eq!(answer.says("Continue?"), asks, "{}", answer.shown());
        answer.expect(0, &["Cut to 20 bytes", "torn.aof: whole"])?;
        assert_eq!(read(&path)?, &TORN[..CUT]);
        // A second time there is nothing to do.
        check(&["--fix"], &path)?.expect(0, &["Nothing to cut."])?;
    }
    Ok(())
}

#[test]
fn with_json_the_questions_go_elsewhere() -> Result<(), Report> {
    let (_dir, path) = file_of("torn.aof", TORN)?;
    let answer = check_answering(&["--json", "--fix"], &path, "n\n")?;
    answer.expect(1, &[r#""not_cut": "the answer was not yes""#])?;
    answer.expect(
        1,
        &[r#""tail": { "ends": "record", "cut": 20, "bytes_cut": 27"#],
    )?;
    let is_apart = answer.err.contains("Continue? [y/N]:") && !answer.out.contains("Continue?");
    assert!(is_apart, "{}", answer.shown());
    let answer = check_answering(&["--json", "--fix"], &path, "y\n")?;
    answer.expect(0, &[r#""from": 47, "to": 20"#, r#""verdict": "whole""#])?;
    Ok(())
}

/// What a damaged length swallows looks like a torn tail, and is not given up without a word.
#[test]
fn a_damaged_length_is_not_cut_unasked() -> Result<(), Report> {
    let mut bytes =
        b"*2\r\n$3\r\nDEL\r\n$1\r\na\r\n*3\r\n$3\r\nSET\r\n$1\r\nk\r\n$9999\r\nvalue\r\n".to_vec();
    write::command(&mut bytes, ["SET", "l", "value"]);
    write::command(&mut bytes, ["SET", "m", "value"]);
    let (_dir, path) = file_of("log.aof", &bytes)?;
    assert!(!agrees_on_log(&path)?);
    let doubt = "inside of the record at byte 20, which does not end, 2 whole commands stand from";
    check(&["--fix", "--yes"], &path)?.expect(1, &["Nothing was cut", doubt])?;
    assert_eq!(read(&path)?, bytes);
    let answer = check_answering(&["--fix"], &path, "y\n")?;
    answer.expect(0, &["WARNING: probably not just torn", doubt])?;
    assert_eq!(read(&path)?, &bytes[..20]);
    Ok(())
}

#[test]
fn of_a_manifest_only_the_last_file_is_cut() -> Result<(), Report> {
    let (_server, folder) = with_log()?;
    let torn = copy_of(&folder)?;
    let last = file_in(torn.path(), ".incr.aof")?;
    let whole = read(&last)?;
    fs::write(&last, &whole[..whole.len() - 3]).context("writing")?;
    let manifest = file_in(torn.path(), ".manifest")?;
    assert!(!agrees_on_log(&manifest)?);
    check(&[], torn.path())?.expect(1, &["(base): whole", "(increment): torn"])?;
    check(&["--fix", "--yes"], torn.path())?.expect(0, &["To be removed", "SET last"])?;
    assert!(agrees_on_log(&manifest)?);
    // With one more file behind it, the same is no torn tail.
    fs::write(&last, &whole[..whole.len() - 3]).context("writing")?;
    let name = last
        .file_name()
        .context("a name")?
        .to_string_lossy()
        .into_owned();
    let text = String::from_utf8_lossy(&read(&manifest)?).into_owned();
    let more = text + "file more.aof seq 77 type i\n";
    fs::write(&manifest, more).context("writing")?;
    fs::write(torn.path().join("more.aof"), "").context("writing")?;
    assert!(!agrees_on_log(&manifest)?);
    let damage = "it ends within a record";
    let answer = check(&["--fix", "--yes"], &manifest)?;
    answer.expect(1, &[&name, damage, "more files follow", "Nothing was cut"])?;
    // Nor is it when it is named by itself.
    let answer = check(&["--fix", "--yes"], &last)?;
    answer.expect(1, &["Nothing was cut", "is not the last file that"])?;
    assert_eq!(read(&last)?.len(), whole.len() - 3);
    Ok(())
}

/// Commands with their times, one a second from 100 on.
fn timed(count: i64) -> Vec<u8> {
    let mut out = Vec::new();
    for second in 0..count {
        write::timestamp(&mut out, 100 + second);
        write::command(&mut out, ["INCR", "key"]);
    }
    out
}

#[test]
fn a_log_is_cut_before_what_is_later_as_by_redis() -> Result<(), Report> {
    let whole = timed(10);
    for until in [100_i64, 104, 108, 109, 500] {
        let (_dir, ours) = file_of("log.aof", &whole)?;
        let (_dir, theirs) = file_of("log.aof", &whole)?;
        let time = until.to_string();
        let args = ["--truncate-to-timestamp", &time, "--yes"];
        let answer = check(&args, &ours)?;
        elder("redis-check-aof", &args[..2], &theirs, "")?.expect(0, &[])?;
        assert_eq!(read(&ours)?, read(&theirs)?, "until {until}");
        assert_eq!(read(&ours)?, timed(until.min(109) - 99), "until {until}");
        let said = if until < 109 {
            "To be removed"
        } else {
            "Nothing to cut."
        };
        answer.expect(0, &[said])?;
    }
    Ok(())
}

#[test]
fn a_cut_at_a_time_is_asked_about_and_a_no_is_no_success() -> Result<(), Report> {
    let whole = timed(3);
    let (_dir, path) = file_of("log.aof", &whole)?;
    let args = ["--truncate-to-timestamp", "101"];
    for answer in ["", "n\n"] {
        let answer = check_answering(&args, &path, answer)?;
        answer.expect(
            2,
            &["#TS:102 INCR key", "Continue? [y/N]:", "Nothing was cut."],
        )?;
        assert_eq!(read(&path)?, whole);
    }
    check_answering(&args, &path, "y\n")?.expect(0, &["log.aof: whole"])?;
    assert_eq!(read(&path)?, timed(2));
    Ok(())
}

#[test]
fn what_cannot_be_cut_at_a_time_is_refused() -> Result<(), Report> {
    let args = ["--truncate-to-timestamp", "50", "--yes"];
    let mut plain = Vec::new();
    write::command(&mut plain, ["INCR", "key"]);
    let cases: [(&str, Vec<u8>, i32, &str); 4] = [
        ("log.aof", timed(3), 2, "nothing would be left"),
        (
            "log.aof",
            plain.clone(),
            2,
            "there is no annotation of time",
        ),
        (
            "dump.rdb",
            b"REDIS0001\xff".to_vec(),
            2,
            "there are no commands",
        ),
        (
            "log.aof",
            [b"nonsense".to_vec(), timed(3)].concat(),
            2,
            "is no torn tail: damaged",
        ),
    ];
    for (name, bytes, code, said) in cases {
        let (_dir, path) = file_of(name, &bytes)?;
        check(&args, &path)?.expect(code, &["Nothing was cut", said])?;
        assert_eq!(read(&path)?, bytes);
    }
    // Damage behind the time goes with the rest.
    let (_dir, path) = file_of("log.aof", &[timed(3), b"nonsense".to_vec()].concat())?;
    let args = ["--truncate-to-timestamp", "101", "--yes"];
    check(&args, &path)?.expect(0, &["Bad file format", "log.aof: whole"])?;
    assert_eq!(read(&path)?, timed(2));
    Ok(())
}

#[test]
fn a_cut_at_a_time_is_in_the_last_file_of_a_manifest() -> Result<(), Report> {
    let dir = TempDir::new()?;
    let put = |name: &str, bytes: &[u8]| {
        let path = dir.path().join(name);
        fs::write(&path, bytes).with_context(|| format!("writing {name}"))
    };
    put(
        "a.manifest",
        b"file a.1.incr.aof seq 1 type i\nfile a.2.incr.aof seq 2 type i\n",
    )?;
    put("a.1.incr.aof", &timed(5))?;
    put("a.2.incr.aof", &timed(10)[timed(5).len()..])?;
    let manifest = dir.path().join("a.manifest");
    let args = |until| ["--truncate-to-timestamp", until, "--yes"];
    for until in ["102", "107"] {
        let elder = copy_of(dir.path())?;
        let theirs = elder_cut(elder.path(), until)?;
        let answer = check(&args(until), &manifest)?;
        assert_eq!(answer.code == 0, theirs, "{}", answer.shown());
        if until == "102" {
            answer.expect(2, &["a.1.incr.aof is not the last file that"])?;
        } else {
            answer.expect(0, &["To be removed"])?;
        }
        for name in ["a.1.incr.aof", "a.2.incr.aof"] {
            let (ours, theirs) = (dir.path().join(name), elder.path().join(name));
            assert_eq!(read(&ours)?, read(&theirs)?, "{name} until {until}");
        }
    }
    Ok(())
}

fn elder_cut(folder: &Path, until: &str) -> Result<bool> {
    let args = ["--truncate-to-timestamp", until];
    let answer = elder("redis-check-aof", &args, &folder.join("a.manifest"), "")?;
    ensure!(answer.code <= 1, "{}", answer.shown());
    Ok(answer.code == 0)
}
