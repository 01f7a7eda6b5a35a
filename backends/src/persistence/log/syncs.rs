//! What of the log survives a loss of power.
//!
//! Shape: a mark says that everything before an offset is durable when a file has been synced up to
//! a length. Marks are reached in their order. A generation is the time between two rotations, and
//! a file's generation tells which base replaces it. A failure stops everything until a base has
//! replaced the files up to its generation.

use super::super::files::Files;
use dovetail_engine::base::{Micros, Now};
use dovetail_engine::seam::disk::{DiskError, FileId, Sync, Synced};
use std::collections::VecDeque;
use std::path::PathBuf;

/// A file that is appended to, or was.
#[derive(Clone, Debug)]
pub(super) struct Target {
    pub(super) file: FileId,
    pub(super) path: PathBuf,
    pub(super) generation: u64,
}

#[derive(Debug)]
struct Mark {
    generation: u64,
    len: u64,
    offset: u64,
    is_reached: bool,
}

/// A sync of the present file that somebody is at.
#[derive(Clone, Copy, Debug)]
struct Asked {
    since: Micros,
    /// The length at the last time that it was asked for.
    len: u64,
}

#[derive(Debug)]
struct Failure {
    /// The latest of which something may be lost.
    generation: u64,
    /// The latest of which it is what a file contains, and not its name.
    file: Option<u64>,
    error: DiskError,
}

/// The syncs of a log.
#[derive(Debug)]
pub(super) struct Syncs {
    marks: VecDeque<Mark>,
    /// Of the last mark: everything before is synced, or about to be.
    marked: u64,
    /// What has been reached, as an offset.
    synced: u64,
    asked: Option<Asked>,
    last_asked: Option<Micros>,
    /// Files that are not appended to any more and may be under a sync.
    retired: Vec<Target>,
    failure: Option<Failure>,
}

impl Syncs {
    /// Everything before `offset` is safe.
    pub(super) fn new(offset: u64) -> Self {
        Self {
            marks: VecDeque::new(),
            marked: offset,
            synced: offset,
            asked: None,
            last_asked: None,
            retired: Vec::new(),
            failure: None,
        }
    }

    pub(super) fn synced(&self) -> u64 {
        self.synced
    }

    pub(super) fn marked(&self) -> u64 {
        self.marked
    }

    /// What stops everything.
    pub(super) fn failure(&self) -> Option<&DiskError> {
        self.failure.as_ref().map(|failure| &failure.error)
    }

    /// Whether a file of this generation may have lost something: it is not synced again.
    pub(super) fn has_failed(&self, generation: u64) -> bool {
        let failed = self.failure.as_ref().and_then(|failure| failure.file);
        failed.is_some_and(|failed| failed >= generation)
    }

    /// Since when the present file is under a sync.
    pub(super) fn running_since(&self) -> Option<Micros> {
        self.asked.map(|asked| asked.since)
    }

    /// When the present file was last asked to be synced.
    pub(super) fn last_asked(&self) -> Option<Micros> {
        self.last_asked
    }

    /// Asks for a sync of a file that has `len` bytes, which end at `offset`.
    pub(super) fn ask(&mut self, files: &Files, target: &Target, len: u64, offset: u64, now: Now) {
        files.start_sync(target.file, Sync::Data);
        let since = self.asked.map_or(now.monotonic, |asked| asked.since);
        self.asked = Some(Asked { since, len });
        self.last_asked = Some(now.monotonic);
        self.mark(target.generation, len, offset);
    }

    fn mark(&mut self, generation: u64, len: u64, offset: u64) {
        self.marked = offset;
        self.marks.push_back(Mark {
            generation,
            len,
            offset,
            is_reached: false,
        });
    }

    /// Syncs a file and waits for that.
    pub(super) fn wait(&mut self, files: &Files, target: &Target, len: u64, offset: u64) {
        if self.has_failed(target.generation) {
            return;
        }
        if let Err(error) = files.sync(target.file, Sync::All) {
            self.fail(target.generation, error);
            return;
        }
        self.mark(target.generation, len, offset);
        // Of two syncs at a time only one is told that the system has dropped something; the other
        // one's word is needed as well.
        let heard = self.asked.map_or(0, |asked| asked.len);
        for mark in &mut self.marks {
            if mark.generation == target.generation {
                mark.len = mark.len.min(heard);
                mark.is_reached |= self.asked.is_none();
            }
        }
        self.settle();
    }

    /// Another file is appended to from now on.
    pub(super) fn retire(&mut self, target: Target) {
        self.asked = None;
        self.last_asked = None;
        self.retired.push(target);
    }

    /// A sync of this generation's file has failed.
    fn fail(&mut self, generation: u64, error: DiskError) {
        self.doubt(generation, error);
        if let Some(failure) = &mut self.failure {
            failure.file = failure.file.max(Some(generation));
        }
    }

    /// Files up to this generation may be forgotten when power is lost.
    pub(super) fn doubt(&mut self, generation: u64, error: DiskError) {
        let failure = self.failure.get_or_insert(Failure {
            generation,
            file: None,
            error,
        });
        failure.generation = failure.generation.max(generation);
    }

    /// Takes the ends of syncs.
    pub(super) fn hear(&mut self, files: &Files, present: &Target) {
        while let Some(end) = files.synced() {
            self.take(end, present);
        }
    }

    fn take(&mut self, end: Synced, present: &Target) {
        let retired = self.retired.iter().find(|past| past.file == end.file);
        let target = retired.unwrap_or(present);
        if target.file != end.file {
            return;
        }
        let generation = target.generation;
        let path = &target.path;
        let failure = end.result.err().map(|fault| DiskError {
            path: path.clone(),
            fault,
        });
        if present.file == end.file
            && (failure.is_some() || self.asked.is_some_and(|asked| asked.len <= end.len))
        {
            self.asked = None;
        }
        if let Some(error) = failure {
            self.fail(generation, error);
            return;
        }
        for mark in &mut self.marks {
            mark.is_reached |= mark.generation == generation && mark.len <= end.len;
        }
        self.settle();
    }

    /// A base has everything before `offset`; files of earlier generations are not needed.
    pub(super) fn cover(&mut self, offset: u64, generation: u64) {
        self.marks.retain(|mark| mark.generation >= generation);
        self.retired.retain(|file| file.generation >= generation);
        self.synced = self.synced.max(offset);
        self.marked = self.marked.max(offset);
        self.failure
            .take_if(|failure| failure.generation < generation);
        self.settle();
    }

    fn settle(&mut self) {
        if self.failure.is_some() {
            return;
        }
        while let Some(mark) = self.marks.pop_front_if(|mark| mark.is_reached) {
            self.synced = self.synced.max(mark.offset);
        }
    }
}
