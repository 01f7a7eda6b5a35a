//! What a server does while it still loads.

use std::fs;

use anyhow::{Context, Result, bail, ensure};
use dovetail_tests::durable::{await_no_child, contents, ensure_same, field, log_folder, stop};
use dovetail_tests::process::{TempDir, free_port};
use dovetail_tests::{Client, Launch, Server, Stage, one_poller, until};

use super::REWRITING;
use crate::disk::noise;

/// Keys that are loaded, each large enough that real servers look up behind it.
const KEYS: u64 = 300;

/// How the dataset is kept that is loaded.
const KEPT: [&str; 3] = ["a snapshot", "a log", "a log behind a snapshot"];

/// A folder with a dataset, and with what to start there.
fn kept(stage: &Stage, how: &str) -> Result<(TempDir, Launch)> {
    let option = if how == "a snapshot" { "no" } else { "yes" };
    let launch = stage.launch().option("appendonly", option);
    let server = launch.start()?;
    let mut client = server.client()?;
    for n in 0..KEYS {
        let reply = client.call(&["SET", &format!("key:{n}"), &noise(n, 1100)])?;
        ensure!(!reply.is_error(), "{reply}");
    }
    if how == "a snapshot" {
        client.expect("SAVE", "+OK\r\n")?;
    } else if how == "a log behind a snapshot" {
        client.expect("BGREWRITEAOF", REWRITING)?;
        await_no_child(&mut client)?;
    }
    let launch = launch
        .option("key-load-delay", "20000")
        .option("loading-process-events-interval-bytes", "1024");
    Ok((stop(server)?, launch))
}

/// Starts it and comes back while it loads.
fn caught(launch: &Launch, dir: TempDir) -> Result<(Server, Client)> {
    fs::remove_file(dir.path().join("stdout.log"))?;
    let mut server = launch.spawn_in(dir, free_port()?)?;
    let client = until("a server that loads", || {
        server.assert_alive()?;
        let Ok(mut client) = Client::connect(&server.address()) else {
            return Ok(None);
        };
        match field(&mut client, "loading")?.as_str() {
            "1" => Ok(Some(client)),
            "0" => bail!("it has loaded everything already"),
            other => bail!("loading:{other}"),
        }
    })?;
    Ok((server, client))
}

/// Whoever asks for data is told to come back, whoever asks how it is going is told.
fn while_it_loads_it_answers(stage: &Stage) -> Result<()> {
    for how in KEPT {
        let (dir, launch) = kept(stage, how)?;
        let (mut server, mut client) = caught(&launch, dir).context(how)?;
        for words in [
            "PING",
            "GET key:1",
            "SET key:1 x",
            "DBSIZE",
            "KEYS *",
            "SAVE",
        ] {
            let reply = client.say(words)?;
            let text = reply.text();
            let is_told = text.starts_with("LOADING ") && text.ends_with(" the dataset in memory");
            ensure!(reply.is_error() && is_told, "{how}, {words}: {reply}");
        }
        for (words, reply) in [
            ("SELECT 3", "+OK\r\n"),
            ("SELECT 0", "+OK\r\n"),
            ("CLIENT SETNAME patient", "+OK\r\n"),
        ] {
            client.expect(words, reply).context(how)?;
        }
        for name in [
            "loading_start_time",
            "loading_total_bytes",
            "loading_loaded_bytes",
            "loading_loaded_perc",
            "loading_eta_seconds",
        ] {
            let value = field(&mut client, name)?;
            ensure!(!value.is_empty(), "{how}: no {name}");
        }
        let total: u64 = field(&mut client, "loading_total_bytes")?.parse()?;
        ensure!(total > 1000, "{how}: loading_total_bytes:{total}");
        ensure!(
            !server.log().contains("Ready to accept"),
            "{how}: not ready"
        );
        client.expect("CONFIG SET key-load-delay 0", "+OK\r\n")?;
        server.wait_ready().context(how)?;
        client
            .expect("DBSIZE", &format!(":{KEYS}\r\n"))
            .context(how)?;
        let value = client.say("GET key:7")?;
        ensure!(value.text() == noise(7, 1100), "{how}: {value}");
        let done = field(&mut client, "loading")?;
        ensure!(done == "0", "{how}: loading:{done}");
    }
    Ok(())
}

/// The files of the folder, without what the server says.
fn files(server: &Server) -> Result<Vec<Vec<u8>>> {
    let mut all = Vec::new();
    for folder in [server.dir().to_owned(), log_folder(server.dir())] {
        if !folder.is_dir() {
            continue;
        }
        for entry in fs::read_dir(folder)? {
            let entry = entry?;
            if entry.file_type()?.is_file() && entry.file_name() != "stdout.log" {
                all.push(fs::read(entry.path())?);
            }
        }
    }
    all.sort();
    Ok(all)
}

/// Who is told to end while it loads ends, and does not take the part that it has for the whole.
fn ending_while_it_loads_changes_nothing(stage: &Stage) -> Result<()> {
    for how in KEPT {
        for told in ["SHUTDOWN NOSAVE", "SHUTDOWN", "TERM", "KILL"] {
            let (dir, launch) = kept(stage, how)?;
            let launch = launch.option("save", "10000 10000");
            let (mut server, mut client) = caught(&launch, dir).context(how)?;
            let before = files(&server)?;
            if told.starts_with("SHUTDOWN") {
                client.send(&told.split(' ').collect::<Vec<_>>())?;
            } else {
                server.signal(told)?;
            }
            let code = server.wait_exit()?;
            ensure!(
                code == 0 || told == "KILL",
                "{how}, {told}: exit code {code}"
            );
            ensure!(
                files(&server)? == before,
                "{how}, {told}: files have changed"
            );
            let launch = launch.option("key-load-delay", "0");
            let server = dovetail_tests::durable::revive(&launch, server.into_dir())?;
            let held = contents(&mut server.client()?)?;
            let count = usize::try_from(KEYS)?;
            ensure!(held.len() == count, "{how}, {told}: {} keys", held.len());
            ensure_same(&held, &contents(&mut server.client()?)?)?;
        }
    }
    Ok(())
}

one_poller!(
    while_it_loads_it_answers,
    ending_while_it_loads_changes_nothing,
);
