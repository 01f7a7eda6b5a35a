//! Every known and wanted difference between the oracle, Redis 7.0.15, and Dovetail.
//!
//! Dovetail aims at what 7.2.4 answers. Each row says what the oracle answers, what is wanted
//! instead, and why. A difference that is not listed here is a fault of the subject.

use crate::value::Value;

/// One wanted difference.
#[derive(Clone, Copy, Debug)]
pub struct Difference {
    /// The first words of the commands it concerns; `*` is any word, empty means all commands.
    pub command: &'static str,
    /// Why it is wanted.
    pub reason: &'static str,
    change: Change,
}

#[derive(Clone, Copy, Debug)]
enum Change {
    /// The oracle's error text becomes this one.
    Text {
        oracle: &'static str,
        wanted: &'static str,
    },
    /// Instead of this error text, one of these.
    OneOf {
        oracle: &'static str,
        wanted: &'static [&'static str],
    },
    /// These error texts are as good as the oracle's reply where `when` holds.
    Also {
        texts: &'static [&'static str],
        when: fn(&[Vec<u8>]) -> bool,
    },
    /// An error that quotes an argument with a NUL in it may quote it whole.
    WholeQuote,
    /// Any positive integer will do.
    AnyCount,
}

/// The list.
pub const DIFFERENCES: &[Difference] = &[
    Difference {
        command: "HELLO",
        reason: "7.2 names the protocol version in the text",
        change: Change::Text {
            oracle: "NOAUTH HELLO must be called with the client already authenticated, \
                otherwise the HELLO AUTH <user> <pass> option can be used to authenticate the \
                client and select the RESP protocol version at the same time",
            wanted: "NOAUTH HELLO must be called with the client already authenticated, \
                otherwise the HELLO <proto> AUTH <user> <pass> option can be used to \
                authenticate the client and select the RESP protocol version at the same time",
        },
    },
    Difference {
        command: "COMMAND GETKEYS *",
        reason: "since 7.2 a command without arguments may be asked about",
        change: Change::OneOf {
            oracle: "ERR wrong number of arguments for 'command|getkeys' command",
            wanted: GETKEYS_ALONE,
        },
    },
    Difference {
        command: "COMMAND GETKEYSANDFLAGS *",
        reason: "since 7.2 a command without arguments may be asked about",
        change: Change::OneOf {
            oracle: "ERR wrong number of arguments for 'command|getkeysandflags' command",
            wanted: GETKEYS_ALONE,
        },
    },
    Difference {
        command: "",
        reason: "C strings end at a NUL: the oracle cuts the arguments that it quotes there",
        change: Change::WholeQuote,
    },
    Difference {
        command: "SCAN",
        reason: "signs, spaces and an empty word made a cursor once; newer servers refuse them",
        change: Change::Also {
            texts: &["ERR invalid cursor"],
            when: has_odd_cursor,
        },
    },
    Difference {
        command: "CLIENT LIST",
        reason: "filters may be combined since Valkey 9: what ends a list of ids is read otherwise",
        change: Change::Also {
            texts: &[
                "ERR syntax error",
                "ERR Invalid client ID",
                "ERR client-id should be greater than 0",
                "ERR Unknown client type 'TYPE'",
            ],
            when: has_odd_filters,
        },
    },
    Difference {
        command: "OBJECT REFCOUNT",
        reason: "records are not shared: a count of references is a detail of the oracle",
        change: Change::AnyCount,
    },
];

const GETKEYS_ALONE: &[&str] = &[
    "ERR Invalid command specified",
    "ERR The command has no key arguments",
    "ERR Invalid number of arguments specified for command",
];

/// What the subject should answer where the oracle answered `oracle`.
#[must_use]
pub fn wanted(args: &[Vec<u8>], subject: &Value, oracle: &Value) -> Value {
    for difference in DIFFERENCES.iter().filter(|row| concerns(row.command, args)) {
        match difference.change {
            Change::Text {
                oracle: theirs,
                wanted,
            } => {
                if oracle == &Value::Error(theirs.as_bytes().to_vec()) {
                    return Value::Error(wanted.as_bytes().to_vec());
                }
            }
            Change::OneOf {
                oracle: theirs,
                wanted,
            } => {
                let same = |text: &str| Value::Error(text.as_bytes().to_vec());
                if oracle == &same(theirs) {
                    return if wanted.iter().any(|text| subject == &same(text)) {
                        subject.clone()
                    } else {
                        same(wanted[0])
                    };
                }
            }
            Change::Also { texts, when } => {
                let is = |text: &&str| subject == &Value::Error(text.as_bytes().to_vec());
                if when(args) && texts.iter().any(is) {
                    return subject.clone();
                }
            }
            Change::WholeQuote => {
                let has_nul = args.iter().any(|arg| arg.contains(&0));
                if has_nul && opening(subject).is_some() && opening(subject) == opening(oracle) {
                    return subject.clone();
                }
            }
            Change::AnyCount => {
                let counts = (subject.integer(), oracle.integer());
                if let (Some(1..), Some(1..)) = counts {
                    return subject.clone();
                }
            }
        }
    }
    oracle.clone()
}

fn concerns(command: &str, args: &[Vec<u8>]) -> bool {
    command
        .split_whitespace()
        .zip(args.iter().map(Some).chain(std::iter::repeat(None)))
        .all(|(word, arg)| match arg {
            Some(arg) => word == "*" || arg.eq_ignore_ascii_case(word.as_bytes()),
            None => false,
        })
}

/// True when the second word is no plain unsigned number.
fn has_odd_cursor(args: &[Vec<u8>]) -> bool {
    args.get(1)
        .is_some_and(|word| word.is_empty() || !word.iter().all(u8::is_ascii_digit))
}

/// True when CLIENT LIST gets a filter twice, or an id that is no positive number.
fn has_odd_filters(args: &[Vec<u8>]) -> bool {
    let is_id = |word: &[u8]| {
        let number = std::str::from_utf8(word)
            .ok()
            .and_then(|text| text.parse::<i64>().ok());
        number.is_some_and(|number| number > 0 && number.to_string().as_bytes() == word)
    };
    match args.get(2..).unwrap_or_default() {
        [filter, ids @ ..] if filter.eq_ignore_ascii_case(b"ID") => !ids.iter().all(|id| is_id(id)),
        [filter, value, ..] => filter.eq_ignore_ascii_case(value),
        _ => false,
    }
}

/// The first three words of an error.
fn opening(value: &Value) -> Option<Vec<&[u8]>> {
    match value {
        Value::Error(text) => Some(text.split(|byte| *byte == b' ').take(3).collect()),
        _ => None,
    }
}
