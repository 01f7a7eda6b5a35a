//! A vector in chunks: growing and shrinking move one chunk at most, whatever the length.
//!
//! Shape: chunks of [`CHUNK`] items, all full but the last, whose room grows by allocator classes.
//! Cost: an access reads the directory of chunks and the item.

/// Items in a full chunk.
const CHUNK: usize = 2048;

/// The largest size that has a class of its own.
const SMALL_MAX: usize = 14 << 10;
/// What larger sizes are rounded to.
const PAGE: usize = 4 << 10;

/// Bytes that a usual allocator spends on a block of `len` bytes: nothing for nothing, multiples of
/// 16 up to 128, then four classes to every doubling up to 14 KiB, whole pages above.
#[inline]
#[must_use]
pub const fn heap_bytes(len: usize) -> usize {
    match len {
        0 => 0,
        1..=128 => rounded(len, 16),
        129..=SMALL_MAX => rounded(len, 1 << ((len - 1).ilog2() - 2)),
        _ => rounded(len, PAGE),
    }
}

/// The next multiple of a power of two, without the division that would be needed for others.
const fn rounded(len: usize, step: usize) -> usize {
    (len + (step - 1)) & !(step - 1)
}

/// The vector; see the module's text.
#[derive(Debug)]
pub(crate) struct Steps<T> {
    chunks: Vec<Vec<T>>,
    len: usize,
    bytes: usize,
}

impl<T> Steps<T> {
    pub(crate) const fn new() -> Self {
        Self {
            chunks: Vec::new(),
            len: 0,
            bytes: 0,
        }
    }

    #[inline]
    pub(crate) const fn len(&self) -> usize {
        self.len
    }

    /// Heap bytes of chunks and directory, not of what the items own.
    pub(crate) const fn bytes(&self) -> usize {
        self.bytes
    }

    #[inline]
    pub(crate) fn at(&self, index: usize) -> &T {
        &self.chunks[index / CHUNK][index % CHUNK]
    }

    #[inline]
    pub(crate) fn at_mut(&mut self, index: usize) -> &mut T {
        &mut self.chunks[index / CHUNK][index % CHUNK]
    }

    pub(crate) fn push(&mut self, item: T) {
        if self.len.is_multiple_of(CHUNK) {
            let before = room_bytes(&self.chunks);
            self.chunks.push(Vec::new());
            self.bytes = self.bytes - before + room_bytes(&self.chunks);
        }
        let chunk = self
            .chunks
            .last_mut()
            .expect("a chunk has just been seen to");
        if chunk.len() == chunk.capacity() {
            self.bytes -= room_bytes(chunk);
            chunk.reserve_exact(room::<T>(chunk.len() + 1) - chunk.len());
            self.bytes += room_bytes(chunk);
        }
        chunk.push(item);
        self.len += 1;
    }

    pub(crate) fn pop(&mut self) -> Option<T> {
        let chunk = self.chunks.last_mut()?;
        let item = chunk.pop();
        self.len -= 1;
        self.bytes -= room_bytes(chunk);
        if chunk.is_empty() {
            *chunk = Vec::new();
        } else if chunk.len() + chunk.len() / 2 + 8 < chunk.capacity() {
            chunk.shrink_to(room::<T>(chunk.len() + 1));
        }
        self.bytes += room_bytes(chunk);
        if chunk.is_empty() {
            self.bytes -= room_bytes(&self.chunks);
            self.chunks.pop();
            if self.chunks.len() <= self.chunks.capacity() / 4 {
                self.chunks.shrink_to(2 * self.chunks.len());
            }
            self.bytes += room_bytes(&self.chunks);
        }
        item
    }

    pub(crate) fn iter(&self) -> impl Iterator<Item = &T> {
        self.chunks.iter().flatten()
    }

    /// Asserts that lengths and bytes are what they are said to be.
    pub(crate) fn check(&self) {
        let full = self.chunks.len().saturating_sub(1) * CHUNK;
        assert_eq!(
            self.len,
            full + self.chunks.last().map_or(0, Vec::len),
            "all full but the last"
        );
        let chunks: usize = self.chunks.iter().map(room_bytes).sum();
        assert_eq!(
            self.bytes,
            room_bytes(&self.chunks) + chunks,
            "bytes of the chunks"
        );
    }
}

impl<T: Clone> Clone for Steps<T> {
    fn clone(&self) -> Self {
        let mut copy = Self::new();
        self.iter().for_each(|item| copy.push(item.clone()));
        copy
    }
}

fn room_bytes<T>(items: &Vec<T>) -> usize {
    heap_bytes(items.capacity() * size_of::<T>())
}

/// How many items to make room for where `needed` are needed: what the allocator's class holds.
fn room<T>(needed: usize) -> usize {
    (heap_bytes(needed * size_of::<T>()) / size_of::<T>()).min(CHUNK)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn steps_hold_what_was_pushed_while_growing_and_shrinking() {
        let mut steps = Steps::new();
        for round in [100_usize, 10_000, 3] {
            (0..round).for_each(|n| steps.push([n, n + 1]));
            steps.check();
            assert!((0..round).all(|n| *steps.at(n) == [n, n + 1]));
            assert_eq!(steps.iter().count(), round);
            steps.clone().check();
            for n in (0..round).rev() {
                steps.at_mut(n)[1] += 1;
                assert_eq!(steps.pop(), Some([n, n + 2]));
                if n % 97 == 0 {
                    steps.check();
                }
            }
        }
        assert_eq!((steps.pop(), steps.bytes()), (None, heap_bytes(0)));
    }

    #[test]
    fn classes_are_those_of_the_allocator() {
        let sizes = [
            1, 16, 17, 128, 129, 160, 161, 257, 1024, 1025, 14_336, 14_337,
        ];
        let classes = [
            16, 16, 32, 128, 160, 160, 192, 320, 1024, 1280, 14_336, 16_384,
        ];
        assert_eq!(sizes.map(heap_bytes), classes);
    }
}
