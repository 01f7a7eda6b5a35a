//! Clients that vanish, stop reading, or trickle: nobody else notices.

use anyhow::{Context, Result, ensure};
use dovetail_tests::value::request;
use dovetail_tests::{Client, Server, Stage, each_poller, until};

fn number(client: &mut Client, section: &str, name: &str) -> Result<u64> {
    let info = client.say(&format!("INFO {section}"))?.text();
    let prefix = format!("{name}:");
    let value = info.lines().find_map(|line| line.strip_prefix(&prefix));
    Ok(value
        .with_context(|| format!("INFO has no {name}"))?
        .parse()?)
}

fn await_alone(client: &mut Client) -> Result<()> {
    until("the others are gone", || {
        Ok((number(client, "clients", "connected_clients")? == 1).then_some(()))
    })
}

fn clients_that_vanish_leave_nothing_behind(stage: &Stage) -> Result<()> {
    let mut server = stage.start()?;
    let mut watcher = server.client()?;
    let big = request(&["SET", "big", &"x".repeat(3_000_000)]);
    let cuts: [&[u8]; 6] = [
        b"",
        b"*3\r\n$3\r\nSET\r\n",
        b"*3\r\n$3\r\nSET\r\n$1\r\nk\r\n$100\r\nhalf",
        &big[..100_000],
        &big[..2_999_999],
        b"*1000000\r\n$1\r\n",
    ];
    for _ in 0..20 {
        for cut in cuts {
            let mut client = server.client()?;
            client.send_raw(cut)?;
            drop(client);
        }
    }
    await_alone(&mut watcher)?;
    watcher.expect("DBSIZE", ":0\r\n")?;
    server.assert_alive()
}

/// Unread replies make the kernel answer a close with a reset.
fn clients_that_vanish_with_replies_unread_leave_nothing_behind(stage: &Stage) -> Result<()> {
    let mut server = stage.start()?;
    let mut watcher = server.client()?;
    let stored = watcher.call(&["SET", "big", &"x".repeat(1_000_000)])?;
    ensure!(!stored.is_error(), "{stored}");
    for _ in 0..20 {
        let mut client = server.client()?;
        client.send_raw(&request(&["GET", "big"]).repeat(30))?;
        drop(client);
        let mut listener = server.client()?;
        listener.send_raw(b"SUBSCRIBE c\r\n")?;
        drop(listener);
        let mut blocked = server.client()?;
        blocked.send_raw(b"WAIT 1 0\r\nPING\r\n")?;
        drop(blocked);
    }
    // The last of them may not have been accepted when the watcher is alone for the first time.
    until("nothing is left of them", || {
        await_alone(&mut watcher)?;
        let is_quiet = watcher.say("PUBSUB CHANNELS")?.encode() == b"*0\r\n";
        let blocked = number(&mut watcher, "clients", "blocked_clients")?;
        Ok((is_quiet && blocked == 0).then_some(()))
    })?;
    server.assert_alive()
}

fn a_client_that_never_reads_burdens_only_itself(stage: &Stage) -> Result<()> {
    let server = stage.start()?;
    let mut watcher = server.client()?;
    let stored = watcher.call(&["SET", "big", &"x".repeat(1_000_000)])?;
    ensure!(!stored.is_error(), "{stored}");
    let before = number(&mut watcher, "memory", "used_memory")?;
    let mut deaf = server.client()?;
    deaf.expect("CLIENT SETNAME deaf", "+OK\r\n")?;
    deaf.send_raw(&request(&["GET", "big"]).repeat(50))?;
    until("its replies wait in memory", || {
        let list = watcher.say("CLIENT LIST")?.text();
        let line = list
            .lines()
            .find(|line| line.contains("name=deaf"))
            .context("the client")?;
        let omem = line
            .split(' ')
            .find_map(|field| field.strip_prefix("omem="))
            .context("omem")?
            .parse::<u64>()?;
        Ok((omem > 1_000_000).then_some(()))
    })?;
    for _ in 0..100 {
        watcher.expect("PING", "+PONG\r\n")?;
    }
    for at in 0..50 {
        let reply = deaf.read().with_context(|| format!("reply {at}"))?;
        ensure!(
            reply.bytes().is_some_and(|bytes| bytes.len() == 1_000_000),
            "reply {at}"
        );
    }
    deaf.expect("PING", "+PONG\r\n")?;
    until("the memory comes back", || {
        let now = number(&mut watcher, "memory", "used_memory")?;
        Ok((now < before + 4_000_000).then_some(()))
    })
}

fn a_deep_pipeline_is_answered_in_order(stage: &Stage) -> Result<()> {
    let server = stage.start()?;
    let mut client = server.client()?;
    let commands: Vec<Vec<String>> = (0..20_000)
        .map(|n| vec!["ECHO".to_owned(), n.to_string()])
        .collect();
    let replies = client.pipeline(&commands)?;
    for (n, reply) in replies.iter().enumerate() {
        ensure!(reply.text() == n.to_string(), "reply {n} is {reply}");
    }
    Ok(())
}

fn a_slow_reader_gets_every_byte(stage: &Stage) -> Result<()> {
    let server: Server = stage.start()?;
    let mut client = server.client()?;
    let big: String = (0..500_000)
        .map(|n: u32| char::from(b'a' + (n % 23) as u8))
        .collect();
    ensure!(!client.call(&["SET", "big", &big])?.is_error(), "stored");
    for _ in 0..5 {
        client.send(&["GET", "big"])?;
        server.client()?.expect("PING", "+PONG\r\n")?;
    }
    for _ in 0..5 {
        ensure!(client.read()?.text() == big, "the bytes are those stored");
    }
    Ok(())
}

each_poller!(
    clients_that_vanish_leave_nothing_behind,
    clients_that_vanish_with_replies_unread_leave_nothing_behind,
    a_client_that_never_reads_burdens_only_itself,
    a_deep_pipeline_is_answered_in_order,
    a_slow_reader_gets_every_byte,
);
