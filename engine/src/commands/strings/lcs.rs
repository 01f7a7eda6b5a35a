//! LCS: the longest subsequence that two strings have in common.
//!
//! Shape: a row of lengths for each prefix of one string against all prefixes of the other, of
//! which only the last is kept, and a bit for each pair of prefixes that says which of the two
//! strings to shorten on the way back.
//! Cost: O(n m) steps; an eighth of a byte a pair, and nothing a pair when only the length is asked.

use super::{READ, note_missing};
use crate::command::options::integer;
use crate::command::{CmdError, Ctx, Flags, Group, Keys, Options, Outcome, Spec};
use crate::keyspace::Entry;
use crate::resp::Args;
use crate::value::string::Text;

/// The rows.
pub const SPECS: &[Spec] = &[Spec::new("lcs", -3, lcs)
    .of(
        Group::String,
        "7.0.0",
        "O(N*M) where N and M are the lengths of the strings",
    )
    .flags(Flags::READONLY)
    .keys(&[Keys::range(1, 1, 1, READ)])
    .doc(
        "key1 key2 [LEN] [IDX] [MINMATCHLEN min-match-len] [WITHMATCHLEN]",
        "Finds the longest subsequence that two strings have in common.",
    )];

/// Bytes that real servers spend on a pair of prefixes; their limit is about those.
const PAIR_BYTES: u64 = 4;

/// What LCS was told.
#[derive(Clone, Copy, Debug, Default)]
struct Wanted {
    length: bool,
    positions: bool,
    with_lengths: bool,
    length_min: i64,
}

/// A run of equal bytes: where it ends in either string, and its length.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
struct Run {
    a_end: usize,
    b_end: usize,
    len: usize,
}

/// LCS key1 key2 [LEN] [IDX] [MINMATCHLEN min-match-len] [WITHMATCHLEN]
///
/// Replies: the subsequence; with LEN its length; with IDX the length and where the runs lie, the
/// last one first.
fn lcs(ctx: &mut Ctx<'_>, args: &Args<'_>) -> Outcome {
    let keys = [ctx.key(args.get(1)), ctx.key(args.get(2))];
    let db = ctx.keyspace.peek_db(ctx.db);
    let entries = [db.read(&keys[0]), db.read(&keys[1])];
    let is_missing = entries.map(|entry| entry.is_none());
    let answer = work_out(ctx.config.limits.proto_max_bulk_len, args, entries);
    for (key, is_missing) in keys.iter().zip(is_missing) {
        if is_missing {
            note_missing(ctx, key);
        }
    }
    let (wanted, common) = answer?;
    if wanted.length {
        ctx.reply.count(common.len);
    } else if wanted.positions {
        reply_runs(ctx, wanted, &common);
    } else {
        ctx.reply.bulk(&common.bytes);
    }
    Ok(())
}

/// Checks everything and computes the answer.
fn work_out(
    limit: u64,
    args: &Args<'_>,
    entries: [Option<Entry<'_>>; 2],
) -> Result<(Wanted, Common), CmdError> {
    let text = |entry: Option<Entry<'_>>| match entry {
        None => Ok(None),
        Some(entry) => Text::of(entry)
            .map(|text| Some(text.to_bytes()))
            .ok_or(CmdError::fixed(
                "ERR The specified keys must contain string values",
            )),
    };
    let (a, b) = (
        text(entries[0])?.unwrap_or_default(),
        text(entries[1])?.unwrap_or_default(),
    );
    let wanted = read_options(args)?;
    let pairs = (a.len() as u64 + 1).saturating_mul(b.len() as u64 + 1);
    if pairs.saturating_mul(PAIR_BYTES) > limit {
        return Err(CmdError::fixed(
            "ERR Insufficient memory, transient memory for LCS exceeds proto-max-bulk-len",
        ));
    }
    let detail = if wanted.length {
        Detail::Length
    } else {
        Detail::Runs
    };
    Ok((wanted, common(&a, &b, detail)))
}

fn read_options(args: &Args<'_>) -> Result<Wanted, CmdError> {
    let mut wanted = Wanted::default();
    let mut options = Options::from(args, 3);
    while options.left() > 0 {
        if options.take("idx") {
            wanted.positions = true;
        } else if options.take("len") {
            wanted.length = true;
        } else if options.take("withmatchlen") {
            wanted.with_lengths = true;
        } else if options.take("minmatchlen") {
            wanted.length_min = integer(options.value()?)?.max(0);
        } else {
            return Err(CmdError::Syntax);
        }
    }
    if wanted.positions && wanted.length {
        return Err(CmdError::fixed(
            "ERR If you want both the length and indexes, please just use IDX.",
        ));
    }
    Ok(wanted)
}

fn reply_runs(ctx: &mut Ctx<'_>, wanted: Wanted, common: &Common) {
    let is_long = |run: &&Run| i64::try_from(run.len).is_ok_and(|len| len >= wanted.length_min);
    let reply = &mut ctx.reply;
    reply.map(2);
    reply.bulk(b"matches");
    reply.array(common.runs.iter().filter(is_long).count());
    for run in common.runs.iter().filter(is_long) {
        reply.array(if wanted.with_lengths { 3 } else { 2 });
        for end in [run.a_end, run.b_end] {
            reply.array(2);
            reply.count(end - run.len);
            reply.count(end - 1);
        }
        if wanted.with_lengths {
            reply.count(run.len);
        }
    }
    reply.bulk(b"len");
    reply.count(common.len);
}

/// How much is to be found out.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
enum Detail {
    /// Only the length.
    Length,
    /// The bytes and the runs.
    Runs,
}

/// What two strings have in common.
#[derive(Debug, Default)]
struct Common {
    len: usize,
    bytes: Vec<u8>,
    /// The last one first.
    runs: Vec<Run>,
}

/// Which string to shorten, for every pair of prefixes whose last bytes differ.
struct Ways {
    bits: Vec<u64>,
    row_words: usize,
}

impl Ways {
    fn is_a(&self, row: usize, column: usize) -> bool {
        self.bits[row * self.row_words + column / 64] >> (column % 64) & 1 == 1
    }
}

fn common(a: &[u8], b: &[u8], detail: Detail) -> Common {
    let row_words = b.len().div_ceil(64);
    let kept_rows = if detail == Detail::Runs { a.len() } else { 0 };
    let mut ways = Ways {
        bits: vec![0; row_words * kept_rows],
        row_words,
    };
    // `lengths[j]` is the answer for the rows so far against the first j bytes of `b`.
    let mut lengths = vec![0_u32; b.len() + 1];
    for (row, byte_a) in a.iter().enumerate() {
        // The answer for one row and one column less.
        let mut diagonal = 0;
        let mut left = 0;
        for (column, byte_b) in b.iter().enumerate() {
            let above = lengths[column + 1];
            let here = if byte_a == byte_b {
                diagonal + 1
            } else {
                above.max(left)
            };
            if detail == Detail::Runs && above > left {
                ways.bits[row * row_words + column / 64] |= 1 << (column % 64);
            }
            (diagonal, left) = (above, here);
            lengths[column + 1] = here;
        }
    }
    let len = lengths[b.len()] as usize;
    match detail {
        Detail::Length => Common {
            len,
            ..Common::default()
        },
        Detail::Runs => walk_back(a, b, &ways, len),
    }
}

/// Collects the subsequence from its end.
fn walk_back(a: &[u8], b: &[u8], ways: &Ways, len: usize) -> Common {
    let mut found = Common {
        len,
        bytes: Vec::with_capacity(len),
        runs: Vec::new(),
    };
    let (mut i, mut j) = (a.len(), b.len());
    let mut run: Option<Run> = None;
    while found.bytes.len() < len {
        if a[i - 1] == b[j - 1] {
            found.bytes.push(a[i - 1]);
            let open = run.get_or_insert(Run {
                a_end: i,
                b_end: j,
                len: 0,
            });
            open.len += 1;
            (i, j) = (i - 1, j - 1);
            continue;
        }
        found.runs.extend(run.take());
        if ways.is_a(i - 1, j - 1) {
            i -= 1;
        } else {
            j -= 1;
        }
    }
    found.runs.extend(run);
    found.bytes.reverse();
    found
}

#[cfg(test)]
mod tests {
    use super::*;
    use proptest::prelude::*;

    /// The table in full, as one would write it down.
    fn naive(a: &[u8], b: &[u8]) -> usize {
        let mut table = vec![vec![0; b.len() + 1]; a.len() + 1];
        for i in 1..=a.len() {
            for j in 1..=b.len() {
                table[i][j] = if a[i - 1] == b[j - 1] {
                    table[i - 1][j - 1] + 1
                } else {
                    table[i - 1][j].max(table[i][j - 1])
                };
            }
        }
        table[a.len()][b.len()]
    }

    fn is_subsequence(part: &[u8], whole: &[u8]) -> bool {
        let mut rest = whole.iter();
        part.iter().all(|byte| rest.any(|other| other == byte))
    }

    #[test]
    fn runs_are_told_from_the_end() {
        let found = common(b"ohmytext", b"mynewtext", Detail::Runs);
        assert_eq!(found.bytes, b"mytext");
        let runs = [
            Run {
                a_end: 8,
                b_end: 9,
                len: 4,
            },
            Run {
                a_end: 4,
                b_end: 2,
                len: 2,
            },
        ];
        assert_eq!(found.runs, runs);
    }

    #[test]
    fn empty_strings_have_nothing_in_common() {
        for (a, b) in [("", ""), ("a", ""), ("", "a")] {
            let found = common(a.as_bytes(), b.as_bytes(), Detail::Runs);
            assert_eq!((found.len, found.runs.len()), (0, 0));
        }
    }

    proptest! {
        #[test]
        fn what_is_found_is_common_and_longest(
            a in prop::collection::vec(b'a'..b'e', 0..150),
            b in prop::collection::vec(b'a'..b'e', 0..150),
        ) {
            let found = common(&a, &b, Detail::Runs);
            prop_assert_eq!(found.len, naive(&a, &b));
            prop_assert_eq!(found.len, common(&a, &b, Detail::Length).len);
            prop_assert_eq!(found.len, found.bytes.len());
            prop_assert!(is_subsequence(&found.bytes, &a) && is_subsequence(&found.bytes, &b));
            let mut together = Vec::new();
            for run in found.runs.iter().rev() {
                let in_a = &a[run.a_end - run.len..run.a_end];
                prop_assert_eq!(in_a, &b[run.b_end - run.len..run.b_end]);
                together.extend_from_slice(in_a);
            }
            prop_assert_eq!(together, found.bytes);
        }
    }
}
