//! Listpacks that somebody else has written: whether they can be read, and whether they are as ours.
//!
//! Reading a [`Listpack`] trusts its bytes; here nothing is trusted.

use super::item::{Encoded, Item, back_of, head_and_text, step};
use super::{COUNT_UNKNOWN, FILE_EXTRA_BYTES, HEAD_BYTES};

/// Bytes of the total length in front of a listpack of a file.
const TOTAL_BYTES: usize = 4;
/// Behind the last element of a file's listpack.
const END_MARK: u8 = 0xff;

/// What is wrong with a listpack.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Unreadable {
    /// Its length is not the one that it states, or there is no room for one.
    Length,
    /// It does not end with the mark of the end.
    End,
    /// An element ends beyond the end, or begins with a byte that begins none.
    Element,
    /// The length behind an element is not that of the element.
    Back,
    /// There are not as many elements as it states.
    Count,
}

/// A listpack that can be read.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Readable {
    /// How many elements there are.
    pub count: usize,
    /// Whether the bytes are those that this module would have written for the elements.
    pub is_ours: bool,
}

/// The part of a file's listpack that is kept in memory: the count and the elements.
///
/// # Errors
/// When its length or its end are wrong.
pub fn strip(file: &[u8]) -> Result<&[u8], Unreadable> {
    if file.len() < HEAD_BYTES + FILE_EXTRA_BYTES {
        return Err(Unreadable::Length);
    }
    let stated = u32::from_le_bytes([file[0], file[1], file[2], file[3]]);
    if u32::try_from(file.len()) != Ok(stated) {
        return Err(Unreadable::Length);
    }
    let (pack, end) = file[TOTAL_BYTES..].split_at(file.len() - FILE_EXTRA_BYTES);
    if end != [END_MARK] {
        return Err(Unreadable::End);
    }
    Ok(pack)
}

/// Walks over all elements of `pack`, as [`strip`] returns it, and shows them to `visit`.
///
/// `spells`: whether a text spells an integer, and so should have been stored as one.
///
/// # Errors
/// When it cannot be read; some elements may have been shown by then.
pub fn examine<'a>(
    pack: &'a [u8],
    spells: &dyn Fn(&[u8]) -> bool,
    visit: &mut dyn FnMut(Item<'a>),
) -> Result<Readable, Unreadable> {
    let [low, high, elements @ ..] = pack else {
        return Err(Unreadable::Length);
    };
    let stated = u16::from_le_bytes([*low, *high]);
    let (mut rest, mut count, mut is_ours) = (elements, 0, true);
    while !rest.is_empty() {
        let (item, len) = element(rest)?;
        is_ours = is_ours && is_as_ours(item, rest, spells);
        visit(item);
        rest = &rest[len..];
        count += 1;
    }
    if stated != COUNT_UNKNOWN && usize::from(stated) != count {
        return Err(Unreadable::Count);
    }
    is_ours = is_ours && usize::from(stated) == count.min(usize::from(COUNT_UNKNOWN));
    Ok(Readable { count, is_ours })
}

/// The element at the beginning of `bytes`, and how many bytes it takes.
#[inline]
fn element(bytes: &[u8]) -> Result<(Item<'_>, usize), Unreadable> {
    let head = match bytes[0] {
        0xf5.. => return Err(Unreadable::Element),
        0xe0..=0xef => 2,
        0xf0 => 5,
        _ => 1,
    };
    if bytes.len() < head {
        return Err(Unreadable::Element);
    }
    let len = head_and_text(bytes);
    let Some(behind) = bytes.get(len..) else {
        return Err(Unreadable::Element);
    };
    let (back, width) = back_of(len);
    let width = usize::from(width);
    if behind.get(..width) != Some(&back[..width]) {
        return Err(Unreadable::Back);
    }
    Ok((step(bytes).0, len + width))
}

/// Whether `item` is encoded at the beginning of `bytes` as it is here.
#[inline]
fn is_as_ours(item: Item<'_>, bytes: &[u8], spells: &dyn Fn(&[u8]) -> bool) -> bool {
    match (bytes[0], item) {
        (..=0x7f, _) => true,
        (0x80..=0xbf, Item::Bytes(text)) => !spells(text),
        (_, Item::Bytes(text)) if spells(text) => false,
        _ => {
            // The text is the same; only the head may differ.
            bytes.starts_with(Encoded::new(item).head())
        }
    }
}

#[cfg(test)]
mod tests {
    use super::{Readable, Unreadable, examine, strip};
    use crate::listpack::{self, EMPTY, Encoded, Item};
    use proptest::prelude::*;

    fn pack_of(items: &[Item<'_>]) -> Vec<u8> {
        let mut pack = EMPTY.to_vec();
        for item in items {
            listpack::push(&mut pack, &Encoded::new(*item));
        }
        pack
    }

    fn look(pack: &[u8]) -> Result<Readable, Unreadable> {
        examine(pack, &|text| text == b"1", &mut |_| {})
    }

    #[test]
    fn what_is_written_here_is_readable_and_ours() {
        let long = vec![b'x'; 5000];
        let items = [
            Item::Int(-4096),
            Item::Int(4095),
            Item::Int(300_000),
            Item::Int(i64::MIN),
            Item::Bytes(b""),
            Item::Bytes(&long[..64]),
            Item::Bytes(&long),
        ];
        let count = items.len();
        let expected = Readable {
            count,
            is_ours: true,
        };
        assert_eq!(look(&pack_of(&items)), Ok(expected));
    }

    #[test]
    fn other_forms_of_the_same_elements_are_readable_and_not_ours() {
        let other = |bytes: &[u8]| look(bytes).map(|found| (found.count, found.is_ours));
        // "1" as text, 1 in two bytes, 1 in eight, a text of one with a head of two, no count.
        assert_eq!(other(&[1, 0, 0x81, b'1', 2]), Ok((1, false)));
        assert_eq!(other(&[1, 0, 0xc0, 1, 2]), Ok((1, false)));
        let wide = [1, 0, 0xf4, 1, 0, 0, 0, 0, 0, 0, 0, 9];
        assert_eq!(other(&wide), Ok((1, false)));
        assert_eq!(other(&[1, 0, 0xe0, 1, b'a', 3]), Ok((1, false)));
        assert_eq!(other(&[255, 255, 5, 1]), Ok((1, false)));
    }

    #[test]
    fn what_cannot_be_read_is_told() {
        assert_eq!(look(&[0]), Err(Unreadable::Length));
        assert_eq!(look(&[2, 0, 5, 1]), Err(Unreadable::Count));
        assert_eq!(look(&[1, 0, 5, 2]), Err(Unreadable::Back));
        assert_eq!(look(&[1, 0, 5]), Err(Unreadable::Back));
        assert_eq!(look(&[1, 0, 0x85, b'a', 1]), Err(Unreadable::Element));
        assert_eq!(look(&[1, 0, 0xff]), Err(Unreadable::Element));
        assert_eq!(look(&[1, 0, 0xf0, 1, 1]), Err(Unreadable::Element));
        let huge = [1, 0, 0xf0, 255, 255, 255, 255, 1];
        assert_eq!(look(&huge), Err(Unreadable::Element));
        assert_eq!(strip(&[7, 0, 0, 0, 0, 0, 254]), Err(Unreadable::End));
        assert_eq!(strip(&[8, 0, 0, 0, 0, 0, 255]), Err(Unreadable::Length));
        assert_eq!(strip(&[7, 0, 0, 0, 0, 0, 255]), Ok(&[0, 0][..]));
    }

    proptest! {
        #[test]
        fn any_bytes_are_looked_at_without_harm(
            bytes in proptest::collection::vec(any::<u8>(), 0..100)
        ) {
            let _either = look(&bytes);
        }

        #[test]
        fn readable_bytes_show_what_a_listpack_shows(
            heads in proptest::collection::vec(any::<i64>(), 0..20), at in 0_usize..200, bit in 0_u32..8
        ) {
            let items: Vec<Item<'_>> = heads.iter().map(|value| Item::Int(*value)).collect();
            let mut pack = pack_of(&items);
            let len = pack.len();
            pack[at % len] ^= 1_u8 << bit;
            let mut seen = Vec::new();
            if examine(&pack, &|_| false, &mut |item| seen.push(item)).is_ok() {
                prop_assert!(listpack::Listpack::new(&pack).iter().eq(seen.iter().copied()));
            }
        }
    }
}
