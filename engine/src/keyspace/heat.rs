//! When a key was last used, and what a policy remembers of it: sixteen bits of clock for every key,
//! and sixteen of mark while a policy wants them.
//!
//! The clock has seconds for what was used in the last hours, and hours for the rest: a key that has
//! not been used for more than [`RECENT_SECS`] is moved from the one to the other by [`aged`], which
//! comes by often enough that no clock goes round. It follows monotonic time, so that nobody looks
//! younger or older when the wall clock is put right.

use crate::codec::rdb::Usage;
use crate::seam::eviction::Touch;
use dovetail_memory::{EntryRef, Heat};
use std::cell::Cell;

/// The bit that says hours.
const HOURS: u16 = 1 << 15;
const MASK: u64 = HOURS as u64 - 1;
const SECS_PER_HOUR: u64 = 3600;
/// Idle for longer than this, a clock shows hours once [`aged`] has come by.
pub(super) const RECENT_SECS: u64 = 4 * SECS_PER_HOUR;
/// Sub-seconds of the fine clock.
const FRACTION_BITS: u32 = 16;
/// What the counter of Redis begins with, so that a newcomer has a chance.
const FREQUENCY_BEGINS: u16 = 5;
const COUNTER_MASK: u16 = 0xff;
/// The low bits of the mark that count hits beside an age; the others are a part of the clock.
const HITS_MASK: u16 = 0x3f;
/// Steps of the counter of hits for each doubling.
const STEPS_PER_DOUBLING: f64 = 4.0;

/// Seconds as the clock of a key that is used now.
fn recent(secs: u64) -> u16 {
    low_u16(secs & MASK)
}

#[expect(
    clippy::cast_possible_truncation,
    reason = "the low bits are what is asked for"
)]
fn low_u16(number: u64) -> u16 {
    number as u16
}

/// For how many seconds a key has not been used.
pub(super) fn idle_secs(clock: u16, now_secs: u64) -> u64 {
    let shown = u64::from(clock) & MASK;
    if clock & HOURS == 0 {
        now_secs.wrapping_sub(shown) & MASK
    } else {
        ((now_secs / SECS_PER_HOUR).wrapping_sub(shown) & MASK) * SECS_PER_HOUR
    }
}

/// The second that a clock shows: the same whenever it is read, until [`aged`] moves the clock over.
fn shown_secs(clock: u16, now_secs: u64) -> u64 {
    let idle = idle_secs(clock, now_secs);
    let now = match clock & HOURS {
        0 => now_secs,
        _ => now_secs - now_secs % SECS_PER_HOUR,
    };
    now.saturating_sub(idle)
}

/// The clock of a key that has not been used for so many seconds.
pub(super) fn clock_idle(secs: u64, now_secs: u64) -> u16 {
    if secs <= RECENT_SECS {
        return recent(now_secs.wrapping_sub(secs));
    }
    let hours = (secs / SECS_PER_HOUR).min(MASK);
    HOURS | low_u16((now_secs / SECS_PER_HOUR).wrapping_sub(hours) & MASK)
}

/// The same clock, in hours if it is time for that.
#[must_use]
pub fn aged(clock: u16, now_secs: u64) -> u16 {
    let idle = idle_secs(clock, now_secs);
    if clock & HOURS == 0 && idle > RECENT_SECS {
        clock_idle(idle, now_secs)
    } else {
        clock
    }
}

/// Whatever has a clock and a mark.
pub trait Warm {
    /// The clock.
    fn clock(&self) -> u16;
    /// Sets the clock.
    fn set_clock(&self, clock: u16);
    /// The mark; 0 while there are none.
    fn mark(&self) -> u16;
    /// Sets the mark, if there are marks.
    fn set_mark(&self, mark: u16);
}

impl<T> Warm for EntryRef<'_, T> {
    #[inline]
    fn clock(&self) -> u16 {
        self.heat()
    }

    #[inline]
    fn set_clock(&self, clock: u16) {
        self.touch(clock);
    }

    #[inline]
    fn mark(&self) -> u16 {
        EntryRef::mark(self)
    }

    #[inline]
    fn set_mark(&self, mark: u16) {
        EntryRef::set_mark(self, mark);
    }
}

/// The present for clocks and marks, and what a hit does to them.
#[derive(Debug)]
pub struct Warmth {
    /// Monotonic time in 1/65,536 s.
    now: Cell<u64>,
    /// The clock of a key that is used now.
    clock: Cell<u16>,
    touch: Cell<Touch>,
    /// `lfu-log-factor`.
    log_factor: Cell<u32>,
    /// `lfu-decay-time`.
    decay_minutes: Cell<u32>,
    random: Cell<u64>,
}

impl Warmth {
    /// With this seed for all chance, at time 0.
    #[must_use]
    pub fn new(seed: u64) -> Self {
        Self {
            now: Cell::default(),
            clock: Cell::default(),
            touch: Cell::new(Touch::Clock),
            log_factor: Cell::new(10),
            decay_minutes: Cell::new(1),
            random: Cell::new(seed | 1),
        }
    }

    /// Sets the present: monotonic microseconds.
    pub fn set_now(&self, micros: u64) {
        let fraction = ((micros % 1_000_000) << FRACTION_BITS) / 1_000_000;
        self.now
            .set(((micros / 1_000_000) << FRACTION_BITS) | fraction);
        self.clock.set(recent(micros / 1_000_000));
    }

    /// The present in 1/65,536 s.
    #[must_use]
    pub fn now(&self) -> u64 {
        self.now.get()
    }

    /// The same in seconds.
    #[must_use]
    pub fn now_secs(&self) -> u64 {
        self.now.get() >> FRACTION_BITS
    }

    /// What a hit does from now on, and the settings of counters.
    pub fn set_touch(&self, touch: Touch, log_factor: u32, decay_minutes: u32) {
        self.touch.set(touch);
        self.log_factor.set(log_factor);
        self.decay_minutes.set(decay_minutes);
    }

    /// What a key begins with.
    #[inline]
    #[must_use]
    pub fn newborn(&self) -> Heat {
        let mark = match self.touch.get() {
            Touch::Clock | Touch::Count { .. } => 0,
            Touch::FineClock => low_u16(self.now.get()),
            Touch::Frequency => FREQUENCY_BEGINS,
            Touch::Age => low_u16(self.now.get()) & !HITS_MASK,
        };
        Heat {
            clock: self.clock.get(),
            mark,
        }
    }

    /// The hits that a mark counts for the policy.
    pub(super) fn hits_of(&self, mark: u16) -> u16 {
        match self.touch.get() {
            Touch::Count { most } => mark & most,
            _ => 0,
        }
    }

    /// What a key begins with that was used so.
    pub(super) fn heat_of(&self, usage: Option<Usage>) -> Heat {
        let mut heat = self.newborn();
        let counts = self.touch.get() == Touch::Frequency;
        match usage {
            Some(Usage::Idle(secs)) if !counts => heat.clock = clock_idle(secs, self.now_secs()),
            Some(Usage::Frequency(frequency)) if counts => {
                heat.mark = frequency.into();
            }
            _ => {}
        }
        heat
    }

    /// A key was used so; what hits do not count is left out.
    pub(super) fn warm<T>(&self, entry: &EntryRef<'_, T>, usage: Usage) {
        let counts = self.touch.get() == Touch::Frequency;
        match usage {
            Usage::Idle(_) if !counts => entry.touch(self.heat_of(Some(usage)).clock),
            Usage::Frequency(_) if counts => {
                let heat = self.heat_of(Some(usage));
                entry.touch(heat.clock);
                entry.set_mark(heat.mark);
            }
            _ => {}
        }
    }

    /// A hit.
    #[inline]
    pub fn touch(&self, entry: &impl Warm) {
        match self.touch.get() {
            Touch::Clock => entry.set_clock(self.clock.get()),
            Touch::FineClock => {
                entry.set_clock(self.clock.get());
                entry.set_mark(low_u16(self.now.get()));
            }
            Touch::Count { most } => {
                entry.set_clock(self.clock.get());
                let mark = entry.mark();
                entry.set_mark(mark + u16::from(mark & most < most));
            }
            Touch::Frequency => {
                entry.set_mark(self.grown(self.frequency(entry)));
                entry.set_clock(self.clock.get());
            }
            Touch::Age => {
                let mark = entry.mark();
                let counter = self.counted(mark & HITS_MASK);
                entry.set_mark((mark & !HITS_MASK) | counter);
            }
        }
    }

    /// Whether clocks show when keys were touched, and not when they were made.
    pub(super) fn shows_touches(&self) -> bool {
        self.touch.get() != Touch::Age
    }

    /// The counter of Redis as it stands now.
    pub(super) fn frequency(&self, entry: &impl Warm) -> u16 {
        let minutes = idle_secs(entry.clock(), self.now_secs()) / 60;
        let falls = minutes.checked_div(u64::from(self.decay_minutes.get()));
        let falls = u16::try_from(falls.unwrap_or(0)).unwrap_or(u16::MAX);
        (entry.mark() & COUNTER_MASK).saturating_sub(falls)
    }

    /// The counter of Redis after a hit.
    fn grown(&self, counter: u16) -> u16 {
        let above = counter.saturating_sub(FREQUENCY_BEGINS);
        let odds = f64::from(above) * f64::from(self.log_factor.get()) + 1.0;
        let grows = counter < COUNTER_MASK && self.draw() * odds < 1.0;
        counter + u16::from(grows)
    }

    /// A logarithmic counter of hits after one more: right on average.
    fn counted(&self, counter: u16) -> u16 {
        let hits = (f64::from(counter) / STEPS_PER_DOUBLING).exp2();
        let exact = (hits + 1.0).log2() * STEPS_PER_DOUBLING;
        #[expect(
            clippy::cast_possible_truncation,
            clippy::cast_sign_loss,
            reason = "between 0 and 65"
        )]
        let counted = (exact + self.draw()) as u16;
        counted.clamp(counter, HITS_MASK)
    }

    /// Random bits.
    pub fn bits(&self) -> u64 {
        let mut x = self.random.get();
        x ^= x << 13;
        x ^= x >> 7;
        x ^= x << 17;
        self.random.set(x);
        x.wrapping_mul(0x2545_f491_4f6c_dd1d)
    }

    /// A number from 0 to below 1.
    fn draw(&self) -> f64 {
        #[expect(clippy::cast_precision_loss, reason = "53 bits")]
        let whole = (self.bits() >> 11) as f64;
        whole / (1_u64 << 53) as f64
    }

    /// What an entry's clock and mark show, in 1/65,536 s.
    pub fn clock_of(&self, entry: &impl Warm) -> u64 {
        let secs = shown_secs(entry.clock(), self.now_secs()) << FRACTION_BITS;
        match self.touch.get() {
            Touch::FineClock => secs | u64::from(entry.mark()),
            Touch::Age => secs | u64::from(entry.mark() & !HITS_MASK),
            _ => secs,
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_clock_shows_what_it_was_set_to() {
        for now in [0, 5, 40_000, 9_999_999, u64::MAX >> 20] {
            for idle in [0, 1, 59, RECENT_SECS] {
                assert_eq!(idle_secs(clock_idle(idle, now), now), idle);
            }
            for hours in [5, 24, 24 * 30, 24 * 365 * 3] {
                let idle = hours * SECS_PER_HOUR;
                assert_eq!(idle_secs(clock_idle(idle, now), now), idle);
            }
        }
    }

    #[test]
    fn a_clock_that_is_looked_after_never_goes_round() {
        let mut clock = clock_idle(0, 1_000);
        for hours in 1..24 * 400 {
            let idle = hours * SECS_PER_HOUR;
            clock = aged(clock, 1_000 + idle);
            let shown = idle_secs(clock, 1_000 + idle);
            assert!(shown.abs_diff(idle) <= SECS_PER_HOUR, "{shown} for {idle}");
        }
    }

    #[test]
    fn what_a_clock_of_hours_shows_stands_still() {
        let clock = clock_idle(5 * SECS_PER_HOUR + 7, 100_000);
        let shown = shown_secs(clock, 100_000);
        assert!(shown.abs_diff(100_000 - 5 * SECS_PER_HOUR) <= SECS_PER_HOUR);
        for later in [1, 100, SECS_PER_HOUR, 50 * SECS_PER_HOUR + 1] {
            assert_eq!(shown_secs(clock, 100_000 + later), shown, "{later} s later");
        }
    }

    #[test]
    fn counted_hits_are_right_on_average() {
        let warmth = Warmth::new(7);
        for hits in [1_u32, 10, 100, 1000] {
            let mut sum = 0.0;
            for _ in 0..200 {
                let mut counter = 0;
                (1..hits).for_each(|_| counter = warmth.counted(counter));
                sum += (f64::from(counter) / STEPS_PER_DOUBLING).exp2();
            }
            let mean = sum / 200.0;
            let ratio = mean / f64::from(hits);
            assert!((0.85..1.15).contains(&ratio), "{mean} for {hits}");
        }
    }
}
