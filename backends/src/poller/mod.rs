//! The table of pollers: four ways to wait for sockets, found by name, entered through one door.
//!
//! A row holds a pointer to one copy of the loop ([`drive`]), compiled for that member; everything
//! else in the program is compiled once.

pub mod choose;
pub mod epoll;
pub mod io_uring;
pub mod poll;
pub mod readiness;
pub mod select;
pub mod sockets;

pub use choose::{AUTO, choose};
pub use sockets::Sockets;

use crate::sys::Fd;
use dovetail_engine::seam::drive::{Carried, Ended, Start, drive};
use dovetail_engine::seam::host::Surroundings;
use dovetail_engine::seam::machine::Machine;
use dovetail_engine::seam::poller::{Fault, Poller};

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
                entry = POLLERS.iter().find(|row| row.name == to).unwrap_or(entry);
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
