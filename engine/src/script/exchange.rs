//! What passes between a script and the executor: a few words one way, a few the other.
//!
//! Nothing here borrows from either side. What is large (words of a call, its reply, the reply of
//! the whole script) lies on a [`Desk`] that both see and whose buffers are used again.

use crate::resp::{Args, Protocol, ReplyBuf, Span};
use std::cell::{Cell, RefCell};

/// What a script asks of the executor, or tells it.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum Step {
    /// Nothing: the machine waits for work.
    Ready,
    /// Run the command whose words lie on the desk; the reply is laid there.
    Call,
    /// So many instructions have been run since the last step of this kind.
    Tick,
    /// Write a line to the log.
    Log {
        /// 0 debug, 1 verbose, 2 notice, 3 warning.
        level: u8,
        /// The line.
        line: String,
    },
    /// Say whether the user may run the command whose words lie on the desk.
    AclCheck,
    /// Say what time has been used.
    Clock,
    /// A source has been compiled, or the error lies on the desk.
    Compiled(bool),
    /// The script has come to its end.
    Finished(End),
}

/// How a script has ended.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum End {
    /// Its reply lies on the desk.
    Replied,
    /// So it does, and is an error; the flag says whether it has been counted before.
    RepliedError {
        /// A command's error that was counted when the command failed.
        counted: bool,
    },
    /// It was stopped by an error, which lies on the desk.
    Failed {
        /// A command's error that was counted when the command failed.
        counted: bool,
    },
}

/// Errors among the values of a script's reply, which is none itself.
#[derive(Debug, Default)]
pub struct Nested {
    /// How many of them were counted when a command of the script failed.
    pub counted: u64,
    /// The first words of the others.
    pub fresh: Vec<Box<[u8]>>,
}

/// What the executor answers a [`Step`] with, or wants of a machine that is ready.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum Resume {
    /// The reply of the call lies on the desk.
    Reply,
    /// Go on.
    GoOn,
    /// Whether the command is allowed; nothing if there is no such command.
    Verdict(Option<bool>),
    /// The time used, in nanoseconds.
    Clock(u64),
    /// End with an error, whatever the script does about errors.
    Kill,
    /// Compile the source on the desk as script `id`.
    Compile {
        /// Its place among the compiled ones.
        id: usize,
    },
    /// Forget script `id`.
    Forget {
        /// Its place among the compiled ones.
        id: usize,
    },
    /// Run script `id`: the words on the desk are its keys, then its arguments.
    Run {
        /// Its place among the compiled ones.
        id: usize,
        /// How many of the words are keys.
        keys: usize,
        /// The caller's protocol.
        protocol: Protocol,
    },
    /// End the machine.
    Quit,
}

/// Words, back to back.
#[derive(Debug, Default)]
pub struct Words {
    bytes: Vec<u8>,
    spans: Vec<Span>,
}

/// Words that one call may have in bytes: their places are counted in 32 bits.
const WORDS_BYTES_MAX: usize = 1 << 31;
/// Buffers larger than this are given back.
const KEPT_BYTES: usize = 64 * 1024;

impl Words {
    /// No words; keeps the allocations unless they have grown large.
    pub fn clear(&mut self) {
        self.bytes.clear();
        self.spans.clear();
        if self.bytes.capacity() > KEPT_BYTES {
            self.bytes = Vec::new();
        }
    }

    /// Appends a word; false when there are too many bytes.
    #[must_use]
    pub fn push(&mut self, word: &[u8]) -> bool {
        if self.bytes.len() + word.len() > WORDS_BYTES_MAX {
            return false;
        }
        self.spans.push(Span::inline(self.bytes.len(), word.len()));
        self.bytes.extend_from_slice(word);
        true
    }

    /// Appends what `write` appends as a word.
    pub fn push_with(&mut self, write: impl FnOnce(&mut Vec<u8>)) {
        let at = self.bytes.len();
        write(&mut self.bytes);
        self.spans.push(Span::inline(at, self.bytes.len() - at));
    }

    /// How many.
    #[must_use]
    pub fn len(&self) -> usize {
        self.spans.len()
    }

    /// None.
    #[must_use]
    pub fn is_empty(&self) -> bool {
        self.spans.is_empty()
    }

    /// The words as a request.
    #[must_use]
    pub fn args(&self) -> Args<'_> {
        Args::new(&self.bytes, &self.spans, &[])
    }
}

/// Where both sides lay what is too large to be handed over.
#[derive(Debug, Default)]
pub struct Desk {
    /// Words of a call, or the keys and arguments of a script.
    pub words: RefCell<Words>,
    /// What a command has answered.
    pub reply: RefCell<ReplyBuf>,
    /// What the script answers.
    pub result: RefCell<ReplyBuf>,
    /// Errors within it.
    pub nested: RefCell<Nested>,
    /// The source to be compiled, then the line of an error.
    pub text: RefCell<Vec<u8>>,
    /// Where an error was raised: the chunk's name and the line.
    pub place: RefCell<Option<(String, usize)>>,
    /// Protocol of the replies that the script sees.
    pub protocol: Cell<Protocol>,
    /// Bytes that the machine holds.
    pub memory: Cell<usize>,
}

impl Desk {
    /// Gives back buffers that have grown large.
    pub fn tidy(&self) {
        self.words.borrow_mut().clear();
        self.reply.borrow_mut().clear(KEPT_BYTES);
        self.result.borrow_mut().clear(KEPT_BYTES);
        let mut text = self.text.borrow_mut();
        text.clear();
        if text.capacity() > KEPT_BYTES {
            *text = Vec::new();
        }
    }
}
