//! What is measured: CPU time, memory, system calls, latencies, and the machine it happened on.

pub(crate) mod cpu;
pub(crate) mod family;
pub(crate) mod io;
pub(crate) mod latency;
pub(crate) mod machine;
pub(crate) mod memory;
pub(crate) mod spread;
pub(crate) mod syscalls;
