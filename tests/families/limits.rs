//! What a server allows its clients, and how it refuses.

use std::net::UdpSocket;

use anyhow::{Context, Result, bail, ensure};
use dovetail_tests::value::{escape, request};
use dovetail_tests::{Address, Client, Stage, each_poller, until};

fn clients_beyond_maxclients_are_refused(stage: &Stage) -> Result<()> {
    let server = stage.launch().option("maxclients", "3").start()?;
    let mut admitted = Vec::new();
    until("three clients admitted", || {
        let mut client = server.client()?;
        // The connection that saw the server start may not have been noticed to be gone.
        match client.say("PING") {
            Ok(reply) if !reply.is_error() => admitted.push(client),
            _ => {}
        }
        Ok((admitted.len() == 3).then_some(()))
    })?;
    let refusal = server.client()?.read_to_close()?;
    ensure!(
        refusal == b"-ERR max number of clients reached\r\n",
        "{}",
        escape(&refusal)
    );
    admitted[0].expect("PING", "+PONG\r\n")?;
    admitted[0].expect("CONFIG SET maxclients 4", "+OK\r\n")?;
    server.client()?.expect("PING", "+PONG\r\n")
}

fn idle_clients_are_closed_and_subscribers_are_not(stage: &Stage) -> Result<()> {
    let server = stage.launch().option("timeout", "1").start()?;
    let (mut idle, mut listener) = (server.client()?, server.client()?);
    idle.expect("PING", "+PONG\r\n")?;
    listener.say("SUBSCRIBE a")?;
    let rest = idle.read_to_close()?;
    ensure!(
        rest.is_empty(),
        "closed silently, not with {}",
        escape(&rest)
    );
    server.client()?.expect("PUBLISH a x", ":1\r\n")?;
    ensure!(
        listener.read()?.items().is_some(),
        "the subscriber still listens"
    );
    Ok(())
}

fn a_query_beyond_its_limit_closes_the_client(stage: &Stage) -> Result<()> {
    let server = stage
        .launch()
        .option("client-query-buffer-limit", "1mb")
        .start()?;
    let mut client = server.client()?;
    let mut bytes = b"*3\r\n$3\r\nSET\r\n$1\r\nk\r\n$5000000\r\n".to_vec();
    bytes.resize(4_000_000, b'x');
    // The server may close while we still send.
    let sent = client.send_raw(&bytes);
    let rest = client.read_to_close()?;
    ensure!(
        rest.is_empty(),
        "closed silently, not with {} ({sent:?})",
        escape(&rest)
    );
    server.client()?.expect("EXISTS k", ":0\r\n")
}

fn bulks_beyond_proto_max_bulk_len_are_protocol_errors(stage: &Stage) -> Result<()> {
    let server = stage.launch().option("proto-max-bulk-len", "1mb").start()?;
    let mut client = server.client()?;
    let fits = "x".repeat(1_048_576);
    ensure!(
        client.call(&["SET", "k", &fits])?.encode() == b"+OK\r\n",
        "a megabyte fits"
    );
    client.expect("STRLEN k", ":1048576\r\n")?;
    let refusal = "-ERR string exceeds maximum allowed size (proto-max-bulk-len)\r\n";
    client.expect("APPEND k x", refusal)?;
    client.send_raw(b"*2\r\n$4\r\nECHO\r\n$1048577\r\n")?;
    let rest = client.read_to_close()?;
    ensure!(
        rest == b"-ERR Protocol error: invalid bulk length\r\n",
        "{}",
        escape(&rest)
    );
    Ok(())
}

/// Sends what makes long replies and reads none of them, until the server has closed.
fn flood(server: &dovetail_tests::Server, reads: usize) -> Result<()> {
    let mut greedy = server.client()?;
    let mut watcher = server.client()?;
    greedy.expect("CLIENT SETNAME greedy", "+OK\r\n")?;
    let bytes = request(&["GET", "big"]).repeat(reads);
    greedy.send_raw(&bytes).unwrap_or_default();
    until("the client that doesn't read is closed", || {
        let list = watcher.say("CLIENT LIST")?.text();
        Ok((!list.contains("name=greedy")).then_some(()))
    })?;
    watcher.expect("PING", "+PONG\r\n")
}

fn a_client_over_its_hard_output_limit_is_closed(stage: &Stage) -> Result<()> {
    let server = stage
        .launch()
        .option("client-output-buffer-limit", "normal 1mb 0 0")
        .start()?;
    let big = "x".repeat(100_000);
    let stored = server.client()?.call(&["SET", "big", &big])?;
    ensure!(!stored.is_error(), "{stored}");
    flood(&server, 1_000)
}

fn a_client_over_its_soft_output_limit_is_closed_in_time(stage: &Stage) -> Result<()> {
    let server = stage
        .launch()
        .option("client-output-buffer-limit", "normal 0 1mb 1")
        .start()?;
    let big = "x".repeat(100_000);
    let stored = server.client()?.call(&["SET", "big", &big])?;
    ensure!(!stored.is_error(), "{stored}");
    flood(&server, 300)
}

fn a_backlog_of_one_turn_is_seen_and_closed(stage: &Stage) -> Result<()> {
    let server = stage
        .launch()
        .option("client-output-buffer-limit", "normal 100mb 1mb 1")
        .start()?;
    let big = "x".repeat(1_000_000);
    let mut observer = server.client()?;
    let stored = observer.call(&["SET", "big", &big])?;
    ensure!(!stored.is_error(), "{stored}");
    let mut deaf = server.client()?;
    deaf.expect("CLIENT SETNAME deaf", "+OK\r\n")?;
    deaf.send_raw(&request(&["GET", "big"]).repeat(20))?;
    let mut list = || -> Result<String> { Ok(observer.say("CLIENT LIST")?.text()) };
    until("what the deaf one has not taken is counted", || {
        let list = list()?;
        let line = list.lines().find(|line| line.contains("name=deaf"));
        Ok(line
            .is_none_or(|line| !line.contains("omem=0 "))
            .then_some(()))
    })?;
    until("it is closed", || {
        Ok((!list()?.contains("name=deaf")).then_some(()))
    })
}

fn a_subscriber_that_never_reads_is_closed(stage: &Stage) -> Result<()> {
    let server = stage
        .launch()
        .option("client-output-buffer-limit", "pubsub 1mb 0 0")
        .start()?;
    let mut deaf = server.client()?;
    deaf.say("SUBSCRIBE a")?;
    let mut speaker = server.client()?;
    let message = "x".repeat(100_000);
    until("the subscriber that doesn't read is closed", || {
        let heard = speaker.call(&["PUBLISH", "a", &message])?;
        Ok((heard.integer() == Some(0)).then_some(()))
    })
}

fn renamed_commands_have_only_their_new_name(stage: &Stage) -> Result<()> {
    let config = "rename-command GET FETCH\nrename-command FLUSHALL \"\"\n";
    let server = stage.launch().config(config).start()?;
    let mut client = server.client()?;
    let unknown = |name: &str, args: &str| {
        format!("-ERR unknown command '{name}', with args beginning with: {args}\r\n")
    };
    client.expect("SET k v", "+OK\r\n")?;
    client.expect("FETCH k", "$1\r\nv\r\n")?;
    client.expect("GET k", &unknown("GET", "'k' "))?;
    client.expect("FLUSHALL", &unknown("FLUSHALL", ""))
}

fn a_password_can_be_set_and_taken_away_live(stage: &Stage) -> Result<()> {
    let server = stage.start()?;
    let (mut known, mut stranger) = (server.client()?, server.client()?);
    known.expect("CONFIG SET requirepass secret", "+OK\r\n")?;
    known.expect("PING", "+PONG\r\n")?;
    let mut newcomer = server.client()?;
    newcomer.expect("PING", "-NOAUTH Authentication required.\r\n")?;
    let wrong = "-WRONGPASS invalid username-password pair or user is disabled.\r\n";
    newcomer.expect("AUTH wrong", wrong)?;
    newcomer.expect("AUTH secret", "+OK\r\n")?;
    newcomer.expect("PING", "+PONG\r\n")?;
    newcomer.expect("AUTH default secret", "+OK\r\n")?;
    newcomer.expect("RESET", "+RESET\r\n")?;
    newcomer.expect("PING", "-NOAUTH Authentication required.\r\n")?;
    known.expect(
        "CONFIG GET requirepass",
        "*2\r\n$11\r\nrequirepass\r\n$6\r\nsecret\r\n",
    )?;
    known.say("CONFIG SET requirepass")?;
    ensure!(
        !known
            .call(&["CONFIG", "SET", "requirepass", ""])?
            .is_error(),
        "taken away"
    );
    newcomer.expect("PING", "+PONG\r\n")?;
    stranger.expect("PING", "+PONG\r\n")
}

fn strangers_that_never_read_are_closed(stage: &Stage) -> Result<()> {
    let server = stage.launch().option("requirepass", "secret").start()?;
    let mut stranger = server.client()?;
    let mut friend = server.client()?;
    friend.expect("AUTH secret", "+OK\r\n")?;
    stranger.expect("PING", "-NOAUTH Authentication required.\r\n")?;
    let bytes = request(&["PING"]).repeat(2_000_000);
    let sent = stranger.send_raw(&bytes);
    friend.expect("PING", "+PONG\r\n")?;
    ensure!(
        sent.is_err(),
        "28 MB without an answer read, and still connected"
    );
    Ok(())
}

fn debug_and_protected_configs_are_refused_by_default(stage: &Stage) -> Result<()> {
    let launch = stage.launch().without("enable-debug-command");
    let server = launch.without("enable-protected-configs").start()?;
    let mut client = server.client()?;
    client.expect(
        "DEBUG SLEEP 0",
        "-ERR DEBUG command not allowed. If the enable-debug-command option is set to \"local\", \
         you can run it from a local connection, otherwise you need to set this option in the \
         configuration file, and then restart the server.\r\n",
    )?;
    client.expect(
        "CONFIG SET dbfilename other.rdb",
        "-ERR CONFIG SET failed (possibly related to argument 'dbfilename') - can't set protected \
         config\r\n",
    )?;
    client.expect(
        "CONFIG SET databases 3",
        "-ERR CONFIG SET failed (possibly related to argument 'databases') - can't set immutable \
         config\r\n",
    )
}

/// This machine's address towards the outside; nothing is sent to find it.
fn outer_address() -> Result<Option<std::net::IpAddr>> {
    let socket = UdpSocket::bind(("0.0.0.0", 0)).context("a UDP socket")?;
    match socket.connect(("192.0.2.1", 9)) {
        Ok(()) => Ok(Some(socket.local_addr()?.ip()).filter(|ip| !ip.is_loopback())),
        Err(_) => Ok(None),
    }
}

/// Where a machine has no address but loopback nobody can come from outside, and only the directive
/// is checked.
fn protected_mode_refuses_clients_from_outside(stage: &Stage) -> Result<()> {
    let Some(ip) = outer_address()? else {
        let server = stage.start()?;
        let reply = "*2\r\n$14\r\nprotected-mode\r\n$3\r\nyes\r\n";
        return server.client()?.expect("CONFIG GET protected-mode", reply);
    };
    let server = stage
        .launch()
        .option("bind", &format!("127.0.0.1 {ip}"))
        .start()?;
    let outside = Address::Tcp((ip, server.port()).into());
    let refusal = Client::connect(&outside)?.read_to_close()?;
    let text = String::from_utf8_lossy(&refusal).into_owned();
    ensure!(text.starts_with("-DENIED "), "{}", escape(&refusal));
    ensure!(text.contains("protected mode"), "{}", escape(&refusal));
    ensure!(text.ends_with("\r\n"), "{}", escape(&refusal));
    server
        .client()?
        .expect("CONFIG SET protected-mode no", "+OK\r\n")?;
    Client::connect(&outside)?.expect("PING", "+PONG\r\n")?;
    server
        .client()?
        .expect("CONFIG SET protected-mode yes", "+OK\r\n")?;
    server
        .client()?
        .expect("CONFIG SET requirepass secret", "+OK\r\n")?;
    let mut client = Client::connect(&outside)?;
    client.expect("PING", "-NOAUTH Authentication required.\r\n")
}

fn a_string_never_grows_beyond_the_limit(stage: &Stage) -> Result<()> {
    let server = stage.start()?;
    let mut client = server.client()?;
    let refusal = "-ERR string exceeds maximum allowed size (proto-max-bulk-len)\r\n";
    for command in ["SETRANGE k 536870912 x", "SETRANGE k 4294967296 x"] {
        client.expect(command, refusal)?;
    }
    let reply = client.say("SETRANGE k 9223372036854775807 x")?;
    if !reply.is_error() {
        bail!("an offset that overflows is refused, not answered with {reply}");
    }
    client.expect("EXISTS k", ":0\r\n")
}

each_poller!(
    clients_beyond_maxclients_are_refused,
    idle_clients_are_closed_and_subscribers_are_not,
    a_query_beyond_its_limit_closes_the_client,
    bulks_beyond_proto_max_bulk_len_are_protocol_errors,
    a_client_over_its_hard_output_limit_is_closed,
    a_client_over_its_soft_output_limit_is_closed_in_time,
    a_backlog_of_one_turn_is_seen_and_closed,
    a_subscriber_that_never_reads_is_closed,
    renamed_commands_have_only_their_new_name,
    a_password_can_be_set_and_taken_away_live,
    strangers_that_never_read_are_closed,
    debug_and_protected_configs_are_refused_by_default,
    protected_mode_refuses_clients_from_outside,
    a_string_never_grows_beyond_the_limit,
);
