//! The words that fill the slots of templates: few keys, so that commands meet; numbers at limits.

use rand::Rng;
use rand::rngs::SmallRng;
use rand::seq::IndexedRandom;

use super::members;

/// What stays the same throughout one expansion.
#[derive(Clone, Debug)]
pub(super) struct Bound {
    key: Vec<u8>,
    /// Ends the names of the bound collections.
    pub(super) digit: u8,
}

impl Bound {
    /// Draws the bound keys.
    pub(super) fn new(rng: &mut SmallRng) -> Self {
        Self {
            key: key(rng),
            digit: rng.random_range(b'1'..=b'3'),
        }
    }
}

const KEYS: [&[u8]; 14] = [
    b"a",
    b"b",
    b"c",
    b"key:1",
    b"key:2",
    b"key:3",
    b"counter",
    b"float",
    b"{tag}x",
    b"{tag}y",
    b"a*b",
    b"h[e]llo",
    b"\x00\xff\r\n",
    b"",
];

const INTEGERS: [&str; 22] = [
    "0",
    "1",
    "-1",
    "2",
    "10",
    "99",
    "9999",
    "10000",
    "-10000",
    "2147483647",
    "2147483648",
    "4294967296",
    "9223372036854775806",
    "9223372036854775807",
    "9223372036854775808",
    "-9223372036854775807",
    "-9223372036854775808",
    "-9223372036854775809",
    "18446744073709551616",
    "007",
    "+7",
    "-0",
];

const FLOATS: [&str; 22] = [
    "0",
    "1",
    "-1",
    "0.1",
    "0.2",
    "3.0",
    "3.14159",
    "-2.5",
    "1e3",
    "5.0e3",
    "1e-5",
    "1e20",
    "1e17",
    "12345678901234567890",
    "0.00000000000000001",
    "inf",
    "-inf",
    "nan",
    " 1",
    "1 ",
    "abc",
    "0x10",
];

const JUNK: [&[u8]; 14] = [
    b"junk",
    b"",
    b" ",
    b"-1",
    b"1.5",
    b"NX",
    b"EX",
    b"WITHSCORES",
    b"\x00",
    b"a b",
    b"9223372036854775808",
    b"*",
    b"\r\n",
    b"caf\xc3\xa9",
];

const PATTERNS: [&str; 20] = [
    "*",
    "a*",
    "*:1",
    "key:?",
    "k[ef]y:*",
    "k[^a]y:[1-2]",
    "[a-c]",
    "[^a-b]",
    "a\\*b",
    "h\\[e\\]*",
    "h[[]e]llo",
    "",
    "**",
    "*?*",
    "[",
    "[a",
    "\\",
    "nomatch",
    "{tag}*",
    "[c-a]",
];

/// A word for the slot `name`.
///
/// # Panics
/// When no slot has that name: templates are constants of the tests.
pub(super) fn word(name: &str, rng: &mut SmallRng, bound: &Bound) -> Vec<u8> {
    match name {
        "K" => bound.key.clone(),
        "k" => key(rng),
        "script" => super::scripts::script(rng),
        "bk" => one(rng, &["big:1", "big:2"]),
        "v" => value(rng),
        "bv" => big_value(rng),
        "int" => integer(rng),
        "small" => rng.random_range(-9..=30).to_string().into_bytes(),
        "float" => float(rng),
        "index" => index(rng),
        "offset" => offset(rng),
        "secs" => ttl(rng, 1_000),
        "ms" => ttl(rng, 1_000_000),
        "at" => moment(rng, 1),
        "atms" => moment(rng, 1_000),
        "future" => (4_000_000_000 + rng.random_range(0..1_000_000_000_i64))
            .to_string()
            .into(),
        "futurems" => (4_000_000_000_000 + rng.random_range(0..1_000_000_000_000_i64))
            .to_string()
            .into(),
        "db" => one(
            rng,
            &["0", "1", "2", "0", "1", "9", "15", "16", "-1", "x", ""],
        ),
        "gooddb" => one(rng, &["0", "1", "2"]),
        "pattern" => one(rng, &PATTERNS),
        "channel" => one(rng, &["c1", "c2", "news.a", "news.b", "", "c\r\n"]),
        "cpattern" => one(
            rng,
            &[
                "c*",
                "news.*",
                "*",
                "c?",
                "[cn]*",
                "c1",
                "__key*",
                "__keyevent@*",
            ],
        ),
        "type" => one(
            rng,
            &["string", "STRING", "list", "hash", "zset", "nosuch", ""],
        ),
        "name" => one(
            rng,
            &["conn", "a-b", "", "with space", "new\nline", "caf\u{e9}"],
        ),
        "junk" => JUNK
            .choose(rng)
            .map(|word| word.to_vec())
            .unwrap_or_default(),
        "text" => one(
            rng,
            &["ohmytext", "mynewtext", "", "aaaa", "abcabcabc", "xyz"],
        ),
        other => members::word(other, rng, bound)
            .unwrap_or_else(|| panic!("no slot is called {other:?}")),
    }
}

/// A word that fits nowhere in particular, and is no short time either: where it takes the place of
/// one, a key would be gone with one of the two before it is with the other.
pub(super) fn junk(rng: &mut SmallRng) -> Vec<u8> {
    if rng.random_bool(0.5) {
        let word = integer(rng);
        let is_short_time =
            str::from_utf8(&word).is_ok_and(|word| matches!(word.parse::<i64>(), Ok(1..1_000_000)));
        if is_short_time { b"0".to_vec() } else { word }
    } else {
        JUNK.choose(rng)
            .map(|word| word.to_vec())
            .unwrap_or_default()
    }
}

fn one(rng: &mut SmallRng, words: &[&str]) -> Vec<u8> {
    words
        .choose(rng)
        .map(|word| word.as_bytes().to_vec())
        .unwrap_or_default()
}

/// A key that has no type by its name.
pub(super) fn key(rng: &mut SmallRng) -> Vec<u8> {
    KEYS.choose(rng).map(|key| key.to_vec()).unwrap_or_default()
}

fn integer(rng: &mut SmallRng) -> Vec<u8> {
    if rng.random_bool(0.4) {
        rng.random_range(-1000..1000).to_string().into_bytes()
    } else {
        one(rng, &INTEGERS)
    }
}

fn float(rng: &mut SmallRng) -> Vec<u8> {
    match rng.random_range(0..4) {
        0 => format!("{:.3}", rng.random_range(-1000.0..1000.0)).into_bytes(),
        1 => format!("{}", rng.random_range(-1.0..1.0)).into_bytes(),
        2 => one(rng, &INTEGERS),
        _ => one(rng, &FLOATS),
    }
}

fn value(rng: &mut SmallRng) -> Vec<u8> {
    match rng.random_range(0..10) {
        0..=2 => integer(rng),
        3 => float(rng),
        4 => one(
            rng,
            &[
                "",
                "x",
                "hello world",
                "ohmytext",
                "mynewtext",
                "OK",
                "QUEUED",
            ],
        ),
        5 => bytes(rng, 0..=12),
        6 => filler(rng, 40..=50),
        7 => filler(rng, 18..=22),
        8 => filler(rng, 60..=300),
        _ => filler(rng, 1..=16),
    }
}

/// Around the sizes at which servers change how they receive and send.
fn big_value(rng: &mut SmallRng) -> Vec<u8> {
    let size = *[
        4_096, 16_383, 16_384, 32_767, 32_768, 32_769, 65_536, 150_000,
    ]
    .choose(rng)
    .expect("the list has entries");
    let start: u8 = rng.random();
    (0..size)
        .map(|at: usize| start.wrapping_add(u8::try_from(at % 251).expect("below 251")))
        .collect()
}

fn bytes(rng: &mut SmallRng, sizes: std::ops::RangeInclusive<usize>) -> Vec<u8> {
    let size = rng.random_range(sizes);
    (0..size).map(|_| rng.random()).collect()
}

fn filler(rng: &mut SmallRng, sizes: std::ops::RangeInclusive<usize>) -> Vec<u8> {
    let size = rng.random_range(sizes);
    (0..size).map(|_| rng.random_range(b'a'..=b'e')).collect()
}

fn index(rng: &mut SmallRng) -> Vec<u8> {
    if rng.random_bool(0.8) {
        rng.random_range(-40..40).to_string().into_bytes()
    } else {
        integer(rng)
    }
}

/// Never so large that the value would be: the biggest allowed ones take half a gigabyte.
fn offset(rng: &mut SmallRng) -> Vec<u8> {
    if rng.random_bool(0.8) {
        rng.random_range(0..300).to_string().into_bytes()
    } else {
        integer(rng)
    }
}

/// A relative time: far ahead and never drawn twice, so that GT and LT decide alike everywhere.
fn ttl(rng: &mut SmallRng, least: i64) -> Vec<u8> {
    if rng.random_bool(0.85) {
        rng.random_range(least..1_000_000 * least)
            .to_string()
            .into_bytes()
    } else {
        one(
            rng,
            &[
                "0",
                "-1",
                "-1000",
                "9223372036854775807",
                "-9223372036854775808",
                "9223372036854775",
                "9300000000000000",
                "9223372036854775808",
                "abc",
                "",
                "1.5",
                "+100",
            ],
        )
    }
}

/// A point in time: far ahead or long past. `unit`: how many there are in a second.
fn moment(rng: &mut SmallRng, unit: i64) -> Vec<u8> {
    match rng.random_range(0..10) {
        0..=6 => {
            let seconds = 4_000_000_000 + rng.random_range(0..1_000_000_000_i64);
            (seconds * unit).to_string().into_bytes()
        }
        7 => one(rng, &["0", "1", "-1", "1000000000"]),
        _ => ttl(rng, 4_000_000_000 * unit),
    }
}
