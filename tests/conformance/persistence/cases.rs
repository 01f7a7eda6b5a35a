//! The rules of the seam when nothing goes wrong, one case each.

use super::rig::{FOLDER, LOG, PID, Rig, SNAPSHOT, Trust, whole};
use super::{Place, logs};
use dovetail_engine::base::Micros;
use dovetail_engine::seam::disk::Open;
use dovetail_engine::seam::persistence::{Format, Fsync, Part, Purpose, Role};

pub(super) fn the_row_has_the_members_name<P: Place>(rig: &mut Rig<P>) {
    assert_eq!(rig.member.name(), rig.entry.name);
    assert_eq!(rig.member.keeps_log(), rig.entry.name != "rdb");
    if !rig.member.keeps_log() {
        rig.start(Trust::Whole).unwrap();
        let progress = rig.advance();
        assert_eq!((progress.released, progress.durable), (u64::MAX, u64::MAX));
        return;
    }
    rig.apply(|settings| settings.base_format = Format::Commands);
    assert_eq!(rig.member.name(), "aof");
    rig.apply(|settings| settings.base_format = Format::Rdb);
    assert_eq!(rig.member.name(), "hybrid");
}

pub(super) fn a_snapshot_is_found_again<P: Place>(rig: &mut Rig<P>) {
    rig.start(Trust::Whole).unwrap();
    rig.number = 7;
    rig.save(Purpose::Snapshot);
    let path = rig.path(SNAPSHOT);
    assert_eq!(rig.contents(&path), whole(Format::Rdb, 7));
    rig.member.close(rig.now).unwrap();
    if rig.member.keeps_log() {
        return;
    }
    rig.next_life();
    let stored = rig.member.stored().unwrap();
    let expected = Part {
        path,
        name: SNAPSHOT.to_owned(),
        role: Role::Snapshot,
        len: whole(Format::Rdb, 7).len() as u64,
    };
    assert_eq!(stored.parts, [expected]);
}

/// A member without a log can make one, which is found when it is switched on.
pub(super) fn a_base_without_a_log_is_a_log<P: Place>(rig: &mut Rig<P>) {
    rig.start(Trust::Whole).unwrap();
    rig.append(4);
    for seq in 1..4 {
        rig.save(Purpose::Base);
        if rig.member.keeps_log() {
            return;
        }
        let base = rig.base(seq);
        assert_eq!(rig.manifest(), format!("file {base} seq {seq} type b\n"));
        rig.until_names(&[base, format!("{LOG}.manifest")]);
    }
    let save = rig.member.begin_save(rig.now, Purpose::Base).unwrap();
    rig.write_save(&save, 5).unwrap();
    rig.member.abort_save(rig.now, save);
    assert_eq!(rig.names(&rig.home()), [""; 0]);
    assert_eq!(rig.member.stored().unwrap().notes.len(), 1);
    for entry in logs() {
        rig.entry = entry;
        assert_eq!(rig.restart(), 4, "{}", entry.name);
    }
}

pub(super) fn a_snapshot_that_is_given_up_leaves_the_last_one<P: Place>(rig: &mut Rig<P>) {
    rig.start(Trust::Whole).unwrap();
    rig.save(Purpose::Snapshot);
    let save = rig.member.begin_save(rig.now, Purpose::Snapshot).unwrap();
    assert_eq!(save.sync_bytes, Some(1 << 20));
    assert_eq!(save.temporary, rig.path(&format!("temp-{PID}.rdb")));
    rig.plant(&save.temporary, b"half");
    rig.member.abort_save(rig.now, save);
    let folder = rig.home();
    assert_eq!(rig.names(&folder), [SNAPSHOT]);
}

pub(super) fn snapshots_of_dead_processes_are_removed<P: Place>(rig: &mut Rig<P>) {
    let own = format!("temp-{PID}.rdb");
    let alive = format!("temp-{}.rdb", std::process::id());
    let names = [
        &own,
        "temp-4294967001.rdb",
        "temp-.rdb",
        "temp-x1.rdb",
        "a",
        &alive,
    ];
    for name in names {
        let path = rig.path(name);
        rig.plant(&path, b"x");
    }
    rig.start(Trust::Whole).unwrap();
    let folder = rig.home();
    assert!(!rig.names(&folder).contains(&own), "its name is used again");
    let left = |rig: &mut Rig<P>| {
        let names = rig.names(&folder);
        names
            .iter()
            .filter(|name| name.starts_with("temp-4"))
            .count()
    };
    while left(rig) > 0 {
        rig.place.breathe();
    }
    let names = rig.names(&folder);
    let mut others = vec!["temp-.rdb", "temp-x1.rdb", "a"];
    let processes = std::path::Path::new("/proc/self");
    if !rig.names(processes).is_empty() {
        // Another server may be at it.
        others.push(&alive);
    }
    for name in others {
        assert!(names.iter().any(|found| found == name), "{names:?}");
    }
}

pub(super) fn a_file_is_cut_for_good<P: Place>(rig: &mut Rig<P>) {
    let path = rig.path("a");
    rig.plant(&path, b"abcdef");
    let part = Part {
        path: path.clone(),
        name: "a".to_owned(),
        role: Role::Increment,
        len: 6,
    };
    rig.member.cut(&part, 2).unwrap();
    assert_eq!(rig.contents(&path), b"ab");
    let missing = Part {
        path: rig.path("b"),
        ..part
    };
    assert!(rig.member.cut(&missing, 0).is_err());
}

pub(super) fn what_is_appended_is_there_in_order<P: Place>(rig: &mut Rig<P>) {
    for fsync in [Fsync::EverySec, Fsync::No, Fsync::Always] {
        rig.apply(|settings| settings.fsync = fsync);
        rig.restart();
        for count in 1..40 {
            rig.append(count % 4);
            if fsync != Fsync::Always {
                assert_eq!(rig.reached().0, rig.number, "it has been written");
            }
        }
        assert_eq!(rig.look().number, rig.number, "without any end");
    }
}

pub(super) fn nothing_is_lost_from_one_process_to_the_next<P: Place>(rig: &mut Rig<P>) {
    for round in 0..5 {
        rig.apply(|settings| settings.checksums = round % 2 == 1);
        rig.restart();
        assert_eq!(rig.number, round * 5);
        rig.append(3);
        if round % 2 == 0 {
            rig.save(Purpose::Base);
        }
        rig.append(2);
    }
}

pub(super) fn every_second_something_is_synced<P: Place>(rig: &mut Rig<P>) {
    rig.start(Trust::Whole).unwrap();
    rig.append(2);
    // The first is at once.
    rig.until("it is durable", |now| now.durable == now.released);
    assert_eq!(rig.advance().due, None, "there is nothing to do");
    rig.append(1);
    let progress = rig.advance();
    assert!(!progress.holds_reads && progress.trouble.is_none());
    let due = progress.due.unwrap();
    let wait = due.minus(rig.now.monotonic);
    assert!(wait <= Micros::from_secs(1), "{wait:?}");
    assert!(rig.reached().1 < 3, "not yet");
    rig.now.monotonic = due;
    let end = rig.released;
    rig.until("it is durable", |now| now.durable == end);
}

pub(super) fn always_waits_for_the_sync<P: Place>(rig: &mut Rig<P>) {
    rig.apply(|settings| settings.fsync = Fsync::Always);
    rig.start(Trust::Whole).unwrap();
    for _ in 0..20 {
        rig.append(2);
        let progress = rig.advance();
        assert!(progress.holds_reads);
        assert_eq!(progress.released, progress.durable);
        let number = rig.number;
        let mut reached = 0;
        while reached < number {
            rig.place.breathe();
            reached = rig.reached().0;
        }
    }
    assert_eq!(rig.advance().syncs_under_way, 0);
}

pub(super) fn no_sync_is_asked_for_by_the_log_without_a_policy<P: Place>(rig: &mut Rig<P>) {
    rig.apply(|settings| settings.fsync = Fsync::No);
    rig.start(Trust::Whole).unwrap();
    for _ in 0..20 {
        rig.append(1);
        rig.pass(500);
        let progress = rig.advance();
        assert_eq!((progress.syncs_under_way, progress.due), (0, None));
        assert_eq!(rig.reached(), (rig.number, 0));
        rig.place.breathe();
    }
}

pub(super) fn closing_makes_everything_durable<P: Place>(rig: &mut Rig<P>) {
    for fsync in [Fsync::No, Fsync::EverySec, Fsync::Always] {
        rig.apply(|settings| settings.fsync = fsync);
        rig.restart();
        rig.append(3);
        rig.member.close(rig.now).unwrap();
        let number = rig.number;
        if fsync == Fsync::No {
            assert_eq!(rig.reached(), (number, number));
        }
        // A process that does not end after all goes on.
        rig.append(1);
        rig.member.close(rig.now).unwrap();
        assert_eq!(rig.look().number, number + 1);
    }
}

pub(super) fn a_base_replaces_what_is_before_it<P: Place>(rig: &mut Rig<P>) {
    rig.start(Trust::Whole).unwrap();
    rig.append(5);
    let save = rig.member.begin_save(rig.now, Purpose::Base).unwrap();
    assert_eq!((save.purpose, save.sync_bytes), (Purpose::Base, None));
    assert_eq!(save.format, rig.settings.base_format);
    let temporary = format!("temp-rewriteaof-{PID}.aof");
    assert_eq!(save.temporary, rig.path(&temporary));
    assert_eq!(
        save.target,
        rig.path(&format!("temp-rewriteaof-bg-{PID}.aof"))
    );
    let number = rig.number;
    rig.append(2);
    let (first, second) = (rig.base(1), rig.base(2));
    let len = rig
        .contents(&rig.log_path(&format!("{LOG}.1.incr.aof")))
        .len();
    let during = format!(
        "file {first} seq 1 type b\nfile {LOG}.1.incr.aof seq 1 type i bytes {len}\n\
         file {LOG}.2.incr.aof seq 2 type i\n"
    );
    assert_eq!(rig.manifest(), during);
    assert_eq!(rig.look().number, 7);
    rig.write_save(&save, number).unwrap();
    rig.append(1);
    rig.member.finish_save(rig.now, save).unwrap();
    rig.append(1);
    let after = format!("file {second} seq 2 type b\nfile {LOG}.2.incr.aof seq 2 type i\n");
    assert_eq!(rig.manifest(), after);
    assert_eq!(rig.look().number, 9);
    let (incr, manifest) = (format!("{LOG}.2.incr.aof"), format!("{LOG}.manifest"));
    rig.until_names(&[&incr, &second, &manifest]);
    rig.settle();
    assert_eq!(rig.restart(), 9);
}

pub(super) fn a_base_that_is_given_up_leaves_all_increments<P: Place>(rig: &mut Rig<P>) {
    rig.start(Trust::Whole).unwrap();
    for round in 0..3 {
        rig.append(2);
        let save = rig.member.begin_save(rig.now, Purpose::Base).unwrap();
        rig.append(1);
        match round {
            0 => rig.plant(&save.temporary, b"half"),
            1 => rig.write_save(&save, 4).unwrap(),
            _ => {}
        }
        rig.member.abort_save(rig.now, save);
        assert_eq!(rig.look().number, rig.number);
    }
    let folder = rig.home();
    assert_eq!(rig.names(&folder), [""; 0]);
    let incrs = rig.manifest().matches("type i").count();
    assert_eq!(incrs, 4);
    assert_eq!(rig.restart(), 9);
    rig.append(1);
    rig.save(Purpose::Base);
    assert_eq!(rig.manifest().lines().count(), 2);
    assert_eq!(rig.look().number, 10);
}

pub(super) fn sizes_are_those_of_the_files<P: Place>(rig: &mut Rig<P>) {
    rig.start(Trust::Whole).unwrap();
    let check = |rig: &mut Rig<P>, has_grown: bool| {
        let progress = rig.advance();
        let mut other = (rig.entry.open)(rig.disk.clone(), &rig.settings);
        let parts = other.stored().unwrap().parts;
        assert_eq!(
            progress.size,
            parts.iter().map(|part| part.len).sum::<u64>()
        );
        assert_eq!(progress.base_size < progress.size, has_grown);
    };
    check(rig, false);
    rig.append(3);
    check(rig, true);
    let save = rig.member.begin_save(rig.now, Purpose::Base).unwrap();
    rig.append(1);
    check(rig, true);
    rig.write_save(&save, 3).unwrap();
    rig.member.finish_save(rig.now, save).unwrap();
    check(rig, false);
    rig.append(1);
    check(rig, true);
    rig.restart();
    check(rig, false);
}

pub(super) fn replaced_files_stay_if_they_are_to<P: Place>(rig: &mut Rig<P>) {
    rig.apply(|settings| settings.keeps_history = true);
    rig.start(Trust::Whole).unwrap();
    rig.append(1);
    rig.save(Purpose::Base);
    assert_eq!(rig.manifest().lines().count(), 2);
    rig.restart();
    rig.append(1);
    rig.save(Purpose::Base);
    for _ in 0..10 {
        rig.place.breathe();
    }
    assert_eq!(rig.log_names().len(), 3 + 3 + 1);
    rig.apply(|settings| settings.keeps_history = false);
    rig.restart();
    let base = rig.base(3);
    let incr = format!("{LOG}.3.incr.aof");
    rig.until_names(&[&incr, &base, &format!("{LOG}.manifest")]);
}

pub(super) fn settings_change_while_the_log_runs<P: Place>(rig: &mut Rig<P>) {
    rig.start(Trust::Whole).unwrap();
    rig.append(3);
    let dir = rig.settings.dir.clone();
    let elsewhere = rig.path("elsewhere");
    rig.disk.borrow_mut().make_folder(&elsewhere).unwrap();
    rig.apply(|settings| {
        settings.dir = elsewhere.clone();
        settings.log = "other.aof".to_owned();
        settings.fsync = Fsync::Always;
    });
    let end = rig.released;
    rig.until("what was not synced is", |now| now.durable >= end);
    rig.append(1);
    rig.save(Purpose::Base);
    rig.save(Purpose::Snapshot);
    assert_eq!(rig.names(&elsewhere), [SNAPSHOT]);
    rig.apply(|settings| {
        settings.dir = dir;
        settings.log = LOG.to_owned();
        settings.fsync = Fsync::No;
    });
    rig.append(1);
    assert_eq!(rig.reached().0, 5);
    assert_eq!(rig.look().number, 5);
}

pub(super) fn times_are_annotated_once_a_second<P: Place>(rig: &mut Rig<P>) {
    rig.apply(|settings| {
        settings.timestamps = true;
        settings.fsync = Fsync::No;
    });
    rig.start(Trust::Whole).unwrap();
    for _ in 0..10 {
        rig.append(2);
        rig.pass(250);
    }
    assert_eq!(rig.look().times, 3);
    let save = rig.member.begin_save(rig.now, Purpose::Base).unwrap();
    rig.append(1);
    assert_eq!(rig.look().times, 4, "each file has its own");
    rig.member.abort_save(rig.now, save);
    let path = rig.log_path(&format!("{LOG}.1.incr.aof"));
    assert!(rig.contents(&path).starts_with(b"#TS:1700000000\r\n*3"));
}

pub(super) fn seals_go_on_behind_a_restart<P: Place>(rig: &mut Rig<P>) {
    rig.apply(|settings| settings.checksums = true);
    rig.start(Trust::Whole).unwrap();
    rig.append(2);
    rig.append(1);
    assert_eq!(rig.look().seals, 2);
    rig.restart();
    rig.append(1);
    assert_eq!(rig.look().seals, 3);
    let path = rig.log_path(&format!("{LOG}.1.incr.aof"));
    let opens = |bytes: &[u8]| String::from_utf8_lossy(bytes).matches("#DT:open").count();
    assert_eq!(opens(&rig.contents(&path)), 0);
    rig.apply(|settings| settings.checksums = false);
    rig.append(2);
    rig.restart();
    rig.apply(|settings| settings.checksums = true);
    rig.append(1);
    assert_eq!(rig.look().seals, 4);
    assert_eq!(opens(&rig.contents(&path)), 1);
    rig.save(Purpose::Base);
    rig.append(1);
    let found = rig.look();
    assert_eq!((found.seals, found.end.is_sealed), (1, true));
    let folder = rig.path(FOLDER);
    let file = rig
        .disk
        .borrow_mut()
        .open(&folder.join(format!("{LOG}.2.incr.aof")), Open::Read);
    assert!(file.is_ok());
}
