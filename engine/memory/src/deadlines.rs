//! The index by deadline: which entries are due, which is due first, and one drawn at random.
//!
//! Shape: a queue of locators in the order of deadlines. A key's item may come too early, never too
//! late: a deadline that moves away leaves the item where it is, one that comes nearer adds another,
//! and a key that goes leaves its items behind. What an item is worth is seen when its turn comes, by
//! looking at the record; if that is due later, the item is put there.
//! When items are more than twice the keys, all are gone through and put into a new queue, each key
//! once: the record's mark says for which queue it was counted.
//! Invariants: 1. each record with a deadline has an item with that deadline or an earlier one, or
//! waits in `ahead`. 2. Outside of a renewal all marks are `mark`.
//! Cost: an insertion is a push; a change pays for a few items of a renewal under way.
//! Units: deadlines in unix milliseconds, below 2^63.

use std::ptr::NonNull;

use crate::entry::EntryRef;
use crate::marking::Newcomers;
use crate::prefetch;
use crate::record::{DEADLINE_MARK, RecordMut};
use crate::runs::{Locator, Runs};
use crate::segment::{Place, Segment};
use crate::store::Store;

/// How many due items are looked at together, so that their cache lines come together.
const AHEAD: usize = 16;
/// Items that are never worth a renewal.
const FEW: usize = 4096;
/// Items of a renewal under way that each change of a deadline pays for.
const RENEWED_PER_CHANGE: u32 = 4;
/// Draws of an item before none is found.
const DRAWS: u64 = 16;
/// What looking at an item that is due costs in steps; moving one in the index costs one.
const STEPS_PER_LOOK: u32 = 16;

/// What [`Store::remove_due`] did.
#[derive(Debug)]
pub enum Due<T> {
    /// An entry was removed; the object that it held, if any.
    Removed(Option<Box<T>>),
    /// Nothing is due.
    Nothing,
    /// The steps are used up.
    OutOfSteps,
}

/// What [`Store::draw_due`] came upon.
#[derive(Debug)]
pub enum Draw<T> {
    /// An entry that was due and is removed; the object that it held, if any.
    Removed(Option<Box<T>>),
    /// An entry whose deadline lies ahead.
    Alive,
    /// No entry has a deadline.
    Nothing,
}

/// The items of one store; see the module.
#[derive(Debug, Default)]
pub(crate) struct Deadlines {
    /// Records with a deadline.
    count: usize,
    runs: Runs,
    /// What a renewal has still to go through.
    old: Runs,
    /// What a record's mark is once it has been counted for `runs`.
    mark: u64,
    /// Due items that were taken together.
    ahead: Vec<Locator>,
}

impl Deadlines {
    #[inline]
    pub(crate) fn count(&self) -> usize {
        self.count
    }

    pub(crate) fn memory(&self) -> usize {
        self.runs.memory() + self.old.memory()
    }

    /// A record's word for a deadline that gets an item in `runs`.
    #[inline]
    pub(crate) fn word(&self, deadline: u64) -> u64 {
        debug_assert_eq!(deadline & DEADLINE_MARK, 0, "a deadline is below 2^63");
        deadline | self.mark
    }

    /// A record is gone.
    #[inline]
    pub(crate) fn forget(&mut self, had_deadline: bool) {
        self.count -= usize::from(had_deadline);
    }

    /// Gives blocks back within `budget`; returns whether all are gone.
    pub(crate) fn drain(&mut self, budget: &mut u32) -> bool {
        self.old.drain(budget);
        self.runs.drain(budget);
        self.old.is_empty() && self.runs.is_empty()
    }

    fn items(&self) -> usize {
        self.runs.len() + self.old.len()
    }

    /// The next item that is due, from either queue.
    fn next(&mut self, now_ms: u64, steps: &mut u32) -> Option<Locator> {
        let old = self.old.next(now_ms, steps);
        old.or_else(|| self.runs.next(now_ms, steps))
            .map(|(_, locator)| locator)
    }
}

impl<T> Store<T> {
    /// Takes note that the deadline of the record at `locator` changes, whose word is `old_word`.
    /// Returns the record's word from now on.
    #[inline]
    pub(crate) fn note_deadline(
        &mut self,
        locator: Locator,
        old_word: Option<u64>,
        new: Option<u64>,
    ) -> Option<u64> {
        let deadlines = &mut self.deadlines;
        let word = match (old_word, new) {
            (None, None) => return None,
            (Some(_), None) => {
                deadlines.count -= 1;
                return None;
            }
            // The item that is there comes early enough, and the mark stays as it is.
            (Some(word), Some(new)) if new >= word & !DEADLINE_MARK => {
                return Some(new | word & DEADLINE_MARK);
            }
            (old, Some(new)) => {
                if old.is_none() {
                    deadlines.count += 1;
                    self.marking.note_newcomer(Newcomers::WithDeadline, locator);
                }
                deadlines.runs.insert(new, locator);
                deadlines.word(new)
            }
        };
        self.keep_deadlines_few();
        Some(word)
    }

    /// Begins a renewal when there are too many items, or goes on with it.
    #[inline]
    pub(crate) fn keep_deadlines_few(&mut self) {
        if !self.deadlines.old.is_empty() {
            self.renew_some(&mut RENEWED_PER_CHANGE.clone());
        } else if self.deadlines.runs.len() > 2 * self.deadlines.count + FEW {
            self.begin_renewal();
        }
    }

    #[cold]
    fn begin_renewal(&mut self) {
        let deadlines = &mut self.deadlines;
        std::mem::swap(&mut deadlines.runs, &mut deadlines.old);
        deadlines.mark ^= DEADLINE_MARK;
    }

    /// Goes on with a renewal, if there is one, within `steps`.
    fn renew_some(&mut self, steps: &mut u32) {
        while *steps > 0
            && let Some(locator) = self.deadlines.old.take_any()
        {
            *steps -= 1;
            self.put_back(locator);
        }
    }

    /// Gives each record at `locator` an item at its deadline, unless it has been counted.
    fn put_back(&mut self, locator: Locator) {
        let mark = self.deadlines.mark;
        self.each_located(locator, |store, segment, place| {
            // SAFETY: the directory named this segment, and nothing has changed since.
            let id = unsafe { segment.as_ref() }.slot(place).id();
            let record = store.record(id);
            if let Some(word) = record.deadline_word()
                && word & DEADLINE_MARK != mark
            {
                let (plan, deadline) = (record.plan(), word & !DEADLINE_MARK);
                // SAFETY: handles in slots are live, and the store is ours alone.
                let at = unsafe { store.slab.address(id) };
                // SAFETY: the record is live, and no reference to it is.
                unsafe { RecordMut::new(at) }.write_deadline(&plan, deadline | mark);
                store.deadlines.runs.insert(deadline, locator);
            }
        });
    }

    /// Calls `visit` with the place of every entry at `locator`; it removes none.
    fn each_located(
        &mut self,
        locator: Locator,
        mut visit: impl FnMut(&mut Self, NonNull<Segment>, Place),
    ) {
        let Some((segment, _)) = self.directory.at(locator.prefix()) else {
            return;
        };
        let pointer = NonNull::from(segment);
        // SAFETY: the directory named this segment; visits change neither it nor the directory.
        let segment = unsafe { pointer.as_ref() };
        segment.each_of_home(locator.home(), |place| {
            if segment.prefix(place) == locator.prefix() {
                visit(self, pointer, place);
            }
        });
    }

    /// Removes one entry whose deadline is `now_ms` or earlier, in about the order of deadlines;
    /// `seen` is shown it before.
    ///
    /// `steps` pays 16 for each item of the index that is looked at, and one for each that is moved.
    pub fn remove_due(
        &mut self,
        now_ms: u64,
        steps: &mut u32,
        seen: &mut dyn FnMut(EntryRef<'_, T>),
    ) -> Due<T> {
        loop {
            if *steps == 0 {
                return Due::OutOfSteps;
            }
            if self.deadlines.ahead.is_empty() {
                self.look_ahead(now_ms, steps);
            }
            let Some(locator) = self.deadlines.ahead.pop() else {
                if *steps == 0 {
                    return Due::OutOfSteps;
                }
                self.renew_some(steps);
                return Due::Nothing;
            };
            *steps = steps.saturating_sub(STEPS_PER_LOOK);
            if let Some((segment, place)) = self.due_at(locator, now_ms) {
                return Due::Removed(self.remove_at(segment, place, seen));
            }
        }
    }

    /// Removes the entry at `place`, which was just found there, after showing it to `seen`.
    pub(crate) fn remove_at(
        &mut self,
        segment: NonNull<Segment>,
        place: Place,
        seen: &mut dyn FnMut(EntryRef<'_, T>),
    ) -> Option<Box<T>> {
        // SAFETY: the directory named this segment, and nothing has changed since.
        let entry = self.entry_ref(unsafe { segment.as_ref() }, place);
        let id = entry.id();
        seen(entry);
        let object = self.destroy(id);
        // SAFETY: the record was just destroyed, and nothing of it is used again.
        unsafe { self.forget(segment, place) }
        object
    }

    /// The entry at `locator` that is due at `now_ms`; all others there get an item of their own.
    fn due_at(&mut self, locator: Locator, now_ms: u64) -> Option<(NonNull<Segment>, Place)> {
        let mut due = None;
        self.each_located(locator, |store, segment, place| {
            // SAFETY: the directory named this segment, and nothing has changed since.
            let id = unsafe { segment.as_ref() }.slot(place).id();
            match store.record(id).deadline() {
                Some(deadline) if deadline <= now_ms && due.is_none() => {
                    due = Some((segment, place));
                }
                Some(deadline) => store.deadlines.runs.insert(deadline, locator),
                None => {}
            }
        });
        due
    }

    /// Puts the items that were taken together back where they belong.
    fn put_ahead_back(&mut self) {
        for locator in std::mem::take(&mut self.deadlines.ahead) {
            self.due_at(locator, 0);
        }
    }

    /// Takes the next due items together, and asks for their cache lines.
    fn look_ahead(&mut self, now_ms: u64, steps: &mut u32) {
        while self.deadlines.ahead.len() < AHEAD
            && let Some(locator) = self.deadlines.next(now_ms, steps)
        {
            if let Some((segment, _)) = self.directory.at(locator.prefix()) {
                prefetch::line(segment.home_line(locator.home()));
            }
            self.deadlines.ahead.push(locator);
        }
        for &locator in &self.deadlines.ahead {
            if let Some((segment, _)) = self.directory.at(locator.prefix()) {
                segment.each_of_home(locator.home(), |place| {
                    if segment.prefix(place) == locator.prefix() {
                        self.prefetch_at(segment, place);
                    }
                });
            }
        }
    }

    /// The entry with the earliest deadline; `None` when none has one or `steps` is used up.
    pub fn nearest_deadline(&mut self, steps: &mut u32) -> Option<EntryRef<'_, T>> {
        self.put_ahead_back();
        self.renew_some(steps);
        loop {
            let (bound, locator) = self.deadlines.runs.next(u64::MAX, steps)?;
            let due = self.due_at(locator, bound);
            if let Some((segment, place)) = due {
                self.deadlines.runs.insert(bound, locator);
                // SAFETY: the directory named this segment, and nothing has changed since.
                return Some(self.entry_ref(unsafe { segment.as_ref() }, place));
            }
        }
    }

    /// About how many entries are due at `now_ms`; those that are gone or were moved on may count.
    pub fn due_len(&self, now_ms: u64) -> usize {
        let deadlines = &self.deadlines;
        deadlines.ahead.len() + deadlines.old.due_len(now_ms) + deadlines.runs.due_len(now_ms)
    }

    /// Asserts that each deadline has an item that comes early enough. Cost: a pass over all items.
    pub(crate) fn check_deadlines(&self) {
        let deadlines = &self.deadlines;
        deadlines.runs.check();
        deadlines.old.check();
        let mut earliest = std::collections::BTreeMap::new();
        let mut note = |bound: u64, locator: Locator| {
            let known = earliest.entry(locator).or_insert(bound);
            *known = bound.min(*known);
        };
        deadlines.runs.each(&mut note);
        deadlines.old.each(&mut note);
        deadlines.ahead.iter().for_each(|&locator| note(0, locator));
        let mut prefix = 0;
        while let Some((segment, end)) = self.directory.at(prefix)
            && prefix < crate::hash::PREFIX_END
        {
            segment.each(|place| {
                let record = self.record(segment.slot(place).id());
                let Some(word) = record.deadline_word() else {
                    return;
                };
                let deadline = word & !DEADLINE_MARK;
                let bound = earliest.get(&segment.locator(place));
                assert!(
                    bound.is_some_and(|bound| *bound <= deadline),
                    "an item in time"
                );
                assert!(
                    word & DEADLINE_MARK == deadlines.mark || !deadlines.old.is_empty(),
                    "the mark of the queue"
                );
            });
            prefix = end;
        }
    }

    /// No deadline is earlier than this; `None` when none is known.
    pub fn deadlines_from(&self) -> Option<u64> {
        let deadlines = &self.deadlines;
        if !deadlines.ahead.is_empty() {
            return Some(0);
        }
        let (old, new) = (deadlines.old.earliest(), deadlines.runs.earliest());
        old.into_iter().chain(new).min()
    }

    /// Draws an entry with a deadline, nearly uniformly; `None` when there is none, or hardly ever
    /// otherwise.
    pub fn sample_with_deadline(&self, random: u64) -> Option<EntryRef<'_, T>> {
        if self.deadlines.count == 0 {
            return None;
        }
        (1..=DRAWS).find_map(|draw| self.draw_deadline(crate::scan::mix(random, draw)))
    }

    /// Draws an entry with a deadline, nearly uniformly, and removes it if that is `now_ms` or
    /// earlier; `seen` is shown it before.
    pub fn draw_due(
        &mut self,
        random: u64,
        now_ms: u64,
        seen: &mut dyn FnMut(EntryRef<'_, T>),
    ) -> Draw<T> {
        self.put_ahead_back();
        // Items that are worth nothing go when they are drawn, so this comes to an end.
        for draw in 1.. {
            self.renew_some(&mut RENEWED_PER_CHANGE.clone());
            let random = crate::scan::mix(random, draw);
            let Some(locator) = self.deadlines.runs.take_sample(random) else {
                if self.deadlines.old.is_empty() {
                    break;
                }
                continue;
            };
            if let Some((segment, place)) = self.due_at(locator, now_ms) {
                return Draw::Removed(self.remove_at(segment, place, seen));
            }
            // If it is alive it has an item again.
            if self.with_deadline_at(locator).is_some() {
                return Draw::Alive;
            }
        }
        Draw::Nothing
    }

    fn draw_deadline(&self, random: u64) -> Option<EntryRef<'_, T>> {
        let deadlines = &self.deadlines;
        let items = deadlines.items() + deadlines.ahead.len();
        let nth = usize::try_from((u128::from(random) * items as u128) >> 64).unwrap_or(0);
        let locator = if nth < deadlines.ahead.len() {
            deadlines.ahead.get(nth).copied()
        } else if nth - deadlines.ahead.len() < deadlines.runs.len() {
            deadlines.runs.sample(random << 20)
        } else {
            deadlines.old.sample(random << 20)
        };
        self.with_deadline_at(locator?)
    }

    /// An entry at `locator` that has a deadline.
    fn with_deadline_at(&self, locator: Locator) -> Option<EntryRef<'_, T>> {
        let (segment, _) = self.directory.at(locator.prefix())?;
        let mut found = None;
        segment.each_of_home(locator.home(), |place| {
            if segment.prefix(place) == locator.prefix() {
                let entry = self.entry_ref(segment, place);
                found = found.or(entry.deadline().map(|_| entry));
            }
        });
        found
    }
}
