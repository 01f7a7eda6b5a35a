//! Server-side scripts: the Lua machine, what scripts see in it, and the cache of sources.
//!
//! Shape: [`Machine`] runs Lua on a stack of its own and can be left in the middle of a script; it
//! speaks to the executor by values ([`Step`], [`Resume`]) and a [`Desk`] with the larger things.
//! [`Scripts`] is the facet that commands see: sources by their names, and whether a script keeps
//! the server busy. Which commands a script may run, and running them, are the executor's.
//! Invariant: nothing here reads a clock; how long a script may run is decided by who resumes it.

mod api;
mod cache;
mod convert;
mod exchange;
mod libraries;
mod machine;
mod raise;
mod random;
pub mod shebang;
#[cfg(test)]
mod tests;

pub use cache::{ScriptId, Scripts, Sha};
pub use exchange::{Desk, End, Nested, Resume, Step, Words};
pub use machine::{MEMORY_BYTES_MAX, Machine};
pub use shebang::Declared;

/// The version of Redis that scripts are told.
pub const REDIS_VERSION: &str = "7.2.4";

/// A script that has run longer than `busy-reply-threshold`.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub struct Busy {
    /// It has changed the dataset: it can no longer be ended.
    pub has_written: bool,
    /// SCRIPT KILL has been called.
    pub is_killed: bool,
}

/// What a script is run with.
#[derive(Clone, Copy, Debug)]
pub struct Run {
    /// The script.
    pub script: ScriptId,
    /// How many of the words on the desk are keys.
    pub keys: usize,
    /// Commands that write are refused.
    pub read_only: bool,
}
