//! One server process on a free port of 127.0.0.1, with a directory of its own.

use std::fs::{self, File};
use std::net::{Ipv4Addr, SocketAddr, TcpListener};
use std::path::{Path, PathBuf};
use std::process::{Child, Command, ExitStatus, Stdio};
use std::thread;
use std::time::{Duration, Instant};

use anyhow::{Context as _, Result, bail};

use super::pinning::Pinning;
use super::systems::System;
use crate::load::client::{Client, Reply};

/// How long a server may take to answer its first PING.
const STARTING: Duration = Duration::from_secs(30);

/// How long a server may take to end when it is asked to.
const ENDING: Duration = Duration::from_secs(60);

/// What a server says goes there, in its directory.
const LOG: &str = "log";

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
        Self::create_in(&std::env::temp_dir())
    }

    /// A new directory in another, whose disk is wanted.
    ///
    /// # Errors
    /// As the system says.
    pub(crate) fn create_in(directory: &Path) -> Result<Self> {
        let path = directory.join(format!("dovetail-bench-{}", std::process::id()));
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

/// How a server is started where a measurement cares.
#[derive(Clone, Debug)]
pub(crate) struct Start<'a> {
    /// Its working directory, made if it is missing; what it stores stays there.
    pub(crate) directory: PathBuf,
    /// What its command ends with.
    pub(crate) options: &'a [String],
    /// How long it may take to answer its first PING with anything but an error.
    pub(crate) patience: Duration,
}

/// A running server.
#[derive(Debug)]
pub(crate) struct Server {
    name: String,
    version: String,
    addr: SocketAddr,
    child: Child,
    directory: PathBuf,
    ready_after: Duration,
}

impl Server {
    /// Starts `system` and waits until it answers.
    ///
    /// # Errors
    /// If it does not, with the end of what it said.
    pub(crate) fn start(system: &System, pinning: &Pinning, scratch: &Scratch) -> Result<Self> {
        let start = |port| Start {
            directory: scratch.path().join(format!("{}-{port}", system.name)),
            options: &[],
            patience: STARTING,
        };
        Self::start_anywhere(system, pinning, &start)
    }

    /// Starts `system` in a directory and with options, and waits until it answers.
    ///
    /// # Errors
    /// If it does not, with the end of what it said.
    pub(crate) fn start_in(system: &System, pinning: &Pinning, start: &Start<'_>) -> Result<Self> {
        Self::start_anywhere(system, pinning, &|_| start.clone())
    }

    fn start_anywhere<'a>(
        system: &System,
        pinning: &Pinning,
        start: &dyn Fn(u16) -> Start<'a>,
    ) -> Result<Self> {
        let mut attempt = 1;
        loop {
            let port = free_port()?;
            match Self::try_start(system, pinning, port, &start(port)) {
                Err(error) if attempt < ATTEMPTS && format!("{error:#}").contains("in use") => {
                    attempt += 1;
                }
                outcome => return outcome,
            }
        }
    }

    fn try_start(system: &System, pinning: &Pinning, port: u16, start: &Start<'_>) -> Result<Self> {
        let directory = start.directory.clone();
        fs::create_dir_all(&directory)?;
        let mut words = pinning.server_prefix();
        words.extend(system.command(port, start.options));
        let (program, args) = words.split_first().context("a command without words")?;
        let output = File::create(directory.join(LOG))?;
        let begin = Instant::now();
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
            directory,
            ready_after: Duration::ZERO,
        };
        server.wait_until_ready(begin + start.patience)?;
        server.ready_after = begin.elapsed();
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

    /// How long it took from the start of its process to the first PONG.
    pub(crate) fn ready_after(&self) -> Duration {
        self.ready_after
    }

    /// Bytes of the files in its directory, but for what it said.
    pub(crate) fn kept_bytes(&self) -> u64 {
        bytes_at(&self.directory).saturating_sub(bytes_at(&self.directory.join(LOG)))
    }

    /// Ends it as an operator would, so that all it has logged is on the disk, but without a
    /// last snapshot.
    ///
    /// # Errors
    /// If it does not end, or not well.
    pub(crate) fn shut_down(mut self) -> Result<()> {
        // It answers by closing the connection, or with an error that says why it stays.
        let said = self.client()?.ask(&["SHUTDOWN", "NOSAVE"]).ok();
        let deadline = Instant::now() + ENDING;
        while Instant::now() < deadline {
            if let Some(status) = self.child.try_wait()? {
                return self.expect_success(status);
            }
            thread::sleep(Duration::from_millis(5));
        }
        bail!("{} does not end; it answered {said:?}", self.name)
    }

    fn expect_success(&self, status: ExitStatus) -> Result<()> {
        if status.success() {
            return Ok(());
        }
        let said = self.last_words();
        bail!(
            "{} ended badly ({status}); it said last:\n{said}",
            self.name
        )
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

    fn wait_until_ready(&mut self, deadline: Instant) -> Result<()> {
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
        let said = fs::read_to_string(self.directory.join(LOG)).unwrap_or_default();
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

/// Bytes of a file, or of all files below a directory; 0 of what is not there.
fn bytes_at(path: &Path) -> u64 {
    let Ok(described) = fs::metadata(path) else {
        return 0;
    };
    if described.is_file() {
        return described.len();
    }
    let entries = fs::read_dir(path).into_iter().flatten().flatten();
    entries.map(|entry| bytes_at(&entry.path())).sum()
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
    fn bytes_are_those_of_all_files_below() {
        let name = format!("dovetail-bench-bytes-{}", std::process::id());
        let directory = std::env::temp_dir().join(name);
        let below = directory.join("appendonlydir");
        fs::create_dir_all(&below).unwrap();
        fs::write(below.join("base"), [0; 7]).unwrap();
        fs::write(below.join("tail"), [0; 5]).unwrap();
        let sizes = [&directory, &below.join("tail"), &below.join("none")].map(|at| bytes_at(at));
        fs::remove_dir_all(&directory).unwrap();
        assert_eq!(sizes, [12, 5, 0]);
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
