//! CONFIG: settings read, changed, and written back to the file.

use crate::command::ctx::Refusal;
use crate::command::spec::Handler;
use crate::command::{CmdError, Ctx, Group, Outcome, Spec};
use crate::config::{Changes, SetError};
use crate::conn::SessionFlags;
use crate::resp::Args;

const EVERYWHERE: &[&str] = &["request_policy:all_nodes", "response_policy:all_succeeded"];

const fn sub(name: &'static str, arity: i16, run: Handler, cost: &'static str) -> Spec {
    Spec::new(name, arity, run)
        .of(Group::Server, "2.0.0", cost)
        .flags(super::ADMIN)
}

/// The rows.
pub const SPECS: &[Spec] = &[Spec::new("config", -2, super::bare)
    .of(Group::Server, "2.0.0", "Depends on the subcommand")
    .doc("", "Reads and changes the configuration.")
    .subcommands(&[
        sub("get", -3, get, "O(N) where N is the number of directives")
            .history(&[("7.0.0", "Several patterns in one call.")])
            .doc(
                "parameter [parameter ...]",
                "Returns the directives that match patterns.",
            ),
        sub("help", 2, help, "O(1)")
            .of(Group::Server, "5.0.0", "O(1)")
            .flags(super::ALWAYS)
            .doc("", "Explains the subcommands."),
        sub("resetstat", 2, resetstat, "O(1)")
            .tips(EVERYWHERE)
            .doc("", "Sets the statistics back to zero."),
        sub(
            "rewrite",
            2,
            rewrite,
            "O(N) where N is the length of the file",
        )
        .of(
            Group::Server,
            "2.8.0",
            "O(N) where N is the length of the file",
        )
        .tips(EVERYWHERE)
        .doc(
            "",
            "Writes the configuration back to the file it came from.",
        ),
        sub("set", -4, set, "O(N) where N is the number of directives")
            .tips(EVERYWHERE)
            .history(&[("7.0.0", "Several directives in one call.")])
            .doc(
                "parameter value [parameter value ...]",
                "Changes directives, all or none.",
            ),
    ])];

/// CONFIG GET parameter [parameter ...]
///
/// Replies: a map of names to values.
fn get(ctx: &mut Ctx<'_>, args: &Args<'_>) -> Outcome {
    let patterns: Vec<&[u8]> = args.iter_from(2).collect();
    let found = ctx.config.get(&patterns);
    ctx.reply.map(found.len());
    for (name, value) in &found {
        ctx.reply.bulk(name);
        ctx.reply.bulk(value);
    }
    Ok(())
}

/// CONFIG HELP
fn help(ctx: &mut Ctx<'_>, _args: &Args<'_>) -> Outcome {
    crate::command::docs::help(ctx, "config");
    Ok(())
}

/// CONFIG RESETSTAT
fn resetstat(ctx: &mut Ctx<'_>, _args: &Args<'_>) -> Outcome {
    super::info::gather_lookups(ctx);
    ctx.observed.reset();
    let stats = &mut ctx.keyspace.stats;
    (stats.hits, stats.misses) = (0, 0);
    (stats.expired, stats.evicted, stats.lazily_freed) = (0, 0, 0);
    ctx.reply.ok();
    Ok(())
}

/// CONFIG REWRITE
fn rewrite(ctx: &mut Ctx<'_>, _args: &Args<'_>) -> Outcome {
    let config = &*ctx.config;
    let done = ctx
        .host
        .rewrite_config(&mut |old| config.rewrite(old, None));
    done.map_err(|Refusal(why)| CmdError::text(format!("ERR {why}")))?;
    ctx.reply.ok();
    Ok(())
}

/// CONFIG SET parameter value [parameter value ...]
///
/// Effects: what follows from the new values happens before the reply; if any of it fails, all
/// values are what they were.
fn set(ctx: &mut Ctx<'_>, args: &Args<'_>) -> Outcome {
    if !args.len().is_multiple_of(2) {
        return Err(CmdError::Syntax);
    }
    let words: Vec<&[u8]> = args.iter_from(2).collect();
    let pairs: Vec<(&[u8], &[u8])> = words.chunks(2).map(|pair| (pair[0], pair[1])).collect();
    let locality = super::locality(ctx);
    let refused = |error: SetError| CmdError::text(format!("ERR {error}"));
    let changes = ctx.config.set(&pairs, locality).map_err(refused)?;
    if changes.is_empty() {
        ctx.reply.ok();
        return Ok(());
    }
    let poller = match concern_process(ctx, &changes) {
        Ok(poller) => poller,
        Err((name, Refusal(why))) => {
            changes.take_back(ctx.config);
            // What the process had taken over already goes back as well.
            if let Err(Refusal(why)) = ctx.host.reconfigure(ctx.config) {
                let line = format!("Cannot go back to the old configuration: {why}");
                ctx.host.log(crate::command::ctx::LogLevel::Warning, &line);
            }
            return Err(refused(SetError::refused(name, why)));
        }
    };
    if poller.is_some() {
        ctx.effects().switch_poller = poller;
    }
    concern_engine(ctx, &changes);
    if changes.contains("appendonly") {
        ctx.effects().switch_log = Some(changes);
    } else {
        ctx.reply.ok();
    }
    Ok(())
}

/// Has the process follow the changes, which may fail. Returns the poller to go on with, if the
/// directive was changed.
///
/// # Errors
/// The directive to blame, and why.
fn concern_process(
    ctx: &mut Ctx<'_>,
    changes: &Changes,
) -> Result<Option<&'static str>, (&'static str, Refusal)> {
    let blame = |suspects: &[&str]| {
        let suspect = changes.iter().find(|(_, row)| suspects.contains(&row.name));
        suspect
            .or_else(|| changes.iter().next())
            .map_or("", |(name, _)| name)
    };
    let mut poller = None;
    if changes.contains("poller") {
        let name = ctx.config.network.poller.word();
        poller = Some(
            ctx.host
                .choose_poller(name)
                .map_err(|why| ("poller", why))?,
        );
    }
    if !ctx.keyspace.has_policy(&ctx.config.memory) {
        let why = Refusal("there is no such policy here".into());
        return Err(("maxmemory-policy", why));
    }
    let done = ctx.host.reconfigure(ctx.config);
    done.map_err(|why| (blame(&["maxclients", "dir"]), why))?;
    if changes.contains("port") || changes.contains("bind") {
        let closed = ctx.host.relisten(ctx.config);
        let closed = closed.map_err(|why| (blame(&["port", "bind"]), why))?;
        ctx.effects().relistened = Some(closed);
    }
    Ok(poller)
}

/// Has the engine follow the changes, which cannot fail. What is read from the configuration
/// each time it matters needs nothing here.
fn concern_engine(ctx: &mut Ctx<'_>, changes: &Changes) {
    ctx.keyspace.notify = ctx.config.observe.notify_keyspace_events;
    ctx.keyspace.configure_policy(&ctx.config.memory);
    ctx.observed.apply(ctx.config);
    ctx.persist.apply(ctx.config);
    if changes.contains("tcp-keepalive") || changes.contains("max-new-connections-per-cycle") {
        ctx.effects().socket_options = true;
    }
    if changes.contains("requirepass") && ctx.config.security.requirepass.is_empty() {
        let ids: Vec<_> = ctx.clients.in_order().iter().map(|conn| conn.id).collect();
        for id in ids {
            if let Some(conn) = ctx.clients.get_mut(id) {
                conn.session.flags.clear(SessionFlags::UNAUTHENTICATED);
            }
        }
    }
}
