//! Sets put together from parts that come from elsewhere.

use super::{Builder, Form, Limits, SetRef, enlarged};
use crate::value::restore::{Made, Unfit};
use crate::value::{TAG_SET_INTS, TAG_SET_PACK, Value, item_of};
use dovetail_memory::intset::{self, Intset};
use dovetail_memory::listpack::Listpack;

/// A member with more bytes has no place in a listpack, whatever the limits say.
const PACKED_BYTES_MAX: usize = 1 << 29;

/// A set that is being put together, member by member; as [`Builder`], but without a borrow.
#[derive(Debug)]
pub struct SetParts(Form);

impl SetParts {
    /// An empty one that so many members are expected for.
    #[must_use]
    pub fn new(expected: usize, limits: &Limits) -> Self {
        Self(Builder::new(expected, limits).form)
    }

    /// Adds a member.
    ///
    /// # Errors
    /// When it is there already.
    #[inline]
    pub fn add(&mut self, member: &[u8], limits: &Limits) -> Result<(), Unfit> {
        let is_new = if let Form::Large(table) = &mut self.0 {
            table.insert(member, &[])
        } else {
            let form = std::mem::replace(&mut self.0, Form::Ints(Vec::new()));
            let form = match form {
                Form::Ints(ints) if member.len() > PACKED_BYTES_MAX => {
                    Form::Large(enlarged(SetRef::Ints(Intset::new(&ints)), limits))
                }
                Form::Small(pack) if member.len() > PACKED_BYTES_MAX => {
                    Form::Large(enlarged(SetRef::Small(Listpack::new(&pack)), limits))
                }
                form => form,
            };
            let mut builder = Builder { form, limits };
            let is_new = builder.add(item_of(member));
            self.0 = builder.form;
            is_new
        };
        if is_new {
            Ok(())
        } else {
            Err(Unfit::Duplicate)
        }
    }

    /// The set.
    ///
    /// # Errors
    /// When it is empty.
    pub fn finish(self, out: &mut Vec<u8>) -> Result<Made, Unfit> {
        let (tag, bytes) = match self.0 {
            Form::Ints(ints) => (TAG_SET_INTS, ints),
            Form::Small(pack) => (TAG_SET_PACK, pack),
            Form::Large(table) if table.is_empty() => return Err(Unfit::Empty),
            Form::Large(table) => {
                return Ok(Made::object(TAG_SET_PACK, Value::Set(Box::new(table))));
            }
        };
        let is_empty = match tag {
            TAG_SET_INTS => Intset::new(&bytes).is_empty(),
            _ => Listpack::new(&bytes).is_empty(),
        };
        if is_empty {
            return Err(Unfit::Empty);
        }
        out.extend_from_slice(&bytes);
        Ok(Made::appended(tag))
    }
}

/// The set of an intset.
///
/// # Errors
/// When it is none.
pub fn of_ints(ints: &[u8], limits: &Limits, out: &mut Vec<u8>) -> Result<Made, Unfit> {
    if !intset::is_readable(ints) {
        return Err(Unfit::Ints);
    }
    let set = Intset::new(ints);
    if set.is_empty() {
        return Err(Unfit::Empty);
    }
    if set.len() <= limits.ints {
        out.extend_from_slice(ints);
        return Ok(Made::appended(TAG_SET_INTS));
    }
    let table = enlarged(SetRef::Ints(set), limits);
    Ok(Made::object(TAG_SET_PACK, Value::Set(Box::new(table))))
}
