//! Connections coming and going, and the limits they are held to.

use super::Engine;
use crate::base::{ConnId, Micros, Now};
use crate::conn::{Clients, Conn, SessionFlags};
use crate::pubsub::{Pubsub, Topic};
use crate::resp::Reply;
use crate::seam::host::LogLevel;
use crate::seam::machine::{Action, Outbox};
use crate::seam::poller::{Arrival, Close, Fault};

/// What somebody gets who comes from outside while nothing protects the server.
const PROTECTED: &str = "DENIED Redis is running in protected mode because protected mode is \
    enabled and no password is set for the default user. In this mode connections are only accepted \
    from the loopback interface. If you want to connect from external computers, either set a \
    password with 'requirepass', bind the server to the addresses it should serve, or turn this \
    protection off with 'protected-mode no'.";

impl Engine {
    /// Somebody has connected.
    pub(super) fn on_accepted(&mut self, now: Now, id: ConnId, arrival: Arrival) {
        let client_id = self.clients.take_client_id();
        let mut conn = Box::new(Conn::new(id, client_id, arrival, now.monotonic));
        if !self.config.security.requirepass.is_empty() {
            conn.session.flags.set(SessionFlags::UNAUTHENTICATED);
        }
        let most = self
            .connections_max
            .min(self.config.limits.maxclients as usize);
        let is_full = self.clients.len() >= most;
        let is_stranger = self.is_protected_against(&conn);
        self.clients.add(conn);
        if is_full || is_stranger {
            let text = if is_full {
                "ERR max number of clients reached"
            } else {
                PROTECTED
            };
            self.observed.stats.rejected_connections += 1;
            self.turn_away(id, text);
        } else {
            self.observed.stats.connections += 1;
        }
    }

    /// Protected mode: without a password and without a deliberate `bind`, only this machine.
    fn is_protected_against(&self, conn: &Conn) -> bool {
        self.config.network.protected_mode
            && self.config.security.requirepass.is_empty()
            && !conn.session.is_local()
    }

    /// Answers an error and closes.
    fn turn_away(&mut self, id: ConnId, text: &str) {
        self.observed.stats.count_error(text);
        if let Some(conn) = self.clients.output_of(id) {
            let protocol = conn.session.protocol;
            Reply {
                buf: &mut conn.output,
                protocol,
            }
            .error(text.as_bytes());
        }
        self.clients.close_after_reply(id);
    }

    /// A listener could not accept.
    pub(super) fn on_accept_failed(&mut self, fault: Fault) {
        let line = format!("Error accepting a client connection: {fault}");
        self.host.log(LogLevel::Warning, &line);
    }

    /// Output that was taken as sent has left in part only.
    pub(super) fn on_stalled(&mut self, now: Now, id: ConnId, unsent: usize) {
        if let Some(conn) = self.clients.get_mut(id) {
            conn.unsent = unsent;
        }
        self.clients.weigh(id);
        self.check_output_limit(now.monotonic, id);
    }

    /// Output that had piled up has left.
    pub(super) fn on_drained(&mut self, now: Now, id: ConnId) {
        if let Some(conn) = self.clients.get_mut(id) {
            conn.unsent = 0;
            conn.session.last_active = now.monotonic;
            conn.over_soft_limit_since = None;
        }
        self.clients.weigh(id);
    }

    /// A connection is gone: everything that names it is told.
    pub(super) fn on_closed(&mut self, id: ConnId) {
        if let Some(suspended) = &mut self.suspended
            && suspended.conn == id
        {
            // The script goes on; the rest follows when it has ended.
            suspended.is_closed = true;
            self.clients.orphan(id);
            return;
        }
        self.stop_waiting(id);
        let Some(conn) = self.clients.remove(id) else {
            return;
        };
        for watched in &conn.session.watched {
            self.keyspace.db(watched.db).unwatch(&watched.key, id);
        }
        if self.host_wants(LogLevel::Verbose) {
            let peer = &conn.session.arrival.peer;
            self.host.log(
                LogLevel::Verbose,
                &format!("Client closed connection addr={peer}"),
            );
        }
    }

    /// A connection gets nothing any more that it has not been answered yet.
    fn stop_waiting(&mut self, id: ConnId) {
        drop_subscriptions(&mut self.clients, &mut self.pubsub, id);
        self.blocked.forget(id, &mut self.keyspace);
        let Some(conn) = self.clients.get_mut(id) else {
            return;
        };
        let flags = conn.session.flags;
        conn.session.flags.clear(SessionFlags::WAITING);
        conn.session.flags.clear(SessionFlags::MONITOR);
        if flags.has(SessionFlags::WAITING) {
            self.clients.blocked -= 1;
        }
        if flags.has(SessionFlags::MONITOR) {
            self.clients.monitors.retain(|monitor| *monitor != id);
        }
    }

    /// Has a connection closed after its replies whose peer has finished speaking: nobody waits for
    /// what may never come. A script and MIGRATE are no such thing, and neither is standing behind
    /// one; when they are over, the connection is condemned again.
    fn finish(&mut self, id: ConnId) {
        let Some(conn) = self.clients.get(id) else {
            return;
        };
        let flags = conn.session.flags;
        let is_behind = flags.has(SessionFlags::PAUSED) && self.clients.pause.is_none();
        let is_busy = is_behind
            || self.blocked.is_for_migration(id)
            || self.suspended.as_ref().is_some_and(|it| it.conn == id);
        if !flags.has(SessionFlags::FINISHED) || flags.has(SessionFlags::CLOSING) || is_busy {
            return;
        }
        self.stop_waiting(id);
        if let Some(conn) = self.clients.get_mut(id) {
            conn.session.flags.set(SessionFlags::CLOSE_AFTER_REPLY);
        }
    }

    /// Whether lines of this level are written at all.
    pub(super) fn host_wants(&self, level: LogLevel) -> bool {
        level.is_logged_at(self.config.logging.loglevel)
    }

    /// Has a connection closed at the end of the turn, replies unsent.
    pub(super) fn doom(&mut self, id: ConnId, level: LogLevel, reason: &str) {
        if let Some(conn) = self.clients.get(id) {
            if self.host_wants(level) {
                let peer = conn.session.peer_text();
                let line = format!("Closing client addr={peer}: {reason}");
                self.host.log(level, &line);
            }
            self.clients.close_now(id);
        }
    }

    /// Requests that grow beyond `client-query-buffer-limit`, a transaction's queue included, end the
    /// connection.
    pub(super) fn check_input_limit(&mut self, id: ConnId) {
        let limit = self
            .config
            .limits
            .client_query_buffer_limit
            .min(HELD_BYTES_MAX);
        let Some(conn) = self.clients.get(id) else {
            return;
        };
        let multi = conn.session.multi.as_ref();
        let held = conn.input.len() + multi.map_or(0, |multi| multi.memory());
        if held as u64 > limit {
            self.observed.stats.query_limit_closes += 1;
            let reason = format!("requests of {held} bytes are over the limit");
            self.doom(id, LogLevel::Warning, &reason);
        }
    }

    /// Output over the limits of its class ends a connection.
    pub(super) fn check_output_limit(&mut self, now: Micros, id: ConnId) {
        let Some(conn) = self.clients.get_mut(id) else {
            return;
        };
        let used = conn.output_bytes() as u64;
        if conn.session.flags.has(SessionFlags::CLOSE_ASAP) {
            return;
        }
        let unknown = conn.session.flags.has(SessionFlags::UNAUTHENTICATED);
        if unknown && used > UNAUTHENTICATED_OUTPUT_BYTES {
            let reason = "output of an unauthenticated client is not read";
            self.doom(id, LogLevel::Warning, reason);
            return;
        }
        let limit = self.config.limits.output_limit(conn.session.class());
        let over_hard = limit.hard_bytes > 0 && used >= limit.hard_bytes;
        let over_soft = limit.soft_bytes > 0 && used >= limit.soft_bytes;
        let since = match (over_soft, conn.over_soft_limit_since) {
            (false, _) => None,
            (true, Some(since)) => Some(since),
            (true, None) => Some(now),
        };
        conn.over_soft_limit_since = since;
        let soft_time = Micros::from_secs(limit.soft_secs);
        let too_long = since.is_some_and(|since| now.minus(since) > soft_time);
        if over_hard || too_long {
            self.observed.stats.output_limit_closes += 1;
            let reason = format!("output of {used} bytes is over the limits of its class");
            self.doom(id, LogLevel::Warning, &reason);
        }
    }

    /// Closes those that this turn has condemned.
    pub(super) fn close_doomed(&mut self, out: &mut Outbox) {
        for id in std::mem::take(&mut self.clients.doomed) {
            self.finish(id);
            let Some(conn) = self.clients.get(id) else {
                continue;
            };
            let how = if conn.session.flags.has(SessionFlags::CLOSE_ASAP) {
                Close::Now
            } else if conn.session.flags.has(SessionFlags::CLOSE_AFTER_REPLY) {
                if self.is_closing_held(id) {
                    // It is condemned again when the last of them has left.
                    continue;
                }
                Close::Graceful
            } else {
                continue;
            };
            let Some(conn) = self.clients.get_mut(id) else {
                continue;
            };
            if !conn.closing || how == Close::Now {
                conn.closing = true;
                out.actions.push(Action::Close(id, how));
            }
        }
    }
}

/// Bytes of unfinished requests that a connection may have whatever the directive says: a word's
/// place is counted in 32 bits.
const HELD_BYTES_MAX: u64 = 2 << 30;
/// Output that an unauthenticated client may leave unread.
const UNAUTHENTICATED_OUTPUT_BYTES: u64 = 1024;

/// Ends the subscriptions of a connection that is gone or about to be.
pub(super) fn drop_subscriptions(clients: &mut Clients, pubsub: &mut Pubsub, id: ConnId) {
    let Some(conn) = clients.get_mut(id) else {
        return;
    };
    let Some(subs) = conn.session.subscriptions.take() else {
        return;
    };
    conn.session.flags.clear(SessionFlags::PUBSUB);
    pubsub.subscribers -= 1;
    clients.weigh(id);
    let sets = [
        (Topic::Channel, subs.channels),
        (Topic::Pattern, subs.patterns),
        (Topic::Shard, subs.shard_channels),
    ];
    for (topic, names) in sets {
        let mut names: Vec<_> = names.into_iter().collect();
        names.sort_unstable();
        for name in names {
            pubsub.unsubscribe(topic, &name, id);
        }
    }
}
