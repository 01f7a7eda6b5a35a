//! ACL, as far as it goes without users: who one is, and which categories there are.

use crate::command::spec::Categories;
use crate::command::{CmdError, Ctx, Flags, Group, Outcome, Spec};
use crate::resp::Args;

const ANYONE: Flags = Flags::NOSCRIPT.and(Flags::LOADING).and(Flags::STALE);

/// The rows.
pub const SPECS: &[Spec] = &[Spec::new("acl", -2, super::bare)
    .of(Group::Server, "6.0.0", "Depends on the subcommand")
    .doc("", "Tells who may do what.")
    .subcommands(&[
        Spec::new("cat", -2, cat)
            .of(
                Group::Server,
                "6.0.0",
                "O(N) where N is the number of commands",
            )
            .flags(ANYONE)
            .doc(
                "[category]",
                "Lists the categories, or the commands of one.",
            ),
        Spec::new("help", 2, help)
            .of(Group::Server, "6.0.0", "O(1)")
            .flags(super::ALWAYS)
            .doc("", "Explains the subcommands."),
        Spec::new("whoami", 2, whoami)
            .of(Group::Server, "6.0.0", "O(1)")
            .flags(ANYONE)
            .doc("", "Returns the connection's user."),
    ])];

/// ACL CAT [category]
fn cat(ctx: &mut Ctx<'_>, args: &Args<'_>) -> Outcome {
    if args.len() > 3 {
        return Err(super::bad_usage(ctx, args));
    }
    let Some(word) = args.try_get(2) else {
        ctx.reply.array(Categories::NAMES.len());
        for (_, name) in Categories::NAMES {
            ctx.reply.bulk(name.as_bytes());
        }
        return Ok(());
    };
    let found = Categories::NAMES
        .iter()
        .find(|(_, name)| word.eq_ignore_ascii_case(name.as_bytes()));
    let Some((category, _)) = found else {
        let word = String::from_utf8_lossy(word);
        return Err(CmdError::text(format!("ERR Unknown category '{word}'")));
    };
    let commands = ctx.commands;
    let rows = commands
        .rows()
        .filter(|(_, row)| row.spec.all_categories().has(*category));
    let names: Vec<&str> = rows.map(|(_, row)| &*row.full_name).collect();
    ctx.reply.array(names.len());
    for name in names {
        ctx.reply.bulk(name.as_bytes());
    }
    Ok(())
}

/// ACL HELP
fn help(ctx: &mut Ctx<'_>, _args: &Args<'_>) -> Outcome {
    crate::command::docs::help(ctx, "acl");
    Ok(())
}

/// ACL WHOAMI
fn whoami(ctx: &mut Ctx<'_>, _args: &Args<'_>) -> Outcome {
    let user = ctx.session().user.clone();
    ctx.reply.bulk(&user);
    Ok(())
}
