//! All connections, by the poller's slots.

use super::weights::Weights;
use super::{Conn, Pause, SessionFlags};
use crate::base::map::{Map, map};
use crate::base::{ConnId, Micros};

/// The table of connections.
#[derive(Debug)]
pub struct Clients {
    pub(super) rows: Vec<Option<Box<Conn>>>,
    by_client_id: Map<u64, ConnId>,
    next_client_id: u64,
    /// Connections with replies to be collected, in the order in which they got them.
    pub with_replies: Vec<ConnId>,
    /// Connections to be closed when the turn's replies have been taken.
    pub doomed: Vec<ConnId>,
    /// Connections that wait for something, the end of a pause included.
    pub blocked: usize,
    /// The pause under way that CLIENT PAUSE has begun.
    pub pause: Option<Pause>,
    /// Keys are on their way to another server: whatever may write waits.
    pub frozen: bool,
    /// Connections that see every command.
    pub monitors: Vec<ConnId>,
    /// A connection that is gone, and whose script has not ended; its slot may be used again.
    pub(super) orphan: Option<Box<Conn>>,
    /// What they take of memory.
    pub(super) weights: Weights,
}

impl Clients {
    /// An empty table.
    #[must_use]
    pub fn new(seed: u64) -> Self {
        Self {
            rows: Vec::new(),
            by_client_id: map(seed),
            next_client_id: 1,
            with_replies: Vec::new(),
            doomed: Vec::new(),
            blocked: 0,
            pause: None,
            frozen: false,
            monitors: Vec::new(),
            orphan: None,
            weights: Weights::default(),
        }
    }

    /// The number that the next connection gets.
    pub fn take_client_id(&mut self) -> u64 {
        self.next_client_id += 1;
        self.next_client_id - 1
    }

    /// Adds a connection.
    ///
    /// # Panics
    /// When its slot is taken: the poller has broken its contract.
    pub fn add(&mut self, mut conn: Box<Conn>) {
        let index = conn.id.index();
        if self.rows.len() <= index {
            self.rows.resize_with(index + 1, || None);
        }
        assert!(
            self.rows[index].is_none(),
            "a slot is free before it is used again"
        );
        self.by_client_id.insert(conn.session.client_id, conn.id);
        self.weights.enter(&mut conn);
        self.rows[index] = Some(conn);
    }

    /// Gives up the slot of a connection that is gone, and keeps the connection until it is removed.
    pub fn orphan(&mut self, id: ConnId) {
        let row = self.rows.get_mut(id.index());
        let gone = row.and_then(|row| row.take_if(|conn| conn.id == id));
        if let Some(conn) = gone {
            debug_assert!(self.orphan.is_none(), "one script runs at a time");
            self.orphan = Some(conn);
            self.exempt(id);
        }
    }

    /// Nobody is closed who is gone.
    fn exempt(&mut self, id: ConnId) {
        if let Some(conn) = self.get_mut(id) {
            conn.session.flags.set(SessionFlags::NO_EVICT);
            self.weigh(id);
        }
    }

    /// Adds a connection that no poller knows and nobody can find: commands run in its name.
    pub fn set_apart(&mut self, mut conn: Box<Conn>) {
        conn.session.flags.set(SessionFlags::NO_EVICT);
        self.weights.enter(&mut conn);
        debug_assert!(self.orphan.is_none(), "there is one such connection");
        self.orphan = Some(conn);
    }

    /// Forgets a connection.
    pub fn remove(&mut self, id: ConnId) -> Option<Box<Conn>> {
        if let Some(conn) = self.orphan.take_if(|conn| conn.id == id) {
            self.by_client_id.remove(&conn.session.client_id);
            self.weights.leave(&conn);
            return Some(conn);
        }
        let row = self.rows.get_mut(id.index())?;
        if row.as_ref().is_none_or(|conn| conn.id != id) {
            return None;
        }
        let conn = row.take()?;
        self.by_client_id.remove(&conn.session.client_id);
        self.weights.leave(&conn);
        Some(conn)
    }

    /// A connection, if it is still there.
    #[inline]
    pub fn get_mut(&mut self, id: ConnId) -> Option<&mut Conn> {
        match self.rows.get_mut(id.index()) {
            Some(Some(conn)) if conn.id == id => Some(conn),
            _ => self.orphan.as_deref_mut().filter(|conn| conn.id == id),
        }
    }

    /// A connection, if it is still there.
    #[must_use]
    #[inline]
    pub fn get(&self, id: ConnId) -> Option<&Conn> {
        match self.rows.get(id.index()) {
            Some(Some(conn)) if conn.id == id => Some(conn),
            _ => self.orphan.as_deref().filter(|conn| conn.id == id),
        }
    }

    /// The connection with this CLIENT ID.
    #[must_use]
    pub fn find(&self, client_id: u64) -> Option<ConnId> {
        self.by_client_id.get(&client_id).copied()
    }

    /// How many there are.
    #[must_use]
    pub fn len(&self) -> usize {
        self.by_client_id.len()
    }

    /// There is none.
    #[must_use]
    pub fn is_empty(&self) -> bool {
        self.by_client_id.is_empty()
    }

    /// Rows, free ones included; for walking them in slices.
    #[must_use]
    pub fn slots(&self) -> usize {
        self.rows.len()
    }

    /// The connection in a slot.
    #[must_use]
    pub fn at(&self, slot: usize) -> Option<&Conn> {
        self.rows.get(slot)?.as_deref()
    }

    /// All connections, in the order of their arrival.
    #[must_use]
    pub fn in_order(&self) -> Vec<&Conn> {
        let mut all: Vec<&Conn> = self.rows.iter().filter_map(Option::as_deref).collect();
        all.sort_unstable_by_key(|conn| conn.session.client_id);
        all
    }

    /// Whether some commands wait for the end of a pause, whoever has begun it.
    #[must_use]
    #[inline]
    pub const fn is_paused(&self) -> bool {
        self.pause.is_some() || self.frozen
    }

    /// Has a connection closed when its replies have left; no further request of it is run.
    pub fn close_after_reply(&mut self, id: ConnId) {
        self.condemn(id, SessionFlags::CLOSE_AFTER_REPLY);
    }

    /// Has a connection closed at the end of the turn, replies unsent.
    pub fn close_now(&mut self, id: ConnId) {
        self.condemn(id, SessionFlags::CLOSE_ASAP);
    }

    /// The peer has finished speaking: has the connection closed once it waits for nothing.
    pub fn finish(&mut self, id: ConnId) {
        self.condemn(id, SessionFlags::FINISHED);
    }

    fn condemn(&mut self, id: ConnId, flag: SessionFlags) {
        if let Some(conn) = self.get_mut(id) {
            conn.session.flags.set(flag);
            self.doomed.push(id);
            self.weigh(id);
        }
    }

    /// A connection waits no more.
    pub fn let_go(&mut self, id: ConnId, now: Micros) {
        let Some(conn) = self.get_mut(id) else {
            return;
        };
        // What it was to be silent about is over; a command that a pause held back is still to come.
        if conn.session.flags.has(SessionFlags::BLOCKED) {
            conn.session.flags.clear(SessionFlags::REPLY_SKIP);
        }
        let over = SessionFlags(SessionFlags::WAITING.0 | SessionFlags::UNBLOCKED.0);
        conn.session.flags.clear(over);
        conn.session.last_active = now;
        conn.session.waiting_bytes = 0;
        self.blocked -= 1;
        self.weigh(id);
        self.condemn_finished(id);
    }

    /// A connection waits no more: it is closed if its peer has finished speaking.
    pub fn condemn_finished(&mut self, id: ConnId) {
        let conn = self.get(id);
        if conn.is_some_and(|conn| conn.session.flags.has(SessionFlags::FINISHED)) {
            self.doomed.push(id);
        }
    }

    /// Gives a connection other than the running one something to write to, and has it sent. Who is
    /// being closed gets nothing any more.
    pub fn output_of(&mut self, id: ConnId) -> Option<&mut Conn> {
        let conn = self
            .rows
            .get_mut(id.index())?
            .as_deref_mut()
            .filter(|conn| conn.id == id && !conn.closing)?;
        if !conn.has_replies {
            conn.has_replies = true;
            self.with_replies.push(id);
        }
        Some(conn)
    }
}
