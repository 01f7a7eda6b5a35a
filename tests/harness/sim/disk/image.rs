//! One simulated file: what the running system sees of it, and what a loss of power leaves.
//!
//! Shape: `live` is what calls see; `durable` is what the last successful sync has covered. Up to
//! `stable` the two are the same. Ranges in `lost` were under a sync that failed: later syncs write
//! zeros there, as kernels do that have dropped the pages and think them clean.

use dovetail_engine::base::rng::Rng;
use std::ops::Range;

/// Bytes that a disk writes at once or not at all.
const SECTOR_BYTES: usize = 512;

/// What may be found behind the durable bytes after a loss of power.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Tear {
    /// What was written, up to any byte.
    Prefix,
    /// The length of what was written, with zeros for sectors that were not.
    Zeros,
    /// The same with anything in such sectors.
    Garbage,
}

/// What a sync that begins now will make durable.
#[derive(Clone, Debug)]
pub(super) struct Snapshot {
    from: usize,
    tail: Vec<u8>,
    version: u64,
}

/// A file.
#[derive(Clone, Debug, Default)]
pub(super) struct Image {
    pub(super) live: Vec<u8>,
    pub(super) durable: Vec<u8>,
    stable: usize,
    lost: Vec<Range<usize>>,
    /// Lengths that it was cut to, and the versions of these cuts, that no sync has covered; each is
    /// longer than the one before.
    cuts: Vec<(usize, u64)>,
    /// Counts changes; a sync that began earlier than another must not undo it by ending later.
    version: u64,
    durable_version: u64,
}

impl Image {
    pub(super) fn append(&mut self, bytes: &[u8]) {
        self.live.extend_from_slice(bytes);
        self.version += 1;
    }

    pub(super) fn truncate(&mut self, len: usize) {
        self.live.resize(len, 0);
        self.stable = self.stable.min(len);
        for range in &mut self.lost {
            range.end = range.end.min(len);
        }
        self.lost.retain(|range| !range.is_empty());
        self.version += 1;
        self.cuts.retain(|(shorter, _)| *shorter < len);
        self.cuts.push((len, self.version));
    }

    pub(super) fn begin_sync(&self) -> Snapshot {
        let mut tail = self.live[self.stable..].to_vec();
        for range in &self.lost {
            let from = range.start.max(self.stable) - self.stable;
            let to = range.end.max(self.stable) - self.stable;
            tail[from..to].fill(0);
        }
        Snapshot {
            from: self.stable,
            tail,
            version: self.version,
        }
    }

    pub(super) fn end_sync(&mut self, covered: Snapshot) {
        if covered.version < self.durable_version {
            return;
        }
        self.durable_version = covered.version;
        self.durable.truncate(covered.from);
        self.durable.extend_from_slice(&covered.tail);
        self.cuts.retain(|(_, version)| *version > covered.version);
        // What was stable before is not looked at again.
        let from = covered.from.min(self.stable);
        let same = self.durable[from..].iter().zip(&self.live[from..]);
        self.stable = from + same.take_while(|(durable, live)| durable == live).count();
    }

    /// The pages of a sync that failed are dropped.
    pub(super) fn fail_sync(&mut self, covered: &Snapshot) {
        let end = (covered.from + covered.tail.len()).min(self.live.len());
        if covered.from < end {
            self.lost.push(covered.from..end);
        }
    }

    /// What is found after power has come back: both images become it.
    pub(super) fn lose_power(&mut self, tear: Tear, rng: &mut Rng) {
        let found = match below(rng, 4) {
            0 => self.durable.clone(),
            1 if self.lost.is_empty() => self.live.clone(),
            _ => self.torn(tear, rng),
        };
        *self = Self {
            live: found.clone(),
            stable: found.len(),
            durable: found,
            ..Self::default()
        };
    }

    fn torn(&self, tear: Tear, rng: &mut Rng) -> Vec<u8> {
        // After a cut that was not synced the old end may still be there.
        if self.live.len() < self.durable.len() && below(rng, 2) == 0 {
            return self.durable.clone();
        }
        let safe = self.durable.len();
        let shortest = self.cuts.first().map_or(safe, |(shortest, _)| *shortest);
        let floor = shortest.min(safe);
        let len = floor + below(rng, self.live.len() - floor + 1);
        let mut found = self.live[..len].to_vec();
        found[..floor].copy_from_slice(&self.durable[..floor]);
        if tear == Tear::Prefix {
            let lost = self.lost.iter().filter(|range| range.end > floor);
            if let Some(first) = lost.map(|range| range.start).min() {
                found.truncate(first.max(floor));
            }
            return found;
        }
        let mut at = floor;
        while at < len {
            let end = ((at / SECTOR_BYTES + 1) * SECTOR_BYTES).min(len);
            let is_lost = self.lost.iter().any(|r| r.start < end && at < r.end);
            if is_lost || below(rng, 3) == 0 {
                self.unwritten(&mut found[at..end], at, tear, rng);
            }
            at = end;
        }
        found
    }

    /// What stands where a sector was not written: its old bytes, or whatever was there before.
    fn unwritten(&self, into: &mut [u8], at: usize, tear: Tear, rng: &mut Rng) {
        if tear == Tear::Garbage {
            rng.fill(into);
        } else {
            into.fill(0);
        }
        let old = self.durable.get(at..).unwrap_or_default();
        let known = old.len().min(into.len());
        into[..known].copy_from_slice(&old[..known]);
    }
}

pub(super) fn below(rng: &mut Rng, bound: usize) -> usize {
    usize::try_from(rng.below(bound as u64)).expect("a number below a usize is one")
}
