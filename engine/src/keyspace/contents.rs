//! What a key holds, taken out of one place to be put into another: for RENAME, MOVE and COPY.

use super::{Db, Deadline, Entry, Key, Stored};
use crate::value::Value;
use dovetail_memory::{Body, NewBody};

/// A record without its key.
#[derive(Debug)]
pub struct Contents {
    tag: u8,
    body: Held,
    deadline: Option<u64>,
}

#[derive(Debug)]
enum Held {
    Int(i64),
    Bytes(Box<[u8]>),
    Object(Box<Value>),
}

impl Contents {
    /// Contents equal to those of `entry`, deadline included.
    #[must_use]
    pub fn copy_of(entry: Entry<'_>) -> Self {
        let body = match entry.body() {
            Body::Int(number) => Held::Int(number),
            Body::Bytes(bytes) => Held::Bytes(bytes.into()),
            Body::Object(value) => Held::Object(Box::new(value.duplicate())),
        };
        Self {
            tag: entry.tag(),
            body,
            deadline: entry.deadline(),
        }
    }
}

impl Db {
    /// Takes a key's contents out, and leaves the key absent. Its watchers are told; counting the
    /// change is left to whoever puts the contents somewhere.
    pub fn take(&mut self, key: &Key<'_>) -> Option<Contents> {
        let entry = self.edit(key)?;
        let (tag, deadline) = (entry.tag(), entry.deadline());
        let plain = match entry.body() {
            Body::Int(number) => Held::Int(number),
            Body::Bytes(bytes) => Held::Bytes(bytes.into()),
            // Overwritten by the object itself.
            Body::Object(_) => Held::Int(0),
        };
        let body = entry.remove().map_or(plain, Held::Object);
        self.tell_watchers(key.bytes);
        Some(Contents {
            tag,
            body,
            deadline,
        })
    }

    /// Puts contents at a key, whatever was there before.
    pub fn place(&mut self, key: &Key<'_>, contents: Contents) -> Stored {
        let deadline = contents.deadline.map_or(Deadline::Clear, Deadline::At);
        match contents.body {
            Held::Int(number) => self.put(key, contents.tag, NewBody::Int(number), deadline),
            Held::Bytes(bytes) => self.put(key, contents.tag, NewBody::Bytes(&bytes), deadline),
            Held::Object(value) => self.put(key, contents.tag, NewBody::Object(value), deadline),
        }
    }
}
