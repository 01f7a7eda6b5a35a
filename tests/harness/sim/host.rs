//! A process that is not there around an engine: its log is kept, and its children write on the
//! simulated disk, at once or call by call between the engine's own.
//!
//! Shape: [`SimProcess`] is the test's handle, [`SimProcess::host`] what the engine gets. A child's
//! job runs inside of `fork`, where the dataset stands still. Either it has the disk itself, or its
//! calls are noted down and made one by one with each [`SimProcess::tick`]; its end is told later.

mod child;

use super::disk::SimDisk;
use child::Child;
use dovetail_engine::base::ListenerId;
use dovetail_engine::base::rng::Rng;
use dovetail_engine::config::Config;
use dovetail_engine::seam::host::{
    ChildEnd, ChildFacts, Host, Job, LogLevel, Notice, ProcessFacts, Refusal,
};
use std::cell::RefCell;
use std::rc::Rc;

/// How children work.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Pace {
    /// The whole job at once; its end is told after so many ticks.
    AtOnce {
        /// Ticks.
        told_after: u64,
    },
    /// At most so many calls on the disk in each tick.
    Calls(u64),
}

struct State {
    disk: SimDisk,
    rng: Rng,
    pace: Pace,
    /// The next child is killed after so many calls on the disk.
    kill_after: Option<u64>,
    /// The next child cannot be had.
    refuses: bool,
    child: Option<Child>,
    children: u32,
    lines: Vec<(LogLevel, String)>,
    is_ready: bool,
}

/// A simulated process; clones are handles to the same.
#[derive(Clone)]
pub struct SimProcess(Rc<RefCell<State>>);

impl std::fmt::Debug for SimProcess {
    fn fmt(&self, out: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        let state = self.0.borrow();
        out.debug_struct("SimProcess")
            .field("pace", &state.pace)
            .field("children", &state.children)
            .finish_non_exhaustive()
    }
}

impl SimProcess {
    /// A process whose children write on `disk` at once; chance comes from `seed`.
    #[must_use]
    pub fn new(disk: SimDisk, seed: u64) -> Self {
        Self(Rc::new(RefCell::new(State {
            disk,
            rng: Rng::new(seed),
            pace: Pace::AtOnce { told_after: 1 },
            kill_after: None,
            refuses: false,
            child: None,
            children: 0,
            lines: Vec::new(),
            is_ready: false,
        })))
    }

    /// What an engine gets.
    #[must_use]
    pub fn host(&self) -> Box<dyn Host> {
        Box::new(SimHost(self.clone()))
    }

    /// How children work that are begun from now on.
    pub fn set_pace(&self, pace: Pace) {
        self.0.borrow_mut().pace = pace;
    }

    /// The next child is killed after so many calls on the disk, if it makes as many.
    pub fn kill_next_after(&self, calls: u64) {
        self.0.borrow_mut().kill_after = Some(calls);
    }

    /// The next child cannot be had.
    pub fn refuse_next(&self) {
        self.0.borrow_mut().refuses = true;
    }

    /// Nothing happens to the next child after all.
    pub fn forgive(&self) {
        let mut state = self.0.borrow_mut();
        (state.kill_after, state.refuses) = (None, false);
    }

    /// One step of the child.
    pub fn tick(&self) {
        let mut state = self.0.borrow_mut();
        let state = &mut *state;
        if let Some(child) = &mut state.child {
            child.tick(&mut state.disk, &mut state.rng);
        }
    }

    /// Whether there is a child whose end has not been told.
    #[must_use]
    pub fn has_child(&self) -> bool {
        self.0.borrow().child.is_some()
    }

    /// The log's lines since the last call.
    #[must_use]
    pub fn take_lines(&self) -> Vec<(LogLevel, String)> {
        std::mem::take(&mut self.0.borrow_mut().lines)
    }

    /// Whether the dataset has been loaded.
    #[must_use]
    pub fn is_ready(&self) -> bool {
        self.0.borrow().is_ready
    }
}

/// The engine's side.
struct SimHost(SimProcess);

impl SimHost {
    fn state(&self) -> std::cell::RefMut<'_, State> {
        self.0.0.borrow_mut()
    }
}

/// What a simulated process refuses with.
const NOT_HERE: &str = "a simulated process has none";

impl Host for SimHost {
    fn log(&mut self, level: LogLevel, line: &str) {
        self.state().lines.push((level, line.to_owned()));
    }

    fn notices(&mut self) -> Vec<Notice> {
        Vec::new()
    }

    fn facts(&mut self) -> ProcessFacts {
        ProcessFacts::default()
    }

    fn choose_poller(&mut self, _name: &str) -> Result<&'static str, Refusal> {
        Err(Refusal(NOT_HERE.to_owned()))
    }

    fn relisten(&mut self, _config: &Config) -> Result<Vec<ListenerId>, Refusal> {
        Err(Refusal(NOT_HERE.to_owned()))
    }

    fn reconfigure(&mut self, _config: &mut Config) -> Result<(), Refusal> {
        Ok(())
    }

    fn rewrite_config(&mut self, _edit: &mut dyn FnMut(&[u8]) -> Vec<u8>) -> Result<(), Refusal> {
        Err(Refusal(NOT_HERE.to_owned()))
    }

    fn sleep(&mut self, _micros: u64) {}

    fn purge_memory(&mut self) {}

    fn allocator_report(&mut self) -> String {
        String::new()
    }

    fn crash(&mut self, how: &str) {
        panic!("nobody asks a simulation to crash: {how}");
    }

    fn ready(&mut self, _config: &Config) {
        self.state().is_ready = true;
    }

    fn fork(&mut self, job: &mut Job<'_>) -> Result<(u64, u32), Refusal> {
        let mut state = self.state();
        let state = &mut *state;
        if std::mem::take(&mut state.refuses) {
            return Err(Refusal("fork: Cannot allocate memory".to_owned()));
        }
        assert!(state.child.is_none(), "there is one child at a time");
        let kill_after = state.kill_after.take();
        let child = match state.pace {
            Pace::AtOnce { told_after } => {
                Child::at_once(&mut state.disk, kill_after, told_after, job)
            }
            Pace::Calls(most) => Child::by_and_by(kill_after, most, job),
        };
        state.child = Some(child);
        state.children += 1;
        Ok((100, 1_000_000 + state.children))
    }

    fn child(&mut self) -> (ChildFacts, Option<ChildEnd>) {
        let mut state = self.state();
        let Some(child) = &mut state.child else {
            return (ChildFacts::default(), None);
        };
        let (facts, end) = (child.facts(), child.take_end());
        if end.is_some() {
            state.child = None;
        }
        (facts, end)
    }

    fn kill_child(&mut self) {
        let mut state = self.state();
        let state = &mut *state;
        if let Some(mut child) = state.child.take() {
            child.close_all(&mut state.disk);
        }
    }
}
