//! Which words of a request are keys, from a command's key specifications.

use super::spec::{Begin, Find, Flags, KeyFlags, Keys, Spec};
use crate::base::number::parse_i64;
use crate::resp::Args;

/// A key of a request.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct KeyWord {
    /// Which word.
    pub index: usize,
    /// What happens to it.
    pub flags: KeyFlags,
}

/// Why the keys of a request cannot be told.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum KeysError {
    /// A count of keys is no number, negative, or larger than the words.
    Invalid,
}

/// The first key's word when the positions alone tell it; 0 when there is none.
#[must_use]
pub fn fixed_first_key(spec: &Spec) -> u16 {
    match spec.keys.first() {
        Some(Keys {
            begin: Begin::Index(index),
            find: Find::Range { .. },
            ..
        }) => *index,
        Some(Keys {
            begin: Begin::Index(index),
            find: Find::KeyNum { first, .. },
            ..
        }) => index + first,
        _ => 0,
    }
}

/// The word that names an element of what the first key holds, where no option is given; 0 when there
/// is none.
#[must_use]
pub fn element_word(spec: &Spec) -> u16 {
    let mut word = 0;
    let mut depth = 0_usize;
    for part in spec.syntax.split_whitespace() {
        let opened = part.matches('[').count();
        if depth + opened == 0 {
            word += 1;
            if matches!(part, "member" | "field") {
                return if fixed_first_key(spec) > 0 { word } else { 0 };
            }
        }
        depth = (depth + opened).saturating_sub(part.matches(']').count());
    }
    0
}

/// The declared flags with those that follow from the keys.
#[must_use]
pub fn implied_flags(spec: &Spec) -> Flags {
    let fixed = |keys: &Keys| {
        matches!(
            (keys.begin, keys.find),
            (Begin::Index(_), Find::Range { limit: 0, .. })
        )
    };
    let real = || {
        spec.keys
            .iter()
            .filter(|keys| !keys.flags.has(KeyFlags::NOT_KEY))
    };
    if real().all(fixed) && real().count() <= 1 {
        return spec.flags;
    }
    if real().all(fixed) && legacy_range(spec).is_some() {
        return spec.flags;
    }
    spec.flags.and(Flags::MOVABLE_KEYS)
}

/// First word, last word (negative from the end) and step of the keys, as COMMAND's first six
/// fields tell it; `None` without keys at fixed places.
#[must_use]
pub fn legacy_range(spec: &Spec) -> Option<(i64, i64, i64)> {
    let mut whole: Option<(i64, i64, i64)> = None;
    for keys in spec.keys {
        let (Begin::Index(index), Find::Range { last, step, .. }) = (keys.begin, keys.find) else {
            continue;
        };
        let first = i64::from(index);
        let last = if last >= 0 {
            first + i64::from(last)
        } else {
            i64::from(last)
        };
        whole = Some(match whole {
            None => (first, last, i64::from(step)),
            // Neighbouring single keys read as one range.
            Some((begin, end, 1)) if end >= 0 && first == end + 1 => (begin, last, 1),
            Some(known) => known,
        });
    }
    whole
}

/// All keys of a request that has passed its arity check.
///
/// # Errors
/// When a count of keys makes no sense.
pub fn keys_of(spec: &Spec, args: &Args<'_>) -> Result<Vec<KeyWord>, KeysError> {
    let mut found = Vec::new();
    for keys in spec.keys {
        if let Some(begin) = begin_of(keys, args) {
            let first = found.len();
            collect(keys, begin, args, &mut found)?;
            if keys.flags.has(KeyFlags::INCOMPLETE) && first > 0 && found.len() > first {
                // MIGRATE names one key at its place, or others and none there.
                if found
                    .drain(..first)
                    .any(|key| !args.get(key.index).is_empty())
                {
                    return Err(KeysError::Invalid);
                }
            }
        }
    }
    Ok(found)
}

fn begin_of(keys: &Keys, args: &Args<'_>) -> Option<usize> {
    match keys.begin {
        Begin::Index(index) => Some(usize::from(index)).filter(|index| *index < args.len()),
        Begin::Keyword(word, from) | Begin::Untold(word, from) => {
            let is_keyword = |index: &usize| args.get(*index).eq_ignore_ascii_case(word.as_bytes());
            let at = if from >= 0 {
                let mut forward = usize::from(from.unsigned_abs())..args.len();
                forward.find(|index| is_keyword(index))
            } else {
                let end = args.len().checked_sub(usize::from(from.unsigned_abs()))?;
                (1..=end).rev().find(|index| is_keyword(index))
            };
            at.map(|at| at + 1).filter(|at| *at < args.len())
        }
        Begin::Unknown => None,
    }
}

fn collect(
    keys: &Keys,
    begin: usize,
    args: &Args<'_>,
    found: &mut Vec<KeyWord>,
) -> Result<(), KeysError> {
    let (first, last, step) = match keys.find {
        Find::Unknown => return Ok(()),
        Find::Range { last, step, limit } => {
            let last = if last >= 0 {
                begin + usize::from(last.unsigned_abs())
            } else if last == -1 && limit > 1 {
                begin + (args.len() - begin) / usize::from(limit) - 1
            } else {
                let from_end = usize::from(last.unsigned_abs());
                args.len().checked_sub(from_end).ok_or(KeysError::Invalid)?
            };
            (begin, last, usize::from(step))
        }
        Find::KeyNum { count, first, step } => {
            let count_word = args
                .try_get(begin + usize::from(count))
                .ok_or(KeysError::Invalid)?;
            let count = parse_i64(count_word).and_then(|n| usize::try_from(n).ok());
            let count = count.ok_or(KeysError::Invalid)?;
            if count == 0 {
                return Ok(());
            }
            let (first, step) = (begin + usize::from(first), usize::from(step));
            let span = (count - 1).checked_mul(step).ok_or(KeysError::Invalid)?;
            (
                first,
                first.checked_add(span).ok_or(KeysError::Invalid)?,
                step,
            )
        }
    };
    if last >= args.len() {
        return Err(KeysError::Invalid);
    }
    let words = (first..=last).step_by(step.max(1));
    found.extend(words.map(|index| KeyWord {
        index,
        flags: keys.flags.without(KeyFlags::INCOMPLETE),
    }));
    Ok(())
}
