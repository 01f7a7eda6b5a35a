//! What connections do to each other: pauses, kills, messages, limits.

use super::{Rig, parts_with, wire};
use crate::seam::poller::{Close, Event};

#[test]
fn own_messages_follow_the_whole_reply() {
    let mut rig = Rig::new();
    let one = rig.connect();
    rig.say(one, &["HELLO 3", "SUBSCRIBE c"]);
    let message = ">3\r\n$7\r\nmessage\r\n$1\r\nc\r\n$2\r\nhi\r\n";
    assert_eq!(
        rig.say(one, &["PUBLISH c hi", "PING"]),
        format!(":1\r\n{message}+PONG\r\n")
    );
    let answer = rig.say(one, &["MULTI", "PUBLISH c hi", "PING", "EXEC"]);
    let expected = format!("+OK\r\n+QUEUED\r\n+QUEUED\r\n*2\r\n:1\r\n+PONG\r\n{message}");
    assert_eq!(answer, expected);
}

#[test]
fn messages_come_through_while_replies_do_not() {
    let mut rig = Rig::new();
    let (one, two) = (rig.connect(), rig.connect());
    rig.say(one, &["HELLO 3"]);
    let confirmed = ">3\r\n$9\r\nsubscribe\r\n$1\r\nc\r\n:1\r\n";
    let message = ">3\r\n$7\r\nmessage\r\n$1\r\nc\r\n$2\r\nhi\r\n";
    let answer = rig.say(
        one,
        &["CLIENT REPLY OFF", "PING", "SUBSCRIBE c", "PUBLISH c hi"],
    );
    assert_eq!(answer, format!("{confirmed}{message}"));
    rig.say(two, &["PUBLISH c hi"]);
    assert_eq!(rig.heard(one), message);
    assert_eq!(rig.say(one, &["CLIENT REPLY ON"]), "+OK\r\n");
    let skipped = rig.say(one, &["CLIENT REPLY SKIP", "PUBLISH c hi", "PING"]);
    assert_eq!(skipped, format!("{message}+PONG\r\n"));
}

#[test]
fn reset_turns_replies_on_and_a_skipped_one_is_still_skipped() {
    let mut rig = Rig::new();
    let one = rig.connect();
    assert_eq!(
        rig.say(one, &["CLIENT REPLY OFF", "RESET", "PING"]),
        "+RESET\r\n+PONG\r\n"
    );
    assert_eq!(
        rig.say(one, &["CLIENT REPLY SKIP", "RESET", "PING"]),
        "+PONG\r\n"
    );
}

#[test]
fn no_error_is_sent_while_replies_are_off() {
    let mut rig = Rig::new();
    let one = rig.connect();
    assert_eq!(rig.say(one, &["CLIENT REPLY OFF", "WAIT 1 10", "*x"]), "");
    rig.pass(10);
    assert_eq!(rig.heard(one), "");
    assert!(rig.is_closed(one));
}

#[test]
fn a_pause_of_all_holds_everything() {
    let mut rig = Rig::new();
    let (one, two) = (rig.connect(), rig.connect());
    rig.say(two, &["MULTI"]);
    rig.say(one, &["CLIENT PAUSE 100 ALL"]);
    assert_eq!(rig.say(two, &["PING"]), "");
    assert_eq!(rig.say(one, &["CLIENT UNPAUSE"]), "");
    rig.pass(99);
    assert_eq!(rig.heard(two), "");
    rig.pass(1);
    assert_eq!(
        (rig.heard(one), rig.heard(two)),
        ("+OK\r\n".into(), "+QUEUED\r\n".into())
    );
    assert_eq!(rig.engine.clients.blocked, 0);
}

#[test]
fn a_pause_of_writes_holds_the_queueing_and_the_running_of_writes() {
    let mut rig = Rig::new();
    let (one, two, three) = (rig.connect(), rig.connect(), rig.connect());
    rig.say(two, &["MULTI", "SET k 1"]);
    rig.say(three, &["MULTI"]);
    rig.say(one, &["CLIENT PAUSE 100 WRITE"]);
    assert_eq!(rig.say(two, &["GET k", "EXEC", "PING"]), "+QUEUED\r\n");
    assert_eq!(rig.say(three, &["GET k", "SET k 2", "EXEC"]), "+QUEUED\r\n");
    assert_eq!(rig.engine.clients.blocked, 2);
    let answer = rig.say(one, &["GET k", "CLIENT UNPAUSE", "GET k"]);
    assert_eq!(answer, "$-1\r\n+OK\r\n$-1\r\n");
    assert_eq!(rig.heard(two), "*2\r\n+OK\r\n$1\r\n1\r\n+PONG\r\n");
    assert_eq!(rig.heard(three), "+QUEUED\r\n*2\r\n$1\r\n1\r\n+OK\r\n");
}

#[test]
fn expired_keys_stay_while_a_pause_lasts() {
    let mut rig = Rig::new();
    let one = rig.connect();
    rig.say(one, &["SET k v PX 10", "CLIENT PAUSE 1000 WRITE"]);
    rig.pass(500);
    assert_eq!(rig.say(one, &["GET k", "EXISTS k"]), "$-1\r\n:0\r\n");
    assert_eq!(
        (
            rig.engine.keyspace.iter().next().unwrap().len(),
            rig.engine.keyspace.stats.expired
        ),
        (1, 0)
    );
    rig.pass(500);
    rig.pass(200);
    assert_eq!(
        (
            rig.engine.keyspace.iter().next().unwrap().len(),
            rig.engine.keyspace.stats.expired
        ),
        (0, 1)
    );
}

#[test]
fn who_is_unblocked_twice_is_let_go_once() {
    let mut rig = Rig::new();
    let (one, two) = (rig.connect(), rig.connect());
    rig.say(one, &["WAIT 1 100", "WAIT 1 0", "PING"]);
    rig.millis += 100;
    let answer = rig.say(two, &["CLIENT UNBLOCK 1 ERROR", "CLIENT UNBLOCK 1"]);
    assert_eq!(answer, ":1\r\n:0\r\n");
    assert_eq!(
        rig.heard(one),
        "-UNBLOCKED client unblocked via CLIENT UNBLOCK\r\n"
    );
    assert_eq!(rig.say(two, &["CLIENT UNBLOCK 1"]), ":1\r\n");
    assert_eq!(rig.heard(one), ":0\r\n+PONG\r\n");
    assert_eq!(rig.engine.clients.blocked, 0);
}

#[test]
fn who_is_killed_is_gone_at_once() {
    let mut rig = Rig::new();
    let (one, two) = (rig.connect(), rig.connect());
    rig.say(one, &["SUBSCRIBE c", "PSUBSCRIBE *"]);
    let lines = [
        "CLIENT KILL TYPE pubsub",
        "PUBLISH c hi",
        "CLIENT KILL ID 1",
        "CLIENT LIST ID 1",
    ];
    assert_eq!(rig.say(two, &lines), ":1\r\n:0\r\n:0\r\n$0\r\n\r\n");
    assert_eq!(rig.peers[one].closed, Some(Close::Now));
    assert_eq!(rig.engine.pubsub.subscribers, 0);
}

#[test]
fn the_killer_of_itself_gets_its_reply() {
    let mut rig = Rig::new();
    let one = rig.connect();
    let answer = rig.say(one, &["CLIENT KILL ID 1 SKIPME no", "SET k v"]);
    assert_eq!(
        (&answer[..], rig.peers[one].closed),
        (":1\r\n", Some(Close::Graceful))
    );
    let two = rig.connect();
    assert_eq!(rig.say(two, &["GET k"]), "$-1\r\n");
}

#[test]
fn the_waiting_can_be_killed() {
    let mut rig = Rig::new();
    let (one, two, three) = (rig.connect(), rig.connect(), rig.connect());
    rig.say(one, &["WAIT 1 100", "SET k 1"]);
    rig.say(three, &["CLIENT PAUSE 100 WRITE"]);
    rig.say(two, &["SET k 2"]);
    rig.millis += 100;
    assert_eq!(rig.say(three, &["CLIENT KILL TYPE normal"]), ":2\r\n");
    rig.pass(1000);
    assert_eq!(
        (rig.heard(one), rig.heard(two)),
        (String::new(), String::new())
    );
    assert_eq!(rig.say(three, &["EXISTS k"]), ":0\r\n");
    assert_eq!(rig.engine.clients.blocked, 0);
}

#[test]
fn nothing_is_sent_to_who_is_being_closed() {
    let mut rig = Rig::new();
    let (one, two) = (rig.connect(), rig.connect());
    rig.lingers = true;
    rig.say(one, &["SUBSCRIBE c"]);
    assert_eq!(rig.say(one, &["QUIT"]), "+OK\r\n");
    rig.say(two, &["PUBLISH c hi"]);
    assert_eq!(rig.heard(one), "");
}

#[test]
fn counts_of_subscribers_survive_disconnection() {
    let mut rig = Rig::new();
    let one = rig.connect();
    rig.say(one, &["SUBSCRIBE a b", "PSUBSCRIBE *", "SSUBSCRIBE s"]);
    assert_eq!(rig.engine.pubsub.subscribers, 1);
    let conn = rig.peers[one].id;
    rig.event(Event::Closed {
        conn,
        result: Ok(()),
    });
    assert_eq!(rig.engine.pubsub.subscribers, 0);
}

#[test]
fn who_has_finished_speaking_is_answered_and_closed() {
    let mut rig = Rig::new();
    let (one, two) = (rig.connect(), rig.connect());
    rig.send(one, &wire(&[b"SET", b"k", b"v"]));
    rig.send(two, b"GET k\r\nGET unfinished");
    rig.finish(two);
    assert_eq!(rig.heard(two), "$1\r\nv\r\n");
    assert_eq!(rig.peers[two].closed, Some(Close::Graceful));
    assert!(!rig.is_closed(one));
    assert_eq!(rig.engine.clients.len(), 1);
}

#[test]
fn nobody_waits_whose_peer_has_finished_speaking() {
    let mut rig = Rig::new();
    let all: Vec<usize> = (0..4).map(|_| rig.connect()).collect();
    let judge = rig.connect();
    rig.lingers = true;
    for (who, request) in all
        .iter()
        .zip(["BLPOP l 0", "WAIT 1 0", "SUBSCRIBE c", "MONITOR"])
    {
        rig.say(*who, &[request]);
        rig.finish(*who);
        assert!(rig.is_closed(*who), "{request}");
    }
    assert_eq!(
        rig.say(judge, &["PUBLISH c x", "RPUSH l x", "LLEN l"]),
        ":0\r\n:1\r\n:1\r\n"
    );
    assert_eq!(rig.engine.clients.blocked, 0);
    assert!(all.iter().all(|who| rig.heard(*who).is_empty()));
    for who in all {
        let conn = rig.peers[who].id;
        rig.event(Event::Closed {
            conn,
            result: Ok(()),
        });
    }
    assert_eq!(
        (rig.engine.clients.len(), rig.engine.clients.blocked),
        (1, 0)
    );
}

#[test]
fn a_pause_is_not_waited_for_by_who_has_finished_speaking() {
    let mut rig = Rig::new();
    let (one, two) = (rig.connect(), rig.connect());
    rig.say(one, &["CLIENT PAUSE 1000 ALL"]);
    rig.say(two, &["SET k v"]);
    rig.finish(two);
    assert!(rig.is_closed(two));
    rig.pass(2000);
    assert_eq!(rig.say(one, &["EXISTS k"]), ":0\r\n");
    assert_eq!(rig.engine.clients.blocked, 0);
}

#[test]
fn output_over_the_hard_limit_closes() {
    let limit: (&[u8], &[u8]) = (
        b"client-output-buffer-limit",
        b"normal 100000 0 0 pubsub 0 50000 2",
    );
    let mut rig = Rig::with(parts_with(&[limit]));
    let (one, two, three) = (rig.connect(), rig.connect(), rig.connect());
    rig.send(one, &wire(&[b"SET", b"k", &[b'x'; 20_000]]));
    assert_eq!(rig.say(one, &["GET k", "GET k"]).len(), 5 + 2 * 20_010);
    rig.say(
        two,
        &[
            "MULTI",
            "GET k",
            "GET k",
            "GET k",
            "GET k",
            "GET k",
            "SET done 1",
            "EXEC",
        ],
    );
    rig.turn();
    assert_eq!(rig.peers[two].closed, Some(Close::Now));
    assert_eq!(
        rig.say(one, &["GET done"]),
        "$1\r\n1\r\n",
        "the transaction was carried out"
    );
    rig.say(three, &["SUBSCRIBE c"]);
    rig.peers[three].stuck = Some(0);
    for _ in 0..3 {
        rig.send(one, &wire(&[b"PUBLISH", b"c", &[b'x'; 20_000]]));
    }
    rig.pass(1000);
    rig.pass(900);
    assert!(!rig.is_closed(three));
    rig.pass(1200);
    assert!(rig.is_closed(three));
    assert_eq!(rig.engine.observed.stats.output_limit_closes, 2);
}

#[test]
fn who_has_waited_long_is_not_idle() {
    let mut rig = Rig::with(parts_with(&[(b"timeout", b"10")]));
    let (one, two) = (rig.connect(), rig.connect());
    rig.say(one, &["WAIT 1 60000"]);
    for _ in 0..300 {
        rig.pass(200);
    }
    assert_eq!(rig.heard(one), ":0\r\n");
    assert!(rig.is_closed(two) && !rig.is_closed(one));
    for _ in 0..80 {
        rig.pass(200);
    }
    assert!(rig.is_closed(one));
}

#[test]
fn a_password_taken_away_lets_strangers_in() {
    let mut rig = Rig::with(parts_with(&[(b"requirepass", b"pw")]));
    let one = rig.connect();
    assert_eq!(
        rig.say(one, &["GET k"]),
        "-NOAUTH Authentication required.\r\n"
    );
    let locality = crate::config::Locality::Local;
    rig.engine
        .config
        .set(&[(b"requirepass", b"")], locality)
        .unwrap();
    assert_eq!(rig.say(one, &["GET k"]), "$-1\r\n");
}

#[test]
fn idle_databases_do_not_touch_for_others() {
    let mut rig = Rig::new();
    let one = rig.connect();
    rig.say(one, &["SELECT 1", "SET k v", "CLIENT NO-TOUCH ON"]);
    rig.pass(5000);
    rig.say(one, &["GET k", "CLIENT NO-TOUCH OFF", "SELECT 0"]);
    assert_eq!(
        rig.say(one, &["SELECT 1", "OBJECT IDLETIME k"]),
        "+OK\r\n:5\r\n"
    );
    let two = rig.connect();
    rig.say(two, &["SELECT 1", "GET k"]);
    assert_eq!(rig.say(two, &["OBJECT IDLETIME k"]), ":0\r\n");
}

#[test]
fn what_stirs_is_counted_once_a_tick_whatever_resets_the_statistics() {
    let mut rig = Rig::with(parts_with(&[(b"gather-connections", b"2")]));
    let all: Vec<usize> = (0..6).map(|_| rig.connect()).collect();
    for round in 0..50 {
        for who in &all {
            rig.send(*who, b"PING\r\nPING\r\n");
        }
        rig.pass(3);
        if round == 30 {
            rig.engine.observed.reset();
        }
        if round > 0 {
            let now = rig.now();
            assert_eq!(rig.engine.next_patience(now).gather, 3, "round {round}");
        }
    }
}

#[test]
fn a_command_over_many_expired_keys_announces_each_once() {
    let mut rig = Rig::with(parts_with(&[(b"notify-keyspace-events", b"Ex")]));
    let (one, two) = (rig.connect(), rig.connect());
    rig.say(two, &["PSUBSCRIBE *"]);
    let mut all: Vec<String> = vec!["EXISTS".to_owned()];
    for n in 0..20_000 {
        rig.send(one, format!("SET k{n} v PX 5\r\n").as_bytes());
        all.extend([format!("k{n}"), format!("k{n}")]);
    }
    rig.turn();
    rig.millis += 5;
    let words: Vec<&[u8]> = all.iter().map(String::as_bytes).collect();
    rig.heard(one);
    rig.send(one, &wire(&words));
    rig.turn();
    assert_eq!(rig.heard(one), ":0\r\n");
    assert_eq!(rig.heard(two).matches("pmessage").count(), 20_000);
    assert_eq!(rig.engine.keyspace.stats.expired, 20_000);
}

#[test]
fn a_wait_in_vain_is_counted_when_it_is_over() {
    let mut rig = Rig::new();
    let (one, two) = (rig.connect(), rig.connect());
    rig.say(two, &["CONFIG SET slowlog-log-slower-than 0"]);
    let counted = |rig: &mut Rig| {
        let stats = rig.say(two, &["INFO commandstats"]);
        let line = |name: &str| {
            let start = format!("cmdstat_{name}:");
            let line = stats.lines().find(|line| line.starts_with(&start));
            line.map(|line| line.replace("usec=0,usec_per_call=0.00,", "")[start.len()..].into())
        };
        (line("blpop"), line("wait"))
    };
    let calls = |calls, failed| {
        let line: String = format!("calls={calls},rejected_calls=0,failed_calls={failed}");
        Some(line)
    };
    rig.say(one, &["BLPOP q 0.1"]);
    assert_eq!(counted(&mut rig), (None, None));
    rig.pass(100);
    assert_eq!(rig.heard(one), "*-1\r\n");
    assert_eq!(counted(&mut rig), (calls(1, 0), None));
    rig.say(one, &["WAIT 1 100"]);
    assert_eq!(counted(&mut rig), (calls(1, 0), None));
    rig.pass(100);
    assert_eq!(counted(&mut rig), (calls(1, 0), calls(1, 0)));
    rig.say(one, &["BLPOP q 0"]);
    rig.say(two, &["CLIENT UNBLOCK 1 ERROR"]);
    assert_eq!(counted(&mut rig), (calls(2, 1), calls(1, 0)));
    rig.say(one, &["BLPOP q 0"]);
    rig.say(two, &["RPUSH q x"]);
    assert_eq!(counted(&mut rig), (calls(3, 1), calls(1, 0)));
    let logged = rig.say(two, &["SLOWLOG GET 100"]);
    assert_eq!(logged.matches("BLPOP").count(), 3);
    assert_eq!(logged.matches("WAIT").count(), 1);
}

#[test]
fn a_wait_under_way_ends_in_a_pause_and_one_held_back_begins_after_it() {
    for scope in ["ALL", "WRITE"] {
        let mut rig = Rig::new();
        let (one, two, three) = (rig.connect(), rig.connect(), rig.connect());
        rig.say(one, &["BLPOP q 0.05", "PING"]);
        rig.say(three, &[&format!("CLIENT PAUSE 100 {scope}")]);
        rig.say(two, &["BLPOP q 0.05"]);
        rig.pass(50);
        let ping = if scope == "ALL" { "" } else { "+PONG\r\n" };
        assert_eq!(rig.heard(one), format!("*-1\r\n{ping}"));
        rig.pass(50);
        assert_eq!(rig.heard(two), "");
        rig.pass(49);
        assert_eq!(rig.heard(two), "");
        rig.pass(1);
        assert_eq!(rig.heard(two), "*-1\r\n");
        assert_eq!(rig.engine.clients.blocked, 0);
    }
}

#[test]
fn what_a_transaction_pushes_serves_a_wait_though_it_pauses_too() {
    let mut rig = Rig::new();
    let (one, two) = (rig.connect(), rig.connect());
    rig.say(one, &["BLPOP q 0"]);
    rig.say(two, &["MULTI", "CLIENT PAUSE 100 ALL", "RPUSH q x", "EXEC"]);
    assert_eq!(rig.heard(one), "*2\r\n$1\r\nq\r\n$1\r\nx\r\n");
}

#[test]
fn draws_without_end_stop_where_the_output_is_limited() {
    let limit = b"normal 100000 0 0";
    let mut rig = Rig::with(parts_with(&[(b"client-output-buffer-limit", limit)]));
    let two = rig.connect();
    rig.say(two, &["SADD s a", "ZADD z 1 a", "HSET h a 1"]);
    for draw in ["SRANDMEMBER s", "ZRANDMEMBER z", "HRANDFIELD h"] {
        let one = rig.connect();
        rig.say(one, &[&format!("{draw} -4000000000000000000")]);
        rig.turn();
        assert_eq!((rig.heard(one).as_str(), rig.is_closed(one)), ("", true));
    }
    let one = rig.connect();
    rig.say(
        one,
        &["MULTI", "SRANDMEMBER s -4000000000000000000", "EXEC"],
    );
    rig.turn();
    assert!(rig.is_closed(one));
    let few = rig.say(two, &["SRANDMEMBER s -14000"]);
    assert_eq!(few.len(), 8 + 7 * 14_000);
}

#[test]
fn a_script_that_has_been_left_in_its_middle_counts_nobody_as_blocked() {
    let mut rig = Rig::with(parts_with(&[(b"busy-reply-threshold", b"1")]));
    let (one, two) = (rig.connect(), rig.connect());
    rig.say(two, &["BLPOP q 0"]);
    let script = b"for i = 1, 3000000 do end return redis.call('INFO', 'clients')";
    let chunks: [&[&[u8]]; 4] = [
        &[b"MULTI"],
        &[b"EVAL", script, b"0"],
        &[b"GET", b"k"],
        &[b"EXEC"],
    ];
    for words in chunks {
        rig.send(one, &wire(words));
    }
    rig.turn();
    assert!(rig.engine.is_busy() && !rig.engine.effects.any);
    while rig.engine.is_busy() {
        rig.turn();
    }
    let answer = rig.heard(one);
    assert!(answer.contains("\r\nblocked_clients:1\r\n"), "{answer}");
    assert!(answer.ends_with("$-1\r\n"), "{answer}");
}

#[test]
fn slow_scripts_of_one_transaction_leave_nobody_waiting() {
    let mut rig = Rig::with(parts_with(&[(b"busy-reply-threshold", b"1")]));
    let one = rig.connect();
    let script = b"for i = 1, 3000000 do end return 1";
    let chunks: [&[&[u8]]; 8] = [
        &[b"MULTI"],
        &[b"EVAL", script, b"0"],
        &[b"EVAL", script, b"0"],
        &[b"CLIENT", b"UNBLOCK", b"1", b"ERROR"],
        &[b"INFO", b"clients"],
        &[b"EVAL", script, b"0"],
        &[b"EXEC"],
        &[b"BLPOP", b"q", b"0"],
    ];
    for words in chunks {
        rig.send(one, &wire(words));
    }
    rig.turn();
    assert!(rig.engine.is_busy());
    while rig.engine.is_busy() {
        rig.turn();
    }
    let answer = rig.heard(one);
    assert!(answer.contains(":1\r\n:1\r\n:0\r\n$"), "{answer}");
    assert!(answer.contains("\r\nblocked_clients:0\r\n"), "{answer}");
    assert!(answer.ends_with("\r\n:1\r\n"), "{answer}");
    assert_eq!(rig.engine.clients.blocked, 1);
}
