//! Small chunks of several connections, framed at once and run together.
//!
//! Without pipelining a chunk holds one request, whose key is in no cache: the bucket and then the
//! record are waited for. So complete small chunks are copied behind one another until something
//! else arrives or the turn ends; then the keys of all are fetched ahead, and the requests run in
//! the order in which they came.
//! Invariants: 1. at most one chunk of a connection is here. 2. No other request is run and no other
//! kind of event is seen before the chunks have been run; only that bytes have arrived is noted.

use super::Engine;
use super::requests::{Frame, RunEnd, close_frame};
use crate::base::{ConnId, Now};
use crate::conn::SessionFlags;
use crate::resp::{Limits, Parser, Stop};
use crate::seam::machine::Outbox;
use std::ops::Range;

/// Longest chunk that is copied; longer ones are batches of their own.
const CHUNK_BYTES_MAX: usize = 256;
/// Chunks that are run together at most.
const CHUNKS_MAX: usize = 16;

/// Chunks that have arrived and have not been run.
#[derive(Debug, Default)]
pub(super) struct Ahead {
    bytes: Vec<u8>,
    parser: Parser,
    frames: Vec<Frame>,
    chunks: Vec<Chunk>,
}

/// One connection's complete requests.
#[derive(Debug)]
struct Chunk {
    conn: ConnId,
    /// Where its bytes end among all.
    end: usize,
    frames: Range<usize>,
}

impl Ahead {
    fn holds(&self, conn: ConnId) -> bool {
        self.chunks.iter().any(|chunk| chunk.conn == conn)
    }

    /// Takes `bytes` if they are complete requests, each an array of words.
    fn take(&mut self, conn: ConnId, bytes: &[u8], limits: &Limits) -> bool {
        let first = self.frames.len();
        let mut begun = self.bytes.len();
        self.bytes.extend_from_slice(bytes);
        while begun < self.bytes.len() {
            let is_array =
                self.bytes[begun] == b'*' && matches!(self.bytes.get(begun + 1), Some(b'1'..=b'9'));
            if !is_array || self.parser.advance(&mut self.bytes, limits) != Stop::Request {
                self.frames.truncate(first);
                return false;
            }
            self.frames.push(close_frame(&mut self.parser, &mut begun));
        }
        self.chunks.push(Chunk {
            conn,
            end: begun,
            frames: first..self.frames.len(),
        });
        true
    }

    fn clear(&mut self) {
        self.bytes.clear();
        self.parser.reset();
        self.frames.clear();
        self.chunks.clear();
    }
}

impl Engine {
    /// Whether a chunk of `id` may be run together with others.
    pub(super) fn may_run_ahead(&self, id: ConnId, bytes: &[u8]) -> bool {
        let unfit = SessionFlags(
            SessionFlags::WAITING.0 | SessionFlags::CLOSING.0 | SessionFlags::UNAUTHENTICATED.0,
        );
        let conn = self.clients.get(id);
        bytes.len() <= CHUNK_BYTES_MAX
            && conn.is_some_and(|conn| {
                conn.input.is_empty() && !conn.closing && !conn.session.flags.has(unfit)
            })
            && !self.ahead.holds(id)
    }

    /// Keeps the chunk for later in this turn, if it is complete.
    pub(super) fn keep_ahead(
        &mut self,
        now: Now,
        id: ConnId,
        bytes: &[u8],
        out: &mut Outbox,
    ) -> bool {
        let limits = Limits {
            word_bytes_max: self.config.limits.proto_max_bulk_len,
            authenticated: true,
        };
        let is_kept = self.ahead.take(id, bytes, &limits);
        if !is_kept || self.ahead.chunks.len() == CHUNKS_MAX {
            self.run_ahead(now, out);
        }
        is_kept
    }

    /// Runs the chunks that have been kept.
    #[inline]
    pub(super) fn run_ahead(&mut self, now: Now, out: &mut Outbox) {
        if self.ahead.bytes.is_empty() {
            return;
        }
        let mut ahead = std::mem::take(&mut self.ahead);
        let many = ahead.frames.len() > 1;
        let Ahead {
            bytes,
            parser,
            frames,
            chunks,
        } = &mut ahead;
        for chunk in &*chunks {
            self.hash_keys(
                chunk.conn,
                bytes,
                parser,
                &mut frames[chunk.frames.clone()],
                many,
            );
        }
        if many {
            for chunk in &*chunks {
                self.fetch_records(chunk.conn, &frames[chunk.frames.clone()]);
            }
            let dbs = chunks.chunk_by(|a, b| self.db_index(a.conn) == self.db_index(b.conn));
            for chunks in dbs {
                let [first, .., last] = chunks else { continue };
                let frames = &frames[first.frames.start..last.frames.end];
                self.fetch_elements(first.conn, bytes, parser, frames);
            }
        }
        let mut stamp = (self.stopwatch)();
        for chunk in &ahead.chunks {
            stamp = self.run_chunk(now, &ahead, chunk, stamp, out);
        }
        ahead.clear();
        self.ahead = ahead;
    }

    /// Runs one connection's requests; those that must wait are kept with it. `stamp` is the
    /// stopwatch before, the result after.
    fn run_chunk(
        &mut self,
        now: Now,
        ahead: &Ahead,
        chunk: &Chunk,
        stamp: u64,
        out: &mut Outbox,
    ) -> u64 {
        let id = chunk.conn;
        let conn = self.clients.get(id);
        let is_over =
            conn.is_none_or(|conn| conn.closing || conn.session.flags.has(SessionFlags::CLOSING));
        if is_over || self.is_ending() {
            return stamp;
        }
        let mut output = self.take_output(id);
        let mut runner = self.lend_at(now, id, &mut output, stamp);
        let frames = &ahead.frames[chunk.frames.clone()];
        let end = runner.run_batch(&ahead.bytes, &ahead.parser, frames, out);
        let stamp = runner.stamp;
        self.return_output(id, output);
        let from = match end {
            Some(RunEnd::Halted(from)) => from,
            Some(RunEnd::Held { start, .. }) => start,
            _ => chunk.end,
        };
        if from < chunk.end {
            self.keep(id, &ahead.bytes[from..chunk.end]);
        }
        self.check_input_limit(id);
        stamp
    }
}
