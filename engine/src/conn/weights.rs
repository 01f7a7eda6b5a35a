//! What connections take of memory: totals that are kept where buffers change.
//!
//! Shape: every connection has been weighed when something of it that stays had changed, and the
//! totals are the sums of these weights. Replies on their way to the poller and buffers kept for
//! later ones are counted as they go by; that count starts anew with each turn.
//! Cost: to weigh is O(1); as long as there is a limit, connections are also kept in the order of
//! their weights.

use super::{Clients, Conn, SessionFlags};
use crate::base::ConnId;
use std::cmp::Reverse;
use std::collections::BTreeSet;

/// What a connection weighed when its buffers last changed.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub struct Weight {
    /// Bytes of all that it keeps, replies of the present turn excepted.
    pub(super) kept: usize,
    /// Of which pieces that may be the dataset's as well.
    pub(super) shared: usize,
    /// Whether it is about to be closed for good.
    pub(super) condemned: bool,
    /// Whether it may be closed for its weight.
    pub(super) evictable: bool,
}

/// Who is the heaviest: weight, then the elder, by CLIENT ID.
type Ranks = BTreeSet<(usize, Reverse<u64>, ConnId)>;

/// The sums.
#[derive(Debug, Default)]
pub(super) struct Weights {
    kept: usize,
    shared: usize,
    /// Weights of those about to be closed, which no limit counts any more.
    condemned: usize,
    /// Bytes of this turn's replies, shared pieces excepted.
    replies: usize,
    /// Bytes of empty buffers that are kept.
    spare: usize,
    /// Who may be closed for it; only while there is a limit.
    ranks: Option<Ranks>,
}

impl Weights {
    fn add(&mut self, weight: Weight) {
        self.kept += weight.kept;
        self.shared += weight.shared;
        self.condemned += if weight.condemned { weight.kept } else { 0 };
    }

    fn subtract(&mut self, weight: Weight) {
        self.kept -= weight.kept;
        self.shared -= weight.shared;
        self.condemned -= if weight.condemned { weight.kept } else { 0 };
    }

    fn rank(&mut self, conn: &Conn) {
        if let Some(ranks) = &mut self.ranks
            && conn.weight.evictable
        {
            ranks.insert(rank_of(conn));
        }
    }

    fn unrank(&mut self, conn: &Conn) {
        if let Some(ranks) = &mut self.ranks {
            ranks.remove(&rank_of(conn));
        }
    }

    /// A connection has come.
    pub(super) fn enter(&mut self, conn: &mut Conn) {
        conn.weight = conn.weigh();
        self.add(conn.weight);
        self.rank(conn);
    }

    /// A connection is gone.
    pub(super) fn leave(&mut self, conn: &Conn) {
        self.subtract(conn.weight);
        self.unrank(conn);
    }
}

fn rank_of(conn: &Conn) -> (usize, Reverse<u64>, ConnId) {
    (conn.weight.kept, Reverse(conn.session.client_id), conn.id)
}

impl Clients {
    /// Weighs a connection of which something has changed that stays: unfinished requests, held or
    /// unsent replies, a transaction's queue, subscriptions, watched keys, what it waits with, or
    /// whether it may be closed.
    pub fn weigh(&mut self, id: ConnId) {
        let conn = match self.rows.get_mut(id.index()) {
            Some(Some(conn)) if conn.id == id => conn,
            _ => match self.orphan.as_mut().filter(|conn| conn.id == id) {
                Some(conn) => conn,
                None => return,
            },
        };
        let weight = conn.weigh();
        if weight != conn.weight {
            self.weights.leave(conn);
            conn.weight = weight;
            self.weights.add(weight);
            self.weights.rank(conn);
        }
    }

    /// Bytes that all connections take.
    #[must_use]
    pub fn memory(&self) -> usize {
        self.weights.kept + self.weights.replies
    }

    /// Bytes of what passes through connections and the buffers kept for them. What the dataset may
    /// have as well is not in it.
    #[must_use]
    #[inline]
    pub fn passing(&self) -> usize {
        let weights = &self.weights;
        weights.kept.saturating_sub(weights.shared) + weights.replies + weights.spare
    }

    /// This turn's replies to somebody have `now` bytes of memory and had `before`.
    #[inline]
    pub fn note_replies(&mut self, before: usize, now: usize) {
        // Replies that were written elsewhere are not known from before.
        self.weights.replies = (self.weights.replies + now).saturating_sub(before);
    }

    /// All replies of the turn have been handed on.
    #[inline]
    pub fn forget_replies(&mut self) {
        self.weights.replies = 0;
    }

    /// So many bytes of empty buffers have been put by.
    #[inline]
    pub fn note_spare(&mut self, bytes: usize) {
        self.weights.spare += bytes;
    }

    /// So many of them are in use again.
    #[inline]
    pub fn note_spare_used(&mut self, bytes: usize) {
        self.weights.spare -= bytes;
    }

    /// Keeps connections in the order of their weights from now on, or does so no more.
    pub fn keep_ranks(&mut self, on: bool) {
        if on == self.weights.ranks.is_some() {
            return;
        }
        self.weights.ranks = on.then(|| {
            let conns = self.rows.iter().flatten().chain(&self.orphan);
            let evictable = conns.filter(|conn| conn.weight.evictable);
            evictable.map(|conn| rank_of(conn)).collect()
        });
    }

    /// Bytes that connections take and that a limit on them is about.
    #[must_use]
    pub fn limited(&self) -> usize {
        self.weights.kept - self.weights.condemned
    }

    /// The connection with the most memory of those that may be closed for it; see
    /// [`Self::keep_ranks`].
    #[must_use]
    pub fn heaviest(&self) -> Option<ConnId> {
        let ranks = self.weights.ranks.as_ref()?;
        ranks.last().map(|(_, _, id)| *id)
    }

    /// Asserts that the totals are the sums.
    ///
    /// # Panics
    /// When they are not.
    pub fn check_weights(&self) {
        let (mut kept, mut shared, mut condemned) = (0, 0, 0);
        for conn in self.rows.iter().flatten().chain(&self.orphan) {
            assert_eq!(conn.weight, conn.weigh(), "{:?} has been weighed", conn.id);
            kept += conn.weight.kept;
            shared += conn.weight.shared;
            condemned += if conn.weight.condemned {
                conn.weight.kept
            } else {
                0
            };
        }
        let weights = &self.weights;
        let totals = (weights.kept, weights.shared, weights.condemned);
        assert_eq!(totals, (kept, shared, condemned), "the totals");
    }
}

impl Conn {
    /// What it weighs now.
    fn weigh(&self) -> Weight {
        let held = self.held.memory();
        let session = &self.session;
        let condemned = session.flags.has(SessionFlags::CLOSE_ASAP);
        Weight {
            kept: size_of::<Self>() + self.input.memory() + held + self.unsent + session.memory(),
            shared: self.held.spliced() + self.unsent_shared.min(self.unsent),
            condemned,
            evictable: !condemned && !session.flags.has(SessionFlags::NO_EVICT),
        }
    }

    /// Memory that the connection keeps, in bytes.
    #[must_use]
    pub fn memory(&self) -> usize {
        self.weigh().kept + self.output.memory()
    }
}
