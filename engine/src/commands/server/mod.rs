//! The server as a whole: what it tells of itself, how it is set, emptied, watched and ended.
//!
//! Not here: connections (`client`), keys (`keys`).

pub mod acl;
pub mod command;
pub mod config;
pub mod debug;
mod digest;
pub mod flush;
pub mod info;
pub mod latency;
pub mod lolwut;
pub mod memory;
pub mod misc;
pub mod saving;
pub mod shutdown;
pub mod slowlog;

use crate::command::{CmdError, Ctx, Flags, Outcome};
use crate::config::{Locality, Permission};
use crate::resp::Args;

/// Commands that any state of the server allows.
const ALWAYS: Flags = Flags::LOADING.and(Flags::STALE);
/// Commands for operators, not for scripts.
const ADMIN: Flags = Flags::ADMIN
    .and(Flags::NOSCRIPT)
    .and(Flags::LOADING)
    .and(Flags::STALE);

/// What runs a container of subcommands that was called without one.
fn bare(ctx: &mut Ctx<'_>, _args: &Args<'_>) -> Outcome {
    Err(CmdError::Arity(ctx.command_name().into()))
}

/// The error for a subcommand that exists and was called with too many words.
fn bad_usage(ctx: &Ctx<'_>, args: &Args<'_>) -> CmdError {
    let container = ctx
        .command_name()
        .split('|')
        .next()
        .unwrap_or_default()
        .to_uppercase();
    let sub = String::from_utf8_lossy(args.try_get(1).unwrap_or_default());
    CmdError::text(format!(
        "ERR unknown subcommand or wrong number of arguments for '{sub}'. Try {container} HELP."
    ))
}

/// Where the asking client comes from, as permissions see it.
fn locality(ctx: &mut Ctx<'_>) -> Locality {
    if ctx.session().is_local() {
        Locality::Local
    } else {
        Locality::Remote
    }
}

/// Refuses a guarded command (`name`, opened by `directive`) unless `permission` admits the client.
fn guard(ctx: &mut Ctx<'_>, permission: Permission, name: &str, directive: &str) -> Outcome {
    if permission.admits(locality(ctx)) {
        return Ok(());
    }
    Err(CmdError::text(format!(
        "ERR {name} command not allowed. If the {directive} option is set to \"local\", you can \
         run it from a local connection, otherwise you need to set this option in the \
         configuration file, and then restart the server."
    )))
}
