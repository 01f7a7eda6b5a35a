//! Requests in pieces, large ones, odd ones, and those that must wait.

use super::{Rig, parts_with, wire};
use crate::base::rng::Rng;
use crate::resp::LARGE_WORD_BYTES;

/// Without this, what follows a blocking command would overtake it.
#[test]
fn requests_behind_a_waiting_one_stay_behind_it() {
    let mut rig = Rig::new();
    let one = rig.connect();
    assert_eq!(rig.say(one, &["WAIT 1 100"]), "");
    assert_eq!(rig.say(one, &["PING"]), "");
    rig.pass(50);
    assert_eq!(rig.say(one, &["ECHO \"a b\"", "ECHO 'c"]), "");
    rig.pass(50);
    let expected = ":0\r\n+PONG\r\n$3\r\na b\r\n";
    assert_eq!(
        rig.heard(one),
        format!("{expected}-ERR Protocol error: unbalanced quotes in request\r\n")
    );
}

#[test]
fn a_quoted_inline_request_that_waits_is_not_unquoted_twice() {
    let mut rig = Rig::new();
    let (one, two) = (rig.connect(), rig.connect());
    rig.say(two, &["CLIENT PAUSE 1000 WRITE"]);
    let lines = ["PING", "SET k \"a \\\"b\\\" 'c'\"", "GET k"];
    assert_eq!(rig.say(one, &lines), "+PONG\r\n");
    assert_eq!(rig.say(one, &["ECHO 'd e'"]), "");
    rig.pass(1000);
    assert_eq!(rig.heard(one), "+OK\r\n$9\r\na \"b\" 'c'\r\n$3\r\nd e\r\n");
}

#[test]
fn an_inline_request_behind_an_empty_one_is_not_unquoted_before_its_turn() {
    let mut rig = Rig::new();
    let one = rig.connect();
    let mut bytes = wire(&[b"WAIT", b"1", b"10"]);
    bytes.extend_from_slice(b"*0\r\nSET k \"a b\"\r\n*-1\r\nGET \"k\"\r\n");
    rig.send(one, &bytes);
    rig.turn();
    rig.pass(10);
    assert_eq!(rig.heard(one), ":0\r\n+OK\r\n$3\r\na b\r\n");
}

#[test]
fn a_large_word_of_a_request_that_waits_is_kept() {
    let mut rig = Rig::new();
    let (one, two) = (rig.connect(), rig.connect());
    rig.say(two, &["CLIENT PAUSE 1000 WRITE"]);
    let value = vec![b'v'; LARGE_WORD_BYTES * 2];
    let bytes = [
        wire(&[b"SET", b"k", &value]),
        wire(&[b"STRLEN", b"k"]),
        wire(&[b"PING"]),
    ]
    .concat();
    for piece in bytes.chunks(5000) {
        rig.send(one, piece);
        rig.turn();
    }
    assert_eq!(rig.heard(one), "");
    assert_eq!(
        rig.say(two, &["EXISTS k", "CLIENT UNPAUSE"]),
        ":0\r\n+OK\r\n"
    );
    let expected = format!("+OK\r\n:{}\r\n+PONG\r\n", value.len());
    assert_eq!(rig.heard(one), expected);
}

#[test]
fn large_words_can_be_queued() {
    let mut rig = Rig::new();
    let one = rig.connect();
    let value = vec![b'v'; LARGE_WORD_BYTES + 1];
    let bytes = [
        wire(&[b"MULTI"]),
        wire(&[b"MSET", b"a", &value, b"b", &value, b"c", b"small"]),
        wire(&[b"STRLEN", b"b"]),
        wire(&[b"GET", b"c"]),
        wire(&[b"EXEC"]),
    ]
    .concat();
    for piece in bytes.chunks(10_000) {
        rig.send(one, piece);
        rig.turn();
    }
    let expected = "+OK\r\n+QUEUED\r\n+QUEUED\r\n+QUEUED\r\n*3\r\n+OK\r\n:32769\r\n$5\r\nsmall\r\n";
    assert_eq!(rig.heard(one), expected);
    let stats = &rig.engine.observed.stats;
    assert_eq!(stats.bytes_in, bytes.len() as u64, "bytes are counted once");
}

#[test]
fn limits_of_strangers_hold_from_one_request_to_the_next() {
    let mut rig = Rig::with(parts_with(&[(b"requirepass", b"pw")]));
    let one = rig.connect();
    let long = "x".repeat(20_000);
    let answer = rig.say(
        one,
        &[
            "PING",
            "AUTH pw",
            &format!("*2\r\n$4\r\nECHO\r\n$20000\r\n{long}"),
        ],
    );
    assert!(
        answer.starts_with("-NOAUTH Authentication required.\r\n+OK\r\n$20000\r\n"),
        "{answer}"
    );
    let answer = rig.say(one, &["RESET", "PING", "*11"]);
    let refused = "-ERR Protocol error: unauthenticated multibulk length\r\n";
    assert_eq!(
        answer,
        format!("+RESET\r\n-NOAUTH Authentication required.\r\n{refused}")
    );
    assert!(rig.is_closed(one));
}

#[test]
fn after_a_protocol_error_nothing_is_run() {
    let mut rig = Rig::new();
    let (one, two) = (rig.connect(), rig.connect());
    let answer = rig.say(one, &["SET k 1", "*1", ":4", "SET k 2"]);
    assert_eq!(
        answer,
        "+OK\r\n-ERR Protocol error: expected '$', got ':'\r\n"
    );
    rig.send(one, b"SET k 3\r\n");
    assert_eq!(rig.say(two, &["GET k"]), "$1\r\n1\r\n");
    assert!(rig.is_closed(one));
}

#[test]
fn after_quit_nothing_is_run() {
    let mut rig = Rig::new();
    let (one, two) = (rig.connect(), rig.connect());
    assert_eq!(
        rig.say(one, &["SET k 1", "QUIT", "SET k 2"]),
        "+OK\r\n+OK\r\n"
    );
    assert!(rig.is_closed(one));
    assert_eq!(rig.say(two, &["GET k"]), "$1\r\n1\r\n");
}

#[test]
fn requests_over_the_limit_close_whether_they_are_whole_or_queued() {
    for queued in [false, true] {
        let limit: (&[u8], &[u8]) = (b"client-query-buffer-limit", b"1mb");
        let mut rig = Rig::with(parts_with(&[limit]));
        let one = rig.connect();
        let word = wire(&[b"ECHO", &[b'x'; 10_000]]);
        if queued {
            rig.say(one, &["MULTI"]);
        } else {
            rig.send(one, b"*1000\r\n");
        }
        let piece = if queued {
            &word
        } else {
            &word[b"*2\r\n".len()..]
        };
        for _ in 0..99 {
            rig.send(one, piece);
        }
        rig.turn();
        assert!(!rig.is_closed(one));
        for _ in 0..10 {
            rig.send(one, piece);
        }
        rig.turn();
        assert!(rig.is_closed(one));
    }
}

/// One request, well-formed or not, of those whose answers depend on nothing but what was sent.
fn some_request(rng: &mut Rng, bytes: &mut Vec<u8>) {
    let below = |rng: &mut Rng, bound: u64| usize::try_from(rng.below(bound)).unwrap();
    let key = [&b"a"[..], b"b", b"c"][below(rng, 3)];
    let number = below(rng, 30).to_string();
    let value = match rng.below(60) {
        0 => vec![b'L'; LARGE_WORD_BYTES + below(rng, 5000)],
        1..20 => number.clone().into_bytes(),
        _ => (0..below(rng, 40))
            .map(|_| b"x\"' \r\n*$1"[below(rng, 9)])
            .collect(),
    };
    let plain: &[&[u8]] = match rng.below(24) {
        0..4 => &[b"SET", key, &value],
        4..7 => &[b"GET", key],
        7 => &[b"INCR", key],
        8 => &[b"APPEND", key, b"z"],
        9 => &[b"MSET", b"a", &value, b"b", &value],
        10 => &[b"MGET", b"a", b"b", b"c"],
        11 => &[b"MULTI"],
        12 | 13 => &[b"EXEC"],
        14 => &[b"WAIT", b"1", number.as_bytes()],
        15 => &[b"CLIENT", b"PAUSE", number.as_bytes(), b"WRITE"],
        16 => &[
            b"CLIENT",
            b"REPLY",
            [&b"ON"[..], b"OFF", b"SKIP"][below(rng, 3)],
        ],
        17 => &[[&b"SUBSCRIBE"[..], b"UNSUBSCRIBE"][below(rng, 2)], key],
        18 => &[b"PUBLISH", key, &value],
        19 => &[b"HELLO", [&b"2"[..], b"3", b"4"][below(rng, 3)]],
        20 => &[b"RESET"],
        21 => &[b"WATCH", key],
        22 => &[b"nosuch", key],
        _ => &[b"ECHO", &value],
    };
    match rng.below(40) {
        0 => bytes.extend_from_slice(b"\r\n"),
        1 => bytes.extend_from_slice(b"*0\r\n"),
        2 => bytes.extend_from_slice(b"*-7\r\n"),
        3 => bytes.extend_from_slice(b"  \n"),
        4..8 => bytes.extend_from_slice(b"SET a \"x y\\x41\\\"\" \r\n"),
        8..12 => bytes.extend_from_slice(b"echo 'it\\'s' \n"),
        12..16 => bytes.extend_from_slice(b"MGET \"a\" 'b' c\r\n"),
        _ => bytes.extend(wire(plain)),
    }
}

/// Everything that comes back when `pieces` arrive one a turn and time passes afterwards; and what
/// is in the database then.
fn answers<'a>(pieces: impl Iterator<Item = &'a [u8]>) -> (String, String, bool) {
    let mut rig = Rig::new();
    let (one, two) = (rig.connect(), rig.connect());
    for piece in pieces {
        rig.send(one, piece);
        rig.turn();
    }
    for _ in 0..200 {
        rig.pass(10);
    }
    let heard = rig.heard(one);
    (heard, rig.say(two, &["MGET a b c"]), rig.is_closed(one))
}

/// Without this, a cut between two packets could lose, double or change a request.
#[test]
fn any_cutting_gives_the_same_answers() {
    for seed in 0..1500 {
        let mut rng = Rng::new(seed);
        let mut bytes = Vec::new();
        for _ in 0..rng.below(40) {
            some_request(&mut rng, &mut bytes);
        }
        for _ in 0..rng.below(3) * rng.below(2) {
            let at = usize::try_from(rng.below(bytes.len() as u64)).unwrap();
            if let Some(byte) = bytes.get_mut(at) {
                *byte = b"*$\r\n1 \"'z"[usize::try_from(rng.below(9)).unwrap()];
            }
        }
        let whole = answers(std::iter::once(&bytes[..]));
        let longest = [3, 40, 20_000][usize::try_from(rng.below(3)).unwrap()];
        let longest = if bytes.len() > 20_000 {
            20_000
        } else {
            longest
        };
        let mut rest = &bytes[..];
        let pieces = std::iter::from_fn(|| {
            let len = usize::try_from(rng.below(longest) + 1)
                .unwrap()
                .min(rest.len());
            let (piece, after) = rest.split_at(len);
            rest = after;
            (len > 0).then_some(piece)
        });
        let cut = answers(pieces);
        assert_eq!(
            cut,
            whole,
            "seed {seed}: {}",
            String::from_utf8_lossy(&bytes)
        );
    }
}

#[test]
fn no_bytes_from_outside_break_the_engine() {
    for seed in 0..300 {
        let mut rng = Rng::new(seed);
        let mut rig = Rig::new();
        let one = rig.connect();
        for _ in 0..30 {
            let mut bytes = vec![0; usize::try_from(rng.below(60) + 1).unwrap()];
            rng.fill(&mut bytes);
            for byte in &mut bytes {
                let common = b"*$\r\n01239-\"' SETGHLOPING";
                let at = usize::from(*byte);
                *byte = common.get(at % 40).copied().unwrap_or(*byte);
            }
            rig.send(one, &bytes);
            rig.turn();
        }
    }
}
