//! Drawing elements at random: one, or several different ones.

/// Where 64 random bits come from.
pub type Random<'r> = &'r mut dyn FnMut() -> u64;

/// An index below `len`, drawn fairly but for a bias of less than `len` in 2^64; `None` below 0.
#[must_use]
pub fn index(len: usize, random: Random<'_>) -> Option<usize> {
    let wide = u128::from(random()) * len as u128;
    usize::try_from(wide >> 64).ok().filter(|_| len > 0)
}

/// So many of so many elements are taken while all of them pass by, each with the same chance.
#[derive(Clone, Copy, Debug)]
pub struct Passing {
    wanted: usize,
    left: usize,
}

impl Passing {
    /// `wanted` of `len`.
    #[must_use]
    pub fn new(wanted: usize, len: usize) -> Self {
        Self { wanted, left: len }
    }

    /// Whether the next element is taken.
    pub fn takes(&mut self, random: Random<'_>) -> bool {
        let is_taken = index(self.left, random).is_some_and(|index| index < self.wanted);
        self.left = self.left.saturating_sub(1);
        self.wanted -= usize::from(is_taken);
        is_taken
    }
}

#[cfg(test)]
mod tests {
    use super::Passing;
    use crate::base::rng::Rng;

    #[test]
    fn passing_takes_exactly_as_many_as_wanted_and_each_equally_often() {
        let mut rng = Rng::new(3);
        let mut taken = [0; 10];
        for _ in 0..10_000 {
            let mut passing = Passing::new(3, taken.len());
            let mut count = 0;
            for place in &mut taken {
                let takes = passing.takes(&mut || rng.bits());
                *place += u32::from(takes);
                count += u32::from(takes);
            }
            assert_eq!(count, 3);
        }
        // 3,000 each; six standard deviations are 275.
        assert!(
            taken.iter().all(|count| count.abs_diff(3000) < 275),
            "{taken:?}"
        );
    }
}
