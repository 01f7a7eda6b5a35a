//! Intsets: distinct integers in ascending order, in one run of bytes.
//!
//! Shape: `[width, 4 B][count, 4 B]` and the integers, all of one width (2, 4 or 8 bytes), little
//! end first: byte for byte as Redis's files have them.
//! Cost: O(log n) to find, and a change moves what lies behind; the first integer that needs more
//! width rewrites all.

use crate::splice::Splice;

const HEAD_BYTES: usize = 8;

/// An empty set.
pub const EMPTY: [u8; HEAD_BYTES] = [2, 0, 0, 0, 0, 0, 0, 0];

/// A set of integers to read.
#[derive(Clone, Copy, Debug)]
pub struct Intset<'a> {
    bytes: &'a [u8],
}

impl<'a> Intset<'a> {
    /// Reads `bytes`, which this module has written.
    #[must_use]
    #[inline]
    pub fn new(bytes: &'a [u8]) -> Self {
        debug_assert!(bytes.len() >= HEAD_BYTES, "an intset has a head");
        Self { bytes }
    }

    #[inline]
    fn width(self) -> usize {
        usize::from(self.bytes[0])
    }

    /// How many integers there are.
    #[must_use]
    #[inline]
    pub fn len(self) -> usize {
        (self.bytes.len() - HEAD_BYTES) / self.width()
    }

    /// No integer at all.
    #[must_use]
    #[inline]
    pub fn is_empty(self) -> bool {
        self.bytes.len() == HEAD_BYTES
    }

    /// The bytes, as a file has them.
    #[must_use]
    pub fn as_bytes(self) -> &'a [u8] {
        self.bytes
    }

    /// Integer number `index` in ascending order.
    ///
    /// # Panics
    /// When there are not so many.
    #[must_use]
    #[inline]
    pub fn get(self, index: usize) -> i64 {
        let width = self.width();
        let bytes = &self.bytes[HEAD_BYTES + index * width..][..width];
        match *bytes {
            [a, b] => i64::from(i16::from_le_bytes([a, b])),
            [a, b, c, d] => i64::from(i32::from_le_bytes([a, b, c, d])),
            [a, b, c, d, e, f, g, h] => i64::from_le_bytes([a, b, c, d, e, f, g, h]),
            _ => unreachable!("the width is 2, 4 or 8"),
        }
    }

    /// Where `value` is, or where it belongs.
    ///
    /// # Errors
    /// The index at which it would be inserted, when it is not there.
    pub fn search(self, value: i64) -> Result<usize, usize> {
        let (mut low, mut high) = (0, self.len());
        // Ascending insertions are the usual case.
        if high > 0 && self.get(high - 1) < value {
            return Err(high);
        }
        while low < high {
            let middle = low.midpoint(high);
            match self.get(middle).cmp(&value) {
                std::cmp::Ordering::Equal => return Ok(middle),
                std::cmp::Ordering::Less => low = middle + 1,
                std::cmp::Ordering::Greater => high = middle,
            }
        }
        Err(low)
    }

    /// Whether `value` is there.
    #[must_use]
    #[inline]
    pub fn contains(self, value: i64) -> bool {
        width_of(value) <= self.width() && self.search(value).is_ok()
    }

    /// All integers, ascending.
    #[inline]
    pub fn iter(
        self,
    ) -> impl ExactSizeIterator<Item = i64> + DoubleEndedIterator + Clone + use<'a> {
        (0..self.len()).map(move |index| self.get(index))
    }
}

/// Whether `bytes`, which somebody else has written, can be read: a width that exists, as many
/// integers as stated, strictly ascending.
#[must_use]
pub fn is_readable(bytes: &[u8]) -> bool {
    let [2 | 4 | 8, 0, 0, 0, rest @ ..] = bytes else {
        return false;
    };
    let Some((count, integers)) = rest.split_first_chunk::<4>() else {
        return false;
    };
    let width = usize::from(bytes[0]);
    let has_all = u32::try_from(integers.len() / width) == Ok(u32::from_le_bytes(*count));
    let set = Intset::new(bytes);
    has_all && integers.len() % width == 0 && set.iter().zip(set.iter().skip(1)).all(|(a, b)| a < b)
}

/// Bytes that `value` needs.
#[inline]
fn width_of(value: i64) -> usize {
    if i16::try_from(value).is_ok() {
        2
    } else if i32::try_from(value).is_ok() {
        4
    } else {
        8
    }
}

#[inline]
fn write(to: &mut [u8], value: i64) {
    let width = to.len();
    to.copy_from_slice(&value.to_le_bytes()[..width]);
}

/// Adds `value`. Returns whether it is new.
pub fn add(buffer: &mut impl Splice, value: i64) -> bool {
    if width_of(value) > Intset::new(buffer.bytes()).width() {
        widen(buffer, width_of(value));
    }
    let set = Intset::new(buffer.bytes());
    let width = set.width();
    let Err(index) = set.search(value) else {
        return false;
    };
    write(buffer.splice(HEAD_BYTES + index * width, 0, width), value);
    write_count(buffer);
    true
}

/// Removes `value`. Returns whether it was there.
pub fn remove(buffer: &mut impl Splice, value: i64) -> bool {
    let set = Intset::new(buffer.bytes());
    if width_of(value) > set.width() {
        return false;
    }
    let Ok(index) = set.search(value) else {
        return false;
    };
    remove_at(buffer, index);
    true
}

/// Removes integer number `index`.
pub fn remove_at(buffer: &mut impl Splice, index: usize) {
    let width = Intset::new(buffer.bytes()).width();
    buffer.splice(HEAD_BYTES + index * width, width, 0);
    write_count(buffer);
}

/// Gives all integers `width` bytes.
fn widen(buffer: &mut impl Splice, width: usize) {
    let old = Intset::new(buffer.bytes());
    let (len, old_width) = (old.len(), old.width());
    let end = HEAD_BYTES + len * old_width;
    buffer.splice(end, 0, len * (width - old_width));
    // From the last on, so that none is overwritten before it has moved.
    for index in (0..len).rev() {
        let value = Intset::new(&buffer.bytes()[..end]).get(index);
        write(
            &mut buffer.bytes_mut()[HEAD_BYTES + index * width..][..width],
            value,
        );
    }
    buffer.bytes_mut()[0] = u8::try_from(width).unwrap_or(8);
}

fn write_count(buffer: &mut impl Splice) {
    let count = u32::try_from(Intset::new(buffer.bytes()).len()).unwrap_or(u32::MAX);
    buffer.bytes_mut()[4..HEAD_BYTES].copy_from_slice(&count.to_le_bytes());
}

#[cfg(test)]
mod tests {
    use super::{EMPTY, Intset, add, is_readable, remove};
    use proptest::prelude::*;
    use std::collections::BTreeSet;

    #[test]
    fn the_bytes_are_those_of_the_file_format() {
        let mut set = EMPTY.to_vec();
        assert!(add(&mut set, 5) && add(&mut set, -1) && !add(&mut set, 5));
        assert_eq!(set, [2, 0, 0, 0, 2, 0, 0, 0, 0xff, 0xff, 5, 0]);
        assert!(add(&mut set, 70_000));
        assert_eq!(set[..12], [4, 0, 0, 0, 3, 0, 0, 0, 0xff, 0xff, 0xff, 0xff]);
    }

    #[test]
    fn what_cannot_be_read_is_told() {
        assert!(is_readable(&EMPTY));
        assert!(is_readable(&[2, 0, 0, 0, 2, 0, 0, 0, 0xff, 0xff, 5, 0]));
        for bad in [
            &[2, 0, 0, 0, 2, 0, 0][..],
            &[2, 0, 0, 0, 2, 0, 0, 0, 5, 0, 5, 0],
            &[2, 0, 0, 0, 2, 0, 0, 0, 5, 0, 4, 0],
            &[2, 0, 0, 0, 1, 0, 0, 0, 5, 0, 6, 0],
            &[2, 0, 0, 0, 1, 0, 0, 0, 5, 0, 6],
            &[3, 0, 0, 0, 1, 0, 0, 0, 5, 0, 6],
            &[2, 1, 0, 0, 1, 0, 0, 0, 5, 0],
        ] {
            assert!(!is_readable(bad), "{bad:?}");
        }
    }

    proptest! {
        #[test]
        fn an_intset_does_what_an_ordered_set_does(
            steps in proptest::collection::vec((any::<bool>(), 0u8..4, any::<i64>()), 1..200)
        ) {
            let (mut set, mut model) = (EMPTY.to_vec(), BTreeSet::new());
            for (adds, range, value) in steps {
                let value = match range {
                    0 => value % 50,
                    1 => value % 40_000,
                    2 => value % (1 << 33),
                    _ => value,
                };
                if adds {
                    prop_assert_eq!(add(&mut set, value), model.insert(value));
                } else {
                    prop_assert_eq!(remove(&mut set, value), model.remove(&value));
                }
                prop_assert!(Intset::new(&set).iter().eq(model.iter().copied()));
                prop_assert_eq!(Intset::new(&set).contains(value), model.contains(&value));
                prop_assert_eq!(set[4], u8::try_from(model.len()).unwrap());
            }
        }
    }
}
