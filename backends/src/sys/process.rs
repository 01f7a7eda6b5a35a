//! The process itself: limits, usage, identity, becoming a daemon.

use super::{Fd, checked, last_fault};
use dovetail_engine::seam::poller::Fault;
use std::ffi::CStr;
use std::os::fd::{AsRawFd, BorrowedFd, FromRawFd};

/// Whose processor time is asked for.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Whose {
    /// The whole process.
    Process,
    /// Children that have ended and were waited for.
    Children,
    /// The calling thread.
    Thread,
}

/// Processor seconds: system, user.
#[must_use]
pub fn cpu_seconds(whose: Whose) -> [f64; 2] {
    let who = match whose {
        Whose::Process => libc::RUSAGE_SELF,
        Whose::Children => libc::RUSAGE_CHILDREN,
        Whose::Thread => libc::RUSAGE_THREAD,
    };
    // SAFETY: all-zero bytes are a valid value of this plain structure.
    let mut usage: libc::rusage = unsafe { std::mem::zeroed() };
    // SAFETY: the pointer is to a writable structure that outlives the call; the three questions
    // are known to every kernel, and zeros would be the answer to others.
    unsafe { libc::getrusage(who, &raw mut usage) };
    [seconds(usage.ru_stime), seconds(usage.ru_utime)]
}

#[expect(clippy::cast_precision_loss, reason = "figures for display")]
fn seconds(time: libc::timeval) -> f64 {
    time.tv_sec as f64 + time.tv_usec as f64 / 1e6
}

/// Resident memory in bytes; 0 when /proc is not there.
#[must_use]
pub fn resident_bytes() -> u64 {
    let text = std::fs::read_to_string("/proc/self/statm").unwrap_or_default();
    let pages = text
        .split(' ')
        .nth(1)
        .and_then(|field| field.parse::<u64>().ok());
    pages.unwrap_or(0) * page_bytes()
}

/// Physical memory of the machine in bytes.
#[must_use]
pub fn total_memory_bytes() -> u64 {
    system_figure(libc::_SC_PHYS_PAGES) * page_bytes()
}

/// Bytes of a page of memory.
#[must_use]
pub fn page_bytes() -> u64 {
    system_figure(libc::_SC_PAGESIZE)
}

fn system_figure(name: libc::c_int) -> u64 {
    // SAFETY: takes no pointers.
    u64::try_from(unsafe { libc::sysconf(name) }).unwrap_or(0)
}

/// Kernel name, release and machine: `Linux 6.1.0 x86_64`.
#[must_use]
pub fn system_name() -> String {
    // SAFETY: all-zero bytes are a valid value of this plain structure.
    let mut names: libc::utsname = unsafe { std::mem::zeroed() };
    // SAFETY: the pointer is to a writable structure that outlives the call, which cannot fail.
    unsafe { libc::uname(&raw mut names) };
    [&names.sysname, &names.release, &names.machine]
        .map(|field| {
            let bytes: Vec<u8> = field
                .iter()
                .map(|c| c.to_ne_bytes()[0])
                .take_while(|byte| *byte != 0)
                .collect();
            String::from_utf8_lossy(&bytes).into_owned()
        })
        .join(" ")
}

/// This process's number.
#[must_use]
pub fn id() -> u32 {
    std::process::id()
}

/// How many descriptors the process may have: now, and at most.
///
/// # Errors
/// Never on Linux.
pub fn descriptor_limit() -> Result<(u64, u64), Fault> {
    let mut limit = libc::rlimit {
        rlim_cur: 0,
        rlim_max: 0,
    };
    // SAFETY: the pointer is to a writable structure that outlives the call.
    let done = unsafe { libc::getrlimit(libc::RLIMIT_NOFILE, &raw mut limit) };
    checked("getrlimit", done)?;
    Ok((limit.rlim_cur, limit.rlim_max))
}

/// Asks for `wanted` descriptors and returns how many there may be now: fewer when the process
/// may not raise its own ceiling.
///
/// # Errors
/// Never on Linux, short of a broken kernel.
pub fn raise_descriptor_limit(wanted: u64) -> Result<u64, Fault> {
    let (now, most) = descriptor_limit()?;
    if now >= wanted {
        return Ok(now);
    }
    if set_descriptor_limit(wanted, wanted.max(most)).is_ok() {
        return Ok(wanted);
    }
    let wanted = wanted.min(most);
    set_descriptor_limit(wanted, most)?;
    Ok(wanted)
}

/// Sets the limit of descriptors: now, and at most.
///
/// # Errors
/// `EPERM` when the ceiling would rise without privilege.
pub fn set_descriptor_limit(now: u64, most: u64) -> Result<(), Fault> {
    let limit = libc::rlimit {
        rlim_cur: now,
        rlim_max: most,
    };
    // SAFETY: the pointer is to a structure that outlives the call.
    checked("setrlimit", unsafe {
        libc::setrlimit(libc::RLIMIT_NOFILE, &raw const limit)
    })
    .map(drop)
}

/// Lets timers of this thread be late by at most so many nanoseconds.
pub fn set_timer_slack(nanos: u32) {
    // SAFETY: takes no pointers.
    unsafe { libc::prctl(libc::PR_SET_TIMERSLACK, libc::c_ulong::from(nanos)) };
}

/// Whether this process gets huge pages without asking; a forked child copies less without.
pub fn set_transparent_huge_pages(wanted: HugePages) {
    let disable = libc::c_ulong::from(wanted == HugePages::Never);
    let none: libc::c_ulong = 0;
    // SAFETY: takes no pointers. Kernels before 3.15 refuse, which leaves things as they are.
    unsafe { libc::prctl(libc::PR_SET_THP_DISABLE, disable, none, none, none) };
}

/// Where the kernel may use huge pages.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum HugePages {
    /// Where the system's setting says.
    AsConfigured,
    /// Nowhere in this process, not even where they were advised.
    Never,
}

/// Who goes on after a fork.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Forked {
    /// The caller; the child's number.
    Parent(u32),
    /// The new process.
    Child,
}

/// Makes a copy of this process with the calling thread only.
///
/// The child may use what its parent's other threads were not in the middle of; it ends with
/// [`exit_now`].
///
/// # Errors
/// When processes or memory have run out.
pub fn fork() -> Result<Forked, Fault> {
    // SAFETY: takes no pointers; what the child may do is said above.
    let pid = unsafe { libc::fork() };
    match u32::try_from(pid) {
        Ok(0) => Ok(Forked::Child),
        Ok(pid) => Ok(Forked::Parent(pid)),
        Err(_) => Err(last_fault("fork")),
    }
}

/// Ends the process without running anything of its own: for forked children.
pub fn exit_now(code: i32) -> ! {
    // SAFETY: takes no pointers and does not return.
    unsafe { libc::_exit(code) }
}

/// Has the calling thread run only when less polite ones of the system leave time: so many steps down.
pub fn be_polite(steps: i32) {
    // SAFETY: takes no pointers; going down is never refused.
    unsafe { libc::setpriority(libc::PRIO_PROCESS, 0, steps) };
}

/// Has the kernel kill this process when the thread ends that has made it.
pub fn end_with_parent() {
    let signal = libc::c_ulong::from(libc::SIGKILL.unsigned_abs());
    // SAFETY: takes no pointers.
    unsafe { libc::prctl(libc::PR_SET_PDEATHSIG, signal) };
}

/// Closes every descriptor behind standard error except `kept`: for a forked child, which must not
/// hold its parent's doors and clients open. Kernels before 5.9 cannot, and leave them.
pub fn close_others(kept: BorrowedFd<'_>) {
    let kept = kept.as_raw_fd().unsigned_abs();
    let first = libc::STDERR_FILENO.unsigned_abs() + 1;
    let ranges = [(first, kept.saturating_sub(1)), (kept + 1, u32::MAX)];
    for (from, to) in ranges.into_iter().filter(|(from, to)| from <= to) {
        // SAFETY: takes no pointers; whoever owned these descriptors is not run any more.
        unsafe { libc::syscall(libc::SYS_close_range, from, to, 0) };
    }
}

/// A pipe: what is read from, which does not wait, and what is written to.
///
/// # Errors
/// When descriptors have run out.
pub fn pipe() -> Result<(Fd, Fd), Fault> {
    let mut ends = [0; 2];
    let flags = libc::O_CLOEXEC | libc::O_NONBLOCK;
    // SAFETY: the pointer is to two writable integers that outlive the call.
    checked("pipe2", unsafe { libc::pipe2(ends.as_mut_ptr(), flags) })?;
    // SAFETY: the descriptor has just been made and nobody else owns it.
    let read = unsafe { Fd::from_raw_fd(ends[0]) };
    // SAFETY: as above.
    let write = unsafe { Fd::from_raw_fd(ends[1]) };
    Ok((read, write))
}

/// Bytes of this process's memory that it shares with nobody and has changed; 0 when /proc is not
/// there.
#[must_use]
pub fn private_dirty_bytes() -> u64 {
    let text = std::fs::read_to_string("/proc/self/smaps_rollup").unwrap_or_default();
    let line = text
        .lines()
        .find_map(|line| line.strip_prefix("Private_Dirty:"));
    let kilobytes =
        line.and_then(|rest| rest.trim().strip_suffix(" kB")?.trim().parse::<u64>().ok());
    kilobytes.unwrap_or(0) * 1024
}

/// Waits until child `pid` has ended.
///
/// # Errors
/// When it is no child of this process.
pub fn wait_for(pid: u32) -> Result<(), Fault> {
    loop {
        let mut status = 0;
        // SAFETY: the pointer is to a writable integer that outlives the call.
        let done = unsafe { libc::waitpid(signed(pid), &raw mut status, 0) };
        match checked("waitpid", done) {
            Err(fault) if super::interrupted(fault) => {}
            done => return done.map(drop),
        }
    }
}

/// How a child has ended.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Exit {
    /// By itself, with this code.
    Code(i32),
    /// By this signal.
    Signal(i32),
}

/// Looks whether child `pid` has ended, without waiting.
///
/// # Errors
/// When it is no child of this process.
pub fn reap(pid: u32) -> Result<Option<Exit>, Fault> {
    let mut status = 0;
    // SAFETY: the pointer is to a writable integer that outlives the call.
    let done = unsafe { libc::waitpid(signed(pid), &raw mut status, libc::WNOHANG) };
    if checked("waitpid", done)? == 0 {
        return Ok(None);
    }
    if libc::WIFSIGNALED(status) {
        return Ok(Some(Exit::Signal(libc::WTERMSIG(status))));
    }
    Ok(Some(Exit::Code(libc::WEXITSTATUS(status))))
}

/// Sends `signal` to process `pid`.
///
/// # Errors
/// When there is no such process.
pub fn kill(pid: u32, signal: i32) -> Result<(), Fault> {
    // SAFETY: takes no pointers.
    checked("kill", unsafe { libc::kill(signed(pid), signal) }).map(drop)
}

fn signed(pid: u32) -> libc::pid_t {
    libc::pid_t::try_from(pid).expect("the kernel counts processes with 22 bits")
}

/// Goes on in the background: a child in a session of its own, without the terminal. Must be
/// called before any thread has been started; the parent ends at once with success.
///
/// # Errors
/// When the process cannot be copied.
pub fn daemonize() -> Result<(), Fault> {
    if let Forked::Parent(_) = fork()? {
        exit_now(0);
    }
    // SAFETY: takes no pointers; a child that was just forked leads no group.
    checked("setsid", unsafe { libc::setsid() })?;
    const NULL: &CStr = c"/dev/null";
    // SAFETY: the pointer is to a terminated string.
    let null = checked("open", unsafe { libc::open(NULL.as_ptr(), libc::O_RDWR) })?;
    for standard in [libc::STDIN_FILENO, libc::STDOUT_FILENO, libc::STDERR_FILENO] {
        // SAFETY: takes no pointers; the three descriptors belong to nobody in particular.
        checked("dup2", unsafe { libc::dup2(null, standard) })?;
    }
    if null > libc::STDERR_FILENO {
        // SAFETY: the descriptor was opened above and is not used again.
        unsafe { libc::close(null) };
    }
    Ok(())
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn figures_of_a_running_process_are_not_zero() {
        assert!(resident_bytes() > 100_000);
        assert!(total_memory_bytes() > resident_bytes());
        assert!(system_name().starts_with("Linux "));
        assert!(raise_descriptor_limit(64).unwrap() >= 64);
        assert!(cpu_seconds(Whose::Thread)[1] >= 0.0);
    }

    #[test]
    fn a_childs_exit_code_is_seen() {
        let Forked::Parent(pid) = fork().unwrap() else {
            exit_now(7)
        };
        let exit = loop {
            if let Some(exit) = reap(pid).unwrap() {
                break exit;
            }
            std::thread::yield_now();
        };
        assert_eq!(exit, Exit::Code(7));
    }
}
