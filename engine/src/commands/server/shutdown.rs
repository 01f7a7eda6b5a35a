//! SHUTDOWN: the end of the process.

use crate::command::options::is;
use crate::command::{CmdError, Ctx, Flags, Group, Outcome, Spec};
use crate::config::ShutdownOptions;
use crate::resp::Args;

/// The rows.
pub const SPECS: &[Spec] = &[Spec::new("shutdown", -1, shutdown)
    .of(Group::Server, "1.0.0", "O(1)")
    .flags(super::ADMIN.and(Flags::NO_MULTI).and(Flags::ALLOW_BUSY))
    .history(&[("7.0.0", "`NOW`, `FORCE` and `ABORT`.")])
    .doc(
        "[NOSAVE | SAVE] [NOW] [FORCE] [ABORT]",
        "Ends the server; ABORT gives up a shutdown under way.",
    )];

/// SHUTDOWN [NOSAVE | SAVE] [NOW] [FORCE] [ABORT]
///
/// Replies: nothing when the server ends. Errors: syntax, no shutdown to abort, and that something
/// cannot be saved, in which case it does not end unless by FORCE.
fn shutdown(ctx: &mut Ctx<'_>, args: &Args<'_>) -> Outcome {
    let mut options = ShutdownOptions::default();
    let mut abort = false;
    for word in args.iter_from(1) {
        match word {
            word if is(word, "save") => options.save = true,
            word if is(word, "nosave") => options.nosave = true,
            word if is(word, "now") => options.now = true,
            word if is(word, "force") => options.force = true,
            word if is(word, "abort") => abort = true,
            _ => return Err(CmdError::Syntax),
        }
    }
    let contradicts = abort && options != ShutdownOptions::default();
    if contradicts || (options.save && options.nosave) {
        return Err(CmdError::Syntax);
    }
    if abort {
        // A shutdown waits for nothing here, so none is ever under way between two commands.
        return Err(CmdError::fixed("ERR No shutdown in progress."));
    }
    ctx.effects().shutdown = Some(options);
    Ok(())
}
