//! What the process lends the engine and the loop: clock, log, signals, figures, doors, files.

use crate::config_file;
use crate::front::Front;
use crate::log::Log;
use crate::process;
use crate::supervisor::{self, Supervisor};
use dovetail_backends::child::Child;
use dovetail_backends::lazyfree::Lazyfree;
use dovetail_backends::poller::select::Select;
use dovetail_backends::poller::{Door, choose};
use dovetail_backends::sys::alloc::Account;
use dovetail_backends::sys::memory::MappedPages;
use dovetail_backends::sys::process::{self as system, Whose};
use dovetail_backends::sys::select::LIMIT;
use dovetail_backends::sys::{alloc, clock, signal};
use dovetail_engine::base::{ListenerId, Micros, Now};
use dovetail_engine::config::Config;
use dovetail_engine::seam::host::{
    ChildEnd, ChildFacts, Host, Job, LogLevel, Notice, ProcessFacts, Refusal, Surroundings,
};
use dovetail_engine::seam::poller::{Fault, Poller as _};
use std::cell::RefCell;
use std::path::PathBuf;
use std::rc::Rc;
use std::sync::Arc;
use std::sync::atomic::{AtomicBool, Ordering};

/// SIGSEGV has this number everywhere.
const SIGSEGV: i32 = 11;

/// Who asks the server to end.
#[derive(Debug)]
pub(crate) enum Notices {
    /// Signals to the process, which counts how many SIGINTs were heard.
    Signals {
        /// Whether one was heard already.
        interrupted: bool,
    },
    /// A flag, set by the owner of a server inside of another program.
    Flag(Arc<AtomicBool>),
}

/// The engine's view of the process.
#[derive(Debug)]
pub(crate) struct ServerHost {
    /// The log.
    pub(crate) log: Rc<Log>,
    /// The doors.
    pub(crate) front: Rc<RefCell<Front>>,
    /// The source of the keyspace's memory.
    pub(crate) pages: Rc<MappedPages>,
    /// Who pays for what the engine and its threads allocate.
    pub(crate) account: Account,
    /// Who asks for the end.
    pub(crate) notices: Notices,
    /// The configuration's file, as an absolute path.
    pub(crate) config_file: Option<PathBuf>,
    /// The configuration that the process acts by.
    pub(crate) applied: Config,
    /// The child process, if there is one.
    pub(crate) child: Child,
    /// Destroys what would keep the loop busy.
    pub(crate) lazyfree: Lazyfree,
    /// Who is told when clients are served.
    pub(crate) supervisor: Option<Supervisor>,
}

impl ServerHost {
    fn change_directory(&self, config: &mut Config) -> Result<(), Refusal> {
        if config.process.dir == self.applied.process.dir {
            return Ok(());
        }
        config.process.dir = config_file::enter(config.process.dir.as_bytes())
            .map_err(|error| Refusal(config_file::reason(&error)))?;
        Ok(())
    }

    fn raise_descriptors(&self, config: &Config) -> Result<(), Refusal> {
        let maxclients = config.limits.maxclients;
        if maxclients <= self.applied.limits.maxclients {
            return Ok(());
        }
        process::raise_descriptors(maxclients).map_err(|possible| {
            Refusal(format!(
                "The operating system is not able to handle the specified number of clients, \
                 try with {possible}"
            ))
        })
    }

    fn signals(&mut self) -> Vec<Notice> {
        let arrived = signal::arrived();
        if arrived.hangups > 0 {
            self.log.reopen();
        }
        let Notices::Signals { interrupted } = &mut self.notices else {
            return Vec::new();
        };
        if *interrupted && arrived.interrupts > 0 {
            self.log
                .line(LogLevel::Warning, "You insist... exiting now.");
            std::process::exit(1);
        }
        *interrupted |= arrived.interrupts > 0;
        let mut notices = Vec::new();
        if arrived.terminates > 0 {
            notices.push(Notice::Terminate);
        }
        if arrived.interrupts > 0 {
            notices.push(Notice::Interrupt);
        }
        notices
    }
}

impl Host for ServerHost {
    fn log(&mut self, level: LogLevel, line: &str) {
        self.log.line(level, line);
    }

    fn notices(&mut self) -> Vec<Notice> {
        match &self.notices {
            Notices::Signals { .. } => self.signals(),
            Notices::Flag(flag) if flag.swap(false, Ordering::SeqCst) => vec![Notice::Terminate],
            Notices::Flag(_) => Vec::new(),
        }
    }

    fn facts(&mut self) -> ProcessFacts {
        let pages = self.pages.bytes();
        let figures = alloc::figures();
        let with_pages = |bytes: usize| u64::try_from(bytes + pages).unwrap_or(u64::MAX);
        ProcessFacts {
            used_memory: self.used_memory(),
            rss: system::resident_bytes(),
            allocator: [
                with_pages(figures.allocated),
                with_pages(figures.active),
                with_pages(figures.resident),
                u64::try_from(figures.muzzy).unwrap_or(u64::MAX),
            ],
            total_system_memory: system::total_memory_bytes(),
            cpu: system::cpu_seconds(Whose::Process),
            cpu_children: system::cpu_seconds(Whose::Children),
            cpu_main_thread: system::cpu_seconds(Whose::Thread),
        }
    }

    fn destroys(&self) -> bool {
        true
    }

    fn destroy(&mut self, garbage: Box<dyn Send>) {
        self.lazyfree.take(garbage);
    }

    fn destroying(&self) -> usize {
        self.lazyfree.pending()
    }

    fn used_memory(&mut self) -> u64 {
        u64::try_from(self.account.used() + self.pages.bytes()).unwrap_or(u64::MAX)
    }

    fn choose_poller(&mut self, name: &str) -> Result<&'static str, Refusal> {
        let chosen = choose(name).map_err(|why| Refusal(why.to_string()))?;
        check_room(chosen.entry.name, process::descriptors_in_use())?;
        let line = format!("Waiting with {chosen}");
        self.log.line(LogLevel::Verbose, &line);
        Ok(chosen.entry.name)
    }

    fn connections_max(&self, name: &str) -> usize {
        match name {
            Select::NAME => LIMIT - usize::from(process::RESERVED_DESCRIPTORS),
            _ => usize::MAX,
        }
    }

    fn relisten(&mut self, config: &Config) -> Result<Vec<ListenerId>, Refusal> {
        let closed = self
            .front
            .borrow_mut()
            .relisten(config, &self.log)
            .map_err(|_| {
                let is_port = config.network.port != self.applied.network.port;
                let name = if is_port { "port" } else { "bind" };
                self.log.line(
                LogLevel::Warning,
                &format!(
                    "Failed applying new configuration. Possibly related to new {name} setting. \
                     Restoring previous settings."
                ),
            );
                Refusal(match is_port {
                    true => "Unable to listen on this port. Check server logs.".to_owned(),
                    false => "Failed to bind to specified addresses.".to_owned(),
                })
            })?;
        self.applied.network = config.network.clone();
        Ok(closed)
    }

    fn reconfigure(&mut self, config: &mut Config) -> Result<(), Refusal> {
        self.raise_descriptors(config)?;
        self.change_directory(config)?;
        self.log.apply(config);
        let network = std::mem::take(&mut self.applied.network);
        self.applied = Config {
            network,
            ..config.clone()
        };
        Ok(())
    }

    fn rewrite_config(&mut self, edit: &mut dyn FnMut(&[u8]) -> Vec<u8>) -> Result<(), Refusal> {
        let Some(path) = &self.config_file else {
            return Err(Refusal(
                "The server is running without a config file".to_owned(),
            ));
        };
        let failed = |why: &str| {
            self.log
                .line(LogLevel::Warning, &format!("CONFIG REWRITE failed: {why}"));
            Refusal(format!("Rewriting config file: {why}"))
        };
        config_file::rewrite(path, edit).map_err(|error| failed(&config_file::reason(&error)))?;
        self.log
            .line(LogLevel::Notice, "CONFIG REWRITE executed with success.");
        Ok(())
    }

    fn sleep(&mut self, micros: u64) {
        clock::nap(Micros(micros));
    }

    fn purge_memory(&mut self) {
        alloc::purge();
    }

    fn allocator_report(&mut self) -> String {
        alloc::report()
    }

    fn ready(&mut self, config: &Config) {
        if !self.front.borrow().addresses().is_empty() {
            let line = "Ready to accept connections tcp";
            self.log.line(LogLevel::Notice, line);
        }
        if !config.network.unixsocket.is_empty() {
            let line = "Ready to accept connections unix";
            self.log.line(LogLevel::Notice, line);
        }
        if let Some(supervisor) = &self.supervisor {
            supervisor::tell(&self.log, supervisor.ready());
        }
    }

    fn fork(&mut self, job: &mut Job<'_>) -> Result<(u64, u32), Refusal> {
        self.child.start(job)
    }

    fn child(&mut self) -> (ChildFacts, Option<ChildEnd>) {
        self.child.look()
    }

    fn kill_child(&mut self) {
        self.child.kill();
    }

    fn crash(&mut self, how: &str) {
        if how == "segfault" {
            let version = env!("CARGO_PKG_VERSION");
            let line = format!("Dovetail {version} crashed by signal: {SIGSEGV}");
            self.log.line(LogLevel::Warning, &line);
            // The first may only take a handler away that looks for overflown stacks.
            for _ in 0..2 {
                let _survived = signal::raise(SIGSEGV);
            }
            std::process::abort();
        }
        panic!("a client has asked for it: DEBUG {}", how.to_uppercase());
    }
}

/// The loop's view of the process.
#[derive(Debug)]
pub(crate) struct Around {
    /// The log.
    pub(crate) log: Rc<Log>,
    /// The doors.
    pub(crate) front: Rc<RefCell<Front>>,
}

impl Surroundings<Door> for Around {
    fn now(&mut self) -> Now {
        clock::now()
    }

    fn doors(&mut self) -> Vec<(ListenerId, Door)> {
        self.front.borrow_mut().take_waiting()
    }

    fn refused(&mut self, listener: ListenerId, fault: Fault) {
        self.front.borrow_mut().forget(listener);
        let why = fault.to_string();
        self.log.line(
            LogLevel::Warning,
            &format!("The poller can't take a listener: {why}"),
        );
    }
}

/// Refuses a live change to a poller that cannot hold every descriptor that is `in_use`.
fn check_room(poller: &str, in_use: usize) -> Result<(), Refusal> {
    if poller != Select::NAME || in_use < LIMIT {
        return Ok(());
    }
    Err(Refusal(format!(
        "{poller} can hold {LIMIT} descriptors and {in_use} are in use"
    )))
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn select_is_refused_when_it_would_have_to_drop_clients() {
        assert_eq!(check_room("select", 1000), Ok(()));
        let refusal = check_room("select", 5000).unwrap_err();
        assert_eq!(
            refusal.0,
            "select can hold 1024 descriptors and 5000 are in use"
        );
        assert_eq!(check_room("poll", 5000), Ok(()));
    }
}
