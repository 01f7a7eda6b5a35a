//! How the server ends: signals and SHUTDOWN.

use anyhow::{Context, Result, ensure};
use dovetail_tests::{Stage, each_poller};

fn signals_end_it_cleanly(stage: &Stage) -> Result<()> {
    for name in ["TERM", "INT"] {
        let mut server = stage.start()?;
        let mut idle = server.client()?;
        idle.expect("SET k v", "+OK\r\n")?;
        server.signal(name)?;
        let code = server.wait_exit().with_context(|| format!("SIG{name}"))?;
        let log = server.log();
        ensure!(code == 0, "SIG{name}: exit code {code}\n{log}");
        ensure!(log.contains("ready to exit, bye bye"), "SIG{name}:\n{log}");
        ensure!(
            idle.read_to_close()?.is_empty(),
            "clients are closed without a word"
        );
    }
    Ok(())
}

/// Whoever insists does not wait.
fn a_second_interrupt_ends_it_too(stage: &Stage) -> Result<()> {
    let mut server = stage.start()?;
    server.signal("INT")?;
    // It may be gone already.
    server.signal("INT").unwrap_or_default();
    let code = server.wait_exit()?;
    ensure!(code == 0 || code == 1, "exit code {code}\n{}", server.log());
    Ok(())
}

fn other_signals_change_nothing(stage: &Stage) -> Result<()> {
    let mut server = stage.start()?;
    for name in ["PIPE", "HUP", "CONT"] {
        server.signal(name)?;
        server.client()?.expect("PING", "+PONG\r\n")?;
    }
    server.assert_alive()
}

fn a_stopped_server_goes_on_where_it_was(stage: &Stage) -> Result<()> {
    let server = stage.start()?;
    let mut client = server.client()?;
    server.signal("STOP")?;
    client.send(&["SET", "k", "v"])?;
    server.signal("CONT")?;
    ensure!(
        client.read()?.encode() == b"+OK\r\n",
        "the command sent meanwhile is answered"
    );
    client.expect("GET k", "$1\r\nv\r\n")
}

fn shutdown_ends_it_without_a_reply(stage: &Stage) -> Result<()> {
    for command in [
        "SHUTDOWN",
        "SHUTDOWN NOSAVE",
        "SHUTDOWN NOW",
        "shutdown nosave now force",
    ] {
        let mut server = stage.start()?;
        let (mut client, mut other) = (server.client()?, server.client()?);
        client.expect("SET k v", "+OK\r\n")?;
        client.send(&command.split(' ').collect::<Vec<_>>())?;
        ensure!(
            client.read_to_close()?.is_empty(),
            "{command} is answered by the close"
        );
        ensure!(
            other.read_to_close()?.is_empty(),
            "{command} closes the others"
        );
        let code = server.wait_exit().with_context(|| command.to_owned())?;
        ensure!(code == 0, "{command}: exit code {code}\n{}", server.log());
        ensure!(
            server.log().contains("ready to exit, bye bye"),
            "{command}:\n{}",
            server.log()
        );
    }
    Ok(())
}

each_poller!(
    signals_end_it_cleanly,
    a_second_interrupt_ends_it_too,
    other_signals_change_nothing,
    a_stopped_server_goes_on_where_it_was,
    shutdown_ends_it_without_a_reply,
);
