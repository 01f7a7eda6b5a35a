//! Servers as child processes: start, wait until they answer, signal, stop, and keep their log.

use std::fs::{self, File, OpenOptions};
use std::io::Write;
use std::net::TcpListener;
use std::os::unix::process::ExitStatusExt;
use std::path::{Path, PathBuf};
use std::process::{Child, Command, ExitStatus, Stdio};
use std::sync::atomic::{AtomicU32, Ordering};
use std::time::Instant;

use anyhow::{Context, Result, bail};

use crate::client::{Address, Client};
use crate::deadline::{PATIENCE, until};

/// A directory that is removed with the value, unless a test is failing.
#[derive(Debug)]
pub struct TempDir {
    path: PathBuf,
}

impl TempDir {
    /// Makes one of a new name under the system's directory for temporary files.
    ///
    /// # Errors
    /// When that cannot be written.
    pub fn new() -> Result<Self> {
        static NEXT: AtomicU32 = AtomicU32::new(0);
        let number = NEXT.fetch_add(1, Ordering::Relaxed);
        let name = format!("dovetail-tests-{}-{number}", std::process::id());
        let path = std::env::temp_dir().join(name);
        fs::create_dir_all(&path).with_context(|| format!("making {}", path.display()))?;
        Ok(Self { path })
    }

    /// Where it is.
    #[must_use]
    pub fn path(&self) -> &Path {
        &self.path
    }
}

impl Drop for TempDir {
    fn drop(&mut self) {
        if !std::thread::panicking() {
            fs::remove_dir_all(&self.path).unwrap_or_default();
        }
    }
}

/// A port on 127.0.0.1 that was free a moment ago.
///
/// # Errors
/// When the machine has none.
pub fn free_port() -> Result<u16> {
    let listener = TcpListener::bind(("127.0.0.1", 0)).context("looking for a free port")?;
    Ok(listener.local_addr()?.port())
}

/// What to start and how.
#[derive(Clone, Debug)]
pub struct Launch {
    program: PathBuf,
    options: Vec<(String, Vec<String>)>,
    file: Option<String>,
    text: Option<String>,
    stdin: Option<Vec<u8>>,
}

impl Launch {
    /// A server on 127.0.0.1 that saves nothing and allows DEBUG.
    #[must_use]
    pub fn new(program: &Path) -> Self {
        Self::bare(program)
            .option("bind", "127.0.0.1")
            .option("save", "")
            .option("enable-debug-command", "yes")
            .option("enable-protected-configs", "yes")
    }

    /// A server without any option; the port, the directory and the log are still ours.
    #[must_use]
    pub fn bare(program: &Path) -> Self {
        Self {
            program: program.to_owned(),
            options: Vec::new(),
            file: None,
            text: None,
            stdin: None,
        }
    }

    /// Adds `--name value`; a value of several words is split at spaces.
    #[must_use]
    pub fn option(mut self, name: &str, value: &str) -> Self {
        let words = value.split(' ').map(str::to_owned).collect();
        self.options.retain(|(known, _)| known != name);
        self.options.push((name.to_owned(), words));
        self
    }

    /// Takes an option away.
    #[must_use]
    pub fn without(mut self, name: &str) -> Self {
        self.options.retain(|(known, _)| known != name);
        self
    }

    /// Gives it a configuration file of this text, named `server.conf` in its directory.
    #[must_use]
    pub fn config(mut self, text: &str) -> Self {
        self.file = Some("server.conf".to_owned());
        self.text = Some(text.to_owned());
        self
    }

    /// Gives it a configuration file that is in its directory already.
    #[must_use]
    pub fn reuse(mut self, file: &str) -> Self {
        self.file = Some(file.to_owned());
        self.text = None;
        self
    }

    /// Feeds it these bytes on standard input; the first argument is then `-`.
    #[must_use]
    pub fn stdin(mut self, bytes: &[u8]) -> Self {
        self.stdin = Some(bytes.to_vec());
        self
    }

    /// Starts it on a free port and waits until it answers a PING.
    ///
    /// # Errors
    /// When it ends or stays silent; the error shows its log.
    pub fn start(&self) -> Result<Server> {
        for _ in 0..5 {
            let mut server = self.spawn(free_port()?)?;
            match server.wait_ready() {
                Ok(()) => return Ok(server),
                Err(_) if server.log().contains("Failed listening on port") => {}
                Err(error) => return Err(error),
            }
        }
        bail!("somebody else took the free port, five times in a row")
    }

    /// Starts it on `port` and waits for nothing.
    ///
    /// # Errors
    /// When the program cannot be run.
    pub fn spawn(&self, port: u16) -> Result<Server> {
        self.spawn_in(TempDir::new()?, port)
    }

    /// Starts it in a directory that exists already.
    ///
    /// # Errors
    /// When the program cannot be run.
    pub fn spawn_in(&self, dir: TempDir, port: u16) -> Result<Server> {
        let log = dir.path().join("stdout.log");
        let mut command = self.command(&dir, port)?;
        let out = append(&log)?;
        command.stdout(out.try_clone()?).stderr(out);
        command.stdin(if self.stdin.is_some() {
            Stdio::piped()
        } else {
            Stdio::null()
        });
        let mut child = command
            .spawn()
            .with_context(|| format!("starting the server {}", self.program.display()))?;
        if let (Some(bytes), Some(mut pipe)) = (&self.stdin, child.stdin.take()) {
            pipe.write_all(bytes)
                .context("feeding the server's standard input")?;
        }
        Ok(Server {
            child,
            port,
            log,
            dir: Some(dir),
            ended: None,
        })
    }

    fn command(&self, dir: &TempDir, port: u16) -> Result<Command> {
        let mut command = Command::new(&self.program);
        command.current_dir(dir.path());
        if let Some(file) = &self.file {
            if let Some(text) = &self.text {
                fs::write(dir.path().join(file), text).context("writing the configuration")?;
            }
            command.arg(file);
        }
        if self.stdin.is_some() {
            command.arg("-");
        }
        command.arg("--port").arg(port.to_string());
        command.arg("--dir").arg(dir.path());
        for (name, words) in &self.options {
            command.arg(format!("--{name}")).args(words);
        }
        Ok(command)
    }
}

fn append(path: &Path) -> Result<File> {
    OpenOptions::new()
        .append(true)
        .create(true)
        .open(path)
        .with_context(|| format!("opening {}", path.display()))
}

/// A running server; it is killed when the value goes.
#[derive(Debug)]
pub struct Server {
    child: Child,
    port: u16,
    log: PathBuf,
    dir: Option<TempDir>,
    ended: Option<ExitStatus>,
}

impl Server {
    /// Waits for `Ready to accept` in the log and an answer to PING.
    ///
    /// # Errors
    /// When it ends first or neither comes in time.
    pub fn wait_ready(&mut self) -> Result<()> {
        self.wait_log("Ready to accept")?;
        let address = self.address();
        until("an answer to PING", || {
            let Ok(mut client) = Client::connect(&address) else {
                return Ok(None);
            };
            client.send_raw(b"PING\r\n\n")?;
            Ok(client.read().ok())
        })?;
        Ok(())
    }

    /// Waits until the log contains `text`.
    ///
    /// # Errors
    /// When the server ends first or the text doesn't come in time.
    pub fn wait_log(&mut self, text: &str) -> Result<()> {
        let deadline = Instant::now() + PATIENCE;
        loop {
            let ended = self.poll_exit()?;
            if self.log().contains(text) {
                return Ok(());
            }
            if ended.is_some() || Instant::now() > deadline {
                let state = ended.map_or("it still runs".to_owned(), |status| status.to_string());
                bail!(
                    "the log has no {text:?} ({state}); it says:\n{}",
                    self.log()
                );
            }
            std::thread::sleep(std::time::Duration::from_millis(2));
        }
    }

    /// Everything it wrote to standard output and standard error.
    #[must_use]
    pub fn log(&self) -> String {
        String::from_utf8_lossy(&fs::read(&self.log).unwrap_or_default()).into_owned()
    }

    /// Its TCP address.
    #[must_use]
    pub fn address(&self) -> Address {
        Address::local(self.port)
    }

    /// Its TCP port.
    #[must_use]
    pub fn port(&self) -> u16 {
        self.port
    }

    /// Its process id.
    #[must_use]
    pub fn pid(&self) -> u32 {
        self.child.id()
    }

    /// Its directory.
    ///
    /// # Panics
    /// After `into_dir`, which consumes the server.
    #[must_use]
    pub fn dir(&self) -> &Path {
        self.dir
            .as_ref()
            .expect("the directory lives as long as the server")
            .path()
    }

    /// A new connection over TCP.
    ///
    /// # Errors
    /// When it is refused.
    pub fn client(&self) -> Result<Client> {
        Client::connect(&self.address())
            .with_context(|| format!("the server's log ends with:\n{}", tail(&self.log())))
    }

    /// A new connection over TCP that speaks RESP3.
    ///
    /// # Errors
    /// When it is refused.
    pub fn client_resp3(&self) -> Result<Client> {
        Client::connect_resp3(&self.address())
    }

    /// Sends a signal by name, such as `TERM`.
    ///
    /// # Errors
    /// When the process is gone.
    pub fn signal(&self, name: &str) -> Result<()> {
        let status = Command::new("sh")
            .arg("-c")
            .arg(format!("kill -{name} {}", self.pid()))
            .status()
            .context("running kill")?;
        if !status.success() {
            bail!("kill -{name} {} failed", self.pid());
        }
        Ok(())
    }

    /// How it ended, when it has.
    ///
    /// # Errors
    /// When the system doesn't say.
    pub fn poll_exit(&mut self) -> Result<Option<ExitStatus>> {
        if self.ended.is_none() {
            self.ended = self
                .child
                .try_wait()
                .context("asking for the exit status")?;
        }
        Ok(self.ended)
    }

    /// Waits until it has ended: the exit code, or 128 and the signal.
    ///
    /// # Errors
    /// When it doesn't end in time.
    pub fn wait_exit(&mut self) -> Result<i32> {
        let deadline = Instant::now() + PATIENCE;
        while Instant::now() < deadline {
            if let Some(status) = self.poll_exit()? {
                return Ok(exit_code(status));
            }
            std::thread::sleep(std::time::Duration::from_millis(2));
        }
        bail!("the server doesn't end; its log:\n{}", tail(&self.log()))
    }

    /// Fails when the server has ended.
    ///
    /// # Errors
    /// With its exit status and the end of its log.
    pub fn assert_alive(&mut self) -> Result<()> {
        if let Some(status) = self.poll_exit()? {
            bail!(
                "the server ended ({status}); its log ends with:\n{}",
                tail(&self.log())
            );
        }
        Ok(())
    }

    /// Kills it if need be and hands its directory over, for a second start in the same place.
    ///
    /// # Panics
    /// Never: the directory is there until this is called, and this consumes the server.
    #[must_use]
    pub fn into_dir(mut self) -> TempDir {
        self.kill();
        self.dir.take().expect("taken only here")
    }

    /// Microseconds of CPU it has used so far, user and system.
    ///
    /// # Errors
    /// When the process is gone.
    pub fn cpu_micros(&self) -> Result<u64> {
        let stat = fs::read_to_string(format!("/proc/{}/stat", self.pid()))?;
        let after = stat.rsplit(')').next().unwrap_or_default();
        let fields: Vec<&str> = after.split_whitespace().collect();
        let ticks = |at: usize| {
            fields
                .get(at)
                .and_then(|f| f.parse::<u64>().ok())
                .unwrap_or(0)
        };
        Ok((ticks(11) + ticks(12)) * 10_000)
    }

    fn kill(&mut self) {
        if !matches!(self.poll_exit(), Ok(Some(_))) {
            self.child.kill().unwrap_or_default();
            self.ended = self.child.wait().ok();
        }
    }
}

impl Drop for Server {
    fn drop(&mut self) {
        self.kill();
    }
}

/// The exit code, or 128 and the signal's number.
#[must_use]
pub fn exit_code(status: ExitStatus) -> i32 {
    status
        .code()
        .or_else(|| status.signal().map(|signal| 128 + signal))
        .unwrap_or(-1)
}

/// The last lines of a log.
#[must_use]
pub fn tail(log: &str) -> String {
    let lines: Vec<&str> = log.lines().collect();
    lines[lines.len().saturating_sub(15)..].join("\n")
}
