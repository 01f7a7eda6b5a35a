//! Clients that people use, unmodified: redis-py, ioredis, redis-cli, redis-benchmark.

#![forbid(unsafe_code)]

mod applications;
mod libraries;
mod tools;

use std::io::{Read, Write};
use std::process::{Command, Stdio};
use std::thread;
use std::time::{Duration, Instant};

use anyhow::{Context, Result, bail};

/// How long one client program may take.
const PATIENCE: Duration = Duration::from_secs(90);

/// Runs a program with this input to its end: what it printed on both streams.
fn run(command: &mut Command, input: &[u8]) -> Result<String> {
    let (text, success) = run_any(command, input)?;
    if !success {
        bail!("{command:?} failed:\n{text}");
    }
    Ok(text)
}

/// As `run`, with whatever exit status.
fn run_any(command: &mut Command, input: &[u8]) -> Result<(String, bool)> {
    command
        .stdin(Stdio::piped())
        .stdout(Stdio::piped())
        .stderr(Stdio::piped());
    let mut child = command
        .spawn()
        .with_context(|| format!("running {command:?}"))?;
    let mut stdin = child.stdin.take().context("standard input")?;
    let input = input.to_vec();
    // A program that ends early does not read all of it.
    let writer = thread::spawn(move || stdin.write_all(&input).unwrap_or_default());
    let out = child.stdout.take().map(reader).context("standard output")?;
    let err = child.stderr.take().map(reader).context("standard error")?;
    let deadline = Instant::now() + PATIENCE;
    let status = loop {
        if let Some(status) = child.try_wait()? {
            break Some(status);
        }
        if Instant::now() > deadline {
            child.kill()?;
            child.wait()?;
            break None;
        }
        thread::sleep(Duration::from_millis(5));
    };
    writer
        .join()
        .map_err(|_| anyhow::anyhow!("the writer panicked"))?;
    let mut text = String::new();
    for reader in [out, err] {
        let bytes = reader
            .join()
            .map_err(|_| anyhow::anyhow!("a reader panicked"))?;
        text.push_str(&String::from_utf8_lossy(&bytes));
    }
    match status {
        Some(status) => Ok((text, status.success())),
        None => bail!("{command:?} doesn't end; so far it said:\n{text}"),
    }
}

fn reader(mut stream: impl Read + Send + 'static) -> thread::JoinHandle<Vec<u8>> {
    thread::spawn(move || {
        let mut bytes = Vec::new();
        stream
            .read_to_end(&mut bytes)
            .map(|_| bytes)
            .unwrap_or_default()
    })
}
