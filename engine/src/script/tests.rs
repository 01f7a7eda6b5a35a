//! The machine on its own: suspended, resumed, ended by force.

use super::{Declared, End, Machine, Resume, Run, Scripts, Step, shebang};
use crate::resp::Protocol;

fn begin(scripts: &mut Scripts, source: &str) -> Step {
    let script = scripts.evaluate(source.as_bytes()).unwrap();
    scripts.stage(Run {
        script,
        keys: 0,
        read_only: false,
    });
    let machine = scripts.machine.as_mut().unwrap();
    machine.desk().words.borrow_mut().clear();
    machine
        .resume(Resume::Run {
            id: script,
            keys: 0,
            protocol: Protocol::Resp2,
        })
        .unwrap()
}

fn answer(scripts: &Scripts) -> String {
    let desk = scripts.machine.as_ref().unwrap().desk();
    String::from_utf8(desk.result.take().to_vec()).unwrap()
}

#[test]
fn a_script_is_left_and_gone_on_with() {
    let mut scripts = Scripts::new(1);
    let mut step = begin(
        &mut scripts,
        "local n = 0 while n < 100000 do n = n + 1 end return n",
    );
    let mut ticks = 0;
    while step == Step::Tick {
        ticks += 1;
        step = scripts
            .machine
            .as_mut()
            .unwrap()
            .resume(Resume::GoOn)
            .unwrap();
    }
    assert!(ticks > 10, "{ticks}");
    assert_eq!(step, Step::Finished(End::Replied));
    assert_eq!(answer(&scripts), ":100000\r\n");
}

#[test]
fn two_machines_run_in_turns() {
    let (mut one, mut two) = (Scripts::new(1), Scripts::new(2));
    let source = "local n = 0 while n < 20000 do n = n + 1 end return n";
    let (mut first, mut second) = (begin(&mut one, source), begin(&mut two, source));
    while first == Step::Tick || second == Step::Tick {
        for (scripts, step) in [(&mut one, &mut first), (&mut two, &mut second)] {
            if *step == Step::Tick {
                *step = scripts
                    .machine
                    .as_mut()
                    .unwrap()
                    .resume(Resume::GoOn)
                    .unwrap();
            }
        }
    }
    assert_eq!(
        (answer(&one), answer(&two)),
        (":20000\r\n".into(), ":20000\r\n".into())
    );
}

#[test]
fn a_script_that_catches_everything_is_ended_all_the_same() {
    let mut scripts = Scripts::new(1);
    for source in [
        "while true do pcall(function() while true do end end) end",
        "while true do xpcall(function() while true do end end, function() while true do end end) end",
        "while true do coroutine.resume(coroutine.create(function() while true do end end)) end",
    ] {
        assert_eq!(begin(&mut scripts, source), Step::Tick);
        let machine = scripts.machine.as_mut().unwrap();
        let mut step = machine.resume(Resume::Kill).unwrap();
        while step == Step::Tick {
            step = machine.resume(Resume::Kill).unwrap();
        }
        assert_eq!(
            step,
            Step::Finished(End::Failed { counted: false }),
            "{source}"
        );
        let text = machine.desk().text.take();
        assert_eq!(text, b"ERR Script killed by user with SCRIPT KILL...");
        assert_eq!(
            begin(&mut scripts, "return 7"),
            Step::Finished(End::Replied)
        );
        assert_eq!(answer(&scripts), ":7\r\n");
    }
}

#[test]
fn a_machine_may_be_dropped_in_the_middle_of_a_script() {
    let mut scripts = Scripts::new(1);
    let source = "while true do pcall(redis.call, 'PING') end";
    assert_eq!(begin(&mut scripts, source), Step::Call);
    drop(scripts);
    drop(Machine::new().unwrap());
}

#[test]
fn a_calls_words_and_reply_pass_by_the_desk() {
    let mut scripts = Scripts::new(1);
    let step = begin(&mut scripts, "return redis.call('SET', 'k', 12, 0.5)[2]");
    assert_eq!(step, Step::Call);
    let machine = scripts.machine.as_mut().unwrap();
    let words: Vec<Vec<u8>> = {
        let words = machine.desk().words.borrow();
        words.args().iter_from(0).map(<[u8]>::to_vec).collect()
    };
    assert_eq!(
        words,
        [
            b"SET".to_vec(),
            b"k".to_vec(),
            b"12".to_vec(),
            b"0.5".to_vec()
        ]
    );
    let reply = b"*2\r\n:1\r\n$1\r\nx\r\n";
    machine
        .desk()
        .reply
        .borrow_mut()
        .tail()
        .extend_from_slice(reply);
    let step = machine.resume(Resume::Reply).unwrap();
    assert_eq!(step, Step::Finished(End::Replied));
    assert_eq!(answer(&scripts), "$1\r\nx\r\n");
}

#[test]
fn scripts_of_eval_make_room_for_others_and_loaded_ones_stay() {
    let mut scripts = Scripts::new(1);
    let kept = scripts.load(b"return 'kept'").unwrap();
    for n in 0..600 {
        scripts.evaluate(format!("return {n}").as_bytes()).unwrap();
    }
    assert_eq!(scripts.len(), 501);
    assert_eq!(scripts.evicted, 100);
    let name = scripts.sha(kept);
    assert_eq!(scripts.find(&name), Some(kept));
}

#[test]
fn declarations_are_read() {
    assert_eq!(shebang::read(b"return 1"), Ok((Declared::default(), 0)));
    let (declared, end) = shebang::read(b"#!lua flags=no-writes,allow-oom\nreturn 1").unwrap();
    assert_eq!(end, 31);
    assert!(declared.any && declared.no_writes && declared.allow_oom && !declared.allow_stale);
    for (source, complaint) in [
        ("#!lua", "ERR Invalid script shebang"),
        (
            "#!lua flags=x\n",
            "ERR Unexpected flag in script shebang: x",
        ),
        ("#!lua name=x\n", "ERR Unknown lua shebang option: name=x"),
        ("#!js\n", "ERR Unexpected engine in script shebang: #!js"),
    ] {
        assert_eq!(
            shebang::read(source.as_bytes()),
            Err(complaint.as_bytes().to_vec())
        );
    }
}

#[test]
fn keys_and_arguments_are_those_of_the_call_whatever_the_last_script_did_to_them() {
    let mut scripts = Scripts::new(1);
    for spoil in [
        "return 1",
        "KEYS[1] = nil ARGV[1] = nil return 1",
        "KEYS[3] = 'x' return 1",
        "KEYS.x = 1 return 1",
        "ARGV[100] = 1 return 1",
        "rawset(KEYS, 'x', 1) return 1",
        "table.insert(ARGV, 1, 'x') return 1",
        "table.insert(KEYS, 'x') return 1",
        "table.remove(KEYS) return 1",
        "setmetatable(ARGV, { __index = function() return 'y' end }) return 1",
        "error(KEYS)",
    ] {
        for (source, words) in [
            (spoil, ["a", "b"]),
            (
                "local n = 0 for _ in pairs(KEYS) do n = n + 1 end \
                 for _ in pairs(ARGV) do n = n + 1 end \
                 return KEYS[1] .. ARGV[1] .. n .. tostring(ARGV[2])",
                ["c", "d"],
            ),
        ] {
            let script = scripts.evaluate(source.as_bytes()).unwrap();
            let machine = scripts.machine.as_mut().unwrap();
            let mut desk = machine.desk().words.borrow_mut();
            desk.clear();
            assert!(words.iter().all(|word| desk.push(word.as_bytes())));
            drop(desk);
            machine.desk().result.take();
            machine.resume(Resume::Run {
                id: script,
                keys: 1,
                protocol: Protocol::Resp2,
            });
        }
        assert_eq!(answer(&scripts), "$6\r\ncd2nil\r\n", "{spoil}");
    }
}
