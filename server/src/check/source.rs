//! A file in pieces, and how far its reading has come.

use super::report::Unreadable;
use dovetail_engine::codec::rdb::Source;
use std::fs::{self, File};
use std::io::{self, ErrorKind, IsTerminal as _, Read as _, Write as _};
use std::path::Path;
use std::time::Instant;

/// Smaller files are read before anybody wonders.
const SHOWN_FROM_BYTES: u64 = 256 << 20;
/// Bytes between two lines about the progress.
const SHOWN_EACH_BYTES: u64 = 32 << 20;
/// What is looked at to find out what a file is.
const HEAD_BYTES: u64 = 16 << 10;

/// A file that is read from its beginning to where it ended when it was opened.
#[derive(Debug)]
pub(crate) struct Pieces {
    file: io::Take<File>,
    /// What has been read and given back, and how much of it has been taken again.
    back: Vec<u8>,
    taken: usize,
    len: u64,
    meter: Meter,
}

impl Pieces {
    /// Opens a regular file.
    pub(crate) fn open(path: &Path) -> Result<Self, Unreadable> {
        let failed = |error| Unreadable::Io("open", error);
        // To open a pipe would be to wait for whoever writes to it.
        if !fs::metadata(path).map_err(failed)?.is_file() {
            return Err(Unreadable::NoFile);
        }
        let file = File::open(path).map_err(failed)?;
        let len = file.metadata().map_err(failed)?.len();
        let mut file = file.take(len);
        let mut head = Vec::new();
        let read = file.by_ref().take(HEAD_BYTES).read_to_end(&mut head);
        read.map_err(|error| Unreadable::Io("read", error))?;
        Ok(Self {
            file,
            back: head,
            taken: 0,
            len,
            meter: Meter::new(path, len),
        })
    }

    /// Bytes of the whole file.
    pub(crate) fn len(&self) -> u64 {
        self.len
    }

    /// The first bytes of the file, before anything else is read; they are not taken.
    pub(crate) fn head(&self) -> &[u8] {
        &self.back
    }

    /// Takes back what was taken last, to give it again; what was taken back before must have been
    /// taken.
    pub(crate) fn give_back(&mut self, bytes: Vec<u8>) {
        debug_assert!(self.taken == self.back.len(), "nothing is given twice");
        (self.back, self.taken) = (bytes, 0);
    }
}

impl Source for Pieces {
    type Error = io::Error;

    fn fill(&mut self, into: &mut [u8]) -> io::Result<usize> {
        let back = &self.back[self.taken..];
        if !back.is_empty() {
            let len = back.len().min(into.len());
            into[..len].copy_from_slice(&back[..len]);
            self.taken += len;
            return Ok(len);
        }
        let got = loop {
            match self.file.read(into) {
                Err(error) if error.kind() == ErrorKind::Interrupted => {}
                got => break got?,
            }
        };
        self.meter.pass(got as u64);
        Ok(got)
    }
}

/// Tells a person at a terminal how far the reading of a big file has come.
#[derive(Debug)]
struct Meter {
    name: String,
    len: u64,
    done: u64,
    /// When `done` comes here, something is shown; never, if nobody looks.
    next: u64,
    began: Instant,
}

impl Meter {
    fn new(path: &Path, len: u64) -> Self {
        let is_shown = len >= SHOWN_FROM_BYTES && io::stderr().is_terminal();
        Self {
            name: path.display().to_string(),
            len,
            done: 0,
            next: if is_shown { SHOWN_EACH_BYTES } else { u64::MAX },
            began: Instant::now(),
        }
    }

    #[inline]
    fn pass(&mut self, bytes: u64) {
        self.done += bytes;
        if self.done >= self.next {
            self.show();
        }
    }

    #[cold]
    fn show(&mut self) {
        self.next = self.done + SHOWN_EACH_BYTES;
        let percent = 100 * u128::from(self.done) / u128::from(self.len.max(1));
        let millis = self.began.elapsed().as_millis().max(1);
        let rate = u128::from(self.done) / 1000 / millis;
        let mut err = io::stderr().lock();
        // Whoever looks no longer is no reason to stop.
        write!(err, "\r\x1b[K{}: {percent}%, {rate} MB/s", self.name).ok();
        err.flush().ok();
    }
}

impl Drop for Meter {
    fn drop(&mut self) {
        if self.next != u64::MAX && self.done >= SHOWN_EACH_BYTES {
            write!(io::stderr(), "\r\x1b[K").ok();
        }
    }
}
