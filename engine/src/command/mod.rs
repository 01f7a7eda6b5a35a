//! What a command is: its declaration, its arguments, what it may touch, and its errors.

pub mod batch;
pub mod collections;
pub mod ctx;
pub mod docs;
pub mod draws;
pub mod error;
pub mod expire;
pub mod feed;
pub mod keys;
pub mod line;
pub mod memory;
pub mod migration;
pub mod modes;
pub mod options;
pub mod scan;
pub mod spec;
pub mod table;

pub use ctx::{Ctx, Effects};
pub use error::CmdError;
pub use feed::Feed;
pub use options::Options;
pub use spec::{Categories, Flags, Group, KeyFlags, Keys, Spec};
pub use table::{CommandId, CommandTable};

/// What a handler returns: nothing, when it has written its reply, or the error to answer.
pub type Outcome = Result<(), CmdError>;
