//! The global allocator: jemalloc, with a count of what is in use.
//!
//! Shape: every thread counts in a slot of its own, which nobody else writes, so the counts are
//! plain loads and stores, and their sum is exact at any time. A slot belongs to an [`Account`]; a
//! thread that enters one counts for it until it leaves. What one thread takes and another one
//! gives back cancels in the sum.
//! Units: bytes of jemalloc's size classes, not of requests: what memory really goes.

use std::alloc::{GlobalAlloc, Layout};
use std::cell::Cell;
use std::marker::PhantomData;
use std::sync::atomic::{AtomicBool, AtomicIsize, AtomicU32, AtomicUsize, Ordering};
use tikv_jemalloc_ctl::{epoch, raw, stats, stats_print};
use tikv_jemallocator::Jemalloc;

/// Slots that belong to one thread at a time.
const SLOTS: usize = 256;

/// The largest size that has a class of its own.
const SMALL_MAX: usize = 14 * 1024;
/// What larger sizes are rounded to.
const PAGE: usize = 4096;

/// A thread's count; a line of its own, so that no two threads write to the same.
#[repr(align(64))]
struct Slot {
    net: AtomicIsize,
    account: AtomicU32,
    /// A thread counts here.
    taken: AtomicBool,
}

impl Slot {
    const fn new() -> Self {
        Self {
            net: AtomicIsize::new(0),
            account: AtomicU32::new(0),
            taken: AtomicBool::new(false),
        }
    }

    #[inline]
    fn add(&self, change: isize) {
        let net = self.net.load(Ordering::Relaxed);
        self.net.store(net.wrapping_add(change), Ordering::Relaxed);
    }
}

static TABLE: [Slot; SLOTS] = [const { Slot::new() }; SLOTS];
/// Slots from here on have never been used.
static FRESH: AtomicUsize = AtomicUsize::new(0);
/// Where all those count who have found no slot.
static CROWD: AtomicIsize = AtomicIsize::new(0);
/// Accounts opened so far; number 0 is the process's.
static ACCOUNTS: AtomicU32 = AtomicU32::new(0);

thread_local! {
    static OWN: Cell<Place> = const { Cell::new(Place::Nowhere) };
    /// Gives back the slot of a thread that ends and has never entered an account.
    static STAY: Stay = const { Stay };
}

struct Stay;

impl Drop for Stay {
    fn drop(&mut self) {
        // What the thread still does at its end counts with the crowd.
        leave(OWN.replace(Place::Crowd));
    }
}

fn leave(place: Place) {
    if let Place::Slot(slot) = place {
        slot.taken.store(false, Ordering::Release);
    }
}

/// Where a thread counts.
#[derive(Clone, Copy)]
enum Place {
    /// It has not counted yet.
    Nowhere,
    Slot(&'static Slot),
    Crowd,
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

/// Bytes of what `layout` gets: a multiple of its alignment, in the class of that.
#[inline]
const fn layout_bytes(layout: Layout) -> usize {
    let align = layout.align();
    class_bytes((layout.size() + align - 1) & !(align - 1))
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
    match OWN.get() {
        Place::Slot(slot) => slot.add(change),
        other => note_elsewhere(other, change),
    }
}

/// Counts what was asked for, if it was there to be had.
#[inline]
fn counted(at: *mut u8, layout: Layout) -> *mut u8 {
    if !at.is_null() {
        add(layout_bytes(layout));
    }
    at
}

#[cold]
fn note_elsewhere(place: Place, change: isize) {
    if let Place::Nowhere = place {
        OWN.set(take_slot(0));
        note(change);
        if STAY.try_with(|_| ()).is_err() {
            leave(OWN.replace(Place::Crowd));
        }
        return;
    }
    CROWD.fetch_add(change, Ordering::Relaxed);
}

/// A slot of `account` that no thread counts in: one that was left, or a fresh one.
fn take_slot(account: u32) -> Place {
    let is_left = |slot: &&Slot| {
        slot.account.load(Ordering::Relaxed) == account && !slot.taken.swap(true, Ordering::Acquire)
    };
    if let Some(slot) = slots().iter().find(is_left) {
        return Place::Slot(slot);
    }
    // A number is drawn once; those beyond the table are drawn in vain.
    while let Some(slot) = TABLE.get(FRESH.fetch_add(1, Ordering::Relaxed)) {
        // Whoever looked for one that was left may have been faster.
        if !slot.taken.swap(true, Ordering::Acquire) {
            slot.account.store(account, Ordering::Relaxed);
            return Place::Slot(slot);
        }
    }
    Place::Crowd
}

fn slots() -> &'static [Slot] {
    &TABLE[..FRESH.load(Ordering::Relaxed).min(SLOTS)]
}

/// Who pays for memory: the whole process, or one engine of several in it.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Account(u32);

impl Account {
    /// All that is in use, whoever has taken it.
    pub const PROCESS: Self = Self(0);

    /// An account with nothing on it.
    #[must_use]
    pub fn open() -> Self {
        Self(ACCOUNTS.fetch_add(1, Ordering::Relaxed) + 1)
    }

    /// The account that this thread counts for.
    #[must_use]
    pub fn current() -> Self {
        match OWN.get() {
            Place::Slot(slot) => Self(slot.account.load(Ordering::Relaxed)),
            Place::Nowhere | Place::Crowd => Self::PROCESS,
        }
    }

    /// This thread counts for the account until the value is dropped.
    #[must_use]
    pub fn enter(self) -> Entered {
        let before = OWN.replace(take_slot(self.0));
        Entered {
            before,
            of_this_thread: PhantomData,
        }
    }

    /// Bytes in use: taken for the account less what was given back. Exact, but for threads beyond
    /// some hundred, which count for the process only.
    #[must_use]
    pub fn used(self) -> usize {
        let net = |slot: &Slot| slot.net.load(Ordering::Relaxed);
        let sum: isize = match self {
            Self::PROCESS => slots().iter().map(net).sum::<isize>() + CROWD.load(Ordering::Relaxed),
            Self(number) => slots()
                .iter()
                .filter(|slot| slot.account.load(Ordering::Relaxed) == number)
                .map(net)
                .sum(),
        };
        usize::try_from(sum).unwrap_or(0)
    }
}

/// A thread's stay in an account; see [`Account::enter`].
pub struct Entered {
    before: Place,
    /// It ends where it began.
    of_this_thread: PhantomData<*const ()>,
}

impl std::fmt::Debug for Entered {
    fn fmt(&self, out: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        out.debug_struct("Entered").finish_non_exhaustive()
    }
}

impl Drop for Entered {
    fn drop(&mut self) {
        leave(OWN.replace(self.before));
    }
}

// SAFETY: every call is passed on unchanged; counting allocates nothing and cannot unwind.
unsafe impl GlobalAlloc for Counting {
    #[inline]
    unsafe fn alloc(&self, layout: Layout) -> *mut u8 {
        // SAFETY: the caller's promise.
        counted(unsafe { Jemalloc.alloc(layout) }, layout)
    }

    #[inline]
    unsafe fn alloc_zeroed(&self, layout: Layout) -> *mut u8 {
        // SAFETY: the caller's promise.
        counted(unsafe { Jemalloc.alloc_zeroed(layout) }, layout)
    }

    #[inline]
    unsafe fn dealloc(&self, at: *mut u8, layout: Layout) {
        subtract(layout_bytes(layout));
        // SAFETY: the caller's promise.
        unsafe { Jemalloc.dealloc(at, layout) }
    }

    #[inline]
    unsafe fn realloc(&self, at: *mut u8, layout: Layout, size: usize) -> *mut u8 {
        // SAFETY: the caller's promise.
        let moved = unsafe { Jemalloc.realloc(at, layout, size) };
        if !moved.is_null() {
            let align = layout.align();
            add(class_bytes((size + align - 1) & !(align - 1)));
            subtract(layout_bytes(layout));
        }
        moved
    }
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

    fn take(bytes: usize, align: usize) -> (*mut u8, Layout) {
        let layout = Layout::from_size_align(bytes, align).unwrap();
        // SAFETY: the size is not zero.
        (unsafe { Counting.alloc(layout) }, layout)
    }

    fn give(at: *mut u8, layout: Layout) {
        // SAFETY: the tests give back what they have taken, with its layout.
        unsafe { Counting.dealloc(at, layout) }
    }

    #[test]
    fn what_is_taken_and_given_back_cancels() {
        let account = Account::open();
        let entered = account.enter();
        assert_eq!((Account::current(), account.used()), (account, 0));
        let (at, layout) = take(1000, 8);
        assert_eq!(account.used(), 1024);
        // SAFETY: the pointer is of that layout.
        let at = unsafe { Counting.realloc(at, layout, 3000) };
        assert_eq!(account.used(), 3072);
        give(at, Layout::from_size_align(3000, 8).unwrap());
        assert_eq!(account.used(), 0);
        drop(entered);
        assert_eq!(Account::current(), Account::PROCESS);
    }

    #[test]
    fn what_was_not_to_be_had_does_not_count() {
        let account = Account::open();
        let _entered = account.enter();
        let (at, _) = take(isize::MAX.cast_unsigned() - 4096, 8);
        assert!(at.is_null());
        assert_eq!(account.used(), 0);
    }

    #[test]
    fn what_is_aligned_counts_as_the_allocator_has_it() {
        let account = Account::open();
        let _entered = account.enter();
        for (bytes, align) in [(10, 64), (100, 64), (5000, 4096), (24, 16), (200, 32)] {
            let (at, layout) = take(bytes, align);
            // SAFETY: the pointer has just been allocated by it.
            let usable = unsafe { tikv_jemallocator::usable_size(at) };
            assert_eq!(account.used(), usable, "{bytes} bytes at {align}");
            give(at, layout);
        }
    }

    #[test]
    fn a_block_that_another_thread_frees_is_off_the_account_at_once() {
        let account = Account::open();
        let _entered = account.enter();
        for _ in 0..3 {
            let (at, layout) = take(100, 8);
            let address = at.expose_provenance();
            let other = std::thread::spawn(move || {
                let _entered = account.enter();
                give(std::ptr::with_exposed_provenance_mut(address), layout);
                let taken = take(50, 8);
                (taken.0.expose_provenance(), taken.1)
            });
            let (left, layout) = other.join().unwrap();
            assert_eq!(account.used(), 64);
            give(std::ptr::with_exposed_provenance_mut(left), layout);
            assert_eq!(account.used(), 0);
        }
    }

    #[test]
    fn threads_that_have_ended_keep_nothing_from_those_that_come() {
        for _ in 0..2 * SLOTS {
            let thread = std::thread::spawn(|| {
                let (at, layout) = take(100, 8);
                give(at, layout);
            });
            thread.join().unwrap();
        }
        let account = Account::open();
        let _entered = account.enter();
        let (at, layout) = take(100, 8);
        assert_eq!(account.used(), 112);
        give(at, layout);
    }

    #[test]
    fn accounts_do_not_mix_and_the_process_has_them_all() {
        let (one, other) = (Account::open(), Account::open());
        let in_one = one.enter();
        let first = take(1 << 20, 8);
        let in_other = other.enter();
        let second = take(2 << 20, 8);
        assert_eq!((one.used(), other.used()), (1 << 20, 2 << 20));
        assert!(Account::PROCESS.used() >= 3 << 20);
        give(second.0, second.1);
        drop(in_other);
        give(first.0, first.1);
        assert_eq!((one.used(), other.used()), (0, 0));
        drop(in_one);
    }

    #[test]
    fn the_allocator_gives_figures_and_a_report() {
        purge();
        assert!(figures().resident > 0);
        assert!(report().contains("jemalloc"));
        assert!(name().starts_with("jemalloc-5"));
    }
}
