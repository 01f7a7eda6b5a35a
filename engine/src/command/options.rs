//! A walk over a command's words, option by option, with typed steps.

use super::{CmdError, Ctx};
use crate::base::DbIndex;
use crate::base::number::{parse_double, parse_i64};
use crate::resp::Args;

/// The words of a request from some word on.
#[derive(Clone, Copy, Debug)]
pub struct Options<'a> {
    args: Args<'a>,
    next: usize,
}

impl<'a> Options<'a> {
    /// Starts at word `from`.
    #[must_use]
    #[inline]
    pub fn from(args: &Args<'a>, from: usize) -> Self {
        Self {
            args: *args,
            next: from,
        }
    }

    /// Index of the next word.
    #[must_use]
    pub fn position(&self) -> usize {
        self.next
    }

    /// Words left.
    #[must_use]
    pub fn left(&self) -> usize {
        self.args.len().saturating_sub(self.next)
    }

    /// The next word, taken if there is one.
    #[inline]
    #[expect(
        clippy::should_implement_trait,
        reason = "not an iterator: steps are typed"
    )]
    pub fn next(&mut self) -> Option<&'a [u8]> {
        let word = self.args.try_get(self.next)?;
        self.next += 1;
        Some(word)
    }

    /// The next word, left where it is.
    #[must_use]
    pub fn peek(&self) -> Option<&'a [u8]> {
        self.args.try_get(self.next)
    }

    /// Takes the next word if it is `keyword`, in any case.
    pub fn take(&mut self, keyword: &str) -> bool {
        let found = self.peek().is_some_and(|word| is(word, keyword));
        self.next += usize::from(found);
        found
    }

    /// The value of an option.
    ///
    /// # Errors
    /// [`CmdError::Syntax`] when there is no word left.
    pub fn value(&mut self) -> Result<&'a [u8], CmdError> {
        self.next().ok_or(CmdError::Syntax)
    }

    /// The value of an option, as an integer.
    ///
    /// # Errors
    /// When there is no word left or it is no integer.
    pub fn integer(&mut self) -> Result<i64, CmdError> {
        integer(self.value()?)
    }
}

/// Whether `word` is `keyword`, in any case.
#[must_use]
#[inline]
pub fn is(word: &[u8], keyword: &str) -> bool {
    word.eq_ignore_ascii_case(keyword.as_bytes())
}

/// `word` as an integer.
///
/// # Errors
/// [`CmdError::NotInteger`].
#[inline]
pub fn integer(word: &[u8]) -> Result<i64, CmdError> {
    parse_i64(word).ok_or(CmdError::NotInteger)
}

/// `word` as an integer from `low` to `high`.
///
/// # Errors
/// When it is no integer, or another one.
pub fn integer_within(word: &[u8], low: i64, high: i64) -> Result<i64, CmdError> {
    let value = integer(word)?;
    if (low..=high).contains(&value) {
        return Ok(value);
    }
    let text = format!("ERR value is out of range, value must between {low} and {high}");
    Err(CmdError::text(text))
}

/// `word` as the number of a database.
///
/// # Errors
/// When it is no integer of 32 bits, or there is no such database.
pub fn db_index(ctx: &Ctx<'_>, word: &[u8]) -> Result<DbIndex, CmdError> {
    let number = integer_within(word, i32::MIN.into(), i32::MAX.into())?;
    let index = u32::try_from(number).map(DbIndex).ok();
    let index = index.filter(|index| index.index() < ctx.keyspace.count());
    index.ok_or(CmdError::DbOutOfRange)
}

/// `word` as a double.
///
/// # Errors
/// [`CmdError::NotFloat`].
pub fn double(word: &[u8]) -> Result<f64, CmdError> {
    parse_double(word).ok_or(CmdError::NotFloat)
}
