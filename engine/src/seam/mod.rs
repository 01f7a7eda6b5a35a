//! The joint between inside and outside: what the engine asks of the world, one trait a file.
//!
//! | seam | what it hides | members |
//! | --- | --- | --- |
//! | [`poller::Poller`] | how to wait for sockets | select, poll, epoll, io_uring, simulated |
//! | [`host::Host`] | the process: clock, log, files, listeners | the server's, the simulation's |
//! | [`machine::Machine`] | what is driven | the engine, the lab's null responder |
//! | [`disk::Disk`] | files and when they are safe | the system's, the simulation's |
//! | [`eviction::EvictionPolicy`] | who goes when memory is full | random, ttl, lru, lfu and beyond |
//! | [`persistence::Persistence`] | how the dataset is kept | rdb, aof, hybrid; none |
//!
//! Rule of each: a trait says what must hold, never how; members do not count, limit or log.

pub mod disk;
pub mod drive;
pub mod eviction;
pub mod host;
pub mod machine;
pub mod persistence;
pub mod poller;
