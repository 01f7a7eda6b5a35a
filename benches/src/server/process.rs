//! One server process on a free port of 127.0.0.1, with a directory of its own.

use std::fs::{self, File};
use std::net::{Ipv4Addr, SocketAddr, TcpListener};
use std::path::{Path, PathBuf};
use std::process::{Child, Command, Stdio};
use std::thread;
use std::time::{Duration, Instant};

use anyhow::{Context as _, Result, bail};

use super::pinning::Pinning;
use super::systems::System;
use crate::load::client::{Client, Reply};

/// How long a server may take to answer its first PING.
const STARTING: Duration = Duration::from_secs(30);

/// Bytes of a dead server's log that are shown.
const LOG_SHOWN: usize = 2_000;

/// How often a port may turn out to be taken.
const ATTEMPTS: usize = 3;

/// A directory that is removed in the end.
#[derive(Debug)]
pub(crate) struct Scratch {
    path: PathBuf,
}

impl Scratch {
    /// A new directory among the system's temporary files.
    ///
    /// # Errors
    /// As the system says.
    pub(crate) fn create() -> Result<Self> {
        let path = std::env::temp_dir().join(format!("dovetail-bench-{}", std::process::id()));
        fs::create_dir_all(&path).with_context(|| format!("creating {}", path.display()))?;
        Ok(Self { path })
    }

    /// Where it is.
    pub(crate) fn path(&self) -> &Path {
        &self.path
    }
}

impl Drop for Scratch {
    fn drop(&mut self) {
        // What cannot be removed is left to the system's own cleaning of temporary files.
        fs::remove_dir_all(&self.path).ok();
    }
}

/// A running server.
#[derive(Debug)]
pub(crate) struct Server {
    name: String,
    version: String,
    addr: SocketAddr,
    child: Child,
    log: PathBuf,
}

impl Server {
    /// Starts `system` and waits until it answers.
    ///
    /// # Errors
    /// If it does not, with the end of what it said.
    pub(crate) fn start(system: &System, pinning: &Pinning, scratch: &Scratch) -> Result<Self> {
        let mut attempt = 1;
        loop {
            match Self::try_start(system, pinning, scratch) {
                Err(error) if attempt < ATTEMPTS && format!("{error:#}").contains("in use") => {
                    attempt += 1;
                }
                outcome => return outcome,
            }
        }
    }

    fn try_start(system: &System, pinning: &Pinning, scratch: &Scratch) -> Result<Self> {
        let port = free_port()?;
        let directory = scratch.path().join(format!("{}-{port}", system.name));
        fs::create_dir_all(&directory)?;
        let log = directory.join("log");
        let mut words = pinning.server_prefix();
        words.extend(system.command(port));
        let (program, args) = words.split_first().context("a command without words")?;
        let output = File::create(&log)?;
        let child = Command::new(program)
            .args(args)
            .current_dir(&directory)
            .stdin(Stdio::null())
            .stdout(output.try_clone()?)
            .stderr(output)
            .spawn()
            .with_context(|| format!("starting {}: {}", system.name, words.join(" ")))?;
        let addr = SocketAddr::from((Ipv4Addr::LOCALHOST, port));
        let name = system.name.clone();
        let mut server = Self {
            name,
            version: String::new(),
            addr,
            child,
            log,
        };
        server.wait_until_ready()?;
        server.version = server.ask_version()?;
        Ok(server)
    }

    /// The system's name.
    pub(crate) fn name(&self) -> &str {
        &self.name
    }

    /// What it says it is.
    pub(crate) fn version(&self) -> &str {
        &self.version
    }

    /// Where it listens.
    pub(crate) fn addr(&self) -> SocketAddr {
        self.addr
    }

    /// Its process.
    pub(crate) fn pid(&self) -> u32 {
        self.child.id()
    }

    /// A blocking connection.
    ///
    /// # Errors
    /// If it does not accept.
    pub(crate) fn client(&self) -> Result<Client> {
        Client::connect(self.addr).with_context(|| format!("connecting to {}", self.name))
    }

    /// Refuses to go on with a server that has ended.
    ///
    /// # Errors
    /// With its exit status and the end of what it said.
    pub(crate) fn ensure_alive(&mut self) -> Result<()> {
        match self.child.try_wait()? {
            None => Ok(()),
            Some(status) => {
                let said = self.last_words();
                bail!("{} has ended ({status}); it said last:\n{said}", self.name)
            }
        }
    }

    fn wait_until_ready(&mut self) -> Result<()> {
        let deadline = Instant::now() + STARTING;
        loop {
            self.ensure_alive()?;
            if let Ok(mut client) = Client::connect(self.addr)
                && let Ok(Reply::Text(Some(text))) = client.ask(&["PING"])
                && text == b"PONG"
            {
                return Ok(());
            }
            if Instant::now() > deadline {
                let said = self.last_words();
                bail!("{} does not answer PING; it said last:\n{said}", self.name);
            }
            thread::sleep(Duration::from_millis(10));
        }
    }

    fn ask_version(&self) -> Result<String> {
        let Reply::Text(Some(info)) = self.client()?.ask(&["INFO", "server"])? else {
            return Ok("none".to_owned());
        };
        Ok(version_from(&String::from_utf8_lossy(&info)))
    }

    fn last_words(&self) -> String {
        let said = fs::read_to_string(&self.log).unwrap_or_default();
        let from = said.len().saturating_sub(LOG_SHOWN);
        said.get(from..).unwrap_or(&said).trim().to_owned()
    }
}

impl Drop for Server {
    fn drop(&mut self) {
        // It holds nothing worth saving; both calls fail only if it has ended already.
        self.child.kill().ok();
        self.child.wait().ok();
    }
}

fn free_port() -> Result<u16> {
    let listener = TcpListener::bind((Ipv4Addr::LOCALHOST, 0)).context("looking for a port")?;
    Ok(listener.local_addr()?.port())
}

/// The most telling version in the text of `INFO server`.
fn version_from(info: &str) -> String {
    for product in ["dovetail", "valkey", "redis"] {
        let field = format!("{product}_version:");
        if let Some(version) = info.lines().find_map(|line| line.strip_prefix(&field)) {
            return format!("{product} {}", version.trim());
        }
    }
    "none".to_owned()
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::server::systems::Kind;

    #[test]
    fn own_version_goes_before_the_compatible_one() {
        let info = "# Server\r\nredis_version:7.2.4\r\nvalkey_version:9.1.2\r\n";
        assert_eq!(version_from(info), "valkey 9.1.2");
        assert_eq!(version_from("redis_version:7.0.15\r\n"), "redis 7.0.15");
        assert_eq!(version_from(""), "none");
    }

    #[test]
    fn server_that_dies_is_reported_with_its_words() {
        let words = ["sh", "-c", "echo no such luck; exit 3", "{port}"].map(str::to_owned);
        let system = System {
            name: "sick".to_owned(),
            kind: Kind::Peer,
            words: words.to_vec(),
        };
        let scratch = Scratch::create().unwrap();
        let error = Server::start(&system, &Pinning::default(), &scratch).unwrap_err();
        assert!(error.to_string().contains("no such luck"), "{error:#}");
    }
}
