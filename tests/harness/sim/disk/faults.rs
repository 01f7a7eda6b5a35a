//! Which calls of a simulated disk fail, and at which one its machine dies.

use dovetail_engine::base::rng::Rng;

/// Kinds of calls that can be made to fail.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord)]
pub enum Call {
    /// Opening a file.
    Open,
    /// Asking for a length.
    Length,
    /// Writing.
    Write,
    /// Reading.
    Read,
    /// Cutting.
    Truncate,
    /// The end of a sync, in the background or not: the bytes are dropped.
    Sync,
    /// Asking for a sync, in the background or not; nothing is dropped.
    StartSync,
    /// Renaming.
    Rename,
    /// Removing a name, in the background or not.
    Remove,
    /// Syncing a folder.
    SyncFolder,
    /// Making a folder.
    MakeFolder,
    /// Listing a folder.
    Names,
}

impl Call {
    /// The system call, as the manual names it.
    #[must_use]
    pub fn op(self) -> &'static str {
        match self {
            Self::Open => "open",
            Self::Length => "fstat",
            Self::Write => "write",
            Self::Read => "pread",
            Self::Truncate => "ftruncate",
            Self::Sync | Self::StartSync => "fdatasync",
            Self::Rename => "rename",
            Self::Remove => "unlink",
            Self::SyncFolder => "fsync",
            Self::MakeFolder => "mkdir",
            Self::Names => "readdir",
        }
    }
}

/// What becomes of a call.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) enum Verdict {
    Happens,
    Fails(i32),
    /// The machine dies in it.
    Last,
}

#[derive(Debug)]
struct Rule {
    call: Call,
    /// Calls still to come until it fails, counting that one.
    left: u64,
    errno: i32,
}

#[derive(Debug)]
struct Chance {
    call: Call,
    of_256: u64,
    errno: i32,
}

/// The mishaps that are arranged.
#[derive(Debug, Default)]
pub(super) struct Faults {
    rules: Vec<Rule>,
    chances: Vec<Chance>,
    pub(super) capacity: Option<u64>,
    pub(super) short_writes: u64,
    pub(super) dies_at: Option<u64>,
    /// The same by the kind of the call, and how many of these there are to come.
    pub(super) dies_in: Option<(Call, u64)>,
    pub(super) is_dead: bool,
}

impl Faults {
    pub(super) fn fail_nth(&mut self, call: Call, nth: u64, errno: i32) {
        assert!(nth > 0, "the next call is the first");
        self.rules.push(Rule {
            call,
            left: nth,
            errno,
        });
    }

    pub(super) fn fail_often(&mut self, call: Call, of_256: u64, errno: i32) {
        self.chances.retain(|chance| chance.call != call);
        if of_256 > 0 {
            self.chances.push(Chance {
                call,
                of_256,
                errno,
            });
        }
    }

    pub(super) fn forgive(&mut self) -> bool {
        self.chances.clear();
        self.capacity = None;
        !std::mem::take(&mut self.rules).is_empty()
    }

    /// What becomes of the call with this number of all.
    pub(super) fn judge(&mut self, call: Call, number: u64, rng: &mut Rng) -> Verdict {
        if self.is_dead {
            return Verdict::Fails(libc::EIO);
        }
        let is_last = match &mut self.dies_in {
            Some((kind, left)) if *kind == call => {
                *left = left.saturating_sub(1);
                *left == 0
            }
            _ => false,
        };
        if is_last || self.dies_at.is_some_and(|last| number >= last) {
            self.is_dead = true;
            return Verdict::Last;
        }
        match self.fails(call, rng) {
            Some(errno) => Verdict::Fails(errno),
            None => Verdict::Happens,
        }
    }

    /// Whether a sync that ends now fails.
    pub(super) fn sync_fails(&mut self, rng: &mut Rng) -> Option<i32> {
        self.fails(Call::Sync, rng)
    }

    fn fails(&mut self, call: Call, rng: &mut Rng) -> Option<i32> {
        let mut failed = None;
        self.rules.retain_mut(|rule| {
            if rule.call != call {
                return true;
            }
            rule.left -= 1;
            if rule.left == 0 {
                failed = Some(rule.errno);
            }
            rule.left > 0
        });
        for chance in &self.chances {
            if chance.call == call && rng.below(256) < chance.of_256 {
                failed = failed.or(Some(chance.errno));
            }
        }
        failed
    }
}
