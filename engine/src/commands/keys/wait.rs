//! WAIT and WAITAOF: until others have what this connection has written.

use crate::base::Micros;
use crate::base::number::parse_i64;
use crate::command::ctx::{BlockedOn, NO_LOG};
use crate::command::options::{integer, integer_within};
use crate::command::spec::Handler;
use crate::command::{Categories, CmdError, Ctx, Flags, Group, Outcome, Spec};
use crate::resp::Args;

const fn row(name: &'static str, arity: i16, run: Handler, since: &'static str) -> Spec {
    Spec::new(name, arity, run)
        .of(Group::Generic, since, "O(1)")
        .flags(Flags::BLOCKING)
        .categories(Categories::CONNECTION)
        .tips(&["request_policy:all_shards", "response_policy:agg_min"])
}

/// The rows.
pub const SPECS: &[Spec] = &[
    row("wait", 3, wait, "3.0.0").doc(
        "numreplicas timeout",
        "Waits until so many replicas have everything that this connection has written.",
    ),
    row("waitaof", 4, waitaof, "7.2.0").doc(
        "numlocal numreplicas timeout",
        "Waits until everything that this connection has written is on disk here and there.",
    ),
];

/// WAIT numreplicas timeout
///
/// Replies: how many replicas have it, which may be fewer when the time is up. There are no replicas.
fn wait(ctx: &mut Ctx<'_>, args: &Args<'_>) -> Outcome {
    let wanted = integer(args.get(1))?;
    let deadline = deadline_of(ctx, args.get(2))?;
    match u64::try_from(wanted) {
        Ok(wanted @ 1..) if ctx.may_block() => {
            ctx.effects().block = Some((BlockedOn::Replicas { wanted }, deadline));
        }
        _ => ctx.reply.integer(0),
    }
    Ok(())
}

/// WAITAOF numlocal numreplicas timeout
///
/// Replies: whether it is on disk here (0 or 1), and on how many replicas' disks.
fn waitaof(ctx: &mut Ctx<'_>, args: &Args<'_>) -> Outcome {
    let local = u64::try_from(integer_within(args.get(1), 0, 1)?).unwrap_or(0);
    let replicas = parse_i64(args.get(2)).and_then(|count| u64::try_from(count).ok());
    let replicas = replicas.ok_or(CmdError::NotPositive)?;
    let deadline = deadline_of(ctx, args.get(3))?;
    if local > 0 && !ctx.config.persistence.appendonly {
        return Err(CmdError::fixed(NO_LOG));
    }
    let offset = ctx.session().last_write;
    let is_durable = ctx.persist.keeps_log() && ctx.persist.progress().durable >= offset;
    let is_done = replicas == 0 && (local == 0 || is_durable);
    if !is_done && ctx.may_block() {
        let on = BlockedOn::Durability {
            offset,
            local,
            replicas,
        };
        ctx.effects().block = Some((on, deadline));
    } else {
        ctx.reply.array(2);
        ctx.reply.integer(i64::from(is_durable));
        ctx.reply.integer(0);
    }
    Ok(())
}

/// When the time is up that `word` spells in milliseconds; `None` for 0, which is never.
fn deadline_of(ctx: &Ctx<'_>, word: &[u8]) -> Result<Option<Micros>, CmdError> {
    let millis = parse_i64(word).ok_or(CmdError::fixed(
        "ERR timeout is not an integer or out of range",
    ))?;
    let millis = u64::try_from(millis).map_err(|_| CmdError::fixed("ERR timeout is negative"))?;
    if ctx.now.unix_ms().saturating_add(millis) > i64::MAX.unsigned_abs() {
        return Err(CmdError::fixed("ERR timeout is out of range"));
    }
    Ok((millis > 0).then(|| ctx.now.monotonic.plus(Micros::from_millis(millis))))
}
