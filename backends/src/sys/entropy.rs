//! Randomness from the kernel, for seeds and run identifiers.

use super::checked_len;
use dovetail_engine::seam::poller::Fault;

/// Fills `bytes` with randomness.
///
/// # Errors
/// When the kernel has no generator (before 3.17).
pub fn fill(bytes: &mut [u8]) -> Result<(), Fault> {
    let mut done = 0;
    while done < bytes.len() {
        let rest = &mut bytes[done..];
        let (at, len) = (rest.as_mut_ptr().cast(), rest.len());
        // SAFETY: pointer and length describe `rest`, which outlives the call.
        match checked_len("getrandom", unsafe { libc::getrandom(at, len, 0) }) {
            Ok(got) => done += got,
            Err(fault) if super::interrupted(fault) => {}
            Err(fault) => return Err(fault),
        }
    }
    Ok(())
}

/// A random seed.
///
/// # Errors
/// Those of [`fill`].
pub fn seed() -> Result<u64, Fault> {
    let mut bytes = [0; 8];
    fill(&mut bytes)?;
    Ok(u64::from_ne_bytes(bytes))
}

#[cfg(test)]
mod tests {
    #[test]
    fn two_seeds_differ() {
        assert_ne!(super::seed().unwrap(), super::seed().unwrap());
    }
}
