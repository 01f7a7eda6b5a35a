//! What SCAN, HSCAN, SSCAN and ZSCAN share: cursor, options, and the shape of the reply.

use super::options::{integer, is};
use super::{CmdError, Options};
use crate::base::double::after_space;
use crate::base::glob::{CaseFold, matches};
use crate::base::number::{Digits, parse_u64};
use crate::resp::{Args, Reply};

/// What a call looks at when it is not told how much.
const COUNT_DEFAULT: u64 = 10;
/// Places that a call looks into for each element it shall look at, full or empty.
const STEPS_PER_ELEMENT: u64 = 10;

/// Which of the commands it is; their options differ.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum ScanOf {
    /// SCAN, which takes TYPE.
    Keys,
    /// HSCAN, which takes NOVALUES.
    Fields,
    /// SSCAN.
    Members,
    /// ZSCAN, which takes NOSCORES.
    Scores,
}

/// What is asked for.
#[derive(Clone, Copy, Debug)]
pub struct ScanOptions<'a> {
    /// MATCH: which elements are shown; `None` for all.
    pub pattern: Option<&'a [u8]>,
    /// TYPE: which keys are shown; `None` for all.
    pub kind: Option<&'a [u8]>,
    /// COUNT: how many elements to look at.
    pub count: u64,
    /// NOVALUES, NOSCORES: names only.
    pub names_only: bool,
}

impl<'a> ScanOptions<'a> {
    /// Reads the words from `from` on.
    ///
    /// # Errors
    /// An option that the command does not take, or a count below 1.
    pub fn read(args: &Args<'a>, from: usize, of: ScanOf) -> Result<Self, CmdError> {
        let mut found = Self {
            pattern: None,
            kind: None,
            count: COUNT_DEFAULT,
            names_only: false,
        };
        let mut options = Options::from(args, from);
        while let Some(word) = options.next() {
            if is(word, "count") && options.left() > 0 {
                let count = u64::try_from(integer(options.value()?)?).unwrap_or(0);
                if count == 0 {
                    return Err(CmdError::Syntax);
                }
                found.count = count;
            } else if is(word, "match") && options.left() > 0 {
                found.pattern = Some(options.value()?).filter(|pattern| *pattern != b"*");
            } else if of == ScanOf::Keys && is(word, "type") && options.left() > 0 {
                found.kind = Some(options.value()?);
            } else if is(word, "novalues") {
                if of != ScanOf::Fields {
                    return Err(CmdError::fixed(
                        "ERR NOVALUES option can only be used in HSCAN",
                    ));
                }
                found.names_only = true;
            } else if is(word, "noscores") {
                if of != ScanOf::Scores {
                    return Err(CmdError::fixed(
                        "ERR NOSCORES option can only be used in ZSCAN",
                    ));
                }
                found.names_only = true;
            } else {
                return Err(CmdError::Syntax);
            }
        }
        Ok(found)
    }

    /// Whether an element of this name is shown.
    #[must_use]
    pub fn shows(&self, name: &[u8]) -> bool {
        self.pattern
            .is_none_or(|pattern| matches(pattern, name, CaseFold::Sensitive))
    }

    /// Takes steps of a walk from `cursor` on until enough elements have been seen: `step` takes
    /// one, returns the next cursor, and adds to the number seen. Returns where to go on.
    pub fn walk(
        &self,
        mut cursor: u64,
        steps_min: u64,
        mut step: impl FnMut(u64, &mut u64) -> u64,
    ) -> u64 {
        let mut seen = 0;
        let mut steps = self.count.saturating_mul(STEPS_PER_ELEMENT).max(steps_min);
        loop {
            cursor = step(cursor, &mut seen);
            steps -= 1;
            if cursor == 0 || seen >= self.count || steps == 0 {
                return cursor;
            }
        }
    }
}

/// Puts the next cursor and the head of the array before what was written since `start`: `shown`
/// elements. They come first and are known last.
pub fn reply_scan(reply: &mut Reply<'_>, start: usize, cursor: u64, shown: usize) {
    let digits = Digits::of_u64(cursor);
    let text = digits.as_bytes();
    let head = [
        b"*2\r\n$",
        digits_of(text.len()).as_bytes(),
        b"\r\n",
        text,
        b"\r\n",
    ]
    .concat();
    reply.array_since(start, shown);
    reply.insert(start, &head);
}

/// Answers a walk over nothing.
pub fn reply_no_scan(reply: &mut Reply<'_>) {
    let start = reply.position();
    reply_scan(reply, start, 0, 0);
}

fn digits_of(number: usize) -> Digits {
    Digits::of_u64(number as u64)
}

/// The cursor that `word` spells: a number, spaces and a plus before it passed over.
///
/// # Errors
/// [`CmdError::InvalidCursor`].
pub fn cursor_of(word: &[u8]) -> Result<u64, CmdError> {
    let digits = after_space(word);
    let digits = digits.strip_prefix(b"+").unwrap_or(digits);
    let significant = digits
        .iter()
        .position(|byte| *byte != b'0')
        .unwrap_or(digits.len());
    match (&digits[significant..], digits) {
        (_, []) => Err(CmdError::InvalidCursor),
        ([], _) => Ok(0),
        (number, _) => parse_u64(number).ok_or(CmdError::InvalidCursor),
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn cursors_are_numbers_with_some_tolerance() {
        for (word, cursor) in [
            ("0", 0),
            ("00", 0),
            (" 12", 12),
            ("+7", 7),
            ("007", 7),
            ("18446744073709551615", u64::MAX),
        ] {
            assert_eq!(cursor_of(word.as_bytes()), Ok(cursor), "{word}");
        }
        for word in [
            "",
            " ",
            "+",
            "-1",
            "1x",
            "0x0",
            "18446744073709551616",
            "1 ",
            "++1",
        ] {
            assert_eq!(
                cursor_of(word.as_bytes()),
                Err(CmdError::InvalidCursor),
                "{word}"
            );
        }
    }
}
