//! Telling systemd or upstart how far the server has come.
//!
//! Source: sd_notify(3): datagrams of `NAME=value` lines to the socket that `NOTIFY_SOCKET` names;
//! a leading `@` stands for the zero byte of an abstract address. upstart's `expect stop`: the
//! process stops itself when it is ready.

use crate::config_file::reason;
use crate::log::Log;
use dovetail_backends::sys::signal;
use dovetail_engine::config::Supervision;
use dovetail_engine::seam::host::LogLevel;
use std::ffi::OsString;
use std::io;
use std::os::linux::net::SocketAddrExt as _;
use std::os::unix::ffi::OsStrExt as _;
use std::os::unix::net::{SocketAddr, UnixDatagram};

/// SIGSTOP has this number on every machine that Linux runs on but one (MIPS).
const SIGSTOP: i32 = 19;

/// Who watches over the process.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(crate) enum Supervisor {
    /// Nobody.
    Nobody,
    /// systemd, at this notification socket.
    Systemd(OsString),
    /// upstart.
    Upstart,
}

/// What the environment says of supervisors.
#[derive(Clone, Debug, Default)]
pub(crate) struct Environment {
    notify_socket: Option<OsString>,
    upstart_job: Option<OsString>,
}

impl Environment {
    /// That of this process.
    pub(crate) fn here() -> Self {
        Self {
            notify_socket: std::env::var_os("NOTIFY_SOCKET"),
            upstart_job: std::env::var_os("UPSTART_JOB"),
        }
    }
}

impl Supervisor {
    /// Whom the directive `supervised` means in this environment.
    ///
    /// # Errors
    /// A line for the log when the environment lacks what the directive names.
    pub(crate) fn find(wanted: Supervision, here: Environment) -> Result<Self, &'static str> {
        let Environment {
            notify_socket,
            upstart_job,
        } = here;
        match wanted {
            Supervision::No => Ok(Self::Nobody),
            Supervision::Systemd => notify_socket
                .map(Self::Systemd)
                .ok_or("systemd supervision error: NOTIFY_SOCKET not found!"),
            Supervision::Upstart => upstart_job
                .map(|_| Self::Upstart)
                .ok_or("upstart supervision requested, but UPSTART_JOB not found!"),
            Supervision::Auto => Ok(match (upstart_job, notify_socket) {
                (Some(_), _) => Self::Upstart,
                (None, Some(socket)) => Self::Systemd(socket),
                (None, None) => Self::Nobody,
            }),
        }
    }

    /// The word for INFO.
    pub(crate) const fn word(&self) -> &'static str {
        match self {
            Self::Nobody => "no",
            Self::Systemd(_) => "systemd",
            Self::Upstart => "upstart",
        }
    }

    /// Clients are served from now on.
    ///
    /// # Errors
    /// When the supervisor cannot be reached.
    pub(crate) fn ready(&self) -> io::Result<()> {
        match self {
            Self::Nobody => Ok(()),
            Self::Systemd(socket) => {
                notify(socket, b"STATUS=Ready to accept connections\nREADY=1\n")
            }
            Self::Upstart => {
                signal::raise(SIGSTOP).map_err(|fault| io::Error::from_raw_os_error(fault.errno))
            }
        }
    }

    /// The server is about to end.
    ///
    /// # Errors
    /// When the supervisor cannot be reached.
    pub(crate) fn stopping(&self) -> io::Result<()> {
        match self {
            Self::Systemd(socket) => notify(socket, b"STOPPING=1\n"),
            Self::Nobody | Self::Upstart => Ok(()),
        }
    }
}

/// A supervisor that has not `heard` is worth a line and no more.
pub(crate) fn tell(log: &Log, heard: io::Result<()>) {
    if let Err(error) = heard {
        let why = reason(&error);
        log.line(
            LogLevel::Warning,
            &format!("The supervisor can't be told: {why}"),
        );
    }
}

fn notify(socket: &OsString, message: &[u8]) -> io::Result<()> {
    let address = match socket.as_bytes() {
        [b'@', name @ ..] => SocketAddr::from_abstract_name(name)?,
        _ => SocketAddr::from_pathname(socket)?,
    };
    UnixDatagram::unbound()?
        .send_to_addr(message, &address)
        .map(drop)
}

#[cfg(test)]
mod tests {
    use super::*;

    fn environment(notify: Option<&str>, upstart: Option<&str>) -> Environment {
        Environment {
            notify_socket: notify.map(OsString::from),
            upstart_job: upstart.map(OsString::from),
        }
    }

    #[test]
    fn auto_believes_the_environment() {
        let find = |here| Supervisor::find(Supervision::Auto, here).unwrap().word();
        assert_eq!(find(environment(None, None)), "no");
        assert_eq!(find(environment(Some("/x"), None)), "systemd");
        assert_eq!(find(environment(Some("/x"), Some("job"))), "upstart");
    }

    #[test]
    fn a_named_supervisor_must_be_there() {
        assert!(Supervisor::find(Supervision::Systemd, environment(None, Some("job"))).is_err());
        assert!(Supervisor::find(Supervision::Upstart, environment(Some("/x"), None)).is_err());
        let nobody = Supervisor::find(Supervision::No, environment(Some("/x"), Some("job")));
        assert_eq!(nobody, Ok(Supervisor::Nobody));
    }

    #[test]
    fn an_abstract_socket_hears_ready_and_stopping() {
        let name = format!("dovetail-supervisor-{}", std::process::id());
        let address = SocketAddr::from_abstract_name(&name).unwrap();
        let ear = UnixDatagram::bind_addr(&address).unwrap();
        let supervisor = Supervisor::Systemd(OsString::from(format!("@{name}")));
        supervisor.ready().unwrap();
        supervisor.stopping().unwrap();
        let mut heard = [0; 64];
        let len = ear.recv(&mut heard).unwrap();
        assert_eq!(
            &heard[..len],
            b"STATUS=Ready to accept connections\nREADY=1\n"
        );
        let len = ear.recv(&mut heard).unwrap();
        assert_eq!(&heard[..len], b"STOPPING=1\n");
    }
}
