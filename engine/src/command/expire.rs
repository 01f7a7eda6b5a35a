//! Deadlines as commands spell them: EX, PX, EXAT, PXAT, PERSIST, KEEPTTL.

use super::options::{integer, is};
use super::{CmdError, Ctx};

/// Whether a number counts from now or from the unix epoch.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Origin {
    /// From now.
    Now,
    /// From the epoch.
    Epoch,
}

/// How a deadline is spelled.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Unit {
    /// Milliseconds that one unit stands for.
    pub millis: i64,
    /// Where it counts from.
    pub origin: Origin,
}

impl Unit {
    /// Seconds from now.
    pub const EX: Self = Self {
        millis: 1000,
        origin: Origin::Now,
    };
    /// Milliseconds from now.
    pub const PX: Self = Self {
        millis: 1,
        origin: Origin::Now,
    };
    /// Unix seconds.
    pub const EXAT: Self = Self {
        millis: 1000,
        origin: Origin::Epoch,
    };
    /// Unix milliseconds.
    pub const PXAT: Self = Self {
        millis: 1,
        origin: Origin::Epoch,
    };

    /// The unit that `word` names.
    #[must_use]
    pub fn named(word: &[u8]) -> Option<Self> {
        let table = [
            ("ex", Self::EX),
            ("px", Self::PX),
            ("exat", Self::EXAT),
            ("pxat", Self::PXAT),
        ];
        table
            .into_iter()
            .find(|(name, _)| is(word, name))
            .map(|(_, unit)| unit)
    }
}

/// The deadline that `word` spells in `unit`, in unix milliseconds; only positive numbers make one.
///
/// # Errors
/// When it is no integer, not positive, or too large for a deadline.
pub fn deadline(ctx: &Ctx<'_>, word: &[u8], unit: Unit) -> Result<u64, CmdError> {
    let number = integer(word)?;
    let invalid = || CmdError::InvalidExpire(ctx.command_name().into());
    if number <= 0 {
        return Err(invalid());
    }
    instant(ctx, number, unit)
        .and_then(|at| u64::try_from(at).ok())
        .ok_or_else(invalid)
}

/// A deadline that was given in `unit`, in unix milliseconds, moved away by chance as
/// `expire-jitter` asks; only a time to live is lengthened.
pub fn spread(ctx: &mut Ctx<'_>, at: u64, unit: Unit) -> u64 {
    let percent = u64::from(ctx.config.memory.expire_jitter_percent);
    if percent == 0 || unit.origin == Origin::Epoch {
        return at;
    }
    let ttl = u128::from(at.saturating_sub(ctx.now.unix_ms()));
    let most = u64::try_from(ttl * u128::from(percent) / 100).unwrap_or(0);
    let later = at.saturating_add(ctx.rng.below(most + 1));
    later.min(i64::MAX.cast_unsigned())
}

/// The instant that `number` stands for in `unit`, in unix milliseconds; negative before 1970.
/// `None` when it does not fit 64 bits.
#[must_use]
pub fn instant(ctx: &Ctx<'_>, number: i64, unit: Unit) -> Option<i64> {
    let millis = number.checked_mul(unit.millis)?;
    match unit.origin {
        Origin::Epoch => Some(millis),
        Origin::Now => i64::try_from(ctx.now.unix_ms()).ok()?.checked_add(millis),
    }
}
