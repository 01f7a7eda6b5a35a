//! What a dataset should be: a small imitation of the commands that the clients use, with time.

use std::collections::{BTreeMap, VecDeque};
use std::fmt;

/// What a key holds.
#[derive(Clone, PartialEq, Eq)]
pub(crate) enum Data {
    Text(Vec<u8>),
    List(VecDeque<Vec<u8>>),
}

/// A key's value, and when it ends in unix milliseconds.
#[derive(Clone, PartialEq, Eq)]
pub(crate) struct Value {
    pub(crate) data: Data,
    pub(crate) deadline: Option<u64>,
}

impl fmt::Debug for Value {
    fn fmt(&self, out: &mut fmt::Formatter<'_>) -> fmt::Result {
        let short = |bytes: &[u8]| match bytes.len() {
            0..=20 => bytes.escape_ascii().to_string(),
            len => format!("{}..({len})", bytes[..12].escape_ascii()),
        };
        match &self.data {
            Data::Text(text) => write!(out, "{}", short(text))?,
            Data::List(items) => {
                let items: Vec<_> = items.iter().map(|item| short(item)).collect();
                write!(out, "{items:?}")?;
            }
        }
        match self.deadline {
            Some(deadline) => write!(out, " until {deadline}"),
            None => Ok(()),
        }
    }
}

/// A key with its database.
pub(crate) type Place = (u32, String);

/// A dataset.
#[derive(Clone, Default, PartialEq, Eq)]
pub(crate) struct Model {
    pub(crate) keys: BTreeMap<Place, Value>,
}

/// One command.
#[derive(Clone, Debug)]
pub(crate) enum Change {
    Incr(String),
    Append(String, Vec<u8>),
    Set(String, Vec<u8>),
    /// For so many milliseconds.
    SetFor(String, Vec<u8>, u64),
    Expire(String, u64),
    Persist(String),
    Push(String, Vec<u8>),
    Pop(String),
    Del(Vec<String>),
    Rename(String, String),
    FlushAll,
}

/// What one client asks for at once: a command, or several that are one.
#[derive(Clone)]
pub(crate) struct Op {
    pub(crate) db: u32,
    pub(crate) changes: Vec<Change>,
}

impl fmt::Debug for Op {
    fn fmt(&self, out: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(out, "db{}", self.db)?;
        for change in &self.changes {
            let text: String = change.words().iter().fold(String::new(), |text, word| {
                let shown = &word[..word.len().min(16)];
                text + " " + &shown.escape_ascii().to_string()
            });
            write!(out, "{text};")?;
        }
        Ok(())
    }
}

/// The wire form of one command.
pub(crate) fn request(words: &[Vec<u8>]) -> Vec<u8> {
    let mut wire = format!("*{}\r\n", words.len()).into_bytes();
    for word in words {
        wire.extend_from_slice(&bulk(word));
    }
    wire
}

/// The same of words that are text.
pub(crate) fn asked(words: &[&str]) -> Vec<u8> {
    let words: Vec<_> = words.iter().map(|word| word.as_bytes().to_vec()).collect();
    request(&words)
}

pub(crate) fn bulk(bytes: &[u8]) -> Vec<u8> {
    [format!("${}\r\n", bytes.len()).as_bytes(), bytes, b"\r\n"].concat()
}

fn integer(number: usize) -> Vec<u8> {
    format!(":{number}\r\n").into_bytes()
}

impl Change {
    fn words(&self) -> Vec<Vec<u8>> {
        let word = |text: &str| text.as_bytes().to_vec();
        match self {
            Self::Incr(key) => vec![word("INCR"), word(key)],
            Self::Append(key, text) => vec![word("APPEND"), word(key), text.clone()],
            Self::Set(key, text) => vec![word("SET"), word(key), text.clone()],
            Self::SetFor(key, text, millis) => vec![
                word("SET"),
                word(key),
                text.clone(),
                word("PX"),
                word(&millis.to_string()),
            ],
            Self::Expire(key, millis) => {
                vec![word("PEXPIRE"), word(key), word(&millis.to_string())]
            }
            Self::Persist(key) => vec![word("PERSIST"), word(key)],
            Self::Push(key, item) => vec![word("LPUSH"), word(key), item.clone()],
            Self::Pop(key) => vec![word("RPOP"), word(key)],
            Self::Del(keys) => {
                let keys = keys.iter().map(|key| word(key));
                std::iter::once(word("DEL")).chain(keys).collect()
            }
            Self::Rename(from, to) => vec![word("RENAME"), word(from), word(to)],
            Self::FlushAll => vec![word("FLUSHALL")],
        }
    }
}

impl Op {
    /// What is sent.
    pub(crate) fn wire(&self) -> Vec<u8> {
        let commands = self.changes.iter().map(|change| request(&change.words()));
        match self.changes.len() {
            1 => commands.flatten().collect(),
            _ => std::iter::once(asked(&["MULTI"]))
                .chain(commands)
                .chain([asked(&["EXEC"])])
                .flatten()
                .collect(),
        }
    }

    /// How many replies there are.
    pub(crate) fn replies(&self) -> usize {
        match self.changes.len() {
            1 => 1,
            len => len + 2,
        }
    }
}

impl Model {
    /// What is left of it at `now_ms`.
    pub(crate) fn at(&self, now_ms: u64) -> Self {
        let mut seen = self.clone();
        seen.expire(now_ms);
        seen
    }

    fn expire(&mut self, now_ms: u64) {
        let lives = |value: &Value| value.deadline.is_none_or(|deadline| deadline > now_ms);
        self.keys.retain(|_, value| lives(value));
    }

    /// Does what an operation does; says what is answered and whether anything has changed.
    pub(crate) fn apply(&mut self, op: &Op, now_ms: u64) -> (Vec<u8>, bool) {
        self.expire(now_ms);
        let mut has_changed = false;
        let mut answers = Vec::new();
        for change in &op.changes {
            let (answer, changed) = self.change(op.db, change, now_ms);
            answers.extend(answer);
            has_changed |= changed;
        }
        let count = op.changes.len();
        if count > 1 {
            let queued = b"+QUEUED\r\n".repeat(count);
            let exec = format!("*{count}\r\n").into_bytes();
            answers = [b"+OK\r\n".to_vec(), queued, exec, answers].concat();
        }
        (answers, has_changed)
    }

    fn text(&self, db: u32, key: &str) -> Vec<u8> {
        match self.keys.get(&(db, key.to_owned())) {
            Some(Value {
                data: Data::Text(text),
                ..
            }) => text.clone(),
            Some(_) => panic!("{key} is no text"),
            None => Vec::new(),
        }
    }

    fn set(&mut self, db: u32, key: &str, text: Vec<u8>, deadline: Option<u64>) {
        let data = Data::Text(text);
        self.keys
            .insert((db, key.to_owned()), Value { data, deadline });
    }

    fn deadline(&self, db: u32, key: &str) -> Option<u64> {
        self.keys.get(&(db, key.to_owned()))?.deadline
    }

    fn change(&mut self, db: u32, change: &Change, now_ms: u64) -> (Vec<u8>, bool) {
        let ok = || b"+OK\r\n".to_vec();
        match change {
            Change::Incr(key) => {
                let text = String::from_utf8(self.text(db, key)).expect("digits");
                let next = text.parse().unwrap_or(0_usize) + 1;
                let deadline = self.deadline(db, key);
                self.set(db, key, next.to_string().into_bytes(), deadline);
                (integer(next), true)
            }
            Change::Append(key, more) => {
                let mut text = self.text(db, key);
                text.extend_from_slice(more);
                let (len, deadline) = (text.len(), self.deadline(db, key));
                self.set(db, key, text, deadline);
                (integer(len), true)
            }
            Change::Set(key, text) => {
                self.set(db, key, text.clone(), None);
                (ok(), true)
            }
            Change::SetFor(key, text, millis) => {
                self.set(db, key, text.clone(), Some(now_ms + millis));
                (ok(), true)
            }
            Change::Rename(from, to) => match self.keys.remove(&(db, from.clone())) {
                Some(value) => {
                    self.keys.insert((db, to.clone()), value);
                    (ok(), from != to)
                }
                None => (b"-ERR no such key\r\n".to_vec(), false),
            },
            Change::FlushAll => {
                let has_keys = !self.keys.is_empty();
                self.keys.clear();
                (ok(), has_keys)
            }
            other => self.change_in_place(db, other, now_ms),
        }
    }

    /// The changes of what may be there.
    fn change_in_place(&mut self, db: u32, change: &Change, now_ms: u64) -> (Vec<u8>, bool) {
        let flag = |changed: bool| (integer(usize::from(changed)), changed);
        let place = |key: &str| (db, key.to_owned());
        match change {
            Change::Expire(key, millis) => {
                flag(self.keys.get_mut(&place(key)).is_some_and(|value| {
                    value.deadline = Some(now_ms + millis);
                    true
                }))
            }
            Change::Persist(key) => {
                let value = self.keys.get_mut(&place(key));
                flag(value.is_some_and(|value| value.deadline.take().is_some()))
            }
            Change::Del(keys) => {
                let gone = keys
                    .iter()
                    .filter(|key| self.keys.remove(&(db, (*key).clone())).is_some());
                let gone = gone.count();
                (integer(gone), gone > 0)
            }
            Change::Push(key, item) => {
                let entry = self.keys.entry((db, key.clone()));
                let value = entry.or_insert_with(|| Value {
                    data: Data::List(VecDeque::new()),
                    deadline: None,
                });
                let Data::List(items) = &mut value.data else {
                    panic!("{key} is no list");
                };
                items.push_front(item.clone());
                (integer(items.len()), true)
            }
            Change::Pop(key) => {
                let Some(Value {
                    data: Data::List(items),
                    ..
                }) = self.keys.get_mut(&place(key))
                else {
                    return (b"$-1\r\n".to_vec(), false);
                };
                let item = items.pop_back().expect("no list is empty");
                if items.is_empty() {
                    self.keys.remove(&(db, key.clone()));
                }
                (bulk(&item), true)
            }
            _ => panic!("{change:?} is done elsewhere"),
        }
    }

    /// How it differs from another, for people.
    pub(crate) fn difference(&self, other: &Self) -> String {
        let mut lines = Vec::new();
        for (place, value) in &self.keys {
            match other.keys.get(place) {
                Some(theirs) if theirs == value => {}
                theirs => lines.push(format!("{place:?}: {value:?} here, {theirs:?} there")),
            }
        }
        for (place, value) in &other.keys {
            if !self.keys.contains_key(place) {
                lines.push(format!("{place:?}: nothing here, {value:?} there"));
            }
        }
        lines.join("\n    ")
    }
}

/// The length of the first whole reply in `bytes`, if there is one.
pub(crate) fn reply_len(bytes: &[u8]) -> Option<usize> {
    let end = bytes.windows(2).position(|pair| pair == b"\r\n")? + 2;
    let number = || -> i64 {
        let digits = String::from_utf8_lossy(&bytes[1..end - 2]);
        digits.parse().expect("a length")
    };
    match bytes.first()? {
        b'+' | b'-' | b':' => Some(end),
        b'$' => {
            let len = usize::try_from(number()).map_or(0, |len| len + 2);
            (bytes.len() >= end + len).then_some(end + len)
        }
        b'*' => {
            let mut at = end;
            for _ in 0..number().max(0) {
                at += reply_len(&bytes[at..])?;
            }
            Some(at)
        }
        other => panic!("no reply begins with {}", char::from(*other)),
    }
}
