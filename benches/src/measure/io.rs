//! The bytes that a process writes, from its account in `/proc`.

use std::fs;
use std::io;

use super::cpu::status_number;

/// What a process has written since it began, its threads and the children that it has waited for
/// included.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub(crate) struct IoAccount {
    /// Bytes handed to `write` and its kin, to files and to sockets alike, but not those of `send`.
    pub(crate) handed: u64,
    /// Bytes of pages made dirty, or sent past the cache: what goes to a disk. A page that is
    /// written, saved, and written again counts twice.
    pub(crate) stored: u64,
}

impl IoAccount {
    /// Reads the account of process `pid`.
    ///
    /// # Errors
    /// If the process is gone, or somebody else's.
    pub(crate) fn read(pid: u32) -> io::Result<Self> {
        Self::parse(&fs::read_to_string(format!("/proc/{pid}/io"))?)
    }

    /// What was written since `earlier`.
    pub(crate) fn since(&self, earlier: &Self) -> Self {
        Self {
            handed: self.handed.saturating_sub(earlier.handed),
            stored: self.stored.saturating_sub(earlier.stored),
        }
    }

    fn parse(text: &str) -> io::Result<Self> {
        let number = |name| {
            let missing = || io::Error::other(format!("io has no {name}"));
            status_number(text, name).ok_or_else(missing)
        };
        Ok(Self {
            handed: number("wchar")?,
            stored: number("write_bytes")?,
        })
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn written_bytes_are_not_the_cancelled_ones() {
        let text = "rchar: 1\nwchar: 70\nsyscr: 2\nsyscw: 3\nread_bytes: 4\nwrite_bytes: 4096\n\
            cancelled_write_bytes: 9\n";
        let account = IoAccount::parse(text).unwrap();
        let (handed, stored) = (70, 4096);
        assert_eq!(account, IoAccount { handed, stored });
        assert_eq!(account.since(&account), IoAccount::default());
        assert!(IoAccount::parse("rchar: 1\n").is_err());
    }

    #[test]
    fn own_account_can_be_read() {
        assert!(IoAccount::read(std::process::id()).is_ok());
    }
}
