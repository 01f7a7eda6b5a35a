//! A blocking client: asks a server questions, and fills it with keys.

use std::io::{self, BufRead, BufReader, Read, Write};
use std::net::{SocketAddr, TcpStream};
use std::time::Duration;

use anyhow::{Context as _, Result, bail};

use super::keys::{DIGITS, write_digits};
use super::replies::{Scanner, Tally};
use super::request::Request;
use super::workload::Preload;

/// How long a server may take for one answer before it is given up.
const PATIENCE: Duration = Duration::from_secs(120);

/// Bytes of requests sent before the replies are collected. Small enough for the replies to wait
/// in socket buffers while the requests are still being written.
const CHUNK_BYTES: usize = 32 * 1024;

/// One reply.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(crate) enum Reply {
    /// A simple or bulk string; `None` for nil.
    Text(Option<Vec<u8>>),
    /// An integer.
    Number(i64),
    /// An error.
    Error(String),
    /// An array.
    Many(Vec<Self>),
}

impl Reply {
    /// The text of a string reply.
    ///
    /// # Errors
    /// If it is anything else.
    pub(crate) fn into_text(self) -> Result<String> {
        match self {
            Self::Text(Some(bytes)) => Ok(String::from_utf8_lossy(&bytes).into_owned()),
            other => bail!("expected a string, the server answered {other:?}"),
        }
    }
}

/// One connection.
#[derive(Debug)]
pub(crate) struct Client {
    stream: BufReader<TcpStream>,
    scanner: Scanner,
}

impl Client {
    /// Connects.
    ///
    /// # Errors
    /// As the system says.
    pub(crate) fn connect(addr: SocketAddr) -> io::Result<Self> {
        let stream = TcpStream::connect_timeout(&addr, PATIENCE)?;
        stream.set_nodelay(true)?;
        stream.set_read_timeout(Some(PATIENCE))?;
        stream.set_write_timeout(Some(PATIENCE))?;
        let stream = BufReader::with_capacity(64 * 1024, stream);
        Ok(Self {
            stream,
            scanner: Scanner::default(),
        })
    }

    /// Sends one command and reads its reply.
    ///
    /// # Errors
    /// If the connection fails or what comes is no reply.
    pub(crate) fn ask(&mut self, args: &[&str]) -> Result<Reply> {
        let mut request = Vec::new();
        encode(args, &mut request);
        self.stream.get_mut().write_all(&request)?;
        self.read_reply(0)
    }

    /// Reads the reply to what was written before.
    ///
    /// # Errors
    /// If the connection fails or what comes is no reply.
    pub(crate) fn answer(&mut self) -> Result<Reply> {
        self.read_reply(0)
    }

    /// One field of `INFO`.
    ///
    /// # Errors
    /// If the server does not answer.
    pub(crate) fn info(&mut self, section: &str, field: &str) -> Result<Option<String>> {
        let text = self.ask(&["INFO", section])?.into_text()?;
        Ok(info_field(&text, field).map(str::to_owned))
    }

    /// Writes requests.
    ///
    /// # Errors
    /// As the system says.
    pub(crate) fn write(&mut self, requests: &[u8]) -> io::Result<()> {
        self.stream.get_mut().write_all(requests)
    }

    /// Reads until `replies` more have come, and counts them.
    ///
    /// # Errors
    /// If the connection ends or what comes is no reply.
    pub(crate) fn collect(&mut self, replies: u64, tally: &mut Tally) -> Result<()> {
        let mut missing = replies;
        while missing > 0 {
            let bytes = self.stream.fill_buf()?;
            if bytes.is_empty() {
                bail!("the server closed the connection");
            }
            let taken = bytes.len();
            let came = self.scanner.feed(bytes, tally)?;
            self.stream.consume(taken);
            missing = missing.saturating_sub(came);
        }
        Ok(())
    }

    /// Fills the server with `keys` keys, calling `progress` with the number of keys so far.
    ///
    /// # Errors
    /// If the connection fails or the server refuses a write.
    pub(crate) fn fill(
        &mut self,
        keys: u32,
        filling: &Filling,
        progress: &mut dyn FnMut(u32),
    ) -> Result<()> {
        self.fill_with(
            keys,
            &|key, requests| filling.write(key, requests),
            progress,
        )
    }

    /// The same with what `write` appends for each key: one request.
    ///
    /// # Errors
    /// If the connection fails or the server refuses a write.
    pub(crate) fn fill_with(
        &mut self,
        keys: u32,
        write: &dyn Fn(u32, &mut Vec<u8>),
        progress: &mut dyn FnMut(u32),
    ) -> Result<()> {
        let mut tally = Tally::default();
        let mut requests = Vec::with_capacity(2 * CHUNK_BYTES);
        let mut next = 0;
        while next < keys {
            requests.clear();
            let from = next;
            while next < keys && requests.len() < CHUNK_BYTES {
                write(next, &mut requests);
                next += 1;
            }
            self.write(&requests)?;
            self.collect(u64::from(next - from), &mut tally)?;
            if let Some(error) = &tally.first_error {
                bail!("the server refused a write: {error}");
            }
            progress(next);
        }
        Ok(())
    }

    fn read_reply(&mut self, depth: usize) -> Result<Reply> {
        let mut line = String::new();
        self.stream
            .read_line(&mut line)
            .context("reading a reply")?;
        let Some(line) = line.strip_suffix("\r\n") else {
            bail!("the server closed the connection");
        };
        let (kind, body) = line.split_at_checked(1).context("an empty reply line")?;
        match kind {
            "+" => Ok(Reply::Text(Some(body.as_bytes().to_vec()))),
            "-" => Ok(Reply::Error(body.to_owned())),
            ":" => Ok(Reply::Number(body.parse()?)),
            "$" if body == "-1" => Ok(Reply::Text(None)),
            "$" => {
                let mut bytes = vec![0; body.parse::<usize>()? + 2];
                self.stream.read_exact(&mut bytes)?;
                bytes.truncate(bytes.len() - 2);
                Ok(Reply::Text(Some(bytes)))
            }
            "*" if body == "-1" => Ok(Reply::Text(None)),
            "*" if depth < 8 => {
                let count = body.parse::<usize>()?;
                let mut many = Vec::new();
                for _ in 0..count {
                    many.push(self.read_reply(depth + 1)?);
                }
                Ok(Reply::Many(many))
            }
            _ => bail!("not a reply: {line:?}"),
        }
    }
}

/// What a server is filled with: one request per key.
#[derive(Clone, Debug)]
pub(crate) struct Filling {
    request: Request,
    /// Where another number than the key's stands at the end.
    number: Option<usize>,
}

/// Seconds that keys with a time to live have at least; nothing may expire during a measurement.
const TTL_SECS: u32 = 40_000;

impl Filling {
    /// Strings of so many bytes.
    pub(crate) fn strings(value_bytes: usize) -> Self {
        Self::of("SET key:__key__ __data__", value_bytes)
    }

    /// Strings of so many bytes, with a time to live that differs from key to key.
    pub(crate) fn expiring_strings(value_bytes: usize) -> Self {
        let mut filling = Self::of(
            &format!("SET key:__key__ __data__ EX {TTL_SECS}"),
            value_bytes,
        );
        filling.number = Some(filling.request.len() - TTL_SECS.to_string().len() - 2);
        filling
    }

    /// Counters of eight digits, each another number.
    pub(crate) fn counters() -> Self {
        let mut filling = Self::of("SET cnt:__key__ 10000000", 0);
        filling.number = Some(filling.request.len() - "10000000\r\n".len());
        filling
    }

    /// What a command says, once per key.
    ///
    /// # Panics
    /// If it is none: tables are tested, and a user's command was parsed with the workload.
    pub(crate) fn of(text: &str, value_bytes: usize) -> Self {
        let request = Request::parse(text, value_bytes);
        Self {
            request: request.expect("parsed before, or a row of a table"),
            number: None,
        }
    }

    /// What a kind of preload asks for, and how often.
    pub(crate) fn for_preload(preload: &Preload, value_bytes: usize, keys: u32) -> (Self, u32) {
        match preload {
            Preload::Strings => (Self::strings(value_bytes), keys),
            Preload::Counters => (Self::counters(), keys),
            Preload::Said { text, times } => (Self::of(text, value_bytes), times.unwrap_or(keys)),
        }
    }

    /// Appends the request that writes key `number`.
    pub(crate) fn write(&self, number: u32, out: &mut Vec<u8>) {
        let base = out.len();
        self.request.write_numbered(number, out);
        // The two that write another number than the key's: deadlines of five digits and counters
        // of eight, which differ from key to key.
        if let Some(at) = self.number {
            let copy = &mut out[base..];
            let mut digits = [0; DIGITS];
            let width = copy.len() - 2 - at;
            let (least, spread) = if width == 5 {
                (TTL_SECS, 50_000)
            } else {
                (10_000_000, 80_000_000)
            };
            write_digits(&mut digits, least + number % spread);
            copy[at..at + width].copy_from_slice(&digits[DIGITS - width..]);
        }
    }
}

/// Appends a request.
pub(crate) fn encode(args: &[&str], out: &mut Vec<u8>) {
    out.extend_from_slice(format!("*{}\r\n", args.len()).as_bytes());
    for arg in args {
        out.extend_from_slice(format!("${}\r\n{arg}\r\n", arg.len()).as_bytes());
    }
}

/// The value of one field in the text of `INFO`.
pub(crate) fn info_field<'a>(text: &'a str, field: &str) -> Option<&'a str> {
    text.lines()
        .find_map(|line| line.strip_prefix(field)?.strip_prefix(':'))
        .map(str::trim)
}

#[cfg(test)]
mod tests {
    use std::net::TcpListener;

    use super::*;

    #[test]
    fn fillings_write_whole_requests() {
        let mut out = Vec::new();
        Filling::counters().write(42, &mut out);
        let text = "*3\r\n$3\r\nSET\r\n$16\r\ncnt:000000000042\r\n$8\r\n10000042\r\n";
        assert_eq!(String::from_utf8(out).unwrap(), text);
        let mut out = Vec::new();
        Filling::expiring_strings(0).write(7, &mut out);
        let text =
            "*5\r\n$3\r\nSET\r\n$16\r\nkey:000000000007\r\n$0\r\n\r\n$2\r\nEX\r\n$5\r\n40007\r\n";
        assert_eq!(String::from_utf8(out).unwrap(), text);
    }

    #[test]
    fn info_fields_are_found_by_their_whole_name() {
        let text = "# Memory\r\nused_memory_peak:9\r\nused_memory:7\r\n";
        assert_eq!(info_field(text, "used_memory"), Some("7"));
        assert_eq!(info_field(text, "used"), None);
    }

    #[test]
    fn replies_of_every_kind_are_read() {
        let listener = TcpListener::bind("127.0.0.1:0").unwrap();
        let addr = listener.local_addr().unwrap();
        let server = std::thread::spawn(move || {
            let (mut peer, _) = listener.accept().unwrap();
            peer.write_all(b"*4\r\n+a\r\n:-5\r\n$-1\r\n*1\r\n-ERR x\r\n$2\r\nok\r\n")
                .unwrap();
        });
        let mut client = Client::connect(addr).unwrap();
        let many = vec![
            Reply::Text(Some(b"a".to_vec())),
            Reply::Number(-5),
            Reply::Text(None),
            Reply::Many(vec![Reply::Error("ERR x".to_owned())]),
        ];
        assert_eq!(client.read_reply(0).unwrap(), Reply::Many(many));
        assert_eq!(client.read_reply(0).unwrap().into_text().unwrap(), "ok");
        assert!(client.read_reply(0).is_err());
        server.join().unwrap();
    }
}
