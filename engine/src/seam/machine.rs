//! What is driven: a deterministic program that takes events and time and gives bytes.

use super::poller::{Calls, Close, Endpoint, Event, Fault, Patience, Reading, SocketOptions};
use crate::base::{ConnId, ListenerId, Now};
use crate::resp::ReplyBuf;

/// Names an outgoing connection before it has a [`ConnId`]; the machine that asks for it chooses the
/// number.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub struct Ticket(pub u64);

/// What a machine asks of its poller besides sending.
#[derive(Debug)]
pub enum Action {
    /// See [`super::poller::Poller::fill`].
    Fill {
        /// Whose bytes.
        conn: ConnId,
        /// Holds what has arrived already.
        buffer: Vec<u8>,
        /// Its length when full.
        wanted: usize,
    },
    /// See [`super::poller::Poller::connect`]; answered at once by [`Machine::on_dialled`].
    Connect {
        /// By which the answer is known.
        ticket: Ticket,
        /// To where.
        peer: Endpoint,
    },
    /// See [`super::poller::Poller::pause`].
    Pause(ConnId, Reading),
    /// See [`super::poller::Poller::close`].
    Close(ConnId, Close),
    /// See [`super::poller::Poller::set_options`].
    Options(SocketOptions),
    /// See [`super::poller::Poller::unlisten`].
    Unlisten(ListenerId),
}

/// Where a machine leaves its requests, and what the loop tells it in return.
#[derive(Debug, Default)]
pub struct Outbox {
    /// Carried out, in order, before the next event is fetched.
    pub actions: Vec<Action>,
    /// The poller to go on with after this turn.
    pub switch_to: Option<&'static str>,
    /// The host has new listeners to hand to the poller after this turn.
    pub doors_changed: bool,
    /// Counters of the loop, as of this turn's wait.
    pub counters: LoopCounters,
}

/// What the loop counts, the same for every poller.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub struct LoopCounters {
    /// Times the loop has waited.
    pub waits: u64,
    /// Events fetched.
    pub events: u64,
    /// Calls made by the pollers so far.
    pub calls: Calls,
}

/// A deterministic program: the engine, Sentinel, or the lab's null responder.
pub trait Machine {
    /// Called once before the first wait, and again after every switch of the poller, with its name.
    fn start(&mut self, now: Now, poller: &'static str, out: &mut Outbox);
    /// One event. Replies are kept until [`Self::replies`] is called.
    fn on_event(&mut self, now: Now, event: Event<'_>, out: &mut Outbox);
    /// What has become of an [`Action::Connect`]: the name of the connection, whose
    /// [`Event::Connected`] will say how the attempt has ended, or why there is not even an attempt.
    /// It comes while actions are carried out, before the next event; only those hear it who ask.
    fn on_dialled(&mut self, _ticket: Ticket, _result: Result<ConnId, Fault>) {}
    /// All events of this wake have been seen: finish what belongs together.
    fn end_turn(&mut self, now: Now, out: &mut Outbox);
    /// Hands every finished reply to `send`, which takes it whole and returns how many bytes of
    /// that connection are still unsent.
    fn replies(&mut self, send: &mut dyn FnMut(ConnId, &mut ReplyBuf) -> usize);
    /// How long the loop may sleep now.
    fn patience(&mut self, now: Now) -> Patience;
    /// The program has ended; the loop returns after this turn's replies.
    fn is_finished(&self) -> bool;
}
