//! Loading files and options.

use super::*;

/// A small world of files, in which `get` and `set` are the only commands.
#[derive(Default)]
pub(super) struct World {
    pub(super) files: BTreeMap<Vec<u8>, Vec<u8>>,
    pub(super) directory: Vec<u8>,
}

impl ConfigSource for World {
    fn read(&mut self, path: &[u8]) -> Result<Vec<u8>, String> {
        self.files
            .get(path)
            .cloned()
            .ok_or_else(|| "No such file or directory".to_owned())
    }

    fn expand(&mut self, pattern: &[u8]) -> Vec<Vec<u8>> {
        use crate::base::glob::{CaseFold, matches};
        let names = self.files.keys();
        names
            .filter(|name| matches(pattern, name, CaseFold::Sensitive))
            .cloned()
            .collect()
    }

    fn change_directory(&mut self, path: &[u8]) -> Result<(), String> {
        if path == b"/nonexistent" {
            return Err("No such file or directory".to_owned());
        }
        self.directory = path.to_vec();
        Ok(())
    }

    fn has_command(&self, name: &[u8]) -> bool {
        name.eq_ignore_ascii_case(b"get") || name.eq_ignore_ascii_case(b"set")
    }
}

fn load_in(world: &mut World, text: &str) -> Result<Config, LoadError> {
    let mut config = Config::default();
    config.load(text.as_bytes(), world)?;
    Ok(config)
}

pub(super) fn load(text: &str) -> Result<Config, LoadError> {
    load_in(&mut World::default(), text)
}

fn loaded(text: &str, name: &str) -> String {
    value_of(&load(text).unwrap(), name)
}

fn reason(text: &str) -> String {
    match load(text) {
        Err(LoadError::Line { reason, .. }) => reason.to_string(),
        other => panic!("{text}: {other:?}"),
    }
}

#[test]
fn lines_are_quoted_commented_and_of_any_case() {
    let text = "# top\n\n  # x\nTIMEOUT 5\n\t\"hz\" '11'\t\r\nlogfile ''\nport \"1\\x32\"\n";
    let config = load(text).unwrap();
    assert_eq!(
        (
            config.network.timeout_secs,
            config.network.hz,
            config.network.port
        ),
        (5, 11, 12)
    );
}

#[test]
fn a_bad_line_is_reported_as_tools_expect() {
    let error = load("timeout 1\n\n  port abc \n").unwrap_err();
    assert_eq!(
        error.to_string(),
        "\n*** FATAL CONFIG FILE ERROR (Redis 7.2.4) ***\nReading the configuration file, at \
         line 3\n>>> 'port abc'\nargument couldn't be parsed into an integer\n"
    );
}

#[test]
fn lines_are_refused_with_the_words_of_redis() {
    let bad = "Bad directive or wrong number of arguments";
    let arity = "wrong number of arguments";
    for (line, words) in [
        ("nosuch 1", bad),
        ("port", arity),
        ("port 1 2", arity),
        ("port 1 # x", arity),
        ("port 'a", "Unbalanced quotes in configuration line"),
        ("port \"1\"2", "Unbalanced quotes in configuration line"),
        ("maxmemory 1x", "argument must be a memory value"),
        ("appendfsync a b", arity),
        ("save 1 2 3", "Invalid save parameters"),
        ("notify-keyspace-events K E", arity),
        (
            "dbfilename a/b",
            "dbfilename can't be a path, just a filename",
        ),
        (
            "appenddirname a/b",
            "appenddirname can't be a path, just a dirname",
        ),
        ("appenddirname \"\"", "appenddirname can't be empty"),
        ("appendfilename \"\"", "appendfilename can't be empty"),
        ("dir /nonexistent", "No such file or directory"),
        ("replicaof a", arity),
        ("replicaof a b", "Invalid master port"),
        ("replicaof a 70000", "Invalid master port"),
        ("rename-command get", bad),
        (
            "rename-command nosuch x",
            "No such command in rename-command",
        ),
        (
            "rename-command get SET",
            "Target command name already exists",
        ),
        (
            "rename-command get a\nrename-command get b",
            "No such command in rename-command",
        ),
        ("user", bad),
        (
            "user a on\nuser a off",
            "Error in user declaration 'a': Duplicate user found. A user can only be defined once \
             in config files",
        ),
        ("include", bad),
        ("include a b", bad),
        ("loadmodule", bad),
        (
            "sentinel monitor a 1 2 3",
            "sentinel directive while not in sentinel mode",
        ),
        (
            "syslog-facility x",
            concat!(
                "argument(s) must be one of the following: user, local0, local1, local2, local3, ",
                "local4, local5, local6, local7"
            ),
        ),
    ] {
        assert_eq!(reason(line), words, "{line}");
    }
}

#[test]
fn lines_that_redis_accepts_are_accepted() {
    for line in [
        "save",
        "bind",
        "client-output-buffer-limit",
        "latency-tracking-info-percentiles",
        "unixsocket \"\"",
        "unixsocketperm \"\"",
        "bind \"127.0.0.1 ::1\"",
        "client-output-buffer-limit \"normal 1 2 3\"",
        "rename-command get GET",
        "rename-command get x\nrename-command set get",
        "replicaof \"a 1\"",
        "list-max-ziplist-entries 4",
        "activedefrag yes",
        "key-load-delay -5",
        "include /nonexistent*",
        "slave-serve-stale-data yes",
        "crash-memcheck-enabled no",
        "use-exit-on-panic yes",
    ] {
        assert!(load(line).is_ok(), "{line}");
    }
}

#[test]
fn save_lines_add_up_from_the_first() {
    for (text, points) in [
        ("", "3600 1 300 100 60 10000"),
        ("save 1 2\nsave 3 4", "1 2 3 4"),
        ("save \"\"", ""),
        ("save 1 2\nsave \"\"\nsave 3 4", "3 4"),
        ("save \"1 2 3 4\"", "1 2 3 4"),
        ("save", ""),
    ] {
        assert_eq!(loaded(text, "save"), points, "{text}");
    }
}

#[test]
fn later_lines_win_and_buffer_limits_add_up() {
    assert_eq!(loaded("timeout 1\ntimeout 2", "timeout"), "2");
    assert_eq!(
        loaded("bind 1.1.1.1 2.2.2.2\nbind 3.3.3.3", "bind"),
        "3.3.3.3"
    );
    assert_eq!(
        loaded(
            "client-output-buffer-limit normal 1 2 3\nclient-output-buffer-limit slave 4 5 6",
            "client-output-buffer-limit"
        ),
        "normal 1 2 3 slave 4 5 6 pubsub 33554432 8388608 60"
    );
}

#[test]
fn replicaof_no_one_makes_a_primary() {
    assert_eq!(loaded("replicaof a 1", "slaveof"), "a 1");
    assert_eq!(loaded("replicaof a 1\nreplicaof NO one", "replicaof"), "");
}

#[test]
fn options_follow_the_file_and_count_their_own_lines() {
    let options = |words: &[&str]| {
        let words: Vec<_> = words.iter().map(|word| word.as_bytes().to_vec()).collect();
        load(str::from_utf8(&text::with_options(b"timeout 1\nport 0\n", &words)).unwrap())
    };
    let config = options(&["--timeout", "2", "--save", "60", "1"]).unwrap();
    assert_eq!(
        (config.network.timeout_secs, value_of(&config, "save")),
        (2, "60 1".to_owned())
    );
    let LoadError::Line { number, line, .. } = options(&["--port", "x"]).unwrap_err() else {
        panic!("not a line")
    };
    assert_eq!((number, line.as_slice()), (4, &b"port \"x\""[..]));
}

#[test]
fn included_files_are_read_in_their_place() {
    let mut world = World::default();
    world
        .files
        .insert(b"one.inc".to_vec(), b"timeout 1\nhz 21\n".to_vec());
    world
        .files
        .insert(b"two.inc".to_vec(), b"timeout 2\n".to_vec());
    let config = load_in(&mut world, "hz 20\ninclude *.inc\nport 7\n").unwrap();
    assert_eq!(
        (
            config.network.timeout_secs,
            config.network.hz,
            config.network.port
        ),
        (2, 21, 7)
    );
}

#[test]
fn missing_and_endless_includes_stop_the_start() {
    let mut world = World::default();
    world
        .files
        .insert(b"loop".to_vec(), b"include loop\n".to_vec());
    assert!(matches!(
        load_in(&mut world, "include loop"),
        Err(LoadError::Line { .. })
    ));
    assert_eq!(
        load_in(&mut world, "include nosuch")
            .unwrap_err()
            .to_string(),
        "Fatal error, can't open config file 'nosuch': No such file or directory\n"
    );
}

#[test]
fn the_working_directory_changes_with_its_line() {
    let mut world = World::default();
    load_in(&mut world, "dir /data\n").unwrap();
    assert_eq!(world.directory, b"/data");
}

#[test]
fn a_cluster_node_follows_nobody() {
    let error = load("cluster-enabled yes\nreplicaof a 1").unwrap_err();
    assert_eq!(
        error.to_string(),
        "\n*** FATAL CONFIG FILE ERROR (Redis 7.2.4) ***\nreplicaof directive not allowed in \
         cluster mode\n"
    );
}

#[test]
fn renames_are_kept_in_order() {
    let config = load("rename-command GET \"\"\nrename-command set S").unwrap();
    let renames: Vec<_> = config.security.rename_command.into_iter().collect();
    assert_eq!(renames, [("GET", ""), ("set", "S")]);
}

#[test]
fn the_generated_file_says_the_defaults() {
    assert_eq!(load(&render_default_conf()).unwrap(), Config::default());
}

#[test]
fn what_test_rigs_put_into_every_file_is_accepted() {
    let text = "always-show-logo yes\nnotify-keyspace-events KEA\ndaemonize no\npidfile /x\n\
        port 21111\ntimeout 0\nbind 127.0.0.1\nloglevel verbose\nlogfile ''\ndatabases 16\n\
        latency-monitor-threshold 1\nrepl-diskless-sync-delay 0\nsave ''\nrdbcompression yes\n\
        dbfilename dump.rdb\ndir /data\nslave-serve-stale-data yes\nappendonly no\n\
        appendfsync everysec\nno-appendfsync-on-rewrite no\nactiverehashing yes\n\
        enable-protected-configs yes\nenable-debug-command yes\nenable-module-command yes\n\
        propagation-error-behavior panic\nshutdown-on-sigterm force\nunixsocket /y\n";
    let config = load(text).unwrap();
    assert!(config.process.shutdown_on_sigterm.force);
    assert_eq!(config.observe.notify_keyspace_events.letters(), "AKE");
}
