//! Keyspace notifications: what happened to which key.
//!
//! Source: the public page on keyspace notifications; the class letters are parsed in `config`.

use crate::base::DbIndex;
pub use crate::config::EventClasses;

/// One thing that happened to a key.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct KeyEvent {
    /// The class, which decides who hears of it.
    pub class: EventClasses,
    /// Its name, as subscribers see it.
    pub event: &'static str,
    /// Where.
    pub db: DbIndex,
    /// To which key.
    pub key: Box<[u8]>,
}
