//! The append-only log as bytes: its files' names, its manifest, its records and their checksums.
//!
//! | file | what it holds |
//! | --- | --- |
//! | [`names`] | what the files of a log are called |
//! | [`manifest`] | the list of them, to and from text |
//! | [`write`] | commands and annotations to bytes |
//! | [`record`] | bytes to commands and annotations, in pieces as they come |
//! | [`integrity`] | the annotation that seals a batch, and its checker |
//!
//! Source: the documented formats of Redis 7.0 to 8.0 and Valkey 9; `docs/formats/aof.md`.

pub mod integrity;
pub mod manifest;
pub mod names;
pub mod record;
#[cfg(test)]
mod tests;
pub mod write;

pub use integrity::Sealer;
pub use manifest::{Listed, Manifest, ManifestError};
pub use record::{Flaw, Item, LogError, Reader, Tail};
