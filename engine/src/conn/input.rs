//! What has arrived of a request that is not complete.

use crate::resp::Parser;

/// The unfinished tail of a connection's bytes.
#[derive(Debug, Default)]
pub struct Input {
    /// Present while a request has begun and not ended, or while requests must wait.
    pub partial: Option<Box<Partial>>,
}

/// A request under way and the bytes it refers to.
#[derive(Debug, Default)]
pub struct Partial {
    /// Received and not executed.
    pub bytes: Vec<u8>,
    /// The place inside the unfinished request; its spans point into `bytes`.
    pub parser: Parser,
    /// Bytes wanted for the large word that is being received; 0 when none is.
    pub filling: usize,
    /// How many of its bytes had arrived before it got a buffer of its own.
    pub early: usize,
}

impl Input {
    /// Bytes held.
    #[must_use]
    pub fn len(&self) -> usize {
        self.partial
            .as_ref()
            .map_or(0, |partial| partial.bytes.len() + partial.filling)
    }

    /// Nothing is held.
    #[must_use]
    pub fn is_empty(&self) -> bool {
        self.partial.is_none()
    }

    /// Bytes for which there is room behind those held.
    #[must_use]
    pub fn room(&self) -> usize {
        self.partial
            .as_ref()
            .map_or(0, |partial| partial.bytes.capacity() - partial.bytes.len())
    }

    /// Memory of the words of the unfinished request that have been understood.
    #[must_use]
    pub fn words_memory(&self) -> usize {
        self.partial
            .as_ref()
            .map_or(0, |partial| partial.parser.memory())
    }

    /// Memory held.
    #[must_use]
    pub fn memory(&self) -> usize {
        self.partial.as_ref().map_or(0, |p| {
            p.bytes.capacity() + p.filling + p.parser.memory() + size_of::<Partial>()
        })
    }
}
