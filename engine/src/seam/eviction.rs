//! Which key goes when memory is full.
//!
//! A policy names victims; whether one is needed, and what its going means to clients, log and
//! replicas, is the keyspace's affair. There is one policy for each database, so that it goes where
//! the database goes (`SWAPDB`, `FLUSHDB`); of their candidates the one of the highest rank goes.
//!
//! A policy knows keys by [`Locator`], and remembers something about each in its mark: sixteen bits
//! beside the table, which exist while a policy wants them. What a hit does to them is done where the
//! key is found, by the row's [`Touch`], without a call. Scope is no business of a policy: under
//! `volatile-` it is told of keys that get a deadline, and is shown those that have one.
//!
//! Not here: the limit, the loop, the deletion (`keyspace::evict`).

pub use dovetail_memory::{Locator, Runs};

/// What a hit does to the key, where it is found.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Touch {
    /// The access clock, in seconds, shows the present.
    Clock,
    /// The same, and the mark the part of the second: a clock of 1/65,536 s.
    FineClock,
    /// The clock, and the low bits of the mark count hits up to `most`, all ones.
    Count {
        /// Their greatest value.
        most: u16,
    },
    /// The clock, and the low byte of the mark is the counter of Redis: it grows by chance, the more
    /// slowly the larger it is (`lfu-log-factor`), and falls with the minutes that the clock shows
    /// (`lfu-decay-time`).
    Frequency,
    /// The low six bits of the mark count hits, four steps for each doubling. Clock and the other bits
    /// stay what they were when the key was made.
    Age,
}

/// What a policy sees of a key.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Resident {
    /// Its name.
    pub key: Locator,
    /// What the policy and hits have written.
    pub mark: u16,
    /// What its clock shows, in 1/65,536 s since some moment; as fine as the row's [`Touch`] makes it.
    pub clock: u64,
    /// What its record takes, in bytes, without the pieces of a value that are blocks of their own; 0
    /// unless the row says that the policy weighs.
    pub bytes: u32,
}

/// The keys in scope.
pub trait Residents {
    /// The present, as clocks show it.
    fn now(&self) -> u64;
    /// How many there are.
    fn count(&self) -> usize;
    /// The key of that name; `None` when it has gone or left the scope. Two keys may share a name,
    /// of which one is shown.
    fn find(&self, key: Locator) -> Option<Resident>;
    /// Writes a key's mark, if it is there.
    fn set_mark(&mut self, key: Locator, mark: u16);
    /// One of them, drawn nearly uniformly.
    fn sample(&mut self) -> Option<Resident>;
    /// Shows `visit` about `count` of them that lie together: as good as drawn one by one, and
    /// cheaper.
    fn sample_run(&mut self, count: u32, visit: &mut dyn FnMut(Resident)) {
        for _ in 0..count {
            let Some(resident) = self.sample() else {
                return;
            };
            visit(resident);
        }
    }
    /// The one whose deadline is the nearest; `None` when none has one, or the steps ran out.
    fn nearest_deadline(&mut self, steps: &mut u32) -> Option<Resident>;
}

/// A candidate.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Victim {
    /// Its name.
    pub key: Locator,
    /// How much it deserves to go, for comparing the candidates of databases.
    pub rank: u64,
}

/// What a policy has found.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Pick {
    /// This one. The policy has let go of it: if it stays it must enter again.
    Victim(Victim),
    /// None yet; the next call goes on.
    OutOfSteps,
    /// There is none in scope.
    Nothing,
}

/// Bytes that a policy holds beside the marks.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub struct PolicyMemory {
    /// For keys that are there.
    pub residents: usize,
    /// For keys that are gone.
    pub ghosts: usize,
    /// For counting.
    pub sketch: usize,
}

impl PolicyMemory {
    /// All of them.
    #[must_use]
    pub fn sum(self) -> usize {
        self.residents + self.ghosts + self.sketch
    }
}

/// One way of choosing who goes. Where it holds much it is destroyed by another thread.
pub trait EvictionPolicy: Send {
    /// A key came into scope, a while ago where many came at once, or is shown because the policy is
    /// new; its record takes `bytes`. Returns its mark. A key may enter again without having left.
    /// Called only if the row says so.
    fn enter(&mut self, _resident: Resident) -> u16 {
        0
    }

    /// Names who goes next, for at most about `steps` looks or moves.
    fn pick(&mut self, keys: &mut dyn Residents, steps: &mut u32) -> Pick;

    /// Forgets a part of what it remembers of keys that are gone, so that this stays bounded by the
    /// keys that are there, and gives back room that it needs no more. Called when keys have entered,
    /// and now and then.
    fn tidy(&mut self, _keys: &mut dyn Residents, _steps: &mut u32) {}

    /// Bytes held.
    fn memory(&self) -> PolicyMemory;
}

/// Settings that policies look at.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct PolicySettings {
    /// How many keys a sampling policy compares (`maxmemory-samples`).
    pub samples: u32,
    /// After how many minutes a counter falls by one (`lfu-decay-time`); 0 never.
    pub decay_minutes: u32,
    /// Decides the policy's own random choices.
    pub seed: u64,
}

/// Among which keys a policy may choose.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Scope {
    /// All: `allkeys-`.
    AllKeys,
    /// Those with a deadline: `volatile-`.
    Volatile,
}

/// A row of the table of policies.
#[derive(Clone, Copy, Debug)]
pub struct PolicyEntry {
    /// Its name without the scope.
    pub name: &'static str,
    /// Whether it makes no sense for keys without a deadline.
    pub volatile_only: bool,
    /// What a hit does.
    pub touch: Touch,
    /// Whether it is told who enters.
    pub enters: bool,
    /// Whether it looks at what records take.
    pub weighs: bool,
    /// Makes one.
    pub open: fn(PolicySettings) -> Box<dyn EvictionPolicy>,
}

impl PolicyEntry {
    /// Whether keys have marks under it.
    #[must_use]
    pub fn marks(&self) -> bool {
        self.enters || self.touch != Touch::Clock
    }
}
