//! Keys: renamed, moved and copied, with all that they hold.

use super::note_missing;
use crate::base::DbIndex;
use crate::command::options::db_index;
use crate::command::{CmdError, Ctx, Flags, Group, KeyFlags, Keys, Options, Outcome, Spec};
use crate::conn::SessionFlags;
use crate::keyspace::{Contents, EventClasses, Key};
use crate::resp::Args;

const LEAVES: KeyFlags = KeyFlags::RW.and(KeyFlags::ACCESS).and(KeyFlags::DELETE);
const OVERWRITTEN: KeyFlags = KeyFlags::OW.and(KeyFlags::UPDATE);
const INSERTED: KeyFlags = KeyFlags::OW.and(KeyFlags::INSERT);

/// The rows.
pub const SPECS: &[Spec] = &[
    Spec::new("copy", -3, copy)
        .of(
            Group::Generic,
            "6.2.0",
            "O(N) for a collection of N elements, O(1) for a string",
        )
        .flags(Flags::WRITE.and(Flags::DENYOOM))
        .keys(&[
            Keys::at(1, KeyFlags::RO.and(KeyFlags::ACCESS)),
            Keys::at(2, OVERWRITTEN),
        ])
        .doc(
            "source destination [DB destination-db] [REPLACE]",
            "Copies what a key holds.",
        ),
    Spec::new("move", 3, move_key)
        .of(Group::Generic, "1.0.0", "O(1)")
        .flags(Flags::WRITE.and(Flags::FAST))
        .keys(&[Keys::first(
            KeyFlags::RW.and(KeyFlags::ACCESS).and(KeyFlags::UPDATE),
        )])
        .doc("key db", "Moves a key to another database."),
    Spec::new("rename", 3, rename)
        .of(
            Group::Generic,
            "1.0.0",
            "O(1), and what destroying the overwritten value costs",
        )
        .flags(Flags::WRITE)
        .keys(&[Keys::at(1, LEAVES), Keys::at(2, OVERWRITTEN)])
        .doc(
            "key newkey",
            "Gives a key another name, whatever was there.",
        ),
    Spec::new("renamenx", 3, renamenx)
        .of(Group::Generic, "1.0.0", "O(1)")
        .flags(Flags::WRITE.and(Flags::FAST))
        .keys(&[Keys::at(1, LEAVES), Keys::at(2, INSERTED)])
        .doc("key newkey", "Gives a key another name that is not taken.")
        .history(&[("3.2.0", "No error when both names are the same.")]),
];

/// COPY source destination [DB destination-db] [REPLACE]
///
/// Replies: 1 when it was copied. Effects: notifies `copy_to` for the destination.
fn copy(ctx: &mut Ctx<'_>, args: &Args<'_>) -> Outcome {
    let mut to_db = ctx.db;
    let mut replaces = false;
    let mut options = Options::from(args, 3);
    while options.left() > 0 {
        if options.take("replace") {
            replaces = true;
        } else if options.left() > 1 && options.take("db") {
            to_db = db_index(ctx, options.value()?)?;
        } else {
            return Err(CmdError::Syntax);
        }
    }
    let (from, to) = (ctx.key(args.get(1)), ctx.key(args.get(2)));
    if to_db == ctx.db && from.bytes == to.bytes {
        return Err(CmdError::SameObject);
    }
    let Some(source) = ctx.keyspace.peek_db(ctx.db).read(&from) else {
        note_missing(ctx, &from);
        ctx.reply.integer(0);
        return Ok(());
    };
    if !replaces && ctx.keyspace.peek_db(to_db).find(&to).is_some() {
        ctx.reply.integer(0);
        return Ok(());
    }
    let contents = Contents::copy_of(source);
    ctx.keyspace.db(to_db).place(&to, contents);
    ctx.keyspace
        .notify(EventClasses::NEW, "new", to_db, to.bytes);
    ctx.keyspace
        .notify(EventClasses::GENERIC, "copy_to", to_db, to.bytes);
    settle_other(ctx, to_db);
    ctx.reply.integer(1);
    Ok(())
}

/// MOVE key db
///
/// Replies: 1 when it was moved; 0 when it is absent here or present there. Effects: notifies
/// `move_from` here and `move_to` there.
fn move_key(ctx: &mut Ctx<'_>, args: &Args<'_>) -> Outcome {
    let to_db = db_index(ctx, args.get(2))?;
    if to_db == ctx.db {
        return Err(CmdError::SameObject);
    }
    let key = ctx.key(args.get(1));
    let is_here = ctx.keyspace.peek_db(ctx.db).find(&key).is_some();
    if !is_here || ctx.keyspace.peek_db(to_db).find(&key).is_some() {
        ctx.reply.integer(0);
        return Ok(());
    }
    let contents = ctx
        .keyspace
        .db(ctx.db)
        .take(&key)
        .expect("the key was just found");
    ctx.keyspace.db(to_db).place(&key, contents);
    ctx.keyspace
        .notify(EventClasses::NEW, "new", to_db, key.bytes);
    ctx.notify(EventClasses::GENERIC, "move_from", key.bytes);
    ctx.keyspace
        .notify(EventClasses::GENERIC, "move_to", to_db, key.bytes);
    settle_other(ctx, to_db);
    ctx.reply.integer(1);
    Ok(())
}

/// RENAME key newkey
///
/// Effects: notifies `rename_from` and `rename_to`; nothing when the names are the same.
fn rename(ctx: &mut Ctx<'_>, args: &Args<'_>) -> Outcome {
    let (from, to) = source_and_target(ctx, args)?;
    if from.bytes != to.bytes {
        move_within(ctx, &from, &to);
    }
    ctx.reply.ok();
    Ok(())
}

/// RENAMENX key newkey
///
/// Replies: 1 when it was renamed, 0 when the new name is taken.
fn renamenx(ctx: &mut Ctx<'_>, args: &Args<'_>) -> Outcome {
    let (from, to) = source_and_target(ctx, args)?;
    let is_free = from.bytes != to.bytes && ctx.keyspace.peek_db(ctx.db).find(&to).is_none();
    if is_free {
        move_within(ctx, &from, &to);
    }
    ctx.reply.integer(i64::from(is_free));
    Ok(())
}

/// Both keys of a RENAME whose first one is there.
fn source_and_target<'a>(ctx: &Ctx<'_>, args: &Args<'a>) -> Result<(Key<'a>, Key<'a>), CmdError> {
    let (from, to) = (ctx.key(args.get(1)), ctx.key(args.get(2)));
    if ctx.keyspace.peek_db(ctx.db).find(&from).is_none() {
        return Err(CmdError::NoSuchKey);
    }
    Ok((from, to))
}

fn move_within(ctx: &mut Ctx<'_>, from: &Key<'_>, to: &Key<'_>) {
    let db = ctx.keyspace.db(ctx.db);
    let contents = db.take(from).expect("the key was just found");
    db.place(to, contents);
    ctx.notify(EventClasses::NEW, "new", to.bytes);
    ctx.notify(EventClasses::GENERIC, "rename_from", from.bytes);
    ctx.notify(EventClasses::GENERIC, "rename_to", to.bytes);
}

/// Carries on what a command has left behind in a database that is not the selected one.
fn settle_other(ctx: &mut Ctx<'_>, db: DbIndex) {
    let mut watchers = Vec::new();
    ctx.keyspace.settle(db, &mut watchers);
    for conn in watchers {
        if let Some(conn) = ctx.clients.get_mut(conn) {
            conn.session.flags.set(SessionFlags::DIRTY_WATCH);
        }
    }
}
