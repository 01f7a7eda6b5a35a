//! Logs: what is in them, and damage that is not a torn tail.

use std::fs;
use std::path::Path;

use anyhow::{Context, Result, ensure};
use dovetail_engine::codec::aof::{Sealer, write};
use dovetail_tests::process::TempDir;
use dovetail_tests::stage::Report;

use super::{agrees_on_log, check, copy_of, file_in, file_of, with_log};

#[test]
fn a_log_of_a_real_server_is_counted_command_by_command() -> Result<(), Report> {
    let (_server, folder) = with_log()?;
    let manifest = file_in(&folder, ".manifest")?;
    assert!(agrees_on_log(&manifest)?);
    let said = [
        "(base): whole",
        "snapshot, REDIS0010",
        "aof-base 1",
        "list 0 list",
        "(increment): whole",
        "1 transaction",
        "times: ",
        "SET ",
        "INCR 2",
        "SELECT 2",
        "MULTI 1",
        "EXEC 1",
    ];
    check(&[], &manifest)?.expect(0, &said)?;
    // The folder stands for the manifest in it.
    check(&[], &folder)?.expect(0, &said)?;
    let json = check(&["--json"], &folder)?;
    json.expect(
        0,
        &[
            r#""role": "base", "form": "snapshot""#,
            r#""role": "increment", "form": "log""#,
            r#""transactions": 1"#,
            r#""name": "INCR", "count": 2"#,
        ],
    )?;
    Ok(())
}

#[test]
fn commands_behind_a_snapshot_are_read_with_it() -> Result<(), Report> {
    let (_server, folder) = with_log()?;
    let mut old = fs::read(file_in(&folder, ".base.rdb")?).context("the base")?;
    let base = old.len();
    old.extend(fs::read(file_in(&folder, ".incr.aof")?).context("the increment")?);
    let (_dir, path) = file_of("appendonly.aof", &old)?;
    assert!(agrees_on_log(&path)?);
    let answer = check(&[], &path)?;
    answer.expect(
        0,
        &["appendonly.aof: whole", "snapshot, REDIS0010", "INCR 2"],
    )?;
    // What follows the snapshot is a log, whatever it looks like.
    let mut damaged = old.clone();
    damaged[base] = b'x';
    let (_dir, path) = file_of("appendonly.aof", &damaged)?;
    assert!(!agrees_on_log(&path)?);
    let at = format!("Bad file format at offset {base}: a command was expected");
    check(&[], &path)?.expect(1, &[&at])?;
    // Without its end the snapshot is no torn tail.
    let (_dir, path) = file_of("appendonly.aof", &old[..base - 1])?;
    assert!(!agrees_on_log(&path)?);
    check(&["--fix", "--yes"], &path)?.expect(1, &["truncated", "Nothing was cut"])?;
    ensure_len(&path, base - 1)?;
    Ok(())
}

fn ensure_len(path: &Path, len: usize) -> Result<()> {
    let found = fs::metadata(path)?.len();
    ensure!(found == len as u64, "{found} bytes, not {len}");
    Ok(())
}

/// A byte that frames a word, in the middle of a log.
#[test]
fn damage_in_the_middle_is_named_and_never_cut() -> Result<(), Report> {
    let (_server, folder) = with_log()?;
    let whole = fs::read(file_in(&folder, ".incr.aof")?).context("the increment")?;
    let dir = TempDir::new()?;
    let path = dir.path().join("damaged.aof");
    let frames = (0..whole.len() / 2).filter(|at| matches!(whole[*at], b'*' | b'$' | b'\n'));
    for at in frames {
        let mut damaged = whole.clone();
        damaged[at] = b'!';
        fs::write(&path, &damaged).context("writing")?;
        let is_whole = agrees_on_log(&path)?;
        // The end of an annotation may move to the end of the next line.
        if is_whole {
            let line = whole[..at].rsplit(|byte| *byte == b'\n').next();
            assert!(line.is_some_and(|line| line.starts_with(b"#")), "byte {at}");
            continue;
        }
        let answer = check(&["--fix", "--yes"], &path)?;
        answer.expect(1, &["Bad file format at offset", "Nothing was cut"])?;
        assert_eq!(fs::read(&path).context("reading")?, damaged, "byte {at}");
    }
    Ok(())
}

/// A log with a seal behind every command.
fn sealed() -> Vec<u8> {
    let (mut out, mut sealer) = (Vec::new(), Sealer::new());
    for value in ["one", "two", "three"] {
        let from = out.len();
        write::command(&mut out, ["SET", "key", value]);
        sealer.seal(&mut out, from);
    }
    out
}

#[test]
fn seals_are_counted_and_held_against_the_bytes() -> Result<(), Report> {
    let whole = sealed();
    let (_dir, path) = file_of("sealed.aof", &whole)?;
    assert!(agrees_on_log(&path)?);
    let answer = check(&[], &path)?;
    answer.expect(
        0,
        &["3 seals (aof-checksum), all good, of 95 bytes", "SET 3"],
    )?;
    let found = whole.windows(3).position(|part| part == b"two");
    let at = found.context("the value is there")?;
    let mut damaged = whole;
    damaged[at] = b'T';
    let (_dir, path) = file_of("sealed.aof", &damaged)?;
    let answer = check(&["--fix", "--yes"], &path)?;
    let flaw = "they do not have the checksum that was written behind them";
    answer.expect(
        1,
        &[
            "Corrupt bytes from offset 64 to 95",
            flaw,
            "Nothing was cut",
        ],
    )?;
    answer.expect(1, &["1 seal (aof-checksum)", "whole up to byte"])?;
    Ok(())
}

/// Something done to a file.
type Damage<'a> = &'a dyn Fn(&Path) -> Result<()>;

#[test]
fn a_file_that_is_missing_or_damaged_is_found_through_the_manifest() -> Result<(), Report> {
    let (_server, folder) = with_log()?;
    let damages: [(&str, Damage<'_>, &str); 5] = [
        (
            ".incr.aof",
            &|path| Ok(fs::remove_file(path)?),
            "it is not there",
        ),
        (
            ".base.rdb",
            &|path| Ok(fs::remove_file(path)?),
            "it is not there",
        ),
        (".base.rdb", &|path| shorten(path, 1), "truncated"),
        (
            ".manifest",
            &|path| shorten(path, 1),
            "The AOF manifest file contains too long line (line 2",
        ),
        (
            ".manifest",
            &|path| Ok(fs::write(path, "file a seq 1 type x\n")?),
            "Unknown AOF file type (line 1: 'file a seq 1 type x')",
        ),
    ];
    for (suffix, damage, said) in damages {
        let copy = copy_of(&folder)?;
        damage(&file_in(copy.path(), suffix)?)?;
        let manifest = file_in(copy.path(), ".manifest")?;
        assert!(!agrees_on_log(&manifest)?, "{suffix}");
        check(&[], &manifest)?.expect(1, &[said])?;
        check(&["--fix", "--yes"], copy.path())?.expect(1, &["Nothing was cut"])?;
    }
    Ok(())
}

fn shorten(path: &Path, by: usize) -> Result<()> {
    let bytes = fs::read(path)?;
    fs::write(path, &bytes[..bytes.len() - by])?;
    Ok(())
}

#[test]
fn a_folder_has_one_manifest() -> Result<(), Report> {
    let dir = TempDir::new()?;
    check(&[], dir.path())?.expect(2, &["there is no manifest in this folder"])?;
    let write = |name: &str| fs::write(dir.path().join(name), "# nothing\n");
    write("a.manifest").context("writing")?;
    write("temp-a.manifest").context("writing")?;
    check(&[], dir.path())?.expect(0, &["a.manifest: whole"])?;
    write("b.manifest").context("writing")?;
    check(&[], dir.path())?.expect(2, &["several manifests", "a.manifest, b.manifest"])?;
    Ok(())
}

#[test]
fn an_empty_log_is_whole() -> Result<(), Report> {
    let (_dir, path) = file_of("appendonly.aof", b"")?;
    assert!(agrees_on_log(&path)?);
    check(&["--fix"], &path)?.expect(0, &["Nothing to cut"])?;
    Ok(())
}
