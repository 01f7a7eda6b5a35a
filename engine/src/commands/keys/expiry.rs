//! Keys: deadlines.

use super::{delete, note_missing};
use crate::base::number::Digits;
use crate::command::expire::{Unit, instant, spread};
use crate::command::options::{integer, is};
use crate::command::spec::Handler;
use crate::command::{CmdError, Ctx, Flags, Group, KeyFlags, Keys, Outcome, Spec};
use crate::keyspace::EventClasses;
use crate::resp::Args;

const READ: &[Keys] = &[Keys::first(KeyFlags::RO.and(KeyFlags::ACCESS))];
const UPDATE: &[Keys] = &[Keys::first(KeyFlags::RW.and(KeyFlags::UPDATE))];
const HISTORY: &[(&str, &str)] = &[("7.0.0", "`NX`, `XX`, `GT` and `LT`.")];

const fn setter(name: &'static str, run: Handler, since: &'static str) -> Spec {
    Spec::new(name, -3, run)
        .of(Group::Generic, since, "O(1)")
        .flags(Flags::WRITE.and(Flags::FAST))
        .keys(UPDATE)
        .history(HISTORY)
}

const fn getter(name: &'static str, run: Handler, since: &'static str) -> Spec {
    Spec::new(name, 2, run)
        .of(Group::Generic, since, "O(1)")
        .flags(Flags::READONLY.and(Flags::FAST))
        .keys(READ)
}

const LEFT: &[&str] = &["nondeterministic_output"];

/// The rows.
pub const SPECS: &[Spec] = &[
    setter("expire", expire, "1.0.0").doc(
        "key seconds [NX | XX | GT | LT]",
        "Gives a key a deadline, in seconds from now.",
    ),
    setter("pexpire", pexpire, "2.6.0").doc(
        "key milliseconds [NX | XX | GT | LT]",
        "Gives a key a deadline, in milliseconds from now.",
    ),
    setter("expireat", expireat, "1.2.0").doc(
        "key unix-time-seconds [NX | XX | GT | LT]",
        "Gives a key a deadline, in seconds since the unix epoch.",
    ),
    setter("pexpireat", pexpireat, "2.6.0").doc(
        "key unix-time-milliseconds [NX | XX | GT | LT]",
        "Gives a key a deadline, in milliseconds since the unix epoch.",
    ),
    getter("ttl", ttl, "1.0.0")
        .tips(LEFT)
        .doc(
            "key",
            "Returns how many seconds are left until a key's deadline.",
        )
        .history(&[("2.8.0", "-2 for a key that does not exist.")]),
    getter("pttl", pttl, "2.6.0")
        .tips(LEFT)
        .doc(
            "key",
            "Returns how many milliseconds are left until a key's deadline.",
        )
        .history(&[("2.8.0", "-2 for a key that does not exist.")]),
    getter("expiretime", expiretime, "7.0.0").doc(
        "key",
        "Returns a key's deadline, in seconds since the unix epoch.",
    ),
    getter("pexpiretime", pexpiretime, "7.0.0").doc(
        "key",
        "Returns a key's deadline, in milliseconds since the unix epoch.",
    ),
    Spec::new("persist", 2, persist)
        .of(Group::Generic, "2.2.0", "O(1)")
        .flags(Flags::WRITE.and(Flags::FAST))
        .keys(UPDATE)
        .doc("key", "Takes a key's deadline away."),
];

/// EXPIRE key seconds [NX | XX | GT | LT]
fn expire(ctx: &mut Ctx<'_>, args: &Args<'_>) -> Outcome {
    set_deadline(ctx, args, Unit::EX)
}

/// PEXPIRE key milliseconds [NX | XX | GT | LT]
fn pexpire(ctx: &mut Ctx<'_>, args: &Args<'_>) -> Outcome {
    set_deadline(ctx, args, Unit::PX)
}

/// EXPIREAT key unix-time-seconds [NX | XX | GT | LT]
fn expireat(ctx: &mut Ctx<'_>, args: &Args<'_>) -> Outcome {
    set_deadline(ctx, args, Unit::EXAT)
}

/// PEXPIREAT key unix-time-milliseconds [NX | XX | GT | LT]
fn pexpireat(ctx: &mut Ctx<'_>, args: &Args<'_>) -> Outcome {
    set_deadline(ctx, args, Unit::PXAT)
}

/// TTL key
fn ttl(ctx: &mut Ctx<'_>, args: &Args<'_>) -> Outcome {
    reply_deadline(ctx, args, |at, now| in_seconds(at.saturating_sub(now)))
}

/// PTTL key
fn pttl(ctx: &mut Ctx<'_>, args: &Args<'_>) -> Outcome {
    reply_deadline(ctx, args, u64::saturating_sub)
}

/// EXPIRETIME key
fn expiretime(ctx: &mut Ctx<'_>, args: &Args<'_>) -> Outcome {
    reply_deadline(ctx, args, |at, _| in_seconds(at))
}

/// PEXPIRETIME key
fn pexpiretime(ctx: &mut Ctx<'_>, args: &Args<'_>) -> Outcome {
    reply_deadline(ctx, args, |at, _| at)
}

/// PERSIST key
///
/// Replies: 1 when there was a deadline. Effects: notifies `persist`.
fn persist(ctx: &mut Ctx<'_>, args: &Args<'_>) -> Outcome {
    let key = ctx.key(args.get(1));
    let entry = ctx.keyspace.peek_db(ctx.db).find(&key);
    let had_deadline = entry.is_some_and(|entry| entry.deadline().is_some());
    if had_deadline {
        ctx.keyspace.db(ctx.db).set_deadline(&key, None);
        ctx.notify(EventClasses::GENERIC, "persist", key.bytes);
    }
    ctx.reply.integer(i64::from(had_deadline));
    Ok(())
}

/// Under which conditions a deadline is set; any number of them together that make sense.
#[derive(Clone, Copy, Debug, Default)]
struct Conditions {
    /// There is none yet.
    absent: bool,
    /// There is one.
    present: bool,
    /// It becomes a later one; none is later than any.
    later: bool,
    /// It becomes an earlier one.
    earlier: bool,
}

impl Conditions {
    fn read(args: &Args<'_>) -> Result<Self, CmdError> {
        let mut found = Self::default();
        for word in args.iter_from(3) {
            let flags = [
                ("nx", &mut found.absent),
                ("xx", &mut found.present),
                ("gt", &mut found.later),
                ("lt", &mut found.earlier),
            ];
            let Some((_, flag)) = flags.into_iter().find(|(name, _)| is(word, name)) else {
                let word = String::from_utf8_lossy(word);
                return Err(CmdError::text(format!("ERR Unsupported option {word}")));
            };
            *flag = true;
        }
        if found.absent && (found.present || found.later || found.earlier) {
            return Err(CmdError::fixed(
                "ERR NX and XX, GT or LT options at the same time are not compatible",
            ));
        }
        if found.later && found.earlier {
            return Err(CmdError::fixed(
                "ERR GT and LT options at the same time are not compatible",
            ));
        }
        Ok(found)
    }

    /// Whether `old` may become `new`; both in unix milliseconds.
    fn hold(self, old: Option<u64>, new: i64) -> bool {
        let is_later = |old: u64| u64::try_from(new).is_ok_and(|new| new > old);
        let is_earlier = |old: u64| u64::try_from(new).map_or(true, |new| new < old);
        !(self.absent && old.is_some()
            || self.present && old.is_none()
            || self.later && !old.is_some_and(is_later)
            || self.earlier && !old.is_none_or(is_earlier))
    }
}

/// The whole of the EXPIRE family.
///
/// Replies: 1 when the deadline was set or has removed the key. Effects: notifies `expire` or `del`.
fn set_deadline(ctx: &mut Ctx<'_>, args: &Args<'_>, unit: Unit) -> Outcome {
    let conditions = Conditions::read(args)?;
    let number = integer(args.get(2))?;
    let at = instant(ctx, number, unit);
    let at = at.ok_or_else(|| CmdError::InvalidExpire(ctx.command_name().into()))?;
    let key = ctx.key(args.get(1));
    let entry = ctx.keyspace.peek_db(ctx.db).find(&key);
    if !entry.is_some_and(|entry| conditions.hold(entry.deadline(), at)) {
        ctx.reply.integer(0);
        return Ok(());
    }
    match u64::try_from(at) {
        Ok(at) if !ctx.keyspace.is_past(at) => {
            let at = spread(ctx, at, unit);
            ctx.keyspace.db(ctx.db).set_deadline(&key, Some(at));
            ctx.notify(EventClasses::GENERIC, "expire", key.bytes);
            ctx.record(&[b"PEXPIREAT", key.bytes, Digits::of_u64(at).as_bytes()]);
        }
        // A deadline in the past removes at once.
        _ => {
            delete(ctx, &key);
            ctx.record(&[b"DEL", key.bytes]);
        }
    }
    ctx.reply.integer(1);
    Ok(())
}

/// Answers what `shown` makes of a key's deadline and the present; -1 without a deadline, -2
/// without a key.
fn reply_deadline(ctx: &mut Ctx<'_>, args: &Args<'_>, shown: fn(u64, u64) -> u64) -> Outcome {
    let key = ctx.key(args.get(1));
    let deadline = ctx
        .keyspace
        .peek_db(ctx.db)
        .inspect(&key)
        .map(|entry| entry.deadline());
    let answer = match deadline {
        None => {
            note_missing(ctx, &key);
            -2
        }
        Some(None) => -1,
        Some(Some(at)) => i64::try_from(shown(at, ctx.now.unix_ms())).unwrap_or(i64::MAX),
    };
    ctx.reply.integer(answer);
    Ok(())
}

/// Milliseconds as seconds, to the nearest.
fn in_seconds(millis: u64) -> u64 {
    millis.saturating_add(500) / 1000
}
