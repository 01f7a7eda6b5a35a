//! Lists: a listpack in the key's record, or nodes of their own.
//!
//! A list leaves its record when it outgrows one node, and comes back when it is down to half of
//! one: between the two nothing flaps.

mod large;
mod node;
#[cfg(test)]
mod tests;

pub use large::{List, ListParts};
pub use node::Stored;

use super::{TAG_LIST, Value, item_of};
use dovetail_memory::listpack::{self, EMPTY, Encoded, FILE_EXTRA_BYTES, Item, Listpack};
use dovetail_memory::{Body, EntryMut, EntryRef, NewBody, Splice, VacantEntry};
use large::{remove_at, remove_elements};
use std::ops::Range;

/// One end of a list.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum End {
    /// The left one.
    Head,
    /// The right one.
    Tail,
}

/// How large nodes may get, and which are compressed.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Limits {
    /// As `list-max-listpack-size` says: a number of elements, or -1 to -5 for 4 to 64 KiB.
    pub fill: i32,
    /// As `list-compress-depth` says: so many nodes at either end are not compressed; 0 for all.
    pub depth: usize,
}

/// Most bytes of a node that is limited by its number of elements.
const COUNTED_BYTES_MAX: usize = 8 << 10;

impl Limits {
    /// Most bytes of a node, in a file.
    fn bytes_max(self) -> usize {
        match self.fill {
            0.. => COUNTED_BYTES_MAX,
            -1 => 4 << 10,
            -2 => 8 << 10,
            -3 => 16 << 10,
            -4 => 32 << 10,
            _ => 64 << 10,
        }
    }

    /// Most elements of a node.
    fn count_max(self) -> usize {
        match usize::try_from(self.fill) {
            Ok(count) => count.max(1),
            Err(_) => usize::MAX,
        }
    }

    /// Whether a node may have so many bytes and elements.
    fn admit(self, bytes: usize, count: usize) -> bool {
        bytes <= self.bytes_max() && count <= self.count_max()
    }

    /// Whether a list that has shrunk to so many bytes and elements leaves its nodes.
    fn admit_shrunk(self, bytes: usize, count: usize) -> bool {
        bytes <= self.bytes_max() / 2 && count <= self.count_max() / 2
    }

    /// Whether `word` gets a node of its own.
    fn is_large(self, word: &[u8]) -> bool {
        word.len() > self.bytes_max()
    }
}

/// A list to read.
#[derive(Clone, Copy, Debug)]
pub enum ListRef<'a> {
    /// In the record.
    Small(Listpack<'a>),
    /// In nodes.
    Large(&'a List),
}

impl<'a> ListRef<'a> {
    /// The list in `entry`; `None` when it holds another type.
    #[must_use]
    #[inline]
    pub fn of(entry: EntryRef<'a, Value>) -> Option<Self> {
        match entry.body() {
            Body::Bytes(bytes) if entry.tag() == TAG_LIST => {
                Some(Self::Small(Listpack::new(bytes)))
            }
            Body::Object(Value::List(list)) => Some(Self::Large(list)),
            _ => None,
        }
    }

    /// How many elements it has.
    #[must_use]
    #[inline]
    pub fn len(self) -> usize {
        match self {
            Self::Small(pack) => pack.len(),
            Self::Large(list) => list.len(),
        }
    }

    /// No element at all, which no key holds.
    #[must_use]
    pub fn is_empty(self) -> bool {
        self.len() == 0
    }

    /// Lets `visit` see the elements with these indexes, all of which exist, in their order.
    #[inline]
    pub fn range(self, range: Range<usize>, mut visit: impl FnMut(Item<'_>)) {
        if range.is_empty() {
            return;
        }
        match self {
            Self::Small(pack) => {
                let elements = pack.between(pack.seek(range.start), pack.end());
                elements.take(range.len()).for_each(visit);
            }
            Self::Large(list) => {
                let mut left = range.len();
                list.visit(range.start, &mut |item| {
                    visit(item);
                    left -= 1;
                    left > 0
                });
            }
        }
    }

    /// Visits all elements from `end` on, until `visit` says stop.
    pub fn visit_from(self, end: End, visit: &mut dyn FnMut(Item<'_>) -> bool) {
        match (self, end) {
            (Self::Small(pack), End::Head) => {
                let _stopped = pack.iter().all(visit);
            }
            (Self::Small(pack), End::Tail) => {
                let _stopped = pack.iter().rev().all(visit);
            }
            (Self::Large(list), End::Head) => list.visit(0, visit),
            (Self::Large(list), End::Tail) => list.visit_back(list.len() - 1, visit),
        }
    }
}

/// Makes the list of these words, pushed one after the other at `end`.
pub fn create<'w>(
    place: VacantEntry<'_, Value>,
    end: End,
    words: impl ExactSizeIterator<Item = &'w [u8]> + Clone,
    limits: Limits,
) {
    let bytes: usize = words.clone().map(<[u8]>::len).sum();
    if limits.admit(EMPTY.len() + FILE_EXTRA_BYTES + bytes, words.len()) {
        let mut pack = Vec::with_capacity(EMPTY.len() + bytes + 11 * words.len());
        pack.extend_from_slice(&EMPTY);
        push_words(&mut pack, end, words);
        place.insert(TAG_LIST, NewBody::Bytes(&pack), None);
        return;
    }
    let mut list = List::default();
    for word in words {
        list.push(end, word, limits);
    }
    place.insert(
        TAG_LIST,
        NewBody::Object(Box::new(Value::List(Box::new(list)))),
        None,
    );
}

fn push_words<'w>(
    buffer: &mut impl Splice,
    end: End,
    words: impl ExactSizeIterator<Item = &'w [u8]>,
) {
    for word in words {
        let element = Encoded::new(item_of(word));
        match end {
            End::Head => listpack::insert(buffer, listpack::HEAD_BYTES, &element),
            End::Tail => listpack::push(buffer, &element),
        }
    }
}

/// Pushes these words one after the other at `end` of the list in `entry`.
///
/// # Panics
/// When it holds no list, here and below.
#[inline]
pub fn push<'w>(
    entry: &mut EntryMut<'_, Value>,
    end: End,
    words: impl ExactSizeIterator<Item = &'w [u8]> + Clone,
    limits: Limits,
) {
    if let Body::Bytes(bytes) = entry.body() {
        let pack = Listpack::new(bytes);
        let more: usize = words.clone().map(<[u8]>::len).sum();
        if limits.admit(pack.file_bytes() + more, pack.len() + words.len()) {
            push_words(entry, end, words);
            return;
        }
        enlarge(entry);
    }
    let list = large(entry);
    for word in words {
        list.push(end, word, limits);
    }
}

/// Takes `count` elements off `end`, which are there, and shows each to `visit` before.
pub fn pop(
    entry: &mut EntryMut<'_, Value>,
    end: End,
    count: usize,
    limits: Limits,
    mut visit: impl FnMut(Item<'_>),
) {
    let list = of(entry);
    let len = list.len();
    let mut left = count;
    list.visit_from(end, &mut |item| {
        visit(item);
        left -= 1;
        left > 0
    });
    let range = match end {
        End::Head => 0..count,
        End::Tail => len - count..len,
    };
    remove(entry, range, limits);
}

/// Puts `word` in the place of element `index`, which exists.
pub fn set(entry: &mut EntryMut<'_, Value>, index: usize, word: &[u8], limits: Limits) {
    if let Body::Bytes(bytes) = entry.body() {
        let pack = Listpack::new(bytes);
        if limits.admit(pack.file_bytes() + word.len(), pack.len()) {
            let at = pack.seek(index);
            listpack::replace(entry, at, &Encoded::new(item_of(word)));
            return;
        }
        enlarge(entry);
    }
    large(entry).set(index, word, limits);
    settle(entry, limits);
}

/// Puts `word` before element `index`; the length is an index as well.
pub fn insert(entry: &mut EntryMut<'_, Value>, index: usize, word: &[u8], limits: Limits) {
    if let Body::Bytes(bytes) = entry.body() {
        let pack = Listpack::new(bytes);
        if limits.admit(pack.file_bytes() + word.len(), pack.len() + 1) {
            let at = pack.seek(index);
            listpack::insert(entry, at, &Encoded::new(item_of(word)));
            return;
        }
        enlarge(entry);
    }
    large(entry).insert(index, word, limits);
}

/// Removes the elements with these indexes, all of which exist. None may be left: the caller
/// removes the key then.
pub fn remove(entry: &mut EntryMut<'_, Value>, range: Range<usize>, limits: Limits) {
    if matches!(entry.body(), Body::Bytes(_)) {
        remove_elements(entry, range);
        return;
    }
    large(entry).remove(range, limits);
    settle(entry, limits);
}

/// Removes up to `most` elements that equal `word`, looking from `end` on. Returns how many; none
/// may be left, as with [`remove`].
pub fn remove_equal(
    entry: &mut EntryMut<'_, Value>,
    word: &[u8],
    end: End,
    most: usize,
    limits: Limits,
) -> usize {
    if matches!(entry.body(), Body::Object(_)) {
        let removed = large(entry).remove_equal(word, end, most, limits);
        settle(entry, limits);
        return removed;
    }
    let wanted = item_of(word);
    let list = of(entry);
    let (mut doomed, mut step, last) = (Vec::new(), 0, list.len() - 1);
    list.visit_from(end, &mut |item| {
        if item == wanted {
            doomed.push(if end == End::Head { step } else { last - step });
        }
        step += 1;
        doomed.len() < most
    });
    if end == End::Tail {
        doomed.reverse();
    }
    if !doomed.is_empty() {
        remove_at(entry, &doomed);
    }
    doomed.len()
}

fn of<'a>(entry: &'a EntryMut<'_, Value>) -> ListRef<'a> {
    ListRef::of(entry.as_ref()).expect("the caller has seen that it is a list")
}

fn large<'a>(entry: &'a mut EntryMut<'_, Value>) -> &'a mut List {
    match entry.object_mut() {
        Some(Value::List(list)) => list,
        _ => unreachable!("the caller has seen that it is a list"),
    }
}

/// Moves a list out of its record.
fn enlarge(entry: &mut EntryMut<'_, Value>) {
    if let Body::Bytes(bytes) = entry.body() {
        let list = Value::List(Box::new(List::from_pack(bytes)));
        entry.set(TAG_LIST, NewBody::Object(Box::new(list)));
    }
}

/// Moves a list that has become short back into its record.
fn settle(entry: &mut EntryMut<'_, Value>, limits: Limits) {
    if let Some(pack) = large(entry).as_pack(limits) {
        entry.set(TAG_LIST, NewBody::Bytes(&pack));
    }
}

/// What OBJECT ENCODING says of the list in `entry`.
#[must_use]
pub fn encoding(entry: EntryRef<'_, Value>) -> &'static str {
    match entry.body() {
        Body::Object(_) => "quicklist",
        _ => "listpack",
    }
}
