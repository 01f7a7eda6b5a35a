//! The layout of one record: a head, a key and a body in one allocation.
//!
//! Shape: `[tag, 1 B] [kind and forms, 1 B] [key length] [body length, bytes only] [deadline, 8 B,
//! if any] [key] [body]`. Lengths take 1, 2, 4 or 8 bytes as their form says. An integer takes the
//! smallest of 1, 2, 4 and 8 bytes; an object is the pointer of its box.
//! Nothing is aligned; numbers are in the host's byte order.

use std::marker::PhantomData;
use std::ptr::NonNull;

/// What a record holds, for reading.
#[derive(Debug)]
pub enum Body<'a, T> {
    /// An integer, stored in as few bytes as it needs.
    Int(i64),
    /// Bytes, stored in the record itself.
    Bytes(&'a [u8]),
    /// An object of its own.
    Object(&'a T),
}

impl<T> Clone for Body<'_, T> {
    fn clone(&self) -> Self {
        *self
    }
}

impl<T> Copy for Body<'_, T> {}

/// What a record is to hold.
#[derive(Debug)]
pub enum NewBody<'a, T> {
    /// An integer.
    Int(i64),
    /// These bytes.
    Bytes(&'a [u8]),
    /// The concatenation of these pieces.
    Parts(&'a [&'a [u8]]),
    /// An object; the store owns it from here on.
    Object(Box<T>),
}

#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum Kind {
    Int,
    Bytes,
    Object,
}

const TAG_MASK: u8 = 0x0f;
const HAS_DEADLINE: u8 = 1;
const BODY_SHIFT: u8 = 1;
const KEY_SHIFT: u8 = 3;
const FORM_MASK: u8 = 3;
const KIND_SHIFT: u8 = 5;
const HEAD_BYTES: usize = 2;
const DEADLINE_BYTES: usize = 8;
/// The bit of a deadline's word that belongs to the index of deadlines; see there.
pub(crate) const DEADLINE_MARK: u64 = 1 << 63;

/// Where the key begins, by the byte of forms.
const KEY_AT: [u8; 128] = {
    let mut table = [0; 128];
    let mut forms = 0;
    while forms < 128 {
        let body = if forms >> KIND_SHIFT == Kind::Bytes as u8 {
            forms >> BODY_SHIFT
        } else {
            8
        };
        let body_width = if body == 8 {
            0
        } else {
            1 << (body & FORM_MASK)
        };
        let key_width = 1 << (forms >> KEY_SHIFT & FORM_MASK);
        table[forms as usize] = 2 + key_width + body_width + 8 * (forms & HAS_DEADLINE);
        forms += 1;
    }
    table
};

/// The form of the smallest length field that holds `len`.
#[inline]
fn form_of_len(len: usize) -> u8 {
    match len {
        0..=0xff => 0,
        0x100..=0xffff => 1,
        0x1_0000..=0xffff_ffff => 2,
        _ => 3,
    }
}

#[inline]
fn form_of_int(value: i64) -> u8 {
    if i8::try_from(value).is_ok() {
        0
    } else if i16::try_from(value).is_ok() {
        1
    } else if i32::try_from(value).is_ok() {
        2
    } else {
        3
    }
}

#[inline]
fn width(form: u8) -> usize {
    1 << form
}

/// Everything that decides a record's layout.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) struct Plan {
    /// From the lowest bit: whether there is a deadline (1 bit), the form of the body's length (2)
    /// and of the key's (2), the kind (2).
    forms: u8,
    pub(crate) key_len: usize,
    pub(crate) body_len: usize,
}

impl Plan {
    #[inline]
    pub(crate) fn new<T>(key_len: usize, has_deadline: bool, body: &NewBody<'_, T>) -> Self {
        let (kind, body_form, body_len) = match body {
            NewBody::Int(value) => {
                let form = form_of_int(*value);
                (Kind::Int, form, width(form))
            }
            NewBody::Bytes(bytes) => (Kind::Bytes, form_of_len(bytes.len()), bytes.len()),
            NewBody::Parts(parts) => {
                let len = parts.iter().map(|part| part.len()).sum();
                (Kind::Bytes, form_of_len(len), len)
            }
            NewBody::Object(_) => (Kind::Object, 0, size_of::<NonNull<T>>()),
        };
        let lengths = body_form << BODY_SHIFT | form_of_len(key_len) << KEY_SHIFT;
        let forms = u8::from(has_deadline) | lengths | (kind as u8) << KIND_SHIFT;
        Self {
            forms,
            key_len,
            body_len,
        }
    }

    /// The same record with or without a deadline.
    pub(crate) fn with_deadline(self, has_deadline: bool) -> Self {
        Self {
            forms: self.forms & !HAS_DEADLINE | u8::from(has_deadline),
            ..self
        }
    }

    /// The same record with bytes of another length.
    pub(crate) fn with_body_len(self, body_len: usize) -> Self {
        debug_assert_eq!(
            self.kind(),
            Kind::Bytes,
            "only bytes have a length of their own"
        );
        let others = self.forms & !(FORM_MASK << BODY_SHIFT);
        Self {
            forms: others | form_of_len(body_len) << BODY_SHIFT,
            body_len,
            ..self
        }
    }

    #[inline]
    pub(crate) fn kind(&self) -> Kind {
        match self.forms >> KIND_SHIFT {
            0 => Kind::Int,
            1 => Kind::Bytes,
            _ => Kind::Object,
        }
    }

    #[inline]
    pub(crate) fn has_deadline(&self) -> bool {
        self.forms & HAS_DEADLINE != 0
    }

    #[inline]
    fn key_form(&self) -> u8 {
        self.forms >> KEY_SHIFT & FORM_MASK
    }

    #[inline]
    fn body_form(&self) -> u8 {
        self.forms >> BODY_SHIFT & FORM_MASK
    }

    #[inline]
    pub(crate) fn key_at(&self) -> usize {
        key_at(self.forms)
    }

    #[inline]
    pub(crate) fn body_at(&self) -> usize {
        self.key_at() + self.key_len
    }

    /// Bytes of the whole record.
    #[inline]
    pub(crate) fn bytes(&self) -> usize {
        self.body_at() + self.body_len
    }
}

#[inline]
fn key_at(forms: u8) -> usize {
    usize::from(KEY_AT[usize::from(forms & 0x7f)])
}

/// A record that is well formed and stays in place for `'a`.
#[derive(Clone, Copy, Debug)]
pub(crate) struct Record<'a> {
    at: NonNull<u8>,
    life: PhantomData<&'a [u8]>,
}

impl<'a> Record<'a> {
    /// # Safety
    ///
    /// `at` points at a record that was written by `RecordMut`, is not freed during `'a`, and is
    /// not written during the life of anything read from this.
    #[inline]
    pub(crate) unsafe fn new(at: NonNull<u8>) -> Self {
        Self {
            at,
            life: PhantomData,
        }
    }

    #[inline]
    pub(crate) fn as_ptr(self) -> *const u8 {
        self.at.as_ptr()
    }

    #[inline]
    fn offset(self, bytes: usize) -> NonNull<u8> {
        // SAFETY: all callers stay within the record, by its own head.
        unsafe { self.at.add(bytes) }
    }

    #[inline]
    fn byte(self, at: usize) -> u8 {
        // SAFETY: `at` is inside the record, and all of a record's bytes are initialised.
        unsafe { self.offset(at).read() }
    }

    /// The `N` bytes at `at`.
    #[inline]
    fn array<const N: usize>(self, at: usize) -> [u8; N] {
        // SAFETY: the bytes are inside the record; an array of bytes needs no alignment.
        unsafe { self.offset(at).cast::<[u8; N]>().read() }
    }

    #[inline]
    fn slice(self, at: usize, len: usize) -> &'a [u8] {
        // SAFETY: the bytes are inside the record, which lives unchanged for 'a.
        unsafe { std::slice::from_raw_parts(self.offset(at).as_ptr(), len) }
    }

    #[inline]
    fn length(self, at: usize, form: u8) -> usize {
        if form == 0 {
            usize::from(self.byte(at))
        } else {
            self.long_length(at, form)
        }
    }

    /// A length of more than one byte; apart, so that the usual case stays a plain load.
    #[cold]
    fn long_length(self, at: usize, form: u8) -> usize {
        match form {
            1 => usize::from(u16::from_ne_bytes(self.array(at))),
            2 => u32::from_ne_bytes(self.array(at)) as usize,
            _ => usize::from_ne_bytes(self.array(at)),
        }
    }

    #[inline]
    pub(crate) fn tag(self) -> u8 {
        self.byte(0) & TAG_MASK
    }

    #[inline]
    pub(crate) fn plan(self) -> Plan {
        let plan = Plan {
            forms: self.byte(1),
            key_len: 0,
            body_len: 0,
        };
        let key_len = self.length(HEAD_BYTES, plan.key_form());
        let body_len = match plan.kind() {
            Kind::Bytes => self.length(HEAD_BYTES + width(plan.key_form()), plan.body_form()),
            Kind::Int => width(plan.body_form()),
            Kind::Object => size_of::<NonNull<u8>>(),
        };
        Plan {
            key_len,
            body_len,
            ..plan
        }
    }

    /// The key; reads no more than that needs.
    #[inline]
    pub(crate) fn key(self) -> &'a [u8] {
        let forms = self.byte(1);
        let key_len = self.length(HEAD_BYTES, forms >> KEY_SHIFT & FORM_MASK);
        self.slice(key_at(forms), key_len)
    }

    /// Whether the key is `key`.
    #[inline]
    pub(crate) fn has_key(self, key: &[u8]) -> bool {
        let own = self.key();
        if own.len() != key.len() {
            return false;
        }
        // Two overlapping halves spare the usual short key a call.
        if let (8..=16, Some(low), Some(high)) = (key.len(), key.first_chunk(), key.last_chunk()) {
            return own.first_chunk::<8>() == Some(low) && own.last_chunk::<8>() == Some(high);
        }
        own == key
    }

    #[inline]
    pub(crate) fn deadline(self) -> Option<u64> {
        Some(self.deadline_word()? & !DEADLINE_MARK)
    }

    /// The deadline with the mark of the index.
    #[inline]
    pub(crate) fn deadline_word(self) -> Option<u64> {
        let forms = self.byte(1);
        if forms & HAS_DEADLINE == 0 {
            return None;
        }
        Some(u64::from_ne_bytes(
            self.array(key_at(forms) - DEADLINE_BYTES),
        ))
    }

    /// The body.
    ///
    /// # Safety
    ///
    /// Objects of this record are boxes of `T`, not mutated during `'a`.
    #[inline]
    pub(crate) unsafe fn body<T>(self) -> Body<'a, T> {
        let plan = self.plan();
        match plan.kind() {
            Kind::Bytes => Body::Bytes(self.slice(plan.body_at(), plan.body_len)),
            Kind::Int => Body::Int(self.int(&plan)),
            Kind::Object => {
                // SAFETY: the kind says that there is an object, a T by the caller's promise.
                let object = unsafe { self.object::<T>(&plan) };
                // SAFETY: the box is live as long as its record, and not mutated.
                Body::Object(unsafe { object.as_ref() })
            }
        }
    }

    #[inline]
    fn int(self, plan: &Plan) -> i64 {
        let at = plan.body_at();
        match plan.body_form() {
            0 => i64::from(i8::from_ne_bytes(self.array(at))),
            1 => i64::from(i16::from_ne_bytes(self.array(at))),
            2 => i64::from(i32::from_ne_bytes(self.array(at))),
            _ => i64::from_ne_bytes(self.array(at)),
        }
    }

    /// The pointer of the object's box.
    ///
    /// # Safety
    ///
    /// The record is of kind object, and its object is a `T`.
    #[inline]
    pub(crate) unsafe fn object<T>(self, plan: &Plan) -> NonNull<T> {
        let at = self.offset(plan.body_at()).cast::<NonNull<T>>();
        // SAFETY: the body of an object is a pointer, at no particular alignment.
        unsafe { at.read_unaligned() }
    }
}

/// A record that is exclusively ours to write.
#[derive(Debug)]
pub(crate) struct RecordMut<'a> {
    at: NonNull<u8>,
    life: PhantomData<&'a mut [u8]>,
}

impl<'a> RecordMut<'a> {
    /// # Safety
    ///
    /// `at` points at memory for the records that will be read or written through this, exclusive
    /// to it during `'a`.
    #[inline]
    pub(crate) unsafe fn new(at: NonNull<u8>) -> Self {
        Self {
            at,
            life: PhantomData,
        }
    }

    #[inline]
    fn put<const N: usize>(&mut self, at: usize, bytes: [u8; N]) {
        // SAFETY: the plan in hand puts these bytes inside the record.
        let to = unsafe { self.at.add(at) };
        // SAFETY: the memory is ours; an array of bytes needs no alignment.
        unsafe { to.cast::<[u8; N]>().write(bytes) }
    }

    #[inline]
    fn put_slice(&mut self, at: usize, bytes: &[u8]) {
        // SAFETY: the plan in hand puts these bytes inside the record.
        let to = unsafe { self.at.add(at) };
        // SAFETY: the memory is exclusively ours, so the source is elsewhere.
        unsafe { to.copy_from_nonoverlapping(NonNull::from(bytes).cast(), bytes.len()) }
    }

    #[inline]
    fn put_length(&mut self, at: usize, form: u8, len: usize) {
        let bytes = len.to_le_bytes();
        match form {
            0 => self.put(at, [bytes[0]]),
            1 => self.put(at, u16::from_le_bytes([bytes[0], bytes[1]]).to_ne_bytes()),
            2 => {
                let short = u32::from_le_bytes([bytes[0], bytes[1], bytes[2], bytes[3]]);
                self.put(at, short.to_ne_bytes());
            }
            _ => self.put(at, len.to_ne_bytes()),
        }
    }

    /// Writes everything before the key.
    #[inline]
    pub(crate) fn write_head(&mut self, plan: &Plan, tag: u8, deadline_word: Option<u64>) {
        debug_assert_eq!(
            plan.has_deadline(),
            deadline_word.is_some(),
            "the plan knows"
        );
        self.put(0, [tag & TAG_MASK, plan.forms]);
        self.put_length(HEAD_BYTES, plan.key_form(), plan.key_len);
        if plan.kind() == Kind::Bytes {
            let at = HEAD_BYTES + width(plan.key_form());
            self.put_length(at, plan.body_form(), plan.body_len);
        }
        if let Some(word) = deadline_word {
            self.write_deadline(plan, word);
        }
    }

    /// Writes the deadline and the mark of the index, for a plan that has one.
    #[inline]
    pub(crate) fn write_deadline(&mut self, plan: &Plan, word: u64) {
        self.put(plan.key_at() - DEADLINE_BYTES, word.to_ne_bytes());
    }

    #[inline]
    pub(crate) fn write_key(&mut self, plan: &Plan, key: &[u8]) {
        debug_assert_eq!(plan.key_len, key.len(), "the plan knows");
        self.put_slice(plan.key_at(), key);
    }

    #[inline]
    pub(crate) fn write_body<T>(&mut self, plan: &Plan, body: NewBody<'_, T>) {
        let mut at = plan.body_at();
        match body {
            NewBody::Int(value) => {
                let bytes = value.to_le_bytes();
                match plan.body_form() {
                    0 => self.put(at, [bytes[0]]),
                    1 => self.put(at, i16::from_le_bytes([bytes[0], bytes[1]]).to_ne_bytes()),
                    2 => {
                        let short = [bytes[0], bytes[1], bytes[2], bytes[3]];
                        self.put(at, i32::from_le_bytes(short).to_ne_bytes());
                    }
                    _ => self.put(at, value.to_ne_bytes()),
                }
            }
            NewBody::Bytes(bytes) => self.put_slice(at, bytes),
            NewBody::Parts(parts) => {
                for part in parts {
                    self.put_slice(at, part);
                    at += part.len();
                }
            }
            NewBody::Object(object) => {
                // SAFETY: the plan puts the pointer inside the record.
                let to = unsafe { self.at.add(at) };
                let object = NonNull::from(Box::leak(object));
                // SAFETY: the memory is ours; no alignment is asked for.
                unsafe { to.cast::<NonNull<T>>().write_unaligned(object) }
            }
        }
    }

    #[inline]
    pub(crate) fn set_tag(&mut self, tag: u8) {
        self.put(0, [tag & TAG_MASK]);
    }

    /// Moves `len` bytes within the record.
    #[inline]
    fn slide(&mut self, from: usize, to: usize, len: usize) {
        if from == to {
            return;
        }
        // SAFETY: one plan has these bytes at `from`, inside the record.
        let from = unsafe { self.at.add(from) };
        // SAFETY: the other plan has them at `to`, inside the same memory.
        let to = unsafe { self.at.add(to) };
        // SAFETY: the memory is ours and the regions may overlap.
        unsafe { to.copy_from(from, len) }
    }

    /// Moves the key from where `old` has it to where `new` has it.
    #[inline]
    pub(crate) fn slide_key(&mut self, old: &Plan, new: &Plan) {
        self.slide(old.key_at(), new.key_at(), new.key_len);
    }

    /// Moves key and body; of the body as many bytes as both plans have.
    pub(crate) fn slide_all(&mut self, old: &Plan, new: &Plan) {
        let len = new.key_len + old.body_len.min(new.body_len);
        self.slide(old.key_at(), new.key_at(), len);
    }

    /// Copies key and body of another record, whose plan is `old`; of the body as many bytes as
    /// both plans have.
    pub(crate) fn copy_all(&mut self, new: &Plan, other: Record<'_>, old: &Plan) {
        let len = new.key_len + old.body_len.min(new.body_len);
        // SAFETY: the plan puts these bytes inside the record.
        let to = unsafe { self.at.add(new.key_at()) };
        // SAFETY: both are that long, and distinct because this one is exclusive. Copying without
        // type keeps the provenance of an object's pointer.
        unsafe { to.copy_from_nonoverlapping(other.offset(old.key_at()), len) }
    }

    /// Zeroes the body from byte `from` on.
    pub(crate) fn zero_body(&mut self, plan: &Plan, from: usize) {
        // SAFETY: the body is inside the record.
        let at = unsafe { self.at.add(plan.body_at() + from) };
        // SAFETY: the memory is ours.
        unsafe { at.write_bytes(0, plan.body_len - from) }
    }

    /// The body's bytes, for a record of kind bytes.
    pub(crate) fn into_bytes(self, plan: &Plan) -> &'a mut [u8] {
        // SAFETY: the body is inside the record.
        let at = unsafe { self.at.add(plan.body_at()) };
        // SAFETY: the bytes are initialised and exclusively ours for 'a.
        unsafe { std::slice::from_raw_parts_mut(at.as_ptr(), plan.body_len) }
    }
}
