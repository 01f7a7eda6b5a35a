//! Publish and subscribe: who listens to which channel.
//!
//! Shape: three tables from name to subscribers, in the order of subscription; patterns are also
//! listed in the order in which they first appeared, as deliveries follow it. Publishing returns
//! whom to write to; the executor writes.
//! Cost: subscribing O(1), leaving O(subscribers of the name), matching O(patterns).

use crate::base::ConnId;
use crate::base::glob::{self, CaseFold};
use crate::base::map::{Map, map};
use bytes::Bytes;
use std::collections::BTreeMap;

/// The three kinds of subscription.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Topic {
    /// A channel by its name.
    Channel,
    /// All channels whose names match.
    Pattern,
    /// A shard channel by its name.
    Shard,
}

/// Who listens to one name.
#[derive(Debug)]
struct Listeners {
    /// Counts names as they appear.
    place: u64,
    conns: Vec<ConnId>,
}

/// All subscriptions.
#[derive(Debug)]
pub struct Pubsub {
    channels: Map<Bytes, Listeners>,
    patterns: Map<Bytes, Listeners>,
    shards: Map<Bytes, Listeners>,
    /// Patterns by their places.
    order: BTreeMap<u64, Bytes>,
    next_place: u64,
    /// Connections with any subscription.
    pub subscribers: usize,
}

impl Pubsub {
    /// Nobody listens.
    #[must_use]
    pub fn new(seed: u64) -> Self {
        Self {
            channels: map(seed),
            patterns: map(seed),
            shards: map(seed),
            order: BTreeMap::new(),
            next_place: 0,
            subscribers: 0,
        }
    }

    const fn table(&self, topic: Topic) -> &Map<Bytes, Listeners> {
        match topic {
            Topic::Channel => &self.channels,
            Topic::Pattern => &self.patterns,
            Topic::Shard => &self.shards,
        }
    }

    const fn table_mut(&mut self, topic: Topic) -> &mut Map<Bytes, Listeners> {
        match topic {
            Topic::Channel => &mut self.channels,
            Topic::Pattern => &mut self.patterns,
            Topic::Shard => &mut self.shards,
        }
    }

    /// Adds `conn` to the subscribers of `name`; it was not one before.
    pub fn subscribe(&mut self, topic: Topic, name: &Bytes, conn: ConnId) {
        if let Some(listeners) = self.table_mut(topic).get_mut(name) {
            listeners.conns.push(conn);
            return;
        }
        let (place, conns) = (self.next_place, vec![conn]);
        self.next_place += 1;
        if topic == Topic::Pattern {
            self.order.insert(place, name.clone());
        }
        self.table_mut(topic)
            .insert(name.clone(), Listeners { place, conns });
    }

    /// Removes `conn` from the subscribers of `name`.
    pub fn unsubscribe(&mut self, topic: Topic, name: &[u8], conn: ConnId) {
        let table = self.table_mut(topic);
        let Some(listeners) = table.get_mut(name) else {
            return;
        };
        listeners.conns.retain(|subscriber| *subscriber != conn);
        if listeners.conns.is_empty() {
            let place = listeners.place;
            table.remove(name);
            if topic == Topic::Pattern {
                self.order.remove(&place);
            }
        }
    }

    /// Subscribers of a name.
    #[must_use]
    pub fn subscribers(&self, topic: Topic, name: &[u8]) -> &[ConnId] {
        self.table(topic)
            .get(name)
            .map_or(&[], |listeners| &listeners.conns)
    }

    /// Patterns that match `channel`, with their subscribers.
    pub fn matching(&self, channel: &[u8]) -> impl Iterator<Item = (&Bytes, &[ConnId])> {
        self.order
            .values()
            .filter(move |pattern| glob::matches(pattern, channel, CaseFold::Sensitive))
            .map(|pattern| (pattern, self.subscribers(Topic::Pattern, pattern)))
    }

    /// How many would receive a message to `channel`.
    #[must_use]
    pub fn receivers(&self, topic: Topic, channel: &[u8]) -> usize {
        let direct = self.subscribers(topic, channel).len();
        let matched: usize = match topic {
            Topic::Channel => self
                .matching(channel)
                .map(|(_, subscribers)| subscribers.len())
                .sum(),
            Topic::Pattern | Topic::Shard => 0,
        };
        direct + matched
    }

    /// Names with subscribers, sorted.
    #[must_use]
    pub fn names(&self, topic: Topic) -> Vec<&Bytes> {
        let mut names: Vec<&Bytes> = self.table(topic).keys().collect();
        names.sort_unstable();
        names
    }

    /// How many names have subscribers.
    #[must_use]
    pub fn count(&self, topic: Topic) -> usize {
        self.table(topic).len()
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    const fn conn(slot: u32) -> ConnId {
        ConnId {
            slot,
            generation: 0,
        }
    }

    #[test]
    fn matching_patterns_come_in_the_order_of_their_appearance() {
        let mut pubsub = Pubsub::new(1);
        for pattern in ["n*", "*", "x", "ne*"] {
            pubsub.subscribe(Topic::Pattern, &Bytes::from(pattern), conn(1));
        }
        pubsub.subscribe(Topic::Pattern, &Bytes::from("*"), conn(2));
        pubsub.unsubscribe(Topic::Pattern, b"n*", conn(1));
        pubsub.subscribe(Topic::Pattern, &Bytes::from("n*"), conn(1));
        let matching: Vec<_> = pubsub
            .matching(b"news")
            .map(|(pattern, subscribers)| (pattern.clone(), subscribers.len()))
            .collect();
        assert_eq!(
            matching,
            [("*".into(), 2), ("ne*".into(), 1), ("n*".into(), 1)]
        );
        assert_eq!(pubsub.receivers(Topic::Channel, b"news"), 4);
    }

    #[test]
    fn names_without_listeners_are_forgotten() {
        let mut pubsub = Pubsub::new(1);
        for topic in [Topic::Channel, Topic::Pattern, Topic::Shard] {
            pubsub.subscribe(topic, &Bytes::from("a"), conn(1));
            pubsub.unsubscribe(topic, b"a", conn(2));
            assert_eq!(pubsub.count(topic), 1);
            pubsub.unsubscribe(topic, b"a", conn(1));
            assert_eq!((pubsub.count(topic), pubsub.names(topic).len()), (0, 0));
        }
        assert!(pubsub.order.is_empty());
    }
}
