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
    /// The poller could not be opened; what it was to adopt is untouched.
    Unopened {
        /// Everything in flight.
        sockets: Sockets,
        /// Counters so far.
        carried: Carried,
        /// Why.
        fault: Fault,
    },
}

/// What a turn has come to.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Turn {
    /// The loop goes on.
    Again,
    /// The machine is finished.
    Finished,
    /// The machine wants to go on with this poller.
    Switch(&'static str),
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
    let (mut poller, carried) = match (P::open(expected), start) {
        (Ok(poller), Start::Fresh) => (poller, Carried::default()),
        (Ok(mut poller), Start::Adopted(sockets, carried)) => {
            poller.adopt(sockets)?;
            (poller, carried)
        }
        (Err(fault), Start::Fresh) => return Err(fault),
        (Err(fault), Start::Adopted(sockets, carried)) => {
            return Ok(Ended::Unopened {
                sockets,
                carried,
                fault,
            });
        }
    };
    let mut looping = Looping::begin(carried, machine, surroundings, P::NAME);
    loop {
        match looping.turn(&mut poller, machine, surroundings)? {
            Turn::Again => {}
            Turn::Finished => return Ok(Ended::Finished),
            Turn::Switch(to) => {
                let carried = looping.end(&mut poller, machine, surroundings);
                return Ok(Ended::Switch {
                    to,
                    sockets: poller.release(),
                    carried,
                });
            }
        }
    }
}

/// A loop between two turns, for those who turn it by hand.
#[derive(Debug)]
pub struct Looping {
    out: Outbox,
    carried: Carried,
}

impl Looping {
    /// Starts the machine on the poller called `name`.
    pub fn begin<Door>(
        carried: Carried,
        machine: &mut dyn Machine,
        surroundings: &mut dyn Surroundings<Door>,
        name: &'static str,
    ) -> Self {
        let mut out = Outbox::default();
        machine.start(surroundings.now(), name, &mut out);
        out.doors_changed = true;
        Self { out, carried }
    }

    /// One wait, every event of it, and the replies.
    ///
    /// # Errors
    /// When the poller can no longer wait.
    pub fn turn<P: Poller>(
        &mut self,
        poller: &mut P,
        machine: &mut dyn Machine,
        surroundings: &mut dyn Surroundings<P::Door>,
    ) -> Result<Turn, Fault> {
        let Self { out, carried } = self;
        settle(poller, machine, out, surroundings);
        let now = surroundings.now();
        poller.wait(machine.patience(now))?;
        let now = surroundings.now();
        carried.waits += 1;
        out.counters.waits = carried.waits;
        out.counters.calls = sum(carried.calls, poller.calls());
        while let Some(event) = poller.next() {
            carried.events += 1;
            machine.on_event(now, event, out);
            if !out.actions.is_empty() {
                act(poller, machine, out);
            }
        }
        out.counters.events = carried.events;
        machine.end_turn(now, out);
        machine.replies(&mut |conn, reply| {
            poller.send(conn, reply);
            poller.unsent(conn)
        });
        act(poller, machine, out);
        if machine.is_finished() {
            return Ok(Turn::Finished);
        }
        Ok(out.switch_to.take().map_or(Turn::Again, Turn::Switch))
    }

    /// Hands over what the machine has asked for, before the poller gives its sockets up.
    pub fn end<P: Poller>(
        mut self,
        poller: &mut P,
        machine: &mut dyn Machine,
        surroundings: &mut dyn Surroundings<P::Door>,
    ) -> Carried {
        settle(poller, machine, &mut self.out, surroundings);
        self.carried.calls = sum(self.carried.calls, poller.calls());
        self.carried
    }
}

/// Gives the poller what the machine asked for between two waits.
fn settle<P: Poller>(
    poller: &mut P,
    machine: &mut dyn Machine,
    out: &mut Outbox,
    surroundings: &mut dyn Surroundings<P::Door>,
) {
    act(poller, machine, out);
    if std::mem::take(&mut out.doors_changed) {
        for (listener, door) in surroundings.doors() {
            if let Err(fault) = poller.listen(listener, door) {
                surroundings.refused(listener, fault);
            }
        }
    }
}

fn act<P: Poller>(poller: &mut P, machine: &mut dyn Machine, out: &mut Outbox) {
    for action in out.actions.drain(..) {
        match action {
            Action::Fill {
                conn,
                buffer,
                wanted,
            } => poller.fill(conn, buffer, wanted),
            Action::Connect { ticket, peer } => machine.on_dialled(ticket, poller.connect(&peer)),
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
