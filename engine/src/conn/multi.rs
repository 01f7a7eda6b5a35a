//! A transaction being put together.

use crate::resp::OwnedArgs;

/// One queued command.
#[derive(Debug)]
pub struct Queued {
    /// Its row in the command table.
    pub command: u16,
    /// Its words.
    pub args: OwnedArgs,
}

/// What stands between MULTI and EXEC.
#[derive(Debug, Default)]
pub struct Multi {
    /// Commands in order.
    pub queue: Vec<Queued>,
    /// A command could not be queued: EXEC will refuse.
    pub broken: bool,
    /// Whether any queued command writes.
    pub writes: bool,
    /// Whether any queued command may take memory for data.
    pub takes_memory: bool,
    /// Bytes kept for the words of the queue.
    words_bytes: usize,
}

impl Multi {
    /// Puts a command behind the others.
    pub fn push(&mut self, queued: Queued) {
        self.words_bytes += queued.args.memory();
        self.queue.push(queued);
    }

    /// Bytes kept for the queue.
    #[must_use]
    pub fn memory(&self) -> usize {
        size_of::<Self>() + self.queue.capacity() * size_of::<Queued>() + self.words_bytes
    }
}
