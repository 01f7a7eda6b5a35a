//! Sets: sorted integers or a listpack in the key's record, or a table of their own.

mod restore;

pub use restore::{SetParts, of_ints};

use super::draw::{self, Passing, Random};
use super::table::Table;
use super::{TAG_SET_INTS, TAG_SET_PACK, Value, item_of, with_text};
use crate::base::number::Digits;
use ahash::RandomState;
use dovetail_memory::intset::{self, Intset};
use dovetail_memory::listpack::{self, EMPTY, Encoded, Item, Listpack};
use dovetail_memory::{Body, EntryMut, EntryRef, NewBody, Shape, Splice, VacantEntry};

/// A listpack with more bytes gives way to a table, whatever the limits say.
const PACK_BYTES_MAX: usize = 1 << 29;

/// How large a set may get before it leaves its record, and what it hashes with then.
#[derive(Clone, Debug)]
pub struct Limits {
    /// Most integers that are kept sorted.
    pub ints: usize,
    /// Most members of a listpack.
    pub entries: usize,
    /// Longest member of a listpack, in bytes.
    pub value_bytes: usize,
    /// For the table.
    pub hasher: RandomState,
}

/// A set to read.
#[derive(Clone, Copy, Debug)]
pub enum SetRef<'a> {
    /// Integers only, in the record, ascending.
    Ints(Intset<'a>),
    /// In the record.
    Small(Listpack<'a>),
    /// In a table.
    Large(&'a Table),
}

impl<'a> SetRef<'a> {
    /// The set in `entry`; `None` when it holds another type.
    #[must_use]
    #[inline]
    pub fn of(entry: EntryRef<'a, Value>) -> Option<Self> {
        match entry.body() {
            Body::Bytes(bytes) if entry.tag() == TAG_SET_INTS => {
                Some(Self::Ints(Intset::new(bytes)))
            }
            Body::Bytes(bytes) if entry.tag() == TAG_SET_PACK => {
                Some(Self::Small(Listpack::new(bytes)))
            }
            Body::Object(Value::Set(table)) => Some(Self::Large(table)),
            _ => None,
        }
    }

    /// How many members it has.
    #[must_use]
    #[inline]
    pub fn len(self) -> usize {
        match self {
            Self::Ints(ints) => ints.len(),
            Self::Small(pack) => pack.len(),
            Self::Large(table) => table.len(),
        }
    }

    /// No member at all, which no key holds.
    #[must_use]
    pub fn is_empty(self) -> bool {
        self.len() == 0
    }

    /// Whether `member` is there.
    #[must_use]
    #[inline]
    pub fn contains(self, member: &[u8]) -> bool {
        match self {
            Self::Large(table) => table.contains(member),
            _ => self.has(item_of(member)),
        }
    }

    /// Whether `member`, that another set has shown, in whatever form, is there.
    #[must_use]
    #[inline]
    pub fn contains_item(self, member: Item<'_>) -> bool {
        match (self, member) {
            (Self::Large(table), _) => with_text(member, |text| table.contains(text)),
            (_, Item::Bytes(text)) => self.has(item_of(text)),
            (_, Item::Int(_)) => self.has(member),
        }
    }

    /// Whether `member`, which is an integer if it spells one, is there.
    #[inline]
    fn has(self, member: Item<'_>) -> bool {
        match (self, member) {
            (Self::Ints(ints), Item::Int(value)) => ints.contains(value),
            (Self::Ints(_), Item::Bytes(_)) => false,
            (Self::Small(pack), _) => {
                let found = pack.find(pack.begin(), &Encoded::new(member), 1);
                found.is_some()
            }
            (Self::Large(table), _) => with_text(member, |text| table.contains(text)),
        }
    }

    /// Visits all members until `visit` says stop. Those in a table are bytes even if they spell
    /// integers.
    #[inline]
    pub fn visit(self, mut visit: impl FnMut(Item<'a>) -> bool) {
        let _stopped = match self {
            Self::Ints(ints) => ints.iter().all(|value| visit(Item::Int(value))),
            Self::Small(pack) => pack.iter().all(visit),
            Self::Large(table) => table.iter().all(|(member, _)| visit(Item::Bytes(member))),
        };
    }

    /// A member drawn fairly.
    pub fn sample(self, random: Random<'_>) -> Option<Item<'a>> {
        match self {
            Self::Ints(ints) => {
                let index = draw::index(ints.len(), random)?;
                Some(Item::Int(ints.get(index)))
            }
            Self::Small(pack) => {
                let index = draw::index(pack.len(), random)?;
                Some(pack.item(pack.seek(index)))
            }
            Self::Large(table) => table.sample(random).map(|(member, _)| Item::Bytes(member)),
        }
    }

    /// Visits `wanted` different members, drawn fairly.
    pub fn choose(self, wanted: usize, random: Random<'_>, mut visit: impl FnMut(Item<'_>)) {
        if let Self::Large(table) = self {
            table.choose(wanted, random, &mut |member, _| visit(Item::Bytes(member)));
            return;
        }
        let mut passing = Passing::new(wanted, self.len());
        self.visit(|member| {
            if passing.takes(random) {
                visit(member);
            }
            true
        });
    }
}

/// What a set is to be stored as.
#[derive(Debug)]
enum Form {
    Ints(Vec<u8>),
    Small(Vec<u8>),
    Large(Table),
}

/// A set that is being put together, outside any key.
#[derive(Debug)]
pub struct Builder<'l> {
    form: Form,
    limits: &'l Limits,
}

impl<'l> Builder<'l> {
    /// An empty set that `expected` members are expected for.
    #[must_use]
    pub fn new(expected: usize, limits: &'l Limits) -> Self {
        let form = if expected <= limits.ints {
            Form::Ints(intset::EMPTY.to_vec())
        } else if expected <= limits.entries {
            Form::Small(EMPTY.to_vec())
        } else {
            Form::Large(Table::new(Shape::Members, &limits.hasher))
        };
        Self { form, limits }
    }

    /// How many members it has.
    #[must_use]
    pub fn len(&self) -> usize {
        match &self.form {
            Form::Ints(ints) => Intset::new(ints).len(),
            Form::Small(pack) => Listpack::new(pack).len(),
            Form::Large(table) => table.len(),
        }
    }

    /// No member yet.
    #[must_use]
    pub fn is_empty(&self) -> bool {
        self.len() == 0
    }

    /// Adds a member that another set has shown, in whatever form. Returns whether it is new.
    pub fn add_item(&mut self, member: Item<'_>) -> bool {
        match member {
            Item::Bytes(text) => self.add(item_of(text)),
            Item::Int(_) => self.add(member),
        }
    }

    /// Removes a member that another set has shown, in whatever form, if it is there.
    pub fn remove_item(&mut self, member: Item<'_>) {
        match member {
            Item::Bytes(text) => self.remove(item_of(text)),
            Item::Int(_) => self.remove(member),
        }
    }

    /// Adds a member. Returns whether it is new.
    fn add(&mut self, member: Item<'_>) -> bool {
        let limits = self.limits;
        let next = match (&mut self.form, member) {
            (Form::Large(table), _) => {
                return with_text(member, |text| table.insert(text, &[]));
            }
            (Form::Ints(ints), Item::Int(value)) => {
                let is_new = intset::add(ints, value);
                if Intset::new(ints).len() > limits.ints {
                    self.form = Form::Large(enlarged(SetRef::Ints(Intset::new(ints)), limits));
                }
                return is_new;
            }
            (Form::Small(pack), _) => {
                if SetRef::Small(Listpack::new(pack)).has(member) {
                    return false;
                }
                if fits(Listpack::new(pack), member, limits) {
                    listpack::push(pack, &Encoded::new(member));
                    return true;
                }
                Form::Large(enlarged(SetRef::Small(Listpack::new(pack)), limits))
            }
            (Form::Ints(ints), Item::Bytes(text)) => widened(Intset::new(ints), text, limits),
        };
        self.form = next;
        self.add(member)
    }

    fn remove(&mut self, member: Item<'_>) {
        match (&mut self.form, member) {
            (Form::Ints(ints), Item::Int(value)) => {
                intset::remove(ints, value);
            }
            (Form::Ints(_), Item::Bytes(_)) => {}
            (Form::Small(pack), _) => {
                remove_from_pack(pack, member);
            }
            (Form::Large(table), _) => {
                with_text(member, |text| table.remove(text));
            }
        }
    }

    /// What it holds, to be read.
    #[must_use]
    pub fn as_ref(&self) -> SetRef<'_> {
        match &self.form {
            Form::Ints(ints) => SetRef::Ints(Intset::new(ints)),
            Form::Small(pack) => SetRef::Small(Listpack::new(pack)),
            Form::Large(table) => SetRef::Large(table),
        }
    }

    /// Lets `store` have tag and body of a record that holds it.
    pub fn store<R>(self, store: impl FnOnce(u8, NewBody<'_, Value>) -> R) -> R {
        match self.form {
            Form::Ints(ints) => store(TAG_SET_INTS, NewBody::Bytes(&ints)),
            Form::Small(pack) => store(TAG_SET_PACK, NewBody::Bytes(&pack)),
            Form::Large(table) => {
                let value = Value::Set(Box::new(table));
                store(TAG_SET_PACK, NewBody::Object(Box::new(value)))
            }
        }
    }
}

/// Whether a listpack may take `member` besides those that it has.
fn fits(pack: Listpack<'_>, member: Item<'_>, limits: &Limits) -> bool {
    let len = text_len(member);
    pack.len() < limits.entries && len <= limits.value_bytes && pack.end() + len <= PACK_BYTES_MAX
}

fn text_len(member: Item<'_>) -> usize {
    with_text(member, <[u8]>::len)
}

/// The form that a set of integers takes to have `text` as well.
fn widened(ints: Intset<'_>, text: &[u8], limits: &Limits) -> Form {
    let longest = match ints.len() {
        0 => 0,
        len => {
            let ends = [ints.get(0), ints.get(len - 1)];
            let lens = ends.map(|value| Digits::of(value).as_bytes().len());
            lens[0].max(lens[1])
        }
    };
    if ints.len() < limits.entries && text.len().max(longest) <= limits.value_bytes {
        let mut pack = EMPTY.to_vec();
        for value in ints.iter() {
            listpack::push(&mut pack, &Encoded::new(Item::Int(value)));
        }
        Form::Small(pack)
    } else {
        Form::Large(enlarged(SetRef::Ints(ints), limits))
    }
}

/// The members of `set` in a table.
fn enlarged(set: SetRef<'_>, limits: &Limits) -> Table {
    let mut table = Table::new(Shape::Members, &limits.hasher);
    set.visit(|member| {
        with_text(member, |text| table.insert(text, &[]));
        true
    });
    table
}

fn remove_from_pack(buffer: &mut impl Splice, member: Item<'_>) -> bool {
    let pack = Listpack::new(buffer.bytes());
    let Some(at) = pack.find(pack.begin(), &Encoded::new(member), 1) else {
        return false;
    };
    let end = pack.next(at);
    listpack::remove(buffer, at, end, 1);
    true
}

/// Makes the set of these members. Returns how many it has.
pub fn create<'w>(
    place: VacantEntry<'_, Value>,
    members: impl ExactSizeIterator<Item = &'w [u8]>,
    limits: &Limits,
) -> usize {
    let mut set = Builder::new(members.len(), limits);
    for member in members {
        set.add(item_of(member));
    }
    let len = set.len();
    set.store(|tag, body| place.insert(tag, body, None));
    len
}

/// Adds members to the set in `entry`. Returns how many are new.
///
/// # Panics
/// When it holds no set, here and below.
pub fn add<'w>(
    entry: &mut EntryMut<'_, Value>,
    members: impl ExactSizeIterator<Item = &'w [u8]>,
    limits: &Limits,
) -> usize {
    let too_many = match SetRef::of(entry.as_ref()) {
        Some(SetRef::Ints(_)) => members.len() > limits.ints,
        Some(SetRef::Small(_)) => members.len() > limits.entries,
        _ => false,
    };
    if too_many {
        enlarge(entry, limits);
    }
    members
        .map(|member| usize::from(add_one(entry, member, limits)))
        .sum()
}

/// Adds a member. Returns whether it is new.
#[inline]
pub fn add_one(entry: &mut EntryMut<'_, Value>, member: &[u8], limits: &Limits) -> bool {
    match SetRef::of(entry.as_ref()) {
        Some(SetRef::Small(pack)) => {
            let item = item_of(member);
            if SetRef::Small(pack).has(item) {
                return false;
            }
            if fits(pack, item, limits) {
                listpack::push(entry, &Encoded::new(item));
                return true;
            }
            enlarge(entry, limits);
        }
        Some(SetRef::Ints(ints)) => match item_of(member) {
            Item::Int(value) => {
                let is_new = intset::add(entry, value);
                if is_new && SetRef::of(entry.as_ref()).map_or(0, SetRef::len) > limits.ints {
                    enlarge(entry, limits);
                }
                return is_new;
            }
            Item::Bytes(text) => {
                let form = widened(ints, text, limits);
                Builder { form, limits }.store(|tag, body| entry.set(tag, body));
                return add_one(entry, member, limits);
            }
        },
        _ => {}
    }
    large(entry).insert(member, &[])
}

/// Removes a member. Returns whether it was there. None may be left: the caller removes the key
/// then.
#[inline]
pub fn remove(entry: &mut EntryMut<'_, Value>, member: &[u8]) -> bool {
    match SetRef::of(entry.as_ref()) {
        Some(SetRef::Ints(_)) => match item_of(member) {
            Item::Int(value) => intset::remove(entry, value),
            Item::Bytes(_) => false,
        },
        Some(SetRef::Small(_)) => remove_from_pack(entry, item_of(member)),
        _ => large(entry).remove(member),
    }
}

fn large<'a>(entry: &'a mut EntryMut<'_, Value>) -> &'a mut Table {
    match entry.object_mut() {
        Some(Value::Set(table)) => table,
        _ => unreachable!("the caller has seen that it is a set"),
    }
}

/// Moves a set out of its record.
fn enlarge(entry: &mut EntryMut<'_, Value>, limits: &Limits) {
    if let Some(set @ (SetRef::Ints(_) | SetRef::Small(_))) = SetRef::of(entry.as_ref()) {
        let value = Value::Set(Box::new(enlarged(set, limits)));
        entry.set(TAG_SET_PACK, NewBody::Object(Box::new(value)));
    }
}

/// What OBJECT ENCODING says of the set in `entry`.
#[must_use]
pub fn encoding(entry: EntryRef<'_, Value>) -> &'static str {
    match SetRef::of(entry) {
        Some(SetRef::Ints(_)) => "intset",
        Some(SetRef::Small(_)) => "listpack",
        _ => "hashtable",
    }
}

#[cfg(test)]
mod tests;
