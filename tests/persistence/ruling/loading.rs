//! What a server does while it still loads.

use std::fs;

use anyhow::{Context, Result, bail, ensure};
use dovetail_tests::durable::{await_no_child, contents, ensure_same, field, log_folder, stop};
use dovetail_tests::process::{TempDir, free_port};
use dovetail_tests::stage::is_long;
use dovetail_tests::value::Value;
use dovetail_tests::{Client, Launch, Server, Stage, one_poller, until};

use super::REWRITING;
use crate::disk::noise;

/// Keys that are loaded: so many bytes, and so many records, that every server looks up in between.
const KEYS: u64 = 4000;

/// How the dataset is kept that is loaded.
const KEPT: [&str; 3] = ["a snapshot", "a log", "a log behind a snapshot"];

/// A folder with a dataset, and with what to start there.
fn kept(stage: &Stage, how: &str) -> Result<(TempDir, Launch)> {
    let option = if how == "a snapshot" { "no" } else { "yes" };
    let launch = stage.launch().option("appendonly", option);
    let server = launch.start()?;
    let mut client = server.client()?;
    let sets: Vec<Vec<String>> = (0..KEYS)
        .map(|n| vec!["SET".to_owned(), format!("key:{n}"), noise(n, 1100)])
        .collect();
    for batch in sets.chunks(500) {
        let replies = client.pipeline(batch)?;
        ensure!(replies.iter().all(|reply| *reply == Value::ok()), "SET");
    }
    if how == "a snapshot" {
        client.expect("SAVE", "+OK\r\n")?;
    } else if how == "a log behind a snapshot" {
        client.expect("BGREWRITEAOF", REWRITING)?;
        await_no_child(&mut client)?;
    }
    let launch = launch
        .option("key-load-delay", "1500")
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
        // It may have been too early for anybody to listen.
        let Ok(loading) = field(&mut client, "loading") else {
            return Ok(None);
        };
        ensure!(loading != "0", "it has loaded everything already");
        Ok((loading == "1").then_some(client))
    })?;
    Ok((server, client))
}

/// What is refused meanwhile.
const REFUSED: [&str; 6] = [
    "PING",
    "GET key:1",
    "SET key:1 x",
    "DBSIZE",
    "KEYS *",
    "SAVE",
];

/// Whoever asks for data is told to come back, whoever asks how it is going is told. All questions
/// are asked at once: a server may look up seldom.
fn while_it_loads_it_answers(stage: &Stage) -> Result<()> {
    for how in KEPT {
        let (dir, launch) = kept(stage, how)?;
        let (mut server, mut client) = caught(&launch, dir).context(how)?;
        let mut questions = REFUSED.to_vec();
        questions.extend(["SELECT 3", "SELECT 0", "CLIENT SETNAME patient"]);
        questions.extend(["INFO persistence", "CONFIG SET key-load-delay 0"]);
        let questions: Vec<Vec<&str>> = questions
            .iter()
            .map(|words| words.split(' ').collect())
            .collect();
        let replies = client.pipeline(&questions)?;
        for (words, reply) in REFUSED.iter().zip(&replies) {
            let text = reply.text();
            let is_told = text.starts_with("LOADING ") && text.ends_with(" the dataset in memory");
            ensure!(reply.is_error() && is_told, "{how}, {words}: {reply}");
        }
        let [more @ .., info, set] = &replies[REFUSED.len()..] else {
            bail!("too few replies");
        };
        ensure!(more.iter().all(|reply| *reply == Value::ok()), "{more:?}");
        ensure!(*set == Value::ok(), "{set}");
        is_under_way(&info.text()).context(how)?;
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

/// INFO says how far it is.
fn is_under_way(info: &str) -> Result<()> {
    for name in [
        "loading:1",
        "loading_start_time:",
        "loading_total_bytes:",
        "loading_loaded_bytes:",
        "loading_loaded_perc:",
        "loading_eta_seconds:",
    ] {
        let is_there = info.lines().any(|line| line.starts_with(name));
        ensure!(is_there, "no {name} in {info}");
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
    for (index, how) in KEPT.iter().enumerate() {
        let ways = ["SHUTDOWN", "TERM", "SHUTDOWN NOSAVE", "KILL"];
        let short = &ways[index % 2..=index % 2];
        for told in if is_long() { &ways[..] } else { short } {
            let (dir, launch) = kept(stage, how)?;
            let launch = launch.option("save", "10000 10000");
            let (mut server, mut client) = caught(&launch, dir).context(*how)?;
            let before = files(&server)?;
            if told.starts_with("SHUTDOWN") {
                client.send(&told.split(' ').collect::<Vec<_>>())?;
            } else {
                server.signal(told)?;
            }
            let code = server.wait_exit()?;
            ensure!(
                code == 0 || *told == "KILL",
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
