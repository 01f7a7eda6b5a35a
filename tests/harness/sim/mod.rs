//! A simulated world: sockets in memory and a poller over them, repeatable from a seed.

mod net;
mod poller;

pub use net::{Net, SimDoor, SimPeer, Temper};
pub use poller::{SimPoller, SimSockets};
