//! Bytes from outside: whatever a client sends, the server lives, answers with replies or a close,
//! and nobody else notices.

#![forbid(unsafe_code)]

use std::time::{Duration, Instant};

use anyhow::{Context, Result, ensure};
use dovetail_tests::generate::{Family, Plan, Step};
use dovetail_tests::stage::is_long;
use dovetail_tests::value::{Value, escape, request};
use dovetail_tests::{Client, Server, Stage, each_poller};
use rand::rngs::SmallRng;
use rand::seq::IndexedRandom;
use rand::{Rng, SeedableRng};

/// How long one poller is fuzzed; the number of streams depends on the machine, their contents on
/// the seed alone.
const BUDGET: Duration = Duration::from_secs(6);
/// How long in a long run.
const BUDGET_LONG: Duration = Duration::from_secs(300);
/// How many streams are sent at least, however slow the machine is.
const LEAST: u64 = 50;

/// Commands that end or stop a server when a mutation hits on their arguments.
const FORBIDDEN: [&[u8]; 8] = [
    b"shutdown",
    b"debug",
    b"pause",
    b"failover",
    b"replicaof",
    b"slaveof",
    b"config",
    b"sync",
];

/// A stream of commands in wire format.
fn commands(seed: u64, rng: &mut SmallRng) -> Vec<u8> {
    use Family::{Connection, Keys, Pubsub, Scripts, Strings, Transactions};
    let plan = Plan {
        seed,
        families: vec![Strings, Keys, Transactions, Scripts, Pubsub, Connection],
        commands: 20,
        talkers: 1,
        listeners: 1,
    };
    let mut bytes = Vec::new();
    for step in plan.stream() {
        let Step::Send { commands, .. } = step else {
            continue;
        };
        for command in commands {
            if rng.random_bool(0.2) {
                bytes.extend(command.join(&b' '));
                bytes.extend_from_slice(b"\r\n");
            } else {
                bytes.extend(request(&command));
            }
        }
    }
    bytes
}

/// Changes bytes, numbers, order and length.
fn mutate(bytes: &mut Vec<u8>, rng: &mut SmallRng) {
    const BYTES: &[u8] = b"\r\n*$:+-_,#!=(%~>|0123456789 \"'\\\0\xff";
    const NUMBERS: [&str; 12] = [
        "0",
        "-1",
        "-2",
        "1",
        "65536",
        "1048577",
        "536870912",
        "536870913",
        "2147483647",
        "2147483648",
        "9223372036854775807",
        "99999999999999999999",
    ];
    if bytes.is_empty() {
        return;
    }
    let at = rng.random_range(0..bytes.len());
    let length = rng.random_range(1..64).min(bytes.len() - at);
    match rng.random_range(0..9) {
        0 => bytes[at] = *BYTES.choose(rng).expect("the list has entries"),
        1 => bytes[at] = rng.random(),
        2 => bytes.insert(at, *BYTES.choose(rng).expect("the list has entries")),
        3 => drop(bytes.drain(at..at + length)),
        4 => {
            let copy = bytes[at..at + length].to_vec();
            bytes.splice(at..at, copy);
        }
        5 => bytes.truncate(at),
        6 => {
            let noise: Vec<u8> = (0..length).map(|_| rng.random()).collect();
            bytes.splice(at..at, noise);
        }
        7 => {
            let filler = vec![*BYTES.choose(rng).expect("the list has entries"); 70_000];
            bytes.splice(at..at, filler);
        }
        _ => replace_number(
            bytes,
            at,
            NUMBERS.choose(rng).expect("the list has entries"),
        ),
    }
}

/// Replaces the next run of digits.
fn replace_number(bytes: &mut Vec<u8>, from: usize, number: &str) {
    let Some(start) = bytes[from..]
        .iter()
        .position(u8::is_ascii_digit)
        .map(|at| from + at)
    else {
        return;
    };
    let digits = bytes[start..]
        .iter()
        .take_while(|b| b.is_ascii_digit())
        .count();
    bytes.splice(start..start + digits, number.bytes());
}

fn is_harmless(bytes: &[u8]) -> bool {
    let lower = bytes.to_ascii_lowercase();
    !FORBIDDEN
        .iter()
        .any(|word| lower.windows(word.len()).any(|part| part == *word))
}

/// Sends `bytes` in pieces, and checks that whatever comes back is a sequence of replies.
fn probe(server: &Server, bytes: &[u8], rng: &mut SmallRng) -> Result<()> {
    let mut client = server.client()?;
    let mut rest = bytes;
    while !rest.is_empty() {
        let length = rng.random_range(1..=20_000).min(rest.len());
        if client.send_raw(&rest[..length]).is_err() {
            break;
        }
        rest = &rest[length..];
    }
    if rng.random_bool(0.1) {
        return Ok(());
    }
    client.finish_sending().unwrap_or_default();
    let got = client.read_to_close()?;
    // A server that closes on bad bytes resets what we still had to send: the tail may be lost.
    if let Err(bad) = Value::decode_all(&got) {
        ensure!(
            bad.what == "cut off",
            "{} at {} of {}",
            bad.what,
            bad.at,
            escape(&got)
        );
    }
    Ok(())
}

/// A client that was there before, with state that nobody else may touch.
struct Witness {
    client: Client,
    number: i64,
}

impl Witness {
    fn new(server: &Server) -> Result<Self> {
        let mut client = server.client()?;
        client.expect("CLIENT SETNAME witness", "+OK\r\n")?;
        client.expect("SELECT 9", "+OK\r\n")?;
        Ok(Self { client, number: 0 })
    }

    fn check(&mut self) -> Result<()> {
        self.number += 1;
        let token = format!("still here {}", self.number);
        ensure!(
            self.client.call(&["ECHO", &token])?.text() == token,
            "an answer of its own"
        );
        ensure!(
            self.client.say("CLIENT GETNAME")?.text() == "witness",
            "its name"
        );
        Ok(())
    }
}

fn damaged_streams_hurt_nobody(stage: &Stage) -> Result<()> {
    let mut server = stage.start()?;
    let mut witness = Witness::new(&server)?;
    let budget = if is_long() { BUDGET_LONG } else { BUDGET };
    let base = stage
        .name()
        .bytes()
        .fold(3_u64, |sum, byte| sum * 131 + u64::from(byte));
    let start = Instant::now();
    let mut round = 0;
    while round < LEAST || start.elapsed() < budget {
        let seed = base.wrapping_add(round);
        let mut rng = SmallRng::seed_from_u64(seed);
        let mut bytes = commands(seed, &mut rng);
        for _ in 0..rng.random_range(1..8) {
            mutate(&mut bytes, &mut rng);
        }
        if is_harmless(&bytes) {
            let report = || format!("seed {seed}: {}", escape(&bytes));
            probe(&server, &bytes, &mut rng).with_context(report)?;
            witness.check().with_context(report)?;
            server.assert_alive().with_context(report)?;
        }
        round += 1;
    }
    Ok(())
}

/// Bytes without any form.
fn noise_hurts_nobody(stage: &Stage) -> Result<()> {
    let mut server = stage.start()?;
    let mut witness = Witness::new(&server)?;
    for seed in 0..200 {
        let mut rng = SmallRng::seed_from_u64(seed);
        let length = rng.random_range(1..5_000);
        let bytes: Vec<u8> = (0..length).map(|_| rng.random()).collect();
        let report = || format!("seed {seed}");
        probe(&server, &bytes, &mut rng).with_context(report)?;
        witness.check().with_context(report)?;
        server.assert_alive().with_context(report)?;
    }
    Ok(())
}

/// Announced lengths are not believed: memory is touched for what has arrived.
fn great_promises_take_no_memory(stage: &Stage) -> Result<()> {
    let server = stage.start()?;
    let mut watcher = server.client()?;
    let mut used = || -> Result<u64> {
        let info = watcher.say("INFO memory")?.text();
        let used = info
            .lines()
            .find_map(|line| line.strip_prefix("used_memory_rss:"));
        Ok(used.context("used_memory_rss")?.parse()?)
    };
    let before = used()?;
    let mut clients = Vec::new();
    for promise in [
        "*1048576\r\n",
        "*2147483647\r\n",
        "*2\r\n$4\r\nECHO\r\n$500000000\r\nx",
    ] {
        for _ in 0..20 {
            let mut client = server.client()?;
            client.send_raw(promise.as_bytes())?;
            clients.push(client);
        }
    }
    server.client()?.expect("PING", "+PONG\r\n")?;
    let after = used()?;
    ensure!(
        after < before + 100_000_000,
        "{} MB for promises",
        (after - before) / 1_000_000
    );
    drop(clients);
    Ok(())
}

each_poller!(
    damaged_streams_hurt_nobody,
    noise_hurts_nobody,
    great_promises_take_no_memory
);
