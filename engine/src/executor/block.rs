//! Connections that wait: for replicas, for time, for the end of a pause.
//!
//! Cost: a few connections wait at a time, so the list is walked once a turn.

use super::{Engine, NEVER};
use crate::base::{ConnId, Micros, Now};
use crate::command::ctx::{BlockedOn, Release};
use crate::conn::SessionFlags;
use crate::resp::Reply;
use crate::seam::machine::Outbox;

/// One waiting connection.
#[derive(Clone, Debug)]
struct Waiting {
    conn: ConnId,
    on: BlockedOn,
    deadline: Micros,
}

/// All waiting connections.
#[derive(Debug, Default)]
pub(super) struct Blocked {
    waiting: Vec<Waiting>,
    released: Vec<(ConnId, Release)>,
    /// Connections whose next command waits for the end of a pause.
    pub(super) paused: Vec<ConnId>,
    /// The pause has been ended by a command.
    pub(super) pause_ended: bool,
}

impl Blocked {
    pub(super) fn add(&mut self, conn: ConnId, on: BlockedOn, deadline: Micros) {
        self.waiting.push(Waiting { conn, on, deadline });
    }

    /// Lets `conn` go at the end of this turn.
    pub(super) fn release(&mut self, conn: ConnId, how: Release) {
        self.released.push((conn, how));
    }

    /// Forgets a connection that is gone.
    pub(super) fn forget(&mut self, conn: ConnId) {
        self.waiting.retain(|waiting| waiting.conn != conn);
        self.released.retain(|(released, _)| *released != conn);
        self.paused.retain(|paused| *paused != conn);
    }

    /// Somebody has been let go and not been answered.
    pub(super) fn has_released(&self) -> bool {
        !self.released.is_empty()
    }

    /// When the first wait is up.
    pub(super) fn deadline(&self) -> Micros {
        self.waiting
            .iter()
            .map(|waiting| waiting.deadline)
            .min()
            .unwrap_or(NEVER)
    }
}

impl Engine {
    /// Answers those whose wait is over, and lets their next requests run.
    pub(super) fn serve_blocked(&mut self, now: Now, out: &mut Outbox) {
        let released = std::mem::take(&mut self.blocked.released);
        let mut over = Vec::new();
        // Who is let go may wait again at once, for something else: first all are taken out.
        self.blocked.waiting.retain(|waiting| {
            let named = released.iter().find(|(conn, _)| *conn == waiting.conn);
            let timeout = (waiting.deadline <= now.monotonic).then_some(Release::Timeout);
            let how = named.map(|(_, how)| *how).or(timeout);
            over.extend(how.map(|how| (waiting.clone(), how)));
            how.is_none()
        });
        for (waiting, how) in over {
            self.let_go(now, waiting.conn);
            self.answer_waiting(&waiting, how);
            self.resume(now, waiting.conn, out);
        }
    }

    /// The connection waits no more.
    pub(super) fn let_go(&mut self, now: Now, id: ConnId) {
        let Some(conn) = self.clients.get_mut(id) else {
            return;
        };
        let session = &mut conn.session;
        session.flags.clear(SessionFlags(
            SessionFlags::WAITING.0 | SessionFlags::UNBLOCKED.0,
        ));
        session.last_active = now.monotonic;
        self.clients.blocked -= 1;
    }

    fn answer_waiting(&mut self, waiting: &Waiting, how: Release) {
        let Some(conn) = self.clients.output_of(waiting.conn) else {
            return;
        };
        if conn.session.flags.has(SessionFlags::REPLY_OFF) {
            return;
        }
        let mut reply = Reply {
            buf: &mut conn.output,
            protocol: conn.session.protocol,
        };
        match (how, &waiting.on) {
            (Release::Error, _) => {
                let text = "UNBLOCKED client unblocked via CLIENT UNBLOCK";
                self.observed.stats.count_error(text);
                reply.error(text.as_bytes());
            }
            (Release::Timeout, BlockedOn::Replicas { .. }) => reply.integer(0),
            (Release::Timeout, BlockedOn::Durability { .. }) => {
                reply.array(2);
                reply.integer(0);
                reply.integer(0);
            }
        }
    }

    /// Ends a pause whose time is up, and lets the commands run that waited for it.
    pub(super) fn serve_paused(&mut self, now: Now, out: &mut Outbox) {
        let is_over = self
            .clients
            .pause
            .is_some_and(|pause| pause.until <= now.monotonic);
        if is_over {
            self.clients.pause = None;
        }
        if !is_over && !std::mem::take(&mut self.blocked.pause_ended) {
            return;
        }
        self.keyspace.keeps_expired = self.clients.pause.is_some();
        for conn in std::mem::take(&mut self.blocked.paused) {
            self.let_go(now, conn);
            self.resume(now, conn, out);
        }
    }
}
