//! What COMMAND tells about the commands that both have.

use anyhow::{Context, Result, bail};
use dovetail_tests::compare::sorted;
use dovetail_tests::duel::Duel;
use dovetail_tests::generate::words;
use dovetail_tests::{Stage, Value, each_poller, scope};

/// A field of COMMAND INFO that is wanted otherwise than Redis 7.0 has it.
struct Wanted {
    command: &'static str,
    field: &'static str,
    value: &'static [&'static str],
}

/// What changed up to 7.2: Redis 8.0 and Valkey 9.1 agree on all of them.
const WANTED: &[Wanted] = &[
    Wanted {
        command: "msetnx",
        field: "tips",
        value: &[],
    },
    Wanted {
        command: "randomkey",
        field: "tips",
        value: &[
            "nondeterministic_output",
            "request_policy:all_shards",
            "response_policy:special",
        ],
    },
    Wanted {
        command: "scan",
        field: "tips",
        value: &[
            "nondeterministic_output",
            "request_policy:special",
            "response_policy:special",
        ],
    },
    Wanted {
        command: "wait",
        field: "flags",
        value: &["blocking"],
    },
    Wanted {
        command: "wait",
        field: "categories",
        value: &["@blocking", "@connection", "@slow"],
    },
    Wanted {
        command: "client|setname",
        field: "tips",
        value: ALL_NODES,
    },
    Wanted {
        command: "config|resetstat",
        field: "tips",
        value: ALL_NODES,
    },
    Wanted {
        command: "config|rewrite",
        field: "tips",
        value: ALL_NODES,
    },
    Wanted {
        command: "latency|reset",
        field: "tips",
        value: &["request_policy:all_nodes", "response_policy:agg_sum"],
    },
    Wanted {
        command: "command|getkeys",
        field: "arity",
        value: &["-3"],
    },
    Wanted {
        command: "command|getkeysandflags",
        field: "arity",
        value: &["-3"],
    },
];

/// Flags of Valkey 9 that the subject may have and 7.2 has not: usable while a script runs, and not
/// usable in a transaction (where 7.2 refuses them by hand, with the same reply).
const NEWER_FLAGS: &[(&str, &str)] = &[
    ("multi", "+no_multi"),
    ("watch", "+no_multi"),
    ("client|reply", "+no_multi"),
    ("client|reply", "+allow_busy"),
    ("client|getname", "+allow_busy"),
    ("client|setname", "+allow_busy"),
    ("client|no-evict", "+allow_busy"),
    ("client|id", "+allow_busy"),
    ("select", "+allow_busy"),
    ("memory|malloc-stats", "+loading"),
    ("memory|purge", "+loading"),
];

const ALL_NODES: &[&str] = &["request_policy:all_nodes", "response_policy:all_succeeded"];

const FIELDS: [&str; 9] = [
    "name",
    "arity",
    "flags",
    "first",
    "last",
    "step",
    "categories",
    "tips",
    "keys",
];

/// Compares the entry of one command, then those of the subcommands that both have.
fn compare(ours: &Value, theirs: &Value, faults: &mut Vec<String>) -> Result<()> {
    let theirs = theirs.items().context("the oracle's entry is no array")?;
    let name = theirs[0].text();
    let Some(ours) = ours.items().filter(|entry| entry.len() == theirs.len()) else {
        faults.push(format!("{name}: {ours}"));
        return Ok(());
    };
    for (at, field) in FIELDS.iter().enumerate() {
        let (mut got, want) = (plain(field, &ours[at]), wanted(&name, field, &theirs[at]));
        if *field == "flags" {
            got.retain(|flag| want.contains(flag) || !is_newer(&name, flag));
        }
        if got != want {
            faults.push(format!(
                "{name} {field}:\n got {}\nwant {}",
                show(&got),
                show(&want)
            ));
        }
    }
    let our_subs = ours[9].items().unwrap_or_default();
    for sub in theirs[9].items().unwrap_or_default() {
        let sub_name = first(&sub);
        if scope::LATER.contains(&sub_name.text().as_str()) {
            continue;
        }
        match our_subs.iter().find(|ours| first(ours) == sub_name) {
            Some(ours) => compare(ours, &sub, faults)?,
            None => faults.push(format!("{} is missing", sub_name.text())),
        }
    }
    Ok(())
}

fn is_newer(command: &str, flag: &Value) -> bool {
    let flag = format!("+{}", flag.text());
    NEWER_FLAGS
        .iter()
        .any(|(name, newer)| *name == command && flag == *newer)
}

fn first(entry: &Value) -> Value {
    entry
        .items()
        .and_then(|fields| fields.first().cloned())
        .unwrap_or(Value::Null)
}

fn wanted(command: &str, field: &str, theirs: &Value) -> Vec<Value> {
    let row = WANTED
        .iter()
        .find(|row| row.command == command && row.field == field);
    match row {
        Some(row) if field == "arity" => row
            .value
            .iter()
            .filter_map(|text| text.parse().ok().map(Value::Integer))
            .collect(),
        Some(row) if field == "tips" => row.value.iter().map(|text| Value::bulk(text)).collect(),
        Some(row) => row
            .value
            .iter()
            .map(|text| Value::Simple(text.as_bytes().to_vec()))
            .collect(),
        None => plain(field, theirs),
    }
}

/// A field without what is free: the order in sets, and the notes of key specs.
fn plain(field: &str, value: &Value) -> Vec<Value> {
    match field {
        "flags" | "categories" | "tips" => sorted(value),
        "keys" => value
            .items()
            .unwrap_or_default()
            .iter()
            .flat_map(key_spec)
            .collect(),
        _ => vec![value.clone()],
    }
}

fn key_spec(spec: &Value) -> Vec<Value> {
    let fields = spec.items().unwrap_or_default();
    fields
        .chunks_exact(2)
        .filter(|pair| pair[0].text() != "notes")
        .flat_map(|pair| match pair[0].text().as_str() {
            "flags" => vec![pair[0].clone(), Value::Array(sorted(&pair[1]))],
            _ => pair.to_vec(),
        })
        .collect()
}

fn show(values: &[Value]) -> String {
    values
        .iter()
        .map(Value::to_string)
        .collect::<Vec<_>>()
        .join(" ")
}

fn command_info_tells_what_the_oracle_tells(stage: &Stage) -> Result<()> {
    let duel = Duel::start(stage, &[])?;
    let mut pair = duel.pair()?;
    let mut faults = Vec::new();
    for hello in ["HELLO 2", "HELLO 3"] {
        pair.same(&words(hello))?;
        for name in scope::COMMANDS {
            let (ours, theirs) = pair.both(&words(&format!("COMMAND INFO {name}")))?;
            compare(&first(&ours), &first(&theirs), &mut faults)?;
        }
    }
    if !faults.is_empty() {
        bail!("{} differ:\n{}", faults.len(), faults.join("\n"));
    }
    Ok(())
}

fn keys_of_commands_are_found_where_the_oracle_finds_them(stage: &Stage) -> Result<()> {
    let duel = Duel::start(stage, &[])?;
    let mut pair = duel.pair()?;
    let lines = [
        "GET a",
        "SET a 1",
        "SET a 1 GET",
        "SET a 1 NX GET EX 5",
        "MSET a 1 b 2",
        "MSET a 1 b",
        "MGET a b c",
        "DEL a b",
        "UNLINK a b",
        "EXISTS a a",
        "COPY a b",
        "COPY a b DB 1 REPLACE",
        "RENAME a b",
        "LCS a b LEN",
        "LCS a b",
        "GETEX a PERSIST",
        "GETDEL a",
        "WATCH a b",
        "OBJECT ENCODING a",
        "MEMORY USAGE a",
        "TOUCH a b c",
        "MOVE a 1",
        "EXPIRE a 1",
        "PING",
        "TIME",
        "SUBSCRIBE a",
        "SPUBLISH a b",
        "SSUBSCRIBE a b",
        "NOSUCH a",
        "GET",
        "SET a",
        "CONFIG GET a",
        "CONFIG NOSUCH a",
        "CLIENT ID",
        "PUBLISH a b",
        "APPEND a b",
        "MULTI",
    ];
    let mut faults = Vec::new();
    for line in lines {
        for verb in ["GETKEYS", "GETKEYSANDFLAGS"] {
            if let Err(fault) = pair.same(&words(&format!("COMMAND {verb} {line}"))) {
                faults.push(format!("{fault:#}"));
            }
        }
    }
    if !faults.is_empty() {
        bail!("{} differ:\n{}", faults.len(), faults.join("\n"));
    }
    Ok(())
}

fn command_list_filters_alike(stage: &Stage) -> Result<()> {
    let duel = Duel::start(stage, &[])?;
    let mut pair = duel.pair()?;
    for filter in [
        "PATTERN *",
        "PATTERN get*",
        "PATTERN *sub*",
        "ACLCAT transaction",
        "ACLCAT fast",
    ] {
        let (ours, theirs) = pair.both(&words(&format!("COMMAND LIST FILTERBY {filter}")))?;
        let shared = |value: &Value| -> Vec<String> {
            let names = sorted(value).iter().map(Value::text).collect::<Vec<_>>();
            names.into_iter().filter(|name| is_shared(name)).collect()
        };
        if shared(&ours) != shared(&theirs) {
            bail!(
                "{filter}:\n got {:?}\nwant {:?}",
                shared(&ours),
                shared(&theirs)
            );
        }
    }
    Ok(())
}

/// A top-level command of both, or a subcommand of one (patterns match those too).
fn is_shared(name: &str) -> bool {
    scope::COMMANDS.contains(&name)
}

each_poller!(
    command_info_tells_what_the_oracle_tells,
    keys_of_commands_are_found_where_the_oracle_finds_them,
    command_list_filters_alike,
);
