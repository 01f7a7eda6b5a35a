//! MIGRATE as it was asked for: what is to go where, and how.

use crate::base::{DbIndex, Endpoint, Micros};
use bytes::Bytes;

/// What becomes of the keys on this side.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Leaving {
    /// They are removed once the other side has them.
    Moved,
    /// COPY: they stay.
    Copied,
}

/// What becomes of keys of the same names on the other side.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Arriving {
    /// They stay, and those of this side are refused.
    New,
    /// REPLACE: they are overwritten.
    Replacing,
}

/// A MIGRATE whose words have been understood.
#[derive(Debug)]
pub struct Migration {
    /// The other server.
    pub peer: Endpoint,
    /// The words of the AUTH that it gets first, if any.
    pub login: Vec<Bytes>,
    /// The number of its database, which it may not have.
    pub target_db: i64,
    /// The database that the keys are in.
    pub db: DbIndex,
    /// The keys, all of which were there when the command ran.
    pub keys: Vec<Bytes>,
    /// What becomes of them here.
    pub leaving: Leaving,
    /// What they meet there.
    pub arriving: Arriving,
    /// How long the other side may be silent.
    pub timeout: Micros,
}
