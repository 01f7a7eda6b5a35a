//! Values: what is taken, how it shows, and why it is refused.

use super::super::setting::single;
use super::*;

/// Directive, refused value, reason.
const REFUSALS: &[(&str, &str, &str)] = &[
    (
        "timeout",
        "010",
        "argument couldn't be parsed into an integer",
    ),
    (
        "timeout",
        "-5",
        "argument must be between 0 and 2147483647 inclusive",
    ),
    (
        "maxclients",
        "0",
        "argument must be between 1 and 4294967295 inclusive",
    ),
    (
        "hz",
        "-1",
        "argument must be between 0 and 2147483647 inclusive",
    ),
    ("maxmemory", "1.5gb", "argument must be a memory value"),
    (
        "repl-backlog-size",
        "0",
        "argument must be between 1 and 9223372036854775807 inclusive",
    ),
    (
        "maxmemory-clients",
        "x",
        "argument must be a memory or percent value",
    ),
    (
        "maxmemory-clients",
        "-1%",
        "argument must be a memory or percent value",
    ),
    (
        "maxmemory-clients",
        "101%",
        "percentage argument must be less or equal to 100",
    ),
    ("rdbcompression", "1", "argument must be 'yes' or 'no'"),
    ("save", "900 1 300", "Invalid save parameters"),
    ("save", "0 1", "Invalid save parameters"),
    ("save", "  900   1  ", "Invalid save parameters"),
    (
        "client-output-buffer-limit",
        "normal 1 2",
        "Wrong number of arguments in buffer limit configuration.",
    ),
    (
        "client-output-buffer-limit",
        "master 1 2 3",
        "Invalid client class specified in buffer limit configuration.",
    ),
    (
        "client-output-buffer-limit",
        "normal 1 2 -3",
        "Error in hard, soft or soft_seconds setting in buffer limit configuration.",
    ),
    (
        "notify-keyspace-events",
        "y",
        "Invalid event class character. Use 'Ag$lshzxeKEtmdn'.",
    ),
    ("oom-score-adj-values", "1 2", "wrong number of arguments"),
    (
        "oom-score-adj-values",
        "3000 1 2",
        "Invalid oom-score-adj-values, elements must be between -2000 and 2000.",
    ),
    (
        "latency-tracking-info-percentiles",
        "a",
        "Invalid latency-tracking-info-percentiles parameters",
    ),
    (
        "latency-tracking-info-percentiles",
        "50 101",
        "latency-tracking-info-percentiles parameters should sit between [0.0,100.0]",
    ),
    (
        "shutdown-on-sigterm",
        "",
        "argument(s) must be one of the following: default, save, nosave, now, force",
    ),
    (
        "shutdown-on-sigterm",
        "save nosave",
        "shutdown options SAVE and NOSAVE can't be used simultaneously",
    ),
    (
        "proc-title-template",
        "{foo}",
        "template format is invalid or contains unknown variables",
    ),
    (
        "bind",
        "1 2 3 4 5 6 7 8 9 10 11 12 13 14 15 16 17",
        "Too many bind addresses specified.",
    ),
];

/// Directive, value set, value shown.
const SHOWN: &[(&str, &str, &str)] = &[
    ("maxmemory", "1KB", "1024"),
    ("maxmemory", "", "0"),
    ("hz", "501", "500"),
    ("hz", "0", "1"),
    ("rdbcompression", "NO", "no"),
    ("appendfsync", "ALWAYS", "always"),
    ("save", "", ""),
    ("save", "60 1000 900 1", "60 1000 900 1"),
    ("save", "+1 02", "1 2"),
    ("maxmemory-clients", "5%", "5%"),
    ("maxmemory-clients", "0%", "0"),
    ("maxmemory-clients", "1mb", "1048576"),
    ("notify-keyspace-events", "AKEmn", "AKEm"),
    (
        "latency-tracking-info-percentiles",
        "99.999 0.5 100 0 1e1",
        "99.999 0.5 100 0 10",
    ),
    (
        "latency-tracking-info-percentiles",
        "99.123456789",
        "99.123457",
    ),
    ("latency-tracking-info-percentiles", "", ""),
    ("shutdown-on-sigterm", "NOW save", "save now"),
    ("shutdown-on-sigterm", "default now", "now"),
    ("bind", "127.0.0.1 -::1", "127.0.0.1 -::1"),
    ("bind", "", ""),
    ("oom-score-adj-values", "300 +200 -100", "300 200 -100"),
    ("slot-migration-max-failover-repl-bytes", "-1", "-1"),
    (
        "client-output-buffer-limit",
        "",
        "normal 0 0 0 slave 268435456 67108864 60 pubsub 33554432 8388608 60",
    ),
    (
        "client-output-buffer-limit",
        "normal 1kb 2 3 Replica 4 5 6 normal 1 1 1",
        "normal 1 1 1 slave 4 5 6 pubsub 33554432 8388608 60",
    ),
];

/// The reason for which `value` is refused.
fn refusal(name: &str, value: &str) -> String {
    match set(&mut Config::default(), name, value) {
        Err(SetError::Failed { reason, .. }) => reason.to_string(),
        other => panic!("{name} {value}: {other:?}"),
    }
}

/// What CONFIG GET shows after `value` was set.
fn shown(name: &str, value: &str) -> String {
    let mut config = Config::default();
    set(&mut config, name, value).unwrap();
    value_of(&config, name)
}

#[test]
fn refusals_have_the_words_of_redis() {
    for (name, value, reason) in REFUSALS {
        assert_eq!(refusal(name, value), *reason, "{name} {value}");
    }
}

#[test]
fn values_show_as_redis_shows_them() {
    for (name, value, text) in SHOWN {
        assert_eq!(shown(name, value), *text, "{name} {value}");
    }
}

#[test]
fn permissions_of_the_unix_socket_are_octal() {
    let (_, row) = find(b"unixsocketperm").unwrap();
    let read = |value: &str| {
        let mut config = Config::default();
        let result = row.set(&mut config, &[value.as_bytes()], Source::FirstLine);
        result
            .map(|()| config.network.unixsocketperm)
            .map_err(|reason| reason.to_string())
    };
    assert_eq!(read("0770"), Ok(0o770));
    assert_eq!(
        read("888"),
        Err("argument couldn't be parsed as an octal number".to_owned())
    );
    assert_eq!(
        read("1777"),
        Err("argument must be between 0 and 777 inclusive".to_owned())
    );
}

#[test]
fn defragmentation_is_refused_to_clients_and_forgiven_to_files() {
    let reason = refusal("activedefrag", "yes");
    assert!(
        reason.starts_with("Active defragmentation cannot be enabled"),
        "{reason}"
    );
    let (_, row) = find(b"activedefrag").unwrap();
    assert_eq!(
        row.set(&mut Config::default(), &[b"yes"], Source::FirstLine),
        Ok(())
    );
}

#[test]
fn a_share_of_maxmemory_is_computed() {
    assert_eq!(MemoryOrPercent::Percent(5).bytes(1000), 50);
    assert_eq!(MemoryOrPercent::Bytes(7).bytes(1000), 7);
}

#[test]
fn a_single_word_is_exactly_one() {
    assert_eq!(single(&[b"a"]), Ok(&b"a"[..]));
    assert_eq!(single(&[]), Err(ConfigError::WrongArity));
    assert_eq!(single(&[b"a", b"b"]), Err(ConfigError::WrongArity));
}
