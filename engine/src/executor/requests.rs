//! From bytes to commands: framing in batches, fetching ahead, running in order.
//!
//! Shape: complete requests of a chunk are framed up to [`BATCH_MAX`] at a time where they lie; the
//! keys of a batch are hashed and fetched ahead in two stages; then the commands run. What is left
//! of a chunk is copied into the connection and goes on with the next one.

use super::turn::Shutdown;
use super::{Engine, Flow, Runner};
use crate::base::{ConnId, DbIndex, Now};
use crate::command::CommandId;
use crate::command::table::Unknown;
use crate::conn::{Partial, SessionFlags};
use crate::keyspace::Db;
use crate::resp::{Args, Limits, Parser, ProtocolError, ReplyBuf, Stop};
use crate::seam::host::LogLevel;
use crate::seam::machine::{Action, Outbox};
use crate::value::Value;
use bytes::Bytes;
use std::ops::Range;

/// Requests that are framed and fetched ahead together.
const BATCH_MAX: usize = 32;

/// A framed request; its words lie with the parser.
#[derive(Debug)]
pub(super) struct Frame {
    /// Where the request begins in its buffer, and where the next one does.
    start: usize,
    end: usize,
    /// Its words among the parser's.
    words: Range<usize>,
    command: Result<CommandId, Unknown>,
    /// Address and hash of its first key.
    hashed: Option<(*const u8, u64)>,
}

impl Frame {
    #[inline]
    fn args<'a>(&self, parser: &'a Parser, bytes: &'a [u8]) -> Args<'a> {
        let (spans, large) = parser.words();
        Args::new(bytes, &spans[self.words.clone()], large)
    }
}

/// How the requests of a buffer ended.
pub(super) enum RunEnd {
    /// Everything before this offset has been run; a request that has begun there is unfinished.
    Unfinished(usize),
    /// The word that begins at `start` wants `len` bytes and a buffer of its own; the request it
    /// belongs to began at `begun`.
    Large {
        begun: usize,
        start: usize,
        len: usize,
    },
    /// The connection waits; everything from this offset on has not been run.
    Halted(usize),
    /// The connection waits, and a request that is complete has not been run: the one with these
    /// words, which lies from `start` to `end`. It is kept as it was understood, because a large
    /// word lies elsewhere and an inline request has been unquoted in place.
    Held {
        words: Range<usize>,
        start: usize,
        end: usize,
    },
    /// The connection is being closed; nothing more will be run.
    Over,
}

/// Bytes whose requests have been run.
enum Chunk<'a> {
    /// The poller's.
    Lent(&'a [u8]),
    /// The connection's.
    Owned(Vec<u8>),
}

impl Chunk<'_> {
    fn bytes(&self) -> &[u8] {
        match self {
            Self::Lent(bytes) => bytes,
            Self::Owned(bytes) => bytes,
        }
    }

    /// What begins at `from`, to be kept.
    fn rest(self, from: usize) -> Vec<u8> {
        match self {
            Self::Lent(bytes) => bytes[from..].to_vec(),
            Self::Owned(mut bytes) => {
                bytes.drain(..from);
                bytes
            }
        }
    }
}

impl Engine {
    /// Bytes have arrived.
    pub(super) fn on_received(&mut self, now: Now, id: ConnId, bytes: &mut [u8], out: &mut Outbox) {
        self.observed.stats.bytes_in += bytes.len() as u64;
        self.observed.stats.reads += 1;
        let may_run_ahead = self.may_run_ahead(id, bytes);
        if !may_run_ahead {
            self.run_ahead(now, out);
        }
        let Some(conn) = self.clients.get_mut(id) else {
            return self.on_link_received(now, id, bytes);
        };
        let session = &mut conn.session;
        session.last_active = now.monotonic;
        session.bytes_in += bytes.len() as u64;
        self.active.heard(&mut session.last_turn);
        let is_over = session.flags.has(SessionFlags::CLOSING) || conn.closing;
        if is_over || matches!(self.shutdown, Shutdown::Asked(_)) {
            return;
        }
        let waits = session.flags.has(SessionFlags::WAITING);
        match conn.input.partial.take() {
            None if waits => {
                self.keep(id, bytes);
                self.check_input_limit(id);
            }
            None if may_run_ahead && self.keep_ahead(now, id, bytes, out) => {}
            None => {
                let mut parser = std::mem::take(&mut self.parser);
                debug_assert_eq!(parser.position(), 0, "a parser is kept between buffers");
                let end = self.run_requests(now, id, bytes, &mut parser, out);
                self.keep_rest(id, end, Chunk::Lent(bytes), parser, out);
                self.check_input_limit(id);
            }
            Some(mut partial) => {
                partial.bytes.extend_from_slice(bytes);
                if waits {
                    self.put_back(id, partial);
                    self.check_input_limit(id);
                } else {
                    self.run_partial(now, id, *partial, out);
                }
            }
        }
    }

    /// A large word has arrived whole.
    pub(super) fn on_filled(&mut self, now: Now, id: ConnId, buffer: Vec<u8>, out: &mut Outbox) {
        self.observed.stats.reads += 1;
        let Some(conn) = self.clients.get_mut(id) else {
            return;
        };
        conn.session.last_active = now.monotonic;
        let Some(mut partial) = conn.input.partial.take() else {
            return;
        };
        let news = buffer.len().saturating_sub(partial.early) as u64;
        self.observed.stats.bytes_in += news;
        conn.session.bytes_in += news;
        let len = std::mem::take(&mut partial.filling);
        let mut word = buffer;
        word.truncate(len);
        partial.parser.supply(Bytes::from(word));
        self.run_partial(now, id, *partial, out);
    }

    /// Runs what a connection has kept, after it has been let go.
    pub(super) fn resume(&mut self, now: Now, id: ConnId, out: &mut Outbox) {
        let Some(conn) = self.clients.get_mut(id) else {
            return;
        };
        if conn.closing {
            return;
        }
        if let Some(partial) = conn.input.partial.take() {
            self.run_partial(now, id, *partial, out);
        }
    }

    fn run_partial(&mut self, now: Now, id: ConnId, partial: Partial, out: &mut Outbox) {
        if self.is_ending() {
            return;
        }
        let Partial {
            mut bytes,
            mut parser,
            ..
        } = partial;
        let end = self.run_requests(now, id, &mut bytes, &mut parser, out);
        self.keep_rest(id, end, Chunk::Owned(bytes), parser, out);
        // What was kept and has been run is gone.
        self.clients.weigh(id);
        self.check_input_limit(id);
    }

    /// Keeps bytes of a connection that has none kept, until it may go on.
    pub(super) fn keep(&mut self, id: ConnId, bytes: &[u8]) {
        let partial = Partial {
            bytes: bytes.to_vec(),
            ..Partial::default()
        };
        self.put_back(id, Box::new(partial));
    }

    fn put_back(&mut self, id: ConnId, partial: Box<Partial>) {
        let stats = &mut self.observed.stats;
        stats.recent_max_input = stats.recent_max_input.max(partial.bytes.len());
        if let Some(conn) = self.clients.get_mut(id) {
            conn.input.partial = Some(partial);
            self.clients.weigh(id);
        }
    }

    /// Keeps what is left of a chunk with the connection.
    fn keep_rest(
        &mut self,
        id: ConnId,
        end: RunEnd,
        chunk: Chunk<'_>,
        mut parser: Parser,
        out: &mut Outbox,
    ) {
        let len = chunk.bytes().len();
        let (from, parser) = match end {
            RunEnd::Unfinished(from) => {
                parser.cut(from);
                if from == len {
                    self.parser = parser;
                    return;
                }
                (from, parser)
            }
            RunEnd::Held { words, start, end } => {
                parser.hold(words, start, end);
                (start, parser)
            }
            RunEnd::Halted(from) if from < len => (from, Parser::default()),
            RunEnd::Large { begun, start, len } => {
                return self.begin_fill(id, chunk.bytes(), (begun, start, len), parser, out);
            }
            RunEnd::Halted(_) | RunEnd::Over => return,
        };
        let bytes = chunk.rest(from);
        let partial = Partial {
            bytes,
            parser,
            ..Partial::default()
        };
        self.put_back(id, Box::new(partial));
    }

    /// Has a large word received into its final buffer.
    fn begin_fill(
        &mut self,
        id: ConnId,
        bytes: &[u8],
        (begun, start, len): (usize, usize, usize),
        mut parser: Parser,
        out: &mut Outbox,
    ) {
        let mut buffer = Vec::new();
        if buffer.try_reserve_exact(len + 2).is_err() {
            self.doom(id, LogLevel::Warning, "no memory for a large argument");
            return;
        }
        buffer.extend_from_slice(&bytes[start..]);
        let (kept, early) = (bytes[begun..start].to_vec(), buffer.len());
        parser.cut(begun);
        out.actions.push(Action::Fill {
            conn: id,
            buffer,
            wanted: len + 2,
        });
        self.put_back(
            id,
            Box::new(Partial {
                bytes: kept,
                parser,
                filling: len,
                early,
            }),
        );
    }

    /// Runs every complete request of `bytes`.
    fn run_requests(
        &mut self,
        now: Now,
        id: ConnId,
        bytes: &mut [u8],
        parser: &mut Parser,
        out: &mut Outbox,
    ) -> RunEnd {
        let mut output = self.take_output(id);
        let mut frames = std::mem::take(&mut self.frames);
        // A request under way began where the buffer begins.
        let mut begun = if parser.is_idle() {
            parser.position()
        } else {
            0
        };
        let end = loop {
            frames.clear();
            let stop = self.frame_batch(id, bytes, parser, &mut begun, &mut frames);
            if !frames.is_empty() {
                self.prepare(id, bytes, parser, &mut frames);
                let mut runner = self.lend(now, id, &mut output);
                if let Some(end) = runner.run_batch(bytes, parser, &frames, out) {
                    break end;
                }
                parser.forget();
            }
            match stop {
                Stop::Request | Stop::Inline => {}
                Stop::NeedMore => break RunEnd::Unfinished(begun),
                Stop::Large { start, len } => break RunEnd::Large { begun, start, len },
                Stop::Bad(error) => {
                    self.refuse_bytes(id, error, &mut output);
                    break RunEnd::Over;
                }
            }
        };
        self.frames = frames;
        self.return_output(id, output);
        end
    }

    /// Frames up to [`BATCH_MAX`] requests; fewer when a later one might be read differently by
    /// then.
    fn frame_batch(
        &self,
        id: ConnId,
        bytes: &mut [u8],
        parser: &mut Parser,
        begun: &mut usize,
        frames: &mut Vec<Frame>,
    ) -> Stop {
        let authenticated = self
            .clients
            .get(id)
            .is_some_and(|conn| !conn.session.flags.has(SessionFlags::UNAUTHENTICATED));
        let limits = Limits {
            word_bytes_max: self.config.limits.proto_max_bulk_len,
            authenticated,
        };
        let most = if authenticated { BATCH_MAX } else { 1 };
        if parser.is_complete() {
            frames.push(close_frame(parser, begun));
            return Stop::Request;
        }
        loop {
            match parser.advance(bytes, &limits) {
                Stop::Request => {
                    frames.push(close_frame(parser, begun));
                    let goes_on = bytes.get(*begun) == Some(&b'*');
                    if frames.len() == most || !goes_on || parser.has_large() {
                        return Stop::Request;
                    }
                }
                stop => {
                    if parser.is_idle() {
                        *begun = parser.position();
                    }
                    return stop;
                }
            }
        }
    }

    /// Looks up the batch's commands and fetches their first keys ahead.
    fn prepare(&self, id: ConnId, bytes: &[u8], parser: &Parser, frames: &mut [Frame]) {
        let many = frames.len() > 1;
        self.hash_keys(id, bytes, parser, frames, many);
        if many {
            self.fetch_records(id, frames);
            self.fetch_elements(id, bytes, parser, frames);
        }
    }

    pub(super) fn db_index(&self, id: ConnId) -> DbIndex {
        let conn = self.clients.get(id);
        conn.map(|conn| conn.session.db).unwrap_or_default()
    }

    fn db_of(&self, id: ConnId) -> &Db {
        self.keyspace.peek_db(self.db_index(id))
    }

    /// Looks up commands and hashes their first keys; when there are `many`, starts fetching their
    /// buckets.
    #[inline]
    pub(super) fn hash_keys(
        &self,
        id: ConnId,
        bytes: &[u8],
        parser: &Parser,
        frames: &mut [Frame],
        many: bool,
    ) {
        let db = self.db_of(id);
        let mut last = None;
        for frame in frames {
            let args = frame.args(parser, bytes);
            frame.command = self.commands.resolve(&args);
            let Ok(command) = frame.command else { continue };
            let first_key = usize::from(self.commands.row(command).first_key);
            if first_key > 0 && first_key < args.len() {
                let key = args.get(first_key);
                let hash = self.keyspace.key(key).hash;
                frame.hashed = Some((key.as_ptr(), hash));
                if many && last.replace(hash) != Some(hash) {
                    db.prefetch_bucket(hash);
                }
            }
        }
    }

    /// Starts fetching the records of keys whose buckets are on their way.
    #[inline]
    pub(super) fn fetch_records(&self, id: ConnId, frames: &[Frame]) {
        let db = self.db_of(id);
        let mut last = None;
        for (_, hash) in frames.iter().filter_map(|frame| frame.hashed) {
            // Requests about one key tend to follow each other.
            if last.replace(hash) != Some(hash) {
                db.prefetch_record(hash);
            }
        }
    }

    /// Starts fetching the elements that requests ask for which follow each other on the same key: a
    /// large collection is looked up once for all of them.
    #[inline]
    pub(super) fn fetch_elements(
        &self,
        id: ConnId,
        bytes: &[u8],
        parser: &Parser,
        frames: &[Frame],
    ) {
        let same_key = |a: &Frame, b: &Frame| match (a.hashed, b.hashed) {
            (Some((_, a)), Some((_, b))) => a == b,
            _ => false,
        };
        for run in frames.chunk_by(same_key).filter(|run| run.len() > 1) {
            self.fetch_run(id, bytes, parser, run);
        }
    }

    /// The same for requests all of which are about the first one's key.
    fn fetch_run(&self, id: ConnId, bytes: &[u8], parser: &Parser, frames: &[Frame]) {
        let elements = frames.iter().filter_map(|frame| {
            let row = self.commands.row(frame.command.ok()?);
            let (first_key, element) = (usize::from(row.first_key), usize::from(row.element));
            let args = frame.args(parser, bytes);
            let names_one = element > 0 && element < args.len();
            names_one.then(|| (args.get(first_key), args.get(element)))
        });
        let mut elements = elements.peekable();
        let Some(&(key, _)) = elements.peek() else {
            return;
        };
        let Some(value) = self.db_of(id).large(&self.keyspace.key(key)) else {
            return;
        };
        let mut hashes = [0; BATCH_MAX];
        let mut count = 0;
        let found = elements.filter_map(|(_, element)| value.element_hash(element));
        for (to, hash) in hashes.iter_mut().zip(found) {
            *to = hash;
            count += 1;
        }
        for step in 0..Value::PREFETCH_STEPS {
            for &hash in &hashes[..count] {
                value.prefetch_element(hash, step);
            }
        }
    }

    /// Answers bytes that are no request, and closes.
    fn refuse_bytes(&mut self, id: ConnId, error: ProtocolError, output: &mut ReplyBuf) {
        let flags = self
            .clients
            .get(id)
            .map(|conn| conn.session.flags)
            .unwrap_or_default();
        if !flags.has(SessionFlags::REPLY_OFF) {
            let mut reply = crate::resp::Reply {
                buf: output,
                protocol: Default::default(),
            };
            reply.error(&error.line());
        }
        self.observed.stats.count_error("ERR");
        self.clients.close_after_reply(id);
    }

    /// The connection's own output buffer, or a spare one, to write replies to.
    pub(super) fn take_output(&mut self, id: ConnId) -> ReplyBuf {
        let own = self
            .clients
            .get_mut(id)
            .map(|conn| std::mem::take(&mut conn.output));
        match own {
            Some(output) if !output.is_empty() => {
                self.clients.note_replies(output.capacity(), 0);
                output
            }
            _ => match self.spare.pop() {
                Some(output) => {
                    self.clients.note_spare_used(output.capacity());
                    output
                }
                None => ReplyBuf::new(),
            },
        }
    }

    /// Gives the output buffer back and has it sent if it holds anything.
    pub(super) fn return_output(&mut self, id: ConnId, mut output: ReplyBuf) {
        if output.is_empty() {
            self.keep_spare(output);
            return;
        }
        if let Some(conn) = self.clients.output_of(id) {
            // Something may have been written behind the running command's back.
            let before = conn.output.capacity();
            output.append(&mut conn.output);
            let now = output.capacity();
            conn.output = output;
            self.clients.note_replies(before, now);
        }
    }
}

/// What became of one request.
pub(super) enum RequestEnd {
    /// It has been run or refused.
    Done(Flow),
    /// It must wait.
    NotYet,
}

/// Takes the request that the parser has just completed, which began at `begun`; the next one begins
/// where it ends.
#[inline]
pub(super) fn close_frame(parser: &mut Parser, begun: &mut usize) -> Frame {
    let words = parser.finish();
    let (start, end) = (*begun, parser.position());
    *begun = end;
    Frame {
        start,
        end,
        words,
        command: Err(Unknown::Command),
        hashed: None,
    }
}

impl Runner<'_> {
    /// Runs a batch in order. Returns how the connection's requests end if they do.
    pub(super) fn run_batch(
        &mut self,
        bytes: &[u8],
        parser: &Parser,
        frames: &[Frame],
        out: &mut Outbox,
    ) -> Option<RunEnd> {
        for frame in frames {
            let args = frame.args(parser, bytes);
            self.ctx.hashed = frame.hashed;
            match self.request(frame.command, &args, out) {
                RequestEnd::Done(Flow::Continue) => {}
                RequestEnd::Done(Flow::Halt) => return Some(self.halted(frame.end)),
                RequestEnd::NotYet => {
                    let Frame {
                        words, start, end, ..
                    } = frame;
                    return Some(RunEnd::Held {
                        words: words.clone(),
                        start: *start,
                        end: *end,
                    });
                }
            }
        }
        None
    }

    /// How requests end after one that made the connection stop before offset `next`.
    fn halted(&self, next: usize) -> RunEnd {
        let row = self.ctx.clients.get(self.ctx.conn);
        if row.is_none_or(|conn| conn.closing || conn.session.flags.has(SessionFlags::CLOSING)) {
            RunEnd::Over
        } else {
            RunEnd::Halted(next)
        }
    }
}
