//! A blocking client that hides nothing: raw bytes out, raw bytes in, replies as `Value`.

use std::fmt;
use std::io::{ErrorKind, Read, Write};
use std::net::{Shutdown, SocketAddr, TcpStream};
use std::os::unix::net::UnixStream;
use std::path::PathBuf;
use std::time::Duration;

use anyhow::{Context, Result, bail};

use crate::deadline::PATIENCE;
use crate::value::{Value, escape, request};

/// Where a server listens.
#[derive(Clone, Debug)]
pub enum Address {
    /// A TCP socket.
    Tcp(SocketAddr),
    /// A unix socket.
    Unix(PathBuf),
}

impl Address {
    /// 127.0.0.1 and a port.
    #[must_use]
    pub fn local(port: u16) -> Self {
        Self::Tcp(SocketAddr::from(([127, 0, 0, 1], port)))
    }
}

#[derive(Debug)]
enum Stream {
    Tcp(TcpStream),
    Unix(UnixStream),
}

impl Stream {
    fn open(address: &Address) -> std::io::Result<Self> {
        match address {
            Address::Tcp(address) => {
                let stream = TcpStream::connect(address)?;
                stream.set_nodelay(true)?;
                stream.set_read_timeout(Some(PATIENCE))?;
                stream.set_write_timeout(Some(PATIENCE))?;
                Ok(Self::Tcp(stream))
            }
            Address::Unix(path) => {
                let stream = UnixStream::connect(path)?;
                stream.set_read_timeout(Some(PATIENCE))?;
                stream.set_write_timeout(Some(PATIENCE))?;
                Ok(Self::Unix(stream))
            }
        }
    }

    fn read(&mut self, into: &mut [u8]) -> std::io::Result<usize> {
        match self {
            Self::Tcp(stream) => stream.read(into),
            Self::Unix(stream) => stream.read(into),
        }
    }

    fn write_all(&mut self, bytes: &[u8]) -> std::io::Result<()> {
        match self {
            Self::Tcp(stream) => stream.write_all(bytes),
            Self::Unix(stream) => stream.write_all(bytes),
        }
    }

    fn shutdown(&self, how: Shutdown) -> std::io::Result<()> {
        match self {
            Self::Tcp(stream) => stream.shutdown(how),
            Self::Unix(stream) => stream.shutdown(how),
        }
    }

    fn set_read_timeout(&self, patience: Duration) -> std::io::Result<()> {
        match self {
            Self::Tcp(stream) => stream.set_read_timeout(Some(patience)),
            Self::Unix(stream) => stream.set_read_timeout(Some(patience)),
        }
    }
}

/// One connection.
pub struct Client {
    stream: Stream,
    input: Vec<u8>,
    taken: usize,
}

impl fmt::Debug for Client {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("Client")
            .field("unread", &escape(self.unread()))
            .finish_non_exhaustive()
    }
}

impl Client {
    /// Connects.
    ///
    /// # Errors
    /// When nobody listens there.
    pub fn connect(address: &Address) -> Result<Self> {
        let stream = Stream::open(address).with_context(|| format!("connecting to {address:?}"))?;
        Ok(Self {
            stream,
            input: Vec::new(),
            taken: 0,
        })
    }

    /// Connects and switches to RESP3.
    ///
    /// # Errors
    /// When nobody listens there, or HELLO fails.
    pub fn connect_resp3(address: &Address) -> Result<Self> {
        let mut client = Self::connect(address)?;
        let hello = client.call(&["HELLO", "3"])?;
        if hello.is_error() {
            bail!("HELLO 3 answered {hello}");
        }
        Ok(client)
    }

    /// Sends bytes as they are.
    ///
    /// # Errors
    /// When the connection is gone.
    pub fn send_raw(&mut self, bytes: &[u8]) -> Result<()> {
        self.stream.write_all(bytes).context("sending")
    }

    /// Sends one command as an array of bulk strings.
    ///
    /// # Errors
    /// When the connection is gone.
    pub fn send<A: AsRef<[u8]>>(&mut self, args: &[A]) -> Result<()> {
        self.send_raw(&request(args))
    }

    /// Reads one reply or push.
    ///
    /// # Errors
    /// When it doesn't come in time, is malformed, or the connection closes.
    pub fn read(&mut self) -> Result<Value> {
        loop {
            if let Some(value) = self.take()? {
                return Ok(value);
            }
            if self.fill()? == 0 {
                bail!(
                    "the server closed the connection; unread: {}",
                    escape(self.unread())
                );
            }
        }
    }

    /// Reads `count` replies.
    ///
    /// # Errors
    /// As `read`.
    pub fn read_many(&mut self, count: usize) -> Result<Vec<Value>> {
        (0..count).map(|_| self.read()).collect()
    }

    /// Sends a command and reads one reply.
    ///
    /// # Errors
    /// As `send` and `read`.
    pub fn call<A: AsRef<[u8]>>(&mut self, args: &[A]) -> Result<Value> {
        self.send(args)?;
        self.read()
    }

    /// `call` for a command written as words parted by single spaces.
    ///
    /// # Errors
    /// As `call`.
    pub fn say(&mut self, words: &str) -> Result<Value> {
        self.call(&words.split(' ').collect::<Vec<_>>())
    }

    /// `say` that demands a reply.
    ///
    /// # Errors
    /// As `call`, and when the reply is another one.
    pub fn expect(&mut self, words: &str, reply: &str) -> Result<()> {
        let got = self.say(words)?.encode();
        if got != reply.as_bytes() {
            bail!(
                "{words}: got {}, want {}",
                escape(&got),
                escape(reply.as_bytes())
            );
        }
        Ok(())
    }

    /// Sends all commands in one go, then reads a reply for each.
    ///
    /// # Errors
    /// As `send` and `read`.
    pub fn pipeline<A: AsRef<[u8]>>(&mut self, commands: &[Vec<A>]) -> Result<Vec<Value>> {
        let bytes: Vec<u8> = commands.iter().flat_map(|args| request(args)).collect();
        self.send_raw(&bytes)?;
        self.read_many(commands.len())
    }

    /// Says that nothing more will be sent; replies can still be read.
    ///
    /// # Errors
    /// When the connection is gone.
    pub fn finish_sending(&mut self) -> Result<()> {
        self.stream
            .shutdown(Shutdown::Write)
            .context("closing the sending half")
    }

    /// Reads until the server closes; a reset counts as a close.
    ///
    /// # Errors
    /// When the server neither sends nor closes in time.
    pub fn read_to_close(&mut self) -> Result<Vec<u8>> {
        loop {
            match self.fill() {
                Ok(0) => break,
                Ok(_) => {}
                Err(error) if was_reset(&error) => break,
                Err(error) => return Err(error),
            }
        }
        let rest = self.unread().to_vec();
        self.taken = self.input.len();
        Ok(rest)
    }

    /// Sends a PING and reads up to its answer: everything that had been queued before it.
    ///
    /// # Errors
    /// As `read`. Not for a connection inside MULTI, where PING is queued.
    pub fn drain(&mut self, token: &str) -> Result<Vec<Value>> {
        self.send(&["PING", token])?;
        let plain = Value::bulk(token);
        let subscribed = Value::bulks(&["pong", token]);
        let mut before = Vec::new();
        loop {
            let value = self.read()?;
            if value == plain || value == subscribed {
                return Ok(before);
            }
            before.push(value);
        }
    }

    /// How long a read may wait.
    ///
    /// # Errors
    /// When the connection is gone.
    pub fn set_patience(&mut self, patience: Duration) -> Result<()> {
        self.stream
            .set_read_timeout(patience)
            .context("setting the read timeout")
    }

    /// The bytes received and not yet read.
    #[must_use]
    pub fn unread(&self) -> &[u8] {
        &self.input[self.taken..]
    }

    /// This side's TCP address as CLIENT LIST shows it; empty for a unix socket.
    ///
    /// # Errors
    /// When the connection is gone.
    pub fn local_address(&self) -> Result<String> {
        match &self.stream {
            Stream::Tcp(stream) => Ok(stream.local_addr()?.to_string()),
            Stream::Unix(_) => Ok(String::new()),
        }
    }

    fn take(&mut self) -> Result<Option<Value>> {
        match Value::decode(self.unread()) {
            Ok(Some((value, length))) => {
                self.taken += length;
                if self.taken == self.input.len() {
                    self.input.clear();
                    self.taken = 0;
                }
                Ok(Some(value))
            }
            Ok(None) => Ok(None),
            Err(bad) => bail!(
                "malformed reply ({} at offset {}): {}",
                bad.what,
                bad.at,
                escape(self.unread())
            ),
        }
    }

    /// Receives what is there, at least one byte; 0 means closed.
    fn fill(&mut self) -> Result<usize> {
        let mut chunk = vec![0; 64 * 1024];
        loop {
            match self.stream.read(&mut chunk) {
                Ok(count) => {
                    self.input.extend_from_slice(&chunk[..count]);
                    return Ok(count);
                }
                Err(error) if error.kind() == ErrorKind::Interrupted => {}
                Err(error)
                    if matches!(error.kind(), ErrorKind::WouldBlock | ErrorKind::TimedOut) =>
                {
                    bail!("no reply in time; unread: {}", escape(self.unread()));
                }
                Err(error) => return Err(error).context("receiving"),
            }
        }
    }
}

fn was_reset(error: &anyhow::Error) -> bool {
    error
        .downcast_ref::<std::io::Error>()
        .is_some_and(|e| matches!(e.kind(), ErrorKind::ConnectionReset | ErrorKind::BrokenPipe))
}
