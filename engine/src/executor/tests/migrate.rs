//! MIGRATE, with the other server played by the test; and the connections it is made over.

use super::feed::recorded;
use super::*;
use crate::executor::embed::{Embedded, NullHost};
use crate::seam::host::{Host, LogLevel, Notice, ProcessFacts, Refusal};
use crate::seam::poller::Fault;

/// A process that knows where other servers are.
struct Located(NullHost);

impl Host for Located {
    fn locate(&mut self, _name: &str, port: u16) -> Result<Endpoint, Refusal> {
        Ok(Endpoint::Ip(([127, 0, 0, 1], port).into()))
    }

    fn log(&mut self, level: LogLevel, line: &str) {
        self.0.log(level, line);
    }

    fn notices(&mut self) -> Vec<Notice> {
        self.0.notices()
    }

    fn facts(&mut self) -> ProcessFacts {
        self.0.facts()
    }

    fn choose_poller(&mut self, name: &str) -> Result<&'static str, Refusal> {
        self.0.choose_poller(name)
    }

    fn relisten(&mut self, config: &crate::config::Config) -> Result<Vec<ListenerId>, Refusal> {
        self.0.relisten(config)
    }

    fn reconfigure(&mut self, config: &mut crate::config::Config) -> Result<(), Refusal> {
        self.0.reconfigure(config)
    }

    fn rewrite_config(&mut self, edit: &mut dyn FnMut(&[u8]) -> Vec<u8>) -> Result<(), Refusal> {
        self.0.rewrite_config(edit)
    }

    fn sleep(&mut self, micros: u64) {
        self.0.sleep(micros);
    }

    fn purge_memory(&mut self) {
        self.0.purge_memory();
    }

    fn allocator_report(&mut self) -> String {
        self.0.allocator_report()
    }

    fn crash(&mut self, how: &str) {
        self.0.crash(how);
    }
}

/// What clients get who are let in while keys are on their way: nothing.
const WAITS: &str = "";
const LOST_READING: &str = "-IOERR error or timeout reading to target instance\r\n";
const LOST_WRITING: &str = "-IOERR error or timeout writing to target instance\r\n";
const LOST_CONNECTING: &str = "-IOERR error or timeout connecting to the client\r\n";

/// A rig with two clients and some keys.
fn rig_with(pairs: &[(&[u8], &[u8])]) -> (Rig, usize, usize) {
    let mut parts = parts_with(pairs);
    parts.host = Box::new(Located(NullHost));
    let mut rig = Rig::with(parts);
    let (one, two) = (rig.connect(), rig.connect());
    rig.say(
        one,
        &["MSET a 1 b 2 c 3", "CONFIG SET notify-keyspace-events KEA"],
    );
    (rig, one, two)
}

fn rig() -> (Rig, usize, usize) {
    rig_with(&[])
}

/// Runs MIGRATE and has the other server accept the connection; returns it.
fn begin(rig: &mut Rig, who: usize, request: &str) -> usize {
    assert_eq!(rig.say(who, &[request]), WAITS, "{request}");
    let other = rig.dialled();
    rig.connected(other, Ok(()));
    rig.turn();
    other
}

impl Rig {
    /// The connection that the engine has asked for last.
    fn dialled(&self) -> usize {
        assert!(self.out.actions.is_empty());
        self.peers.len() - 1
    }

    fn connected(&mut self, other: usize, result: Result<(), Fault>) {
        let conn = self.peers[other].id;
        self.event(Event::Connected { conn, result });
    }

    fn closed(&mut self, who: usize) {
        let conn = self.peers[who].id;
        let result = Ok(());
        self.event(Event::Closed { conn, result });
        self.turn();
    }

    /// The other server answers; what the client gets.
    fn answer(&mut self, other: usize, answers: &str, who: usize) -> String {
        self.send(other, answers.as_bytes());
        self.turn();
        self.heard(who)
    }
}

#[test]
fn what_arrives_is_removed_and_what_is_refused_stays() {
    let (mut rig, one, two) = rig();
    let other = begin(&mut rig, one, "MIGRATE h 1 '' 0 100 KEYS a nosuch b c");
    let sent = rig.heard(other);
    assert!(
        sent.starts_with("*2\r\n$6\r\nSELECT\r\n$1\r\n0\r\n*4\r\n$7\r\nRESTORE\r\n$1\r\na\r\n")
    );
    assert_eq!(sent.matches("RESTORE").count(), 3);
    assert_eq!(
        rig.answer(other, "+OK\r\n+OK\r\n-BUSYKEY no\r\n", one),
        WAITS
    );
    assert_eq!(rig.say(two, &["DBSIZE"]), ":3\r\n", "until all is answered");
    let error = "-ERR Target instance replied with error: BUSYKEY no\r\n";
    assert_eq!(rig.answer(other, "+OK\r\n", one), error);
    assert!(rig.is_closed(other));
    assert_eq!(rig.say(two, &["KEYS *"]), "*1\r\n$1\r\nb\r\n");
}

#[test]
fn options_reach_the_other_server() {
    let (mut rig, one, _) = rig();
    rig.say(one, &["PEXPIRE a 5000"]);
    let other = begin(&mut rig, one, "MIGRATE h 1 a 7 0 COPY REPLACE AUTH2 u p");
    let greeting = "*3\r\n$4\r\nAUTH\r\n$1\r\nu\r\n$1\r\np\r\n*2\r\n$6\r\nSELECT\r\n$1\r\n7\r\n";
    assert_eq!(rig.heard(other), greeting, "the key waits for the answer");
    rig.pass(10);
    rig.answer(other, "+OK\r\n+OK\r\n", one);
    let sent = rig.heard(other);
    assert!(
        sent.starts_with("*5\r\n$7\r\nRESTORE\r\n$1\r\na\r\n$4\r\n4990\r\n"),
        "{sent}"
    );
    assert!(sent.ends_with("\r\n$7\r\nREPLACE\r\n"), "{sent}");
    assert_eq!(rig.answer(other, "+OK\r\n", one), "+OK\r\n");
    assert_eq!(rig.say(one, &["DBSIZE"]), ":3\r\n", "COPY removes nothing");
}

#[test]
fn no_key_leaves_for_a_place_that_is_refused() {
    let (mut rig, one, _) = rig();
    let other = begin(&mut rig, one, "MIGRATE h 1 a 7 100 AUTH p");
    rig.heard(other);
    let error = "-ERR Target instance replied with error: WRONGPASS x\r\n";
    assert_eq!(rig.answer(other, "-WRONGPASS x\r\n-ERR y\r\n", one), error);
    assert_eq!(rig.heard(other), "");
    // What was sent before the answer came, and was taken, stays here too.
    let other = begin(&mut rig, one, "MIGRATE h 1 a 0 100");
    let error = "-ERR Target instance replied with error: NOPERM x\r\n";
    assert_eq!(rig.answer(other, "-NOPERM x\r\n+OK\r\n", one), error);
    assert_eq!(rig.say(one, &["DBSIZE"]), ":3\r\n");
}

#[test]
fn whatever_may_write_waits_and_reads_go_on() {
    let (mut rig, one, two) = rig();
    let three = rig.connect();
    assert_eq!(rig.say(three, &["MULTI", "SET b x"]), "+OK\r\n+QUEUED\r\n");
    rig.say(one, &["PEXPIRE a 50"]);
    let other = begin(&mut rig, one, "MIGRATE h 1 a 0 1000");
    assert_eq!(rig.say(two, &["GET a"]), "$1\r\n1\r\n");
    assert_eq!(rig.say(two, &["SET a x", "GET a"]), WAITS);
    assert_eq!(rig.say(three, &["EXEC"]), WAITS);
    assert_eq!(
        rig.say(one, &["PING"]),
        WAITS,
        "who migrates waits for its reply"
    );
    rig.pass(100);
    assert_eq!(
        rig.engine.keyspace.db(crate::base::DbIndex(0)).len(),
        3,
        "what expires is kept"
    );
    assert_eq!(rig.answer(other, "+OK\r\n+OK\r\n", one), "+OK\r\n+PONG\r\n");
    assert_eq!(rig.heard(two), "+OK\r\n$1\r\nx\r\n");
    assert_eq!(rig.heard(three), "*1\r\n+OK\r\n");
    assert_eq!(rig.engine.clients.blocked, 0);
}

#[test]
fn a_pause_goes_on_behind_a_migration() {
    let (mut rig, one, two) = rig();
    let other = begin(&mut rig, one, "MIGRATE h 1 a 0 100");
    assert_eq!(rig.say(two, &["CLIENT PAUSE 500 WRITE"]), "+OK\r\n");
    assert_eq!(rig.say(two, &["SET b x"]), WAITS);
    assert_eq!(rig.answer(other, "+OK\r\n+OK\r\n", one), "+OK\r\n");
    assert_eq!(rig.heard(two), WAITS, "the pause lasts");
    rig.pass(501);
    assert_eq!(rig.heard(two), "+OK\r\n");
    // And the other way round.
    let other = begin(&mut rig, one, "MIGRATE h 1 b 0 1000");
    rig.say(two, &["CLIENT PAUSE 100 ALL"]);
    assert_eq!(rig.say(two, &["PING", "SET c x"]), WAITS);
    rig.pass(101);
    assert_eq!(rig.heard(two), "+PONG\r\n", "what writes waits on");
    assert_eq!(rig.answer(other, "+OK\r\n+OK\r\n", one), "+OK\r\n");
    assert_eq!(rig.heard(two), "+OK\r\n");
}

#[test]
fn a_second_migration_waits_for_the_first() {
    let (mut rig, one, two) = rig();
    let first = begin(&mut rig, one, "MIGRATE h 1 a 0 100");
    assert_eq!(rig.say(two, &["MIGRATE h 1 b 0 100"]), WAITS);
    assert_eq!(rig.dialled(), first);
    assert_eq!(rig.answer(first, "+OK\r\n+OK\r\n", one), "+OK\r\n");
    let second = rig.dialled();
    assert_ne!(second, first);
    rig.connected(second, Ok(()));
    rig.turn();
    assert_eq!(rig.answer(second, "+OK\r\n+OK\r\n", two), "+OK\r\n");
    assert_eq!(rig.say(two, &["DBSIZE"]), ":1\r\n");
}

#[test]
fn silence_ends_it_and_signs_of_life_do_not() {
    let (mut rig, one, _) = rig();
    rig.say(one, &["MIGRATE h 1 a 0 100"]);
    let other = rig.dialled();
    rig.pass(99);
    assert_eq!(rig.heard(one), WAITS);
    rig.pass(1);
    assert_eq!(rig.heard(one), LOST_CONNECTING);
    assert!(rig.is_closed(other));
    // Each reply gives it the whole time again.
    let other = begin(&mut rig, one, "MIGRATE h 1 '' 0 100 KEYS a b c");
    for reply in ["+OK\r\n", "+OK\r\n", "+O"] {
        rig.pass(99);
        assert_eq!(rig.answer(other, reply, one), WAITS);
    }
    rig.pass(100);
    assert_eq!(rig.heard(one), LOST_READING);
    assert_eq!(
        rig.say(one, &["DBSIZE"]),
        ":2\r\n",
        "what has arrived is removed"
    );
    // No timeout is a second.
    begin(&mut rig, one, "MIGRATE h 1 b 0 -1");
    rig.turn();
    rig.pass(999);
    assert_eq!(rig.heard(one), WAITS);
    rig.pass(1);
    assert_eq!(rig.heard(one), LOST_READING);
    assert_eq!(
        rig.say(one, &["SET x y"]),
        "+OK\r\n",
        "nobody waits any more"
    );
}

#[test]
fn the_end_of_the_connection_ends_it() {
    let (mut rig, one, _) = rig();
    rig.say(one, &["MIGRATE h 1 a 0 100"]);
    let (other, refused) = (
        rig.dialled(),
        Fault {
            op: "connect",
            errno: 111,
        },
    );
    rig.connected(other, Err(refused));
    rig.turn();
    assert_eq!(rig.heard(one), LOST_WRITING);
    let other = begin(&mut rig, one, "MIGRATE h 1 '' 0 100 KEYS a b c");
    rig.send(other, b"+OK\r\n+OK\r\n");
    rig.closed(other);
    assert_eq!(rig.heard(one), LOST_READING);
    assert_eq!(rig.say(one, &["DBSIZE"]), ":2\r\n");
    // Everything had been answered: how the other side goes is of no interest.
    let other = begin(&mut rig, one, "MIGRATE h 1 b 0 100");
    rig.send(other, b"+OK\r\n+OK\r\n");
    rig.closed(other);
    assert_eq!(rig.heard(one), "+OK\r\n");
    let other = begin(&mut rig, one, "MIGRATE h 1 c 0 100");
    let surplus = "+OK\r\n+OK\r\n+OK\r\n220 smtp.example ESMTP\r\n";
    assert_eq!(rig.answer(other, surplus, one), "+OK\r\n");
    assert_eq!(rig.say(one, &["DBSIZE"]), ":0\r\n");
}

#[test]
fn who_says_what_nobody_has_asked_is_no_server() {
    let (mut rig, one, _) = rig();
    for words in ["220 smtp.example ESMTP\r\n", ">1\r\n+news\r\n", "\r\n"] {
        let other = begin(&mut rig, one, "MIGRATE h 1 a 0 100");
        assert_eq!(rig.answer(other, words, one), LOST_READING, "{words}");
        assert!(rig.is_closed(other));
    }
    // An answer too many, while there are keys that have not left.
    let other = begin(&mut rig, one, "MIGRATE h 1 a 1 100");
    assert_eq!(rig.answer(other, "+OK\r\n+OK\r\n", one), LOST_READING);
    assert_eq!(rig.say(one, &["DBSIZE"]), ":3\r\n");
}

#[test]
fn the_time_that_dumping_takes_is_not_the_other_sides() {
    let (mut rig, one, _) = rig();
    assert_eq!(rig.say(one, &["MIGRATE h 1 a 0 100"]), WAITS);
    let other = rig.dialled();
    rig.connected(other, Ok(()));
    rig.turn();
    assert!(rig.heard(other).contains("RESTORE"));
    assert_eq!(rig.engine.next_patience(rig.now()).sleep, Some(Micros(0)));
    // That turn has been a long one.
    rig.pass(1000);
    assert_eq!(rig.heard(one), WAITS);
    assert_ne!(rig.engine.next_patience(rig.now()).sleep, Some(Micros(0)));
    rig.pass(99);
    assert_eq!(rig.answer(other, "+OK\r\n+OK\r\n", one), "+OK\r\n");
}

#[test]
fn an_attempt_that_cannot_be_made_is_told() {
    let (mut rig, one, _) = rig();
    rig.dial_fault = Some(Fault {
        op: "socket",
        errno: 24,
    });
    let answer = rig.say(one, &["MIGRATE h 1 a 0 100", "PING"]);
    assert_eq!(answer, format!("{LOST_WRITING}+PONG\r\n"));
}

#[test]
fn a_large_value_leaves_in_pieces_as_they_are_taken() {
    let (mut rig, one, _) = rig_with(&[(b"rdbcompression", b"no")]);
    let value = vec![b'x'; 1_000_000];
    rig.send(one, &wire(&[b"SET", b"a", &value]));
    rig.turn();
    rig.heard(one);
    let other = begin(&mut rig, one, "MIGRATE h 1 '' 0 100 KEYS a b");
    let first = rig.heard(other).len();
    assert!((200_000..400_000).contains(&first), "{first}");
    assert_eq!(rig.engine.next_patience(rig.now()).sleep, Some(Micros(0)));
    // The other side takes no more for a while.
    rig.peers[other].stuck = Some(0);
    rig.turn();
    let taken = rig.peers[other].stuck.unwrap();
    assert!((200_000..400_000).contains(&taken), "{taken}");
    rig.pass(50);
    assert_eq!(rig.peers[other].stuck, Some(taken));
    assert_ne!(rig.engine.next_patience(rig.now()).sleep, Some(Micros(0)));
    rig.peers[other].stuck = None;
    rig.event(Event::Drained {
        conn: rig.peers[other].id,
    });
    rig.pass(99);
    (0..5).for_each(|_| rig.turn());
    let rest = rig.heard(other).len();
    assert!(first + taken + rest > 1_000_000 + 100);
    assert_eq!(rig.answer(other, "+OK\r\n+OK\r\n+OK\r\n", one), "+OK\r\n");
    // A peer that takes nothing at all is given up.
    let other = begin(&mut rig, one, "MIGRATE h 1 c 0 100");
    rig.event(Event::Stalled {
        conn: rig.peers[other].id,
        unsent: 10,
    });
    rig.turn();
    rig.pass(100);
    assert_eq!(rig.heard(one), LOST_WRITING);
}

#[test]
fn what_has_left_is_recorded_as_one_and_announced() {
    let (mut rig, one, two) = rig();
    rig.engine.record(true);
    rig.say(two, &["WATCH a", "MULTI"]);
    let three = rig.connect();
    rig.say(three, &["PSUBSCRIBE __keyevent*:del"]);
    let other = begin(&mut rig, one, "MIGRATE h 1 '' 0 100 KEYS a b");
    rig.answer(other, "+OK\r\n+OK\r\n+OK\r\n", one);
    assert_eq!(
        recorded(&mut rig),
        ["MULTI", "SELECT 0", "DEL a", "DEL b", "EXEC"]
    );
    assert_eq!(rig.heard(three).matches("__keyevent@0__:del").count(), 2);
    assert_eq!(rig.say(two, &["EXEC"]), "*-1\r\n");
    let other = begin(&mut rig, one, "MIGRATE h 1 c 0 100 COPY");
    rig.answer(other, "+OK\r\n+OK\r\n", one);
    assert!(recorded(&mut rig).is_empty());
}

#[test]
fn it_goes_on_without_its_client_and_ends_when_that_is_unblocked() {
    let (mut rig, one, two) = rig();
    let other = begin(&mut rig, one, "MIGRATE h 1 a 0 100");
    rig.closed(one);
    rig.answer(other, "+OK\r\n+OK\r\n", two);
    assert_eq!(rig.say(two, &["DBSIZE"]), ":2\r\n");
    let three = rig.connect();
    let id = rig.say(three, &["CLIENT ID"]);
    let unblock = format!("CLIENT UNBLOCK {}", id.trim().trim_start_matches(':'));
    let other = begin(&mut rig, three, "MIGRATE h 1 '' 0 100 KEYS b c");
    rig.send(other, b"+OK\r\n+OK\r\n");
    assert_eq!(rig.say(two, &[&unblock]), ":1\r\n");
    let error = "-IOERR the wait for the target instance was cut short\r\n";
    assert_eq!(rig.heard(three), error);
    assert!(rig.is_closed(other));
    assert_eq!(
        rig.say(two, &["KEYS *", "SET x y"]),
        "*1\r\n$1\r\nc\r\n+OK\r\n"
    );
    assert_eq!(rig.engine.clients.blocked, 0);
}

#[test]
fn nothing_is_removed_while_a_script_is_left_in_its_middle() {
    let (mut rig, one, two) = rig_with(&[(b"busy-reply-threshold", b"1")]);
    let other = begin(&mut rig, one, "MIGRATE h 1 a 0 100");
    let script = b"for i = 1, 3000000 do end return redis.call('GET', 'a')";
    rig.send(two, &wire(&[b"EVAL_RO", script, b"0"]));
    rig.turn();
    assert!(rig.engine.is_busy());
    assert_eq!(rig.answer(other, "+OK\r\n+OK\r\n", one), WAITS);
    while rig.engine.is_busy() {
        rig.turn();
    }
    rig.turn();
    assert_eq!(rig.heard(two), "$1\r\n1\r\n");
    assert_eq!(rig.heard(one), "+OK\r\n");
    assert_eq!(rig.say(two, &["EXISTS a"]), ":0\r\n");
}

#[test]
fn where_nobody_can_wait_it_is_refused() {
    let (mut rig, one, _) = rig();
    let refusal =
        "MIGRATE waits for another server, and is not possible in a transaction or a script";
    rig.say(one, &["MULTI", "MIGRATE h 1 a 0 100"]);
    assert_eq!(rig.say(one, &["EXEC"]), format!("*1\r\n-ERR {refusal}\r\n"));
    let script = "EVAL \"return redis.call('MIGRATE','h','1','a','0','100')\" 0";
    assert!(rig.say(one, &[script]).contains(refusal));
    // And without a process around the engine.
    let mut engine = Embedded::new(Parts::bare(1), rig.now()).unwrap();
    engine.call(rig.now(), &[b"SET", b"k", b"v"]);
    let answer = engine.call(
        rig.now(),
        &[b"MIGRATE", b"127.0.0.1", b"1", b"k", b"0", b"10"],
    );
    let text = "-IOERR can't connect to the target: there is no process around this engine\r\n";
    assert_eq!(String::from_utf8_lossy(&answer), text);
    // Or with one, but nothing to connect with.
    let mut parts = Parts::bare(1);
    parts.host = Box::new(Located(NullHost));
    let mut engine = Embedded::new(parts, rig.now()).unwrap();
    engine.call(rig.now(), &[b"SET", b"k", b"v"]);
    let answer = engine.call(
        rig.now(),
        &[b"MIGRATE", b"127.0.0.1", b"1", b"k", b"0", b"10"],
    );
    assert_eq!(String::from_utf8_lossy(&answer), LOST_WRITING);
}

#[test]
fn who_has_finished_speaking_gets_its_answer() {
    let (mut rig, one, two) = rig();
    let other = begin(&mut rig, one, "MIGRATE h 1 a 0 100");
    rig.say(two, &["SET a 2"]);
    rig.finish(one);
    rig.finish(two);
    assert!(!rig.is_closed(one) && !rig.is_closed(two));
    assert_eq!(rig.answer(other, "+OK\r\n+OK\r\n", one), "+OK\r\n");
    rig.turn();
    assert_eq!(rig.heard(two), "+OK\r\n");
    assert!(rig.is_closed(one) && rig.is_closed(two));
    assert_eq!(rig.engine.clients.blocked, 0);
}

#[test]
fn a_target_that_has_finished_speaking_is_given_up() {
    let (mut rig, one, _) = rig();
    let other = begin(&mut rig, one, "MIGRATE h 1 a 0 100");
    rig.finish(other);
    rig.closed(other);
    assert_eq!(rig.heard(one), LOST_READING);
}
