//! The bytes of a stored file, from its beginning to its end.

use crate::codec::aof::names::BaseFormat;
use crate::codec::rdb::Source;
use crate::seam::disk::{DiskError, FileId, Open};
use crate::seam::persistence::SharedDisk;
use std::path::Path;

/// Bytes that tell a snapshot from commands.
const MAGIC_BYTES: usize = 9;

/// A file that is read.
pub(super) struct PartSource {
    disk: SharedDisk,
    file: FileId,
    at: u64,
}

impl PartSource {
    /// Opens a file.
    ///
    /// # Errors
    /// What the disk says, as a sentence.
    pub(super) fn open(disk: SharedDisk, path: &Path) -> Result<Self, String> {
        let file = disk.borrow_mut().open(path, Open::Read);
        let file = file.map_err(|error| error.to_string())?;
        Ok(Self { disk, file, at: 0 })
    }

    /// Whether it is a snapshot, at its beginning at least.
    ///
    /// # Errors
    /// What the disk says, as a sentence.
    pub(super) fn begins_with_snapshot(&mut self) -> Result<bool, String> {
        let mut magic = [0; MAGIC_BYTES];
        let read = self.disk.borrow_mut().read(self.file, 0, &mut magic);
        let read = read.map_err(|error| error.to_string())?;
        Ok(BaseFormat::of(&magic[..read]) == BaseFormat::Rdb)
    }
}

impl Source for PartSource {
    type Error = DiskError;

    fn fill(&mut self, into: &mut [u8]) -> Result<usize, DiskError> {
        let read = self.disk.borrow_mut().read(self.file, self.at, into)?;
        self.at += read as u64;
        Ok(read)
    }
}

impl Drop for PartSource {
    fn drop(&mut self) {
        self.disk.borrow_mut().close(self.file);
    }
}
