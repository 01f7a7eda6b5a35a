//! The end of the log: what waits to be written, and the file that it goes to.
//!
//! Shape: batches gather in one buffer, which is written as a whole: what has got in of it when a
//! write fails is cut off again. If that fails too, writing goes on behind those bytes.

use super::super::files::Files;
use super::syncs::{Syncs, Target};
use dovetail_engine::base::{Micros, Now};
use dovetail_engine::codec::aof::{Sealer, write};
use dovetail_engine::seam::disk::{DiskError, DiskResult, FileId};
use dovetail_engine::seam::persistence::{Fsync, Settings};
use std::path::PathBuf;

/// A failed write is tried again after this time.
const RETRY: Micros = Micros::from_millis(100);
/// Syncs begin at least this far apart.
const SYNC_EVERY: Micros = Micros::from_secs(1);
/// A sync that takes longer holds writes back: they might have to wait for it.
const SLOW_SYNC: Micros = Micros::from_secs(1);
/// For so long at most.
const POSTPONED_MAX: Micros = Micros::from_secs(2);
/// Under `always` the next sync begins so much later than the last has ended, as a part of what that
/// has taken, and at most: those who were answered by its end are back with something to be synced.
const REST_PART: u64 = 4;
const REST_MAX: Micros = Micros(200);
/// Room of the buffer that is kept.
const ROOM_BYTES: usize = 1 << 20;

/// Where the log goes on.
#[derive(Debug)]
pub(super) struct Stream {
    files: Files,
    pub(super) target: Target,
    /// Bytes of whole batches that are in the file.
    len: u64,
    sealer: Sealer,
    /// The second of the last annotation of time in this file.
    second: Option<u64>,
    /// What is to be written behind them.
    buffer: Vec<u8>,
    /// Bytes of the buffer that are in the file all the same, because they could not be cut off.
    ahead: usize,
    /// The offset at which the last batch ends, and the last that is in the file.
    end: u64,
    written: u64,
    /// Since when the first batch of the buffer waits.
    waits_since: Option<Micros>,
    postponed_since: Option<Micros>,
    /// A write that has failed, and when it is tried again.
    failed: Option<(DiskError, Micros)>,
    /// When the next sync may begin under `always`.
    rest_until: Micros,
    delayed: u64,
    longest_delay: Micros,
    pub(super) syncs: Syncs,
}

impl Drop for Stream {
    fn drop(&mut self) {
        self.files.close(self.target.file);
    }
}

impl Stream {
    /// Goes on at the end of an open file of `len` bytes, with records from `offset` on.
    pub(super) fn new(
        files: Files,
        (file, path): (FileId, PathBuf),
        len: u64,
        sealer: Sealer,
        offset: u64,
    ) -> Self {
        Self {
            files,
            target: Target {
                file,
                path,
                generation: 1,
            },
            len,
            sealer,
            second: None,
            buffer: Vec::new(),
            ahead: 0,
            end: offset,
            written: offset,
            waits_since: None,
            postponed_since: None,
            failed: None,
            rest_until: Micros(0),
            delayed: 0,
            longest_delay: Micros(0),
            syncs: Syncs::new(offset),
        }
    }

    /// The offset at which the last batch ends.
    pub(super) fn end(&self) -> u64 {
        self.end
    }

    /// Everything before this offset is in the file.
    pub(super) fn written(&self) -> u64 {
        self.written
    }

    /// Bytes of the file.
    pub(super) fn len(&self) -> u64 {
        self.len + self.ahead as u64
    }

    /// Bytes that wait.
    pub(super) fn buffered(&self) -> usize {
        self.buffer.len() - self.ahead
    }

    /// Bytes of memory that are kept for them.
    pub(super) fn buffer_memory(&self) -> usize {
        self.buffer.capacity()
    }

    /// Why nothing is written.
    pub(super) fn failed(&self) -> Option<&DiskError> {
        self.failed.as_ref().map(|(error, _)| error)
    }

    /// Writes that have waited for a sync for as long as they may, and the longest wait of any.
    pub(super) fn delays(&self) -> (u64, Micros) {
        (self.delayed, self.longest_delay)
    }

    /// Takes a batch that ends at offset `end`.
    pub(super) fn take(&mut self, now: Now, records: &[u8], end: u64, settings: &Settings) {
        self.end = end;
        if records.is_empty() {
            return;
        }
        self.waits_since.get_or_insert(now.monotonic);
        let from = self.buffer.len();
        let second = now.unix_secs();
        if settings.timestamps && self.second != Some(second) {
            let time = i64::try_from(second).unwrap_or(i64::MAX);
            write::timestamp(&mut self.buffer, time);
            self.second = Some(second);
        }
        self.buffer.extend_from_slice(records);
        if settings.checksums {
            self.sealer.seal(&mut self.buffer, from);
        } else {
            self.sealer.skip();
        }
    }

    /// Writes what waits, unless it should wait for a sync.
    pub(super) fn write(&mut self, now: Now, fsync: Fsync) {
        if self.end > self.written && !self.is_postponed(now, fsync) {
            // It is kept, and tried again.
            drop(self.write_now(now));
        }
    }

    /// The same, if it is time to try again after a failure.
    pub(super) fn write_again(&mut self, now: Now, fsync: Fsync) {
        let is_early = self
            .failed
            .as_ref()
            .is_some_and(|(_, again)| now.monotonic < *again);
        if !is_early {
            self.write(now, fsync);
        }
    }

    fn is_postponed(&mut self, now: Now, fsync: Fsync) -> bool {
        let running = self.syncs.running_since();
        let is_slow = running.is_some_and(|since| now.monotonic.minus(since) > SLOW_SYNC);
        if fsync != Fsync::EverySec || !is_slow {
            self.postponed_since = None;
            return false;
        }
        let since = *self.postponed_since.get_or_insert(now.monotonic);
        if now.monotonic.minus(since) < POSTPONED_MAX {
            return true;
        }
        self.delayed += 1;
        self.postponed_since = None;
        false
    }

    /// Writes what waits.
    pub(super) fn write_now(&mut self, now: Now) -> DiskResult<()> {
        self.write_out().inspect_err(|error| {
            let again = now.monotonic.plus(RETRY);
            self.failed = Some((error.clone(), again));
        })?;
        self.postponed_since = None;
        if let Some(since) = self.waits_since.take() {
            let delay = now.monotonic.minus(since);
            self.longest_delay = self.longest_delay.max(delay);
        }
        Ok(())
    }

    /// The same without a clock; a failure is the caller's.
    pub(super) fn write_out(&mut self) -> DiskResult<()> {
        let mut at = self.ahead;
        while at < self.buffer.len() {
            match self.files.write(self.target.file, &self.buffer[at..]) {
                Ok(taken) => at += taken,
                Err(mut error) => {
                    self.take_back(at);
                    // It may have another name than when it was opened.
                    error.path.clone_from(&self.target.path);
                    return Err(error);
                }
            }
        }
        self.len += self.buffer.len() as u64;
        self.ahead = 0;
        self.buffer.clear();
        self.buffer.shrink_to(ROOM_BYTES);
        self.written = self.end;
        self.failed = None;
        Ok(())
    }

    /// Cuts off the first `got` bytes of the buffer, which are in the file.
    fn take_back(&mut self, got: usize) {
        self.ahead = got;
        if got > 0 && self.files.truncate(self.target.file, self.len).is_ok() {
            self.ahead = 0;
        }
    }

    /// Whether a sync of the file has failed.
    pub(super) fn has_failed(&self) -> bool {
        self.syncs.has_failed(self.target.generation)
    }

    /// Has the file synced if it is time to.
    pub(super) fn sync(&mut self, now: Now, fsync: Fsync) {
        let is_due = match fsync {
            Fsync::No => false,
            Fsync::Always | Fsync::EverySec => {
                let next = self.next_sync(fsync);
                next.is_some_and(|next| now.monotonic >= next)
            }
        };
        if is_due {
            self.syncs
                .ask(&self.files, &self.target, self.len, self.written, now);
        }
    }

    /// Whether something was written that nobody has been asked to sync.
    fn is_unsynced(&self) -> bool {
        self.written > self.syncs.marked() && !self.has_failed()
    }

    /// When the next sync begins; one runs at a time.
    fn next_sync(&self, fsync: Fsync) -> Option<Micros> {
        if !self.is_unsynced() || self.syncs.running_since().is_some() {
            return None;
        }
        if fsync == Fsync::Always {
            return Some(self.rest_until);
        }
        let last = self.syncs.last_asked();
        Some(last.map_or(Micros(0), |last| last.plus(SYNC_EVERY)))
    }

    /// When there is something to do here, if syncs may begin by this rule.
    pub(super) fn due(&self, fsync: Fsync) -> Option<Micros> {
        let again = self.failed.as_ref().map(|(_, again)| *again);
        let postponed = self.postponed_since.map(|since| since.plus(POSTPONED_MAX));
        let sync = match fsync {
            Fsync::EverySec | Fsync::Always => self.next_sync(fsync),
            Fsync::No => None,
        };
        [again, postponed, sync].into_iter().flatten().min()
    }

    /// Syncs and waits for it.
    pub(super) fn sync_now(&mut self) {
        self.syncs
            .wait(&self.files, &self.target, self.len, self.written);
    }

    /// Takes the ends of syncs.
    pub(super) fn hear(&mut self, now: Now) {
        let since = self.syncs.running_since();
        self.syncs.hear(&self.files, &self.target);
        if let (Some(since), None) = (since, self.syncs.running_since()) {
            let taken = now.monotonic.minus(since);
            let rest = Micros(taken.0 / REST_PART).min(REST_MAX);
            self.rest_until = now.monotonic.plus(rest);
        }
    }

    /// Goes on in another file, which is empty; nothing waits to be written.
    pub(super) fn go_on(&mut self, file: FileId, path: PathBuf) {
        let generation = self.target.generation + 1;
        let next = Target {
            file,
            path,
            generation,
        };
        let last = std::mem::replace(&mut self.target, next);
        self.files.close(last.file);
        self.syncs.retire(last);
        self.len = 0;
        self.sealer = Sealer::new();
        self.second = None;
    }
}
