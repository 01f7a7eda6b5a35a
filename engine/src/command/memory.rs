//! What of all memory in use is not the dataset's, because it only passes through.

use super::{Ctx, Feed};
use crate::conn::Clients;
use crate::persist::Persist;

/// Bytes of connections and their buffers, of records on their way to the log, and of the log's own
/// buffer. Pieces of values that are being sent are not in it: they may be the dataset's.
#[must_use]
pub fn passing(clients: &Clients, feed: &Feed, persist: &Persist) -> u64 {
    let bytes = clients.passing() + feed.memory() + persist.progress().buffered;
    u64::try_from(bytes).unwrap_or(u64::MAX)
}

impl Ctx<'_> {
    /// The same, with the reply that is being written.
    #[must_use]
    pub fn passing_memory(&self) -> u64 {
        passing(self.clients, self.feed, self.persist) + self.reply.buf.capacity() as u64
    }

    /// Bytes in use for the dataset, in the middle of a command or between two of a batch: what
    /// `maxmemory` is about. Cost: a few loads.
    #[must_use]
    pub fn dataset_memory(&mut self) -> u64 {
        let passing = self.passing_memory();
        self.host.used_memory().saturating_sub(passing)
    }
}
