//! A simulated world: sockets and a disk in memory and a poller, repeatable from a seed.

mod disk;
mod net;
mod poller;

pub use disk::{Call, SimDisk, Tally, Tear};
pub use net::{Net, SimDoor, SimPeer, Temper};
pub use poller::{SimPoller, SimSockets};
