//! Listening, connections, and the loop that serves them.

use super::{COUNT, PORT, int};
use crate::config::choice::{PollerChoice, choice};
use crate::config::directive::{Directive, Effect, Mutability, Visibility, group, visibility};
use crate::config::lists::Addresses;
use crate::config::setting::{Kind, Setting, Text};

group! {
    /// Listening, connections, and the loop that serves them.
    Network at network {
        /// How the server waits for its sockets. `auto` takes the best that the system supports;
        /// the others name one. A change takes effect at once, without closing a connection.
        poller: PollerChoice = PollerChoice::Auto,
        "poller", choice::<PollerChoice>(), Mutable, Live;

        /// With at least this many connections in use, the loop lets requests gather for a moment
        /// before it serves them together. 0, the default, never gathers: what that is worth
        /// depends on the clients and the machine, so measure it.
        gather_connections: u32 = 0,
        "gather-connections", int(0, 1_000_000), Mutable, Live;

        /// How long requests may gather, in microseconds, unless half of the connections in use
        /// have sent something before. 0 never gathers.
        gather_grace_us: u32 = 15,
        "gather-grace-us", int(0, 1000), Mutable, Live;

        /// Addresses to listen on. `*` is every IPv4 address, `::*` every IPv6 address, and a
        /// leading `-` lets the start go on if an address is not available. The default serves
        /// this machine only; to be reached from others, name the addresses or use `* -::*`.
        bind: Addresses = Addresses(vec![Text::from("127.0.0.1"), Text::from("-::1")]),
        "bind", Kind::List { shape: "up to 16 addresses" }, Mutable, Live;

        /// The TCP port to listen on; 0 listens on none.
        port: u16 = 6379,
        "port", PORT, Mutable, Live;

        /// Path of a unix socket to listen on as well; empty for none.
        unixsocket: Text = Text::default(),
        "unixsocket", Kind::Text, StartOnly, Live;

        /// Permissions of the unix socket, in octal; 0 leaves them to the umask.
        unixsocketperm: u32 = 0,
        "unixsocketperm", Kind::Octal { high: 0o777 }, StartOnly, Live;

        /// Group that shall own the unix socket.
        unixsocketgroup: Text = Text::default(),
        "unixsocketgroup", Kind::Text, StartOnly, Later;

        /// Whether clients from other machines are turned away while no password is set.
        protected_mode: bool = true,
        "protected-mode", Kind::Bool, Mutable, Live;

        /// How many connections may wait to be accepted. The system caps it with a limit of its
        /// own (somaxconn on Linux).
        tcp_backlog: u32 = 511,
        "tcp-backlog", COUNT, StartOnly, Live;

        /// After so many seconds of silence the system probes whether a client is still there;
        /// 0 never probes.
        tcp_keepalive_secs: u32 = 300,
        "tcp-keepalive", COUNT, Mutable, Live;

        /// A client that asks nothing for so many seconds is disconnected; 0 keeps idle clients.
        /// Subscribers, replicas and waiting clients are never idle in this sense.
        timeout_secs: u32 = 0,
        "timeout", COUNT, Mutable, Live;

        /// How many new connections one turn of the loop accepts, so that a storm of them does
        /// not starve the clients that are served already.
        max_new_connections_per_cycle: u32 = 10,
        "max-new-connections-per-cycle", int(1, 1000), Mutable, Live;

        /// The same for TLS connections, whose handshakes cost much more.
        max_new_tls_connections_per_cycle: u32 = 1,
        "max-new-tls-connections-per-cycle", int(1, 1000), Mutable, Later;

        /// How often per second background duties run, such as expiry and timeouts. Values
        /// outside of 1 to 500 are moved into that range.
        hz: u32 = 10,
        "hz", Kind::Clamped { low: 1, high: 500 }, Mutable, Live;

        /// Whether background duties run more often while many clients are connected.
        dynamic_hz: bool = true,
        "dynamic-hz", Kind::Bool, Mutable, Live;

        /// How many commands of one received chunk may have their keys fetched from memory
        /// before the first of them runs; 0 or 1 fetches nothing ahead.
        prefetch_batch_max_size: u32 = 16,
        "prefetch-batch-max-size", int(0, 128), Mutable, Live;

        /// Threads that read and write for the main thread. This server has one loop.
        io_threads: u32 = 1,
        "io-threads", int(1, 128), StartOnly, Later;

        /// Whether those threads also read and parse.
        io_threads_do_reads: bool = false,
        "io-threads-do-reads", Kind::Bool, StartOnly, Later;

        /// Local address from which connections to other servers are made.
        bind_source_addr: Text = Text::default(),
        "bind-source-addr", Kind::Text, Mutable, Later;

        /// Mark put on all sockets, for routing and filtering; 0 for none.
        socket_mark_id: u32 = 0,
        "socket-mark-id", int(0, u32::MAX as i64), StartOnly, Later;

        /// Whether clients may use multipath TCP.
        mptcp: bool = false,
        "mptcp", Kind::Bool, StartOnly, Later;

        /// Whether replication uses multipath TCP.
        repl_mptcp: bool = false,
        "repl-mptcp", Kind::Bool, StartOnly, Later;

        /// Addresses to listen on for RDMA.
        rdma_bind: Text = Text::default(),
        "rdma-bind", Kind::Text, Mutable, Later;

        /// Port to listen on for RDMA; 0 for none.
        rdma_port: u16 = 0,
        "rdma-port", PORT, Mutable, Later;

        /// Completion vector of RDMA connections; -1 lets the driver choose.
        rdma_completion_vector: i32 = -1,
        "rdma-completion-vector", int(-1, 1024), StartOnly, Later;

        /// Receive buffer of an RDMA connection, in bytes.
        rdma_rx_size: u64 = 1 << 20,
        "rdma-rx-size", Kind::Memory { low: 64 << 10, high: 16 << 20 }, StartOnly, Later;

        /// Name of the place where this server runs, for clients that prefer a near one.
        availability_zone: Text = Text::default(),
        "availability-zone", Kind::Text, Mutable, Later;
    }
}
