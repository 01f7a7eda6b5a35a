//! Subject and oracle side by side: the same steps to both, every reply compared, and a mismatch
//! shrunk to the few commands that show it.

use std::collections::BTreeSet;
use std::fmt::{self, Write as _};
use std::time::{Duration, Instant};

use anyhow::{Context, Result, bail};

use crate::client::Client;
use crate::compare::{exec_mismatch, mismatch};
use crate::generate::{Command, Plan, Step, words};
use crate::oracle;
use crate::process::{Server, tail};
use crate::scores;
use crate::stage::Stage;
use crate::value::{Value, shown};

/// How long a mismatch may be shrunk.
const SHRINKING: Duration = Duration::from_secs(15);
/// How many mismatches are collected before the first of them is shrunk.
const SURVEYED: usize = 200;
/// How many kinds of mismatches a report lists.
const LISTED: usize = 12;
/// The databases that are walked at the end.
const DATABASES: u32 = 16;

/// What streams change about encodings, and the values to begin with.
const THRESHOLDS: [(&str, &str); 8] = [
    ("hash-max-listpack-entries", "128"),
    ("hash-max-listpack-value", "64"),
    ("list-max-listpack-size", "-2"),
    ("set-max-intset-entries", "512"),
    ("set-max-listpack-entries", "128"),
    ("set-max-listpack-value", "64"),
    ("zset-max-listpack-entries", "128"),
    ("zset-max-listpack-value", "64"),
];

/// A subject and an oracle.
#[derive(Debug)]
pub struct Duel {
    subject: Server,
    oracle: Server,
}

/// Two connections that are told the same.
#[derive(Debug)]
pub struct Pair {
    /// To the server under test.
    pub subject: Client,
    /// To the server that is right.
    pub oracle: Client,
    queued: Option<Vec<Command>>,
}

/// A reply that was not the wanted one.
#[derive(Clone, Debug)]
pub struct Mismatch {
    /// The step's number.
    pub step: usize,
    /// The command, and over which connection.
    pub command: String,
    /// What came.
    pub got: String,
    /// What should have come.
    pub want: String,
}

impl Duel {
    /// Starts both with the same options.
    ///
    /// # Errors
    /// When either is missing or doesn't come up.
    pub fn start(stage: &Stage, options: &[(&str, &str)]) -> Result<Self> {
        let mut subject = stage.launch();
        let mut oracle = oracle::launch_redis7()?;
        for (name, value) in options {
            subject = subject.option(name, value);
            oracle = oracle.option(name, value);
        }
        Ok(Self {
            subject: subject.start()?,
            oracle: oracle.start()?,
        })
    }

    /// A new pair of connections.
    ///
    /// # Errors
    /// When either server refuses.
    pub fn pair(&self) -> Result<Pair> {
        Ok(Pair {
            subject: self.subject.client()?,
            oracle: self.oracle.client().context("the oracle")?,
            queued: None,
        })
    }

    /// The server under test.
    pub fn subject(&mut self) -> &mut Server {
        &mut self.subject
    }

    /// Runs the plan's stream; the first mismatch is shrunk and reported, others are listed.
    ///
    /// # Errors
    /// The report of what differs, or a failing server.
    pub fn fight(&mut self, plan: &Plan) -> Result<()> {
        let steps = plan.stream();
        let conns = plan.talkers + plan.listeners;
        let mut found = self.play(&steps, conns, SURVEYED);
        if found.is_empty() {
            return Ok(());
        }
        let first = found.remove(0);
        let mut kinds = BTreeSet::from([kind(&first)]);
        let (steps, last) = self.shrink(steps, first, conns);
        let mut report = format!("seed {} of {:?}\n", plan.seed, plan.families);
        for step in &steps {
            describe(step, &mut report);
        }
        write!(report, "at {last}")?;
        if self.subject.poll_exit()?.is_some() {
            write!(
                report,
                "the subject's log ends with:\n{}",
                tail(&self.subject.log())
            )?;
        }
        for other in found {
            if kinds.len() < LISTED && kinds.insert(kind(&other)) {
                write!(report, "further on, at {other}")?;
            }
        }
        bail!(report)
    }

    /// Drops steps as long as some mismatch remains.
    fn shrink(
        &mut self,
        mut steps: Vec<Step>,
        mut found: Mismatch,
        conns: usize,
    ) -> (Vec<Step>, Mismatch) {
        let deadline = Instant::now() + SHRINKING;
        steps.truncate(found.step + 1);
        let apart = one_by_one(&steps);
        if let Some(mismatch) = self.play(&apart, conns, 1).pop() {
            steps = apart;
            steps.truncate(mismatch.step + 1);
            found = mismatch;
        }
        let mut chunk = steps.len() / 2;
        while chunk > 0 && Instant::now() < deadline {
            let mut at = 0;
            while at < steps.len() && Instant::now() < deadline {
                let end = (at + chunk).min(steps.len());
                let shorter: Vec<Step> = steps[..at].iter().chain(&steps[end..]).cloned().collect();
                match self.play(&shorter, conns, 1).pop() {
                    Some(mismatch) => {
                        steps = shorter;
                        steps.truncate(mismatch.step + 1);
                        found = mismatch;
                    }
                    None => at = end,
                }
            }
            chunk /= 2;
        }
        (steps, found)
    }

    /// Plays steps on fresh connections and empty databases: the first `most` mismatches.
    fn play(&mut self, steps: &[Step], conns: usize, most: usize) -> Vec<Mismatch> {
        let mut found = Vec::new();
        let mut played = 0;
        if let Err(error) = self.try_play(steps, conns, &mut played, |mismatches| {
            found.extend(mismatches);
            found.truncate(most);
            found.len() == most
        }) {
            found.push(Mismatch {
                step: played.min(steps.len().saturating_sub(1)),
                command: "a failure".to_owned(),
                got: format!("{error:#}"),
                want: "replies from both".to_owned(),
            });
        }
        found
    }

    /// Plays steps until `note` says that it is enough.
    fn try_play(
        &mut self,
        steps: &[Step],
        conns: usize,
        played: &mut usize,
        mut note: impl FnMut(Vec<Mismatch>) -> bool,
    ) -> Result<()> {
        self.subject.assert_alive()?;
        let mut pairs = (0..conns)
            .map(|_| self.pair())
            .collect::<Result<Vec<_>>>()?;
        let mut control = self.pair()?;
        for command in ["FLUSHALL", "DEBUG SET-ACTIVE-EXPIRE 0", "CONFIG RESETSTAT"] {
            control.both(&words(command))?;
        }
        for (name, value) in THRESHOLDS {
            control.both(&words(&format!("CONFIG SET {name} {value}")))?;
        }
        for (at, step) in steps.iter().enumerate() {
            *played = at;
            if note(pairs[conn_of(step)].step(at, step)?) {
                return Ok(());
            }
        }
        if note(control.final_state(steps.len().saturating_sub(1))?) {
            return Ok(());
        }
        for (conn, pair) in pairs.iter().enumerate() {
            if !pair.subject.unread().is_empty() {
                bail!(
                    "connection {conn} got more than it asked for: {:?}",
                    pair.subject
                );
            }
        }
        Ok(())
    }
}

impl Pair {
    /// Sends a command to both and returns both replies.
    ///
    /// # Errors
    /// When either connection fails.
    pub fn both(&mut self, command: &[Vec<u8>]) -> Result<(Value, Value)> {
        self.subject.send(command)?;
        self.oracle.send(command)?;
        let ours = self.subject.read().context("the subject")?;
        Ok((ours, self.oracle.read().context("the oracle")?))
    }

    /// Sends a command to both and compares the replies.
    ///
    /// # Errors
    /// With both replies when they differ.
    pub fn same(&mut self, command: &[Vec<u8>]) -> Result<Value> {
        let (ours, theirs) = self.both(command)?;
        if let Some(want) = mismatch(command, &ours, &theirs) {
            bail!("{}\n got {ours}\nwant {want}", shown(command));
        }
        Ok(ours)
    }

    fn step(&mut self, at: usize, step: &Step) -> Result<Vec<Mismatch>> {
        match step {
            Step::Send { conn, commands } => self.send(at, *conn, commands),
            Step::Scan {
                conn,
                head,
                options,
            } => self.scan(at, *conn, head, options),
            Step::Drain { conn } => self.drain(at, *conn),
        }
    }

    fn send(&mut self, at: usize, conn: usize, commands: &[Command]) -> Result<Vec<Mismatch>> {
        if commands.iter().any(|args| is_listening(args)) {
            return self.listen(at, conn, commands);
        }
        for client in [&mut self.subject, &mut self.oracle] {
            let bytes: Vec<u8> = commands
                .iter()
                .flat_map(|c| crate::value::request(c))
                .collect();
            client.send_raw(&bytes)?;
        }
        let mut found = Vec::new();
        for command in commands {
            let context = || format!("reading the reply of {}", shown(command));
            let theirs = self
                .oracle
                .read()
                .context("the oracle")
                .with_context(context)?;
            let ours = self.subject.read().with_context(context)?;
            if let Some(want) = self.judge(command, &ours, &theirs) {
                found.push(Mismatch {
                    step: at,
                    command: format!("{conn}> {}", shown(command)),
                    got: ours.to_string(),
                    want: want.to_string(),
                });
            }
        }
        Ok(found)
    }

    /// Compares one reply, keeping track of what EXEC will answer for.
    fn judge(&mut self, command: &[Vec<u8>], ours: &Value, theirs: &Value) -> Option<Value> {
        let name = command[0].to_ascii_uppercase();
        let queued = Value::Simple(b"QUEUED".to_vec());
        match name.as_slice() {
            b"EXEC" => {
                let commands = self.queued.take().unwrap_or_default();
                return exec_mismatch(&commands, ours, theirs);
            }
            b"MULTI" if !theirs.is_error() => self.queued = Some(Vec::new()),
            b"DISCARD" | b"RESET" if !theirs.is_error() => self.queued = None,
            _ if theirs == &queued => {
                if let Some(commands) = &mut self.queued {
                    commands.push(command.to_vec());
                }
            }
            _ => {}
        }
        if theirs == &queued && ours != theirs {
            return Some(theirs.clone());
        }
        mismatch(command, ours, theirs)
    }

    /// Subscriptions answer once per channel: everything up to the next PING is compared.
    fn listen(&mut self, at: usize, conn: usize, commands: &[Command]) -> Result<Vec<Mismatch>> {
        for command in commands {
            self.subject.send(command)?;
            self.oracle.send(command)?;
        }
        let mut found = self.drain(at, conn)?;
        for mismatch in &mut found {
            let all: Vec<String> = commands.iter().map(|c| shown(c)).collect();
            mismatch.command = format!("{conn}> {}", all.join("; "));
        }
        Ok(found)
    }

    fn drain(&mut self, at: usize, conn: usize) -> Result<Vec<Mismatch>> {
        let token = format!("drain-{at}");
        let ours = self.subject.drain(&token)?;
        let theirs = self.oracle.drain(&token).context("the oracle")?;
        let (ours, theirs) = (in_order(ours), in_order(theirs));
        let differ = (ours != theirs).then(|| Mismatch {
            step: at,
            command: format!("{conn}> pushed before PING {token}"),
            got: list(&ours),
            want: list(&theirs),
        });
        Ok(differ.into_iter().collect())
    }

    fn scan(
        &mut self,
        at: usize,
        conn: usize,
        head: &[Vec<u8>],
        options: &[Vec<u8>],
    ) -> Result<Vec<Mismatch>> {
        let ours = scan_all(&mut self.subject, head, options)?;
        let theirs = scan_all(&mut self.oracle, head, options).context("the oracle")?;
        let (ours, theirs) = (short_pairs(head, ours), short_pairs(head, theirs));
        let differ = (ours != theirs).then(|| Mismatch {
            step: at,
            command: format!("{conn}> a whole {} {}", shown(head), shown(options)),
            got: list(&ours.into_iter().collect::<Vec<_>>()),
            want: list(&theirs.into_iter().collect::<Vec<_>>()),
        });
        Ok(differ.into_iter().collect())
    }

    /// Walks all databases and compares every key.
    fn final_state(&mut self, at: usize) -> Result<Vec<Mismatch>> {
        // What was given a millisecond to live is gone on both sides, not just on the slower one.
        self.both(&words("DEBUG SLEEP 0.003"))?;
        for db in 0..DATABASES {
            let mut found = Vec::new();
            let select = words(&format!("SELECT {db}"));
            // KEYS removes what is due where the oracle has not come round to it, and DBSIZE counted it.
            found.extend(self.send(at, 0, &[select, words("KEYS *"), words("DBSIZE")])?);
            let (keys, _) = self.both(&words("KEYS *"))?;
            for key in keys.items().unwrap_or_default() {
                let key = key.bytes().unwrap_or_default().to_vec();
                let (kind, _) = self.both(&[b"TYPE".to_vec(), key.clone()])?;
                let (read, rest) = reading(&kind.text());
                let mut commands: Vec<Command> = ["TYPE", "PTTL", read, "OBJECT ENCODING"]
                    .iter()
                    .map(|name| words(name).into_iter().chain([key.clone()]).collect())
                    .collect();
                commands[2].extend(rest.iter().map(|word| word.as_bytes().to_vec()));
                found.extend(self.send(at, 0, &commands)?);
            }
            if !found.is_empty() {
                for mismatch in &mut found {
                    mismatch.command = format!("the end, database {db}: {}", mismatch.command);
                }
                return Ok(found);
            }
        }
        Ok(Vec::new())
    }
}

/// What mismatches have in common of which one is listed: the name and the start of the replies.
fn kind(mismatch: &Mismatch) -> (String, String, String) {
    let name = mismatch
        .command
        .split_whitespace()
        .nth(1)
        .unwrap_or_default();
    let start = |text: &str| text.chars().take(16).collect::<String>();
    (
        name.to_ascii_lowercase(),
        start(&mismatch.got),
        start(&mismatch.want),
    )
}

impl fmt::Display for Mismatch {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        writeln!(f, "{}\n got {}\nwant {}", self.command, self.got, self.want)
    }
}

/// The command that shows everything in a key of this type, and what follows the key.
fn reading(kind: &str) -> (&'static str, &'static [&'static str]) {
    match kind {
        "list" => ("LRANGE", &["0", "-1"]),
        "hash" => ("HGETALL", &[]),
        "set" => ("SMEMBERS", &[]),
        "zset" => ("ZRANGE", &["0", "-1", "WITHSCORES"]),
        _ => ("GET", &[]),
    }
}

/// The same commands, each sent alone; but what SPOP leaves behind is deleted together with it.
fn one_by_one(steps: &[Step]) -> Vec<Step> {
    let alone = |conn: usize, command: &Command| Step::Send {
        conn,
        commands: vec![command.clone()],
    };
    steps
        .iter()
        .flat_map(|step| match step {
            Step::Send { conn, commands } if !commands.iter().any(|c| is_draw(c)) => {
                commands.iter().map(|c| alone(*conn, c)).collect()
            }
            other => vec![other.clone()],
        })
        .collect()
}

/// The pairs of a ZSCAN with their scores written alike.
fn short_pairs(head: &[Vec<u8>], pairs: BTreeSet<Value>) -> BTreeSet<Value> {
    if !head[0].eq_ignore_ascii_case(b"ZSCAN") {
        return pairs;
    }
    let command = words("ZPOPMIN");
    let shortened = pairs.iter().map(|pair| scores::short(&command, pair));
    shortened.collect()
}

/// All keys, members, or pairs that an iteration with these options returns, or its first error.
fn scan_all(client: &mut Client, head: &[Vec<u8>], options: &[Vec<u8>]) -> Result<BTreeSet<Value>> {
    let each = match head[0].to_ascii_uppercase().as_slice() {
        b"HSCAN" | b"ZSCAN" => 2,
        _ => 1,
    };
    let mut found = BTreeSet::new();
    let mut cursor = b"0".to_vec();
    for _ in 0..100_000 {
        let mut command = head.to_vec();
        command.push(cursor);
        command.extend_from_slice(options);
        let reply = client.call(&command)?;
        let Value::Array(page) = &reply else {
            return Ok(BTreeSet::from([reply]));
        };
        let [next, keys] = page.as_slice() else {
            bail!("{} answered {reply}", shown(&command))
        };
        let items = keys.items().unwrap_or_default();
        if each == 1 {
            found.extend(items);
        } else {
            found.extend(items.chunks(each).map(|pair| Value::Array(pair.to_vec())));
        }
        cursor = next.bytes().unwrap_or_default().to_vec();
        if cursor == b"0" {
            return Ok(found);
        }
    }
    bail!("SCAN doesn't come to an end")
}

/// Messages of one publication to several patterns, and the confirmations of an UNSUBSCRIBE
/// without names, have no order: runs of them are sorted. The counts of the confirmations go down
/// whatever the order of the names, so they stay where they are on the wire.
fn in_order(values: Vec<Value>) -> Vec<Value> {
    let mut out: Vec<Value> = Vec::new();
    let mut run: Vec<Value> = Vec::new();
    for value in values {
        if run.last().is_some_and(|last| !one_run(last, &value)) {
            close_run(&mut out, &mut run);
        }
        run.push(value);
    }
    close_run(&mut out, &mut run);
    out
}

fn one_run(a: &Value, b: &Value) -> bool {
    let (a, b) = (a.items().unwrap_or_default(), b.items().unwrap_or_default());
    match (a.as_slice(), b.as_slice()) {
        ([kind, _, _], [other, _, _]) => kind == other && kind.text().ends_with("unsubscribe"),
        ([kind, _, channel, data], [other, _, same, bytes]) => {
            kind == other && channel == same && data == bytes && kind.text() == "pmessage"
        }
        _ => false,
    }
}

fn close_run(out: &mut Vec<Value>, run: &mut Vec<Value>) {
    let counts: Vec<Option<Value>> = run
        .iter()
        .map(|value| {
            value
                .items()
                .filter(|parts| parts.len() == 3)
                .map(|p| p[2].clone())
        })
        .collect();
    run.sort();
    for (value, count) in run.drain(..).zip(counts) {
        out.push(with_count(value, count));
    }
}

fn with_count(mut value: Value, count: Option<Value>) -> Value {
    if let (Value::Array(parts) | Value::Push(parts), Some(count)) = (&mut value, count)
        && parts.len() == 3
    {
        parts[2] = count;
    }
    value
}

fn conn_of(step: &Step) -> usize {
    match step {
        Step::Send { conn, .. } | Step::Scan { conn, .. } | Step::Drain { conn } => *conn,
    }
}

fn is_draw(args: &[Vec<u8>]) -> bool {
    args[0].eq_ignore_ascii_case(b"SPOP")
}

fn is_listening(args: &[Vec<u8>]) -> bool {
    let name = args[0].to_ascii_uppercase();
    name.ends_with(b"SUBSCRIBE")
}

fn list(values: &[Value]) -> String {
    let texts: Vec<String> = values.iter().map(Value::to_string).collect();
    format!("[{}]", texts.join(", "))
}

fn describe(step: &Step, out: &mut String) {
    let lines: Vec<String> = match step {
        Step::Send { conn, commands } => commands
            .iter()
            .map(|command| format!("{conn}> {}", shown(command)))
            .collect(),
        Step::Scan {
            conn,
            head,
            options,
        } => vec![format!("{conn}> whole {} {}", shown(head), shown(options))],
        Step::Drain { conn } => vec![format!("{conn}> drain")],
    };
    out.push_str(&lines.join("\n"));
    out.push('\n');
}
