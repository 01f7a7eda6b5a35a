//! What the tests of snapshots share: small stores, files by hand, and contents to compare.

mod damage;
mod examples;
mod random;

use super::{
    Compression, Event, Options, RdbError, ReadError, Reader, Rules, Source, Summing, Usage,
    Verify, Writer,
};
use crate::base::map::hasher;
use crate::codec::crc64::checksum;
use crate::config::Encodings;
use crate::value::hash::HashRef;
use crate::value::list::{End, ListRef};
use crate::value::restore::Limits;
use crate::value::set::SetRef;
use crate::value::string::Text;
use crate::value::zset::ZsetRef;
use crate::value::{Kind, Value, encoding_of, hash, kind_of, list, set, string, with_text, zset};
use dovetail_memory::{EntryRef, HeapPages, Lookup, Store};
use std::collections::{BTreeMap, BTreeSet};
use std::convert::Infallible;
use std::rc::Rc;

/// What a key holds, whatever its form.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(super) enum Content {
    String(Vec<u8>),
    List(Vec<Vec<u8>>),
    Hash(BTreeMap<Vec<u8>, Vec<u8>>),
    Set(BTreeSet<Vec<u8>>),
    /// Bits of scores, with the one zero, and members, in order.
    Zset(Vec<(u64, Vec<u8>)>),
}

/// A key's content, encoding and deadline.
pub(super) type Known = (Content, &'static str, Option<u64>);
/// What a file holds, by key.
pub(super) type Dataset = BTreeMap<Vec<u8>, Known>;

pub(super) fn limits() -> Limits {
    Limits::of(&Encodings::default(), &hasher(1))
}

pub(super) fn rules() -> Rules {
    Rules {
        limits: limits(),
        verify: Verify::Yes,
        batch: 3,
    }
}

pub(super) fn new_store() -> Store<Value> {
    Store::new(Rc::new(HeapPages))
}

fn text_of(item: crate::value::Item<'_>) -> Vec<u8> {
    with_text(item, <[u8]>::to_vec)
}

fn content_of(entry: EntryRef<'_, Value>) -> Content {
    match kind_of(entry) {
        Kind::String => Content::String(Text::of(entry).unwrap().as_bytes().to_vec()),
        Kind::List => {
            let mut words = Vec::new();
            let list = ListRef::of(entry).unwrap();
            list.range(0..list.len(), |item| words.push(text_of(item)));
            Content::List(words)
        }
        Kind::Hash => {
            let mut pairs = BTreeMap::new();
            HashRef::of(entry).unwrap().each(|field, value| {
                assert_eq!(pairs.insert(text_of(field), text_of(value)), None);
            });
            Content::Hash(pairs)
        }
        Kind::Set => {
            let mut members = BTreeSet::new();
            SetRef::of(entry)
                .unwrap()
                .visit(|member| members.insert(text_of(member)));
            Content::Set(members)
        }
        Kind::SortedSet => {
            let mut pairs = Vec::new();
            ZsetRef::of(entry).unwrap().visit(&mut |member, score| {
                pairs.push(((score + 0.0).to_bits(), text_of(member)));
                true
            });
            Content::Zset(pairs)
        }
    }
}

/// All that a store holds.
pub(super) fn dataset_of(store: &Store<Value>) -> Dataset {
    let mut all = Dataset::new();
    let mut cursor = 0;
    loop {
        cursor = store.scan(cursor, &mut |entry| {
            let known = (content_of(entry), encoding_of(entry), entry.deadline());
            all.insert(entry.key().to_vec(), known);
        });
        if cursor == 0 {
            return all;
        }
    }
}

/// Puts a content into a store, as the commands do.
pub(super) fn put(store: &mut Store<Value>, key: &[u8], content: &Content, limits: &Limits) {
    let hash = limits.hash.hasher.hash_one(key);
    let Lookup::Vacant(place) = store.entry(hash, key) else {
        panic!("keys of tests differ");
    };
    match content {
        Content::String(text) => {
            place.insert(string::TAG_WHOLE, string::body_of(text), None);
        }
        Content::List(words) => {
            let words = words.iter().map(Vec::as_slice);
            list::create(place, End::Tail, words, limits.list);
        }
        Content::Hash(pairs) => {
            let words: Vec<&[u8]> = pairs
                .iter()
                .flat_map(|(field, value)| [field.as_slice(), value.as_slice()])
                .collect();
            hash::create(place, words.iter().copied(), &limits.hash);
        }
        Content::Set(members) => {
            let members: Vec<&[u8]> = members.iter().map(Vec::as_slice).collect();
            set::create(place, members.iter().copied(), &limits.set);
        }
        Content::Zset(pairs) => {
            let first = (pairs[0].1.as_slice(), f64::from_bits(pairs[0].0));
            let longest = pairs.iter().map(|(_, member)| member.len()).max().unwrap();
            let mut entry = zset::create(place, first, (pairs.len(), longest), &limits.zset);
            for (score, member) in &pairs[1..] {
                zset::insert(&mut entry, member, f64::from_bits(*score), &limits.zset);
            }
        }
    }
}

/// The snapshot of a store.
pub(super) fn file_of(store: &Store<Value>, compression: Compression) -> Vec<u8> {
    let options = Options {
        compression,
        summing: Summing::On,
    };
    let mut writer = Writer::new(Vec::new(), options);
    writer.begin().unwrap();
    writer.aux(b"redis-ver", b"7.0.15").unwrap();
    let (keys, with_deadline) = (store.len() as u64, store.with_deadline() as u64);
    writer.select(0, keys, with_deadline).unwrap();
    let mut cursor = 0;
    loop {
        cursor = store.scan(cursor, &mut |entry| {
            let usage = entry.deadline().map(|_| Usage::Idle(300));
            writer.key(entry, usage).unwrap();
        });
        if cursor == 0 {
            break;
        }
    }
    let (file, written) = writer.finish().unwrap();
    assert_eq!(file.len() as u64, written);
    file
}

/// What a file holds; keys of all databases together.
pub(super) fn load<S: Source>(source: S, rules: Rules) -> Result<Dataset, ReadError<S::Error>> {
    let hasher = rules.limits.hash.hasher.clone();
    let mut store = new_store();
    let mut reader = Reader::new(source, rules);
    loop {
        match reader.next()? {
            Event::Keys(batch) => {
                for index in 0..batch.len() {
                    let loaded = batch.take(index);
                    let hash = hasher.hash_one(loaded.key);
                    // Only files that were damaged have a key twice.
                    if let Lookup::Vacant(place) = store.entry(hash, loaded.key) {
                        place.insert(loaded.tag, loaded.body, loaded.deadline);
                    }
                }
            }
            Event::End(_) => return Ok(dataset_of(&store)),
            _ => {}
        }
    }
}

/// The same for bytes, whose error is never the source's.
pub(super) fn load_bytes(file: &[u8]) -> Result<Dataset, RdbError> {
    load(file, rules()).map_err(|error: ReadError<Infallible>| match error {
        ReadError::Rdb(error) => error,
        ReadError::Source(never) => match never {},
    })
}

/// A file of this version with these bytes between its head and its end.
pub(super) fn file_by_hand(magic: &[u8; 9], inner: &[u8]) -> Vec<u8> {
    let mut file = [magic.as_slice(), inner, &[0xff]].concat();
    file.extend_from_slice(&checksum(&file).to_le_bytes());
    file
}

/// The bytes that hexadecimal digits spell; spaces, bars and line ends are passed over.
pub(super) fn hex(text: &str) -> Vec<u8> {
    let digits: Vec<u32> = text
        .chars()
        .filter_map(|digit| digit.to_digit(16))
        .collect();
    let byte = |pair: &[u32]| u8::try_from(pair[0] * 16 + pair[1]).unwrap();
    digits.chunks(2).map(byte).collect()
}

/// A string in its plainest form.
pub(super) fn plain(bytes: &[u8]) -> Vec<u8> {
    let len = u32::try_from(bytes.len()).unwrap();
    [&[0x80][..], &len.to_be_bytes(), bytes].concat()
}
