//! Hashes: a listpack of fields and values in the key's record, or a table of their own.
//!
//! Not here: deadlines of fields.

use super::draw::{self, Passing, Random};
use super::table::Table;
use super::{TAG_HASH, Value, item_of, with_text};
use ahash::RandomState;
use dovetail_memory::listpack::{self, EMPTY, Encoded, Item, Listpack};
use dovetail_memory::{Body, EntryMut, EntryRef, NewBody, Shape, VacantEntry};

/// A listpack with more bytes gives way to a table, whatever the limits say.
const PACK_BYTES_MAX: usize = 1 << 29;

/// How large a hash may get before it leaves its record, and what it hashes with then.
#[derive(Clone, Debug)]
pub struct Limits {
    /// Most fields.
    pub entries: usize,
    /// Longest field or value, in bytes.
    pub value_bytes: usize,
    /// For the table.
    pub hasher: RandomState,
}

impl Limits {
    fn admit(&self, words: &[&[u8]]) -> bool {
        words.iter().all(|word| word.len() <= self.value_bytes)
    }
}

/// A hash to read.
#[derive(Clone, Copy, Debug)]
pub enum HashRef<'a> {
    /// In the record: field, value, field, value...
    Small(Listpack<'a>),
    /// In a table.
    Large(&'a Table),
}

impl<'a> HashRef<'a> {
    /// The hash in `entry`; `None` when it holds another type.
    #[must_use]
    #[inline]
    pub fn of(entry: EntryRef<'a, Value>) -> Option<Self> {
        match entry.body() {
            Body::Bytes(bytes) if entry.tag() == TAG_HASH => {
                Some(Self::Small(Listpack::new(bytes)))
            }
            Body::Object(Value::Hash(table)) => Some(Self::Large(table)),
            _ => None,
        }
    }

    /// How many fields it has.
    #[must_use]
    #[inline]
    pub fn len(self) -> usize {
        match self {
            Self::Small(pack) => pack.len() / 2,
            Self::Large(table) => table.len(),
        }
    }

    /// No field at all, which no key holds.
    #[must_use]
    pub fn is_empty(self) -> bool {
        self.len() == 0
    }

    /// The value of `field`.
    #[must_use]
    #[inline]
    pub fn get(self, field: &[u8]) -> Option<Item<'a>> {
        match self {
            Self::Small(pack) => Some(pack.item(find(pack, field)?.1)),
            Self::Large(table) => table.get(field).map(Item::Bytes),
        }
    }

    /// Visits all fields with their values; in the record in the order in which they came.
    #[inline]
    pub fn each(self, mut visit: impl FnMut(Item<'a>, Item<'a>)) {
        match self {
            Self::Small(pack) => {
                let mut items = pack.iter();
                while let (Some(field), Some(value)) = (items.next(), items.next()) {
                    visit(field, value);
                }
            }
            Self::Large(table) => {
                for (field, value) in table.iter() {
                    visit(Item::Bytes(field), Item::Bytes(value));
                }
            }
        }
    }

    /// A field drawn fairly, with its value.
    pub fn sample(self, random: Random<'_>) -> Option<(Item<'a>, Item<'a>)> {
        match self {
            Self::Small(pack) => {
                let index = draw::index(self.len(), random)?;
                let at = pack.seek(index * 2);
                Some((pack.item(at), pack.item(pack.next(at))))
            }
            Self::Large(table) => {
                let (field, value) = table.sample(random)?;
                Some((Item::Bytes(field), Item::Bytes(value)))
            }
        }
    }

    /// Visits `wanted` different fields, drawn fairly, with their values.
    pub fn choose(
        self,
        wanted: usize,
        random: Random<'_>,
        mut visit: impl FnMut(Item<'_>, Item<'_>),
    ) {
        match self {
            Self::Small(_) => {
                let mut passing = Passing::new(wanted, self.len());
                self.each(|field, value| {
                    if passing.takes(random) {
                        visit(field, value);
                    }
                });
            }
            Self::Large(table) => table.choose(wanted, random, &mut |field, value| {
                visit(Item::Bytes(field), Item::Bytes(value));
            }),
        }
    }
}

/// Positions of `field` and of its value.
#[inline]
fn find(pack: Listpack<'_>, field: &[u8]) -> Option<(usize, usize)> {
    let at = pack.find(pack.begin(), &Encoded::new(item_of(field)), 2)?;
    Some((at, pack.next(at)))
}

/// Makes the hash of these words: field, value, field, value... Returns how many fields it has.
///
/// # Panics
/// When there are no words, or an odd number of them.
pub fn create<'w>(
    place: VacantEntry<'_, Value>,
    words: impl ExactSizeIterator<Item = &'w [u8]> + Clone,
    limits: &Limits,
) -> usize {
    let is_small = words.len() / 2 <= limits.entries
        && words.clone().all(|word| word.len() <= limits.value_bytes)
        && words.clone().map(<[u8]>::len).sum::<usize>() <= PACK_BYTES_MAX;
    if is_small {
        let mut pack = EMPTY.to_vec();
        let added = each_pair(words, |field, value| set_in_pack(&mut pack, field, value));
        place.insert(TAG_HASH, NewBody::Bytes(&pack), None);
        added
    } else {
        let mut table = Table::new(Shape::Pairs, &limits.hasher);
        let added = each_pair(words, |field, value| table.insert(field, value));
        let value = Value::Hash(Box::new(table));
        place.insert(TAG_HASH, NewBody::Object(Box::new(value)), None);
        added
    }
}

/// Calls `set` for each pair of words. Returns how often it said yes.
fn each_pair<'w>(
    mut words: impl Iterator<Item = &'w [u8]>,
    mut set: impl FnMut(&'w [u8], &'w [u8]) -> bool,
) -> usize {
    let mut count = 0;
    while let (Some(field), Some(value)) = (words.next(), words.next()) {
        count += usize::from(set(field, value));
    }
    count
}

/// Sets a field of a listpack. Returns whether it is new.
#[inline]
fn set_in_pack(buffer: &mut impl dovetail_memory::Splice, field: &[u8], value: &[u8]) -> bool {
    let value = Encoded::new(item_of(value));
    if let Some((_, at)) = find(Listpack::new(buffer.bytes()), field) {
        listpack::replace(buffer, at, &value);
        return false;
    }
    let end = buffer.bytes().len();
    listpack::insert_all(buffer, end, &[Encoded::new(item_of(field)), value]);
    true
}

/// Sets the fields of these words (field, value, field, value...) of the hash in `entry`. Returns how
/// many of them are new.
///
/// # Panics
/// When it holds no hash, here and below.
#[inline]
pub fn set<'w>(
    entry: &mut EntryMut<'_, Value>,
    words: impl ExactSizeIterator<Item = &'w [u8]> + Clone,
    limits: &Limits,
) -> usize {
    if let Body::Bytes(bytes) = entry.body() {
        let more: usize = words.clone().map(<[u8]>::len).sum();
        let fits = words.len() / 2 <= limits.entries
            && words.clone().all(|word| limits.admit(&[word]))
            && bytes.len() + more <= PACK_BYTES_MAX;
        if fits {
            let added = each_pair(words, |field, value| set_in_pack(entry, field, value));
            if HashRef::of(entry.as_ref()).map_or(0, HashRef::len) > limits.entries {
                enlarge(entry, limits);
            }
            return added;
        }
        enlarge(entry, limits);
    }
    let table = large(entry);
    each_pair(words, |field, value| table.insert(field, value))
}

/// Removes a field. Returns whether it was there. None may be left: the caller removes the key then.
pub fn remove(entry: &mut EntryMut<'_, Value>, field: &[u8]) -> bool {
    let Body::Bytes(bytes) = entry.body() else {
        return large(entry).remove(field);
    };
    let pack = Listpack::new(bytes);
    let Some((at, value)) = find(pack, field) else {
        return false;
    };
    let end = pack.next(value);
    listpack::remove(entry, at, end, 2);
    true
}

fn large<'a>(entry: &'a mut EntryMut<'_, Value>) -> &'a mut Table {
    match entry.object_mut() {
        Some(Value::Hash(table)) => table,
        _ => unreachable!("the caller has seen that it is a hash"),
    }
}

/// Moves a hash out of its record.
fn enlarge(entry: &mut EntryMut<'_, Value>, limits: &Limits) {
    let Some(HashRef::Small(pack)) = HashRef::of(entry.as_ref()) else {
        return;
    };
    let mut table = Table::new(Shape::Pairs, &limits.hasher);
    HashRef::Small(pack).each(|field, value| {
        with_text(field, |field| {
            with_text(value, |value| table.insert(field, value))
        });
    });
    entry.set(
        TAG_HASH,
        NewBody::Object(Box::new(Value::Hash(Box::new(table)))),
    );
}

/// What OBJECT ENCODING says of the hash in `entry`.
#[must_use]
pub fn encoding(entry: EntryRef<'_, Value>) -> &'static str {
    match entry.body() {
        Body::Object(_) => "hashtable",
        _ => "listpack",
    }
}

#[cfg(test)]
mod tests;
