//! The CPU time and the sleeps of a process, from its accounts in `/proc`.
//!
//! Units: nanoseconds of run time over all threads from `schedstat`, which is exact whenever the
//! threads sleep; the split in user and system comes from the 10 ms ticks of `stat`, and so does
//! what children have used that have ended.
//! Not here: interrupts. Without `CONFIG_IRQ_TIME_ACCOUNTING` the kernel bills the receive path of
//! loopback to whoever sends, for every server alike.

use std::fs;
use std::fs::File;
use std::io;
use std::os::unix::fs::FileExt as _;

/// A tick of the accounts in `/proc`: a hundred of them are a second on every Linux.
const TICK_NS: u64 = 10_000_000;

/// What a process has consumed since it began.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub(crate) struct CpuAccount {
    /// Nanoseconds on a core, all threads.
    pub(crate) run_ns: u64,
    /// Clock ticks in user mode.
    pub(crate) user_ticks: u64,
    /// Clock ticks in the kernel.
    pub(crate) system_ticks: u64,
    /// How often a thread went to sleep of its own accord.
    pub(crate) sleeps: u64,
}

impl CpuAccount {
    /// Reads the account of process `pid`.
    ///
    /// # Errors
    /// If the process is gone.
    pub(crate) fn read(pid: u32) -> io::Result<Self> {
        let mut account = Self::default();
        for task in fs::read_dir(format!("/proc/{pid}/task"))? {
            let task = task?.path();
            // A thread that has ended meanwhile is no longer there to be asked.
            let Ok(schedstat) = fs::read_to_string(task.join("schedstat")) else {
                continue;
            };
            account.run_ns += run_time(&schedstat)?;
            if let Ok(status) = fs::read_to_string(task.join("status")) {
                account.sleeps += status_number(&status, "voluntary_ctxt_switches").unwrap_or(0);
            }
        }
        let stat = fs::read_to_string(format!("/proc/{pid}/stat"))?;
        (account.user_ticks, account.system_ticks) = ticks(&stat)?;
        Ok(account)
    }

    /// What was consumed since `earlier`.
    pub(crate) fn since(&self, earlier: &Self) -> Self {
        Self {
            run_ns: self.run_ns.saturating_sub(earlier.run_ns),
            user_ticks: self.user_ticks.saturating_sub(earlier.user_ticks),
            system_ticks: self.system_ticks.saturating_sub(earlier.system_ticks),
            sleeps: self.sleeps.saturating_sub(earlier.sleeps),
        }
    }

    /// The part of the ticks that was spent in user mode, 0 to 1.
    pub(crate) fn user_share(&self) -> f64 {
        let all = self.user_ticks + self.system_ticks;
        if all == 0 {
            0.0
        } else {
            self.user_ticks as f64 / all as f64
        }
    }
}

/// Nanoseconds that the children of process `pid` have run which have ended and been waited for, in
/// steps of 10 ms.
///
/// # Errors
/// If the process is gone.
pub(crate) fn children_ns(pid: u32) -> io::Result<u64> {
    let stat = fs::read_to_string(format!("/proc/{pid}/stat"))?;
    let (user, system) = children_ticks(&stat)?;
    Ok((user + system) * TICK_NS)
}

/// The run time of one thread, read again and again through one open file.
#[derive(Debug)]
pub(crate) struct RunTime {
    file: File,
}

impl RunTime {
    /// Follows the thread of process `pid` that has run longest so far.
    ///
    /// # Errors
    /// If the process is gone.
    pub(crate) fn of_busiest_thread(pid: u32) -> io::Result<Self> {
        let mut busiest = None;
        for task in fs::read_dir(format!("/proc/{pid}/task"))? {
            let path = task?.path().join("schedstat");
            let Ok(schedstat) = fs::read_to_string(&path) else {
                continue;
            };
            let run_ns = run_time(&schedstat)?;
            if busiest.as_ref().is_none_or(|(most, _)| run_ns > *most) {
                busiest = Some((run_ns, path));
            }
        }
        let (_, path) = busiest.ok_or_else(|| io::Error::other("a process without threads"))?;
        Ok(Self {
            file: File::open(path)?,
        })
    }

    /// Nanoseconds so far; exact only while the thread is not running. What a thread uses that runs
    /// on is entered at the ticks of the kernel's clock.
    ///
    /// # Errors
    /// If the process is gone.
    pub(crate) fn read(&self) -> io::Result<u64> {
        Ok(first_numbers(&self.file)?[0])
    }

    /// The same, and nanoseconds that it could have run and had no core.
    ///
    /// # Errors
    /// If the process is gone.
    pub(crate) fn read_with_wait(&self) -> io::Result<[u64; 2]> {
        first_numbers(&self.file)
    }
}

/// How long this thread has waited for its core while it could have run, read again and again.
#[derive(Debug)]
pub(crate) struct OwnWait {
    file: File,
}

impl OwnWait {
    /// Follows the thread that calls this.
    ///
    /// # Errors
    /// If there are no accounts.
    pub(crate) fn of_this_thread() -> io::Result<Self> {
        let file = File::open("/proc/thread-self/schedstat")?;
        Ok(Self { file })
    }

    /// Nanoseconds so far.
    ///
    /// # Errors
    /// As the system says.
    pub(crate) fn read(&self) -> io::Result<u64> {
        Ok(first_numbers(&self.file)?[1])
    }
}

/// The first two numbers of a `schedstat`: nanoseconds on a core, and waiting for one.
fn first_numbers(file: &File) -> io::Result<[u64; 2]> {
    let mut text = [0; 96];
    let length = file.read_at(&mut text, 0)?;
    let mut numbers = [0; 2];
    let words = text[..length].split(u8::is_ascii_whitespace);
    for (number, word) in numbers.iter_mut().zip(words) {
        for byte in word.iter().take_while(|byte| byte.is_ascii_digit()) {
            *number = *number * 10 + u64::from(byte - b'0');
        }
    }
    Ok(numbers)
}

/// Nanoseconds that this thread has run, for the generator's own cost.
pub(crate) fn own_run_ns() -> u64 {
    let text = fs::read_to_string("/proc/thread-self/schedstat").unwrap_or_default();
    run_time(&text).unwrap_or(0)
}

/// The number behind `name:` in a `status` file.
pub(crate) fn status_number(status: &str, name: &str) -> Option<u64> {
    let rest = status
        .lines()
        .find_map(|line| line.strip_prefix(name)?.strip_prefix(':'))?;
    rest.split_whitespace().next()?.parse().ok()
}

fn run_time(schedstat: &str) -> io::Result<u64> {
    let field = schedstat
        .split_whitespace()
        .next()
        .and_then(|text| text.parse().ok());
    field.ok_or_else(|| io::Error::other("schedstat has no run time"))
}

/// User and system ticks: fields 14 and 15, counted after the name, which may hold anything.
fn ticks(stat: &str) -> io::Result<(u64, u64)> {
    pair(stat, 14)
}

/// The same of children that have ended: fields 16 and 17.
fn children_ticks(stat: &str) -> io::Result<(u64, u64)> {
    pair(stat, 16)
}

/// Two fields of `stat`, of which the third is the first behind the name.
fn pair(stat: &str, first: usize) -> io::Result<(u64, u64)> {
    let after_name = stat.rsplit_once(')').map_or("", |(_, rest)| rest);
    let mut fields = after_name.split_whitespace().skip(first - 3);
    let mut next = || fields.next().and_then(|text| text.parse().ok());
    let (Some(user), Some(system)) = (next(), next()) else {
        return Err(io::Error::other("stat has no times"));
    };
    Ok((user, system))
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn ticks_are_found_behind_a_wicked_name() {
        let stat = "7 (a) b (c) S 1 7 7 0 -1 4194560 100 0 0 0 31 41 5 6 20 0 1 0 12 0 0";
        assert_eq!(ticks(stat).unwrap(), (31, 41));
        assert_eq!(children_ticks(stat).unwrap(), (5, 6));
        assert!(ticks("7 (x) S 1").is_err());
    }

    #[test]
    fn status_numbers_are_found_by_their_whole_name() {
        let status = "VmRSS:\t    1624 kB\nvoluntary_ctxt_switches:\t9\n\
            nonvoluntary_ctxt_switches:\t5\n";
        assert_eq!(status_number(status, "VmRSS"), Some(1624));
        assert_eq!(status_number(status, "nonvoluntary_ctxt_switches"), Some(5));
        assert_eq!(status_number(status, "VmHWM"), None);
    }

    #[test]
    fn own_account_can_be_read_and_does_not_shrink() {
        let pid = std::process::id();
        let before = CpuAccount::read(pid).unwrap();
        let after = CpuAccount::read(pid).unwrap();
        assert!(after.run_ns >= before.run_ns);
        assert!(children_ns(pid).is_ok());
        assert!(RunTime::of_busiest_thread(pid).unwrap().read().is_ok());
        let wait = OwnWait::of_this_thread().unwrap();
        let waited = wait.read().unwrap();
        assert!(wait.read().unwrap() >= waited);
    }

    #[test]
    fn difference_splits_by_ticks() {
        let before = CpuAccount {
            run_ns: 5,
            user_ticks: 1,
            system_ticks: 1,
            sleeps: 1,
        };
        let after = CpuAccount {
            run_ns: 25,
            user_ticks: 2,
            system_ticks: 4,
            sleeps: 3,
        };
        let delta = after.since(&before);
        assert_eq!(
            delta,
            CpuAccount {
                run_ns: 20,
                user_ticks: 1,
                system_ticks: 3,
                sleeps: 2
            }
        );
        assert_eq!(delta.user_share(), 0.25);
    }
}
