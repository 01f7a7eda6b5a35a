//! Replies that may not leave yet: until when, and how much they are.

use crate::resp::ReplyBuf;
use std::collections::VecDeque;

/// Some of them, with one and the same reason to stay.
#[derive(Debug)]
struct Batch {
    until: u64,
    own: u64,
    replies: ReplyBuf,
}

/// The held replies of a connection, in order.
#[derive(Debug, Default)]
pub struct Held {
    batches: VecDeque<Batch>,
    bytes: usize,
    memory: usize,
    spliced: usize,
}

impl Held {
    /// There are none.
    #[must_use]
    pub fn is_empty(&self) -> bool {
        self.batches.is_empty()
    }

    /// Runs of replies that would leave together.
    #[must_use]
    pub fn len(&self) -> usize {
        self.batches.len()
    }

    /// Bytes in all.
    #[must_use]
    pub const fn bytes(&self) -> usize {
        self.bytes
    }

    /// Memory that they take, in bytes, spliced pieces included.
    #[must_use]
    pub const fn memory(&self) -> usize {
        self.memory
    }

    /// Bytes of values among them that may lie in the dataset as well.
    #[must_use]
    pub const fn spliced(&self) -> usize {
        self.spliced
    }

    /// Keeps `replies` behind the others. `until` is the offset of the feed that must be as durable
    /// as configured; `own` is where the connection's own last change ends, which is enough while the
    /// log is in trouble, and never goes back.
    pub fn push(&mut self, until: u64, own: u64, mut replies: ReplyBuf) {
        self.bytes += replies.len();
        self.spliced += replies.spliced();
        match self.batches.back_mut() {
            // They would leave together: what is behind others waits for them.
            Some(last) if until <= last.until && own == last.own => {
                self.memory -= last.replies.memory();
                last.replies.append(&mut replies);
                self.memory += last.replies.memory();
            }
            _ => {
                self.memory += replies.memory();
                self.batches.push_back(Batch {
                    until,
                    own,
                    replies,
                });
            }
        }
    }

    /// Takes what may leave now that `released` is as durable as configured; in order, and none if
    /// the first have to stay.
    pub fn release(&mut self, released: u64, has_trouble: bool) -> ReplyBuf {
        let mut ready = ReplyBuf::new();
        // Reads are answered in trouble, those as well that were asked before it was known.
        while let Some(first) = self.batches.front_mut()
            && (first.until <= released || (has_trouble && first.own <= released))
        {
            self.memory -= first.replies.memory();
            self.spliced -= first.replies.spliced();
            ready.append(&mut first.replies);
            self.batches.pop_front();
        }
        self.bytes -= ready.len();
        ready
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn reply(text: &[u8]) -> ReplyBuf {
        let mut reply = ReplyBuf::new();
        reply.tail().extend_from_slice(text);
        reply
    }

    #[test]
    fn what_leaves_together_is_kept_together() {
        let mut held = Held::default();
        for (until, own, text) in [
            (5, 5, b"a"),
            (5, 5, b"b"),
            (0, 5, b"c"),
            (9, 5, b"d"),
            (9, 9, b"e"),
        ] {
            held.push(until, own, reply(text));
        }
        assert_eq!((held.batches.len(), held.bytes()), (3, 5));
        assert!(held.release(4, true).is_empty());
        assert_eq!(held.release(5, false).to_vec(), b"abc");
        assert_eq!(held.bytes(), 2);
        assert_eq!(held.release(5, true).to_vec(), b"d");
        assert_eq!(held.release(9, false).to_vec(), b"e");
        assert!(held.is_empty() && held.bytes() == 0);
        assert_eq!((held.memory(), held.spliced()), (0, 0));
    }
}
