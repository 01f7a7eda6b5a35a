//! A digest of the data: equal for equal data, whatever the order in which they came about.

use crate::base::DbIndex;
use crate::keyspace::{Db, Entry, Keyspace};
use crate::value::hash::HashRef;
use crate::value::list::ListRef;
use crate::value::set::SetRef;
use crate::value::string::Text;
use crate::value::zset::ZsetRef;
use crate::value::{Item, Kind, kind_of, with_text};
use sha1_smol::Sha1;

/// A digest; zeros stand for nothing at all.
pub(super) type Digest = [u8; 20];

/// Adds `other` so that the order of additions does not matter.
fn add(sum: &mut Digest, other: Digest) {
    for (byte, other) in sum.iter_mut().zip(other) {
        *byte ^= other;
    }
}

/// The digest of parts that belong together, of a value without an order.
fn of_parts(parts: &[Item<'_>]) -> Digest {
    let mut sha = Sha1::new();
    for part in parts {
        with_text(*part, |text| {
            sha.update(&(text.len() as u64).to_le_bytes());
            sha.update(text);
        });
    }
    sha.digest().bytes()
}

/// The digest of a record's value and deadline, and of `prefix`.
fn digest(prefix: &[&[u8]], entry: Entry<'_>) -> Digest {
    let mut sha = Sha1::new();
    let mut feed = |part: &[u8]| {
        // Lengths keep neighbouring parts apart.
        sha.update(&(part.len() as u64).to_le_bytes());
        sha.update(part);
    };
    prefix.iter().for_each(|part| feed(part));
    match kind_of(entry) {
        Kind::String => feed(
            &Text::of(entry)
                .map(|text| text.to_bytes())
                .unwrap_or_default(),
        ),
        Kind::List => {
            let Some(list) = ListRef::of(entry) else {
                return Digest::default();
            };
            list.range(0..list.len(), |item| with_text(item, &mut feed));
        }
        Kind::Hash => {
            let mut sum = Digest::default();
            if let Some(hash) = HashRef::of(entry) {
                hash.each(|field, value| add(&mut sum, of_parts(&[field, value])));
            }
            feed(&sum);
        }
        Kind::Set => {
            let mut sum = Digest::default();
            if let Some(set) = SetRef::of(entry) {
                set.visit(|member| {
                    add(&mut sum, of_parts(&[member]));
                    true
                });
            }
            feed(&sum);
        }
        Kind::SortedSet => {
            let Some(zset) = ZsetRef::of(entry) else {
                return Digest::default();
            };
            // The two zeros are one score. The order is the same for equal members and scores.
            zset.visit(&mut |member, score| {
                with_text(member, &mut feed);
                feed(&(score + 0.0).to_le_bytes());
                true
            });
        }
    }
    feed(&entry.deadline().unwrap_or(0).to_le_bytes());
    sha.digest().bytes()
}

/// The digest of one value.
pub(super) fn of_value(entry: Entry<'_>) -> Digest {
    digest(&[], entry)
}

/// The digest of all keys of all databases.
pub(super) fn of_all(keyspace: &Keyspace) -> Digest {
    let mut sum = Digest::default();
    for index in 0..keyspace.count() {
        let index = DbIndex(u32::try_from(index).unwrap_or(0));
        add(&mut sum, of_db(index, keyspace.peek_db(index)));
    }
    sum
}

fn of_db(index: DbIndex, db: &Db) -> Digest {
    let mut sum = Digest::default();
    let mut cursor = 0;
    loop {
        let mut visit = |entry: Entry<'_>| {
            add(
                &mut sum,
                digest(&[&index.0.to_le_bytes(), entry.key()], entry),
            )
        };
        cursor = db.scan(cursor, &mut visit);
        if cursor == 0 {
            return sum;
        }
    }
}

/// Forty hex digits.
pub(super) fn hex(digest: Digest) -> String {
    digest.iter().map(|byte| format!("{byte:02x}")).collect()
}
