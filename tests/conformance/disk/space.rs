//! What a full disk says: the device that is always full, and a small file system of memory where
//! mounting one is permitted.

use dovetail_backends::disk::SystemDisk;
use dovetail_engine::seam::disk::{Disk, Open, Sync};
use std::path::{Path, PathBuf};
use std::process::Command;

/// Bytes of the small file system: a few pages.
const SMALL_BYTES: usize = 64 * 1024;

#[test]
fn a_device_without_room_refuses_with_its_reason() {
    let mut disk = SystemDisk::new();
    let file = disk.open(Path::new("/dev/full"), Open::Append).unwrap();
    let error = disk.write(file, b"x").unwrap_err();
    assert_eq!((error.fault.op, error.fault.errno), ("write", libc::ENOSPC));
    assert_eq!(
        error.to_string(),
        "/dev/full: write: No space left on device"
    );
}

/// A mounted file system that goes away with its value.
struct Mounted(PathBuf);

impl Mounted {
    /// `None` where it is not permitted.
    fn new() -> Option<Self> {
        let folder = std::env::temp_dir().join(format!("dovetail-small-{}", std::process::id()));
        std::fs::create_dir(&folder).unwrap();
        let size = format!("size={SMALL_BYTES}");
        let done = Command::new("mount")
            .args(["-t", "tmpfs", "-o", &size, "tmpfs"])
            .arg(&folder)
            .output();
        if done.is_ok_and(|output| output.status.success()) {
            return Some(Self(folder));
        }
        std::fs::remove_dir(&folder).unwrap();
        None
    }
}

impl Drop for Mounted {
    fn drop(&mut self) {
        drop(Command::new("umount").arg("-l").arg(&self.0).status());
        drop(std::fs::remove_dir(&self.0));
    }
}

#[test]
#[expect(clippy::print_stderr, reason = "what was not run is said")]
fn a_full_file_system_takes_what_fits_and_goes_on_when_there_is_room() {
    let Some(mounted) = Mounted::new() else {
        eprintln!("not run: a full file system (mounting one is not permitted here)");
        return;
    };
    let mut disk = SystemDisk::new();
    let file = disk.open(&mounted.0.join("a"), Open::Create).unwrap();
    let bytes = vec![7; 2 * SMALL_BYTES];
    let mut taken = 0;
    let error = loop {
        match disk.write(file, &bytes[taken..]) {
            Ok(more) => taken += more,
            Err(error) => break error,
        }
    };
    assert_eq!(error.fault.errno, libc::ENOSPC);
    assert!(taken > 0 && taken <= SMALL_BYTES, "{taken} were taken");
    assert_eq!(disk.len(file), Ok(taken as u64));
    disk.truncate(file, 0).unwrap();
    assert_eq!(disk.write(file, b"again"), Ok(5));
    disk.start_sync(file, Sync::Data);
    let end = loop {
        if let Some(end) = disk.synced() {
            break end;
        }
        std::thread::yield_now();
    };
    assert_eq!(end.result, Ok(()));
}
