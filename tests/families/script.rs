//! The language of the cases.
//!
//! `# name` begins a case. `> COMMAND` sends over connection 1, `2> COMMAND` over connection 2,
//! `1<` waits for what is pushed to connection 1. The lines that follow are the expected bytes, each
//! ended by CRLF; `2| ` and `3| ` mark lines of one protocol only. In them `\e` is nothing, `\xHH`,
//! `\n`, `\r` and `\\` are bytes, `{n}` is any number, `{~100}` one that is at most 3 less, `{p}`
//! the mark of a push (`*` in RESP2), `{*}` anything up to the end of the line. `<closed>` means
//! that the server closes.

use std::collections::BTreeMap;
use std::collections::btree_map::Entry;

use anyhow::{Context, Result, bail};
use dovetail_tests::value::{Value, escape};
use dovetail_tests::{Client, Server};

/// What a case's connections speak.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum Protocol {
    Resp2,
    Resp3,
}

/// One case.
#[derive(Debug)]
pub(crate) struct Case {
    pub(crate) name: String,
    steps: Vec<Step>,
}

#[derive(Debug)]
struct Step {
    conn: char,
    command: Option<Vec<Vec<u8>>>,
    shown: String,
    expected: Vec<String>,
}

/// Reads all cases of a text.
pub(crate) fn parse(text: &str) -> Result<Vec<Case>> {
    let mut cases: Vec<Case> = Vec::new();
    for line in text.lines().filter(|line| !line.is_empty()) {
        if let Some(name) = line.strip_prefix("# ") {
            cases.push(Case {
                name: name.to_owned(),
                steps: Vec::new(),
            });
            continue;
        }
        let case = cases
            .last_mut()
            .with_context(|| format!("no case yet at {line:?}"))?;
        match begin(line)? {
            Some(step) => case.steps.push(step),
            None => {
                let step = case
                    .steps
                    .last_mut()
                    .with_context(|| format!("no step: {line:?}"))?;
                step.expected.push(line.to_owned());
            }
        }
    }
    Ok(cases)
}

fn begin(line: &str) -> Result<Option<Step>> {
    let (conn, rest) = match line.strip_prefix(|c: char| c.is_ascii_digit()) {
        Some(rest) => (line.chars().next().unwrap_or('1'), rest),
        None => ('1', line),
    };
    let step = |command| Step {
        conn,
        command,
        shown: line.to_owned(),
        expected: Vec::new(),
    };
    if rest == "<" {
        return Ok(Some(step(None)));
    }
    match rest.strip_prefix("> ") {
        Some(command) => Ok(Some(step(Some(words(command)?)))),
        None => Ok(None),
    }
}

impl Case {
    /// Plays the case on fresh connections and an empty server.
    pub(crate) fn play(&self, server: &Server, protocol: Protocol) -> Result<()> {
        server.client()?.expect("FLUSHALL", "+OK\r\n")?;
        let mut conns: BTreeMap<char, Client> = BTreeMap::new();
        for step in &self.steps {
            let client = match conns.entry(step.conn) {
                Entry::Occupied(known) => known.into_mut(),
                Entry::Vacant(new) => new.insert(match protocol {
                    Protocol::Resp2 => server.client()?,
                    Protocol::Resp3 => server.client_resp3()?,
                }),
            };
            step.play(client, protocol)
                .with_context(|| step.shown.clone())?;
        }
        for (conn, client) in &conns {
            if !client.unread().is_empty() {
                bail!("connection {conn} got more: {}", escape(client.unread()));
            }
        }
        Ok(())
    }
}

impl Step {
    fn play(&self, client: &mut Client, protocol: Protocol) -> Result<()> {
        if let Some(command) = &self.command {
            client.send(command)?;
        }
        let mut lines = self.lines(protocol);
        let closes = lines.last().is_some_and(|line| *line == "<closed>");
        if closes {
            lines.pop();
        }
        let mut got = Vec::new();
        while count_lines(&got) < lines.len() {
            let value = client
                .read()
                .with_context(|| format!("so far {}", escape(&got)))?;
            got.extend(value.encode());
        }
        let mut rest = got.as_slice();
        for line in &lines {
            let Some(after) = matched(rest, line, protocol)? else {
                bail!("\n got {}\nwant {}", escape(&got), lines.join("\\r\\n"));
            };
            rest = after;
        }
        if closes {
            let more = client.read_to_close()?;
            if !more.is_empty() {
                bail!("before closing came {}", escape(&more));
            }
        }
        if rest.is_empty() {
            Ok(())
        } else {
            bail!("too much: {}", escape(rest))
        }
    }

    fn lines(&self, protocol: Protocol) -> Vec<&str> {
        let (ours, other) = match protocol {
            Protocol::Resp2 => ("2| ", "3| "),
            Protocol::Resp3 => ("3| ", "2| "),
        };
        self.expected
            .iter()
            .filter(|line| !line.starts_with(other))
            .map(|line| line.strip_prefix(ours).unwrap_or(line))
            .collect()
    }
}

fn count_lines(bytes: &[u8]) -> usize {
    bytes.windows(2).filter(|pair| pair == b"\r\n").count()
}

/// What is left of `bytes` after a line like `pattern` and its CRLF; `None` when it isn't like it.
fn matched<'a>(bytes: &'a [u8], pattern: &str, protocol: Protocol) -> Result<Option<&'a [u8]>> {
    let mut rest = bytes;
    let mut todo = pattern.as_bytes();
    while let Some((&first, after)) = todo.split_first() {
        todo = after;
        let byte = match first {
            b'\\' => {
                let (byte, after) = escaped(todo)?;
                todo = after;
                match byte {
                    Some(byte) => byte,
                    None => continue,
                }
            }
            b'{' => {
                let end = todo
                    .iter()
                    .position(|b| *b == b'}')
                    .context("no } in a pattern")?;
                let name = std::str::from_utf8(&todo[..end])?;
                todo = &todo[end + 1..];
                match wild(rest, name, protocol)? {
                    Some(after) => rest = after,
                    None => return Ok(None),
                }
                continue;
            }
            byte => byte,
        };
        match rest.strip_prefix(&[byte]) {
            Some(after) => rest = after,
            None => return Ok(None),
        }
    }
    Ok(rest.strip_prefix(b"\r\n"))
}

fn wild<'a>(rest: &'a [u8], name: &str, protocol: Protocol) -> Result<Option<&'a [u8]>> {
    if name == "p" {
        let mark: &[u8] = if protocol == Protocol::Resp2 {
            b"*"
        } else {
            b">"
        };
        return Ok(rest.strip_prefix(mark));
    }
    if name == "*" {
        let end = rest
            .windows(2)
            .position(|pair| pair == b"\r\n")
            .unwrap_or(rest.len());
        return Ok(Some(&rest[end..]));
    }
    let digits = rest.iter().take_while(|b| b.is_ascii_digit()).count();
    let number: Option<u64> = std::str::from_utf8(&rest[..digits])
        .ok()
        .and_then(|text| text.parse().ok());
    let fits = match (number, name.strip_prefix('~')) {
        (Some(_), None) if name == "n" => true,
        (Some(got), Some(most)) => {
            let most: u64 = most.parse().context("a number after ~")?;
            (most.saturating_sub(3)..=most).contains(&got)
        }
        (None, _) => false,
        _ => bail!("no wildcard is called {name:?}"),
    };
    Ok(fits.then_some(&rest[digits..]))
}

/// The byte after a backslash, and what follows.
fn escaped(text: &[u8]) -> Result<(Option<u8>, &[u8])> {
    let (&kind, after) = text.split_first().context("a backslash at the end")?;
    match kind {
        b'e' => Ok((None, after)),
        b'n' => Ok((Some(b'\n'), after)),
        b'r' => Ok((Some(b'\r'), after)),
        b't' => Ok((Some(b'\t'), after)),
        b'x' => {
            let digits = after.get(..2).context("two digits after \\x")?;
            let byte = u8::from_str_radix(std::str::from_utf8(digits)?, 16)?;
            Ok((Some(byte), &after[2..]))
        }
        byte => Ok((Some(byte), after)),
    }
}

/// Splits at spaces; words in double quotes may contain spaces and escapes.
fn words(text: &str) -> Result<Vec<Vec<u8>>> {
    let mut words = Vec::new();
    let mut rest = text.as_bytes();
    while let Some(&first) = rest.first() {
        if first == b' ' {
            rest = &rest[1..];
        } else if first == b'"' {
            let (word, after) = quoted(&rest[1..])?;
            words.push(word);
            rest = after;
        } else {
            let end = rest.iter().position(|b| *b == b' ').unwrap_or(rest.len());
            words.push(rest[..end].to_vec());
            rest = &rest[end..];
        }
    }
    Ok(words)
}

fn quoted(text: &[u8]) -> Result<(Vec<u8>, &[u8])> {
    let mut word = Vec::new();
    let mut rest = text;
    loop {
        let (&byte, after) = rest.split_first().context("no closing quote")?;
        rest = after;
        match byte {
            b'"' => return Ok((word, rest)),
            b'\\' => {
                let (byte, after) = escaped(rest)?;
                word.extend(byte);
                rest = after;
            }
            byte => word.push(byte),
        }
    }
}

#[test]
fn a_pattern_matches_its_bytes_and_no_others() {
    let whole = |bytes: &[u8], pattern: &str| {
        matched(bytes, pattern, Protocol::Resp3).unwrap() == Some(&b""[..])
    };
    assert!(whole(b":42\r\n", ":{n}"));
    assert!(whole(b":98\r\n", ":{~100}"));
    assert!(!whole(b":96\r\n", ":{~100}"));
    assert!(whole(b">2\r\n", "{p}2"));
    assert!(whole(b"a\x00b\\\r\n", "a\\x00b\\\\\\e"));
    assert!(whole(b"+whatever\r\n", "+{*}"));
    assert!(!whole(b"+OK\r\n", "+O"));
    assert!(Value::decode(b"+OK\r\n").unwrap().is_some());
}
