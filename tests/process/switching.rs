//! The change of pollers under load: no byte lost, no reply out of order, nobody disconnected.

use std::sync::atomic::{AtomicBool, AtomicU64, Ordering};
use std::thread;

use anyhow::{Context, Result, bail, ensure};
use dovetail_tests::stage::POLLERS;
use dovetail_tests::value::{Value, escape, request};
use dovetail_tests::{Address, Client, Server, Stage, until};

/// How often all four pollers have their turn.
const ROUNDS: usize = 100;
/// How many checking clients there are of each kind.
const WORKERS: usize = 4;

/// What the threads share.
struct Load {
    address: Address,
    is_over: AtomicBool,
    progress: Vec<AtomicU64>,
}

impl Load {
    fn goes_on(&self) -> bool {
        !self.is_over.load(Ordering::Relaxed)
    }

    fn step(&self, worker: usize) {
        self.progress[worker].fetch_add(1, Ordering::Relaxed);
    }

    fn counts(&self) -> Vec<u64> {
        self.progress
            .iter()
            .map(|count| count.load(Ordering::Relaxed))
            .collect()
    }
}

/// Pipelines of commands whose answers are known.
fn pipeline(load: &Load, worker: usize) -> Result<()> {
    let mut client = Client::connect(&load.address)?;
    let mut round = 0_u64;
    while load.goes_on() {
        let (mut bytes, mut want) = (Vec::new(), Vec::new());
        for at in 0..20 {
            let key = format!("key:{worker}:{at}");
            let value = format!("{round}:{at}:{}", "v".repeat((at * 37) % 300));
            bytes.extend(request(&["SET", &key, &value]));
            want.extend(Value::ok().encode());
            bytes.extend(request(&["GET", &key]));
            want.extend(Value::bulk(&value).encode());
            bytes.extend(request(&["ECHO", &value]));
            want.extend(Value::bulk(&value).encode());
        }
        client.send_raw(&bytes)?;
        let got: Vec<u8> = client
            .read_many(60)?
            .iter()
            .flat_map(Value::encode)
            .collect();
        if got != want {
            bail!(
                "round {round}: got {}, want {}",
                escape(&got),
                escape(&want)
            );
        }
        round += 1;
        load.step(worker);
    }
    Ok(())
}

/// Values that take many reads and many writes: a switch falls into the middle of them.
fn large_values(load: &Load, worker: usize) -> Result<()> {
    let mut client = Client::connect(&load.address)?;
    let key = format!("large:{worker}");
    let mut round = 0_u32;
    while load.goes_on() {
        let size = 100_000 + (round as usize % 7) * 150_000;
        let first = u8::try_from(round % 26)?;
        let value: Vec<u8> = (0..size)
            .map(|at| b'a' + (first + u8::try_from(at % 26).unwrap_or(0)) % 26)
            .collect();
        let stored = client.call(&[b"SET", key.as_bytes(), &value])?;
        ensure!(
            stored == Value::ok(),
            "round {round}: SET answered {stored}"
        );
        client.send(&["GET", &key])?;
        client.send(&["STRLEN", &key])?;
        let got = client.read()?;
        ensure!(got.bytes() == Some(&value), "round {round}: {got}");
        ensure!(
            client.read()? == Value::Integer(i64::try_from(size)?),
            "round {round}"
        );
        round += 1;
        load.step(worker);
    }
    Ok(())
}

/// A publisher and its subscriber: every message once and in order.
fn messages(load: &Load, worker: usize) -> Result<()> {
    let (mut speaker, mut listener) = (
        Client::connect(&load.address)?,
        Client::connect_resp3(&load.address)?,
    );
    let channel = format!("channel:{worker}");
    listener.call(&["SUBSCRIBE", &channel])?;
    let mut number = 0_u64;
    while load.goes_on() {
        for _ in 0..10 {
            let heard = speaker.call(&["PUBLISH", &channel, &number.to_string()])?;
            ensure!(
                heard == Value::Integer(1),
                "message {number}: heard by {heard}"
            );
            let message = listener.read()?.items().context("a message")?;
            ensure!(
                message[2].text() == number.to_string(),
                "want {number}: {message:?}"
            );
            number += 1;
        }
        load.step(worker);
    }
    Ok(())
}

/// Commands that arrive in two halves with time between, and transactions.
fn halves(load: &Load, worker: usize) -> Result<()> {
    let mut client = Client::connect(&load.address)?;
    let counter = format!("counter:{worker}");
    let mut number = 0_i64;
    while load.goes_on() {
        let bytes = [
            request(&["MULTI"]),
            request(&["INCR", &counter]),
            request(&["ECHO", "middle"]),
            request(&["EXEC"]),
        ]
        .concat();
        let cut = usize::try_from(number * 7 % i64::try_from(bytes.len())?)?;
        client.send_raw(&bytes[..cut])?;
        thread::yield_now();
        client.send_raw(&bytes[cut..])?;
        number += 1;
        let want = format!("+OK\r\n+QUEUED\r\n+QUEUED\r\n*2\r\n:{number}\r\n$6\r\nmiddle\r\n");
        let got: Vec<u8> = client
            .read_many(4)?
            .iter()
            .flat_map(Value::encode)
            .collect();
        ensure!(
            got == want.as_bytes(),
            "got {}, want {want:?}",
            escape(&got)
        );
        load.step(worker);
    }
    Ok(())
}

/// Runs all kinds of load while `act` goes on; its result and theirs.
fn under_load(server: &Server, act: impl FnOnce(&Load) -> Result<()>) -> Result<()> {
    let kinds: [fn(&Load, usize) -> Result<()>; 4] = [pipeline, large_values, messages, halves];
    let workers = WORKERS * kinds.len() / 2;
    let load = Load {
        address: server.address(),
        is_over: AtomicBool::new(false),
        progress: (0..workers).map(|_| AtomicU64::new(0)).collect(),
    };
    thread::scope(|scope| {
        let threads: Vec<_> = (0..workers)
            .map(|worker| {
                let (load, kind) = (&load, kinds[worker % kinds.len()]);
                scope.spawn(move || kind(load, worker))
            })
            .collect();
        let acted = act(&load);
        load.is_over.store(true, Ordering::Relaxed);
        for (worker, thread) in threads.into_iter().enumerate() {
            let ended = thread
                .join()
                .map_err(|_| anyhow::anyhow!("worker {worker} panicked"))?;
            ended.with_context(|| format!("worker {worker}, after {:?} rounds", load.counts()))?;
        }
        acted
    })
}

/// Waits until every worker has verified something more.
fn await_progress(load: &Load) -> Result<()> {
    let before = load.counts();
    until("every checking client goes on", || {
        let now = load.counts();
        Ok(now
            .iter()
            .zip(&before)
            .all(|(now, before)| now > before)
            .then_some(()))
    })
}

fn switch(control: &mut Client, poller: &str) -> Result<()> {
    control.expect(&format!("CONFIG SET poller {poller}"), "+OK\r\n")?;
    let info = control.say("INFO server")?.text();
    let api = format!("multiplexing_api:{poller}\r\n");
    ensure!(
        info.contains(&api),
        "INFO doesn't say {poller} after the switch"
    );
    Ok(())
}

/// A hundred times through all pollers, with a client in every state that a connection can be in.
fn a_switch_under_load_loses_nothing(stage: &Stage) -> Result<()> {
    let mut server = stage.start()?;
    let mut control = server.client()?;
    let mut idle = server.client()?;
    idle.expect("CLIENT SETNAME idle", "+OK\r\n")?;
    let mut blocked = server.client()?;
    blocked.send(&["WAIT", "1", "0"])?;
    let mut half = server.client()?;
    half.send_raw(b"*2\r\n$4\r\nECHO\r\n$5\r\nhe")?;
    under_load(&server, |load| {
        await_progress(load)?;
        for round in 0..ROUNDS {
            for poller in POLLERS {
                if stage.is_dovetail() {
                    switch(&mut control, poller)
                        .with_context(|| format!("round {round}, to {poller}"))?;
                }
            }
            if round % 10 == 0 {
                await_progress(load).with_context(|| format!("round {round}"))?;
            }
        }
        await_progress(load)
    })?;
    half.send_raw(b"llo\r\n")?;
    ensure!(
        half.read()?.text() == "hello",
        "the half command is completed"
    );
    idle.expect("CLIENT GETNAME", "$4\r\nidle\r\n")?;
    let list = control.say("CLIENT LIST")?.text();
    let line = list
        .lines()
        .find(|line| line.contains(" flags=b "))
        .context("the blocked one")?;
    let id = line
        .split(' ')
        .next()
        .and_then(|f| f.strip_prefix("id="))
        .context("its id")?;
    control.expect(&format!("CLIENT UNBLOCK {id}"), ":1\r\n")?;
    ensure!(
        blocked.read()? == Value::Integer(0),
        "the blocked one is answered"
    );
    server.assert_alive()
}

/// Slow to change and slow to prove: each poller as the target of every other, one at a time.
fn every_pair_of_pollers_hands_over(stage: &Stage) -> Result<()> {
    if !stage.is_dovetail() {
        return Ok(());
    }
    let server = stage.start()?;
    let mut control = server.client()?;
    let mut clients: Vec<Client> = (0..50).map(|_| server.client()).collect::<Result<_>>()?;
    for from in POLLERS {
        for to in POLLERS {
            switch(&mut control, from)?;
            for client in &mut clients {
                client.send_raw(b"*2\r\n$4\r\nECHO\r\n")?;
            }
            switch(&mut control, to)?;
            for client in &mut clients {
                client.send_raw(b"$2\r\nok\r\n")?;
            }
            for client in &mut clients {
                let reply = client.read()?;
                ensure!(reply.text() == "ok", "{from} to {to}: {reply}");
            }
            server.client()?.expect("PING", "+PONG\r\n")?;
        }
    }
    Ok(())
}

/// A poller that can't be had changes nothing.
fn a_refused_switch_changes_nothing(stage: &Stage) -> Result<()> {
    let Some(poller) = stage.poller else {
        return Ok(());
    };
    let server = stage.start()?;
    let mut control = server.client()?;
    for name in ["kqueue", "", "epoll2"] {
        let reply = control.call(&["CONFIG", "SET", "poller", name])?;
        ensure!(reply.is_error(), "poller {name:?}: {reply}");
    }
    control.expect("PING", "+PONG\r\n")?;
    let info = control.say("INFO server")?.text();
    ensure!(
        info.contains(&format!("multiplexing_api:{poller}\r\n")),
        "{info}"
    );
    Ok(())
}

/// Two changes in one breath end where the last one says, be it where all began.
fn the_last_of_two_changes_counts(stage: &Stage) -> Result<()> {
    let Some(poller) = stage.poller else {
        return Ok(());
    };
    let server = stage.start()?;
    let mut control = server.client()?;
    for other in POLLERS {
        let mut bytes = request(&["CONFIG", "SET", "poller", other]);
        bytes.extend(request(&["CONFIG", "SET", "poller", poller]));
        control.send_raw(&bytes)?;
        for reply in control.read_many(2)? {
            ensure!(reply == Value::ok(), "{reply}");
        }
        let info = control.say("INFO server")?.text();
        let api = format!("multiplexing_api:{poller}\r\n");
        ensure!(info.contains(&api), "by way of {other}: {info}");
    }
    Ok(())
}

dovetail_tests::each_poller!(
    a_switch_under_load_loses_nothing,
    every_pair_of_pollers_hands_over,
    a_refused_switch_changes_nothing,
    the_last_of_two_changes_counts,
);
