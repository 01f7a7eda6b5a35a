//! The limit on memory: room is made before commands that may take more, and what they leave over
//! goes on in the background.
//!
//! A command pays for a bounded number of looks and removals, which `maxmemory-eviction-tenacity`
//! sets; it runs even if that was not enough, and the rest is done between turns. Beyond the limit
//! and a small tolerance the bound does not hold: whoever grows the dataset there removes as much as
//! has been added. A command is refused only if nothing is left that may go.

use super::persist::NOBODY;
use super::turn::free;
use super::{Engine, Runner};
use crate::base::{Micros, Now};
use crate::command::spec::Flags;
use crate::command::{CmdError, CommandId};
use crate::keyspace::Evicted;
use crate::resp::{Args, ReplyBuf};
use crate::seam::host::LogLevel;

/// Steps that a command pays for each point of tenacity, up to ten points.
const STEPS_PER_POINT: u32 = 512;
/// The least that it pays.
const STEPS_MIN: u32 = 64;
/// By how many percent each further point raises that.
const PERCENT_PER_POINT: u64 = 15;
/// Tenacity from which on there is no bound.
const TENACITY_UNBOUNDED: u32 = 100;
/// What removing a key costs in steps, beside finding it.
const STEPS_PER_KEY: u32 = 8;
/// Pieces of large values that are destroyed at a time.
const PIECES: u32 = 512;
/// Steps of a slice in the background.
const STEPS_PER_SLICE: u32 = 2048;
/// Looks that policies may take in a cycle to forget keys that are gone.
const TIDY_PER_CYCLE: u32 = 4096;
/// Keys that a new policy is shown in a turn.
const SHOWN_PER_TURN: u32 = 1024;
/// The least tolerance, in bytes,
const TOLERANCE_MIN: u64 = 1 << 20;
/// and the part of the limit that it is.
const TOLERANCE_SHARE: u64 = 100;
/// A limit that is smaller is worth a warning.
const LIMIT_SMALL: u64 = 1 << 20;

/// What a command that may take memory is told when there is none.
pub(super) const REFUSAL: CmdError =
    CmdError::fixed("OOM command not allowed when used memory > 'maxmemory'.");

/// How far the dataset is over its limit, and since when.
#[derive(Debug, Default)]
pub(super) struct Pressure {
    /// The limit that was last looked at.
    limit: u64,
    /// More has to go than the last command could remove.
    is_pending: bool,
    /// Where the dataset was after the last removal that was not enough.
    level: u64,
    /// Since when it has been over the limit.
    since: Option<Micros>,
}

impl Pressure {
    /// Whether the loop has something to do at once.
    pub(super) fn has_work(&self) -> bool {
        self.is_pending
    }
}

/// Whether there is room.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
enum Room {
    /// Yes.
    Enough,
    /// Not yet.
    Pending,
    /// No, and nothing may go.
    Nothing,
}

impl Runner<'_> {
    /// Makes room for a command that may take memory, and refuses it if there is none.
    #[inline]
    pub(super) fn lacks_memory(&mut self, command: CommandId, args: &Args<'_>) -> Option<CmdError> {
        let flags = self.flags_of(command, args);
        let asks = flags.has(Flags::DENYOOM.and(Flags::MAY_REPLICATE));
        self.is_out_of_memory = asks && self.make_room() == Room::Nothing;
        (self.is_out_of_memory && flags.has(Flags::DENYOOM)).then_some(REFUSAL)
    }

    /// The same within a transaction, whose queue is memory as well.
    pub(super) fn lacks_memory_in_multi(&mut self, command: CommandId) -> Option<CmdError> {
        let name = self.ctx.commands.row(command).spec.name;
        let conn = self.ctx.clients.get(self.ctx.conn);
        let multi = conn.and_then(|conn| conn.session.multi.as_ref());
        let takes = match name {
            "discard" | "quit" | "reset" => false,
            "exec" => multi.is_some_and(|multi| multi.takes_memory),
            _ => true,
        };
        self.is_out_of_memory = self.make_room() == Room::Nothing;
        (takes && self.is_out_of_memory).then_some(REFUSAL)
    }

    /// Makes room, for as much as one command may spend on it.
    fn make_room(&mut self) -> Room {
        self.ctx.keyspace.show_newcomers(self.ctx.db);
        let excess = self.ctx.excess_memory();
        if excess == 0 {
            self.relax();
            return Room::Enough;
        }
        let tenacity = self.ctx.config.memory.maxmemory_eviction_tenacity;
        self.remove_keys(steps_for(tenacity), excess)
    }

    /// The dataset is below its limit.
    fn relax(&mut self) {
        let pressure = &mut *self.pressure;
        pressure.is_pending = false;
        pressure.level = 0;
        if let Some(since) = pressure.since.take() {
            let over = self.ctx.now.monotonic.minus(since);
            self.ctx.observed.stats.over_limit_us += over.0;
            self.ctx.observed.stats.over_limit_since = None;
        }
    }

    /// Removes keys for about so many steps, where so many bytes are too many, and has them recorded
    /// as something that nobody's command did.
    fn remove_keys(&mut self, steps: u32, excess: u64) -> Room {
        let room = self.remove_until_room(steps, excess);
        if self.ctx.feed.is_wanted() && self.ctx.keyspace.has_removed() {
            for (db, key) in self.ctx.keyspace.take_removed() {
                self.ctx.feed.removed(db, &key);
            }
        }
        room
    }

    /// Removes keys until there is room or the steps are used up; beyond the tolerance until there is
    /// no more than before.
    fn remove_until_room(&mut self, mut steps: u32, mut excess: u64) -> Room {
        let limit = self.ctx.config.memory.maxmemory;
        let tolerance = (limit / TOLERANCE_SHARE).max(TOLERANCE_MIN);
        let is_known = self.pressure.limit == limit;
        let clients = &*self.ctx.clients;
        // What is held back must find what is there.
        let may_remove = !clients.is_paused() && self.suspended.is_none();
        loop {
            if excess == 0 {
                self.relax();
                return Room::Enough;
            }
            if !may_remove {
                return Room::Pending;
            }
            if steps == 0 {
                // A limit that is new is not this command's business.
                if !is_known || excess <= tolerance.max(self.pressure.level) {
                    return self.leave_over(excess);
                }
                steps = STEPS_MIN;
            }
            if self.ctx.keyspace.pending_free() > 0 {
                free(self.ctx.keyspace, self.ctx.host, PIECES);
                steps = steps.saturating_sub(PIECES / 4);
                excess = self.ctx.excess_memory();
                continue;
            }
            if self.ctx.host.destroying() > 0 {
                // How much that was is known when it is gone.
                return self.leave_over(excess);
            }
            match self.ctx.keyspace.evict(&mut steps) {
                Evicted::Key(db) => {
                    steps = steps.saturating_sub(STEPS_PER_KEY);
                    self.settle(db);
                    excess = self.ctx.excess_memory();
                }
                Evicted::OutOfSteps => {}
                Evicted::Nothing => {
                    self.leave_over(excess);
                    self.pressure.is_pending = false;
                    return Room::Nothing;
                }
            }
        }
    }

    /// Not all that should go has gone.
    fn leave_over(&mut self, excess: u64) -> Room {
        let now = self.ctx.now.monotonic;
        let pressure = &mut *self.pressure;
        pressure.is_pending = true;
        pressure.level = excess;
        let since = *pressure.since.get_or_insert(now);
        self.ctx.observed.stats.over_limit_since = Some(since);
        Room::Pending
    }
}

/// What a command pays at most.
fn steps_for(tenacity: u32) -> u32 {
    if tenacity >= TENACITY_UNBOUNDED {
        return u32::MAX;
    }
    let linear = u64::from(STEPS_PER_POINT) * u64::from(tenacity.min(10));
    let steps = (10..tenacity).fold(linear, |steps, _| steps * (100 + PERCENT_PER_POINT) / 100);
    u32::try_from(steps).unwrap_or(u32::MAX).max(STEPS_MIN)
}

impl Engine {
    /// The part of making room that is done between turns, and what policies need then.
    #[inline]
    pub(super) fn look_after_memory(&mut self, now: Now) {
        let limit = self.config.memory.maxmemory;
        if limit != self.pressure.limit {
            self.begin_limit(now, limit);
        }
        if self.keyspace.settle_policies(SHOWN_PER_TURN) || self.pressure.is_pending {
            self.go_on_removing(now);
        }
    }

    /// Whether the loop has something to do at once.
    pub(super) fn has_memory_work(&self) -> bool {
        let may_go_on = !self.clients.is_paused() && self.loading.is_none();
        self.keyspace.is_settling() || (self.pressure.has_work() && may_go_on)
    }

    /// There is another limit.
    #[cold]
    fn begin_limit(&mut self, now: Now, limit: u64) {
        self.pressure.limit = limit;
        let mut unused = ReplyBuf::new();
        let mut runner = self.lend(now, NOBODY, &mut unused);
        let excess = runner.ctx.excess_memory();
        if excess == 0 {
            runner.relax();
        } else {
            runner.leave_over(excess);
        }
        if limit > 0 && limit < LIMIT_SMALL {
            let line = format!(
                "WARNING: You specified a maxmemory value that is less than 1MB (current value is \
                 {limit} bytes). Are you sure this is what you really want?"
            );
            self.host.log(LogLevel::Warning, &line);
        }
        if excess > 0 {
            let used = limit + excess;
            let line = format!(
                "WARNING: the new maxmemory value ({limit}) is smaller than the current memory \
                 usage ({used}). This will result in key eviction and/or the inability to accept \
                 new write commands depending on the maxmemory-policy."
            );
            self.host.log(LogLevel::Warning, &line);
        }
    }

    #[cold]
    fn go_on_removing(&mut self, now: Now) {
        if !self.pressure.is_pending || self.loading.is_some() {
            return;
        }
        let mut unused = ReplyBuf::new();
        let mut runner = self.lend(now, NOBODY, &mut unused);
        let excess = runner.ctx.excess_memory();
        runner.remove_keys(STEPS_PER_SLICE, excess);
    }

    /// The part of looking after memory that comes `hz` times a second: what grows the dataset
    /// without asking for room is found out.
    pub(super) fn watch_memory(&mut self, now: Now) {
        self.keyspace.age_clocks(self.ageing_parts());
        self.keyspace.tidy_policies(TIDY_PER_CYCLE);
        if self.config.memory.maxmemory > 0 {
            let may_remove = self.keyspace.has_chooser();
            let mut unused = ReplyBuf::new();
            let mut runner = self.lend(now, NOBODY, &mut unused);
            let excess = runner.ctx.excess_memory();
            if excess == 0 {
                runner.relax();
            } else if may_remove {
                runner.leave_over(excess.max(runner.pressure.level));
            }
        }
    }

    /// In how many cycles all clocks are looked at: an hour's.
    fn ageing_parts(&self) -> u32 {
        self.config.network.hz.clamp(1, 500) * 3600
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn tenacity_has_a_least_a_line_a_curve_and_no_end() {
        assert_eq!(steps_for(0), STEPS_MIN);
        assert_eq!(steps_for(10), 10 * STEPS_PER_POINT);
        assert_eq!(steps_for(11), 10 * STEPS_PER_POINT * 115 / 100);
        assert!(steps_for(99) > 1_000 * STEPS_PER_POINT);
        assert_eq!(steps_for(100), u32::MAX);
    }
}
