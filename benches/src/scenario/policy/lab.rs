//! Policies that no server can have, or that none should: first in first out, the exact count of
//! uses, and the bound that needs the future.

use std::collections::{BTreeSet, BinaryHeap, VecDeque};

use super::replay::Outcome;
use crate::trace::Trace;

/// It is never asked for again.
const NEVER: u32 = u32::MAX;

/// One of them.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum Lab {
    /// The oldest goes.
    Fifo,
    /// The least often used since it came goes; of equals the longest unused.
    ExactLfu,
    /// Whoever is asked for last goes, the newcomer included: no policy has more hits where all
    /// objects are equally large. Where they are not it is a bound that greed reaches, and no more.
    Belady,
}

impl Lab {
    /// All of them.
    pub(crate) const ALL: [Self; 3] = [Self::Fifo, Self::ExactLfu, Self::Belady];

    /// Its name.
    pub(crate) fn name(self) -> &'static str {
        match self {
            Self::Fifo => "fifo",
            Self::ExactLfu => "exact-lfu",
            Self::Belady => "belady",
        }
    }

    /// Replays a trace.
    pub(super) fn replay(self, trace: &Trace, capacity: u64, future: &Future) -> Outcome {
        match self {
            Self::Fifo => replay(trace, capacity, &mut Fifo::default()),
            Self::ExactLfu => replay(trace, capacity, &mut ExactLfu::of(trace)),
            Self::Belady => replay(trace, capacity, &mut Belady::of(trace, future)),
        }
    }
}

/// When the key of each request is asked for again.
#[derive(Clone, Debug)]
pub(super) struct Future {
    next: Vec<u32>,
}

impl Future {
    /// Of a trace of fewer than 2^32 requests, which readers and makers of traces see to.
    pub(super) fn of(trace: &Trace) -> Self {
        let mut next = vec![NEVER; trace.keys.len()];
        let mut seen = vec![NEVER; trace.distinct()];
        for (at, &key) in trace.keys.iter().enumerate().rev() {
            let own = u32::try_from(at).unwrap_or(NEVER);
            next[at] = std::mem::replace(&mut seen[key as usize], own);
        }
        Self { next }
    }
}

/// Who goes next.
trait Order {
    /// A newcomer may be the one who goes.
    const NEWCOMER_COMPETES: bool = false;
    /// A key came.
    fn enter(&mut self, key: u32, at: usize);
    /// A key that is there was used.
    fn hit(&mut self, _key: u32, _at: usize) {}
    /// Takes who goes.
    fn pop(&mut self) -> Option<u32>;
}

fn replay<O: Order>(trace: &Trace, capacity: u64, order: &mut O) -> Outcome {
    let mut is_there = vec![false; trace.distinct()];
    let mut outcome = Outcome::default();
    let mut used = 0;
    for (at, &key) in trace.keys.iter().enumerate() {
        let size = u64::from(trace.size(key));
        if is_there[key as usize] {
            outcome.hits += 1;
            outcome.hit_bytes += size;
            order.hit(key, at);
            continue;
        }
        if size > capacity {
            continue;
        }
        if O::NEWCOMER_COMPETES {
            order.enter(key, at);
            is_there[key as usize] = true;
        }
        used += size;
        while used > capacity
            && let Some(gone) = order.pop()
        {
            is_there[gone as usize] = false;
            used -= u64::from(trace.size(gone));
            outcome.evictions += 1;
        }
        if !O::NEWCOMER_COMPETES {
            order.enter(key, at);
            is_there[key as usize] = true;
        }
    }
    outcome.residents = is_there.iter().filter(|&&is| is).count() as u64;
    outcome
}

#[derive(Debug, Default)]
struct Fifo {
    queue: VecDeque<u32>,
}

impl Order for Fifo {
    fn enter(&mut self, key: u32, _at: usize) {
        self.queue.push_back(key);
    }

    fn pop(&mut self) -> Option<u32> {
        self.queue.pop_front()
    }
}

/// Uses, and when the last of them was.
type Uses = (u32, usize);

#[derive(Debug)]
struct ExactLfu {
    order: BTreeSet<(Uses, u32)>,
    uses: Vec<Uses>,
}

impl ExactLfu {
    fn of(trace: &Trace) -> Self {
        Self {
            order: BTreeSet::new(),
            uses: vec![(0, 0); trace.distinct()],
        }
    }
}

impl Order for ExactLfu {
    fn enter(&mut self, key: u32, at: usize) {
        self.uses[key as usize] = (1, at);
        self.order.insert(((1, at), key));
    }

    fn hit(&mut self, key: u32, at: usize) {
        let uses = &mut self.uses[key as usize];
        self.order.remove(&(*uses, key));
        *uses = (uses.0 + 1, at);
        self.order.insert((*uses, key));
    }

    fn pop(&mut self) -> Option<u32> {
        self.order.pop_first().map(|(_, key)| key)
    }
}

#[derive(Debug)]
struct Belady<'a> {
    future: &'a Future,
    /// When a key that is there is asked for next; others have none.
    next: Vec<Option<u32>>,
    /// The last to be asked for first; what `next` does not confirm is worth nothing.
    heap: BinaryHeap<(u32, u32)>,
}

impl<'a> Belady<'a> {
    fn of(trace: &Trace, future: &'a Future) -> Self {
        Self {
            future,
            next: vec![None; trace.distinct()],
            heap: BinaryHeap::new(),
        }
    }
}

impl Order for Belady<'_> {
    const NEWCOMER_COMPETES: bool = true;

    fn enter(&mut self, key: u32, at: usize) {
        let next = self.future.next[at];
        self.next[key as usize] = Some(next);
        self.heap.push((next, key));
    }

    fn hit(&mut self, key: u32, at: usize) {
        self.enter(key, at);
    }

    fn pop(&mut self) -> Option<u32> {
        while let Some((next, key)) = self.heap.pop() {
            if self.next[key as usize] == Some(next) {
                self.next[key as usize] = None;
                return Some(key);
            }
        }
        None
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn trace(keys: &[u32]) -> Trace {
        let distinct = keys.iter().max().map_or(0, |&key| key as usize + 1);
        Trace {
            name: "t".to_owned(),
            keys: keys.to_vec(),
            sizes: vec![1; distinct],
        }
    }

    fn hits(lab: Lab, trace: &Trace, capacity: u64) -> u64 {
        lab.replay(trace, capacity, &Future::of(trace)).hits
    }

    /// The most hits that any choices have, newcomers left out or taken in as they like.
    fn most_hits(keys: &[u32], cached: &[u32], capacity: usize) -> u64 {
        let Some((&key, rest)) = keys.split_first() else {
            return 0;
        };
        if cached.contains(&key) {
            return 1 + most_hits(rest, cached, capacity);
        }
        let mut best = most_hits(rest, cached, capacity);
        let mut with = cached.to_vec();
        with.push(key);
        if with.len() <= capacity {
            return best.max(most_hits(rest, &with, capacity));
        }
        for gone in 0..cached.len() {
            let mut kept = with.clone();
            kept.swap_remove(gone);
            best = best.max(most_hits(rest, &kept, capacity));
        }
        best
    }

    /// Exact LFU by looking at everybody each time.
    fn plain_lfu(keys: &[u32], capacity: usize) -> u64 {
        let mut cached: Vec<(u32, usize, u32)> = Vec::new();
        let mut hits = 0;
        for (at, &key) in keys.iter().enumerate() {
            if let Some(known) = cached.iter_mut().find(|known| known.2 == key) {
                (known.0, known.1) = (known.0 + 1, at);
                hits += 1;
                continue;
            }
            if cached.len() == capacity {
                let least = cached.iter().min().copied();
                cached.retain(|known| Some(*known) != least);
            }
            cached.push((1, at, key));
        }
        hits
    }

    fn random(length: usize, keys: u32, seed: u32) -> Vec<u32> {
        let mut state = seed;
        let step = |_| {
            state = state.wrapping_mul(1_664_525).wrapping_add(1_013_904_223);
            (state >> 16) % keys
        };
        (0..length).map(step).collect()
    }

    #[test]
    fn belady_has_as_many_hits_as_any_choices_can_have() {
        for seed in 0..60 {
            let keys = random(11, 5, seed);
            for capacity in 1..4 {
                let found = hits(Lab::Belady, &trace(&keys), capacity);
                let best = most_hits(&keys, &[], usize::try_from(capacity).unwrap());
                assert_eq!(found, best, "{keys:?} in {capacity}");
            }
        }
    }

    #[test]
    fn exact_lfu_takes_the_least_of_all() {
        for seed in 0..30 {
            let keys = random(400, 40, seed);
            for capacity in [1, 3, 10, 39] {
                let found = hits(Lab::ExactLfu, &trace(&keys), capacity as u64);
                assert_eq!(found, plain_lfu(&keys, capacity), "{seed} in {capacity}");
            }
        }
    }

    #[test]
    fn fifo_does_not_care_for_uses() {
        let trace = trace(&[0, 1, 0, 2, 0, 1]);
        assert_eq!(hits(Lab::Fifo, &trace, 2), 1);
        assert_eq!(hits(Lab::ExactLfu, &trace, 2), 2);
        assert_eq!(hits(Lab::Belady, &trace, 2), 3);
    }

    #[test]
    fn sizes_are_what_fills_a_cache() {
        let mut trace = trace(&[0, 1, 2, 0, 1, 2]);
        trace.sizes = vec![4, 4, 9];
        for lab in Lab::ALL {
            let outcome = lab.replay(&trace, 8, &Future::of(&trace));
            assert_eq!((outcome.hits, outcome.hit_bytes), (2, 8), "{}", lab.name());
            assert_eq!((outcome.residents, outcome.evictions), (2, 0));
        }
    }
}
