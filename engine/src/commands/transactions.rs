//! Transactions: MULTI, EXEC, DISCARD, WATCH, UNWATCH.
//!
//! Not here: queueing and running the queue, which are the executor's.

use crate::command::modes::unwatch_all;
use crate::command::spec::Categories;
use crate::command::{CmdError, Ctx, Flags, Group, KeyFlags, Keys, Outcome, Spec};
use crate::conn::{Multi, SessionFlags};
use crate::keyspace::Watched;
use crate::resp::Args;

const ALWAYS: Flags = Flags::NOSCRIPT
    .and(Flags::LOADING)
    .and(Flags::STALE)
    .and(Flags::FAST)
    .and(Flags::ALLOW_BUSY);

/// The rows.
pub const SPECS: &[Spec] = &[
    Spec::new("discard", 1, discard)
        .of(
            Group::Transactions,
            "2.0.0",
            "O(N) where N is the number of queued commands",
        )
        .flags(ALWAYS)
        .doc("", "Forgets the queued commands and ends the transaction."),
    Spec::new("exec", 1, exec)
        .of(
            Group::Transactions,
            "1.2.0",
            "As much as the queued commands cost",
        )
        .flags(
            Flags::NOSCRIPT
                .and(Flags::LOADING)
                .and(Flags::STALE)
                .and(Flags::SKIP_SLOWLOG),
        )
        .categories(Categories::SLOW)
        .doc("", "Runs the queued commands as one."),
    Spec::new("multi", 1, multi)
        .of(Group::Transactions, "1.2.0", "O(1)")
        .flags(ALWAYS.and(Flags::NO_MULTI))
        .doc("", "Begins a transaction: commands are queued from now on."),
    Spec::new("unwatch", 1, unwatch)
        .of(
            Group::Transactions,
            "2.2.0",
            "O(N) where N is the number of watched keys",
        )
        .flags(ALWAYS)
        .doc("", "Watches no key any more."),
    Spec::new("watch", -2, watch)
        .of(
            Group::Transactions,
            "2.2.0",
            "O(N) where N is the number of keys",
        )
        .flags(ALWAYS.and(Flags::NO_MULTI))
        .keys(&[Keys::all(KeyFlags::RO)])
        .doc(
            "key [key ...]",
            "Watches keys: EXEC runs nothing if one of them has changed.",
        ),
];

/// DISCARD
fn discard(ctx: &mut Ctx<'_>, _args: &Args<'_>) -> Outcome {
    let session = ctx.session();
    if session.multi.take().is_none() {
        return Err(CmdError::fixed("ERR DISCARD without MULTI"));
    }
    session.flags.clear(SessionFlags::MULTI);
    unwatch_all(ctx);
    ctx.clients.weigh(ctx.conn);
    ctx.reply.ok();
    Ok(())
}

/// EXEC
///
/// Replies: an array of replies; null when a watched key has changed.
fn exec(ctx: &mut Ctx<'_>, _args: &Args<'_>) -> Outcome {
    let session = ctx.session();
    let Some(multi) = &session.multi else {
        return Err(CmdError::fixed("ERR EXEC without MULTI"));
    };
    let is_broken = multi.broken;
    let is_dirty = session.flags.has(SessionFlags::DIRTY_WATCH) || watched_key_expired(ctx);
    if is_broken || is_dirty {
        let session = ctx.session();
        session.multi = None;
        session.flags.clear(SessionFlags::MULTI);
        unwatch_all(ctx);
        ctx.clients.weigh(ctx.conn);
        if is_broken {
            let text = "EXECABORT Transaction discarded because of previous errors.";
            return Err(CmdError::fixed(text));
        }
        ctx.reply.null_array();
        return Ok(());
    }
    unwatch_all(ctx);
    ctx.effects().exec = true;
    Ok(())
}

/// MULTI
fn multi(ctx: &mut Ctx<'_>, _args: &Args<'_>) -> Outcome {
    let session = ctx.session();
    if session.multi.is_some() {
        return Err(CmdError::fixed("ERR MULTI calls can not be nested"));
    }
    session.multi = Some(Box::<Multi>::default());
    session.flags.set(SessionFlags::MULTI);
    ctx.clients.weigh(ctx.conn);
    ctx.reply.ok();
    Ok(())
}

/// UNWATCH
fn unwatch(ctx: &mut Ctx<'_>, _args: &Args<'_>) -> Outcome {
    unwatch_all(ctx);
    ctx.reply.ok();
    Ok(())
}

/// WATCH key [key ...]
fn watch(ctx: &mut Ctx<'_>, args: &Args<'_>) -> Outcome {
    if ctx.session().multi.is_some() {
        return Err(CmdError::fixed("ERR WATCH inside MULTI is not allowed"));
    }
    for word in args.iter_from(1) {
        let (db, conn) = (ctx.db, ctx.conn);
        let key = ctx.key(word);
        if let Some(was_there) = ctx.keyspace.db(db).watch(&key, conn) {
            let session = ctx.session();
            session.watched_bytes += word.len();
            session.watched.push(Watched {
                db,
                key: word.into(),
                was_there,
            });
        }
    }
    ctx.clients.weigh(ctx.conn);
    ctx.reply.ok();
    Ok(())
}

/// Whether a key that was there when it was first watched has expired without anybody noticing.
fn watched_key_expired(ctx: &mut Ctx<'_>) -> bool {
    let watched = std::mem::take(&mut ctx.session().watched);
    let expired = watched.iter().any(|watched| {
        let key = ctx.keyspace.key(&watched.key);
        watched.was_there && ctx.keyspace.peek_db(watched.db).peek(&key).is_none()
    });
    ctx.session().watched = watched;
    expired
}
