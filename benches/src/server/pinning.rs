//! Which core runs what, by `taskset`, where it is installed.

use std::process::{Command, Stdio};

use anyhow::{Result, bail};
use serde::Serialize;

/// The cores of a measurement; `None` leaves the choice to the kernel.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, Serialize)]
pub(crate) struct Pinning {
    /// The core of every server.
    pub(crate) server: Option<usize>,
    /// The core of the generator.
    pub(crate) client: Option<usize>,
}

/// Whether generator and server share a core.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum Cores {
    /// One each, where there are two.
    Apart,
    /// One for both: every wake-up of the server finds a full batch, as on a busy machine.
    Shared,
}

impl Pinning {
    /// Chooses the cores: those asked for, else core 0 and core 1 of at least two.
    ///
    /// # Errors
    /// If cores are asked for and `taskset` is missing.
    pub(crate) fn choose(
        server: Option<usize>,
        client: Option<usize>,
        cores: Cores,
    ) -> Result<Self> {
        let asked = server.is_some() || client.is_some() || cores == Cores::Shared;
        if !is_installed("taskset") {
            if asked {
                bail!("pinning needs taskset, which is not installed");
            }
            return Ok(Self::default());
        }
        let online = std::thread::available_parallelism().map_or(1, usize::from);
        if cores == Cores::Shared {
            let core = server.or(client).unwrap_or(0);
            return Ok(Self {
                server: Some(core),
                client: Some(core),
            });
        }
        if online < 2 {
            return Ok(Self { server, client });
        }
        Ok(Self {
            server: server.or(Some(0)),
            client: client.or(Some(1)),
        })
    }

    /// Moves this thread, and threads that it starts later, to the client's core.
    ///
    /// # Errors
    /// If there is no such core.
    pub(crate) fn pin_client(&self) -> Result<()> {
        let Some(core) = self.client else {
            return Ok(());
        };
        let pid = std::process::id().to_string();
        let status = Command::new("taskset")
            .args(["-c", "-p", &core.to_string(), &pid])
            .stdin(Stdio::null())
            .stdout(Stdio::null())
            .stderr(Stdio::null())
            .status()?;
        if !status.success() {
            bail!("cannot move to core {core}");
        }
        Ok(())
    }

    /// What stands before a server's command.
    pub(crate) fn server_prefix(&self) -> Vec<String> {
        let mut prefix = Vec::new();
        if is_installed("setpriv") {
            // A server must not outlive a lab that was killed.
            prefix.extend(["setpriv", "--pdeathsig", "KILL"].map(str::to_owned));
        }
        if let Some(core) = self.server {
            prefix.extend(["taskset".to_owned(), "-c".to_owned(), core.to_string()]);
        }
        prefix
    }

    /// Whether generator and server share a core.
    pub(crate) fn is_shared(&self) -> bool {
        self.server.is_some() && self.server == self.client
    }
}

/// Whether a program is found in `PATH`.
pub(crate) fn is_installed(program: &str) -> bool {
    let path = std::env::var_os("PATH").unwrap_or_default();
    std::env::split_paths(&path).any(|directory| directory.join(program).is_file())
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn shared_core_is_the_servers() {
        let pinning = Pinning {
            server: Some(3),
            client: Some(3),
        };
        assert!(pinning.is_shared());
        assert!(!Pinning::default().is_shared());
        let prefix = pinning.server_prefix();
        assert_eq!(prefix[prefix.len() - 3..], ["taskset", "-c", "3"]);
    }

    #[test]
    fn missing_program_is_not_installed() {
        assert!(is_installed("sh"));
        assert!(!is_installed("no-such-program-anywhere"));
    }
}
