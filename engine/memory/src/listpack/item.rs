//! One element of a listpack: its forms, and how they are told apart.

/// An element, as it is stored: what spells an integer is kept as one.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Item<'a> {
    /// An integer.
    Int(i64),
    /// Bytes that spell no integer.
    Bytes(&'a [u8]),
}

const INT13_MAX: i64 = (1 << 12) - 1;
const INT24_MAX: i64 = (1 << 23) - 1;
const LEN6_MAX: usize = (1 << 6) - 1;
const LEN12_MAX: usize = (1 << 12) - 1;

const HEAD_LEN12: u8 = 0xe0;
const HEAD_LEN32: u8 = 0xf0;
const HEAD_INT16: u8 = 0xf1;
const HEAD_INT24: u8 = 0xf2;
const HEAD_INT32: u8 = 0xf3;
const HEAD_INT64: u8 = 0xf4;

/// An element ready to be written or looked for: head, text, and length for walking backwards.
///
/// The form of an element follows from its contents alone, so two elements are equal exactly when
/// their encoded bytes are.
#[derive(Clone, Copy, Debug)]
pub struct Encoded<'a> {
    head: [u8; 9],
    head_len: u8,
    text: &'a [u8],
    back: [u8; 5],
    back_len: u8,
}

impl<'a> Encoded<'a> {
    /// Encodes `item`.
    ///
    /// # Panics
    /// When the bytes are longer than 4 GiB.
    #[must_use]
    #[inline]
    pub fn new(item: Item<'a>) -> Self {
        let mut head = [0; 9];
        let (head_len, text): (u8, &[u8]) = match item {
            Item::Int(value) => (int_head(value, &mut head), &[]),
            Item::Bytes(text) => (text_head(text.len(), &mut head), text),
        };
        let (back, back_len) = back_of(usize::from(head_len) + text.len());
        Self {
            head,
            head_len,
            text,
            back,
            back_len,
        }
    }

    /// Bytes that it takes.
    #[must_use]
    #[inline]
    pub fn len(&self) -> usize {
        usize::from(self.head_len) + self.text.len() + usize::from(self.back_len)
    }

    /// What is in front of its text.
    #[inline]
    pub(super) fn head(&self) -> &[u8] {
        &self.head[..usize::from(self.head_len)]
    }

    /// No element takes no bytes.
    #[must_use]
    pub const fn is_empty(&self) -> bool {
        false
    }

    /// Writes it to `to`, which has [`Self::len`] bytes.
    #[inline]
    pub fn write(&self, to: &mut [u8]) {
        let (head_len, back_len) = (usize::from(self.head_len), usize::from(self.back_len));
        let text_end = head_len + self.text.len();
        to[..head_len].copy_from_slice(&self.head[..head_len]);
        to[head_len..text_end].copy_from_slice(self.text);
        to[text_end..].copy_from_slice(&self.back[..back_len]);
    }

    /// Whether the element at the beginning of `bytes` is this one.
    #[inline]
    pub(super) fn is_at(&self, bytes: &[u8]) -> bool {
        let head_len = usize::from(self.head_len);
        let text_end = head_len + self.text.len();
        // Texts of one length often differ only at their ends.
        bytes[0] == self.head[0]
            && (self.text.is_empty() || bytes.get(text_end - 1) == self.text.last())
            && bytes.get(1..head_len) == self.head.get(1..head_len)
            && bytes.get(head_len..text_end) == Some(self.text)
    }
}

#[expect(
    clippy::cast_possible_truncation,
    clippy::cast_sign_loss,
    reason = "the form has room for the value's significant bits, sign included"
)]
#[inline]
fn int_head(value: i64, head: &mut [u8; 9]) -> u8 {
    if let Ok(value @ 0..=0x7f) = u8::try_from(value) {
        head[0] = value;
        return 1;
    }
    if (-INT13_MAX - 1..=INT13_MAX).contains(&value) {
        let bits = value as u16 & 0x1fff;
        head[..2].copy_from_slice(&(0xc000 | bits).to_be_bytes());
        return 2;
    }
    let (code, width) = if i16::try_from(value).is_ok() {
        (HEAD_INT16, 2)
    } else if (-INT24_MAX - 1..=INT24_MAX).contains(&value) {
        (HEAD_INT24, 3)
    } else if i32::try_from(value).is_ok() {
        (HEAD_INT32, 4)
    } else {
        (HEAD_INT64, 8)
    };
    head[0] = code;
    head[1..=width].copy_from_slice(&value.to_le_bytes()[..width]);
    width as u8 + 1
}

#[expect(
    clippy::cast_possible_truncation,
    reason = "each form is taken for lengths that it has room for"
)]
#[inline]
fn text_head(len: usize, head: &mut [u8; 9]) -> u8 {
    if len <= LEN6_MAX {
        head[0] = 0x80 | len as u8;
        1
    } else if len <= LEN12_MAX {
        head[..2].copy_from_slice(&(u16::from(HEAD_LEN12) << 8 | len as u16).to_be_bytes());
        2
    } else {
        let len = u32::try_from(len).expect("an element is shorter than 4 GiB");
        head[0] = HEAD_LEN32;
        head[1..5].copy_from_slice(&len.to_le_bytes());
        5
    }
}

/// The length behind an element of `len` bytes: seven bits a byte, to be read from the right.
#[expect(
    clippy::cast_possible_truncation,
    reason = "seven bits are taken at a time"
)]
#[inline]
pub(super) fn back_of(len: usize) -> ([u8; 5], u8) {
    let mut back = [0; 5];
    if len < 0x80 {
        back[0] = len as u8;
        return (back, 1);
    }
    let width = back_width(len);
    let mut rest = len;
    for (at, byte) in back[..width].iter_mut().enumerate().rev() {
        *byte = rest as u8 & 0x7f | if at > 0 { 0x80 } else { 0 };
        rest >>= 7;
    }
    (back, width as u8)
}

/// Bytes of the length behind an element of `len` bytes.
#[inline]
pub(super) fn back_width(len: usize) -> usize {
    match len {
        0..0x80 => 1,
        0x80..0x4000 => 2,
        0x4000..0x20_0000 => 3,
        0x20_0000..0x1000_0000 => 4,
        _ => 5,
    }
}

/// Bytes of the element at the beginning of `bytes`, the length behind it not counted.
#[inline]
pub(super) fn head_and_text(bytes: &[u8]) -> usize {
    match bytes[0] {
        0..=0x7f => 1,
        head @ 0x80..=0xbf => 1 + usize::from(head & 0x3f),
        0xc0..=0xdf => 2,
        head @ 0xe0..=0xef => 2 + (usize::from(head & 0x0f) << 8 | usize::from(bytes[1])),
        HEAD_LEN32 => 5 + u32::from_le_bytes([bytes[1], bytes[2], bytes[3], bytes[4]]) as usize,
        HEAD_INT16 => 3,
        HEAD_INT24 => 4,
        HEAD_INT32 => 5,
        _ => 9,
    }
}

/// Bytes of the element that ends where `bytes` ends, the length behind it not counted; and how
/// many bytes that length has.
#[inline]
pub(super) fn length_behind(bytes: &[u8]) -> (usize, usize) {
    let (mut len, mut width) = (0, 0);
    for byte in bytes.iter().rev() {
        len |= usize::from(byte & 0x7f) << (7 * width);
        width += 1;
        if byte & 0x80 == 0 {
            break;
        }
    }
    (len, width)
}

/// The element at the beginning of `bytes`.
#[inline]
pub(super) fn decode(bytes: &[u8]) -> Item<'_> {
    step(bytes).0
}

/// The element at the beginning of `bytes`, and where the next one begins.
#[inline]
pub(super) fn step(bytes: &[u8]) -> (Item<'_>, usize) {
    let head = bytes[0];
    match head {
        0x80..=0xbf => {
            let len = usize::from(head & 0x3f);
            (Item::Bytes(&bytes[1..=len]), len + 2)
        }
        0..=0x7f => (Item::Int(i64::from(head)), 2),
        _ => step_wide(bytes),
    }
}

/// The same for an element with a head of several bytes.
fn step_wide(bytes: &[u8]) -> (Item<'_>, usize) {
    let len = head_and_text(bytes);
    let item = match bytes[0] {
        head @ 0xc0..=0xdf => {
            let bits = i16::from_be_bytes([head & 0x1f, bytes[1]]);
            Item::Int(i64::from(bits << 3 >> 3))
        }
        0xe0..=0xef => Item::Bytes(&bytes[2..len]),
        HEAD_LEN32 => Item::Bytes(&bytes[5..len]),
        _ => Item::Int(int_of(&bytes[1..len])),
    };
    (item, len + back_width(len))
}

/// The integer whose low bytes these are, little end first, with its sign in the last.
fn int_of(bytes: &[u8]) -> i64 {
    let mut wide = [0; 8];
    wide[..bytes.len()].copy_from_slice(bytes);
    let unused = 64 - 8 * bytes.len();
    i64::from_le_bytes(wide) << unused >> unused
}
