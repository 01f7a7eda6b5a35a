//! The limit on memory under load: every policy keeps it, nobody is refused while somebody may go,
//! and what went is gone after a restart as well.

use anyhow::{Context, Result, ensure};
use dovetail_engine::config::{Choice, MaxmemoryPolicy};
use dovetail_tests::durable::{contents, ensure_same, revive, stop};
use dovetail_tests::{Client, Stage, each_poller, one_poller};

/// The limit, in bytes, and what may be used beyond it: 1 MiB, and the largest command.
const LIMIT: i64 = 8 << 20;
const TOLERANCE: i64 = (1 << 20) + LARGEST;
const LARGEST: i64 = 300_000;
/// Commands of a batch.
const BATCH: usize = 200;

fn info(client: &mut Client, section: &str, name: &str) -> Result<i64> {
    let text = client.call(&["INFO", section])?.text();
    let value = text
        .lines()
        .find_map(|line| line.strip_prefix(name)?.strip_prefix(':'))
        .with_context(|| format!("{name} in INFO"))?;
    Ok(value.trim().parse()?)
}

/// What the limit is about.
fn data_bytes(client: &mut Client) -> Result<i64> {
    let used = info(client, "memory", "used_memory")?;
    let passing = info(client, "memory", "mem_not_counted_for_evict")?;
    Ok(used - passing)
}

/// Random numbers that are the same each time.
struct Dice(u64);

impl Dice {
    fn below(&mut self, end: u64) -> u64 {
        self.0 ^= self.0 << 13;
        self.0 ^= self.0 >> 7;
        self.0 ^= self.0 << 17;
        self.0 % end
    }
}

/// Writes of all types and sizes, and reads between them; all keys have deadlines if wanted.
fn command(dice: &mut Dice, volatile: bool) -> Vec<Vec<String>> {
    let key = format!("key:{}", dice.below(200_000));
    let own = |words: &[&str]| words.iter().map(|&word| word.to_owned()).collect();
    let size = match dice.below(1000) {
        0 => 300_000,
        1..20 => 5000,
        20..300 => 500,
        _ => 40,
    };
    let text = "v".repeat(size);
    let write: Vec<String> = match dice.below(8) {
        0 => return vec![own(&["GET", &key])],
        1 => own(&["HSET", &format!("h{key}"), "field", &text[..size.min(5000)]]),
        2 => own(&["RPUSH", &format!("l{key}"), &text[..size.min(500)], "b"]),
        3 => own(&["SADD", &format!("s{key}"), "a", "b", "12"]),
        4 => own(&["ZADD", &format!("z{key}"), "1", "a", "2", "b"]),
        _ => own(&["SET", &key, &text]),
    };
    let name = write[1].clone();
    if volatile {
        vec![write, own(&["EXPIRE", &name, "10000"])]
    } else {
        vec![write]
    }
}

fn keeps_its_limit(client: &mut Client, policy: &str) -> Result<()> {
    client.say("FLUSHALL SYNC")?;
    client.say("CONFIG RESETSTAT")?;
    let volatile = policy.starts_with("volatile");
    client.expect(&format!("CONFIG SET maxmemory-policy {policy}"), "+OK\r\n")?;
    let mut dice = Dice(0x5eed);
    let mut most = 0;
    for round in 0..250 {
        client.say(&format!("SELECT {}", round % 3))?;
        let commands: Vec<_> = (0..BATCH)
            .flat_map(|_| command(&mut dice, volatile))
            .collect();
        for (command, reply) in commands.iter().zip(client.pipeline(&commands)?) {
            let text = reply.text();
            let is_wrong_type = text.starts_with("WRONGTYPE");
            ensure!(
                !reply.is_error() || is_wrong_type,
                "{policy}: {} is answered by {text}",
                command[0]
            );
        }
        most = most.max(data_bytes(client)?);
    }
    ensure!(
        most <= LIMIT + TOLERANCE,
        "{policy}: {most} bytes in use under a limit of {LIMIT}"
    );
    let evicted = info(client, "stats", "evicted_keys")?;
    ensure!(evicted > 1000, "{policy}: {evicted} evicted");
    ensure!(
        data_bytes(client)? > LIMIT * 9 / 10,
        "{policy}: more is removed than need be"
    );
    Ok(())
}

fn every_policy_keeps_the_limit(stage: &Stage) -> Result<()> {
    let server = stage.launch().start()?;
    let mut client = server.client()?;
    client.expect(&format!("CONFIG SET maxmemory {LIMIT}"), "+OK\r\n")?;
    for policy in MaxmemoryPolicy::WORDS {
        if *policy != "noeviction" {
            keeps_its_limit(&mut client, policy)?;
        }
    }
    Ok(())
}

fn what_was_evicted_stays_away(stage: &Stage) -> Result<()> {
    let logged = stage.launch().option("appendonly", "yes");
    let limited = logged
        .clone()
        .option("maxmemory", "2mb")
        .option("maxmemory-policy", "allkeys-s3fifo");
    let server = limited.start()?;
    let mut client = server.client()?;
    let mut dice = Dice(0xd1ce);
    for _ in 0..150 {
        let commands: Vec<_> = (0..BATCH)
            .flat_map(|_| command(&mut dice, false))
            .filter(|words| words.iter().all(|word| word.len() < 10_000))
            .collect();
        client.pipeline(&commands)?;
    }
    ensure!(info(&mut client, "stats", "evicted_keys")? > 100);
    client.expect("CONFIG SET maxmemory 0", "+OK\r\n")?;
    let before = contents(&mut client)?;
    let server = revive(&logged, stop(server)?)?;
    ensure_same(&before, &contents(&mut server.client()?)?)
}

fn a_limit_below_what_is_used_is_reached_while_reads_go_on(stage: &Stage) -> Result<()> {
    let server = stage.launch().start()?;
    let mut client = server.client()?;
    let value = "v".repeat(100);
    let fill: Vec<_> = (0..150_000)
        .map(|n| vec!["SET".to_owned(), format!("k{n}"), value.clone()])
        .collect();
    client.pipeline(&fill)?;
    client.expect("CONFIG SET maxmemory-policy allkeys-sieve", "+OK\r\n")?;
    client.expect("CONFIG SET maxmemory 4mb", "+OK\r\n")?;
    dovetail_tests::until("the limit is reached", || {
        client.expect("PING", "+PONG\r\n")?;
        Ok((data_bytes(&mut client)? <= (4 << 20) + 100_000).then_some(()))
    })?;
    client.expect("SET new v", "+OK\r\n")?;
    // Less than the server itself needs: all keys go, and then there is nothing more to take.
    client.expect("CONFIG SET maxmemory 1", "+OK\r\n")?;
    dovetail_tests::until("no key is left", || {
        Ok((client.say("DBSIZE")?.integer() == Some(0)).then_some(()))
    })?;
    let refusal = "-OOM command not allowed when used memory > 'maxmemory'.\r\n";
    client.expect("SET new v", refusal)?;
    client.expect("CONFIG SET maxmemory 0", "+OK\r\n")?;
    client.expect("SET new v", "+OK\r\n")
}

/// Buffers of the log are nothing that removing keys would make smaller.
fn a_log_takes_no_keys_room(stage: &Stage) -> Result<()> {
    let launch = stage.launch().option("appendonly", "yes");
    let server = launch.start()?;
    let mut client = server.client()?;
    let sets = |count: usize| -> Vec<_> {
        let value = "v".repeat(100);
        (0..count)
            .map(|n| vec!["SET".to_owned(), format!("k{n}"), value.clone()])
            .collect()
    };
    client.pipeline(&sets(20_000))?;
    client.expect("CONFIG SET maxmemory-policy allkeys-lfu", "+OK\r\n")?;
    client.expect("CONFIG SET maxmemory 1mb", "+OK\r\n")?;
    for reply in client.pipeline(&sets(3000))? {
        ensure!(!reply.is_error(), "a SET is answered by {}", reply.text());
    }
    let keys = client.say("DBSIZE")?.integer().context("a number")?;
    ensure!(keys > 1000, "{keys} keys are left");
    Ok(())
}

const OOM: &str = "OOM command not allowed when used memory > 'maxmemory'.";

/// Keys that a policy may take.
fn victims(client: &mut Client, policy: &str) -> Result<i64> {
    let keyspace = client.say("INFO keyspace")?.text();
    let name = match policy {
        "noeviction" => return Ok(0),
        _ if policy.starts_with("volatile") => "expires=",
        _ => "keys=",
    };
    let counts = keyspace.lines().filter_map(|line| {
        let fields = line.split_once(':')?.1;
        let value = fields.split(',').find_map(|one| one.strip_prefix(name))?;
        value.parse::<i64>().ok()
    });
    Ok(counts.sum())
}

/// Brings the server far below what it needs itself, and back.
fn bears_a_tiny_limit(client: &mut Client, dice: &mut Dice, policy: &str) -> Result<()> {
    let volatile = policy.starts_with("volatile");
    let batch = |dice: &mut Dice| -> Vec<_> {
        let commands = (0..BATCH).flat_map(|_| command(dice, volatile));
        commands.collect()
    };
    client.say("FLUSHALL")?;
    client.pipeline(&batch(dice))?;
    let limit = 10 + dice.below(91);
    client.expect(&format!("CONFIG SET maxmemory {limit}"), "+OK\r\n")?;
    dovetail_tests::until("nothing is left to take", || {
        let commands = batch(dice);
        client.pipeline(&commands)?;
        let reply = client.say("SET last v EX 1000")?.text();
        let left = victims(client, policy)?;
        let is_refused = reply == OOM;
        ensure!(
            !is_refused || left == 0,
            "{policy}: refused while {left} keys might go"
        );
        ensure!(is_refused || reply == "OK", "{policy}: {reply}");
        client.expect("PING", "+PONG\r\n")?;
        Ok(is_refused.then_some(()))
    })?;
    client.expect("CONFIG SET maxmemory 100mb", "+OK\r\n")?;
    let evicted = info(client, "stats", "evicted_keys")?;
    client.say("FLUSHALL")?;
    let commands = batch(dice);
    for (words, reply) in commands.iter().zip(client.pipeline(&commands)?) {
        ensure!(reply.text() != OOM, "{policy}: {} is refused", words[0]);
    }
    ensure!(info(client, "stats", "evicted_keys")? == evicted);
    ensure!(info(client, "stats", "current_eviction_exceeded_time")? == 0);
    Ok(())
}

fn odd_limits_and_settings_do_no_harm(stage: &Stage) -> Result<()> {
    let mut server = stage.launch().start()?;
    let mut client = server.client()?;
    let mut dice = Dice(0x0dd);
    for tenacity in [0, 50, 100] {
        for (policy, samples) in MaxmemoryPolicy::WORDS.iter().zip([1, 1000].iter().cycle()) {
            // The policies follow one another under their load.
            let request = format!(
                "CONFIG SET maxmemory-policy {policy} maxmemory-samples {samples} \
                 maxmemory-eviction-tenacity {tenacity}"
            );
            client.expect(&request, "+OK\r\n")?;
            bears_a_tiny_limit(&mut client, &mut dice, policy)?;
        }
    }
    server.assert_alive()
}

one_poller!(
    a_log_takes_no_keys_room,
    odd_limits_and_settings_do_no_harm,
    every_policy_keeps_the_limit,
    what_was_evicted_stays_away
);

each_poller!(a_limit_below_what_is_used_is_reached_while_reads_go_on);
