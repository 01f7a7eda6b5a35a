//! The table of pollers: four ways to wait for sockets, found by name, entered through one door.
//!
//! A row holds a pointer to one copy of the loop ([`drive`]), compiled for that member; everything
//! else in the program is compiled once.

pub mod epoll;
pub mod io_uring;
pub mod poll;
pub mod readiness;
pub mod select;
pub mod sockets;

pub use sockets::Sockets;

use crate::sys::Fd;
use dovetail_engine::seam::drive::{Carried, Ended, Start, drive};
use dovetail_engine::seam::host::Surroundings;
use dovetail_engine::seam::machine::Machine;
use dovetail_engine::seam::poller::{Fault, Poller};
use std::fmt;

/// A listening socket as the pollers take it.
pub type Door = Fd;

/// Runs the loop of one member; see [`drive`].
pub type Run = fn(
    Start<Sockets>,
    usize,
    &mut dyn Machine,
    &mut dyn Surroundings<Door>,
) -> Result<Ended<Sockets>, Fault>;

/// One way to wait for sockets.
#[derive(Debug)]
pub struct PollerEntry {
    /// What the directive, INFO and the file are called.
    pub name: &'static str,
    /// Whether this kernel can do it.
    pub probe: fn() -> Result<(), Fault>,
    /// Its loop.
    pub run: Run,
}

/// Every member, in the order in which `auto` tries them.
pub static POLLERS: &[PollerEntry] = &[
    row::<io_uring::IoUring>(),
    row::<epoll::Epoll>(),
    row::<poll::Poll>(),
    row::<select::Select>(),
];

const fn row<P: Poller<Sockets = Sockets, Door = Door>>() -> PollerEntry {
    PollerEntry {
        name: P::NAME,
        probe: probe::<P>,
        run: run::<P>,
    }
}

/// The name that stands for the first member that works here.
pub const AUTO: &str = "auto";

fn run<P: Poller<Sockets = Sockets, Door = Door>>(
    start: Start<Sockets>,
    expected: usize,
    machine: &mut dyn Machine,
    surroundings: &mut dyn Surroundings<Door>,
) -> Result<Ended<Sockets>, Fault> {
    drive::<P>(start, expected, machine, surroundings)
}

fn probe<P: Poller>() -> Result<(), Fault> {
    P::open(1).map(drop)
}

/// Why a name is no poller here.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum NoPoller {
    /// No row has that name.
    Unknown,
    /// The kernel refuses.
    Refused(Fault),
}

impl fmt::Display for NoPoller {
    fn fmt(&self, out: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Self::Unknown => {
                out.write_str("no such poller; there are auto")?;
                POLLERS
                    .iter()
                    .try_for_each(|entry| write!(out, ", {}", entry.name))
            }
            Self::Refused(fault) => write!(out, "not available here ({fault})"),
        }
    }
}

impl std::error::Error for NoPoller {}

/// The row that `name` stands for: itself, or for [`AUTO`] the first that works here.
///
/// # Errors
/// When there is no such row or the kernel refuses it: a name is never silently replaced.
pub fn choose(name: &str) -> Result<&'static PollerEntry, NoPoller> {
    if name == AUTO {
        let mut last = NoPoller::Unknown;
        for entry in POLLERS {
            match (entry.probe)() {
                Ok(()) => return Ok(entry),
                Err(fault) => last = NoPoller::Refused(fault),
            }
        }
        return Err(last);
    }
    let entry = POLLERS
        .iter()
        .find(|entry| entry.name == name)
        .ok_or(NoPoller::Unknown)?;
    (entry.probe)().map_err(NoPoller::Refused)?;
    Ok(entry)
}

/// Runs `machine` from one poller to the next until it is finished.
///
/// `sockets` carries the waker with which threads and signals end a wait: [`Sockets::new`].
/// A poller that the machine asks for and that the kernel then refuses is passed over: the loop
/// goes on with the one it had.
///
/// # Errors
/// When the first poller cannot be opened, or one can no longer wait.
pub fn run_machine(
    first: &'static PollerEntry,
    sockets: Sockets,
    expected: usize,
    machine: &mut dyn Machine,
    surroundings: &mut dyn Surroundings<Door>,
) -> Result<(), Fault> {
    let (mut entry, mut before) = (first, None);
    let mut start = Start::Adopted(sockets, Carried::default());
    loop {
        match (entry.run)(start, expected, machine, surroundings)? {
            Ended::Finished => return Ok(()),
            Ended::Switch {
                to,
                sockets,
                carried,
            } => {
                before = Some(entry);
                entry = choose(to).unwrap_or(entry);
                start = Start::Adopted(sockets, carried);
            }
            Ended::Unopened {
                sockets,
                carried,
                fault,
            } => {
                entry = before.take().ok_or(fault)?;
                start = Start::Adopted(sockets, carried);
            }
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn names_differ_and_none_is_auto() {
        for (at, entry) in POLLERS.iter().enumerate() {
            assert_ne!(entry.name, AUTO);
            assert!(POLLERS[..at].iter().all(|other| other.name != entry.name));
        }
    }

    #[test]
    fn a_name_is_taken_or_refused_and_auto_is_the_first_that_works() {
        assert_eq!(choose("poll").unwrap().name, "poll");
        assert_eq!(choose("kqueue").unwrap_err(), NoPoller::Unknown);
        let first = POLLERS
            .iter()
            .find(|entry| (entry.probe)().is_ok())
            .unwrap();
        assert_eq!(choose(AUTO).unwrap().name, first.name);
        let text = NoPoller::Unknown.to_string();
        assert!(POLLERS.iter().all(|entry| text.contains(entry.name)));
    }
}
