//! A server that keeps a cache for some time: one that is started for it, or one that runs.

use std::net::{SocketAddr, ToSocketAddrs as _};

use anyhow::{Context as _, Result, bail};

use super::load::name;
use crate::load::client::{Client, Reply, encode};
use crate::server::pinning::Pinning;
use crate::server::process::{Scratch, Server};
use crate::server::systems::{Kind, System};

/// Commands sent together while a server is filled.
const TOGETHER: u32 = 64;
/// What is set for a measurement.
const SETTINGS: [&str; 2] = ["maxmemory", "maxmemory-policy"];

/// A server that takes part.
#[derive(Clone, Debug)]
pub(crate) struct Target {
    /// What it is, and how it is started if it does not run.
    pub(crate) system: System,
    /// Where it runs.
    pub(crate) live: Option<SocketAddr>,
}

impl Target {
    /// A running server, given as `ADDR` or `NAME=ADDR`.
    ///
    /// # Errors
    /// If that is no address.
    pub(crate) fn live(text: &str) -> Result<Self> {
        let (name, addr) = text.split_once('=').unwrap_or((text, text));
        let mut found = addr
            .to_socket_addrs()
            .with_context(|| format!("'{addr}' is no HOST:PORT"))?;
        let live = found
            .next()
            .with_context(|| format!("'{addr}' has no address"))?;
        Ok(Self {
            system: System {
                name: name.to_owned(),
                kind: Kind::Peer,
                words: vec![addr.to_owned()],
            },
            live: Some(live),
        })
    }
}

/// Whether what a running server holds may go.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum Flush {
    /// Only if it holds nothing.
    Refuse,
    /// It may.
    Allow,
}

/// The server and a connection.
#[derive(Debug)]
pub(super) struct Session {
    pub(super) client: Client,
    /// Its process, if it is on this machine.
    pub(super) pid: Option<u32>,
    /// What a running server is given back.
    settings: Vec<(&'static str, String)>,
    /// Ends with the session.
    server: Option<Server>,
}

impl Session {
    /// Starts a server, or connects to one and empties it.
    ///
    /// # Errors
    /// If it cannot be had, or holds keys that may not go.
    pub(super) fn open(
        target: &Target,
        pinning: &Pinning,
        scratch: &Scratch,
        flush: Flush,
    ) -> Result<Self> {
        let Some(addr) = target.live else {
            let server = Server::start(&target.system, pinning, scratch)?;
            return Ok(Self {
                client: server.client()?,
                pid: Some(server.pid()),
                settings: Vec::new(),
                server: Some(server),
            });
        };
        let mut client = Client::connect(addr).with_context(|| format!("connecting to {addr}"))?;
        let keys = number(&mut client, &["DBSIZE"])?;
        if keys > 0 && flush == Flush::Refuse {
            bail!("it holds {keys} keys, which would be lost; --flush says that they may");
        }
        let pid = client.info("server", "process_id")?;
        let mut session = Self {
            pid: pid
                .and_then(|pid| pid.parse().ok())
                .filter(|_| addr.ip().is_loopback()),
            client,
            settings: Vec::new(),
            server: None,
        };
        for name in SETTINGS {
            let value = session.setting(name)?;
            session.settings.push((name, value));
        }
        session.ask(&["FLUSHALL"])?;
        Ok(session)
    }

    /// Gives a running server back as it was, but empty.
    ///
    /// # Errors
    /// If it does not answer, or has ended.
    pub(super) fn close(mut self) -> Result<()> {
        if let Some(server) = &mut self.server {
            return server.ensure_alive();
        }
        self.ask(&["FLUSHALL"])?;
        for (name, value) in std::mem::take(&mut self.settings) {
            self.ask(&["CONFIG", "SET", name, &value])?;
        }
        Ok(())
    }

    /// What it says it is.
    pub(super) fn version(&mut self) -> String {
        match &self.server {
            Some(server) => server.version().to_owned(),
            None => {
                let version = self.client.info("server", "redis_version").ok().flatten();
                version.unwrap_or_else(|| "none".to_owned())
            }
        }
    }

    /// Sends a command that must not be refused.
    ///
    /// # Errors
    /// With the refusal.
    pub(super) fn ask(&mut self, args: &[&str]) -> Result<Reply> {
        match self.client.ask(args)? {
            Reply::Error(error) => bail!("{}: {error}", args.join(" ")),
            reply => Ok(reply),
        }
    }

    fn setting(&mut self, name: &str) -> Result<String> {
        match self.ask(&["CONFIG", "GET", name])? {
            Reply::Many(pair) if pair.len() == 2 => pair[1].clone().into_text(),
            other => bail!("CONFIG GET {name}: {other:?}"),
        }
    }

    /// Sets limit and policy.
    ///
    /// # Errors
    /// With the refusal.
    pub(super) fn limit(&mut self, maxmemory: u64, policy: &str) -> Result<()> {
        if let Reply::Error(error) = self.client.ask(&["CONFIG", "SET", SETTINGS[1], policy])? {
            // Some servers go on with all the names that they know.
            bail!("{}", error.split(" - ").next().unwrap_or_default());
        }
        self.ask(&["CONFIG", "SET", "maxmemory", &maxmemory.to_string()])?;
        Ok(())
    }

    /// A number of `INFO`.
    ///
    /// # Errors
    /// If there is none by that name.
    pub(super) fn info(&mut self, section: &str, field: &str) -> Result<u64> {
        let text = self.client.info(section, field)?;
        let number = text.and_then(|text| text.parse().ok());
        number.with_context(|| format!("INFO {section} has no {field}"))
    }

    /// How many keys there are.
    ///
    /// # Errors
    /// If it does not say.
    pub(super) fn keys(&mut self) -> Result<u64> {
        number(&mut self.client, &["DBSIZE"])
    }

    /// Writes so many keys without a limit; bytes of `used_memory` before, and what it grew by.
    ///
    /// # Errors
    /// If a write is refused.
    pub(super) fn fill(&mut self, keys: u32, value: &str) -> Result<(u64, u64)> {
        self.ask(&["CONFIG", "SET", "maxmemory", "0"])?;
        let before = self.info("memory", "used_memory")?;
        let mut requests = Vec::new();
        for first in (0..keys).step_by(usize::try_from(TOGETHER)?) {
            requests.clear();
            let some = first..keys.min(first.saturating_add(TOGETHER));
            for key in some.clone() {
                encode(&["SET", &name(key), value], &mut requests);
            }
            self.client.write(&requests)?;
            for _ in some {
                if let Reply::Error(error) = self.client.answer()? {
                    bail!("a SET without a limit was refused: {error}");
                }
            }
        }
        let after = self.info("memory", "used_memory")?;
        Ok((before, after.saturating_sub(before)))
    }
}

fn number(client: &mut Client, args: &[&str]) -> Result<u64> {
    match client.ask(args)? {
        Reply::Number(number) => Ok(u64::try_from(number)?),
        other => bail!("{}: {other:?}", args.join(" ")),
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use std::io::{Read as _, Write as _};
    use std::net::TcpListener;

    #[test]
    fn running_servers_have_an_address_and_perhaps_a_name() {
        let own = Target::live("old=127.0.0.1:7").unwrap();
        assert_eq!(
            (own.system.name.as_str(), own.live.unwrap().port()),
            ("old", 7)
        );
        assert_eq!(
            Target::live("127.0.0.1:8").unwrap().system.name,
            "127.0.0.1:8"
        );
        for bad in ["", "x=", "127.0.0.1", "x=127.0.0.1:port"] {
            assert!(Target::live(bad).is_err(), "{bad}");
        }
    }

    #[test]
    fn server_that_holds_keys_is_left_alone() {
        let listener = TcpListener::bind("127.0.0.1:0").unwrap();
        let target = Target::live(&listener.local_addr().unwrap().to_string()).unwrap();
        let server = std::thread::spawn(move || {
            let (mut stream, _) = listener.accept().unwrap();
            stream.write_all(b":5\r\n").unwrap();
            let mut asked = String::new();
            stream.read_to_string(&mut asked).unwrap();
            asked
        });
        let name = format!("dovetail-bench-live-{}", std::process::id());
        let directory = std::env::temp_dir().join(name);
        let scratch = Scratch::create_in(&directory).unwrap();
        let opened = Session::open(&target, &Pinning::default(), &scratch, Flush::Refuse);
        drop(scratch);
        std::fs::remove_dir(&directory).unwrap();
        let error = opened.unwrap_err().to_string();
        assert!(
            error.contains("holds 5 keys") && error.contains("--flush"),
            "{error}"
        );
        assert_eq!(server.join().unwrap(), "*1\r\n$6\r\nDBSIZE\r\n");
    }
}
