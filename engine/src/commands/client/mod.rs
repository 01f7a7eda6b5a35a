//! CLIENT: connections seen, named, paused, unblocked and closed.

mod filter;
mod modes;

use crate::base::number::parse_i64;
use crate::base::{ConnId, Micros};
use crate::command::ctx::Release;
use crate::command::line;
use crate::command::options::is;
use crate::command::spec::Handler;
use crate::command::{CmdError, Ctx, Flags, Group, Outcome, Spec};
use crate::conn::{Pause, PauseScope, SessionFlags};
use crate::resp::Args;
use filter::Filter;

const PLAIN: Flags = Flags::NOSCRIPT.and(Flags::LOADING).and(Flags::STALE);
const QUICK: Flags = PLAIN.and(Flags::ALLOW_BUSY);
const ADMIN: Flags = PLAIN.and(Flags::ADMIN);

const FILTERS: &str = "[TYPE <NORMAL | MASTER | PRIMARY | SLAVE | REPLICA | PUBSUB>] \
    [ID client-id [client-id ...]] [USER username] [ADDR ip:port] [LADDR ip:port] \
    [SKIPME <YES | NO>] [MAXAGE maxage] [NAME name] [IDLE idle] [FLAGS flags] [LIB-NAME lib-name] \
    [LIB-VER lib-ver] [DB db] [CAPA capa] [IP ip] [NOT-TYPE type] [NOT-ID client-id [client-id ...]] \
    [NOT-USER username] [NOT-ADDR ip:port] [NOT-LADDR ip:port] [NOT-NAME name] [NOT-FLAGS flags] \
    [NOT-LIB-NAME lib-name] [NOT-LIB-VER lib-ver] [NOT-DB db] [NOT-CAPA capa] [NOT-IP ip]";

const fn sub(name: &'static str, arity: i16, run: Handler, since: &'static str) -> Spec {
    Spec::new(name, arity, run)
        .of(Group::Connection, since, "O(1)")
        .flags(QUICK)
}

const fn over_all(name: &'static str, arity: i16, run: Handler, since: &'static str) -> Spec {
    Spec::new(name, arity, run)
        .of(
            Group::Connection,
            since,
            "O(N) where N is the number of connections",
        )
        .flags(ADMIN)
}

/// The rows.
pub const SPECS: &[Spec] = &[Spec::new("client", -2, bare)
    .of(Group::Connection, "2.4.0", "Depends on the subcommand")
    .doc("", "Looks after connections.")
    .subcommands(&[
        sub("capa", -3, modes::capa, "8.0.0").doc(
            "capability [capability ...]",
            "Announces what the client is capable of.",
        ),
        sub("getname", 2, getname, "2.6.9").doc("", "Returns the name of the connection."),
        sub("getredir", 2, getredir, "6.0.0").doc(
            "",
            "Returns the connection that gets this one's invalidations, -1 for none.",
        ),
        Spec::new("help", 2, help)
            .of(Group::Connection, "5.0.0", "O(1)")
            .flags(Flags::LOADING.and(Flags::STALE))
            .doc("", "Explains the subcommands."),
        sub("id", 2, id, "5.0.0").doc("", "Returns the number of the connection."),
        sub("import-source", 3, modes::import_source, "8.1.0")
            .flags(PLAIN)
            .doc(
                "<ON | OFF>",
                "Marks the connection as one that brings data from elsewhere.",
            ),
        sub("info", 2, info, "6.2.0")
            .flags(PLAIN)
            .doc("", "Describes the connection in one line.")
            .tips(&["nondeterministic_output"]),
        over_all("kill", -3, kill, "2.4.0")
            .doc("<ip:port | filter [filter ...]>", "Closes connections.")
            .history(&[
                ("2.8.12", "Filters."),
                ("3.2.0", "`TYPE master`."),
                ("5.0.0", "`TYPE replica`."),
                ("6.2.0", "`LADDR`."),
                ("7.4.0", "`MAXAGE`."),
            ]),
        over_all("list", -2, list, "2.4.0")
            .doc(FILTERS, "Describes connections, one a line.")
            .tips(&["nondeterministic_output"]),
        sub("no-evict", 3, modes::no_evict, "7.0.0")
            .flags(QUICK.and(Flags::ADMIN))
            .doc(
                "<ON | OFF>",
                "Keeps the connection when clients are evicted for their memory.",
            ),
        sub("no-touch", 3, modes::no_touch, "7.2.0").doc(
            "<ON | OFF>",
            "Keeps the connection's commands from moving access clocks.",
        ),
        over_all("pause", -3, pause, "3.0.0")
            .of(Group::Connection, "3.0.0", "O(1)")
            .doc(
                "timeout [WRITE | ALL]",
                "Makes the commands of all clients wait.",
            )
            .history(&[("6.2.0", "`WRITE` and `ALL`.")]),
        sub("reply", 3, modes::reply, "3.2.0")
            .flags(QUICK.and(Flags::NO_MULTI))
            .doc(
                "<ON | OFF | SKIP>",
                "Says whether the connection wants replies.",
            ),
        sub("setinfo", 4, modes::setinfo, "7.2.0")
            .doc(
                "<LIB-NAME libname | LIB-VER libver>",
                "Tells which library the client uses.",
            )
            .tips(&["request_policy:all_nodes", "response_policy:all_succeeded"]),
        sub("setname", 3, modes::setname, "2.6.9")
            .doc("connection-name", "Names the connection.")
            .tips(&["request_policy:all_nodes", "response_policy:all_succeeded"]),
        over_all("unblock", -3, unblock, "5.0.0")
            .of(
                Group::Connection,
                "5.0.0",
                "O(log N) where N is the number of connections",
            )
            .doc(
                "client-id [TIMEOUT | ERROR]",
                "Lets a blocked connection go.",
            ),
        over_all("unpause", 2, unpause, "6.2.0")
            .of(
                Group::Connection,
                "6.2.0",
                "O(N) where N is the number of paused connections",
            )
            .doc("", "Ends a pause."),
    ])];

fn bare(_ctx: &mut Ctx<'_>, _args: &Args<'_>) -> Outcome {
    Err(CmdError::Arity("client".into()))
}

/// CLIENT GETNAME
fn getname(ctx: &mut Ctx<'_>, _args: &Args<'_>) -> Outcome {
    let name = ctx.session().name.clone();
    if name.is_empty() {
        ctx.reply.null()
    } else {
        ctx.reply.bulk(&name)
    }
    Ok(())
}

/// CLIENT GETREDIR
fn getredir(ctx: &mut Ctx<'_>, _args: &Args<'_>) -> Outcome {
    ctx.reply.integer(-1);
    Ok(())
}

/// CLIENT HELP
fn help(ctx: &mut Ctx<'_>, _args: &Args<'_>) -> Outcome {
    crate::command::docs::help(ctx, "client");
    Ok(())
}

/// CLIENT ID
fn id(ctx: &mut Ctx<'_>, _args: &Args<'_>) -> Outcome {
    let id = ctx.session().client_id;
    ctx.reply.integer(i64::try_from(id).unwrap_or(i64::MAX));
    Ok(())
}

/// CLIENT INFO
fn info(ctx: &mut Ctx<'_>, _args: &Args<'_>) -> Outcome {
    let mut text = String::new();
    if let Some(conn) = ctx.clients.get(ctx.conn) {
        line::write(&mut text, conn, ctx.commands, ctx.now);
    }
    text.push('\n');
    ctx.reply.verbatim("txt", text.as_bytes());
    Ok(())
}

/// CLIENT KILL ip:port | filter value [filter value ...]
///
/// Replies: OK for the old form, the number of closed connections for filters.
fn kill(ctx: &mut Ctx<'_>, args: &Args<'_>) -> Outcome {
    if args.len() == 3 {
        let wanted = args.get(2);
        let found = ctx
            .clients
            .in_order()
            .into_iter()
            .find(|conn| conn.session.peer_text().as_bytes() == wanted)
            .map(|conn| conn.id);
        let found = found.ok_or(CmdError::fixed("ERR No such client"))?;
        ctx.effects().kill.push(found);
        ctx.reply.ok();
        return Ok(());
    }
    let filter = Filter::parse(args, 2, filter::SkipMe::Yes)?;
    let victims = matching(ctx, &filter);
    ctx.reply.count(victims.len());
    ctx.effects().kill.extend(victims);
    Ok(())
}

/// Connections that a filter lets through, in the order of their arrival.
fn matching(ctx: &Ctx<'_>, filter: &Filter<'_>) -> Vec<ConnId> {
    let all = ctx.clients.in_order();
    let chosen = all
        .into_iter()
        .filter(|conn| filter.matches(conn, ctx.conn, ctx.now.monotonic));
    chosen.map(|conn| conn.id).collect()
}

/// CLIENT LIST [filter value ...]
fn list(ctx: &mut Ctx<'_>, args: &Args<'_>) -> Outcome {
    let filter = Filter::parse(args, 2, filter::SkipMe::No)?;
    let mut text = String::new();
    for id in matching(ctx, &filter) {
        if let Some(conn) = ctx.clients.get(id) {
            line::write(&mut text, conn, ctx.commands, ctx.now);
            text.push('\n');
        }
    }
    ctx.reply.verbatim("txt", text.as_bytes());
    Ok(())
}

/// CLIENT PAUSE timeout [WRITE | ALL]
fn pause(ctx: &mut Ctx<'_>, args: &Args<'_>) -> Outcome {
    let scope = match args.try_get(3) {
        None => PauseScope::All,
        Some(word) if is(word, "all") => PauseScope::All,
        Some(word) if is(word, "write") => PauseScope::Writes,
        Some(_) => {
            return Err(CmdError::fixed(
                "ERR CLIENT PAUSE mode must be WRITE or ALL",
            ));
        }
    };
    if args.len() > 4 {
        return Err(CmdError::Syntax);
    }
    let millis = parse_i64(args.get(2)).ok_or(CmdError::fixed(
        "ERR timeout is not an integer or out of range",
    ))?;
    let millis = u64::try_from(millis).map_err(|_| CmdError::fixed("ERR timeout is negative"))?;
    let mut until = ctx.now.monotonic.plus(Micros::from_millis(millis));
    let mut scope = scope;
    if let Some(running) = ctx
        .clients
        .pause
        .filter(|pause| pause.until > ctx.now.monotonic)
    {
        // A stricter or longer pause under way is not relaxed by a later one.
        until = until.max(running.until);
        if running.scope == PauseScope::All {
            scope = PauseScope::All;
        }
    }
    ctx.effects().pause = Some(Some(Pause { until, scope }));
    ctx.reply.ok();
    Ok(())
}

/// CLIENT UNBLOCK id [TIMEOUT | ERROR]
fn unblock(ctx: &mut Ctx<'_>, args: &Args<'_>) -> Outcome {
    let how = match args.try_get(3) {
        None => Release::Timeout,
        Some(word) if is(word, "timeout") => Release::Timeout,
        Some(word) if is(word, "error") => Release::Error,
        Some(_) => {
            return Err(CmdError::fixed(
                "ERR CLIENT UNBLOCK reason should be TIMEOUT or ERROR",
            ));
        }
    };
    let id = parse_i64(args.get(2)).ok_or(CmdError::NotInteger)?;
    let found = u64::try_from(id).ok().and_then(|id| ctx.clients.find(id));
    let blocked = found
        .and_then(|conn| ctx.clients.get_mut(conn))
        .filter(|conn| {
            let over = SessionFlags(SessionFlags::UNBLOCKED.0 | SessionFlags::CLOSE_ASAP.0);
            conn.session.flags.has(SessionFlags::BLOCKED) && !conn.session.flags.has(over)
        });
    let is_blocked = blocked.is_some();
    if let Some(conn) = blocked {
        // A second CLIENT UNBLOCK finds it unblocked, though it is answered at the turn's end.
        conn.session.flags.set(SessionFlags::UNBLOCKED);
        let id = conn.id;
        ctx.effects().release.push((id, how));
    }
    ctx.reply.integer(i64::from(is_blocked));
    Ok(())
}

/// CLIENT UNPAUSE
fn unpause(ctx: &mut Ctx<'_>, _args: &Args<'_>) -> Outcome {
    ctx.effects().pause = Some(None);
    ctx.reply.ok();
    Ok(())
}

/// A connection's number as a word of a filter; positive.
fn client_id(word: &[u8]) -> Option<u64> {
    let id = parse_i64(word).and_then(|id| u64::try_from(id).ok());
    id.filter(|id| *id > 0)
}
