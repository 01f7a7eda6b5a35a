//! The memory of requests in flight, and what their completions say of it.

use super::pool::{Lease, Pool};
use super::{ACCEPT, BRIEF, CANCELLATION, HELD};
use crate::sys::{Fd, socket};
use dovetail_engine::resp::ReplyBuf;
use io_uring::cqueue;
use std::io::IoSlice;

/// Pieces of one vectored send.
const PIECES: usize = 64;

/// One completion.
#[derive(Debug)]
pub struct Done {
    /// The word that the request was given.
    pub token: u64,
    /// The request goes on and will complete again.
    pub has_more: bool,
    /// What came of it.
    pub outcome: Outcome,
}

/// What came of a request.
#[derive(Debug)]
pub enum Outcome {
    /// The result as the kernel says it: negative is an error number.
    Result(i32),
    /// A client was accepted.
    Accepted(Fd),
    /// Bytes were received into the pool.
    Bytes(Lease),
    /// A receive into the caller's buffer is over.
    Filled(Box<Filled>),
}

/// A send that is over, if it was no brief one that has left whole; the reply is the caller's
/// again.
#[derive(Debug)]
pub struct Sent {
    /// The word that the request was given.
    pub token: u64,
    /// What was sent.
    pub reply: ReplyBuf,
    /// How much of it has left, ever.
    pub sent: usize,
    /// The error number if nothing (more) could be sent.
    pub errno: Option<i32>,
    /// It was sent briefly.
    pub was_brief: bool,
}

/// A receive into a buffer that is over.
#[derive(Debug)]
pub struct Filled {
    /// The buffer, with what has come appended.
    pub buffer: Vec<u8>,
    /// How much that is; 0 with no error is the end of the stream.
    pub got: usize,
    /// The error number if nothing came.
    pub errno: Option<i32>,
}

/// A vectored send's description, where the kernel finds it.
pub(super) struct Header {
    message: libc::msghdr,
    pieces: Vec<libc::iovec>,
}

impl Header {
    /// Where the kernel finds it.
    pub(super) fn message(&self) -> *const libc::msghdr {
        &raw const self.message
    }

    /// Describes `reply` after its first `sent` bytes, as far as one send goes.
    pub(super) fn new(reply: &ReplyBuf, sent: usize) -> (Box<Self>, usize) {
        let mut slices = [IoSlice::new(&[]); PIECES];
        let used = reply.slices(sent, &mut slices);
        let described = slices[..used].iter().map(|slice| slice.len()).sum();
        let pieces = slices[..used]
            .iter()
            .map(|slice| libc::iovec {
                iov_base: slice.as_ptr().cast_mut().cast(),
                iov_len: slice.len(),
            })
            .collect();
        // SAFETY: an all-zero message header is a valid one without address, data or control.
        let message: libc::msghdr = unsafe { std::mem::zeroed() };
        let mut header = Box::new(Self { message, pieces });
        header.message.msg_iov = header.pieces.as_mut_ptr();
        header.message.msg_iovlen = header.pieces.len();
        (header, described)
    }
}

/// A send of the current batch.
pub(super) struct Brief {
    token: u64,
    pub(super) reply: ReplyBuf,
    /// Kept for the kernel; never read here.
    _header: Option<Box<Header>>,
}

/// Memory that the kernel holds for longer than a batch.
pub(super) enum Held {
    Send {
        token: u64,
        reply: ReplyBuf,
        sent: usize,
        _header: Option<Box<Header>>,
    },
    Fill {
        token: u64,
        buffer: Vec<u8>,
    },
}

/// Everything that the kernel may read or write, and how much of it is still out.
pub(super) struct Flight {
    pub(super) pool: Pool,
    pub(super) brief: Vec<Brief>,
    held: Vec<Option<Held>>,
    free: Vec<u32>,
    /// Requests that have a last completion to come.
    pub(super) flying: usize,
    is_incremental: bool,
}

impl Flight {
    pub(super) fn new(pool: Pool, is_incremental: bool) -> Self {
        let (brief, held, free) = (Vec::new(), Vec::new(), Vec::new());
        Self {
            pool,
            brief,
            held,
            free,
            flying: 0,
            is_incremental,
        }
    }

    /// Keeps a reply until its batch is over; returns its place.
    pub(super) fn add_brief(
        &mut self,
        token: u64,
        reply: ReplyBuf,
        header: Option<Box<Header>>,
    ) -> u64 {
        self.brief.push(Brief {
            token,
            reply,
            _header: header,
        });
        self.brief.len() as u64 - 1
    }

    /// Keeps memory until its request completes; returns its place.
    pub(super) fn hold(&mut self, held: Held) -> u32 {
        if let Some(at) = self.free.pop() {
            self.held[at as usize] = Some(held);
            return at;
        }
        self.held.push(Some(held));
        u32::try_from(self.held.len() - 1).expect("requests are counted with 32 bits")
    }

    /// The places of what is held under `token`.
    pub(super) fn held_for(&self, token: u64) -> Vec<u32> {
        let is_it = |held: &Option<Held>| match held {
            Some(Held::Send { token: of, .. } | Held::Fill { token: of, .. }) => *of == token,
            None => false,
        };
        (0..)
            .zip(&self.held)
            .filter(|(_, held)| is_it(held))
            .map(|(at, _)| at)
            .collect()
    }

    /// What a completion means; nothing for those of cancellations. Sends go to `sent`.
    #[inline]
    pub(super) fn digest(&mut self, entry: &cqueue::Entry, sent: &mut Vec<Sent>) -> Option<Done> {
        let (data, result) = (entry.user_data(), entry.result());
        let has_more = cqueue::more(entry.flags());
        if data == CANCELLATION {
            return None;
        }
        if data & BRIEF != 0 {
            sent.push(self.fallen_short(data & !BRIEF, result));
            return None;
        }
        if !has_more {
            self.flying -= 1;
        }
        if data & HELD != 0 {
            return self.let_go(data & !HELD, result, sent);
        }
        let outcome = match cqueue::buffer_select(entry.flags()) {
            _ if data & ACCEPT != 0 && result >= 0 => {
                Outcome::Accepted(socket::adopt_accepted(result))
            }
            Some(buffer) if result > 0 || (result == 0 && !self.is_incremental) => {
                // An incremental buffer is never used up by the end of a stream; a plain one is.
                let is_used_up = !self.is_incremental || !cqueue::buffer_more(entry.flags());
                let lease = self.pool.lease(buffer, result.cast_unsigned(), is_used_up);
                if result == 0 {
                    self.pool.give_back(lease);
                    Outcome::Result(0)
                } else {
                    Outcome::Bytes(lease)
                }
            }
            _ => Outcome::Result(result),
        };
        Some(Done {
            token: data & !ACCEPT,
            has_more,
            outcome,
        })
    }

    #[cold]
    fn fallen_short(&mut self, at: u64, result: i32) -> Sent {
        let at = usize::try_from(at).expect("a batch is a vector");
        let brief = &mut self.brief[at];
        let reply = std::mem::take(&mut brief.reply);
        let (sent, errno) = split(result);
        Sent {
            token: brief.token,
            reply,
            sent,
            errno,
            was_brief: true,
        }
    }

    fn let_go(&mut self, at: u64, result: i32, done: &mut Vec<Sent>) -> Option<Done> {
        let place = u32::try_from(at).expect("places are counted with 32 bits");
        let held = self.held[place as usize].take();
        let held = held.expect("a request that holds memory completes once");
        self.free.push(place);
        let (got, errno) = split(result);
        match held {
            Held::Send {
                token, reply, sent, ..
            } => {
                done.push(Sent {
                    token,
                    reply,
                    sent: sent + got,
                    errno,
                    was_brief: false,
                });
                None
            }
            Held::Fill { token, mut buffer } => {
                assert!(
                    got <= buffer.capacity() - buffer.len(),
                    "the kernel stays within"
                );
                // SAFETY: the kernel has written `got` bytes behind the old length.
                unsafe { buffer.set_len(buffer.len() + got) };
                let outcome = Outcome::Filled(Box::new(Filled { buffer, got, errno }));
                Some(Done {
                    token,
                    has_more: false,
                    outcome,
                })
            }
        }
    }
}

/// A kernel's result as a length and an error number.
fn split(result: i32) -> (usize, Option<i32>) {
    (
        usize::try_from(result).unwrap_or(0),
        (result < 0).then(|| -result),
    )
}
