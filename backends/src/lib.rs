//! What is outside of Dovetail's engine: the members of every seam, and the system calls below.
//!
//! | folder | what it holds |
//! | --- | --- |
//! | [`child`] | a forked child that does a job |
//! | [`disk`] | files, with threads for syncs and removals |
//! | [`persistence`] | snapshots and the append-only log, and the table of who keeps what |
//! | [`poller`] | four ways to wait for sockets, and the table of them |
//! | [`sys`] | thin safe wrappers over system calls; the only `unsafe` of this package |

#![deny(unsafe_code)]

pub mod child;
pub mod disk;
pub mod eviction;
pub mod lazyfree;
pub mod persistence;
pub mod poller;
#[expect(
    unsafe_code,
    reason = "this folder is where system calls are made safe"
)]
pub mod sys;
