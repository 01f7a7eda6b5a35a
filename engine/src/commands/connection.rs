//! The connection itself: who one is, which protocol and database, being there.
//!
//! Not here: CLIENT (`client`).

use crate::base::DbIndex;
use crate::base::number::parse_i64;
use crate::command::modes::{unsubscribe_all, unwatch_all};
use crate::command::options::{integer_within, is};
use crate::command::{CmdError, Ctx, Flags, Group, Options, Outcome, Spec};
use crate::config::REDIS_VERSION;
use crate::conn::SessionFlags;
use crate::resp::{Args, Protocol};
use bytes::Bytes;

const ANYTIME: Flags = Flags::LOADING.and(Flags::STALE).and(Flags::FAST);
const FIRST: Flags = ANYTIME
    .and(Flags::NOSCRIPT)
    .and(Flags::NO_AUTH)
    .and(Flags::ALLOW_BUSY);

/// The only user there is before access control lists exist.
const DEFAULT_USER: &[u8] = b"default";

/// The rows.
pub const SPECS: &[Spec] = &[
    Spec::new("auth", -2, auth)
        .of(
            Group::Connection,
            "1.0.0",
            "O(N) where N is the number of passwords of the user",
        )
        .flags(FIRST)
        .doc("[username] password", "Proves who the connection is.")
        .history(&[("6.0.0", "`username`.")]),
    Spec::new("echo", 2, echo)
        .of(Group::Connection, "1.0.0", "O(1)")
        .flags(ANYTIME)
        .doc("message", "Returns the message."),
    Spec::new("hello", -1, hello)
        .of(Group::Connection, "6.0.0", "O(1)")
        .flags(FIRST)
        .doc(
            "[protover [AUTH username password] [SETNAME clientname]]",
            "Agrees on a protocol version and tells what the server is.",
        )
        .history(&[("6.2.0", "`protover` may be left out.")]),
    Spec::new("ping", -1, ping)
        .of(Group::Connection, "1.0.0", "O(1)")
        .flags(Flags::FAST)
        .tips(&["request_policy:all_shards", "response_policy:all_succeeded"])
        .doc("[message]", "Answers PONG, or the message."),
    Spec::new("quit", -1, quit)
        .of(Group::Connection, "1.0.0", "O(1)")
        .flags(FIRST)
        .deprecated("7.2.0", "just closing the connection")
        .doc("", "Closes the connection when its replies have been sent."),
    Spec::new("reset", 1, reset)
        .of(Group::Connection, "6.2.0", "O(1)")
        .flags(FIRST)
        .doc("", "Makes the connection as if it had just been opened."),
    Spec::new("select", 2, select)
        .of(Group::Connection, "1.0.0", "O(1)")
        .flags(ANYTIME.and(Flags::ALLOW_BUSY))
        .doc("index", "Goes to another database."),
];

/// AUTH [username] password
fn auth(ctx: &mut Ctx<'_>, args: &Args<'_>) -> Outcome {
    let (user, password) = match args.len() {
        2 => (DEFAULT_USER, args.get(1)),
        3 => (args.get(1), args.get(2)),
        _ => return Err(CmdError::Syntax),
    };
    if args.len() == 2 && ctx.config.security.requirepass.is_empty() {
        return Err(CmdError::fixed(
            "ERR AUTH <password> called without any password configured for the default user. Are \
             you sure your configuration is correct?",
        ));
    }
    authenticate(ctx, user, password)?;
    ctx.reply.ok();
    Ok(())
}

/// Checks a password; without one configured the default user needs none.
fn authenticate(ctx: &mut Ctx<'_>, user: &[u8], password: &[u8]) -> Outcome {
    let required = ctx.config.security.requirepass.expose();
    let is_right = required.is_empty() || equal_in_constant_time(required, password);
    if user != DEFAULT_USER || !is_right {
        ctx.observed.stats.auth_failures += 1;
        return Err(CmdError::fixed(
            "WRONGPASS invalid username-password pair or user is disabled.",
        ));
    }
    ctx.session().flags.clear(SessionFlags::UNAUTHENTICATED);
    Ok(())
}

/// Compares without telling by its duration where the first difference is.
fn equal_in_constant_time(a: &[u8], b: &[u8]) -> bool {
    use sha2::{Digest, Sha256};
    let (a, b) = (Sha256::digest(a), Sha256::digest(b));
    a.iter()
        .zip(b.iter())
        .fold(0, |different, (x, y)| different | (x ^ y))
        == 0
}

/// ECHO message
fn echo(ctx: &mut Ctx<'_>, args: &Args<'_>) -> Outcome {
    ctx.reply.bulk(args.get(1));
    Ok(())
}

/// HELLO [2|3 [AUTH user password] [SETNAME name]]
///
/// Nothing changes unless every option can be carried out.
fn hello(ctx: &mut Ctx<'_>, args: &Args<'_>) -> Outcome {
    let protocol = match args.try_get(1) {
        None => None,
        Some(word) => match parse_i64(word) {
            None => {
                return Err(CmdError::fixed(
                    "ERR Protocol version is not an integer or out of range",
                ));
            }
            Some(2) => Some(Protocol::Resp2),
            Some(3) => Some(Protocol::Resp3),
            Some(_) => return Err(CmdError::fixed("NOPROTO unsupported protocol version")),
        },
    };
    let (mut login, mut name) = (None, None);
    let mut options = Options::from(args, 2);
    while let Some(word) = options.next() {
        if is(word, "auth") && options.left() >= 2 {
            login = Some((options.value()?, options.value()?));
        } else if is(word, "setname") && options.left() >= 1 {
            name = Some(checked_name(options.value()?)?);
        } else {
            return Err(CmdError::quoting(
                "ERR Syntax error in HELLO option '",
                word,
                "'",
            ));
        }
    }
    if let Some((user, password)) = login {
        authenticate(ctx, user, password)?;
    }
    if ctx.session().flags.has(SessionFlags::UNAUTHENTICATED) {
        return Err(CmdError::fixed(
            "NOAUTH HELLO must be called with the client already authenticated, otherwise the HELLO \
             <proto> AUTH <user> <pass> option can be used to authenticate the client and select \
             the RESP protocol version at the same time",
        ));
    }
    if let Some(name) = name {
        ctx.session().name = name;
        ctx.clients.weigh(ctx.conn);
    }
    if let Some(protocol) = protocol {
        ctx.session().protocol = protocol;
        ctx.reply.protocol = protocol;
    }
    describe_server(ctx);
    Ok(())
}

fn describe_server(ctx: &mut Ctx<'_>) {
    let id = i64::try_from(ctx.session().client_id).unwrap_or(i64::MAX);
    let protocol = if ctx.reply.is_resp3() { 3 } else { 2 };
    let reply = &mut ctx.reply;
    reply.map(7);
    reply.bulk(b"server");
    reply.bulk(b"redis");
    reply.bulk(b"version");
    reply.bulk(REDIS_VERSION.as_bytes());
    reply.bulk(b"proto");
    reply.integer(protocol);
    reply.bulk(b"id");
    reply.integer(id);
    reply.bulk(b"mode");
    reply.bulk(b"standalone");
    reply.bulk(b"role");
    reply.bulk(b"master");
    reply.bulk(b"modules");
    reply.array(0);
}

/// A client's name: no spaces, no control characters.
fn checked_name(name: &[u8]) -> Result<Bytes, CmdError> {
    if name.iter().all(|byte| (b'!'..=b'~').contains(byte)) {
        return Ok(Bytes::copy_from_slice(name));
    }
    Err(CmdError::fixed(
        "ERR Client names cannot contain spaces, newlines or special characters.",
    ))
}

/// PING [message]
fn ping(ctx: &mut Ctx<'_>, args: &Args<'_>) -> Outcome {
    if args.len() > 2 {
        return Err(CmdError::Arity("ping".into()));
    }
    let message = args.try_get(1);
    let is_subscribed = ctx.session().flags.has(SessionFlags::PUBSUB);
    if is_subscribed && !ctx.reply.is_resp3() {
        ctx.reply.array(2);
        ctx.reply.bulk(b"pong");
        ctx.reply.bulk(message.unwrap_or_default());
        return Ok(());
    }
    match message {
        None => ctx.reply.raw(b"+PONG\r\n"),
        Some(message) => ctx.reply.bulk(message),
    }
    Ok(())
}

/// QUIT
fn quit(ctx: &mut Ctx<'_>, _args: &Args<'_>) -> Outcome {
    ctx.reply.ok();
    ctx.clients.close_after_reply(ctx.conn);
    ctx.effects();
    Ok(())
}

/// RESET
fn reset(ctx: &mut Ctx<'_>, _args: &Args<'_>) -> Outcome {
    let conn = ctx.conn;
    let session = ctx.session();
    session.multi = None;
    session.flags.clear(SessionFlags::MULTI);
    session.flags.clear(SessionFlags::NO_TOUCH);
    session.flags.clear(SessionFlags::NO_EVICT);
    // What CLIENT REPLY SKIP asked for still holds of RESET's own reply.
    session.flags.clear(SessionFlags::REPLY_OFF);
    session.name = Bytes::new();
    session.protocol = Protocol::Resp2;
    if session.flags.has(SessionFlags::MONITOR) {
        session.flags.clear(SessionFlags::MONITOR);
        ctx.clients.monitors.retain(|monitor| *monitor != conn);
    }
    unwatch_all(ctx);
    unsubscribe_all(ctx);
    ctx.clients.weigh(conn);
    ctx.keyspace.set_touching(true);
    ctx.reply.protocol = Protocol::Resp2;
    ctx.select(DbIndex(0));
    let needs_password = !ctx.config.security.requirepass.is_empty();
    ctx.session()
        .flags
        .put(SessionFlags::UNAUTHENTICATED, needs_password);
    ctx.reply.simple("RESET");
    Ok(())
}

/// SELECT index
fn select(ctx: &mut Ctx<'_>, args: &Args<'_>) -> Outcome {
    let index = integer_within(args.get(1), i32::MIN.into(), i32::MAX.into())?;
    let db = u32::try_from(index).ok().map(DbIndex);
    let db = db.filter(|db| db.index() < ctx.keyspace.count());
    ctx.select(db.ok_or(CmdError::DbOutOfRange)?);
    ctx.reply.ok();
    Ok(())
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn passwords_are_compared_whole() {
        assert!(equal_in_constant_time(b"secret", b"secret"));
        assert!(!equal_in_constant_time(b"secret", b"secres"));
        assert!(!equal_in_constant_time(b"secret", b"secret2"));
    }
}
