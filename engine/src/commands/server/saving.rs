//! Saving: SAVE, BGSAVE, BGREWRITEAOF, LASTSAVE.

use crate::command::ctx::Background;
use crate::command::options::is;
use crate::command::spec::Categories;
use crate::command::{CmdError, Ctx, Flags, Group, Outcome, Spec};
use crate::resp::Args;

/// Of all who begin a save.
const SAVES: Flags = Flags::ADMIN
    .and(Flags::NOSCRIPT)
    .and(Flags::NO_ASYNC_LOADING);

/// The rows.
pub const SPECS: &[Spec] = &[
    Spec::new("bgrewriteaof", 1, bgrewriteaof)
        .of(Group::Server, "1.0.0", "O(1)")
        .flags(SAVES)
        .doc("", "Has a child process write the append-only file anew."),
    Spec::new("bgsave", -1, bgsave)
        .of(Group::Server, "1.0.0", "O(1)")
        .flags(SAVES)
        .history(&[("3.2.2", "`SCHEDULE`.")])
        .doc("[SCHEDULE]", "Has a child process save the dataset."),
    Spec::new("lastsave", 1, lastsave)
        .of(Group::Server, "1.0.0", "O(1)")
        .flags(super::ALWAYS.and(Flags::FAST))
        .categories(Categories::ADMIN.and(Categories::DANGEROUS))
        .tips(&["nondeterministic_output"])
        .doc(
            "",
            "Tells when the dataset was saved last, in unix seconds.",
        ),
    Spec::new("save", 1, save)
        .of(Group::Server, "1.0.0", "O(N) where N is the number of keys")
        .flags(SAVES.and(Flags::NO_MULTI))
        .doc("", "Saves the dataset, and everybody waits for it."),
];

/// BGREWRITEAOF
///
/// Replies: that it was begun, or put off until another child has ended.
fn bgrewriteaof(ctx: &mut Ctx<'_>, _args: &Args<'_>) -> Outcome {
    ctx.effects().background = Some(Background::Rewrite);
    Ok(())
}

/// BGSAVE [SCHEDULE]
///
/// Replies: that it was begun, or put off until another child has ended.
fn bgsave(ctx: &mut Ctx<'_>, args: &Args<'_>) -> Outcome {
    let what = match (args.len(), args.try_get(1)) {
        (1, _) => Background::Save,
        (2, Some(word)) if is(word, "schedule") => Background::SaveInTime,
        _ => return Err(CmdError::Syntax),
    };
    ctx.effects().background = Some(what);
    Ok(())
}

/// LASTSAVE
///
/// Before the first save it is the start.
fn lastsave(ctx: &mut Ctx<'_>, _args: &Args<'_>) -> Outcome {
    let secs = ctx.persist.snapshots.last_good_unix_secs;
    ctx.reply.integer(i64::try_from(secs).unwrap_or(i64::MAX));
    Ok(())
}

/// SAVE
///
/// Errors: a child is saving already, or what the disk says.
fn save(ctx: &mut Ctx<'_>, _args: &Args<'_>) -> Outcome {
    let (persist, mut world) = ctx.saving();
    if persist.is_saving_snapshot() {
        return Err(CmdError::fixed("ERR Background save already in progress"));
    }
    let saved = persist.save_here(&mut world);
    saved.map_err(|why| CmdError::text(format!("ERR Can't save: {why}")))?;
    ctx.reply.ok();
    Ok(())
}
