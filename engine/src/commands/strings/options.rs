//! The options that SET, MSETEX and GETEX share.

use crate::command::expire::{Unit, deadline, spread};
use crate::command::options::is;
use crate::command::{CmdError, Ctx, Options};
use crate::keyspace::Deadline;
use crate::resp::Args;

/// Which options a command knows.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) enum Accepts {
    /// SET's: conditions, GET, deadlines, KEEPTTL.
    Everything,
    /// MSETEX's: NX, XX, deadlines, KEEPTTL.
    Presence,
    /// GETEX's: deadlines, PERSIST.
    Persist,
}

/// Under which condition something is written.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) enum When<'a> {
    Always,
    Absent,
    Present,
    Equal(&'a [u8]),
}

/// What becomes of the deadline.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) enum Timing<'a> {
    /// Nothing was said.
    Plain,
    /// It stays.
    Keep,
    /// It is taken away.
    Persist,
    /// It is set to this number in that unit; whether that makes a deadline is not known yet.
    Set(Unit, &'a [u8]),
}

/// What a command was told.
#[derive(Clone, Copy, Debug)]
pub(super) struct SetOptions<'a> {
    pub(super) when: When<'a>,
    pub(super) returns_old: bool,
    pub(super) timing: Timing<'a>,
}

impl<'a> SetOptions<'a> {
    /// Reads the words from `from` on. An option may stand twice; of two deadlines in the same
    /// unit the last one counts.
    pub(super) fn read(args: &Args<'a>, from: usize, accepts: Accepts) -> Result<Self, CmdError> {
        let mut found = Self {
            when: When::Always,
            returns_old: false,
            timing: Timing::Plain,
        };
        let mut options = Options::from(args, from);
        while let Some(word) = options.next() {
            if accepts != Accepts::Persist && found.take_condition(word, accepts, &mut options)? {
                continue;
            }
            found.timing = match (found.timing, Unit::named(word)) {
                (Timing::Plain, Some(unit)) => Timing::Set(unit, options.value()?),
                (Timing::Set(known, _), Some(unit)) if known == unit => {
                    Timing::Set(unit, options.value()?)
                }
                (Timing::Plain | Timing::Keep, None)
                    if is(word, "keepttl") && accepts != Accepts::Persist =>
                {
                    Timing::Keep
                }
                (Timing::Plain | Timing::Persist, None)
                    if is(word, "persist") && accepts == Accepts::Persist =>
                {
                    Timing::Persist
                }
                _ => return Err(CmdError::Syntax),
            };
        }
        Ok(found)
    }

    /// Takes `word` if it is about a condition or the old value.
    fn take_condition(
        &mut self,
        word: &[u8],
        accepts: Accepts,
        options: &mut Options<'a>,
    ) -> Result<bool, CmdError> {
        let extended = accepts == Accepts::Everything;
        if is(word, "nx") && matches!(self.when, When::Always | When::Absent) {
            self.when = When::Absent;
        } else if is(word, "xx") && matches!(self.when, When::Always | When::Present) {
            self.when = When::Present;
        } else if extended && is(word, "ifeq") && self.when == When::Always {
            self.when = When::Equal(options.value()?);
        } else if extended && is(word, "get") {
            self.returns_old = true;
        } else {
            return Ok(false);
        }
        Ok(true)
    }

    /// What a write does about the deadline.
    pub(super) fn deadline(&self, ctx: &mut Ctx<'_>) -> Result<Deadline, CmdError> {
        Ok(match self.timing {
            Timing::Plain | Timing::Persist => Deadline::Clear,
            Timing::Keep => Deadline::Keep,
            Timing::Set(unit, word) => {
                let at = deadline(ctx, word, unit)?;
                Deadline::At(spread(ctx, at, unit))
            }
        })
    }
}
