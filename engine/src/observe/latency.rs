//! The latency monitor: events that took at least `latency-monitor-threshold` milliseconds.

/// Samples kept of an event.
const SAMPLES: usize = 160;

/// One kind of event.
#[derive(Clone, Debug, Default)]
pub struct EventTimes {
    /// `command`, `fast-command`, `expire-cycle`...
    pub event: &'static str,
    /// (unix second, longest in that second in ms), oldest first.
    pub samples: Vec<(u64, u32)>,
    /// Longest ever, in ms.
    pub max_ms: u32,
    /// Sum of all, in ms.
    pub sum_ms: u64,
    /// How many.
    pub count: u64,
}

/// All events, sorted by name.
#[derive(Debug, Default)]
pub struct LatencyMonitor {
    events: Vec<EventTimes>,
    threshold_ms: u64,
}

impl LatencyMonitor {
    /// Watches events of at least this many milliseconds; 0 watches nothing.
    pub fn set_threshold(&mut self, millis: u64) {
        self.threshold_ms = millis;
    }

    /// The threshold, in milliseconds.
    #[must_use]
    pub fn threshold_ms(&self) -> u64 {
        self.threshold_ms
    }

    /// Takes note of an event that took `micros`, if it is long enough.
    #[inline]
    pub fn note(&mut self, event: &'static str, micros: u64, unix_secs: u64) {
        if self.threshold_ms > 0 && micros >= self.threshold_ms * 1000 {
            self.add(event, micros, unix_secs);
        }
    }

    #[cold]
    fn add(&mut self, event: &'static str, micros: u64, unix_secs: u64) {
        let millis = u32::try_from(micros / 1000).unwrap_or(u32::MAX);
        let at = match self.events.binary_search_by(|known| known.event.cmp(event)) {
            Ok(at) => at,
            Err(at) => {
                self.events.insert(
                    at,
                    EventTimes {
                        event,
                        ..EventTimes::default()
                    },
                );
                at
            }
        };
        let times = &mut self.events[at];
        times.max_ms = times.max_ms.max(millis);
        times.sum_ms += u64::from(millis);
        times.count += 1;
        match times.samples.last_mut() {
            Some((second, longest)) if *second == unix_secs => *longest = (*longest).max(millis),
            _ => {
                if times.samples.len() == SAMPLES {
                    times.samples.remove(0);
                }
                times.samples.push((unix_secs, millis));
            }
        }
    }

    /// All events that were ever long enough.
    #[must_use]
    pub fn events(&self) -> &[EventTimes] {
        &self.events
    }

    /// One event.
    #[must_use]
    pub fn event(&self, name: &[u8]) -> Option<&EventTimes> {
        self.events
            .iter()
            .find(|times| times.event.as_bytes() == name)
    }

    /// Forgets the named events, or all. Returns how many were forgotten.
    pub fn reset(&mut self, names: &[&[u8]]) -> usize {
        let before = self.events.len();
        self.events
            .retain(|times| !names.is_empty() && !names.contains(&times.event.as_bytes()));
        before - self.events.len()
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn only_long_events_are_kept_one_sample_a_second() {
        let mut monitor = LatencyMonitor::default();
        monitor.note("command", 9_000, 1);
        assert!(monitor.events().is_empty(), "watches nothing by default");
        monitor.set_threshold(5);
        monitor.note("command", 4_999, 1);
        monitor.note("command", 6_000, 1);
        monitor.note("command", 9_000, 1);
        monitor.note("command", 7_000, 2);
        let times = monitor.event(b"command").unwrap();
        assert_eq!(times.samples, [(1, 9), (2, 7)]);
        assert_eq!((times.max_ms, times.count, times.sum_ms), (9, 3, 22));
        assert_eq!(monitor.reset(&[b"other"]), 0);
        assert_eq!(monitor.reset(&[]), 1);
    }
}
