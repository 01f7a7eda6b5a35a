//! Scripts that take long: others are told so, and the script can be ended.

use anyhow::{Result, ensure};
use dovetail_tests::{Client, Server, Stage, each_poller, until};

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

each_poller!(
    a_slow_script_lets_others_be_told_and_is_ended,
    a_script_that_has_written_goes_down_with_the_server,
    a_script_outlives_its_client,
    a_slow_script_inside_a_transaction_is_followed_by_the_rest,
);
