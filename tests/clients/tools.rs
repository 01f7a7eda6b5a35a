//! redis-cli and redis-benchmark.

use std::io::Read;
use std::process::{Command, Stdio};

use anyhow::{Context, Result, ensure};
use dovetail_tests::oracle::on_path;
use dovetail_tests::value::request;
use dovetail_tests::{Server, Stage, each_poller, until};

fn tool(name: &str, server: &Server) -> Result<Command> {
    let program = on_path(name)
        .with_context(|| format!("{name} is not on the PATH: `cargo x test` installs it"))?;
    let mut command = Command::new(program);
    command.arg("-p").arg(server.port().to_string());
    Ok(command)
}

fn cli(server: &Server, args: &[&str]) -> Result<String> {
    super::run(tool("redis-cli", server)?.args(args), b"")
}

fn redis_cli_talks(stage: &Stage) -> Result<()> {
    let server = stage.start()?;
    for (args, want) in [
        (&["PING"][..], "PONG\n"),
        (&["SET", "k", "v"], "OK\n"),
        (&["GET", "k"], "v\n"),
        (&["GET", "missing"], "\n"),
        (&["-3", "HELLO", "3"], ""),
        (&["-3", "CONFIG", "GET", "maxmemory"], "maxmemory 0\n"),
        (&["-n", "3", "SET", "other", "db"], "OK\n"),
        (&["-n", "3", "DBSIZE"], "1\n"),
        (&["--no-raw", "GET", "missing"], "(nil)\n"),
        (&["--no-raw", "INCR", "n"], "(integer) 1\n"),
        (
            &["-3", "--no-raw", "DEBUG", "PROTOCOL", "map"],
            "1# (integer) 0 => (false)\n",
        ),
        (&["--json", "MGET", "k", "missing"], "[\"v\",null]\n"),
    ] {
        let text = cli(&server, args)?;
        ensure!(text.starts_with(want), "{args:?}: {text:?}, want {want:?}");
    }
    let several = super::run(
        &mut tool("redis-cli", &server)?,
        b"SET a 1\nINCR a\nGET a\n",
    )?;
    ensure!(several == "OK\n2\n2\n", "{several:?}");
    let (refused, _) = super::run_any(tool("redis-cli", &server)?.args(["-e", "NOSUCH"]), b"")?;
    ensure!(refused.contains("ERR unknown command"), "{refused:?}");
    Ok(())
}

fn redis_cli_pipes_in_bulk(stage: &Stage) -> Result<()> {
    let server = stage.start()?;
    let input: Vec<u8> = (0..100_000)
        .flat_map(|n: u32| request(&["SET", &format!("key:{n}"), &n.to_string()]))
        .collect();
    let text = super::run(tool("redis-cli", &server)?.arg("--pipe"), &input)?;
    ensure!(text.contains("errors: 0, replies: 100000"), "{text}");
    server.client()?.expect("DBSIZE", ":100000\r\n")?;
    server
        .client()?
        .expect("GET key:99999", "$5\r\n99999\r\n")?;
    let scanned = cli(&server, &["--scan", "--pattern", "key:9999*"])?;
    ensure!(scanned.lines().count() == 11, "{scanned}");
    let all = cli(&server, &["--scan"])?;
    let mut keys: Vec<&str> = all.lines().collect();
    keys.sort_unstable();
    keys.dedup();
    ensure!(keys.len() == 100_000, "--scan finds {} keys", keys.len());
    let big = cli(&server, &["--bigkeys"])?;
    ensure!(big.contains("100000 strings"), "{big}");
    Ok(())
}

/// Starts a tool that never ends by itself and waits until it has printed `lines` lines.
fn watch(command: &mut Command, lines: usize) -> Result<String> {
    command
        .stdin(Stdio::null())
        .stdout(Stdio::piped())
        .stderr(Stdio::null());
    let mut child = command
        .spawn()
        .with_context(|| format!("running {command:?}"))?;
    let mut stream = child.stdout.take().context("standard output")?;
    let mut text = Vec::new();
    let seen = until(&format!("{lines} lines of {command:?}"), || {
        let mut byte = [0];
        while stream.read(&mut byte)? == 1 {
            text.push(byte[0]);
            if text.iter().filter(|b| matches!(b, b'\n' | b'\r')).count() >= lines {
                return Ok(Some(()));
            }
        }
        anyhow::bail!("it ends: {}", String::from_utf8_lossy(&text))
    });
    child.kill()?;
    child.wait()?;
    seen?;
    Ok(String::from_utf8_lossy(&text).into_owned())
}

fn redis_cli_watches(stage: &Stage) -> Result<()> {
    let server = stage.start()?;
    let mut stat = tool("redis-cli", &server)?;
    let text = watch(stat.args(["--stat", "-i", "0.05"]), 4)?;
    ensure!(text.contains("keys") && text.contains("clients"), "{text}");
    let latency = cli(&server, &["--latency", "-i", "0.1", "--raw"])?;
    let numbers: Vec<&str> = latency.split_whitespace().collect();
    ensure!(
        numbers.len() >= 4 && numbers[0].parse::<f64>().is_ok(),
        "{latency:?}"
    );
    Ok(())
}

fn redis_benchmark_runs(stage: &Stage) -> Result<()> {
    let server = stage.start()?;
    for depth in ["1", "16"] {
        let mut command = tool("redis-benchmark", &server)?;
        command.args([
            "-t",
            "set,get,incr,mset,ping",
            "-q",
            "-n",
            "20000",
            "-P",
            depth,
        ]);
        let text = super::run(&mut command, b"")?;
        for name in [
            "PING_INLINE",
            "PING_MBULK",
            "SET",
            "GET",
            "INCR",
            "MSET (10 keys)",
        ] {
            let line = format!("{name}: ");
            let is_measured = text
                .split(['\r', '\n'])
                .any(|part| part.starts_with(&line) && part.contains("requests per second"));
            ensure!(is_measured, "-P {depth}: no figure for {name}:\n{text}");
        }
        ensure!(!text.contains("Error"), "{text}");
    }
    let mut client = server.client()?;
    let count = client.say("GET counter:__rand_int__")?.text();
    ensure!(count == "40000", "INCR was called {count} times");
    Ok(())
}

each_poller!(
    redis_cli_talks,
    redis_cli_pipes_in_bulk,
    redis_cli_watches,
    redis_benchmark_runs
);
