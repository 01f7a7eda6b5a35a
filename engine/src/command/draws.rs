//! Random elements of a collection: what SRANDMEMBER, ZRANDMEMBER and HRANDFIELD share.

use super::collections::note_missing;
use super::options::{integer_within, is};
use super::{CmdError, Ctx, Outcome};
use crate::base::rng::Rng;
use crate::conn::OUTPUT_UNCHECKED_BYTES;
use crate::keyspace::Entry;
use crate::resp::{Args, Reply};

/// What is asked for.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Wanted {
    /// How many; a negative number draws with repetition. Without it one is drawn that stands alone.
    pub count: Option<i64>,
    /// Whether each comes with what belongs to it.
    pub is_paired: bool,
}

impl Wanted {
    /// Reads the count, if word 2 is there.
    ///
    /// # Errors
    /// When it is no integer, or the lowest.
    #[inline]
    pub fn alone(args: &Args<'_>) -> Result<Self, CmdError> {
        let count = args.try_get(2);
        let count = count.map(|word| integer_within(word, -i64::MAX, i64::MAX));
        Ok(Self {
            count: count.transpose()?,
            is_paired: false,
        })
    }

    /// Reads the count and `keyword`, which asks for pairs, as far as they are there.
    ///
    /// # Errors
    /// Those of the count; when there is something else; when the count is too large for pairs.
    pub fn paired(args: &Args<'_>, keyword: &str) -> Result<Self, CmdError> {
        let mut wanted = Self::alone(args)?;
        wanted.is_paired = match args.try_get(3) {
            Some(word) if is(word, keyword) && args.len() == 4 => true,
            Some(_) => return Err(CmdError::Syntax),
            None => false,
        };
        let most = i64::MAX / 2;
        let is_in_range = wanted
            .count
            .is_none_or(|count| (-most..=most).contains(&count));
        if wanted.is_paired && !is_in_range {
            return Err(CmdError::fixed("ERR value is out of range"));
        }
        Ok(wanted)
    }

    /// Has `found` draw from the value at word 1.
    ///
    /// Replies: null or an empty array when the key is not there.
    ///
    /// # Errors
    /// Those of `found`.
    #[inline]
    pub fn draw<'r>(
        self,
        ctx: &mut Ctx<'r>,
        args: &Args<'_>,
        found: impl FnOnce(Entry<'_>, Drawing<'_, 'r>) -> Outcome,
    ) -> Outcome {
        let bytes_max = match self.count {
            Some(..0) => reply_bytes_max(ctx),
            _ => usize::MAX,
        };
        let key = ctx.key(args.get(1));
        let Some(entry) = ctx.keyspace.peek_db(ctx.db).read(&key) else {
            match self.count {
                Some(_) => ctx.reply.array(0),
                None => ctx.reply.null(),
            }
            note_missing(ctx, &key);
            return Ok(());
        };
        let drawing = Drawing {
            wanted: self,
            reply: &mut ctx.reply,
            rng: ctx.rng,
            bytes_max,
        };
        found(entry, drawing)
    }
}

/// What is drawn with, and where to.
#[derive(Debug)]
pub struct Drawing<'a, 'r> {
    wanted: Wanted,
    reply: &'a mut Reply<'r>,
    rng: &'a mut Rng,
    bytes_max: usize,
}

impl<'r> Drawing<'_, 'r> {
    /// Answers elements of `len()`, which is not 0: `one` draws and answers one of all, `several` so
    /// many different ones.
    #[inline]
    pub fn answer(
        self,
        len: impl FnOnce() -> usize,
        mut one: impl FnMut(&mut Reply<'r>, &mut Rng),
        several: impl FnOnce(usize, &mut Reply<'r>, &mut Rng),
    ) {
        let (reply, rng) = (self.reply, self.rng);
        let Some(count) = self.wanted.count else {
            return one(reply, rng);
        };
        let wanted = usize::try_from(count.unsigned_abs()).unwrap_or(usize::MAX);
        let drawn = if count < 0 { wanted } else { wanted.min(len()) };
        let is_flat = self.wanted.is_paired && !reply.is_resp3();
        reply.array(if is_flat { 2 * drawn } else { drawn });
        if count >= 0 {
            return several(drawn, reply, rng);
        }
        for _ in 0..drawn {
            one(reply, rng);
            if reply.buf.len() > self.bytes_max {
                return;
            }
        }
    }
}

/// A length of the asking connection's replies beyond which it is closed for them at the end of the
/// turn, so that what follows need not be written. What a script asks for goes to no connection.
fn reply_bytes_max(ctx: &mut Ctx<'_>) -> usize {
    let class = ctx.session().class();
    let limit = ctx.config.limits.output_limit(class).hard_bytes;
    if limit == 0 || ctx.scripts.is_running {
        return usize::MAX;
    }
    let limit = usize::try_from(limit).unwrap_or(usize::MAX);
    limit.max(OUTPUT_UNCHECKED_BYTES)
}
