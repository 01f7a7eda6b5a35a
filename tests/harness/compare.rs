//! When two replies to the same command count as equal.
//!
//! Byte for byte, save where that cannot be: times, ids, sizes, random choices, and the order of
//! what has none. An error always has to be the same error.

use crate::differences::{is_stand_in, wanted};
use crate::scores;
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
    /// A page of pairs.
    PageOfPairs,
    /// As many of the same types: a random choice, or an order that nothing prescribes of which a
    /// part is shown.
    Sample,
    /// HELLO's map, without version and id.
    Greeting,
    /// A list of lines in our own words.
    Help,
}

/// Compares; `None` when they are alike, otherwise what was wanted.
#[must_use]
pub fn mismatch(args: &[Vec<u8>], subject: &Value, oracle: &Value) -> Option<Value> {
    let oracle = wanted(args, subject, oracle);
    // ZSCAN kept the long form of scores in one encoding and took the short one in the other.
    // Newer servers, standing in, don't always find the shortest one.
    let is_lenient = is_zscan(args) || is_stand_in();
    let shortened = is_lenient.then(|| scores::short(args, subject));
    let subject = shortened.as_ref().unwrap_or(subject);
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

fn is_zscan(args: &[Vec<u8>]) -> bool {
    args.first()
        .is_some_and(|name| name.eq_ignore_ascii_case(b"ZSCAN"))
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
        "SSCAN" if word(2) == "0" => Likeness::Page,
        "HSCAN" | "ZSCAN" if word(2) == "0" => Likeness::PageOfPairs,
        "SCAN" | "SSCAN" | "HSCAN" | "ZSCAN" => Likeness::Shape,
        "SMEMBERS" | "SINTER" | "SUNION" | "SDIFF" | "HKEYS" | "HVALS" => Likeness::Unordered,
        "HGETALL" => Likeness::UnorderedPairs,
        "SPOP" if word(2) == "1000000" => Likeness::Unordered,
        "SPOP" | "SRANDMEMBER" | "HRANDFIELD" | "ZRANDMEMBER" => Likeness::Sample,
        "SORT" | "SORT_RO" => sorting(args),
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

/// SORT leaves an order open where elements compare as equal and are not: by a word pattern with
/// ALPHA, and not at all, unless the key (`only:*`) is known to have an order of its own.
fn sorting(args: &[Vec<u8>]) -> Likeness {
    let has = |option: &str| {
        let is = |word: &Vec<u8>| word.eq_ignore_ascii_case(option.as_bytes());
        args.iter().skip(2).position(is).map(|at| at + 2)
    };
    let Some(by) = has("BY") else {
        return Likeness::Exact;
    };
    let is_sorted = args.get(by + 1).is_some_and(|word| word.contains(&b'*'));
    let has_order = args.get(1).is_some_and(|key| key.starts_with(b"only:"));
    if (is_sorted && has("ALPHA").is_none()) || (!is_sorted && has_order) {
        Likeness::Exact
    } else if has("LIMIT").is_some() {
        Likeness::Sample
    } else {
        Likeness::Unordered
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
        Likeness::Page => page(subject, oracle, sorted),
        Likeness::PageOfPairs => page(subject, oracle, sorted_pairs),
        Likeness::Sample => sample(subject, oracle),
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
fn page<T: PartialEq>(subject: &Value, oracle: &Value, ordered: fn(&Value) -> T) -> bool {
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
    same_type(ours, theirs) && (!whole || ordered(ours) == ordered(theirs))
}

fn sample(subject: &Value, oracle: &Value) -> bool {
    match (subject.items(), oracle.items()) {
        (Some(ours), Some(theirs)) => {
            let same = |(a, b): (&Value, &Value)| sample(a, b);
            ours.len() == theirs.len()
                && same_type(subject, oracle)
                && ours.iter().zip(&theirs).all(same)
        }
        _ => same_type(subject, oracle),
    }
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
