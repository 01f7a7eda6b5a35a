//! Clients that send all they have, say that this was all, and listen to the end: what a shell
//! does that pipes into a connection.

use anyhow::{Result, ensure};
use dovetail_tests::{Client, Server, Stage, each_poller, until};

/// What a client hears to the end that sends this and says that it was all.
fn ask(server: &Server, lines: &str) -> Result<String> {
    let mut client = server.client()?;
    client.send_raw(lines.as_bytes())?;
    client.finish_sending()?;
    Ok(String::from_utf8_lossy(&client.read_to_close()?).into_owned())
}

fn replies_that_wait_for_the_log_are_heard(stage: &Stage) -> Result<()> {
    let options = |always: &str| {
        let launch = stage.launch().option("appendonly", "yes");
        launch.option("appendfsync", always).start()
    };
    for policy in ["always", "everysec"] {
        let server = options(policy)?;
        for turn in 1..=100 {
            let heard = ask(&server, "SET a 1\r\nINCR n\r\nGET a\r\n")?;
            let expected = format!("+OK\r\n:{turn}\r\n$1\r\n1\r\n");
            ensure!(heard == expected, "{policy}, {turn}: {heard:?}");
        }
        // Several at once, with requests that wait for nothing among them.
        let mut clients = (0..20)
            .map(|_| server.client())
            .collect::<Result<Vec<Client>>>()?;
        for client in &mut clients {
            client.send_raw(b"PING\r\nINCR m\r\nQUIT\r\n")?;
            client.finish_sending()?;
        }
        for client in &mut clients {
            let heard = String::from_utf8_lossy(&client.read_to_close()?).into_owned();
            let is_whole = heard.starts_with("+PONG\r\n:") && heard.ends_with("\r\n+OK\r\n");
            ensure!(is_whole, "{policy}: {heard:?}");
        }
        let mut judge = server.client()?;
        judge.expect("GET m", "$2\r\n20\r\n")?;
        until("all of them are gone", || {
            let info = judge.say("INFO clients")?.to_string();
            Ok(info.contains("connected_clients:1\\r").then_some(()))
        })?;
    }
    Ok(())
}

fn who_waits_for_what_may_never_come_is_let_go(stage: &Stage) -> Result<()> {
    for policy in ["always", "everysec"] {
        let launch = stage.launch().option("appendonly", "yes");
        let server = launch.option("appendfsync", policy).start()?;
        let heard = ask(&server, "SET a 1\r\nBLPOP l 0\r\nSET b 1\r\n")?;
        ensure!(heard == "+OK\r\n", "{policy}: {heard:?}");
        let mut judge = server.client()?;
        judge.expect("RPUSH l x", ":1\r\n")?;
        judge.expect("EXISTS b", ":0\r\n")?;
        judge.expect("LRANGE l 0 -1", "*1\r\n$1\r\nx\r\n")?;
        let heard = ask(&server, "SET a 2\r\nSUBSCRIBE c\r\n")?;
        let subscribed = "+OK\r\n*3\r\n$9\r\nsubscribe\r\n$1\r\nc\r\n:1\r\n";
        ensure!(heard == subscribed, "{policy}: {heard:?}");
        judge.expect("PUBLISH c x", ":0\r\n")?;
    }
    Ok(())
}

fn a_slow_script_is_waited_for(stage: &Stage) -> Result<()> {
    let launch = stage.launch().option("busy-reply-threshold", "1");
    let server = launch.start()?;
    let slow = "EVAL 'local n = 0 while n < 20000000 do n = n + 1 end return n' 0\r\nPING\r\n";
    let heard = ask(&server, slow)?;
    ensure!(heard == ":20000000\r\n+PONG\r\n", "{heard:?}");
    Ok(())
}

each_poller!(
    replies_that_wait_for_the_log_are_heard,
    who_waits_for_what_may_never_come_is_let_go,
    a_slow_script_is_waited_for,
);
