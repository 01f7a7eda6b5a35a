//! A client, as the engine sees it: what it has sent, what it gets, what it has agreed to.
//!
//! Shape: [`Clients`] is a table by the poller's slots; a row is a boxed [`Conn`] with its hot
//! fields first. An idle connection owns no buffer.

mod held;
mod input;
mod multi;
mod pause;
mod session;
mod table;
mod weights;

pub use held::Held;
pub use input::{Input, Partial};
pub use multi::{Multi, Queued};
pub use pause::{Pause, PauseScope};
pub use session::{ReplyMode, Session, SessionFlags, Subscriptions};
pub use table::Clients;
pub use weights::Weight;

use crate::base::{ConnId, Micros};
use crate::resp::ReplyBuf;
use crate::seam::poller::Arrival;

/// Output up to this length is held to no limit unless the peer does not take it.
pub const OUTPUT_UNCHECKED_BYTES: usize = 16 * 1024;

/// One connection.
#[derive(Debug)]
pub struct Conn {
    /// Its name at the poller.
    pub id: ConnId,
    /// What it has agreed to, and what is known of it.
    pub session: Session,
    /// Bytes that are not a complete request yet.
    pub input: Input,
    /// Replies not yet handed to the poller.
    pub output: ReplyBuf,
    /// Replies that may not leave before the log is so far.
    pub held: Held,
    /// Bytes that the poller has taken and not sent.
    pub unsent: usize,
    /// How many of these may lie in the dataset as well.
    pub unsent_shared: usize,
    /// Since when its output has been over the soft limit.
    pub over_soft_limit_since: Option<Micros>,
    /// Whether its replies are waiting to be collected this turn.
    pub has_replies: bool,
    /// Whether the poller has been told to close it.
    pub closing: bool,
    /// What the totals have of it.
    weight: Weight,
}

impl Conn {
    /// A connection that has just arrived as the `client_id`th.
    #[must_use]
    pub fn new(id: ConnId, client_id: u64, arrival: Arrival, now: Micros) -> Self {
        Self {
            id,
            session: Session::new(client_id, arrival, now),
            input: Input::default(),
            output: ReplyBuf::new(),
            held: Held::default(),
            unsent: 0,
            unsent_shared: 0,
            over_soft_limit_since: None,
            has_replies: false,
            closing: false,
            weight: Weight::default(),
        }
    }

    /// Bytes on their way out, wherever they lie.
    #[must_use]
    pub fn output_bytes(&self) -> usize {
        self.output.len() + self.held.bytes() + self.unsent
    }
}
