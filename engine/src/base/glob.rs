//! The pattern language of KEYS, PSUBSCRIBE, ACL rules and CONFIG GET.
//!
//! `*` matches any run of bytes, `?` one byte, `[abc]` one of them, `[^a]` none of them, `[a-z]` a
//! range (its ends in either order), `\x` the byte `x` itself. A class that is not closed ends with
//! the pattern; a backslash at the very end stands for itself.
//!
//! Cost: O(pattern x text) at worst, because only the last `*` is ever retried.
//! Source: the public description of KEYS; odd cases as Redis answers them.

/// Whether letters match only themselves or their other case too (ASCII only).
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum CaseFold {
    /// `a` is not `A`.
    Sensitive,
    /// `a` is `A`.
    Insensitive,
}

impl CaseFold {
    #[inline]
    const fn fold(self, byte: u8) -> u8 {
        match self {
            Self::Sensitive => byte,
            Self::Insensitive => byte.to_ascii_lowercase(),
        }
    }
}

/// Whether `text` as a whole matches `pattern`.
#[must_use]
pub fn matches(pattern: &[u8], text: &[u8], fold: CaseFold) -> bool {
    if text.is_empty() {
        // Real servers look at no element of a pattern when there is no text left to match.
        return pattern.is_empty();
    }
    let (mut p, mut t) = (0, 0);
    // Where to go on when the present attempt fails: behind the last star, one byte further.
    let mut retry: Option<(usize, usize)> = None;
    loop {
        if pattern.get(p) == Some(&b'*') {
            p += 1;
            if p == pattern.len() {
                return true;
            }
            retry = Some((p, t));
            continue;
        }
        let step = match text.get(t) {
            None if p == pattern.len() => return true,
            // More text is what every remaining element needs, and no retry brings any.
            None => return false,
            Some(_) if p == pattern.len() => None,
            Some(&byte) => match_one(&pattern[p..], byte, fold),
        };
        if let Some(used) = step {
            p += used;
            t += 1;
        } else if let Some((behind_star, tried)) = retry {
            retry = Some((behind_star, tried + 1));
            (p, t) = (behind_star, tried + 1);
        } else {
            return false;
        }
    }
}

/// Whether `pattern` contains anything but bytes that stand for themselves.
#[must_use]
pub fn is_pattern(pattern: &[u8]) -> bool {
    pattern
        .iter()
        .any(|byte| matches!(byte, b'*' | b'?' | b'['))
}

/// Length of the first element of `pattern` if `byte` satisfies it. `pattern` is not empty and
/// does not begin with a star.
fn match_one(pattern: &[u8], byte: u8, fold: CaseFold) -> Option<usize> {
    match pattern {
        [b'?', ..] => Some(1),
        [b'[', class @ ..] => {
            let (holds, len) = match_class(class, byte, fold);
            holds.then_some(1 + len)
        }
        [b'\\', literal, ..] => (fold.fold(*literal) == fold.fold(byte)).then_some(2),
        [literal, ..] => (fold.fold(*literal) == fold.fold(byte)).then_some(1),
        [] => None,
    }
}

/// Whether `byte` belongs to the class whose inside begins `class`, and the length of that inside
/// with its closing bracket.
fn match_class(class: &[u8], byte: u8, fold: CaseFold) -> (bool, usize) {
    let byte = fold.fold(byte);
    let negated = class.first() == Some(&b'^');
    let mut at = usize::from(negated);
    let mut found = false;
    loop {
        match &class[at..] {
            [b'\\', literal, ..] => {
                found |= fold.fold(*literal) == byte;
                at += 2;
            }
            [b']', ..] => {
                at += 1;
                break;
            }
            [] => break,
            [from, b'-', to, ..] => {
                let (low, high) = (*from.min(to), *from.max(to));
                found |= (fold.fold(low)..=fold.fold(high)).contains(&byte);
                at += 3;
            }
            [literal, ..] => {
                found |= fold.fold(*literal) == byte;
                at += 1;
            }
        }
    }
    (found != negated, at)
}

#[cfg(test)]
mod tests {
    use super::*;

    fn glob(pattern: &str, text: &str) -> bool {
        matches(pattern.as_bytes(), text.as_bytes(), CaseFold::Sensitive)
    }

    #[test]
    fn stars_and_question_marks_match_runs_and_bytes() {
        for (pattern, text) in [
            ("a*c", "abbc"),
            ("a*", "a"),
            ("?b?", "abc"),
            ("**a**", "xa"),
            ("", ""),
        ] {
            assert!(glob(pattern, text), "{pattern} {text}");
        }
        for (pattern, text) in [
            ("?", ""),
            ("*", ""),
            ("a*c", "abcd"),
            ("", "a"),
            ("a", ""),
            ("a?", "a"),
        ] {
            assert!(!glob(pattern, text), "{pattern} {text}");
        }
    }

    #[test]
    fn classes_know_ranges_negation_and_escapes() {
        for (pattern, text) in [
            ("h[ae]llo", "hallo"),
            ("h[^e]llo", "hallo"),
            ("[z-a]", "m"),
            ("[\\]]", "]"),
            ("[^]", "x"),
            ("[ab", "b"),
            ("[a-]", "]"),
        ] {
            assert!(glob(pattern, text), "{pattern} {text}");
        }
        for (pattern, text) in [
            ("h[^e]llo", "hello"),
            ("[]", "]"),
            ("[a-c]", "d"),
            ("[ab", "c"),
        ] {
            assert!(!glob(pattern, text), "{pattern} {text}");
        }
    }

    #[test]
    fn backslash_takes_away_special_meaning() {
        assert!(glob("a\\*", "a*"));
        assert!(!glob("a\\*", "ab"));
        assert!(glob("a\\", "a\\"));
    }

    #[test]
    fn case_folds_only_on_request() {
        assert!(matches(
            b"MAX[M-N]*\\Y",
            b"maxmemory",
            CaseFold::Insensitive
        ));
        assert!(!glob("MAX*", "maxmemory"));
    }

    #[test]
    fn many_stars_do_not_explode() {
        let pattern = "a*".repeat(40) + "b";
        assert!(!glob(&pattern, &"a".repeat(4000)));
    }
}
