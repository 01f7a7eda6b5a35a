//! Publish and subscribe: channels, patterns, shard channels.

use crate::base::glob::{self, CaseFold};
use crate::base::map;
use crate::command::ctx::Publication;
use crate::command::modes::{set_of, unsubscribe as remove_one, update_subscribed as update_mode};
use crate::command::spec::{Categories, Handler};
use crate::command::{CmdError, Ctx, Flags, Group, KeyFlags, Keys, Outcome, Spec};
use crate::conn::Subscriptions;
use crate::pubsub::Topic;
use crate::resp::Args;
use bytes::Bytes;

const LISTEN: Flags = Flags::PUBSUB
    .and(Flags::NOSCRIPT)
    .and(Flags::LOADING)
    .and(Flags::STALE);
const PUBLISH: Flags = Flags::PUBSUB
    .and(Flags::LOADING)
    .and(Flags::STALE)
    .and(Flags::FAST)
    .and(Flags::MAY_REPLICATE);
const ASK: Flags = Flags::PUBSUB.and(Flags::LOADING).and(Flags::STALE);

const fn listen(name: &'static str, arity: i16, run: Handler, since: &'static str) -> Spec {
    Spec::new(name, arity, run)
        .of(Group::Pubsub, since, "O(N) where N is the number of names")
        .flags(LISTEN)
        .categories(Categories::SLOW)
}

const fn ask(name: &'static str, arity: i16, run: Handler, since: &'static str) -> Spec {
    Spec::new(name, arity, run)
        .of(
            Group::Pubsub,
            since,
            "O(N) where N is the number of names looked at",
        )
        .flags(ASK)
}

/// The rows.
pub const SPECS: &[Spec] = &[
    listen("psubscribe", -2, psubscribe, "2.0.0").doc(
        "pattern [pattern ...]",
        "Listens to all channels whose names match patterns.",
    ),
    Spec::new("publish", 3, publish)
        .of(
            Group::Pubsub,
            "2.0.0",
            "O(N+M) where N is the number of subscribers, M of patterns",
        )
        .flags(PUBLISH)
        .doc(
            "channel message",
            "Sends a message to the subscribers of a channel.",
        ),
    Spec::new("pubsub", -2, unknown_subcommand)
        .of(Group::Pubsub, "2.8.0", "Depends on the subcommand")
        .doc("", "Tells who listens to what.")
        .subcommands(&[
            ask("channels", -2, channels, "2.8.0").doc(
                "[pattern]",
                "Lists the channels that anybody listens to by name.",
            ),
            Spec::new("help", 2, help)
                .of(Group::Pubsub, "6.2.0", "O(1)")
                .flags(Flags::LOADING.and(Flags::STALE))
                .doc("", "Explains the subcommands."),
            ask("numpat", 2, numpat, "2.8.0")
                .doc("", "Counts the distinct patterns that anybody listens to."),
            ask("numsub", -2, numsub, "2.8.0").doc(
                "[channel [channel ...]]",
                "Counts the subscribers of channels.",
            ),
            ask("shardchannels", -2, shard_channels, "7.0.0").doc(
                "[pattern]",
                "Lists the shard channels that anybody listens to.",
            ),
            ask("shardnumsub", -2, shard_numsub, "7.0.0").doc(
                "[shardchannel [shardchannel ...]]",
                "Counts subscribers of shard channels.",
            ),
        ]),
    listen("punsubscribe", -1, punsubscribe, "2.0.0").doc(
        "[pattern [pattern ...]]",
        "Stops listening to patterns, or to all of them.",
    ),
    Spec::new("spublish", 3, spublish)
        .of(
            Group::Pubsub,
            "7.0.0",
            "O(N) where N is the number of subscribers",
        )
        .flags(PUBLISH)
        .keys(&[Keys::first(KeyFlags::NOT_KEY)])
        .doc(
            "shardchannel message",
            "Sends a message to the subscribers of a shard channel.",
        ),
    listen("ssubscribe", -2, ssubscribe, "7.0.0")
        .keys(&[Keys::all(KeyFlags::NOT_KEY)])
        .doc(
            "shardchannel [shardchannel ...]",
            "Listens to shard channels.",
        ),
    listen("subscribe", -2, subscribe, "2.0.0")
        .doc("channel [channel ...]", "Listens to channels."),
    listen("sunsubscribe", -1, sunsubscribe, "7.0.0")
        .keys(&[Keys::all(KeyFlags::NOT_KEY)])
        .doc(
            "[shardchannel [shardchannel ...]]",
            "Stops listening to shard channels, or to all.",
        ),
    listen("unsubscribe", -1, unsubscribe, "2.0.0").doc(
        "[channel [channel ...]]",
        "Stops listening to channels, or to all of them.",
    ),
];

/// PSUBSCRIBE pattern [pattern ...]
fn psubscribe(ctx: &mut Ctx<'_>, args: &Args<'_>) -> Outcome {
    add_all(ctx, Topic::Pattern, args)
}

/// PUBLISH channel message
///
/// Replies: how many clients received it.
fn publish(ctx: &mut Ctx<'_>, args: &Args<'_>) -> Outcome {
    send(ctx, Topic::Channel, args)
}

/// PUBSUB without a subcommand that exists.
fn unknown_subcommand(_ctx: &mut Ctx<'_>, _args: &Args<'_>) -> Outcome {
    Err(CmdError::Arity("pubsub".into()))
}

/// PUBSUB CHANNELS [pattern]
fn channels(ctx: &mut Ctx<'_>, args: &Args<'_>) -> Outcome {
    list(ctx, Topic::Channel, args)
}

/// PUBSUB HELP
fn help(ctx: &mut Ctx<'_>, _args: &Args<'_>) -> Outcome {
    crate::command::docs::help(ctx, "pubsub");
    Ok(())
}

/// PUBSUB NUMPAT
fn numpat(ctx: &mut Ctx<'_>, _args: &Args<'_>) -> Outcome {
    ctx.reply.count(ctx.pubsub.count(Topic::Pattern));
    Ok(())
}

/// PUBSUB NUMSUB [channel [channel ...]]
fn numsub(ctx: &mut Ctx<'_>, args: &Args<'_>) -> Outcome {
    count_subscribers(ctx, Topic::Channel, args)
}

/// PUBSUB SHARDCHANNELS [pattern]
fn shard_channels(ctx: &mut Ctx<'_>, args: &Args<'_>) -> Outcome {
    list(ctx, Topic::Shard, args)
}

/// PUBSUB SHARDNUMSUB [shardchannel [shardchannel ...]]
fn shard_numsub(ctx: &mut Ctx<'_>, args: &Args<'_>) -> Outcome {
    count_subscribers(ctx, Topic::Shard, args)
}

/// PUNSUBSCRIBE [pattern [pattern ...]]
fn punsubscribe(ctx: &mut Ctx<'_>, args: &Args<'_>) -> Outcome {
    remove_named(ctx, Topic::Pattern, args)
}

/// SPUBLISH shardchannel message
fn spublish(ctx: &mut Ctx<'_>, args: &Args<'_>) -> Outcome {
    send(ctx, Topic::Shard, args)
}

/// SSUBSCRIBE shardchannel [shardchannel ...]
fn ssubscribe(ctx: &mut Ctx<'_>, args: &Args<'_>) -> Outcome {
    add_all(ctx, Topic::Shard, args)
}

/// SUBSCRIBE channel [channel ...]
fn subscribe(ctx: &mut Ctx<'_>, args: &Args<'_>) -> Outcome {
    add_all(ctx, Topic::Channel, args)
}

/// SUNSUBSCRIBE [shardchannel [shardchannel ...]]
fn sunsubscribe(ctx: &mut Ctx<'_>, args: &Args<'_>) -> Outcome {
    remove_named(ctx, Topic::Shard, args)
}

/// UNSUBSCRIBE [channel [channel ...]]
fn unsubscribe(ctx: &mut Ctx<'_>, args: &Args<'_>) -> Outcome {
    remove_named(ctx, Topic::Channel, args)
}

fn send(ctx: &mut Ctx<'_>, topic: Topic, args: &Args<'_>) -> Outcome {
    let receivers = ctx.pubsub.receivers(topic, args.get(1));
    if receivers > 0 {
        let (channel, message) = (args.keep(1), args.keep(2));
        ctx.effects().publish.push(Publication {
            topic,
            channel,
            message,
        });
    }
    ctx.reply.count(receivers);
    Ok(())
}

const fn verbs(topic: Topic) -> (&'static [u8], &'static [u8]) {
    match topic {
        Topic::Channel => (b"subscribe", b"unsubscribe"),
        Topic::Pattern => (b"psubscribe", b"punsubscribe"),
        Topic::Shard => (b"ssubscribe", b"sunsubscribe"),
    }
}

/// What a confirmation counts: channels and patterns, or shard channels.
fn total(ctx: &mut Ctx<'_>, topic: Topic) -> usize {
    let (channels, patterns, shards) = ctx.session().subscription_counts();
    if topic == Topic::Shard {
        shards
    } else {
        channels + patterns
    }
}

fn confirm(ctx: &mut Ctx<'_>, topic: Topic, verb: &[u8], name: Option<&[u8]>) {
    let total = total(ctx, topic);
    ctx.reply.push(3);
    ctx.reply.bulk(verb);
    match name {
        Some(name) => ctx.reply.bulk(name),
        None => ctx.reply.null(),
    }
    ctx.reply.count(total);
}

fn add_all(ctx: &mut Ctx<'_>, topic: Topic, args: &Args<'_>) -> Outcome {
    let seed = ctx.rng.bits();
    for index in 1..args.len() {
        let name = args.keep(index);
        let conn = ctx.conn;
        let subs = ctx.session().subscriptions.get_or_insert_with(|| {
            Box::new(Subscriptions {
                channels: map::set(seed),
                patterns: map::set(seed),
                shard_channels: map::set(seed),
                names_bytes: 0,
            })
        });
        if set_of(subs, topic).insert(name.clone()) {
            subs.names_bytes += name.len();
            ctx.pubsub.subscribe(topic, &name, conn);
        }
        update_mode(ctx);
        confirm(ctx, topic, verbs(topic).0, Some(&name));
    }
    Ok(())
}

/// Removes the named subscriptions, or all of this kind, and confirms each.
fn remove_named(ctx: &mut Ctx<'_>, topic: Topic, args: &Args<'_>) -> Outcome {
    if args.len() == 1 {
        remove_all(ctx, topic);
        return Ok(());
    }
    for name in args.iter_from(1) {
        remove_one(ctx, topic, name);
        confirm(ctx, topic, verbs(topic).1, Some(name));
    }
    Ok(())
}

fn remove_all(ctx: &mut Ctx<'_>, topic: Topic) {
    let subs = ctx.session().subscriptions.as_mut();
    let mut names: Vec<Bytes> = subs
        .map(|subs| set_of(subs, topic).iter().cloned().collect())
        .unwrap_or_default();
    names.sort_unstable();
    if names.is_empty() {
        confirm(ctx, topic, verbs(topic).1, None);
    }
    for name in names {
        remove_one(ctx, topic, &name);
        confirm(ctx, topic, verbs(topic).1, Some(&name));
    }
}

fn list(ctx: &mut Ctx<'_>, topic: Topic, args: &Args<'_>) -> Outcome {
    if args.len() > 3 {
        let text: [&[u8]; 3] = [
            b"ERR unknown subcommand or wrong number of arguments for '",
            args.get(1),
            b"'. Try PUBSUB HELP.",
        ];
        return Err(CmdError::Bytes(text.concat().into()));
    }
    let pattern = args.try_get(2);
    let names = ctx.pubsub.names(topic);
    let matches = |name: &&&Bytes| {
        pattern.is_none_or(|pattern| glob::matches(pattern, name, CaseFold::Sensitive))
    };
    let found: Vec<&&Bytes> = names.iter().filter(matches).collect();
    ctx.reply.array(found.len());
    for name in found {
        ctx.reply.bulk(name);
    }
    Ok(())
}

fn count_subscribers(ctx: &mut Ctx<'_>, topic: Topic, args: &Args<'_>) -> Outcome {
    ctx.reply.array((args.len() - 2) * 2);
    for name in args.iter_from(2) {
        ctx.reply.bulk(name);
        ctx.reply.count(ctx.pubsub.subscribers(topic, name).len());
    }
    Ok(())
}
