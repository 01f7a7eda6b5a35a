//! Keys of every type in every form, and changes of every kind.

use anyhow::{Context, Result, ensure};
use dovetail_tests::oracle::{Peer, launch_redis7};
use dovetail_tests::stage::is_long;
use dovetail_tests::value::shown;
use dovetail_tests::{Client, Launch, Server};

type Words = Vec<Vec<u8>>;

/// A deadline that no test lives to see.
pub(crate) const LATER: &str = "33177117420000";

/// A value that is worth packing.
pub(crate) const PACKABLE: &str = "round and round and round and round and round and round";

fn command(words: &[&str]) -> Words {
    words.iter().map(|word| word.as_bytes().to_vec()).collect()
}

/// A command with many words, made of their numbers.
fn many(head: &[&str], count: u32, word: impl Fn(u32) -> Vec<Vec<u8>>) -> Words {
    let mut words = command(head);
    words.extend((0..count).flat_map(word));
    words
}

fn numbered(prefix: &'static str) -> impl Fn(u32) -> Vec<Vec<u8>> {
    move |n| vec![format!("{prefix}{n}").into_bytes()]
}

fn multiples(n: u32) -> Vec<Vec<u8>> {
    vec![(n * 3).to_string().into_bytes()]
}

fn scored(n: u32) -> Vec<Vec<u8>> {
    let score = f64::from(n) * 1.1 - 100.0;
    vec![score.to_string().into_bytes(), format!("m{n}").into_bytes()]
}

fn paired(n: u32) -> Vec<Vec<u8>> {
    vec![
        format!("field-{n}").into_bytes(),
        (n * 12_345).to_string().into_bytes(),
    ]
}

fn strings() -> Vec<Words> {
    let bytes: Vec<u8> = (0..=255).collect();
    let long: Vec<u8> = (0..=255).cycle().take(100_000).collect();
    let mut all = vec![
        command(&["SET", "empty", ""]),
        command(&["SET", "", "a key without a name"]),
        command(&["SET", "word", "value"]),
        command(&["SET", "packable", &PACKABLE.repeat(40)]),
        command(&["SET", "later", "v", "PXAT", LATER]),
        vec![b"SET".to_vec(), b"long".to_vec(), long],
        vec![b"SET".to_vec(), bytes.clone(), bytes],
        command(&["APPEND", "edited", "part"]),
        command(&["APPEND", "edited", "s"]),
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
    all
}

fn collections() -> Vec<Words> {
    vec![
        many(&["RPUSH", "list"], 20, numbered("element")),
        many(&["RPUSH", "long list"], 3000, numbered("element")),
        many(&["RPUSH", "bulky list"], 6, |n| {
            vec![vec![b'a'; 5000 * n as usize]]
        }),
        many(&["HSET", "hash"], 10, paired),
        many(&["HSET", "big hash"], 700, paired),
        command(&["HSET", "wide hash", "f", &"v".repeat(100)]),
        many(&["SADD", "ints"], 100, multiples),
        many(&["SADD", "many ints"], 600, multiples),
        command(&["SADD", "wide ints", "1", "-70000", "9223372036854775807"]),
        many(&["SADD", "set"], 10, numbered("member")),
        many(&["SADD", "big set"], 300, numbered("member")),
        command(&["SADD", "wide set", "1", &"m".repeat(100)]),
        many(&["ZADD", "zset"], 20, scored),
        many(&["ZADD", "big zset"], 300, scored),
        command(&[
            "ZADD", "ends", "-inf", "a", "inf", "b", "0", "c", "1e10", "d", "0.1", "e",
        ]),
        command(&["PEXPIREAT", "big zset", LATER]),
        command(&["PEXPIREAT", "list", LATER]),
    ]
}

/// Keys of all types in all forms, in three databases.
pub(crate) fn fill(client: &mut Client) -> Result<()> {
    let mut all = strings();
    all.extend(collections());
    all.extend([
        command(&["SELECT", "9"]),
        command(&["SET", "elsewhere", "1"]),
        command(&["SELECT", "15"]),
        many(&["HSET", "hash"], 3, paired),
        command(&["SELECT", "0"]),
    ]);
    run(client, &all)
}

/// The changes that are logged as something else than what was sent, and some that are not.
const CHANGES: &[&str] = &[
    "SETEX k:setex 100000 v",
    "PSETEX k:psetex 100000000 v",
    "SET k:ex v EX 100000",
    "SET k:nx v PX 100000000 NX",
    "SET k:keep v EX 100000",
    "SET k:keep w KEEPTTL",
    "GETSET k:getset v",
    "SET k:getdel v",
    "GETDEL k:getdel",
    "SET k:getex v",
    "GETEX k:getex EX 100000",
    "SET k:persist v EX 100000",
    "GETEX k:persist PERSIST",
    "SET k:past v",
    "PEXPIREAT k:past 1",
    "SET k:float 10.5",
    "INCRBYFLOAT k:float 0.1",
    "INCRBY k:counter 7",
    "DECR k:counter",
    "SETRANGE k:range 5 hello",
    "HINCRBY hash new2 5",
    "HDEL hash field-0 field-1",
    "EXPIRE hash 100000",
    "SADD k:pop a b c d e f g h",
    "SPOP k:pop",
    "SPOP k:pop 3",
    "SADD k:gone a b",
    "SPOP k:gone 5",
    "SMOVE set k:other-set member0",
    "SADD k:moved 1 2 3",
    "SINTERSTORE k:inter ints k:moved",
    "RPUSH k:list a b c d e f",
    "LMPOP 2 k:none k:list LEFT COUNT 2",
    "LMOVE k:list k:other LEFT RIGHT",
    "RPOPLPUSH k:list k:other",
    "LINSERT k:other BEFORE f x",
    "ZADD k:z 1 a 2 b 3 c 4 d 2.5 e",
    "ZINCRBY k:z 0.1 a",
    "ZPOPMIN k:z",
    "ZMPOP 1 k:z MAX COUNT 2",
    "ZRANGESTORE k:stored zset 0 9",
    "ZADD k:z 5 f",
    "SORT k:list ALPHA STORE k:sorted",
    "RENAME k:float k:renamed",
    "COPY hash k:copied",
    "MOVE k:range 3",
    "SWAPDB 9 10",
    "PERSIST later",
    "MULTI",
    "SET k:multi 1",
    "INCR k:multi",
    "SELECT 2",
    "SET k:second db",
    "SELECT 0",
    "EXEC",
    "MULTI",
    "SET k:single 1",
    "EXEC",
    "MULTI",
    "GET k:single",
    "EXEC",
];

/// Changes what `fill` has made, by all kinds of commands.
pub(crate) fn change(server: &Server) -> Result<()> {
    let mut client = server.client()?;
    let words: Vec<Words> = CHANGES
        .iter()
        .map(|words| command(&words.split(' ').collect::<Vec<_>>()))
        .collect();
    run(&mut client, &words)?;
    // Redis 8 logs this as a command that only servers with deadlines of fields have.
    if !client
        .say("INFO server")?
        .text()
        .contains("redis_version:8.")
    {
        run(
            &mut client,
            &[command(&["HINCRBYFLOAT", "hash", "new", "3.25"])],
        )?;
    }
    let script = "redis.call('SET', KEYS[1], 1) redis.call('INCR', KEYS[1]) \
                  return redis.call('SPOP', KEYS[2])";
    run(
        &mut client,
        &[command(&["EVAL", script, "2", "k:script", "k:pop"])],
    )?;
    let payload = client.call(&["DUMP", "big hash"])?;
    let payload = payload.bytes().context("a payload")?.to_vec();
    let mut restore = command(&["RESTORE", "k:restored", "100000000"]);
    restore.push(payload);
    run(&mut client, &[restore])?;
    serve_blocked(server, &mut client)
}

/// Pushes that somebody waits for.
fn serve_blocked(server: &Server, client: &mut Client) -> Result<()> {
    for (wait, push) in [
        ("BLPOP k:wait 0", "RPUSH k:wait a b c"),
        ("BLMOVE k:source k:target LEFT LEFT 0", "RPUSH k:source a"),
        (
            "BLMPOP 0 1 k:several RIGHT COUNT 2",
            "RPUSH k:several a b c",
        ),
        ("BZPOPMIN k:scores 0", "ZADD k:scores 1 a 2 b"),
    ] {
        let mut waiting = server.client()?;
        waiting.send(&wait.split(' ').collect::<Vec<_>>())?;
        dovetail_tests::until("a blocked client", || {
            let info = client.say("INFO clients")?.text();
            Ok(info.contains("blocked_clients:1").then_some(()))
        })?;
        let reply = client.say(push)?;
        ensure!(!reply.is_error(), "{push}: {reply}");
        let reply = waiting.read()?;
        ensure!(!reply.is_error(), "{wait}: {reply}");
    }
    Ok(())
}

fn run(client: &mut Client, commands: &[Words]) -> Result<()> {
    for words in commands {
        let reply = client.call(words)?;
        let failed = reply.is_error() || reply.is_null() && words[0] == b"EXEC";
        ensure!(!failed, "{}: {reply}", shown(&words[..words.len().min(4)]));
    }
    Ok(())
}

/// The servers that files are exchanged with: Redis 7.0 always; in long runs the newer ones, which
/// must be there then.
pub(crate) fn elders() -> Result<Vec<(&'static str, Launch)>> {
    let mut all = vec![("redis 7.0", launch_redis7()?)];
    if is_long() || std::env::var_os("DOVETAIL_PEERS").is_some() {
        all.push(("redis 8.0", Peer::Redis8.launch()?));
        all.push(("valkey 9.1", Peer::Valkey9.launch()?));
    }
    Ok(all)
}
