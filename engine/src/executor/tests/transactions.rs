//! MULTI, EXEC, WATCH and what happens in between.

use super::Rig;

const FAILED: &str = "+OK\r\n+QUEUED\r\n*-1\r\n";
const DONE: &str = "+OK\r\n+QUEUED\r\n*1\r\n+PONG\r\n";

fn attempt(rig: &mut Rig, who: usize) -> String {
    rig.say(who, &["MULTI", "PING", "EXEC"])
}

#[test]
fn a_watched_key_that_expires_fails_the_transaction() {
    let mut rig = Rig::new();
    let (one, two) = (rig.connect(), rig.connect());
    for finder in ["PING", "GET k", "DEL k"] {
        rig.say(one, &["SET k v PX 10", "WATCH k"]);
        rig.millis += 10;
        rig.say(two, &[finder]);
        assert_eq!(attempt(&mut rig, one), FAILED, "{finder}");
    }
    rig.say(one, &["SET k v PX 10", "WATCH k"]);
    rig.pass(500);
    assert_eq!(attempt(&mut rig, one), FAILED, "found by the cycle");
}

#[test]
fn a_key_that_had_expired_when_it_was_watched_is_as_good_as_absent() {
    let mut rig = Rig::new();
    let (one, two) = (rig.connect(), rig.connect());
    for change in [
        "PING",
        "EXISTS k",
        "DEL k",
        "FLUSHDB",
        "FLUSHALL",
        "SWAPDB 0 1",
    ] {
        rig.say(two, &["SET k v PX 10"]);
        rig.millis += 10;
        rig.say(one, &["WATCH k"]);
        rig.say(two, &[change]);
        assert_eq!(attempt(&mut rig, one), DONE, "{change}");
    }
    rig.say(two, &["SET k v PX 10"]);
    rig.millis += 10;
    rig.say(one, &["WATCH k"]);
    rig.say(two, &["SET k w"]);
    assert_eq!(attempt(&mut rig, one), FAILED);
}

#[test]
fn an_expired_key_swapped_in_is_no_change() {
    let mut rig = Rig::new();
    let (one, two) = (rig.connect(), rig.connect());
    if rig.say(two, &["SWAPDB 0 1"]) != "+OK\r\n" {
        return;
    }
    rig.say(two, &["SELECT 1", "SET k v PX 10"]);
    rig.millis += 10;
    rig.say(one, &["WATCH k"]);
    rig.say(two, &["SWAPDB 0 1"]);
    assert_eq!(attempt(&mut rig, one), DONE);
    rig.say(two, &["SET k v"]);
    rig.say(one, &["WATCH k"]);
    rig.say(two, &["SELECT 5", "SWAPDB 0 1"]);
    assert_eq!(attempt(&mut rig, one), FAILED);
}

#[test]
fn changes_from_another_database_reach_the_watcher() {
    let mut rig = Rig::new();
    let (one, two) = (rig.connect(), rig.connect());
    rig.say(one, &["SELECT 1"]);
    for change in ["COPY k k DB 1", "MOVE k 1", "FLUSHALL"] {
        rig.say(one, &["DEL k"]);
        if change == "FLUSHALL" {
            rig.say(one, &["SET k v"]);
        }
        rig.say(two, &["SET k v"]);
        rig.say(one, &["WATCH k"]);
        if rig.say(two, &[change]).starts_with("-ERR unknown") {
            rig.say(one, &["UNWATCH"]);
            continue;
        }
        assert_eq!(attempt(&mut rig, one), FAILED, "{change}");
    }
}

#[test]
fn watching_twice_or_no_more_leaves_nothing_behind() {
    let mut rig = Rig::new();
    let (one, two) = (rig.connect(), rig.connect());
    rig.say(one, &["WATCH k k j", "WATCH k"]);
    let watched = |rig: &Rig| rig.engine.keyspace.iter().next().unwrap().watched_keys();
    assert_eq!(watched(&rig), 2);
    for end in [
        "UNWATCH",
        "RESET",
        "MULTI\r\nDISCARD",
        "MULTI\r\nEXEC",
        "MULTI\r\nEXEC x",
    ] {
        rig.say(one, &["WATCH k"]);
        rig.say(two, &["SET k v"]);
        rig.say(one, &[end]);
        assert_eq!(watched(&rig), 0, "{end}");
        assert_eq!(attempt(&mut rig, one), DONE, "{end}");
    }
}

#[test]
fn an_exec_that_is_refused_ends_the_transaction() {
    let mut rig = Rig::new();
    let one = rig.connect();
    let answer = rig.say(one, &["MULTI", "SET k v", "EXEC x", "EXEC", "GET k"]);
    let refused = "-EXECABORT Transaction discarded because of: wrong number of arguments for \
        'exec' command\r\n";
    let expected = format!("+OK\r\n+QUEUED\r\n{refused}-ERR EXEC without MULTI\r\n$-1\r\n");
    assert_eq!(answer, expected);
}

#[test]
fn monitors_see_a_transaction_in_its_order_and_no_password() {
    let mut rig = Rig::new();
    let (one, two) = (rig.connect(), rig.connect());
    if rig.say(one, &["MONITOR"]) != "+OK\r\n" {
        return;
    }
    rig.say(
        two,
        &[
            "MULTI",
            "SET k v",
            "PING",
            "EXEC",
            "SELECT 3",
            "AUTH u secret",
            "nosuch",
            "GET",
        ],
    );
    let heard = rig.heard(one);
    let commands: Vec<&str> = heard
        .lines()
        .map(|line| line.split_once("] ").unwrap().1)
        .collect();
    let expected = [
        r#""MULTI""#,
        r#""SET" "k" "v""#,
        r#""PING""#,
        r#""EXEC""#,
        r#""SELECT" "3""#,
        r#""AUTH" "(redacted)" "(redacted)""#,
    ];
    assert_eq!(commands, expected);
    assert!(heard.contains("[3 127.0.0.1:1001] \"SELECT\""), "{heard}");
    let own = rig.say(one, &["PING", "GET k"]);
    let refused = "\"PING\"\r\n-ERR Replica can't interact with the keyspace\r\n";
    assert!(
        own.starts_with("+PONG\r\n+") && own.ends_with(refused),
        "{own}"
    );
}
