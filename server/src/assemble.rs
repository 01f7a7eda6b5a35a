//! From a configuration to a running server: the parts, put together and driven.

use crate::front::Front;
use crate::host::{Around, Notices, ServerHost};
use crate::log::Log;
use crate::supervisor::Supervisor;
use anyhow::{Result, anyhow};
use dovetail_backends::child::Child;
use dovetail_backends::disk::SystemDisk;
use dovetail_backends::eviction::POLICIES;
use dovetail_backends::lazyfree::Lazyfree;
use dovetail_backends::persistence::MEMBERS;
use dovetail_backends::poller::choose::Chosen;
use dovetail_backends::poller::{POLLERS, Sockets, choose, run_machine};
use dovetail_backends::sys::eventfd::Bell;
use dovetail_backends::sys::memory::MappedPages;
use dovetail_backends::sys::process as system;
use dovetail_backends::sys::{alloc, clock, entropy};
use dovetail_engine::config::Config;
use dovetail_engine::executor::{Engine, Parts};
use dovetail_engine::seam::host::ProcessIdentity;
use std::cell::RefCell;
use std::fmt::Write as _;
use std::net::SocketAddr;
use std::path::PathBuf;
use std::rc::Rc;
use std::sync::Arc;

/// Connections for which a poller makes room at the start; more come as they do.
const EXPECTED_CONNECTIONS_MAX: u32 = 1024;
/// Random bytes of a run's name.
const RUN_ID_BYTES: usize = 20;

/// What a server is made from.
#[derive(Debug)]
pub(crate) struct Settings {
    /// What holds.
    pub(crate) config: Config,
    /// Its file.
    pub(crate) config_file: Option<PathBuf>,
    /// Where it logs.
    pub(crate) log: Rc<Log>,
    /// Who asks for its end.
    pub(crate) notices: Notices,
    /// Who is told when clients are served.
    pub(crate) supervisor: Option<Supervisor>,
}

/// A server that is put together, its doors open, and not yet running.
#[derive(Debug)]
pub(crate) struct Assembly {
    engine: Engine,
    around: Around,
    sockets: Sockets,
    chosen: Chosen,
    expected: usize,
}

impl Assembly {
    /// Opens the doors and puts the parts together.
    ///
    /// # Errors
    /// With the line for the log: an address that is taken, a poller that is not available, a
    /// command that cannot be renamed.
    pub(crate) fn new(settings: Settings) -> Result<Self> {
        let Settings {
            config,
            config_file,
            log,
            notices,
            supervisor,
        } = settings;
        let chosen = choose(config.network.poller.word())
            .map_err(|why| anyhow!("Can't set the poller up: {why}"))?;
        let sockets = Sockets::new()?;
        let front = Rc::new(RefCell::new(Front::open(&config, &log)?));
        let pages = Rc::new(MappedPages::new());
        let supervised = supervisor.as_ref().map_or("no", Supervisor::word);
        let identity = identity(config_file.as_ref(), supervised)?;
        let disk = SystemDisk::new();
        disk.bell().set(sockets.bell());
        let host = ServerHost {
            log: Rc::clone(&log),
            front: Rc::clone(&front),
            pages: Rc::clone(&pages),
            account: alloc::Account::current(),
            notices,
            config_file,
            applied: config.clone(),
            child: Child::default(),
            lazyfree: Lazyfree::default(),
            supervisor,
        };
        let expected = config.limits.maxclients.min(EXPECTED_CONNECTIONS_MAX);
        let parts = Parts {
            config,
            seed: entropy::seed()?,
            pages,
            host: Box::new(host),
            identity,
            disk: Rc::new(RefCell::new(disk)),
            persistence: MEMBERS,
            policies: POLICIES,
            stopwatch: clock::stopwatch,
        };
        let engine = Engine::new(parts).map_err(|reason| anyhow!(reason))?;
        let around = Around { log, front };
        let expected = usize::try_from(expected).unwrap_or(0);
        Ok(Self {
            engine,
            around,
            sockets,
            chosen,
            expected,
        })
    }

    /// The handle with which signals and threads end a wait.
    pub(crate) fn bell(&self) -> Arc<Bell> {
        self.sockets.bell()
    }

    /// Which poller it begins with, in words for the log.
    pub(crate) fn poller_line(&self) -> String {
        format!("Waiting with {}", self.chosen)
    }

    /// The addresses of its TCP listeners.
    pub(crate) fn addresses(&self) -> Vec<SocketAddr> {
        self.around.front.borrow().addresses()
    }

    /// Whether nobody can connect.
    pub(crate) fn is_deaf(&self) -> bool {
        self.around.front.borrow().is_empty()
    }

    /// Serves until the engine is finished, and removes what must not stay.
    ///
    /// # Errors
    /// When the poller can no longer wait, a live switch has lost the sockets, or what is stored
    /// cannot be loaded.
    pub(crate) fn run(self) -> Result<()> {
        let Self {
            mut engine,
            mut around,
            sockets,
            chosen,
            expected,
        } = self;
        let ended = run_machine(chosen.entry, sockets, expected, &mut engine, &mut around);
        around.front.borrow().remove_files()?;
        ended?;
        match engine.failure() {
            Some(why) => Err(anyhow!("{why}")),
            None => Ok(()),
        }
    }
}

fn identity(config_file: Option<&PathBuf>, supervised: &str) -> Result<ProcessIdentity> {
    let text = |path: &PathBuf| path.to_string_lossy().into_owned();
    Ok(ProcessIdentity {
        pid: system::id(),
        os: system::system_name(),
        executable: std::env::current_exe().map_or_else(|_| String::new(), |path| text(&path)),
        config_file: config_file.map_or_else(String::new, text),
        run_id: run_id()?,
        allocator: alloc::name(),
        pollers: POLLERS.iter().map(|entry| entry.name).collect(),
        supervised: supervised.to_owned(),
    })
}

fn run_id() -> Result<String> {
    let mut bytes = [0; RUN_ID_BYTES];
    entropy::fill(&mut bytes)?;
    let mut id = String::with_capacity(2 * RUN_ID_BYTES);
    for byte in bytes {
        let _infallible = write!(id, "{byte:02x}");
    }
    Ok(id)
}
