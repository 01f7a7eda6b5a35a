//! A cache that is nothing but maps, a policy over it, and what the steps of a case are made of.

use dovetail_backends::eviction::POLICIES;
use dovetail_engine::keyspace::heat::{Warm, Warmth};
use dovetail_engine::seam::eviction::{
    EvictionPolicy, Locator, Pick, PolicyEntry, PolicySettings, Resident, Residents, Scope,
};
use rand::rngs::SmallRng;
use rand::{Rng, SeedableRng};
use std::cell::Cell;
use std::collections::{BTreeSet, HashMap};

/// Looks that the keyspace lets a policy take to forget keys, for each that is new.
const TIDY_STEPS: u32 = 8;
/// Looks after which a policy that names nobody has hung, for each key and beside.
const PATIENCE: (u64, u64) = (64, 100_000);

/// One key.
#[derive(Debug)]
struct Key {
    mark: Cell<u16>,
    clock: Cell<u16>,
    bytes: u32,
    deadline: Option<u64>,
    /// Where it is among those in scope, if it is.
    place: usize,
}

impl Warm for Key {
    fn clock(&self) -> u16 {
        self.clock.get()
    }

    fn set_clock(&self, clock: u16) {
        self.clock.set(clock);
    }

    fn mark(&self) -> u16 {
        self.mark.get()
    }

    fn set_mark(&self, mark: u16) {
        self.mark.set(mark);
    }
}

/// Keys, of which those in scope can be drawn, found and named. Time is the number of steps, in
/// 1/65,536 s.
#[derive(Debug)]
pub(super) struct Cache {
    keys: HashMap<u64, Key>,
    /// Keys by their names; several may share one.
    named: HashMap<u64, Vec<u64>>,
    in_scope: Vec<u64>,
    deadlines: BTreeSet<(u64, u64)>,
    scope: Scope,
    /// Clocks and marks as the engine has them.
    warmth: Warmth,
    /// How many keys share a name.
    sharers: u64,
    now: u64,
    random: SmallRng,
}

impl Cache {
    fn name(&self, key: u64) -> Locator {
        let mixed = (key / self.sharers).wrapping_mul(0x9e37_79b9_7f4a_7c15);
        Locator::from_bits(mixed >> (u64::BITS - Locator::BITS))
    }

    fn is_in_scope(&self, key: &Key) -> bool {
        self.scope == Scope::AllKeys || key.deadline.is_some()
    }

    pub(super) fn holds(&self, key: u64) -> bool {
        self.keys.contains_key(&key)
    }

    pub(super) fn len(&self) -> usize {
        self.keys.len()
    }

    fn shown(&self, id: u64) -> Resident {
        let key = &self.keys[&id];
        Resident {
            key: self.name(id),
            mark: key.mark(),
            clock: self.warmth.clock_of(key),
            bytes: key.bytes,
        }
    }

    /// The key that is shown under a name.
    fn behind(&self, name: Locator) -> Option<u64> {
        let sharing = self.named.get(&name.bits())?;
        let mut sharing = sharing.iter().copied();
        sharing.find(|id| self.is_in_scope(&self.keys[id]))
    }

    fn insert(&mut self, id: u64, bytes: u32, deadline: Option<u64>) {
        let heat = self.warmth.newborn();
        let key = Key {
            mark: Cell::new(heat.mark),
            clock: Cell::new(heat.clock),
            bytes,
            deadline: None,
            place: 0,
        };
        assert!(self.keys.insert(id, key).is_none(), "{id} is there already");
        let name = self.name(id).bits();
        self.named.entry(name).or_default().push(id);
        if self.scope == Scope::AllKeys {
            self.come_in(id);
        }
        self.set_deadline(id, deadline);
    }

    fn remove(&mut self, id: u64) {
        self.set_deadline(id, None);
        if self.scope == Scope::AllKeys {
            self.go_out(id);
        }
        self.keys.remove(&id).unwrap();
        let name = self.name(id).bits();
        let sharing = self.named.get_mut(&name).unwrap();
        sharing.retain(|other| *other != id);
        if sharing.is_empty() {
            self.named.remove(&name);
        }
    }

    fn set_deadline(&mut self, id: u64, deadline: Option<u64>) {
        let old = std::mem::replace(&mut self.keys.get_mut(&id).unwrap().deadline, deadline);
        if let Some(old) = old {
            self.deadlines.remove(&(old, id));
        }
        if let Some(new) = deadline {
            self.deadlines.insert((new, id));
        }
        if self.scope == Scope::Volatile {
            match (old, deadline) {
                (None, Some(_)) => self.come_in(id),
                (Some(_), None) => self.go_out(id),
                _ => {}
            }
        }
    }

    fn come_in(&mut self, id: u64) {
        self.keys.get_mut(&id).unwrap().place = self.in_scope.len();
        self.in_scope.push(id);
    }

    fn go_out(&mut self, id: u64) {
        let place = self.keys[&id].place;
        self.in_scope.swap_remove(place);
        if let Some(moved) = self.in_scope.get(place) {
            self.keys.get_mut(moved).unwrap().place = place;
        }
    }

    /// A hit does to the key what the engine does.
    fn hit(&mut self, id: u64) -> bool {
        let key = self.keys.get(&id);
        key.inspect(|&key| self.warmth.touch(key)).is_some()
    }

    fn pass_time(&mut self, ticks: u64) {
        self.now += ticks;
        // The least number of microseconds that are so many ticks.
        self.warmth
            .set_now((self.now * 1_000_000).div_ceil(1 << 16));
    }
}

impl Residents for Cache {
    fn now(&self) -> u64 {
        self.warmth.now()
    }

    fn count(&self) -> usize {
        self.in_scope.len()
    }

    fn find(&self, key: Locator) -> Option<Resident> {
        Some(self.shown(self.behind(key)?))
    }

    fn set_mark(&mut self, key: Locator, mark: u16) {
        if let Some(id) = self.behind(key) {
            self.keys[&id].set_mark(mark);
        }
    }

    fn sample(&mut self) -> Option<Resident> {
        if self.in_scope.is_empty() {
            return None;
        }
        let nth = self.random.random_range(0..self.in_scope.len());
        Some(self.shown(self.in_scope[nth]))
    }

    fn nearest_deadline(&mut self, steps: &mut u32) -> Option<Resident> {
        *steps = steps.checked_sub(1)?;
        let (_, id) = self.deadlines.first()?;
        Some(self.shown(*id))
    }
}

/// A policy and the keys that it chooses from.
pub(super) struct Rig {
    pub(super) row: &'static PolicyEntry,
    pub(super) policy: Box<dyn EvictionPolicy>,
    pub(super) cache: Cache,
    /// How many looks a policy gets at a time.
    pub(super) steps: u32,
    /// Looks taken for victims so far.
    pub(super) looks: u64,
}

impl Rig {
    /// All keys are in scope; they all have deadlines where that is what the policy is about.
    pub(super) fn new(name: &str) -> Self {
        let row = POLICIES.iter().find(|row| row.name == name).unwrap();
        let scope = if row.volatile_only {
            Scope::Volatile
        } else {
            Scope::AllKeys
        };
        Self::with(name, scope)
    }

    pub(super) fn with(name: &str, scope: Scope) -> Self {
        let row = POLICIES.iter().find(|row| row.name == name).unwrap();
        let settings = PolicySettings {
            samples: 5,
            decay_minutes: 1,
            seed: 1,
        };
        let warmth = Warmth::new(7);
        warmth.set_touch(row.touch, 10, settings.decay_minutes);
        let mut rig = Self {
            row,
            policy: (row.open)(settings),
            cache: Cache {
                keys: HashMap::new(),
                named: HashMap::new(),
                in_scope: Vec::new(),
                deadlines: BTreeSet::new(),
                scope,
                warmth,
                sharers: 1,
                now: 0,
                random: SmallRng::seed_from_u64(7),
            },
            steps: 64,
            looks: 0,
        };
        rig.pass_time(1 << 32);
        rig
    }

    /// Every so many keys have one name from now on.
    pub(super) fn share_names(&mut self, sharers: u64) {
        assert!(self.cache.keys.is_empty(), "names of keys do not change");
        self.cache.sharers = sharers;
    }

    pub(super) fn pass_time(&mut self, ticks: u64) {
        self.cache.pass_time(ticks);
    }

    /// A key comes, with a deadline if the policy is about deadlines.
    pub(super) fn insert(&mut self, id: u64) {
        let deadline = (self.cache.scope == Scope::Volatile).then_some(self.cache.now + id);
        self.insert_with(id, 1, deadline);
    }

    pub(super) fn insert_with(&mut self, id: u64, bytes: u32, deadline: Option<u64>) {
        self.pass_time(1);
        self.cache.insert(id, bytes, deadline);
        self.enter(id);
    }

    /// The policy is told of a key, if it is in scope.
    pub(super) fn enter(&mut self, id: u64) {
        if !self.row.enters || !self.cache.is_in_scope(&self.cache.keys[&id]) {
            return;
        }
        let name = self.cache.name(id);
        let shown = self.cache.find(name).unwrap();
        let mark = self.policy.enter(shown);
        self.cache.set_mark(name, mark);
        self.tidy(TIDY_STEPS);
    }

    pub(super) fn hit(&mut self, id: u64) -> bool {
        self.pass_time(1);
        self.cache.hit(id)
    }

    /// The policy gets so many looks to forget keys that are gone.
    pub(super) fn tidy(&mut self, mut steps: u32) {
        self.policy.tidy(&mut self.cache, &mut steps);
    }

    /// The key goes without the policy's doing.
    pub(super) fn delete(&mut self, id: u64) {
        self.cache.remove(id);
    }

    /// The key gets a deadline, or loses it.
    pub(super) fn set_deadline(&mut self, id: u64, deadline: Option<u64>) {
        let had = self.cache.keys[&id].deadline.is_some();
        self.cache.set_deadline(id, deadline);
        if self.cache.scope == Scope::Volatile && !had {
            self.enter(id);
        }
    }

    pub(super) fn has_deadline(&self, id: u64) -> bool {
        self.cache.keys[&id].deadline.is_some()
    }

    /// Whom the policy names, who stays; `None` when it says that there is nobody.
    pub(super) fn pick(&mut self) -> Option<u64> {
        let began = self.looks;
        loop {
            let mut steps = self.steps;
            let pick = self.policy.pick(&mut self.cache, &mut steps);
            self.looks += u64::from(self.steps - steps);
            match pick {
                Pick::Victim(victim) => {
                    let id = self.cache.behind(victim.key);
                    return Some(id.expect("who is named is in scope"));
                }
                Pick::Nothing => {
                    assert_eq!(self.cache.count(), 0, "there is somebody in scope");
                    return None;
                }
                Pick::OutOfSteps => assert_eq!(steps, 0, "there were steps left"),
            }
            let most = self.cache.len() as u64 * PATIENCE.0 + PATIENCE.1;
            assert!(self.looks - began < most, "nobody is named");
        }
    }

    /// Whom the policy names goes.
    pub(super) fn evict(&mut self) -> Option<u64> {
        let id = self.pick()?;
        self.cache.remove(id);
        Some(id)
    }

    /// All go; who they were, in that order.
    pub(super) fn drain(&mut self) -> Vec<u64> {
        std::iter::from_fn(|| self.evict()).collect()
    }

    /// One access of a cache of so many keys: whether it was a hit.
    pub(super) fn access(&mut self, id: u64, capacity: usize, gone: &mut Vec<u64>) -> bool {
        if self.hit(id) {
            return true;
        }
        while self.cache.len() >= capacity {
            gone.extend(self.evict());
        }
        self.insert(id);
        false
    }
}

/// How many accesses find their key in a cache of so many.
pub(super) fn hits(name: &str, capacity: usize, trace: &[u64]) -> usize {
    let mut rig = Rig::new(name);
    let mut gone = Vec::new();
    let found = trace.iter().filter(|id| {
        gone.clear();
        rig.access(**id, capacity, &mut gone)
    });
    found.count()
}
