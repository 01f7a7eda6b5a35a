//! Small requests of several connections that arrive in one wake.

use super::{Rig, parts_with, wire};
use crate::seam::machine::Machine;

#[test]
fn requests_of_one_wake_run_in_the_order_of_their_arrival() {
    let mut rig = Rig::new();
    let all: Vec<usize> = (0..40).map(|_| rig.connect()).collect();
    for who in &all {
        let text = format!("{who} ");
        rig.send(*who, &wire(&[b"APPEND", b"k", text.as_bytes()]));
    }
    rig.turn();
    let expected: String = all.iter().map(|who| format!("{who} ")).collect();
    for (at, who) in all.iter().enumerate() {
        let len: usize = all[..=at].iter().map(|who| format!("{who} ").len()).sum();
        assert_eq!(rig.heard(*who), format!(":{len}\r\n"));
    }
    rig.send(0, &wire(&[b"GET", b"k"]));
    rig.turn();
    assert_eq!(
        rig.heard(0),
        format!("${}\r\n{expected}\r\n", expected.len())
    );
}

#[test]
fn a_second_chunk_of_a_connection_comes_after_the_first() {
    let mut rig = Rig::new();
    let (one, two) = (rig.connect(), rig.connect());
    rig.send(one, &wire(&[b"SELECT", b"3"]));
    rig.send(two, &wire(&[b"SET", b"k", b"two"]));
    rig.send(one, &wire(&[b"SET", b"k", b"one"]));
    rig.send(two, &wire(&[b"GET", b"k"]));
    rig.turn();
    assert_eq!(rig.heard(one), "+OK\r\n+OK\r\n");
    assert_eq!(rig.heard(two), "+OK\r\n$3\r\ntwo\r\n");
}

#[test]
fn what_is_no_complete_array_does_not_overtake() {
    let chunks: [&[u8]; 7] = [
        b"GET k\r\n",
        b"*2\r\n$3\r\nGET\r\n$1\r\nk\r\n*2\r\n$3\r\nGE",
        b"*2\r\n$3\r\nGET\r\n$1\r\nk\r\nPING\r\n",
        b"*0\r\n*2\r\n$3\r\nGET\r\n$1\r\nk\r\n",
        b"*0\r\nGET \"k\"\r\n",
        b"*2\r\n$3\r\nGET\r\n$1\r\nk\r\n*1\r\n$4\r\nPING\r\n",
        b"\r\n*2\r\n$3\r\nGET\r\n$1\r\nk\r\n",
    ];
    for chunk in chunks {
        let mut rig = Rig::new();
        let (one, two) = (rig.connect(), rig.connect());
        rig.send(one, &wire(&[b"SET", b"k", b"v"]));
        rig.send(two, chunk);
        rig.turn();
        assert_eq!(rig.heard(one), "+OK\r\n");
        let heard = rig.heard(two);
        assert!(heard.starts_with("$1\r\nv\r\n"), "{chunk:?}: {heard}");
    }
}

#[test]
fn bytes_that_are_no_request_are_refused_behind_the_others() {
    let mut rig = Rig::new();
    let (one, two) = (rig.connect(), rig.connect());
    rig.send(one, &wire(&[b"INCR", b"n"]));
    rig.send(two, b"*1\r\n$4\r\nPING\r\n*1\r\n:4\r\n");
    rig.turn();
    assert_eq!(rig.heard(one), ":1\r\n");
    let expected = "+PONG\r\n-ERR Protocol error: expected '$', got ':'\r\n";
    assert_eq!(rig.heard(two), expected);
    assert!(rig.is_closed(two));
}

#[test]
fn who_is_killed_by_an_earlier_request_is_not_served() {
    let mut rig = Rig::new();
    let (one, two) = (rig.connect(), rig.connect());
    rig.send(one, &wire(&[b"CLIENT", b"KILL", b"ID", b"2"]));
    rig.send(two, &wire(&[b"SET", b"k", b"v"]));
    rig.turn();
    assert_eq!(rig.heard(one), ":1\r\n");
    assert_eq!(rig.heard(two), "");
    assert!(rig.is_closed(two));
    rig.send(one, &wire(&[b"EXISTS", b"k"]));
    rig.turn();
    assert_eq!(rig.heard(one), ":0\r\n");
}

#[test]
fn a_pause_holds_the_later_ones_back_whole() {
    let mut rig = Rig::new();
    let (one, two) = (rig.connect(), rig.connect());
    rig.send(one, &wire(&[b"CLIENT", b"PAUSE", b"50", b"WRITE"]));
    let mut chunk = wire(&[b"GET", b"k"]);
    chunk.extend(wire(&[b"SET", b"k", b"v"]));
    chunk.extend(wire(&[b"GET", b"k"]));
    rig.send(two, &chunk);
    rig.turn();
    assert_eq!(rig.heard(two), "$-1\r\n");
    rig.pass(60);
    rig.pass(1);
    assert_eq!(rig.heard(two), "+OK\r\n$1\r\nv\r\n");
}

#[test]
fn messages_keep_their_place_among_replies() {
    let mut rig = Rig::new();
    let (one, two) = (rig.connect(), rig.connect());
    rig.say(two, &["SUBSCRIBE c"]);
    rig.send(one, &wire(&[b"PUBLISH", b"c", b"first"]));
    rig.send(two, &wire(&[b"PING"]));
    rig.send(one, &wire(&[b"PUBLISH", b"c", b"second"]));
    rig.turn();
    let message = |text: &str| {
        format!(
            "*3\r\n$7\r\nmessage\r\n$1\r\nc\r\n${}\r\n{text}\r\n",
            text.len()
        )
    };
    let pong = "*2\r\n$4\r\npong\r\n$0\r\n\r\n";
    let expected = format!("{}{pong}{}", message("first"), message("second"));
    assert_eq!(rig.heard(two), expected);
}

#[test]
fn a_transaction_of_small_chunks_is_held_to_the_limit_of_input() {
    let mut rig = Rig::with(parts_with(&[(b"client-query-buffer-limit", b"1mb")]));
    let who = rig.connect();
    rig.send(who, &wire(&[b"MULTI"]));
    let mut sent = 0;
    while !rig.is_closed(who) {
        rig.send(who, &wire(&[b"SET", b"k", &[b'v'; 100]]));
        rig.turn();
        sent += 1;
        assert!(sent < 20_000, "1 MiB is exceeded by far");
    }
    assert!(sent > 1_000, "after {sent} commands");
}

#[test]
fn nothing_runs_behind_a_shutdown() {
    let mut rig = Rig::new();
    let all: Vec<usize> = (0..4).map(|_| rig.connect()).collect();
    rig.send(all[3], b"*2\r\n$4\r\nINCR\r\n");
    rig.send(all[0], &wire(&[b"INCR", b"n"]));
    let mut chunk = wire(&[b"INCR", b"n"]);
    chunk.extend(wire(&[b"SHUTDOWN", b"NOSAVE"]));
    chunk.extend(wire(&[b"INCR", b"n"]));
    rig.send(all[1], &chunk);
    rig.send(all[2], &wire(&[b"INCR", b"n"]));
    rig.send(all[3], b"$1\r\nn\r\n");
    rig.turn();
    let heard: Vec<String> = all.iter().map(|who| rig.heard(*who)).collect();
    assert_eq!(heard, [":1\r\n", ":2\r\n", "", ""]);
    assert!(rig.engine.is_finished());
}
