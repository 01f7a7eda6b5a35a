//! The seam between the engine and its process: clock, log, signals, files, listeners.
//!
//! Everything here is rare (once a turn at most); the engine's per-command work never crosses it.

use super::disk::Disk;
use super::poller::{Fault, SocketOptions};
use crate::base::{Endpoint, ListenerId, Micros, Now};
use crate::config::{self, Config};
use std::fmt;
use std::net::{IpAddr, Ipv4Addr, SocketAddr};

/// How important a log line is; the letters are those of the classic log.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord)]
pub enum LogLevel {
    /// `.`
    Debug,
    /// `-`
    Verbose,
    /// `*`
    Notice,
    /// `#`
    Warning,
}

impl LogLevel {
    /// Whether lines of this level are written when the directive says `least`.
    #[must_use]
    pub fn is_logged_at(self, least: config::LogLevel) -> bool {
        let least = match least {
            config::LogLevel::Debug => Self::Debug,
            config::LogLevel::Verbose => Self::Verbose,
            config::LogLevel::Notice => Self::Notice,
            config::LogLevel::Warning => Self::Warning,
            config::LogLevel::Nothing => return false,
        };
        self >= least
    }
}

/// Something that happened to the process since the last look.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Notice {
    /// SIGTERM.
    Terminate,
    /// SIGINT; a second one means "at once".
    Interrupt,
}

/// What the process knows of itself, for INFO and MEMORY.
#[derive(Clone, Debug, Default)]
pub struct ProcessFacts {
    /// Bytes allocated by this engine, as its allocator account says.
    pub used_memory: u64,
    /// Resident set in bytes.
    pub rss: u64,
    /// Allocator: bytes allocated, active, resident, muzzy.
    pub allocator: [u64; 4],
    /// Physical memory of the machine in bytes.
    pub total_system_memory: u64,
    /// CPU seconds of the process: system, user.
    pub cpu: [f64; 2],
    /// CPU seconds of finished children: system, user.
    pub cpu_children: [f64; 2],
    /// CPU seconds of the engine's thread: system, user.
    pub cpu_main_thread: [f64; 2],
}

/// What never changes while the process lives, for INFO and the banner.
#[derive(Clone, Debug, Default)]
pub struct ProcessIdentity {
    /// Process number.
    pub pid: u32,
    /// Kernel name, release and machine: `Linux 6.1 x86_64`.
    pub os: String,
    /// Absolute path of the program.
    pub executable: String,
    /// Absolute path of the configuration file, empty without one.
    pub config_file: String,
    /// Forty random hex digits that name this run.
    pub run_id: String,
    /// The allocator's name and version.
    pub allocator: String,
    /// Names of every poller the program has, in order of preference.
    pub pollers: Vec<&'static str>,
    /// `no`, `systemd` or `upstart`.
    pub supervised: String,
}

/// Why the host could not do what a directive or command asked, in words for the client.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Refusal(pub String);

impl fmt::Display for Refusal {
    fn fmt(&self, out: &mut fmt::Formatter<'_>) -> fmt::Result {
        out.write_str(&self.0)
    }
}

/// What a child process does: it has a disk of its own, tells how far it is, and says why it has
/// failed.
pub type Job<'j> = dyn FnMut(&mut dyn Disk, &mut dyn Teller) -> Result<(), String> + 'j;

/// How a job tells how far it is.
pub trait Teller {
    /// So many keys have been written. Cheap, called often.
    fn written(&mut self, keys: u64);
    /// Pauses for so many microseconds, as tests ask for.
    fn pause(&mut self, micros: u64);
    /// Whether everything that the job can reach is a copy of its own, which it may use up: true in
    /// a child process only.
    fn owns_memory(&self) -> bool {
        false
    }
}

/// What is known of a child.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub struct ChildFacts {
    /// Keys it has written.
    pub keys: u64,
    /// Bytes of its memory that are not shared with its parent any more: now, and at most.
    pub cow_bytes: [u64; 2],
    /// When that was, on the clock of [`Now::monotonic`].
    pub told: Micros,
}

/// How a child has ended.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum ChildEnd {
    /// Its job is done.
    Done,
    /// Its job has failed, for this reason.
    Failed(String),
    /// By this signal.
    Killed(i32),
}

/// What the process lends the engine. Calls are synchronous and brief unless they say otherwise.
pub trait Host {
    /// Writes one line to the log, if its level is loud enough.
    fn log(&mut self, level: LogLevel, line: &str);
    /// Signals that have arrived since the last call.
    fn notices(&mut self) -> Vec<Notice>;
    /// Figures of the process now.
    fn facts(&mut self) -> ProcessFacts;
    /// Bytes in use alone, which is cheaper than all [`Self::facts`] where the process counts them.
    fn used_memory(&mut self) -> u64 {
        self.facts().used_memory
    }
    /// Whether `name` can be the poller here; gives the row's static name.
    ///
    /// # Errors
    /// Why not, in words for the client.
    fn choose_poller(&mut self, name: &str) -> Result<&'static str, Refusal>;
    /// How many connections the poller called `name` can hold in this process.
    fn connections_max(&self, _name: &str) -> usize {
        usize::MAX
    }
    /// Where another server is: `name` is an address, or `localhost`. Names that somebody else would
    /// have to be asked for are refused, because the answer would be waited for.
    ///
    /// # Errors
    /// Why not, in words for the client.
    fn locate(&mut self, name: &str, port: u16) -> Result<Endpoint, Refusal> {
        let address = match name {
            _ if name.eq_ignore_ascii_case("localhost") => Ok(IpAddr::V4(Ipv4Addr::LOCALHOST)),
            _ => name.parse(),
        };
        let address = address.map_err(|_| {
            Refusal("names of hosts are not looked up, an address is needed".to_owned())
        })?;
        Ok(Endpoint::Ip(SocketAddr::new(address, port)))
    }
    /// Opens the listeners that `config` describes and closes those it no longer does. The new
    /// ones reach the poller after the turn; returned are the ids to be closed.
    ///
    /// # Errors
    /// When an address cannot be listened on; nothing has changed then.
    fn relisten(&mut self, config: &Config) -> Result<Vec<ListenerId>, Refusal>;
    /// Takes over whatever the process itself must know of a changed configuration (log level,
    /// directory, descriptor limit...). A relative `dir` becomes the path that it means.
    ///
    /// # Errors
    /// In words for the client; nothing has changed then.
    fn reconfigure(&mut self, config: &mut Config) -> Result<(), Refusal>;
    /// Reads the configuration file, hands its text to `edit`, and replaces it atomically.
    ///
    /// # Errors
    /// When there is no file or it cannot be written.
    fn rewrite_config(&mut self, edit: &mut dyn FnMut(&[u8]) -> Vec<u8>) -> Result<(), Refusal>;
    /// Blocks the whole process: DEBUG SLEEP.
    fn sleep(&mut self, micros: u64);
    /// Asks the allocator to give unused memory back.
    fn purge_memory(&mut self);
    /// The allocator's own report.
    fn allocator_report(&mut self) -> String;
    /// Ends the process abnormally, as DEBUG SEGFAULT and DEBUG PANIC ask.
    fn crash(&mut self, how: &str);
    /// The dataset is loaded, and clients are served from now on.
    fn ready(&mut self, _config: &Config) {}
    /// Does `job` in a child process, which has everything as it is now; there is one at a time.
    /// Returns how long this has stopped the process, in microseconds, and the child's number.
    ///
    /// # Errors
    /// When there can be no child, in words for the log.
    fn fork(&mut self, _job: &mut Job<'_>) -> Result<(u64, u32), Refusal> {
        Err(Refusal("there are no child processes here".to_owned()))
    }
    /// What the child has told lately, and how it has ended, if it has; it is gone then.
    fn child(&mut self) -> (ChildFacts, Option<ChildEnd>) {
        (ChildFacts::default(), None)
    }
    /// Ends the child, if there is one, and waits for its end.
    fn kill_child(&mut self) {}
    /// Whether there is another place than the loop where things can be destroyed.
    fn destroys(&self) -> bool {
        false
    }
    /// Destroys a thing there, or here where there is none.
    fn destroy(&mut self, garbage: Box<dyn Send>) {
        drop(garbage);
    }
    /// How many things are still being destroyed.
    fn destroying(&self) -> usize {
        0
    }
    /// Options for new connections that follow from `config`.
    fn socket_options(&self, config: &Config) -> SocketOptions {
        SocketOptions {
            keepalive_secs: config.network.tcp_keepalive_secs,
            accepts_per_turn: config.network.max_new_connections_per_cycle,
        }
    }
}

/// What the loop itself needs of the world.
pub trait Surroundings<Door> {
    /// Reads both clocks.
    fn now(&mut self) -> Now;
    /// Listeners opened since the last call, to be given to the poller.
    fn doors(&mut self) -> Vec<(ListenerId, Door)>;
    /// A door that the poller could not take.
    fn refused(&mut self, listener: ListenerId, fault: Fault);
}
