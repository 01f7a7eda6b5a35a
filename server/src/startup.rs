//! The program from its first to its last line: arguments in, exit code out.

use crate::assemble::{Assembly, Settings};
use crate::cli::{self, HELP, Invocation, Sources};
use crate::config_file::{self, Loaded, reason};
use crate::host::Notices;
use crate::log::{Log, Role};
use crate::panic;
use crate::process::{self, PidFile};
use crate::supervisor::{self, Environment, Supervisor};
use anyhow::{Context as _, Result, anyhow};
use dovetail_backends::sys::{process as system, signal};
use dovetail_engine::config::{Config, REDIS_VERSION};
use dovetail_engine::seam::host::LogLevel;
use std::ffi::OsString;
use std::io::{self, IsTerminal as _, Write as _};
use std::path::PathBuf;
use std::process::ExitCode;
use std::rc::Rc;

/// Dovetail's version.
const VERSION: &str = env!("CARGO_PKG_VERSION");

/// Does what the words behind the program's name ask for. The exit code is 0 after an orderly end
/// and 1 when the server could not start or could not go on.
#[must_use]
pub fn main(arguments: impl IntoIterator<Item = OsString>) -> ExitCode {
    let done = cli::parse(arguments).and_then(|invocation| match invocation {
        Invocation::Version => say(&format!("{}\n", cli::version_line())),
        Invocation::Help => say(HELP),
        Invocation::Serve(sources) => serve(&sources),
    });
    match done {
        Ok(()) => ExitCode::SUCCESS,
        Err(error) => {
            if error.downcast_ref::<Logged>().is_none() {
                // Without standard error there is nobody to tell.
                let _unheard = writeln!(io::stderr(), "{}", error.to_string().trim_end());
            }
            ExitCode::FAILURE
        }
    }
}

fn say(text: &str) -> Result<()> {
    Ok(io::stdout().write_all(text.as_bytes())?)
}

/// A failure that the log has told already.
#[derive(Debug)]
struct Logged;

impl std::fmt::Display for Logged {
    fn fmt(&self, out: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        out.write_str("see the log")
    }
}

impl std::error::Error for Logged {}

/// What is known before the server is put together.
struct Prepared {
    config: Config,
    config_file: Option<PathBuf>,
    log: Rc<Log>,
    supervisor: Supervisor,
}

fn serve(sources: &Sources) -> Result<()> {
    let prepared = prepare(sources)?;
    let log = Rc::clone(&prepared.log);
    announce(sources, &log);
    run(prepared).map_err(|error| {
        log.line(LogLevel::Warning, &format!("{error:#}"));
        anyhow!(Logged)
    })
}

/// Reads the configuration and becomes the process that it describes.
fn prepare(sources: &Sources) -> Result<Prepared> {
    let Loaded { config, file } = config_file::load(sources)?;
    let log = Log::open(&config).map_err(|error| {
        let why = reason(&error);
        anyhow!(
            "\n*** FATAL CONFIG FILE ERROR (Redis {REDIS_VERSION}) ***\n\
             Can't open the log file: {why}"
        )
    })?;
    let supervisor = Supervisor::find(config.process.supervised, Environment::here());
    let supervisor = supervisor.unwrap_or_else(|why| {
        log.line(LogLevel::Warning, why);
        Supervisor::Nobody
    });
    if config.process.daemonize && supervisor == Supervisor::Nobody {
        system::daemonize().context("Can't go on in the background")?;
    }
    panic::install(log.path().map(PathBuf::from));
    Ok(Prepared {
        config,
        config_file: file,
        log: Rc::new(log),
        supervisor,
    })
}

fn announce(sources: &Sources, log: &Log) {
    let pid = std::process::id();
    log.line(
        LogLevel::Notice,
        "oO0OoO0OoO0Oo Dovetail is starting oO0OoO0OoO0Oo",
    );
    log.line(
        LogLevel::Notice,
        &format!(
            "Dovetail version={VERSION}, compatible with Redis version={REDIS_VERSION}, bits={}, \
             pid={pid}, just started",
            usize::BITS
        ),
    );
    if *sources == Sources::default() {
        log.line(
            LogLevel::Warning,
            "Warning: no config file specified, using the default config. In order to specify a \
             config file use dovetail-server /path/to/dovetail.conf",
        );
    } else {
        log.line(LogLevel::Notice, "Configuration loaded");
    }
}

fn run(prepared: Prepared) -> Result<()> {
    let Prepared {
        mut config,
        config_file,
        log,
        supervisor,
    } = prepared;
    log.set_role(Role::Primary);
    process::reserve_descriptors(&mut config, &log)?;
    process::tune(&config);
    let assembly = Assembly::new(Settings {
        config: config.clone(),
        config_file,
        log: Rc::clone(&log),
        notices: Notices::Signals { interrupted: false },
        supervisor: Some(supervisor.clone()),
    })?;
    if assembly.is_deaf() {
        return Err(anyhow!("Configured to not listen anywhere, exiting."));
    }
    signal::install(&assembly.bell())?;
    let _pid_file = PidFile::write(&config, &log);
    introduce(&config, &log);
    log.line(LogLevel::Notice, "Server initialized");
    log.line(LogLevel::Notice, &assembly.poller_line());
    let ended = assembly.run();
    supervisor::tell(&log, supervisor.stopping());
    ended
}

/// Says who is running, and what of the configuration somebody should know.
fn introduce(config: &Config, log: &Log) {
    let (pid, port) = (std::process::id(), config.network.port);
    let is_watched = log.path().is_none() && io::stdout().is_terminal();
    if log.is_classic() && (is_watched || config.logging.always_show_logo) {
        log.raw(&logo(port, pid));
    } else {
        log.line(
            LogLevel::Notice,
            &format!("Running mode=standalone, port={port}."),
        );
        log.line(LogLevel::Notice, &format!("Dovetail {VERSION}, PID: {pid}"));
    }
    if let Some(warning) = process::backlog_warning(config) {
        log.line(LogLevel::Warning, &warning);
    }
    let idle: Vec<_> = config.without_effect().iter().map(|row| row.name).collect();
    if !idle.is_empty() {
        let names = idle.join(", ");
        log.line(
            LogLevel::Notice,
            &format!("These settings are accepted and have no effect in this version: {names}"),
        );
    }
}

/// A dovetail: two pieces, cut to fit.
fn logo(port: u16, pid: u32) -> String {
    format!(
        "\n  ________        ________\n  \
         \\      /________\\      /     Dovetail {VERSION}, {} bit\n   \
         \\    /          \\    /      Running in standalone mode\n   \
         /    \\__________/    \\      Port: {port}\n  \
         /______\\        /______\\     PID: {pid}\n\n",
        usize::BITS
    )
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_logo_has_port_and_process_as_tools_look_for_them() {
        let logo = logo(7000, 4711);
        assert!(logo.contains(" Port: 7000\n"), "{logo}");
        assert!(logo.contains(" PID: 4711\n"), "{logo}");
    }
}
