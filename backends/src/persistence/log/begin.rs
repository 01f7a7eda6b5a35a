//! What is stored, and the beginning of the log behind it.

use super::super::files::Files;
use super::super::rdb;
use super::folder::{Folder, Unlisted};
use super::stream::Stream;
use super::{Live, Log, Running};
use dovetail_engine::base::Now;
use dovetail_engine::codec::aof::{Listed, Manifest, Sealer};
use dovetail_engine::codec::rdb::{Compression, Options, Summing, Writer};
use dovetail_engine::seam::disk::Open;
use dovetail_engine::seam::persistence::{
    Format, LogEnd, Part, PersistError, PersistResult, Role, Stored,
};
use std::path::Path;

/// The version of Redis whose behaviour is kept, as snapshots have it.
const REDIS_VERSION: &str = "7.2.4";

impl Log {
    pub(super) fn find_stored(&mut self) -> PersistResult<Stored> {
        let mut notes = Vec::new();
        self.folder.load()?;
        if !self.folder.has_log()
            && let Some(old) = self.folder.adopt_old_file()?
        {
            notes.push(format!(
                "The append-only log {} was moved into its folder and is its base now",
                old.display()
            ));
        }
        let unfinished = self.folder.temporary();
        if self.files.len_of(&unfinished)?.is_some_and(|len| len > 0) {
            notes.push(format!(
                "{} was to follow a base of the append-only log that was never finished; it is not \
                 part of any dataset and will be removed",
                unfinished.display()
            ));
        }
        if self.folder.has_log() {
            let parts = self.folder.parts()?;
            return Ok(Stored { parts, notes });
        }
        let snapshot = rdb::find(&self.files, &self.settings)?;
        if let Some(part) = &snapshot {
            notes.push(format!(
                "There is no append-only log, but a snapshot: {} is loaded and will be the log's \
                 base",
                part.path.display()
            ));
        }
        Ok(Stored {
            parts: snapshot.into_iter().collect(),
            notes,
        })
    }

    pub(super) fn begin_loaded(
        &mut self,
        now: Now,
        offset: u64,
        end: LogEnd,
    ) -> PersistResult<Running> {
        let stored = self.find_stored()?;
        if let Some(loaded) = self.found.take() {
            expect_same(&loaded, &stored.parts, &self.folder)?;
        }
        if self.folder.has_log() {
            self.resume(offset, end, &stored.parts)
        } else {
            self.begin_anew(now, offset, stored.parts.first())
        }
    }

    /// Goes on behind a log.
    fn resume(&mut self, offset: u64, end: LogEnd, parts: &[Part]) -> PersistResult<Running> {
        self.folder.make()?;
        let increments = parts.iter().filter(|part| part.role == Role::Increment);
        // What a process that was killed has written may be nowhere but in memory.
        for part in increments.clone() {
            self.files.sync_file(&part.path)?;
        }
        let mut manifest = self.folder.manifest.clone();
        let mut older: Vec<(u64, u64)> = manifest
            .incrs
            .iter()
            .zip(increments)
            .map(|(listed, part)| (listed.seq, part.len))
            .collect();
        let (listed, how) = match manifest.incrs.last_mut() {
            Some(last) => {
                // It is going to end somewhere else.
                last.end_offset = None;
                last.bytes = None;
                (last.clone(), Open::Append)
            }
            None => {
                let listed = self.folder.next_incr()?;
                manifest.incrs.push(listed.clone());
                (listed, Open::CreateNew)
            }
        };
        let sealer = match how {
            Open::Append => {
                let len = older.pop().map_or(0, |(_, len)| len);
                if len != end.len {
                    return Err(PersistError::Changed(self.folder.at(&listed.name)));
                }
                sealer(end)
            }
            _ => Sealer::new(),
        };
        let stream = self.open_stream(&listed, how, sealer, offset)?;
        // The last process may have died between giving the manifest its name and making that safe.
        self.folder.sync_names()?;
        if manifest != self.folder.manifest {
            self.folder.commit(manifest).map_err(Unlisted::error)?;
        }
        self.folder.drop_history(self.settings.keeps_history);
        self.folder.sweep(self.settings.keeps_history);
        let base = parts.iter().find(|part| part.role == Role::Base);
        let mut running = Running::new(stream, listed.seq);
        running.older = older;
        running.base_len = base.map_or(0, |part| part.len);
        running.size_then = running.size();
        Ok(running)
    }

    fn open_stream(
        &self,
        listed: &Listed,
        how: Open,
        sealer: Sealer,
        offset: u64,
    ) -> PersistResult<Stream> {
        let path = self.folder.at(&listed.name);
        let file = self.files.open(&path, how)?;
        let len = match how {
            Open::Append => self.files.len(file),
            _ => Ok(0),
        };
        let len = len.inspect_err(|_| self.files.close(file))?;
        let files = self.files.clone();
        Ok(Stream::new(files, (file, path), len, sealer, offset))
    }

    /// Begins a log where there is none, with the snapshot that was loaded or with nothing.
    fn begin_anew(
        &mut self,
        now: Now,
        offset: u64,
        snapshot: Option<&Part>,
    ) -> PersistResult<Running> {
        self.folder.make()?;
        self.folder.announce()?;
        self.folder.sweep(self.settings.keeps_history);
        let format = match snapshot {
            Some(_) => Format::Rdb,
            None => self.settings.base_format,
        };
        let base = self.folder.next_base(format)?;
        let path = self.folder.at(&base.name);
        let base_len = match (snapshot, format) {
            (Some(part), _) => copy_snapshot(&self.files, part, &path)?,
            (None, format) => {
                let bytes = match format {
                    Format::Rdb => empty_snapshot(now),
                    Format::Commands => Vec::new(),
                };
                self.files.make(&path, &bytes)?;
                bytes.len() as u64
            }
        };
        let incr = self.folder.next_incr()?;
        let stream = self.open_stream(&incr, Open::CreateNew, Sealer::new(), offset)?;
        let seq = incr.seq;
        self.folder.sync_names()?;
        let manifest = Manifest {
            base: Some(base),
            incrs: vec![incr],
            history: Vec::new(),
        };
        self.folder.commit(manifest).map_err(Unlisted::error)?;
        let mut running = Running::new(stream, seq);
        running.base_len = base_len;
        running.size_then = base_len;
        Ok(running)
    }

    /// Begins a log of a dataset that is in memory. What is stored stays until there is a base.
    pub(super) fn begin_live(&mut self, offset: u64) -> PersistResult<Running> {
        self.folder.load()?;
        self.folder.make()?;
        let path = self.folder.temporary();
        self.files.discard(&path);
        let file = self.files.open(&path, Open::CreateNew)?;
        let place = (file, path);
        let stream = Stream::new(self.files.clone(), place, 0, Sealer::new(), offset);
        let mut running = Running::new(stream, 0);
        running.live = Some(Live {
            is_fresh: true,
            apart_from: None,
        });
        running.durable_until = Some(offset);
        Ok(running)
    }
}

/// Whether what is stored is what was loaded; the end of a log may have been cut since.
fn expect_same(loaded: &[Part], stored: &[Part], folder: &Folder) -> PersistResult<()> {
    for (index, part) in loaded.iter().enumerate() {
        let is_same = stored.get(index).is_some_and(|now| {
            let is_last = index + 1 == loaded.len() && part.role != Role::Snapshot;
            now.path == part.path && (is_last || now.len == part.len)
        });
        if !is_same {
            return Err(PersistError::Changed(part.path.clone()));
        }
    }
    match stored.len() == loaded.len() {
        true => Ok(()),
        false => Err(PersistError::Changed(folder.dir.clone())),
    }
}

/// What seals a file that ends like this.
fn sealer(end: LogEnd) -> Sealer {
    if end.len == 0 {
        Sealer::new()
    } else if end.is_sealed {
        Sealer::following(end.seal)
    } else {
        Sealer::resumed(end.seal)
    }
}

/// The snapshot stays where it is, under its own name.
fn copy_snapshot(files: &Files, part: &Part, to: &Path) -> PersistResult<u64> {
    let len = files.copy(&part.path, to)?;
    if len != part.len {
        files.discard(to);
        return Err(PersistError::Changed(part.path.clone()));
    }
    Ok(len)
}

/// A snapshot of an empty dataset.
fn empty_snapshot(now: Now) -> Vec<u8> {
    let options = Options {
        compression: Compression::Off,
        summing: Summing::On,
    };
    let mut writer = Writer::new(Vec::new(), options);
    let Ok(()) = writer.begin();
    let fields = [
        ("redis-ver", REDIS_VERSION.to_owned()),
        ("redis-bits", usize::BITS.to_string()),
        ("ctime", now.unix_secs().to_string()),
        ("aof-base", "1".to_owned()),
    ];
    for (name, value) in fields {
        let Ok(()) = writer.aux(name.as_bytes(), value.as_bytes());
    }
    let Ok((bytes, _)) = writer.finish();
    bytes
}
