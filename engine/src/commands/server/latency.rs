//! LATENCY: events that took long, and how long commands take.

use crate::command::spec::Handler;
use crate::command::{CmdError, CommandId, Ctx, Group, Outcome, Spec};
use crate::observe::latency::EventTimes;
use crate::resp::Args;

const MANY: &str = "nondeterministic_output";
const ALL_NODES: &str = "request_policy:all_nodes";
const SPECIAL: &str = "response_policy:special";

const fn sub(name: &'static str, arity: i16, run: Handler, cost: &'static str) -> Spec {
    Spec::new(name, arity, run)
        .of(Group::Server, "2.8.13", cost)
        .flags(super::ADMIN)
        .tips(&[MANY, ALL_NODES, SPECIAL])
}

/// The rows.
pub const SPECS: &[Spec] = &[Spec::new("latency", -2, super::bare)
    .of(Group::Server, "2.8.13", "Depends on the subcommand")
    .doc("", "Tells what took long.")
    .subcommands(&[
        sub("doctor", 2, doctor, "O(1)").doc("", "Says in words what took long, and what to do."),
        sub("graph", 3, graph, "O(1)").doc("event", "Draws the samples of an event."),
        sub("help", 2, help, "O(1)")
            .flags(super::ALWAYS)
            .tips(&[])
            .doc("", "Explains the subcommands."),
        sub(
            "histogram",
            -2,
            histogram,
            "O(N) where N is the number of commands",
        )
        .of(
            Group::Server,
            "7.0.0",
            "O(N) where N is the number of commands",
        )
        .doc(
            "[command [command ...]]",
            "Returns how the times of commands are spread.",
        ),
        sub("history", 3, history, "O(1)").doc("event", "Returns the samples of an event."),
        sub("latest", 2, latest, "O(1)").doc("", "Returns the last sample of every event."),
        sub("reset", -2, reset, "O(1)")
            .tips(&[ALL_NODES, "response_policy:agg_sum"])
            .doc(
                "[event [event ...]]",
                "Forgets the samples of events, or of all of them.",
            ),
    ])];

/// LATENCY DOCTOR
fn doctor(ctx: &mut Ctx<'_>, _args: &Args<'_>) -> Outcome {
    let text = report(ctx);
    ctx.reply.verbatim("txt", text.as_bytes());
    Ok(())
}

fn report(ctx: &Ctx<'_>) -> String {
    let monitor = &ctx.observed.latency;
    if monitor.threshold_ms() == 0 {
        return "Latency is not monitored. Set latency-monitor-threshold to the milliseconds from \
                which on an event counts as slow.\n"
            .to_owned();
    }
    if monitor.events().is_empty() {
        return "No event has been slow so far.\n".to_owned();
    }
    let mut text = String::from("These events were slow:\n");
    for times in monitor.events() {
        let mean = times.sum_ms / times.count.max(1);
        text.push_str(&format!(
            "* {}: {} times, {mean} ms on average, {} ms at most. {}\n",
            times.event,
            times.count,
            times.max_ms,
            advice(times.event)
        ));
    }
    text
}

fn advice(event: &str) -> &'static str {
    match event {
        "command" => "SLOWLOG GET shows which commands; ask for less at once, or use SCAN forms.",
        "fast-command" => "Fast commands are slowed by the machine: look for swapping and load.",
        "expire-cycle" => "Many keys expire together; spread their deadlines.",
        _ => "Look at what ran at these times: LATENCY HISTORY tells them.",
    }
}

/// LATENCY GRAPH event
fn graph(ctx: &mut Ctx<'_>, args: &Args<'_>) -> Outcome {
    let name = args.get(2);
    let Some(times) = ctx.observed.latency.event(name) else {
        let name = String::from_utf8_lossy(name);
        return Err(CmdError::text(format!(
            "ERR No samples available for event '{name}'"
        )));
    };
    let text = picture(times, ctx.now.unix_secs());
    ctx.reply.verbatim("txt", text.as_bytes());
    Ok(())
}

/// Rows of a graph.
const ROWS: u64 = 4;
/// Newest samples drawn.
const COLUMNS: usize = 80;

/// A column per sample, as high as its share of the longest; below, how long ago it was.
fn picture(times: &EventTimes, now: u64) -> String {
    let first = times.samples.len().saturating_sub(COLUMNS);
    let samples = &times.samples[first..];
    let highest = samples.iter().map(|(_, millis)| *millis).max().unwrap_or(0);
    let lowest = samples.iter().map(|(_, millis)| *millis).min().unwrap_or(0);
    let mut text = format!(
        "{} - high {highest} ms, low {lowest} ms (all time high {} ms)\n{}\n",
        times.event,
        times.max_ms,
        "-".repeat(COLUMNS)
    );
    let height = |millis: u32| u64::from(millis) * ROWS / u64::from(highest.max(1));
    for row in (1..=ROWS).rev() {
        let column = |(_, millis): &(u64, u32)| match height(*millis).max(1) {
            top if top == row => '#',
            top if top > row => '|',
            _ => ' ',
        };
        text.extend(samples.iter().map(column));
        text.push('\n');
    }
    text.push('\n');
    let ages: Vec<String> = samples
        .iter()
        .map(|(at, _)| age(now.saturating_sub(*at)))
        .collect();
    for line in 0..ages.iter().map(String::len).max().unwrap_or(0) {
        let letter = |age: &String| age.chars().nth(line).unwrap_or(' ');
        text.extend(ages.iter().map(letter));
        text.push('\n');
    }
    text
}

/// A span in its largest whole unit: `5s`, `3m`, `2h`, `1d`.
fn age(secs: u64) -> String {
    match secs {
        0..60 => format!("{secs}s"),
        60..3_600 => format!("{}m", secs / 60),
        3_600..86_400 => format!("{}h", secs / 3_600),
        _ => format!("{}d", secs / 86_400),
    }
}

/// LATENCY HELP
fn help(ctx: &mut Ctx<'_>, _args: &Args<'_>) -> Outcome {
    crate::command::docs::help(ctx, "latency");
    Ok(())
}

/// LATENCY HISTOGRAM [command [command ...]]
///
/// Replies: a map of commands to their calls and cumulative counts by microseconds. A container
/// stands for its subcommands; names that are no command, and commands never called, are left out.
fn histogram(ctx: &mut Ctx<'_>, args: &Args<'_>) -> Outcome {
    let commands = ctx.commands;
    let mut wanted: Vec<CommandId> = Vec::new();
    if args.len() == 2 {
        wanted.extend(commands.rows().map(|(id, _)| id));
    }
    for id in args
        .iter_from(2)
        .filter_map(|word| commands.find_full(word))
    {
        wanted.push(id);
        wanted.extend(&commands.row(id).subcommands);
    }
    let mut found = Vec::new();
    for id in wanted {
        if let Some(times) = &ctx.observed.commands[usize::from(id)].times {
            let name = &*commands.row(id).full_name;
            found.push((name, times.total(), times.by_micros()));
        }
    }
    let reply = &mut ctx.reply;
    let signed = |n: u64| i64::try_from(n).unwrap_or(i64::MAX);
    reply.map(found.len());
    for (name, calls, counts) in found {
        reply.bulk(name.as_bytes());
        reply.map(2);
        reply.bulk(b"calls");
        reply.integer(signed(calls));
        reply.bulk(b"histogram_usec");
        reply.map(counts.len());
        for (bound, count) in counts {
            reply.integer(signed(bound));
            reply.integer(signed(count));
        }
    }
    Ok(())
}

/// LATENCY HISTORY event
///
/// Replies: an array of pairs: unix seconds, milliseconds.
fn history(ctx: &mut Ctx<'_>, args: &Args<'_>) -> Outcome {
    let samples = ctx
        .observed
        .latency
        .event(args.get(2))
        .map_or(&[][..], |times| &times.samples);
    ctx.reply.array(samples.len());
    for (second, millis) in samples {
        ctx.reply.array(2);
        ctx.reply
            .integer(i64::try_from(*second).unwrap_or(i64::MAX));
        ctx.reply.integer(i64::from(*millis));
    }
    Ok(())
}

/// LATENCY LATEST
///
/// Replies: per event its name, the last sample's second and milliseconds, the maximum.
fn latest(ctx: &mut Ctx<'_>, _args: &Args<'_>) -> Outcome {
    let events = ctx.observed.latency.events();
    ctx.reply.array(events.len());
    for times in events {
        let (second, millis) = times.samples.last().copied().unwrap_or_default();
        ctx.reply.array(4);
        ctx.reply.bulk(times.event.as_bytes());
        ctx.reply.integer(i64::try_from(second).unwrap_or(i64::MAX));
        ctx.reply.integer(i64::from(millis));
        ctx.reply.integer(i64::from(times.max_ms));
    }
    Ok(())
}

/// LATENCY RESET [event [event ...]]
///
/// Replies: how many events were forgotten.
fn reset(ctx: &mut Ctx<'_>, args: &Args<'_>) -> Outcome {
    let names: Vec<&[u8]> = args.iter_from(2).collect();
    let forgotten = ctx.observed.latency.reset(&names);
    ctx.reply.count(forgotten);
    Ok(())
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_graph_has_a_column_per_sample() {
        let times = EventTimes {
            event: "command",
            samples: vec![(100, 10), (160, 40)],
            max_ms: 90,
            ..EventTimes::default()
        };
        let text = picture(&times, 165);
        let lines: Vec<&str> = text.lines().collect();
        assert_eq!(
            lines[0],
            "command - high 40 ms, low 10 ms (all time high 90 ms)"
        );
        assert_eq!(&lines[2..], [" #", " |", " |", "#|", "", "15", "ms"]);
    }
}
