//! The command logs: the last commands that took long, came in large or were answered at length.

use crate::resp::Args;
use bytes::Bytes;
use std::collections::VecDeque;

/// Words kept of a slow command.
const WORDS_MAX: usize = 32;
/// Bytes kept of a word.
const WORD_BYTES_MAX: usize = 128;

/// A command that stood out, as the executor hands it over.
#[derive(Debug)]
pub struct Notable<'a> {
    /// Its words.
    pub args: &'a Args<'a>,
    /// By how much.
    pub extent: Extent,
    /// When it ran.
    pub unix_secs: u64,
    /// Whose it was.
    pub client: String,
    /// That client's name.
    pub name: &'a Bytes,
    /// Whether it should have been fast.
    pub is_fast: bool,
}

/// What one run of a command took and gave.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Extent {
    /// How long it ran.
    pub nanos: u64,
    /// Bytes of its request on the wire.
    pub request_bytes: usize,
    /// Bytes of its reply.
    pub reply_bytes: usize,
}

/// One entry.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct SlowEntry {
    /// Counts entries.
    pub id: u64,
    /// When it ran.
    pub unix_secs: u64,
    /// How long it took, in microseconds; or bytes, in the logs of large requests and replies.
    pub amount: u64,
    /// Its words, the long ones cut.
    pub words: Vec<Box<[u8]>>,
    /// Whose it was.
    pub client: String,
    /// That client's name.
    pub name: Bytes,
}

/// The last entries, newest first.
#[derive(Debug, Default)]
pub struct SlowLog {
    entries: VecDeque<SlowEntry>,
    next_id: u64,
    len_max: usize,
}

impl SlowLog {
    /// Keeps at most `len` entries.
    pub fn set_len_max(&mut self, len: usize) {
        self.len_max = len;
        self.entries.truncate(len);
    }

    /// Adds a command, with its time or size.
    pub fn add(&mut self, request: &Notable<'_>, amount: u64) {
        let entry = SlowEntry {
            id: self.next_id,
            unix_secs: request.unix_secs,
            amount,
            words: cut_words(request.args),
            client: request.client.clone(),
            name: request.name.clone(),
        };
        self.next_id += 1;
        self.entries.push_front(entry);
        self.entries.truncate(self.len_max);
    }

    /// Entries, newest first.
    pub fn iter(&self) -> impl Iterator<Item = &SlowEntry> {
        self.entries.iter()
    }

    /// How many there are.
    #[must_use]
    pub fn len(&self) -> usize {
        self.entries.len()
    }

    /// There is none.
    #[must_use]
    pub fn is_empty(&self) -> bool {
        self.entries.is_empty()
    }

    /// Forgets all entries.
    pub fn clear(&mut self) {
        self.entries.clear();
    }
}

fn cut_words(args: &Args<'_>) -> Vec<Box<[u8]>> {
    let kept = args.len().min(WORDS_MAX);
    let mut words: Vec<Box<[u8]>> = (0..kept).map(|index| cut_word(args.get(index))).collect();
    if args.len() > WORDS_MAX {
        let left = args.len() - WORDS_MAX + 1;
        words[WORDS_MAX - 1] = format!("... ({left} more arguments)").into_bytes().into();
    }
    words
}

fn cut_word(word: &[u8]) -> Box<[u8]> {
    if word.len() <= WORD_BYTES_MAX {
        return word.into();
    }
    let mut cut = word[..WORD_BYTES_MAX].to_vec();
    cut.extend_from_slice(format!("... ({} more bytes)", word.len() - WORD_BYTES_MAX).as_bytes());
    cut.into()
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::resp::OwnedArgs;

    fn add(log: &mut SlowLog, words: &[&[u8]]) {
        let owned = OwnedArgs::from_words(words);
        let notable = Notable {
            args: &owned.args(),
            extent: Extent {
                nanos: 5000,
                request_bytes: 20,
                reply_bytes: 5,
            },
            unix_secs: 7,
            client: "127.0.0.1:1".into(),
            name: &Bytes::new(),
            is_fast: false,
        };
        log.add(&notable, 5);
    }

    #[test]
    fn only_the_newest_entries_are_kept() {
        let mut log = SlowLog::default();
        log.set_len_max(2);
        for word in [b"a", b"b", b"c"] {
            add(&mut log, &[word]);
        }
        let words: Vec<_> = log
            .iter()
            .map(|entry| (entry.id, entry.words[0].to_vec()))
            .collect();
        assert_eq!(words, [(2, b"c".to_vec()), (1, b"b".to_vec())]);
    }

    #[test]
    fn long_requests_are_cut() {
        let mut log = SlowLog::default();
        log.set_len_max(1);
        let long = [b'x'; 200];
        let mut words: Vec<&[u8]> = vec![b"w"; 39];
        words.insert(0, &long);
        add(&mut log, &words);
        let entry = log.iter().next().unwrap();
        assert_eq!(entry.words.len(), 32);
        assert!(entry.words[0].ends_with(b"... (72 more bytes)"));
        assert_eq!(&*entry.words[31], b"... (9 more arguments)");
    }
}
