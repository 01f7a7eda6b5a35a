//! Addresses and ports.

use std::net::{SocketAddr, TcpListener};

use anyhow::{Context, Result, ensure};
use dovetail_tests::process::free_port;
use dovetail_tests::{Address, Client, Stage, each_poller};

fn a_port_in_use_ends_the_start(stage: &Stage) -> Result<()> {
    let taken = TcpListener::bind(("127.0.0.1", 0))?;
    let mut server = stage.launch().spawn(taken.local_addr()?.port())?;
    let code = server.wait_exit()?;
    ensure!(code == 1, "exit code {code}\n{}", server.log());
    ensure!(
        server.log().contains("Failed listening on port"),
        "{}",
        server.log()
    );
    Ok(())
}

fn several_addresses_are_listened_on(stage: &Stage) -> Result<()> {
    // IPv6 is asked for with a dash: a machine without it starts all the same.
    let server = stage
        .launch()
        .option("bind", "127.0.0.1 127.0.0.2 -::1")
        .start()?;
    let port = server.port();
    let mut addresses: Vec<SocketAddr> = vec![
        SocketAddr::from(([127, 0, 0, 1], port)),
        SocketAddr::from(([127, 0, 0, 2], port)),
    ];
    if TcpListener::bind(("::1", 0)).is_ok() {
        addresses.push(SocketAddr::from(([0, 0, 0, 0, 0, 0, 0, 1], port)));
    }
    for address in addresses {
        let mut client = Client::connect(&Address::Tcp(address))?;
        client
            .expect("PING", "+PONG\r\n")
            .with_context(|| address.to_string())?;
        let info = client.say("CLIENT INFO")?.text();
        ensure!(info.contains(&format!(" laddr={address} ")), "{info}");
    }
    Ok(())
}

fn an_address_of_somebody_else_ends_the_start(stage: &Stage) -> Result<()> {
    // 192.0.2.0/24 is for documentation: nobody has it.
    let mut server = stage
        .launch()
        .option("bind", "192.0.2.1")
        .spawn(free_port()?)?;
    ensure!(server.wait_exit()? == 1, "{}", server.log());
    Ok(())
}

fn bind_and_port_change_live(stage: &Stage) -> Result<()> {
    let server = stage.start()?;
    let mut client = server.client()?;
    let other = free_port()?;
    client.expect(&format!("CONFIG SET port {other}"), "+OK\r\n")?;
    Client::connect(&Address::local(other))?.expect("PING", "+PONG\r\n")?;
    ensure!(
        Client::connect(&server.address()).is_err(),
        "the old port is closed"
    );
    client.expect("PING", "+PONG\r\n")?;
    let set = client.call(&["CONFIG", "SET", "bind", "127.0.0.1 127.0.0.2"])?;
    ensure!(!set.is_error(), "{set}");
    let second = SocketAddr::from(([127, 0, 0, 2], other));
    Client::connect(&Address::Tcp(second))?.expect("PING", "+PONG\r\n")?;
    let taken = TcpListener::bind(("127.0.0.1", 0))?;
    let refused = client.say(&format!("CONFIG SET port {}", taken.local_addr()?.port()))?;
    ensure!(refused.is_error(), "{refused}");
    Client::connect(&Address::local(other))?.expect("PING", "+PONG\r\n")
}

each_poller!(
    a_port_in_use_ends_the_start,
    several_addresses_are_listened_on,
    an_address_of_somebody_else_ends_the_start,
    bind_and_port_change_live,
);
