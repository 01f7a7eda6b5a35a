//! Bytes that are no proper request, and proper ones in improper pieces.

use anyhow::{Context, Result, bail};
use dovetail_tests::compare::same_replies;
use dovetail_tests::duel::{Duel, Pair};
use dovetail_tests::generate::words;
use dovetail_tests::value::{Value, escape, request};
use dovetail_tests::{Client, Stage, each_poller};
use rand::rngs::SmallRng;
use rand::seq::IndexedRandom;
use rand::{Rng, SeedableRng};

/// Sends bytes, closes the sending half, and reads whatever comes until the server closes too.
fn answer(client: &mut Client, bytes: &[u8]) -> Result<Vec<u8>> {
    // A server that has closed already answers the rest with a reset: what it said still counts.
    if client.send_raw(bytes).is_ok() {
        client.finish_sending().unwrap_or_default();
    }
    client.read_to_close()
}

fn same_bytes(pair: Pair, bytes: &[u8]) -> Result<Vec<u8>> {
    let (mut subject, mut oracle) = (pair.subject, pair.oracle);
    let theirs = answer(&mut oracle, bytes).context("the oracle")?;
    let ours = answer(&mut subject, bytes).with_context(|| escape(bytes))?;
    if !same_replies(&ours, &theirs) {
        bail!(
            "{}\n got {}\nwant {}",
            escape(bytes),
            escape(&ours),
            escape(&theirs)
        );
    }
    Ok(ours)
}

/// Requests that end with a protocol error; each is sent alone and after a PING.
fn faults() -> Vec<Vec<u8>> {
    let mut cases: Vec<Vec<u8>> = [
        "*x\r\n",
        "*1x\r\n$4\r\nPING\r\n",
        "* 1\r\n",
        "*+1\r\n$4\r\nPING\r\n",
        "*01\r\n$4\r\nPING\r\n",
        "*2147483648\r\n",
        "*9223372036854775808\r\n",
        "*99999999999999999999999\r\n",
        "*1\r\nPING\r\n",
        "*1\r\n:4\r\n",
        "*1\r\n\r\n",
        "*1\r\n$-1\r\n",
        "*1\r\n$x\r\n",
        "*1\r\n$\r\n",
        "*1\r\n$4 \r\nPING\r\n",
        "*1\r\n$+4\r\nPING\r\n",
        "*1\r\n$04\r\nPING\r\n",
        "*1\r\n$536870913\r\n",
        "*1\r\n$9223372036854775808\r\n",
        "*3\r\n$3\r\nSET\r\n$1\r\na\r\n$-5\r\n",
        "SET a \"unbalanced\r\n",
        "SET a 'unbalanced\r\n",
        "SET a \"b\"c\r\n",
        "SET a 'b'c\r\n",
        "\"\\x\r\n",
        "POST / HTTP/1.1\r\n",
        "post / HTTP/1.1\r\n",
        "Host: localhost\r\n",
        "GET / HTTP/1.1\r\nHost: localhost\r\n\r\n",
        "*2\r\n$5\r\nHost:\r\n$1\r\nx\r\n",
        "*1\r\n$4\r\nPOST\r\n",
    ]
    .iter()
    .map(|text| text.as_bytes().to_vec())
    .collect();
    cases.push(vec![b'x'; 200_000]);
    cases.push([b"*".to_vec(), vec![b'1'; 200_000]].concat());
    cases.push([b"*1\r\n$".to_vec(), vec![b'1'; 200_000]].concat());
    cases
}

/// Requests that are unusual and fine, or cut short.
fn oddities() -> Vec<Vec<u8>> {
    [
        "",
        "\r\n",
        "\n\n\n",
        "   \r\nPING\r\n",
        "PING",
        "PING\n",
        "ping  \"a b\"  \r\n",
        "ECHO \"\\x41\\n\\t\\\"\\\\\\q\"\r\n",
        "ECHO 'it\\'s'\r\n",
        "ECHO ''\r\n",
        "ECHO \"\"\r\n",
        "\"PI\"\r\n",
        "ECHO a'b'\r\n",
        "*0\r\n",
        "*-1\r\n",
        "*-5\r\n",
        "*0\r\nPING\r\n*-1\r\n*1\r\n$4\r\nPING\r\n",
        "*1\r\n$4\r\nPING",
        "*1\r\n$4\r\nPINGxx*1\r\n$4\r\nPING\r\n",
        "*1\r\n$0\r\n\r\n",
        "*2\r\n$4\r\nECHO\r\n$0\r\n\r\n",
        "*2\r\n$4\r\nECHO\r\n$3\r\n\0\r\n\r\n",
        "*1\r\n$4\r\nPING\r\nPING\r\n*1\r\n$4\r\nPING\r\n",
        "*1\n$4\nPING\r\n",
        "*1\r\n$4\r\nQUIT\r\n*1\r\n$4\r\nPING\r\n",
        "QUIT\r\nPING\r\n",
        "QUIT now\r\nPING\r\n",
        "*2\r\n$3\r\nGET\r\n$100\r\nshort\r\n",
        "HELLO 3\r\nGET nosuch\r\nHELLO 2\r\nGET nosuch\r\n",
        "HELLO 3 SETNAME\r\nHELLO 3\r\nRESET\r\nGET nosuch\r\n",
    ]
    .iter()
    .map(|text| text.as_bytes().to_vec())
    .collect()
}

fn protocol_errors_say_the_same_and_close(stage: &Stage) -> Result<()> {
    let duel = Duel::start(stage, &[])?;
    for case in faults() {
        same_bytes(duel.pair()?, &case)?;
        same_bytes(
            duel.pair()?,
            &[b"PING\r\n", case.as_slice(), b"PING\r\n"].concat(),
        )?;
    }
    for case in oddities() {
        same_bytes(duel.pair()?, &case)?;
    }
    Ok(())
}

/// A client that keeps its sending half open sees the close too.
fn a_protocol_error_closes_without_waiting_for_the_client(stage: &Stage) -> Result<()> {
    let duel = Duel::start(stage, &[])?;
    for case in [
        "*x\r\n",
        "*1\r\n$x\r\n",
        "*1\r\nPING\r\n",
        "ECHO \"\r\n",
        "POST / HTTP/1.1\r\n",
    ] {
        let mut pair = duel.pair()?;
        pair.subject.send_raw(case.as_bytes())?;
        pair.oracle.send_raw(case.as_bytes())?;
        let (ours, theirs) = (pair.subject.read_to_close()?, pair.oracle.read_to_close()?);
        if ours != theirs {
            bail!("{case:?}\n got {}\nwant {}", escape(&ours), escape(&theirs));
        }
    }
    Ok(())
}

fn strangers_get_tighter_limits(stage: &Stage) -> Result<()> {
    let duel = Duel::start(stage, &[("requirepass", "secret")])?;
    let eleven = request(&["MGET"; 11]);
    let ten = request(&["MGET"; 10]);
    let long = request(&["ECHO", &"x".repeat(16_385)]);
    let fits = request(&["ECHO", &"x".repeat(16_384)]);
    let login = request(&["AUTH", "secret"]);
    for case in [
        eleven.clone(),
        ten,
        long.clone(),
        fits,
        [login.clone(), eleven].concat(),
        [login, long].concat(),
        b"GET a\r\nAUTH wrong\r\nAUTH secret\r\nGET a\r\n".to_vec(),
        b"AUTH default secret\r\nGET a\r\nRESET\r\nGET a\r\n".to_vec(),
        b"AUTH other secret\r\nAUTH\r\nAUTH a b c\r\n".to_vec(),
        b"HELLO 3\r\nHELLO 3 AUTH default wrong\r\nPING\r\n".to_vec(),
        b"MULTI\r\nEXEC\r\nCLIENT ID\r\nnosuch\r\nGET\r\nPING\r\nRESET\r\nSUBSCRIBE a\r\n".to_vec(),
        b"QUIT\r\n".to_vec(),
    ] {
        let hello = case.starts_with(b"HELLO");
        if hello {
            let mut pair = duel.pair()?;
            for line in String::from_utf8_lossy(&case).lines() {
                pair.same(&words(line))?;
            }
        } else {
            same_bytes(duel.pair()?, &case)?;
        }
    }
    Ok(())
}

/// Valid requests with a few bytes changed, dropped or doubled.
fn damaged_requests_get_the_same_bytes(stage: &Stage) -> Result<()> {
    let duel = Duel::start(stage, &[])?;
    let mut rng = SmallRng::seed_from_u64(u64::from(stage.name().as_bytes()[0]));
    for _ in 0..400 {
        let mut bytes = requests(&mut rng);
        for _ in 0..rng.random_range(1..4) {
            damage(&mut bytes, &mut rng);
        }
        same_bytes(duel.pair()?, &bytes)?;
    }
    Ok(())
}

fn requests(rng: &mut SmallRng) -> Vec<u8> {
    let lines = [
        "PING",
        "ECHO hello",
        "SET dk some-value",
        "GET dk",
        "INCR dn",
        "DEL dn",
        "APPEND dk x",
    ];
    let mut bytes = Vec::new();
    for _ in 0..rng.random_range(1..8) {
        let line = lines.choose(rng).expect("the list has entries");
        if rng.random_bool(0.7) {
            bytes.extend(request(&words(line)));
        } else {
            bytes.extend_from_slice(line.as_bytes());
            bytes.extend_from_slice(b"\r\n");
        }
    }
    bytes
}

fn damage(bytes: &mut Vec<u8>, rng: &mut SmallRng) {
    const NASTY: &[u8] = b"\r\n*$:-0123456789\xff\"' ";
    let at = rng.random_range(0..bytes.len().max(1));
    let byte = *NASTY.choose(rng).expect("the list has entries");
    match rng.random_range(0..4) {
        _ if bytes.is_empty() => bytes.push(byte),
        0 => bytes[at] = byte,
        1 => bytes.insert(at, byte),
        2 => {
            bytes.remove(at);
        }
        _ => bytes.truncate(at),
    }
}

/// However the bytes arrive, the replies are those of one piece.
fn requests_in_pieces_get_the_same_replies(stage: &Stage) -> Result<()> {
    let server = stage.start()?;
    let mut rng = SmallRng::seed_from_u64(11);
    let big = "v".repeat(100_000);
    let commands: Vec<Vec<&str>> = vec![
        vec!["SET", "k", "value"],
        vec!["GET", "k"],
        vec!["SET", "big", &big],
        vec!["STRLEN", "big"],
        vec!["GET", "big"],
        vec!["ECHO", ""],
        vec!["PING"],
    ];
    let bytes: Vec<u8> = commands.iter().flat_map(|args| request(args)).collect();
    let whole = server.client()?.pipeline(&commands)?;
    for _ in 0..20 {
        let mut client = server.client()?;
        let mut rest = bytes.as_slice();
        while !rest.is_empty() {
            let most = if rng.random_bool(0.5) { 5 } else { 40_000 };
            let length = rng.random_range(1..=most).min(rest.len());
            client.send_raw(&rest[..length])?;
            rest = &rest[length..];
        }
        let replies = client.read_many(commands.len())?;
        if replies != whole {
            let shown: Vec<String> = replies.iter().map(Value::to_string).collect();
            bail!("in pieces the replies are {}", shown.join(" "));
        }
    }
    Ok(())
}

each_poller!(
    protocol_errors_say_the_same_and_close,
    a_protocol_error_closes_without_waiting_for_the_client,
    strangers_get_tighter_limits,
    damaged_requests_get_the_same_bytes,
    requests_in_pieces_get_the_same_replies,
);
