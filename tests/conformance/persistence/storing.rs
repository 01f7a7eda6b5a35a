//! What is found, and how a log begins behind it.

use super::Place;
use super::rig::{FOLDER, LOG, Rig, SNAPSHOT, Trust, record, whole};
use dovetail_engine::codec::rdb::{Event, Reader, Rules, Verify};
use dovetail_engine::config::Encodings;
use dovetail_engine::keyspace::Keyspace;
use dovetail_engine::seam::persistence::{Format, Fsync, LogEnd, PersistError, Purpose, Role};
use dovetail_engine::value::restore::Limits;
use dovetail_memory::HeapPages;
use std::rc::Rc;

fn incr(seq: u64) -> String {
    format!("{LOG}.{seq}.incr.aof")
}

fn manifest_name() -> String {
    format!("{LOG}.manifest")
}

/// Records from one number to another.
fn records(numbers: std::ops::RangeInclusive<u64>) -> Vec<u8> {
    numbers.flat_map(record).collect()
}

/// A log with a base at 3, and increments up to 5 and 6.
fn plant_log<P: Place>(rig: &mut Rig<P>) {
    let files = [
        ("b.rdb".to_owned(), whole(Format::Rdb, 3)),
        (incr(4), records(4..=5)),
        (incr(5), records(6..=6)),
        (
            manifest_name(),
            format!(
                "file b.rdb seq 9 type b\nfile {} seq 4 type i\nfile {} seq 5 type i endoffset 9\n",
                incr(4),
                incr(5)
            )
            .into_bytes(),
        ),
    ];
    for (name, bytes) in files {
        let path = rig.log_path(&name);
        rig.plant(&path, &bytes);
    }
}

pub(super) fn a_log_begins_with_an_empty_base<P: Place>(rig: &mut Rig<P>) {
    let stored = rig.start(Trust::Whole).unwrap();
    assert_eq!((stored.parts, stored.notes), (vec![], vec![]));
    let base = rig.base(1);
    let names = [incr(1), base.clone(), manifest_name()];
    rig.until_names(&names);
    let expected = format!("file {base} seq 1 type b\nfile {} seq 1 type i\n", incr(1));
    assert_eq!(rig.manifest(), expected);
    let path = rig.log_path(&base);
    let bytes = rig.contents(&path);
    if rig.settings.base_format == Format::Commands {
        assert_eq!(bytes, b"");
        return;
    }
    let keyspace = Keyspace::new(1, 1, Rc::new(HeapPages));
    let rules = Rules {
        limits: Limits::of(&Encodings::default(), keyspace.hasher()),
        verify: Verify::Yes,
        batch: 1,
    };
    let mut reader = Reader::new(bytes.as_slice(), rules);
    let mut fields = Vec::new();
    loop {
        match reader.next().unwrap() {
            Event::Aux { name, value } => {
                fields.push((
                    name.escape_ascii().to_string(),
                    value.escape_ascii().to_string(),
                ));
            }
            Event::End(_) => break,
            other => panic!("{other:?} in an empty snapshot"),
        }
    }
    let expected = [
        ("redis-ver", "7.2.4"),
        ("redis-bits", "64"),
        ("ctime", "1700000000"),
        ("aof-base", "1"),
    ];
    assert_eq!(
        fields,
        expected.map(|(name, value)| (name.to_owned(), value.to_owned()))
    );
}

pub(super) fn a_log_begins_with_the_snapshot_that_is_there<P: Place>(rig: &mut Rig<P>) {
    let path = rig.path(SNAPSHOT);
    let mut snapshot = whole(Format::Rdb, 12);
    snapshot.resize(600_000, b'.');
    rig.plant(&path, &snapshot);
    let stored = rig.start(Trust::Whole).unwrap();
    assert_eq!(
        (stored.parts.len(), stored.parts[0].role),
        (1, Role::Snapshot)
    );
    assert_eq!(stored.notes.len(), 1);
    rig.append(2);
    let base = rig.log_path(&format!("{LOG}.1.base.rdb"));
    assert!(rig.contents(&base) == snapshot);
    assert_eq!(rig.contents(&path).len(), snapshot.len());
    assert_eq!(rig.restart(), 14);
}

pub(super) fn an_old_single_file_is_moved<P: Place>(rig: &mut Rig<P>) {
    let path = rig.path(LOG);
    rig.plant(&path, &records(1..=4));
    let stored = rig.start(Trust::Whole).unwrap();
    assert_eq!(stored.notes.len(), 1);
    assert_eq!(rig.log_names(), [LOG.to_owned(), incr(1), manifest_name()]);
    let folder = rig.home();
    assert_eq!(rig.names(&folder), [""; 0]);
    rig.append(1);
    assert_eq!(rig.restart(), 5);
    rig.save(Purpose::Base);
    let base = rig.manifest();
    assert!(
        base.starts_with(&format!("file {} seq 2 type b\n", rig.base(2))),
        "{base}"
    );
    assert_eq!(rig.look().number, 5);
}

pub(super) fn a_file_that_was_moved_already_is_found<P: Place>(rig: &mut Rig<P>) {
    let path = rig.log_path(LOG);
    rig.plant(&path, &records(1..=4));
    rig.start(Trust::Whole).unwrap();
    assert_eq!(rig.number, 4);
    let again = rig.path(LOG);
    rig.plant(&again, &records(1..=2));
    rig.next_life();
    rig.start(Trust::Whole).unwrap();
    assert_eq!(rig.number, 4, "the manifest counts");
    let manifest = rig.log_path(&manifest_name());
    let increment = rig.log_path(&incr(1));
    for path in [manifest, increment] {
        rig.disk.borrow_mut().remove(&path).unwrap();
    }
    rig.next_life();
    let refused = rig.member.stored();
    let expected = PersistError::NoManifest(rig.path(FOLDER), LOG.to_owned());
    assert_eq!(refused, Err(expected), "which of the two is it?");
}

pub(super) fn files_without_a_manifest_are_refused<P: Place>(rig: &mut Rig<P>) {
    plant_log(rig);
    let manifest = rig.log_path(&manifest_name());
    rig.disk.borrow_mut().remove(&manifest).unwrap();
    let names = rig.log_names();
    let snapshot = rig.path(SNAPSHOT);
    rig.plant(&snapshot, &whole(Format::Rdb, 1));
    for _ in 0..2 {
        rig.next_life();
        let Err(PersistError::NoManifest(folder, name)) = rig.member.stored() else {
            panic!("it is not to begin anew");
        };
        assert_eq!(folder, rig.path(FOLDER));
        assert!(names.contains(&name));
        assert!(rig.start_live(9).is_err());
        assert_eq!(rig.log_names(), names, "nothing has changed");
    }
}

pub(super) fn a_broken_manifest_is_refused<P: Place>(rig: &mut Rig<P>) {
    plant_log(rig);
    let path = rig.log_path(&manifest_name());
    let long = format!("# {}\n", "x".repeat(100)).repeat(20_000);
    for text in ["", "file", "file a seq 0 type b\n", &long] {
        rig.plant(&path, text.as_bytes());
        rig.next_life();
        match rig.member.stored() {
            Err(PersistError::Manifest(found, flaw)) => {
                assert_eq!(found, path);
                assert!(!flaw.is_empty());
            }
            other => panic!("{other:?} of {text:.20}"),
        }
        assert!(rig.start_live(9).is_err());
        assert_eq!(rig.contents(&path).len(), text.len(), "nothing has changed");
    }
}

pub(super) fn a_missing_file_is_refused<P: Place>(rig: &mut Rig<P>) {
    plant_log(rig);
    let path = rig.log_path(&incr(4));
    rig.disk.borrow_mut().remove(&path).unwrap();
    assert_eq!(rig.member.stored(), Err(PersistError::Missing(path)));
}

pub(super) fn a_file_that_has_lost_its_end_is_refused<P: Place>(rig: &mut Rig<P>) {
    rig.start(Trust::Whole).unwrap();
    rig.append(3);
    let save = rig.member.begin_save(rig.now, Purpose::Base).unwrap();
    rig.member.abort_save(rig.now, save);
    rig.append(1);
    let path = rig.log_path(&incr(1));
    let len = rig.contents(&path).len() as u64;
    // All of it at once, so that no record is torn.
    rig.plant(&path, &records(1..=2));
    rig.next_life();
    assert_eq!(rig.member.stored(), Err(PersistError::Short(path, len)));
}

/// A process that dies before it has begun leaves what it was about to begin with.
pub(super) fn what_was_about_to_begin_is_begun_anew<P: Place>(rig: &mut Rig<P>) {
    let snapshot = rig.path(SNAPSHOT);
    rig.plant(&snapshot, &whole(Format::Rdb, 4));
    let files = [
        (manifest_name(), b"# This log has not begun.\n".to_vec()),
        (format!("{LOG}.1.base.rdb"), b"REDIS0".to_vec()),
        (incr(1), Vec::new()),
    ];
    for (name, bytes) in files {
        let path = rig.log_path(&name);
        rig.plant(&path, &bytes);
    }
    rig.start(Trust::Whole).unwrap();
    assert_eq!(rig.number, 4);
    rig.append(1);
    assert_eq!(rig.restart(), 5);
}

pub(super) fn a_torn_end_is_cut_and_goes_on<P: Place>(rig: &mut Rig<P>) {
    for checksums in [false, true] {
        rig.apply(|settings| settings.checksums = checksums);
        rig.restart();
        rig.append(3);
        let manifest = rig.manifest();
        let name = manifest.lines().last().unwrap().split(' ').nth(1).unwrap();
        let path = rig.log_path(name);
        let mut bytes = rig.contents(&path);
        bytes.extend_from_slice(&record(99)[..20]);
        rig.plant(&path, &bytes);
        let number = rig.number;
        assert_eq!(rig.restart(), number);
        rig.append(1);
        assert_eq!(rig.restart(), number + 1);
    }
}

pub(super) fn a_file_that_has_changed_is_refused<P: Place>(rig: &mut Rig<P>) {
    plant_log(rig);
    rig.member.stored().unwrap();
    let len = record(6).len() as u64;
    let begin = |rig: &mut Rig<P>, len| {
        let end = LogEnd {
            len,
            ..LogEnd::default()
        };
        let begin = dovetail_engine::seam::persistence::Begin::Loaded(end);
        rig.member.begin(rig.now, 0, begin)
    };
    let path = rig.log_path(&incr(5));
    assert_eq!(begin(rig, len - 1), Err(PersistError::Changed(path)));
    rig.member.stored().unwrap();
    let first = rig.log_path(&incr(4));
    rig.plant(&first, &records(4..=4));
    assert_eq!(begin(rig, len), Err(PersistError::Changed(first.clone())));
    rig.plant(&first, &records(4..=5));
    rig.member.stored().unwrap();
    assert_eq!(begin(rig, len), Ok(()));
}

pub(super) fn a_manifest_without_increments_gets_one<P: Place>(rig: &mut Rig<P>) {
    let base = rig.log_path("a.aof");
    rig.plant(&base, &records(7..=7));
    let manifest = rig.log_path(&manifest_name());
    rig.plant(&manifest, b"file a.aof seq 3 type b\n");
    rig.apply(|settings| settings.checksums = true);
    rig.start(Trust::Whole).unwrap();
    rig.append(1);
    let expected = format!("file a.aof seq 3 type b\nfile {} seq 1 type i\n", incr(1));
    assert_eq!(rig.manifest(), expected);
    assert_eq!(rig.restart(), 8);
}

pub(super) fn leftovers_are_removed<P: Place>(rig: &mut Rig<P>) {
    plant_log(rig);
    let leftovers = [
        format!("{LOG}.1.base.rdb"),
        format!("{LOG}.10.base.aof"),
        incr(2),
        format!("temp-{LOG}.manifest"),
        format!("temp-{LOG}.incr"),
        "old.rdb".to_owned(),
    ];
    for name in &leftovers {
        let path = rig.log_path(name);
        rig.plant(&path, b"x");
    }
    let empty = rig.log_path(&incr(8));
    rig.plant(&empty, b"");
    // What has been written by nobody knows whom stays.
    let others = [
        format!("{LOG}.x"),
        "other.aof.1.incr.aof".to_owned(),
        format!("{LOG}.12.base.aof"),
        incr(6),
    ];
    for name in &others {
        let path = rig.log_path(name);
        rig.plant(&path, b"x");
    }
    let rewrite = rig.path("temp-rewriteaof-bg-4294967001.aof");
    rig.plant(&rewrite, b"x");
    let path = rig.log_path(&manifest_name());
    let mut manifest = rig.contents(&path);
    manifest.extend_from_slice(b"file old.rdb seq 1 type h\n");
    rig.plant(&path, &manifest);
    let stored = rig.start(Trust::Whole).unwrap();
    assert_eq!(
        stored.notes.len(),
        1,
        "of the log that was being switched on"
    );
    assert_eq!(rig.number, 6);
    let mut left = vec!["b.rdb".to_owned(), incr(4), incr(5), manifest_name()];
    left.extend(others);
    rig.until_names(&left);
    let text = rig.manifest();
    assert!(
        !text.contains("type h") && !text.contains("endoffset"),
        "{text}"
    );
    let folder = rig.home();
    while !rig.names(&folder).is_empty() {
        rig.place.breathe();
    }
    rig.append(1);
    rig.save(Purpose::Base);
    let text = rig.manifest();
    assert!(
        text.contains("seq 10 type b") && text.contains("seq 7 type i"),
        "{text}"
    );
}

/// What a log does that is switched on with a dataset of 20.
pub(super) fn a_live_log_counts_from_its_base_on<P: Place>(rig: &mut Rig<P>) {
    for fsync in [Fsync::Always, Fsync::EverySec] {
        let folder = rig.path(FOLDER);
        for name in rig.log_names() {
            let path = folder.join(name);
            rig.disk.borrow_mut().remove(&path).unwrap();
        }
        rig.next_life();
        rig.apply(|settings| settings.fsync = fsync);
        rig.start_live(20).unwrap();
        let progress = rig.advance();
        assert!(progress.needs_base && progress.trouble.is_none());
        let save = rig.member.begin_save(rig.now, Purpose::Base).unwrap();
        rig.append(2);
        let end = rig.number;
        while rig.reached().0 < end {
            rig.place.breathe();
        }
        assert_eq!(
            rig.reached(),
            (22, 20),
            "written, but to nothing that counts"
        );
        assert_eq!(rig.log_names(), [format!("temp-{LOG}.incr")]);
        rig.write_save(&save, 20).unwrap();
        rig.member.finish_save(rig.now, save).unwrap();
        assert!(!rig.advance().needs_base);
        rig.append(1);
        assert_eq!(rig.look().number, 23);
        rig.until_names(&[incr(1), rig.base(1), manifest_name()]);
        rig.settle();
        assert_eq!(rig.restart(), 23);
        rig.next_life();
    }
}

pub(super) fn a_live_log_can_try_again<P: Place>(rig: &mut Rig<P>) {
    rig.start_live(5).unwrap();
    for _ in 0..3 {
        rig.append(1);
        let save = rig.member.begin_save(rig.now, Purpose::Base).unwrap();
        rig.append(1);
        rig.member.abort_save(rig.now, save);
        rig.append(1);
        assert!(rig.advance().needs_base);
    }
    let save = rig.member.begin_save(rig.now, Purpose::Base).unwrap();
    let refused = rig.member.finish_save(rig.now, save);
    assert!(refused.is_err(), "there is no file");
    rig.append(1);
    rig.save(Purpose::Base);
    rig.append(1);
    assert_eq!(rig.look().number, 16);
    rig.until_names(&[incr(1), rig.base(1), manifest_name()]);
}

pub(super) fn a_live_log_replaces_an_older_one<P: Place>(rig: &mut Rig<P>) {
    plant_log(rig);
    let before = rig.manifest();
    rig.start_live(40).unwrap();
    let save = rig.member.begin_save(rig.now, Purpose::Base).unwrap();
    rig.append(1);
    assert_eq!(rig.manifest(), before);
    rig.write_save(&save, 40).unwrap();
    rig.member.finish_save(rig.now, save).unwrap();
    rig.append(1);
    let base = rig.base(10);
    let after = format!("file {base} seq 10 type b\nfile {} seq 6 type i\n", incr(6));
    assert_eq!(rig.manifest(), after);
    assert_eq!(rig.look().number, 42);
    rig.until_names(&[base, incr(6), manifest_name()]);
}

pub(super) fn a_live_log_that_ends_early_leaves_what_was_stored<P: Place>(rig: &mut Rig<P>) {
    let snapshot = rig.path(SNAPSHOT);
    rig.plant(&snapshot, &whole(Format::Rdb, 3));
    rig.start_live(5).unwrap();
    rig.append(2);
    rig.next_life();
    let stored = rig.member.stored().unwrap();
    assert_eq!((stored.parts.len(), stored.notes.len()), (1, 2));
    rig.start_live(5).unwrap();
    rig.append(2);
    rig.member.close(rig.now).unwrap();
    assert_eq!(rig.log_names(), [""; 0]);
    assert_eq!(rig.restart(), 3);
}

pub(super) fn a_running_log_can_be_read_again<P: Place>(rig: &mut Rig<P>) {
    rig.start(Trust::Whole).unwrap();
    rig.append(3);
    let parts = rig.member.stored().unwrap().parts;
    assert_eq!(rig.read(&parts, Trust::Whole).number, 3);
    rig.append(1);
    assert_eq!(rig.look().number, 4);
    rig.next_life();
    rig.start_live(1).unwrap();
    assert_eq!(rig.member.stored(), Err(PersistError::NothingKept));
}
