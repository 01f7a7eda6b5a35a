//! The load: what is asked, of which keys, and how the answers are counted.

pub(crate) mod client;
pub(crate) mod generator;
pub(crate) mod keys;
pub(crate) mod replies;
pub(crate) mod request;
pub(crate) mod steady;
pub(crate) mod workload;
