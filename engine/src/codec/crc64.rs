//! The checksum of snapshots and of DUMP: CRC-64 with Jones's polynomial, as Redis has it.

use crc_fast::{CrcAlgorithm, Digest};
use std::fmt;

/// A checksum of bytes that come piece by piece. Pieces of a few kilobytes and more are checked at
/// the speed of memory.
#[derive(Clone)]
pub struct Crc64(Digest);

impl Crc64 {
    /// The checksum of no bytes.
    #[must_use]
    pub fn new() -> Self {
        Self(Digest::new(CrcAlgorithm::Crc64Redis))
    }

    /// Adds bytes behind those before.
    pub fn update(&mut self, bytes: &[u8]) {
        self.0.update(bytes);
    }

    /// The checksum of all bytes so far.
    #[must_use]
    pub fn value(&self) -> u64 {
        self.0.finalize()
    }
}

impl Default for Crc64 {
    fn default() -> Self {
        Self::new()
    }
}

impl fmt::Debug for Crc64 {
    fn fmt(&self, out: &mut fmt::Formatter<'_>) -> fmt::Result {
        out.debug_tuple("Crc64").field(&self.value()).finish()
    }
}

/// The checksum of `bytes`.
#[must_use]
pub fn checksum(bytes: &[u8]) -> u64 {
    let mut crc = Crc64::new();
    crc.update(bytes);
    crc.value()
}

#[cfg(test)]
mod tests {
    use super::{Crc64, checksum};

    #[test]
    fn the_check_of_the_catalogue_comes_out() {
        assert_eq!(checksum(b"123456789"), 0xe9c6_d914_c4b8_d9ca);
        assert_eq!(checksum(b""), 0);
    }

    #[test]
    fn pieces_of_any_size_make_the_checksum_of_the_whole() {
        let bytes: Vec<u8> = (0..5000_u32).map(|n| n.to_le_bytes()[0]).collect();
        for size in [1, 7, 64, 1000, 4999] {
            let mut crc = Crc64::new();
            bytes.chunks(size).for_each(|piece| crc.update(piece));
            assert_eq!(crc.value(), checksum(&bytes), "{size}");
        }
    }
}
