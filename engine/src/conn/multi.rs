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
}

impl Multi {
    /// Bytes kept for the queue.
    #[must_use]
    pub fn memory(&self) -> usize {
        let args: usize = self.queue.iter().map(|queued| queued.args.memory()).sum();
        self.queue.capacity() * size_of::<Queued>() + args
    }
}
