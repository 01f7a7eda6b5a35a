//! What is measured: CPU time, memory, system calls, latencies, and the machine it happened on.

pub(crate) mod cpu;
pub(crate) mod latency;
pub(crate) mod machine;
pub(crate) mod memory;
pub(crate) mod spread;
pub(crate) mod syscalls;
