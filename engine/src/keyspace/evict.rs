//! Removing keys for want of memory: the policies of the databases, and who goes.

use super::heat::{Warmth, aged, idle_secs};
use super::{Db, Keyspace};
use crate::base::DbIndex;
use crate::codec::rdb::Usage;
use crate::config::{EventClasses, MaxmemoryPolicy, Memory};
use crate::seam::eviction::{
    EvictionPolicy, Locator, Pick, PolicyEntry, PolicyMemory, PolicySettings, Resident, Residents,
    Scope, Touch, Victim,
};
use crate::value::Value;
use ahash::RandomState;
use dovetail_memory::{Among, EntryRef, Newcomers, Store};
use std::cell::Cell;
use std::rc::Rc;

/// Looks that a policy may take to forget keys that are gone, for each key that is new.
const TIDY_STEPS: u32 = 8;

/// New keys of a database that its policy is told of at a time,
const NEWCOMERS_AT_ONCE: usize = 256;
/// and the part of those waiting that it is told of in a turn at least, so that there is an end to
/// them however many come.
const NEWCOMERS_SHARE: usize = 128;

/// What a policy holds, in bytes, that is not destroyed where another one takes its place.
const POLICY_LARGE: usize = 256 << 10;

/// Keys with a deadline that are drawn for one victim at most, whatever `maxmemory-samples` says.
const DRAWN_MOST: u32 = 1024;

/// The policy in force, and its settings.
#[derive(Clone, Copy, Debug)]
pub struct Policy {
    /// Its row.
    pub entry: &'static PolicyEntry,
    /// Among which keys it chooses.
    pub scope: Scope,
    /// What it looks at.
    pub settings: PolicySettings,
    /// `lfu-log-factor`.
    pub log_factor: u32,
}

impl Policy {
    /// Whether what keys have been marked with under `other` is good for this one as well.
    fn goes_on_from(&self, other: &Self) -> bool {
        std::ptr::eq(self.entry, other.entry)
            && self.scope == other.scope
            && (self.entry.enters || self.settings == other.settings)
    }

    /// Whether it needs nothing of keys but marks that hits have written under `other` as well.
    fn reads_marks_of(&self, other: &Self) -> bool {
        self.entry.touch == other.entry.touch && !self.entry.enters && !other.entry.enters
    }
}

/// What [`Keyspace::evict`] did.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Evicted {
    /// A key of that database is gone.
    Key(DbIndex),
    /// More looks are needed.
    OutOfSteps,
    /// There is no key in scope.
    Nothing,
}

/// The policy of one database.
pub(super) struct Evictor {
    policy: Box<dyn EvictionPolicy>,
    /// The next to go, and what it was when it was named.
    pub(super) candidate: Option<(Victim, Resident)>,
    /// Draw the next runs of keys, which have been asked for.
    next_runs: [Cell<u64>; 2],
    /// Marks are still being given out, and not all keys have entered.
    is_settling: bool,
    enters: bool,
    weighs: bool,
}

impl std::fmt::Debug for Evictor {
    fn fmt(&self, out: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        out.debug_struct("Evictor")
            .field("candidate", &self.candidate)
            .finish_non_exhaustive()
    }
}

/// The keys of one database that its policy may choose from.
struct InScope<'a> {
    store: &'a mut Store<Value>,
    warmth: &'a Warmth,
    hasher: &'a RandomState,
    scope: Scope,
    weighs: bool,
    next_runs: &'a [Cell<u64>; 2],
}

impl InScope<'_> {
    fn resident(&self, entry: EntryRef<'_, Value>, key: Locator) -> Option<Resident> {
        if self.scope == Scope::Volatile && entry.deadline().is_none() {
            return None;
        }
        Some(resident(self.warmth, entry, key, self.weighs))
    }

    fn drawn(&self, entry: EntryRef<'_, Value>) -> Option<Resident> {
        let hash = self.hasher.hash_one(entry.key());
        self.resident(entry, Store::<Value>::locator(hash))
    }
}

/// Among which keys a policy chooses, and the name of its row; `None` when nothing is removed.
fn scoped(policy: MaxmemoryPolicy) -> Option<(Scope, &'static str)> {
    let (scope, name) = policy.word().split_once('-')?;
    let scope = match scope {
        "volatile" => Scope::Volatile,
        _ => Scope::AllKeys,
    };
    Some((scope, name))
}

fn among(scope: Scope) -> Among {
    match scope {
        Scope::AllKeys => Among::All,
        Scope::Volatile => Among::WithDeadline,
    }
}

fn resident(warmth: &Warmth, entry: EntryRef<'_, Value>, key: Locator, weighs: bool) -> Resident {
    let bytes = match weighs {
        true => u32::try_from(entry.record_bytes()).unwrap_or(u32::MAX),
        false => 0,
    };
    Resident {
        key,
        mark: entry.mark(),
        clock: warmth.clock_of(&entry),
        bytes,
    }
}

impl Residents for InScope<'_> {
    fn now(&self) -> u64 {
        self.warmth.now()
    }

    fn count(&self) -> usize {
        match self.scope {
            Scope::AllKeys => self.store.len(),
            Scope::Volatile => self.store.with_deadline(),
        }
    }

    fn find(&self, key: Locator) -> Option<Resident> {
        self.resident(self.store.find_at(key, among(self.scope))?, key)
    }

    fn set_mark(&mut self, key: Locator, mark: u16) {
        if let Some(entry) = self.store.find_at(key, among(self.scope)) {
            entry.set_mark(mark);
        }
    }

    fn sample(&mut self) -> Option<Resident> {
        let random = self.warmth.bits();
        let entry = match self.scope {
            Scope::AllKeys => self.store.sample(random),
            Scope::Volatile => self.store.sample_with_deadline(random),
        };
        self.drawn(entry?)
    }

    fn sample_run(&mut self, count: u32, visit: &mut dyn FnMut(Resident)) {
        if self.scope == Scope::Volatile {
            let count = count.min(DRAWN_MOST);
            return (0..count).map_while(|_| self.sample()).for_each(visit);
        }
        let [soon, later] = self.next_runs;
        let random = soon.replace(later.replace(self.warmth.bits()));
        let (warmth, weighs) = (self.warmth, self.weighs);
        self.store
            .sample_run(random, count as usize, &mut |key, entry| {
                visit(resident(warmth, entry, key, weighs));
            });
        self.store.prefetch_run_marks(soon.get());
        self.store.prefetch_run(later.get());
    }

    fn nearest_deadline(&mut self, steps: &mut u32) -> Option<Resident> {
        let entry = self.store.nearest_deadline(steps)?;
        let hash = self.hasher.hash_one(entry.key());
        Some(resident(
            self.warmth,
            entry,
            Store::<Value>::locator(hash),
            self.weighs,
        ))
    }
}

impl Keyspace {
    /// Has the policies of this table to choose from.
    pub fn offer_policies(&mut self, policies: &'static [PolicyEntry]) {
        self.policies = policies;
    }

    /// Chooses by the policy that the configuration names, if the table has it. Without a limit on
    /// memory nobody is chosen, and only counters that OBJECT FREQ shows are kept.
    pub fn configure_policy(&mut self, memory: &Memory) {
        let wanted = scoped(memory.maxmemory_policy).and_then(|(scope, name)| {
            let entry = self.policies.iter().find(|row| row.name == name)?;
            let is_wanted = memory.maxmemory > 0 || entry.touch == Touch::Frequency;
            is_wanted.then_some(Policy {
                entry,
                scope,
                settings: PolicySettings {
                    samples: memory.maxmemory_samples,
                    decay_minutes: memory.lfu_decay_time_minutes,
                    seed: self.policy_seed,
                },
                log_factor: memory.lfu_log_factor,
            })
        });
        let goes_on = match (wanted, self.policy) {
            (Some(wanted), Some(present)) => wanted.goes_on_from(&present),
            (wanted, present) => wanted.is_none() && present.is_none(),
        };
        if goes_on {
            self.policy = wanted;
            self.tell_warmth();
        } else {
            self.set_policy(wanted);
        }
    }

    /// Whether the table has a policy for this choice, or it needs none.
    #[must_use]
    pub fn has_policy(&self, memory: &Memory) -> bool {
        let scoped = scoped(memory.maxmemory_policy);
        scoped.is_none_or(|(_, name)| self.policies.iter().any(|row| row.name == name))
    }

    fn tell_warmth(&mut self) {
        let touch = self
            .policy
            .map_or(Touch::Clock, |policy| policy.entry.touch);
        let (factor, minutes) = self.policy.map_or((10, 1), |policy| {
            (policy.log_factor, policy.settings.decay_minutes)
        });
        self.common.warmth.set_touch(touch, factor, minutes);
    }

    /// Chooses by another policy from now on, or by none. Keys enter it piece by piece, unless what
    /// hits have written is good for it.
    pub fn set_policy(&mut self, policy: Option<Policy>) {
        let before = std::mem::replace(&mut self.policy, policy);
        self.tell_warmth();
        if let (Some(policy), Some(before)) = (policy, before)
            && policy.reads_marks_of(&before)
        {
            self.dbs.iter_mut().for_each(|db| db.reopen_policy(policy));
            return;
        }
        self.is_settling = true;
        for index in 0..self.dbs.len() {
            self.open_policy(index);
        }
    }

    /// Has a database begin with the policy anew.
    pub(super) fn open_policy(&mut self, index: usize) {
        if let Some(old) = self.dbs[index].set_policy(self.policy)
            && old.memory().sum() > POLICY_LARGE
        {
            self.retired.push(old);
        }
    }

    /// Goes on showing keys to a new policy, and tells of those that are new; something to do at
    /// each turn. Returns whether there is more to show.
    #[inline]
    pub fn settle_policies(&mut self, mut steps: u32) -> bool {
        let enters = self.policy.is_some_and(|policy| policy.entry.enters);
        if self.is_settling || enters {
            self.is_settling = false;
            for db in &mut self.dbs {
                let waiting = db.store().newcomers();
                let most = NEWCOMERS_AT_ONCE.max(waiting / NEWCOMERS_SHARE);
                self.is_settling |= db.settle_policy(self.policy, &mut steps, most);
            }
        }
        self.is_settling
    }

    /// Tells the policy of some of a database's new keys if many have come; something to do at each
    /// command that may add some, so that turns of many commands leave few behind.
    #[inline]
    pub fn show_newcomers(&mut self, index: DbIndex) {
        let db = &mut self.dbs[index.index()];
        if db.store().newcomers() > NEWCOMERS_AT_ONCE {
            db.settle_policy(self.policy, &mut 0, NEWCOMERS_AT_ONCE);
        }
    }

    /// Has policies forget some of what they remember of keys that are gone, for about so many looks;
    /// something to do now and then, because nobody new may come.
    pub fn tidy_policies(&mut self, mut steps: u32) {
        let Some(policy) = self.policy else {
            return;
        };
        for index in turn(self.tidying, self.dbs.len()) {
            self.dbs[index].tidy(policy.scope, &mut steps);
        }
        self.tidying = (self.tidying + 1) % self.dbs.len();
    }

    /// What a snapshot says of how keys were used, under a policy that looks at it.
    pub fn usage_under(
        &self,
        policy: MaxmemoryPolicy,
    ) -> impl Fn(EntryRef<'_, Value>) -> Option<Usage> + use<> {
        let common = Rc::clone(&self.common);
        move |entry| {
            let warmth = &common.warmth;
            if policy.counts_frequency() {
                let frequency = u8::try_from(warmth.frequency(&entry));
                return Some(Usage::Frequency(frequency.unwrap_or(u8::MAX)));
            }
            let (_, name) = scoped(policy)?;
            name.ends_with("lru")
                .then(|| Usage::Idle(idle_secs(entry.heat(), warmth.now_secs())))
        }
    }

    /// Whether anybody chooses what goes.
    #[must_use]
    pub fn has_chooser(&self) -> bool {
        self.policy.is_some()
    }

    /// Whether there are keys that a policy is still to be shown.
    #[must_use]
    pub fn is_settling(&self) -> bool {
        self.is_settling
    }

    /// Looks after the clocks of keys that are not used, so that none goes round: a share of all of
    /// them that is done in `parts` calls.
    pub fn age_clocks(&mut self, parts: u32) {
        let now_secs = self.common.warmth.now_secs();
        let segments: usize = self.dbs.iter().map(|db| db.store().segments()).sum();
        let share = segments.div_ceil(parts.max(1) as usize);
        let mut steps = u32::try_from(share).unwrap_or(u32::MAX);
        for _ in 0..=self.dbs.len() {
            if steps == 0 {
                return;
            }
            let (db, prefix) = self.ageing;
            let store = self.dbs[db].store();
            let next = store.age(prefix, &mut steps, &|clock| aged(clock, now_secs));
            self.ageing = if next == 0 {
                ((db + 1) % self.dbs.len(), 0)
            } else {
                (db, next)
            };
        }
    }

    /// Bytes that databases hold and in which nothing lies: removed records among them, whose place
    /// the next ones take. Cost: a few loads for each database.
    #[must_use]
    pub fn idle_memory(&self) -> u64 {
        let idle: usize = self.dbs.iter().map(|db| db.store().idle_memory()).sum();
        idle as u64
    }

    /// Removes the key that deserves it most, for about `steps` looks.
    pub fn evict(&mut self, steps: &mut u32) -> Evicted {
        let Some(policy) = self.policy else {
            return Evicted::Nothing;
        };
        let (mut best, mut is_short): (Option<(usize, Victim)>, bool) = (None, false);
        let mut first = None;
        for index in turn(self.evicting, self.dbs.len()) {
            let db = &mut self.dbs[index];
            if db.is_empty() {
                continue;
            }
            first.get_or_insert(index);
            match db.candidate(policy, steps) {
                Pick::Victim(victim) if best.is_none_or(|(_, best)| victim.rank > best.rank) => {
                    best = Some((index, victim));
                }
                Pick::OutOfSteps => is_short = true,
                _ => {}
            }
        }
        // None is always the one that uses up the steps, or the first of equals.
        self.evicting = first.map_or(0, |first| (first + 1) % self.dbs.len());
        let Some((index, victim)) = best else {
            return if is_short {
                Evicted::OutOfSteps
            } else {
                Evicted::Nothing
            };
        };
        let db = DbIndex(u32::try_from(index).unwrap_or(0));
        self.evict_at(db, victim.key, policy.scope);
        // Who goes next is named in time, so that its record is near when it does.
        self.dbs[index].candidate(policy, steps);
        Evicted::Key(db)
    }

    fn evict_at(&mut self, index: DbIndex, locator: Locator, scope: Scope) {
        let db = &mut self.dbs[index.index()];
        if let Some(evictor) = db.eviction_parts().1 {
            evictor.candidate = None;
        }
        let mut key = std::mem::take(&mut self.victim);
        let gone = db
            .store_mut()
            .evict_at(locator, among(scope), &mut |entry| {
                key.clear();
                key.extend_from_slice(entry.key());
            });
        if let Some(object) = gone {
            self.common.discard(object);
            self.dbs[index.index()].changed(&key);
            self.stats.evicted += 1;
            if self.keeps_removed {
                self.removed.push((index, key.as_slice().into()));
            }
            self.notify(EventClasses::EVICTED, "evicted", index, &key);
        }
        self.victim = key;
    }

    /// Bytes that policies hold beside the marks.
    #[must_use]
    pub fn policy_memory(&self) -> PolicyMemory {
        let mut sum = PolicyMemory::default();
        for evictor in self.dbs.iter().filter_map(Db::evictor) {
            let memory = evictor.policy.memory();
            sum.residents += memory.residents;
            sum.ghosts += memory.ghosts;
            sum.sketch += memory.sketch;
        }
        sum
    }
}

/// All databases in order, from one of them on.
fn turn(from: usize, count: usize) -> impl Iterator<Item = usize> {
    (from..count).chain(0..from)
}

impl Db {
    /// Begins with a policy, or with none; what it had before.
    fn set_policy(&mut self, policy: Option<Policy>) -> Option<Box<dyn EvictionPolicy>> {
        let marks = policy.is_some_and(|policy| policy.entry.marks());
        let newcomers = match policy {
            Some(policy) if policy.entry.enters => match policy.scope {
                Scope::AllKeys => Newcomers::Inserted,
                Scope::Volatile => Newcomers::WithDeadline,
            },
            _ => Newcomers::Unnamed,
        };
        self.store_mut().set_marks(marks, newcomers);
        // A table that begins now has its marks from the beginning.
        let is_settling = self.store().segments() > 0;
        let evictor = policy.map(|policy| Evictor {
            policy: (policy.entry.open)(policy.settings),
            candidate: None,
            next_runs: [1, 2].map(|n| Cell::new(policy.settings.seed ^ n)),
            is_settling,
            enters: policy.entry.enters,
            weighs: policy.entry.weighs,
        });
        self.replace_evictor(evictor).map(|old| old.policy)
    }

    /// Goes on by another policy with the marks that there are.
    fn reopen_policy(&mut self, policy: Policy) {
        if let (_, Some(evictor), _) = self.eviction_parts() {
            evictor.policy = (policy.entry.open)(policy.settings);
            evictor.candidate = None;
            evictor.weighs = policy.entry.weighs;
        }
    }

    /// Shows keys to a new policy, and at most so many of those that are new to any; whether there is
    /// more to show.
    fn settle_policy(&mut self, policy: Option<Policy>, steps: &mut u32, newcomers: usize) -> bool {
        let (store, evictor, common) = self.eviction_parts();
        let Some(evictor) = evictor else {
            // Marks of a policy that is gone.
            return !store.remark(steps, &mut |_, _| {});
        };
        let scope = policy.map_or(Scope::AllKeys, |policy| policy.scope);
        let in_scope =
            |entry: &EntryRef<'_, Value>| scope == Scope::AllKeys || entry.deadline().is_some();
        if evictor.is_settling {
            let Evictor { policy, enters, .. } = evictor;
            let weighs = evictor.weighs;
            let is_done = store.remark(steps, &mut |key, entry| {
                entry.set_mark(common.warmth.newborn().mark);
                if *enters && in_scope(&entry) {
                    entry.set_mark(policy.enter(resident(&common.warmth, entry, key, weighs)));
                }
            });
            evictor.is_settling = !is_done;
        }
        if store.newcomers() > 0 {
            let mut steps = 0;
            for _ in 0..newcomers {
                let Some(key) = store.take_newcomer() else {
                    break;
                };
                if let Some(entry) = store.find_at(key, among(scope)) {
                    let shown = resident(&common.warmth, entry, key, evictor.weighs);
                    // It may have been used since it came.
                    let hits = common.warmth.hits_of(shown.mark);
                    entry.set_mark(evictor.policy.enter(shown) | hits);
                }
                steps += TIDY_STEPS;
            }
            self.tidy(scope, &mut steps);
        }
        let is_settling = self.evictor().is_some_and(|evictor| evictor.is_settling);
        is_settling || self.store().newcomers() > 0
    }

    /// Has the policy forget some of what it remembers of keys that are gone.
    fn tidy(&mut self, scope: Scope, steps: &mut u32) {
        let hasher = self.hasher().clone();
        let (store, evictor, common) = self.eviction_parts();
        let Some(evictor) = evictor else {
            return;
        };
        let mut keys = InScope {
            store,
            warmth: &common.warmth,
            hasher: &hasher,
            scope,
            weighs: evictor.weighs,
            next_runs: &evictor.next_runs,
        };
        evictor.policy.tidy(&mut keys, steps);
    }

    /// The next to go from this database.
    fn candidate(&mut self, policy: Policy, steps: &mut u32) -> Pick {
        self.settle_policy(Some(policy), steps, NEWCOMERS_AT_ONCE);
        let hasher = self.hasher().clone();
        let (store, evictor, common) = self.eviction_parts();
        let Some(evictor) = evictor else {
            return Pick::Nothing;
        };
        let mut keys = InScope {
            store,
            warmth: &common.warmth,
            hasher: &hasher,
            scope: policy.scope,
            weighs: evictor.weighs,
            next_runs: &evictor.next_runs,
        };
        if let Some((victim, named)) = evictor.candidate {
            match keys.find(victim.key) {
                Some(resident) if resident == named => return Pick::Victim(victim),
                // It was used since, and stays.
                Some(resident) if evictor.enters => {
                    keys.set_mark(victim.key, evictor.policy.enter(resident));
                }
                _ => {}
            }
            evictor.candidate = None;
        }
        if evictor.is_settling {
            // Who has not entered cannot be named; anybody may go until then.
            return match keys.sample() {
                Some(resident) => Pick::Victim(Victim {
                    key: resident.key,
                    rank: !resident.clock,
                }),
                None if keys.count() > 0 => Pick::OutOfSteps,
                None => Pick::Nothing,
            };
        }
        let pick = evictor.policy.pick(&mut keys, steps);
        if pick == Pick::Nothing && keys.store.newcomers() > 0 {
            return Pick::OutOfSteps;
        }
        if let Pick::Victim(victim) = pick
            && let Some(entry) = keys.store.find_at(victim.key, among(policy.scope))
        {
            entry.prefetch();
            let named = resident(keys.warmth, entry, victim.key, keys.weighs);
            evictor.candidate = Some((victim, named));
        }
        pick
    }
}
