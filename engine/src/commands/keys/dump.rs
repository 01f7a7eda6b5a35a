//! Keys: values as bytes that other servers understand.

use super::note_missing;
use crate::base::number::Digits;
use crate::codec::dump::{PayloadError, dump as payload_of, restore as restored};
use crate::codec::rdb::{Compression, Usage};
use crate::command::expire::{Unit, instant};
use crate::command::options::integer;
use crate::command::{
    Categories, CmdError, Ctx, Flags, Group, KeyFlags, Keys, Options, Outcome, Spec,
};
use crate::keyspace::{Deadline, EventClasses};
use crate::resp::Args;
use crate::value::restore::Limits;

/// The rows.
pub const SPECS: &[Spec] = &[
    Spec::new("dump", 2, dump)
        .of(
            Group::Generic,
            "2.6.0",
            "O(N) where N is the size of the value in bytes",
        )
        .flags(Flags::READONLY)
        .keys(&[Keys::first(KeyFlags::RO.and(KeyFlags::ACCESS))])
        .tips(&["nondeterministic_output"])
        .doc(
            "key",
            "Returns what a key holds as bytes that RESTORE understands.",
        ),
    Spec::new("restore", -4, restore)
        .of(
            Group::Generic,
            "2.6.0",
            "O(N) where N is the size of the value in bytes, times log(N) for a sorted set",
        )
        .flags(Flags::WRITE.and(Flags::DENYOOM))
        .categories(Categories::DANGEROUS)
        .keys(&[Keys::first(KeyFlags::OW.and(KeyFlags::UPDATE))])
        .doc(
            "key ttl serialized-value [REPLACE] [ABSTTL] [IDLETIME seconds] [FREQ frequency]",
            "Makes a key of what DUMP has returned.",
        )
        .history(&[
            ("3.0.0", "`REPLACE`."),
            ("5.0.0", "`ABSTTL`, `IDLETIME` and `FREQ`."),
        ]),
];

/// DUMP key
///
/// Replies: the payload, or null when the key is not there.
fn dump(ctx: &mut Ctx<'_>, args: &Args<'_>) -> Outcome {
    let key = ctx.key(args.get(1));
    let compression = if ctx.config.persistence.rdbcompression {
        Compression::On
    } else {
        Compression::Off
    };
    let Some(entry) = ctx.keyspace.peek_db(ctx.db).read(&key) else {
        ctx.reply.null();
        note_missing(ctx, &key);
        return Ok(());
    };
    let payload = payload_of(entry, compression);
    ctx.reply.bulk(&payload);
    Ok(())
}

/// The options of RESTORE.
#[derive(Clone, Copy, Debug, Default)]
struct How {
    replaces: bool,
    is_absolute: bool,
    idle_secs: Option<u64>,
    frequency: Option<u8>,
}

impl How {
    fn read(args: &Args<'_>) -> Result<Self, CmdError> {
        let mut how = Self::default();
        let mut options = Options::from(args, 4);
        while options.left() > 0 {
            if options.take("replace") {
                how.replaces = true;
            } else if options.take("absttl") {
                how.is_absolute = true;
            } else if options.left() > 1 && how.frequency.is_none() && options.take("idletime") {
                let secs = u64::try_from(options.integer()?);
                how.idle_secs =
                    Some(secs.map_err(|_| {
                        CmdError::fixed("ERR Invalid IDLETIME value, must be >= 0")
                    })?);
            } else if options.left() > 1 && how.idle_secs.is_none() && options.take("freq") {
                let frequency = u8::try_from(options.integer()?);
                how.frequency = Some(frequency.map_err(|_| {
                    CmdError::fixed("ERR Invalid FREQ value, must be >= 0 and <= 255")
                })?);
            } else {
                return Err(CmdError::Syntax);
            }
        }
        Ok(how)
    }
}

/// RESTORE key ttl payload [REPLACE] [ABSTTL] [IDLETIME seconds] [FREQ frequency]
///
/// Errors: a key that is there without REPLACE, a payload that is damaged in any way. Effects:
/// notifies `restore`, or `del` when a key is replaced by nothing because the deadline has passed.
fn restore(ctx: &mut Ctx<'_>, args: &Args<'_>) -> Outcome {
    let how = How::read(args)?;
    let key = ctx.key(args.get(1));
    let is_there = ctx.keyspace.peek_db(ctx.db).find(&key).is_some();
    if is_there && !how.replaces {
        return Err(CmdError::fixed("BUSYKEY Target key name already exists."));
    }
    let ttl = integer(args.get(2))?;
    if ttl < 0 {
        return Err(CmdError::fixed("ERR Invalid TTL value, must be >= 0"));
    }
    let limits = Limits::of(&ctx.config.encodings, ctx.keyspace.hasher());
    let value = restored(args.get(3), limits).map_err(|error| match error {
        PayloadError::Footer => CmdError::fixed("ERR DUMP payload version or checksum are wrong"),
        PayloadError::Value(_) => CmdError::fixed("ERR Bad data format"),
    })?;
    let unit = if how.is_absolute {
        Unit::PXAT
    } else {
        Unit::PX
    };
    let deadline = match (ttl > 0).then(|| instant(ctx, ttl, unit)) {
        None => Deadline::Clear,
        // What lies beyond all time never comes.
        Some(at) => Deadline::At(u64::try_from(at.unwrap_or(i64::MAX)).unwrap_or(0)),
    };
    if matches!(deadline, Deadline::At(at) if ctx.keyspace.is_past(at)) {
        if is_there {
            super::delete(ctx, &key);
            ctx.record(&[b"DEL", key.bytes]);
        }
        ctx.reply.ok();
        return Ok(());
    }
    if let Deadline::At(at) = deadline {
        let at = Digits::of_u64(at);
        let words = [
            b"RESTORE",
            key.bytes,
            at.as_bytes(),
            args.get(3),
            b"ABSTTL",
            b"REPLACE",
        ];
        ctx.record(&words[..5 + usize::from(how.replaces)]);
    }
    let db = ctx.keyspace.db(ctx.db);
    value.put(|tag, body| db.put(&key, tag, body, deadline));
    let idle = how.idle_secs.map(Usage::Idle);
    if let Some(usage) = idle.or(how.frequency.map(Usage::Frequency)) {
        ctx.keyspace.peek_db(ctx.db).set_usage(&key, usage);
    }
    ctx.notify(EventClasses::NEW, "new", key.bytes);
    ctx.notify(EventClasses::GENERIC, "restore", key.bytes);
    ctx.reply.ok();
    Ok(())
}
