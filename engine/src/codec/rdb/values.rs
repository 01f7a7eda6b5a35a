//! One value after its type: decided by its kind, put together from its parts.
//!
//! What a file has in one blob is made at once. What it has element by element is made in steps, so
//! that a large collection does not hold up whoever reads it.

use super::error::{Fault, Stop};
use super::input::{Input, Source, Text};
use super::{kinds, old};
use crate::value::Item;
use crate::value::restore::{
    HashParts, Limits, ListParts, Made, Seen, SetParts, Unfit, ZsetParts, hash_pack, set_pack,
    string, string_kept, zset_pack,
};
use crate::value::set::of_ints;
use crate::value::{string::INLINE_BYTES_MAX, with_text};
use dovetail_memory::listpack::{EMPTY, Encoded, Listpack, foreign, push};

/// Elements that one step reads at most.
const STEP_ELEMENTS: u64 = 4096;
/// Bytes after which a step ends.
const STEP_BYTES: u64 = 1 << 20;

/// Whose file it is, where the two give one number to different things.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(in crate::codec) enum Dialect {
    Redis,
    Valkey,
}

/// What values are made with.
#[derive(Debug)]
pub(in crate::codec) struct Tools {
    pub(in crate::codec) limits: Limits,
    pub(in crate::codec) seen: Seen,
    pub(in crate::codec) dialect: Dialect,
}

impl Tools {
    pub(in crate::codec) fn new(limits: Limits, dialect: Dialect) -> Self {
        Self {
            limits,
            seen: Seen::default(),
            dialect,
        }
    }
}

/// How far a value has come.
#[derive(Debug)]
pub(super) enum Progress {
    Done(Made),
    Parts(Unfinished),
}

/// A value that is being put together.
#[derive(Debug)]
pub(super) struct Unfinished {
    parts: Parts,
    kind: u8,
    left: u64,
    is_begun: bool,
}

#[derive(Debug)]
enum Parts {
    List(ListParts),
    Set(SetParts),
    Hash(HashParts),
    Zset(ZsetParts),
}

type Taken<T, E> = Result<T, Stop<E>>;

/// Reads a value of `kind` whole; compact ones are put behind what `out` has.
pub(in crate::codec) fn read_whole<S: Source>(
    kind: u8,
    input: &mut Input<S>,
    tools: &mut Tools,
    out: &mut Vec<u8>,
) -> Taken<Made, S::Error> {
    if kind == kinds::STRING {
        return read_string(input, out);
    }
    let mut progress = begin_collection(kind, input, tools, out)?;
    loop {
        match progress {
            Progress::Done(made) => return Ok(made),
            Progress::Parts(unfinished) => progress = unfinished.go_on(input, tools, out)?,
        }
    }
}

/// Reads a string.
#[inline]
pub(super) fn read_string<S: Source>(
    input: &mut Input<S>,
    out: &mut Vec<u8>,
) -> Taken<Made, S::Error> {
    let text = input.text()?;
    Ok(match text {
        Text::Scratch if input.bytes(&text).len() > INLINE_BYTES_MAX => {
            string_kept(input.take_scratch(), out)
        }
        _ => string(input.bytes(&text), out),
    })
}

/// Begins to read a value of `kind`, which is no string.
pub(super) fn begin_collection<S: Source>(
    kind: u8,
    input: &mut Input<S>,
    tools: &mut Tools,
    out: &mut Vec<u8>,
) -> Taken<Progress, S::Error> {
    let limits = &tools.limits;
    match kind {
        kinds::LIST
        | kinds::LIST_ZIPLISTS
        | kinds::LIST_PACKS
        | kinds::SET
        | kinds::HASH
        | kinds::ZSET
        | kinds::ZSET_TEXT => {
            let left = input.length()?;
            let parts = match kind {
                kinds::SET => {
                    let expected = usize::try_from(left).unwrap_or(usize::MAX);
                    Parts::Set(SetParts::new(expected, &limits.set))
                }
                kinds::HASH => Parts::Hash(HashParts::new(left, &limits.hash)),
                kinds::ZSET | kinds::ZSET_TEXT => Parts::Zset(ZsetParts::new(left, &limits.zset)),
                _ => Parts::List(ListParts::default()),
            };
            Ok(Progress::Parts(Unfinished::new(parts, kind, left)))
        }
        kinds::HASH_DEADLINES_VALKEY if tools.dialect == Dialect::Valkey => {
            begin_with_deadlines(kind, input, tools)
        }
        kinds::HASH_DEADLINES => {
            let _earliest: [u8; 8] = input.array()?;
            begin_with_deadlines(kind, input, tools)
        }
        kinds::STREAM | kinds::STREAM_2 | kinds::STREAM_3 => Err(Fault::NotHere("streams").into()),
        kinds::MODULE_OLD | kinds::MODULE => {
            let name = module_name(input.length()?);
            Err(Fault::Module(name.into()).into())
        }
        _ => read_blob(kind, input, tools, out).map(Progress::Done),
    }
}

fn begin_with_deadlines<S: Source>(
    kind: u8,
    input: &mut Input<S>,
    tools: &Tools,
) -> Taken<Progress, S::Error> {
    let left = input.length()?;
    let parts = Parts::Hash(HashParts::new(left, &tools.limits.hash));
    Ok(Progress::Parts(Unfinished::new(parts, kind, left)))
}

/// Reads a value that lies in one string.
fn read_blob<S: Source>(
    kind: u8,
    input: &mut Input<S>,
    tools: &mut Tools,
    out: &mut Vec<u8>,
) -> Taken<Made, S::Error> {
    let is_blob = matches!(
        kind,
        kinds::HASH_ZIPMAP
            ..=kinds::HASH_ZIPLIST
                | kinds::HASH_PACK
                | kinds::ZSET_PACK
                | kinds::SET_PACK
                | kinds::HASH_DEADLINES_PACK
    );
    if !is_blob {
        return Err(Fault::UnknownMark(kind).into());
    }
    if kind == kinds::HASH_DEADLINES_PACK {
        let _earliest: [u8; 8] = input.array()?;
    }
    let text = input.text()?;
    made_of_blob(kind, input.bytes(&text), tools, out).map_err(Stop::Fault)
}

fn made_of_blob(
    kind: u8,
    blob: &[u8],
    tools: &mut Tools,
    out: &mut Vec<u8>,
) -> Result<Made, Fault> {
    let Tools { limits, seen, .. } = tools;
    let pack = || foreign::strip(blob).map_err(Unfit::from);
    let made = match kind {
        kinds::SET_INTS => of_ints(blob, &limits.set, out),
        kinds::HASH_PACK => hash_pack(pack()?, &limits.hash, seen, out),
        kinds::SET_PACK => set_pack(pack()?, &limits.set, seen, out),
        kinds::ZSET_PACK => zset_pack(pack()?, &limits.zset, seen, out),
        kinds::HASH_DEADLINES_PACK => {
            let pairs = without_deadlines(pack()?)?;
            hash_pack(&pairs, &limits.hash, seen, out)
        }
        kinds::LIST_ZIPLIST => {
            let mut list = ListParts::default();
            old::ziplist(blob, &mut |item| {
                with_text(item, |word| list.add(word, limits.list));
                Ok(())
            })?;
            list.finish(limits.list, out)
        }
        kinds::HASH_ZIPLIST => hash_pack(&old::pack_of_ziplist(blob)?, &limits.hash, seen, out),
        kinds::ZSET_ZIPLIST => zset_pack(&old::pack_of_ziplist(blob)?, &limits.zset, seen, out),
        kinds::HASH_ZIPMAP => hash_pack(&old::pack_of_zipmap(blob)?, &limits.hash, seen, out),
        _ => return Err(Fault::UnknownMark(kind)),
    };
    Ok(made?)
}

const DEADLINES: Fault = Fault::NotHere("hashes whose fields have deadlines of their own");

/// The fields and values of a listpack that has a deadline behind each value, if all are none.
fn without_deadlines(pack: &[u8]) -> Result<Vec<u8>, Fault> {
    let readable = foreign::examine(pack, &|_| false, &mut |_| {}).map_err(Unfit::from)?;
    if !readable.count.is_multiple_of(3) {
        return Err(Unfit::Odd.into());
    }
    let mut pairs = EMPTY.to_vec();
    let mut items = Listpack::new(pack).iter();
    while let (Some(field), Some(value), Some(deadline)) =
        (items.next(), items.next(), items.next())
    {
        if deadline != Item::Int(0) {
            return Err(DEADLINES);
        }
        push(&mut pairs, &Encoded::new(field));
        push(&mut pairs, &Encoded::new(value));
    }
    Ok(pairs)
}

impl Unfinished {
    fn new(parts: Parts, kind: u8, left: u64) -> Self {
        Self {
            parts,
            kind,
            left,
            is_begun: false,
        }
    }

    /// Whether none of its elements has been read.
    pub(super) fn is_untouched(&self) -> bool {
        !self.is_begun
    }

    /// Reads some more of its elements.
    pub(super) fn go_on<S: Source>(
        mut self,
        input: &mut Input<S>,
        tools: &mut Tools,
        out: &mut Vec<u8>,
    ) -> Taken<Progress, S::Error> {
        let now = self.left.min(STEP_ELEMENTS);
        let until = input.offset() + STEP_BYTES;
        let mut done = 0;
        while done < now && input.offset() < until {
            match &mut self.parts {
                Parts::List(list) => add_to_list(list, self.kind, input, &tools.limits)?,
                Parts::Set(set) => {
                    let text = input.text()?;
                    set.add(input.bytes(&text), &tools.limits.set)?;
                }
                Parts::Hash(hash) => add_to_hash(hash, self.kind, input, &tools.limits, out)?,
                Parts::Zset(zset) => add_to_zset(zset, self.kind, input, &tools.limits, out)?,
            }
            done += 1;
        }
        self.left -= done;
        self.is_begun = true;
        if self.left > 0 {
            return Ok(Progress::Parts(self));
        }
        let Tools { limits, seen, .. } = tools;
        let made = match self.parts {
            Parts::List(list) => list.finish(limits.list, out),
            Parts::Set(set) => set.finish(out),
            Parts::Hash(hash) => hash.finish(&limits.hash, seen, out),
            Parts::Zset(zset) => zset.finish(&limits.zset, seen, out),
        };
        Ok(Progress::Done(made?))
    }
}

/// What the second form of a list's node says: one element, and a listpack.
pub(super) const NODE_PLAIN: u64 = 1;
pub(super) const NODE_PACK: u64 = 2;

fn add_to_list<S: Source>(
    list: &mut ListParts,
    kind: u8,
    input: &mut Input<S>,
    limits: &Limits,
) -> Taken<(), S::Error> {
    let container = if kind == kinds::LIST_PACKS {
        input.length()?
    } else {
        NODE_PLAIN
    };
    if !(NODE_PLAIN..=NODE_PACK).contains(&container) {
        return Err(Fault::Container(container).into());
    }
    let text = input.text()?;
    let bytes = input.bytes(&text);
    if kind == kinds::LIST_ZIPLISTS {
        let mut add = |item: Item<'_>| {
            with_text(item, |word| list.add(word, limits.list));
            Ok(())
        };
        old::ziplist(bytes, &mut add)?;
    } else if container == NODE_PACK {
        let pack = foreign::strip(bytes).map_err(Unfit::from)?;
        list.add_pack(pack, limits.list)?;
    } else {
        list.add(bytes, limits.list);
    }
    Ok(())
}

/// Keeps a string behind what `out` has while `with` reads what follows; both are let be seen.
fn with_kept<S: Source, T>(
    input: &mut Input<S>,
    out: &mut Vec<u8>,
    with: impl FnOnce(&mut Input<S>, &[u8]) -> Taken<T, S::Error>,
) -> Taken<T, S::Error> {
    let text = input.text()?;
    let start = out.len();
    out.extend_from_slice(input.bytes(&text));
    let result = with(input, &out[start..]);
    out.truncate(start);
    result
}

fn add_to_hash<S: Source>(
    hash: &mut HashParts,
    kind: u8,
    input: &mut Input<S>,
    limits: &Limits,
    out: &mut Vec<u8>,
) -> Taken<(), S::Error> {
    if kind == kinds::HASH_DEADLINES && input.length()? != 0 {
        return Err(DEADLINES.into());
    }
    with_kept(input, out, |input, field| {
        let value = input.text()?;
        hash.add(field, input.bytes(&value), &limits.hash)?;
        Ok(())
    })?;
    if kind == kinds::HASH_DEADLINES_VALKEY && i64::from_le_bytes(input.array()?) != -1 {
        return Err(DEADLINES.into());
    }
    Ok(())
}

fn add_to_zset<S: Source>(
    zset: &mut ZsetParts,
    kind: u8,
    input: &mut Input<S>,
    limits: &Limits,
    out: &mut Vec<u8>,
) -> Taken<(), S::Error> {
    with_kept(input, out, |input, member| {
        let score = if kind == kinds::ZSET {
            f64::from_le_bytes(input.array()?)
        } else {
            old::text_score(input)?
        };
        zset.add(member, score, &limits.zset)?;
        Ok(())
    })
}

/// The name of a module's data type: nine characters of six bits in front of ten bits of version.
pub(super) fn module_name(id: u64) -> String {
    const LETTERS: &[u8; 64] = b"ABCDEFGHIJKLMNOPQRSTUVWXYZabcdefghijklmnopqrstuvwxyz0123456789-_";
    (0..9)
        .map(|place| {
            let letter = id >> (10 + 6 * (8 - place)) & 0x3f;
            char::from(LETTERS[usize::try_from(letter).unwrap_or(0)])
        })
        .collect()
}
