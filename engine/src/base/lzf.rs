//! LZF: the compression of Redis's files and of lists' inner nodes.
//!
//! Shape: runs, each with a control byte. Below 32 it is followed by one more literal bytes than it
//! says; else its high three bits are a length less two (7: a further byte adds to it) and its low
//! five with the byte behind them a distance back less one.
//! Cost: one pass each way; compressing keeps a table of 16 KiB.

const LITERALS_MAX: usize = 32;
const DISTANCE_MAX: usize = 1 << 13;
const MATCH_MAX: usize = 264;
const TABLE_BITS: u32 = 12;
/// Shorter bytes do not get shorter.
const INPUT_MIN: usize = 4;

/// `input` compressed, or `None` when it would take `room` bytes or more.
#[must_use]
pub fn compress(input: &[u8], room: usize) -> Option<Vec<u8>> {
    let mut out = Vec::with_capacity(room.min(input.len()));
    let fits = Compressor::new().append(input, room, &mut out);
    fits.then_some(out)
}

/// Compresses again and again without clearing its table in between.
#[derive(Clone, Debug)]
pub struct Compressor {
    /// Where three bytes with this hash were last; numbers up to `base` are of earlier inputs.
    table: Box<[u32; 1 << TABLE_BITS]>,
    base: u32,
}

impl Default for Compressor {
    fn default() -> Self {
        Self::new()
    }
}

impl Compressor {
    /// Ready for the first input.
    #[must_use]
    pub fn new() -> Self {
        Self {
            table: Box::new([0; 1 << TABLE_BITS]),
            base: 0,
        }
    }

    /// Puts `input`, compressed, behind what `out` holds, and returns true; or returns false and
    /// leaves `out` as it was when that would take `room` bytes or more.
    pub fn append(&mut self, input: &[u8], room: usize, out: &mut Vec<u8>) -> bool {
        let Ok(len) = u32::try_from(input.len()) else {
            return false;
        };
        if input.len() < INPUT_MIN {
            return false;
        }
        let base = match self.base.checked_add(len) {
            Some(_) => self.base,
            None => {
                self.table.fill(0);
                0
            }
        };
        self.base = base + len;
        let start = out.len();
        let fits = self.run(input, base, start + room, out);
        if !fits {
            out.truncate(start);
        }
        fits
    }

    fn run(&mut self, input: &[u8], base: u32, room: usize, out: &mut Vec<u8>) -> bool {
        // Where the literals begin that have not been written, and where we are.
        let (mut literals, mut at) = (0, 0);
        while let Some(&[a, b, c]) = input.get(at..).and_then(<[u8]>::first_chunk) {
            // One more than where it is, so that 0 is none; the input's length has been seen to fit.
            let position = base + u32::try_from(at).unwrap_or(0) + 1;
            let slot = &mut self.table[hash_of([a, b, c])];
            let candidate = std::mem::replace(slot, position);
            let distance = (position - candidate.min(position)) as usize;
            let is_match = candidate > base
                && distance <= DISTANCE_MAX
                && input[at - distance..].starts_with(&[a, b, c]);
            if is_match {
                let len = match_length(input, at - distance, at);
                push_literals(out, &input[literals..at]);
                push_copy(out, distance, len);
                at += len;
                literals = at;
            } else {
                // What has not repeated itself for long is looked at here and there only.
                at += 1 + (at - literals) / LITERALS_MAX;
            }
            if out.len() + at - literals >= room {
                return false;
            }
        }
        push_literals(out, &input[literals..]);
        out.len() < room
    }
}

#[inline]
fn hash_of([a, b, c]: [u8; 3]) -> usize {
    let value = u32::from_le_bytes([a, b, c, 0]);
    (value.wrapping_mul(0x9e37_79b1) >> (32 - TABLE_BITS)) as usize
}

/// How many bytes at `at` are those from `from` on, which is before it; three are.
#[inline]
fn match_length(input: &[u8], from: usize, at: usize) -> usize {
    let most = MATCH_MAX.min(input.len() - at);
    let (here, there) = (&input[at..at + most], &input[from..from + most]);
    let mut len = 3;
    while let (Some(left), Some(right)) = (
        here[len..].first_chunk::<8>(),
        there[len..].first_chunk::<8>(),
    ) {
        let differing = u64::from_le_bytes(*left) ^ u64::from_le_bytes(*right);
        if differing != 0 {
            return len + differing.trailing_zeros() as usize / 8;
        }
        len += 8;
    }
    let rest = here[len..].iter().zip(&there[len..]);
    len + rest.take_while(|(left, right)| left == right).count()
}

#[expect(
    clippy::cast_possible_truncation,
    reason = "a chunk has 32 bytes at most"
)]
#[inline]
fn push_literals(out: &mut Vec<u8>, literals: &[u8]) {
    for chunk in literals.chunks(LITERALS_MAX) {
        out.push(chunk.len() as u8 - 1);
        out.extend_from_slice(chunk);
    }
}

#[expect(clippy::cast_possible_truncation, reason = "bounded by the two maxima")]
#[inline]
fn push_copy(out: &mut Vec<u8>, distance: usize, len: usize) {
    let (distance, len) = (distance - 1, len - 2);
    let (high, low) = ((distance >> 8) as u8, distance as u8);
    if len < 7 {
        out.extend_from_slice(&[(len as u8) << 5 | high, low]);
    } else {
        out.extend_from_slice(&[7 << 5 | high, (len - 7) as u8, low]);
    }
}

/// The `len` bytes that `input` was compressed from; `None` when it is no such thing.
#[must_use]
pub fn decompress(input: &[u8], len: usize) -> Option<Vec<u8>> {
    let mut out = Vec::new();
    expand(input, len, &mut out).then_some(out)
}

/// Puts the `len` bytes that `input` was compressed from behind what `out` holds, and returns true;
/// or returns false when it is no such thing, and what `out` has more then is of no meaning.
#[must_use]
pub fn expand(input: &[u8], len: usize, out: &mut Vec<u8>) -> bool {
    // What cannot be is not made room for: three bytes give 264 at most.
    if len > input.len().saturating_mul(MATCH_MAX / 3 + 1) {
        return false;
    }
    out.reserve_exact(len);
    let start = out.len();
    run_back(input, start, start + len, out).is_some() && out.len() == start + len
}

/// Undoes the runs of `input`, which refer to nothing before `start` and end at `end`.
fn run_back(input: &[u8], start: usize, end: usize, out: &mut Vec<u8>) -> Option<()> {
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
            let distance = (usize::from(control & 0x1f) << 8 | usize::from(*low)) + 1;
            let from = out
                .len()
                .checked_sub(distance)
                .filter(|from| *from >= start)?;
            if distance >= run + 2 {
                out.extend_from_within(from..from + run + 2);
            } else {
                // The copy overlaps what it writes.
                for at in from..from + run + 2 {
                    out.push(out[at]);
                }
            }
        }
        if out.len() > end {
            return None;
        }
    }
    Some(())
}

#[cfg(test)]
mod tests {
    use super::{Compressor, compress, decompress, expand};
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
        fn a_compressor_that_is_used_again_forgets_what_came_before(
            inputs in proptest::collection::vec(proptest::collection::vec(0u8..4, 0..300), 1..6)
        ) {
            let mut compressor = Compressor::new();
            // As if it had been used for long.
            compressor.base = u32::MAX - 500;
            let (mut packed, mut plain) = (b"before".to_vec(), b"before".to_vec());
            for input in &inputs {
                let start = packed.len();
                if compressor.append(input, input.len(), &mut packed) {
                    prop_assert!(expand(&packed[start..], input.len(), &mut plain));
                } else {
                    plain.extend_from_slice(input);
                }
                prop_assert_eq!(compress(input, input.len()).is_some(), packed.len() > start);
            }
            prop_assert_eq!(&plain[6..], inputs.concat());
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
