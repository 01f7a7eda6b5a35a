//! How the bits of a key's hash are used, and the slot word that keeps them.
//!
//! Of the hash, after [`spread`]: bits 36..64 are the prefix (directory bits, of which the top 20
//! sit in the slot and the other eight are the fingerprint), bits 0..16 choose the home bucket.

use crate::runs::Locator;
use crate::slab::EntryId;

/// Buckets that are some key's home.
pub(crate) const HOME_BUCKETS: usize = 60;
/// Bits of a hash that a directory can tell apart.
pub(crate) const PREFIX_BITS: u32 = 28;
/// Number of distinct prefixes.
pub(crate) const PREFIX_END: u32 = 1 << PREFIX_BITS;

const HANDLE_BITS: u32 = EntryId::BITS;
const HANDLE_MASK: u64 = (1 << HANDLE_BITS) - 1;
const HOME_BITS: u32 = 6;
const HOME_MASK: u64 = (1 << HOME_BITS) - 1;
const _: () = assert!(PREFIX_BITS + HOME_BITS == Locator::BITS);
/// 0.3431 in 32-bit fixed point: makes the quadratic in `spread` agree with 2^u - 1 halfway.
const BEND: u64 = 0x57d5_66cf;

/// Bends the top half of a uniform hash, so that the density of keys falls by half from one end of
/// the directory to the other.
///
/// Segments then reach their limits one after another instead of all at about the same number of
/// keys: the fill is the same at every size, and growth has no bursts. The map is monotone and
/// close to u -> 2^u - 1.
#[inline]
pub(crate) fn spread(hash: u64) -> u64 {
    let u = hash >> 32;
    let t = (u * (u ^ 0xffff_ffff)) >> 32;
    let bent = u - ((t * BEND) >> 32);
    (bent << 32) | (hash & 0xffff_ffff)
}

/// The bits of one key's hash, ready for use.
#[derive(Clone, Copy, Debug)]
pub(crate) struct Probe(u64);

impl Probe {
    #[inline]
    pub(crate) fn new(hash: u64) -> Self {
        Self(spread(hash))
    }

    /// A probe that leads to the segment of `prefix`; it stands for no key.
    #[inline]
    pub(crate) fn of_prefix(prefix: u32) -> Self {
        Self(u64::from(prefix) << (64 - PREFIX_BITS))
    }

    /// The probe of some key with this locator.
    #[inline]
    pub(crate) fn of_locator(locator: Locator) -> Self {
        let low = ((locator.home() as u64) << 16).div_ceil(HOME_BUCKETS as u64);
        Self(u64::from(locator.prefix()) << (64 - PREFIX_BITS) | low)
    }

    #[inline]
    pub(crate) fn bits(self) -> u64 {
        self.0
    }

    #[inline]
    pub(crate) fn home(self) -> usize {
        index(((self.0 & 0xffff) * 60) >> 16)
    }

    /// The fingerprint, bits 36..44.
    #[inline]
    pub(crate) fn tag(self) -> u8 {
        low_byte(self.0 >> 36)
    }

    #[inline]
    pub(crate) fn prefix(self) -> u32 {
        low_u32(self.0 >> (64 - PREFIX_BITS))
    }

    /// What finds the key again without its bytes.
    #[inline]
    pub(crate) fn locator(self) -> Locator {
        locator(self.prefix(), self.home())
    }

    /// What a slot of this key holds above its handle.
    #[inline]
    pub(crate) fn check(self) -> u64 {
        ((self.0 >> 44) << 6) | (((self.0 & 0xffff) * 60) >> 16)
    }
}

/// One slot: the handle in bits 0..38, the home bucket in 38..44, the top 20 hash bits in 44..64.
/// An empty slot is 0.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) struct Slot(pub(crate) u64);

impl Slot {
    pub(crate) const EMPTY: Self = Self(0);

    #[inline]
    pub(crate) fn new(probe: Probe, id: EntryId) -> Self {
        Self((probe.check() << HANDLE_BITS) | id.get())
    }

    #[inline]
    pub(crate) fn is_empty(self) -> bool {
        self.0 == 0
    }

    #[inline]
    pub(crate) fn id(self) -> EntryId {
        EntryId::from_bits(self.0 & HANDLE_MASK)
    }

    /// Whether the slot is full and of a key with these directory and home bits.
    #[inline]
    pub(crate) fn agrees(self, check: u64) -> bool {
        self.0 >> HANDLE_BITS == check && self.0 & HANDLE_MASK != 0
    }

    #[inline]
    pub(crate) fn home(self) -> usize {
        index((self.0 >> HANDLE_BITS) & HOME_MASK)
    }

    /// The 28 bits of prefix, of which the last eight are the fingerprint.
    #[inline]
    pub(crate) fn prefix(self, tag: u8) -> u32 {
        (low_u32(self.0 >> 44) << 8) | u32::from(tag)
    }

    /// What finds the slot's key again.
    #[inline]
    pub(crate) fn locator(self, tag: u8) -> Locator {
        locator(self.prefix(tag), self.home())
    }

    #[inline]
    pub(crate) fn with_id(self, id: EntryId) -> Self {
        Self((self.0 & !HANDLE_MASK) | id.get())
    }
}

#[inline]
fn locator(prefix: u32, home: usize) -> Locator {
    Locator(u64::from(prefix) << HOME_BITS | home as u64)
}

impl Locator {
    #[inline]
    pub(crate) fn prefix(self) -> u32 {
        low_u32(self.bits() >> HOME_BITS)
    }

    #[inline]
    pub(crate) fn home(self) -> usize {
        index(self.bits() & HOME_MASK)
    }
}

/// A number known to fit, as an index.
#[inline]
#[expect(
    clippy::cast_possible_truncation,
    reason = "callers pass at most 38 bits on 64-bit hosts"
)]
pub(crate) fn index(x: u64) -> usize {
    x as usize
}

#[inline]
#[expect(
    clippy::cast_possible_truncation,
    reason = "the low 32 bits are what is asked for"
)]
pub(crate) fn low_u32(x: u64) -> u32 {
    x as u32
}

#[inline]
#[expect(
    clippy::cast_possible_truncation,
    reason = "the low 16 bits are what is asked for"
)]
pub(crate) fn low_u16(x: usize) -> u16 {
    x as u16
}

#[inline]
#[expect(
    clippy::cast_possible_truncation,
    reason = "the low 8 bits are what is asked for"
)]
pub(crate) fn low_byte(x: u64) -> u8 {
    x as u8
}

/// The part of all hashes whose spread prefix lies in `from..to`, in 32-bit fixed point.
pub(crate) fn share(from: u32, to: u32) -> u64 {
    unspread(to) - unspread(from)
}

/// The smallest 32-bit top half whose spread reaches `prefix`.
fn unspread(prefix: u32) -> u64 {
    let wanted = u64::from(prefix) << 4;
    let (mut low, mut high) = (0_u64, 1 << 32);
    while low < high {
        let middle = (low + high) / 2;
        if spread(middle << 32) >> 32 < wanted {
            low = middle + 1;
        } else {
            high = middle;
        }
    }
    low
}

/// `keys` times a share in 32-bit fixed point.
pub(crate) fn scale(keys: usize, share: u64) -> usize {
    usize::try_from((keys as u128 * u128::from(share)) >> 32).unwrap_or(usize::MAX)
}
