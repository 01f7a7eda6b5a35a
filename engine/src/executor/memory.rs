//! Memory of connections against its limit, and the dataset's share of what is in use.

use super::Engine;
use crate::base::ConnId;
use crate::command::line::line;
use crate::config::MemoryOrPercent;
use crate::seam::host::LogLevel;

/// The least limit there is: a smaller one would close whoever comes to raise it.
const LIMIT_LEAST: u64 = 128 << 10;

impl Engine {
    /// Bytes in use, as against held.
    pub(super) fn used_memory(&mut self) -> u64 {
        let held = self.host.used_memory();
        held.saturating_sub(self.keyspace.idle_memory())
    }

    /// Bytes that all clients together may take, if that is limited.
    fn client_limit(&self) -> Option<usize> {
        let directive = self.config.limits.maxmemory_clients;
        if directive == MemoryOrPercent::Bytes(0) {
            return None;
        }
        let bytes = directive.bytes(self.config.memory.maxmemory);
        (bytes > 0).then(|| usize::try_from(bytes.max(LIMIT_LEAST)).unwrap_or(usize::MAX))
    }

    /// Whether somebody is to be closed at the end of the next turn.
    pub(super) fn is_over_client_limit(&self) -> bool {
        self.client_limit()
            .is_some_and(|limit| self.clients.limited() > limit)
            && self.clients.heaviest().is_some()
    }

    /// While all clients together take more than they may, closes the one that takes the most.
    #[inline]
    pub(super) fn limit_clients(&mut self) {
        let limit = self.client_limit();
        self.clients.keep_ranks(limit.is_some());
        if let Some(limit) = limit
            && self.clients.limited() > limit
        {
            self.evict_clients(limit);
        } else {
            self.is_told_of_limit = false;
        }
    }

    #[cold]
    fn evict_clients(&mut self, limit: usize) {
        while self.clients.limited() > limit {
            let Some(id) = self.clients.heaviest() else {
                if !std::mem::replace(&mut self.is_told_of_limit, true) {
                    let line = "Over client maxmemory after evicting all evictable clients";
                    self.host.log(LogLevel::Warning, line);
                }
                return;
            };
            self.evict_client(id);
        }
    }

    fn evict_client(&mut self, id: ConnId) {
        if let Some(conn) = self.clients.get(id)
            && self.host_wants(LogLevel::Notice)
        {
            let client = line(conn, &self.commands, self.keyspace.now());
            let text = format!("Evicting client: {client}");
            self.host.log(LogLevel::Notice, &text);
        }
        self.observed.stats.evicted_clients += 1;
        self.clients.close_now(id);
    }
}
