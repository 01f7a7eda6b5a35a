//! The two clocks and a stopwatch.
//!
//! The stopwatch counts with the processor's time-stamp counter where that ticks at a constant
//! rate, because it is read around every command; elsewhere it asks the kernel.

use dovetail_engine::base::{Micros, Now};
use std::sync::OnceLock;

fn read(clock: libc::clockid_t) -> libc::timespec {
    let mut time = libc::timespec {
        tv_sec: 0,
        tv_nsec: 0,
    };
    // SAFETY: the pointer is to a writable structure that outlives the call.
    let done = unsafe { libc::clock_gettime(clock, &raw mut time) };
    assert_eq!(done, 0, "the kernel has the clocks that POSIX asks for");
    time
}

fn nanos(time: libc::timespec) -> u64 {
    let secs = u64::try_from(time.tv_sec).unwrap_or(0);
    secs * 1_000_000_000 + u64::try_from(time.tv_nsec).unwrap_or(0)
}

/// Reads both clocks.
#[must_use]
pub fn now() -> Now {
    Now {
        monotonic: monotonic(),
        unix_us: nanos(read(libc::CLOCK_REALTIME)) / 1_000,
    }
}

/// Time since some fixed point, never going back.
#[must_use]
pub fn monotonic() -> Micros {
    Micros(nanos(read(libc::CLOCK_MONOTONIC)) / 1_000)
}

/// An instant as the clock on this machine's wall shows it.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct LocalTime {
    /// Year of our era.
    pub year: i32,
    /// 1 to 12.
    pub month: u8,
    /// 1 to 31.
    pub day: u8,
    /// 0 to 23.
    pub hour: u8,
    /// 0 to 59.
    pub minute: u8,
    /// 0 to 60: there are leap seconds.
    pub second: u8,
    /// How far the zone is ahead of UTC, in seconds.
    pub offset_secs: i32,
}

/// The wall clock's reading at `unix_secs`, in the zone that the environment names.
///
/// # Panics
/// Never: the years of 64-bit seconds that a clock gives fit the structure.
#[must_use]
pub fn local_time(unix_secs: u64) -> LocalTime {
    let secs = libc::time_t::try_from(unix_secs).unwrap_or(0);
    // SAFETY: all-zero bytes are a valid value of this plain structure; a null zone name is.
    let mut parts: libc::tm = unsafe { std::mem::zeroed() };
    // SAFETY: both pointers are to structures that outlive the call.
    let done = unsafe { libc::localtime_r(&raw const secs, &raw mut parts) };
    assert!(!done.is_null(), "a reading of the clock has a year");
    let small = |part: libc::c_int| u8::try_from(part).unwrap_or(0);
    LocalTime {
        year: parts.tm_year + 1900,
        month: small(parts.tm_mon + 1),
        day: small(parts.tm_mday),
        hour: small(parts.tm_hour),
        minute: small(parts.tm_min),
        second: small(parts.tm_sec),
        offset_secs: i32::try_from(parts.tm_gmtoff).unwrap_or(0),
    }
}

/// Sleeps for `span`; a signal ends it early.
pub fn nap(span: Micros) {
    let span = super::epoll::timespec(span);
    // SAFETY: the first pointer is to a structure that outlives the call, the second may be null.
    unsafe { libc::nanosleep(&raw const span, std::ptr::null_mut()) };
}

/// Nanoseconds since some fixed point, cheaply; only differences mean something.
#[must_use]
#[inline]
pub fn stopwatch() -> u64 {
    let scale = *SCALE.get_or_init(calibrate);
    if scale == 0 {
        nanos(read(libc::CLOCK_MONOTONIC))
    } else {
        scaled(ticks(), scale)
    }
}

/// Nanoseconds per tick of the counter times 2^32; 0 when the counter cannot be used.
static SCALE: OnceLock<u64> = OnceLock::new();

fn scaled(ticks: u64, scale: u64) -> u64 {
    u64::try_from((u128::from(ticks) * u128::from(scale)) >> 32).unwrap_or(u64::MAX)
}

/// How long the counter is compared with the clock, in nanoseconds.
const CALIBRATION: u64 = 5_000_000;

fn calibrate() -> u64 {
    if !is_counter_constant() {
        return 0;
    }
    let (clock, counter) = (nanos(read(libc::CLOCK_MONOTONIC)), ticks());
    let mut passed = 0;
    while passed < CALIBRATION {
        passed = nanos(read(libc::CLOCK_MONOTONIC)) - clock;
    }
    let counted = ticks().wrapping_sub(counter);
    u64::try_from((u128::from(passed) << 32) / u128::from(counted.max(1))).unwrap_or(0)
}

#[cfg(target_arch = "x86_64")]
#[inline]
fn ticks() -> u64 {
    // SAFETY: every x86-64 processor has the instruction.
    unsafe { std::arch::x86_64::_rdtsc() }
}

#[cfg(target_arch = "x86_64")]
fn is_counter_constant() -> bool {
    use std::arch::x86_64::__cpuid;
    const POWER_LEAF: u32 = 0x8000_0007;
    const INVARIANT: u32 = 1 << 8;
    let highest = __cpuid(0x8000_0000).eax;
    highest >= POWER_LEAF && __cpuid(POWER_LEAF).edx & INVARIANT != 0
}

#[cfg(not(target_arch = "x86_64"))]
fn ticks() -> u64 {
    0
}

#[cfg(not(target_arch = "x86_64"))]
fn is_counter_constant() -> bool {
    false
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_stopwatch_agrees_with_the_clock() {
        let (before, clock) = (stopwatch(), monotonic());
        while monotonic().0 < clock.0 + 20_000 {}
        let passed = stopwatch() - before;
        assert!(passed > 19_000_000, "{passed} ns for 20 ms");
    }

    #[test]
    fn local_time_is_utc_and_the_offset() {
        let instant = 1_793_631_845;
        let time = local_time(instant);
        let day_secs =
            u64::from(time.hour) * 3600 + u64::from(time.minute) * 60 + u64::from(time.second);
        let shifted = instant.strict_add_signed(i64::from(time.offset_secs));
        assert_eq!(shifted % 86_400, day_secs);
        assert_eq!((time.year, time.month), (2026, 11));
    }

    #[test]
    fn the_wall_clock_is_after_2020() {
        assert!(now().unix_secs() > 1_577_836_800);
    }
}
