//! A log: its commands, in order, each transaction at once or not at all.

use super::snapshot::pause;
use super::source::PartSource;
use super::{LOADER, Loaded, Loading, Slice};
use crate::base::Now;
use crate::codec::aof::{Item, LogError, Reader, Tail};
use crate::codec::rdb::Source as _;
use crate::command::spec::Flags;
use crate::command::{CmdError, CommandId};
use crate::executor::{Engine, Runner};
use crate::resp::{Args, OwnedArgs, ReplyBuf};
use crate::seam::host::LogLevel;
use crate::seam::machine::Outbox;
use crate::seam::persistence::LogEnd;

/// Longest part of an unknown command that is told.
const WORD_SHOWN_MAX: usize = 64;
/// Failing commands that are told one by one.
const FAILURES_TOLD: u64 = 8;
/// Replies are thrown away when there are so many bytes of them.
const REPLY_BYTES_MAX: usize = 16 << 10;

/// A log that is read.
pub(super) struct LogPart {
    source: PartSource,
    reader: Reader,
    /// The transaction that has begun and not ended: its commands.
    queue: Option<Vec<(CommandId, OwnedArgs)>>,
}

impl LogPart {
    /// Reads `source` from its beginning; words may be as long as `limit`.
    pub(super) fn new(source: PartSource, limit: u64) -> Self {
        Self::behind(source, 0, &[], limit)
    }

    /// Reads what lies behind offset `at`, of which `rest` has been taken from `source` already.
    pub(super) fn behind(source: PartSource, at: u64, rest: &[u8], limit: u64) -> Self {
        let mut reader = Reader::new(at).with_word_limit(limit);
        let mut rest = rest;
        while !rest.is_empty() {
            let room = reader.room();
            let len = room.len().min(rest.len());
            let (now, later) = rest.split_at(len);
            room[..len].copy_from_slice(now);
            reader.fill(len);
            rest = later;
        }
        Self {
            source,
            reader,
            queue: None,
        }
    }

    /// Offset behind the last whole item.
    pub(super) fn offset(&self) -> u64 {
        self.reader.offset()
    }
}

impl Engine {
    /// Runs commands until about `budget` bytes have been read.
    pub(super) fn load_commands(
        &mut self,
        now: Now,
        loading: &mut Loading,
        part: &mut LogPart,
        budget: u64,
    ) -> Loaded<Slice> {
        let name = loading.parts[loading.index].name.clone();
        let until = part.offset().saturating_add(budget);
        let mut replies = ReplyBuf::new();
        let delay_us = self.config.lab.key_load_delay_us;
        let mut runner = self.lend(now, LOADER, &mut replies);
        loop {
            let commands = loading.commands;
            runner.replay_some(&name, loading, part, until)?;
            pause(runner.ctx.host, delay_us, loading.commands - commands);
            if part.offset() >= until {
                return Ok(Slice::More);
            }
            let room = part.reader.room();
            let read = part.source.fill(room).map_err(|error| error.to_string())?;
            if read == 0 {
                break;
            }
            part.reader.fill(read);
        }
        self.end_log(loading, part)
    }

    /// The file is at its end: is it whole, and if not, may it be cut?
    fn end_log(&mut self, loading: &mut Loading, part: &mut LogPart) -> Loaded<Slice> {
        let file = loading.parts[loading.index].clone();
        let is_last = loading.index + 1 == loading.parts.len();
        let tail = part.reader.end().map_err(|error| bad(&file.name, &error))?;
        let mut len = part.offset();
        let Some(cut) = tail.cut() else {
            loading.end = log_end(len, &part.reader);
            return Ok(Slice::Done);
        };
        let what = match tail {
            Tail::Transaction { .. } => "ends inside of a transaction",
            Tail::Zeros { .. } => "ends with zeros",
            _ => "ends inside of a command",
        };
        let name = &file.name;
        if !is_last {
            return Err(format!(
                "Unexpected end of file reading the append only file {name}: it {what} at byte {cut}, \
                 and it is not the last one; make a backup of it before anything else"
            ));
        }
        if !self.config.persistence.aof_load_truncated {
            return Err(format!(
                "Unexpected end of file reading the append only file {name}: it {what}; all before \
                 byte {cut} is whole. You can: 1) Make a backup of your AOF file, then use \
                 dovetail-check --fix {name}. 2) Alternatively you can set the 'aof-load-truncated' \
                 configuration option to yes and restart the server"
            ));
        }
        let lost = file.len.saturating_sub(cut);
        let line = format!(
            "!!! Warning: short read while loading the AOF file {name}!!! It {what}: truncating it at \
             byte {cut}, which drops {lost} bytes"
        );
        self.host.log(LogLevel::Warning, &line);
        let done = self.persist.cut(&file, cut);
        done.map_err(|error| error.to_string())?;
        let line = "AOF loaded anyway because aof-load-truncated is enabled";
        self.host.log(LogLevel::Warning, line);
        len = cut;
        loading.end = log_end(len, &part.reader);
        Ok(Slice::Done)
    }
}

fn log_end(len: u64, reader: &Reader) -> LogEnd {
    let (seal, is_sealed) = reader.sealer().state();
    LogEnd {
        len,
        seal,
        is_sealed,
    }
}

fn bad(name: &str, error: &LogError) -> String {
    format!(
        "Bad file format reading the append only file {name}: {error}; make a backup of your AOF file, \
         then use dovetail-check {name}"
    )
}

impl Runner<'_> {
    /// Runs what of the log is there, as far as offset `until`.
    fn replay_some(
        &mut self,
        name: &str,
        loading: &mut Loading,
        part: &mut LogPart,
        until: u64,
    ) -> Loaded<()> {
        while part.offset() < until {
            let item = part.reader.item().map_err(|error| bad(name, &error))?;
            let Some(item) = item else {
                return Ok(());
            };
            let Item::Command { args, start, .. } = item else {
                continue;
            };
            let word = args.get(0);
            if word.eq_ignore_ascii_case(b"multi") {
                part.queue = Some(Vec::new());
                continue;
            }
            if word.eq_ignore_ascii_case(b"exec")
                && let Some(queue) = part.queue.take()
            {
                for (command, args) in queue {
                    self.replay(loading, command, &args.args(), start)?;
                }
                continue;
            }
            let Ok(command) = self.ctx.commands.resolve(&args) else {
                let shown = &word[..word.len().min(WORD_SHOWN_MAX)];
                return Err(format!(
                    "Unknown command '{}' reading the append only file {name} at byte {start}",
                    shown.escape_ascii()
                ));
            };
            match &mut part.queue {
                Some(queue) => queue.push((command, OwnedArgs::copy_of(&args))),
                None => self.replay(loading, command, &args, start)?,
            }
        }
        Ok(())
    }

    /// Runs one command without any of the duties that it has to a client; `at` is where it stands,
    /// or where the EXEC does that ends its transaction.
    fn replay(
        &mut self,
        loading: &mut Loading,
        command: CommandId,
        args: &Args<'_>,
        at: u64,
    ) -> Loaded<()> {
        let row = self.ctx.commands.row(command);
        loading.commands += 1;
        self.ctx.command = command;
        self.ctx.hashed = None;
        let result = if !row.spec.accepts(args.len()) {
            Err(CmdError::Arity(row.full_name.clone()))
        } else if row.flags.has(Flags::ADMIN) {
            Err(CmdError::fixed("ERR it is no command on data"))
        } else if row.spec.name == "exec" {
            Err(CmdError::fixed("ERR EXEC without MULTI"))
        } else {
            (row.spec.run)(&mut self.ctx, args)
        };
        if let Err(error) = result {
            self.note_failure(loading, args, (at, &error));
        }
        if self.ctx.reply.buf.len() > REPLY_BYTES_MAX {
            self.ctx.reply.buf.clear(REPLY_BYTES_MAX);
        }
        if self.ctx.effects.any {
            self.replay_effects(command, args)?;
        }
        self.settle(self.ctx.db);
        Ok(())
    }

    /// Tells of a command that has failed, which it did not when it was recorded.
    #[cold]
    fn note_failure(
        &mut self,
        loading: &mut Loading,
        args: &Args<'_>,
        (at, error): (u64, &CmdError),
    ) {
        loading.failed += 1;
        if loading.failed > FAILURES_TOLD {
            return;
        }
        let word = &args.get(0)[..args.get(0).len().min(WORD_SHOWN_MAX)];
        let line = format!(
            "The append only file {} has a command that fails, '{}' at byte {at}: {error}",
            loading.parts[loading.index].name,
            word.escape_ascii()
        );
        self.ctx.host.log(LogLevel::Warning, &line);
    }

    /// What a command of the log asks of the executor: scripts are run, all else is about clients.
    #[cold]
    fn replay_effects(&mut self, command: CommandId, args: &Args<'_>) -> Loaded<()> {
        if self.ctx.effects.script {
            let mut out = Outbox::default();
            let begun = self.stamp;
            // What it answers is for nobody.
            drop(self.run_script(command, args, begun, &mut out));
            if self.suspended.is_some() {
                return Err("a script of the append only file takes too long".to_owned());
            }
        }
        *self.ctx.effects = crate::command::Effects::default();
        Ok(())
    }
}
