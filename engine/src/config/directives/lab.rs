//! Aids for tests: found by their exact name only.

use super::int;
use crate::config::directive::{Directive, Effect, Mutability, Visibility, group, visibility};
use crate::config::setting::{Kind, Setting};

group! {
    /// Aids for tests: found by their exact name only.
    Lab at lab {
        /// Microseconds to pause for each key of a snapshot that is written; a negative number
        /// pauses one microsecond for so many keys.
        rdb_key_save_delay_us: i32 = 0,
        "rdb-key-save-delay", int(i32::MIN as i64, i32::MAX as i64), Mutable, Live, Hidden;

        /// Microseconds to pause for each key that is loaded; a negative number pauses one
        /// microsecond for so many keys.
        key_load_delay_us: i32 = 0,
        "key-load-delay", int(i32::MIN as i64, i32::MAX as i64), Mutable, Live, Hidden;

        /// Bytes of a load between two looks at the clients.
        loading_process_events_interval_bytes: u32 = 2 << 20,
        "loading-process-events-interval-bytes", int(1024, i32::MAX as i64),
        Mutable, Live, Hidden;

        /// Milliseconds after which a command that does not end is reported; 0 reports none.
        watchdog_period_ms: u32 = 0,
        "watchdog-period", int(0, i32::MAX as i64), Mutable, Later, Hidden;

        /// The protocol version of clients that do not say HELLO.
        client_default_resp: u32 = 2,
        "client-default-resp", int(2, 3), Mutable, Later, Hidden;

        /// Whether costly assertions are checked.
        enable_debug_assert: bool = false,
        "enable-debug-assert", Kind::Bool, StartOnly, Later, Hidden;

        /// Whether a panic ends the process with an exit instead of an abort.
        use_exit_on_panic: bool = false,
        "use-exit-on-panic", Kind::Bool, Mutable, Later, Hidden;

        /// Whether scripts may use interfaces that are going away.
        lua_enable_deprecated_api: bool = false,
        "lua-enable-deprecated-api", Kind::Bool, StartOnly, Later, Hidden;

        /// Whether a snapshot reaches a replica over a connection of its own.
        repl_rdb_channel: bool = false,
        "repl-rdb-channel", Kind::Bool, Mutable, Later, Hidden;

        /// Milliseconds between two pings of a cluster node; 0 is the usual interval.
        cluster_ping_interval_ms: u32 = 0,
        "cluster-ping-interval", int(0, i32::MAX as i64), Mutable, Later, Hidden;
    }
}
