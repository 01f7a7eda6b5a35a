//! A crash at every call on the disk, and crashes among faults of all kinds: what was released, or
//! is durable, is read back.

use super::rig::{LOG, Rig, SNAPSHOT, Trust, record, whole};
use super::{Simulated, logs};
use dovetail_engine::base::rng::Rng;
use dovetail_engine::seam::persistence::{Format, Fsync, PersistError, PersistenceEntry, Purpose};
use dovetail_tests::sim::{Call, SimDisk, Tear};

/// What ends a life.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
enum Crash {
    Process,
    Power,
}

/// What the first life finds.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
enum Before {
    Nothing,
    Snapshot,
    OldFile,
    Log,
    /// A snapshot, and the log is switched on with it in memory.
    Live,
    /// The same beside a log of earlier times.
    LiveBesideLog,
}

const BEFORE: [Before; 6] = [
    Before::Nothing,
    Before::Snapshot,
    Before::OldFile,
    Before::Log,
    Before::Live,
    Before::LiveBesideLog,
];

/// A life whose last call on the disk may come at any moment.
struct Life {
    rig: Rig<Simulated>,
    /// The least that must be there whatever happens.
    kept: u64,
    /// Whether nothing counts yet but that.
    is_live: bool,
    /// Which life this is.
    what: String,
}

impl Life {
    fn new(entry: &'static PersistenceEntry, seed: u64) -> Self {
        let mut rig = Rig::<Simulated>::new(entry, "crash");
        rig.place.0 = SimDisk::new(seed);
        rig.sim().set_short_writes(40);
        rig.next_life();
        Self {
            rig,
            kept: 0,
            is_live: false,
            what: format!("{} {seed}", entry.name),
        }
    }

    fn plant(&mut self, before: Before) {
        let rig = &mut self.rig;
        let path = match before {
            Before::Nothing => return,
            Before::Snapshot | Before::Live | Before::LiveBesideLog => rig.path(SNAPSHOT),
            Before::OldFile | Before::Log => rig.path(LOG),
        };
        let bytes = match before {
            Before::OldFile | Before::Log => (1..=5).flat_map(record).collect(),
            _ => whole(Format::Rdb, 5),
        };
        rig.plant(&path, &bytes);
        self.kept = 5;
        if matches!(before, Before::Log | Before::LiveBesideLog) {
            rig.start(Trust::Whole).unwrap();
            rig.append(1);
            rig.member.close(rig.now).unwrap();
            self.kept = rig.number;
        }
        self.is_live = matches!(before, Before::Live | Before::LiveBesideLog);
        rig.next_life();
    }

    /// Begins; an error is the end of this life.
    fn begin(&mut self) -> Result<(), PersistError> {
        if self.is_live {
            return self.rig.start_live(self.kept + 20);
        }
        self.rig.member.stored()?;
        self.rig.start(Trust::Whole).map(drop)
    }

    fn step(&mut self) {
        self.rig.place.0.tick();
        self.rig.pass(400);
        if !self.rig.sim().is_dead() {
            self.rig.advance();
        }
    }

    /// Writes a file whole, with appending in between; gives it up if it is to.
    fn save(&mut self, purpose: Purpose, is_wanted: bool) {
        let rig = &mut self.rig;
        let Ok(save) = rig.member.begin_save(rig.now, purpose) else {
            return;
        };
        let number = rig.number;
        rig.append(1);
        let written = rig.write_save(&save, number);
        self.step();
        let rig = &mut self.rig;
        rig.append(2);
        if !is_wanted || written.is_err() {
            rig.member.abort_save(rig.now, save);
            return;
        }
        let finished = rig.member.finish_save(rig.now, save);
        if finished.is_ok() && purpose == Purpose::Base && !rig.sim().is_dead() {
            self.is_live = false;
        }
        self.step();
    }

    /// What happens in a life.
    fn live(&mut self) -> Result<(), PersistError> {
        self.begin()?;
        for (purpose, is_wanted) in [
            (Purpose::Base, true),
            (Purpose::Base, false),
            (Purpose::Base, true),
        ] {
            for _ in 0..4 {
                self.rig.append(1);
                self.step();
            }
            self.save(purpose, is_wanted);
        }
        self.rig.append(1);
        if !self.is_live {
            self.rig.member.close(self.rig.now)?;
        }
        Ok(())
    }

    /// What the next life must find at least.
    fn floor(&self, crash: Crash) -> u64 {
        if self.is_live {
            return self.kept;
        }
        let rig = &self.rig;
        let offset = match crash {
            Crash::Process => rig.released.max(rig.durable),
            Crash::Power => rig.durable,
        };
        rig.number_at(offset).max(self.kept)
    }

    /// Ends this life; what is found must be right. Says whether it can be gone on with.
    fn crash(&mut self, crash: Crash, trust: Trust) -> bool {
        let (floor, most) = (self.floor(crash), self.rig.number.max(self.kept));
        match crash {
            Crash::Process => self.rig.sim().crash_process(),
            Crash::Power => self.rig.sim().crash_power(),
        }
        self.rig.next_life();
        let parts = match self.rig.member.stored() {
            Ok(stored) => stored.parts,
            Err(PersistError::Short(..)) if trust == Trust::Damaged => return false,
            Err(error) => panic!("{error}: {}", self.what),
        };
        let found = self.rig.read(&parts, trust);
        let (found, is_damaged) = (found.number, found.is_damaged);
        let what = &self.what;
        assert!(
            found >= floor,
            "{found} of {floor} that were promised: {what}"
        );
        assert!(found <= most, "{found} of {most} there ever were: {what}");
        self.kept = found;
        self.is_live = false;
        self.rig.begin_feed(found);
        self.rig.next_life();
        !is_damaged
    }
}

fn settings_of(seed: u64) -> (Fsync, Crash) {
    let fsync = [Fsync::Always, Fsync::EverySec, Fsync::No][usize::try_from(seed % 3).unwrap()];
    let crash = [Crash::Process, Crash::Power][usize::try_from(seed / 3 % 2).unwrap()];
    (fsync, crash)
}

/// Lives a life that ends at call `last`, and a second one that ends a bit later; says whether the
/// first has come to its end.
fn die_twice(entry: &'static PersistenceEntry, before: Before, last: u64, seed: u64) -> bool {
    let (fsync, crash) = settings_of(seed);
    let mut life = Life::new(entry, seed);
    life.rig.apply(|settings| {
        settings.fsync = fsync;
        settings.checksums = seed % 4 > 1;
        settings.keeps_history = seed.is_multiple_of(16);
    });
    life.plant(before);
    life.what = format!("{} {before:?} {last} {seed}", entry.name);
    let calls = life.rig.sim().tally().calls;
    life.rig.sim().die_at(Some(calls + last));
    let lived = life.live();
    let is_over = !life.rig.sim().is_dead();
    assert!(!is_over || lived.is_ok(), "{lived:?}");
    life.crash(crash, Trust::Whole);

    // Its recovery dies as well.
    let calls = life.rig.sim().tally().calls;
    life.rig.sim().die_at(Some(calls + 1 + seed % 40));
    if life.begin().is_ok() {
        life.rig.append(1);
        life.step();
    }
    life.crash(crash, Trust::Whole);

    life.begin().unwrap();
    life.rig.append(3);
    life.rig.member.close(life.rig.now).unwrap();
    let number = life.rig.number;
    life.crash(Crash::Power, Trust::Whole);
    assert_eq!(life.kept, number);
    is_over
}

#[test]
fn whatever_call_is_the_last_everything_promised_is_there() {
    for entry in logs() {
        for before in BEFORE {
            let mut last = 0;
            let mut is_over = false;
            while !is_over {
                last += 1;
                is_over = true;
                for seed in 0..6 {
                    is_over &= die_twice(entry, before, last, last * 6 + seed);
                }
            }
            assert!(last > 60, "{last} calls are too few for such a life");
        }
    }
}

/// Lives of many mishaps; false if what was left of one is refused.
fn struggle(entry: &'static PersistenceEntry, seed: u64) -> bool {
    let mut rng = Rng::new(seed);
    let (fsync, _) = settings_of(seed);
    let mut life = Life::new(entry, seed);
    let has_bad_syncs = rng.below(2) == 0;
    let tears = [Tear::Prefix, Tear::Zeros, Tear::Garbage];
    let tears = if rng.below(2) == 0 {
        &tears
    } else {
        &tears[..1]
    };
    life.rig.sim().set_tears(tears);
    life.rig.apply(|settings| {
        settings.fsync = fsync;
        settings.checksums = true;
        settings.timestamps = seed.is_multiple_of(5);
    });
    for _ in 0..4 {
        life.begin().unwrap();
        let calls = [
            Call::Open,
            Call::Write,
            Call::Truncate,
            Call::Rename,
            Call::Names,
            Call::SyncFolder,
        ];
        for call in calls {
            let often = if rng.below(3) == 0 { rng.below(40) } else { 0 };
            life.rig.sim().fail_often(call, often, libc::EIO);
        }
        if has_bad_syncs {
            life.rig
                .sim()
                .fail_often(Call::Sync, rng.below(20), libc::EIO);
        }
        for _ in 0..rng.below(60) {
            match rng.below(12) {
                0 => life.save(Purpose::Base, true),
                1 => life.save(Purpose::Snapshot, rng.below(2) == 0),
                2 => life.save(Purpose::Base, false),
                _ => life.rig.append(1 + rng.below(3)),
            }
            if rng.below(2) == 0 {
                life.step();
            }
        }
        for call in calls {
            life.rig.sim().fail_often(call, 0, libc::EIO);
        }
        life.rig.sim().fail_often(Call::Sync, 0, libc::EIO);
        let crash = match rng.below(2) {
            0 => Crash::Process,
            _ => Crash::Power,
        };
        let trust = if crash == Crash::Power && (has_bad_syncs || tears.len() > 1) {
            Trust::Damaged
        } else {
            Trust::Whole
        };
        if !life.crash(crash, trust) {
            // That is for an operator.
            return false;
        }
        if has_bad_syncs && crash == Crash::Process {
            // The system has forgotten what it could not write; the next process cannot know.
            return true;
        }
    }
    true
}

#[test]
fn mishaps_of_all_kinds_take_nothing_that_was_promised() {
    for entry in logs() {
        let ended = (0..250).filter(|seed| struggle(entry, *seed)).count();
        assert!(ended > 180, "{ended} of 250 can go on");
    }
}
