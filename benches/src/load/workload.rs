//! The table of workloads: which commands a load consists of, and what must be there before.

use super::keys::Distribution;
use super::request::Request;

/// The prefix of keys that hold strings.
pub(crate) const STRINGS: &[u8; 4] = b"key:";
/// The prefix of keys that hold counters.
pub(crate) const COUNTERS: &[u8; 4] = b"cnt:";
/// The channel that the fan-out workload publishes to.
pub(crate) const CHANNEL: &[u8] = b"news";

/// Keys that a command expects to exist, so that what is measured does not grow meanwhile.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord)]
pub(crate) enum Preload {
    /// None.
    Nothing,
    /// A string of the run's value size under every `key:` number.
    Strings,
    /// A number under every `cnt:` number.
    Counters,
}

/// One command of the load: a row of [`COMMANDS`].
#[derive(Debug)]
pub(crate) struct Command {
    /// Its name on the command line.
    pub(crate) name: &'static str,
    /// Encodes one request with values of so many bytes.
    pub(crate) request: fn(usize) -> Request,
    /// What must exist.
    pub(crate) preload: Preload,
}

/// Every command that a workload may use.
pub(crate) static COMMANDS: &[Command] = &[
    Command {
        name: "ping",
        request: |_| Request::of(1).arg(b"PING"),
        preload: Preload::Nothing,
    },
    Command {
        name: "get",
        request: |_| Request::of(2).arg(b"GET").key(STRINGS),
        preload: Preload::Strings,
    },
    Command {
        name: "set",
        request: |bytes| Request::of(3).arg(b"SET").key(STRINGS).arg(&value(bytes)),
        preload: Preload::Strings,
    },
    Command {
        name: "incr",
        request: |_| Request::of(2).arg(b"INCR").key(COUNTERS),
        preload: Preload::Counters,
    },
    Command {
        name: "mset10",
        request: |bytes| {
            let value = value(bytes);
            (0..10).fold(Request::of(21).arg(b"MSET"), |request, _| {
                request.key(STRINGS).arg(&value)
            })
        },
        preload: Preload::Strings,
    },
    Command {
        name: "mget10",
        request: |_| {
            (0..10).fold(Request::of(11).arg(b"MGET"), |request, _| {
                request.key(STRINGS)
            })
        },
        preload: Preload::Strings,
    },
    Command {
        name: "publish",
        request: |bytes| {
            Request::of(3)
                .arg(b"PUBLISH")
                .arg(CHANNEL)
                .arg(&value(bytes))
        },
        preload: Preload::Nothing,
    },
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
}

const fn plain(name: &'static str, mix: &'static [(&'static str, u32)]) -> WorkloadRow {
    WorkloadRow {
        name,
        mix,
        distribution: None,
        pattern: Pattern::CallAndAnswer,
        connections: None,
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
];

/// A workload chosen for a run.
#[derive(Clone, Debug)]
pub(crate) struct Workload {
    /// Its name, or the text of the mix that it was made from.
    pub(crate) name: String,
    /// Commands and their weights.
    pub(crate) mix: Vec<(&'static Command, u32)>,
    /// How keys are chosen, where the workload insists.
    pub(crate) distribution: Option<Distribution>,
    /// Who waits for what.
    pub(crate) pattern: Pattern,
    /// The number of connections, where the workload insists.
    pub(crate) connections: Option<usize>,
}

impl Workload {
    /// The workload of that name, or one made from a mix such as `get:80,set:20`.
    ///
    /// # Errors
    /// In words for the user.
    pub(crate) fn parse(text: &str) -> Result<Self, String> {
        if let Some(row) = WORKLOADS.iter().find(|row| row.name == text) {
            let mix = row
                .mix
                .iter()
                .map(|&(name, weight)| Ok((command(name)?, weight)));
            return Ok(Self {
                name: row.name.to_owned(),
                mix: mix.collect::<Result<_, String>>()?,
                distribution: row.distribution,
                pattern: row.pattern,
                connections: row.connections,
            });
        }
        let mix = text
            .split('+')
            .map(parse_share)
            .collect::<Result<Vec<_>, _>>()?;
        Ok(Self {
            name: text.to_owned(),
            mix,
            distribution: None,
            pattern: Pattern::CallAndAnswer,
            connections: None,
        })
    }

    /// What must exist before the load, each kind once.
    pub(crate) fn preloads(&self) -> Vec<Preload> {
        let mut kinds: Vec<_> = self
            .mix
            .iter()
            .map(|(command, _)| command.preload)
            .collect();
        kinds.retain(|&kind| kind != Preload::Nothing);
        kinds.sort_unstable();
        kinds.dedup();
        kinds
    }

    /// The requests and their weights, with values of `value_bytes`.
    pub(crate) fn requests(&self, value_bytes: usize) -> Vec<(Request, u32)> {
        self.mix
            .iter()
            .map(|(command, share)| ((command.request)(value_bytes), *share))
            .collect()
    }

    /// Whether a responder that stores nothing can play the server.
    pub(crate) fn suits_null_responder(&self) -> bool {
        self.pattern == Pattern::CallAndAnswer
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

fn parse_share(text: &str) -> Result<(&'static Command, u32), String> {
    let (name, weight) = text.split_once(':').unwrap_or((text, "1"));
    let command = command(name)?;
    match weight.parse() {
        Ok(weight @ 1..=1000) => Ok((command, weight)),
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
            .map(|(row, share)| (row.name, *share))
            .collect();
        assert_eq!(shares, [("get", 7), ("incr", 3)]);
        assert_eq!(workload.preloads(), [Preload::Strings, Preload::Counters]);
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
