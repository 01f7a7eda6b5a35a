//! What a test may use.
//!
//! The subject is the server under test: the program named by `DOVETAIL_SERVER`. The oracle is a
//! redis-server whose replies are the expected ones. Nothing here skips: what is missing fails.

#![forbid(unsafe_code)]

pub mod client;
pub mod compare;
pub mod deadline;
pub mod differences;
pub mod duel;
pub mod durable;
pub mod generate;
pub mod oracle;
pub mod process;
pub mod scope;
pub mod scores;
pub mod sim;
pub mod stage;
pub mod value;

pub use client::{Address, Client};
pub use deadline::until;
pub use process::{Launch, Server};
pub use stage::Stage;
pub use value::Value;
