//! Splitting a line into words the way `redis-cli`, inline requests and the configuration file do.
//!
//! Words are parted by white space; `"..."` knows `\n \r \t \b \a \\ \" \xHH`, `'...'` knows `\'`;
//! a closing quote must be followed by white space or the end.

/// A quote was not closed, or something stood behind a closing one.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct UnbalancedQuotes;

/// Unquotes the words of `line` where they lie and reports start and length of each.
///
/// # Errors
/// When quotes do not balance; the line is then partly rewritten.
pub fn split_in_place(
    line: &mut [u8],
    word: &mut dyn FnMut(usize, usize),
) -> Result<(), UnbalancedQuotes> {
    let mut read = 0;
    loop {
        while read < line.len() && is_space(line[read]) {
            read += 1;
        }
        if read == line.len() {
            return Ok(());
        }
        let start = read;
        let (next, len) = one_word(line, start)?;
        word(start, len);
        read = next;
    }
}

/// The words of `line`, unquoted.
///
/// # Errors
/// When quotes do not balance.
pub fn split(line: &[u8]) -> Result<Vec<Vec<u8>>, UnbalancedQuotes> {
    let mut copy = line.to_vec();
    let mut places = Vec::new();
    split_in_place(&mut copy, &mut |start, len| places.push((start, len)))?;
    Ok(places
        .into_iter()
        .map(|(start, len)| copy[start..start + len].to_vec())
        .collect())
}

const fn is_space(byte: u8) -> bool {
    matches!(byte, b' ' | b'\t' | b'\n' | b'\r' | 0x0b | 0x0c | 0)
}

enum Mode {
    Bare,
    Double,
    Single,
}

/// Unquotes the word that starts at `start`; returns where reading goes on and the word's length.
fn one_word(line: &mut [u8], start: usize) -> Result<(usize, usize), UnbalancedQuotes> {
    let (mut read, mut write, mut mode) = (start, start, Mode::Bare);
    loop {
        let Some(&byte) = line.get(read) else {
            return match mode {
                Mode::Bare => Ok((read, write - start)),
                Mode::Double | Mode::Single => Err(UnbalancedQuotes),
            };
        };
        let (out, used) = match mode {
            Mode::Bare if is_space(byte) => return Ok((read, write - start)),
            Mode::Bare => match byte {
                b'"' => (None, 1),
                b'\'' => (None, 1),
                _ => (Some(byte), 1),
            },
            Mode::Double if byte == b'"' => return closed(line, read, write - start),
            Mode::Single if byte == b'\'' => return closed(line, read, write - start),
            Mode::Double if byte == b'\\' => escape(&line[read..]),
            Mode::Single if line[read..].starts_with(b"\\'") => (Some(b'\''), 2),
            Mode::Double | Mode::Single => (Some(byte), 1),
        };
        read += used;
        match out {
            Some(out) => {
                line[write] = out;
                write += 1;
            }
            None => {
                mode = if byte == b'"' {
                    Mode::Double
                } else {
                    Mode::Single
                }
            }
        }
    }
}

fn closed(line: &[u8], quote: usize, len: usize) -> Result<(usize, usize), UnbalancedQuotes> {
    match line.get(quote + 1) {
        Some(&next) if !is_space(next) => Err(UnbalancedQuotes),
        _ => Ok((quote + 1, len)),
    }
}

/// The byte that an escape inside double quotes stands for, and its length.
fn escape(rest: &[u8]) -> (Option<u8>, usize) {
    let hex = |byte: u8| {
        char::from(byte)
            .to_digit(16)
            .and_then(|d| u8::try_from(d).ok())
    };
    match rest {
        [b'\\', b'x', high, low, ..] if hex(*high).is_some() && hex(*low).is_some() => {
            let value = hex(*high).unwrap_or(0) * 16 + hex(*low).unwrap_or(0);
            (Some(value), 4)
        }
        [b'\\', code, ..] => {
            let byte = match code {
                b'n' => b'\n',
                b'r' => b'\r',
                b't' => b'\t',
                b'b' => 0x08,
                b'a' => 0x07,
                other => *other,
            };
            (Some(byte), 2)
        }
        _ => (Some(b'\\'), 1),
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn words(line: &str) -> Vec<String> {
        let words = split(line.as_bytes()).unwrap();
        words
            .into_iter()
            .map(|w| String::from_utf8(w).unwrap())
            .collect()
    }

    #[test]
    fn words_are_parted_by_any_white_space() {
        assert_eq!(words("  set \t a  b "), ["set", "a", "b"]);
        assert_eq!(words(""), Vec::<String>::new());
    }

    #[test]
    fn double_quotes_know_escapes() {
        assert_eq!(words(r#""a b" "\x41\n\"\\" """#), ["a b", "A\n\"\\", ""]);
    }

    #[test]
    fn single_quotes_know_only_their_own_escape() {
        assert_eq!(words(r"'a\nb' 'it\'s'"), ["a\\nb", "it's"]);
    }

    #[test]
    fn unbalanced_quotes_are_refused() {
        for line in ["\"a", "'a", "\"a\"b", "'a'b"] {
            assert_eq!(split(line.as_bytes()), Err(UnbalancedQuotes), "{line}");
        }
    }

    #[test]
    fn a_quote_may_open_inside_a_word() {
        assert_eq!(words("ab\"cd\" e"), ["abcd", "e"]);
    }
}
