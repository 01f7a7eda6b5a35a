//! A cache that is nothing but arrays, for policies that think it is a database.
//!
//! Keys of a trace are the indices. A key's name is its number under a bijection, which a seed
//! decides, because policies expect the bits of a hash. Clocks and marks are the engine's own.

use std::cell::Cell;

use dovetail_engine::keyspace::heat::{Warm, Warmth, aged};
use dovetail_engine::seam::eviction::{Locator, Resident, Residents, Touch};

use crate::trace::Trace;

const NOWHERE: u32 = u32::MAX;
const MASK: u64 = (1 << Locator::BITS) - 1;
const HALF_BITS: u32 = Locator::BITS / 2;
const FACTOR: u64 = 0x9e37_79b9_7f4a_7c15;
/// Seconds between two looks at all clocks, so that none goes round.
const AGING_SECS: u64 = 3600;

/// Clock and mark of a key.
#[derive(Clone, Debug, Default)]
struct OwnHeat {
    clock: Cell<u16>,
    mark: Cell<u16>,
}

impl Warm for OwnHeat {
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

/// Numbers of keys as bits of a hash, and back.
#[derive(Clone, Copy, Debug)]
struct Names {
    salt: u64,
    inverse: u64,
}

impl Names {
    fn new(seed: u64) -> Self {
        // Newton's way to the inverse of an odd number: each step doubles the bits that are right.
        let step = |inverse: u64, _| {
            let rest = 2_u64.wrapping_sub(FACTOR.wrapping_mul(inverse));
            inverse.wrapping_mul(rest)
        };
        Self {
            salt: seed.wrapping_mul(FACTOR) & MASK,
            inverse: (0..6).fold(FACTOR, step),
        }
    }

    fn name(self, key: u32) -> Locator {
        let mut bits = u64::from(key) ^ self.salt;
        for _ in 0..2 {
            bits = bits.wrapping_mul(FACTOR) & MASK;
            bits ^= bits >> HALF_BITS;
        }
        Locator::from_bits(bits)
    }

    /// The index of the key of that name; of a name that nobody has, any number.
    fn key(self, name: Locator) -> usize {
        let mut bits = name.bits();
        for _ in 0..2 {
            bits ^= bits >> HALF_BITS;
            bits = bits.wrapping_mul(self.inverse) & MASK;
        }
        usize::try_from(bits ^ self.salt).unwrap_or(usize::MAX)
    }
}

/// What decides what a hit does.
#[derive(Clone, Copy, Debug)]
pub(super) struct Heating {
    /// The policy's.
    pub(super) touch: Touch,
    /// `lfu-log-factor`.
    pub(super) log_factor: u32,
    /// `lfu-decay-time`.
    pub(super) decay_minutes: u32,
    /// Decides names and chance.
    pub(super) seed: u64,
}

/// The cache.
#[derive(Debug)]
pub(super) struct Cache<'a> {
    trace: &'a Trace,
    heats: Vec<OwnHeat>,
    /// Where in `residents` a key is.
    places: Vec<u32>,
    residents: Vec<u32>,
    used: u64,
    warmth: Warmth,
    names: Names,
    /// The hour of the last look at all clocks.
    aged: u64,
}

impl<'a> Cache<'a> {
    /// With nothing in it, and all memory that it will need.
    pub(super) fn new(trace: &'a Trace, heating: &Heating) -> Self {
        let warmth = Warmth::new(heating.seed.wrapping_mul(FACTOR));
        warmth.set_touch(heating.touch, heating.log_factor, heating.decay_minutes);
        let keys = trace.distinct();
        Self {
            trace,
            heats: vec![OwnHeat::default(); keys],
            places: vec![NOWHERE; keys],
            residents: Vec::with_capacity(keys),
            used: 0,
            warmth,
            names: Names::new(heating.seed),
            aged: 0,
        }
    }

    /// Bytes, or objects, that are in it.
    pub(super) fn used(&self) -> u64 {
        self.used
    }

    /// Sets the present, in microseconds since the beginning.
    #[inline]
    pub(super) fn set_now(&mut self, micros: u64) {
        self.warmth.set_now(micros);
        let secs = self.warmth.now_secs();
        if secs / AGING_SECS != self.aged {
            self.aged = secs / AGING_SECS;
            for &key in &self.residents {
                let heat = &self.heats[key as usize];
                heat.clock.set(aged(heat.clock.get(), secs));
            }
        }
    }

    /// Whether the key is there; if so it was used.
    #[inline]
    pub(super) fn hit(&self, key: u32) -> bool {
        let is_there = self.places[key as usize] != NOWHERE;
        if is_there {
            self.warmth.touch(&self.heats[key as usize]);
        }
        is_there
    }

    /// Puts a key in that is not there, and shows it.
    pub(super) fn insert(&mut self, key: u32) -> Resident {
        let newborn = self.warmth.newborn();
        let heat = &self.heats[key as usize];
        heat.clock.set(newborn.clock);
        heat.mark.set(newborn.mark);
        self.places[key as usize] = u32::try_from(self.residents.len()).unwrap_or(NOWHERE);
        self.residents.push(key);
        self.used += u64::from(self.trace.size(key));
        self.shown(key)
    }

    /// Sets the mark of a key.
    pub(super) fn set_mark_of(&mut self, key: u32, mark: u16) {
        self.heats[key as usize].mark.set(mark);
    }

    /// Takes a key out; whether it was there.
    pub(super) fn remove(&mut self, name: Locator) -> bool {
        let index = self.names.key(name);
        let Some(place) = self
            .places
            .get_mut(index)
            .filter(|place| **place != NOWHERE)
        else {
            return false;
        };
        let hole = std::mem::replace(place, NOWHERE);
        let gone = self.residents.swap_remove(hole as usize);
        if let Some(&moved) = self.residents.get(hole as usize) {
            self.places[moved as usize] = hole;
        }
        self.used -= u64::from(self.trace.size(gone));
        true
    }

    fn shown(&self, key: u32) -> Resident {
        let heat = &self.heats[key as usize];
        Resident {
            key: self.names.name(key),
            mark: heat.mark.get(),
            clock: self.warmth.clock_of(heat),
            bytes: self.trace.size(key),
        }
    }

    fn resident(&self, name: Locator) -> Option<u32> {
        let index = self.names.key(name);
        let place = *self.places.get(index)?;
        self.residents.get(place as usize).copied()
    }
}

impl Residents for Cache<'_> {
    fn now(&self) -> u64 {
        self.warmth.now()
    }

    fn count(&self) -> usize {
        self.residents.len()
    }

    fn find(&self, name: Locator) -> Option<Resident> {
        Some(self.shown(self.resident(name)?))
    }

    fn set_mark(&mut self, name: Locator, mark: u16) {
        if let Some(key) = self.resident(name) {
            self.heats[key as usize].mark.set(mark);
        }
    }

    fn sample(&mut self) -> Option<Resident> {
        let wide = u128::from(self.warmth.bits()) * self.residents.len() as u128;
        let at = usize::try_from(wide >> 64).unwrap_or(0);
        self.residents.get(at).map(|&key| self.shown(key))
    }

    /// No key of a trace has a deadline.
    fn nearest_deadline(&mut self, _steps: &mut u32) -> Option<Resident> {
        None
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn trace(keys: usize) -> Trace {
        Trace {
            name: "t".to_owned(),
            keys: Vec::new(),
            sizes: vec![2; keys],
        }
    }

    fn heating(touch: Touch) -> Heating {
        Heating {
            touch,
            log_factor: 10,
            decay_minutes: 1,
            seed: 3,
        }
    }

    #[test]
    fn names_lead_back_to_their_keys() {
        for seed in [0, 1, u64::MAX] {
            let names = Names::new(seed);
            for key in (0..3_000).chain(u32::MAX - 9..=u32::MAX) {
                assert_eq!(names.key(names.name(key)), key as usize);
            }
        }
    }

    #[test]
    fn keys_come_go_and_are_found_by_name() {
        let trace = trace(100);
        let mut cache = Cache::new(&trace, &heating(Touch::FineClock));
        let shown: Vec<_> = (0..100).map(|key| cache.insert(key)).collect();
        assert_eq!((cache.count(), cache.used()), (100, 200));
        for resident in shown.iter().step_by(2) {
            assert!(cache.remove(resident.key));
            assert!(!cache.remove(resident.key));
            assert_eq!(cache.find(resident.key), None);
        }
        for resident in shown.iter().skip(1).step_by(2) {
            assert_eq!(cache.find(resident.key), Some(*resident));
        }
        assert_eq!((cache.count(), cache.used()), (50, 100));
        assert!(cache.hit(1) && !cache.hit(2));
        assert!((0..50).all(|_| cache.sample().is_some()));
    }

    #[test]
    fn clocks_do_not_go_round_in_days_without_use() {
        let trace = trace(1);
        let mut cache = Cache::new(&trace, &heating(Touch::FineClock));
        let name = cache.insert(0).key;
        for hour in 0..24 * 30 {
            cache.set_now(hour * 3_600_000_000);
            let idle = cache.now() - cache.find(name).unwrap().clock;
            assert!((idle >> 16).abs_diff(hour * 3600) <= 3600, "{hour} h");
        }
    }
}
