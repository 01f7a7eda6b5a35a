//! What the server tells about itself: INFO, statistics, logs of slow commands, digests, help.

use std::collections::BTreeMap;

use anyhow::{Context, Result, ensure};
use dovetail_tests::value::Value;
use dovetail_tests::{Client, Stage, each_poller, scope, until};

/// Sections of INFO and the fields that tools lean on.
const SECTIONS: &[(&str, &str, &str)] = &[
    (
        "server",
        "# Server",
        "redis_version redis_git_sha1 redis_git_dirty redis_build_id redis_mode os arch_bits \
         monotonic_clock multiplexing_api process_id process_supervised run_id tcp_port \
         server_time_usec uptime_in_seconds uptime_in_days hz configured_hz lru_clock executable \
         config_file io_threads_active",
    ),
    (
        "clients",
        "# Clients",
        "connected_clients cluster_connections maxclients client_recent_max_input_buffer \
         client_recent_max_output_buffer blocked_clients tracking_clients \
         clients_in_timeout_table",
    ),
    (
        "memory",
        "# Memory",
        "used_memory used_memory_human used_memory_rss used_memory_peak used_memory_overhead \
         used_memory_startup used_memory_dataset total_system_memory maxmemory maxmemory_human \
         maxmemory_policy mem_fragmentation_ratio mem_not_counted_for_evict mem_clients_slaves \
         mem_clients_normal mem_total_replication_buffers mem_allocator lazyfree_pending_objects \
         lazyfreed_objects",
    ),
    (
        "persistence",
        "# Persistence",
        "loading async_loading current_cow_size rdb_changes_since_last_save \
         rdb_bgsave_in_progress rdb_last_save_time rdb_last_bgsave_status aof_enabled \
         aof_rewrite_in_progress aof_rewrite_scheduled aof_last_bgrewrite_status \
         aof_last_write_status",
    ),
    (
        "stats",
        "# Stats",
        "total_connections_received total_commands_processed instantaneous_ops_per_sec \
         total_net_input_bytes total_net_output_bytes instantaneous_input_kbps \
         instantaneous_output_kbps rejected_connections sync_full sync_partial_ok \
         sync_partial_err expired_keys evicted_keys evicted_clients keyspace_hits keyspace_misses \
         pubsub_channels pubsub_patterns pubsubshard_channels latest_fork_usec total_forks \
         unexpected_error_replies total_error_replies total_reads_processed \
         total_writes_processed eventloop_cycles eventloop_duration_sum \
         eventloop_duration_cmd_sum instantaneous_eventloop_cycles_per_sec \
         instantaneous_eventloop_duration_usec",
    ),
    (
        "replication",
        "# Replication",
        "role connected_slaves master_failover_state master_replid master_replid2 \
         master_repl_offset second_repl_offset repl_backlog_active repl_backlog_size \
         repl_backlog_first_byte_offset repl_backlog_histlen",
    ),
    (
        "cpu",
        "# CPU",
        "used_cpu_sys used_cpu_user used_cpu_sys_children used_cpu_user_children",
    ),
    ("cluster", "# Cluster", "cluster_enabled"),
    ("keyspace", "# Keyspace", ""),
];

/// The fields of INFO with these sections.
fn info(client: &mut Client, sections: &str) -> Result<BTreeMap<String, String>> {
    let text = client.say(format!("INFO {sections}").trim_end())?.text();
    let mut fields = BTreeMap::new();
    for line in text
        .split("\r\n")
        .filter(|line| !line.is_empty() && !line.starts_with('#'))
    {
        let (name, value) = line.split_once(':').with_context(|| format!("{line:?}"))?;
        fields.insert(name.to_owned(), value.to_owned());
    }
    Ok(fields)
}

fn field(client: &mut Client, section: &str, name: &str) -> Result<String> {
    let fields = info(client, section)?;
    fields
        .get(name)
        .cloned()
        .with_context(|| format!("INFO {section} has no {name}"))
}

fn info_has_its_sections_and_fields(stage: &Stage) -> Result<()> {
    let server = stage.start()?;
    let mut client = server.client()?;
    let default = client.say("INFO")?.text();
    for (name, header, fields) in SECTIONS {
        let text = client.say(&format!("INFO {name}"))?.text();
        ensure!(
            text.starts_with(&format!("{header}\r\n")),
            "INFO {name}: {text:?}"
        );
        ensure!(
            default.contains(&format!("{header}\r\n")),
            "INFO has no {header}"
        );
        let known = info(&mut client, name)?;
        for field in fields.split_whitespace() {
            ensure!(
                known.contains_key(field),
                "INFO {name} has no {field}:\n{text}"
            );
        }
    }
    let all = client.say("INFO everything")?.text();
    for header in ["# Commandstats", "# Errorstats", "# Latencystats"] {
        ensure!(all.contains(header), "INFO everything has no {header}");
    }
    let two = client.say("INFO keyspace SERVER")?.text();
    ensure!(
        two.contains("# Server") && two.contains("# Keyspace"),
        "{two:?}"
    );
    ensure!(!two.contains("# Clients"), "{two:?}");
    Ok(())
}

fn info_is_true(stage: &Stage) -> Result<()> {
    let server = stage.start()?;
    let mut client = server.client()?;
    for command in [
        "SET a 1",
        "SET b 1 EX 1000",
        "GET a",
        "GET missing",
        "NOSUCH",
        "GET",
    ] {
        client.say(command)?;
    }
    let pid = server.pid().to_string();
    let port = server.port().to_string();
    for (section, name, value) in [
        ("server", "process_id", pid.as_str()),
        ("server", "tcp_port", &port),
        ("server", "redis_mode", "standalone"),
        ("replication", "role", "master"),
        ("persistence", "loading", "0"),
        ("stats", "keyspace_hits", "1"),
        ("stats", "keyspace_misses", "1"),
        ("stats", "total_error_replies", "2"),
        ("errorstats", "errorstat_ERR", "count=2"),
        ("memory", "maxmemory_policy", "noeviction"),
    ] {
        let got = field(&mut client, section, name)?;
        ensure!(got == value, "{name} is {got}, want {value}");
    }
    let keyspace = field(&mut client, "keyspace", "db0")?;
    ensure!(
        keyspace.starts_with("keys=2,expires=1,avg_ttl="),
        "{keyspace}"
    );
    let get = field(&mut client, "commandstats", "cmdstat_get")?;
    ensure!(get.starts_with("calls=2,usec="), "{get}");
    ensure!(get.contains(",rejected_calls=1,failed_calls=0"), "{get}");
    client.expect("CONFIG RESETSTAT", "+OK\r\n")?;
    ensure!(
        field(&mut client, "stats", "keyspace_hits")? == "0",
        "RESETSTAT resets"
    );
    Ok(())
}

fn info_names_the_version_and_the_poller(stage: &Stage) -> Result<()> {
    let server = stage.start()?;
    let mut client = server.client()?;
    if let Some(poller) = stage.poller {
        for (name, value) in [
            ("redis_version", "7.2.4"),
            ("server_name", "dovetail"),
            ("multiplexing_api", poller),
        ] {
            let got = field(&mut client, "server", name)?;
            ensure!(got == value, "{name} is {got}, want {value}");
        }
        ensure!(
            !field(&mut client, "server", "dovetail_version")?.is_empty(),
            "a version"
        );
    }
    Ok(())
}

fn info_is_verbatim_text_in_resp3(stage: &Stage) -> Result<()> {
    let server = stage.start()?;
    let mut client = server.client_resp3()?;
    for command in [
        "INFO",
        "INFO nosuch",
        "CLIENT LIST",
        "CLIENT INFO",
        "LOLWUT",
        "MEMORY DOCTOR",
    ] {
        let reply = client.say(command)?;
        let Value::Verbatim(bytes) = &reply else {
            anyhow::bail!("{command}: {reply}")
        };
        ensure!(bytes.starts_with(b"txt:"), "{command}: {reply}");
    }
    Ok(())
}

fn clients_are_counted(stage: &Stage) -> Result<()> {
    let server = stage.start()?;
    let (mut watcher, mut blocked) = (server.client()?, server.client()?);
    blocked.send(&["WAIT", "1", "0"])?;
    until("one blocked client of two", || {
        let fields = info(&mut watcher, "clients")?;
        let is = |name: &str, value: &str| fields.get(name).is_some_and(|v| v == value);
        Ok((is("connected_clients", "2") && is("blocked_clients", "1")).then_some(()))
    })?;
    drop(blocked);
    until("the blocked client is gone", || {
        let count = field(&mut watcher, "clients", "connected_clients")?;
        Ok((count == "1").then_some(()))
    })
}

fn expired_keys_are_removed_and_counted(stage: &Stage) -> Result<()> {
    let server = stage.start()?;
    let mut client = server.client()?;
    for key in 0..100 {
        let reply = client.say(&format!("SET key:{key} v PX 1"))?;
        ensure!(!reply.is_error(), "{reply}");
    }
    until("nobody asks for the keys, and they go", || {
        Ok((client.say("DBSIZE")?.integer() == Some(0)).then_some(()))
    })?;
    ensure!(
        field(&mut client, "stats", "expired_keys")? == "100",
        "all are counted"
    );
    Ok(())
}

fn slow_commands_are_logged(stage: &Stage) -> Result<()> {
    let server = stage.start()?;
    let mut client = server.client()?;
    client.expect("CLIENT SETNAME me", "+OK\r\n")?;
    client.expect("CONFIG SET slowlog-log-slower-than 15000", "+OK\r\n")?;
    client.expect("DEBUG SLEEP 0.02", "+OK\r\n")?;
    let log = client.say("SLOWLOG GET")?.items().context("an array")?;
    let entry = log.first().and_then(Value::items).context("an entry")?;
    ensure!(entry.len() == 6, "{log:?}");
    ensure!(
        entry[2].integer().is_some_and(|micros| micros >= 20_000),
        "{}",
        entry[2]
    );
    ensure!(
        entry[3] == Value::bulks(&["DEBUG", "SLEEP", "0.02"]),
        "{}",
        entry[3]
    );
    ensure!(entry[4].text() == client.local_address()?, "{}", entry[4]);
    ensure!(entry[5].text() == "me", "{}", entry[5]);
    client.expect("SLOWLOG RESET", "+OK\r\n")?;
    client.expect("SLOWLOG LEN", ":0\r\n")?;
    client.expect("CONFIG SET slowlog-log-slower-than 0", "+OK\r\n")?;
    let many: Vec<String> = std::iter::once("MGET".to_owned())
        .chain((0..40).map(|n| n.to_string().repeat(if n == 1 { 200 } else { 1 })))
        .collect();
    client.call(&many)?;
    let log = client.say("SLOWLOG GET 1")?.items().context("an array")?;
    let args = log[0]
        .items()
        .and_then(|entry| entry[3].items())
        .context("arguments")?;
    ensure!(args.len() == 32, "{} arguments are kept", args.len());
    ensure!(args[31].text() == "... (10 more arguments)", "{}", args[31]);
    ensure!(
        args[2].text().ends_with("... (72 more bytes)"),
        "{}",
        args[2]
    );
    Ok(())
}

fn large_requests_and_replies_are_logged(stage: &Stage) -> Result<()> {
    let server = stage
        .launch()
        .option("commandlog-request-larger-than", "36")
        .option("commandlog-reply-larger-than", "14")
        .start()?;
    let mut client = server.client()?;
    client.expect("SET key 1234567", "+OK\r\n")?;
    client.expect("GET key", "$7\r\n1234567\r\n")?;
    client.expect("SET key 12345678", "+OK\r\n")?;
    client.expect("GET key", "$8\r\n12345678\r\n")?;
    let large = "x".repeat(100_000);
    client.expect(&format!("SET key {large}"), "+OK\r\n")?;
    client.say("GET key")?;
    let mut expect = |log: &str, amounts: &[i64], words: [&str; 2]| -> Result<()> {
        let entries = client.say(&format!("COMMANDLOG GET -1 {log}"))?;
        let entries = entries.items().context("an array")?;
        let found: Vec<_> = entries
            .iter()
            .filter_map(Value::items)
            .filter(|entry| entry[3].items().is_some_and(|it| it[0].text() == words[0]))
            .map(|entry| (entry[2].integer().unwrap_or(-1), entry[3].clone()))
            .collect();
        let sizes: Vec<i64> = found.iter().map(|(size, _)| *size).collect();
        ensure!(sizes == amounts, "{log}: {found:?}");
        let key = found[0].1.items().map(|words| words[1].text());
        ensure!(key.as_deref() == Some(words[1]), "{log}: {key:?}");
        Ok(())
    };
    expect("large-request", &[100_033, 36], ["SET", "key"])?;
    expect("large-reply", &[100_011, 14], ["GET", "key"])?;
    client.expect("COMMANDLOG RESET large-reply", "+OK\r\n")?;
    client.expect("COMMANDLOG LEN large-reply", ":0\r\n")?;
    client.expect("CONFIG SET commandlog-request-larger-than -1", "+OK\r\n")?;
    client.expect("COMMANDLOG RESET large-request", "+OK\r\n")?;
    client.expect("SET key 12345678", "+OK\r\n")?;
    client.expect("COMMANDLOG LEN large-request", ":0\r\n")
}

fn the_slow_log_keeps_its_length(stage: &Stage) -> Result<()> {
    let server = stage
        .launch()
        .option("slowlog-log-slower-than", "0")
        .start()?;
    let mut client = server.client()?;
    client.expect("CONFIG SET slowlog-max-len 5", "+OK\r\n")?;
    for _ in 0..20 {
        client.expect("PING", "+PONG\r\n")?;
    }
    client.expect("SLOWLOG LEN", ":5\r\n")?;
    ensure!(
        client
            .say("SLOWLOG GET -1")?
            .items()
            .is_some_and(|log| log.len() == 5),
        "five"
    );
    ensure!(
        client
            .say("SLOWLOG GET 2")?
            .items()
            .is_some_and(|log| log.len() == 2),
        "two"
    );
    Ok(())
}

fn latency_spikes_are_remembered(stage: &Stage) -> Result<()> {
    let server = stage
        .launch()
        .option("latency-monitor-threshold", "10")
        .start()?;
    let mut client = server.client()?;
    client.expect("DEBUG SLEEP 0.03", "+OK\r\n")?;
    let latest = client.say("LATENCY LATEST")?.items().context("an array")?;
    let event = latest
        .iter()
        .filter_map(Value::items)
        .find(|event| event[0].text() == "command")
        .with_context(|| format!("no event `command` in {latest:?}"))?;
    ensure!(
        event[3].integer().is_some_and(|worst| worst >= 30),
        "{event:?}"
    );
    let history = client
        .say("LATENCY HISTORY command")?
        .items()
        .context("an array")?;
    ensure!(!history.is_empty(), "a sample is kept");
    ensure!(
        client
            .say("LATENCY GRAPH command")?
            .text()
            .contains("command"),
        "a graph"
    );
    client.expect("LATENCY RESET command", ":1\r\n")?;
    client.expect("LATENCY LATEST", "*0\r\n")
}

fn the_histogram_counts_calls(stage: &Stage) -> Result<()> {
    let server = stage.start()?;
    let mut client = server.client()?;
    for _ in 0..3 {
        client.say("GET k")?;
    }
    let reply = client
        .say("LATENCY HISTOGRAM get")?
        .items()
        .context("an array")?;
    ensure!(reply.len() == 2 && reply[0].text() == "get", "{reply:?}");
    let parts = reply[1].items().context("calls and histogram")?;
    ensure!(
        parts[0].text() == "calls" && parts[1] == Value::Integer(3),
        "{parts:?}"
    );
    ensure!(parts[2].text() == "histogram_usec", "{parts:?}");
    Ok(())
}

fn help_is_a_list_of_lines(stage: &Stage) -> Result<()> {
    let server = stage.start()?;
    let mut client = server.client()?;
    for name in [
        "CLIENT", "COMMAND", "CONFIG", "DEBUG", "LATENCY", "MEMORY", "OBJECT", "PUBSUB",
    ]
    .iter()
    .chain(&["SLOWLOG"])
    {
        let reply = client.say(&format!("{name} HELP"))?;
        let lines = reply
            .items()
            .with_context(|| format!("{name} HELP: {reply}"))?;
        ensure!(
            lines.iter().all(|line| matches!(line, Value::Simple(_))),
            "{reply}"
        );
        let first = lines.first().map(Value::text).unwrap_or_default();
        ensure!(first.starts_with(name), "{name} HELP begins with {first:?}");
        ensure!(lines.len() > 3, "{name} HELP is short: {reply}");
    }
    Ok(())
}

fn commands_are_documented(stage: &Stage) -> Result<()> {
    let server = stage.start()?;
    let mut client = server.client_resp3()?;
    for name in scope::COMMANDS {
        let reply = client.say(&format!("COMMAND DOCS {name}"))?;
        let Value::Map(commands) = &reply else {
            anyhow::bail!("COMMAND DOCS {name}: {reply}")
        };
        let (known, docs) = commands
            .first()
            .with_context(|| format!("no docs of {name}"))?;
        ensure!(known.text() == *name, "{name}: {known}");
        let Value::Map(docs) = docs else {
            anyhow::bail!("docs of {name}: {docs}")
        };
        let of = |field: &str| docs.iter().find(|(key, _)| key.text() == field);
        for field in ["summary", "since", "group"] {
            let text = of(field).map(|(_, value)| value.text()).unwrap_or_default();
            ensure!(!text.is_empty(), "{name} has no {field}");
        }
    }
    Ok(())
}

fn command_count_and_list_agree(stage: &Stage) -> Result<()> {
    let server = stage.start()?;
    let mut client = server.client()?;
    let count = client.say("COMMAND COUNT")?.integer().context("a number")?;
    for command in ["COMMAND", "COMMAND LIST", "COMMAND INFO"] {
        let entries = client.say(command)?.items().context("an array")?;
        let length = entries
            .iter()
            .filter(|entry| !entry.text().contains('|'))
            .count();
        ensure!(
            i64::try_from(length)? == count,
            "{command} has {length} of {count}"
        );
    }
    Ok(())
}

fn digest(client: &mut Client) -> Result<String> {
    let digest = client.say("DEBUG DIGEST")?.text();
    ensure!(digest.len() == 40, "{digest:?}");
    Ok(digest)
}

fn equal_contents_have_equal_digests(stage: &Stage) -> Result<()> {
    let server = stage.start()?;
    let mut client = server.client()?;
    let zeros = "0".repeat(40);
    ensure!(digest(&mut client)? == zeros, "nothing has no digest");
    client.say("MSET a 1 b 2 c three")?;
    let first = digest(&mut client)?;
    ensure!(first != zeros, "something has one");
    client.say("SET b 3")?;
    ensure!(digest(&mut client)? != first, "a value counts");
    client.say("FLUSHALL")?;
    for command in ["SET c thr", "SET b 1", "APPEND c ee", "INCR b", "SET a 1"] {
        client.say(command)?;
    }
    ensure!(digest(&mut client)? == first, "order and history don't");
    client.say("RENAME a z")?;
    ensure!(digest(&mut client)? != first, "a name counts");
    client.say("RENAME z a")?;
    client.say("SELECT 1")?;
    client.say("SWAPDB 0 1")?;
    ensure!(digest(&mut client)? != first, "the database counts");
    client.say("FLUSHALL")?;
    ensure!(digest(&mut client)? == zeros, "all is gone");
    client.say("MSET x 12 y 12 z 13")?;
    let values = client
        .say("DEBUG DIGEST-VALUE x y z")?
        .items()
        .context("an array")?;
    ensure!(
        values[0] == values[1] && values[1] != values[2],
        "{values:?}"
    );
    Ok(())
}

fn memory_is_told(stage: &Stage) -> Result<()> {
    let server = stage.start()?;
    let mut client = server.client()?;
    let long = "x".repeat(10_000);
    client.call(&["MSET", "short", "x", "long", &long])?;
    let short = client
        .say("MEMORY USAGE short")?
        .integer()
        .context("a number")?;
    let long = client
        .say("MEMORY USAGE long")?
        .integer()
        .context("a number")?;
    ensure!(
        short > 0 && long >= short + 9_000,
        "{short} and {long} bytes"
    );
    let stats = client.say("MEMORY STATS")?.items().context("a list")?;
    let names: Vec<String> = stats.iter().step_by(2).map(Value::text).collect();
    for name in [
        "peak.allocated",
        "total.allocated",
        "startup.allocated",
        "replication.backlog",
        "clients.slaves",
        "clients.normal",
        "aof.buffer",
        "db.0",
        "overhead.total",
        "keys.count",
        "keys.bytes-per-key",
        "dataset.bytes",
        "dataset.percentage",
        "fragmentation",
    ] {
        ensure!(
            names.iter().any(|known| known == name),
            "MEMORY STATS has no {name}: {names:?}"
        );
    }
    let before: i64 = field(&mut client, "memory", "used_memory")?.parse()?;
    client.say("DEBUG POPULATE 10000 key 1000")?;
    let after: i64 = field(&mut client, "memory", "used_memory")?.parse()?;
    ensure!(
        after - before > 9_000_000,
        "10 MB more make {}",
        after - before
    );
    Ok(())
}

fn debug_object_tells_the_encoding(stage: &Stage) -> Result<()> {
    let server = stage.start()?;
    let mut client = server.client()?;
    client.say("SET k value")?;
    let text = client.say("DEBUG OBJECT k")?.text();
    for part in [
        "refcount:1",
        "encoding:embstr",
        "serializedlength:",
        "lru:",
        "lru_seconds_idle:",
    ] {
        ensure!(text.contains(part), "{text}");
    }
    Ok(())
}

each_poller!(
    info_has_its_sections_and_fields,
    info_is_true,
    info_names_the_version_and_the_poller,
    info_is_verbatim_text_in_resp3,
    clients_are_counted,
    expired_keys_are_removed_and_counted,
    slow_commands_are_logged,
    large_requests_and_replies_are_logged,
    the_slow_log_keeps_its_length,
    latency_spikes_are_remembered,
    the_histogram_counts_calls,
    help_is_a_list_of_lines,
    commands_are_documented,
    command_count_and_list_agree,
    equal_contents_have_equal_digests,
    memory_is_told,
    debug_object_tells_the_encoding,
);
