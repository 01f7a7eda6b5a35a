//! `kill -9` at random moments under load: after the next start nothing is missing that a client
//! was told, nothing is there that nobody sent, and what happens at once has happened at once.

use std::ops::Range;
use std::sync::atomic::{AtomicBool, Ordering};
use std::thread;
use std::time::{Duration, Instant};

use anyhow::{Context, Result, ensure};
use dovetail_tests::client::Address;
use dovetail_tests::durable::{field, revive, seed, stage};
use dovetail_tests::process::TempDir;
use dovetail_tests::stage::{Report, is_long};
use dovetail_tests::value::Value;
use dovetail_tests::{Client, Launch, Server};
use rand::rngs::SmallRng;
use rand::seq::IndexedRandom;
use rand::{Rng, SeedableRng};

/// Clients that write at the same time.
const WRITERS: u64 = 4;
/// Keys that are there from the beginning, so that a child has something to write.
const BALLAST: u32 = 5_000;
/// How many times a server is killed in one folder.
const LIVES: u64 = 3;
/// The same in a long run.
const LIVES_LONG: u64 = 60;
/// Keys of a writer that are set round and round.
const SLOTS: u64 = 50;

/// What one writer knows of its keys. Of each pair the first was answered, the second sent.
#[derive(Clone, Debug, Default)]
struct Ledger {
    /// `INCR count:<writer>`
    count: (u64, u64),
    /// `RPUSH list:<writer>` of the numbers from 1 on
    list: (u64, u64),
    /// `SET slot:<writer>:<number % SLOTS> <number>`
    slots: (u64, u64),
    /// `MULTI`, `INCR` of two keys, `EXEC`
    pair: (u64, u64),
    /// A script that increments two keys
    script: (u64, u64),
    /// `RPUSH to:<writer>` of the numbers from 1 on, each moved by `LMOVE` from another list
    moved: (u64, u64),
    /// Turned into strings with a deadline and removed: `SET`, `DEL`
    passing: (u64, u64),
}

/// One thing that a writer does, as a batch of commands whose last reply proves it.
#[derive(Clone, Copy, Debug)]
enum Deed {
    Count,
    List,
    Slot,
    Pair,
    Script,
    Move,
    Pass,
}

const DEEDS: [Deed; 7] = [
    Deed::Count,
    Deed::List,
    Deed::Slot,
    Deed::Pair,
    Deed::Script,
    Deed::Move,
    Deed::Pass,
];

const BOTH: &str = "redis.call('INCR', KEYS[1]) return redis.call('INCR', KEYS[2])";

impl Ledger {
    fn account(&mut self, deed: Deed) -> &mut (u64, u64) {
        match deed {
            Deed::Count => &mut self.count,
            Deed::List => &mut self.list,
            Deed::Slot => &mut self.slots,
            Deed::Pair => &mut self.pair,
            Deed::Script => &mut self.script,
            Deed::Move => &mut self.moved,
            Deed::Pass => &mut self.passing,
        }
    }

    /// The commands of the next deed of this kind.
    fn commands(&mut self, writer: u64, deed: Deed) -> Vec<Vec<String>> {
        let account = self.account(deed);
        account.1 += 1;
        let n = account.1;
        let words = |text: String| text.split(' ').map(str::to_owned).collect::<Vec<_>>();
        match deed {
            Deed::Count => vec![words(format!("INCR count:{writer}"))],
            Deed::List => vec![words(format!("RPUSH list:{writer} {n}"))],
            Deed::Slot => vec![words(format!("SET slot:{writer}:{} {n}", n % SLOTS))],
            Deed::Pair => vec![
                words("MULTI".to_owned()),
                words(format!("INCR pair:{writer}:a")),
                words(format!("INCR pair:{writer}:b")),
                words("EXEC".to_owned()),
            ],
            Deed::Script => {
                let mut script = vec!["EVAL".to_owned(), BOTH.to_owned()];
                script.extend(words(format!("2 script:{writer}:a script:{writer}:b")));
                vec![script]
            }
            Deed::Move => vec![
                words(format!("RPUSH from:{writer} {n}")),
                words(format!("LMOVE from:{writer} to:{writer} LEFT RIGHT")),
            ],
            Deed::Pass => vec![
                words(format!("SET pass:{writer}:{n} v PX 100000000")),
                words(format!("DEL pass:{writer}:{n}")),
            ],
        }
    }
}

/// A writer's loop: batches of deeds, sent at once, until the server is gone or it is told to end.
fn write(
    address: &Address,
    writer: u64,
    ledger: &mut Ledger,
    rng: &mut SmallRng,
    end: &AtomicBool,
) -> Result<()> {
    let Ok(mut client) = Client::connect(address) else {
        // Killed before it began.
        return Ok(());
    };
    client.set_patience(Duration::from_secs(30))?;
    while !end.load(Ordering::Relaxed) {
        let deeds: Vec<Deed> = (0..rng.random_range(1..12))
            .filter_map(|_| DEEDS.choose(rng).copied())
            .collect();
        let mut batch = Vec::new();
        let mut replies = Vec::new();
        for deed in &deeds {
            let commands = ledger.commands(writer, *deed);
            replies.push(commands.len());
            batch.extend(commands);
        }
        let bytes: Vec<u8> = batch
            .iter()
            .flat_map(|words| dovetail_tests::value::request(words))
            .collect();
        // The server is killed in the midst of this; what was answered until then counts.
        if client.send_raw(&bytes).is_err() {
            return Ok(());
        }
        for (deed, count) in deeds.iter().zip(replies) {
            for _ in 0..count {
                let Ok(reply) = client.read() else {
                    return Ok(());
                };
                let failed = reply.is_error() || reply.is_null();
                ensure!(!failed, "{deed:?} is answered by {reply}");
            }
            ledger.account(*deed).0 += 1;
        }
    }
    Ok(())
}

/// A folder, who writes there, and how.
struct Story {
    launch: Launch,
    /// What is started in the background meanwhile.
    errands: &'static [&'static str],
    /// How long a life is, in milliseconds.
    span: Range<u64>,
}

impl Story {
    fn log(fsync: &str, preamble: &str) -> Result<Self> {
        let launch = stage(0)?
            .launch()
            .option("appendonly", "yes")
            .option("appendfsync", fsync)
            .option("aof-use-rdb-preamble", preamble);
        Ok(Self {
            launch,
            errands: &["BGREWRITEAOF", "BGSAVE"],
            span: 20..500,
        })
    }

    fn option(mut self, name: &str, value: &str) -> Self {
        self.launch = self.launch.option(name, value);
        self
    }

    /// All lives in one folder.
    fn tell(&self) -> Result<()> {
        let seed = seed()?;
        let lives = if is_long() { LIVES_LONG } else { LIVES };
        let mut rng = SmallRng::seed_from_u64(seed);
        let mut dir = TempDir::new()?;
        let mut ledgers = vec![Ledger::default(); usize::try_from(WRITERS)?];
        for life in 0..lives {
            let about = || format!("seed {seed}, life {life}");
            let server = revive(&self.on_poller(life)?, dir).with_context(about)?;
            check_all(&server, &mut ledgers).with_context(about)?;
            self.live(&server, &mut ledgers, &mut rng)
                .with_context(about)?;
            dir = server.into_dir();
        }
        let server = revive(&self.launch, dir).context("the last start")?;
        check_all(&server, &mut ledgers).with_context(|| format!("seed {seed}, the last start"))?;
        dovetail_tests::durable::stop(server).map(drop)
    }

    /// Each life is over another poller.
    fn on_poller(&self, life: u64) -> Result<Launch> {
        let stage = stage(usize::try_from(life)?)?;
        Ok(match stage.poller {
            Some(poller) => self.launch.clone().option("poller", poller),
            None => self.launch.clone(),
        })
    }

    /// Writers write and errands are run until the server is killed.
    fn live(&self, server: &Server, ledgers: &mut [Ledger], rng: &mut SmallRng) -> Result<()> {
        let (address, end) = (server.address(), AtomicBool::new(false));
        let until = Instant::now() + Duration::from_millis(rng.random_range(self.span.clone()));
        let mut errands = server.client()?;
        ballast(&mut errands)?;
        thread::scope(|scope| {
            let mut threads = Vec::new();
            for (writer, ledger) in (0..).zip(ledgers.iter_mut()) {
                let mut own = SmallRng::seed_from_u64(rng.random());
                let (address, end) = (&address, &end);
                threads.push(scope.spawn(move || write(address, writer, ledger, &mut own, end)));
            }
            let mut ran = Ok(());
            while Instant::now() < until && ran.is_ok() {
                if rng.random_bool(0.05) {
                    ran = self.run_errand(&mut errands, rng);
                }
                thread::sleep(Duration::from_millis(1));
            }
            // Its children live on, as after a real crash.
            let killed = server.signal("KILL");
            end.store(true, Ordering::Relaxed);
            for thread in threads {
                let result = thread.join();
                result.map_err(|_| anyhow::anyhow!("a writer panicked"))??;
            }
            ran.and(killed)
        })
    }

    fn run_errand(&self, client: &mut Client, rng: &mut SmallRng) -> Result<()> {
        let Some(errand) = self.errands.choose(rng) else {
            return Ok(());
        };
        let reply = client.say(errand)?;
        // One child at a time.
        let busy = ["in progress", "Another child"];
        ensure!(
            !reply.is_error() || busy.iter().any(|text| reply.text().contains(text)),
            "{errand}: {reply}"
        );
        Ok(())
    }
}

fn ballast(client: &mut Client) -> Result<()> {
    if client.say("DBSIZE")?.integer() >= Some(i64::from(BALLAST)) {
        return Ok(());
    }
    let sets: Vec<Vec<String>> = (0..BALLAST)
        .map(|n| vec!["SET".to_owned(), format!("ballast:{n}"), "x".repeat(50)])
        .collect();
    for reply in client.pipeline(&sets)? {
        ensure!(reply == Value::ok(), "{reply}");
    }
    Ok(())
}

fn number(client: &mut Client, key: &str) -> Result<u64> {
    let reply = client.call(&["GET", key])?;
    let text = reply.text();
    if text.is_empty() {
        return Ok(0);
    }
    text.parse().with_context(|| format!("{key}: {reply}"))
}

/// Fails unless `held` is what was answered at least, and what was sent at most; makes it the
/// beginning of the next life.
fn settle(what: &str, account: &mut (u64, u64), held: u64) -> Result<()> {
    let (answered, sent) = *account;
    ensure!(
        (answered..=sent).contains(&held),
        "{what}: {held} of {sent} sent, {answered} were answered"
    );
    *account = (held, held);
    Ok(())
}

fn check_all(server: &Server, ledgers: &mut [Ledger]) -> Result<()> {
    let mut client = server.client()?;
    for (writer, ledger) in ledgers.iter_mut().enumerate() {
        check(&mut client, writer, ledger)
            .with_context(|| format!("writer {writer}; the log says:\n{}", server.log()))?;
    }
    Ok(())
}

fn check(client: &mut Client, writer: usize, ledger: &mut Ledger) -> Result<()> {
    let count = number(client, &format!("count:{writer}"))?;
    settle("INCR", &mut ledger.count, count)?;
    let listed = in_order(client, &format!("list:{writer}"))?;
    settle("RPUSH", &mut ledger.list, listed)?;
    for (kind, account) in [("pair", &mut ledger.pair), ("script", &mut ledger.script)] {
        let first = number(client, &format!("{kind}:{writer}:a"))?;
        let second = number(client, &format!("{kind}:{writer}:b"))?;
        ensure!(first == second, "{kind}: {first} and {second}");
        settle(kind, account, first)?;
    }
    check_slots(client, writer, &mut ledger.slots)?;
    check_moved(client, writer, &mut ledger.moved)?;
    check_passing(client, writer, &mut ledger.passing)
}

/// The length of a list that must be the numbers from 1 on.
fn in_order(client: &mut Client, key: &str) -> Result<u64> {
    let items = client.call(&["LRANGE", key, "0", "-1"])?;
    let items = items.items().context("a list")?;
    for (n, item) in (1..).zip(&items) {
        ensure!(item.text() == n.to_string(), "{key}: {item} at {n}");
    }
    Ok(u64::try_from(items.len())?)
}

/// Every slot holds the last number that was set there, as far as numbers have come.
fn check_slots(client: &mut Client, writer: usize, account: &mut (u64, u64)) -> Result<()> {
    let mut last = 0;
    let mut held = Vec::new();
    for slot in 0..SLOTS {
        let n = number(client, &format!("slot:{writer}:{slot}"))?;
        ensure!(n == 0 || n % SLOTS == slot, "slot {slot} has {n}");
        held.push((slot, n));
        last = last.max(n);
    }
    for (slot, n) in held {
        let back = (last + SLOTS - slot) % SLOTS;
        let expected = last.saturating_sub(back);
        ensure!(n == expected, "slot {slot} has {n} when {last} was set");
    }
    settle("SET", account, last)
}

/// What was moved is in one of the lists and not in both. What was pushed and not moved when the
/// server died is moved now.
fn check_moved(client: &mut Client, writer: usize, account: &mut (u64, u64)) -> Result<()> {
    let arrived = in_order(client, &format!("to:{writer}"))?;
    let waiting = client.say(&format!("LRANGE from:{writer} 0 -1"))?;
    let waiting = waiting.items().context("a list")?;
    for (n, item) in (arrived + 1..).zip(&waiting) {
        ensure!(item.text() == n.to_string(), "{item} waits, not {n}");
        client.say(&format!("LMOVE from:{writer} to:{writer} LEFT RIGHT"))?;
    }
    ensure!(arrived >= account.0, "{arrived} of {} moved", account.0);
    let all = arrived + u64::try_from(waiting.len())?;
    settle("LMOVE", account, all)
}

/// Of what was set and removed again at most the last is there.
fn check_passing(client: &mut Client, writer: usize, account: &mut (u64, u64)) -> Result<()> {
    let (answered, sent) = *account;
    for n in answered.saturating_sub(20)..=answered {
        let reply = client.say(&format!("EXISTS pass:{writer}:{n}"))?;
        ensure!(reply == Value::Integer(0), "{n} was removed");
    }
    for n in answered + 1..=sent {
        client.say(&format!("DEL pass:{writer}:{n}"))?;
    }
    *account = (sent, sent);
    Ok(())
}

/// One test per way of keeping a log.
macro_rules! stories {
    ($($name:ident: $fsync:literal $preamble:literal),+ $(,)?) => {$(
        #[test]
        fn $name() -> Result<(), Report> {
            Ok(Story::log($fsync, $preamble)?.tell()?)
        }
    )+};
}

stories!(
    nothing_is_lost_with_always_and_snapshots: "always" "yes",
    nothing_is_lost_with_always_and_commands: "always" "no",
    nothing_is_lost_with_everysec_and_snapshots: "everysec" "yes",
    nothing_is_lost_with_everysec_and_commands: "everysec" "no",
    nothing_is_lost_with_no_sync_and_snapshots: "no" "yes",
    nothing_is_lost_with_no_sync_and_commands: "no" "no",
);

/// The log is rewritten whenever it has grown a little.
#[test]
fn nothing_is_lost_while_the_log_rewrites_itself() -> Result<(), Report> {
    let story = Story::log("everysec", "yes")?
        .option("auto-aof-rewrite-percentage", "10")
        .option("auto-aof-rewrite-min-size", "10kb")
        .option("aof-timestamp-enabled", "yes");
    Ok(story.tell()?)
}

/// Sealed batches are whole at every moment.
#[test]
fn nothing_is_lost_of_a_sealed_log() -> Result<(), Report> {
    let story = Story::log("everysec", "yes")?.option("aof-checksum", "yes");
    Ok(story.tell()?)
}

/// Without a log, what a finished snapshot has is there, and nothing of a later one that was not
/// finished is mixed into it.
#[test]
fn the_last_snapshot_is_whole() -> Result<(), Report> {
    Ok(snapshots()?)
}

fn snapshots() -> Result<()> {
    let story = Story {
        launch: stage(0)?.launch().option("rdb-key-save-delay", "5"),
        errands: &["BGSAVE"],
        span: 50..700,
    };
    let (seed, lives) = (seed()?, if is_long() { LIVES_LONG } else { 2 * LIVES });
    let mut rng = SmallRng::seed_from_u64(seed);
    let mut dir = TempDir::new()?;
    let mut ledgers = vec![Ledger::default(); usize::try_from(WRITERS)?];
    for life in 0..lives {
        let about = || format!("seed {seed}, life {life}");
        let server = revive(&story.on_poller(life)?, dir).with_context(about)?;
        check_all(&server, &mut ledgers).with_context(about)?;
        let mut client = server.client()?;
        ballast(&mut client)?;
        // What is told before this must be there; what comes later may be.
        client.expect("SAVE", "+OK\r\n")?;
        let floor = ledgers.clone();
        story
            .live(&server, &mut ledgers, &mut rng)
            .with_context(about)?;
        for (ledger, floor) in ledgers.iter_mut().zip(floor) {
            for deed in DEEDS {
                ledger.account(deed).0 = floor.clone().account(deed).0;
            }
        }
        dir = server.into_dir();
    }
    let server = revive(&story.launch, dir).context("the last start")?;
    check_all(&server, &mut ledgers)?;
    let status = field(&mut server.client()?, "rdb_last_bgsave_status")?;
    ensure!(status == "ok", "{status}");
    Ok(())
}
