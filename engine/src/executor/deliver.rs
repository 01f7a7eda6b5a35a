//! Writing to connections other than the one that runs: published messages, notifications, MONITOR.

use super::Runner;
use super::redact::redacted;
use crate::base::ConnId;
use crate::command::CommandId;
use crate::command::ctx::Publication;
use crate::command::spec::Flags;
use crate::conn::SessionFlags;
use crate::keyspace::{EventClasses, KeyEvent};
use crate::pubsub::Topic;
use crate::resp::{Args, OwnedArgs, Protocol, Reply, ReplyBuf};
use crate::seam::poller::Endpoint;
use bytes::Bytes;
use std::fmt::Write;

/// One message in both protocols, each made when first needed.
#[derive(Default)]
struct Encoded {
    resp2: ReplyBuf,
    resp3: ReplyBuf,
}

impl Encoded {
    fn in_protocol(&mut self, protocol: Protocol, words: &[&Bytes]) -> &ReplyBuf {
        let buf = match protocol {
            Protocol::Resp2 => &mut self.resp2,
            Protocol::Resp3 => &mut self.resp3,
        };
        if buf.is_empty() {
            let mut reply = Reply { buf, protocol };
            reply.push(words.len());
            for word in words {
                reply.bulk_shared(word);
            }
        }
        match protocol {
            Protocol::Resp2 => &self.resp2,
            Protocol::Resp3 => &self.resp3,
        }
    }
}

impl Runner<'_> {
    /// Delivers a message to all subscribers of its channel.
    pub(super) fn deliver(&mut self, publication: &Publication) {
        let Publication {
            topic,
            channel,
            message,
        } = publication;
        let kind = match topic {
            Topic::Shard => Bytes::from_static(b"smessage"),
            Topic::Channel | Topic::Pattern => Bytes::from_static(b"message"),
        };
        let direct = self.ctx.pubsub.subscribers(*topic, channel).to_vec();
        self.send_to_all(&direct, &[&kind, channel, message]);
        if *topic != Topic::Channel {
            return;
        }
        let matching: Vec<(Bytes, Vec<ConnId>)> = self
            .ctx
            .pubsub
            .matching(channel)
            .map(|(pattern, subscribers)| (pattern.clone(), subscribers.to_vec()))
            .collect();
        let kind = Bytes::from_static(b"pmessage");
        for (pattern, subscribers) in matching {
            self.send_to_all(&subscribers, &[&kind, &pattern, channel, message]);
        }
    }

    fn send_to_all(&mut self, subscribers: &[ConnId], words: &[&Bytes]) {
        let mut encoded = Encoded::default();
        for subscriber in subscribers {
            if *subscriber == self.ctx.conn {
                let message = encoded.in_protocol(self.ctx.reply.protocol, words);
                self.pushes.append_copy(message);
            } else if let Some(conn) = self.ctx.clients.output_of(*subscriber) {
                let message = encoded.in_protocol(conn.session.protocol, words);
                let before = conn.output.capacity();
                conn.output.append_copy(message);
                let now = conn.output.capacity();
                self.ctx.clients.note_replies(before, now);
            }
        }
    }

    /// Publishes the notifications that the keyspace has collected.
    #[cold]
    pub(super) fn publish_events(&mut self) {
        for event in std::mem::take(&mut self.ctx.keyspace.events) {
            self.publish_event(&event);
        }
    }

    fn publish_event(&mut self, event: &KeyEvent) {
        let wanted = self.ctx.keyspace.notify;
        let publish = |prefix: &str, name: &[u8], message: &[u8]| {
            let mut channel = format!("__{prefix}@{}__:", event.db.0).into_bytes();
            channel.extend_from_slice(name);
            let message = Bytes::copy_from_slice(message);
            Publication {
                topic: Topic::Channel,
                channel: channel.into(),
                message,
            }
        };
        if wanted.contains(EventClasses::KEYSPACE) {
            self.deliver(&publish("keyspace", &event.key, event.event.as_bytes()));
        }
        if wanted.contains(EventClasses::KEYEVENT) {
            self.deliver(&publish("keyevent", event.event.as_bytes(), &event.key));
        }
    }

    /// Shows a command to every MONITOR.
    #[cold]
    pub(super) fn tell_monitors(&mut self, command: CommandId, args: &Args<'_>) {
        let row = self.ctx.commands.row(command);
        let skipped = row.flags.has(Flags::SKIP_MONITOR.and(Flags::ADMIN));
        if skipped || self.ctx.clients.monitors.is_empty() {
            return;
        }
        let redacted = redacted(row, args);
        self.show_monitors(&redacted.as_ref().map_or(*args, OwnedArgs::args), None);
    }

    /// Shows a command of a script to every MONITOR.
    #[cold]
    pub(super) fn tell_monitors_of_script(&mut self, command: CommandId, args: &Args<'_>) {
        let row = self.ctx.commands.row(command);
        if !row.flags.has(Flags::SKIP_MONITOR.and(Flags::ADMIN)) {
            self.show_monitors(args, Some("lua"));
        }
    }

    /// Shows words to every MONITOR, as coming from `origin` instead of the connection's address.
    #[cold]
    pub(super) fn show_monitors(&mut self, args: &Args<'_>, origin: Option<&str>) {
        let line = self.monitor_line(args, origin);
        for monitor in self.ctx.clients.monitors.clone() {
            let conn = self.ctx.clients.get(monitor);
            if conn.is_none_or(|conn| conn.session.flags.has(SessionFlags::REPLY_OFF)) {
                continue;
            }
            if monitor == self.ctx.conn {
                self.pushes.tail().extend_from_slice(line.as_bytes());
            } else if let Some(conn) = self.ctx.clients.output_of(monitor) {
                let before = conn.output.capacity();
                conn.output.tail().extend_from_slice(line.as_bytes());
                let now = conn.output.capacity();
                self.ctx.clients.note_replies(before, now);
            }
        }
    }

    fn monitor_line(&mut self, args: &Args<'_>, origin: Option<&str>) -> String {
        let now = self.ctx.now.unix_us;
        let (secs, micros) = (now / 1_000_000, now % 1_000_000);
        let from = match &self.ctx.session().arrival.peer {
            _ if origin.is_some() => origin.unwrap_or_default().to_owned(),
            Endpoint::Unix(_) => {
                let Endpoint::Unix(path) = &self.ctx.session().arrival.local else {
                    return String::new();
                };
                format!("unix:{path}")
            }
            ip @ Endpoint::Ip(_) => ip.to_string(),
        };
        let mut line = format!("+{secs}.{micros:06} [{} {from}]", self.ctx.db.0);
        for word in args.iter_from(0) {
            line.push_str(" \"");
            for byte in word {
                match byte {
                    b'\\' | b'"' => line.extend(['\\', char::from(*byte)]),
                    b'\n' => line.push_str("\\n"),
                    b'\r' => line.push_str("\\r"),
                    b'\t' => line.push_str("\\t"),
                    0x07 => line.push_str("\\a"),
                    0x08 => line.push_str("\\b"),
                    b' '..=b'~' => line.push(char::from(*byte)),
                    _ => {
                        // Writing to a string cannot fail.
                        let _ = write!(line, "\\x{byte:02x}");
                    }
                }
            }
            line.push('"');
        }
        line.push_str("\r\n");
        line
    }
}
