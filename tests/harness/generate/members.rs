//! The words that fill slots in the rows for collections: a small universe of elements so that
//! commands meet, scores at limits, and counts around those at which encodings change.

use rand::Rng;
use rand::rngs::SmallRng;
use rand::seq::IndexedRandom;

use super::vocabulary::{Bound, key};

/// Elements that are special to some encoding or parser. None has a NUL,
/// at which collation stops, and none is empty, which newer servers don't sort as a number.
const ODD_ELEMENTS: [&[u8]; 11] = [
    b"-0",
    b"007",
    b"+7",
    b"1.5",
    b"9223372036854775807",
    b"9223372036854775808",
    b"-9223372036854775808",
    b"\xff\xfe\r\n",
    b"caf\xc3\xa9",
    b"nan",
    b"a*b",
];

/// Neither hexadecimal ones nor a negative zero: newer servers have other ways with them.
const SCORES: [&str; 30] = [
    "inf",
    "-inf",
    "+inf",
    "Infinity",
    "nan",
    "-nan",
    "1e308",
    "-1e308",
    "0.1",
    "0.2",
    "-0.1",
    "3.14159265358979",
    "1e17",
    "1e20",
    "1e21",
    "123456789012345678",
    "9007199254740993",
    "9223372036854775807",
    "-9223372036854775808",
    "4611686018427387904",
    "1e-5",
    "1.5e-7",
    "+5",
    "5.",
    ".5",
    " 1",
    "1 ",
    "",
    "abc",
    "1,5",
];

/// A word for the slot `name`; `None` when it is no slot of collections.
pub(super) fn word(name: &str, rng: &mut SmallRng, bound: &Bound) -> Option<Vec<u8>> {
    let word = match name {
        "l" => named(rng, b'l'),
        "h" => named(rng, b'h'),
        "s" => named(rng, b's'),
        "z" => named(rng, b'z'),
        "zs" => {
            let letter = if rng.random_bool(0.7) { b'z' } else { b's' };
            named(rng, letter)
        }
        "lsz" => {
            let letter = *b"lsz".choose(rng).expect("the list has entries");
            named(rng, letter)
        }
        "zl" => vec![b'z', b'l', rng.random_range(b'1'..=b'2')],
        "L" => vec![b'l', bound.digit],
        "H" => vec![b'h', bound.digit],
        "S" => vec![b's', bound.digit],
        "Z" => vec![b'z', bound.digit],
        "any" => any(rng),
        "e" => element(rng),
        "n" => number(rng),
        "empty" => Vec::new(),
        "be" => vec![b'y'; rng.random_range(3_000..12_000)],
        "weight" => [b"w_".as_slice(), &element(rng)].concat(),
        "weights" => [b"wh_".as_slice(), &element(rng)].concat(),
        "score" => score(rng),
        "odd" => odd_score(rng),
        "whole" => text(rng.random_range(-5..20)),
        "bound" => score_bound(rng),
        "lex" => lex_bound(rng),
        "by" => one(rng, &["w_*", "wh_*->f", "wh_*->g"]),
        "pick" => one(
            rng,
            &[
                "#", "w_*", "wh_*->g", "wh_*->f", "nosuch_*", "plain", "wh_*->", "*",
            ],
        ),
        "negative" => text(rng.random_range(-150..0)),
        "near" => text(rng.random_range(-40..40)),
        "offset0" => text(rng.random_range(0..20)),
        "pos" => text(rng.random_range(0..150)),
        "rank" => text(rng.random_range(-4..5)),
        "count" => count(rng),
        "draw" => text(rng.random_range(0..80)),
        "draws" => draws(rng),
        _ => return None,
    };
    Some(word)
}

/// How often a `^(...)` repeats: mostly a few times, sometimes past what small encodings hold.
pub(super) fn repeats(rng: &mut SmallRng) -> usize {
    match rng.random_range(0..20) {
        0..=11 => rng.random_range(1..=6),
        12..=16 => rng.random_range(7..=40),
        17..=18 => rng.random_range(120..=140),
        _ => rng.random_range(500..=600),
    }
}

fn one(rng: &mut SmallRng, words: &[&str]) -> Vec<u8> {
    words
        .choose(rng)
        .map(|word| word.as_bytes().to_vec())
        .unwrap_or_default()
}

fn text(number: i64) -> Vec<u8> {
    number.to_string().into_bytes()
}

/// One of three keys that mostly have the type of their letter.
fn named(rng: &mut SmallRng, letter: u8) -> Vec<u8> {
    if rng.random_bool(0.05) {
        return any(rng);
    }
    vec![letter, rng.random_range(b'1'..=b'3')]
}

fn any(rng: &mut SmallRng) -> Vec<u8> {
    if rng.random_bool(0.1) {
        return key(rng);
    }
    let letter = *b"lhsz".choose(rng).expect("the list has entries");
    vec![letter, rng.random_range(b'1'..=b'3')]
}

fn element(rng: &mut SmallRng) -> Vec<u8> {
    match rng.random_range(0..40) {
        0..=13 => format!("e{}", rng.random_range(0..24)).into_bytes(),
        14..=19 => format!("member:{:06}", rng.random_range(0..700)).into_bytes(),
        20..=33 => number(rng),
        34..=36 => ODD_ELEMENTS
            .choose(rng)
            .map(|word| word.to_vec())
            .unwrap_or_default(),
        37 => vec![b'x'; rng.random_range(62..=66)],
        38 => vec![b'x'; rng.random_range(250..=300)],
        _ => vec![rng.random_range(b'a'..=b'd'); rng.random_range(1..=24)],
    }
}

/// An integer of any width, mostly a small one.
fn number(rng: &mut SmallRng) -> Vec<u8> {
    match rng.random_range(0..20) {
        0..=14 => text(rng.random_range(-5..60)),
        15..=16 => text(rng.random_range(0..700)),
        17 => text(rng.random_range(-40_000..40_000)),
        18 => text(rng.random_range(-3_000_000_000..3_000_000_000)),
        _ => text(rng.random()),
    }
}

fn score(rng: &mut SmallRng) -> Vec<u8> {
    match rng.random_range(0..10) {
        0..=5 => text(rng.random_range(-5..12)),
        6 => format!("{:.2}", rng.random_range(-9.0..9.0)).into_bytes(),
        7 => format!("{:e}", rng.random_range(-1.0..1.0) * 1e9_f64).into_bytes(),
        8 => text(rng.random()),
        _ => one(rng, &["inf", "-inf", "0.1", "0.2", "1e20", "3.0"]),
    }
}

fn odd_score(rng: &mut SmallRng) -> Vec<u8> {
    if rng.random_bool(0.5) {
        one(rng, &SCORES)
    } else {
        score(rng)
    }
}

fn score_bound(rng: &mut SmallRng) -> Vec<u8> {
    let mut bound = match rng.random_range(0..8) {
        0 => b"(".to_vec(),
        1 => return b"-inf".to_vec(),
        2 => return b"+inf".to_vec(),
        _ => Vec::new(),
    };
    let number = if rng.random_bool(0.2) {
        odd_score(rng)
    } else {
        score(rng)
    };
    bound.extend(number.trim_ascii());
    bound
}

fn lex_bound(rng: &mut SmallRng) -> Vec<u8> {
    match rng.random_range(0..12) {
        0..=1 => b"-".to_vec(),
        2..=3 => b"+".to_vec(),
        4 => b"[".to_vec(),
        5 => element(rng),
        6..=8 => [b"(".as_slice(), &element(rng)].concat(),
        _ => [b"[".as_slice(), &element(rng)].concat(),
    }
}

/// How many to pop.
fn count(rng: &mut SmallRng) -> Vec<u8> {
    match rng.random_range(0..10) {
        0..=6 => text(rng.random_range(0..20)),
        7 => text(rng.random_range(100..700)),
        _ => one(
            rng,
            &[
                "-1",
                "x",
                "",
                "1.5",
                "9223372036854775807",
                "-9223372036854775808",
                "9223372036854775808",
                "4294967296",
            ],
        ),
    }
}

/// How many to draw: a negative number may draw one element several times, and must stay small.
fn draws(rng: &mut SmallRng) -> Vec<u8> {
    match rng.random_range(0..10) {
        0..=3 => text(rng.random_range(0..20)),
        4..=6 => text(rng.random_range(-30..0)),
        7 => text(rng.random_range(100..700)),
        8 => b"9223372036854775807".to_vec(),
        _ => one(
            rng,
            &[
                "x",
                "",
                "1.5",
                "-9223372036854775808",
                "9223372036854775808",
                "-0",
            ],
        ),
    }
}
