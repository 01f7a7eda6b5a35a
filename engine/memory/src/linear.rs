//! Linear hashing: a table that grows and shrinks by one bucket at a time.
//!
//! Shape: of N = 2^L + s buckets, the first s and the last s are told apart by L + 1 low bits of
//! the hash, the others by L. Growing splits bucket s into s and N; shrinking is the reverse. The
//! table knows nothing of what is in a bucket but how many elements; its user splits and joins.
//! Invariants: 1. there is a bucket. 2. An element lies in the bucket of its hash's address.
//! 3. No bucket has more elements than the bound.
//! Scan: positions are bit-reversed hashes, so that a bucket covers one interval of them, and the
//! bucket that it splits into takes the interval's second half: whatever splits or joins, all
//! below the cursor has been visited.

use crate::steps::Steps;

/// Elements per bucket on average above which the table grows.
pub(crate) const GROW: usize = 9;
/// Elements per bucket on average below which the table shrinks.
const SHRINK: usize = 5;

/// Places that a sample draws at a time.
const DRAWN: usize = 4;

/// The table; see the module's text.
#[derive(Clone, Debug)]
pub(crate) struct Linear<B> {
    buckets: Steps<B>,
    /// 2^(L+1) - 1.
    mask: usize,
    elements: usize,
    /// No bucket has more elements.
    bound: usize,
    /// A sweep over the buckets looks for a lower bound: where it is, and the most it has met.
    sweep: usize,
    swept: usize,
}

/// A bucket that has been added or is being taken away, with the one it shares its elements with.
pub(crate) struct Siblings<'a, B> {
    /// The one that stays.
    pub(crate) low: &'a mut B,
    /// The one that comes or goes.
    pub(crate) high: &'a mut B,
    /// The bit of the hash that is set for elements of `high`.
    pub(crate) bit: u64,
}

impl<B: Default> Linear<B> {
    pub(crate) fn new() -> Self {
        let mut buckets = Steps::new();
        buckets.push(B::default());
        Self {
            buckets,
            mask: 1,
            elements: 0,
            bound: 0,
            sweep: 0,
            swept: 0,
        }
    }

    /// Number of elements.
    #[inline]
    pub(crate) const fn len(&self) -> usize {
        self.elements
    }

    /// Number of buckets.
    #[inline]
    pub(crate) const fn buckets(&self) -> usize {
        self.buckets.len()
    }

    /// Heap bytes of the table, without what buckets own.
    pub(crate) const fn bytes(&self) -> usize {
        self.buckets.bytes()
    }

    /// The number of the bucket of `hash`.
    #[inline]
    #[expect(clippy::cast_possible_truncation, reason = "only low bits are wanted")]
    pub(crate) const fn address(&self, hash: u64) -> usize {
        let address = hash as usize & self.mask;
        if address < self.buckets.len() {
            address
        } else {
            address & (self.mask >> 1)
        }
    }

    #[inline]
    pub(crate) fn at(&self, address: usize) -> &B {
        self.buckets.at(address)
    }

    #[inline]
    pub(crate) fn at_mut(&mut self, address: usize) -> &mut B {
        self.buckets.at_mut(address)
    }

    /// All buckets, in the order of their numbers.
    pub(crate) fn iter(&self) -> impl Iterator<Item = &B> {
        self.buckets.iter()
    }

    /// Counts an element that has come; its bucket now has `fill`.
    pub(crate) fn added(&mut self, fill: usize) {
        self.elements += 1;
        self.note(fill);
    }

    /// Counts an element that has gone.
    pub(crate) fn removed(&mut self, fill: impl Fn(&B) -> usize) {
        self.elements -= 1;
        if self.bound * self.buckets.len() > 8 * self.elements {
            self.sweep(fill);
        }
    }

    /// Whether the table is due to grow.
    #[inline]
    pub(crate) const fn is_full(&self) -> bool {
        self.elements > GROW * self.buckets.len()
    }

    /// Whether the table is due to shrink.
    #[inline]
    pub(crate) const fn is_sparse(&self) -> bool {
        self.elements < SHRINK * self.buckets.len() && self.buckets.len() > 1
    }

    /// Adds a bucket; `split` moves its elements over to it.
    pub(crate) fn grow(&mut self, split: impl FnOnce(Siblings<'_, B>), fill: impl Fn(&B) -> usize) {
        let half = self.mask / 2 + 1;
        let low = self.buckets.len() - half;
        let mut high = B::default();
        split(Siblings {
            low: self.buckets.at_mut(low),
            high: &mut high,
            bit: half as u64,
        });
        self.buckets.push(high);
        if self.buckets.len() > self.mask {
            self.mask = 2 * self.mask + 1;
        }
        self.sweep(fill);
    }

    /// Takes the last bucket away; `join` moves its elements to the one that it came from.
    pub(crate) fn shrink(
        &mut self,
        join: impl FnOnce(Siblings<'_, B>),
        fill: impl Fn(&B) -> usize,
    ) {
        let Some(mut high) = self.pop() else {
            return;
        };
        let half = self.mask / 2 + 1;
        let at = self.buckets.len() - half;
        let low = self.buckets.at_mut(at);
        join(Siblings {
            low,
            high: &mut high,
            bit: half as u64,
        });
        let filled = fill(low);
        self.note(filled);
        self.sweep(fill);
    }

    /// Takes the last bucket away, if it is not the only one.
    fn pop(&mut self) -> Option<B> {
        if self.buckets.len() == 1 {
            return None;
        }
        let bucket = self.buckets.pop();
        if self.buckets.len() <= self.mask / 2 {
            self.mask /= 2;
        }
        bucket
    }

    /// Takes the last bucket out with all its elements, of which there are `fill`.
    pub(crate) fn take_last(&mut self, fill: impl Fn(&B) -> usize) -> B {
        let bucket = self.pop().unwrap_or_else(|| std::mem::take(self.at_mut(0)));
        self.elements -= fill(&bucket);
        bucket
    }

    fn note(&mut self, fill: usize) {
        self.bound = self.bound.max(fill);
        self.swept = self.swept.max(fill);
    }

    /// Looks at one more bucket; when all have been seen, the bound is the most that was met.
    fn sweep(&mut self, fill: impl Fn(&B) -> usize) {
        if self.sweep < self.buckets.len() {
            self.swept = self.swept.max(fill(self.at(self.sweep)));
            self.sweep += 1;
        }
        if self.sweep >= self.buckets.len() {
            self.bound = self.swept;
            (self.sweep, self.swept) = (0, 0);
        }
    }

    /// The bucket at `cursor` and the cursor after it, which is 0 at the end.
    pub(crate) fn scan(&self, cursor: u64) -> (&B, u64) {
        let address = self.address(cursor);
        let half = self.mask / 2 + 1;
        let is_deep = address >= half || address + half < self.buckets.len();
        let depth = half.ilog2() + u32::from(is_deep);
        // The interval is all positions if there is but one bucket: nothing is after it.
        let span = 1_u64.checked_shl(u64::BITS - depth).unwrap_or(0);
        let next = (address as u64).reverse_bits().wrapping_add(span);
        (self.at(address), next.reverse_bits())
    }

    /// An element, each with the same chance: `pick` gives the one of a number in a bucket, if the
    /// bucket has so many; `ask` asks for the memory that it will read. `None` only without
    /// elements.
    pub(crate) fn sample<'a, T>(
        &'a self,
        random: &mut dyn FnMut() -> u64,
        ask: impl Fn(&B),
        pick: impl Fn(&'a B, usize) -> Option<T>,
    ) -> Option<T> {
        if self.elements == 0 {
            return None;
        }
        let places = self.bound * self.buckets.len();
        loop {
            // Some at once, so that the misses are under way together; the first that is one counts.
            let drawn = [(); DRAWN].map(|()| {
                let place = (u128::from(random()) * places as u128) >> 64;
                let place = usize::try_from(place).expect("less than the number of places");
                (self.at(place / self.bound), place % self.bound)
            });
            drawn.iter().for_each(|(bucket, _)| ask(bucket));
            let found = drawn
                .iter()
                .find_map(|&(bucket, number)| pick(bucket, number));
            if found.is_some() {
                return found;
            }
        }
    }

    /// Asserts the invariants that do not need hashes.
    pub(crate) fn check(&self, fill: impl Fn(&B) -> usize) {
        self.buckets.check();
        let half = self.mask / 2 + 1;
        assert!(half.is_power_of_two() && (half..2 * half).contains(&self.buckets.len()));
        assert_eq!(
            self.iter().map(&fill).sum::<usize>(),
            self.elements,
            "number of elements"
        );
        assert!(
            self.iter().all(|bucket| fill(bucket) <= self.bound),
            "the bound is one"
        );
        let seen = self.iter().take(self.sweep);
        assert!(
            seen.map(fill).all(|fill| fill <= self.swept),
            "the sweep has met them"
        );
    }
}
