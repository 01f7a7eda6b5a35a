//! The global allocator: jemalloc, with a count of what is in use.
//!
//! Shape: every thread counts for itself, without atomics, and publishes to a common counter when
//! it is [`SLACK`] bytes off. An account of one engine is the difference of its thread's count
//! around the calls into it.
//! Units: bytes of jemalloc's size classes, not of requests: what memory really goes.

use std::alloc::{GlobalAlloc, Layout};
use std::cell::Cell;
use std::sync::atomic::{AtomicIsize, Ordering};
use tikv_jemalloc_ctl::{epoch, raw, stats, stats_print};
use tikv_jemallocator::Jemalloc;

/// How far a thread's count may be from what it has published.
const SLACK: isize = 32 * 1024;

/// The largest size that has a class of its own.
const SMALL_MAX: usize = 14 * 1024;
/// What larger sizes are rounded to.
const PAGE: usize = 4096;

static PUBLISHED: AtomicIsize = AtomicIsize::new(0);

thread_local! {
    static COUNT: Count = const { Count { net: Cell::new(0), published: Cell::new(0) } };
}

struct Count {
    net: Cell<isize>,
    published: Cell<isize>,
}

/// jemalloc, counted. Make it the global allocator of a program to have [`used`] mean something.
#[derive(Clone, Copy, Debug, Default)]
pub struct Counting;

/// Bytes of the size class that holds `size` bytes: multiples of 16 up to 128, then four classes
/// to every doubling up to 14 KiB, whole pages above.
#[inline]
const fn class_bytes(size: usize) -> usize {
    if size <= 128 {
        if size <= 8 {
            return 8;
        }
        return (size + 15) & !15;
    }
    if size > SMALL_MAX {
        return (size + PAGE - 1) & !(PAGE - 1);
    }
    let step = 1_usize << (usize::BITS - 3 - (size - 1).leading_zeros());
    (size + step - 1) & !(step - 1)
}

#[inline]
fn add(bytes: usize) {
    note(bytes.cast_signed());
}

#[inline]
fn subtract(bytes: usize) {
    note(bytes.cast_signed().wrapping_neg());
}

#[inline]
fn note(change: isize) {
    COUNT.with(|count| {
        let net = count.net.get().wrapping_add(change);
        count.net.set(net);
        let behind = net.wrapping_sub(count.published.get());
        if !(-SLACK..=SLACK).contains(&behind) {
            publish(count, behind);
        }
    });
}

#[cold]
fn publish(count: &Count, behind: isize) {
    PUBLISHED.fetch_add(behind, Ordering::Relaxed);
    count.published.set(count.net.get());
}

// SAFETY: every call is passed on unchanged; counting allocates nothing and cannot unwind.
unsafe impl GlobalAlloc for Counting {
    #[inline]
    unsafe fn alloc(&self, layout: Layout) -> *mut u8 {
        add(class_bytes(layout.size()));
        // SAFETY: the caller's promise.
        unsafe { Jemalloc.alloc(layout) }
    }

    #[inline]
    unsafe fn alloc_zeroed(&self, layout: Layout) -> *mut u8 {
        add(class_bytes(layout.size()));
        // SAFETY: the caller's promise.
        unsafe { Jemalloc.alloc_zeroed(layout) }
    }

    #[inline]
    unsafe fn dealloc(&self, at: *mut u8, layout: Layout) {
        subtract(class_bytes(layout.size()));
        // SAFETY: the caller's promise.
        unsafe { Jemalloc.dealloc(at, layout) }
    }

    #[inline]
    unsafe fn realloc(&self, at: *mut u8, layout: Layout, size: usize) -> *mut u8 {
        // SAFETY: the caller's promise.
        let moved = unsafe { Jemalloc.realloc(at, layout, size) };
        if !moved.is_null() {
            add(class_bytes(size));
            subtract(class_bytes(layout.size()));
        }
        moved
    }
}

/// Bytes in use by all threads; those of other threads are known to within 32 KiB each.
#[must_use]
pub fn used() -> usize {
    let mine = COUNT.with(|count| count.net.get().wrapping_sub(count.published.get()));
    usize::try_from(PUBLISHED.load(Ordering::Relaxed).wrapping_add(mine)).unwrap_or(0)
}

/// What this thread has taken less what it has given back, ever: exact, and negative for a
/// thread that frees what others allocated. Differences around a call are that call's account.
#[must_use]
pub fn thread_net() -> isize {
    COUNT.with(|count| count.net.get())
}

/// The allocator's own figures, in bytes.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub struct Figures {
    /// In use, rounded to size classes.
    pub allocated: usize,
    /// In pages that hold anything in use.
    pub active: usize,
    /// In pages that the process holds physically.
    pub resident: usize,
    /// In pages given back lazily.
    pub muzzy: usize,
}

/// Asks the allocator; zeros when it keeps no statistics.
#[must_use]
pub fn figures() -> Figures {
    if epoch::advance().is_err() {
        return Figures::default();
    }
    // SAFETY: the name is terminated and the figure is a `size_t`.
    let muzzy_pages = unsafe { raw::read::<usize>(b"stats.arenas.4096.pmuzzy\0") };
    let page = usize::try_from(super::process::page_bytes()).unwrap_or(0);
    Figures {
        allocated: stats::allocated::read().unwrap_or(0),
        active: stats::active::read().unwrap_or(0),
        resident: stats::resident::read().unwrap_or(0),
        muzzy: muzzy_pages.unwrap_or(0) * page,
    }
}

unsafe extern "C" {
    #[link_name = "_rjem_mallctl"]
    fn mallctl(
        name: *const libc::c_char,
        old: *mut libc::c_void,
        old_len: *mut usize,
        new: *mut libc::c_void,
        new_len: usize,
    ) -> libc::c_int;
}

/// Gives unused memory back to the kernel.
pub fn purge() {
    let none = std::ptr::null_mut();
    let name = c"arena.4096.purge";
    // SAFETY: the name is terminated; this control takes and gives nothing. Refusing is no harm.
    unsafe { mallctl(name.as_ptr(), none, std::ptr::null_mut(), none, 0) };
}

/// The allocator's report in its own words.
#[must_use]
pub fn report() -> String {
    let mut text = Vec::new();
    match stats_print::stats_print(&mut text, stats_print::Options::default()) {
        Ok(()) => String::from_utf8_lossy(&text).into_owned(),
        Err(error) => error.to_string(),
    }
}

/// The allocator's name and version.
#[must_use]
pub fn name() -> String {
    let version = tikv_jemalloc_ctl::version::read().unwrap_or("unknown");
    format!("jemalloc-{}", version.split('-').next().unwrap_or(version))
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn size_classes_are_those_of_the_allocator() {
        for size in (1..=70_000).step_by(7).chain([
            14_336,
            14_337,
            100_000,
            1 << 20,
            (1 << 20) + 1,
            40 << 20,
            (40 << 20) + 1,
            (1 << 30) + 1,
        ]) {
            let layout = Layout::from_size_align(size, 1).unwrap();
            // SAFETY: the size is not zero.
            let at = unsafe { Jemalloc.alloc(layout) };
            // SAFETY: the pointer has just been allocated by it.
            let usable = unsafe { tikv_jemallocator::usable_size(at) };
            assert_eq!(usable, class_bytes(size), "of {size} bytes");
            // SAFETY: it is given back as it was taken.
            unsafe { Jemalloc.dealloc(at, layout) };
        }
    }

    #[test]
    fn what_is_taken_and_given_back_cancels() {
        let before = thread_net();
        let layout = Layout::from_size_align(1000, 8).unwrap();
        // SAFETY: the size is not zero.
        let at = unsafe { Counting.alloc(layout) };
        assert_eq!(thread_net() - before, 1024);
        // SAFETY: the pointer is of that layout.
        let at = unsafe { Counting.realloc(at, layout, 3000) };
        assert_eq!(thread_net() - before, 3072);
        let layout = Layout::from_size_align(3000, 8).unwrap();
        // SAFETY: it is given back as it was last resized.
        unsafe { Counting.dealloc(at, layout) };
        assert_eq!(thread_net(), before);
    }

    #[test]
    fn the_allocator_gives_figures_and_a_report() {
        purge();
        assert!(figures().resident > 0);
        assert!(report().contains("jemalloc"));
        assert!(name().starts_with("jemalloc-5"));
    }
}
