//! What a crash leaves, what a fault does, and that seeds repeat.

use super::*;

fn home(name: &str) -> PathBuf {
    Path::new(SimDisk::HOME).join(name)
}

fn made(disk: &mut SimDisk, name: &str, bytes: &[u8]) -> FileId {
    let file = disk.open(&home(name), Open::Create).unwrap();
    assert_eq!(disk.write(file, bytes), Ok(bytes.len()));
    file
}

/// The outcomes of crashing many disks that `prepare` has made alike.
fn outcomes(name: &str, prepare: fn(&mut SimDisk)) -> Vec<Option<Vec<u8>>> {
    let after = |seed| {
        let mut disk = SimDisk::new(seed);
        prepare(&mut disk);
        disk.crash_power();
        assert_eq!(disk.peek(&home(name)), disk.peek_durable(&home(name)));
        disk.peek(&home(name))
    };
    let mut found: Vec<_> = (0..400).map(after).collect();
    found.sort();
    found.dedup();
    found
}

#[test]
fn a_killed_process_loses_its_files_and_none_of_their_bytes() {
    let mut disk = SimDisk::new(1);
    let file = made(&mut disk, "a", b"abc");
    disk.start_sync(file, Sync::Data);
    disk.crash_process();
    disk.finish();
    assert_eq!(disk.synced(), None);
    assert_eq!(disk.write(file, b"d").unwrap_err().fault.errno, libc::EBADF);
    assert_eq!(disk.peek(&home("a")).unwrap(), b"abc");
}

#[test]
fn power_loss_keeps_synced_bytes_and_any_prefix_of_others() {
    let found = outcomes("a", |disk| {
        let file = made(disk, "a", b"ab");
        disk.sync(file, Sync::Data).unwrap();
        disk.sync_folder(Path::new(SimDisk::HOME)).unwrap();
        disk.write(file, b"cde").unwrap();
    });
    let expected = ["ab", "abc", "abcd", "abcde"].map(|text| Some(text.as_bytes().to_vec()));
    assert_eq!(found, expected);
}

#[test]
fn power_loss_may_take_a_name_until_its_folder_is_synced() {
    let found = outcomes("a", |disk| {
        let file = made(disk, "a", b"ab");
        disk.sync(file, Sync::All).unwrap();
    });
    assert_eq!(found, [None, Some(b"ab".to_vec())]);
}

#[test]
fn a_rename_is_old_or_new_and_new_after_the_folders_sync() {
    fn replace(disk: &mut SimDisk) {
        disk.plant(&home("a"), b"old");
        let file = made(disk, "t", b"new");
        disk.sync(file, Sync::Data).unwrap();
        disk.rename(&home("t"), &home("a")).unwrap();
    }
    let found = outcomes("a", replace);
    assert_eq!(found, [Some(b"new".to_vec()), Some(b"old".to_vec())]);
    let found = outcomes("a", |disk| {
        replace(disk);
        disk.sync_folder(Path::new(SimDisk::HOME)).unwrap();
    });
    assert_eq!(found, [Some(b"new".to_vec())]);
}

#[test]
fn a_rename_without_a_sync_of_the_file_can_leave_it_empty() {
    let found = outcomes("a", |disk| {
        disk.plant(&home("a"), b"old");
        made(disk, "t", b"new");
        disk.rename(&home("t"), &home("a")).unwrap();
        disk.sync_folder(Path::new(SimDisk::HOME)).unwrap();
    });
    assert!(found.contains(&Some(Vec::new())), "{found:?}");
    assert!(!found.contains(&Some(b"old".to_vec())), "{found:?}");
}

#[test]
fn what_was_removed_comes_back_unless_its_folder_was_synced() {
    let found = outcomes("a", |disk| {
        disk.plant(&home("a"), b"old");
        disk.remove(&home("a")).unwrap();
    });
    assert_eq!(found, [None, Some(b"old".to_vec())]);
}

#[test]
fn a_folder_that_was_not_synced_takes_its_files_with_it() {
    let found = outcomes("sub/a", |disk| {
        disk.make_folder(&home("sub")).unwrap();
        let file = made(disk, "sub/a", b"x");
        disk.sync(file, Sync::Data).unwrap();
        disk.sync_folder(&home("sub")).unwrap();
    });
    assert_eq!(found, [None, Some(b"x".to_vec())]);
}

#[test]
fn a_cut_takes_nothing_that_was_synced_behind_an_earlier_one() {
    let found = outcomes("a", |disk| {
        disk.set_sync_steps(5..=5);
        let file = made(disk, "a", b"abcd");
        disk.sync_folder(Path::new(SimDisk::HOME)).unwrap();
        disk.truncate(file, 1).unwrap();
        disk.write(file, b"xy").unwrap();
        disk.start_sync(file, Sync::Data);
        disk.write(file, b"z").unwrap();
        disk.truncate(file, 3).unwrap();
        disk.finish();
        assert!(disk.synced().unwrap().result.is_ok());
    });
    assert_eq!(found, [Some(b"axy".to_vec())]);
}

#[test]
fn a_cut_that_was_not_synced_may_be_undone() {
    let found = outcomes("a", |disk| {
        disk.plant(&home("a"), b"abcd");
        let file = disk.open(&home("a"), Open::Append).unwrap();
        disk.truncate(file, 2).unwrap();
        disk.write(file, b"X").unwrap();
    });
    let expected = ["ab", "abX", "abcd"].map(|text| Some(text.as_bytes().to_vec()));
    assert_eq!(found, expected);
}

#[test]
fn a_background_sync_covers_what_was_written_before_it_began() {
    let mut disk = SimDisk::new(3);
    let file = made(&mut disk, "a", b"ab");
    disk.set_sync_steps(3..=3);
    disk.start_sync(file, Sync::Data);
    disk.write(file, b"cd").unwrap();
    for _ in 0..2 {
        disk.tick();
        assert_eq!(disk.synced(), None);
    }
    assert_eq!(disk.peek_durable(&home("a")).unwrap(), b"");
    disk.tick();
    let end = disk.synced().unwrap();
    assert_eq!((end.len, end.result), (2, Ok(())));
    assert_eq!(disk.peek_durable(&home("a")).unwrap(), b"ab");
}

#[test]
fn a_failed_sync_drops_its_bytes_for_ever() {
    let mut disk = SimDisk::new(4);
    let file = made(&mut disk, "a", b"ab");
    disk.sync(file, Sync::Data).unwrap();
    disk.write(file, b"cd").unwrap();
    disk.fail_nth(Call::Sync, 1, libc::EIO);
    assert_eq!(
        disk.sync(file, Sync::Data).unwrap_err().fault.errno,
        libc::EIO
    );
    // The running system still sees them, and the next sync succeeds without them.
    disk.write(file, b"ef").unwrap();
    disk.sync(file, Sync::Data).unwrap();
    assert_eq!(disk.peek(&home("a")).unwrap(), b"abcdef");
    assert_eq!(disk.peek_durable(&home("a")).unwrap(), b"ab\0\0ef");
    disk.sync_folder(Path::new(SimDisk::HOME)).unwrap();
    disk.crash_power();
    assert_eq!(disk.peek(&home("a")).unwrap(), b"ab\0\0ef");
}

#[test]
fn rewriting_dropped_bytes_makes_them_good_again() {
    let mut disk = SimDisk::new(5);
    let file = made(&mut disk, "a", b"abcd");
    disk.fail_nth(Call::Sync, 1, libc::EIO);
    disk.start_sync(file, Sync::Data);
    disk.finish();
    assert!(disk.synced().unwrap().result.is_err());
    disk.truncate(file, 1).unwrap();
    disk.write(file, b"xyz").unwrap();
    disk.sync(file, Sync::Data).unwrap();
    assert_eq!(disk.peek_durable(&home("a")).unwrap(), b"\0xyz");
}

#[test]
fn a_sync_that_ends_late_does_not_undo_a_newer_one() {
    let mut disk = SimDisk::new(6);
    let file = made(&mut disk, "a", b"ab");
    disk.start_sync(file, Sync::Data);
    disk.write(file, b"cd").unwrap();
    disk.sync(file, Sync::Data).unwrap();
    disk.finish();
    assert_eq!(disk.peek_durable(&home("a")).unwrap(), b"abcd");
}

#[test]
fn unwritten_sectors_hold_zeros_or_anything_but_never_change_synced_bytes() {
    let mut seen = [false; 2];
    for seed in 0..200 {
        for tear in [Tear::Zeros, Tear::Garbage] {
            let mut disk = SimDisk::new(seed);
            disk.set_tears(&[tear]);
            disk.plant(&home("a"), &[1; 700]);
            let file = disk.open(&home("a"), Open::Append).unwrap();
            disk.write(file, &[2; 5000]).unwrap();
            disk.crash_power();
            let left = disk.peek(&home("a")).unwrap();
            assert_eq!(left[..700], [1; 700]);
            for byte in &left[700..] {
                seen[0] |= *byte == 0;
                seen[1] |= *byte > 2;
                assert!(tear == Tear::Garbage || matches!(byte, 0 | 2));
            }
        }
    }
    assert_eq!(seen, [true; 2]);
}

#[test]
fn a_full_disk_takes_what_fits_and_then_nothing() {
    let mut disk = SimDisk::new(7);
    disk.set_capacity(Some(5));
    let file = made(&mut disk, "a", b"abc");
    assert_eq!(disk.write(file, b"defg"), Ok(2));
    let full = disk.write(file, b"h").unwrap_err().fault;
    assert_eq!((full.op, full.errno), ("write", libc::ENOSPC));
    disk.truncate(file, 1).unwrap();
    assert_eq!(disk.write(file, b"h"), Ok(1));
}

#[test]
fn faults_come_by_number_and_by_chance() {
    let mut disk = SimDisk::new(8);
    let file = made(&mut disk, "a", b"");
    disk.fail_nth(Call::Write, 2, libc::EIO);
    let results: Vec<_> = (0..4).map(|_| disk.write(file, b"x").is_ok()).collect();
    assert_eq!(results, [true, false, true, true]);
    disk.fail_often(Call::Write, 128, libc::EIO);
    let failed = (0..200).filter(|_| disk.write(file, b"x").is_err()).count();
    assert!((50..150).contains(&failed), "{failed} of 200");
    disk.fail_often(Call::Write, 0, libc::EIO);
    assert!((0..200).all(|_| disk.write(file, b"x").is_ok()));
}

#[test]
fn a_dead_machine_does_nothing_until_it_is_restarted() {
    let mut disk = SimDisk::new(9);
    let file = made(&mut disk, "a", b"ab");
    disk.die_at(Some(disk.tally().calls + 2));
    assert_eq!(disk.write(file, b"c"), Ok(1));
    disk.start_sync(file, Sync::Data);
    assert!(disk.is_dead());
    assert!(disk.write(file, b"d").is_err());
    disk.finish();
    assert_eq!(disk.synced(), None);
    disk.crash_process();
    assert_eq!(disk.peek(&home("a")).unwrap(), b"abc");
    assert!(disk.open(&home("a"), Open::Append).is_ok());
}

/// Everything that a random life of a disk says, and what is left at its end.
fn life(seed: u64) -> String {
    let mut disk = SimDisk::new(seed);
    disk.set_tears(&[Tear::Prefix, Tear::Zeros, Tear::Garbage]);
    disk.set_short_writes(60);
    disk.fail_often(Call::Sync, 20, libc::EIO);
    let mut chance = Rng::new(seed);
    let mut said = String::new();
    let mut file = made(&mut disk, "a", b"");
    for turn in 0..200_u64 {
        let what = match chance.below(9) {
            0 => format!("{:?}", disk.sync(file, Sync::Data)),
            1 => format!("{:?}", disk.truncate(file, chance.below(40))),
            2 => format!("{:?}", disk.rename(&home("a"), &home("b"))),
            3 => format!("{:?}", disk.sync_folder(Path::new(SimDisk::HOME))),
            4 if chance.below(4) == 0 => {
                disk.crash_power();
                file = made(&mut disk, "a", b"");
                format!("{:?}", disk.peek(&home("b")))
            }
            5 => {
                disk.start_sync(file, Sync::All);
                disk.tick();
                format!("{:?}", disk.synced())
            }
            _ => format!("{:?}", disk.write(file, &turn.to_le_bytes())),
        };
        said.push_str(&what);
    }
    format!("{said}{:?}", disk.tally())
}

#[test]
fn a_seed_repeats() {
    for seed in 0..50 {
        assert_eq!(life(seed), life(seed));
    }
}
