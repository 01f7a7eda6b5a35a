//! Modes of a connection that several families enter and leave: watching, subscribed.

use super::Ctx;
use crate::base::map::Set;
use crate::conn::{SessionFlags, Subscriptions};
use crate::pubsub::Topic;
use bytes::Bytes;

/// Forgets every watched key.
pub fn unwatch_all(ctx: &mut Ctx<'_>) {
    let conn = ctx.conn;
    let session = ctx.session();
    session.flags.clear(SessionFlags::DIRTY_WATCH);
    if session.watched.is_empty() {
        return;
    }
    session.watched_bytes = 0;
    for watched in std::mem::take(&mut session.watched) {
        ctx.keyspace.db(watched.db).unwatch(&watched.key, conn);
    }
    ctx.clients.weigh(conn);
}

/// The set of `topic` among a connection's subscriptions.
#[must_use]
pub fn set_of(subs: &mut Subscriptions, topic: Topic) -> &mut Set<Bytes> {
    match topic {
        Topic::Channel => &mut subs.channels,
        Topic::Pattern => &mut subs.patterns,
        Topic::Shard => &mut subs.shard_channels,
    }
}

/// Ends one subscription of the asking connection, if there is one.
pub fn unsubscribe(ctx: &mut Ctx<'_>, topic: Topic, name: &[u8]) {
    let conn = ctx.conn;
    let Some(subs) = ctx.session().subscriptions.as_mut() else {
        return;
    };
    if set_of(subs, topic).remove(name) {
        subs.names_bytes -= name.len();
        ctx.pubsub.unsubscribe(topic, name, conn);
        update_subscribed(ctx);
    }
}

/// Sets or clears the subscribed mode, and counts the connection accordingly.
pub fn update_subscribed(ctx: &mut Ctx<'_>) {
    let session = ctx.session();
    let any = session.subscription_counts() != (0, 0, 0);
    let was = session.flags.has(SessionFlags::PUBSUB);
    session.flags.put(SessionFlags::PUBSUB, any);
    if !any {
        session.subscriptions = None;
    }
    match (was, any) {
        (false, true) => ctx.pubsub.subscribers += 1,
        (true, false) => ctx.pubsub.subscribers -= 1,
        _ => {}
    }
    ctx.clients.weigh(ctx.conn);
}

/// Ends all subscriptions without a word, as RESET does.
pub fn unsubscribe_all(ctx: &mut Ctx<'_>) {
    for topic in [Topic::Channel, Topic::Pattern, Topic::Shard] {
        let subs = ctx.session().subscriptions.as_mut();
        let mut names: Vec<Bytes> = subs
            .map(|subs| set_of(subs, topic).iter().cloned().collect())
            .unwrap_or_default();
        names.sort_unstable();
        for name in names {
            unsubscribe(ctx, topic, &name);
        }
    }
}
