//! Too few and too many arguments, for every command and subcommand there is.

use anyhow::{Context, Result, bail};
use dovetail_tests::duel::Duel;
use dovetail_tests::generate::Command;
use dovetail_tests::{Stage, Value, each_poller, scope};

/// Name and arity of a command and of its subcommands, as the oracle's COMMAND INFO tells them.
fn arities(info: &Value, out: &mut Vec<(String, i64)>) -> Result<()> {
    let fields = info
        .items()
        .with_context(|| format!("COMMAND INFO answered {info}"))?;
    let (Some(name), Some(arity)) = (fields.first(), fields.get(1).and_then(Value::integer)) else {
        bail!("COMMAND INFO answered {info}");
    };
    out.push((name.text(), arity));
    for sub in fields.get(9).and_then(Value::items).unwrap_or_default() {
        arities(&sub, out)?;
    }
    Ok(())
}

/// COMMAND GETKEYS takes one word less than it did in 7.0.
fn too_few(name: &str, arity: i64) -> i64 {
    let since = if name.starts_with("command|getkeys") {
        2
    } else {
        1
    };
    arity.abs() - since
}

fn command(name: &str, length: i64) -> Command {
    let mut words: Command = name
        .split('|')
        .map(|word| word.as_bytes().to_vec())
        .collect();
    while i64::try_from(words.len()).is_ok_and(|have| have < length) {
        words.push(b"1".to_vec());
    }
    words
}

fn wrong_numbers_of_arguments_get_the_same_error(stage: &Stage) -> Result<()> {
    let duel = Duel::start(stage, &[])?;
    let mut pair = duel.pair()?;
    let mut known = Vec::new();
    for name in scope::COMMANDS {
        let info = pair.oracle.call(&["COMMAND", "INFO", name])?;
        let info = info.items().unwrap_or_default();
        arities(info.first().context("an empty COMMAND INFO")?, &mut known)?;
    }
    let later = |name: &str| scope::LATER.contains(&name);
    let mut faults = Vec::new();
    for (name, arity) in known.iter().filter(|(name, _)| !later(name)) {
        let words = i64::try_from(name.split('|').count())?;
        let lengths = [
            too_few(name, *arity),
            if *arity > 0 { arity + 1 } else { 0 },
        ];
        for length in lengths.into_iter().filter(|length| *length >= words) {
            if let Err(fault) = pair.same(&command(name, length)) {
                faults.push(format!("{fault:#}"));
            }
        }
    }
    if !faults.is_empty() {
        bail!("{} differ:\n{}", faults.len(), faults.join("\n"));
    }
    Ok(())
}

fn unknown_names_get_the_same_error(stage: &Stage) -> Result<()> {
    let duel = Duel::start(stage, &[])?;
    let mut pair = duel.pair()?;
    let long = "x".repeat(300);
    let mut commands: Vec<Command> = vec![
        vec![b"nosuch".to_vec()],
        vec![
            b"NoSuch".to_vec(),
            b"a".to_vec(),
            b"b b".to_vec(),
            b"c\r\nd".to_vec(),
        ],
        vec![
            long.clone().into_bytes(),
            long.clone().into_bytes(),
            b"tail".to_vec(),
        ],
        vec![
            b"nosuch".to_vec(),
            b"\x00\x01".to_vec(),
            b"'quoted'".to_vec(),
        ],
        vec![b"no\r\nsuch".to_vec()],
        vec![Vec::new()],
        vec![b"config|get".to_vec(), b"x".to_vec()],
    ];
    commands.push((0..60).map(|n| format!("nosuch{n}").into_bytes()).collect());
    for container in [
        "client", "command", "config", "latency", "memory", "object", "pubsub",
    ] {
        for sub in ["nosuch", "", "no\r\nsuch", &long] {
            commands.push(vec![container.into(), sub.into()]);
            commands.push(vec![container.into(), sub.into(), b"x".to_vec()]);
        }
    }
    for command in &commands {
        pair.same(command)?;
    }
    Ok(())
}

each_poller!(
    wrong_numbers_of_arguments_get_the_same_error,
    unknown_names_get_the_same_error
);
