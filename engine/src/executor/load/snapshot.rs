//! A snapshot: keys in batches, into an empty keyspace.

use super::log::LogPart;
use super::source::PartSource;
use super::{Loaded, Loading, Reading, Slice};
use crate::base::{DbIndex, Now};
use crate::codec::rdb::{Event, Reader, Rules};
use crate::executor::Engine;
use crate::keyspace::Expired;
use crate::seam::host::LogLevel;
use crate::seam::persistence::Role;

/// Keys that are fetched ahead together.
pub(super) const KEYS_PER_BATCH: usize = 32;

/// A snapshot that is read.
pub(super) struct SnapshotPart {
    /// Taken at the end, for what lies behind it.
    reader: Option<Reader<PartSource>>,
    db: DbIndex,
    offset: u64,
}

impl SnapshotPart {
    pub(super) fn new(source: PartSource, rules: Rules) -> Self {
        Self {
            reader: Some(Reader::new(source, rules)),
            db: DbIndex(0),
            offset: 0,
        }
    }

    /// Bytes so far.
    pub(super) const fn offset(&self) -> u64 {
        self.offset
    }
}

/// What a snapshot says of itself, for the log.
fn aux_line(name: &[u8], value: &[u8], now: Now) -> Option<String> {
    let value = String::from_utf8_lossy(value);
    match name {
        b"redis-ver" | b"valkey-ver" => Some(format!("Loading RDB produced by version {value}")),
        b"ctime" => {
            let made: u64 = value.parse().ok()?;
            let age = now.unix_secs().saturating_sub(made);
            Some(format!("RDB age {age} seconds"))
        }
        b"used-mem" => {
            let bytes: u64 = value.parse().ok()?;
            let hundredths = bytes.saturating_mul(100) >> 20;
            let (whole, part) = (hundredths / 100, hundredths % 100);
            Some(format!(
                "RDB memory usage when created {whole}.{part:02} Mb"
            ))
        }
        b"aof-base" if value == "1" => Some("RDB is base AOF".to_owned()),
        _ => None,
    }
}

impl Engine {
    /// Loads keys until about `budget` bytes have been read.
    pub(super) fn load_keys(
        &mut self,
        loading: &mut Loading,
        part: &mut SnapshotPart,
        budget: u64,
    ) -> Loaded<Slice> {
        let file = &loading.parts[loading.index];
        // The commands behind a base may be about keys that have expired since. So may those that
        // will be recorded behind this: the log must be told when such a key is removed.
        let expired = match file.role {
            Role::Snapshot if !self.persist.keeps_log() => Expired::Dropped,
            Role::Snapshot | Role::Base | Role::Increment => Expired::Kept,
        };
        let Some(reader) = &mut part.reader else {
            return Ok(Slice::Done);
        };
        let until = reader.offset().saturating_add(budget);
        let now = self.keyspace.now();
        loop {
            let offset = reader.offset();
            part.offset = offset;
            if offset >= until {
                return Ok(Slice::More);
            }
            let event = reader
                .next()
                .map_err(|error| format!("{} {error}", file.name))?;
            match event {
                Event::Aux { name, value } => {
                    if let Some(line) = aux_line(name, value, now) {
                        self.host.log(LogLevel::Notice, &line);
                    }
                }
                Event::Function(_) => {
                    let line = "A library of functions in the snapshot is left out: there are no \
                                functions in this version";
                    self.host.log(LogLevel::Warning, line);
                }
                Event::Select(index) => {
                    let db = u32::try_from(index).unwrap_or(u32::MAX);
                    if db as usize >= self.keyspace.count() {
                        let count = self.keyspace.count();
                        return Err(format!(
                            "{} at byte {offset}: the snapshot has keys in database {index}, and there \
                             are {count} databases (see the directive databases)",
                            file.name
                        ));
                    }
                    part.db = DbIndex(db);
                }
                Event::Resize { keys, .. } => {
                    let left = file.len.saturating_sub(offset);
                    self.keyspace.expect_keys(part.db, keys, left);
                }
                Event::Keys(batch) => {
                    let counts = self.keyspace.load(part.db, batch, expired);
                    let counts = counts
                        .map_err(|error| format!("{} at byte {offset}: {error}", file.name))?;
                    loading.keys += counts.loaded;
                    loading.expired += counts.expired;
                    pause(
                        &mut *self.host,
                        self.config.lab.key_load_delay_us,
                        counts.loaded,
                    );
                }
                Event::Progress => {}
                Event::End(_) => break,
            }
        }
        self.end_snapshot(loading, part)
    }

    fn end_snapshot(&mut self, loading: &mut Loading, part: &mut SnapshotPart) -> Loaded<Slice> {
        let Some(reader) = part.reader.take() else {
            return Ok(Slice::Done);
        };
        let file = &loading.parts[loading.index];
        loading.skipped += reader.skipped();
        part.offset = reader.offset();
        let line = format!(
            "Done loading RDB, keys loaded: {}, keys expired: {}.",
            loading.keys, loading.expired
        );
        self.host.log(LogLevel::Notice, &line);
        loading.end.len = part.offset;
        if file.role == Role::Snapshot || part.offset >= file.len {
            return Ok(Slice::Done);
        }
        self.host
            .log(LogLevel::Notice, "Reading the remaining AOF tail...");
        let offset = part.offset;
        let (source, rest) = reader.into_rest();
        let limit = self.config.limits.proto_max_bulk_len;
        let tail = LogPart::behind(source, offset, &rest, limit);
        Ok(Slice::Then(Reading::Log(Box::new(tail))))
    }
}

/// Pauses as `key-load-delay` asks for after so many keys.
pub(super) fn pause(host: &mut dyn crate::seam::host::Host, delay_us: i32, keys: u64) {
    if delay_us == 0 {
        return;
    }
    let amount = u64::from(delay_us.unsigned_abs());
    let micros = if delay_us > 0 {
        amount.saturating_mul(keys)
    } else {
        keys / amount
    };
    host.sleep(micros);
}
