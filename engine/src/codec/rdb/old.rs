//! The packed forms of older files: ziplists, zipmaps and scores in text. They are read only, and
//! become listpacks.

use super::error::{Fault, Stop};
use super::input::{Input, Source};
use crate::base::double::parse_score;
use crate::value::restore::Unfit;
use crate::value::{Item, item_of};
use dovetail_memory::listpack::{EMPTY, Encoded, push};

/// Bytes in front of the first element of a ziplist: its length, where its last element is, count.
const ZIPLIST_HEAD: usize = 10;
/// Counts from here on are to be found out by counting.
const ZIPLIST_COUNT_UNKNOWN: u16 = u16::MAX;
/// Behind the last element of a ziplist or zipmap.
const END_MARK: u8 = 0xff;
/// A length that is in the next four bytes.
const LONG_LENGTH: u8 = 0xfe;

const DAMAGED: Fault = Fault::OldBlob("a ziplist is damaged");
const DAMAGED_MAP: Fault = Fault::OldBlob("a zipmap is damaged");

/// Shows the elements of a ziplist to `visit`.
pub(super) fn ziplist(
    blob: &[u8],
    visit: &mut dyn FnMut(Item<'_>) -> Result<(), Fault>,
) -> Result<(), Fault> {
    let (head, body) = blob.split_at_checked(ZIPLIST_HEAD).ok_or(DAMAGED)?;
    let total = u32::from_le_bytes([head[0], head[1], head[2], head[3]]);
    let tail = u32::from_le_bytes([head[4], head[5], head[6], head[7]]) as usize;
    let count = u16::from_le_bytes([head[8], head[9]]);
    let (end, mut rest) = body.split_last().ok_or(DAMAGED)?;
    if u32::try_from(blob.len()) != Ok(total) || *end != END_MARK {
        return Err(DAMAGED);
    }
    let (mut previous, mut last, mut seen) = (0, ZIPLIST_HEAD, 0_usize);
    while !rest.is_empty() {
        last = blob.len() - 1 - rest.len();
        let (stated, behind) = length_before(rest).ok_or(DAMAGED)?;
        let (item, behind) = ziplist_item(behind).ok_or(DAMAGED)?;
        if stated != previous {
            return Err(DAMAGED);
        }
        visit(item)?;
        previous = rest.len() - behind.len();
        rest = behind;
        seen += 1;
    }
    let is_counted = count == ZIPLIST_COUNT_UNKNOWN || usize::from(count) == seen;
    if is_counted && tail == last {
        Ok(())
    } else {
        Err(DAMAGED)
    }
}

/// The length of the element before, and what is behind it.
fn length_before(bytes: &[u8]) -> Option<(usize, &[u8])> {
    match bytes.split_first()? {
        (&LONG_LENGTH, behind) => {
            let (len, behind) = behind.split_first_chunk::<4>()?;
            Some((u32::from_le_bytes(*len) as usize, behind))
        }
        (&END_MARK, _) => None,
        (len, behind) => Some((usize::from(*len), behind)),
    }
}

/// An element behind the length of the one before, and what is behind it.
fn ziplist_item(bytes: &[u8]) -> Option<(Item<'_>, &[u8])> {
    let (&head, behind) = bytes.split_first()?;
    let (len, behind) = match head {
        0..=0x3f => (usize::from(head), behind),
        0x40..=0x7f => {
            let (low, behind) = behind.split_first()?;
            (usize::from(head & 0x3f) << 8 | usize::from(*low), behind)
        }
        0x80 => {
            let (len, behind) = behind.split_first_chunk::<4>()?;
            (u32::from_be_bytes(*len) as usize, behind)
        }
        _ => return ziplist_integer(head, behind),
    };
    let (text, behind) = behind.split_at_checked(len)?;
    Some((Item::Bytes(text), behind))
}

fn ziplist_integer(head: u8, behind: &[u8]) -> Option<(Item<'_>, &[u8])> {
    let width = match head {
        0xf1..=0xfd => return Some((Item::Int(i64::from(head & 0x0f) - 1), behind)),
        0xfe => 1,
        0xc0 => 2,
        0xf0 => 3,
        0xd0 => 4,
        0xe0 => 8,
        _ => return None,
    };
    let (bytes, behind) = behind.split_at_checked(width)?;
    let mut wide = [0; 8];
    wide[..width].copy_from_slice(bytes);
    let unused = 64 - 8 * width;
    let value = i64::from_le_bytes(wide) << unused >> unused;
    Some((Item::Int(value), behind))
}

/// The elements of a ziplist in a listpack.
pub(super) fn pack_of_ziplist(blob: &[u8]) -> Result<Vec<u8>, Fault> {
    let mut pack = EMPTY.to_vec();
    ziplist(blob, &mut |item| {
        let item = match item {
            Item::Bytes(text) => item_of(text),
            Item::Int(_) => item,
        };
        push(&mut pack, &Encoded::new(item));
        Ok(())
    })?;
    Ok(pack)
}

/// The fields and values of a zipmap in a listpack.
pub(super) fn pack_of_zipmap(blob: &[u8]) -> Result<Vec<u8>, Fault> {
    let (&count, body) = blob.split_first().ok_or(DAMAGED_MAP)?;
    let (end, mut rest) = body.split_last().ok_or(DAMAGED_MAP)?;
    if *end != END_MARK {
        return Err(DAMAGED_MAP);
    }
    let mut pack = EMPTY.to_vec();
    let mut pairs = 0_usize;
    while !rest.is_empty() {
        let (field, value, behind) = zipmap_pair(rest).ok_or(DAMAGED_MAP)?;
        push(&mut pack, &Encoded::new(item_of(field)));
        push(&mut pack, &Encoded::new(item_of(value)));
        rest = behind;
        pairs += 1;
    }
    if count < LONG_LENGTH && usize::from(count) != pairs {
        return Err(DAMAGED_MAP);
    }
    Ok(pack)
}

/// A field, its value, and what is behind them and the bytes that the value leaves unused.
fn zipmap_pair(bytes: &[u8]) -> Option<(&[u8], &[u8], &[u8])> {
    let (len, behind) = length_before(bytes)?;
    let (field, behind) = behind.split_at_checked(len)?;
    let (len, behind) = length_before(behind)?;
    let (unused, behind) = behind.split_first()?;
    let (value, behind) = behind.split_at_checked(len)?;
    let (_, behind) = behind.split_at_checked(usize::from(*unused))?;
    Some((field, value, behind))
}

/// A score in text, or one of those that have no digits.
pub(super) fn text_score<S: Source>(input: &mut Input<S>) -> Result<f64, Stop<S::Error>> {
    let mut text = [0; 252];
    let len = match input.byte()? {
        253 => return Err(Unfit::Score.into()),
        254 => return Ok(f64::INFINITY),
        255 => return Ok(f64::NEG_INFINITY),
        len => usize::from(len),
    };
    for byte in &mut text[..len] {
        *byte = input.byte()?;
    }
    parse_score(&text[..len]).ok_or_else(|| Unfit::Score.into())
}
