//! The log's folder: which files there are, which of them count, and changing that for good.
//!
//! **Invariant:** a file is listed only when it is there for good, and removed only when the
//! manifest without it is. So every manifest that a crash can leave is one that can be loaded.
//! A manifest that lists nothing says that a log was about to begin: what is beside it is of no
//! use, whereas files without any manifest are a log that has lost it.

use super::super::files::{self, Files};
use dovetail_engine::codec::aof::names::{self, BaseFormat, Part as Kind};
use dovetail_engine::codec::aof::{Listed, Manifest};
use dovetail_engine::seam::disk::{DiskError, DiskResult};
use dovetail_engine::seam::persistence::{
    Format, Part, PersistError, PersistResult, Purpose, Role, Save, Settings,
};
use std::path::{Path, PathBuf};

/// The most that a manifest may have; a thousand files are far less.
const MANIFEST_BYTES_MAX: usize = 1 << 20;
/// What stands in a manifest that lists nothing.
const NOT_BEGUN: &[u8] = b"# This log has not begun.\n";

/// Why a manifest was not replaced.
#[derive(Debug)]
pub(super) enum Unlisted {
    /// Nothing has changed.
    Before(DiskError),
    /// It has been replaced, but a loss of power may take that back.
    After(DiskError),
}

impl Unlisted {
    /// What failed.
    pub(super) fn error(self) -> DiskError {
        match self {
            Self::Before(error) | Self::After(error) => error,
        }
    }
}

/// A base that has its name, and is not yet listed.
#[derive(Debug)]
pub(super) struct Placed {
    pub(super) listed: Listed,
    pub(super) len: u64,
}

/// The folder.
#[derive(Debug)]
pub(in super::super) struct Folder {
    files: Files,
    /// The folder it is in.
    pub(super) dir: PathBuf,
    path: PathBuf,
    prefix: String,
    /// What the manifest says, as far as a call sees it.
    pub(super) manifest: Manifest,
    has_manifest: bool,
}

impl Folder {
    pub(in super::super) fn new(files: Files, settings: &Settings) -> Self {
        Self {
            files,
            dir: settings.dir.clone(),
            path: settings.dir.join(&settings.log_folder),
            prefix: settings.log.clone(),
            manifest: Manifest::default(),
            has_manifest: false,
        }
    }

    /// Where a file of this name is.
    pub(super) fn at(&self, name: &str) -> PathBuf {
        self.path.join(name)
    }

    /// The increment while there is no base.
    pub(super) fn temporary(&self) -> PathBuf {
        self.at(&names::incr_temporary(&self.prefix))
    }

    /// Reads the manifest. Files of a log without one are an error.
    pub(super) fn load(&mut self) -> PersistResult<()> {
        let found = self.files.names(&self.path)?;
        let name = names::manifest(&self.prefix);
        if found.contains(&name) {
            self.manifest = self.read(&self.at(&name))?;
            self.has_manifest = true;
            return Ok(());
        }
        let orphans = found
            .into_iter()
            .filter(|name| is_data(names::part(&self.prefix, name)));
        if let Some(name) = orphans.min() {
            return Err(PersistError::NoManifest(self.path.clone(), name));
        }
        self.manifest = Manifest::default();
        self.has_manifest = false;
        Ok(())
    }

    fn read(&self, path: &Path) -> PersistResult<Manifest> {
        let text = self.files.beginning(path, MANIFEST_BYTES_MAX + 1)?;
        let unusable = |flaw| PersistError::Manifest(path.to_path_buf(), flaw);
        if text.len() > MANIFEST_BYTES_MAX {
            let flaw = format!("it is longer than {MANIFEST_BYTES_MAX} bytes");
            return Err(unusable(flaw));
        }
        let manifest = Manifest::parse(&text).map_err(|error| unusable(error.to_string()))?;
        if manifest.is_empty() && text != NOT_BEGUN {
            // Whatever is beside it may be a log.
            return Err(unusable("it names no file".to_owned()));
        }
        Ok(manifest)
    }

    /// Whether the manifest names anything that is loaded.
    pub(super) fn has_log(&self) -> bool {
        self.manifest.loaded().next().is_some()
    }

    /// The files that are loaded, in order.
    pub(super) fn parts(&self) -> PersistResult<Vec<Part>> {
        let base = self.manifest.base.iter().map(|file| (file, Role::Base));
        let incrs = self.manifest.incrs.iter();
        let all = base.chain(incrs.map(|file| (file, Role::Increment)));
        all.map(|(file, role)| {
            let path = self.at(&file.name);
            match self.files.len_of(&path)? {
                Some(len) if file.bytes.is_some_and(|bytes| len < bytes) => {
                    Err(PersistError::Short(path, file.bytes.unwrap_or_default()))
                }
                Some(len) => Ok(Part {
                    path,
                    name: file.name.clone(),
                    role,
                    len,
                }),
                None => Err(PersistError::Missing(path)),
            }
        })
        .collect()
    }

    /// Takes over a log of the one file that there was once, if there is one; says where it was.
    /// Called when there is no other log.
    pub(super) fn adopt_old_file(&mut self) -> PersistResult<Option<PathBuf>> {
        let old = self.dir.join(&self.prefix);
        let new = self.at(&self.prefix);
        let is_there = self.files.names(&self.dir)?.contains(&self.prefix);
        // It has been moved already if the last process died on the way.
        let is_moved = self.files.names(&self.path)?.contains(&self.prefix);
        match (is_there, is_moved) {
            (false, false) => return Ok(None),
            (true, true) => {
                let name = self.prefix.clone();
                return Err(PersistError::NoManifest(self.path.clone(), name));
            }
            (true, false) => {
                self.files.sync_file(&old)?;
                self.make()?;
                self.files.rename(&old, &new)?;
            }
            (false, true) => {}
        }
        self.sync_names()?;
        self.files.sync_folder(&self.dir)?;
        let manifest = Manifest {
            base: Some(Listed::new(self.prefix.clone(), 1)),
            ..Manifest::default()
        };
        self.commit(manifest).map_err(Unlisted::error)?;
        Ok(Some(old))
    }

    /// Makes the folder, if there is none, and all names for good: a process that was killed may
    /// have left some that are not.
    pub(super) fn make(&self) -> DiskResult<()> {
        self.files.make_folder(&self.path)?;
        self.files.sync_folder(&self.dir)?;
        self.sync_names()
    }

    /// Makes the names in it durable.
    pub(super) fn sync_names(&self) -> DiskResult<()> {
        self.files.sync_folder(&self.path)
    }

    /// Replaces the manifest. The names that it has must be durable.
    pub(super) fn commit(&mut self, manifest: Manifest) -> Result<(), Unlisted> {
        let path = self.at(&names::manifest(&self.prefix));
        let temporary = self.at(&names::manifest_temporary(&self.prefix));
        let mut text = manifest.to_bytes();
        if text.is_empty() {
            text.extend_from_slice(NOT_BEGUN);
        }
        self.files
            .make(&temporary, &text)
            .map_err(Unlisted::Before)?;
        if let Err(error) = self.files.rename(&temporary, &path) {
            self.files.discard(&temporary);
            return Err(Unlisted::Before(error));
        }
        self.manifest = manifest;
        self.has_manifest = true;
        self.sync_names().map_err(Unlisted::After)
    }

    /// Makes a manifest, so that files of an unfinished log are not taken for one that lost it.
    pub(super) fn announce(&mut self) -> PersistResult<()> {
        if self.has_manifest {
            return Ok(());
        }
        let nothing = Manifest::default();
        Ok(self.commit(nothing).map_err(Unlisted::error)?)
    }

    /// The increment that comes next; nothing has its name.
    pub(super) fn next_incr(&self) -> DiskResult<Listed> {
        let listed = self.manifest.next_incr(&self.prefix);
        self.unused(listed, |seq| names::incr(&self.prefix, seq))
    }

    /// The base that comes next; nothing has its name.
    pub(super) fn next_base(&self, format: Format) -> DiskResult<Listed> {
        let format = match format {
            Format::Rdb => BaseFormat::Rdb,
            Format::Commands => BaseFormat::Commands,
        };
        let listed = self.manifest.next_base(&self.prefix, format);
        self.unused(listed, |seq| names::base(&self.prefix, seq, format))
    }

    /// A base that begins to be written.
    pub(in super::super) fn base_save(&self, settings: &Settings) -> Save {
        let pid = settings.pid;
        Save {
            purpose: Purpose::Base,
            format: settings.base_format,
            temporary: self.dir.join(names::rewrite_temporary(pid)),
            target: self.dir.join(names::rewrite_done(pid)),
            sync_bytes: settings.base_sync_bytes,
        }
    }

    /// Gives a base that has been written its name for good. If that fails, it is gone.
    pub(super) fn place_base(&mut self, save: &Save) -> PersistResult<Placed> {
        let placed = self.try_to_place(save);
        placed.inspect_err(|_| self.files.discard(&save.target))
    }

    fn try_to_place(&mut self, save: &Save) -> PersistResult<Placed> {
        let Some(len) = self.files.len_of(&save.target)? else {
            return Err(PersistError::Missing(save.target.clone()));
        };
        self.announce()?;
        let listed = self.next_base(save.format)?;
        let path = self.at(&listed.name);
        self.files.rename(&save.target, &path)?;
        let synced = self.sync_names();
        synced
            .and_then(|()| self.files.sync_folder(&self.dir))
            .inspect_err(|_| self.files.discard(&path))?;
        Ok(Placed { listed, len })
    }

    /// Makes a base that has been written a log of its own: of a server that keeps none.
    pub(in super::super) fn take_base(
        &mut self,
        save: &Save,
        keeps_history: bool,
    ) -> PersistResult<()> {
        self.load()?;
        self.make()?;
        let base = self.place_base(save)?;
        let path = self.at(&base.listed.name);
        let mut manifest = self.manifest.clone();
        manifest.replace_base(base.listed, u64::MAX);
        match self.commit(manifest) {
            Ok(()) => self.drop_history(keeps_history),
            Err(Unlisted::Before(error)) => {
                self.files.discard(&path);
                return Err(error.into());
            }
            Err(Unlisted::After(error)) => return Err(error.into()),
        }
        Ok(())
    }

    /// Counts on past what is there unlisted: it may be on its way to be removed.
    fn unused(&self, mut listed: Listed, name: impl Fn(u64) -> String) -> DiskResult<Listed> {
        let present = self.files.names(&self.path)?;
        while present.contains(&listed.name) {
            listed.seq += 1;
            listed.name = name(listed.seq);
        }
        Ok(listed)
    }

    /// Forgets what has been replaced, and removes it if it is not to stay. If that fails, it is
    /// done another time.
    pub(super) fn drop_history(&mut self, keeps_history: bool) {
        if self.manifest.history.is_empty() {
            return;
        }
        let history = self.manifest.history.clone();
        if !keeps_history {
            for file in history {
                if self.manifest.loaded().all(|kept| kept.name != file.name) {
                    self.files.start_removal(&self.at(&file.name));
                }
            }
        }
        let manifest = Manifest {
            history: Vec::new(),
            ..self.manifest.clone()
        };
        // The lines do no harm.
        drop(self.commit(manifest));
    }

    /// Removes what a process that was killed has left: unfinished files, and those that have been
    /// replaced unless they are to stay. Whatever else the manifest does not list may be somebody's
    /// data, and stays.
    pub(super) fn sweep(&self, keeps_history: bool) {
        let base = self.manifest.base.as_ref().map_or(0, |file| file.seq);
        let incr = self.manifest.incrs.last().map_or(0, |file| file.seq);
        let listed: Vec<&str> = self
            .manifest
            .loaded()
            .chain(&self.manifest.history)
            .map(|file| file.name.as_str())
            .collect();
        let is_empty = |name: &str| matches!(self.files.len_of(&self.at(name)), Ok(Some(0)));
        for name in self.files.names(&self.path).unwrap_or_default() {
            let part = names::part(&self.prefix, &name);
            let is_left = match part {
                // At once: the name will be used again.
                Some(Kind::Temporary) => {
                    self.files.discard(&self.at(&name));
                    continue;
                }
                _ if listed.contains(&name.as_str()) => false,
                // A log that has not begun has nothing.
                _ if !self.has_log() => is_data(part),
                Some(Kind::Base(seq)) => seq == base + 1 || (seq < base && !keeps_history),
                Some(Kind::Incr(seq)) if seq < incr => !keeps_history,
                Some(Kind::Incr(_)) => is_empty(&name),
                Some(Kind::Manifest) | None => false,
            };
            if is_left {
                self.files.start_removal(&self.at(&name));
            }
        }
    }

    /// Removes the unfinished bases of dead processes.
    pub(super) fn sweep_rewrites(&self, own: u32) {
        self.files.sweep(&self.dir, own, |name| {
            let rest = name
                .strip_prefix("temp-rewriteaof-")?
                .strip_suffix(".aof")?;
            files::pid(rest.strip_prefix("bg-").unwrap_or(rest))
        });
    }
}

/// Whether a file of this kind holds a part of a dataset.
const fn is_data(part: Option<Kind>) -> bool {
    matches!(part, Some(Kind::Base(_) | Kind::Incr(_)))
}

/// The manifest of the log that `settings` describe, if there is one.
pub(in super::super) fn manifest_of(
    files: &Files,
    settings: &Settings,
) -> DiskResult<Option<PathBuf>> {
    let folder = settings.dir.join(&settings.log_folder);
    let name = names::manifest(&settings.log);
    let is_there = files.names(&folder)?.contains(&name);
    Ok(is_there.then(|| folder.join(name)))
}
