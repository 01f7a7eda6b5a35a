//! Dovetail's server: names to parts, configuration file, process.
//!
//! | module | what it does |
//! | --- | --- |
//! | `startup` | the program from its first to its last line |
//! | `cli` | the command line |
//! | `config_file` | reads files, standard input and options; rewrites the file |
//! | `assemble` | puts the parts together and drives them |
//! | `choose` | from a poller's name to its row |
//! | `front` | the listeners |
//! | `host` | what the process lends the engine and the loop |
//! | `log` | the log |
//! | `process` | pid file, descriptors, what the kernel is told |
//! | `supervisor` | what systemd or upstart is told |
//! | `panic` | the report of a broken invariant |
//! | `inside` | a server inside of another program |
//!
//! Nothing here parses requests or loops over connections: it assembles.

#![forbid(unsafe_code)]

mod assemble;
mod cli;
mod config_file;
mod front;
mod host;
mod inside;
mod log;
mod panic;
mod process;
mod startup;
mod supervisor;

pub use inside::Server;
pub use startup::main;
