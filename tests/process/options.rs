//! The command line and the configuration file.

use std::process::{Command, Output};

use anyhow::{Context, Result, ensure};
use dovetail_tests::process::{free_port, tail};
use dovetail_tests::{Stage, each_poller};

fn run(stage: &Stage, args: &[&str]) -> Result<Output> {
    Command::new(&stage.program)
        .args(args)
        .output()
        .context("running the server")
}

fn version_and_help_are_printed_and_nothing_starts(stage: &Stage) -> Result<()> {
    for flag in ["--version", "-v"] {
        let output = run(stage, &[flag])?;
        let text = String::from_utf8_lossy(&output.stdout).into_owned();
        ensure!(
            output.status.success() && !text.is_empty(),
            "{flag}: {output:?}"
        );
        if stage.is_dovetail() {
            ensure!(text.to_lowercase().contains("dovetail"), "{flag}: {text}");
        }
    }
    if !stage.is_dovetail() {
        return Ok(());
    }
    for flag in ["--help", "-h"] {
        let output = run(stage, &[flag])?;
        let text = String::from_utf8_lossy(&output.stdout).into_owned();
        ensure!(output.status.success(), "{flag}: {output:?}");
        for word in ["--version", "--help", "poller", "port"] {
            ensure!(text.contains(word), "{flag} doesn't say {word}:\n{text}");
        }
    }
    Ok(())
}

/// Bad configurations, the number of the bad line, and the reason.
const BAD: &[(&str, u32, &str)] = &[
    (
        "port 0\nnosuch 1\n",
        2,
        "Bad directive or wrong number of arguments",
    ),
    (
        "# c\n\nmaxclients abc\n",
        3,
        "argument couldn't be parsed into an integer",
    ),
    (
        "maxclients 0\n",
        1,
        "argument must be between 1 and 4294967295 inclusive",
    ),
    (
        "port 99999\n",
        1,
        "argument must be between 0 and 65535 inclusive",
    ),
    ("maxmemory 1tb\n", 1, "argument must be a memory value"),
    ("appendonly maybe\n", 1, "argument must be 'yes' or 'no'"),
    ("timeout\n", 1, "wrong number of arguments"),
    ("timeout 1 2\n", 1, "wrong number of arguments"),
    (
        "maxmemory-policy nosuch\n",
        1,
        "argument(s) must be one of the following",
    ),
    (
        "rename-command NOSUCH x\n",
        1,
        "No such command in rename-command",
    ),
    (
        "dbfilename a/b\n",
        1,
        "dbfilename can't be a path, just a filename",
    ),
    ("save 1\n", 1, "Invalid save parameters"),
    (
        "requirepass \"unbalanced\n",
        1,
        "Unbalanced quotes in configuration line",
    ),
];

fn a_bad_configuration_stops_the_start_with_line_and_reason(stage: &Stage) -> Result<()> {
    for (text, line, reason) in BAD {
        let mut server = stage.launch().config(text).spawn(free_port()?)?;
        let code = server.wait_exit().with_context(|| format!("{text:?}"))?;
        let log = server.log();
        ensure!(code == 1, "{text:?}: exit code {code}\n{log}");
        let bad_line = text
            .lines()
            .nth(*line as usize - 1)
            .context("the line is there")?;
        let at = format!("at line {line}");
        let quoted = format!(">>> '{bad_line}'");
        for part in ["FATAL CONFIG FILE ERROR", &at, &quoted, reason] {
            ensure!(log.contains(part), "{text:?}: no {part:?} in\n{log}");
        }
        if stage.is_dovetail() {
            ensure!(
                log.contains("server.conf"),
                "{text:?}: the file isn't named in\n{log}"
            );
        }
    }
    Ok(())
}

fn a_bad_option_stops_the_start(stage: &Stage) -> Result<()> {
    for (name, value) in [("nosuch", "1"), ("maxclients", "many"), ("hz", "")] {
        let mut server = stage.launch().option(name, value).spawn(free_port()?)?;
        let code = server
            .wait_exit()
            .with_context(|| format!("--{name} {value}"))?;
        ensure!(code != 0, "--{name} {value}: {}", server.log());
        ensure!(
            !server.log().trim().is_empty(),
            "--{name} {value} says nothing"
        );
    }
    Ok(())
}

fn an_unknown_poller_is_a_clear_error(stage: &Stage) -> Result<()> {
    if !stage.is_dovetail() {
        return Ok(());
    }
    let mut server = stage
        .launch()
        .option("poller", "kqueue")
        .spawn(free_port()?)?;
    ensure!(
        server.wait_exit()? != 0,
        "it starts with a poller that doesn't exist"
    );
    for name in ["select", "poll", "epoll", "io_uring"] {
        ensure!(
            server.log().contains(name),
            "{name} isn't offered: {}",
            tail(&server.log())
        );
    }
    Ok(())
}

fn auto_takes_a_poller_and_says_which(stage: &Stage) -> Result<()> {
    if !stage.is_dovetail() {
        return Ok(());
    }
    let server = stage.launch().option("poller", "auto").start()?;
    let mut client = server.client()?;
    let info = client.say("INFO server")?.text();
    let chosen = info
        .lines()
        .find_map(|line| line.strip_prefix("multiplexing_api:"))
        .context("INFO has multiplexing_api")?
        .to_owned();
    ensure!(
        ["select", "poll", "epoll", "io_uring"].contains(&chosen.as_str()),
        "{chosen:?}"
    );
    ensure!(
        server.log().contains(&chosen),
        "the log doesn't say {chosen}: {}",
        server.log()
    );
    Ok(())
}

/// What test rigs put into every configuration, as they write it.
const RIG: &str = "always-show-logo yes\nnotify-keyspace-events KEA\ndaemonize no\n\
    timeout 0\nloglevel verbose\nlogfile ''\ndatabases 16\nlatency-monitor-threshold 1\n\
    repl-diskless-sync-delay 0\nsave ''\nrdbcompression yes\ndbfilename dump.rdb\n\
    slave-serve-stale-data yes\nappendonly no\nappendfsync everysec\n\
    no-appendfsync-on-rewrite no\nactiverehashing yes\nenable-protected-configs yes\n\
    enable-debug-command yes\nenable-module-command yes\n\
    propagation-error-behavior panic\nshutdown-on-sigterm force\n";

fn the_directives_of_test_rigs_are_accepted(stage: &Stage) -> Result<()> {
    let launch = stage
        .launch()
        .without("save")
        .without("enable-debug-command");
    let server = launch
        .without("enable-protected-configs")
        .config(RIG)
        .start()?;
    let mut client = server.client()?;
    for (name, value) in [
        ("notify-keyspace-events", "AKE"),
        ("slave-serve-stale-data", "yes"),
        ("replica-serve-stale-data", "yes"),
        ("latency-monitor-threshold", "1"),
        ("save", ""),
        ("shutdown-on-sigterm", "force"),
    ] {
        let reply = client
            .say(&format!("CONFIG GET {name}"))?
            .items()
            .context("a list")?;
        ensure!(
            reply.len() == 2 && reply[1].text() == value,
            "{name}: {reply:?}"
        );
    }
    Ok(())
}

fn a_file_from_standard_input_is_read(stage: &Stage) -> Result<()> {
    let server = stage
        .launch()
        .stdin(b"maxclients 123\ntimeout 7\n")
        .start()?;
    let mut client = server.client()?;
    client.expect(
        "CONFIG GET maxclients",
        "*2\r\n$10\r\nmaxclients\r\n$3\r\n123\r\n",
    )?;
    client.expect("CONFIG GET timeout", "*2\r\n$7\r\ntimeout\r\n$1\r\n7\r\n")
}

fn options_win_over_the_file(stage: &Stage) -> Result<()> {
    let launch = stage
        .launch()
        .config("timeout 7\nhz 20\n")
        .option("timeout", "9");
    let server = launch.start()?;
    let mut client = server.client()?;
    client.expect("CONFIG GET timeout", "*2\r\n$7\r\ntimeout\r\n$1\r\n9\r\n")?;
    client.expect("CONFIG GET hz", "*2\r\n$2\r\nhz\r\n$2\r\n20\r\n")
}

fn the_grammar_of_the_file_is_that_of_redis(stage: &Stage) -> Result<()> {
    let text = "  # an indented comment\n\n\tTimeOut   5  \nrequirepass \"pass \\x41\\n\"\n\
        client-output-buffer-limit normal 1mb 2mb 3 pubsub 4mb 5mb 6\n\
        maxmemory 1gb\nmaxmemory 100MB\nbind 127.0.0.1\n";
    let server = stage.launch().config(text).start()?;
    let mut client = server.client()?;
    let login = client.call(&["AUTH", "pass A\n"])?;
    ensure!(!login.is_error(), "{login}");
    client.expect("CONFIG GET timeout", "*2\r\n$7\r\ntimeout\r\n$1\r\n5\r\n")?;
    client.expect(
        "CONFIG GET maxmemory",
        "*2\r\n$9\r\nmaxmemory\r\n$9\r\n104857600\r\n",
    )?;
    let limits = client.say("CONFIG GET client-output-buffer-limit")?;
    let limits = limits
        .items()
        .and_then(|pair| pair.get(1).map(|v| v.text()))
        .context("limits")?;
    let wanted = "normal 1048576 2097152 3 slave 268435456 67108864 60 pubsub 4194304 5242880 6";
    ensure!(limits == wanted, "{limits}");
    Ok(())
}

each_poller!(
    version_and_help_are_printed_and_nothing_starts,
    a_bad_configuration_stops_the_start_with_line_and_reason,
    a_bad_option_stops_the_start,
    an_unknown_poller_is_a_clear_error,
    auto_takes_a_poller_and_says_which,
    the_directives_of_test_rigs_are_accepted,
    a_file_from_standard_input_is_read,
    options_win_over_the_file,
    the_grammar_of_the_file_is_that_of_redis,
);
