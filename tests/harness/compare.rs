//! When two replies to the same command count as equal.
//!
//! Byte for byte, save where that cannot be: times, ids, sizes, random choices, and the order of
//! what has none. An error always has to be the same error.

use crate::differences::wanted;
use crate::value::Value;

/// How alike two replies have to be when neither is an error.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
enum Likeness {
    /// The same bytes.
    Exact,
    /// The same elements in any order.
    Unordered,
    /// The same pairs in any order.
    UnorderedPairs,
    /// A positive integer may be off by this much.
    Near(i64),
    /// The same type.
    Shape,
    /// The same type, or one of them null: a random choice.
    Anything,
    /// A SCAN page.
    Page,
    /// HELLO's map, without version and id.
    Greeting,
    /// A list of lines in our own words.
    Help,
}

/// Compares; `None` when they are alike, otherwise what was wanted.
#[must_use]
pub fn mismatch(args: &[Vec<u8>], subject: &Value, oracle: &Value) -> Option<Value> {
    let oracle = wanted(args, subject, oracle);
    if subject == &oracle {
        return None;
    }
    let alike =
        !oracle.is_error() && !subject.is_error() && alike(likeness(args), subject, &oracle);
    (!alike).then_some(oracle)
}

/// Compares EXEC's reply element by element, each by the rule of its queued command.
#[must_use]
pub fn exec_mismatch(queued: &[Vec<Vec<u8>>], subject: &Value, oracle: &Value) -> Option<Value> {
    let (Value::Array(ours), Value::Array(theirs)) = (subject, oracle) else {
        return mismatch(&[b"EXEC".to_vec()], subject, oracle);
    };
    if ours.len() != theirs.len() || ours.len() != queued.len() {
        return Some(oracle.clone());
    }
    let pairs = ours.iter().zip(theirs);
    let differ = queued
        .iter()
        .zip(pairs)
        .any(|(args, (a, b))| mismatch(args, a, b).is_some());
    differ.then(|| oracle.clone())
}

fn likeness(args: &[Vec<u8>]) -> Likeness {
    let word = |at: usize| {
        let bytes = args.get(at).map(Vec::as_slice).unwrap_or_default();
        String::from_utf8_lossy(bytes).to_ascii_uppercase()
    };
    if word(1) == "HELP" && args.len() == 2 {
        return Likeness::Help;
    }
    match word(0).as_str() {
        "TTL" | "EXPIRETIME" => Likeness::Near(2),
        "PTTL" | "PEXPIRETIME" => Likeness::Near(2_000),
        "KEYS" => Likeness::Unordered,
        "SCAN" if word(1) == "0" => Likeness::Page,
        "SCAN" => Likeness::Shape,
        "RANDOMKEY" => Likeness::Anything,
        "TIME" | "LASTSAVE" | "INFO" | "LOLWUT" => Likeness::Shape,
        "HELLO" => Likeness::Greeting,
        "OBJECT" if word(1) == "IDLETIME" => Likeness::Near(10),
        "CLIENT" if matches!(word(1).as_str(), "ID" | "LIST" | "INFO") => Likeness::Shape,
        "SLOWLOG" if matches!(word(1).as_str(), "LEN" | "GET") => Likeness::Shape,
        "LATENCY" => Likeness::Shape,
        "MEMORY" => Likeness::Shape,
        "CONFIG" if word(1) == "GET" => Likeness::UnorderedPairs,
        "COMMAND" if !word(1).starts_with("GETKEYS") => Likeness::Shape,
        "PUBSUB" if word(1).ends_with("CHANNELS") => Likeness::Unordered,
        _ => Likeness::Exact,
    }
}

fn alike(likeness: Likeness, subject: &Value, oracle: &Value) -> bool {
    match likeness {
        Likeness::Exact => false,
        Likeness::Unordered => sorted(subject) == sorted(oracle) && same_type(subject, oracle),
        Likeness::UnorderedPairs => {
            same_type(subject, oracle) && sorted_pairs(subject) == sorted_pairs(oracle)
        }
        Likeness::Near(slack) => match (subject.integer(), oracle.integer()) {
            (Some(a), Some(b)) => a >= 0 && b >= 0 && a.abs_diff(b) <= slack.unsigned_abs(),
            _ => false,
        },
        Likeness::Shape => same_type(subject, oracle),
        Likeness::Anything => subject.is_null() == oracle.is_null(),
        Likeness::Page => page(subject, oracle),
        Likeness::Greeting => greeting(subject) == greeting(oracle) && same_type(subject, oracle),
        Likeness::Help => help(subject) && help(oracle),
    }
}

/// The same kind of reply, whatever is in it.
#[must_use]
pub fn same_type(a: &Value, b: &Value) -> bool {
    std::mem::discriminant(a) == std::mem::discriminant(b)
}

/// The elements in one order.
#[must_use]
pub fn sorted(value: &Value) -> Vec<Value> {
    let mut items = value.items().unwrap_or_default();
    items.sort();
    items
}

fn sorted_pairs(value: &Value) -> Vec<(Value, Value)> {
    let items = value.items().unwrap_or_default();
    let mut pairs: Vec<(Value, Value)> = items
        .chunks_exact(2)
        .map(|pair| (pair[0].clone(), pair[1].clone()))
        .collect();
    pairs.sort();
    pairs
}

/// Two pages are comparable only when both are the whole iteration.
fn page(subject: &Value, oracle: &Value) -> bool {
    let (Value::Array(ours), Value::Array(theirs)) = (subject, oracle) else {
        return false;
    };
    let [a, ours] = ours.as_slice() else {
        return false;
    };
    let [b, theirs] = theirs.as_slice() else {
        return false;
    };
    let end = Value::bulk("0");
    let whole = *a == end && *b == end;
    same_type(ours, theirs) && (!whole || sorted(ours) == sorted(theirs))
}

fn greeting(value: &Value) -> Vec<Value> {
    let mut items = value.items().unwrap_or_default();
    for at in (0..items.len()).step_by(2) {
        if matches!(items[at].text().as_str(), "version" | "id") && at + 1 < items.len() {
            items[at + 1] = Value::NullBulk;
        }
    }
    items
}

/// True when both are the same replies, apart from the identities in HELLO's.
#[must_use]
pub fn same_replies(ours: &[u8], theirs: &[u8]) -> bool {
    let (Ok(ours), Ok(theirs)) = (Value::decode_all(ours), Value::decode_all(theirs)) else {
        return ours == theirs;
    };
    ours.len() == theirs.len()
        && ours.iter().zip(&theirs).all(|(a, b)| {
            let hello = a
                .items()
                .is_some_and(|items| items.first() == Some(&Value::bulk("server")));
            a == b || hello && same_type(a, b) && greeting(a) == greeting(b)
        })
}

fn help(value: &Value) -> bool {
    let Value::Array(lines) = value else {
        return false;
    };
    lines.len() >= 2 && lines.iter().all(|line| matches!(line, Value::Simple(_)))
}
