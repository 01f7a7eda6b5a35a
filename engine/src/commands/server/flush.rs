//! Emptying, exchanging and counting databases.

use crate::base::DbIndex;
use crate::base::number::parse_i64;
use crate::command::options::is;
use crate::command::spec::Categories;
use crate::command::{CmdError, Ctx, Flags, Group, Outcome, Spec};
use crate::resp::Args;

const COST: &str = "O(N) where N is the number of keys";

/// The rows.
pub const SPECS: &[Spec] = &[
    Spec::new("dbsize", 1, dbsize)
        .of(Group::Server, "1.0.0", "O(1)")
        .flags(Flags::READONLY.and(Flags::FAST))
        .categories(Categories::KEYSPACE)
        .tips(&["request_policy:all_shards", "response_policy:agg_sum"])
        .doc("", "Counts the keys of the selected database."),
    Spec::new("flushall", -1, flushall)
        .of(Group::Server, "1.0.0", COST)
        .flags(Flags::WRITE)
        .categories(Categories::KEYSPACE.and(Categories::DANGEROUS))
        .tips(&["request_policy:all_shards", "response_policy:all_succeeded"])
        .history(&[("4.0.0", "`ASYNC`."), ("6.2.0", "`SYNC`.")])
        .doc("[ASYNC | SYNC]", "Removes all keys of all databases."),
    Spec::new("flushdb", -1, flushdb)
        .of(Group::Server, "1.0.0", COST)
        .flags(Flags::WRITE)
        .categories(Categories::KEYSPACE.and(Categories::DANGEROUS))
        .tips(&["request_policy:all_shards", "response_policy:all_succeeded"])
        .history(&[("4.0.0", "`ASYNC`."), ("6.2.0", "`SYNC`.")])
        .doc(
            "[ASYNC | SYNC]",
            "Removes all keys of the selected database.",
        ),
    Spec::new("swapdb", 3, swapdb)
        .of(
            Group::Server,
            "4.0.0",
            "O(N) where N is the number of watched keys",
        )
        .flags(Flags::WRITE.and(Flags::FAST))
        .categories(Categories::KEYSPACE.and(Categories::DANGEROUS))
        .doc("index1 index2", "Exchanges the contents of two databases."),
];

/// DBSIZE
fn dbsize(ctx: &mut Ctx<'_>, _args: &Args<'_>) -> Outcome {
    ctx.reply.count(ctx.keyspace.peek_db(ctx.db).len());
    Ok(())
}

/// FLUSHALL [ASYNC | SYNC]
fn flushall(ctx: &mut Ctx<'_>, args: &Args<'_>) -> Outcome {
    let how = how(ctx, args)?;
    for db in 0..ctx.keyspace.count() {
        ctx.keyspace.flush(DbIndex(u32::try_from(db).unwrap_or(0)));
    }
    ctx.effects().settle_all = true;
    finish(ctx, how);
    // Nobody shall find in a snapshot what was removed; that this one fails is told there.
    let (persist, mut world) = ctx.saving();
    persist.kill_snapshot(&mut world);
    // While a log is loaded, the snapshot may well have what comes behind this in the log.
    if persist.load.is_none() && !persist.points(world.config).is_empty() {
        drop(persist.save_here(&mut world));
    }
    Ok(())
}

/// FLUSHDB [ASYNC | SYNC]
fn flushdb(ctx: &mut Ctx<'_>, args: &Args<'_>) -> Outcome {
    let how = how(ctx, args)?;
    ctx.keyspace.flush(ctx.db);
    finish(ctx, how);
    Ok(())
}

/// SWAPDB index1 index2
fn swapdb(ctx: &mut Ctx<'_>, args: &Args<'_>) -> Outcome {
    let index = |word, text| {
        let index = parse_i64(word).and_then(|index| i32::try_from(index).ok());
        index.ok_or(CmdError::fixed(text))
    };
    let first = index(args.get(1), "ERR invalid first DB index")?;
    let second = index(args.get(2), "ERR invalid second DB index")?;
    let known = |index: i32| {
        let db = u32::try_from(index).ok().map(DbIndex);
        db.filter(|db| db.index() < ctx.keyspace.count())
            .ok_or(CmdError::DbOutOfRange)
    };
    let (first, second) = (known(first)?, known(second)?);
    ctx.keyspace.swap(first, second);
    ctx.effects().settle_all = true;
    ctx.reply.ok();
    Ok(())
}

/// When removed values are destroyed.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
enum How {
    /// Before the reply.
    Sync,
    /// In slices, between other work.
    Async,
}

fn how(ctx: &Ctx<'_>, args: &Args<'_>) -> Result<How, CmdError> {
    match (args.len(), args.try_get(1)) {
        (1, _) if ctx.config.memory.lazyfree_lazy_user_flush => Ok(How::Async),
        (1, _) => Ok(How::Sync),
        (2, Some(word)) if is(word, "async") => Ok(How::Async),
        (2, Some(word)) if is(word, "sync") => Ok(How::Sync),
        _ => Err(CmdError::Syntax),
    }
}

/// Destroys what was removed, if it is not put off, and answers.
fn finish(ctx: &mut Ctx<'_>, how: How) {
    if how == How::Sync {
        // What is destroyed at once was not freed lazily.
        let counted = ctx.keyspace.stats.lazily_freed;
        while ctx.keyspace.free_some(u32::MAX) {}
        ctx.keyspace.stats.lazily_freed = counted;
    }
    ctx.reply.ok();
}
