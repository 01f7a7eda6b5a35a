//! Connections that the engine makes itself, apart from its clients.
//!
//! Shape: whoever wants one opens it for a purpose and knows it by its ticket; the table knows by
//! which name the poller does. What comes of a connection is told to its purpose as [`News`], bytes
//! lent; what is written to its output leaves with the replies of the turn.
//! Invariants: [`News::Ended`] comes once and last, and only if the connection was not closed by
//! whoever opened it, who hears nothing more.

use super::Engine;
use crate::base::{ConnId, Endpoint, Now};
use crate::resp::ReplyBuf;
use crate::seam::machine::{Action, Outbox, Ticket};
use crate::seam::poller::{Close, Fault};
use std::collections::BTreeMap;

/// What a connection is for: who is told what comes of it.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) enum Purpose {
    /// MIGRATE.
    Migration,
}

/// What comes of a connection.
#[derive(Debug)]
pub(super) enum News<'a> {
    /// It is there.
    Open,
    /// Bytes in order, lent.
    Received(&'a [u8]),
    /// What had been written to it and would not leave at once has left.
    Drained,
    /// It is no more, or never was; why, when that was not orderly.
    Ended(Option<Fault>),
}

/// How far a connection has come.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
enum Stage {
    /// The loop has been asked.
    Asked,
    /// The poller is at it.
    Connecting(ConnId),
    /// It is there.
    Open(ConnId),
}

#[derive(Debug)]
struct Link {
    purpose: Purpose,
    stage: Stage,
    output: ReplyBuf,
    /// Bytes that the poller has taken and not sent.
    unsent: usize,
}

/// All of them.
#[derive(Debug, Default)]
pub(super) struct Outward {
    links: BTreeMap<Ticket, Link>,
    names: BTreeMap<ConnId, Ticket>,
    tickets: u64,
    /// Attempts that could not be made.
    failed: Vec<(Ticket, Fault)>,
    /// Connections that nobody wants any more, which got their names only now.
    unwanted: Vec<ConnId>,
}

impl Outward {
    /// Asks for a connection to `peer`.
    pub(super) fn open(&mut self, purpose: Purpose, peer: Endpoint, out: &mut Outbox) -> Ticket {
        self.tickets += 1;
        let ticket = Ticket(self.tickets);
        let link = Link {
            purpose,
            stage: Stage::Asked,
            output: ReplyBuf::new(),
            unsent: 0,
        };
        self.links.insert(ticket, link);
        out.actions.push(Action::Connect { ticket, peer });
        ticket
    }

    /// Where to write what is to be sent, which leaves at the end of the turn, if the connection is
    /// there.
    pub(super) fn output(&mut self, ticket: Ticket) -> Option<&mut ReplyBuf> {
        let link = self.links.get_mut(&ticket)?;
        matches!(link.stage, Stage::Open(_)).then_some(&mut link.output)
    }

    /// Bytes of earlier turns that the kernel has refused so far, as far as the poller knows.
    pub(super) fn unsent(&self, ticket: Ticket) -> usize {
        self.links.get(&ticket).map_or(0, |link| link.unsent)
    }

    /// Ends a connection, whose purpose hears nothing more of it.
    pub(super) fn close(&mut self, ticket: Ticket, how: Close, out: &mut Outbox) {
        let Some(link) = self.links.remove(&ticket) else {
            return;
        };
        self.failed.retain(|(failed, _)| *failed != ticket);
        if let Stage::Connecting(conn) | Stage::Open(conn) = link.stage {
            self.names.remove(&conn);
            out.actions.push(Action::Close(conn, how));
        }
    }

    /// Something is to be told or done at the end of the next turn.
    pub(super) fn has_work(&self) -> bool {
        !self.failed.is_empty() || !self.unwanted.is_empty()
    }

    /// Gives what has been written to the poller.
    pub(super) fn hand_out(&mut self, send: &mut dyn FnMut(ConnId, &mut ReplyBuf) -> usize) {
        for link in self.links.values_mut() {
            if let Stage::Open(conn) = link.stage
                && !link.output.is_empty()
            {
                link.unsent = send(conn, &mut link.output);
            }
        }
    }

    /// The link of this name, if it is one of ours.
    fn link_of(&mut self, conn: ConnId) -> Option<(Ticket, &mut Link)> {
        let ticket = *self.names.get(&conn)?;
        Some((ticket, self.links.get_mut(&ticket)?))
    }

    /// Forgets a connection that is gone.
    fn forget(&mut self, conn: ConnId) -> Option<(Ticket, Link)> {
        let ticket = self.names.remove(&conn)?;
        Some((ticket, self.links.remove(&ticket)?))
    }
}

impl Engine {
    /// The loop has begun to connect, or cannot.
    pub(super) fn on_link_named(&mut self, ticket: Ticket, result: Result<ConnId, Fault>) {
        let outward = &mut self.outward;
        match (result, outward.links.get_mut(&ticket)) {
            (Ok(conn), Some(link)) => {
                link.stage = Stage::Connecting(conn);
                outward.names.insert(conn, ticket);
            }
            (Ok(conn), None) => outward.unwanted.push(conn),
            (Err(fault), Some(_)) => outward.failed.push((ticket, fault)),
            (Err(_), None) => {}
        }
    }

    /// An attempt has ended.
    pub(super) fn on_link_connected(&mut self, now: Now, conn: ConnId, result: Result<(), Fault>) {
        if let Err(fault) = result {
            return self.end_link(now, conn, Some(fault));
        }
        if let Some((ticket, link)) = self.outward.link_of(conn) {
            link.stage = Stage::Open(conn);
            let purpose = link.purpose;
            self.tell(now, purpose, ticket, News::Open);
        }
    }

    /// Bytes have arrived that are no client's.
    pub(super) fn on_link_received(&mut self, now: Now, conn: ConnId, bytes: &[u8]) {
        if let Some((ticket, link)) = self.outward.link_of(conn) {
            let purpose = link.purpose;
            self.tell(now, purpose, ticket, News::Received(bytes));
        }
    }

    /// So many bytes that were given to the poller have not left.
    pub(super) fn on_link_unsent(&mut self, now: Now, conn: ConnId, unsent: usize) {
        if let Some((ticket, link)) = self.outward.link_of(conn) {
            link.unsent = unsent;
            let purpose = link.purpose;
            if unsent == 0 {
                self.tell(now, purpose, ticket, News::Drained);
            }
        }
    }

    /// The other side will say no more: there is nothing to wait for.
    pub(super) fn on_link_finished(&mut self, conn: ConnId, out: &mut Outbox) {
        if self.outward.names.contains_key(&conn) {
            out.actions.push(Action::Close(conn, Close::Graceful));
        }
    }

    /// A connection is gone.
    pub(super) fn on_link_closed(&mut self, now: Now, conn: ConnId, result: Result<(), Fault>) {
        self.end_link(now, conn, result.err());
    }

    fn end_link(&mut self, now: Now, conn: ConnId, fault: Option<Fault>) {
        if let Some((ticket, link)) = self.outward.forget(conn) {
            self.tell(now, link.purpose, ticket, News::Ended(fault));
        }
    }

    /// Tells of attempts that could not be made, and closes what nobody wants.
    pub(super) fn serve_outward(&mut self, now: Now, out: &mut Outbox) {
        if !self.outward.has_work() {
            return;
        }
        for conn in std::mem::take(&mut self.outward.unwanted) {
            out.actions.push(Action::Close(conn, Close::Now));
        }
        for (ticket, fault) in std::mem::take(&mut self.outward.failed) {
            if let Some(link) = self.outward.links.remove(&ticket) {
                self.tell(now, link.purpose, ticket, News::Ended(Some(fault)));
            }
        }
    }

    fn tell(&mut self, now: Now, purpose: Purpose, ticket: Ticket, news: News<'_>) {
        match purpose {
            Purpose::Migration => self.hear_migration(now, ticket, news),
        }
    }
}
