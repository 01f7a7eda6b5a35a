//! The rules of the disk's seam, one case each.

use super::{Place, Rig, Rings};
use dovetail_engine::seam::disk::{Disk, FileId, Open, Sync};
use std::sync::Arc;
use std::sync::atomic::Ordering;

pub(super) fn what_is_written_is_read_in_order<P: Place>(rig: &mut Rig<P>) {
    let bytes: Vec<u8> = (0..100_000_u32).flat_map(u32::to_le_bytes).collect();
    let file = rig.open("a", Open::Create);
    for piece in bytes.chunks(777) {
        rig.write(file, piece);
    }
    assert_eq!(rig.disk().len(file), Ok(bytes.len() as u64));
    let mut whole = vec![0; bytes.len() + 1];
    assert_eq!(rig.disk().read(file, 0, &mut whole), Ok(bytes.len()));
    assert!(whole[..bytes.len()] == bytes);
}

pub(super) fn a_file_that_is_written_can_be_read<P: Place>(rig: &mut Rig<P>) {
    for how in [Open::CreateNew, Open::Append, Open::Create] {
        let file = rig.open("a", how);
        let before = rig.disk().len(file).unwrap();
        rig.write(file, b"xyz");
        let mut into = [0; 3];
        assert_eq!(rig.disk().read(file, before, &mut into), Ok(3));
        assert_eq!(&into, b"xyz");
        rig.disk().close(file);
    }
}

pub(super) fn opening_asks_for_what_it_says<P: Place>(rig: &mut Rig<P>) {
    let path = rig.path("a");
    for how in [Open::Read, Open::Append] {
        let error = rig.disk().open(&path, how).unwrap_err();
        assert_eq!(error.fault.errno, libc::ENOENT);
    }
    let file = rig.open("a", Open::CreateNew);
    rig.write(file, b"old");
    let error = rig.disk().open(&path, Open::CreateNew).unwrap_err();
    assert_eq!(error.fault.errno, libc::EEXIST);
    assert_eq!(rig.contents("a"), b"old");
    rig.open("a", Open::Create);
    assert_eq!(rig.contents("a"), b"");
    let nowhere = rig.path("no/a");
    let error = rig.disk().open(&nowhere, Open::Create).unwrap_err();
    assert_eq!(error.fault.errno, libc::ENOENT);
}

pub(super) fn what_is_only_read_cannot_be_written<P: Place>(rig: &mut Rig<P>) {
    rig.made("a", b"abc");
    let file = rig.open("a", Open::Read);
    assert!(rig.disk().write(file, b"x").is_err());
    assert!(rig.disk().truncate(file, 0).is_err());
    assert_eq!(rig.contents("a"), b"abc");
}

pub(super) fn appending_follows_what_is_there<P: Place>(rig: &mut Rig<P>) {
    let file = rig.made("a", b"abc");
    rig.disk().close(file);
    let file = rig.open("a", Open::Append);
    rig.write(file, b"def");
    assert_eq!(rig.contents("a"), b"abcdef");
}

pub(super) fn after_a_cut_writing_goes_on_at_the_cut<P: Place>(rig: &mut Rig<P>) {
    let file = rig.made("a", b"abcdef");
    rig.disk().truncate(file, 2).unwrap();
    assert_eq!(rig.disk().len(file), Ok(2));
    rig.write(file, b"X");
    assert_eq!(rig.contents("a"), b"abX");
    rig.disk().truncate(file, 0).unwrap();
    rig.write(file, b"Y");
    assert_eq!(rig.contents("a"), b"Y");
}

pub(super) fn two_that_append_do_not_overwrite_each_other<P: Place>(rig: &mut Rig<P>) {
    let first = rig.made("a", b"1");
    let second = rig.open("a", Open::Append);
    rig.write(second, b"2");
    rig.write(first, b"3");
    rig.write(second, b"4");
    assert_eq!(rig.contents("a"), b"1234");
}

pub(super) fn reading_stops_at_the_end<P: Place>(rig: &mut Rig<P>) {
    let file = rig.made("a", b"abc");
    let mut into = [b'-'; 4];
    assert_eq!(rig.disk().read(file, 2, &mut into), Ok(1));
    assert_eq!(&into, b"c---");
    assert_eq!(rig.disk().read(file, 3, &mut into), Ok(0));
    assert_eq!(rig.disk().read(file, 1 << 40, &mut into), Ok(0));
    assert_eq!(rig.disk().read(file, 0, &mut []), Ok(0));
}

pub(super) fn nothing_is_written_of_nothing<P: Place>(rig: &mut Rig<P>) {
    let file = rig.made("a", b"");
    assert_eq!(rig.disk().write(file, b""), Ok(0));
    assert_eq!(rig.disk().len(file), Ok(0));
}

pub(super) fn the_next_process_finds_what_was_written<P: Place>(rig: &mut Rig<P>) {
    rig.made("a", b"abc");
    rig.place.next_life();
    assert_eq!(rig.contents("a"), b"abc");
}

pub(super) fn files_that_are_not_open_are_refused<P: Place>(rig: &mut Rig<P>) {
    let file = rig.made("a", b"abc");
    rig.disk().close(file);
    rig.disk().close(file);
    for file in [file, FileId(u64::MAX)] {
        let disk = rig.disk();
        assert_eq!(disk.len(file).unwrap_err().fault.errno, libc::EBADF);
        assert!(disk.write(file, b"x").is_err());
        assert!(disk.read(file, 0, &mut [0]).is_err());
        assert!(disk.truncate(file, 0).is_err());
        assert!(disk.sync(file, Sync::Data).is_err());
    }
    assert_eq!(rig.contents("a"), b"abc");
}

pub(super) fn numbers_are_not_used_again<P: Place>(rig: &mut Rig<P>) {
    let first = rig.made("a", b"");
    rig.disk().close(first);
    let second = rig.open("a", Open::Append);
    assert_ne!(first, second);
}

pub(super) fn renaming_replaces<P: Place>(rig: &mut Rig<P>) {
    rig.made("old", b"old");
    rig.made("new", b"new");
    let (from, to) = (rig.path("new"), rig.path("old"));
    rig.disk().rename(&from, &to).unwrap();
    assert_eq!(rig.names(), ["old"]);
    assert_eq!(rig.contents("old"), b"new");
    let error = rig.disk().rename(&from, &to).unwrap_err();
    assert_eq!(error.fault.errno, libc::ENOENT);
    assert_eq!(rig.contents("old"), b"new");
}

pub(super) fn an_open_file_follows_its_bytes_not_its_name<P: Place>(rig: &mut Rig<P>) {
    let file = rig.made("a", b"1");
    let (from, to) = (rig.path("a"), rig.path("b"));
    rig.disk().rename(&from, &to).unwrap();
    let other = rig.made("a", b"x");
    rig.write(file, b"2");
    rig.write(other, b"y");
    assert_eq!(rig.contents("b"), b"12");
    assert_eq!(rig.contents("a"), b"xy");
}

pub(super) fn removing_takes_the_name_and_leaves_open_files<P: Place>(rig: &mut Rig<P>) {
    let file = rig.made("a", b"abc");
    let path = rig.path("a");
    rig.disk().remove(&path).unwrap();
    assert_eq!(rig.names(), [""; 0]);
    rig.write(file, b"def");
    assert_eq!(rig.read(file), b"abcdef");
    assert!(rig.disk().open(&path, Open::Read).is_err());
}

pub(super) fn removing_what_is_not_there_is_an_error<P: Place>(rig: &mut Rig<P>) {
    let path = rig.path("a");
    let error = rig.disk().remove(&path).unwrap_err();
    assert_eq!((error.path, error.fault.errno), (path, libc::ENOENT));
}

pub(super) fn removals_in_the_background_free_names_at_once<P: Place>(rig: &mut Rig<P>) {
    let file = rig.made("a", &[7; 100_000]);
    rig.made("b", b"");
    for name in ["a", "b", "never"] {
        let path = rig.path(name);
        rig.disk().start_removal(&path);
    }
    assert_eq!(rig.names(), [""; 0]);
    rig.made("b", b"another");
    for _ in 0..20 {
        rig.place.breathe();
        assert_eq!(rig.contents("b"), b"another");
    }
    let path = rig.path("b");
    rig.disk().remove(&path).unwrap();
    // Closed after its name has gone: this gives its bytes back.
    rig.disk().close(file);
    assert_eq!(rig.disk().synced(), None);
}

pub(super) fn folders_are_no_files<P: Place>(rig: &mut Rig<P>) {
    let folder = rig.path("sub");
    rig.disk().make_folder(&folder).unwrap();
    for how in [Open::Read, Open::Append, Open::Create] {
        let error = rig.disk().open(&folder, how).unwrap_err();
        assert_eq!(error.fault.errno, libc::EISDIR, "{how:?}");
    }
    rig.disk().start_removal(&folder);
    rig.made("sub/a", b"still there");
}

pub(super) fn folders_are_made_once<P: Place>(rig: &mut Rig<P>) {
    let folder = rig.path("sub");
    assert_eq!(rig.disk().names(&folder), Ok(Vec::new()));
    rig.disk().make_folder(&folder).unwrap();
    rig.disk().make_folder(&folder).unwrap();
    rig.made("sub/a", b"x");
    rig.disk().make_folder(&folder).unwrap();
    assert_eq!(rig.contents("sub/a"), b"x");
    rig.made("file", b"");
    for taken in ["file", "none/sub"] {
        let path = rig.path(taken);
        assert!(rig.disk().make_folder(&path).is_err(), "{taken}");
    }
}

pub(super) fn only_files_are_listed<P: Place>(rig: &mut Rig<P>) {
    let folder = rig.path("sub");
    rig.disk().make_folder(&folder).unwrap();
    rig.made("b", b"");
    rig.made("sub/c", b"");
    rig.made("a", b"");
    assert_eq!(rig.names(), ["a", "b"]);
    let file = rig.path("a");
    assert!(rig.disk().names(&file).is_err());
}

pub(super) fn syncing_succeeds<P: Place>(rig: &mut Rig<P>) {
    let file = rig.made("a", b"abc");
    rig.disk().sync(file, Sync::Data).unwrap();
    rig.disk().sync(file, Sync::All).unwrap();
    let folder = rig.place.folder().to_path_buf();
    rig.disk().sync_folder(&folder).unwrap();
    let missing = rig.path("no");
    assert!(rig.disk().sync_folder(&missing).is_err());
    assert_eq!(rig.disk().synced(), None);
}

pub(super) fn a_background_sync_reports_the_length_at_its_start<P: Place>(rig: &mut Rig<P>) {
    let file = rig.made("a", b"abc");
    rig.disk().start_sync(file, Sync::Data);
    rig.write(file, b"def");
    let end = rig.synced();
    assert_eq!((end.file, end.len, end.result), (file, 3, Ok(())));
    rig.disk().start_sync(file, Sync::All);
    assert_eq!(rig.synced().len, 6);
    assert_eq!(rig.disk().synced(), None);
}

pub(super) fn requests_during_a_sync_become_one_more<P: Place>(rig: &mut Rig<P>) {
    const REQUESTS: u64 = 200;
    let file = rig.made("a", b"");
    for _ in 0..REQUESTS {
        rig.write(file, b"x");
        rig.disk().start_sync(file, Sync::Data);
    }
    let mut ends = Vec::new();
    while ends.last() != Some(&REQUESTS) {
        ends.push(rig.synced().len);
    }
    assert!(
        ends.is_sorted_by(|earlier, later| earlier < later),
        "{ends:?}"
    );
    assert_eq!(rig.disk().synced(), None);
}

pub(super) fn a_sync_of_a_closed_file_is_still_reported<P: Place>(rig: &mut Rig<P>) {
    let file = rig.made("a", b"abc");
    rig.disk().start_sync(file, Sync::Data);
    rig.disk().start_sync(file, Sync::Data);
    rig.disk().close(file);
    for _ in 0..2 {
        let end = rig.synced();
        assert_eq!((end.file, end.len, end.result), (file, 3, Ok(())));
    }
}

pub(super) fn syncs_of_several_files_all_end<P: Place>(rig: &mut Rig<P>) {
    let files: Vec<_> = (0..5_usize)
        .map(|index| rig.made(&index.to_string(), &vec![0; index]))
        .collect();
    for file in &files {
        rig.disk().start_sync(*file, Sync::Data);
    }
    let mut ends: Vec<_> = files.iter().map(|_| rig.synced()).collect();
    ends.sort_by_key(|end| end.file);
    let found: Vec<_> = ends.iter().map(|end| (end.file, end.len)).collect();
    let expected: Vec<_> = files.into_iter().zip(0..).collect();
    assert_eq!(found, expected);
}

pub(super) fn a_sync_of_no_file_is_reported_as_failed<P: Place>(rig: &mut Rig<P>) {
    let file = rig.made("a", b"abc");
    rig.disk().close(file);
    rig.disk().start_sync(file, Sync::Data);
    let end = rig.synced();
    assert_eq!(end.file, file);
    assert_eq!(end.result.unwrap_err().errno, libc::EBADF);
}

pub(super) fn every_end_rings<P: Place>(rig: &mut Rig<P>) {
    let rings = Arc::new(Rings::default());
    rig.place.set_wake(Arc::clone(&rings) as _);
    let file = rig.made("a", b"abc");
    for count in 1..4 {
        rig.disk().start_sync(file, Sync::Data);
        let heard = || rings.0.load(Ordering::SeqCst);
        rig.until("the bell has rung", |_| heard() == count);
        assert!(rig.disk().synced().is_some(), "a ring follows its end");
    }
}

pub(super) fn errors_name_the_file_and_the_call<P: Place>(rig: &mut Rig<P>) {
    let path = rig.path("a");
    let error = rig.disk().open(&path, Open::Read).unwrap_err();
    assert_eq!(
        error.to_string(),
        format!("{}: open: No such file or directory", path.display())
    );
}
