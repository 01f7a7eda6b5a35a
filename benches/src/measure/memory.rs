//! The memory of a process, from its status in `/proc`.

use std::fs;
use std::io;

use super::cpu::status_number;

/// Bytes in memory.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub(crate) struct Resident {
    /// Now.
    pub(crate) now: u64,
    /// At most so far.
    pub(crate) peak: u64,
}

impl Resident {
    /// Reads the resident set of process `pid`.
    ///
    /// # Errors
    /// If the process is gone.
    pub(crate) fn read(pid: u32) -> io::Result<Self> {
        let status = fs::read_to_string(format!("/proc/{pid}/status"))?;
        let bytes = |name| status_number(&status, name).map(|kib| kib * 1024);
        let now = bytes("VmRSS").ok_or_else(|| io::Error::other("status has no VmRSS"))?;
        Ok(Self {
            now,
            peak: bytes("VmHWM").unwrap_or(now),
        })
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn own_memory_can_be_read() {
        let own = Resident::read(std::process::id()).unwrap();
        assert!(own.now > 4096);
        assert!(own.peak > 4096);
    }
}
