//! What the server remembers and tells about itself.

use super::{LONG, int};
use crate::config::directive::{Directive, Effect, Mutability, Visibility, group, visibility};
use crate::config::events::EventClasses;
use crate::config::lists::Percentiles;
use crate::config::setting::{Kind, Setting};

group! {
    /// What the server remembers and tells about itself.
    Observe at observe {
        /// A command that takes longer than so many microseconds goes to the slow log. 0 logs
        /// every command, -1 none.
        slowlog_log_slower_than_us: i64 = 10_000,
        "slowlog-log-slower-than" | "commandlog-execution-slower-than",
        int(-1, i64::MAX), Mutable, Live;

        /// How many commands the slow log keeps.
        slowlog_max_len: u64 = 128,
        "slowlog-max-len" | "commandlog-slow-execution-max-len", LONG, Mutable, Live;

        /// An event of so many milliseconds or more is remembered for LATENCY; 0 remembers none.
        latency_monitor_threshold_ms: u64 = 0,
        "latency-monitor-threshold", LONG, Mutable, Live;

        /// Whether the durations of each command are counted, for LATENCY HISTOGRAM and INFO
        /// latencystats.
        latency_tracking: bool = true,
        "latency-tracking", Kind::Bool, Mutable, Live;

        /// The percentiles of those durations that INFO latencystats shows.
        latency_tracking_info_percentiles: Percentiles = Percentiles(vec![50.0, 99.0, 99.9]),
        "latency-tracking-info-percentiles", Kind::List { shape: "numbers from 0 to 100" },
        Mutable, Live;

        /// Which changes of keys are published. `K` publishes on `__keyspace@<db>__` channels,
        /// `E` on `__keyevent@<db>__` channels; without one of them nothing is published.
        /// `g` commands of no type, `$` strings, `l` lists, `s` sets, `h` hashes, `z` sorted
        /// sets, `t` streams, `x` expired, `e` evicted, `d` modules, `m` keys that were missed,
        /// `n` new keys, `A` everything but `m` and `n`. Empty publishes nothing.
        notify_keyspace_events: EventClasses = EventClasses::NONE,
        "notify-keyspace-events", Kind::Letters, Mutable, Live;

        /// A request longer than so many bytes goes to the log of large requests; -1 logs none.
        commandlog_request_larger_than: i64 = 1 << 20,
        "commandlog-request-larger-than", int(-1, i64::MAX), Mutable, Live;

        /// How many requests that log keeps.
        commandlog_large_request_max_len: u64 = 128,
        "commandlog-large-request-max-len", LONG, Mutable, Live;

        /// A reply longer than so many bytes goes to the log of large replies; -1 logs none.
        commandlog_reply_larger_than: i64 = 1 << 20,
        "commandlog-reply-larger-than", int(-1, i64::MAX), Mutable, Live;

        /// How many replies that log keeps.
        commandlog_large_reply_max_len: u64 = 128,
        "commandlog-large-reply-max-len", LONG, Mutable, Live;
    }
}
