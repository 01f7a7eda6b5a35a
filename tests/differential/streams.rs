//! Seeded streams by group of commands.

use anyhow::{Result, ensure};
use dovetail_tests::duel::Duel;
use dovetail_tests::each_poller;
use dovetail_tests::generate::{Family, Plan};
use dovetail_tests::stage::{Stage, is_long};

/// How many commands one stream has by default.
const COMMANDS: usize = 6_000;
/// How many streams a long run makes of each kind.
const LONG: u64 = 25;

fn fight(stage: &Stage, families: &[Family], listeners: usize) -> Result<()> {
    fight_with(stage, &[], families, listeners)
}

fn fight_with(
    stage: &Stage,
    options: &[(&str, &str)],
    families: &[Family],
    listeners: usize,
) -> Result<()> {
    let mut duel = Duel::start(stage, options)?;
    // Another seed per poller, so that a run of all four sees four streams.
    let base = stage
        .name()
        .bytes()
        .fold(7_u64, |sum, byte| sum * 31 + u64::from(byte));
    let rounds = if is_long() { LONG } else { 1 };
    for round in 0..rounds {
        duel.fight(&Plan {
            seed: base.wrapping_add(round * 1_000_003),
            families: families.to_vec(),
            commands: COMMANDS,
            talkers: 3,
            listeners,
        })?;
    }
    Ok(())
}

fn strings_answer_as_the_oracle_does(stage: &Stage) -> Result<()> {
    fight(stage, &[Family::Strings], 0)
}

fn keys_answer_as_the_oracle_does(stage: &Stage) -> Result<()> {
    fight(stage, &[Family::Keys, Family::Strings], 0)
}

fn transactions_answer_as_the_oracle_does(stage: &Stage) -> Result<()> {
    fight(
        stage,
        &[Family::Transactions, Family::Strings, Family::Keys],
        0,
    )
}

fn scripts_answer_as_the_oracle_does(stage: &Stage) -> Result<()> {
    fight(stage, &[Family::Scripts, Family::Transactions], 0)
}

fn pubsub_answers_as_the_oracle_does(stage: &Stage) -> Result<()> {
    fight(stage, &[Family::Pubsub], 3)
}

fn connections_answer_as_the_oracle_does(stage: &Stage) -> Result<()> {
    fight(stage, &[Family::Connection], 0)
}

fn the_server_answers_as_the_oracle_does(stage: &Stage) -> Result<()> {
    fight(stage, &[Family::Server], 0)
}

fn expiry_answers_as_the_oracle_does(stage: &Stage) -> Result<()> {
    fight(stage, &[Family::Expiry], 0)
}

/// With so much time that it is watched before it expires, however busy the machine.
fn a_watched_key_that_expires_answers_as_the_oracle_does(stage: &Stage) -> Result<()> {
    let duel = Duel::start(stage, &[])?;
    let mut pair = duel.pair()?;
    let mut same = |line: &str| pair.same(&line.split(' ').map(Vec::from).collect::<Vec<_>>());
    for line in ["SET k 5 PX 900", "WATCH k", "DEBUG SLEEP 1", "MULTI"] {
        same(line)?;
    }
    same("PING")?;
    let aborted = same("EXEC")?;
    ensure!(aborted.is_null(), "aborted, not {}", aborted.text());
    same("GET k").map(drop)
}

fn keyspace_events_are_those_of_the_oracle(stage: &Stage) -> Result<()> {
    let options = [("notify-keyspace-events", "KEAmn")];
    fight_with(stage, &options, &[Family::Strings, Family::Keys], 2)
}

fn lists_answer_as_the_oracle_does(stage: &Stage) -> Result<()> {
    fight(stage, &[Family::Lists], 0)
}

fn hashes_answer_as_the_oracle_does(stage: &Stage) -> Result<()> {
    fight(stage, &[Family::Hashes], 0)
}

fn sets_answer_as_the_oracle_does(stage: &Stage) -> Result<()> {
    fight(stage, &[Family::Sets], 0)
}

fn sorted_sets_answer_as_the_oracle_does(stage: &Stage) -> Result<()> {
    fight(stage, &[Family::SortedSets], 0)
}

fn sorting_answers_as_the_oracle_does(stage: &Stage) -> Result<()> {
    fight(stage, &[Family::Sorting], 0)
}

fn mixed_types_answer_as_the_oracle_does(stage: &Stage) -> Result<()> {
    fight(stage, &[Family::Mixed], 0)
}

fn collections_in_transactions_answer_as_the_oracle_does(stage: &Stage) -> Result<()> {
    use Family::{Hashes, Keys, Lists, Mixed, Sets, SortedSets, Sorting, Transactions};
    let all = [
        Transactions,
        Keys,
        Lists,
        Hashes,
        Sets,
        SortedSets,
        Sorting,
        Mixed,
    ];
    fight(stage, &all, 0)
}

/// Without misses: SORT looks for its weights in the order of a set, which is none.
fn events_of_collections_are_those_of_the_oracle(stage: &Stage) -> Result<()> {
    use Family::{Hashes, Lists, Mixed, Sets, SortedSets, Sorting};
    let options = [("notify-keyspace-events", "KEAn")];
    let all = [Lists, Hashes, Sets, SortedSets, Sorting, Mixed];
    fight_with(stage, &options, &all, 2)
}

fn everything_together_answers_as_the_oracle_does(stage: &Stage) -> Result<()> {
    use Family::{Connection, Keys, Pubsub, Server, Strings, Transactions};
    fight(
        stage,
        &[Strings, Keys, Transactions, Pubsub, Connection, Server],
        2,
    )
}

each_poller!(
    strings_answer_as_the_oracle_does,
    keys_answer_as_the_oracle_does,
    transactions_answer_as_the_oracle_does,
    scripts_answer_as_the_oracle_does,
    pubsub_answers_as_the_oracle_does,
    connections_answer_as_the_oracle_does,
    the_server_answers_as_the_oracle_does,
    expiry_answers_as_the_oracle_does,
    a_watched_key_that_expires_answers_as_the_oracle_does,
    keyspace_events_are_those_of_the_oracle,
    lists_answer_as_the_oracle_does,
    hashes_answer_as_the_oracle_does,
    sets_answer_as_the_oracle_does,
    sorted_sets_answer_as_the_oracle_does,
    sorting_answers_as_the_oracle_does,
    mixed_types_answer_as_the_oracle_does,
    collections_in_transactions_answer_as_the_oracle_does,
    events_of_collections_are_those_of_the_oracle,
    everything_together_answers_as_the_oracle_does,
);
