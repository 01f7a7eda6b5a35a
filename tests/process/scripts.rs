//! Scripts that take long: others are told so, and the script can be ended. Scripts where memory is
//! full or writes are paused: what they declare decides.

use anyhow::{Context, Result, ensure};
use dovetail_tests::{Client, Server, Stage, each_poller, one_poller, until};

const BUSY: &str = "-BUSY Redis is busy running a script. You can only call SCRIPT KILL or SHUTDOWN \
                    NOSAVE.\r\n";
const ENDLESS: &str = "while true do pcall(function() while true do end end) end";
const ENDLESS_WRITER: &str = "redis.call('SET','written','1') while true do end";

/// A server on which `source` is run by the first client, and has become slow.
fn with_slow_script(stage: &Stage, source: &str) -> Result<(Server, Client, Client)> {
    let server = stage.start()?;
    let (mut runner, mut other) = (server.client()?, server.client()?);
    other.expect("CONFIG SET busy-reply-threshold 20", "+OK\r\n")?;
    runner.send(&["EVAL", source, "0"])?;
    runner.send(&["PING"])?;
    until("the script is slow", || {
        let reply = other.say("GET k")?;
        Ok((reply.encode() == BUSY.as_bytes()).then_some(()))
    })?;
    Ok((server, runner, other))
}

fn a_slow_script_lets_others_be_told_and_is_ended(stage: &Stage) -> Result<()> {
    let (mut server, mut runner, mut other) = with_slow_script(stage, ENDLESS)?;
    for command in ["PING", "SET a b", "INFO", "EVAL x 0", "SHUTDOWN"] {
        other.expect(command, BUSY)?;
    }
    other.expect("MULTI", "+OK\r\n")?;
    other.expect("DISCARD", "+OK\r\n")?;
    server.client()?.expect("PING", BUSY)?;
    other.expect("SCRIPT KILL", "+OK\r\n")?;
    let reply = runner.read()?.text();
    let killed = "ERR Script killed by user with SCRIPT KILL... script: ";
    ensure!(reply.contains(killed), "{reply}");
    ensure!(
        runner.read()?.encode() == b"+PONG\r\n",
        "what was sent behind the script is answered after it"
    );
    other.expect("PING", "+PONG\r\n")?;
    other.expect(
        "SCRIPT KILL",
        "-NOTBUSY No scripts in execution right now.\r\n",
    )?;
    ensure!(
        server.log().contains("Slow script detected"),
        "it is logged"
    );
    server.assert_alive()
}

fn a_script_that_has_written_goes_down_with_the_server(stage: &Stage) -> Result<()> {
    let (mut server, mut runner, mut other) = with_slow_script(stage, ENDLESS_WRITER)?;
    let refused = other.say("SCRIPT KILL")?.text();
    ensure!(refused.contains("UNKILLABLE"), "{refused}");
    other.expect("SHUTDOWN", BUSY)?;
    other.send(&["SHUTDOWN", "NOSAVE"])?;
    ensure!(other.read_to_close()?.is_empty(), "the close is the answer");
    ensure!(runner.read_to_close()?.is_empty(), "nothing came of it");
    let code = server.wait_exit()?;
    ensure!(code == 0, "exit code {code}\n{}", server.log());
    Ok(())
}

fn a_script_outlives_its_client(stage: &Stage) -> Result<()> {
    let (mut server, runner, mut other) = with_slow_script(stage, ENDLESS)?;
    drop(runner);
    // One of these gets the place of the one that has gone.
    let mut others = Vec::new();
    for _ in 0..8 {
        let mut next = server.client()?;
        next.expect("GET k", BUSY)?;
        others.push(next);
    }
    drop(others);
    other.expect("SCRIPT KILL", "+OK\r\n")?;
    until("the script is over", || {
        let reply = other.say("PING")?;
        Ok((reply.encode() == b"+PONG\r\n").then_some(()))
    })?;
    until("its client is gone", || {
        let clients = other.say("INFO clients")?.text();
        Ok(clients.contains("connected_clients:1\r\n").then_some(()))
    })?;
    other.expect("EVAL return(1) 0", ":1\r\n")?;
    server.assert_alive()
}

fn a_slow_script_inside_a_transaction_is_followed_by_the_rest(stage: &Stage) -> Result<()> {
    let server = stage.start()?;
    let mut client = server.client()?;
    client.expect("CONFIG SET busy-reply-threshold 1", "+OK\r\n")?;
    let slow = "local n = 0 while n < 3e6 do n = n + 1 end return redis.call('INCR','n')";
    client.expect("MULTI", "+OK\r\n")?;
    for _ in 0..2 {
        client.call(&["EVAL", slow, "0"])?;
    }
    client.expect("INCR n", "+QUEUED\r\n")?;
    client.expect("EXEC", "*3\r\n:1\r\n:2\r\n:3\r\n")?;
    client.expect("GET n", "$1\r\n3\r\n")
}

const OOM: &str = "OOM command not allowed when used memory > 'maxmemory'.";
const WRITE: &str = "return redis.call('SET','a','1')";
const READ: &str = "return redis.call('STRLEN','a')";

fn with_full_memory(stage: &Stage) -> Result<(Server, Client)> {
    let server = stage.start()?;
    let mut client = server.client()?;
    client.expect("SET a 1", "+OK\r\n")?;
    client.expect("CONFIG SET maxmemory 1", "+OK\r\n")?;
    Ok((server, client))
}

/// Runs a script as EVAL, then from the cache, and compares both replies.
fn evaluates(client: &mut Client, suffix: &str, source: &str, expected: &str) -> Result<()> {
    let sha = client.call(&["SCRIPT", "LOAD", source])?.text();
    for (command, script) in [("EVAL", source), ("EVALSHA", sha.as_str())] {
        let reply = client.call(&[&format!("{command}{suffix}"), script, "0"])?;
        let line = String::from_utf8(reply.encode())?;
        ensure!(
            line.starts_with(expected),
            "{command}{suffix} {source:?}: {line}"
        );
    }
    Ok(())
}

/// Calls of a command that ran, were refused before, and failed.
fn calls(client: &mut Client, command: &str) -> Result<[u64; 3]> {
    let stats = client.say("INFO commandstats")?.text();
    let prefix = format!("cmdstat_{command}:");
    let Some(line) = stats.lines().find_map(|line| line.strip_prefix(&prefix)) else {
        return Ok([0; 3]);
    };
    let mut counts = [0; 3];
    for (count, name) in counts
        .iter_mut()
        .zip(["calls", "rejected_calls", "failed_calls"])
    {
        let value = line
            .split(',')
            .find_map(|field| field.strip_prefix(name)?.strip_prefix('='));
        *count = value.context("a field")?.parse()?;
    }
    Ok(counts)
}

fn a_full_memory_is_borne_as_declared(stage: &Stage) -> Result<()> {
    let (_server, mut client) = with_full_memory(stage)?;
    let refusal = format!("-{OOM}");
    let oom = refusal.as_str();
    let read_only = "-ERR Write commands are not allowed from read-only scripts.";
    let wrong_kind = "-ERR Can not execute a script with write flag using *_ro command.";
    for (head, suffix, write, read) in [
        ("", "", oom, ":1"),
        ("", "_RO", read_only, ":1"),
        ("#!lua\n", "", oom, oom),
        ("#!lua\n", "_RO", oom, oom),
        ("#!lua flags=allow-stale\n", "", oom, oom),
        ("#!lua flags=allow-oom\n", "", "+OK", ":1"),
        ("#!lua flags=allow-oom\n", "_RO", wrong_kind, wrong_kind),
        ("#!lua flags=no-writes\n", "", read_only, ":1"),
        ("#!lua flags=no-writes,allow-oom\n", "_RO", read_only, ":1"),
    ] {
        evaluates(&mut client, suffix, &format!("{head}{WRITE}"), write)?;
        evaluates(&mut client, suffix, &format!("{head}{READ}"), read)?;
    }
    // What has written before goes on.
    let second = "redis.call('DEL','none') return redis.call('SET','a','2')";
    evaluates(&mut client, "", second, "+OK")?;
    // The refusal comes before anything is looked at but the declaration.
    client.call(&["SCRIPT", "FLUSH"])?;
    for request in [
        ["EVAL", "#!lua\nreturn 1 +", "0"],
        ["EVAL", "#!lua\nreturn 1", "x"],
    ] {
        let text = client.call(&request)?.text();
        ensure!(text == OOM, "{request:?}: {text}");
    }
    let text = client.call(&["EVAL", "#!lua flags=no\nreturn 1", "0"])?;
    ensure!(text.text() == "ERR Unexpected flag in script shebang: no");
    client.expect("CONFIG SET maxmemory 0", "+OK\r\n")?;
    evaluates(&mut client, "", &format!("#!lua\n{WRITE}"), "+OK")?;
    evaluates(&mut client, "_RO", &format!("#!lua\n{READ}"), wrong_kind)
}

fn refusals_around_scripts_are_counted(stage: &Stage) -> Result<()> {
    let (_server, mut client) = with_full_memory(stage)?;
    let caught = "redis.pcall('SET','a','1') return 1";
    let returned = "return redis.pcall('SET','a','1')";
    let nested = "local e = redis.pcall('SET','a','1') return {e,{redis.error_reply('FOO b'),e}}";
    let declared = format!("#!lua\n{WRITE}");
    for (source, eval, set, ooms) in [
        (WRITE, [1, 0, 1], [0, 1, 0], 1),
        (caught, [1, 0, 0], [0, 1, 0], 1),
        (returned, [1, 0, 1], [0, 1, 0], 1),
        (nested, [1, 0, 3], [0, 1, 0], 1),
        (&declared, [0, 1, 0], [0, 0, 0], 1),
        ("return redis.pcall('SET','a')", [1, 0, 1], [0, 1, 0], 0),
        ("return redis.call('BLPOP','a')", [1, 0, 1], [0, 0, 0], 0),
        (
            "redis.pcall('DEL','b') return redis.call('SET','a','1','x')",
            [1, 0, 1],
            [1, 0, 1],
            0,
        ),
    ] {
        client.expect("CONFIG RESETSTAT", "+OK\r\n")?;
        client.call(&["EVAL", source, "0"])?;
        let counted = (calls(&mut client, "eval")?, calls(&mut client, "set")?);
        ensure!(counted == (eval, set), "{source:?}: {counted:?}");
        let errors = client.say("INFO errorstats")?.text();
        let counted = errors.contains(&format!("errorstat_OOM:count={ooms}\r\n"));
        ensure!(counted == (ooms > 0), "{source:?}: {errors}");
    }
    Ok(())
}

fn a_transaction_counts_what_its_scripts_declare(stage: &Stage) -> Result<()> {
    let (server, mut client) = with_full_memory(stage)?;
    let aborted = format!("EXECABORT Transaction discarded because of: {OOM}");
    let mut other = server.client()?;
    for (head, expected) in [
        ("#!lua\n", aborted.as_str()),
        ("#!lua flags=no-writes\n", ":1"),
        ("#!lua flags=allow-oom\n", ":1"),
        ("", ":1"),
    ] {
        other.expect("CONFIG SET maxmemory 0", "+OK\r\n")?;
        client.expect("MULTI", "+OK\r\n")?;
        client.call(&["EVAL", &format!("{head}{READ}"), "0"])?;
        other.expect("CONFIG SET maxmemory 1", "+OK\r\n")?;
        let reply = client.say("EXEC")?.encode();
        let reply = String::from_utf8_lossy(&reply);
        ensure!(reply.contains(expected), "{head:?}: {reply}");
    }
    Ok(())
}

fn a_pause_of_writes_lets_pass_what_declares_none(stage: &Stage) -> Result<()> {
    let server = stage.start()?;
    let (mut client, mut other) = (server.client()?, server.client()?);
    let declared = format!("#!lua flags=no-writes\n{READ}");
    for (command, source, waits) in [
        ("EVAL", READ, true),
        ("EVAL_RO", READ, false),
        ("EVAL", &declared, false),
        ("EVAL_RO", &declared, false),
    ] {
        other.expect("CLIENT PAUSE 60000 WRITE", "+OK\r\n")?;
        client.send(&[command, source, "0"])?;
        if waits {
            until("it waits", || {
                let clients = other.say("INFO clients")?.text();
                Ok(clients.contains("blocked_clients:1\r\n").then_some(()))
            })?;
            other.expect("CLIENT UNPAUSE", "+OK\r\n")?;
        }
        ensure!(client.read()?.integer() == Some(0), "{command} {source:?}");
        other.expect("CLIENT UNPAUSE", "+OK\r\n")?;
    }
    Ok(())
}

one_poller!(
    a_full_memory_is_borne_as_declared,
    refusals_around_scripts_are_counted,
    a_transaction_counts_what_its_scripts_declare,
    a_pause_of_writes_lets_pass_what_declares_none,
);

each_poller!(
    a_slow_script_lets_others_be_told_and_is_ended,
    a_script_that_has_written_goes_down_with_the_server,
    a_script_outlives_its_client,
    a_slow_script_inside_a_transaction_is_followed_by_the_rest,
);
