//! Many clients: ten thousand idle ones, and more than there are descriptors.

use std::fs;
use std::process::Command;
use std::sync::{Mutex, PoisonError};
use std::time::{Duration, Instant};

use anyhow::{Context, Result, ensure};
use dovetail_tests::{Client, Server, Stage, each_poller, until};

/// How many idle clients there should be.
const CROWD: usize = 10_000;
/// How many where descriptors are few: tests cannot raise the limit by themselves.
const SMALL_CROWD: usize = 2_000;
/// How many under select, which cannot see descriptors from 1,024 on.
const SELECT_CROWD: usize = 900;

/// Crowds come one at a time: all are clients of this process and share its descriptors.
static SPACE: Mutex<()> = Mutex::new(());

/// The soft limit of open files, which the server inherits.
fn descriptors() -> Result<usize> {
    let limits = fs::read_to_string("/proc/self/limits")?;
    let line = limits
        .lines()
        .find(|line| line.starts_with("Max open files"))
        .context("a limit")?;
    let soft = line.split_whitespace().nth(3).context("a number")?;
    Ok(soft.parse().unwrap_or(usize::MAX))
}

fn crowd(stage: &Stage) -> Result<usize> {
    if stage.poller == Some("select") {
        return Ok(SELECT_CROWD);
    }
    Ok(if descriptors()? > CROWD + 1_000 {
        CROWD
    } else {
        SMALL_CROWD
    })
}

fn idle_clients_are_no_burden(stage: &Stage) -> Result<()> {
    let _space = SPACE.lock().unwrap_or_else(PoisonError::into_inner);
    let server = stage.launch().option("maxclients", "12000").start()?;
    let count = crowd(stage)?;
    let mut idle: Vec<Client> = Vec::with_capacity(count);
    for _ in 0..count {
        idle.push(server.client()?);
    }
    let mut client = server.client()?;
    until("all are connected", || {
        let info = client.say("INFO clients")?.text();
        let connected = info
            .lines()
            .find_map(|line| line.strip_prefix("connected_clients:"))
            .context("connected_clients")?;
        Ok((connected.parse::<usize>()? > count).then_some(()))
    })?;
    client.expect("SET k v", "+OK\r\n")?;
    for at in (0..count).step_by(97) {
        idle[at]
            .expect("GET k", "$1\r\nv\r\n")
            .with_context(|| format!("idle client {at}"))?;
    }
    drop(idle);
    until("all are gone", || {
        let info = client.say("INFO clients")?.text();
        Ok(info.contains("connected_clients:1\r\n").then_some(()))
    })
}

/// Select's limit is a refusal for those beyond it and nothing for those below.
fn clients_beyond_what_select_sees_are_refused(stage: &Stage) -> Result<()> {
    if stage.poller != Some("select") {
        return Ok(());
    }
    let _space = SPACE.lock().unwrap_or_else(PoisonError::into_inner);
    let server = stage.launch().option("maxclients", "5000").start()?;
    let mut clients: Vec<Client> = Vec::new();
    let mut refused = 0;
    for _ in 0..1_200 {
        let mut client = server.client()?;
        let reply = client.say("PING")?;
        if reply.encode() == b"+PONG\r\n" {
            clients.push(client);
        } else {
            let expected = b"-ERR max number of clients reached\r\n";
            ensure!(reply.encode() == expected, "{reply}");
            refused += 1;
        }
    }
    ensure!(clients.len() == 992, "{} are served", clients.len());
    ensure!(refused == 208, "{refused} of 1,200 are refused");
    for client in &mut clients {
        client.expect("PING", "+PONG\r\n")?;
    }
    Ok(())
}

/// Leaves the server `spare` descriptors more than it has.
fn squeeze(server: &Server, spare: usize) -> Result<()> {
    let open = fs::read_dir(format!("/proc/{}/fd", server.pid()))?.count();
    limit(server, open + spare)
}

fn limit(server: &Server, descriptors: usize) -> Result<()> {
    let status = Command::new("prlimit")
        .arg(format!("--pid={}", server.pid()))
        .arg(format!("--nofile={descriptors}:"))
        .status()
        .context("running prlimit, of util-linux")?;
    ensure!(status.success(), "prlimit: {status}");
    Ok(())
}

fn without_descriptors_it_neither_spins_nor_fails_the_connected(stage: &Stage) -> Result<()> {
    let mut server = stage.start()?;
    let mut clients: Vec<Client> = (0..10).map(|_| server.client()).collect::<Result<_>>()?;
    for client in &mut clients {
        client.expect("PING", "+PONG\r\n")?;
    }
    squeeze(&server, 0)?;
    let mut waiting: Vec<Client> = (0..5).map(|_| server.client()).collect::<Result<_>>()?;
    let (before, lines) = (server.cpu_micros()?, server.log().lines().count());
    let start = Instant::now();
    // A server that spins uses the whole of this second; one that waits answers all the same.
    while start.elapsed() < Duration::from_secs(1) {
        clients[0].expect("PING", "+PONG\r\n")?;
        std::thread::sleep(Duration::from_millis(20));
    }
    let used = server.cpu_micros()? - before;
    ensure!(
        used < 500_000,
        "{used} us of CPU in a second without descriptors"
    );
    let said = server.log().lines().count() - lines;
    ensure!(said < 200, "{said} lines of log in a second");
    clients.truncate(1);
    limit(&server, 500)?;
    server.assert_alive()?;
    let mut late = server.client()?;
    late.expect("PING", "+PONG\r\n")
        .context("after descriptors came back")?;
    clients[0].expect("PING", "+PONG\r\n")?;
    // Those that waited were served or closed, never left hanging.
    for client in &mut waiting {
        client.send(&["PING"]).unwrap_or_default();
        client.finish_sending().unwrap_or_default();
        client.read_to_close()?;
    }
    Ok(())
}

each_poller!(
    idle_clients_are_no_burden,
    clients_beyond_what_select_sees_are_refused,
    without_descriptors_it_neither_spins_nor_fails_the_connected,
);
