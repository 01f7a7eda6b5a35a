//! Names of things that come and go: a slot and the generation that tells its tenants apart.

/// Names one connection for its whole life; a reused slot gets a new generation.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub struct ConnId {
    /// Index of the connection in every table that keeps one row a connection.
    pub slot: u32,
    /// Counts the tenants of the slot.
    pub generation: u32,
}

impl ConnId {
    /// The slot as an index.
    #[must_use]
    pub const fn index(self) -> usize {
        self.slot as usize
    }

    /// Both halves in one word, for a kernel's user data.
    #[must_use]
    pub const fn to_bits(self) -> u64 {
        (self.generation as u64) << 32 | self.slot as u64
    }

    /// The inverse of [`Self::to_bits`].
    #[must_use]
    #[expect(
        clippy::cast_possible_truncation,
        reason = "takes the halves of a word apart"
    )]
    pub const fn from_bits(bits: u64) -> Self {
        Self {
            slot: bits as u32,
            generation: (bits >> 32) as u32,
        }
    }
}

/// Names one listening socket.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub struct ListenerId(pub u32);

/// Number of a database, from 0.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub struct DbIndex(pub u32);

impl DbIndex {
    /// The number as an index.
    #[must_use]
    pub const fn index(self) -> usize {
        self.0 as usize
    }
}
