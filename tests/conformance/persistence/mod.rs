//! Does every member keep the contract of its seam? On the system's files and on simulated ones,
//! with everything that can go wrong, and with a crash at every call on the disk.
//!
//! The dataset of these tests is a number: each record sets it to the next one, a file that is
//! written whole has the one it is at. So a record that is lost, doubled or misplaced is seen.

mod cases;
mod crashes;
mod faults;
mod rig;
mod storing;

use dovetail_backends::disk::SystemDisk;
use dovetail_backends::persistence::MEMBERS;
use dovetail_engine::seam::persistence::{PersistenceEntry, SharedDisk};
use dovetail_tests::sim::SimDisk;
use rig::Rig;
use std::cell::RefCell;
use std::path::{Path, PathBuf};
use std::rc::Rc;

/// A folder on some disk.
trait Place {
    fn new(name: &str) -> Self;
    fn folder(&self) -> &Path;
    /// The disk as a new process has it.
    fn disk(&mut self) -> SharedDisk;
    /// Lets background jobs go on a little.
    fn breathe(&self);
    /// The bytes of a file.
    fn contents(&self, path: &Path) -> Vec<u8>;
}

/// The machine's own files.
struct Real(PathBuf);

impl Place for Real {
    fn new(name: &str) -> Self {
        let name = format!("dovetail-persistence-{}-{name}", std::process::id());
        let folder = std::env::temp_dir().join(name);
        std::fs::create_dir(&folder).unwrap();
        Self(folder)
    }

    fn folder(&self) -> &Path {
        &self.0
    }

    fn disk(&mut self) -> SharedDisk {
        Rc::new(RefCell::new(SystemDisk::new()))
    }

    fn breathe(&self) {
        std::thread::yield_now();
    }

    fn contents(&self, path: &Path) -> Vec<u8> {
        std::fs::read(path).unwrap()
    }
}

impl Drop for Real {
    fn drop(&mut self) {
        // What stays behind in a temporary folder is no failure of the test.
        drop(std::fs::remove_dir_all(&self.0));
    }
}

/// The simulated ones; some writes are short.
struct Simulated(SimDisk);

impl Place for Simulated {
    fn new(name: &str) -> Self {
        let seed = name.bytes().fold(7, |sum: u64, byte| {
            sum.wrapping_mul(31).wrapping_add(u64::from(byte))
        });
        let disk = SimDisk::new(seed);
        disk.set_short_writes(40);
        Self(disk)
    }

    fn folder(&self) -> &Path {
        Path::new(SimDisk::HOME)
    }

    fn disk(&mut self) -> SharedDisk {
        self.0.crash_process();
        Rc::new(RefCell::new(self.0.clone()))
    }

    fn breathe(&self) {
        self.0.tick();
    }

    fn contents(&self, path: &Path) -> Vec<u8> {
        self.0.peek(path).unwrap()
    }
}

/// Members that keep a log.
fn logs() -> impl Iterator<Item = &'static PersistenceEntry> {
    MEMBERS.iter().filter(|entry| entry.name != "rdb")
}

/// One module of tests a disk, one test a case, in which every member has its turn.
macro_rules! conforms {
    ($($module:ident: $place:ty;)*) => { $(
        mod $module {
            use super::*;
            conforms!(@cases MEMBERS.iter(), $place:
                cases::a_snapshot_is_found_again,
                cases::a_base_without_a_log_is_a_log,
                cases::a_snapshot_that_is_given_up_leaves_the_last_one,
                cases::snapshots_of_dead_processes_are_removed,
                cases::the_row_has_the_members_name,
                cases::a_file_is_cut_for_good,
            );
            conforms!(@cases logs(), $place:
                cases::what_is_appended_is_there_in_order,
                cases::nothing_is_lost_from_one_process_to_the_next,
                cases::every_second_something_is_synced,
                cases::always_waits_for_the_sync,
                cases::no_sync_is_asked_for_by_the_log_without_a_policy,
                cases::closing_makes_everything_durable,
                cases::a_base_replaces_what_is_before_it,
                cases::a_base_that_is_given_up_leaves_all_increments,
                cases::sizes_are_those_of_the_files,
                cases::replaced_files_stay_if_they_are_to,
                cases::settings_change_while_the_log_runs,
                cases::times_are_annotated_once_a_second,
                cases::seals_go_on_behind_a_restart,
                storing::a_log_begins_with_an_empty_base,
                storing::a_log_begins_with_the_snapshot_that_is_there,
                storing::an_old_single_file_is_moved,
                storing::a_file_that_was_moved_already_is_found,
                storing::files_without_a_manifest_are_refused,
                storing::a_broken_manifest_is_refused,
                storing::a_missing_file_is_refused,
                storing::a_file_that_has_lost_its_end_is_refused,
                storing::what_was_about_to_begin_is_begun_anew,
                storing::a_torn_end_is_cut_and_goes_on,
                storing::a_file_that_has_changed_is_refused,
                storing::a_manifest_without_increments_gets_one,
                storing::leftovers_are_removed,
                storing::a_live_log_counts_from_its_base_on,
                storing::a_live_log_can_try_again,
                storing::a_live_log_replaces_an_older_one,
                storing::a_live_log_that_ends_early_leaves_what_was_stored,
                storing::a_running_log_can_be_read_again,
            );
        }
    )* };
    (@cases $members:expr, $place:ty: $($group:ident::$case:ident,)*) => { $(
        #[test]
        fn $case() {
            for entry in $members {
                super::$group::$case(&mut Rig::<$place>::new(entry, stringify!($case)));
            }
        }
    )* };
}

conforms! {
    system: Real;
    simulated: Simulated;
}
