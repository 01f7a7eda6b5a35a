//! Values put together from parts that come from elsewhere, and are not trusted.
//!
//! Each takes the form that the commands would have given it: compact within the limits, large
//! beyond. Compact forms are written behind what a buffer holds already, so that many small values
//! need no memory of their own on their way into records.

use super::table::Table;
use super::zset::Zset;
use super::{
    Item, TAG_HASH, TAG_SET_PACK, TAG_ZSET, Value, hash, item_of, list, set, string, zset,
};
use super::{scores, with_text};
use crate::base::number::parse_i64;
use crate::config::Encodings;
use ahash::RandomState;
use bytes::Bytes;
use dovetail_memory::Shape;
use dovetail_memory::listpack::{self, EMPTY, Encoded, HEAD_BYTES, Listpack, foreign};
use std::borrow::Cow;
use std::cmp::Ordering;

pub use super::list::ListParts;
pub use super::set::SetParts;
pub use dovetail_memory::listpack::foreign::Unreadable;

/// A compact form with more bytes gives way to a large one, whatever the limits say.
const PACK_BYTES_MAX: usize = 1 << 29;
/// Longest text of an integer.
const INT_TEXT_MAX: usize = 20;

/// Up to which size values are compact, and what larger ones hash with.
#[derive(Clone, Debug)]
pub struct Limits {
    /// Lists.
    pub list: list::Limits,
    /// Hashes.
    pub hash: hash::Limits,
    /// Sets.
    pub set: set::Limits,
    /// Sorted sets.
    pub zset: zset::Rules,
}

impl Limits {
    /// Those that are configured.
    #[must_use]
    pub fn of(encodings: &Encodings, hasher: &RandomState) -> Self {
        let size = |limit: u64| usize::try_from(limit).unwrap_or(usize::MAX);
        Self {
            list: list::Limits {
                fill: encodings.list_max_listpack_size,
                depth: encodings.list_compress_depth as usize,
            },
            hash: hash::Limits {
                entries: size(encodings.hash_max_listpack_entries),
                value_bytes: size(encodings.hash_max_listpack_value),
                hasher: hasher.clone(),
            },
            set: set::Limits {
                ints: size(encodings.set_max_intset_entries),
                entries: size(encodings.set_max_listpack_entries),
                value_bytes: size(encodings.set_max_listpack_value),
                hasher: hasher.clone(),
            },
            zset: zset::Rules {
                entries: size(encodings.zset_max_listpack_entries),
                value: size(encodings.zset_max_listpack_value),
                hasher: hasher.clone(),
            },
        }
    }
}

/// Why parts make no value.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Unfit {
    /// No element at all, which no key holds.
    Empty,
    /// A listpack that cannot be read.
    Pack(Unreadable),
    /// Integers that are no sorted set of them.
    Ints,
    /// A field without a value, or a member without a score.
    Odd,
    /// The same field or member twice.
    Duplicate,
    /// A score that is no number.
    Score,
}

impl From<Unreadable> for Unfit {
    fn from(unreadable: Unreadable) -> Self {
        Self::Pack(unreadable)
    }
}

/// What a record is to hold.
#[derive(Debug)]
pub enum Form {
    /// An integer.
    Int(i64),
    /// The bytes that were put behind what the buffer held.
    Appended,
    /// An object.
    Object(Box<Value>),
}

/// Tag and body of a record.
#[derive(Debug)]
pub struct Made {
    /// The tag.
    pub tag: u8,
    /// The body.
    pub form: Form,
}

impl Made {
    pub(super) fn appended(tag: u8) -> Self {
        Self {
            tag,
            form: Form::Appended,
        }
    }

    pub(super) fn object(tag: u8, value: Value) -> Self {
        Self {
            tag,
            form: Form::Object(Box::new(value)),
        }
    }
}

/// The string of these bytes.
#[inline]
pub fn string(text: &[u8], out: &mut Vec<u8>) -> Made {
    if text.len() <= INT_TEXT_MAX
        && let Some(number) = parse_i64(text)
    {
        return Made {
            tag: string::TAG_WHOLE,
            form: Form::Int(number),
        };
    }
    if text.len() <= string::INLINE_BYTES_MAX {
        out.extend_from_slice(text);
        return Made::appended(string::TAG_WHOLE);
    }
    let value = Value::String(Bytes::copy_from_slice(text));
    Made::object(string::TAG_WHOLE, value)
}

/// The string of bytes that can be kept as they are.
pub fn string_kept(text: Vec<u8>, out: &mut Vec<u8>) -> Made {
    if text.len() <= string::INLINE_BYTES_MAX {
        return string(&text, out);
    }
    Made::object(string::TAG_WHOLE, Value::String(Bytes::from(text)))
}

fn once(is_new: bool) -> Result<(), Unfit> {
    is_new.then_some(()).ok_or(Unfit::Duplicate)
}

/// Tells which elements are there twice; kept to be used again.
#[derive(Debug, Default)]
pub struct Seen {
    /// A part of the hash, and the position of the element; 0 is none.
    slots: Vec<(u32, u32)>,
}

impl Seen {
    /// Whether every `step`th element of `pack` is there once only.
    fn all_differ(&mut self, pack: Listpack<'_>, step: usize, hasher: &RandomState) -> bool {
        let bytes = pack.as_bytes();
        let count = pack.len() / step;
        if u32::try_from(bytes.len()).is_err() {
            return false;
        }
        let mask = (2 * count).next_power_of_two() - 1;
        self.slots.clear();
        self.slots.resize(mask + 1, (0, 0));
        let mut at = pack.begin();
        while at < pack.end() {
            let next = pack.next(at);
            let element = &bytes[at..next];
            let hash = hasher.hash_one(element);
            let [part, place] = [hash >> 32, hash].map(|bits| (bits & 0xffff_ffff) as u32);
            let mut slot = place as usize & mask;
            while self.slots[slot].1 != 0 {
                let (held, position) = self.slots[slot];
                if held == part && bytes[position as usize..].starts_with(element) {
                    return false;
                }
                slot = (slot + 1) & mask;
            }
            self.slots[slot] = (part, u32::try_from(at).unwrap_or(u32::MAX));
            at = next;
            for _ in 1..step {
                at = pack.next(at);
            }
        }
        true
    }
}

/// A listpack that can be read, with every element in the form that it has here.
pub(super) struct Normal<'a> {
    pub(super) pack: Cow<'a, [u8]>,
    pub(super) count: usize,
    /// Bytes of the longest text; of integers only when there is a limit below the longest.
    longest: usize,
}

impl<'a> Normal<'a> {
    /// Reads a listpack as [`foreign::strip`] returns it; `limit` is what texts are held against.
    pub(super) fn of(pack: &'a [u8], limit: usize) -> Result<Self, Unfit> {
        let mut longest = 0;
        let spells = |text: &[u8]| text.len() <= INT_TEXT_MAX && parse_i64(text).is_some();
        let readable = foreign::examine(pack, &spells, &mut |item| match item {
            Item::Bytes(text) => longest = longest.max(text.len()),
            Item::Int(_) if limit < INT_TEXT_MAX => {
                longest = longest.max(with_text(item, <[u8]>::len));
            }
            Item::Int(_) => {}
        })?;
        let count = readable.count;
        if count == 0 {
            return Err(Unfit::Empty);
        }
        let pack = if readable.is_ours {
            Cow::Borrowed(pack)
        } else {
            let mut ours = EMPTY.to_vec();
            for item in Listpack::new(pack).iter() {
                let item = match item {
                    Item::Bytes(text) => item_of(text),
                    Item::Int(_) => item,
                };
                listpack::push(&mut ours, &Encoded::new(item));
            }
            Cow::Owned(ours)
        };
        Ok(Self {
            pack,
            count,
            longest,
        })
    }

    pub(super) fn read(&self) -> Listpack<'_> {
        Listpack::new(&self.pack)
    }

    /// Whether it may stay a listpack of `elements` elements within these limits.
    fn fits(&self, elements: usize, most: usize, longest: usize) -> bool {
        elements <= most && self.longest <= longest && self.pack.len() <= PACK_BYTES_MAX
    }
}

/// The hash of a listpack of fields and values.
///
/// # Errors
/// When it is none.
pub fn hash_pack(
    pack: &[u8],
    limits: &hash::Limits,
    seen: &mut Seen,
    out: &mut Vec<u8>,
) -> Result<Made, Unfit> {
    let normal = Normal::of(pack, limits.value_bytes)?;
    if !normal.count.is_multiple_of(2) {
        return Err(Unfit::Odd);
    }
    let pack = normal.read();
    if normal.fits(normal.count / 2, limits.entries, limits.value_bytes) {
        if !seen.all_differ(pack, 2, &limits.hasher) {
            return Err(Unfit::Duplicate);
        }
        out.extend_from_slice(pack.as_bytes());
        return Ok(Made::appended(TAG_HASH));
    }
    let table = table_of(pack, &limits.hasher)?;
    Ok(Made::object(TAG_HASH, Value::Hash(Box::new(table))))
}

fn table_of(pack: Listpack<'_>, hasher: &RandomState) -> Result<Table, Unfit> {
    let mut table = Table::new(Shape::Pairs, hasher);
    let mut items = pack.iter();
    while let (Some(field), Some(value)) = (items.next(), items.next()) {
        let is_new = with_text(field, |field| {
            with_text(value, |value| table.insert(field, value))
        });
        if !is_new {
            return Err(Unfit::Duplicate);
        }
    }
    Ok(table)
}

/// The set of a listpack of members.
///
/// # Errors
/// When it is none.
pub fn set_pack(
    pack: &[u8],
    limits: &set::Limits,
    seen: &mut Seen,
    out: &mut Vec<u8>,
) -> Result<Made, Unfit> {
    let normal = Normal::of(pack, limits.value_bytes)?;
    let pack = normal.read();
    if normal.fits(normal.count, limits.entries, limits.value_bytes) {
        if !seen.all_differ(pack, 1, &limits.hasher) {
            return Err(Unfit::Duplicate);
        }
        out.extend_from_slice(pack.as_bytes());
        return Ok(Made::appended(TAG_SET_PACK));
    }
    let mut parts = SetParts::new(normal.count, limits);
    for item in pack.iter() {
        with_text(item, |text| parts.add(text, limits))?;
    }
    parts.finish(out)
}

/// The sorted set of a listpack of members and scores, whatever their order.
///
/// # Errors
/// When it is none.
pub fn zset_pack(
    pack: &[u8],
    rules: &zset::Rules,
    seen: &mut Seen,
    out: &mut Vec<u8>,
) -> Result<Made, Unfit> {
    let normal = Normal::of(pack, rules.value)?;
    if !normal.count.is_multiple_of(2) {
        return Err(Unfit::Odd);
    }
    let pack = normal.read();
    let mut items = pack.iter();
    let mut is_ours = normal.fits(normal.count / 2, rules.entries, rules.value);
    let mut last: Option<(Item<'_>, f64)> = None;
    while let (Some(member), Some(score)) = (items.next(), items.next()) {
        let value = scores::read(score).ok_or(Unfit::Score)?;
        is_ours = is_ours
            && scores::is_ours(score, value)
            && last.is_none_or(|last| ordering(last, (member, value)) == Ordering::Less);
        last = Some((member, value));
    }
    if is_ours {
        if !seen.all_differ(pack, 2, &rules.hasher) {
            return Err(Unfit::Duplicate);
        }
        out.extend_from_slice(pack.as_bytes());
        return Ok(Made::appended(TAG_ZSET));
    }
    let mut parts = ZsetParts::new(normal.count as u64 / 2, rules);
    let mut items = pack.iter();
    while let (Some(member), Some(score)) = (items.next(), items.next()) {
        let score = scores::read(score).ok_or(Unfit::Score)?;
        with_text(member, |member| parts.add(member, score, rules))?;
    }
    parts.finish(rules, seen, out)
}

fn ordering(left: (Item<'_>, f64), right: (Item<'_>, f64)) -> Ordering {
    let by_score = left.1.partial_cmp(&right.1).unwrap_or(Ordering::Equal);
    by_score.then_with(|| with_text(left.0, |l| with_text(right.0, |r| l.cmp(r))))
}

/// A hash that is being put together, field by field.
#[derive(Debug)]
pub struct HashParts {
    /// Fields may be there twice as long as it is a listpack.
    form: HashForm,
}

#[derive(Debug)]
enum HashForm {
    Small { pack: Vec<u8>, fields: usize },
    Large(Box<Table>),
}

impl HashParts {
    /// An empty one that so many fields are expected for.
    #[must_use]
    pub fn new(expected: u64, limits: &hash::Limits) -> Self {
        let form = if usize::try_from(expected).is_ok_and(|fields| fields <= limits.entries) {
            HashForm::Small {
                pack: EMPTY.to_vec(),
                fields: 0,
            }
        } else {
            HashForm::Large(Box::new(Table::new(Shape::Pairs, &limits.hasher)))
        };
        Self { form }
    }

    /// Adds a field with its value.
    ///
    /// # Errors
    /// When the field is there already; this may be told later.
    pub fn add(&mut self, field: &[u8], value: &[u8], limits: &hash::Limits) -> Result<(), Unfit> {
        if let HashForm::Small { pack, fields } = &mut self.form {
            let longest = field.len().max(value.len());
            if *fields < limits.entries
                && longest <= limits.value_bytes
                && pack.len() + field.len() + value.len() <= PACK_BYTES_MAX
            {
                let pair = [Encoded::new(item_of(field)), Encoded::new(item_of(value))];
                let end = pack.len();
                listpack::insert_all(pack, end, &pair);
                *fields += 1;
                return Ok(());
            }
            let table = table_of(Listpack::new(pack), &limits.hasher)?;
            self.form = HashForm::Large(Box::new(table));
        }
        match &mut self.form {
            HashForm::Large(table) => once(table.insert(field, value)),
            HashForm::Small { .. } => Ok(()),
        }
    }

    /// The hash.
    ///
    /// # Errors
    /// When it is empty, or has a field twice.
    pub fn finish(
        self,
        limits: &hash::Limits,
        seen: &mut Seen,
        out: &mut Vec<u8>,
    ) -> Result<Made, Unfit> {
        match self.form {
            HashForm::Small { fields: 0, .. } => Err(Unfit::Empty),
            HashForm::Large(table) if table.is_empty() => Err(Unfit::Empty),
            HashForm::Small { pack, .. } => {
                if !seen.all_differ(Listpack::new(&pack), 2, &limits.hasher) {
                    return Err(Unfit::Duplicate);
                }
                out.extend_from_slice(&pack);
                Ok(Made::appended(TAG_HASH))
            }
            HashForm::Large(table) => Ok(Made::object(TAG_HASH, Value::Hash(table))),
        }
    }
}

/// A sorted set that is being put together, member by member, in any order.
#[derive(Debug)]
pub struct ZsetParts {
    form: ZsetForm,
}

#[derive(Debug)]
enum ZsetForm {
    /// Members one behind another, and where each ends. Members may be there twice.
    Small {
        texts: Vec<u8>,
        pairs: Vec<(usize, usize, f64)>,
    },
    Large(Box<Zset>),
}

impl ZsetParts {
    /// An empty one that so many members are expected for.
    #[must_use]
    pub fn new(expected: u64, rules: &zset::Rules) -> Self {
        let form = if usize::try_from(expected).is_ok_and(|members| members <= rules.entries) {
            ZsetForm::Small {
                texts: Vec::new(),
                pairs: Vec::new(),
            }
        } else {
            ZsetForm::Large(Box::new(Zset::new(rules.hasher.clone())))
        };
        Self { form }
    }

    /// Adds a member with its score.
    ///
    /// # Errors
    /// When the score is no number; when the member is there already, which may be told later.
    pub fn add(&mut self, member: &[u8], score: f64, rules: &zset::Rules) -> Result<(), Unfit> {
        if score.is_nan() {
            return Err(Unfit::Score);
        }
        if let ZsetForm::Small { texts, pairs } = &mut self.form {
            if pairs.len() < rules.entries
                && member.len() <= rules.value
                && texts.len() + member.len() <= PACK_BYTES_MAX
            {
                let start = texts.len();
                texts.extend_from_slice(member);
                pairs.push((start, texts.len(), score));
                return Ok(());
            }
            let mut zset = Zset::new(rules.hasher.clone());
            for &(start, end, score) in pairs.iter() {
                if zset.insert(&texts[start..end], score).is_some() {
                    return Err(Unfit::Duplicate);
                }
            }
            self.form = ZsetForm::Large(Box::new(zset));
        }
        match &mut self.form {
            ZsetForm::Large(zset) => once(zset.insert(member, score).is_none()),
            ZsetForm::Small { .. } => Ok(()),
        }
    }

    /// The sorted set.
    ///
    /// # Errors
    /// When it is empty, or has a member twice.
    pub fn finish(
        self,
        rules: &zset::Rules,
        seen: &mut Seen,
        out: &mut Vec<u8>,
    ) -> Result<Made, Unfit> {
        let (texts, mut pairs) = match self.form {
            ZsetForm::Large(zset) if zset.is_empty() => return Err(Unfit::Empty),
            ZsetForm::Large(zset) => {
                return Ok(Made::object(TAG_ZSET, Value::Zset(zset)));
            }
            ZsetForm::Small { pairs, .. } if pairs.is_empty() => return Err(Unfit::Empty),
            ZsetForm::Small { texts, pairs } => (texts, pairs),
        };
        pairs.sort_by(|left, right| {
            let by_score = left.2.partial_cmp(&right.2).unwrap_or(Ordering::Equal);
            by_score.then_with(|| texts[left.0..left.1].cmp(&texts[right.0..right.1]))
        });
        let start = out.len();
        let mut pack = EMPTY.to_vec();
        for (from, to, score) in pairs {
            scores::push_pair(&mut pack, &texts[from..to], score);
        }
        debug_assert!(pack.len() > HEAD_BYTES, "there are members");
        if !seen.all_differ(Listpack::new(&pack), 2, &rules.hasher) {
            return Err(Unfit::Duplicate);
        }
        out.extend_from_slice(&pack);
        debug_assert_eq!(out.len(), start + pack.len(), "nothing else is written");
        Ok(Made::appended(TAG_ZSET))
    }
}

impl ListParts {
    /// Adds the elements of a listpack behind all others.
    ///
    /// # Errors
    /// When it cannot be read. An empty one adds nothing.
    pub fn add_pack(&mut self, pack: &[u8], limits: list::Limits) -> Result<(), Unfit> {
        match Normal::of(pack, usize::MAX) {
            Ok(normal) => {
                self.add_normal(normal.read(), normal.count, limits);
                Ok(())
            }
            Err(Unfit::Empty) => Ok(()),
            Err(unfit) => Err(unfit),
        }
    }
}
