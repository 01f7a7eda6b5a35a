//! The wire: requests in, replies out, RESP2 and RESP3; and the replies of other servers.

mod args;
mod buf;
mod parser;
mod reply;
mod value;
pub mod words;

pub use args::{Args, OwnedArgs, Span};
pub use buf::ReplyBuf;
pub use parser::{LARGE_WORD_BYTES, Limits, Parser, ProtocolError, Stop};
pub use reply::{Protocol, Reply};
pub use value::{BadReply, Value, ValueReader};
