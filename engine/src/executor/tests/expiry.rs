//! Keys that expire though nobody asks for them, under both cycles.

use super::{Rig, parts_with};
use crate::base::Micros;
use std::cell::Cell;

/// A stopwatch that has gone on by a millisecond whenever it is read.
fn ticking() -> u64 {
    thread_local!(static READS: Cell<u64> = const { Cell::new(0) });
    READS.with(|reads| {
        reads.set(reads.get() + 1);
        reads.get() * 1_000_000
    })
}

impl Rig {
    /// Keys in all databases, expired ones included.
    fn keys(&self) -> usize {
        self.engine
            .keyspace
            .iter()
            .map(crate::keyspace::Db::len)
            .sum()
    }

    /// `count` keys, named after `prefix`, with these options.
    fn fill(&mut self, conn: usize, prefix: &str, count: u32, options: &str) {
        for n in 0..count {
            assert_eq!(
                self.say(conn, &[&format!("SET {prefix}{n} v {options}")]),
                "+OK\r\n"
            );
        }
    }

    fn is_pressed(&mut self) -> bool {
        self.engine.next_patience(self.now()).sleep == Some(Micros(0))
    }

    /// Turns until there is nothing to do at once; returns how many, and the most keys that went in
    /// one of them.
    fn rest(&mut self) -> (usize, usize) {
        let (mut turns, mut most) = (0, 0);
        while self.is_pressed() {
            let before = self.keys();
            self.turn();
            most = most.max(before - self.keys());
            turns += 1;
            assert!(turns < 100_000, "it comes to rest");
        }
        (turns, most)
    }
}

#[test]
fn a_crowd_that_is_due_goes_in_slices_and_leaves_nothing() {
    let mut rig = Rig::new();
    let conn = rig.connect();
    rig.fill(conn, "k", 8_000, "PXAT 2000000");
    rig.fill(conn, "later", 100, "PXAT 2000001");
    rig.fill(conn, "never", 10, "");
    rig.pass(1_000_000);
    assert!(rig.keys() > 7_000, "one slice at a time");
    assert!(
        rig.is_pressed(),
        "the rest does not wait for the next cycle"
    );
    let (turns, most) = rig.rest();
    assert_eq!(rig.keys(), 110, "what is due and nothing else");
    assert!(
        turns > 20 && most < 1000,
        "{turns} turns of {most} keys at most"
    );
    assert_eq!(rig.engine.keyspace.stats.expired, 8_000);
    rig.pass(1);
    rig.rest();
    assert_eq!(rig.keys(), 10);
}

#[test]
fn no_database_starves_another() {
    let mut rig = Rig::new();
    let conn = rig.connect();
    for db in 0..3 {
        rig.say(conn, &[&format!("SELECT {db}")]);
        rig.fill(conn, "k", 4000, "PX 10");
    }
    rig.pass(10);
    for _ in 0..30 {
        rig.turn();
    }
    let left: Vec<usize> = rig.engine.keyspace.iter().map(|db| db.len()).collect();
    assert!(left[..3].iter().all(|&left| left < 4000), "{left:?}");
    rig.rest();
    assert_eq!(rig.keys(), 0);
}

#[test]
fn a_clock_that_jumps_takes_nothing_before_its_time() {
    let mut rig = Rig::new();
    let conn = rig.connect();
    rig.fill(conn, "k", 500, "PXAT 90000000");
    rig.fill(conn, "l", 500, "PXAT 90000");
    rig.pass(50_000_000);
    rig.rest();
    assert_eq!(rig.keys(), 500);
    // Back by hours; what falls due meanwhile is found at its new time.
    rig.behind_millis = 50_000_000;
    rig.fill(conn, "m", 500, "PX 5000");
    rig.pass(4999);
    rig.rest();
    assert_eq!(rig.keys(), 1000);
    rig.pass(1);
    rig.rest();
    assert_eq!(rig.keys(), 500);
    rig.pass(90_000_000);
    rig.rest();
    assert_eq!(rig.keys(), 0);
}

#[test]
fn sampling_stops_when_few_of_those_drawn_are_due() {
    let mut rig = Rig::new();
    let conn = rig.connect();
    rig.say(conn, &["CONFIG SET expiry-cycle sampled"]);
    rig.fill(conn, "k", 2000, "PX 10");
    rig.fill(conn, "later", 100, "PX 1000000");
    rig.pass(10);
    rig.pass(100);
    let left = rig.keys();
    assert!((100..200).contains(&left), "{left} of 2100 are left");
    assert!(!rig.is_pressed(), "it waits for its next cycle");
    let info = rig.say(conn, &["INFO stats"]);
    let share = info.split("expired_stale_perc:").nth(1).unwrap();
    assert!(!share.starts_with("0.00"), "what was drawn was due");
    for _ in 0..400 {
        rig.pass(100);
    }
    assert!(rig.keys() < 105, "the rest becomes less");
}

#[test]
fn sampling_that_is_switched_on_finds_the_keys_that_are_there() {
    for effort in [1, 10] {
        let mut rig = Rig::new();
        let conn = rig.connect();
        rig.say(
            conn,
            &[&format!("CONFIG SET active-expire-effort {effort}")],
        );
        rig.engine.keyspace.active_expire = false;
        rig.fill(conn, "k", 5000, "PX 10");
        rig.fill(conn, "later", 5000, "PX 1000000");
        rig.pass(50);
        rig.engine.keyspace.active_expire = true;
        rig.say(conn, &["CONFIG SET expiry-cycle sampled"]);
        for _ in 0..20 {
            rig.pass(100);
        }
        let due = rig.keys() - 5000;
        assert!(due < 4000, "{due} are left at effort {effort}");
    }
}

#[test]
fn what_the_cycle_takes_is_told() {
    for cycle in ["ordered", "sampled"] {
        let mut parts = parts_with(&[(b"expiry-cycle", cycle.as_bytes())]);
        parts.stopwatch = ticking;
        let mut rig = Rig::with(parts);
        let conn = rig.connect();
        let told = |rig: &mut Rig| -> u64 {
            let info = rig.say(conn, &["INFO stats"]);
            let value = info.split("expire_cycle_cpu_milliseconds:").nth(1).unwrap();
            value.lines().next().unwrap().parse().unwrap()
        };
        rig.fill(conn, "k", 100, "PX 10");
        let before = told(&mut rig);
        rig.pass(100);
        assert!(told(&mut rig) > before, "{cycle}");
        rig.rest();
        rig.say(conn, &["CONFIG RESETSTAT"]);
        assert_eq!(told(&mut rig), 0, "{cycle}");
    }
}

#[test]
fn the_backlog_is_told() {
    let mut rig = Rig::new();
    let conn = rig.connect();
    rig.engine.keyspace.active_expire = false;
    rig.fill(conn, "k", 3000, "PX 10");
    rig.pass(250);
    let info = rig.say(conn, &["INFO stats"]);
    assert!(info.contains("expire_backlog:3000\r\n"), "{info}");
    assert!(info.contains("expired_stale_perc:100.00\r\n"), "{info}");
    rig.engine.keyspace.active_expire = true;
    rig.pass(100);
    rig.rest();
    let info = rig.say(conn, &["INFO stats"]);
    assert!(info.contains("expire_backlog:0\r\n") && info.contains("expired_keys:3000\r\n"));
    assert!(info.contains("expire_oldest_overdue_ms:0\r\n"));
}

#[test]
fn jitter_lengthens_times_to_live_and_no_deadlines() {
    let mut rig = Rig::new();
    let conn = rig.connect();
    rig.say(conn, &["CONFIG SET expire-jitter 50"]);
    let mut seen = std::collections::BTreeSet::new();
    for (n, command) in ["SET k v PX 1000", "PSETEX k 1000 v", "SETEX k 1 v"]
        .into_iter()
        .cycle()
        .take(150)
        .enumerate()
    {
        rig.say(conn, &[command]);
        if n % 2 == 0 {
            rig.say(
                conn,
                &[
                    "PERSIST k",
                    ["PEXPIRE k 1000", "GETEX k PX 1000"][n % 4 / 2],
                ],
            );
        }
        let ttl = rig.say(conn, &["PTTL k"]);
        let ttl: u64 = ttl.trim_start_matches(':').trim().parse().unwrap();
        assert!((1000..=1500).contains(&ttl), "{ttl} ms");
        seen.insert(ttl);
    }
    assert!(seen.len() > 50, "{} of 150 differ", seen.len());
    for command in [
        "PEXPIREAT k 9000000",
        "SET k v PXAT 9000000",
        "GETEX k EXAT 9000",
    ] {
        rig.say(conn, &[command]);
        assert_eq!(rig.say(conn, &["PEXPIRETIME k"]), ":9000000\r\n");
    }
}

#[test]
fn nothing_expires_by_itself_while_it_is_switched_off() {
    let mut rig = Rig::new();
    let conn = rig.connect();
    rig.engine.keyspace.active_expire = false;
    rig.fill(conn, "k", 50, "PX 10");
    rig.pass(500);
    assert_eq!((rig.keys(), rig.is_pressed()), (50, false));
    rig.engine.keyspace.active_expire = true;
    rig.pass(100);
    assert_eq!(rig.keys(), 0);
}
