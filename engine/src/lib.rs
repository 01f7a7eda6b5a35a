//! Dovetail's engine: a deterministic program that receives bytes and the time, and answers with
//! bytes, requests, and the next moment at which it wants to be woken.
//!
//! It makes no syscall, reads no clock, rolls no dice of its own and starts no thread. Modules are
//! layered; a module may import only from lower layers:
//!
//! | layer | modules |
//! | --- | --- |
//! | 0 | [`base`] |
//! | 1 | [`resp`], [`config`] |
//! | 2 | [`seam`], [`value`]; above them [`codec`] |
//! | 3 | [`keyspace`] |
//! | 4 | [`conn`], [`pubsub`], [`script`], [`observe`] |
//! | 4.5 | [`persist`] |
//! | 5 | [`command`] |
//! | 6 | [`commands`] |
//! | 7 | [`executor`] |

#![forbid(unsafe_code)]

pub mod base;
pub mod codec;
pub mod command;
pub mod commands;
pub mod config;
pub mod conn;
pub mod executor;
pub mod keyspace;
pub mod observe;
pub mod persist;
pub mod pubsub;
pub mod resp;
pub mod script;
pub mod seam;
pub mod value;
