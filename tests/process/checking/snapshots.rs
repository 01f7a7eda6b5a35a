//! Snapshots: what is in them, and every kind of damage.

use std::fs;
use std::path::PathBuf;

use anyhow::{Context, Result, ensure};
use dovetail_tests::oracle::{launch_redis7, on_path};
use dovetail_tests::process::TempDir;
use dovetail_tests::stage::Report;
use dovetail_tests::{Client, Server};

use super::{agrees_on_snapshot, check, elder, file_of, send};

/// A key of each type in each form that Redis 7.0 writes, in two databases.
fn fill(client: &mut Client) -> Result<()> {
    send(
        client,
        &[
            "SET word value",
            "SET number 12345",
            "SET later value PXAT 33177117420000",
            "SET soon value PX 1",
            "RPUSH list a b c",
            "HSET hash f v g w",
            "SADD ints 1 2 300",
            "SADD set a b",
            "ZADD zset 1 a 2.5 b",
            "HSET deleted f v",
            "DEL deleted",
        ],
    )?;
    let many = |head: &str, word: &dyn Fn(u32) -> String| {
        let words = (0..600).map(word).collect::<Vec<_>>().join(" ");
        format!("{head} {words}")
    };
    let all = [
        many("HSET bighash", &|n| format!("field{n} {n}")),
        many("ZADD bigzset", &|n| format!("{n} member{n}")),
        many("SADD bigset", &|n| format!("member{n}")),
        many("RPUSH biglist", &|n| format!("element{n}")),
        "SELECT 9".to_owned(),
        "SET elsewhere 1".to_owned(),
        "SELECT 0".to_owned(),
    ];
    let all: Vec<&str> = all.iter().map(String::as_str).collect();
    send(client, &all)?;
    let library = "#!lua name=mylib\nredis.register_function('f', function() return 1 end)";
    let reply = client.call(&["FUNCTION", "LOAD", library])?;
    ensure!(!reply.is_error(), "{reply}");
    Ok(())
}

/// The snapshot of a server that has been filled.
fn snapshot(more: &[&str]) -> Result<(Server, PathBuf)> {
    let server = launch_redis7()?.start()?;
    let mut client = server.client()?;
    // Nothing has ended when the snapshot is written.
    send(&mut client, &["DEBUG SET-ACTIVE-EXPIRE 0"])?;
    fill(&mut client)?;
    send(&mut client, more)?;
    client.expect("SAVE", "+OK\r\n")?;
    let path = server.dir().join("dump.rdb");
    Ok((server, path))
}

#[test]
fn a_snapshot_of_a_real_server_is_counted_key_by_key() -> Result<(), Report> {
    let (_server, path) = snapshot(&[])?;
    let answer = check(&[], &path)?;
    answer.expect(
        0,
        &[
            "dump.rdb: whole",
            "snapshot, REDIS0010",
            "its checksum is right",
            "redis-ver 7.0.",
            "functions: 1 library with 70 bytes: mylib",
            "string string (0) 5",
            "list list of listpacks (18) 2",
            "hash hash in a listpack (16) 1",
            "hash hash (4) 1",
            "set set in an intset (11) 1",
            "set set (2) 2",
            "zset sorted set in a listpack (17) 1",
            "zset sorted set (5) 1",
            "all 14",
            "0 13 2 1",
            "9 1 0 0 13",
            "bigzset 0 zset",
        ],
    )?;
    let elements: [(&str, &str); 4] = [
        ("bighash 0 hash", "600"),
        ("bigset 0 set", "600"),
        ("biglist 0 list", "600"),
        ("list 0 list", "3"),
    ];
    let all = check(&["--top", "99"], &path)?;
    for (key, count) in elements {
        let line = all.out.lines().find(|line| {
            let words: Vec<&str> = line.split_whitespace().collect();
            words.join(" ").starts_with(key)
        });
        let line = line.with_context(|| format!("no {key}: {}", all.shown()))?;
        let found = line.split_whitespace().nth(4);
        assert_eq!(found, Some(count), "{line}");
    }
    let theirs = elder("redis-check-rdb", &[], &path, "")?;
    theirs.expect(0, &["14 keys read", "2 expires", "1 already expired"])?;
    Ok(())
}

#[test]
fn what_is_said_is_said_in_json_too() -> Result<(), Report> {
    let (_server, path) = snapshot(&[])?;
    let answer = check(&["--json", "--top", "1"], &path)?;
    answer.expect(
        0,
        &[
            r#"{ "status": "whole", "checked": [ {"#,
            r#""verdict": "whole""#,
            r#""magic": "REDIS0010""#,
            r#""checksum": "right""#,
            r#""libraries": [ "mylib" ]"#,
            r#""key": "bigzset", "key_bytes": 7, "db": 0, "type": "zset""#,
            r#""elements": 600"#,
        ],
    )?;
    let bytes = fs::read(&path).context("the snapshot")?;
    let (_dir, torn) = file_of("torn.rdb", &bytes[..bytes.len() / 2])?;
    let answer = check(&["--json"], &torn)?;
    answer.expect(
        1,
        &[
            r#"{ "status": "damaged""#,
            r#""damage": { "offset": "#,
            r#""reason": "the file ends too early: it is truncated""#,
        ],
    )?;
    Ok(())
}

/// A flipped bit anywhere, and the file cut off anywhere: nobody calls it whole.
#[test]
fn every_damage_to_a_snapshot_is_found_as_by_redis() -> Result<(), Report> {
    let (_server, path) = snapshot(&[])?;
    let whole = fs::read(&path).context("the snapshot")?;
    ensure_whole(&path)?;
    let dir = TempDir::new()?;
    let path = dir.path().join("damaged.rdb");
    let step = whole.len() / 60 + 1;
    for at in (0..whole.len())
        .step_by(step)
        .chain([0, 7, whole.len() - 1])
    {
        let mut damaged = whole.clone();
        damaged[at] ^= 1 << (at % 8);
        fs::write(&path, &damaged).context("writing")?;
        let is_whole = agrees_on_snapshot(&path).with_context(|| format!("byte {at}"))?;
        assert!(!is_whole, "byte {at}");
        let code = check(&[], &path)?.code;
        // A version is not damage by itself, and no checksum is looked for then.
        assert!(code == 1, "byte {at}: {code}");
        fs::write(&path, &whole[..at]).context("writing")?;
        let is_whole = agrees_on_snapshot(&path).with_context(|| format!("cut at {at}"))?;
        assert!(!is_whole, "cut at {at}");
    }
    Ok(())
}

fn ensure_whole(path: &std::path::Path) -> Result<()> {
    ensure!(agrees_on_snapshot(path)?, "{} is whole", path.display());
    Ok(())
}

#[test]
fn damage_is_named_with_its_key_its_type_and_its_place() -> Result<(), Report> {
    let (_server, path) = snapshot(&[])?;
    let whole = fs::read(&path).context("the snapshot")?;
    let key = b"\x10\x04hash";
    let found = whole.windows(key.len()).position(|part| part == key);
    let at = found.context("the hash is there")?;
    // The kind, the key, the length of the listpack as a string, its length as it states it.
    let place = at + key.len() + 1;
    let mut damaged = whole;
    damaged[place] ^= 0x40;
    let (_dir, path) = file_of("damaged.rdb", &damaged)?;
    let answer = check(&[], &path)?;
    let key = "in key \"hash\" (hash in a listpack, type 16): a listpack's length is not what it";
    answer.expect(1, &["damaged.rdb: damaged: at byte", key])?;
    let fixed = check(&["--fix", "--yes"], &path)?;
    fixed.expect(1, &["Nothing was cut", "is no torn tail"])?;
    Ok(())
}

#[test]
fn bytes_behind_a_snapshot_are_nobodys_damage() -> Result<(), Report> {
    let (_server, path) = snapshot(&[])?;
    let mut bytes = fs::read(&path).context("the snapshot")?;
    bytes.extend_from_slice(b"and more");
    let (_dir, path) = file_of("longer.rdb", &bytes)?;
    ensure_whole(&path)?;
    check(&[], &path)?.expect(0, &["behind the end: 8 bytes that nobody reads"])?;
    Ok(())
}

#[test]
fn a_value_that_is_not_known_here_is_told_from_damage() -> Result<(), Report> {
    let (_server, path) = snapshot(&["MODULE LIST"])?;
    let whole = fs::read(&path).context("the snapshot")?;
    // A module's value of a type that there is nowhere.
    let mut foreign = whole[..9].to_vec();
    foreign.extend_from_slice(b"\x00\x01a\x01b\x07\x06module");
    foreign.extend_from_slice(b"\x81\x00\x00\x00\x00\x00\x00\x04\x01\x00\xff");
    let sum = dovetail_engine::codec::crc64::checksum(&foreign);
    foreign.extend_from_slice(&sum.to_le_bytes());
    let (_dir, path) = file_of("foreign.rdb", &foreign)?;
    let answer = check(&[], &path)?;
    let named =
        "not readable by this version: at byte 23, in key \"module\" (module value, type 7)";
    answer.expect(2, &[named, "is right: it is as it was written", "all 1 5"])?;
    let end = foreign.len() - 1;
    foreign[end] ^= 1;
    let (_dir, path) = file_of("damaged.rdb", &foreign)?;
    check(&[], &path)?.expect(1, &["the checksum of the whole file is wrong"])?;
    Ok(())
}

#[test]
fn an_empty_file_is_no_snapshot() -> Result<(), Report> {
    let (_dir, path) = file_of("dump.rdb", b"")?;
    assert!(!agrees_on_snapshot(&path)?);
    check(&[], &path)?.expect(1, &["it is empty, and a snapshot never is"])?;
    assert!(on_path("redis-check-rdb").is_some());
    Ok(())
}
