//! What SHUTDOWN and signals leave on the disk.

use std::fs;

use anyhow::{Context, Result, ensure};
use dovetail_tests::durable::{Findings, await_child, contents, ensure_same, revive, stop};
use dovetail_tests::{Server, Stage, one_poller};

use super::{MANY, fill, slow_down};

/// How a server is told to end.
#[derive(Clone, Copy, Debug)]
enum Told {
    Command(&'static str),
    Signal(&'static str),
}

fn end(server: &mut Server, told: Told) -> Result<()> {
    match told {
        Told::Command(words) => {
            let mut client = server.client()?;
            client.send(&words.split(' ').collect::<Vec<_>>())?;
            let rest = client.read_to_close()?;
            ensure!(rest.is_empty(), "{}", rest.escape_ascii());
        }
        Told::Signal(name) => server.signal(name)?,
    }
    let code = server.wait_exit()?;
    ensure!(code == 0, "exit code {code}\n{}", server.log());
    ensure!(
        server.log().contains("ready to exit, bye bye"),
        "{}",
        server.log()
    );
    Ok(())
}

/// With which save points, told how, and is there a snapshot with the last change then?
fn what_is_saved_at_the_end(stage: &Stage) -> Result<()> {
    let mut findings = Findings::default();
    for (points, option, told, saves) in [
        ("", "default", Told::Command("SHUTDOWN"), false),
        ("", "default", Told::Command("SHUTDOWN SAVE"), true),
        ("", "default", Told::Command("SHUTDOWN NOSAVE"), false),
        ("", "default", Told::Signal("TERM"), false),
        ("10000 10000", "default", Told::Command("SHUTDOWN"), true),
        (
            "10000 10000",
            "default",
            Told::Command("shutdown save"),
            true,
        ),
        (
            "10000 10000",
            "default",
            Told::Command("SHUTDOWN NOSAVE"),
            false,
        ),
        (
            "10000 10000",
            "default",
            Told::Command("SHUTDOWN NOW"),
            true,
        ),
        (
            "10000 10000",
            "default",
            Told::Command("SHUTDOWN FORCE"),
            true,
        ),
        ("10000 10000", "default", Told::Signal("TERM"), true),
        ("10000 10000", "default", Told::Signal("INT"), true),
        ("10000 10000", "nosave", Told::Signal("TERM"), false),
        ("", "save", Told::Signal("TERM"), true),
        ("", "save", Told::Signal("INT"), true),
        ("10000 10000", "force", Told::Signal("TERM"), true),
    ] {
        let launch = stage
            .launch()
            .option("save", points)
            .option("shutdown-on-sigterm", option)
            .option("shutdown-on-sigint", option);
        let check = || -> Result<()> {
            let mut server = launch.start()?;
            server.client()?.expect("SET a 1", "+OK\r\n")?;
            end(&mut server, told)?;
            let is_there = server.dir().join("dump.rdb").is_file();
            ensure!(is_there == saves, "a snapshot: {is_there}");
            let server = revive(&launch, server.into_dir())?;
            let held = if saves { ":1\r\n" } else { ":0\r\n" };
            server.client()?.expect("DBSIZE", held)
        };
        findings.row(&format!("save {points:?}, {option}, {told:?}"), check());
    }
    findings.verdict()
}

fn options_that_exclude_each_other_are_refused(stage: &Stage) -> Result<()> {
    let server = stage.start()?;
    let mut client = server.client()?;
    for words in [
        "SHUTDOWN SAVE NOSAVE",
        "SHUTDOWN x",
        "SHUTDOWN ABORT NOSAVE",
    ] {
        client.expect(words, "-ERR syntax error\r\n")?;
    }
    client.expect("SHUTDOWN ABORT", "-ERR No shutdown in progress.\r\n")
}

/// A log is whole at the end, whatever the way of syncing, and no snapshot is written for it.
fn a_log_is_whole_at_the_end(stage: &Stage) -> Result<()> {
    for fsync in ["always", "everysec", "no"] {
        for told in [
            Told::Command("SHUTDOWN"),
            Told::Command("SHUTDOWN NOSAVE"),
            Told::Signal("TERM"),
        ] {
            let launch = stage
                .launch()
                .option("appendonly", "yes")
                .option("appendfsync", fsync);
            let mut server = launch.start()?;
            let mut client = server.client()?;
            fill(&mut client)?;
            let expected = contents(&mut client)?;
            end(&mut server, told)?;
            ensure!(!server.dir().join("dump.rdb").exists(), "a snapshot");
            let server = revive(&launch, server.into_dir())?;
            ensure_same(&expected, &contents(&mut server.client()?)?)
                .with_context(|| format!("{fsync}, {told:?}"))?;
        }
    }
    Ok(())
}

/// A child that is at it when the server is told to end does not keep it, and leaves nothing.
fn a_child_ends_with_the_server(stage: &Stage) -> Result<()> {
    for (words, expected) in [("SHUTDOWN NOSAVE", 0), ("SHUTDOWN SAVE", MANY)] {
        let mut server = stage.start()?;
        let mut client = server.client()?;
        fill(&mut client)?;
        slow_down(&mut client, 1_000_000)?;
        client.expect("BGSAVE", "+Background saving started\r\n")?;
        let child = await_child(&server)?;
        slow_down(&mut client, 0)?;
        end(&mut server, Told::Command(words))?;
        dovetail_tests::until("the child ends", || {
            let path = format!("/proc/{}/stat", child.pid);
            let stat = fs::read_to_string(path).unwrap_or_default();
            let is_there = stat.contains(") S ") || stat.contains(") R ");
            Ok((!is_there).then_some(()))
        })?;
        let names = fs::read_dir(server.dir())?
            .map(|entry| Ok(entry?.file_name().to_string_lossy().into_owned()))
            .collect::<Result<Vec<_>>>()?;
        let left = names.iter().any(|name| name.starts_with("temp-"));
        ensure!(!left, "{names:?}");
        let server = revive(&stage.launch(), server.into_dir())?;
        server
            .client()?
            .expect("DBSIZE", &format!(":{expected}\r\n"))?;
    }
    Ok(())
}

/// While the first base of a log is written there would be nothing to start from.
fn a_log_that_begins_keeps_the_server(stage: &Stage) -> Result<()> {
    let mut server = stage.start()?;
    let mut client = server.client()?;
    fill(&mut client)?;
    slow_down(&mut client, 1_000_000)?;
    client.expect("CONFIG SET appendonly yes", "+OK\r\n")?;
    let child = await_child(&server)?;
    client.expect(
        "SHUTDOWN",
        "-ERR Errors trying to SHUTDOWN. Check logs.\r\n",
    )?;
    server.wait_log("Writing initial AOF, can't exit")?;
    slow_down(&mut client, 0)?;
    child.kill()?;
    // It is tried again by itself.
    dovetail_tests::until("the log's first base", || {
        let lines = dovetail_tests::durable::manifest(server.dir());
        Ok(lines.is_ok_and(|lines| lines.len() == 2).then_some(()))
    })?;
    dovetail_tests::durable::await_no_child(&mut client)?;
    let launch = stage.launch().option("appendonly", "yes");
    let server = revive(&launch, stop(server)?)?;
    server.client()?.expect("DBSIZE", &format!(":{MANY}\r\n"))
}

one_poller!(
    what_is_saved_at_the_end,
    options_that_exclude_each_other_are_refused,
    a_log_is_whole_at_the_end,
    a_child_ends_with_the_server,
    a_log_that_begins_keeps_the_server,
);
