//! The key whose deadline is the nearest, exactly: the index by deadline knows it.

use dovetail_engine::seam::eviction::{EvictionPolicy, Pick, PolicyMemory, Residents, Victim};

/// The policy `ttl`.
#[derive(Debug)]
pub(super) struct NearestDeadline;

impl EvictionPolicy for NearestDeadline {
    fn pick(&mut self, keys: &mut dyn Residents, steps: &mut u32) -> Pick {
        if keys.count() == 0 {
            return Pick::Nothing;
        }
        match keys.nearest_deadline(steps) {
            Some(resident) => Pick::Victim(Victim {
                key: resident.key,
                rank: !resident.clock,
            }),
            None => Pick::OutOfSteps,
        }
    }

    fn memory(&self) -> PolicyMemory {
        PolicyMemory::default()
    }
}
