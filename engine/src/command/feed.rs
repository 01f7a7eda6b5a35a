//! The feed: every change of the dataset as commands that make it again, for the log and replicas.
//!
//! Shape: records (RESP arrays of bulk strings) one behind the other, with `SELECT` where the database
//! changes. What a request changes is one unit: several records of a unit stand between `MULTI` and
//! `EXEC`, a single one stands alone.
//! Invariants: 1. the same feed makes the same dataset, whatever the clock, chance or timing; 2. what
//! has changed nothing is not in it; 3. a unit is never handed over in part.

use crate::base::DbIndex;
use crate::codec::aof::write;
use crate::resp::Args;

/// What an open unit has come to.
#[derive(Clone, Copy, Debug)]
struct Unit {
    /// Where it begins.
    start: usize,
    /// Its records.
    records: usize,
    /// Units that have begun inside it and have not ended: a script in a transaction, say.
    depth: usize,
}

/// Changes of the dataset, in order.
#[derive(Debug, Default)]
pub struct Feed {
    is_wanted: bool,
    bytes: Vec<u8>,
    /// Bytes before the first of `bytes`, ever.
    begun: u64,
    /// What the last `SELECT` says.
    db: Option<DbIndex>,
    unit: Option<Unit>,
    /// Records that the running command has given instead of what was sent, and their number.
    instead: Vec<u8>,
    instead_records: usize,
}

impl Feed {
    /// Whether anybody wants records; if not, giving some is forbidden and would be for nothing.
    #[must_use]
    #[inline]
    pub const fn is_wanted(&self) -> bool {
        self.is_wanted
    }

    /// Says whether anybody wants records from now on. The first one selects its database.
    pub fn want(&mut self, is_wanted: bool) {
        if self.is_wanted != is_wanted {
            self.is_wanted = is_wanted;
            // What has begun unheard, or ends so, is no unit.
            self.unit = None;
            self.select_again();
        }
    }

    /// Has the next record select its database, whatever was selected before: what follows is read
    /// by somebody who has not seen what came before.
    pub fn select_again(&mut self) {
        self.db = None;
    }

    /// Bytes of memory that it keeps.
    #[must_use]
    pub const fn memory(&self) -> usize {
        self.bytes.capacity() + self.instead.capacity()
    }

    /// The offset behind the last record: bytes since the feed began.
    #[must_use]
    pub fn end(&self) -> u64 {
        self.begun + self.bytes.len() as u64
    }

    /// The offset before the first of [`Self::whole`].
    #[must_use]
    pub const fn begun(&self) -> u64 {
        self.begun
    }

    /// The records of whole units since [`Self::clear`].
    #[must_use]
    pub fn whole(&self) -> &[u8] {
        &self.bytes[..self.unit.map_or(self.bytes.len(), |unit| unit.start)]
    }

    /// Forgets [`Self::whole`].
    pub fn clear(&mut self) {
        let whole = self.whole().len();
        self.begun += whole as u64;
        if let Some(unit) = &mut self.unit {
            self.bytes.drain(..whole);
            unit.start = 0;
        } else {
            self.bytes.clear();
            self.bytes.shrink_to(KEPT_BYTES);
        }
    }

    /// What is recorded from here to the end of the unit belongs together.
    #[inline]
    pub fn begin_unit(&mut self) {
        if !self.is_wanted {
            return;
        }
        match &mut self.unit {
            Some(unit) => unit.depth += 1,
            None => {
                self.unit = Some(Unit {
                    start: self.bytes.len(),
                    records: 0,
                    depth: 0,
                });
            }
        }
    }

    /// The end of the unit that has begun last.
    #[inline]
    pub fn end_unit(&mut self) {
        match &mut self.unit {
            Some(unit) if unit.depth > 0 => unit.depth -= 1,
            Some(unit) => {
                let unit = *unit;
                self.unit = None;
                if unit.records > 1 {
                    let mut begin = Vec::new();
                    write::multi(&mut begin);
                    self.bytes.splice(unit.start..unit.start, begin);
                    write::exec(&mut self.bytes);
                }
            }
            None => {}
        }
    }

    /// If the running command changes anything, records `words` instead of it; several records are
    /// made in their order.
    pub fn instead(&mut self, words: &[&[u8]]) {
        write::command(&mut self.instead, words);
        self.instead_records += 1;
    }

    /// A command begins.
    #[inline]
    pub fn begin_command(&mut self) {
        self.instead.clear();
        self.instead_records = 0;
    }

    /// The command has ended: `args` is what was sent, and it `has_changed` the dataset or has not.
    pub fn end_command(&mut self, db: DbIndex, args: &Args<'_>, has_changed: bool) {
        if has_changed {
            self.select(db);
            if self.instead_records == 0 {
                write::command(&mut self.bytes, args.iter_from(0));
            } else {
                self.bytes.append(&mut self.instead);
            }
            self.count(self.instead_records.max(1));
        }
        self.begin_command();
    }

    /// Records that `key` has been removed by the server itself.
    pub fn removed(&mut self, db: DbIndex, key: &[u8]) {
        self.select(db);
        write::command(&mut self.bytes, [b"DEL".as_slice(), key]);
        self.count(1);
    }

    fn count(&mut self, records: usize) {
        if let Some(unit) = &mut self.unit {
            unit.records += records;
        }
    }

    fn select(&mut self, db: DbIndex) {
        if self.db != Some(db) {
            self.db = Some(db);
            write::select(&mut self.bytes, db.0);
        }
    }
}

/// A larger buffer is given back when it is empty.
const KEPT_BYTES: usize = 64 * 1024;
