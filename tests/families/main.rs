//! Black-box cases: what a client sends, and byte for byte what it gets, in RESP2 and in RESP3.

#![forbid(unsafe_code)]

mod clients;
mod connection;
mod events;
mod hashes;
mod keys;
mod limits;
mod lists;
mod memory;
mod observe;
mod pubsub;
mod script;
mod scripting;
mod server;
mod sets;
mod sorting;
mod strings;
mod transactions;
mod zsets;

use anyhow::{Result, bail};
use dovetail_tests::{Stage, each_poller};

/// Plays all cases of a family over one server, in both protocols.
fn play(stage: &Stage, cases: &str) -> Result<()> {
    let server = stage.start()?;
    let mut faults = Vec::new();
    for case in script::parse(cases)? {
        for protocol in [script::Protocol::Resp2, script::Protocol::Resp3] {
            if let Err(fault) = case.play(&server, protocol) {
                faults.push(format!("{} ({protocol:?}): {fault:#}", case.name));
            }
        }
    }
    if !faults.is_empty() {
        bail!("{} cases fail:\n{}", faults.len(), faults.join("\n"));
    }
    Ok(())
}

fn strings_reply_as_written(stage: &Stage) -> Result<()> {
    play(stage, strings::CASES)
}

fn keys_reply_as_written(stage: &Stage) -> Result<()> {
    play(stage, keys::CASES)
}

fn lists_reply_as_written(stage: &Stage) -> Result<()> {
    play(stage, lists::CASES)
}

fn hashes_reply_as_written(stage: &Stage) -> Result<()> {
    play(stage, hashes::CASES)
}

fn sets_reply_as_written(stage: &Stage) -> Result<()> {
    play(stage, sets::CASES)
}

fn sorted_sets_reply_as_written(stage: &Stage) -> Result<()> {
    play(stage, zsets::CASES)?;
    play(stage, zsets::ranges::CASES)?;
    play(stage, zsets::several::CASES)
}

fn sorting_replies_as_written(stage: &Stage) -> Result<()> {
    play(stage, sorting::CASES)
}

fn transactions_reply_as_written(stage: &Stage) -> Result<()> {
    play(stage, transactions::CASES)
}

fn scripts_reply_as_written(stage: &Stage) -> Result<()> {
    play(stage, scripting::CASES)
}

fn pubsub_replies_as_written(stage: &Stage) -> Result<()> {
    play(stage, pubsub::CASES)
}

fn keyspace_events_are_those_written(stage: &Stage) -> Result<()> {
    play(stage, events::CASES)
}

fn connections_reply_as_written(stage: &Stage) -> Result<()> {
    play(stage, connection::CASES)
}

fn the_server_replies_as_written(stage: &Stage) -> Result<()> {
    play(stage, server::CASES)
}

each_poller!(
    strings_reply_as_written,
    keys_reply_as_written,
    lists_reply_as_written,
    hashes_reply_as_written,
    sets_reply_as_written,
    sorted_sets_reply_as_written,
    sorting_replies_as_written,
    transactions_reply_as_written,
    scripts_reply_as_written,
    pubsub_replies_as_written,
    keyspace_events_are_those_written,
    connections_reply_as_written,
    the_server_replies_as_written,
);
