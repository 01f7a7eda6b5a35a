//! Every known and wanted difference between the oracle, Redis 7.0.15, and Dovetail.
//!
//! Dovetail aims at what 7.2.4 answers. Each row says what the oracle answers, what is wanted
//! instead, and why. A difference that is not listed here is a fault of the subject.

use std::sync::OnceLock;

use crate::scores;
use crate::stage::Stage;
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
    /// Scores are written with the fewest digits that tell them apart.
    ShortScores,
    /// Where the oracle names the first encoding, the second is as good.
    Encoding(&'static str, &'static str),
    /// Where `when` holds, this error is wanted instead of the oracle's.
    Refused {
        wanted: &'static str,
        when: fn(&[Vec<u8>]) -> bool,
    },
    /// What the oracle doesn't know is accepted.
    Accepted,
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
        command: "",
        reason: "7.2 writes floating-point numbers with the fewest digits that tell them apart",
        change: Change::ShortScores,
    },
    Difference {
        command: "OBJECT ENCODING",
        reason: "since 7.2 small sets of words are packed",
        change: Change::Encoding("hashtable", "listpack"),
    },
    Difference {
        command: "OBJECT ENCODING",
        reason: "since 7.2 a list that fits into one node is that node",
        change: Change::Encoding("quicklist", "listpack"),
    },
    Difference {
        command: "OBJECT ENCODING",
        reason: "since 7.2 the number of words given decides whether a new set begins as numbers",
        change: Change::Encoding("intset", "listpack"),
    },
    Difference {
        command: "OBJECT ENCODING",
        reason: "since 7.2 the number of words given decides whether a new set begins as numbers",
        change: Change::Encoding("intset", "hashtable"),
    },
    Difference {
        command: "OBJECT ENCODING",
        reason: "since 7.2 the number of words given decides whether a hash leaves its compact form",
        change: Change::Encoding("listpack", "hashtable"),
    },
    Difference {
        command: "OBJECT ENCODING",
        reason: "to sort a sorted set the oracle takes it out of its compact form for good",
        change: Change::Encoding("skiplist", "listpack"),
    },
    Difference {
        command: "ZRANGEBYSCORE",
        reason: "C strings end at a NUL: the oracle takes a bound that begins with one for 0",
        change: Change::Also {
            texts: &["ERR min or max is not a float"],
            when: has_nul,
        },
    },
    Difference {
        command: "ZREVRANGEBYSCORE",
        reason: "C strings end at a NUL: the oracle takes a bound that begins with one for 0",
        change: Change::Also {
            texts: &["ERR min or max is not a float"],
            when: has_nul,
        },
    },
    Difference {
        command: "ZCOUNT",
        reason: "C strings end at a NUL: the oracle takes a bound that begins with one for 0",
        change: Change::Also {
            texts: &["ERR min or max is not a float"],
            when: has_nul,
        },
    },
    Difference {
        command: "ZREMRANGEBYSCORE",
        reason: "C strings end at a NUL: the oracle takes a bound that begins with one for 0",
        change: Change::Also {
            texts: &["ERR min or max is not a float"],
            when: has_nul,
        },
    },
    Difference {
        command: "ZRANGE",
        reason: "C strings end at a NUL: the oracle takes a bound that begins with one for 0",
        change: Change::Also {
            texts: &["ERR min or max is not a float"],
            when: has_nul,
        },
    },
    Difference {
        command: "ZRANGESTORE",
        reason: "C strings end at a NUL: the oracle takes a bound that begins with one for 0",
        change: Change::Also {
            texts: &["ERR min or max is not a float"],
            when: has_nul,
        },
    },
    Difference {
        command: "OBJECT ENCODING",
        reason: "since 7.2 the number of members given decides the form of a sorted set as well",
        change: Change::Encoding("listpack", "skiplist"),
    },
    Difference {
        command: "CONFIG SET set-max-listpack-entries",
        reason: "came with the packed sets of 7.2",
        change: Change::Accepted,
    },
    Difference {
        command: "CONFIG SET set-max-listpack-value",
        reason: "came with the packed sets of 7.2",
        change: Change::Accepted,
    },
    Difference {
        command: "ZRANK * *",
        reason: "since 7.2 there is WITHSCORE",
        change: Change::Refused {
            wanted: "ERR syntax error",
            when: has_odd_fourth_word,
        },
    },
    Difference {
        command: "ZREVRANK * *",
        reason: "since 7.2 there is WITHSCORE",
        change: Change::Refused {
            wanted: "ERR syntax error",
            when: has_odd_fourth_word,
        },
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
        command: "HSCAN",
        reason: "as for SCAN",
        change: Change::Also {
            texts: &["ERR invalid cursor"],
            when: has_odd_cursor,
        },
    },
    Difference {
        command: "SSCAN",
        reason: "as for SCAN",
        change: Change::Also {
            texts: &["ERR invalid cursor"],
            when: has_odd_cursor,
        },
    },
    Difference {
        command: "ZSCAN",
        reason: "as for SCAN",
        change: Change::Also {
            texts: &["ERR invalid cursor"],
            when: has_odd_cursor,
        },
    },
    Difference {
        command: "BLPOP",
        reason: "7.0 takes a timeout that overflows for a negative one",
        change: Change::Also {
            texts: &["ERR timeout is out of range"],
            when: has_huge_timeout,
        },
    },
    Difference {
        command: "BRPOP",
        reason: "7.0 takes a timeout that overflows for a negative one",
        change: Change::Also {
            texts: &["ERR timeout is out of range"],
            when: has_huge_timeout,
        },
    },
    Difference {
        command: "BLMOVE",
        reason: "7.0 takes a timeout that overflows for a negative one",
        change: Change::Also {
            texts: &["ERR timeout is out of range"],
            when: has_huge_timeout,
        },
    },
    Difference {
        command: "BLMPOP",
        reason: "7.0 takes a timeout that overflows for a negative one",
        change: Change::Also {
            texts: &["ERR timeout is out of range"],
            when: has_huge_timeout,
        },
    },
    Difference {
        command: "BRPOPLPUSH",
        reason: "7.0 takes a timeout that overflows for a negative one",
        change: Change::Also {
            texts: &["ERR timeout is out of range"],
            when: has_huge_timeout,
        },
    },
    Difference {
        command: "BZPOPMIN",
        reason: "7.0 takes a timeout that overflows for a negative one",
        change: Change::Also {
            texts: &["ERR timeout is out of range"],
            when: has_huge_timeout,
        },
    },
    Difference {
        command: "BZPOPMAX",
        reason: "7.0 takes a timeout that overflows for a negative one",
        change: Change::Also {
            texts: &["ERR timeout is out of range"],
            when: has_huge_timeout,
        },
    },
    Difference {
        command: "BZMPOP",
        reason: "7.0 takes a timeout that overflows for a negative one",
        change: Change::Also {
            texts: &["ERR timeout is out of range"],
            when: has_huge_timeout,
        },
    },
    Difference {
        command: "LREM",
        reason: "newer servers refuse the one number that has no opposite",
        change: Change::Also {
            texts: &[
                "ERR value is out of range, value must between -9223372036854775807 and \
                9223372036854775807",
            ],
            when: has_least_number,
        },
    },
    Difference {
        command: "LPOS",
        reason: "newer servers refuse the one number that has no opposite",
        change: Change::Also {
            texts: &[
                "ERR value is out of range, value must between -9223372036854775807 and \
                9223372036854775807",
            ],
            when: has_least_number,
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

/// What only a newer server, standing in for the subject, may answer.
fn is_newer_way(args: &[Vec<u8>], subject: &Value, oracle: &Value) -> bool {
    if concerns("HELLO", args) {
        return matches!((subject, oracle), (Value::Map(_), Value::Map(_)))
            || matches!((subject, oracle), (Value::Array(_), Value::Array(_)));
    }
    let is_text = |value: &Value| value == &Value::bulk("embstr") || value == &Value::bulk("raw");
    let embeds_more = concerns("OBJECT ENCODING", args) && is_text(subject) && is_text(oracle);
    let knows_types = concerns("SCAN", args) && subject.to_string().contains("unknown type name");
    embeds_more || knows_types
}

/// True when `DOVETAIL_SERVER` names a server of others, which these tests are tried against.
#[must_use]
pub fn is_stand_in() -> bool {
    static STAND_IN: OnceLock<bool> = OnceLock::new();
    *STAND_IN.get_or_init(|| {
        Stage::new("epoll").is_ok_and(|stage| stage.is_some_and(|stage| !stage.is_dovetail()))
    })
}

/// What the subject should answer where the oracle answered `oracle`.
#[must_use]
pub fn wanted(args: &[Vec<u8>], subject: &Value, oracle: &Value) -> Value {
    if is_stand_in() && is_newer_way(args, subject, oracle) {
        return subject.clone();
    }
    let mut rewritten = oracle.clone();
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
            Change::ShortScores => {
                rewritten = scores::short(args, &rewritten);
                let one_zero = |reply| scores::with_one_zero(args, reply);
                if one_zero(subject) == one_zero(&rewritten) {
                    return subject.clone();
                }
            }
            Change::Encoding(theirs, also) => {
                if oracle == &Value::bulk(theirs) && subject == &Value::bulk(also) {
                    return subject.clone();
                }
            }
            Change::Refused { wanted, when } => {
                if oracle.is_error() && when(args) {
                    return Value::Error(wanted.as_bytes().to_vec());
                }
            }
            Change::Accepted => return Value::Simple(b"OK".to_vec()),
            Change::AnyCount => {
                let counts = (subject.integer(), oracle.integer());
                if let (Some(1..), Some(1..)) = counts {
                    return subject.clone();
                }
            }
        }
    }
    rewritten
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

/// True when the cursor is no plain unsigned number.
fn has_odd_cursor(args: &[Vec<u8>]) -> bool {
    let at = if args[0].eq_ignore_ascii_case(b"SCAN") {
        1
    } else {
        2
    };
    args.get(at)
        .is_some_and(|word| word.is_empty() || !word.iter().all(u8::is_ascii_digit))
}

/// True when a word is a number beyond every clock.
fn has_huge_timeout(args: &[Vec<u8>]) -> bool {
    args.iter().any(|word| word == b"1e400")
}

/// True when a word is the least 64-bit number.
fn has_least_number(args: &[Vec<u8>]) -> bool {
    args.iter().any(|word| word == b"-9223372036854775808")
}

/// True when ZRANK is given a fourth word that is no option.
fn has_odd_fourth_word(args: &[Vec<u8>]) -> bool {
    args.len() == 4 && !args[3].eq_ignore_ascii_case(b"WITHSCORE")
}

/// True when a word holds a NUL.
fn has_nul(args: &[Vec<u8>]) -> bool {
    args.iter().any(|word| word.contains(&0))
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
