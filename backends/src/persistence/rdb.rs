//! The member that keeps snapshots only, and what all members do for a snapshot.

use super::files::{self, Files};
use super::log;
use dovetail_engine::base::Now;
use dovetail_engine::seam::persistence::{
    Begin, Format, Part, PersistResult, Persistence, Progress, Purpose, Role, Save, Settings,
    SharedDisk, Stored,
};

/// What the row is called.
pub(super) const NAME: &str = "rdb";

/// The snapshot that is stored, if there is one.
pub(super) fn find(files: &Files, settings: &Settings) -> PersistResult<Option<Part>> {
    let path = settings.dir.join(&settings.snapshot);
    let len = files.len_of(&path)?;
    Ok(len.map(|len| Part {
        path,
        name: settings.snapshot.clone(),
        role: Role::Snapshot,
        len,
    }))
}

/// A snapshot that begins.
pub(super) fn save(settings: &Settings) -> Save {
    Save {
        purpose: Purpose::Snapshot,
        format: Format::Rdb,
        temporary: settings.dir.join(format!("temp-{}.rdb", settings.pid)),
        target: settings.dir.join(&settings.snapshot),
        sync_bytes: settings.snapshot_sync_bytes,
    }
}

/// Removes the unfinished snapshots of dead processes.
pub(super) fn sweep(files: &Files, settings: &Settings) {
    files.sweep(&settings.dir, settings.pid, |name| {
        files::pid(name.strip_prefix("temp-")?.strip_suffix(".rdb")?)
    });
}

/// Keeps snapshots.
#[derive(Debug)]
pub(super) struct Rdb {
    files: Files,
    settings: Settings,
}

impl Rdb {
    pub(super) fn new(disk: SharedDisk, settings: &Settings) -> Self {
        Self {
            files: Files::new(disk),
            settings: settings.clone(),
        }
    }

    fn folder(&self) -> log::Folder {
        log::Folder::new(self.files.clone(), &self.settings)
    }
}

impl Persistence for Rdb {
    fn name(&self) -> &'static str {
        NAME
    }

    fn keeps_log(&self) -> bool {
        false
    }

    fn apply(&mut self, settings: &Settings) {
        self.settings = settings.clone();
    }

    fn stored(&mut self) -> PersistResult<Stored> {
        let snapshot = find(&self.files, &self.settings)?;
        let mut notes = Vec::new();
        if snapshot.is_none()
            && let Some(manifest) = log::manifest_of(&self.files, &self.settings)?
        {
            notes.push(format!(
                "There is an append-only log, {}, which is not loaded because appendonly is no; the \
                 dataset is empty",
                manifest.display()
            ));
        }
        Ok(Stored {
            parts: snapshot.into_iter().collect(),
            notes,
        })
    }

    fn cut(&mut self, part: &Part, len: u64) -> PersistResult<()> {
        Ok(self.files.cut(&part.path, len)?)
    }

    fn begin(&mut self, _now: Now, _offset: u64, begin: Begin) -> PersistResult<()> {
        // While the server runs, this process may be at a snapshot.
        if begin != Begin::Live {
            sweep(&self.files, &self.settings);
        }
        Ok(())
    }

    fn append(&mut self, _now: Now, _records: &[u8], _end: u64) {}

    fn advance(&mut self, _now: Now) -> Progress {
        Progress {
            released: u64::MAX,
            durable: u64::MAX,
            ..Progress::default()
        }
    }

    fn begin_save(&mut self, _now: Now, purpose: Purpose) -> PersistResult<Save> {
        match purpose {
            Purpose::Snapshot => Ok(save(&self.settings)),
            // Of a log that is to be found when it is switched on.
            Purpose::Base => Ok(self.folder().base_save(&self.settings)),
        }
    }

    fn finish_save(&mut self, _now: Now, save: Save) -> PersistResult<()> {
        let keeps_history = self.settings.keeps_history;
        match save.purpose {
            Purpose::Snapshot => Ok(()),
            Purpose::Base => self.folder().take_base(&save, keeps_history),
        }
    }

    fn abort_save(&mut self, _now: Now, save: Save) {
        self.files.start_removal(&save.temporary);
        if save.purpose == Purpose::Base {
            self.files.start_removal(&save.target);
        }
    }

    fn close(&mut self, _now: Now) -> PersistResult<()> {
        Ok(())
    }
}
