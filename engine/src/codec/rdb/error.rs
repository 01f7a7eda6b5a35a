//! What is wrong with a snapshot, in the words of whoever has to act on it.

use super::kinds;
use crate::value::restore::{Unfit, Unreadable};
use std::fmt;

/// Most bytes of a key that an error shows.
const KEY_SHOWN_MAX: usize = 128;

/// What is wrong.
#[derive(Clone, Debug, PartialEq, Eq)]
#[non_exhaustive]
pub enum Fault {
    /// It does not begin as a snapshot does.
    NoSnapshot,
    /// A version that is not read; what the file calls it.
    Version(Box<str>),
    /// It ends before its end.
    Truncated,
    /// Where a length should be is something else.
    Length,
    /// A string in a form that does not exist.
    StringForm(u8),
    /// Compressed bytes are damaged.
    Compression,
    /// Parts that make no value.
    Unfit(Unfit),
    /// A ziplist or zipmap that cannot be read.
    OldBlob(&'static str),
    /// A node of a list is neither a listpack nor an element.
    Container(u64),
    /// Neither a kind of value nor a mark.
    UnknownMark(u8),
    /// A value of a type that does not exist here.
    NotHere(&'static str),
    /// A module's value or data; its module's name.
    Module(Box<str>),
    /// Bytes behind the end of a value.
    Leftover,
    /// The checksum does not match.
    Checksum {
        /// What is in the file.
        stored: u64,
        /// That of the bytes.
        computed: u64,
    },
}

impl From<Unfit> for Fault {
    fn from(unfit: Unfit) -> Self {
        Self::Unfit(unfit)
    }
}

impl fmt::Display for Fault {
    fn fmt(&self, out: &mut fmt::Formatter<'_>) -> fmt::Result {
        let text = match self {
            Self::NoSnapshot => "this is no RDB file: it does not begin with REDIS or VALKEY",
            Self::Version(version) => {
                return write!(
                    out,
                    "RDB files of version {version} cannot be read: only REDIS0001 to REDIS0012 \
                     and VALKEY080"
                );
            }
            Self::Truncated => "the file ends too early: it is truncated",
            Self::Length => "there is no length where one should be",
            Self::StringForm(form) => {
                return write!(out, "a string has the form {form}, which does not exist");
            }
            Self::Compression => "a compressed string is damaged",
            Self::Unfit(unfit) => unfit_text(*unfit),
            Self::OldBlob(what) => what,
            Self::Container(container) => {
                return write!(
                    out,
                    "a list's node has the form {container}, which does not exist"
                );
            }
            Self::UnknownMark(mark) => {
                return write!(
                    out,
                    "the byte {mark} is neither a type nor an opcode that is known"
                );
            }
            Self::NotHere(what) => return write!(out, "this version cannot hold {what}"),
            Self::Module(name) => {
                return write!(
                    out,
                    "it needs the module data type '{name}', and modules cannot be loaded here"
                );
            }
            Self::Leftover => "there are bytes behind the value's end",
            Self::Checksum { stored, computed } => {
                return write!(
                    out,
                    "wrong checksum: the file says {stored:016x}, its bytes have {computed:016x}; \
                     it has been damaged since it was written"
                );
            }
        };
        out.write_str(text)
    }
}

const fn unfit_text(unfit: Unfit) -> &'static str {
    match unfit {
        Unfit::Empty => "it has no element",
        Unfit::Pack(Unreadable::Length) => "a listpack's length is not what it states",
        Unfit::Pack(Unreadable::End) => "a listpack has no end mark",
        Unfit::Pack(Unreadable::Element) => "an element of a listpack is damaged",
        Unfit::Pack(Unreadable::Back) => "a back-length in a listpack is wrong",
        Unfit::Pack(Unreadable::Count) => "a listpack has not as many elements as it states",
        Unfit::Ints => "an intset is damaged or not in order",
        Unfit::Odd => "a field has no value, or a member no score",
        Unfit::Duplicate => "a field or member is there twice",
        Unfit::Score => "a score is not a number",
    }
}

/// What is wrong with a snapshot, and where.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct RdbError {
    /// Offset of the damage, or of the beginning of the part that it is in.
    pub at: u64,
    /// The key that was being read.
    pub key: Option<Box<[u8]>>,
    /// The kind of value that was being read; see [`kinds`].
    pub kind: Option<u8>,
    /// What is wrong.
    pub fault: Fault,
}

impl fmt::Display for RdbError {
    fn fmt(&self, out: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(out, "at byte {}", self.at)?;
        if let Some(key) = &self.key {
            let (shown, more) = match key.get(..KEY_SHOWN_MAX) {
                Some(shown) if shown.len() < key.len() => (shown, "..."),
                _ => (&**key, ""),
            };
            write!(out, ", in key \"{}\"{more}", shown.escape_ascii())?;
        }
        if let Some(kind) = self.kind {
            write!(out, " ({}, type {kind})", kinds::name(kind))?;
        }
        write!(out, ": {}", self.fault)
    }
}

impl std::error::Error for RdbError {}

/// Why reading has stopped.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum ReadError<E> {
    /// The source has failed.
    Source(E),
    /// What it gave is wrong.
    Rdb(RdbError),
}

impl<E: fmt::Display> fmt::Display for ReadError<E> {
    fn fmt(&self, out: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Self::Source(error) => error.fmt(out),
            Self::Rdb(error) => error.fmt(out),
        }
    }
}

impl<E: fmt::Debug + fmt::Display> std::error::Error for ReadError<E> {}

/// Why a step of reading has stopped, before it is known where that was.
#[derive(Debug)]
pub(in crate::codec) enum Stop<E> {
    Source(E),
    Fault(Fault),
}

impl<E> From<Fault> for Stop<E> {
    fn from(fault: Fault) -> Self {
        Self::Fault(fault)
    }
}

impl<E> From<Unfit> for Stop<E> {
    fn from(unfit: Unfit) -> Self {
        Self::Fault(Fault::Unfit(unfit))
    }
}
