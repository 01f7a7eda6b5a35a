//! What has been found out about a file.

use super::log::{Log, Swallowed};
use super::snapshot::Snapshot;
use dovetail_engine::codec::aof::{LogError, ManifestError, Tail};
use dovetail_engine::codec::rdb::RdbError;
use std::fmt;
use std::io;
use std::path::PathBuf;

/// What the exit code says; later ones win over earlier ones.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord)]
pub(crate) enum Status {
    /// Everything is there and can be read.
    Whole,
    /// Something is not as it was written.
    Damaged,
    /// It cannot be told, or what was asked for was not done.
    Unreadable,
}

impl Status {
    /// Its word in JSON.
    pub(crate) const fn word(self) -> &'static str {
        match self {
            Self::Whole => "whole",
            Self::Damaged => "damaged",
            Self::Unreadable => "unreadable",
        }
    }
}

/// Why a file was not looked at, or not to its end.
#[derive(Debug)]
pub(crate) enum Unreadable {
    /// The system refuses to do this.
    Io(&'static str, io::Error),
    /// It is neither a file nor a folder with a manifest.
    NoFile,
    /// Nothing that is known begins like this.
    Unknown,
    /// A folder without a manifest.
    NoManifest,
    /// A folder with several.
    Manifests(Vec<String>),
    /// No manifest is so long.
    LongManifest,
}

impl fmt::Display for Unreadable {
    fn fmt(&self, out: &mut fmt::Formatter<'_>) -> fmt::Result {
        out.write_str(match self {
            Self::Io(doing, error) => return write!(out, "cannot {doing} it: {error}"),
            Self::NoFile => "it is no regular file",
            Self::Unknown => {
                "neither its content nor its name is that of a snapshot, a log or a manifest"
            }
            Self::NoManifest => "there is no manifest in this folder",
            Self::Manifests(names) => {
                let names = names.join(", ");
                return write!(
                    out,
                    "there are several manifests in this folder, name one: {names}"
                );
            }
            Self::LongManifest => "it is too long to be a manifest",
        })
    }
}

impl std::error::Error for Unreadable {}

/// What is wrong with a file.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(crate) enum Damage {
    /// Its snapshot.
    Snapshot(RdbError),
    /// Its commands.
    Log(LogError),
    /// It ends like this, and is not the last of its log.
    Middle(Tail),
    /// The manifest names it, and it is not there.
    Missing,
    /// It has no byte, and by its name it is a snapshot.
    Empty,
    /// It is a manifest that is not believed.
    Manifest(ManifestError),
}

impl fmt::Display for Damage {
    fn fmt(&self, out: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Self::Snapshot(error) => error.fmt(out),
            Self::Log(error) => error.fmt(out),
            Self::Middle(tail) => write!(
                out,
                "it {}, and more files follow that were written after it",
                tail_text(*tail)
            ),
            Self::Missing => out.write_str("the manifest names it, and it is not there"),
            Self::Empty => out.write_str("it is empty, and a snapshot never is"),
            Self::Manifest(error) => error.fmt(out),
        }
    }
}

/// How a log ends, behind the word "it".
pub(crate) fn tail_text(tail: Tail) -> String {
    match tail {
        Tail::Whole => "ends behind a whole record".to_owned(),
        Tail::Record { cut } => format!("ends within a record (what is whole ends at byte {cut})"),
        Tail::Transaction { cut } => {
            format!("ends within the transaction that begins at byte {cut}")
        }
        Tail::Zeros { cut, zeros } => format!(
            "ends with zeros from byte {zeros} on, where something else was to stand (what is \
             whole ends at byte {cut})"
        ),
    }
}

/// Whether a file is whole.
#[derive(Debug)]
pub(crate) enum Verdict {
    /// It is.
    Whole,
    /// It is a log and the last of its files, and its tail can be cut off.
    Torn {
        /// How it ends.
        tail: Tail,
        /// Whole commands behind the beginning of the record that does not end.
        swallowed: Option<Swallowed>,
    },
    /// It is damaged.
    Damaged(Damage),
    /// There is a value in it that this version cannot hold, or it has a later format.
    Refused(RdbError),
    /// It could not be read.
    Unreadable(Unreadable),
}

impl Verdict {
    /// What it comes to.
    pub(crate) const fn status(&self) -> Status {
        match self {
            Self::Whole => Status::Whole,
            Self::Torn { .. } | Self::Damaged(_) => Status::Damaged,
            Self::Refused(_) | Self::Unreadable(_) => Status::Unreadable,
        }
    }

    /// Its word in JSON.
    pub(crate) const fn word(&self) -> &'static str {
        match self {
            Self::Whole => "whole",
            Self::Torn { .. } => "torn",
            Self::Damaged(_) => "damaged",
            Self::Refused(_) => "refused",
            Self::Unreadable(_) => "unreadable",
        }
    }
}

impl fmt::Display for Verdict {
    fn fmt(&self, out: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Self::Whole => out.write_str("whole"),
            Self::Torn { tail, .. } => write!(out, "torn: it {}", tail_text(*tail)),
            Self::Damaged(damage) => write!(out, "damaged: {damage}"),
            Self::Refused(error) => write!(out, "not readable by this version: {error}"),
            Self::Unreadable(why) => write!(out, "not readable: {why}"),
        }
    }
}

/// As what a file is checked.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum Role {
    /// For itself.
    Alone,
    /// The manifest says that it is the base.
    Base,
    /// The manifest says that it is an increment.
    Increment,
    /// It is the manifest.
    Manifest,
}

impl Role {
    /// Its word in JSON.
    pub(crate) const fn word(self) -> &'static str {
        match self {
            Self::Alone => "alone",
            Self::Base => "base",
            Self::Increment => "increment",
            Self::Manifest => "manifest",
        }
    }
}

/// One file.
#[derive(Debug)]
pub(crate) struct FileReport {
    /// Where it is.
    pub(crate) path: PathBuf,
    /// As what it was checked.
    pub(crate) role: Role,
    /// Its length.
    pub(crate) bytes: u64,
    /// Its snapshot, as far as it was read.
    pub(crate) snapshot: Option<Snapshot>,
    /// Its commands, as far as they were read.
    pub(crate) log: Option<Log>,
    /// Bytes behind a snapshot that are no part of it; nobody reads them.
    pub(crate) unused: u64,
    /// Where the snapshot could not be read to its end: whether the checksum at the end of the file
    /// is that of all before, if that is known. If so, it is as it was written.
    pub(crate) is_sum_right: Option<bool>,
    /// Whether it is whole.
    pub(crate) verdict: Verdict,
}

impl FileReport {
    /// A file of which nothing more is known.
    pub(crate) fn bare(path: PathBuf, role: Role, verdict: Verdict) -> Self {
        Self {
            path,
            role,
            bytes: 0,
            snapshot: None,
            log: None,
            unused: 0,
            is_sum_right: None,
            verdict,
        }
    }
}

/// What one word of the command line has led to.
#[derive(Debug)]
pub(crate) struct Checked {
    /// The word.
    pub(crate) path: PathBuf,
    /// Files that the manifest names as replaced; nothing is loaded from them.
    pub(crate) history: Vec<String>,
    /// The manifest if there is one, then the files in the order in which they are loaded.
    pub(crate) files: Vec<FileReport>,
}

impl Checked {
    /// What it comes to.
    pub(crate) fn status(&self) -> Status {
        let all = self.files.iter().map(|file| file.verdict.status());
        all.max().unwrap_or(Status::Whole)
    }
}
