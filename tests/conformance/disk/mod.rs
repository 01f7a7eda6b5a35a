//! Does every disk keep the contract of its seam? The system's and the simulated one.

mod cases;
mod space;

use dovetail_backends::disk::SystemDisk;
use dovetail_engine::seam::disk::{Disk, FileId, Open, Synced};
use dovetail_engine::seam::poller::Wake;
use dovetail_tests::sim::SimDisk;
use std::path::{Path, PathBuf};
use std::sync::Arc;
use std::sync::atomic::{AtomicU64, Ordering};
use std::time::{Duration, Instant};

/// How long a background job of a real disk may take before it has hung.
const PATIENCE: Duration = Duration::from_secs(60);

/// Counts its rings.
#[derive(Debug, Default)]
struct Rings(AtomicU64);

impl Wake for Rings {
    fn wake(&self) {
        self.0.fetch_add(1, Ordering::SeqCst);
    }
}

/// A disk under test and an empty folder on it.
trait Place {
    type Member: Disk;
    fn new(name: &str) -> Self;
    fn disk(&mut self) -> &mut Self::Member;
    fn folder(&self) -> &Path;
    fn set_wake(&mut self, wake: Arc<dyn Wake>);
    /// Lets background jobs go on a little.
    fn breathe(&mut self);
    /// Another disk on the same files, as a next process has it.
    fn next_life(&mut self);
}

/// The machine's own files.
struct Real {
    disk: SystemDisk,
    folder: PathBuf,
}

impl Place for Real {
    type Member = SystemDisk;

    fn new(name: &str) -> Self {
        let name = format!("dovetail-disk-{}-{name}", std::process::id());
        let folder = std::env::temp_dir().join(name);
        std::fs::create_dir(&folder).unwrap();
        Self {
            disk: SystemDisk::new(),
            folder,
        }
    }

    fn disk(&mut self) -> &mut SystemDisk {
        &mut self.disk
    }

    fn folder(&self) -> &Path {
        &self.folder
    }

    fn set_wake(&mut self, wake: Arc<dyn Wake>) {
        self.disk.bell().set(wake);
    }

    fn breathe(&mut self) {
        std::thread::yield_now();
    }

    fn next_life(&mut self) {
        self.disk = SystemDisk::new();
    }
}

impl Drop for Real {
    fn drop(&mut self) {
        // What stays behind in a temporary folder is no failure of the test.
        drop(std::fs::remove_dir_all(&self.folder));
    }
}

/// The simulated one; most writes of it are short.
struct Simulated(SimDisk);

impl Place for Simulated {
    type Member = SimDisk;

    fn new(name: &str) -> Self {
        let seed = name.bytes().fold(7, |sum: u64, byte| {
            sum.wrapping_mul(31).wrapping_add(u64::from(byte))
        });
        let disk = SimDisk::new(seed);
        disk.set_short_writes(180);
        Self(disk)
    }

    fn disk(&mut self) -> &mut SimDisk {
        &mut self.0
    }

    fn folder(&self) -> &Path {
        Path::new(SimDisk::HOME)
    }

    fn set_wake(&mut self, wake: Arc<dyn Wake>) {
        self.0.set_wake(wake);
    }

    fn breathe(&mut self) {
        self.0.tick();
    }

    fn next_life(&mut self) {
        self.0.crash_process();
    }
}

/// A place and the steps that several cases take.
struct Rig<P: Place> {
    place: P,
}

impl<P: Place> Rig<P> {
    fn new(name: &str) -> Self {
        Self {
            place: P::new(name),
        }
    }

    fn disk(&mut self) -> &mut P::Member {
        self.place.disk()
    }

    fn path(&self, name: &str) -> PathBuf {
        self.place.folder().join(name)
    }

    fn open(&mut self, name: &str, how: Open) -> FileId {
        let path = self.path(name);
        self.disk().open(&path, how).unwrap()
    }

    /// Writes all of `bytes`, however short each write is.
    fn write(&mut self, file: FileId, mut bytes: &[u8]) {
        while !bytes.is_empty() {
            let taken = self.disk().write(file, bytes).unwrap();
            assert!((1..=bytes.len()).contains(&taken), "{taken} were taken");
            bytes = &bytes[taken..];
        }
    }

    fn made(&mut self, name: &str, bytes: &[u8]) -> FileId {
        let file = self.open(name, Open::Create);
        self.write(file, bytes);
        file
    }

    /// All of a file, in reads of a few bytes.
    fn read(&mut self, file: FileId) -> Vec<u8> {
        let (mut all, mut piece) = (Vec::new(), [0; 7]);
        loop {
            let got = self
                .disk()
                .read(file, all.len() as u64, &mut piece)
                .unwrap();
            all.extend_from_slice(&piece[..got]);
            if got < piece.len() {
                return all;
            }
        }
    }

    fn contents(&mut self, name: &str) -> Vec<u8> {
        let file = self.open(name, Open::Read);
        let bytes = self.read(file);
        self.disk().close(file);
        bytes
    }

    fn names(&mut self) -> Vec<String> {
        let folder = self.place.folder().to_path_buf();
        let mut names = self.disk().names(&folder).unwrap();
        names.sort();
        names
    }

    /// Waits until `done` is so.
    fn until(&mut self, what: &str, mut done: impl FnMut(&mut Self) -> bool) {
        let end = Instant::now() + PATIENCE;
        while !done(self) {
            assert!(Instant::now() < end, "it takes too long until {what}");
            self.place.breathe();
        }
    }

    /// The next end of a background sync.
    fn synced(&mut self) -> Synced {
        let mut found = None;
        self.until("a sync has ended", |rig| {
            found = rig.disk().synced();
            found.is_some()
        });
        found.unwrap()
    }
}

/// One module of tests a member, one test a case.
macro_rules! conforms {
    ($($module:ident: $place:ty;)*) => { $(
        mod $module {
            use super::*;
            conforms!(@cases $place:
                what_is_written_is_read_in_order,
                a_file_that_is_written_can_be_read,
                opening_asks_for_what_it_says,
                what_is_only_read_cannot_be_written,
                appending_follows_what_is_there,
                after_a_cut_writing_goes_on_at_the_cut,
                two_that_append_do_not_overwrite_each_other,
                reading_stops_at_the_end,
                nothing_is_written_of_nothing,
                the_next_process_finds_what_was_written,
                files_that_are_not_open_are_refused,
                numbers_are_not_used_again,
                renaming_replaces,
                an_open_file_follows_its_bytes_not_its_name,
                removing_takes_the_name_and_leaves_open_files,
                removing_what_is_not_there_is_an_error,
                removals_in_the_background_free_names_at_once,
                folders_are_no_files,
                folders_are_made_once,
                only_files_are_listed,
                syncing_succeeds,
                a_background_sync_reports_the_length_at_its_start,
                requests_during_a_sync_become_one_more,
                a_sync_of_a_closed_file_is_still_reported,
                syncs_of_several_files_all_end,
                a_sync_of_no_file_is_reported_as_failed,
                every_end_rings,
                errors_name_the_file_and_the_call,
            );
        }
    )* };
    (@cases $place:ty: $($case:ident,)*) => { $(
        #[test]
        fn $case() {
            cases::$case(&mut Rig::<$place>::new(stringify!($case)));
        }
    )* };
}

conforms! {
    system: Real;
    simulated: Simulated;
}
