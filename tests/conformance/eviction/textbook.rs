//! Policies that do exactly what the textbook says, beside the textbook.

use super::model::hits;
use super::traces::skewed;
use std::collections::VecDeque;

fn lru(capacity: usize, trace: &[u64]) -> usize {
    let (mut queue, mut hits) = (VecDeque::new(), 0);
    for &key in trace {
        if let Some(at) = queue.iter().position(|&known| known == key) {
            queue.remove(at);
            hits += 1;
        } else if queue.len() == capacity {
            queue.pop_front();
        }
        queue.push_back(key);
    }
    hits
}

fn sieve(capacity: usize, trace: &[u64]) -> usize {
    // The oldest first, each with its bit; the hand is an index.
    let (mut queue, mut hand, mut hits) = (Vec::<(u64, bool)>::new(), 0, 0);
    for &key in trace {
        if let Some(known) = queue.iter_mut().find(|known| known.0 == key) {
            known.1 = true;
            hits += 1;
            continue;
        }
        if queue.len() == capacity {
            loop {
                hand %= queue.len();
                if !queue[hand].1 {
                    queue.remove(hand);
                    hand %= queue.len().max(1);
                    break;
                }
                queue[hand].1 = false;
                hand += 1;
            }
        }
        queue.push((key, false));
    }
    hits
}

fn agree(name: &str, textbook: fn(usize, &[u64]) -> usize) {
    for seed in 1..6 {
        let trace = skewed(5000, seed);
        for capacity in [1, 2, 17, 60, 150] {
            let found = hits(name, capacity, &trace);
            assert_eq!(found, textbook(capacity, &trace), "{capacity} keys");
        }
    }
}

#[test]
fn exact_lru_is_the_textbooks() {
    agree("exact-lru", lru);
}

#[test]
fn sieve_is_the_textbooks() {
    agree("sieve", sieve);
}
