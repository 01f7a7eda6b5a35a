//! CLIENT PAUSE: which clients wait, and until when.

use crate::base::Micros;

/// Which commands wait during CLIENT PAUSE.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum PauseScope {
    /// All.
    All,
    /// Those that may write.
    Writes,
}

/// A pause of all clients.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Pause {
    /// When it ends.
    pub until: Micros,
    /// What waits.
    pub scope: PauseScope,
}
