//! Small things: TIME, ROLE, MONITOR, MODULE.

use crate::command::spec::Categories;
use crate::command::{CmdError, Ctx, Flags, Group, Outcome, Spec};
use crate::conn::SessionFlags;
use crate::resp::Args;

/// The rows.
pub const SPECS: &[Spec] = &[
    Spec::new("module", -2, super::bare)
        .of(Group::Server, "4.0.0", "Depends on the subcommand")
        .doc("", "Looks after modules, of which there are none.")
        .subcommands(&[
            Spec::new("help", 2, module_help)
                .of(Group::Server, "5.0.0", "O(1)")
                .flags(super::ALWAYS)
                .doc("", "Explains the subcommands."),
            Spec::new("list", 2, module_list)
                .of(Group::Server, "4.0.0", "O(1)")
                .flags(Flags::ADMIN.and(Flags::NOSCRIPT))
                .tips(&["nondeterministic_output_order"])
                .doc("", "Lists the modules, of which there are none."),
        ]),
    Spec::new("monitor", 1, monitor)
        .of(Group::Server, "1.0.0", "O(1)")
        .flags(super::ADMIN)
        .doc("", "Shows every command that the server runs from now on."),
    Spec::new("role", 1, role)
        .of(Group::Server, "2.8.12", "O(1)")
        .flags(Flags::NOSCRIPT.and(super::ALWAYS).and(Flags::FAST))
        .categories(Categories::ADMIN.and(Categories::DANGEROUS))
        .doc("", "Tells the server's part in replication."),
    Spec::new("time", 1, time)
        .of(Group::Server, "2.6.0", "O(1)")
        .flags(super::ALWAYS.and(Flags::FAST))
        .tips(&["nondeterministic_output"])
        .doc(
            "",
            "Tells the server's time: unix seconds, and microseconds of the second.",
        ),
];

/// MODULE HELP
fn module_help(ctx: &mut Ctx<'_>, _args: &Args<'_>) -> Outcome {
    crate::command::docs::help(ctx, "module");
    Ok(())
}

/// MODULE LIST
fn module_list(ctx: &mut Ctx<'_>, _args: &Args<'_>) -> Outcome {
    ctx.reply.array(0);
    Ok(())
}

/// MONITOR
fn monitor(ctx: &mut Ctx<'_>, _args: &Args<'_>) -> Outcome {
    let conn = ctx.conn;
    let session = ctx.session();
    if session.flags.has(SessionFlags::EXECUTING) {
        return Err(CmdError::fixed(
            "ERR MONITOR isn't allowed for DENY BLOCKING client",
        ));
    }
    session.flags.set(SessionFlags::MONITOR);
    if !ctx.clients.monitors.contains(&conn) {
        ctx.clients.monitors.push(conn);
    }
    ctx.reply.ok();
    Ok(())
}

/// ROLE
fn role(ctx: &mut Ctx<'_>, _args: &Args<'_>) -> Outcome {
    ctx.reply.array(3);
    ctx.reply.bulk(b"master");
    ctx.reply.integer(0);
    ctx.reply.array(0);
    Ok(())
}

/// TIME
fn time(ctx: &mut Ctx<'_>, _args: &Args<'_>) -> Outcome {
    let micros = ctx.now.unix_us;
    ctx.reply.array(2);
    ctx.reply.bulk((micros / 1_000_000).to_string().as_bytes());
    ctx.reply.bulk((micros % 1_000_000).to_string().as_bytes());
    Ok(())
}
