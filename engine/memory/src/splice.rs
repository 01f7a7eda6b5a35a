//! Bytes that can be edited in the middle, wherever they lie.

use crate::entry::EntryMut;

/// Bytes of a length that changes.
pub trait Splice {
    /// The bytes.
    fn bytes(&self) -> &[u8];

    /// The bytes, to be overwritten in place.
    fn bytes_mut(&mut self) -> &mut [u8];

    /// Puts `insert` bytes in the place of the `remove` bytes at `at`, and returns them to be
    /// written: what they hold is of no meaning.
    ///
    /// # Panics
    /// When there are no `remove` bytes at `at`.
    fn splice(&mut self, at: usize, remove: usize, insert: usize) -> &mut [u8];
}

impl Splice for Vec<u8> {
    fn bytes(&self) -> &[u8] {
        self
    }

    fn bytes_mut(&mut self) -> &mut [u8] {
        self
    }

    fn splice(&mut self, at: usize, remove: usize, insert: usize) -> &mut [u8] {
        let len = self.len();
        if insert > remove {
            self.resize(len + insert - remove, 0);
        }
        if insert != remove {
            self.copy_within(at + remove..len, at + insert);
            self.truncate(len + insert - remove);
        }
        &mut self[at..at + insert]
    }
}

/// The body of an entry, which must be bytes.
impl<T> Splice for EntryMut<'_, T> {
    fn bytes(&self) -> &[u8] {
        match self.body() {
            crate::Body::Bytes(bytes) => bytes,
            _ => &[],
        }
    }

    fn bytes_mut(&mut self) -> &mut [u8] {
        Self::bytes_mut(self).unwrap_or_default()
    }

    fn splice(&mut self, at: usize, remove: usize, insert: usize) -> &mut [u8] {
        const BYTES: &str = "the body is bytes";
        let len = Splice::bytes(self).len();
        let new_len = len + insert - remove;
        if insert > remove {
            self.resize_bytes(new_len).expect(BYTES);
        }
        if insert != remove {
            let bytes = Self::bytes_mut(self).expect(BYTES);
            bytes.copy_within(at + remove..len, at + insert);
        }
        if insert < remove {
            self.resize_bytes(new_len).expect(BYTES);
        }
        let bytes = Self::bytes_mut(self).expect(BYTES);
        &mut bytes[at..at + insert]
    }
}
