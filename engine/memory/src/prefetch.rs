//! Telling the processor what will be read soon.

use crate::hash::Probe;
use crate::segment::{Place, Segment};
use crate::store::Store;

/// Bytes of a cache line.
const LINE: usize = 64;
/// Records that start this far into a line may well end in the next.
const SECOND_LINE_FROM: usize = 28;

/// Asks for the line of `at`, which need not be valid.
#[inline]
pub(crate) fn line(at: *const u8) {
    #[cfg(target_arch = "x86_64")]
    {
        use std::arch::x86_64::{_MM_HINT_T0, _mm_prefetch};
        // SAFETY: a prefetch reads nothing and faults on nothing; SSE is part of x86-64.
        unsafe { _mm_prefetch::<_MM_HINT_T0>(at.cast()) }
    }
    #[cfg(not(target_arch = "x86_64"))]
    let _ = at;
}

impl<T> Store<T> {
    /// First stage for a key that will be looked up soon: asks for its bucket and heat.
    #[inline]
    pub fn prefetch_bucket(&self, hash: u64) {
        let probe = Probe::new(hash);
        if let Some(segment) = self.directory.segment(probe) {
            let (bucket, heat) = segment.lines(probe);
            line(bucket);
            line(heat);
            if self.marking.is_on() {
                line(segment.end_line());
            }
        }
    }

    /// Second stage, when the first has had time: asks for the record that the bucket names.
    #[inline]
    pub fn prefetch_record(&self, hash: u64) {
        let probe = Probe::new(hash);
        if let Some(segment) = self.directory.segment(probe)
            && let Some(place) = segment.find(probe, |_| true)
        {
            if let Some(marks) = segment.marks() {
                line(marks.get(place).as_ptr().cast());
            }
            let at = self.record(segment.slot(place).id()).as_ptr();
            line(at);
            if at.addr() % LINE > SECOND_LINE_FROM {
                line(at.wrapping_add(LINE));
            }
        }
    }

    /// Asks for the first line of the record at `place`.
    #[inline]
    pub(crate) fn prefetch_at(&self, segment: &Segment, place: Place) {
        line(self.record(segment.slot(place).id()).as_ptr());
    }
}
