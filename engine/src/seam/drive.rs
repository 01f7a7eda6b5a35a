//! The loop: poller, machine and surroundings. The only code that is compiled once per poller.

use super::host::Surroundings;
use super::machine::{Action, Machine, Outbox};
use super::poller::{Calls, Fault, Poller};

/// How a loop begins.
#[derive(Debug)]
pub enum Start<Sockets> {
    /// With no connection yet.
    Fresh,
    /// With everything another poller had, and the calls counted so far.
    Adopted(Sockets, Carried),
}

/// Counters that outlive a poller.
#[derive(Clone, Copy, Debug, Default)]
pub struct Carried {
    /// Times waited.
    pub waits: u64,
    /// Events fetched.
    pub events: u64,
    /// Calls made.
    pub calls: Calls,
}

/// How a loop ends.
#[derive(Debug)]
pub enum Ended<Sockets> {
    /// The machine is finished.
    Finished,
    /// The machine wants to go on with another poller.
    Switch {
        /// The row's name.
        to: &'static str,
        /// Everything in flight.
        sockets: Sockets,
        /// Counters so far.
        carried: Carried,
    },
}

/// Runs `machine` over a poller of kind `P` until it is finished or wants another.
///
/// # Errors
/// When the poller cannot be opened, cannot take a socket over, or can no longer wait.
pub fn drive<P: Poller>(
    start: Start<P::Sockets>,
    expected: usize,
    machine: &mut dyn Machine,
    surroundings: &mut dyn Surroundings<P::Door>,
) -> Result<Ended<P::Sockets>, Fault> {
    let mut poller = P::open(expected)?;
    let mut carried = Carried::default();
    if let Start::Adopted(sockets, before) = start {
        carried = before;
        poller.adopt(sockets)?;
    }
    let mut out = Outbox::default();
    machine.start(surroundings.now(), P::NAME, &mut out);
    out.doors_changed = true;
    loop {
        settle(&mut poller, &mut out, surroundings);
        let now = surroundings.now();
        poller.wait(machine.patience(now))?;
        let now = surroundings.now();
        out.counters.waits = carried.waits + 1;
        out.counters.calls = sum(carried.calls, poller.calls());
        carried.waits += 1;
        while let Some(event) = poller.next() {
            carried.events += 1;
            machine.on_event(now, event, &mut out);
            if !out.actions.is_empty() {
                act(&mut poller, &mut out);
            }
        }
        out.counters.events = carried.events;
        machine.end_turn(now, &mut out);
        machine.replies(&mut |conn, reply| {
            poller.send(conn, reply);
            poller.unsent(conn)
        });
        act(&mut poller, &mut out);
        if machine.is_finished() {
            return Ok(Ended::Finished);
        }
        if let Some(to) = out.switch_to.take() {
            settle(&mut poller, &mut out, surroundings);
            carried.calls = sum(carried.calls, poller.calls());
            return Ok(Ended::Switch {
                to,
                sockets: poller.release(),
                carried,
            });
        }
    }
}

/// Gives the poller what the machine asked for between two waits.
fn settle<P: Poller>(
    poller: &mut P,
    out: &mut Outbox,
    surroundings: &mut dyn Surroundings<P::Door>,
) {
    act(poller, out);
    if std::mem::take(&mut out.doors_changed) {
        for (listener, door) in surroundings.doors() {
            if let Err(fault) = poller.listen(listener, door) {
                surroundings.refused(listener, fault);
            }
        }
    }
}

fn act<P: Poller>(poller: &mut P, out: &mut Outbox) {
    for action in out.actions.drain(..) {
        match action {
            Action::Fill {
                conn,
                buffer,
                wanted,
            } => poller.fill(conn, buffer, wanted),
            Action::Pause(conn, reading) => poller.pause(conn, reading),
            Action::Close(conn, how) => poller.close(conn, how),
            Action::Options(options) => poller.set_options(options),
            Action::Unlisten(listener) => poller.unlisten(listener),
        }
    }
}

fn sum(a: Calls, b: Calls) -> Calls {
    Calls {
        syscalls: a.syscalls + b.syscalls,
        sqes: a.sqes + b.sqes,
        cqes: a.cqes + b.cqes,
    }
}
