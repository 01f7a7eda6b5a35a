//! What commands record, and that it makes the same dataset again.

use super::Rig;

/// The records of the feed, a line each, and the feed emptied.
pub(super) fn recorded(rig: &mut Rig) -> Vec<String> {
    let feed = rig.engine.feed();
    let text = String::from_utf8(feed.whole().to_vec()).unwrap();
    feed.clear();
    let mut words = text.split("\r\n");
    let mut records = Vec::new();
    while let Some(count) = words.next().and_then(|head| head.strip_prefix('*')) {
        let count: usize = count.parse().unwrap();
        let record: Vec<&str> = (0..count)
            .map(|_| (words.next(), words.next().unwrap()).1)
            .collect();
        records.push(record.join(" "));
    }
    records
}

fn recording() -> (Rig, usize) {
    let mut rig = Rig::new();
    rig.engine.record(true);
    let conn = rig.connect();
    (rig, conn)
}

/// Each request with what it records, `SELECT 0` left out.
#[track_caller]
fn check(cases: &[(&str, &[&str])]) {
    let (mut rig, conn) = recording();
    rig.say(conn, &["SET first 1"]);
    recorded(&mut rig);
    for (request, want) in cases {
        rig.say(conn, &[request]);
        assert_eq!(recorded(&mut rig), *want, "{request}");
    }
}

#[test]
fn what_changes_nothing_is_not_recorded() {
    check(&[
        ("GET k", &[]),
        ("SET k v", &["SET k v"]),
        ("SET k w NX", &[]),
        ("SETNX k w", &[]),
        ("DEL missing", &[]),
        ("SADD s a b", &["SADD s a b"]),
        ("SADD s a b", &[]),
        ("EXPIRE missing 10", &[]),
        ("GETDEL missing", &[]),
        ("LPOP missing", &[]),
        ("SPOP missing", &[]),
        ("INCR s", &[]),
        ("PUBLISH c m", &[]),
        ("PERSIST k", &[]),
        ("DEL k s", &["DEL k s"]),
    ]);
}

#[test]
fn conditions_times_and_chance_are_settled_in_the_record() {
    let (mut rig, conn) = recording();
    let at = |rig: &Rig, millis: u64| rig.now().unix_ms() + millis;
    for (request, want) in [
        ("SET a 1 EX 10", "SELECT 0|SET a 1 PXAT {10000}"),
        ("SETEX a 10 1", "SET a 1 PXAT {10000}"),
        ("PSETEX a 10 1", "SET a 1 PXAT {10}"),
        ("SET a 2 XX GET KEEPTTL", "SET a 2 KEEPTTL"),
        ("SET b 2 NX", "SET b 2"),
        ("GETSET a 3", "SET a 3"),
        ("INCRBYFLOAT a 0.5", "SET a 3.5 KEEPTTL"),
        ("HINCRBYFLOAT h f 0.5", "HSET h f 0.5"),
        ("EXPIRE a 5", "PEXPIREAT a {5000}"),
        ("PEXPIRE a 5 GT", ""),
        ("GETEX a PX 7", "PEXPIREAT a {7}"),
        ("GETEX a PERSIST", "PERSIST a"),
        ("EXPIRE a -1", "DEL a"),
        ("GETDEL b", "DEL b"),
        (
            "MSETEX 2 x 1 y 2 PX 9",
            "MULTI|SET x 1 PXAT {9}|SET y 2 PXAT {9}|EXEC",
        ),
        ("DELIFEQ x 1", "DEL x"),
        ("SADD s m", "SADD s m"),
        ("SPOP s", "DEL s"),
        ("RPUSH l a b c d e", "RPUSH l a b c d e"),
        ("LMPOP 2 missing l LEFT COUNT 2", "lpop l 2"),
        ("BRPOP missing l 0", "rpop l"),
        ("BLMOVE l m LEFT RIGHT 0", "LMOVE l m LEFT RIGHT"),
        ("BRPOPLPUSH l m 0", "RPOPLPUSH l m"),
        ("ZADD z 1 a 2 b 3 c", "ZADD z 1 a 2 b 3 c"),
        ("BZPOPMIN z 0", "zpopmin z"),
        ("BZMPOP 0 1 z MAX COUNT 9", "zpopmax z 2"),
    ] {
        let mut want = want.to_owned();
        while let (Some(open), Some(close)) = (want.find('{'), want.find('}')) {
            let millis = want[open + 1..close].parse().unwrap();
            want.replace_range(open..=close, &at(&rig, millis).to_string());
        }
        rig.say(conn, &[request]);
        assert_eq!(recorded(&mut rig).join("|"), want, "{request}");
    }
}

#[test]
fn a_payload_is_recorded_with_the_instant_at_which_it_ends() {
    let (mut rig, conn) = recording();
    let payload = b"\x00\x03bar\x0a\x00\xe6\xbe\x49\x60\xee\x66\xfd\x17";
    let words: [&[u8]; 5] = [b"RESTORE", b"k", b"500", payload, b"REPLACE"];
    rig.send(conn, &super::wire(&words));
    rig.turn();
    let feed = rig.engine.feed().whole().to_vec();
    let at = (rig.now().unix_ms() + 500).to_string();
    let want: [&[u8]; 6] = [
        b"RESTORE",
        b"k",
        at.as_bytes(),
        payload,
        b"ABSTTL",
        b"REPLACE",
    ];
    let select: [&[u8]; 2] = [b"SELECT", b"0"];
    assert_eq!(feed, [super::wire(&select), super::wire(&want)].concat());
    assert_eq!(rig.say(conn, &["GET k"]), "+OK\r\n$3\r\nbar\r\n");
}

#[test]
fn what_a_request_changes_is_one_unit() {
    let (mut rig, conn) = recording();
    rig.say(
        conn,
        &["MULTI", "SET a 1", "GET a", "SELECT 3", "SET b 2", "EXEC"],
    );
    let want = [
        "MULTI", "SELECT 0", "SET a 1", "SELECT 3", "SET b 2", "EXEC",
    ];
    assert_eq!(recorded(&mut rig), want);
    rig.say(conn, &["MULTI", "SET b 3", "EXEC"]);
    assert_eq!(recorded(&mut rig), ["SET b 3"]);
    rig.say(conn, &["MULTI", "GET b", "EXEC"]);
    assert_eq!(recorded(&mut rig), [""; 0]);
    let words: [&[u8]; 3] = [
        b"EVAL",
        b"redis.call('set','x',1) return redis.call('incr','x')",
        b"0",
    ];
    rig.send(conn, &super::wire(&words));
    rig.turn();
    assert_eq!(recorded(&mut rig), ["MULTI", "set x 1", "incr x", "EXEC"]);
}

#[test]
fn what_expires_on_the_way_is_removed_before() {
    let (mut rig, conn) = recording();
    rig.say(
        conn,
        &[
            "SADD s a",
            "SADD t b",
            "PEXPIRE s 10",
            "SET k v PX 10",
            "SET l v PX 10",
        ],
    );
    recorded(&mut rig);
    rig.engine.keyspace.active_expire = false;
    rig.pass(10);
    rig.say(conn, &["SUNIONSTORE u s t"]);
    assert_eq!(
        recorded(&mut rig),
        ["MULTI", "DEL s", "SUNIONSTORE u s t", "EXEC"]
    );
    rig.say(conn, &["GET k"]);
    assert_eq!(recorded(&mut rig), ["DEL k"]);
    rig.say(conn, &["SET l w"]);
    assert_eq!(recorded(&mut rig), ["MULTI", "DEL l", "SET l w", "EXEC"]);
    rig.say(conn, &["SET m v PX 10"]);
    recorded(&mut rig);
    rig.engine.keyspace.active_expire = true;
    rig.pass(1000);
    assert_eq!(recorded(&mut rig), ["DEL m"]);
}

#[test]
fn who_waits_records_what_it_was_served_with_behind_what_served_it() {
    let (mut rig, one) = recording();
    let two = rig.connect();
    rig.say(one, &["BLMOVE src dst LEFT RIGHT 0"]);
    assert_eq!(recorded(&mut rig), [""; 0]);
    rig.say(two, &["RPUSH src x"]);
    let want = ["SELECT 0", "RPUSH src x", "LMOVE src dst LEFT RIGHT"];
    assert_eq!(recorded(&mut rig), want);
}

#[test]
fn a_slow_script_is_handed_over_when_it_is_over() {
    let mut rig = Rig::with(super::parts_with(&[(b"busy-reply-threshold", b"1")]));
    rig.engine.record(true);
    let one = rig.connect();
    let script = b"redis.call('set','a',1) for i = 1, 3000000 do end redis.call('set','b',2)";
    let words: [&[u8]; 3] = [b"EVAL", script, b"0"];
    rig.send(one, &super::wire(&words));
    rig.turn();
    assert!(rig.engine.is_busy());
    assert_eq!(recorded(&mut rig), [""; 0]);
    while rig.engine.is_busy() {
        rig.turn();
    }
    let want = ["MULTI", "SELECT 0", "set a 1", "set b 2", "EXEC"];
    assert_eq!(recorded(&mut rig), want);
}
