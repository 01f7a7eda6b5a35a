//! The table as a whole, CONFIG GET and SET, files, and rewriting.

use super::*;
use std::collections::BTreeMap;

mod files;
mod rewriting;
mod values;

/// What CONFIG GET * of redis-server 7.0.15 lists.
const REDIS_7_0_NAMES: &str = include_str!("redis-7.0-names.txt");

fn set(config: &mut Config, name: &str, value: &str) -> Result<Changes, SetError> {
    config.set(&[(name.as_bytes(), value.as_bytes())], Locality::Local)
}

fn value_of(config: &Config, name: &str) -> String {
    let found = config.get(&[name.as_bytes()]);
    assert_eq!(found.len(), 1, "{name}");
    String::from_utf8(found[0].1.clone()).unwrap()
}

#[test]
fn names_are_unique_and_in_lower_case() {
    let mut names: Vec<_> = all().flat_map(Directive::names).collect();
    names.sort_unstable();
    let count = names.len();
    names.dedup();
    assert_eq!(names.len(), count);
    assert!(names.iter().all(|name| name.to_ascii_lowercase() == **name));
}

#[test]
fn every_name_finds_its_row_in_any_case() {
    for row in all() {
        for name in row.names() {
            let (known, found) = find(name.to_uppercase().as_bytes()).unwrap();
            assert_eq!((known, found.name), (name, row.name));
        }
    }
}

#[test]
fn every_directive_is_documented_in_sentences() {
    for row in all() {
        let doc = row.doc.concat();
        assert!(doc.ends_with('.') && doc.len() > 15, "{}", row.name);
        assert!(
            row.doc
                .iter()
                .all(|line| line.starts_with(' ') && line.is_ascii()),
            "{doc}"
        );
    }
}

#[test]
fn redis_7_0_has_no_directive_that_is_missing() {
    let config = Config::default();
    let found = config.get(&[b"*"]);
    let names: Vec<_> = found
        .iter()
        .map(|(name, _)| str::from_utf8(name).unwrap())
        .collect();
    for name in REDIS_7_0_NAMES.lines() {
        assert!(names.contains(&name), "{name}");
    }
    assert!(names.is_sorted() && names.len() > 240);
}

#[test]
fn defaults_read_back_as_they_are_shown_and_as_they_are_written() {
    let default = Config::default();
    for row in all().filter(|row| row.visibility != Visibility::FileOnly) {
        let value = row.value(&default);
        if row.name != "replicaof" {
            let mut config = Config::default();
            row.set(&mut config, &[&value], Source::Client).unwrap();
            assert!(row.same(&config, &default), "{}", row.name);
        }
        let mut config = Config::default();
        for (index, line) in row.lines(&default, &default).iter().enumerate() {
            let words = text::split(&line.value).unwrap();
            let words: Vec<_> = words.iter().map(Vec::as_slice).collect();
            let source = if index == 0 {
                Source::FirstLine
            } else {
                Source::LaterLine
            };
            row.set(&mut config, &words, source).unwrap();
        }
        assert!(row.same(&config, &default), "{}", row.name);
    }
}

#[test]
fn numbers_keep_both_ends_of_their_range() {
    for row in all() {
        let ends = match row.kind {
            Kind::Int { low, high } => [low.to_string(), high.to_string()],
            Kind::Memory { low, high } => [low.to_string(), high.to_string()],
            Kind::SignedMemory => ["-1".to_owned(), i64::MAX.to_string()],
            _ => continue,
        };
        for end in ends {
            let mut config = Config::default();
            row.set(&mut config, &[end.as_bytes()], Source::Client)
                .unwrap();
            assert_eq!(row.value(&config), end.as_bytes(), "{}", row.name);
        }
    }
}

#[test]
fn every_choice_takes_all_of_its_words() {
    for row in all() {
        let (Kind::Choice(words) | Kind::Choices(words)) = row.kind else {
            continue;
        };
        for word in words {
            let mut config = Config::default();
            row.set(&mut config, &[word.as_bytes()], Source::Client)
                .unwrap();
            assert_eq!(row.value(&config), word.as_bytes(), "{}", row.name);
        }
    }
}

#[test]
fn aliases_set_and_show_the_same_value() {
    for (alias, name, value) in [
        ("slave-read-only", "replica-read-only", "no"),
        ("lua-time-limit", "busy-reply-threshold", "7"),
        ("hash-max-ziplist-entries", "hash-max-listpack-entries", "8"),
        (
            "commandlog-execution-slower-than",
            "slowlog-log-slower-than",
            "9",
        ),
        ("primaryauth", "masterauth", "p"),
    ] {
        let mut config = Config::default();
        set(&mut config, alias, value).unwrap();
        assert_eq!(value_of(&config, name), value);
        assert_eq!(value_of(&config, alias), value);
    }
}

#[test]
fn get_shows_names_as_asked_and_each_once() {
    let config = Config::default();
    let names = |patterns: &[&str]| {
        let patterns: Vec<_> = patterns.iter().map(|pattern| pattern.as_bytes()).collect();
        let found = config.get(&patterns).into_iter();
        found
            .map(|(name, _)| String::from_utf8(name).unwrap())
            .collect::<Vec<_>>()
    };
    assert_eq!(names(&["MAXMEMORY", "maxmemory"]), ["MAXMEMORY"]);
    assert_eq!(
        names(&["*-read-only"]),
        ["replica-read-only", "slave-read-only"]
    );
    assert_eq!(names(&["save", "port"]), ["port", "save"]);
    assert_eq!(names(&["Max[m-n]emory-Pol?cy"]), ["maxmemory-policy"]);
    assert_eq!(names(&["maxmemor\\y"]), Vec::<String>::new());
    assert_eq!(names(&["user", "include", "nosuch"]), Vec::<String>::new());
}

#[test]
fn hidden_directives_show_by_exact_name_only() {
    let config = Config::default();
    assert_eq!(config.get(&[b"watchdog*"]), []);
    assert_eq!(
        config.get(&[b"watchdog-period"]),
        [(b"watchdog-period".to_vec(), b"0".to_vec())]
    );
}

#[test]
fn set_is_all_or_nothing() {
    let mut config = Config::default();
    let pairs: [(&[u8], &[u8]); 2] = [(b"timeout", b"5"), (b"HZ", b"abc")];
    let error = config.set(&pairs, Locality::Local).unwrap_err();
    assert_eq!(
        error.to_string(),
        "CONFIG SET failed (possibly related to argument 'hz') - argument couldn't be parsed \
         into an integer"
    );
    assert_eq!(config, Config::default());
}

#[test]
fn names_are_judged_before_values_and_in_order() {
    let fail = |pairs: &[(&str, &str)]| {
        let pairs: Vec<_> = pairs
            .iter()
            .map(|(n, v)| (n.as_bytes(), v.as_bytes()))
            .collect();
        Config::default()
            .set(&pairs, Locality::Local)
            .unwrap_err()
            .to_string()
    };
    let failed = |name, reason| {
        format!("CONFIG SET failed (possibly related to argument '{name}') - {reason}")
    };
    let unknown = "Unknown option or number of arguments for CONFIG SET - 'NoSuch'";
    assert_eq!(fail(&[("maxmemory", "x"), ("NoSuch", "1")]), unknown);
    assert_eq!(fail(&[("NoSuch", "1"), ("daemonize", "yes")]), unknown);
    assert_eq!(
        fail(&[("maxmemory", "x"), ("daemonize", "yes"), ("NoSuch", "1")]),
        failed("daemonize", "can't set immutable config")
    );
    assert_eq!(
        fail(&[("dir", "/")]),
        failed("dir", "can't set protected config")
    );
    assert_eq!(
        fail(&[("hz", "x"), ("hz", "y")]),
        failed("hz", "duplicate parameter")
    );
    assert_eq!(
        fail(&[("rename-command", "a")]),
        unknown.replace("NoSuch", "rename-command")
    );
}

#[test]
fn an_alias_is_not_a_duplicate_and_the_last_one_wins() {
    let mut config = Config::default();
    let pairs: [(&[u8], &[u8]); 2] = [(b"slave-read-only", b"yes"), (b"replica-read-only", b"no")];
    config.set(&pairs, Locality::Local).unwrap();
    assert!(!config.replication.replica_read_only);
}

#[test]
fn protected_directives_open_as_permission_allows() {
    for (permission, locality, open) in [
        (Permission::No, Locality::Local, false),
        (Permission::Local, Locality::Local, true),
        (Permission::Local, Locality::Remote, false),
        (Permission::Yes, Locality::Remote, true),
    ] {
        let mut config = Config::default();
        config.security.enable_protected_configs = permission;
        assert_eq!(config.set(&[(b"dir", b"/tmp")], locality).is_ok(), open);
    }
}

#[test]
fn changes_name_what_differs_and_can_be_taken_back() {
    let mut config = Config::default();
    let pairs: [(&[u8], &[u8]); 2] = [(b"timeout", b"5"), (b"hz", b"10")];
    let changes = config.set(&pairs, Locality::Local).unwrap();
    assert!(changes.contains("timeout") && !changes.contains("hz") && !changes.is_empty());
    assert_eq!(
        changes.iter().map(|(name, _)| name).collect::<Vec<_>>(),
        ["timeout"]
    );
    assert_eq!(
        (
            config.network.timeout_secs,
            changes.before().network.timeout_secs
        ),
        (5, 0)
    );
    changes.take_back(&mut config);
    assert_eq!(config, Config::default());
}

#[test]
fn secrets_do_not_show_in_debug_output() {
    let mut config = Config::default();
    set(&mut config, "requirepass", "open sesame").unwrap();
    assert_eq!(config.security.requirepass.expose(), b"open sesame");
    assert!(!format!("{config:?}").contains("sesame"));
}

#[test]
fn settings_without_effect_are_reported() {
    let mut config = Config::default();
    assert!(config.without_effect().is_empty());
    set(&mut config, "cluster-node-timeout", "5").unwrap();
    set(&mut config, "timeout", "5").unwrap();
    let names: Vec<_> = config.without_effect().iter().map(|row| row.name).collect();
    assert_eq!(names, ["cluster-node-timeout"]);
}

#[test]
fn generated_files_are_up_to_date() {
    let root = concat!(env!("CARGO_MANIFEST_DIR"), "/..");
    for (path, text) in [
        ("dovetail.conf", render_default_conf()),
        ("docs/config.md", render_markdown()),
    ] {
        let found = std::fs::read_to_string(format!("{root}/{path}")).unwrap_or_default();
        assert!(
            found == text,
            "{path} is not what the table says: run `cargo x docs`"
        );
        assert!(text.is_ascii(), "{path}");
    }
}
