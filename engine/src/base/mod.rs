//! Things that know nothing of Redis: time, names of connections, numbers, patterns, chance.

pub mod double;
pub mod endpoint;
pub mod extended;
pub mod glob;
pub mod ids;
pub mod lzf;
pub mod map;
pub mod number;
pub mod rng;
pub mod time;

pub use endpoint::Endpoint;
pub use ids::{ConnId, DbIndex, ListenerId};
pub use time::{Micros, Now, UnixMs};
