//! Tests of request framing.

use super::*;
use crate::resp::Args;
use proptest::prelude::*;

const OPEN: Limits = Limits {
    word_bytes_max: 512 << 20,
    authenticated: true,
};

fn all(bytes: &[u8], limits: &Limits) -> (Vec<Vec<Vec<u8>>>, Stop) {
    let mut buffer = bytes.to_vec();
    let mut parser = Parser::default();
    let mut requests = Vec::new();
    loop {
        match parser.advance(&mut buffer, limits) {
            Stop::Request => {
                requests.push(take(&mut parser, &buffer));
            }
            stop => return (requests, stop),
        }
    }
}

/// The words of the request that the parser has just completed.
fn take(parser: &mut Parser, buffer: &[u8]) -> Vec<Vec<u8>> {
    let range = parser.finish();
    let (spans, large) = parser.words();
    let args = Args::new(buffer, &spans[range], large);
    let words = args.iter_from(0).map(<[u8]>::to_vec).collect();
    parser.forget();
    words
}

fn error(bytes: &[u8]) -> String {
    match all(bytes, &OPEN).1 {
        Stop::Bad(error) => error.to_string(),
        stop => format!("{stop:?}"),
    }
}

#[test]
fn requests_of_both_kinds_are_framed_in_order() {
    let (requests, stop) = all(
        b"*2\r\n$3\r\nGET\r\n$1\r\nk\r\nPING\r\n\r\n*0\r\n*-1\r\nset a 'b c'\n",
        &OPEN,
    );
    assert_eq!(stop, Stop::NeedMore);
    let expected: Vec<Vec<&[u8]>> = vec![
        vec![b"GET", b"k"],
        vec![b"PING"],
        vec![b"set", b"a", b"b c"],
    ];
    assert_eq!(requests, expected);
}

#[test]
fn faults_are_worded_as_real_servers_word_them() {
    assert_eq!(error(b"*a\r\n"), "Protocol error: invalid multibulk length");
    assert_eq!(
        error(b"*2147483648\r\n"),
        "Protocol error: invalid multibulk length"
    );
    assert_eq!(
        error(b"*1\r\n:3\r\n"),
        "Protocol error: expected '$', got ':'"
    );
    assert_eq!(
        error(b"*1\r\n$-1\r\n"),
        "Protocol error: invalid bulk length"
    );
    assert_eq!(
        error(b"*1\r\n$536870913\r\n"),
        "Protocol error: invalid bulk length"
    );
    assert_eq!(
        error(b"*1\r\n$99999999999999999999\r\n"),
        "Protocol error: invalid bulk length"
    );
    assert_eq!(
        error(b"\"a\n"),
        "Protocol error: unbalanced quotes in request"
    );
    let long = vec![b'a'; LINE_BYTES_MAX + 1];
    assert_eq!(error(&long), "Protocol error: too big inline request");
    assert_eq!(
        error(&[b"*", &long[..]].concat()),
        "Protocol error: too big mbulk count string"
    );
    assert_eq!(
        error(&[b"*1\r\n$", &long[..]].concat()),
        "Protocol error: too big bulk count string"
    );
}

#[test]
fn strangers_may_send_little() {
    let limits = Limits {
        authenticated: false,
        ..OPEN
    };
    assert_eq!(
        all(b"*11\r\n", &limits).1,
        Stop::Bad(ProtocolError::UnauthenticatedCount)
    );
    assert_eq!(
        all(b"*1\r\n$16385\r\n", &limits).1,
        Stop::Bad(ProtocolError::UnauthenticatedLength)
    );
    assert_eq!(all(b"*10\r\n$16384\r\n", &limits).1, Stop::NeedMore);
}

#[test]
fn a_large_word_asks_for_its_own_buffer() {
    let (_, stop) = all(b"*2\r\n$3\r\nSET\r\n$40000\r\nabc", &OPEN);
    assert_eq!(
        stop,
        Stop::Large {
            start: 21,
            len: 40000
        }
    );
}

#[test]
fn a_large_word_that_is_supplied_completes_the_request() {
    let mut buffer = b"*3\r\n$3\r\nSET\r\n$40000\r\n".to_vec();
    let mut parser = Parser::default();
    assert!(matches!(
        parser.advance(&mut buffer, &OPEN),
        Stop::Large { .. }
    ));
    parser.supply(Bytes::from(vec![b'x'; 40000]));
    assert!(!parser.is_complete());
    buffer.extend_from_slice(b"$1\r\nz\r\n");
    assert_eq!(parser.advance(&mut buffer, &OPEN), Stop::Request);
    let range = parser.finish();
    let (spans, large) = parser.words();
    let args = Args::new(&buffer, &spans[range], large);
    assert_eq!(
        (args.get(0), args.get(1).len(), args.get(2)),
        (&b"SET"[..], 40000, &b"z"[..])
    );
    assert!(args.is_large(1) && !args.is_large(2));
}

proptest! {
    /// Without this, a cut between two packets could lose or double a word.
    #[test]
    fn any_cutting_gives_the_same_requests(
        words in prop::collection::vec(prop::collection::vec(prop::collection::vec(any::<u8>(), 0..40), 1..6), 1..12),
        cuts in prop::collection::vec(1usize..20, 0..80),
    ) {
        let mut wire = Vec::new();
        for request in &words {
            wire.extend_from_slice(format!("*{}\r\n", request.len()).as_bytes());
            for word in request {
                wire.extend_from_slice(format!("${}\r\n", word.len()).as_bytes());
                wire.extend_from_slice(word);
                wire.extend_from_slice(b"\r\n");
            }
        }
        let (mut parser, mut buffer, mut found) = (Parser::default(), Vec::new(), Vec::new());
        let mut sent = 0;
        let mut cuts = cuts.into_iter();
        while sent < wire.len() {
            let step = cuts.next().unwrap_or(usize::MAX).min(wire.len() - sent);
            buffer.extend_from_slice(&wire[sent..sent + step]);
            sent += step;
            while parser.advance(&mut buffer, &OPEN) == Stop::Request {
                found.push(take(&mut parser, &buffer));
            }
        }
        prop_assert_eq!(found, words);
    }

    /// Bytes from outside never break the parser.
    #[test]
    fn no_bytes_break_it(bytes in prop::collection::vec(prop_oneof![
        Just(b'*'), Just(b'$'), Just(b'\r'), Just(b'\n'), Just(b'1'), Just(b'"'), Just(b'-'), any::<u8>()
    ], 0..200)) {
        drop(all(&bytes, &OPEN));
    }
}
