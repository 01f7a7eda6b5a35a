//! What it writes: the log, the pid file, the unix socket.

use std::fs;
use std::os::unix::fs::PermissionsExt;

use anyhow::{Context, Result, ensure};
use dovetail_tests::process::{TempDir, free_port};
use dovetail_tests::{Address, Client, Stage, each_poller, until};

/// Test rigs wait for these lines, in this order.
fn the_log_says_what_tools_wait_for(stage: &Stage) -> Result<()> {
    let server = stage.launch().option("always-show-logo", "yes").start()?;
    let log = server.log();
    let mut rest = log.as_str();
    for part in [
        &format!(" PID: {}", server.pid()),
        "Server initialized",
        "Ready to accept",
    ] {
        let at = rest
            .find(part)
            .with_context(|| format!("no {part:?} in time in\n{log}"))?;
        rest = &rest[at + part.len()..];
    }
    if let Some(poller) = stage.poller {
        ensure!(log.contains(poller), "the poller isn't named:\n{log}");
        ensure!(
            log.contains(&server.port().to_string()),
            "the port isn't named:\n{log}"
        );
    }
    Ok(())
}

fn a_log_file_is_appended_to(stage: &Stage) -> Result<()> {
    let dir = TempDir::new()?;
    let file = dir.path().join("own.log");
    fs::write(&file, "a line from before\n")?;
    let launch = stage.launch().option("logfile", "own.log");
    let mut server = launch.spawn_in(dir, free_port()?)?;
    let text = until("the log file says that it is ready", || {
        server.assert_alive()?;
        let text = fs::read_to_string(&file)?;
        Ok(text.contains("Ready to accept").then_some(text))
    })?;
    ensure!(text.starts_with("a line from before\n"), "{text}");
    ensure!(
        !server.log().contains("Ready to accept"),
        "and standard output doesn't"
    );
    Ok(())
}

fn the_pid_file_lives_as_long_as_the_server(stage: &Stage) -> Result<()> {
    let dir = TempDir::new()?;
    let file = dir.path().join("own.pid");
    let launch = stage.launch().option("pidfile", &file.to_string_lossy());
    let mut server = launch.spawn_in(dir, free_port()?)?;
    server.wait_ready()?;
    let text = fs::read_to_string(&file).context("the pid file")?;
    ensure!(text == format!("{}\n", server.pid()), "{text:?}");
    server.signal("TERM")?;
    ensure!(server.wait_exit()? == 0, "{}", server.log());
    ensure!(!file.exists(), "it is removed at the end");
    Ok(())
}

fn the_unix_socket_has_its_permissions_and_answers(stage: &Stage) -> Result<()> {
    let dir = TempDir::new()?;
    let path = dir.path().join("own.sock");
    let launch = stage
        .launch()
        .option("unixsocket", &path.to_string_lossy())
        .option("unixsocketperm", "700");
    let mut server = launch.spawn_in(dir, free_port()?)?;
    server.wait_ready()?;
    let mode = fs::metadata(&path)?.permissions().mode() & 0o777;
    ensure!(mode == 0o700, "the mode is {mode:o}");
    let mut client = Client::connect(&Address::Unix(path.clone()))?;
    client.expect("SET k v", "+OK\r\n")?;
    let big = "x".repeat(200_000);
    ensure!(
        client.call(&["ECHO", &big])?.text() == big,
        "large replies too"
    );
    let info = client.say("CLIENT INFO")?.text();
    ensure!(info.contains("flags=U"), "{info}");
    server.client()?.expect("GET k", "$1\r\nv\r\n")?;
    server.signal("TERM")?;
    ensure!(server.wait_exit()? == 0, "{}", server.log());
    ensure!(!path.exists(), "it is removed at the end");
    Ok(())
}

fn a_stale_unix_socket_is_replaced(stage: &Stage) -> Result<()> {
    let dir = TempDir::new()?;
    let path = dir.path().join("own.sock");
    drop(std::os::unix::net::UnixListener::bind(&path)?);
    let launch = stage.launch().option("unixsocket", &path.to_string_lossy());
    let mut server = launch.spawn_in(dir, free_port()?)?;
    server.wait_ready()?;
    Client::connect(&Address::Unix(path))?.expect("PING", "+PONG\r\n")
}

each_poller!(
    the_log_says_what_tools_wait_for,
    a_log_file_is_appended_to,
    the_pid_file_lives_as_long_as_the_server,
    the_unix_socket_has_its_permissions_and_answers,
    a_stale_unix_socket_is_replaced,
);
