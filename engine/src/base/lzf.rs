//! LZF: the compression of Redis's files and of lists' inner nodes.
//!
//! Shape: runs, each with a control byte. Below 32 it is followed by one more literal bytes than it
//! says; else its high three bits are a length less two (7: a further byte adds to it) and its low
//! five with the byte behind them a distance back less one.
//! Cost: one pass each way; compressing keeps a table of 16 KiB on the stack.

const LITERALS_MAX: usize = 32;
const DISTANCE_MAX: usize = 1 << 13;
const MATCH_MAX: usize = 264;
const TABLE_BITS: u32 = 12;
/// Shorter bytes do not get shorter.
const INPUT_MIN: usize = 4;

/// `input` compressed, or `None` when it would take `room` bytes or more.
#[must_use]
pub fn compress(input: &[u8], room: usize) -> Option<Vec<u8>> {
    if input.len() < INPUT_MIN {
        return None;
    }
    let mut out = Writer {
        bytes: Vec::with_capacity(room.min(input.len())),
        literals_at: None,
    };
    let mut table = [0u32; 1 << TABLE_BITS];
    let mut at = 0;
    while at + 2 < input.len() {
        let hash = hash_of(&input[at..at + 3]);
        // Positions are stored one higher, so that 0 is none.
        let candidate = table[hash] as usize;
        table[hash] = u32::try_from(at + 1).ok()?;
        let distance = (at + 1).saturating_sub(candidate);
        let is_match = candidate > 0
            && distance <= DISTANCE_MAX
            && input[candidate - 1..candidate + 2] == input[at..at + 3];
        if is_match {
            let len = match_length(input, candidate - 1, at);
            out.copy(distance, len);
            at += len;
        } else {
            out.literal(input[at]);
            at += 1;
        }
        if out.bytes.len() >= room {
            return None;
        }
    }
    for byte in &input[at..] {
        out.literal(*byte);
    }
    (out.bytes.len() < room).then_some(out.bytes)
}

#[inline]
fn hash_of(bytes: &[u8]) -> usize {
    let value = u32::from_le_bytes([bytes[0], bytes[1], bytes[2], 0]);
    (value.wrapping_mul(0x9e37_79b1) >> (32 - TABLE_BITS)) as usize
}

fn match_length(input: &[u8], from: usize, at: usize) -> usize {
    let most = MATCH_MAX.min(input.len() - at);
    let same = (3..most).take_while(|len| input[from + len] == input[at + len]);
    3 + same.count()
}

struct Writer {
    bytes: Vec<u8>,
    /// Where the control byte of the present run of literals is.
    literals_at: Option<usize>,
}

impl Writer {
    fn literal(&mut self, byte: u8) {
        match self.literals_at {
            Some(at) if usize::from(self.bytes[at]) + 1 < LITERALS_MAX => self.bytes[at] += 1,
            _ => {
                self.literals_at = Some(self.bytes.len());
                self.bytes.push(0);
            }
        }
        self.bytes.push(byte);
    }

    #[expect(clippy::cast_possible_truncation, reason = "bounded by the two maxima")]
    fn copy(&mut self, distance: usize, len: usize) {
        self.literals_at = None;
        let (distance, len) = (distance - 1, len - 2);
        let high = (distance >> 8) as u8;
        if len < 7 {
            self.bytes.push((len as u8) << 5 | high);
        } else {
            self.bytes.push(7 << 5 | high);
            self.bytes.push((len - 7) as u8);
        }
        self.bytes.push(distance as u8);
    }
}

/// The `len` bytes that `input` was compressed from; `None` when it is no such thing.
#[must_use]
pub fn decompress(input: &[u8], len: usize) -> Option<Vec<u8>> {
    // What cannot be is not made room for: three bytes give 264 at most.
    if len > input.len().saturating_mul(MATCH_MAX / 3 + 1) {
        return None;
    }
    let mut out = Vec::with_capacity(len);
    let mut rest = input;
    while let Some((control, behind)) = rest.split_first() {
        rest = behind;
        if usize::from(*control) < LITERALS_MAX {
            let (literals, behind) = rest.split_at_checked(usize::from(*control) + 1)?;
            out.extend_from_slice(literals);
            rest = behind;
        } else {
            let mut run = usize::from(control >> 5);
            if run == 7 {
                let (more, behind) = rest.split_first()?;
                run += usize::from(*more);
                rest = behind;
            }
            let (low, behind) = rest.split_first()?;
            rest = behind;
            let distance = usize::from(control & 0x1f) << 8 | usize::from(*low);
            let from = out.len().checked_sub(distance + 1)?;
            // The copy may overlap what it writes.
            for at in from..from + run + 2 {
                out.push(out[at]);
            }
        }
        if out.len() > len {
            return None;
        }
    }
    (out.len() == len).then_some(out)
}

#[cfg(test)]
mod tests {
    use super::{compress, decompress};
    use proptest::prelude::*;

    #[test]
    fn repetition_shrinks_and_comes_back() {
        let text = b"one fine day, one fine day, one fine day, one fine night".repeat(20);
        let packed = compress(&text, text.len()).unwrap();
        assert!(packed.len() < text.len() / 5);
        assert_eq!(decompress(&packed, text.len()).unwrap(), text);
    }

    #[test]
    fn what_does_not_shrink_is_refused() {
        let noise: Vec<u8> = (0..=255).collect();
        assert_eq!(compress(&noise, noise.len()), None);
        assert_eq!(compress(b"abc", 100), None);
    }

    #[test]
    fn a_known_stream_is_understood() {
        // One literal, then a copy of ten bytes from one byte back.
        assert_eq!(
            decompress(&[0, b'a', 0xe0, 1, 0], 11).unwrap(),
            b"a".repeat(11)
        );
    }

    proptest! {
        #[test]
        fn any_bytes_survive(bytes in proptest::collection::vec(0u8..6, 0..3000)) {
            if let Some(packed) = compress(&bytes, bytes.len()) {
                prop_assert!(packed.len() < bytes.len());
                prop_assert_eq!(decompress(&packed, bytes.len()), Some(bytes));
            }
        }

        #[test]
        fn any_stream_is_read_without_harm(
            bytes in proptest::collection::vec(any::<u8>(), 0..200),
            len in 0usize..10_000,
        ) {
            let out = decompress(&bytes, len);
            prop_assert!(out.is_none_or(|out| out.len() == len));
        }
    }
}
