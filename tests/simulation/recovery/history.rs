//! What was done, what of it was promised to stay, and what may therefore be found after a crash.
//!
//! Shape: a [`Timeline`] is a state and the operations since, in the order in which the engine did
//! them; moment `n` is the state after the first `n`. [`Stores`] knows the two places where a dataset
//! may be stored and what can be in them: the log with some moment of the present timeline, or what
//! it was left with earlier; the snapshot with one of a few states.

use super::model::{Model, Op};
use std::collections::VecDeque;

/// How a life ended.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum Crash {
    /// The process has gone.
    Process,
    /// The power has gone.
    Power,
}

/// A state and what was done since.
#[derive(Clone, Default)]
pub(crate) struct Timeline {
    start: Model,
    ops: Vec<(Op, u64)>,
    /// The state now.
    pub(crate) head: Model,
    /// Answered up to this moment.
    acked: usize,
    /// Promised to survive a loss of power up to this moment.
    durable: usize,
    /// What a loss of power may lead back to while not even the start is safe.
    older: Vec<Model>,
    /// Answers that become durable when time has passed.
    soon: VecDeque<(u64, usize)>,
}

impl Timeline {
    fn from(start: Model) -> Self {
        Self {
            head: start.clone(),
            start,
            ..Self::default()
        }
    }

    /// The present moment.
    pub(crate) fn now(&self) -> usize {
        self.ops.len()
    }

    /// When the operation before this moment was done, in unix milliseconds; 0 for the start.
    pub(crate) fn since(&self, moment: usize) -> u64 {
        let before = moment.checked_sub(1);
        before.map_or(0, |before| self.ops[before].1)
    }

    /// Does an operation; gives what is answered, and the moment behind it if it changed anything.
    pub(crate) fn apply(&mut self, op: &Op, now_ms: u64) -> (Vec<u8>, Option<usize>) {
        let (answer, has_changed) = self.head.apply(op, now_ms);
        if has_changed {
            self.ops.push((op.clone(), now_ms));
        }
        (answer, has_changed.then_some(self.ops.len()))
    }

    pub(crate) fn ack(&mut self, moment: usize, now_us: u64) {
        self.acked = self.acked.max(moment);
        self.soon.push_back((now_us, moment));
    }

    pub(crate) fn is_durable(&mut self, moment: usize) {
        self.durable = self.durable.max(moment);
    }

    /// What was answered before this time is durable.
    pub(crate) fn settle(&mut self, before_us: u64) {
        while let Some((_, moment)) = self.soon.pop_front_if(|(at, _)| *at <= before_us) {
            self.is_durable(moment);
        }
    }

    fn states(&self) -> impl Iterator<Item = Model> {
        let mut state = self.start.clone();
        let later = self.ops.iter().map(move |(op, now_ms)| {
            state.apply(op, *now_ms);
            state.clone()
        });
        std::iter::once(self.start.clone()).chain(later)
    }

    /// The latest moment from `least` on that looks like `seen` at `now_ms`.
    fn find(&self, least: usize, seen: &Model, now_ms: u64) -> Option<usize> {
        let alike = |state: &Model| state.at(now_ms) == *seen;
        let states = self.states().enumerate().skip(least);
        states
            .filter(|(_, state)| alike(state))
            .map(|(moment, _)| moment)
            .last()
    }

    fn go_back_to(&mut self, moment: usize) {
        let state = self.states().nth(moment).expect("a moment that was found");
        self.ops.truncate(moment);
        self.head = state;
        self.acked = moment;
        self.soon.clear();
        self.soon.push_back((0, moment));
    }

    fn floor(&self, crash: Crash) -> usize {
        match crash {
            Crash::Process => self.acked,
            Crash::Power => self.durable,
        }
    }
}

/// What the log has.
#[derive(Clone, Default)]
enum Log {
    /// There is none.
    #[default]
    Absent,
    /// One of these; if there is none after all, what the snapshot has.
    Left(Vec<Model>, Presence),
    /// A moment of the present timeline.
    Current,
}

/// Whether something is there for certain.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
enum Presence {
    Certain,
    Doubtful,
}

/// A log that is being switched on.
#[derive(Clone, Copy, Debug, Default)]
struct Live {
    /// The moment of the base that is being written.
    base: Option<usize>,
}

/// What may be stored.
#[derive(Clone)]
pub(crate) struct Stores {
    pub(crate) timeline: Timeline,
    log: Log,
    live: Option<Live>,
    snapshot: Vec<Model>,
    /// The state of the snapshot that a child writes.
    saving: Option<Model>,
    /// The moment of the base that a child writes.
    rewriting: Option<usize>,
    /// Answered under `always` while the log was being switched on.
    held_live: usize,
}

/// What may be found.
pub(crate) struct Expected {
    /// Moments of the timeline from this one on.
    since: Option<usize>,
    others: Vec<Model>,
}

impl Stores {
    pub(crate) fn new() -> Self {
        Self {
            timeline: Timeline::default(),
            log: Log::Absent,
            live: None,
            snapshot: vec![Model::default()],
            saving: None,
            rewriting: None,
            held_live: 0,
        }
    }

    /// Whether the log has what is answered.
    pub(crate) fn is_logging(&self) -> bool {
        matches!(self.log, Log::Current)
    }

    /// The log is switched on.
    pub(crate) fn log_begins(&mut self) {
        self.live = Some(Live::default());
        self.held_live = 0;
    }

    /// It has been switched off, and closed if it could be; what it has then is never more.
    pub(crate) fn log_ends(&mut self, is_whole: bool) {
        if self.is_logging() && is_whole {
            self.log = Log::Left(vec![self.timeline.head.clone()], Presence::Certain);
        } else if self.is_logging() {
            self.leave_log();
        }
        self.live = None;
        self.rewriting = None;
    }

    /// What was answered is as durable as `always` says.
    pub(crate) fn always(&mut self, moment: usize) {
        if self.is_logging() {
            self.timeline.is_durable(moment);
        } else {
            self.held_live = self.held_live.max(moment);
        }
    }

    /// A child begins with a base.
    pub(crate) fn rewrite_begins(&mut self) {
        let moment = self.timeline.now();
        self.rewriting = Some(moment);
        if let Some(live) = &mut self.live {
            live.base = Some(moment);
        }
    }

    /// Its base is the log's.
    pub(crate) fn rewrite_done(&mut self) {
        let Some(moment) = self.rewriting.take() else {
            return;
        };
        if self.live.take().is_some() {
            self.log = Log::Current;
            self.timeline.durable = self.held_live;
            self.timeline.older.clear();
        }
        if self.is_logging() {
            self.timeline.is_durable(moment);
        }
    }

    /// A child begins with a snapshot.
    pub(crate) fn save_begins(&mut self) {
        let state = self.timeline.head.clone();
        self.snapshot.push(state.clone());
        self.saving = Some(state);
    }

    /// Its snapshot is stored.
    pub(crate) fn save_done(&mut self) {
        if let Some(state) = self.saving.take() {
            self.snapshot = vec![state];
        }
    }

    /// A snapshot of this may be stored.
    pub(crate) fn may_be_saved(&mut self, state: Model) {
        self.snapshot.push(state);
    }

    /// It is.
    pub(crate) fn is_saved(&mut self) {
        self.snapshot = vec![self.timeline.head.clone()];
    }

    /// The process has ended in an orderly way.
    pub(crate) fn closed(&mut self) {
        let now = self.timeline.now();
        self.timeline.ack(now, 0);
        self.timeline.is_durable(now);
    }

    /// What is found by a process that keeps a log, or by one that does not.
    pub(crate) fn expected(&self, appendonly: bool, crash: Crash) -> Expected {
        let floor = self.timeline.floor(crash);
        let live = self.live.and_then(|live| live.base);
        let since = live.map(|base| base.max(floor));
        let mut others = Vec::new();
        if !appendonly {
            return Expected {
                since: None,
                others: self.snapshot.clone(),
            };
        }
        let since = match &self.log {
            Log::Current => {
                if crash == Crash::Power && self.timeline.durable == 0 {
                    others.clone_from(&self.timeline.older);
                }
                Some(floor)
            }
            Log::Left(states, presence) => {
                others.clone_from(states);
                if *presence == Presence::Doubtful {
                    others.extend(self.snapshot.iter().cloned());
                }
                since
            }
            Log::Absent => {
                others.clone_from(&self.snapshot);
                since
            }
        };
        Expected { since, others }
    }

    /// What stands in for `seen`, which a new process has found at `now_ms`; everything goes on from
    /// there. `is_synced` says that it has made what it found durable.
    ///
    /// # Errors
    /// When it cannot be: how it differs from the latest moment.
    pub(crate) fn recovered(
        &mut self,
        (appendonly, crash): (bool, Crash),
        seen: &Model,
        now_ms: u64,
        is_synced: bool,
    ) -> Result<String, String> {
        let expected = self.expected(appendonly, crash);
        let is_safe = is_synced || crash == Crash::Power;
        let moment = expected
            .since
            .and_then(|least| self.timeline.find(least, seen, now_ms));
        let state = || expected.others.iter().find(|m| m.at(now_ms) == *seen);
        let told = match (moment, state()) {
            (Some(moment), _) => {
                let all = self.timeline.now();
                self.timeline.go_back_to(moment);
                if is_safe {
                    self.restart(self.timeline.head.clone());
                }
                format!("moment {moment} of {all}")
            }
            (None, Some(state)) => {
                let state = state.clone();
                if !appendonly {
                    self.leave_log();
                }
                let told = format!("a state of {} others", expected.others.len());
                self.restart(state);
                if !is_safe {
                    self.timeline.older.clone_from(&expected.others);
                }
                told
            }
            (None, None) => return Err(self.puzzle(&expected, seen, now_ms)),
        };
        if appendonly {
            self.log = Log::Current;
        } else if crash == Crash::Power {
            self.snapshot = vec![self.timeline.head.clone()];
        }
        (self.live, self.saving, self.rewriting) = (None, None, None);
        Ok(told)
    }

    fn restart(&mut self, state: Model) {
        self.timeline = Timeline::from(state);
    }

    /// The log is not gone on with: what it has now is what it has later.
    fn leave_log(&mut self) {
        let is_absent = matches!(self.log, Log::Absent);
        let may_be = self.live.is_some_and(|live| live.base.is_some());
        if is_absent && !may_be {
            return;
        }
        // Nobody makes it durable from now on.
        let expected = self.expected(true, Crash::Power);
        let mut states = Vec::new();
        if let Some(least) = expected.since {
            states.extend(self.timeline.states().skip(least));
        }
        let presence = match is_absent {
            true => Presence::Doubtful,
            false => {
                states.extend(expected.others);
                match self.log {
                    Log::Left(_, presence) => presence,
                    _ => Presence::Certain,
                }
            }
        };
        self.log = Log::Left(states, presence);
    }

    fn puzzle(&self, expected: &Expected, seen: &Model, now_ms: u64) -> String {
        let timeline = &self.timeline;
        let earlier = timeline.find(0, seen, now_ms);
        let (acked, durable) = (timeline.acked, timeline.durable);
        let latest = match (expected.since, expected.others.last()) {
            (None, Some(state)) => state,
            _ => &timeline.head,
        };
        format!(
            "expected moments from {:?} of {} (acked {acked}, durable {durable}) or {} others; found \
             {}.\n  found, and the latest:\n    {}",
            expected.since,
            timeline.now(),
            expected.others.len(),
            match earlier {
                Some(moment) => format!("moment {moment}"),
                None => "no moment".to_owned(),
            },
            seen.difference(&latest.at(now_ms)),
        )
    }
}
