//! Rotation, and the base that replaces what is before it.

use super::folder::Unlisted;
use super::{Live, Log, Running};
use dovetail_engine::base::Now;
use dovetail_engine::codec::aof::{Listed, Manifest};
use dovetail_engine::seam::disk::Open;
use dovetail_engine::seam::persistence::{PersistError, PersistResult, Save};

/// A base that is being written.
#[derive(Clone, Copy, Debug)]
pub(super) struct PendingBase {
    /// It has everything before this offset.
    offset: u64,
    /// The generation and the number of the first increment that it does not replace.
    generation: u64,
    first_kept: u64,
}

impl Log {
    pub(super) fn begin_base(&mut self, now: Now) -> PersistResult<Save> {
        let mut running = self.running.take().ok_or(PersistError::NothingKept)?;
        let begun = self.turn(now, &mut running);
        self.running = Some(running);
        begun?;
        Ok(self.folder.base_save(&self.settings))
    }

    /// Has everything from now on in a file that follows the next base.
    fn turn(&mut self, now: Now, running: &mut Running) -> PersistResult<()> {
        running.stream.hear(now);
        running.stream.write_now(now)?;
        if !running.live.is_some_and(|live| live.is_fresh) {
            // Only the last file of a log may be torn: this one must be whole before it is not the
            // last any more.
            running.stream.sync_now();
            match running.live {
                Some(_) => self.renew_temporary(running)?,
                None if running.stream.has_failed() => self.set_apart(running)?,
                None => self.rotate(running)?,
            }
        }
        if let Some(live) = &mut running.live {
            live.is_fresh = false;
        }
        running.pending = Some(PendingBase {
            offset: running.stream.end(),
            generation: running.stream.target.generation,
            first_kept: running.seq,
        });
        Ok(())
    }

    /// Goes on in a new increment; the present one is safe.
    fn rotate(&mut self, running: &mut Running) -> PersistResult<()> {
        let listed = self.folder.next_incr()?;
        let (seq, path) = (listed.seq, self.folder.at(&listed.name));
        let file = self.files.open(&path, Open::CreateNew)?;
        let mut manifest = self.folder.manifest.clone();
        if let Some(last) = manifest.incrs.last_mut() {
            // If that has failed and power is lost, what is missing is noticed.
            last.bytes = Some(running.stream.len());
        }
        manifest.incrs.push(listed);
        let synced = self.folder.sync_names().map_err(Unlisted::Before);
        let doubt = match synced.and_then(|()| self.folder.commit(manifest)) {
            Ok(()) => None,
            Err(Unlisted::Before(error)) => {
                self.files.close(file);
                self.files.discard(&path);
                return Err(error.into());
            }
            Err(Unlisted::After(error)) => Some(error),
        };
        let generation = running.stream.target.generation;
        running.older.push((running.seq, running.stream.len()));
        running.seq = seq;
        running.stream.go_on(file, path);
        if let Some(error) = doubt {
            // Without power the new increment may be forgotten, until a later manifest is safe.
            running.stream.syncs.doubt(generation, error);
        }
        Ok(())
    }

    /// Goes on beside a log whose end may be lost: what follows a gap must not be loaded behind it.
    /// What is stored stays as it is. Until there is a base, nobody is promised what comes now: it
    /// would not be found even after the process is killed.
    fn set_apart(&self, running: &mut Running) -> PersistResult<()> {
        let (end, len) = (running.stream.end(), running.stream.len());
        self.renew_temporary(running)?;
        running.older.push((running.seq, len));
        let synced = running.stream.syncs.synced();
        // A log that is safe in its file only, and not yet by its manifest, has less already.
        running.durable_until.get_or_insert(synced);
        running.live = Some(Live {
            is_fresh: false,
            apart_from: Some(end),
        });
        Ok(())
    }

    /// Goes on in a new increment while there is no base: the next one has what is in this one.
    fn renew_temporary(&self, running: &mut Running) -> PersistResult<()> {
        let path = self.folder.temporary();
        self.files.discard(&path);
        let file = self.files.open(&path, Open::CreateNew)?;
        running.stream.go_on(file, path);
        Ok(())
    }

    pub(super) fn finish_base(&mut self, save: &Save) -> PersistResult<()> {
        let mut running = self.running.take().ok_or(PersistError::NothingKept)?;
        let finished = match running.pending.take() {
            Some(pending) => self.replace_base(&mut running, pending, save),
            None => {
                self.files.discard(&save.target);
                Err(PersistError::NothingKept)
            }
        };
        self.running = Some(running);
        if finished.is_ok() {
            self.folder.drop_history(self.settings.keeps_history);
        }
        finished
    }

    fn replace_base(
        &mut self,
        running: &mut Running,
        pending: PendingBase,
        save: &Save,
    ) -> PersistResult<()> {
        let base = self.folder.place_base(save)?;
        let base_path = self.folder.at(&base.listed.name);
        let (len, first_kept) = (base.len, pending.first_kept);
        let listed = match running.live {
            None => self.list(base.listed, first_kept),
            Some(_) => self.list_live(running, base.listed),
        };
        if let Err(Unlisted::Before(error)) = listed {
            self.files.discard(&base_path);
            return Err(error.into());
        }
        running.older.retain(|(seq, _)| *seq >= first_kept);
        running.base_len = len;
        running.size_then = running.size();
        let syncs = &mut running.stream.syncs;
        match listed {
            Ok(()) => {
                syncs.cover(pending.offset, pending.generation);
                running.durable_until = None;
                Ok(())
            }
            Err(error) => {
                // Both manifests can be found without power; their files are there.
                let error = error.error();
                let generation = running.stream.target.generation;
                running.stream.syncs.doubt(generation, error.clone());
                Err(error.into())
            }
        }
    }

    /// Lists a base in place of everything before increment number `first_kept`.
    fn list(&mut self, base: Listed, first_kept: u64) -> Result<(), Unlisted> {
        let mut manifest = self.folder.manifest.clone();
        manifest.replace_base(base, first_kept);
        self.commit_base(manifest)
    }

    /// Lists the first base of a log, and what follows it.
    fn list_live(&mut self, running: &mut Running, base: Listed) -> Result<(), Unlisted> {
        let incr = self.folder.next_incr().map_err(Unlisted::Before)?;
        let (from, to) = (self.folder.temporary(), self.folder.at(&incr.name));
        let seq = incr.seq;
        self.files.rename(&from, &to).map_err(Unlisted::Before)?;
        let mut manifest = self.folder.manifest.clone();
        manifest.replace_base(base, u64::MAX);
        manifest.incrs.push(incr);
        let synced = self.folder.sync_names().map_err(Unlisted::Before);
        let listed = synced.and_then(|()| self.commit_base(manifest));
        if let Err(Unlisted::Before(_)) = &listed {
            // The next attempt begins with another increment anyway.
            drop(self.files.rename(&to, &from));
            return listed;
        }
        running.live = None;
        running.older.clear();
        running.seq = seq;
        running.stream.target.path = to;
        listed
    }

    fn commit_base(&mut self, mut manifest: Manifest) -> Result<(), Unlisted> {
        if self.settings.keeps_history {
            manifest.history.clear();
        }
        self.folder.commit(manifest)
    }
}
