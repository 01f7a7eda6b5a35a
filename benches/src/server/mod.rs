//! The processes that are measured: how they are found, started, asked and ended.

pub(crate) mod peers;
pub(crate) mod pinning;
pub(crate) mod process;
pub(crate) mod systems;
