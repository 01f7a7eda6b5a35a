//! The tables of workloads: which commands a load consists of, and what must be there before.

use std::borrow::Cow;

use super::keys::Distribution;
use super::request::{Order, Request};
use crate::null::answers;

/// The prefix of keys that hold strings.
pub(crate) const STRINGS: &[u8; 4] = b"key:";
/// The prefix of keys that hold counters.
pub(crate) const COUNTERS: &[u8; 4] = b"cnt:";
/// The channel that the fan-out workload publishes to.
pub(crate) const CHANNEL: &[u8] = b"news";

/// What exists before a load, so that what is measured finds it and does not grow meanwhile.
#[derive(Clone, Debug, PartialEq, Eq, PartialOrd, Ord)]
pub(crate) enum Preload {
    /// A string of the run's value size under every `key:` number.
    Strings,
    /// A number under every `cnt:` number.
    Counters,
    /// What a command leaves that is sent so many times, or once per key of the run.
    Said {
        /// The command, `__key__` counting upwards (see [`Request::parse`]).
        text: Cow<'static, str>,
        /// How often; `None` for once per key.
        times: Option<u32>,
    },
}

const fn said(text: &'static str, times: u32) -> Preload {
    Preload::Said {
        text: Cow::Borrowed(text),
        times: Some(times),
    }
}

/// How a request is written down.
#[derive(Debug)]
pub(crate) enum Wording {
    /// By a function of the value's size.
    Made(fn(usize) -> Request),
    /// As text with placeholders.
    Text(&'static str),
}

/// One command of the load: a row of [`COMMANDS`].
#[derive(Debug)]
pub(crate) struct Command {
    /// Its name on the command line.
    pub(crate) name: &'static str,
    /// What is sent.
    pub(crate) wording: Wording,
    /// What must exist.
    pub(crate) preload: &'static [Preload],
    /// What is written afresh before every measurement, because the load uses it up.
    pub(crate) renewed: &'static [Preload],
}

impl Command {
    /// One request with values of so many bytes.
    pub(crate) fn request(&self, value_bytes: usize) -> Request {
        match self.wording {
            Wording::Made(make) => make(value_bytes),
            Wording::Text(text) => {
                let request = Request::parse(text, value_bytes);
                request.expect("a row of the table is well-formed")
            }
        }
    }
}

const fn made(
    name: &'static str,
    preload: &'static [Preload],
    make: fn(usize) -> Request,
) -> Command {
    Command {
        name,
        wording: Wording::Made(make),
        preload,
        renewed: &[],
    }
}

const fn text(name: &'static str, preload: &'static [Preload], text: &'static str) -> Command {
    Command {
        name,
        wording: Wording::Text(text),
        preload,
        renewed: &[],
    }
}

/// Ten values, and so a hundred: one request fills a list with as many.
macro_rules! hundred {
    ($head:literal) => {
        concat!(
            $head,
            ten!(),
            ten!(),
            ten!(),
            ten!(),
            ten!(),
            ten!(),
            ten!(),
            ten!(),
            ten!(),
            ten!()
        )
    };
}
macro_rules! ten {
    () => {
        " __data__ __data__ __data__ __data__ __data__ __data__ __data__ __data__ __data__ __data__"
    };
}

/// Compare and delete, as every client library's lock has it.
macro_rules! cad {
    ($tail:literal) => {
        concat!(
            "EVAL \"if redis.call('get',KEYS[1]) == ARGV[1] then return ",
            "redis.call('del',KEYS[1]) else return 0 end\" 1 ",
            $tail
        )
    };
}

/// A thousand lists of about 4,000 elements: more than a measurement pops.
static POPPED: &[Preload] = &[
    said("DEL list:__key__", 1_000),
    said(hundred!("RPUSH list:__rand:1000__"), 40_000),
];
/// A thousand lists of a hundred elements.
static LISTS: &[Preload] = &[
    said("DEL hundred:__key__", 1_000),
    said(hundred!("RPUSH hundred:__key__"), 1_000),
];
/// One set of nearly all of a million members of 19 bytes.
static SET: &[Preload] = &[said("SADD set member:__key__", 1_000_000)];
/// A hundred thousand hashes of ten fields.
static HASHES: &[Preload] = &[said(
    "HSET hash:__key__ f0 __data__ f1 __data__ f2 __data__ f3 __data__ f4 __data__ \
     f5 __data__ f6 __data__ f7 __data__ f8 __data__ f9 __data__",
    100_000,
)];
/// A sorted set of ten thousand members of 19 bytes.
static ZSET: &[Preload] = &[said("ZADD zset __rand:1000000__ member:__key__", 10_000)];
/// A sorted set of a million.
static MILLION: &[Preload] = &[said(
    "ZADD million __rand:1000000__ member:__key__",
    1_000_000,
)];
/// A lock of somebody else's under every number.
static HELD: &[Preload] = &[said("SET held:__key__ another", 100_000)];

/// More values of 100 bytes than the limit has room for; a server keeps the limit from then on.
static FULL: &[Preload] = &[
    said("CONFIG SET maxmemory 200mb maxmemory-policy allkeys-lru", 1),
    said("SET full:__key__ __data__", 2_000_000),
];

/// Every command that a workload may use.
pub(crate) static COMMANDS: &[Command] = &[
    made("ping", &[], |_| Request::of(1).arg(b"PING")),
    made("get", &[Preload::Strings], |_| {
        Request::of(2).arg(b"GET").key(STRINGS)
    }),
    made("set", &[Preload::Strings], |bytes| {
        Request::of(3).arg(b"SET").key(STRINGS).arg(&value(bytes))
    }),
    made("incr", &[Preload::Counters], |_| {
        Request::of(2).arg(b"INCR").key(COUNTERS)
    }),
    made("mset10", &[Preload::Strings], |bytes| {
        let value = value(bytes);
        (0..10).fold(Request::of(21).arg(b"MSET"), |request, _| {
            request.key(STRINGS).arg(&value)
        })
    }),
    made("mget10", &[Preload::Strings], |_| {
        (0..10).fold(Request::of(11).arg(b"MGET"), |request, _| {
            request.key(STRINGS)
        })
    }),
    made("publish", &[], |bytes| {
        Request::of(3)
            .arg(b"PUBLISH")
            .arg(CHANNEL)
            .arg(&value(bytes))
    }),
    // One list, which begins empty and grows.
    Command {
        renewed: &[said("DEL list", 1)],
        ..text("lpush", &[], "LPUSH list __data__")
    },
    Command {
        renewed: POPPED,
        ..text("lpop", &[], "LPOP list:__rand:1000__")
    },
    text("lrange100", LISTS, "LRANGE hundred:__rand:1000__ 0 99"),
    // Members that are there already, nearly always.
    text("sadd", SET, "SADD set member:__rand:1000000__"),
    text("hset", HASHES, "HSET hash:__rand:100000__ f7 __data__"),
    text("hget", HASHES, "HGET hash:__rand:100000__ f7"),
    // Members that move to another place.
    text(
        "zadd",
        ZSET,
        "ZADD zset __rand:1000000__ member:__rand:10000__",
    ),
    text("zrange10", ZSET, "ZRANGE zset 0 9"),
    text(
        "zadd-1Mset",
        MILLION,
        "ZADD million __rand:1000000__ member:__rand:1000000__",
    ),
    text(
        "zrank-1Mset",
        MILLION,
        "ZRANK million member:__rand:1000000__",
    ),
    text(
        "zrangebyscore10-1Mset",
        MILLION,
        "ZRANGEBYSCORE million __rand:999000__ +inf LIMIT 0 10",
    ),
    text(
        "lock-take",
        &[],
        "SET lock:__rand:10000__ token NX PX 30000",
    ),
    text("lock-release", &[], cad!("lock:__last__ token")),
    // The lock is another's, so that it stays: the script reads, compares and answers 0.
    text("eval-cad", HELD, cad!("held:__rand:100000__ token")),
    // Nearly always a new key, for which another must go.
    text("set-evicting", FULL, "SET full:__rand:100000000__ __data__"),
];

/// Who waits for what.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum Pattern {
    /// Every connection sends a batch, waits for all its replies, and sends the next.
    CallAndAnswer,
    /// One connection publishes; it waits until all the others have got everything. What is
    /// counted is deliveries.
    FanOut,
}

/// One kind of load: a row of [`WORKLOADS`].
#[derive(Debug)]
pub(crate) struct WorkloadRow {
    /// Its name on the command line.
    pub(crate) name: &'static str,
    /// Command names and their weights.
    pub(crate) mix: &'static [(&'static str, u32)],
    /// How keys are chosen, where the workload insists.
    pub(crate) distribution: Option<Distribution>,
    /// Who waits for what.
    pub(crate) pattern: Pattern,
    /// The number of connections, where the workload insists.
    pub(crate) connections: Option<usize>,
    /// In which order the commands of the mix come.
    pub(crate) order: Order,
}

const fn plain(name: &'static str, mix: &'static [(&'static str, u32)]) -> WorkloadRow {
    WorkloadRow {
        name,
        mix,
        distribution: None,
        pattern: Pattern::CallAndAnswer,
        connections: None,
        order: Order::Drawn,
    }
}

/// Every workload that has a name.
pub(crate) static WORKLOADS: &[WorkloadRow] = &[
    plain("ping", &[("ping", 1)]),
    plain("get", &[("get", 1)]),
    plain("set", &[("set", 1)]),
    plain("incr", &[("incr", 1)]),
    plain("mset10", &[("mset10", 1)]),
    plain("mget10", &[("mget10", 1)]),
    WorkloadRow {
        distribution: Some(Distribution::Zipf { theta: 0.99 }),
        ..plain("mixed80:20", &[("get", 80), ("set", 20)])
    },
    WorkloadRow {
        pattern: Pattern::FanOut,
        connections: Some(101),
        ..plain("pubsub", &[("publish", 1)])
    },
    plain("lpush", &[("lpush", 1)]),
    plain("lpop", &[("lpop", 1)]),
    plain("lrange100", &[("lrange100", 1)]),
    plain("sadd", &[("sadd", 1)]),
    plain("hset", &[("hset", 1)]),
    plain("hget", &[("hget", 1)]),
    plain("zadd", &[("zadd", 1)]),
    plain("zrange10", &[("zrange10", 1)]),
    plain("zadd-1Mset", &[("zadd-1Mset", 1)]),
    plain("zrank-1Mset", &[("zrank-1Mset", 1)]),
    plain("zrangebyscore10-1Mset", &[("zrangebyscore10-1Mset", 1)]),
    // Taken and released in turn; what is counted is requests.
    WorkloadRow {
        order: Order::AsGiven,
        ..plain("lock", &[("lock-take", 1), ("lock-release", 1)])
    },
    plain("eval-cad", &[("eval-cad", 1)]),
    plain("set-evicting", &[("set-evicting", 1)]),
];

/// What a workload sends.
#[derive(Clone, Debug)]
pub(crate) enum Sent {
    /// A row of the table.
    Row(&'static Command),
    /// A user's words.
    Words(String),
}

/// A workload chosen for a run.
#[derive(Clone, Debug)]
pub(crate) struct Workload {
    /// Its name, or the text of the mix or the command that it was made from.
    pub(crate) name: String,
    /// Commands and their weights.
    pub(crate) mix: Vec<(Sent, u32)>,
    /// How keys are chosen, where the workload insists.
    pub(crate) distribution: Option<Distribution>,
    /// Who waits for what.
    pub(crate) pattern: Pattern,
    /// The number of connections, where the workload insists.
    pub(crate) connections: Option<usize>,
    /// In which order the commands of the mix come.
    pub(crate) order: Order,
    said: Vec<Preload>,
}

impl Workload {
    /// The workload of that name, or one made from a mix such as `get:80+set:20`.
    ///
    /// # Errors
    /// In words for the user.
    pub(crate) fn parse(text: &str) -> Result<Self, String> {
        if let Some(row) = WORKLOADS.iter().find(|row| row.name == text) {
            let mix = row
                .mix
                .iter()
                .map(|&(name, weight)| Ok((Sent::Row(command(name)?), weight)));
            return Ok(Self {
                name: row.name.to_owned(),
                mix: mix.collect::<Result<_, String>>()?,
                distribution: row.distribution,
                pattern: row.pattern,
                connections: row.connections,
                order: row.order,
                said: Vec::new(),
            });
        }
        let mix = text
            .split('+')
            .map(parse_share)
            .collect::<Result<Vec<_>, _>>()?;
        Ok(Self::plain(text, mix))
    }

    /// A user's command, and the commands that are sent once per key before.
    ///
    /// # Errors
    /// In words for the user.
    pub(crate) fn of_command(text: &str, preloads: &[String]) -> Result<Self, String> {
        Request::parse(text, 1)?;
        let mut workload = Self::plain(text, vec![(Sent::Words(text.to_owned()), 1)]);
        for preload in preloads {
            Request::parse(preload, 1)?;
            workload.said.push(Preload::Said {
                text: Cow::Owned(preload.clone()),
                times: None,
            });
        }
        Ok(workload)
    }

    fn plain(name: &str, mix: Vec<(Sent, u32)>) -> Self {
        Self {
            name: name.to_owned(),
            mix,
            distribution: None,
            pattern: Pattern::CallAndAnswer,
            connections: None,
            order: Order::Drawn,
            said: Vec::new(),
        }
    }

    fn rows(&self) -> impl Iterator<Item = &'static Command> {
        self.mix.iter().filter_map(|(sent, _)| match sent {
            Sent::Row(row) => Some(*row),
            Sent::Words(_) => None,
        })
    }

    /// What must exist before the load, each kind once.
    pub(crate) fn preloads(&self) -> Vec<Preload> {
        let mut kinds: Vec<Preload> = Vec::new();
        let all = self.rows().flat_map(|row| row.preload).chain(&self.said);
        for kind in all {
            if !kinds.contains(kind) {
                kinds.push(kind.clone());
            }
        }
        kinds
    }

    /// What is written afresh before every measurement.
    pub(crate) fn renewed(&self) -> Vec<Preload> {
        self.rows().flat_map(|row| row.renewed).cloned().collect()
    }

    /// The requests and their weights, with values of `value_bytes`.
    pub(crate) fn requests(&self, value_bytes: usize) -> Vec<(Request, u32)> {
        let request = |sent: &Sent| match sent {
            Sent::Row(row) => row.request(value_bytes),
            Sent::Words(text) => {
                let request = Request::parse(text, value_bytes);
                request.expect("parsed when the workload was made")
            }
        };
        self.mix
            .iter()
            .map(|(sent, share)| (request(sent), *share))
            .collect()
    }

    /// Whether a responder that stores nothing can play the server.
    pub(crate) fn suits_null_responder(&self) -> bool {
        self.pattern == Pattern::CallAndAnswer
            && self
                .requests(1)
                .iter()
                .all(|(request, _)| answers(request.name()))
    }
}

/// The names of all workloads, for messages.
pub(crate) fn names() -> String {
    let names: Vec<_> = WORKLOADS.iter().map(|row| row.name).collect();
    names.join(", ")
}

fn command(name: &str) -> Result<&'static Command, String> {
    COMMANDS.iter().find(|row| row.name == name).ok_or_else(|| {
        let known: Vec<_> = COMMANDS.iter().map(|row| row.name).collect();
        format!(
            "'{name}' is no workload ({}) and no command of a mix such as get:80+set:20 ({})",
            names(),
            known.join(", ")
        )
    })
}

fn parse_share(text: &str) -> Result<(Sent, u32), String> {
    let (name, weight) = text.split_once(':').unwrap_or((text, "1"));
    let command = command(name)?;
    match weight.parse() {
        Ok(weight @ 1..=1000) => Ok((Sent::Row(command), weight)),
        _ => Err(format!(
            "'{weight}': the weight of {name} lies between 1 and 1000"
        )),
    }
}

/// A value of so many bytes without a pattern that compresses.
pub(crate) fn value(bytes: usize) -> Vec<u8> {
    let mut state: u32 = 0x9e37_79b9;
    let letter = |_| {
        state = state.wrapping_mul(1_664_525).wrapping_add(1_013_904_223);
        b"abcdefghijklmnopqrstuvwxyzABCDEFGHIJKLMNOPQRSTUVWXYZ0123456789-_"[(state >> 26) as usize]
    };
    (0..bytes).map(letter).collect()
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn every_row_names_known_commands() {
        for row in WORKLOADS {
            let workload = Workload::parse(row.name).unwrap();
            assert_eq!(workload.mix.len(), row.mix.len(), "{}", row.name);
            assert!(!workload.requests(16).is_empty());
        }
    }

    #[test]
    fn mix_is_a_workload_of_its_own() {
        let workload = Workload::parse("get:7+incr:3").unwrap();
        let shares: Vec<_> = workload
            .mix
            .iter()
            .map(|(_, share)| *share)
            .zip(workload.rows().map(|row| row.name))
            .collect();
        assert_eq!(shares, [(7, "get"), (3, "incr")]);
        assert_eq!(workload.preloads(), [Preload::Strings, Preload::Counters]);
    }

    #[test]
    fn rows_are_well_formed_and_suit_the_null_responder() {
        for command in COMMANDS {
            let request = command.request(16);
            assert!(answers(request.name()), "{}", command.name);
            for preload in command.preload.iter().chain(command.renewed) {
                if let Preload::Said { text, .. } = preload {
                    assert!(Request::parse(text, 16).is_ok(), "{text}");
                }
            }
        }
    }

    #[test]
    fn command_of_a_user_is_a_workload() {
        let preloads = ["SET k:__key__ 1".to_owned()];
        let workload = Workload::of_command("OBJECT ENCODING k:__rand__", &preloads).unwrap();
        assert_eq!(workload.preloads().len(), 1);
        assert!(!workload.suits_null_responder());
        assert!(Workload::of_command("GET __x__", &[]).is_err());
    }

    #[test]
    fn unknown_names_and_weights_are_refused_in_words() {
        assert!(
            Workload::parse("frobnicate")
                .unwrap_err()
                .contains("mixed80:20")
        );
        assert!(Workload::parse("get:0").unwrap_err().contains("weight"));
    }

    #[test]
    fn values_have_their_size() {
        assert_eq!(value(16).len(), 16);
        assert_ne!(value(16)[..8], value(16)[8..]);
        assert!(value(0).is_empty());
    }
}
