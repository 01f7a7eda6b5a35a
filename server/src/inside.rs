//! A server inside of another program, on a thread of its own: for tests and the lab.

use crate::assemble::{Assembly, Settings};
use crate::host::Notices;
use crate::log::{Log, Role};
use anyhow::{Result, anyhow};
use dovetail_backends::sys::alloc::Account;
use dovetail_backends::sys::eventfd::Bell;
use dovetail_engine::config::Config;
use dovetail_engine::seam::poller::Wake as _;
use std::net::SocketAddr;
use std::rc::Rc;
use std::sync::Arc;
use std::sync::atomic::{AtomicBool, Ordering};
use std::sync::mpsc;
use std::thread::JoinHandle;

/// A running server; it ends with the value.
#[derive(Debug)]
pub struct Server {
    addresses: Vec<SocketAddr>,
    end: Arc<AtomicBool>,
    bell: Arc<Bell>,
    thread: Option<JoinHandle<Result<()>>>,
}

/// What the thread tells once its doors are open.
struct Opened {
    addresses: Vec<SocketAddr>,
    bell: Arc<Bell>,
}

impl Server {
    /// Starts a server of `config` and returns when its doors are open.
    ///
    /// The process stays as it is: its signals, its directory and its descriptor limit belong to
    /// the program. The log goes where `config` says; `loglevel nothing` keeps it quiet.
    ///
    /// # Errors
    /// When an address or the poller cannot be had.
    pub fn start(config: Config) -> Result<Self> {
        let end = Arc::new(AtomicBool::new(false));
        let flag = Arc::clone(&end);
        let (tell, told) = mpsc::channel();
        let thread = std::thread::Builder::new()
            .name("dovetail".to_owned())
            .spawn(move || live(config, flag, &tell))?;
        match told.recv() {
            Ok(Opened { addresses, bell }) => Ok(Self {
                addresses,
                end,
                bell,
                thread: Some(thread),
            }),
            // The thread has ended without a word: its result says why.
            Err(_) => Err(join(thread)
                .err()
                .unwrap_or_else(|| anyhow!("it ended at once"))),
        }
    }

    /// The addresses of its TCP listeners.
    #[must_use]
    pub fn addresses(&self) -> &[SocketAddr] {
        &self.addresses
    }

    /// Ends it as SIGTERM does, and waits until it is gone.
    ///
    /// # Errors
    /// When it could not go on, or has panicked.
    pub fn stop(mut self) -> Result<()> {
        self.end()
    }

    fn end(&mut self) -> Result<()> {
        self.end.store(true, Ordering::SeqCst);
        self.bell.wake();
        self.thread.take().map_or(Ok(()), join)
    }
}

impl Drop for Server {
    fn drop(&mut self) {
        // Whoever wants to know how it ended calls `stop`.
        let _unheard = self.end();
    }
}

fn join(thread: JoinHandle<Result<()>>) -> Result<()> {
    thread
        .join()
        .map_err(|_| anyhow!("the server has panicked"))?
}

fn live(config: Config, flag: Arc<AtomicBool>, tell: &mpsc::Sender<Opened>) -> Result<()> {
    // What the rest of the program uses is not this server's.
    let _entered = Account::open().enter();
    let log = Rc::new(Log::open(&config)?);
    log.set_role(Role::Primary);
    let assembly = Assembly::new(Settings {
        config,
        config_file: None,
        log,
        notices: Notices::Flag(flag),
        supervisor: None,
    })?;
    let opened = Opened {
        addresses: assembly.addresses(),
        bell: assembly.bell(),
    };
    // Nobody waits any more when `start` was abandoned, and then nobody minds.
    let _abandoned = tell.send(opened);
    assembly.run()
}

#[cfg(test)]
mod tests {
    use super::*;
    use dovetail_backends::poller::POLLERS;
    use dovetail_engine::config::{
        Addresses, Choice as _, LogLevel, PollerChoice, SavePoints, Text,
    };
    use std::io::{Read as _, Write as _};
    use std::net::{TcpListener, TcpStream};

    fn config(poller: &str) -> Config {
        let free = TcpListener::bind("127.0.0.1:0").unwrap();
        let mut config = Config::default();
        config.network.port = free.local_addr().unwrap().port();
        config.network.bind = Addresses(vec![Text::from("127.0.0.1")]);
        config.logging.loglevel = LogLevel::Nothing;
        config.persistence.save = SavePoints(Vec::new());
        let at = PollerChoice::WORDS
            .iter()
            .position(|word| *word == poller)
            .unwrap();
        config.network.poller = PollerChoice::VALUES[at];
        config
    }

    #[test]
    fn a_server_of_every_poller_that_works_here_answers_and_ends() {
        for entry in POLLERS.iter().filter(|entry| (entry.probe)().is_ok()) {
            let server = Server::start(config(entry.name)).unwrap();
            let mut client = TcpStream::connect(server.addresses()[0]).unwrap();
            client.write_all(b"PING\r\n").unwrap();
            let mut pong = [0; 7];
            client.read_exact(&mut pong).unwrap();
            assert_eq!(&pong, b"+PONG\r\n", "{}", entry.name);
            server.stop().unwrap();
        }
    }

    #[test]
    fn a_taken_port_is_an_error() {
        let config = config("epoll");
        let taken = TcpListener::bind(("127.0.0.1", config.network.port)).unwrap();
        let error = Server::start(config).unwrap_err().to_string();
        assert!(error.contains("Failed listening on port"), "{error}");
        drop(taken);
    }
}
