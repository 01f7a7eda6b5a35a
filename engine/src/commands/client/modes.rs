//! CLIENT subcommands that set something about the asking connection.

use crate::command::options::is;
use crate::command::{CmdError, Ctx, Outcome};
use crate::conn::{ReplyMode, SessionFlags};
use crate::resp::Args;
use bytes::Bytes;

/// ON or OFF.
fn switch(word: &[u8]) -> Result<bool, CmdError> {
    match (is(word, "on"), is(word, "off")) {
        (true, _) => Ok(true),
        (_, true) => Ok(false),
        _ => Err(CmdError::Syntax),
    }
}

/// CLIENT CAPA capability [capability ...]
pub(super) fn capa(ctx: &mut Ctx<'_>, args: &Args<'_>) -> Outcome {
    if args.iter_from(2).any(|word| is(word, "redirect")) {
        ctx.session().flags.set(SessionFlags::CAPA_REDIRECT);
    }
    ctx.reply.ok();
    Ok(())
}

/// CLIENT IMPORT-SOURCE ON|OFF
pub(super) fn import_source(ctx: &mut Ctx<'_>, args: &Args<'_>) -> Outcome {
    let on = switch(args.get(2))?;
    if !ctx.config.replication.import_mode {
        return Err(CmdError::fixed("ERR Server is not in import mode"));
    }
    ctx.session().flags.put(SessionFlags::IMPORT_SOURCE, on);
    ctx.reply.ok();
    Ok(())
}

/// CLIENT NO-EVICT ON|OFF
pub(super) fn no_evict(ctx: &mut Ctx<'_>, args: &Args<'_>) -> Outcome {
    let on = switch(args.get(2))?;
    ctx.session().flags.put(SessionFlags::NO_EVICT, on);
    ctx.clients.weigh(ctx.conn);
    ctx.reply.ok();
    Ok(())
}

/// CLIENT NO-TOUCH ON|OFF
pub(super) fn no_touch(ctx: &mut Ctx<'_>, args: &Args<'_>) -> Outcome {
    let on = switch(args.get(2))?;
    ctx.session().flags.put(SessionFlags::NO_TOUCH, on);
    ctx.keyspace.set_touching(!on);
    ctx.reply.ok();
    Ok(())
}

/// CLIENT REPLY ON|OFF|SKIP
///
/// Replies: OK for ON, nothing otherwise.
pub(super) fn reply(ctx: &mut Ctx<'_>, args: &Args<'_>) -> Outcome {
    let mode = match args.get(2) {
        word if is(word, "on") => ReplyMode::On,
        word if is(word, "off") => ReplyMode::Off,
        word if is(word, "skip") => ReplyMode::Skip,
        _ => return Err(CmdError::Syntax),
    };
    let session = ctx.session();
    if mode == ReplyMode::Skip && session.flags.has(SessionFlags::REPLY_OFF) {
        return Ok(());
    }
    session.set_reply_mode(mode);
    if mode == ReplyMode::On {
        ctx.reply.ok();
    }
    Ok(())
}

/// CLIENT SETINFO LIB-NAME|LIB-VER value
pub(super) fn setinfo(ctx: &mut Ctx<'_>, args: &Args<'_>) -> Outcome {
    let (attribute, value) = (args.get(2), args.get(3));
    let is_name = is(attribute, "lib-name");
    if !is_name && !is(attribute, "lib-ver") {
        return Err(CmdError::quoting(
            "ERR Unrecognized option '",
            attribute,
            "'",
        ));
    }
    if !is_plain(value) {
        let after = " cannot contain spaces, newlines or special characters.";
        return Err(CmdError::quoting("ERR ", attribute, after));
    }
    let value = Bytes::copy_from_slice(value);
    let session = ctx.session();
    if is_name {
        session.lib_name = value;
    } else {
        session.lib_ver = value;
    }
    ctx.clients.weigh(ctx.conn);
    ctx.reply.ok();
    Ok(())
}

/// CLIENT SETNAME name; an empty name removes it.
pub(super) fn setname(ctx: &mut Ctx<'_>, args: &Args<'_>) -> Outcome {
    let name = args.get(2);
    if !is_plain(name) {
        return Err(CmdError::fixed(
            "ERR Client names cannot contain spaces, newlines or special characters.",
        ));
    }
    ctx.session().name = Bytes::copy_from_slice(name);
    ctx.clients.weigh(ctx.conn);
    ctx.reply.ok();
    Ok(())
}

/// No spaces, no control characters, nothing beyond ASCII.
fn is_plain(text: &[u8]) -> bool {
    text.iter().all(|byte| (b'!'..=b'~').contains(byte))
}
