//! SAVE, BGSAVE, LASTSAVE, and save points.

use std::fs;

use anyhow::{Context, Result, ensure};
use dovetail_tests::durable::{
    await_child, await_field, await_no_child, contents, ensure_same, field, revive, stop,
};
use dovetail_tests::{Stage, one_poller, until};

use super::{MANY, await_file, converse, count, fill, slow_down};

const BUSY: &str = "-ERR Background save already in progress";

fn what_is_saved_is_there_at_the_next_start(stage: &Stage) -> Result<()> {
    for command in ["SAVE", "BGSAVE"] {
        let server = stage.start()?;
        let mut client = server.client()?;
        crate::dataset::fill(&mut client)?;
        crate::dataset::change(&server)?;
        let before = client.say("LASTSAVE")?.integer().context("LASTSAVE")?;
        ensure!(
            count(&mut client, "rdb_changes_since_last_save")? > 60,
            "changes"
        );
        let reply = client.say(command)?;
        ensure!(!reply.is_error(), "{reply}");
        await_no_child(&mut client)?;
        for (name, value) in [
            ("rdb_changes_since_last_save", "0"),
            ("rdb_last_bgsave_status", "ok"),
        ] {
            let held = field(&mut client, name)?;
            ensure!(held == value, "{command}: {name}:{held}");
        }
        let after = client.say("LASTSAVE")?.integer().context("LASTSAVE")?;
        ensure!(after >= before, "{before} and {after}");
        ensure!(
            count(&mut client, "rdb_last_save_time")? == after,
            "LASTSAVE"
        );
        let expected = contents(&mut client)?;
        client.expect("SET later 1", "+OK\r\n")?;
        let server = revive(&stage.launch(), server.into_dir())?;
        let mut client = server.client()?;
        ensure_same(&expected, &contents(&mut client)?).context(command)?;
        let loaded = count(&mut client, "rdb_last_load_keys_loaded")?;
        ensure!(loaded == i64::try_from(expected.len())?, "{loaded} keys");
    }
    Ok(())
}

fn commands_answer_as_they_should(stage: &Stage) -> Result<()> {
    let server = stage.launch().option("appendonly", "yes").start()?;
    let mut client = server.client()?;
    converse(
        &mut client,
        &[
            ("SAVE", "+OK"),
            (
                "SAVE x",
                "-ERR wrong number of arguments for 'save' command",
            ),
            (
                "LASTSAVE x",
                "-ERR wrong number of arguments for 'lastsave' command",
            ),
            ("BGSAVE x", "-ERR syntax error"),
            ("BGSAVE SCHEDULE x", "-ERR syntax error"),
            ("BGSAVE schedule", "+Background saving started"),
        ],
    )?;
    await_no_child(&mut client)?;
    fill(&mut client)?;
    slow_down(&mut client, 1_000_000)?;
    client.expect("BGSAVE", "+Background saving started\r\n")?;
    let child = await_child(&server)?;
    converse(
        &mut client,
        &[
            ("BGSAVE", BUSY),
            ("SAVE", BUSY),
            ("BGSAVE SCHEDULE", BUSY),
            (
                "BGREWRITEAOF",
                "+Background append only file rewriting scheduled",
            ),
            ("MULTI", "+OK"),
            ("BGSAVE", "+QUEUED"),
            ("LASTSAVE", "+QUEUED"),
        ],
    )?;
    let replies = client.say("EXEC")?.items().context("EXEC")?;
    ensure!(
        replies[0].text().contains("already in progress"),
        "{}",
        replies[0]
    );
    ensure!(replies[1].integer() > Some(1_700_000_000), "{}", replies[1]);
    client.expect("MULTI", "+OK\r\n")?;
    ensure!(client.say("SAVE")?.is_error(), "SAVE within MULTI");
    ensure!(client.say("EXEC")?.text().starts_with("EXECABORT"), "EXEC");
    for words in ["SAVE", "BGSAVE"] {
        let script = format!("return redis.call('{words}')");
        let reply = client.call(&["EVAL", &script, "0"])?;
        ensure!(reply.text().contains("not allowed from script"), "{reply}");
    }
    await_field(&mut client, "aof_rewrite_scheduled", "1")?;
    slow_down(&mut client, 0)?;
    child.kill()?;
    // What was scheduled takes place now.
    await_field(&mut client, "aof_rewrites", "1")?;
    await_no_child(&mut client)
}

/// A snapshot is of the moment at which it was begun, whatever happens while it is written.
fn a_snapshot_is_of_one_moment(stage: &Stage) -> Result<()> {
    let server = stage.start()?;
    let mut client = server.client()?;
    crate::dataset::fill(&mut client)?;
    fill(&mut client)?;
    let expected = contents(&mut client)?;
    slow_down(&mut client, 1_000)?;
    client.expect("BGSAVE", "+Background saving started\r\n")?;
    for n in 0..MANY {
        match n % 4 {
            0 => client.say(&format!("SET key:{n} other"))?,
            1 => client.say(&format!("DEL key:{n}"))?,
            2 => client.say(&format!("APPEND key:{n} more"))?,
            _ => client.say(&format!("RENAME key:{n} renamed:{n}"))?,
        };
    }
    client.expect("DEL list set", ":2\r\n")?;
    client.call(&["HSET", "big hash", "field-1", "other"])?;
    client.call(&["ZADD", "big zset", "1", "m1"])?;
    client.call(&["RPUSH", "long list", "more"])?;
    client.expect("SELECT 9", "+OK\r\n")?;
    client.expect("FLUSHDB ASYNC", "+OK\r\n")?;
    let reply = client.say("SWAPDB 9 15")?;
    ensure!(!reply.is_error(), "{reply}");
    await_no_child(&mut client)?;
    let status = field(&mut client, "rdb_last_bgsave_status")?;
    ensure!(status == "ok", "{status}");
    let server = revive(&stage.launch(), server.into_dir())?;
    ensure_same(&expected, &contents(&mut server.client()?)?)
}

fn save_points_fire(stage: &Stage) -> Result<()> {
    let launch = stage.launch().option("save", "1000000 1 1 3");
    let mut server = launch.start()?;
    let mut client = server.client()?;
    converse(
        &mut client,
        &[("MSET a 1 b 2", "+OK"), ("DEL b x y z", ":1")],
    )?;
    ensure!(
        count(&mut client, "rdb_changes_since_last_save")? >= 2,
        "changes"
    );
    client.expect("SET c 3", "+OK\r\n")?;
    await_file(&server, "dump.rdb")?;
    server.wait_log("3 changes in 1 seconds. Saving...")?;
    await_field(&mut client, "rdb_changes_since_last_save", "0")?;
    server.wait_log("Background saving terminated with success")?;
    // Live as well.
    fs::remove_file(server.dir().join("dump.rdb"))?;
    client.call(&["CONFIG", "SET", "save", "1 1"])?;
    client.expect("CONFIG GET save", "*2\r\n$4\r\nsave\r\n$3\r\n1 1\r\n")?;
    client.expect("SET d 4", "+OK\r\n")?;
    await_file(&server, "dump.rdb")?;
    server.wait_log("1 changes in 1 seconds. Saving...")?;
    await_no_child(&mut client)?;
    client.call(&["CONFIG", "SET", "save", ""])?;
    client.expect("CONFIG GET save", "*2\r\n$4\r\nsave\r\n$0\r\n\r\n")?;
    let bad = client.call(&["CONFIG", "SET", "save", "1 1 1"])?;
    ensure!(bad.text().contains("Invalid save parameters"), "{bad}");
    let server = revive(&stage.launch(), server.into_dir())?;
    server
        .client()?
        .expect("MGET a c d", "*3\r\n$1\r\n1\r\n$1\r\n3\r\n$1\r\n4\r\n")
}

/// Another name and another folder, at run time.
fn snapshots_go_where_they_are_told(stage: &Stage) -> Result<()> {
    let server = stage.start()?;
    let mut client = server.client()?;
    client.expect("SET a 1", "+OK\r\n")?;
    let other = server.dir().join("other");
    fs::create_dir(&other)?;
    let path = other.to_string_lossy().into_owned();
    client.expect(&format!("CONFIG SET dir {path}"), "+OK\r\n")?;
    client.expect("CONFIG SET dbfilename own.rdb", "+OK\r\n")?;
    client.expect("SAVE", "+OK\r\n")?;
    ensure!(other.join("own.rdb").is_file(), "the foreground's");
    fs::remove_file(other.join("own.rdb"))?;
    client.expect("BGSAVE", "+Background saving started\r\n")?;
    await_file(&server, "other/own.rdb").context("the background's")?;
    await_no_child(&mut client)?;
    for (words, error) in [
        ("CONFIG SET dbfilename a/b", "can't be a path"),
        (
            "CONFIG SET dir /no/such/folder",
            "No such file or directory",
        ),
    ] {
        let reply = client.say(words)?;
        ensure!(
            reply.is_error() && reply.text().contains(error),
            "{words}: {reply}"
        );
    }
    client.expect("SAVE", "+OK\r\n")?;
    let launch = stage
        .launch()
        .option("dir", &path)
        .option("dbfilename", "own.rdb");
    let server = revive(&launch, server.into_dir())?;
    server.client()?.expect("GET a", "$1\r\n1\r\n")
}

/// Who empties everything does not want the old data back.
fn flushall_ends_a_snapshot(stage: &Stage) -> Result<()> {
    let server = stage.launch().option("save", "100000 100000").start()?;
    let mut client = server.client()?;
    fill(&mut client)?;
    client.expect("SAVE", "+OK\r\n")?;
    slow_down(&mut client, 1_000_000)?;
    client.expect("BGSAVE", "+Background saving started\r\n")?;
    let child = await_child(&server)?;
    slow_down(&mut client, 0)?;
    client.expect("FLUSHALL", "+OK\r\n")?;
    await_no_child(&mut client)?;
    until("the child ends", || {
        let children = dovetail_tests::durable::children(server.pid())?;
        Ok((!children.contains(&child.pid)).then_some(()))
    })?;
    let status = field(&mut client, "rdb_last_bgsave_status")?;
    ensure!(status == "ok", "{status}");
    client.expect("SET a 1", "+OK\r\n")?;
    let server = revive(&stage.launch(), server.into_dir())?;
    server.client()?.expect("DBSIZE", ":0\r\n")
}

/// Reloading is what tools do to see that a dataset survives.
fn debug_reloads_what_there_is(stage: &Stage) -> Result<()> {
    for option in ["no", "yes"] {
        let server = stage.launch().option("appendonly", option).start()?;
        let mut client = server.client()?;
        crate::dataset::fill(&mut client)?;
        crate::dataset::change(&server)?;
        let expected = contents(&mut client)?;
        client.expect("DEBUG RELOAD", "+OK\r\n")?;
        ensure_same(&expected, &contents(&mut client)?).context("DEBUG RELOAD")?;
        if option == "yes" {
            client.expect("DEBUG LOADAOF", "+OK\r\n")?;
            ensure_same(&expected, &contents(&mut client)?).context("DEBUG LOADAOF")?;
        }
        client.expect("SET after 1", "+OK\r\n")?;
        if option == "yes" {
            let launch = stage.launch().option("appendonly", option);
            let server = revive(&launch, stop(server)?)?;
            server.client()?.expect("GET after", "$1\r\n1\r\n")?;
        }
    }
    Ok(())
}

one_poller!(
    what_is_saved_is_there_at_the_next_start,
    commands_answer_as_they_should,
    a_snapshot_is_of_one_moment,
    save_points_fire,
    snapshots_go_where_they_are_told,
    flushall_ends_a_snapshot,
    debug_reloads_what_there_is,
);
