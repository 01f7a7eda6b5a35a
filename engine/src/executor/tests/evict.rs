//! The limit on memory, with a process that says how much is in use and policies that anybody can
//! follow.

use super::feed::recorded;
use super::*;
use crate::base::DbIndex;
use crate::executor::embed::NullHost;
use crate::keyspace::Evicted;
use crate::seam::eviction::{
    EvictionPolicy, Locator, Pick, PolicyEntry, PolicyMemory, Resident, Residents, Touch, Victim,
};
use crate::seam::host::{Host, LogLevel, Notice, ProcessFacts, Refusal};
use std::cell::{Cell, RefCell};
use std::collections::VecDeque;
use std::rc::Rc;

const OOM: &str = "-OOM command not allowed when used memory > 'maxmemory'.\r\n";
/// The limit of these tests, in bytes.
const LIMIT: u64 = 100_000_000;
/// More than the tolerance.
const FAR: u64 = 50_000_000;

/// A process with so much memory in use, and what it has logged.
#[derive(Clone, Default)]
struct Scale {
    held: Rc<Cell<u64>>,
    lines: Rc<RefCell<Vec<String>>>,
}

impl Host for Scale {
    fn log(&mut self, _level: LogLevel, line: &str) {
        self.lines.borrow_mut().push(line.to_owned());
    }

    fn notices(&mut self) -> Vec<Notice> {
        Vec::new()
    }

    fn facts(&mut self) -> ProcessFacts {
        ProcessFacts {
            used_memory: self.held.get(),
            ..NullHost.facts()
        }
    }

    fn choose_poller(&mut self, name: &str) -> Result<&'static str, Refusal> {
        NullHost.choose_poller(name)
    }

    fn relisten(&mut self, config: &crate::config::Config) -> Result<Vec<ListenerId>, Refusal> {
        NullHost.relisten(config)
    }

    fn reconfigure(&mut self, config: &mut crate::config::Config) -> Result<(), Refusal> {
        NullHost.reconfigure(config)
    }

    fn rewrite_config(&mut self, edit: &mut dyn FnMut(&[u8]) -> Vec<u8>) -> Result<(), Refusal> {
        NullHost.rewrite_config(edit)
    }

    fn sleep(&mut self, micros: u64) {
        NullHost.sleep(micros);
    }

    fn purge_memory(&mut self) {
        NullHost.purge_memory();
    }

    fn allocator_report(&mut self) -> String {
        NullHost.allocator_report()
    }

    fn crash(&mut self, how: &str) {
        NullHost.crash(how);
    }
}

/// Whoever is drawn goes.
struct Anybody;

impl EvictionPolicy for Anybody {
    fn pick(&mut self, keys: &mut dyn Residents, steps: &mut u32) -> Pick {
        *steps = steps.saturating_sub(1);
        let drawn = keys.sample();
        drawn.map_or(Pick::Nothing, |Resident { key, .. }| {
            Pick::Victim(Victim { key, rank: 0 })
        })
    }

    fn memory(&self) -> PolicyMemory {
        PolicyMemory::default()
    }
}

/// Who came first goes first.
#[derive(Default)]
struct Queue(VecDeque<Locator>);

impl EvictionPolicy for Queue {
    fn enter(&mut self, resident: Resident) -> u16 {
        self.0.push_back(resident.key);
        1
    }

    fn pick(&mut self, keys: &mut dyn Residents, steps: &mut u32) -> Pick {
        while *steps > 0 {
            *steps -= 1;
            let Some(key) = self.0.pop_front() else {
                return Pick::Nothing;
            };
            if keys.find(key).is_some() {
                return Pick::Victim(Victim { key, rank: 0 });
            }
        }
        Pick::OutOfSteps
    }

    fn tidy(&mut self, keys: &mut dyn Residents, steps: &mut u32) {
        let all = self.0.len().min(*steps as usize);
        for key in self.0.drain(..all).collect::<Vec<_>>() {
            *steps -= 1;
            if keys.find(key).is_some() {
                self.0.push_back(key);
            }
        }
    }

    fn memory(&self) -> PolicyMemory {
        PolicyMemory {
            residents: self.0.len(),
            ..PolicyMemory::default()
        }
    }
}

const ROW: PolicyEntry = PolicyEntry {
    name: "random",
    volatile_only: false,
    touch: Touch::Clock,
    enters: false,
    weighs: false,
    open: |_| Box::new(Anybody),
};

static ROWS: [PolicyEntry; 4] = [
    ROW,
    PolicyEntry {
        name: "sieve",
        enters: true,
        open: |_| Box::<Queue>::default(),
        ..ROW
    },
    PolicyEntry {
        name: "lfu",
        touch: Touch::Frequency,
        ..ROW
    },
    PolicyEntry {
        name: "hyperbolic",
        touch: Touch::Age,
        ..ROW
    },
];

/// A rig at its limit with one client; and its process.
fn rig(policy: &str) -> (Rig, usize, Scale) {
    let scale = Scale::default();
    let mut parts = parts_with(&[(b"maxmemory-policy", policy.as_bytes())]);
    parts.host = Box::new(scale.clone());
    parts.policies = &ROWS;
    let mut rig = Rig::with(parts);
    let conn = rig.connect();
    (rig, conn, scale)
}

impl Rig {
    fn limit(&mut self, conn: usize, bytes: u64) {
        let request = format!("CONFIG SET maxmemory {bytes}");
        assert_eq!(self.say(conn, &[&request]), "+OK\r\n");
    }

    fn all_keys(&self) -> usize {
        let keyspace = &self.engine.keyspace;
        keyspace.iter().map(crate::keyspace::Db::len).sum()
    }

    fn put(&mut self, conn: usize, count: usize, options: &str) {
        for n in 0..count {
            let request = format!("SET k{n} {} {options}", "v".repeat(100));
            assert_eq!(self.say(conn, &[&request]), "+OK\r\n");
        }
    }

    /// What is in use beyond what passes through, with `over` more.
    fn press(&mut self, scale: &Scale, over: u64) {
        scale.held.set(0);
        let idle = self.engine.keyspace.idle_memory();
        let passing = crate::command::memory::passing(
            &self.engine.clients,
            &self.engine.feed,
            &self.engine.persist,
        );
        scale.held.set(LIMIT + idle + passing + over);
    }

    fn is_restless(&mut self) -> bool {
        self.engine.next_patience(self.now()).sleep == Some(Micros(0))
    }
}

#[test]
fn without_eviction_what_may_grow_is_refused_and_nothing_else() {
    let (mut rig, conn, scale) = rig("noeviction");
    rig.put(conn, 3, "");
    rig.limit(conn, LIMIT);
    rig.press(&scale, FAR);
    for request in [
        "SET a 1",
        "APPEND k0 x",
        "LPUSH l a",
        "INCR n",
        "COPY k0 k9",
    ] {
        assert_eq!(rig.say(conn, &[request]), OOM, "{request}");
    }
    assert_eq!(rig.say(conn, &["STRLEN k0"]), ":100\r\n");
    assert_eq!(rig.say(conn, &["EXPIRE k0 100"]), ":1\r\n");
    assert_eq!(rig.say(conn, &["DEL k1"]), ":1\r\n");
    assert_eq!(
        rig.say(conn, &["MULTI", "STRLEN k0", "DISCARD"]),
        format!("+OK\r\n{OOM}+OK\r\n")
    );
    assert!(!rig.is_restless(), "there is nothing to be done");
    assert_eq!(rig.all_keys(), 2);
    rig.limit(conn, 0);
    assert_eq!(rig.say(conn, &["SET a 1"]), "+OK\r\n");
}

#[test]
fn a_transaction_that_may_grow_is_refused_whole() {
    let (mut rig, conn, scale) = rig("noeviction");
    rig.say(conn, &["SET k v", "MULTI", "SET a 1"]);
    let other = rig.connect();
    rig.limit(other, LIMIT);
    rig.say(conn, &["DISCARD", "MULTI", "GET k", "DEL k"]);
    rig.press(&scale, FAR);
    assert_eq!(rig.say(conn, &["EXEC"]), "*2\r\n$1\r\nv\r\n:1\r\n");
    scale.held.set(0);
    rig.say(conn, &["MULTI", "SET a 1"]);
    rig.press(&scale, FAR);
    let refusal = OOM.trim_start_matches('-');
    assert_eq!(
        rig.say(conn, &["EXEC"]),
        format!("-EXECABORT Transaction discarded because of: {refusal}")
    );
    assert_eq!(rig.all_keys(), 0);
}

#[test]
fn who_is_removed_is_recorded_before_the_command_and_announced() {
    let (mut rig, conn, scale) = rig("allkeys-sieve");
    rig.say(conn, &["CONFIG SET notify-keyspace-events Ee"]);
    let ear = rig.connect();
    rig.say(ear, &["SUBSCRIBE __keyevent@0__:evicted"]);
    rig.put(conn, 3, "");
    rig.limit(conn, LIMIT);
    while rig.is_restless() {
        rig.turn();
    }
    rig.engine.record(true);
    rig.engine.feed().clear();
    let watcher = rig.connect();
    rig.say(watcher, &["WATCH k0", "MULTI", "PING"]);
    rig.press(&scale, 50);
    assert_eq!(rig.say(conn, &["SET new 1"]), "+OK\r\n");
    assert_eq!(recorded(&mut rig), ["SELECT 0", "DEL k0", "SET new 1"]);
    assert!(rig.heard(ear).ends_with("$2\r\nk0\r\n"));
    assert_eq!(rig.say(watcher, &["EXEC"]), "*-1\r\n");
    let info = rig.say(conn, &["INFO stats"]);
    assert!(info.contains("evicted_keys:1\r\n"), "{info}");
}

#[test]
fn only_keys_with_a_deadline_are_in_the_volatile_scope() {
    for policy in ["volatile-random", "volatile-sieve"] {
        let (mut rig, conn, scale) = rig(policy);
        rig.put(conn, 20, "");
        rig.limit(conn, LIMIT);
        rig.press(&scale, 1);
        assert_eq!(rig.say(conn, &["SET a 1"]), OOM, "{policy}: nobody may go");
        scale.held.set(0);
        rig.say(
            conn,
            &[
                "SET brief 1 EX 100",
                "EXPIRE k7 100",
                "SET k8 x EX 9",
                "PERSIST k8",
            ],
        );
        rig.press(&scale, 100);
        assert_eq!(rig.say(conn, &["SET a 1"]), "+OK\r\n", "{policy}");
        rig.press(&scale, FAR);
        assert_eq!(rig.say(conn, &["SET b 1"]), OOM, "{policy}");
        assert_eq!(rig.say(conn, &["EXISTS brief k7 k8"]), ":1\r\n");
        assert_eq!(rig.all_keys(), 20, "{policy}");
    }
}

#[test]
fn a_new_limit_is_reached_in_slices() {
    let (mut rig, conn, scale) = rig("allkeys-random");
    rig.put(conn, 5000, "");
    rig.press(&scale, 400_000);
    rig.limit(conn, LIMIT);
    let warned = |scale: &Scale, text: &str| scale.lines.borrow().iter().any(|l| l.contains(text));
    assert!(warned(&scale, "is smaller than the current memory usage"));
    let (mut turns, mut most) = (0, 0);
    while rig.is_restless() {
        let before = rig.all_keys();
        rig.pass(1);
        most = most.max(before - rig.all_keys());
        turns += 1;
        assert!(turns < 1000, "it comes to rest");
    }
    let gone = 5000 - rig.all_keys();
    assert!((2000..4500).contains(&gone), "{gone} keys are gone");
    assert!(turns > 5 && most < 600, "{turns} turns, {most} in one");
    let info = rig.say(conn, &["INFO stats"]);
    assert!(info.contains("current_eviction_exceeded_time:0\r\n"));
    assert!(!info.contains("total_eviction_exceeded_time:0\r\n"));
    rig.limit(conn, 1000);
    assert!(warned(&scale, "less than 1MB"));
}

#[test]
fn a_command_removes_no_more_than_its_tenacity_says() {
    let mut gone = Vec::new();
    for tenacity in [0, 10, 100] {
        let (mut rig, conn, scale) = rig("allkeys-random");
        rig.say(
            conn,
            &[&format!(
                "CONFIG SET maxmemory-eviction-tenacity {tenacity}"
            )],
        );
        rig.put(conn, 3000, "");
        rig.limit(conn, LIMIT);
        rig.press(&scale, 200_000);
        rig.send(conn, b"SET a 1\r\n");
        gone.push(3001 - rig.all_keys());
        rig.turn();
        assert_eq!(rig.heard(conn), "+OK\r\n", "the command itself runs");
    }
    assert!(gone[0] < 20, "{gone:?}");
    assert!((100..1000).contains(&gone[1]), "{gone:?}");
    assert!(gone[2] > 1000, "{gone:?}");
}

#[test]
fn nothing_is_removed_during_a_pause() {
    let (mut rig, conn, scale) = rig("allkeys-random");
    rig.put(conn, 100, "");
    rig.limit(conn, LIMIT);
    rig.press(&scale, 5000);
    let other = rig.connect();
    rig.say(other, &["CLIENT PAUSE 10000 WRITE"]);
    assert_eq!(rig.say(conn, &["SET a 1"]), "", "it waits");
    rig.pass(200);
    assert!(!rig.is_restless());
    assert_eq!(rig.all_keys(), 100);
    rig.say(other, &["CLIENT UNPAUSE"]);
    rig.pass(1);
    assert_eq!(rig.heard(conn), "+OK\r\n");
    assert!(rig.all_keys() < 90);
}

#[test]
fn a_policy_that_is_chosen_late_sees_all_keys_in_slices() {
    let (mut rig, conn, scale) = rig("allkeys-random");
    rig.put(conn, 5000, "");
    rig.limit(conn, LIMIT);
    rig.say(conn, &["CONFIG SET maxmemory-policy allkeys-sieve"]);
    let mut turns = 0;
    while rig.is_restless() {
        rig.turn();
        turns += 1;
        assert!(turns < 100, "it comes to rest");
    }
    assert!(turns > 3, "{turns}");
    // All have entered, or some would stay now.
    rig.press(&scale, FAR);
    assert_eq!(rig.say(conn, &["SET last 1"]), OOM);
    assert_eq!(rig.all_keys(), 0);
    let refused = rig.say(conn, &["CONFIG SET maxmemory-policy allkeys-s3fifo"]);
    assert!(
        refused.contains("there is no such policy here"),
        "{refused}"
    );
    let policy = rig.say(conn, &["CONFIG GET maxmemory-policy"]);
    assert!(policy.contains("allkeys-sieve"));
}

/// A rig with a limit that is far away and a policy that is told who comes, and how many it knows.
fn queue_rig() -> (Rig, usize, impl Fn(&Rig) -> usize) {
    let (mut rig, conn, _scale) = rig("allkeys-sieve");
    rig.limit(conn, LIMIT);
    let known = |rig: &Rig| rig.engine.keyspace.policy_memory().residents;
    (rig, conn, known)
}

#[test]
fn a_policy_forgets_who_is_gone_though_nobody_comes() {
    let (mut rig, conn, known) = queue_rig();
    rig.put(conn, 3000, "");
    let all: Vec<String> = (0..3000).map(|n| format!("k{n}")).collect();
    rig.say(conn, &[&format!("DEL {}", all.join(" "))]);
    assert!(known(&rig) > 2000);
    for _ in 0..100 {
        rig.pass(100);
    }
    assert_eq!(known(&rig), 0);
}

#[test]
fn a_policy_is_told_in_slices_of_the_many_that_a_script_brings() {
    let (mut rig, conn, known) = queue_rig();
    let script = b"for n = 1, 5000 do redis.call('set', 'k' .. n, n) end";
    rig.send(conn, &wire(&[b"EVAL", script, b"0"]));
    let (mut turns, mut before) = (0, 0);
    loop {
        rig.turn();
        let now = known(&rig);
        assert!(now - before <= 1000, "{} in a turn", now - before);
        before = now;
        turns += 1;
        assert!(turns < 100, "it comes to rest");
        if !rig.is_restless() {
            break;
        }
    }
    assert_eq!((known(&rig), rig.all_keys()), (5000, 5000));
}

#[test]
fn many_commands_in_a_turn_leave_few_whom_a_policy_does_not_know() {
    let (mut rig, conn, known) = queue_rig();
    let requests: Vec<String> = (0..5000).map(|n| format!("SET k{n} v\r\n")).collect();
    rig.send(conn, requests.concat().as_bytes());
    assert_eq!(rig.all_keys(), 5000);
    assert!(known(&rig) > 4000, "{} are known", known(&rig));
}

#[test]
fn a_database_whose_policy_is_long_about_it_does_not_keep_others_from_their_turn() {
    let (mut rig, conn, _) = queue_rig();
    rig.put(conn, 1000, "");
    let gone: Vec<String> = (1..1000).map(|n| format!("k{n}")).collect();
    rig.say(conn, &[&format!("DEL k0 {}", gone.join(" ")), "SET k0 v"]);
    rig.say(conn, &["SELECT 1", "SET other v"]);
    rig.turn();
    let keyspace = &mut rig.engine.keyspace;
    let first = [keyspace.evict(&mut 10), keyspace.evict(&mut 10)];
    assert!(first.contains(&Evicted::Key(DbIndex(1))), "{first:?}");
}

#[test]
fn equals_go_from_all_databases_alike() {
    let (mut rig, conn, _scale) = rig("allkeys-random");
    rig.put(conn, 100, "");
    rig.say(conn, &["SELECT 3"]);
    rig.put(conn, 100, "");
    rig.limit(conn, LIMIT);
    rig.turn();
    let keyspace = &mut rig.engine.keyspace;
    for _ in 0..100 {
        assert!(matches!(keyspace.evict(&mut 64), Evicted::Key(_)));
    }
    for index in [0, 3] {
        assert_eq!(keyspace.db(DbIndex(index)).len(), 50);
    }
}

#[test]
fn a_script_is_judged_by_what_there_was_when_it_began() {
    let (mut rig, conn, scale) = rig("noeviction");
    rig.say(conn, &["SET k v"]);
    rig.limit(conn, LIMIT);
    rig.press(&scale, FAR);
    let run = |rig: &mut Rig, script: &str| {
        rig.send(conn, &wire(&[b"EVAL", script.as_bytes(), b"0"]));
        rig.turn();
        rig.heard(conn)
    };
    let refused = run(&mut rig, "return redis.call('set', 'a', '1')");
    assert!(refused.starts_with(OOM.trim_end()), "{refused}");
    assert_eq!(
        run(&mut rig, "return redis.call('get', 'k')"),
        "$1\r\nv\r\n"
    );
    let written = "redis.call('del', 'k') return redis.call('set', 'a', '1')";
    assert_eq!(run(&mut rig, written), "+OK\r\n", "who has begun may end");
}

#[test]
fn frequencies_are_told_and_brought_back() {
    let (mut rig, conn, _scale) = rig("allkeys-lfu");
    rig.say(conn, &["SET k v", "SET fresh v"]);
    assert_eq!(rig.say(conn, &["OBJECT FREQ fresh"]), ":5\r\n");
    let no_idle = rig.say(conn, &["OBJECT IDLETIME k"]);
    assert!(no_idle.contains("An LFU maxmemory policy is selected"));
    rig.send(conn, b"DUMP k\r\n");
    rig.turn();
    let dumped = std::mem::take(&mut rig.peers[conn].heard);
    let start = dumped.windows(2).position(|two| two == b"\r\n").unwrap() + 2;
    let payload = &dumped[start..dumped.len() - 2];
    rig.send(
        conn,
        &wire(&[b"RESTORE", b"copy", b"0", payload, b"FREQ", b"200"]),
    );
    rig.turn();
    assert_eq!(rig.heard(conn), "+OK\r\n");
    assert_eq!(rig.say(conn, &["OBJECT FREQ copy"]), ":200\r\n");
    // A minute unused takes one off; GET looks at what is left.
    rig.pass(60_000 * 10);
    assert_eq!(rig.say(conn, &["OBJECT FREQ copy"]), ":190\r\n");
    assert_eq!(rig.say(conn, &["OBJECT FREQ fresh"]), ":0\r\n");
}

#[test]
fn idle_time_is_told_where_it_is_known() {
    let (mut rig, conn, _scale) = rig("allkeys-hyperbolic");
    rig.say(conn, &["SET k v"]);
    rig.pass(60_000);
    assert_eq!(rig.say(conn, &["OBJECT IDLETIME k"]), ":60\r\n");
    rig.limit(conn, LIMIT);
    rig.say(conn, &["GET k"]);
    let told = rig.say(conn, &["OBJECT IDLETIME k"]);
    assert!(told.starts_with("-ERR A hyperbolic maxmemory policy is selected, idle time not"));
    assert_eq!(rig.say(conn, &["OBJECT IDLETIME missing"]), "$-1\r\n");
    rig.say(
        conn,
        &["CONFIG SET maxmemory-policy allkeys-sieve", "GET k"],
    );
    rig.pass(5000);
    assert_eq!(rig.say(conn, &["OBJECT IDLETIME k"]), ":5\r\n");
}

#[test]
fn frequencies_outlive_other_settings_and_what_came_after_a_flush() {
    let (mut rig, conn, scale) = rig("volatile-lfu");
    rig.say(conn, &["SET before v"]);
    rig.turn();
    rig.say(conn, &["FLUSHALL"]);
    rig.limit(conn, LIMIT);
    rig.say(
        conn,
        &[
            "CONFIG SET lfu-log-factor 0",
            "SET k v",
            &format!("SET brief {} EX 100", "v".repeat(100)),
        ],
    );
    for _ in 0..20 {
        rig.say(conn, &["GET k"]);
    }
    assert_eq!(rig.say(conn, &["OBJECT FREQ k"]), ":25\r\n");
    rig.press(&scale, 50);
    assert_eq!(rig.say(conn, &["SET a 1", "EXISTS brief"]), "+OK\r\n:0\r\n");
    assert_eq!(
        rig.say(conn, &["OBJECT FREQ k"]),
        ":25\r\n",
        "somebody went"
    );
    for setting in [
        "maxmemory-samples 7",
        "lfu-decay-time 3",
        "maxmemory-policy allkeys-lfu",
    ] {
        rig.say(conn, &[&format!("CONFIG SET {setting}")]);
        rig.turn();
        assert_eq!(rig.say(conn, &["OBJECT FREQ k"]), ":25\r\n", "{setting}");
    }
    scale.held.set(0);
    rig.say(conn, &["CONFIG SET maxmemory-policy allkeys-random"]);
    rig.turn();
    rig.say(conn, &["CONFIG SET maxmemory-policy allkeys-lfu"]);
    rig.turn();
    assert_eq!(
        rig.say(conn, &["OBJECT FREQ k"]),
        ":5\r\n",
        "they were given up"
    );
}
