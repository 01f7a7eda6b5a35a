//! The syntax of the configuration file: lines, words, quoting, and options turned into lines.

use super::error::ConfigError;
use crate::resp::words;

/// `bytes` in double quotes, with escapes for whatever does not print.
#[must_use]
pub fn quote(bytes: &[u8]) -> Vec<u8> {
    let mut out = Vec::with_capacity(bytes.len() + 2);
    out.push(b'"');
    for &byte in bytes {
        match byte {
            b'"' | b'\\' => out.extend_from_slice(&[b'\\', byte]),
            b'\n' => out.extend_from_slice(b"\\n"),
            b'\r' => out.extend_from_slice(b"\\r"),
            b'\t' => out.extend_from_slice(b"\\t"),
            0x07 => out.extend_from_slice(b"\\a"),
            0x08 => out.extend_from_slice(b"\\b"),
            b' '..=b'~' => out.push(byte),
            _ => out.extend_from_slice(format!("\\x{byte:02x}").as_bytes()),
        }
    }
    out.push(b'"');
    out
}

/// `word` as it can stand in a line: in quotes only if it has to.
#[must_use]
pub fn word_text(word: &[u8]) -> Vec<u8> {
    let plain = |byte: &u8| byte.is_ascii_graphic() && !matches!(byte, b'"' | b'\'' | b'\\');
    if !word.is_empty() && word.iter().all(plain) {
        word.to_vec()
    } else {
        quote(word)
    }
}

/// The lines of a file, numbered from 1, without surrounding white space.
pub fn lines(text: &[u8]) -> impl Iterator<Item = (usize, &[u8])> {
    text.split(|byte| *byte == b'\n')
        .enumerate()
        .map(|(index, line)| (index + 1, trim(line)))
}

/// Whether a trimmed line says nothing.
#[must_use]
pub fn is_silent(line: &[u8]) -> bool {
    line.first().is_none_or(|byte| *byte == b'#')
}

/// The words of a line, unquoted.
///
/// # Errors
/// When quotes do not balance.
pub fn split(line: &[u8]) -> Result<Vec<Vec<u8>>, ConfigError> {
    words::split(line).map_err(|_| ConfigError::UnbalancedQuotes)
}

fn trim(line: &[u8]) -> &[u8] {
    let blank = |byte: &u8| matches!(byte, b' ' | b'\t' | b'\r');
    let Some(start) = line.iter().position(|byte| !blank(byte)) else {
        return b"";
    };
    let end = line
        .iter()
        .rposition(|byte| !blank(byte))
        .map_or(start, |last| last + 1);
    &line[start..end]
}

/// The lines that stand for command-line options: `--name value...` each.
///
/// The word behind a name is its value even if it begins with `--`, except behind `--save`, which
/// may stand alone. Words before any name form lines of their own words.
#[must_use]
pub fn options_text(arguments: &[Vec<u8>]) -> Vec<u8> {
    let mut text = Vec::new();
    let mut rest = arguments.iter().peekable();
    while let Some(argument) = rest.next() {
        let Some(name) = argument.strip_prefix(b"--") else {
            text.extend_from_slice(&quote(argument));
            text.push(b' ');
            continue;
        };
        if !text.is_empty() {
            text.push(b'\n');
        }
        text.extend_from_slice(name);
        text.push(b' ');
        let lone_save = name.eq_ignore_ascii_case(b"save")
            && rest.peek().is_none_or(|next| next.starts_with(b"--"));
        if lone_save {
            text.extend_from_slice(b"\"\"");
        } else if let Some(value) = rest.next() {
            text.extend_from_slice(&quote(value));
            text.push(b' ');
        }
    }
    text
}

/// The text to be loaded when a file and options are given: the options follow the file.
#[must_use]
pub fn with_options(file: &[u8], arguments: &[Vec<u8>]) -> Vec<u8> {
    if arguments.is_empty() {
        return file.to_vec();
    }
    [file, b"\n", &options_text(arguments)].concat()
}

#[cfg(test)]
mod tests {
    use super::*;

    fn options(arguments: &[&str]) -> Vec<String> {
        let arguments: Vec<_> = arguments.iter().map(|a| a.as_bytes().to_vec()).collect();
        let text = options_text(&arguments);
        lines(&text)
            .map(|(_, line)| String::from_utf8(line.to_vec()).unwrap())
            .collect()
    }

    #[test]
    fn quoted_text_reads_back() {
        let all: Vec<u8> = (0..=255).collect();
        assert_eq!(split(&quote(&all)).unwrap(), [all]);
        assert_eq!(quote(b"a\"b\\\n\x01\xff x"), br#""a\"b\\\n\x01\xff x""#);
        assert_eq!(word_text(b"127.0.0.1"), b"127.0.0.1");
        assert_eq!(word_text(b"a b"), b"\"a b\"");
        assert_eq!(word_text(b""), b"\"\"");
    }

    #[test]
    fn lines_are_trimmed_and_counted() {
        let text = b"\ta 1\r\n\n # c \n";
        let lines: Vec<_> = lines(text).collect();
        assert_eq!(lines, [(1, &b"a 1"[..]), (2, b""), (3, b"# c"), (4, b"")]);
        assert!(is_silent(b"") && is_silent(b"# c") && !is_silent(b"a#"));
    }

    #[test]
    fn every_option_becomes_a_line() {
        assert_eq!(
            options(&[
                "--port",
                "7000",
                "--save",
                "",
                "--bind",
                "127.0.0.1",
                "-::1"
            ]),
            ["port \"7000\"", "save \"\"", "bind \"127.0.0.1\" \"-::1\""]
        );
    }

    #[test]
    fn the_word_behind_a_name_is_its_value() {
        assert_eq!(
            options(&["--requirepass", "--port", "abc", "--port", "1"]),
            ["requirepass \"--port\" \"abc\"", "port \"1\""]
        );
        assert_eq!(options(&["--port"]), ["port"]);
    }

    #[test]
    fn save_may_stand_alone() {
        assert_eq!(
            options(&["--save", "--port", "1"]),
            ["save \"\"", "port \"1\""]
        );
        assert_eq!(options(&["--save"]), ["save \"\""]);
        assert_eq!(options(&["--save", "60", "1"]), ["save \"60\" \"1\""]);
    }

    #[test]
    fn options_follow_the_file() {
        let arguments = [b"--port".to_vec(), b"1".to_vec()];
        assert_eq!(with_options(b"hz 1\n", &arguments), b"hz 1\n\nport \"1\" ");
        assert_eq!(with_options(b"hz 1\n", &[]), b"hz 1\n");
    }
}
