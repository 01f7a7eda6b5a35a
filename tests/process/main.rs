//! The binary as an operator meets it: options, files, signals, many clients, bad clients, and the
//! change of pollers under load; and `dovetail-check`.

#![forbid(unsafe_code)]

mod checking;
mod crowd;
mod evicting;
mod files;
mod leaving;
mod listening;
mod migrating;
mod misbehaving;
mod options;
mod rewrite;
mod scripts;
mod snapshots;
mod stopping;
mod switching;
