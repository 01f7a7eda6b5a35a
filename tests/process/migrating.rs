//! MIGRATE between servers, ours and real ones, and to servers that do not behave.

use std::io::{Read, Write};
use std::net::{TcpListener, TcpStream};
use std::thread::{self, JoinHandle};

use anyhow::{Context, Result, ensure};
use dovetail_tests::durable::{contents, ensure_same, field};
use dovetail_tests::oracle::redis7;
use dovetail_tests::stage::POLLERS;
use dovetail_tests::{Client, Server, Stage, Value, each_poller, until};

const READING: &str = "-IOERR error or timeout reading to target instance\r\n";
const WRITING: &str = "-IOERR error or timeout writing to target instance\r\n";
const TARGET: &str = "-ERR Target instance replied with error: ";
const BUSY: &str = "BUSYKEY Target key name already exists.\r\n";

/// Keys of every type, small and large, and what MIGRATE calls them.
fn fill(client: &mut Client) -> Result<String> {
    let mut keys = Vec::new();
    let pad = "x".repeat(100);
    for size in [3, 1000] {
        let names = ["string", "list", "set", "hash", "zset"].map(|kind| format!("{kind}-{size}"));
        let commands = ["SET", "RPUSH", "SADD", "HSET", "ZADD"];
        for (at, (name, command)) in names.iter().zip(commands).enumerate() {
            let mut words = vec![command.to_owned(), name.clone()];
            match at {
                0 => words.push(pad.repeat(size)),
                1 | 2 => words.extend((0..size).map(|n| format!("{n}{pad}"))),
                _ => words.extend((0..size).flat_map(|n| [n.to_string(), format!("{n}{pad}")])),
            }
            let reply = client.call(&words)?;
            ensure!(!reply.is_error(), "{command}: {reply}");
        }
        keys.extend(names);
    }
    Ok(keys.join(" "))
}

/// Everything goes from one server to the other, in one request, and arrives.
fn cross(from: &Server, to: &Server) -> Result<()> {
    let (mut here, mut there) = (from.client()?, to.client()?);
    let port = to.port();
    let keys = fill(&mut here)?;
    let expected = contents(&mut here)?;
    let request = format!("MIGRATE 127.0.0.1 {port}  0 10000 COPY KEYS {keys} nosuch");
    here.expect(&request, "+OK\r\n")?;
    ensure_same(&expected, &contents(&mut there)?)?;
    ensure_same(&expected, &contents(&mut here)?)?;
    // They are there already, and some of them are not.
    there.expect("DEL set-1000 string-3", ":2\r\n")?;
    let request = format!("MIGRATE 127.0.0.1 {port}  0 10000 KEYS {keys}");
    here.expect(&request, &format!("{TARGET}{BUSY}"))?;
    here.expect("DBSIZE", ":8\r\n")?;
    let request = format!("MIGRATE 127.0.0.1 {port}  0 10000 REPLACE KEYS {keys}");
    here.expect(&request, "+OK\r\n")?;
    here.expect("DBSIZE", ":0\r\n")?;
    ensure_same(&expected, &contents(&mut there)?)?;
    here.expect(&request, "+NOKEY\r\n")?;
    // One key, with a deadline, to another database.
    here.expect("SET k v PX 100000", "+OK\r\n")?;
    here.expect(&format!("MIGRATE localhost {port} k 3 1000"), "+OK\r\n")?;
    here.expect("EXISTS k", ":0\r\n")?;
    there.expect("SELECT 3", "+OK\r\n")?;
    there.expect("GET k", "$1\r\nv\r\n")?;
    let left = there.say("PTTL k")?;
    let is_right = matches!(left, Value::Integer(1..=100_000));
    ensure!(is_right, "{left} ms are left");
    here.expect("SET k v", "+OK\r\n")?;
    let request = format!("MIGRATE 127.0.0.1 {port} k 3 1000");
    here.expect(&request, &format!("{TARGET}{BUSY}"))?;
    let request = format!("MIGRATE 127.0.0.1 {port} k 99 1000");
    let error = format!("{TARGET}ERR DB index is out of range\r\n");
    here.expect(&request, &error)?;
    here.expect("GET k", "$1\r\nv\r\n")
}

fn keys_go_to_another_of_ours(stage: &Stage) -> Result<()> {
    cross(&stage.start()?, &stage.start()?)
}

fn keys_go_to_a_real_server(stage: &Stage) -> Result<()> {
    cross(&stage.start()?, &redis7()?)
}

fn keys_come_from_a_real_server(stage: &Stage) -> Result<()> {
    let (from, to) = (redis7()?, stage.start()?);
    let (mut here, mut there) = (from.client()?, to.client()?);
    let keys = fill(&mut here)?;
    let expected = contents(&mut here)?;
    let request = format!("MIGRATE 127.0.0.1 {}  0 10000 KEYS {keys}", to.port());
    here.expect(&request, "+OK\r\n")?;
    ensure_same(&expected, &contents(&mut there)?)?;
    here.expect("DBSIZE", ":0\r\n")
}

fn passwords_are_asked_for(stage: &Stage) -> Result<()> {
    let from = stage.start()?;
    let targets = [
        stage.launch().option("requirepass", "pw").start()?,
        redis7()?,
    ];
    targets[1]
        .client()?
        .expect("CONFIG SET requirepass pw", "+OK\r\n")?;
    let mut here = from.client()?;
    for to in &targets {
        let request = |rest: &str| format!("MIGRATE 127.0.0.1 {} k 0 5000 {rest}", to.port());
        here.expect("SET k v", "+OK\r\n")?;
        for (rest, error) in [
            ("COPY", "NOAUTH Authentication required."),
            ("AUTH no", "WRONGPASS "),
            ("AUTH2 default no", "WRONGPASS "),
        ] {
            let reply = here.say(&request(rest))?.text();
            let expected = format!("{}{error}", TARGET.trim_start_matches('-'));
            ensure!(reply.starts_with(&expected), "{rest}: {reply}");
        }
        here.expect(&request("COPY AUTH pw"), "+OK\r\n")?;
        here.expect(&request("REPLACE AUTH2 default pw"), "+OK\r\n")?;
        here.expect("EXISTS k", ":0\r\n")?;
    }
    Ok(())
}

/// A server of the test's own: it plays `part` with whoever comes first.
fn listener(
    part: impl FnOnce(TcpStream) -> Result<()> + Send + 'static,
) -> Result<(u16, JoinHandle<Result<()>>)> {
    let listener = TcpListener::bind(("127.0.0.1", 0))?;
    let port = listener.local_addr()?.port();
    let player = thread::spawn(move || part(listener.accept()?.0));
    Ok((port, player))
}

fn done(player: JoinHandle<Result<()>>) -> Result<()> {
    player.join().ok().context("the listener has panicked")?
}

/// Reads until the other side has sent something with `mark` in it.
fn hear(line: &mut TcpStream, mark: &str) -> Result<()> {
    let mut heard = Vec::new();
    while !String::from_utf8_lossy(&heard).contains(mark) {
        let mut bytes = [0; 4096];
        let len = line.read(&mut bytes)?;
        ensure!(len > 0, "the connection has ended before {mark}");
        heard.extend_from_slice(&bytes[..len]);
    }
    Ok(())
}

fn hear_to_the_end(line: &mut TcpStream) -> Result<()> {
    // A connection that is given up may be reset.
    drop(line.read_to_end(&mut Vec::new()));
    Ok(())
}

fn others_that_misbehave_are_given_up(stage: &Stage) -> Result<()> {
    let mut server = stage.start()?;
    let mut client = server.client()?;
    client.expect("MSET a 1 b 2 c 3", "+OK\r\n")?;
    // Nobody is there.
    let port = TcpListener::bind(("127.0.0.1", 0))?.local_addr()?.port();
    client.expect(&format!("MIGRATE 127.0.0.1 {port} a 0 5000"), WRITING)?;
    let reply = client.say("MIGRATE some.name 1 a 0 5000")?.text();
    ensure!(reply.starts_with("IOERR "), "{reply}");
    // Somebody is there, and says nothing.
    let (port, player) = listener(|mut line| hear_to_the_end(&mut line))?;
    client.expect(&format!("MIGRATE 127.0.0.1 {port} a 0 50"), READING)?;
    done(player)?;
    // Somebody leaves at once, or in the middle.
    let (port, player) = listener(|line| {
        drop(line);
        Ok(())
    })?;
    client.expect(&format!("MIGRATE 127.0.0.1 {port} a 0 5000"), READING)?;
    done(player)?;
    let (port, player) = listener(|mut line| {
        hear(&mut line, "$1\r\nc\r\n")?;
        line.write_all(b"+OK\r\n+OK\r\n+O")?;
        Ok(())
    })?;
    let request = format!("MIGRATE 127.0.0.1 {port}  0 5000 KEYS a b c");
    client.expect(&request, READING)?;
    done(player)?;
    client.expect("EXISTS a", ":0\r\n")?;
    client.expect("EXISTS b c", ":2\r\n")?;
    // Somebody speaks something else.
    let (port, player) = listener(|mut line| {
        line.write_all(b"220 smtp.example ESMTP\r\n")?;
        hear_to_the_end(&mut line)
    })?;
    client.expect(&format!("MIGRATE 127.0.0.1 {port} b 0 5000"), READING)?;
    done(player)?;
    // Somebody talks on and on, and never answers.
    let (port, player) = listener(|mut line| {
        while line.write_all(b">1\r\n+news\r\n").is_ok() {}
        Ok(())
    })?;
    client.expect(&format!("MIGRATE 127.0.0.1 {port} b 0 5000"), READING)?;
    done(player)?;
    client.expect("SET b 3", "+OK\r\n")?;
    ensure!(
        field(&mut client, "blocked_clients")? == "0",
        "nobody waits"
    );
    ensure!(
        field(&mut client, "connected_clients")? == "1",
        "others are no clients"
    );
    server.assert_alive()
}

fn others_wait_with_writes_until_it_is_over(stage: &Stage) -> Result<()> {
    let server = stage.start()?;
    let (mut client, mut writer, mut reader) =
        (server.client()?, server.client()?, server.client()?);
    client.expect("MSET a 1 b 2", "+OK\r\n")?;
    let (tell, told) = std::sync::mpsc::channel::<()>();
    let (port, player) = listener(move |mut line| {
        hear(&mut line, "$1\r\na\r\n")?;
        told.recv()?;
        line.write_all(b"+OK\r\n+OK\r\n")?;
        hear_to_the_end(&mut line)
    })?;
    client.send(&["MIGRATE", "127.0.0.1", &port.to_string(), "a", "0", "20000"])?;
    until("MIGRATE waits", || {
        Ok((field(&mut reader, "blocked_clients")? == "1").then_some(()))
    })?;
    writer.send(&["SET", "a", "new"])?;
    until("the writer waits", || {
        Ok((field(&mut reader, "blocked_clients")? == "2").then_some(()))
    })?;
    reader.expect("MGET a b", "*2\r\n$1\r\n1\r\n$1\r\n2\r\n")?;
    tell.send(())?;
    ensure!(client.read()?.encode() == b"+OK\r\n", "MIGRATE");
    ensure!(writer.read()?.encode() == b"+OK\r\n", "SET");
    done(player)?;
    reader.expect("MGET a b", "*2\r\n$3\r\nnew\r\n$1\r\n2\r\n")
}

/// The poller is changed while the other side thinks, for each that there is.
fn it_survives_a_change_of_the_poller(stage: &Stage) -> Result<()> {
    let server = stage.start()?;
    let (mut client, mut operator) = (server.client()?, server.client()?);
    for poller in POLLERS {
        client.expect("SET a 1", "+OK\r\n")?;
        let (tell, told) = std::sync::mpsc::channel::<()>();
        let (port, player) = listener(move |mut line| {
            hear(&mut line, "$1\r\na\r\n")?;
            line.write_all(b"+OK\r\n+")?;
            told.recv()?;
            line.write_all(b"OK\r\n")?;
            hear_to_the_end(&mut line)
        })?;
        client.send(&["MIGRATE", "127.0.0.1", &port.to_string(), "a", "0", "20000"])?;
        until("MIGRATE waits", || {
            Ok((field(&mut operator, "blocked_clients")? == "1").then_some(()))
        })?;
        operator.expect(&format!("CONFIG SET poller {poller}"), "+OK\r\n")?;
        operator.expect("PING", "+PONG\r\n")?;
        tell.send(())?;
        ensure!(client.read()?.encode() == b"+OK\r\n", "over {poller}");
        done(player)?;
        client.expect("EXISTS a", ":0\r\n")?;
    }
    Ok(())
}

fn what_has_left_is_not_in_the_log(stage: &Stage) -> Result<()> {
    let launch = stage
        .launch()
        .option("appendonly", "yes")
        .option("appendfsync", "always");
    let (from, to) = (launch.start()?, stage.start()?);
    let mut client = from.client()?;
    client.expect("MSET a 1 b 2 c 3", "+OK\r\n")?;
    let request = format!("MIGRATE 127.0.0.1 {}  0 5000 KEYS a b", to.port());
    client.expect(&request, "+OK\r\n")?;
    client.expect("DEBUG LOADAOF", "+OK\r\n")?;
    client.expect("KEYS *", "*1\r\n$1\r\nc\r\n")
}

each_poller!(
    keys_go_to_another_of_ours,
    keys_go_to_a_real_server,
    keys_come_from_a_real_server,
    passwords_are_asked_for,
    others_that_misbehave_are_given_up,
    others_wait_with_writes_until_it_is_over,
    it_survives_a_change_of_the_poller,
    what_has_left_is_not_in_the_log,
);
