//! What of all memory in use is not the dataset's, because it only passes through.

use super::ctx::ProcessFacts;
use super::{Ctx, Feed};
use crate::conn::Clients;
use crate::persist::Persist;

/// Bytes of connections and their buffers, of records on their way to the log, and of the log's own
/// buffer. Pieces of values that are being sent are not in it: they may be the dataset's.
#[must_use]
pub fn passing(clients: &Clients, feed: &Feed, persist: &Persist) -> u64 {
    let bytes = clients.passing() + feed.memory() + persist.progress().buffer_memory;
    u64::try_from(bytes).unwrap_or(u64::MAX)
}

impl Ctx<'_> {
    /// The same, with the reply that is being written.
    #[must_use]
    pub fn passing_memory(&self) -> u64 {
        passing(self.clients, self.feed, self.persist) + self.reply.buf.capacity() as u64
    }

    /// By how many bytes the dataset is over `maxmemory`: all that is in use but what passes through
    /// the connections of clients and the log's buffers. 0 without a limit. Cost: a few loads, and
    /// some for each database when it is near the limit.
    #[must_use]
    pub fn excess_memory(&mut self) -> u64 {
        let limit = self.config.memory.maxmemory;
        let held = self.host.used_memory();
        if limit == 0 || held <= limit {
            return 0;
        }
        let beyond = (held - limit).saturating_sub(self.passing_memory());
        if beyond == 0 {
            return 0;
        }
        beyond.saturating_sub(self.keyspace.idle_memory())
    }

    /// The process around it, with what is in use as against held.
    #[must_use]
    pub fn facts(&mut self) -> ProcessFacts {
        let mut facts = self.host.facts();
        facts.used_memory = facts
            .used_memory
            .saturating_sub(self.keyspace.idle_memory());
        facts
    }
}
