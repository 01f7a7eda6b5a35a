//! What members do when the disk does not do what it should.

use super::rig::{Rig, SNAPSHOT, Trust, whole};
use super::{Simulated, logs};
use dovetail_engine::base::Micros;
use dovetail_engine::seam::persistence::{
    Begin, Format, Fsync, LogEnd, PersistError, Progress, Purpose, Trouble,
};
use dovetail_tests::sim::Call;

/// Runs a case for each log on each policy.
fn each(name: &str, case: impl Fn(&mut Rig<Simulated>, Fsync)) {
    for entry in logs() {
        for fsync in [Fsync::Always, Fsync::EverySec, Fsync::No] {
            let mut rig = Rig::new(entry, name);
            rig.sim().set_short_writes(0);
            rig.apply(|settings| settings.fsync = fsync);
            case(&mut rig, fsync);
        }
    }
}

fn started(name: &str, case: impl Fn(&mut Rig<Simulated>, Fsync)) {
    each(name, |rig, fsync| {
        rig.start(Trust::Whole).unwrap();
        rig.append(2);
        rig.sim().finish();
        rig.advance();
        case(rig, fsync);
    });
}

fn write_error(progress: &Progress) -> Option<i32> {
    match &progress.trouble {
        Some(Trouble::Write(error)) => Some(error.fault.errno),
        _ => None,
    }
}

fn sync_error(progress: &Progress) -> Option<i32> {
    match &progress.trouble {
        Some(Trouble::Sync(error)) => Some(error.fault.errno),
        _ => None,
    }
}

/// Bytes that are on the disk now.
fn used(rig: &mut Rig<Simulated>) -> u64 {
    let mut used = 0;
    for folder in [rig.path(""), rig.path("appendonlydir")] {
        for name in rig.names(&folder) {
            used += rig.sim().peek(&folder.join(name)).unwrap().len() as u64;
        }
    }
    used
}

#[test]
fn a_full_disk_holds_batches_until_there_is_room() {
    started("full", |rig, _| {
        let room = used(rig) + 100;
        rig.sim().set_capacity(Some(room));
        for _ in 0..4 {
            rig.append(2);
            rig.sim().finish();
        }
        let progress = rig.advance();
        assert_eq!(write_error(&progress), Some(libc::ENOSPC));
        assert!(!progress.needs_base && progress.buffered > 0);
        let (released, _) = rig.reached();
        assert!(released < rig.number);
        assert_eq!(rig.look().cut, None, "no batch is there in part");
        assert_eq!(rig.look().number, released);
        let refused = rig.member.begin_save(rig.now, Purpose::Base);
        assert!(matches!(refused, Err(PersistError::Disk(_))));
        rig.sim().set_capacity(None);
        let due = rig.advance().due.unwrap();
        assert!(due.minus(rig.now.monotonic) <= Micros::from_millis(100));
        rig.now.monotonic = due;
        let progress = rig.advance();
        assert_eq!((progress.trouble, progress.buffered), (None, 0));
        assert_eq!(rig.look().number, 10);
        rig.sim().finish();
        assert_eq!(rig.reached().0, 10);
        rig.append(1);
        assert_eq!(rig.look().number, 11);
    });
}

#[test]
fn a_failed_write_is_not_tried_again_at_once() {
    started("again", |rig, _| {
        rig.sim().fail_often(Call::Write, 256, libc::EIO);
        rig.append(1);
        let calls = rig.sim().tally().calls;
        for _ in 0..5 {
            rig.pass(19);
            assert_eq!(write_error(&rig.advance()), Some(libc::EIO));
        }
        assert_eq!(rig.sim().tally().calls, calls);
        rig.pass(19);
        rig.advance();
        assert!(rig.sim().tally().calls > calls);
        rig.sim().fail_often(Call::Write, 0, libc::EIO);
        rig.append(1);
        assert_eq!(rig.advance().trouble, None, "a new batch is a good moment");
        assert_eq!(rig.look().number, 4);
    });
}

#[test]
fn what_cannot_be_cut_off_is_not_written_twice() {
    started("twice", |rig, _| {
        let room = used(rig) + 10;
        rig.sim().set_capacity(Some(room));
        rig.sim().fail_often(Call::Truncate, 256, libc::EIO);
        rig.append(1);
        rig.append(1);
        assert!(write_error(&rig.advance()).is_some());
        assert!(rig.look().cut.is_some(), "a part of a batch is there");
        rig.sim().set_capacity(Some(room + 10));
        rig.append(1);
        rig.sim().set_capacity(None);
        rig.pass(100);
        assert_eq!(rig.advance().trouble, None);
        assert_eq!(rig.look().number, 5);
        // The same, but then it can be cut off.
        let room = used(rig) + 10;
        rig.sim().set_capacity(Some(room));
        rig.append(1);
        rig.sim().fail_often(Call::Truncate, 0, libc::EIO);
        rig.append(1);
        assert_eq!(rig.look().cut, None);
        rig.sim().set_capacity(None);
        rig.append(1);
        assert_eq!(rig.look().number, 8);
    });
}

#[test]
fn a_failed_sync_asks_for_a_new_base() {
    started("sync", |rig, fsync| {
        if fsync == Fsync::No {
            return;
        }
        rig.pass(2000);
        let before = rig.reached().1;
        rig.sim().fail_nth(Call::Sync, 1, libc::EIO);
        rig.append(1);
        rig.sim().finish();
        let progress = rig.advance();
        assert_eq!(sync_error(&progress), Some(libc::EIO));
        assert!(progress.needs_base);
        // It is never synced again, and nothing is durable any more.
        let syncs = rig.sim().tally().syncs;
        for _ in 0..4 {
            rig.pass(1500);
            rig.append(1);
            rig.sim().finish();
            assert!(sync_error(&rig.advance()).is_some());
        }
        assert_eq!(rig.sim().tally().syncs, syncs);
        let (released, durable) = rig.reached();
        assert_eq!(durable, before);
        let expected = if fsync == Fsync::Always {
            before
        } else {
            rig.number
        };
        assert_eq!(released, expected);
        assert!(rig.member.close(rig.now).is_err(), "something may be lost");

        let save = rig.member.begin_save(rig.now, Purpose::Base).unwrap();
        let number = rig.number;
        rig.append(2);
        rig.sim().finish();
        assert!(
            sync_error(&rig.advance()).is_some(),
            "a base that is begun is none"
        );
        // What comes now is in no file that is loaded: nobody may hear of it yet.
        assert_eq!(rig.look().number, number);
        assert_eq!(rig.reached(), (expected, before));
        rig.write_save(&save, number).unwrap();
        rig.member.finish_save(rig.now, save).unwrap();
        let progress = rig.advance();
        assert_eq!((progress.trouble, progress.needs_base), (None, false));
        rig.pass(2000);
        rig.advance();
        rig.sim().finish();
        assert_eq!(rig.reached(), (number + 2, number + 2));
        rig.sim().crash_power();
        assert_eq!(rig.restart(), number + 2);
    });
}

#[test]
fn what_is_kept_apart_is_not_released_before_there_is_a_base() {
    started("apart", |rig, _| {
        // Of the rotation.
        rig.sim().fail_nth(Call::Sync, 1, libc::EIO);
        for is_wanted in [false, false, true] {
            let save = rig.member.begin_save(rig.now, Purpose::Base).unwrap();
            assert_eq!(sync_error(&rig.advance()), Some(libc::EIO), "at once");
            let number = rig.number;
            rig.append(2);
            rig.pass(2000);
            rig.sim().finish();
            rig.advance();
            rig.sim().finish();
            let (released, durable) = rig.reached();
            assert!(released <= 2 && durable <= released);
            assert_eq!(rig.look().number, 2, "the process may be killed now");
            if !is_wanted {
                rig.member.abort_save(rig.now, save);
                continue;
            }
            rig.write_save(&save, number).unwrap();
            rig.member.finish_save(rig.now, save).unwrap();
            assert_eq!(rig.look().number, rig.number);
        }
        rig.sim().finish();
        rig.advance();
        let (number, progress) = (rig.number, rig.advance());
        assert_eq!((progress.trouble, progress.needs_base), (None, false));
        assert_eq!(rig.reached().0, number);
        rig.append(1);
        rig.sim().crash_process();
        assert_eq!(rig.restart(), number + 1);
    });
}

#[test]
fn a_sync_that_fails_behind_a_rotation_counts_all_the_same() {
    started("late", |rig, fsync| {
        if fsync == Fsync::No {
            return;
        }
        rig.pass(2000);
        rig.sim().set_sync_steps(50..=50);
        rig.append(1);
        rig.advance();
        let save = rig.member.begin_save(rig.now, Purpose::Base).unwrap();
        rig.append(1);
        assert!(rig.reached().1 < 3, "one of two syncs is not enough");
        rig.sim().fail_nth(Call::Sync, 1, libc::EIO);
        rig.sim().finish();
        assert!(sync_error(&rig.advance()).is_some());
        rig.write_save(&save, 3).unwrap();
        rig.member.finish_save(rig.now, save).unwrap();
        assert_eq!(
            rig.advance().trouble,
            None,
            "this base has what it was about"
        );
        assert!(rig.reached().1 >= 3);
    });
}

#[test]
fn a_slow_sync_postpones_writes_for_two_seconds() {
    for entry in logs() {
        let mut rig = Rig::<Simulated>::new(entry, "slow");
        rig.start(Trust::Whole).unwrap();
        rig.sim().set_sync_steps(1000..=1000);
        rig.append(1);
        assert_eq!(rig.advance().syncs_under_way, 1);
        rig.pass(1000);
        rig.append(1);
        assert_eq!(rig.reached().0, 2, "it has not been for long");
        rig.pass(1);
        rig.append(1);
        let progress = rig.advance();
        assert!(progress.buffered > 0 && progress.trouble.is_none());
        let since = rig.now.monotonic;
        assert_eq!(progress.due, Some(since.plus(Micros::from_secs(2))));
        rig.pass(1999);
        rig.append(1);
        assert_eq!(rig.reached().0, 2);
        rig.pass(1);
        let progress = rig.advance();
        assert_eq!((progress.buffered, progress.delayed), (0, 1));
        assert_eq!(progress.longest_delay, Micros::from_secs(2));
        assert_eq!(rig.reached().0, 4);
        rig.append(1);
        assert!(rig.advance().buffered > 0);
        rig.sim().finish();
        assert_eq!(rig.advance().buffered, 0, "the sync has ended");
        assert_eq!(rig.advance().delayed, 1);
        assert_eq!(rig.look().number, 5);
    }
}

#[test]
fn nothing_is_synced_beside_a_save_if_that_is_asked_for() {
    started("beside", |rig, fsync| {
        rig.apply(|settings| settings.no_fsync_on_rewrite = true);
        for purpose in [Purpose::Snapshot, Purpose::Base] {
            let save = rig.member.begin_save(rig.now, purpose).unwrap();
            let number = rig.number;
            rig.sim().finish();
            let syncs = rig.sim().tally().syncs;
            for _ in 0..3 {
                rig.append(1);
                rig.pass(1500);
                rig.sim().finish();
                assert_eq!(rig.reached().0, rig.number, "it is released");
            }
            assert_eq!(rig.sim().tally().syncs, syncs);
            rig.write_save(&save, number).unwrap();
            rig.member.finish_save(rig.now, save).unwrap();
            rig.sim().finish();
            let expected = if fsync == Fsync::No { 0 } else { rig.number };
            assert!(rig.reached().1 >= expected);
        }
    });
}

#[test]
fn a_save_that_cannot_be_prepared_changes_nothing() {
    started("prepare", |rig, _| {
        let calls = [
            (Call::Names, 1),
            (Call::Open, 1),
            (Call::Open, 2),
            (Call::SyncFolder, 1),
            (Call::Write, 1),
            (Call::Rename, 1),
        ];
        let (names, manifest) = (rig.log_names(), rig.manifest());
        for (call, nth) in calls {
            rig.sim().fail_nth(call, nth, libc::EIO);
            let refused = rig.member.begin_save(rig.now, Purpose::Base);
            assert!(refused.is_err(), "{call:?} {nth}");
            assert_eq!(rig.log_names(), names);
            assert_eq!(rig.manifest(), manifest);
            rig.append(1);
            assert_eq!(rig.look().number, rig.number);
            assert_eq!(rig.advance().trouble, None);
        }
        rig.save(Purpose::Base);
        assert_eq!(rig.look().number, rig.number);
    });
}

#[test]
fn a_manifest_that_power_may_take_back_holds_what_is_durable() {
    started("doubt", |rig, _| {
        rig.sim().fail_nth(Call::SyncFolder, 2, libc::EIO);
        let save = rig.member.begin_save(rig.now, Purpose::Base).unwrap();
        let (number, durable) = (rig.number, rig.reached().1);
        rig.append(2);
        rig.pass(2000);
        rig.advance();
        rig.sim().finish();
        let progress = rig.advance();
        assert!(sync_error(&progress).is_some() && progress.needs_base);
        assert_eq!(rig.reached().1, durable);
        assert_eq!(rig.look().number, number + 2);
        rig.write_save(&save, number).unwrap();
        rig.member.finish_save(rig.now, save).unwrap();
        assert_eq!(rig.advance().trouble, None);
        assert_eq!(rig.look().number, number + 2);
    });
}

#[test]
fn a_base_that_cannot_be_taken_over_leaves_what_was_there() {
    started("take", |rig, _| {
        let calls = [
            (Call::Length, 1),
            (Call::Names, 1),
            (Call::Rename, 1),
            (Call::SyncFolder, 1),
            (Call::SyncFolder, 2),
            (Call::Write, 1),
            (Call::Rename, 2),
        ];
        for (call, nth) in calls {
            let save = rig.member.begin_save(rig.now, Purpose::Base).unwrap();
            rig.append(1);
            rig.write_save(&save, rig.number - 1).unwrap();
            let manifest = rig.manifest();
            rig.sim().fail_nth(call, nth, libc::EIO);
            let refused = rig.member.finish_save(rig.now, save);
            assert!(refused.is_err(), "{call:?} {nth}");
            rig.append(1);
            assert_eq!(rig.manifest(), manifest);
            assert_eq!(rig.look().number, rig.number);
            let home = rig.home();
            assert_eq!(rig.names(&home), [""; 0], "{call:?} {nth}");
            let bases = rig.log_names();
            let bases = bases.iter().filter(|name| name.contains("base"));
            assert_eq!(bases.count(), 1, "{call:?} {nth}");
        }
        // Behind the rename the new manifest is the one that is seen.
        let save = rig.member.begin_save(rig.now, Purpose::Base).unwrap();
        rig.append(1);
        rig.write_save(&save, rig.number - 1).unwrap();
        rig.sim().fail_nth(Call::SyncFolder, 3, libc::EIO);
        assert!(rig.member.finish_save(rig.now, save).is_err());
        rig.append(1);
        assert!(rig.advance().needs_base);
        assert_eq!(rig.look().number, rig.number);
        rig.save(Purpose::Base);
        rig.append(1);
        assert!(!rig.advance().needs_base);
        assert_eq!(rig.look().number, rig.number);
        assert_eq!(rig.manifest().lines().count(), 2);
    });
}

/// Lets the first call of a kind fail, the second, and so on, for as long as that has an effect:
/// `case` says so.
fn at_every(calls: &[Call], name: &str, case: impl Fn(&mut Rig<Simulated>, Call, u64) -> bool) {
    each(name, |rig, fsync| {
        for call in calls {
            for nth in 1.. {
                let mut fresh = Rig::new(rig.entry, name);
                fresh.apply(|settings| settings.fsync = fsync);
                if !case(&mut fresh, *call, nth) {
                    assert!(nth > 1, "there is no {call:?}");
                    break;
                }
                assert!(nth < 50, "{call:?} without end");
            }
        }
    });
}

#[test]
fn a_live_base_that_cannot_be_taken_over_is_tried_again() {
    let calls = [
        Call::Open,
        Call::Write,
        Call::Rename,
        Call::SyncFolder,
        Call::Names,
    ];
    at_every(&calls, "live", |rig, call, nth| {
        rig.start_live(10).unwrap();
        rig.append(1);
        let save = rig.member.begin_save(rig.now, Purpose::Base).unwrap();
        rig.append(1);
        rig.write_save(&save, 11).unwrap();
        rig.sim().fail_nth(call, nth, libc::EIO);
        let finished = rig.member.finish_save(rig.now, save);
        let was_hit = !rig.sim().forgive();
        let has_failed = finished.is_err();
        // What has failed behind the new manifest's name is seen, but not safe.
        let found = rig.look().number;
        assert!(found == 0 || found == 12, "{found}");
        assert_eq!(has_failed, rig.advance().needs_base);
        if has_failed {
            assert_eq!(rig.reached().1, 10);
        }
        rig.append(1);
        rig.save(Purpose::Base);
        rig.append(1);
        assert!(!rig.advance().needs_base);
        assert_eq!(rig.look().number, 14);
        was_hit
    });
}

#[test]
fn a_live_log_that_power_may_take_back_is_not_more_durable_apart() {
    at_every(&[Call::SyncFolder], "back", |rig, call, nth| {
        rig.start_live(10).unwrap();
        rig.append(1);
        let save = rig.member.begin_save(rig.now, Purpose::Base).unwrap();
        rig.append(1);
        rig.write_save(&save, 11).unwrap();
        rig.sim().fail_nth(call, nth, libc::EIO);
        let finished = rig.member.finish_save(rig.now, save);
        let was_hit = !rig.sim().forgive();
        if finished.is_err() {
            rig.sim().fail_nth(Call::Sync, 1, libc::EIO);
            let save = rig.member.begin_save(rig.now, Purpose::Base).unwrap();
            rig.append(1);
            assert_eq!(rig.reached().1, 10);
            rig.member.abort_save(rig.now, save);
            rig.sim().forgive();
        }
        rig.save(Purpose::Base);
        rig.append(1);
        assert!(!rig.advance().needs_base);
        assert_eq!(rig.look().number, rig.number);
        was_hit
    });
}

#[test]
fn a_log_that_cannot_begin_can_begin_later() {
    let calls = [
        Call::Open,
        Call::Write,
        Call::Rename,
        Call::Read,
        Call::SyncFolder,
        Call::MakeFolder,
        Call::Names,
    ];
    at_every(&calls, "begin", |rig, call, nth| {
        let snapshot = rig.path(SNAPSHOT);
        rig.plant(&snapshot, &whole(Format::Rdb, 8));
        rig.member.stored().unwrap();
        rig.sim().fail_nth(call, nth, libc::EIO);
        let begin = Begin::Loaded(LogEnd::default());
        let begun = rig.member.begin(rig.now, 0, begin);
        let was_hit = !rig.sim().forgive();
        assert!(was_hit || begun.is_ok());
        rig.next_life();
        assert_eq!(rig.restart(), 8);
        rig.append(1);
        assert_eq!(rig.look().number, 9);
        was_hit
    });
}

#[test]
fn a_snapshots_failure_is_nothing_to_the_log() {
    started("snapshot", |rig, _| {
        let save = rig.member.begin_save(rig.now, Purpose::Snapshot).unwrap();
        rig.append(1);
        rig.sim().fail_nth(Call::Rename, 1, libc::EIO);
        assert!(rig.write_save(&save, 2).is_err());
        rig.member.abort_save(rig.now, save);
        let home = rig.home();
        assert_eq!(rig.names(&home), [""; 0]);
        assert_eq!(rig.look().number, 3);
    });
}
