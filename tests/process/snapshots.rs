//! Snapshots and payloads that cross between here and redis-server, in both directions.

use std::fs;
use std::rc::Rc;

use anyhow::{Context, Result, ensure};
use dovetail_engine::base::DbIndex;
use dovetail_engine::codec::rdb::{
    Checksum, Compression, Event, Options, Reader, Rules, Summing, Verify, Writer,
};
use dovetail_engine::config::Encodings;
use dovetail_engine::keyspace::{Expired, Keyspace};
use dovetail_engine::value::restore::Limits;
use dovetail_memory::HeapPages;
use dovetail_tests::oracle::launch_redis7;
use dovetail_tests::process::{TempDir, free_port};
use dovetail_tests::stage::Report;
use dovetail_tests::value::shown;
use dovetail_tests::{Client, Server, Stage, Value, each_poller};

type Words = Vec<Vec<u8>>;

/// A deadline that no test lives to see.
const LATER: &str = "33177117420000";

fn command(words: &[&str]) -> Words {
    words.iter().map(|word| word.as_bytes().to_vec()).collect()
}

/// A command with many words, each made of its number.
fn many(head: &[&str], count: u32, word: impl Fn(u32) -> Vec<Vec<u8>>) -> Words {
    let mut words = command(head);
    words.extend((0..count).flat_map(word));
    words
}

fn numbered(prefix: &'static str) -> impl Fn(u32) -> Vec<Vec<u8>> {
    move |n| vec![format!("{prefix}{n}").into_bytes()]
}

fn scored(n: u32) -> Vec<Vec<u8>> {
    let score = f64::from(n) * 1.5 - 100.0;
    vec![score.to_string().into_bytes(), format!("m{n}").into_bytes()]
}

fn paired(n: u32) -> Vec<Vec<u8>> {
    vec![
        format!("field-{n}").into_bytes(),
        (n * 12_345).to_string().into_bytes(),
    ]
}

/// Keys of all types in all forms, in two databases.
fn dataset() -> Vec<Words> {
    let mut all: Vec<Words> = vec![
        command(&["SELECT", "0"]),
        command(&["SET", "empty", ""]),
        command(&["SET", "word", "value"]),
        command(&["SET", "packed", &"round and round ".repeat(40)]),
        command(&["SET", "later", "v", "PXAT", LATER]),
        many(&["SET", "long"], 1, |_| {
            vec![(0..=255).cycle().take(100_000).collect()]
        }),
        command(&["APPEND", "edited", "part"]),
        command(&["APPEND", "edited", "s"]),
        many(&["RPUSH", "list"], 20, numbered("element")),
        many(&["RPUSH", "long list"], 3000, numbered("element")),
        many(&["RPUSH", "bulky list"], 6, |n| {
            vec![vec![b'a'; 5000 * n as usize]]
        }),
        many(&["HSET", "hash"], 10, paired),
        many(&["HSET", "big hash"], 700, paired),
        command(&["HSET", "wide hash", "f", &"v".repeat(100)]),
        many(&["SADD", "ints"], 100, |n| {
            vec![(n * 3).to_string().into_bytes()]
        }),
        many(&["SADD", "many ints"], 600, |n| {
            vec![(n * 3).to_string().into_bytes()]
        }),
        command(&["SADD", "wide ints", "1", "-70000", "9223372036854775807"]),
        many(&["SADD", "set"], 10, numbered("member")),
        many(&["SADD", "big set"], 300, numbered("member")),
        many(&["ZADD", "zset"], 20, scored),
        many(&["ZADD", "big zset"], 300, scored),
        command(&[
            "ZADD", "ends", "-inf", "a", "inf", "b", "0", "c", "1e10", "d",
        ]),
        command(&["PEXPIREAT", "big zset", LATER]),
        command(&["SELECT", "9"]),
        command(&["SET", "elsewhere", "1"]),
        command(&["SELECT", "0"]),
    ];
    for number in [
        "0",
        "-1",
        "127",
        "-129",
        "40000",
        "-2147483648",
        "2147483648",
        "007",
        "-0",
    ] {
        all.push(command(&["SET", &format!("number {number}"), number]));
    }
    // A key of every byte.
    let key: Vec<u8> = (0..=255).collect();
    all.push(vec![b"SET".to_vec(), key.clone(), key]);
    all
}

fn fill(server: &Server) -> Result<Client> {
    let mut client = server.client()?;
    for words in dataset() {
        let reply = client.call(&words)?;
        ensure!(!reply.is_error(), "{}: {reply}", shown(&words[..2]));
    }
    Ok(client)
}

/// All that a snapshot holds.
fn load(file: &[u8]) -> Result<Keyspace> {
    let mut keyspace = Keyspace::new(16, 3, Rc::new(HeapPages));
    let rules = Rules {
        limits: Limits::of(&Encodings::default(), keyspace.hasher()),
        verify: Verify::Yes,
        batch: 16,
    };
    let mut reader = Reader::new(file, rules);
    let mut db = DbIndex(0);
    loop {
        match reader.next()? {
            Event::Select(index) => db = DbIndex(u32::try_from(index)?),
            Event::Resize { keys, .. } => keyspace.expect_keys(db, keys, file.len() as u64),
            Event::Keys(batch) => {
                keyspace.load(db, batch, Expired::Kept)?;
            }
            Event::End(checksum) => {
                ensure!(checksum == Checksum::Right, "{checksum:?}");
                return Ok(keyspace);
            }
            _ => {}
        }
    }
}

/// The snapshot of all databases.
fn save(keyspace: &Keyspace, compression: Compression) -> Result<Vec<u8>> {
    let options = Options {
        compression,
        summing: Summing::On,
    };
    let mut writer = Writer::new(Vec::new(), options);
    writer.begin()?;
    writer.aux(b"redis-ver", b"7.0.15")?;
    for (index, db) in keyspace.iter().enumerate().filter(|(_, db)| !db.is_empty()) {
        writer.select(index as u64, db.len() as u64, db.with_deadline() as u64)?;
        let (mut cursor, mut written) = (0, Ok(()));
        loop {
            cursor = db.scan(cursor, &mut |entry| {
                written = written.and_then(|()| writer.key(entry, None));
            });
            if cursor == 0 {
                break;
            }
        }
        written?;
    }
    Ok(writer.finish()?.0)
}

fn digest(client: &mut Client) -> Result<String> {
    let digest = client.say("DEBUG DIGEST")?.text();
    ensure!(
        digest.len() == 40 && digest.contains(|c| c != '0'),
        "{digest}"
    );
    Ok(digest)
}

/// A snapshot of a real server goes through memory here, and what is written is what that server
/// had, for another real server.
fn crosses(compression: Compression) -> Result<()> {
    let option = match compression {
        Compression::On => "yes",
        Compression::Off => "no",
    };
    let launch = launch_redis7()?.option("rdbcompression", option);
    let first = launch.start()?;
    let mut client = fill(&first)?;
    client.expect("SAVE", "+OK\r\n")?;
    let theirs = fs::read(first.dir().join("dump.rdb"))?;
    let keyspace = load(&theirs)?;
    let ours = save(&keyspace, compression)?;
    ensure!(
        ours.len() < theirs.len() + theirs.len() / 10,
        "{} bytes here, {} there",
        ours.len(),
        theirs.len()
    );
    let dir = TempDir::new()?;
    fs::write(dir.path().join("dump.rdb"), &ours)?;
    let mut second = launch.spawn_in(dir, free_port()?)?;
    second.wait_ready()?;
    let mut other = second.client()?;
    ensure!(
        digest(&mut client)? == digest(&mut other)?,
        "the datasets differ"
    );
    // And what was written is read here as well.
    let again = save(&load(&ours)?, compression)?;
    ensure!(
        again.len() == ours.len(),
        "{} and {} bytes",
        again.len(),
        ours.len()
    );
    Ok(())
}

#[test]
fn snapshots_cross_both_ways() -> Result<(), Report> {
    Ok(crosses(Compression::On)?)
}

#[test]
fn uncompressed_snapshots_cross_both_ways() -> Result<(), Report> {
    Ok(crosses(Compression::Off)?)
}

/// What a key holds and until when, read by the commands of its type.
fn look(client: &mut Client, key: &[u8]) -> Result<Vec<Value>> {
    let kind = client.call(&[&b"TYPE"[..], key])?;
    let read: &[&[u8]] = match kind.text().as_str() {
        "string" => &[b"GET", key],
        "list" => &[b"LRANGE", key, b"0", b"-1"],
        "hash" => &[b"HGETALL", key],
        "set" => &[b"SMEMBERS", key],
        "zset" => &[b"ZRANGE", key, b"0", b"-1", b"WITHSCORES"],
        other => anyhow::bail!("{}: the type {other}", key.escape_ascii()),
    };
    let value = client.call(read)?;
    let value = match (kind.text().as_str(), value.items()) {
        ("hash", Some(items)) => {
            let mut pairs: Vec<Vec<Value>> = items.chunks(2).map(<[Value]>::to_vec).collect();
            pairs.sort();
            Value::Array(pairs.concat())
        }
        ("set", Some(mut items)) => {
            items.sort();
            Value::Array(items)
        }
        _ => value,
    };
    let deadline = client.call(&[&b"PEXPIRETIME"[..], key])?;
    Ok(vec![kind, value, deadline])
}

fn move_key(from: &mut Client, to: &mut Client, key: &[u8]) -> Result<()> {
    let payload = from.call(&[&b"DUMP"[..], key])?;
    let payload = payload.bytes().context("no payload")?.to_vec();
    let at = from
        .call(&[&b"PEXPIRETIME"[..], key])?
        .integer()
        .unwrap_or(-1);
    let at = at.max(0).to_string();
    let reply = to.call(&[&b"RESTORE"[..], key, at.as_bytes(), &payload, b"ABSTTL"])?;
    ensure!(reply == Value::ok(), "{}: {reply}", key.escape_ascii());
    Ok(())
}

fn payloads_cross_both_ways(stage: &Stage) -> Result<()> {
    let launch = launch_redis7()?;
    let (first, subject, last) = (launch.start()?, stage.start()?, launch.start()?);
    let mut from = fill(&first)?;
    let (mut here, mut to) = (subject.client()?, last.client()?);
    let keys = from.say("KEYS *")?.items().context("keys")?;
    ensure!(keys.len() > 20, "{} keys", keys.len());
    for key in &keys {
        let key = key.bytes().context("a key")?;
        move_key(&mut from, &mut here, key)?;
        move_key(&mut here, &mut to, key)?;
        let expected = look(&mut from, key)?;
        for client in [&mut here, &mut to] {
            let held = look(client, key)?;
            ensure!(
                held == expected,
                "{}: {held:?}, not {expected:?}",
                key.escape_ascii()
            );
        }
        let value = |client: &mut Client| client.call(&[&b"DEBUG"[..], b"DIGEST-VALUE", key]);
        ensure!(
            value(&mut from)? == value(&mut to)?,
            "{}",
            key.escape_ascii()
        );
    }
    Ok(())
}

/// Every bit of a payload counts, and nothing changes for one that is damaged.
fn damaged_payloads_change_nothing(stage: &Stage) -> Result<()> {
    let server = stage.start()?;
    let mut client = fill(&server)?;
    client.expect("SET target old", "+OK\r\n")?;
    for key in ["hash", "zset", "set", "ints", "list", "packed"] {
        let payload = client.call(&["DUMP", key])?;
        let payload = payload.bytes().context("no payload")?;
        for at in 0..payload.len() {
            let mut damaged = payload.to_vec();
            damaged[at] ^= 1 << (at % 8);
            let reply = client.call(&[
                &b"RESTORE"[..],
                b"target",
                b"0",
                damaged.as_slice(),
                b"REPLACE",
            ])?;
            let expected = "ERR DUMP payload version or checksum are wrong";
            ensure!(reply.text() == expected, "{key}, byte {at}: {reply}");
        }
    }
    client.expect("GET target", "$3\r\nold\r\n")
}

each_poller!(payloads_cross_both_ways, damaged_payloads_change_nothing);
