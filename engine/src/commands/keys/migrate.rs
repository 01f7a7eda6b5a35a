//! Keys: moved to another server.

use super::note_missing;
use crate::base::{Endpoint, Micros};
use crate::command::ctx::BlockedOn;
use crate::command::migration::{Arriving, Leaving, Migration};
use crate::command::options::integer;
use crate::command::spec::{Begin, Find};
use crate::command::{
    Categories, CmdError, Ctx, Flags, Group, KeyFlags, Keys, Options, Outcome, Spec,
};
use crate::resp::Args;
use bytes::Bytes;

const LEAVES: KeyFlags = KeyFlags::RW.and(KeyFlags::ACCESS).and(KeyFlags::DELETE);
/// The patience with the other side when none is given, in milliseconds.
const TIMEOUT_MS: u64 = 1000;

/// The row.
pub const SPECS: &[Spec] = &[Spec::new("migrate", -6, migrate)
    .of(
        Group::Generic,
        "2.6.0",
        "O(N) where N is the size of the values in bytes, and what it costs to send them",
    )
    .flags(Flags::WRITE)
    .categories(Categories::DANGEROUS)
    .keys(&[
        Keys::at(3, LEAVES),
        Keys {
            flags: LEAVES.and(KeyFlags::INCOMPLETE),
            begin: Begin::Keyword("KEYS", -2),
            find: Find::Range {
                last: -1,
                step: 1,
                limit: 0,
            },
            notes: "",
        },
    ])
    .tips(&["nondeterministic_output"])
    .doc(
        "host port <key | \"\"> destination-db timeout [COPY] [REPLACE] \
         [AUTH password | AUTH2 username password] [KEYS key [key ...]]",
        "Moves keys to another server.",
    )
    .history(&[
        ("3.0.0", "`COPY` and `REPLACE`."),
        ("3.0.6", "`KEYS`."),
        ("4.0.7", "`AUTH`."),
        ("6.0.0", "`AUTH2`."),
    ])];

/// The options of MIGRATE.
#[derive(Debug)]
struct How {
    leaving: Leaving,
    arriving: Arriving,
    login: Vec<Bytes>,
    /// Where the names of the keys begin, when there may be several.
    keys: Option<usize>,
}

impl How {
    fn read(args: &Args<'_>) -> Result<Self, CmdError> {
        let mut how = Self {
            leaving: Leaving::Moved,
            arriving: Arriving::New,
            login: Vec::new(),
            keys: None,
        };
        let mut options = Options::from(args, 6);
        while options.left() > 0 {
            let at = options.position();
            if options.take("copy") {
                how.leaving = Leaving::Copied;
            } else if options.take("replace") {
                how.arriving = Arriving::Replacing;
            } else if options.left() > 1 && options.take("auth") {
                options.value()?;
                how.login = vec![args.keep(at + 1)];
            } else if options.left() > 2 && options.take("auth2") {
                options.value()?;
                options.value()?;
                how.login = vec![args.keep(at + 1), args.keep(at + 2)];
            } else if options.take("keys") {
                if !args.get(3).is_empty() {
                    return Err(CmdError::fixed(
                        "ERR When using MIGRATE KEYS option, the key argument must be set to the \
                         empty string",
                    ));
                }
                how.keys = Some(options.position());
                break;
            } else {
                return Err(CmdError::Syntax);
            }
        }
        Ok(how)
    }
}

/// MIGRATE host port <key | ""> destination-db timeout [COPY] [REPLACE]
/// [AUTH password | AUTH2 username password] [KEYS key [key ...]]
///
/// Replies: OK, or NOKEY when none of the keys is there. Errors: the first one that the other side
/// answers, or IOERR when nothing could be sent or heard for the length of the timeout.
///
/// The loop goes on meanwhile: this client waits, and so does whatever may write, as in a pause, so
/// that what is removed at the end is what was sent. Real servers stop altogether, and do so within
/// transactions and scripts as well; there, where nobody can wait, this one refuses. It looks up no
/// names of hosts, which takes as long as it takes. And where AUTH or SELECT may be refused it has the
/// other side's answer before the first key leaves; real servers send all at once, and so fill
/// database 0 when there is no such database.
fn migrate(ctx: &mut Ctx<'_>, args: &Args<'_>) -> Outcome {
    let how = How::read(args)?;
    let timeout = integer(args.get(5))?;
    let target_db = integer(args.get(4))?;
    let timeout_ms = u64::try_from(timeout).ok().filter(|millis| *millis > 0);
    if !ctx.may_block() {
        return Err(CmdError::fixed(
            "ERR MIGRATE waits for another server, and is not possible in a transaction or a script",
        ));
    }
    let keys = present(ctx, args, how.keys);
    if keys.is_empty() {
        ctx.reply.simple("NOKEY");
        return Ok(());
    }
    let peer = locate(ctx, args.get(1), args.get(2))?;
    let migration = Migration {
        peer,
        login: how.login,
        target_db,
        db: ctx.db,
        keys,
        leaving: how.leaving,
        arriving: how.arriving,
        timeout: Micros::from_millis(timeout_ms.unwrap_or(TIMEOUT_MS)),
    };
    let effects = ctx.effects();
    effects.migrate = Some(Box::new(migration));
    effects.block = Some((BlockedOn::Migration, None));
    Ok(())
}

/// Those of the keys that are there: the words from `first` on, or the one at its own place.
fn present(ctx: &mut Ctx<'_>, args: &Args<'_>, first: Option<usize>) -> Vec<Bytes> {
    let words = match first {
        Some(first) => first..args.len(),
        None => 3..4,
    };
    let mut found = Vec::new();
    for index in words {
        let key = ctx.keyspace.key(args.get(index));
        if ctx.keyspace.peek_db(ctx.db).read(&key).is_some() {
            found.push(args.keep(index));
        } else {
            note_missing(ctx, &key);
        }
    }
    found
}

/// Where the other server is.
fn locate(ctx: &mut Ctx<'_>, host: &[u8], port: &[u8]) -> Result<Endpoint, CmdError> {
    let words = (
        std::str::from_utf8(host).ok(),
        std::str::from_utf8(port).ok(),
    );
    let (Some(host), Some(Ok(port))) = (words.0, words.1.map(str::parse::<u16>)) else {
        let text = "IOERR error or timeout connecting to the client";
        return Err(CmdError::fixed(text));
    };
    ctx.host
        .locate(host, port)
        .map_err(|why| CmdError::text(format!("IOERR can't connect to the target: {why}")))
}
