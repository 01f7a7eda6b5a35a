//! Connections as others see them: CLIENT LIST and its fields, killing, pausing, unblocking.

use anyhow::{Context, Result, bail, ensure};
use dovetail_tests::value::Value;
use dovetail_tests::{Client, Server, Stage, each_poller, until};

/// The fields of Redis 7.2, in order; newer servers have others between them.
const FIELDS: &str = "id addr laddr fd name age idle flags db sub psub ssub multi qbuf qbuf-free \
    argv-mem multi-mem rbs rbp obl oll omem tot-mem events cmd user redir resp lib-name lib-ver";
/// Fields that newer servers added.
const NEWER: [&str; 6] = [
    "capa",
    "watch",
    "io-thread",
    "tot-net-in",
    "tot-net-out",
    "tot-cmds",
];

type Fields = Vec<(String, String)>;

fn fields(line: &str) -> Result<Fields> {
    line.split(' ')
        .map(|field| {
            let pair = field
                .split_once('=')
                .with_context(|| format!("{field:?} in {line:?}"))?;
            Ok((pair.0.to_owned(), pair.1.to_owned()))
        })
        .collect()
}

fn get<'a>(fields: &'a Fields, name: &str) -> &'a str {
    fields
        .iter()
        .find(|(known, _)| known == name)
        .map_or("missing", |(_, value)| value)
}

/// The entry of the client with this id in CLIENT LIST; `None` when it is gone.
fn entry(watcher: &mut Client, id: i64) -> Result<Option<Fields>> {
    let list = watcher.say("CLIENT LIST")?.text();
    for line in list.lines() {
        let entry = fields(line)?;
        if get(&entry, "id") == id.to_string() {
            return Ok(Some(entry));
        }
    }
    Ok(None)
}

/// Waits until a field of a client's entry has this value.
fn await_field(watcher: &mut Client, id: i64, name: &str, value: &str) -> Result<()> {
    until(&format!("client {id} with {name}={value}"), || {
        let entry = entry(watcher, id)?.with_context(|| format!("client {id} is gone"))?;
        Ok((get(&entry, name) == value).then_some(()))
    })
}

fn id_of(client: &mut Client) -> Result<i64> {
    client
        .say("CLIENT ID")?
        .integer()
        .context("CLIENT ID is a number")
}

fn client_list_has_the_fields_in_order(stage: &Stage) -> Result<()> {
    let server = stage.start()?;
    let mut client = server.client()?;
    client.expect("CLIENT SETNAME probe", "+OK\r\n")?;
    client.expect("CLIENT SETINFO LIB-NAME lib", "+OK\r\n")?;
    client.expect("CLIENT SETINFO LIB-VER 1.2", "+OK\r\n")?;
    client.expect("SELECT 3", "+OK\r\n")?;
    for command in ["CLIENT LIST", "CLIENT INFO"] {
        let text = client.say(command)?.text();
        let line = text.strip_suffix('\n').context("a line ends with LF")?;
        ensure!(!line.contains('\n'), "one client, one line: {text:?}");
        let entry = fields(line)?;
        let names: Vec<&str> = entry
            .iter()
            .map(|(name, _)| name.as_str())
            .filter(|n| !NEWER.contains(n))
            .collect();
        ensure!(
            names.join(" ") == FIELDS,
            "{command} has the fields {names:?}"
        );
        let id = id_of(&mut client)?.to_string();
        let address = client.local_address()?;
        let laddr = format!("127.0.0.1:{}", server.port());
        let cmd = command.to_lowercase().replace(' ', "|");
        for (name, value) in [
            ("id", id.as_str()),
            ("addr", &address),
            ("laddr", &laddr),
            ("name", "probe"),
            ("flags", "N"),
            ("db", "3"),
            ("sub", "0"),
            ("psub", "0"),
            ("ssub", "0"),
            ("multi", "-1"),
            ("cmd", &cmd),
            ("user", "default"),
            ("redir", "-1"),
            ("resp", "2"),
            ("lib-name", "lib"),
            ("lib-ver", "1.2"),
        ] {
            ensure!(
                get(&entry, name) == value,
                "{command}: {name}={}",
                get(&entry, name)
            );
        }
    }
    Ok(())
}

fn client_flags_say_what_a_client_does(stage: &Stage) -> Result<()> {
    let server = stage.start()?;
    let mut watcher = server.client()?;
    for (commands, flags, others) in [
        (&["SUBSCRIBE a b"][..], "P", [("sub", "2"), ("psub", "0")]),
        (&["PSUBSCRIBE a*"], "P", [("sub", "0"), ("psub", "1")]),
        (&["SSUBSCRIBE a"], "P", [("ssub", "1"), ("sub", "0")]),
        (
            &["MULTI", "PING", "PING"],
            "x",
            [("multi", "2"), ("cmd", "ping")],
        ),
        (&["MONITOR"], "O", [("cmd", "monitor"), ("multi", "-1")]),
        (&["WAIT 1 0"], "b", [("cmd", "wait"), ("multi", "-1")]),
        (
            &["CLIENT NO-EVICT on"],
            "e",
            [("cmd", "client|no-evict"), ("resp", "2")],
        ),
        (
            &["CLIENT NO-TOUCH on"],
            "T",
            [("cmd", "client|no-touch"), ("resp", "2")],
        ),
        (&["HELLO 3"], "N", [("cmd", "hello"), ("resp", "3")]),
    ] {
        let mut client = server.client()?;
        let id = id_of(&mut client)?;
        for command in commands {
            client.send(&command.split(' ').collect::<Vec<_>>())?;
        }
        await_field(&mut watcher, id, "flags", flags).with_context(|| format!("{commands:?}"))?;
        let entry = entry(&mut watcher, id)?.context("it is still connected")?;
        for (name, value) in others {
            ensure!(
                get(&entry, name) == value,
                "{commands:?}: {name}={}",
                get(&entry, name)
            );
        }
    }
    Ok(())
}

fn a_dirty_watch_shows_in_the_flags(stage: &Stage) -> Result<()> {
    let server = stage.start()?;
    let (mut watcher, mut client) = (server.client()?, server.client()?);
    let id = id_of(&mut client)?;
    client.expect("WATCH k", "+OK\r\n")?;
    client.expect("MULTI", "+OK\r\n")?;
    watcher.expect("SET k v", "+OK\r\n")?;
    await_field(&mut watcher, id, "flags", "xd")
}

/// The ids that CLIENT LIST with these filters shows.
fn listed(watcher: &mut Client, filters: &str) -> Result<Vec<i64>> {
    let reply = watcher.say(&format!("CLIENT LIST {filters}"))?;
    ensure!(!reply.is_error(), "CLIENT LIST {filters}: {reply}");
    let text = reply.text();
    text.lines()
        .map(|line| Ok(get(&fields(line)?, "id").parse()?))
        .collect()
}

fn client_list_filters_by_what_clients_are(stage: &Stage) -> Result<()> {
    let server = stage.start()?;
    let (mut watcher, mut named, mut listener) =
        (server.client()?, server.client()?, server.client()?);
    let me = id_of(&mut watcher)?;
    let (a, b) = (id_of(&mut named)?, id_of(&mut listener)?);
    named.expect("CLIENT SETNAME one", "+OK\r\n")?;
    named.expect("CLIENT SETINFO LIB-NAME lib", "+OK\r\n")?;
    named.expect("SELECT 7", "+OK\r\n")?;
    listener.say("SUBSCRIBE c")?;
    let address = named.local_address()?;
    await_clients(&mut watcher, 3)?;
    for (filters, ids) in [
        (format!("ID {a} {b}"), vec![a, b]),
        (format!("ID {a} 999999"), vec![a]),
        ("TYPE pubsub".to_owned(), vec![b]),
        ("TYPE normal".to_owned(), vec![me, a]),
        ("NAME one".to_owned(), vec![a]),
        ("DB 7".to_owned(), vec![a]),
        ("LIB-NAME lib".to_owned(), vec![a]),
        ("FLAGS P".to_owned(), vec![b]),
        ("USER default".to_owned(), vec![me, a, b]),
        (format!("ADDR {address}"), vec![a]),
        (format!("LADDR 127.0.0.1:{}", server.port()), vec![me, a, b]),
        ("IP 127.0.0.1".to_owned(), vec![me, a, b]),
        (format!("NOT-ID {a}"), vec![me, b]),
        ("NOT-TYPE pubsub".to_owned(), vec![me, a]),
        ("NOT-NAME one".to_owned(), vec![me, b]),
        ("NOT-DB 7".to_owned(), vec![me, b]),
        ("NOT-FLAGS P".to_owned(), vec![me, a]),
        (format!("NOT-ADDR {address}"), vec![me, b]),
        ("SKIPME yes TYPE normal".to_owned(), vec![a]),
        (format!("TYPE normal ID {a} {b}"), vec![a]),
    ] {
        let mut got = listed(&mut watcher, &filters)?;
        got.sort_unstable();
        let mut want = ids.clone();
        want.sort_unstable();
        ensure!(
            got == want,
            "CLIENT LIST {filters}: got {got:?}, want {want:?}"
        );
    }
    Ok(())
}

/// Waits until exactly `count` clients are connected: those of the start have been seen to leave.
fn await_clients(watcher: &mut Client, count: usize) -> Result<()> {
    until(&format!("{count} clients"), || {
        let list = watcher.say("CLIENT LIST")?.text();
        Ok((list.lines().count() == count).then_some(()))
    })
}

fn killed_clients_are_closed_and_nobody_else(stage: &Stage) -> Result<()> {
    let server = stage.start()?;
    let mut watcher = server.client()?;
    let mut bystander = server.client()?;
    for kind in ["ID", "ADDR", "old", "MAXAGE", "NOT-ID"] {
        let mut victim = server.client()?;
        let id = id_of(&mut victim)?;
        let address = victim.local_address()?;
        let (me, other) = (id_of(&mut watcher)?, id_of(&mut bystander)?);
        let (command, reply) = match kind {
            "ID" => (format!("CLIENT KILL ID {id}"), ":1\r\n"),
            "ADDR" => (format!("CLIENT KILL ADDR {address} SKIPME yes"), ":1\r\n"),
            "old" => (format!("CLIENT KILL {address}"), "+OK\r\n"),
            "MAXAGE" => {
                let age = "waiting for an age of a second";
                until(age, || {
                    let entry = entry(&mut watcher, id)?.context("it is connected")?;
                    Ok((get(&entry, "age") != "0").then_some(()))
                })?;
                (format!("CLIENT KILL MAXAGE 1 ID {id}"), ":1\r\n")
            }
            _ => {
                await_clients(&mut watcher, 3)?;
                (format!("CLIENT KILL NOT-ID {me} {other}"), ":1\r\n")
            }
        };
        watcher.expect(&command, reply)?;
        let rest = victim.read_to_close().with_context(|| command.clone())?;
        ensure!(rest.is_empty(), "{command}: the victim read {rest:?}");
        watcher.expect("PING", "+PONG\r\n")?;
        bystander.expect("PING", "+PONG\r\n")?;
    }
    Ok(())
}

fn who_kills_itself_reads_the_reply_first(stage: &Stage) -> Result<()> {
    let server = stage.start()?;
    let mut client = server.client()?;
    let id = id_of(&mut client)?;
    client.expect(&format!("CLIENT KILL ID {id} SKIPME no"), ":1\r\n")?;
    ensure!(
        client.read_to_close()?.is_empty(),
        "nothing after the reply"
    );
    Ok(())
}

fn unblocked_clients_get_the_reply_of_their_reason(stage: &Stage) -> Result<()> {
    let server = stage.start()?;
    let mut watcher = server.client()?;
    for (reason, reply) in [
        ("", ":0\r\n"),
        (" TIMEOUT", ":0\r\n"),
        (
            " ERROR",
            "-UNBLOCKED client unblocked via CLIENT UNBLOCK\r\n",
        ),
    ] {
        let mut client = server.client()?;
        let id = id_of(&mut client)?;
        watcher.expect(&format!("CLIENT UNBLOCK {id}{reason}"), ":0\r\n")?;
        client.send(&["WAIT", "1", "0"])?;
        await_field(&mut watcher, id, "flags", "b")?;
        watcher.expect(&format!("CLIENT UNBLOCK {id}{reason}"), ":1\r\n")?;
        let got = client.read()?.encode();
        ensure!(
            got == reply.as_bytes(),
            "UNBLOCK{reason}: {}",
            String::from_utf8_lossy(&got)
        );
        client.expect("PING", "+PONG\r\n")?;
    }
    Ok(())
}

/// Microseconds since 1970 by the server's clock.
fn micros(reply: &Value) -> Result<i64> {
    let parts = reply.items().context("TIME is an array")?;
    match parts.as_slice() {
        [seconds, micros] => {
            Ok(seconds.text().parse::<i64>()? * 1_000_000 + micros.text().parse::<i64>()?)
        }
        _ => bail!("TIME answered {reply}"),
    }
}

fn a_pause_of_all_holds_every_command_until_it_ends(stage: &Stage) -> Result<()> {
    let server = stage.start()?;
    let (mut pauser, mut other) = (server.client()?, server.client()?);
    let start = micros(&pauser.say("TIME")?)?;
    pauser.expect("CLIENT PAUSE 150 ALL", "+OK\r\n")?;
    let held = micros(&other.say("TIME")?)?;
    ensure!(
        held >= start + 150_000,
        "answered {} us after the pause began",
        held - start
    );
    Ok(())
}

fn a_paused_pipeline_keeps_its_order(stage: &Stage) -> Result<()> {
    let server = stage.start()?;
    let (mut pauser, mut other) = (server.client()?, server.client()?);
    pauser.expect("CLIENT PAUSE 100000 WRITE", "+OK\r\n")?;
    let commands = ["PING", "SET k 1", "GET k", "INCR k", "ECHO end"];
    let commands: Vec<Vec<&str>> = commands.iter().map(|c| c.split(' ').collect()).collect();
    let bytes: Vec<u8> = commands
        .iter()
        .flat_map(|c| dovetail_tests::value::request(c))
        .collect();
    other.send_raw(&bytes)?;
    ensure!(
        other.read()?.encode() == b"+PONG\r\n",
        "reading is allowed before the first write"
    );
    pauser.expect("GET k", "$-1\r\n")?;
    pauser.expect("CLIENT UNPAUSE", "+OK\r\n")?;
    let rest: Vec<u8> = other.read_many(4)?.iter().flat_map(Value::encode).collect();
    ensure!(rest == b"+OK\r\n$1\r\n1\r\n:2\r\n$3\r\nend\r\n", "{rest:?}");
    Ok(())
}

fn monitors_see_what_others_do(stage: &Stage) -> Result<()> {
    let server: Server = stage.start()?;
    let (mut monitor, mut client) = (server.client()?, server.client()?);
    monitor.expect("MONITOR", "+OK\r\n")?;
    client.say("SET k v")?;
    client.say("AUTH nosuch secret")?;
    client.say("MULTI")?;
    client.say("INCR n")?;
    client.say("EXEC")?;
    client.say("GET")?;
    client.say("ECHO end")?;
    let mut seen = Vec::new();
    loop {
        let line = monitor.read()?.text();
        let command = line
            .split_once("] ")
            .context("a line of MONITOR")?
            .1
            .to_owned();
        let last = command == "\"ECHO\" \"end\"";
        seen.push(command);
        if last {
            break;
        }
    }
    let all = seen.join("; ");
    ensure!(all.contains("\"SET\" \"k\" \"v\""), "{all}");
    ensure!(!all.contains("secret"), "a password is not shown: {all}");
    ensure!(
        !all.contains("\"GET\""),
        "a refused command is not shown: {all}"
    );
    ensure!(all.contains("\"MULTI\""), "{all}");
    ensure!(all.contains("\"INCR\" \"n\""), "{all}");
    Ok(())
}

each_poller!(
    client_list_has_the_fields_in_order,
    client_flags_say_what_a_client_does,
    a_dirty_watch_shows_in_the_flags,
    client_list_filters_by_what_clients_are,
    killed_clients_are_closed_and_nobody_else,
    who_kills_itself_reads_the_reply_first,
    unblocked_clients_get_the_reply_of_their_reason,
    a_pause_of_all_holds_every_command_until_it_ends,
    a_paused_pipeline_keeps_its_order,
    monitors_see_what_others_do,
);
