//! The table checks itself: what must hold of every row.

use super::*;
use crate::command::keys::legacy_range;
use crate::command::spec::{Find, Flags};
use crate::commands::FAMILIES;

#[test]
fn every_command_is_found_in_any_case() {
    let table = CommandTable::new(FAMILIES);
    for (id, row) in table.rows() {
        assert_eq!(table.find_full(row.full_name.as_bytes()), Some(id));
        assert_eq!(
            table.find_full(row.full_name.to_uppercase().as_bytes()),
            Some(id)
        );
    }
    assert_eq!(table.find(b"nosuch"), None);
}

#[test]
fn every_row_is_complete() {
    let table = CommandTable::new(FAMILIES);
    for (_, row) in table.rows() {
        let (name, spec) = (&row.full_name, row.spec);
        assert_eq!(spec.name, spec.name.to_lowercase(), "{name}");
        assert!(!spec.summary.is_empty(), "{name} has no summary");
        assert!(!spec.since.is_empty(), "{name} has no version");
        assert!(!spec.cost.is_empty(), "{name} has no cost");
        assert_ne!(spec.arity, 0, "{name} has no arity");
        let writes_nowhere = spec.flags.has(Flags::WRITE) && spec.keys.is_empty();
        let on_all_keys = [
            "flushall",
            "flushdb",
            "swapdb",
            "restore-asking",
            "function",
        ];
        let is_excused = on_all_keys.iter().any(|excused| name.starts_with(excused));
        assert!(
            !writes_nowhere || is_excused,
            "{name} writes, and names no keys"
        );
        let both = spec.flags.has(Flags::WRITE) && spec.flags.has(Flags::READONLY);
        assert!(!both, "{name} reads only and writes");
    }
}

#[test]
fn a_renamed_command_answers_to_its_new_name_only() {
    let mut table = CommandTable::new(FAMILIES);
    let id = table.find(b"get");
    table.rename("GET", "fetch").unwrap();
    assert_eq!((table.find(b"get"), table.find(b"FETCH")), (None, id));
    table.rename("set", "").unwrap();
    assert_eq!(table.find(b"set"), None);
    assert!(table.rename("nosuch", "x").is_err());
    assert!(table.rename("incr", "fetch").is_err());
}

#[test]
fn counted_keys_start_behind_their_count() {
    let table = CommandTable::new(FAMILIES);
    for (_, row) in table.rows() {
        for keys in row.spec.keys {
            if let Find::KeyNum { count, first, .. } = keys.find {
                assert!(first > count, "{}", row.full_name);
            }
        }
    }
}

/// What real servers answer to COMMAND INFO: name; arity; flags; first key, last key, step;
/// categories; tips.
const FACTS: &str = include_str!("facts.txt");

/// Flags on which servers of the two lines differ, or that they do not show.
const NOT_COMPARED: Flags = Flags::ALLOW_BUSY
    .and(Flags::NO_MULTI)
    .and(Flags::MAY_REPLICATE);

/// A row in the form of a line of [`FACTS`].
fn facts_of(row: &Row) -> String {
    let sorted = |mut words: Vec<&str>| {
        words.sort_unstable();
        words.join(" ")
    };
    let (first, last, step) = legacy_range(row.spec).unwrap_or_default();
    let flags = sorted(row.flags.without(NOT_COMPARED).names().collect());
    let categories = sorted(row.spec.all_categories().names().collect());
    let tips = sorted(row.spec.tips.to_vec());
    let (name, arity) = (&row.full_name, row.spec.arity);
    format!("{name};{arity};{flags};{first},{last},{step};{categories};{tips}")
}

/// Proxies and access lists are built on these facts.
#[test]
fn rows_agree_with_real_servers() {
    let without = |line: &str| {
        let mut fields: Vec<String> = line.split(';').map(str::to_owned).collect();
        let shown = |flag: &&str| !NOT_COMPARED.names().any(|name| name == *flag);
        fields[2] = fields[2]
            .split(' ')
            .filter(shown)
            .collect::<Vec<_>>()
            .join(" ");
        fields.join(";")
    };
    let table = CommandTable::new(FAMILIES);
    let mut differences = Vec::new();
    for line in FACTS.lines().map(without) {
        let name = line.split(';').next().unwrap_or_default();
        if let Some(id) = table.find_full(name.as_bytes()) {
            let ours = facts_of(table.row(id));
            if ours != line {
                differences.push(format!("theirs {line}\n  ours {ours}"));
            }
        }
    }
    assert!(differences.is_empty(), "{}", differences.join("\n"));
}
