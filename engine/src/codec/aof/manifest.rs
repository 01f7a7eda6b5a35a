//! The manifest: which files an append-only log consists of, in which order.
//!
//! Shape: a line a file, of pairs of words: `file NAME seq NUMBER type b|h|i`, and with some
//! servers the offsets of the feed at which an increment begins and ends; ours says how many bytes an
//! increment has that is not the last.
//! Source: the behaviour of Redis 7.0 to 8.0 and Valkey 9, whose words the errors are.

use super::names::{self, BaseFormat, Part};
use crate::base::number::{parse_i64, parse_u64};
use crate::config::text;
use crate::resp::words;
use std::fmt;

/// Bytes of a line, its end included.
const LINE_BYTES_MAX: usize = 1024;
/// Fewer words make no line.
const WORDS_MIN: usize = 6;

/// The highest number that a manifest may have.
const SEQ_MAX: u64 = 1 << 62;

/// One file of the log.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Listed {
    /// Its name in the log's folder.
    pub name: String,
    /// Its number, from 1.
    pub seq: u64,
    /// Offset of the feed at its beginning, where the writer has said so.
    pub start_offset: Option<i64>,
    /// Offset of the feed at its end.
    pub end_offset: Option<i64>,
    /// How many bytes it had when the log went on in the next file; a pair of our own, which other
    /// servers skip.
    pub bytes: Option<u64>,
}

impl Listed {
    /// A file without offsets.
    #[must_use]
    pub fn new(name: String, seq: u64) -> Self {
        Self {
            name,
            seq,
            start_offset: None,
            end_offset: None,
            bytes: None,
        }
    }
}

/// What is wrong with a manifest.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
#[non_exhaustive]
pub enum ManifestFlaw {
    /// It has no bytes.
    Empty,
    /// A line is too long, or the last has no end.
    LongLine,
    /// A line is not made of enough pairs of words with a file, a number and a kind.
    Format,
    /// The kind is none of `b`, `h`, `i`.
    UnknownType,
    /// There is a second base.
    DuplicateBase,
    /// The numbers of increments do not grow.
    NonMonotonic,
    /// The file is not in the log's folder.
    Path,
}

/// Why a manifest is not believed.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct ManifestError {
    /// The line, from 1; 0 when it is none in particular.
    pub line: usize,
    /// What the line says, without its end.
    pub text: String,
    /// What is wrong with it.
    pub flaw: ManifestFlaw,
}

impl fmt::Display for ManifestError {
    fn fmt(&self, out: &mut fmt::Formatter<'_>) -> fmt::Result {
        out.write_str(match self.flaw {
            ManifestFlaw::Empty => "Found an empty AOF manifest",
            ManifestFlaw::LongLine => "The AOF manifest file contains too long line",
            ManifestFlaw::Format => "Invalid AOF manifest file format",
            ManifestFlaw::UnknownType => "Unknown AOF file type",
            ManifestFlaw::DuplicateBase => "Found duplicate base file information",
            ManifestFlaw::NonMonotonic => "Found a non-monotonic sequence number",
            ManifestFlaw::Path => "File can't be a path, just a filename",
        })?;
        if self.line > 0 {
            write!(out, " (line {}: '{}')", self.line, self.text)?;
        }
        Ok(())
    }
}

impl std::error::Error for ManifestError {}

/// The files of a log.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct Manifest {
    /// What is loaded first.
    pub base: Option<Listed>,
    /// What has been replaced and waits to be removed.
    pub history: Vec<Listed>,
    /// What is loaded after it, in this order; the last is appended to.
    pub incrs: Vec<Listed>,
}

#[derive(Clone, Copy, Debug, PartialEq, Eq)]
enum Kind {
    Base,
    History,
    Incr,
}

impl Manifest {
    /// Reads the text of a manifest.
    ///
    /// # Errors
    /// At the first line that is not believed. Lines that begin with `#` are comments.
    pub fn parse(text: &[u8]) -> Result<Self, ManifestError> {
        if text.is_empty() {
            return Err(ManifestError {
                line: 0,
                text: String::new(),
                flaw: ManifestFlaw::Empty,
            });
        }
        let mut manifest = Self::default();
        for (index, line) in text.split_inclusive(|byte| *byte == b'\n').enumerate() {
            manifest.take_line(line).map_err(|flaw| ManifestError {
                line: index + 1,
                text: excerpt(line),
                flaw,
            })?;
        }
        Ok(manifest)
    }

    fn take_line(&mut self, line: &[u8]) -> Result<(), ManifestFlaw> {
        let Some(content) = line.strip_suffix(b"\n") else {
            return Err(ManifestFlaw::LongLine);
        };
        if line.len() > LINE_BYTES_MAX {
            return Err(ManifestFlaw::LongLine);
        }
        if content.starts_with(b"#") {
            return Ok(());
        }
        let (listed, kind) = parse_line(content)?;
        match kind {
            Kind::Base if self.base.is_some() => return Err(ManifestFlaw::DuplicateBase),
            Kind::Base => self.base = Some(listed),
            Kind::History => self.history.push(listed),
            Kind::Incr => {
                if self.incrs.last().is_some_and(|last| last.seq >= listed.seq) {
                    return Err(ManifestFlaw::NonMonotonic);
                }
                self.incrs.push(listed);
            }
        }
        Ok(())
    }

    /// Its text.
    #[must_use]
    pub fn to_bytes(&self) -> Vec<u8> {
        let mut out = Vec::new();
        let groups = [
            (self.base.as_slice(), 'b'),
            (self.history.as_slice(), 'h'),
            (self.incrs.as_slice(), 'i'),
        ];
        for (files, kind) in groups {
            for file in files {
                write_line(&mut out, file, kind);
            }
        }
        out
    }

    /// Every file that is loaded, in order.
    pub fn loaded(&self) -> impl Iterator<Item = &Listed> {
        self.base.iter().chain(&self.incrs)
    }

    /// Whether it lists nothing.
    #[must_use]
    pub fn is_empty(&self) -> bool {
        self.base.is_none() && self.history.is_empty() && self.incrs.is_empty()
    }

    /// The base that comes next, by its name; it is not yet part of the manifest.
    #[must_use]
    pub fn next_base(&self, prefix: &str, format: BaseFormat) -> Listed {
        let is_base = |name: &str| matches!(names::part(prefix, name), Some(Part::Base(_)));
        self.next(self.base.as_slice(), is_base, |seq| {
            names::base(prefix, seq, format)
        })
    }

    /// The increment that comes next, by its name; it is not yet part of the manifest.
    #[must_use]
    pub fn next_incr(&self, prefix: &str) -> Listed {
        let is_incr = |name: &str| matches!(names::part(prefix, name), Some(Part::Incr(_)));
        self.next(&self.incrs, is_incr, |seq| names::incr(prefix, seq))
    }

    /// A number above those of `present` and of what of the history was like it: its files are
    /// about to be removed, and with them a new one of the same name.
    fn next(
        &self,
        present: &[Listed],
        is_alike: impl Fn(&str) -> bool,
        name: impl Fn(u64) -> String,
    ) -> Listed {
        let past = self.history.iter().filter(|file| is_alike(&file.name));
        let seqs = present.iter().chain(past).map(|file| file.seq);
        let mut seq = seqs.max().unwrap_or(0) + 1;
        let mut listed = self.loaded().chain(&self.history);
        while listed.any(|file| file.name == name(seq)) {
            seq += 1;
            listed = self.loaded().chain(&self.history);
        }
        Listed::new(name(seq), seq)
    }

    /// A new base stands for the old one and for the increments before number `first_kept`: they
    /// become history.
    pub fn replace_base(&mut self, base: Listed, first_kept: u64) {
        self.history.extend(self.base.replace(base));
        let kept = self.incrs.partition_point(|incr| incr.seq < first_kept);
        self.history.extend(self.incrs.drain(..kept));
    }
}

fn parse_line(line: &[u8]) -> Result<(Listed, Kind), ManifestFlaw> {
    let words = words::split(line).map_err(|_| ManifestFlaw::Format)?;
    if words.len() < WORDS_MIN || !words.len().is_multiple_of(2) {
        return Err(ManifestFlaw::Format);
    }
    let mut listed = Listed::new(String::new(), 0);
    let mut kind = None;
    let pairs = || words.chunks_exact(2).map(|pair| (&pair[0], &pair[1]));
    for known in [b"file".as_slice(), b"seq", b"type"] {
        // Twice is two lines whose end between them is lost.
        if pairs()
            .filter(|(key, _)| key.eq_ignore_ascii_case(known))
            .count()
            > 1
        {
            return Err(ManifestFlaw::Format);
        }
    }
    for (key, value) in pairs() {
        if key.eq_ignore_ascii_case(b"file") {
            listed.name = file_name(value)?;
        } else if key.eq_ignore_ascii_case(b"seq") {
            listed.seq = seq(value).ok_or(ManifestFlaw::Format)?;
        } else if key.eq_ignore_ascii_case(b"type") {
            kind = Some(match value.as_slice() {
                b"b" => Kind::Base,
                b"h" => Kind::History,
                b"i" => Kind::Incr,
                _ => return Err(ManifestFlaw::UnknownType),
            });
        } else if key.eq_ignore_ascii_case(b"startoffset") {
            listed.start_offset = Some(parse_i64(value).ok_or(ManifestFlaw::Format)?);
        } else if key.eq_ignore_ascii_case(b"endoffset") {
            listed.end_offset = Some(parse_i64(value).ok_or(ManifestFlaw::Format)?);
        } else if key.eq_ignore_ascii_case(b"bytes") {
            listed.bytes = Some(parse_u64(value).ok_or(ManifestFlaw::Format)?);
        }
    }
    match kind {
        Some(kind) if !listed.name.is_empty() && listed.seq > 0 => Ok((listed, kind)),
        _ => Err(ManifestFlaw::Format),
    }
}

/// Numbers end long before the integers do, so that there is always a next one.
fn seq(text: &[u8]) -> Option<u64> {
    parse_i64(text)
        .and_then(|seq| u64::try_from(seq).ok())
        .filter(|seq| (1..=SEQ_MAX).contains(seq))
}

fn file_name(word: &[u8]) -> Result<String, ManifestFlaw> {
    let name = str::from_utf8(word).map_err(|_| ManifestFlaw::Format)?;
    if name.is_empty() || name.contains('\0') {
        return Err(ManifestFlaw::Format);
    }
    if name.contains('/') || matches!(name, "." | "..") {
        return Err(ManifestFlaw::Path);
    }
    Ok(name.to_owned())
}

fn write_line(out: &mut Vec<u8>, file: &Listed, kind: char) {
    out.extend_from_slice(b"file ");
    out.extend_from_slice(&text::word_text(file.name.as_bytes()));
    out.extend_from_slice(format!(" seq {} type {kind}", file.seq).as_bytes());
    let offsets = [
        ("startoffset", file.start_offset),
        ("endoffset", file.end_offset),
    ];
    for (key, offset) in offsets {
        if let Some(offset) = offset {
            out.extend_from_slice(format!(" {key} {offset}").as_bytes());
        }
    }
    if let Some(bytes) = file.bytes {
        out.extend_from_slice(format!(" bytes {bytes}").as_bytes());
    }
    out.push(b'\n');
}

/// The beginning of a line, for an error.
fn excerpt(line: &[u8]) -> String {
    const SHOWN: usize = 120;
    let line = line.strip_suffix(b"\n").unwrap_or(line);
    line[..line.len().min(SHOWN)].escape_ascii().to_string()
}
