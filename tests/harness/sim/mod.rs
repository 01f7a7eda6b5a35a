//! A simulated world: a process, sockets and a disk in memory, and a poller, repeatable from a seed.

mod disk;
mod host;
mod net;
mod poller;

pub use disk::{Call, SimDisk, Tally, Tear};
pub use host::{Pace, SimProcess};
pub use net::{Net, SimDoor, SimPeer, Temper};
pub use poller::{SimPoller, SimSockets};
