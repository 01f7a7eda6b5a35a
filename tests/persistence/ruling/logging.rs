//! The log: switched on and off, synced in all ways, rewritten, and waited for.

use std::fs;

use anyhow::{Context, Result, ensure};
use dovetail_tests::durable::{
    await_child, await_field, await_no_child, contents, ensure_same, field, log_folder, manifest,
    revive, stop,
};
use dovetail_tests::value::Value;
use dovetail_tests::{Launch, Stage, one_poller, until};

use super::{MANY, REWRITING, converse, count, fill, slow_down};

fn logging(stage: &Stage) -> Launch {
    stage.launch().option("appendonly", "yes")
}

fn commands_answer_as_they_should(stage: &Stage) -> Result<()> {
    let server = logging(stage).start()?;
    let mut client = server.client()?;
    fill(&mut client)?;
    slow_down(&mut client, 1_000_000)?;
    client.expect("BGREWRITEAOF", REWRITING)?;
    let child = await_child(&server)?;
    slow_down(&mut client, 0)?;
    converse(
        &mut client,
        &[
            (
                "BGREWRITEAOF",
                "-ERR Background append only file rewriting already in progress",
            ),
            (
                "BGSAVE",
                "-ERR Another child process is active (AOF?): can't BGSAVE right now. \
                 Use BGSAVE SCHEDULE in order to schedule a BGSAVE whenever possible.",
            ),
            ("BGSAVE SCHEDULE", "+Background saving scheduled"),
            ("SAVE", "+OK"),
            (
                "BGREWRITEAOF x",
                "-ERR wrong number of arguments for 'bgrewriteaof' command",
            ),
        ],
    )?;
    let saves = count(&mut client, "rdb_saves")?;
    child.kill()?;
    // What was scheduled takes place now.
    await_field(&mut client, "rdb_saves", &(saves + 1).to_string())?;
    await_no_child(&mut client)
}

/// What a rewrite leaves is one base and one increment, with what was written meanwhile.
fn a_rewrite_keeps_what_happens_meanwhile(stage: &Stage) -> Result<()> {
    for preamble in ["yes", "no"] {
        let launch = logging(stage).option("aof-use-rdb-preamble", preamble);
        let mut server = launch.start()?;
        let mut client = server.client()?;
        crate::dataset::fill(&mut client)?;
        fill(&mut client)?;
        slow_down(&mut client, 1_000)?;
        client.expect("BGREWRITEAOF", REWRITING)?;
        crate::dataset::change(&server)?;
        for n in 0..MANY {
            client.say(&format!("INCR key:{n}"))?;
        }
        let now = field(&mut client, "aof_rewrite_in_progress")?;
        ensure!(now == "1", "the rewrite was quicker than this");
        await_no_child(&mut client)?;
        server.wait_log("Background AOF rewrite finished successfully")?;
        let lines = manifest(server.dir())?;
        let kinds: Vec<&str> = lines.iter().map(|line| line.2.as_str()).collect();
        ensure!(kinds == ["b", "i"] && lines[0].1 == 2, "{lines:?}");
        until("replaced files are removed", || {
            let left = fs::read_dir(log_folder(server.dir()))?.count();
            Ok((left == 3).then_some(()))
        })?;
        let suffix = if preamble == "yes" { ".rdb" } else { ".aof" };
        ensure!(lines[0].0.ends_with(suffix), "{lines:?}");
        let expected = contents(&mut client)?;
        let server = revive(&launch, stop(server)?)?;
        ensure_same(&expected, &contents(&mut server.client()?)?).context(preamble)?;
    }
    Ok(())
}

/// A rewrite is possible without a log; tools have one made and load it.
fn a_rewrite_needs_no_log(stage: &Stage) -> Result<()> {
    let server = stage.start()?;
    let mut client = server.client()?;
    crate::dataset::fill(&mut client)?;
    let expected = contents(&mut client)?;
    client.expect("BGREWRITEAOF", REWRITING)?;
    await_no_child(&mut client)?;
    await_field(&mut client, "aof_last_bgrewrite_status", "ok")?;
    client.expect("SET unlogged 1", "+OK\r\n")?;
    client.expect("DEBUG LOADAOF", "+OK\r\n")?;
    ensure_same(&expected, &contents(&mut client)?)?;
    let server = revive(&logging(stage), stop(server)?)?;
    ensure_same(&expected, &contents(&mut server.client()?)?).context("as a log")
}

fn a_log_that_has_grown_is_rewritten(stage: &Stage) -> Result<()> {
    let launch = logging(stage)
        .option("auto-aof-rewrite-percentage", "100")
        .option("auto-aof-rewrite-min-size", "20kb");
    let mut server = launch.start()?;
    let mut client = server.client()?;
    until("a rewrite that nobody asked for", || {
        for n in 0..50 {
            client.say(&format!("SET key:{n} {}", "x".repeat(100)))?;
        }
        Ok((field(&mut client, "aof_rewrites")? != "0").then_some(()))
    })?;
    server.wait_log("Starting automatic rewriting of AOF")?;
    await_no_child(&mut client)?;
    let expected = contents(&mut client)?;
    let server = revive(&launch, stop(server)?)?;
    ensure_same(&expected, &contents(&mut server.client()?)?)
}

/// Who asks for it gets no syncs beside a rewrite; they are made up for when it ends, or at once when
/// it is not asked for any more.
fn nothing_is_synced_beside_a_rewrite_if_that_is_asked_for(stage: &Stage) -> Result<()> {
    let server = logging(stage)
        .option("appendfsync", "always")
        .option("no-appendfsync-on-rewrite", "yes")
        .start()?;
    let mut client = server.client()?;
    fill(&mut client)?;
    ensure!(client.say("WAITAOF 1 0 0")? == synced(), "without a child");
    slow_down(&mut client, 1_000_000)?;
    for live in [false, true] {
        client.expect("BGREWRITEAOF", REWRITING)?;
        let child = await_child(&server)?;
        client.expect("SET beside 1", "+OK\r\n")?;
        ensure!(client.say("WAITAOF 1 0 100")? == nothing(), "beside it");
        if live {
            client.expect("CONFIG SET no-appendfsync-on-rewrite no", "+OK\r\n")?;
            ensure!(
                client.say("WAITAOF 1 0 0")? == synced(),
                "asked for no more"
            );
            let now = field(&mut client, "aof_rewrite_in_progress")?;
            ensure!(now == "1", "the rewrite was quicker than this");
        }
        child.kill()?;
        await_no_child(&mut client)?;
        ensure!(client.say("WAITAOF 1 0 0")? == synced(), "behind it");
    }
    Ok(())
}

/// After three failures the next rewrite by itself waits for a minute; one that is asked for does
/// not, and if it succeeds, neither do those behind it.
fn rewrites_that_fail_are_not_tried_for_ever(stage: &Stage) -> Result<()> {
    let server = logging(stage)
        .option("auto-aof-rewrite-percentage", "100")
        .option("auto-aof-rewrite-min-size", "1kb")
        .option("rdb-key-save-delay", "1000000")
        .start()?;
    let mut client = server.client()?;
    fill(&mut client)?;
    for failures in 1..=3 {
        await_child(&server)?.kill()?;
        let name = "aof_rewrites_consecutive_failures";
        await_field(&mut client, name, &failures.to_string())?;
    }
    for n in 0..100 {
        client.say(&format!("SET more:{n} {}", "x".repeat(100)))?;
        ensure!(field(&mut client, "aof_rewrite_in_progress")? == "0", "{n}");
    }
    let begun = server.log().matches("Starting automatic rewriting").count();
    ensure!(begun == 3, "{begun} rewrites");
    slow_down(&mut client, 0)?;
    client.expect("BGREWRITEAOF", REWRITING)?;
    await_field(&mut client, "aof_rewrites_consecutive_failures", "0")?;
    until("a rewrite that nobody asked for", || {
        for n in 0..50 {
            client.say(&format!("SET more:{n} {}", "x".repeat(100)))?;
        }
        Ok((count(&mut client, "aof_rewrites")? > 1).then_some(()))
    })?;
    await_no_child(&mut client)
}

/// A value's commands may be more than is written at a time.
fn a_base_of_commands_holds_large_values(stage: &Stage) -> Result<()> {
    let launch = logging(stage).option("aof-use-rdb-preamble", "no");
    let server = launch.start()?;
    let mut client = server.client()?;
    let commands = ["RPUSH", "SADD", "HSET", "ZADD"];
    for (at, command) in commands.iter().enumerate() {
        let mut words = vec![(*command).to_owned(), format!("large:{at}")];
        for n in 0..20_000 {
            if at > 1 {
                words.push(n.to_string());
            }
            words.push(format!("{n}:{}", "x".repeat(40)));
        }
        let reply = client.call(&words)?;
        ensure!(!reply.is_error(), "{command}: {reply}");
        client.expect(&format!("PEXPIREAT large:{at} 99999999999999"), ":1\r\n")?;
    }
    let long = "y".repeat(1 << 20);
    client.expect(&format!("SET text {long}"), "+OK\r\n")?;
    client.expect("BGREWRITEAOF", REWRITING)?;
    await_no_child(&mut client)?;
    let expected = contents(&mut client)?;
    let server = revive(&launch, stop(server)?)?;
    ensure_same(&expected, &contents(&mut server.client()?)?)
}

/// Switched on, the log has all that was there before, and what is written while it begins.
fn the_log_is_switched_on_and_off(stage: &Stage) -> Result<()> {
    let server = stage.start()?;
    let mut client = server.client()?;
    crate::dataset::fill(&mut client)?;
    fill(&mut client)?;
    slow_down(&mut client, 500)?;
    client.expect("CONFIG SET appendonly yes", "+OK\r\n")?;
    await_field(&mut client, "aof_enabled", "1")?;
    for n in 0..MANY {
        client.say(&format!("INCR key:{n}"))?;
    }
    await_no_child(&mut client)?;
    slow_down(&mut client, 0)?;
    client.expect("SET logged 1", "+OK\r\n")?;
    let logged = contents(&mut client)?;
    client.expect("CONFIG SET appendonly no", "+OK\r\n")?;
    await_field(&mut client, "aof_enabled", "0")?;
    client.expect("SET unlogged 1", "+OK\r\n")?;
    let server = revive(&logging(stage), stop(server)?)?;
    let mut client = server.client()?;
    ensure_same(&logged, &contents(&mut client)?).context("what was logged")?;
    // And on again, over the files that are there.
    client.expect("CONFIG SET appendonly no", "+OK\r\n")?;
    client.expect("SET between 1", "+OK\r\n")?;
    client.expect("CONFIG SET appendonly yes", "+OK\r\n")?;
    client.expect("SET again 1", "+OK\r\n")?;
    await_no_child(&mut client)?;
    let expected = contents(&mut client)?;
    let server = revive(&logging(stage), stop(server)?)?;
    ensure_same(&expected, &contents(&mut server.client()?)?).context("switched on again")
}

/// Who is killed while the log is being switched on has no log yet, and all else is as it was.
fn a_log_that_has_not_begun_is_none(stage: &Stage) -> Result<()> {
    let mut server = stage.start()?;
    let mut client = server.client()?;
    fill(&mut client)?;
    client.expect("SAVE", "+OK\r\n")?;
    let expected = contents(&mut client)?;
    slow_down(&mut client, 1_000_000)?;
    client.expect("CONFIG SET appendonly yes", "+OK\r\n")?;
    let child = await_child(&server)?;
    client.expect("SET late 1", "+OK\r\n")?;
    server.signal("KILL")?;
    server.wait_exit()?;
    drop(child);
    let server = revive(&stage.launch(), server.into_dir())?;
    let mut client = server.client()?;
    ensure_same(&expected, &contents(&mut client)?)?;
    client.expect("CONFIG SET appendonly yes", "+OK\r\n")?;
    client.expect("SET late 2", "+OK\r\n")?;
    await_no_child(&mut client)?;
    let server = revive(&logging(stage), stop(server)?)?;
    server.client()?.expect("GET late", "$1\r\n2\r\n")?;
    server
        .client()?
        .expect("DBSIZE", &format!(":{}\r\n", MANY + 1))
}

fn the_way_of_syncing_changes_live(stage: &Stage) -> Result<()> {
    let launch = logging(stage).option("appendfsync", "always");
    let server = launch.start()?;
    let mut client = server.client()?;
    for (n, way) in ["everysec", "no", "always", "no", "everysec", "always"]
        .iter()
        .enumerate()
    {
        client.expect(&format!("SET {n} {way}"), "+OK\r\n")?;
        client.expect(&format!("CONFIG SET appendfsync {way}"), "+OK\r\n")?;
        client.expect(&format!("RPUSH ways {way}"), &format!(":{}\r\n", n + 1))?;
    }
    let bad = client.say("CONFIG SET appendfsync sometimes")?;
    ensure!(bad.is_error(), "{bad}");
    let expected = contents(&mut client)?;
    let server = revive(&launch, server.into_dir())?;
    ensure_same(&expected, &contents(&mut server.client()?)?)
}

fn the_form_of_the_base_changes_live(stage: &Stage) -> Result<()> {
    let server = logging(stage).start()?;
    let mut client = server.client()?;
    crate::dataset::fill(&mut client)?;
    let expected = contents(&mut client)?;
    for (preamble, begin) in [("no", &b"*"[..]), ("yes", b"REDIS"), ("no", b"*")] {
        client.expect(
            &format!("CONFIG SET aof-use-rdb-preamble {preamble}"),
            "+OK\r\n",
        )?;
        client.expect("BGREWRITEAOF", REWRITING)?;
        await_no_child(&mut client)?;
        let base = log_folder(server.dir()).join(&manifest(server.dir())?[0].0);
        let bytes = fs::read(base)?;
        let is_right = bytes.starts_with(begin) || begin.len() > 1 && bytes.starts_with(b"VALKEY");
        ensure!(is_right, "{}", bytes[..20].escape_ascii());
    }
    let server = revive(&logging(stage), stop(server)?)?;
    ensure_same(&expected, &contents(&mut server.client()?)?)
}

fn nothing() -> Value {
    Value::Array(vec![Value::Integer(0), Value::Integer(0)])
}

fn synced() -> Value {
    Value::Array(vec![Value::Integer(1), Value::Integer(0)])
}

fn waitaof_answers_when_the_log_is_safe(stage: &Stage) -> Result<()> {
    let server = stage.start()?;
    let mut client = server.client()?;
    let off = "-ERR WAITAOF cannot be used when numlocal is set but appendonly is disabled.";
    converse(
        &mut client,
        &[
            ("WAITAOF 1 0 0", off),
            (
                "WAITAOF 2 0 0",
                "-ERR value is out of range, value must between 0 and 1",
            ),
            (
                "WAITAOF x 0 0",
                "-ERR value is not an integer or out of range",
            ),
            ("WAITAOF 0 0 -1", "-ERR timeout is negative"),
            (
                "WAITAOF 0 -1 10",
                "-ERR value is out of range, must be positive",
            ),
        ],
    )?;
    ensure!(
        client.say("WAITAOF 0 0 0")? == nothing(),
        "nothing to wait for"
    );
    ensure!(client.say("WAITAOF 0 1 50")? == nothing(), "no replica");
    client.expect("SET a 1", "+OK\r\n")?;
    client.expect("CONFIG SET appendonly yes", "+OK\r\n")?;
    client.expect("SET a 2", "+OK\r\n")?;
    ensure!(client.say("WAITAOF 1 0 0")? == synced(), "every second");
    client.expect("CONFIG SET appendfsync always", "+OK\r\n")?;
    client.expect("SET a 3", "+OK\r\n")?;
    ensure!(client.say("WAITAOF 1 0 0")? == synced(), "always");
    ensure!(
        client.say("WAITAOF 1 1 50")? == synced(),
        "always, no replica"
    );
    client.expect("MULTI", "+OK\r\n")?;
    client.expect("SET a 4", "+QUEUED\r\n")?;
    client.expect("WAITAOF 1 0 0", "+QUEUED\r\n")?;
    let replies = client.say("EXEC")?.items().context("EXEC")?;
    ensure!(
        replies[1] == synced() || replies[1] == nothing(),
        "{}",
        replies[1]
    );
    Ok(())
}

/// Somebody who waits is told when there is nothing more to wait for.
fn waitaof_ends_with_the_log(stage: &Stage) -> Result<()> {
    let server = logging(stage).start()?;
    let mut client = server.client()?;
    client.expect("CONFIG SET appendfsync no", "+OK\r\n")?;
    client.expect("SET a 5", "+OK\r\n")?;
    client.send(&["WAITAOF", "1", "0", "0"])?;
    let mut other = server.client()?;
    until("somebody waits", || {
        let waiting = field(&mut other, "blocked_clients")? == "1";
        Ok(waiting.then_some(()))
    })?;
    other.expect("CONFIG SET appendonly no", "+OK\r\n")?;
    let reply = client.read()?;
    let off = "ERR WAITAOF cannot be used when numlocal is set but appendonly is disabled.";
    ensure!(reply.is_error() && reply.text() == off, "{reply}");
    Ok(())
}

one_poller!(
    commands_answer_as_they_should,
    a_rewrite_keeps_what_happens_meanwhile,
    a_rewrite_needs_no_log,
    a_log_that_has_grown_is_rewritten,
    nothing_is_synced_beside_a_rewrite_if_that_is_asked_for,
    rewrites_that_fail_are_not_tried_for_ever,
    a_base_of_commands_holds_large_values,
    the_log_is_switched_on_and_off,
    a_log_that_has_not_begun_is_none,
    the_way_of_syncing_changes_live,
    the_form_of_the_base_changes_live,
    waitaof_answers_when_the_log_is_safe,
    waitaof_ends_with_the_log,
);
