//! A log that is in trouble can be switched off: what waits for it goes on without.

use super::life::{Heard, Life, at};
use super::model::asked;
use dovetail_engine::config::{AppendFsync, Config};
use dovetail_tests::sim::{Call, SimDisk};

const NOW_US: u64 = 1_000_000;
/// Turns in which everything that can be answered is.
const TURNS: u32 = 50;

fn begin(disk: &SimDisk, pid: u32) -> Life {
    let mut config = Config::default();
    config.process.dir = SimDisk::HOME.into();
    config.persistence.appendonly = true;
    config.persistence.appendfsync = AppendFsync::Always;
    let mut life = Life::begin(disk, config, pid, at(NOW_US));
    life.load(at(NOW_US));
    life
}

/// Everything that is heard of a request, by whom.
fn hear(life: &mut Life, disk: &SimDisk, conn: usize, words: &[&str]) -> Vec<Heard> {
    life.deliver(at(NOW_US), conn, &asked(words));
    let mut heard = Vec::new();
    for _ in 0..TURNS {
        heard.extend(life.turn(at(NOW_US)));
        disk.tick();
    }
    heard
}

fn ok(conn: usize) -> Heard {
    (conn, b"+OK\r\n".to_vec())
}

/// Has a log whose calls of this kind fail switched off; gives what it has then.
fn switch_off(call: Call, errno: i32) -> Vec<u8> {
    let disk = SimDisk::new(5);
    let mut life = begin(&disk, 100);
    let (writer, admin) = (life.connect(at(NOW_US)), life.connect(at(NOW_US)));
    let answer = hear(&mut life, &disk, writer, &["SET", "a", "1"]);
    assert_eq!(answer, [ok(writer)]);

    disk.fail_often(call, 256, errno);
    // A base would help.
    life.process.refuse_next();
    assert_eq!(hear(&mut life, &disk, writer, &["SET", "a", "2"]), []);
    let refused = hear(&mut life, &disk, admin, &["SET", "a", "3"]);
    assert!(refused[0].1.starts_with(b"-MISCONF"), "{refused:?}");

    let mut answers = hear(
        &mut life,
        &disk,
        admin,
        &["CONFIG", "SET", "appendonly", "no"],
    );
    answers.sort();
    assert_eq!(answers, [ok(writer), ok(admin)], "nobody waits any more");
    let lines = life.process.take_lines();
    let is_told = |text: &str| text.starts_with("The AOF is off; its end could not be kept: ");
    assert!(lines.iter().any(|(_, line)| is_told(line)), "{lines:?}");
    let answer = hear(&mut life, &disk, writer, &["SET", "a", "4"]);
    assert_eq!(answer, [ok(writer)]);

    disk.forgive();
    drop(life);
    disk.crash_process();
    let mut life = begin(&disk, 101);
    let conn = life.connect(at(NOW_US));
    let answer = hear(&mut life, &disk, conn, &["GET", "a"]);
    answer.into_iter().flat_map(|(_, bytes)| bytes).collect()
}

#[test]
fn a_log_that_cannot_be_written_can_be_switched_off() {
    let found = switch_off(Call::Write, libc::ENOSPC);
    assert_eq!(found, b"$1\r\n1\r\n", "what it has is stale from then on");
}

#[test]
fn a_log_that_cannot_be_synced_can_be_switched_off() {
    let found = switch_off(Call::Sync, libc::EIO);
    assert_eq!(found, b"$1\r\n2\r\n", "that was written");
}
