//! Random choices: whatever is drawn is there, is as much as was asked for, and, where it is taken
//! away, is gone afterwards. The oracle is held to the same, so that the property is the right one.

use std::collections::BTreeSet;

use anyhow::{Result, bail, ensure};
use dovetail_tests::duel::Duel;
use dovetail_tests::{Client, Stage, Value, each_poller};

/// Sizes below and above those at which encodings change.
const SIZES: [usize; 5] = [1, 7, 128, 200, 700];

/// How many to draw; negative: one element may be drawn several times.
const COUNTS: [i64; 9] = [0, 1, 5, 60, 150, 5_000, -1, -40, -300];

/// Members of one kind: numbers, short words, or long ones.
fn members(kind: usize, size: usize) -> Vec<String> {
    let name = |number: usize| match kind {
        0 => number.to_string(),
        1 => format!("m{number}"),
        _ => format!("{number}:{}", "x".repeat(80)),
    };
    (0..size).map(name).collect()
}

fn texts(value: &Value) -> Vec<String> {
    let items = value.items().unwrap_or_default();
    items.iter().map(Value::text).collect()
}

/// What was drawn is of `all`, as many as asked for, and each once unless `count` is negative.
fn judge(drawn: &[String], all: &[String], count: i64) -> Result<()> {
    let all: BTreeSet<&String> = all.iter().collect();
    let unique: BTreeSet<&String> = drawn.iter().collect();
    let asked = usize::try_from(count.unsigned_abs())?;
    let wanted = if count < 0 {
        asked
    } else {
        asked.min(all.len())
    };
    ensure!(
        drawn.len() == wanted,
        "{} drawn, want {wanted}",
        drawn.len()
    );
    ensure!(unique.is_subset(&all), "drawn what is not there: {drawn:?}");
    if count >= 0 {
        ensure!(unique.len() == drawn.len(), "drawn twice: {drawn:?}");
    }
    Ok(())
}

/// Fills a set, a hash and a sorted set with the same members; the values are `v` and the member,
/// the scores the places.
fn fill(client: &mut Client, all: &[String]) -> Result<()> {
    client.call(&["DEL", "s", "h", "z"])?;
    let mut commands = [vec!["SADD", "s"], vec!["HSET", "h"], vec!["ZADD", "z"]].map(|words| {
        words
            .iter()
            .map(|&word| word.to_owned())
            .collect::<Vec<_>>()
    });
    for (place, member) in all.iter().enumerate() {
        commands[0].push(member.clone());
        commands[1].extend([member.clone(), format!("v{member}")]);
        commands[2].extend([place.to_string(), member.clone()]);
    }
    for command in &commands {
        ensure!(client.call(command)?.integer().is_some(), "filling fails");
    }
    Ok(())
}

fn draws_of(client: &mut Client, all: &[String]) -> Result<()> {
    for count in COUNTS {
        let text = count.to_string();
        for command in ["SRANDMEMBER s", "HRANDFIELD h", "ZRANDMEMBER z"] {
            let reply = client.say(&format!("{command} {text}"))?;
            judge(&texts(&reply), all, count)?;
            let one = client.say(command)?;
            judge(&[one.text()], all, 1)?;
        }
        let pairs = texts(&client.say(&format!("HRANDFIELD h {text} WITHVALUES"))?);
        for pair in pairs.chunks(2) {
            ensure!(pair[1] == format!("v{}", pair[0]), "{pair:?}");
        }
        let fields: Vec<String> = pairs.into_iter().step_by(2).collect();
        judge(&fields, all, count)?;
        let pairs = texts(&client.say(&format!("ZRANDMEMBER z {text} WITHSCORES"))?);
        for pair in pairs.chunks(2) {
            let place: usize = pair[1].parse()?;
            ensure!(all.get(place) == Some(&pair[0]), "{pair:?}");
        }
        let drawn: Vec<String> = pairs.into_iter().step_by(2).collect();
        judge(&drawn, all, count)?;
    }
    Ok(())
}

/// Pops until nothing is left: everything comes out once.
fn pops_of(client: &mut Client, all: &[String], count: usize) -> Result<()> {
    let mut left: Vec<String> = all.to_vec();
    while !left.is_empty() {
        let reply = client.say(&format!("SPOP s {count}"))?;
        let drawn = texts(&reply);
        judge(&drawn, &left, i64::try_from(count)?)?;
        left.retain(|member| !drawn.contains(member));
        let rest: BTreeSet<String> = texts(&client.say("SMEMBERS s")?).into_iter().collect();
        ensure!(
            rest == left.iter().cloned().collect(),
            "SPOP leaves {rest:?}"
        );
    }
    client.expect("EXISTS s", ":0\r\n")
}

fn choices_are_of_what_is_there(stage: &Stage) -> Result<()> {
    let duel = Duel::start(stage, &[])?;
    let mut pair = duel.pair()?;
    for client in [&mut pair.subject, &mut pair.oracle] {
        for size in SIZES {
            for kind in 0..3 {
                let all = members(kind, size);
                fill(client, &all)?;
                draws_of(client, &all)?;
                pops_of(client, &all, size.div_ceil(4))?;
            }
        }
    }
    Ok(())
}

/// With a thousand draws of one in ten, all of them come up: the chance of a miss is 1e-45.
fn every_member_has_its_chance(stage: &Stage) -> Result<()> {
    let server = stage.start()?;
    let mut client = server.client()?;
    for kind in 0..3 {
        let all = members(kind, 10);
        fill(&mut client, &all)?;
        for command in ["SRANDMEMBER s", "HRANDFIELD h", "ZRANDMEMBER z"] {
            let drawn: BTreeSet<String> = texts(&client.say(&format!("{command} -1000"))?)
                .into_iter()
                .collect();
            if drawn.len() != all.len() {
                bail!("{command}: of ten, only {drawn:?} ever come up");
            }
        }
    }
    Ok(())
}

#[test]
fn a_wrong_draw_is_noticed() {
    let all = members(1, 5);
    let drawn = |names: &[&str]| {
        names
            .iter()
            .map(|&name| name.to_owned())
            .collect::<Vec<_>>()
    };
    assert!(judge(&drawn(&["m1", "m4"]), &all, 2).is_ok());
    assert!(judge(&drawn(&["m1", "m1"]), &all, -2).is_ok());
    assert!(judge(&drawn(&["m1", "m1"]), &all, 2).is_err());
    assert!(judge(&drawn(&["m1"]), &all, 2).is_err());
    assert!(judge(&drawn(&["m9", "m1"]), &all, 2).is_err());
}

each_poller!(choices_are_of_what_is_there, every_member_has_its_chance);
